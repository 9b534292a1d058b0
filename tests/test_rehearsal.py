"""``apply --dry-run``: prints what a run sends, in that order, says what would stop it, and changes nothing."""

import re
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner, Result

from tenantry import cli, session
from tenantry.apply import apply
from tenantry.errors import Drift
from tenantry.plan import Phase, Plan
from tenantry.rehearsal import rehearse, to_text
from tests import reference, runs
from tests.servers import Database, MakeDatabase


@pytest.fixture
def db(db: Database) -> Database:
    runs.do(db, *runs.SCHEMA.split(";\n"), "ANALYZE")
    return db


@pytest.fixture
def skills(make_db: MakeDatabase) -> Database:
    """The reference application."""
    database = make_db()
    reference.load(database)
    return database


def run(db: Database, plan: Plan, tmp_path: Path, *arguments: str) -> Result:
    saved = tmp_path / "plan.json"
    saved.write_text(plan.to_json())
    return CliRunner().invoke(cli.app, ["apply", str(saved), "--dsn", db.dsn, "--dry-run", *arguments])


def next_transaction(db: Database) -> int:
    """What the next transaction that writes will be numbered."""
    return int(runs.query(db, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"))


def test_it_changes_nothing(db: Database, tmp_path: Path) -> None:
    plan, before = runs.whole(db), runs.catalog(db).digest
    rows = runs.query(db, "SELECT md5(string_agg(n::text, '')) FROM (SELECT * FROM notes ORDER BY id) n")
    for _ in range(5):  # autovacuum may write meanwhile
        number = next_transaction(db)
        done = run(db, plan, tmp_path)
        after = next_transaction(db)
        assert done.exit_code == 0, done.output
        if number == after:
            break
    assert number == after  # not one transaction has written anything, here or in any other database
    assert runs.catalog(db).digest == before
    assert not runs.has_journal(db)
    assert (
        runs.query(db, "SELECT md5(string_agg(n::text, '')) FROM (SELECT * FROM notes ORDER BY id) n") == rows
    )
    assert runs.free(db)
    assert apply(db.dsn, plan).done == len(plan.steps)


def test_it_prints_what_a_run_sends_in_that_order(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    strong = replace(runs.column("label"), tables=(runs.NOTES,))  # the lock in two stages
    plan = runs.plan(
        db, runs.tenants(), runs.column(), strong, runs.backfill(), runs.not_null(), runs.index()
    )
    text, sent = to_text(rehearse(db.dsn, plan)), list[str]()
    real = session.Session.run

    def record(self: Any, step: str, statement: str, parameters: Any = None) -> int:
        first = {"first": "'(0,0)'", "last": "'(64,0)'"}
        sent.append(statement % first if parameters else statement)
        return real(self, step, statement, parameters)

    monkeypatch.setattr(session.Session, "run", record)
    apply(db.dsn, plan)
    at, wrong = 0, []
    for statement in dict.fromkeys(sent):
        if "UPDATE ONLY" in statement and "(0,0)" not in statement:
            continue
        place = text.find(f"{statement};", 0 if statement == "SET CONSTRAINTS ALL IMMEDIATE" else at)
        at = max(at, place)
        wrong += [statement] if place < 0 else []
    assert wrong == []
    assert len(sent) > 12
    steps = re.findall(r"^-- \d+/\d+  (\S+)", text, re.MULTILINE)
    assert steps == [s.id for s in plan]


def test_each_statement_of_a_conversion_is_there(skills: Database) -> None:
    """All of the nine tables' plan, with its locks and checks."""
    plan = reference.plan(skills, "online")
    text = to_text(rehearse(skills.dsn, plan))
    for step in plan:
        for statement in step.apply:
            assert f"{statement};" in text
        assert f"{step.verify};" in text
        assert step.why.splitlines()[0] in text
    assert 'LOCK TABLE "public"."users" IN SHARE UPDATE EXCLUSIVE MODE;' in text
    # What the last steps take away is not there yet.
    assert text.count("holds now, and is skipped if it still does") == sum(
        "DROP POLICY" in str(s.apply) for s in plan
    )
    assert text.count("outside a transaction, lock_timeout 0") == sum(not s.transactional for s in plan)
    assert text.count("\nBEGIN;") == text.count("\nCOMMIT;") == sum(s.transactional for s in plan)
    assert "('row_security', 'off')" in text
    assert re.search(r"^-- Time, roughly: [\d.]+ m?s in all", text, re.MULTILINE)
    assert "--   unseen  free disk space" in text


def test_until_is_where_it_stops(skills: Database, tmp_path: Path) -> None:
    plan = reference.plan(skills, "online")
    said = run(skills, plan, tmp_path, "--until", "columns").output
    assert "-- Here it stops (--until columns)" in said
    assert said.index("-- Here it stops") < said.index(
        f"-- enforce: not now, {len(plan.phase(Phase.ENFORCE))} steps"
    )
    assert "ADD COLUMN" in said
    assert "CREATE POLICY" not in said
    assert re.findall(r"^-- (\w+): not now", said, re.MULTILINE) == [
        "enforce",
        "audit",
        "harden",
        "observe",
        "cutover",
    ]


def test_a_run_that_stopped_is_shown_from_there(db: Database) -> None:
    plan = runs.whole(db)
    apply(db.dsn, runs.plan(db))
    with pytest.raises(KeyboardInterrupt):
        apply(db.dsn, plan, listen=_interrupt)
    text = to_text(rehearse(db.dsn, plan))
    assert text.count("skipped: it is there already") == 2
    assert "CREATE TABLE public.tenants" not in text
    assert "SET NOT NULL;" in text
    apply(db.dsn, plan)
    with pytest.raises(Drift):
        rehearse(db.dsn, plan)
    assert (
        to_text(rehearse(db.dsn, runs.plan(db))) == "Nothing to do: the database is in the declared state.\n"
    )


def _interrupt(event: Any) -> None:
    if event.step.startswith("backfill"):
        raise KeyboardInterrupt


def test_what_would_stop_it_is_told_with_exit_1(db: Database, tmp_path: Path) -> None:
    runs.do(db, f"CREATE ROLE {db.role('weak')} LOGIN")
    plan = runs.plan(db, runs.column(), runs.backfill())
    weak = replace(db, dsn=psycopg.conninfo.make_conninfo(db.dsn, user=db.role("weak")))
    done = run(weak, plan, tmp_path)
    assert done.exit_code == 1, done.output
    assert "--   stop    notes: belongs to postgres" in done.output
    assert "It would be refused" in done.output
    assert "ADD COLUMN tenant_id" in done.output  # and what it would do without that


def test_rows_without_a_tenant_are_told(db: Database, tmp_path: Path) -> None:
    runs.do(db, "UPDATE notes SET owner = NULL WHERE id = 7")
    done = run(db, runs.plan(db, runs.column(), runs.backfill()), tmp_path)
    assert done.exit_code == 1
    assert "notes: its backfill source yields no tenant for 1 row" in done.output


def test_another_runner_is_told(db: Database, tmp_path: Path) -> None:
    with closing(db.connect(application_name="other")) as conn:
        conn.execute("SELECT pg_advisory_lock(%s)", [session.RUNNER_KEY])
        done = run(db, runs.whole(db), tmp_path)
    assert done.exit_code == 1
    assert "another session converts this database: process" in done.output


def test_drift_is_an_error_as_in_a_run(db: Database, tmp_path: Path) -> None:
    plan = runs.whole(db)
    runs.do(db, "CREATE TABLE more ()")
    done = run(db, plan, tmp_path)
    assert done.exit_code == 3


def test_warnings_of_a_run_are_on_standard_error(db: Database, tmp_path: Path) -> None:
    runs.do(db, "ALTER TABLE notes SET (autovacuum_enabled = false)")
    saved = tmp_path / "plan.json"
    saved.write_text(runs.plan(db, replace(runs.column(), tables=(runs.NOTES,))).to_json())
    done = CliRunner().invoke(cli.app, ["apply", str(saved), "--dsn", db.dsn])
    assert done.exit_code == 0
    assert "tenantry: warn: notes: autovacuum is off" in done.stderr
    assert "tenantry: unseen: free disk space" in done.stderr
    assert "1 step done" in done.stdout
    assert "warn" not in done.stdout

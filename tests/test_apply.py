"""apply: what it does, what stops it, and what it says, with plans made by hand."""

from contextlib import closing
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from tenantry import journal, session, verify
from tenantry.apply import Applied, apply
from tenantry.errors import ApplyError, CatalogError, Drift
from tenantry.names import QName
from tenantry.plan import Plan
from tenantry.progress import Event, StepDone, StepSkipped, StepStarted
from tests import runs
from tests.runs import (
    NOTES,
    ROWS,
    backfill,
    change,
    column,
    do,
    has_column,
    has_journal,
    index,
    plan,
    query,
    states,
    tenants,
    whole,
)
from tests.servers import Database


@pytest.fixture
def db(db: Database) -> Database:
    do(db, *runs.SCHEMA.split(";\n"))
    return db


# The straight way


def test_every_step_is_done_told_and_entered(db: Database) -> None:
    made, events = whole(db), list[Event]()
    applied = apply(db.dsn, made, listen=events.append)
    assert (applied.plan_id, applied.done, applied.skipped, applied.rows) == (1, 5, 0, ROWS)
    assert applied.seconds > 0
    assert query(db, "SELECT count(*) FROM notes WHERE tenant_id = 'acme' AND touched = 1") == ROWS
    assert query(db, verify.query(verify.not_null(NOTES, "tenant_id"))) is True
    assert states(db) == {step.id: "done" for step in made}
    started = [e for e in events if isinstance(e, StepStarted)]
    assert started == [StepStarted(step.id, n, 5) for n, step in enumerate(made, 1)]
    assert [(e.step, e.rows) for e in events if isinstance(e, StepDone)] == [
        (step.id, ROWS if step.kind == "backfill" else 0) for step in made
    ]
    with closing(db.connect()) as conn:
        (entry,) = journal.plans(conn)
    assert (entry.digest, entry.plan, entry.applied_by) == (made.digest, made, "postgres")
    assert entry.finished_at is not None
    assert entry.reverted_at is None
    assert runs.free(db)


def test_percent_signs_and_colons_are_left_alone(db: Database) -> None:
    filling = backfill("a.owner || '%s %(x)s %% :p ::text'")
    apply(db.dsn, plan(db, tenants(), column(), filling))
    assert query(db, "SELECT name FROM tenants") == "100% :name %s %(x)s ::text"
    assert query(db, "SELECT DISTINCT tenant_id FROM notes") == "acme%s %(x)s %% :p ::text"


def test_a_step_that_holds_already_is_skipped(db: Database) -> None:
    do(db, "ALTER TABLE tags ADD COLUMN tenant_id text")
    made, events = plan(db, column(), column(table="tags")), list[Event]()
    applied = apply(db.dsn, made, listen=events.append)
    assert (applied.done, applied.skipped) == (1, 1)
    assert events[-1] == StepSkipped("columns.tags.tenant_id", 2, 2)
    assert states(db) == {"columns.notes.tenant_id": "done", "columns.tags.tenant_id": "skipped"}


def test_an_empty_plan_leaves_no_trace(db: Database) -> None:
    applied = apply(db.dsn, plan(db))
    assert applied == Applied(None, 0, 0, 0, applied.seconds)
    assert not has_journal(db)


def test_a_statement_is_sent_alone(db: Database) -> None:
    do(
        db,
        "CREATE TABLE seen (id serial, tag text, query text)",
        "CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO public.seen (tag, query) VALUES (tg_tag, current_query()); END'",
        "CREATE EVENT TRIGGER note ON ddl_command_end EXECUTE FUNCTION note()",
    )
    two = ("ALTER TABLE public.notes ADD COLUMN a text", "ALTER TABLE public.notes ADD COLUMN b text")
    apply(db.dsn, plan(db, change("two", *two, verify=verify.query(verify.column(NOTES, "b")))))
    with closing(db.connect()) as conn:
        seen = conn.execute("SELECT query FROM seen WHERE query LIKE '%notes%' ORDER BY id").fetchall()
    assert [text for (text,) in seen] == list(two)


def test_the_databases_own_timeouts_do_not_apply(db: Database) -> None:
    name = psycopg.sql.Identifier(db.name).as_string(None)
    do(
        db,
        f"ALTER DATABASE {name} SET statement_timeout = '80ms'",
        f"ALTER DATABASE {name} SET lock_timeout = '80ms'",
        f"ALTER DATABASE {name} SET idle_in_transaction_session_timeout = '80ms'",
        f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'",
    )
    slow = change("slow", "SELECT pg_sleep(0.3)", *column().apply, verify=column().verify)
    settings = change(
        "settings",
        "CREATE TABLE public.settings AS SELECT current_setting('row_security') AS row_security,"
        " current_setting('transaction_isolation') AS isolation",
        verify=verify.query(verify.relation(QName("public", "settings"))),
    )
    apply(db.dsn, plan(db, slow, settings))
    assert query(db, "SELECT row_security || ', ' || isolation FROM settings") == "off, read committed"


# What stops it before anything changes


def test_a_changed_catalog_is_drift(db: Database) -> None:
    made = whole(db)
    do(db, "ALTER TABLE tags ADD COLUMN colour text")
    with pytest.raises(Drift, match=r"another catalog(.|\n)*nothing was changed\. Run `tenantry plan` again"):
        apply(db.dsn, made)
    assert not has_column(db)
    assert not has_journal(db)


def test_an_applied_plan_is_not_applied_again(db: Database) -> None:
    made = whole(db)
    apply(db.dsn, made)
    with pytest.raises(
        Drift, match=r"applied already, as plan 1 at .*nothing was changed\. Run `tenantry plan`"
    ):
        apply(db.dsn, made)


def test_an_interrupted_plan_is_not_resumed_over_a_newer_one(db: Database) -> None:
    gate = change("gate", "SELECT 1 / (SELECT count(*) FROM public.open)", verify="SELECT false")
    do(db, "CREATE TABLE open ()")
    first = plan(db, column(), gate)
    with pytest.raises(ApplyError, match="division by zero"):
        apply(db.dsn, first)
    apply(db.dsn, plan(db, column(table="tags")))
    with pytest.raises(Drift, match="applied already, as plan 1"):
        apply(db.dsn, first)


def test_rows_without_a_tenant_are_found_first_and_all_at_once(db: Database) -> None:
    do(db, "UPDATE notes SET owner = NULL WHERE id <= 2", "UPDATE tags SET name = NULL WHERE id = 1")
    other = replace(
        backfill(),
        id="backfill.tags",
        object="tags",
        unresolved="SELECT count(*) FROM public.tags WHERE name IS NULL",
    )
    with pytest.raises(ApplyError) as caught:
        apply(db.dsn, plan(db, tenants(), column(), backfill(), other))
    message = str(caught.value)
    assert "nothing was changed" in message
    assert "notes: its backfill source yields no tenant for 2 rows" in message
    assert "tags: its backfill source yields no tenant for 1 row" in message
    assert "decide on another `backfill` for the table in the spec and run `tenantry plan` again" in message
    assert not has_journal(db)
    assert not has_column(db)


def test_a_source_that_cannot_be_asked_stops_it(db: Database) -> None:
    broken = backfill(unresolved="SELECT count(*) FROM public.owners")
    with pytest.raises(
        ApplyError, match=r'backfill\.notes\.tenant_id failed: relation "public.owners"'
    ) as caught:
        apply(db.dsn, plan(db, column(), broken))
    assert (caught.value.step, caught.value.sqlstate) == (broken.id, "42P01")
    assert caught.value.statement == broken.unresolved
    assert not has_journal(db)


def test_a_second_runner_is_refused(db: Database) -> None:
    made, refusals = whole(db), list[str]()

    def listen(event: Event) -> None:
        if isinstance(event, StepDone) and not refusals:
            with pytest.raises(ApplyError) as caught:
                apply(db.dsn, made)
            refusals.append(str(caught.value))
            pid = query(db, "SELECT pid FROM pg_stat_activity WHERE application_name = 'tenantry apply'")
            assert f"process {pid} (tenantry apply, user postgres) holds the lock" in refusals[0]

    apply(db.dsn, made, listen=listen)
    assert "another session converts this database" in refusals[0]
    assert "wait until it ends" in refusals[0]


def test_a_server_that_is_too_old_is_refused(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "MIN_VERSION", 990_000)
    with pytest.raises(
        CatalogError, match=r"the server is PostgreSQL 1\d\.\d+ and Tenantry needs 99 .*upgrade"
    ):
        apply(db.dsn, Plan("s", "c", "online", ()))


def test_a_server_that_is_not_there(tmp_path: Any) -> None:
    with pytest.raises(
        CatalogError, match=r"cannot be reached: (.|\n)*check the DSN \(--dsn, TENANTRY_DSN\) or the PG\*"
    ):
        apply(f"host={tmp_path} dbname=x", Plan("s", "c", "online", ()))


# Failures


def test_a_failing_statement_leaves_what_is_done_and_says_everything(db: Database) -> None:
    do(db, "INSERT INTO tags VALUES (98, 'twice')", "ALTER TABLE tags DROP CONSTRAINT tags_name_key")
    do(db, "INSERT INTO tags VALUES (99, 'twice')")
    unique = change(
        "enforce.tags.name",
        "ALTER TABLE public.tags ADD COLUMN half text",
        "ALTER TABLE public.tags ADD CONSTRAINT tags_name_unique UNIQUE (name)",
        verify=verify.query(verify.constraint(QName("public", "tags"), "tags_name_unique")),
        object="tags",
    )
    made = plan(db, column(), unique, column(table="tags"))
    with pytest.raises(ApplyError) as caught:
        apply(db.dsn, made)
    error, message = caught.value, str(caught.value)
    assert (error.step, error.statement, error.sqlstate) == (unique.id, unique.apply[1], "23505")
    assert 'step enforce.tags.name failed: could not create unique index "tags_name_unique"' in message
    assert "(SQLSTATE 23505)" in message
    assert "detail: Key (name)=(twice) is duplicated." in message
    assert f"statement: {unique.apply[1]}" in message
    assert "What is done stays done. Remove the cause, then run `tenantry apply` again" in message
    assert has_column(db)
    assert not has_column(db, "tags", "half")  # the step is one transaction
    assert states(db) == {"columns.notes.tenant_id": "done", unique.id: "failed"}
    assert query(db, "SELECT error FROM tenantry.steps WHERE state = 'failed'") == message

    do(db, "DELETE FROM tags WHERE id = 99")
    applied = apply(db.dsn, made)
    assert (applied.plan_id, applied.done, applied.skipped) == (1, 2, 1)
    assert set(states(db).values()) == {"done"}  # the one that was skipped now was ours
    assert query(db, "SELECT count(*) FROM tenantry.steps WHERE error IS NOT NULL") == 0


def test_a_false_verification_rolls_the_step_back(db: Database) -> None:
    wrong = replace(column(), verify=verify.query(verify.column(NOTES, "organisation")))
    with pytest.raises(ApplyError) as caught:
        apply(db.dsn, plan(db, wrong))
    message = str(caught.value)
    assert f"step {wrong.id} ran but its verification is false: {wrong.verify}" in message
    assert "It was rolled back" in message
    assert "look at notes, then run `tenantry apply` again" in message
    assert caught.value.statement is None
    assert not has_column(db)
    assert states(db) == {wrong.id: "failed"}


def test_a_false_verification_outside_a_transaction(db: Database) -> None:
    wrong = replace(index(unique="id"), verify="SELECT false", cleanup="")
    with pytest.raises(
        ApplyError, match=r"ran but its verification is false(.|\n)*What it did is still there"
    ):
        apply(db.dsn, plan(db, wrong))
    assert query(db, verify.query(verify.index(QName("public", "notes_tenant_idx")))) is True


def test_a_verification_cannot_change_anything(db: Database) -> None:
    do(
        db,
        "CREATE FUNCTION wipe() RETURNS boolean LANGUAGE sql AS 'DELETE FROM public.notes; SELECT true'",
    )
    apply(db.dsn, plan(db, replace(column(), verify="SELECT public.wipe()")))
    assert query(db, "SELECT count(*) FROM notes") == ROWS


def test_a_verification_that_names_what_is_not_there_is_not_true_yet(db: Database) -> None:
    early = replace(column(), verify="SELECT count(tenant_id) >= 0 FROM public.notes")
    assert apply(db.dsn, plan(db, early)).done == 1


def test_a_verification_that_fails_otherwise_stops_it(db: Database) -> None:
    with pytest.raises(
        ApplyError, match=r"columns\.notes\.tenant_id failed: division by zero .SQLSTATE 22012"
    ):
        apply(db.dsn, plan(db, replace(column(), verify="SELECT 1 / 0 = 1")))
    assert not has_column(db)


def test_a_deferred_constraint_fails_in_its_step(db: Database) -> None:
    do(db, "CREATE TABLE children (note int REFERENCES notes DEFERRABLE INITIALLY DEFERRED)")
    orphan = change(
        "orphan", "INSERT INTO public.children VALUES (-1)", verify="SELECT true FROM public.children"
    )
    with pytest.raises(ApplyError, match=r"step orphan failed: .*violates foreign key") as caught:
        apply(db.dsn, plan(db, orphan))
    assert (caught.value.step, caught.value.sqlstate) == ("orphan", "23503")
    assert query(db, "SELECT count(*) FROM children") == 0


def test_a_lost_connection_is_an_error_that_can_be_resumed(db: Database) -> None:
    made = whole(db)

    def listen(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == "columns.notes.tenant_id":
            do(
                db,
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE application_name = 'tenantry apply'",
            )

    with pytest.raises(ApplyError, match=r"terminating connection(.|\n)*run `tenantry apply` again"):
        apply(db.dsn, made, listen=listen)
    applied = apply(db.dsn, made)
    assert (applied.done, applied.skipped) == (3, 2)


def test_a_session_that_lost_its_lock_goes_no_further(db: Database) -> None:
    # What a pooler in transaction mode does to a session, in one statement.
    lose = change("lose", "SELECT pg_advisory_unlock_all()", *column().apply, verify=column().verify)
    with pytest.raises(
        ApplyError, match=r"the lock against a second runner.*pooler.*connect to the server itself"
    ):
        apply(db.dsn, plan(db, lose, column(table="tags")))
    assert not has_column(db, "tags")


def test_an_exception_of_the_listener_ends_the_run_between_steps(db: Database) -> None:
    def listen(event: Event) -> None:
        if isinstance(event, StepDone):
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        apply(db.dsn, whole(db), listen=listen)
    assert states(db) == {"tenants.create": "done"}
    assert runs.free(db)

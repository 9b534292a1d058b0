"""A cut-over counts once it is proven: what can be breached, or not looked at, goes back into observe mode."""

from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from tenantry import planner, spec, status
from tenantry.apply import apply
from tenantry.cli import app as command
from tenantry.cutover import cutover
from tenantry.errors import ApplyError
from tenantry.plan import Phase
from tenantry.spec import Spec
from tests import reference
from tests.servers import Database

SPEC = """
[tenancy.default]
id = "first"
name = "First"
slug = "first"
[roles]
app = "{app}"
[tables.note]
scope = "tenant"
primary_key = "tenant"
backfill = {{ constant = "first" }}
[tables.tag]
scope = "tenant"
primary_key = "tenant"
backfill = {{ constant = "first" }}
"""


@pytest.fixture
def text(db: Database) -> str:
    """The spec of a small database that is in observe mode."""
    text = SPEC.format(app=db.role("app"))
    with db.connect() as conn:
        conn.execute(f"CREATE ROLE {db.role('old')} LOGIN".encode())
        conn.execute("CREATE TABLE note (id int PRIMARY KEY, body text)")
        conn.execute("CREATE TABLE tag (id int PRIMARY KEY, note int REFERENCES note)")
        conn.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON note, tag TO {db.role('old')}".encode())
        conn.execute("INSERT INTO note VALUES (1, 'one'), (2, 'two')")
        conn.execute("INSERT INTO tag VALUES (1, 1)")
    apply(db.dsn, planner.plan(spec.parse(text), reference.catalog(db), "online"), until=Phase.OBSERVE)
    return text


@pytest.fixture
def declared(text: str) -> Spec:
    return spec.parse(text)


def seen(db: Database, table: str = "note") -> int:
    """The rows that the application of before, which sets no tenant, is shown."""
    with db.connect(user=db.role("old")) as conn:
        row = conn.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    assert row is not None
    return int(row[0])


def test_every_table_that_was_switched_was_attacked(db: Database, declared: Spec) -> None:
    done = cutover(db.dsn, declared)
    assert set(done.tables) == {"note", "tag", "tenants"}
    assert {o.object for o in done.outcomes} == set(done.tables)
    assert {o.status for o in done.outcomes} <= {"held", "skipped"}
    assert all(o.control_fired for o in done.outcomes if o.status == "held")
    assert seen(db) == 0


def test_a_table_is_attacked_and_counts_by_itself(db: Database, declared: Spec) -> None:
    done = cutover(db.dsn, declared, tables=["note"])
    assert {o.object for o in done.outcomes} == {"note"}
    assert (seen(db), seen(db, "tag")) == (0, 1)


def test_a_hole_takes_everything_back(db: Database, declared: Spec) -> None:
    with db.connect() as conn:
        conn.execute(f"CREATE POLICY hole ON note FOR SELECT TO {db.role('app')} USING (true)".encode())
    with pytest.raises(ApplyError, match=r"taken back into observe mode(.|\n)*breached read on note"):
        cutover(db.dsn, declared)
    assert (seen(db), seen(db, "tag")) == (2, 1)
    with db.connect() as conn:
        conn.execute("DROP POLICY hole ON note")
    cutover(db.dsn, declared)
    assert seen(db) == 0


def test_a_hole_takes_its_table_back_and_leaves_the_others(db: Database, declared: Spec) -> None:
    cutover(db.dsn, declared, tables=["tag"])
    with db.connect() as conn:
        conn.execute(f"CREATE POLICY hole ON note FOR SELECT TO {db.role('app')} USING (true)".encode())
    with pytest.raises(ApplyError, match="breached read on note"):
        cutover(db.dsn, declared, tables=["note"])
    assert (seen(db), seen(db, "tag")) == (2, 0)


def test_what_cannot_be_attacked_goes_back(db: Database, declared: Spec) -> None:
    with db.connect() as conn:
        conn.execute(f"DROP OWNED BY {db.role('app')}".encode())
        conn.execute(f"DROP ROLE {db.role('app')}".encode())
    with pytest.raises(ApplyError, match="could not look"):
        cutover(db.dsn, declared)
    assert seen(db) == 2


def test_an_empty_table_is_judged_by_its_plan(db: Database, text: str, tmp_path: Path) -> None:
    declared = spec.parse(text)
    with db.connect() as conn:
        conn.execute("DELETE FROM tag")
        conn.execute(f"CREATE POLICY hole ON tag FOR SELECT TO {db.role('app')} USING (true)".encode())
    with pytest.raises(ApplyError, match="breached plan on tag"):
        cutover(db.dsn, declared)
    with db.connect() as conn:
        conn.execute("DROP POLICY hole ON tag")
    done = cutover(db.dsn, declared)
    assert done.empty == ("tag",)
    assert seen(db) == 0
    cutover(db.dsn, back=True)
    (tmp_path / "tenantry.toml").write_text(text)
    told = CliRunner().invoke(
        command, ["cutover", "--dsn", db.dsn, "--spec", str(tmp_path / "tenantry.toml")]
    )
    assert told.exit_code == 0, told.output
    assert "1 table has no rows to attack" in told.stdout
    assert "error" not in told.stdout


def test_what_breaks_off_the_attacks_takes_everything_back(
    db: Database, declared: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tenantry.prove.outcomes", stopped)
    with pytest.raises(KeyboardInterrupt):
        cutover(db.dsn, declared)
    assert seen(db) == 2


def test_status_says_who_decides(db: Database, declared: Spec) -> None:
    def safe() -> str:
        return status.to_text(status.status(db.dsn)).splitlines()[-1]

    assert "Nothing is hidden yet" in safe()
    cutover(db.dsn, declared, tables=["note"])
    assert "the policies decide on note, and elsewhere nothing is hidden yet" in safe()
    cutover(db.dsn, declared)
    assert "Cut over: the policies decide. Only code that sets the tenant works" in safe()
    cutover(db.dsn, back=True)
    assert "Nothing is hidden yet" in safe()


def test_where_nobody_is_exempt_the_tables_are_switched_all_the_same(db: Database, declared: Spec) -> None:
    """An application that connects as a superuser has no rights of its own to be exempted with."""
    with db.connect() as conn:
        conn.execute(f"REVOKE tenantry_legacy FROM {db.role('old')}".encode())
    assert set(cutover(db.dsn, declared).tables) == {"note", "tag", "tenants"}
    with pytest.raises(ApplyError, match="no table is in observe mode any more; `tenantry apply` finishes"):
        cutover(db.dsn, declared)


def test_a_second_cut_over_is_told_that_there_was_one(db: Database, declared: Spec) -> None:
    cutover(db.dsn, declared)
    with pytest.raises(ApplyError, match="it was done, and nobody is exempt any more"):
        cutover(db.dsn, declared)


def test_the_command_says_what_was_proven(db: Database, text: str, tmp_path: Path) -> None:
    file = tmp_path / "tenantry.toml"
    file.write_text(text)
    runner = CliRunner()
    proven = runner.invoke(command, ["cutover", "--dsn", db.dsn, "--spec", str(file)])
    assert proven.exit_code == 0, proven.output
    assert "attacks held" in proven.stdout
    assert runner.invoke(command, ["cutover", "--back", "--dsn", db.dsn]).exit_code == 0
    bare = runner.invoke(command, ["cutover", "--unproven", "--dsn", db.dsn])
    assert bare.exit_code == 0, bare.output
    assert "Not proven" in bare.stdout


def test_the_applications_own_login_may_be_the_attacker(db: Database, declared: Spec) -> None:
    own = psycopg.conninfo.make_conninfo(db.dsn, user=db.role("app"))
    assert {o.status for o in cutover(db.dsn, declared, app_dsn=own).outcomes} <= {"held", "skipped"}

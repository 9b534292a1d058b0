"""Plain SQL files, run by the server's own psql."""

import dataclasses
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import psycopg
import pytest

from tenantry.errors import PlanError
from tenantry.plan import Backfill, Phase, Plan, Profile
from tenantry.render import File, sql, statement
from tests import reference, sample_plans
from tests.migrators import read, run_psql, write
from tests.sample_plans import BEFORE, apply_directly, change, plan, state
from tests.servers import Database, MakeDatabase

TITLES = [
    "add_tenants",
    "add_tenant_id_columns",
    "backfill_tenant_id",
    "enforce_tenant_id",
    "create_trail",
    "harden",
]


def render(
    steps: Plan, existing: Mapping[str, str] | None = None, *, column: str = "tenant_id"
) -> tuple[File, ...]:
    return sql.render(steps, column=column, audit_table="trail", first=2, existing=existing or {})


def paths(files: tuple[File, ...]) -> list[str]:
    return [file.path for file in files]


def forward(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.sql"))


def backward(folder: Path) -> list[Path]:
    return sorted((folder / "revert").glob("*.sql"), reverse=True)


def prepared(make_db: MakeDatabase) -> Database:
    db = make_db()
    with db.connect() as connection:
        connection.execute(BEFORE.encode())
    return db


def test_one_file_for_each_phase_and_one_that_reverts_it() -> None:
    files = render(sample_plans.whole())
    names = [f"{n:04d}_{title}.sql" for n, title in enumerate(TITLES, 2)]
    assert paths(files) == [path for name in names for path in (name, f"revert/{name}")]


def test_phases_without_steps_make_no_file() -> None:
    assert paths(render(sample_plans.later())) == [
        "0002_add_tenant_id_columns.sql",
        "revert/0002_add_tenant_id_columns.sql",
    ]
    assert render(plan()) == ()


def test_odd_names_make_plain_file_names() -> None:
    assert paths(render(sample_plans.later(), column="Kunde/ID: ü1"))[0] == "0002_add_Kunde_ID_1_columns.sql"


def test_steps_of_a_phase_must_be_contiguous() -> None:
    mixed = [
        change(phase, str(n), "SELECT 1")
        for n, phase in enumerate([Phase.COLUMNS, Phase.AUDIT, Phase.COLUMNS])
    ]
    with pytest.raises(ValueError, match="not contiguous: columns, audit, columns"):
        render(plan(*mixed))


def test_a_file_says_why_and_what_it_locks() -> None:
    text = next(f.text for f in render(sample_plans.whole()) if f.path == "0005_enforce_tenant_id.sql")
    assert text.startswith("-- No row without tenant_id;")
    assert "Made by `tenantry render` from tenantry.toml; never edited by hand." in text
    assert (
        "-- Why enforce.users.tenant_id.not_null.\n"
        "-- Step enforce.users.tenant_id.not_null; lock ACCESS EXCLUSIVE.\n"
        "ALTER TABLE users ALTER COLUMN tenant_id SET NOT NULL;\n"
    ) in text
    sql_lines = [line for line in text.splitlines() if line and not line.startswith("--")]
    assert sql_lines[:2] == ["BEGIN;", "SET row_security = off;"]
    assert sql_lines[-2:] == ["RESET row_security;", "COMMIT;"]


@pytest.mark.parametrize(
    "steps", [sample_plans.whole(), sample_plans.online()], ids=["transactional", "online"]
)
def test_psql_comes_to_the_same_and_back(steps: Plan, make_db: MakeDatabase, tmp_path: Path) -> None:
    direct, db = prepared(make_db), prepared(make_db)
    write(tmp_path, render(steps))
    with direct.connect() as expected, db.connect() as connection:
        before = state(connection)
        apply_directly(expected, steps)
        run_psql(forward(tmp_path), db)
        assert state(connection) == state(expected) != before
        run_psql(backward(tmp_path), db)
        assert _without_rows(state(connection)) == _without_rows(before)


def _without_rows(found: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return [row for row in found if row[0] != "row"]


@pytest.mark.parametrize("profile", get_args(Profile))
def test_the_reference_application_goes_there_and_back(
    profile: Profile, db: Database, tmp_path: Path
) -> None:
    reference.load(db, scale=0.02)
    before = reference.structure(db)
    steps = reference.plan(db, profile)
    write(tmp_path, sql.render(steps, column="tenant_id", audit_table="audit_logs", first=2, existing={}))
    run_psql(forward(tmp_path), db)
    assert not reference.plan(db, profile)
    run_psql(backward(tmp_path), db)
    assert reference.structure(db) == before


def test_a_file_is_all_or_nothing(make_db: MakeDatabase, tmp_path: Path) -> None:
    db = prepared(make_db)
    broken = change(Phase.TENANTS, "broken", "SELECT 1/0")
    write(tmp_path, render(plan(*sample_plans.whole().phase(Phase.TENANTS), broken)))
    with db.connect() as connection:
        before = state(connection)
        with pytest.raises(subprocess.CalledProcessError):
            run_psql(forward(tmp_path), db)
        assert state(connection) == before


def test_online_each_step_is_all_or_nothing(make_db: MakeDatabase, tmp_path: Path) -> None:
    db = prepared(make_db)
    done = change(Phase.TENANTS, "done", "CREATE TABLE done ()", "CREATE TABLE done_too ()")
    broken = change(Phase.TENANTS, "broken", "CREATE TABLE undone ()", "SELECT 1/0")
    write(tmp_path, render(plan(done, broken, profile="online")))
    with pytest.raises(subprocess.CalledProcessError):
        run_psql(forward(tmp_path), db)
    with db.connect() as connection:
        tables = {row[1] for row in state(connection) if row[0] == "table"}
    assert {"done", "done_too"} <= tables
    assert "undone" not in tables


@pytest.mark.parametrize("guarded", [True, False])
def test_an_owner_under_force_gets_an_error_not_silence(guarded: bool, db: Database, tmp_path: Path) -> None:
    """Without `row_security = off` the same file succeeds and fills nothing: that is what it is there for."""
    owner = db.role("owner")
    with db.connect() as connection:
        connection.execute(f"CREATE ROLE {owner}".encode())
        connection.execute(
            f"CREATE TABLE t (tenant_id text); INSERT INTO t VALUES (NULL); ALTER TABLE t OWNER TO {owner}".encode()
        )
        connection.execute("ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY")
    fill = change(
        Phase.BACKFILL, "fill", f"SET LOCAL ROLE {owner}", "UPDATE t SET tenant_id = 'a'", "RESET ROLE"
    )
    write(tmp_path, render(plan(fill)))
    (file,) = forward(tmp_path)
    if guarded:
        with pytest.raises(subprocess.CalledProcessError):
            run_psql([file], db)
        return
    file.write_text(file.read_text().replace("SET row_security = off;\n", ""))
    run_psql([file], db)
    with db.connect() as connection:
        assert connection.execute("SELECT count(tenant_id) FROM t").fetchone() == (0,)


def test_rendering_again_changes_nothing(tmp_path: Path) -> None:
    steps = sample_plans.whole()
    write(tmp_path, render(steps))
    assert render(steps, read(tmp_path, ".sql")) == ()
    lost = "revert/0003_add_tenant_id_columns.sql"
    (tmp_path / lost).unlink()
    assert paths(render(steps, read(tmp_path, ".sql"))) == [lost]


def test_a_later_plan_is_appended(tmp_path: Path) -> None:
    write(tmp_path, render(sample_plans.whole()))
    existing = read(tmp_path, ".sql")
    name = "0008_add_tenant_id_columns.sql"
    files = render(sample_plans.later(), existing)
    assert paths(files) == [name, f"revert/{name}"]
    write(tmp_path, files)
    assert render(sample_plans.later(), read(tmp_path, ".sql")) == ()


def test_nothing_is_overwritten() -> None:
    """Another text under the same title, or a file of one's own in between, makes new numbers."""
    first = {file.path: file.text for file in render(sample_plans.later())}
    name = "0002_add_tenant_id_columns.sql"
    edited = {name: first[name] + "-- mine\n", f"revert/{name}": first[f"revert/{name}"]}
    assert paths(render(sample_plans.later(), edited))[0] == "0003_add_tenant_id_columns.sql"
    assert (
        paths(render(sample_plans.later(), first | {"0010_own.sql": ""}))[0]
        == "0011_add_tenant_id_columns.sql"
    )
    stamped = first | {"20260102030405_own.sql": ""}
    assert paths(render(sample_plans.later(), stamped))[0] == "20260102030406_add_tenant_id_columns.sql"


def test_a_revert_file_without_its_file_is_in_the_way() -> None:
    name = "revert/0002_add_tenant_id_columns.sql"
    with pytest.raises(PlanError, match=name):
        render(sample_plans.later(), {name: "-- of a file that was deleted"})


def test_a_guard_stops_a_revert(make_db: MakeDatabase, tmp_path: Path) -> None:
    db = prepared(make_db)
    guard = (
        "SELECT count(*) FROM tenants WHERE id <> 'default'",
        "a second tenant's rows can't go: it's $guard$ 100%",
    )
    steps = dataclasses.replace(sample_plans.whole(), guards=(guard,))
    write(tmp_path, render(steps))
    with db.connect() as connection:
        before = state(connection)
        run_psql(forward(tmp_path), db)
        connection.execute("INSERT INTO tenants VALUES ('second')")
        converted = state(connection)
        with pytest.raises(subprocess.CalledProcessError) as caught:
            run_psql(backward(tmp_path), db)
        assert guard[1] in caught.value.stderr
        assert state(connection) == converted
        connection.execute("DELETE FROM tenants WHERE id = 'second'")
        run_psql(backward(tmp_path), db)
        assert _without_rows(state(connection)) == _without_rows(before)


def test_a_revert_that_destroys_says_so() -> None:
    text = next(f.text for f in render(sample_plans.whole()) if f.path == "revert/0002_add_tenants.sql")
    assert "-- Step tenants.create; DESTROYS DATA.\nDROP TABLE tenants;" in text


@pytest.mark.parametrize(
    ("text", "ended"),
    [
        ("SELECT 1", "SELECT 1;"),
        ("\n SELECT 1; \n", "SELECT 1;"),
        ("SELECT 1 -- one", "SELECT 1 -- one\n;"),
        ("SELECT '--'", "SELECT '--'\n;"),
        ("-- one\nSELECT 1", "-- one\nSELECT 1;"),
    ],
)
def test_each_statement_ends_with_a_semicolon(text: str, ended: str) -> None:
    assert statement(text) == ended


def test_a_step_outside_a_transaction_first_clears_what_a_broken_try_left(
    make_db: MakeDatabase, tmp_path: Path
) -> None:
    db = prepared(make_db)
    steps = sample_plans.online()
    write(
        tmp_path, render(plan(*steps.phase(Phase.COLUMNS), *steps.phase(Phase.ENFORCE)[:1], profile="online"))
    )
    first, second = forward(tmp_path)
    with db.connect() as connection:
        run_psql([first], db)
        connection.execute("INSERT INTO users VALUES ('twice', 'a', 'x'), ('again', 'b', 'x')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("CREATE UNIQUE INDEX CONCURRENTLY users_tenant_id_idx ON users (tenant_id)")
        run_psql([second], db)
        query = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'users_tenant_id_idx'::regclass"
        assert connection.execute(query).fetchone() == (True,)


def test_online_a_revert_of_several_statements_is_one_transaction() -> None:
    index = change(Phase.ENFORCE, "index", "SELECT 0", revert=("SELECT 1", "SELECT 2"), transactional=False)
    back = next(f.text for f in render(plan(index, profile="online")) if f.path.startswith("revert/"))
    assert "\nBEGIN;\nSELECT 1;\nSELECT 2;\nCOMMIT;\n" in back


def test_rows_that_the_source_does_not_explain_stop_a_revert(make_db: MakeDatabase, tmp_path: Path) -> None:
    db = prepared(make_db)
    foreign = "SELECT count(*) FROM users WHERE tenant_id IS DISTINCT FROM 'default'"
    whole = sample_plans.whole()
    steps = [dataclasses.replace(s, foreign_rows=foreign) if isinstance(s, Backfill) else s for s in whole]
    write(tmp_path, render(plan(*steps)))
    run_psql(forward(tmp_path), db)
    with db.connect() as connection:
        connection.execute("INSERT INTO users VALUES ('new', 'new@example.org', 'second')")
        with pytest.raises(subprocess.CalledProcessError) as caught:
            run_psql(backward(tmp_path), db)
        assert (
            "rows of users belong to a tenant that the backfill's source does not give" in caught.value.stderr
        )
        connection.execute("DELETE FROM users WHERE id = 'new'")
        run_psql(backward(tmp_path), db)

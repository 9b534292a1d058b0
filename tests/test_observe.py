"""Observe mode and cut-over: nothing is hidden, everything is recorded, and then the policies decide."""

import json
from typing import Any

import psycopg
import pytest

from tenantry import planner, spec
from tenantry.apply import apply
from tenantry.cutover import cutover
from tenantry.errors import ApplyError, PlanError
from tenantry.observe import observe, to_json, to_text
from tenantry.plan import Phase, Plan
from tests import reference
from tests.servers import Database, MakeDatabase

SPEC = """
[tenancy.default]
id = "first"
name = "First"
slug = "first"
[roles]
app = "{app}"
[tables.note]
scope = "tenant"
backfill = {{ constant = "first" }}
"""


@pytest.fixture
def old(db: Database) -> str:
    """The login of the application of today."""
    return db.role("old")


@pytest.fixture
def observed(db: Database, old: str) -> Plan:
    """A small database, stopped in observe mode; its plan is what to go on with."""
    with db.connect() as conn:
        conn.execute("CREATE TABLE note (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, body text)")
        conn.execute("INSERT INTO note (body) VALUES ('one'), ('two')")
        conn.execute(f"CREATE ROLE {old} LOGIN".encode())
        conn.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON note TO {old}".encode())
    plan = planner.plan(spec.parse(SPEC.format(app=db.role("app"))), reference.catalog(db), "online")
    done = apply(db.dsn, plan, until=Phase.OBSERVE)
    assert done.left > 0
    return plan


def as_old(db: Database, old: str, tenant: str | None = None) -> psycopg.Connection[Any]:
    conn = db.connect(user=old)
    if tenant is not None:
        conn.execute("SELECT set_config('app.current_tenant_id', %s, false)", [tenant])
    return conn


def count(conn: psycopg.Connection[Any]) -> int:
    row = conn.execute("SELECT count(*) FROM note").fetchone()
    assert row is not None
    return int(row[0])


def statements(db: Database) -> set[str]:
    return {o.statement for o in observe(db.dsn).observations}


@pytest.mark.usefixtures("observed")
def test_an_application_without_a_tenant_works_and_is_recorded(db: Database, old: str) -> None:
    with as_old(db, old) as conn:
        assert count(conn) == 2
        conn.execute("INSERT INTO note (body) VALUES ('three')")  # falls to the tenant of the existing rows
        conn.execute("UPDATE note SET body = 'x' WHERE id = 1")
        conn.execute("DELETE FROM note WHERE id = 2")
        assert count(conn) == 2
    assert statements(db) == {
        "SELECT count(*) FROM note",
        "INSERT INTO note (body) VALUES (?)",
        "UPDATE note SET body = ? WHERE id = ?",
        "DELETE FROM note WHERE id = ?",
    }
    found = observe(db.dsn)
    assert {o.relation for o in found.observations} == {"note"}
    assert {o.role for o in found.observations} == {old}
    assert "public.note" in found.watched
    assert "UPDATE note SET body = ?" in to_text(found)
    assert '"version": 1' in to_json(found)


@pytest.mark.usefixtures("observed")
def test_an_application_with_its_tenant_is_not_recorded(db: Database, old: str) -> None:
    with as_old(db, old, "first") as conn:
        assert count(conn) == 2
        conn.execute("INSERT INTO note (body) VALUES ('three')")
        conn.execute("UPDATE note SET body = 'x'")
        conn.execute("DELETE FROM note WHERE id = 2")
    assert observe(db.dsn).observations == ()


@pytest.mark.usefixtures("observed")
def test_a_read_only_transaction_works_and_is_counted_later(db: Database, old: str) -> None:
    with as_old(db, old) as conn:
        with conn.transaction():
            conn.execute("SET TRANSACTION READ ONLY")
            assert count(conn) == 2
        assert observe(db.dsn).observations == ()
        assert count(conn) == 2
    (only,) = observe(db.dsn).observations
    assert only.times == 2


@pytest.mark.usefixtures("observed")
def test_a_busy_session_writes_one_row_and_not_one_for_each_statement(db: Database, old: str) -> None:
    with as_old(db, old) as conn:
        for _ in range(50):
            count(conn)
    with db.connect() as conn:
        assert conn.execute("SELECT count(*) FROM tenantry.observations").fetchone() == (1,)


@pytest.mark.usefixtures("observed")
def test_cut_over_and_back(db: Database, old: str) -> None:
    with as_old(db, old) as conn:
        assert count(conn) == 2
        done = cutover(db.dsn)
        assert "note" in done.tables
        assert count(conn) == 0  # in the same session, with its plans
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("INSERT INTO note (body, tenant_id) VALUES ('four', 'first')")
        conn.execute("SELECT set_config('app.current_tenant_id', 'first', false)")
        assert count(conn) == 2
        conn.execute("SELECT set_config('app.current_tenant_id', '', false)")
        cutover(db.dsn, back=True)
        assert count(conn) == 2


@pytest.mark.usefixtures("observed")
def test_cut_over_table_by_table_and_back(db: Database, old: str) -> None:
    with as_old(db, old) as conn:
        assert cutover(db.dsn, tables=["note"]).tables == ("note",)
        assert count(conn) == 0
        cutover(db.dsn, tables=["note"], back=True)
        assert count(conn) == 2
        cutover(db.dsn, tables=["note"])
        cutover(db.dsn, back=True)  # of everything
        assert count(conn) == 2


def test_resumed_after_the_cut_over_nothing_is_let_through_again(
    db: Database, old: str, observed: Plan
) -> None:
    cutover(db.dsn)
    with as_old(db, old) as conn:
        done = apply(db.dsn, observed)
        assert done.left == 0
        assert count(conn) == 0
    with db.connect() as conn:
        assert conn.execute("SELECT FROM pg_roles WHERE rolname = 'tenantry_legacy'").fetchone() is None
        assert conn.execute("SELECT FROM pg_policy WHERE polname = 'observe'").fetchone() is None
    with pytest.raises(ApplyError, match="tenantry_legacy is not there"):
        cutover(db.dsn, back=True)


def test_a_table_that_is_not_isolated_cannot_be_cut_over(db: Database) -> None:
    with pytest.raises(ApplyError, match="no table is in observe mode"):
        cutover(db.dsn)


# Who the application of today is


def prepared(db: Database, *statements: str) -> Plan:
    """A small database whose logins get their rights from the statements, planned."""
    with db.connect() as conn:
        conn.execute("CREATE TABLE note (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, body text)")
        conn.execute("INSERT INTO note (body) VALUES ('one'), ('two')")
        for statement in statements:
            conn.execute(statement.encode())
    return planner.plan(spec.parse(SPEC.format(app=db.role("app"))), reference.catalog(db), "online")


@pytest.mark.parametrize("way", ["inherited", "by SET ROLE", "PUBLIC", "every table", "one column", "owner"])
def test_however_the_application_has_its_rights_it_goes_on(db: Database, old: str, way: str) -> None:
    group = db.role("group")
    ways = {
        "inherited": [f"CREATE ROLE {group}", f"GRANT {group} TO {old}", f"GRANT ALL ON note TO {group}"],
        "by SET ROLE": [f"CREATE ROLE {group}", f"ALTER ROLE {old} NOINHERIT", f"GRANT {group} TO {old}"],
        "PUBLIC": ["GRANT ALL ON note TO PUBLIC"],
        "every table": [f"GRANT pg_read_all_data, pg_write_all_data TO {old}"],
        "one column": [f"GRANT SELECT (body) ON note TO {old}", f"GRANT INSERT ON note TO {old}"],
        "owner": [f"ALTER TABLE note OWNER TO {old}"],
    }
    ways["by SET ROLE"].append(f"GRANT ALL ON note TO {group}")
    plan = prepared(db, f"CREATE ROLE {old} LOGIN", *ways[way])
    options = f"-c role={group}" if way == "by SET ROLE" else ""
    with db.connect(user=old, options=options) as conn:
        apply(db.dsn, plan, until=Phase.OBSERVE)
        query = "SELECT count(body) FROM note"
        assert conn.execute(query.encode()).fetchone() == (2,)
        conn.execute("INSERT INTO note (body) VALUES ('three')")
        assert conn.execute(query.encode()).fetchone() == (3,)
        assert query in statements(db)
        cutover(db.dsn)
        assert conn.execute(query.encode()).fetchone() == (0,)
        cutover(db.dsn, back=True)
        assert conn.execute(query.encode()).fetchone() == (3,)


def test_two_databases_of_one_server(make_db: MakeDatabase) -> None:
    one, two = make_db(), make_db()
    plans = [
        prepared(db, f"CREATE ROLE {db.role('old')} LOGIN", f"GRANT ALL ON note TO {db.role('old')}")
        for db in (one, two)
    ]
    for db, plan in zip((one, two), plans, strict=True):
        apply(db.dsn, plan, until=Phase.OBSERVE)
    with as_old(one, one.role("old")) as first, as_old(two, two.role("old")) as second:
        assert (count(first), count(second)) == (2, 2)
        cutover(one.dsn)
        assert (count(first), count(second)) == (0, 2)
        apply(one.dsn, plans[0])
        assert (count(first), count(second)) == (0, 2)
        cutover(two.dsn)
        assert count(second) == 0
        cutover(two.dsn, back=True)
        assert count(second) == 2
        apply(two.dsn, plans[1])
        assert count(second) == 0
    with two.connect() as conn:
        assert conn.execute("SELECT FROM pg_roles WHERE rolname = 'tenantry_legacy'").fetchone() is None


def test_a_login_that_inherits_nothing_is_not_shut_out(db: Database, old: str) -> None:
    ways = (f"CREATE ROLE {old} LOGIN NOINHERIT", f"GRANT ALL ON note TO {old}")
    with db.connect() as conn:
        old_server = conn.info.server_version < 160000
    if old_server:
        with pytest.raises(PlanError, match=f'role {old}: is NOINHERIT.*ALTER ROLE "{old}" INHERIT first'):
            prepared(db, *ways)
        return
    plan = prepared(db, *ways)
    apply(db.dsn, plan, until=Phase.OBSERVE)
    with as_old(db, old) as conn:
        assert count(conn) == 2
        cutover(db.dsn)
        assert count(conn) == 0
        cutover(db.dsn, back=True)
        assert count(conn) == 2


def test_statements_prepared_before_a_switch_follow_it(db: Database, old: str) -> None:
    plan = prepared(db, f"CREATE ROLE {old} LOGIN", f"GRANT ALL ON note TO {old}")
    apply(db.dsn, plan, until=Phase.OBSERVE)
    with as_old(db, old) as conn:
        conn.execute("PREPARE counting AS SELECT count(*) FROM note")

        def counted() -> list[int]:  # often enough for a plan that is kept
            return [row[0] for _ in range(7) for row in conn.execute("EXECUTE counting")]

        assert counted() == [2] * 7
        for back, seen in [(False, 0), (True, 2), (False, 0)]:
            cutover(db.dsn, back=back)
            assert counted() == [seen] * 7


def test_one_role_applies_and_another_cuts_over(db: Database, old: str) -> None:
    name, deploy = psycopg.sql.Identifier(db.name).as_string(None), db.role("deploy")
    plan = prepared(
        db,
        f"CREATE ROLE {old} LOGIN",
        f"CREATE ROLE {deploy} LOGIN CREATEROLE",
        f"GRANT {old} TO {deploy} WITH ADMIN OPTION",
        f"GRANT CREATE ON DATABASE {name} TO {deploy}",
        f"GRANT ALL ON SCHEMA public TO {deploy}",
        f"ALTER TABLE note OWNER TO {deploy}",
        f"GRANT ALL ON note TO {old}",
    )
    owner = psycopg.conninfo.make_conninfo(db.dsn, user=deploy)
    apply(owner, plan, until=Phase.OBSERVE)
    with as_old(db, old) as conn:
        for one, other in [(db.dsn, owner), (owner, db.dsn), (owner, owner)]:
            assert count(conn) == 2
            cutover(one)
            assert count(conn) == 0
            cutover(other, back=True)
        assert count(conn) == 2
        cutover(owner)
        assert apply(owner, plan).left == 0
        assert count(conn) == 0


# What is kept


@pytest.mark.usefixtures("observed")
def test_no_data_is_recorded_of_a_statement_too_long_to_be_kept(db: Database, old: str) -> None:
    with as_old(db, old) as conn:
        conn.execute(f"SELECT id FROM note WHERE body <> 'secret {'x' * 5000} and more'".encode())
    assert statements(db) == {"SELECT id FROM note WHERE body <> ?"}


@pytest.mark.usefixtures("observed")
def test_what_is_rolled_back_is_recorded_the_next_time(db: Database, old: str) -> None:
    with as_old(db, old) as conn:
        with conn.transaction(force_rollback=True):
            count(conn)
        assert observe(db.dsn).observations == ()
        count(conn)
    assert statements(db) == {"SELECT count(*) FROM note"}


@pytest.mark.usefixtures("observed")
def test_the_log_is_told_once_and_not_by_each_statement_that_may_not_write(db: Database, old: str) -> None:
    with as_old(db, old) as conn:
        told: list[str] = []
        conn.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
        conn.execute("SET client_min_messages = log")
        for _ in range(3):
            with conn.transaction():
                conn.execute("SET TRANSACTION READ ONLY")
                count(conn)
        assert told == ["tenantry observe: note would be filtered (1 times): SELECT count(*) FROM note"]
        count(conn)
    (only,) = observe(db.dsn).observations
    assert only.times == 4


@pytest.mark.usefixtures("observed")
def test_what_no_policy_binds_is_listed_as_unseen(db: Database, old: str) -> None:
    with db.connect() as conn:
        conn.execute("CREATE VIEW shown AS SELECT * FROM note")
        conn.execute("CREATE VIEW further AS SELECT * FROM shown")
        conn.execute("CREATE VIEW own WITH (security_invoker) AS SELECT * FROM note")
        conn.execute(f"CREATE VIEW theirs AS SELECT * FROM note; ALTER VIEW theirs OWNER TO {old}".encode())
        conn.execute("CREATE VIEW other AS SELECT 1")
        conn.execute("CREATE FUNCTION notes() RETURNS int SECURITY DEFINER BEGIN ATOMIC SELECT 1; END")
        conn.execute("CREATE FUNCTION bound() RETURNS int BEGIN ATOMIC SELECT 1; END")
        conn.execute(f"GRANT SELECT ON shown, theirs TO {old}".encode())
    with as_old(db, old) as conn:
        conn.execute("SELECT * FROM shown")
    found = observe(db.dsn)
    assert found.observations == ()
    told = {(u.kind, u.name) for u in found.unseen}
    assert {name for kind, name in told if kind == "view"} == {"public.shown", "public.further"}
    assert {name for kind, name in told if kind == "function"} == {"public.notes()"}
    assert ("login", "postgres") in told
    assert ("login", old) not in told
    text = to_text(found)
    assert "Not seen: reads through public.further, public.shown," in text
    assert json.loads(to_json(found))["unseen"][0]["kind"] == "function"

"""Events, written from SQL and from Python: what they take over, what is refused, who reads them, what is forgotten."""

import asyncio
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import psycopg
import pytest
import sqlalchemy
from psycopg.conninfo import make_conninfo
from sqlalchemy.orm import Session
from typer.testing import CliRunner, Result

from tenantry import cli
from tenantry.audit import Trail, event, record, record_async
from tenantry.errors import EventError
from tenantry.names import quote
from tenantry.runtime import no_tenant, tenant
from tenantry.runtime.psycopg import Connection
from tenantry.spec import Spec
from tests import extended
from tests.extended import become, bind, events, undone
from tests.servers import Database, Server

World = tuple[Database, Spec]


@pytest.fixture(scope="module")
def world(server: Server) -> Iterator[World]:
    """One database; each test rolls back what it does, or looks for its own events only."""
    with server.databases() as make:
        db = make()
        yield db, extended.make(db)


@pytest.fixture
def conn(world: World) -> Iterator[psycopg.Connection[Any]]:
    with undone(world[0]) as found:
        bind(found)
        yield found


def test_an_event_takes_over_who_where_and_when(world: World, conn: psycopg.Connection[Any]) -> None:
    become(conn, world[1].roles.app)
    made = conn.execute(
        "SELECT audit.log('desk.move', 'desk', '7', 'denied', '{\"a\": 1}', '[1]', '{\"b\": 2}', 'person', 'boss')"
    ).fetchone()
    conn.execute("RESET ROLE")
    assert made is not None
    ((*row, recent, own),) = events(
        conn,
        "tenant_id, actor_id, action, resource_type, resource_id, outcome, metadata, targets, context, actor_type,"
        " impersonator_id, ip_address, request_id, session_id, user_agent, version, database_user,"
        " created_at = now(), xid = pg_current_xact_id()",
        f"id = '{made[0]}'",
    )
    assert row == [
        "acme", "u1", "desk.move", "desk", "7", "denied", {"a": 1}, [1], {"b": 2}, "person", "boss", "10.0.0.1", "r1",
        "s1", "test", 1, "postgres",
    ]  # fmt: skip
    assert (recent, own) == (True, True)


def test_who_knows_the_nine_columns_alone_writes_and_reads_on(
    world: World, conn: psycopg.Connection[Any]
) -> None:
    become(conn, world[1].roles.app)
    conn.execute(
        "INSERT INTO audit_logs (tenant_id, actor_id, action, metadata) VALUES ('acme', 'u2', 'old.way', '{}')"
    )
    found = conn.execute("SELECT outcome, request_id, database_user FROM audit_logs WHERE action = 'old.way'")
    assert found.fetchall() == [("success", "r1", "postgres")]


@pytest.mark.parametrize("column", ["id", "created_at", "seq", "xid", "database_user"])
def test_what_cannot_be_forged_cannot_be_given(
    world: World, conn: psycopg.Connection[Any], column: str
) -> None:
    become(conn, world[1].roles.app)
    statement = f"INSERT INTO audit_logs (tenant_id, action, {column}) VALUES ('acme', 'x.y', DEFAULT)"
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute(statement.encode())


REFUSED = {
    "'Desk'": "this is no action",
    "NULL": "event NULL: this is no action",
    "'desk.burn'": "the action is not declared",
    "'audit.read'": "kept for the trail itself",
    "'desk.move', outcome => 'maybe'": "'maybe' is no outcome",
    "'desk.move', resource_id => '1'": "a resource_id without a resource_type",
    "'desk.move', metadata => '[]'": "metadata is no JSON object",
    "'desk.move', targets => '{}'": "targets is no JSON array",
    "'desk.move', personal => '{}'": "personal data needs the person",
    "'desk.move', metadata => jsonb_build_object('a', repeat('x', 70000))": "metadata has more than 65536 bytes",
}


@pytest.mark.parametrize("arguments", list(REFUSED))
def test_a_bad_event_is_refused_with_a_reason(world: World, arguments: str) -> None:
    db, declared = world
    with db.connect() as conn:
        conn.execute(f"GRANT {quote(declared.roles.app)} TO CURRENT_USER".encode())
    app = declared.roles.app
    with db.connect(user=app) as conn, pytest.raises(psycopg.errors.InvalidParameterValue) as found:
        conn.execute(f"SELECT audit.log({arguments})".encode())
    assert REFUSED[arguments] in str(found.value)
    assert found.value.diag.message_hint


def test_an_event_of_no_tenant_is_seen_by_auditors_alone(world: World, conn: psycopg.Connection[Any]) -> None:
    assert world[1].audit is not None
    bind(conn, tenant="")
    become(conn, world[1].roles.app)
    conn.execute("SELECT audit.log('auth.login', outcome => 'failure')")
    assert conn.execute("SELECT count(*) FROM audit_logs").fetchone() == (0,)
    conn.execute("RESET ROLE")
    become(conn, world[1].audit.reader)
    assert conn.execute(
        "SELECT tenant_id, outcome FROM audit_logs WHERE action = 'auth.login'"
    ).fetchall() == [(None, "failure")]


def test_a_tenant_reads_its_own_events_and_an_auditor_all_and_leaves_one(
    world: World, conn: psycopg.Connection[Any]
) -> None:
    assert world[1].audit is not None
    become(conn, world[1].roles.app)
    for name in ("acme", "globex"):
        conn.execute("SELECT set_config('app.current_tenant_id', %s, true)", (name,))
        conn.execute("SELECT audit.log('desk.move')")
    assert conn.execute("SELECT DISTINCT tenant_id FROM audit_logs").fetchall() == [("globex",)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege), conn.transaction():
        conn.execute("SELECT audit.read()")
    conn.execute("RESET ROLE")
    become(conn, world[1].audit.reader)
    both = conn.execute("SELECT DISTINCT tenant_id FROM audit.read() WHERE action = 'desk.move' ORDER BY 1")
    assert both.fetchall() == [("acme",), ("globex",)]
    conn.execute("SELECT audit.read('acme', most => 5)")
    conn.execute("RESET ROLE")
    found = events(conn, "tenant_id, metadata ->> 'most'", "action = 'audit.read'")
    assert found == [(None, "1000"), ("acme", "5")]


def test_what_is_known_of_a_person_is_erased_and_the_event_stays(
    world: World, conn: psycopg.Connection[Any]
) -> None:
    conn.execute(
        "SELECT audit.log('auth.login', personal => '{\"mail\": \"é@example.com\"}', subject => 'ann')"
    )
    ((salt, body),) = conn.execute("SELECT salt, body::text FROM audit.personal").fetchall()
    digest = "sha256:" + sha256(salt + body.encode()).hexdigest()
    assert events(conn, "context ->> 'personal'", "action = 'auth.login'") == [(digest,)]
    assert conn.execute("SELECT audit.erase('bob')").fetchone() == (0,)
    assert conn.execute("SELECT audit.erase('ann', 'globex')").fetchone() == (0,)
    assert conn.execute("SELECT audit.erase('ann')").fetchone() == (1,)
    assert conn.execute("SELECT FROM audit.personal").fetchall() == []
    assert events(conn, "context ->> 'personal'", "action = 'auth.login'") == [(digest,)]
    erased = events(conn, "metadata ->> 'erased', metadata::text LIKE '%ann%'", "action = 'audit.erase'")
    assert erased == [("0", False), ("0", False), ("1", False)]
    become(conn, world[1].roles.app)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("SELECT audit.erase('ann')")


def test_the_command_erases(world: World) -> None:
    db, declared = world
    with db.connect() as conn:
        bind(conn)
        conn.execute("SELECT audit.log('auth.login', personal => '{\"mail\": \"x\"}', subject => 'eve')")

    def erase(dsn: str, *more: str) -> Result:
        return CliRunner().invoke(cli.app, ["audit", "erase", "eve", "--dsn", dsn, *more])

    assert erase(db.dsn, "--tenant", "globex").stdout.startswith("The personal data of 0 events is erased")
    assert erase(db.dsn).stdout == "The personal data of 1 event is erased; the events stay.\n"
    refused = erase(make_conninfo(db.dsn, user=declared.roles.app))
    assert (refused.exit_code, "may not call it; connect as a superuser" in refused.stderr) == (3, True)


# From Python


def stored(db: Database, request: str) -> list[tuple[Any, ...]]:
    with db.connect() as conn:
        return events(conn, "tenant_id, actor_id, outcome", f"request_id = '{request}'")


def test_an_event_goes_with_its_transaction_and_one_outside_stays(world: World) -> None:
    db, declared = world
    with Connection.connect(db.dsn, user=declared.roles.app) as conn:
        with tenant("acme", actor="ann", request_id="in-1"):
            made = record(conn, "desk.move", resource=("desk", 7), metadata={"to": "x"}, targets=[{"id": 1}])
            assert len(made) == 36
            conn.rollback()
            record(conn, "desk.move")
            conn.commit()
        with tenant("globex", actor="bob", request_id="out-1"):
            with pytest.raises(psycopg.errors.DivisionByZero):
                conn.execute("SELECT 1 / 0")
            record(conn, "desk.move", outcome="denied", outside=True)  # in a transaction that has failed
            conn.rollback()
        with no_tenant():
            record(conn, "auth.login", outcome="failure", outside=True)
    assert stored(db, "in-1") == [("acme", "ann", "success")]
    assert stored(db, "out-1") == [("globex", "bob", "denied")]


def test_an_event_is_written_from_asynchronous_code(world: World) -> None:
    db, declared = world

    async def work() -> None:
        async with await psycopg.AsyncConnection.connect(db.dsn, user=declared.roles.app) as conn:
            with tenant("acme", actor="ann", request_id="async-1"):
                await record_async(conn, "desk.move", outcome="denied", outside=True)
            await conn.execute("SELECT set_config('app.current_tenant_id', 'acme', true)")
            await conn.execute("SELECT set_config('app.request_id', 'async-1', true)")
            await record_async(conn, "desk.move")
            with pytest.raises(EventError, match=r"the action is not declared; Correct it, or add it"):
                await record_async(conn, "desk.burn")
            await conn.rollback()

    asyncio.run(work())
    assert stored(db, "async-1") == [("acme", "ann", "denied")]


def test_an_event_goes_with_a_session_of_sqlalchemy(world: World) -> None:
    db, _ = world
    url = db.dsn.replace("postgresql://", "postgresql+psycopg://")
    engine = sqlalchemy.create_engine(url)
    with Session(engine) as session:
        session.execute(sqlalchemy.text("SELECT set_config('app.request_id', 'alchemy', true)"))
        record(session, "desk.move", personal={"mail": "x"}, subject="ann")
        with pytest.raises(EventError, match="the action is not declared"), session.begin_nested():
            record(session, "desk.burn")
        with pytest.raises(EventError, match="needs psycopg's connection, not Session"), tenant("acme"):
            record(session, "desk.move", outside=True)
        session.commit()
    engine.dispose()
    assert stored(db, "alchemy") == [(None, None, "success")]


@pytest.mark.parametrize(
    ("details", "words"),
    [
        ({"outcome": "maybe"}, "event desk.move: 'maybe' is no outcome; say success, failure, denied"),
        ({"metadata": ["a"]}, "metadata is list and must be an object"),
        ({"targets": "text"}, "targets is str and must be an array"),
        ({"metadata": {"a": object()}}, "metadata is no JSON"),
        ({"metadata": {"a": float("nan")}}, "metadata is no JSON"),
        ({"metadata": {"a": "\0"}}, "holds a zero character"),
        ({"metadata": {"a": "x" * 70_000}}, "metadata has more than 65536 bytes"),
        ({"personal": {"a": 1}}, "personal data needs the person"),
    ],
)
def test_a_bad_event_is_refused_before_it_is_sent(details: Any, words: str) -> None:
    with pytest.raises(EventError) as found:
        event("desk.move", **details)
    assert words in str(found.value)


def test_what_keeps_an_event_from_being_written_is_told(world: World) -> None:
    with pytest.raises(EventError, match="this is no action; write lower-case words"):
        event("Desk moved")
    with undone(world[0]) as conn:
        with pytest.raises(EventError, match=r"nowhere.log\(\) cannot be called .*apply the plan"):
            record(conn, "desk.move", trail=Trail(functions="nowhere"))
        with pytest.raises(EventError, match="needs a tenant scope to say who acts"):
            record(conn, "desk.move", outside=True)

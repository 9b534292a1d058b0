"""System work and support access: what the database lets through, for how long, and what the trail tells of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from sqlalchemy import StaticPool, create_engine, text
from sqlalchemy.orm import Session

from tenantry import apply, checks, introspect, keys, planner, spec
from tenantry.checks import Request
from tenantry.errors import ExemptRole, NoTenant, UnknownTenant, WorkRefused
from tenantry.prove import prove
from tenantry.runtime import Binding, Signer, current_or_none, tenant
from tenantry.runtime import work as module
from tenantry.runtime.work import (
    Record,
    support_access,
    support_access_async,
    system_scope,
    system_scope_async,
)
from tenantry.spec import Spec
from tenantry.steps.events import READ_POLICY, WRITE_POLICY
from tests.servers import Database, Server

NOW = datetime(2026, 11, 25, tzinfo=UTC)
READ = "SELECT body FROM notes ORDER BY body"
BEFORE = """
CREATE TABLE notes (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT notes_pkey PRIMARY KEY, body text NOT NULL);
INSERT INTO notes (body) VALUES ('a1'), ('a2');
CREATE TABLE lines (note_id integer CONSTRAINT lines_note_fk REFERENCES notes, words text);
INSERT INTO lines VALUES (1, 'of a1');
"""
AFTER = """
INSERT INTO tenants (id, name, slug) VALUES ('b', 'B', 'b');
INSERT INTO notes (tenant_id, body) VALUES ('b', 'b1');
"""
SPEC = """
{more}
[tenancy.default]
id = "a"
name = "A"
slug = "a"
[roles]
app = "{app}"
system = "{system}"
support = "{support}"
support_writes = {writes}
context = "{context}"
[audit]
events = "{events}"
owner = "{recorder}"
{reader}
[tables.notes]
scope = "tenant"
backfill = {{ constant = "a" }}
[tables.lines]
scope = "through"
parent = "notes"
"""

RAISE = '[tenancy]\nmissing = "raise"\n'
MORE = {"raise": RAISE, "signed": RAISE + 'context = "signed"\n'}


@dataclass(frozen=True)
class World:
    """A converted database of two tenants: a with notes a1 and a2, b with b1."""

    db: Database
    spec: Spec
    extended: bool
    record: Record

    def dsn(self, role: str) -> str:
        return re.sub(r"//[^/@]*@?/", f"//{quote(self.db.role(role))}@/", self.db.dsn, count=1)

    def bind(self, conn: psycopg.Connection[Any], name: str) -> None:
        """As the application binds a transaction, by hand."""
        signer = self.record.binding.signer
        conn.execute(
            "SELECT set_config('app.current_tenant_id', %s, true)", [signer.value(name) if signer else name]
        )

    def events(self, action: str = "audit.%") -> list[dict[str, Any]]:
        query = "SELECT to_jsonb(e) FROM audit_logs e WHERE action LIKE %s ORDER BY created_at, action"
        with self.db.connect() as conn:
            return [row for (row,) in conn.execute(query, [action])]

    def bodies(self) -> list[str]:
        with self.db.connect() as conn:
            return [body for (body,) in conn.execute(READ)]


@pytest.fixture(scope="module", params=["plain", "extended"])
def world(request: pytest.FixtureRequest, server: Server) -> Iterator[World]:
    extended = request.param in ("extended", "signed")
    trail, more = "extended" if extended else "plain", MORE.get(request.param, "")
    with server.databases() as make:
        db = make()
        names = {name: db.role(name) for name in ("app", "system", "support", "recorder", "context")}
        reader = f'reader = "{db.role("reader")}"' if extended else ""
        toml = SPEC.format(**names, events=trail, more=more, reader=reader, writes=str(extended).lower())
        with db.connect() as conn:
            conn.execute(BEFORE)
            declared = spec.parse(toml)
            apply.apply(db.dsn, planner.plan(declared, introspect.read(conn), "online"))
            conn.execute(AFTER)
        signer = Signer(keys.new(db.dsn, declared)) if request.param == "signed" else None
        yield World(db, declared, extended, Record(binding=Binding(signer=signer)))


def seen(conn: psycopg.Connection[Any]) -> list[str]:
    return [body for (body,) in conn.execute(READ)]


def system(w: World, **more: Any) -> Any:
    return system_scope(w.dsn("system"), **{"reason": "a test", "record": w.record, **more})


def support(w: World, name: str = "a", **more: Any) -> Any:
    return support_access(
        w.dsn("support"), name, **{"reason": "a test", "ticket": "T-1", "record": w.record, **more}
    )


# What it lets through


def test_system_work_reaches_every_tenant_and_is_told_before_and_after(world: World) -> None:
    count = len(world.events())
    with tenant("a", actor="u-1", request_id="r-1"), system(world, reason="clean up", ticket="T-9") as conn:
        (begun,) = world.events()[count:]  # committed before the first statement
        assert seen(conn) == ["a1", "a2", "b1"]
        assert conn.execute("SELECT words FROM lines").fetchall() == [("of a1",)]
        assert conn.execute("SELECT count(*) FROM tenants").fetchone() == (2,)
        conn.execute("INSERT INTO notes (tenant_id, body) VALUES ('b', 'b2')")
        conn.execute("DELETE FROM notes WHERE body = 'b2'")
        assert conn.execute("SELECT current_setting('app.actor_id')").fetchone() == ("u-1",)
    begun, ended = world.events()[count:]
    said = begun["metadata"]
    assert (begun["action"], begun["tenant_id"], begun["actor_id"]) == ("audit.system.begin", None, "u-1")
    assert (said["reason"], said["ticket"], said["request_id"], said["minutes"]) == (
        "clean up",
        "T-9",
        "r-1",
        60,
    )
    assert said["role"] == world.db.role("system")
    assert (ended["action"], ended["resource_id"]) == ("audit.system.end", begun["id"])
    assert ended["metadata"]["outcome"] == "success"
    assert 0 < ended["metadata"]["seconds"] < 60
    if world.extended:
        assert (begun["database_user"], begun["actor_type"], begun["request_id"]) == (
            said["role"],
            "system",
            "r-1",
        )
        assert ended["outcome"] == "success"


def test_what_fails_is_rolled_back_and_told(world: World) -> None:
    count = len(world.events())

    def fails() -> None:
        with system(world) as conn:
            assert conn.execute("UPDATE notes SET body = 'gone'").rowcount == 3
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert world.bodies() == ["a1", "a2", "b1"]
    assert [e["action"] for e in world.events()[count:]] == ["audit.system.begin", "audit.system.end"]
    assert world.events()[-1]["metadata"]["outcome"] == "failure"


def test_an_error_that_nobody_sees_is_told(world: World) -> None:
    """The server rolls the transaction back, whatever it is told at the end."""
    with system(world) as conn:
        conn.execute("UPDATE notes SET body = 'gone'")
        with contextlib.suppress(psycopg.Error):
            conn.execute("SELECT 1 / 0")
    assert world.bodies() == ["a1", "a2", "b1"]
    assert world.events()[-1]["metadata"]["outcome"] == "failure"


def test_a_session_of_sqlalchemy_can_work_on_the_connection(world: World) -> None:
    with support(world, "b") as conn:
        engine = create_engine("postgresql+psycopg://", creator=lambda: conn, poolclass=StaticPool)
        with Session(engine) as session:
            for _ in range(2):
                assert session.execute(text(READ)).all() == [("b1",)]
                session.rollback()
        engine.dispose()


def test_a_lost_connection_is_told(world: World) -> None:
    def lost() -> None:
        with system(world) as conn:
            pid = conn.info.backend_pid
            with world.db.connect() as admin:
                admin.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
            seen(conn)

    with pytest.raises(psycopg.OperationalError):
        lost()
    assert world.events()[-1]["metadata"]["outcome"] == "failure"


def test_support_reads_one_tenant_who_finds_it_in_its_trail(world: World) -> None:
    count = len(world.events())
    with support(world, "b", actor="ann") as conn:
        assert seen(conn) == ["b1"]
        conn.rollback()
        assert seen(conn) == ["b1"]
        assert conn.execute("SELECT id FROM tenants").fetchall() == [("b",)]
        assert current_or_none() is None  # the application's own connections stay out of it
    begun, ended = world.events()[count:]
    assert [(e["tenant_id"], e["actor_id"]) for e in (begun, ended)] == [("b", "ann")] * 2
    assert (begun["metadata"]["ticket"], begun["metadata"]["writes"]) == ("T-1", False)
    with psycopg.connect(world.dsn("app")) as app:
        world.bind(app, "b")
        own = app.execute("SELECT action FROM audit_logs ORDER BY created_at DESC LIMIT 2").fetchall()
        assert {action for (action,) in own} == {"audit.support.begin", "audit.support.end"}


@pytest.mark.parametrize(
    ("statement", "refused"),
    [
        ("SET LOCAL app.current_tenant_id = 'b'", "is for tenant a only"),
        ("SET LOCAL app.current_tenant_id = ''", "is for tenant a only"),
        ("SET LOCAL app.work_id = ''", "only in work that is recorded"),
        ("SET LOCAL app.work_id = 'something'", "invalid input syntax"),
        ("SET LOCAL app.work_id = '00000000-0000-0000-0000-000000000000'", "the trail holds no such work"),
        ("SET TRANSACTION READ WRITE", "may only read"),
    ],
)
def test_support_cannot_widen_it(world: World, statement: str, refused: str) -> None:
    with support(world) as conn:
        conn.execute(statement)
        with pytest.raises(psycopg.Error, match=refused):
            seen(conn)
        conn.rollback()
        assert seen(conn) == ["a1", "a2"]


def test_support_writes_where_it_is_let_and_begun_for(world: World) -> None:
    change = "UPDATE notes SET body = body WHERE body = 'a1'"
    with support(world) as conn, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        conn.execute(change)
    if not world.extended:  # the spec does not let it
        with support(world, write=True) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(change)
        return
    with support(world, write=True) as conn:
        assert conn.execute(change).rowcount == 1
        assert conn.execute("UPDATE notes SET body = 'x' WHERE body = 'b1'").rowcount == 0
        with pytest.raises(psycopg.Error, match="row-level security"):
            conn.execute("INSERT INTO notes (tenant_id, body) VALUES ('b', 'x')")


# What is refused


def test_without_a_recorded_piece_of_work_no_row_is_reached(world: World) -> None:
    for role in ("system", "support"):
        with psycopg.connect(world.dsn(role)) as conn:
            for table in ("notes", "lines", "tenants"):
                world.bind(conn, "a")
                with pytest.raises(
                    psycopg.errors.InsufficientPrivilege, match="only in work that is recorded"
                ):
                    conn.execute(f"SELECT * FROM {table}".encode())
                conn.rollback()
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"audit_logs|is not set"):
                conn.execute("SELECT * FROM audit_logs")


def begin(conn: psycopg.Connection[Any], **given: Any) -> str:
    """A piece of work that writes, by hand."""
    given["writes"] = True
    names = ", ".join(f"{name} => %s" for name in given)
    row = conn.execute(f"SELECT audit.work_begin({names})".encode(), list(given.values())).fetchone()
    assert row is not None
    conn.execute("SELECT set_config('app.work_id', %s, false)", row)
    return str(row[0])


def test_a_beginning_that_may_be_rolled_back_opens_nothing(world: World) -> None:
    with psycopg.connect(world.dsn("system")) as conn:
        begin(conn, reason="by hand")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="begun in this transaction"):
            seen(conn)
        conn.rollback()
        begin(conn, reason="by hand")
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege, match="begun in this transaction"),
            conn.transaction(),
        ):
            seen(conn)
        conn.commit()
        assert seen(conn) == ["a1", "a2", "b1"]


def test_what_is_over_stays_over(world: World) -> None:
    with psycopg.connect(world.dsn("system"), autocommit=True) as conn:
        number = begin(conn, reason="by hand")
        assert seen(conn) == ["a1", "a2", "b1"]
        conn.execute("SELECT audit.work_end(%s, 'success')", [number])
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="is over"):
            seen(conn)
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="is over"):
            conn.execute("SELECT audit.work_end(%s, 'success')", [number])
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="no outcome"):
            conn.execute("SELECT audit.work_end(%s, 'maybe')", [begin(conn, reason="by hand")])


def test_work_belongs_to_the_login_that_began_it(world: World) -> None:
    with psycopg.connect(world.dsn("system"), autocommit=True) as conn:
        number = begin(conn, reason="by hand")
    with psycopg.connect(world.dsn("support"), autocommit=True) as other:
        for name in ("a", "b"):
            other.execute("SELECT set_config('app.current_tenant_id', %s, false)", [name])
            other.execute("SELECT set_config('app.work_id', %s, false)", [number])
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="holds no such work"):
                seen(other)
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="holds no such work"):
            other.execute("SELECT audit.work_end(%s, 'success')", [number])


def forged(conn: psycopg.Connection[Any], login: str, until: str, **more: str) -> str:
    """An event such as work_begin() writes, written by somebody else."""
    said = {"role": login, "writes": True, "from": "2026-01-01T00:00:00Z", "until": until}
    columns = {"tenant_id": "a", "action": "audit.support.begin", "metadata": json.dumps(said), **more}
    names, places = ", ".join(columns), ", ".join(["%s"] * len(columns))
    row = conn.execute(
        f"INSERT INTO audit_logs ({names}) VALUES ({places}) RETURNING id::text".encode(),
        list(columns.values()),
    ).fetchone()
    assert row is not None
    return str(row[0])


def used(world: World, number: str) -> list[str]:
    with psycopg.connect(world.dsn("support")) as conn:
        conn.execute("SELECT set_config('app.work_id', %s, true)", [number])
        conn.execute("SET LOCAL app.current_tenant_id = 'a'")
        return seen(conn)


def test_its_time_is_the_servers(world: World) -> None:
    login = world.db.role("support")
    more = {"database_user": login} if world.extended else {}
    with world.db.connect() as admin:
        past = forged(admin, login, "2026-01-01T00:30:00Z", **more)
        future = forged(admin, login, "2999-01-01T00:00:00Z", **more)
    assert used(world, future) == ["a1", "a2"]  # the control
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="was to end at 2026-01-01T00:30:00Z"):
        used(world, past)


def test_an_event_that_the_application_writes_opens_nothing_in_an_extended_trail(world: World) -> None:
    with psycopg.connect(world.dsn("app")) as app:
        app.execute("SET LOCAL app.current_tenant_id = 'a'")
        query = "INSERT INTO audit_logs (tenant_id, action, metadata) VALUES ('a', 'audit.support.begin', %s)"
        said = {"role": world.db.role("support"), "writes": True, "from": "2026-01-01", "until": "2999-01-01"}
        app.execute(query.encode(), [json.dumps(said)])
        row = app.execute("SELECT id::text FROM audit_logs ORDER BY created_at DESC LIMIT 1").fetchone()
    assert row is not None
    if world.extended:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="holds no such work"):
            used(world, row[0])
    else:  # its nine columns are the application's; it cannot log in as support
        assert used(world, row[0]) == ["a1", "a2"]


@pytest.mark.parametrize("world", ["plain"], indirect=True)
@pytest.mark.parametrize(
    ("kind", "more", "why"),
    [
        (system, {"reason": ""}, "without a reason; Say why"),
        (system, {"reason": " \n"}, "without a reason"),
        (system, {"reason": "x" * 1001}, "reason has more than 1000 characters"),
        (system, {"minutes": 0}, "0 minutes are not possible"),
        (system, {"minutes": 1441}, "1441 minutes are not possible"),
        (support, {"ticket": " "}, "support without a ticket"),
        (support, {"minutes": 481}, "at most 1440 minutes of system work, 480 of support"),
    ],
)
def test_what_cannot_be_told_is_not_begun(world: World, kind: Any, more: dict[str, Any], why: str) -> None:
    count, ran = len(world.events()), []
    with pytest.raises(WorkRefused, match=why), kind(world, **more):
        ran.append(1)
    assert (ran, len(world.events())) == ([], count)


def test_a_tenant_that_is_not_there_is_refused(world: World) -> None:
    with pytest.raises(UnknownTenant, match="there is no tenant 'c'"), support(world, "c"):
        pass
    crossed = support_access(world.dsn("system"), "a", reason="r", ticket="t")
    with pytest.raises(WorkRefused, match="support is for one tenant"), crossed:
        pass
    with (
        pytest.raises(WorkRefused, match="support without a ticket"),
        system_scope(world.dsn("support"), reason="r"),
    ):
        pass


def test_other_logins_are_refused(world: World) -> None:
    for dsn, error, why in (
        (
            world.dsn("app"),
            WorkRefused,
            r"work was not begun, and nothing was done.*work_begin\(\) cannot be called",
        ),
        (world.db.dsn, ExemptRole, "is a superuser"),
    ):
        with pytest.raises(error, match=why), system_scope(dsn, reason="r"):
            pass
        with pytest.raises(error, match=why), support_access(dsn, "a", reason="r", ticket="t"):
            pass
    with psycopg.connect(world.db.dsn) as admin, pytest.raises(psycopg.Error, match="has none to do here"):
        admin.execute("SELECT audit.work_begin('r')")


REFUSE = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN IF NEW.action LIKE '%{what}' THEN RAISE 'no space' USING ERRCODE = '53100'; END IF; RETURN NEW; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON audit_logs FOR EACH ROW EXECUTE FUNCTION full_disk();
ALTER TABLE audit_logs ENABLE ALWAYS TRIGGER full_disk
"""


@pytest.fixture
def no_space(world: World, request: pytest.FixtureRequest) -> Iterator[None]:
    with world.db.connect() as conn:
        conn.execute(REFUSE.replace("{what}", request.param).encode())
        yield
        conn.execute("DROP FUNCTION full_disk CASCADE")


@pytest.mark.parametrize("no_space", ["begin"], indirect=True)
@pytest.mark.usefixtures("no_space")
def test_nothing_is_done_where_the_trail_cannot_be_written(world: World) -> None:
    ran = []
    for kind in (system, support):
        with (
            pytest.raises(WorkRefused, match=r"nothing was done: the trail took no event of it \(no space\)"),
            kind(world),
        ):
            ran.append(1)
    assert ran == []


@pytest.mark.parametrize("no_space", ["end"], indirect=True)
@pytest.mark.usefixtures("no_space")
def test_an_end_that_cannot_be_told_is_an_error(world: World) -> None:
    with pytest.raises(WorkRefused, match=r"the end of work .* was not recorded: no space"), system(world):
        pass
    with pytest.raises(ZeroDivisionError) as caught, system(world):
        raise ZeroDivisionError
    assert "was not recorded: no space" in caught.value.__notes__[0]


def test_after_its_time_no_statement_is_sent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def late() -> None:
        with system(world) as conn:
            assert seen(conn) == ["a1", "a2", "b1"]
            conn.tenantry_state.until = 0.0
            with pytest.raises(WorkRefused, match="was to end by now"):
                seen(conn)
            conn.rollback()
            seen(conn)

    with pytest.raises(WorkRefused, match="was to end by now"):
        late()


def test_a_statement_that_goes_on_is_ended(world: World) -> None:
    def slow() -> None:
        with system(world) as conn:
            conn.tenantry_state.until = time.monotonic() + 0.3
            conn.execute("SELECT pg_sleep(5)")

    with pytest.raises(psycopg.Error, match="timeout"):
        slow()
    assert world.events()[-1]["metadata"]["outcome"] == "failure"


# Coroutines


def test_with_coroutines(world: World) -> None:
    async def fails() -> None:
        async with system_scope_async(world.dsn("system"), reason="r", record=world.record) as conn:
            await conn.execute("DELETE FROM lines")
            raise ZeroDivisionError

    async def main() -> None:
        count = len(world.events())
        async with system_scope_async(world.dsn("system"), reason="r", record=world.record) as conn:
            assert await (await conn.execute(READ)).fetchall() == [("a1",), ("a2",), ("b1",)]
        dsn = world.dsn("support")
        async with support_access_async(dsn, "b", reason="r", ticket="t", record=world.record) as conn:
            assert await (await conn.execute(READ)).fetchall() == [("b1",)]
            await conn.rollback()
            async with conn.transaction():
                assert await (await conn.execute(READ)).fetchall() == [("b1",)]
        with pytest.raises(ZeroDivisionError):
            await fails()
        with pytest.raises(WorkRefused, match="without a reason"):
            async with system_scope_async(world.dsn("system"), reason=""):
                pass
        with pytest.raises(ExemptRole):
            async with system_scope_async(world.db.dsn, reason="r"):
                pass
        outcomes = [e["metadata"].get("outcome") for e in world.events()[count:]]
        assert outcomes == [None, "success", None, "success", None, "failure"]

    asyncio.run(main())
    with world.db.connect() as conn:
        assert conn.execute("SELECT count(*) FROM lines").fetchone() == (1,)


def test_the_applications_connections_get_no_tenant_from_it(world: World) -> None:
    from tenantry.runtime.psycopg import Connection

    with Connection.connect(world.dsn("app")) as app:
        for kind in (system, support):
            with kind(world), pytest.raises(NoTenant):
                seen(app)


@pytest.mark.parametrize("world", ["raise", "signed"], indirect=True)
def test_where_no_tenant_raises_and_where_tenants_are_signed(world: World) -> None:
    test_system_work_reaches_every_tenant_and_is_told_before_and_after(world)
    test_what_fails_is_rolled_back_and_told(world)
    test_support_reads_one_tenant_who_finds_it_in_its_trail(world)
    test_support_writes_where_it_is_let_and_begun_for(world)
    test_without_a_recorded_piece_of_work_no_row_is_reached(world)
    test_with_coroutines(world)
    with pytest.raises(UnknownTenant, match="there is no tenant 'c'"), support(world, "c"):
        pass
    with support(world) as conn:
        world.bind(conn, "b")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="is for tenant a only"):
            seen(conn)
    if world.record.binding.signer:
        unsigned = support(world, record=Record())
        with pytest.raises(WorkRefused, match="not signed"), unsigned:
            pass


# What people are told


@pytest.mark.usefixtures("sound_server")
def test_check_and_prove_list_them(world: World) -> None:
    proof = prove(world.db.dsn, world.spec, now=NOW)
    assert proof.proven
    assert proof.review is not None
    lines = [line for line in proof.review.not_looked_at if " work as " in line]
    assert [line.partition(": it ")[2].partition(" while")[0] for line in lines] == [
        "reads and changes every tenant's rows",
        f"reads{' and changes' if world.extended else ''} the rows of one tenant at a time",
    ]
    names = {f.object for f in proof.review.findings if f.check == "policy-other-roles"}
    assert names <= {"audit_logs", "audit.personal"}


def holds(conn: psycopg.Connection[Any], step: Any) -> bool:
    """Whether a step counts as done, asked as the runner asks."""
    with conn.transaction():
        conn.execute("SET LOCAL search_path = ''")
        ((done,),) = conn.execute(step.verify.encode()).fetchall()
        conn.execute("SET LOCAL search_path = public")
    return bool(done)


OPENED = "CREATE OR REPLACE FUNCTION audit.work_open() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT true'"


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ('ALTER POLICY tenant_system ON notes USING (true)', "observe.notes.tenant_system"),
        ("DROP POLICY tenant_support ON notes", "observe.notes.tenant_support"),
        ("ALTER POLICY tenant_support ON notes USING (true)", "observe.notes.tenant_support"),
        ("DROP POLICY tenant_system ON tenants", "observe.tenants.tenant_system"),
        (OPENED, "harden.audit.work_open"),
        ('GRANT EXECUTE ON FUNCTION audit.work_open() TO PUBLIC', "harden.audit.work_open"),
        ('GRANT EXECUTE ON FUNCTION audit.work_open() TO "{app}"', "harden.audit.work_open"),
        ('REVOKE EXECUTE ON FUNCTION audit.work_open() FROM "{system}"', "harden.audit.work_open"),
        ("ALTER FUNCTION audit.work_open() RESET search_path", "harden.audit.work_open"),
        ("ALTER FUNCTION audit.work_open() SET row_security = off", "harden.audit.work_open"),
        ("ALTER FUNCTION audit.work_open() SECURITY INVOKER", "harden.audit.work_open"),
        ("ALTER FUNCTION audit.work_open() IMMUTABLE", "harden.audit.work_open"),
        ('ALTER FUNCTION audit.work_end(text, text, text) OWNER TO "{app}"', "harden.audit.work_end"),
        ("ALTER POLICY {write} ON audit_logs WITH CHECK (false)", "harden.audit_logs.{write}"),
        ("ALTER POLICY {read} ON audit_logs USING (false)", "harden.audit_logs.{read}"),
        ('GRANT TRUNCATE ON notes TO "{support}"', "observe.notes.{support}"),
        ('GRANT DELETE ON tenants TO "{system}"', "observe.tenants.{system}"),
        ('REVOKE SELECT ON lines FROM "{support}"', 'observe.lines.{support}'),
    ],
)  # fmt: skip
def test_drift_is_planned_back(world: World, statement: str, found: str) -> None:
    names = {name: world.db.role(name) for name in ("system", "support", "app")}
    names |= {"write": WRITE_POLICY, "read": READ_POLICY}
    with world.db.connect(autocommit=False) as conn:
        conn.execute(statement.format(**names).encode())
        plan = planner.plan(world.spec, introspect.read(conn), "online")
        assert [step.id for step in plan.steps] == [found.format(**names)]
        for step in plan.steps:
            assert holds(conn, step) is False  # or applying would skip it
            for sql in step.apply:
                conn.execute(sql.encode())
            assert holds(conn, step) is True
        assert planner.plan(world.spec, introspect.read(conn), "online").steps == ()
        if "tenant_system ON notes USING (true)" in statement:
            conn.rollback()
            conn.execute(statement.encode())
            review = checks.examine(conn, Request(world.spec, (world.db.role("app"),)), now=NOW)
            assert ("policy-other-roles", "notes") in {(f.check, f.object) for f in review.findings}
        conn.rollback()


# Deliberately wrong: what the database is asked, and what the connection says


def believed(world: World) -> str:
    """Whoever logs in is let through."""
    return OPENED


def without_policy(world: World) -> str:
    """Support is bound by the tenant in the setting alone."""
    return "DROP POLICY tenant_support ON notes"


def not_told_to_end(world: World) -> str:
    """Time is not looked at."""
    return edited(world, "clock_timestamp() >=", "clock_timestamp() IS NULL AND clock_timestamp() >=")


def same_transaction(world: World) -> str:
    return edited(world, ">= now()", "> 'infinity'")


def edited(world: World, old: str, new: str) -> str:
    with world.db.connect() as conn:
        row = conn.execute("SELECT pg_get_functiondef('audit.work_open()'::regprocedure)").fetchone()
    assert row is not None
    assert old in row[0]
    return str(row[0]).replace(old, new)


Test = Callable[[World], None]
WRONG: list[tuple[Callable[[World], str], Test]] = [
    (believed, test_without_a_recorded_piece_of_work_no_row_is_reached),
    (believed, test_a_beginning_that_may_be_rolled_back_opens_nothing),
    (believed, test_what_is_over_stays_over),
    (believed, test_work_belongs_to_the_login_that_began_it),
    (without_policy, test_without_a_recorded_piece_of_work_no_row_is_reached),
    (without_policy, lambda w: test_support_cannot_widen_it(w, "SET LOCAL app.current_tenant_id = 'b'", "is for")),
    (not_told_to_end, test_its_time_is_the_servers),
    (same_transaction, test_a_beginning_that_may_be_rolled_back_opens_nothing),
]  # fmt: skip


@pytest.mark.parametrize("world", ["plain"], indirect=True)
@pytest.mark.parametrize(("wrong", "test"), WRONG, ids=lambda value: getattr(value, "__name__", "widened"))
def test_a_wrong_database_turns_it_red(world: World, wrong: Callable[[World], str], test: Test) -> None:
    with world.db.connect() as conn:
        conn.execute(wrong(world).encode())
    try:
        with pytest.raises((pytest.fail.Exception, AssertionError, psycopg.Error)):
            test(world)
    finally:
        with world.db.connect() as conn:
            apply.apply(world.db.dsn, planner.plan(world.spec, introspect.read(conn), "online"))
    test(world)


@pytest.mark.parametrize("name", ["app.work_id", "transaction_read_only"])
def test_a_connection_that_says_less_turns_it_red(
    world: World, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = module._Working.opening
    monkeypatch.setattr(
        module._Working, "opening",
        lambda self, begin, **more: tuple(s for s in opening(self, begin, **more) if name not in s),
    )  # fmt: skip
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        test_support_reads_one_tenant_who_finds_it_in_its_trail(world)

"""What a session says of its tenant: signed, and nobody else's to say; or missing, and an error."""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

from tenantry import apply, checks, introspect, keys, planner
from tenantry.attacks import forge
from tenantry.attacks.claims import Signing
from tenantry.audit import Trail, record, record_async
from tenantry.catalog import Catalog
from tenantry.catalog import Server as CatalogServer
from tenantry.checks import Request
from tenantry.cli import app as cli
from tenantry.conversion import Conversion
from tenantry.errors import CatalogError, EventError, SpecError, TenantError
from tenantry.finding import Proof
from tenantry.mutations.pgbouncer import ABSENT, PROGRAM, pooled
from tenantry.plan import Change
from tenantry.prove import outcomes, prove
from tenantry.runtime import Binding, Signer, tenant
from tenantry.runtime.alembic import for_each_tenant
from tenantry.runtime.isolation import Tenancy
from tenantry.runtime.psycopg import Connection
from tenantry.runtime.signing import Key, read, written
from tenantry.spec import Audit, parse
from tenantry.steps import context, contextfunctions
from tenantry.world import scratch
from tests import corpus
from tests.corpus import Subject
from tests.runtime_adapters import ADAPTERS
from tests.servers import Server

NOW = datetime(2026, 11, 25, tzinfo=UTC)
CASES = {case.name: case for case in corpus.cases()}
SETTING = "app.current_tenant_id"


def converted(name: str, make: Any, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """A case, converted, with an extended trail."""
    subject = corpus.build(CASES[name], make, tmp_path_factory.mktemp(name))
    mine = {k: f"{subject.db.name}_{k}" for k in ("owner", "reader")}
    trail = Audit.model_validate({"events": "extended", **mine})
    subject = replace(subject, spec=subject.spec.model_copy(update={"audit": trail}))
    apply.apply(subject.db.dsn, planner.plan(subject.spec, subject.before, "online"))
    return subject


@pytest.fixture(scope="module")
def signed(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Subject, str]]:
    """The signed case, converted, with a second tenant and a key."""
    with server.databases() as make:
        subject = converted("context_signed", make, tmp_path_factory)
        with subject.db.connect() as conn:
            conn.execute("INSERT INTO tenants (id, name, slug) VALUES ('second', 'Second', 'two')")
            conn.execute("INSERT INTO users (tenant_id, email) VALUES ('second', 'c@example.com')")
            conn.execute("INSERT INTO notes (tenant_id, user_id, body) VALUES ('second', 3, 'z')")
            conn.execute("INSERT INTO sessions VALUES ('u', 3)")
        yield subject, keys.new(subject.db.dsn, subject.spec)


@pytest.fixture
def app(signed: tuple[Subject, str]) -> Iterator[psycopg.Connection[Any]]:
    """The application, in a transaction without a tenant; nothing of it stays."""
    with as_app(signed[0]) as conn:
        yield conn
        conn.rollback()


def as_app(subject: Subject) -> psycopg.Connection[Any]:
    conn = subject.db.connect(autocommit=False)
    conn.execute(f'SET SESSION AUTHORIZATION "{subject.spec.roles.app}"'.encode())
    conn.commit()
    return conn


def say(conn: psycopg.Connection[Any], value: str) -> None:
    conn.execute("SELECT set_config(%s, %s, true)", (SETTING, value))


def count(conn: psycopg.Connection[Any], table: str = "users") -> int:
    (found,) = conn.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() or (-1,)
    return int(found)


def soon(seconds: int = 60) -> int:
    return int(time.time()) + seconds


# The MAC


VECTORS = [  # RFC 4231: key, data, HMAC-SHA-256
    ("0b" * 20, b"Hi There".hex(), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (b"Jefe".hex(), b"what do ya want for nothing?".hex(), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    ("aa" * 20, "dd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    (bytes(range(1, 26)).hex(), "cd" * 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
    ("aa" * 131, b"Test Using Larger Than Block-Size Key - Hash Key First".hex(), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
]  # fmt: skip


@pytest.mark.parametrize(("secret", "message", "mac"), VECTORS)
def test_the_published_vectors(app: psycopg.Connection[Any], secret: str, message: str, mac: str) -> None:
    key = Key.made_of("k", bytes.fromhex(secret))
    assert key.mac(bytes.fromhex(message)).hex() == mac
    query = f"SELECT encode({contextfunctions.hmac('%s::bytea', '%s::bytea', '%s::bytea')}, 'hex')"
    assert app.execute(query.encode(), (key.outer, key.inner, bytes.fromhex(message))).fetchone() == (mac,)


def test_the_mac_is_that_of_the_standard_library() -> None:
    for length in (0, 1, 31, 32, 63, 64, 65, 200):
        secret, message = secrets.token_bytes(length), secrets.token_bytes(length)
        assert Key.made_of("k", secret).mac(message) == hmac.digest(secret, message, "sha256")


# Values


def test_a_signed_value_shows_the_rows_of_its_tenant(
    signed: tuple[Subject, str], app: psycopg.Connection[Any]
) -> None:
    key = read(signed[1])
    for name, users in (("first", 2), ("second", 1), ("nobody", 0), ("a.b.c é", 0)):
        say(app, key.sign(name, soon()))
        assert app.execute("SELECT tenant_context.current_tenant()").fetchone() == (name,)
        assert (count(app), count(app, "sessions")) == (users, users and 1)
    app.execute("SELECT tenant_context.enter(%s)", (key.sign("second", soon()),))
    app.execute("INSERT INTO users (email) VALUES ('d@example.com')")
    assert count(app) == 2
    app.execute("SELECT audit.log('user.create')")
    app.rollback()
    assert (count(app), app.execute("SELECT current_setting(%s)", (SETTING,)).fetchone()) == (0, ("",))


def test_a_data_migration_signs_too(signed: tuple[Subject, str]) -> None:
    subject, key = signed
    url = subject.db.dsn.replace("postgresql:", "postgresql+psycopg:")
    with create_engine(url, poolclass=NullPool).connect() as bind:
        found: list[tuple[str, int]] = []

        def work(id: str) -> None:
            found.append((id, bind.exec_driver_sql("SELECT count(*) FROM users").scalar_one()))

        of: Any = {"role": subject.spec.roles.app, "tenants": ["first", "second"]}
        assert for_each_tenant(bind, work, signer=Signer(key), **of) == 2
        assert found == [("first", 2), ("second", 1)]
        found.clear()
        with suppress(DBAPIError):
            for_each_tenant(bind, work, **of)
        assert sum(count for _, count in found) == 0  # unsigned is nobody
        bind.rollback()


def test_an_administrator_signs_by_hand(signed: tuple[Subject, str]) -> None:
    subject, text = signed
    with subject.db.connect(autocommit=False) as conn:
        value, now = conn.execute(
            "SELECT tenant_context.sign('first', 60), floor(extract(epoch FROM now()))::bigint"
        ).fetchone()  # type: ignore[misc]
    assert value == read(text).sign("first", now + 60)


@pytest.mark.parametrize(
    "value", ["x", ".", "...", "first", "k.1.first", "0" * 64, "0" * 64 + ".", "0" * 64 + "..." + "x" * 300]
)
def test_what_is_no_signed_value_is_refused(app: psycopg.Connection[Any], value: str) -> None:
    say(app, value)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match=SETTING) as caught:
        count(app)
    assert "Sign the tenant" in (caught.value.diag.message_hint or "")


@pytest.mark.parametrize("what", forge.values(Signing(Key.made_of("k", b"x"), "s"), "a", "b", 0))
def test_a_forged_value_is_refused(
    signed: tuple[Subject, str], app: psycopg.Connection[Any], what: str
) -> None:
    signing = Signing(read(signed[1]), "tenant_context")
    say(app, forge.values(signing, "second", "first", int(time.time()))[what])
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        count(app)


@pytest.mark.parametrize(("ahead", "good"), [(-1, False), (1, True), (890, True), (910, False)])
def test_the_end_and_clocks_that_differ(
    signed: tuple[Subject, str], app: psycopg.Connection[Any], ahead: int, good: bool
) -> None:
    say(app, read(signed[1]).sign("first", soon(ahead)))
    if good:
        assert count(app) == 2
        return
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="is good until") as caught:
        count(app)
    assert "compare the clocks" in (caught.value.diag.message_hint or "")


def test_a_transaction_outlives_its_value_and_the_next_one_does_not(
    signed: tuple[Subject, str], app: psycopg.Connection[Any]
) -> None:
    value = read(signed[1]).sign("first", soon(1))
    say(app, value)
    assert count(app) == 2
    time.sleep(2.1)
    assert count(app) == 2
    app.rollback()
    say(app, value)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="is good until"):
        count(app)


def test_a_tenant_does_not_change_in_the_middle_of_a_query(
    signed: tuple[Subject, str], app: psycopg.Connection[Any]
) -> None:
    say(app, read(signed[1]).sign("first", soon()))
    app.execute("DECLARE c CURSOR FOR SELECT email FROM users")
    app.execute("FETCH 1 FROM c")
    say(app, "second")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute("FETCH ALL FROM c; SELECT email FROM users")
    app.rollback()
    say(app, read(signed[1]).sign("first", soon()))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute(
            "SELECT e.email FROM (SELECT set_config('app.current_tenant_id', 'second', true) OFFSET 0) AS s, "
            "LATERAL (SELECT email FROM users WHERE s IS NOT NULL) AS e"
        )


def test_parallel_workers_check_it_too(signed: tuple[Subject, str], app: psycopg.Connection[Any]) -> None:
    forced = "debug_parallel_query" if app.info.server_version >= 160000 else "force_parallel_mode"
    app.execute(f"SET LOCAL {forced} = on".encode())
    say(app, read(signed[1]).sign("first", soon()))
    assert count(app) == 2
    plan = "\n".join(line for (line,) in app.execute("EXPLAIN (ANALYZE, COSTS OFF) SELECT * FROM users"))
    assert "Workers Launched: 1" in plan
    say(app, "second")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        count(app)


# The keys


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM tenant_context.keys",
        "SELECT tenant_context.sign('second', 60)",
        "SET ROLE {context}",
        "CREATE FUNCTION tenant_context.sha256(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT $1'",
        "CREATE OR REPLACE FUNCTION tenant_context.current_tenant() RETURNS text LANGUAGE sql AS 'SELECT ''second'''",
        "ALTER FUNCTION tenant_context.current_tenant() RESET search_path",
        "COPY tenant_context.keys TO STDOUT",
        "SELECT most_common_vals FROM pg_stats WHERE tablename = 'keys' OFFSET 0; SELECT * FROM pg_statistic",
    ],
)
def test_the_application_reaches_no_key(
    signed: tuple[Subject, str], app: psycopg.Connection[Any], statement: str
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute(statement.format(context=f'"{signed[0].spec.roles.context}"').encode())


def test_no_key_shows_in_what_the_server_prints(signed: tuple[Subject, str]) -> None:
    key = read(signed[1])
    seen: list[str] = []
    with as_app(signed[0]) as conn:
        conn.add_notice_handler(lambda d: seen.append(f"{d.message_primary}{d.message_detail}"))
        conn.execute("SET client_min_messages = log")
        for what in ("parse", "rewritten", "plan"):
            conn.execute(f"SET debug_print_{what} = on".encode())
        conn.execute("SELECT sha256('\\x0102030405')")
        for _ in range(8):
            say(conn, key.sign("first", soon()))
            count(conn)
    shown = " ".join(" ".join(seen).split())
    assert "1 2 3 4 5 ]" in shown  # so a constant would look
    assert "inner_pad" in shown  # the plans inside of the function are printed too
    for pad in (key.inner, key.outer):
        assert " ".join(str(b if b < 128 else b - 256) for b in pad[:6]) not in shown


def test_no_temporary_table_takes_the_place_of_the_keys(
    signed: tuple[Subject, str], app: psycopg.Connection[Any]
) -> None:
    mine = Key.made_of("mine", b"mine")
    app.execute("CREATE TEMP TABLE keys (id text, inner_pad bytea, outer_pad bytea, until timestamptz)")
    app.execute("INSERT INTO keys VALUES ('mine', %s, %s)", (mine.inner, mine.outer))
    app.execute("SET search_path = pg_temp, tenant_context, public")
    say(app, mine.sign("second", soon()))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute("SELECT * FROM public.users")


def test_keys_are_made_listed_and_retired(signed: tuple[Subject, str], app: psycopg.Connection[Any]) -> None:
    subject, first = signed
    second = keys.new(subject.db.dsn, subject.spec)
    for text in (first, second):
        say(app, read(text).sign("first", soon()))
        assert count(app) == 2
    app.rollback()
    id_ = read(second).id
    keys.retire(subject.db.dsn, subject.spec, id_, 600)
    say(app, read(second).sign("first", soon()))
    assert count(app) == 2
    app.rollback()
    ended = keys.retire(subject.db.dsn, subject.spec, id_, 0)
    assert [k.until for k in keys.listed(subject.db.dsn, subject.spec)] == [ended, None]
    say(app, read(second).sign("first", soon()))
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="not signed with a key"):
        count(app)
    with pytest.raises(CatalogError, match="key nothing: is not there"):
        keys.retire(subject.db.dsn, subject.spec, "nothing", 0)
    plain = subject.spec.model_copy(
        update={"tenancy": subject.spec.tenancy.model_copy(update={"context": "plain"})}
    )
    with pytest.raises(SpecError, match="which has no keys"):
        keys.listed(subject.db.dsn, plain)


def test_unsigned_values_are_taken_for_a_while(
    signed: tuple[Subject, str], app: psycopg.Connection[Any]
) -> None:
    subject, text = signed
    where = subject.db.dsn, subject.spec
    assert keys.unsigned(*where) is None
    try:
        assert keys.unsigned(*where, 60) is not None
        for value in ("first", read(text).sign("first", soon())):
            say(app, value)
            assert count(app) == 2
        say(app, read(text).sign("first", soon()).replace("first", "second"))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            count(app)
        app.rollback()
        found = outcomes(*where, subject.catalog(), set(), doors={"forge"})
        assert {o.object for o in found if o.status == "breached"} == {
            "notes",
            "sessions",
            "tenants",
            "users",
        }
        with pytest.raises(CatalogError, match="is not there"):
            keys.retire(*where, "unsigned", 0)
    finally:
        assert keys.unsigned(*where, 0) is None
    say(app, "first")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        count(app)
    with pytest.raises(SpecError, match="say 0 to 1209600"):
        keys.unsigned(*where, 10**9)
    assert len(keys.listed(*where)) >= 1


def test_the_command_line(signed: tuple[Subject, str], tmp_path: Any) -> None:
    subject, text = signed
    spec = tmp_path / "tenantry.toml"
    roles = "".join(f'{k} = "{v}"\n' for k, v in subject.spec.roles.model_dump().items() if v)
    spec.write_text(f'[tenancy]\ncontext = "signed"\n[roles]\n{roles}')

    def run(*words: str) -> Any:
        return CliRunner().invoke(cli, ["keys", *words, "--dsn", subject.db.dsn, "--spec", str(spec)])

    made = run("new").stdout.strip()
    assert read(made).id != read(text).id
    listed = run("list")
    assert (listed.exit_code, read(made).id in listed.stdout) == (0, True)
    assert made.partition(".")[2] not in listed.stdout
    assert {k["id"] for k in json.loads(run("list", "--format", "json").stdout)["keys"]} >= {read(made).id}
    retired = run("retire", read(made).id, "--in", "0")
    assert (retired.exit_code, "is valid until" in retired.stdout) == (0, True)
    assert run("retire", "nothing").exit_code == 3
    assert (run("unsigned", "--for", "60").exit_code, run("unsigned").exit_code) == (0, 1)
    assert run("unsigned", "--for", "0").stdout == "Unsigned values are refused.\n"


# The application's side


def scoped(subject: Subject, text: str | None) -> Connection[Any]:
    class Signed(Connection[Any]):
        binding = Binding(signer=Signer(text))

    return Signed.connect(subject.db.dsn, options=f"-c role={subject.spec.roles.app}")


def test_the_runtime_signs_each_transaction(signed: tuple[Subject, str]) -> None:
    subject, text = signed
    with scoped(subject, text) as conn:
        for name, users in (("first", 2), ("second", 1), ("first", 2)):
            with tenant(name), conn.transaction():
                assert count(conn) == users
        with tenant("first"), conn.pipeline():
            assert count(conn) == 2
            conn.commit()
        with tenant("first"):
            assert count(conn) == 2
            with tenant("second", switch=True):
                conn.bind_again()
                assert count(conn) == 1
            conn.bind_again()
            assert count(conn) == 2


def test_no_other_session_of_the_role_sees_the_value(signed: tuple[Subject, str]) -> None:
    subject, text = signed
    with scoped(subject, text) as conn, as_app(subject) as other:
        with tenant("first"), conn.transaction():
            conn.execute("SELECT 1")
            value = conn.execute("SELECT current_setting(%s)", (SETTING,)).fetchone()
        query = "SELECT string_agg(query, ' ') FROM pg_stat_activity"
        with subject.db.connect() as admin:
            seen = f"{admin.execute(query).fetchone()}{other.execute(query).fetchone()}"
    assert value is not None
    assert value[0].endswith(".first")
    assert value[0][:64] not in seen


def test_events_outside_of_the_transaction_are_signed_too(signed: tuple[Subject, str]) -> None:
    subject, text = signed
    login = scratch.uri(subject.db.dsn, user=subject.spec.roles.app)
    trail = Trail(signer=Signer(text))
    with psycopg.connect(login) as conn, tenant("second", actor="somebody"):
        made = record(conn, "user.remove", outside=True, trail=trail)
        with pytest.raises(EventError, match="is not signed with a key of this database; Sign the tenant"):
            record(conn, "user.remove", outside=True, trail=Trail(signer=Signer(written("k0", b"x" * 32))))
        asyncio.run(record_aside(login, trail))
    with subject.db.connect() as admin:
        query = "SELECT tenant_id, actor_id FROM audit_logs WHERE action = 'user.remove'"
        assert admin.execute(query).fetchall() == [("second", "somebody")] * 2
    assert made


async def record_aside(login: str, trail: Trail) -> None:
    async with await psycopg.AsyncConnection.connect(login) as conn:
        with tenant("second", actor="somebody"):
            await record_async(conn, "user.remove", outside=True, trail=trail)


def test_without_the_right_key_nothing_is_done_and_the_connection_stays(
    signed: tuple[Subject, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    subject, text = signed
    monkeypatch.delenv("TENANTRY_SIGNING_KEY", raising=False)
    with scoped(subject, None) as conn, tenant("first"):
        with pytest.raises(TenantError, match="no key to sign"), conn.transaction():
            pass
        monkeypatch.setenv("TENANTRY_SIGNING_KEY", "secret")
        with pytest.raises(TenantError, match="is none: it reads") as caught, conn.transaction():
            pass
        assert "secret" not in str(caught.value)
        monkeypatch.setenv("TENANTRY_SIGNING_KEY", written("k0", b"x" * 32))
        with pytest.raises(psycopg.errors.InsufficientPrivilege), conn.transaction():
            count(conn)
        monkeypatch.setenv("TENANTRY_SIGNING_KEY", text)
        with conn.transaction():
            assert count(conn) == 2


def test_a_signer_tells_what_it_cannot_do() -> None:
    assert "secret" not in repr(Binding(signer=Signer("k.secret")))
    with pytest.raises(TenantError, match="lifetime = 0: say 1 to 600 seconds"):
        Signer(lifetime=0)
    with pytest.raises(TenantError, match="is no name"):
        Signer(schema="")
    asked = iter([written("a", b"x" * 32), written("b", b"y" * 32)])
    signer = Signer(lambda: next(asked), lifetime=10)
    assert [signer.value("t").split(".")[1] for _ in "ab"] == ["a", "b"]


# Checks and attacks


def proof(subject: Subject, mode: Any = "safe") -> Proof:
    return prove(subject.db.dsn, subject.spec, mode=mode, now=NOW)


@pytest.mark.usefixtures("sound_server")
@pytest.mark.parametrize("mode", ["safe", "full"])
def test_a_signed_database_is_proven(signed: tuple[Subject, str], mode: Any) -> None:
    subject, _ = signed
    with subject.db.connect() as conn:
        conn.execute("INSERT INTO audit_logs (tenant_id, action) VALUES ('first', 'user.create')")
    found = proof(subject, mode)
    odd = [o for o in found.outcomes if o.status != "held" or not o.control_fired]
    assert [o for o in odd if o.status != "skipped"] == []
    assert found.proven
    forged = {o.object for o in found.outcomes if o.attack == "forge"}
    assert forged >= {"users", "notes", "sessions", "tenants", "tenant_context.keys"}


def test_what_a_report_shows_to_replay_holds_no_signature_that_is_good(signed: tuple[Subject, str]) -> None:
    subject, _ = signed
    with subject.db.connect() as conn:
        conn.execute("CREATE POLICY sabotage ON notes FOR DELETE USING (true)")
        try:
            (found,) = [
                o
                for o in proof(subject).outcomes
                if (o.attack, o.object, o.status) == ("delete", "notes", "breached")
            ]
        finally:
            conn.execute("DROP POLICY sabotage ON notes")
    assert """set_config('app.current_tenant_id', "tenant_context"."sign"(""" in found.sql
    assert not re.search("[0-9a-f]{64}", found.sql)
    assert found.sql.index('"sign"') < found.sql.index("SET LOCAL ROLE")


SABOTAGES = [
    ("GRANT SELECT ON tenant_context.keys TO {app}", "GRANT USAGE ON SCHEMA tenant_context TO PUBLIC; REVOKE ALL ON tenant_context.keys FROM {app}",
     "context-key-readable", "forge tenant_context.keys"),
    ("GRANT EXECUTE ON FUNCTION tenant_context.sign(text, integer) TO {app}", "REVOKE ALL ON FUNCTION tenant_context.sign(text, integer) FROM {app}",
     "context-key-readable", "forge tenant_context.keys"),
    ("ALTER FUNCTION tenant_context.current_tenant() SECURITY INVOKER", "ALTER FUNCTION tenant_context.current_tenant() SECURITY DEFINER",
     "context-not-definer", ""),
    ("ALTER FUNCTION tenant_context.current_tenant() RESET search_path", "ALTER FUNCTION tenant_context.current_tenant() SET search_path = pg_catalog, pg_temp",
     "definer-path", ""),
    ("ALTER FUNCTION tenant_context.current_tenant() IMMUTABLE", "ALTER FUNCTION tenant_context.current_tenant() STABLE",
     "policy-immutable", ""),
    (f"ALTER POLICY tenant_isolation ON notes USING (tenant_id = current_setting('{SETTING}', true))",
     "ALTER POLICY tenant_isolation ON notes USING (tenant_id = tenant_context.current_tenant())", "policy-fail-open", "forge notes"),
]  # fmt: skip


def errors(conn: psycopg.Connection[Any], subject: Subject) -> set[str]:
    review = checks.examine(conn, Request(spec=subject.spec, roles=(subject.spec.roles.app,)), now=NOW)
    return {f.check for f in review.findings if f.level == "error" and f.check != "server-version"}


@pytest.mark.parametrize(("sabotage", "repair", "check", "breach"), SABOTAGES, ids=[s[2] for s in SABOTAGES])
def test_each_sabotage_is_found(
    signed: tuple[Subject, str], sabotage: str, repair: str, check: str, breach: str
) -> None:
    subject, _ = signed
    app_ = f'"{subject.spec.roles.app}"'
    with subject.db.connect() as conn:
        conn.execute(sabotage.format(app=app_).encode())
        try:
            assert check in errors(conn, subject)
            if breach:
                found = outcomes(subject.db.dsn, subject.spec, subject.catalog(), set(), doors={"forge"})
                assert {f"{o.attack} {o.object}" for o in found if o.status == "breached"} == {breach}
        finally:
            conn.execute(repair.format(app=app_).encode())


DRIFT = [
    ("GRANT SELECT ON tenant_context.keys TO {app}", "tenants.tenant_context.keys"),
    ("GRANT SELECT ON tenant_context.keys TO PUBLIC", "tenants.tenant_context.keys"),
    ("GRANT UPDATE (until) ON tenant_context.keys TO {app}", "tenants.tenant_context.keys"),
    ("REVOKE USAGE ON SCHEMA tenant_context FROM PUBLIC", "tenants.schema.tenant_context"),
    ("ALTER FUNCTION tenant_context.current_tenant() IMMUTABLE", "tenants.tenant_context.current_tenant"),
    ("ALTER FUNCTION tenant_context.current_tenant() RESET search_path", "tenants.tenant_context.current_tenant"),
    ("REVOKE EXECUTE ON FUNCTION tenant_context.current_tenant() FROM PUBLIC", "tenants.tenant_context.current_tenant"),
    ("GRANT EXECUTE ON FUNCTION tenant_context.sign(text, integer) TO {app}", "tenants.tenant_context.sign"),
    ("GRANT EXECUTE ON FUNCTION audit.erase(text, text) TO PUBLIC", "harden.audit.erase"),
    ("ALTER FUNCTION audit.erase(text, text) RESET ALL", "harden.audit.erase"),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "step"), DRIFT, ids=[d[0] for d in DRIFT])
def test_drift_is_planned_back_and_the_way_back_gives_back_what_was_there(
    signed: tuple[Subject, str], statement: str, step: str
) -> None:
    subject, _ = signed
    with subject.db.connect(autocommit=False) as conn:
        conn.execute(statement.format(app=f'"{subject.spec.roles.app}"').encode())
        drifted = introspect.read(conn)
        (found,) = planner.plan(subject.spec, drifted, "online").steps
        assert isinstance(found, Change)
        assert found.id == step
        for done, statements in ((False, ()), (True, found.apply)):
            for sql in statements:
                conn.execute(sql.encode())
            assert conn.execute(found.verify.encode()).fetchone() == (done,)
        assert planner.plan(subject.spec, introspect.read(conn), "online").steps == ()
        for sql in found.revert:
            conn.execute(sql.encode())
        if found.revert:
            after = introspect.read(conn)
            assert (after.tables, after.schemas, after.functions) == (
                drifted.tables,
                drifted.schemas,
                drifted.functions,
            )
        conn.rollback()


def test_without_a_sabotage_nothing_is_found(signed: tuple[Subject, str]) -> None:
    with signed[0].db.connect() as conn:
        assert errors(conn, signed[0]) == set()


def test_without_a_spec_it_is_recognised_and_attacked(signed: tuple[Subject, str]) -> None:
    subject, _ = signed
    found = prove(subject.db.dsn, None, app_role=subject.spec.roles.app, now=NOW)
    forged = {o.object: o.status for o in found.outcomes if o.attack == "forge"}
    assert {name for name, status in forged.items() if status == "held"} >= {"users", "notes", "sessions"}
    held = {o.object for o in found.outcomes if o.attack == "read" and o.status == "held" and o.control_fired}
    assert held >= {"users", "notes", "sessions"}
    with subject.db.connect() as conn:
        review = checks.examine(conn, Request(roles=(subject.spec.roles.app,)), now=NOW)
    assert "set-config" not in {f.check for f in review.findings}


def test_without_a_key_nothing_is_proven(signed: tuple[Subject, str]) -> None:
    subject, _ = signed
    with subject.db.connect() as conn:
        conn.execute("UPDATE tenant_context.keys SET until = now() - interval '1 day' WHERE until IS NULL")
        try:
            found = proof(subject)
            undeclared = prove(subject.db.dsn, None, app_role=subject.spec.roles.app, now=NOW)
        finally:
            conn.execute(
                "UPDATE tenant_context.keys SET until = NULL WHERE until < now() - interval '1 hour'"
            )
    assert not found.proven
    assert [f.object for f in found.findings if f.check == "keys"] == ["tenant_context.keys"]
    assert [f.object for f in undeclared.findings if f.check == "keys"] == ["tenant_context.keys"]


def test_without_a_spec_a_key_that_cannot_be_read_is_said(signed: tuple[Subject, str]) -> None:
    subject, _ = signed
    admin = subject.db.role("prover")
    with subject.db.connect() as conn:
        conn.execute(f'CREATE ROLE "{admin}" LOGIN BYPASSRLS'.encode())
        conn.execute(f'GRANT "{subject.spec.roles.app}", pg_read_all_data TO "{admin}"'.encode())
    dsn = make_conninfo(subject.db.dsn, user=admin)
    found = prove(dsn, None, app_role=subject.spec.roles.app, now=NOW)
    assert not found.proven
    (said,) = [f for f in found.findings if f.check == "keys"]
    assert (said.object, said.level) == ("tenant_context.keys", "error")
    assert "could not look: 42501" in said.message


# In a lab, in migrations, and through every adapter


@pytest.mark.parametrize("type_", ["text", "character varying(40)", "uuid"])
@pytest.mark.parametrize("missing", ["hide", "raise"])
@pytest.mark.parametrize("said", ["plain", "signed"])
def test_a_migration_of_a_new_table_says_what_the_planner_says(said: Any, missing: Any, type_: str) -> None:
    declared = parse(
        f'[tenancy]\ncontext = "{said}"\nmissing = "{missing}"\nsetting = "a.b"\nfunctions = "x"'
    )
    conversion = Conversion(declared, Catalog(CatalogServer(180000, "d", "u")), "online", (), (), (), type_)
    mine = Tenancy(type=type_, setting="a.b", context=said, missing=missing, functions="x")
    assert (mine.value, mine.default) == (context.value(conversion), context.default(conversion))
    with pytest.raises(TenantError, match="say plain or signed"):
        Tenancy(context="other")  # type: ignore[arg-type]


@pytest.mark.usefixtures("sound_server")
def test_a_scratch_database_is_signed_too(server: Server) -> None:
    if not server.private:
        pytest.skip("NOT TESTED HERE: makes a database of its own")
    declared = parse(
        '[tenancy]\ncontext = "signed"\nmissing = "raise"\n'
        '[tenancy.default]\nid = "first"\nname = "First"\nslug = "first"\n'
        '[roles]\napp = "scratch_app"\ncontext = "scratch_context"\n'
        '[tables.note]\nscope = "tenant"\nbackfill = { constant = "first" }\nprimary_key = "global"\n'
    )
    schema = "CREATE TABLE note (id bigserial PRIMARY KEY, body text NOT NULL)"
    template = f"scratch_{secrets.token_hex(4)}"
    seeded = scratch.make(server.dsn, template, schema, declared)
    with scratch.copied(server.dsn, template, f"{template}_copy", declared, seeded) as made:
        for name in made.tenants:
            with made.connect(name) as conn:
                assert {t for (t,) in conn.execute("SELECT tenant_id FROM note")} == {name}
        with made.connect() as conn, pytest.raises(psycopg.errors.InsufficientPrivilege, match="is not set"):
            conn.execute("SELECT 1 FROM note")
        assert scratch.examined(made, None, now=NOW).proven
    scratch.drop(server.dsn, template)


async def transact(adapter: str, dsn: str, text: str) -> None:
    """Transactions of two tenants in turn on one connection, each of several statements."""
    pool_of = ADAPTERS[adapter](dsn, 1, Binding(signer=Signer(text)), False)
    async with pool_of as pool, pool.connect() as conn:
        for name, users in (("first", 2), ("second", 1), ("first", 2)):
            with tenant(name):
                assert await conn.rows("SELECT count(*) FROM users") == [(users,)]
                await conn.rows("UPDATE users SET email = email")
                await conn.commit()


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_every_adapter_signs(signed: tuple[Subject, str], adapter: str) -> None:
    subject, text = signed
    asyncio.run(transact(adapter, scratch.uri(subject.db.dsn, user=subject.spec.roles.app), text))


@pytest.mark.skipif(PROGRAM is None, reason=f"NOT TESTED HERE: {ABSENT}")
@pytest.mark.parametrize("adapter", ["psycopg", "psycopg-async", "asyncpg"])
def test_behind_a_pooler_too(server: Server, signed: tuple[Subject, str], adapter: str) -> None:
    if not server.private:
        pytest.skip("NOT TESTED HERE: PgBouncer is put before a server of our own only")
    subject, text = signed
    with pooled(subject.db.dsn, subject.spec.roles.app) as dsn:
        asyncio.run(transact(adapter, dsn, text))

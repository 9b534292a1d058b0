"""Resolvers: what they return, who may call them, and that the checks accept exactly these."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from tenantry import apply, checks, introspect, planner
from tenantry.checks import Request
from tenantry.prove import prove
from tests import corpus
from tests.corpus import Subject
from tests.servers import Server

NOW = datetime(2026, 11, 25, tzinfo=UTC)
CASE = next(case for case in corpus.cases() if case.name == "resolvers")
TOKEN = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


@pytest.fixture(scope="module")
def world(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """The case, converted, with a second tenant."""
    with server.databases() as make:
        subject = corpus.build(CASE, make, tmp_path_factory.mktemp("resolvers"))
        apply.apply(subject.db.dsn, planner.plan(subject.spec, subject.before, "online"))
        with subject.db.connect() as conn:
            conn.execute("INSERT INTO tenants (id, name, slug) VALUES ('second', 'Second', 'two')")
            conn.execute("INSERT INTO \"Users\" (tenant_id, \"E-mail\", phone) VALUES ('second', 'c@x', '1')")
            conn.execute("INSERT INTO api_keys (tenant_id, key_hash, user_id) VALUES ('second', 'h2', 3)")
        yield subject


@pytest.fixture
def app(world: Subject) -> Iterator[psycopg.Connection[Any]]:
    """The application, with no tenant set; nothing of it stays."""
    with world.db.connect(autocommit=False) as conn:
        conn.execute(f'SET SESSION AUTHORIZATION "{world.spec.roles.app}"'.encode())
        yield conn
        conn.rollback()


@pytest.mark.parametrize(
    ("call", "found"),
    [
        ("tenant_by_slug('two')", ["second"]),
        ("tenant_by_slug('three')", [None]),
        ("tenant_by_slug(NULL)", [None]),
        ("tenant_by_key('h1')", ["first"]),
        ("tenant_by_key('h2')", ["second"]),
        ("\"tenant by e-mail\"('c@x')", ["second"]),
        ("\"tenant by e-mail\"('C@x')", [None]),
        (f"tenant_by_session('{TOKEN}')", ["first"]),
        ("tenants_by_phone('1')", ["first", "second"]),
        ("tenants_by_phone('2')", []),
    ],
)
def test_a_resolver_returns_tenants_and_nothing_else(
    app: psycopg.Connection[Any], call: str, found: list[str | None]
) -> None:
    assert [t for (t,) in app.execute(f"SELECT {call} ORDER BY 1".encode())] == found
    assert app.execute('SELECT count(*) FROM "Users"').fetchone() == (0,)  # it opened nothing


def test_no_temporary_table_takes_the_place_of_the_real_one(app: psycopg.Connection[Any]) -> None:
    app.execute("CREATE TEMP TABLE api_keys AS SELECT 'second'::text AS tenant_id, 'h1'::text AS key_hash")
    app.execute("SET search_path = pg_temp, public")
    assert app.execute("SELECT public.tenant_by_key('h1')").fetchone() == ("first",)


@pytest.mark.parametrize(
    "statement",
    [
        "SET ROLE {resolver}",
        "ALTER FUNCTION tenant_by_slug(text) SET search_path = public",
        "CREATE OR REPLACE FUNCTION tenant_by_slug(text) RETURNS text LANGUAGE sql AS 'SELECT $1'",
    ],
)
def test_the_application_cannot_change_or_become_one(
    world: Subject, app: psycopg.Connection[Any], statement: str
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute(statement.format(resolver=f'"{world.spec.roles.resolver}"').encode())


def test_nobody_else_may_call_them_and_the_role_reads_no_more_than_it_compares(world: Subject) -> None:
    with world.db.connect(autocommit=False) as conn:
        resolver = world.spec.roles.resolver
        conn.execute("CREATE ROLE somebody")
        for function in ("tenant_by_slug(text)", "tenants_by_phone(text)"):
            asked = conn.execute("SELECT has_function_privilege('somebody', %s, 'EXECUTE')", [function])
            assert asked.fetchone() == (False,)
        conn.execute(f'SET ROLE "{resolver}"'.encode())
        conn.execute("SELECT key_hash, tenant_id FROM api_keys")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("SELECT user_id FROM api_keys")
        conn.rollback()


# The checks


def _found(world: Subject, *statements: str) -> set[tuple[str, str]]:
    """Check and object of each finding about functions and policies after statements that are undone."""
    with world.db.connect(autocommit=False) as conn:
        for statement in statements:
            names = {"resolver": world.spec.roles.resolver, "app": world.spec.roles.app}
            conn.execute(statement.format(**names).encode())
        review = checks.examine(conn, Request(world.spec, (world.spec.roles.app,)), now=NOW)
        conn.rollback()
    assert not [f.message for f in review.findings if f.check == "check-failed"]
    about = ("definer", "policy", "role")
    found = {(f.check, f.object) for f in review.findings if f.check.startswith(about)}
    return found - {("policy-sub-query", "sessions")}  # a table of scope through has one


def test_the_checks_are_clean(world: Subject) -> None:
    assert _found(world) == set()


@pytest.mark.parametrize(
    ("statements", "finding"),
    [
        (  # the same name, and rows instead of an id
            [
                "CREATE OR REPLACE FUNCTION tenant_by_slug(text) RETURNS text LANGUAGE sql SECURITY DEFINER "
                "SET search_path = pg_catalog, pg_temp AS 'SELECT t.slug FROM public.tenants t'"
            ],
            ("definer-free", "tenant_by_slug(text)"),
        ),
        (
            [
                "CREATE OR REPLACE FUNCTION tenant_by_session(uuid) RETURNS text LANGUAGE sql SECURITY DEFINER "
                'SET search_path = pg_catalog, pg_temp AS \'SELECT p."E-mail" FROM public."Users" p\''
            ],
            ("definer-free", "tenant_by_session(uuid)"),
        ),
        (  # another one of the role's
            [
                "CREATE FUNCTION other() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp "
                "AS 'SELECT count(*) FROM public.tenants'",
                'ALTER FUNCTION other() OWNER TO "{resolver}"',
            ],
            ("definer-free", "other()"),
        ),
        (
            ["ALTER FUNCTION tenant_by_slug(text) RESET search_path"],
            ("definer-free", "tenant_by_slug(text)"),
        ),
        (['ALTER ROLE "{resolver}" BYPASSRLS'], ("definer-free", "tenant_by_slug(text)")),
        (['ALTER ROLE "{resolver}" LOGIN'], ("policy-other-roles", "api_keys")),
        (
            ["CREATE ROLE somebody", 'GRANT "{resolver}" TO somebody'],
            ("policy-other-roles", "api_keys"),
        ),
        (
            ['ALTER POLICY tenant_resolver ON api_keys TO "{resolver}", "{app}"'],
            ("policy-open", "api_keys"),
        ),
    ],
)
def test_anything_else_is_found(world: Subject, statements: list[str], finding: tuple[str, str]) -> None:
    assert finding in _found(world, *statements)


@pytest.mark.parametrize(
    ("statement", "step"),
    [
        ("GRANT EXECUTE ON FUNCTION tenant_by_slug(text) TO PUBLIC", "observe.resolver.tenant_by_slug"),
        ("ALTER FUNCTION tenant_by_slug(text) OWNER TO CURRENT_USER", "observe.resolver.tenant_by_slug"),
        ("ALTER FUNCTION tenant_by_slug(text) IMMUTABLE", "observe.resolver.tenant_by_slug"),
        ("ALTER FUNCTION tenant_by_slug(text) SECURITY INVOKER", "observe.resolver.tenant_by_slug"),
        ("DROP FUNCTION tenant_by_slug(text)", "observe.resolver.tenant_by_slug"),
        ("DROP POLICY tenant_resolver ON api_keys", "observe.api_keys.resolver"),
    ],
)
def test_drift_is_planned_back(world: Subject, statement: str, step: str) -> None:
    with world.db.connect(autocommit=False) as conn:
        conn.execute(statement.encode())
        plan = planner.plan(world.spec, introspect.read(conn), "online")
        assert [s.id for s in plan.steps] == [step]
        corpus.by_hand(conn, plan.steps)
        assert planner.plan(world.spec, introspect.read(conn), "online").steps == ()
        conn.rollback()


@pytest.mark.usefixtures("sound_server")
def test_the_proof_names_them_as_the_exemption(world: Subject) -> None:
    proof = prove(world.db.dsn, world.spec, now=NOW)
    assert proof.proven
    said = [line for line in proof.not_looked_at if "exempt" in line]
    assert len(said) == 5
    assert (
        "resolver tenant_by_session(uuid), exempt: it reads sessions (token, user_id), Users (id, tenant_id) of every "
        "tenant, and returns a tenant's id"
    ) in said
    assert not [line for line in proof.not_looked_at if line.startswith("SECURITY DEFINER functions")]

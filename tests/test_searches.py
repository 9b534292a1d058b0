"""Searches: what they find, that the index serves the tenant's role, and that whatever differs is found and planned back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from tenantry import apply, checks, introspect, planner
from tenantry.checks import Request
from tenantry.errors import ApplyError, PlanError
from tenantry.names import QName
from tenantry.prove import prove
from tenantry.spec import Search
from tests import corpus
from tests.corpus import Subject
from tests.servers import MakeDatabase, Server

NOW = datetime(2026, 11, 25, tzinfo=UTC)
CASES = {case.name: case for case in corpus.cases()}
DOCS = '"search docs"(text, text, integer, integer)'


@pytest.fixture(scope="module")
def world(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """The case, converted, with a second tenant."""
    with server.databases() as make:
        subject = corpus.build(CASES["searches"], make, tmp_path_factory.mktemp("searches"))
        apply.apply(subject.db.dsn, planner.plan(subject.spec, subject.before, "online"))
        with subject.db.connect() as conn:
            conn.execute("INSERT INTO tenants (id, name, slug) VALUES ('second', 'Second', 'two')")
            conn.execute(
                'INSERT INTO "Odd ""docs""" (tenant_id, "Title (en)", body, kind)'
                " VALUES ('second', '100% secret', 'secret tests with indexes', 'a')"
            )
            conn.execute("INSERT INTO readings VALUES ('2025-07-01', 9, '{\"level\": 1}', NULL, 'second')")
            conn.execute("INSERT INTO tenants (id, name, slug) VALUES ('large', 'Large', 'large')")
            conn.execute(
                'INSERT INTO "Odd ""docs""" (tenant_id, "Title (en)", body)'
                " SELECT 'large', md5(i::text), 'word' || i FROM generate_series(1, 20000) AS i"
            )
            conn.execute(
                "INSERT INTO readings SELECT '2025-08-01', i, jsonb_build_object('n', i), NULL, 'large' FROM generate_series(1, 3000) AS i"
            )
            conn.execute('VACUUM ANALYZE "Odd ""docs""", readings')
            conn.execute("INSERT INTO settings (id, value, tenant_id) VALUES ('default', 'xyz', 'second')")
        yield subject


@pytest.fixture
def app(world: Subject) -> Iterator[psycopg.Connection[Any]]:
    """The application, with no tenant set; nothing of it stays."""
    with world.db.connect(autocommit=False) as conn:
        conn.execute(f'SET SESSION AUTHORIZATION "{world.spec.roles.app}"'.encode())
        yield conn
        conn.rollback()


@pytest.mark.parametrize(
    ("call", "first", "second"),
    [
        ("\"search docs\"('tests', NULL)", [(1,), (2,)], [(4,)]),
        ("\"search docs\"('tests', 'a')", [(1,)], [(4,)]),
        ("\"search docs\"('tests', NULL, 1)", [(1,)], [(4,)]),
        ("\"search docs\"('tests', NULL, max_rows => 1, skip_rows => 1)", [(2,)], []),
        ("\"search docs\"('tests', NULL, NULL, NULL)", [(1,), (2,)], [(4,)]),
        ('"search docs"(NULL, NULL)', [], []),
        ("like_title('0%')", [(1,), (2,)], [(4,)]),
        ("like_title('secret')", [], [(4,)]),
        ("close_title('100% cotton')", [(1,)], []),
        ("readings_with('{\"level\": 1}')", [("2024-05-01", 1), ("2025-05-01", 2)], [("2025-07-01", 9)]),
        ("settings_like('x')", [("default",)], [("default",)]),
        ("settings_like('xyz')", [], [("default",)]),
    ],
)
def test_a_search_finds_rows_of_the_sessions_tenant(
    app: psycopg.Connection[Any], call: str, first: list[object], second: list[object]
) -> None:
    found = {}
    for tenant in ("", "first", "second", "third"):
        app.execute("SELECT set_config('app.current_tenant_id', %s, true)", [tenant])
        rows = app.execute(f"SELECT * FROM {call} AS t".encode()).fetchall()
        found[tenant] = [tuple(str(v) if not isinstance(v, (int, str)) else v for v in row) for row in rows]
    assert found == {"": [], "first": first, "second": second, "third": []}


def test_without_a_tenant_it_finds_nothing(app: psycopg.Connection[Any]) -> None:
    assert app.execute("SELECT like_title('')").fetchall() == []


def test_under_signed_values_a_missing_tenant_raises(make_db: MakeDatabase, tmp_path: Any) -> None:
    subject = corpus.build(CASES["searches_signed"], make_db, tmp_path)
    apply.apply(subject.db.dsn, planner.plan(subject.spec, subject.before, "transactional"))
    with corpus.signing(subject), subject.db.connect(autocommit=False) as conn:
        (signed,) = conn.execute(
            "SELECT tenant_context.sign('0b9f2a0e-6a0f-4d52-8a3f-1f6f3c1b2a4d', 60)"
        ).fetchone() or ("",)
        conn.execute(f'SET SESSION AUTHORIZATION "{subject.spec.roles.app}"'.encode())
        conn.execute("SELECT set_config('app.current_tenant_id', %s, true)", [signed])
        assert len(conn.execute("SELECT tagged('{b}')").fetchall()) == 2
        assert len(conn.execute("SELECT tagged('{a}')").fetchall()) == 1
        conn.execute("SET LOCAL app.current_tenant_id = '0b9f2a0e-6a0f-4d52-8a3f-1f6f3c1b2a4d'")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):  # of its own making
            conn.execute("SELECT tagged('{b}')")


@pytest.mark.parametrize(
    "statement",
    [
        "SET ROLE {searcher}",
        f"ALTER FUNCTION {DOCS} RESET plan_cache_mode",
    ],
)
def test_the_application_cannot_change_or_become_one(
    world: Subject, app: psycopg.Connection[Any], statement: str
) -> None:
    searcher = world.spec.roles.searcher
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute(statement.format(searcher=f'"{searcher}"').encode())


def test_the_role_reads_no_more_than_it_compares(world: Subject) -> None:
    with world.db.connect(autocommit=False) as conn:
        conn.execute(f'SET ROLE "{world.spec.roles.searcher}"'.encode())
        assert conn.execute('SELECT count(found) FROM "Odd ""docs"""').fetchone() == (20004,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute('SELECT body FROM "Odd ""docs"""')
        conn.rollback()


@pytest.mark.parametrize(
    ("call", "index"),
    [
        ("\"search docs\"('word7', NULL)", "docs_found"),
        ("like_title('f1c1592588411002')", "docs_title"),
        ("close_title('f1c1592588411002af340cbaedd6fc33')", "docs_title"),
        ("readings_with('{\"n\": 7}')", "readings_new_tags_idx"),
    ],
)
def test_the_index_serves_the_tenants_own_role(app: psycopg.Connection[Any], call: str, index: str) -> None:
    """Where the planner would rather do anything than read a whole table; the server's counters tell."""
    app.execute("SET LOCAL app.current_tenant_id = 'large'")
    app.execute("SET LOCAL enable_seqscan = off")
    assert app.execute(f"SELECT {call}".encode()).fetchall()
    scans = "SELECT pg_stat_get_xact_numscans(to_regclass(%s))"
    found = app.execute(scans, [index]).fetchone()
    assert found is not None
    assert found[0] > 0


# The checks


def _found(world: Subject, *statements: str) -> set[tuple[str, str]]:
    """Check and object of each finding about functions, policies and indexes after statements that are undone."""
    with world.db.connect(autocommit=False) as conn:
        for statement in statements:
            conn.execute(_named(world, statement).encode())
        review = checks.examine(conn, Request(world.spec, (world.spec.roles.app,)), now=NOW)
        conn.rollback()
    assert not [f.message for f in review.findings if f.check == "check-failed"]
    about = ("definer", "policy", "role", "index")
    return {(f.check, f.object) for f in review.findings if f.check.startswith(about)}


def _named(world: Subject, statement: str) -> str:
    return statement.replace("{searcher}", world.spec.roles.searcher).replace("{app}", world.spec.roles.app)


def test_the_checks_are_clean(world: Subject) -> None:
    assert _found(world) == set()


LIKE = "like_title(part text, max_rows integer, skip_rows integer)"
WITHOUT = (
    "CREATE OR REPLACE FUNCTION like_title(part text, max_rows integer DEFAULT NULL, skip_rows integer DEFAULT 0) RETURNS SETOF bigint "
    "LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan "
    'AS $$\n#variable_conflict use_column\nBEGIN\nRETURN QUERY SELECT "Id" FROM "public"."Odd ""docs"""\n'
    "WHERE \"Title (en)\" ILIKE '%' || part || '%' \nORDER BY \"Id\"\nLIMIT $2 OFFSET $3;\nEND$$"
)
SABOTAGES = {
    "a body without the tenant": ([WITHOUT], ("definer-free", LIKE), ["observe.search.like_title"]),
    "a body that goes on": (
        [
            WITHOUT.replace(
                'WHERE "Title',
                'WHERE "tenant_id" = current_setting(\'app.current_tenant_id\', true)\nAND ("Title',
            ).replace("'%' \nORDER BY", "'%' ) OR (true)\nORDER BY")
        ],
        ("definer-free", LIKE),
        ["observe.search.like_title"],
    ),
    "another language": (
        [
            WITHOUT.replace("plpgsql", "sql")
            .replace("\n#variable_conflict use_column\nBEGIN\nRETURN QUERY ", "")
            .replace(";\nEND", "")
        ],
        ("definer-free", LIKE),
        ["observe.search.like_title"],
    ),
    "no search path": (
        ["ALTER FUNCTION like_title RESET search_path"],
        ("definer-path", LIKE),
        ["observe.search.like_title"],
    ),
    "plans that are kept": (
        ["ALTER FUNCTION like_title RESET plan_cache_mode"],
        ("definer-free", LIKE),
        ["observe.search.like_title"],
    ),
    "another setting": (
        ["ALTER FUNCTION like_title SET row_security = off"],
        ("definer-free", LIKE),
        ["observe.search.like_title"],
    ),
    "another owner": (
        ["ALTER FUNCTION like_title OWNER TO CURRENT_USER"],
        ("definer-free", LIKE),
        ["observe.search.like_title"],
    ),
    "everybody's": (
        ["GRANT EXECUTE ON FUNCTION like_title TO PUBLIC"],
        ("definer-public", LIKE),
        ["observe.search.like_title"],
    ),
    "a policy for the application": (
        ['ALTER POLICY tenant_search ON readings TO "{searcher}", "{app}"'],
        ("policy-open", "readings"),
        ["observe.readings.search"],
    ),
    "a policy that writes": (
        [
            "DROP POLICY tenant_search ON readings",
            'CREATE POLICY tenant_search ON readings TO "{searcher}" USING (true)',
        ],
        ("policy-other-roles", "readings"),
        ["observe.readings.search"],
    ),
    "an owner that somebody is": (
        ["CREATE ROLE somebody", 'GRANT "{searcher}" TO somebody'],
        ("policy-other-roles", "readings"),
        None,
    ),
    "an owner that logs in": (['ALTER ROLE "{searcher}" LOGIN'], ("policy-other-roles", "readings"), None),
    "an owner without policies": (['ALTER ROLE "{searcher}" BYPASSRLS'], ("definer-free", LIKE), None),
    "another function of the role's": (
        [
            "CREATE FUNCTION other() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp "
            "AS 'SELECT count(*) FROM public.readings'",
            'ALTER FUNCTION other() OWNER TO "{searcher}"',
        ],
        ("definer-free", "other()"),
        [],
    ),
    "the same name, other arguments": (
        [
            "CREATE FUNCTION like_title(text) RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp "
            "AS 'SELECT count(*) FROM public.readings'",
            'ALTER FUNCTION like_title(text) OWNER TO "{searcher}"',
        ],
        ("definer-free", "like_title(text)"),
        ["observe.search.like_title"],
    ),
    "a policy gone": (["DROP POLICY tenant_search ON readings"], None, ["observe.readings.search"]),
    "a function gone": ([f"DROP FUNCTION {DOCS}"], None, ["observe.search.search docs"]),
    "another column": (
        ['GRANT SELECT (note), INSERT (note) ON readings TO "{searcher}"'],
        None,
        ["observe.readings.search.columns"],
    ),
    "the whole table": (
        ['GRANT SELECT ON readings TO "{searcher}"'],
        None,
        ["observe.readings.search.columns"],
    ),
    "a column less": (
        ['REVOKE SELECT (tags) ON readings FROM "{searcher}"'],
        None,
        ["observe.readings.search.columns"],
    ),
}


@pytest.mark.parametrize("name", SABOTAGES)
def test_what_differs_is_found_and_planned_back(world: Subject, name: str) -> None:
    statements, finding, steps = SABOTAGES[name]
    if finding is not None:
        assert finding in _found(world, *statements)
    with world.db.connect(autocommit=False) as conn:
        for statement in statements:
            conn.execute(_named(world, statement).encode())
        if steps is None:
            with pytest.raises(PlanError, match=world.spec.roles.searcher):
                planner.plan(world.spec, introspect.read(conn), "online")
        else:
            plan = planner.plan(world.spec, introspect.read(conn), "online")
            assert [s.id for s in plan.steps] == steps
            corpus.by_hand(conn, plan.steps)
            assert planner.plan(world.spec, introspect.read(conn), "online").steps == ()
        conn.rollback()


def test_a_function_that_is_somebody_elses_stops_the_planner(world: Subject) -> None:
    with world.db.connect(autocommit=False) as conn:
        conn.execute(WITHOUT.encode())
        conn.execute("ALTER FUNCTION like_title OWNER TO CURRENT_USER")
        with pytest.raises(PlanError, match=r"like_title.*is already there and is somebody else's"):
            planner.plan(world.spec, introspect.read(conn), "online")
        conn.rollback()


# The proof


def _worlds(world: Subject) -> dict[str, tuple[str, str]]:
    proof = prove(world.db.dsn, world.spec, mode="full", now=NOW)
    return {o.object: (o.status, o.detail) for o in proof.outcomes if o.attack == "worlds"}


def test_a_proof_calls_them_and_says_what_they_read(world: Subject) -> None:
    proof = prove(world.db.dsn, world.spec, mode="full", now=NOW)
    assert proof.proven, proof
    called = {o.object: o.status for o in proof.outcomes if o.attack == "worlds" and "(" in o.object}
    assert called == dict.fromkeys(
        [
            "search docs(text, text)",
            "like_title(text)",
            "close_title(text)",
            "readings_with(jsonb)",
            "settings_like(text)",
        ],
        "held",
    )
    assert (
        'search like_title(text, integer, integer): it reads Odd "docs" (Id, tenant_id, Title (en)) of every tenant, and '
        "returns keys of the session's; how long it takes tells of the others"
    ) in proof.not_looked_at


@pytest.mark.parametrize(
    "name",
    [
        "search docs(text, text)",
        "like_title(text)",
        "close_title(text)",
        "readings_with(jsonb)",
        "settings_like(text)",
    ],
)
def test_a_body_without_the_tenant_is_a_breach(world: Subject, name: str) -> None:
    """Whatever way of searching: the attack asks for what is in the other tenant's rows."""
    function = f'public."{name.partition("(")[0]}"'
    with world.db.connect() as conn:
        (text,) = conn.execute("SELECT pg_get_functiondef(%s::regproc)", [function]).fetchone() or ("",)
        bad = text.replace("\"tenant_id\" = current_setting('app.current_tenant_id', true)", "true")
        assert bad != text
        conn.execute(bad.encode())
        try:
            assert _worlds(world)[name][0] == "breached"
        finally:
            conn.execute(text.encode())
    assert _worlds(world)[name][0] == "held"


# The server's word on what the spec has written in SQL


@pytest.mark.parametrize(
    ("arguments", "match", "order", "said"),
    [
        (("w text",), "titel = w", None, 'column "titel" does not exist'),
        (("w text",), "body || w", None, "argument of AND must be type boolean, not type text"),
        (("w text",), "body = = w", None, "syntax error"),
        (("w text",), "body % w > 0", None, "operator does not exist: text % text"),
        (("w text",), "similarity(body, w) > 0.5", None, "function similarity(text, text) does not exist"),
        (("w public.odd",), "body = w::text", None, 'type "public.odd" does not exist'),
        (("w text",), "body = w AND count(*) > 1", None, "aggregate functions are not allowed in WHERE"),
        (("w text",), "body = w", "nothing", 'column "nothing" does not exist'),
        (("w text",), "body = w", "body DESC DESC", "syntax error"),
    ],
)
def test_what_the_server_does_not_take_is_told_before_anything_changes(
    make_db: MakeDatabase, tmp_path: Any, arguments: tuple[str, ...], match: str, order: str | None, said: str
) -> None:
    subject = corpus.build(CASES["searches"], make_db, tmp_path)
    search = Search(table=QName("public", 'Odd "docs"'), arguments=arguments, match=match, order=order)
    spec = subject.spec.model_copy(update={"searches": {"wrong": search}})
    plan = planner.plan(spec, subject.before, "online")
    with pytest.raises(ApplyError) as refused:
        apply.apply(subject.db.dsn, plan)
    assert "searches.wrong: the server does not take it" in str(refused.value)
    assert said in str(refused.value)
    assert corpus.everything(subject.catalog()) == corpus.everything(subject.before)

"""Search under row level security: what the checks advise makes the indexes serve the tenant's own role again.

Whether an index served a query is asked of the server's counters in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from tenantry.runtime import tenant
from tenantry.runtime.isolation import Tenancy, isolate
from tenantry.runtime.psycopg import Connection
from tests.servers import Database, Server

LARGE, SMALL = 3000, 20
OWN = "tenant_id = current_setting('app.current_tenant_id', true)"
TABLE = f"""
CREATE TABLE tenants (id text PRIMARY KEY);
INSERT INTO tenants VALUES ('large'), ('small');
CREATE TYPE level AS ENUM ('low', 'high');
CREATE TABLE items (
    id int PRIMARY KEY, tenant_id text NOT NULL, name text NOT NULL, tags jsonb NOT NULL, level level NOT NULL,
    search tsvector NOT NULL
);
INSERT INTO items SELECT i, CASE WHEN i > {LARGE} THEN 'small' ELSE 'large' END, 'Name ' || i, jsonb_build_object('n', i),
    CASE WHEN i % 100 = 0 THEN 'high' ELSE 'low' END::level, to_tsvector('simple', 'common word' || i)
    FROM generate_series(1, {LARGE + SMALL}) i;
CREATE EXTENSION pg_trgm
""".strip().split(";\n")


@pytest.fixture(scope="module")
def database(server: Server) -> Iterator[Database]:
    with server.databases() as make:
        db = make()
        with db.connect() as admin:
            admin.execute(f"CREATE ROLE {db.role('app')} LOGIN".encode())
            admin.execute(f"CREATE ROLE {db.role('searcher')}".encode())
            for statement in TABLE:
                admin.execute(statement.encode())
            for statement in isolate("items", Tenancy(app=db.role("app"))):
                admin.execute(statement.encode())
            admin.execute("VACUUM ANALYZE items")
        yield db


@pytest.fixture
def admin(database: Database) -> Iterator[psycopg.Connection[Any]]:
    with database.connect() as conn:
        yield conn


@pytest.fixture
def app(database: Database) -> Iterator[Connection[Any]]:
    with Connection.connect(database.dsn, user=database.role("app")) as conn:
        yield conn


@dataclass(frozen=True)
class Answer:
    ids: list[int]
    scans: int  # of the index in question


def ask(conn: Connection[Any], who: str, query: str, index: str) -> Answer:
    """What a tenant finds, where the planner would rather do anything than read a whole table."""
    with tenant(who), conn.transaction():
        conn.execute("SET LOCAL enable_seqscan = off")
        ids = [id for (id,) in conn.execute(query.encode()).fetchall()]
        (scans,) = conn.execute("SELECT pg_stat_get_xact_numscans(%s::regclass)", [index]).fetchone() or (0,)
    return Answer(sorted(ids), scans)


SEARCHES = {
    "full text": ("USING gin (search)", "search @@ to_tsquery('simple', {})", "'word7'", "word7", 7),
    "trigrams": ("USING gin (name gin_trgm_ops)", "name ILIKE {}", "'%me 777%'", "%me 777%", 777),
    "jsonb": ("USING gin (tags)", "tags @> {}::jsonb", """'{"n": 8}'""", '{"n": 8}', 8),
}


def function(admin: psycopg.Connection[Any], condition: str, owner: str, app: str) -> None:
    """The advice of index-unusable."""
    for statement in (
        "CREATE OR REPLACE FUNCTION found(value text) RETURNS SETOF int LANGUAGE sql STABLE SECURITY DEFINER "
        "SET search_path = pg_catalog, public, pg_temp SET plan_cache_mode = force_custom_plan "
        f"AS $$ SELECT id FROM public.items WHERE {OWN} AND {condition.format('value')} $$",
        f"ALTER FUNCTION found(text) OWNER TO {owner}",
        "REVOKE EXECUTE ON FUNCTION found(text) FROM PUBLIC",
        f"GRANT EXECUTE ON FUNCTION found(text) TO {app}",
    ):
        admin.execute(statement.encode())


@pytest.mark.parametrize("kind", SEARCHES)
def test_a_function_of_a_role_with_a_policy_of_its_own_lets_the_index_serve(
    kind: str, database: Database, admin: psycopg.Connection[Any], app: Connection[Any]
) -> None:
    index, condition, literal, value, id = SEARCHES[kind]
    searcher, role = database.role("searcher"), database.role("app")
    admin.execute(f"CREATE INDEX searched ON items {index}".encode())
    try:
        plain = ask(app, "large", f"SELECT id FROM items WHERE {condition.format(literal)}", "searched")
        assert plain == Answer([id], 0)
        admin.execute(f"GRANT SELECT ON items TO {searcher}".encode())
        joined = "SELECT id FROM items WHERE id = ANY (ARRAY(SELECT found('{}')))".format(
            value.replace("'", "''")
        )

        # A role that the policies bind like the application searches no better.
        function(admin, condition, searcher, role)
        assert ask(app, "large", joined, "searched") == plain

        admin.execute(f"CREATE POLICY search ON items FOR SELECT TO {searcher} USING (true)".encode())
        assert ask(app, "large", joined, "searched") == Answer([id], 1)
        # And whoever calls it, or leaves the join out, finds nothing of others.
        assert ask(app, "small", "SELECT found('{}')".format(value.replace("'", "''")), "searched").ids == []
    finally:
        admin.execute("DROP POLICY IF EXISTS search ON items")
        admin.execute("DROP FUNCTION IF EXISTS found(text)")
        admin.execute("DROP INDEX searched")


def test_a_generated_column_takes_the_place_of_an_expression(
    admin: psycopg.Connection[Any], app: Connection[Any]
) -> None:
    admin.execute("CREATE INDEX by_lower ON items (lower(name))")
    assert ask(app, "large", "SELECT id FROM items WHERE lower(name) = 'name 9'", "by_lower") == Answer(
        [9], 0
    )
    admin.execute("ALTER TABLE items ADD COLUMN lowered text GENERATED ALWAYS AS (lower(name)) STORED")
    admin.execute("CREATE INDEX by_lowered ON items (tenant_id, lowered)")
    assert ask(app, "large", "SELECT id FROM items WHERE lowered = 'name 9'", "by_lowered") == Answer([9], 1)


def test_an_enum_is_filtered_within_an_index_that_the_tenant_leads(
    admin: psycopg.Connection[Any], app: Connection[Any]
) -> None:
    admin.execute("CREATE INDEX by_level ON items (level) INCLUDE (id)")
    query = "SELECT id FROM items WHERE level = 'high'"
    assert ask(app, "large", query, "by_level").scans == 0
    admin.execute("CREATE INDEX led_by_tenant ON items (tenant_id, level) INCLUDE (id)")
    admin.execute("VACUUM ANALYZE items")
    assert ask(app, "large", query, "led_by_tenant") == Answer(list(range(100, LARGE + 1, 100)), 1)


# Vectors

NEAREST = 10
NEAR = "SELECT id FROM places ORDER BY place <=> '[1, 2, 3, 4]' LIMIT 10"
EXACT = "SELECT id FROM places ORDER BY (place <=> '[1, 2, 3, 4]') + 0 LIMIT 10"  # no index has this order: every row of the tenant is looked at


@pytest.fixture(scope="module")
def vectors(database: Database) -> None:
    with database.connect() as admin:
        if admin.execute("SELECT FROM pg_available_extensions WHERE name = 'vector'").fetchone() is None:
            pytest.skip("NOT TESTED HERE: this PostgreSQL has no pgvector")
        for statement in (
            "CREATE EXTENSION vector",
            "CREATE TABLE places (id int PRIMARY KEY, tenant_id text NOT NULL, place vector(4) NOT NULL)",
            "SELECT setseed(0.5)",
            "INSERT INTO places SELECT i, CASE WHEN i % 150 = 0 THEN 'small' ELSE 'large' END, "
            f"ARRAY[random(), random(), random(), random()]::vector FROM generate_series(1, {LARGE}) i",
            "CREATE INDEX near ON places USING hnsw (place vector_cosine_ops)",
            *isolate("places", Tenancy(app=database.role("app"))),
            "VACUUM ANALYZE places",
        ):
            admin.execute(statement.encode())


def nearest(conn: Connection[Any], who: str, *settings: str, query: str = NEAR) -> list[int]:
    """The ids that a tenant finds by the index, which the planner is made to use."""
    with tenant(who), conn.transaction():
        for setting in ("enable_sort = off", "hnsw.ef_search = 100", *settings):
            conn.execute(f"SET LOCAL {setting}".encode())
        (plan,) = conn.execute(f"EXPLAIN (FORMAT JSON) {query}".encode()).fetchone() or ("",)
        assert (query != NEAR) != ("near" in str(plan))
        return [id for (id,) in conn.execute(query.encode()).fetchall()]


@pytest.mark.usefixtures("vectors")
@pytest.mark.parametrize("who", ["small", "large"])
def test_an_iterative_scan_finds_the_nearest_of_a_small_tenant_as_of_a_large_one(
    who: str, app: Connection[Any]
) -> None:
    found = nearest(app, who, "hnsw.iterative_scan = relaxed_order")
    truth = nearest(app, who, query=EXACT)
    assert len(found) == NEAREST
    assert len(set(found) & set(truth)) >= 0.9 * NEAREST


@pytest.mark.usefixtures("vectors")
def test_without_it_a_small_tenant_gets_too_few(app: Connection[Any]) -> None:
    assert len(nearest(app, "small")) < NEAREST == len(nearest(app, "large"))


@pytest.mark.usefixtures("vectors")
def test_a_scan_that_gives_up_is_followed_by_an_exact_one(app: Connection[Any]) -> None:
    """As it does in a table of hundreds of thousands: then fewer rows come, and the second query finds the rest."""
    limits = ("hnsw.iterative_scan = relaxed_order", "hnsw.max_scan_tuples = 200")
    assert len(nearest(app, "small", *limits)) < NEAREST
    assert len(nearest(app, "small", *limits, query=EXACT)) == NEAREST

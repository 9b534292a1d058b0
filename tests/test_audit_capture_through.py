"""Captured rows without a tenant column: their events have the tenant of the parent that the transaction sees, or say
that it is unknown; never another one.
"""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tenantry import introspect, planner, spec
from tenantry.apply import apply
from tests.extended import become, bind, events, undone
from tests.servers import Database, Server

SCHEMA = """
CREATE TABLE users (id integer CONSTRAINT users_pkey PRIMARY KEY, name text);
CREATE TABLE accounts (
    id integer CONSTRAINT accounts_pkey PRIMARY KEY, label text,
    user_id integer CONSTRAINT accounts_user_fkey REFERENCES users ON DELETE CASCADE ON UPDATE CASCADE DEFERRABLE
);
CREATE TABLE visits (user_id integer NOT NULL CONSTRAINT visits_user_fkey REFERENCES users ON DELETE CASCADE, page text);
CREATE TABLE parted (id integer, user_id integer NOT NULL, CONSTRAINT parted_pkey PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (100);
INSERT INTO users VALUES (1, 'ann');
"""
TOML = """
[tenancy]
{tenancy}

[tenancy.default]
id = "acme"
name = "Acme"
slug = "acme"

[roles]
app = "{app}"

[audit]
events = "extended"
owner = "{owner}"
reader = "{reader}"
capture = ["accounts", {{ table = "visits", each = "row" }}, "parted"]

[tables]
users = {{ scope = "tenant", backfill = {{ constant = "acme" }}, primary_key = "global" }}
accounts = {{ scope = "through", parent = "users" }}
visits = {{ scope = "through", parent = "users" }}
parted = {{ scope = "through", parent = "users", on = {{ user_id = "id" }} }}
"""
KNOWN, UNKNOWN = {"captured": True}, {"captured": True, "tenant": "unknown"}


def converted(db: Database, tenancy: str = "") -> str:
    """The application's role."""
    roles = {"app": db.role("app"), "owner": db.role("trail"), "reader": db.role("auditors")}
    declared = spec.parse(TOML.format(**roles, tenancy=tenancy))
    with db.connect() as conn:
        conn.execute(SCHEMA.encode())
        catalog = introspect.read(conn)
    apply(db.dsn, planner.plan(declared, catalog, "online"))
    with db.connect() as conn:
        assert not planner.plan(declared, introspect.read(conn), "online").steps
        conn.execute("INSERT INTO tenants (id, name, slug) VALUES ('globex', 'Globex', 'globex')")
        conn.execute(
            "INSERT INTO users (id, name, tenant_id) VALUES (2, 'bob', 'globex'), (3, 'cid', 'acme')"
        )
        conn.execute("INSERT INTO accounts VALUES (1, 'a', 1), (2, 'b', 2)")
        conn.execute("INSERT INTO visits VALUES (1, '/'), (2, '/')")
    return roles["app"]


@pytest.fixture(scope="module")
def world(server: Server) -> Iterator[tuple[Database, str]]:
    with server.databases() as make:
        db = make()
        yield db, converted(db)


@pytest.fixture
def conn(world: tuple[Database, str]) -> Iterator[psycopg.Connection[Any]]:
    """A session of acme, as a superuser; what it does is undone."""
    with undone(world[0]) as found:
        found.execute("CREATE TEMP TABLE mark ON COMMIT DROP AS SELECT max(seq) AS seq FROM audit_logs")
        bind(found, tenant="acme")
        yield found


def told(conn: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    """Tenant, what, which, and whether it is called unknown, of the events since the test began."""
    found = events(conn, "tenant_id, action, resource_id, context", "seq > (SELECT seq FROM mark)")
    assert [context for *_, context in found] == [KNOWN if tenant else UNKNOWN for tenant, *_ in found]
    return [(tenant, f"{action.removeprefix('row.')} {key or '-'}") for tenant, action, key, _ in found]


@pytest.mark.parametrize("as_app", [False, True])
def test_a_row_has_the_tenant_of_its_parent(
    conn: psycopg.Connection[Any], world: tuple[Database, str], as_app: bool
) -> None:
    if as_app:
        conn.execute("GRANT SELECT ON mark TO PUBLIC")
        become(conn, world[1])
    conn.execute("INSERT INTO accounts VALUES (10, 'x', 1), (11, 'y', 3)")
    conn.execute("UPDATE accounts SET label = 'z' WHERE id = 10")
    conn.execute("DELETE FROM accounts WHERE id = 11")
    conn.execute("INSERT INTO visits VALUES (1, '/x')")
    conn.execute("UPDATE visits SET page = '/y' WHERE page = '/x'")
    conn.execute("DELETE FROM visits WHERE page = '/y'")
    if not as_app:
        conn.execute("INSERT INTO parted VALUES (1, 1)")
        conn.execute("DELETE FROM parted_low")
    # As an administrator of the tenant sees it: its own events are there.
    assert told(conn) == [
        ("acme", "insert 10"), ("acme", "insert 11"), ("acme", "update 10"), ("acme", "delete 11"),
        ("acme", "insert -"), ("acme", "update -"), ("acme", "delete -"),
        *([] if as_app else [("acme", "insert 1"), ("acme", "delete 1")]),
    ]  # fmt: skip


def test_the_tenant_is_the_parents_and_not_the_settings(conn: psycopg.Connection[Any]) -> None:
    """A superuser reaches rows of others: they are not told to the tenant that happens to be set."""
    conn.execute("INSERT INTO accounts VALUES (20, 'x', 1), (21, 'y', 2)")
    conn.execute("UPDATE accounts SET label = 'z' WHERE id IN (20, 21)")
    conn.execute("DELETE FROM visits WHERE user_id = 2")
    assert sorted(told(conn), key=str) == [
        ("acme", "insert 20"), ("acme", "update 20"), (None, "delete -"), (None, "insert 21"), (None, "update 21"),
    ]  # fmt: skip


@pytest.mark.parametrize("tenant", ["", "nobody"])
def test_without_a_tenant_it_is_unknown(conn: psycopg.Connection[Any], tenant: str) -> None:
    bind(conn, tenant=tenant)
    conn.execute("INSERT INTO accounts VALUES (30, 'x', 1)")
    conn.execute("UPDATE visits SET page = '/n'")
    assert told(conn) == [(None, "insert 30"), (None, "update -"), (None, "update -")]


def test_what_goes_with_its_parent_is_unknown(conn: psycopg.Connection[Any]) -> None:
    conn.execute("DELETE FROM users WHERE id = 1")
    assert sorted(told(conn), key=str) == [(None, "delete -"), (None, "delete 1")]
    # Where the application removes what is behind the parent first, it is known.
    conn.execute("INSERT INTO accounts VALUES (40, 'x', 3)")
    conn.execute("DELETE FROM accounts WHERE user_id = 3")
    conn.execute("DELETE FROM users WHERE id = 3")
    assert told(conn)[2:] == [("acme", "insert 40"), ("acme", "delete 40")]


def test_another_parent_is_another_row_whose_tenant_may_be_another(conn: psycopg.Connection[Any]) -> None:
    conn.execute("UPDATE accounts SET user_id = 3 WHERE id = 1")
    conn.execute("UPDATE accounts SET user_id = 2 WHERE id = 1")
    conn.execute("UPDATE visits SET user_id = 2 WHERE user_id = 1")
    assert [sorted(told(conn)[n : n + 2], key=str) for n in (0, 2, 4)] == [
        [("acme", "delete 1"), ("acme", "insert 1")],
        [("acme", "delete 1"), (None, "insert 1")],
        [("acme", "delete -"), (None, "insert -")],
    ]
    # What goes to another tenant is in neither's event as the other's: each tells its own side only.
    (sides,) = conn.execute(
        "SELECT array_agg(metadata ? 'old' ORDER BY seq) FROM audit_logs WHERE seq > (SELECT seq FROM mark)"
        " AND resource_type = 'visits'"
    ).fetchall()
    assert sides == ([True, False],)


def test_a_parent_that_gets_another_key(conn: psycopg.Connection[Any]) -> None:
    conn.execute("DELETE FROM visits")
    conn.execute("ALTER TABLE visits DISABLE TRIGGER USER")
    before = len(told(conn))
    conn.execute("UPDATE users SET id = 100 WHERE id = 1")
    assert sorted(told(conn)[before:], key=str) == [("acme", "insert 1"), (None, "delete 1")]


def test_a_row_without_a_parent_and_one_that_comes_before_it(conn: psycopg.Connection[Any]) -> None:
    conn.execute("INSERT INTO accounts VALUES (50, 'x', NULL)")
    conn.execute("UPDATE accounts SET label = 'y' WHERE id = 50")
    conn.execute("SET CONSTRAINTS ALL DEFERRED")
    conn.execute("INSERT INTO accounts VALUES (51, 'x', 99)")
    conn.execute("INSERT INTO users (id, name, tenant_id) VALUES (99, 'late', 'acme')")
    conn.execute("UPDATE accounts SET label = 'y' WHERE id = 51")
    assert told(conn) == [
        (None, "insert 50"), (None, "update 50"), (None, "insert 51"), ("acme", "update 51"),
    ]  # fmt: skip


def test_where_a_policy_raises_without_a_tenant_a_change_is_not_refused(db: Database) -> None:
    converted(db, 'missing = "raise"')
    with undone(db) as conn:
        conn.execute("CREATE TEMP TABLE mark ON COMMIT DROP AS SELECT max(seq) AS seq FROM audit_logs")
        conn.execute("UPDATE accounts SET label = 'q' WHERE id = 1")
        bind(conn, tenant="acme")
        conn.execute("UPDATE accounts SET label = 'r' WHERE id = 1")
        assert told(conn) == [(None, "update 1"), ("acme", "update 1")]

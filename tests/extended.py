"""A small database with an extended trail, for the tests of events, captured changes and the trail's guards."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import psycopg.sql

from tenantry import introspect, planner, spec
from tenantry.apply import apply
from tenantry.spec import Spec
from tests.servers import Database

SCHEMA = """
CREATE TYPE state AS ENUM ('open', 'done');
CREATE TABLE desks (
    id integer CONSTRAINT desks_pkey PRIMARY KEY, name text, doc json, num numeric, at state, secret text,
    twice integer GENERATED ALWAYS AS (1 + 1) STORED
);
CREATE TABLE drawers (
    id integer CONSTRAINT drawers_pkey PRIMARY KEY,
    desk_id integer REFERENCES desks ON DELETE CASCADE ON UPDATE CASCADE, label text
);
CREATE TABLE keyless (a integer, b text);
CREATE TABLE sizes (id integer CONSTRAINT sizes_pkey PRIMARY KEY, label text);
CREATE TABLE parts (id integer, at date, note text, CONSTRAINT parts_pkey PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE parts_old PARTITION OF parts FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE parts_new PARTITION OF parts FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
INSERT INTO desks (id, name) VALUES (1, 'first');
"""
TOML = """
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
actions = ["auth.login", "desk.move"]
ddl = "{ddl}"
write = "{write}"
capture = [{{ table = "desks", redact = ["secret"] }}, "drawers", {{ table = "keyless", only = ["b"] }}, "sizes", "parts"]

[tables]
desks = {{ scope = "tenant", backfill = {{ constant = "acme" }}, primary_key = "global" }}
drawers = {{ scope = "tenant", backfill = {{ constant = "acme" }}, primary_key = "global" }}
keyless = {{ scope = "tenant", backfill = {{ constant = "acme" }} }}
parts = {{ scope = "tenant", backfill = {{ constant = "acme" }}, primary_key = "global" }}
sizes = {{ scope = "shared" }}
"""


def declared(db: Database, *, ddl: str = "open", write: str = "columns") -> Spec:
    """The spec, with roles of the database's own."""
    roles = {"app": db.role("app"), "owner": db.role("trail"), "reader": db.role("auditors")}
    return spec.parse(TOML.format(**roles, ddl=ddl, write=write))


def make(db: Database, **given: str) -> Spec:
    """Schema, conversion, and a second tenant."""
    found = declared(db, **given)
    with db.connect() as conn:
        conn.execute(SCHEMA.encode())
        catalog = introspect.read(conn)
    apply(db.dsn, planner.plan(found, catalog, "online"))
    with db.connect() as conn:
        conn.execute("INSERT INTO tenants (id, name, slug) VALUES ('globex', 'Globex', 'globex')")
    return found


@contextmanager
def undone(db: Database) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's connection in a transaction that is rolled back at the end."""
    with db.connect(autocommit=False) as conn:
        yield conn
        conn.rollback()


def bind(conn: psycopg.Connection[Any], tenant: str = "acme", actor: str = "u1") -> None:
    """What an adapter sets at the beginning of a transaction."""
    conn.execute(
        "SELECT set_config('app.current_tenant_id', %s, true), set_config('app.actor_id', %s, true),"
        " set_config('app.request_id', 'r1', true), set_config('app.session_id', 's1', true),"
        " set_config('app.ip_address', '10.0.0.1', true), set_config('app.user_agent', 'test', true)",
        (tenant, actor),
    )


def become(conn: psycopg.Connection[Any], role: str) -> None:
    """Go on as that role."""
    conn.execute(psycopg.sql.SQL("SET LOCAL ROLE {}").format(psycopg.sql.Identifier(role)))


def events(conn: psycopg.Connection[Any], columns: str, where: str = "true") -> list[tuple[Any, ...]]:
    """What the trail holds, in order, as a superuser sees it."""
    return conn.execute(f"SELECT {columns} FROM audit_logs WHERE {where} ORDER BY seq".encode()).fetchall()

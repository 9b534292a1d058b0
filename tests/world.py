"""What the tests of the lab share: a schema with much that rows can be refused for, and its spec."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg

from tenantry import introspect, planner
from tenantry.catalog import Catalog
from tenantry.names import qualified, spell
from tenantry.session import connect
from tenantry.spec import Spec
from tenantry.world.seed import Seeded, seed
from tests import corpus
from tests.servers import Database

# Each table with one thing more that a row must satisfy. Those of DEMANDING get rows, the others' reasons are told.
DEMANDING = r"""
CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION ltree; CREATE EXTENSION btree_gist;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE addr AS (street text, zip varchar(5), place point);
CREATE DOMAIN email AS citext CHECK (VALUE ~ '^[^@\s]+@[^@\s]+\.[a-z]{2,}$');
CREATE DOMAIN pct AS numeric(5,2) NOT NULL CHECK (VALUE BETWEEN 0 AND 100);
CREATE TABLE plans (code text PRIMARY KEY CHECK (code IN ('free', 'pro')), seats int CHECK (seats >= 500));
CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mail email NOT NULL UNIQUE, plan text NOT NULL REFERENCES plans,
    role text NOT NULL CHECK (role = ANY (ARRAY['admin', 'member'])),
    slug varchar(20) NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(slug) >= 5),
    shout text GENERATED ALWAYS AS (upper(slug)) STORED CHECK (shout <> 'A-A-A'),
    birthday date CHECK (birthday < current_date), password bytea NOT NULL CHECK (octet_length(password) = 32),
    tags text[] NOT NULL CHECK (cardinality(tags) BETWEEN 1 AND 3), moods mood[] NOT NULL,
    settings jsonb NOT NULL CHECK (jsonb_typeof(settings) = 'object' AND settings ? 'theme'),
    home addr NOT NULL CHECK ((home).zip ~ '^\d{5}$'), m mood NOT NULL, ip inet NOT NULL, net cidr, mac macaddr, cash money,
    flags bit(8) NOT NULL, more bit varying(10), words tsvector NOT NULL, extra hstore NOT NULL, path ltree NOT NULL,
    during tstzrange NOT NULL, spans int4multirange, code char(3) NOT NULL CHECK (code ~ '^[A-Z]{3}$'), share pct,
    every interval NOT NULL CHECK (every > interval '2 days'), f float8, area polygon,
    hash text NOT NULL CHECK (hash ~ '^[0-9a-f]{64}$'),
    starts timestamptz NOT NULL, ends timestamptz NOT NULL, CHECK (ends > starts AND ends - starts < interval '10 days'));
CREATE TABLE teams (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), lead_id bigint NOT NULL, name text NOT NULL UNIQUE, UNIQUE (lead_id));
CREATE TABLE members (
    user_id bigint PRIMARY KEY REFERENCES users, team_id uuid NOT NULL REFERENCES teams, boss bigint NOT NULL REFERENCES members,
    kind smallint NOT NULL, CHECK ((kind = 7) = (boss = user_id)));
ALTER TABLE teams ADD FOREIGN KEY (lead_id) REFERENCES members;
CREATE TABLE soft_a (id int PRIMARY KEY, b int);
CREATE TABLE soft_b (id int PRIMARY KEY, a int NOT NULL REFERENCES soft_a);
ALTER TABLE soft_a ADD FOREIGN KEY (b) REFERENCES soft_b;
CREATE TABLE bookings (room int NOT NULL, during tsrange NOT NULL, EXCLUDE USING gist (room WITH =, during WITH &&));
CREATE TABLE one_of (a int, b text, c date, CHECK (num_nonnulls(a, b, c) = 1));
CREATE TABLE wide (
    a1 int NOT NULL, a2 int NOT NULL, a3 int NOT NULL, a4 int NOT NULL, a5 int NOT NULL, a6 int NOT NULL,
    CHECK (a1 + a2 + a3 + a4 + a5 + a6 = 11), CHECK (a1 < a2), CHECK (a6 IN (1, 2)));
CREATE TABLE ev (
    id bigserial, at timestamptz NOT NULL, kind text NOT NULL, body jsonb NOT NULL CHECK ((body ->> 'n')::int > 3),
    PRIMARY KEY (id, at, kind)) PARTITION BY RANGE (at);
CREATE TABLE ev_25 PARTITION OF ev FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
CREATE TABLE ev_26 PARTITION OF ev FOR VALUES FROM ('2026-01-01') TO ('2026-02-01') PARTITION BY LIST (kind);
CREATE TABLE ev_26_a PARTITION OF ev_26 FOR VALUES IN ('alpha', 'beta');
CREATE TABLE ev_26_d PARTITION OF ev_26 DEFAULT;
CREATE TABLE spread (uid bigint PRIMARY KEY REFERENCES users) PARTITION BY HASH (uid);
CREATE TABLE spread_0 PARTITION OF spread FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE spread_1 PARTITION OF spread FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE FUNCTION known() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN IF NEW.state NOT IN ('draft', 'final') THEN RAISE 'state % is not known', NEW.state; END IF; RETURN NEW; END $$;
CREATE TABLE doc (id int PRIMARY KEY, state text NOT NULL);
CREATE TRIGGER known BEFORE INSERT ON doc FOR EACH ROW EXECUTE FUNCTION known();
CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'never by hand'; END $$;
CREATE TABLE ledger (id int PRIMARY KEY, amount numeric NOT NULL);
CREATE TRIGGER never BEFORE INSERT ON ledger FOR EACH ROW EXECUTE FUNCTION never();
CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TABLE swallowed (id int PRIMARY KEY);
CREATE TRIGGER gone BEFORE INSERT ON swallowed FOR EACH ROW EXECUTE FUNCTION gone();
CREATE TABLE lower_names (name text); CREATE UNIQUE INDEX ON lower_names (lower(name));
CREATE TABLE bools (a boolean NOT NULL, b boolean NOT NULL, UNIQUE (a, b));
CREATE TABLE parent (id int PRIMARY KEY, v text NOT NULL);
CREATE TABLE child (extra date NOT NULL) INHERITS (parent);
CREATE TABLE trees (id int PRIMARY KEY, up int NOT NULL REFERENCES trees, o int NOT NULL, n int NOT NULL CHECK (n > o));
CREATE TABLE digits (n text NOT NULL CHECK (
    length(n) = 8 AND n ~ '^\d+$' AND (substr(n, 1, 1)::int + substr(n, 8, 1)::int) % 10 = 0));
CREATE TABLE spans (r int4range PRIMARY KEY CHECK (lower(r) >= 100 AND upper(r) - lower(r) = 5));
"""
HOPELESS = """
CREATE TABLE never (id int PRIMARY KEY, x text, CONSTRAINT never_ever CHECK (false));
CREATE TABLE under_never (id int PRIMARY KEY, n int NOT NULL REFERENCES never);
CREATE TABLE single (id boolean PRIMARY KEY DEFAULT true CHECK (id), v text);
"""


def demand(db: Database, sql: str) -> Spec:
    """Make the tables of ``sql`` and convert them: all are tenants', but for plans."""
    with db.connect() as conn:
        conn.execute(sql.encode())
        catalog = introspect.read(conn)
        found = Spec.model_validate(
            {
                "tenancy": {"default": {"id": "first", "name": "First", "slug": "first"}},
                "roles": {"app": db.role("app")},
                "tables": dict(_rules(catalog)),
            }
        )
        corpus.by_hand(conn, planner.plan(found, catalog, "transactional").steps)
    return found


def _rules(catalog: Catalog) -> Iterator[tuple[str, dict[str, Any]]]:
    for table in catalog.tables:
        if table.partition_of or table.parents:
            continue
        rule: dict[str, Any] = {"scope": "tenant", "backfill": {"constant": "first"}}
        if table.primary_key:
            rule["primary_key"] = "global"
        keys = [i for i in table.indexes if (i.unique or i.exclusion) and not i.primary]
        rule["unique"] = {i.name: "tenant" for i in keys}
        if table.triggers:
            rule["triggers"] = "fire"
        yield spell(table.qname), {"scope": "shared"} if table.name == "plans" else rule


def seeded(db: Database, spec: Spec) -> Seeded:
    with contextlib.closing(connect(db.dsn, "lab")) as conn:
        return seed(conn, spec)


def rows(conn: psycopg.Connection[Any]) -> dict[str, list[Any]]:
    """Every row of every table, as text, but for what is made of the clock or by chance."""
    return {
        str(table.qname): conn.execute(
            f"SELECT t::text FROM {qualified(table.qname)} AS t ORDER BY 1".encode()
        ).fetchall()
        for table in introspect.read(conn).tables
    }

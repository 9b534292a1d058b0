"""What does it cost to record every row change: the triggers of the plan, beside a generic row trigger, and beside none?

The generic one is stated anew here as its users know it: for each row a function in PL/pgSQL looks up the primary key in
the catalogs, makes ids of old and new row from it, and writes both rows whole into one table with five indexes; as in such a function
that is safe, its search path is fixed. Its ids are MD5 sums and not version 5 UUIDs, which makes it a little cheaper.
Processor time of the session for one row, since the machine may be busy with other things; in turn, in an order of
chance; medians. Linux only. `--json FILE` writes every figure.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from _arms import cpu
from psycopg.conninfo import make_conninfo

from tenantry import embedded, introspect, planner, spec
from tenantry.apply import apply

SETTINGS = {
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "synchronous_commit": "off",
    "autovacuum": "off",
}
SPEC = """
[tenancy.default]
id = "acme"
name = "Acme"
slug = "acme"

[audit]
events = "extended"
capture = ["orders"]

[tables.orders]
scope = "tenant"
backfill = { constant = "acme" }
primary_key = "global"
"""
SCHEMA = (
    "CREATE TABLE orders (id bigint PRIMARY KEY, customer text NOT NULL, state text NOT NULL, total numeric(12, 2),"
    " note text, placed_at timestamptz NOT NULL, paid_at timestamptz, quantity integer, express boolean, details jsonb)"
)
GENERIC = (
    """CREATE TABLE versions (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, row_id uuid, old_row_id uuid, verb text NOT NULL,
        at timestamptz NOT NULL DEFAULT now(), relation oid NOT NULL, in_schema name NOT NULL, in_table name NOT NULL,
        new_row jsonb, old_row jsonb, login text DEFAULT current_setting('app.actor_id', true),
        CHECK (row_id IS NOT NULL OR old_row_id IS NOT NULL OR verb = 'TRUNCATE'))""",
    "CREATE INDEX ON versions (row_id) WHERE row_id IS NOT NULL",
    "CREATE INDEX ON versions (old_row_id) WHERE old_row_id IS NOT NULL",
    "CREATE INDEX ON versions USING brin (at)",
    "CREATE INDEX ON versions (relation)",
    """CREATE FUNCTION key_columns(relation oid) RETURNS text[]
        STABLE SECURITY DEFINER SET search_path = '' LANGUAGE sql AS $$
        SELECT coalesce(array_agg(a.attname::text ORDER BY a.attnum), '{}') FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
        WHERE i.indrelid = relation AND i.indisprimary $$""",
    """CREATE FUNCTION row_id(relation oid, keys text[], value jsonb) RETURNS uuid STABLE LANGUAGE sql AS $$
        SELECT CASE WHEN value IS NULL THEN NULL WHEN keys = '{}' THEN gen_random_uuid()
        ELSE md5((SELECT jsonb_agg(to_jsonb(relation::text) || (value -> k)) FROM unnest(keys) k)::text)::uuid END $$""",
    """CREATE FUNCTION remember() RETURNS trigger SECURITY DEFINER SET search_path = '' LANGUAGE plpgsql AS $$
        DECLARE
            keys text[] := public.key_columns(TG_RELID);
            new_row jsonb := to_jsonb(NEW);
            old_row jsonb := to_jsonb(OLD);
        BEGIN
            INSERT INTO public.versions (row_id, old_row_id, verb, relation, in_schema, in_table, new_row, old_row)
            SELECT public.row_id(TG_RELID, keys, new_row), public.row_id(TG_RELID, keys, old_row), TG_OP, TG_RELID, TG_TABLE_SCHEMA,
                TG_TABLE_NAME, new_row, old_row;
            RETURN coalesce(NEW, OLD);
        END $$""",
    "CREATE TRIGGER remember AFTER INSERT OR UPDATE OR DELETE ON orders FOR EACH ROW EXECUTE FUNCTION remember()",
)
ARMS = ("none", "tenantry", "generic")
Conn = psycopg.Connection[Any]
ROW = (
    "'customer ' || n % 900, 'open', n * 1.5, 'a note of some words on order ' || n, '2026-01-01'::timestamptz + n * '1 s'::interval,"
    " NULL, n % 9, n % 7 = 0, jsonb_build_object('source', 'web', 'lines', n % 5)"
)
COLUMNS = "id, customer, state, total, note, placed_at, paid_at, quantity, express, details, tenant_id"
CHANGE = "UPDATE orders SET state = 'paid', paid_at = now(), quantity = quantity + 1"


def prepare(server: str) -> None:
    """Three databases: the converted one without captured tables, with them, and with the generic trigger instead."""
    for name in ARMS:
        with psycopg.connect(server, autocommit=True) as conn:
            conn.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
        dsn = make_conninfo(server, dbname=name)
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute(SCHEMA.encode())
            catalog = introspect.read(conn)
        text = SPEC if name == "tenantry" else SPEC.replace('capture = ["orders"]', "")
        apply(dsn, planner.plan(spec.parse(text), catalog, "transactional"))
        if name == "generic":
            with psycopg.connect(dsn, autocommit=True) as conn:
                for statement in GENERIC:
                    conn.execute(statement.encode())


def bulk(verb: str) -> Callable[[Conn, int], None]:
    """All rows by one statement."""

    def run(conn: Conn, rows: int) -> None:
        conn.execute(
            {
                "insert": f"INSERT INTO orders ({COLUMNS}) SELECT n, {ROW}, 'acme' FROM generate_series(1, {rows}) AS n",
                "update": CHANGE,
                "delete": "DELETE FROM orders",
            }[verb].encode()
        )

    return run


def single(verb: str) -> Callable[[Conn, int], None]:
    """Each row by a statement of its own, prepared, in a transaction of its own."""
    statement = {
        "insert": f"INSERT INTO orders ({COLUMNS}) SELECT n, {ROW.replace('%', '%%')}, 'acme' FROM (SELECT %s::int) AS s (n)",
        "update": f"{CHANGE} WHERE id = %s",
        "delete": "DELETE FROM orders WHERE id = %s",
    }[verb]

    def run(conn: Conn, rows: int) -> None:
        for number in range(1, rows + 1):
            conn.execute(statement.encode(), (number,), prepare=True)

    return run


def measure(dsn: str, way: Callable[[str], Callable[[Conn, int], None]], rows: int) -> dict[str, float]:
    """Microseconds for one row, by verb, in a fresh session."""
    found = {}
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(
            "SELECT set_config('app.current_tenant_id', 'acme', false), set_config('app.actor_id', 'u1', false)"
        )
        conn.execute("SELECT count(*) FROM orders")
        for verb in ("insert", "update", "delete"):
            before = cpu(conn.info.backend_pid)
            way(verb)(conn, rows)
            conn.execute("SELECT 1")  # the end of the statement is in the figure
            found[verb] = (cpu(conn.info.backend_pid) - before) / rows / 1e3
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--rows", type=int, default=10_000, help="of one statement; a twentieth of it one by one"
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    ways = {"bulk": (bulk, options.rows), "single": (single, options.rows // 20)}
    found: dict[str, dict[str, list[float]]] = {}
    with embedded.cluster(embedded.embedded_binaries(), settings=SETTINGS) as cluster:
        prepare(cluster.dsn)
        for number in range(options.rounds + 1):
            for way, (how, rows) in ways.items():
                for arm in random.sample(ARMS, len(ARMS)):
                    figures = measure(make_conninfo(cluster.dsn, dbname=arm), how, rows)
                    for verb, micros in figures.items() if number else ():  # the first round warms up
                        found.setdefault(f"{way} {verb}", {a: [] for a in ARMS})[arm].append(micros)
            print(f"round {number}", file=sys.stderr)
    print(f"{options.rows} rows, {options.rounds} rounds; microseconds of processor time for a row")
    print(f"{'':16}{'none':>8}{'tenantry':>10}{'generic':>9}{'capture costs less by (least to most)':>40}")
    times: dict[str, list[float]] = {}
    for name, arms in found.items():
        none, ours, generic = (statistics.median(arms[arm]) for arm in ARMS)
        times[name] = [
            (g - n) / max(t - n, 0.01) for n, t, g in zip(*(arms[arm] for arm in ARMS), strict=True)
        ]
        spread = f"{statistics.median(times[name]):.1f} ({min(times[name]):.1f} to {max(times[name]):.1f})"
        print(f"{name:16}{none:8.1f}{ours:10.1f}{generic:9.1f}{spread:>40}")
    if options.json:
        document = {"baseline": "none", "microseconds": found, "times_cheaper": times}
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

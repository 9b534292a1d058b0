"""Filling a database: two tenants in every table whatever a row must satisfy, or a reason; the same rows each time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings

from tenantry import introspect, planner, spec
from tenantry.attacks.target import find
from tenantry.errors import PlanError
from tenantry.names import literal, qualified, quote
from tenantry.spec import Spec
from tenantry.world.seed import Seeded
from tests import corpus, world
from tests.schema_model import Made
from tests.schema_strategies import databases
from tests.servers import Database, MakeDatabase, Server

DRAWN = settings(derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))


@dataclass(frozen=True, slots=True)
class Filled:
    """A demanding schema, empty but converted, and the same with rows."""

    empty: Database
    full: Database
    spec: Spec
    seeded: Seeded


@pytest.fixture(scope="module")
def filled(server: Server) -> Iterator[Filled]:
    with server.databases() as make:
        empty = make()
        found = world.demand(empty, world.DEMANDING)
        full = make(template=empty)
        yield Filled(empty, full, found, world.seeded(full, found))


def fetch(db: Database, query: str) -> list[Any]:
    with db.connect() as conn:
        return conn.execute(query.encode()).fetchall()


def without(db: Database, found: Spec, tenants: tuple[str, ...]) -> set[tuple[str, str]]:
    """The tables that a tenant has no row in, looked up here once more."""
    with db.connect() as conn:
        targets, _ = find(found, introspect.read(conn))
        return {
            (target.table.name, tenant)
            for target in targets
            if target.table.kind == "table"
            for tenant in tenants
            if not conn.execute(
                f"SELECT 1 FROM ONLY {target.sql} AS t WHERE {target.owner('t')} = {literal(tenant)}".encode()
            ).fetchone()
        }


def test_every_table_gets_rows_of_both_tenants(filled: Filled) -> None:
    assert filled.seeded.missing == ()
    assert len(filled.seeded.tenants) == 2
    assert without(filled.full, filled.spec, filled.seeded.tenants) == set()
    assert without(filled.empty, filled.spec, ("a", "b")) != set()  # that look-up can tell


def test_both_tenants_have_the_same_values_where_a_key_allows_it(filled: Filled) -> None:
    for table, column in (("users", "slug"), ("lower_names", "name"), ("bools", "(a, b)"), ("teams", "name")):
        a, b = (
            {
                row[0]
                for row in fetch(
                    filled.full, f"SELECT {column}::text FROM {table} WHERE tenant_id = {literal(t)}"
                )
            }
            for t in filled.seeded.tenants
        )
        assert a & b, table


def test_each_tenant_has_a_row_that_can_be_told_from_the_others(filled: Filled) -> None:
    a, b = (
        {row[0] for row in fetch(filled.full, f"SELECT name FROM lower_names WHERE tenant_id = {literal(t)}")}
        for t in filled.seeded.tenants
    )
    assert a - b
    assert b - a


def test_references_stay_within_the_tenant(filled: Filled) -> None:
    crossed = "SELECT 1 FROM members m JOIN teams t ON t.id = m.team_id WHERE t.tenant_id <> m.tenant_id"
    assert fetch(filled.full, crossed) == []
    assert fetch(filled.full, "SELECT 1 FROM soft_a WHERE b IS NOT NULL") != []  # a circle, closed afterwards


def test_what_only_triggers_refuse_is_written_without_them_and_told(filled: Filled) -> None:
    told = {text.partition(":")[0] for text in filled.seeded.notes}
    assert told == {"ledger", "swallowed"}
    assert {row[0] for row in fetch(filled.full, "SELECT state FROM doc")} <= {"draft", "final"}


def test_the_same_schema_gets_the_same_rows(filled: Filled, make_db: MakeDatabase) -> None:
    again = make_db(template=filled.empty)
    assert world.seeded(again, filled.spec) == filled.seeded
    with filled.full.connect() as one, again.connect() as other:
        first, second = world.rows(one), world.rows(other)
    for made_now in ("public.audit_logs", "tenants"):
        first.pop(made_now, None), second.pop(made_now, None)
    assert first == second


def test_the_next_key_is_free(filled: Filled) -> None:
    with filled.full.connect() as conn, conn.transaction(force_rollback=True):
        conn.execute(
            "INSERT INTO trees (id, up, o, n, tenant_id) SELECT max(id) + 1, max(id) + 1, 1, 2, min(tenant_id) FROM trees"
        )
        (last,) = conn.execute("SELECT max(id) FROM ev").fetchone() or (0,)
        (free,) = conn.execute("SELECT nextval(pg_get_serial_sequence('ev', 'id'))").fetchone() or (0,)
    assert free > last


def test_rows_that_are_there_stay(filled: Filled, make_db: MakeDatabase) -> None:
    db = make_db(template=filled.full)
    with db.connect() as conn:
        before = world.rows(conn)
        second = world.seeded(db, filled.spec)
        after = world.rows(conn)
    assert set(second.tenants).isdisjoint(filled.seeded.tenants)
    assert all(set(before[name]) <= set(after[name]) for name in before)


def test_what_nothing_satisfies_is_missing_with_its_constraint(db: Database) -> None:
    found = world.demand(db, world.HOPELESS + "CREATE TABLE fine (id int PRIMARY KEY);")
    seeded = world.seeded(db, found)
    reasons = {(m.table.name, m.tenant): m.reason for m in seeded.missing}
    a, b = seeded.tenants
    assert set(reasons) == {("never", a), ("never", b), ("under_never", a), ("under_never", b), ("single", b)}
    assert "constraint never_ever: nothing tried satisfies it: false" in reasons["never", a]
    assert reasons["under_never", a] == "there is no row of never to refer to"
    assert "single_pkey" in reasons["single", b]
    assert set(reasons) == without(db, found, seeded.tenants)


def test_tables_that_must_refer_to_each_other_are_filled_at_once(db: Database) -> None:
    found = world.demand(
        db,
        "CREATE TABLE hen (id int PRIMARY KEY, egg int NOT NULL); CREATE TABLE egg (id int PRIMARY KEY, hen int NOT NULL REFERENCES hen);"
        "ALTER TABLE hen ADD FOREIGN KEY (egg) REFERENCES egg;",
    )
    assert world.seeded(db, found).missing == ()


def test_a_partition_for_one_tenant_gets_that_tenant(db: Database) -> None:
    with db.connect() as conn:
        conn.execute(
            "CREATE TABLE tenants (id text PRIMARY KEY, name text NOT NULL, slug text NOT NULL UNIQUE)"
        )
        conn.execute(
            "CREATE TABLE logs (tenant_id text NOT NULL REFERENCES tenants, n int NOT NULL) PARTITION BY LIST (tenant_id)"
        )
        conn.execute("CREATE TABLE logs_acme PARTITION OF logs FOR VALUES IN ('acme')")
        conn.execute("CREATE TABLE logs_rest PARTITION OF logs DEFAULT")
    found = Spec.model_validate({"tables": {"logs": {"scope": "tenant"}}})
    assert world.seeded(db, found).missing == ()
    assert fetch(db, "SELECT DISTINCT tenant_id FROM logs_acme") == [("acme",)]


def test_without_a_tenants_table_nothing_is_said_to_be_filled(db: Database) -> None:
    found = Spec.model_validate({"tables": {}})
    assert [m.reason for m in world.seeded(db, found).missing] == [
        "tenants: there is no such table with a column id"
    ]


def test_names_and_columns_of_any_kind(db: Database) -> None:
    """Also those that the queries use themselves."""
    names = ("o", "n", "v", "t", "p", "s0", "u", "%s", 'a"b', "tenantry.at2")
    columns = ", ".join(f"{quote(name)} int NOT NULL" for name in names)
    check = 'CHECK (o > n AND "%s" > 7 AND "a""b" = t)'
    found = world.demand(db, f'CREATE TABLE "We ird.%" ({columns}, {check});')
    assert world.seeded(db, found).missing == ()


@pytest.mark.parametrize("many", [False, True], ids=["one tenant", "two tenants"])
def test_a_schema_of_any_shape_is_filled(server: Server, many: bool) -> None:
    converted: list[bool] = []

    @settings(DRAWN, max_examples=5, phases=[Phase.generate])
    @given(databases(server.version // 10_000, many=many))
    def holds(made: Made) -> None:
        note(made.sql + made.toml(str))
        with server.databases() as make:
            converted.append(_filled(made, make()))

    holds()
    assert converted.count(True) >= 3


def _filled(made: Made, db: Database) -> bool:
    """Convert what was drawn, empty it, and fill it; False where it cannot be converted."""
    with db.connect() as conn:
        conn.execute(made.sql.encode())
        before = introspect.read(conn)
        found = spec.parse(made.toml(db.role))
        try:
            plan = planner.plan(found, before, "transactional")
        except PlanError:
            return False
        corpus.by_hand(conn, plan.steps)
        roots = ", ".join(qualified(t.qname) for t in before.tables if not t.partition_of)
        with contextlib.suppress(psycopg.errors.RaiseException):  # a trail that is never emptied
            conn.execute(f"TRUNCATE {roots} CASCADE".encode())
    seeded = world.seeded(db, found)
    assert seeded.missing == ()
    assert without(db, found, seeded.tenants) == set()
    return True

"""The soak made small, and bindings that it must tell from a good one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

import pytest

from tenantry.mutations import pgbouncer
from tests import runtime_adapters as adapters
from tests.servers import Database, Server
from tests.test_runtime_sabotage import not_bound, once_per_session, unchecked

BENCH = Path(__file__).parents[1] / "bench"


@pytest.fixture(scope="module")
def database(server: Server) -> Iterator[Database]:
    with server.databases() as make:
        db = make()
        with db.connect() as connection:
            adapters.convert(connection, db.role("app"))
        yield db


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    return __import__("_soak")


def run(bench: Any, database: Database, adapter: str, transactions: int, dsn: str = "") -> Any:
    direct = re.sub(r"//[^/@]*@?/", f"//{quote(database.role('app'))}@/", database.dsn, count=1)
    with database.connect() as admin:
        admin.execute("TRUNCATE notes")
        told = asyncio.run(
            bench.soak(
                adapter, dsn or direct, size=8, prepare=not dsn, workers=16, tenants=10, transactions=transactions
            )
        )  # fmt: skip
        return bench.judge(admin, told)


@pytest.mark.parametrize("adapter", ["psycopg-async", "asyncpg"])
def test_nothing_foreign_and_nothing_lost(bench: Any, database: Database, adapter: str) -> None:
    verdict = run(bench, database, adapter, 1500)
    assert verdict.good, verdict
    assert verdict.transactions >= 1500


@pytest.mark.skipif(pgbouncer.PROGRAM is None, reason=f"NOT TESTED HERE: {pgbouncer.ABSENT}")
def test_through_pgbouncer(bench: Any, database: Database) -> None:
    if not database.server.private:
        pytest.skip("NOT TESTED HERE: PgBouncer is put before a server of our own only")
    with pgbouncer.pooled(database.dsn, database.role("app"), size=2) as dsn:
        verdict = run(bench, database, "psycopg-async", 1500, dsn)
    assert verdict.good, verdict


@pytest.mark.parametrize(
    ("sabotage", "what"),
    [(once_per_session, "foreign"), (not_bound, "failures"), (unchecked, "foreign")],
    ids=["once per session", "not bound", "unchecked"],
)
def test_a_wrong_binding_is_told(
    bench: Any, database: Database, monkeypatch: pytest.MonkeyPatch, sabotage: Callable[..., None], what: str
) -> None:
    sabotage(monkeypatch)
    verdict = run(bench, database, "psycopg-async", 300)
    assert not verdict.good
    assert getattr(verdict, what)


def test_whoever_sees_everything_sees_others_rows(bench: Any, database: Database) -> None:
    """The first and the last tenant too: what a worker reads comes in no order of theirs."""
    with database.connect() as admin:
        admin.execute("TRUNCATE notes")
        admin.execute(
            "INSERT INTO notes (tenant_id, body) SELECT 't' || t, format('t%s:1:%s', t, n) "
            "FROM generate_series(0, 9) t, generate_series(1, 40) n"
        )
        owners = {owner for owner, _ in admin.execute(bench.READ.encode()).fetchall()}
    assert len(owners) > 1


def test_a_lost_write_and_one_that_was_not_undone_are_told(bench: Any, database: Database) -> None:
    with database.connect() as admin:
        admin.execute("TRUNCATE notes")
        admin.execute("INSERT INTO notes (tenant_id, body) VALUES ('t0', 't0:1:2'), ('t0', 't1:1:3')")
        told = bench.Told(committed={"t0:1:1", "t1:1:3"}, undone={"t0:1:2"})
        verdict = bench.judge(admin, told)
    assert (verdict.lost, verdict.ghosts, verdict.foreign) == (
        ["t0:1:1"], ["t0:1:2"], ["t1:1:3 belongs to t0"]
    )  # fmt: skip

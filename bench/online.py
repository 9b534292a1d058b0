"""How long does a conversion stop the application: five migrations in one transaction, or `tenantry apply`?

Both convert copies of the same database, in turn, while the same workload runs: transactions on a fixed schedule
(an open loop), so that a transaction that had to wait counts from the moment it was due. Each conversion gets a
server of its own, with fsync on. Prints the ratios to the naive way; `--json FILE` writes all figures.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg

from tenantry import embedded, introspect, planner, spec
from tenantry.apply import apply
from tenantry.render import drizzle

EXAMPLE = Path(__file__).parents[1] / "examples" / "skills_catalog"
BASELINE = "naive: migrations 0002 to 0006 in one transaction"
DEFAULT = "default-tenant-000-0000-000000000000"
SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "8GB", "maintenance_work_mem": "256MB"}
ROLE = "catalog_web"


@dataclass(frozen=True, slots=True)
class Figures:
    """One conversion: seconds and MB. ``longest`` and ``stopped`` are what the application saw."""

    total: float
    longest: float  # longest transaction, from when it was due
    stopped: float  # sum of the gaps over 0.25 s without a completed write
    wal: float
    grown: float
    errors: int
    transactions: int


class Application:
    """Writers and readers on a schedule; no statement names the tenant, the connection's options do."""

    def __init__(self, dsn: str, per_second: float, threads: int = 4) -> None:
        self._dsn, self._every = dsn, threads / per_second
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(threads)]
        self.waits: list[float] = []
        self.writes: list[float] = []
        self.errors: list[str] = []

    def __enter__(self) -> Application:
        for thread in self._threads:
            thread.start()
        time.sleep(2)
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(1)
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        options = f"-c app.current_tenant_id={DEFAULT}"
        with psycopg.connect(self._dsn, user=ROLE, options=options, autocommit=True) as conn:
            ids = [r[0] for r in conn.execute("SELECT id, slug FROM skills ORDER BY id LIMIT 500")]
            due, turn = time.monotonic(), number
            while not self._stop.is_set():
                due += self._every
                time.sleep(max(0.0, due - time.monotonic()))
                turn += 1
                self._transaction(conn, ids[turn % len(ids)], due, write=turn % 2 == 0)

    def _transaction(self, conn: psycopg.Connection[Any], skill: str, due: float, *, write: bool) -> None:
        try:
            with conn.transaction():
                conn.execute("SELECT name, description FROM skills WHERE id = %s", [skill])
                if write:
                    conn.execute(
                        "INSERT INTO usage_events (tool_name, skill_id) VALUES ('bench', %s)", [skill]
                    )
                    conn.execute("UPDATE skills SET total_uses = total_uses + 1 WHERE id = %s", [skill])
        except psycopg.Error as error:
            with self._lock:
                self.errors.append(str(error).strip().splitlines()[0])
            return
        now = time.monotonic()
        with self._lock:
            self.waits.append(now - due)
            if write:
                self.writes.append(now)

    def stopped(self) -> float:
        """Seconds without a completed write, in gaps of more than a quarter of a second."""
        times = sorted(self.writes)
        gaps = (b - a for a, b in pairwise(times))
        return sum(gap for gap in gaps if gap > 0.25)


def load(conn: psycopg.Connection[Any], rows: int) -> None:
    """The single-tenant catalog, with `rows` usage events and half as many ratings."""
    sys.path.insert(0, str(EXAMPLE))
    data = importlib.import_module("data")
    data.load_baseline(conn)
    data.generate(conn, scale=1)
    for table, wanted, columns in (
        ("usage_events", rows, "tool_name, skill_id, user_id, metadata, created_at"),
        ("ratings", rows // 2, "skill_id, user_id, rating, comment, created_at"),
    ):
        have = conn.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
        times = max(0, wanted // (have[0] if have else 1) - 1)
        ids = "" if table == "usage_events" else "id, "
        fresh = "" if table == "usage_events" else "gen_random_uuid()::text, "
        conn.execute(
            f"INSERT INTO {table} ({ids}{columns}) SELECT {fresh}{columns} FROM {table}, generate_series(1, {times})".encode()
        )
    conn.execute(f"CREATE ROLE {ROLE} LOGIN".encode())
    conn.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {ROLE}".encode())
    conn.execute("VACUUM ANALYZE")
    conn.execute("CHECKPOINT")


def naive(dsn: str) -> None:
    """What a team writes by hand: the five files, as a migrator runs them, in one transaction."""
    declared = spec.load(EXAMPLE / "tenantry.toml")
    with psycopg.connect(dsn) as conn:
        plan = planner.plan(declared, introspect.read(conn), "transactional")
        files = drizzle.render(
            plan, column="tenant_id", audit_table="audit_logs", first=2, existing={}, now_ms=10**13
        )
        for file in sorted(files, key=lambda f: f.path):
            if file.path[:4] in ("0002", "0003", "0004", "0005", "0006"):
                for statement in file.text.split("--> statement-breakpoint"):
                    conn.execute(statement.encode())


def online(dsn: str) -> None:
    """The same conversion by `tenantry apply`, to its very end."""
    declared = spec.load(EXAMPLE / "tenantry.toml")
    with psycopg.connect(dsn, autocommit=True) as conn:
        plan = planner.plan(declared, introspect.read(conn), "online")
    apply(dsn, plan)


def measure(way: Callable[[str], None], rows: int, per_second: float) -> Figures:
    """Load a fresh server, convert it one way under load, and read the figures."""
    with (
        embedded.cluster(embedded.embedded_binaries(), settings=SETTINGS) as cluster,
        psycopg.connect(cluster.dsn, autocommit=True) as conn,
    ):
        load(conn, rows)

        def number(query: str) -> float:
            row = conn.execute(query.encode()).fetchone()
            return float(row[0]) if row else 0.0

        wal = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"
        size = "SELECT pg_database_size(current_database())"
        before, small = number(wal), number(size)
        with Application(cluster.dsn, per_second) as application:
            begun = time.monotonic()
            way(cluster.dsn)
            total = time.monotonic() - begun
        after, big = number(wal), number(size)
    return Figures(
        total=total,
        longest=max(application.waits),
        stopped=application.stopped(),
        wal=(after - before) / 1e6,
        grown=(big - small) / 1e6,
        errors=len(application.errors),
        transactions=len(application.waits),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="usage events; half as many ratings")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--per-second", type=float, default=60, help="transactions that are due in a second")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found: dict[str, list[Figures]] = {"naive": [], "online": []}
    for number in range(arguments.rounds):
        for name, way in (("naive", naive), ("online", online)):
            figures = measure(way, arguments.rows, arguments.per_second)
            found[name].append(figures)
            print(
                f"round {number + 1} {name:7}",
                {k: round(v, 3) for k, v in asdict(figures).items()},
                file=sys.stderr,
            )
    print(f"{arguments.rows} usage events, {arguments.rounds} rounds; ratios to {BASELINE}")
    print(f"{'':34}{'naive':>10}{'online':>10}{'ratio':>10}")
    for field, label in (
        ("longest", "longest transaction, s"), ("stopped", "without a completed write, s"), ("total", "total, s"),
        ("wal", "WAL, MB"), ("grown", "database grown by, MB"), ("errors", "errors of the application"),
    ):  # fmt: skip
        a, b = (statistics.median(getattr(f, field) for f in found[name]) for name in ("naive", "online"))
        print(f"{label:34}{a:10.2f}{b:10.3f}{b / a if a else 0:10.4f}")
    worst = min(a.longest / b.longest for a, b in zip(found["naive"], found["online"], strict=True))
    print(f"the longest transaction is {worst:.0f} times shorter in the worst round")
    if arguments.json:
        arguments.json.write_text(
            json.dumps({k: [asdict(f) for f in v] for k, v in found.items()}, indent=2) + "\n"
        )


if __name__ == "__main__":
    main()

"""What does a derived backfill cost: one big UPDATE per table, or the batches of `tenantry apply`?

Users get their tenant from a column, skills from their author, ratings from their skill, on copies of one
database, in turn, while the same workload runs. Prints the ratios to the big UPDATE; `--json FILE` writes all
figures.
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
from pathlib import Path
from typing import Any

import psycopg
from _arms import cpu
from psycopg.conninfo import make_conninfo

from tenantry import embedded, introspect, planner, spec
from tenantry.apply import apply
from tenantry.names import QName
from tenantry.plan import Phase, Plan
from tenantry.progress import Event, StepDone
from tenantry.spec import FromColumn, FromParent, Spec

EXAMPLE = Path(__file__).parents[1] / "examples" / "skills_catalog"
BASELINE = "one UPDATE … FROM per table"
SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "8GB"}
ROLE, NAME = "catalog_web", "catalog"
TENANTS = 100
LOOK_EVERY = 0.01  # seconds between two looks at who waits for whom

# As a person writes it who knows the tables: a join and not a look-up per row.
UPDATES = (
    "UPDATE users SET tenant_id = org WHERE tenant_id IS NULL",
    "UPDATE skills s SET tenant_id = u.tenant_id FROM users u WHERE u.id = s.author_id AND s.tenant_id IS NULL",
    "UPDATE ratings r SET tenant_id = s.tenant_id FROM skills s WHERE s.id = r.skill_id AND r.tenant_id IS NULL",
)
# A twentieth of the rows are users, a quarter skills, the rest ratings.
DATA = (
    "INSERT INTO users (id, email, name, org) SELECT gen_random_uuid(), 'u' || n || '@example.com', 'User ' || n,"
    " 'org-' || n % {tenants} FROM generate_series(1, {rows} / 20) n",
    "CREATE TEMP TABLE author AS SELECT row_number() OVER () AS n, id FROM users",
    "INSERT INTO skills (id, name, slug, description, category, content, author_id)"
    " SELECT gen_random_uuid(), 'Skill ' || i, 'skill-' || i, 'What number ' || i || ' is for, in words',"
    " 'c' || i % 20, repeat('Step by step. ', 15), a.id FROM generate_series(1, {rows} / 4) g (i)"
    " JOIN author a ON a.n = 1 + i % ({rows} / 20)",
    "CREATE TEMP TABLE skill AS SELECT row_number() OVER () AS n, id FROM skills",
    "INSERT INTO ratings (id, skill_id, user_id, rating, comment) SELECT gen_random_uuid(), s.id, a.id, 1 + i % 5,"
    " 'Remark number ' || i FROM generate_series(1, {rows} * 7 / 10) g (i)"
    " JOIN skill s ON s.n = 1 + i % ({rows} / 4) JOIN author a ON a.n = 1 + i * 7 % ({rows} / 20)",
    "DROP TABLE author, skill",
)
_BLOCKED = """
SELECT l.pid, l.waitstart, extract(epoch FROM clock_timestamp() - l.waitstart)
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE NOT l.granted AND l.waitstart IS NOT NULL AND a.application_name = %(web)s
  AND EXISTS (SELECT FROM unnest(pg_blocking_pids(l.pid)) AS b (pid) JOIN pg_stat_activity o USING (pid)
              WHERE o.application_name <> %(web)s)
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """One backfill: seconds, MB and counts, the workload's included. ``blocked`` are statements that waited for it."""

    rows_per_second: float
    seconds: float
    whole: float  # with what `apply` asks before and after
    processor: float  # seconds of the server process that fills; Linux only, else 0
    wal: float
    heap: float
    indexes: float
    hot: float  # part of the updates that touched no index
    blocked: int
    longest_blocked: float
    longest: float  # longest transaction, from when it was due
    errors: int
    left: int  # rows that came meanwhile and have no tenant


class Workload:
    """Readers and writers on a schedule; who waits for the backfill is looked up from beside."""

    def __init__(self, dsn: str, per_second: float, threads: int = 4) -> None:
        self._dsn, self._every = dsn, threads / per_second
        self._stop, self._lock = threading.Event(), threading.Lock()
        workers = [threading.Thread(target=self._run, args=(n,)) for n in range(threads)]
        self._threads = [*workers, threading.Thread(target=self._look)]
        self.waits: list[float] = []
        self.errors: list[str] = []
        self.blocked: dict[tuple[object, object], float] = {}

    def __enter__(self) -> Workload:
        for thread in self._threads:
            thread.start()
        time.sleep(1)
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(0.5)
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _look(self) -> None:
        with psycopg.connect(self._dsn, autocommit=True, application_name="bench") as conn:
            while not self._stop.wait(LOOK_EVERY):
                for pid, since, seconds in conn.execute(_BLOCKED, {"web": ROLE}):
                    self.blocked[pid, since] = max(float(seconds), self.blocked.get((pid, since), 0.0))

    def _run(self, number: int) -> None:
        with psycopg.connect(self._dsn, user=ROLE, application_name=ROLE, autocommit=True) as conn:
            ids = conn.execute("SELECT id, author_id FROM skills ORDER BY slug LIMIT 5000").fetchall()
            due, turn = time.monotonic(), number * len(ids) // 4
            while not self._stop.is_set():
                due += self._every
                time.sleep(max(0.0, due - time.monotonic()))
                turn += 1
                skill, user = ids[turn % len(ids)]
                self._transaction(conn, skill, user, due, write=turn % 2 == 0)

    def _transaction(
        self, conn: psycopg.Connection[Any], skill: str, user: str, due: float, *, write: bool
    ) -> None:
        try:
            with conn.transaction():
                conn.execute("SELECT name, description FROM skills WHERE id = %s", [skill])
                if write:
                    conn.execute(
                        "INSERT INTO ratings (id, skill_id, user_id, rating) VALUES (gen_random_uuid(), %s, %s, 5)",
                        [skill, user],
                    )
                    conn.execute("UPDATE skills SET total_uses = total_uses + 1 WHERE id = %s", [skill])
        except psycopg.Error as error:
            with self._lock:
                self.errors.append(str(error).strip().splitlines()[0])
            return
        with self._lock:
            self.waits.append(time.monotonic() - due)


def declare() -> Spec:
    """The example's spec with tenants that come from the rows."""
    found = spec.load(EXAMPLE / "tenantry.toml")
    author = FromParent(parent=QName("public", "users"), on={"author_id": "id"})
    user = FromParent(parent=QName("public", "users"), on={"user_id": "id"})
    skill = FromParent(parent=QName("public", "skills"), on={"skill_id": "id"})
    sources = {
        "users": FromColumn(column="org", matches="id", create=True),
        "skills": author, "ratings": skill, "skill_versions": skill, "skill_embeddings": skill,
        "skill_reviews": skill, "api_keys": user, "usage_events": user,
    }  # fmt: skip
    tables = {
        name: rule.model_copy(update={"backfill": sources[name.name]}) if name.name in sources else rule
        for name, rule in found.tables.items()
    }
    return found.model_copy(update={"tables": tables})


def prepare(server: str, rows: int) -> Plan:
    """The database that is copied: single-tenant rows, converted up to where the backfill begins."""
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {NAME} TEMPLATE template0".encode())
        conn.execute(f"CREATE ROLE {ROLE} LOGIN".encode())
    dsn = make_conninfo(server, dbname=NAME)
    sys.path.insert(0, str(EXAMPLE))
    data = importlib.import_module("data")
    with psycopg.connect(dsn, autocommit=True) as conn:
        data.load_baseline(conn, vector=False)
        conn.execute("ALTER TABLE users ADD COLUMN org text NOT NULL")
        for statement in DATA:
            conn.execute(statement.format(rows=rows, tenants=TENANTS).encode())
        conn.execute(
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {ROLE}".encode()
        )
        conn.execute("VACUUM ANALYZE")
        plan = planner.plan(declare(), introspect.read(conn), "online")
    apply(dsn, plan, until=Phase.COLUMNS)
    return plan


def big(dsn: str, plan: Plan) -> tuple[float, float]:
    """By hand; returns the seconds of the updates, and those of the processor."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        begun = time.monotonic()
        for statement in UPDATES:
            conn.execute(statement.encode())
        return time.monotonic() - begun, cpu(conn.info.backend_pid) / 1e9


def batches(dsn: str, plan: Plan) -> tuple[float, float]:
    """By `tenantry apply`; returns the seconds of its backfill steps, and those of the processor for all of it."""
    seconds: list[float] = []
    used = [0.0]

    def listen(event: Event) -> None:
        if isinstance(event, StepDone):
            seconds.append(event.seconds)
            row = conn.execute(
                "SELECT pid FROM pg_stat_activity"
                " WHERE application_name = 'tenantry apply' AND datname = current_database()"
            ).fetchone()
            used[0] = cpu(row[0]) / 1e9 if row else 0.0

    with psycopg.connect(dsn, autocommit=True, application_name="bench") as conn:
        apply(dsn, plan, until=Phase.BACKFILL, listen=listen)
    return sum(seconds), used[0]


WAYS: dict[str, Callable[[str, Plan], tuple[float, float]]] = {"big": big, "tenantry": batches}


def measure(server: str, plan: Plan, way: str, per_second: float) -> Figures:
    """Fill a fresh copy one way, under load."""
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE run TEMPLATE {NAME} STRATEGY file_copy".encode())
        conn.execute("CHECKPOINT")
        try:
            return _filled(make_conninfo(server, dbname="run"), plan, WAYS[way], per_second)
        finally:
            conn.execute("DROP DATABASE run WITH (FORCE)")


_STATE = """
SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') / 1e6,
  sum(pg_table_size(oid)) / 1e6, sum(pg_indexes_size(oid)) / 1e6,
  sum(pg_stat_get_tuples_updated(oid)), sum(pg_stat_get_tuples_hot_updated(oid))
FROM pg_class WHERE oid = ANY (ARRAY['users', 'skills', 'ratings']::regclass[])
"""


def _filled(
    dsn: str, plan: Plan, way: Callable[[str, Plan], tuple[float, float]], per_second: float
) -> Figures:
    with psycopg.connect(dsn, autocommit=True, application_name="bench") as conn:
        unfilled = " + ".join(
            f"(SELECT count(*) FROM {name} WHERE tenant_id IS NULL)"
            for name in ("users", "skills", "ratings")
        )
        rows = _row(conn, f"SELECT {unfilled}")[0]
        with Workload(dsn, per_second) as workload:
            before = _row(conn, _STATE)
            begun = time.monotonic()
            seconds, used = way(dsn, plan)
            whole = time.monotonic() - begun
            wal = _row(conn, _STATE)[0] - before[0]
        time.sleep(1.5)  # until every session has told its counts
        after = _row(conn, _STATE)
        left = _row(conn, f"SELECT {unfilled}")[0]
    return Figures(
        rows_per_second=rows / seconds,
        seconds=seconds,
        whole=whole,
        processor=used,
        wal=wal,
        heap=after[1] - before[1],
        indexes=after[2] - before[2],
        hot=(after[4] - before[4]) / (after[3] - before[3]),
        blocked=len(workload.blocked),
        longest_blocked=max(workload.blocked.values(), default=0.0),
        longest=max(workload.waits),
        errors=len(workload.errors),
        left=int(left),
    )


def _row(conn: psycopg.Connection[Any], query: str) -> list[float]:
    row = conn.execute(query.encode()).fetchone()
    return [float(v) for v in row or ()]


LABELS = {
    "rows_per_second": "rows per second", "seconds": "seconds", "whole": "seconds with all checks",
    "processor": "processor seconds of the server", "wal": "WAL, MB",
    "heap": "tables grown by, MB", "indexes": "indexes grown by, MB", "hot": "updates that were HOT",
    "blocked": "statements blocked by it", "longest_blocked": "longest of them, s",
    "longest": "longest transaction, s", "errors": "errors of the application",
    "left": "rows left without a tenant",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the three tables together")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--per-second", type=float, default=60, help="transactions that are due in a second")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    found: dict[str, list[Figures]] = {way: [] for way in WAYS}
    with embedded.cluster(embedded.embedded_binaries(), settings=SETTINGS) as cluster:
        plan = prepare(cluster.dsn, options.rows)
        for number in range(options.rounds):
            for way, figures in found.items():
                figures.append(measure(cluster.dsn, plan, way, options.per_second))
                rounded = {k: round(v, 3) for k, v in asdict(figures[-1]).items()}
                print(f"round {number + 1} {way:9}", rounded, file=sys.stderr)
    print(f"{options.rows} rows, {options.rounds} rounds; ratios of medians to {BASELINE}")
    print(f"{'':34}{'big':>12}{'tenantry':>12}{'ratio':>10}")
    for field, label in LABELS.items():
        a, b = (statistics.median(getattr(f, field) for f in found[way]) for way in WAYS)
        print(f"{label:34}{a:12.2f}{b:12.2f}{b / a if a > 0.01 else 0:10.3f}")
    if options.json:
        document = {"baseline": BASELINE, "rows": options.rows}
        document |= {way: [asdict(f) for f in figures] for way, figures in found.items()}
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

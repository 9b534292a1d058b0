"""What does row level security cost each kind of query, beside the same one with a WHERE written by hand?

Sessions of a large and of a small tenant, as the application and as a role that no policy binds; processor time of the
server process, since the client does the same in all of them. Then the trap of prepared statements: one that small
tenants have warmed is run for the large one, on a scoped connection and on one that binds by hand. Linux only. Prints
medians of the ratios in the same round and the middle half of them; `--json FILE` writes them.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import _arms
import _catalog
import psycopg
from psycopg.conninfo import make_conninfo

from tenantry import embedded
from tenantry.runtime import tenant
from tenantry.runtime.binding import SETTING
from tenantry.runtime.psycopg import Connection

SETTINGS = {
    "shared_buffers": "512MB",
    "autovacuum": "off",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
}
HAND, POLICY, BOTH = "WHERE by hand", "policy", "policy and WHERE"
FRESH = "fresh connection"
BULK = 500
# {and} is where the condition by hand goes; each query takes one number, by which its executions differ.
QUERIES = {
    "look-up by key": ("SELECT body FROM skills WHERE id = %(own)s{s}", 50),
    "list of 20": ("SELECT id, slug FROM skills WHERE id > %(n)s{s} ORDER BY created_at DESC LIMIT 20", 20),
    "prefix": (
        "SELECT id FROM skills WHERE slug >= 'skill-9' || %(n)s AND slug < 'skill-9' || %(n)s || ':'{s} LIMIT 20",
        20,
    ),
    "aggregate": ("SELECT category, count(*) FROM skills WHERE id > %(n)s{s} GROUP BY category", 2),
    "join of two tables": (
        "SELECT s.slug, r.stars FROM skills s JOIN ratings r ON r.skill_id = s.id WHERE s.category = 'c' || %(n)s{s.}{r.}"
        " ORDER BY s.created_at DESC LIMIT 20",
        10,
    ),
    "insert": ("INSERT INTO ratings (tenant_id, skill_id, stars) VALUES (%(tenant)s, %(n)s, 3)", 50),
    "bulk insert of 500": (
        f"INSERT INTO ratings (tenant_id, skill_id, stars) SELECT %(tenant)s, n, 3 FROM generate_series(1, {BULK} + %(n)s) n",
        2,
    ),
}
TRAPS = {
    "with parameters": "SELECT s.slug, r.stars FROM skills s JOIN ratings r ON r.skill_id = s.id ORDER BY s.created_at DESC LIMIT %s",
    "without parameters": "SELECT s.slug, r.stars FROM skills s JOIN ratings r ON r.skill_id = s.id ORDER BY s.created_at DESC LIMIT 20",
}


def statement(query: str, where: bool) -> bytes:
    """The query with the condition by hand, or without."""
    for mark in ("{s.}", "{r.}", "{s}"):
        own = f" AND {mark[1:-1] if '.' in mark else ''}tenant_id = %(tenant)s"
        query = query.replace(mark, own if where else "")
    return query.encode()


def arms(stack: ExitStack, dsn: str, query: str, who: str, own: list[int]) -> dict[str, _arms.Arm]:
    def arm(role: str, where: bool) -> _arms.Arm:
        conn = stack.enter_context(_catalog.session(dsn, role, who))
        text, numbers = statement(query, where), itertools.count()

        def run(times: int) -> None:
            for n in itertools.islice(numbers, times):
                conn.execute(text, {"n": n % 20, "own": own[n * 31 % len(own)], "tenant": who})

        return _arms.Arm(run, conn.info.backend_pid)

    return {HAND: arm(_catalog.EXEMPT, True), POLICY: arm(_catalog.APP, False), BOTH: arm(_catalog.APP, True)}


def cost(dsn: str, rounds: int) -> dict[str, Any]:
    """Print and return the ratios by query, tenant and arm."""
    found: dict[str, Any] = {}
    print(f"{'':22}{'':9}{HAND:>16}    {POLICY:22}{BOTH:22}")
    for (name, (query, times)), who in itertools.product(QUERIES.items(), ("large", "s1")):
        with psycopg.connect(dsn) as admin:
            ids = admin.execute("SELECT id FROM skills WHERE tenant_id = %s ORDER BY id LIMIT 1000", [who])
            own = [id for (id,) in ids.fetchall()]
        with ExitStack() as stack:
            made = arms(stack, dsn, query, who, own)
            _arms.pin(arm.pid for arm in made.values())
            rounds_of = _arms.of_server(_arms.measure(made, rounds, times))
        ratios = {arm: _arms.ratio(rounds_of, arm, HAND) for arm in (POLICY, BOTH)}
        micros = statistics.median(rounds_of[HAND])
        found[f"{name}, {who}"] = {"micros": micros} | _arms.as_json(ratios)
        print(f"{name:22}{who:9}{micros:13.0f} µs    {ratios[POLICY]!s:22}{ratios[BOTH]!s:22}")
    return found


# Prepared statements


@contextlib.contextmanager
def by_hand(conn: psycopg.Connection[Any], who: str) -> Iterator[None]:
    """What binds without tenantry."""
    with conn.transaction():
        conn.execute(f"SELECT set_config('{SETTING}', %s, true)".encode(), [who])
        yield


@contextlib.contextmanager
def by_scope(conn: psycopg.Connection[Any], who: str) -> Iterator[None]:
    with tenant(who), conn.transaction():
        yield


Bound = Callable[[psycopg.Connection[Any], str], contextlib.AbstractContextManager[None]]


def warmed(stack: ExitStack, dsn: str, query: str, kind: Any, bound: Bound, first: list[str]) -> _arms.Arm:
    """Runs it for the large tenant, on a connection that served some others before."""
    conn = stack.enter_context(kind.connect(dsn, prepare_threshold=0, autocommit=True))
    values = [20] if "%s" in query else []

    def once(who: str) -> None:
        with bound(conn, who):
            conn.execute(query.encode(), values).fetchall()

    for who in first * 12:
        once(who)

    def run(times: int) -> None:
        for _ in range(times):
            once("large")

    return _arms.Arm(run, conn.info.backend_pid)


def traps(dsn: str, rounds: int) -> dict[str, Any]:
    """Print and return the ratios to a connection that knows no other tenant."""
    app = make_conninfo(dsn, user=_catalog.APP)
    found: dict[str, Any] = {}
    small = _catalog.SMALL[:3]
    print(
        f"\n{'a statement for the large tenant':36}{FRESH:>16}    {'scoped, after small':22}{'by hand, after small':22}"
    )
    for name, query in TRAPS.items():
        with ExitStack() as stack:
            made = {
                FRESH: warmed(stack, app, query, Connection, by_scope, ["large"]),
                "scoped": warmed(stack, app, query, Connection, by_scope, small),
                "by hand": warmed(stack, app, query, psycopg.Connection, by_hand, small),
            }
            _arms.pin(arm.pid for arm in made.values())
            rounds_of = _arms.of_server(_arms.measure(made, max(4, rounds // 2), 3))
        ratios = {arm: _arms.ratio(rounds_of, arm, FRESH) for arm in ("scoped", "by hand")}
        micros = statistics.median(rounds_of[FRESH])
        found[name] = {"micros": micros} | _arms.as_json(ratios)
        print(f"{name:36}{micros:13.0f} µs    {ratios['scoped']!s:22}{ratios['by hand']!s:22}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=60_000, help="skills; a third are the large tenant's")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with embedded.cluster(embedded.embedded_binaries(), settings=SETTINGS) as cluster:
        with psycopg.connect(cluster.dsn, autocommit=True) as admin:
            _catalog.make(admin, options.rows)
        document = {
            "rows": options.rows,
            "rounds": options.rounds,
            "cost": cost(cluster.dsn, options.rounds),
            "traps": traps(cluster.dsn, options.rounds),
        }
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""What does the tenant scope cost a transaction, beside the same query with a WHERE written by hand?

Each adapter, and two other libraries, against the same driver without row level security and with the tenant in the
query, in a transaction that the application would have anyway; every transaction is the next tenant's, as in a
pool. Measured is processor time of server and client together, which is what an application waits for on one machine,
and time by the clock with a millisecond of network between the two. Linux only. Prints medians of the ratios in the
same round and the middle half of them; `--json FILE` writes them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import _arms
import _runtime_arms as arms
import _runtime_peers as peers
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tenantry import embedded

SETTINGS = {"shared_buffers": "256MB", "autovacuum": "off"}
ROUND_TRIP = 0.001  # seconds
WORKS = {"one look-up": 1, "five look-ups": 5}


def groups(libraries: Iterable[str]) -> dict[str, arms.Group]:
    """The ways to be compared, by driver; with those of the other libraries that are there."""
    psycopg, asyncpg, engine, async_engine = arms.by_psycopg, arms.by_asyncpg, arms.engine, arms.async_engine
    others = {"rls": peers.rls, "sqlalchemy-tenants": peers.roles}
    both = {arms.HAND: engine(), arms.CUSTOM: engine(custom=True)}
    ours = {arms.SCOPED: engine(True), arms.NAMED: engine(True, named=True)}
    return {
        "psycopg": arms.Group(
            {arms.HAND: psycopg(), arms.CUSTOM: psycopg(custom=True), arms.AUTO: psycopg(auto=True)}
            | {arms.SCOPED: psycopg(True), arms.NAMED: psycopg(True, named=True)}
        ),
        "asyncpg": arms.Group(
            {arms.HAND: asyncpg(), arms.CUSTOM: asyncpg(custom=True)}
            | {arms.SCOPED: asyncpg(True), arms.NAMED: asyncpg(True, named=True)}
        ),
        "SQLAlchemy session, psycopg": arms.Group(both | ours | {name: others[name]() for name in libraries}),
        "SQLAlchemy session, asyncpg": arms.Group(
            {
                arms.HAND: async_engine(),
                arms.SCOPED: async_engine(True),
                arms.NAMED: async_engine(True, named=True),
            }
        ),
        "Django": arms.Group({arms.HAND: arms.by_django(), arms.SCOPED: arms.by_django(True)}),
    }


def measure(group: arms.Group, server: str, work: int, rounds: int, times: int) -> _arms.Rounds:
    with arms.made(group, server, work) as made:
        _arms.pin(arm.pid for arm in made.values())
        return _arms.measure(made, rounds, times)


@contextlib.contextmanager
def far(dsn: str) -> Iterator[str]:
    """The server's DSN, a network away."""
    parts = conninfo_to_dict(dsn)
    path = f"{parts['host']}/.s.PGSQL.{parts['port']}"
    with _arms.far(path, ROUND_TRIP) as port:
        yield make_conninfo(dsn, host="127.0.0.1", port=port)


def report(group: arms.Group, near: _arms.Rounds, away: _arms.Rounds) -> dict[str, Any]:
    """Print a group's table; returns it."""
    found: dict[str, Any] = {}
    for name in near:
        here = _arms.ratio(near, name, group.baseline, "both")
        there = _arms.ratio(away, name, group.baseline, "wall")
        micros = _arms.median(near, name, "both")
        found[name] = {"micros": micros} | _arms.as_json({"both": here, "a network away": there})
        print(f"  {name:42}{micros:8.0f} µs  {here!s:22}{there!s:22}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--times", type=int, default=100, help="a transaction in a turn")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    document: dict[str, Any] = {"rounds": options.rounds, "times": options.times}
    with (
        embedded.cluster(embedded.embedded_binaries(), settings=SETTINGS) as cluster,
        far(cluster.dsn) as distant,
        peers.installed() as libraries,
    ):
        with psycopg.connect(cluster.dsn, autocommit=True) as admin:
            arms.prepare(admin)
        print(f"{'':44}{'both':>8}     {'ratio':22}{ROUND_TRIP * 1000:g} ms away, by the clock")
        for name, group in groups(libraries).items():
            for work, times in WORKS.items():
                print(f"{name}, {work}")
                near = measure(group, cluster.dsn, times, options.rounds, options.times)
                away = measure(
                    group, distant, times, max(5, options.rounds // 3), max(5, options.times // 10)
                )
                document[f"{name}, {work}"] = report(group, near, away)
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

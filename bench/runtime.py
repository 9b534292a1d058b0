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
import statistics
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
            | {arms.BOUND: arms.by_libpq(), arms.BOUND_CUSTOM: arms.by_libpq(custom=True)}
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


def near(group: arms.Group, server: str, work: int, rounds: int, times: int) -> _arms.Rounds:
    """Processor time of both."""
    with arms.made(group, server, work) as made:
        _arms.pin(arm.pid for arm in made.values())
        return _arms.of_both(_arms.measure(made, rounds, times))


def away(group: arms.Group, server: str, work: int, rounds: int, times: int) -> _arms.Rounds:
    """Time by the clock."""
    with arms.made(group, server, work) as made:
        return _arms.clock(made, max(5, rounds // 3), max(5, times // 10))


@contextlib.contextmanager
def far(dsn: str) -> Iterator[str]:
    """The server's DSN, a network away."""
    parts = conninfo_to_dict(dsn)
    path = f"{parts['host']}/.s.PGSQL.{parts['port']}"
    with _arms.far(path, ROUND_TRIP) as port:
        yield make_conninfo(dsn, host="127.0.0.1", port=port)


def report(here: _arms.Rounds, there: _arms.Rounds) -> dict[str, Any]:
    """Print a group's table; returns it."""
    found: dict[str, Any] = {}
    for name, micros in here.items():
        both = _arms.ratio(here, name, arms.HAND)
        wall = _arms.ratio(there, name, arms.HAND)
        middle = statistics.median(micros)
        found[name] = {"micros": middle} | _arms.as_json({"both": both, "a network away": wall})
        print(f"  {name:42}{middle:8.0f} µs  {both!s:22}{wall!s:22}", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
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
                here = near(group, cluster.dsn, times, options.rounds, options.times)
                there = away(group, distant, times, options.rounds, options.times)
                document[f"{name}, {work}"] = report(here, there)
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

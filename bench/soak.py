"""Does any transaction of a long run see or write another tenant's rows, or lose its own?

64 workers do transactions of 50 tenants through each asyncio adapter: a pool of eight connections, and PgBouncer in
transaction mode with eight. One in four goes wrong on purpose: errors, abandoned transactions, cancellations at any moment,
rows for others, statements without a scope or in another tenant's transaction. At the end what is there is compared with
what the workers were told. Prints counts and ends with 1 if anything is foreign, lost or unexpected; `--json FILE` writes
them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import _soak
import psycopg

from tenantry import embedded
from tenantry.mutations import pgbouncer

APP = "soak_app"
SETTINGS = {"shared_buffers": "256MB", "max_connections": "200"}
WAYS = ("a pool of 8", "PgBouncer with 8")
WORKERS, TENANTS, SIZE = 64, 50, 8


@contextlib.contextmanager
def reached(way: str, dsn: str) -> Iterator[tuple[str, int]]:
    """The application's DSN, and how many connections its pool has."""
    if way == WAYS[0]:
        yield re.sub(r"//[^/@]*@?/", f"//{APP}@/", dsn, count=1), SIZE
        return
    with pgbouncer.pooled(dsn, APP, size=SIZE) as pooled:
        yield pooled, WORKERS


def run(dsn: str, adapter: str, way: str, transactions: int) -> _soak.Verdict:
    """One adapter, one way, on an empty table."""
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("TRUNCATE notes")
        with reached(way, dsn) as (app, size):
            told = asyncio.run(
                _soak.soak(
                    adapter, app, size=size, prepare=way == WAYS[0], workers=WORKERS, tenants=TENANTS,
                    transactions=transactions,
                )
            )  # fmt: skip
        return _soak.judge(admin, told)


def report(adapter: str, way: str, verdict: _soak.Verdict, seconds: float) -> None:
    refused = sum(verdict.kinds.get(kind, 0) for kind in ("foreign", "unscoped", "switch"))
    broken = sum(verdict.kinds.get(kind, 0) for kind in ("fail", "abandon"))
    print(
        f"{adapter:26}{way:18}{verdict.transactions:9}{verdict.kinds.get('write', 0):9}{broken:9}{verdict.cancelled:11}"
        f"{verdict.unknown:9}{refused:9}{len(verdict.foreign):9}{len(verdict.lost):6}{len(verdict.ghosts):8}"
        f"{len(verdict.failures):12}{seconds:9.0f} s",
        flush=True,
    )
    for words in (verdict.foreign + verdict.lost + verdict.ghosts + verdict.failures)[:5]:
        print(f"    {words}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transactions", type=int, default=20_000, help="in all; 500 000 take about an hour")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    ways = WAYS if pgbouncer.PROGRAM else WAYS[:1]
    if not pgbouncer.PROGRAM:
        print(f"!!! LEFT OUT: {WAYS[1]}; {pgbouncer.ABSENT}", file=sys.stderr)
    names = _soak.adapters.CANCELLABLE
    each = -(-options.transactions // (len(names) * len(ways)))
    verdicts = dict[str, _soak.Verdict]()
    print(
        f"{'':44}{'trans-':>9}{'':9}{'failed,':>9}{'':11}{'left':>9}\n{'':44}{'actions':>9}{'writes':>9}{'left':>9}"
        f"{'cancelled':>11}{'open':>9}{'refused':>9}{'foreign':>9}{'lost':>6}{'ghosts':>8}{'unexpected':>12}"
    )
    with embedded.cluster(embedded.embedded_binaries(), settings=SETTINGS) as cluster:
        with psycopg.connect(cluster.dsn, autocommit=True) as admin:
            _soak.adapters.convert(admin, APP)
        for way in ways:
            for name in names:
                begun = time.perf_counter()
                verdicts[f"{name}, {way}"] = run(cluster.dsn, name, way, each)
                report(name, way, verdicts[f"{name}, {way}"], time.perf_counter() - begun)
    good = all(verdict.good for verdict in verdicts.values())
    print(f"{sum(v.transactions for v in verdicts.values())} transactions: {'good' if good else 'NOT GOOD'}")
    if options.json:
        document = {name: asdict(verdict) for name, verdict in verdicts.items()}
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    sys.exit(not good)


if __name__ == "__main__":
    main()

"""How fast are sealing and verifying, and how many bytes does an event take in each format of an export?

A backlog of events of a hundred tenants is sealed in copies of one database; it is verified there, and from an export of
each format. The baseline is `COPY` of the same events to a client that throws them away, which is what reading alone
costs. In turn; medians of processor time, client and server together, since the machine may be busy with other things.
Linux only. `--json FILE` writes every figure.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import never_misses
import psycopg
from psycopg import IsolationLevel
from psycopg.conninfo import make_conninfo
from trail import sessions

from tenantry import embedded
from tenantry.audit import archive, export, files, keys, seal
from tenantry.audit.keys import PrivateKey
from tenantry.audit.source import Live, begin
from tenantry.audit.verify import Report, verify

BASELINE = "COPY to a client"
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB"}
TABLE = never_misses.TABLE
EVENTS = """
INSERT INTO audit_logs (tenant_id, actor_id, action, resource_type, resource_id, ip_address, metadata, request_id, session_id,
    user_agent)
SELECT 'tenant-' || n % 100, 'user-' || n % 5000, (ARRAY['skill.read', 'skill.update', 'auth.login'])[1 + n % 3], 'skill',
    gen_random_uuid(), '10.' || n % 7 || '.' || n % 200 || '.' || n % 250, jsonb_build_object('fields',
    jsonb_build_array('name', 'content'), 'number', n), gen_random_uuid(), md5((n % 9000)::text), 'Mozilla/5.0 (X11; Linux x86_64)'
FROM generate_series(1, {}) AS n
"""
FORMATS = (*(kind for kind in files.SUFFIX if kind != "ocsf"), "ocsf")
_SIZES = "SELECT pg_table_size('audit_logs'), pg_indexes_size('audit_logs'), (SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c WHERE c.relnamespace = 'tenantry_audit'::regnamespace AND c.relkind = 'r')"


@dataclass(slots=True)
class Clock:
    """Seconds of processor time, of this process and of the server's sessions that have ended."""

    postmaster: int

    def __call__(self, work: Callable[[], object]) -> float:
        begun = self._now()
        work()
        time.sleep(0.1)  # until the server has noticed that the session ended
        return self._now() - begun

    def _now(self) -> float:
        return time.process_time() + sessions(self.postmaster)


@contextlib.contextmanager
def reading(dsn: str) -> Any:
    with contextlib.closing(psycopg.connect(dsn, autocommit=True)) as conn:
        conn.isolation_level = IsolationLevel.REPEATABLE_READ
        yield conn


def copy(dsn: str) -> int:
    """Read every event; returns the bytes."""
    with (
        psycopg.connect(dsn) as conn,
        conn.cursor() as cursor,
        cursor.copy(b"COPY audit_logs TO STDOUT") as out,
    ):
        return sum(len(block) for block in out)


def check(dsn: str, key: PrivateKey, events: int) -> None:
    with reading(dsn) as conn, conn.transaction():
        begin(conn)
        whole(verify(Live(conn, TABLE), [key.public]), events)


def whole(report: Report, events: int) -> None:
    """A figure counts only for a verification that saw everything."""
    report.require()
    assert report.events == events, report


def write(dsn: str, place: Path, kind: str) -> None:
    with reading(dsn) as conn:
        export.export(conn, TABLE, place, kind)


def offline(place: Path, key: PrivateKey, events: int) -> None:
    whole(verify(archive.open_export(place), [key.public]), events)


def measure(
    cluster: embedded.Cluster, directory: Path, key: PrivateKey, number: int, events: int
) -> dict[str, Any]:
    """One round on a fresh copy."""
    name, used = f"round_{number}", Clock(cluster.pid)
    with psycopg.connect(cluster.dsn, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE trail STRATEGY file_copy".encode())
    dsn = make_conninfo(cluster.dsn, dbname=name)
    sizes: dict[str, float] = {"COPY, as text": copy(dsn)}
    seconds = {BASELINE: used(partial(copy, dsn)), "seal": used(partial(seal.seal, dsn, TABLE, key))}
    seconds["verify"] = used(partial(check, dsn, key, events))
    for kind in FORMATS:
        place = directory / f"{name}-{kind}"
        seconds[f"export as {kind}"] = used(partial(write, dsn, place, kind))
        sizes[f"export as {kind}"] = sum(file.stat().st_size for file in place.glob("events-*"))
        if kind != "ocsf":
            seconds[f"verify {kind}"] = used(partial(offline, place, key, events))
    with psycopg.connect(dsn) as conn:
        row = conn.execute(_SIZES.encode()).fetchone() or ()
    sizes |= dict(zip(("table", "its indexes", "seal"), map(float, row), strict=True))
    return {"seconds": seconds, "bytes": sizes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    rounds = []
    with (
        embedded.cluster(embedded.embedded_binaries(), settings=SETTINGS) as cluster,
        tempfile.TemporaryDirectory() as name,
    ):
        directory = Path(name)
        keys.create(directory / "seal.key", "audit.example.com")
        dsn = never_misses.make(cluster.dsn, "trail", "extended")
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute(EVENTS.format(options.events).encode())
            conn.execute("VACUUM ANALYZE audit_logs")
        for number in range(options.rounds):
            found = measure(cluster, directory, keys.load(directory / "seal.key"), number, options.events)
            rounds.append(found)
            print(
                f"round {number + 1}", {k: round(v, 2) for k, v in found["seconds"].items()}, file=sys.stderr
            )
    print(
        f"{options.events} events of 100 tenants, {options.rounds} rounds; events for a second of processor time, medians"
    )
    print(f"{'':24}{'events/s':>10}{'ratio to ' + BASELINE:>28}")
    for what in rounds[0]["seconds"]:
        ratios = [r["seconds"][what] / r["seconds"][BASELINE] for r in rounds]
        rate = options.events / statistics.median(r["seconds"][what] for r in rounds)
        print(
            f"{what:24}{rate:10,.0f}{statistics.median(ratios):11.1f} ({min(ratios):.1f} to {max(ratios):.1f})"
        )
    print(f"{'':24}{'bytes for an event':>20}")
    for what in rounds[0]["bytes"]:
        print(f"{what:24}{statistics.median(r['bytes'][what] for r in rounds) / options.events:20.0f}")
    if options.json:
        options.json.write_text(
            json.dumps({"baseline": BASELINE, "events": options.events, "rounds": rounds}, indent=1) + "\n",
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()

"""Is every committed event in exactly one batch, whatever the writers, the sealer and the server do, and how late?

Writers with short, long, bulky, rolled-back and two-phase transactions and with savepoints, without waiting for the
disk; `tenantry audit seal --every 100ms`, killed again and again and started anew; the server crashed three times;
then a restore of a dump, sealed on. Prints counts, and the time from each event's commit to the commit of its batch;
exit 1 when an event is missing, sealed twice, or sealed and not there, and when nothing was killed or crashed meanwhile. `--json FILE` writes it all.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
from _unruly import INSERT, Killer, Told, Writer, crash
from psycopg import IsolationLevel
from psycopg.conninfo import make_conninfo

from tenantry import embedded, introspect, planner, spec
from tenantry.apply import apply
from tenantry.audit import anchors, keys, seal
from tenantry.audit.anchors import File
from tenantry.audit.source import Live, begin
from tenantry.audit.verify import verify
from tenantry.names import QName

TABLE = QName("public", "audit_logs")
SPEC = """
[tenancy.default]
id = "acme"
name = "Acme"
slug = "acme"

[audit]
{events}

[tables.notes]
scope = "tenant"
backfill = {{ constant = "acme" }}
primary_key = "global"
"""
# What nobody waited for is lost in a crash, and there is much of it.
SETTINGS = {
    "synchronous_commit": "off", "wal_writer_delay": "10s", "wal_writer_flush_after": "100MB", "wal_buffers": "64MB",
    "track_commit_timestamp": "on", "max_prepared_transactions": "40", "max_connections": "60", "fsync": "off",
}  # fmt: skip
WRITERS = 8
EVERY = "100ms"
SEALER = (sys.executable, "-c", "from tenantry.cli import main; main()")


@dataclass(frozen=True, slots=True)
class Found:
    """The result. Lags are seconds from the commit of an event to that of its batch; ``by_ids`` is what a rule that
    goes by the highest id would have missed.
    """

    trail: str
    server: int
    written: int
    sealed: int
    batches: int
    missing: int
    twice: int
    not_there: int
    undone_sealed: int
    told: int
    lost: int
    unknown: int
    transactions: dict[str, int]
    longest_transaction: float
    kills: int
    kills_amid: int
    crashes: int
    by_ids: int | None
    verified: bool
    lag_median: float
    lag_99: float
    lag_most: float
    lag_most_outside: float
    outside: int
    era: str | None = None

    @property
    def once(self) -> bool:
        """Every event once, and nothing else."""
        return self.verified and not (self.missing or self.twice or self.not_there or self.undone_sealed)

    @property
    def good(self) -> bool:
        """The same although a sealer was killed and the server crashed: without that it would mean little."""
        return self.once and bool(self.written and self.kills and self.crashes)


def make(server: str, name: str, trail: str) -> str:
    """A database with a trail as the plan makes it; returns its DSN."""
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
    dsn = make_conninfo(server, dbname=name)
    events = 'events = "extended"' if trail == "extended" else ""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("CREATE TABLE notes (id integer PRIMARY KEY)")
        catalog = introspect.read(conn)
    apply(dsn, planner.plan(spec.parse(SPEC.format(events=events)), catalog, "transactional"))
    return dsn


def run(
    dsn: str, directory: Path, trail: str, wanted: int, *, crashes: int = 3,
    kills: tuple[float, float] = (2.0, 9.0), sealer: Sequence[str] = SEALER,
) -> Found:  # fmt: skip
    """Write until so many events are committed, with everything going wrong meanwhile; then look."""
    keys.create(directory / "seal.key", "audit.example.com")
    told = Told()
    arguments = ("audit", "seal", "--dsn", dsn, "--key", str(directory / "seal.key"), "--every", EVERY,
                 "--anchor", f"file:{directory / 'anchor'}", "--table", "audit_logs")  # fmt: skip
    private = keys.load(directory / "seal.key")
    seal.seal(dsn, TABLE, private)
    writers = [Writer(dsn, number, told, wanted) for number in range(WRITERS)]
    outages = []
    with Killer([*sealer, *arguments], dsn, kills=kills) as killer:
        killer.ready()
        for writer in writers:
            writer.start()
        for number in range(crashes):
            while len(told.committed) < wanted * (number + 1) // (crashes + 1) and _alive(writers):
                time.sleep(0.05)
            outages.append(crash(dsn))
        for writer in writers:
            writer.finished()
    if killer.said:
        print("sealer:", *killer.said[-3:], sep="\n  ", file=sys.stderr)
    seal.seal(dsn, TABLE, private, [File(directory / "anchor")])
    return look(dsn, directory, trail, told, killer, outages)


def _alive(writers: Sequence[Writer]) -> bool:
    return any(writer.is_alive() for writer in writers)


_SEALED = "SELECT unnest(s.keys), s.batch FROM tenantry_audit.subtrees s ORDER BY s.batch"
_LAGS = """
SELECT extract(epoch FROM pg_xact_commit_timestamp(e.{xid}))::float, extract(epoch FROM pg_xact_commit_timestamp(l.xmin))::float
FROM tenantry_audit.subtrees s JOIN tenantry_audit.log l ON l.n = s.batch CROSS JOIN unnest(s.keys) AS k (id)
JOIN audit_logs e ON e.id = k.id::uuid
"""


def look(
    dsn: str, directory: Path, trail: str, told: Told, killer: Killer, outages: Sequence[float]
) -> Found:
    """Compare what is there, what is sealed and what writers were told."""
    with contextlib.closing(psycopg.connect(dsn)) as conn:
        conn.isolation_level = IsolationLevel.REPEATABLE_READ
        written = {key for (key,) in conn.execute("SELECT id::text FROM audit_logs")}
        in_order = conn.execute(_SEALED).fetchall()
        xid = "xid::xid" if trail == "extended" else "xmin"
        lags = conn.execute(_LAGS.format(xid=xid).encode()).fetchall()
        by_ids = _by_ids(conn, in_order) if trail == "extended" else None
        conn.rollback()
        with conn.transaction():
            begin(conn)
            key = keys.load(directory / "seal.key").public
            report = verify(Live(conn, TABLE), [key], anchors.read(directory / "anchor"))
        for damage in report.findings:
            print(f"  {damage}", file=sys.stderr)
        server = conn.info.server_version
    sealed = Counter(key for key, _ in in_order)
    seconds = sorted(batch - event for event, batch in lags)
    undisturbed = list(_undisturbed(lags, [*outages, *killer.outages]))
    return Found(
        trail=trail, server=server, written=len(written), sealed=len(sealed), batches=report.batches,
        missing=len(written - sealed.keys()), twice=sum(n > 1 for n in sealed.values()),
        not_there=len(sealed.keys() - written), undone_sealed=len(sealed.keys() & told.undone),
        told=len(told.committed), lost=len(told.committed - written), unknown=len(told.unknown),
        transactions=dict(told.transactions), longest_transaction=told.longest,
        kills=len(killer.outages), kills_amid=killer.amid, crashes=len(outages), by_ids=by_ids, verified=report.good,
        lag_median=statistics.median(seconds), lag_99=seconds[len(seconds) * 99 // 100], lag_most=seconds[-1],
        lag_most_outside=max(undisturbed, default=0.0), outside=len(undisturbed),
    )  # fmt: skip


def _undisturbed(lags: Sequence[tuple[float, float]], outages: Sequence[float]) -> Iterator[float]:
    """The lags of events that did not wait for a sealer or a server that was gone: until the first batch after it."""
    passes = sorted({batch for _, batch in lags})
    gone = [(at, next((p for p in passes if p > at), float("inf"))) for at in outages]
    for event, batch in lags:
        if not any(at <= batch and event <= back for at, back in gone):
            yield batch - event


def _by_ids(conn: psycopg.Connection[Any], in_order: Sequence[tuple[str, int]]) -> int:
    """How many events had a lower number than one of an earlier batch: who goes by numbers never sees those."""
    rows = conn.execute("SELECT id::text, seq FROM audit_logs").fetchall()
    numbers = dict(rows)
    highest = this = current = missed = 0
    for key, batch in in_order:
        if batch != current:
            highest, current = max(highest, this), batch
        number = numbers.get(key, 0)
        missed += number < highest
        this = max(this, number)
    return missed


def restore(cluster: embedded.Cluster, dsn: str, directory: Path, name: str) -> str | None:
    """Dump the database, restore it beside, write and seal there; why an era was opened. Raises AssertionError."""
    dump, other = directory / "dump", make_conninfo(cluster.dsn, dbname=name)
    with psycopg.connect(cluster.dsn, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
    programs = cluster.binaries
    subprocess.run([programs / "pg_dump", "-Fc", "-f", dump, dsn], check=True)
    subprocess.run([programs / "pg_restore", "-d", other, dump], check=True)
    private, anchor = keys.load(directory / "seal.key"), File(directory / "anchor")
    era = seal.seal(other, TABLE, private, [anchor]).era
    with contextlib.closing(psycopg.connect(other, autocommit=True)) as conn:
        conn.execute(INSERT, (100,))
        more = seal.seal(other, TABLE, private, [anchor])
        sealed = Counter(key for key, _ in conn.execute(_SEALED))
        written = {key for (key,) in conn.execute("SELECT id::text FROM audit_logs")}
        assert more.events == 100, more
        assert sealed == Counter(written), "after the restore"
        conn.isolation_level = IsolationLevel.REPEATABLE_READ
        with conn.transaction():
            begin(conn)
            report = verify(Live(conn, TABLE), [private.public], anchors.read(anchor.path))
        report.require()
    return era


LABELS = {
    "written": "events in the trail", "sealed": "events in batches", "batches": "batches",
    "missing": "MISSING", "twice": "SEALED TWICE", "not_there": "SEALED AND NOT THERE",
    "undone_sealed": "ROLLED BACK AND SEALED", "told": "events that writers were told are committed",
    "lost": "of these lost in a crash, and never sealed", "unknown": "of which the crash left it open",
    "longest_transaction": "longest transaction, s", "kills": "times the sealer was killed",
    "kills_amid": "of these as soon as a pass began", "crashes": "times the server was crashed",
    "by_ids": "would be missed by a rule of ids", "lag_median": "lag, median, s", "lag_99": "lag, 99th of 100, s",
    "lag_most": "longest lag, across kills and crashes, s", "lag_most_outside": "longest lag while a sealer ran, s",
    "outside": "events of these",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=102_000)
    parser.add_argument("--trail", choices=("extended", "plain"), default="extended")
    parser.add_argument(
        "--binaries", type=Path, help="the programs of another PostgreSQL than the embedded one"
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with (
        embedded.cluster(options.binaries or embedded.embedded_binaries(), settings=SETTINGS) as cluster,
        tempfile.TemporaryDirectory() as directory,
    ):
        dsn = make(cluster.dsn, "trail", options.trail)
        found = run(dsn, Path(directory), options.trail, options.events)
        found = replace(found, era=restore(cluster, dsn, Path(directory), "restored"))
    print(f"PostgreSQL {found.server}, a trail that is {found.trail}, sealed every {EVERY}")
    for name, label in LABELS.items():
        value = getattr(found, name)
        print(f"{label:48}{value:>12.2f}" if isinstance(value, float) else f"{label:48}{value!s:>12}")
    print(f"transactions: {', '.join(f'{kind} {n}' for kind, n in sorted(found.transactions.items()))}")
    print(f"after the restore of a dump: era opened ({found.era}), every event once, verified")
    if found.once and not found.good:
        print("NOT TRIED: nothing was written, killed or crashed, so nothing was shown")
    print("GOOD" if found.good else "BAD", "and verified" if found.verified else "and DAMAGED")
    if options.json:
        options.json.write_text(
            json.dumps(asdict(found) | {"good": found.good}, indent=1) + "\n", encoding="utf-8"
        )
    sys.exit(not found.good)


if __name__ == "__main__":
    main()

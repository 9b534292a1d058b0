"""What do `check` and `prove --safe` cost on a live database of 1 000 tables, beside `pg_dump --schema-only` of it?

The database is converted first, and two tenants have rows in each table. Prints seconds, their ratio to pg_dump, probes
per second, and what was left behind: transaction ids, WAL, changed rows. `--json FILE` writes them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lab
import psycopg
from psycopg.conninfo import make_conninfo

from tenantry import embedded, introspect, planner
from tenantry.apply import apply
from tenantry.checks import Request, check
from tenantry.prove import prove
from tenantry.spec import Spec

BASELINE = lab.BASELINE
TENANTS, ROWS = ("first", "second"), 25  # of each tenant in each table


def convert(dsn: str, spec: Spec, tables: int) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        plan = planner.plan(spec, introspect.read(conn), "online")
    apply(dsn, plan)
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("INSERT INTO tenants (id, name, slug) VALUES ('second', 'Second', 'second')")
        for n in range(tables):
            for tenant in TENANTS:
                parent = f", (SELECT min(id) FROM t{(n - 1) // 4} WHERE tenant_id = '{tenant}')" if n else ""
                conn.execute(
                    f"INSERT INTO t{n} (slug, status, tenant_id{', parent' if n else ''}) "
                    f"SELECT 's' || i, 'draft', '{tenant}'{parent} FROM generate_series(1, {ROWS}) AS i".encode()
                )
        conn.execute("VACUUM ANALYZE")


def state(dsn: str, tables: int) -> dict[str, Any]:
    """The next transaction id, the end of the WAL, and a checksum over the rows of all tables, where they are."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        sums = [
            conn.execute(
                f"SELECT count(*), sum(hashtextextended(t.ctid::text || t::text, 0)) FROM t{n} AS t".encode()
            ).fetchone()
            for n in range(tables)
        ]
        conn.execute("CHECKPOINT")
        query = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::int8, pg_current_wal_lsn() - '0/0'"
        xid, wal = conn.execute(query).fetchone() or (0, 0)
    return {"xid": int(xid), "wal": int(wal), "sums": sums}


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds, seconds of this process, and what the work gave."""
    begun, own = time.perf_counter(), time.process_time()
    found = work()
    return time.perf_counter() - begun, time.process_time() - own, found


def measure(cluster: embedded.Cluster, tables: int) -> dict[str, Any]:
    spec = lab.build(cluster.dsn, tables)
    convert(cluster.dsn, spec, tables)
    app = make_conninfo(cluster.dsn, user=spec.roles.app)
    dump = [str(cluster.binaries / "pg_dump"), "--schema-only", "-d", cluster.dsn]
    now = datetime.now(UTC)
    before = state(cluster.dsn, tables)
    baseline, _, _ = timed(lambda: subprocess.run(dump, check=True, stdout=subprocess.DEVNULL))
    checked, own_checked, review = timed(lambda: check(cluster.dsn, Request(spec), app_dsn=app, now=now))
    proved, own_proved, proof = timed(lambda: prove(cluster.dsn, spec, app_dsn=app, now=now))
    after = state(cluster.dsn, tables)
    tries = sum(o.tries for o in proof.outcomes)
    seconds = {BASELINE: baseline, "check": checked, "prove --safe": proved}
    return {
        "tables": tables,
        "errors": sum(f.level == "error" for f in review.findings),
        "held": sum(o.status == "held" for o in proof.outcomes),
        "attacks": len(proof.outcomes),
        "proven": proof.proven,
        "statements": tries,
        "per_second": tries / proved,
        "client": {"check": own_checked, "prove --safe": own_proved},
        "xids": after["xid"] - before["xid"],
        "wal": after["wal"] - before["wal"],
        "rows_changed": before["sums"] != after["sums"],
        "baseline": BASELINE,
        "seconds": seconds,
        "ratios": {name: value / baseline for name, value in seconds.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    settings = {"autovacuum": "off", "max_locks_per_transaction": "1024"}
    with embedded.cluster(embedded.embedded_binaries(), settings=settings) as cluster:
        result = measure(cluster, options.tables)
    print(
        f"{result['tables']} tables, proven {result['proven']}: {result['held']} of {result['attacks']} attacks held, "
        f"{result['statements']} statements, {result['per_second']:.0f} a second"
    )
    print(
        f"left behind: {result['xids']} transaction ids, {result['wal'] / 1e6:.1f} MB of WAL, "
        f"rows changed: {result['rows_changed']}"
    )
    print(f"{'':24}{'seconds':>10}{'of the client':>16}{'ratio to ' + BASELINE:>34}")
    for name, value in result["seconds"].items():
        own = f"{result['client'][name]:.2f}" if name in result["client"] else ""
        print(f"{name:24}{value:10.2f}{own:>16}{result['ratios'][name]:34.1f}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

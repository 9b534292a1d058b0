"""What does the trail cost those who write events: 16 clients, beside the plain table of nine columns with its trigger?

A transaction inserts a row of the application and one event, or an event alone, and waits for the disk. The arms: that
plain table, as an application makes it by hand; the plan's trail of nine columns; the extended one, by INSERT and by
`audit.log()`; the latter three while `tenantry audit seal --every 1s` runs beside, on the same processors. In turn, in
an order of chance. Counted are transactions a second, and processor time for a transaction, of the server's processes
alone and with the sealer's: the machine may be busy with other things. Medians of the ratios to the plain table in the
same round. Linux only. `--json FILE` writes every figure.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import never_misses
import psycopg
from _arms import cpu
from psycopg.conninfo import make_conninfo

from tenantry import embedded
from tenantry.audit import keys, seal

BASELINE = "plain table of nine columns, by hand"
CLIENTS, ROLE = 16, "app_user"
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB", "max_connections": "60"}
INSERT = (
    "INSERT INTO audit_logs (actor_id, tenant_id, action, resource_type, resource_id, ip_address, metadata)"
    " VALUES ('u' || :n, 'acme', 'skill.update', 'skill', :n::text, '10.0.0.1', '{\"fields\": [\"name\", \"content\"]}');"
)
LOG = "SELECT audit.log('skill.update', 'skill', :n::text, metadata => '{\"fields\": [\"name\", \"content\"]}');"
WORK = "INSERT INTO work (number, note) VALUES (:n, 'what the application is there for');"
TABLE = (
    "CREATE TABLE work (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, number integer, note text, at timestamptz DEFAULT now())",
    f"GRANT INSERT, SELECT ON work TO {ROLE}",
)
KINDS = {"with a row of its own": f"BEGIN;\n{WORK}\n{{}}\nCOMMIT;", "an event alone": "{}"}
BY_HAND = (
    "CREATE TABLE audit_logs (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), actor_id text, tenant_id text, action text NOT"
    " NULL, resource_type text, resource_id text, ip_address text, metadata jsonb, created_at timestamptz NOT NULL DEFAULT now())",
    "CREATE INDEX ON audit_logs (tenant_id, created_at DESC)",
    "CREATE INDEX ON audit_logs (actor_id, created_at DESC)",
    "CREATE INDEX ON audit_logs (action, created_at DESC)",
    "CREATE FUNCTION prevent_audit_modification() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN RAISE EXCEPTION ''forbidden''; END'",
    "CREATE TRIGGER no_audit_update BEFORE UPDATE OR DELETE ON audit_logs FOR EACH ROW EXECUTE FUNCTION prevent_audit_modification()",
    f"GRANT INSERT, SELECT ON audit_logs TO {ROLE}",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Arm:
    """A database with a trail, the statement that writes an event, and whether a sealer runs."""

    database: str
    statement: str
    sealed: bool


ARMS = {
    BASELINE: Arm("by_hand", INSERT, sealed=False),
    "nine columns, sealed": Arm("plain", INSERT, sealed=True),
    "extended, sealed": Arm("extended", INSERT, sealed=True),
    "extended by log(), sealed": Arm("extended", LOG, sealed=True),
}


def prepare(server: str, directory: Path) -> None:
    """The databases, an application's login that has its tenant, and a key."""
    for name in ("extended", "plain"):
        never_misses.make(server, name, name)
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute("CREATE DATABASE by_hand TEMPLATE template0")
        conn.execute(f"ALTER ROLE {ROLE} LOGIN".encode())
        for setting, value in (("app.current_tenant_id", "acme"), ("app.actor_id", "u1")):
            conn.execute(f"ALTER ROLE {ROLE} SET {setting} = '{value}'".encode())
    keys.create(directory / "seal.key", "audit.example.com")
    private = keys.load(directory / "seal.key")
    for name in ("by_hand", "extended", "plain"):
        dsn = make_conninfo(server, dbname=name)
        with psycopg.connect(dsn, autocommit=True) as conn:
            for statement in (*TABLE, *(BY_HAND if name == "by_hand" else ())):
                conn.execute(statement.encode())
        if name != "by_hand":
            seal.seal(dsn, never_misses.TABLE, private)
    for (kind, text), (name, arm) in itertools.product(KINDS.items(), ARMS.items()):
        body = f"\\set n random(1, 5000)\n{text.format(arm.statement)}\n"
        script(directory, kind, name).write_text(body, encoding="utf-8")


def script(directory: Path, kind: str, arm: str) -> Path:
    """The transaction of an arm, as pgbench reads it."""
    return directory / f"{list(KINDS).index(kind)}{list(ARMS).index(arm)}.sql"


@dataclass(frozen=True, slots=True)
class Figures:
    """Transactions a second, and microseconds of processor time for one: of the clients' sessions, and with sealing."""

    tps: float
    server: float
    with_sealer: float


@dataclass(slots=True)
class Sealer:
    """A sealer of one database, stopped while other arms run."""

    process: subprocess.Popen[bytes]
    backend: int

    @property
    def used(self) -> float:
        """Seconds of processor time of the process and of its session."""
        return (cpu(self.process.pid) + cpu(self.backend)) / 1e9


@contextlib.contextmanager
def sealing(dsn: str, directory: Path) -> Iterator[Sealer]:
    """A sealer, from when it is connected."""
    command = [
        *never_misses.SEALER, "audit", "seal", "--dsn", dsn, "--key", str(directory / "seal.key"),
        "--table", "audit_logs", "--every", "1s",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'tenantry audit seal' AND datname = current_database()"
    try:
        with psycopg.connect(dsn, autocommit=True) as conn:
            while (row := conn.execute(query.encode()).fetchone()) is None:
                time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGSTOP)
        yield Sealer(process, row[0])
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait()


def sessions(postmaster: int) -> float:
    """Seconds of processor time of the server's processes that have ended."""
    fields = Path(f"/proc/{postmaster}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def measure(cluster: embedded.Cluster, command: list[str], beside: Sealer | None) -> Figures:
    """One arm in one round."""
    before = beside.used if beside else 0.0
    if beside:
        beside.process.send_signal(signal.SIGCONT)
    server = sessions(cluster.pid)
    done = subprocess.run(command, capture_output=True, text=True)
    time.sleep(0.2)  # until the last session has ended
    server = sessions(cluster.pid) - server
    if beside:
        beside.process.send_signal(signal.SIGSTOP)
    sealer = beside.used - before if beside else 0.0
    found = re.search(r"actually processed: (\d+).*tps = ([\d.]+)", done.stdout, re.DOTALL)
    if done.returncode or found is None:
        raise RuntimeError(done.stderr)
    count = int(found[1])
    return Figures(float(found[2]), server / count * 1e6, (server + sealer) / count * 1e6)


def line(name: str, figures: Sequence[Figures], baseline: Sequence[Figures]) -> str:
    """A row of the table."""

    def both(key: str) -> tuple[float, list[float]]:
        mine, theirs = ([getattr(f, key) for f in of] for of in (figures, baseline))
        return statistics.median(mine), [a / b for a, b in zip(mine, theirs, strict=True)]

    (tps, r), (server, rs), (all_, ra) = both("tps"), both("server"), both("with_sealer")
    spread = f"{statistics.median(r):.2f} ({min(r):.2f} to {max(r):.2f})"
    return f"  {name[:32]:32}{tps:7.0f}{spread:>22}{server:7.0f}{statistics.median(rs):7.2f}{all_:13.0f}{statistics.median(ra):7.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=2, help="of one arm in one round")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    found: dict[str, dict[str, list[Figures]]] = {kind: {name: [] for name in ARMS} for kind in KINDS}
    with (
        embedded.cluster(embedded.embedded_binaries(), settings=SETTINGS) as cluster,
        tempfile.TemporaryDirectory() as directory,
        contextlib.ExitStack() as stack,
    ):
        prepare(cluster.dsn, Path(directory))
        beside = {
            name: stack.enter_context(sealing(make_conninfo(cluster.dsn, dbname=name), Path(directory)))
            for name in ("plain", "extended")
        }
        pgbench = [
            str(cluster.binaries / "pgbench"),
            "-n",
            "-M",
            "prepared",
            "-c",
            str(CLIENTS),
            "-j",
            "2",
            "-T",
            str(options.seconds),
        ]
        for number, kind in itertools.product(range(options.rounds), KINDS):
            for name in random.sample(list(ARMS), len(ARMS)):
                arm = ARMS[name]
                at = make_conninfo(cluster.dsn, dbname=arm.database, user=ROLE)
                command = [*pgbench, "-f", str(script(Path(directory), kind, name)), at]
                found[kind][name].append(
                    measure(cluster, command, beside[arm.database] if arm.sealed else None)
                )
            print(
                f"round {number + 1}",
                kind,
                *(round(f[-1].with_sealer) for f in found[kind].values()),
                file=sys.stderr,
            )
    print(
        f"{CLIENTS} clients, {options.rounds} rounds of {options.seconds} s; medians, and ratios to: {BASELINE}"
    )
    document: dict[str, Any] = {"baseline": BASELINE, "clients": CLIENTS, "arms": {}}
    for kind, arms in found.items():
        print(
            f"{kind:34}{'tps':>7}{'ratio (least to most)':>22}{'µs':>7}{'ratio':>7}{'with sealer':>13}{'ratio':>7}"
        )
        for name, figures in arms.items():
            print(line(name, figures, arms[BASELINE]))
        document["arms"][kind] = {name: [asdict(f) for f in figures] for name, figures in arms.items()}
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

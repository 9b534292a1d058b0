"""What goes wrong while events are written: unruly writers, a sealer that is killed, a server that is crashed."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

OPEN = (0.5, 6.0)  # seconds that a long transaction stays open
PAUSE = (0.0, 0.06)  # seconds between two transactions of a session
INSERT = (
    "INSERT INTO audit_logs (tenant_id, actor_id, action) SELECT (ARRAY['acme', 'globex', NULL])[1 + n %% 3], 'ann',"
    " 'note' FROM generate_series(1, %s) AS n RETURNING id::text"
)
MOVES = {"short": 45, "bulk": 20, "savepoints": 12, "rolled back": 10, "two-phase": 9, "long": 4}


@dataclass(slots=True)
class Told:
    """What writers were told: ids that are committed, that are not, and of which a crash left it open."""

    committed: set[str] = field(default_factory=set)
    undone: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    transactions: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0


class Writer(threading.Thread):
    """One session after the other, each transaction of a kind by chance, until there are enough events."""

    def __init__(self, dsn: str, number: int, told: Told, wanted: int) -> None:
        super().__init__(daemon=True)
        self.dsn, self.number, self.told, self.wanted = dsn, number, told, wanted
        self.rng = random.Random(number)
        self.prepared: list[tuple[str, set[str]]] = []
        self.failure: Exception | None = None

    def run(self) -> None:
        while len(self.told.committed) < self.wanted:
            try:
                with contextlib.closing(psycopg.connect(self.dsn, autocommit=True)) as conn:
                    while len(self.told.committed) < self.wanted:
                        self._transaction(conn)
                        time.sleep(self.rng.uniform(*PAUSE))
            except psycopg.OperationalError:
                time.sleep(0.2)  # the server was crashed
            except Exception as error:
                self.failure = error
                return

    def _transaction(self, conn: psycopg.Connection[Any]) -> None:
        kind = self.rng.choices(list(MOVES), list(MOVES.values()))[0]
        ids, undone, begun = set[str](), set[str](), time.monotonic()
        ending = False
        try:
            conn.execute("BEGIN")
            self._write(conn, kind, ids, undone)
            ending = True
            match kind:
                case "rolled back":
                    conn.execute("ROLLBACK")
                case "two-phase":
                    self._prepare(conn, ids)
                case _:
                    conn.execute("COMMIT")
        except psycopg.OperationalError:
            (self.told.unknown if ending else undone).update(ids)
            self.told.undone |= undone
            raise
        self.told.transactions[kind] += 1
        self.told.undone |= undone | (ids if kind == "rolled back" else set())
        if kind not in ("rolled back", "two-phase"):
            self.told.committed |= ids
        self.told.longest = max(self.told.longest, time.monotonic() - begun)

    def _write(self, conn: psycopg.Connection[Any], kind: str, ids: set[str], undone: set[str]) -> None:
        def some(most: int) -> set[str]:
            return {row[0] for row in conn.execute(INSERT, (self.rng.randint(1, most),))}

        ids |= some(100 if kind == "bulk" else 8)
        match kind:
            case "savepoints":
                for _ in range(self.rng.randint(1, 4)):
                    conn.execute("SAVEPOINT s")
                    inner = some(20)
                    back = self.rng.random() < 0.4
                    conn.execute("ROLLBACK TO s" if back else "RELEASE s")
                    (undone if back else ids).update(inner)
            case "long":
                time.sleep(self.rng.uniform(*OPEN))
                ids |= some(8)

    def _prepare(self, conn: psycopg.Connection[Any], ids: set[str]) -> None:
        name = f"p{self.number}_{self.rng.random()}"
        conn.execute(f"PREPARE TRANSACTION '{name}'".encode())
        self.prepared.append((name, ids))
        if len(self.prepared) > self.rng.randint(1, 3):
            self.finish(conn, *self.prepared.pop(0))

    def finish(self, conn: psycopg.Connection[Any], name: str, ids: set[str]) -> None:
        """The second phase; one in four is rolled back."""
        back = self.rng.random() < 0.25
        try:
            conn.execute(f"{'ROLLBACK' if back else 'COMMIT'} PREPARED '{name}'".encode())
        except psycopg.OperationalError:
            self.prepared.append((name, ids))  # or it is done: the end sees
            raise
        except psycopg.errors.UndefinedObject:
            self.told.unknown |= ids  # it was done when the server was crashed
            return
        (self.told.undone if back else self.told.committed).update(ids)

    def finished(self) -> None:
        """Wait for it, and end what it only prepared. Raises what went wrong in it."""
        self.join()
        if self.failure is not None:
            raise self.failure
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            for name, ids in self.prepared:
                self.finish(conn, name, ids)


class Killer(threading.Thread):
    """Runs the sealer, kills it by chance, and starts it again."""

    def __init__(self, command: Sequence[str], dsn: str, *, kills: tuple[float, float]) -> None:
        super().__init__(daemon=True)
        self.command, self.dsn, self.between = command, dsn, kills
        self.stop = threading.Event()
        self.outages: list[float] = []
        self.amid = 0
        self.said: list[str] = []

    def __enter__(self) -> Killer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.join()

    def run(self) -> None:
        rng = random.Random(99)
        while not self.stop.is_set():
            with tempfile.TemporaryFile("w+") as said:
                process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=said)
                self.stop.wait(rng.uniform(*self.between))
                if rng.random() < 0.7:
                    self.amid += self._caught()
                alive = process.poll() is None
                process.kill()
                process.wait()
                said.seek(0)
                self.said += said.read().splitlines() if not alive else []
            if alive:
                self.outages.append(time.time())

    def ready(self) -> None:
        """Wait until a sealer is connected."""
        query = b"SELECT FROM pg_stat_activity WHERE application_name = 'tenantry audit seal'"
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            while not conn.execute(query).rowcount:
                time.sleep(0.02)

    def _caught(self) -> bool:
        """Wait for a pass, a second at most; whether there was one."""
        query = b"SELECT FROM pg_stat_activity WHERE application_name = 'tenantry audit seal' AND xact_start IS NOT NULL"
        try:
            with psycopg.connect(self.dsn, autocommit=True) as conn:
                end = time.monotonic() + 1
                while time.monotonic() < end:
                    if conn.execute(query).rowcount:
                        return True
        except psycopg.OperationalError:
            pass  # the server was crashed
        return False


def crash(dsn: str) -> float:
    """Kill a process of the server, whereupon it forgets what is not written and recovers; returns when."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        at = time.time()
        os.kill(conn.info.backend_pid, signal.SIGKILL)
    for _ in range(600):
        time.sleep(0.1)
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(dsn, connect_timeout=5):
            return at
    raise RuntimeError("the server did not come back")

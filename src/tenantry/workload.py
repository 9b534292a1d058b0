"""A small application of the skills catalog that keeps working while the demo converts its database.

It knows nothing of tenants: no statement names the tenant column. Its connection carries the tenant in its
options, as a team would set it for an application that it does not want to edit yet.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from dataclasses import dataclass, field

import psycopg
from psycopg import sql


@dataclass(slots=True)
class Tally:
    """What the workload saw; ``longest`` is the longest transaction in seconds."""

    transactions: int = 0
    longest: float = 0.0
    errors: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)


class Workload:
    """Readers and writers in threads of their own; a context manager, whose ``tally`` is complete after it."""

    def __init__(self, dsn: str, role: str, setting: str, tenant: str, threads: int = 2) -> None:
        self._arguments = (dsn, role, setting, tenant)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(seed,), daemon=True) for seed in range(threads)
        ]
        self.tally = Tally()

    def __enter__(self) -> Workload:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, seed: int) -> None:
        dsn, role, setting, tenant = self._arguments
        rng = random.Random(seed)  # noqa: S311 - a workload, not a secret
        try:
            with psycopg.connect(dsn, user=role, autocommit=True, options=f"-c {setting}={tenant}") as conn:
                users = [row[0] for row in conn.execute("SELECT id FROM users ORDER BY id LIMIT 200")]
                slugs = [row[0] for row in conn.execute("SELECT slug FROM skills ORDER BY slug LIMIT 200")]
                while not self._stop.is_set():
                    self._once(conn, rng, users, slugs)
                    time.sleep(0.005)
        except psycopg.Error as error:
            with self._lock:
                self.tally.errors.append(str(error).strip())

    def _once(
        self,
        conn: psycopg.Connection[tuple[object, ...]],
        rng: random.Random,
        users: list[object],
        slugs: list[object],
    ) -> None:
        begun, event = time.monotonic(), str(uuid.UUID(int=rng.getrandbits(128), version=4))
        try:
            with conn.transaction():
                row = conn.execute(
                    "SELECT id, name FROM skills WHERE slug = %s", [rng.choice(slugs)]
                ).fetchone()
                skill = row[0] if row else None
                conn.execute(
                    "INSERT INTO usage_events (id, tool_name, skill_id, user_id) VALUES (%s, 'search', %s, %s)",
                    [event, skill, rng.choice(users)],
                )
                conn.execute("UPDATE skills SET total_uses = total_uses + 1 WHERE id = %s", [skill])
        except psycopg.Error as error:
            with self._lock:
                self.tally.errors.append(str(error).strip())
            return
        with self._lock:
            self.tally.transactions += 1
            self.tally.longest = max(self.tally.longest, time.monotonic() - begun)
            self.tally.written.append(event)


def make_role(conn: psycopg.Connection[tuple[object, ...]], role: str) -> None:
    """The login that the old application uses: rights on its tables, nothing else."""
    name = sql.Identifier(role)
    conn.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
    conn.execute(
        sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}").format(name)
    )

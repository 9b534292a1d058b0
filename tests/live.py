"""The reference application at work: readers, writers and long transactions in threads, as old and as new code.

Old code knows nothing of tenants. New code is the same with the tenant in its connection's options, and with the
one statement edited that names a key by its columns. Neither says ``SELECT *``, whose prepared form would not
survive a new column.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg

from tests import reference
from tests.servers import Database

# Statements by name, each on rows that are there; what row level security would filter or refuse of old code.
READS = {
    "skill": "SELECT id, name, total_uses FROM skills WHERE slug = %s",
    "ratings": "SELECT r.rating, u.name FROM ratings r JOIN users u ON u.id = r.user_id WHERE r.skill_id = %s",
    "versions": "SELECT version, content_url FROM skill_versions WHERE skill_id = %s ORDER BY version",
    "events": "SELECT count(*) FROM usage_events WHERE user_id = %s",
    "settings": "SELECT ollama_url FROM site_settings WHERE id = 'default'",
    "keys": "SELECT name, key_prefix FROM api_keys WHERE user_id = %s",
    "session": "SELECT s.expires, u.email FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.session_token = %s",
}
WRITES = {
    "sign up": "INSERT INTO users (id, email, name) VALUES (%s, %s, %s)",
    "account": "INSERT INTO accounts (user_id, type, provider, provider_account_id) VALUES (%s, 'oauth', 'x', %s)",
    "sign in": "INSERT INTO sessions (session_token, user_id, expires) VALUES (%s, %s, now() + interval '1 day')",
    "publish": "INSERT INTO skills (id, name, slug, description, category, content, author_id) VALUES (%s, 'n', %s, 'd', 'c', 'x', %s)",
    "version": "INSERT INTO skill_versions (id, skill_id, version, content_url, content_hash, content_type, name) VALUES (%s, %s, 1, 'u', 'h', 't', 'n')",
    "rate": "INSERT INTO ratings (id, skill_id, user_id, rating) VALUES (%s, %s, %s, 5)",
    "use": "INSERT INTO usage_events (id, tool_name, skill_id, user_id) VALUES (%s, 'search', %s, %s)",
    "count": "UPDATE skills SET total_uses = total_uses + 1 WHERE id = %s",
    "key": "INSERT INTO api_keys (user_id, key_hash, key_prefix, name) VALUES (%s, %s, 'k', 'n')",
    "review": "INSERT INTO skill_reviews (id, skill_id, requested_by, categories, summary, reviewed_content_hash, model_name) VALUES (%s, %s, %s, '{}', 's', 'h', 'm') ON CONFLICT (skill_id) DO UPDATE SET summary = 'again'",
    "sign out": "DELETE FROM sessions WHERE session_token = %s",
}
REPORT = "SELECT count(*) FROM users"
REVIEW_OF_NEW_CODE = WRITES["review"].replace("(skill_id) DO", "(tenant_id, skill_id) DO")
# The tables where users leave rows, and what names such a row.
KEPT = {
    "accounts": "provider_account_id", "users": "id", "skills": "id", "skill_versions": "id", "ratings": "id",
    "usage_events": "id::text", "api_keys": "key_hash", "skill_reviews": "id",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Login:
    """How the application connects; ``tenant`` is empty for old code."""

    user: str
    name: str
    tenant: str = ""

    @property
    def owner(self) -> str:
        """The tenant of the rows that it writes."""
        return self.tenant or reference.DEFAULT


@dataclass(slots=True)
class Tally:
    """What the workers saw. ``kept`` are the rows of committed transactions: table, name of the row, tenant."""

    errors: list[str] = field(default_factory=list)
    kept: list[tuple[str, str, str]] = field(default_factory=list)
    rounds: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0


class Application:
    """Workers, each with a connection as one of ``logins``; a context manager. ``switch`` makes them connect anew.

    A round is a visit of a new user, and a look at what he left. What is not as expected is an error too.
    """

    def __init__(self, db: Database, logins: list[Login]) -> None:
        self.tally = Tally()
        self._db = db
        self._logins = logins
        self._stop = threading.Event()
        self._lock = threading.Lock()
        works = [self._visit, self._visit, self._read, self._stay]
        self._threads = [
            threading.Thread(target=self._run, args=(number, work)) for number, work in enumerate(works)
        ]

    def __enter__(self) -> Application:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def switch(self, logins: list[Login]) -> None:
        """Deploy: from the next round of each worker on."""
        self._logins = logins

    def wait(self, rounds: int = 5, seconds: float = 60) -> None:
        """Until every login of now has done that many more visits and looks, and a long transaction from its start."""
        end = time.monotonic() + seconds
        more = {"visit": rounds, "read": rounds, "stay": 2}
        names = [(f"{login.name} {work}", count) for login in self._logins for work, count in more.items()]
        goal = {name: self.tally.rounds[name] + count for name, count in names}
        while any(self.tally.rounds[name] < goal[name] for name in goal):
            assert not self.tally.errors, self.tally.errors[:3]
            assert time.monotonic() < end, (goal, self.tally.rounds)
            time.sleep(0.02)

    def _run(self, number: int, work: Callable[..., None]) -> None:
        rng, turns = random.Random(number), itertools.count(number)
        connections: dict[Login, psycopg.Connection[Any]] = {}
        try:
            while not self._stop.is_set():
                now = self._logins
                for login in [login for login in connections if login not in now]:
                    connections.pop(login).close()
                login = now[next(turns) % len(now)]
                if login not in connections:
                    connections[login] = self._connect(login)
                self._round(work, connections[login], login, rng)
        except psycopg.Error as error:
            self._wrong(f"{number}: {error}")
        finally:
            for conn in connections.values():
                conn.close()

    def _connect(self, login: Login) -> psycopg.Connection[Any]:
        options = f"-c app.current_tenant_id={login.tenant}" if login.tenant else ""
        conn = self._db.connect(user=login.user, application_name=login.name, options=options)
        conn.prepare_threshold = 2  # prepared statements live through every phase
        return conn

    def _round(
        self, work: Callable[..., None], conn: psycopg.Connection[Any], login: Login, rng: random.Random
    ) -> None:
        begun = time.monotonic()
        try:
            work(conn, login, rng)
        except psycopg.Error as error:
            self._wrong(f"{login.name}, {error.sqlstate}: {error}")
            return
        with self._lock:
            self.tally.rounds[f"{login.name} {work.__name__.strip('_')}"] += 1
            if work != self._stay:
                self.tally.longest = max(self.tally.longest, time.monotonic() - begun)
        time.sleep(0.02)

    def _wrong(self, what: str) -> None:
        with self._lock:
            self.tally.errors.append(what)

    def _visit(self, conn: psycopg.Connection[Any], login: Login, rng: random.Random) -> None:
        """A new user signs up, publishes, rates, uses and signs out, in a few transactions."""
        user, skill, token = (str(uuid.UUID(int=rng.getrandbits(128), version=4)) for _ in range(3))
        kept: Mapping[str, str] = dict.fromkeys(KEPT, skill) | {"users": user, "accounts": user}
        with conn.transaction():
            conn.execute(WRITES["sign up"], [user, f"{user}@example.com", "New"])
            conn.execute(WRITES["account"], [user, user])
        conn.execute(WRITES["sign in"], [token, user])
        with conn.transaction():
            conn.execute(WRITES["publish"], [skill, skill, user])
            conn.execute(WRITES["version"], [skill, skill])
            conn.execute(WRITES["key"], [user, skill])
        for _ in range(2):
            conn.execute(REVIEW_OF_NEW_CODE if login.tenant else WRITES["review"], [skill, skill, user])
        with conn.transaction():
            conn.execute(WRITES["rate"], [skill, skill, user])
            conn.execute(WRITES["use"], [skill, skill, user])
            if conn.execute(WRITES["count"], [skill]).rowcount != 1:
                self._wrong(f"{login.name}: its own skill could not be updated")
        with self._lock:
            self.tally.kept += [(table, name, login.owner) for table, name in kept.items()]
        self._look(conn, login, user, skill, token)
        if conn.execute(WRITES["sign out"], [token]).rowcount != 1:
            self._wrong(f"{login.name}: its own session could not be deleted")

    def _look(self, conn: psycopg.Connection[Any], login: Login, user: str, skill: str, token: str) -> None:
        """What a user has just left is there, all of it and once."""
        given = {"events": user, "keys": user, "session": token}
        for name, statement in READS.items():
            if name == "settings" and login.owner != reference.DEFAULT:
                continue  # another tenant has none yet
            rows = conn.execute(statement, [given.get(name, skill)] if "%s" in statement else None).fetchall()
            if len(rows) != 1 or (name == "events" and rows != [(1,)]):
                self._wrong(f"{login.name}: {name} of what it wrote itself: {rows}")

    def _read(self, conn: psycopg.Connection[Any], login: Login, rng: random.Random) -> None:
        """Somebody reads what others left, in one transaction that changes nothing."""
        with self._lock:
            left = [row[1] for row in self.tally.kept if row[0] == "skills" and row[2] == login.owner]
        with conn.transaction():
            conn.execute("SET TRANSACTION READ ONLY")
            for skill in rng.sample(left, min(5, len(left))):
                if len(conn.execute(READS["skill"], [skill]).fetchall()) != 1:
                    self._wrong(f"{login.name}: skill {skill} is not seen")

    def _stay(self, conn: psycopg.Connection[Any], login: Login, rng: random.Random) -> None:
        """A report: one transaction, one snapshot, the same answer at its beginning and its end."""
        with conn.transaction():
            conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            answers = []
            for _ in range(2):
                answers.append(conn.execute(REPORT).fetchone())
                time.sleep(rng.uniform(0.05, 0.4))
        if answers[0] != answers[1]:
            self._wrong(f"{login.name}: one snapshot, two answers: {answers}")
        time.sleep(rng.uniform(0, 0.4))

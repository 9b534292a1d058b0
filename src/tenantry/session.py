"""A session that changes a database: its settings, the lock against a second runner, tries, error words."""

from __future__ import annotations

import contextlib
import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from tenantry.errors import ApplyError, CatalogError, LockTimeout
from tenantry.names import QName, qualified
from tenantry.progress import Listener, Tally, Waiting

MIN_VERSION = 150000
# Seconds that a statement waits for a lock in one try. Others queue behind it meanwhile; below the server's
# deadlock_timeout (1 s) it would never get past an autovacuum, which is cancelled only then.
LOCK_TIMEOUT = 2.0
# With these, a lock is asked for during about a minute.
TRIES = 10
FIRST_PAUSE, LONGEST_PAUSE, JITTER = 0.25, 8.0, 0.5
# Seconds that each turn of a strong lock may wait: short ones first, which a quiet table needs, then bounded ones.
TURNS = (0.02, 0.02, 0.05, 0.05, *[0.1] * 16)
# How often the lock against a second runner is tried for again when nobody is seen to hold it.
ALONE_TRIES, ALONE_PAUSE = 20, 0.05
# Seconds after which a statement that still runs is asked what it waits for.
WATCH_AFTER, WATCH_EVERY = 0.4, 0.4
# A pause ends that soon after it is asked to.
SLICE = 0.05

# Positive, so that it reads the same in pg_locks as here.
RUNNER_KEY = int.from_bytes(hashlib.sha256(b"tenantry runner").digest()[:8]) >> 1

LOCK_TROUBLE = ("55P03", "40P01")  # lock_not_available, deadlock_detected
# What a query raises that names a schema, table, column, function or type that is not there (yet).
MISSING = ("3F000", "42P01", "42703", "42704", "42883")

T = TypeVar("T")
Conn = psycopg.Connection[TupleRow]


class Stopped(Exception):
    """Somebody asked the run to stop: nothing is open, and what is committed stays."""


def never() -> bool:
    """For a run that nobody asks to stop."""
    return False


def connect(dsn: str, name: str, *, watched: bool = False) -> Conn:
    """An autocommit connection under that application name; ``dsn`` may be empty for libpq's environment.

    ``watched``: when this process is killed, the server soon ends what it is at, and rolls back. Raises CatalogError when there is no server to talk to, or one older than PostgreSQL 15.
    """
    try:
        # No prepared statements: a batch must be planned with the block numbers that it is given.
        conn = psycopg.connect(
            dsn, autocommit=True, prepare_threshold=None, application_name=name, client_encoding="utf8"
        )
    except psycopg.Error as error:
        raise CatalogError(
            f"the database cannot be reached: {str(error).strip()}; "
            "check the DSN (--dsn, TENANTRY_DSN) or the PG* environment variables"
        ) from error
    if conn.info.server_version < MIN_VERSION:
        version = conn.info.server_version
        conn.close()
        raise CatalogError(
            f"the server is PostgreSQL {version // 10000}.{version % 10000} and Tenantry needs "
            f"{MIN_VERSION // 10000} or newer; upgrade the server first"
        )
    if watched:
        with contextlib.suppress(psycopg.errors.InvalidParameterValue):  # not on every server's system
            conn.execute("SET client_connection_check_interval = '2s'")
    return conn


@contextlib.contextmanager
def runner(dsn: str, verb: str, listen: Listener, stop: Callable[[], bool] = never) -> Iterator[Session]:
    """A session that is the only one converting its database, for ``tenantry apply`` or ``tenantry revert``.

    ``stop`` is asked between statements whether to go on. It closes at the end, whatever happens. Raises ApplyError while another session is at it.
    """
    with contextlib.closing(connect(dsn, f"tenantry {verb}", watched=True)) as conn:
        try:
            conn.execute(load("runner_session"))
            _alone(conn)
            yield Session(conn, dsn, verb, listen, stop)
        except psycopg.Error as error:
            raise failure(verb, "", "", error) from error
        finally:
            # The server ends a session a moment after it is closed here; whoever comes next must not meet its lock.
            if conn.info.transaction_status == TransactionStatus.IDLE:
                with contextlib.suppress(psycopg.Error):
                    conn.execute("SELECT pg_catalog.pg_advisory_unlock_all()")


@dataclass(frozen=True, slots=True)
class Holder:
    """The server process of a runner; the names are None where this role may not see them."""

    pid: int
    application: str | None
    user: str | None


def holder(conn: Conn) -> Holder | None:
    """Who converts this database at the moment, if anybody does."""
    row = conn.execute(load("runner_holder"), {"key": RUNNER_KEY}).fetchone()
    return Holder(*row) if row else None


def load(name: str) -> bytes:
    """A statement of ``sql/``, by name."""
    return (resources.files("tenantry") / "sql" / f"{name}.sql").read_bytes()


def _alone(conn: Conn) -> None:
    """Take the lock against a second runner. Raises ApplyError while another session has it."""
    for _ in range(ALONE_TRIES):
        free = conn.execute("SELECT pg_catalog.pg_try_advisory_lock(%s)", (RUNNER_KEY,)).fetchone()
        if free == (True,):
            return
        if holder(conn) is not None:
            break
        time.sleep(ALONE_PAUSE)  # whoever had it is gone by now
    raise _second_runner(conn)


def _second_runner(conn: Conn) -> ApplyError:
    other = holder(conn)
    who = (
        f"process {other.pid} ({other.application}, user {other.user})"
        if other
        else "a session that just ended"
    )
    return ApplyError(
        f"another session converts this database: {who} holds the lock; "
        "wait until it ends (`tenantry status` shows how far it is) and try again"
    )


@dataclass(frozen=True, slots=True)
class Session:
    """The connection of a runner. ``verb`` is what a person runs again: apply or revert."""

    conn: Conn
    dsn: str
    verb: str
    listen: Listener
    stop: Callable[[], bool] = never
    tally: Tally = field(default_factory=Tally)

    def go_on(self) -> None:
        """Raise Stopped if somebody asked for it."""
        if self.stop():
            raise Stopped

    def pause(self, seconds: float) -> None:
        """Do nothing for a while. Raises Stopped as soon as somebody asks for it."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.go_on()
            time.sleep(min(left, SLICE))
        self.go_on()

    def check(self) -> None:
        """Raise ApplyError unless this server session still has the lock and the settings it began with."""
        query = "SELECT pg_catalog.pg_backend_pid(), pg_catalog.current_setting('row_security')"
        lock = holder(self.conn)
        if lock is None or self.conn.execute(query).fetchone() != (lock.pid, "off"):
            raise ApplyError(
                "the server session changed under the connection, and the lock against a second runner with "
                "it: a pooler in transaction mode stands between; connect to the server itself and run "
                f"`tenantry {self.verb}` again"
            )

    @contextlib.contextmanager
    def transaction(self, step: str, lock_timeout: float, *, keep: bool = True) -> Iterator[None]:
        """One transaction, rolled back at the end unless ``keep``; ``lock_timeout`` in seconds, 0 for none.

        Raises ApplyError when the server refuses the commit.
        """
        try:
            with self.conn.transaction(force_rollback=not keep):
                self.conn.execute(
                    "SELECT pg_catalog.set_config('lock_timeout', %s, true)", (str(int(lock_timeout * 1000)),)
                )
                yield
        except psycopg.Error as error:
            raise failure(self.verb, step, "", error) from error

    def run(self, step: str, statement: str, parameters: Mapping[str, object] | None = None) -> int:
        """Run one statement as it stands (or with parameters) and return the rows that it changed, or 0.

        Raises ApplyError with all that the server said.
        """
        try:
            return max(self.conn.execute(statement.encode(), parameters).rowcount, 0)
        except psycopg.Error as error:
            raise failure(self.verb, step, statement, error) from error

    def reserve(self, step: str, tables: Sequence[QName]) -> None:
        """First stage of a strong lock: one that no reader or writer waits for, and that ends an autovacuum.

        Asked for with a short timeout, a strong lock never gets past an autovacuum, which the server cancels
        only after deadlock_timeout (1 s); waited for that long, it would stop the application meanwhile.
        """
        for table in sorted(tables):
            self.run(step, f"LOCK TABLE {qualified(table)} IN SHARE UPDATE EXCLUSIVE MODE")

    def seize(self, step: str, work: Callable[[], T]) -> T:
        """Second stage: try for the strong lock in short turns, and let go between them.

        The application queues behind a turn for :data:`TURNS` seconds at most. After the last turn the lock
        timeout is raised, and :meth:`persist` begins again later.
        """
        for seconds in TURNS[:-1]:
            try:
                with self.conn.transaction():
                    self.conn.execute(f"SET LOCAL lock_timeout = {int(seconds * 1000)}".encode())
                    return work()
            except ApplyError as error:
                if error.sqlstate != "55P03":
                    raise
            self.tally.waits += 1
            self.pause(random.uniform(seconds, 4 * seconds))  # noqa: S311 - spreads the turns
        with self.conn.transaction():
            self.conn.execute(f"SET LOCAL lock_timeout = {int(TURNS[-1] * 1000)}".encode())
            return work()

    def ask(self, step: str, query: str) -> bool:
        """The answer of a boolean query, which cannot change anything. NULL is false.

        Its search_path is empty, so that deparsed text in it is qualified. Raises ApplyError.
        """
        try:
            with self.conn.transaction(force_rollback=True):
                self.conn.execute("SET LOCAL search_path = ''")
                row = self.conn.execute(query.encode()).fetchone()
        except psycopg.Error as error:
            raise failure(self.verb, step, query, error) from error
        return row is not None and row[0] is True

    def ask_before(self, step: str, query: str) -> bool:
        """As :meth:`ask`; what names an object that is not there is not true yet."""
        try:
            return self.ask(step, query)
        except ApplyError as error:
            if error.sqlstate in MISSING:
                return False
            raise

    def count(self, step: str, query: str) -> int:
        """The number that a query yields. Raises ApplyError.

        An expression of the spec is resolved here as in a fill trigger, which must not depend on anybody's path.
        """
        try:
            with self.conn.transaction():  # kept, since a caller may ask which locks the query took
                path = self.conn.execute("SELECT pg_catalog.current_setting('search_path')").fetchone()
                self.conn.execute("SET LOCAL search_path = pg_catalog, pg_temp")
                row = self.conn.execute(query.encode()).fetchone()
                self.conn.execute("SELECT pg_catalog.set_config('search_path', %s, true)", path)
        except psycopg.Error as error:
            raise failure(self.verb, step, query, error) from error
        return int(row[0]) if row and row[0] is not None else 0

    def persist(self, step: str, work: Callable[[], T], watch_after: float = WATCH_AFTER) -> T:
        """Do ``work``, one transaction or one statement; again after a lock timeout or a deadlock.

        ``watch_after``: seconds after which somebody looks what it waits for.
        Raises LockTimeout after :data:`TRIES` tries, naming who stood in the way, or Stopped between two tries.
        """
        blocked_by: tuple[str, ...] = ()
        for tried in range(1, TRIES + 1):
            with _watching(self.dsn, self.conn.info.backend_pid, watch_after) as seen:
                try:
                    return work()
                except ApplyError as error:
                    if error.sqlstate not in LOCK_TROUBLE:
                        raise
                    blocked_by = tuple(seen) or _deadlock(error) or blocked_by
                    failed = error
            self.missed(step, tried, blocked_by)
            if tried < TRIES:
                self.tally.retries += 1
                self.pause(_before_next(tried))
        raise _gave_up(self.verb, step, blocked_by, failed) from failed

    def missed(self, step: str, tried: int, blocked_by: tuple[str, ...]) -> None:
        """Count and tell a try that ended without its lock."""
        self.tally.waits += 1
        self.listen(Waiting(step, tried, blocked_by))


def _before_next(tried: int) -> float:
    """Seconds: each pause twice the one before, up to a limit, spread so that two runners do not keep step."""
    wanted = FIRST_PAUSE * 2 ** (tried - 1) + random.uniform(0, JITTER)  # noqa: S311 - no secret
    return float(min(wanted, LONGEST_PAUSE))


def _deadlock(error: ApplyError) -> tuple[str, ...]:
    cause = error.__cause__
    detail = cause.diag.message_detail if isinstance(cause, psycopg.Error) else None
    return tuple(detail.splitlines()) if error.sqlstate == "40P01" and detail else ()


def _gave_up(verb: str, step: str, blocked_by: tuple[str, ...], error: ApplyError) -> LockTimeout:
    who = "".join(f"\n  held by {b}" for b in blocked_by) or "\n  who holds it could not be seen"
    return LockTimeout(
        f"step {step}: the lock could not be had in {TRIES} tries (SQLSTATE {error.sqlstate}){who}\n"
        f"  statement: {error.statement}\n"
        f"Nothing of this step was done. Let those sessions end, then run `tenantry {verb}` again.",
        step=step,
        statement=error.statement,
        sqlstate=error.sqlstate,
    )


_NEXT = {
    "apply": "What is done stays done. Remove the cause, then run `tenantry apply` again: it goes on here.",
    "revert": "Nothing was changed. Remove the cause, then run `tenantry revert` again.",
    "cutover": "Nothing was switched. Remove the cause, then run `tenantry cutover` again.",
    "observe": "Connect as the role that ran `tenantry apply`, or as a superuser.",
}


def failure(verb: str, step: str, statement: str, error: psycopg.Error) -> ApplyError:
    """All that the server said about a statement, and what to do next."""
    said = error.diag
    what = f"step {step} failed" if step else f"{verb} failed"
    code = f" (SQLSTATE {error.sqlstate})" if error.sqlstate else ""
    lines = [f"{what}: {said.message_primary or str(error).strip()}{code}"]
    parts = {"detail": said.message_detail, "hint": said.message_hint, "context": said.context}
    lines += [f"  {name}: {text}" for name, text in (parts | {"statement": statement}).items() if text]
    if error.sqlstate == "42501" and "row-level security" in (said.message_primary or ""):
        lines.append("  Row level security binds this role there; use a superuser or a role with BYPASSRLS.")
    if error.sqlstate == "42883" and statement:
        lines.append(
            "  In an expression of the spec functions carry their schema: public.f(x), a OPERATOR(public.=) b."
        )
    if error.sqlstate == "23503" and " CONSTRAINT " in statement:
        lines.append("  The row refers to a row of another tenant, or to none: say whose both are.")
    lines.append(_NEXT[verb])
    return ApplyError("\n".join(lines), step=step, statement=statement or None, sqlstate=error.sqlstate)


@contextlib.contextmanager
def _watching(dsn: str, pid: int, after: float) -> Iterator[list[str]]:
    """See who blocks the server process ``pid``, from a second connection made only if it takes long.

    The list holds the last blockers seen. It must be asked while the wait lasts: afterwards nobody knows.
    """
    seen: list[str] = []
    stop = threading.Event()
    thread = threading.Thread(target=_watch, args=(dsn, pid, after, stop, seen), daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def _watch(dsn: str, pid: int, after: float, stop: threading.Event, seen: list[str]) -> None:
    if stop.wait(after):
        return
    # What it sees only explains; without it (too many connections) the work goes on.
    quiet = contextlib.suppress(psycopg.Error, CatalogError)
    with quiet, contextlib.closing(connect(dsn, "tenantry watch")) as conn:
        query = load("blockers")
        while not stop.is_set():
            rows = conn.execute(query, {"pid": pid}).fetchall()
            if rows:
                seen[:] = [_blocker(*row) for row in rows]
            stop.wait(min(WATCH_EVERY, max(after, SLICE)))


def _blocker(pid: int, name: str | None, state: str | None, seconds: int | None, query: str | None) -> str:
    if pid == 0:
        return "a prepared transaction (see pg_prepared_xacts)"
    words = " ".join((query or "query not visible").split())
    age = f" for {seconds} s" if seconds is not None else ""
    return f"process {pid} ({name or 'no name'}, {state or 'state not visible'}{age}): {words[:120]}"

"""Work beyond one tenant: system work over all of them, and support of one, each recorded before it begins.

Both log in as a role of their own (``[roles] system`` and ``support``), never as the application, and get a connection of
psycopg that nothing else uses. Its rows are let through by the database for as long as the audit trail says that the
work is open; what is said here is told to it, and decides nothing by itself.
"""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow, tuple_row

from tenantry.errors import UnknownTenant, WorkRefused
from tenantry.runtime import scope
from tenantry.runtime.binding import ACTOR, CUSTOM_PLANS, Binding, State, literal
from tenantry.runtime.guard import guard, guard_async
from tenantry.runtime.isolation import quoted_part
from tenantry.runtime.psycopg import AsyncConnection, Connection

WORK = "app.work_id"
# Statements are not prepared: plans are made anew each time, and a pooler may not know them.
_AS: dict[str, Any] = {"autocommit": True, "row_factory": tuple_row, "prepare_threshold": None}
_DAY = 86_400  # seconds: longer than any work may take
_ABSENT = {"3F000", "42883", "42501"}


@dataclass(frozen=True, slots=True)
class Record:
    """Where work is recorded: the schema of the trail's functions, and how a transaction is told its tenant.

    Where the spec says ``context = "signed"``, support needs a binding with a signer, as the application does.
    """

    functions: str = "audit"
    binding: Binding = field(default_factory=Binding)


_RECORD = Record()


@contextmanager
def system_scope(
    dsn: str, *, reason: str, minutes: int = 60, ticket: str | None = None, actor: str | None = None,
    record: Record = _RECORD,
) -> Iterator[Connection[TupleRow]]:  # fmt: skip
    """A connection as the login of system work, which reaches every tenant's rows for at most ``minutes``.

    An event is committed before the first statement, and another at the end tells how it ended and how long it took.
    Without an error the transaction is committed, else rolled back. ``actor`` is who asked for it, left out the
    scope's. Raises WorkRefused where it cannot be recorded, or for a statement after its time; ExemptRole for a login
    that row level security does not bind. New rows name their tenant; no scope fills it in.
    """
    with _working(_Wanted(record, reason, minutes, ticket, actor), dsn) as conn:
        yield conn


@contextmanager
def support_access(
    dsn: str, tenant: str | int | UUID, *, reason: str, ticket: str, minutes: int = 30, write: bool = False,
    actor: str | None = None, record: Record = _RECORD,
) -> Iterator[Connection[TupleRow]]:  # fmt: skip
    """As :func:`system_scope`, as the login of support, for the rows of one tenant, who finds it in its own trail.

    Read only, unless ``write`` is given and ``[roles] support_writes`` lets it. Raises UnknownTenant, too.
    """
    wanted = _Wanted(record, reason, minutes, ticket, actor, scope.tenant_text(tenant), write)
    with _working(wanted, dsn) as conn:
        yield conn


@asynccontextmanager
async def system_scope_async(
    dsn: str, *, reason: str, minutes: int = 60, ticket: str | None = None, actor: str | None = None,
    record: Record = _RECORD,
) -> AsyncIterator[AsyncConnection[TupleRow]]:  # fmt: skip
    """:func:`system_scope`, with coroutines."""
    async with _working_async(_Wanted(record, reason, minutes, ticket, actor), dsn) as conn:
        yield conn


@asynccontextmanager
async def support_access_async(
    dsn: str, tenant: str | int | UUID, *, reason: str, ticket: str, minutes: int = 30, write: bool = False,
    actor: str | None = None, record: Record = _RECORD,
) -> AsyncIterator[AsyncConnection[TupleRow]]:  # fmt: skip
    """:func:`support_access`, with coroutines."""
    wanted = _Wanted(record, reason, minutes, ticket, actor, scope.tenant_text(tenant), write)
    async with _working_async(wanted, dsn) as conn:
        yield conn


# One piece of work


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is asked for."""

    record: Record
    reason: str
    minutes: int
    ticket: str | None = None
    actor: str | None = None
    tenant: str | None = None
    write: bool = False

    def begin(self) -> tuple[bytes, list[Any]]:
        """The statement that records the beginning."""
        function = self._function("work_begin")
        query = f"SELECT {function}(reason => %s, ticket => %s, minutes => %s, tenant => %s, actor => %s, request_id => %s, writes => %s)"
        given = [self.reason, self.ticket, self.minutes, self.tenant, self.who, self._request, self.writes]
        return query.encode(), given

    def end(self, work: str, outcome: str) -> tuple[bytes, list[Any]]:
        """The statement that records the end."""
        query = f"SELECT {self._function('work_end')}(work => %s, outcome => %s, actor => %s)"
        return query.encode(), [work, outcome, self.who]

    @property
    def who(self) -> str | None:
        found = scope.current_or_none()
        return self.actor or (found.actor if found else None)

    @property
    def writes(self) -> bool:
        """System work may write; support asks for it."""
        return self.write or self.tenant is None

    @property
    def _request(self) -> str | None:
        found = scope.current_or_none()
        return found.request_id if found else None

    def _function(self, name: str) -> str:
        return f"{quoted_part(self.record.functions)}.{name}".replace("%", "%%")


@dataclass(slots=True)
class _Working(State):
    """What the connection of a piece of work tells the database, whatever scope the running code is in."""

    wanted_: _Wanted | None = None
    id: str = ""
    until: float = math.inf  # by the monotonic clock
    server: int = 0

    def wanted(self) -> str:
        """The tenant, empty for all. Raises WorkRefused once its time is over."""
        if time.monotonic() >= self.until:
            raise WorkRefused(
                f"work {self.id} was to end by now, so the statement was not sent; begin it anew, for more minutes if "
                "it needs them"
            )
        return (self.wanted_.tenant or "") if self.wanted_ else ""

    def check(self) -> None:
        self.wanted()

    def opening(self, begin: str | None, *, fixed_plans: Any) -> tuple[str, ...]:
        assert self.wanted_ is not None
        self.bound = self.wanted()
        left = int(min(max(self.until - time.monotonic(), 0.001), _DAY) * 1000)
        # The server asks for each statement whether the work is open; these end one that was let through before.
        limits = ("transaction_timeout",) if self.server >= 170000 else (
            "statement_timeout", "idle_in_transaction_session_timeout",
        )  # fmt: skip
        return (
            *((begin,) if begin else ()),
            # Its beginning is written, whatever it may do then.
            *(() if self.wanted_.writes or not self.id else ("SET LOCAL transaction_read_only = on",)),
            self.binding.assignment("" if self.binding.signer else self.bound),
            f"SET LOCAL {ACTOR} = {literal(self.wanted_.who or '')}",
            f"SET LOCAL {WORK} = {literal(self.id)}",
            *(f"SET LOCAL {limit} = {left}" for limit in limits),
            CUSTOM_PLANS,
        )


@contextmanager
def _working(wanted: _Wanted, dsn: str) -> Iterator[Connection[TupleRow]]:
    binding = wanted.record.binding
    kind: type[Connection[TupleRow]] = type("Connection", (Connection,), {"binding": binding})
    conn = kind.connect(dsn, **_AS)
    try:
        guard(conn, binding=binding)
        state, started = _Working(binding, wanted_=wanted), time.monotonic()
        conn.tenantry_state = state
        with _refusing(wanted), conn.transaction():
            found = conn.execute(*wanted.begin()).fetchone()
    except BaseException:
        conn.close()
        raise
    _opened(state, started, conn, found)
    conn.autocommit = False
    outcome, told = "failure", None
    try:
        with conn:
            yield conn
            broken = _is_broken(conn)
        outcome = "failure" if broken else "success"
    except BaseException as error:
        told = error
        raise
    finally:
        try:
            with psycopg.connect(dsn, autocommit=True) as own:
                own.execute(*wanted.end(state.id, outcome))
        except psycopg.Error as error:
            _untold(state.id, told, error)


@asynccontextmanager
async def _working_async(wanted: _Wanted, dsn: str) -> AsyncIterator[AsyncConnection[TupleRow]]:
    binding = wanted.record.binding
    kind: type[AsyncConnection[TupleRow]] = type("AsyncConnection", (AsyncConnection,), {"binding": binding})
    conn = await kind.connect(dsn, **_AS)
    try:
        await guard_async(conn, binding=binding)
        state, started = _Working(binding, wanted_=wanted), time.monotonic()
        conn.tenantry_state = state
        with _refusing(wanted):
            async with conn.transaction():
                found = await (await conn.execute(*wanted.begin())).fetchone()
    except BaseException:
        await conn.close()
        raise
    _opened(state, started, conn, found)
    await conn.set_autocommit(False)
    outcome, told = "failure", None
    try:
        async with conn:
            yield conn
            broken = _is_broken(conn)
        outcome = "failure" if broken else "success"
    except BaseException as error:
        told = error
        raise
    finally:
        try:
            async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as own:
                await own.execute(*wanted.end(state.id, outcome))
        except psycopg.Error as error:
            _untold(state.id, told, error)


def _is_broken(conn: Any) -> bool:
    """Whether a statement failed and nobody rolled back: the server does then, whatever it is told."""
    return bool(conn.info.transaction_status == TransactionStatus.INERROR)


def _opened(state: _Working, started: float, conn: Any, found: tuple[Any, ...] | None) -> None:
    """From here on the connection works, for its time."""
    assert state.wanted_ is not None
    assert found is not None
    state.id = found[0]
    state.until = started + state.wanted_.minutes * 60
    state.server = conn.info.server_version


@contextmanager
def _refusing(wanted: _Wanted) -> Iterator[None]:
    """Say why work was not recorded, and so not begun."""
    try:
        yield
    except psycopg.Error as error:
        said = error.diag.message_primary or str(error).strip()
        if error.sqlstate == "02000":
            raise UnknownTenant(f"{said}; {error.diag.message_hint}") from None
        if error.sqlstate == "22023":
            raise WorkRefused(f"{said}; {error.diag.message_hint}") from None
        if error.sqlstate in _ABSENT:
            why = (
                f"{wanted.record.functions}.work_begin() cannot be called ({said}); name this login in [roles] system or "
                "support and apply the plan, or connect as the one that is named there"
            )
        else:
            why = f"the trail took no event of it ({said}); see to that, and begin it again"
        raise WorkRefused(f"work was not begun, and nothing was done: {why}") from error


def _untold(work: str, told: BaseException | None, error: psycopg.Error) -> None:
    """The end could not be recorded: said beside what went wrong before, or by an error of its own."""
    said = f"the end of work {work} was not recorded: {str(error).strip()}; the trail tells that it began"
    if told is None:
        raise WorkRefused(said) from error
    told.add_note(said)


__all__ = [
    "Record",
    "UnknownTenant",
    "WorkRefused",
    "support_access",
    "support_access_async",
    "system_scope",
    "system_scope_async",
]

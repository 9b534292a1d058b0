"""The connections that attacks run on: every statement in a transaction that is always rolled back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from tenantry.attacks.claims import Claims
from tenantry.attacks.target import Target
from tenantry.finding import ContextName, Mode
from tenantry.names import QName, literal, quote
from tenantry.session import Conn

# Reads no column, so no SELECT policy is asked for it; the first row that gets this far raises 22012 and the
# statement ends there: nothing cascades, no AFTER trigger runs, at most one row version was written.
TRIPWIRE = "RETURNING 1 / floor(random())::int"
COSTLY = 500_000.0  # the planner's cost of a scan that is not made in production: some seconds

_SET = (
    "SELECT pg_catalog.set_config(n, v, true) "
    "FROM ROWS FROM (pg_catalog.unnest(%s::text[]), pg_catalog.unnest(%s::text[])) AS s (n, v)"
)
_REPEATABLE = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
_LIMITS = {
    "lock_timeout": "200ms",
    "statement_timeout": "10s",
    # Values travel as text from the administrator's session to the application's.
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "timezone": "UTC",
}


@dataclass(frozen=True, slots=True)
class Context:
    """The tenant that a session claims; ``tenant`` None: the setting was never set on this connection.

    ``role`` is whose session it is: None the application's, empty the administrator's own. ``says`` are the settings
    of a session that says something else than who its tenant is.
    """

    label: str
    tenant: str | None
    name: ContextName = "tenant"
    role: str | None = None
    says: tuple[tuple[str, str], ...] = ()


EMPTY = Context("an empty tenant", "", "empty")
UNSET = Context("no tenant at all", None, "unset")


def tenant(key: str) -> Context:
    """The context of one tenant."""
    return Context(f"tenant {key}", key)


@dataclass(frozen=True, slots=True)
class Result:
    """What the server answered; ``sqlstate`` is empty when the statement ran, ``rows`` is what it touched."""

    rows: int = 0
    first: tuple[Any, ...] | None = None
    sqlstate: str = ""
    message: str = ""
    constraint: str = ""


Run = Callable[[str], Result]


class Wire:
    """A connection that is made again after it was lost: one object that kills it must not end the run."""

    def __init__(self, make: Callable[[], Conn]) -> None:
        self._make = make
        self._conn = make()

    @property
    def conn(self) -> Conn:
        """The connection. Raises CatalogError when it was lost and the server does not give another one."""
        if self._conn.closed:
            self._conn = self._make()
        return self._conn

    def close(self) -> None:
        """End it."""
        self._conn.close()


@dataclass(frozen=True, slots=True)
class How:
    """How far a proof goes. ``costly``: no scan that the planner finds dearer is made in production.

    ``triggers``: user BEFORE triggers may fire in production, too. ``pooler_dsn``: the application's way through its pooler.
    """

    mode: Mode = "safe"
    triggers: bool = False
    costly: float = COSTLY
    pooler_dsn: str | None = None

    @property
    def writes(self) -> bool:
        """Whether rows may be written before they are rolled back, locks taken and triggers fired."""
        return self.mode != "safe"


@dataclass(frozen=True, slots=True)
class Lab:
    """An administrator, who sees every row, and the application's role, which should not.

    ``fresh`` is a second connection of the application on which the setting is never set. ``assume`` says
    that the application's role is taken by SET ROLE. ``ghost`` is a tenant id that no row has. ``tenants`` is the
    table that tells which tenants there are. ``targets`` are all of them, the tenants table too.
    """

    admin: Wire
    app: Wire
    fresh: Wire
    role: str
    assume: bool
    claims: Claims
    ghost: str
    tenants: Target
    targets: Mapping[QName, Target]
    how: How = How()
    known: dict[str, str] = field(default_factory=dict)  # who speaks for a tenant, once it was looked up

    @property
    def nobody(self) -> tuple[Context, ...]:
        """The contexts that own no row at all: whatever they reach is a leak."""
        ghost = Context("a tenant that no row has", self.ghost, "ghost")
        nothing = tuple(self.claims.nothing().items())
        token = (Context("a token without the claims", "", "empty", says=nothing),) if nothing else ()
        return (ghost, EMPTY, *token, UNSET)

    def settings(self, key: str) -> Mapping[str, str]:
        """What a session sets to be that tenant. Raises psycopg.Error when who speaks for it cannot be looked up."""
        return self.claims.settings(key, self.speaker(key) if key else key)

    def speaker(self, key: str) -> str:
        """Who speaks for a tenant: itself, or somebody who is a member of it alone. Raises psycopg.Error."""
        members = self.claims.members
        if members is None:
            return key
        if key not in self.known:
            row = self.look(members.of(key)) if key != self.ghost else None
            self.known[key] = str(row[0]) if row else members.nobody
        return self.known[key]

    def said(self, context: Context) -> Mapping[str, str]:
        """What a session sets under ``context``."""
        if context.tenant is None:
            return {}
        return dict(context.says) if context.says else self.settings(context.tenant)

    def stays(self, target: Target, event: str, *, rows: bool = True) -> str:
        """Why no such statement is run there: what a trigger does is not known and may reach beyond a ROLLBACK."""
        if self.how.writes or self.how.triggers or target.fires:
            return ""
        name = target.before(event, rows=rows)
        return f"trigger {name} would fire: judged by its plan and its policies" if name else ""

    @contextmanager
    def as_app(self, context: Context, snapshot: str = "") -> Iterator[Run]:
        """Statements as the application's role under ``context``, then ROLLBACK; at the moment of a ``snapshot``."""
        settings = {**_LIMITS, **self.said(context)}
        if self.assume:
            settings |= {"row_security": "on", "role": self.role}
        wire = self.fresh if context.tenant is None else self.app
        first = [_REPEATABLE, f"SET TRANSACTION SNAPSHOT {literal(snapshot)}"] if snapshot else []
        with _rolled_back(wire.conn, settings, first) as run:
            yield run

    @contextmanager
    def as_admin(self, role: str | None = None, *, snapshot: bool = False) -> Iterator[Run]:
        """Statements as the administrator, or as ``role`` that it takes; then ROLLBACK.

        With row_security off, a row that a policy would hide from the administrator raises 42501 instead
        of being left out.
        """
        settings = _LIMITS | ({"row_security": "on", "role": role} if role else {"row_security": "off"})
        with _rolled_back(self.admin.conn, settings, [_REPEATABLE] if snapshot else []) as run:
            yield run

    def switch(self, context: Context) -> str:
        """The statement that changes the tenant within a transaction."""
        return set_all(self.said(context))

    def look(self, query: str) -> tuple[Any, ...] | None:
        """The first row of the administrator's query. Raises psycopg.Error when it cannot be had."""
        admin = self.admin.conn
        with admin.transaction(force_rollback=True):
            admin.execute(set_all(_LIMITS | {"row_security": "off"}).encode())
            row: tuple[Any, ...] | None = admin.execute(query.encode()).fetchone()
            return row

    def replay(self, context: Context, statement: str) -> str:
        """What a person types in psql to see the same, as the administrator or the application."""
        role = context.role if context.role is not None else self.role if self.assume else ""
        lines = [f"SET LOCAL ROLE {quote(role)}"] if role else []
        signing = self.claims.signing if context.tenant and not context.says else None
        calls = [
            f"set_config({literal(k)}, {signing.call(context.tenant or '') if signing else literal(v)}, true)"
            for k, v in self.said(context).items()
        ]
        said = ["SELECT " + ", ".join(calls)] if calls else []
        lines = [*said, *lines] if signing else [*lines, *said]  # who signs is the administrator
        return "; ".join(["BEGIN", *lines, statement, "ROLLBACK"]) + ";"


def set_all(settings: Mapping[str, str]) -> str:
    """One statement that sets all of them until the transaction ends."""
    calls = (f"pg_catalog.set_config({literal(k)}, {literal(v)}, true)" for k, v in settings.items())
    return "SELECT " + ", ".join(calls)


@contextmanager
def _rolled_back(
    connection: psycopg.Connection[Any], settings: Mapping[str, str], first: Sequence[str] = ()
) -> Iterator[Run]:
    with connection.transaction(force_rollback=True):
        for statement in first:
            connection.execute(statement.encode())
        # As parameters: another session of the role sees the text of a statement, and a signed tenant would be its own.
        connection.execute(_SET, (list(settings), list(settings.values())))
        yield lambda statement: answer(connection, statement)


def answer(connection: psycopg.Connection[Any], statement: str) -> Result:
    """Send one statement. Raises psycopg.OperationalError when the connection is lost: that is no answer."""
    try:
        if statement.startswith("COPY "):
            return _copied(connection, statement)
        cursor = connection.execute(statement.encode())
    except psycopg.Error as error:
        if error.sqlstate is None or connection.closed:
            raise
        diagnosis = error.diag
        return Result(
            sqlstate=error.sqlstate,
            message=diagnosis.message_primary or str(error),
            constraint=diagnosis.constraint_name or "",
        )
    first = cursor.fetchone() if cursor.description else None
    return Result(rows=max(cursor.rowcount, 0), first=first)


def _copied(connection: psycopg.Connection[Any], statement: str) -> Result:
    """COPY: how many rows came out; none goes in."""
    with connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        if statement.endswith("FROM STDIN"):
            return Result()
        return Result(rows=sum(bytes(block).count(b"\n") for block in copy))

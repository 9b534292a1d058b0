"""The connections that attacks run on: every statement in a transaction that is always rolled back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from tenantry.attacks.target import Target
from tenantry.names import QName, literal, quote

# Reads no column, so no SELECT policy is asked for it; the first row that gets this far raises 22012 and the
# statement ends there: nothing cascades, no AFTER trigger runs, at most one row version was written.
TRIPWIRE = "RETURNING 1 / floor(random())::int"

_LIMITS = {
    "lock_timeout": "1s",
    "statement_timeout": "10s",
    # Values travel as text from the administrator's session to the application's.
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
}


@dataclass(frozen=True, slots=True)
class Context:
    """The tenant that a session claims; ``tenant`` None: the setting was never set on this connection.

    ``role`` is whose session it is: None the application's, empty the administrator's own.
    """

    label: str
    tenant: str | None
    role: str | None = None


EMPTY = Context("an empty tenant", "")
UNSET = Context("no tenant at all", None)


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


@dataclass(frozen=True, slots=True)
class Lab:
    """An administrator, who sees every row, and the application's role, which should not.

    ``fresh`` is a second connection of the application on which the setting is never set. ``assume`` says
    that the application's role is taken by SET ROLE. ``ghost`` is a tenant id that no row has. ``targets``
    are all of them, the tenants table too.
    """

    admin: psycopg.Connection[Any]
    app: psycopg.Connection[Any]
    fresh: psycopg.Connection[Any]
    role: str
    assume: bool
    setting: str
    ghost: str
    tenants: Target
    targets: Mapping[QName, Target]

    @property
    def nobody(self) -> tuple[Context, ...]:
        """The contexts that own no row at all: whatever they reach is a leak."""
        return (Context("a tenant that no row has", self.ghost), EMPTY, UNSET)

    @contextmanager
    def as_app(self, context: Context) -> Iterator[Run]:
        """Statements as the application's role under ``context``, then ROLLBACK."""
        settings = dict(_LIMITS)
        if context.tenant is not None:
            settings[self.setting] = context.tenant
        if self.assume:
            settings |= {"row_security": "on", "role": self.role}
        with _rolled_back(self.fresh if context.tenant is None else self.app, settings) as run:
            yield run

    @contextmanager
    def as_admin(self, role: str | None = None) -> Iterator[Run]:
        """Statements as the administrator, or as ``role`` that it takes; then ROLLBACK.

        With row_security off, a row that a policy would hide from the administrator raises 42501 instead
        of being left out.
        """
        settings = _LIMITS | ({"row_security": "on", "role": role} if role else {"row_security": "off"})
        with _rolled_back(self.admin, settings) as run:
            yield run

    def switch(self, context: Context) -> str:
        """The statement that changes the tenant within a transaction."""
        return _set({self.setting: context.tenant or ""})

    def look(self, query: str) -> tuple[Any, ...] | None:
        """The first row of the administrator's query. Raises psycopg.Error when it cannot be had."""
        with self.admin.transaction(force_rollback=True):
            self.admin.execute(_set(_LIMITS | {"row_security": "off"}).encode())
            row: tuple[Any, ...] | None = self.admin.execute(query.encode()).fetchone()
            return row

    def close_plans(self) -> None:
        """Drop prepared statements, which a ROLLBACK leaves."""
        self.app.execute(b"DEALLOCATE ALL")

    def replay(self, context: Context, statement: str) -> str:
        """What a person types in psql to see the same, as the administrator or the application."""
        role = context.role if context.role is not None else self.role if self.assume else ""
        lines = [f"SET LOCAL ROLE {quote(role)}"] if role else []
        if context.tenant is not None:
            lines.append(f"SELECT set_config({literal(self.setting)}, {literal(context.tenant)}, true)")
        return "; ".join(["BEGIN", *lines, statement, "ROLLBACK"]) + ";"


def _set(settings: Mapping[str, str]) -> str:
    calls = (f"pg_catalog.set_config({literal(k)}, {literal(v)}, true)" for k, v in settings.items())
    return "SELECT " + ", ".join(calls)


@contextmanager
def _rolled_back(connection: psycopg.Connection[Any], settings: Mapping[str, str]) -> Iterator[Run]:
    with connection.transaction(force_rollback=True):
        connection.execute(_set(settings).encode())
        yield lambda statement: _answer(connection, statement)


def _answer(connection: psycopg.Connection[Any], statement: str) -> Result:
    try:
        cursor = connection.execute(statement.encode())
    except psycopg.Error as error:
        if error.sqlstate is None:  # the connection is gone: that is no answer
            raise
        diagnosis = error.diag
        return Result(
            sqlstate=error.sqlstate,
            message=diagnosis.message_primary or str(error),
            constraint=diagnosis.constraint_name or "",
        )
    first = cursor.fetchone() if cursor.description else None
    return Result(rows=max(cursor.rowcount, 0), first=first)

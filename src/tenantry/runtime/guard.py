"""Refuse a connection whose role row level security does not bind."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources
from typing import Any

from tenantry.errors import ExemptRole
from tenantry.runtime import scope
from tenantry.runtime.binding import SETTING, Binding, literal


def guard(connection: Any, *, binding: Binding | None = None) -> None:
    """Raise ExemptRole unless row level security binds the connection's role, now and later.

    ``connection`` is psycopg's or another DB-API connection at its beginning, without a transaction; for a pool of
    psycopg, ``ConnectionPool(…, configure=guard)``. Looked at: superuser, BYPASSRLS, REPLICATION, CREATEROLE where
    it grants everything, reaching files, owning tables or their schema, by itself or through a membership; CREATE
    on a schema of the search path; defaults and settings of the session that were tampered with.
    """
    default, statement = _statements(binding or Binding())
    with scope.entered(scope.Scope(None)):
        if hasattr(
            type(connection), "transaction"
        ):  # SQLAlchemy's stand-in passes on what it does not have itself
            with connection.transaction():
                connection.execute(default)
                rows = connection.execute(statement).fetchall()
        else:
            cursor = connection.cursor()
            cursor.execute(default)
            cursor.execute(statement)
            rows = cursor.fetchall()
            cursor.close()
            connection.rollback()
    _judge(rows)


async def guard_async(connection: Any, *, binding: Binding | None = None) -> None:
    """:func:`guard` for a connection of asyncpg (``create_pool(…, init=guard_async)``) or psycopg's async one."""
    default, statement = _statements(binding or Binding())
    with scope.entered(scope.Scope(None)):
        async with connection.transaction():
            await connection.execute(default)
            if hasattr(connection, "fetch"):
                rows = await connection.fetch(statement)
            else:
                rows = await (await connection.execute(statement)).fetchall()
    _judge(rows)


def _statements(binding: Binding) -> tuple[str, str]:
    """What shows the value that the session began with, and the question."""
    text = (resources.files("tenantry.runtime") / "guard.sql").read_text(encoding="utf-8")
    question = text.replace(literal(SETTING), literal(binding.setting), 1).rstrip().rstrip(";")
    return f"SET LOCAL {binding.name} TO DEFAULT", question


def _judge(rows: Iterable[Any]) -> None:
    found = [tuple(row) for row in rows]
    if found:
        raise ExemptRole(found[0][0], [(why, mend) for _, why, mend in found])

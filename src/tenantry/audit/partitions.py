"""Monthly partitions of a trail: made ahead, guarded like the trail itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
from psycopg.rows import TupleRow

from tenantry.audit import layout as layouts
from tenantry.audit.layout import statement
from tenantry.errors import ApplyError, CatalogError
from tenantry.names import QName, display, fit, literal, qualified, quote

Conn = psycopg.Connection[TupleRow]
KEY = "RANGE (created_at)"


@contextlib.contextmanager
def unguarded(conn: Conn) -> Iterator[None]:
    """Switch the event triggers that watch the trail's definition off, and on again in the same transaction.

    Raises ApplyError for a role that may not: they are a superuser's.
    """
    names = [name for (name,) in conn.execute(statement("guards_off"))]
    try:
        for name in names:
            conn.execute(f"ALTER EVENT TRIGGER {quote(name)} DISABLE".encode())
    except psycopg.errors.InsufficientPrivilege as error:
        raise ApplyError(
            f"event trigger {names[0]} watches the trail's definition and this role may not switch it off; "
            "connect as a superuser",
            sqlstate=error.sqlstate,
        ) from error
    yield
    for name in names:
        conn.execute(f"ALTER EVENT TRIGGER {quote(name)} ENABLE ALWAYS".encode())


def ahead(conn: Conn, table: QName, months: int, now: datetime) -> tuple[str, ...]:
    """Make the partitions of this month (UTC) and the next ``months`` that are not there; returns their names.

    Raises CatalogError for a trail that is not partitioned by month of ``created_at``, ApplyError when events of such
    a month are in the default partition already.
    """
    oid, layout = layouts.read(conn, table)
    key, owner, row_security, truncates = (
        conn.execute(statement("partition_key"), {"relation": oid}).fetchone() or ()
    )
    if key != KEY:
        raise CatalogError(
            f"{display(table)}: is {'partitioned by ' + key if key else 'not partitioned'}; months need PARTITION BY {KEY}"
        )
    there = {part.name for part in layout.parts}
    made = []
    for start, end in _months(now, months):
        name = QName(table.schema, fit(f"{table.name}_{start:%Y_%m}"))
        if f"{name.schema}.{name.name}" in there:
            continue
        with conn.transaction(), unguarded(conn):
            _create(conn, table, name, start, end)
            _guard(conn, name, owner, row_security, truncates or [])
        made.append(display(name))
    return tuple(made)


def _months(now: datetime, months: int) -> Iterator[tuple[datetime, datetime]]:
    for number in range(months + 1):
        year, month = divmod(now.astimezone(UTC).year * 12 + now.astimezone(UTC).month - 1 + number, 12)
        after, next_month = divmod(year * 12 + month + 1, 12)
        yield datetime(year, month + 1, 1, tzinfo=UTC), datetime(after, next_month + 1, 1, tzinfo=UTC)


def _create(conn: Conn, table: QName, name: QName, start: datetime, end: datetime) -> None:
    try:
        conn.execute(
            f"CREATE TABLE {qualified(name)} PARTITION OF {qualified(table)} "
            f"FOR VALUES FROM ({literal(start.isoformat())}) TO ({literal(end.isoformat())})".encode()
        )
    except (
        psycopg.errors.CheckViolation,
        psycopg.errors.InvalidObjectDefinition,
        psycopg.errors.DuplicateTable,
    ) as error:
        raise ApplyError(
            f"{display(name)}: cannot be made ({error.diag.message_primary}); that month has events, a partition or a "
            "table of that name elsewhere already",
            sqlstate=error.sqlstate,
        ) from error


def _guard(conn: Conn, name: QName, owner: str, row_security: bool, truncates: list[list[str]]) -> None:
    """What a new partition does not inherit: a guard against TRUNCATE, row level security, the owner."""
    there = qualified(name)
    for trigger, schema, function in truncates:
        conn.execute(
            f"CREATE TRIGGER {quote(trigger)} BEFORE TRUNCATE ON {there} FOR EACH STATEMENT "
            f"EXECUTE FUNCTION {quote(schema, function)}()".encode()
        )
        conn.execute(f"ALTER TABLE {there} ENABLE ALWAYS TRIGGER {quote(trigger)}".encode())
    if row_security:  # without a policy: the application reads events through the trail only
        conn.execute(f"ALTER TABLE {there} ENABLE ROW LEVEL SECURITY".encode())
    conn.execute(f"ALTER TABLE {there} OWNER TO {quote(owner)}".encode())

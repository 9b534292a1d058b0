"""Which events belong to the next batch: those visible in this snapshot and not in the one of the batch before.

Neither ids nor times tell: a transaction that began early may commit late. Where each event carries the 64-bit id of
its transaction, the difference of the two snapshots is computed from it. A plain table has only ``xmin``, which is
that of a subtransaction after a savepoint, and which a snapshot does not list; there the window begins at the oldest
transaction that was open then, and what is sealed already is left out by its id.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from tenantry.audit import canon
from tenantry.audit.entries import Details
from tenantry.audit.layout import Layout
from tenantry.names import qualified

Conn = psycopg.Connection[TupleRow]
FETCH = 5000

_DIFFERENCE = """
    t.xid >= pg_catalog.pg_snapshot_xmin(%(previous)s::pg_snapshot)
    AND t.xid < pg_catalog.pg_snapshot_xmax(%(snapshot)s::pg_snapshot)
    AND pg_catalog.pg_visible_in_snapshot(t.xid, %(snapshot)s::pg_snapshot)
    AND NOT pg_catalog.pg_visible_in_snapshot(t.xid, %(previous)s::pg_snapshot)"""
# xmin has 32 bits. A visible row is of the current epoch or the one before; a frozen one may be of any, and is then
# taken for newer than it is, never for older.
_WINDOW = """
    t.xmin::text::bigint + (%(top)s::bigint >> 32 << 32)
        - CASE WHEN t.xmin::text::bigint >= %(top)s::bigint %% 4294967296 THEN 4294967296 ELSE 0 END >= %(bottom)s::bigint"""
_UNSEALED = """
    NOT EXISTS (
        SELECT FROM (SELECT pg_catalog.unnest(s.keys) AS key FROM tenantry_audit.subtrees AS s
            WHERE s.batch >= %(since)s) AS sealed
        WHERE sealed.key = t.id::text)"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A ``pg_snapshot`` as text, ``xmin:xmax:xip,…``."""

    text: str

    @property
    def xmin(self) -> int:
        """The oldest transaction that was open."""
        return int(self.text.split(":")[0])

    @property
    def xmax(self) -> int:
        """The first one that had not begun."""
        return int(self.text.split(":")[1])


def current(conn: Conn) -> Snapshot:
    """The snapshot of the transaction."""
    ((text,),) = conn.execute("SELECT pg_catalog.pg_current_snapshot()::text").fetchall()
    return Snapshot(text)


def events(conn: Conn, layout: Layout, now: Snapshot, before: Snapshot | None) -> Iterator[list[str | None]]:
    """The columns' texts of each event to seal, in order. ``before`` None: every one that is not sealed yet."""
    values: dict[str, object] = {"snapshot": now.text}
    if before is None:
        where, values["since"] = _UNSEALED, 0
    elif layout.counts_transactions:
        where, values["previous"] = _DIFFERENCE, before.text
    else:
        where = f"{_WINDOW} AND {_UNSEALED}"
        values |= {"top": now.xmax, "bottom": before.xmin, "since": _since(conn, now, before)}
    order = "t.xid, t." if layout.counts_transactions else "t.created_at, t."
    order += "seq" if layout.counts_transactions and "seq" in layout.names else "id"
    wanted = ", ".join(canon.expression(column) for column in layout.columns)
    query = f"SELECT {wanted} FROM {qualified(layout.table)} AS t WHERE {where} ORDER BY {order}"
    with conn.cursor(name="tenantry_seal") as cursor:
        cursor.itersize = FETCH
        cursor.execute(query.encode(), values)
        for row in cursor:
            yield list(row)


def _since(conn: Conn, now: Snapshot, before: Snapshot) -> int:
    """The first batch that may hold an event whose transaction is in the window."""
    if now.xmax >> 32:  # a frozen row of any age may look new
        return 0
    since = 0
    with conn.cursor(name="tenantry_batches") as cursor:
        cursor.execute("SELECT n, details FROM tenantry_audit.log WHERE kind = 'batch' ORDER BY n DESC")
        for n, details in cursor:
            if Snapshot(Details.parse(details).snapshot).xmax <= before.xmin:
                break
            since = n
    return since

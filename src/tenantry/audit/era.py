"""Eras: transaction ids mean something in one place only, so a trail that goes on elsewhere begins a new era.

A place is a server, its timeline, a database and a table: a restore, a failover and a move change it. The first batch
of an era takes whatever is not sealed yet, by its id.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import psycopg
from psycopg.rows import TupleRow

from tenantry.audit import layout as layouts
from tenantry.audit import store
from tenantry.audit.checkpoint import Checkpoint
from tenantry.audit.layout import statement
from tenantry.errors import CatalogError
from tenantry.names import QName

if TYPE_CHECKING:
    from tenantry.audit.seal import Writing

Conn = psycopg.Connection[TupleRow]
_PLACE = ("system", "timeline", "database", "relation")
_WORDS = {
    "system": "another server",
    "timeline": "another timeline: a failover or a recovery",
    "database": "another database",
    "relation": "another table of this name",
}


def open_if_needed(
    writing: Writing, conn: Conn, table: QName, lost: Checkpoint | None, reason: str | None
) -> str | None:
    """Open an era where the place is another than the last one's; returns why, None when it is the same.

    ``lost``: a checkpoint that an anchor has and this log does not reach, with the reason somebody gave.
    """
    here, last = place(conn, table), store.last(conn, "era")
    changed = [key for key in _PLACE if last is not None and last.fields.get(key) != here[key]]
    if last is not None and not changed and lost is None:
        writing.era = last.fields["era"]
        return None
    writing.era = str(int(last.fields["era"]) + 1 if last else 1)
    why = "; ".join(_WORDS[key] for key in changed) or ("first seal" if last is None else "declared")
    given = " ".join((reason or "-").split())
    gone = spell(lost) if lost else "-"
    writing.add("era", {"era": writing.era, **here, "why": why, "reason": given, "lost": gone})
    return why


def spell(point: Checkpoint) -> str:
    """How an era names the checkpoint that its log does not reach."""
    return f"{point.size} {base64.b64encode(point.root).decode()}"


def declared(conn: Conn, lost: Checkpoint) -> bool:
    """Whether the current era says that it goes on without that checkpoint."""
    last = store.last(conn, "era")
    return last is not None and last.get("lost") == spell(lost)


def place(conn: Conn, table: QName) -> dict[str, str]:
    """Where the trail is. Raises CatalogError on a standby, which cannot seal."""
    oid, _ = layouts.read(conn, table)
    row = conn.execute(statement("seal_place")).fetchone()
    assert row is not None
    if row[1] is None:
        raise CatalogError("this server is a standby and cannot be written to; seal on the primary")
    return dict(zip(_PLACE, (*row, str(oid)), strict=True))

"""The seal's own tables, schema ``tenantry_audit``: made, read, appended to. On the caller's connection throughout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from tenantry.audit import checkpoint
from tenantry.audit.batch import Subtree
from tenantry.audit.checkpoint import Checkpoint
from tenantry.audit.entries import Details, Entry
from tenantry.audit.layout import Layout, statement
from tenantry.audit.tree import Frontier, pieces
from tenantry.errors import ApplyError, CatalogError, TamperError
from tenantry.names import quote

FORMAT = 1
SCHEMA = "tenantry_audit"

Conn = psycopg.Connection[TupleRow]


@dataclass(frozen=True, slots=True)
class Tip:
    """The end of the log: its last checkpoint and the frontier to grow from."""

    checkpoint: Checkpoint
    frontier: Frontier


@dataclass(frozen=True, slots=True)
class Retired:
    """Sealed events that went with a retired partition: positions in a subtree, from 0."""

    batch: int
    place: int
    positions: tuple[int, ...]


def present(conn: Conn) -> bool:
    """Whether the trail was ever sealed. Raises CatalogError for a seal that cannot be read or is too new."""
    found = conn.execute(
        "SELECT pg_catalog.pg_get_userbyid(c.relowner),"
        " pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')"
        " FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid"
        " WHERE n.nspname = 'tenantry_audit' AND c.relname = 'format'"
    ).fetchone()
    if found is None:
        return False
    owner, readable = found
    if not readable:
        raise CatalogError(
            f"schema {SCHEMA}, the seal, cannot be read: it belongs to {owner}; connect as {owner} or as a superuser"
        )
    ((version,),) = conn.execute("SELECT max(version) FROM tenantry_audit.format").fetchall()
    if version != FORMAT:
        raise CatalogError(
            f"schema {SCHEMA} has format {version} and this version of Tenantry knows format {FORMAT}; "
            "use the version of Tenantry that wrote it, or a newer one"
        )
    return True


def require(conn: Conn) -> None:
    """Raise CatalogError where there is no seal to read."""
    if not present(conn):
        raise CatalogError(
            f"schema {SCHEMA}, the seal, is not there: the trail was never sealed, or its seal was dropped; "
            "`tenantry audit seal` begins one"
        )


def ensure(conn: Conn) -> None:
    """Make the tables if they are not there, in one transaction. Raises ApplyError without the right to."""
    if present(conn):
        return
    try:
        with conn.transaction():
            for text in statement("seal_create").decode().split("\n\n"):
                conn.execute(text.encode())
    except psycopg.errors.InsufficientPrivilege as error:
        raise ApplyError(
            f"schema {SCHEMA}, for the seal, cannot be made: {error.diag.message_primary}; "
            f"let a superuser run: CREATE SCHEMA {SCHEMA} AUTHORIZATION {quote(conn.info.user)}",
            sqlstate=error.sqlstate,
        ) from error


def tip(conn: Conn) -> Tip | None:
    """The end of the log, None before its first record. Raises TamperError when it contradicts itself."""
    row = conn.execute(
        "SELECT size, note, frontier FROM tenantry_audit.checkpoints ORDER BY size DESC LIMIT 1"
    ).fetchone()
    ((records,),) = conn.execute("SELECT coalesce(max(n) + 1, 0) FROM tenantry_audit.log").fetchall()
    if row is None and not records:
        return None
    try:
        if row is None:
            raise ValueError("it has no checkpoint")
        size, note, data = row
        found = Tip(checkpoint.parse(note), Frontier.from_bytes(size, bytes(data)))
        if (found.checkpoint.size, found.checkpoint.root) != (size, found.frontier.root):
            raise ValueError(f"the checkpoint of size {size} is not the one of its own tree")
        if size != records:
            raise ValueError(f"it has {records} records and its last checkpoint counts {size}")
    except ValueError as error:
        raise TamperError(
            f"the log of the seal was changed: {error}; `tenantry audit verify` says more"
        ) from error
    return found


def note_at(conn: Conn, size: int) -> Checkpoint | None:
    """The checkpoint of a size, if one was made then. Raises ValueError for one that is none."""
    row = conn.execute("SELECT note FROM tenantry_audit.checkpoints WHERE size = %s", (size,)).fetchone()
    return checkpoint.parse(row[0]) if row else None


def checkpoints(conn: Conn) -> list[tuple[int, str]]:
    """All sizes and notes, smallest first."""
    return conn.execute("SELECT size, note FROM tenantry_audit.checkpoints ORDER BY size").fetchall()


def last(conn: Conn, kind: str) -> Entry | None:
    """The newest record of a kind. Raises ValueError for one that is none."""
    row = conn.execute(
        "SELECT body FROM tenantry_audit.log WHERE kind = %s ORDER BY n DESC LIMIT 1", (kind,)
    ).fetchone()
    return Entry.parse(row[0]) if row else None


def bodies(conn: Conn, since: int = 0) -> Iterator[tuple[int, str, str | None]]:
    """Numbers, bodies and details of the log, in order. Inside a transaction."""
    with conn.cursor(name="tenantry_log") as cursor:
        cursor.execute("SELECT n, body, details FROM tenantry_audit.log WHERE n >= %s ORDER BY n", (since,))
        yield from cursor


def last_batch(conn: Conn) -> Details | None:
    """What the newest batch was sealed under. Raises ValueError for one that is none."""
    row = conn.execute(
        "SELECT details FROM tenantry_audit.log WHERE kind = 'batch' ORDER BY n DESC LIMIT 1"
    ).fetchone()
    return Details.parse(row[0] or "") if row else None


def subtrees(conn: Conn, batches: Sequence[int]) -> dict[int, list[Subtree]]:
    """The subtrees of batches, as they are stored: a piece of a hash stays a piece, and then gives another root."""
    found: dict[int, list[Subtree]] = {n: [] for n in batches}
    rows = conn.execute(
        "SELECT batch, place, tenant, leaves, keys FROM tenantry_audit.subtrees WHERE batch = ANY (%s)"
        " ORDER BY batch, place",
        (list(batches),),
    )
    for batch, place, tenant, leaves, keys in rows:
        found[batch].append(Subtree(place, tenant, tuple(pieces(bytes(leaves))), tuple(keys)))
    return found


def layouts(conn: Conn) -> dict[str, Layout]:
    """All layouts by the digest of what is stored. Raises ValueError for one that is none."""
    rows = conn.execute("SELECT body FROM tenantry_audit.layouts ORDER BY digest").fetchall()
    found = [Layout.from_json(body) for (body,) in rows]
    return {layout.digest: layout for layout in found}


def retired(conn: Conn) -> dict[int, list[Retired]]:
    """What was retired, by the record of the log that says so."""
    found: dict[int, list[Retired]] = {}
    rows = conn.execute(
        "SELECT record, batch, place, positions FROM tenantry_audit.retired ORDER BY record, batch, place"
    )
    for record, batch, place, positions in rows:
        found.setdefault(record, []).append(Retired(batch, place, tuple(positions)))
    return found


def append(
    conn: Conn, entry: Entry, details: Details | None = None, subtrees: Iterable[Subtree] = ()
) -> None:
    """Write a record, and of a batch its details and its subtrees."""
    conn.execute(
        "INSERT INTO tenantry_audit.log (n, kind, body, details) VALUES (%s, %s, %s, %s)",
        (entry.n, entry.kind, entry.body, details.text if details else None),
    )
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO tenantry_audit.subtrees (batch, place, tenant, leaves, keys) VALUES (%s, %s, %s, %s, %s)",
            [(entry.n, s.place, s.tenant, b"".join(s.leaves), list(s.keys)) for s in subtrees],
        )


def write_layout(conn: Conn, layout: Layout) -> None:
    """Keep a layout, once."""
    conn.execute(
        "INSERT INTO tenantry_audit.layouts (digest, body) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        (layout.digest, layout.to_json()),
    )


def write_retired(conn: Conn, record: int, entries: Sequence[Retired]) -> None:
    """Keep which events a retirement took."""
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO tenantry_audit.retired (record, batch, place, positions) VALUES (%s, %s, %s, %s)",
            [(record, r.batch, r.place, list(r.positions)) for r in entries],
        )


def write_checkpoint(conn: Conn, point: Checkpoint, frontier: Frontier) -> None:
    """Keep a signed checkpoint."""
    conn.execute(
        "INSERT INTO tenantry_audit.checkpoints (size, note, frontier) VALUES (%s, %s, %s)",
        (point.size, str(point), frontier.to_bytes()),
    )

"""Retiring a partition of the trail: dropped once an archive that verifies has every event of it.

The hashes stay, so everything that remains still verifies; the log says what went, and the trail that it went.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from tenantry.audit import archive, files, history, partitions, store, upkeep
from tenantry.audit import layout as layouts
from tenantry.audit.anchors import Anchor
from tenantry.audit.archive import Archive
from tenantry.audit.keys import PrivateKey, PublicKey
from tenantry.audit.layout import Part
from tenantry.audit.seal import Sealed, leading
from tenantry.audit.store import Retired
from tenantry.audit.verify import verify
from tenantry.errors import ApplyError, SpecError
from tenantry.names import QName, parse, qualified

Conn = psycopg.Connection[TupleRow]
LOCK_TIMEOUT = "2s"
ACTION = "audit.retire"


@dataclass(frozen=True, slots=True)
class Retirement:
    """What went: a partition with its events, and the record of the log that says so."""

    partition: str
    events: int
    record: int
    sealed: Sealed


def retire(
    dsn: str,
    table: QName,
    key: PrivateKey,
    partition: str,
    directory: Path,
    trusted: Sequence[PublicKey],
    anchored: Sequence[Anchor] = (),
    listen: Callable[[int, int], None] = lambda done, total: None,
) -> Retirement:
    """Drop a partition whose events are all sealed, and all in an export that verifies.

    Raises TamperError for an archive that does not, SpecError where an event is not sealed or not in it, and
    ApplyError when the partition is in use. Nothing is dropped then.
    """
    held = archive.open_export(directory)
    archive.contents(held)
    report = verify(held, trusted or [key.public], listen=listen)
    report.require(
        but="backdated"
    )  # such an event is as it was sealed; what it says of its time is another matter
    name = parse(partition, table.schema)
    with leading(dsn, table, key, anchored) as sealer:
        conn = sealer.conn
        try:
            with conn.transaction():
                conn.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'".encode())
                # Before the first look, so that nothing is written that this transaction does not see.
                conn.execute(f"LOCK TABLE {qualified(name)} IN SHARE MODE".encode())
                log = upkeep.writing(sealer)
                part = _part(conn, table, name)
                gone = _sealed(conn, _keys(conn, name), held)
                record = log.add("retired", _fields(part, gone, directory))
                store.write_retired(conn, record, gone)
                count = sum(len(g.positions) for g in gone)
                _say(conn, table, part, count, record)
                _drop(conn, table, name)
                log.sign([key])
        except psycopg.errors.LockNotAvailable as error:
            raise ApplyError(
                f"{partition}: is in use ({error.diag.message_primary}); nothing was dropped, try again later",
                sqlstate=error.sqlstate,
            ) from error
        except psycopg.errors.UndefinedTable as error:
            raise SpecError(f"{partition}: there is no such table") from error
        return Retirement(part.name, count, record, sealer.once())


def _part(conn: Conn, table: QName, name: QName) -> Part:
    _, layout = layouts.read(conn, table)
    found = next((p for p in layout.parts if p.name == f"{name.schema}.{name.name}" and p.bound), None)
    if found is None:
        raise SpecError(f"{name}: is no partition of {table}; it can retire partitions only")
    if found.bound == "DEFAULT":
        raise SpecError(f"{name}: is the default partition, which new events may go to; retire months")
    return found


def _keys(conn: Conn, name: QName) -> set[str]:
    """The ids of the partition's events."""
    with conn.cursor(name="tenantry_partition") as cursor:
        cursor.execute(f"SELECT t.id::text FROM {qualified(name)} AS t".encode())
        return {key for (key,) in cursor}


def _sealed(conn: Conn, keys: set[str], held: Archive) -> list[Retired]:
    """Where the events were sealed. Raises SpecError unless all were, and the archive has each as it was sealed."""
    there: dict[tuple[int, int], list[int]] = {}
    wanted: dict[str, bytes] = {}
    with conn.cursor(name="tenantry_sealed") as cursor:
        cursor.execute("SELECT batch, place, keys, leaves FROM tenantry_audit.subtrees ORDER BY batch, place")
        for batch, place, ids, leaves in cursor:
            for position, key in enumerate(ids):
                if key in keys:
                    there.setdefault((batch, place), []).append(position)
                    wanted[key] = bytes(leaves[32 * position : 32 * position + 32])
    if len(wanted) < len(keys):
        raise SpecError(
            f"{len(keys) - len(wanted)} events of it are not sealed yet; `tenantry audit seal` first"
        )
    for key, leaf in _archived(held):
        if wanted.get(key) == leaf:
            del wanted[key]
    if wanted:
        raise SpecError(
            f"{len(wanted)} events of it are not in {held.directory}, for example {min(wanted)}; "
            "`tenantry audit export` adds what is missing"
        )
    return [Retired(batch, place, tuple(positions)) for (batch, place), positions in there.items()]


def _archived(held: Archive) -> Iterator[tuple[str, bytes]]:
    for part in held.manifest["files"]:
        for row in files.read(held.directory / part["name"], held.manifest["kind"]):
            yield row["id"] or "", bytes.fromhex(row["seal.leaf"] or "")


def _fields(part: Part, gone: list[Retired], directory: Path) -> dict[str, str]:
    return {
        "partition": part.name,
        "bound": " ".join((part.bound or "").split()),
        "count": str(sum(len(g.positions) for g in gone)),
        "events": history.digest(gone),
        "archive": files.digest(directory / "manifest.json"),
    }


def _say(conn: Conn, table: QName, part: Part, count: int, record: int) -> None:
    """The retirement is an event itself."""
    conn.execute(
        f"INSERT INTO {qualified(table)} (action, resource_type, resource_id, metadata) VALUES (%s, %s, %s, %s)".encode(),
        (ACTION, "partition", part.name, Jsonb({"bound": part.bound, "events": count, "record": record})),
    )


def _drop(conn: Conn, table: QName, name: QName) -> None:
    with partitions.unguarded(conn):
        conn.execute(f"ALTER TABLE {qualified(table)} DETACH PARTITION {qualified(name)}".encode())
        conn.execute(f"DROP TABLE {qualified(name)}".encode())

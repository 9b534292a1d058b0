"""Events in the order of their batches: what exports and followers read.

A cursor is a number of the log. Whoever reads on from the one that he was given last misses nothing, however late a
transaction committed: it is in a later batch, whatever its id and time say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tenantry.audit import checkpoint as checkpoints
from tenantry.audit.batch import Subtree
from tenantry.audit.canon import Column
from tenantry.audit.checkpoint import Checkpoint
from tenantry.audit.entries import Details, Entry
from tenantry.audit.source import Live, Row
from tenantry.audit.store import Retired
from tenantry.errors import CatalogError

GROUP = 50  # batches looked up at a time


@dataclass(frozen=True, slots=True)
class Event:
    """A sealed event where it stands. ``row`` is None for one that is not in the trail any more."""

    batch: int
    place: int
    position: int
    tenant: str | None
    key: str
    leaf: bytes
    row: Row | None


@dataclass(frozen=True, slots=True)
class Record:
    """A record of the log; of a batch also its details, its columns and its events in order."""

    entry: Entry
    body: str
    checkpoint: Checkpoint | None
    details: Details | None = None
    columns: tuple[Column, ...] = ()
    events: tuple[Event, ...] = ()
    retired: tuple[Retired, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(column.name for column in self.columns)


def records(live: Live, since: int = 0) -> Iterator[Record]:
    """The records from number ``since`` on. In a transaction of :func:`tenantry.audit.source.begin`.

    Raises CatalogError when a column that was sealed is gone, ValueError for a record that cannot be read.
    """
    notes = {size: checkpoints.parse(text) for size, text in live.checkpoints() if size > since}
    layouts, retired = live.layouts(), live.retired()
    waiting: list[Record] = []
    for n, body, text in live.log(since):
        entry = Entry.parse(body)
        details = Details.parse(text) if text is not None else None
        columns = layouts[details.layout].columns if details is not None else ()
        waiting.append(Record(entry, body, notes.get(n + 1), details, columns, (), tuple(retired.get(n, ()))))
        if len(waiting) == GROUP:
            yield from _filled(live, waiting)
            waiting = []
    yield from _filled(live, waiting)


def _filled(live: Live, waiting: list[Record]) -> Iterator[Record]:
    trees = live.subtrees([record.entry.n for record in waiting])
    for record in waiting:
        subs = trees[record.entry.n]
        if record.details is None:
            yield record
            continue
        keys = [key for sub in subs for key in sub.keys]
        rows = live.events(record.columns, keys) if keys else {}
        if rows is None:
            raise CatalogError(
                f"batch {record.entry.n}: a column that it was sealed with is gone from the trail, so its events "
                "cannot be read as they were; `tenantry audit verify` names it"
            )
        events = tuple(event for sub in subs for event in _events(record.entry.n, sub, rows))
        yield Record(record.entry, record.body, record.checkpoint, record.details, record.columns, events)


def _events(n: int, sub: Subtree, rows: dict[str, list[Row]]) -> Iterator[Event]:
    for position, (key, leaf) in enumerate(zip(sub.keys, sub.leaves, strict=True)):
        found = rows.get(key, [])
        yield Event(n, sub.place, position, sub.tenant, key, leaf, found[0] if found else None)

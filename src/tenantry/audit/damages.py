"""Comparing the events of batches with their sealed hashes, and saying what kind of damage a difference is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tenantry.audit import canon
from tenantry.audit.batch import Subtree
from tenantry.audit.canon import Column
from tenantry.audit.entries import Details, Entry

if TYPE_CHECKING:
    from tenantry.audit.history import History
    from tenantry.audit.source import Row, Source
    from tenantry.audit.verify import Findings

SLACK = timedelta(seconds=60)  # what clocks may differ before an event counts as backdated
PAIRS = 200  # edited events that are tried against each other
_ORDER = ("seq", "created_at", "xid")


@dataclass(frozen=True, slots=True)
class Sealed:
    """One event as it was sealed."""

    batch: int
    tenant: str | None
    key: str
    leaf: bytes
    details: Details
    when: str


@dataclass(slots=True)
class Batches:
    """Batches whose events are looked up together."""

    source: Source
    history: History
    found: Findings
    gone: dict[int, dict[int, set[int]]]
    by_columns: dict[tuple[Column, ...], list[Sealed]] = field(default_factory=dict)
    archived: int = 0

    def add(self, entry: Entry, details: Details, trees: list[Subtree]) -> None:
        """A batch with its subtrees."""
        layout = self.history.layouts.get(details.layout)
        if layout is None:
            return  # said already
        events = self.by_columns.setdefault(layout.columns, [])
        for sub in trees:
            gone = self.gone.get(entry.n, {}).get(sub.place, set())
            self.archived += len(gone)
            events.extend(
                Sealed(entry.n, sub.tenant, key, leaf, details, entry.fields["sealed"])
                for position, (key, leaf) in enumerate(zip(sub.keys, sub.leaves, strict=False))
                if position not in gone
            )

    def compare(self) -> int:
        """Look every event up and compare it; returns how many were there."""
        seen = 0
        for columns, events in self.by_columns.items():
            for start in range(0, len(events), 5000):
                seen += self._compare(columns, events[start : start + 5000])
        return seen

    def _compare(self, columns: tuple[Column, ...], events: list[Sealed]) -> int:
        there = self.source.events(columns, [e.key for e in events])
        if there is None:
            for n in sorted({e.batch for e in events}):
                self.found.add(
                    "dropped column",
                    "a column that was sealed is gone or of another type, so its events cannot be compared",
                    batch=n,
                )
            return 0
        names = tuple(column.name for column in columns)
        edited: list[tuple[Sealed, Row]] = []
        seen = 0
        for event in events:
            match there.get(event.key, []):
                case []:
                    self.found.add(
                        "deleted",
                        f"sealed for tenant {event.tenant}, and not there",
                        record=event.key,
                        batch=event.batch,
                    )
                case [row]:
                    seen += 1
                    if canon.leaf(names, row) != event.leaf:
                        edited.append((event, row))
                    else:
                        self._time(event, dict(zip(names, row, strict=True))["created_at"])
                case rows:
                    self.found.add(
                        "duplicated", f"{len(rows)} events have its id", record=event.key, batch=event.batch
                    )
        for event, kind, words in _kinds(names, edited):
            self.found.add(kind, words, record=event.key, batch=event.batch)  # type: ignore[arg-type]
        return seen

    def _time(self, event: Sealed, created: str | None) -> None:
        at, floor, when = _time(created), _time(event.details.floor), _time(event.when)
        if at is None or when is None:
            return
        if floor is not None and at < floor - SLACK:
            self.found.add(
                "backdated",
                f"it says {created}, and was written after {event.details.floor}",
                record=event.key,
                batch=event.batch,
            )
        elif at > when + SLACK:
            self.found.add(
                "backdated",
                f"it says {created}, and was sealed at {event.when} already",
                record=event.key,
                batch=event.batch,
            )


def _time(text: str | None) -> datetime | None:
    """A time, None for none; what only the server can write (infinity, 44 BC, the year 12000) is the first or the last
    that there is.
    """
    if text is None or text == "-":
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        end = datetime.min if text.endswith(" BC") or text == "-infinity" else datetime.max  # noqa: DTZ901
        return end.replace(tzinfo=UTC)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _kinds(names: tuple[str, ...], edited: list[tuple[Sealed, Row]]) -> Iterator[tuple[Sealed, str, str]]:
    """What was done to each edited event, found by undoing it: the sealed hash tells when that was right."""
    for event, row in edited:
        now = dict(zip(names, row, strict=True))
        if canon.leaf(names, tuple((now | {"tenant_id": event.tenant}).values())) == event.leaf:
            yield event, "moved", f"it was tenant {event.tenant}'s and says {now['tenant_id']} now"
        elif (other := _swapped(names, event, now, edited[:PAIRS])) is not None:
            yield event, "reordered", f"it has the place in time of event {other}"
        else:
            yield event, "edited", f"it reads otherwise than when it was sealed for tenant {event.tenant}"


def _swapped(
    names: tuple[str, ...], event: Sealed, now: dict[str, str | None], edited: list[tuple[Sealed, Row]]
) -> str | None:
    order = [name for name in _ORDER if name in names]
    tries = [[name] for name in order] + [order, [n for n in order if n != "xid"]]
    for other, row in edited:
        if other.key == event.key:
            continue
        theirs = dict(zip(names, row, strict=True))
        for columns in tries:
            if canon.leaf(names, tuple((now | {n: theirs[n] for n in columns}).values())) == event.leaf:
                return other.key
    return None

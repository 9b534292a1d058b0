"""How long a plan takes, and what it writes: orders of magnitude from the rows and bytes that its steps name.

The speeds are those of a small server (2 cores, tables of up to 5 million rows in memory), between what was measured
there while nothing else ran and while it was busy; the two were up to ten times apart. Tables that do not fit into
memory take as long as the disk needs to read them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tenantry.plan import Backfill, Change

# Seconds of a statement that only changes the catalog: 0.4 to 3 ms when quiet, 15 to 52 ms at worst.
INSTANT = 0.005
# Rows that ANALYZE looks at, at most (300 for each of the default statistics target), and how many in a second.
SAMPLE, SAMPLED = 30_000, 75_000
# Seconds of one batch of a backfill that switches triggers off: writers wait for no longer behind it.
BATCH = 0.05

Work = Literal["build", "update", "scan", "reference"]
# Rows per second. Measured quiet and busy, in millions: concurrent build of an index 2.9 and 0.3, validation of a
# CHECK or scan for NOT NULL 20 and 4, of a foreign key 8 and 1.2 (several columns), backfill in batches 0.06 and 0.02.
SPEED: dict[Work, float] = {"build": 1_000_000, "update": 40_000, "scan": 8_000_000, "reference": 2_000_000}

# Bytes per row: an index entry (7 to 68), and the WAL of an updated row (430 to 800).
ENTRY, UPDATED = 60, 600

_QUOTED = re.compile(r'"(?:[^"]|"")*"|\'(?:[^\']|\'\')*\'')
# What a statement does with the rows, by the words outside of its quotes; the first that is found.
_WORK: tuple[tuple[str, Work | None], ...] = (
    (r"\bNOT VALID\b|\bNOT ENFORCED\b", None),
    (r"^CREATE (UNIQUE )?INDEX\b", "build"),
    (r"\bADD CONSTRAINT\W+(UNIQUE|PRIMARY KEY) USING INDEX\W*$", None),
    (r"\bADD CONSTRAINT\W+(UNIQUE|PRIMARY KEY|EXCLUDE)\b", "build"),
    (r"\bFOREIGN KEY\b", "reference"),
    (r"\bADD CONSTRAINT\W+CHECK\b", "scan"),
    (r"^INSERT\b[^;]*\bSELECT\b", "scan"),
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds of a step, and those of them under a lock that makes the application wait (for writing, or at all).

    ``longest`` is the longest piece of ``strong`` without a break: what one statement waits for at most.
    """

    seconds: float
    strong: float
    longest: float

    @property
    def weak(self) -> float:
        """Seconds under a lock that no reader or writer waits for."""
        return self.seconds - self.strong


@dataclass(frozen=True, slots=True)
class Total:
    """The sum of several steps; ``unknown`` of them are left out."""

    seconds: float
    strong: float
    longest: float
    unknown: int

    @property
    def weak(self) -> float:
        """Seconds under a lock that no reader or writer waits for."""
        return self.seconds - self.strong


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes that a plan may write at most: into tables and indexes, and as WAL."""

    disk: int
    wal: int


def estimate(step: Change | Backfill, *, empty: bool = False) -> Estimate | None:
    """What a step takes; None where the number of rows is not known: the table is empty, or was never analyzed.

    ``empty``: the table is known to be so, because the plan makes it.
    """
    seconds = _seconds(step, empty)
    if seconds is None:
        return None
    if not step.lock.blocks:
        return Estimate(seconds, 0.0, 0.0)
    return Estimate(seconds, seconds, min(seconds, BATCH) if isinstance(step, Backfill) else seconds)


def estimates(steps: Iterable[Change | Backfill]) -> tuple[Estimate | None, ...]:
    """What each step of a whole plan takes, in order."""
    steps = tuple(steps)
    made = {s.object for s in steps if any(text.startswith("CREATE TABLE ") for text in s.apply)}
    return tuple(estimate(s, empty=s.object in made) for s in steps)


def total(found: Iterable[Estimate | None]) -> Total:
    """The sum of what several steps take."""
    found = tuple(found)
    known = [e for e in found if e is not None]
    return Total(
        sum(e.seconds for e in known),
        sum(e.strong for e in known),
        max((e.longest for e in known), default=0.0),
        len(found) - len(known),
    )


def room(steps: Iterable[Change | Backfill]) -> Room:
    """What steps write: index entries, and in the worst case every row of a backfilled table once more."""
    disk = wal = 0
    for step in steps:
        match _works(step):
            case "update":
                disk += step.bytes
                wal += step.rows * UPDATED
            case "build":
                disk += step.rows * ENTRY
                wal += step.rows * ENTRY
    return Room(disk, wal)


def _seconds(step: Change | Backfill, empty: bool) -> float | None:
    if isinstance(step, Change) and any(text.startswith("ANALYZE ") for text in step.apply):
        return INSTANT + min(step.rows or SAMPLE, SAMPLE) / SAMPLED
    work = _works(step)
    if work is None or empty:
        return INSTANT
    return INSTANT + step.rows / SPEED[work] if step.rows else None


def _works(step: Change | Backfill) -> Work | None:
    """What the longest part of a step does with the rows; None for a change of the catalog alone."""
    if isinstance(step, Backfill):
        return "update"
    texts = [_QUOTED.sub("", statement) for statement in step.apply]
    if any("VALIDATE CONSTRAINT" in text for text in texts):
        return "reference" if step.tables else "scan"  # only a foreign key's names its tables
    if any("SET NOT NULL" in text for text in texts) and not any("DROP CONSTRAINT" in text for text in texts):
        return "scan"  # without a validated check that would spare it
    if any(text.endswith(("USING INDEX ", "USING INDEX")) for text in texts):
        return None  # of partitions, whose indexes the whole table takes over
    found = [_work(text) for text in texts]
    return next((work for work in found if work is not None), None)


def _work(text: str) -> Work | None:
    return next((work for pattern, work in _WORK if re.search(pattern, text)), None)

"""What ``apply`` and ``revert`` tell while they run: one small frozen value per event.

A listener is called in the caller's thread; what it raises ends the run. ``apply`` calls it between its
transactions, ``revert`` inside its only one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tenantry.counts import counted


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step begins; ``number`` counts from 1."""

    step: str
    number: int
    of: int


@dataclass(frozen=True, slots=True)
class StepSkipped:
    """What the step would do is there already."""

    step: str
    number: int
    of: int


@dataclass(frozen=True, slots=True)
class StepDone:
    """A step ran and its verification holds.

    ``rows`` are those that it filled; ``waits``, ``retries`` and ``throttled`` as in :class:`Tally`.
    """

    step: str
    rows: int
    seconds: float
    waits: int = 0
    retries: int = 0
    throttled: float = 0.0


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch of a backfill is committed. ``rows`` so far; blocks over all its tables.

    ``rate`` is rows per second in this run, pauses included; ``left`` the seconds that the remaining blocks will
    take at the pace of this run.
    """

    step: str
    rows: int
    done_blocks: int
    of_blocks: int
    rate: float = 0.0
    left: float | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A try ended without the lock; another follows unless the tries are used up.

    ``blocked_by`` says in words which sessions stood in the way, as far as they could be seen.
    """

    step: str
    tried: int
    blocked_by: tuple[str, ...]


Signal = Literal["standby", "slot", "wal", "archiver", "locks"]


@dataclass(frozen=True, slots=True)
class Throttled:
    """The backfill gives way: ``reason`` in words, ``seconds`` since it stands still, ``pause`` seconds more now."""

    step: str
    signal: Signal
    reason: str
    seconds: float
    pause: float


@dataclass(frozen=True, slots=True)
class Unseen:
    """A backfill cannot look whether it should give way to ``signal``; told once in a run."""

    step: str
    signal: Signal
    reason: str


Event = StepStarted | StepSkipped | StepDone | Batch | Waiting | Throttled | Unseen
Listener = Callable[[Event], None]


def silent(event: Event) -> None:
    """The listener of a caller that wants none."""


@dataclass(slots=True)
class Tally:
    """What a run filled and waited for, counted on while it runs.

    ``waits`` are tries and turns that ended without their lock, ``retries`` transactions and statements that were
    begun again for it; ``throttled`` the seconds that backfills gave way, for ``reason`` at last; ``unseen`` what
    they could not look at.
    """

    rows: int = 0
    waits: int = 0
    retries: int = 0
    throttled: float = 0.0
    reason: str | None = None
    unseen: tuple[str, ...] = ()


def waited(waits: int, retries: int, throttled: float, reason: str | None) -> str:
    """In words, what was waited for; an empty text for nothing."""
    parts = []
    if waits:
        parts.append(
            f"waited for locks {counted(waits, 'time')}, {counted(retries, 'try', 'tries')} begun again"
        )
    if throttled:
        parts.append(f"gave way for {throttled:.1f} s" + (f", at last: {reason}" if reason else ""))
    return "; ".join(parts)


def duration(seconds: float) -> str:
    """Seconds for people: 12 s, 3 min, 2 h 05 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"

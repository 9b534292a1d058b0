"""What ``apply`` and ``revert`` tell while they run: one small frozen value per event.

A listener is called in the caller's thread; what it raises ends the run. ``apply`` calls it between its
transactions, ``revert`` inside its only one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


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
    """A step ran and its verification holds; ``rows`` are those that it filled."""

    step: str
    rows: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch of a backfill is committed. ``rows`` so far; blocks over all its tables."""

    step: str
    rows: int
    done_blocks: int
    of_blocks: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A try ended without the lock; another follows unless the tries are used up.

    ``blocked_by`` says in words which sessions stood in the way, as far as they could be seen.
    """

    step: str
    tried: int
    blocked_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Throttled:
    """A standby is ``lag`` bytes behind and the backfill waits for it, since ``seconds``."""

    step: str
    lag: int
    seconds: float


Event = StepStarted | StepSkipped | StepDone | Batch | Waiting | Throttled
Listener = Callable[[Event], None]


def silent(event: Event) -> None:
    """The listener of a caller that wants none."""

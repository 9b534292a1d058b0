"""What a verification finds, in words that say which record, which batch and what kind of damage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "edited",  # a sealed event reads otherwise now
    "moved",  # only its tenant is another
    "reordered",  # only its place in time is another
    "deleted",  # a sealed event is not there
    "duplicated",  # two events have one id
    "backdated",  # an event pretends to be older than it is, or postdated
    "truncated",  # the end of the log is gone
    "dropped partition",
    "dropped column",
    "swallowed insert",  # something may keep events from being written
    "disabled guard",
    "rewritten",  # the seal itself was changed
    "signature",  # a statement is not signed by a trusted key
    "era",  # the trail went on elsewhere: a restore, a failover
    "not looked",  # could not be examined
]
Level = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Damage:
    """One finding. ``record`` is the id of an event, ``batch`` a number of the log; None where neither is meant."""

    kind: Kind
    message: str
    level: Level = "error"
    record: str | None = None
    batch: int | None = None

    def __str__(self) -> str:
        where = [f"batch {self.batch}"] if self.batch is not None else []
        where += [f"event {self.record}"] if self.record is not None else []
        return f"{self.level.upper()} {self.kind}: {', '.join(where)}{': ' if where else ''}{self.message}"

"""What to do: phases, steps and the plan. Printing a plan and running it are two uses of the same value."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from tenantry.names import QName

Profile = Literal["transactional", "online"]
VERSION = 1


class Phase(StrEnum):
    """A place where a conversion can stop for days; also what one rendered file holds.

    Online everything up to ``harden`` leaves old code working; ``observe`` puts policies in place that hide
    nothing yet, and ``cutover`` lets them decide. A migrator's files know no such pause and have no such phases.
    """

    TENANTS = "tenants"
    COLUMNS = "columns"
    BACKFILL = "backfill"
    ENFORCE = "enforce"
    AUDIT = "audit"
    HARDEN = "harden"
    OBSERVE = "observe"
    CUTOVER = "cutover"


class Lock(StrEnum):
    """The strongest table lock that a step takes, in the server's words (manual, "Explicit Locking")."""

    NONE = "none"
    ROW_EXCLUSIVE = "ROW EXCLUSIVE"
    SHARE_UPDATE_EXCLUSIVE = "SHARE UPDATE EXCLUSIVE"
    SHARE = "SHARE"
    SHARE_ROW_EXCLUSIVE = "SHARE ROW EXCLUSIVE"
    ACCESS_EXCLUSIVE = "ACCESS EXCLUSIVE"

    @property
    def blocks(self) -> bool:
        """True where the application waits for it, to read or to write."""
        return self in (Lock.SHARE, Lock.SHARE_ROW_EXCLUSIVE, Lock.ACCESS_EXCLUSIVE)


@dataclass(frozen=True, slots=True)
class Change:
    """One transaction of one or more statements, or exactly one statement that runs outside a transaction.

    ``verify`` is one boolean query: asked before (true: skip) and after (false: fail). ``revert`` undoes
    ``apply`` and always runs inside a transaction; an empty one means that the object goes with another step's
    revert. ``rows`` and ``bytes`` estimate what is read or rewritten while the lock is held.

    ``cleanup`` is for a step outside a transaction: one statement that runs before ``apply`` and removes what
    a broken earlier try left (an INVALID index). It runs only while ``verify`` is false, so it may remove
    whatever ``verify`` does not accept, and must tolerate that there is nothing.

    ``strays`` counts rows that would refuse the step for good, told as ``stray``; asked before anything changes.
    """

    id: str
    phase: Phase
    object: str
    why: str
    apply: tuple[str, ...]
    verify: str
    revert: tuple[str, ...] = ()
    lock: Lock = Lock.NONE
    tables: tuple[QName, ...] = ()
    transactional: bool = True
    destructive: bool = False
    rows: int = 0
    bytes: int = 0
    cleanup: str = ""
    strays: str = ""
    stray: str = ""
    kind: Literal["change"] = "change"

    def __post_init__(self) -> None:
        if not self.transactional and len(self.apply) != 1:
            raise ValueError(f"{self.id}: a step outside a transaction must be exactly one statement")


@dataclass(frozen=True, slots=True)
class Backfill:
    """Fills the tenant column; its own kind, because only it loops and commits.

    ``update`` changes every row that is still unfilled. ``batches`` does the same for one physical table
    (first item) through the placeholders ``%(first)s`` and ``%(last)s``, tids like ``(0,0)``, last excluded;
    every other percent sign in it is doubled. ``%(turns)s`` and ``%(turn)s`` pick every n-th row of each block: later
    turns find the room that earlier ones freed in the same block, so that fewer index entries are written (HOT).
    ``unresolved`` counts the rows for which the source yields no tenant, or several; asked before anything changes.
    ``before`` and ``after`` surround the update in the same transaction (trigger policy).
    ``foreign_rows`` counts the rows whose tenant the source does not give any more: a revert would lose them.
    Empty where the column was there before: it stays.
    """

    id: str
    phase: Phase
    object: str
    why: str
    update: str
    batches: tuple[tuple[QName, str], ...]
    unresolved: str
    foreign_rows: str
    verify: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    lock: Lock = Lock.ROW_EXCLUSIVE
    rows: int = 0
    bytes: int = 0
    kind: Literal["backfill"] = "backfill"

    @property
    def apply(self) -> tuple[str, ...]:
        """The whole of it as one transaction."""
        return (*self.before, self.update, *self.after)

    @property
    def revert(self) -> tuple[str, ...]:
        """Nothing: the column goes with the step that added it."""
        return ()

    @property
    def transactional(self) -> bool:
        return True

    @property
    def destructive(self) -> bool:
        return False


Step = Annotated[Change | Backfill, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in order, and what a person should know.

    ``notes`` are code to edit and defaults taken; they change nothing. ``guards`` are queries that must
    each return 0 before a revert may run, with the sentence that refuses it otherwise. ``probes`` are queries that
    the server must take before anything changes, with what it means that it does not.
    """

    spec_digest: str
    catalog_digest: str
    profile: Profile
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()
    guards: tuple[tuple[str, str], ...] = ()
    probes: tuple[tuple[str, str], ...] = ()
    version: int = VERSION

    def __iter__(self) -> Iterator[Change | Backfill]:
        return iter(self.steps)

    def __bool__(self) -> bool:
        return bool(self.steps)

    def phase(self, phase: Phase) -> tuple[Change | Backfill, ...]:
        """The steps of one phase, in order."""
        return tuple(s for s in self.steps if s.phase is phase)

    def to_json(self) -> str:
        """The saved form; the same plan gives the same bytes."""
        return json.dumps(_ADAPTER.dump_python(self, mode="json"), indent=1, ensure_ascii=False) + "\n"

    @staticmethod
    def from_json(text: str | bytes) -> Plan:
        """Raises pydantic.ValidationError for anything that is not a plan's JSON."""
        return _ADAPTER.validate_json(text)

    @property
    def digest(self) -> str:
        """SHA-256 of the saved form, hexadecimal."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()


_ADAPTER: TypeAdapter[Plan] = TypeAdapter(Plan)

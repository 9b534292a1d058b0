"""What proving yields: findings, outcomes and the proof. Data, never exceptions."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import Literal

Level = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = ("error", "warning", "note")  # worst first
Status = Literal["held", "breached", "skipped", "error"]
NO_ROWS = "no rows: could not look"  # the detail of an outcome, of an empty table
# Who asks: a session that never set a tenant, set an empty one, one that no row has, or another that exists.
ContextName = Literal["unset", "empty", "ghost", "tenant"]
# How far a proof went: nothing written, also real writes and DDL, or those in a world made for it.
Mode = Literal["safe", "full", "lab"]
# What a check needs to know before it can look: nothing, the application's role, one that privileges bind,
# which tables are tenants', which setting carries the tenant, the audit trail.
Need = Literal["role", "app", "tenancy", "setting", "trail"]


@dataclass(frozen=True, slots=True)
class Check:
    """One question about a database: a query that yields a row for each thing found.

    ``controls`` names what an auditor asks for; ``sabotage`` are statements that make it find something on a
    converted database, with names in braces (see the reference of checks). ``since`` is the first major version
    of PostgreSQL that knows what is asked about.
    """

    id: str
    slug: str
    level: Level
    title: str
    why: str
    fix: str
    controls: str
    sabotage: tuple[str, ...]
    needs: tuple[Need, ...] = ()
    since: int = 0
    query: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a static check reports about one object.

    ``detail`` names the part of the object that is meant (a policy, a key, a privilege) where one object can have
    several findings of a check.
    """

    check: str
    level: Level
    object: str
    message: str
    fix: str = ""
    detail: str = ""

    @property
    def fingerprint(self) -> str:
        """Stable across runs, dumps and restores: made from names only."""
        parts = (self.check, self.object, self.detail) if self.detail else (self.check, self.object)
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Waived:
    """A finding that somebody answers for, until a day."""

    finding: Finding
    reason: str
    until: date


@dataclass(frozen=True, slots=True)
class Review:
    """The record of one run of ``check``.

    ``skipped`` are the checks that could not be run. ``findings`` count; ``waived`` and ``known`` (in the baseline) do not. ``gone`` are fingerprints of the
    baseline that were not found again. ``not_looked_at`` says in plain words what was left out.
    """

    when: str
    server: str
    role: str
    tenancy: str
    checks: tuple[Check, ...]
    skipped: tuple[str, ...]
    findings: tuple[Finding, ...]
    not_looked_at: tuple[str, ...]
    waived: tuple[Waived, ...] = ()
    known: tuple[Finding, ...] = ()
    gone: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """True when no finding at error level counts."""
        return not any(f.level == "error" for f in self.findings)


@dataclass(frozen=True, slots=True)
class Cell:
    """What came of an attack in one context: no tenant was ever set, an empty one, one without rows, another's."""

    context: ContextName
    status: Status


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attack on one object came to.

    ``control_fired`` says that the same probe, allowed, did find or change something: without it
    "held" would mean nothing. ``tries`` counts the statements sent. ``sql`` is the shortest statement
    that shows a breach. ``cells`` tell the contexts apart, in the order in which they were tried.
    """

    attack: str
    object: str
    status: Status
    tries: int = 0
    control_fired: bool = False
    detail: str = ""
    sql: str = ""
    cells: tuple[Cell, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """A table on the map of a proof: its scope in the spec's words, the tables it refers to, its estimated rows."""

    name: str
    scope: str
    references: tuple[str, ...] = ()
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """The record of one run of ``prove``.

    ``pending`` are the ids of steps that planning again still asks for; ``not_looked_at`` says in plain
    words what was left out. ``review`` are the static checks of the same run. ``fingerprint`` is the digest of
    the catalog that was proven, ``places`` its tables, ``seconds`` how long the run took.
    """

    when: str
    server: str
    role: str
    pending: tuple[str, ...]
    findings: tuple[Finding, ...]
    outcomes: tuple[Outcome, ...]
    not_looked_at: tuple[str, ...]
    mode: Mode = "safe"
    review: Review | None = None
    fingerprint: str = ""
    places: tuple[Place, ...] = ()
    seconds: float = 0.0

    @property
    def proven(self) -> bool:
        """True only if every attack held with its control fired, nothing is pending and no finding counts.

        A skipped attack, which says why, is made good by a plan that held there and policies that nothing is said about.
        """
        judged = self.judged
        return (
            any(o.status == "held" for o in self.outcomes)
            and not self.pending
            and not any(f.level == "error" for f in self.findings)
            and (self.review is None or self.review.good)
            and all(_held(o) or (o.status == "skipped" and o.object in judged) for o in self.outcomes)
        )

    @property
    def judged(self) -> frozenset[str]:
        """What can be relied on without running statements: its plans carry the tenant, its policies are of known forms."""
        if self.review is None:
            return frozenset()
        aside = (*(w.finding for w in self.review.waived), *self.review.known)
        said = {f.object for f in aside if f.level == "error"}
        said |= {f.object for f in self.review.findings if f.check == "policy-unclassified"}
        return frozenset(o.object for o in self.outcomes if o.attack == "plan" and _held(o)) - said


def _held(outcome: Outcome) -> bool:
    return outcome.status == "held" and outcome.control_fired

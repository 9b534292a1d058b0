"""What proving yields: findings, outcomes and the proof. Data, never exceptions."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning", "info"]
Status = Literal["held", "breached", "skipped", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a static check reports about one object."""

    check: str
    level: Level
    object: str
    message: str
    fix: str = ""

    @property
    def fingerprint(self) -> str:
        """Stable across runs, dumps and restores: made from names only."""
        return hashlib.sha256(f"{self.check}\x1f{self.object}".encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attack on one object came to.

    ``control_fired`` says that the same probe, allowed, did find or change something: without it
    "held" would mean nothing. ``tries`` counts the statements sent. ``sql`` is the shortest statement
    that shows a breach.
    """

    attack: str
    object: str
    status: Status
    tries: int = 0
    control_fired: bool = False
    detail: str = ""
    sql: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """The record of one run of ``prove``.

    ``pending`` are the ids of steps that planning again still asks for; ``not_looked_at`` says in plain
    words what was left out.
    """

    when: str
    server: str
    role: str
    pending: tuple[str, ...]
    findings: tuple[Finding, ...]
    outcomes: tuple[Outcome, ...]
    not_looked_at: tuple[str, ...]

    @property
    def proven(self) -> bool:
        """True only if every attack held with its control fired, nothing is pending and nothing skipped."""
        return (
            bool(self.outcomes)
            and not self.pending
            and not any(f.level == "error" for f in self.findings)
            and all(o.status == "held" and o.control_fired for o in self.outcomes)
        )

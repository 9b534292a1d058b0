"""Live attacks on isolation, one module each, and the loader that lists them.

An attack sends statements that must be refused, each in a transaction that is always rolled back, and a
control that must not be: without a control that fired, "held" would mean nothing. Its ``SABOTAGE`` makes it
breach and its ``REPAIR`` takes that back; both are for tests, with ``{table}``, ``{tenant}`` (the tenant
column) and ``{setting}`` to fill in.
"""

from __future__ import annotations

from typing import Protocol

from tenantry.attacks import delete, insert, move, prepared, read, reference, trail, update
from tenantry.attacks.session import Session
from tenantry.attacks.target import Aim, Target
from tenantry.finding import Outcome


class Attack(Protocol):
    """What each module of this package offers."""

    NAME: str
    WHY: str
    SABOTAGE: tuple[str, ...]
    REPAIR: tuple[str, ...]

    def applies(self, target: Target) -> bool:
        """Whether the attack says anything about such a table."""
        ...

    def run(self, session: Session, aim: Aim) -> Outcome:
        """Attack. Raises psycopg.Error when a look-up fails."""
        ...


ATTACKS: tuple[Attack, ...] = (read, insert, update, move, delete, reference, prepared, trail)

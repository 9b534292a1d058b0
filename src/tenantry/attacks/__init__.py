"""Live attacks on isolation, one module each, and the loader that lists them.

An attack sends statements that must be refused, each in a transaction that is always rolled back, and a
control that must not be: without a control that fired, "held" would mean nothing. Its ``SABOTAGE`` makes it
breach and its ``REPAIR`` takes that back; both are for tests, with ``{table}``, ``{tenant}`` (the tenant
column) and ``{setting}`` to fill in.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from tenantry.attacks import (
    alter,
    copying,
    create,
    delete,
    escape,
    forge,
    insert,
    large,
    lock,
    merge,
    move,
    oracle,
    orphan,
    plan,
    pooler,
    prepared,
    read,
    reference,
    relation,
    sequence,
    shadow,
    trail,
    truncate,
    update,
    upsert,
    worlds,
)
from tenantry.attacks.lab import Lab
from tenantry.attacks.reach import Reach
from tenantry.attacks.target import Aim, Target
from tenantry.finding import Outcome


class Probe(Protocol):
    """What each module of this package offers, whatever it attacks."""

    @property
    def NAME(self) -> str:
        """One word, as reports call it."""
        ...

    @property
    def WHY(self) -> str:
        """What is lost when it is not refused, in one line."""
        ...

    @property
    def WRITES(self) -> bool:
        """Whether it writes rows before it rolls back: then it is not for production."""
        ...

    @property
    def SABOTAGE(self) -> tuple[str, ...]:
        """Statements after which it must breach."""
        ...

    @property
    def REPAIR(self) -> tuple[str, ...]:
        """Statements that undo the sabotage."""
        ...


class Attack(Probe, Protocol):
    """One that attacks a table."""

    def applies(self, target: Target) -> bool:
        """Whether the attack says anything about such a table."""
        ...

    def run(self, lab: Lab, aim: Aim) -> Outcome:
        """Attack. Raises psycopg.Error when a look-up fails."""
        ...


ATTACKS: tuple[Attack, ...] = (
    plan, read, insert, update, move, delete, lock, prepared, oracle, reference, upsert, merge, copying, truncate,
    alter, trail,
)  # fmt: skip


class Door(Probe, Protocol):
    """One that attacks something else than one table: the other ways to rows."""

    def run(self, lab: Lab, reach: Reach) -> Iterator[Outcome]:
        """Attack each thing of its kind that there is. Raises psycopg.Error when a look-up fails."""
        ...


DOORS: tuple[Door, ...] = (
    relation, escape, forge, large, orphan, sequence, create, worlds, pooler, shadow,
)  # fmt: skip

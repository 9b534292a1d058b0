"""Every attack on every target and through every door; what cannot look is an outcome too."""

from __future__ import annotations

from collections.abc import Iterator, Set
from functools import partial

import psycopg

from tenantry.attacks import ATTACKS, DOORS, plan
from tenantry.attacks.aim import take
from tenantry.attacks.lab import Lab
from tenantry.attacks.reach import Reach
from tenantry.attacks.target import Target
from tenantry.attacks.verdict import looked, unlooked
from tenantry.finding import Outcome


def attack(lab: Lab, only: Set[str] | None = None) -> tuple[Outcome, ...]:
    """Every attack on every target that it applies to, or on those that ``only`` names."""
    chosen = [t for t in lab.targets.values() if only is None or t.label in only]
    return tuple(outcome for target in chosen for outcome in _on(lab, target))


def _on(lab: Lab, target: Target) -> Iterator[Outcome]:
    chosen = [a for a in ATTACKS if a.applies(target) and (lab.how.writes or not a.WRITES)]
    try:
        aim, dear = take(lab, target), plan.dear(lab, target)
    except psycopg.Error as error:
        yield from (unlooked(one.NAME, target.label, error) for one in chosen)
        return
    for one in chosen:
        if aim is None:
            yield Outcome(one.NAME, target.label, "error", detail="there is no tenant: could not look")
        elif dear and one is not plan:
            yield Outcome(one.NAME, target.label, "skipped", detail=dear)
        else:
            yield looked(one.NAME, target.label, partial(one.run, lab, aim))


def doors(lab: Lab, reached: Reach, only: Set[str] | None) -> Iterator[Outcome]:
    """The other ways to rows; one that cannot look ends with an error, and the next begins."""
    for door in DOORS:
        if (door.WRITES and not lab.how.writes) or (only is not None and door.NAME not in only):
            continue
        try:
            yield from door.run(lab, reached)
        except psycopg.Error as error:
            yield unlooked(door.NAME, "database", error)

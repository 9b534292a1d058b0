"""Every attack on every target and through every door; what cannot look is an outcome too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import replace
from functools import partial

import psycopg

from tenantry.attacks import ATTACKS, DOORS, plan
from tenantry.attacks.aim import ghost, take
from tenantry.attacks.application import App
from tenantry.attacks.claims import Claims
from tenantry.attacks.lab import How, Lab, Wire
from tenantry.attacks.reach import Reach
from tenantry.attacks.target import Rights, Target, rights
from tenantry.attacks.verdict import looked, unlooked
from tenantry.finding import Outcome
from tenantry.names import QName
from tenantry.session import Conn


def lab(
    admin: Wire, app: App, claims: Claims, targets: Mapping[QName, Target], tenants: Target, how: How
) -> Lab:
    """The connections, with what is attacked. Raises CatalogError when no tenant can be made up that is not there."""
    return Lab(
        admin=admin,
        app=app.main,
        fresh=app.fresh,
        role=app.role,
        assume=app.assume,
        claims=claims,
        ghost=ghost(admin.conn, tenants),
        tenants=tenants,
        targets=targets,
        how=how,
    )


def able(admin: Conn, role: str, targets: Iterable[Target]) -> Mapping[QName, Target]:
    """The targets by name, with what a role may do there."""
    found = {t.table.qname: t for t in targets}
    may = rights(admin, role, list(found))
    return {name: replace(t, rights=may.get(name, Rights())) for name, t in found.items()}


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

"""Referring to another tenant's row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tenantry.attacks import lab as at
from tenantry.attacks.aim import another, made_up, own
from tenantry.attacks.lab import Lab, Result, Run
from tenantry.attacks.target import Aim, Reference, Target, assign, paired
from tenantry.attacks.verdict import Control, Meaning, Try, judge, meaning, nothing_to_see, worst
from tenantry.finding import Outcome
from tenantry.names import literal

NAME = "reference"
WHY = "A row refers to another tenant's row: foreign keys are checked without row level security."
WRITES = True
SABOTAGE = ("ALTER TABLE {table} DISABLE TRIGGER ALL",)  # foreign keys are triggers
REPAIR = ("ALTER TABLE {table} ENABLE TRIGGER ALL",)

_FOREIGN_KEY = "23503"


def applies(target: Target) -> bool:
    """To tables with a foreign key to a table of tenants' rows."""
    return bool(target.references)


def run(lab: Lab, aim: Aim) -> Outcome:
    """Each reference of one own row is pointed at a row of another tenant, then at an own one (the control)."""
    if aim.empty:
        return nothing_to_see(NAME, aim)
    outcomes = [_one(lab, aim, reference) for reference in aim.target.references]
    return worst(outcomes)


def _one(lab: Lab, aim: Aim, reference: Reference) -> Outcome:
    target, parent = aim.target, lab.targets[reference.parent]
    what = f"{', '.join(reference.columns)} → {parent.label}"
    theirs = _renamed(another(lab, parent, aim.tenant, reference.referenced), reference)
    mine = _mine(lab, aim, reference, parent)
    aimed = theirs or _made_up(target, reference)
    if aimed is None:
        return Outcome(NAME, target.label, "skipped", detail=f"{what}: no value of its type can be made up")
    if mine is None:
        return Outcome(
            NAME, target.label, "error", detail=f"{what}: tenant {aim.tenant} has no row to refer to"
        )
    sets = f"UPDATE {target.sql} SET {assign(aimed)} WHERE {aim.spot}"
    result = _sent(lab, aim, reference, lambda run_: run_(sets))
    check = _sent(lab, aim, reference, lambda run_: _twice(run_, target, mine, aim.spot))
    tried = Try(at.tenant(aim.tenant), sets, result, meaning(result))
    tried = replace(tried, meaning=_read(tried, target, reference, parent, real=theirs is not None))
    outcome = judge(lab, NAME, target.label, [tried], Control(check, bool(check.rows)))
    detail = outcome.detail
    if theirs is None:
        detail = detail or f"no other tenant has rows in {parent.label}: tried a key that no row has"
    return replace(outcome, detail=f"{what}: {detail}" if detail else "")


def _renamed(row: Mapping[str, str | None] | None, reference: Reference) -> dict[str, str | None] | None:
    return {c: row[r] for c, r in zip(reference.columns, reference.referenced, strict=True)} if row else None


def _mine(lab: Lab, aim: Aim, reference: Reference, parent: Target) -> dict[str, str | None] | None:
    """What an own row may refer to: what it does, or any row of its tenant."""
    now = {c: aim.row[c] for c in reference.columns}
    if all(v is not None for v in now.values()):
        return now
    return _renamed(own(lab, parent, aim.tenant, reference.referenced), reference)


def _made_up(target: Target, reference: Reference) -> dict[str, str | None] | None:
    made = {c: made_up(column) for c in reference.columns if (column := target.table.column(c))}
    return dict(made) if all(v is not None for v in made.values()) else None


def _sent(lab: Lab, aim: Aim, reference: Reference, send: Callable[[Run], Result]) -> Result:
    """As the tenant itself; as the administrator where the application may not update the columns.

    Either way the key is checked by its own trigger, which row level security does not bind.
    """
    rights = aim.target.rights
    able = rights.whole and frozenset(reference.columns) <= rights.update and "UPDATE" not in rights.closed
    with lab.as_app(at.tenant(aim.tenant)) if able else lab.as_admin() as run_:
        run_("SET CONSTRAINTS ALL IMMEDIATE")
        return send(run_)


def _twice(run_: Run, target: Target, values: Mapping[str, str | None], spot: str) -> Result:
    """A key that does not change is not checked, except on a row that this transaction wrote: hence twice."""
    part = spot.rpartition("ctid = ")[0]
    update = f"UPDATE {target.sql} SET {assign(values)} WHERE"
    once = run_(f"{update} {spot} RETURNING ctid::text")
    return run_(f"{update} {part}ctid = {literal(once.first[0])}") if once.first else once


def _read(tried: Try, target: Target, reference: Reference, parent: Target, *, real: bool) -> Meaning:
    """Refused is what a foreign key over these very columns refuses, or the policy.

    Against a key that no row has, any foreign key would hold: only one that names the tenant on both sides
    says something about other tenants' rows.
    """
    result = tried.result
    if result.sqlstate == _FOREIGN_KEY:
        keys = [fk for fk in target.table.foreign_keys if fk.name == result.constraint]
        if not any(set(reference.columns) <= set(fk.columns) for fk in keys):
            return "unclear"
        return "refused" if real or set(keys) <= set(paired(target, reference, parent)) else "unclear"
    if not result.sqlstate:
        return "reached" if result.rows else "unclear"
    return "refused" if result.sqlstate == "42501" else "unclear"

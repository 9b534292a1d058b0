"""Changing another tenant's row by inserting one with the same key."""

from __future__ import annotations

from dataclasses import replace

from tenantry.attacks import forms, update
from tenantry.attacks import lab as at
from tenantry.attacks.lab import Lab
from tenantry.attacks.sabotage import opened, shut
from tenantry.attacks.target import Aim, Target
from tenantry.attacks.verdict import attempt, control, judge, nothing_to_see
from tenantry.finding import Outcome
from tenantry.names import columns, literal, quote

NAME = "upsert"
WHY = "INSERT … ON CONFLICT DO UPDATE changes the row of another tenant that has the same key."
WRITES = True
SABOTAGE = opened("SELECT", "UPDATE")
REPAIR = shut("SELECT", "UPDATE")

_REACHED = "22012"


def applies(target: Target) -> bool:
    """To tables where the application inserts and updates, with a unique key that does not name the tenant."""
    rights, key = target.rights, _key(target)
    able = rights.select and update.column(target).name in rights.update
    able = able and not rights.closed & {"SELECT", "INSERT", "UPDATE"}
    return target.kind == "tenant" and able and key is not None and {*key, target.column} <= rights.insert


def _key(target: Target) -> tuple[str, ...] | None:
    keys = (
        c.columns
        for c in target.table.constraints
        if c.kind in ("primary", "unique") and not c.deferrable and not c.period
    )
    return next((k for k in keys if target.column not in k), None)


def run(lab: Lab, aim: Aim) -> Outcome:
    """As another tenant, a row of its own with the victim's key; the control is the same as the victim."""
    target, key = aim.target, _key(aim.target) or ()
    if aim.empty:
        return nothing_to_see(NAME, aim)
    attacker = aim.other or lab.ghost
    tried = attempt(lab, at.tenant(attacker), *_statement(aim, key, attacker))
    reached = tried.result.sqlstate == _REACHED
    known = not tried.result.sqlstate or tried.result.sqlstate == "42501" or tried.result.sqlstate[:2] == "23"
    tried = replace(tried, meaning="reached" if reached else "refused" if known else "unclear")
    check = control(lab, aim, _statement(aim, key, aim.tenant)[0], allowed=True)
    check = replace(check, fired=check.result.sqlstate == _REACHED)
    return judge(lab, NAME, target.label, [tried], check)


def _statement(aim: Aim, key: tuple[str, ...], tenant: str) -> tuple[str, str]:
    """The statement, and the same without the values of a real row."""
    target = aim.target
    given = [c.name for c in target.table.columns if not c.generated and c.name in target.rights.insert]
    row = {c: tenant if c == target.column else aim.row[c] for c in given}
    column = update.column(target)
    end = f"ON CONFLICT ({columns(key)}) DO UPDATE SET {quote(column.name)} = {forms.raises(column)}"
    start = f"INSERT INTO {target.sql} ({columns(given)}) OVERRIDING SYSTEM VALUE VALUES"
    values = ", ".join(literal(v) for v in row.values())
    told = ", ".join(literal(v) if c == target.column else "…" for c, v in row.items())
    return f"{start} ({values}) {end}", f"{start} ({told}) {end}"

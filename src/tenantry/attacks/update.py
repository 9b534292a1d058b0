"""Changing another tenant's rows."""

from __future__ import annotations

from tenantry.attacks import forms
from tenantry.attacks.lab import TRIPWIRE, Lab
from tenantry.attacks.sabotage import opened, shut
from tenantry.attacks.target import Aim, Target, assign, beside_the_trail
from tenantry.attacks.verdict import matrix, skipped
from tenantry.catalog import Column
from tenantry.finding import Outcome

NAME = "update"
WHY = "A tenant, or a session without one, changes rows of another tenant; an UPDATE that reads no column skips the SELECT policy."
WRITES = False
SABOTAGE = opened("UPDATE")
REPAIR = shut("UPDATE")

applies = beside_the_trail


def run(lab: Lab, aim: Aim) -> Outcome:
    """Without WHERE where no row is owned; the victim's rows by their tenant as another one."""
    target = aim.target
    if trigger := lab.stays(target, "update", rows=False):
        return skipped(NAME, aim, trigger)
    chosen = column(target)
    start, end = forms.update(target, chosen), ""
    if lab.how.writes:
        value = aim.row[chosen.name] if chosen.name in target.border else None
        start, end = f"UPDATE {target.sql} SET {assign({chosen.name: value})}", f" {TRIPWIRE}"
    return matrix(
        lab,
        aim,
        NAME,
        "UPDATE",
        blind=f"{start}{end}",
        aimed=f"{start} WHERE {aim.where}{end}",
        allowed=target.rights.select and chosen.name in target.rights.update,
    )


def column(target: Target) -> Column:
    """One outside all keys and partition bounds, if there is one; rather not one that says whose row it is."""
    table = target.table
    busy = {c for k in table.constraints if k.kind not in ("check", "not_null") for c in k.columns}
    busy |= {c for i in table.indexes for c in i.key_columns} | set(table.partition_key)
    mine, may = target.border, target.rights.update
    fit = [c for c in table.columns if not c.generated and c.identity != "a"]
    return min(fit, key=lambda c: (c.name in mine, c.name not in may, c.name in busy, not c.not_null))

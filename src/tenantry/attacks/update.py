"""Changing another tenant's rows."""

from __future__ import annotations

from tenantry.attacks.lab import TRIPWIRE, Lab
from tenantry.attacks.target import Aim, Target, assign
from tenantry.attacks.verdict import matrix
from tenantry.finding import Outcome

NAME = "update"
WHY = "A tenant, or a session without one, changes rows of another tenant; an UPDATE that reads no column skips the SELECT policy."
SABOTAGE = ("CREATE POLICY sabotage ON {table} FOR UPDATE USING (true)",)
REPAIR = ("DROP POLICY sabotage ON {table}",)


def applies(target: Target) -> bool:
    """To every table but the trail, which has its own attack."""
    return target.kind != "trail"


def run(lab: Lab, aim: Aim) -> Outcome:
    """Without WHERE where no row is owned; the victim's rows by their tenant as another one."""
    change = _change(aim)
    blind = f"UPDATE {aim.target.sql} SET {assign(change)}"
    return matrix(
        lab,
        aim,
        NAME,
        blind=f"{blind} {TRIPWIRE}",
        aimed=f"{blind} WHERE {aim.where} {TRIPWIRE}",
        allowed=aim.target.rights.select and change.keys() <= aim.target.rights.update,
    )


def _change(aim: Aim) -> dict[str, str | None]:
    """One column to NULL: a constant reads nothing, and NOT NULL stops the statement before it writes.

    A column outside all keys and partition bounds, if there is one; failing that, what says whose row it
    is, set to what it is.
    """
    target = aim.target
    table = target.table
    busy = {c for k in table.constraints if k.kind not in ("check", "not_null") for c in k.columns}
    busy |= {c for i in table.indexes for c in i.key_columns} | set(table.partition_key)
    fit = [c for c in table.columns if not c.generated and c.identity != "a" and c.name not in target.border]
    fit.sort(key=lambda c: (c.name not in target.rights.update, c.name in busy, not c.not_null))
    return {fit[0].name: None} if fit else {c: aim.row[c] for c in target.border}

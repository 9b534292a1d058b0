"""Deleting another tenant's rows."""

from __future__ import annotations

from tenantry.attacks.lab import TRIPWIRE, Lab
from tenantry.attacks.target import Aim, Target
from tenantry.attacks.verdict import matrix
from tenantry.finding import Outcome

NAME = "delete"
WHY = "A tenant, or a session without one, deletes rows of another tenant; a DELETE that reads no column skips the SELECT policy."
SABOTAGE = ("CREATE POLICY sabotage ON {table} FOR DELETE USING (true)",)
REPAIR = ("DROP POLICY sabotage ON {table}",)


def applies(target: Target) -> bool:
    """To every table but the trail, which has its own attack."""
    return target.kind != "trail"


def run(lab: Lab, aim: Aim) -> Outcome:
    """Without WHERE where no row is owned; the victim's rows by their tenant as another one."""
    sql, rights = aim.target.sql, aim.target.rights
    return matrix(
        lab,
        aim,
        NAME,
        blind=f"DELETE FROM {sql} {TRIPWIRE}",
        aimed=f"DELETE FROM {sql} WHERE {aim.where} {TRIPWIRE}",
        allowed=rights.select and "DELETE" in rights.words,
    )

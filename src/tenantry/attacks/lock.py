"""Locking another tenant's rows."""

from __future__ import annotations

from tenantry.attacks import forms
from tenantry.attacks.lab import Lab
from tenantry.attacks.target import Aim, Target
from tenantry.attacks.verdict import matrix
from tenantry.finding import Outcome

NAME = "lock"
WHY = "A tenant locks rows of another tenant: nobody can change them while it likes."
WRITES = False
SABOTAGE = (
    "CREATE POLICY sabotage ON {table} FOR SELECT USING (true)",
    "CREATE POLICY sabotage_too ON {table} FOR UPDATE USING (true)",
)
REPAIR = ("DROP POLICY sabotage ON {table}", "DROP POLICY sabotage_too ON {table}")


def applies(target: Target) -> bool:
    """To every table but the trail, whose rows nobody may change."""
    return target.kind != "trail"


def run(lab: Lab, aim: Aim) -> Outcome:
    """FOR UPDATE asks the policies of SELECT and of UPDATE; a row that is reached ends it before it is locked."""
    target = aim.target
    start, rights = f"SELECT 1 FROM {target.sql} WHERE", target.rights
    return matrix(
        lab,
        aim,
        NAME,
        blind=f"{start} {forms.wire(target)} FOR UPDATE",
        aimed=f"{start} {forms.wire(target, aim.where)} FOR UPDATE",
        allowed=rights.select and bool(rights.update),
    )

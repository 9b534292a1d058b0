"""Locking another tenant's rows."""

from __future__ import annotations

from tenantry.attacks import forms
from tenantry.attacks.lab import Lab
from tenantry.attacks.sabotage import opened, shut
from tenantry.attacks.target import Aim, beside_the_trail
from tenantry.attacks.verdict import matrix
from tenantry.finding import Outcome

NAME = "lock"
WHY = "A tenant locks rows of another tenant: nobody can change them while it likes."
WRITES = False
SABOTAGE = opened("SELECT", "UPDATE")
REPAIR = shut("SELECT", "UPDATE")

applies = beside_the_trail


def run(lab: Lab, aim: Aim) -> Outcome:
    """FOR UPDATE asks the policies of SELECT and of UPDATE; a row that is reached ends it before it is locked."""
    target = aim.target
    start, rights = f"SELECT 1 FROM {target.sql} WHERE", target.rights
    return matrix(
        lab,
        aim,
        NAME,
        "UPDATE",
        blind=f"{start} {forms.wire(target)} FOR UPDATE",
        aimed=f"{start} {forms.wire(target, aim.where)} FOR UPDATE",
        allowed=rights.select and bool(rights.update),
    )

"""Reading another tenant's rows."""

from __future__ import annotations

from tenantry.attacks.lab import Lab
from tenantry.attacks.sabotage import opened, shut
from tenantry.attacks.target import Aim, beside_the_trail
from tenantry.attacks.verdict import matrix
from tenantry.finding import Outcome

NAME = "read"
WHY = "A tenant, or a session without one, reads rows of another tenant."
WRITES = False
SABOTAGE = opened("SELECT")
REPAIR = shut("SELECT")

applies = beside_the_trail


def run(lab: Lab, aim: Aim) -> Outcome:
    """Any row where none is owned; rows of the victim as another tenant."""
    sql = aim.target.sql
    return matrix(
        lab,
        aim,
        NAME,
        "SELECT",
        blind=f"SELECT 1 FROM {sql} LIMIT 1",
        aimed=f"SELECT 1 FROM {sql} WHERE {aim.where} LIMIT 1",
        allowed=aim.target.rights.select,
    )

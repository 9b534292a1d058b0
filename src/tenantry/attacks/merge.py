"""Changing another tenant's rows by MERGE."""

from __future__ import annotations

from tenantry.attacks import forms, update
from tenantry.attacks.lab import Lab
from tenantry.attacks.sabotage import opened, shut
from tenantry.attacks.target import Aim, beside_the_trail
from tenantry.attacks.verdict import matrix
from tenantry.finding import Outcome
from tenantry.names import quote

NAME = "merge"
WHY = "MERGE changes rows of another tenant: it asks policies of its own (CVE-2023-39418)."
WRITES = True
SABOTAGE = opened("SELECT", "UPDATE")
REPAIR = shut("SELECT", "UPDATE")

applies = beside_the_trail


def run(lab: Lab, aim: Aim) -> Outcome:
    """Any row where none is owned; the victim's rows as another tenant. A row that is reached raises."""
    target = aim.target
    column = update.column(target)
    change = f"WHEN MATCHED THEN UPDATE SET {quote(column.name)} = {forms.raises(column)}"
    start = f"MERGE INTO {target.sql} USING (SELECT 1 AS one) AS source ON"
    return matrix(
        lab,
        aim,
        NAME,
        "UPDATE",
        blind=f"{start} one = 1 {change}",
        aimed=f"{start} {aim.where} {change}",
        allowed=target.rights.select and column.name in target.rights.update,
    )

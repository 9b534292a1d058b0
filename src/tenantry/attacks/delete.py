"""Deleting another tenant's rows."""

from __future__ import annotations

from tenantry.attacks import forms
from tenantry.attacks.lab import TRIPWIRE, Lab
from tenantry.attacks.sabotage import opened, shut
from tenantry.attacks.target import Aim, beside_the_trail
from tenantry.attacks.verdict import matrix, skipped
from tenantry.finding import Outcome

NAME = "delete"
WHY = "A tenant, or a session without one, deletes rows of another tenant; a DELETE that reads no column skips the SELECT policy."
WRITES = False
SABOTAGE = opened("DELETE")
REPAIR = shut("DELETE")

applies = beside_the_trail


def run(lab: Lab, aim: Aim) -> Outcome:
    """Where no row is owned with and without WHERE; the victim's rows by their tenant as another one."""
    target = aim.target
    if trigger := lab.stays(target, "delete"):
        return skipped(NAME, aim, trigger)
    blind = f"DELETE FROM {target.sql} {TRIPWIRE}"  # writes only where it is a breach
    aimed = f"DELETE FROM {target.sql} WHERE {forms.wire(target, aim.where)}"
    if lab.how.writes:
        aimed = f"DELETE FROM {target.sql} WHERE {aim.where} {TRIPWIRE}"
    allowed = target.rights.select and "DELETE" in target.rights.words
    return matrix(lab, aim, NAME, "DELETE", blind=blind, aimed=aimed, allowed=allowed)

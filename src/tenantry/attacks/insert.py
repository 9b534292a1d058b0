"""Inserting a row that carries another tenant."""

from __future__ import annotations

from tenantry.attacks import forms
from tenantry.attacks.lab import TRIPWIRE, Lab
from tenantry.attacks.sabotage import opened, shut
from tenantry.attacks.target import Aim, beside_the_trail
from tenantry.attacks.verdict import matrix, skipped
from tenantry.finding import Outcome
from tenantry.names import literal, quote

NAME = "insert"
WHY = "A tenant, or a session without one, adds a row to another tenant."
WRITES = False
SABOTAGE = opened("INSERT")
REPAIR = shut("INSERT")

applies = beside_the_trail


def run(lab: Lab, aim: Aim) -> Outcome:
    """The policy's check comes before NOT NULL, CHECK, unique and foreign keys.

    So 42501 is the policy, and 23xxx means that the row got past it.
    """
    target = aim.target
    allowed = target.border <= target.rights.insert
    columns = target.rights.insert if allowed else frozenset(c.name for c in target.table.columns)
    if lab.how.writes:
        statement, shown = _whole(aim, columns)
        return matrix(
            lab, aim, NAME, "INSERT", blind=statement, aimed=statement, allowed=allowed, shown=shown
        )
    if trigger := lab.stays(target, "insert"):
        return skipped(NAME, aim, trigger)
    free = forms.insert(aim, columns) or (None if allowed else forms.unprivileged(aim, "INSERT"))
    if free is None:
        return skipped(NAME, aim, "no NOT NULL column would stop the row before it is written")
    return matrix(lab, aim, NAME, "INSERT", blind=free, aimed=free, allowed=allowed)


def _whole(aim: Aim, columns: frozenset[str]) -> tuple[str, str]:
    """A copy of the victim's row: whole, so that neither a domain nor a trigger refuses it first."""
    target = aim.target
    row = {c.name: aim.row[c.name] for c in target.table.columns if not c.generated and c.name in columns}
    values = ", ".join(literal(v) for v in row.values())
    # The report names the columns and keeps the values of a real row to itself.
    told = ", ".join(literal(v) if c in target.border else "…" for c, v in row.items())
    start = f"INSERT INTO {target.sql} ({', '.join(quote(c) for c in row)}) OVERRIDING SYSTEM VALUE VALUES"
    return f"{start} ({values}) {TRIPWIRE}", f"{start} ({told}) {TRIPWIRE}"

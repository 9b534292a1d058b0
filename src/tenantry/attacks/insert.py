"""Inserting a row that carries another tenant."""

from __future__ import annotations

from tenantry.attacks.lab import TRIPWIRE, Lab
from tenantry.attacks.target import Aim, Target
from tenantry.attacks.verdict import matrix
from tenantry.finding import Outcome
from tenantry.names import literal, quote

NAME = "insert"
WHY = "A tenant, or a session without one, adds a row to another tenant."
SABOTAGE = ("CREATE POLICY sabotage ON {table} FOR INSERT WITH CHECK (true)",)
REPAIR = ("DROP POLICY sabotage ON {table}",)


def applies(target: Target) -> bool:
    """To every table but the trail, which has its own attack."""
    return target.kind != "trail"


def run(lab: Lab, aim: Aim) -> Outcome:
    """A copy of the victim's row: whole, so that neither a domain nor a trigger refuses it first.

    The policy's check comes before NOT NULL, CHECK, unique and foreign keys, so 42501 is the policy and
    23xxx means that the row got past it.
    """
    target = aim.target
    allowed = target.border <= target.rights.insert
    row = {
        c.name: aim.row[c.name]
        for c in target.table.columns
        if not c.generated and (c.name in target.rights.insert or not allowed)
    }
    values = ", ".join(literal(v) for v in row.values())
    # The report names the columns and keeps the values of a real row to itself.
    told = ", ".join(literal(v) if c in target.border else "…" for c, v in row.items())
    start = f"INSERT INTO {target.sql} ({', '.join(quote(c) for c in row)}) OVERRIDING SYSTEM VALUE VALUES"
    statement, shown = (f"{start} ({v}) {TRIPWIRE}" for v in (values, told))
    return matrix(lab, aim, NAME, blind=statement, aimed=statement, allowed=allowed, shown=shown)

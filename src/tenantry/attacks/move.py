"""Moving an own row to another tenant."""

from __future__ import annotations

from dataclasses import replace

from tenantry.attacks import forms
from tenantry.attacks import lab as at
from tenantry.attacks.lab import TRIPWIRE, Lab
from tenantry.attacks.target import Aim, Target, assign, beside_the_trail
from tenantry.attacks.verdict import Try, attempt, control, judge, nothing_to_see, skipped
from tenantry.finding import Outcome

NAME = "move"
WHY = "A tenant gives one of its rows to another tenant; an UPDATE that reads no column skips the SELECT policy."
WRITES = False
SABOTAGE = ("CREATE POLICY sabotage ON {table} FOR UPDATE USING (false) WITH CHECK (true)",)
REPAIR = ("DROP POLICY sabotage ON {table}",)

applies = beside_the_trail


def run(lab: Lab, aim: Aim) -> Outcome:
    """As the row's own tenant, with and without WHERE; the control sets the columns to what they are."""
    target = aim.target
    if not aim.elsewhere:
        why = f"no value of another tenant is to be had for {', '.join(sorted(target.border))}"
        return skipped(NAME, aim, why)
    allowed = target.rights.select and aim.elsewhere.keys() <= target.rights.update
    if aim.empty and allowed:
        return nothing_to_see(NAME, aim)
    if trigger := lab.stays(target, "update"):
        return skipped(NAME, aim, trigger)
    away, stay = _statements(lab, aim, allowed)
    if away is None or stay is None:
        return skipped(NAME, aim, "no NOT NULL column would stop the row before it is written")
    end = f" {TRIPWIRE}" if lab.how.writes else ""
    owner = at.tenant(aim.tenant)
    closed = allowed and "UPDATE" in target.rights.closed
    tries = [
        _read(attempt(lab, owner, statement), target, closed)
        for statement in (f"{away}{end}", f"{away} WHERE {aim.where}{end}")
    ]
    check = control(lab, aim, f"{stay} WHERE {aim.where}{end}", allowed=allowed, closed=closed)
    return judge(lab, NAME, target.label, tries, check)


def _statements(lab: Lab, aim: Aim, allowed: bool) -> tuple[str | None, str | None]:
    """What takes the rows out of their tenant, and the same that leaves them there."""
    target, stay = aim.target, {c: aim.row[c] for c in aim.elsewhere}
    if lab.how.writes:
        start = f"UPDATE {target.sql} SET"
        return f"{start} {assign(aim.elsewhere)}", f"{start} {assign(stay)}"
    columns = target.rights.update if allowed else frozenset(c.name for c in target.table.columns)
    away = forms.move(target, aim.elsewhere, columns)
    if away is None and not aim.elsewhere.keys() <= target.rights.update:
        away = forms.unprivileged(aim, "UPDATE")
        return away, away
    return away, forms.move(target, stay, columns)


def _read(found: Try, target: Target, closed: bool) -> Try:
    """A row that was found and not let go: by a trigger, or by the bound of the partition it is in.

    ``closed``: that none is found is what is expected.
    """
    result = found.result
    if result.sqlstate == "P0001":
        return replace(found, meaning="refused")
    if result.sqlstate == "23514" and not result.constraint:  # no CHECK constraint: a partition's bound
        return replace(found, meaning="refused" if target.table.partition_of else "unclear")
    if not result.sqlstate and not result.rows and not closed:
        return replace(found, meaning="unclear")  # nothing was found, so nothing was refused
    return found

"""Copying another tenant's rows out, and copying rows in past the policies."""

from __future__ import annotations

from tenantry.attacks import lab as at
from tenantry.attacks.lab import Lab, Result
from tenantry.attacks.target import Aim, beside_the_trail
from tenantry.attacks.verdict import Meaning, Try, attempt, control, judge, nothing_to_see
from tenantry.finding import Outcome
from tenantry.names import columns

NAME = "copy"
WHY = "COPY hands out rows of another tenant, or takes rows in without asking the policies."
WRITES = True
SABOTAGE = ("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",)
REPAIR = ("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",)

_REFUSED = ("0A000", "42501")  # not under row level security; no privilege

applies = beside_the_trail


def run(lab: Lab, aim: Aim) -> Outcome:
    """Out: any row where none is owned. In, without a row: the server refuses it on any table with policies."""
    target = aim.target
    if aim.empty and target.rights.select:
        return nothing_to_see(NAME, aim)
    plain = [c.name for c in target.table.columns if not c.generated]
    given = [c for c in plain if c in target.rights.insert] or plain
    named = columns([c for c in plain if c in target.rights.columns] or plain)
    # Of a table with parts, COPY itself reads none of them.
    what = f"(SELECT {named} FROM {target.sql})" if target.parts else f"{target.sql} ({named})"
    out = f"COPY {what} TO STDOUT"
    into = f"COPY {target.sql} ({columns(given)}) FROM STDIN"
    tries = [attempt(lab, context, out) for context in lab.nobody]
    with lab.as_app(at.tenant(aim.tenant)) as run_:
        result = run_(into)
    tries.append(Try(at.tenant(aim.tenant), into, result, _read(result)))
    rights = target.rights
    check = control(lab, aim, out, allowed=rights.select, closed="SELECT" in rights.closed)
    return judge(lab, NAME, target.label, tries, check)


def _read(result: Result) -> Meaning:
    if not result.sqlstate:
        return "reached"
    return "refused" if result.sqlstate in _REFUSED else "unclear"

"""Emptying a table: no policy is asked."""

from __future__ import annotations

from tenantry.attacks import lab as at
from tenantry.attacks.lab import Lab, Result
from tenantry.attacks.target import Aim, beside_the_trail
from tenantry.attacks.verdict import Control, Meaning, Try, judge
from tenantry.finding import Outcome

NAME = "truncate"
WHY = "TRUNCATE removes the rows of every tenant; row level security does not bind it."
WRITES = True
SABOTAGE = ("GRANT TRUNCATE ON {table} TO PUBLIC",)
REPAIR = ("REVOKE TRUNCATE ON {table} FROM PUBLIC",)

_REFERENCED = "0A000"  # only a foreign key stands in the way, and CASCADE takes it away
_REFUSED = ("42501", "P0001")  # no privilege; a trigger

applies = beside_the_trail


def run(lab: Lab, aim: Aim) -> Outcome:
    """As the application; the control is the administrator's, both rolled back."""
    statement = f"TRUNCATE {aim.target.sql}"
    owner = at.tenant(aim.tenant)
    with lab.as_app(owner) as run_:
        result = run_(statement)
    with lab.as_admin() as run_:
        check = run_(statement)
    fired = check.sqlstate in ("", _REFERENCED, "P0001")
    tries = [Try(owner, statement, result, _read(result))]
    return judge(lab, NAME, aim.target.label, tries, Control(check, fired))


def _read(result: Result) -> Meaning:
    if result.sqlstate in ("", _REFERENCED):
        return "reached"
    return "refused" if result.sqlstate in _REFUSED else "unclear"

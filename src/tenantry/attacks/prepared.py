"""Running, as another tenant, a statement that was planned for the first one."""

from __future__ import annotations

from dataclasses import replace

from tenantry.attacks import lab as at
from tenantry.attacks.lab import Context, Lab, Result
from tenantry.attacks.target import Aim, beside_the_trail
from tenantry.attacks.verdict import Control, Try, control, judge, meaning, nothing_to_see
from tenantry.finding import Outcome

NAME = "prepared"
WHY = "A tenant constant-folded into a cached plan (an IMMUTABLE helper in the policy) gives the next tenant its rows."
WRITES = False
SABOTAGE = (
    "CREATE FUNCTION sabotage() RETURNS text LANGUAGE plpgsql IMMUTABLE "
    "AS $$ BEGIN RETURN current_setting('{setting}', true); END $$",
    "CREATE POLICY sabotage ON {table} FOR SELECT USING ({tenant} = sabotage())",
)
REPAIR = ("DROP POLICY sabotage ON {table}", "DROP FUNCTION sabotage()")

_GENERIC = "SET LOCAL plan_cache_mode = force_generic_plan"
_NAME = "tenantry_probe"
_EXECUTE = f"EXECUTE {_NAME}"

applies = beside_the_trail


def run(lab: Lab, aim: Aim) -> Outcome:
    """The plan is made and used as the tenant (the control), then used as a tenant that no row has.

    Once as the server chooses, once with a plan that it must reuse.
    """
    if aim.empty and aim.target.rights.select:
        return nothing_to_see(NAME, aim)
    query = f"SELECT 1 FROM {aim.target.sql} LIMIT 1"
    ghost = lab.nobody[0]
    answers = [_reused(lab, aim, query, ghost, mode) for mode in ((), (_GENERIC,))]
    rights = aim.target.rights
    first = next((f for f, _ in answers if f.sqlstate or not f.rows), answers[0][0])
    check = Control(first, first.rows > 0)
    if not rights.select or "SELECT" in rights.closed:
        check = control(lab, aim, query, allowed=rights.select, closed="SELECT" in rights.closed)
    found = judge(lab, NAME, aim.target.label, [Try(ghost, query, s, meaning(s)) for _, s in answers], check)
    if not found.sql:
        return found
    lines = (_GENERIC, f"PREPARE {_NAME} AS {query}", _EXECUTE, lab.switch(ghost), _EXECUTE)
    return replace(found, sql=lab.replay(at.tenant(aim.tenant), "; ".join(lines)))


def _reused(lab: Lab, aim: Aim, query: str, ghost: Context, mode: tuple[str, ...]) -> tuple[Result, Result]:
    """What the statement gave the tenant, and what it then gave the ghost.

    A ROLLBACK leaves a prepared statement; behind a pooler only this transaction can drop it.
    """
    with lab.as_app(at.tenant(aim.tenant)) as run_:
        for statement in mode:
            run_(statement)
        planned = run_(f"PREPARE {_NAME} AS {query}")
        if planned.sqlstate:
            return planned, planned
        run_("SAVEPOINT prepared")
        first = run_(_EXECUTE)
        second = first
        if not first.sqlstate:
            run_(lab.switch(ghost))
            second = run_(_EXECUTE)
        run_("ROLLBACK TO SAVEPOINT prepared")
        run_(f"DEALLOCATE {_NAME}")
        return first, second

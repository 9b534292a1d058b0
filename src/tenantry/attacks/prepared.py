"""Running, as another tenant, a statement that was planned for the first one."""

from __future__ import annotations

from dataclasses import replace

from tenantry.attacks import lab as at
from tenantry.attacks.lab import Lab
from tenantry.attacks.target import Aim, Target
from tenantry.attacks.verdict import Control, Try, control, judge, meaning, nothing_to_see
from tenantry.finding import Outcome

NAME = "prepared"
WHY = "A tenant constant-folded into a cached plan (an IMMUTABLE helper in the policy) gives the next tenant its rows."
SABOTAGE = (
    "CREATE FUNCTION sabotage() RETURNS text LANGUAGE plpgsql IMMUTABLE "
    "AS $$ BEGIN RETURN current_setting('{setting}', true); END $$",
    "CREATE POLICY sabotage ON {table} FOR SELECT USING ({tenant} = sabotage())",
)
REPAIR = ("DROP POLICY sabotage ON {table}", "DROP FUNCTION sabotage()")

_GENERIC = "SET LOCAL plan_cache_mode = force_generic_plan"
_EXECUTE = "EXECUTE tenantry_probe"


def applies(target: Target) -> bool:
    """To every table but the trail, which has its own attack."""
    return target.kind != "trail"


def run(lab: Lab, aim: Aim) -> Outcome:
    """The plan is made and used as the tenant (the control), then used as a tenant that no row has."""
    if aim.empty and aim.target.rights.select:
        return nothing_to_see(NAME, aim)
    query = f"SELECT 1 FROM {aim.target.sql} LIMIT 1"
    ghost = lab.nobody[0]
    try:
        with lab.as_app(at.tenant(aim.tenant)) as run_:
            run_(_GENERIC)
            planned = run_(f"PREPARE tenantry_probe AS {query}")
            first = planned if planned.sqlstate else run_(_EXECUTE)
            if not first.sqlstate:
                run_(lab.switch(ghost))
            second = first if first.sqlstate else run_(_EXECUTE)
    finally:
        lab.close_plans()
    check = Control(first, first.rows > 0)
    if not aim.target.rights.select:
        check = control(lab, aim, query, allowed=False)
    found = judge(lab, NAME, aim.target.label, [Try(ghost, query, second, meaning(second))], check)
    if not found.sql:
        return found
    lines = (_GENERIC, f"PREPARE tenantry_probe AS {query}", _EXECUTE, lab.switch(ghost), _EXECUTE)
    return replace(found, sql=lab.replay(at.tenant(aim.tenant), "; ".join(lines)))

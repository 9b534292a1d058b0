"""Changing what protects a table."""

from __future__ import annotations

from tenantry.attacks import lab as at
from tenantry.attacks.lab import Lab, Result
from tenantry.attacks.target import Aim, Target
from tenantry.attacks.verdict import Control, Meaning, Try, attempt, judge, ran
from tenantry.finding import Outcome
from tenantry.names import quote

NAME = "alter"
WHY = "The application switches row level security off, adds a policy or a trigger, or drops the table."
WRITES = True
SABOTAGE = ("GRANT TRIGGER ON {table} TO PUBLIC",)
REPAIR = ("REVOKE TRIGGER ON {table} FROM PUBLIC",)

_REFUSED = ("42501", "P0001")  # not the owner; an event trigger
_DEPENDED_ON = "2BP01"  # it may, but for something that hangs on it


def applies(target: Target) -> bool:
    """To every table."""
    return True


def run(lab: Lab, aim: Aim) -> Outcome:
    """Each must be refused; the control is the administrator's, or what an event trigger says to it."""
    target, owner = aim.target, at.tenant(aim.tenant)
    statements = _statements(target)
    tries = [attempt(lab, owner, statement) for statement in statements]
    tries = [Try(t.context, t.statement, t.result, _read(t.result)) for t in tries]
    with lab.as_admin() as run_:
        check = run_(statements[0])
    return judge(lab, NAME, target.label, tries, Control(check, ran(lab, check)))


def _statements(target: Target) -> list[str]:
    table = f"ALTER TABLE {target.sql}"
    return [
        f"{table} DISABLE ROW LEVEL SECURITY",
        f"{table} NO FORCE ROW LEVEL SECURITY",
        f"{table} DISABLE TRIGGER USER",
        f"{table} OWNER TO CURRENT_USER",
        f"CREATE POLICY tenantry_probe ON {target.sql} USING (true)",
        *(f"DROP POLICY {quote(p.name)} ON {target.sql}" for p in target.table.policies[:1]),
        f"CREATE TRIGGER tenantry_probe BEFORE UPDATE ON {target.sql} "
        "FOR EACH ROW EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()",
        f"DROP TABLE {target.sql}",
    ]


def _read(result: Result) -> Meaning:
    if result.sqlstate in ("", _DEPENDED_ON):
        return "reached"
    return "refused" if result.sqlstate in _REFUSED else "unclear"

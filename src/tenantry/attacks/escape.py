"""Becoming somebody whom row level security does not bind."""

from __future__ import annotations

from collections.abc import Iterator

from tenantry.attacks.lab import UNSET, Lab
from tenantry.attacks.reach import Reach
from tenantry.attacks.verdict import Control, attempt, judge
from tenantry.finding import Outcome
from tenantry.names import quote

NAME = "escape"
WHY = "The application takes another role, or switches off triggers and foreign keys."
WRITES = False
SABOTAGE = ("GRANT SET ON PARAMETER session_replication_role TO PUBLIC",)
REPAIR = ("REVOKE SET ON PARAMETER session_replication_role FROM PUBLIC",)

_REPLICA = "SET LOCAL session_replication_role = replica"


def run(lab: Lab, reach: Reach) -> Iterator[Outcome]:
    """As the application on a new connection; the control is the administrator's.

    Roles are tried through the application's own login only: whoever took its role by SET ROLE may take any other.
    """
    free = {t.owner for t in reach.catalog.tables} | {
        r.name for r in reach.catalog.roles if r.superuser or r.bypass_rls
    }
    names = () if lab.assume else sorted(free - {lab.role})
    tries = [attempt(lab, UNSET, s) for s in (_REPLICA, *(f"SET LOCAL ROLE {quote(n)}" for n in names))]
    tries = [t.ran() for t in tries]
    with lab.as_admin() as run_:
        check = run_(_REPLICA)
    note = "" if not check.sqlstate else "the administrator may not either"
    fired = not check.sqlstate or any(t.result.sqlstate == "42501" for t in tries)
    yield judge(lab, NAME, lab.role, tries, Control(check, fired, note))

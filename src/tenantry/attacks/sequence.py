"""Setting back a sequence that other tenants draw from."""

from __future__ import annotations

from collections.abc import Iterator

from tenantry.attacks.lab import UNSET, Lab
from tenantry.attacks.reach import Reach
from tenantry.attacks.verdict import Control, attempt, judge
from tenantry.finding import Outcome
from tenantry.names import display, literal, qualified

NAME = "sequence"
WHY = "The application sets a sequence back: other tenants' next rows collide with rows that are there."
WRITES = True
SABOTAGE = ("CREATE SEQUENCE sabotage", "GRANT UPDATE ON SEQUENCE sabotage TO PUBLIC")
REPAIR = ("DROP SEQUENCE sabotage",)


def run(lab: Lab, reach: Reach) -> Iterator[Outcome]:
    """To the value that it has already; the control is the administrator's."""
    for sequence in reach.catalog.sequences:
        name = qualified(sequence.qname)
        last = lab.look(f"SELECT last_value, is_called FROM {name}")
        if last is None:
            continue
        statement = f"SELECT pg_catalog.setval({literal(name)}, {last[0]}, {str(last[1]).lower()})"
        with lab.as_admin() as run_:
            check = run_(statement)
        tries = [attempt(lab, UNSET, statement)]
        yield judge(lab, NAME, display(sequence.qname), tries, Control(check, bool(check.rows)))

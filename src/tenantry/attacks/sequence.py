"""Setting back a sequence that other tenants draw from."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tenantry.attacks.lab import UNSET, Lab
from tenantry.attacks.reach import Reach
from tenantry.attacks.verdict import Control, attempt, judge, looked
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
        label = display(sequence.qname)
        yield looked(NAME, label, partial(_one, lab, qualified(sequence.qname), label))


def _one(lab: Lab, name: str, label: str) -> Outcome:
    row = lab.look(f"SELECT last_value, is_called FROM {name}")
    assert row is not None  # a sequence has one row
    last, called = row
    statement = f"SELECT pg_catalog.setval({literal(name)}, {last}, {str(called).lower()})"
    with lab.as_admin() as run_:
        check = run_(statement)
    tries = [attempt(lab, UNSET, statement)]
    return judge(lab, NAME, label, tries, Control(check, bool(check.rows)))

"""Making objects where others look for theirs."""

from __future__ import annotations

from collections.abc import Iterator

from tenantry.attacks.lab import UNSET, Lab
from tenantry.attacks.reach import Reach
from tenantry.attacks.verdict import Control, attempt, judge, ran
from tenantry.finding import Outcome
from tenantry.names import QName, qualified

NAME = "create"
WHY = (
    "The application puts an object into a schema in which others resolve names, and runs with their rights."
)
WRITES = True
SABOTAGE = ("GRANT CREATE ON SCHEMA public TO PUBLIC",)
REPAIR = ("REVOKE CREATE ON SCHEMA public FROM PUBLIC",)


def run(lab: Lab, reach: Reach) -> Iterator[Outcome]:
    """One table in each schema; the control is the administrator's."""
    for schema in reach.catalog.schemas:
        statement = f"CREATE TABLE {qualified(QName(schema.name, 'tenantry_probe'))} ()"
        with lab.as_admin() as run_:
            check = run_(statement)
        tries = [attempt(lab, UNSET, statement).ran()]
        yield judge(lab, NAME, schema.name, tries, Control(check, ran(lab, check)))

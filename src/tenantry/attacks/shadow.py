"""Getting a temporary table of the client before, through the application's pooler."""

from __future__ import annotations

from collections.abc import Iterator

from tenantry.attacks.lab import UNSET, Lab
from tenantry.attacks.pooler import handed_on
from tenantry.attacks.reach import Reach
from tenantry.attacks.verdict import Control, attempt, judge, ran
from tenantry.finding import Outcome

NAME = "shadow"
WHY = "A temporary table stays for the next client: it takes the place of the real one, and its rows are there to be read."
WRITES = True
SABOTAGE = ()  # a pooler's settings are not in the database: the self-test starts poolers of both kinds
REPAIR = ()

_TABLE = "pg_temp.tenantry_probe"  # no name of a real table: nothing may be lost in it meanwhile
_MAKE = f"CREATE TABLE {_TABLE} ()"
_FIRST = "(pg_catalog.current_schemas(true))[1] LIKE 'pg\\_temp\\_%'"


def run(lab: Lab, reach: Reach) -> Iterator[Outcome]:
    """One client makes a temporary table and leaves; the next ones look for it. No pooler: no outcome.

    Where the application may make none, that is what protects it.
    """
    if lab.how.pooler_dsn is None:
        return
    made = attempt(lab, UNSET, _MAKE).ran()
    if made.meaning != "reached":
        with lab.as_admin() as run_:
            check = run_(_MAKE)
        yield judge(lab, NAME, "pooler", [made], Control(check, ran(lab, check)))
        return
    where = f"CASE WHEN {_FIRST} THEN 'before' ELSE 'after' END"
    yield from handed_on(
        lab,
        NAME,
        leave=_MAKE,
        ask=f"SELECT {where} FROM pg_catalog.to_regclass('{_TABLE}') AS t WHERE t IS NOT NULL",
        clear=f"DROP TABLE IF EXISTS {_TABLE}",
        told="the next client has its temporary table, and finds it, measured by real tables, ",
    )

"""Reading large objects: they have owners, and no row level security."""

from __future__ import annotations

from collections.abc import Iterator

from tenantry.attacks.lab import Lab
from tenantry.attacks.reach import Reach
from tenantry.attacks.verdict import Control, attempt, judge
from tenantry.finding import Outcome

NAME = "large"
WHY = "The application reads a large object, whichever tenant it is of."
WRITES = False
SABOTAGE = ("SELECT lo_from_bytea(424242, 'x')", "GRANT SELECT ON LARGE OBJECT 424242 TO PUBLIC")
REPAIR = ("SELECT lo_unlink(424242)",)


def run(lab: Lab, reach: Reach) -> Iterator[Outcome]:
    """The first of each owner, where nobody's session is; the control is the administrator's. No objects: no outcome."""
    query = "SELECT min(oid) FROM pg_catalog.pg_largeobject_metadata GROUP BY lomowner, lomacl ORDER BY 1"
    for (oid,) in lab.admin.conn.execute(query.encode()).fetchall():
        statement = f"SELECT 1 FROM pg_catalog.lo_get({oid})"
        tries = [attempt(lab, context, statement) for context in lab.nobody]
        with lab.as_admin() as run_:
            check = run_(statement)
        yield judge(lab, NAME, f"large object {oid}", tries, Control(check, bool(check.rows)))

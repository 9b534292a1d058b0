"""Foreign keys that hold by the catalog and not by the rows: validated by somebody whom policies hid the rows from."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from tenantry.attacks import plan
from tenantry.attacks.lab import Context, Lab, Result
from tenantry.attacks.reach import Reach
from tenantry.attacks.target import Target
from tenantry.attacks.verdict import Control, Try, judge, unlooked, worst
from tenantry.catalog import Constraint
from tenantry.finding import Outcome
from tenantry.names import quote

NAME = "orphan"
WHY = "A foreign key is valid by the catalog, and rows refer to nothing, or to another tenant's row."
WRITES = False
_PLACE = (
    "(ctid::text::point)[0]::bigint * 10000 + (ctid::text::point)[1]::bigint"  # of the row: page and line
)
# A key that comes in while its triggers rest; the last row of the table refers to nothing.
SABOTAGE = (
    "ALTER TABLE {table} ADD COLUMN sabotage bigint, ADD COLUMN sabotage_id bigint",
    "ALTER TABLE {table} ADD UNIQUE (sabotage)",
    "ALTER TABLE {table} ADD FOREIGN KEY (sabotage_id) REFERENCES {table} (sabotage)",
    "SET session_replication_role = replica",
    f"UPDATE {{table}} SET sabotage = {_PLACE}, sabotage_id = {_PLACE}",
    "UPDATE {table} SET sabotage_id = 0 WHERE ctid = (SELECT max(ctid) FROM {table})",
    "RESET session_replication_role",
)
REPAIR = ("ALTER TABLE {table} DROP COLUMN sabotage CASCADE, DROP COLUMN sabotage_id CASCADE",)

_ADMINISTRATOR = Context("the administrator", None, role="")


def run(lab: Lab, reach: Reach) -> Iterator[Outcome]:
    """The foreign keys from each table of tenants to others; of keys that no row uses there is nothing to say."""
    for target in lab.targets.values():
        try:
            found = [
                o for fk, parent in _keys(lab, target) if (o := _one(lab, target, fk, parent)) is not None
            ]
        except psycopg.Error as error:
            yield unlooked(NAME, target.label, error)
            continue
        if found:
            yield worst(found)


def _keys(lab: Lab, target: Target) -> Iterator[tuple[Constraint, Target]]:
    for fk in target.table.foreign_keys:
        parent = lab.targets.get(fk.references) if fk.references else None
        if parent is not None and fk.enforced and fk.validated and not fk.inherited:
            yield fk, parent


def _one(lab: Lab, target: Target, fk: Constraint, parent: Target) -> Outcome | None:
    """As the administrator sees the rows; the control is that the same join finds those that refer as they should."""
    pairs = list(zip(fk.columns, fk.referenced, strict=True))
    same = " AND ".join(f"p.{quote(theirs)} = c.{quote(ours)}" for ours, theirs in pairs)
    given = " AND ".join(f"c.{quote(ours)} IS NOT NULL" for ours, _ in pairs)
    mine = f"SELECT FROM {parent.sql} AS p WHERE {same}"
    if target.kind != "tenants" and parent.kind != "tenants":
        mine += f" AND {parent.owner('p')} IS NOT DISTINCT FROM {target.owner('c')}"
    start = f"SELECT 1 FROM {target.sql} AS c WHERE {given} AND"
    bad = f"{start} NOT EXISTS ({mine}) LIMIT 1"
    if not lab.how.writes and (cost := _cost(lab, bad)) > lab.how.costly:
        told = f"{fk.name}: looking at every row is too dear (cost {cost:.0f})"
        return Outcome(NAME, target.label, "skipped", detail=told)
    wrong, right = lab.look(bad) is not None, lab.look(f"{start} EXISTS ({mine}) LIMIT 1") is not None
    if not wrong and not right:
        return None
    told = f"{fk.name}: a row refers to nothing, or to a row of another tenant" if wrong else ""
    tried = Try(_ADMINISTRATOR, bad, Result(int(wrong), message=told), "reached" if wrong else "refused")
    return judge(lab, NAME, target.label, [tried], Control(Result(int(right)), bool(right)))


def _cost(lab: Lab, statement: str) -> float:
    with lab.as_admin() as run_:
        return plan.cost(run_(plan.EXPLAIN + statement))

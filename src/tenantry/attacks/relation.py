"""Reading tenants' rows through views, materialized views, foreign tables and tables that nobody has classified."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from tenantry.attacks import plan
from tenantry.attacks.aim import residents
from tenantry.attacks.lab import Lab, Result, tenant
from tenantry.attacks.reach import Reach, Relation
from tenantry.attacks.verdict import Control, Try, attempt, cells, judge, looked
from tenantry.finding import Outcome

NAME = "relation"
WHY = "A view, a materialized view or a table that nobody thought of shows rows of another tenant."
WRITES = False
SABOTAGE = ("CREATE VIEW sabotage AS SELECT * FROM {table}", "GRANT SELECT ON sabotage TO PUBLIC")
REPAIR = ("DROP VIEW sabotage",)

_DECLARED = ("shared", "ignored")  # by the spec; the proof says that it did not look at them


def run(lab: Lab, reach: Reach) -> Iterator[Outcome]:
    """Each that the application may read and that the spec does not set aside."""
    for relation in reach.relations:
        if not relation.columns or relation.scope in _DECLARED:
            continue
        if relation.kind == "view" and not relation.tenants:
            continue
        yield looked(NAME, relation.label, partial(_one, lab, relation))


def _one(lab: Lab, relation: Relation) -> Outcome:
    # All columns of a view: what it computes may fail, or call.
    query = f"SELECT {'*' if relation.kind == 'view' else '1'} FROM {relation.sql} LIMIT 1"
    tries = [attempt(lab, context, query) for context in lab.nobody]
    seen = _seen(lab, query)
    base = Outcome(NAME, relation.label, "error", len(tries) + 1, bool(seen.rows), cells=cells(tries))
    open_ = any(t.meaning == "reached" for t in tries)
    if relation.kind == "view":
        return _view(lab, relation, tries, seen)
    if any(t.meaning == "unclear" for t in tries) or not open_:
        return judge(lab, NAME, relation.label, tries, Control(seen, bool(seen.rows)))
    if relation.kind == "materialized view" and relation.tenants:
        return judge(lab, NAME, relation.label, tries, Control(seen, True))
    said = "it shows rows to sessions without a tenant, and nothing says whose they are"
    return replace(
        base, cells=(), detail=f"{relation.kind}: {said}; declare it shared or ignored in a spec, or --shared"
    )


def _seen(lab: Lab, query: str) -> Result:
    """The control: a tenant that has rows sees some, or the administrator does."""
    for key in residents(lab):
        found = attempt(lab, tenant(key), query).result
        if found.rows:
            return found
    with lab.as_admin() as run_:
        return run_(query)


def _view(lab: Lab, relation: Relation, tries: list[Try], seen: Result) -> Outcome:
    """A view is judged by the plan that the application gets: each scan below must ask whose row it is.

    Rows that nobody's session sees are then an aggregate's, not another tenant's.
    """
    ghost = lab.nobody[0]
    statements = [f"SELECT * FROM {relation.sql}"] if len(relation.columns) else []
    with lab.as_app(ghost) as run_:
        planned = [plan.planned(lab.targets.values(), ghost, s, run_) for s in statements]
    failed = [t for t in tries if t.meaning == "unclear"]
    ran = Control(seen, bool(seen.rows))
    if any(t.meaning != "refused" for t in planned) or failed:
        return judge(lab, NAME, relation.label, [*planned, *failed], replace(ran, fired=True))
    if not any(t.meaning == "reached" for t in tries):
        return judge(lab, NAME, relation.label, [*tries, *planned], ran)
    found = judge(lab, NAME, relation.label, planned, ran)
    if found.status == "held" and plan.calls(planned[0].result):
        return replace(
            found, status="error", detail="it calls functions and shows rows to sessions without a tenant"
        )
    return found

"""A plan's steps as a revision holds them: what a new and empty table does not need is left out."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import groupby

from tenantry import ddl
from tenantry.catalog import Catalog
from tenantry.names import QName, display, quote
from tenantry.plan import Backfill, Change, Plan

_EMPTY = "The table is empty: its keys have nothing to check, and the check would ask for all rows of others."


def forward(plan: Plan, after: Catalog, made: Collection[QName], *, strict: bool) -> list[tuple[str, str]]:
    """The statements, each with why above the first of a step; ``made`` are the tables that the revision makes.

    ``strict``: the migration's session has row_security = off, under which an owner's foreign keys fail to be checked.
    """
    new = _labels(after, made)
    lifts = [{ddl.row_security(t.qname, act) for act in ("NO FORCE", "FORCE")} for t in after.tables]
    found: list[tuple[str, str]] = []
    for is_new, steps in groupby(plan, key=lambda step: step.object in new):
        texts = [pair for step in steps for pair in _texts(step, lifts if is_new else [])]
        if is_new and strict:
            texts = [("SET LOCAL row_security = on", _EMPTY), *texts, ("SET LOCAL row_security = off", "")]
        found += texts
    return found


def _texts(step: Change | Backfill, lifts: list[set[str]]) -> Iterator[tuple[str, str]]:
    """A step's statements. With no row to check, lifting FORCE for a check would only lock other tables."""
    if lifts and step.id.endswith(".analyze"):
        return
    spare = {text for pair in lifts if pair <= set(step.apply) for text in pair}
    for number, text in enumerate(text for text in step.apply if text not in spare):
        yield text, step.why if number == 0 else ""


def back(
    plan: Plan, final: Catalog, made: Collection[QName], changed: Collection[QName]
) -> tuple[list[str], list[str]]:
    """What undoes the steps before the revision's own operations are undone, and what after it.

    What is on a new table goes with it. What was added to an old one for a new one to refer to stays until then.
    """
    new, old = _labels(final, made), {display(name) for name in changed}
    keys = {
        quote(key.referenced_index)
        for name in made
        for key in final.by_name[name].foreign_keys
        if key.referenced_index
    }
    early: list[str] = []
    late: list[str] = []
    for step in reversed(plan.steps):
        if step.object not in new:
            carries = any(key in text for key in keys for text in step.apply)
            (early if step.object in old and not carries else late).extend(step.revert)
    return early, late


def _labels(catalog: Catalog, made: Collection[QName]) -> set[str]:
    """The names of new tables, and of the sequences that go with them."""
    sequences = (s.qname for s in catalog.sequences if s.table in made)
    return {display(name) for name in (*made, *sequences)}

"""A plan for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tenantry.plan import Backfill, Change, Lock, Phase, Plan

_TITLES = {
    Phase.TENANTS: "tenants: the table that tenant columns point at",
    Phase.COLUMNS: "columns: the tenant column",
    Phase.BACKFILL: "backfill: existing rows get their tenant",
    Phase.ENFORCE: "enforce: NOT NULL, keys, indexes, row level security",
    Phase.AUDIT: "audit: the trail",
    Phase.HARDEN: "harden: what the first phases leave open",
    Phase.OBSERVE: "observe: policies in place that hide nothing yet, and record what they would have hidden",
    Phase.CUTOVER: "cutover: the policies decide; old code without a tenant stops working here",
}


def size(count: int) -> str:
    """Bytes for people."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1024:
            return f"{value:.0f} {unit}"
        value /= 1024
    return f"{value:.1f} TB"


def to_text(plan: Plan, *, sql: bool = False) -> str:
    """One screen per phase: each step with its lock, its size and why; with ``sql`` the statements too."""
    return "\n".join(_lines(plan, sql)) + "\n"


def _lines(plan: Plan, sql: bool) -> Iterator[str]:
    if not plan:
        yield "Nothing to do: the database is in the declared state."
    else:
        yield f"{len(plan.steps)} steps, profile {plan.profile}:"
    for phase in Phase:
        steps = plan.phase(phase)
        if not steps:
            continue
        yield ""
        yield _TITLES[phase]
        for step in steps:
            yield from _step(step, sql)
    if plan.notes:
        yield ""
        yield "To know:"
        yield from (f"  - {note}" for note in plan.notes)


def _step(step: Change | Backfill, sql: bool) -> Iterator[str]:
    marks = []
    if step.lock is not Lock.NONE:
        marks.append(f"lock {step.lock}")
    if step.rows or step.bytes:
        marks.append(f"about {step.rows} rows, {size(step.bytes)}")
    if not step.transactional:
        marks.append("outside a transaction")
    if isinstance(step, Backfill):
        marks.append("in batches")
    if step.destructive:
        marks.append("reverting it loses data")
    yield f"  {step.id}" + (f"  [{'; '.join(marks)}]" if marks else "")
    yield f"      {step.why}"
    if sql:
        for statement in step.apply:
            yield from (f"      {line}" for line in (statement + ";").splitlines())


def to_json(plan: Plan) -> str:
    """The plan's own JSON, and what a pipeline asks first: is anything pending?"""
    document = {
        "version": 1,
        "pending": len(plan.steps),
        "digest": plan.digest,
        "plan": json.loads(plan.to_json()),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

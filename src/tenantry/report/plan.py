"""A plan for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from tenantry.counts import counted
from tenantry.estimate import Estimate, Total, estimates, total
from tenantry.plan import Backfill, Change, Lock, Phase, Plan
from tenantry.progress import duration

TITLES = {
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


def span(seconds: float) -> str:
    """Seconds for people, from milliseconds on."""
    if seconds < 0.1:
        return f"{1000 * seconds:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 10 else duration(seconds)


def to_text(plan: Plan, *, sql: bool = False) -> str:
    """One screen per phase: each step with its lock, its size, its time and why; with ``sql`` the statements too."""
    return "\n".join(_lines(plan, sql)) + "\n"


def _lines(plan: Plan, sql: bool) -> Iterator[str]:
    found = estimates(plan)
    if not plan:
        yield "Nothing to do: the database is in the declared state."
    else:
        yield f"{counted(len(plan.steps), 'step')}, profile {plan.profile}:"
    for phase in Phase:
        steps = [(step, took) for step, took in zip(plan, found, strict=True) if step.phase is phase]
        if not steps:
            continue
        yield ""
        yield heading(phase, [took for _, took in steps])
        for step, took in steps:
            yield from _step(step, took, sql)
    if plan:
        yield ""
        yield f"Time, roughly: {told(total(found))}."
    if plan.notes:
        yield ""
        yield "To know:"
        yield from (f"  - {note}" for note in plan.notes)


def heading(phase: Phase, found: Sequence[Estimate | None]) -> str:
    """What a phase is about, and its time if that is worth a word."""
    seconds = total(found).seconds
    return TITLES[phase] + (f" (about {span(seconds)})" if seconds >= 1 else "")


def told(sum_: Total) -> str:
    """A sum of estimates in words."""
    text = (
        f"{span(sum_.seconds)} in all, {span(sum_.strong)} of it under locks that the application waits for"
    )
    text += f" (at most {span(sum_.longest)} in one piece)" if sum_.strong else ""
    if sum_.unknown:
        text += f"; {counted(sum_.unknown, 'step is', 'steps are')} not counted, for tables that are empty or were never analyzed"
    return text


def took_text(took: Estimate | None) -> str:
    """An estimate in words; an empty text for an instant."""
    if took is None:
        return "time unknown: the table is empty or was never analyzed"
    return f"about {span(took.seconds)}" if took.seconds >= 0.1 else ""


def _step(step: Change | Backfill, took: Estimate | None, sql: bool) -> Iterator[str]:
    marks = []
    if step.lock is not Lock.NONE:
        marks.append(f"lock {step.lock}")
    if step.rows or step.bytes:
        marks.append(f"about {step.rows} rows, {size(step.bytes)}")
    if text := took_text(took):
        marks.append(text)
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
    """The plan's own JSON, and what a pipeline asks first: is anything pending, and how long does it take?"""
    found = estimates(plan)
    phases = {p: [took for s, took in zip(plan, found, strict=True) if s.phase is p] for p in Phase}
    document = {
        "version": 1,
        "pending": len(plan.steps),
        "digest": plan.digest,
        "seconds": {
            **_sum(total(found)),
            "phases": {phase.value: _sum(total(part)) for phase, part in phases.items() if part},
            "steps": {s.id: _rounded(took) for s, took in zip(plan, found, strict=True)},
        },
        "plan": json.loads(plan.to_json()),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _sum(sum_: Total) -> dict[str, float]:
    """``strong``: under locks that the application waits for; ``longest``: of that, in one piece."""
    return {
        "all": round(sum_.seconds, 3),
        "strong": round(sum_.strong, 3),
        "longest": round(sum_.longest, 3),
        "unknown_steps": sum_.unknown,
    }


def _rounded(took: Estimate | None) -> dict[str, float] | None:
    if took is None:
        return None
    return {"all": round(took.seconds, 3), "strong": round(took.strong, 3)}

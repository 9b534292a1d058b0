"""How far a conversion is, seen from another terminal."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import psycopg
from pydantic import TypeAdapter

from tenantry import journal
from tenantry import session as sessions
from tenantry.errors import CatalogError
from tenantry.journal import Conn, PlanRow, StepRow
from tenantry.plan import Backfill, Change, Phase
from tenantry.session import Holder


@dataclass(frozen=True, slots=True)
class Filling:
    """Where a backfill is: its ``table``-th table of ``tables``, ``done`` of ``blocks`` blocks of that one."""

    table: int
    tables: int
    done: int
    blocks: int
    rows: int


@dataclass(frozen=True, slots=True)
class PlanStatus:
    """One plan. ``interrupted``: not finished, and nobody is at it. ``step`` is the one that is next or running.

    ``counts`` are steps by state, ``pending`` those never reached; ``phase`` is the last that is complete; ``error`` is what the last try of ``step``
    ended with.
    """

    id: int
    state: Literal["running", "interrupted", "applied", "reverted"]
    profile: str
    applied_by: str
    started_at: datetime
    finished_at: datetime | None
    reverted_at: datetime | None
    counts: Mapping[str, int]
    phase: Phase | None = None
    step: str | None = None
    filling: Filling | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """Who converts the database at the moment, and every plan in its journal, newest first."""

    runner: Holder | None
    plans: tuple[PlanStatus, ...]

    def data(self) -> dict[str, Any]:
        """The same as JSON types."""
        data: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        return data


_ADAPTER: TypeAdapter[Status] = TypeAdapter(Status)


def status(dsn: str) -> Status:
    """Read the journal, waiting for nobody; a database without one has no plans.

    Raises CatalogError when the server or the journal cannot be read.
    """
    with contextlib.closing(sessions.connect(dsn, "tenantry status")) as conn:
        try:
            with conn.transaction():
                conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                return _read(conn)
        except psycopg.Error as error:
            raise CatalogError(f"the journal cannot be read: {str(error).strip()}; try again") from error


def _read(conn: Conn) -> Status:
    runner = sessions.holder(conn)
    history = list(reversed(journal.plans(conn))) if journal.present(conn) else []
    current = next((p.id for p in history if p.reverted_at is None), None)
    return Status(runner, tuple(_plan(conn, p, runner is not None and p.id == current) for p in history))


def _plan(conn: Conn, entry: PlanRow, running: bool) -> PlanStatus:
    known, steps = journal.steps(conn, entry.id), entry.plan.steps
    counts = Counter[str](row.state for row in known.values())
    if len(steps) > len(known):
        counts["pending"] = len(steps) - len(known)
    open_ = entry.finished_at is None and entry.reverted_at is None
    number = next(
        (n for n in range(1, len(steps) + 1) if n not in known or known[n].state not in ("done", "skipped")),
        None,
    )
    row = known.get(number) if open_ and number else None
    return PlanStatus(
        id=entry.id,
        state=_state(entry, running),
        profile=entry.profile,
        applied_by=entry.applied_by,
        started_at=entry.started_at,
        finished_at=entry.finished_at,
        reverted_at=entry.reverted_at,
        counts=dict(counts),
        phase=_complete(entry, known),
        step=steps[number - 1].id if open_ and number else None,
        filling=_filling(steps[number - 1], row) if number and row else None,
        error=row.error if row else None,
    )


def _complete(entry: PlanRow, known: Mapping[int, StepRow]) -> Phase | None:
    """The last phase that is complete, every phase before it too."""
    last = None
    steps = list(enumerate(entry.plan.steps, 1))
    for phase in Phase:
        if any(
            known.get(n) is None or known[n].state not in ("done", "skipped")
            for n, s in steps
            if s.phase is phase
        ):
            break
        last = phase
    return last


def _state(entry: PlanRow, running: bool) -> Literal["running", "interrupted", "applied", "reverted"]:
    if entry.reverted_at is not None:
        return "reverted"
    if entry.finished_at is not None:
        return "applied"
    return "running" if running else "interrupted"


def _filling(step: Change | Backfill, row: StepRow) -> Filling | None:
    if not isinstance(step, Backfill) or row.cursor is None or not step.batches:
        return None
    return Filling(row.cursor.relation + 1, len(step.batches), row.cursor.next, row.cursor.last, row.rows)


# What may be deployed once a phase is complete.
_SAFE = {
    None: "Nothing has changed for the application.",
    Phase.TENANTS: "Old code works unchanged.",
    Phase.COLUMNS: "Old code works unchanged; a new row takes the session's tenant, else that of the existing rows.",
    Phase.BACKFILL: "Old code works unchanged; every row that was there has its tenant.",
    Phase.ENFORCE: "Old code works unchanged; keys within a tenant stand beside the old ones.",
    Phase.AUDIT: "Old code works unchanged; the audit trail can be written.",
    Phase.HARDEN: "Old code works unchanged; new code may connect as the application role.",
    Phase.OBSERVE: "Deploy code that sets the tenant. Nothing is hidden yet: `tenantry observe` lists what still "
    "runs without one. When it stays empty: `tenantry cutover` (and `--back`), then `tenantry apply`.",
    Phase.CUTOVER: "Only code that sets the tenant works.",
}


def to_json(status: Status) -> str:
    """With the version of the format, and what may be deployed."""
    document = {"version": 1, **status.data()}
    document["safe"] = _SAFE[status.plans[0].phase] if status.plans else _SAFE[None]
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def to_text(status: Status) -> str:
    """A paragraph for each plan, newest first."""
    return "\n".join(_lines(status)) + "\n"


def _lines(status: Status) -> Iterator[str]:
    if not status.plans:
        yield "Nothing was applied to this database."
        return
    if status.runner is not None:
        yield f"Running now: process {status.runner.pid} ({status.runner.application}, user {status.runner.user})."
    for plan in status.plans:
        yield from _told(plan)
    current = status.plans[0]
    if current.state != "reverted":
        yield _SAFE[current.phase]


def _told(plan: PlanStatus) -> Iterator[str]:
    counts = ", ".join(f"{count} {state}" for state, count in sorted(plan.counts.items()))
    yield f"plan {plan.id}  {plan.state}  profile {plan.profile}, by {plan.applied_by}, {plan.started_at:%Y-%m-%d %H:%M:%S}: {counts}"
    if plan.phase is not None:
        yield f"  complete up to phase {plan.phase}"
    if plan.step is not None:
        yield f"  {'now' if plan.state == 'running' else 'next'}: {plan.step}"
    if plan.filling is not None:
        f = plan.filling
        yield f"  filling table {f.table} of {f.tables}: block {f.done} of {f.blocks}, {f.rows} rows so far"
    if plan.error is not None:
        yield f"  stopped by: {plan.error}"

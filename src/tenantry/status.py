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
from tenantry.names import QName, display
from tenantry.plan import Backfill, Change, Phase
from tenantry.progress import duration, waited
from tenantry.session import Holder
from tenantry.steps.observe import ROLE


@dataclass(frozen=True, slots=True)
class Filling:
    """Where a backfill is: in its ``table``-th table of ``tables``, ``done`` of ``blocks`` blocks of all of them.

    ``rows`` of all runs; ``rate`` (rows per second) and ``left`` (seconds) as the last run measured them.
    """

    table: int
    tables: int
    done: int
    blocks: int
    rows: int
    percent: float
    rate: float
    left: float | None


State = Literal["running", "paused", "interrupted", "applied", "reverted"]


@dataclass(frozen=True, slots=True)
class PlanStatus:
    """One plan. ``step`` is the one that is next or running.

    ``paused``: not finished, as somebody wished: ``paused`` is then the phase after which it was to stop, or
    ``stop`` when it was asked to while it ran. ``interrupted``: not finished, and nobody is at it.

    ``counts`` are steps by state, ``pending`` those never reached; ``phase`` is the last that is complete; ``error``
    is what the last try of ``step`` ended with. ``rows`` are filled by all backfills, of about ``of_rows``;
    ``waits`` are tries and turns that ended without their lock, ``retries`` those begun again, ``throttled`` the
    seconds that backfills gave way, ``reason`` why they did at last.
    """

    id: int
    state: State
    profile: str
    applied_by: str
    started_at: datetime
    finished_at: datetime | None
    reverted_at: datetime | None
    counts: Mapping[str, int]
    paused: str | None = None
    phase: Phase | None = None
    step: str | None = None
    filling: Filling | None = None
    error: str | None = None
    rows: int = 0
    of_rows: int = 0
    waits: int = 0
    retries: int = 0
    throttled: float = 0.0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """Who converts the database at the moment, and every plan in its journal, newest first.

    ``decided`` and ``observed`` are the tables whose policies decide, and those where they let everything through.
    """

    runner: Holder | None
    plans: tuple[PlanStatus, ...]
    decided: tuple[str, ...] = ()
    observed: tuple[str, ...] = ()

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
    plans = tuple(_plan(conn, p, runner is not None and p.id == current) for p in history)
    tables = [
        (display(QName(s, n)), watched) for s, n, watched in conn.execute(sessions.load("observed_tables"))
    ]
    exempt = conn.execute(sessions.load("observed_members"), {"role": ROLE}).fetchone() is not None
    return Status(
        runner,
        plans,
        decided=tuple(name for name, watched in tables if not (watched and exempt)),
        observed=tuple(name for name, watched in tables if watched and exempt),
    )


def _plan(conn: Conn, entry: PlanRow, running: bool) -> PlanStatus:
    known, steps = journal.steps(conn, entry.id), entry.plan.steps
    counts = Counter[str](row.state for row in known.values())
    if len(steps) > len(known):
        counts["pending"] = len(steps) - len(known)
    open_ = entry.finished_at is None and entry.reverted_at is None
    number = next((n for n in range(1, len(steps) + 1) if not _ready(known, n)), None) if open_ else None
    row = known.get(number) if number else None
    return PlanStatus(
        id=entry.id,
        state=_state(entry, running),
        profile=entry.profile,
        applied_by=entry.applied_by,
        started_at=entry.started_at,
        finished_at=entry.finished_at,
        reverted_at=entry.reverted_at,
        counts=dict(counts),
        paused=entry.paused if open_ and not running else None,
        phase=_complete(entry, known),
        step=steps[number - 1].id if number else None,
        filling=_filling(steps[number - 1], row) if number and row else None,
        error=row.error if row else None,
        rows=sum(k.rows for k in known.values()),
        of_rows=sum(step.rows for step in steps if isinstance(step, Backfill)),
        waits=sum(k.waits for k in known.values()),
        retries=sum(k.retries for k in known.values()),
        throttled=sum(k.throttled for k in known.values()),
        reason=next((k.reason for k in reversed(known.values()) if k.reason), None),
    )


def _ready(known: Mapping[int, StepRow], number: int) -> bool:
    return number in known and known[number].state in ("done", "skipped")


def _complete(entry: PlanRow, known: Mapping[int, StepRow]) -> Phase | None:
    """The last phase that is complete, every phase before it too; none of a plan that was undone."""
    last = None
    steps = list(enumerate(entry.plan.steps, 1)) if entry.reverted_at is None else []
    for phase in Phase if steps else ():
        if not all(_ready(known, n) for n, step in steps if step.phase is phase):
            break
        last = phase
    return last


def _state(entry: PlanRow, running: bool) -> State:
    if entry.reverted_at is not None:
        return "reverted"
    if entry.finished_at is not None:
        return "applied"
    if running:
        return "running"
    return "paused" if entry.paused else "interrupted"


def _filling(step: Change | Backfill, row: StepRow) -> Filling | None:
    if not isinstance(step, Backfill) or row.cursor is None or not step.batches:
        return None
    table, tables = row.cursor.relation + 1, len(step.batches)
    if row.pace is None:  # no batch is done yet
        return Filling(table, tables, 0, 0, row.rows, 0.0, 0.0, None)
    pace = row.pace
    percent = round(100 * pace.done / max(pace.of, 1), 1)
    return Filling(table, tables, pace.done, pace.of, row.rows, percent, pace.rate, pace.left)


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


_LISTED = 8  # names in one sentence


def _safe(status: Status) -> str:
    """What may be deployed: by the newest plan that stands, on top of those that are complete."""
    standing = [p.phase for p in status.plans if p.state != "reverted"]
    if Phase.CUTOVER in standing:
        return _SAFE[Phase.CUTOVER]
    if standing and standing[0] is Phase.OBSERVE and status.decided:
        some = ", ".join(status.decided[:_LISTED]) + (" and more" if len(status.decided) > _LISTED else "")
        where = f" on {some}, and elsewhere nothing is hidden yet" if status.observed else ""
        return (
            f"Cut over: the policies decide{where}. Only code that sets the tenant works there. "
            "`tenantry cutover --back` undoes it; when nobody needs that any more, `tenantry apply` finishes."
        )
    return _SAFE[standing[0] if standing else None]


def to_json(status: Status) -> str:
    """With the version of the format, and what may be deployed."""
    document = {"version": 1, **status.data(), "safe": _safe(status)}
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
    if status.plans[0].state != "reverted":
        yield _safe(status)


def _told(plan: PlanStatus) -> Iterator[str]:
    counts = ", ".join(f"{count} {state}" for state, count in sorted(plan.counts.items()))
    yield f"plan {plan.id}  {plan.state}  profile {plan.profile}, by {plan.applied_by}, {plan.started_at:%Y-%m-%d %H:%M:%S}: {counts}"
    if plan.phase is not None:
        yield f"  complete up to phase {plan.phase}"
    if plan.paused is not None:
        wish = "it was asked to stop" if plan.paused == "stop" else f"--until {plan.paused} was asked for"
        yield f"  paused: {wish}; `tenantry apply` goes on"
    if plan.step is not None:
        yield f"  {'now' if plan.state == 'running' else 'next'}: {plan.step}"
    if plan.filling is not None:
        yield f"  {_fill(plan.filling, plan.state == 'running')}"
    if plan.rows:
        yield f"  {plan.rows} rows filled in all" + (f", of about {plan.of_rows}" if plan.of_rows else "")
    if waits := waited(plan.waits, plan.retries, plan.throttled, plan.reason):
        yield f"  {waits}"
    if plan.error is not None:
        yield f"  stopped by: {plan.error}"


def _fill(filling: Filling, running: bool) -> str:
    f = filling
    table = f", table {f.table} of {f.tables}" if f.tables > 1 else ""
    text = (
        f"filling: {f.percent:.0f} %, block {f.done} of {f.blocks}{table}, {f.rows} rows, {f.rate:.0f} rows/s"
    )
    return f"{text}, {duration(f.left)} left" if running and f.left is not None else text

"""Plan → database: each step verified before and after, entered in the journal, resumed after any end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import psycopg

from tenantry import introspect, journal
from tenantry import session as sessions
from tenantry.counts import counted
from tenantry.errors import ApplyError, Drift
from tenantry.filling import fill
from tenantry.journal import Entry, PlanRow, StepRow
from tenantry.plan import Backfill, Change, Lock, Phase, Plan
from tenantry.preflight import Preflight, preflight
from tenantry.progress import (
    Event,
    Listener,
    StepDone,
    StepSkipped,
    StepStarted,
    Tally,
    Throttled,
    Waiting,
    silent,
)
from tenantry.session import Session, Stopped, never
from tenantry.throttle import Throttle


@dataclass(frozen=True, slots=True)
class Applied:
    """What a run of :func:`apply` did; ``plan_id`` is the plan's in the journal, None for an empty plan.

    ``left`` counts the steps that were not reached: of later phases that were not asked for, or all that were to
    come when the run was asked to stop, which ``stopped`` says. ``rows`` and ``tally`` are those of this run.
    """

    plan_id: int | None
    done: int
    skipped: int
    rows: int
    seconds: float
    left: int = 0
    stopped: bool = False
    tally: Tally = field(default_factory=Tally, compare=False)


def apply(
    dsn: str,
    plan: Plan,
    *,
    until: Phase | None = None,
    listen: Listener | None = None,
    stop: Callable[[], bool] = never,
    checked: Callable[[Preflight], None] | None = None,
) -> Applied:
    """Bring a database to the state that a plan describes; run it again to resume after any interruption.

    ``until`` is the last phase to run: a place to stop for days. The plan stays open until the rest is run.
    ``stop`` is asked between steps, batches and tries; once it answers True, the run ends there, cleanly
    (``threading.Event().is_set`` is such a function). No signal handler is installed here.
    ``checked`` is told what the preflight found, before it may refuse and before anything changes.

    Raises Drift when the plan was made for another catalog, LockTimeout when a lock cannot be had, ApplyError
    for whatever else a step meets (what is done stays done), CatalogError for a server that cannot be used.
    """
    begun = time.monotonic()
    told = _Told(listen or silent)
    with sessions.runner(dsn, "apply", told.hear, stop) as session:
        resumed = check_catalog(session, plan)
        if not plan:
            return Applied(None, 0, 0, 0, time.monotonic() - begun)
        known = journal.steps(session.conn, resumed.id) if resumed else {}
        found = preflight(session.conn, plan, left(plan, known, until))
        if checked is not None:
            checked(found)
        found.refuse()
        check_sources(session, plan, known)
        check_probes(session, plan)
        journal.ensure(session.conn)
        plan_id = resumed.id if resumed else journal.begin(session.conn, plan)
        return _go(_Run(session, plan, plan_id, known, told, Throttle(session)), until, begun)


def left(plan: Plan, known: Mapping[int, StepRow], until: Phase | None) -> tuple[Change | Backfill, ...]:
    """The steps that a run will reach and that the journal does not hold as done."""
    phases = list(Phase)
    wanted = phases if until is None else phases[: phases.index(until) + 1]
    done = {number for number, row in known.items() if row.state in ("done", "skipped")}
    return tuple(s for n, s in enumerate(plan, 1) if s.phase in wanted and n not in done)


def _go(run: _Run, until: Phase | None, begun: float) -> Applied:
    """Run the steps that are wanted, and enter how it ended."""
    conn, steps, filled = run.session.conn, run.plan.steps, list[int | None]()
    phases = list(Phase)
    wanted = phases if until is None else phases[: phases.index(until) + 1]
    journal.pause(conn, run.plan_id, None)
    stopped = False
    try:
        for number, step in enumerate(steps, 1):
            if step.phase in wanted:
                run.session.go_on()
                filled.append(_step(run, number, step))
    except Stopped:
        stopped = True
    left = len(steps) - len(filled)
    if not left:
        journal.finish(conn, run.plan_id)
    elif stopped or until:
        journal.pause(conn, run.plan_id, "stop" if stopped or not until else until.value)
    done, tally = sum(rows is not None for rows in filled), run.session.tally
    skipped, seconds = len(filled) - done, time.monotonic() - begun
    return Applied(run.plan_id, done, skipped, tally.rows, seconds, left, stopped, tally)


@dataclass(slots=True)
class _Told:
    """Passes on what happens, and enters waits in the journal, for whoever looks from another terminal."""

    listen: Listener
    entry: Entry | None = None

    def hear(self, event: Event) -> None:
        if self.entry is not None and isinstance(event, Waiting | Throttled):
            with contextlib.suppress(psycopg.Error):  # told in vain; the next statement says why
                self.entry.record("running")
        self.listen(event)


@dataclass(frozen=True, slots=True)
class _Run:
    """One run of a plan; ``known`` is what the journal held of it when it began."""

    session: Session
    plan: Plan
    plan_id: int
    known: Mapping[int, StepRow]
    told: _Told
    throttle: Throttle

    def entry(self, number: int, step: Change | Backfill) -> Entry:
        conn, known = self.session.conn, self.known.get(number)
        return Entry(conn, self.plan_id, number, step.id, known, self.session.tally)


# Before anything changes


def check_catalog(session: Session, plan: Plan) -> PlanRow | None:
    """The run to resume, if there is one. Raises Drift."""
    history = journal.plans(session.conn) if journal.present(session.conn) else []
    current = [p for p in history if p.reverted_at is None]
    last = current[-1] if current else None
    if last is not None and last.digest == plan.digest and last.finished_at is None:
        return last
    if introspect.read(session.conn).digest == plan.catalog_digest:
        return None
    same = next((p for p in reversed(current) if p.digest == plan.digest), None)
    if same is not None:
        raise Drift(
            f"this plan was applied already, as plan {same.id} at {same.started_at:%Y-%m-%d %H:%M:%S%z}; "
            "nothing was changed. Run `tenantry plan` again: it shows what is left to do, if anything"
        )
    raise Drift(
        "the plan was made for another catalog: the database has changed since, or is a different one; "
        "nothing was changed. Run `tenantry plan` again, read the new plan, and apply that one"
    )


def check_sources(session: Session, plan: Plan, known: Mapping[int, StepRow]) -> None:
    """Raise ApplyError, for all tables at once, if rows would be left without a tenant, or refer to another tenant's."""
    _check_references(session, plan, known)
    problems = []
    for number, step in enumerate(plan, 1):
        if isinstance(step, Backfill) and not holds(session, step, known.get(number)):
            count = session.count(step.id, step.unresolved)
            if count:
                problems.append(
                    f"{step.object}: its backfill source yields no tenant for {counted(count, 'row')}"
                )
    if problems:
        raise ApplyError(
            "\n  - ".join(["rows would be left without a tenant; nothing was changed:", *problems])
            + "\nA source that leads to several tenants yields none. Correct those rows, or decide on another `backfill` for the table in the spec and run "
            "`tenantry plan` again."
        )


def check_probes(session: Session, plan: Plan) -> None:
    """Raise ApplyError, for all of them at once, if the server does not take what the spec has written in SQL."""
    problems = []
    for query, meaning in plan.probes:
        try:
            session.count("", query)
        except ApplyError as error:
            if error.sqlstate != "42501":  # may not read, and then the step itself tells
                said = (
                    error.__cause__.diag.message_primary if isinstance(error.__cause__, psycopg.Error) else ""
                )
                problems.append(f"{meaning}: {said}")
    if problems:
        raise ApplyError("\n  - ".join(["nothing was changed:", *problems]))


def _check_references(session: Session, plan: Plan, known: Mapping[int, StepRow]) -> None:
    if known:  # asked when the plan began; by now its policies may hide rows
        return
    asked = [s for s in plan if isinstance(s, Change) and s.strays and not holds(session, s, None)]
    problems = [
        f"{step.object}: {counted(count, 'row refers to a row', 'rows refer to rows')} {step.stray}"
        for step in asked
        if (count := session.count(step.id, step.strays))
    ]
    if problems:
        raise ApplyError(
            "\n  - ".join(["rows refer to rows of another tenant; nothing was changed:", *problems])
            + "\nSay whose they are, one by one or by a statement, then run `tenantry apply` again."
        )


def holds(session: Session, step: Change | Backfill, known: StepRow | None) -> bool:
    """Whether a step is done: the database says so, and the journal only where it may not say.

    An owner without BYPASSRLS cannot look for unfilled rows once the table is under FORCE.
    """
    try:
        return session.ask_before(step.id, step.verify)
    except ApplyError as error:
        if error.sqlstate == "42501" and known is not None and known.state == "done":
            return True
        raise


# Steps


def _step(run: _Run, number: int, step: Change | Backfill) -> int | None:
    """Run one step; returns the rows that it filled, None if there was nothing to do."""
    session, entry, of = run.session, run.entry(number, step), len(run.plan.steps)
    session.check()
    if holds(session, step, entry.known):
        state: journal.State = "done" if _ours(step, entry.known) else "skipped"
        if entry.known is None or entry.known.state != state:
            entry.record(state)
        session.listen(StepSkipped(step.id, number, of))
        return None
    session.listen(StepStarted(step.id, number, of))
    begun = time.monotonic()
    run.told.entry = entry
    try:
        rows = _perform(run, entry, step)
    except ApplyError as error:
        with contextlib.suppress(psycopg.Error):  # the connection may be what failed
            entry.record("failed", error=str(error))
        raise
    finally:
        run.told.entry = None
    waited = entry.waited()
    seconds = time.monotonic() - begun
    session.listen(StepDone(step.id, rows, seconds, waited.waits, waited.retries, waited.throttled))
    return rows


def _ours(step: Change | Backfill, known: StepRow | None) -> bool:
    """Whether what is there was made by an earlier run of this plan.

    A transaction leaves nothing when it breaks off; the other kinds may have done their work by then.
    """
    if known is None or known.state == "skipped":
        return False
    return known.state == "done" or isinstance(step, Backfill) or not step.transactional


def _perform(run: _Run, entry: Entry, step: Change | Backfill) -> int:
    session = run.session
    match step:
        case Change(transactional=True):
            session.persist(step.id, partial(_in_transaction, session, entry, step))
            return 0
        case Change():
            entry.record("running")
            session.persist(step.id, partial(_outside_transaction, session, step))
            _confirm(session, step)
            entry.record("done")
            return 0
        case Backfill():
            return fill(session, step, entry, run.throttle)


def _in_transaction(session: Session, entry: Entry, step: Change) -> None:
    # A validation waits without making anybody else wait.
    timeout = 0 if step.lock is Lock.SHARE_UPDATE_EXCLUSIVE else sessions.LOCK_TIMEOUT
    with session.transaction(step.id, timeout):
        if step.tables and step.lock.blocks:
            session.reserve(step.id, step.tables)
            session.seize(step.id, partial(_statements, session, step))
        else:
            _statements(session, step)
        _confirm(session, step)
        entry.record("done")


def _statements(session: Session, step: Change) -> None:
    for statement in step.apply:
        session.run(step.id, statement)
    # What is deferred must fail here, where it can be told which step it belongs to.
    session.run(step.id, "SET CONSTRAINTS ALL IMMEDIATE")


def _outside_transaction(session: Session, step: Change) -> None:
    if step.cleanup:
        session.run(step.id, step.cleanup)
    for statement in step.apply:
        session.run(step.id, statement)


def _confirm(session: Session, step: Change) -> None:
    """Raise ApplyError if the step's verification does not hold after it ran."""
    if not session.ask(step.id, step.verify):
        kept = "It was rolled back" if step.transactional else "What it did is still there"
        raise ApplyError(
            f"step {step.id} ran but its verification is false: {step.verify}\n"
            f"{kept}; the steps before it stay done. Something undoes it (an event trigger, another session) or "
            f"the plan is wrong: look at {step.object}, then run `tenantry apply` again, or `tenantry plan`.",
            step=step.id,
        )

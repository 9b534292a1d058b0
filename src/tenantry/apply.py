"""Plan → database: each step verified before and after, entered in the journal, resumed after any end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import psycopg

from tenantry import introspect, journal
from tenantry import session as sessions
from tenantry.errors import ApplyError, Drift
from tenantry.journal import Cursor, PlanRow, StepRow
from tenantry.names import QName, display
from tenantry.plan import Backfill, Change, Lock, Phase, Plan
from tenantry.progress import Batch, Listener, StepDone, StepSkipped, StepStarted, silent
from tenantry.session import Session
from tenantry.throttle import throttle

# A batch of a backfill: seconds that it should take, and blocks (of 8 KiB as a rule) that it may cover.
BATCH_SECONDS = 0.25
FIRST_BLOCKS, FEWEST_BLOCKS, MOST_BLOCKS = 64, 8, 16384
# A table of that many blocks is filled in that many turns.
MANY_BLOCKS, TURNS = 256, 16
# Updates of the whole table after the batches, for rows that came meanwhile without a tenant.
SWEEPS = 3


@dataclass(frozen=True, slots=True)
class Applied:
    """What a run of :func:`apply` did; ``plan_id`` is the plan's in the journal, None for an empty plan.

    ``left`` counts the steps of later phases that were not asked for.
    """

    plan_id: int | None
    done: int
    skipped: int
    rows: int
    seconds: float
    left: int = 0


def apply(dsn: str, plan: Plan, *, until: Phase | None = None, listen: Listener | None = None) -> Applied:
    """Bring a database to the state that a plan describes; run it again to resume after any interruption.

    ``until`` is the last phase to run: a place to stop for days. The plan stays open until the rest is run.

    Raises Drift when the plan was made for another catalog, LockTimeout when a lock cannot be had, ApplyError
    for whatever else a step meets (what is done stays done), CatalogError for a server that cannot be used.
    """
    begun = time.monotonic()
    with sessions.runner(dsn, "apply", listen or silent) as session:
        resumed = _check_catalog(session, plan)
        if not plan:
            return Applied(None, 0, 0, 0, time.monotonic() - begun)
        known = journal.steps(session.conn, resumed.id) if resumed else {}
        _check_sources(session, plan, known)
        journal.ensure(session.conn)
        run = _Run(session, plan, resumed.id if resumed else journal.begin(session.conn, plan), known)
        phases = list(Phase)
        wanted = phases if until is None else phases[: phases.index(until) + 1]
        filled = [_step(run, number, step) for number, step in enumerate(plan, 1) if step.phase in wanted]
        left = len(plan.steps) - len(filled)
        if not left:
            journal.finish(session.conn, run.plan_id)
    rows = [n for n in filled if n is not None]
    return Applied(run.plan_id, len(rows), len(filled) - len(rows), sum(rows), time.monotonic() - begun, left)


@dataclass(frozen=True, slots=True)
class _Run:
    """One run of a plan; ``known`` is what the journal held of it when it began."""

    session: Session
    plan: Plan
    plan_id: int
    known: Mapping[int, StepRow]

    def record(
        self,
        number: int,
        state: journal.State,
        rows: int | None = None,
        cursor: Cursor | None = None,
        error: str | None = None,
    ) -> None:
        step = self.plan.steps[number - 1]
        conn = self.session.conn
        journal.record(conn, self.plan_id, number, step.id, state, rows=rows, cursor=cursor, error=error)


# Before anything changes


def _check_catalog(session: Session, plan: Plan) -> PlanRow | None:
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


def _check_sources(session: Session, plan: Plan, known: Mapping[int, StepRow]) -> None:
    """Raise ApplyError, for all tables at once, if a source leaves rows without a tenant."""
    problems = []
    for number, step in enumerate(plan, 1):
        if isinstance(step, Backfill) and not _holds(session, step, known.get(number)):
            count = session.count(step.id, step.unresolved)
            if count:
                problems.append(f"{step.object}: its backfill source yields no tenant for {_rows(count)}")
    if problems:
        raise ApplyError(
            "\n  - ".join(["rows would be left without a tenant; nothing was changed:", *problems])
            + "\nCorrect those rows, or decide on another `backfill` for the table in the spec and run "
            "`tenantry plan` again."
        )


def _holds(session: Session, step: Change | Backfill, known: StepRow | None) -> bool:
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
    session, known, of = run.session, run.known.get(number), len(run.plan.steps)
    session.check()
    if _holds(session, step, known):
        state: journal.State = "done" if _ours(step, known) else "skipped"
        if known is None or known.state != state:
            run.record(number, state)
        session.listen(StepSkipped(step.id, number, of))
        return None
    session.listen(StepStarted(step.id, number, of))
    begun = time.monotonic()
    try:
        rows = _perform(run, number, step)
    except ApplyError as error:
        with contextlib.suppress(psycopg.Error):  # the connection may be what failed
            run.record(number, "failed", error=str(error))
        raise
    session.listen(StepDone(step.id, rows, time.monotonic() - begun))
    return rows


def _ours(step: Change | Backfill, known: StepRow | None) -> bool:
    """Whether what is there was made by an earlier run of this plan.

    A transaction leaves nothing when it breaks off; the other kinds may have done their work by then.
    """
    if known is None or known.state == "skipped":
        return False
    return known.state == "done" or isinstance(step, Backfill) or not step.transactional


def _perform(run: _Run, number: int, step: Change | Backfill) -> int:
    session = run.session
    match step:
        case Change(transactional=True):
            session.persist(step.id, partial(_in_transaction, run, number, step))
            return 0
        case Change():
            run.record(number, "running")
            session.persist(step.id, partial(_outside_transaction, session, step))
            _confirm(session, step)
            run.record(number, "done")
            return 0
        case Backfill():
            return _backfill(run, number, step)


def _in_transaction(run: _Run, number: int, step: Change) -> None:
    # A validation waits without making anybody else wait.
    timeout = 0 if step.lock is Lock.SHARE_UPDATE_EXCLUSIVE else sessions.LOCK_TIMEOUT
    with run.session.transaction(step.id, timeout):
        if step.tables and step.lock in _BLOCKING:
            run.session.reserve(step.id, step.tables)
            run.session.seize(step.id, partial(_statements, run.session, step))
        else:
            _statements(run.session, step)
        _confirm(run.session, step)
        run.record(number, "done")


# The locks that make an application wait, for reading or for writing.
_BLOCKING = (Lock.SHARE, Lock.SHARE_ROW_EXCLUSIVE, Lock.ACCESS_EXCLUSIVE)


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


# Backfill


def next_blocks(blocks: int, seconds: float) -> int:
    """How many blocks the next batch should cover, after one of ``blocks`` took ``seconds``.

    It may double at most, since a batch can be quick by chance, and shrink as much as it must.
    """
    wanted = blocks * BATCH_SECONDS / seconds if seconds > 0 else MOST_BLOCKS
    return int(min(max(min(wanted, blocks * 2), FEWEST_BLOCKS), MOST_BLOCKS))


def _backfill(run: _Run, number: int, step: Backfill) -> int:
    """Fill a table batch by batch, from where an earlier run stopped; returns the rows filled now."""
    known = run.known.get(number)
    if known is None or known.state not in ("running", "failed"):
        known = None
    start = known.cursor if known and known.cursor else Cursor(0, 0, 0)
    before = known.rows if known else 0
    run.record(number, "running", before, start)
    sizes = [_blocks(run.session, step, name) for name, _ in step.batches]
    rows = before
    for relation in range(start.relation, len(step.batches)):
        first = start.next if relation == start.relation else 0
        turn = start.turn if relation == start.relation else 0
        rows = _fill(run, number, step, Cursor(relation, first, sizes[relation], turn), rows, sizes)
    rows = _sweep(run, number, step, rows)
    run.record(number, "done", rows)
    return rows - before


def _blocks(session: Session, step: Backfill, name: QName) -> int:
    row = session.conn.execute(
        "SELECT pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int8"
        " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relname = %s",
        name,
    ).fetchone()
    if row is None:
        raise ApplyError(
            f"step {step.id}: table {display(name)} is not there any more; run `tenantry plan` again",
            step=step.id,
        )
    return int(row[0])


def _fill(run: _Run, number: int, step: Backfill, at: Cursor, rows: int, sizes: Sequence[int]) -> int:
    """Fill one physical table from ``at`` on; returns the rows filled so far, of all tables."""
    size, behind, turns = FIRST_BLOCKS, sum(sizes[: at.relation]), _turns(step, at)
    patient = True
    while at.turn < turns:
        while at.next < at.last:
            to = replace(at, next=min(at.next + size, at.last))
            rows, seconds = run.session.persist(step.id, partial(_batch, run, number, step, at, to, rows))
            passed = at.last * at.turn + to.next
            run.session.listen(Batch(step.id, rows, behind + passed // turns, sum(sizes)))
            size, at = next_blocks(size, seconds), to
            patient = patient and throttle(run.session, step.id)
        at = replace(at, next=0, turn=at.turn + 1)
    return rows


def _turns(step: Backfill, at: Cursor) -> int:
    """How often a table is walked: a big one in several turns, each for every n-th row of a block.

    Measured on 4.2 million rows: 16 turns filled 1.35 times the rows per second of one UPDATE, with half the WAL
    and hardly any growth. A small table fits into one batch anyhow.
    """
    picks = "%(turn)s" in step.batches[at.relation][1]
    return TURNS if picks and at.last >= MANY_BLOCKS else 1


def _batch(run: _Run, number: int, step: Backfill, at: Cursor, to: Cursor, rows: int) -> tuple[int, float]:
    """Fill the blocks from ``at`` to before ``to``; returns the rows of all batches, and its own seconds."""
    begun = time.monotonic()
    bounds = {"first": f"({at.next},0)", "last": f"({to.next},0)", "turn": at.turn, "turns": _turns(step, at)}
    with run.session.transaction(step.id, sessions.LOCK_TIMEOUT):
        rows += _surrounded(run.session, step, step.batches[at.relation][1], bounds)
        run.record(number, "running", rows, to)
    return rows, time.monotonic() - begun


def _surrounded(
    session: Session, step: Backfill, statement: str, bounds: Mapping[str, object] | None = None
) -> int:
    for before in step.before:
        session.run(step.id, before)
    count = session.run(step.id, statement, bounds)
    # Pending trigger events would forbid to alter the table again.
    session.run(step.id, "SET CONSTRAINTS ALL IMMEDIATE")
    for after in step.after:
        session.run(step.id, after)
    return count


def _sweep(run: _Run, number: int, step: Backfill, rows: int) -> int:
    """Fill what came while the batches ran; returns all rows. Raises ApplyError if some are left."""
    for _ in range(SWEEPS):
        if run.session.ask(step.id, step.verify):
            return rows
        rows += run.session.persist(step.id, partial(_whole, run, number, step, rows))
    if run.session.ask(step.id, step.verify):
        return rows
    # Only now: what the application filled by itself may be unknown to the source.
    left = run.session.count(step.id, step.unresolved)
    reason = (
        f"the source yields no tenant for {_rows(left)}; correct them, or change the source in the spec"
        if left
        else "more keep arriving; make the application set the tenant, or pause it"
    )
    raise ApplyError(
        f"step {step.id}: after {SWEEPS} sweeps {step.object} still has rows without a tenant: {reason}. "
        "The rows filled so far stay filled. Then run `tenantry apply` again.",
        step=step.id,
    )


def _whole(run: _Run, number: int, step: Backfill, rows: int) -> int:
    with run.session.transaction(step.id, sessions.LOCK_TIMEOUT):
        count = _surrounded(run.session, step, step.update)
        run.record(number, "running", rows + count)
    return count


def _rows(count: int) -> str:
    return f"{count} row{'s' if count != 1 else ''}"

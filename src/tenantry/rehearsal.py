"""What ``tenantry apply`` would do, statement by statement, without doing it.

It asks what a run asks before its first change (catalog, preflight, backfill sources, which steps are there already),
and then prints instead of running. The runner's lock is not taken, and no journal is made.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import psycopg

from tenantry import apply, journal
from tenantry import session as sessions
from tenantry.counts import counted
from tenantry.errors import ApplyError
from tenantry.estimate import Estimate, estimates, total
from tenantry.filling import (
    BATCH_SECONDS,
    FIRST_BLOCKS,
    MANY_BLOCKS,
    QUIET_SECONDS,
    ROW_SECONDS,
    SWEEPS,
    TURNS,
)
from tenantry.names import qualified
from tenantry.plan import Backfill, Change, Lock, Phase, Plan
from tenantry.preflight import Preflight, preflight
from tenantry.progress import silent
from tenantry.report.plan import heading, told, took_text
from tenantry.session import Holder, Session, load


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A run that was not made. ``there`` are the numbers of steps that an earlier run did, ``holding`` those of
    others that hold now: what a step before them makes may change that.

    ``refused`` is why the sources of a backfill would stop it (empty: they do not); ``runner`` is who converts the
    database at this moment, which would stop it too.
    """

    plan: Plan
    until: Phase | None
    found: Preflight
    there: frozenset[int]
    holding: frozenset[int]
    refused: str
    runner: Holder | None

    @property
    def good(self) -> bool:
        """Whether a run would begin."""
        return not (self.found.at("stop") or self.refused or self.runner)


def rehearse(dsn: str, plan: Plan, until: Phase | None = None) -> Rehearsal:
    """Find out what a run of the plan up to ``until`` would do; changes nothing.

    Raises what a run would raise before its first step: Drift, ApplyError, CatalogError.
    """
    with contextlib.closing(sessions.connect(dsn, "tenantry apply --dry-run")) as conn:
        try:
            return _rehearse(Session(conn, dsn, "apply", silent), plan, until)
        except psycopg.Error as error:
            raise sessions.failure("apply", "", "", error) from error


def _rehearse(session: Session, plan: Plan, until: Phase | None) -> Rehearsal:
    conn = session.conn
    resumed = apply.check_catalog(session, plan)
    known = journal.steps(conn, resumed.id) if resumed else {}
    found = preflight(conn, plan, apply.left(plan, known, until))
    conn.execute(load("runner_session"))
    conn.execute("SET default_transaction_read_only = on")  # only now: the preflight looks at it
    holding = set[int]()
    for number, step in enumerate(plan, 1):
        try:
            if apply.holds(session, step, known.get(number)):
                holding.add(number)
        except ApplyError:
            if not found.at("stop"):  # which say more than one question that could not be asked
                raise
    there = holding & set(known)
    refused = ""
    try:
        apply.check_sources(session, plan, known)
        apply.check_probes(session, plan)
    except ApplyError as error:
        refused = str(error)
    return Rehearsal(
        plan, until, found, frozenset(there), frozenset(holding - there), refused, sessions.holder(conn)
    )


# As text


def to_text(run: Rehearsal) -> str:
    """What a run would do: preflight, session, then each phase and step in order, as commented SQL."""
    return "\n".join(_lines(run)) + "\n"


def _lines(run: Rehearsal) -> Iterator[str]:
    if not run.plan:
        yield "Nothing to do: the database is in the declared state."
        return
    yield "-- Nothing was changed. This is what `tenantry apply` would do now."
    yield ""
    yield from _before(run)
    steps = list(zip(range(1, len(run.plan.steps) + 1), run.plan, estimates(run.plan), strict=True))
    now = [part for part in steps if _wanted(run, part[1].phase)]
    for phase, group in groupby(now, lambda part: part[1].phase):
        parts = list(group)
        yield ""
        yield f"-- {heading(phase, [took for _, _, took in parts])}"
        for number, step, took in parts:
            yield ""
            yield from _step(run, number, step, took)
    if len(now) < len(steps):
        yield ""
        yield f"-- Here it stops (--until {run.until}), for as long as you like; `tenantry apply` goes on from here."
    later = Counter(step.phase for _, step, _ in steps if not _wanted(run, step.phase))
    yield from (f"-- {phase}: not now, {counted(count, 'step')}" for phase, count in later.items())
    yield ""
    yield f"-- Time, roughly: {told(total(took for n, _, took in now if n not in run.there))}."


def _wanted(run: Rehearsal, phase: Phase) -> bool:
    phases = list(Phase)
    return run.until is None or phases.index(phase) <= phases.index(run.until)


def _before(run: Rehearsal) -> Iterator[str]:
    yield "-- Preflight"
    for item in run.found.at("stop", "unseen", "warn"):
        yield from _comment(f"{item.level:<6}  {item}", "--   ")
    good = run.found.at("good")
    if good:
        yield from _comment(f"good    {', '.join(dict.fromkeys(i.name for i in good))}", "--   ")
    if run.refused:
        yield from _comment(f"stop    {run.refused}", "--   ")
    if run.runner:
        who = f"process {run.runner.pid} ({run.runner.application}, user {run.runner.user})"
        yield f"--   stop    another session converts this database: {who}; wait until it ends"
    if not run.good:
        yield "-- It would be refused for the above, before anything changes. Without that:"
    yield ""
    yield "-- Session"
    yield from load("runner_session").decode().splitlines()
    yield "SET client_connection_check_interval = '2s';  -- where the server's system can"
    yield f"SELECT pg_try_advisory_lock({sessions.RUNNER_KEY});  -- nobody else converts meanwhile"
    yield "-- Journal: schema tenantry, made if it is not there; each step is entered in its own transaction"


def _comment(text: str, head: str) -> Iterator[str]:
    yield from (head + line for line in text.splitlines())


def _step(run: Rehearsal, number: int, step: Change | Backfill, took: Estimate | None) -> Iterator[str]:
    marks = f"  ({text})" if (text := took_text(took)) else ""
    yield f"-- {number}/{len(run.plan.steps)}  {step.id}{marks}"
    yield from _comment(step.why, "--   ")
    if number in run.there:
        yield "--   skipped: it is there already"
        return
    if number in run.holding:
        yield "--   holds now, and is skipped if it still does when its turn comes"
    match step:
        case Backfill():
            yield from _backfill(step)
        case Change(transactional=False):
            yield "--   outside a transaction, lock_timeout 0; it waits without making others wait"
            yield from ([f"{step.cleanup};"] if step.cleanup else [])
            yield from _statements(step)
            yield f"{step.verify};  -- must be true"
        case Change():
            yield from _transaction(step)


def _transaction(step: Change) -> Iterator[str]:
    weak = step.lock is Lock.SHARE_UPDATE_EXCLUSIVE
    held = f", lock {step.lock}" if step.lock is not Lock.NONE else ""
    yield f"--   one transaction{held}, tried up to {sessions.TRIES} times if a lock is not had"
    yield "BEGIN;"
    yield f"SET LOCAL lock_timeout = {0 if weak else _ms(sessions.LOCK_TIMEOUT)};"
    if step.tables and step.lock.blocks:
        yield from _stages([f"LOCK TABLE {qualified(t)}" for t in sorted(step.tables)])
    yield from _statements(step)
    yield "SET CONSTRAINTS ALL IMMEDIATE;"
    yield f"{step.verify};  -- must be true"
    yield "COMMIT;"


def _stages(locks: list[str]) -> Iterator[str]:
    """The two stages of a strong lock."""
    yield from (f"{lock} IN SHARE UPDATE EXCLUSIVE MODE;" for lock in locks)
    shortest, longest = _ms(sessions.TURNS[0]), _ms(sessions.TURNS[-1])
    yield f"-- in {len(sessions.TURNS)} turns at most, each with a pause after it; the last ones wait {longest} ms:"
    yield "SAVEPOINT turn;"
    yield f"SET LOCAL lock_timeout = {shortest};"


def _statements(step: Change) -> Iterator[str]:
    for statement in step.apply:
        yield from (statement + ";").splitlines()


def _backfill(step: Backfill) -> Iterator[str]:
    """The first batch of each table; the others differ in their blocks and turn."""
    seconds = QUIET_SECONDS if step.before else BATCH_SECONDS
    yield f"--   batches of about {_ms(seconds)} ms, each one transaction, with pauses where others need them"
    for table, statement in step.batches:
        yield f"--   {table}: the first batch; a table of {MANY_BLOCKS} blocks or more is walked in {TURNS} turns"
        yield "BEGIN;"
        yield f"SET LOCAL lock_timeout = {_ms(sessions.LOCK_TIMEOUT)};"
        if step.before:
            yield from _stages([f"LOCK TABLE {qualified(t)}" for t, _ in sorted(step.batches)])
        else:
            yield f"LOCK TABLE ONLY {qualified(table)} IN ROW EXCLUSIVE MODE;"
            yield f"SET LOCAL lock_timeout = {_ms(ROW_SECONDS)};"
        yield from (f"{before};" for before in step.before)
        bounds = {"first": "'(0,0)'", "last": f"'({FIRST_BLOCKS},0)'", "turns": TURNS, "turn": 0}
        yield from (statement % bounds + ";").splitlines()
        yield "SET CONSTRAINTS ALL IMMEDIATE;"
        yield from (f"{after};" for after in step.after)
        yield "COMMIT;"
    if not step.batches:
        yield "BEGIN;"
        yield from (f"{text};" for text in step.apply)
        yield "COMMIT;"
    yield f"{step.verify};  -- until it is true, the same over the whole table, {SWEEPS} times at most"


def _ms(seconds: float) -> int:
    return round(1000 * seconds)

"""The way back: undoes what ``apply`` did and the journal says was ours, in one transaction or not at all."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from tenantry import ddl, introspect, journal
from tenantry import session as sessions
from tenantry.counts import counted
from tenantry.errors import ApplyError
from tenantry.journal import PlanRow, StepRow
from tenantry.names import QName, qualified
from tenantry.plan import Backfill, Change, Plan
from tenantry.progress import Listener, StepDone, StepStarted, silent
from tenantry.session import MISSING, Session

# What a statement raises that makes an object which is there already.
_PRESENT = ("42P06", "42P07", "42701", "42710", "42723")

# What it raises where row level security would hide rows from a query.
_BOUND = "42501"


@dataclass(frozen=True, slots=True)
class Reverted:
    """What a run of :func:`revert` did.

    ``plans`` are the ids undone, newest first. ``left`` counts the steps with something of their own to undo
    that were not undone, because it was there before or was never done. ``restored`` is True when the catalog is
    again the one that the oldest of the plans was made for; it is False where others have changed the schema.
    """

    plans: tuple[int, ...]
    steps: int
    left: int
    restored: bool
    seconds: float


def revert(dsn: str, *, plan_id: int | None = None, listen: Listener | None = None) -> Reverted:
    """Undo every plan that was applied and not reverted, or only ``plan_id`` and those after it.

    Everything happens in one transaction, with the tables locked against the application: after an error, a
    kill or Ctrl-C the database is exactly as it was. Steps that ``apply`` skipped were not ours and stay.

    Raises ApplyError with every reason, before anything changes, if rows of a further tenant would be merged
    or lost; LockTimeout when the tables cannot be locked; CatalogError for a server that cannot be used.
    """
    begun = time.monotonic()
    with sessions.runner(dsn, "revert", listen or silent) as session:
        undo = _chosen(session, plan_id)
        if not undo:
            return Reverted((), 0, 0, True, time.monotonic() - begun)
        # Asked without locks first, so that a refusal costs the application nothing.
        tables = session.persist("revert", partial(_look, session, undo))
        done, restored = session.persist("revert", partial(_undo_all, session, undo, tables))
    left = sum(bool(step.revert) for u in undo for step in u.plan) - sum(bool(step.revert) for step in done)
    return Reverted(tuple(u.entry.id for u in undo), len(done), left, restored, time.monotonic() - begun)


@dataclass(frozen=True, slots=True)
class _Undo:
    """One plan to undo, with what the journal knows of its steps by ordinal."""

    entry: PlanRow
    plan: Plan
    known: Mapping[int, StepRow]

    def steps(self) -> Iterator[tuple[int, Change | Backfill, StepRow]]:
        """The steps that were reached, last first."""
        for number, step in reversed(list(enumerate(self.plan, 1))):
            if number in self.known:
                yield number, step, self.known[number]


def _chosen(session: Session, plan_id: int | None) -> list[_Undo]:
    """The plans to undo, newest first. Raises ApplyError for an id that is not among them."""
    entries = journal.plans(session.conn) if journal.present(session.conn) else []
    entries = [e for e in reversed(entries) if e.reverted_at is None]
    if plan_id is not None and plan_id not in [e.id for e in entries]:
        there = ", ".join(str(e.id) for e in entries) or "none"
        raise ApplyError(
            f"plan {plan_id} cannot be reverted: it is not among those that are applied ({there}); "
            "nothing was changed. `tenantry status` lists them"
        )
    entries = [e for e in entries if plan_id is None or e.id >= plan_id]
    return [_Undo(e, e.plan, journal.steps(session.conn, e.id)) for e in entries]


# Whether it may be undone


def _look(session: Session, undo: Sequence[_Undo]) -> list[QName]:
    """Ask every guard, changing nothing; returns the tables that they read. Raises ApplyError to refuse."""
    with session.transaction("revert", sessions.LOCK_TIMEOUT, keep=False):
        _refuse(session, undo)
        return _names(session, "tables_read")


def _refuse(session: Session, undo: Sequence[_Undo]) -> None:
    with _unforced(session):
        reasons = list(dict.fromkeys(_reasons(session, undo)))
    if reasons:
        raise ApplyError(
            "\n  - ".join(["the revert is refused; nothing was changed:", *reasons])
            + "\nMove those rows to a database of their own, or remove them, then run `tenantry revert` again."
        )


def _reasons(session: Session, undo: Sequence[_Undo]) -> Iterator[str]:
    for u in undo:
        for query, refusal in u.plan.guards:
            if count := _count(session, "revert", query, tolerant=u.entry.finished_at is None):
                yield f"{refusal} ({count} found)"
        # Also where there was nothing to fill: the rows may have come since.
        for step in (step for _, step, _ in u.steps() if isinstance(step, Backfill) and step.foreign_rows):
            if count := _count(session, step.id, step.foreign_rows, tolerant=False):
                yield (
                    f"{counted(count, 'row')} of {step.object} belong to a tenant that the "
                    "backfill's source does not give: they would be merged with the others"
                )


def _count(session: Session, step: str, query: str, *, tolerant: bool) -> int:
    """The number that a query yields. ``tolerant``: what an unfinished plan never made holds no rows."""
    try:
        with session.conn.transaction():
            return session.count(step, query)
    except ApplyError as error:
        if tolerant and error.sqlstate in MISSING:
            return 0
        raise


@contextlib.contextmanager
def _unforced(session: Session) -> Iterator[None]:
    """Let an owner without BYPASSRLS see all rows of his tables, in the transaction that is open."""
    forced = _names(session, "tables_forced")
    for name in forced:
        session.run("revert", ddl.row_security(name, "NO FORCE"))
    yield
    for name in forced:
        session.run("revert", ddl.row_security(name, "FORCE"))


def _names(session: Session, query: str) -> list[QName]:
    return [QName(*row) for row in session.conn.execute(sessions.load(query))]


# Undoing


def _undo_all(
    session: Session, undo: Sequence[_Undo], tables: Iterable[QName]
) -> tuple[list[Change | Backfill], bool]:
    """Undo the plans in one transaction; returns the steps undone and whether all is as before."""
    done: list[Change | Backfill] = []
    with session.transaction("revert", sessions.LOCK_TIMEOUT):
        names = ", ".join(qualified(name) for name in tables)
        if names:  # nobody may add a row of a further tenant from here on
            session.run("revert", f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")
        _refuse(session, undo)
        # A pending trigger event would forbid to alter its table.
        session.run("revert", "SET CONSTRAINTS ALL IMMEDIATE")
        for u in undo:
            ordinals = [number for number, step, row in u.steps() if _undo(session, u, number, step, row)]
            journal.reverted(session.conn, u.entry.id, ordinals)
            done += [u.plan.steps[number - 1] for number in ordinals]
        restored = introspect.read(session.conn).digest == undo[-1].entry.catalog_digest
    return done, restored


def _undo(session: Session, u: _Undo, number: int, step: Change | Backfill, row: StepRow) -> bool:
    """Undo one step; returns False for one that is left as it is, because it was not ours or not done."""
    broken = row.state in ("running", "failed") and not step.transactional
    if row.state != "done" and not broken:
        return False
    session.listen(StepStarted(step.id, number, len(u.plan.steps)))
    begun = time.monotonic()
    # Half-done, or changed by somebody since: whatever of it is there goes, and what is not there is no error.
    whole = not broken and bool(step.revert) and session.ask_before(step.id, step.verify)
    try:
        with session.conn.transaction():
            _run_all(session, step, whole)
    except ApplyError as error:
        if error.sqlstate != _BOUND:
            raise
        with _unforced(session):  # a foreign key that comes back is checked against rows that FORCE hides
            _run_all(session, step, whole)
    session.listen(StepDone(step.id, 0, time.monotonic() - begun))
    return True


def _run_all(session: Session, step: Change | Backfill, whole: bool) -> None:
    for statement in step.revert:
        if whole:
            session.run(step.id, statement)
        else:
            _run_tolerantly(session, step.id, statement)


def _run_tolerantly(session: Session, step: str, statement: str) -> None:
    try:
        with session.conn.transaction():
            session.run(step, statement)
    except ApplyError as error:
        if error.sqlstate not in (*MISSING, *_PRESENT):
            raise

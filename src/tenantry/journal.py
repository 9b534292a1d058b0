"""What was done, when, by which plan: the tables of schema ``tenantry``.

The journal is history, not truth: whether a step is done is asked of the database (its ``verify``). It says
which steps were ours, so that a revert leaves alone what was there before, and where a backfill stands.
Every function runs on the caller's connection and in the caller's transaction, if there is one.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from importlib import resources
from typing import Literal

import psycopg
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from tenantry.errors import ApplyError, CatalogError
from tenantry.names import quote
from tenantry.plan import Plan
from tenantry.progress import Tally

LAYOUT = 1

Conn = psycopg.Connection[TupleRow]
# failed: a statement or the verification failed; done: by us; skipped: it was there before us.
State = Literal["running", "failed", "done", "skipped", "reverted"]


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a backfill is: relation (index into ``batches``), next block, the one after the last, and the turn."""

    relation: int
    next: int
    last: int
    turn: int = 0


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a backfill is: blocks ``done`` ``of`` all its tables, rows per second, seconds ``left``."""

    done: int
    of: int
    rate: float
    left: float | None


@dataclass(frozen=True, slots=True)
class StepRow:
    """What the journal knows of one step; ``ordinal`` counts from 1.

    ``waits``, ``retries``, ``throttled`` and ``reason`` are those of :class:`~tenantry.progress.Tally`, of all runs.
    """

    ordinal: int
    step_id: str
    state: State
    started_at: datetime
    finished_at: datetime | None = None
    rows: int = 0
    cursor: Cursor | None = None
    error: str | None = None
    pace: Pace | None = None
    waits: int = 0
    retries: int = 0
    throttled: float = 0.0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One plan that was started, with its saved form in ``body``.

    ``paused`` says why it stands still although nothing went wrong: the phase after which it was to stop, or
    ``stop`` when it was asked to while it ran.
    """

    id: int
    digest: str
    catalog_digest: str
    profile: str
    body: str
    applied_by: str
    started_at: datetime
    finished_at: datetime | None
    reverted_at: datetime | None
    paused: str | None = None

    @property
    def plan(self) -> Plan:
        """The plan. Raises CatalogError when this version cannot read it."""
        try:
            return Plan.from_json(self.body)
        except ValueError as error:
            raise CatalogError(
                f"plan {self.id} in the journal cannot be read: {error}; "
                "use the version of Tenantry that applied it"
            ) from error


_LAYOUT_AGAIN = """
INSERT INTO tenantry.journal_layout (version) SELECT %s WHERE NOT EXISTS (SELECT FROM tenantry.journal_layout)
"""


def present(conn: Conn) -> bool:
    """True when there is a journal. Raises CatalogError for one that is not ours to use or too new."""
    found = conn.execute(
        "SELECT pg_catalog.pg_get_userbyid(c.relowner),"
        " pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')"
        " FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid"
        " WHERE n.nspname = 'tenantry' AND c.relname = 'journal_layout'"
    ).fetchone()
    if found is None:
        return False
    owner, readable = found
    if not readable:
        raise CatalogError(
            f"schema tenantry, the journal, cannot be read: it belongs to {owner} and role {conn.info.user} has "
            "no rights there; connect as its owner or as a superuser"
        )
    ((version,),) = conn.execute("SELECT max(version) FROM tenantry.journal_layout").fetchall()
    if version not in (LAYOUT, None):  # None in a copy of the schema alone: a journal with nothing in it
        raise CatalogError(
            f"schema tenantry holds a journal of layout {version} and this version of Tenantry knows layout "
            f"{LAYOUT}; use the version of Tenantry that wrote it, or a newer one"
        )
    return True


def ensure(conn: Conn) -> None:
    """Make the journal if it is not there, in one transaction."""
    if present(conn):
        conn.execute(_LAYOUT_AGAIN, [LAYOUT])
        return
    text = (resources.files("tenantry") / "sql" / "journal_create.sql").read_text(encoding="utf-8")
    try:
        with conn.transaction():
            for statement in text.split("\n\n"):
                conn.execute(statement.encode())
    except psycopg.errors.InsufficientPrivilege as error:
        raise ApplyError(
            f"schema tenantry, for the journal, cannot be made: {error.diag.message_primary}; "
            f"let a superuser run: CREATE SCHEMA tenantry AUTHORIZATION {quote(conn.info.user)}",
            sqlstate=error.sqlstate,
        ) from error


def begin(conn: Conn, plan: Plan) -> int:
    """Enter a plan that starts now; returns its id."""
    ((plan_id,),) = conn.execute(
        "INSERT INTO tenantry.plans (digest, spec_digest, catalog_digest, profile, body)"
        " VALUES (%s, %s, %s, %s, %s) RETURNING id",
        (plan.digest, plan.spec_digest, plan.catalog_digest, plan.profile, plan.to_json()),
    ).fetchall()
    return int(plan_id)


def finish(conn: Conn, plan_id: int) -> None:
    """All steps of the plan are done or were there before."""
    conn.execute("UPDATE tenantry.plans SET finished_at = clock_timestamp() WHERE id = %s", (plan_id,))


def pause(conn: Conn, plan_id: int, why: str | None) -> None:
    """The plan stands still because somebody wished so; None: it goes on."""
    conn.execute("UPDATE tenantry.plans SET paused = %s WHERE id = %s", (why, plan_id))


def reverted(conn: Conn, plan_id: int, ordinals: list[int]) -> None:
    """The plan was undone: these of its steps by us, the others were left as they are."""
    conn.execute("UPDATE tenantry.plans SET reverted_at = clock_timestamp() WHERE id = %s", (plan_id,))
    conn.execute(
        "UPDATE tenantry.steps SET state = 'reverted', finished_at = clock_timestamp(), error = NULL"
        " WHERE plan_id = %s AND ordinal = ANY (%s)",
        (plan_id, ordinals),
    )


def plans(conn: Conn) -> list[PlanRow]:
    """Every plan ever started, oldest first."""
    rows = conn.execute(
        "SELECT id, digest, catalog_digest, profile, body, applied_by, started_at, finished_at, reverted_at,"
        " paused FROM tenantry.plans ORDER BY id"
    )
    return [PlanRow(*row) for row in rows]


def steps(conn: Conn, plan_id: int) -> dict[int, StepRow]:
    """The steps of a plan that were reached, by ordinal."""
    rows = conn.execute(
        "SELECT ordinal, step_id, state, started_at, finished_at, rows, cursor, error, pace, waits, retries,"
        " throttled, reason FROM tenantry.steps WHERE plan_id = %s ORDER BY ordinal",
        (plan_id,),
    )
    return {row[0]: _step(row) for row in rows}


def _step(row: TupleRow) -> StepRow:
    number, step, state, started, finished, filled, at, error, pace, *waited = row
    cursor, measured = Cursor(**at) if at else None, Pace(**pace) if pace else None
    return StepRow(number, step, state, started, finished, filled, cursor, error, measured, *waited)


@dataclass(frozen=True, slots=True)
class Entry:
    """The line of one step in the journal, for the run that is at it.

    ``known`` is what earlier runs left there; ``tally`` counts on during the run, ``start`` is how it stood when
    the step began.
    """

    conn: Conn
    plan_id: int
    ordinal: int
    step_id: str
    known: StepRow | None
    tally: Tally
    start: Tally = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", replace(self.tally))

    def waited(self) -> Tally:
        """What the step waited for in this run."""
        now, start = self.tally, self.start
        throttled = now.throttled - start.throttled
        reason = now.reason if throttled else None
        return Tally(
            now.rows - start.rows, now.waits - start.waits, now.retries - start.retries, throttled, reason
        )

    def record(
        self,
        state: State,
        *,
        rows: int | None = None,
        cursor: Cursor | None = None,
        pace: Pace | None = None,
        error: str | None = None,
    ) -> None:
        """Enter the state of the step; ``rows``, ``cursor`` and ``pace`` stay as they were when not given."""
        now, known = self.waited(), self.known
        waits, retries, throttled = (known.waits, known.retries, known.throttled) if known else (0, 0, 0.0)
        self.conn.execute(
            _RECORD,
            {
                "plan": self.plan_id,
                "ordinal": self.ordinal,
                "step": self.step_id,
                "state": state,
                "rows": rows,
                "cursor": Jsonb(asdict(cursor)) if cursor else None,
                "pace": Jsonb(asdict(pace)) if pace else None,
                "waits": waits + now.waits,
                "retries": retries + now.retries,
                "throttled": throttled + now.throttled,
                "reason": now.reason,
                "error": error,
            },
        )


_RECORD = """
    INSERT INTO tenantry.steps AS s
        (plan_id, ordinal, step_id, state, started_at, finished_at, rows, cursor, pace, waits, retries, throttled,
        reason, error)
    VALUES (%(plan)s, %(ordinal)s, %(step)s, %(state)s, now(),
        CASE WHEN %(state)s <> 'running' THEN clock_timestamp() END,
        coalesce(%(rows)s, 0), %(cursor)s, %(pace)s, %(waits)s, %(retries)s, %(throttled)s, %(reason)s, %(error)s)
    ON CONFLICT (plan_id, ordinal) DO UPDATE SET
        state = excluded.state, finished_at = excluded.finished_at, error = excluded.error,
        rows = coalesce(%(rows)s, s.rows), cursor = coalesce(excluded.cursor, s.cursor),
        pace = coalesce(excluded.pace, s.pace), reason = coalesce(excluded.reason, s.reason),
        waits = excluded.waits, retries = excluded.retries, throttled = excluded.throttled
"""


def unfinished(conn: Conn, spec_digest: str) -> Plan | None:
    """The newest plan, if it was made from that spec and stopped before its end: what to resume."""
    history = [p for p in plans(conn) if p.reverted_at is None] if present(conn) else []
    if not history or history[-1].finished_at is not None:
        return None
    plan = history[-1].plan
    return plan if plan.spec_digest == spec_digest else None

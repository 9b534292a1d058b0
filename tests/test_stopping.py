"""Ctrl-C, SIGTERM and a caller's wish: apply stops between batches and steps, says so, and goes on from there."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tenantry import journal
from tenantry.apply import apply
from tenantry.cli._signals import Terminated, stopping
from tenantry.plan import Phase, Plan
from tenantry.progress import Batch, Event, StepDone, StepStarted, Waiting
from tenantry.status import status
from tests import runs
from tests.runs import NOTES, ROWS, backfill, change, column, do, index, plan, query, states, whole
from tests.servers import Database, MakeDatabase

CLI = [sys.executable, "-c", "from tenantry.cli import main; main()"]
BUILDING = "query LIKE 'CREATE INDEX CONCURRENTLY%'"
FILLED = "SELECT count(*) FROM notes WHERE touched = 1 AND tenant_id = 'acme'"
VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('notes_tenant_idx')"


@pytest.fixture
def db(db: Database) -> Database:
    do(db, *runs.SCHEMA.split(";\n"))
    return db


def slow() -> tuple[tuple[object, str], ...]:
    """Batches that each take as many seconds as the table ``pace`` says."""
    ((table, statement),) = backfill().batches
    return ((table, f"{statement} AND (SELECT true FROM pg_sleep((SELECT seconds FROM public.pace)))"),)


@contextmanager
def running(db: Database, made: Plan, folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """`tenantry apply` of a saved plan in a process of its own; killed at the end if it still runs."""
    saved = folder / "plan.json"
    saved.write_text(made.to_json())
    command, pipe = [*CLI, "apply", str(saved), "--dsn", db.dsn, *options], subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    said, errors = process.communicate(timeout=20)
    return process.returncode, said, errors


def batches_done(db: Database) -> int:
    with closing(db.connect()) as conn:
        if not journal.present(conn) or not journal.plans(conn):
            return 0
        cursor = next((row.cursor for row in journal.steps(conn, 1).values() if row.cursor), None)
    return cursor.next if cursor else 0


# From the command line


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_in_a_backfill_stops_after_the_batch(
    db: Database, make_db: MakeDatabase, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    do(db, "CREATE TABLE pace AS SELECT 0.2 AS seconds")
    same = make_db(db)
    do(same, "UPDATE pace SET seconds = 0")
    made = plan(db, column(), backfill(batches=slow()), runs.not_null(), index())
    with running(db, made, tmp_path) as process:
        runs.until(lambda: batches_done(db) > 0)
        process.send_signal(number)
        returned, said, errors = ended(process)
    assert returned == code
    assert "stopping after the batch or statement that runs now" in errors
    assert "stopped as asked, 3 steps are left: run the same command again to go on" in errors
    assert "Traceback" not in errors
    assert "1 step done" in said
    stopped_at = batches_done(db)
    assert states(db) == {"columns.notes.tenant_id": "done", "backfill.notes.tenant_id": "running"}
    filled = query(db, FILLED)
    assert 0 < filled < ROWS  # the batch that ran was finished, and nothing was begun after it
    assert filled == query(db, "SELECT rows FROM tenantry.steps WHERE ordinal = 2")
    (entry,) = status(db.dsn).plans
    assert (entry.state, entry.paused) == ("paused", "stop")

    do(db, "UPDATE pace SET seconds = 0")
    batches = list[Batch]()
    applied = apply(db.dsn, made, listen=lambda e: batches.append(e) if isinstance(e, Batch) else None)
    assert batches[0].done_blocks > stopped_at
    assert (applied.rows, applied.left) == (ROWS - filled, 0)
    assert query(db, FILLED) == ROWS
    apply(same.dsn, made)
    assert runs.catalog(db).digest == runs.catalog(same).digest
    assert status(db.dsn).plans[0].state == "applied"


def test_a_second_signal_cancels_an_index_build_that_waits(
    db: Database, make_db: MakeDatabase, tmp_path: Path
) -> None:
    same = make_db(db)
    made = plan(db, column(), index())
    waits = f"SELECT EXISTS (SELECT FROM pg_stat_activity WHERE {BUILDING} AND wait_event_type = 'Lock')"
    # The column first: its lock would wait for the session that the build shall wait for.
    halted = threading.Event()
    apply(
        db.dsn,
        made,
        listen=lambda event: halted.set() if isinstance(event, StepDone) else None,
        stop=halted.is_set,
    )
    with (
        runs.holding(db, "UPDATE notes SET body = 'y' WHERE id = 1"),
        running(db, made, tmp_path) as process,
    ):
        runs.until(lambda: query(db, waits))
        process.send_signal(signal.SIGINT)
        time.sleep(1)
        assert process.poll() is None  # the first one waits for the statement
        assert query(db, waits) is True
        process.send_signal(signal.SIGINT)
        begun = time.monotonic()
        returned, _, errors = ended(process)
        assert time.monotonic() - begun < 5
        runs.until(lambda: runs.free(db), 5)
        assert query(db, waits) is False
    assert returned == 130
    assert "Ctrl-C again cancels it at once" in errors
    assert "cancelled; what was committed stays, and the same command goes on from there" in errors
    assert "Traceback" not in errors
    assert states(db) == {column().id: "done", index().id: "running"}
    assert query(db, VALID) is False
    assert status(db.dsn).plans[0].state == "interrupted"
    applied = apply(db.dsn, made)
    assert (applied.done, applied.left) == (1, 0)
    assert query(db, VALID) is True
    apply(same.dsn, made)
    assert runs.catalog(db).digest == runs.catalog(same).digest


def test_a_second_sigterm_has_its_own_code(db: Database, tmp_path: Path) -> None:
    do(db, "CREATE TABLE pace AS SELECT 60 AS seconds")
    made = plan(db, column(), backfill(batches=slow()))
    sleeping = (
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'UPDATE ONLY%' AND state = 'active')"
    )
    with running(db, made, tmp_path) as process:
        runs.until(lambda: query(db, sleeping))
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        returned, _, errors = ended(process)
    assert returned == 143
    assert "SIGTERM again cancels it" in errors
    runs.until(lambda: runs.free(db), 5)
    assert query(db, sleeping) is False
    assert query(db, "SELECT count(*) FROM notes WHERE tenant_id IS NOT NULL") == 0


def test_a_signal_before_anything_ran(db: Database, tmp_path: Path) -> None:
    with (
        runs.holding(db, "LOCK TABLE notes IN ACCESS SHARE MODE"),
        running(db, plan(db, column()), tmp_path) as process,
    ):
        tried = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'tenantry apply')"
        runs.until(lambda: query(db, tried))
        runs.until(lambda: query(db, "SELECT to_regclass('tenantry.plans') IS NOT NULL"))
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        begun = time.monotonic()
        returned, said, errors = ended(process)
        assert time.monotonic() - begun < 5  # it does not wait for the lock to the end of its patience
    assert returned == 130
    assert "0 steps done" in said
    assert "Waited for locks" in said
    assert "1 step is left" in errors
    assert not runs.has_column(db)


def test_waits_are_summed_up_where_nobody_looks(db: Database, tmp_path: Path) -> None:
    with (
        runs.holding(db, "LOCK TABLE notes IN ACCESS SHARE MODE") as shop,
        running(db, plan(db, column()), tmp_path) as process,
    ):
        runs.until(lambda: query(db, "SELECT to_regclass('tenantry.steps') IS NOT NULL"))
        runs.until(lambda: query(db, "SELECT sum(waits) FROM tenantry.steps"))
        (entry,) = status(db.dsn).plans  # seen from here while it waits
        assert (entry.state, entry.waits, entry.step) == ("running", 1, column().id)
        shop.rollback()
        returned, said, errors = ended(process)
    assert (returned, "Waited" in errors) == (0, False)
    assert said.startswith("1 step done, 0 already there, 0 rows filled")
    assert "\nWaited for locks 1 time, 1 try begun again.\n" in said


# Signal handlers


def test_handlers_are_put_back_and_the_second_signal_raises() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with stopping() as wish:
        assert not wish()
        signal.raise_signal(signal.SIGINT)
        assert wish()
        assert wish.code == 130
        with pytest.raises(Terminated):
            signal.raise_signal(signal.SIGTERM)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_apply_itself_handles_no_signal(db: Database) -> None:
    handlers = list[object]()

    def listen(event: Event) -> None:
        if isinstance(event, StepStarted):
            handlers.append((signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)))

    expected = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    apply(db.dsn, plan(db, column()), listen=listen)
    assert handlers == [expected]


# From a program


def test_a_wish_between_two_steps(db: Database) -> None:
    made, stop = whole(db), threading.Event()

    def listen(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == "columns.notes.tenant_id":
            stop.set()

    applied = apply(db.dsn, made, listen=listen, stop=stop.is_set)
    assert (applied.done, applied.left, applied.stopped) == (2, 3, True)
    applied = apply(db.dsn, made)
    assert (applied.done, applied.skipped, applied.left, applied.stopped) == (3, 2, 0, False)


def test_a_wish_that_comes_after_the_last_step(db: Database) -> None:
    stop = threading.Event()

    def listen(event: Event) -> None:
        if isinstance(event, StepDone):
            stop.set()

    applied = apply(db.dsn, plan(db, column()), listen=listen, stop=stop.is_set)
    assert (applied.done, applied.left, applied.stopped) == (1, 0, False)
    assert status(db.dsn).plans[0].state == "applied"


def test_a_wish_while_a_lock_is_tried_for(db: Database) -> None:
    stop = threading.Event()
    with runs.holding(db, "LOCK TABLE notes IN ACCESS SHARE MODE"):

        def listen(event: Event) -> None:
            if isinstance(event, Waiting):
                stop.set()

        # A step whose tables are not reserved waits for LOCK_TIMEOUT in each try.
        applied = apply(db.dsn, plan(db, column()), listen=listen, stop=stop.is_set)
    assert (applied.done, applied.left, applied.stopped) == (0, 1, True)
    assert (applied.tally.waits, applied.tally.retries) == (1, 1)


def test_a_wish_while_a_strong_lock_is_tried_for_in_turns(db: Database) -> None:
    asked = iter([False] * 12)
    strong = change(column().id, *column().apply, verify=column().verify, tables=(NOTES,))
    with runs.holding(db, "LOCK TABLE notes IN ACCESS SHARE MODE"):
        applied = apply(db.dsn, plan(db, strong), stop=lambda: next(asked, True))
    assert (applied.left, applied.stopped) == (1, True)
    assert applied.tally.waits > 0
    assert not runs.has_column(db)


def test_a_stop_that_was_asked_for_is_no_interruption(db: Database) -> None:
    made = plan(db, column(), index())
    apply(db.dsn, made, until=Phase.TENANTS)
    (entry,) = status(db.dsn).plans
    assert (entry.state, entry.paused, entry.step) == ("paused", "tenants", column().id)
    assert json.loads(json.dumps(status(db.dsn).data()))["plans"][0]["state"] == "paused"
    with pytest.raises(RuntimeError):
        apply(db.dsn, made, listen=lambda _: (_ for _ in ()).throw(RuntimeError("broken off")))
    (entry,) = status(db.dsn).plans
    assert (entry.state, entry.paused) == ("interrupted", None)

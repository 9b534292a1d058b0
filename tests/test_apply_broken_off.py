"""apply, broken off in every way and resumed; locks that cannot be had; what a broken step leaves."""

import signal
import threading

import psycopg
import pytest

from tenantry import session, verify
from tenantry.apply import apply
from tenantry.errors import ApplyError, LockTimeout
from tenantry.names import QName
from tenantry.plan import Lock, Plan
from tenantry.progress import Batch, Event, Waiting
from tests import runs
from tests.runs import (
    NOTES,
    ROWS,
    backfill,
    change,
    column,
    do,
    has_column,
    index,
    plan,
    query,
    states,
    tenants,
    whole,
)
from tests.servers import Database


@pytest.fixture
def db(db: Database) -> Database:
    do(db, *runs.SCHEMA.split(";\n"))
    return db


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    runs.make_impatient(monkeypatch)


# Outside a transaction


def test_an_invalid_index_is_removed_and_built_again(db: Database) -> None:
    do(db, "UPDATE notes SET touched = id")
    do(db, "UPDATE notes SET touched = 1 WHERE id = 2")
    unique = index("notes_touched_key", unique="touched")
    made = plan(db, unique)
    with pytest.raises(
        ApplyError, match=r"enforce\.notes_touched_key failed: (.|\n)*is duplicated"
    ) as caught:
        apply(db.dsn, made)
    assert caught.value.sqlstate == "23505"
    leftover = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('notes_touched_key')"
    assert query(db, leftover) is False
    assert states(db) == {unique.id: "failed"}
    do(db, "UPDATE notes SET touched = -1 WHERE id = 2")
    assert apply(db.dsn, made).done == 1
    assert query(db, leftover) is True
    assert states(db) == {unique.id: "done"}


def test_work_that_ended_after_its_runner_is_ours(db: Database) -> None:
    # The index was built, and the runner killed before it could say so.
    made = plan(db, column(), index())
    apply(db.dsn, made)
    do(
        db,
        "UPDATE tenantry.plans SET finished_at = NULL",
        "UPDATE tenantry.steps SET state = 'running' WHERE ordinal = 2",
    )
    assert apply(db.dsn, made).skipped == 2
    assert set(states(db).values()) == {"done"}


def test_what_somebody_else_did_after_a_failure_is_not_ours(db: Database) -> None:
    do(db, "CREATE TABLE open ()")
    step = change(
        "columns.tags.colour",
        "ALTER TABLE public.tags ADD COLUMN colour text",
        "SELECT 1 / (SELECT count(*) FROM public.open)",
        verify=verify.query(verify.column(QName("public", "tags"), "colour")),
    )
    made = plan(db, step)
    with pytest.raises(ApplyError, match="division by zero"):
        apply(db.dsn, made)
    do(db, "ALTER TABLE tags ADD COLUMN colour text")
    assert apply(db.dsn, made).skipped == 1
    assert states(db) == {step.id: "skipped"}


# Locks


@pytest.mark.usefixtures("impatient")
def test_a_lock_that_cannot_be_had_names_its_holder(db: Database) -> None:
    made, events = plan(db, tenants(), column()), list[Event]()
    with runs.holding(db, "UPDATE notes SET body = '' WHERE id = 1") as shop:
        with pytest.raises(LockTimeout) as caught:
            apply(db.dsn, made, listen=events.append)
        pid = shop.info.backend_pid
    message = str(caught.value)
    assert "step columns.notes.tenant_id: the lock could not be had in 3 tries (SQLSTATE 55P03)" in message
    assert f"held by process {pid} (shop, idle in transaction for " in message
    assert "UPDATE notes SET body = '' WHERE id = 1" in message
    assert "statement: ALTER TABLE public.notes ADD COLUMN tenant_id text" in message
    assert (
        "Nothing of this step was done. Let those sessions end, then run `tenantry apply` again." in message
    )
    waits = [e for e in events if isinstance(e, Waiting)]
    assert [(e.step, e.tried) for e in waits] == [("columns.notes.tenant_id", n) for n in (1, 2, 3)]
    assert all(f"process {pid}" in e.blocked_by[0] for e in waits)
    assert states(db) == {"tenants.create": "done", "columns.notes.tenant_id": "failed"}
    assert apply(db.dsn, made).done == 1


@pytest.mark.usefixtures("impatient")
def test_a_lock_is_had_in_a_later_try(db: Database) -> None:
    waits = list[Event]()
    with runs.holding(db, "LOCK TABLE notes IN ACCESS SHARE MODE") as shop:

        def listen(event: Event) -> None:
            if isinstance(event, Waiting):
                waits.append(event)
                shop.rollback()

        apply(db.dsn, plan(db, column()), listen=listen)
    assert len(waits) == 1
    assert has_column(db)


def test_a_validation_waits_as_long_as_it_takes(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "LOCK_TIMEOUT", 0.05)
    validate = change(
        "validate",
        "ALTER TABLE public.notes VALIDATE CONSTRAINT c",
        verify=verify.query(verify.constraint(NOTES, "c")),
        lock=Lock.SHARE_UPDATE_EXCLUSIVE,
    )
    do(db, "ALTER TABLE notes ADD CONSTRAINT c CHECK (id > 0) NOT VALID")
    made, events = plan(db, validate), list[Event]()
    with runs.holding(db, "LOCK TABLE notes IN SHARE UPDATE EXCLUSIVE MODE") as shop:
        release = threading.Timer(0.6, shop.rollback)
        release.start()
        apply(db.dsn, made, listen=events.append)
        release.join()
    assert not [e for e in events if isinstance(e, Waiting)]


@pytest.mark.usefixtures("impatient")
def test_a_deadlock_is_tried_again(db: Database) -> None:
    both = change(
        "both",
        "LOCK TABLE public.notes IN ACCESS EXCLUSIVE MODE",
        "ALTER TABLE public.tags ADD COLUMN tenant_id text",
        verify=verify.query(verify.column(QName("public", "tags"), "tenant_id")),
    )
    made, waits = plan(db, both), list[Waiting]()
    waiting = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'tags'::regclass)"

    # Of the two, the runner finds out first and gives way; sooner than anybody could look who is in its way.
    dsn = psycopg.conninfo.make_conninfo(db.dsn, options="-c deadlock_timeout=100ms")
    with runs.holding(db, "SET deadlock_timeout = '60s'", "LOCK TABLE tags IN ACCESS SHARE MODE") as shop:

        def cross() -> None:
            runs.until(lambda: query(db, waiting))
            shop.execute("LOCK TABLE notes IN ACCESS SHARE MODE")

        def listen(event: Event) -> None:
            if isinstance(event, Waiting):
                waits.append(event)
                crossing.join()
                shop.rollback()

        crossing = threading.Thread(target=cross)
        crossing.start()
        apply(dsn, made, listen=listen)
    assert [w.tried for w in waits] == [1]
    assert "waits for AccessExclusiveLock" in waits[0].blocked_by[0]
    assert has_column(db, "tags")


# Killed and stopped


@pytest.mark.parametrize(
    ("event", "step", "skipped"),
    [
        ("StepStarted", "columns.notes.tenant_id", 1),
        ("StepDone", "columns.notes.tenant_id", 2),
        ("StepDone", "backfill.notes.tenant_id", 3),
        ("StepDone", "enforce.notes_tenant_idx", 5),
    ],
)
def test_killed_between_steps(db: Database, event: str, step: str, skipped: int) -> None:
    made = whole(db)
    with runs.child("apply", db, made, stop_at=(event, step)) as process:
        runs.read_until(process, f"{event} {step}")
        process.kill()
        process.wait()
    runs.until(lambda: runs.free(db))
    applied = apply(db.dsn, made)
    assert (applied.plan_id, applied.done, applied.skipped) == (1, 5 - skipped, skipped)
    assert states(db) == {step.id: "done" for step in made}
    assert query(db, "SELECT count(*) FROM notes WHERE touched = 1 AND tenant_id = 'acme'") == ROWS


def test_killed_in_a_backfill_it_goes_on_where_it_was(db: Database) -> None:
    made, batches = plan(db, column(), backfill()), list[Batch]()
    with runs.child("apply", db, made, stop_at=("Batch", "backfill.notes.tenant_id")) as process:
        runs.read_until(process, "Batch backfill.notes.tenant_id")
        process.kill()
        process.wait()
    runs.until(lambda: runs.free(db))
    filled = query(db, "SELECT count(*) FROM notes WHERE touched = 1")
    assert 0 < filled < ROWS
    applied = apply(db.dsn, made, listen=lambda e: batches.append(e) if isinstance(e, Batch) else None)
    assert applied.rows == ROWS - filled
    assert batches[0].done_blocks == 128  # the first 64 were committed before
    assert batches[0].rows > filled
    assert query(db, "SELECT rows FROM tenantry.steps WHERE ordinal = 2") == ROWS
    assert query(db, "SELECT count(*) FROM notes WHERE touched = 1 AND tenant_id = 'acme'") == ROWS


@pytest.fixture
def gate(db: Database) -> Plan:
    """A plan whose second step lasts for a minute while the table ``closed`` has a row."""
    do(db, "CREATE TABLE closed (seconds int)", "INSERT INTO closed VALUES (60)")
    slow = change(
        "slow",
        "SELECT pg_sleep(seconds) FROM public.closed",
        *column(table="tags").apply,
        verify=column(table="tags").verify,
    )
    return plan(db, column(), slow)


SLEEPING = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(seconds)%' AND state = 'active')"


def test_killed_in_a_statement_the_server_gives_it_up(db: Database, gate: Plan) -> None:
    with runs.child("apply", db, gate) as process:
        runs.read_until(process, "StepStarted slow")
        runs.until(lambda: query(db, SLEEPING))
        process.kill()
        process.wait()
    runs.until(lambda: runs.free(db), 15)
    assert not has_column(db, "tags")
    do(db, "DELETE FROM closed")
    assert apply(db.dsn, gate).done == 1


def test_killed_in_a_concurrent_build(db: Database) -> None:
    made, building = plan(db, column(), index()), "query LIKE 'CREATE INDEX CONCURRENTLY%'"
    with runs.child("apply", db, made, stop_at=("StepDone", column().id)) as process:
        runs.read_until(process, f"StepDone {column().id}")
        with runs.holding(db, "UPDATE notes SET body = 'y' WHERE id = 1"):
            assert process.stdin is not None
            process.stdin.close()  # go on
            waits = (
                f"SELECT EXISTS (SELECT FROM pg_stat_activity WHERE {building} AND wait_event_type = 'Lock')"
            )
            runs.until(lambda: query(db, waits))
            process.kill()
            process.wait()
            runs.until(lambda: runs.free(db), 15)
    assert states(db) == {column().id: "done", index().id: "running"}
    built = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('notes_tenant_idx')"
    assert query(db, built) is False
    assert apply(db.dsn, made).done == 1
    assert query(db, built) is True


def test_ctrl_c_cancels_the_statement_and_leaves_what_is_done(db: Database, gate: Plan) -> None:
    with runs.child("apply", db, gate) as process:
        runs.read_until(process, "StepStarted slow")
        runs.until(lambda: query(db, SLEEPING))
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=15)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in error
    runs.until(lambda: runs.free(db), 2)
    assert query(db, SLEEPING) is False
    assert states(db) == {"columns.notes.tenant_id": "done"}
    do(db, "DELETE FROM closed")
    assert apply(db.dsn, gate).done == 1

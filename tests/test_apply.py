"""apply: plans made by hand, run, broken off in every way and resumed, on a real server."""

import signal
import threading
from contextlib import closing
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry import apply as module
from tenantry import journal, session, verify
from tenantry.apply import Applied, apply, next_blocks
from tenantry.errors import ApplyError, CatalogError, Drift, LockTimeout
from tenantry.names import QName
from tenantry.plan import Lock, Plan
from tenantry.progress import Batch, Event, StepDone, StepSkipped, StepStarted, Waiting
from tests import runs
from tests.runs import (
    NOTES,
    ROWS,
    backfill,
    change,
    column,
    do,
    index,
    not_null,
    plan,
    query,
    states,
    tenants,
)
from tests.servers import Database


@pytest.fixture
def db(db: Database) -> Database:
    do(db, *runs.SCHEMA.split(";\n"))
    return db


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few tries, soon given up; the timeout stays above deadlock_timeout (1 s)."""
    monkeypatch.setattr(session, "LOCK_TIMEOUT", 1.5)
    monkeypatch.setattr(session, "TRIES", 3)
    monkeypatch.setattr(session, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(session, "JITTER", 0.01)


def whole(db: Database) -> Plan:
    """Every kind of step."""
    return plan(db, tenants(), column(), backfill(), not_null(), index())


def has_column(db: Database, table: str = "notes", name: str = "tenant_id") -> bool:
    return bool(query(db, verify.query(verify.column(QName("public", table), name))))


def has_journal(db: Database) -> bool:
    return bool(query(db, "SELECT to_regnamespace('tenantry') IS NOT NULL"))


# The straight way


def test_every_step_is_done_told_and_entered(db: Database) -> None:
    made, events = whole(db), list[Event]()
    applied = apply(db.dsn, made, listen=events.append)
    assert (applied.plan_id, applied.done, applied.skipped, applied.rows) == (1, 5, 0, ROWS)
    assert applied.seconds > 0
    assert query(db, "SELECT count(*) FROM notes WHERE tenant_id = 'acme' AND touched = 1") == ROWS
    assert query(db, verify.query(verify.not_null(NOTES, "tenant_id"))) is True
    assert states(db) == {step.id: "done" for step in made}
    started = [e for e in events if isinstance(e, StepStarted)]
    assert started == [StepStarted(step.id, n, 5) for n, step in enumerate(made, 1)]
    assert [(e.step, e.rows) for e in events if isinstance(e, StepDone)] == [
        (step.id, ROWS if step.kind == "backfill" else 0) for step in made
    ]
    with closing(db.connect()) as conn:
        (entry,) = journal.plans(conn)
    assert (entry.digest, entry.plan, entry.applied_by) == (made.digest, made, "postgres")
    assert entry.finished_at is not None
    assert entry.reverted_at is None
    assert runs.free(db)


def test_percent_signs_and_colons_are_left_alone(db: Database) -> None:
    filling = backfill("a.owner || '%s %(x)s %% :p ::text'")
    apply(db.dsn, plan(db, tenants(), column(), filling))
    assert query(db, "SELECT name FROM tenants") == "100% :name %s %(x)s ::text"
    assert query(db, "SELECT DISTINCT tenant_id FROM notes") == "acme%s %(x)s %% :p ::text"


def test_a_step_that_holds_already_is_skipped(db: Database) -> None:
    do(db, "ALTER TABLE tags ADD COLUMN tenant_id text")
    made, events = plan(db, column(), column(table="tags")), list[Event]()
    applied = apply(db.dsn, made, listen=events.append)
    assert (applied.done, applied.skipped) == (1, 1)
    assert events[-1] == StepSkipped("columns.tags.tenant_id", 2, 2)
    assert states(db) == {"columns.notes.tenant_id": "done", "columns.tags.tenant_id": "skipped"}


def test_an_empty_plan_leaves_no_trace(db: Database) -> None:
    applied = apply(db.dsn, plan(db))
    assert applied == Applied(None, 0, 0, 0, applied.seconds)
    assert not has_journal(db)


def test_a_statement_is_sent_alone(db: Database) -> None:
    do(
        db,
        "CREATE TABLE seen (id serial, tag text, query text)",
        "CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO public.seen (tag, query) VALUES (tg_tag, current_query()); END'",
        "CREATE EVENT TRIGGER note ON ddl_command_end EXECUTE FUNCTION note()",
    )
    two = ("ALTER TABLE public.notes ADD COLUMN a text", "ALTER TABLE public.notes ADD COLUMN b text")
    apply(db.dsn, plan(db, change("two", *two, verify=verify.query(verify.column(NOTES, "b")))))
    with closing(db.connect()) as conn:
        seen = conn.execute("SELECT query FROM seen WHERE query LIKE '%notes%' ORDER BY id").fetchall()
    assert [text for (text,) in seen] == list(two)


def test_the_databases_own_timeouts_do_not_apply(db: Database) -> None:
    name = psycopg.sql.Identifier(db.name).as_string(None)
    do(
        db,
        f"ALTER DATABASE {name} SET statement_timeout = '80ms'",
        f"ALTER DATABASE {name} SET lock_timeout = '80ms'",
        f"ALTER DATABASE {name} SET idle_in_transaction_session_timeout = '80ms'",
        f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'",
    )
    slow = change("slow", "SELECT pg_sleep(0.3)", *column().apply, verify=column().verify)
    settings = change(
        "settings",
        "CREATE TABLE public.settings AS SELECT current_setting('row_security') AS row_security,"
        " current_setting('transaction_isolation') AS isolation",
        verify=verify.query(verify.relation(QName("public", "settings"))),
    )
    apply(db.dsn, plan(db, slow, settings))
    assert query(db, "SELECT row_security || ', ' || isolation FROM settings") == "off, read committed"


# What stops it before anything changes


def test_a_changed_catalog_is_drift(db: Database) -> None:
    made = whole(db)
    do(db, "ALTER TABLE tags ADD COLUMN colour text")
    with pytest.raises(Drift, match=r"another catalog(.|\n)*nothing was changed\. Run `tenantry plan` again"):
        apply(db.dsn, made)
    assert not has_column(db)
    assert not has_journal(db)


def test_an_applied_plan_is_not_applied_again(db: Database) -> None:
    made = whole(db)
    apply(db.dsn, made)
    with pytest.raises(
        Drift, match=r"applied already, as plan 1 at .*nothing was changed\. Run `tenantry plan`"
    ):
        apply(db.dsn, made)


def test_an_interrupted_plan_is_not_resumed_over_a_newer_one(db: Database) -> None:
    gate = change("gate", "SELECT 1 / (SELECT count(*) FROM public.open)", verify="SELECT false")
    do(db, "CREATE TABLE open ()")
    first = plan(db, column(), gate)
    with pytest.raises(ApplyError, match="division by zero"):
        apply(db.dsn, first)
    apply(db.dsn, plan(db, column(table="tags")))
    with pytest.raises(Drift, match="applied already, as plan 1"):
        apply(db.dsn, first)


def test_rows_without_a_tenant_are_found_first_and_all_at_once(db: Database) -> None:
    do(db, "UPDATE notes SET owner = NULL WHERE id <= 2", "UPDATE tags SET name = NULL WHERE id = 1")
    other = replace(
        backfill(),
        id="backfill.tags",
        object="tags",
        unresolved="SELECT count(*) FROM tags WHERE name IS NULL",
    )
    with pytest.raises(ApplyError) as caught:
        apply(db.dsn, plan(db, tenants(), column(), backfill(), other))
    message = str(caught.value)
    assert "nothing was changed" in message
    assert "notes: its backfill source yields no tenant for 2 rows" in message
    assert "tags: its backfill source yields no tenant for 1 row" in message
    assert "decide on another `backfill` for the table in the spec and run `tenantry plan` again" in message
    assert not has_journal(db)
    assert not has_column(db)


def test_a_source_that_cannot_be_asked_stops_it(db: Database) -> None:
    broken = backfill(unresolved="SELECT count(*) FROM public.owners")
    with pytest.raises(
        ApplyError, match=r'backfill\.notes\.tenant_id failed: relation "public.owners"'
    ) as caught:
        apply(db.dsn, plan(db, column(), broken))
    assert (caught.value.step, caught.value.sqlstate) == (broken.id, "42P01")
    assert caught.value.statement == broken.unresolved
    assert not has_journal(db)


def test_a_second_runner_is_refused(db: Database) -> None:
    made, refusals = whole(db), list[str]()

    def listen(event: Event) -> None:
        if isinstance(event, StepDone) and not refusals:
            with pytest.raises(ApplyError) as caught:
                apply(db.dsn, made)
            refusals.append(str(caught.value))
            pid = query(db, "SELECT pid FROM pg_stat_activity WHERE application_name = 'tenantry apply'")
            assert f"process {pid} (tenantry apply, user postgres) holds the lock" in refusals[0]

    apply(db.dsn, made, listen=listen)
    assert "another session converts this database" in refusals[0]
    assert "wait until it ends" in refusals[0]


def test_a_server_that_is_too_old_is_refused(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "MIN_VERSION", 990_000)
    with pytest.raises(
        CatalogError, match=r"the server is PostgreSQL 1\d\.\d+ and Tenantry needs 99 .*upgrade"
    ):
        apply(db.dsn, Plan("s", "c", "online", ()))


def test_a_server_that_is_not_there(tmp_path: Any) -> None:
    with pytest.raises(CatalogError, match=r"cannot be reached: (.|\n)*check the DSN or the PG\*"):
        apply(f"host={tmp_path} dbname=x", Plan("s", "c", "online", ()))


# Failures


def test_a_failing_statement_leaves_what_is_done_and_says_everything(db: Database) -> None:
    do(db, "INSERT INTO tags VALUES (98, 'twice')", "ALTER TABLE tags DROP CONSTRAINT tags_name_key")
    do(db, "INSERT INTO tags VALUES (99, 'twice')")
    unique = change(
        "enforce.tags.name",
        "ALTER TABLE public.tags ADD COLUMN half text",
        "ALTER TABLE public.tags ADD CONSTRAINT tags_name_unique UNIQUE (name)",
        verify=verify.query(verify.constraint(QName("public", "tags"), "tags_name_unique")),
        object="tags",
    )
    made = plan(db, column(), unique, column(table="tags"))
    with pytest.raises(ApplyError) as caught:
        apply(db.dsn, made)
    error, message = caught.value, str(caught.value)
    assert (error.step, error.statement, error.sqlstate) == (unique.id, unique.apply[1], "23505")
    assert 'step enforce.tags.name failed: could not create unique index "tags_name_unique"' in message
    assert "(SQLSTATE 23505)" in message
    assert "detail: Key (name)=(twice) is duplicated." in message
    assert f"statement: {unique.apply[1]}" in message
    assert "What is done stays done. Remove the cause, then run `tenantry apply` again" in message
    assert has_column(db)
    assert not has_column(db, "tags", "half")  # the step is one transaction
    assert states(db) == {"columns.notes.tenant_id": "done", unique.id: "failed"}
    assert query(db, "SELECT error FROM tenantry.steps WHERE state = 'failed'") == message

    do(db, "DELETE FROM tags WHERE id = 99")
    applied = apply(db.dsn, made)
    assert (applied.plan_id, applied.done, applied.skipped) == (1, 2, 1)
    assert set(states(db).values()) == {"done"}  # the one that was skipped now was ours
    assert query(db, "SELECT count(*) FROM tenantry.steps WHERE error IS NOT NULL") == 0


def test_a_false_verification_rolls_the_step_back(db: Database) -> None:
    wrong = replace(column(), verify=verify.query(verify.column(NOTES, "organisation")))
    with pytest.raises(ApplyError) as caught:
        apply(db.dsn, plan(db, wrong))
    message = str(caught.value)
    assert f"step {wrong.id} ran but its verification is false: {wrong.verify}" in message
    assert "It was rolled back" in message
    assert "look at notes, then run `tenantry apply` again" in message
    assert caught.value.statement is None
    assert not has_column(db)
    assert states(db) == {wrong.id: "failed"}


def test_a_false_verification_outside_a_transaction(db: Database) -> None:
    wrong = replace(index(unique="id"), verify="SELECT false", cleanup="")
    with pytest.raises(
        ApplyError, match=r"ran but its verification is false(.|\n)*What it did is still there"
    ):
        apply(db.dsn, plan(db, wrong))
    assert query(db, verify.query(verify.index(QName("public", "notes_tenant_idx")))) is True


def test_a_verification_cannot_change_anything(db: Database) -> None:
    do(
        db,
        "CREATE FUNCTION wipe() RETURNS boolean LANGUAGE sql AS 'DELETE FROM public.notes; SELECT true'",
    )
    apply(db.dsn, plan(db, replace(column(), verify="SELECT public.wipe()")))
    assert query(db, "SELECT count(*) FROM notes") == ROWS


def test_a_verification_that_names_what_is_not_there_is_not_true_yet(db: Database) -> None:
    early = replace(column(), verify="SELECT count(tenant_id) >= 0 FROM public.notes")
    assert apply(db.dsn, plan(db, early)).done == 1


def test_a_verification_that_fails_otherwise_stops_it(db: Database) -> None:
    with pytest.raises(
        ApplyError, match=r"columns\.notes\.tenant_id failed: division by zero .SQLSTATE 22012"
    ):
        apply(db.dsn, plan(db, replace(column(), verify="SELECT 1 / 0 = 1")))
    assert not has_column(db)


def test_a_deferred_constraint_fails_in_its_step(db: Database) -> None:
    do(db, "CREATE TABLE children (note int REFERENCES notes DEFERRABLE INITIALLY DEFERRED)")
    orphan = change(
        "orphan", "INSERT INTO public.children VALUES (-1)", verify="SELECT true FROM public.children"
    )
    with pytest.raises(ApplyError, match=r"step orphan failed: .*violates foreign key") as caught:
        apply(db.dsn, plan(db, orphan))
    assert (caught.value.step, caught.value.sqlstate) == ("orphan", "23503")
    assert query(db, "SELECT count(*) FROM children") == 0


def test_a_lost_connection_is_an_error_that_can_be_resumed(db: Database) -> None:
    made = whole(db)

    def listen(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == "columns.notes.tenant_id":
            do(
                db,
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE application_name = 'tenantry apply'",
            )

    with pytest.raises(ApplyError, match=r"terminating connection(.|\n)*run `tenantry apply` again"):
        apply(db.dsn, made, listen=listen)
    applied = apply(db.dsn, made)
    assert (applied.done, applied.skipped) == (3, 2)


def test_a_session_that_lost_its_lock_goes_no_further(db: Database) -> None:
    # What a pooler in transaction mode does to a session, in one statement.
    lose = change("lose", "SELECT pg_advisory_unlock_all()", *column().apply, verify=column().verify)
    with pytest.raises(
        ApplyError, match=r"the lock against a second runner.*pooler.*connect to the server itself"
    ):
        apply(db.dsn, plan(db, lose, column(table="tags")))
    assert not has_column(db, "tags")


def test_an_exception_of_the_listener_ends_the_run_between_steps(db: Database) -> None:
    def listen(event: Event) -> None:
        if isinstance(event, StepDone):
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        apply(db.dsn, whole(db), listen=listen)
    assert states(db) == {"tenants.create": "done"}
    assert runs.free(db)


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


# Backfill


@pytest.mark.parametrize(
    ("blocks", "seconds", "wanted"),
    [
        (64, 0.25, 64),
        (64, 0.2, 80),
        (64, 0.001, 128),  # at most double
        (64, 0.0, 128),
        (1000, 2.5, 100),
        (1000, 1000.0, 8),
        (16_000, 0.01, 16_384),
        (3, 0.1, 8),
    ],
)
def test_the_size_of_the_next_batch(blocks: int, seconds: float, wanted: int) -> None:
    assert next_blocks(blocks, seconds) == wanted


@given(st.integers(8, 16_384), st.floats(0, 1e6))
def test_a_batch_stays_within_bounds(blocks: int, seconds: float) -> None:
    after = next_blocks(blocks, seconds)
    assert 8 <= after <= 16_384
    assert after <= max(2 * blocks, 8)
    assert seconds <= module.BATCH_SECONDS or after <= blocks


def test_a_backfill_goes_in_batches_and_catches_rows_that_come_meanwhile(db: Database) -> None:
    made, batches = plan(db, column(), backfill()), list[Batch]()

    def listen(event: Event) -> None:
        if isinstance(event, Batch):
            batches.append(event)
            do(db, f"INSERT INTO notes (id, owner, body) VALUES ({ROWS + len(batches)}, 'late', 'x')")

    applied = apply(db.dsn, made, listen=listen)
    assert len(batches) > 2
    blocks = batches[0].of_blocks
    assert [b.done_blocks for b in batches] == sorted({b.done_blocks for b in batches})
    assert (batches[0].done_blocks, batches[-1].done_blocks) == (64, blocks)
    assert 0 < batches[0].rows < batches[1].rows
    assert applied.rows == ROWS + len(batches)
    assert query(db, "SELECT count(*) FROM notes WHERE tenant_id IS NULL") == 0
    assert query(db, "SELECT count(*) FROM notes WHERE tenant_id = 'late'") == len(batches)
    assert query(db, "SELECT max(touched) FROM notes") == 1
    assert query(db, "SELECT rows FROM tenantry.steps WHERE ordinal = 2") == applied.rows


def test_a_late_row_without_a_source_is_counted(db: Database) -> None:
    def listen(event: Event) -> None:
        if isinstance(event, Batch) and event.done_blocks == event.of_blocks:
            do(db, "INSERT INTO notes (id, body) VALUES (-1, 'nobody''s')")

    made = plan(db, column(), backfill())
    with pytest.raises(ApplyError) as caught:
        apply(db.dsn, made, listen=listen)
    message = str(caught.value)
    assert "step backfill.notes.tenant_id: after 3 sweeps notes still has rows without a tenant" in message
    assert "the source yields no tenant for 1 row; correct them" in message
    assert "run `tenantry apply` again" in message
    do(db, "UPDATE notes SET owner = 'acme' WHERE id = -1")
    assert apply(db.dsn, made).rows == 1
    assert query(db, "SELECT max(touched) FROM notes WHERE id > 0") == 1


def test_rows_that_keep_coming_end_in_an_error(db: Database) -> None:
    # The function finds its table by the application's search_path.
    do(
        db,
        "CREATE FUNCTION another() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN"
        " INSERT INTO notes (id, owner, body) SELECT min(id) - 1, 'more', 'x' FROM notes; RETURN NULL; END$$",
        "CREATE TRIGGER another AFTER UPDATE ON notes EXECUTE FUNCTION another()",
    )
    with pytest.raises(ApplyError, match=r"more keep arriving; make the application set the tenant"):
        apply(db.dsn, plan(db, column(), backfill()))
    assert states(db)["backfill.notes.tenant_id"] == "failed"


def test_before_and_after_surround_each_batch(db: Database) -> None:
    do(
        db,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'closed'; END$$",
        "CREATE TRIGGER refuse BEFORE UPDATE ON notes EXECUTE FUNCTION refuse()",
        "CREATE TABLE children (note int REFERENCES notes DEFERRABLE INITIALLY DEFERRED)",
    )
    with pytest.raises(ApplyError, match="closed"):
        apply(db.dsn, plan(db, column(), backfill()))
    batches = list[Event]()

    def listen(event: Event) -> None:
        if isinstance(event, Batch):
            batches.append(event)
            assert query(db, "SELECT tgenabled FROM pg_trigger WHERE tgname = 'refuse'") == "O"

    quiet = backfill(
        before=("ALTER TABLE public.notes DISABLE TRIGGER refuse",),
        after=("ALTER TABLE public.notes ENABLE TRIGGER refuse",),
    )
    apply(db.dsn, plan(db, quiet), listen=listen)
    assert len(batches) > 1


def test_partitions_are_filled_one_by_one(db: Database) -> None:
    do(
        db,
        "CREATE TABLE events (id int, day int, tenant_id text) PARTITION BY LIST (day)",
        "CREATE TABLE events_1 PARTITION OF events FOR VALUES IN (1)",
        "CREATE TABLE events_2 PARTITION OF events FOR VALUES IN (2)",
        "INSERT INTO events SELECT n, 1 + n % 2 FROM generate_series(1, 50000) n",
    )
    where = "WHERE tenant_id IS NULL"
    filling = backfill(
        update=f"UPDATE public.events SET tenant_id = 't' {where}",
        batches=tuple(
            (
                QName("public", name),
                f"UPDATE ONLY public.{name} SET tenant_id = 't' {where}"
                " AND ctid >= %(first)s::tid AND ctid < %(last)s::tid",
            )
            for name in ("events_1", "events_2")
        ),
        unresolved="SELECT 0",
        verify=verify.query(verify.no_nulls(QName("public", "events"), "tenant_id")),
    )
    batches = list[Batch]()
    made = plan(db, filling)
    applied = apply(db.dsn, made, listen=lambda e: batches.append(e) if isinstance(e, Batch) else None)
    assert applied.rows == 50_000
    assert batches[-1].done_blocks == batches[-1].of_blocks
    assert [b.done_blocks for b in batches] == sorted({b.done_blocks for b in batches})
    with closing(db.connect()) as conn:
        assert journal.steps(conn, 1)[1].cursor == journal.Cursor(
            1, batches[-1].of_blocks // 2, batches[-1].of_blocks // 2
        )


def test_a_backfill_without_batches_is_one_update(db: Database) -> None:
    assert apply(db.dsn, plan(db, column(), backfill(batches=()))).rows == ROWS


def test_a_table_that_went_away_is_named(db: Database) -> None:
    gone = backfill(batches=((QName("public", "gone"), "SELECT 1"),))
    with pytest.raises(ApplyError, match=r"table gone is not there any more; run `tenantry plan` again"):
        apply(db.dsn, plan(db, column(), gone))


@pytest.mark.usefixtures("impatient")
def test_a_locked_row_holds_up_one_batch_only(db: Database) -> None:
    waits, made = list[Waiting](), plan(db, column(), backfill())
    apply_column = replace(made, steps=made.steps)
    with runs.holding(db) as shop:

        def listen(event: Event) -> None:
            match event:
                case StepDone(step="columns.notes.tenant_id"):
                    shop.execute("UPDATE notes SET body = 'y' WHERE id = 1")
                case Waiting():
                    waits.append(event)
                    shop.commit()

        apply(db.dsn, apply_column, listen=listen)
    assert [(w.step, w.tried) for w in waits] == [("backfill.notes.tenant_id", 1)]
    assert query(db, "SELECT body || tenant_id FROM notes WHERE id = 1") == "yacme"


# Row level security


def forced(db: Database) -> str:
    """An owner of everything who bypasses nothing, with FORCE on notes; returns his name."""
    owner = db.role("owner")
    name = psycopg.sql.Identifier(db.name).as_string(None)
    do(
        db,
        f"CREATE ROLE {owner} LOGIN",
        f"GRANT CREATE ON DATABASE {name} TO {owner}",
        f"ALTER SCHEMA public OWNER TO {owner}",
        f"ALTER TABLE notes OWNER TO {owner}",
        f"ALTER TABLE tags OWNER TO {owner}",
    )
    return owner


FORCE = change(
    "isolate.notes",
    "CREATE POLICY tenant_isolation ON public.notes USING (tenant_id = current_setting('app.t', true))",
    "ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE public.notes FORCE ROW LEVEL SECURITY",
    verify=verify.query(verify.row_security(NOTES)),
    revert=(
        "ALTER TABLE public.notes NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE public.notes DISABLE ROW LEVEL SECURITY",
        "DROP POLICY tenant_isolation ON public.notes",
    ),
)


def test_hidden_rows_are_an_error_and_not_zero(db: Database) -> None:
    owner = forced(db)
    do(db, *column().apply, *FORCE.apply)
    with pytest.raises(
        ApplyError, match=r"row-level security(.|\n)*use a superuser or a role with BYPASSRLS"
    ):
        apply(psycopg.conninfo.make_conninfo(db.dsn, user=owner), plan(db, backfill()))


def test_an_owner_resumes_after_force(db: Database) -> None:
    owner = forced(db)
    do(db, "CREATE TABLE open ()", f"ALTER TABLE open OWNER TO {owner}")
    gate = change(
        "gate", "SELECT 1 / (SELECT count(*) FROM public.open)", *column(table="tags").apply,
        verify=column(table="tags").verify,
    )  # fmt: skip
    made, dsn = (
        plan(db, column(), backfill(), FORCE, gate),
        psycopg.conninfo.make_conninfo(db.dsn, user=owner),
    )
    with pytest.raises(ApplyError, match="division by zero"):
        apply(dsn, made)
    do(db, "ALTER TABLE open ADD COLUMN n int", "INSERT INTO open VALUES (1)")
    applied = apply(dsn, made)
    assert (applied.done, applied.skipped) == (1, 3)


# The journal


def test_nobody_else_may_read_or_write_the_journal(db: Database) -> None:
    other = db.role("other")
    do(
        db,
        f"CREATE ROLE {other} LOGIN",
        f"ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {other}, PUBLIC",
        f"ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO {other}",
    )
    apply(db.dsn, plan(db, column()))
    granted = (
        "SELECT count(*) FROM pg_class, aclexplode(relacl) WHERE relnamespace = 'tenantry'::regnamespace"
    )
    assert query(db, f"{granted} AND grantee <> relowner") == 0
    assert query(db, f"SELECT has_schema_privilege('{other}', 'tenantry', 'USAGE')") is False
    with pytest.raises(
        CatalogError, match=r"the journal, cannot be read: it belongs to postgres .*connect as its owner"
    ):
        apply(psycopg.conninfo.make_conninfo(db.dsn, user=other), plan(db, column(table="tags")))


def test_a_role_that_may_not_make_the_journal(db: Database) -> None:
    other = db.role("other")
    do(db, f"CREATE ROLE {other} LOGIN", f"ALTER TABLE notes OWNER TO {other}")
    made, dsn = plan(db, column()), psycopg.conninfo.make_conninfo(db.dsn, user=other)
    with pytest.raises(ApplyError, match=r"schema tenantry, .*cannot be made: .*a superuser run: ") as caught:
        apply(dsn, made)
    do(db, str(caught.value).partition("a superuser run: ")[2])
    assert apply(dsn, made).done == 1


def test_a_newer_journal_is_refused(db: Database) -> None:
    apply(db.dsn, plan(db, column()))
    do(db, "UPDATE tenantry.journal_layout SET version = 2")
    with pytest.raises(CatalogError, match=r"layout 2 and .* knows layout 1; use the version of Tenantry"):
        apply(db.dsn, plan(db, column(table="tags")))
    assert not has_column(db, "tags")


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

"""apply: backfills, batch by batch, while rows come; and row level security in their way."""

import threading
import time
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry import filling, journal, verify
from tenantry.apply import apply
from tenantry.errors import ApplyError, LockTimeout
from tenantry.filling import next_blocks
from tenantry.names import QName
from tenantry.progress import Batch, Event, StepDone, Waiting
from tests import runs
from tests.runs import FORCE, ROWS, backfill, change, column, do, owned_by_a_role, plan, query, states
from tests.servers import Database


@pytest.fixture
def db(db: Database) -> Database:
    do(db, *runs.SCHEMA.split(";\n"))
    return db


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    runs.make_impatient(monkeypatch)


# Backfill


@pytest.mark.parametrize(
    ("blocks", "seconds", "wanted"),
    [
        (64, 0.12, 64),
        (64, 0.096, 80),
        (64, 0.001, 128),  # at most double
        (64, 0.0, 128),
        (1000, 1.2, 100),
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
    assert seconds <= filling.BATCH_SECONDS or after <= blocks


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


def test_a_row_held_for_long_holds_up_nobody_else(db: Database) -> None:
    """The batch lets go of what it has changed; the row's blocks come last, and by then its holder has a name."""
    do(db, *column().apply)
    waits, unfilled, slowest, over = list[Waiting](), list[int](), [0.0], threading.Event()
    missing = "SELECT count(*) FROM notes WHERE tenant_id IS NULL"

    def work() -> None:
        with closing(db.connect()) as conn:
            while not over.is_set():
                begun = time.monotonic()
                conn.execute("UPDATE notes SET body = body WHERE id = 1400 + (random() * 99)::int")
                slowest[0] = max(slowest[0], time.monotonic() - begun)

    with runs.holding(db, "SELECT FROM notes WHERE id = 1500 FOR UPDATE") as shop:
        holder = shop.info.backend_pid

        def listen(event: Event) -> None:
            if isinstance(event, Waiting):
                waits.append(event)
                if event.blocked_by:
                    unfilled.append(query(db, missing))
                    shop.rollback()

        application = threading.Thread(target=work)
        application.start()
        try:
            applied = apply(db.dsn, plan(db, backfill()), listen=listen)
        finally:
            over.set()
            application.join()
    assert slowest[0] < 1.0
    assert [w.tried for w in waits[:2]] == [1, 2]
    assert f"process {holder} (shop, idle in transaction" in waits[-1].blocked_by[0]
    # All but eight blocks of at most eight rows, and what the application moved to the end of the table.
    assert 0 < unfilled[0] <= 8 * 8 + 100
    assert (applied.rows, query(db, missing)) == (ROWS, 0)
    assert applied.tally.waits == len(waits)
    assert applied.tally.retries == len(waits) - 1  # once it passed over the blocks instead
    assert query(db, "SELECT waits FROM tenantry.steps") == len(waits)


@pytest.mark.usefixtures("impatient")
def test_a_row_that_stays_locked_ends_the_run_with_all_others_filled(db: Database) -> None:
    do(db, *column().apply)
    made = plan(db, backfill())
    with runs.holding(db, "SELECT FROM notes WHERE id = 1500 FOR UPDATE"):
        with pytest.raises(
            LockTimeout, match=r"could not be had in 3 tries .*\n  held by process \d+ \(shop,"
        ):
            apply(db.dsn, made)
        left = query(db, "SELECT count(*) FROM notes WHERE tenant_id IS NULL")
    assert 0 < left <= 8 * 8
    assert apply(db.dsn, made).rows == left
    assert query(db, "SELECT max(touched) FROM notes") == 1


def test_a_table_that_is_locked_is_waited_for_patiently(db: Database) -> None:
    do(db, *column().apply)
    waits = list[Waiting]()
    with runs.holding(db, "LOCK TABLE notes IN SHARE MODE") as shop:
        release = threading.Timer(1.0, shop.rollback)
        release.start()
        apply(
            db.dsn, plan(db, backfill()), listen=lambda e: waits.append(e) if isinstance(e, Waiting) else None
        )
        release.join()
    assert waits == []


# Row level security


def test_hidden_rows_are_an_error_and_not_zero(db: Database) -> None:
    dsn = owned_by_a_role(db)
    do(db, *column().apply, *FORCE.apply)
    with pytest.raises(ApplyError, match=r"row-level security(.|\n)*a superuser or a role with BYPASSRLS"):
        apply(dsn, plan(db, backfill()))


def test_an_owner_resumes_after_force(db: Database) -> None:
    do(db, "CREATE TABLE open ()", "GRANT SELECT ON open TO PUBLIC")
    dsn, tags = owned_by_a_role(db), column(table="tags")
    gate = change("gate", "SELECT 1 / (SELECT count(*) FROM public.open)", *tags.apply, verify=tags.verify)
    made = plan(db, column(), backfill(), FORCE, gate)
    with pytest.raises(ApplyError, match="division by zero"):
        apply(dsn, made)
    do(db, "ALTER TABLE open ADD COLUMN n int", "INSERT INTO open VALUES (1)")
    applied = apply(dsn, made)
    assert (applied.done, applied.skipped) == (1, 3)

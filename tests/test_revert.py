"""revert: what apply made goes, what was there before stays, and a refusal or a failure changes nothing."""

import re
from contextlib import closing
from dataclasses import replace

import pytest

from tenantry import introspect, journal, verify
from tenantry.apply import apply
from tenantry.catalog import Catalog
from tenantry.cli.revert import revert as verb
from tenantry.errors import ApplyError, CatalogError, LockTimeout
from tenantry.names import QName
from tenantry.plan import Plan
from tenantry.progress import Event, StepDone, StepStarted, Waiting
from tenantry.revert import Reverted, revert
from tests import runs
from tests.runs import (
    FORCE,
    NOTES,
    ROWS,
    backfill,
    change,
    column,
    do,
    index,
    not_null,
    owned_by_a_role,
    plan,
    query,
    states,
    tenants,
)
from tests.servers import Database

CHECKSUM = "SELECT md5(string_agg(format('%s %s %s', id, owner, body), '|' ORDER BY id)) FROM notes"
ONE_TENANT = ("SELECT count(*) FROM public.tenants WHERE id <> 'acme'", "tenants holds tenants besides acme.")

# A unique key gives way to one per tenant: the revert makes the old one again.
SWAP = change(
    "enforce.tags.name",
    "ALTER TABLE public.tags ADD COLUMN tenant_id text",
    "ALTER TABLE public.tags DROP CONSTRAINT tags_name_key",
    "ALTER TABLE public.tags ADD CONSTRAINT tags_tenant_name_unique UNIQUE (tenant_id, name)",
    verify=verify.query(verify.constraint(QName("public", "tags"), "tags_tenant_name_unique")),
    revert=(
        "ALTER TABLE public.tags DROP CONSTRAINT tags_tenant_name_unique",
        "ALTER TABLE public.tags ADD CONSTRAINT tags_name_key UNIQUE (name)",
        "ALTER TABLE public.tags DROP COLUMN tenant_id",
    ),
    object="tags",
)


@pytest.fixture
def db(db: Database) -> Database:
    do(db, *runs.SCHEMA.split(";\n"))
    return db


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    runs.make_impatient(monkeypatch)


def shape(catalog: Catalog) -> Catalog:
    """A catalog without what the server counts by itself."""
    tables = tuple(replace(t, rows=0, bytes=0, dropped_columns=0) for t in catalog.tables)
    return replace(catalog, tables=tables)


def converted(db: Database) -> Plan:
    """A database with every kind of step applied."""
    made = plan(db, tenants(), column(), backfill(), not_null(), index(), SWAP, FORCE, guards=(ONE_TENANT,))
    assert apply(db.dsn, made).done == 7
    return made


# The way back


def test_everything_is_as_before(db: Database) -> None:
    before, rows = shape(runs.catalog(db)), query(db, CHECKSUM)
    made, events = converted(db), list[Event]()
    assert shape(runs.catalog(db)) != before
    reverted = revert(db.dsn, listen=events.append)
    assert reverted == Reverted((1,), 7, 0, True, reverted.seconds)
    assert shape(runs.catalog(db)) == before
    assert query(db, CHECKSUM) == rows
    assert set(states(db).values()) == {"reverted"}
    assert query(db, "SELECT reverted_at > finished_at FROM tenantry.plans") is True
    backwards = [step.id for step in reversed(made.steps)]
    assert [e.step for e in events if isinstance(e, StepStarted)] == backwards
    assert [e.step for e in events if isinstance(e, StepDone)] == backwards
    assert runs.free(db)


def test_there_and_back_and_there_again(db: Database) -> None:
    made = converted(db)
    revert(db.dsn)
    applied = apply(db.dsn, made)
    assert (applied.plan_id, applied.done) == (2, 7)
    assert revert(db.dsn).plans == (2,)


def test_nothing_to_revert(db: Database) -> None:
    first = revert(db.dsn)
    assert first == Reverted((), 0, 0, True, first.seconds)
    converted(db)
    revert(db.dsn)
    assert revert(db.dsn).plans == ()


def test_the_verb_says_that_there_is_nothing(db: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert verb(db.dsn, yes=True) == 0
    assert capsys.readouterr().out == "There is nothing to revert: no plan is applied to this database.\n"


def test_the_verb_says_when_it_is_not_as_before(db: Database, capsys: pytest.CaptureFixture[str]) -> None:
    apply(db.dsn, plan(db, column()))
    do(db, "ALTER TABLE tags ADD COLUMN colour text")
    assert verb(db.dsn, yes=True) == 0
    said = capsys.readouterr().out
    assert "1 step of 1 plan reverted" in said
    assert "The schema is not the one from before the conversion: what others have changed" in said
    do(db, "ALTER TABLE tags DROP COLUMN colour")
    apply(db.dsn, plan(db, column()))
    assert verb(db.dsn, yes=True) == 0
    assert "from before the conversion" not in capsys.readouterr().out


def test_what_was_there_before_stays(db: Database) -> None:
    do(db, "ALTER TABLE notes ADD COLUMN tenant_id text")
    before = shape(runs.catalog(db))
    made = plan(db, column(), backfill(foreign_rows=""), not_null())
    assert apply(db.dsn, made).skipped == 1
    reverted = revert(db.dsn)
    assert (reverted.steps, reverted.left, reverted.restored) == (2, 1, True)
    assert shape(runs.catalog(db)) == before
    assert states(db)["columns.notes.tenant_id"] == "skipped"


def test_a_plan_that_broke_off_is_undone_as_far_as_it_came(db: Database) -> None:
    before = shape(runs.catalog(db))
    refused = change("refused", "SELECT 1 / 0", verify="SELECT false", revert=("SELECT 1 / 0",))
    with pytest.raises(ApplyError, match="division by zero"):
        apply(db.dsn, plan(db, column(), backfill(), refused, tenants(), guards=(ONE_TENANT,)))
    reverted = revert(db.dsn)  # its guard asks a table that was never made
    assert (reverted.steps, reverted.left, reverted.restored) == (2, 2, True)
    assert shape(runs.catalog(db)) == before
    assert states(db)["refused"] == "failed"


def test_half_an_index_goes_too(db: Database) -> None:
    before = shape(runs.catalog(db))
    do(db, "UPDATE notes SET touched = 1 WHERE id <= 2")
    unique = index("notes_touched_key", unique="touched")
    with pytest.raises(ApplyError, match="duplicated"):
        apply(db.dsn, plan(db, column(), unique))
    assert shape(runs.catalog(db)) != before
    assert revert(db.dsn).restored is True
    assert shape(runs.catalog(db)) == before


def test_half_an_index_that_is_gone_is_no_error(db: Database) -> None:
    do(db, "UPDATE notes SET touched = 1 WHERE id <= 2")
    with pytest.raises(ApplyError, match="duplicated"):
        apply(db.dsn, plan(db, column(), index("notes_touched_key", unique="touched")))
    do(db, "DROP INDEX notes_touched_key")
    assert revert(db.dsn).restored is True


def test_what_somebody_undid_already_is_no_error(db: Database) -> None:
    before = shape(runs.catalog(db))
    converted(db)
    do(
        db,
        "DROP INDEX notes_tenant_idx",
        "ALTER TABLE tags DROP CONSTRAINT tags_tenant_name_unique",
        "ALTER TABLE tags ADD CONSTRAINT tags_name_key UNIQUE (name)",
    )
    assert revert(db.dsn).restored is True
    assert shape(runs.catalog(db)) == before


def test_later_changes_of_others_are_told(db: Database) -> None:
    converted(db)
    do(db, "CREATE TABLE later (id int)")
    assert revert(db.dsn).restored is False
    assert query(db, "SELECT to_regclass('later') IS NOT NULL") is True


def test_plans_go_newest_first(db: Database) -> None:
    before = shape(runs.catalog(db))
    apply(db.dsn, plan(db, column()))
    apply(db.dsn, plan(db, backfill(), not_null()))
    events = list[Event]()
    reverted = revert(db.dsn, listen=events.append)
    assert (reverted.plans, reverted.steps, reverted.restored) == ((2, 1), 3, True)
    assert [e.step for e in events if isinstance(e, StepStarted)] == [
        not_null().id, backfill().id, column().id,
    ]  # fmt: skip
    assert shape(runs.catalog(db)) == before


def test_only_the_plans_from_one_on(db: Database) -> None:
    apply(db.dsn, plan(db, column()))
    middle = shape(runs.catalog(db))
    apply(db.dsn, plan(db, backfill(), not_null()))
    apply(db.dsn, plan(db, tenants()))
    reverted = revert(db.dsn, plan_id=2)
    assert (reverted.plans, reverted.restored) == ((3, 2), True)
    assert shape(runs.catalog(db)) == middle
    with pytest.raises(
        ApplyError, match=r"plan 2 cannot be reverted: .*applied \(1\); nothing was changed\..*status"
    ):
        revert(db.dsn, plan_id=2)


# Refusals


def test_every_reason_is_given_and_nothing_is_changed(db: Database) -> None:
    converted(db)
    do(
        db,
        "INSERT INTO tenants VALUES ('other', 'Other'), ('third', 'Third')",
        "UPDATE notes SET tenant_id = 'other' WHERE id <= 3",
    )
    there = shape(runs.catalog(db))
    with pytest.raises(ApplyError) as caught:
        revert(db.dsn)
    message = str(caught.value)
    assert "the revert is refused; nothing was changed" in message
    assert "tenants holds tenants besides acme. (2 found)" in message
    assert "3 rows of notes belong to a tenant that the backfill's source does not give" in message
    assert "they would be merged with the others" in message
    assert (
        "Move those rows to a database of their own, or remove them, then run `tenantry revert` again"
        in message
    )
    assert shape(runs.catalog(db)) == there
    assert set(states(db).values()) == {"done"}
    assert query(db, "SELECT count(*) FROM tenantry.plans WHERE reverted_at IS NOT NULL") == 0

    do(db, "DELETE FROM notes WHERE tenant_id = 'other'", "DELETE FROM tenants WHERE id <> 'acme'")
    assert revert(db.dsn).restored is True


def test_the_guards_of_all_plans_are_asked(db: Database) -> None:
    apply(db.dsn, plan(db, tenants(), guards=(ONE_TENANT,)))
    apply(db.dsn, plan(db, column()))
    do(db, "INSERT INTO tenants VALUES ('other', 'Other')")
    with pytest.raises(ApplyError, match=r"tenants besides acme\. \(1 found\)"):
        revert(db.dsn)
    assert revert(db.dsn, plan_id=2).plans == (2,)


def test_rows_that_came_to_an_empty_table_count(db: Database) -> None:
    do(db, "DELETE FROM notes")
    apply(db.dsn, plan(db, column(), backfill()))
    assert states(db)["backfill.notes.tenant_id"] == "skipped"
    do(db, "INSERT INTO notes (id, owner, body, tenant_id) VALUES (1, 'acme', 'x', 'other')")
    with pytest.raises(ApplyError, match=r"1 row of notes belong to a tenant"):
        revert(db.dsn)


def test_a_guard_that_cannot_be_asked_refuses(db: Database) -> None:
    converted(db)
    do(db, "ALTER TABLE tenants RENAME TO customers")
    with pytest.raises(
        ApplyError, match=r'relation "public.tenants" does not exist(.|\n)*Nothing was changed'
    ):
        revert(db.dsn)
    assert set(states(db).values()) == {"done"}


@pytest.mark.usefixtures("impatient")
def test_a_row_that_comes_between_question_and_lock_is_seen(db: Database) -> None:
    converted(db)
    waits = list[Waiting]()
    with runs.holding(db, "INSERT INTO tenants VALUES ('other', 'Other')") as shop:

        def listen(event: Event) -> None:
            if isinstance(event, Waiting):  # the first question was answered: there was no such row
                waits.append(event)
                shop.commit()

        with pytest.raises(ApplyError, match=r"tenants besides acme\. \(1 found\)"):
            revert(db.dsn, listen=listen)
    assert len(waits) == 1
    assert set(states(db).values()) == {"done"}


# Failures


def test_a_failure_in_the_middle_leaves_all_as_it_was(db: Database) -> None:
    converted(db)
    do(db, "CREATE VIEW report AS SELECT tenant_id, count(*) FROM notes GROUP BY tenant_id")
    there = shape(runs.catalog(db))
    with pytest.raises(ApplyError) as caught:
        revert(db.dsn)
    error, message = caught.value, str(caught.value)
    assert (error.step, error.sqlstate) == ("columns.notes.tenant_id", "2BP01")
    assert "step columns.notes.tenant_id failed: cannot drop column tenant_id" in message
    assert "detail: view report depends on column tenant_id" in message
    assert "statement: ALTER TABLE public.notes DROP COLUMN tenant_id" in message
    assert "Nothing was changed. Remove the cause, then run `tenantry revert` again." in message
    assert shape(runs.catalog(db)) == there
    assert set(states(db).values()) == {"done"}
    do(db, "DROP VIEW report")
    assert revert(db.dsn).restored is True


def test_killed_in_the_middle_nothing_has_happened(db: Database) -> None:
    converted(db)
    there = shape(runs.catalog(db))
    with runs.child("revert", db, stop_at=("StepDone", "columns.notes.tenant_id")) as process:
        runs.read_until(process, "StepDone columns.notes.tenant_id")
        process.kill()
        process.wait()
    runs.until(lambda: runs.free(db))
    assert shape(runs.catalog(db)) == there
    assert set(states(db).values()) == {"done"}
    assert revert(db.dsn).restored is True


@pytest.mark.usefixtures("impatient")
def test_tables_that_cannot_be_locked(db: Database) -> None:
    converted(db)
    with runs.holding(db, "SELECT FROM notes LIMIT 1") as shop:
        pid = shop.info.backend_pid
        with pytest.raises(LockTimeout) as caught:
            revert(db.dsn)
    message = str(caught.value)
    assert "the lock could not be had in 3 tries" in message
    assert re.search(rf"held by process {pid} \(shop, idle in transaction", message)
    assert 'LOCK TABLE "public"."notes", "public"."tenants" IN ACCESS EXCLUSIVE MODE' in message
    assert "run `tenantry revert` again" in message
    assert set(states(db).values()) == {"done"}


def test_a_second_runner_is_refused(db: Database) -> None:
    converted(db)
    refused = list[str]()

    def listen(event: Event) -> None:
        with pytest.raises(ApplyError) as caught:
            revert(db.dsn)
        refused.append(str(caught.value))

    revert(db.dsn, listen=listen)
    assert re.search(
        r"process \d+ \(tenantry revert, user postgres\) holds the lock; wait until it ends", refused[0]
    )


def test_a_plan_that_this_version_cannot_read(db: Database) -> None:
    converted(db)
    do(db, "UPDATE tenantry.plans SET body = '{}'")
    with pytest.raises(
        CatalogError, match=r"plan 1 in the journal cannot be read(.|\n)*use the version of Tenantry"
    ):
        revert(db.dsn)


# An owner whom row level security binds


@pytest.mark.parametrize("foreign", [False, True])
def test_an_owner_under_force_sees_all_rows(db: Database, foreign: bool) -> None:
    dsn = owned_by_a_role(db)
    made = plan(db, column(), backfill(), FORCE)
    apply(dsn, made)
    if not foreign:
        assert revert(dsn).restored is True
        return
    do(db, "UPDATE notes SET tenant_id = 'other' WHERE id = 1")
    with pytest.raises(ApplyError, match="1 row of notes belong"):
        revert(dsn)
    assert query(db, verify.query(verify.row_security(NOTES))) is True


def test_the_journal_keeps_the_history(db: Database) -> None:
    converted(db)
    revert(db.dsn)
    with closing(db.connect()) as conn:
        (entry,) = journal.plans(conn)
        assert entry.reverted_at is not None
        assert journal.steps(conn, 1)[3].rows == ROWS
        assert "tenantry" not in [s.name for s in introspect.read(conn).schemas]

"""status: what another terminal sees before, during and after."""

import json
import re
from contextlib import suppress
from dataclasses import replace

import psycopg
import pytest

from tenantry.apply import apply
from tenantry.errors import ApplyError, CatalogError
from tenantry.plan import Phase
from tenantry.progress import Batch, Event, StepStarted, Waiting
from tenantry.revert import revert
from tenantry.status import Filling, Status, status, to_json, to_text
from tests import runs
from tests.runs import ROWS, backfill, change, column, do, not_null, plan, query
from tests.servers import Database


@pytest.fixture
def db(db: Database) -> Database:
    do(db, *runs.SCHEMA.split(";\n"))
    return db


def test_a_database_without_a_journal(db: Database) -> None:
    assert status(db.dsn) == Status(None, ())


def test_during_and_after_apply(db: Database) -> None:
    made, seen = plan(db, column(), backfill(), not_null()), dict[str, Status]()

    def listen(event: Event) -> None:
        if isinstance(event, Batch | StepStarted):
            seen.setdefault(f"{type(event).__name__} {event.step}", status(db.dsn))

    apply(db.dsn, made, listen=listen)

    first = seen["StepStarted columns.notes.tenant_id"]
    assert first.runner is not None
    assert first.runner.application == "tenantry apply"
    (entry,) = first.plans
    assert (entry.state, entry.step, dict(entry.counts)) == (
        "running",
        "columns.notes.tenant_id",
        {"pending": 3},
    )

    (entry,) = seen["Batch backfill.notes.tenant_id"].plans
    assert (entry.state, entry.step) == ("running", "backfill.notes.tenant_id")
    assert dict(entry.counts) == {"done": 1, "running": 1, "pending": 1}
    assert entry.filling is not None
    assert (entry.filling.table, entry.filling.tables, entry.filling.done) == (1, 1, 64)
    assert entry.filling.blocks > 64
    assert 0 < entry.filling.rows < ROWS

    after = status(db.dsn)
    (entry,) = after.plans
    assert after.runner is None
    assert (entry.id, entry.state, dict(entry.counts)) == (1, "applied", {"done": 3})
    assert (entry.step, entry.filling, entry.error) == (None, None, None)
    assert entry.finished_at is not None


def test_after_a_failure(db: Database) -> None:
    broken = change("broken", "SELECT 1 / 0", verify="SELECT false")
    with pytest.raises(ApplyError) as caught:
        apply(db.dsn, plan(db, column(), broken, not_null()))
    (entry,) = status(db.dsn).plans
    assert (entry.state, entry.step, entry.error) == ("interrupted", "broken", str(caught.value))
    assert dict(entry.counts) == {"done": 1, "failed": 1, "pending": 1}


def test_an_interrupted_backfill_says_where_it_is(db: Database) -> None:
    def listen(event: Event) -> None:
        if isinstance(event, Batch):
            raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        apply(db.dsn, plan(db, column(), backfill()), listen=listen)
    (entry,) = status(db.dsn).plans
    blocks = query(db, "SELECT cursor -> 'last' FROM tenantry.steps WHERE ordinal = 2")
    rows = query(db, "SELECT count(*) FROM notes WHERE tenant_id IS NOT NULL")
    assert (entry.state, entry.step) == ("interrupted", "backfill.notes.tenant_id")
    assert entry.filling is not None
    assert entry.filling == Filling(
        1, 1, 64, blocks, rows, round(6400 / blocks, 1), entry.filling.rate, entry.filling.left
    )


def test_after_a_revert_the_newest_comes_first(db: Database) -> None:
    apply(db.dsn, plan(db, column()))
    revert(db.dsn)
    apply(db.dsn, plan(db, column()))
    assert [(p.id, p.state) for p in status(db.dsn).plans] == [(2, "applied"), (1, "reverted")]


def test_a_reverted_plan_is_at_no_phase(db: Database) -> None:
    apply(db.dsn, plan(db, column()))
    assert status(db.dsn).plans[0].phase is Phase.CUTOVER
    revert(db.dsn)
    found = status(db.dsn)
    assert (found.plans[0].state, found.plans[0].phase, found.plans[0].step) == ("reverted", None, None)
    assert "complete up to" not in to_text(found)
    assert json.loads(to_json(found))["safe"] == "Nothing has changed for the application."


def test_a_pause_says_where_and_what_may_be_deployed(db: Database) -> None:
    enforce = replace(not_null(), phase=Phase.ENFORCE)
    apply(db.dsn, plan(db, column(), backfill(), enforce), until=Phase.BACKFILL)
    found = status(db.dsn)
    (entry,) = found.plans
    assert (entry.state, entry.paused, entry.phase, entry.step) == (
        "paused",
        "backfill",
        Phase.BACKFILL,
        enforce.id,
    )
    text = to_text(found)
    assert "plan 1  paused  profile online" in text
    assert (
        "  complete up to phase backfill\n  paused: --until backfill was asked for; `tenantry apply` goes on"
        in text
    )
    assert text.endswith("Old code works unchanged; every row that was there has its tenant.\n")
    document = json.loads(to_json(found))
    assert document["version"] == 1
    assert (document["plans"][0]["state"], document["plans"][0]["paused"]) == ("paused", "backfill")


def test_a_later_plan_does_not_undo_the_cut_over(db: Database) -> None:
    apply(db.dsn, plan(db, column()))
    enforce = replace(not_null(), phase=Phase.ENFORCE)
    apply(db.dsn, plan(db, backfill(), enforce), until=Phase.BACKFILL)
    assert to_text(status(db.dsn)).endswith("Only code that sets the tenant works.\n")


def test_how_fast_and_how_long(db: Database) -> None:
    seen, told = list[Status](), list[Batch]()

    def listen(event: Event) -> None:
        if isinstance(event, Batch):
            told.append(event)
            seen.append(status(db.dsn))

    apply(db.dsn, plan(db, column(), backfill(rows=ROWS)), listen=listen)
    for event, found in zip(told, seen, strict=True):
        (entry,) = found.plans
        assert entry.filling is not None
        assert (entry.filling.done, entry.filling.blocks) == (event.done_blocks, event.of_blocks)
        assert (entry.rows, entry.of_rows, entry.filling.rows) == (event.rows, ROWS, event.rows)
        assert entry.filling.rate > 0
        assert event.rate > 0
        assert event.left is not None
        assert entry.filling.left == pytest.approx(event.left, abs=0.5)
    assert told[-1].left == 0
    text = to_text(seen[0])
    assert re.search(r"filling: \d+ %, block 64 of \d+, \d+ rows, \d+ rows/s, \d+ s left\n", text)
    assert f"rows filled in all, of about {ROWS}" in text


def test_waits_are_added_up_over_runs(db: Database) -> None:
    def stopping(event: Event) -> None:
        if isinstance(event, Waiting):
            raise KeyboardInterrupt

    made = plan(db, column())
    for _ in range(2):
        with runs.holding(db, "LOCK TABLE notes IN ACCESS SHARE MODE"), suppress(KeyboardInterrupt):
            apply(db.dsn, made, listen=stopping)
    (entry,) = status(db.dsn).plans
    assert (entry.state, entry.waits, entry.retries) == ("interrupted", 2, 0)
    assert "  waited for locks 2 times, 0 tries begun again\n" in to_text(status(db.dsn))
    apply(db.dsn, made)
    assert status(db.dsn).plans[0].waits == 2


def test_it_waits_for_nobody(db: Database) -> None:
    apply(db.dsn, plan(db, column()))
    with runs.holding(db, "LOCK TABLE notes IN ACCESS EXCLUSIVE MODE"):
        assert status(psycopg.conninfo.make_conninfo(db.dsn, options="-c statement_timeout=5s")).plans


def test_it_is_json(db: Database) -> None:
    apply(db.dsn, plan(db, column()))
    data = json.loads(json.dumps(status(db.dsn).data()))
    assert data["runner"] is None
    assert (data["plans"][0]["id"], data["plans"][0]["counts"]) == (1, {"done": 1})


def test_a_role_that_may_not_look(db: Database) -> None:
    other = db.role("other")
    do(db, f"CREATE ROLE {other} LOGIN")
    apply(db.dsn, plan(db, column()))
    with pytest.raises(
        CatalogError, match=r"the journal, cannot be read: it belongs to postgres .*connect as its owner"
    ):
        status(psycopg.conninfo.make_conninfo(db.dsn, user=other))

"""Estimates: what kind of work a step is, how long that takes, what it writes, and how a plan tells it."""

import json
from typing import Any

import pytest

from tenantry import estimate
from tenantry.names import QName
from tenantry.plan import Backfill, Change, Lock, Phase, Plan
from tenantry.report.plan import span, to_json, to_text
from tests.sample_plans import plan

T = QName("public", "t")
MILLION = 1_000_000


def change(*apply: str, **fields: Any) -> Change:
    standard: dict[str, Any] = {"lock": Lock.ACCESS_EXCLUSIVE, "tables": (T,), "rows": MILLION}
    name = fields.pop("id", "enforce.t.x")
    fields = (
        {"phase": Phase.ENFORCE, "object": "t", "why": "Why.", "verify": "SELECT true"} | standard | fields
    )
    return Change(id=name, apply=apply, **fields)


def filling(**fields: Any) -> Backfill:
    standard: dict[str, Any] = {
        "id": "backfill.t.tenant_id", "phase": Phase.BACKFILL, "object": "t", "why": "Why.", "update": "UPDATE t",
        "batches": ((T, "UPDATE t"),), "unresolved": "SELECT 0", "foreign_rows": "SELECT 0", "verify": "SELECT true",
        "rows": MILLION, "bytes": 200_000_000,
    }  # fmt: skip
    return Backfill(**(standard | fields))


# What a statement does with the rows is told by its words, never by a name in quotes.
@pytest.mark.parametrize(
    ("statements", "work"),
    [
        (['ALTER TABLE "t" ADD COLUMN "c" text DEFAULT \'VALIDATE CONSTRAINT\''], None),
        (['ALTER TABLE "t" ADD CONSTRAINT "c" CHECK ("c" IS NOT NULL) NOT VALID'], None),
        (['ALTER TABLE "t" ADD CONSTRAINT "c" FOREIGN KEY ("a") REFERENCES "p" ("a") NOT VALID'], None),
        (['ALTER TABLE "t" ADD CONSTRAINT "c" UNIQUE USING INDEX "i"'], None),
        (['ALTER TABLE "t" DROP CONSTRAINT "p"', 'ALTER TABLE "t" ADD CONSTRAINT "p" PRIMARY KEY USING INDEX "i"'], None),
        (['ALTER TABLE "t" ALTER COLUMN "c" SET NOT NULL', 'ALTER TABLE "t" DROP CONSTRAINT "c"'], None),
        (['ALTER TABLE "t" DROP CONSTRAINT "CREATE INDEX"'], None),
        (['ALTER TABLE "t" ALTER COLUMN "c" SET NOT NULL'], "scan"),
        (['ALTER TABLE "t" ADD CONSTRAINT "c" CHECK ("c" <> \'\')'], "scan"),
        (['INSERT INTO "p" ("id")\nSELECT DISTINCT "c" FROM "t"'], "scan"),
        (['ALTER TABLE "t" ADD CONSTRAINT "c" FOREIGN KEY ("a") REFERENCES "p" ("a")'], "reference"),
        (['ALTER TABLE "t" VALIDATE CONSTRAINT "c"'], "reference"),
        (['DROP INDEX "i"', 'CREATE UNIQUE INDEX "i" ON "t" ("c")'], "build"),
        (['CREATE INDEX CONCURRENTLY "i" ON "t" ("c")'], "build"),
        (['ALTER TABLE "t" ADD CONSTRAINT "c" UNIQUE ("a")'], "build"),
        (['ALTER TABLE "t" ADD CONSTRAINT "c" EXCLUDE USING gist ("a" WITH =)'], "build"),
    ],
)  # fmt: skip
def test_the_kind_of_work_decides(statements: list[str], work: estimate.Work | None) -> None:
    took = estimate.estimate(change(*statements))
    expected = estimate.INSTANT + (MILLION / estimate.SPEED[work] if work else 0)
    assert took == estimate.Estimate(expected, expected, expected)
    assert took.weak == 0


def test_a_check_is_validated_faster_than_a_reference() -> None:
    validate = 'ALTER TABLE "t" VALIDATE CONSTRAINT "c"'
    check = estimate.estimate(change(validate, lock=Lock.SHARE_UPDATE_EXCLUSIVE, tables=()))
    reference = estimate.estimate(change(validate, lock=Lock.SHARE_UPDATE_EXCLUSIVE))
    assert check is not None
    assert reference is not None
    assert check.seconds < reference.seconds


@pytest.mark.parametrize("lock", list(Lock))
def test_only_locks_that_the_application_waits_for_are_strong(lock: Lock) -> None:
    took = estimate.estimate(change('CREATE INDEX "i" ON "t" ("c")', lock=lock))
    assert took is not None
    strong = lock in (Lock.SHARE, Lock.SHARE_ROW_EXCLUSIVE, Lock.ACCESS_EXCLUSIVE)
    assert (took.strong, took.weak) == ((took.seconds, 0) if strong else (0, took.seconds))


def test_a_backfill_holds_back_writers_only_while_triggers_are_off_and_then_batch_by_batch() -> None:
    quiet = estimate.estimate(filling())
    assert quiet is not None
    assert (quiet.strong, quiet.longest) == (0, 0)
    assert quiet.seconds == pytest.approx(25, abs=1)
    loud = estimate.estimate(filling(lock=Lock.SHARE_ROW_EXCLUSIVE))
    assert loud is not None
    assert (loud.strong, loud.longest) == (loud.seconds, estimate.BATCH)


def test_analyze_looks_at_a_sample() -> None:
    few, many = (
        estimate.estimate(change('ANALYZE "t" ("c")', rows=n, lock=Lock.SHARE_UPDATE_EXCLUSIVE))
        for n in (100, 100 * MILLION)
    )
    assert few is not None
    assert many is not None
    assert few.seconds < 0.01
    assert many.seconds < 1


def test_an_unknown_number_of_rows_is_no_estimate() -> None:
    assert estimate.estimate(change('CREATE INDEX "i" ON "t" ("c")', rows=0)) is None
    assert estimate.estimate(filling(rows=0)) is None
    assert estimate.estimate(change('ALTER TABLE "t" ADD COLUMN "c" text', rows=0)) is not None


def test_a_table_that_the_plan_makes_is_known_to_be_empty() -> None:
    index = change('CREATE INDEX "i" ON "t" ("c")', rows=0, id="audit.i")
    made = change('CREATE TABLE "t" ()', rows=0, tables=())
    assert estimate.estimates([index]) == (None,)
    assert estimate.estimates([made, index]) == (
        estimate.estimate(made),
        estimate.estimate(index, empty=True),
    )


def test_sums_tell_what_they_leave_out() -> None:
    steps = [
        change('CREATE INDEX "i" ON "t" ("c")'),
        change('CREATE INDEX "j" ON "t" ("c")', lock=Lock.SHARE_UPDATE_EXCLUSIVE),
        change('CREATE INDEX "k" ON "t" ("c")', rows=0),
    ]
    first = estimate.estimate(steps[0])
    assert first is not None
    sum_ = estimate.total(estimate.estimates(steps))
    assert sum_ == estimate.Total(2 * first.seconds, first.seconds, first.seconds, 1)
    assert sum_.weak == first.seconds
    assert estimate.total([]) == estimate.Total(0, 0, 0, 0)


def test_what_is_written() -> None:
    assert estimate.room([change('ALTER TABLE "t" VALIDATE CONSTRAINT "c"')]) == estimate.Room(0, 0)
    build = estimate.room([change('CREATE INDEX "i" ON "t" ("c")')])
    assert build == estimate.Room(estimate.ENTRY * MILLION, estimate.ENTRY * MILLION)
    both = estimate.room([change('CREATE INDEX "i" ON "t" ("c")'), filling()])
    assert both == estimate.Room(build.disk + 200_000_000, build.wal + estimate.UPDATED * MILLION)


# In a report


def big() -> Plan:
    return plan(
        change('ALTER TABLE "t" ADD COLUMN "c" text', id="columns.t.c", phase=Phase.COLUMNS),
        filling(rows=10 * MILLION),
        change('CREATE INDEX "i" ON "t" ("c")', id="enforce.t.i", rows=0, bytes=8192, lock=Lock.SHARE),
        profile="online",
    )


def test_the_text_of_a_plan_tells_the_time_of_long_steps_phases_and_in_all() -> None:
    text = to_text(big())
    assert (
        "  backfill.t.tenant_id  [lock ROW EXCLUSIVE; about 10000000 rows, 191 MB; about 4 min; in batches]"
        in text
    )
    assert "backfill: existing rows get their tenant (about 4 min)" in text
    assert "  columns.t.c  [lock ACCESS EXCLUSIVE; about 1000000 rows, 0 B]" in text
    assert (
        "  enforce.t.i  [lock SHARE; about 0 rows, 8 kB; time unknown: the table is empty or was never analyzed]"
        in text
    )
    (line,) = [line for line in text.splitlines() if line.startswith("Time, roughly:")]
    assert line == (
        "Time, roughly: 4 min in all, 5 ms of it under locks that the application waits for (at most 5 ms in one "
        "piece); 1 step is not counted, for tables that are empty or were never analyzed."
    )
    assert "Time" not in to_text(plan())


def test_the_json_of_a_plan_tells_all_times() -> None:
    seconds = json.loads(to_json(big()))["seconds"]
    assert seconds["steps"]["enforce.t.i"] is None
    assert seconds["steps"]["columns.t.c"] == {"all": 0.005, "strong": 0.005}
    assert seconds["steps"]["backfill.t.tenant_id"] == {"all": 250.005, "strong": 0}
    assert seconds["phases"]["backfill"] == {"all": 250.005, "strong": 0, "longest": 0, "unknown_steps": 0}
    assert (seconds["all"], seconds["strong"], seconds["unknown_steps"]) == (250.01, 0.005, 1)
    assert list(seconds["phases"]) == ["columns", "backfill", "enforce"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.005, "5 ms"), (0.42, "0.4 s"), (9.96, "10.0 s"), (33, "33 s"), (600, "10 min")]
)
def test_spans_of_time(seconds: float, text: str) -> None:
    assert span(seconds) == text

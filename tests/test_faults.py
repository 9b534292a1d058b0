"""apply, broken off at every statement in every way: run again, it ends as if nothing had happened.

By default every point of two small cases is walked, and samples of the rest; ``TENANTRY_ALL_FAULTS=1`` takes each
point of each subject, alone and one after another. ``TENANTRY_FAULT_SEED`` moves the samples.
"""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tenantry import apply, planner, revert, session, spec
from tenantry.errors import ApplyError, LockTimeout, PlanError
from tenantry.names import QName
from tenantry.plan import Phase, Plan
from tenantry.spec import Constant, TableRule
from tests import corpus, faults, reference, runs
from tests.faults import ALL, KINDS, SEED, Conn, Point, Run, Subject
from tests.servers import Database, Server

# Partitions; a tenant that comes from another table; keys that are replaced; and the reference application.
# With each, how many points there are to one that the default run strikes.
EVERY = {"partitioned_primary_key": 1, "backfill_mapping": 1, "natural_primary_key": 7, "reference": 61}
ALONE = 2  # of each subject
PARTS = 20 if ALL else 1  # of all of them
pytestmark = pytest.mark.timeout(3600 if ALL else 300)
subjects = pytest.mark.parametrize("name", EVERY)

Subjects = Callable[[str], Subject]


@pytest.fixture(scope="module")
def subject(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subjects]:
    """Subjects by name, each made once."""
    made: dict[str, Subject] = {}
    with server.databases() as make:

        def get(name: str) -> Subject:
            if name not in made:
                made[name] = faults.subject(name, make(), tmp_path_factory.mktemp("subject"))
            return made[name]

        yield get


# Every statement


@subjects
def test_broken_off_again_and_again(name: str, subject: Subjects) -> None:
    chosen = subject(name)
    every = 1 if ALL else EVERY[name]
    with chosen.copy() as db:
        count = faults.walk(db, chosen.plan, faults.in_turns(every))
        assert count >= len(chosen.points) // every
        faults.check(db, chosen)
        # The journal says truly what is ours, so nothing stays behind.
        assert revert.revert(db.dsn).restored


@pytest.mark.parametrize("part", range(PARTS))
@subjects
def test_broken_off_once(name: str, part: int, subject: Subjects) -> None:
    chosen = subject(name)
    apart = PARTS if ALL else len(chosen.points) // ALONE
    numbers = range((SEED + part) % apart, len(chosen.points), apart)
    assert numbers
    for number in numbers:
        faults.alone(chosen, chosen.points[number], KINDS[number % len(KINDS)])


@pytest.mark.parametrize("name", [*EVERY, *(c.name for c in corpus.cases() if ALL and not c.refused)])
def test_what_a_step_did_holds_to_the_end(name: str, subject: Subjects) -> None:
    """A later step of the same plan undoes no earlier one, whose resumption would do it again."""
    chosen = subject(name)
    with chosen.copy() as db:
        apply.apply(db.dsn, chosen.plan)
        with closing(db.connect()) as conn:
            undone = [step.id for step in chosen.plan if not corpus.holds(conn, step)]
    assert undone == []


# Inside statements


@pytest.mark.parametrize("way", ["pg_terminate_backend(%s, 10000)", "pg_cancel_backend(%s)"])
@pytest.mark.parametrize(
    "in_the_way",
    [
        "LOCK TABLE cities, countries, grades, country_grades IN ROW EXCLUSIVE MODE",  # it waits for writers
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM cities",  # for old snapshots
    ],
)
def test_broken_off_inside_a_concurrent_build(subject: Subjects, in_the_way: str, way: str) -> None:
    chosen, invalid = subject("natural_primary_key"), list[int]()
    with chosen.copy() as db:

        def strike_at(point: Point, conn: Conn) -> bool | threading.Thread:
            if not point.text.startswith("CREATE") or "CONCURRENTLY" not in point.text:
                return False
            shop, pid = db.connect(autocommit=False), conn.info.backend_pid
            shop.execute(in_the_way.encode())

            def act() -> None:
                with closing(shop), closing(db.connect()) as admin:
                    admin.execute(f"SELECT {way}".encode(), [pid])
                    invalid.append(runs.query(db, "SELECT count(*) FROM pg_index WHERE NOT indisvalid"))

            return faults.while_it_waits(conn, act)

        builds = sum("CONCURRENTLY" in s for step in chosen.plan for s in step.apply)
        assert faults.walk(db, chosen.plan, strike_at) == builds > 3
        assert invalid == [1] * builds
        faults.check(db, chosen)


# Backfills

SHOP = """
CREATE TABLE tenants (id text PRIMARY KEY, name text NOT NULL, slug text NOT NULL UNIQUE);
INSERT INTO tenants SELECT 't' || n, 'Company ' || n, 'company-' || n FROM generate_series(0, 2) AS n;
CREATE TABLE customers (id int PRIMARY KEY, company text NOT NULL);
INSERT INTO customers SELECT n, 'company-' || n % 3 FROM generate_series(1, 30) AS n;
CREATE TABLE notes (id int PRIMARY KEY, customer int NOT NULL REFERENCES customers, body text NOT NULL);
INSERT INTO notes SELECT n, 1 + n % 30, repeat('x', 1000) FROM generate_series(1, 3000) AS n;
"""
SHOP_SPEC = """
[roles]
app = "{app}"
[tables.customers]
scope = "tenant"
backfill = {{ column = "company", matches = "slug" }}
primary_key = "global"
[tables.notes]
scope = "tenant"
backfill = {{ parent = "customers" }}
primary_key = "global"
"""
WRONG = """
SELECT count(*) FROM notes JOIN customers c ON c.id = customer LEFT JOIN tenants t ON t.slug = c.company
WHERE notes.tenant_id IS DISTINCT FROM t.id OR c.tenant_id IS DISTINCT FROM t.id"""


@pytest.fixture
def shop(db: Database) -> Subject:
    """A table that is filled in many batches, from another one."""
    runs.do(db, *SHOP.strip().split(";\n"))
    return faults.prepared(db, spec.parse(SHOP_SPEC.format(app=db.role("app"))))


def test_broken_off_between_batches_while_rows_come(shop: Subject) -> None:
    (step,) = (step for step in shop.plan if step.id == "backfill.notes.tenant_id")
    turns, late = faults.in_turns(1 if ALL else 4), itertools.count(10_001)
    with shop.copy() as db:

        def strike_at(point: Point, conn: Conn) -> bool | threading.Thread:
            if point.step != step.id:
                return False
            runs.do(
                db, f"INSERT INTO notes (id, customer, body) VALUES ({next(late)}, 1 + {next(late)} % 30, '')"
            )
            return turns(point, conn)

        count = faults.walk(db, shop.plan, strike_at)
        assert count > (40 if ALL else 10)
        found = faults.state(db, shop.spec)
        assert (found.catalog, found.left) == (shop.undisturbed.catalog, ())
        assert runs.query(db, WRONG) == 0
        assert runs.query(db, "SELECT count(*) FROM notes") == 3000 + (next(late) - 10_001) // 2
        # No row was filled twice: the trigger gave the late ones their tenant.
        assert runs.query(db, f"SELECT rows FROM tenantry.steps WHERE step_id = '{step.id}'") == 3000


def test_a_connection_lost_inside_a_batch(shop: Subject) -> None:
    with shop.copy() as db:
        seen = list[Point]()

        def strike_at(point: Point, conn: Conn) -> bool | threading.Thread:
            if not point.text.startswith("UPDATE ONLY"):
                return False
            seen.append(point)
            if len(seen) % 5:
                return False
            app, pid = db.connect(autocommit=False), conn.info.backend_pid
            app.execute("UPDATE notes SET body = 'held'")

            def act() -> None:
                with closing(app):
                    runs.do(db, f"SELECT pg_terminate_backend({pid}, 10000)")
                    app.rollback()

            return faults.while_it_waits(conn, act)

        assert faults.walk(db, shop.plan, strike_at) >= 3
        faults.check(db, shop)


# Errors of the server


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    runs.make_impatient(monkeypatch)
    monkeypatch.setattr(session, "TURNS", (0.02, 0.05))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("code", ["55P03", "40P01"])
def test_a_lock_timeout_or_a_deadlock_is_tried_again(subject: Subjects, code: faults.Kind) -> None:
    chosen, struck = subject("natural_primary_key"), set[str]()
    with chosen.copy() as db:

        def hook(point: Point, conn: Conn) -> None:
            if point.text in run.statements and point.step not in struck:
                struck.add(point.step)
                faults.strike(code, conn)

        run = Run(db, chosen.plan, hook)
        run()
        assert len(struck) == len(chosen.plan.steps)
        faults.check(db, chosen)


@pytest.mark.usefixtures("impatient")
def test_given_up_for_a_lock_and_run_again(subject: Subjects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "TURNS", (0.6,))  # so long that its holder is seen
    chosen = subject("natural_primary_key")
    with chosen.copy() as db:
        refused = list[str]()
        for table in ("countries", "cities", "grades"):
            with runs.holding(db, f"LOCK TABLE {table} IN ACCESS SHARE MODE"):
                with pytest.raises(LockTimeout, match=r"held by process \d+ \(shop, ") as caught:
                    apply.apply(db.dsn, chosen.plan)
                refused.append(caught.value.step)
        assert refused == sorted(refused, key=[step.id for step in chosen.plan].index)
        apply.apply(db.dsn, chosen.plan)
        faults.check(db, chosen)


def test_an_application_that_locks_the_other_way_round_meets_no_deadlock(subject: Subjects) -> None:
    chosen, waits = subject("natural_primary_key"), list[float]()
    with chosen.copy() as db:
        seen, threads = set[Point](), list[threading.Thread]()

        def hook(point: Point, conn: Conn) -> None:
            tables = re.match(r"ALTER TABLE (\S+) ADD .* FOREIGN KEY .* REFERENCES (\S+) ", point.text)
            if tables is None or point in seen:
                return
            seen.add(point)
            child, parent = tables.groups()
            app = db.connect(autocommit=False)
            app.execute(f"LOCK TABLE {parent} IN ROW EXCLUSIVE MODE".encode())

            def act() -> None:  # the runner has the child and waits for the parent
                with closing(app):
                    begun = time.monotonic()
                    app.execute(f"LOCK TABLE {child} IN ROW EXCLUSIVE MODE".encode())
                    waits.append(time.monotonic() - begun)
                    app.commit()

            threads.append(faults.while_it_waits(conn, act))

        Run(db, chosen.plan, hook)()
        for thread in threads:
            thread.join()
        assert len(waits) == len(threads) > 3
        assert max(waits) < 1  # below the deadlock timeout
        faults.check(db, chosen)


def test_a_disk_that_is_full_while_an_index_is_built(shop: Subject) -> None:
    runs.do(shop.db, "INSERT INTO notes SELECT n, 1, repeat('y', 5) FROM generate_series(20001, 60000) AS n")
    shop = faults.prepared(shop.db, shop.spec)
    with shop.copy() as db:
        name = psycopg.sql.Identifier(db.name).as_string(None)
        full = ("temp_file_limit = '100kB'", "maintenance_work_mem = '1MB'")
        runs.do(db, *(f"ALTER DATABASE {name} SET {setting}" for setting in full))
        with pytest.raises(ApplyError, match="temp_file_limit") as caught:
            apply.apply(db.dsn, shop.plan)
        assert (caught.value.sqlstate, caught.value.step[-6:]) == ("53400", ".build")
        assert runs.query(db, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 1
        assert runs.states(db)[caught.value.step] == "failed"
        runs.do(db, f"ALTER DATABASE {name} RESET temp_file_limit")
        apply.apply(db.dsn, shop.plan)
        faults.check(db, shop)


# Others at work


def test_a_second_runner_is_refused_at_any_time(subject: Subjects) -> None:
    chosen = subject("natural_primary_key")
    with chosen.copy() as db:
        refused, numbers = list[str](), itertools.count()

        def hook(point: Point, conn: Conn) -> None:
            if next(numbers) % 25:
                return
            for other in (lambda: apply.apply(db.dsn, chosen.plan), lambda: revert.revert(db.dsn)):
                with pytest.raises(ApplyError, match="another session converts this database"):
                    other()
                refused.append(point.step)

        Run(db, chosen.plan, hook)()
        assert len(refused) > 20
        faults.check(db, chosen)


MIGRATION = (
    "CREATE TABLE tours (id int PRIMARY KEY, city int NOT NULL REFERENCES cities, code text NOT NULL UNIQUE)",
    "INSERT INTO tours VALUES (1, 1, 'a'), (2, 2, 'b')",
    "ALTER TABLE cities ADD COLUMN mayor text NOT NULL DEFAULT 'nobody'",
    "ALTER TABLE grades ADD COLUMN best_city int REFERENCES cities",
)


def stop_at(db: Database, plan: Plan, step: str) -> None:
    """Kill an apply in the transaction of a step."""

    def hook(point: Point, conn: Conn) -> None:
        if point.step == step and point.commit:
            faults.strike("killed", conn)

    faults.broken_off(Run(db, plan, hook), "killed")


@pytest.mark.parametrize(
    "step",
    [
        "columns.cities.tenant_id",
        "enforce.cities.cities_tenant_country_fk",
        "observe.cities.isolate",
        "cutover.cities.observe",
    ],
)
def test_a_migration_of_the_application_in_the_middle(subject: Subjects, step: str) -> None:
    chosen = subject("natural_primary_key")
    with chosen.copy() as db:
        stop_at(db, chosen.plan, step)
        runs.do(db, *MIGRATION)
        apply.apply(db.dsn, chosen.plan)
        with pytest.raises(PlanError) as caught:
            planner.plan(chosen.spec, reference.catalog(db), "online")
        assert [p.partition(":")[0] for p in caught.value.problems] == ["tours"]
        assert caught.value.pending
        tours = TableRule(scope="tenant", backfill=Constant(constant="first"), primary_key="tenant")
        wider = chosen.spec.model_copy(
            update={"tables": {**chosen.spec.tables, QName("public", "tours"): tours}}
        )
        rest = planner.plan(wider, reference.catalog(db), "online")
        added = {"tours", "cities", "grades"}  # the last two for a reference
        assert {s.object for s in rest if s.phase != Phase.OBSERVE} == {*added, "tenants"}
        apply.apply(db.dsn, rest)
        assert not planner.plan(wider, reference.catalog(db), "online")
        assert faults.leftovers(faults.state(db, wider)) == []
        assert (
            runs.query(db, "SELECT count(*) FROM tours JOIN cities c ON c.id = city WHERE c.mayor = 'nobody'")
            == 2
        )
        assert runs.query(db, "SELECT count(*) FROM tours WHERE tenant_id = 'first'") == 2


RIVAL = "ALTER TABLE country_grades ADD COLUMN rival character(2) REFERENCES countries (code)"


def test_a_migration_that_the_plan_did_not_know_stops_it_where_it_stands_in_the_way(
    subject: Subjects,
) -> None:
    chosen = subject("natural_primary_key")
    with chosen.copy() as db:
        stop_at(db, chosen.plan, "enforce.cities.cities_tenant_country_fk")
        runs.do(db, RIVAL)
        with pytest.raises(ApplyError, match="other objects depend on it") as caught:
            apply.apply(db.dsn, chosen.plan)
        assert caught.value.step == "cutover.countries.countries_pkey"
        rest = planner.plan(chosen.spec, reference.catalog(db), "online")
        apply.apply(db.dsn, rest)
        found = faults.state(db, chosen.spec)
        assert (found.left, faults.leftovers(found)) == ((), [])
        revert.revert(db.dsn)
        back = faults.everything(db)
    with chosen.copy() as db:
        runs.do(db, RIVAL)
        assert faults.everything(db) == back


# Nothing imitated


def test_kill_9(subject: Subjects) -> None:
    chosen = subject("natural_primary_key")
    with chosen.copy() as db:
        for step in chosen.plan.steps[2 + SEED % 9 :: len(chosen.plan.steps) // 4]:
            with runs.child("apply", db, chosen.plan) as process:
                runs.read_until(process, f"StepStarted {step.id}")
                process.kill()
                process.wait()
            runs.until(lambda: runs.free(db), 15)
        apply.apply(db.dsn, chosen.plan)
        faults.check(db, chosen)


def test_the_server_shut_down_at_once(tmp_path: Path) -> None:
    with faults.crashing() as (server, crash), server.databases() as make:
        chosen = faults.subject("backfill_mapping", make(), tmp_path)
        with chosen.copy() as db:
            every, numbers, inside = len(chosen.points) // 5, itertools.count(SEED), list[Point]()

            def strike_at(point: Point, conn: Conn) -> bool | threading.Thread:
                if point.text.startswith("CREATE") and "CONCURRENTLY" in point.text and not inside:
                    inside.append(point)
                    writer = db.connect(autocommit=False)
                    writer.execute("LOCK TABLE rentals IN ROW EXCLUSIVE MODE")

                    def act() -> None:
                        with closing(writer):
                            crash()

                    return faults.while_it_waits(conn, act)
                if next(numbers) % every:
                    return False
                crash()
                return True

            assert faults.walk(db, chosen.plan, strike_at) >= 6
            assert inside
            faults.check(db, chosen)

"""A live application through all phases of a conversion, and what its statements wait for meanwhile."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest
from psycopg import sql

from tenantry.apply import apply
from tenantry.cutover import cutover
from tenantry.names import QName
from tenantry.observe import observe
from tenantry.plan import Phase
from tests import live, reference, runs
from tests.live import Application, Login
from tests.reference import DEFAULT
from tests.servers import Database

APP = "app_user"  # of the spec


@pytest.fixture
def catalog(db: Database) -> Database:
    """The reference application's database, with the login that it has used so far."""
    reference.load(db, scale=0.01)
    role, rights = sql.Identifier(db.role("old")), "SELECT, INSERT, UPDATE, DELETE"
    with db.connect() as conn:
        conn.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
        conn.execute(sql.SQL("GRANT {} ON ALL TABLES IN SCHEMA public TO {}").format(sql.SQL(rights), role))
    return db


def shape(statement: str) -> str:
    """How observe mode spells a statement."""
    text = re.sub(r"'[^']*'|%s|\b\d+\b", "?", statement)
    return re.sub(r"\?(\s*,\s*\?)+", "?", text)


def test_a_conversion_under_load_from_the_first_step_to_the_last(catalog: Database) -> None:
    db, plan = catalog, reference.plan(catalog, "online")
    before = reference_rows(db)
    old, new = Login(db.role("old"), "old code"), Login(db.role("old"), "new code", DEFAULT)
    canary, other = Login(APP, "canary", DEFAULT), Login(APP, "other tenant", "acme")
    with Application(db, [old]) as application:
        application.wait()
        apply(db.dsn, plan, until=Phase.HARDEN)
        application.wait()
        apply(db.dsn, plan, until=Phase.OBSERVE)
        application.wait(10)
        expected = {shape(s) for s in (*live.READS.values(), *live.WRITES.values(), live.REPORT)}
        found = observe(db.dsn).observations
        assert {o.statement for o in found} == expected
        assert {(o.role, o.application) for o in found} == {(old.user, old.name)}

        application.switch([old, new, canary])  # a deployment, half-way
        application.wait()
        application.switch([new, canary])
        application.wait(10)
        assert {o.application for o in observe(db.dsn).observations} == {old.name}

        cutover(db.dsn)
        application.wait()
        assert not seen_by(db, old)
        cutover(db.dsn, back=True)
        application.wait()
        assert seen_by(db, old)
        cutover(db.dsn)
        runs.do(db, "INSERT INTO tenants (id, name, slug) VALUES ('acme', 'Acme', 'acme')")
        application.switch([new, canary, other])
        application.wait()
        assert apply(db.dsn, plan).left == 0
        application.wait()
        assert {o.application for o in observe(db.dsn).observations} == {old.name}
    assert application.tally.errors == []
    assert not reference.plan(db, "online")
    check_rows(db, application, before)


def seen_by(db: Database, login: Login) -> int:
    """How many users a login without a tenant sees."""
    return int(runs.query(db, live.REPORT, user=login.user, application_name=login.name))


def reference_rows(db: Database) -> dict[str, tuple[int, str]]:
    """Number and checksum of the rows in the tables that the application only adds to."""
    with closing(db.connect()) as conn:
        return reference.checksums(conn, ("users", "ratings", "skill_versions", "usage_events", "api_keys"))


def check_rows(db: Database, application: Application, before: dict[str, tuple[int, str]]) -> None:
    """Every row that was there or was written is there, once, with its tenant; nothing else is."""
    kept = application.tally.kept
    assert {tenant for _, _, tenant in kept} == {DEFAULT, "acme"}
    for table, key in live.KEPT.items():
        tenant = (
            "(SELECT tenant_id FROM users u WHERE u.id = user_id)" if table == "accounts" else "tenant_id"
        )
        # Only what was there before is left to compare; references do not matter.
        with closing(db.connect(options="-c session_replication_role=replica")) as conn:
            found = conn.execute(f"SELECT {key}, {tenant} FROM {table}".encode()).fetchall()
            written = {name: tenant for t, name, tenant in kept if t == table}
            assert written.items() <= set(found)
            if table not in before:
                continue
            rest = [(name, tenant) for name, tenant in found if name not in written]
            assert len(rest) == before[table][0]
            assert {tenant for _, tenant in rest} == {DEFAULT}
            conn.execute(f"DELETE FROM {table} WHERE {key} = ANY (%s)".encode(), [list(written)])
            assert reference.checksums(conn, (table,))[table] == before[table]


# Locks


class Waits(threading.Thread):
    """Reads and writes one table without pause; ``longest`` is the longest statement in seconds."""

    def __init__(self, db: Database, stop: threading.Event, statement: str) -> None:
        super().__init__()
        self._db, self._stopped, self._statement = db, stop, statement.encode()
        self.times: list[float] = []

    def run(self) -> None:
        with closing(self._db.connect(application_name="shop")) as conn:
            while not self._stopped.is_set():
                begun = time.monotonic()
                conn.execute(self._statement)
                self.times.append(time.monotonic() - begun)
                time.sleep(0.01)


@contextmanager
def working(db: Database) -> Iterator[list[Waits]]:
    """An application at its table."""
    stop = threading.Event()
    threads = [
        Waits(db, stop, s) for s in ("SELECT count(*) FROM tags", "UPDATE tags SET name = name WHERE id = 1")
    ]
    for thread in threads:
        thread.start()
    try:
        yield threads
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize(
    "holds",
    [
        "SELECT count(*) FROM tags",  # a long reader
        "LOCK TABLE tags IN SHARE UPDATE EXCLUSIVE MODE",  # as a VACUUM that is not cancelled
    ],
)
def test_while_apply_waits_for_a_lock_nobody_waits_for_apply(db: Database, holds: str) -> None:
    runs.do(db, *runs.SCHEMA.split(";\n"))
    plan = runs.plan(db, replace(runs.column(table="tags"), tables=(QName("public", "tags"),)))
    seconds = 3.0
    with working(db) as application, runs.holding(db, holds) as holder:
        release = threading.Timer(seconds, holder.rollback)
        release.start()
        begun = time.monotonic()
        apply(db.dsn, plan)
        took = time.monotonic() - begun
        release.join()
    assert took > seconds
    assert runs.has_column(db, "tags")
    for thread in application:
        assert len(thread.times) > 20
        # A lock asked for in one stage would have held it up for the two seconds of its timeout.
        assert max(thread.times) < 1

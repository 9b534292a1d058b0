"""Faults: an apply that is broken off at a chosen point, resumed, and compared with one that nothing disturbed.

A *point* is the moment before a statement that changes something: each statement of a step, each entry in the
journal, each COMMIT. What only reads changes nothing, so a fault there is a fault at the point after it.
"""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args
from unittest import mock

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from tenantry import apply, embedded, introspect, planner, session
from tenantry.catalog import Catalog
from tenantry.errors import ApplyError
from tenantry.names import qualified
from tenantry.plan import Plan
from tenantry.progress import Event, StepDone, StepStarted
from tenantry.spec import Spec
from tests import corpus, reference, runs, servers
from tests.servers import Database, Server

ALL = bool(os.environ.get("TENANTRY_ALL_FAULTS"))
SEED = int(os.environ.get("TENANTRY_FAULT_SEED", "0"))
# killed: the runner is gone without a word, as after kill -9. lost: it lives, and its connection is cut. The
# others are errors of the server: a disk without room, and a statement cancelled, as by statement_timeout.
Kind = Literal["killed", "lost", "53100", "57014"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_READS = re.compile(r"\s*(--.*\n\s*)*(SELECT|WITH|SET|SHOW|LOCK)\b")


# A run with a hook at its points


class Killed(BaseException):
    """Stands for the end of the process: what handles errors does not handle this."""


@dataclass(frozen=True, slots=True)
class Point:
    """Before ``text`` is sent, or before the COMMIT that follows it; ``step`` is under way, if one is."""

    step: str
    text: str
    parameters: str = ""
    commit: bool = False


Conn = psycopg.Connection[Any]
Hook = Callable[[Point, Conn], None]


class _Tapped(psycopg.Connection[Any]):
    """A connection that tells its run of each point that it reaches."""

    run: Run
    last: Point | None = None  # of the transaction that is open

    def execute(self, query: Any, params: Any = None, **options: Any) -> psycopg.Cursor[Any]:
        text = query.decode() if isinstance(query, bytes) else str(query)
        if text in self.run.statements or not _READS.match(text):
            self.last = Point(self.run.step, text, _told(params))
            self.run.hook(self.last, self)
        return super().execute(query, params, **options)

    @contextmanager
    def transaction(
        self, savepoint_name: str | None = None, force_rollback: bool = False
    ) -> Iterator[psycopg.Transaction]:
        outer = self.info.transaction_status == TransactionStatus.IDLE
        if outer:
            self.last = None
        with super().transaction(savepoint_name, force_rollback) as opened:
            yield opened
            if outer and not force_rollback and self.last is not None:
                self.run.hook(replace(self.last, commit=True), self)


# What the journal is told of a run that differs each time; a point is the same whatever it says.
_MEASURED = {"pace", "waits", "retries", "throttled", "reason"}


def _told(params: Any) -> str:
    if isinstance(params, dict):
        return str({name: value for name, value in params.items() if name not in _MEASURED})
    return "" if params is None else str(params)


@dataclass(slots=True)
class Run:
    """A run of apply under a hook; ``started`` and ``done`` are the ids of steps that it told of."""

    db: Database
    plan: Plan
    hook: Hook = lambda point, conn: None
    step: str = ""
    started: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    statements: frozenset[str] = frozenset()

    def __call__(self) -> apply.Applied:
        """Raises whatever ends it."""
        self.statements = frozenset(s for step in self.plan for s in step.apply)
        connect = session.connect

        def tapped(dsn: str, name: str, *, watched: bool = False) -> session.Conn:
            conn = connect(dsn, name, watched=watched)
            if name == "tenantry apply":
                conn.__class__ = _Tapped
                cast(_Tapped, conn).run = self
            return conn

        with mock.patch.object(session, "connect", tapped):
            return apply.apply(self.db.dsn, self.plan, listen=self._listen)

    def _listen(self, event: Event) -> None:
        match event:
            case StepStarted(step=step):
                self.step = step
                self.started.append(step)
            case StepDone(step=step):
                self.step = ""
                self.done.append(step)


def strike(kind: Kind, conn: Conn) -> None:
    """Let a fault happen to a runner's connection. After ``lost`` it returns, and the next use fails."""
    match kind:
        case "killed" | "lost":
            end(conn)
            if kind == "killed":
                raise Killed
        case code:
            said = f"DO $$ BEGIN RAISE 'struck' USING ERRCODE = '{code}'; END $$"
            psycopg.Connection.execute(conn, said.encode())


def end(conn: Conn) -> None:
    """End the server's side of a connection, and wait until it is gone."""
    with closing(psycopg.connect(conn.info.dsn, autocommit=True)) as admin:
        gone = admin.execute("SELECT pg_terminate_backend(%s, 10000)", [conn.info.backend_pid]).fetchone()
        assert gone == (True,)


def broken_off(run: Run, kind: Kind) -> None:
    """Run, and be told of the fault in the way that belongs to its kind."""
    if kind == "killed":
        with pytest.raises(Killed):
            run()
        return
    with pytest.raises(ApplyError, match="run `tenantry apply` again") as caught:
        run()
    assert caught.value.sqlstate in (("57P01", None) if kind == "lost" else (kind,))


# What is converted, and what it becomes


@dataclass(frozen=True, slots=True)
class Subject:
    """A database to copy, the plan for it, and what an undisturbed run makes of a copy."""

    db: Database
    spec: Spec
    plan: Plan
    points: tuple[Point, ...]
    undisturbed: State

    @contextmanager
    def copy(self) -> Iterator[Database]:
        """A copy of the database; the roles that a conversion makes go with it, since others need the names."""
        with _copy(self.db) as db:
            yield db


@dataclass(frozen=True, slots=True)
class State:
    """Everything that two conversions of the same database must agree on.

    ``own`` are the objects in schemas of Tenantry, ``steps`` the journal's states, ``left`` the plan that is left.
    """

    catalog: Any
    rows: dict[str, tuple[int, str]]
    own: list[tuple[str, str]]
    steps: dict[str, str]
    left: tuple[str, ...]


def subject(name: str, db: Database, folder: Path) -> Subject:
    """The reference application, or a case of the corpus by name, put into an empty database."""
    if name == "reference":
        reference.load(db, scale=0.004)
        return prepared(db, reference.declared())
    case = corpus.Case(corpus.CASES / name)
    return prepared(db, corpus.build(case, lambda: db, folder).spec)


def prepared(db: Database, spec: Spec) -> Subject:
    """A database, planned online, and converted once without a fault in a copy."""
    plan, points = planner.plan(spec, reference.catalog(db), "online"), list[Point]()
    with _copy(db) as copy:
        Run(copy, plan, lambda point, conn: points.append(point))()
        found = state(copy, spec)
    assert found.left == ()
    assert set(found.steps.values()) == {"done"}
    assert leftovers(found) == []
    return Subject(db, spec, plan, tuple(points), found)


@contextmanager
def _copy(db: Database) -> Iterator[Database]:
    with db.server.databases() as make:
        yield make(template=db)


def state(db: Database, spec: Spec) -> State:
    """What a database is now."""
    with closing(db.connect()) as conn:
        catalog = introspect.read(conn)
        return State(
            corpus.everything(catalog),
            dict(_rows(conn, catalog, spec)),
            conn.execute(_OWN).fetchall(),
            dict(conn.execute(_STATES).fetchall()),
            tuple(step.id for step in planner.plan(spec, catalog, "online")),
        )


def everything(db: Database) -> Any:
    """The whole catalog, comparable."""
    return corpus.everything(reference.catalog(db))


# An autovacuum may analyze a table before the plan does.
_STATES = """
SELECT step_id, state FROM tenantry.steps
WHERE state <> 'reverted' AND NOT (state = 'skipped' AND step_id LIKE '%.analyze')"""
_OWN = """
SELECT 'relation', c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname LIKE 'tenantry%'
UNION ALL SELECT 'function', p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname LIKE 'tenantry%'
UNION ALL SELECT 'schema', nspname::text FROM pg_namespace WHERE nspname LIKE 'tenantry%'
UNION ALL SELECT 'role', rolname::text FROM pg_roles WHERE rolname LIKE 'tenantry%'
ORDER BY 1, 2"""


def _rows(conn: Conn, catalog: Catalog, spec: Spec) -> Iterator[tuple[str, tuple[int, str]]]:
    """Number and checksum of the rows of each table, with all columns but the times at which tenants were made."""
    for table in catalog.tables:
        where = qualified(table.qname)
        made = "'{created_at,updated_at}'" if table.qname == spec.tenancy.tenants else "'{}'"
        row = conn.execute(
            "SELECT count(*), coalesce(sum(hashtextextended((to_jsonb(t) - "
            f"{made}::text[])::text, 0)::numeric), 0)::text FROM ONLY {where} AS t".encode()
        ).fetchone()
        assert row is not None
        yield where, row


def leftovers(found: State) -> list[str]:
    """What no conversion may leave behind."""
    left = [name for kind, name in found.own if kind == "role" or name == "tenantry_self_test"]
    for table in found.catalog["tables"]:
        left += [index["name"] for index in table["indexes"] if not index["valid"]]
        left += [f"{table['name']}: {p['name']}" for p in table["policies"] if p["name"] == "observe"]
        left += [
            f"{table['name']}: {t['name']}" for t in table["triggers"] if t["name"].startswith("tenantry")
        ]
        left += [c["name"] for c in table["constraints"] if not c["validated"]]
    return left


def check(db: Database, subject: Subject) -> None:
    """A disturbed database became what an undisturbed one does."""
    found = state(db, subject.spec)
    assert found.left == ()
    assert found.rows == subject.undisturbed.rows
    assert found.own == subject.undisturbed.own
    expected = {step: "done" for step in subject.undisturbed.steps if not step.endswith(".analyze")}
    assert found.steps.items() >= expected.items(), set(expected.items()) - found.steps.items()
    assert set(found.steps.values()) == {"done"}
    assert found.catalog == subject.undisturbed.catalog


# Faults one by one, and one after another


def alone(subject: Subject, point: Point, kind: Kind) -> None:
    """One fault in one conversion, which is then resumed."""
    with subject.copy() as db:
        struck: list[Point] = []

        def hook(at: Point, conn: Conn) -> None:
            if at == point and not struck:
                struck.append(at)
                strike(kind, conn)

        broken = Run(db, subject.plan, hook)
        broken_off(broken, kind)
        runs.until(lambda: runs.free(db))
        resumed = Run(db, subject.plan)
        resumed()
        assert not set(broken.done) & set(resumed.started), "a step that was done ran again"
        check(db, subject)


# Strikes at a point or does not; a thread is one that strikes later, while the statement runs.
Striker = Callable[[Point, Conn], bool | threading.Thread]


def walk(db: Database, plan: Plan, strike_at: Striker) -> int:
    """One conversion, resumed after each fault until it ends by itself; returns how many faults there were.

    ``strike_at`` is asked once for each point, and no more in a run that it has struck.
    """
    seen, done, count = set[Point](), set[str](), 0
    struck: list[bool | threading.Thread] = [True]

    def hook(point: Point, conn: Conn) -> None:
        if any(struck) or point in seen:
            return
        seen.add(point)
        struck[:] = [True]  # unless it returns
        struck[:] = [strike_at(point, conn)]

    while any(struck):
        struck.clear()
        run = Run(db, plan, hook)
        try:
            run()
            assert not any(struck), "the run ended as if nothing had happened"
        except (Killed, ApplyError):
            if not any(struck):
                raise
        for thread in struck:
            if isinstance(thread, threading.Thread):
                thread.join()
        runs.until(lambda: runs.free(db))  # the server may be a moment behind
        count += any(struck)
        assert not done & set(run.started), "a step that was done ran again"
        done |= set(run.done)
    return count


def in_turns(every: int = 1) -> Striker:
    """Strikes at every n-th point, with all kinds in turn; the seed of the environment moves it along."""
    reached, kinds = itertools.count(SEED), itertools.cycle(KINDS)

    def strike_at(point: Point, conn: Conn) -> bool:
        if next(reached) % every:
            return False
        strike(next(kinds), conn)
        return True

    return strike_at


def while_it_waits(conn: Conn, act: Callable[[], object]) -> threading.Thread:
    """Do something in another thread as soon as the next statement of a connection waits for a lock."""
    pid, dsn = conn.info.backend_pid, conn.info.dsn
    waits = "SELECT FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"

    def watch() -> None:
        with closing(psycopg.connect(dsn, autocommit=True)) as admin:
            runs.until(lambda: admin.execute(waits, [pid]).fetchone() is not None)
        act()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


@contextmanager
def crashing() -> Iterator[tuple[Server, Callable[[], None]]]:
    """A server of its own, and what shuts it down at once and starts it again."""
    settings = servers.SETTINGS | {"synchronous_commit": "on"}
    with embedded.cluster(servers.binaries(), settings=settings) as cluster:
        owner = cluster.home.stat()
        options: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.DEVNULL,
            "cwd": cluster.home,
        }
        if os.geteuid() == 0:
            options |= {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}

        def control(*words: str) -> None:
            command = [str(cluster.binaries / "pg_ctl"), "-D", str(cluster.home / "data"), "-m", "immediate"]
            subprocess.run([*command, *words], check=True, **options)

        with psycopg.connect(cluster.dsn) as conn:
            version = conn.info.server_version
        try:
            yield (
                Server(cluster.dsn, version, private=True, binaries=cluster.binaries),
                lambda: control("restart", "-l", str(cluster.home / "data" / "log")),
            )
        finally:
            control("stop")

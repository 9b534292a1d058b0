"""The throttle: what a backfill gives way to, for how long, and what it says when it cannot look."""

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest

from tenantry import embedded, session, throttle
from tenantry.apply import apply
from tenantry.errors import ApplyError
from tenantry.progress import Batch, Event, Signal, Throttled, Unseen, silent
from tenantry.status import status
from tenantry.throttle import Throttle
from tests import runs, servers
from tests.runs import ROWS, backfill, column, do, owned_by_a_role, plan, query
from tests.servers import SETTINGS, Database, Server

MB = 1024**2


@pytest.fixture
def db(db: Database) -> Database:
    do(db, *runs.SCHEMA.split(";\n"))
    return db


@pytest.fixture
def alert(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks after every batch, and loses patience within a second."""
    monkeypatch.setattr(throttle, "LOOK_EVERY", 0.0)
    monkeypatch.setattr(throttle, "PAUSE", 0.05)
    monkeypatch.setattr(throttle, "PATIENCE", dict.fromkeys(throttle.PATIENCE, 0.4))


def told(db: Database, dsn: str = "") -> tuple[list[Throttled], list[Event]]:
    """What a backfill gave way to."""
    events = list[Event]()
    applied = apply(dsn or db.dsn, plan(db, column(), backfill()), listen=events.append)
    assert applied.rows == ROWS
    return [e for e in events if isinstance(e, Throttled)], events


def answered(monkeypatch: pytest.MonkeyPatch, signal: Signal, *rows: tuple[object, ...]) -> None:
    """Let the server answer one look like that, row by row; the last one again and again."""
    real, queue = Throttle._ask, list(rows)

    def ask(self: Throttle, asked: Signal, query: str) -> throttle.Row | None:
        if asked != signal:
            return real(self, asked, query)
        return queue.pop(0) if len(queue) > 1 else queue[0]

    monkeypatch.setattr(Throttle, "_ask", ask)


@pytest.mark.usefixtures("alert")
def test_a_quiet_server_is_not_waited_for(db: Database) -> None:
    throttled, events = told(db)
    assert throttled == []
    assert not [e for e in events if isinstance(e, Unseen)]


# Patience


@pytest.mark.usefixtures("alert")
def test_a_standby_that_catches_up_is_waited_for(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    behind, level = ("replica", 20 * MB, False), ("replica", 0, False)
    answered(monkeypatch, "standby", behind, behind, behind, level)
    throttled, _ = told(db)
    assert [(t.signal, t.reason) for t in throttled] == [("standby", "standby replica is 20 MB behind")] * 3
    assert [t.seconds for t in throttled] == sorted(t.seconds for t in throttled)
    (entry,) = status(db.dsn).plans
    assert entry.throttled >= 0.15
    assert entry.reason == "standby replica is 20 MB behind"


@pytest.mark.usefixtures("alert")
def test_a_standby_that_never_does_is_left_to_itself(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    answered(monkeypatch, "standby", ("replica", 20 * MB, False))
    throttled, events = told(db)
    assert 5 <= len(throttled) <= 10  # 0.4 s, and then no more
    assert isinstance(events[events.index(throttled[-1]) + 1], Batch)


@pytest.mark.usefixtures("alert")
def test_patience_is_whole_again_after_a_good_look(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = ("replica", 20 * MB, False), ("replica", 0, False)
    answered(monkeypatch, "standby", *[bad] * 5, good, *[bad] * 5, good)
    throttled, _ = told(db)
    assert len(throttled) == 10


@pytest.mark.usefixtures("alert")
@pytest.mark.parametrize(
    ("signal", "row", "words"),
    [
        (
            "slot",
            ("replica_slot", 5 * MB),
            r"slot replica_slot loses its WAL after another 5 MB\. Its standby",
        ),
        ("archiver", (True, None), r"archiving WAL fails\. WAL piles up .* Mend archive_command"),
        ("archiver", (False, 600 * MB), r"archiving WAL is 600 MB behind"),
    ],
)
def test_where_going_on_costs_too_much_it_ends(
    db: Database, monkeypatch: pytest.MonkeyPatch, signal: Signal, row: tuple[object, ...], words: str
) -> None:
    made = plan(db, column(), backfill())
    with monkeypatch.context() as patch:
        answered(patch, signal, row)
        with pytest.raises(ApplyError, match=words) as caught:
            apply(db.dsn, made)
    assert "gave way for 0 s, and still" in str(caught.value)
    assert "run `tenantry apply` again: it goes on here" in str(caught.value)
    filled = query(db, "SELECT count(*) FROM notes WHERE touched = 1")
    assert 0 < filled < ROWS
    assert apply(db.dsn, made).rows == ROWS - filled


@pytest.mark.usefixtures("alert")
def test_it_stops_while_it_gives_way(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    answered(monkeypatch, "standby", ("replica", 20 * MB, False))
    stop = threading.Event()

    def listen(event: Event) -> None:
        if isinstance(event, Throttled):
            stop.set()

    applied = apply(db.dsn, plan(db, column(), backfill()), listen=listen, stop=stop.is_set)
    assert (applied.stopped, applied.left) == (True, 1)
    assert 0 < applied.rows < ROWS


# Looks at real servers


@pytest.mark.usefixtures("alert")
def test_a_session_that_waits_for_a_row_is_given_way_to(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "PATIENCE", dict.fromkeys(throttle.PATIENCE, 20.0))
    throttled, sizes = list[Throttled](), list[int]()
    update = "UPDATE tags SET name = name || '.' WHERE id = 1"
    with runs.holding(db, update) as first:
        second = threading.Thread(target=lambda: do(db, update))
        second.start()
        runs.until(lambda: query(db, "SELECT count(*) FROM pg_locks WHERE NOT granted"))
        time.sleep(1.1)

        def listen(event: Event) -> None:
            match event:
                case Throttled():
                    throttled.append(event)
                    if len(throttled) == 3:
                        first.commit()
                        second.join()
                case Batch():
                    sizes.append(event.done_blocks - sum(sizes))

        apply(db.dsn, plan(db, column(), backfill()), listen=listen)
    assert [t.signal for t in throttled] == ["locks"] * 3
    assert throttled[0].reason.startswith("1 session waits for a lock, up to ")
    assert sizes[1] < 128  # half of what it would have grown to


@pytest.mark.usefixtures("alert")
def test_an_advisory_lock_is_nobodys_trouble(db: Database) -> None:
    with runs.holding(db, "SELECT pg_advisory_xact_lock(7)") as first:
        second = threading.Thread(target=lambda: do(db, "SELECT pg_advisory_xact_lock(7)"))
        second.start()
        runs.until(lambda: query(db, "SELECT count(*) FROM pg_locks WHERE NOT granted"))
        time.sleep(1.1)
        throttled, _ = told(db)
        first.commit()
        second.join()
    assert throttled == []


@pytest.mark.usefixtures("alert")
def test_wal_beyond_the_ceiling_is_given_way_to(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "BURST_BYTES", 100_000)
    real = Throttle._ask

    def ask(self: Throttle, asked: Signal, query: str) -> throttle.Row | None:
        row = real(self, asked, query)
        return (row[0], 1) if asked == "wal" and row else row  # a ceiling that the slowest machine exceeds

    monkeypatch.setattr(Throttle, "_ask", ask)
    throttled, _ = told(db)
    assert {t.signal for t in throttled} == {"wal"}
    assert throttled[0].reason.startswith("WAL is written faster than ")


def test_a_burst_of_wal_is_free_and_a_stream_is_not() -> None:
    seen = Throttle(session=None)  # type: ignore[arg-type]
    assert throttle._wal(seen, (10**12, 10 * MB), 1) is None  # what was written before does not count
    assert throttle._wal(seen, (10**12 + 70 * MB, 10 * MB), 1) is None  # 60 MB beyond the ceiling
    assert throttle._wal(seen, (10**12 + 90 * MB, 10 * MB), 1) is not None  # 70 MB
    assert throttle._wal(seen, (10**12 + 90 * MB, 10 * MB), 1) is None
    assert throttle._wal(seen, (10**12 + 90 * MB, 10 * MB), 100) is None
    assert seen.owed == 0


def test_the_ceiling_follows_the_servers_settings(db: Database) -> None:
    with closing(db.connect()) as conn:
        row = conn.execute(session.load("throttle_wal")).fetchone()
    assert row is not None
    assert row[1] == 1024 * MB // 30


def test_a_role_that_may_not_see_a_standby_says_so_once(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "LOOK_EVERY", 0.0)
    answered(monkeypatch, "standby", (None, 0, True))
    dsn = owned_by_a_role(db)
    events = list[Event]()
    applied = apply(dsn, plan(db, column(), backfill()), listen=events.append)
    (unseen,) = (e for e in events if isinstance(e, Unseen))
    assert (unseen.step, unseen.signal) == ("backfill.notes.tenant_id", "standby")
    assert (
        f"role {db.role('owner')} may not see how far a standby is; GRANT pg_monitor TO it" in unseen.reason
    )
    assert applied.tally.unseen == (f"standby: {unseen.reason}",)


def test_a_look_that_is_refused_is_said_once(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "LOOK_EVERY", 0.0)
    do(db, "REVOKE EXECUTE ON FUNCTION pg_catalog.pg_current_wal_lsn() FROM PUBLIC")
    events = list[Event]()
    apply(owned_by_a_role(db), plan(db, column(), backfill()), listen=events.append)
    unseen = [e for e in events if isinstance(e, Unseen)]
    assert ("wal", "permission denied for function pg_current_wal_lsn") in [
        (e.signal, e.reason) for e in unseen
    ]
    assert len(unseen) == len({e.signal for e in unseen})


# A server that archives, with a slot and a receiver of WAL


@pytest.fixture(scope="module")
def busy() -> Iterator[Server]:
    """A server whose WAL goes to an archive and to slots of small allowance."""
    special = {
        "archive_mode": "on",
        "archive_command": "test ! -f archive_is_broken",
        "wal_level": "replica",
        "max_slot_wal_keep_size": "100MB",
        "min_wal_size": "32MB",
        "max_wal_size": "64MB",
    }
    with embedded.cluster(servers.binaries(), settings=SETTINGS | special) as cluster:
        with psycopg.connect(cluster.dsn) as conn:
            version = conn.info.server_version
        yield Server(cluster.dsn, version, private=True, binaries=cluster.binaries)


@pytest.fixture
def watched(busy: Server) -> Iterator[Throttle]:
    """A throttle on that server."""
    with busy.databases() as make:
        dsn = make().dsn
        with closing(session.connect(dsn, "test")) as conn:
            yield Throttle(session.Session(conn, dsn, "apply", silent))


def write_wal(conn: session.Conn, megabytes: int) -> None:
    conn.execute("CREATE TABLE IF NOT EXISTS heap (x text)")
    conn.execute("ALTER TABLE heap ALTER x SET STORAGE EXTERNAL")
    for _ in range(megabytes):
        conn.execute("INSERT INTO heap VALUES (repeat('x', 1048576))")


def look(watched: Throttle, name: str) -> tuple[object, ...] | None:
    return watched.session.conn.execute(session.load(name)).fetchone()


def test_an_archiver(watched: Throttle) -> None:
    conn = watched.session.conn
    write_wal(conn, 1)
    conn.execute("SELECT pg_switch_wal()")
    runs.until(lambda: (look(watched, "throttle_archiver") or (True, None))[1] is not None)
    failing, behind = look(watched, "throttle_archiver") or (None, None)
    assert failing is False
    assert isinstance(behind, int)
    assert -MB < behind < 40 * MB
    try:
        conn.execute("COPY (SELECT 1) TO PROGRAM 'cat > archive_is_broken'")
        write_wal(conn, 40)
        conn.execute("SELECT pg_switch_wal()")
        runs.until(lambda: (look(watched, "throttle_archiver") or (False,))[0], 60)
        assert (look(watched, "throttle_archiver") or (0, 0))[1] > 30 * MB  # type: ignore[operator]
        assert (
            throttle._archiver(watched, look(watched, "throttle_archiver") or (), 0) == "archiving WAL fails"
        )
    finally:
        conn.execute("COPY (SELECT 1) TO PROGRAM 'cat > /dev/null; rm archive_is_broken'")
    runs.until(lambda: (look(watched, "throttle_archiver") or (True,))[0] is False, 90)


def test_the_ceiling_has_a_floor(watched: Throttle) -> None:
    assert (look(watched, "throttle_wal") or (0, 0))[1] == 8 * MB  # and not 64 MB within 30 s


def test_a_slot_that_nears_its_allowance(watched: Throttle) -> None:
    conn = watched.session.conn
    conn.execute("SELECT pg_create_physical_replication_slot('still', true)")
    try:
        assert look(watched, "throttle_slot") is None
        write_wal(conn, 70)
        row = look(watched, "throttle_slot")
        assert row is not None
        assert row[0] == "still"
        assert "replication slot still loses its WAL after another" in str(throttle._slot(watched, row, 0))
    finally:
        conn.execute("SELECT pg_drop_replication_slot('still')")
    assert look(watched, "throttle_slot") is None


@contextmanager
def receiver(busy: Server, home: str) -> Iterator[subprocess.Popen[bytes]]:
    """A standby's stand-in: it takes WAL, and says how far it is as long as it is not halted."""
    command = [busy.program("pg_receivewal"), "-D", home, "-d", busy.dsn, "-s", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_standby_that_is_seen(
    watched: Throttle, busy: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = str(tmp_path_factory.mktemp("wal"))
    assert look(watched, "throttle_standby") == (None, 0, False)
    with receiver(busy, home):
        there = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
        runs.until(lambda: (watched.session.conn.execute(there).fetchone() or (0,))[0])
        role = "unprivileged"
        watched.session.conn.execute(f"CREATE ROLE {role} LOGIN".encode())
        dsn = psycopg.conninfo.make_conninfo(watched.session.dsn, user=role)
        with closing(session.connect(dsn, "test")) as conn:
            row = conn.execute(session.load("throttle_standby")).fetchone()
        assert row is not None
        assert row[2] is True  # there is one, and this role may not look at it
        seen = look(watched, "throttle_standby")
        assert seen is not None
        assert seen[2] is False

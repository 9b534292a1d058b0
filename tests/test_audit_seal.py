"""The sealer: every committed event is in exactly one batch, whatever the writers, the sealer and the server do."""

import itertools
import os
import random
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tenantry import embedded
from tenantry.audit import anchors, checkpoint, keys, seal, select, upkeep
from tenantry.audit.anchors import File
from tenantry.audit.entries import Entry
from tenantry.errors import ApplyError, CatalogError, SpecError, TamperError
from tests import servers, trail
from tests.servers import Database, MakeDatabase, Server
from tests.trail import TABLE, Trail


@pytest.fixture(params=["plain", "counting"])
def either(request: pytest.FixtureRequest, db: Database, tmp_path: Path) -> Trail:
    return trail.make(db, tmp_path, request.param)


@pytest.fixture
def counting(db: Database, tmp_path: Path) -> Trail:
    return trail.make(db, tmp_path)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that may be crashed, prepares transactions, and forgets what nobody waited for."""
    settings = servers.SETTINGS | {
        "max_prepared_transactions": "5", "wal_writer_delay": "10s", "wal_writer_flush_after": "100MB",
        "wal_buffers": "64MB", "autovacuum": "off",
    }  # fmt: skip
    with embedded.cluster(servers.binaries(), settings=settings) as cluster:
        with psycopg.connect(cluster.dsn) as conn:
            version = conn.info.server_version
        yield Server(cluster.dsn, version, private=True, binaries=cluster.binaries)


def exactly_once(t: Trail) -> None:
    sealed = Counter(t.sealed())
    assert {key: n for key, n in sealed.items() if n > 1} == {}
    assert set(t.written()) == set(sealed)


def test_what_is_sealed_once_is_not_sealed_again(either: Trail) -> None:
    for tenant in ("acme", "umbrella", None, "acme"):
        either.event(tenant)
    first = either.seal()
    assert (first.events, len(first.batches), first.era) == (4, 1, "first seal")
    assert either.seal().events == 0
    assert either.seal().checkpoint == first.checkpoint
    either.event("acme")
    assert either.seal().events == 1
    exactly_once(either)


class Writer:
    """One session at random: it begins, writes, sets and undoes savepoints, and ends in one way or another."""

    def __init__(self, t: Trail, rng: random.Random, names: Iterator[int]) -> None:
        self.conn = t.db.connect(autocommit=True)
        self.t, self.rng, self.names = t, rng, names
        self.open, self.prepared = False, list[str]()

    def step(self, last: bool = False) -> None:
        moves: list[str] = ["commit", "rollback", "prepare"] if last else self._moves()
        match self.rng.choice(moves):
            case "begin":
                self.conn.execute("BEGIN")
                self.open = True
            case "write":
                self.t.event(self.rng.choice(["acme", "umbrella", None]), conn=self.conn)
            case "savepoint":
                self.conn.execute("SAVEPOINT s")
                self.t.event("acme", conn=self.conn)
                if self.rng.random() < 0.4:
                    self.conn.execute("ROLLBACK TO s")
            case "finish prepared":
                how = "COMMIT" if self.rng.random() < 0.7 else "ROLLBACK"
                self.conn.execute(f"{how} PREPARED '{self.prepared.pop()}'".encode())
            case "prepare" if self.open:
                self.prepared.append(f"p{next(self.names)}")
                self.conn.execute(f"PREPARE TRANSACTION '{self.prepared[-1]}'".encode())
                self.open = False
            case "commit" | "rollback" as how if self.open:
                self.conn.execute(how.encode())
                self.open = False

    def _moves(self) -> list[str]:
        if self.open:
            room = ["prepare"] if len(self.prepared) < 1 else []
            return ["write", "write", "savepoint", "commit", "rollback", *room]
        return ["begin", "begin", "write", *(["finish prepared"] if self.prepared else [])]

    def finish(self) -> None:
        self.step(last=True)
        for name in self.prepared:
            self.conn.execute(f"COMMIT PREPARED '{name}'".encode())
        self.conn.close()


@pytest.mark.parametrize("kind", ["plain", "counting"])
def test_every_committed_event_is_in_one_batch_however_transactions_overlap(
    kind: str, own: Server, tmp_path: Path
) -> None:
    with own.databases() as make:
        t = trail.make(make(), tmp_path, kind)
        rng, names = random.Random(20), itertools.count()
        writers = [Writer(t, rng, names) for _ in range(4)]
        with t.sealer() as sealer:
            for _ in range(250):
                if rng.random() < 0.15:
                    sealer.once()
                rng.choice(writers).step()
            for writer in writers:
                writer.finish()
                sealer.once()
        assert len(t.written()) > 60
        exactly_once(t)
        assert t.ask("SELECT count(*) FROM tenantry_audit.log WHERE kind = 'batch'") > 15


def test_a_rule_that_goes_by_ids_would_have_missed_some(counting: Trail) -> None:
    """The control of the test above: late commits there are."""
    with closing(counting.db.connect(autocommit=False)) as slow:
        late = counting.event("acme", conn=slow)
        counting.event("acme")
        counting.seal()
        highest = counting.ask("SELECT max(seq) FROM audit_logs")
        slow.commit()
    counting.seal()
    exactly_once(counting)
    assert counting.ask(f"SELECT seq FROM audit_logs WHERE id = '{late}'") < highest


@pytest.mark.parametrize(
    ("xmin", "top", "bottom", "inside"),
    [
        (100, 200, 100, True),
        (99, 200, 100, False),
        (2, 200, 100, False),  # frozen long ago
        (150, (1 << 32) + 200, (1 << 32) + 100, True),
        (99, (1 << 32) + 200, (1 << 32) + 100, False),
        ((1 << 32) - 5, (1 << 32) + 200, (1 << 32) - 10, True),  # before the wrap, still in the window
        ((1 << 32) - 15, (1 << 32) + 200, (1 << 32) - 10, False),
        (
            150,
            (3 << 32) + 200,
            (3 << 32) + 100,
            True,
        ),  # or frozen, of an earlier epoch: never taken for older
        (
            5,
            (3 << 32) + 200,
            (1 << 32),
            True,
        ),  # the sealer was away for an epoch: everything is in the window
    ],
)
def test_a_transaction_id_of_32_bits_is_never_taken_for_older(
    server: Server, xmin: int, top: int, bottom: int, inside: bool
) -> None:
    query = f"SELECT {select._WINDOW} FROM (VALUES (%(xmin)s::text)) AS t (xmin)"
    with psycopg.connect(server.dsn) as conn:
        row = conn.execute(query.encode(), {"xmin": str(xmin), "top": top, "bottom": bottom}).fetchone()
    assert row == (inside,)


RUNNER = """
    import sys
    from pathlib import Path
    from tenantry.audit import keys, seal
    from tenantry.names import QName
    with seal.leading(sys.argv[1], QName("public", "audit_logs"), keys.load(Path(sys.argv[2])), wait=True) as sealer:
        while True:
            sealer.once()
            print(flush=True)
"""


def test_a_sealer_that_is_killed_leaves_no_gap_and_seals_nothing_twice(either: Trail, tmp_path: Path) -> None:
    rng = random.Random(7)
    arguments = [sys.executable, "-c", textwrap.dedent(RUNNER), either.db.dsn, str(tmp_path / "seal.key")]
    for _ in range(3):
        with subprocess.Popen(arguments, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()  # it has sealed once
            for _ in range(rng.randint(1, 40)):
                either.event(rng.choice(["acme", "umbrella"]))
            process.send_signal(signal.SIGKILL)
    either.seal()
    exactly_once(either)


def crash(db: Database) -> None:
    """Kill a process of the server, whereupon it throws away what is not on disk and recovers."""
    with closing(db.connect()) as conn, closing(db.connect()) as bystander:
        os.kill(conn.info.backend_pid, signal.SIGKILL)
        with pytest.raises(psycopg.OperationalError):
            bystander.execute("SELECT pg_sleep(60)")  # ended by the server once it has noticed
    for _ in range(600):
        try:
            db.connect().close()
            return
        except psycopg.OperationalError:
            subprocess.run(["sleep", "0.1"], check=True)
    pytest.fail("the server did not come back")


@pytest.mark.parametrize("synchronous", [True, False])
def test_a_crash_takes_no_sealed_event(
    synchronous: bool, own: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with own.databases() as make:
        t = trail.make(make(), tmp_path)
        t.event("acme")
        t.seal()
        t.do("CHECKPOINT")
        if not synchronous:  # the sabotage: a sealer that does not wait for the disk
            monkeypatch.setattr(seal, "settings", lambda conn: None)
        for _ in range(20):
            t.event("acme")
        kept = t.seal()
        lost = t.event("acme")
        assert kept.events == 20
        crash(t.db)
        assert lost not in t.written()
        if synchronous:
            assert set(t.sealed()) == set(t.written())
            t.event("umbrella")
            t.seal()
            exactly_once(t)
        else:
            noted = anchors.read(t.anchor)[-1].size
            assert noted > t.ask("SELECT max(size) FROM tenantry_audit.checkpoints")


# Eras


def test_a_restore_opens_an_era(either: Trail, server: Server, make_db: MakeDatabase, tmp_path: Path) -> None:
    for _ in range(3):
        either.event("acme")
    either.seal()
    unsealed = either.event("acme")
    dump = tmp_path / "dump"
    subprocess.run([server.program("pg_dump"), "-Fc", "-f", dump, either.db.dsn], check=True)
    other = Trail(make_db(), either.key, either.anchor)
    restored = subprocess.run(
        [server.program("pg_restore"), "-d", other.db.dsn, dump], capture_output=True, text=True
    )
    assert restored.returncode == 0, restored.stderr
    found = other.seal()
    assert found.era == "another database; another table of this name"
    assert found.events == 1
    assert unsealed in other.sealed()
    other.event("acme")
    assert other.seal().events == 1
    exactly_once(other)


def test_a_restore_of_an_old_copy_must_be_declared(
    counting: Trail, server: Server, make_db: MakeDatabase, tmp_path: Path
) -> None:
    counting.event("acme")
    counting.seal()
    old = make_db(template=counting.db)
    counting.event("acme")
    counting.seal()
    restored = Trail(old, counting.key, counting.anchor)
    with pytest.raises(TamperError, match="an anchor knows a log of 4 records, and this one has 3"):
        restored.seal()
    restored.event("acme")
    found = restored.seal("copy of\nTuesday")
    assert found.events == 1
    era = Entry.parse(
        restored.ask("SELECT body FROM tenantry_audit.log WHERE kind = 'era' ORDER BY n DESC LIMIT 1")
    )
    assert era.fields["reason"] == "copy of Tuesday"
    assert era.fields["lost"].startswith("4 ")
    restored.event("acme")
    assert restored.seal().events == 1
    exactly_once(restored)


# What a sealer refuses


def test_a_sealer_does_not_sign_what_somebody_else_wrote(counting: Trail) -> None:
    counting.event("acme")
    counting.seal()
    for change in (
        "UPDATE tenantry_audit.checkpoints SET frontier = sha256('x')",
        "UPDATE tenantry_audit.checkpoints SET note = 'x'",
        "DELETE FROM tenantry_audit.log WHERE n = 2",
        "DELETE FROM tenantry_audit.checkpoints",
    ):
        before = counting.ask("SELECT note FROM tenantry_audit.checkpoints")
        with closing(counting.db.connect()) as conn, conn.transaction(force_rollback=True):
            conn.execute("SET session_replication_role = replica")
            for table in ("checkpoints", "log", "subtrees"):
                conn.execute(f"ALTER TABLE tenantry_audit.{table} DISABLE TRIGGER append_only".encode())
            conn.execute(change.encode())
            sealer = seal.Sealer(conn, TABLE, counting.key)
            with pytest.raises(TamperError, match="was changed"):
                sealer.once()
        assert counting.ask("SELECT note FROM tenantry_audit.checkpoints") == before


def test_the_seal_is_append_only_for_a_superuser_too(counting: Trail) -> None:
    counting.event("acme")
    counting.seal()
    for table, verb in itertools.product(
        ("log", "subtrees", "layouts", "checkpoints", "retired", "format"),
        ("DELETE FROM {}", "TRUNCATE {} CASCADE", "SET session_replication_role = replica; DELETE FROM {}"),
    ):
        with pytest.raises(psycopg.errors.RaiseException, match="is append-only"):
            counting.do(*verb.format(f"tenantry_audit.{table}").split("; "))


def test_two_sealers(counting: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "LEAD_TRIES", 1)
    with counting.sealer(), pytest.raises(ApplyError, match="another sealer runs"):
        counting.seal()
    counting.seal()


def test_keys_change_and_others_are_refused(counting: Trail, tmp_path: Path) -> None:
    counting.event("acme")
    counting.seal()
    keys.create(tmp_path / "new.key", "audit.example.com")
    new = keys.load(tmp_path / "new.key")
    with pytest.raises(SpecError, match="signed by another key"):
        Trail(counting.db, new, counting.anchor).seal()
    with pytest.raises(SpecError, match="another one"):
        upkeep.rotate(counting.db.dsn, counting.key, counting.key)
    point = upkeep.rotate(counting.db.dsn, counting.key, new)
    assert point.signed_by(counting.key.public)
    assert point.signed_by(new.public)
    with pytest.raises(SpecError, match="signed by another key"):
        counting.seal()
    counting.event("acme")
    assert Trail(counting.db, new, counting.anchor).seal().events == 1


def test_a_table_that_is_no_trail(db: Database, tmp_path: Path) -> None:
    t = trail.make(db, tmp_path)
    for ddl, words in (
        ("ALTER TABLE audit_logs ADD COLUMN kind regclass", "type regclass has no text that stays"),
        ("ALTER TABLE audit_logs DROP COLUMN kind, DROP COLUMN tenant_id", "has no column tenant_id"),
        ("DROP TABLE audit_logs", "there is no such table"),
    ):
        t.do(ddl)
        with pytest.raises(CatalogError, match=words):
            t.seal()


# Anchors


def test_anchors_get_the_last_checkpoint(counting: Trail, tmp_path: Path) -> None:
    counting.event("acme")
    copy = tmp_path / "copy"
    tee = anchors.parse(f"command:tee {copy}")
    broken = anchors.parse("command:false")
    with seal.leading(counting.db.dsn, TABLE, counting.key, [File(counting.anchor), tee, broken]) as sealer:
        done = sealer.once()
        assert done.unanchored == (
            "command false: did not take the checkpoint of size 3 (exit 1: ); it is sealed in the database, and goes "
            "to the anchor with the next run",
        )
        again = sealer.once()
        assert len(again.unanchored) == 1
    assert checkpoint.parse(copy.read_text()) == done.checkpoint
    assert anchors.read(counting.anchor) == [done.checkpoint]
    with counting.anchor.open("a") as file:
        file.write("audit.example.com\n99\nAA")  # a piece that a crash left
    counting.event("acme")
    later = counting.seal().checkpoint
    assert anchors.read(counting.anchor) == [done.checkpoint, later]


@pytest.mark.parametrize("text", ["", "file:", "command:", "command: "])
def test_what_is_no_anchor(text: str) -> None:
    with pytest.raises(SpecError, match="say file:PATH"):
        anchors.parse(text)


def test_a_put(tmp_path: Path) -> None:
    import http.server
    import threading

    got: list[tuple[str, bytes]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500 if "no" in self.path else 201)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    keys.create(tmp_path / "key", "log")
    point = checkpoint.Checkpoint("log", 3, bytes(32)).signed([keys.load(tmp_path / "key")])
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        try:
            base = f"http://127.0.0.1:{web.server_port}"
            anchors.publish(anchors.parse(f"{base}/checkpoints/{{size}}"), point)
            with pytest.raises(ApplyError, match="did not take the checkpoint of size 3"):
                anchors.publish(anchors.parse(f"{base}/no"), point)
        finally:
            web.shutdown()
            thread.join()
    assert got[0] == ("/checkpoints/3", str(point).encode())

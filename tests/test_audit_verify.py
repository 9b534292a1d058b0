"""Tampering: each attack on a sealed trail is found and called by its name, and without it nothing is found."""

import base64
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import IsolationLevel
from typer.testing import CliRunner, Result

from tenantry import cli
from tenantry.audit import anchors, batch, canon, checkpoint, keys, layout, tree, upkeep
from tenantry.audit.checkpoint import Checkpoint
from tenantry.audit.entries import Details, Entry
from tenantry.audit.keys import PrivateKey, PublicKey
from tenantry.audit.source import Live, begin
from tenantry.audit.verify import Report, State, verify
from tenantry.errors import TamperError
from tests import trail
from tests.servers import Server
from tests.trail import TABLE, Trail

Conn = psycopg.Connection[Any]
FIRST, LAST = "acme", "umbrella"


@dataclass(frozen=True, slots=True)
class Scene:
    """A sealed trail, and what an attacker aims at: an event in the middle, another, and the last one."""

    t: Trail
    one: str
    two: str
    tail: str
    batch: int

    @contextmanager
    def attack(self) -> Iterator[Conn]:
        """A superuser's transaction, with every guard out of the way; nothing of it stays."""
        with closing(self.t.db.connect()) as conn:
            conn.isolation_level = IsolationLevel.REPEATABLE_READ
            with conn.transaction(force_rollback=True):
                conn.execute("ALTER TABLE audit_logs DISABLE TRIGGER no_audit_update")
                for table in ("log", "subtrees", "layouts", "checkpoints", "retired"):
                    conn.execute(f"ALTER TABLE tenantry_audit.{table} DISABLE TRIGGER append_only".encode())
                yield conn

    def hide(self, conn: Conn) -> None:
        """Put the guards back, as somebody does who wants to be quiet."""
        conn.execute("ALTER TABLE public.audit_logs ENABLE TRIGGER no_audit_update")
        for table in ("log", "subtrees", "layouts", "checkpoints", "retired"):
            conn.execute(f"ALTER TABLE tenantry_audit.{table} ENABLE ALWAYS TRIGGER append_only".encode())

    def verify(self, conn: Conn, anchored: bool = False, **options: Any) -> Report:
        begin(conn)
        known = anchors.read(self.t.anchor) if anchored else []
        trusted = options.pop("trusted", [self.t.key.public])
        return verify(Live(conn, TABLE), trusted, known, **options)


@pytest.fixture(scope="module")
def scene(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with server.databases() as make:
        t = trail.make(make(), tmp_path_factory.mktemp("trail"), "monthly")
        t.do(
            "CREATE TABLE audit_logs_past PARTITION OF audit_logs FOR VALUES FROM ('2020-01-01') TO ('2020-02-01')",
            "CREATE TABLE audit_logs_rest PARTITION OF audit_logs DEFAULT",
        )
        for n in range(5):
            t.do(
                f"INSERT INTO audit_logs (tenant_id, action, created_at) VALUES ('acme', 'old', '2020-01-0{n + 1}')"
            )
        t.seal()
        ids = []
        for _ in range(4):
            ids.append([t.event(tenant) for tenant in (FIRST, LAST, None, FIRST)])
            t.seal()
        yield Scene(t, ids[1][0], ids[1][3], ids[3][0], 4)


def kinds(report: Report) -> set[str]:
    return {found.kind for found in report.findings if found.level == "error"}


def named(report: Report) -> set[tuple[str, str | None, int | None]]:
    return {(f.kind, f.record, f.batch) for f in report.findings if f.level == "error"}


def test_a_trail_that_nobody_touched_is_clean(scene: Scene) -> None:
    with scene.attack() as conn:
        scene.hide(conn)
        report = scene.verify(conn, anchored=True)
    assert report.findings == ()
    assert report.good
    report.require()
    assert (report.events, report.unsealed, report.records, report.anchors) == (21, 0, 7, 5)
    assert report.state is not None


def test_what_is_not_sealed_yet_is_counted(scene: Scene) -> None:
    with scene.attack() as conn:
        scene.t.event(FIRST, conn=conn)
        scene.hide(conn)
        report = scene.verify(conn, anchored=True)
    assert (report.unsealed, report.findings) == (1, ())


# On the trail: what is done to rows, quietly

ROWS = {
    "edit": ("UPDATE audit_logs SET actor_id = 'nobody' WHERE id = '{one}'", "edited", True),
    "edit of metadata": ("UPDATE audit_logs SET metadata = '{{\"a\": 2}}' WHERE id = '{one}'", "edited", True),
    "edit to NULL": ("UPDATE audit_logs SET actor_id = NULL WHERE id = '{one}'", "edited", True),
    "move": ("UPDATE audit_logs SET tenant_id = 'umbrella' WHERE id = '{one}'", "moved", True),
    "delete": ("DELETE FROM audit_logs WHERE id = '{one}'", "deleted", True),
    "forged twin": (
        "INSERT INTO audit_logs (id, tenant_id, action, created_at)"
        " VALUES ('{one}', 'acme', 'note', '2020-01-09')", "duplicated", True),
    "other time": ("UPDATE audit_logs SET created_at = created_at - interval '1 day' WHERE id = '{one}'", "edited", True),
    "swapped times": (
        "UPDATE audit_logs a SET created_at = b.created_at FROM audit_logs b WHERE a.id IN ('{one}', '{two}')"
        " AND b.id IN ('{one}', '{two}') AND a.id <> b.id", "reordered", True),
    "swapped places": (
        "ALTER TABLE audit_logs ALTER seq DROP IDENTITY;; "
        "UPDATE audit_logs a SET seq = b.seq, created_at = b.created_at, xid = b.xid FROM audit_logs b"
        " WHERE a.id IN ('{one}', '{two}') AND b.id IN ('{one}', '{two}') AND a.id <> b.id", "reordered", True),
    "backdated insert": (
        "INSERT INTO audit_logs (tenant_id, action, xid, seq, created_at) OVERRIDING SYSTEM VALUE"
        " SELECT 'acme', 'note', xid, seq, created_at FROM audit_logs WHERE id = '{one}'", "backdated", False),
    "no transaction": (
        "ALTER TABLE audit_logs ALTER xid DROP NOT NULL;; "
        "INSERT INTO audit_logs (tenant_id, action, xid) VALUES ('acme', 'note', NULL)", "backdated", False),
    "sealed tail": ("DELETE FROM audit_logs WHERE id = '{tail}'", "deleted", False),
    "truncate": ("TRUNCATE audit_logs", "deleted", True),
    "rewrite by type": ("ALTER TABLE audit_logs ALTER action TYPE text USING 'x'", "edited", True),
    "drop a partition": ("DROP TABLE audit_logs_past", "dropped partition", False),
    "detach a partition": ("ALTER TABLE audit_logs DETACH PARTITION audit_logs_past", "dropped partition", False),
    "drop a column": ("ALTER TABLE audit_logs DROP COLUMN metadata", "dropped column", False),
    "empty copy": (
        "ALTER TABLE audit_logs RENAME TO was;; CREATE TABLE audit_logs (LIKE was INCLUDING ALL)"
        , "deleted", True),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_a_quiet_change_of_events_is_found(scene: Scene, name: str) -> None:
    statements, kind, names_it = ROWS[name]
    with scene.attack() as conn:
        for statement in statements.format(one=scene.one, two=scene.two, tail=scene.tail).split(";; "):
            assert conn.execute(statement.encode()).rowcount != 0
        if name != "empty copy":
            scene.hide(conn)
        report = scene.verify(conn)
    assert kind in kinds(report)
    if names_it:
        assert (kind, scene.one, scene.batch) in named(report)
    assert not report.good
    assert report.state is None
    with pytest.raises(TamperError):
        report.require()


def test_a_single_edit_is_told_in_one_line(scene: Scene) -> None:
    with scene.attack() as conn:
        conn.execute("UPDATE audit_logs SET actor_id = 'nobody' WHERE id = %s", (scene.one,))
        scene.hide(conn)
        (found,) = scene.verify(conn, anchored=True).findings
    assert str(found) == (
        f"ERROR edited: batch 4, event {scene.one}: it reads otherwise than when it was sealed for tenant acme"
    )


# On the guards

GUARDS = {
    "disable the trigger": ("ALTER TABLE audit_logs DISABLE TRIGGER no_audit_update", "disabled guard"),
    "only for replicas": ("ALTER TABLE audit_logs ENABLE REPLICA TRIGGER no_audit_update", "disabled guard"),
    "drop the trigger": ("DROP TRIGGER no_audit_update ON audit_logs", "disabled guard"),
    "another function": (
        "CREATE OR REPLACE FUNCTION prevent_audit_modification() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN RETURN new; END'", "disabled guard"),
    "swallow in a trigger": (
        "CREATE FUNCTION eat() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';; "
        "CREATE TRIGGER eat BEFORE INSERT ON audit_logs_rest FOR EACH ROW EXECUTE FUNCTION eat()", "swallowed insert"),
    "swallow in a rule": (
        "CREATE RULE eat AS ON INSERT TO audit_logs DO INSTEAD NOTHING", "swallowed insert"),
    "unlogged": ("ALTER TABLE audit_logs_rest SET UNLOGGED", "disabled guard"),
    "another owner": ("CREATE ROLE {owner};; ALTER TABLE audit_logs OWNER TO {owner}", "disabled guard"),
    "the guard of the seal": ("ALTER TABLE tenantry_audit.log DISABLE TRIGGER append_only", "disabled guard"),
    "the seal's function": (
        "CREATE OR REPLACE FUNCTION tenantry_audit.refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN RETURN NULL; END'", "disabled guard"),
}  # fmt: skip


@pytest.mark.parametrize("name", GUARDS)
def test_a_guard_that_is_off_is_found(scene: Scene, name: str) -> None:
    statements, kind = GUARDS[name]
    with scene.attack() as conn:
        scene.hide(conn)
        for statement in statements.format(owner=scene.t.db.role("o")).split(";; "):
            conn.execute(statement.encode())
        report = scene.verify(conn, anchored=True)
    assert kinds(report) == {kind}


def test_a_guard_that_was_off_between_two_seals_is_told_afterwards(
    scene: Scene, server: Server, tmp_path: Path
) -> None:
    with server.databases() as make:
        t = trail.make(make(), tmp_path)
        t.event(FIRST)
        t.seal()
        t.do("ALTER TABLE audit_logs DISABLE TRIGGER no_audit_update")
        t.seal()
        with closing(t.db.connect()) as conn, conn.transaction():
            begin(conn)
            report = verify(Live(conn, TABLE), [t.key.public])
            assert kinds(report) == {"disabled guard"}
        t.do("ALTER TABLE audit_logs ENABLE TRIGGER no_audit_update")
        t.seal()
        with closing(t.db.connect()) as conn, conn.transaction():
            begin(conn)
            report = verify(Live(conn, TABLE), [t.key.public])
        (found,) = report.findings
        assert (found.kind, found.level, found.batch) == ("disabled guard", "warning", 3)
        assert "is disabled (in batch 3; not so now)" in found.message


# On the seal itself

SEAL = {
    "another hash": "UPDATE tenantry_audit.subtrees SET leaves = overlay(leaves PLACING '\\x00' FROM 1) WHERE batch = 4",
    "a piece of a hash": "UPDATE tenantry_audit.subtrees SET leaves = leaves || '\\x00' WHERE batch = 4",
    "an event less": "UPDATE tenantry_audit.subtrees SET keys = keys[2:], leaves = substring(leaves FROM 33) WHERE batch = 4",
    "another tenant": "UPDATE tenantry_audit.subtrees SET tenant = 'x' WHERE batch = 4 AND tenant = 'acme'",
    "another place": "UPDATE tenantry_audit.subtrees SET place = place + 100 WHERE batch = 4",
    "no subtree": "DELETE FROM tenantry_audit.subtrees WHERE batch = 4",
    "another id": "UPDATE tenantry_audit.subtrees SET keys = array_fill('{two}'::text, ARRAY[array_length(keys, 1)]) WHERE batch = 4",
    "other details": "UPDATE tenantry_audit.log SET details = replace(details, 'era 1', 'era 2') WHERE n = 4",
    "no details": "UPDATE tenantry_audit.log SET details = NULL WHERE n = 4",
    "another body": "UPDATE tenantry_audit.log SET body = replace(body, 'sealed 2', 'sealed 1') WHERE n = 4",
    "no record": "DELETE FROM tenantry_audit.log WHERE n = 3",
    "no layout": "DELETE FROM tenantry_audit.layouts",
    "another layout": "UPDATE tenantry_audit.layouts SET body = replace(body, 'tenant_id', 'tenant')",
    "no checkpoint": "DELETE FROM tenantry_audit.checkpoints",
    "no last checkpoint": "DELETE FROM tenantry_audit.checkpoints WHERE size = 7",
    "another checkpoint": "UPDATE tenantry_audit.checkpoints SET note = replace(note, '.com\n5', '.com\n6') WHERE size = 5",
    "hidden as retired": "INSERT INTO tenantry_audit.retired SELECT 4, 4, place, ARRAY[0] FROM tenantry_audit.subtrees WHERE batch = 4",
}  # fmt: skip


@pytest.mark.parametrize("name", SEAL)
def test_a_change_of_the_seal_is_found(scene: Scene, name: str) -> None:
    with scene.attack() as conn:
        conn.execute("ALTER TABLE tenantry_audit.subtrees DROP CONSTRAINT subtrees_batch_fkey")
        assert conn.execute(SEAL[name].format(two=scene.two).encode()).rowcount > 0
        scene.hide(conn)
        report = scene.verify(conn)
    assert kinds(report) & {"rewritten", "signature", "deleted", "edited"}
    if "batch = 4" in SEAL[name] or "n = 4" in SEAL[name]:
        assert 4 in {found.batch for found in report.findings}


# The smart attacker: whoever changes events and then makes the seal fit


def reseal(conn: Conn, key: PrivateKey | None, extra: str | None = None) -> None:
    """Make the whole seal fit the trail as it is now; sign again where the key was stolen, else keep the signatures.

    ``extra``: an event that is put into batch 4 although it came later.
    """
    begin(conn)
    _, now = layout.read(conn, TABLE)
    columns = ", ".join(canon.expression(c) for c in now.columns)
    rows = {
        row[now.names.index("id")]: row
        for row in conn.execute(f"SELECT {columns} FROM public.audit_logs t".encode())
    }
    frontier, notes = (
        tree.Frontier(),
        dict(conn.execute("SELECT size, note FROM tenantry_audit.checkpoints").fetchall()),
    )
    for n, body, text in conn.execute(
        "SELECT n, body, details FROM tenantry_audit.log ORDER BY n"
    ).fetchall():
        entry = Entry.parse(body)
        if entry.kind == "batch":
            details = Details.parse(text)
            sealed = conn.execute(
                "SELECT unnest(keys) FROM tenantry_audit.subtrees WHERE batch = %s", (n,)
            ).fetchall()
            found: dict[str | None, list[tuple[str, bytes]]] = {}
            for key_ in [*(k for (k,) in sealed), *([extra] if extra and n == 4 else [])]:
                if row := rows.get(key_):
                    found.setdefault(row[now.names.index("tenant_id")], []).append(
                        (key_, canon.leaf(now.names, row))
                    )
            trees = batch.arrange(found, details.secret)
            conn.execute("DELETE FROM tenantry_audit.subtrees WHERE batch = %s", (n,))
            for sub in trees:
                conn.execute(
                    "INSERT INTO tenantry_audit.subtrees VALUES (%s, %s, %s, %s, %s)",
                    (n, sub.place, sub.tenant, b"".join(sub.leaves), list(sub.keys)),
                )
            root = base64.b64encode(tree.root(batch.places(details.secret, trees))).decode()
            entry = Entry("batch", n, dict(entry.fields) | {"root": root})
            conn.execute("UPDATE tenantry_audit.log SET body = %s WHERE n = %s", (entry.body, n))
        frontier = frontier.add(entry.leaf)
        if n + 1 in notes:
            old = checkpoint.parse(notes[n + 1])
            new = Checkpoint(old.origin, old.size, frontier.root, old.signatures)
            if key is not None:
                new = Checkpoint(old.origin, old.size, frontier.root).signed([key])
            conn.execute(
                "UPDATE tenantry_audit.checkpoints SET note = %s, frontier = %s WHERE size = %s",
                (str(new), frontier.to_bytes(), n + 1),
            )


SMART = [name for name in ROWS if name not in ("drop a partition", "detach a partition", "drop a column", "empty copy", "truncate",
         "forged twin", "no transaction")]  # fmt: skip


@pytest.mark.parametrize("stolen", [False, True], ids=["without the key", "with the key"])
@pytest.mark.parametrize("name", SMART)
def test_a_seal_made_to_fit_is_found_by_the_signature_or_by_an_anchor(
    scene: Scene, name: str, stolen: bool
) -> None:
    with scene.attack() as conn:
        for statement in ROWS[name][0].format(one=scene.one, two=scene.two, tail=scene.tail).split(";; "):
            conn.execute(statement.encode())
        extra = conn.execute("SELECT id::text FROM public.audit_logs WHERE NOT EXISTS (SELECT FROM tenantry_audit.subtrees"
                             " WHERE keys @> ARRAY[id::text])").fetchone()  # fmt: skip
        reseal(conn, scene.t.key if stolen else None, extra[0] if extra else None)
        scene.hide(conn)
        alone, anchored = scene.verify(conn), scene.verify(conn, anchored=True)
    if stolen:
        assert kinds(alone) <= {"backdated"}  # nothing in the database can tell
        assert "rewritten" in kinds(anchored)
    else:
        assert "signature" in kinds(alone)
    assert not anchored.good


def test_a_seal_made_anew_of_the_same_events_by_the_key_is_not_called_damage(scene: Scene) -> None:
    """The control of the test above: what makes the difference there is the change, not the resealing."""
    with scene.attack() as conn:
        reseal(conn, scene.t.key)
        scene.hide(conn)
        report = scene.verify(conn)
    assert report.findings == ()


@pytest.mark.parametrize("whole", [False, True])
def test_a_cut_tail_is_found_by_an_anchor_only(scene: Scene, whole: bool) -> None:
    with scene.attack() as conn:
        conn.execute(
            "DELETE FROM audit_logs WHERE id::text IN (SELECT unnest(keys) FROM tenantry_audit.subtrees WHERE batch = 6)"
        )
        conn.execute("DELETE FROM tenantry_audit.subtrees WHERE batch = 6")
        conn.execute("DELETE FROM tenantry_audit.log WHERE n = 6")
        if whole:
            conn.execute("DELETE FROM tenantry_audit.checkpoints WHERE size = 7")
        scene.hide(conn)
        alone, anchored = scene.verify(conn), scene.verify(conn, anchored=True)
    assert kinds(alone) == (set() if whole else {"truncated"})
    assert kinds(anchored) == {"truncated"}


# Keys, anchors of others, what comes after


def test_another_key_is_no_key(scene: Scene, tmp_path: Path) -> None:
    other = keys.create(tmp_path / "other", "audit.example.com")
    with scene.attack() as conn:
        scene.hide(conn)
        assert kinds(scene.verify(conn, trusted=[other])) == {"signature"}
        unknown = scene.verify(conn, trusted=[])
    (warned,) = unknown.findings
    assert (warned.kind, warned.level) == ("not looked", "warning")
    assert unknown.good


def test_a_note_that_anybody_wrote_into_an_anchor_accuses_nobody(scene: Scene, tmp_path: Path) -> None:
    keys.create(tmp_path / "other", "audit.example.com")
    forged = [
        Checkpoint("audit.example.com", n, bytes(32)).signed([keys.load(tmp_path / "other")]) for n in (5, 99)
    ]
    with scene.attack() as conn:
        scene.hide(conn)
        begin(conn)
        report = verify(Live(conn, TABLE), [scene.t.key.public], forged)
    assert report.good
    assert {found.kind for found in report.findings} == {"not looked"}


def check(t: Trail, trusted: list[PublicKey], since: State | None = None) -> Report:
    with closing(t.db.connect()) as conn, conn.transaction():
        begin(conn)
        return verify(Live(conn, TABLE), trusted, anchors.read(t.anchor), since)


def test_old_keys_stay_good_for_what_they_signed(server: Server, tmp_path: Path) -> None:
    with server.databases() as make:
        t = trail.make(make(), tmp_path)
        t.event(FIRST)
        t.seal()
        keys.create(tmp_path / "new.key", "audit.example.com")
        new = keys.load(tmp_path / "new.key")
        upkeep.rotate(t.db.dsn, t.key, new)
        after = Trail(t.db, new, t.anchor)
        t.event(FIRST)
        after.seal()
        for trusted in ([t.key.public], [new.public, t.key.public]):
            report = check(t, trusted)
            assert report.findings == ()
        assert kinds(check(t, [new.public])) == {
            "signature"
        }  # the first records: nobody vouches for the old key
        # The old key is stolen, and signs the newest state of the log.
        last = checkpoint.parse(
            t.ask("SELECT note FROM tenantry_audit.checkpoints ORDER BY size DESC LIMIT 1")
        )
        forged = Checkpoint(last.origin, last.size, last.root).signed([t.key])
        t.unguarded(f"UPDATE tenantry_audit.checkpoints SET note = '{forged}' WHERE size = {last.size}")
        assert kinds(check(t, [t.key.public])) == {"signature"}


def test_a_verification_goes_on_from_the_one_before(server: Server, tmp_path: Path) -> None:
    with server.databases() as make:
        t = trail.make(make(), tmp_path)
        t.event(FIRST)
        t.seal()
        state = check(t, [t.key.public]).state
        second = t.event(FIRST)
        t.seal()
        report = check(t, [t.key.public], state)
        assert (report.begun, report.records, report.events, report.findings) == (3, 4, 1, ())
        assert report.state == check(t, [t.key.public]).state
        t.unguarded(f"UPDATE audit_logs SET action = 'x' WHERE id = '{second}'")
        assert named(check(t, [t.key.public], state)) == {("edited", second, 3)}
        assert kinds(check(t, [t.key.public], report.state)) == set()  # it was looked at before that
        t.unguarded("UPDATE tenantry_audit.log SET body = replace(body, 'root ', 'root A') WHERE n = 3")
        assert "signature" in kinds(check(t, [t.key.public], state)) or "rewritten" in kinds(
            check(t, [t.key.public], state)
        )


def test_an_event_that_says_another_time_is_found_when_it_is_sealed(server: Server, tmp_path: Path) -> None:
    with server.databases() as make:
        t = trail.make(make(), tmp_path)
        t.event(FIRST)
        t.seal()
        with closing(t.db.connect(autocommit=False)) as slow:
            honest = t.event(FIRST, conn=slow)
            t.do(
                "INSERT INTO audit_logs (tenant_id, action, created_at) VALUES ('acme', 'note', now() - interval '1 hour')"
            )
            t.do(
                "INSERT INTO audit_logs (tenant_id, action, created_at) VALUES ('acme', 'note', now() + interval '1 hour')"
            )
            t.do("INSERT INTO audit_logs (tenant_id, action, created_at) VALUES ('acme', 'note', 'infinity')")
            t.seal()
            slow.commit()
        t.seal()
        report = check(t, [t.key.public])
        assert kinds(report) == {"backdated"}
        assert len(report.findings) == 3
        assert honest not in {found.record for found in report.findings}


# Without a seal


def test_a_seal_that_somebody_outside_knows_of_is_missed(server: Server, tmp_path: Path) -> None:
    with server.databases() as make:
        t = trail.make(make(), tmp_path)
        t.event(FIRST)
        t.seal()
        public, state = tmp_path / "seal.pub", tmp_path / "state"
        public.write_text(f"{t.key.public}\n", encoding="ascii")
        other = tmp_path / "other"
        other.mkdir()
        (other / "other.pub").write_text(f"{trail.key(other).public}\n", encoding="ascii")

        def run(*arguments: object) -> Result:
            return CliRunner().invoke(
                cli.app, ["audit", "verify", *map(str, arguments), "--dsn", t.db.dsn, "--table", "audit_logs"]
            )

        trusted: tuple[object, ...] = ("--public-key", public)
        anchor: tuple[object, ...] = ("--anchor", f"file:{t.anchor}")
        assert run(*trusted, "--state", state).exit_code == 0
        t.do("DROP SCHEMA tenantry_audit CASCADE")
        for known in (anchor, ("--state", state)):
            done = run(*trusted, *known)
            assert (done.exit_code, done.stdout.partition(":")[0]) == (1, "DAMAGED"), done.output
            assert "ERROR truncated" in done.stdout
            assert "the seal (schema tenantry_audit) is not there" in done.stdout
        # Who cannot know that it is this log's anchor cannot say that its seal was dropped.
        for told in (trusted, anchor, ("--public-key", other / "other.pub", *anchor)):
            done = run(*told)
            assert (done.exit_code, done.stdout) == (3, ""), done.output
            assert "never sealed, or its seal was dropped" in done.stderr

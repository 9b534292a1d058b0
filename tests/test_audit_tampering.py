"""Every attack on the trail ends blocked or found as docs/reference/tampering.md says, and without it nothing is found.

Here a superuser first switches off whatever guards the trail, attacks, and puts the guards back; the seal must tell.
Who is blocked before that, and at which level, is in `test_audit_attacks`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tenantry.audit import anchors, seal, store
from tenantry.audit.anchors import File
from tenantry.audit.checkpoint import Checkpoint
from tenantry.audit.keys import PrivateKey
from tenantry.audit.source import Live, begin
from tenantry.audit.verify import Report, verify
from tenantry.errors import CatalogError
from tests import test_audit_attacks as attacks
from tests import trail
from tests.extended import bind, undone
from tests.servers import MakeDatabase, Server
from tests.test_audit_attacks import ATTACKS, World
from tests.test_audit_verify import kinds, reseal
from tests.trail import TABLE

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "tampering.md"
NOTHING = "nothing: no event is changed"
# What a verification says after the attack of a superuser.
FOUND: Mapping[str, str] = {
    "UPDATE": "edited", "UPDATE of no row": NOTHING, "DELETE": "deleted", "ON CONFLICT DO UPDATE": "edited", "MERGE": "edited",
    "TRUNCATE": "deleted", "replica, DELETE": "deleted", "replica, TRUNCATE": "deleted", "DISABLE TRIGGER": "disabled guard",
    "DROP TRIGGER": "disabled guard", "guard that does nothing": "disabled guard", "DROP FUNCTION": "disabled guard",
    "DROP TABLE": "no verification: there is no such table", "DROP SCHEMA": "no verification: there is no such table",
    "DROP COLUMN": "dropped column", "SET UNLOGGED": "disabled guard", "rename, empty copy": "deleted",
    "RULE on INSERT": "swallowed insert", "policy that hides": "nothing: who verifies reads past policies",
    "OWNER TO": "disabled guard", "TYPE … USING": "dropped column", "swallowing trigger": "swallowed insert",
    "backdated INSERT": "backdated, once it is sealed", "forged actor": "nothing: what is written is not judged",
    "forged database user": "nothing: what is written is not judged", "LOCK TABLE": NOTHING,
    "switched off first": "disabled guard", "UPDATE pg_trigger": "disabled guard",
}  # fmt: skip
GONE = (psycopg.errors.UndefinedObject, psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName)
STAY_OFF = {"DISABLE TRIGGER", "switched off first", "UPDATE pg_trigger"}


@dataclass(frozen=True)
class Sealed:
    world: World
    key: PrivateKey
    known: list[Checkpoint]

    def verify(self, conn: psycopg.Connection[Any], anchored: bool = True) -> Report:
        begin(conn)
        return verify(Live(conn, TABLE), [self.key.public], self.known if anchored else [])


@pytest.fixture(scope="module")
def sealed(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sealed]:
    """A trail at the highest level, with three batches."""
    with server.databases() as make:
        world = attacks.build(make(), "guarded")
        directory = tmp_path_factory.mktemp("seal")
        key, anchor = trail.key(directory), directory / "anchor.txt"
        for number in range(3):
            with world.db.connect() as conn:
                conn.execute(
                    "INSERT INTO audit_logs (tenant_id, action) VALUES ('acme', %s)", (f"a.{number}",)
                )
            seal.seal(world.db.dsn, TABLE, key, [File(anchor)])
        yield Sealed(world, key, anchors.read(anchor))


@contextlib.contextmanager
def off(sealed: Sealed) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's transaction with all guards off; nothing of it stays."""
    with undone(sealed.world.db) as conn:
        attacks.unguard(conn, "guarded")
        for table in ("log", "subtrees", "layouts", "checkpoints", "retired"):
            conn.execute(f"ALTER TABLE tenantry_audit.{table} DISABLE TRIGGER USER".encode())
        bind(conn)
        yield conn


def hide(conn: psycopg.Connection[Any], *, triggers: bool = True) -> None:
    """Put back what is there to be put back."""
    names = [
        f"TABLE public.audit_logs ENABLE ALWAYS TRIGGER no_audit_{n}"
        for n in ("update", "statement", "truncate")
    ]
    back = [*(names if triggers else ()), *(
        f"TABLE tenantry_audit.{t} ENABLE ALWAYS TRIGGER append_only" for t in ("log", "subtrees", "layouts", "checkpoints", "retired")
    )]  # fmt: skip
    for words in [
        *back,
        *(f"EVENT TRIGGER audit_guard_{n} ENABLE ALWAYS" for n in ("ddl", "drop", "rewrite")),
    ]:
        with contextlib.suppress(*GONE), conn.transaction():
            conn.execute(f"ALTER {words}".encode())


@pytest.mark.parametrize("name", ATTACKS)
def test_what_no_guard_stopped_is_found_as_the_page_says(sealed: Sealed, name: str) -> None:
    with off(sealed) as conn:
        conn.execute(ATTACKS[name].statement.encode())
        hide(conn, triggers=name not in STAY_OFF)
        match FOUND[name].partition(":"):
            case ("no verification", _, words):
                with pytest.raises(CatalogError, match=words.strip()):
                    sealed.verify(conn)
            case ("nothing" | "backdated, once it is sealed", _, _):  # the latter: see test_audit_verify
                assert sealed.verify(conn).findings == ()
            case (kind, _, _):
                report = sealed.verify(conn)
                assert kind in kinds(report)
                assert report.state is None


def test_without_an_attack_nothing_is_found(sealed: Sealed) -> None:
    with off(sealed) as conn:
        hide(conn)
        report = sealed.verify(conn)
    assert (report.findings, report.events, report.anchors) == ((), 4, 3)


def test_the_page_says_of_each_attack_what_the_tests_show() -> None:
    rows = [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `")
    ]
    told = {row[0]: row[1:] for row in rows}
    assert told == {name: [*ATTACKS[name].stops.split(), FOUND[name]] for name in ATTACKS}


# Past every trigger, and past the seal's own log


def test_an_event_that_is_removed_below_sql_is_found(sealed: Sealed, make_db: MakeDatabase) -> None:
    copy = make_db(template=sealed.world.db)  # since no rollback brings it back
    mine = replace(sealed, world=World(copy, "guarded", {}))
    with copy.connect() as conn:
        if conn.execute("SELECT FROM pg_available_extensions WHERE name = 'pg_surgery'").rowcount == 0:
            pytest.skip("NOT TESTED HERE: pg_surgery is not installed")
        conn.execute("CREATE EXTENSION pg_surgery")
    with undone(copy) as conn:
        assert mine.verify(conn).findings == ()
        place = "(SELECT ctid FROM public.audit_logs WHERE action = 'a.1')"
        conn.execute(f"SELECT public.heap_force_kill('public.audit_logs', ARRAY[{place}])".encode())
        assert kinds(mine.verify(conn)) == {"deleted"}


def test_an_event_that_is_removed_before_it_is_sealed_is_not_seen(sealed: Sealed) -> None:
    """The limit that the page names: the interval of the sealer is the window."""
    with off(sealed) as conn:
        conn.execute("INSERT INTO audit_logs (tenant_id, action) VALUES ('acme', 'gone')")
        conn.execute("DELETE FROM audit_logs WHERE action = 'gone'")
        hide(conn)
        assert sealed.verify(conn).findings == ()


@pytest.mark.parametrize("stolen", [False, True], ids=["without the key", "with the key"])
@pytest.mark.parametrize("statement", ["TRUNCATE audit_logs", "DELETE FROM audit_logs WHERE action = 'a.1'"])
def test_a_seal_made_to_fit_what_is_left(sealed: Sealed, statement: str, stolen: bool) -> None:
    with off(sealed) as conn:
        conn.execute(statement.encode())
        reseal(conn, sealed.key if stolen else None)
        hide(conn)
        alone, anchored = sealed.verify(conn, anchored=False), sealed.verify(conn)
    assert kinds(alone) == (set() if stolen else {"signature"})
    assert "rewritten" in kinds(anchored)


def test_a_tail_that_is_cut_and_written_anew_with_the_key_is_found_by_an_anchor(
    sealed: Sealed, make_db: MakeDatabase
) -> None:
    copy = make_db(template=sealed.world.db)
    mine = replace(sealed, world=World(copy, "guarded", {}))
    with copy.connect() as conn:
        conn.execute("SET session_replication_role = replica")
        attacks.unguard(conn, "guarded")
        for table in ("log", "subtrees", "layouts", "checkpoints", "retired"):
            conn.execute(f"ALTER TABLE tenantry_audit.{table} DISABLE TRIGGER USER".encode())
        tip = store.last(conn, "batch")
        assert tip is not None
        conn.execute("DELETE FROM audit_logs WHERE action = 'a.2'")
        conn.execute("DELETE FROM tenantry_audit.subtrees WHERE batch = %s", (tip.n,))
        conn.execute("DELETE FROM tenantry_audit.log WHERE n = %s", (tip.n,))
        conn.execute("DELETE FROM tenantry_audit.checkpoints WHERE size = %s", (tip.n + 1,))
        hide(conn)
        conn.execute("INSERT INTO audit_logs (tenant_id, action) VALUES ('acme', 'instead')")
    seal.seal(copy.dsn, TABLE, sealed.key)
    with undone(copy) as conn:
        alone, anchored = mine.verify(conn, anchored=False), mine.verify(conn)
    assert kinds(alone) == set()
    assert kinds(anchored) == {"rewritten"}

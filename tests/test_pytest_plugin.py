"""The pytest plugin, in projects of its own: one that is isolated, one that is sabotaged, and one that uses none of it."""

from __future__ import annotations

import pytest

from tests.servers import Database

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.pg(">=18")  # the projects bring the embedded server, which is the same on each run

INI = """
[pytest]
tenantry_schema = schema.sql
addopts = -p no:cacheprovider -p no:xdist -q
filterwarnings = error
"""
SCHEMA = r"""
\restrict as_pg_dump_writes_it
CREATE TABLE notes (id bigserial PRIMARY KEY, slug text NOT NULL, CONSTRAINT notes_slug_key UNIQUE (slug));
\unrestrict as_pg_dump_writes_it
"""
SPEC = """
[tenancy.default]
id = "first"
name = "First"
slug = "first"

[tables.notes]
scope = "tenant"
backfill = { constant = "first" }
primary_key = "global"
unique = { notes_slug_key = "tenant" }
"""
ISOLATED = """
import psycopg

def test_it_is_isolated(tenantry_database, assert_isolated):
    proof = assert_isolated(tenantry_database)
    assert proof.mode == "full"
    with psycopg.connect(tenantry_database.dsn) as conn:
        assert assert_isolated(conn, tenantry_database.spec).mode == "safe"

def test_a_tenant_sees_its_own_rows(tenantry_database, tenants):
    a, b = tenants
    with tenantry_database.connect(a) as conn:
        assert {t for (t,) in conn.execute("SELECT tenant_id FROM notes")} == {a}
        conn.execute("DELETE FROM notes")
    with tenantry_database.connect(b) as conn:
        assert {t for (t,) in conn.execute("SELECT tenant_id FROM notes")} == {b}
    with tenantry_database.connect() as conn:
        assert conn.execute("SELECT 1 FROM notes").fetchall() == []

def test_each_test_has_a_database_of_its_own(tenantry_database, tenants):
    with tenantry_database.connect(tenants[0]) as conn:
        assert conn.execute("SELECT 1 FROM notes").fetchall() != []
"""
SABOTAGED = """
import psycopg, pytest

@pytest.fixture(scope="session")
def tenantry_schema(tenantry_schema):
    def migrate(dsn):
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute("CREATE TABLE notes (id bigserial PRIMARY KEY, slug text NOT NULL, CONSTRAINT notes_slug_key UNIQUE (slug))")
    return migrate

def test_it_is_isolated(tenantry_database, assert_isolated):
    with psycopg.connect(tenantry_database.dsn, autocommit=True) as conn:
        conn.execute("CREATE POLICY open ON notes USING (true)")
    assert_isolated(tenantry_database)

def test_nothing_is_held_in_an_empty_table(tenantry_database, assert_isolated):
    with psycopg.connect(tenantry_database.dsn, autocommit=True) as conn:
        conn.execute("DELETE FROM notes")
    assert_isolated(tenantry_database)

def test_a_dsn_needs_a_spec(tenantry_database, assert_isolated):
    assert_isolated(tenantry_database.dsn)
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    for name in ("PYTEST_ADDOPTS", "TENANTRY_PYTEST_DSN"):
        monkeypatch.delenv(name, raising=False)
    pytester.makefile(".ini", pytest=INI)
    pytester.makefile(".sql", schema=SCHEMA)
    pytester.makefile(".toml", tenantry=SPEC)
    return pytester


def test_a_project_that_is_isolated_passes(project: pytest.Pytester) -> None:
    project.makepyfile(ISOLATED)
    project.runpytest_subprocess().assert_outcomes(passed=3)


def test_a_sabotaged_project_fails_with_the_breach(project: pytest.Pytester) -> None:
    project.makepyfile(SABOTAGED)
    result = project.runpytest_subprocess()
    result.assert_outcomes(failed=3)
    result.stdout.re_match_lines_random(
        [
            r"NOT PROVEN: .* breached.*",
            r"BREACHED read, .* on",  # which goes on in the next line
            r"NO ANSWER read, .* on notes: no rows:",
            r".*CatalogError: no spec: give the one .*",
        ]
    )


def test_without_a_schema_it_says_what_to_name(project: pytest.Pytester) -> None:
    project.makefile(".ini", pytest="[pytest]\naddopts = -p no:cacheprovider -p no:xdist\n")
    project.makepyfile("def test_it(tenantry_schema): pass")
    project.runpytest_subprocess().stdout.re_match_lines_random(
        [r".*tenantry_schema: no files; name them .*"]
    )


def test_a_run_that_does_not_use_it_loads_nothing_of_the_converter(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import sys

        def test_it(request):
            assert "tenantry.pytest" in sys.modules
            heavy = {"psycopg", "pydantic", "typer", "tenantry.spec", "tenantry.catalog", "tenantry.world"}
            assert not heavy & set(sys.modules)
            assert request.config.getini("tenantry_spec") == "tenantry.toml"
        """
    )
    # The plugin of a judge that may be installed loads some of them itself.
    project.runpytest_subprocess("-p", "no:pgrls").assert_outcomes(passed=1)


def test_scratch_databases_on_a_given_server_are_dropped(project: pytest.Pytester, db: Database) -> None:
    project.makepyfile(ISOLATED)
    (project.path / "tenantry.toml").write_text(
        f'{SPEC}\n[roles]\napp = "{db.role("app")}"\n', encoding="utf-8"
    )
    project.runpytest_subprocess(f"--tenantry-dsn={db.dsn}", "-k", "own").assert_outcomes(
        passed=2, deselected=1
    )
    with db.connect() as conn:
        names = [
            name for (name,) in conn.execute("SELECT datname FROM pg_database WHERE datname ~ '^tenantry_'")
        ]
    assert names == []

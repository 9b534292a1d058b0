"""Static checks: each is quiet on a converted database, finds its sabotage and nothing else, and is quiet again."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo
from typer.testing import CliRunner, Result

from tenantry import checks, introspect, planner
from tenantry.checks import Request
from tenantry.cli import app
from tenantry.errors import CatalogError
from tenantry.finding import Review
from tenantry.names import quote
from tenantry.spec import Spec
from tests import isolated, reference
from tests.servers import Database, Server

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
# What a sabotage brings along, because one mistake is two.
ALSO: Mapping[str, set[str]] = {
    "policy-writable-source": {"table-unclassified", "policy-sub-query"},
    "index-unusable": {"index-not-led"},
    "fk-switched-off": {"trigger-off"},
    "role-all-tables": {"sequence-readable"},
}
# What every converted database still has, and whoever wants to can shut.
HARDENED = """
REVOKE TEMP, CONNECT ON DATABASE {database} FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION set_config(text, text, boolean), pg_cancel_backend(integer),
    pg_terminate_backend(integer, bigint) FROM PUBLIC;
CREATE ROLE {keeper} NOLOGIN;
ALTER TABLE {trail} OWNER TO {keeper};
ALTER TABLE {trail} ADD CHECK (tenant_id::text <> '');
REVOKE INSERT ON {trail} FROM {app};
ALTER ROLE {app} SET track_activities = off;
ALTER DEFAULT PRIVILEGES FOR ROLE {owner} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE {keeper} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
CREATE SCHEMA guard;
CREATE FUNCTION guard.watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER guard ON ddl_command_end EXECUTE FUNCTION guard.watch();
"""


@dataclass(frozen=True)
class World:
    """A converted database, and what the names in braces stand for there."""

    db: Database
    spec: Spec
    names: Mapping[str, str]
    clean: Review

    @property
    def request(self) -> Request:
        return Request(self.spec, roles=(self.spec.roles.app,))

    def fill(self, statement: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda m: self.names[m[1]], statement)

    def can(self, statements: tuple[str, ...]) -> bool:
        return all(word in self.names for s in statements for word in re.findall(r"\{(\w+)\}", s))


def converted_reference(db: Database) -> tuple[Spec, dict[str, str]]:
    reference.load(db)
    declared = reference.declared()
    with db.connect() as conn:
        conn.execute("SET row_security = off")
        for step in planner.plan(declared, introspect.read(conn), "transactional"):
            for statement in step.apply:
                conn.execute(statement.encode())
    return declared, {
        "table": "public.skills", "child": "public.ratings", "key": "id", "key_type": "text",
        "now": "current_setting('app.current_tenant_id', true)",
    }  # fmt: skip


def made_by_hand(db: Database) -> tuple[Spec, dict[str, str]]:
    declared = isolated.make(db, "uuid")
    with db.connect() as conn:
        for guard in ("no_audit_update", "no_audit_statement", "no_audit_truncate"):
            conn.execute(f"ALTER TABLE audit_logs ENABLE ALWAYS TRIGGER {guard}".encode())
    return declared, {
        "table": "public.users", "child": "public.notes", "key": "id", "key_type": "text", "shared": "public.countries",
        "now": "nullif(current_setting('app.current_tenant_id', true), '')::uuid",
    }  # fmt: skip


WORLDS = {"reference": converted_reference, "by hand": made_by_hand}


@pytest.fixture(scope="module", params=list(WORLDS))
def world(request: pytest.FixtureRequest, server: Server) -> Iterator[World]:
    """Made once for all tests; at the end it must be as it was."""
    with server.databases() as make:
        db = make()
        declared, names = WORLDS[request.param](db)
        names |= {
            "app": quote(declared.roles.app), "owner": quote(declared.roles.owner or ""), "keeper": quote(db.role("keeper")),
            "database": quote(db.name), "schema": "public", "column": "tenant_id", "setting": declared.tenancy.setting,
            "policy": "tenant_isolation", "trail": "public.audit_logs", "tenants": "public.tenants",
            "event_trigger": "guard",
        }  # fmt: skip
        found = World(db, declared, names, review(db, Request(declared, roles=(declared.roles.app,))))
        with db.connect() as conn:
            conn.execute(found.fill(HARDENED).encode())
        found = replace(found, clean=review(db, found.request))
        yield found
        assert review(db, found.request).findings == found.clean.findings


def review(db: Database, request: Request) -> Review:
    with db.connect() as conn:
        return checks.examine(conn, request, now=NOW)


def new(before: Review, after: Review) -> set[str]:
    known = {f.fingerprint for f in before.findings}
    return {f.check for f in after.findings if f.fingerprint not in known}


def errors(review: Review) -> set[tuple[str, str]]:
    return {
        (f.check, f.object) for f in review.findings if f.level == "error" and f.check != "server-version"
    }


CHECKS = {check.slug: check for check in checks.all_checks()}


@pytest.mark.parametrize("slug", list(CHECKS))
def test_a_check_finds_its_sabotage_and_nothing_else_does(world: World, slug: str) -> None:
    check = CHECKS[slug]
    if world.db.server_version < check.since * 10_000:
        pytest.skip(f"NOT TESTED HERE: {slug} is about PostgreSQL {check.since} and later")
    if not world.can(check.sabotage):
        pytest.skip(f"NOT TESTED HERE: this world has nothing for {slug}")
    with world.db.connect(autocommit=False) as conn:
        for statement in check.sabotage:
            conn.execute(world.fill(statement).encode())
        after = checks.examine(conn, world.request, now=NOW)
        conn.rollback()
    assert not [f.message for f in after.findings if f.check == "check-failed"]
    assert slug in new(world.clean, after)
    assert new(world.clean, after) <= {slug} | ALSO.get(slug, set())
    assert all(f.level == check.level and f.fix for f in after.findings if f.check == slug)


# Further ways into the same holes

FURTHER = [
    ("role-superuser", "CREATE ROLE sabotage SUPERUSER; GRANT sabotage TO {app}"),
    ("role-superuser", "CREATE ROLE a_; CREATE ROLE b_ SUPERUSER; GRANT b_ TO a_; GRANT a_ TO {app}"),
    ("role-superuser", "CREATE ROLE sabotage SUPERUSER; ALTER ROLE {app} NOINHERIT; GRANT sabotage TO {app}"),
    ("role-bypassrls", "CREATE ROLE sabotage BYPASSRLS; GRANT sabotage TO {app}"),
    ("role-owner", "GRANT {owner} TO {app}"),
    ("role-all-tables", "GRANT pg_write_all_data TO {app}"),
    ("role-monitoring", "GRANT pg_monitor TO {app}"),
    ("rls-off", "ALTER TABLE {tenants} DISABLE ROW LEVEL SECURITY"),
    ("rls-off", "ALTER TABLE {trail} DISABLE ROW LEVEL SECURITY"),
    ("policy-open", "CREATE POLICY sabotage ON {table} FOR DELETE USING (true)"),
    ("policy-open", "CREATE POLICY sabotage ON {table} FOR UPDATE USING (true)"),
    ("policy-open", "CREATE ROLE s_; GRANT s_ TO {app}; CREATE POLICY sabotage ON {table} TO s_ USING (true)"),
    ("policy-open", "CREATE POLICY sabotage ON {table} TO {app} USING ({column} IS NOT NULL)"),
    ("policy-open", "CREATE POLICY sabotage ON {table} USING ({key} IS NULL)"),
    # A restrictive policy for one of the roles that the application takes on does not hold for the others.
    ("policy-open", "CREATE ROLE s_; GRANT s_ TO {app}; CREATE POLICY a_ ON {table} USING (true);"
     " CREATE POLICY b_ ON {table} AS RESTRICTIVE TO {app} USING ({column} = {now})"),
    ("policy-check-weak", "CREATE POLICY sabotage ON {table} FOR INSERT WITH CHECK (true)"),
    ("policy-check-weak", "ALTER POLICY {policy} ON {table} WITH CHECK ({column} IS NOT NULL)"),
    ("policy-fail-open", "ALTER POLICY {policy} ON {table} USING ({column} = coalesce({now}, {column}))"),
    ("policy-none", "ALTER POLICY {policy} ON {table} TO {owner}"),
    ("policy-unclassified", "CREATE POLICY sabotage ON {table} USING ({column}::text > current_setting('{setting}'))"),
    ("view-definer", "CREATE VIEW a_ AS SELECT * FROM {table}; CREATE VIEW sabotage WITH (security_invoker)"
     " AS SELECT * FROM a_; GRANT SELECT ON sabotage TO {app}"),
    ("matview-readable", "CREATE MATERIALIZED VIEW a_ AS SELECT * FROM {table}; CREATE MATERIALIZED VIEW sabotage"
     " AS SELECT * FROM a_; GRANT SELECT ON sabotage TO {app}"),
    ("grant-truncate", "GRANT TRUNCATE ON {trail} TO PUBLIC"),
    ("grant-references", "GRANT REFERENCES ({key}) ON {table} TO {app}"),
    ("tenant-mutable", "GRANT UPDATE (id) ON {tenants} TO {app}"),
    ("create-schema", "CREATE SCHEMA sabotage; GRANT CREATE ON SCHEMA sabotage TO PUBLIC"),
    ("setting-preset", "ALTER ROLE {app} IN DATABASE {database} SET {setting} = 'sabotage'"),
    ("setting-preset", "ALTER ROLE ALL SET {setting} = 'sabotage'"),
    ("setting-role", "ALTER ROLE {app} SET search_path = sabotage, public"),
    ("definer-path", "CREATE FUNCTION sabotage() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS"
     " 'BEGIN RETURN NEW; END'; ALTER FUNCTION sabotage() OWNER TO {owner}"),
    ("publication-rows", "CREATE PUBLICATION sabotage FOR ALL TABLES"),
    ("publication-rows", "CREATE PUBLICATION sabotage FOR TABLES IN SCHEMA public"),
    ("trail-guard-missing", "DROP TRIGGER no_audit_truncate ON {trail}"),
    ("trail-guard-missing", "DROP TRIGGER no_audit_update ON {trail}; DROP TRIGGER no_audit_statement ON {trail};"
     " CREATE TRIGGER a_ BEFORE UPDATE OR DELETE ON {trail} FOR EACH ROW WHEN (false)"
     " EXECUTE FUNCTION prevent_audit_modification(); ALTER TABLE {trail} ENABLE ALWAYS TRIGGER a_"),
    ("trail-guard-missing", "CREATE OR REPLACE FUNCTION prevent_audit_modification() RETURNS trigger"
     " LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"),
    ("trail-writable", "GRANT DELETE ON {trail} TO PUBLIC"),
    ("fk-cascade", "ALTER TABLE {child} ADD COLUMN sabotage {key_type} REFERENCES {table} ({key}) ON UPDATE CASCADE"),
    ("fk-clears-tenant", "ALTER TABLE {child} ADD COLUMN s {key_type}, ADD FOREIGN KEY ({column}, s)"
     " REFERENCES {table} ({column}, {key}) ON DELETE SET DEFAULT"),
    ("index-tenant-missing", "CREATE TABLE sabotage () INHERITS ({table}); ALTER TABLE sabotage OWNER TO {owner};"
     " CREATE INDEX ON sabotage ({column}) WHERE {column} IS NOT NULL"),
]  # fmt: skip
BESIDE: Mapping[str, set[str]] = {
    **ALSO,
    "role-owner": {"role-function-owner"},
    "role-all-tables": {"sequence-readable", "grant-shared-write", "trail-writable", "tenant-mutable",
                        "trail-forgeable", "policy-none", "grant-sequence"},
    "policy-unclassified": {"policy-reuse"},
    "policy-none": {"policy-other-roles"},
    "trail-writable": {"grant-public"},
    "grant-truncate": {"grant-public"},
    "definer-path": {"definer-public"},
    "index-tenant-missing": {"index-not-led"},
}  # fmt: skip


@pytest.mark.parametrize(("slug", "statements"), FURTHER)
def test_a_check_finds_other_ways_too(world: World, slug: str, statements: str) -> None:
    with world.db.connect(autocommit=False) as conn:
        conn.execute(world.fill(statements).encode())
        after = checks.examine(conn, world.request, now=NOW)
        conn.rollback()
    assert slug in new(world.clean, after)
    assert new(world.clean, after) <= {slug} | BESIDE.get(slug, set())


@pytest.mark.parametrize("roles", ["PUBLIC", "{app}"])
def test_a_restrictive_policy_makes_up_for_an_open_one(world: World, roles: str) -> None:
    statements = (
        "CREATE POLICY a_ ON {table} USING (true); CREATE POLICY b_ ON {table} AS RESTRICTIVE TO "
        + roles
        + " USING ({column} = {now})"
    )
    with world.db.connect(autocommit=False) as conn:
        conn.execute(world.fill(statements).encode())
        after = checks.examine(conn, world.request, now=NOW)
        conn.rollback()
    assert new(world.clean, after) == set()


# What a run leaves, and what it cannot do


def test_the_converted_reference_application_has_no_error(world: World) -> None:
    assert errors(world.clean) == set()
    assert set(world.clean.skipped) <= {
        c.slug for c in checks.all_checks() if c.since * 10_000 > world.db.server_version
    }


def test_nothing_is_written_or_locked(world: World) -> None:
    with world.db.connect(autocommit=False) as conn:
        checks.examine(conn, world.request, now=NOW)
        assert conn.execute("SELECT pg_current_xact_id_if_assigned()").fetchone() == (None,)
        assert conn.execute("SHOW transaction_read_only").fetchone() == ("off",)
        assert conn.execute("SHOW search_path").fetchone() != ("",)
        conn.rollback()


def test_any_role_may_look(world: World) -> None:
    with world.db.connect() as conn, world.db.connect() as admin:
        admin.execute(world.fill("GRANT CONNECT ON DATABASE {database} TO {app}").encode())
        conn.execute(world.fill("SET SESSION AUTHORIZATION {app}").encode())
        found = checks.examine(conn, world.request, now=NOW)
        admin.execute(world.fill("REVOKE CONNECT ON DATABASE {database} FROM {app}").encode())
    assert found.findings == world.clean.findings


def test_a_check_that_fails_is_an_error_and_the_others_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = replace(CHECKS["rls-off"], query="SELECT 'x' AS object, '' AS detail, (1 / 0)::text AS message")
    all_of_them = (broken, *(c for c in checks.all_checks() if c.slug != "rls-off"))
    monkeypatch.setattr(checks, "all_checks", lambda: all_of_them)
    found = review(world.db, world.request)
    assert new(world.clean, found) == {"check-failed"}
    (failed,) = [f for f in found.findings if f.check == "check-failed"]
    assert (failed.level, failed.object) == ("error", "rls-off")
    assert "could not look: 22012 division by zero" in failed.message
    assert not found.good


def test_without_the_role_what_needs_it_is_not_run(world: World) -> None:
    found = review(world.db, Request(world.spec))
    assert {"role-superuser", "grant-truncate"} <= set(found.skipped)
    assert any("role is not known" in line for line in found.not_looked_at)


def test_of_a_superuser_only_that_is_said(world: World) -> None:
    with world.db.connect(autocommit=False) as conn:
        conn.execute(world.fill("ALTER ROLE {app} SUPERUSER").encode())
        found = checks.examine(conn, world.request, now=NOW)
        conn.rollback()
    assert errors(found) == {("role-superuser", world.spec.roles.app)}
    assert any("is a superuser, whom no privilege" in line for line in found.not_looked_at)


def test_who_stepped_down_in_the_dsn_is_looked_at(world: World) -> None:
    role = world.spec.roles.app
    stepped = make_conninfo(world.db.dsn, user="postgres", options=f"-c role={role}")
    found = checks.check(world.db.dsn, Request(world.spec), app_dsn=stepped, now=NOW)
    assert found.role == f"postgres as {role}"
    assert ("role-superuser", "postgres") in errors(found)


def test_a_schema_that_is_not_there_is_told(world: World) -> None:
    with pytest.raises(CatalogError, match=r"schema nowhere is not there.*the schemas are .*public"):
        review(world.db, Request(schemas=("nowhere",)))
    found = review(world.db, replace(world.request, schemas=("guard",)))
    assert "other schemas: public" in found.not_looked_at


def test_the_command_reports_and_exits(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Result:
        role = ("--app-role", world.spec.roles.app)
        return CliRunner().invoke(app, ["check", "--dsn", world.db.dsn, *role, *arguments])

    as_json = run("--format", "json")
    record = json.loads(as_json.stdout)
    assert record["version"] == 1
    assert (as_json.exit_code, record["good"]) == (
        (0, True) if not [f for f in record["findings"] if f["level"] == "error"] else (1, False)
    )
    (tmp_path / "baseline.json").write_text(as_json.stdout)
    with world.db.connect() as conn:
        conn.execute(world.fill("GRANT TRUNCATE ON {table} TO {app}").encode())
        found = run("--baseline", "baseline.json")
        conn.execute(world.fill("REVOKE TRUNCATE ON {table} FROM {app}").encode())
    assert found.exit_code == 1
    assert found.stdout.startswith("ERRORS FOUND: 1 error")
    assert "ERROR 601 grant-truncate" in found.stdout
    assert run("--baseline", "nowhere.json").exit_code == 2
    assert run("--schema", "nowhere").exit_code == 3
    assert CliRunner().invoke(app, ["check", "--dsn", "host=127.0.0.1 port=1"]).exit_code == 3

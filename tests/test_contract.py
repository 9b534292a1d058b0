"""The reference conversion, name by name, on the databases that four ways of running it leave behind."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tenantry import planner
from tenantry.apply import apply
from tenantry.render import alembic, drizzle, sql
from tenantry.steps.events import ADDED
from tests import corpus, migrators, reference
from tests.reference import DEFAULT, LOGIN, MIGRATIONS, NINE
from tests.servers import Database, MakeDatabase

NAMES = {"column": "tenant_id", "audit_table": "audit_logs"}


def by_apply(db: Database, _: Path) -> None:
    apply(db.dsn, reference.plan(db, "online"))


def by_apply_transactional(db: Database, _: Path) -> None:
    apply(db.dsn, reference.plan(db, "transactional"))


def by_psql(db: Database, folder: Path) -> None:
    files = sql.render(reference.plan(db, "transactional"), **NAMES, first=2, existing={})
    migrators.write(folder, files)
    migrators.run_psql(sorted(folder.glob("*.sql")), db)


def by_psql_of_committed_files(db: Database, _: Path) -> None:
    migrators.run_psql(sorted(MIGRATIONS.glob("*.sql")), db)


def by_drizzle(db: Database, _: Path) -> None:
    migrators.run_drizzle(MIGRATIONS, db.dsn)


def by_alembic(db: Database, folder: Path) -> None:
    plan = reference.plan(db, "transactional")
    versions = migrators.alembic_project(folder, db.dsn, env_style="transactional")
    migrators.write(versions, alembic.render(plan, **NAMES, heads=(), existing={}))
    migrators.run_alembic(versions, "upgrade", "head")


Way = Callable[[Database, Path], None]
WAYS: list[Way] = [
    by_apply,
    by_apply_transactional,
    by_psql,
    by_psql_of_committed_files,
    by_drizzle,
    by_alembic,
]


@pytest.fixture(params=WAYS, ids=lambda way: way.__name__)
def converted(request: pytest.FixtureRequest, db: Database, tmp_path: Path) -> Database:
    """The reference application, converted one way."""
    reference.load(db)
    request.param(db, tmp_path)
    return db


def test_every_way_ends_in_the_same_catalog(make_db: MakeDatabase, tmp_path: Path) -> None:
    found = {}
    for way in WAYS:
        db = make_db()
        reference.load(db, scale=0.02)
        (tmp_path / way.__name__).mkdir()
        way(db, tmp_path / way.__name__)
        found[way.__name__] = (reference.structure(db), reference.texts(db))
    first = found.pop("by_apply")
    assert len(first[1]) > 100
    for way_name, catalog in found.items():
        assert catalog == first, way_name


def ask(conn: psycopg.Connection[Any], query: str) -> list[tuple[Any, ...]]:
    return conn.execute(query.encode()).fetchall()


def test_the_contract_holds_name_by_name(converted: Database) -> None:
    with converted.connect() as conn:
        for check in (
            tenants, columns, keys, isolation, who_knows_the_nine_columns_alone, events, trail, login_tables, roles,
        ):  # fmt: skip
            check(conn)


def tenants(conn: psycopg.Connection[Any]) -> None:
    found = ask(conn, """
        SELECT a.attname, format_type(a.atttypid, -1), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
        FROM pg_attribute a LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
        WHERE a.attrelid = 'tenants'::regclass AND a.attnum > 0 ORDER BY a.attnum""")  # fmt: skip
    assert found == [
        ("id", "text", True, "(gen_random_uuid())::text"),
        ("name", "text", True, None),
        ("slug", "text", True, None),
        ("domain", "text", False, None),
        ("logo", "text", False, None),
        ("is_active", "boolean", True, "true"),
        ("plan", "text", True, "'freemium'::text"),
        ("created_at", "timestamp with time zone", True, "now()"),
        ("updated_at", "timestamp with time zone", True, "now()"),
    ]
    keys = ask(
        conn,
        "SELECT contype, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'tenants'::regclass AND contype IN ('p', 'u')",
    )
    assert sorted(keys) == [("p", "PRIMARY KEY (id)"), ("u", "UNIQUE (slug)")]
    assert ask(conn, "SELECT id, slug FROM tenants") == [(DEFAULT, "default")]


def columns(conn: psycopg.Connection[Any]) -> None:
    for table in NINE:
        found = ask(
            conn,
            f"SELECT format_type(atttypid, atttypmod), attnotnull FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attname = 'tenant_id'",
        )
        assert found == [("text", True)], table
        assert ask(conn, f"SELECT DISTINCT tenant_id FROM {table}") == [(DEFAULT,)], table


def keys(conn: psycopg.Connection[Any]) -> None:
    constraints = dict(
        ask(
            conn,
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND convalidated",
        )
    )
    for table in NINE:
        assert constraints[f"{table}_tenant_id_fk"] == "FOREIGN KEY (tenant_id) REFERENCES tenants(id)"
        found = ask(
            conn,
            f"SELECT indkey::text, indisvalid FROM pg_index WHERE indexrelid = '{table}_tenant_id_idx'::regclass",
        )
        number = ask(
            conn,
            f"SELECT attnum::text FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attname = 'tenant_id'",
        )
        assert found == [(number[0][0], True)], table
    assert constraints["skills_tenant_slug_unique"] == "UNIQUE (tenant_id, slug)"
    assert constraints["skill_embeddings_tenant_skill_unique"] == "UNIQUE (tenant_id, skill_id)"
    assert constraints["skill_reviews_tenant_skill_unique"] == "UNIQUE (tenant_id, skill_id)"
    for gone in ("skills_slug_unique", "skill_embeddings_skill_id_unique", "skill_reviews_skill_id_unique"):
        assert gone not in constraints
    assert constraints["users_email_unique"] == "UNIQUE (email)"
    assert constraints["site_settings_pkey"] == "PRIMARY KEY (tenant_id, id)"
    # Between tenant tables no foreign key is left that does not name the tenant.
    loose = [d for d in constraints.values() if d.startswith("FOREIGN KEY") and "tenant_id" not in d]
    assert (
        sorted(loose) == ["FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE"] * 2
    )  # accounts, sessions
    assert constraints["skills_tenant_author_fk"].endswith(
        "REFERENCES users(tenant_id, id) ON DELETE SET NULL (author_id)"
    )


def isolation(conn: psycopg.Connection[Any]) -> None:
    condition = "(tenant_id = current_setting('app.current_tenant_id'::text, true))"
    policies = ask(
        conn,
        "SELECT polrelid::regclass::text, polpermissive, polcmd::text, polroles, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid) FROM pg_policy WHERE polname = 'tenant_isolation'",
    )
    found = {p[0]: p[1:] for p in policies}
    for table in (*NINE, "audit_logs"):
        assert found[table] == (True, "*", [0], condition, condition), table
    assert set(found) == {*NINE, *LOGIN, "tenants", "audit_logs"}
    assert found["tenants"][3] == "(id = current_setting('app.current_tenant_id'::text, true))"
    resolving = ask(
        conn,
        "SELECT polrelid::regclass::text, polcmd::text, polroles::regrole[]::text[] FROM pg_policy WHERE polname = 'tenant_resolver' ORDER BY 1",
    )
    assert resolving == [(table, "r", ["skills_resolver"]) for table in ("api_keys", "tenants", "users")]
    searching = ask(
        conn,
        "SELECT polrelid::regclass::text, polcmd::text, polroles::regrole[]::text[] FROM pg_policy WHERE polname = 'tenant_search'",
    )
    assert searching == [("skills", "r", ["skills_searcher"])]
    trails = ask(
        conn,
        "SELECT polrelid::regclass::text, polname, polcmd::text, polroles::regrole[]::text[] FROM pg_policy WHERE polname LIKE 'audit_%' ORDER BY 1, 2",
    )
    assert trails == [
        ("audit.personal", "audit_own", "*", ["skills_audit"]),
        ("audit.personal", "audit_read", "r", ["skills_auditor"]),
        ("audit_logs", "audit_read", "r", ["skills_audit", "skills_auditor"]),
        ("audit_logs", "audit_write", "a", ["skills_audit"]),
    ]
    assert len(ask(conn, "SELECT FROM pg_policy")) == len(found) + len(resolving) + len(searching) + len(
        trails
    )
    forced = ask(
        conn, "SELECT oid::regclass::text FROM pg_class WHERE relrowsecurity AND relforcerowsecurity"
    )
    assert {name for (name,) in forced} == {*found, "audit.personal"}


def trail(conn: psycopg.Connection[Any]) -> None:
    found = ask(
        conn,
        "SELECT attname, format_type(atttypid, -1), attnotnull FROM pg_attribute WHERE attrelid = 'audit_logs'::regclass AND attnum > 0 ORDER BY attnum",
    )
    assert found[:9] == [
        ("id", "uuid", True), ("actor_id", "text", False), ("tenant_id", "text", False), ("action", "text", True),
        ("resource_type", "text", False), ("resource_id", "text", False), ("ip_address", "text", False),
        ("metadata", "jsonb", False), ("created_at", "timestamp with time zone", True),
    ]  # fmt: skip
    assert [name for name, _, _ in found[9:]] == [name for name, _, _ in ADDED]
    indexes = dict(
        ask(
            conn,
            "SELECT indexname, split_part(indexdef, 'USING ', 2) FROM pg_indexes WHERE tablename = 'audit_logs'",
        )
    )
    assert indexes["audit_logs_tenant_created_idx"] == "btree (tenant_id, created_at DESC)"
    assert indexes["audit_logs_actor_idx"] == "btree (actor_id, created_at DESC)"
    assert indexes["audit_logs_action_idx"] == "btree (action, created_at DESC)"
    row_guard = ask(
        conn,
        "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'audit_logs'::regclass AND tgname = 'no_audit_update'",
    )[0][0]
    assert "BEFORE DELETE OR UPDATE ON" in row_guard
    assert "FOR EACH ROW EXECUTE FUNCTION" in row_guard
    assert row_guard.endswith("prevent_audit_modification()")
    conn.execute("INSERT INTO audit_logs (action) VALUES ('test')")
    for statement in (
        "UPDATE audit_logs SET action = 'x'",
        "DELETE FROM audit_logs",
        "DELETE FROM audit_logs WHERE false",
        "TRUNCATE audit_logs",
    ):
        with pytest.raises(
            psycopg.errors.RaiseException, match="Direct modification of audit_logs is forbidden"
        ):
            conn.execute(statement.encode())
    conn.execute("SET session_replication_role = replica")
    with pytest.raises(psycopg.errors.RaiseException):
        conn.execute("TRUNCATE audit_logs")
    conn.execute("RESET session_replication_role")


def login_tables(conn: psycopg.Connection[Any]) -> None:
    for table in LOGIN:
        assert not ask(
            conn, f"SELECT FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attname = 'tenant_id'"
        )
        total = ask(conn, f"SELECT count(*) FROM {table}")[0][0]
        assert total > 0
        assert as_app(conn, DEFAULT, f"SELECT count(*) FROM {table}") == total, table
        assert as_app(conn, "another", f"SELECT count(*) FROM {table}") == 0, table


def as_app(conn: psycopg.Connection[Any], tenant: str, query: str) -> Any:
    with conn.transaction(force_rollback=True):
        conn.execute("SET LOCAL ROLE app_user")
        conn.execute("SELECT set_config('app.current_tenant_id', %s, true)", [tenant])
        return ask(conn, query)[0][0]


def who_knows_the_nine_columns_alone(conn: psycopg.Connection[Any]) -> None:
    """Writes and reads on; what an event is ordered and dated by is not the application's to say."""
    nine = "actor_id, tenant_id, action, resource_type, resource_id, ip_address, metadata"
    write = f"INSERT INTO audit_logs ({nine}) VALUES ('u', '{DEFAULT}', 'old.way', 'skill', '1', '::1', '{{}}') RETURNING 1"
    assert as_app(conn, DEFAULT, write) == 1
    for column, value in {
        "id": "gen_random_uuid()",
        "created_at": "now()",
        "xid": "'1'",
        "database_user": "'me'",
    }.items():
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_app(
                conn,
                DEFAULT,
                f"INSERT INTO audit_logs (tenant_id, action, {column}) VALUES ('{DEFAULT}', 'x', {value})",
            )
    with conn.transaction(force_rollback=True):
        conn.execute(
            f"INSERT INTO audit_logs ({nine}) VALUES ('u', '{DEFAULT}', 'old.way', 'skill', '1', '::1', '{{}}')".encode()
        )
        read = f"SELECT id IS NOT NULL AND created_at IS NOT NULL, {nine} FROM audit_logs WHERE action = 'old.way'"
        conn.execute("SET LOCAL ROLE app_user")
        conn.execute("SELECT set_config('app.current_tenant_id', %s, true)", [DEFAULT])
        assert ask(conn, read) == [(True, "u", DEFAULT, "old.way", "skill", "1", "::1", {})]


def events(conn: psycopg.Connection[Any]) -> None:
    """The application writes its declared actions through audit.log(), and what changes is recorded."""
    assert as_app(conn, DEFAULT, "SELECT audit.log('settings.update', outcome => 'denied') IS NOT NULL")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="not declared"):
        as_app(conn, DEFAULT, "SELECT audit.log('settings.forget')")
    changed = (
        "WITH made AS (UPDATE users SET name = 'New', email = 'new@example.com' WHERE id = (SELECT min(id) FROM users)"
        " RETURNING 1), kept AS (UPDATE api_keys SET last_used_at = now() RETURNING 1) SELECT 1 FROM made"
    )
    with conn.transaction(force_rollback=True):
        conn.execute("SET LOCAL ROLE app_user")
        conn.execute("SELECT set_config('app.current_tenant_id', %s, true)", [DEFAULT])
        ask(conn, changed)
        captured = ask(
            conn,
            "SELECT action, resource_type, tenant_id, metadata FROM audit_logs WHERE context @> '{\"captured\": true}'",
        )
    hidden = dict.fromkeys(("email", "name"), "[redacted]")
    assert captured == [("row.update", "users", DEFAULT, {"old": hidden, "new": hidden})]


def roles(conn: psycopg.Connection[Any]) -> None:
    found = ask(
        conn,
        "SELECT rolname, rolcanlogin, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = 'app_user' OR rolname LIKE 'skills_%' ORDER BY 1",
    )
    assert found == [
        ("app_user", True, False, False),
        ("skills_audit", False, False, False),
        ("skills_auditor", False, False, False),
        ("skills_owner", False, False, False),
        ("skills_resolver", False, False, False),
        ("skills_searcher", False, False, False),
    ]
    owners = ask(
        conn,
        "SELECT relowner::regrole::text, count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname NOT IN ('alembic_version') GROUP BY 1 ORDER BY 1",
    )
    assert owners == [("skills_audit", 1), ("skills_owner", len(NINE) + len(LOGIN) + 1)]
    for table in (*NINE, *LOGIN):
        rights = {p for p in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
                  if ask(conn, f"SELECT has_table_privilege('app_user', '{table}', '{p}')")[0][0]}  # fmt: skip
        assert rights == {"SELECT", "INSERT", "UPDATE", "DELETE"}, table
    for privilege, has in {
        "SELECT": True,
        "INSERT": False,  # but column by column
        "UPDATE": False,
        "DELETE": False,
        "TRUNCATE": False,
    }.items():
        assert ask(conn, f"SELECT has_table_privilege('app_user', 'audit_logs', '{privilege}')") == [(has,)]


def test_the_committed_files_are_what_render_makes(db: Database, tmp_path: Path) -> None:
    reference.load(db)
    spec, found = reference.declared(), reference.catalog(db)
    assert spec.audit is not None
    ours = {spec.roles.app, spec.roles.owner, spec.roles.resolver, spec.roles.searcher}
    ours |= {spec.audit.owner, spec.audit.reader}
    found = replace(
        found, roles=tuple(r for r in found.roles if r.name not in ours)
    )  # roles are the server's
    plan = planner.plan(spec, found, "transactional")
    committed = migrators.read(MIGRATIONS, ".sql", ".json")
    assert sorted(committed) == [
        "0002_add_tenants.sql", "0003_add_tenant_id_columns.sql", "0004_backfill_tenant_id.sql",
        "0005_enforce_tenant_id.sql", "0006_create_audit_logs.sql", "0007_harden.sql", "meta/_journal.json",
    ]  # fmt: skip
    journal = json.loads(committed["meta/_journal.json"])
    newest = journal["entries"][-1]["when"]
    files = [
        f
        for f in drizzle.render(plan, **NAMES, first=2, existing={}, now_ms=newest)
        if f.path.endswith(".sql")
    ]
    if corpus.UPDATE_GOLDEN:
        migrators.write(MIGRATIONS, files)
        committed = migrators.read(MIGRATIONS, ".sql", ".json")
    assert {f.path: f.text for f in files} == {k: v for k, v in committed.items() if k.endswith(".sql")}
    assert [e["idx"] for e in journal["entries"]] == [2, 3, 4, 5, 6, 7]
    # Rendered into the folder as it is, nothing is left to write.
    assert drizzle.render(plan, **NAMES, first=2, existing=committed, now_ms=newest) == ()


def test_no_row_is_lost_or_changed_by_the_rendered_files(db: Database) -> None:
    reference.load(db)
    with db.connect() as conn:
        before = reference.checksums(conn, (*NINE, *LOGIN))
        by_psql_of_committed_files(db, Path())
        assert reference.checksums(conn, (*NINE, *LOGIN)) == before
        # Safe to run again: nothing is unfilled, so nothing changes.
        for statement in (
            (MIGRATIONS / "0004_backfill_tenant_id.sql").read_text().split("--> statement-breakpoint")
        ):
            cursor = conn.execute(statement.encode())
            assert cursor.rowcount <= 0

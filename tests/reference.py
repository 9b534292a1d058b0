"""The reference application in tests: loaded, planned, and read back."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import psycopg

from tenantry import introspect, planner, spec
from tenantry.catalog import Catalog
from tenantry.plan import Plan, Profile
from tenantry.spec import Spec
from tests.servers import Database

EXAMPLE = Path(__file__).parents[1] / "examples" / "skills_catalog"
MIGRATIONS = EXAMPLE / "migrations"
NINE = (
    "api_keys", "ratings", "site_settings", "skill_embeddings", "skill_reviews", "skill_versions", "skills",
    "usage_events", "users",
)  # fmt: skip
LOGIN = ("accounts", "sessions", "verification_tokens")
DEFAULT = "default-tenant-000-0000-000000000000"
# What migrators keep for themselves.
BOOKKEEPING = {"alembic_version", "__drizzle_migrations"}

sys.path.insert(0, str(EXAMPLE))
data: Any = importlib.import_module("data")


def declared() -> Spec:
    """The committed spec."""
    return spec.load(EXAMPLE / "tenantry.toml")


def load(db: Database, *, scale: float = 0.05) -> None:
    """The single-tenant application, with rows; without pgvector on a server that has none."""
    with db.connect() as conn:
        found = conn.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'").fetchone()
        data.load_baseline(conn, vector=found is not None)
        data.generate(conn, scale=scale)
        conn.execute("ANALYZE")


def plan(db: Database, profile: Profile) -> Plan:
    """What the database lacks."""
    return planner.plan(declared(), catalog(db), profile)


def catalog(db: Database) -> Catalog:
    """The whole catalog."""
    with db.connect() as conn:
        return introspect.read(conn)


def structure(db: Database) -> dict[str, Any]:
    """What two databases must have in common to be equal; migrators' own tables aside."""
    found = catalog(db).structure()
    found["tables"] = [t for t in found["tables"] if t["name"][1] not in BOOKKEEPING]
    return dict(json.loads(json.dumps(found)))


def texts(db: Database) -> list[tuple[Any, ...]]:
    """Definitions word for word, as this server writes them: comparable between databases of one server."""
    query = """
        WITH ours AS (SELECT oid FROM pg_namespace WHERE nspname IN ('public', 'audit'))
        SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
          FROM pg_constraint WHERE connamespace IN (SELECT oid FROM ours)
        UNION ALL SELECT 'index', indrelid::regclass::text, indexrelid::regclass::text, pg_get_indexdef(indexrelid)
          FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE c.relnamespace IN (SELECT oid FROM ours)
        UNION ALL SELECT 'policy', polrelid::regclass::text, polname,
          concat(polroles::regrole[], pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) FROM pg_policy
        UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) || tgenabled::text
          FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL SELECT 'default', adrelid::regclass::text, adnum::text, pg_get_expr(adbin, adrelid)
          FROM pg_attrdef JOIN pg_class c ON c.oid = adrelid WHERE c.relnamespace IN (SELECT oid FROM ours)
        UNION ALL SELECT 'function', oid::regprocedure::text, proowner::regrole::text, pg_get_functiondef(oid)
          FROM pg_proc WHERE pronamespace IN (SELECT oid FROM ours) AND prokind = 'f'
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = pg_proc.oid AND d.deptype = 'e')
        UNION ALL SELECT 'acl', relname, '', (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(relacl) a)
          FROM pg_class WHERE relnamespace IN (SELECT oid FROM ours) AND relkind IN ('r', 'S', 'v')
        UNION ALL SELECT 'acl', attrelid::regclass::text, attname, attacl::text
          FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
          WHERE c.relnamespace IN (SELECT oid FROM ours) AND attacl IS NOT NULL
        UNION ALL SELECT 'acl', oid::regprocedure::text, '', proacl::text
          FROM pg_proc WHERE pronamespace IN (SELECT oid FROM ours) AND proacl IS NOT NULL
        ORDER BY 1, 2, 3, 4"""
    with db.connect() as conn:
        return [
            row
            for row in conn.execute(query)
            if row[1] not in BOOKKEEPING and row[2] != "alembic_version_pkc"
        ]


def checksums(
    conn: psycopg.Connection[Any], tables: tuple[str, ...], without: str = "tenant_id"
) -> dict[str, Any]:
    """Rows and a checksum over every column but one, per table."""
    found = {}
    for table in tables:
        row = conn.execute(
            f"SELECT count(*), sum(hashtextextended((to_jsonb(t) - '{without}')::text, 0)) FROM {table} t".encode()
        ).fetchone()
        found[table] = row
    return found

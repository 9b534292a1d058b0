"""The reference application before its conversion: its migrations load, and its data is what it says."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.servers import Database

sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "skills_catalog"))

import data
from catalog_rows import ascii_slug, skill_name

EXAMPLE = Path(data.__file__).parent

TENANT_TABLES = [
    "users",
    "skills",
    "ratings",
    "usage_events",
    "skill_versions",
    "skill_embeddings",
    "skill_reviews",
    "api_keys",
    "site_settings",
]
LOGIN_TABLES = ["accounts", "sessions", "verification_tokens"]
TABLES = sorted(TENANT_TABLES + LOGIN_TABLES)

FOREIGN_KEYS = {
    ("accounts_user_id_users_id_fk", "CASCADE"),
    ("sessions_user_id_users_id_fk", "CASCADE"),
    ("skills_author_id_users_id_fk", "SET NULL"),
    ("skill_versions_skill_id_skills_id_fk", "CASCADE"),
    ("skill_versions_created_by_users_id_fk", "SET NULL"),
    ("ratings_skill_id_skills_id_fk", "CASCADE"),
    ("ratings_user_id_users_id_fk", "CASCADE"),
    ("usage_events_user_id_users_id_fk", "SET NULL"),
    ("skill_embeddings_skill_id_skills_id_fk", "CASCADE"),
    ("skill_reviews_skill_id_skills_id_fk", "CASCADE"),
    ("skill_reviews_requested_by_users_id_fk", "NO ACTION"),
    ("api_keys_user_id_users_id_fk", "CASCADE"),
}
UNIQUES = {
    "users_email_unique",
    "skills_slug_unique",
    "skill_embeddings_skill_id_unique",
    "skill_reviews_skill_id_unique",
    "api_keys_key_hash_unique",
}

# The least a conversion does, by hand, so that a second tenant has a place to go.
CONVERT = """
CREATE TABLE tenants (id text PRIMARY KEY);
INSERT INTO tenants VALUES ('first'), ('second'), ('third');
ALTER TABLE skills DROP CONSTRAINT skills_slug_unique, ADD UNIQUE (tenant_id, slug);
ALTER TABLE site_settings DROP CONSTRAINT site_settings_pkey, ADD PRIMARY KEY (tenant_id, id);
"""

# Rows that would contradict others: none may exist.
NEVER = (
    "SELECT 1 FROM skills s LEFT JOIN skill_versions v ON v.id = published_version_id AND v.skill_id = s.id"
    " WHERE published_version_id IS NOT NULL AND v.id IS NULL",
    "SELECT 1 FROM skills s LEFT JOIN skill_versions v ON v.id = draft_version_id AND v.skill_id = s.id"
    " WHERE draft_version_id IS NOT NULL AND v.id IS NULL",
    "SELECT 1 FROM skill_versions GROUP BY skill_id HAVING count(*) <> max(version) OR min(version) <> 1",
    "SELECT 1 FROM skills s WHERE total_uses <> (SELECT count(*) FROM usage_events WHERE skill_id = s.id)",
    "SELECT 1 FROM skills s WHERE average_rating IS DISTINCT FROM"
    " (SELECT round(avg(rating), 2) FROM ratings WHERE skill_id = s.id)",
    "SELECT 1 FROM verification_tokens WHERE identifier NOT IN (SELECT email FROM users)",
    "SELECT 1 FROM skills s JOIN users u ON u.id = s.author_id WHERE s.created_at < u.created_at",
    "SELECT 1 FROM ratings r JOIN skills s ON s.id = r.skill_id WHERE r.created_at < s.created_at",
    "SELECT 1 FROM usage_events WHERE created_at NOT BETWEEN '2023-06-01Z' AND '2025-06-01Z'",
    "SELECT 1 FROM skills WHERE slug !~ '^[a-z0-9]+(-[a-z0-9]+)*$' OR search_vector IS NULL",
    "SELECT 1 FROM users WHERE email !~ '^[a-z0-9.-]+@example.com$'",
)
# What makes the rows like real ones: some of each must exist.
SOMETIMES = (
    "SELECT 1 FROM usage_events WHERE skill_id NOT IN (SELECT id FROM skills)",
    "SELECT 1 FROM users WHERE octet_length(name) > length(name)",
    "SELECT 1 FROM skills WHERE octet_length(name) > length(name)",
    "SELECT 1 FROM skills WHERE published_version_id IS NOT NULL AND draft_version_id IS NOT NULL",
    "SELECT 1 FROM skills WHERE tags = '{}'",
    "SELECT 1 FROM usage_events WHERE metadata #> '{filters,category}' IS NOT NULL",
    "SELECT 1 FROM usage_events GROUP BY date_trunc('month', created_at) OFFSET 22",  # 23 months or more
)

Connection = psycopg.Connection[Any]


def has_vector(conn: Connection) -> bool:
    return bool(column(conn, "SELECT 1 FROM pg_available_extensions WHERE name = 'vector'"))


def need_vector(conn: Connection) -> None:
    if not has_vector(conn):
        version = conn.info.server_version // 10_000
        pytest.skip(f"this PostgreSQL {version} has no pgvector: 0001_pgvector.sql is NOT tested on it")


def column(conn: Connection, query: str) -> list[Any]:
    return [row[0] for row in conn.execute(query.encode()).fetchall()]


def access_method(index: str) -> str:
    return f"SELECT amname FROM pg_am JOIN pg_class c ON relam = pg_am.oid WHERE c.relname = '{index}'"


def loaded(db: Database, scale: float, seed: int = 1) -> Connection:
    """A connection to the database with schema and data in it, with embeddings where the server has them."""
    conn = db.connect()
    data.load_baseline(conn, vector=has_vector(conn))
    data.generate(conn, scale=scale, seed=seed)
    return conn


def checksums(conn: Connection) -> dict[str, str]:
    """Of each table's rows in the order they were written."""
    query = sql.SQL("SELECT md5(string_agg(t::text, E'\\n' ORDER BY ctid)) FROM {} AS t")
    conn.execute("SET TimeZone = 'UTC'")
    found = {table: conn.execute(query.format(sql.Identifier(table))).fetchone() for table in TABLES}
    return {table: row[0] for table, row in found.items() if row}


def test_journal_agrees_with_the_files() -> None:
    journal = json.loads((EXAMPLE / "baseline" / "meta" / "_journal.json").read_text())
    entries = journal["entries"]
    times = [entry["when"] for entry in entries]
    assert (journal["version"], journal["dialect"]) == ("7", "postgresql")
    assert [entry["tag"] for entry in entries] == sorted(p.stem for p in (EXAMPLE / "baseline").glob("*.sql"))
    assert [entry["idx"] for entry in entries] == list(range(len(entries)))
    assert all(entry["version"] == "7" and entry["breakpoints"] is True for entry in entries)
    assert times == sorted(set(times))
    assert times[-1] < time.time() * 1000


def test_each_breakpoint_ends_one_statement() -> None:
    statements = data.baseline_statements()
    assert len(statements) > 30
    assert [s for s in statements if s.count(";") != 1 or not s.endswith(";")] == []


def test_without_pgvector_only_embeddings_differ() -> None:
    full, plain = data.baseline_statements(), data.baseline_statements(vector=False)
    assert [s.split("(")[0].strip() for s in full if s not in plain] == [
        "CREATE EXTENSION IF NOT EXISTS vector;",
        'CREATE TABLE "skill_embeddings"',
        'CREATE INDEX "skill_embeddings_embedding_idx" ON "skill_embeddings" USING hnsw',
    ]
    assert [s for s in plain if "vector(" in s and "tsvector" not in s] == []
    assert '"embedding" real[] NOT NULL' in "".join(plain)


def test_psql_loads_the_schema(db: Database) -> None:
    db.psql(EXAMPLE / "baseline" / "0000_schema.sql")
    with db.connect() as conn:
        tables = column(conn, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        assert tables == [table for table in TABLES if table != "skill_embeddings"]
        assert column(conn, access_method("skills_search_idx")) == ["gin"]


def test_psql_loads_the_vectors(db: Database) -> None:
    with db.connect() as conn:
        need_vector(conn)
        for file in sorted((EXAMPLE / "baseline").glob("*.sql")):
            db.psql(file)
        assert column(conn, access_method("skill_embeddings_embedding_idx")) == ["hnsw"]
        type_of = "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attname = 'embedding'"
        assert column(conn, f"{type_of} AND attrelid = 'skill_embeddings'::regclass") == ["vector(384)"]


def test_names_and_rules_of_the_schema(db: Database) -> None:
    with db.connect(autocommit=False) as conn:
        data.load_baseline(conn, vector=has_vector(conn))
        tables = column(conn, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        rules = conn.execute(
            "SELECT constraint_name, delete_rule FROM information_schema.referential_constraints"
        ).fetchall()
        uniques = column(
            conn,
            "SELECT conname FROM pg_constraint WHERE contype = 'u' AND connamespace = 'public'::regnamespace",
        )
    assert tables == TABLES
    assert set(rules) == FOREIGN_KEYS
    assert set(uniques) == UNIQUES


def test_rows_per_table(db: Database) -> None:
    with db.connect(autocommit=False) as conn:
        data.load_baseline(conn, vector=has_vector(conn))
        told = data.generate(conn)
        assert told == {t: column(conn, f"SELECT count(*) FROM {t}")[0] for t in TABLES}
    assert sum(told.values()) == 50_001
    assert told["site_settings"] == 1
    assert told["usage_events"] > told["ratings"] > told["skill_versions"] > told["skills"] > told["users"]


def test_rows_follow_the_scale(db: Database) -> None:
    with loaded(db, scale=0.01) as conn:
        assert column(conn, "SELECT count(*) FROM ratings") == [140]
        assert column(conn, "SELECT count(*) FROM site_settings") == [1]


def test_slugs_stay_unique_when_the_words_run_out() -> None:
    slugs = [ascii_slug(skill_name(number)) for number in range(12_000)]
    assert len(set(slugs)) == 12_000
    assert sum(slug.endswith("-2") for slug in slugs) > 1_000


@pytest.mark.parametrize("scale", [0, -1, float("nan"), float("inf")])
def test_impossible_scale_is_refused(db: Database, scale: float) -> None:
    with loaded(db, scale=0.001) as conn:
        before = checksums(conn)
        with pytest.raises(ValueError, match="scale is"):
            data.generate(conn, scale=scale)
        assert checksums(conn) == before


def test_same_seed_same_bytes_in_another_process(db: Database) -> None:
    with loaded(db, scale=0.05, seed=7) as conn:
        first = checksums(conn)
        conn.execute(f"TRUNCATE {', '.join(TABLES)}".encode())
        command = [
            sys.executable,
            str(EXAMPLE / "data.py"),
            "--dsn",
            db.dsn,
            "--scale",
            "0.05",
            "--seed",
            "7",
        ]
        told = subprocess.run(
            command, check=True, capture_output=True, text=True, env=os.environ | {"PYTHONHASHSEED": "12345"}
        ).stdout
        assert checksums(conn) == first
        counts = {t: column(conn, f"SELECT count(*) FROM {t}")[0] for t in TABLES}
        assert {name: int(count) for name, count in map(str.split, told.splitlines())} == counts


def test_another_seed_other_rows(db: Database) -> None:
    with loaded(db, scale=0.05, seed=1) as conn:
        first = checksums(conn)
        conn.execute(f"TRUNCATE {', '.join(TABLES)}".encode())
        data.generate(conn, scale=0.05, seed=2)
        second = checksums(conn)
    assert [table for table in TABLES if first[table] == second[table]] == []


def test_nullable_columns_hold_both(db: Database) -> None:
    with loaded(db, scale=0.1) as conn:
        nullable = conn.execute(
            "SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
            " WHERE c.relname = ANY(%s) AND a.attnum > 0 AND NOT a.attnotnull AND a.attgenerated = ''"
            " AND c.relname <> 'site_settings' ORDER BY 1, 2",  # its one row cannot hold both
            (TABLES,),
        ).fetchall()
        count = sql.SQL("SELECT count({0}) BETWEEN 1 AND count(*) - 1 FROM {1}")
        mixed = {
            (table, name): conn.execute(count.format(sql.Identifier(name), sql.Identifier(table))).fetchone()
            for table, name in nullable
        }
    assert len(mixed) > 25
    assert [where for where, found in mixed.items() if found != (True,)] == []


def test_rows_agree_with_each_other(db: Database) -> None:
    with loaded(db, scale=0.1) as conn:
        assert [query for query in NEVER if column(conn, query)] == []


def test_rows_are_awkward_where_real_ones_are(db: Database) -> None:
    with loaded(db, scale=0.1) as conn:
        assert [query for query in SOMETIMES if not column(conn, query)] == []


def test_more_tenants_share_slugs_and_nothing_else(db: Database) -> None:
    with loaded(db, scale=0.05) as conn:
        for table in TENANT_TABLES:
            conn.execute(f"ALTER TABLE {table} ADD tenant_id text NOT NULL DEFAULT 'first'".encode())
        conn.execute(CONVERT.encode())
        for table in TENANT_TABLES:
            conn.execute(
                f"ALTER TABLE {table} ALTER tenant_id DROP DEFAULT,"
                " ADD FOREIGN KEY (tenant_id) REFERENCES tenants (id)".encode()
            )
        told = [data.generate(conn, scale=0.05, tenant=tenant) for tenant in ("second", "third")]
        assert told[0] == told[1]
        for table in TENANT_TABLES:
            found = conn.execute(
                f"SELECT tenant_id, count(*) FROM {table} GROUP BY 1 ORDER BY 1".encode()
            ).fetchall()
            assert found == [(tenant, told[0][table]) for tenant in ("first", "second", "third")]
        for table in LOGIN_TABLES:
            assert column(conn, f"SELECT count(*) FROM {table}") == [3 * told[0][table]]
        assert set(column(conn, "SELECT count(DISTINCT tenant_id) FROM skills GROUP BY slug")) == {3}
        assert column(conn, "SELECT id FROM site_settings") == ["default"] * 3
        assert (
            column(
                conn,
                "SELECT s.id FROM ratings r JOIN skills s ON s.id = r.skill_id"
                " WHERE s.tenant_id <> r.tenant_id",
            )
            == []
        )
        assert (
            column(
                conn,
                "SELECT identifier FROM verification_tokens"
                " WHERE identifier NOT IN (SELECT email FROM users)",
            )
            == []
        )

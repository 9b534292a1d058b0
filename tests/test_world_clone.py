"""Cloning a schema: tables, policies, grants and roles arrive; what does not is listed with the reason."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tenantry import embedded, introspect
from tenantry.catalog import Catalog
from tenantry.embedded import Cluster
from tenantry.errors import CatalogError
from tenantry.spec import Spec
from tenantry.world import clone as clones
from tenantry.world.clone import Clone, clone
from tenantry.world.compare import missing
from tenantry.world.proof import SETTINGS
from tests import isolated
from tests.servers import Database, Server

# The function that its index calls was changed since, so that the index cannot be made again.
_LEFT = """
CREATE SCHEMA "Odd s.";
CREATE FUNCTION "Odd s.".found(text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT lower($1) $$;
CREATE TABLE "Odd s."."a %b" (id int PRIMARY KEY, "T x" text);
CREATE INDEX by_found ON "Odd s."."a %b" ("Odd s.".found("T x"));
SET check_function_bodies = off;
CREATE OR REPLACE FUNCTION "Odd s.".found(text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT plain($1) $$;
"""
_MORE = """
CREATE ROLE {boss} NOLOGIN BYPASSRLS CREATEROLE;
CREATE ROLE "{odd}" LOGIN PASSWORD 'secret' CONNECTION LIMIT 3;
GRANT {app} TO "{odd}";
GRANT {boss} TO "{odd}" WITH ADMIN OPTION;
ALTER ROLE "{odd}" SET statement_timeout = '7s';
ALTER ROLE {app} IN DATABASE {database} SET search_path = '"$user"', public;
ALTER DATABASE {database} SET app.flavour = 'it''s';
REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC;
GRANT CREATE ON DATABASE {database} TO {boss};
GRANT ALL ON countries TO {app};
ALTER TABLE notes DISABLE TRIGGER touch;
CREATE VIEW titles WITH (security_invoker = true) AS SELECT title FROM notes;
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM notes;
"""


@dataclass(frozen=True, slots=True)
class Cloned:
    source: Database
    spec: Spec
    copy: Clone
    lab: Cluster


@pytest.fixture(scope="module")
def cloned(server: Server) -> Iterator[Cloned]:
    with server.databases() as make:
        db = make()
        spec = isolated.make(db)
        app = isolated.names(db).app
        names = {"boss": db.role("boss"), "odd": db.role('Odd ""r'), "app": app, "database": db.name}
        with db.connect() as conn:
            conn.execute(_MORE.format(**names).encode())
            conn.execute(_LEFT.encode())
        with embedded.cluster(embedded.embedded_binaries(), settings=SETTINGS) as lab:
            yield Cloned(db, spec, clone(db.dsn, lab), lab)


def fetch(dsn: str, query: str) -> list[Any]:
    with psycopg.connect(dsn, autocommit=True) as conn:
        return conn.execute(query.encode()).fetchall()


def catalog(dsn: str) -> Catalog:
    with psycopg.connect(dsn, autocommit=True) as conn:
        return introspect.read(conn)


def test_only_what_cannot_be_made_again_is_left(cloned: Cloned) -> None:
    assert [left.object for left in cloned.copy.left] == ["INDEX by_found", "index by_found of Odd s..a %b"]
    assert all("plain(text) does not exist" in left.reason for left in cloned.copy.left)
    assert cloned.copy.left[1].table == ("Odd s.", "a %b")


def test_policies_and_grants_are_those_of_the_source(cloned: Cloned) -> None:
    source, copy = catalog(cloned.source.dsn), catalog(cloned.copy.dsn)
    before, after = ({t.qname: t for t in c.tables} for c in (source, copy))
    assert before.keys() == after.keys()
    for name, table in before.items():
        other = after[name]
        assert (table.owner, table.row_security, table.forced) == (
            other.owner,
            other.row_security,
            other.forced,
        )
        assert table.policies == other.policies
        assert [(t.name, t.enabled) for t in table.triggers] == [(t.name, t.enabled) for t in other.triggers]
    app = isolated.names(cloned.source).app
    countries = after["public", "countries"].privileges(app)  # type: ignore[index]
    assert ("MAINTAIN" in countries) == (cloned.source.server_version >= 170000)
    assert fetch(cloned.copy.dsn, "SELECT count(*) FROM notes") == [(0,)]


def test_roles_are_those_of_the_source_without_passwords(cloned: Cloned) -> None:
    source, copy = (catalog(dsn).roles_by_name for dsn in (cloned.source.dsn, cloned.copy.dsn))
    for name in (cloned.source.role('Odd "r'), cloned.source.role("boss"), isolated.names(cloned.source).app):
        assert source[name] == copy[name]
    assert fetch(cloned.copy.dsn, "SELECT 1 FROM pg_authid WHERE rolpassword IS NOT NULL") == []


def test_settings_and_the_databases_own_privileges_are_there(cloned: Cloned) -> None:
    query = """SELECT coalesce(r.rolname, ''), s.setdatabase <> 0, c FROM pg_db_role_setting s
        LEFT JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) AS c
        WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) ORDER BY 1, 2, 3"""
    there = fetch(cloned.copy.dsn, query)
    assert there == fetch(cloned.source.dsn, query)
    assert len(there) == 3
    who = cloned.source.role("boss")
    rights = f"SELECT has_database_privilege('{who}', current_database(), 'CREATE'), has_database_privilege('public', current_database(), 'TEMP')"
    assert fetch(cloned.copy.dsn, rights) == [(True, False)]


def test_what_goes_missing_is_seen(cloned: Cloned) -> None:
    """Each part that a copy can lack, taken away on purpose."""
    role = isolated.names(cloned.source).app
    wanted = catalog(cloned.copy.dsn)
    for statement, text in (
        ("DROP POLICY tenant_isolation ON notes", "policy tenant_isolation of notes"),
        ("ALTER TABLE notes NO FORCE ROW LEVEL SECURITY", "forced row level security of notes"),
        ("ALTER TABLE notes DISABLE ROW LEVEL SECURITY", "row level security of notes"),
        ("ALTER TABLE notes DROP COLUMN tags", "column tags text[] of notes"),
        ("ALTER TABLE notes ENABLE TRIGGER touch", "trigger touch of notes, D"),
        (f"REVOKE SELECT ON countries FROM {role}", "DELETE, INSERT"),
        ("ALTER VIEW titles SET (security_invoker = false)", "security_invoker of view titles"),
        ("DROP MATERIALIZED VIEW counted", "view counted"),
        ("DROP TABLE accounts", "table accounts"),
        ("ALTER TABLE notes OWNER TO postgres", "owner"),
    ):
        with psycopg.connect(cloned.copy.dsn) as conn:
            conn.execute(statement.encode())
            found = [fact.text for fact in missing(wanted, introspect.read(conn))]
            conn.rollback()
        assert any(fact.startswith(text) for fact in found), (statement, found)
    assert missing(wanted, wanted) == ()


def test_a_source_that_cannot_be_dumped_is_refused(cloned: Cloned) -> None:
    app = isolated.names(cloned.source).app
    with pytest.raises(CatalogError, match=r"the schema cannot be copied: pg_dump: .*permission denied"):
        clone(cloned.source.dsn.replace("postgres@", f"{app}@"), cloned.lab, "other")


@pytest.mark.skipif(sys.platform != "linux", reason="the library is loaded in another's place on Linux only")
def test_servers_that_ask_for_tls_can_be_copied(cloned: Cloned, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a socket there is none, and still a library without it refuses the wish."""
    dsn = f"{cloned.source.dsn}&sslmode=require"
    assert clone(dsn, cloned.lab, "tls").left == cloned.copy.left
    monkeypatch.setattr(clones, "_client_library", lambda: None)
    with pytest.raises(CatalogError, match="SSL support is not compiled in"):
        clone(dsn, cloned.lab, "plain")


def test_no_password_is_in_the_list_of_processes() -> None:
    given = "postgresql://someone:s3cret@db.example:5433/shop?sslmode=require&connect_timeout=4"
    environment, rest = clones._connection(given)
    assert "s3cret" not in rest
    names = ("PGUSER", "PGPASSWORD", "PGHOST", "PGPORT", "PGDATABASE", "PGSSLMODE", "PGCONNECT_TIMEOUT")
    found = [environment[name] for name in names]
    assert found == ["someone", "s3cret", "db.example", "5433", "shop", "require", "4"]


@pytest.mark.pg("<=15")  # Debian's server has what the embedded one lacks
def test_functions_of_an_extension_that_the_lab_lacks_have_stand_ins(db: Database) -> None:
    with db.connect() as conn:
        conn.execute('CREATE SCHEMA ext; CREATE EXTENSION "uuid-ossp" SCHEMA ext; CREATE EXTENSION pgcrypto')
        conn.execute(
            "CREATE TABLE t (id uuid DEFAULT ext.uuid_generate_v4(), k bytea DEFAULT gen_random_bytes(8))"
        )
        conn.execute("CREATE TABLE gone (id int, h text DEFAULT crypt('x', gen_salt('bf')))")
    with embedded.cluster(embedded.embedded_binaries(), settings=SETTINGS) as lab:
        copy = clone(db.dsn, lab)
        assert [a.partition(",")[0] for a in copy.absent] == ["pgcrypto", "uuid-ossp"]
        assert fetch(
            copy.dsn, "INSERT INTO t DEFAULT VALUES RETURNING length(id::text), octet_length(k)"
        ) == [(36, 8)]
        assert [left.table for left in copy.left if left.table] == [("public", "gone")]
        assert any("gen_salt" in left.reason for left in copy.left)


def test_a_first_superuser_that_is_less_in_the_source_is_less_in_the_copy(cloned: Cloned) -> None:
    """Some providers' `postgres` is an ordinary role."""
    with embedded.cluster(embedded.embedded_binaries(), settings=SETTINGS) as lab:
        assert clones._admin(lab, [("postgres", True)]) == lab.dsn
        admin = clones._admin(lab, [("postgres", False), ("tenantry_lab", False)])
        assert fetch(admin, "SELECT 1 FROM pg_roles WHERE rolname = 'postgres'") == []
        assert fetch(admin, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [(True,)]


def test_versions_of_columns_are_taken_out_and_every_text_stays_as_long(tmp_path: Path) -> None:
    file = tmp_path / "schema"
    before = (
        b"ALTER TABLE ONLY public.p ALTER COLUMN a SET (pg_attver=26488336);"
        b"ALTER TABLE ONLY public.p ALTER COLUMN b SET (n_distinct=5, pg_attver=12);"
        b"ALTER TABLE ONLY public.p ALTER COLUMN c SET (pg_attver=12, n_distinct=5);"
        b"COMMENT ON TABLE public.p IS 'pg_attver=12';"
    )
    file.write_bytes(before)
    clones._without_versions(file)
    after = file.read_bytes()
    assert len(after) == len(before)
    assert [b" ".join(s.split()).replace(b" )", b")") for s in after.split(b";")] == [
        b"ALTER TABLE ONLY public.p ALTER COLUMN a SET (n_distinct=0)",
        b"ALTER TABLE ONLY public.p ALTER COLUMN b SET (n_distinct=5)",
        b"ALTER TABLE ONLY public.p ALTER COLUMN c SET ( n_distinct=5)",
        b"COMMENT ON TABLE public.p IS 'pg_attver=12'",
        b"",
    ]

"""What inspect tells about a database, on a real one and on catalogs made by hand."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tenantry import catalog as model
from tenantry import introspect
from tenantry.catalog import Catalog, Column, Constraint, Function, Index, Key, Policy, Schema, Table
from tenantry.errors import SpecError
from tenantry.evidence import tables as evidence
from tenantry.names import QName
from tenantry.report import inspection
from tenantry.report.inspection import TableInspection
from tests.servers import Database, Server

ZOO = """
CREATE EXTENSION btree_gist;
CREATE EXTENSION postgres_fdw;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw;
CREATE SCHEMA sales;
CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
CREATE FOREIGN TABLE remote (id int) SERVER elsewhere;
CREATE TABLE users (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), email text NOT NULL, nick text);
CREATE UNIQUE INDEX users_email_lower ON users (lower(email));
CREATE TABLE projects (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code text UNIQUE DEFERRABLE,
  name text, UNIQUE NULLS NOT DISTINCT (name), owner_id uuid REFERENCES users ON DELETE SET NULL
);
CREATE TABLE tasks (
  project_id bigint NOT NULL REFERENCES projects ON DELETE CASCADE ON UPDATE CASCADE DEFERRABLE,
  number int NOT NULL, title text, deleted_at timestamptz, parent int,
  PRIMARY KEY (project_id, number), FOREIGN KEY (project_id, parent) REFERENCES tasks
);
CREATE UNIQUE INDEX tasks_title ON tasks (title) WHERE deleted_at IS NULL;
ALTER TABLE tasks ADD COLUMN author uuid;
ALTER TABLE tasks ADD CONSTRAINT tasks_author FOREIGN KEY (author) REFERENCES users NOT VALID;
CREATE TABLE settings (name text PRIMARY KEY, value text);
CREATE TABLE notes (id uuid PRIMARY KEY, tenant_id text, body text);
CREATE TABLE bookings (
  id serial PRIMARY KEY, room int, during tsrange, EXCLUDE USING gist (room WITH =, during WITH &&)
);
CREATE TABLE events (id bigint NOT NULL, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE animals (id serial PRIMARY KEY);
CREATE TABLE dogs (bark text) INHERITS (animals);
CREATE TABLE logs (line text);
CREATE TABLE sales.orders (id serial PRIMARY KEY);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE FUNCTION put(a text, b text) RETURNS void LANGUAGE sql
  AS $$ INSERT INTO settings VALUES (a, b) ON CONFLICT (name) DO NOTHING $$;
CREATE FUNCTION users_count() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM users $$;
CREATE TRIGGER set_updated BEFORE UPDATE ON settings FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER watch_value BEFORE UPDATE OF value ON settings FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER is_off AFTER UPDATE ON settings EXECUTE FUNCTION touch();
ALTER TABLE settings DISABLE TRIGGER is_off;
CREATE VIEW open_tasks AS SELECT * FROM tasks WHERE deleted_at IS NULL;
CREATE VIEW grouped AS SELECT name, value FROM settings GROUP BY name;
CREATE MATERIALIZED VIEW totals AS SELECT count(*) FROM tasks;
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON notes AS RESTRICTIVE FOR SELECT USING (tenant_id = current_user);
INSERT INTO settings SELECT i::text, 'x' FROM generate_series(1, 1234) i;
ANALYZE;
"""


def read(db: Database, sql: str) -> Catalog:
    with db.connect() as connection:
        connection.execute(sql)
        return introspect.read(connection)


@pytest.fixture(scope="module")
def catalog(server: Server) -> Iterator[Catalog]:
    with server.databases() as make_db:
        yield read(make_db(), ZOO)


@pytest.fixture(scope="module")
def zoo(catalog: Catalog) -> inspection.Inspection:
    return inspection.inspect(catalog)


def by_name(found: inspection.Inspection) -> dict[str, TableInspection]:
    return {t.name: t for t in found.tables}


def test_keys_are_told_apart(zoo: inspection.Inspection) -> None:
    tables = by_name(zoo)
    kinds = {name: t.primary_key.kind if t.primary_key else None for name, t in tables.items()}
    assert kinds == {
        "animals": "generated",
        "bookings": "generated",
        "dogs": None,
        "events": "natural",
        "events_2024": "natural",
        "logs": None,
        "notes": "uuid",
        "orders": "generated",
        "projects": "generated",
        "settings": "natural",
        "tasks": "natural",
        "users": "generated",
    }
    described = {u.name: u.described for t in zoo.tables for u in t.uniques}
    assert described == {
        "bookings_room_during_excl": "exclusion constraint (room WITH =, during WITH &&)",
        "projects_code_key": "unique constraint (code) DEFERRABLE",
        "projects_name_key": "unique constraint (name) NULLS NOT DISTINCT",
        "tasks_title": "partial unique index (title) WHERE (deleted_at IS NULL)",
        "users_email_lower": "expression unique index (lower(email))",
    }
    assert [u.name for t in zoo.tables for u in t.uniques if u.lookup] == ["users_email_lower"]


def test_references_are_told_from_both_ends(zoo: inspection.Inspection) -> None:
    tables = by_name(zoo)
    references = {r.name: r for r in tables["tasks"].references}
    assert list(references) == ["tasks_author", "tasks_project_id_fkey", "tasks_project_id_parent_fkey"]
    assert not references["tasks_author"].validated
    cascade = references["tasks_project_id_fkey"]
    assert (cascade.on_delete, cascade.on_update, cascade.deferrable) == ("CASCADE", "CASCADE", True)
    assert references["tasks_project_id_parent_fkey"].columns == ("project_id", "parent")
    assert [(r.table, r.columns) for r in tables["users"].referenced_by] == [
        ("projects", ("owner_id",)),
        ("tasks", ("author",)),
    ]
    assert tables["tasks"].referenced_by == ()  # itself is told once, under references


def test_what_touches_a_table_is_told(zoo: inspection.Inspection) -> None:
    tables = by_name(zoo)
    assert tables["tasks"].views == ("open_tasks", "materialized view totals")
    assert tables["settings"].functions == ("put(a text, b text)",)
    assert tables["users"].functions == ("users_count()",)
    triggers = {g.name: (g.enabled, g.backfill) for g in tables["settings"].triggers}
    assert triggers == {"set_updated": (True, True), "watch_value": (True, False), "is_off": (False, False)}
    assert (tables["events"].partitions, tables["events_2024"].partition_of) == (("events_2024",), "events")
    assert (tables["animals"].children, tables["dogs"].parents) == (("dogs",), ("animals",))
    assert tables["notes"].tenant_columns == ("tenant_id text",)
    isolation = tables["notes"].isolation
    assert (isolation.enabled, isolation.forced) == (True, False)
    assert isolation.policies == ("mine (restrictive, select, to PUBLIC)",)
    assert tables["settings"].rows == 1234
    assert tables["settings"].bytes > 0


def test_needs_are_told_in_plain_words(zoo: inspection.Inspection) -> None:
    needs = {t.name: "; ".join(t.needs) for t in zoo.tables}
    assert needs == {
        "animals": "add tenant_id",
        "bookings": "add tenant_id; replace bookings_room_during_excl",
        "dogs": "follows animals",
        "events": "add tenant_id; decide whether primary key (id, at) is per tenant",
        "events_2024": "follows events",
        "logs": "add tenant_id; it has no primary key",
        "notes": "fill tenant_id where it is NULL; keep or drop policy mine",
        "orders": "add tenant_id",
        "projects": "add tenant_id; replace projects_code_key, projects_name_key; 1 composite foreign key",
        "settings": "add tenant_id; trigger set_updated fires on the backfill: decide; decide whether"
        " primary key (name) is per tenant; view grouped depends on key settings_pkey, which holds it;"
        " look at ON CONFLICT in put(a text, b text)",
        "tasks": "add tenant_id; decide whether primary key (project_id, number) is per tenant;"
        " replace tasks_title; 3 composite foreign keys; tasks_author was never validated",
        "users": "add tenant_id; decide whether users_email_lower stays unique across tenants",
    }


def test_what_was_not_looked_at_is_said(catalog: Catalog, zoo: inspection.Inspection) -> None:
    assert zoo.not_looked_at[:2] == (
        "alembic_version: bookkeeping of a migrator",
        "remote: a foreign table; row level security does not reach it",
    )
    assert "rows: none was read" in zoo.not_looked_at
    part = inspection.inspect(catalog, ("sales",))
    assert [t.name for t in part.tables] == ["orders"]
    assert part.not_looked_at[0] == "schema public (13 tables)"
    with pytest.raises(SpecError, match="schema nowhere: not in database"):
        inspection.inspect(catalog, ("nowhere",))


def test_the_text_has_a_block_per_table_and_fits_100_columns(zoo: inspection.Inspection) -> None:
    text = inspection.to_text(zoo)
    assert max(map(len, text.splitlines())) <= 100
    heads = [line.split("  ")[0] for line in text.splitlines() if line and line[0] != " " and "  " in line]
    assert heads == ["tenants", "animals", "bookings", "dogs", "events", "logs", "notes", "projects",
                     "settings", "tasks", "users", "sales.orders"]  # fmt: skip
    block = text.split("\ntasks  ")[1].split("\n\n")[0]
    assert block.splitlines()[1:] == [
        "  primary key    (project_id bigint, number integer), natural (given by the application)",
        "  unique         tasks_title: partial unique index (title) WHERE (deleted_at IS NULL)",
        "  references     tasks_author: (author) → users (id), NOT VALID",
        "                 tasks_project_id_fkey: (project_id) → projects (id), on delete CASCADE, on update",
        "                   CASCADE, deferrable",
        "                 tasks_project_id_parent_fkey: (project_id, parent) → tasks (project_id, number)",
        "  views          open_tasks, materialized view totals",
        "  needs          add tenant_id; decide whether primary key (project_id, number) is per tenant;",
        "                   replace tasks_title; 3 composite foreign keys; tasks_author was never validated",
    ]
    assert text.endswith("other databases of this server\n")


def test_the_json_carries_a_version_and_everything(zoo: inspection.Inspection) -> None:
    record = json.loads(inspection.to_json(zoo))
    assert record["version"] == 1
    assert [t["name"] for t in record["tables"]] == [t.name for t in zoo.tables]
    (settings,) = [t for t in record["tables"] if t["name"] == "settings"]
    assert settings["primary_key"] == {
        "name": "settings_pkey",
        "columns": ["name"],
        "kind": "natural",
        "described": "(name text)",
    }
    assert record["not_looked_at"] == list(zoo.not_looked_at)


def test_an_existing_tenants_table_is_named(db: Database) -> None:
    found = inspection.inspect(read(db, """
        CREATE TABLE organizations (id uuid PRIMARY KEY);
        CREATE TABLE a (id uuid PRIMARY KEY, organization_id uuid NOT NULL REFERENCES organizations);
        CREATE TABLE b (id uuid PRIMARY KEY, organization_id text NOT NULL);
        CREATE TABLE c (id uuid PRIMARY KEY, organization_id uuid, "organizationId" uuid);
        CREATE TABLE d (id uuid PRIMARY KEY, a_id uuid REFERENCES a);
    """))  # fmt: skip
    assert found.tenants == ("organizations: 2 of 4 other tables have organization_id",)
    assert {t.name: "; ".join(t.needs) for t in found.tables} == {
        "a": "organization_id is there, on every row",
        "b": "convert organization_id from text to uuid, the tenants' key",
        "c": "decide whether organization_id or organizationId is its tenant column",
        "d": "add organization_id; 1 composite foreign key",
        "organizations": "lists the tenants",
    }


def by_hand(*tables: Table, functions: tuple[Function, ...] = ()) -> Catalog:
    return Catalog(
        model.Server(150018, "shop", "me"),
        schemas=(Schema("public", "me"),),
        tables=tables,
        functions=functions,
    )


def test_a_name_with_a_line_break_stays_on_its_line() -> None:
    evil = "a\nb\x1b[31m"
    table = Table(
        "public", evil, "table", "me", (Column(evil, "text", "text", True),),
        constraints=(Constraint("k\r", "primary", (evil,), ""),),
        indexes=(Index("u\n", "btree", (Key(None, "lower(x\n)"),), unique=True, predicate="x =\n 1"),),
        policies=(Policy("p\n", True, "all", (), None, None),),
    )  # fmt: skip
    text = inspection.to_text(inspection.inspect(by_hand(table)))
    assert "\x1b" not in text
    assert "\r" not in text
    assert text.splitlines()[3:8] == [
        r"a\nb\x1b[31m  0 rows (or never analyzed)",
        r"  primary key    (a\nb\x1b[31m text), natural (given by the application)",
        r"  unique         u\n: partial expression unique index (lower(x )) WHERE x = 1",
        r"  row security   off",
        r"                 p\n (all, to PUBLIC)",
    ]


def test_mentions_are_of_whole_words() -> None:
    def function(source: str) -> Function:
        return Function("public", "f", "", "sql", "f", False, source)

    users, odd = (Table("public", name, "table", "me", ()) for name in ("users", "Order Items"))
    for source, mentioned in (
        ("SELECT FROM users", {"users"}),
        ("SELECT FROM USERS u", {"users"}),
        ("SELECT FROM users_old, my_users", set()),
        ('DELETE FROM "Order Items"', {"Order Items"}),
    ):
        found = inspection.inspect(by_hand(users, odd, functions=(function(source),)))
        assert {t.name for t in found.tables if t.functions} == mentioned
    extension = replace(function("SELECT FROM users"), extension="x")
    assert not by_name(inspection.inspect(by_hand(users, functions=(extension,))))["users"].functions


def test_sizes_add_up_where_rows_lie_below() -> None:
    above = QName("public", "a")
    parts = [
        Table("public", f"p{n}", "table", "me", (), partition_of=above, rows=10, bytes=5000) for n in (1, 2)
    ]
    partitioned = by_hand(Table("public", "a", "partitioned", "me", (), rows=15), *parts)
    assert evidence.size(partitioned, partitioned.by_name[above]) == evidence.Size(20, 10000)
    children = [replace(p, partition_of=None, parents=(above,)) for p in parts]
    inherited = by_hand(Table("public", "a", "table", "me", (), rows=15, bytes=1), *children)
    assert evidence.size(inherited, inherited.by_name[above]) == evidence.Size(35, 10001)


@pytest.mark.parametrize(
    ("rows", "size", "text"),
    [
        (0, 0, "0 rows (or never analyzed)"),
        (1, 8192, "1 row, 8.0 kB"),
        (1234567, 3 * 1024**3, "1,234,567 rows, 3.0 GB"),
        (5, 999, "5 rows, 999 bytes"),
        (5, 5 * 1024**4, "5 rows, 5.0 TB"),
        (5, 70 * 1024, "5 rows, 70 kB"),
    ],
)
def test_sizes_are_for_people(rows: int, size: int, text: str) -> None:
    assert evidence.Size(rows, size).describe() == text


@pytest.mark.parametrize(
    ("name", "columns", "is_one"),
    [
        ("alembic_version", "version_num", True),
        ("__drizzle_migrations", "id", True),
        ("knex_migrations_lock", "index", True),
        ("SequelizeMeta", "name", True),
        ("DATABASECHANGELOG", "id", True),
        ("migrations", "id migration batch", True),
        ("migrations", "id timestamp name", True),
        ("migrations", "id bird from_lake to_lake", False),
        ("schema_versions_of_documents", "id", False),
    ],
)
def test_migrators_are_known(name: str, columns: str, is_one: bool) -> None:
    made = tuple(Column(c, "text", "text", False) for c in columns.split())
    assert evidence.migrator(Table("public", name, "table", "me", made)) is is_one

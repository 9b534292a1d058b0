"""A source that leaves rows without a tenant is refused before anything is touched."""

from contextlib import closing

import pytest

from tenantry import introspect, planner, spec
from tenantry.apply import apply
from tenantry.errors import ApplyError
from tenantry.plan import Plan, Profile
from tests import corpus, runs
from tests.servers import Database

PROFILES: tuple[Profile, ...] = ("online", "transactional")
every_profile = pytest.mark.parametrize("profile", PROFILES)

# Two tenants; of the three notes one says that it is acme's, one that it is nobody's, one nothing.
SCHEMA = """
CREATE TABLE tenants (id text DEFAULT gen_random_uuid()::text PRIMARY KEY CHECK (id <> ''), name text NOT NULL, slug text UNIQUE NOT NULL);
INSERT INTO tenants VALUES ('1', 'Acme', 'acme'), ('2', 'Globex', 'globex');
CREATE TABLE notes (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, team text);
INSERT INTO notes (team) VALUES ('acme'), ('nobody'), (NULL);
CREATE TABLE tags (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note_id int REFERENCES notes);
INSERT INTO tags (note_id) VALUES (1), (2), (3), (NULL);
CREATE TABLE owners (team text, tenant text);
INSERT INTO owners VALUES ('acme', '1'), ('nobody', '7');
CREATE TABLE seats (team text, tenant text);
INSERT INTO seats VALUES ('acme', '2'), ('acme', '2'), ('nobody', '1'), ('nobody', '2');
""".strip().split(";\n")

OWNERS = '[tables.owners]\nscope = "ignored"\n[tables.seats]\nscope = "ignored"\n'


@pytest.fixture
def db(db: Database) -> Database:
    runs.do(db, *SCHEMA)
    return db


def tenant(table: str, backfill: str) -> str:
    return f'[tables.{table}]\nscope = "tenant"\nbackfill = {backfill}\n'


def planned(db: Database, toml: str, profile: Profile) -> Plan:
    declared = spec.parse(toml + f'[roles]\napp = "{db.role("app")}"\n')
    with closing(db.connect()) as conn:
        return planner.plan(declared, introspect.read(conn), profile)


def refused(db: Database, plan: Plan) -> str:
    """What apply says when it refuses a plan, after checking that nothing has changed."""
    rows = "SELECT jsonb_agg(to_jsonb(n) ORDER BY id) FROM notes AS n"
    before = (runs.catalog(db), corpus.dump(db), runs.query(db, rows))
    with pytest.raises(ApplyError) as caught:
        apply(db.dsn, plan)
    assert (runs.catalog(db), corpus.dump(db), runs.query(db, rows)) == before
    assert not runs.has_journal(db)
    return str(caught.value)


# The source of notes; how many of the three rows it leaves over, with every tenant there.
SOURCES = {
    "constant": ('{ constant = "7" }', 3),
    "column": ('{ column = "team", matches = "slug" }', 2),
    "column with new tenants": ('{ column = "team", matches = "slug", create = true }', 1),
    "mapping": ('{ mapping = "owners", on = { team = "team" }, tenant = "tenant" }', 2),
    "mapping to several": ('{ mapping = "seats", on = { team = "team" }, tenant = "tenant" }', 2),
    "expression that is NULL": ("""{ expression = "case when team <> 'nobody' then '1' end" }""", 2),
    "expression that gives an unknown tenant": ("""{ expression = "coalesce(team, '1') || ''" }""", 2),
}


@every_profile
@pytest.mark.parametrize("source", SOURCES)
def test_a_source_that_leaves_rows_over(db: Database, source: str, profile: Profile) -> None:
    backfill, left = SOURCES[source]
    toml = OWNERS + tenant("notes", backfill) + tenant("tags", '{ constant = "1" }')
    message = refused(db, planned(db, toml, profile))
    assert "nothing was changed" in message
    assert f"notes: its backfill source yields no tenant for {left} row{'s' if left > 1 else ''}" in message
    assert "tags:" not in message


@every_profile
def test_rows_of_a_source_that_say_the_same_are_no_question(db: Database, profile: Profile) -> None:
    runs.do(db, "UPDATE notes SET team = 'acme'")
    seats = '{ mapping = "seats", on = { team = "team" }, tenant = "tenant" }'
    apply(
        db.dsn, planned(db, OWNERS + tenant("notes", seats) + tenant("tags", '{ constant = "2" }'), profile)
    )
    assert runs.query(db, "SELECT DISTINCT tenant_id FROM notes") == "2"


@every_profile
def test_a_row_with_several_parents_is_left_over(db: Database, profile: Profile) -> None:
    runs.do(
        db,
        "UPDATE notes SET team = 'acme' WHERE team IS NULL",
        "ALTER TABLE tags ADD team text DEFAULT 'acme'",
    )
    toml = (
        OWNERS
        + tenant("notes", '{ constant = "1" }')
        + tenant("tags", '{ parent = "notes", on = { team = "team" } }')
    )
    assert "tags: its backfill source yields no tenant for 4 rows" in refused(db, planned(db, toml, profile))


@every_profile
@pytest.mark.parametrize(
    ("of_notes", "left"),
    [
        ('{ column = "team", matches = "slug", create = true }', (1, 2)),
        ('{ column = "team", matches = "slug" }', (2, 3)),
    ],
)
def test_rows_whose_parent_is_left_over_are_too(
    db: Database, profile: Profile, of_notes: str, left: tuple[int, int]
) -> None:
    toml = OWNERS + tenant("notes", of_notes) + tenant("tags", '{ parent = "notes" }')
    message = refused(db, planned(db, toml, profile))
    assert f"notes: its backfill source yields no tenant for {left[0]} row" in message
    assert f"tags: its backfill source yields no tenant for {left[1]} rows" in message


@every_profile
def test_a_parent_whose_tenants_are_all_new(db: Database, profile: Profile) -> None:
    """The parent's own source is followed, although nothing that it will make is there yet."""
    runs.do(db, "DROP TABLE tenants")
    toml = (
        OWNERS
        + tenant("notes", '{ column = "team", matches = "slug", create = true }')
        + tenant("tags", '{ parent = "notes" }')
    )
    plan = planned(db, toml, profile)
    assert "tags: its backfill source yields no tenant for 2 rows" in refused(db, plan)
    runs.do(
        db, "DELETE FROM tags WHERE note_id IS NULL", "UPDATE notes SET team = 'globex' WHERE team IS NULL"
    )
    apply(db.dsn, plan)
    wrong = "SELECT count(*) FROM tags t JOIN notes n ON n.id = t.note_id WHERE t.tenant_id <> n.tenant_id"
    assert runs.query(db, wrong) == 0


@every_profile
def test_a_tenant_column_that_names_an_unknown_tenant(db: Database, profile: Profile) -> None:
    runs.do(
        db, "ALTER TABLE notes ADD tenant_id text", "UPDATE notes SET tenant_id = '7' WHERE team = 'acme'"
    )
    toml = OWNERS + tenant("notes", '{ constant = "1" }') + tenant("tags", '{ constant = "1" }')
    assert "notes: its backfill source yields no tenant for 1 row" in refused(db, planned(db, toml, profile))


@every_profile
def test_a_mapping_that_gives_a_row_two_tenants(db: Database, profile: Profile) -> None:
    runs.do(db, "INSERT INTO owners VALUES ('acme', '2')")
    toml = OWNERS + tenant("notes", SOURCES["mapping"][0]) + tenant("tags", '{ constant = "1" }')
    message = refused(db, planned(db, toml, profile))
    assert "notes: its backfill source yields no tenant for 3 rows" in message
    assert "A source that leads to several tenants yields none." in message


@every_profile
def test_two_tenants_of_one_name(db: Database, profile: Profile) -> None:
    runs.do(db, "INSERT INTO tenants VALUES ('3', 'Acme', 'acme-2')", "UPDATE notes SET team = 'Acme'")
    toml = (
        OWNERS
        + tenant("notes", '{ column = "team", matches = "name", create = true }')
        + tenant("tags", '{ constant = "1" }')
    )
    assert "notes: its backfill source yields no tenant for 3 rows" in refused(db, planned(db, toml, profile))


@every_profile
def test_an_empty_text_names_no_tenant(db: Database, profile: Profile) -> None:
    runs.do(db, "DROP TABLE tenants", "UPDATE notes SET team = '' WHERE team IS NULL")
    toml = (
        OWNERS
        + tenant("notes", '{ column = "team", matches = "slug", create = true }')
        + tenant("tags", '{ parent = "notes" }')
    )
    assert "notes: its backfill source yields no tenant for 1 row" in refused(db, planned(db, toml, profile))


@every_profile
def test_a_function_in_an_expression_carries_its_schema(db: Database, profile: Profile) -> None:
    runs.do(db, "CREATE FUNCTION team_of(text) RETURNS text LANGUAGE sql AS 'SELECT ''1'''")
    rest = OWNERS + tenant("tags", '{ constant = "1" }')
    bare = tenant("notes", '{ expression = "team_of(team)" }')
    said = refused(db, planned(db, rest + bare, profile))
    assert "function team_of(text) does not exist" in said
    assert "public.f(x)" in said
    apply(db.dsn, planned(db, rest + bare.replace("team_of", "public.team_of"), profile))
    assert runs.query(db, "SELECT count(*) FROM notes WHERE tenant_id = '1'") == 3


# Rows that refer to another tenant's

CROSSED = """
ALTER TABLE notes ADD tenant_id text, ADD UNIQUE (tenant_id, id);
ALTER TABLE tags ADD tenant_id text REFERENCES tenants;
UPDATE notes SET tenant_id = CASE id WHEN 1 THEN '1' WHEN 2 THEN '2' END;
UPDATE tags SET tenant_id = '1' WHERE note_id IS DISTINCT FROM 3
""".strip().split(";\n")


@every_profile
def test_rows_that_refer_to_another_tenants_are_told_before_anything_is_changed(
    db: Database, profile: Profile
) -> None:
    """Those whose tenant is known, that is: one row of tags refers to a note that still has none."""
    runs.do(db, *CROSSED)
    toml = OWNERS + tenant("notes", '{ constant = "1" }') + tenant("tags", '{ constant = "1" }')
    message = refused(db, planned(db, toml, profile))
    assert "tags: 1 row refers to a row of another tenant in notes, by note_id" in message
    # What a source leads across is met when the key is checked.
    runs.do(db, "UPDATE tags SET note_id = 3, tenant_id = '2' WHERE note_id = 2")
    with pytest.raises(ApplyError, match="The row refers to a row of another tenant, or to none"):
        apply(db.dsn, planned(db, toml, profile))
    runs.do(db, "UPDATE tags SET note_id = 1, tenant_id = '1' WHERE tenant_id = '2'")
    apply(db.dsn, planned(db, toml, profile))
    assert runs.query(db, "SELECT count(*) FROM tags WHERE tenant_id = '1'") == 4

"""What init makes of a whole database: made by hand, by chance, and real."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tenantry import init, introspect, planner, spec
from tenantry.catalog import Catalog, Table, View
from tenantry.errors import PlanError, SpecError
from tests import reference
from tests.catalogs import ORGS, USERS, catalog, checked, comments, drafted, of_org, table
from tests.servers import Server

# A database of one customer


def test_one_customer_gets_a_default_tenant_and_constant_sources() -> None:
    skills = table("skills", "id uuid!", "author uuid", "slug text!", unique="slug", fk={"author": "users"})
    assert drafted(USERS, skills) == {
        "tenancy": {
            "tenants": "tenants",
            "key": "id",
            "column": "tenant_id",
            "type": "text",
            "schemas": ["public"],
            "default": {"id": "default", "name": "Default", "slug": "default"},
        },
        "roles": {"app": "app_user"},
        "audit": {"table": "audit_logs"},
        "tables": {
            "skills": {
                "scope": "tenant",
                "backfill": {"constant": "default"},
                "unique": {"skills_slug_key": "tenant"},
            },
            "users": {"scope": "tenant", "backfill": {"constant": "default"}},
        },
    }


def test_evidence_stands_above_each_table() -> None:
    skills = table("skills", "id uuid!", "author uuid", fk={"author": "users"}, rows=1234, bytes=24576)
    draft = init.draft(catalog(USERS, skills))
    assert comments(draft.text, "skills") == "1,234 rows, 24 kB; references users (author)"
    assert comments(draft.text, "users") == "5,000 rows; referenced by skills (author)"


@pytest.mark.parametrize(
    "reference_table",
    [
        table("genres", "id uuid!", "name text", rows=25),
        table("genres", "id uuid!", "name text", rows=0),
        table("countries", "id uuid!", "name text", "created_at timestamptz", rows=249),
    ],
)
def test_reference_data_is_asked_about(reference_table: Table) -> None:
    name = reference_table.name
    tracks = table("tracks", "id uuid!", "g uuid", fk={"g": name})
    made = drafted(reference_table, tracks)
    assert made["tables"][name] == {"scope": "undecided"}
    assert made["tables"]["tracks"]["scope"] == "tenant"
    text = comments(init.draft(catalog(reference_table, tracks)).text, name)
    assert 'scope = "shared"' in text
    assert 'scope = "tenant" backfill = { constant = "default" }' in text


@pytest.mark.parametrize(
    "ordinary",
    [
        table("genres", "id uuid!", "name text", rows=1001),
        table("genres", "id uuid!", "name text", "created_at timestamptz", rows=25),
        table("genres", "id uuid!", "contact_email text", rows=25),
        table("genres", "id uuid!", "made_by uuid", rows=25, fk={"made_by": "users"}),
        table("countries", "id uuid!", "name text", rows=5000),
    ],
)
def test_a_table_that_is_no_reference_data_is_a_tenant_table(ordinary: Table) -> None:
    assert drafted(USERS, ordinary)["tables"][ordinary.name]["scope"] == "tenant"


def test_login_tables_are_asked_about() -> None:
    sessions = table("sessions", "token text!", "user_id uuid!", pk="token", fk={"user_id": "users"})
    accounts = table("accounts", "id uuid!", "provider text", "provider_account_id text")
    lessons = table("training_sessions", "id uuid!", "title text", "at timestamptz")
    draft = init.draft(catalog(USERS, sessions, accounts, lessons))
    read = spec.parse(draft.text).tables
    scopes = {name.name: rule.scope for name, rule in read.items()}
    assert scopes == {
        "users": "tenant",
        "sessions": "undecided",
        "accounts": "undecided",
        "training_sessions": "tenant",
    }
    assert 'without a column scope = "through" parent = "users"' in comments(draft.text, "sessions")
    assert "its key (token) is looked up at login" in comments(draft.text, "sessions")
    assert 'scope = "through" parent = "…" on = { … = "…" }' in comments(draft.text, "accounts")
    assert "shared" not in comments(draft.text, "sessions")  # a session is no list for all


def test_a_stray_tenant_column_is_asked_about() -> None:
    integrations = table("integrations", "id uuid!", "tenant_id text", "at timestamptz")
    tables = drafted(USERS, integrations, table("a", "id uuid!", "at timestamptz"))["tables"]
    assert {name: t["scope"] for name, t in tables.items()} == {
        "a": "tenant",
        "integrations": "undecided",
        "users": "tenant",
    }


# Which table lists the tenants


def deferrable(made: Table) -> Table:
    """Foreign keys cannot point at a key that is checked late."""
    return replace(made, constraints=tuple(replace(c, deferrable=True) for c in made.constraints))


def test_a_tenants_table_is_found_by_name_and_references() -> None:
    made = drafted(
        ORGS, of_org("projects"), of_org("files"), table("logs", "id uuid!", "organization_id uuid!")
    )
    assert made["tenancy"] == {
        "tenants": "organizations",
        "key": "id",
        "column": "organization_id",
        "type": "uuid",
        "schemas": ["public"],
    }
    assert made["tables"] == {name: {"scope": "tenant"} for name in ("files", "logs", "projects")}
    notes = init.draft(catalog(ORGS, of_org("projects"))).notes
    expected = (
        "organizations: 1 of 1 other tables have organization_id (found by name and by its references)."
    )
    assert notes == (expected,)


def test_its_key_may_be_called_otherwise_and_have_any_type() -> None:
    tenants = table("tenants", "record_id bigint!", "id uuid!", pk="record_id")
    made = drafted(tenants, table("a", "id uuid!", "tenant_record_id bigint!"))
    assert made["tenancy"]["key"] == "record_id"
    assert made["tenancy"]["type"] == "bigint"
    assert made["tenancy"]["column"] == "tenant_record_id"
    assert made["tables"] == {"a": {"scope": "tenant"}}


def test_spellings_of_the_tenant_column_are_one() -> None:
    tenants = table("Tenant", "id uuid!", "name text")
    camel = [table(f"t{n}", "id uuid!", "tenantId uuid!") for n in range(3)]
    made = drafted(tenants, *camel, table("new", "id uuid!", "tenant_id uuid!"))
    assert made["tenancy"]["column"] == "tenantId"
    assert made["tables"]["new"] == {"scope": "tenant", "column": "tenant_id"}
    assert made["tables"]["t0"] == {"scope": "tenant"}


@pytest.mark.parametrize(
    "tables",
    [
        # renters, perhaps: few tables refer to them
        [table("tenants", "id uuid!"), table("leases", "id uuid!", "tenant_id uuid!"),
         *(table(f"t{n}", "id uuid!") for n in range(5))],
        # both could be
        [ORGS, table("workspaces", "id uuid!"),
         *(table(f"t{n}", "id uuid!", "organization_id uuid!", "workspace_id uuid!") for n in range(4))],
        # two references to a generic word prove little
        [table("customers", "id uuid!"), table("orders", "id uuid!", "customer_id uuid!"),
         table("bills", "id uuid!", "customer_id uuid!")],
    ],
)  # fmt: skip
def test_a_weak_or_second_candidate_is_asked_about(tables: list[Table]) -> None:
    draft = init.draft(catalog(*tables))
    made = drafted(*tables)
    assert made["tenancy"]["tenants"] == "undecided"
    assert {t["scope"] for t in made["tables"].values()} == {"undecided"}
    assert draft.undecided[0] == "tenancy.tenants"
    for name in {"tenants", "organizations", "workspaces", "customers"} & {t.name for t in tables}:
        assert f"tenantry init --tenants {name} " in draft.text
        assert drafted(*tables, tenants=name)["tenancy"]["tenants"] == name


def test_a_generic_name_with_few_references_is_an_ordinary_table() -> None:
    tables = [table("customers", "id uuid!", "email text"), table("orders", "id uuid!", "customer_id uuid!"),
              *(table(f"t{n}", "id uuid!", "at timestamptz") for n in range(9))]  # fmt: skip
    made = drafted(*tables)
    assert made["tenancy"]["tenants"] == "tenants"
    assert made["tables"]["customers"]["scope"] == "tenant"
    assert "tenantry init --tenants customers" in init.draft(catalog(*tables)).text


def test_a_tenants_table_that_nothing_refers_to_leaves_the_sources_open() -> None:
    tenants = table("tenants", "id uuid!", "name text")
    skills = table("skills", "id uuid!", "made_by uuid!", fk={"made_by": "users"})
    made = drafted(tenants, USERS, skills)
    assert made["tenancy"]["type"] == "uuid"
    assert "default" not in made["tenancy"]
    open_ = {"scope": "tenant", "backfill": "undecided"}
    assert made["tables"] == {"skills": open_, "users": open_}
    weak = [ORGS, of_org("a"), *(table(f"t{n}", "id uuid!") for n in range(5))]
    assert drafted(tenants, *weak)["tenancy"]["tenants"] == "undecided"


@pytest.mark.parametrize(
    "taken",
    [
        {"tables": (table("tenants", "a uuid!", "b uuid!", pk="a b"), USERS)},
        {"tables": (table("tenants", "id character(3)!"), USERS)},
        {"tables": (deferrable(table("tenants", "id uuid!")), USERS)},
        {"tables": (USERS,), "views": (View("public", "tenants", False, "me", True, ()),)},
    ],
)
def test_a_taken_name_is_left_to_its_owner(taken: dict[str, Any]) -> None:
    made = checked(catalog(**taken))
    assert made["tenancy"]["tenants"] == "tenancy_tenants"
    assert "The name tenants is taken" in init.draft(catalog(**taken)).text


def test_tenant_columns_without_a_table_make_tenants_of_their_values() -> None:
    tables = [table(f"t{n}", "id uuid!", "org_id bigint!") for n in range(4)]
    made = drafted(*tables, table("loose", "id uuid!", "t uuid!", fk={"t": "t1"}))
    assert made["tenancy"]["tenants"] == "tenants"
    assert (made["tenancy"]["column"], made["tenancy"]["type"]) == ("org_id", "bigint")
    assert made["tables"]["t0"] == {"scope": "tenant", "backfill": "undecided"}
    assert made["tables"]["loose"] == {"scope": "tenant", "backfill": {"parent": "t1"}}
    text = init.draft(catalog(*tables)).text
    assert "# - make a tenant of each of its values" in text
    assert '{ column = "org_id", matches = "id", create = true }' in text


def test_the_tenants_table_can_be_named() -> None:
    made = drafted(USERS, tenants="crm.clients")
    assert made["tenancy"]["tenants"] == "crm.clients"
    assert made["tables"]["users"] == {"scope": "tenant", "backfill": {"constant": "default"}}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.b.c", "--tenants: 'a.b.c' has 3 parts"),
        ("pairs", "--tenants: pairs has no primary or unique key of one column"),
        ("seen", "--tenants: seen is there and is no table"),
    ],
)
def test_a_name_that_cannot_be_is_refused(name: str, words: str) -> None:
    pairs = table("pairs", "a uuid!", "b uuid!", pk="a b")
    seen = View("public", "seen", False, "me", True, ())
    with pytest.raises(SpecError, match=re.escape(words)):
        init.draft(catalog(pairs, views=(seen,)), tenants=name)


# Real databases


SHOP = """
CREATE SCHEMA drizzle;
CREATE TABLE drizzle.__drizzle_migrations (id serial PRIMARY KEY);
CREATE TABLE organizations (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text, slug text);
CREATE TABLE users (id uuid PRIMARY KEY, organization_id uuid NOT NULL REFERENCES organizations, email text);
CREATE UNIQUE INDEX users_email ON users (lower(email));
CREATE TABLE projects (id bigserial PRIMARY KEY, organization_id uuid NOT NULL REFERENCES organizations, name text UNIQUE);
CREATE TABLE tasks (id bigserial PRIMARY KEY, project_id bigint NOT NULL REFERENCES projects);
CREATE TABLE comments (id bigserial PRIMARY KEY, task_id bigint REFERENCES tasks, author_id uuid REFERENCES users);
CREATE TABLE notes (id bigserial PRIMARY KEY, organization_id uuid REFERENCES organizations, body text);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER set_updated BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION touch();
CREATE POLICY mine ON notes USING (organization_id IS NOT NULL);
CREATE TABLE currencies (code text PRIMARY KEY);
CREATE TABLE settings (name text PRIMARY KEY, organization_id uuid NOT NULL);
CREATE TABLE events (id bigint NOT NULL, organization_id uuid NOT NULL, at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
"""


@pytest.fixture(scope="module")
def shop(server: Server) -> Iterator[Catalog]:
    with server.databases() as make_db:
        with make_db().connect() as connection:
            connection.execute(SHOP)
            found = introspect.read(connection)
        yield found


def test_a_real_database_with_tenants(shop: Catalog) -> None:
    draft = init.draft(shop)
    assert checked(shop)["tables"] == {
        "comments": {"scope": "tenant", "backfill": "undecided"},
        "currencies": {"scope": "undecided"},
        "events": {"scope": "tenant"},
        "notes": {
            "scope": "tenant",
            "backfill": "undecided",
            "triggers": "undecided",
            "policies": {"mine": "drop"},
        },
        "projects": {"scope": "tenant", "unique": {"projects_name_key": "tenant"}},
        "settings": {"scope": "tenant", "primary_key": "undecided"},
        "tasks": {"scope": "tenant", "backfill": {"parent": "projects"}},
        "users": {"scope": "tenant", "unique": {"users_email": "undecided"}},
    }
    assert max(len(line) for line in draft.text.splitlines()) <= 100
    assert "# its partitions follow it: events_2024" in draft.text


def decide(text: str) -> str:
    """Take a choice for each question, as a person would."""
    text = text.replace('\nscope = "undecided"', '\nscope = "shared"')
    text = text.replace('\nprimary_key = "undecided"', '\nprimary_key = "tenant"')
    text = re.sub(r'^(unique\..* = )"undecided"', r'\1"tenant"', text, flags=re.MULTILINE)
    text = re.sub(r'^(policies\..* = )"undecided"', r'\1"drop"', text, flags=re.MULTILINE)
    text = text.replace('\ntriggers = "undecided"', '\ntriggers = "disable"')
    return text.replace(
        '\nbackfill = "undecided"', '\nbackfill = { constant = "00000000-0000-0000-0000-000000000001" }'
    )


def test_the_planner_refuses_the_draft_and_takes_what_was_decided(shop: Catalog) -> None:
    text = init.draft(shop).text
    with pytest.raises(PlanError) as refused:
        planner.plan(spec.parse(text), shop, "online")
    assert any(p.startswith("currencies: its scope is undecided") for p in refused.value.problems)
    decided = spec.parse(decide(text))
    assert decided.undecided == ()
    plan = planner.plan(decided, shop, "online")
    assert {step.object for step in plan} >= {"comments", "notes", "tasks", "settings"}


def test_the_reference_application(server: Server) -> None:
    with server.databases() as make_db:
        db = make_db()
        reference.load(db, scale=0.01)
        found = reference.catalog(db)
    made = checked(found)["tables"]
    assert {name for name, t in made.items() if t["scope"] == "tenant"} == set(reference.NINE)
    assert {name for name, t in made.items() if t["scope"] == "undecided"} == set(reference.LOGIN)
    with pytest.raises(PlanError) as refused:
        planner.plan(spec.parse(init.draft(found).text), found, "transactional")
    for key in init.draft(found).undecided:
        _, name, what, *_ = key.split(".")
        about = [p for p in refused.value.problems if p.startswith(f"{name}: ") and what in p]
        assert about, key

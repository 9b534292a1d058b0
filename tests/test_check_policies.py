"""Policies in static checks: what an expression tests, and databases whose policies others wrote."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pytest

from tenantry import checks
from tenantry.checks import Request, tenancy
from tenantry.checks.policies import Reading, read
from tenantry.finding import Review
from tests import reference
from tests.servers import Database, Server

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def review(db: Database, request: Request) -> Review:
    with db.connect() as conn:
        return checks.examine(conn, request, now=NOW)


def errors(review: Review) -> set[tuple[str, str]]:
    return {
        (f.check, f.object) for f in review.findings if f.level == "error" and f.check != "server-version"
    }


# What policies test


SETTING = "current_setting('app.tenant', true)"
FORMS = [
    # the tenant's own rows, however it is spelled
    (f"tenant_id = {SETTING}", "tenant"),
    (f"{SETTING} = tenant_id", "tenant"),
    (f"tenant_id = nullif({SETTING}, '')", "tenant"),
    (f"tenant_id = (SELECT {SETTING})", "tenant"),
    (f"tenant_id = (SELECT nullif({SETTING}, ''))", "tenant"),
    (f"tenant_id = {SETTING} AND NOT hidden", "tenant"),
    (f"tenant_id = {SETTING}::varchar", "tenant"),
    (f"tenant_id = ANY ({SETTING}::text[])", "tenant"),
    ("tenant_id = (current_setting('request.jwt.claims', true)::jsonb ->> 'tenant')", "tenant"),
    (f"org = nullif({SETTING}, '')::uuid", "tenant"),
    (f"org = {SETTING}::uuid", "tenant"),
    (f"org::text = {SETTING}", "tenant"),
    (f"NOT tenant_id IS DISTINCT FROM {SETTING}", "tenant"),
    ("tenant_id = stable_tenant()", "tenant"),
    ("tenant_id = standard_tenant()", "tenant"),
    (f"tenant_id = {SETTING} OR tenant_id = current_setting('app.second', true)", "tenant"),
    (f"tenant_id = lower({SETTING})", "tenant"),
    # through the row's parent
    (f"EXISTS (SELECT 1 FROM parents p WHERE p.id = t.parent AND p.tenant_id = {SETTING})", "through"),
    (f"parent IN (SELECT p.id FROM parents p WHERE p.tenant_id = {SETTING})", "through"),
    ("EXISTS (SELECT 1 FROM parents p WHERE p.id = t.parent)", "parent"),
    ("tenant_id IN (SELECT m.tenant_id FROM parents m)", "parent"),
    # every row
    ("true", "open"),
    ("tenant_id = tenant_id", "open"),
    ("tenant_id IS NOT NULL", "open"),
    ("org IS NOT NULL", "open"),
    ("1 = 1 OR false", "open"),
    (f"tenant_id = {SETTING} OR tenant_id IS NOT NULL", "open"),
    (f"tenant_id = {SETTING} OR NOT hidden", "open"),
    (f"tenant_id = {SETTING} OR org IS NULL", "open"),
    # every row, in a state that any session can be in
    (f"{SETTING} IS NULL OR tenant_id = {SETTING}", "fail-open"),
    (f"{SETTING} = '' OR tenant_id = {SETTING}", "fail-open"),
    (f"tenant_id = coalesce({SETTING}, tenant_id)", "fail-open"),
    (f"tenant_id = coalesce(nullif({SETTING}, ''), 'default')", "fail-open"),
    (f"tenant_id = {SETTING} OR current_setting('app.bypass', true) = 'on'", "fail-open"),
    (f"tenant_id = {SETTING} OR tenant_id IS NULL", "null-rows"),
    ("tenant_id IS NULL", "null-rows"),
    # no row
    ("false", "closed"),
    (f"false AND tenant_id = {SETTING}", "closed"),
    # not on the list
    (f"tenant_id = ANY (string_to_array({SETTING}, ','))", "other"),
    (f"tenant_id <> {SETTING}", "other"),
    (f"tenant_id LIKE {SETTING}", "other"),
    (f"tenant_id = 'acme' || {SETTING}", "other"),
    (f"tenant_id = concat({SETTING}, 'acme')", "other"),
    (f"NOT EXISTS (SELECT 1 FROM parents p WHERE p.id = t.parent AND p.tenant_id = {SETTING})", "other"),
    (f"tenant_id >= {SETTING}", "other"),
    (f"tenant_id OPERATOR(public.=) {SETTING}", "other"),
    ("tenant_id = current_user", "other"),
    ("tenant_id = immutable_tenant()", "other"),
    ("tenant_id = unread_tenant()", "other"),
    ("is_member(tenant_id)", "other"),
    (f"tenant_id = {SETTING} OR is_member(tenant_id)", "other"),
    (f"tenant_id = {SETTING} OR EXISTS (SELECT FROM parents)", "other"),
    (f"EXISTS (SELECT 1 FROM parents p WHERE p.id = t.parent OR p.tenant_id = {SETTING})", "other"),
    (f"EXISTS (SELECT 1 FROM parents p WHERE p.tenant_id = {SETTING})", "other"),
    (f"EXISTS (SELECT 1 FROM parents p JOIN parents q USING (id) WHERE p.id = t.parent AND q.tenant_id = {SETTING})", "other"),
    ("tenant_id = (SELECT p.tenant_id FROM parents p LIMIT 1)", "other"),
    (f"CASE WHEN hidden THEN true ELSE tenant_id = {SETTING} END", "other"),
    (f"starts_with(tenant_id, {SETTING})", "other"),
    (f"tenant_id::\"char\" = {SETTING}::\"char\"", "other"),
]  # fmt: skip
SCHEMA = """
CREATE TABLE parents (id int PRIMARY KEY, tenant_id text);
CREATE TABLE t (tenant_id text, org uuid, parent int, hidden bool);
CREATE FUNCTION stable_tenant() RETURNS text LANGUAGE sql STABLE AS
    $$ SELECT nullif(current_setting('app.tenant', true), '') $$;
CREATE FUNCTION standard_tenant() RETURNS text LANGUAGE sql STABLE RETURN current_setting('app.tenant', true);
CREATE FUNCTION immutable_tenant() RETURNS text LANGUAGE sql IMMUTABLE AS
    $$ SELECT current_setting('app.tenant', true) $$;
CREATE FUNCTION unread_tenant() RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN 'a'; END $$;
CREATE FUNCTION is_member(text) RETURNS bool LANGUAGE sql STABLE AS $$ SELECT true $$;
CREATE FUNCTION always(text, text) RETURNS bool LANGUAGE sql IMMUTABLE AS $$ SELECT true $$;
CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = always);
"""


@pytest.fixture(scope="module")
def forms(server: Server) -> Iterator[dict[str, Reading]]:
    """What each expression was read as, stored as a policy by the server."""
    with server.databases() as make:
        db = make()
        with db.connect() as conn:
            conn.execute(SCHEMA.encode())
            found = {}
            for expression, _ in FORMS:
                with conn.transaction(force_rollback=True):
                    conn.execute(f"CREATE POLICY p ON t USING ({expression})".encode())
                    stored = tenancy.rows(conn, tenancy.load("_policies"))
                    reading = read(stored[0][3], tenancy._server(conn, stored))
                    assert reading is not None
                    found[expression] = reading
        yield found


@pytest.mark.parametrize(("expression", "form"), FORMS)
def test_an_expression_is_read_by_what_it_tests(
    forms: Mapping[str, Reading], expression: str, form: str
) -> None:
    assert forms[expression].form == form


@pytest.mark.parametrize(
    ("expression", "traits"),
    [
        (f"tenant_id = {SETTING}", {"bare-text"}),
        (f"tenant_id = nullif({SETTING}, '')", set()),
        (f"org = nullif({SETTING}, '')::uuid", set()),
        (f"org = {SETTING}::uuid", {"no-nullif"}),
        (f"org::text = {SETTING}", {"bare-text", "cast-column"}),
        (f"tenant_id = (SELECT nullif({SETTING}, ''))", {"sub-select"}),
        ("tenant_id = stable_tenant()", {"function"}),
        (f"tenant_id = ANY ({SETTING}::text[])", {"no-nullif", "several"}),
    ],
)
def test_how_a_policy_reads_the_setting_is_seen(
    forms: Mapping[str, Reading], expression: str, traits: set[str]
) -> None:
    assert set(forms[expression].traits) == traits
    assert forms[expression].setting == "app.tenant"


# Databases of others


CLAIMS = """
CREATE TABLE orgs (id uuid PRIMARY KEY, name text);
CREATE TABLE people (id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES orgs, email text);
CREATE TABLE notes (id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES orgs, body text);
CREATE TABLE drafts (id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES orgs, body text);
CREATE INDEX ON people (org_id); CREATE INDEX ON notes (org_id); CREATE INDEX ON drafts (org_id);
CREATE POLICY own ON orgs USING (id = (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'org')::uuid);
CREATE POLICY own ON people USING (org_id = (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'org')::uuid);
CREATE POLICY own ON notes USING (org_id = (SELECT (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'org')::uuid));
ALTER TABLE orgs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE people ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE notes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
"""
MEMBERSHIP = """
CREATE TABLE members (org uuid, who text);
CREATE TABLE projects (id uuid PRIMARY KEY, org uuid NOT NULL);
CREATE FUNCTION is_member(uuid) RETURNS bool LANGUAGE sql STABLE AS
    $$ SELECT EXISTS (SELECT FROM members WHERE org = $1 AND who = current_setting('app.user', true)) $$;
CREATE POLICY mine ON projects USING (is_member(org));
ALTER TABLE projects ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
"""


def test_a_claims_style_is_recognised_without_a_spec(db: Database) -> None:
    role = db.role("app")
    with db.connect() as conn:
        conn.execute(CLAIMS.encode())
        conn.execute(
            f"CREATE ROLE {role} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}".encode()
        )
    found = review(db, Request(roles=(role,)))
    assert found.tenancy == "org_id = request.jwt.claims"
    assert errors(found) == {("rls-off", "drafts")}
    assert not [f for f in found.findings if f.check == "policy-unclassified"]


def test_a_membership_style_is_said_to_be_unclassified(db: Database) -> None:
    role = db.role("app")
    with db.connect() as conn:
        conn.execute(MEMBERSHIP.encode())
        conn.execute(
            f"CREATE ROLE {role} LOGIN; GRANT SELECT, INSERT ON members, projects TO {role}".encode()
        )
    found = review(db, Request(roles=(role,)))
    named = {(f.check, f.object) for f in found.findings}
    assert ("policy-unclassified", "projects") in named
    assert ("policy-function-path", "projects") in named
    assert ("table-unclassified", "members") in named
    assert any("no tenant column was recognised" in line for line in found.not_looked_at)
    assert any("which column holds the tenant" in line for line in found.not_looked_at)
    assert "rls-off" in found.skipped


def test_a_column_is_taken_by_its_name_where_no_policy_tells(db: Database) -> None:
    with db.connect() as conn:
        conn.execute("CREATE TABLE notes (id int PRIMARY KEY, tenant_id text NOT NULL)")
        conn.execute("CREATE TABLE notes_copy AS TABLE notes")
    found = review(db, Request())
    assert {("rls-off", "notes"), ("rls-off", "notes_copy")} <= errors(found)
    assert any("tenant_id was taken, by its name" in line for line in found.not_looked_at)


def test_a_mistake_of_the_reference_application_before_its_conversion_is_not_missed(db: Database) -> None:
    reference.load(db)
    found = review(db, Request(reference.declared(), roles=("app_user",)))
    assert {"role-missing", "rls-off"} <= {f.check for f in found.findings}
    assert "grant-truncate" in found.skipped

"""Proving databases that nobody declared: their tenancy is recognised from policies that others wrote, and tried."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo
from typer.testing import CliRunner

from tenantry import cli
from tenantry.attacks.lab import How
from tenantry.errors import SpecError
from tenantry.finding import Mode, Proof
from tenantry.names import QName
from tenantry.prove import prove
from tenantry.prove.signs import Function, Reader
from tenantry.report.proof import to_text
from tests.servers import Database, Server

pytestmark = pytest.mark.usefixtures("sound_server")
NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
SAFE = How()

# A token's claims in a setting, read by a function; people have a table of their own.
TOKENS = """
CREATE FUNCTION claim(name text) RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS
    $$ SELECT nullif(current_setting('request.jwt.claims', true), '')::jsonb #>> ARRAY['app_metadata', name] $$;
CREATE TABLE orgs (id uuid PRIMARY KEY, name text NOT NULL);
CREATE TABLE people (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, org_id uuid NOT NULL REFERENCES orgs, email text NOT NULL,
    UNIQUE (org_id, id), UNIQUE (org_id, email));
CREATE TABLE posts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, org_id uuid NOT NULL REFERENCES orgs, author bigint NOT NULL,
    title text NOT NULL, UNIQUE (org_id, id), FOREIGN KEY (org_id, author) REFERENCES people (org_id, id));
CREATE TABLE replies (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, post_id bigint NOT NULL REFERENCES posts (id), body text NOT NULL);
CREATE INDEX ON posts (org_id);
CREATE POLICY own ON orgs FOR SELECT USING (id = ((current_setting('request.jwt.claims', true)::jsonb -> 'app_metadata') ->> 'org')::uuid);
CREATE POLICY own ON people USING (org_id = ((current_setting('request.jwt.claims', true)::jsonb -> 'app_metadata') ->> 'org')::uuid);
CREATE POLICY own ON posts USING (org_id = (SELECT claim('org'))::uuid);
CREATE POLICY own ON replies USING (EXISTS (SELECT FROM posts p WHERE p.id = replies.post_id));
ALTER TABLE orgs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE people ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE posts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE replies ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
INSERT INTO orgs SELECT ('00000000-0000-4000-8000-00000000000' || n)::uuid, 'org ' || n FROM generate_series(1, 2) n;
INSERT INTO people (org_id, email) SELECT id, 'a@example.org' FROM orgs;
INSERT INTO posts (org_id, author, title) SELECT org_id, id, 'hello' FROM people;
INSERT INTO replies (post_id, body) SELECT id, 'yes' FROM posts;
GRANT SELECT ON orgs TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON people, posts, replies TO {app};
"""

# Who is a member of what: through a function in one policy, through a sub-query in the other.
MEMBERS = """
CREATE TABLE users (id uuid PRIMARY KEY, name text NOT NULL);
CREATE TABLE teams (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE memberships (
    team_id bigint NOT NULL REFERENCES teams, user_id uuid NOT NULL REFERENCES users, role text NOT NULL,
    PRIMARY KEY (team_id, user_id));
CREATE TABLE projects (
    id bigint PRIMARY KEY, team_id bigint NOT NULL REFERENCES teams, title text NOT NULL, UNIQUE (team_id, id));
CREATE TABLE tasks (
    id bigint PRIMARY KEY, team_id bigint NOT NULL REFERENCES teams, project_id bigint NOT NULL, title text NOT NULL,
    FOREIGN KEY (team_id, project_id) REFERENCES projects (team_id, id));
CREATE INDEX ON tasks (team_id);
CREATE FUNCTION current_user_id() RETURNS uuid LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS
    $$ BEGIN RETURN nullif(current_setting('app.user_id', true), '')::uuid; END $$;
CREATE FUNCTION is_member(team bigint) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS
    $$ SELECT EXISTS (SELECT FROM public.memberships m WHERE m.team_id = team AND m.user_id = public.current_user_id()) $$;
ALTER FUNCTION is_member(bigint) OWNER TO {keeper};
GRANT SELECT ON memberships TO {keeper};
CREATE POLICY for_the_function ON memberships TO {keeper} USING (true);
CREATE POLICY mine ON memberships TO {app} USING (user_id = current_user_id());
CREATE POLICY mine ON teams USING (is_member(id));
CREATE POLICY mine ON projects USING (is_member(team_id));
CREATE POLICY mine ON tasks USING (
    team_id IN (SELECT m.team_id FROM memberships m WHERE m.user_id = current_user_id()));
ALTER TABLE teams ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE memberships ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE projects ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE tasks ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
INSERT INTO users SELECT ('00000000-0000-4000-8000-00000000000' || n)::uuid, 'user ' || n FROM generate_series(1, 4) n;
INSERT INTO teams VALUES (1, 'one'), (2, 'two');
INSERT INTO memberships SELECT 1 + n % 2, ('00000000-0000-4000-8000-00000000000' || n)::uuid, 'owner' FROM generate_series(1, 3) n;
INSERT INTO memberships SELECT n, '00000000-0000-4000-8000-000000000004', 'guest' FROM generate_series(1, 2) n;
INSERT INTO projects SELECT n, n, 'p' FROM generate_series(1, 2) n;
INSERT INTO tasks SELECT n, n, n, 't' FROM generate_series(1, 2) n;
GRANT SELECT ON teams, memberships TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON projects, tasks TO {app};
"""
STYLES = {"tokens": TOKENS, "members": MEMBERS}
NAMES = {"tokens": "orgs.id", "members": "teams.id"}


@dataclass(frozen=True)
class Case:
    """A database in one style, and its roles."""

    db: Database
    app: str
    keeper: str

    def run(self, *statements: str) -> None:
        with self.db.connect() as conn:
            for statement in statements:
                conn.execute(statement.replace("{app}", self.app).replace("{keeper}", self.keeper).encode())

    def proven(self, how: How = SAFE, app_dsn: str | None = None, *shared: str) -> Proof:
        role = self.app if app_dsn is None else None
        tables = frozenset(QName("public", name) for name in shared)
        return prove(self.db.dsn, None, app_dsn=app_dsn, app_role=role, shared=tables, how=how, now=NOW)


def made(db: Database, style: str) -> Case:
    """A database in a style by its name, or by its statements."""
    found = Case(db, db.role("app"), db.role("keeper"))
    found.run("CREATE ROLE {app} LOGIN", "CREATE ROLE {keeper} NOLOGIN")
    found.run(*filter(str.strip, STYLES.get(style, style).split(";\n")))
    return found


@pytest.fixture(scope="module")
def cases(server: Server) -> Iterator[Mapping[str, Case]]:
    """One database of each style, in which every sabotage is undone."""
    with server.databases() as make:
        yield {style: made(make(), style) for style in STYLES}


def breached(proof: Proof) -> set[str]:
    return {f"{o.attack} {o.object}" for o in proof.outcomes if o.status == "breached"}


def untold(proof: Proof) -> dict[str, str]:
    """What could not be recognised, by object."""
    return {o.object: o.detail for o in proof.outcomes if o.attack == "tenancy" and o.status == "error"}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("mode", ["safe", "full"])
def test_a_sound_database_is_proven(cases: Mapping[str, Case], style: str, mode: Mode) -> None:
    case = cases[style]
    login = make_conninfo(case.db.dsn, user=case.app) if mode == "safe" else None
    proof = case.proven(How(mode), login)
    assert proof.proven, to_text(proof)
    assert any(NAMES[style] in line for line in proof.not_looked_at)
    assert any("function is_member, which policies ask" in ln for ln in proof.not_looked_at) == (
        style == "members"
    )
    assert proof.review is not None
    assert all(slug.startswith("trail-") for slug in proof.review.skipped)


SABOTAGE = [
    ("tokens", "CREATE POLICY more ON posts USING (true)", "DROP POLICY more ON posts", "read posts"),
    ("tokens", "ALTER TABLE people DISABLE ROW LEVEL SECURITY", "ALTER TABLE people ENABLE ROW LEVEL SECURITY", "read people"),
    ("tokens", "CREATE POLICY more ON replies USING (true)", "DROP POLICY more ON replies", "read replies"),
    ("tokens", "CREATE POLICY more ON people FOR INSERT WITH CHECK (true)", "DROP POLICY more ON people", "insert people"),
    ("tokens", "CREATE POLICY more ON people USING (coalesce(current_setting('request.jwt.claims', true)::jsonb #>> '{app_metadata,org}', '') = '')", "DROP POLICY more ON people", "read people"),
    ("members", "ALTER FUNCTION current_user_id() IMMUTABLE", "ALTER FUNCTION current_user_id() STABLE", "prepared memberships"),
    ("members", "ALTER POLICY mine ON teams USING (is_member(id) OR name = 'two')", "ALTER POLICY mine ON teams USING (is_member(id))", "read teams"),
    ("members", "ALTER TABLE tasks DISABLE ROW LEVEL SECURITY", "ALTER TABLE tasks ENABLE ROW LEVEL SECURITY", "read tasks"),
    ("members", "CREATE POLICY more ON memberships USING (true)", "DROP POLICY more ON memberships", "read memberships"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("style", "spoil", "repair", "expected"), SABOTAGE, ids=[f"{s[0]}-{n}" for n, s in enumerate(SABOTAGE)]
)
def test_sabotage_is_found(
    cases: Mapping[str, Case], style: str, spoil: str, repair: str, expected: str
) -> None:
    case = cases[style]
    case.run(spoil)
    proof = case.proven()
    case.run(repair)
    assert expected in breached(proof), to_text(proof)
    assert not proof.proven


def test_the_checks_know_what_was_recognised(cases: Mapping[str, Case]) -> None:
    case = cases["members"]
    case.run(
        "ALTER TABLE tasks ALTER team_id DROP NOT NULL",
        "CREATE FUNCTION names() RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp "
        "AS 'SELECT role FROM public.memberships'",
    )  # fmt: skip
    proof = case.proven()
    case.run("ALTER TABLE tasks ALTER team_id SET NOT NULL", "DROP FUNCTION names()")
    assert proof.review is not None
    found = {(f.check, f.object) for f in proof.review.findings if f.level == "error"}
    assert found == {("tenant-nullable", "tasks"), ("definer-free", "names()")}


def test_a_look_up_that_reads_more_through_a_view_is_none(cases: Mapping[str, Case]) -> None:
    case = cases["members"]
    body = "SELECT EXISTS (SELECT FROM public.memberships m WHERE m.team_id = team AND m.user_id = public.current_user_id())"
    made = "CREATE OR REPLACE FUNCTION is_member(team bigint) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ {} $$"
    case.run(
        "CREATE VIEW every_task AS SELECT * FROM tasks",
        made.format(f"{body} AND (SELECT count(*) FROM public.every_task) >= 0"),
    )
    found = recognised_errors(case)
    case.run(made.format(body), "DROP VIEW every_task")
    assert any(check == "definer-free" and name.startswith("is_member") for check, name in found)


def recognised_errors(case: Case) -> set[tuple[str, str]]:
    review = case.proven().review
    assert review is not None
    return {(f.check, f.object) for f in review.findings if f.level == "error"}


def test_a_token_may_say_the_tenant_and_the_user(cases: Mapping[str, Case]) -> None:
    case = cases["tokens"]
    who = "(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::bigint"
    case.run(
        "CREATE TABLE drafts (id bigint PRIMARY KEY, org_id uuid NOT NULL REFERENCES orgs, owner bigint NOT NULL, "
        "body text NOT NULL, FOREIGN KEY (org_id, owner) REFERENCES people (org_id, id))",
        "INSERT INTO drafts SELECT id + 100, org_id, id, 'x' FROM people",
        "ALTER TABLE drafts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY own ON drafts USING (org_id = claim('org')::uuid AND owner = {who})",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON drafts TO {app}",
    )  # fmt: skip
    sound = case.proven()
    case.run("CREATE POLICY more ON drafts FOR SELECT USING (owner IS NOT NULL)")
    spoilt = case.proven()
    case.run("DROP TABLE drafts")
    assert sound.proven, to_text(sound)
    assert any("request.jwt.claims → sub" in line for line in sound.not_looked_at)
    assert {"read drafts", "oracle drafts"} <= breached(spoilt)


def test_a_function_that_forgets_the_user_is_found(cases: Mapping[str, Case]) -> None:
    case = cases["members"]
    with case.db.connect() as conn:
        (body,) = conn.execute("SELECT pg_get_functiondef('is_member'::regproc)").fetchone() or ("",)
    case.run(body.replace("= public.current_user_id()", "IS NOT NULL"))
    proof = case.proven()
    case.run(body)
    assert {"read projects", "oracle projects", "delete projects"} <= breached(proof), to_text(proof)


ASKED = [
    ("coalesce(current_setting('app.support', true), '') = 'on'", "app.support is asked for"),
    ("pg_has_role('pg_monitor', 'MEMBER')", "a role's membership is asked for"),
    ("title = current_user", "who is logged in is asked for"),
    ("title = current_setting('app.' || 'x', true)", "a setting whose name it composes is asked for"),
]


@pytest.mark.parametrize(("expression", "told"), ASKED)
def test_a_policy_that_cannot_be_classified_is_said_to_be_so(
    cases: Mapping[str, Case], expression: str, told: str
) -> None:
    case = cases["members"]
    case.run(f"CREATE POLICY odd ON projects USING ({expression})")
    proof = case.proven()
    case.run("DROP POLICY odd ON projects")
    assert told in untold(proof)["projects"]
    assert not proof.proven
    assert not breached(proof)


def test_what_a_function_asks_beside_is_not_overlooked(cases: Mapping[str, Case]) -> None:
    case = cases["members"]
    with case.db.connect() as conn:
        (body,) = conn.execute("SELECT pg_get_functiondef('is_member'::regproc)").fetchone() or ("",)
    more = "public.current_user_id()) OR current_setting('app.support', true) = 'on'"
    case.run(body.replace("public.current_user_id())", more))
    proof = case.proven()
    case.run(body)
    assert set(untold(proof)) == {"projects", "teams"}
    assert all(
        detail.startswith("policy mine: app.support is asked for") for detail in untold(proof).values()
    )
    assert not proof.proven


def test_a_table_without_row_level_security_is_not_good(cases: Mapping[str, Case]) -> None:
    case = cases["tokens"]
    case.run(
        "CREATE TABLE countries (code text)",
        "INSERT INTO countries VALUES ('x')",
        "GRANT SELECT ON countries TO {app}",
    )
    proof = case.proven()
    case.run(
        "ALTER TABLE countries ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        "CREATE POLICY anybody ON countries USING (true)",
    )
    declared = case.proven(SAFE, None, "countries")
    case.run("DROP TABLE countries")
    (found,) = [o for o in proof.outcomes if o.object == "countries"]
    assert (found.attack, found.status) == ("relation", "error")
    assert "nothing says whose they are" in found.detail
    assert not proof.proven
    assert declared.proven, to_text(declared)
    assert "rows of shared tables, which every tenant reads: countries" in declared.not_looked_at


def test_a_table_of_nobody_is_said_to_be_so(cases: Mapping[str, Case]) -> None:
    case = cases["tokens"]
    case.run(
        "CREATE TABLE notices (id bigint, audience text)", "ALTER TABLE notices ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY part ON notices USING (audience <> 'staff')", "GRANT SELECT ON notices TO {app}",
    )  # fmt: skip
    proof = case.proven()
    case.run("DROP TABLE notices")
    assert untold(proof) == {"notices": "policy part: nothing says which tenant a row is of"}
    assert not proof.proven


def test_rows_of_people_are_isolated_by_the_user(cases: Mapping[str, Case]) -> None:
    case = cases["members"]
    case.run(
        "ALTER TABLE users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        "CREATE POLICY me ON users USING (id = current_user_id())", "GRANT SELECT, UPDATE ON users TO {app}",
    )  # fmt: skip
    sound = case.proven()
    case.run(
        "CREATE POLICY more ON users USING (true)",
        "CREATE VIEW everybody AS TABLE users",
        "GRANT SELECT ON everybody TO {app}",
    )
    spoilt = case.proven()
    case.run(
        "DROP VIEW everybody",
        "DROP POLICY more ON users", "DROP POLICY me ON users", "REVOKE ALL ON users FROM {app}",
        "ALTER TABLE users DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY",
    )  # fmt: skip
    assert sound.proven, to_text(sound)
    assert "whether what a user reads changes with another user's rows (worlds): users" in sound.not_looked_at
    assert {"read users", "relation everybody"} <= breached(spoilt)


def test_members_who_may_change_most_speak(cases: Mapping[str, Case]) -> None:
    case = cases["members"]
    role = "EXISTS (SELECT FROM memberships m WHERE m.team_id = projects.team_id AND m.user_id = current_user_id() AND m.role = 'owner')"
    case.run(
        "ALTER POLICY mine ON projects RENAME TO reading", f"CREATE POLICY owners ON projects AS RESTRICTIVE FOR DELETE USING ({role})",
        "INSERT INTO users SELECT ('00000000-0000-4000-9000-00000000000' || n)::uuid, 'g' FROM generate_series(1, 2) n",
        "INSERT INTO memberships SELECT n, ('00000000-0000-4000-9000-00000000000' || n)::uuid, 'guest' FROM generate_series(1, 2) n",
    )  # fmt: skip
    proof = case.proven()
    case.run(
        "DELETE FROM memberships WHERE user_id > '00000000-0000-4000-9000-000000000000'",
        "DELETE FROM users WHERE id > '00000000-0000-4000-9000-000000000000'",
        "DROP POLICY owners ON projects", "ALTER POLICY reading ON projects RENAME TO mine",
    )  # fmt: skip
    assert proof.proven, to_text(proof)


def test_a_table_of_keys_alone_that_is_only_read_is_protected_by_that(cases: Mapping[str, Case]) -> None:
    case = cases["members"]
    case.run(
        "CREATE TABLE badges (team_id bigint PRIMARY KEY REFERENCES teams)", "INSERT INTO badges VALUES (1), (2)",
        "ALTER TABLE badges ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        "CREATE POLICY mine ON badges USING (is_member(team_id))", "GRANT SELECT ON badges TO {app}",
    )  # fmt: skip
    held = {o.attack: o for o in case.proven().outcomes if o.object == "badges"}
    case.run("GRANT INSERT, UPDATE ON badges TO {app}")
    able = {o.attack: o for o in case.proven().outcomes if o.object == "badges"}
    case.run("DROP TABLE badges")
    for name in ("insert", "move"):  # nothing would stop such a row before it is written
        assert (held[name].status, held[name].control_fired) == ("held", True)
        assert able[name].status == "skipped"


def test_a_function_of_any_number_of_arguments_is_called_as_such(cases: Mapping[str, Case]) -> None:
    case = cases["members"]
    case.run(
        "CREATE FUNCTION has_role(team bigint, VARIADIC roles text[]) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT EXISTS "
        "(SELECT FROM public.memberships m WHERE m.team_id = team AND m.user_id = public.current_user_id() AND m.role = ANY (roles)) $$",
        "ALTER POLICY mine ON projects USING (has_role(team_id, 'owner', 'guest'))",
    )  # fmt: skip
    proof = case.proven(How("full"))
    case.run("ALTER POLICY mine ON projects USING (is_member(team_id))", "DROP FUNCTION has_role")
    (found,) = [o for o in proof.outcomes if o.object == "has_role(bigint, text[])"]
    assert (found.attack, found.status) == ("worlds", "held")
    assert proof.proven, to_text(proof)


def test_nothing_is_proven_without_rows(db: Database) -> None:
    case = made(db, "tokens")
    case.run("TRUNCATE orgs, people, posts, replies")
    proof = case.proven()
    assert not proof.proven
    assert "no session was found" in untold(proof)["database"]
    assert not breached(proof)


def test_a_database_without_policies_is_not_recognised(db: Database) -> None:
    case = made(db, "tokens")
    case.run(*(f"DROP POLICY own ON {name}" for name in ("orgs", "people", "posts", "replies")))
    proof = case.proven()
    assert not proof.proven
    assert "no policy that applies to" in untold(proof)["database"]


def test_who_the_application_is_is_asked_and_not_guessed(cases: Mapping[str, Case]) -> None:
    case = cases["tokens"]
    with pytest.raises(SpecError, match=rf"role is not known; give --app-dsn, or --app-role .*{case.app}"):
        prove(case.db.dsn, None, now=NOW)
    with pytest.raises(SpecError, match="there is no role nobody_at_all"):
        prove(case.db.dsn, None, app_role="nobody_at_all", now=NOW)
    with pytest.raises(SpecError, match="shared table nowhere is not there"):
        case.proven(SAFE, None, "nowhere")


def test_what_the_spec_says_itself_is_refused(tmp_path: Path) -> None:
    spec = tmp_path / "tenantry.toml"
    spec.write_text('[tables.notes]\nscope = "shared"\n', encoding="utf-8")
    for option in ("--app-role", "--shared"):
        run = CliRunner().invoke(cli.app, ["prove", "--spec", str(spec), option, "x"])
        assert run.exit_code == 2
        assert f"{option}: goes without a spec" in run.output


# What a text asks of a session


JWT = "current_setting('request.jwt.claims'::text, true)"
FUNCTIONS = [
    Function(QName("auth", "jwt"), f"SELECT coalesce(nullif(current_setting('request.jwt', true), ''), nullif({JWT}, ''))::jsonb"),
    Function(QName("auth", "uid"), f"SELECT coalesce(nullif(current_setting('request.sub', true), ''), (nullif({JWT}, '')::jsonb ->> 'sub'))::uuid"),
    Function(QName("public", "claim"), f"SELECT nullif({JWT}, '')::json ->> $1"),
    Function(QName("public", "later"), f"DECLARE c jsonb := {JWT}; BEGIN RETURN c -> 'app' ->> 'org'; END"),
    Function(QName("public", "is_member"), "/* user */ SELECT EXISTS (SELECT FROM members WHERE who = auth.uid())"),
    Function(QName("public", "in_c"), ""),
]  # fmt: skip
TEXTS = [
    ("tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid", {"app.tenant"}, ""),
    (f"org = (({JWT})::jsonb ->> 'org'::text)", {"request.jwt.claims/org"}, ""),
    (f"org = (NULLIF({JWT}, ''::text))::jsonb #>> '{{app,org}}'::text[]", {"request.jwt.claims/app/org"}, ""),
    (f"org = ( SELECT (({JWT})::json ->> 'org'::text) AS x)", {"request.jwt.claims/org"}, ""),
    (f"org = jsonb_extract_path_text(({JWT})::jsonb, VARIADIC ARRAY['a'::text, 'b'::text])", {"request.jwt.claims/a/b"}, ""),
    ("org = (((auth.jwt() -> 'app'::text) ->> 'org'::text))::uuid", {"request.jwt/app/org", "request.jwt.claims/app/org"}, ""),
    ("is_member(org)", {"request.sub", "request.jwt.claims/sub"}, ""),
    ("org = claim('org'::text)", {"request.jwt.claims/org"}, ""),
    ("org = later()", {"request.jwt.claims/app/org"}, ""),
    ("org = claim(kind)", {"request.jwt.claims/"}, "a claim whose name it is given by the caller of claim"),
    ("(owner = CURRENT_USER)", set(), "who is logged in"),
    ("in_c(org)", set(), "function in_c, whose body is not SQL"),
    ("org = current_setting(('app.'::text || kind))", set(), "a setting whose name it composes"),
    ("note = 'current_setting(''app.x'')'::text", set(), ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "claims", "strange"), TEXTS)
@pytest.mark.pg(">=18")  # no server is asked
def test_what_a_text_asks_of_the_session(text: str, claims: set[str], strange: str) -> None:
    found = Reader(FUNCTIONS, [QName("public", "members")]).read(text)
    assert {"/".join((c.setting, *c.path)) for c in found.claims} == claims
    assert found.strange == ({strange} if strange else set())
    assert bool(found.tables) == text.startswith("is_member")

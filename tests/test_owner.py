"""A database's owner, who is no superuser and whom FORCE binds, converts it; row level security stops him aloud."""

from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from tenantry import introspect, planner, spec
from tenantry.apply import apply
from tenantry.errors import ApplyError
from tenantry.names import quote
from tenantry.plan import Plan, Profile
from tenantry.revert import revert
from tests import corpus, runs
from tests.servers import Database

PROFILES: tuple[Profile, ...] = ("online", "transactional")
every_profile = pytest.mark.parametrize("profile", PROFILES)

SCHEMA = """
CREATE TABLE teams (id serial PRIMARY KEY, customer text NOT NULL, name text UNIQUE NOT NULL);
CREATE TABLE notes (id serial PRIMARY KEY, team_id int NOT NULL REFERENCES teams, slug text UNIQUE);
CREATE TABLE settings (id text DEFAULT 'only' PRIMARY KEY);
INSERT INTO teams (customer, name) VALUES ('acme', 'red'), ('acme', 'blue'), ('globex', 'green');
INSERT INTO notes (team_id, slug) VALUES (1, 'a'), (2, 'b'), (3, 'c'), (3, 'd');
INSERT INTO settings DEFAULT VALUES;
""".strip().split(";\n")

TOML = """
[tenancy.default]
id = "house"
name = "The house"
slug = "house"

[audit]

[tables.teams]
scope = "tenant"
backfill = { column = "customer", matches = "slug", create = true }

[tables.notes]
scope = "tenant"
backfill = { parent = "teams" }

[tables.settings]
scope = "tenant"
backfill = { constant = "house" }
primary_key = "tenant"
"""


@dataclass(frozen=True)
class Owned:
    """A database and its owner."""

    db: Database
    owner: str

    @property
    def dsn(self) -> str:
        return psycopg.conninfo.make_conninfo(self.db.dsn, user=self.owner)

    @property
    def app(self) -> str:
        return self.db.role("app")

    def do(self, *statements: str) -> None:
        runs.do(self.db, *statements, user=self.owner)

    def plan(self, profile: Profile, more: str = "") -> Plan:
        """What the owner sees to be done."""
        declared = spec.parse(f'[roles]\napp = "{self.app}"\n{TOML}{more}')
        with closing(self.db.connect(user=self.owner)) as conn:
            return planner.plan(declared, introspect.read(conn), profile)

    def seen(self, tenant: str) -> Any:
        """The notes that the application sees of a tenant's, by its slug."""
        id_ = runs.query(self.db, f"SELECT id FROM tenants WHERE slug = '{tenant}'")
        with closing(self.db.connect(user=self.app)) as conn:
            conn.execute("SELECT set_config('app.current_tenant_id', %s, false)", (id_,))
            return [slug for (slug,) in conn.execute("SELECT slug FROM notes ORDER BY slug")]


@pytest.fixture
def owned(db: Database) -> Owned:
    owner = db.role("owner")
    runs.do(
        db,
        f"CREATE ROLE {owner} LOGIN CREATEROLE NOSUPERUSER NOBYPASSRLS",
        f"ALTER DATABASE {quote(db.name)} OWNER TO {owner}",
    )
    made = Owned(db, owner)
    made.do(*SCHEMA)
    return made


@every_profile
def test_an_owner_converts_his_database_and_takes_it_back(owned: Owned, profile: Profile) -> None:
    before, rows = (
        corpus.dump(owned.db),
        runs.query(owned.db, "SELECT jsonb_agg(to_jsonb(n) ORDER BY id) FROM notes n"),
    )
    done = apply(owned.dsn, owned.plan(profile))
    assert (done.skipped, done.plan_id) == (0, 1)
    assert all(owned.plan(p).steps == () for p in PROFILES)
    assert runs.query(
        owned.db,
        "SELECT bool_and(relforcerowsecurity) FROM pg_class WHERE relname IN ('teams', 'notes', 'settings')",
    )
    assert runs.query(
        owned.db, f"SELECT bool_and(tableowner = '{owned.owner}') FROM pg_tables WHERE schemaname = 'public'"
    )
    assert owned.seen("acme") == ["a", "b"]
    assert owned.seen("globex") == ["c", "d"]
    wrong = "SELECT count(*) FROM notes n JOIN teams t ON t.id = n.team_id WHERE n.tenant_id <> t.tenant_id"
    assert runs.query(owned.db, wrong) == 0
    assert revert(owned.dsn).restored
    assert corpus.dump(owned.db) == before
    assert runs.query(owned.db, "SELECT jsonb_agg(to_jsonb(n) ORDER BY id) FROM notes n") == rows


@every_profile
def test_an_applied_plan_can_be_applied_again_by_a_bound_owner(owned: Owned, profile: Profile) -> None:
    plan = owned.plan(profile)
    apply(owned.dsn, plan)
    again = apply(owned.dsn, owned.plan(profile))
    assert (again.plan_id, again.done) == (None, 0)


@every_profile
def test_a_table_that_hides_its_rows_from_the_owner_is_refused_aloud(owned: Owned, profile: Profile) -> None:
    """Nothing is filled from rows that cannot be seen: an error before anything changes, never zero rows."""
    owned.do(
        "CREATE POLICY none ON notes AS RESTRICTIVE USING (false)",
        "ALTER TABLE notes ENABLE ROW LEVEL SECURITY",
    )
    owned.do("ALTER TABLE notes FORCE ROW LEVEL SECURITY")
    more = TOML.replace(
        'backfill = { parent = "teams" }', 'backfill = { parent = "teams" }\npolicies = { none = "keep" }'
    )
    declared = spec.parse(f'[roles]\napp = "{owned.app}"\n{more}')
    with closing(owned.db.connect(user=owned.owner)) as conn:
        plan = planner.plan(declared, introspect.read(conn), profile)
    _refused_aloud(owned, plan)


@every_profile
def test_a_later_table_is_not_filled_from_hidden_parents(owned: Owned, profile: Profile) -> None:
    apply(owned.dsn, owned.plan(profile))
    owned.do("CREATE TABLE labels (id serial PRIMARY KEY, note_id int REFERENCES notes (id))")
    runs.do(owned.db, "INSERT INTO labels (note_id) VALUES (1), (4)")
    more = '[tables.labels]\nscope = "tenant"\nbackfill = { parent = "notes" }\n'
    plan = owned.plan(profile, more)
    _refused_aloud(owned, plan)
    apply(owned.db.dsn, plan)  # a superuser sees the parents
    wrong = "SELECT count(*) FROM labels l JOIN notes n ON n.id = l.note_id WHERE l.tenant_id <> n.tenant_id"
    assert runs.query(owned.db, wrong) == 0
    assert owned.plan(profile, more).steps == ()


def _refused_aloud(owned: Owned, plan: Plan) -> None:
    before = corpus.dump(owned.db)
    with pytest.raises(ApplyError, match="row-level security") as caught:
        apply(owned.dsn, plan)
    assert caught.value.sqlstate == "42501"
    assert "use a superuser or a role with BYPASSRLS" in str(caught.value)
    assert corpus.dump(owned.db) == before

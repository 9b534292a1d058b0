"""Proving: what counts as proven, what is refused, what is left behind (nothing), and how it is told."""

import json
from datetime import UTC, date, datetime

import pytest
from psycopg.conninfo import make_conninfo

from tenantry import introspect, planner
from tenantry.attacks.lab import How
from tenantry.checks.waivers import Baseline
from tenantry.errors import CatalogError
from tenantry.finding import Finding, Mode, Outcome, Proof
from tenantry.prove import examine, prove
from tenantry.report.proof import to_json, to_text
from tenantry.spec import Spec
from tenantry.waiver import Waiver
from tests import isolated
from tests.isolated import run
from tests.servers import Database, MakeDatabase

pytestmark = pytest.mark.usefixtures("sound_server")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SAFE = How()


def login(db: Database, role: str | None = None, **parameters: str) -> str:
    return make_conninfo(db.dsn, user=role or isolated.names(db).app, **parameters)


def examined(
    db: Database, app_dsn: str | None = None, how: How = SAFE, baseline: Baseline | None = None
) -> Proof:
    with db.connect() as connection:
        catalog = introspect.read(connection)
    return examine(db.dsn, isolated.spec(db), catalog, app_dsn=app_dsn, how=how, baseline=baseline, now=NOW)


def errors(proof: Proof) -> set[tuple[str, str]]:
    return {(f.check, f.object) for f in proof.findings if f.level == "error"}


SINGLE = """
CREATE TABLE users (id text PRIMARY KEY, email text NOT NULL UNIQUE);
CREATE TABLE posts (id bigint PRIMARY KEY, author_id text NOT NULL REFERENCES users, title text NOT NULL);
CREATE TABLE logins (user_id text NOT NULL REFERENCES users, provider text, PRIMARY KEY (user_id, provider));
INSERT INTO users VALUES ('u1', 'one@a.example'), ('u2', 'two@a.example');
INSERT INTO posts VALUES (1, 'u1', 'one'), (2, 'u2', 'two');
INSERT INTO logins VALUES ('u1', 'mail');
"""


def single(db: Database) -> Spec:
    """A database before any conversion, and its spec."""
    with db.connect() as connection:
        connection.execute(SINGLE.encode())
    mine = {"scope": "tenant", "backfill": {"constant": "first"}, "primary_key": "global"}
    return Spec.model_validate(
        {
            "tenancy": {"default": {"id": "first", "name": "First", "slug": "first"}},
            "roles": {"app": db.role("app"), "owner": db.role("owner")},
            "audit": {},
            "tables": {
                "users": mine | {"unique": {"users_email_key": "tenant"}},
                "posts": mine,
                "logins": {"scope": "through", "parent": "users"},
            },
        }
    )


def test_a_database_is_proven_once_its_plan_is_applied(db: Database) -> None:
    spec = single(db)
    before = prove(db.dsn, spec, now=NOW)
    assert before.pending
    assert not before.proven
    assert before.review is not None
    assert any(f.check == "role-missing" for f in before.review.findings)
    told = {f.object: f.message for f in before.findings if f.check == "target"}
    assert told["posts"] == "has no column tenant_id yet; run `tenantry apply`"
    assert told["tenants"] == "is not there yet; run `tenantry apply`"
    assert told["logins"].startswith("is isolated through users, which has no tenant yet")
    left = "\n".join(before.review.not_looked_at)
    assert f"there is no role {db.role('app')}; `tenantry apply` makes it: " in left
    assert "the audit trail audit_logs is not there yet; run `tenantry apply`: " in left
    assert "give a spec" not in left
    assert "`tenantry apply` mends it" in to_text(before)
    with db.connect() as connection:
        connection.execute("SET row_security = off")
        for step in planner.plan(spec, introspect.read(connection), "transactional"):
            for statement in step.apply:
                connection.execute(statement.encode())
    one = prove(db.dsn, spec, now=NOW)
    assert one.proven, to_text(one)
    with db.connect() as connection:
        connection.execute("INSERT INTO tenants (id, name, slug) VALUES ('second', 'Second', 'second')")
        connection.execute(
            "INSERT INTO users (id, email, tenant_id) VALUES ('u3', 'one@a.example', 'second')"
        )
        connection.execute(
            "INSERT INTO posts (id, author_id, title, tenant_id) VALUES (3, 'u3', 'x', 'second')"
        )
    two = prove(db.dsn, spec, app_dsn=login(db), now=NOW)
    assert two.proven, to_text(two)
    assert two.role == f"{db.role('app')} (logged in as {db.role('app')})"
    assert two.when == "2026-11-22T12:00:00+00:00"


def test_what_the_planner_refuses_is_a_finding(db: Database) -> None:
    isolated.make(db)
    run(db, "CREATE TABLE unheard_of (id int)")
    proof = prove(db.dsn, isolated.spec(db), now=NOW)
    assert any(f.check == "plan" and "unheard_of" in f.message for f in proof.findings)
    assert proof.outcomes
    assert not proof.proven


@pytest.mark.parametrize(
    ("statement", "check", "name"),
    [
        ("GRANT {owner} TO {app}", "role-owner", "{app}"),
        ("GRANT TRUNCATE ON notes TO {app}", "grant-truncate", "notes"),
        ("GRANT UPDATE ON audit_logs TO {app}", "trail-writable", "audit_logs"),
    ],
)
def test_what_the_checks_say_counts(db: Database, statement: str, check: str, name: str) -> None:
    isolated.make(db)
    clean = examined(db)
    assert clean.review is not None
    assert clean.review.good
    assert clean.proven
    run(db, statement)
    proof = examined(db)
    assert proof.review is not None
    named = {(f.check, f.object) for f in proof.review.findings if f.level == "error"}
    assert (check, name.replace("{app}", isolated.names(db).app)) in named
    assert not proof.proven
    known = examined(db, baseline=Baseline(frozenset(f.fingerprint for f in proof.review.findings)))
    assert known.review is not None
    assert known.review.good


def test_a_waiver_of_the_spec_counts(db: Database) -> None:
    isolated.make(db)
    run(db, "GRANT TRUNCATE ON notes TO {app}")
    waiver = Waiver(check="grant-truncate", object="notes", reason="a test", until=date(2027, 1, 1))
    spec = isolated.spec(db).model_copy(update={"waivers": (waiver,)})
    with db.connect() as connection:
        catalog = introspect.read(connection)
    review = examine(db.dsn, spec, catalog, now=NOW).review
    assert review is not None
    assert [w.finding.check for w in review.waived] == ["grant-truncate"]
    assert review.good


@pytest.mark.parametrize("as_login", [False, True])
def test_a_tenant_that_is_there_by_default_is_found(db: Database, as_login: bool) -> None:
    isolated.make(db)
    run(db, f"ALTER DATABASE {db.name} SET app.current_tenant_id = 'acme'")
    proof = examined(db, login(db) if as_login else None)
    assert ("session.preset", "app.current_tenant_id") in errors(proof)
    assert any(o.status == "breached" and "no tenant at all" in o.detail for o in proof.outcomes)


def test_a_preset_tenant_in_the_applications_own_dsn_is_found(db: Database) -> None:
    isolated.make(db)
    proof = examined(db, login(db, options="-c app.current_tenant_id=globex"))
    assert ("session.preset", "app.current_tenant_id") in errors(proof)


def test_a_superuser_who_steps_down_in_the_dsn_is_found(db: Database) -> None:
    isolated.make(db)
    app = isolated.names(db).app
    proof = examined(db, login(db, "postgres", options=f"-c role={app}"))
    assert proof.role == f"{app} (logged in as postgres)"
    assert proof.review is not None
    assert ("role-superuser", "postgres") in {(f.check, f.object) for f in proof.review.findings}
    assert not proof.proven


def test_another_login_than_the_spec_names_is_told(db: Database) -> None:
    isolated.make(db)
    run(db, "CREATE ROLE {app}_web LOGIN IN ROLE {app}")
    proof = examined(db, login(db, isolated.names(db).app + "_web"))
    assert [f.level for f in proof.findings if f.check == "role.other"] == ["warning"]
    assert proof.proven


def test_an_administrator_who_is_bound_is_refused(db: Database) -> None:
    spec = isolated.make(db)
    run(db, "CREATE ROLE {app}_dba LOGIN", "GRANT ALL ON ALL TABLES IN SCHEMA public TO {app}_dba")
    with pytest.raises(CatalogError, match=r"_dba is bound by row level security on .*notes.*BYPASSRLS"):
        prove(login(db, isolated.names(db).app + "_dba"), spec, app_dsn=login(db), now=NOW)


def test_an_administrator_who_cannot_take_the_role_is_refused(db: Database) -> None:
    spec = isolated.make(db)
    run(db, "CREATE ROLE {app}_dba LOGIN BYPASSRLS", "GRANT ALL ON ALL TABLES IN SCHEMA public TO {app}_dba")
    with pytest.raises(CatalogError, match="may not SET ROLE"):
        prove(login(db, isolated.names(db).app + "_dba"), spec, now=NOW)


def test_an_administrator_need_not_be_a_superuser(db: Database) -> None:
    spec = isolated.make(db)
    run(
        db,
        "CREATE ROLE {app}_dba LOGIN BYPASSRLS",
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO {app}_dba",
        "GRANT {owner} TO {app}_dba",
    )
    dsn = login(db, isolated.names(db).app + "_dba")
    with db.connect() as connection:
        catalog = introspect.read(connection)
    proof = examine(dsn, spec, catalog, app_dsn=login(db), now=NOW)
    assert proof.proven, to_text(proof)


def test_two_databases_are_refused(make_db: MakeDatabase) -> None:
    one, other = make_db(), make_db()
    spec = isolated.make(one)
    with pytest.raises(CatalogError, match="another database"):
        prove(one.dsn, spec, app_dsn=make_conninfo(other.dsn, user=isolated.names(one).app), now=NOW)


def checksums(db: Database) -> dict[str, object]:
    """Every row of every table, and where the sequence is."""
    with db.connect() as connection:
        found: dict[str, object] = {
            table: connection.execute(
                f"SELECT count(*), sum(hashtextextended(t::text, 0)), sum(hashtextextended(t.ctid::text, 0)) "
                f"FROM ONLY {table} AS t".encode()
            ).fetchone()
            for table in isolated.TABLES
        }
        return found | {
            "sequence": connection.execute("SELECT last_value, is_called FROM notes_id_seq").fetchone()
        }


LEAKY = (
    *(f"ALTER TABLE {t} DISABLE ROW LEVEL SECURITY" for t in isolated.TABLES),
    "ALTER TABLE audit_logs DISABLE TRIGGER USER",
    "GRANT ALL ON ALL TABLES IN SCHEMA public TO {app}",
)


@pytest.mark.parametrize("leaky", [False, True])
@pytest.mark.parametrize("mode", ["safe", "full"])
def test_nothing_is_written_and_nothing_stays_open(db: Database, leaky: bool, mode: Mode) -> None:
    isolated.make(db)
    run(db, *(LEAKY if leaky else ()))
    before = checksums(db)
    proof = examined(db, login(db), How(mode))
    assert any(o.status == "breached" for o in proof.outcomes) == leaky
    assert checksums(db) == before
    with db.connect() as connection:
        left = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND application_name LIKE 'tenantry%%'"
        )
        for _ in range(100):  # a server process ends a moment after its connection
            if connection.execute(left, (db.name,)).fetchone() == (0,):
                return
            connection.execute("SELECT pg_sleep(0.05)")
    pytest.fail("a connection stayed open")


def test_in_production_no_statement_takes_a_transaction_id(db: Database) -> None:
    isolated.make(db)
    run(db, "INSERT INTO audit_logs (tenant_id, action) SELECT id, 'x' FROM tenants", "VACUUM")
    query = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
    with db.connect() as connection:
        (before,) = connection.execute(query).fetchone() or (0,)
        assert examined(db, login(db)).proven
        (after,) = connection.execute(query).fetchone() or (0,)
    assert after - before < 10  # of hundreds of statements: notes has a trigger that the spec lets fire


def test_a_user_trigger_does_not_fire_in_production(db: Database) -> None:
    isolated.make(db)
    run(
        db,
        "ALTER TABLE users ENABLE ROW LEVEL SECURITY",
        "CREATE TRIGGER touch_too BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch()",
    )
    proof = examined(db)
    found = {(o.attack, o.detail) for o in proof.outcomes if o.status == "skipped" and o.object == "users"}
    why = "trigger touch_too would fire: judged by its plan and its policies"
    assert found == {("insert", why), ("move", why)}
    assert proof.proven
    unclear = {o.attack for o in examined(db, how=How(triggers=True)).outcomes if o.status == "error"}
    assert unclear == {"insert", "move"}  # it did fire: users has no column `changed`


def test_a_table_that_can_only_be_read_whole_is_judged_by_its_plan(db: Database) -> None:
    isolated.make(db)
    proof = examined(db, how=How(costly=-1))
    skipped = {(o.attack, o.object) for o in proof.outcomes if o.status == "skipped"}
    assert ("read", "accounts") in skipped
    assert ("plan", "accounts") not in skipped
    assert all(
        "too dear" in o.detail for o in proof.outcomes if o.object == "accounts" and o.attack != "plan"
    )
    assert proof.proven
    run(db, "CREATE POLICY p ON accounts FOR SELECT USING (true)")
    assert not examined(db, how=How(costly=-1)).proven


def test_a_skip_is_only_made_good_where_the_policies_are_known(db: Database) -> None:
    isolated.make(db)
    run(
        db,
        "CREATE FUNCTION mine(text) RETURNS bool LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS "
        "$$ BEGIN RETURN $1 = current_setting('app.current_tenant_id', true); END $$",
        "ALTER POLICY tenant_isolation ON users USING (mine(tenant_id))",
    )
    assert examined(db).proven
    assert not examined(db, how=How(costly=-1)).proven


def proof_of(*outcomes: Outcome, findings: tuple[Finding, ...] = (), pending: tuple[str, ...] = ()) -> Proof:
    return Proof(
        "2026-11-22T12:00:00+00:00",
        "PostgreSQL 18.6, database x",
        "app",
        pending,
        findings,
        outcomes,
        ("views: v",),
    )


HELD = Outcome("read", "notes", "held", 5, True)
BREACHED = Outcome("delete", "notes", "breached", 5, True, "as tenant a: not refused", "DELETE FROM notes")


@pytest.mark.parametrize(
    ("proof", "first"),
    [
        (proof_of(HELD), "PROVEN: 1 of 1 attack held (5 statements)"),
        (proof_of(), "NOT PROVEN: 0 of 0 attacks held (0 statements)"),
        (proof_of(HELD, BREACHED), "NOT PROVEN: 1 of 2 attacks held (10 statements), 1 breached"),
        (
            proof_of(HELD, pending=("a", "b")),
            "NOT PROVEN: 1 of 1 attack held (5 statements), 2 steps pending",
        ),
        (
            proof_of(HELD, findings=(Finding("role.superuser", "error", "app", "app is a superuser"),)),
            "NOT PROVEN: 1 of 1 attack held (5 statements), 1 finding",
        ),
        (
            proof_of(HELD, Outcome("move", "notes", "error", 2), Outcome("insert", "notes", "skipped")),
            "NOT PROVEN: 1 of 3 attacks held (7 statements), 1 without an answer, 1 skipped",
        ),
        (
            proof_of(Outcome("read", "notes", "held", 5, False)),
            "NOT PROVEN: 1 of 1 attack held (5 statements), 1 held without a control",
        ),
    ],
)
def test_the_verdict_comes_first(proof: Proof, first: str) -> None:
    assert to_text(proof).splitlines()[0] == first
    assert json.loads(to_json(proof))["proven"] == first.startswith("PROVEN")


def test_what_speaks_against_it_comes_before_the_matrix() -> None:
    finding = Finding("grant", "error", "notes", "app has TRUNCATE", "REVOKE TRUNCATE")
    unclear = Outcome("move", "notes", "error", 2, False, "55P03 locked")
    text = to_text(proof_of(HELD, BREACHED, unclear, findings=(finding,), pending=tuple("abcdefg")))
    order = [
        "BREACHED delete on notes",
        "DELETE FROM notes",
        "ERROR grant",
        "fix: REVOKE",
        "PENDING",
        "and 2 more",
    ]
    order += [
        "NO ANSWER move on notes: 55P03 locked",
        "read  delete  move",
        "✓     ✗       ?",
        "Not looked at:",
        "views: v",
    ]
    places = [text.index(words) for words in order]
    assert places == sorted(places)


def test_many_tables_fit_one_screen() -> None:
    held = [Outcome("read", f"t{n}", "held", 1, True) for n in range(300)]
    text = to_text(proof_of(*held, BREACHED))
    assert len(text.splitlines()) < 24
    assert "300 tables more, where every attack held" in text
    assert "\nnotes" in text


def test_json_holds_the_whole_record() -> None:
    finding = Finding("grant", "error", "notes", "app has TRUNCATE", "REVOKE TRUNCATE")
    record = json.loads(to_json(proof_of(HELD, BREACHED, findings=(finding,))))
    assert record["version"] == 1
    assert record["outcomes"][1]["sql"] == "DELETE FROM notes"
    assert record["findings"][0]["fingerprint"] == finding.fingerprint
    assert record["not_looked_at"] == ["views: v"]

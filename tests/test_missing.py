"""Work without a tenant raises in the server, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from tenantry import apply, checks, introspect, planner, spec
from tenantry.checks import Request
from tenantry.cutover import cutover
from tenantry.plan import Phase
from tenantry.prove import outcomes
from tenantry.runtime import guard, no_tenant, tenant
from tenantry.runtime.psycopg import Connection
from tests import corpus
from tests.corpus import Subject
from tests.servers import Database, Server

NOW = datetime(2026, 11, 25, tzinfo=UTC)
CASE = next(case for case in corpus.cases() if case.name == "missing_raise")


@pytest.fixture(scope="module")
def raising(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    with server.databases() as make:
        subject = corpus.build(CASE, make, tmp_path_factory.mktemp("raising"))
        apply.apply(subject.db.dsn, planner.plan(subject.spec, subject.before, "online"))
        with subject.db.connect() as conn:
            conn.execute("INSERT INTO tenants (id, name, slug) VALUES ('second', 'Second', 'two')")
            conn.execute("INSERT INTO users (tenant_id, email) VALUES ('second', 'c@example.com')")
        yield subject


@pytest.fixture
def app(raising: Subject) -> Iterator[psycopg.Connection[Any]]:
    """The application, with nothing set; nothing of it stays."""
    with raising.db.connect(autocommit=False) as conn:
        conn.execute(f'SET SESSION AUTHORIZATION "{raising.spec.roles.app}"'.encode())
        yield conn
        conn.rollback()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT count(*) FROM users",
        "SELECT * FROM sessions",
        "SELECT * FROM audit_logs",
        "SELECT id FROM tenants",
        "EXPLAIN SELECT * FROM users",
        "INSERT INTO users (email) VALUES ('d@example.com')",
        "INSERT INTO users (tenant_id, email) VALUES ('first', 'd@example.com')",
        "UPDATE users SET email = email",
        "DELETE FROM users WHERE id = 1",
        "SET LOCAL app.current_tenant_id = ''; SELECT 1 FROM users",
    ],
)
def test_without_a_tenant_the_server_says_so(app: psycopg.Connection[Any], statement: str) -> None:
    *before, last = statement.split("; ")
    for one in before:
        app.execute(one.encode())
    with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
        app.execute(last.encode())
    diagnosis = caught.value.diag
    assert diagnosis.message_primary == "app.current_tenant_id is not set, and this work belongs to a tenant"
    assert "inside a tenant's scope" in (diagnosis.message_hint or "")


def test_with_one_all_is_as_ever_and_the_index_serves(app: psycopg.Connection[Any]) -> None:
    app.execute("SET LOCAL app.current_tenant_id = 'first'")
    assert app.execute("SELECT count(*) FROM users").fetchone() == (2,)
    app.execute("INSERT INTO users (email) VALUES ('d@example.com')")
    app.execute("INSERT INTO sessions VALUES ('n', 2)")
    with pytest.raises(psycopg.errors.ForeignKeyViolation), app.transaction():
        app.execute("INSERT INTO orders (customer, user_id) VALUES ('c', 3)")  # another tenant's
    app.execute("SET LOCAL enable_seqscan = off")
    plan = "\n".join(line for (line,) in app.execute("EXPLAIN (COSTS OFF) SELECT * FROM users"))
    assert "Index Cond: (tenant_id = COALESCE(NULLIF(current_setting" in plan


def test_who_looks_after_all_of_it_is_not_asked(raising: Subject) -> None:
    with raising.db.connect() as conn:
        conn.execute("ANALYZE")
        conn.execute("VACUUM users")
        conn.execute("ALTER TABLE orders ADD CONSTRAINT again FOREIGN KEY (user_id) REFERENCES users (id)")
        conn.execute("ALTER TABLE orders DROP CONSTRAINT again")
        assert conn.execute("SELECT count(*) FROM users").fetchone() == (3,)
        assert "no_tenant" in corpus.dump(raising.db)


def test_the_runtime_and_its_guard(raising: Subject) -> None:
    with Connection.connect(raising.db.dsn, options=f"-c role={raising.spec.roles.app}") as conn:
        with tenant("second"), conn.transaction():
            assert conn.execute("SELECT count(*) FROM users").fetchone() == (1,)
        with no_tenant(), conn.transaction():
            conn.execute("SELECT 1")
        with no_tenant(), pytest.raises(psycopg.errors.InsufficientPrivilege), conn.transaction():
            conn.execute("SELECT count(*) FROM users")
    app = f'"{raising.spec.roles.app}"'
    with raising.db.connect(autocommit=False) as conn:
        conn.execute(f"SET SESSION AUTHORIZATION {app}".encode())
        conn.commit()
        guard(conn)


@pytest.mark.usefixtures("sound_server")
def test_checks_know_the_form_and_an_attack_holds_only_with_its_control(raising: Subject) -> None:
    request = Request(spec=raising.spec, roles=(raising.spec.roles.app,))
    with raising.db.connect() as conn:
        review = checks.examine(conn, request, now=NOW)
        assert [
            f
            for f in review.findings
            if (f.level != "note" and f.check.startswith("policy")) or f.level == "error"
        ] == []

        def read() -> tuple[str, bool]:
            found = outcomes(raising.db.dsn, raising.spec, raising.catalog(), {"users"})
            (one,) = [o for o in found if o.attack == "read"]
            return one.status, one.control_fired

        assert read() == ("held", True)
        conn.execute("ALTER POLICY tenant_isolation ON users USING (tenant_id = tenant_context.no_tenant())")
        try:
            assert read() == ("error", False)  # it raises for everybody, which proves nothing
        finally:
            using = "coalesce(nullif(current_setting('app.current_tenant_id', true), ''), tenant_context.no_tenant())"
            conn.execute(f"ALTER POLICY tenant_isolation ON users USING (tenant_id = {using})".encode())
        assert planner.plan(raising.spec, raising.catalog(), "online").steps == ()


SPEC = """
[tenancy]
missing = "raise"
[tenancy.default]
id = "first"
name = "First"
slug = "first"
[roles]
app = "{app}"
context = "{context}"
[tables.note]
scope = "tenant"
backfill = {{ constant = "first" }}
"""


def test_in_observe_mode_nothing_raises_until_the_cut_over(db: Database) -> None:
    old = db.role("old")
    with db.connect() as conn:
        conn.execute("CREATE TABLE note (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, body text)")
        conn.execute("INSERT INTO note (body) VALUES ('one')")
        conn.execute(f"CREATE ROLE {old} LOGIN".encode())
        conn.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON note TO {old}".encode())
    declared = spec.parse(SPEC.format(app=db.role("app"), context=db.role("context")))
    with db.connect() as conn:
        plan = planner.plan(declared, introspect.read(conn), "online")
    apply.apply(db.dsn, plan, until=Phase.OBSERVE)
    with db.connect(user=old) as conn:
        conn.execute("INSERT INTO note (body) VALUES ('two')")
        assert conn.execute("SELECT count(*) FROM note").fetchone() == (2,)
    cutover(db.dsn, None)
    apply.apply(db.dsn, plan)
    with db.connect(user=old) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege, match="not set"):
        conn.execute("SELECT count(*) FROM note")

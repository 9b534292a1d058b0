"""The reference web application under attack: by somebody of one tenant, and by the prover through its own DSN."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from tenantry import prove
from tests import app_attacker, reference, skills_app
from tests.app_attacker import Attacker
from tests.servers import Server
from tests.skills_app import MARKER, B, Site, forget_the_tenant, rows_of

pytestmark = pytest.mark.pg(">=18")  # the application's schema needs pgvector, and nothing else differs


@pytest.fixture(scope="module")
def site(server: Server) -> Iterator[Site]:
    with skills_app.prepared(server) as site:
        with site.db.connect() as conn:
            conn.execute("INSERT INTO audit_logs (tenant_id, action) VALUES (%s, %s)", [B, MARKER])
        yield site


@pytest.fixture(scope="module")
def app(site: Site) -> Any:
    return site.app()


@pytest.fixture(scope="module")
def client(app: Any) -> Iterator[TestClient]:
    with TestClient(app, base_url="https://catalog.example") as client:
        yield client


@pytest.fixture
def attacker(site: Site, client: TestClient) -> Attacker:
    return app_attacker.prepare(site, client)


def test_the_attacks_of_the_prover_through_the_applications_dsn_hold(site: Site) -> None:
    proof = prove.prove(site.db.dsn, reference.declared(), app_dsn=site.app_dsn, now=datetime.now(UTC))
    assert [str(f) for f in proof.findings] == []
    assert proof.proven
    assert proof.role == "app_user (logged in as app_user)"


def test_a_table_that_the_application_reads_whole_is_a_breach_through_its_dsn(site: Site) -> None:
    with site.db.connect() as conn:
        conn.execute("CREATE POLICY opened ON skills FOR SELECT TO app_user USING (true)")
        try:
            proof = prove.prove(
                site.db.dsn, reference.declared(), app_dsn=site.app_dsn, now=datetime.now(UTC)
            )
        finally:
            conn.execute("DROP POLICY opened ON skills")
    assert not proof.proven
    breached = {(o.attack, o.object) for o in proof.outcomes if o.status == "breached"}
    assert ("read", "skills") in breached
    assert {name for _, name in breached} == {"skills"}


def test_somebody_of_one_tenant_gets_nothing_of_another(site: Site, app: Any, attacker: Attacker) -> None:
    before = rows_of(site.db, B)
    app_attacker.run(attacker, app, examples=6)
    assert attacker.leaks == []
    assert rows_of(site.db, B) == before
    # An attack that never gets in shows nothing.
    refused = {name for name, answers in attacker.answers.items() if min(answers) >= 400}
    assert len(attacker.answers) > 30
    assert len(refused) < 4, refused  # a guess at a link is one


def test_the_database_holds_where_every_query_forgets_its_tenant(
    site: Site, app: Any, attacker: Attacker, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_the_tenant(monkeypatch)
    before = rows_of(site.db, B)
    app_attacker.run(attacker, app, examples=2)
    assert attacker.leaks == []
    assert rows_of(site.db, B) == before


def test_a_table_without_row_level_security_and_a_query_without_its_tenant_are_seen(
    site: Site, app: Any, attacker: Attacker, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows_of(site.db, B)
    forget_the_tenant(monkeypatch)
    with site.db.connect() as conn:
        conn.execute("ALTER TABLE skills DISABLE ROW LEVEL SECURITY")
        try:
            app_attacker.run(attacker, app, 6, lambda path: path in ("/skills", "/skills/{id}/uses"))
        finally:
            conn.execute("ALTER TABLE skills ENABLE ROW LEVEL SECURITY")
    assert any("a text of B" in leak for leak in attacker.leaks)
    assert any("ids of B" in leak for leak in attacker.leaks)
    changed = {table for table, rows in rows_of(site.db, B).items() if rows != before[table]}
    assert "skills" in changed

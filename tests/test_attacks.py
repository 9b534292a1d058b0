"""Each attack: held → sabotage → breached → undone → held; and mistakes that attacks exist to find."""

from datetime import UTC, datetime

import pytest
from psycopg.conninfo import make_conninfo

from tenantry import introspect
from tenantry.attacks import ATTACKS
from tenantry.finding import Outcome, Proof
from tenantry.names import quote
from tenantry.prove import examine
from tests import isolated
from tests.servers import Database

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BY_NAME = {a.NAME: a for a in ATTACKS}


def attacked(db: Database, *, as_login: bool = False, key: str = "text") -> Proof:
    """The proof of a database as it is now."""
    with db.connect() as connection:
        catalog = introspect.read(connection)
    app_dsn = login(db) if as_login else None
    return examine(db.dsn, isolated.spec(db, key), catalog, app_dsn=app_dsn, now=NOW)


def login(db: Database) -> str:
    """The application's own DSN."""
    return make_conninfo(db.dsn, user=isolated.names(db).app)


def outcome(proof: Proof, attack: str, name: str) -> Outcome:
    (found,) = [o for o in proof.outcomes if (o.attack, o.object) == (attack, name)]
    return found


def breaches(proof: Proof) -> set[str]:
    return {f"{o.attack} {o.object}" for o in proof.outcomes if o.status == "breached"}


def run(db: Database, *statements: str) -> None:
    app, owner = (quote(name) for name in isolated.names(db))
    with db.connect() as connection:
        for statement in statements:
            connection.execute(statement.replace("{app}", app).replace("{owner}", owner).encode())


def sabotage(statements: tuple[str, ...], table: str) -> tuple[str, ...]:
    """A table isolated through another has no tenant column; there the folded tenant itself is compared."""
    tenant = "'acme'" if table == "accounts" else "tenant_id"
    return tuple(s.format(table=quote(table), tenant=tenant, setting="app.current_tenant_id") for s in statements)


@pytest.mark.parametrize("key", isolated.KEYS)
@pytest.mark.parametrize("as_login", [False, True], ids=["set_role", "login"])
def test_a_database_in_the_declared_state_holds(db: Database, key: str, as_login: bool) -> None:
    isolated.make(db, key)
    proof = attacked(db, as_login=as_login, key=key)
    assert [o for o in proof.outcomes if o.status != "held" or not o.control_fired] == []
    assert [f for f in proof.findings if f.level == "error"] == []
    assert proof.proven
    assert {o.object for o in proof.outcomes} == set(isolated.TABLES)
    assert {o.attack for o in proof.outcomes} == set(BY_NAME)


def test_one_tenant_alone_can_be_proven(db: Database) -> None:
    isolated.make(db)
    run(db, "DELETE FROM events WHERE tenant_id = 'globex'", "DELETE FROM users WHERE tenant_id = 'globex'")
    run(db, "DELETE FROM tenants WHERE id = 'globex'")
    proof = attacked(db)
    assert proof.proven, proof.outcomes
    assert "no other tenant has rows in users" in outcome(proof, "reference", "notes").detail


ON_ROWS = [(name, table) for name in BY_NAME if name not in ("reference", "trail") for table in ("notes", "events", "accounts")]
CASES = [*ON_ROWS, ("reference", "notes"), ("reference", "events"), ("trail", "audit_logs")]


@pytest.mark.parametrize(("name", "table"), CASES)
def test_sabotage_is_found_and_its_repair_too(db: Database, name: str, table: str) -> None:
    isolated.make(db)
    attack = BY_NAME[name]
    held = outcome(attacked(db), name, table)
    assert (held.status, held.control_fired) == ("held", True), held
    run(db, *sabotage(attack.SABOTAGE, table))
    found = outcome(attacked(db), name, table)
    assert (found.status, found.control_fired) == ("breached", True), found
    assert found.sql
    run(db, *sabotage(attack.REPAIR, table))
    assert outcome(attacked(db), name, table).status == "held"


def test_every_attack_has_a_sabotage_case() -> None:
    assert {name for name, _ in CASES} == set(BY_NAME)

"""Each attack: held → sabotage → breached → undone → held; and mistakes that attacks exist to find."""

from datetime import UTC, datetime

import pytest

from tenantry import introspect
from tenantry.attacks import ATTACKS, Attack
from tenantry.finding import Outcome, Proof
from tenantry.names import qualified, quote
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
    from psycopg.conninfo import make_conninfo

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


def sabotage(attack: Attack, statements: tuple[str, ...], table: str) -> tuple[str, ...]:
    columns = {"accounts": "user_id", "tenants": "id"}
    values = {
        "table": qualified(isolated.QName("public", table)),
        "tenant": quote(columns.get(table, "tenant_id")),
        "setting": "app.current_tenant_id",
    }
    return tuple(s.format(**values) for s in statements)


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


@pytest.mark.parametrize("table", ["notes", "events", "accounts", "audit_logs"])
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.NAME)
def test_sabotage_is_found_and_its_repair_too(db: Database, attack: Attack, table: str) -> None:
    isolated.make(db)
    held = [o for o in attacked(db).outcomes if (o.attack, o.object) == (attack.NAME, table)]
    if not held:
        assert (attack.NAME == "trail") != (table == "audit_logs") or attack.NAME == "reference"
        return
    assert [(o.status, o.control_fired) for o in held] == [("held", True)]
    run(db, *sabotage(attack, attack.SABOTAGE, table))
    found = outcome(attacked(db), attack.NAME, table)
    assert (found.status, found.control_fired) == ("breached", True), found
    assert found.sql
    run(db, *sabotage(attack, attack.REPAIR, table))
    assert outcome(attacked(db), attack.NAME, table).status == "held"

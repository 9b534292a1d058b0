"""Twenty-eight attacks on the trail by four roles, at three levels: each ends as the table of the page on levels says.

The levels: `plain` is what a plain trail of the plan has, `extended` has an owner apart, `guarded` event triggers too.
The roles: the application as the plan leaves it, one that somebody granted ALL, whoever owns the tables and their
schema (an extended trail has another owner), and a superuser. The control of each attack is the same statement on the
same trail with its protections off, where it must succeed.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from tenantry import cli, introspect, planner, spec
from tenantry.apply import apply
from tenantry.audit import guards
from tenantry.errors import CatalogError
from tenantry.names import QName, quote
from tests.extended import become, bind, undone
from tests.servers import Database, Server

LEVELS = ("plain", "extended", "guarded")
ROLES = ("app", "all", "owner", "superuser")
EMPTY = "CREATE TABLE copy (LIKE audit_logs INCLUDING ALL)"
SWALLOW = (
    "CREATE FUNCTION pg_temp.swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
    "CREATE TRIGGER swallow BEFORE INSERT ON audit_logs FOR EACH ROW EXECUTE FUNCTION pg_temp.swallow()"
)
NOTHING = "CREATE OR REPLACE FUNCTION prevent_audit_modification() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
REPLICA = "SET LOCAL session_replication_role = replica;"


@dataclass(frozen=True)
class Attack:
    """`statement`, and at which level each role is stopped: its word in `stops`, by role; `open` is never."""

    statement: str
    stops: str

    def stopped(self, level: str, role: str) -> bool:
        word = self.stops.split()[ROLES.index(role)]
        return word != "open" and LEVELS.index(level) >= LEVELS.index(word)


# Stopped from that level on, for: the application, GRANT ALL, the owner, a superuser.
ATTACKS: Mapping[str, Attack] = {
    "UPDATE": Attack("UPDATE audit_logs SET action = 'x'", "plain plain plain plain"),
    "UPDATE of no row": Attack("UPDATE audit_logs SET action = 'x' WHERE false", "plain plain plain plain"),
    "DELETE": Attack("DELETE FROM audit_logs", "plain plain plain plain"),
    "ON CONFLICT DO UPDATE": Attack(
        "INSERT INTO audit_logs (id, action, tenant_id) SELECT id, action, tenant_id FROM audit_logs LIMIT 1"
        " ON CONFLICT (id) DO UPDATE SET action = 'x'", "plain plain plain plain",
    ),
    "MERGE": Attack(
        "MERGE INTO audit_logs AS a USING (SELECT 1) AS s ON true WHEN MATCHED THEN UPDATE SET action = 'x'",
        "plain plain plain plain",
    ),
    "TRUNCATE": Attack("TRUNCATE audit_logs", "plain plain plain plain"),
    "replica, DELETE": Attack(REPLICA + "DELETE FROM audit_logs", "plain plain plain plain"),
    "replica, TRUNCATE": Attack(REPLICA + "TRUNCATE audit_logs", "plain plain plain plain"),
    "DISABLE TRIGGER": Attack("ALTER TABLE audit_logs DISABLE TRIGGER USER", "plain plain extended guarded"),
    "DROP TRIGGER": Attack("DROP TRIGGER no_audit_update ON audit_logs", "plain plain extended guarded"),
    "guard that does nothing": Attack(NOTHING, "plain plain extended guarded"),
    "DROP FUNCTION": Attack("DROP FUNCTION prevent_audit_modification() CASCADE", "plain plain guarded guarded"),
    "DROP TABLE": Attack("DROP TABLE audit_logs CASCADE", "plain plain guarded guarded"),
    "DROP SCHEMA": Attack("DROP SCHEMA public CASCADE", "plain plain guarded guarded"),
    "DROP COLUMN": Attack("ALTER TABLE audit_logs DROP COLUMN actor_id CASCADE", "plain plain extended guarded"),
    "SET UNLOGGED": Attack("ALTER TABLE audit_logs SET UNLOGGED", "plain plain extended guarded"),
    "rename, empty copy": Attack(EMPTY + "; ALTER TABLE audit_logs RENAME TO old; ALTER TABLE copy RENAME TO audit_logs",
                                 "plain plain extended guarded"),
    "RULE on INSERT": Attack("CREATE RULE swallow AS ON INSERT TO audit_logs DO INSTEAD NOTHING", "plain plain extended guarded"),
    "policy that hides": Attack("CREATE POLICY hide ON audit_logs AS RESTRICTIVE USING (false)", "plain plain extended guarded"),
    "OWNER TO": Attack("ALTER TABLE audit_logs OWNER TO CURRENT_USER", "plain plain extended guarded"),
    "TYPE … USING": Attack("ALTER TABLE audit_logs ALTER COLUMN action TYPE varchar USING 'x'", "plain plain extended guarded"),
    "swallowing trigger": Attack(SWALLOW, "plain guarded extended guarded"),
    "backdated INSERT": Attack("INSERT INTO audit_logs (tenant_id, action, created_at) VALUES ('acme', 'x', '2020-01-01')",
                               "extended open extended open"),
    "forged actor": Attack("INSERT INTO audit_logs (tenant_id, actor_id, action) VALUES ('acme', 'boss', 'x')",
                           "open open extended open"),
    "forged database user": Attack("INSERT INTO audit_logs (tenant_id, action, database_user) VALUES ('acme', 'x', 'boss')",
                                   "extended open extended open"),
    "LOCK TABLE": Attack("LOCK TABLE audit_logs IN ACCESS EXCLUSIVE MODE", "plain open extended open"),
    "switched off first": Attack("ALTER EVENT TRIGGER audit_guard_ddl DISABLE; ALTER TABLE audit_logs DISABLE TRIGGER USER",
                                 "plain plain plain open"),
    "UPDATE pg_trigger": Attack("UPDATE pg_trigger SET tgenabled = 'D' WHERE tgrelid = 'audit_logs'::regclass",
                                "plain plain plain open"),
}  # fmt: skip
ABSENT = {
    "plain": {"forged database user", "switched off first"},
    "extended": {"switched off first"},
    "guarded": set[str](),
}


TOML = """
[tenancy.default]
id = "acme"
name = "Acme"
slug = "acme"

[roles]
app = "{app}"
owner = "{owner}"

[audit]
{audit}

[tables.desks]
scope = "tenant"
backfill = {{ constant = "acme" }}
"""
EXTENDED = """
events = "extended"
owner = "{trail}"
reader = "{auditors}"
"""
AUDIT = {"plain": "", "extended": EXTENDED, "guarded": EXTENDED + 'ddl = "guarded"'}


@dataclass(frozen=True)
class World:
    """A converted database with a trail at a level; roles are None for who is connected."""

    db: Database
    level: str
    roles: Mapping[str, str | None]


@pytest.fixture(scope="module", params=LEVELS)
def world(request: pytest.FixtureRequest, server: Server) -> Iterator[World]:
    with server.databases() as make:
        yield build(make(), request.param)


def build(db: Database, level: str) -> World:
    names = {name: db.role(name) for name in ("app", "all", "owner", "trail", "auditors")}
    declared = spec.parse(TOML.format(**names, audit=AUDIT[level].format(**names)))
    with db.connect() as conn:
        conn.execute("CREATE TABLE desks (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY)")
        catalog = introspect.read(conn)
    apply(db.dsn, planner.plan(declared, catalog, "online"))
    owner, everything = quote(names["owner"]), quote(names["all"])
    with db.connect() as conn:
        conn.execute("INSERT INTO audit_logs (tenant_id, action) VALUES ('acme', 'before')")
        conn.execute(f"CREATE ROLE {everything}".encode())
        conn.execute(f"GRANT ALL ON audit_logs TO {everything}".encode())
        if level == "guarded":
            event_triggers(conn, "DISABLE")
        conn.execute(f"ALTER ROLE {owner} LOGIN".encode())
        conn.execute(f"ALTER SCHEMA public OWNER TO {owner}".encode())
        if level == "guarded":
            event_triggers(conn, "ENABLE ALWAYS")
        if level == "plain":  # whoever migrates usually owns what he made
            conn.execute(f"ALTER FUNCTION prevent_audit_modification() OWNER TO {owner}".encode())
    return World(
        db, level, {"app": names["app"], "all": names["all"], "owner": names["owner"], "superuser": None}
    )


def attacked(world: World, attack: Attack, role: str | None, *, unguarded: bool = False) -> bool:
    """Whether the attack went through; only a refusal counts as the contrary."""
    with undone(world.db) as conn:
        conn.execute("SET LOCAL lock_timeout = '30s'")
        if unguarded:
            unguard(conn, world.level)
        bind(conn)
        if role is not None:
            become(conn, role)
        try:
            conn.execute(attack.statement.encode())
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.RaiseException):
            return False
    return True


def unguard(conn: psycopg.Connection[Any], level: str) -> None:
    """What a superuser may always do."""
    if level == "guarded":
        event_triggers(conn, "DISABLE")
    conn.execute("ALTER TABLE audit_logs DISABLE TRIGGER USER")


def event_triggers(conn: psycopg.Connection[Any], state: str) -> None:
    for kind in ("ddl", "drop", "rewrite"):
        conn.execute(f"ALTER EVENT TRIGGER audit_guard_{kind} {state}".encode())


def test_there_are_as_many_attacks_as_said() -> None:
    assert len(ATTACKS) == 28


def test_a_partition_of_the_trail_is_guarded_where_it_is_named_directly(db: Database) -> None:
    names = {name: db.role(name) for name in ("app", "owner")}
    declared = spec.parse(TOML.format(**names, audit=""))
    with db.connect() as conn:
        conn.execute("CREATE TABLE desks (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY)")
        conn.execute(
            "CREATE TABLE audit_logs (id uuid DEFAULT gen_random_uuid(), actor_id text, tenant_id text, action text"
            " NOT NULL, resource_type text, resource_id text, ip_address text, metadata jsonb,"
            " created_at timestamptz NOT NULL DEFAULT now()) PARTITION BY RANGE (created_at)"
        )
        conn.execute("CREATE TABLE audit_logs_rest PARTITION OF audit_logs DEFAULT")
        conn.execute("INSERT INTO audit_logs (action) VALUES ('before')")
    attacks = (
        "TRUNCATE audit_logs_rest",
        "DELETE FROM audit_logs_rest WHERE false",
        "DELETE FROM audit_logs_rest",
    )
    with undone(db) as conn:
        for statement in attacks:
            conn.execute(statement.encode())  # the control
    with db.connect() as conn:
        apply(db.dsn, planner.plan(declared, introspect.read(conn), "transactional"))
        assert planner.plan(declared, introspect.read(conn), "transactional").steps == ()
        conn.execute("SET session_replication_role = replica")
        for statement in attacks:
            with pytest.raises(psycopg.errors.RaiseException, match="Direct modification"):
                conn.execute(statement.encode())


@pytest.mark.parametrize("name", list(ATTACKS))
def test_an_attack_ends_as_declared_for_each_role(world: World, name: str) -> None:
    attack = ATTACKS[name]
    if name in ABSENT[world.level]:
        pytest.skip(f"NOT TESTED HERE: a trail that is {world.level} has nothing for it")
    stopped = {role: not attacked(world, attack, login) for role, login in world.roles.items()}
    assert stopped == {role: attack.stopped(world.level, role) for role in ROLES}
    assert attacked(world, attack, None, unguarded=True), "the control must go through"


# What `tenantry audit status` says, and the attacks that it speaks of. Of LOCK TABLE and of forged actors it says nothing.
LINES = {
    "change or remove events": ("UPDATE", "UPDATE of no row", "DELETE", "ON CONFLICT DO UPDATE", "MERGE"),
    "TRUNCATE": ("TRUNCATE",),
    "the same in replication mode": ("replica, DELETE", "replica, TRUNCATE"),
    "switch guards off, rewrite or hide events": (
        "DISABLE TRIGGER", "DROP TRIGGER", "guard that does nothing", "DROP COLUMN", "SET UNLOGGED",
        "rename, empty copy", "RULE on INSERT", "policy that hides", "OWNER TO", "TYPE … USING",
    ),
    "swallow new events by a trigger": ("swallowing trigger",),
    "drop the trail or its schema": ("DROP TABLE", "DROP SCHEMA", "DROP FUNCTION"),
    "date an event back, forge its login": ("backdated INSERT",),
    "switch event triggers off first": ("switched off first", "UPDATE pg_trigger"),
}  # fmt: skip
TABLE = QName("public", "audit_logs")


def test_what_is_told_of_a_trail_is_what_attacks_show(world: World) -> None:
    with undone(world.db) as conn:
        found = guards.protection(conn, TABLE, world.roles["app"])
        shown = {
            line: tuple("blocked" if _all_stopped(world, names, role) else "open" for role in ROLES)
            for line, names in LINES.items()
        }
        assert {line.what: line.ends for line in found.lines} == shown
        assert found.missing == ()
        conn.execute("SET LOCAL session_replication_role = origin")
        if world.level == "guarded":
            event_triggers(conn, "DISABLE")
        conn.execute("ALTER TABLE audit_logs ENABLE TRIGGER no_audit_statement")
        (rests,) = guards.protection(conn, TABLE, None).missing
        assert "a guard rests in replication mode" in rests
        unguard(conn, world.level)
        off = guards.protection(conn, TABLE, None)
    assert [m.split()[3] for m in off.missing] == ["UPDATE", "DELETE", "TRUNCATE"]
    assert off.lines[0].ends == ("blocked", "open", "open", "open")
    assert off.lines[6].ends[0] == "unknown"


def _all_stopped(world: World, names: tuple[str, ...], role: str) -> bool:
    return all(ATTACKS[name].stopped(world.level, role) for name in names)


def test_the_command_tells_it(world: World) -> None:
    done = CliRunner().invoke(cli.app, ["audit", "status", "--dsn", world.db.dsn])
    assert done.exit_code == 0, done.output
    guarded = "yes" if world.level == "guarded" else "no"
    assert f"event triggers guard its definition: {guarded}" in done.stdout
    assert re.search(r"^TRUNCATE +blocked +blocked +blocked +blocked$", done.stdout, re.MULTILINE)
    with world.db.connect() as conn, pytest.raises(CatalogError, match=r"nowhere: there is no such table"):
        guards.protection(conn, QName("public", "nowhere"), None)


@pytest.mark.pg(">=17")
def test_a_superuser_switches_event_triggers_off_for_a_session(world: World) -> None:
    attack = Attack("SET LOCAL event_triggers = off; ALTER TABLE audit_logs DISABLE TRIGGER USER", "")
    found = {role: attacked(world, attack, login) for role, login in world.roles.items()}
    assert found == {"app": False, "all": False, "owner": False, "superuser": True}

"""The preflight: each check is good on a clean database, red after its sabotage, and unseen where a role may not look."""

import os
import pwd
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tenantry import embedded, introspect, planner, preflight, session, spec
from tenantry.apply import apply
from tenantry.bugs import BUGS
from tenantry.errors import ApplyError
from tenantry.plan import Backfill, Phase, Plan
from tenantry.preflight import CHECKS, Item, Preflight
from tests import runs, servers
from tests.servers import Database, Server

SCHEMA = """
CREATE TABLE teams (id serial PRIMARY KEY, customer text NOT NULL, name text UNIQUE NOT NULL);
CREATE TABLE notes (id serial PRIMARY KEY, team_id int NOT NULL REFERENCES teams, slug text UNIQUE, body text);
CREATE TABLE other (id int);
INSERT INTO teams (customer, name) VALUES ('acme', 'red'), ('globex', 'green');
INSERT INTO notes (team_id, slug, body) SELECT 1 + n % 2, n::text, repeat('x', 1000) FROM generate_series(1, 2000) n;
INSERT INTO other VALUES (1), (1);
ANALYZE
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

[tables.other]
scope = "ignored"
"""


@pytest.fixture
def db(db: Database) -> Database:
    runs.do(db, *SCHEMA)
    return db


def made(db: Database, more: str = "", toml: str = TOML) -> Plan:
    """The online plan for the database as it is."""
    declared = spec.parse(f'[roles]\napp = "{db.role("app")}"\n{more}{toml}')
    return planner.plan(declared, runs.catalog(db), "online")


def look(db: Database, plan: Plan | None = None, **overrides: Any) -> Preflight:
    dsn = psycopg.conninfo.make_conninfo(db.dsn, **overrides)
    return preflight.preflight(dsn, plan or made(db))


def found(db: Database, name: str, plan: Plan | None = None, **overrides: Any) -> list[Item]:
    """What one check says."""
    return [i for i in look(db, plan, **overrides).items if i.name == name]


def only(db: Database, name: str, plan: Plan | None = None, **overrides: Any) -> Item:
    (item,) = found(db, name, plan, **overrides)
    return item


def good(db: Database, name: str, plan: Plan | None = None, **overrides: Any) -> bool:
    return {i.level for i in found(db, name, plan, **overrides)} == {"good"}


def role(db: Database, name: str = "weak", attributes: str = "") -> str:
    runs.do(db, f"CREATE ROLE {db.role(name)} LOGIN {attributes}")
    return db.role(name)


def owned(db: Database, attributes: str = "") -> str:
    """A role that owns the database and its tables, and nothing else."""
    owner = role(db, "owner", attributes)
    runs.do(db, f'ALTER DATABASE "{db.name}" OWNER TO {owner}')
    runs.do(db, *(f"ALTER TABLE {t} OWNER TO {owner}" for t in ("teams", "notes", "other")))
    return owner


# As a whole


def test_a_clean_database_has_every_check_good(db: Database) -> None:
    levels = {i.name: i.level for i in look(db).items}
    assert list(levels) == ["version", *CHECKS, "disk"]
    assert {n: v for n, v in levels.items() if v != "good" and n != "version"} == {"disk": "unseen"}


def test_every_query_is_a_file_that_says_what_it_yields() -> None:
    files = {
        f.name.removeprefix("preflight_").removesuffix(".sql"): f.read_text()
        for f in (resources.files("tenantry") / "sql").iterdir()
        if f.name.startswith("preflight_")
    }
    assert set(files) == {*CHECKS, "tables", "theirs", "timescaledb", "citus", "pglogical"}
    for name, text in files.items():
        assert text.startswith("-- "), name
        assert "-- Yields: " in text, name
        assert "ORDER BY" in text, name


def test_every_check_and_known_bug_is_documented() -> None:
    page = (Path(__file__).parents[1] / "docs/reference/preflight.md").read_text(encoding="utf-8")
    items = page.partition("## What is looked at")[2].partition("## Known bugs")[0]
    assert re.findall(r"^\| `(\w+)` \|", items, re.MULTILINE) == ["version", *CHECKS, "disk"]
    bugs = re.findall(r"^\| (15[\d., ]+) \|", page, re.MULTILINE)
    assert bugs == [", ".join(f"{a}.{b}" for a, b in bug.fixed.items()) for bug in BUGS]


def test_it_waits_for_nobody(db: Database) -> None:
    plan = made(db)
    with runs.holding(db, "LOCK TABLE teams, notes IN ACCESS EXCLUSIVE MODE"):
        begun = time.monotonic()
        look(db, plan)
        assert time.monotonic() - begun < 5


def test_what_cannot_be_asked_is_unseen(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "load", lambda name: b"SELECT pg_catalog.pg_read_file('x')")
    with closing(db.connect(user=role(db))) as conn:
        (item,) = preflight._asked(conn, "slots", {})
    assert (item.level, item.object) == ("unseen", "slots")
    assert "permission denied" in item.message
    monkeypatch.setattr(preflight, "load", lambda name: b"SELECT pg_catalog.pg_sleep(5)")
    monkeypatch.setattr(preflight, "STATEMENT_TIMEOUT", 50)
    with closing(db.connect()) as conn:
        assert preflight._asked(conn, "slots", {})[0].level == "unseen"


# Refusing


def test_a_refusal_names_all_of_it_and_changes_nothing(db: Database) -> None:
    plan, weak, before = made(db), role(db), runs.catalog(db).digest
    told: list[Preflight] = []
    with pytest.raises(ApplyError, match="cannot begin; nothing was changed") as caught:
        apply(psycopg.conninfo.make_conninfo(db.dsn, user=weak), plan, checked=told.append)
    said = str(caught.value)
    assert caught.value.sqlstate == "42501"
    for text in (
        "teams: belongs to",
        "notes: belongs to",
        f"database {db.name}: ",
        "schema public: ",
        "CREATEROLE",
    ):
        assert text in said
    assert "run `tenantry apply` again" in said
    assert len(told) == 1
    assert runs.catalog(db).digest == before
    assert not runs.has_journal(db)
    apply(db.dsn, plan)  # nothing was lost
    assert made(db).steps == ()


def test_only_what_is_left_and_wanted_counts(db: Database) -> None:
    owner, plan = owned(db), made(db)
    dsn = psycopg.conninfo.make_conninfo(db.dsn, user=owner)
    assert apply(dsn, plan, until=Phase.BACKFILL).done > 0
    runs.do(
        db,
        "CREATE TRIGGER touched BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    )
    told: list[Preflight] = []
    with pytest.raises(ApplyError, match=r"has no CREATEROLE(.|\n)*may not|has no CREATEROLE"):
        apply(dsn, plan, checked=told.append)
    assert [i.level for i in told[0].items if i.name == "triggers"] == ["good"]  # the backfill is done


def test_warnings_do_not_stop(db: Database) -> None:
    runs.do(db, "ALTER TABLE notes SET (autovacuum_enabled = false)")
    told: list[Preflight] = []
    assert apply(db.dsn, made(db), checked=told.append).done > 0
    assert [i.object for i in told[0].at("warn") if i.name == "autovacuum"] == ["notes"]


# Server


class _Needs:
    """Stands for a plan that everything concerns."""

    isolates = parts = cuts_over = builds = True


@pytest.mark.parametrize("bug", BUGS, ids=lambda b: b.cve or b.concern)
def test_a_known_bug_is_told_up_to_the_version_that_mends_it(bug: Any) -> None:
    needs: Any = _Needs()
    for major, minor in bug.fixed.items():
        before, after = (
            [i for i in preflight._version(major * 10000 + m, needs, True) if bug.text in i.message]
            for m in (minor - 1, minor)
        )
        assert [(i.level, i.object) for i in before] == [("warn", f"PostgreSQL {major}.{minor - 1}")]
        assert f"update the server to {major}.{minor} or later" in before[0].message
        assert after == []


def test_a_known_bug_is_told_only_where_it_matters(db: Database) -> None:
    needs: Any = _Needs()
    needs.isolates = needs.parts = needs.cuts_over = needs.builds = False
    for version in (150000, 160000, 170000, 180000):
        assert [i.level for i in preflight._version(version, needs, False)] == ["good"]
    at = [i for i in look(db).items if i.name == "version"]
    plain = runs.plan(db, runs.column())
    assert [i.level for i in look(db, plain).items if i.name == "version"] == ["good"]
    major, minor = divmod(db.server_version, 10000)
    assert {i.level for i in at} == ({"warn"} if minor < BUGS[0].fixed[major] else {"good"})


def test_read_only_by_default(db: Database) -> None:
    runs.do(db, f'ALTER DATABASE "{db.name}" SET default_transaction_read_only = on')
    plan = made(db)
    item = only(db, "writable", plan)
    assert (item.level, item.object) == ("stop", f"database {db.name}")


# Rights


def test_the_owner(db: Database) -> None:
    weak, plan = role(db), made(db)
    assert [(i.level, i.object) for i in found(db, "owner", plan, user=weak)] == [
        ("stop", "notes"),
        ("stop", "teams"),
    ]
    owner = owned(db)
    assert good(db, "owner", plan, user=owner)
    runs.do(db, f"GRANT {owner} TO {weak}")
    assert good(db, "owner", plan, user=weak)


def test_what_may_be_made(db: Database) -> None:
    weak, plan = role(db), made(db)
    assert [i.object for i in found(db, "create", plan, user=weak)] == [
        f"database {db.name}",
        "schema public",
    ]
    runs.do(db, f'GRANT CREATE ON DATABASE "{db.name}" TO {weak}')
    assert only(db, "create", plan, user=weak).object == "schema public"
    runs.do(db, f"GRANT CREATE ON SCHEMA public TO {weak}")
    assert good(db, "create", plan, user=weak)


def test_roles_that_are_made(db: Database) -> None:
    owner, plan = owned(db), made(db)
    made_ = {i.object for i in found(db, "roles", plan, user=owner)}
    assert made_ == {f"role {db.role('app')}", "role tenantry_legacy"}
    runs.do(db, f"ALTER ROLE {owner} CREATEROLE")
    assert good(db, "roles", plan, user=owner)


def test_roles_that_are_granted(db: Database) -> None:
    app = role(db, "app")
    runs.do(db, f"GRANT SELECT ON notes TO {app}", "CREATE ROLE tenantry_legacy")
    owner = owned(db)
    plan = made(db)
    item = only(db, "roles", plan, user=owner)
    assert (item.level, item.object) == ("stop", "role tenantry_legacy")
    assert "WITH ADMIN OPTION" in item.message
    runs.do(db, f"GRANT tenantry_legacy TO {owner} WITH ADMIN OPTION")
    assert good(db, "roles", plan, user=owner)


def test_roles_that_get_the_tables(db: Database) -> None:
    owner, keeper = owned(db, "CREATEROLE"), db.role("keeper")
    plan = made(db, f'owner = "{keeper}"\n')
    item = only(db, "roles", plan, user=owner)
    assert (item.level, item.object) == ("stop", f"role {keeper}")
    assert f"GRANT {keeper} TO {owner}" in item.message
    runs.do(db, f"CREATE ROLE {keeper}")
    plan = made(db, f'owner = "{keeper}"\n')
    assert {i.object for i in found(db, "roles", plan, user=owner)} == {f"role {keeper}", "schema public"}
    runs.do(db, f"GRANT {keeper} TO {owner}", f"GRANT CREATE ON SCHEMA public TO {keeper}")
    assert good(db, "roles", plan, user=owner)
    assert (
        apply(psycopg.conninfo.make_conninfo(db.dsn, user=owner), plan).left == 0
    )  # and that is all it takes


def test_the_role_that_observe_mode_is_tried_as(db: Database) -> None:
    owner, app = owned(db, "CREATEROLE BYPASSRLS"), role(db, "app")
    plan = made(db)
    item = only(db, "roles", plan, user=owner)
    assert (item.level, item.object) == ("stop", f"role {app}")
    runs.do(db, f"GRANT {app} TO {owner}")
    assert good(db, "roles", plan, user=owner)


def test_rows_that_a_policy_hides(db: Database) -> None:
    owner = owned(db, "CREATEROLE")
    runs.do(db, "ALTER TABLE teams ENABLE ROW LEVEL SECURITY")
    assert good(db, "row_security", user=owner)
    runs.do(db, "ALTER TABLE teams FORCE ROW LEVEL SECURITY")
    item = only(db, "row_security", user=owner)
    assert (item.level, item.object) == ("stop", "teams")
    assert good(db, "row_security")
    runs.do(db, f"ALTER ROLE {owner} BYPASSRLS")
    assert good(db, "row_security", user=owner)


# What goes on


@pytest.mark.parametrize(
    ("policy", "words"), [("fire", "fires for every row"), ("disable", "is switched off")]
)
def test_triggers_of_a_backfill(db: Database, policy: str, words: str) -> None:
    create = "CREATE TRIGGER touched BEFORE {} ON notes FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    decided = TOML.replace('{ parent = "teams" }', f'{{ parent = "teams" }}\ntriggers = "{policy}"')
    runs.do(db, create.format("UPDATE OF slug"))
    assert good(db, "triggers", made(db, toml=decided))
    runs.do(db, "DROP TRIGGER touched ON notes", create.format("UPDATE"))
    item = only(db, "triggers", made(db, toml=decided))
    assert (item.level, item.object) == ("warn", "notes")
    assert f"trigger touched {words}" in item.message
    runs.do(db, "ALTER TABLE notes DISABLE TRIGGER touched")
    assert good(db, "triggers", made(db, toml=decided))


def test_long_transactions(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    weak, plan = role(db), made(db)
    with runs.holding(db, "SELECT 1") as conn:
        assert good(db, "long_transactions", plan)
        monkeypatch.setattr(preflight, "LONG", 0)
        item = only(db, "long_transactions", plan)
        assert (item.level, item.object) == ("warn", f"process {conn.info.backend_pid}")
        assert item.message.startswith("shop, postgres, idle in transaction: ")
        unseen = only(db, "long_transactions", plan, user=weak)
        assert (unseen.level, unseen.object) == ("unseen", "sessions of postgres")
        runs.do(db, f"GRANT pg_read_all_stats TO {weak}")
        assert only(db, "long_transactions", plan, user=weak).object == item.object


@pytest.mark.parametrize(
    ("create", "words"),
    [
        ("FOR TABLE notes", "replication stops until its subscribers have the tenant column"),
        ("FOR ALL TABLES", "replication stops until its subscribers have the tenant column"),
        ("FOR TABLE notes (id, slug)", "with a list of columns"),
        ("FOR TABLE notes WHERE (id > 5)", "Its row filter does not know the tenant"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_publications(db: Database, create: str, words: str) -> None:
    runs.do(db, "CREATE PUBLICATION away FOR TABLE other")
    assert good(db, "publications")
    runs.do(db, f"CREATE PUBLICATION news {create}")
    items = {i.object: i for i in found(db, "publications")}
    assert items["notes"].level == "warn"
    assert "published by news" in items["notes"].message
    assert words in items["notes"].message
    assert set(items) == ({"notes", "teams"} if "ALL" in create else {"notes"})


def test_subscriptions(db: Database) -> None:
    subscribe = "CREATE SUBSCRIPTION inbox CONNECTION 'dbname=x' PUBLICATION news WITH (connect = false, slot_name = NONE)"
    runs.do(db, subscribe)
    try:
        assert good(db, "subscriptions")
        with closing(db.connect()) as conn:
            conn.execute("SET allow_system_table_mods = on")
            conn.execute(
                "INSERT INTO pg_subscription_rel SELECT oid, 'notes'::regclass, 'r', NULL FROM pg_subscription"
                " WHERE subname = 'inbox' AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        item = only(db, "subscriptions")
        assert (item.level, item.object) == ("warn", "notes")
        assert "subscription inbox" in item.message
    finally:
        runs.do(db, "DROP SUBSCRIPTION inbox")


def test_autovacuum_that_is_off(db: Database) -> None:
    runs.do(db, "ALTER TABLE other SET (autovacuum_enabled = false)")
    assert good(db, "autovacuum")
    runs.do(db, "ALTER TABLE notes SET (autovacuum_enabled = false)")
    item = only(db, "autovacuum")
    assert (item.level, item.object) == ("warn", "notes")


def test_a_vacuum_that_may_not_be_looked_at(db: Database) -> None:
    weak, plan = role(db), made(db)
    with runs.holding(db, "LOCK TABLE notes IN SHARE UPDATE EXCLUSIVE MODE"):
        assert good(db, "autovacuum", plan)  # whoever it is, it is no autovacuum
        item = only(db, "autovacuum", plan, user=weak)
        assert (item.level, item.object) == ("unseen", "notes")


def test_event_triggers(db: Database) -> None:
    runs.do(
        db,
        "CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
        "CREATE EVENT TRIGGER away ON ddl_command_end WHEN TAG IN ('CREATE DOMAIN') EXECUTE FUNCTION note()",
        "CREATE EVENT TRIGGER rewrites ON table_rewrite EXECUTE FUNCTION note()",
    )
    assert good(db, "event_triggers")
    runs.do(
        db,
        "CREATE EVENT TRIGGER near ON ddl_command_start WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION note()",
    )
    item = only(db, "event_triggers")
    assert (item.level, item.object) == ("warn", "event trigger near")
    assert "(ALTER TABLE)" in item.message
    runs.do(db, "ALTER EVENT TRIGGER near DISABLE")
    assert good(db, "event_triggers")
    runs.do(db, "CREATE EVENT TRIGGER far ON sql_drop EXECUTE FUNCTION note()")
    assert only(db, "event_triggers").object == "event trigger far"


def test_a_trigger_of_an_extension(db: Database) -> None:
    runs.do(db, "CREATE EXTENSION tcn")
    assert good(db, "extensions")
    runs.do(
        db,
        "CREATE TRIGGER told AFTER INSERT ON notes FOR EACH ROW EXECUTE FUNCTION triggered_change_notification()",
    )
    item = only(db, "extensions")
    assert (item.level, item.object) == ("warn", "notes")
    assert "extension tcn" in item.message


# Catalogs as those extensions keep them; the extensions themselves are not on the test servers.
TAKEN = {
    "timescaledb": (
        "CREATE SCHEMA _timescaledb_catalog",
        "CREATE TABLE _timescaledb_catalog.hypertable (schema_name name, table_name name)",
        "INSERT INTO _timescaledb_catalog.hypertable VALUES ('public', '{}')",
    ),
    "citus": (
        "SET allow_system_table_mods = on",
        "CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass)",
        "INSERT INTO pg_catalog.pg_dist_partition VALUES ('{}')",
    ),
    "pglogical": (
        "CREATE SCHEMA pglogical",
        "CREATE TABLE pglogical.replication_set_table (set_reloid regclass)",
        "INSERT INTO pglogical.replication_set_table VALUES ('{}')",
    ),
    "pg_partman": (
        'CREATE SCHEMA "Part man"',
        'CREATE TABLE "Part man".part_config (parent_table text)',
        "INSERT INTO \"Part man\".part_config VALUES ('public.{}')",
    ),
}  # fmt: skip


@pytest.mark.parametrize("extension", TAKEN)
def test_a_table_that_an_extension_manages(db: Database, extension: str) -> None:
    weak, plan = role(db), made(db)
    with closing(db.connect()) as conn:
        for statement in TAKEN[extension]:
            conn.execute(statement.format("other").encode())
        assert good(db, "extensions", plan)
        conn.execute(TAKEN[extension][-1].format("notes").encode())
    item = only(db, "extensions", plan)
    assert (item.level, item.object) == ("warn", "notes")
    assert f"extension {extension}," in item.message
    unseen = only(db, "extensions", plan, user=weak)
    assert (unseen.level, unseen.object) == ("unseen", f"extension {extension}")


def test_invalid_indexes(db: Database) -> None:
    runs.do(db, "UPDATE notes SET body = 'same'")
    built = next(s.apply[0].split('"')[1] for s in made(db) if s.id.endswith(".build") and "notes" in s.id)

    def breaks_off(name: str) -> None:
        with pytest.raises(psycopg.errors.UniqueViolation):
            runs.do(db, f'CREATE UNIQUE INDEX CONCURRENTLY "{name}" ON notes (body)')

    plan = made(db)
    breaks_off(built)
    assert good(db, "invalid_indexes", plan)  # the plan removes it
    breaks_off("left_behind")
    item = only(db, "invalid_indexes", plan)
    assert (item.level, item.object) == ("warn", "left_behind")
    runs.do(db, "DROP INDEX left_behind")
    assert good(db, "invalid_indexes", plan)


def test_more_wal_than_checkpoints_like(db: Database) -> None:
    plan = made(db)
    assert good(db, "wal", plan)
    big = [replace(s, rows=10**9) if isinstance(s, Backfill) else s for s in plan]
    item = only(db, "wal", replace(plan, steps=tuple(big)))
    assert (item.level, item.object) == ("warn", "max_wal_size")
    assert "1118 GB" in item.message


def test_the_disk_is_never_seen(db: Database) -> None:
    item = only(db, "disk")
    assert item.level == "unseen"
    assert "df" in item.message


# On a server of its own


SETTINGS = {
    "wal_level": "logical",
    "max_connections": "16",
    "max_prepared_transactions": "4",
    "max_locks_per_transaction": "10",
    "autovacuum_naptime": "1s",
}


@pytest.fixture(scope="module")
def lab() -> Iterator[embedded.Cluster]:
    with embedded.cluster(servers.binaries(), settings=servers.SETTINGS | SETTINGS) as cluster:
        yield cluster


@pytest.fixture
def own(lab: embedded.Cluster, server: Server) -> Iterator[Database]:
    """A database on a server whose settings may be changed."""
    with Server(lab.dsn, server.version, private=True, binaries=lab.binaries).databases() as make:
        database = make()
        runs.do(database, *SCHEMA)
        yield database


def test_prepared_transactions(own: Database) -> None:
    plan = made(own)
    assert good(own, "prepared_transactions", plan)
    with closing(own.connect()) as conn:
        for name, table in (("near", "notes"), ("away", "other")):
            conn.execute("BEGIN")
            conn.execute(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE".encode())
            conn.execute(f"PREPARE TRANSACTION '{name}'".encode())
    try:
        away, near = found(own, "prepared_transactions", plan)
        assert (away.level, away.object) == ("warn", "prepared transaction away")
        assert (near.level, near.object) == ("stop", "prepared transaction near")
        assert "holds locks on public.notes" in near.message
        assert "ROLLBACK PREPARED 'near'" in near.message
    finally:
        runs.do(own, "ROLLBACK PREPARED 'near'", "ROLLBACK PREPARED 'away'")
    assert good(own, "prepared_transactions", plan)


def test_slots_that_nobody_reads(own: Database) -> None:
    plan = made(own)
    runs.do(own, "SELECT pg_create_physical_replication_slot('empty')")
    try:
        assert good(own, "slots", plan)  # it keeps nothing
        runs.do(own, "SELECT pg_create_physical_replication_slot('kept', true)")
        item = only(own, "slots", plan)
        assert (item.level, item.object) == ("warn", "replication slot kept")
        assert "inactive, keeps" in item.message
        runs.do(own, "ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'", "SELECT pg_reload_conf()")
        big = replace(
            plan, steps=tuple(replace(s, rows=10**5) if isinstance(s, Backfill) else s for s in plan)
        )
        runs.until(lambda: not good(own, "wal", big))
        assert only(own, "wal", big).object == "max_slot_wal_keep_size"
        small = replace(plan, steps=tuple(replace(s, rows=1) for s in plan))
        assert good(own, "wal", small)
    finally:
        runs.do(own, "ALTER SYSTEM RESET max_slot_wal_keep_size", "SELECT pg_reload_conf()")
        runs.do(own, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
    assert good(own, "slots", plan)


def test_more_tables_than_locks(own: Database) -> None:
    def cut(count: int) -> Item:
        step = replace(runs.FORCE, tables=tuple(introspect_names(own)[:count]), phase=Phase.CUTOVER)
        return only(own, "locks", runs.plan(own, step))

    with closing(own.connect()) as conn:
        for n in range(210):
            conn.execute(f"CREATE TABLE many_{n} ()".encode())
    assert cut(10).level == "good"
    assert cut(11).level == "warn"
    assert "raise it to at least 11" in cut(11).message
    assert cut(200).level == "warn"
    assert cut(201).level == "stop"


def introspect_names(db: Database) -> list[Any]:
    with closing(db.connect()) as conn:
        return [t.qname for t in introspect.read(conn).tables]


def test_an_old_table_and_the_autovacuum_that_gives_way_to_nobody(own: Database) -> None:
    burn = """DO $$ BEGIN FOR n IN 1..{} LOOP
        BEGIN INSERT INTO other VALUES (n); RAISE EXCEPTION ''; EXCEPTION WHEN raise_exception THEN END;
        END LOOP; END $$"""
    plan = made(own)
    assert good(own, "wraparound", plan)
    slow = "autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1"
    runs.do(
        own,
        f"ALTER TABLE notes SET ({slow}, autovacuum_vacuum_threshold = 1)",
        "DELETE FROM notes WHERE id % 2 = 0",
    )
    runs.until(lambda: any("gives way" in i.message for i in found(own, "autovacuum", plan)), 30)
    assert good(own, "autovacuum", plan)  # an ordinary one
    off = "autovacuum_enabled = false, autovacuum_freeze_max_age = 100000"  # what prevents wraparound comes all the same
    runs.do(own, f"ALTER TABLE notes SET ({off})", burn.format(92_000))
    item = only(own, "wraparound", plan)
    assert (item.level, item.object) == ("warn", "notes")
    assert {i.level for i in found(own, "autovacuum", plan)} == {"warn"}
    runs.do(own, burn.format(10_000))
    runs.until(lambda: any(i.level == "stop" for i in found(own, "autovacuum", plan)), 60)
    (item,) = [i for i in found(own, "autovacuum", plan) if i.level == "stop"]
    assert item.object == "notes"
    assert "to prevent wraparound" in item.message
    assert "unseen" in {i.level for i in found(own, "autovacuum", plan, user=role(own))}


def test_an_archiver_that_fails(own: Database) -> None:
    """Only the setting would need a restart: the view is made to say what it says then."""
    plan = made(own)
    query = session.load("preflight_wal").decode()
    failing = query.replace("FROM pg_catalog.pg_stat_archiver AS a", (
        "FROM (SELECT 3::int8 AS failed_count, 'W' AS last_failed_wal, '2026-01-02 03:04'::timestamptz AS last_failed_time,"
        " '2026-01-01'::timestamptz AS last_archived_time) AS a"
    )).replace("current_setting('archive_mode')", "lower('ON')")  # fmt: skip
    assert failing != query
    for text, level in ((query, "good"), (failing, "warn")):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                preflight, "load", lambda n, t=text: t.encode() if n == "preflight_wal" else session.load(n)
            )
            item = only(own, "wal", plan)
        assert item.level == level
    assert "failed 3 times, last at 2026-01-02" in item.message


@contextmanager
def standby(of: embedded.Cluster) -> Iterator[str]:
    """A standby of a server; its DSN."""
    account = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
    as_: dict[str, Any] = (
        {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
    )
    with tempfile.TemporaryDirectory(prefix="standby-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        if account:
            os.chown(home, account.pw_uid, account.pw_gid)
        quiet: dict[str, Any] = {
            "stdout": subprocess.DEVNULL,
            "stderr": subprocess.DEVNULL,
            "cwd": home,
            **as_,
        }
        copy = [
            str(of.binaries / "pg_basebackup"),
            "-D",
            str(home / "data"),
            "-d",
            of.dsn,
            "-R",
            "-c",
            "fast",
        ]
        subprocess.run(copy, check=True, **quiet)
        settings = [f"{k}={v}" for k, v in (servers.SETTINGS | SETTINGS).items()]
        settings += ["port=5433", "listen_addresses=", f"unix_socket_directories={home}"]
        settings += [
            f"primary_conninfo={of.dsn}"
        ]  # a newer pg_basebackup writes words an older server does not know
        words = [word for setting in settings for word in ("-c", setting)]
        with subprocess.Popen([of.binaries / "postgres", "-D", home / "data", *words], **quiet) as process:
            try:
                dsn = psycopg.conninfo.make_conninfo(of.dsn, host=str(home), port=5433)
                runs.until(lambda: _answers(dsn), 30)
                yield dsn
            finally:
                process.terminate()


def _answers(dsn: str) -> bool:
    try:
        psycopg.connect(dsn).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_standby(own: Database, lab: embedded.Cluster) -> None:
    plan, weak = made(own), role(own)
    with standby(lab) as dsn:
        there = psycopg.conninfo.make_conninfo(dsn, dbname=own.name)
        runs.until(
            lambda: runs.query(own, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == 1
        )
        runs.until(lambda: good(own, "standbys", plan), 30)
        (item,) = [i for i in preflight.preflight(there, plan).items if i.name == "writable"]
        assert (item.level, item.object) == ("stop", "server")
        assert only(own, "standbys", plan, user=weak).level == "unseen"
        with psycopg.connect(there, autocommit=True) as conn:
            conn.execute("SELECT pg_wal_replay_pause()")
        runs.do(own, "CREATE TABLE big AS SELECT repeat(n::text, 200) FROM generate_series(1, 30000) n")
        runs.until(lambda: not good(own, "standbys", plan), 30)
        item = only(own, "standbys", plan)
        assert (item.level, item.object) == ("warn", "standby walreceiver")
        assert "behind" in item.message
        runs.do(own, "DROP TABLE big")

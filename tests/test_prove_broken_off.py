"""A proof that is killed in the middle leaves nothing behind; what it cannot look at is an error, and it goes on."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from tenantry import introspect
from tenantry.attacks import worlds
from tenantry.attacks.lab import How
from tenantry.errors import CatalogError
from tenantry.finding import Outcome, Proof
from tenantry.names import QName
from tenantry.prove import examine, outcomes, prove
from tests import isolated
from tests.isolated import run
from tests.servers import Database

pytestmark = pytest.mark.usefixtures("sound_server")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
FULL = How("full")

# One of the functions that an attack calls takes its time once rows are deleted.
WAITS = """
CREATE FUNCTION waits() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS
$$ BEGIN IF (SELECT count(*) FROM notes) < 3 THEN PERFORM pg_sleep(50); END IF; RETURN ''; END $$
"""
STATE = """
SELECT concat('role ', rolname, rolsuper, rolcanlogin, rolconfig) FROM pg_roles
UNION ALL SELECT concat('database ', datname) FROM pg_database
UNION ALL SELECT concat('prepared ', gid) FROM pg_prepared_xacts
UNION ALL SELECT concat('slot ', slot_name) FROM pg_replication_slots
UNION ALL SELECT concat('relation ', oid::regclass, relrowsecurity, relacl) FROM pg_class
UNION ALL SELECT concat('trigger ', tgrelid::regclass, tgname, tgenabled) FROM pg_trigger
UNION ALL SELECT concat('policy ', polrelid::regclass, polname) FROM pg_policy
UNION ALL SELECT concat('large object ', oid) FROM pg_largeobject_metadata
UNION ALL SELECT concat('sequence ', last_value, is_called) FROM notes_id_seq
UNION ALL SELECT concat('event ', ctid, t) FROM events AS t
UNION ALL SELECT concat('note ', ctid, t) FROM notes AS t
UNION ALL SELECT concat('user ', ctid, t) FROM users AS t
ORDER BY 1
"""
OURS = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND application_name LIKE 'tenantry%%'"


def state(db: Database) -> list[str]:
    with db.connect() as connection:
        return [line for (line,) in connection.execute(STATE.encode())]


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory for temporary files, which the user of a root's server may enter."""
    with tempfile.TemporaryDirectory(prefix="t-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def started(db: Database, place: Path, *options: str) -> subprocess.Popen[bytes]:
    """`tenantry prove` in a process of its own, with its temporary files in ``place``."""
    app, owner = isolated.names(db)
    tables = "".join(
        f'[tables.{t}]\nscope = "tenant"\nprimary_key = "global"\n' for t in ("users", "notes", "events")
    )
    spec = place / "tenantry.toml"
    spec.write_text(
        f'[roles]\napp = "{app}"\nowner = "{owner}"\n[audit]\n{tables}[tables.countries]\nscope = "shared"\n'
        '[tables.accounts]\nscope = "through"\nparent = "users"\n'
    )
    command = [
        sys.executable,
        "-c",
        "from tenantry.cli import main; main()",
        "prove",
        "--dsn",
        db.dsn,
        "--spec",
        str(spec),
        *options,
    ]
    files = place / "files"
    files.mkdir(mode=0o755)
    return subprocess.Popen(command, env=os.environ | {"TMPDIR": str(files)}, stdout=subprocess.DEVNULL)


def kill(process: subprocess.Popen[bytes]) -> None:
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_killed_while_rows_are_deleted(db: Database, place: Path) -> None:
    isolated.make(db)
    run(db, WAITS)
    before = state(db)
    with db.connect() as other:
        process = started(db, place, "--full")
        sleeps = b"SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
        try:
            assert eventually(lambda: other.execute(sleeps).fetchone() == (True,))
        finally:
            kill(process)
        # Nobody waits for the statement's end: the server sees that its client is gone, and rolls back.
        assert eventually(lambda: other.execute(OURS, (db.name,)).fetchone() == (0,))
    assert state(db) == before
    assert list((place / "files").iterdir()) == []


def test_killed_in_the_lab(db: Database, place: Path) -> None:
    isolated.make(db)
    before = state(db)
    process = started(db, place, "--lab")
    files = place / "files"
    try:
        assert eventually(lambda: any(files.glob("*/.s.PGSQL.*")))
    finally:
        kill(process)
    assert eventually(lambda: not any(files.iterdir()))
    with db.connect() as other:
        assert eventually(lambda: other.execute(OURS, (db.name,)).fetchone() == (0,))
    assert state(db) == before


def examined(db: Database, *statements: str, how: How = FULL, dsn: str = "") -> Proof:
    """The proof after some statements that came once the catalog was read."""
    with db.connect() as connection:
        catalog = introspect.read(connection)
    run(db, *statements)
    return examine(dsn or db.dsn, isolated.spec(db), catalog, how=how, now=NOW)


def only(proof: Proof, *objects: str) -> list[Outcome]:
    """The outcomes that are no answer; the proof must be none, of these objects alone, and all others must hold."""
    assert not proof.proven
    odd = [o for o in proof.outcomes if o.status != "held" and not (o.status == "skipped" and o.detail)]
    assert {o.object for o in odd} == set(objects), odd
    assert {o.status for o in odd} == {"error"}, odd
    assert {"users", "accounts"} - set(objects) <= {o.object for o in proof.outcomes if o.status == "held"}
    return odd


def test_a_table_dropped_in_the_middle(db: Database) -> None:
    isolated.make(db)
    gone = ("events", "events_early", "events_late")
    # Of a table that every tenant reads it is not known whether it shows rows that could not be taken away.
    found = only(examined(db, "DROP TABLE events"), *gone, "countries")
    assert all("42P01" in o.detail for o in found)


def test_a_view_dropped_in_the_middle(db: Database) -> None:
    isolated.make(db)
    run(
        db, "CREATE VIEW seen WITH (security_invoker) AS SELECT * FROM notes", "GRANT SELECT ON seen TO {app}"
    )
    assert examined(db, "DROP VIEW seen").proven


def test_a_table_that_somebody_locks(db: Database) -> None:
    spec = isolated.make(db)
    with db.connect() as connection:
        catalog = introspect.read(connection)
    with db.connect(autocommit=False) as other:
        other.execute("LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE")
        proof = examine(db.dsn, spec, catalog, now=NOW)
        assert {o.detail[:21] for o in only(proof, "accounts")} == {"could not look: 55P03"}
        assert [f.check for f in proof.findings if f.level == "error"] in ([], ["check-failed"])
        with pytest.raises(CatalogError, match=r"lock timeout; .* wait for the DDL that is running"):
            prove(db.dsn, spec, now=NOW)


def test_rows_that_cannot_be_taken_away(db: Database) -> None:
    spec = isolated.make(db)
    with db.connect() as connection:
        catalog = introspect.read(connection)
    with db.connect(autocommit=False) as other:
        other.execute("LOCK TABLE accounts IN SHARE MODE")
        tried = outcomes(db.dsn, spec, catalog, frozenset(), how=FULL, doors=frozenset({"worlds"}))
    found = {o.object: o for o in tried}
    assert found["accounts"].status == "error"
    assert found["accounts"].detail.startswith(
        "could not look: rows of another tenant could not be taken away from accounts: 55P03"
    )
    assert found["users"].status == "held"


BROKEN = {
    "when it runs": ("VOLATILE", "raises(title)", "BEGIN RAISE EXCEPTION 'no'; END", "P0001"),
    "when it is planned": ("IMMUTABLE", "raises('x')", "BEGIN RAISE EXCEPTION 'no'; END", "P0001"),
    "without an end": ("VOLATILE", "raises(title)", "BEGIN RETURN raises(x); END", "54001"),
    "and its session with it": ("VOLATILE", "raises(title)", "BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN x; END", "57P01"),
}  # fmt: skip


@pytest.mark.parametrize("way", BROKEN)
def test_a_view_whose_function_fails(db: Database, way: str) -> None:
    volatility, call, body, code = BROKEN[way]
    isolated.make(db)
    run(
        db,
        f"CREATE FUNCTION raises(x text) RETURNS text LANGUAGE plpgsql {volatility} AS $$ {body} $$",
        f"CREATE VIEW broken WITH (security_invoker) AS SELECT {call} FROM notes",
        "GRANT SELECT ON broken TO {app}",
    )
    for how in (How(), FULL) if way == "when it runs" else (FULL,):
        proof = examined(db, how=how)
        found = [o for o in proof.outcomes if o.status == "error"]
        assert {o.object for o in found} - {"raises(text)"} == {"broken"}
        assert any(code in o.detail for o in found if o.object == "broken"), found
        assert {o.status for o in proof.outcomes if o.object in isolated.TABLES} == {
            "held",
            "skipped",
        }  # no events yet
        assert not proof.proven


ODD = """
CREATE EXTENSION hstore;
CREATE EXTENSION cube;
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN pairs AS pair CHECK ((VALUE).a > 0);
CREATE TABLE odd (id int PRIMARY KEY, p pair NOT NULL, d pairs, w point, r int4range[], h hstore NOT NULL, c cube, tenant_id text NOT NULL
    REFERENCES tenants);
INSERT INTO odd VALUES (1, (1, 'a'), (1, 'b'), '(1,2)', '{"[1,2)"}', 'a=>1', '(1,2)', 'acme'), (2, (1, 'a'), NULL, NULL, NULL, '', NULL, 'globex');
CREATE POLICY tenant_isolation ON odd USING (tenant_id = current_setting('app.current_tenant_id', true));
ALTER TABLE odd ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY, OWNER TO {owner};
GRANT SELECT, INSERT, UPDATE, DELETE ON odd TO {app}
"""


def test_columns_of_types_that_it_does_not_know(db: Database) -> None:
    isolated.make(db)
    run(db, *ODD.split(";\n"))
    spec = isolated.spec(db)
    tables = {**spec.tables, QName("public", "odd"): spec.tables[QName("public", "notes")]}
    with db.connect() as connection:
        catalog = introspect.read(connection)
    for how in (How(), FULL):
        proof = examine(db.dsn, spec.model_copy(update={"tables": tables}), catalog, how=how, now=NOW)
        mine = [o for o in proof.outcomes if o.object == "odd"]
        assert {o.status for o in mine} <= {"held", "skipped"}, mine
        assert {"read", "update", "insert"} <= {o.attack for o in mine if o.status == "held"}


def test_an_administrator_who_may_not_take_rows_away(db: Database) -> None:
    """What differs then is no breach: the transaction failed, and nothing was taken away."""
    spec = isolated.make(db)
    dsn = administrator(db)
    with db.connect() as connection:
        catalog = introspect.read(connection)
    tried = outcomes(dsn, spec, catalog, frozenset(), how=FULL, doors=frozenset({"worlds"}))
    assert {o.status for o in tried} == {"error"}
    assert all("could not be taken away" in o.detail and "42501" in o.detail for o in tried)


def test_a_view_that_is_slow_only_afterwards_is_no_breach(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    isolated.make(db)
    run(db, WAITS)
    monkeypatch.setattr(worlds, "_PATIENCE", {"statement_timeout": "300ms"})
    spec = isolated.spec(db)
    with db.connect() as connection:
        catalog = introspect.read(connection)
    tried = outcomes(db.dsn, spec, catalog, frozenset(), how=FULL, doors=frozenset({"worlds"}))
    assert {o.object for o in tried if o.status == "error"} == {"waits()"}
    assert any("57014" in o.detail for o in tried)


def administrator(db: Database) -> str:
    """The DSN of one who is no superuser."""
    inherit = " WITH INHERIT FALSE" if db.server_version >= 160000 else ""
    run(
        db,
        "CREATE ROLE {app}_dba LOGIN BYPASSRLS NOINHERIT",
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO {app}_dba",
        f"GRANT {{owner}}, {{app}} TO {{app}}_dba{inherit}",
    )
    return make_conninfo(db.dsn, user=f"{isolated.names(db).app}_dba")


def test_a_privilege_that_was_revoked(db: Database) -> None:
    isolated.make(db)
    dsn = administrator(db)
    proof = examined(db, "REVOKE ALL ON accounts FROM {app}_dba", how=How(), dsn=dsn)
    found = only(proof, "accounts")
    assert any("42501" in o.detail for o in found)

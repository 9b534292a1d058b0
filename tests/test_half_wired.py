"""An application that sets its tenant for some of its statements: observe mode finds the others, and only those."""

from typing import Any

import psycopg
import pytest

from tenantry import planner, spec
from tenantry.apply import apply
from tenantry.observe import observe
from tenantry.plan import Phase
from tests import reference
from tests.servers import Database

SPEC = """
[tenancy.default]
id = "first"
name = "First"
slug = "first"
[roles]
app = "{app}"
[tables.note]
scope = "tenant"
backfill = {{ constant = "first" }}
[tables.tag]
scope = "shared"
"""
# What the application does: the statement as it sends it, and as it is recorded.
WORK = {
    "look-up": ("SELECT body FROM note WHERE id = 1", "SELECT body FROM note WHERE id = ?"),
    "list of keys": ("SELECT id FROM note WHERE id IN (1, 2, 3)", "SELECT id FROM note WHERE id IN (?)"),
    "escaped text": (r"SELECT id FROM note WHERE body <> E'not\'s'", "SELECT id FROM note WHERE body <> ?"),
    "prepared": ("SELECT body, id FROM note WHERE id = %s", "SELECT body, id FROM note WHERE id = ?"),
    "locking": ("SELECT id FROM note FOR UPDATE", None),
    "insert": ("INSERT INTO note (body) VALUES ('a'), ('b')", "INSERT INTO note (body) VALUES (?), (?)"),
    "upsert": (
        "INSERT INTO note (id, body) OVERRIDING SYSTEM VALUE VALUES (1, 'x') ON CONFLICT (id) DO NOTHING",
        "INSERT INTO note (id, body) OVERRIDING SYSTEM VALUE VALUES (?) ON CONFLICT (id) DO NOTHING",
    ),
    "merge": (
        "MERGE INTO note n USING tag t ON t.id = n.tag_id WHEN MATCHED THEN UPDATE SET body = t.name",
        None,
    ),
    "update without where": ("UPDATE note SET body = body", None),
    "delete in a query": (
        "WITH d AS (DELETE FROM note WHERE id = 9 RETURNING id) SELECT FROM d",
        "WITH d AS (DELETE FROM note WHERE id = ? RETURNING id) SELECT FROM d",
    ),
    "join with a shared table": ("SELECT t.name FROM note n JOIN tag t ON t.id = n.tag_id", None),
    "view": ("SELECT count(*) FROM tagged", None),
    "function": ("SELECT notes()", None),
    "block": ("DO $$ BEGIN PERFORM FROM note; END $$", None),
    "copy": ("COPY note (body) TO STDOUT", None),
    "copy of a query": ("COPY (SELECT id FROM note) TO STDOUT", None),
    "report": ("SELECT count(*) FROM note n WHERE EXISTS (SELECT FROM note o WHERE o.id < n.id)", None),
    "shared table alone": ("SELECT name FROM tag", None),
    "delete without where": ("DELETE FROM note", None),
}


@pytest.fixture
def old(db: Database) -> str:
    """The login of the application."""
    return db.role("old")


@pytest.fixture
def application(db: Database, old: str) -> psycopg.Connection[Any]:
    """Its connection, to a database in observe mode with a view, a function and a shared table."""
    owner = db.role("owner")
    with db.connect() as conn:
        for statement in (
            "CREATE TABLE tag (id int PRIMARY KEY, name text)",
            "CREATE TABLE note (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, body text, tag_id int DEFAULT 1 REFERENCES tag)",
            "INSERT INTO tag VALUES (1, 'red')",
            "INSERT INTO note (body) SELECT 'n' || i FROM generate_series(1, 9) i",
            "CREATE VIEW tagged AS SELECT n.body, t.name FROM note n JOIN tag t ON t.id = n.tag_id",
            "CREATE FUNCTION notes() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM note'",
            f"CREATE ROLE {old} LOGIN",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON note, tag, tagged TO {old}",
            # Policies do not bind the superuser, nor whoever reads through a view of his.
            f"CREATE ROLE {owner}",
            *(f"ALTER TABLE {name} OWNER TO {owner}" for name in ("note", "tag", "tagged")),
        ):
            conn.execute(statement.encode())
    plan = planner.plan(spec.parse(SPEC.format(app=db.role("app"))), reference.catalog(db), "online")
    apply(db.dsn, plan, until=Phase.OBSERVE)
    return db.connect(user=old)


def work(conn: psycopg.Connection[Any], name: str) -> None:
    statement = WORK[name][0].encode()
    if statement.startswith(b"COPY"):
        with conn.cursor().copy(statement) as copy:
            assert b"".join(copy)
    else:
        conn.execute(statement, [1] if b"%s" in statement else None)


def as_recorded(names: list[str]) -> set[str]:
    return {WORK[name][1] or WORK[name][0] for name in names if name != "shared table alone"}


@pytest.mark.parametrize("wired", ["nothing", "every second", "the others", "everything"])
def test_each_statement_without_a_tenant_is_found_and_no_other(
    db: Database, application: psycopg.Connection[Any], wired: str
) -> None:
    names = list(WORK)
    scoped = {
        "nothing": [], "every second": names[::2], "the others": names[1::2], "everything": names
    }[wired]  # fmt: skip
    with application as conn:
        for name in names:
            with conn.transaction():
                if name in scoped:  # as an application that shares its connections sets it
                    conn.execute("SELECT set_config('app.current_tenant_id', 'first', true)")
                work(conn, name)
    found = observe(db.dsn).observations
    assert {o.statement for o in found} == as_recorded([name for name in names if name not in scoped])
    assert {o.relation for o in found} <= {"note"}


def test_a_background_job_is_told_from_the_application(
    db: Database, old: str, application: psycopg.Connection[Any]
) -> None:
    with application as conn, db.connect(user=old, application_name="nightly") as job:
        conn.execute("SELECT set_config('app.current_tenant_id', 'first', false)")
        for name in ("look-up", "report"):
            work(conn, name)
            work(job, name)
    found = observe(db.dsn).observations
    assert {(o.application, o.statement) for o in found} == {
        ("nightly", statement) for statement in as_recorded(["look-up", "report"])
    }


def test_rows_of_another_tenant_are_met_by_a_tenant_too(
    db: Database, application: psycopg.Connection[Any]
) -> None:
    with application as conn:
        conn.execute("SELECT set_config('app.current_tenant_id', 'second', false)")
        work(conn, "look-up")
    assert {o.statement for o in observe(db.dsn).observations} == as_recorded(["look-up"])


def test_copy_into_a_table_is_refused_by_the_server_as_soon_as_policies_are_there(
    application: psycopg.Connection[Any],
) -> None:
    with (
        application as conn,
        pytest.raises(psycopg.errors.FeatureNotSupported, match="row-level security"),
        conn.cursor().copy("COPY note (body) FROM STDIN") as copy,
    ):
        copy.write("ten\n")

"""The reference application's trail over the years: one person is forgotten, one month goes, and what remains verifies."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import IsolationLevel
from psycopg.conninfo import make_conninfo
from typer.testing import CliRunner, Result

from tenantry import cli
from tenantry.apply import apply
from tenantry.audit import anchors, archive, partitions, record
from tenantry.audit.source import Live, begin
from tenantry.audit.verify import Report, verify
from tenantry.runtime import tenant
from tenantry.runtime.psycopg import Connection
from tests import reference, trail
from tests.servers import Database
from tests.trail import TABLE, Trail

# As it is before the conversion where months are to be retired; the conversion adds the rest to every partition.
MONTHLY = """
CREATE SEQUENCE audit_logs_seq;
CREATE TABLE audit_logs (
    id uuid NOT NULL DEFAULT gen_random_uuid(), actor_id text, tenant_id text, action text NOT NULL,
    resource_type text, resource_id text, ip_address text, metadata jsonb,
    created_at timestamptz NOT NULL DEFAULT now(), seq bigint NOT NULL DEFAULT nextval('audit_logs_seq'),
    PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
ALTER SEQUENCE audit_logs_seq OWNED BY audit_logs.seq;
CREATE TABLE audit_logs_2024_01 PARTITION OF audit_logs FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
"""
OLD = """
INSERT INTO audit_logs (tenant_id, actor_id, action, resource_type, resource_id, created_at)
SELECT %s, 'u1', 'skill.create', 'skills', n, '2024-01-15 12:00Z' FROM generate_series(1, 7) AS n
"""


def converted(db: Database, directory: Path) -> Trail:
    """The reference application over such a trail, with seven events of January 2024 and some of now."""
    reference.load(db, scale=0.01)
    with closing(db.connect()) as conn:
        conn.execute(MONTHLY.encode())
        partitions.ahead(conn, TABLE, 1, datetime.now(UTC))
    apply(db.dsn, reference.plan(db, "online"))
    with closing(db.connect()) as conn:
        conn.execute(OLD, [reference.DEFAULT])
    with tenant(reference.DEFAULT, actor="u1"), closing(application(db)) as app, app.transaction():
        app.execute("INSERT INTO users (id, email, name) VALUES ('nina', 'nina@example.net', 'Nina Unusual')")
        record(
            app, "member.invite", resource=("users", "nina"), subject="nina",
            personal={"email": "nina@example.net", "name": "Nina Unusual"},
        )  # fmt: skip
    return Trail(db, trail.key(directory), directory / "anchor")


def application(db: Database) -> psycopg.Connection[Any]:
    return Connection.connect(make_conninfo(db.dsn, user="app_user"), autocommit=True)


def check(t: Trail) -> Report:
    with closing(t.db.connect()) as conn:
        conn.isolation_level = IsolationLevel.REPEATABLE_READ
        with conn.transaction():
            begin(conn)
            return verify(Live(conn, TABLE), [t.key.public], anchors.read(t.anchor))


def run(t: Trail, *arguments: str) -> Result:
    environment = {"TENANTRY_DSN": t.db.dsn, "TENANTRY_SPEC": str(reference.EXAMPLE / "tenantry.toml")}
    return CliRunner().invoke(cli.app, ["audit", *arguments], prog_name="tenantry", env=environment)


def test_a_person_is_forgotten_a_month_goes_and_what_remains_verifies(db: Database, tmp_path: Path) -> None:
    t = converted(db, tmp_path)
    assert not reference.plan(db, "online")  # the trail with its partitions is in the declared state
    t.seal()
    before = check(t)
    assert [f for f in before.findings if f.level != "note"] == []
    assert before.events == t.ask("SELECT count(*) FROM audit_logs")
    directory = str(tmp_path / "archive")
    assert run(t, "export", directory).exit_code == 0
    assert run(t, "erase", "nina").stdout == "The personal data of 1 event is erased; the events stay.\n"
    private = ("--key", str(tmp_path / "seal.key"), "--anchor", f"file:{t.anchor}")
    gone = run(t, "retire", "audit_logs_2024_01", directory, *private)
    assert gone.stdout.startswith("public.audit_logs_2024_01 is retired with 7 events"), gone.output
    t.seal()
    after = check(t)
    assert [f for f in after.findings if f.level != "note"] == []
    assert (after.archived, after.unsealed) == (7, 0)
    assert after.events == before.events - 7 + 2  # the erasure and the retirement are events themselves
    told = t.ask("SELECT array_agg(action ORDER BY seq) FROM audit_logs WHERE action LIKE 'audit.%'")
    assert told == ["audit.erase", "audit.retire"]
    assert t.ask("SELECT count(*) FROM audit.personal") == 0
    assert t.ask("SELECT count(*) FROM audit_logs WHERE resource_id = 'nina'") == 2
    assert "nina@" not in t.ask("SELECT string_agg(e::text, '') FROM audit_logs e").lower()
    assert verify(archive.open_export(Path(directory)), [t.key.public]).good
    assert not reference.plan(db, "online")
    # The control: had anything been changed on the way, it would have been named.
    t.unguarded("UPDATE audit_logs SET actor_id = 'u2' WHERE action = 'member.invite'")
    assert {(f.kind, f.record) for f in check(t).findings if f.kind == "edited"} == {
        ("edited", t.ask("SELECT id::text FROM audit_logs WHERE action = 'member.invite'"))
    }

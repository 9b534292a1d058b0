"""Trails to seal: the plain table of nine columns, one that counts transactions, and one with monthly partitions."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tenantry.audit import keys
from tenantry.audit.anchors import File
from tenantry.audit.keys import PrivateKey
from tenantry.audit.seal import Sealed, Sealer, leading
from tenantry.names import QName
from tests.servers import Database

NINE = """
    id uuid {key} DEFAULT gen_random_uuid(), actor_id text, tenant_id text, action text NOT NULL,
    resource_type text, resource_id text, ip_address text, metadata jsonb,
    created_at timestamptz NOT NULL DEFAULT now()"""
MORE = """,
    seq bigint GENERATED ALWAYS AS IDENTITY, xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    outcome text NOT NULL DEFAULT 'success'"""
GUARD = """
CREATE FUNCTION prevent_audit_modification() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'Direct modification of audit_logs is forbidden'; END $$;
CREATE TRIGGER no_audit_update BEFORE UPDATE OR DELETE ON audit_logs
FOR EACH ROW EXECUTE FUNCTION prevent_audit_modification();
"""
KINDS = {
    "plain": f"CREATE TABLE audit_logs ({NINE.format(key='PRIMARY KEY')})",
    "counting": f"CREATE TABLE audit_logs ({NINE.format(key='PRIMARY KEY')}{MORE});"
    "CREATE INDEX ON audit_logs (xid, seq)",
    "monthly": f"CREATE TABLE audit_logs ({NINE.format(key='NOT NULL')}{MORE}, PRIMARY KEY (id, created_at))"
    " PARTITION BY RANGE (created_at)",
}
TABLE = QName("public", "audit_logs")


@dataclass(slots=True)
class Trail:
    """A trail in a database, the key that seals it, and a file that anchors it."""

    db: Database
    key: PrivateKey
    anchor: Path
    _stack: list[Any] = field(default_factory=list)

    def do(self, *statements: str, **values: object) -> None:
        """Run statements, each its own transaction."""
        with closing(self.db.connect()) as conn:
            for statement in statements:
                conn.execute(statement.encode(), values or None)

    def unguarded(self, *statements: str) -> None:
        """The same as a superuser who has switched the guards off for the session, and on again at the end."""
        with closing(self.db.connect()) as conn, conn.transaction():
            conn.execute("ALTER TABLE audit_logs DISABLE TRIGGER USER")
            for table in ("log", "subtrees", "layouts", "checkpoints", "retired"):
                conn.execute(f"ALTER TABLE tenantry_audit.{table} DISABLE TRIGGER append_only".encode())
            for statement in statements:
                conn.execute(statement.encode())
            conn.execute("ALTER TABLE audit_logs ENABLE TRIGGER USER")
            for table in ("log", "subtrees", "layouts", "checkpoints", "retired"):
                conn.execute(f"ALTER TABLE tenantry_audit.{table} ENABLE ALWAYS TRIGGER append_only".encode())

    def ask(self, query: str) -> Any:
        """The only value of the only row."""
        with closing(self.db.connect()) as conn:
            row = conn.execute(query.encode()).fetchone()
        return row[0] if row else None

    def event(
        self, tenant: str | None, action: str = "note", conn: psycopg.Connection[Any] | None = None
    ) -> str:
        """Write an event; returns its id."""
        query = "INSERT INTO audit_logs (tenant_id, actor_id, action, metadata) VALUES (%s, 'ann', %s, '{\"a\": 1}') RETURNING id::text"
        if conn is not None:
            row = conn.execute(query, (tenant, action)).fetchone()
        else:
            with closing(self.db.connect()) as own:
                row = own.execute(query, (tenant, action)).fetchone()
        assert row is not None
        return str(row[0])

    @contextmanager
    def sealer(self) -> Iterator[Sealer]:
        """A sealer that stays."""
        with leading(self.db.dsn, TABLE, self.key, [File(self.anchor)]) as sealer:
            yield sealer

    def seal(self, reason: str | None = None) -> Sealed:
        """One pass."""
        with self.sealer() as sealer:
            return sealer.once(reason)

    def sealed(self) -> list[str]:
        """The ids of all sealed events, once for each time they were sealed."""
        with closing(self.db.connect()) as conn:
            rows = conn.execute("SELECT unnest(keys) FROM tenantry_audit.subtrees").fetchall()
        return [key for (key,) in rows]

    def written(self) -> list[str]:
        """The ids of all events of the trail."""
        with closing(self.db.connect()) as conn:
            return [key for (key,) in conn.execute("SELECT id::text FROM audit_logs")]


def key(directory: Path) -> PrivateKey:
    """A new key, in a file of the directory."""
    keys.create(directory / "seal.key", "audit.example.com")
    return keys.load(directory / "seal.key")


def make(db: Database, directory: Path, kind: str = "counting") -> Trail:
    """An empty trail with its guard, and a key."""
    trail = Trail(db, key(directory), directory / "anchor.txt")
    trail.do(
        KINDS[kind],
        *GUARD.split(";\nCREATE TRIGGER")[:1],
        "CREATE TRIGGER" + GUARD.split(";\nCREATE TRIGGER")[1],
    )
    return trail

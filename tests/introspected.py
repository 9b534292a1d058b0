"""A database with one of everything (introspect.sql), and its catalog."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenantry import introspect
from tenantry.catalog import Catalog, Constraint, Index, Table
from tenantry.names import QName
from tests.servers import Database, Server

ODD = "Ünï.cödé"
LONG = "x23456789012345678901234567890123456789012345678901234567890123"
_SCHEMA = Path(__file__).with_name("introspect.sql")


@dataclass(frozen=True, slots=True)
class Rich:
    """The database, which tests only look at, and what was read from it."""

    db: Database
    catalog: Catalog

    def table(self, name: str, schema: str = "public") -> Table:
        return self.catalog.by_name[QName(schema, name)]

    def index(self, name: str) -> Index:
        return next(i for t in self.catalog.tables for i in t.indexes if i.name == name)

    def constraint(self, name: str) -> Constraint:
        return next(c for t in self.catalog.tables for c in t.constraints if c.name == name)


@contextmanager
def rich_database(server: Server) -> Iterator[Rich]:
    """The connection that made it stays open, and so does its temporary table."""
    with server.databases() as make:
        db = make()
        with db.connect() as conn:
            conn.execute(script(db))
            yield Rich(db, introspect.read(conn))


def script(db: Database) -> bytes:
    """The statements of introspect.sql, with roles that no other database has."""
    text = _SCHEMA.read_text(encoding="utf-8")
    for word in ("app", "team", "idle", "owner"):
        text = text.replace(f"@{word}", db.role(word))
    return text.encode()


def read(db: Database, **overrides: Any) -> Catalog:
    """Read the database on a connection of its own."""
    with db.connect(**overrides) as conn:
        return introspect.read(conn)

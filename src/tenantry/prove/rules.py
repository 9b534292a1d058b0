"""The policies that decide for the application, with what each asks of a session."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

import psycopg

from tenantry.catalog import Catalog
from tenantry.errors import CatalogError
from tenantry.names import QName
from tenantry.prove.signs import Function, Reader, Signs
from tenantry.session import Conn


@dataclass(frozen=True, slots=True)
class Rule:
    """A policy. ``enabled``: row level security is on; ``columns`` are the table's own that it names.

    ``tables`` are others that it or a function of it reads.
    """

    table: QName
    name: str
    enabled: bool
    permissive: bool
    columns: frozenset[str]
    tables: frozenset[QName]
    signs: Signs
    text: str


@dataclass(frozen=True, slots=True)
class Called:
    """A function that policies call. ``scalar``: what it yields has one column."""

    oid: int
    name: QName
    scalar: bool
    signs: Signs


@dataclass(frozen=True, slots=True)
class Rules:
    """The policies that apply to a role, by table and name, and the functions that they call, also through others."""

    policies: tuple[Rule, ...]
    functions: tuple[Called, ...]


def read(conn: Conn, catalog: Catalog, role: str) -> Rules:
    """Ask the server. Raises CatalogError while DDL holds a table that has policies, psycopg.Error for other trouble."""
    try:
        with conn.transaction(force_rollback=True):
            conn.execute("SET LOCAL search_path = ''")  # so that deparsed text is qualified
            functions = [
                (oid, scalar, Function(QName(s, n), text))
                for oid, s, n, text, scalar in conn.execute(_load("functions"))
            ]
            rows = conn.execute(_load("policies"), {"role": role}).fetchall()
    except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled) as error:
        raise CatalogError(
            f"database {conn.info.dbname}: its policies cannot be read: {error.diag.message_primary}; "
            "wait for the DDL that is running, and prove again"
        ) from error
    relations = [*(t.qname for t in catalog.tables), *(v.qname for v in catalog.views)]
    reader = Reader([f for _, _, f in functions], relations)
    policies = tuple(
        _rule(QName(schema, table), name, enabled, permissive, text, columns, reads, reader)
        for schema, table, name, enabled, permissive, text, columns, reads in rows
    )
    called = {name for p in policies for name in p.signs.functions}
    return Rules(
        policies,
        tuple(Called(oid, f.name, scalar, reader.of(f)) for oid, scalar, f in functions if f.name in called),
    )


def _rule(
    table: QName, name: str, enabled: bool, permissive: bool, text: str, columns: list[str], reads: list[list[str]],
    reader: Reader,
) -> Rule:  # fmt: skip
    signs = reader.read(text)
    tables = (frozenset(QName(s, t) for s, t, _ in reads) | signs.tables) - {table}
    return Rule(table, name, enabled, permissive, frozenset(columns), tables, signs, text)


def _load(name: str) -> bytes:
    return (resources.files("tenantry.prove") / f"{name}.sql").read_bytes()

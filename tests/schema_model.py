"""The parts of a drawn database, and the SQL that makes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tomlkit

from tenantry.names import QName, columns, literal, qualified, quote

# How the n-th value of a type is written: different numbers give different values, but for the last three.
VALUES: Mapping[str, Callable[[int], str]] = {
    "text": lambda n: f"'t{n}'",
    "integer": str,
    "bigint": str,
    "uuid": lambda n: f"'00000000-0000-4000-8000-{n:012x}'",
    "character varying(40)": lambda n: f"'v{n}'",
    "numeric(12,2)": lambda n: f"{n}.50",
    "timestamp with time zone": lambda n: f"'2024-01-01 00:00+00'::timestamptz + {n} * interval '1 hour'",
    '"short text"': lambda n: f"'s{n}'",
    "positive": str,
    "character(8)": lambda n: f"'c{n}'",
    "int4range": lambda n: f"'[{2 * n},{2 * n + 1})'",
    "jsonb": lambda n: f"'{{\"n\": {n}}}'",
    "text[]": lambda n: f"'{{x,{n}}}'",
    '"Mood"': lambda n: literal(("sad", "so-so", "it's fine")[n % 3]),
    "boolean": lambda n: ("true", "false")[n % 2],
    "date": lambda n: f"'2024-02-{n % 28 + 1:02}'",
}
KEYS = tuple(VALUES)[:11]
_FUNCTION = "CREATE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN %s; RETURN NEW; END $$"
PRELUDE = (
    'CREATE SCHEMA "Other s."',
    "CREATE TYPE \"Mood\" AS ENUM ('sad', 'so-so', 'it''s fine')",
    "CREATE DOMAIN \"short text\" AS text CHECK (VALUE <> '' AND length(VALUE) < 60)",
    "CREATE DOMAIN positive AS integer DEFAULT 1 CHECK (VALUE > 0)",
    _FUNCTION % ("touch", "NEW.updated_at := now()"),
    _FUNCTION % ("refuse", "RAISE 'rows never change'"),
    _FUNCTION % ("look", "PERFORM 1"),
)
# The keys of the two tenants, by tenant type.
IDS = {
    "text": ("r1", "r2"), "bigint": ("7", "8"), "integer": ("7", "8"),
    "uuid": ("11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"),
}  # fmt: skip
Row = dict[str, str]


@dataclass(slots=True)
class Column:
    """``text`` follows the type; ``given``: rows say its value; ``wide``: rows leave it NULL now and then."""

    name: str
    type: str
    not_null: bool = False
    text: str = ""
    given: bool = True
    wide: bool = False

    @property
    def sql(self) -> str:
        return f"{quote(self.name)} {self.type} {self.text}{' NOT NULL' if self.not_null else ''}"

    def value(self, n: int) -> str:
        return VALUES["integer" if self.type == "serial" else self.type](n)


@dataclass(slots=True)
class Unique:
    """A primary key, unique constraint, unique index or exclusion; ``referable``: foreign keys may point at it."""

    kind: str
    name: str
    columns: tuple[str, ...]
    sql: str
    referable: bool = False
    nulls_clash: bool = False

    def clashes(self, row: Row, other: Row) -> bool:
        """True when both rows cannot be in the table, whatever else the key asks."""
        mine, theirs = ([r.get(c, "NULL") for c in self.columns] for r in (row, other))
        return mine == theirs and bool(mine) and (self.nulls_clash or "NULL" not in mine)


@dataclass(slots=True)
class Reference:
    """A foreign key; ``tight``: its columns are part of a key, so that they are chosen with the row."""

    name: str
    columns: tuple[str, ...]
    target: Relation
    referenced: tuple[str, ...]
    text: str
    validated: bool = True
    enforced: bool = True
    tight: bool = False
    not_null: bool = False


@dataclass(slots=True, eq=False)
class Relation:
    """A table. ``rows`` are literals by column, ``realms`` whose row each is; ``rule`` is for the spec."""

    name: QName
    number: int
    parent: Relation | None = None
    columns: list[Column] = field(default_factory=list)
    uniques: list[Unique] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    partitioned_by: str = ""
    partitions: dict[QName, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    realms: list[str] = field(default_factory=list)
    child: Relation | None = None
    made_of_references: bool = False
    after: list[str] = field(default_factory=list)
    rule: dict[str, Any] = field(default_factory=dict)
    triggers: set[str] = field(default_factory=set)
    policies: dict[str, str] = field(default_factory=dict)

    @property
    def sql(self) -> str:
        return qualified(self.name)

    @property
    def all_columns(self) -> list[Column]:
        return [*(self.parent.columns if self.parent else ()), *self.columns]

    @property
    def primary(self) -> Unique | None:
        return next((u for u in self.uniques if u.kind == "primary"), None)

    def column(self, name: str) -> Column:
        return next(c for c in self.all_columns if c.name == name)

    def free(self, names: Sequence[str]) -> list[str]:
        used = {c.name for c in [*self.all_columns, *(self.child.columns if self.child else ())]}
        return [n for n in names if n not in used]

    def fits(self, row: Row) -> bool:
        return not any(u.clashes(row, other) for u in self.uniques for other in self.rows)

    def create(self) -> Iterator[str]:
        """The table with its partitions, inheritance child and keys; no rows, no foreign keys."""
        under = f" INHERITS ({self.parent.sql})" if self.parent else ""
        body = ", ".join(c.sql for c in self.columns)
        yield f"CREATE TABLE {self.sql} ({body}){under}{self.partitioned_by}"
        for name, text in self.partitions.items():
            yield f"CREATE TABLE {qualified(name)} PARTITION OF {text}"
        yield from (u.sql for u in self.uniques)
        if self.child is not None:
            yield from self.child.create()

    def insert(self) -> Iterator[str]:
        for row in self.rows:
            values = ", ".join(row.values())
            yield f"INSERT INTO {self.sql} ({columns(list(row))}) OVERRIDING SYSTEM VALUE VALUES ({values})"

    def refer(self) -> Iterator[str]:
        for r in self.references:
            name = f"CONSTRAINT {quote(r.name)} " if r.name else ""
            keys = f"FOREIGN KEY ({columns(r.columns)}) REFERENCES {r.target.sql} ({columns(r.referenced)})"
            state = "" if r.validated else " NOT VALID" if r.enforced else " NOT ENFORCED"
            yield f"ALTER TABLE {self.sql} ADD {name}{keys}{r.text}{state}"


@dataclass(frozen=True, slots=True)
class Made:
    """A drawn database: the statements that make it, and what a spec says of it, but for the roles.

    ``tenant_of`` is SQL for the slug of the tenant that row ``t`` of a tenant table must get.
    """

    statements: tuple[str, ...]
    tables: Mapping[str, Any]
    tenancy: Mapping[str, Any]
    audit: bool
    owner: bool
    tenant_of: str
    features: frozenset[str]

    @property
    def sql(self) -> str:
        return "".join(f"{statement};\n" for statement in self.statements)

    def toml(self, role: Callable[[str], str]) -> str:
        """The spec; ``role`` names its roles."""
        roles = {"app": role("app")} | ({"owner": role("owner")} if self.owner else {})
        trail = {"audit": {"table": "audit_logs"}} if self.audit else {}
        return tomlkit.dumps({"tenancy": self.tenancy, "roles": roles, "tables": self.tables} | trail)

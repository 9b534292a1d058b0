"""Primary and unique keys of a table, in the words that matter for a conversion."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Literal

from tenantry.catalog import Catalog, Column, Index, Table
from tenantry.evidence import words
from tenantry.names import QName

KeyKind = Literal["generated", "uuid", "referencing", "natural", "none"]

_OPERATOR = re.compile(r"OPERATOR\(pg_catalog\.(.+)\)")
_GENERATORS = ("nextval(", "gen_random_uuid()")


@dataclass(frozen=True, slots=True)
class Unique:
    """A unique key or exclusion constraint other than the primary key. ``keys`` are columns or expressions."""

    name: str
    form: Literal["constraint", "index", "exclusion"]
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    predicate: str | None = None
    nulls_not_distinct: bool = False
    deferrable: bool = False
    valid: bool = True

    @property
    def credential(self) -> bool:
        """True when it sounds like a look-up that comes before the tenant is known."""
        names = set(self.columns)
        for key in self.keys:
            if key not in names:
                names |= words.identifiers(key)
        return any(words.credential(name) for name in names)

    def describe(self) -> str:
        """``unique constraint (email)``, ``partial unique index (slug) WHERE …``."""
        form = "exclusion constraint" if self.form == "exclusion" else f"unique {self.form}"
        if len(self.columns) < len(self.keys):
            form = f"expression {form}"
        if self.predicate:
            form = f"partial {form}"
        text = f"{form} ({', '.join(words.flat(key) for key in self.keys)})"
        text += f" WHERE {words.flat(self.predicate)}" if self.predicate else ""
        text += " NULLS NOT DISTINCT" if self.nulls_not_distinct else ""
        text += " DEFERRABLE" if self.deferrable else ""
        return text + ("" if self.valid else ", INVALID")


def uniques(table: Table) -> Iterator[Unique]:
    """Every unique key but the primary one, and every exclusion constraint, in the catalog's order."""
    for index in table.indexes:
        if (index.unique or index.exclusion) and not index.primary:
            yield _unique(table, index)


def _unique(table: Table, index: Index) -> Unique:
    constraint = table.constraint(index.constraint) if index.constraint else None
    form: Literal["constraint", "index", "exclusion"] = "constraint" if constraint else "index"
    keys = tuple(k.column or k.expression or "" for k in index.keys)
    if index.exclusion:
        form = "exclusion"
        keys = tuple(_excluded(key, k.operator) for key, k in zip(keys, index.keys, strict=True))
    return Unique(
        name=index.name,
        form=form,
        keys=keys,
        columns=index.key_columns,
        predicate=index.predicate,
        nulls_not_distinct=index.nulls_not_distinct,
        deferrable=constraint is not None and constraint.deferrable,
        valid=index.valid,
    )


def _excluded(key: str, operator: str | None) -> str:
    """``room WITH =``: an element of an exclusion constraint, built-in operators without their schema."""
    found = _OPERATOR.fullmatch(operator or "")
    return f"{key} WITH {found[1] if found else operator}"


def generated(column: Column) -> bool:
    """True when the server hands out a new value for each row."""
    default = column.default or ""
    return bool(column.identity) or any(call in default for call in _GENERATORS)


def key_kind(table: Table) -> KeyKind:
    """How the primary key's values come about.

    generated: by the server · uuid: unique wherever it is made · referencing: made of other tables' keys ·
    natural: given by the application, so two tenants may want the same.
    """
    key = table.primary_key
    if key is None:
        return "none"
    columns = [c for name in key.columns if (c := table.column(name)) is not None]
    if any(generated(c) for c in columns):
        return "generated"
    if any(c.base == "uuid" for c in columns):
        return "uuid"
    referencing = {name for fk in table.foreign_keys for name in fk.columns}
    return "referencing" if columns and referencing.issuperset(key.columns) else "natural"


def describe_columns(table: Table, names: tuple[str, ...]) -> str:
    """``(id text DEFAULT 'default'::text)``: key columns with type and default."""
    columns = [(name, table.column(name)) for name in names]
    return f"({', '.join(f'{name} {_typed(column)}' if column else name for name, column in columns)})"


def _typed(column: Column) -> str:
    if column.identity:
        return f"{column.type} identity"
    default = column.default or ""
    if default.startswith("nextval("):
        return f"{column.type} serial"
    return f"{column.type} DEFAULT {default}" if default else column.type


def planned(
    catalog: Catalog, table: Table, owned: Container[QName], seen: frozenset[QName] = frozenset()
) -> str:
    """What the planner can tell of a primary key by itself: "generated", "follows", "natural" or "none".

    A key follows when a part of it refers to another tenant table (one of ``owned``): what that table's key
    becomes, it becomes. Keys that follow each other in a circle are natural.
    """
    kind = key_kind(table)
    key = table.primary_key
    if key is None or kind == "none":
        return "none"
    if kind in ("generated", "uuid"):
        return "generated"
    here = seen | {table.qname}
    parents = {
        fk.references for fk in table.foreign_keys if fk.references and set(fk.columns) & set(key.columns)
    }
    tables = [
        catalog.by_name[p] for p in sorted(parents - {table.qname}) if p in owned and p in catalog.by_name
    ]
    open_ = [p for p in tables if p.qname not in seen]
    if not open_:
        return "circle" if tables else "natural"
    answers = {planned(catalog, p, owned, here) for p in open_}
    return ("circle" if seen else "natural") if "circle" in answers else "follows"

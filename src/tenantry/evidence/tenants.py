"""Which table lists the tenants, if one does: by its name, and by how many tables reference it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tenantry.catalog import Column, Table
from tenantry.evidence import words
from tenantry.names import QName, display

_HALF = 0.5
_ASK = 0.25  # below this a generic name (customers, accounts …) is taken for an ordinary table
_ENOUGH = 3  # references that make a generic name clear; two tables that reference customers prove little
_LOOSE = ("character(", "bpchar", "citext")  # padded or case-folded: two tenants could compare equal


@dataclass(frozen=True, slots=True)
class Candidate:
    """A table that may list the tenants. ``columns``: by which columns each other table may reference it."""

    table: Table
    key: Column
    columns: tuple[tuple[QName, tuple[str, ...]], ...]
    others: int

    @property
    def qname(self) -> QName:
        return self.table.qname

    @property
    def share(self) -> float:
        """Of the other tables, how many carry its key: 0.0 to 1.0."""
        return len(self.columns) / self.others if self.others else 0.0

    @property
    def column(self) -> str | None:
        """The column name that most of them use (the first by name among equals)."""
        counts = Counter(name for _, names in self.columns for name in names)
        return min(counts, key=lambda name: (-counts[name], name)) if counts else None

    def describe(self) -> str:
        """``organizations: 125 of 137 tables have organization_id``."""
        have = f"have {self.column}" if self.column else "reference it"
        return f"{display(self.qname)}: {len(self.columns)} of {self.others} other tables {have}"


@dataclass(frozen=True, slots=True)
class Tenants:
    """``chosen`` is the one clear candidate; ``asked`` are those that a person must choose from."""

    chosen: Candidate | None = None
    asked: tuple[Candidate, ...] = ()
    noted: tuple[Candidate, ...] = ()


def key_column(table: Table) -> Column | None:
    """The single column that foreign keys can point at: primary key first, else a unique constraint."""
    for kind in ("primary", "unique"):
        for constraint in table.constraints:
            if constraint.kind == kind and len(constraint.columns) == 1 and not constraint.deferrable:
                column = table.column(constraint.columns[0])
                if column is not None and not column.base.startswith(_LOOSE):
                    return column
    return None


def find(tables: Sequence[Table]) -> Tenants:
    """Look for the tenants table among the ordinary tables."""
    candidates = [c for t in tables if _grade(t) and (c := candidate(t, tables)) is not None]
    clear = [c for c in candidates if _clear(c)]
    asked = [c for c in candidates if c in clear or _worth_asking(c)]
    noted = tuple(c for c in candidates if c not in asked)
    if len(clear) == 1:
        return Tenants(clear[0], (), tuple(c for c in candidates if c is not clear[0]))
    fresh = [c for c in candidates if _grade(c.table) == 1 and not c.columns]
    if not asked and len(fresh) == 1:
        return Tenants(fresh[0], (), tuple(c for c in noted if c is not fresh[0]))
    return Tenants(None, (*asked, *(fresh if asked else ())), noted)


def candidate(table: Table, tables: Sequence[Table]) -> Candidate | None:
    """The table as a tenants table; None when it has no key that could be one."""
    key = key_column(table)
    if key is None:
        return None
    others = [t for t in tables if t.qname != table.qname]
    columns = tuple((t.qname, found) for t in others if (found := _references(t, table, key)))
    return Candidate(table, key, columns, len(others))


def _references(table: Table, tenants: Table, key: Column) -> tuple[str, ...]:
    """Columns that hold the tenants table's key: by foreign key, or by name where there is none."""
    found = [
        fk.columns[0]
        for fk in table.foreign_keys
        if fk.references == tenants.qname and fk.referenced == (key.name,)
    ]
    for column in table.columns:
        if column.base == key.base and named_after(column.name, tenants, key) and column.name not in found:
            found.append(column.name)
    return tuple(dict.fromkeys(found))


def named_after(column: str, tenants: Table, key: Column) -> bool:
    """True for ``organization_id`` on organizations, and ``tenant_record_id`` where the key is record_id."""
    stem = words.words(tenants.name)
    stem = (*stem[:-1], words.singular(stem[-1])) if stem else stem
    found = words.words(column)
    return bool(stem) and found in ((*stem, "id"), (*stem, *words.words(key.name)), (stem[-1], "id"))


def _grade(table: Table) -> int:
    """1 for a table of tenants by name, 2 for organizations, 3 for a generic word, 0 for any other."""
    noun, alone = words.noun(table.name), len(words.words(table.name)) == 1
    if noun in words.TENANT:
        return 1
    if noun in words.ORGANIZATION:
        return 2 if alone else 3
    return 3 if noun in words.GENERIC else 0


def _clear(c: Candidate) -> bool:
    return c.share >= _HALF and (_grade(c.table) < 3 or len(c.columns) >= _ENOUGH)


def _worth_asking(c: Candidate) -> bool:
    return c.share >= _ASK if _grade(c.table) == 3 else bool(c.columns)


def column_without_table(tables: Sequence[Table]) -> str | None:
    """A tenant-like column that at least half of the tables have, where no table lists the tenants."""
    counts = Counter(c.name for t in tables for c in t.columns if words.tenant_like(c.name))
    common = [name for name, n in counts.items() if n >= len(tables) * _HALF and n >= _ENOUGH]
    return min(common, key=lambda name: (-counts[name], name)) if common else None

"""Which tables lead to a tenant by their foreign keys, and by which."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from tenantry.catalog import Catalog, Constraint, Table
from tenantry.evidence.tables import outgoing, root
from tenantry.init.drafts import Entry, entry
from tenantry.names import QName, display, spell
from tenantry.tomltext import inline, path, string


@dataclass(frozen=True, slots=True)
class Parent:
    """A foreign key to a table whose rows have a tenant. ``gap``: why a row may lead nowhere, if it may."""

    table: QName
    name: str
    columns: tuple[str, ...]
    referenced: tuple[str, ...]
    gap: str
    only: bool

    def describe(self) -> str:
        return f"{display(self.table)} ({', '.join(self.columns)}{f', {self.gap}' if self.gap else ''})"

    @property
    def _on(self) -> str:
        return inline(dict(zip(self.columns, self.referenced, strict=True)))

    @property
    def source(self) -> str:
        """The backfill source; the columns are left out where only one foreign key leads there."""
        on = "" if self.only else f", on = {self._on}"
        return f"{{ parent = {string(spell(self.table))}{on} }}"

    @property
    def through(self) -> tuple[Entry, ...]:
        """The keys that scope through needs."""
        parent = entry("parent", spell(self.table))
        return (parent,) if self.only else (parent, Entry(("on",), self._on))


@dataclass(frozen=True, slots=True)
class Mapping:
    """A table that joins rows to tenants, such as memberships. ``single``: one row of it for each at most."""

    table: str
    source: str
    single: bool


class Parents:
    """The foreign keys that lead to tables with a tenant; ``reached`` are all tables from which one does."""

    def __init__(
        self,
        catalog: Catalog,
        tables: Sequence[Table],
        carrying: Collection[QName],
        doubtful: Collection[QName],
    ) -> None:
        self._catalog = catalog
        self._carrying = frozenset(carrying)
        known = {t.qname for t in tables}
        self._edges = {
            t.qname: [(fk, target) for fk, target in self._targets(t) if target in known] for t in tables
        }
        self._doubtful = frozenset(doubtful)
        self._into: dict[QName, list[QName]] = {}
        for name, edges in self._edges.items():
            for _, target in edges:
                self._into.setdefault(target, []).append(name)
        self.reached = self._reach(without=None)

    def _targets(self, table: Table) -> Iterator[tuple[Constraint, QName]]:
        for fk in outgoing(table):
            if fk.references is not None and not fk.period:
                target = root(self._catalog, fk.references)
                if target != table.qname:
                    yield fk, target

    def _reach(self, without: QName | None) -> frozenset[QName]:
        """Tables from which foreign keys lead to a tenant column, not by way of one table."""
        found = set(self._carrying - {without} if without else self._carrying)
        queue = list(found)
        while queue:
            for name in self._into.get(queue.pop(), ()):
                if name != without and name not in found and name not in self._doubtful:
                    found.add(name)
                    queue.append(name)
        return frozenset(found)

    def of(self, table: Table) -> tuple[Parent, ...]:
        """The foreign keys of a table that lead to a tenant other than by way of the table itself."""
        distinct = {
            (target, fk.columns, fk.referenced): (fk, target) for fk, target in self._edges[table.qname]
        }
        edges = [(fk, target) for fk, target in distinct.values() if target in self.reached]
        # A target that gets its own tenant only by way of this table is no parent of it.
        if table.qname in self._into and not all(target in self._carrying for _, target in edges):
            reach = self._reach(without=table.qname)
            edges = [(fk, target) for fk, target in edges if target in reach]
        ends = [target for _, target in edges]
        return tuple(
            Parent(
                table=target,
                name=fk.name,
                columns=fk.columns,
                referenced=fk.referenced,
                gap=_gap(table, fk),
                only=ends.count(target) == 1 and fk.references == target,
            )
            for fk, target in edges
        )

    def mappings(self, table: Table, column_of: Callable[[QName], str | None]) -> Iterator[Mapping]:
        """Tables that refer to this one and carry a tenant column: each may say whose a row is."""
        for other, fk in self._catalog.referencing(table.qname):
            column = column_of(other.qname)
            if column is not None and len(fk.columns) == 1 and other.qname != table.qname:
                on = f"{{ {path(fk.referenced[0])} = {string(fk.columns[0])} }}"
                name = spell(other.qname)
                yield Mapping(
                    display(other.qname),
                    f"{{ mapping = {string(name)}, on = {on}, tenant = {string(column)} }}",
                    any(i.plain and i.valid and i.key_columns == fk.columns for i in other.indexes),
                )


def _gap(table: Table, fk: Constraint) -> str:
    columns = [table.column(name) for name in fk.columns]
    if not all(c is not None and c.not_null for c in columns):
        return "may be NULL"
    return "" if fk.validated and fk.enforced else "not checked for all rows"

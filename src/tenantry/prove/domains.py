"""Which columns say whose a row is: all that lead, by foreign key or by name, to one thing that policies ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property

from tenantry.attacks.target import Target, linked, whole
from tenantry.catalog import Catalog, Table
from tenantry.names import QName
from tenantry.prove.rules import Rule


@dataclass(frozen=True, slots=True)
class Domain:
    """What columns stand for: the key of a table, or, without one, a name."""

    table: QName | None
    column: str


@dataclass(frozen=True)
class Domains:
    """Those of a database. ``shared`` are tables that somebody declared as everybody's."""

    catalog: Catalog
    rules: Sequence[Rule]
    shared: Set[QName]
    _known: dict[tuple[QName, str], Domain] = field(default_factory=dict)

    @cached_property
    def tables(self) -> tuple[Table, ...]:
        """The tables that can be tenants'; partitions and children go with their parent."""
        below = {part.qname for t in self.catalog.tables for part in self.catalog.descendants(t.qname)}
        return tuple(
            t for t in self.catalog.tables
            if t.kind != "foreign" and t.extension is None and t.qname not in below | self.shared
        )  # fmt: skip

    @cached_property
    def asked(self) -> Mapping[QName, frozenset[str]]:
        """The columns of each table that its policies name."""
        found: dict[QName, frozenset[str]] = {}
        for rule in self.rules:
            found[rule.table] = found.get(rule.table, frozenset()) | rule.columns
        return found

    def of(self, table: QName, column: str) -> Domain:
        """What a column stands for."""
        if (table, column) not in self._known:
            self._known[table, column] = self._of(table, column)
        return self._known[table, column]

    def _of(self, table: QName, column: str) -> Domain:
        seen: set[tuple[QName, str]] = set()
        here = (table, column)
        while here not in seen and (further := self._refers(*here)) is not None:
            seen.add(here)
            here = further
        if seen or self._is_key(*here):
            return Domain(*here)
        named = self._named.get(column, frozenset())
        return next(iter(named)) if len(named) == 1 else Domain(None, column)

    def _refers(self, name: QName, column: str) -> tuple[QName, str] | None:
        table = self.catalog.by_name[name]
        for fk in sorted(table.foreign_keys, key=lambda k: (len(k.columns), k.name)):
            if column in fk.columns and fk.references in self.catalog.by_name and fk.references:
                return fk.references, fk.referenced[fk.columns.index(column)]
        return None

    def _is_key(self, name: QName, column: str) -> bool:
        table = self.catalog.by_name[name]
        key = table.primary_key
        return (key is not None and key.columns == (column,)) or any(
            column in fk.referenced for _, fk in self.catalog.referencing(name)
        )

    @cached_property
    def _named(self) -> Mapping[str, frozenset[Domain]]:
        """What columns of a name refer to where they do by a foreign key."""
        found: dict[str, frozenset[Domain]] = {}
        for table in self.tables:
            for column in {c for fk in table.foreign_keys for c in fk.columns}:
                if self._refers(table.qname, column) is not None:
                    found[column] = found.get(column, frozenset()) | {self.of(table.qname, column)}
        return found

    def columns(self, domain: Domain, table: Table) -> tuple[str, ...]:
        """The columns of a table that stand for that, those first that its policies name."""
        asked = self.asked.get(table.qname, frozenset())
        found = [c for c in table.columns if self.of(table.qname, c.name) == domain]
        found.sort(key=lambda c: (c.name not in asked, not c.not_null))
        return tuple(c.name for c in found)

    def candidates(self) -> tuple[Domain, ...]:
        """What policies ask for, the likeliest first.

        A tenant is what policies look up elsewhere (who is a member of it), then what most of them ask for; not what
        itself belongs to another one.
        """
        asked: dict[Domain, set[QName]] = {}
        looked: set[Domain] = set()
        for rule in self.rules:
            for column in rule.columns if rule.table in self.catalog.by_name else ():
                domain = self.of(rule.table, column)
                asked.setdefault(domain, set()).add(rule.table)
                if any(self.columns(domain, t) for t in self._others(rule, domain)):
                    looked.add(domain)

        def rank(domain: Domain) -> tuple[bool, int, bool, int, str]:
            root = self.catalog.by_name.get(domain.table) if domain.table else None
            above = root is not None and any(self.columns(d, root) for d in asked if d != domain)
            held = sum(bool(self.columns(domain, t)) for t in self.tables)
            return domain not in looked, -len(asked[domain]), above, -held, str(domain)

        return tuple(sorted(asked, key=rank))

    def _others(self, rule: Rule, domain: Domain) -> Iterator[Table]:
        for name in rule.tables - {rule.table, domain.table}:
            if name in self.catalog.by_name:
                yield self.catalog.by_name[name]

    def targets(self, domain: Domain) -> Mapping[QName, Target]:
        """Every table that has such a column, or hangs on one that has, with its partitions and children."""
        found: dict[QName, Target] = {}
        for table in self.tables:
            columns = self.columns(domain, table)
            if columns:
                root = Domain(table.qname, columns[0]) == domain
                self._add(found, Target(table, "tenants" if root else "tenant", columns[0]))
        hanging = True
        while hanging:
            free = [t for t in self.tables if t.qname not in found]
            more = [t for table in free if (t := self._through(table, found)) is not None]
            hanging = bool(more)
            for target in more:
                self._add(found, target)
        return {t.table.qname: t for t in linked(found)}

    def _add(self, found: dict[QName, Target], target: Target) -> None:
        parts = self.catalog.descendants(target.table.qname)
        for table in (target.table, *parts):
            kind = "tenant" if table is not target.table and target.kind == "tenants" else target.kind
            found[table.qname] = whole(self.catalog, replace(target, table=table, kind=kind))

    def _through(self, table: Table, found: Mapping[QName, Target]) -> Target | None:
        """A table whose rows belong to a tenant by a foreign key, rather by one whose columns a policy asks for."""
        asked = self.asked.get(table.qname, frozenset())
        optional = {c.name for c in table.columns if not c.not_null}
        keys = [
            (k, found[k.references]) for k in table.foreign_keys if k.references and k.references in found
        ]
        keys = [(k, t) for k, t in keys if t.table.qname != table.qname]
        if not keys:
            return None
        key, parent = min(
            keys, key=lambda k: (not asked & {*k[0].columns}, bool(optional & {*k[0].columns}), k[0].name)
        )
        return Target(table, "through", None, parent, dict(zip(key.columns, key.referenced, strict=True)))

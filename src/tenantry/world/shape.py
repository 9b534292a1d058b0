"""What a new row of each table must look like: the catalog, and what it leaves out (types, expressions, bounds)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources

from tenantry import introspect
from tenantry.attacks.target import Target, find
from tenantry.catalog import Catalog, Constraint, Table
from tenantry.names import QName, quote
from tenantry.session import Conn, load
from tenantry.spec import Spec
from tenantry.world.values import Type, Types

_WORD = re.compile(r'"(?:[^"]|"")+"|\w+')


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition on one row; ``name`` is its constraint's, empty for the bounds of a partition."""

    name: str
    expression: str
    columns: frozenset[str]

    @property
    def told(self) -> str:
        """For people."""
        return f"constraint {self.name}" if self.name else "the bounds of the partition"


@dataclass(frozen=True, slots=True)
class Link:
    """What ties a row to a row of ``parent``: an enforced foreign key, or how the spec isolates the table."""

    name: str
    columns: tuple[str, ...]
    parent: QName
    referenced: tuple[str, ...]
    full: bool = False  # MATCH FULL
    hard: bool = False  # cannot be left NULL


@dataclass(frozen=True, slots=True)
class Shape:
    """A database as a seeder sees it. ``types`` are those of columns: table, column → oid."""

    catalog: Catalog
    spec: Spec
    types: Types
    columns: Mapping[tuple[QName, str], int]
    rules: Mapping[QName, tuple[Rule, ...]]
    targets: Mapping[QName, Target]
    unfit: tuple[tuple[QName, str], ...]

    def root(self, name: QName) -> QName:
        """The partitioned table at the top, or the table itself."""
        while (table := self.catalog.by_name.get(name)) is not None and table.partition_of:
            name = table.partition_of
        return name

    def leaves(self, name: QName) -> tuple[Table, ...]:
        """The tables that hold the rows: the partitions of a partitioned table, else the table alone."""
        table = self.catalog.by_name[name]
        if table.kind != "partitioned":
            return (table,) if table.kind == "table" else ()
        return tuple(leaf for child in self.catalog.children(name) for leaf in self.leaves(child.qname))

    def itself(self, table: Table, link: Link) -> bool:
        """Whether a link leads to the table that it comes from, or the partitioned one above."""
        return self.root(link.parent) == self.root(table.qname)

    def belongs(self, name: QName) -> Target | None:
        """The target that says whose the rows of a table, or of its partitions, are; None for rows of nobody."""
        leaf = next(iter(self.leaves(name)), None)
        return self.targets.get(name) or (self.targets.get(leaf.qname) if leaf else None)

    def fixed(self, table: Table, tenant: str | None) -> dict[str, str]:
        """The columns that say that a row is a tenant's."""
        target = self.targets.get(table.qname)
        return {target.column: tenant} if target and target.column and tenant is not None else {}

    def links(self, table: Table) -> tuple[Link, ...]:
        """The ties of a table's rows to others, the hard ones first."""
        target = self.targets.get(table.qname)
        found = [self._link(table, fk) for fk in table.foreign_keys if fk.enforced and fk.references]
        if target is not None and target.parent is not None:
            ours, theirs = tuple(target.on), tuple(target.on.values())
            found.append(Link("", ours, target.parent.table.qname, theirs, hard=True))
        return tuple(sorted(found, key=lambda link: (not link.hard, link.name)))

    def _link(self, table: Table, fk: Constraint) -> Link:
        assert fk.references is not None
        target = self.targets.get(table.qname)
        loose = [
            c for c in fk.columns
            if (column := table.column(c)) and not column.not_null and not (target and c == target.column)
        ]  # fmt: skip
        free = len(loose) == len(fk.columns) if fk.match == "f" else bool(loose)
        return Link(fk.name, fk.columns, fk.references, fk.referenced, fk.match == "f", not free)

    def blamed(self, table: Table, name: str) -> frozenset[str]:
        """The columns that a constraint or index of a table is about; empty when it is not known."""
        constraint, index = table.constraint(name), table.index(name)
        if constraint is not None and constraint.columns:
            return frozenset(constraint.columns)
        if index is None:
            return frozenset()
        texts = " ".join([*(k.expression or "" for k in index.keys), index.predicate or ""])
        return frozenset(index.key_columns) | named(texts, table)


def named(expression: str, table: Table) -> frozenset[str]:
    """The columns of a table that an expression may name, by the words in it."""
    words = set(_WORD.findall(expression))
    return frozenset(c.name for c in table.columns if c.name in words or quote(c.name) in words)


def read(conn: Conn, spec: Spec) -> Shape:
    """Look at a database. Raises CatalogError when it cannot be read."""
    catalog = introspect.read(conn)
    with conn.transaction(force_rollback=True):
        conn.execute(load("session"))
        types = {row[0]: _type(row) for row in conn.execute(_sql("types"))}
        columns = {(QName(s, t), c): oid for s, t, c, oid in conn.execute(_sql("columns"))}
        rules = list(conn.execute(_sql("rules")))
    found: dict[QName, list[Rule]] = defaultdict(list)
    for schema, name, rule, expression in rules:
        table = catalog.by_name.get(QName(schema, name))
        if table is not None:
            found[table.qname].append(_rule(table, rule, expression))
    targets, unfit = find(spec, catalog)
    by_name = {t.table.qname: t for t in targets}
    return Shape(catalog, spec, types, columns, {n: tuple(r) for n, r in found.items()}, by_name, unfit)


def _rule(table: Table, name: str, expression: str) -> Rule:
    constraint = table.constraint(name) if name else None
    own = frozenset(constraint.columns) if constraint else named(expression, table)
    return Rule(name, expression, own | frozenset(_read_by(table, own)))


def _read_by(table: Table, columns: frozenset[str]) -> Iterator[str]:
    """The columns from which generated ones among these are computed."""
    for column in table.columns:
        if column.name in columns and column.generated and column.default:
            yield from named(column.default, table)


def _type(row: tuple[object, ...]) -> Type:
    return Type(*(tuple(v) if isinstance(v, list) else v for v in row))  # type: ignore[arg-type]


def _sql(name: str) -> bytes:
    return (resources.files("tenantry") / "world" / f"{name}.sql").read_bytes()

"""Fills a database with rows of two tenants, whatever its schema asks for, so that no attack meets an empty table.

Each row is found by asking (see solve.py), then inserted; what the server refuses says which columns to change. Both
tenants start from the same values, so that keys within a tenant hold the same in both. What cannot be filled is
reported with the reason. Nothing is drawn by chance: the same schema gets the same rows.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import psycopg

from tenantry import keys
from tenantry.attacks.target import Target
from tenantry.catalog import Table
from tenantry.names import QName, display, literal, qualified, quote
from tenantry.session import Conn
from tenantry.spec import Spec
from tenantry.world import shape as shapes
from tenantry.world.order import counts, order
from tenantry.world.rows import Placer, Refusal, Search, Unseedable, insertion
from tenantry.world.shape import Link, Shape
from tenantry.world.solve import Ask, Solver, Unsolvable
from tenantry.world.values import mined

_TRIES = 100  # of rows in a circle


@dataclass(frozen=True, slots=True)
class Missing:
    """A table without a row of a tenant (empty: of any), and why."""

    table: QName
    tenant: str
    reason: str


@dataclass(frozen=True, slots=True)
class Seeded:
    """What became of filling a database. ``missing`` was looked up afterwards, whatever the filling believed."""

    tenants: tuple[str, ...]
    rows: int
    missing: tuple[Missing, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Seeder:
    shape: Shape
    placer: Placer
    circles: Mapping[QName, tuple[QName, ...]]
    made: list[str] = field(default_factory=list)  # tenants
    why: dict[tuple[QName, str | None], str] = field(default_factory=dict)
    tried: set[tuple[QName, str | None]] = field(default_factory=set)

    # What is filled, in which order

    def tenants(self) -> tuple[str, ...]:
        """Two new rows of the tenants table. Raises Unseedable."""
        return tuple(self.tenant() for _ in range(2))

    def tenant(self, key: str | None = None) -> str:
        """A new tenant, of that key if one is given. Raises Unseedable."""
        spec = self.shape.spec.tenancy
        target = self.shape.targets.get(spec.tenants)
        if target is None:
            raise Unseedable(f"{display(spec.tenants)}: there is no such table with a column {spec.key}")
        (leaf, *_) = self.shape.leaves(spec.tenants)
        for link in self.shape.links(leaf):
            self.ensure(link.parent, None)
        row = self.placer.place(leaf, None, {spec.key: key} if key is not None else {})
        found = row.get(spec.key)
        assert found is not None
        self.made.append(found)
        return found

    def fill(self, names: Sequence[QName], tenants: Sequence[str]) -> None:
        """A row of each tenant in each table, with values of its own; then one with values that all of them have.

        The own one comes first: it is what an attack finds first, it can be told from another tenant's, and what
        refers to the table refers to the later ones. Those may be refused: keys may leave no room for them.
        """
        wanted = counts(self.shape, names)
        for name in names:
            whose = self._whose(name, tenants)
            for tenant in whose:
                self.ensure(name, tenant)
            more = range(wanted[name] - 1)
            for _, leaf, tenant in itertools.product(more, self.shape.leaves(name), whose):
                if (leaf.qname, tenant) not in self.why:
                    with contextlib.suppress(Unseedable):
                        self.placer.place(leaf, tenant, offset=0 if tenant else 1)
        for table, tenant, link in self.placer.loose:
            self._tie(table, tenant, link)

    def _whose(self, name: QName, tenants: Sequence[str]) -> Sequence[str | None]:
        target = self.shape.belongs(name)
        if target is None:
            return [None]
        return [] if target.kind == "tenants" else tenants

    def ensure(self, name: QName, tenant: str | None) -> None:
        """Rows of a tenant (None: of nobody) in a table and all of its partitions, once; failures are kept.

        What it must refer to comes first; with tables that must refer to each other, it is filled together.
        """
        root = self.shape.root(name)
        target = self.shape.belongs(root)
        if target is None:
            tenant = None
        if (root, tenant) in self.tried or root not in self.shape.catalog.by_name:
            return
        if target is not None and (tenant is None or target.kind == "tenants"):
            return
        family = self.circles.get(root, (root,))
        self.tried |= {(name, tenant) for name in family}
        leaves = [leaf for name in family for leaf in self.shape.leaves(name)]
        for leaf in leaves:
            for link in self.shape.links(leaf):
                if link.hard:
                    self.ensure(link.parent, tenant)
        if len(family) > 1:
            self.together(family, tenant)
        for leaf in leaves:
            try:
                self.placer.place(leaf, tenant, offset=self._offset(tenant))
            except Unseedable as error:
                self.why.setdefault((leaf.qname, tenant), str(error))

    def _offset(self, tenant: str | None) -> int:
        return 1 + self.made.index(tenant) if tenant in self.made else 0

    def strangers(self, tenants: Sequence[str]) -> None:
        """Partitions whose bounds admit neither tenant get a tenant of their own, where the bounds name one."""
        for table in self.shape.catalog.tables:
            target = self.shape.targets.get(table.qname)
            if target is None or target.column is None or not table.partition_of:
                continue
            if not bounded(self.shape, target) or not all((table.qname, t) in self.why for t in tenants):
                continue
            bounds = next(r for r in self.shape.rules[table.qname] if not r.name)
            for key in mined(bounds.expression):
                try:
                    tenant = self.tenant(key)
                    for link in self.shape.links(table):
                        self.ensure(link.parent, tenant)  # also what may be NULL: nobody comes back to it
                    self.placer.place(table, tenant)
                except Unseedable:
                    continue
                break

    # Circles

    def together(self, family: Sequence[QName], tenant: str | None) -> None:
        """Rows of tables that must refer to each other in a circle: one statement, since keys are checked at its end."""
        tables = [next(iter(self.shape.leaves(name))) for name in family]
        inside = frozenset(family)
        try:
            offset = self._offset(tenant)
            found = [self.placer.search(t, tenant, offset=offset, without=inside) for t in tables]
        except Unsolvable as error:
            self._gave_up(tables, tenant, str(error))
            return
        error_: Refusal | None = None
        for _ in range(_TRIES):
            error_ = self.placer.send([_circle(self.shape, found)], tenant)
            if error_ is None:
                return
            search = next((s for s in found if s.ask.table.qname == error_.table), None)
            names = self.placer.columns(search, error_) if search else None
            if search is None or names is None or not search.advance(names):
                break
        assert error_ is not None
        self._gave_up(tables, tenant, str(error_))

    def _gave_up(self, tables: Sequence[Table], tenant: str | None, reason: str) -> None:
        for table in tables:
            self.why.setdefault((table.qname, tenant), reason)

    def _tie(self, table: Table, tenant: str | None, link: Link) -> None:
        """Point a reference that was left NULL at a row that came later; what refuses it may stay NULL."""
        slot = Ask(self.shape, table, tenant, {}).parents(link)
        picked = ", ".join(f"s.{quote(c)}::text" for c in link.columns)
        query = f"SELECT {picked} FROM {slot.sql} AS s ORDER BY s.{quote('tenantry.at')} LIMIT 1"
        row = self.placer.conn.execute(query.encode()).fetchone()
        if row is None or None in row:
            return
        sets = ", ".join(f"{quote(c)} = {literal(v)}" for c, v in zip(link.columns, row, strict=True))
        empty = " OR ".join(f"t.{quote(c)} IS NULL" for c in link.columns)
        target = self.shape.targets.get(table.qname)
        whose = f" AND {target.owner('t')} = {literal(tenant)}" if target and tenant is not None else ""
        self.placer.send(
            [f"UPDATE ONLY {qualified(table.qname)} AS t SET {sets} WHERE ({empty}){whose}"], tenant
        )


def seed(conn: Conn, spec: Spec) -> Seeded:
    """Two tenants, and rows of both in every table that belongs to tenants; as a role that sees all rows.

    ``conn`` is in autocommit; rows that are there stay. Raises CatalogError when the database cannot be read, and
    psycopg.Error when the connection is lost.
    """
    for setting in ("row_security = off", "synchronous_commit = off", "datestyle = 'ISO, MDY'", "jit = off"):
        conn.execute(f"SET {setting}".encode())
    shape = shapes.read(conn, spec)
    groups = order(shape)
    circles = {name: group for group in groups for name in group if len(group) > 1}
    seeder = _Seeder(shape, Placer(conn, shape, Solver(conn, shape), keys.current(conn, spec)), circles)
    try:
        tenants = seeder.tenants()
    except Unseedable as error:
        return Seeded((), seeder.placer.rows, (Missing(spec.tenancy.tenants, "", str(error)),))
    seeder.fill(list(itertools.chain(*groups)), tenants)
    seeder.strangers(tenants)
    _move_sequences(conn, shape)
    return Seeded(tenants, seeder.placer.rows, tuple(_missing(seeder, tenants)), tuple(seeder.placer.notes))


def bounded(shape: Shape, target: Target) -> bool:
    """Whether the bounds of a partition decide about the tenant."""
    return any(not r.name and target.column in r.columns for r in shape.rules.get(target.table.qname, ()))


def _missing(seeder: _Seeder, tenants: Sequence[str]) -> Iterator[Missing]:
    """Looked up row by row: which tenant has none in which table."""
    shape = seeder.shape
    for name, target in sorted(shape.targets.items()):
        if target.kind == "tenants" or target.table.kind != "table":
            continue
        there = {t for t in tenants if _exists(seeder.placer.conn, target, t)}
        if bounded(shape, target) and (there or _exists(seeder.placer.conn, target, None)):
            continue
        for tenant in tenants:
            if tenant not in there:
                reason = seeder.why.get(
                    (name, tenant), "a row was written, and does not count as this tenant's"
                )
                yield Missing(name, tenant, reason)


def _exists(conn: Conn, target: Target, tenant: str | None) -> bool:
    where = f"{target.owner('t')} = {literal(tenant)}" if tenant is not None else "true"
    query = f"SELECT 1 FROM ONLY {target.sql} AS t WHERE {where} LIMIT 1"
    return conn.execute(query.encode()).fetchone() is not None


def _move_sequences(conn: Conn, shape: Shape) -> None:
    """Past the keys that were given, so that the next row's own is free."""
    for sequence in shape.catalog.sequences:
        if sequence.table is None or sequence.column is None or sequence.table not in shape.catalog.by_name:
            continue
        name = literal(qualified(sequence.qname))
        last = f"(SELECT pg_catalog.max({quote(sequence.column)}) FROM {qualified(sequence.table)})"
        try:
            conn.execute(
                f"SELECT pg_catalog.setval({name}, {last}::bigint) WHERE {last} IS NOT NULL".encode()
            )
        except psycopg.Error as error:  # counts down, or holds other numbers than these
            if error.sqlstate is None:
                raise


def _circle(shape: Shape, found: Sequence[Search]) -> str:
    """One statement that inserts a row into each table, each referring to the others' rows."""
    rows = {shape.root(s.ask.table.qname): s.row for s in found}
    parts = []
    for search in found:
        table = search.ask.table
        row = rows[shape.root(table.qname)]
        for link in shape.links(table):
            other = rows.get(shape.root(link.parent))
            if other is not None:
                row |= {c: other.get(r) for c, r in zip(link.columns, link.referenced, strict=True)}
        parts.append(insertion(table, row))
    *first, last = parts
    return "WITH " + ", ".join(f"i{n} AS ({part})" for n, part in enumerate(first)) + " " + last

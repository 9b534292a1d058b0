"""One row of one table: found by asking, inserted, and changed where the server refuses it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import psycopg

from tenantry.catalog import Table
from tenantry.names import QName, columns, display, literal, qualified
from tenantry.runtime import signing
from tenantry.session import Conn
from tenantry.world.shape import Link, Shape
from tenantry.world.solve import Ask, Group, Solver, Unsolvable, Values
from tenantry.world.values import mined

_LIFETIME = 60  # seconds from signing until the transaction begins

_TRIES = 300  # of one row
_BLIND = 30  # of them when the refusal does not say what it is about
_GROWTH = 8  # more rows of a parent, for keys that need another


class Unseedable(Exception):
    """A row could not be made; the message says which object refuses it."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the server did not take a row; ``columns`` and ``constraint`` as far as it said."""

    sqlstate: str
    message: str
    table: QName | None = None
    column: str = ""
    constraint: str = ""

    def __str__(self) -> str:
        where = f" (constraint {self.constraint})" if self.constraint else ""
        return f"{self.sqlstate} {self.message}{where}".strip()


@dataclass(slots=True)
class Search:
    """One row: its groups, each at one of its solutions."""

    solver: Solver
    ask: Ask
    groups: list[Group]

    def begin(self, offset: int) -> None:
        """Choose the solution at ``offset`` of each group, counted round, and the first of one with references.

        Raises Unsolvable when a group has none.
        """
        for group in self.groups:
            wanted = 0 if group.links else offset
            while len(group.solutions) <= wanted and self.solver.more(group, self.ask):
                pass
            if not group.solutions:
                raise Unsolvable(self.solver.reason(group, self.ask))
            group.at = wanted % len(group.solutions)

    @property
    def row(self) -> Values:
        found: Values = dict(self.ask.fixed)
        for group in self.groups:
            found |= group.chosen
        return found

    def advance(self, names: frozenset[str]) -> bool:
        """Change these columns' values (any, when empty), those without references first; False at the end."""
        touching = [g for g in self.groups if g.columns & names or not names]
        for group in sorted(touching, key=lambda g: (bool(g.links), sorted(g.columns))):
            if self._next(group, names or group.columns):
                return True
            group.at = 0  # and the next one goes on, as in an odometer
        return False

    def _next(self, group: Group, names: frozenset[str]) -> bool:
        now = {c: group.chosen[c] for c in group.columns & names}
        while True:
            group.at += 1
            if group.at >= len(group.solutions) and not self.solver.more(group, self.ask):
                return False
            if any(group.chosen[c] != v for c, v in now.items()):
                return True


@dataclass(slots=True)
class Placer:
    """Puts rows into one database, and remembers how many, and which references it left NULL."""

    conn: Conn
    shape: Shape
    solver: Solver
    key: signing.Key | None = None  # that tenants are signed with
    rows: int = 0
    notes: list[str] = field(default_factory=list)
    loose: list[tuple[Table, str | None, Link]] = field(default_factory=list)

    def search(
        self,
        table: Table,
        tenant: str | None,
        *,
        fixed: Mapping[str, str] | None = None,
        hints: Sequence[str] = (),
        offset: int = 0,
        without: frozenset[QName] = frozenset(),
    ) -> Search:
        """A row to try, with the values at ``offset``; references to ``without`` are left open. Raises Unsolvable."""
        given = self.shape.fixed(table, tenant) if fixed is None else fixed
        links = [link for link in self.shape.links(table) if link.parent not in without]
        ask = Ask(self.shape, table, tenant, given, tuple(hints), not self._has_rows(table, tenant))
        found = Search(self.solver, ask, self.solver.groups(table, given, links))
        found.begin(offset)
        return found

    def place(
        self,
        table: Table,
        tenant: str | None,
        fixed: Mapping[str, str] | None = None,
        *,
        offset: int = 0,
        depth: int = 0,
    ) -> Values:
        """Insert a row that the table takes. Raises Unseedable with what the last refusal said."""
        reason = ""
        for turn in range(_GROWTH + 1):
            try:
                search = self.search(table, tenant, fixed=fixed, offset=0 if turn else offset)
            except Unsolvable as error:
                reason = str(error)
            else:
                refusal = self._attempts(search, tenant, _TRIES)
                if refusal is None:
                    return self._placed(search, tenant)
                if self.columns(search, refusal) is None:
                    return self._stubborn(search, tenant, refusal)
                reason = str(refusal)
            if not (turn == 0 and offset) and not self._grow(table, tenant, depth):
                break
        raise Unseedable(reason)

    def _placed(self, search: Search, tenant: str | None) -> Values:
        row, table = search.row, search.ask.table
        for link in self.shape.links(table):
            if (
                not link.hard
                and not self.shape.itself(table, link)
                and any(row.get(c) is None for c in link.columns)
            ):
                self.loose.append((table, tenant, link))
        return row

    def _attempts(
        self,
        search: Search,
        tenant: str | None,
        tries: int,
        *,
        minimal: bool = False,
        blind: bool = False,
        force: bool = False,
    ) -> Refusal | None:
        """Insert, and change what was refused; None once it is in, else the last refusal."""
        error: Refusal | None = None
        for _ in range(tries):
            error = self._insert(search, tenant, minimal=minimal, force=force)
            if error is None:
                return None
            names = self.columns(search, error)
            if names is None and not blind:
                return error
            if not search.advance(names or frozenset()):
                return error
        return error

    def _stubborn(self, search: Search, tenant: str | None, error: Refusal) -> Values:
        """A refusal that names no constraint of the table: a trigger, a default, an expression. Raises Unseedable."""
        table, fixed = search.ask.table, search.ask.fixed
        called = {t.function for t in table.triggers}
        texts = [f.source for f in self.shape.catalog.functions if f.qname in called]
        hints = tuple(dict.fromkeys(h for text in texts for h in mined(text)))
        for use, minimal in (((), True), (hints, False), (hints, True)):
            try:
                again = self.search(table, tenant, fixed=fixed, hints=use)
            except Unsolvable:
                continue
            if self._attempts(again, tenant, _BLIND, minimal=minimal, blind=True) is None:
                return self._placed(again, tenant)
        by_force = self.search(table, tenant, fixed=fixed)
        if self._attempts(by_force, tenant, _BLIND, force=True) is None:
            self.notes.append(
                f"{display(table.qname)}: its row was written with triggers off, which refuse any: {error}"
            )
            return self._placed(by_force, tenant)
        raise Unseedable(str(error))

    def _insert(
        self, search: Search, tenant: str | None, *, minimal: bool = False, force: bool = False
    ) -> Refusal | None:
        row = search.row
        if minimal:
            row = {c: v for c, v in row.items() if self._needed(search, c)}
        return self.send([insertion(search.ask.table, row)], tenant, force=force)

    def _needed(self, search: Search, name: str) -> bool:
        column = search.ask.table.column(name)
        bound = any(name in r.columns for g in search.groups for r in g.rules)
        given = column is not None and (column.default or column.identity or not column.not_null)
        return name in search.ask.fixed or bound or search.ask.served(name) or not given

    def send(self, statements: Sequence[str], tenant: str | None, *, force: bool = False) -> Refusal | None:
        """One transaction under the tenant's setting; what refused it, or None. Raises psycopg.Error for a lost connection."""
        setting = self.shape.spec.tenancy.setting
        try:
            with self.conn.transaction():
                value = signing.value(self.key, tenant or "", _LIFETIME)
                self.conn.execute("SELECT pg_catalog.set_config(%s, %s, true)", (setting, value))
                if force:
                    self.conn.execute("SET LOCAL session_replication_role = replica")
                for statement in statements:
                    if self.conn.execute(statement.encode()).rowcount == 0:
                        return Refusal("", "the row was swallowed: a trigger or a rule wrote none")
                self.conn.execute("SET CONSTRAINTS ALL IMMEDIATE")
        except psycopg.Error as error:
            return _refusal(error)
        self.rows += len(statements)
        return None

    def columns(self, search: Search, error: Refusal) -> frozenset[str] | None:
        """The columns that a refusal is about; None when it does not say, or is about another table."""
        table = search.ask.table
        if not error.sqlstate.startswith("23") or error.table not in (None, table.qname):
            return None
        found = frozenset([error.column] if error.column else ())
        if error.constraint:
            found |= self.shape.blamed(table, error.constraint)
        free = found - search.ask.fixed.keys()
        made = any((c := table.column(name)) and c.generated for name in free)
        return (frozenset() if made else free) or (frozenset() if made else None)

    def _grow(self, table: Table, tenant: str | None, depth: int) -> bool:
        """Another row in each table that this one refers to; False when there is none to be had."""
        if depth > 1:
            return False
        parents = dict.fromkeys(
            self.shape.root(link.parent)
            for link in self.shape.links(table)
            if not self.shape.itself(table, link) and link.parent != self.shape.spec.tenancy.tenants
        )
        return sum(self._another(parent, tenant, depth + 1) for parent in parents) > 0  # each of them, once

    def _another(self, name: QName, tenant: str | None, depth: int) -> bool:
        """One more row in a table, in the last of its partitions that takes one: the first may have narrow bounds."""
        for leaf in reversed(self.shape.leaves(name)):
            mine = tenant if self.shape.belongs(name) else None
            try:
                self.place(leaf, mine, depth=depth)
            except Unseedable:
                continue
            return True
        return False

    def _has_rows(self, table: Table, tenant: str | None) -> bool:
        target = self.shape.targets.get(table.qname)
        where = f" WHERE {target.owner('t')} = {literal(tenant)}" if target and tenant is not None else ""
        root = self.shape.root(table.qname)
        only = "" if root != table.qname else "ONLY "
        query = f"SELECT 1 FROM {only}{qualified(root)} AS t{where} LIMIT 1"
        return self.conn.execute(query.encode()).fetchone() is not None


def insertion(table: Table, row: Mapping[str, str | None]) -> str:
    if not row:
        return f"INSERT INTO {qualified(table.qname)} DEFAULT VALUES"
    values = ", ".join(literal(v) for v in row.values())
    return f"INSERT INTO {qualified(table.qname)} ({columns(list(row))}) OVERRIDING SYSTEM VALUE VALUES ({values})"


def _refusal(error: psycopg.Error) -> Refusal:
    """Raises the error again when it is the connection that failed."""
    if error.sqlstate is None:
        raise error
    said = error.diag
    table = QName(said.schema_name or "", said.table_name) if said.table_name else None
    message = said.message_primary or str(error)
    return Refusal(error.sqlstate, message, table, said.column_name or "", said.constraint_name or "")

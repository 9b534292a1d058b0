"""Values that satisfy a table's rules, found by the server: it is given candidates and says which fit together.

Columns that a rule, a foreign key or nothing ties together make a group. A group's solutions are the rows of one
query over the cross product of its candidates, nearest to the front first; expressions are not read, only asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import psycopg

from tenantry.catalog import Column, Table
from tenantry.names import QName, columns, literal, qualified, quote
from tenantry.session import Conn
from tenantry.world.shape import Link, Rule, Shape
from tenantry.world.values import candidates, mined

Values = dict[str, str | None]

_PRODUCT = 60_000  # combinations that one query may look at
_SAFE_PRODUCT = 4_000  # the same where each is looked at by itself
_WIDTHS = (6, 30, 240, 2000)  # candidates of a column, try after try
_SOLUTIONS = 60  # asked for at once
_PARENTS = 40  # rows of a parent that are considered
_SECONDS = 5
_AT, _NULL = quote("tenantry.at"), quote("tenantry.null")

# A candidate as the type writes it, or NULL when it is no value of it; and a condition that cannot fail.
_HELPERS = (
    """CREATE OR REPLACE FUNCTION pg_temp.tenantry_value(candidate text, type text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE found text;
BEGIN
    EXECUTE pg_catalog.format('SELECT (%L::%s)::text', candidate, type) INTO found;
    RETURN found;
EXCEPTION WHEN OTHERS THEN RETURN NULL;
END $$""",
    """CREATE OR REPLACE FUNCTION pg_temp.tenantry_holds(condition text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE found boolean;
BEGIN
    EXECUTE 'SELECT (' || condition || ') IS NOT FALSE' INTO found;
    RETURN found;
EXCEPTION WHEN OTHERS THEN RETURN false;
END $$""",
)


class Unsolvable(Exception):
    """No candidates satisfy the rules; the message says which."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where some columns get their values: a FROM item with those columns, ``tenantry.at`` (what comes first) and
    ``tenantry.null``: the names of an application hardly have a dot.

    ``tenantry.null`` is true for the row that leaves a reference NULL; other slots then decide about shared columns.
    """

    columns: tuple[str, ...]
    sql: str
    size: int


@dataclass(slots=True)
class Group:
    """Columns whose values are found together. ``solutions`` are those asked for so far; ``at`` is the chosen one."""

    columns: frozenset[str]
    rules: tuple[Rule, ...]
    links: tuple[Link, ...]
    solutions: list[Values] = field(default_factory=list)
    at: int = 0
    width: int = -1

    @property
    def chosen(self) -> Values:
        return self.solutions[self.at]


@dataclass(slots=True)
class Solver:
    """Asks one server about one database. Values that were made for a type are kept."""

    conn: Conn
    shape: Shape
    known: dict[tuple[object, ...], tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for helper in _HELPERS:
            self.conn.execute(helper.encode())

    # Values of one column

    def values(
        self, table: QName, column: Column, rules: Sequence[Rule], extra: Sequence[str], width: int
    ) -> tuple[str, ...]:
        """The candidates of a column that its type (and domain) admits, as the type writes them."""
        hints = tuple(dict.fromkeys(h for rule in rules for h in mined(rule.expression))) + tuple(extra)
        oid = self.shape.columns[table, column.name]
        key = (oid, column.type, hints, width)
        if key not in self.known:
            texts = candidates(self.shape.types, oid, column.type, hints, width)
            query = (
                "SELECT pg_temp.tenantry_value(c.v, %s) FROM pg_catalog.unnest(%s::text[]) WITH ORDINALITY AS c (v, o) "
                "ORDER BY c.o"
            )
            rows = self.conn.execute(query, (column.type, list(texts))).fetchall()
            found = (row[0] for row in rows if row[0] is not None)
            self.known[key] = tuple(dict.fromkeys(found))
        return self.known[key]

    # Groups

    def groups(self, table: Table, fixed: Mapping[str, str], links: Sequence[Link]) -> list[Group]:
        """The columns of a table by what ties them together; fixed ones tie nothing."""
        rules = self.shape.rules.get(table.qname, ())
        free = [c.name for c in table.columns if not c.generated and c.name not in fixed]
        ties = [rule.columns for rule in rules] + [frozenset(link.columns) for link in links]
        ties += [
            frozenset(link.columns + link.referenced) for link in links if self.shape.itself(table, link)
        ]
        parts = _tied(free, ties)
        found = [
            Group(
                frozenset(part),
                tuple(r for r in rules if r.columns & part),
                tuple(link for link in links if part & set(link.columns)),
            )
            for part in parts
        ]
        bare = tuple(r for r in rules if not r.columns & set(free))
        return [*found, *([Group(frozenset(), bare, ())] if bare else [])]

    def more(self, group: Group, ask: Ask) -> bool:
        """Ask for solutions that were not asked for yet; False when there are none."""
        while group.width + 1 < len(_WIDTHS):
            group.width += 1
            known = len(group.solutions)
            found = self._solutions(group, ask, _WIDTHS[group.width], known + _SOLUTIONS)
            group.solutions += [s for s in found if s not in group.solutions]
            if len(group.solutions) > known:
                return True
        return False

    def reason(self, group: Group, ask: Ask) -> str:
        """Why a group has no solution: the first rule that nothing satisfies by itself, or all of them."""
        for name in sorted(group.columns):
            column = ask.table.column(name)
            if (
                column
                and not ask.served(name)
                and column.not_null
                and not self._of(group, ask, column, _WIDTHS[0])
            ):
                return f"no value of type {column.type} can be made for column {name}"
        for rule in group.rules:
            alone = Group(group.columns, (rule,), group.links)
            if not self.more(alone, ask):
                return f"{rule.told}: nothing tried satisfies it: {rule.expression}"
        for link in group.links:
            if not self.more(Group(group.columns, (), (link,)), ask):
                return f"there is no row of {link.parent} to refer to"
        told = [r.told for r in group.rules] + [f"the reference to {link.parent}" for link in group.links]
        return f"nothing tried satisfies {', '.join(told) or 'the columns ' + ', '.join(sorted(group.columns))} together"

    def _of(self, group: Group, ask: Ask, column: Column, width: int) -> list[str | None]:
        """The values to try for a column, NULL among them where it may be."""
        rules = [r for r in group.rules if column.name in r.columns]
        found: list[str | None] = [*self.values(ask.table.qname, column, rules, ask.hints, width)]
        if not rules:
            found = found[:width]
        return found if column.not_null else [*found[:2], None, *found[2:]] if rules else [*found, None]

    def _solutions(self, group: Group, ask: Ask, width: int, limit: int) -> list[Values]:
        slots = list(self._slots(group, ask, width, _PRODUCT))
        if len(slots) == 1 and not group.rules and not group.links:
            (name,) = group.columns
            column = ask.table.column(name)
            assert column is not None
            return [{name: v} for v in self._of(group, ask, column, width)]
        try:
            return self._asked(group, ask, slots, limit, safe=False)
        except psycopg.Error as error:
            if error.sqlstate is None:
                raise
        slots = list(self._slots(group, ask, width, _SAFE_PRODUCT))
        try:
            return self._asked(group, ask, slots, limit, safe=True)
        except psycopg.Error as error:
            if error.sqlstate is None:
                raise
            return []

    def _slots(self, group: Group, ask: Ask, width: int, product: int) -> Iterator[Slot]:
        """One slot for each reference, each column that none serves, and each fixed column that a rule names."""
        links = [link for link in group.links if not (ask.first and ask.shape.itself(ask.table, link))]
        served = {c for link in group.links for c in link.columns}
        wanted = served | {c for link in group.links for c in link.referenced}
        wanted |= {c for rule in group.rules for c in rule.columns}
        for name, value in ask.fixed.items():
            if name in wanted:
                yield Slot((name,), _item(ask.table, {name: [value]}), 1)
        for link in links:
            yield ask.parents(link)
        single = [c for c in ask.table.columns if c.name in group.columns - served]
        most = max(3, int(product ** (1 / max(1, len(single))))) if group.rules or links else width
        for column in single:
            values = self._of(group, ask, column, width)[: min(most, product)]
            yield Slot((column.name,), _item(ask.table, {column.name: values}), len(values))

    def _asked(
        self, group: Group, ask: Ask, slots: Sequence[Slot], limit: int, *, safe: bool
    ) -> list[Values]:
        query = _query(group, ask, slots, limit, safe=safe)
        if query is None:
            return []
        names = sorted(group.columns)
        with self.conn.transaction(force_rollback=True):
            self.conn.execute(f"SET LOCAL statement_timeout = '{_SECONDS}s'".encode())
            rows = self.conn.execute(query.encode()).fetchall()
        return [dict(zip(names, row, strict=True)) if names else {} for row in rows]


@dataclass(frozen=True, slots=True)
class Ask:
    """The row that is wanted: whose it is (``fixed``), where its references may point, whether it is the first.

    The first row of a table that must refer to itself refers to the very row.
    """

    shape: Shape
    table: Table
    tenant: str | None
    fixed: Mapping[str, str]
    hints: tuple[str, ...] = ()
    first: bool = False

    def served(self, column: str) -> bool:
        """Whether a reference gives the column its value."""
        return any(column in link.columns for link in self.shape.links(self.table))

    def parents(self, link: Link) -> Slot:
        """The rows that a reference may point at, of the row's own tenant where they belong to tenants.

        The newest come first, so that a table's first row is one that nothing refers to: it may change its key.
        """
        parent = self.shape.catalog.by_name[link.parent]
        target = self.shape.targets.get(link.parent)
        where = ["true"]
        if target is not None and self.tenant is not None and target.kind != "trail":
            where = [f"{target.owner('p')} = {literal(self.tenant)}"]
        where += [f"p.{quote(c)} IS NOT NULL" for c in link.referenced]
        pairs = list(zip(link.columns, link.referenced, strict=True))
        picked = ", ".join(f"p.{quote(r)}::{self._type(c)} AS {quote(c)}" for c, r in pairs)
        only = "" if parent.kind == "partitioned" else "ONLY "
        sql = (
            f"(SELECT {picked}, pg_catalog.row_number() OVER (ORDER BY p.tableoid DESC, p.ctid DESC) AS {_AT}, false AS {_NULL} "
            f"FROM {only}{qualified(link.parent)} AS p WHERE {' AND '.join(where)} ORDER BY p.tableoid DESC, p.ctid DESC LIMIT {_PARENTS})"
        )
        if not link.hard:
            nothing = ", ".join(f"NULL::{self._type(c)} AS {quote(c)}" for c in link.columns)
            sql = f"({sql} UNION ALL SELECT {nothing}, 1000, true)"
        return Slot(link.columns, sql, _PARENTS)

    def _type(self, column: str) -> str:
        found = self.table.column(column)
        return found.type if found else "text"


def _item(table: Table, values: Mapping[str, Sequence[str | None]]) -> str:
    """A FROM item of one column's values."""
    ((name, texts),) = values.items()
    column = table.column(name)
    type_ = column.type if column else "text"
    array = ", ".join(literal(t) for t in texts)
    return (
        f"(SELECT u.v::{type_} AS {quote(name)}, u.o AS {_AT}, false AS {_NULL} "
        f"FROM pg_catalog.unnest(ARRAY[{array}]::text[]) WITH ORDINALITY AS u (v, o))"
    )


def _tied(names: Sequence[str], ties: Sequence[frozenset[str]]) -> list[frozenset[str]]:
    """The names in groups: two that a tie names are in one."""
    group = {name: {name} for name in names}
    for tie in ties:
        some = [name for name in names if name in tie]
        whole = set().union(*(group[name] for name in some)) if some else set()
        for name in whole:
            group[name] = whole
    return list(dict.fromkeys(frozenset(group[name]) for name in names))


def _query(group: Group, ask: Ask, slots: Sequence[Slot], limit: int, *, safe: bool) -> str | None:
    """The query over the cross product; None when a column of the group has no slot."""
    table, given = ask.table, dict[str, str]()
    conditions = []
    for number, slot in enumerate(slots):
        for name in slot.columns:
            here = f"s{number}.{quote(name)}"
            if name in given:
                conditions.append(f"(s{number}.{_NULL} OR {here} = {given[name]})")
            given.setdefault(name, here)
    for link in group.links:
        if ask.first and ask.shape.itself(table, link):  # to itself
            for c, r in zip(link.columns, link.referenced, strict=True):
                if r in given and c in given and c != r:
                    conditions.append(f"{given[c]} = {given[r]}")
                elif r in given and link.hard:
                    given.setdefault(c, given[r])
                else:
                    given.setdefault(c, f"NULL::{_type_of(table, c)}")
    if not group.columns <= given.keys():
        return None
    picked = ", ".join(
        [*(f"{sql} AS {quote(name)}" for name, sql in given.items()), f"{_sum(slots)} AS {_AT}"]
    )
    source = ", ".join(f"{slot.sql} AS s{number}" for number, slot in enumerate(slots))
    inner = f"SELECT {picked}" + (f" FROM {source}" if source else "")
    inner += f" WHERE {' AND '.join(conditions)}" if conditions else ""
    made = [c for c in table.columns if c.generated and any(c.name in r.columns for r in group.rules)]
    if made:
        more = ", ".join(f"({c.default})::{c.type} AS {quote(c.name)}" for c in made)
        inner = f"SELECT {quote(table.name)}.*, {more} FROM ({inner}) AS {quote(table.name)}"
    holds = [_condition(r, given, made, table, safe=safe) for r in group.rules]
    names = sorted(group.columns)
    out = ", ".join(f"{quote(n)}::text" for n in names) or "1"
    query = f"SELECT {out} FROM ({inner}) AS {quote(table.name)}"
    query += f" WHERE {' AND '.join(holds)}" if holds else ""
    small = all(s.size for s in slots) and _product(slots) <= _PRODUCT
    return (
        query
        + (f" ORDER BY {_AT}, " + ", ".join(f"{quote(n)}::text" for n in names) if small and names else "")
        + f" LIMIT {limit}"
    )


def _condition(
    rule: Rule, given: Mapping[str, str], made: Sequence[Column], table: Table, *, safe: bool
) -> str:
    if not safe:
        return f"({rule.expression}) IS NOT FALSE"
    names = [n for n in given if n in rule.columns] + [c.name for c in made if c.name in rule.columns]
    if not names:
        return f"pg_temp.tenantry_holds({literal(rule.expression)})"
    # The condition is put together for each row: whatever it raises then concerns that row alone.
    parts = ", ".join(f"%L::{_type_of(table, n)} AS {quote(n).replace('%', '%%')}" for n in names)
    text = f"SELECT {rule.expression.replace('%', '%%')} FROM (SELECT {parts}) AS {quote(table.name).replace('%', '%%')}"
    return f"pg_temp.tenantry_holds(pg_catalog.format({literal(text)}, {columns(names)}))"


def _type_of(table: Table, name: str) -> str:
    column = table.column(name)
    return column.type.replace("%", "%%") if column else "text"


def _sum(slots: Sequence[Slot]) -> str:
    return " + ".join(f"s{number}.{_AT}" for number in range(len(slots))) or "0"


def _product(slots: Sequence[Slot]) -> int:
    product = 1
    for slot in slots:
        product *= max(1, slot.size)
    return product

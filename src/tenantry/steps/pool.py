"""Names for what a conversion makes, that nothing else has; and which index that is there already is whose."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tenantry import names
from tenantry.catalog import Index, Table
from tenantry.conversion import Conversion
from tenantry.names import QName


def same(a: Index, b: Index) -> bool:
    """Equal but for the name and what stands behind it."""
    return (a.method, a.keys, a.include, a.predicate, a.nulls_not_distinct, a.unique, a.exclusion) == (
        b.method, b.keys, b.include, b.predicate, b.nulls_not_distinct, b.unique, b.exclusion,
    )  # fmt: skip


class Pool:
    """Names of a conversion: those of the catalog, and those handed out."""

    def __init__(self, c: Conversion, given: Iterable[QName] = ()) -> None:
        self._there = c.catalog.relation_names
        self._given: dict[str, set[str]] = {}
        for name in given:
            self._given.setdefault(name.schema, set()).add(name.name)
        self._claimed: set[QName] = set()

    def claim(self, table: Table, serving: Iterable[Index]) -> Index | None:
        """The first of some indexes that nobody has claimed; of two keys over the same columns each gets its own."""
        for index in serving:
            name = QName(table.schema, index.name)
            if name not in self._claimed:
                self._claimed.add(name)
                return index
        return None

    def take(self, table: Table, wanted: str, new: Index) -> str:
        """A free name for an index and its constraint.

        An INVALID index that an interrupted build of the very index left does not hold its name.
        """
        given = self._given.setdefault(table.schema, set())
        leftovers = {i.name for i in table.indexes if not i.valid and same(i, new)}
        there = self._there.get(table.schema, frozenset())
        local = {k.name for k in table.constraints}
        # A big schema has many names: they are asked, not copied.
        name = names.free(
            wanted, _Taken(lambda n: n in given or ((n in there or n in local) and n not in leftovers))
        )
        given.add(name)
        return name

    def server(self, table: Table, new: Index, label: str) -> str:
        """The name that the server gives the part of an index that a partition has: ``label`` is idx, key or pkey."""
        given = self._given.setdefault(table.schema, set())
        there = self._there.get(table.schema, frozenset())
        own = {
            i.name
            for i in table.indexes
            if (not i.valid and same(i, new)) or (i.primary and label == "pkey")  # makes room for the new one
        }
        keyed = [k.column or "expr" for k in new.keys] if label != "pkey" else []
        name = names.server_index(
            table.name, [*keyed, *(new.include if keyed else ())], label,
            _Taken(lambda n: n in given or (n in there and n not in own)),
        )  # fmt: skip
        given.add(name)
        return name


class _Taken:
    """A container that only answers whether it has a name."""

    def __init__(self, has: Callable[[str], bool]) -> None:
        self._has = has

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._has(name)

"""In which order tables are filled: what others refer to first; those that must refer to each other together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tenantry.catalog import Table
from tenantry.names import QName
from tenantry.world.shape import Shape

_MOST = 6  # rows that a table is given for this
_Graph = Mapping[QName, tuple[QName, ...]]


def order(shape: Shape) -> list[tuple[QName, ...]]:
    """Every table that holds rows of its own, partitions under their root, as groups in the order of filling.

    A group of several are tables whose references go in a circle and may not be NULL.
    """
    roots = sorted(
        t.qname
        for t in shape.catalog.tables
        if not t.partition_of and t.kind != "foreign" and not t.extension
    )
    hard = {root: _parents(shape, root, hard=True) for root in roots}
    every = {root: _parents(shape, root, hard=False) for root in roots}
    circles = {name: part for part in _components(hard) for name in part}
    found: dict[tuple[QName, ...], None] = {}
    for name in _parents_first(every):
        found.setdefault(circles[name])
    return _settled(list(found), hard)


def counts(shape: Shape, names: Sequence[QName]) -> dict[QName, int]:
    """How many rows of a tenant each table should have: two, and one more than whatever refers to it one to one.

    So there is always a row that nothing refers to, whose key may change and be taken.
    """
    found = dict.fromkeys(names, 2)
    single = {
        name: [shape.root(p) for leaf in shape.leaves(name) for p in _single(shape, leaf)] for name in names
    }
    for name in reversed(names):  # parents come first there, so what refers to a table is counted by now
        for parent in single[name]:
            found[parent] = min(max(found.get(parent, 2), found[name] + 1), _MOST)
    return found


def _single(shape: Shape, table: Table) -> Iterator[QName]:
    """The tables that a table refers to one to one: by columns that are a key, with or without the tenant."""
    target = shape.targets.get(table.qname)
    tenant = {target.column} if target else set()
    keys = [set(i.key_columns) - tenant for i in table.indexes if i.unique]
    for link in shape.links(table):
        if any(key and key <= set(link.columns) for key in keys) and not shape.itself(table, link):
            yield link.parent


def _parents(shape: Shape, root: QName, *, hard: bool) -> tuple[QName, ...]:
    links = [link for leaf in shape.leaves(root) for link in shape.links(leaf)]
    names = {shape.root(link.parent) for link in links if link.hard or not hard}
    return tuple(sorted(n for n in names - {root} if shape.catalog.by_name[n].kind != "foreign"))


def _parents_first(graph: _Graph) -> list[QName]:
    """Depth first; an edge back into what is being walked is left for later."""
    done: dict[QName, None] = {}
    seen: set[QName] = set()
    for start in graph:
        stack = [(start, False)]
        while stack:
            name, left = stack.pop()
            if left:
                done.setdefault(name)
            elif name not in seen and name in graph:
                seen.add(name)
                stack.append((name, True))
                stack += [(parent, False) for parent in reversed(graph[name])]
    return list(done)


def _components(graph: _Graph) -> list[tuple[QName, ...]]:
    """The strongly connected parts (Kosaraju)."""
    backwards: dict[QName, list[QName]] = {name: [] for name in graph}
    for name, parents in graph.items():
        for parent in parents:
            backwards[parent].append(name)
    found, seen = [], set[QName]()
    for start in reversed(_parents_first(graph)):
        part, stack = [], [start]
        while stack:
            name = stack.pop()
            if name not in seen:
                seen.add(name)
                part.append(name)
                stack += backwards[name]
        if part:
            found.append(tuple(sorted(part)))
    return found


def _settled(groups: list[tuple[QName, ...]], hard: _Graph) -> list[tuple[QName, ...]]:
    """The groups so that none comes before one that it cannot do without."""
    whose = {name: group for group in groups for name in group}
    needs = {group: tuple(dict.fromkeys(whose[p] for n in group for p in hard[n])) for group in groups}
    done: dict[tuple[QName, ...], None] = {}
    seen: set[tuple[QName, ...]] = set()
    for start in groups:
        stack = [(start, False)]
        while stack:
            group, left = stack.pop()
            if left:
                done.setdefault(group)
            elif group not in seen:
                seen.add(group)
                stack.append((group, True))
                stack += [(other, False) for other in reversed(needs[group])]
    return list(done)

"""In which order tables are filled: what others refer to first; those that must refer to each other together."""

from __future__ import annotations

from collections.abc import Mapping

from tenantry.names import QName
from tenantry.world.shape import Shape

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

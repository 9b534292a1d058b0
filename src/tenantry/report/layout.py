"""Where the tables of a map go: layers by foreign key while there are few, boxes of related tables when there are many.

The layers follow Sugiyama, Tagawa and Toda (1981): depth by longest path, edges that close a circle left out, then
sweeps that put each table near the middle of its neighbours. The same tables give the same map.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tenantry.finding import Place

FEW = 60  # tables that are drawn one by one, with an arrow for each foreign key
NAMED = 250  # tables that have their name on the map; of more, each is a square
NODE = (176, 28)
_GAP = (64, 10)
_TALL = 14  # tables in one column of a layer
_BEND = 12  # height of what keeps a place for a line between tables
_TIP = 5  # of an arrow
_SWEEPS = 4
_WIDE = 1180  # of the whole map when it is made of boxes
_SQUARE = 15
_HEAD = 40  # title and second line of a box
_PAD = 10
_HUB = 5  # tables that refer to a hub, at least


@dataclass(frozen=True, slots=True)
class Node:
    """A table: upper left corner and size."""

    name: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Edge:
    """A foreign key, from the table that has it to the one it names: the corners of its line, two for each gap."""

    child: str
    parent: str
    corners: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Group:
    """A box around tables that hang together, named after the one that the others refer to."""

    title: str
    members: tuple[str, ...]
    refers: tuple[str, ...]
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Map:
    """A drawing. ``hubs`` are tables to which so many refer that no arrow to them is drawn."""

    width: float
    height: float
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...] = ()
    groups: tuple[Group, ...] = ()
    hubs: tuple[str, ...] = ()


def lay(places: Sequence[Place], notable: frozenset[str] = frozenset()) -> Map:
    """The map of some tables; ``notable`` are those that must not be hidden in a box of many."""
    names = sorted({p.name for p in places})
    there = set(names)
    parents = {p.name: sorted({r for r in p.references if r in there and r != p.name}) for p in places}
    hubs = _hubs(parents)
    drawn = {name: [p for p in parents[name] if p not in hubs] for name in names}
    return _layers(names, drawn, hubs) if len(names) <= FEW else _boxes(names, drawn, hubs, notable)


def _hubs(parents: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Tables to which more than two thirds of the others refer."""
    count = Counter(p for found in parents.values() for p in found)
    return tuple(sorted(n for n, c in count.items() if c >= _HUB and c > (len(parents) - 1) * 2 / 3))


# Few tables


@dataclass(frozen=True, slots=True)
class _Layers:
    """Columns of tables and bends. A bend keeps a place for a line that passes; no table has such a name."""

    columns: list[list[str]]
    chains: Mapping[tuple[str, str], tuple[str, ...]]  # of each foreign key: child, bends, parent


def _layers(names: Sequence[str], parents: Mapping[str, Sequence[str]], hubs: tuple[str, ...]) -> Map:
    linked = {n for n in names if parents[n]} | {p for found in parents.values() for p in found}
    made = _columns([n for n in names if n in linked], parents)
    _untangle(made)
    at = _places(made.columns)
    edges = tuple(Edge(*key, _corners([at[n] for n in chain])) for key, chain in made.chains.items())
    nodes = [node for name, node in at.items() if name in linked]
    alone = [n for n in names if n not in linked]
    width, height = NODE[0] + _GAP[0], NODE[1] + _GAP[1]
    across = max(len(made.columns), min(5, len(alone)), 1)
    below = max((n.y + n.height for n in at.values()), default=-24) + 24
    nodes += [
        Node(name, (i % across) * width, below + (i // across) * height, *NODE)
        for i, name in enumerate(alone)
    ]
    total = (max((n.x for n in nodes), default=0) + NODE[0], max((n.y for n in nodes), default=0) + NODE[1])
    return Map(*total, tuple(nodes), edges, hubs=hubs)


def _columns(names: Sequence[str], parents: Mapping[str, Sequence[str]]) -> _Layers:
    """Columns from the tables that refer to none to those that refer to others; a full one goes on beside itself."""
    depth = _depths(names, parents)
    columns: list[list[str]] = []
    for level in range(max(depth.values(), default=-1) + 1):
        row = sorted((n for n in names if depth[n] == level), key=lambda n: (parents[n], n))
        size = -(-len(row) // -(-len(row) // _TALL))  # as even as can be
        columns += [row[i : i + size] for i in range(0, len(row), size)]
    place = {name: x for x, column in enumerate(columns) for name in column}
    chains: dict[tuple[str, str], tuple[str, ...]] = {}
    for child in names:
        for parent in parents[child]:
            between = range(place[child] - 1, place[parent], -1)
            bends = [f"\0{child}\0{parent}\0{x}" for x in between]
            for x, bend in zip(between, bends, strict=True):
                columns[x].append(bend)
            chains[child, parent] = (child, *bends, parent)
    return _Layers(columns, chains)


def _depths(names: Sequence[str], parents: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The longest chain of references from each table; a reference that closes a circle counts for nothing."""
    depth: dict[str, int] = {}
    for start in names:
        path = [] if start in depth else [start]
        while path:
            name = path[-1]
            step = next((p for p in parents[name] if p not in depth and p not in path), None)
            if step is not None:
                path.append(step)
                continue
            path.pop()
            depth[name] = 1 + max((depth[p] for p in parents[name] if p in depth), default=-1)
    return depth


def _untangle(made: _Layers) -> None:
    """Order each column so that few lines cross: everything goes near the middle of what it is joined to."""
    left: dict[str, list[str]] = {}
    right: dict[str, list[str]] = {}
    for chain in made.chains.values():
        for here, there in pairwise(chain):
            left.setdefault(here, []).append(there)
            right.setdefault(there, []).append(here)
    place = {n: (i + 0.5) / len(column) for column in made.columns for i, n in enumerate(column)}
    for sweep in range(_SWEEPS):
        near = right if sweep % 2 else left
        for column in reversed(made.columns) if sweep % 2 else made.columns:
            middle = {
                n: sum(place[o] for o in found) / len(found) if (found := near.get(n)) else place[n]
                for n in column
            }
            column.sort(key=lambda n: (middle[n], n))
            place |= {n: (i + 0.5) / len(column) for i, n in enumerate(column)}


def _places(columns: Sequence[Sequence[str]]) -> dict[str, Node]:
    """Every column is centred beside the tallest one."""
    tall = [sum(_tall(n) + _GAP[1] for n in column) for column in columns]
    found: dict[str, Node] = {}
    for x, column in enumerate(columns):
        y = (max(tall) - tall[x]) / 2
        for name in column:
            found[name] = Node(name, x * (NODE[0] + _GAP[0]), y, NODE[0], _tall(name))
            y += _tall(name) + _GAP[1]
    return found


def _tall(name: str) -> float:
    return _BEND if name.startswith("\0") else NODE[1]


def _corners(chain: Sequence[Node]) -> tuple[tuple[float, float], ...]:
    """From the left side of the table to the right side of the one that it refers to; around, where that is not left of it."""
    here, there = chain[0], chain[-1]
    end = (there.x + there.width + _TIP, there.y + there.height / 2)
    if there.x >= here.x:
        return (here.x + here.width, here.y + here.height / 2), end
    inner = [(x, bend.y + bend.height / 2) for bend in chain[1:-1] for x in (bend.x + bend.width, bend.x)]
    return (here.x, here.y + here.height / 2), *inner, end


# Many tables


def _boxes(
    names: Sequence[str], parents: Mapping[str, Sequence[str]], hubs: tuple[str, ...], notable: frozenset[str]
) -> Map:
    """Related tables in one box each, boxes with something notable first; what is alone shares the last ones."""
    families = _families(names, parents)
    root = {member: title for title, members in families.items() for member in members}
    refers = {
        title: tuple(sorted({root[p] for m in members for p in parents[m]} - {title}))
        for title, members in families.items()
    }
    single = [
        t for t, members in families.items() if len(members) == 1 and not refers[t] and t not in notable
    ]
    small = [t for t, m in families.items() if len(m) < 4 and t not in single and not notable & {*m}]
    if len(families) - len(single) <= FEW:
        small = []
    kept = [t for t in families if t not in {*single, *small}]
    kept.sort(key=lambda t: (not notable & {*families[t]}, -len(families[t]), t))
    boxes = [(t, families[t], refers[t]) for t in kept]
    for title, members in (("small groups", small), ("not connected", single)):
        if members:
            boxes.append((title, tuple(n for t in members for n in families[t]), ()))
    return _shelves(boxes, len(names) <= NAMED, hubs)


def _families(names: Sequence[str], parents: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Each table with the one that it leads to, from parent to parent; the parent of most children is followed."""
    count = Counter(p for found in parents.values() for p in found)
    first = {n: min(parents[n], key=lambda p: (-count[p], p)) for n in names if parents[n]}
    found: dict[str, list[str]] = {}
    for name in names:
        seen = [name]
        while (above := first.get(seen[-1])) is not None and above not in seen:
            seen.append(above)
        circle = seen[seen.index(above) :] if above is not None else seen[-1:]
        found.setdefault(min(circle), []).append(name)
    return {title: (title, *(m for m in members if m != title)) for title, members in sorted(found.items())}


def _shelves(
    boxes: Sequence[tuple[str, tuple[str, ...], tuple[str, ...]]], named: bool, hubs: tuple[str, ...]
) -> Map:
    """Boxes from left to right, then in the next row."""
    width, height = (NODE[0], NODE[1] - 4) if named else (_SQUARE, _SQUARE)
    gap = 6 if named else 4
    x = y = row = 0.0
    nodes: list[Node] = []
    groups: list[Group] = []
    for title, members, refers in boxes:
        across = _across(len(members), named)
        wide = max(across * (width + gap) - gap, NODE[0]) + 2 * _PAD
        tall = -(-len(members) // across) * (height + gap) - gap + _HEAD + _PAD
        if x and x + wide > _WIDE:
            x, y, row = 0.0, y + row + 12, 0.0
        groups.append(Group(title, members, refers, x, y, wide, tall))
        nodes += [
            Node(
                m,
                x + _PAD + (i % across) * (width + gap),
                y + _HEAD + (i // across) * (height + gap),
                width,
                height,
            )
            for i, m in enumerate(members)
        ]
        x, row = x + wide + 12, max(row, tall)
    total = max((g.x + g.width for g in groups), default=0)
    return Map(total, y + row, tuple(nodes), groups=tuple(groups), hubs=hubs)


def _across(count: int, named: bool) -> int:
    """Tables in one row of a box: about as wide as high, and never wider than the map."""
    if named:
        return min(max(1, round(math.sqrt(count / 4))), 6)
    return min(max(10, round(math.sqrt(count * 3))), (_WIDE - 2 * _PAD) // (_SQUARE + 4))

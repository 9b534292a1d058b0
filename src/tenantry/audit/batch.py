"""A batch: events sealed together, each tenant's in a Merkle tree of its own under one root.

The batch's tree has one leaf for each tenant's subtree, at a random place among empty ones, and each leaf is blinded:
a tenant that is shown its own leaf and the path above it learns nothing of who else was active.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from tenantry.audit import canon, tree

WIDTH = 16  # places at least; so that a path does not tell whether there were two tenants or ten


@dataclass(frozen=True, slots=True)
class Subtree:
    """The events of one tenant in a batch: hashes and ids, in order. ``place`` is its leaf in the batch's tree."""

    place: int
    tenant: str | None
    leaves: tuple[bytes, ...]
    keys: tuple[str, ...]


def blind(seed: bytes, place: int) -> bytes:
    """What hides the tenant of a place from everybody who does not know it."""
    return sha256(b"blind" + seed + place.to_bytes(4)).digest()


def label(tenant: str | None, hidden: bytes, size: int, root: bytes) -> bytes:
    """The leaf of a tenant's subtree in the batch's tree."""
    return tree.leaf(canon.encode([tenant, hidden.hex(), str(size), root.hex()]))


def width(subtrees: int) -> int:
    """How many places a batch's tree has: a power of two."""
    return max(WIDTH, 1 << max(subtrees - 1, 0).bit_length())


def places(seed: bytes, subtrees: Sequence[Subtree]) -> list[bytes]:
    """All leaves of a batch's tree, the empty ones among them. Raises ValueError for a place outside of it."""
    found = [tree.leaf(b"empty" + blind(seed, place)) for place in range(width(len(subtrees)))]
    for sub in subtrees:
        if not 0 <= sub.place < len(found):
            raise ValueError(f"place {sub.place} of {len(found)}")
        found[sub.place] = label(sub.tenant, blind(seed, sub.place), len(sub.leaves), tree.root(sub.leaves))
    return found


def arrange(events: Mapping[str | None, Sequence[tuple[str, bytes]]], seed: bytes) -> list[Subtree]:
    """Give each tenant's events (id and leaf hash) a place that follows from the seed alone."""
    free = list(range(width(len(events))))
    random.Random(seed).shuffle(free)  # noqa: S311 - the seed is the secret
    return [
        Subtree(place, tenant, tuple(leaf for _, leaf in rows), tuple(key for key, _ in rows))
        for place, (tenant, rows) in zip(free, events.items(), strict=False)
    ]

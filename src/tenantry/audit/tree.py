"""Merkle trees of RFC 6962: roots, inclusion proofs, consistency proofs, and a frontier that grows by one leaf.

A tree is given as the sequence of its leaf hashes (32 bytes each); what a leaf hash is made of is the caller's.
Proofs are made by RFC 6962, 2.1.1 and 2.1.2, and checked by RFC 9162, 2.1.3.2 and 2.1.4.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

SIZE = 32
EMPTY = sha256().digest()


def leaf(data: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\x00" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The root of a tree. Level by level, an odd last node moves up: the same tree as the RFC's recursion."""
    if not leaves:
        return EMPTY
    level = list(leaves)
    while len(level) > 1:
        level = _up(level)
    return level[0]


def _up(level: list[bytes]) -> list[bytes]:
    paired = [
        sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)
    ]
    return paired + level[-1:] if len(level) % 2 else paired


def inclusion(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The siblings from leaf ``index`` up to the root. Raises IndexError for a leaf that is not there."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"leaf {index} of {len(leaves)}")
    path, level = [], list(leaves)
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        level, index = _up(level), index // 2
    return path


def consistency(leaves: Sequence[bytes], first: int) -> list[bytes]:
    """What shows that the tree of the ``first`` leaves is the beginning of this one. Raises IndexError."""
    if not 0 <= first <= len(leaves):
        raise IndexError(f"a beginning of {first} leaves of {len(leaves)}")
    return [] if first in (0, len(leaves)) else _subproof(leaves, first, whole=True)


def _subproof(leaves: Sequence[bytes], first: int, *, whole: bool) -> list[bytes]:
    if first == len(leaves):
        return [] if whole else [root(leaves)]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if first <= split:
        return [*_subproof(leaves[:split], first, whole=whole), root(leaves[split:])]
    return [*_subproof(leaves[split:], first - split, whole=False), root(leaves[:split])]


def includes(leaf_hash: bytes, index: int, size: int, path: Sequence[bytes], expected: bytes) -> bool:
    """Whether a proof shows that leaf ``index`` of the tree of ``size`` leaves with that root is this one."""
    if not 0 <= index < size:
        return False
    here, last, found = index, size - 1, leaf_hash
    for sibling in path:
        if last == 0:
            return False
        if here % 2 or here == last:
            found = node(sibling, found)
            while here % 2 == 0 and here:
                here, last = here // 2, last // 2
        else:
            found = node(found, sibling)
        here, last = here // 2, last // 2
    return last == 0 and found == expected


def consistent(first: int, first_root: bytes, size: int, expected: bytes, path: Sequence[bytes]) -> bool:
    """Whether a proof shows that the tree of ``first`` leaves is the beginning of the one of ``size`` leaves."""
    if first == size or first == 0:
        return not path and (first_root == expected if first else first_root == EMPTY)
    if not 0 < first < size or not path:
        return False
    steps = list(path) if first & (first - 1) else [first_root, *path]
    here, last = first - 1, size - 1
    while here % 2:
        here, last = here // 2, last // 2
    old = new = steps[0]
    for sibling in steps[1:]:
        if last == 0:
            return False
        if here % 2 or here == last:
            old, new = node(sibling, old), node(sibling, new)
            while here % 2 == 0 and here:
                here, last = here // 2, last // 2
        else:
            new = node(new, sibling)
        here, last = here // 2, last // 2
    return last == 0 and old == first_root and new == expected


@dataclass(frozen=True, slots=True)
class Frontier:
    """A tree of ``size`` leaves as the roots of its perfect parts, largest first: all that growing needs."""

    size: int = 0
    parts: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if len(self.parts) != self.size.bit_count() or any(len(part) != SIZE for part in self.parts):
            raise ValueError(f"a tree of {self.size} leaves has {self.size.bit_count()} perfect parts")

    def add(self, leaf_hash: bytes) -> Frontier:
        """The tree with one leaf more."""
        parts, size = [*self.parts, leaf_hash], self.size
        while size % 2:
            right = parts.pop()
            parts[-1] = node(parts[-1], right)
            size //= 2
        return Frontier(self.size + 1, tuple(parts))

    @property
    def root(self) -> bytes:
        """The root of the tree."""
        if not self.parts:
            return EMPTY
        found = self.parts[-1]
        for part in reversed(self.parts[:-1]):
            found = node(part, found)
        return found

    def to_bytes(self) -> bytes:
        """All parts, one after the other."""
        return b"".join(self.parts)

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> Frontier:
        """Read what :meth:`to_bytes` wrote. Raises ValueError when it does not fit the size."""
        return cls(size, tuple(pieces(data)))


def pieces(data: bytes) -> list[bytes]:
    """The hashes that were written one after the other; the last is shorter when it is not whole."""
    return [data[at : at + SIZE] for at in range(0, len(data), SIZE)]

"""Indexes and keys of partitioned tables online: made for each partition first, without stopping anybody.

A partitioned table knows no CREATE INDEX CONCURRENTLY and no USING INDEX. But what it is given takes over what its
partitions have already, where that is the same, and then reads no row (manual, "Table Partitioning", and CREATE INDEX).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tenantry import ddl
from tenantry.catalog import Constraint, Index
from tenantry.conversion import Conversion, TenantTable
from tenantry.names import QName
from tenantry.steps.pool import Pool, same


@dataclass(frozen=True, slots=True)
class Part:
    """What one partition will have of an index. ``built``: it is there under ``index.name``.

    ``name`` is the one that the server would give it: its constraint takes it, where there is one.
    """

    table: TenantTable
    index: Index
    name: str
    built: bool


def leaves(c: Conversion, table: QName) -> list[TenantTable]:
    """The partitions that hold rows, however deep."""
    found = (c.get(t.qname) for t in c.catalog.descendants(table) if t.kind == "table")
    return [t for t in found if t is not None and t.part == "partition"]


def parts(c: Conversion, table: TenantTable, new: Index, pool: Pool, label: str) -> tuple[Part, ...]:
    """What each partition needs before the whole table is given the index; ``label`` is idx, key or pkey.

    None where it is made at once: in a migrator's files, for an exclusion constraint, for a plain table.
    """
    if not c.online or table.table.kind != "partitioned" or new.exclusion:
        return ()
    return tuple(_part(leaf, new, pool, label) for leaf in leaves(c, table.qname))


def _part(leaf: TenantTable, new: Index, pool: Pool, label: str) -> Part:
    loose = (i for i in leaf.table.indexes if i.valid and i.parent is None and i.constraint is None)
    found = pool.claim(leaf.table, (i for i in loose if same(i, new)))
    name = found.name if found and label != "pkey" else pool.server(leaf.table, new, label)
    built = name
    if label == "pkey":  # the old key has the name until it makes room
        built = found.name if found else pool.take(leaf.table, f"{name}_tenant", new)
    return Part(leaf, replace(new, name=built), name, found is not None)


def adopt(parts: Sequence[Part], old: Constraint | None, *, primary: bool = False) -> tuple[str, ...]:
    """Make the indexes of the partitions constraints, as that of the whole table must find them."""
    return tuple(ddl.adopt_index(p.table.qname, p.name, p.index.name, old, primary=primary) for p in parts)

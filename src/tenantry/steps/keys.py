"""Which keys give way to keys within a tenant, and what takes their place; no steps yet.

A replacement is found by its structure and not by its name, so a conversion that stopped half-way goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from tenantry import names
from tenantry.catalog import Constraint, Index, Key, Table
from tenantry.conversion import Conversion, TenantTable, tenant_columns
from tenantry.names import QName
from tenantry.spec import UNDECIDED, UniqueRule
from tenantry.steps.partitions import Part, parts
from tenantry.steps.pool import Pool, same


@dataclass(frozen=True, slots=True)
class Replacement:
    """One key that gives way to a key within the tenant.

    ``built``: the new index is there and valid. ``bound``: so is its constraint (or none is needed).
    ``held_by``: foreign keys that still need the old one. ``parts`` is what partitions have or need of it first.
    """

    table: TenantTable
    old: Index
    constraint: Constraint | None
    new: Index
    built: bool
    bound: bool
    held_by: tuple[tuple[Table, Constraint], ...]
    parts: tuple[Part, ...] = ()

    @property
    def primary(self) -> bool:
        return self.old.primary

    @property
    def label(self) -> str:
        return f"{self.table.label}.{self.new.name}"

    @property
    def partitioned(self) -> bool:
        return self.table.table.kind == "partitioned"


@dataclass(frozen=True, slots=True)
class ParentKey:
    """A unique key (tenant, columns) that a composite foreign key points at; ``built``: its index is there."""

    table: TenantTable
    index: Index
    built: bool
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Keys:
    """All key decisions of a conversion."""

    replacements: tuple[Replacement, ...]
    parent_keys: tuple[ParentKey, ...]

    @property
    def names(self) -> Iterator[QName]:
        """The indexes that are made, or there already."""
        for key in self.replacements:
            yield QName(key.table.table.schema, key.new.name)
        for parent in self.parent_keys:
            yield QName(parent.table.table.schema, parent.index.name)
        for part in (p for made in (self.replacements, self.parent_keys) for key in made for p in key.parts):
            yield QName(part.table.table.schema, part.index.name)
            yield QName(part.table.table.schema, part.name)


def candidates(table: TenantTable) -> list[Index]:
    """The unique indexes and exclusion constraints that hold across tenants today."""
    return [
        i
        for i in table.table.indexes
        if (i.unique or i.exclusion) and i.parent is None and i.valid and table.column not in i.key_columns
    ]


def rule(table: TenantTable, index: Index) -> UniqueRule | None:
    """What the spec says about a key, by the name of its index or constraint."""
    return table.rule.unique.get(index.name) or table.rule.unique.get(index.constraint or "")


def scope(c: Conversion, table: TenantTable, index: Index, seen: frozenset[QName] = frozenset()) -> str:
    """tenant, global or undecided: as the spec says, else by what the key is made of."""
    if index.primary:
        root = c.get(table.root)
        decided = table.rule.primary_key or (root.rule.primary_key if root else None)
        return decided or _primary_scope(c, table, index, seen)
    unique = rule(table, index)
    return unique.scope if unique else "tenant"


def _primary_scope(c: Conversion, table: TenantTable, index: Index, seen: frozenset[QName]) -> str:
    """An undecided primary key: generated ids stay global; a key made of references follows what they refer to."""
    columns = [table.table.column(k) for k in index.key_columns]
    if any(
        col and (col.base == "uuid" or col.identity or "nextval(" in (col.default or "")) for col in columns
    ):
        return "global"
    if any(col and col.default and "gen_random_uuid()" in col.default for col in columns):
        return "global"
    parents = set()
    for fk in table.table.foreign_keys:
        parent = c.get(fk.references)
        if parent is None or not set(fk.columns) & set(index.key_columns):
            continue
        if parent.qname != c.tenants and parent.qname not in seen | {table.qname}:
            parents.add(_reference_scope(c, parent, fk, seen | {table.qname}))
    return next((s for s in ("tenant", "global") if s in parents), UNDECIDED)


def _reference_scope(c: Conversion, parent: TenantTable, fk: Constraint, seen: frozenset[QName]) -> str:
    """The scope of the key that a reference needs, whether or not the reference names the tenant already."""
    wanted = {name for name in fk.referenced if name != parent.column}
    target = next(
        (i for i in parent.table.indexes if i.valid and i.plain and set(i.key_columns) == wanted), None
    )
    return scope(c, parent, target, seen) if target is not None else "tenant"


def _deferral(constraint: Constraint | None) -> tuple[bool, bool]:
    return (constraint.deferrable, constraint.deferred) if constraint else (False, False)


@lru_cache(maxsize=4)
def keys(c: Conversion) -> Keys:
    """Work out every replacement and parent key; cached, because several steps ask."""
    pool = Pool(c)
    replacements: list[Replacement] = []
    for table in c.tables:
        own = [i for i in candidates(table) if scope(c, table, i) == "tenant"]
        # The strongest first: a second key over the same columns shares the new one.
        for old in sorted(own, key=lambda i: (not i.primary, i.constraint is None)):
            replacements.append(_replace(c, table, old, pool, replacements))
    return Keys(tuple(replacements), tuple(_parent_keys(c, replacements, pool)))


def _replace(
    c: Conversion, table: TenantTable, old: Index, pool: Pool, made: Sequence[Replacement]
) -> Replacement:
    constraint = table.table.constraint(old.constraint) if old.constraint else None
    lead = Key(table.column, operator="OPERATOR(pg_catalog.=)" if old.exclusion else None)
    new = replace(
        old, keys=(lead, *old.keys), primary=False, constraint=None, clustered=False,
        replica_identity=False, comment=None,
    )  # fmt: skip
    held = tuple(
        (t, fk)
        for t, fk in c.catalog.referencing(table.qname)
        if fk.referenced_index == old.name and not fk.inherited
    )
    twin = next(
        (
            r for r in made
            if r.table is table and same(r.new, new) and _deferral(r.constraint) == _deferral(constraint)
        ),
        None,
    )  # fmt: skip
    if twin is not None:
        return Replacement(table, old, constraint, twin.new, True, True, held)
    found = pool.claim(
        table.table, (i for i in table.table.indexes if _serves(table.table, i, new, old, constraint))
    )
    if found is not None:
        bound = constraint is None or found.constraint is not None
        return Replacement(table, old, constraint, replace(new, name=found.name), True, bound, held)
    unique = rule(table, old)
    name = pool.take(table.table, (unique.name if unique else None) or _name(table, old), new)
    new = replace(new, name=name)
    label = "pkey" if old.primary else "key" if constraint is not None else "idx"
    return Replacement(table, old, constraint, new, False, False, held, parts(c, table, new, pool, label))


def _serves(table: Table, index: Index, new: Index, old: Index, constraint: Constraint | None) -> bool:
    """True for an index of the table that is the new key already, or can be made it."""
    if not index.valid or not same(index, new):
        return False
    if index.constraint is None:
        return constraint is None or table.kind != "partitioned"  # there no index can become a constraint
    return not old.primary and _deferral(table.constraint(index.constraint)) == _deferral(constraint)


def _name(table: TenantTable, old: Index) -> str:
    if old.primary:
        return f"{old.name}_tenant"
    name = names.tenant_unique(table.table.name, [k.column or "expr" for k in old.keys])
    return name.removesuffix("_unique") + "_excl" if old.exclusion else name


def _parent_keys(c: Conversion, replacements: Sequence[Replacement], pool: Pool) -> Iterator[ParentKey]:
    """Unique keys for the composite foreign keys that no replacement and no existing key serves."""
    done: set[tuple[QName, frozenset[str]]] = set()
    for r in replacements:
        if r.new.plain and not (r.constraint and r.constraint.deferrable):
            done.add((r.table.qname, frozenset(r.new.key_columns)))
    tables = [*c.keyed, *(t for t in c.tables if t.part == "partition")]
    if c.tenants_entry is not None:
        tables.append(c.tenants_entry)
    for table in tables:
        for fk in table.table.foreign_keys:
            parent = c.get(fk.references)
            if parent is None or parent.qname == c.tenants or fk.inherited or fk.period:
                continue
            wanted = (parent.qname, frozenset([parent.column, *fk.referenced]))
            if wanted not in done and not tenant_columns(fk, table, parent):
                done.add(wanted)
                yield from _parent_key(c, parent, fk, pool)


def _parent_key(c: Conversion, parent: TenantTable, fk: Constraint, pool: Pool) -> Iterator[ParentKey]:
    table = parent.table
    index = Index("", "btree", tuple(Key(k) for k in (parent.column, *fk.referenced)), unique=True)
    found = next((i for i in table.indexes if _referable(table, i, set(index.key_columns))), None)
    if found is None:
        name = pool.take(table, names.tenant_unique(table.name, fk.referenced), index)
        index = replace(index, name=name)
        yield ParentKey(parent, index, False, parts(c, parent, index, pool, "key"))
    elif (
        found.constraint is None
        and table.kind != "partitioned"
        and not any(k.nulls_first for k in found.keys)
    ):
        yield ParentKey(parent, found, True)  # one in another order cannot become a constraint, and need not


def _referable(table: Table, index: Index, columns: set[str]) -> bool:
    """True for an index of these columns, in any order, that a foreign key may point at."""
    constraint = table.constraint(index.constraint or "")
    deferrable = constraint is not None and constraint.deferrable
    usual = all(k.opclass is None and k.collation is None for k in index.keys)
    return index.valid and index.plain and usual and not deferrable and set(index.key_columns) == columns

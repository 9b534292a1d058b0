"""Keys: what was unique in the whole table becomes unique within a tenant.

A replacement is found by its structure and not by its name, so a conversion that stopped half-way goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from tenantry import ddl, names, verify
from tenantry.catalog import Constraint, Index, Key, Table
from tenantry.conversion import Conversion, TenantTable, tenant_columns
from tenantry.names import QName, display, spell
from tenantry.plan import Change, Lock, Phase
from tenantry.spec import UNDECIDED


@dataclass(frozen=True, slots=True)
class Replacement:
    """One key that gives way to a key within the tenant.

    ``built``: the new index is there and valid. ``bound``: so is its constraint (or none is needed).
    ``held_by``: foreign keys that still need the old one.
    """

    table: TenantTable
    old: Index
    constraint: Constraint | None
    new: Index
    built: bool
    bound: bool
    held_by: tuple[tuple[Table, Constraint], ...]

    @property
    def primary(self) -> bool:
        return self.old.primary

    @property
    def label(self) -> str:
        return f"{self.table.label}.{self.new.name}"


@dataclass(frozen=True, slots=True)
class ParentKey:
    """A unique key (tenant, columns) that a composite foreign key points at."""

    table: TenantTable
    index: Index
    built: bool
    bound: bool


def candidates(table: TenantTable) -> list[Index]:
    """The unique indexes and exclusion constraints that hold across tenants today."""
    return [
        i for i in table.table.indexes
        if (i.unique or i.exclusion) and i.parent is None and i.valid and table.column not in i.key_columns
    ]  # fmt: skip


def scope(c: Conversion, table: TenantTable, index: Index, seen: frozenset[QName] = frozenset()) -> str:
    """tenant, global or undecided: as the spec says, else by what the key is made of."""
    rule = table.rule
    root = c.get(table.root)
    if index.primary:
        decided = rule.primary_key or (root.rule.primary_key if root else None)
        return decided or _primary_scope(c, table, index, seen)
    unique = rule.unique.get(index.name) or rule.unique.get(index.constraint or "")
    return unique.scope if unique else "tenant"


def _primary_scope(c: Conversion, table: TenantTable, index: Index, seen: frozenset[QName]) -> str:
    """An undecided primary key: generated ids stay global; a key made of references follows what they refer to."""
    columns = [table.table.column(k) for k in index.key_columns]
    if any(col and (col.base == "uuid" or col.identity or "nextval(" in (col.default or "")) for col in columns):
        return "global"
    if any(col and col.default and "gen_random_uuid()" in col.default for col in columns):
        return "global"
    parents = set()
    for fk in table.table.foreign_keys:
        parent = c.get(fk.references)
        if parent is None or not set(fk.columns) & set(index.key_columns) or parent.qname in seen | {table.qname}:
            continue
        if parent.qname != c.tenants:
            parents.add(_reference_scope(c, parent, fk, seen | {table.qname}))
    return next((s for s in ("tenant", "global") if s in parents), UNDECIDED)


def _reference_scope(c: Conversion, parent: TenantTable, fk: Constraint, seen: frozenset[QName]) -> str:
    """The scope of the key that a reference needs, whether or not the reference names the tenant already."""
    wanted = {name for name in fk.referenced if name != parent.column}
    target = next((i for i in parent.table.indexes if i.valid and i.plain and set(i.key_columns) == wanted), None)
    return scope(c, parent, target, seen) if target is not None else "tenant"


def _same(a: Index, b: Index) -> bool:
    """Equal but for the name and what stands behind it."""
    return (a.method, a.keys, a.include, a.predicate, a.nulls_not_distinct, a.unique, a.exclusion) == (
        b.method, b.keys, b.include, b.predicate, b.nulls_not_distinct, b.unique, b.exclusion,
    )  # fmt: skip


@dataclass(frozen=True)
class Keys:
    """All key decisions of a conversion."""

    replacements: tuple[Replacement, ...]
    parent_keys: tuple[ParentKey, ...]


class _Names:
    """Names handed out so far; an INVALID index left by an interrupted build does not hold its name."""

    def __init__(self, c: Conversion) -> None:
        broken = {(t.schema, i.name) for t in c.catalog.tables for i in t.indexes if not i.valid}
        self._taken = {s: {n for n in ns if (s, n) not in broken} for s, ns in c.catalog.relation_names.items()}

    def take(self, schema: str, wanted: str) -> str:
        taken = self._taken.setdefault(schema, set())
        name = names.free(wanted, taken)
        taken.add(name)
        return name


@lru_cache(maxsize=4)
def keys(c: Conversion) -> Keys:
    """Work out every replacement and parent key; cached, because several steps ask."""
    pool = _Names(c)
    replacements = [r for t in c.keyed for i in candidates(t) if scope(c, t, i) == "tenant" for r in [_replace(c, t, i, pool)]]
    return Keys(tuple(replacements), tuple(_parent_keys(c, replacements, pool)))


def _replace(c: Conversion, table: TenantTable, old: Index, pool: _Names) -> Replacement:
    constraint = table.table.constraint(old.constraint) if old.constraint else None
    lead = Key(table.column, operator="OPERATOR(pg_catalog.=)" if old.exclusion else None)
    new = replace(old, keys=(lead, *old.keys), primary=False, constraint=None, definition="")
    found = next((i for i in table.table.indexes if i.valid and _same(i, new)), None)
    if found is not None:
        name = found.name
    else:
        rule = table.rule.unique.get(old.name)
        name = pool.take(table.table.schema, (rule.name if rule else None) or _name(table, old))
    held = tuple(
        (t, fk) for t, fk in c.catalog.referencing(table.qname)
        if fk.referenced_index == old.name and not fk.inherited
    )  # fmt: skip
    bound = found is not None and (constraint is None or found.constraint is not None)
    return Replacement(table, old, constraint, replace(new, name=name), found is not None, bound, held)


def _name(table: TenantTable, old: Index) -> str:
    if old.primary:
        return f"{old.name}_tenant"
    parts = [k.column or "expr" for k in old.keys]
    name = names.tenant_unique(table.table.name, parts)
    return name.removesuffix("_unique") + "_excl" if old.exclusion else name


def _parent_keys(c: Conversion, replacements: list[Replacement], pool: _Names) -> Iterator[ParentKey]:
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
            if parent is None or parent.qname == c.tenants or fk.inherited or fk.period or tenant_columns(fk, table, parent):
                continue
            wanted = frozenset([parent.column, *fk.referenced])
            if (parent.qname, wanted) in done:
                continue
            done.add((parent.qname, wanted))
            found = next(
                (i for i in parent.table.indexes if i.valid and i.plain and not i.include and set(i.key_columns) == wanted),
                None,
            )
            if found is not None and found.constraint is not None:
                continue
            key = tuple(Key(k) for k in (parent.column, *fk.referenced))
            name = found.name if found else pool.take(parent.table.schema, names.tenant_unique(parent.table.name, fk.referenced))
            yield ParentKey(parent, Index(name, "btree", key, unique=True), found is not None, False)


def problems(c: Conversion) -> Iterator[str]:
    """Undecided keys, and keys that cannot be replaced because something holds on to them."""
    for table in c.keyed:
        for index in candidates(table):
            if index.primary and scope(c, table, index) == UNDECIDED:
                yield f"{spell(table.qname)}: primary key ({', '.join(index.key_columns)}) is not generated by the database; set primary_key = \"global\" or \"tenant\""
    for r in keys(c).replacements:
        yield from _held(c, r)
        where = f"{spell(r.table.qname)}: "
        if r.constraint is not None and r.constraint.period:
            yield f"{where}key {r.old.name} is WITHOUT OVERLAPS, which is not converted; keep it ({_keep(r)})"
        elif r.old.exclusion and (r.old.method, c.type) not in c.catalog.equality_opclasses:
            yield f"{where}exclusion constraint {r.old.name} needs {c.type} equality in {r.old.method}; CREATE EXTENSION btree_gist, or keep it ({_keep(r)})"


def _keep(r: Replacement) -> str:
    """What a spec says to keep a key unique across tenants."""
    return 'primary_key = "global"' if r.primary else f"unique.{r.old.name} with scope global and a reason"


def _held(c: Conversion, r: Replacement) -> Iterator[str]:
    name, key, keep = spell(r.table.qname), r.constraint.name if r.constraint else r.old.name, _keep(r)
    for view in c.catalog.views:
        if (r.table.qname, key) in view.keys:
            yield f"{name}: view {display(view.qname)} depends on key {key} (GROUP BY it); keep the key ({keep}), or recreate the view without it"
    for function in c.catalog.functions:
        if (r.table.qname, key) in function.keys:
            yield f"{name}: function {display(function.qname)} depends on key {key}; keep the key ({keep}), or recreate the function"
    for table, fk in r.held_by:
        if c.get(table.qname) is None:
            yield f"{name}: foreign key {fk.name} of {spell(table.qname)}, which is no tenant table, needs key {key}; keep the key ({keep}), or make {spell(table.qname)} a tenant table"
        elif r.table.table.kind == "partitioned":
            yield f"{name}: is partitioned and foreign key {fk.name} of {spell(table.qname)} needs key {key}; keep the key ({keep})"


# Steps


def create(c: Conversion, *, primary: bool) -> Iterator[Change]:
    """Build the keys within the tenant: of primary keys, or of the others."""
    for r in keys(c).replacements:
        if r.primary == primary and not r.bound:
            if r.primary:
                yield from _create_primary(c, r)
            else:
                yield from _create_unique(c, r)


def phase_of(c: Conversion, *, primary: bool) -> Phase:
    """A migrator's files swap primary keys with the composite references, not with the other keys."""
    return Phase.HARDEN if primary and not c.online else Phase.ENFORCE


def _create_unique(c: Conversion, r: Replacement) -> Iterator[Change]:
    table, new = r.table, r.new
    why = f"{r.old.name} held across all customers; two of them may now use the same value."
    name = QName(table.table.schema, new.name)
    partitioned = table.table.kind == "partitioned"
    constrained = r.constraint is not None
    if c.online and not partitioned and not r.old.exclusion:
        if not r.built:
            yield build(c, table, new, Phase.ENFORCE, why)
        if constrained:
            yield adopt(table, new, Phase.ENFORCE, r.constraint)
        return
    if r.old.exclusion and r.constraint is not None:
        apply, lock = ddl.add_exclusion(table.qname, new.name, new, r.constraint), Lock.ACCESS_EXCLUSIVE
    elif constrained and r.built:
        yield adopt(table, new, Phase.ENFORCE, r.constraint)
        return
    elif constrained:
        apply, lock = ddl.add_unique(table.qname, new.name, new, r.constraint), Lock.ACCESS_EXCLUSIVE
    else:
        apply, lock = ddl.create_index(table.qname, new), Lock.SHARE
    ready = verify.constraint(table.qname, new.name) if constrained else verify.index(name)
    undo = ddl.drop_constraint(table.qname, new.name) if constrained else ddl.drop_index(name)
    yield Change(
        id=f"enforce.{r.label}", phase=Phase.ENFORCE, object=table.label, why=why, apply=(apply,),
        verify=verify.query(ready), revert=(undo,), lock=lock, rows=table.table.rows, bytes=table.table.bytes,
    )  # fmt: skip


def build(c: Conversion, table: TenantTable, index: Index, phase: Phase, why: str) -> Change:
    """Build an index: concurrently where the profile and the table allow it."""
    concurrently = c.online and table.table.kind != "partitioned"
    name = QName(table.table.schema, index.name)
    return Change(
        id=f"{phase}.{table.label}.{index.name}.build",
        phase=phase,
        object=table.label,
        why=why,
        apply=(ddl.create_index(table.qname, index, concurrently=concurrently),),
        cleanup=ddl.drop_index(name, concurrently=True, if_exists=True) if concurrently else "",
        verify=verify.query(verify.index(name)),
        revert=(ddl.drop_index(name, if_exists=True),),  # gone already where a constraint took it over
        lock=Lock.SHARE_UPDATE_EXCLUSIVE if concurrently else Lock.SHARE,
        transactional=not concurrently,
        rows=table.table.rows,
        bytes=table.table.bytes,
    )


def adopt(table: TenantTable, index: Index, phase: Phase, old: Constraint | None = None) -> Change:
    """Make a built unique index a constraint; dropping the constraint drops the index with it."""
    return Change(
        id=f"{phase}.{table.label}.{index.name}",
        phase=phase,
        object=table.label,
        why="The index built before becomes the constraint.",
        apply=(ddl.adopt_index(table.qname, index.name, index.name, old),),
        verify=verify.query(verify.constraint(table.qname, index.name)),
        revert=(ddl.drop_constraint(table.qname, index.name),),
        lock=Lock.ACCESS_EXCLUSIVE,
    )


def _create_primary(c: Conversion, r: Replacement) -> Iterator[Change]:
    """A unique index first, so that composite foreign keys can point at it before the primary key is swapped."""
    if r.table.table.kind != "partitioned" and not r.built:
        why = f"Ids of {r.table.label} are unique within a tenant from now on."
        yield build(c, r.table, r.new, phase_of(c, primary=True), why)


def parent_keys(c: Conversion) -> Iterator[Change]:
    """Unique keys (tenant, id) for composite foreign keys to point at."""
    phase = Phase.ENFORCE if c.online else Phase.HARDEN
    for p in keys(c).parent_keys:
        why = f"A reference to {p.table.label} names the tenant too, and needs a key that does."
        table, name = p.table, p.index.name
        if c.online and table.table.kind != "partitioned" or p.built:
            if not p.built:
                yield build(c, table, p.index, phase, why)
            yield adopt(table, p.index, phase)
            continue
        yield Change(
            id=f"{phase}.{table.label}.{name}", phase=phase, object=table.label, why=why,
            apply=(ddl.add_unique(table.qname, name, p.index),),
            verify=verify.query(verify.constraint(table.qname, name)),
            revert=(ddl.drop_constraint(table.qname, name),), lock=Lock.ACCESS_EXCLUSIVE,
            rows=table.table.rows, bytes=table.table.bytes,
        )  # fmt: skip


def tenant_indexes(c: Conversion) -> Iterator[Change]:
    """An index that leads with the tenant: every query under the policy asks for it.

    A unique key does not count, so that the outcome is the same wherever a conversion is resumed.
    """
    for table in c.keyed:
        if any(i.valid and not i.unique and i.predicate is None and i.parent is None and i.keys[0].column == table.column
               for i in table.table.indexes):  # fmt: skip
            continue
        wanted = names.tenant_index(table.table.name, table.column)
        broken = {i.name for i in table.table.indexes if not i.valid}
        name = names.free(wanted, c.catalog.relation_names.get(table.table.schema, frozenset()) - broken)
        step = build(c, table, Index(name, "btree", (Key(table.column),)), Phase.ENFORCE, f"Every query on {table.label} asks for its tenant.")
        yield step

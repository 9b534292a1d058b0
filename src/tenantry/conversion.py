"""Spec and catalog, reconciled: which tables are tenant tables, with which column, from which source.

:func:`reconcile` collects every contradiction and open decision; the steps are made from its result.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from tenantry.catalog import Catalog, Column, Constraint, Table, textual
from tenantry.mistakes import correction
from tenantry.names import QName, display, spell
from tenantry.plan import Profile
from tenantry.spec import UNDECIDED, Constant, FromParent, Spec, TableRule

UNMENTIONED = "the spec does not mention it; give it a scope (tenant, shared, through, ignored)"

# Types whose equality is looser than it looks (padding, case folding): two tenants could be one.
_LOOSE = re.compile(r"character\(|bpchar|(.*\.)?citext$")


@dataclass(frozen=True)  # no slots: these are asked for again and again
class TenantTable:
    """A table that carries the tenant column, or will.

    ``root`` is the table whose column and rule this one shares: itself, its partitioned parent or its
    inheritance parent. ``part`` says how it hangs there.
    """

    table: Table
    rule: TableRule
    column: str
    root: QName
    part: str = ""  # "", "partition" or "child"

    @cached_property
    def qname(self) -> QName:
        return self.table.qname

    @cached_property
    def existing(self) -> Column | None:
        """The tenant column, where it is already there."""
        return self.table.column(self.column)

    @cached_property
    def label(self) -> str:
        return display(self.qname)


@dataclass(frozen=True, eq=False)  # no slots: look-ups are cached; compared by identity
class Conversion:
    """Everything that the steps are made from; a value."""

    spec: Spec
    catalog: Catalog
    profile: Profile
    tables: tuple[TenantTable, ...]
    through: tuple[tuple[Table, TableRule], ...]
    shared: tuple[Table, ...]
    type: str

    @cached_property
    def _by_name(self) -> dict[QName, TenantTable]:
        return {t.qname: t for t in self.tables}

    def get(self, name: QName | None) -> TenantTable | None:
        """The tenant table of that name; the tenants table is one too, by its key."""
        if name is not None and name == self.tenants:
            return self.tenants_entry
        return self._by_name.get(name) if name is not None else None

    @property
    def tenants(self) -> QName:
        return self.spec.tenancy.tenants

    @cached_property
    def tenants_entry(self) -> TenantTable | None:
        """The tenants table seen as a tenant table whose tenant column is its key; None while it does not exist."""
        table = self.catalog.by_name.get(self.tenants)
        if table is None:
            return None
        return TenantTable(table, TableRule(scope="tenant"), self.spec.tenancy.key, self.tenants)

    @property
    def roots(self) -> tuple[TenantTable, ...]:
        """The tables that get the column themselves."""
        return tuple(t for t in self.tables if not t.part)

    @cached_property
    def _members(self) -> dict[QName, tuple[TenantTable, ...]]:
        found: dict[QName, list[TenantTable]] = {}
        for table in self.tables:
            found.setdefault(table.root, []).append(table)
        return {root: tuple(tables) for root, tables in found.items()}

    def members(self, root: TenantTable) -> tuple[TenantTable, ...]:
        """A root and all partitions and children below it, itself first."""
        return self._members[root.qname]

    @property
    def keyed(self) -> tuple[TenantTable, ...]:
        """The tables whose keys are their own: all but partitions, whose keys come from the parent."""
        return tuple(t for t in self.tables if t.part != "partition")

    @property
    def textual(self) -> bool:
        """True when the tenant type compares as text does, without a cast."""
        return textual(self.type)

    @property
    def online(self) -> bool:
        return self.profile == "online"

    def refuses(self, name: QName) -> bool:
        """True when a table is no tenant table and will be none, whatever is still undecided."""
        rule = self.spec.tables.get(name)
        open_ = name in self.catalog.by_name and (rule is None or rule.scope == UNDECIDED)
        return self.get(name) is None and not open_


def tenant_columns(fk: Constraint, table: TenantTable, parent: TenantTable) -> bool:
    """True when the foreign key already pairs the tenant columns of both sides."""
    return (table.column, parent.column) in zip(fk.columns, fk.referenced, strict=True)


def reconcile(spec: Spec, catalog: Catalog, profile: Profile) -> tuple[Conversion, list[str]]:
    """The conversion, and every problem found on the way (a sentence each: object, reason, next action)."""
    problems: list[str] = []
    if spec.tenancy.undecided:
        problems.append(
            "[tenancy] tenants: is undecided; name the table that holds the tenants, or a new name to make one"
        )
    chosen = _chosen(spec, catalog, problems)
    problems.extend(_family_problems(spec, catalog, chosen))
    conversion = Conversion(
        spec,
        catalog,
        profile,
        tuple(_tenant_tables(spec, catalog, chosen, problems)),
        tuple(_with_parts(catalog, chosen, "through")),
        tuple(t for t, _ in _with_parts(catalog, chosen, "shared")),
        _tenant_type(spec, catalog, problems),
    )
    default = spec.tenancy.default
    if default is not None and (misfit := _misfit(default.id, conversion.type)):
        problems.append(f"[tenancy.default] id: {default.id!r} {misfit}")
    for table in conversion.tables:
        problems.extend(_column_problems(conversion, table))
    return conversion, problems


def _chosen(spec: Spec, catalog: Catalog, problems: list[str]) -> list[tuple[Table, TableRule]]:
    """Each table that the spec speaks of, with its rule; the rest are problems (a closed world)."""
    own = {spec.tenancy.tenants: "the tenants table"}
    if spec.audit is not None:
        own[spec.audit.table] = "the trail"
        if spec.audit.extended:
            own[QName(spec.audit.functions, "personal")] = "what the trail knows of persons"
    for name in spec.tables:
        if name in own:
            problems.append(f"{spell(name)}: is {own[name]}, which needs no scope; remove it from [tables]")
        elif name not in catalog.by_name:
            fix = correction(spell(name), map(spell, catalog.by_name), "correct the name or remove it")
            problems.append(f"{spell(name)}: the spec mentions a table that is not there; {fix}")
        elif name.schema not in spec.tenancy.schemas:
            problems.append(
                f"{spell(name)}: its schema is not in [tenancy] schemas; add {name.schema!r} there"
            )
    schemas = {s.name for s in catalog.schemas}
    for schema in spec.tenancy.schemas:
        if schema not in schemas:
            problems.append(
                f"schema {schema}: listed in [tenancy] schemas and not in the database; {correction(schema, schemas)}"
            )
    chosen = []
    for table in catalog.tables:
        if table.schema not in spec.tenancy.schemas or table.qname in own:
            continue
        rule = spec.tables.get(table.qname)
        if rule is None and (table.extension or table.partition_of or table.parents):
            continue  # extensions keep their own tables; partitions and children follow their root
        if rule is None:
            problems.append(f"{spell(table.qname)}: {UNMENTIONED}")
        elif rule.scope == UNDECIDED:
            problems.append(
                f"{spell(table.qname)}: its scope is undecided; choose tenant, shared, through or ignored"
            )
        elif table.extension and rule.scope != "ignored":
            problems.append(
                f"{spell(table.qname)}: belongs to extension {table.extension}, which would undo changes; make its scope ignored"
            )
        elif table.partition_of and rule.scope != "ignored":
            problems.append(
                f"{spell(table.qname)}: is a partition and follows {spell(table.partition_of)}; remove it from the spec"
            )
        else:
            chosen.append((table, rule))
    return chosen


def _family_problems(
    spec: Spec, catalog: Catalog, chosen: Sequence[tuple[Table, TableRule]]
) -> Iterator[str]:
    """Partitions and inheritance children are read through the tables above them, so they share their scope."""
    rules = {t.qname: r for t, r in chosen}
    under = {part.qname for table, _ in chosen for part in catalog.descendants(table.qname)}
    for table, rule in chosen:
        name, root = spell(table.qname), table.qname not in under
        if table.kind == "foreign" and rule.scope in ("tenant", "through"):
            yield f"{name}: a foreign table cannot have row level security; make its scope ignored"
        for part in catalog.descendants(table.qname):
            own = rules.get(part.qname)
            if own is not None and own.scope != rule.scope:
                yield f"{spell(part.qname)}: its rows are read through {name} too, whose scope is {rule.scope}; give both the same scope"
            elif root and own is not None and own.column not in (None, rule.column or spec.tenancy.column):
                yield f"{spell(part.qname)}: inherits the tenant column of {name}; remove its column from the spec"
            elif root and own is not None and own.backfill not in (None, rule.backfill):
                yield f"{spell(part.qname)}: is filled with {name}; remove its backfill from the spec, or make both the same"
            elif rule.scope in ("tenant", "through") and part.kind == "foreign":
                yield f"{spell(part.qname)}: a foreign table under {name} cannot be isolated; detach it first"
            elif rule.scope != "ignored" and part.schema not in spec.tenancy.schemas:
                yield f"{spell(part.qname)}: is a part of {name}; add its schema {part.schema!r} to [tenancy] schemas"


def _with_parts(
    catalog: Catalog, chosen: Sequence[tuple[Table, TableRule]], scope: str
) -> Iterator[tuple[Table, TableRule]]:
    """The tables of a scope, each followed by the partitions and children that the spec does not mention."""
    mentioned = {t.qname for t, _ in chosen}
    for table, rule in chosen:
        if rule.scope == scope:
            yield table, rule
            parts = catalog.descendants(table.qname)
            yield from ((part, rule) for part in parts if part.qname not in mentioned)


def _tenant_tables(
    spec: Spec, catalog: Catalog, chosen: Sequence[tuple[Table, TableRule]], problems: list[str]
) -> Iterator[TenantTable]:
    rules = {t.qname: r for t, r in chosen if r.scope == "tenant"}
    under = {part.qname for name in rules for part in catalog.descendants(name)}
    seen: dict[QName, QName] = {}
    for table, rule in chosen:
        if table.qname not in rules or table.qname in under or table.kind == "foreign":
            continue
        column = rule.column or spec.tenancy.column
        yield TenantTable(table, rule, column, table.qname)
        for part in catalog.descendants(table.qname):
            other = seen.setdefault(part.qname, table.qname)
            if other != table.qname:
                problems.append(
                    f"{spell(part.qname)}: inherits the tenant column from both {spell(other)} and {spell(table.qname)}; let it inherit from one tenant table"
                )
                continue
            own = rules.get(part.qname) or TableRule(
                scope="tenant", policies=rule.policies, unique=rule.unique
            )
            how = "partition" if part.partition_of else "child"
            yield TenantTable(part, own, column, table.qname, how)


def loose(type_: str) -> bool:
    """True for a type whose equality is looser than identity."""
    return bool(_LOOSE.match(type_))


def _tenant_type(spec: Spec, catalog: Catalog, problems: list[str]) -> str:
    """The type of tenant columns: that of the tenants table's key when it is there, else from the spec."""
    tenancy = spec.tenancy
    table = catalog.by_name.get(tenancy.tenants)
    name = spell(tenancy.tenants)
    if table is None:
        if tenancy.type not in ("text", "uuid", "bigint", "integer"):
            problems.append(
                f"[tenancy] type: {tenancy.type!r} is not a type for a new tenants table; use text, uuid, bigint or integer"
            )
        return tenancy.type
    key = table.column(tenancy.key)
    if key is None:
        problems.append(
            f"{name}: has no column {tenancy.key!r}; set [tenancy] key, or name another tenants table"
        )
        return tenancy.type
    if not any(
        c.kind in ("primary", "unique") and c.columns == (key.name,) and not c.deferrable
        for c in table.constraints
    ):
        problems.append(
            f"{name}: column {key.name} is no primary or unique key, so nothing can reference it; add one, or choose another table"
        )
    if tenancy.type not in (key.type, key.base):
        problems.append(
            f"{name}: its key {key.name} is {key.type}, the spec says {tenancy.type}; set [tenancy] type = {key.type!r}"
        )
    if loose(key.base) or not key.deterministic:
        problems.append(
            f"{name}: its key {key.name} is {key.type}, whose equality is looser than identity; use text, uuid or a number"
        )
    # Below a domain: one with a constraint would have every row rewritten under the strongest lock.
    return key.base


def _column_problems(c: Conversion, table: TenantTable) -> Iterator[str]:
    name, rule, existing = spell(table.qname), table.rule, table.existing
    if existing is not None:
        yield from _existing_problems(c, table, existing)
    elif table.table.of_type is not None:
        yield f"{name}: is a typed table (OF {table.table.of_type}) and can have no column of its own; ALTER TABLE {name} NOT OF first, or ADD ATTRIBUTE {table.column} to the type"
    if table.part:
        return
    if rule.backfill == UNDECIDED:
        yield f"{name}: its backfill is undecided; choose constant, column, parent, mapping or expression"
    elif rule.backfill is None and not (existing is not None and existing.not_null):
        yield f"{name}: needs a backfill source (constant, column, parent, mapping or expression)"
    if isinstance(rule.backfill, Constant):
        yield from _constant_problems(c, name, rule.backfill)
    if isinstance(rule.backfill, FromParent) and c.refuses(rule.backfill.parent):
        yield f"{name}: backfill parent {spell(rule.backfill.parent)} is not a tenant table; choose one, or another source"
    if rule.primary_key == UNDECIDED:
        yield f"{name}: primary_key is undecided; choose global (ids unique across tenants) or tenant (unique within one)"
    kept = [i for part in c.members(table) for i in part.table.indexes if i.unique or i.exclusion]
    known = {text for i in kept for text in (i.name, i.constraint) if text}
    # A key that an earlier run replaced is gone; only a name that nothing explains is a mistake.
    replaced = any(table.column in i.key_columns for i in kept)
    for key, unique in rule.unique.items():
        if key not in known and (unique.scope != "tenant" or not replaced):
            yield f"{name}: unique.{key} is no unique key or exclusion constraint of it; {correction(key, known)}"
        elif unique.scope == UNDECIDED:
            yield f"{name}: unique.{key} is undecided; choose tenant, or global with a reason"


def _existing_problems(c: Conversion, table: TenantTable, column: Column) -> Iterator[str]:
    """A column of the tenant column's name that cannot be it."""
    where = f"{spell(table.qname)}: column {column.name}"
    other = "set column to another name"
    if column.base != c.type:
        yield f"{where} is {column.type} and the tenant type is {c.type}; convert it first, or {other}"
    elif not column.deterministic:
        yield f"{where} has a collation whose equality is looser than identity; change it first, or {other}"
    if column.generated or column.identity:
        yield f"{where} is generated and cannot hold a tenant; {other}"
    for fk in table.table.foreign_keys:
        if fk.columns != (column.name,) or fk.references is None or fk.references == c.tenants:
            continue
        parent = c.get(fk.references)
        if parent is None or fk.referenced != (parent.column,):
            yield f"{where} refers to {spell(fk.references)} by {fk.name}, which is not the tenants table; name that in [tenancy] tenants, or {other}"


def _constant_problems(c: Conversion, name: str, source: Constant) -> Iterator[str]:
    default = c.spec.tenancy.default
    known = default is not None and default.id == source.constant
    if not known and c.tenants_entry is None:
        yield f"{name}: backfill constant {source.constant!r} is no tenant; make it [tenancy.default] id"
    if misfit := _misfit(source.constant, c.type):
        yield f"{name}: backfill constant {source.constant!r} {misfit}"


_WHOLE = {"smallint": 15, "integer": 31, "bigint": 63}  # bits, less the sign
_UUID = re.compile(r"\{?[0-9a-fA-F]{4}(-?[0-9a-fA-F]{4}){7}\}?")


def place_problems(c: Conversion, name: QName, what: str) -> Iterator[str]:
    """Why a table of the platform (``what``) cannot be made or used under its name."""
    where, other = spell(name), f"name another table for {what}"
    table = c.catalog.by_name.get(name)
    if name.schema not in {s.name for s in c.catalog.schemas}:
        yield f"{where}: there is no schema {name.schema!r} for {what}; create it, or {other}"
    elif table is None:
        if name.name in c.catalog.relation_names.get(name.schema, ()):
            yield f"{where}: the name is taken by something that is no table; {other}"
    elif table.extension is not None:
        yield f"{where}: belongs to extension {table.extension}; {other}"
    elif table.kind == "foreign":
        yield f"{where}: is a foreign table, which cannot have row level security; {other}"


def _misfit(value: str, type_: str) -> str:
    """Why the server would refuse the text as a value of the tenant type, and what to do; empty if it fits."""
    limit = re.fullmatch(r"character varying\((\d+)\)", type_)
    if limit is not None and len(value) > int(limit[1]):
        return f"is longer than {type_}; give a shorter one"
    if type_ == "uuid" and not _UUID.fullmatch(value):
        return "is no uuid; give a uuid"
    if type_ in _WHOLE:
        number = re.fullmatch(r"[+-]?[0-9]+", value)
        if number is None or not -(2 ** _WHOLE[type_]) <= int(value) < 2 ** _WHOLE[type_]:
            return f"is no {type_}; give a whole number"
    return ""

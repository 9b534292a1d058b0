"""Spec and catalog, reconciled: which tables are tenant tables, with which column, from which source.

:func:`reconcile` collects every contradiction and open decision; the steps are made from its result.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from tenantry.catalog import Catalog, Column, Constraint, Table
from tenantry.names import QName, display, spell
from tenantry.plan import Profile
from tenantry.spec import UNDECIDED, Constant, FromParent, Spec, TableRule

UNMENTIONED = "the spec does not mention it; give it a scope (tenant, shared, through, ignored)"

# Types whose equality is looser than it looks (padding, case folding): two tenants could be one.
_LOOSE = ("character(", "bpchar", "citext", "public.citext")


@dataclass(frozen=True, slots=True)
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

    @property
    def qname(self) -> QName:
        return self.table.qname

    @property
    def existing(self) -> Column | None:
        """The tenant column, where it is already there."""
        return self.table.column(self.column)

    @property
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

    @property
    def keyed(self) -> tuple[TenantTable, ...]:
        """The tables whose keys are their own: all but partitions, whose keys come from the parent."""
        return tuple(t for t in self.tables if t.part != "partition")

    @property
    def online(self) -> bool:
        return self.profile == "online"


def tenant_columns(fk: Constraint, table: TenantTable, parent: TenantTable) -> bool:
    """True when the foreign key already pairs the tenant columns of both sides."""
    return (table.column, parent.column) in zip(fk.columns, fk.referenced, strict=True)


def reconcile(spec: Spec, catalog: Catalog, profile: Profile) -> tuple[Conversion, list[str]]:
    """The conversion, and every problem found on the way (a sentence each: object, reason, next action)."""
    problems: list[str] = []
    chosen = _chosen(spec, catalog, problems)
    tables = tuple(_tenant_tables(spec, catalog, chosen, problems))
    type_ = _tenant_type(spec, catalog, problems)
    conversion = Conversion(
        spec,
        catalog,
        profile,
        tables,
        tuple((t, r) for t, r in chosen if r.scope == "through"),
        tuple(t for t, r in chosen if r.scope == "shared"),
        type_,
    )
    default = spec.tenancy.default
    if default is not None and not _fits(default.id, type_):
        problems.append(f"[tenancy.default] id: {default.id!r} is no {type_}; {_FORMS[type_]}")
    for table in tables:
        problems.extend(_column_problems(conversion, table))
    problems.extend(_role_problems(conversion))
    return conversion, problems


def _chosen(spec: Spec, catalog: Catalog, problems: list[str]) -> list[tuple[Table, TableRule]]:
    """Each table that the spec speaks of, with its rule; the rest are problems (a closed world)."""
    own = {spec.tenancy.tenants} | ({spec.audit.table} if spec.audit else set())
    for name in spec.tables:
        if name not in catalog.by_name:
            problems.append(
                f"{spell(name)}: the spec mentions a table that is not there; correct the name or remove it"
            )
        elif name.schema not in spec.tenancy.schemas:
            problems.append(
                f"{spell(name)}: its schema is not in [tenancy] schemas; add {name.schema!r} there"
            )
    for schema in spec.tenancy.schemas:
        if schema not in {s.name for s in catalog.schemas}:
            problems.append(
                f"schema {schema}: listed in [tenancy] schemas and not in the database; correct the name"
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


def _tenant_tables(
    spec: Spec, catalog: Catalog, chosen: Sequence[tuple[Table, TableRule]], problems: list[str]
) -> Iterator[TenantTable]:
    rules = {t.qname: r for t, r in chosen}
    roots = [(t, r) for t, r in chosen if r.scope == "tenant" and not any(rules.get(p) for p in t.parents)]
    for table, rule in roots:
        if table.kind == "foreign":
            problems.append(
                f"{spell(table.qname)}: a foreign table cannot have row level security; make its scope ignored"
            )
            continue
        column = rule.column or spec.tenancy.column
        yield TenantTable(table, rule, column, table.qname)
        for part in catalog.descendants(table.qname):
            own = rules.get(part.qname)
            if part.kind == "foreign":
                problems.append(
                    f"{spell(part.qname)}: a foreign table under {spell(table.qname)} cannot be isolated; detach it first"
                )
            elif own is not None and own.scope != "tenant":
                problems.append(
                    f"{spell(part.qname)}: inherits from {spell(table.qname)}; its scope must be tenant too"
                )
            else:
                how = "partition" if part.partition_of else "child"
                yield TenantTable(part, own or TableRule(scope="tenant"), column, table.qname, how)


def _tenant_type(spec: Spec, catalog: Catalog, problems: list[str]) -> str:
    """The type of the tenants table's key: from the table when it is there, else from the spec."""
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
    if key.type != tenancy.type:
        problems.append(
            f"{name}: its key {key.name} is {key.type}, the spec says {tenancy.type}; set [tenancy] type = {key.type!r}"
        )
    if key.base.startswith(_LOOSE) or not key.deterministic:
        problems.append(
            f"{name}: its key {key.name} is {key.type}, whose equality is looser than identity; use text, uuid or a number"
        )
    return key.type


def _column_problems(conversion: Conversion, table: TenantTable) -> Iterator[str]:
    name, rule, existing = spell(table.qname), table.rule, table.existing
    if existing is not None:
        if existing.type != conversion.type:
            yield f"{name}: column {existing.name} is {existing.type} and the tenant type is {conversion.type}; convert it first, or set column to another name"
        if existing.generated or existing.identity:
            yield f"{name}: column {existing.name} is generated and cannot hold a tenant; set column to another name"
    if table.part:
        return
    if rule.backfill == UNDECIDED:
        yield f"{name}: its backfill is undecided; choose constant, column, parent, mapping or expression"
    elif rule.backfill is None and not (existing is not None and existing.not_null):
        yield f"{name}: needs a backfill source (constant, column, parent, mapping or expression)"
    if isinstance(rule.backfill, Constant):
        yield from _constant_problems(conversion, name, rule.backfill)
    if isinstance(rule.backfill, FromParent) and conversion.get(rule.backfill.parent) is None:
        yield f"{name}: backfill parent {spell(rule.backfill.parent)} is not a tenant table; choose one, or another source"
    if rule.primary_key == UNDECIDED:
        yield f"{name}: primary_key is undecided; choose global (ids unique across tenants) or tenant (unique within one)"
    for key, unique in rule.unique.items():
        if table.table.index(key) is None:
            # A key that an earlier run replaced is gone; only a name that nothing explains is a mistake.
            if unique.scope == "global":
                yield f"{name}: unique.{key} is not there; correct the name"
        elif unique.scope == UNDECIDED:
            yield f"{name}: unique.{key} is undecided; choose tenant, or global with a reason"


def _constant_problems(conversion: Conversion, name: str, source: Constant) -> Iterator[str]:
    default = conversion.spec.tenancy.default
    known = default is not None and default.id == source.constant
    if not known and conversion.tenants_entry is None:
        yield f"{name}: backfill constant {source.constant!r} is no tenant; make it [tenancy.default] id"
    if not _fits(source.constant, conversion.type):
        yield f"{name}: backfill constant {source.constant!r} is no {conversion.type}; {_FORMS[conversion.type]}"


_FORMS = {"bigint": "give a whole number", "integer": "give a whole number", "uuid": "give a uuid"}
_UUID = re.compile(r"\{?[0-9a-fA-F]{4}(-?[0-9a-fA-F]{4}){7}\}?")


def _fits(value: str, type_: str) -> bool:
    """False where the server would refuse the text as a value of the tenant type."""
    if type_ == "uuid":
        return _UUID.fullmatch(value) is not None
    return type_ not in _FORMS or re.fullmatch(r"[+-]?[0-9]+", value) is not None


def _role_problems(conversion: Conversion) -> Iterator[str]:
    roles, catalog = conversion.spec.roles, conversion.catalog
    app = catalog.roles_by_name.get(roles.app)
    if app is not None:
        exempt = [app.name, *app.member_of]
        for name in exempt:
            role = catalog.roles_by_name.get(name)
            if role is not None and (role.superuser or role.bypass_rls):
                what = "is a superuser" if role.superuser else "has BYPASSRLS"
                via = "" if name == app.name else f" and {app.name} is a member of it"
                yield f"role {name}: {what}{via}, so row level security does not bind the application; name another role in [roles] app"
    names = {t.qname for t in conversion.tables} | {t.qname for t, _ in conversion.through}
    for table in catalog.tables:
        if table.qname in names and app is not None and table.owner in (app.name, *app.member_of):
            if conversion.spec.roles.owner is None or table.owner == conversion.spec.roles.owner:
                yield f"{spell(table.qname)}: belongs to {table.owner}, which the application role {app.name} is or may become; set [roles] owner to a NOLOGIN role"
    owner = catalog.roles_by_name.get(roles.owner) if roles.owner else None
    if roles.owner == roles.app:
        yield f"[roles]: owner and app are both {roles.app}; an owner can switch row level security off, so name two roles"
    if owner is not None and owner.login:
        yield f"role {owner.name}: can log in, and would own the tables; name a NOLOGIN role in [roles] owner"

"""What is attacked: tables whose rows belong to tenants, and one row of one tenant in each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Any, Literal

import psycopg

from tenantry.catalog import Catalog, Constraint, Table, Trigger
from tenantry.names import QName, display, literal, qualified, quote
from tenantry.spec import Spec, TableRule

OURS = "tenantry"  # the schema of the journal and of what a conversion needs meanwhile

TRAIL_COLUMN = "tenant_id"  # whatever tenant tables call theirs

_APPLY = "run `tenantry apply`"

Kind = Literal["tenant", "through", "tenants", "trail"]


@dataclass(frozen=True, slots=True)
class Rights:
    """What the application's role may do with a table, by whatever way it got the privilege.

    ``select`` is about any column, ``columns`` are those, ``whole`` is about the table (needed to name a row by its place);
    ``insert`` and ``update`` are columns; ``words`` are all privileges that it has on the table or a column.
    ``closed`` are commands that row level security lets nobody of the role make on any row, while it does others: no
    policy is for them.
    """

    select: bool = False
    whole: bool = False
    insert: frozenset[str] = frozenset()
    update: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    columns: frozenset[str] = frozenset()
    closed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Reference:
    """Foreign keys over the same columns to the same parent; the tenant column is left out of both sides."""

    columns: tuple[str, ...]
    parent: QName
    referenced: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """A table under attack. ``column`` is the tenant column, None for one isolated through ``parent``.

    ``people`` are columns that say whose of a tenant's people a row is; policies may ask for them instead.
    """

    table: Table
    kind: Kind
    column: str | None = None
    parent: Target | None = None
    on: Mapping[str, str] = field(default_factory=dict)  # column here = column of the parent
    parts: bool = False  # has partitions or inheritance children
    references: tuple[Reference, ...] = ()
    triggers: tuple[Trigger, ...] = ()  # its own and those of its parts
    family: frozenset[QName] = frozenset()  # itself and its parts
    routing: frozenset[str] = frozenset()  # columns that decide which part takes a row
    fires: bool = False  # whoever wrote the spec lets its triggers fire
    rights: Rights = Rights()
    people: frozenset[str] = frozenset()

    @property
    def sql(self) -> str:
        return qualified(self.table.qname)

    @property
    def label(self) -> str:
        return display(self.table.qname)

    @property
    def border(self) -> frozenset[str]:
        """The columns that say whose row it is."""
        return frozenset(self.on) | ({self.column} if self.column else frozenset())

    def before(self, event: str, *, rows: bool = True) -> str:
        """A user trigger that fires before such a statement, or before each row unless not ``rows``; or nothing.

        What Tenantry made itself only looks the tenant of a row up.
        """
        return next(
            (
                t.name
                for t in self.triggers
                if t.timing == "before"
                and t.enabled in "OA"
                and event in t.events
                and (rows or not t.row)
                and t.function.schema != OURS
            ),
            "",
        )

    def owner(self, alias: str) -> str:
        """An SQL expression: the tenant, as text, of the row called ``alias``."""
        if self.parent is None:
            return f"{alias}.{quote(self.column or '')}::text"
        up = alias + "_"
        join = " AND ".join(
            f"{up}.{quote(theirs)} = {alias}.{quote(ours)}" for ours, theirs in self.on.items()
        )
        return f"(SELECT {self.parent.owner(up)} FROM {self.parent.sql} AS {up} WHERE {join} LIMIT 1)"


def beside_the_trail(target: Target) -> bool:
    """To every table but the trail, which has its own attack and whose rows nobody may change."""
    return target.kind != "trail"


@dataclass(frozen=True, slots=True)
class Aim:
    """A target and the tenant whose row is attacked.

    ``row`` is one row of that tenant, column by column as text; ``spot`` its place, as a condition. In an
    ``empty`` table it is made up, and only what no privilege allows can be tried.
    ``other`` is another tenant that exists, if there is one. ``elsewhere`` is what the columns that say
    whose row it is would have to become for the row to leave the tenant.
    """

    target: Target
    tenant: str
    other: str | None
    row: Mapping[str, str | None] = field(default_factory=dict)
    empty: bool = False
    spot: str = ""
    elsewhere: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """A condition on rows of the tenant that an index serves."""
        return matches({c: self.row[c] for c in sorted(self.target.border)})


def matches(values: Mapping[str, str | None]) -> str:
    """A condition: the columns have those values."""
    return " AND ".join(
        f"{quote(c)} IS NULL" if v is None else f"{quote(c)} = {literal(v)}" for c, v in values.items()
    )


def assign(values: Mapping[str, str | None]) -> str:
    """The SET list of an UPDATE; the server turns each literal into the column's type."""
    return ", ".join(f"{quote(c)} = {literal(v)}" for c, v in values.items())


def find(spec: Spec, catalog: Catalog) -> tuple[tuple[Target, ...], tuple[tuple[QName, str], ...]]:
    """The targets, by name, and what cannot be one although the spec declares it, with the reason."""
    found: dict[QName, Target] = {}
    unfit: list[tuple[QName, str]] = []
    for name, kind, column in _own(spec):
        table = catalog.by_name.get(name)
        if table is None:
            unfit.append((name, f"is not there yet; {_APPLY}"))
        elif table.column(column) is None:
            unfit.append(
                (name, f"has no column {column}; name the table and its key in the spec as they are")
            )
        else:
            found[name] = whole(catalog, Target(table, kind, column))
    declared = [(n, r) for n, r in spec.tables.items() if r.scope in ("tenant", "through") and n not in found]
    # A table that is isolated through another one comes after it.
    for name, rule in sorted(declared, key=lambda d: d[1].scope == "through"):
        if name not in catalog.by_name:
            unfit.append(
                (name, "is not there; name it in the spec as `tenantry inspect` does, or leave it out")
            )
        for table in _family(catalog, name):
            target = _target(spec, table, rule, found)
            if isinstance(target, Target):
                found[table.qname] = replace(whole(catalog, target), fires=rule.triggers == "fire")
            else:
                unfit.append((table.qname, target))
    return linked(found), tuple(unfit)


def linked(found: Mapping[QName, Target]) -> tuple[Target, ...]:
    """All targets by name, with the foreign keys from one to another."""
    return tuple(replace(t, references=tuple(_references(t, found))) for _, t in sorted(found.items()))


def whole(catalog: Catalog, target: Target) -> Target:
    """A target with what its partitions and children bring along."""
    parts = (target.table, *catalog.descendants(target.table.qname))
    routing = frozenset(c for t in parts for c in t.partition_key)
    triggers = tuple(t for part in parts for t in part.triggers)
    family = frozenset(t.qname for t in parts)
    return replace(target, parts=len(parts) > 1, triggers=triggers, routing=routing, family=family)


def _own(spec: Spec) -> Iterator[tuple[QName, Kind, str]]:
    """The tables of the tenancy itself."""
    yield spec.tenancy.tenants, "tenants", spec.tenancy.key
    if spec.audit:
        yield spec.audit.table, "trail", TRAIL_COLUMN


def _family(catalog: Catalog, name: QName) -> Iterator[Table]:
    """A table with its partitions and inheritance children: each can be named directly."""
    if name in catalog.by_name:
        yield catalog.by_name[name]
        yield from catalog.descendants(name)


def _target(spec: Spec, table: Table, rule: TableRule, found: Mapping[QName, Target]) -> Target | str:
    if table.kind == "foreign":
        return "is a foreign table, which cannot have row level security"
    if rule.scope == "tenant":
        column = rule.column or spec.tenancy.column
        return (
            Target(table, "tenant", column)
            if table.column(column)
            else f"has no column {column} yet; {_APPLY}"
        )
    parent = found.get(rule.parent) if rule.parent else None
    if parent is None:
        what = f"{display(rule.parent)}, which has no tenant yet" if rule.parent else "nothing that is named"
        return f"is isolated through {what}; {_APPLY}"
    on = dict(rule.on) or _single_key(table, parent.table.qname)
    return (
        Target(table, "through", None, parent, on) if on else f"has no single foreign key to {parent.label}"
    )


def _single_key(table: Table, parent: QName) -> dict[str, str]:
    keys = [fk for fk in table.foreign_keys if fk.references == parent]
    return dict(zip(keys[0].columns, keys[0].referenced, strict=True)) if len(keys) == 1 else {}


def _references(target: Target, found: Mapping[QName, Target]) -> Iterator[Reference]:
    """What the foreign keys of a table say beyond the tenant; keys that a parent table gave are tried there."""
    seen: set[Reference] = set()
    for fk in target.table.foreign_keys:
        parent = found.get(fk.references) if fk.references else None
        if parent is None or parent.kind in ("tenants", "trail") or fk.inherited:
            continue
        pairs = [(c, r) for c, r in zip(fk.columns, fk.referenced, strict=True) if c != target.column]
        reference = Reference(tuple(c for c, _ in pairs), parent.table.qname, tuple(r for _, r in pairs))
        # The key that a table is isolated through decides whose the row is; its policy is tried by `move`.
        if pairs and reference not in seen and frozenset(reference.columns) != frozenset(target.on):
            seen.add(reference)
            yield reference


def paired(target: Target, reference: Reference, parent: Target) -> tuple[Constraint, ...]:
    """The enforced foreign keys behind a reference that name the tenant on both sides."""
    border = (target.column, parent.column)
    return tuple(
        fk
        for fk in target.table.foreign_keys
        if fk.references == reference.parent
        and fk.enforced
        and set(reference.columns) <= set(fk.columns)
        and any(border == pair for pair in zip(fk.columns, fk.referenced, strict=True))
    )


_COMMANDS = 4  # SELECT, INSERT, UPDATE, DELETE


def rights(admin: psycopg.Connection[Any], role: str, names: Sequence[QName]) -> Mapping[QName, Rights]:
    """What ``role`` may do with each of the relations; one query."""
    query = (resources.files("tenantry.attacks") / "rights.sql").read_bytes()
    parameters = {"role": role, "schemas": [n.schema for n in names], "names": [n.name for n in names]}
    found = {}
    for schema, name, select, whole, *lists in admin.execute(query, parameters):
        insert, update, words, columns, closed = map(frozenset, lists)
        if len(closed) == _COMMANDS:  # a table that nobody can use shows nothing of anybody's isolation
            closed = frozenset()
        found[QName(schema, name)] = Rights(select, whole, insert, update, words, columns, closed)
    return found

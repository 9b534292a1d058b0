"""What a database is: tables, keys, policies, roles …, in PostgreSQL's own words.

A :class:`Catalog` is a value: it is read by ``introspect``, written to JSON and back, compared and hashed
without a connection. Expressions are carried as the text that the server deparses with an empty
``search_path``; they are composed into statements but never rewritten, and never fingerprinted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from pydantic import TypeAdapter

from tenantry.names import QName

# The schemas that belong to Tenantry itself; never converted, never part of a catalog.
OWN_SCHEMA = "tenantry"


def textual(type_: str) -> bool:
    """True for the types (as ``format_type`` prints them) that compare with text as they are."""
    return type_ == "text" or type_.startswith("character varying")


@dataclass(frozen=True, slots=True)
class Column:
    """A column; ``type`` as ``format_type`` prints it, ``base`` the same below any domain."""

    name: str
    type: str
    base: str
    not_null: bool
    default: str | None = None
    generated: Literal["", "s", "v"] = ""
    identity: Literal["", "a", "d"] = ""
    collation: str | None = None  # quoted for SQL; None when it is the type's own
    deterministic: bool = True  # False for a non-deterministic collation
    inherited: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """One key column of an index: a column name, or an expression's text when ``column`` is None.

    ``collation`` and ``opclass`` are quoted for SQL and None when they are the defaults.
    ``operator`` (quoted, with OPERATOR() where needed) is set for exclusion constraints.
    """

    column: str | None
    expression: str | None = None
    collation: str | None = None
    opclass: str | None = None
    descending: bool = False
    nulls_first: bool = False
    operator: str | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """An index. ``constraint`` is the constraint it stands behind; ``parent`` the partitioned index above it.

    ``options`` are storage parameters as ``name=value``. ``clustered``: CLUSTER sorts the table by it;
    ``replica_identity``: replication names the table's rows by it.
    """

    name: str
    method: str
    keys: tuple[Key, ...]
    include: tuple[str, ...] = ()
    unique: bool = False
    primary: bool = False
    exclusion: bool = False
    valid: bool = True
    nulls_not_distinct: bool = False
    predicate: str | None = None
    constraint: str | None = None
    parent: QName | None = None
    tablespace: str | None = None
    options: tuple[str, ...] = ()
    clustered: bool = False
    replica_identity: bool = False
    comment: str | None = None

    @property
    def key_columns(self) -> tuple[str, ...]:
        """The plain columns among the keys."""
        return tuple(k.column for k in self.keys if k.column is not None)

    @property
    def plain(self) -> bool:
        """True when a foreign key may point at it: whole-row, columns only, immediate uniqueness."""
        return self.unique and self.predicate is None and all(k.column for k in self.keys)


ConstraintKind = Literal["primary", "unique", "foreign", "check", "exclusion", "not_null", "trigger"]
Action = Literal["a", "r", "c", "n", "d"]  # NO ACTION, RESTRICT, CASCADE, SET NULL, SET DEFAULT


@dataclass(frozen=True, slots=True)
class Constraint:
    """A constraint; the foreign-key fields are empty for the other kinds.

    ``inherited`` is True for one that a parent table gave (it cannot be dropped here).
    ``period`` is True for WITHOUT OVERLAPS keys and PERIOD references (PostgreSQL 18).
    """

    name: str
    kind: ConstraintKind
    columns: tuple[str, ...]
    definition: str
    deferrable: bool = False
    deferred: bool = False
    validated: bool = True
    enforced: bool = True
    inherited: bool = False
    period: bool = False
    index: str | None = None
    references: QName | None = None
    referenced: tuple[str, ...] = ()
    referenced_index: str | None = None
    on_update: Action = "a"
    on_delete: Action = "a"
    match: Literal["s", "f", "p"] = "s"
    delete_columns: tuple[str, ...] = ()
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """A row level security policy; ``roles`` empty means PUBLIC."""

    name: str
    permissive: bool
    command: Literal["all", "select", "insert", "update", "delete"]
    roles: tuple[str, ...]
    using: str | None
    check: str | None


@dataclass(frozen=True, slots=True)
class Trigger:
    """A user trigger. ``enabled`` is pg_trigger.tgenabled: O(rigin), D(isabled), R(eplica), A(lways)."""

    name: str
    timing: Literal["before", "after", "instead"]
    row: bool
    events: tuple[str, ...]
    function: QName
    enabled: Literal["O", "D", "R", "A"]
    definition: str
    inherited: bool = False
    update_columns: tuple[str, ...] = ()  # of UPDATE OF; empty: any column


@dataclass(frozen=True, slots=True)
class Grant:
    """Privileges of one role (empty name: PUBLIC) on a relation or one column of it, sorted upper-case words."""

    role: str
    privileges: tuple[str, ...]
    column: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table, partitioned table, partition or foreign table.

    ``rows`` (estimate) and ``bytes`` (with indexes and TOAST) are 0 when unknown; neither is fingerprinted.
    ``partition_of`` is the partitioned parent, ``parents`` the legacy inheritance parents, ``of_type`` the
    composite type that a typed table has its columns from.
    """

    schema: str
    name: str
    kind: Literal["table", "partitioned", "foreign"]
    owner: str
    columns: tuple[Column, ...]
    constraints: tuple[Constraint, ...] = ()
    indexes: tuple[Index, ...] = ()
    policies: tuple[Policy, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    rules: tuple[str, ...] = ()
    grants: tuple[Grant, ...] = ()
    column_grants: tuple[Grant, ...] = ()
    row_security: bool = False
    forced: bool = False
    partition_of: QName | None = None
    partition_key: tuple[str, ...] = ()
    parents: tuple[QName, ...] = ()
    dropped_columns: int = 0
    extension: str | None = None
    unlogged: bool = False
    of_type: str | None = None
    rows: int = 0
    bytes: int = 0

    @property
    def qname(self) -> QName:
        return QName(self.schema, self.name)

    def column(self, name: str) -> Column | None:
        """The column of that name, or None."""
        return next((c for c in self.columns if c.name == name), None)

    def constraint(self, name: str) -> Constraint | None:
        """The constraint of that name, or None."""
        return next((c for c in self.constraints if c.name == name), None)

    def index(self, name: str) -> Index | None:
        """The index of that name, or None."""
        return next((i for i in self.indexes if i.name == name), None)

    def policy(self, name: str) -> Policy | None:
        """The policy of that name, or None."""
        return next((p for p in self.policies if p.name == name), None)

    def trigger(self, name: str) -> Trigger | None:
        """The trigger of that name, or None."""
        return next((t for t in self.triggers if t.name == name), None)

    @property
    def primary_key(self) -> Constraint | None:
        return next((c for c in self.constraints if c.kind == "primary"), None)

    @property
    def foreign_keys(self) -> tuple[Constraint, ...]:
        return tuple(c for c in self.constraints if c.kind == "foreign")

    def privileges(self, role: str) -> frozenset[str]:
        """What was granted to that very role (not through membership)."""
        return frozenset(p for g in self.grants if g.role == role for p in g.privileges)


@dataclass(frozen=True, slots=True)
class View:
    """A view or materialized view; ``reads`` are the relations and ``keys`` the constraints its rule depends on."""

    schema: str
    name: str
    materialized: bool
    owner: str
    security_invoker: bool
    reads: tuple[QName, ...]
    keys: tuple[tuple[QName, str], ...] = ()
    grants: tuple[Grant, ...] = ()
    column_grants: tuple[Grant, ...] = ()
    extension: str | None = None

    @property
    def qname(self) -> QName:
        return QName(self.schema, self.name)

    def privileges(self, role: str) -> frozenset[str]:
        return frozenset(p for g in self.grants if g.role == role for p in g.privileges)


@dataclass(frozen=True, slots=True)
class Function:
    """A user function or procedure; ``keys`` as for views (SQL-standard bodies only).

    ``callers`` are the roles that EXECUTE was granted to, the owner left out; an empty name is PUBLIC.
    """

    schema: str
    name: str
    arguments: str
    language: str
    kind: Literal["f", "p", "a", "w"]
    security_definer: bool
    source: str
    config: tuple[str, ...] = ()
    keys: tuple[tuple[QName, str], ...] = ()
    owner: str = ""
    callers: tuple[str, ...] = ()
    extension: str | None = None

    @property
    def qname(self) -> QName:
        return QName(self.schema, self.name)


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence and the column that owns it."""

    schema: str
    name: str
    owner: str
    table: QName | None
    column: str | None
    identity: bool
    grants: tuple[Grant, ...] = ()

    @property
    def qname(self) -> QName:
        return QName(self.schema, self.name)

    def privileges(self, role: str) -> frozenset[str]:
        return frozenset(p for g in self.grants if g.role == role for p in g.privileges)


@dataclass(frozen=True, slots=True)
class Role:
    """A role; ``member_of`` are all roles reachable by SET ROLE, however far."""

    name: str
    superuser: bool
    bypass_rls: bool
    login: bool
    create_role: bool
    create_db: bool
    replication: bool
    member_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema, its owner and what was granted on it."""

    name: str
    owner: str
    grants: tuple[Grant, ...] = ()

    def privileges(self, role: str) -> frozenset[str]:
        return frozenset(p for g in self.grants if g.role == role for p in g.privileges)


@dataclass(frozen=True, slots=True)
class Server:
    """Which server and database, and as whom it was read. ``version`` is server_version_num (180006)."""

    version: int
    database: str
    user: str


@dataclass(frozen=True)  # no slots: the look-ups below are cached
class Catalog:
    """A whole database, ordered by name, so that the same database gives the same bytes."""

    server: Server
    schemas: tuple[Schema, ...] = ()
    tables: tuple[Table, ...] = ()
    views: tuple[View, ...] = ()
    functions: tuple[Function, ...] = ()
    sequences: tuple[Sequence, ...] = ()
    roles: tuple[Role, ...] = ()
    extensions: tuple[str, ...] = ()
    event_triggers: tuple[str, ...] = ()
    # Default operator classes for equality, by access method and type: ("gist", "text").
    equality_opclasses: tuple[tuple[str, str], ...] = field(default=())
    # Names taken in the relation name space by what is not listed above: types, indexes of materialized views.
    other_names: tuple[QName, ...] = ()

    @cached_property
    def by_name(self) -> Mapping[QName, Table]:
        return {t.qname: t for t in self.tables}

    @cached_property
    def roles_by_name(self) -> Mapping[str, Role]:
        return {r.name: r for r in self.roles}

    @cached_property
    def relation_names(self) -> Mapping[str, frozenset[str]]:
        """Names taken in each schema's relation name space: tables, indexes, views, sequences, types."""
        names: dict[str, set[str]] = {}
        for t in self.tables:
            names.setdefault(t.schema, set()).update([t.name, *(i.name for i in t.indexes)])
        for v in self.views:
            names.setdefault(v.schema, set()).add(v.name)
        for s in self.sequences:
            names.setdefault(s.schema, set()).add(s.name)
        for other in self.other_names:
            names.setdefault(other.schema, set()).add(other.name)
        return {schema: frozenset(n) for schema, n in names.items()}

    @cached_property
    def _referencing(self) -> Mapping[QName, tuple[tuple[Table, Constraint], ...]]:
        found: dict[QName, list[tuple[Table, Constraint]]] = {}
        for t in self.tables:
            for fk in t.foreign_keys:
                if fk.references is not None:
                    found.setdefault(fk.references, []).append((t, fk))
        return {name: tuple(pairs) for name, pairs in found.items()}

    def referencing(self, name: QName) -> tuple[tuple[Table, Constraint], ...]:
        """The foreign keys that point at a table, each with the table that has it."""
        return self._referencing.get(name, ())

    @cached_property
    def _children(self) -> Mapping[QName, tuple[Table, ...]]:
        found: dict[QName, list[Table]] = {}
        for t in self.tables:
            for parent in (*([t.partition_of] if t.partition_of else []), *t.parents):
                found.setdefault(parent, []).append(t)
        return {name: tuple(tables) for name, tables in found.items()}

    @cached_property
    def holders(self) -> Mapping[tuple[QName, str], tuple[View | Function, ...]]:
        """The views and functions that depend on a constraint, by its table and name."""
        found: dict[tuple[QName, str], list[View | Function]] = {}
        ones: tuple[View | Function, ...] = (*self.views, *self.functions)
        for one in ones:
            for key in one.keys:
                found.setdefault(key, []).append(one)
        return {key: tuple(held) for key, held in found.items()}

    def children(self, name: QName) -> tuple[Table, ...]:
        """Direct partitions and inheritance children."""
        return self._children.get(name, ())

    def descendants(self, name: QName) -> Iterator[Table]:
        """Partitions and inheritance children, however deep, parents before children, each once."""
        seen: set[QName] = set()
        queue = [*self.children(name)]
        while queue:
            table = queue.pop(0)
            if table.qname not in seen:
                seen.add(table.qname)
                yield table
                queue.extend(self.children(table.qname))

    def to_json(self) -> str:
        """JSON, sorted and indented; read back by :meth:`from_json`."""
        return json.dumps(_ADAPTER.dump_python(self, mode="json"), indent=1, ensure_ascii=False)

    @staticmethod
    def from_json(text: str | bytes) -> Catalog:
        """Raises pydantic.ValidationError for anything that is not a catalog's JSON."""
        return _ADAPTER.validate_json(text)

    def structure(self) -> dict[str, Any]:
        """The part that a fingerprint is made of: names and flags, no expressions, sizes, roles or server.

        Expression text changes across dump and restore, so it cannot take part; roles are cluster-wide, so
        another database's role must not look like drift.
        """
        return {
            "tables": [_table_structure(t) for t in self.tables],
            "views": [[v.schema, v.name, v.materialized, v.security_invoker] for v in self.views],
            "functions": [[f.schema, f.name, f.arguments] for f in self.functions],
            "extensions": list(self.extensions),
        }

    @property
    def digest(self) -> str:
        """SHA-256 of :meth:`structure`, hexadecimal."""
        return hashlib.sha256(json.dumps(self.structure(), sort_keys=True).encode()).hexdigest()


def _table_structure(t: Table) -> dict[str, Any]:
    return {
        "name": [t.schema, t.name, t.kind, t.owner],
        "columns": [
            [c.name, c.type, c.not_null, c.default is not None, c.generated, c.identity] for c in t.columns
        ],
        "constraints": sorted(
            [
                c.name,
                c.kind,
                list(c.columns),
                c.deferrable,
                c.deferred,
                c.validated,
                list(c.references) if c.references else [],
                list(c.referenced),
                c.on_update,
                c.on_delete,
            ]
            for c in t.constraints
        ),
        "indexes": sorted(
            [
                i.name,
                i.method,
                [k.column or "(expression)" for k in i.keys],
                list(i.include),
                i.unique,
                i.valid,
                i.predicate is not None,
                i.nulls_not_distinct,
                i.clustered,
                i.replica_identity,
            ]
            for i in t.indexes
        ),
        "policies": sorted([p.name, p.permissive, p.command, list(p.roles)] for p in t.policies),
        "triggers": sorted([g.name, g.timing, g.row, list(g.events), g.enabled] for g in t.triggers),
        "rls": [t.row_security, t.forced],
        "grants": sorted([g.role, list(g.privileges)] for g in t.grants)
        + sorted([g.role, list(g.privileges), g.column] for g in t.column_grants),
        "parent": [list(t.partition_of) if t.partition_of else [], [list(p) for p in t.parents]],
    }


_ADAPTER: TypeAdapter[Catalog] = TypeAdapter(Catalog)

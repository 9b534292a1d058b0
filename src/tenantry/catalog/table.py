"""A table and its parts: columns, keys, indexes, constraints, policies, triggers, grants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tenantry.names import QName


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


def granted(grants: tuple[Grant, ...], role: str) -> frozenset[str]:
    """What was granted to that very role (not through membership)."""
    return frozenset(p for g in grants if g.role == role for p in g.privileges)


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

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(c.name for c in self.columns)

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
        return granted(self.grants, role)

    def structure(self) -> dict[str, Any]:
        """Its part of what a fingerprint is made of."""
        return {
            "name": [self.schema, self.name, self.kind, self.owner],
            "columns": [
                [c.name, c.type, c.not_null, c.default is not None, c.generated, c.identity]
                for c in self.columns
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
                for c in self.constraints
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
                for i in self.indexes
            ),
            "policies": sorted([p.name, p.permissive, p.command, list(p.roles)] for p in self.policies),
            "triggers": sorted([g.name, g.timing, g.row, list(g.events), g.enabled] for g in self.triggers),
            "rls": [self.row_security, self.forced],
            "grants": sorted([g.role, list(g.privileges)] for g in self.grants)
            + sorted([g.role, list(g.privileges), g.column] for g in self.column_grants),
            "parent": [list(self.partition_of) if self.partition_of else [], [list(p) for p in self.parents]],
        }

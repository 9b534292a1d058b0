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
from typing import Any

from pydantic import TypeAdapter

from tenantry.catalog.objects import Function, Role, Schema, Sequence, Server, View
from tenantry.catalog.table import (
    Action,
    Column,
    Constraint,
    ConstraintKind,
    Grant,
    Index,
    Key,
    Policy,
    Table,
    Trigger,
    textual,
)
from tenantry.names import QName

__all__ = [
    "OWN_SCHEMA",
    "Action",
    "Catalog",
    "Column",
    "Constraint",
    "ConstraintKind",
    "Function",
    "Grant",
    "Index",
    "Key",
    "Policy",
    "Role",
    "Schema",
    "Sequence",
    "Server",
    "Table",
    "Trigger",
    "View",
    "textual",
]

# The schemas that belong to Tenantry itself; never converted, never part of a catalog.
OWN_SCHEMA = "tenantry"


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
            "tables": [t.structure() for t in self.tables],
            "views": [[v.schema, v.name, v.materialized, v.security_invoker] for v in self.views],
            "functions": [[f.schema, f.name, f.arguments] for f in self.functions],
            "extensions": list(self.extensions),
        }

    @property
    def digest(self) -> str:
        """SHA-256 of :meth:`structure`, hexadecimal."""
        return hashlib.sha256(json.dumps(self.structure(), sort_keys=True).encode()).hexdigest()


_ADAPTER: TypeAdapter[Catalog] = TypeAdapter(Catalog)

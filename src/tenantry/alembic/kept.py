"""Which operations of Alembic's autogenerate are kept, judged without the database: not those that undo tenancy."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from tenantry import planner
from tenantry.catalog import Catalog, Column, Table
from tenantry.counts import counted
from tenantry.errors import PlanError
from tenantry.names import QName, display
from tenantry.spec import Spec

_WIDTH = 100  # characters of a comment's line


def table(op: Any, schema: str) -> QName:
    """The table that an operation is about."""
    kw = getattr(op, "kw", None) or {}
    name = str(getattr(op, "table_name", None) or getattr(op, "source_table", ""))
    return QName(str(getattr(op, "schema", None) or kw.get("source_schema") or schema), name)


def refuse_pending(spec: Spec, catalog: Catalog, given: Sequence[Any], schema: str) -> None:
    """Raise PlanError unless the database, without the tables that the operations drop, is as the spec says."""
    drops = {table(op, schema) for op in given if _kind(op) == "DropTableOp"}
    gone = {name for name in drops if not _own(spec, catalog, name)}
    without = replace(catalog, tables=tuple(t for t in catalog.tables if t.qname not in gone))
    left = planner.plan(spec, without, "transactional")
    if left:
        raise PlanError(
            [
                f"the database is not as the spec says before the revision: {counted(len(left.steps), 'step is', 'steps are')} pending, first "
                f"{left.steps[0].id}; run `alembic upgrade head`, or `tenantry apply`, or `tenantry render alembic .` for them"
            ]
        )


def kept(given: Sequence[Any], spec: Spec, catalog: Catalog, schema: str) -> tuple[list[Any], list[str]]:
    """The operations without those that would undo the tenancy of tables that are there, and the latter in words.

    Models rarely say all that the conversion made. Autogenerate then drops it, or adds again what a key with the
    tenant has replaced.
    """
    twins = {(table(op, schema), twin) for op in given if (twin := _twin(op, spec, catalog, schema))}
    stay, left = [], []
    for op in given:
        name = table(op, schema)
        drops = (name, _name(op)) in twins and _kind(op).startswith("Drop")
        if drops or _twin(op, spec, catalog, schema) or _undoes(op, spec, catalog, name):
            left.append(" ".join(filter(None, [_kind(op), "on", display(name), _name(op)])))
        else:
            stay.append(op)
    # A key must be there before a new table refers to it.
    return sorted(stay, key=lambda op: _kind(op) not in ("AddColumnOp", "CreateUniqueConstraintOp")), left


def _undoes(op: Any, spec: Spec, catalog: Catalog, name: QName) -> bool:
    known = catalog.by_name.get(name)
    if known is None:
        return False
    if _kind(op) == "DropTableOp":
        return _own(spec, catalog, name)
    changed = _without(op, known)
    if changed is None or changed == known:
        return False
    # What a foreign key needs, the planner does not ask for again once the key is there.
    needed = any(key.referenced_index == _name(op) for _, key in catalog.referencing(name))
    return needed or _lacks(spec, catalog, changed)


def _kind(op: Any) -> str:
    return type(op).__name__


def _own(spec: Spec, catalog: Catalog, name: QName) -> bool:
    """The tenants table, the trail and what belongs to it: no model of the application's need know them."""
    own = {spec.tenancy.tenants}
    if spec.audit is not None:
        own |= {spec.audit.table, *(part.qname for part in catalog.descendants(spec.audit.table))}
    return name in own


def _without(op: Any, known: Table) -> Table | None:
    """The table after an operation that takes something away; None for any other operation."""
    match _kind(op):
        case "DropIndexOp":
            return replace(known, indexes=tuple(i for i in known.indexes if i.name != op.index_name))
        case "DropConstraintOp":
            gone = op.constraint_name
            return replace(
                known,
                constraints=tuple(c for c in known.constraints if c.name != gone),
                indexes=tuple(i for i in known.indexes if i.constraint != gone),
            )
        case "DropColumnOp":
            return replace(known, columns=tuple(c for c in known.columns if c.name != op.column_name))
        case "AlterColumnOp":
            return replace(known, columns=tuple(_altered(op, c) for c in known.columns))
    return None


def _altered(op: Any, column: Column) -> Column:
    if column.name != op.column_name:
        return column
    nullable = op.modify_nullable is True
    return replace(
        column,
        not_null=column.not_null and not nullable,
        default=column.default if op.modify_server_default is False else None,
    )


def _lacks(spec: Spec, catalog: Catalog, changed: Table) -> bool:
    tables = tuple(changed if t.qname == changed.qname else t for t in catalog.tables)
    try:
        return bool(planner.plan(spec, replace(catalog, tables=tables), "transactional"))
    except PlanError:
        return True


def _twin(op: Any, spec: Spec, catalog: Catalog, schema: str) -> str:
    """The name of the key with the tenant that has taken the place of one that an operation adds; "" for none."""
    known, rule = catalog.by_name.get(table(op, schema)), spec.tables.get(table(op, schema))
    if known is None or rule is None or rule.scope != "tenant":
        return ""
    tenant = rule.column or spec.tenancy.column
    found: Iterable[tuple[str, Sequence[str]]]
    match _kind(op):
        case "CreateForeignKeyOp":
            here = op.local_cols
            to = [k for k in known.foreign_keys if k.references and k.references.name == op.referent_table]
            found = ((k.name, k.columns) for k in to)
        case "CreateUniqueConstraintOp" | "CreateIndexOp" if getattr(op, "unique", True):
            here = [str(getattr(column, "name", column)) for column in op.columns]
            decision = rule.unique.get(str(_name(op)))
            if getattr(decision, "scope", decision) == "global":
                return ""
            found = ((i.name, i.key_columns) for i in known.indexes if i.unique)
        case _:
            return ""
    return next((n for n, columns in found if tenant not in here and set(columns) == {tenant, *here}), "")


def _name(op: Any) -> Any:
    return getattr(op, "constraint_name", None) or getattr(op, "index_name", None)


def escaped(statement: str) -> str:
    """A statement as ``op.execute`` takes it: no colon begins a parameter."""
    return statement.replace(":", "\\:")


def wrapped(text: str) -> list[str]:
    """The lines of a comment."""
    return textwrap.wrap(text, _WIDTH)

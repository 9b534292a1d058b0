"""Looking, as the administrator, for a row worth attacking; every query ends at its first row."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from tenantry.attacks.session import Session
from tenantry.attacks.target import Aim, Target
from tenantry.catalog import Column
from tenantry.errors import CatalogError
from tenantry.names import literal, quote

_LENGTH = re.compile(r"^(?:character|character varying|bpchar)\((\d+)\)$")
_TEXTUAL = ("text", "character", "bpchar", "citext", "public.citext")


def made_up(column: Column) -> str | None:
    """A value of the column's type that hardly any row has, as text; None for a type that is not known here."""
    match column.base:
        case "uuid":
            return str(uuid.uuid4())
        case "bigint" | "integer" | "numeric":
            return str(-1 - uuid.uuid4().int % 2**30)
        case "smallint":
            return str(-1 - uuid.uuid4().int % 2**14)
    if column.base.startswith(_TEXTUAL):
        length = _LENGTH.match(column.base)
        return ("ghost-" + uuid.uuid4().hex)[-int(length[1]) :] if length else "ghost-" + uuid.uuid4().hex
    return None


def ghost(admin: psycopg.Connection[Any], tenants: Target) -> str:
    """A tenant id that the tenants table does not have. Raises CatalogError when none can be made."""
    column = tenants.table.column(tenants.column or "")
    for _ in range(8):
        value = made_up(column) if column else None
        if column is None or value is None:
            break
        query = f"SELECT 1 FROM {tenants.sql} WHERE {quote(column.name)} = {literal(value)}"
        if admin.execute(query.encode()).fetchone() is None:
            return value
    type_ = column.type if column else "missing"
    raise CatalogError(f"{tenants.label}: its key is {type_}, and no id can be made up that no tenant has")


def take(session: Session, target: Target) -> Aim | None:
    """A row to attack, or None when the table has no row. Raises psycopg.Error when it cannot be looked at."""
    if target.kind == "trail":  # brings its own rows
        some = session.look(f"SELECT {_tenants(session).owner('t')} FROM {_tenants(session).sql} AS t LIMIT 1")
        return Aim(target, some[0], _other(session, target, some[0])) if some else None
    columns = [c.name for c in target.table.columns]
    values = ", ".join(f"t.{quote(c)}::text" for c in columns)
    owner = target.owner("t")
    row = session.look(
        f"SELECT {owner}, t.tableoid::text, t.ctid::text, {values} FROM {target.sql} AS t "
        f"WHERE {owner} IS NOT NULL LIMIT 1"
    )
    if row is None:
        return None
    tenant, tableoid, ctid = row[:3]
    # Where a table has parts, a place is unique only within one of them.
    part = "" if target.table.kind == "table" else f"tableoid = {tableoid} AND "
    other = _other(session, target, tenant)
    return Aim(
        target,
        tenant,
        other,
        dict(zip(columns, row[3:], strict=True)),
        f"{part}ctid = {literal(ctid)}",
        _elsewhere(session, target, tenant, other),
    )


def _tenants(session: Session) -> Target:
    return session.targets[session.tenants]


def _other(session: Session, target: Target, tenant: str) -> str | None:
    """Another tenant; within a partition one of its own, because the bound refuses the others anyhow."""
    if target.table.partition_of and target.column:
        row = another(session, target, tenant, (target.column,))
        if row is not None:
            return row[target.column]
    tenants = _tenants(session)
    row = another(session, tenants, tenant, (tenants.column or "",))
    return row[tenants.column or ""] if row else None


def another(session: Session, target: Target, tenant: str, columns: Sequence[str]) -> Mapping[str, str | None] | None:
    """The columns, as text, of a row of any other tenant."""
    values = ", ".join(f"t.{quote(c)}::text" for c in columns)
    present = " AND ".join(f"t.{quote(c)} IS NOT NULL" for c in columns)
    base = f"SELECT {values} FROM {target.sql} AS t WHERE {present} AND "
    if target.column:  # both sides of the tenant, each along an index that leads with it
        key = f"t.{quote(target.column)}"
        query = (
            f"({base}{key} > {literal(tenant)} ORDER BY {key} LIMIT 1) UNION ALL "
            f"({base}{key} < {literal(tenant)} ORDER BY {key} DESC LIMIT 1) LIMIT 1"
        )
    else:
        query = f"{base}{target.owner('t')} <> {literal(tenant)} LIMIT 1"
    row = session.look(query)
    return dict(zip(columns, row, strict=True)) if row else None


def own(session: Session, target: Target, tenant: str, columns: Sequence[str]) -> Mapping[str, str | None] | None:
    """The columns, as text, of a row of that tenant."""
    values = ", ".join(f"t.{quote(c)}::text" for c in columns)
    present = " AND ".join(f"t.{quote(c)} IS NOT NULL" for c in columns)
    owner = f"t.{quote(target.column)}" if target.column else target.owner("t")
    row = session.look(
        f"SELECT {values} FROM {target.sql} AS t WHERE {owner} = {literal(tenant)} AND {present} LIMIT 1"
    )
    return dict(zip(columns, row, strict=True)) if row else None


def _elsewhere(session: Session, target: Target, tenant: str, other: str | None) -> dict[str, str | None]:
    """What would take a row out of its tenant; empty when no such value is to be had."""
    if target.column:
        return {target.column: other or session.ghost}
    if target.parent is None:
        return {}
    row = another(session, target.parent, tenant, tuple(target.on.values()))
    if row is not None:
        return {ours: row[theirs] for ours, theirs in target.on.items()}
    made = {c: made_up(column) for c in target.on if (column := target.table.column(c))}
    return dict(made) if all(v is not None for v in made.values()) else {}

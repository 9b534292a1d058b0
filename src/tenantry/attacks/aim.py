"""Looking, as the administrator, for a row worth attacking; every query ends at its first row."""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Mapping, Sequence

import psycopg

from tenantry.attacks.lab import Lab
from tenantry.attacks.target import Aim, Target
from tenantry.catalog import Column
from tenantry.errors import CatalogError
from tenantry.names import literal, quote
from tenantry.session import Conn

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


def ghost(admin: Conn, tenants: Target) -> str:
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


def take(lab: Lab, target: Target) -> Aim | None:
    """What to attack in a table, or None while there is no tenant. Raises psycopg.Error for a failed look."""
    if target.kind == "trail" and lab.how.writes:  # brings its own rows
        tenant = _some(lab)
        return Aim(target, tenant, _other(lab, target, tenant)) if tenant is not None else None
    # In production no more of somebody's row is read than a statement needs.
    every = lab.how.writes or bool(target.routing)
    needed = target.border | target.people
    columns = [c.name for c in target.table.columns if every or c.name in needed or c.type != c.base]
    values = "".join(f", t.{quote(c)}::text" for c in columns)
    owner = target.owner("t")
    start = f"SELECT {owner}, t.tableoid::text, t.ctid::text{values} FROM {target.sql} AS t WHERE {owner} IS NOT NULL"
    speaks = lab.claims.speaks(owner)
    found = lab.look(f"{start}{speaks} LIMIT 1")
    if found is None and speaks:  # rows that nobody speaks for are still rows that nobody may see
        found = lab.look(f"{start} LIMIT 1")
    if found is None:
        return _empty(lab, target)
    tenant, tableoid, ctid = found[:3]
    # A table with parts has the same place in each of them.
    part = f"tableoid = {tableoid} AND " if target.parts else ""
    other = _other(lab, target, tenant)
    row = dict(zip(columns, found[3:], strict=True)) | dict.fromkeys(target.people, lab.speaker(tenant))
    return Aim(
        target,
        tenant,
        other,
        row,
        spot=f"{part}ctid = {literal(ctid)}",
        elsewhere=_elsewhere(lab, target, tenant, other),
    )


def _empty(lab: Lab, target: Target) -> Aim | None:
    tenant = _some(lab)
    if tenant is None:
        return None
    row: dict[str, str | None] = {c.name: None for c in target.table.columns}
    row |= {target.column: tenant} if target.column else {}
    elsewhere = {c: lab.ghost if c == target.column else None for c in target.border}
    return Aim(target, tenant, None, row, empty=True, elsewhere=elsewhere)


def _some(lab: Lab) -> str | None:
    owner = lab.tenants.owner("t")
    row = lab.look(
        f"SELECT {owner} FROM {lab.tenants.sql} AS t WHERE {owner} IS NOT NULL{lab.claims.speaks(owner)} LIMIT 1"
    )
    return row[0] if row else None


def _other(lab: Lab, target: Target, tenant: str) -> str | None:
    """Another tenant; within a partition one of its own, because the bound refuses the others anyhow."""
    if target.table.partition_of and target.column:
        row = another(lab, target, tenant, (target.column,))
        if row is not None:
            return row[target.column]
    key = lab.tenants.column or ""
    row = another(lab, lab.tenants, tenant, (key,))
    return row[key] if row else None


def another(lab: Lab, target: Target, tenant: str, columns: Sequence[str]) -> Mapping[str, str | None] | None:
    """The columns, as text, of a row of any other tenant, if the tenant itself has no row with the same."""
    values = ", ".join(f"t.{quote(c)}::text" for c in columns)
    present = " AND ".join(f"t.{quote(c)} IS NOT NULL" for c in columns)
    same = " AND ".join(f"o.{quote(c)} = t.{quote(c)}" for c in columns)
    mine = f"SELECT 1 FROM {target.sql} AS o WHERE {same} AND {_of(target, 'o')} = {literal(tenant)}"
    present += lab.claims.speaks(target.owner("t"))
    base = f"SELECT {values} FROM {target.sql} AS t WHERE {present} AND NOT EXISTS ({mine}) AND "
    key = _of(target, "t")
    if target.column:  # both sides of the tenant, each along an index that leads with it
        query = (
            f"({base}{key} > {literal(tenant)} ORDER BY {key} LIMIT 1) UNION ALL "
            f"({base}{key} < {literal(tenant)} ORDER BY {key} DESC LIMIT 1) LIMIT 1"
        )
    else:
        query = f"{base}{key} <> {literal(tenant)} LIMIT 1"
    row = lab.look(query)
    return dict(zip(columns, row, strict=True)) if row else None


def residents(lab: Lab) -> tuple[str, ...]:
    """Two tenants with rows in one table, or the only one, or none. A table that cannot be looked at is passed over."""
    alone: tuple[str, ...] = ()
    for target in (t for t in lab.targets.values() if t.kind == "tenant" and t.column):
        with contextlib.suppress(psycopg.Error):  # its own attacks say so
            found = _residents(lab, target)
            if len(found) == 2:
                return found
            alone = alone or found
    return alone


def _residents(lab: Lab, target: Target) -> tuple[str, ...]:
    owner, column = target.owner("t"), target.column or ""
    speaks = lab.claims.speaks(owner)
    first = lab.look(f"SELECT {owner} FROM {target.sql} AS t WHERE {owner} IS NOT NULL{speaks} LIMIT 1")
    if first is None:
        return ()
    second = another(lab, target, str(first[0]), (column,))
    return (str(first[0]),) if second is None else (str(first[0]), str(second[column]))


def own(lab: Lab, target: Target, tenant: str, columns: Sequence[str]) -> Mapping[str, str | None] | None:
    """The columns, as text, of a row of that tenant."""
    values = ", ".join(f"t.{quote(c)}::text" for c in columns)
    present = " AND ".join(f"t.{quote(c)} IS NOT NULL" for c in columns)
    row = lab.look(
        f"SELECT {values} FROM {target.sql} AS t WHERE {_of(target, 't')} = {literal(tenant)} AND {present} LIMIT 1"
    )
    return dict(zip(columns, row, strict=True)) if row else None


def _of(target: Target, alias: str) -> str:
    """The tenant of a row, in the column's own type where there is a column, so that an index serves."""
    return f"{alias}.{quote(target.column)}" if target.column else target.owner(alias)


def _elsewhere(lab: Lab, target: Target, tenant: str, other: str | None) -> dict[str, str | None]:
    """What would take a row out of its tenant; empty when no such value is to be had."""
    if target.column:
        return {target.column: other or lab.ghost}
    if target.parent is None:
        return {}
    row = another(lab, target.parent, tenant, tuple(target.on.values()))
    if row is not None:
        return {ours: row[theirs] for ours, theirs in target.on.items()}
    made = {c: made_up(column) for c in target.on if (column := target.table.column(c))}
    return dict(made) if all(v is not None for v in made.values()) else {}

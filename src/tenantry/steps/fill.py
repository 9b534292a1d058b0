"""Rows that old code writes while a derived backfill runs, and until the cut-over: a trigger gives them their tenant.

Where all rows have one tenant the column's default does this; a tenant that comes from a parent, a column, a
mapping or an expression needs the row. The trigger is there from the moment the column is, so the backfill ends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from tenantry import ddl, verify
from tenantry.catalog import Table
from tenantry.conversion import Conversion, TenantTable
from tenantry.names import QName, literal, qualified, quote
from tenantry.plan import Change, Lock, Phase
from tenantry.spec import Constant
from tenantry.steps import backfill

TRIGGER = "tenantry_fill"


def _function(table: TenantTable) -> QName:
    digest = hashlib.sha256(qualified(table.qname).encode()).hexdigest()[:16]
    return QName("tenantry", f"fill_{digest}")


def _tables(c: Conversion, table: TenantTable) -> list[Table]:
    """Partitions take the trigger from their parent; legacy children need their own."""
    return [t.table for t in c.members(table) if t.part != "partition"]


def wanted(c: Conversion, table: TenantTable) -> bool:
    """True where old code keeps writing rows whose tenant only their source knows."""
    return c.online and backfill.needed(c, table) and not isinstance(table.rule.backfill, Constant)


def steps(c: Conversion) -> Iterator[Change]:
    """Make the function and its triggers, right after the column."""
    for table in c.roots:
        if wanted(c, table):
            yield _create(c, table)


def _create(c: Conversion, table: TenantTable) -> Change:
    function, column = _function(table), quote(table.column)
    value = backfill.expression(c, table, "a")
    body = (
        f"CREATE OR REPLACE FUNCTION {qualified(function)}() RETURNS trigger\n"
        "LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fill$\n"
        "BEGIN\n"
        f"  IF NEW.{column} IS NULL THEN\n"
        f"    NEW.{column} := (SELECT {value} FROM (SELECT NEW.*) AS a);\n"
        "  END IF;\n"
        "  RETURN NEW;\n"
        "END\n"
        "$fill$"
    )
    members = _tables(c, table)
    return Change(
        id=f"columns.{table.label}.fill",
        phase=Phase.COLUMNS,
        object=table.label,
        why=f"A row that old code writes into {table.label} takes its tenant from the same source as the rows that are there.",
        apply=(
            "CREATE SCHEMA IF NOT EXISTS tenantry",
            body,
            *(ddl.create_guard(t.qname, TRIGGER, "INSERT", "ROW", function) for t in members),
        ),
        # Gone again at the end of the same plan, when no row can be without a tenant: resumed then, this step is done.
        verify=verify.query(
            verify.either(
                " AND ".join(verify.trigger(t.qname, TRIGGER) for t in members),
                f"{_gone(function)} AND {verify.not_null(table.qname, table.column)}",
            )
        ),
        revert=(f"DROP FUNCTION IF EXISTS {qualified(function)}() CASCADE",),
        lock=Lock.SHARE_ROW_EXCLUSIVE,
        tables=tuple(t.qname for t in members),
    )


def _gone(function: QName) -> str:
    return f"pg_catalog.to_regproc({literal(qualified(function))}) IS NULL"


def cut_over(c: Conversion) -> Iterator[Change]:
    """Take the triggers away: from here a row without a tenant is refused."""
    for table in c.roots:
        members = [t for t in _tables(c, table) if wanted(c, table) or t.trigger(TRIGGER) is not None]
        if not members:
            continue
        function = _function(table)
        phase = Phase.CUTOVER if c.online else Phase.HARDEN
        yield Change(
            id=f"{phase}.{table.label}.fill",
            phase=phase,
            object=table.label,
            why=f"A row of {table.label} takes the tenant of the session; without one it is refused.",
            apply=(f"DROP FUNCTION {qualified(function)}() CASCADE",),
            verify=verify.query(
                _gone(function),
                *(verify.negate(verify.trigger(t.qname, TRIGGER)) for t in members),
            ),
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=tuple(t.qname for t in members),
        )

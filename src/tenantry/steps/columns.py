"""The tenant column and its default.

While old code still runs, a new row falls to the session's tenant or else to the tenant of the existing rows;
at the end only the session's tenant is left, so that code without a scope is refused instead of guessed for.
"""

from __future__ import annotations

from collections.abc import Iterator

from tenantry import ddl, verify
from tenantry.conversion import Conversion, TenantTable
from tenantry.names import fit, literal, quote
from tenantry.plan import Change, Lock, Phase
from tenantry.spec import Constant


def _constant(table: TenantTable) -> str | None:
    source = table.rule.backfill
    return source.constant if isinstance(source, Constant) else None


def fills_itself(c: Conversion, table: TenantTable) -> bool:
    """True where adding the column fills old rows too: a constant kept in the catalog, no row rewritten.

    Only online: a migrator's files keep adding and filling apart, so that each can be read and reviewed.
    """
    return c.online and _constant(table) is not None and table.existing is None


def steps(c: Conversion) -> Iterator[Change]:
    """Add the column where it is missing."""
    for table in c.roots:
        if table.existing is not None:
            continue
        constant = _constant(table)
        setting = c.spec.tenancy.setting
        filled = f"{literal(constant)}::{c.type}" if constant is not None and fills_itself(c, table) else None
        why = "Rows written meanwhile take the session's tenant"
        why += ", else the tenant of the existing rows." if constant is not None else "; the rest is filled by the backfill."
        yield Change(
            id=f"columns.{table.label}.{table.column}",
            phase=Phase.COLUMNS,
            object=table.label,
            why=f"{table.label} belongs to tenants. {why}",
            apply=(
                ddl.add_column(table.qname, table.column, c.type, filled),
                ddl.set_default(table.qname, table.column, ddl.tenant_default(setting, c.type, constant)),
            ),
            verify=verify.query(verify.column(table.qname, table.column)),
            revert=(ddl.drop_column(table.qname, table.column),),
            lock=Lock.ACCESS_EXCLUSIVE,
        )


def expected_default(c: Conversion, column: str) -> tuple[str, ...]:
    """How the server deparses the final default."""
    text = f"NULLIF(current_setting({literal(c.spec.tenancy.setting)}::text, true), ''::text)"
    return (text,) if c.type == "text" else (f"({text})::{c.type}",)


def final_defaults(c: Conversion) -> Iterator[Change]:
    """The column's default is the session's tenant, nothing else."""
    for table in c.roots:
        expected = expected_default(c, table.column)
        existing = table.existing
        if existing is not None and existing.default in expected:
            continue
        before = existing.default if existing is not None else None
        yield Change(
            id=f"harden.{table.label}.{table.column}.default",
            phase=Phase.HARDEN,
            object=table.label,
            why="A new row takes the tenant of the session; without one it is refused.",
            apply=(ddl.set_default(table.qname, table.column, ddl.tenant_default(c.spec.tenancy.setting, c.type)),),
            verify=verify.query(verify.default(table.qname, table.column, expected)),
            revert=(ddl.set_default(table.qname, table.column, before),) if existing is not None else (),
            lock=Lock.ACCESS_EXCLUSIVE,
        )


def not_null(c: Conversion) -> Iterator[Change]:
    """NOT NULL; online by way of a CHECK that is validated under a weak lock, so that no long scan blocks writers."""
    for table in c.roots:
        existing = table.existing
        if existing is not None and existing.not_null:
            continue
        where = table.qname, table.column
        done = verify.not_null(*where)
        base = f"enforce.{table.label}.{table.column}"
        undo = (ddl.drop_not_null(*where),) if existing is not None else ()
        why = f"Every row of {table.label} has a tenant."
        if not c.online:
            yield Change(
                id=f"{base}.not_null", phase=Phase.ENFORCE, object=table.label, why=why,
                apply=(ddl.set_not_null(*where),), verify=verify.query(done), revert=undo,
                lock=Lock.ACCESS_EXCLUSIVE, rows=table.table.rows, bytes=table.table.bytes,
            )  # fmt: skip
            continue
        check = _check_name(table)
        present = table.table.constraint(check)
        either = [done, verify.constraint(table.qname, check, valid=False)]
        if present is None:
            yield Change(
                id=f"{base}.check", phase=Phase.ENFORCE, object=table.label,
                why=f"{why} New rows at once; the scan of old rows follows under a weak lock.",
                apply=(ddl.add_not_null_check(table.qname, check, table.column),),
                verify=verify.query(verify.either(*either)), lock=Lock.ACCESS_EXCLUSIVE,
            )  # fmt: skip
        yield Change(
            id=f"{base}.validate", phase=Phase.ENFORCE, object=table.label,
            why="Reads every row, blocks nobody.",
            apply=(ddl.validate_constraint(table.qname, check),),
            verify=verify.query(verify.either(done, verify.constraint(table.qname, check))),
            lock=Lock.SHARE_UPDATE_EXCLUSIVE, rows=table.table.rows, bytes=table.table.bytes,
        )  # fmt: skip
        yield Change(
            id=f"{base}.not_null", phase=Phase.ENFORCE, object=table.label,
            why=f"{why} The validated check spares the scan, then it goes.",
            apply=(ddl.set_not_null(*where), ddl.drop_constraint(table.qname, check)),
            verify=verify.query(done, verify.negate(verify.constraint(table.qname, check, valid=False))),
            revert=undo, lock=Lock.ACCESS_EXCLUSIVE,
        )  # fmt: skip


def _check_name(table: TenantTable) -> str:
    return fit(f"{table.table.name}_{table.column}_present")


def quoted(table: TenantTable, alias: str = "") -> str:
    """The tenant column in SQL, behind an alias if one is given."""
    return f"{alias}.{quote(table.column)}" if alias else quote(table.column)

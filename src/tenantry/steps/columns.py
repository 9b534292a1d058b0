"""The tenant column and its default.

While old code still runs, a new row falls to the session's tenant or else to the tenant of the existing rows;
at the end only the session's tenant is left, so that code without a scope is refused instead of guessed for.
"""

from __future__ import annotations

from collections.abc import Iterator

from tenantry import ddl, verify
from tenantry.conversion import Conversion, TenantTable
from tenantry.names import free, literal, quote
from tenantry.plan import Change, Lock, Phase
from tenantry.spec import Constant
from tenantry.steps import context


def _constant(table: TenantTable) -> str | None:
    source = table.rule.backfill
    return source.constant if isinstance(source, Constant) else None


def fills_itself(c: Conversion, table: TenantTable) -> bool:
    """True where adding the column fills old rows too: a constant kept in the catalog, no row rewritten.

    Only online: a migrator's files keep adding and filling apart, so that each can be read and reviewed. Only
    for the tenant that the plan makes: whether there is another is asked of the rows, before a backfill.
    """
    default = c.spec.tenancy.default
    made = default is not None and default.id == _constant(table)
    return c.online and made and all(t.existing is None for t in c.members(table))


def steps(c: Conversion) -> Iterator[Change]:
    """Add the column where it is missing."""
    for table in c.roots:
        if table.existing is not None:
            continue
        constant = _constant(table)
        filled = f"{literal(constant)}::{c.type}" if fills_itself(c, table) else None
        why = "Rows written meanwhile take the session's tenant"
        why += (
            ", else the tenant of the existing rows."
            if constant is not None
            else "; the rest is filled by the backfill."
        )
        yield Change(
            id=f"columns.{table.label}.{table.column}",
            phase=Phase.COLUMNS,
            object=table.label,
            why=f"{table.label} belongs to tenants. {why}",
            apply=(
                ddl.add_column(table.qname, table.column, c.type, filled),
                ddl.set_default(table.qname, table.column, context.default(c, constant)),
            ),
            verify=verify.query(verify.column(table.qname, table.column)),
            revert=(ddl.drop_column(table.qname, table.column), *_restored_defaults(c, table)),
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(table.qname,),
        )


def _restored_defaults(c: Conversion, root: TenantTable) -> tuple[str, ...]:
    """The defaults of columns that were there before; one set on a table is set on all below it."""
    return tuple(
        ddl.set_default(t.qname, t.column, t.existing.default)
        for t in c.members(root)
        if t.existing is not None and (t is root or root.existing is None or t.existing.default != root.existing.default)
    )  # fmt: skip


def final_defaults(c: Conversion) -> Iterator[Change]:
    """The column's default is the session's tenant, nothing else."""
    expected = context.expected_default(c)
    phase = Phase.CUTOVER if c.online else Phase.HARDEN
    for table in c.roots:
        members = c.members(table)
        stale = [t for t in members if t.existing is not None and t.existing.default not in expected]
        if not stale and (table.existing is not None or _constant(table) is None):
            continue  # a column that is only added now gets its final default at once, unless old rows have one tenant
        yield Change(
            id=f"{phase}.{table.label}.{table.column}.default",
            phase=phase,
            object=table.label,
            why="A new row takes the tenant of the session; without one it is refused.",
            apply=(ddl.set_default(table.qname, table.column, context.default(c)),),
            verify=verify.query(
                *(
                    verify.default(t.qname, t.column, expected)
                    for t in (table, *(t for t in stale if t is not table))
                )
            ),
            revert=_restored_defaults(c, table) if table.existing is not None else (),
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(table.qname,),
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
        undo = _nullable_again(c, table)
        why = f"Every row of {table.label} has a tenant."
        if not c.online:
            yield Change(
                id=f"{base}.not_null", phase=Phase.ENFORCE, object=table.label, why=why,
                apply=(ddl.set_not_null(*where),), verify=verify.query(done), revert=undo,
                lock=Lock.ACCESS_EXCLUSIVE, tables=(table.qname,), rows=table.table.rows, bytes=table.table.bytes,
            )  # fmt: skip
            continue
        check = _check_name(c, table)
        present = table.table.constraint(check)
        either = [done, verify.constraint(table.qname, check, valid=False)]
        if present is None:
            yield Change(
                id=f"{base}.check", phase=Phase.ENFORCE, object=table.label,
                why=f"{why} New rows at once; the scan of old rows follows under a weak lock.",
                apply=(ddl.add_not_null_check(table.qname, check, table.column),),
                verify=verify.query(verify.either(*either)), lock=Lock.ACCESS_EXCLUSIVE, tables=(table.qname,),
                revert=(ddl.drop_constraint(table.qname, check, if_exists=True),) if undo else (),
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
            revert=undo, lock=Lock.ACCESS_EXCLUSIVE, tables=(table.qname,),
        )  # fmt: skip


def _nullable_again(c: Conversion, root: TenantTable) -> tuple[str, ...]:
    """Undo of NOT NULL where a column stays after a revert; a child may have had its own NOT NULL before."""
    there = [t for t in c.members(root) if t.existing is not None]
    if not there:
        return ()
    kept = (
        ddl.set_not_null(t.qname, t.column) for t in there if t.existing is not None and t.existing.not_null
    )
    return (ddl.drop_not_null(root.qname, root.column), *kept)


def _check_name(c: Conversion, table: TenantTable) -> str:
    """Of the check that this makes and drops; somebody else's constraint may have the obvious name."""
    said = f"CHECK (({table.column} IS NOT NULL))".replace('"', "")
    taken = {
        k.name
        for t in c.members(table)
        for k in t.table.constraints
        if k.columns != (t.column,) or not k.definition.replace('"', "").startswith(said)
    }
    return free(f"{table.table.name}_{table.column}_present", taken)


def quoted(table: TenantTable, alias: str = "") -> str:
    """The tenant column in SQL, behind an alias if one is given."""
    return f"{alias}.{quote(table.column)}" if alias else quote(table.column)

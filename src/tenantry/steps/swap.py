"""Old keys go, once nothing points at them: the last part of replacing a key."""

from __future__ import annotations

from collections.abc import Iterator

from tenantry import ddl, verify
from tenantry.conversion import Conversion
from tenantry.names import QName
from tenantry.plan import Change, Lock, Phase
from tenantry.steps.references import composites
from tenantry.steps.uniques import Replacement, keys, phase_of


def drop_old(c: Conversion, *, primary: bool) -> Iterator[Change]:
    """Drop the keys that held across tenants, once nothing points at them any more."""
    for r in keys(c).replacements:
        if r.primary == primary:
            yield _swap_primary(c, r) if primary else _drop(c, r)


def _drop(c: Conversion, r: Replacement) -> Change:
    table = r.table.qname
    phase = Phase.HARDEN if r.held_by and not c.online else Phase.ENFORCE
    why = f"{r.old.name} would refuse a value that another customer already uses."
    name = f"{phase}.{r.table.label}.{r.old.name}.drop"
    if r.constraint is not None:
        return Change(
            id=name, phase=phase, object=r.table.label, why=why,
            apply=(ddl.drop_constraint(table, r.constraint.name),),
            verify=verify.query(verify.negate(verify.constraint(table, r.constraint.name, valid=False))),
            revert=ddl.restore_constraint(table, r.constraint), lock=Lock.ACCESS_EXCLUSIVE,
        )  # fmt: skip
    index = QName(table.schema, r.old.name)
    return Change(
        id=name, phase=phase, object=r.table.label, why=why, apply=(ddl.drop_index(index),),
        verify=verify.query(verify.negate(verify.relation(index))),
        revert=(ddl.create_index(table, r.old),), lock=Lock.ACCESS_EXCLUSIVE,
    )  # fmt: skip


def _swap_primary(c: Conversion, r: Replacement) -> Change:
    assert r.constraint is not None
    table, name, phase = r.table.qname, r.constraint.name, phase_of(c, primary=True)
    partitioned = r.table.table.kind == "partitioned"
    add = (
        ddl.add_unique(table, name, r.new, r.constraint, primary=True)
        if partitioned
        else ddl.adopt_index(table, name, r.new.name, r.constraint, primary=True)
    )
    # Composite references stand on the index that became the primary key, so they go before it; the steps that
    # made them find nothing left to drop.
    loose = [ddl.drop_constraint(f.table.qname, f.name) for f in composites(c) if f.parent == table and set(f.new.referenced) == set(r.new.key_columns)]
    undo = (*loose, ddl.drop_constraint(table, name), *ddl.restore_constraint(table, r.constraint))
    return Change(
        id=f"{phase}.{r.table.label}.{name}",
        phase=phase,
        object=r.table.label,
        why=f"The primary key of {r.table.label} starts with the tenant: two customers may use the same key.",
        apply=(ddl.drop_constraint(table, name), add),
        verify=verify.query(verify.primary_key(table, r.new.key_columns)),
        revert=undo,
        lock=Lock.ACCESS_EXCLUSIVE,
        rows=r.table.table.rows if partitioned else 0,
    )



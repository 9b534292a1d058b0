"""Old keys go, once nothing points at them: the last part of replacing a key."""

from __future__ import annotations

from collections.abc import Iterator

from tenantry import ddl, verify
from tenantry.catalog import Constraint
from tenantry.conversion import Conversion
from tenantry.names import QName
from tenantry.plan import Change, Lock, Phase
from tenantry.steps.keys import Replacement, keys
from tenantry.steps.references import Composite, references_to
from tenantry.steps.uniques import restore, taken_over, uses


def drop_old(c: Conversion, *, primary: bool) -> Iterator[Change]:
    """Drop the keys that held across tenants, once nothing points at them any more.

    A key over the columns of the primary key shares its new one, and goes when that is the primary key.
    """
    replaced = keys(c).replacements
    shared = {(r.table.qname, r.new.name): r for r in replaced if r.primary}
    for r in replaced:
        lead, there = shared.get((r.table.qname, r.new.name)), r.table.table.index(r.new.name)
        late = lead is not None or (there is not None and there.primary)
        if late == primary:
            yield _swap_primary(c, r, r.constraint) if r.primary and r.constraint else _drop(c, r, lead, late)


def _drop(c: Conversion, r: Replacement, lead: Replacement | None, late: bool) -> Change:
    table = r.table.qname
    # Old code may name the key in ON CONFLICT, so online it goes with the cut-over; in files with the references
    # that stand on it, or will stand on the new one.
    phase = Phase.CUTOVER if c.online else Phase.HARDEN if late or _referred_to(c, r) else Phase.ENFORCE
    index = QName(table.schema, r.old.name)
    if r.constraint is not None:
        drop = ddl.drop_constraint(table, r.constraint.name)
        there = verify.constraint(table, r.constraint.name, valid=False)
    else:
        drop, there = ddl.drop_index(index), verify.relation(index)
    return Change(
        id=f"{phase}.{r.table.label}.{r.old.name}.drop",
        phase=phase,
        object=r.table.label,
        why=f"{r.old.name} would refuse a value that another customer already uses.",
        apply=(*_inherit(r, r.new.name, lead), drop),
        verify=verify.query(verify.negate(there)),
        revert=restore(r.table, r.old, r.constraint),
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(table,),
    )


def _referred_to(c: Conversion, r: Replacement) -> bool:
    """True where references need the old key or the new one; the same before, while and after they change over."""
    new = set(r.new.key_columns)
    there = any(set(fk.referenced) == new for _, fk in c.catalog.referencing(r.table.qname))
    return bool(r.held_by) or there or any(_stands_on(f, r) for f in references_to(c, r.table.qname))


def _stands_on(f: Composite, r: Replacement) -> bool:
    """True for a composite reference that the new key serves."""
    return set(f.new.referenced) == set(r.new.key_columns)


def _inherit(r: Replacement, name: str, lead: Replacement | None = None) -> Iterator[str]:
    """The new key takes over what hung on the old one; of the primary key first, if that is the ``lead``."""
    table = r.table.qname
    name = lead.old.name if lead else name
    said = (lead.constraint.comment if lead.constraint else None, lead.old.comment) if lead else (None, None)
    if r.constraint is not None and r.constraint.comment is not None and said[0] is None:
        yield ddl.comment_on_constraint(table, name, r.constraint.comment)
    if r.old.comment is not None and said[1] is None:
        yield ddl.comment_on_index(QName(table.schema, name), r.old.comment)
    yield from uses(r.table, r.old, name)


def _swap_primary(c: Conversion, r: Replacement, old: Constraint) -> Change:
    table, name, phase = r.table.qname, old.name, Phase.CUTOVER if c.online else Phase.HARDEN
    add = (
        ddl.add_unique(table, name, r.new, old, primary=True)
        if r.partitioned
        else ddl.adopt_index(table, name, r.new.name, old, primary=True)
    )
    # Composite references stand on the index that became the primary key, so they go before it; the steps that
    # made them find nothing left to drop.
    loose = [
        ddl.drop_constraint(f.table.qname, f.name)
        for f in references_to(c, table)
        if f.found is None and not f.shared and _stands_on(f, r)
    ]
    release, give_back = taken_over(c, r.table, r.new)
    return Change(
        id=f"{phase}.{r.table.label}.{name}",
        phase=phase,
        object=r.table.label,
        why=f"The primary key of {r.table.label} starts with the tenant: two customers may use the same key.",
        apply=(ddl.drop_constraint(table, name), add, *_inherit(r, name)),
        verify=verify.query(verify.primary_key(table, r.new.key_columns)),
        revert=(
            *loose,
            *release,
            ddl.drop_constraint(table, name),
            *restore(r.table, r.old, old),
            *give_back,
        ),
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(table,),
        rows=r.table.table.rows if r.partitioned else 0,
    )

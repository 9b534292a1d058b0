"""Old keys go, once nothing points at them: the last part of replacing a key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from tenantry import ddl, verify
from tenantry.catalog import Constraint
from tenantry.conversion import Conversion
from tenantry.names import QName
from tenantry.plan import Change, Lock, Phase
from tenantry.steps import partitions
from tenantry.steps.keys import Replacement, keys
from tenantry.steps.references import Composite, references_to
from tenantry.steps.uniques import restore, taken_over, uses


def drop_old(c: Conversion, *, primary: bool) -> Iterator[Change]:
    """Drop the keys that held across tenants, once nothing points at them any more.

    A key over the columns of a primary key shares the new one, and goes in the same step.
    """
    replaced = keys(c).replacements
    leads = {(r.table.qname, r.new.name): r for r in replaced if r.primary}
    twins: dict[QName, list[Replacement]] = {}
    for r in _later_first(c, replaced):
        if not r.primary and (r.table.qname, r.new.name) in leads:
            twins.setdefault(r.table.qname, []).append(r)
        elif not r.primary and not primary:
            yield _drop(c, r)
    for r in leads.values() if primary else ():
        assert r.constraint is not None
        yield _swap_primary(c, r, r.constraint, twins.get(r.table.qname, []))


def _later_first(c: Conversion, replaced: Sequence[Replacement]) -> Iterator[Replacement]:
    """Keys of a partitioned table in the opposite order to that in which the server named their partitions' parts.

    Steps are undone last first, so that the server then gives two keys over the same columns the names of before.
    """

    def parts(r: Replacement) -> list[tuple[int, str]]:
        over = QName(r.table.table.schema, r.old.name)
        below = c.catalog.descendants(r.table.qname)
        return [(len(i.name), i.name) for t in below for i in t.indexes if i.parent == over]

    for _, of_table in groupby(replaced, key=lambda r: r.table.qname):
        yield from sorted(of_table, key=parts, reverse=True)


def _drop(c: Conversion, r: Replacement) -> Change:
    table = r.table.qname
    found = r.table.table.index(r.new.name)
    late = _referred_to(c, r) or (found is not None and found.primary)
    # Old code may name the key in ON CONFLICT, so online it goes with the cut-over; in files with the references
    # that stand on it, or will stand on the new one.
    phase = Phase.CUTOVER if c.online else Phase.HARDEN if late else Phase.ENFORCE
    drop, there = _end(r)
    return Change(
        id=f"{phase}.{r.table.label}.{r.old.name}.drop",
        phase=phase,
        object=r.table.label,
        why=f"{r.old.name} would refuse a value that another customer already uses.",
        apply=(*_inherit(r, r.new.name), drop),
        verify=verify.query(verify.negate(there)),
        revert=restore(r.table, r.old, r.constraint),
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(table,),
    )


def _end(r: Replacement) -> tuple[str, str]:
    """The statement that drops an old key, and the condition that it is there."""
    table, index = r.table.qname, QName(r.table.table.schema, r.old.name)
    if r.constraint is None:
        return ddl.drop_index(index), verify.relation(index)
    name = r.constraint.name
    return ddl.drop_constraint(table, name), verify.constraint(table, name, valid=False)


def _referred_to(c: Conversion, r: Replacement) -> bool:
    """True where references need the old key or the new one; the same before, while and after they change over."""
    new = set(r.new.key_columns)
    there = any(set(fk.referenced) == new for _, fk in c.catalog.referencing(r.table.qname))
    return bool(r.held_by) or there or any(_stands_on(f, r) for f in references_to(c, r.table.qname))


def _stands_on(f: Composite, r: Replacement) -> bool:
    """True for a composite reference that the new key serves."""
    return set(f.new.referenced) == set(r.new.key_columns)


def _inherit(r: Replacement, name: str) -> Iterator[str]:
    """The new key takes over what hung on the old one."""
    table = r.table.qname
    if r.constraint is not None and r.constraint.comment is not None:
        yield ddl.comment_on_constraint(table, name, r.constraint.comment)
    if r.old.comment is not None:
        yield ddl.comment_on_index(QName(table.schema, name), r.old.comment)
    yield from uses(r.table, r.old, name)


def _swap_primary(c: Conversion, r: Replacement, old: Constraint, twins: Sequence[Replacement]) -> Change:
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
        apply=(
            ddl.drop_constraint(table, name),
            *partitions.adopt(r.parts, old, primary=True),
            add,
            *(statement for t in twins for statement in _inherit(t, name)),
            *_inherit(r, name),  # its own comment wins
            *(_end(t)[0] for t in twins),
        ),
        verify=verify.query(
            verify.primary_key(table, r.new.key_columns), *(verify.negate(_end(t)[1]) for t in twins)
        ),
        revert=(
            *loose,
            *release,
            ddl.drop_constraint(table, name),
            *restore(r.table, r.old, old),
            *(statement for t in twins for statement in restore(t.table, t.old, t.constraint)),
            *give_back,
        ),
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(table,),
        rows=r.table.table.rows if r.partitioned and not r.parts else 0,
    )

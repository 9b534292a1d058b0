"""Foreign keys: to the tenants table, and between tenant tables so that a row can only refer to its own tenant's.

A single-column foreign key lets one tenant refer to another's row, and its checks are exempt from row level
security; the composite form (tenant, column) closes both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from tenantry import ddl, names, verify
from tenantry.catalog import Constraint
from tenantry.conversion import Conversion, TenantTable, tenant_columns
from tenantry.names import QName, display, qualified, quote, spell
from tenantry.plan import Change, Lock, Phase
from tenantry.steps.partitions import leaves


@dataclass(frozen=True, slots=True)
class Composite:
    """A foreign key between tenant tables, and the composite one that takes its place.

    ``found`` is the composite where it is already there; ``shared`` says that it is made for another key too.
    """

    table: TenantTable
    old: Constraint
    new: Constraint
    found: Constraint | None
    parent: QName
    shared: bool = False

    @property
    def name(self) -> str:
        return self.new.name


@lru_cache(maxsize=4)
def composites(c: Conversion) -> tuple[Composite, ...]:
    """Every foreign key that must name the tenant; cached, because several steps ask."""
    tables = [*c.tables, *([c.tenants_entry] if c.tenants_entry else [])]
    return tuple(f for table in tables for f in _of_table(c, table))


def _of_table(c: Conversion, table: TenantTable) -> list[Composite]:
    taken = {k.name for k in table.table.constraints} | {_tenants_name(c, table)}
    made: list[Composite] = []
    # Validated ones first: of two that say the same, the one that says more is made.
    for fk in sorted(table.table.foreign_keys, key=lambda k: not k.validated):
        parent = c.get(fk.references)
        if parent is None or parent.qname == c.tenants or fk.inherited or fk.period:
            continue
        if not tenant_columns(fk, table, parent):
            composite = _composite(table, fk, parent, taken, made)
            taken.add(composite.name)
            made.append(composite)
    return made


@lru_cache(maxsize=4)
def _by_parent(c: Conversion) -> dict[QName, list[Composite]]:
    found: dict[QName, list[Composite]] = {}
    for f in composites(c):
        found.setdefault(f.parent, []).append(f)
    return found


def references_to(c: Conversion, parent: QName) -> list[Composite]:
    """The composite foreign keys that point at a table."""
    return _by_parent(c).get(parent, [])


def _composite(
    table: TenantTable, fk: Constraint, parent: TenantTable, taken: set[str], made: Sequence[Composite]
) -> Composite:
    # ON DELETE SET NULL of a composite key would null the tenant too; the column list (PostgreSQL 15) keeps it.
    nulls = (fk.delete_columns or fk.columns) if fk.on_delete in ("n", "d") else ()
    new = replace(
        fk, columns=(table.column, *fk.columns), referenced=(parent.column, *fk.referenced), delete_columns=nulls,
        match="s", definition="", referenced_index=None, comment=None,
    )  # fmt: skip
    twin = next((f for f in made if _same(f.new, new)), None)
    if twin is not None:
        return replace(twin, old=fk, shared=True)
    found = next((k for k in table.table.foreign_keys if _same(k, new)), None)
    name = found.name if found else names.free(names.tenant_reference(table.table.name, fk.columns), taken)
    return Composite(table, fk, replace(new, name=name), found, parent.qname)


def _same(a: Constraint, b: Constraint) -> bool:
    """Equal but for the name, and for whether old rows were checked."""
    return (a.references, a.columns, a.referenced, a.on_update, a.on_delete, a.delete_columns) == (
        b.references, b.columns, b.referenced, b.on_update, b.on_delete, b.delete_columns
    ) and (a.deferrable, a.deferred, a.enforced) == (b.deferrable, b.deferred, b.enforced)  # fmt: skip


def problems(c: Conversion) -> Iterator[str]:
    """References that have no composite form, and shared rows that point at a tenant's."""
    for f in composites(c):
        where = f"{spell(f.table.qname)}: foreign key {f.old.name}"
        if f.old.on_update in ("n", "d"):
            action = "SET NULL" if f.old.on_update == "n" else "SET DEFAULT"
            yield f"{where} is ON UPDATE {action}, which would change the tenant too; make it CASCADE or NO ACTION first"
        nullable = [col for n in f.old.columns if (col := f.table.table.column(n)) and not col.not_null]
        if f.old.match == "f" and len(f.old.columns) > 1 and nullable:
            yield f"{where} is MATCH FULL over nullable columns, which a composite key with the tenant cannot be; make the columns NOT NULL first"
    for table in c.tables:
        for fk in table.table.foreign_keys:
            if fk.period and c.get(fk.references) is not None and not fk.inherited:
                yield f"{spell(table.qname)}: foreign key {fk.name} has a PERIOD, which is not converted; drop it, or make the scope ignored"
    for shared in c.shared:
        for fk in shared.foreign_keys:
            parent = c.get(fk.references)
            if parent is not None and fk.references is not None:
                yield f"{spell(shared.qname)}: is shared and foreign key {fk.name} points at {spell(fk.references)}, whose rows belong to tenants; make its scope tenant, or drop the foreign key"


def notes(c: Conversion) -> Iterator[str]:
    """References that stay as they are although they cross the border of a tenant."""
    through = {t.qname for t, _ in c.through}
    doubled = {(f.table.qname, f.old.name) for f in composites(c) if f.shared}
    for table in c.tables:
        for fk in table.table.foreign_keys:
            if fk.references in through:
                yield f"{table.label}: foreign key {fk.name} points at {display(fk.references)}, which has no tenant column: it cannot name the tenant"
            elif fk.references == c.tenants and table.column not in fk.columns:
                yield f"{table.label}: foreign key {fk.name} points at a tenant other than the row's own, by design; it stays"
            elif (
                (parent := c.get(fk.references)) is not None
                and parent.qname != c.tenants
                and not fk.inherited
                and not (fk.validated and fk.enforced)
                and (table.qname, fk.name) not in doubled
            ):
                yield f"{table.label}: foreign key {fk.name} to {parent.label} is {_weakness(fk)}"


def _weakness(fk: Constraint) -> str:
    if not fk.enforced:
        return "NOT ENFORCED, and so is what takes its place: a row may refer to another tenant's; enforce or drop it"
    return "NOT VALID, and so is what takes its place: old rows may refer to nothing; correct them and VALIDATE it"


def _to_tenants(c: Conversion, table: TenantTable) -> Constraint | None:
    """The foreign key from the tenant column to the tenants table, where it is there."""
    wanted = (c.tenants, (table.column,), (c.spec.tenancy.key,))
    return next(
        (k for k in table.table.foreign_keys if (k.references, k.columns, k.referenced) == wanted), None
    )


def _tenants_name(c: Conversion, table: TenantTable) -> str:
    found = _to_tenants(c, table)
    taken = {k.name for k in table.table.constraints}
    return found.name if found else names.free(names.tenant_fk(table.table.name, table.column), taken)


def to_tenants(c: Conversion) -> Iterator[Change]:
    """The tenant column refers to the tenants table."""
    for table in c.keyed:
        found = _to_tenants(c, table)
        if found is not None and (found.validated or not found.enforced):
            continue
        name, key = _tenants_name(c, table), c.spec.tenancy.key
        fk = Constraint(name, "foreign", (table.column,), "", references=c.tenants, referenced=(key,))
        yield from _add(
            c, table, fk, Phase.ENFORCE, f"The tenant of every row of {table.label} exists.",
            present=found is not None, check=True,
        )  # fmt: skip


def _add(
    c: Conversion, table: TenantTable, fk: Constraint, phase: Phase, why: str, *, present: bool, check: bool
) -> Iterator[Change]:
    """Add a foreign key; online in two steps, so that the scan blocks nobody."""
    base = f"{phase}.{table.label}.{fk.name}"
    # Reverting a swapped primary key takes the references to it along.
    undo = (ddl.drop_constraint(table.qname, fk.name, if_exists=True),)
    # A partitioned table takes a NOT VALID foreign key from PostgreSQL 18 on; before, it takes over those of its
    # partitions, when they have been validated.
    split = c.online and (table.table.kind != "partitioned" or c.catalog.server.version >= 180000)
    parts = leaves(c, table.qname) if c.online and check and not split and not present else []
    for leaf in parts:
        theirs = leaf.table.constraint(fk.name)
        if theirs is None or not theirs.validated:
            yield from _add(c, leaf, fk, phase, why, present=theirs is not None, check=True)
    if not split and not present:
        statement = ddl.add_foreign_key(table.qname, fk.name, fk, not_valid=not check)
        yield Change(
            id=base, phase=phase, object=table.label, why=why, apply=_unforced(c, table, fk, phase, statement),
            verify=verify.query(verify.constraint(table.qname, fk.name, valid=check)), revert=undo,
            # To take over the keys of partitions, their triggers are dropped.
            lock=Lock.ACCESS_EXCLUSIVE if parts or _forced(c, table, fk, phase) else Lock.SHARE_ROW_EXCLUSIVE,
            tables=_locked(table, fk), rows=0 if parts else table.table.rows, bytes=0 if parts else table.table.bytes,
        )  # fmt: skip
        return
    if not present:
        yield Change(
            id=base, phase=phase, object=table.label, why=f"{why} New rows at once; old rows follow.",
            apply=(ddl.add_foreign_key(table.qname, fk.name, fk, not_valid=True),),
            verify=verify.query(verify.constraint(table.qname, fk.name, valid=False)), revert=undo,
            lock=Lock.SHARE_ROW_EXCLUSIVE, tables=_locked(table, fk),
        )  # fmt: skip
    if check:
        statement = ddl.validate_constraint(table.qname, fk.name)
        apply = (statement,) if c.online else _unforced(c, table, fk, phase, statement)
        yield Change(
            id=f"{base}.validate", phase=phase, object=table.label, why="Reads every row, blocks nobody.",
            apply=apply, verify=verify.query(verify.constraint(table.qname, fk.name)),
            lock=Lock.SHARE_UPDATE_EXCLUSIVE if len(apply) == 1 else Lock.ACCESS_EXCLUSIVE,
            tables=_locked(table, fk), rows=table.table.rows, bytes=table.table.bytes,
        )  # fmt: skip


def _locked(table: TenantTable, fk: Constraint) -> tuple[QName, ...]:
    """A foreign key is added to and dropped from both of its tables."""
    return tuple(dict.fromkeys([table.qname, *([fk.references] if fk.references else [])]))


def _forced(c: Conversion, table: TenantTable, fk: Constraint, phase: Phase) -> list[QName]:
    """The tables of a foreign key that are under FORCE when it is checked.

    An owner under FORCE sees no row without a tenant, so the check would pass over anything (and with
    row_security off is refused): for the length of the step it is lifted. In a migrator's files row level
    security comes before the composite keys; online it comes after them.
    """
    after = not c.online and phase is Phase.HARDEN
    out = []
    for name in dict.fromkeys([table.qname, *([fk.references] if fk.references else [])]):
        entry = c.get(name)
        if entry is not None and (entry.table.forced or (after and name != c.tenants)):
            out.append(name)
    return out


def _unforced(
    c: Conversion, table: TenantTable, fk: Constraint, phase: Phase, statement: str
) -> tuple[str, ...]:
    forced = _forced(c, table, fk, phase)
    return (
        *(ddl.row_security(name, "NO FORCE") for name in forced),
        statement,
        *(ddl.row_security(name, "FORCE") for name in forced),
    )


def add_composites(c: Conversion) -> Iterator[Change]:
    """The composite foreign keys; one that was NOT VALID stays so, because its old rows may dangle."""
    phase = Phase.ENFORCE if c.online else Phase.HARDEN
    for f in composites(c):
        if f.shared or (f.found is not None and (f.found.validated or not f.old.validated)):
            continue
        check = f.old.validated and f.old.enforced
        why = f"A row of {f.table.label} can only refer to a row of its own tenant in {display(f.parent)}."
        if not check:
            why += f" Not validated, as {f.old.name} is not."
        strays, stray = _asked(c, f) if check else ("", "")
        steps = [*_add(c, f.table, f.new, phase, why, present=f.found is not None, check=check)]
        yield from steps[:-1]
        yield replace(steps[-1], strays=strays, stray=stray)  # the one that reads every row


def _asked(c: Conversion, f: Composite) -> tuple[str, str]:
    """The rows that refer to another tenant's row, as far as both rows have their tenant before the plan, in SQL and words.

    Types whose equality is not the system's own are not compared, nor tables that may hide rows from who asks.
    """
    table, parent = f.table, c.get(f.parent)
    pairs = list(zip(f.old.columns, f.old.referenced, strict=True))
    if parent is None or table.existing is None or parent.existing is None:
        return "", ""
    columns = [x for a, b in pairs for x in (table.table.column(a), parent.table.column(b))]
    if table.table.forced or parent.table.forced or any(x is None or "." in x.base for x in columns):
        return "", ""
    where = " AND ".join(f"p.{quote(b)} = a.{quote(a)}" for a, b in pairs)
    # The rows of an inheritance child are not the parent's for a foreign key.
    one, other = ("ONLY " if t.table.kind == "table" else "" for t in (table, parent))
    query = (
        f"SELECT count(*) FROM {one}{qualified(table.qname)} AS a JOIN {other}{qualified(f.parent)} AS p ON {where}"
        f" WHERE a.{quote(table.column)} <> p.{quote(parent.column)}"
    )
    return query, f"of another tenant in {display(f.parent)}, by {', '.join(f.old.columns)}"


def drop_old(c: Conversion) -> Iterator[Change]:
    """Drop the single-column foreign keys: the composite ones say more."""
    phase = Phase.ENFORCE if c.online else Phase.HARDEN
    for f in composites(c):
        said = f.old.comment
        comment = [ddl.comment_on_constraint(f.table.qname, f.name, said)] if said is not None else []
        yield Change(
            id=f"{phase}.{f.table.label}.{f.old.name}.drop",
            phase=phase,
            object=f.table.label,
            why=f"{f.name} says more than {f.old.name}, which would still reach across tenants.",
            apply=(*comment, ddl.drop_constraint(f.table.qname, f.old.name)),
            verify=verify.query(verify.negate(verify.constraint(f.table.qname, f.old.name, valid=False))),
            revert=ddl.restore_constraint(f.table.qname, f.old),
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=_locked(f.table, f.old),
        )

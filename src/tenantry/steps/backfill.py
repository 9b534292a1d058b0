"""Existing rows get their tenant: from a constant, a column, a parent row, a mapping table or an expression."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tenantry import ddl, verify
from tenantry.catalog import Table, Trigger
from tenantry.conversion import Conversion, TenantTable
from tenantry.names import QName, display, literal, qualified, quote, spell
from tenantry.plan import Backfill, Phase
from tenantry.spec import UNDECIDED, Constant, FromColumn, FromExpression, FromMapping, FromParent
from tenantry.steps.columns import fills_itself, quoted


def needed(c: Conversion, table: TenantTable) -> bool:
    """True where old rows must be updated."""
    done = table.existing is not None and table.existing.not_null
    return not (done or table.part or fills_itself(c, table) or table.rule.backfill in (None, UNDECIDED))


def link(c: Conversion, table: Table, parent: QName, on: Mapping[str, str]) -> Mapping[str, str] | None:
    """Columns here = columns of the parent: as given, else those of the only foreign key; None when unclear."""
    if on:
        return on
    keys = [fk for fk in table.foreign_keys if fk.references == parent]
    tenant = c.get(table.qname)
    column = tenant.column if tenant else None
    pairs = {tuple((a, b) for a, b in zip(k.columns, k.referenced, strict=True) if a != column) for k in keys}
    return dict(next(iter(pairs))) if len(pairs) == 1 else None


def problems(c: Conversion) -> Iterator[str]:
    """Sources that name what is not there, triggers nobody decided about, cycles of parents."""
    for table in c.roots:
        name = spell(table.qname)
        yield from _source_problems(c, table, name)
        if not needed(c, table):
            continue
        firing = [t for part in _members(c, table) for t in _fires(part)]
        if firing and table.rule.triggers in (None, UNDECIDED):
            what = ", ".join(sorted({t.name for t in firing}))
            yield f"{name}: the backfill is an UPDATE and trigger {what} would fire on every row; set triggers = \"disable\" or \"fire\""
        rules = [r for part in _members(c, table) for r in part.rules if "(UPDATE)" in r]
        if rules:
            yield f"{name}: rule {', '.join(rules)} rewrites the UPDATE of the backfill; drop the rule, or make the scope ignored"
    if c.roots and not _ordered(c):
        yield "backfill: the parents form a cycle; give one of the tables another source"


def _source_problems(c: Conversion, table: TenantTable, name: str) -> Iterator[str]:
    match table.rule.backfill:
        case FromColumn(column=column, matches=matches, create=create):
            if table.table.column(column) is None:
                yield f"{name}: backfill column {column!r} is not there; correct the name"
            known = c.tenants_entry
            if known is not None and known.table.column(matches) is None:
                yield f"{name}: backfill matches {matches!r}, which {spell(c.tenants)} does not have; name one of its columns"
            if known is None and not create:
                yield f"{name}: {spell(c.tenants)} is made by this plan and has nothing to match; set create = true in backfill"
            if known is None and matches not in (c.spec.tenancy.key, "name", "slug"):
                yield f"{name}: backfill matches {matches!r}; a new tenants table can be matched by {c.spec.tenancy.key}, name or slug"
        case FromParent(parent=parent, on=on):
            pairs = link(c, table.table, parent, on)
            if pairs is None:
                yield f"{name}: not exactly one foreign key leads to {spell(parent)}; write on = {{ column = \"parent column\" }} in backfill"
            else:
                yield from _pair_problems(c, table, parent, pairs, name)
            if parent == table.qname:
                yield f"{name}: is its own backfill parent; give it another source"
        case FromMapping(mapping=mapping, on=on, tenant=tenant):
            found = c.catalog.by_name.get(mapping)
            if found is None:
                yield f"{name}: mapping table {spell(mapping)} is not there; correct the name"
            elif found.column(tenant) is None:
                yield f"{name}: mapping table {spell(mapping)} has no column {tenant!r}; correct the name"
            else:
                yield from _pair_problems(c, table, mapping, on, name)


def _pair_problems(c: Conversion, table: TenantTable, other: QName, pairs: Mapping[str, str], name: str) -> Iterator[str]:
    target = c.catalog.by_name[other]
    for here, there in pairs.items():
        if table.table.column(here) is None:
            yield f"{name}: backfill on: column {here!r} is not there; correct the name"
        if target.column(there) is None:
            yield f"{name}: backfill on: {spell(other)} has no column {there!r}; correct the name"


def _ordered(c: Conversion) -> list[TenantTable]:
    """Parents before children; an empty list for a cycle (or for no tables at all)."""
    waiting, done, out = list(c.roots), set[QName](), list[TenantTable]()
    while waiting:
        ready = [t for t in waiting if (p := _parent(c, t)) is None or p in done]
        if not ready:
            return []
        out += ready
        done.update(t.qname for t in ready)
        waiting = [t for t in waiting if t.qname not in done]
    return out


def _parent(c: Conversion, table: TenantTable) -> QName | None:
    """The root of the parent that a table's source waits for."""
    source = table.rule.backfill
    if not isinstance(source, FromParent) or not needed(c, table):
        return None
    parent = c.get(source.parent)
    return parent.root if parent is not None and parent.root != c.tenants else None


def _members(c: Conversion, table: TenantTable) -> list[Table]:
    return [table.table, *(t.table for t in c.tables if t.root == table.qname and t.part)]


def _fires(table: Table) -> list[Trigger]:
    # UPDATE OF names columns; the tenant column was not among them when it did not exist.
    return [
        t for t in table.triggers
        if "update" in t.events and t.enabled in ("O", "A") and not t.update_columns and not t.inherited
    ]  # fmt: skip


def expression(c: Conversion, table: TenantTable, alias: str, *, filled: bool) -> str:
    """The tenant of a row, as SQL over ``alias``.

    ``filled`` says that parents already have their tenant; otherwise the parent's own source is followed, so
    that the question can be asked before anything changes. Raises nothing: problems were reported before.
    """
    match table.rule.backfill:
        case Constant(constant=constant):
            return f"{literal(constant)}::{c.type}"
        case FromColumn(column=column, matches=matches):
            key = quote(c.spec.tenancy.key)
            known = c.tenants_entry.table.column(matches) if c.tenants_entry else None
            here = table.table.column(column)
            cast = "" if known and here and known.base == here.base else "::text"
            where = f"k.{quote(matches)}{cast} = {alias}.{quote(column)}{cast}"
            return f"(SELECT k.{key} FROM {qualified(c.tenants)} k WHERE {where})"
        case FromParent(parent=parent, on=on):
            pairs = link(c, table.table, parent, on) or {}
            target = c.get(parent)
            assert target is not None
            inner = alias + "p"
            where = " AND ".join(f"{inner}.{quote(b)} = {alias}.{quote(a)}" for a, b in pairs.items())
            value = quoted(target, inner)
            if not filled and target.existing is None:
                root = c.get(target.root)
                assert root is not None
                value = expression(c, root, inner, filled=False)
            return f"(SELECT {value} FROM {qualified(parent)} {inner} WHERE {where})"
        case FromMapping(mapping=mapping, on=on, tenant=tenant):
            where = " AND ".join(f"m.{quote(b)} = {alias}.{quote(a)}" for a, b in on.items())
            return f"(SELECT m.{quote(tenant)}::{c.type} FROM {qualified(mapping)} m WHERE {where})"
        case FromExpression(expression=text):
            return f"({text})::{c.type}"
        case _:
            return f"NULL::{c.type}"


def steps(c: Conversion) -> Iterator[Backfill]:
    """One backfill per table, parents first."""
    for table in _ordered(c):
        if needed(c, table):
            yield _step(c, table)


def _step(c: Conversion, table: TenantTable) -> Backfill:
    value = expression(c, table, "a", filled=True)
    column = quote(table.column)
    members = _members(c, table)
    physical = [t for t in members if t.kind == "table"]
    set_ = f"SET {column} = {value}\nWHERE a.{column} IS NULL"
    off, on = _trigger_policy(table, members)
    escaped = set_.replace("%", "%%")
    return Backfill(
        id=f"backfill.{table.label}.{table.column}",
        phase=Phase.BACKFILL,
        object=table.label,
        why=_why(table),
        update=f"UPDATE {qualified(table.qname)} AS a {set_}",
        batches=tuple(
            (t.qname,
             f"UPDATE ONLY {qualified(t.qname).replace('%', '%%')} AS a {escaped} "
             "AND a.ctid >= %(first)s::tid AND a.ctid < %(last)s::tid")
            for t in physical
        ),
        unresolved=_unresolved(c, table),
        foreign_rows=f"SELECT count(*) FROM {qualified(table.qname)} AS a WHERE a.{column} IS DISTINCT FROM {value}",
        verify=verify.query(verify.no_nulls(table.qname, table.column)),
        before=off,
        after=on,
        rows=sum(t.rows for t in physical),
        bytes=sum(t.bytes for t in physical),
    )  # fmt: skip


def _why(table: TenantTable) -> str:
    match table.rule.backfill:
        case Constant(constant=constant):
            return f"Every row of {table.label} belongs to tenant {constant}."
        case FromColumn(column=column):
            return f"Column {column} says which tenant a row of {table.label} belongs to."
        case FromParent(parent=parent):
            return f"A row of {table.label} belongs to the tenant of its row in {display(parent)}."
        case FromMapping(mapping=mapping):
            return f"{display(mapping)} says which tenant a row of {table.label} belongs to."
        case _:
            return f"An expression of the spec gives the tenant of each row of {table.label}."


def _unresolved(c: Conversion, table: TenantTable) -> str:
    """Counts the rows that would be left without a tenant; runs before the column exists."""
    source = table.rule.backfill
    if isinstance(source, FromColumn) and source.create:
        value = f"a.{quote(source.column)}"
    else:
        value = expression(c, table, "a", filled=False)
    unfilled = f" AND a.{quote(table.column)} IS NULL" if table.existing is not None else ""
    return f"SELECT count(*) FROM {qualified(table.qname)} AS a WHERE {value} IS NULL{unfilled}"


def _trigger_policy(table: TenantTable, members: list[Table]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if table.rule.triggers != "disable":
        return (), ()
    pairs = [(t.qname, trigger) for t in members for trigger in _fires(t)]
    off = tuple(ddl.switch_trigger(name, trigger, on=False) for name, trigger in pairs)
    return off, tuple(ddl.switch_trigger(name, trigger, on=True) for name, trigger in pairs)

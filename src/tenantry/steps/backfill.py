"""Existing rows get their tenant: from a constant, a column, a parent row, a mapping table or an expression."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tenantry import ddl, verify
from tenantry.catalog import Table, Trigger
from tenantry.conversion import Conversion, TenantTable
from tenantry.mistakes import correction
from tenantry.names import QName, display, literal, qualified, quote, spell
from tenantry.plan import Backfill, Lock, Phase
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
        firing = {trigger.name for _, trigger in _firing(c, table)}
        if firing and table.rule.triggers in (None, UNDECIDED):
            yield f'{name}: the backfill is an UPDATE and trigger {", ".join(sorted(firing))} would fire on every row; set triggers = "disable" or "fire"'
        rules = [r for part in c.members(table) for r in part.table.rules if "(UPDATE)" in r]
        if rules:
            yield f"{name}: rule {', '.join(rules)} rewrites the UPDATE of the backfill; drop the rule, or make the scope ignored"
    if c.roots and not _ordered(c):
        yield "backfill: the parents form a cycle; give one of the tables another source"


def _source_problems(c: Conversion, table: TenantTable, name: str) -> Iterator[str]:
    match table.rule.backfill:
        case FromColumn(column=column, matches=matches, create=create):
            if table.table.column(column) is None:
                yield f"{name}: backfill column {column!r} is not there; {correction(column, table.table.column_names)}"
            known = c.tenants_entry
            if known is not None and known.table.column(matches) is None:
                yield f"{name}: backfill matches {matches!r}, which {spell(c.tenants)} does not have; name one of its columns"
            elif known is not None and not create and needed(c, table) and not _unique(known.table, matches):
                yield f"{name}: backfill matches {matches!r} of {spell(c.tenants)}, which is not unique, so that two tenants could match; make it unique, or match another column"
            if known is None and not create:
                yield f"{name}: {spell(c.tenants)} is made by this plan and has nothing to match; set create = true in backfill"
            if known is None and matches not in (c.spec.tenancy.key, "name", "slug"):
                yield f"{name}: backfill matches {matches!r}; a new tenants table can be matched by {c.spec.tenancy.key}, name or slug"
        case FromParent(parent=parent) if parent == table.qname:
            yield f"{name}: is its own backfill parent; give it another source"
        case FromParent(parent=parent, on=on) if c.get(parent) is not None:
            pairs = link(c, table.table, parent, on)
            if not pairs:
                yield f'{name}: not exactly one foreign key leads to {spell(parent)}; write on = {{ column = "parent column" }} in backfill'
            else:
                yield from _pair_problems(c, table, parent, pairs, name)
        case FromMapping(mapping=mapping, on=on, tenant=tenant):
            found = c.catalog.by_name.get(mapping)
            if found is None:
                yield f"{name}: mapping table {spell(mapping)} is not there; {correction(spell(mapping), map(spell, c.catalog.by_name))}"
            elif found.column(tenant) is None:
                yield f"{name}: mapping table {spell(mapping)} has no column {tenant!r}; {correction(tenant, found.column_names)}"
            else:
                yield from _pair_problems(c, table, mapping, on, name)


def _pair_problems(
    c: Conversion, table: TenantTable, other: QName, pairs: Mapping[str, str], name: str
) -> Iterator[str]:
    target = c.catalog.by_name[other]
    for here, there in pairs.items():
        if table.table.column(here) is None:
            yield f"{name}: backfill on: column {here!r} is not there; {correction(here, table.table.column_names)}"
        if target.column(there) is None:
            yield f"{name}: backfill on: {spell(other)} has no column {there!r}; {correction(there, target.column_names)}"


def _unique(table: Table, *columns: str) -> bool:
    """Whether no two rows of a table have the same values in all of these columns."""
    return any(i.plain and i.valid and set(i.key_columns) <= set(columns) for i in table.indexes)


def _ordered(c: Conversion) -> list[TenantTable]:
    """Parents before children; an empty list for a cycle (or for no tables at all)."""
    waiting, done, out = list(c.roots), set[QName](), list[TenantTable]()
    while waiting:
        ready = [t for t in waiting if (p := _parent(c, t)) is None or p in done or p == t.qname]
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


def _firing(c: Conversion, table: TenantTable) -> list[tuple[QName, Trigger]]:
    """The triggers that the update of a table and its parts would fire.

    A trigger of a partitioned table is switched with its copies on the partitions; those are listed only where
    their state is not that of the trigger above, so that each gets its own back.
    """
    found: list[tuple[QName, Trigger]] = []
    for part in c.members(table):
        above = c.catalog.by_name.get(part.table.partition_of) if part.table.partition_of else None
        for trigger in part.table.triggers:
            model = above.trigger(trigger.name) if above is not None and trigger.inherited else None
            same = model is not None and model.enabled == trigger.enabled
            switched = model is not None and _fires(model, part.column)
            if not same and (_fires(trigger, part.column) or switched):
                found.append((part.qname, trigger))
    return found


def _fires(trigger: Trigger, column: str) -> bool:
    touched = not trigger.update_columns or column in trigger.update_columns
    return "update" in trigger.events and trigger.enabled in ("O", "A") and touched


def _match(c: Conversion, table: TenantTable, source: FromColumn, alias: str) -> str:
    """The condition under which a row's column names tenant ``k``; an empty text names none."""
    known = c.tenants_entry.table.column(source.matches) if c.tenants_entry else None
    # Of a tenants table that this plan makes: its key has the tenant type, name and slug are text.
    there = known.base if known else c.type if source.matches == c.spec.tenancy.key else "text"
    here = table.table.column(source.column)
    cast = "" if here and there == here.base else "::text"
    return f"k.{quote(source.matches)}{cast} = {alias}.{quote(source.column)}{cast}"


def _where(pairs: Mapping[str, str], there: str, here: str) -> str:
    return " AND ".join(f"{there}.{quote(b)} = {here}.{quote(a)}" for a, b in pairs.items())


def expression(c: Conversion, table: TenantTable, alias: str) -> str:
    """The tenant of a row, as SQL over ``alias``; parents have theirs already. Problems were reported before."""
    match table.rule.backfill:
        case Constant(constant=constant):
            return f"{literal(constant)}::{c.type}"
        case FromColumn() as source:
            key = quote(c.spec.tenancy.key)
            return f"(SELECT k.{key} FROM {qualified(c.tenants)} k WHERE {_match(c, table, source, alias)})"
        case FromParent(parent=parent, on=on):
            target = c.get(parent)
            assert target is not None
            where = _where(link(c, table.table, parent, on) or {}, "p", alias)
            return f"(SELECT {quoted(target, 'p')} FROM {qualified(parent)} p WHERE {where})"
        case FromMapping(mapping=mapping, on=on, tenant=tenant):
            where = _where(on, "m", alias)
            # Several rows that say the same are no question.
            one = "" if _unique(c.catalog.by_name[mapping], *on.values()) else "DISTINCT "
            return f"(SELECT {one}m.{quote(tenant)}::{c.type} FROM {qualified(mapping)} m WHERE {where})"
        case FromExpression(expression=text):
            # The expression may end in a comment.
            return f"({text}\n)::{c.type}"
        case _:
            return f"NULL::{c.type}"


def steps(c: Conversion) -> Iterator[Backfill]:
    """One backfill per table, parents first."""
    for table in _ordered(c):
        if needed(c, table):
            yield _step(c, table)


def _step(c: Conversion, table: TenantTable) -> Backfill:
    value = expression(c, table, "a")
    column = quote(table.column)
    physical = [t.table for t in c.members(table) if t.table.kind == "table"]
    set_ = f"SET {column} = {value}\nWHERE a.{column} IS NULL"
    off, on = _trigger_policy(c, table)
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
             "AND a.ctid >= %(first)s::tid AND a.ctid < %(last)s::tid "
             "AND mod((a.ctid::text::point)[1]::int4, %(turns)s::int4) = %(turn)s::int4")
            for t in physical
        ),
        unresolved=_unresolved(c, table),
        foreign_rows=_foreign_rows(c, table, value),
        verify=verify.query(verify.no_nulls(table.qname, table.column)),
        before=off,
        after=on,
        lock=Lock.SHARE_ROW_EXCLUSIVE if off else Lock.ROW_EXCLUSIVE,
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


def _foreign_rows(c: Conversion, table: TenantTable, value: str) -> str:
    """Counts the rows of other tenants than the source gives; where the column was there before, it stays."""
    members = c.members(table)
    other = f"a.{quote(table.column)} IS DISTINCT FROM {value}"
    if all(t.existing is None for t in members):
        return f"SELECT count(*) FROM {qualified(table.qname)} AS a WHERE {other}"
    parts = [t for t in members if t.existing is None]
    return (
        "SELECT "
        + " + ".join(f"(SELECT count(*) FROM ONLY {qualified(t.qname)} AS a WHERE {other})" for t in parts)
        if parts
        else ""
    )


# Asked before anything changes


def _unresolved(c: Conversion, table: TenantTable) -> str:
    """Counts the rows that would be left without a tenant, or with one that there is not."""
    resolved = _resolved(c, table, "a")
    return f"SELECT count(*) FROM {qualified(table.qname)} AS a WHERE ({resolved}) IS NOT TRUE"


def _resolved(c: Conversion, table: TenantTable, alias: str) -> str:
    """A condition: a row has a tenant already or its source yields one, and there is or will be that tenant.

    The parent's own source is followed, since it has not been used yet.
    """
    existing = table.existing
    if existing is None:
        return _yields(c, table, alias)
    held = _known(c, quoted(table, alias))
    if existing.not_null or not needed(c, table):
        return held
    return f"CASE WHEN {quoted(table, alias)} IS NULL THEN {_yields(c, table, alias)} ELSE {held} END"


def _yields(c: Conversion, table: TenantTable, alias: str) -> str:
    match table.rule.backfill:
        case FromColumn(create=True, column=column, matches=matches) as source:
            given = f"{alias}.{quote(column)}::text <> ''"
            if c.tenants_entry is None or _unique(c.tenants_entry.table, matches):
                return given
            twice = f"(SELECT count(*) FROM {qualified(c.tenants)} k WHERE {_match(c, table, source, alias)})"
            return f"{given} AND {twice} < 2"
        case FromColumn() as source:
            return f"EXISTS (SELECT FROM {qualified(c.tenants)} k WHERE {_match(c, table, source, alias)})"
        case FromParent(parent=parent, on=on):
            target = c.get(parent)
            root = c.get(target.root) if target is not None else None
            assert root is not None
            above = alias + "p"
            pairs = link(c, table.table, parent, on) or {}
            yields = "true" if parent == c.tenants else f"({_resolved(c, root, above)})"
            rest = f"FROM {qualified(parent)} {above} WHERE {_where(pairs, above, alias)}"
            if _unique(c.catalog.by_name[parent], *pairs.values()):
                return f"(SELECT {yields} {rest})"
            return f"CASE WHEN (SELECT count(*) {rest}) = 1 THEN (SELECT {yields} {rest}) END"
        case FromMapping(mapping=mapping, on=on, tenant=tenant):
            known = _known(c, expression(c, table, alias))
            if _unique(c.catalog.by_name[mapping], *on.values()):
                return known
            row = f"pg_catalog.concat('=', m.{quote(tenant)})"  # counts NULL too
            rest = f"FROM {qualified(mapping)} m WHERE {_where(on, 'm', alias)}"
            return f"CASE WHEN (SELECT count(DISTINCT {row}) {rest}) = 1 THEN {known} END"
        case _:
            return _known(c, expression(c, table, alias))


def _known(c: Conversion, value: str) -> str:
    """A condition: a tenant of that key is there, or made by this plan."""
    default = c.spec.tenancy.default
    known = [f"v.id = {literal(default.id)}::{c.type}"] if default is not None else []
    if c.tenants_entry is not None:
        known.append(f"v.id IN (SELECT k.{quote(c.spec.tenancy.key)} FROM {qualified(c.tenants)} k)")
    for table in c.roots:
        source = table.rule.backfill
        if isinstance(source, FromColumn) and source.create and source.matches == c.spec.tenancy.key:
            known.append(
                f"v.id::text IN (SELECT k.{quote(source.column)}::text FROM {qualified(table.qname)} k)"
            )
    return f"(SELECT {' OR '.join(known) or 'false'} FROM (VALUES ({value})) AS v (id))"


def notes(c: Conversion) -> Iterator[str]:
    """What a revert cannot take back."""
    for table in c.roots:
        if table.existing is not None and needed(c, table):
            yield f"{table.label}: {table.column} was there before, so rows that the backfill gives a tenant keep it after a revert"


def _trigger_policy(c: Conversion, table: TenantTable) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if table.rule.triggers != "disable":
        return (), ()
    pairs = _firing(c, table)
    off = tuple(ddl.switch_trigger(name, trigger, on=False) for name, trigger in pairs)
    return off, tuple(ddl.switch_trigger(name, trigger, on=True) for name, trigger in pairs)

"""Row changes as events: one function per table and its triggers, made from the catalog.

What the functions record is in :mod:`tenantry.steps.capturefunctions`. A partition that is addressed directly does not
fire its parent's statement triggers, so that each has its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tenantry import ddl, verify
from tenantry.catalog import Column, Table, Trigger
from tenantry.conversion import Conversion
from tenantry.mistakes import correction
from tenantry.names import QName, display, spell
from tenantry.plan import Change, Lock, Phase
from tenantry.spec import Capture
from tenantry.steps import rights, tenants
from tenantry.steps.backfill import link
from tenantry.steps.capturefunctions import NEW, OLD, Behind, Subject, body
from tenantry.steps.events import Trail, trail
from tenantry.steps.trailfunctions import Routine, routine

PREFIX = "audit_capture_"


# What is captured


def problems(c: Conversion) -> Iterator[str]:
    """Tables and columns that cannot be captured as the spec says."""
    t = trail(c)
    for rule in t.spec.capture if t is not None else ():
        name, table = spell(rule.table), _table(c, rule.table)
        if table is None:
            yield f"{name}: [audit] capture names a table that is not there; {correction(name, map(spell, c.catalog.by_name))}"
            continue
        if rule.table == c.spec.tenancy.tenants or rule.table in c.spec.tables:
            yield from _column_problems(c, table, rule)
        else:
            yield f"{name}: [audit] capture names a table without a scope; name the parent of a partition, and no table of the trail"
        if table.kind == "foreign":
            yield f"{name}: a foreign table has no triggers over its rows; remove it from [audit] capture"


def _column_problems(c: Conversion, table: Table, rule: Capture) -> Iterator[str]:
    name = spell(table.qname)
    there = {col.name for col in _all_columns(c, table)}
    for key in ("only", "redact"):
        unknown = [n for n in getattr(rule, key) or () if n not in there]
        if unknown:
            yield f"{name}: [audit] capture: {key} names column {', '.join(unknown)}, which is not there; {correction(unknown[0], there)}"
    hidden = [n for n in rule.redact if rule.only is not None and n not in rule.only]
    if hidden:
        yield f"{name}: [audit] capture: {', '.join(hidden)} is in redact and not in only, and is not recorded at all; remove it from one"
    keys = [col.name for col in _key(c, table)[0] if col.name in rule.redact]
    if keys:
        yield f"{name}: [audit] capture: {', '.join(keys)} names the row and cannot be redacted; remove it from redact"


def _table(c: Conversion, name: QName) -> Table | None:
    found = c.catalog.by_name.get(name)
    return tenants.planned(c) if found is None and name == c.tenants else found


def _tenant(c: Conversion, table: Table) -> str | None:
    entry = c.get(table.qname)
    if entry is not None:
        return entry.column
    return c.spec.tenancy.key if table.qname == c.tenants else None


def _all_columns(c: Conversion, table: Table) -> tuple[Column, ...]:
    """The columns as they will be: the tenant column comes last where the plan adds it."""
    tenant = _tenant(c, table)
    if tenant is None or table.column(tenant) is not None:
        return table.columns
    return (*table.columns, Column(tenant, c.type, c.type, True))


def _key(c: Conversion, table: Table) -> tuple[tuple[Column, ...], bool]:
    """The primary key as it will be, and whether old and new rows can be joined by it."""
    primary, tenant = table.primary_key, _tenant(c, table)
    if primary is None:
        return (), False
    columns = {col.name: col for col in _all_columns(c, table)}
    key = tuple(columns[n] for n in primary.columns if n != tenant or len(primary.columns) == 1)
    # An operator of a type that somebody made is outside of the search path.
    return key, not primary.deferrable and not any("." in col.base for col in key)


def _subjects(t: Trail) -> Iterator[Subject]:
    for rule in t.spec.capture:
        table = _table(t.c, rule.table)
        assert table is not None
        tenant = _tenant(t.c, table)
        key, paired = _key(t.c, table)
        chosen = [
            col for col in _all_columns(t.c, table)
            if not col.generated and (col.name != tenant or table.qname == t.c.tenants)
            and (rule.only is None or col.name in rule.only)
        ]  # fmt: skip
        yield Subject(table, rule, tuple(chosen), key, tenant, paired, _behind(t.c, table))


def _behind(c: Conversion, table: Table) -> Behind | None:
    """The parent that isolates a table without a tenant column."""
    rule = next((rule for found, rule in c.through if found.qname == table.qname), None)
    parent = c.get(rule.parent) if rule is not None else None
    pairs = link(c, table, parent.qname, rule.on) if rule is not None and parent is not None else None
    if parent is None or not pairs:
        return None
    compared = [(table.column(here), parent.table.column(there)) for here, there in pairs.items()]
    looks = all(col is not None and "." not in col.base for pair in compared for col in pair)
    return Behind(parent.table, tuple(pairs.items()), parent.column, looks)


def _reads(t: Trail, subjects: Sequence[Subject]) -> Iterator[Change]:
    """The trail's owner reads of the parents what leads to their tenant, within the policies, as everybody else."""
    wanted: dict[QName, tuple[Table, dict[str, None]]] = {}
    for behind in (s.behind for s in subjects):
        if behind is not None and behind.looks:
            _, names = wanted.setdefault(behind.parent.qname, (behind.parent, {}))
            names.update(dict.fromkeys([*(there for _, there in behind.pairs), behind.tenant]))
    for schema in t.c.catalog.schemas:
        if schema.name != t.name.schema and any(name.schema == schema.name for name in wanted):
            yield from rights.usage(
                schema,
                t.spec.owner,
                Phase.HARDEN,
                "Captured changes are told to the tenant of a parent there.",
            )
    for name, (parent, names) in sorted(wanted.items()):
        why = f"Rows behind {display(name)} have its tenant, as far as the transaction may see it."
        yield from rights.reading(name, parent, t.spec.owner, tuple(names), Phase.HARDEN, "capture", why)


# The triggers


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A trigger of a captured table: name without the prefix, when, which events, for each what, over which tables."""

    name: str
    timing: str
    events: tuple[str, ...]
    row: bool
    over: str = ""


def _wanted(s: Subject, *, part: bool) -> Iterator[_Wanted]:
    """The triggers of a table. A partition has its parent's row triggers by itself."""
    yield _Wanted("truncate", "before", ("truncate",), row=False)
    if s.rule.each == "row":
        if not part:
            yield _Wanted("row", "after", ("insert", "update", "delete"), row=True)
        return
    yield _Wanted("insert", "after", ("insert",), False, f"REFERENCING NEW TABLE AS {NEW}")
    yield _Wanted("delete", "after", ("delete",), False, f"REFERENCING OLD TABLE AS {OLD}")
    if not s.by_row:
        both = f"REFERENCING OLD TABLE AS {OLD} NEW TABLE AS {NEW}"
        yield _Wanted("update", "after", ("update",), False, both)
    elif not part:
        yield _Wanted("update", "after", ("update",), True)


def steps(c: Conversion) -> Iterator[Change]:
    """The functions and triggers of captured tables; those of tables that are captured no more go."""
    t = trail(c)
    if t is None:
        return
    kept: set[tuple[QName, str]] = set()
    subjects = [*_subjects(t)]
    yield from _reads(t, subjects)
    for s in subjects:
        function = t.at(s.function)
        yield from routine(t, Routine(
            function, (), "trigger", body(t, s), (), f"Records what changes in {display(s.table.qname)}: the difference, not both rows.",
        ))  # fmt: skip
        for table in (s.table, *c.catalog.descendants(s.table.qname)):
            part = table.partition_of is not None and table.qname != s.table.qname
            for wanted in _wanted(s, part=part):
                kept.add((table.qname, PREFIX + wanted.name))
                yield from _trigger(t, table, wanted, function)
    yield from _leftovers(t, kept)


def _trigger(t: Trail, table: Table, wanted: _Wanted, function: QName) -> Iterator[Change]:
    name = PREFIX + wanted.name
    known = table.trigger(name)
    fits = known is not None and _fits(known, wanted, function)
    if fits and known is not None and known.enabled == "A":
        return
    made = ddl.create_trigger(
        table.qname, name, wanted.timing, wanted.events, wanted.row, function, wanted.over
    )
    create = () if fits else (*((ddl.drop_trigger(table.qname, name),) if known else ()), made)
    back = [ddl.drop_trigger(table.qname, name)] if not fits else []
    if fits and known is not None:
        back = [ddl.switch_trigger(table.qname, known, on=True)]
    yield Change(
        id=f"harden.{display(table.qname)}.{name}", phase=Phase.HARDEN, object=display(table.qname),
        why=f"What {' or '.join(wanted.events)} does to {display(table.qname)} becomes an event, also in replication mode.",
        apply=(*create, ddl.enable_always(table.qname, name)),
        verify=verify.query(verify.trigger(table.qname, name, always=True)),
        revert=tuple(back), lock=Lock.ACCESS_EXCLUSIVE if known and not fits else Lock.SHARE_ROW_EXCLUSIVE,
        tables=(table.qname,),
    )  # fmt: skip


def _fits(known: Trigger, wanted: _Wanted, function: QName) -> bool:
    return (
        known.function == function
        and known.timing == wanted.timing
        and known.row == wanted.row
        and set(known.events) == set(wanted.events)
        and not known.update_columns
    )


def _leftovers(t: Trail, kept: set[tuple[QName, str]]) -> Iterator[Change]:
    for table in t.c.catalog.tables:
        for known in table.triggers:
            ours = known.name.startswith(PREFIX) and known.function.schema == t.spec.functions
            if not ours or known.inherited or (table.qname, known.name) in kept:
                continue
            yield Change(
                id=f"harden.{display(table.qname)}.{known.name}.drop", phase=Phase.HARDEN, object=display(table.qname),
                why=f"[audit] capture does not name {display(table.qname)}, or captures it in another way.",
                apply=(ddl.drop_trigger(table.qname, known.name),),
                verify=verify.query(verify.no_trigger(table.qname, known.name)),
                revert=(known.definition, ddl.enable_always(table.qname, known.name)),
                lock=Lock.ACCESS_EXCLUSIVE, tables=(table.qname,),
            )  # fmt: skip

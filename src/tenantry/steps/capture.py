"""Row changes as events: one function per table and its triggers, made from the catalog.

By statement, over transition tables: a bulk change costs one call and one INSERT, and cascades, COPY, MERGE and ON
CONFLICT fire it as anything else. A partition that is addressed directly does not fire its parent's statement
triggers, so that each has its own. Where old and new rows cannot be paired (no key, or one that is checked late),
and where the spec says so, updates are captured row by row. The tenant is the row's, whatever the setting says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from tenantry import ddl, verify
from tenantry.catalog import Column, Table, Trigger
from tenantry.conversion import Conversion
from tenantry.names import QName, display, fit, literal, quote, spell
from tenantry.plan import Change, Lock, Phase
from tenantry.spec import Capture
from tenantry.steps import tenants
from tenantry.steps.events import Trail, trail
from tenantry.steps.trailfunctions import Routine, insert_from, routine, scope, setting

PREFIX = "audit_capture_"
REDACTED = '"[redacted]"'
_OLD, _NEW = "audit_old", "audit_new"
# Types whose IS DISTINCT FROM tells every change of the value; of others the stored bytes are compared.
_EXACT = frozenset({
    "smallint", "integer", "bigint", "boolean", "uuid", "date", "text", "timestamp with time zone",
    "timestamp without time zone",
})  # fmt: skip
# Columns that have a default by a setting of the same name: it is read once for a statement and not for each row.
_ONCE = {"request_id": "request", "session_id": "session", "user_agent": "agent"}
_CHUNK = 40  # columns per jsonb_build_object, which takes a hundred arguments


@dataclass(frozen=True, slots=True)
class Subject:
    """A captured table as it will be: ``columns`` are recorded, ``key`` names a row, ``tenant`` its tenant."""

    table: Table
    rule: Capture
    columns: tuple[Column, ...]
    key: tuple[Column, ...]
    tenant: str | None
    paired: bool

    @property
    def by_row(self) -> bool:
        """True where an update is captured row by row."""
        return self.rule.each == "row" or not self.paired

    @property
    def function(self) -> str:
        return fit(f"capture_{spell(self.table.qname)}")


# What is captured


def problems(c: Conversion) -> Iterator[str]:
    """Tables and columns that cannot be captured as the spec says."""
    t = trail(c)
    for rule in t.spec.capture if t is not None else ():
        name, table = spell(rule.table), _table(c, rule.table)
        if table is None:
            yield f"{name}: [audit] capture names a table that is not there; correct the name or remove it"
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
            yield f"{name}: [audit] capture: {key} names column {', '.join(unknown)}, which is not there; correct the name"
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
        yield Subject(table, rule, tuple(chosen), key, tenant, paired)


# What a trigger records


def _image(s: Subject, alias: str) -> str:
    """The recorded columns of a row as JSON."""
    parts = []
    for at in range(0, max(len(s.columns), 1), _CHUNK):
        pairs = [f"{literal(c.name)}, {_value(s, c, alias)}" for c in s.columns[at : at + _CHUNK]]
        parts.append(f"jsonb_build_object({', '.join(pairs)})")
    return " || ".join(parts)


def _value(s: Subject, column: Column, alias: str) -> str:
    if column.name in s.rule.redact:
        return f"{literal(json.loads(REDACTED))}::text"
    return f"{alias}.{quote(column.name)}"


def _changed(column: Column, old: str, new: str) -> str:
    o, n = f"{old}.{quote(column.name)}", f"{new}.{quote(column.name)}"
    if column.base in _EXACT and column.deterministic:
        return f"{o} IS DISTINCT FROM {n}"
    return f"record_image_ne(ROW({o}), ROW({n}))"


def _any_change(s: Subject, old: str, new: str) -> str:
    return " OR ".join(_changed(c, old, new) for c in s.columns) or "false"


def _difference(s: Subject, old: str, new: str) -> str:
    """JSON of the columns that differ, before and after; text first, since only what changed is written then."""

    def side(alias: str) -> str:
        parts = ", ".join(
            f"CASE WHEN {_changed(c, old, new)} THEN {_member(s, c, alias)} END" for c in s.columns
        )
        return f"concat_ws(', ', {parts})"

    return f"""('{{"old": {{' || {side(old)} || '}}, "new": {{' || {side(new)} || '}}}}')::jsonb"""


def _member(s: Subject, column: Column, alias: str) -> str:
    name = json.dumps(column.name, ensure_ascii=False) + ": "
    if column.name in s.rule.redact:
        return literal(name + REDACTED)
    return f"{literal(name)} || coalesce(to_json({alias}.{quote(column.name)})::text, 'null')"


def _resource(s: Subject, alias: str) -> str:
    """The key of a row as text; of several columns as a JSON array."""
    columns = [f"{alias}.{quote(c.name)}" for c in s.key]
    if not columns:
        return "NULL"
    return f"{columns[0]}::text" if len(columns) == 1 else f"jsonb_build_array({', '.join(columns)})::text"


def _event(t: Trail, s: Subject, verb: str, *, resource: str, tenant: str, metadata: str, source: str) -> str:
    """An INSERT of events of the rows that ``source`` yields."""
    values = {
        "actor_id": "actor", "ip_address": "address", **_ONCE,
        "tenant_id": tenant, "action": verb,
        "resource_type": literal(display(s.table.qname)), "resource_id": _cast(t, "resource_id", resource),
        "metadata": metadata, "context": literal('{"captured": true}') + "::jsonb",
    }  # fmt: skip
    if source and _numbers(t, s):
        values = {"id": "(base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid"} | values
    return insert_from(t, values, source)


def _numbers(t: Trail, s: Subject) -> bool:
    """Whether ids are 24 random digits of the statement (90 bits, version 4) and a number: that costs less than one each.
    Where the trail's ids are of another kind, and where events are written row by row, the default gives them.
    """
    column = t.known.column("id") if t.known is not None else None
    random = column is None or (column.base == "uuid" and column.default == "gen_random_uuid()")
    return random and s.rule.each != "row"


def _cast(t: Trail, column: str, text: str) -> str:
    return text if t.type(column) == "text" else f"({text})::{t.type(column)}"


def _plain(t: Trail, s: Subject, verb: str, alias: str, source: str) -> str:
    """An event of a row that came or went."""
    word = "new" if alias in ("n", "NEW") else "old"
    return _event(
        t, s, literal(f"row.{verb}"), resource=_resource(s, alias), tenant=_of(t, s, alias), source=source,
        metadata=f"jsonb_build_object('{word}', {_image(s, alias)})",
    )  # fmt: skip


def _of(t: Trail, s: Subject, alias: str) -> str:
    """The tenant of a row; none for a table whose rows belong to no tenant."""
    return f"{alias}.{quote(s.tenant)}" if s.tenant is not None else f"NULL::{t.type('tenant_id')}"


def _joined(t: Trail, s: Subject) -> str:
    """Events of a statement that updated: pairs by key and tenant; who finds no partner has come or gone."""
    columns = [c.name for c in s.key] + (
        [s.tenant] if s.tenant and s.tenant not in {c.name for c in s.key} else []
    )
    on = " AND ".join(f"o.{quote(n)} = n.{quote(n)}" for n in columns)
    first = quote(s.key[0].name)
    kind = f"CASE WHEN o.{first} IS NULL THEN 'insert' WHEN n.{first} IS NULL THEN 'delete' ELSE 'update' END"
    metadata = (
        f"CASE WHEN o.{first} IS NULL THEN jsonb_build_object('new', {_image(s, 'n')})"
        f" WHEN n.{first} IS NULL THEN jsonb_build_object('old', {_image(s, 'o')})"
        f" ELSE {_difference(s, 'o', 'n')} END"
    )
    return _event(
        t, s, f"'row.' || {kind}",
        resource=f"CASE WHEN n.{first} IS NULL THEN {_resource(s, 'o')} ELSE {_resource(s, 'n')} END",
        tenant=f"CASE WHEN n.{first} IS NULL THEN {_of(t, s, 'o')} ELSE {_of(t, s, 'n')} END", metadata=metadata,
        source=f"FROM {_OLD} AS o FULL JOIN {_NEW} AS n ON {on}\n"
        f"    WHERE o.{first} IS NULL OR n.{first} IS NULL OR {_any_change(s, 'o', 'n')}",
    )  # fmt: skip


def _rows(t: Trail, s: Subject) -> str:
    """Events of one updated row. Another key or another tenant is another row: one has gone and one has come."""
    same = [c.name for c in s.key] + ([s.tenant] if s.tenant else [])
    moved = " OR ".join(f"OLD.{quote(n)} IS DISTINCT FROM NEW.{quote(n)}" for n in same) or "false"
    update = _event(
        t, s, "'row.update'", resource=_resource(s, "NEW"), tenant=_of(t, s, "NEW"), source="",
        metadata=_difference(s, "OLD", "NEW"),
    )  # fmt: skip
    gone, come = _plain(t, s, "delete", "OLD", ""), _plain(t, s, "insert", "NEW", "")
    return (
        f"    IF {moved} THEN\n      {gone};\n      {come};\n"
        f"    ELSIF {_any_change(s, 'OLD', 'NEW')} THEN\n      {update};\n    END IF;\n"
    )


def _body(t: Trail, s: Subject) -> str:
    given = scope(t)
    size = "pg_relation_size(TG_RELID)"
    truncated = _event(
        t, s, "'row.truncate'", resource="NULL", source="", tenant=f"NULL::{t.type('tenant_id')}",
        metadata=f"jsonb_build_object('relation', TG_RELID::regclass::text, 'bytes', {size})",
    )  # fmt: skip
    branches = [("TG_OP = 'TRUNCATE'", f"    {truncated};\n")]
    if s.rule.each == "row":
        branches += [
            ("TG_OP = 'INSERT'", f"    {_plain(t, s, 'insert', 'NEW', '')};\n"),
            ("TG_OP = 'DELETE'", f"    {_plain(t, s, 'delete', 'OLD', '')};\n"),
        ]
    else:
        branches += [
            ("TG_OP = 'INSERT'", f"    {_plain(t, s, 'insert', 'n', f'FROM {_NEW} AS n')};\n"),
            ("TG_OP = 'DELETE'", f"    {_plain(t, s, 'delete', 'o', f'FROM {_OLD} AS o')};\n"),
        ]
    update = _rows(t, s) if s.by_row else f"    {_joined(t, s)};\n"
    chain = "".join(f"  {'ELS' if i else ''}IF {cond} THEN\n{do}" for i, (cond, do) in enumerate(branches))
    variables = {name: setting(f"app.{column}") for column, name in _ONCE.items()}
    if _numbers(t, s):
        variables["base"] = "left(replace(gen_random_uuid()::text, '-', ''), 24)"
    once = "".join(f"  {name} text := {value};\n" for name, value in variables.items())
    return (
        # A captured table may have a column of a variable's name; columns are all qualified.
        "\n#variable_conflict use_variable\n"
        f"DECLARE\n  actor {t.type('actor_id')} := {given['actor_id']};\n"
        f"  address {t.type('ip_address')} := {given['ip_address']};\n{once}BEGIN\n"
        f"{chain}  ELSE\n{update}  END IF;\n  RETURN NULL;\nEND\n"
    )


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
    yield _Wanted("insert", "after", ("insert",), False, f"REFERENCING NEW TABLE AS {_NEW}")
    yield _Wanted("delete", "after", ("delete",), False, f"REFERENCING OLD TABLE AS {_OLD}")
    if not s.by_row:
        both = f"REFERENCING OLD TABLE AS {_OLD} NEW TABLE AS {_NEW}"
        yield _Wanted("update", "after", ("update",), False, both)
    elif not part:
        yield _Wanted("update", "after", ("update",), True)


def steps(c: Conversion) -> Iterator[Change]:
    """The functions and triggers of captured tables; those of tables that are captured no more go."""
    t = trail(c)
    if t is None:
        return
    kept: set[tuple[QName, str]] = set()
    for s in _subjects(t):
        function = t.at(s.function)
        yield from routine(t, Routine(
            function, (), "trigger", _body(t, s), (), f"Records what changes in {display(s.table.qname)}: the difference, not both rows.",
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

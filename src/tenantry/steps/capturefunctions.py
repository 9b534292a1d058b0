"""What the triggers of captured tables record: the body of the function of each.

By statement, over transition tables: a bulk change costs one call and one INSERT, and cascades, COPY, MERGE and ON
CONFLICT fire it as anything else. Where old and new rows cannot be paired (no key, or one that is checked late), and
where the spec says so, updates are captured row by row.

The tenant is the row's, whatever the setting says. A row without a tenant column has that of its parent, as far as the
trail's owner sees the parent: policies bind it, so it sees those of the transaction's tenant. Where it sees none (no
tenant is set, another is, the parent went first) the tenant is NULL and the context says that it is unknown.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from tenantry.catalog import Column, Table
from tenantry.names import display, fit, literal, qualified, quote, spell
from tenantry.spec import Capture
from tenantry.steps.events import Trail
from tenantry.steps.trailfunctions import insert_from, scope, setting

REDACTED = '"[redacted]"'
OLD, NEW = "audit_old", "audit_new"
TRUNCATED = "'row.truncate'"
# Types whose IS DISTINCT FROM tells every change of the value; of others the stored bytes are compared.
_EXACT = frozenset({
    "smallint", "integer", "bigint", "boolean", "uuid", "date", "text", "timestamp with time zone",
    "timestamp without time zone",
})  # fmt: skip
# Columns that have a default by a setting of the same name: it is read once for a statement and not for each row.
_ONCE = {"request_id": "request", "session_id": "session", "user_agent": "agent"}
_CHUNK = 40  # columns per jsonb_build_object, which takes a hundred arguments


@dataclass(frozen=True, slots=True)
class Behind:
    """Where the tenant of a row without a tenant column is: ``tenant`` of the row of ``parent`` that ``pairs`` (column
    here, column there) lead to. ``looks``: whether operators of the server's own compare them.
    """

    parent: Table
    pairs: tuple[tuple[str, str], ...]
    tenant: str
    looks: bool


@dataclass(frozen=True, slots=True)
class Subject:
    """A captured table as it will be: ``columns`` are recorded, ``key`` names a row, ``tenant`` is the column with its
    tenant; where it has none of its own, ``behind`` says which parent has.
    """

    table: Table
    rule: Capture
    columns: tuple[Column, ...]
    key: tuple[Column, ...]
    tenant: str | None
    paired: bool
    behind: Behind | None = None

    @property
    def by_row(self) -> bool:
        """True where an update is captured row by row."""
        return self.rule.each == "row" or not self.paired

    @property
    def identity(self) -> tuple[str, ...]:
        """The columns that make a row another row when they change: its key, and what says whose it is."""
        whose = [self.tenant] if self.tenant is not None else []
        if self.behind is not None and self.behind.looks:
            whose = [here for here, _ in self.behind.pairs]
        return tuple(dict.fromkeys([*(c.name for c in self.key), *whose]))

    @property
    def function(self) -> str:
        return fit(f"capture_{spell(self.table.qname)}")


# What is recorded


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


def _event(
    t: Trail,
    s: Subject,
    verb: str,
    *,
    resource: str,
    tenant: str | None,
    metadata: str,
    source: str = "",
    where: str = "",
) -> str:
    """An INSERT of events of the rows that ``source`` yields, a FROM; of one where there is none."""
    numbered = bool(source) and _numbers(t, s)
    known, unknown = (
        f"{literal(json.dumps({'captured': True, **more}))}::jsonb" for more in ({}, {"tenant": "unknown"})
    )
    context = known if s.behind is None or verb == TRUNCATED else unknown
    if s.behind is not None and tenant is not None:
        # Looked up once: what is not below OFFSET is computed for each of its uses.
        found = f"(SELECT {tenant} OFFSET 0) AS w (tenant)"
        source, tenant = f"{source} CROSS JOIN LATERAL {found}" if source else f"FROM {found}", "w.tenant"
        context = f"CASE WHEN w.tenant IS NULL THEN {unknown} ELSE {known} END"
    values = {
        "actor_id": "actor", "ip_address": "address", **_ONCE,
        "tenant_id": tenant or f"NULL::{t.type('tenant_id')}", "action": verb,
        "resource_type": literal(display(s.table.qname)), "resource_id": _cast(t, "resource_id", resource),
        "metadata": metadata, "context": context,
    }  # fmt: skip
    if numbered:
        values = {"id": "(base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid"} | values
    return insert_from(t, values, f"{source}\n    WHERE {where}" if where else source)


def _numbers(t: Trail, s: Subject) -> bool:
    """Whether ids are 24 random digits of the statement (90 bits, version 4) and a number: that costs less than one each.
    Where the trail's ids are of another kind, and where events are written row by row, the default gives them.
    """
    column = t.known.column("id") if t.known is not None else None
    random = column is None or (column.base == "uuid" and column.default == "gen_random_uuid()")
    return random and s.rule.each != "row"


def _cast(t: Trail, column: str, text: str) -> str:
    return text if t.type(column) == "text" else f"({text})::{t.type(column)}"


def _plain(t: Trail, s: Subject, verb: str, alias: str, source: str = "") -> str:
    """An event of a row that came or went."""
    word = "new" if alias in ("n", "NEW") else "old"
    return _event(
        t, s, literal(f"row.{verb}"), resource=_resource(s, alias), tenant=_of(t, s, _from(alias)), source=source,
        metadata=f"jsonb_build_object('{word}', {_image(s, alias)})",
    )  # fmt: skip


def _from(alias: str) -> Callable[[str], str]:
    """SQL for the columns of a row."""
    return lambda column: f"{alias}.{quote(column)}"


def _of(t: Trail, s: Subject, row: Callable[[str], str]) -> str | None:
    """The tenant of a row; None for a table whose rows belong to no tenant, and where no parent can be asked."""
    if s.tenant is not None:
        return row(s.tenant)
    if s.behind is None or not s.behind.looks:
        return None
    # The referenced row itself, not one of a table that inherits from it. Without a tenant no row can be seen, and a
    # policy that raises then would refuse the change.
    only = "" if s.behind.parent.kind == "partitioned" else "ONLY "
    same = " AND ".join(f"p.{quote(there)} = {row(here)}" for here, there in s.behind.pairs)
    look = (
        f"SELECT p.{quote(s.behind.tenant)} FROM {only}{qualified(s.behind.parent.qname)} AS p WHERE {same}"
    )
    return f"CASE WHEN {setting(t.c.spec.tenancy.setting)} IS NOT NULL THEN ({look}) END"


def _paired(s: Subject) -> str:
    """Whether an old and a new row are the same one; NULL leads to no parent, and equals itself."""
    nullable = {c.name for c in s.table.columns if not c.not_null} if s.behind is not None else ()
    return " AND ".join(
        f"ARRAY[o.{quote(n)}] = ARRAY[n.{quote(n)}]" if n in nullable else f"o.{quote(n)} = n.{quote(n)}"
        for n in s.identity
    )


def _joined(t: Trail, s: Subject) -> str:
    """Events of a statement that updated: pairs by what makes a row the same; who finds no partner has come or gone."""
    first = quote(s.key[0].name)
    kind = f"CASE WHEN o.{first} IS NULL THEN 'insert' WHEN n.{first} IS NULL THEN 'delete' ELSE 'update' END"
    metadata = (
        f"CASE WHEN o.{first} IS NULL THEN jsonb_build_object('new', {_image(s, 'n')})"
        f" WHEN n.{first} IS NULL THEN jsonb_build_object('old', {_image(s, 'o')})"
        f" ELSE {_difference(s, 'o', 'n')} END"
    )

    def row(column: str) -> str:
        return f"CASE WHEN n.{first} IS NULL THEN o.{quote(column)} ELSE n.{quote(column)} END"

    return _event(
        t, s, f"'row.' || {kind}",
        resource=f"CASE WHEN n.{first} IS NULL THEN {_resource(s, 'o')} ELSE {_resource(s, 'n')} END",
        tenant=_of(t, s, row), metadata=metadata,
        source=f"FROM {OLD} AS o FULL JOIN {NEW} AS n ON {_paired(s)}",
        where=f"o.{first} IS NULL OR n.{first} IS NULL OR {_any_change(s, 'o', 'n')}",
    )  # fmt: skip


def _rows(t: Trail, s: Subject) -> str:
    """Events of one updated row. Another key or another tenant is another row: one has gone and one has come."""
    moved = " OR ".join(f"OLD.{quote(n)} IS DISTINCT FROM NEW.{quote(n)}" for n in s.identity) or "false"
    update = _event(
        t, s, "'row.update'", resource=_resource(s, "NEW"), tenant=_of(t, s, _from("NEW")),
        metadata=_difference(s, "OLD", "NEW"),
    )  # fmt: skip
    gone, come = _plain(t, s, "delete", "OLD"), _plain(t, s, "insert", "NEW")
    return (
        f"    IF {moved} THEN\n      {gone};\n      {come};\n"
        f"    ELSIF {_any_change(s, 'OLD', 'NEW')} THEN\n      {update};\n    END IF;\n"
    )


def body(t: Trail, s: Subject) -> str:
    """What the function of a captured table does."""
    given = scope(t)
    size = "pg_relation_size(TG_RELID)"
    truncated = _event(
        t, s, TRUNCATED, resource="NULL", tenant=None,
        metadata=f"jsonb_build_object('relation', TG_RELID::regclass::text, 'bytes', {size})",
    )  # fmt: skip
    branches = [("TG_OP = 'TRUNCATE'", f"    {truncated};\n")]
    if s.rule.each == "row":
        branches += [
            ("TG_OP = 'INSERT'", f"    {_plain(t, s, 'insert', 'NEW')};\n"),
            ("TG_OP = 'DELETE'", f"    {_plain(t, s, 'delete', 'OLD')};\n"),
        ]
    else:
        branches += [
            ("TG_OP = 'INSERT'", f"    {_plain(t, s, 'insert', 'n', f'FROM {NEW} AS n')};\n"),
            ("TG_OP = 'DELETE'", f"    {_plain(t, s, 'delete', 'o', f'FROM {OLD} AS o')};\n"),
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

"""A draft as TOML text."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from tenantry.counts import counted
from tenantry.evidence.tables import left_alone
from tenantry.init import keys
from tenantry.init.decide import DEFAULT_TENANT
from tenantry.init.drafts import Entry, TableDraft
from tenantry.init.situation import Mode, Situation
from tenantry.names import QName, spell
from tenantry.spec import UNDECIDED
from tenantry.tomltext import comment, path, string, strings

_WIDTH = 100
_ROLE = "app_user"


def text(situation: Situation, drafts: Sequence[TableDraft]) -> str:
    """The whole file, ending in a newline."""
    blocks = [
        [*_head(situation, drafts)],
        [*_tenancy(situation)],
        [*_roles(situation)],
        [*_audit(situation)],
        *([*_table(draft)] for draft in drafts),
        [*_not_looked_at(situation)],
    ]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _head(s: Situation, drafts: Sequence[TableDraft]) -> Iterator[str]:
    server = s.catalog.server
    entries = [*_policies(s), *(e for d in drafts for e in d.entries)]
    open_ = sum(e.undecided for e in entries) + (s.tenancy.tenants is None)
    yield from comment(
        f"Drafted by `tenantry init` from database {server.database} (PostgreSQL {server.version // 10000}.{server.version % 10000})."
        " Names, types, keys and the server's estimates were read; no row was."
    )
    yield from comment(
        f'{counted(open_, "value is", "values are")} "{UNDECIDED}", each with its choices in the comment above it;'
        " `tenantry plan` refuses them."
        if open_
        else "Nothing is undecided; `tenantry plan` shows what would be done."
    )
    yield "#"
    for line in (
        'scope = "tenant"    gets the tenant column, and each tenant sees its own rows',
        'scope = "shared"    readable by every tenant, written by none',
        'scope = "through"   no column; isolated by the tenant table that it references',
        'scope = "ignored"   left alone, not isolated',
        "backfill            where the tenant of existing rows comes from; not needed where each row has it",
        "primary_key, unique what happens to keys; generated primary keys stay unique across tenants",
    ):
        yield f"# {line}"


def _tenancy(s: Situation) -> Iterator[str]:
    tenancy = s.tenancy
    for why in tenancy.why:
        yield from comment(why, indent="    ")
    yield "[tenancy]"
    yield f"tenants = {string(spell(tenancy.tenants) if tenancy.tenants else UNDECIDED)}"
    yield f"key = {string(tenancy.key)}"
    yield f"column = {string(tenancy.column)}"
    yield f"type = {string(tenancy.type)}"
    elsewhere = _elsewhere(s)
    if elsewhere:
        yield from comment(f"Not in the list, so not touched: {elsewhere}.")
    yield f"schemas = {strings(s.schemas)}"
    for policy in _policies(s):
        yield from _entry(policy)
    if tenancy.mode is Mode.SINGLE:
        yield ""
        yield from comment("The tenant that every existing row goes to. Give it the id, name and slug that you want;"
                           " the id again in each backfill below.")  # fmt: skip
        yield "[tenancy.default]"
        yield f"id = {string(DEFAULT_TENANT)}"
        yield 'name = "Default"'
        yield 'slug = "default"'


def _policies(s: Situation) -> list[Entry]:
    """What becomes of policies that the tenants table has."""
    table = s.catalog.by_name.get(s.tenancy.tenants) if s.tenancy.tenants else None
    return [*keys.policies(table, isolated=True)] if table is not None else []


def _elsewhere(s: Situation) -> str:
    counts = {
        schema.name: sum(t.schema == schema.name and not t.extension for t in s.catalog.tables)
        for schema in s.catalog.schemas
        if schema.name not in s.schemas
    }
    return ", ".join(f"{name} ({counted(n, 'table')})" for name, n in sorted(counts.items()) if n)


def _roles(s: Situation) -> Iterator[str]:
    role = s.catalog.roles_by_name.get(_ROLE)
    if role is None:
        yield from comment(f"{_ROLE} is made: a login that owns nothing and is bound by row level security.")
    else:
        yield from comment(f"{_ROLE} is there already{_objections(s)}.")
    yield "[roles]"
    yield f"app = {string(_ROLE)}"
    yield from comment('owner = "app_owner"   a NOLOGIN role to own the tables; without it their owners stay')


def _objections(s: Situation) -> str:
    """Why the application's role would not be bound by row level security, as it is."""
    found = []
    mine = [
        r for n in (_ROLE, *s.catalog.roles_by_name[_ROLE].member_of) if (r := s.catalog.roles_by_name.get(n))
    ]
    for role in mine:
        via = "" if role.name == _ROLE else f" through {role.name}"
        found += [f"it is a superuser{via}"] if role.superuser else []
        found += [f"it has BYPASSRLS{via}"] if role.bypass_rls else []
    names = {role.name for role in mine}
    owned = sum(t.owner in names for t in s.tables)
    found += [f"it owns {owned} of the tables below, or may become their owner (set owner)"] if owned else []
    return f", and row level security would not bind it: {'; '.join(found)}" if found else ""


def _audit(s: Situation) -> Iterator[str]:
    for why in s.audit_why:
        yield from comment(why)
    if s.audit is None:
        taken = s.catalog.relation_names
        schema = "public" if "public" in s.schemas else s.schemas[0]
        name = next(
            n for n in ("tenancy_audit_logs", "tenancy_audit_trail", "…") if n not in taken.get(schema, ())
        )
        yield "# [audit]"
        yield f"# table = {string(spell(QName(schema, name)))}"
        return
    there = s.audit in s.catalog.by_name
    yield from comment(
        "The audit trail is there already, with the columns it needs."
        if there
        else "The audit trail, which is made."
    )
    yield "[audit]"
    yield f"table = {string(spell(s.audit))}"


def _table(draft: TableDraft) -> Iterator[str]:
    for line in draft.comments:
        yield from comment(line, indent="  ")
    yield f"[{path('tables', spell(draft.name))}]"
    for entry in draft.entries:
        yield from _entry(entry)


def _entry(entry: Entry) -> Iterator[str]:
    for line in entry.comments:
        # A line of a choice is uncommented as it is, and TOML breaks no inline table.
        yield from comment(line, indent="  ", width=sys.maxsize if line.startswith("    ") else _WIDTH)
    if not entry.note:
        yield entry.line
        return
    behind = comment(entry.note)
    if len(behind) == 1 and len(entry.line) + 2 + len(behind[0]) <= _WIDTH:
        yield f"{entry.line}  {behind[0]}"
    else:
        yield from behind
        yield entry.line


def _not_looked_at(s: Situation) -> Iterator[str]:
    yield "# Not looked at:"
    lines = [f"schemas {elsewhere}"] if (elsewhere := _elsewhere(s)) else []
    parts = [t for t in s.catalog.tables if t.schema in s.schemas and t.partition_of and left_alone(t)]
    lines += (
        [f"foreign tables that are partitions: {', '.join(spell(t.qname) for t in parts)}"] if parts else []
    )
    lines += [
        "rows: none was read",
        "SQL in the application, and jobs and reports outside of it",
        "other databases of this server",
    ]
    for line in lines:
        yield from comment(f"- {line}", indent="  ")

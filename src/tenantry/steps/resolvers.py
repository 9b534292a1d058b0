"""Resolvers: functions that find a tenant before one is known, and return its id and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tenantry import ddl
from tenantry.catalog import Column, Function, Policy
from tenantry.conversion import Conversion, loose
from tenantry.mistakes import correction
from tenantry.names import QName, display, fit, qualified, quote, spell
from tenantry.plan import Change
from tenantry.spec import Resolver, Spec
from tenantry.steps import definers
from tenantry.steps.backfill import link
from tenantry.steps.definers import Definer, Kind, each

POLICY = "tenant_resolver"
LANGUAGE = "sql"
CONFIG = (definers.PINNED,)


def kind(spec: Spec) -> Kind:
    """What they run as."""
    why = "Resolvers run as this role, which nobody logs in as and which reads the columns that they compare."
    return Kind("resolver", spec.roles.resolver, POLICY, "resolvers", why)


def is_ours(c: Conversion, table: QName, policy: Policy) -> bool:
    """True for the policy that lets resolvers read; :func:`steps` makes it again where it says something else."""
    return policy.name == POLICY and table in definers.reads(look_ups(c))


def is_resolver(c: Conversion, function: Function) -> bool:
    """True for a function that is a resolver of the spec, as it is to be."""
    return definers.is_one(kind(c.spec), look_ups(c), function)


def look_ups(c: Conversion) -> list[Definer]:
    """The resolvers whose tables and columns are known, by name."""
    found = []
    for name, resolver in sorted(c.spec.resolvers.items()):
        column = _column(c, resolver)
        parts = _parts(c, resolver)
        if column is not None and parts is not None:
            found.append(_look_up(c, name, resolver, column, parts))
    return found


@dataclass(frozen=True, slots=True)
class _Parts:
    """Where the tenant is: ``tenant`` is its column, in the table itself or in ``parent``, joined by ``pairs``."""

    tenant: str
    parent: QName | None = None
    pairs: tuple[tuple[str, str], ...] = ()


def _parts(c: Conversion, resolver: Resolver) -> _Parts | None:
    if resolver.table == c.tenants:
        return _Parts(c.spec.tenancy.key)
    table = c.get(resolver.table)
    if table is not None and not table.part:
        return _Parts(table.column)
    for through, rule in c.through:
        parent = c.get(rule.parent) if rule.parent is not None else None
        if through.qname == resolver.table and parent is not None and not through.partition_of:
            pairs = link(c, through, parent.qname, rule.on)
            return _Parts(parent.column, parent.qname, tuple(pairs.items())) if pairs else None
    return None


def _column(c: Conversion, resolver: Resolver) -> Column | None:
    table = c.catalog.by_name.get(resolver.table)
    if table is None and resolver.table == c.tenants and resolver.by in ("name", "slug", "domain"):
        return Column(resolver.by, "text", "text", not_null=resolver.by != "domain")
    return table.column(resolver.by) if table is not None else None


def _look_up(c: Conversion, name: str, resolver: Resolver, column: Column, parts: _Parts) -> Definer:
    where = f"WHERE t.{quote(column.name)} = $1"
    distinct = "DISTINCT " if resolver.many else ""
    own = (column.name, *(here for here, _ in parts.pairs))
    reads: tuple[tuple[QName, tuple[str, ...]], ...]
    if parts.parent is None:
        body = f"SELECT {distinct}t.{quote(parts.tenant)} FROM {qualified(resolver.table)} t {where}"
        reads = ((resolver.table, each(*own, parts.tenant)),)
    else:
        on = " AND ".join(f"p.{quote(there)} = t.{quote(here)}" for here, there in parts.pairs)
        body = f"SELECT {distinct}p.{quote(parts.tenant)} FROM {qualified(resolver.table)} t JOIN {qualified(parts.parent)} p ON {on} {where}"
        there = (*(there for _, there in parts.pairs), parts.tenant)
        reads = ((resolver.table, each(*own)), (parts.parent, each(*there)))
    returns = f"SETOF {c.type}" if resolver.many else c.type
    # A function keeps no limit of a type.
    argument = re.sub(r"\([0-9, ]*\)", "", column.base)
    made = QName(c.tenants.schema, fit(name))
    why = f"{c.spec.roles.app} may ask {display(made)} for the tenant of a value, and learns nothing else from it."
    create = ddl.create_definer(
        f"{qualified(made)}({argument})", returns, f"LANGUAGE {LANGUAGE} STABLE STRICT", CONFIG, body
    )
    return Definer(made, argument, argument, body, CONFIG, reads, create, why)


def pattern(spec: Spec, name: str) -> str:
    """A regular expression of the server's for the body of a resolver, as far as the spec alone tells: which columns
    join a table to its parent is left open."""
    resolver = spec.resolvers[name]
    rule = spec.tables.get(resolver.table)
    tenant = spec.tenancy.key if resolver.table == spec.tenancy.tenants else spec.tenancy.column
    if rule is not None and rule.column:
        tenant = rule.column
    start, end = "SELECT DISTINCT " if resolver.many else "SELECT ", f" WHERE t.{quote(resolver.by)} = $1"
    if rule is None or rule.parent is None:
        return f"^{re.escape(f'{start}t.{quote(tenant)} FROM {qualified(resolver.table)} t{end}')}$"
    above = spec.tables.get(rule.parent)
    tenant = above.column if above is not None and above.column else spec.tenancy.column
    one = 'p\\."([^"]|"")+" = t\\."([^"]|"")+"'
    head = f"{start}p.{quote(tenant)} FROM {qualified(resolver.table)} t JOIN {qualified(rule.parent)} p ON "
    return f"^{re.escape(head)}{one}( AND {one})*{re.escape(end)}$"


# What keeps them from being made


def problems(c: Conversion) -> Iterator[str]:
    """Resolvers that could not be made, or would return more than one tenant or another than meant."""
    if not c.spec.resolvers:
        return
    yield from definers.role_problems(c, kind(c.spec))
    for name, resolver in sorted(c.spec.resolvers.items()):
        where = f"resolvers.{name}"
        if c.refuses(resolver.table) and resolver.table != c.tenants and _parts(c, resolver) is None:
            yield f"{where}: {spell(resolver.table)} is neither the tenants table nor one that leads to a tenant by itself; name such a table"
            continue
        column = _column(c, resolver)
        if column is None:
            yield f"{where}: {spell(resolver.table)} has no column {resolver.by!r}; {correction(resolver.by, c.catalog.by_name[resolver.table].column_names)}"
        elif "." in column.base or loose(column.base):
            yield f"{where}: {spell(resolver.table)}.{column.name} is {column.type}, which is not compared by an operator of the server's own; look up by a text column"
        elif not resolver.many and not _unique(c, resolver):
            yield f"{where}: {spell(resolver.table)}.{resolver.by} is not unique across tenants, so one value may lead to several; keep a unique key on it alone with scope global, or set many = true"
    for look in look_ups(c):
        if definers.taken(c, kind(c.spec), look):
            yield f"resolvers.{look.name.name}: {look.label} is already there and does something else; rename one of them, or DROP FUNCTION it"


def _unique(c: Conversion, resolver: Resolver) -> bool:
    """True where one value is in one row of one tenant, once all is converted."""
    table = c.catalog.by_name.get(resolver.table)
    if table is None:
        return resolver.by == "slug"  # the tenants table that the plan makes
    tenant = c.get(resolver.table)
    for index in table.indexes:
        if not index.unique or index.predicate is not None or index.key_columns != (resolver.by,):
            continue
        if len(index.keys) != 1 or not index.valid:
            continue
        if tenant is None or tenant.qname == c.tenants:
            return True
        if index.primary:
            return tenant.rule.primary_key != "tenant"
        rule = tenant.rule.unique.get(index.name)
        return rule is not None and rule.scope == "global"
    return False


# Steps


def steps(c: Conversion) -> Iterator[Change]:
    """The role, what it may read, and the functions."""
    return definers.steps(c, kind(c.spec), look_ups(c))


def exemption(c: Conversion) -> list[tuple[str, str]]:
    """Every resolver of the spec: its signature, and what it reads in plain words."""
    return definers.exemption(look_ups(c))

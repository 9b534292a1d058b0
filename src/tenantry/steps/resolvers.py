"""Resolvers: functions that find a tenant before one is known, and return its id and nothing else.

Each runs as a role that nobody logs in as and that owns no table. Row level security is not switched off for it: one
more policy lets that role read, and it has the right to the few columns that the look-ups compare. So it needs no
BYPASSRLS, which only a superuser may give, and FORCE stays what it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tenantry import ddl, verify
from tenantry.catalog import Column, Function, Policy
from tenantry.conversion import Conversion, loose
from tenantry.mistakes import correction
from tenantry.names import QName, display, fit, qualified, quote, spell
from tenantry.plan import Change, Lock, Phase
from tenantry.spec import Resolver, Spec
from tenantry.steps.backfill import link
from tenantry.steps.rights import reading, usage

POLICY = "tenant_resolver"
CONFIG = ("search_path=pg_catalog, pg_temp",)


@dataclass(frozen=True, slots=True)
class LookUp:
    """One resolver, ready to be made: ``argument`` is its type, ``reads`` the columns of each table."""

    name: QName
    argument: str
    returns: str
    body: str
    reads: tuple[tuple[QName, tuple[str, ...]], ...]


def is_ours(c: Conversion, policy: Policy) -> bool:
    """True for the policy that lets resolvers read."""
    return bool(c.spec.resolvers) and policy == _policy(c.spec)


def is_resolver(c: Conversion, function: Function) -> bool:
    """True for a function that is a resolver of the spec, as it is to be."""
    wanted = {(look.name, look.argument): look for look in look_ups(c)}
    look = wanted.get((function.qname, function.arguments))
    return look is not None and _same(function, look) and function.owner == c.spec.roles.resolver


def _policy(spec: Spec) -> Policy:
    return Policy(POLICY, True, "select", (spec.roles.resolver,), "true", None)


def _same(function: Function, look: LookUp) -> bool:
    return function.security_definer and function.source == look.body and function.config == CONFIG


def look_ups(c: Conversion) -> list[LookUp]:
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


def _look_up(c: Conversion, name: str, resolver: Resolver, column: Column, parts: _Parts) -> LookUp:
    where = f"WHERE t.{quote(column.name)} = $1"
    distinct = "DISTINCT " if resolver.many else ""
    own = (column.name, *(here for here, _ in parts.pairs))
    reads: tuple[tuple[QName, tuple[str, ...]], ...]
    if parts.parent is None:
        body = f"SELECT {distinct}t.{quote(parts.tenant)} FROM {qualified(resolver.table)} t {where}"
        reads = ((resolver.table, _each(*own, parts.tenant)),)
    else:
        on = " AND ".join(f"p.{quote(there)} = t.{quote(here)}" for here, there in parts.pairs)
        body = f"SELECT {distinct}p.{quote(parts.tenant)} FROM {qualified(resolver.table)} t JOIN {qualified(parts.parent)} p ON {on} {where}"
        there = (*(there for _, there in parts.pairs), parts.tenant)
        reads = ((resolver.table, _each(*own)), (parts.parent, _each(*there)))
    returns = f"SETOF {c.type}" if resolver.many else c.type
    # A function keeps no limit of a type.
    argument = re.sub(r"\([0-9, ]*\)", "", column.base)
    return LookUp(QName(c.tenants.schema, fit(name)), argument, returns, body, reads)


def _each(*names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


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
    yield from _role_problems(c)
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
        for function in c.catalog.functions:
            if (function.qname, function.arguments) == (look.name, look.argument) and not _same(
                function, look
            ):
                yield f"resolvers.{look.name.name}: {display(look.name)}({look.argument}) is already there and does something else; rename one of them, or DROP FUNCTION it"


def _role_problems(c: Conversion) -> Iterator[str]:
    name, known = c.spec.roles.resolver, c.catalog.roles_by_name
    if name in (c.spec.roles.app, c.spec.roles.owner):
        yield f"[roles]: resolver is {name}, which has another part; name a role of its own"
    role = known.get(name)
    if role is not None and (role.superuser or role.bypass_rls or role.login):
        yield f"role {name}: would read every tenant's rows for the resolvers, and can log in or is exempt from row level security; name a NOLOGIN role in [roles] resolver"
    for member in c.catalog.roles:
        if name in member.member_of and not member.superuser:
            yield f"role {member.name}: is a member of {name}, which reads every tenant's rows for the resolvers; REVOKE {quote(name)} FROM {quote(member.name)}"


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
    found = look_ups(c)
    if not found:
        return
    # As with the application's rights: a policy that lets through comes with the one that does not.
    phase = Phase.OBSERVE if c.online else Phase.HARDEN
    yield from _role(c)
    yield from _usage(c, found, phase)
    reads: dict[QName, tuple[str, ...]] = {}
    for look in found:
        for name, names in look.reads:
            reads[name] = _each(*reads.get(name, ()), *names)
    yield from _policies(c, sorted(reads), phase)
    for name, names in sorted(reads.items()):
        yield from _columns(c, name, names, phase)
    for look in found:
        yield from _function(c, look, phase)


def _role(c: Conversion) -> Iterator[Change]:
    name = c.spec.roles.resolver
    if name not in c.catalog.roles_by_name:
        yield Change(
            id=f"harden.role.{name}", phase=Phase.HARDEN, object=name,
            why="Resolvers run as this role, which nobody logs in as and which reads the columns that they compare.",
            apply=(ddl.create_role(name, login=False),), verify=verify.query(verify.role(name)),
            revert=(ddl.drop_role(name),),
        )  # fmt: skip


def _usage(c: Conversion, found: list[LookUp], phase: Phase) -> Iterator[Change]:
    schemas = {name.schema for look in found for name, _ in look.reads}
    for schema in c.catalog.schemas:
        if schema.name in schemas:
            yield from usage(schema, c.spec.roles.resolver, phase, "Without it the resolvers find no table.")


def _policies(c: Conversion, tables: list[QName], phase: Phase) -> Iterator[Change]:
    role, policy = c.spec.roles.resolver, _policy(c.spec)
    for name in tables:
        table = c.catalog.by_name.get(name)
        if table is None or policy not in table.policies:
            yield Change(
                id=f"{phase}.{display(name)}.resolver",
                phase=phase,
                object=display(name),
                why=f"{role} looks a tenant up in {display(name)} before one is known, and nobody else does.",
                apply=(ddl.create_policy(name, policy),),
                verify=verify.query(verify.policy_for(name, policy)),
                revert=(ddl.drop_policy(name, POLICY),),
                lock=Lock.ACCESS_EXCLUSIVE,
                tables=(name,),
            )


def _columns(c: Conversion, name: QName, names: tuple[str, ...], phase: Phase) -> Iterator[Change]:
    role = c.spec.roles.resolver
    why = f"{role} reads {', '.join(names)} of {display(name)}, and no other column."
    yield from reading(name, c.catalog.by_name.get(name), role, names, phase, "resolver", why)


def _function(c: Conversion, look: LookUp, phase: Phase) -> Iterator[Change]:
    role, app = c.spec.roles.resolver, c.spec.roles.app
    known = next(
        (f for f in c.catalog.functions if (f.qname, f.arguments) == (look.name, look.argument)), None
    )
    if known is not None and known.owner == role and known.callers == (app,):
        return
    where = f"{qualified(look.name)}({look.argument})"
    apply = [ddl.create_resolver(look.name, look.argument, look.returns, look.body)] if known is None else []
    spare = ["", *(r for r in known.callers if r not in ("", app))] if known is not None else [""]
    apply += [ddl.revoke("FUNCTION", where, ["ALL"], other) for other in spare]
    apply.append(ddl.grant("FUNCTION", where, ["EXECUTE"], app))
    apply.append(ddl.own_function(where, role))
    yield Change(
        id=f"{phase}.resolver.{look.name.name}",
        phase=phase,
        object=display(look.name),
        why=f"{app} may ask {display(look.name)} for the tenant of a value, and learns nothing else from it.",
        apply=tuple(apply),
        verify=verify.query(verify.definer(look.name, look.argument, look.body, role, app)),
        revert=(ddl.drop_function(f"{qualified(look.name)}({look.argument})"),),
    )


def exemption(c: Conversion) -> list[tuple[str, str]]:
    """Every resolver of the spec: its signature, and what it reads in plain words."""
    return [
        (
            f"{display(look.name)}({look.argument})",
            ", ".join(f"{display(name)} ({', '.join(names)})" for name, names in look.reads),
        )
        for look in look_ups(c)
    ]

"""Row level security, enabled and forced, with one permissive policy per table.

The policy keeps the bare form of the setting: the planner then estimates with the tenant's own statistics, and
a text key needs no cast. Partitions and inheritance children can be read directly, so each has its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from tenantry import ddl, verify
from tenantry.catalog import Policy, Table
from tenantry.conversion import Conversion, TenantTable
from tenantry.mistakes import correction
from tenantry.names import QName, display, qualified, quote, spell
from tenantry.plan import Change, Lock, Phase
from tenantry.spec import UNDECIDED, TableRule
from tenantry.steps import context, observe, resolvers, searches, work
from tenantry.steps.backfill import link
from tenantry.steps.keys import candidates, scope

POLICY = "tenant_isolation"


def _comparison(c: Conversion, column: str) -> str:
    return f"{quote(column)} = {context.value(c)}"


def expected(c: Conversion, column: str) -> tuple[str, ...]:
    """How the server deparses the canonical policy on a column: as it is, or below a domain or a length."""
    value, base = context.expected(c), "text" if c.textual else c.type
    return (f"({column} = {value})", f"(({column})::{base} = {value})")


def _policy(using: str) -> Policy:
    return Policy(POLICY, True, "all", (), using, using)


def problems(c: Conversion) -> Iterator[str]:
    """Policies already there that nobody decided about, or that would let other tenants' rows through."""
    for part in c.tables:
        of = f" of {spell(part.root)}" if part.part == "partition" else ""
        yield from _policy_problems(c, part.table, part.rule, of)
    for table, rule in c.through:
        of = f" of {spell(table.partition_of)}" if table.partition_of else ""
        yield from _policy_problems(c, table, rule, of)
        yield from _through_problems(c, table, rule)
    for name, _, decisions in _platform(c):
        known = c.catalog.by_name.get(name)
        for policy in known.policies if known is not None else ():
            decision = decisions.get(policy.name)
            if _is_ours(c, name, policy) or decision == "drop":
                continue
            if decision == UNDECIDED:
                yield f'{spell(name)}: policy {policy.name} is already there; set tenancy.policies.{policy.name} = "drop" or "keep"'
            elif policy.permissive and _reaches(c, policy):
                way = f'set tenancy.policies.{policy.name} = "drop"' if name == c.tenants else "drop it"
                yield _too_wide(name, policy, way)


def _policy_problems(c: Conversion, table: Table, rule: TableRule, of: str) -> Iterator[str]:
    for policy in table.policies:
        decision = rule.policies.get(policy.name, UNDECIDED)
        if _is_ours(c, table.qname, policy):
            continue
        if decision == UNDECIDED:
            yield f'{spell(table.qname)}: policy {policy.name} is already there; set policies.{policy.name}{of} = "drop" or "keep"'
        elif decision == "keep" and policy.permissive and _reaches(c, policy):
            yield _too_wide(table.qname, policy, f'set policies.{policy.name}{of} = "drop"')


def _is_ours(c: Conversion, table: QName, policy: Policy) -> bool:
    """True for a policy of the conversion, which other steps look after."""
    return (
        policy.name == POLICY
        or observe.is_ours(policy)
        or resolvers.is_ours(c, table, policy)
        or searches.is_ours(c, table, policy)
        or work.is_ours(c, policy)
    )


def _too_wide(table: QName, policy: Policy, way: str) -> str:
    return f"{spell(table)}: policy {policy.name} is permissive and would let rows through beside {POLICY}; {way}, make it RESTRICTIVE, or give it to another role"


def _reaches(c: Conversion, policy: Policy) -> bool:
    """A policy for PUBLIC, the application's role or a role that it belongs to applies to the application."""
    app = c.catalog.roles_by_name.get(c.spec.roles.app)
    mine = {c.spec.roles.app, *(app.member_of if app else ())}
    return not policy.roles or bool(mine & set(policy.roles))


def _through_problems(c: Conversion, table: Table, rule: TableRule) -> Iterator[str]:
    name = spell(table.qname)
    assert rule.parent is not None
    if c.get(rule.parent) is None:
        if c.refuses(rule.parent):
            yield f"{name}: parent {spell(rule.parent)} is not a tenant table; name one"
        return
    pairs = link(c, table, rule.parent, rule.on)
    if not pairs:
        yield f'{name}: not exactly one foreign key leads to {spell(rule.parent)}; write on = {{ column = "parent column" }}'
        return
    parent = c.catalog.by_name[rule.parent]
    for here, there in pairs.items():
        if table.column(here) is None:
            yield f"{name}: on: column {here!r} is not there; {correction(here, table.column_names)}"
        if parent.column(there) is None:
            yield f"{name}: on: {spell(rule.parent)} has no column {there!r}; {correction(there, parent.column_names)}"
    if all(parent.column(there) for there in pairs.values()) and not _one_tenant(
        c, rule.parent, pairs.values()
    ):
        columns = ", ".join(pairs.values())
        yield (
            f"{name}: rows of {spell(rule.parent)} of several tenants may have the same {columns}, and would share what "
            f'is behind it; keep a key over {columns} global in the spec, or give {name} a tenant column (scope = "tenant")'
        )


def _one_tenant(c: Conversion, parent: QName, columns: Iterable[str]) -> bool:
    """True where a value of these columns of the parent belongs to one tenant: it names the tenant, or a key of theirs
    holds across tenants."""
    table, given = c.get(parent), set(columns)
    assert table is not None
    return table.column in given or any(
        index.unique and scope(c, table, index) == "global" and set(index.key_columns) <= given
        for index in candidates(table)
        if index.plain
    )


def tables(c: Conversion) -> Iterator[Change]:
    """Isolate every tenant table, partitions and children included."""
    # A parent last: its ANALYZE may look at its children too, and theirs would be done before it ran.
    for table in (t for root in c.roots for t in reversed(c.members(root))):
        using = _comparison(c, table.column)
        yield from _isolate(
            c, table.table, using, expected(c, table.column), Phase.ENFORCE, table.rule.policies, table
        )


def through(c: Conversion) -> Iterator[Change]:
    """Isolate tables without a tenant column through the tenant table that they refer to."""
    for table, rule in c.through:
        assert rule.parent is not None
        parent = c.get(rule.parent)
        pairs = link(c, table, rule.parent, rule.on)
        assert parent is not None
        assert pairs
        own = qualified(table.qname)
        alias = (
            "p" if table.name != "p" else "q"
        )  # the server would spell ours in another way beside a table p
        where = [f"{alias}.{quote(b)} = {own}.{quote(a)}" for a, b in pairs.items()]
        where.append(f"{alias}.{_comparison(c, parent.column)}")
        using = f"EXISTS (SELECT 1 FROM {qualified(rule.parent)} {alias} WHERE {' AND '.join(where)})"
        yield from _isolate(c, table, using, (), Phase.HARDEN, rule.policies, None)


def _platform(c: Conversion) -> list[tuple[QName, str, Mapping[str, str]]]:
    """The tables of the platform, each with the column that holds the tenant, and what becomes of its policies."""
    found: list[tuple[QName, str, Mapping[str, str]]] = [
        (c.tenants, c.spec.tenancy.key, c.spec.tenancy.policies)
    ]
    if c.spec.audit is not None:
        found.append((c.spec.audit.table, "tenant_id", {}))
    return found


def platform(c: Conversion) -> Iterator[Change]:
    """Isolate the tenants table and the trail: a tenant sees its own row and its own events."""
    for name, column, decisions in _platform(c):
        table = c.catalog.by_name.get(name) or Table(name.schema, name.name, "table", "", ())
        yield from _isolate(
            c, table, _comparison(c, column), expected(c, column), Phase.HARDEN, decisions, None
        )


def notes(c: Conversion) -> Iterator[str]:
    """What no policy can make work."""
    if any(not t.table.row_security for t in c.tables):
        yield "code to edit: COPY … FROM, which PostgreSQL refuses on a table with row level security for every role that policies bind; use INSERT"


def _flat(text: str | None) -> str:
    """An expression's text without quotes and layout."""
    return re.sub(r"\s+", " ", (text or "").replace('"', "")).strip()


_NAME = r'(?:"(?:[^"]|"")+"|\w+)'
_CAST = re.compile(rf"::{_NAME}(?:\.{_NAME})?(?: varying| precision)?(?:\(\d+(?:,\d+)?\))?")
_OPERATOR = re.compile(rf"OPERATOR\({_NAME}\.=\)")


def _shape(table: Table, text: str | None) -> str:
    """The EXISTS of :func:`through` without what the server spells in its own way: casts, parentheses, the
    schema of an operator and of the policy's own table. Only ever compared, never made into SQL."""
    plain = _flat(_OPERATOR.sub("=", _CAST.sub("", text or "")))
    name = _flat(table.name)
    plain = plain.replace(f"{_flat(table.schema)}.{name}.", f"{name}.")
    return re.sub(r"[\s()]", "", plain).lower()


def _current(table: Table, using: str, forms: tuple[str, ...]) -> bool:
    policy = table.policy(POLICY)
    if policy is None or not policy.permissive or policy.command != "all" or policy.roles:
        return False
    texts = (policy.using, policy.check)
    if forms:
        return {_flat(t) for t in texts} <= {_flat(f) for f in forms}
    return {_shape(table, t) for t in texts} == {_shape(table, using)}


def _isolate(
    c: Conversion, table: Table, using: str, forms: tuple[str, ...], phase: Phase,
    decisions: Mapping[str, str], tenant: TenantTable | None,
) -> Iterator[Change]:  # fmt: skip
    name = table.qname
    phase = Phase.OBSERVE if c.online else phase
    dropped = [p for p in table.policies if p.name != POLICY and decisions.get(p.name) == "drop"]
    current = _current(table, using, forms)
    if table.row_security and table.forced and current and not dropped:
        return
    old = table.policy(POLICY)
    if tenant is not None and table.kind == "table" and not table.row_security:
        yield _analyze(table, tenant.column, phase)
    apply: list[str] = []
    if not current:
        apply += [ddl.drop_policy(name, POLICY)] if old else []
        apply.append(ddl.create_policy(name, _policy(using)))
    apply += [ddl.drop_policy(name, p.name) for p in dropped]
    if observe.starts(c, table):
        apply.append(ddl.create_policy(name, observe.policy(name)))
    apply += [] if table.row_security else [ddl.row_security(name, "ENABLE")]
    apply += [] if table.forced else [ddl.row_security(name, "FORCE")]
    label = display(name)
    says = "" if forms else f" = {context.expected(c)})"
    done = [verify.row_security(name), verify.policy(name, POLICY, forms, says)]
    done += [verify.negate(verify.any_policy(name, p.name)) for p in dropped]
    yield Change(
        id=f"{phase}.{label}.isolate",
        phase=phase,
        object=label,
        why=f"The database shows and takes only rows of the session's tenant in {label}, whatever the query says.",
        apply=tuple(apply),
        verify=verify.query(*done),
        revert=_undo(c, table, old, current, dropped),
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(name,),
    )


def _analyze(table: Table, column: str, phase: Phase) -> Change:
    """A new column has no statistics; the first plans under the policy would be guesses (seconds for milliseconds)."""
    name = table.qname
    return Change(
        id=f"{phase}.{display(name)}.analyze",
        phase=phase,
        object=display(name),
        why=f"The planner learns how many rows a tenant has in {display(name)} before every query asks for one.",
        apply=(ddl.analyze(name, column),),
        verify=verify.query(verify.either(verify.statistics(name, column), verify.empty(name))),
        lock=Lock.SHARE_UPDATE_EXCLUSIVE,
        rows=table.rows,
    )


def _undo(
    c: Conversion, table: Table, old: Policy | None, current: bool, dropped: list[Policy]
) -> tuple[str, ...]:
    name: QName = table.qname
    undo = [] if table.forced else [ddl.row_security(name, "NO FORCE")]
    undo += [] if table.row_security else [ddl.row_security(name, "DISABLE")]
    undo += [ddl.drop_policy(name, observe.POLICY, if_exists=True)] if observe.starts(c, table) else []
    undo += [ddl.create_policy(name, p) for p in reversed(dropped)]
    if not current:
        undo.append(ddl.drop_policy(name, POLICY))
        undo += [ddl.create_policy(name, old)] if old else []
    return tuple(undo)

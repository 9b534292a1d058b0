"""Row level security, enabled and forced, with one permissive policy per table.

The policy keeps the bare form of the setting: the planner then estimates with the tenant's own statistics, and
a text key needs no cast. Partitions and inheritance children can be read directly, so each has its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tenantry import ddl, verify
from tenantry.catalog import Policy, Table
from tenantry.conversion import Conversion, TenantTable
from tenantry.names import QName, display, literal, qualified, quote, spell
from tenantry.plan import Change, Lock, Phase
from tenantry.spec import UNDECIDED, TableRule
from tenantry.steps.backfill import link

POLICY = "tenant_isolation"


def _comparison(c: Conversion, column: str) -> str:
    return f"{quote(column)} = {ddl.tenant_value(c.spec.tenancy.setting, c.type)}"


def expected(c: Conversion, column: str) -> tuple[str, ...]:
    """How the server deparses the canonical policy on a column, whichever way it quotes the name."""
    setting = f"current_setting({literal(c.spec.tenancy.setting)}::text, true)"
    if c.type == "text":
        return (f"({column} = {setting})",)
    typed = f"(NULLIF({setting}, ''::text))::{c.type}"
    forms = [f"({column} = {typed})"]
    if c.type.startswith("character varying"):
        forms.append(f"(({column})::text = ({typed})::text)")
    return tuple(forms)


def _policy(using: str) -> Policy:
    return Policy(POLICY, True, "all", (), using, using)


def problems(c: Conversion) -> Iterator[str]:
    """Policies already there that nobody decided about, or that would let other tenants' rows through."""
    for table, rule in [*((t.table, t.rule) for t in c.tables), *c.through]:
        for policy in table.policies:
            if policy.name == POLICY:
                continue
            decision = rule.policies.get(policy.name, UNDECIDED)
            if decision == UNDECIDED:
                yield f"{spell(table.qname)}: policy {policy.name} is already there; set policies.{policy.name} = \"drop\" or \"keep\""
            elif decision == "keep" and policy.permissive and _reaches(c, policy):
                yield f"{spell(table.qname)}: policy {policy.name} is permissive and would let rows through beside {POLICY}; drop it, make it RESTRICTIVE, or give it to another role"
    for table, rule in c.through:
        yield from _through_problems(c, table, rule)


def _reaches(c: Conversion, policy: Policy) -> bool:
    """A policy for PUBLIC, the application's role or a role that it belongs to applies to the application."""
    app = c.catalog.roles_by_name.get(c.spec.roles.app)
    mine = {c.spec.roles.app, *(app.member_of if app else ())}
    return not policy.roles or bool(mine & set(policy.roles))


def _through_problems(c: Conversion, table: Table, rule: TableRule) -> Iterator[str]:
    name = spell(table.qname)
    assert rule.parent is not None
    if c.get(rule.parent) is None:
        yield f"{name}: parent {spell(rule.parent)} is not a tenant table; name one"
        return
    pairs = link(c, table, rule.parent, rule.on)
    if not pairs:
        yield f"{name}: not exactly one foreign key leads to {spell(rule.parent)}; write on = {{ column = \"parent column\" }}"
        return
    parent = c.catalog.by_name[rule.parent]
    for here, there in pairs.items():
        if table.column(here) is None:
            yield f"{name}: on: column {here!r} is not there; correct the name"
        if parent.column(there) is None:
            yield f"{name}: on: {spell(rule.parent)} has no column {there!r}; correct the name"


def tables(c: Conversion) -> Iterator[Change]:
    """Isolate every tenant table, partitions and children included."""
    for table in c.tables:
        using = _comparison(c, table.column)
        yield from _isolate(c, table.table, using, expected(c, table.column), Phase.ENFORCE, table.rule, table)


def through(c: Conversion) -> Iterator[Change]:
    """Isolate tables without a tenant column through the tenant table that they refer to."""
    for table, rule in c.through:
        assert rule.parent is not None
        parent = c.get(rule.parent)
        pairs = link(c, table, rule.parent, rule.on)
        assert parent is not None and pairs
        own = qualified(table.qname)
        where = [f"p.{quote(b)} = {own}.{quote(a)}" for a, b in pairs.items()]
        where.append(f"p.{_comparison(c, parent.column)}")
        using = f"EXISTS (SELECT 1 FROM {qualified(rule.parent)} p WHERE {' AND '.join(where)})"
        yield from _isolate(c, table, using, (), Phase.HARDEN, rule, None)


def platform(c: Conversion) -> Iterator[Change]:
    """Isolate the tenants table and the trail: a tenant sees its own row and its own events."""
    known = c.catalog.by_name
    pairs = [(c.tenants, c.spec.tenancy.key)]
    if c.spec.audit is not None:
        pairs.append((c.spec.audit.table, "tenant_id"))
    for name, column in pairs:
        table = known.get(name) or Table(name.schema, name.name, "table", "", ())
        yield from _isolate(c, table, _comparison(c, column), expected(c, column), Phase.HARDEN, None, None)


def _flat(text: str | None) -> str:
    """An expression's text without quotes, layout and the schema prefix of the policy's own table."""
    return re.sub(r"\s+", " ", (text or "").replace('"', "")).strip()


def _through_form(table: Table, using: str) -> set[str]:
    """How the server deparses the EXISTS of :func:`through`: it names its own table without schema."""
    text = _flat(using).replace(f"{table.schema}.{table.name}.", f"{table.name}.")
    return {re.sub(r"[\s()]|::text", "", text).lower()}


def _current(table: Table, using: str, forms: tuple[str, ...]) -> bool:
    policy = table.policy(POLICY)
    if policy is None or not policy.permissive or policy.command != "all" or policy.roles:
        return False
    if forms:
        allowed = {_flat(f) for f in forms}
        return _flat(policy.using) in allowed and (policy.check is None or _flat(policy.check) in allowed)
    shape = [re.sub(r"[\s()]|::text", "", _flat(t)).lower() for t in (policy.using, policy.check or policy.using)]
    return set(shape) == _through_form(table, using)


def _isolate(
    c: Conversion, table: Table, using: str, forms: tuple[str, ...], phase: Phase, rule: TableRule | None,
    tenant: TenantTable | None,
) -> Iterator[Change]:  # fmt: skip
    name = table.qname
    dropped = [p for p in table.policies if rule and p.name != POLICY and rule.policies.get(p.name) == "drop"]
    current = _current(table, using, forms)
    if table.row_security and table.forced and current and not dropped:
        return
    old = table.policy(POLICY)
    apply: list[str] = []
    if tenant is not None and table.kind == "table" and not table.row_security:
        # A new column has no statistics; the first plans under the policy would be guesses (seconds for milliseconds).
        apply.append(ddl.analyze(name, tenant.column))
    if not current:
        apply += [ddl.drop_policy(name, POLICY)] if old else []
        apply.append(ddl.create_policy(name, _policy(using)))
    apply += [ddl.drop_policy(name, p.name) for p in dropped]
    apply += [] if table.row_security else [ddl.row_security(name, "ENABLE")]
    apply += [] if table.forced else [ddl.row_security(name, "FORCE")]
    label = display(name)
    done = [verify.row_security(name), verify.policy(name, POLICY, forms)]
    done += [verify.negate(verify.any_policy(name, p.name)) for p in dropped]
    yield Change(
        id=f"{phase}.{label}.isolate",
        phase=phase,
        object=label,
        why=f"The database shows and takes only rows of the session's tenant in {label}, whatever the query says.",
        apply=tuple(apply),
        verify=verify.query(*done),
        revert=_undo(table, old, current, dropped),
        lock=Lock.ACCESS_EXCLUSIVE,
    )


def _undo(table: Table, old: Policy | None, current: bool, dropped: list[Policy]) -> tuple[str, ...]:
    name: QName = table.qname
    undo = [] if table.forced else [ddl.row_security(name, "NO FORCE")]
    undo += [] if table.row_security else [ddl.row_security(name, "DISABLE")]
    undo += [ddl.create_policy(name, p) for p in reversed(dropped)]
    if not current:
        undo.append(ddl.drop_policy(name, POLICY))
        undo += [ddl.create_policy(name, old)] if old else []
    return tuple(undo)

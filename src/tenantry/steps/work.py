"""Work beyond one tenant: the logins of system work and of support, and what they may reach.

Neither is exempt from row level security. A policy of its own lets the system's login reach every tenant, another one
keeps support to the one tenant that its work was begun for, and both ask :mod:`tenantry.steps.workfunctions` whether a
piece of work is open: without an event in the trail there is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tenantry import ddl, verify
from tenantry.catalog import Policy, Table, View
from tenantry.conversion import Conversion
from tenantry.names import QName, columns, display, qualified, quote, spell
from tenantry.plan import Change, Lock, Phase
from tenantry.spec import Audit, Spec
from tenantry.steps import access, events, trailproblems
from tenantry.steps.events import READ_POLICY, WRITE_POLICY, Trail
from tenantry.steps.rights import Rights, readable_columns, rights, sequence_rights

SYSTEM_POLICY, SUPPORT_POLICY = "tenant_system", "tenant_support"
OPEN = "work_open"
_TABLES = ("SELECT", "INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True, slots=True)
class Office:
    """One kind of work: ``role`` is its login, ``policy`` what its tables get, ``may`` its rights on their rows."""

    kind: str
    role: str
    policy: Policy
    may: tuple[str, ...]


def offices(spec: Spec) -> tuple[Office, ...]:
    """The kinds of work that the spec asks for."""
    if spec.audit is None:
        return ()
    condition = f"(SELECT {qualified(QName(spec.audit.functions, OPEN))}())"
    found = []
    if (role := spec.roles.system) is not None:
        policy = Policy(SYSTEM_POLICY, True, "all", (role,), condition, condition)
        found.append(Office("system", role, policy, _TABLES))
    if (role := spec.roles.support) is not None:
        policy = Policy(SUPPORT_POLICY, False, "all", (role,), condition, condition)
        found.append(Office("support", role, policy, _TABLES if spec.roles.support_writes else ("SELECT",)))
    return tuple(found)


def trail(c: Conversion) -> Trail | None:
    """The trail that work is recorded in, plain or extended; None where no such work is asked for."""
    if c.spec.audit is None or not offices(c.spec):
        return None
    return Trail(c, c.spec.audit, c.catalog.by_name.get(c.spec.audit.table))


def is_ours(c: Conversion, policy: Policy) -> bool:
    """True for a policy of such a login; :func:`policies` makes it again where it says something else."""
    return any((o.policy.name, o.policy.roles) == (policy.name, policy.roles) for o in offices(c.spec))


def exemption(spec: Spec) -> Iterator[str]:
    """What the logins of the spec reach, in plain words."""
    for office in offices(spec):
        what = "reads and changes" if len(office.may) > 1 else "reads"
        whose = "every tenant's rows" if office.kind == "system" else "the rows of one tenant at a time"
        yield f"{office.kind} work as {office.role}: it {what} {whose} while a piece of work is open, which begins and ends in the trail"


# What is in the way


def problems(c: Conversion) -> Iterator[str]:
    """Logins that could work without a trail, or that are somebody else's."""
    spec = c.spec
    wanted = [(k, r) for k, r in (("system", spec.roles.system), ("support", spec.roles.support)) if r]
    if spec.roles.support_writes and spec.roles.support is None:
        yield "[roles]: support_writes without support; name the login of support, or remove it"
    if not wanted:
        yield from _idle_keys(spec.audit)
        return
    if spec.audit is None:
        yield f"[roles]: {' and '.join(k for k, _ in wanted)} without [audit]; such work is recorded before it begins, so add [audit], or remove {'them' if wanted[1:] else 'it'}"
        return
    yield from _role_problems(c, wanted, spec.audit)
    t = trail(c)
    assert t is not None
    if not t.spec.extended:
        yield from trailproblems.place(t)
        yield from trailproblems.shape(t)


def _idle_keys(audit: Audit | None) -> Iterator[str]:
    if audit is None or audit.extended:
        return
    for key in ("functions", "owner"):
        if getattr(audit, key) != Audit.model_fields[key].default:
            yield f'[audit]: {key} needs events = "extended", or a [roles] system or support; add one, or remove {key}'


def _role_problems(c: Conversion, wanted: list[tuple[str, str]], audit: Audit) -> Iterator[str]:
    names, known = c.spec.roles, c.catalog.roles_by_name
    taken = {
        names.app: "app",
        names.owner: "owner",
        names.resolver: "resolver",
        names.searcher: "searcher",
        audit.owner: "[audit] owner",
    }
    if audit.extended:
        taken[audit.reader] = "[audit] reader"
    app = known.get(names.app)
    for kind, role in wanted:
        if role in taken:
            yield f"[roles]: {kind} is {role}, which is {taken[role]} too; name a login of its own"
        taken[role] = kind
        there = known.get(role)
        if there is not None and (there.superuser or there.bypass_rls):
            what = "is a superuser" if there.superuser else "has BYPASSRLS"
            yield f"role {role}: {what}, so it would work without a record; name another role in [roles] {kind}"
        if app is not None and role in app.member_of:
            yield f"role {role}: the application role {app.name} is a member of it; REVOKE {quote(role)} FROM {quote(app.name)}, or name another in [roles] {kind}"
    owner = known.get(audit.owner)
    if not audit.extended and owner is not None and (owner.login or owner.superuser or owner.bypass_rls):
        yield f"role {audit.owner}: is to own what records such work, and can log in or is bound by no policy; name another NOLOGIN role in [audit] owner"


# Steps


def roles(c: Conversion) -> Iterator[Change]:
    """The logins, and for a plain trail the role that its functions run as."""
    t = trail(c)
    if t is None:
        return
    wanted = [
        (o.role, True, f"For {o.kind} work: it reaches nothing unless the trail says that it does.")
        for o in offices(c.spec)
    ]
    if not t.spec.extended:
        wanted.append((t.spec.owner, False, "Records such work, and nobody is it."))
    for name, login, why in wanted:
        if name not in c.catalog.roles_by_name:
            yield Change(
                id=f"harden.role.{name}", phase=Phase.HARDEN, object=name, why=why,
                apply=(ddl.create_role(name, login=login),), verify=verify.query(verify.role(name)),
                revert=(ddl.drop_role(name),),
            )  # fmt: skip


def recorder(c: Conversion) -> Iterator[Change]:
    """For a plain trail: a schema for the functions, and the rights of the role that they run as."""
    t = trail(c)
    if t is None:
        return
    if not t.spec.extended:
        yield from events.schema(t)
        yield from _writes(t)
    key = c.spec.tenancy.key
    tenants = c.catalog.by_name.get(c.tenants)
    yield from _usage(c, {t.name.schema, c.tenants.schema}, t.spec.owner, Phase.HARDEN)
    if tenants is None or key not in readable_columns(tenants, t.spec.owner):
        select = [f"SELECT ({columns([key])})"]
        yield Change(
            id=f"harden.{display(c.tenants)}.{t.spec.owner}", phase=Phase.HARDEN, object=display(c.tenants),
            why="No work is begun for a tenant that is not there.",
            apply=(ddl.grant("TABLE", qualified(c.tenants), select, t.spec.owner),),
            verify=verify.query(verify.column_privileges(c.tenants, t.spec.owner, "SELECT", [key], ())),
            revert=(ddl.revoke("TABLE", qualified(c.tenants), select, t.spec.owner),),
        )  # fmt: skip


def _writes(t: Trail) -> Iterator[Change]:
    """Rights on a plain trail, which its own owner keeps, and the policies that let them reach every tenant."""
    right = rights(t.spec.owner, t.name, t.known, access.APPEND, ())
    if right is not None:
        yield Change(
            id=f"harden.{display(t.name)}.{t.spec.owner}", phase=Phase.HARDEN, object=display(t.name),
            why="Work beyond one tenant is recorded by functions, which run as this role.",
            apply=right.apply, verify=verify.query(right.verify), revert=right.revert,
        )  # fmt: skip
    for sequence in access.sequences(t.c):
        more = sequence_rights(t.spec.owner, sequence) if sequence.table == t.name else None
        if more is not None:
            yield Change(
                id=f"harden.{display(sequence.qname)}.{t.spec.owner}", phase=Phase.HARDEN,
                object=display(sequence.qname), why="An event takes its number from it.",
                apply=more.apply, verify=verify.query(more.verify), revert=more.revert,
            )  # fmt: skip
    for policy in (
        Policy(WRITE_POLICY, True, "insert", (t.spec.owner,), None, "true"),
        Policy(READ_POLICY, True, "select", (t.spec.owner,), "true", None),
    ):
        there = t.known.policy(policy.name) if t.known is not None else None
        if there is None or not _same(there, policy):
            yield _policed(
                t.name, policy, there, Phase.HARDEN, "Events of any tenant, and of none, are recorded."
            )


def policies(c: Conversion) -> Iterator[Change]:
    """Policies that ask for an open piece of work, on every table of tenants, partitions included."""
    if trail(c) is None:
        return
    known = c.catalog.by_name
    names = [c.tenants, *(t.table.qname for t in c.tables), *(t.qname for t, _ in c.through)]
    for office in offices(c.spec):
        for name in names:
            yield from _policy(name, known.get(name), office, _phase(c))


def grants(c: Conversion) -> Iterator[Change]:
    """What the logins may do with tables, with views once they show what who asks may see, and with sequences."""
    t = trail(c)
    if t is None:
        return
    rows = {t.table.qname for t in c.tables} | {t.qname for t, _ in c.through}
    tables = [c.tenants, *sorted(rows), *(s.qname for s in c.shared)]
    views = access.converted_views(c)
    for office in offices(c.spec):
        schemas = {name.schema for name in (*tables, *(v.qname for v in views))} | {t.spec.functions}
        yield from _usage(c, schemas, office.role, _phase(c))
        for name in tables:
            table = c.catalog.by_name.get(name)
            may = office.may if name in rows else ("SELECT",)
            if table is None or not table.partition_of:
                yield from _granted(office, _phase(c), name, _rights(office, name, table, may))
        for view in views:
            phase = Phase.CUTOVER if c.online else Phase.HARDEN
            right = _rights(office, view.qname, view, ("SELECT",))
            yield from _granted(office, phase, view.qname, right)
        for sequence in access.sequences(c) if len(office.may) > 1 else ():
            if sequence.table != t.name:
                right = sequence_rights(office.role, sequence)
                yield from _granted(office, _phase(c), sequence.qname, right)


def _phase(c: Conversion) -> Phase:
    """As with the application's rights: a policy that lets through comes with the one that does not."""
    return Phase.OBSERVE if c.online else Phase.HARDEN


def _rights(office: Office, name: QName, known: Table | View | None, may: tuple[str, ...]) -> Rights | None:
    """These rights and no others, whatever an earlier spec gave."""
    never = [word for word in (*access.CHANGE, *access.NEVER) if word not in may]
    return rights(office.role, name, known, may, never, everybody=False)


def _granted(office: Office, phase: Phase, name: QName, right: Rights | None) -> Iterator[Change]:
    if right is not None:
        yield Change(
            id=f"{phase}.{display(name)}.{office.role}", phase=phase, object=display(name), why=right.why,
            apply=right.apply, verify=verify.query(right.verify), revert=right.revert,
        )  # fmt: skip


def _policy(name: QName, table: Table | None, office: Office, phase: Phase) -> Iterator[Change]:
    there = table.policy(office.policy.name) if table is not None else None
    if there is None or not _same(there, office.policy):
        why = (
            f"{office.role} reaches {display(name)} while the trail says that it works, and else not at all."
        )
        yield _policed(name, office.policy, there, phase, why)


def _policed(name: QName, policy: Policy, there: Policy | None, phase: Phase, why: str) -> Change:
    """The step that makes a policy, in the place of one of that name."""
    return Change(
        id=f"{phase}.{display(name)}.{policy.name}", phase=phase, object=display(name), why=why,
        apply=(*((ddl.drop_policy(name, policy.name),) if there else ()), ddl.create_policy(name, policy)),
        verify=verify.query(verify.policy_for(name, policy, suffix=f"AS{OPEN}")),
        revert=(ddl.drop_policy(name, policy.name), *((ddl.create_policy(name, there),) if there else ())),
        lock=Lock.ACCESS_EXCLUSIVE, tables=(name,),
    )  # fmt: skip


def _same(there: Policy, wanted: Policy) -> bool:
    """Whether a policy is the wanted one; the server names the column of a sub-query."""
    ways = [
        (p.permissive, p.command, p.roles, *(re.sub(r'[\s()"]', "", t or "").removesuffix(f"AS{OPEN}") for t in (p.using, p.check)))
        for p in (there, wanted)
    ]  # fmt: skip
    return ways[0] == ways[1]


def _usage(c: Conversion, schemas: set[str], role: str, phase: Phase) -> Iterator[Change]:
    known = {s.name: s for s in c.catalog.schemas}
    for schema in sorted(schemas):
        there = known.get(schema)
        if there is not None and (
            "USAGE" in there.privileges("") | there.privileges(role) or there.owner == role
        ):
            continue
        yield Change(
            id=f"{phase}.schema.{schema}.{role}", phase=phase, object=schema,
            why=f"{role} reaches what it may use there.",
            apply=(ddl.grant("SCHEMA", quote(schema), ["USAGE"], role),),
            verify=verify.query(verify.schema_usage(schema, role)),
            revert=(ddl.revoke("SCHEMA", quote(schema), ["USAGE"], role),),
        )  # fmt: skip


def notes(c: Conversion) -> Iterator[str]:
    """What a person has to do."""
    for office in offices(c.spec):
        if office.role not in c.catalog.roles_by_name:
            yield f"role {office.role}: is made without a password; set one, and give its DSN to nothing but what does {office.kind} work"
    if c.spec.roles.support_writes:
        yield f"role {spell(QName('public', c.spec.roles.support or ''))}: may change rows of a tenant in work that was begun to write"

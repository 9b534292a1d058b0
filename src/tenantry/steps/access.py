"""Roles, ownership, grants and views: who may do what, and as whom."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from tenantry import ddl, verify
from tenantry.catalog import Function, Table, View
from tenantry.catalog import Sequence as CatalogSequence
from tenantry.conversion import Conversion
from tenantry.names import QName, display, fit, literal, qualified, quote, spell
from tenantry.plan import Change, Lock, Phase
from tenantry.steps import resolvers, searches
from tenantry.steps.rights import Rights, rights, sequence_rights

READ = ("SELECT",)
CHANGE = ("INSERT", "UPDATE", "DELETE")
APPEND = ("SELECT", "INSERT")
# What no application needs, and each of which reaches past row level security.
NEVER = ("TRUNCATE", "REFERENCES", "TRIGGER")


@dataclass(frozen=True, slots=True)
class _Relation:
    """A relation of the conversion: what the application may do with it, and what it must not.

    ``known`` is None for a table that the plan makes.
    """

    name: QName
    known: Table | View | None
    may: tuple[str, ...]
    never: tuple[str, ...]


def _relations(c: Conversion) -> list[_Relation]:
    """Each table of the conversion.

    Partitions get nothing: access goes through the parent. Legacy children are tables of their own.
    """
    known = c.catalog.by_name
    out = [_Relation(c.tenants, known.get(c.tenants), READ, (*CHANGE, *NEVER))]
    for table in [*(t.table for t in c.tables), *(t for t, _ in c.through)]:
        out.append(_Relation(table.qname, table, () if table.partition_of else (*READ, *CHANGE), NEVER))
    for table in c.shared:
        out.append(_Relation(table.qname, table, () if table.partition_of else READ, (*CHANGE, *NEVER)))
    if c.spec.audit is not None:
        name = c.spec.audit.table
        out.append(_Relation(name, known.get(name), APPEND, ("UPDATE", "DELETE", *NEVER)))
        # Partitions of the trail have neither its policy nor all of its guards.
        out += [_Relation(t.qname, t, (), (*READ, *CHANGE, *NEVER)) for t in c.catalog.descendants(name)]
    return out


def problems(c: Conversion) -> Iterator[str]:
    """Roles that row level security would not bind, or that hold more than a grant can take away."""
    yield from _role_problems(c)
    app = c.catalog.roles_by_name.get(c.spec.roles.app)
    if app is None:
        return
    mine = (app.name, *app.member_of)
    materialized = [v for v in _tenant_views(c) if v.materialized]
    for r in [*_relations(c), *(_Relation(v.qname, v, (), READ) for v in materialized)]:
        if r.known is None:
            continue
        if r.known.owner in mine and (
            c.spec.roles.owner in (None, r.known.owner) or isinstance(r.known, View)
        ):
            action = (
                "give it to another role"
                if isinstance(r.known, View)
                else "set [roles] owner to a NOLOGIN role"
            )
            yield f"{spell(r.name)}: belongs to {r.known.owner}, which the application role {app.name} is or may become; {action}"
        for role in app.member_of:
            held = {
                p for g in (*r.known.grants, *r.known.column_grants) if g.role == role for p in g.privileges
            }
            words = [w for w in r.never if w in held | _PREDEFINED.get(role, frozenset())]
            if words:
                yield f"{spell(r.name)}: the application role {app.name} has {', '.join(words)} on it as a member of {role}; REVOKE {quote(role)} FROM {quote(app.name)}, or the privilege from {role}"
    for view in _tenant_views(c):
        if view.schema in c.spec.tenancy.schemas or view.materialized:
            continue
        if any("SELECT" in view.privileges(role) for role in ("", *mine)):
            yield f"{display(view.qname)}: a view over rows of tenants that {app.name} may read, outside of the schemas to convert; add {view.schema!r} to [tenancy] schemas, or REVOKE SELECT on it"


# What the predefined roles may do with every table.
_PREDEFINED = {"pg_read_all_data": frozenset(READ), "pg_write_all_data": frozenset(CHANGE)}


def _role_problems(c: Conversion) -> Iterator[str]:
    known, names = c.catalog.roles_by_name, c.spec.roles
    app = known.get(names.app)
    for role in [known.get(n) for n in (app.name, *app.member_of)] if app is not None else []:
        if role is not None and (role.superuser or role.bypass_rls):
            what = "is a superuser" if role.superuser else "has BYPASSRLS"
            via = "" if role is app else f" and {names.app} is a member of it"
            yield f"role {role.name}: {what}{via}, so row level security does not bind the application; name another role in [roles] app"
    mine = (app.name, *app.member_of) if app is not None else ()
    for schema in c.catalog.schemas:
        if schema.owner in mine and schema.name in c.spec.tenancy.schemas:
            yield f"schema {schema.name}: belongs to {schema.owner}, which the application role {names.app} is or may become, and an owner may drop its tables; ALTER SCHEMA {quote(schema.name)} OWNER TO another role (pg_database_owner is the owner of the database)"
    if names.owner == names.app:
        yield f"[roles]: owner and app are both {names.app}; an owner can switch row level security off, so name two roles"
    elif app is not None and names.owner in app.member_of:
        yield f"role {names.owner}: is to own the tables and {names.app} is a member of it; REVOKE {quote(names.owner)} FROM {quote(names.app)}, or name another role in [roles] owner"
    owner = known.get(names.owner) if names.owner else None
    if owner is not None and owner.login:
        yield f"role {owner.name}: can log in, and would own the tables; name a NOLOGIN role in [roles] owner"


def roles(c: Conversion) -> Iterator[Change]:
    """The application's login and the owner of the tables."""
    wanted = [
        (
            c.spec.roles.app,
            True,
            "The application connects as this role, which owns nothing and is bound by every policy.",
        )
    ]
    if c.spec.roles.owner is not None:
        wanted.append(
            (
                c.spec.roles.owner,
                False,
                "Owns the tables and cannot log in: an owner can switch row level security off.",
            )
        )
    for name, login, why in wanted:
        if name in c.catalog.roles_by_name:
            continue
        yield Change(
            id=f"harden.role.{name}", phase=Phase.HARDEN, object=name, why=why,
            apply=(ddl.create_role(name, login=login),), verify=verify.query(verify.role(name)),
            revert=(ddl.drop_role(name),),
        )  # fmt: skip


def ownership(c: Conversion) -> Iterator[Change]:
    """Tables go to the owner role; sequences follow their tables."""
    owner = c.spec.roles.owner
    if owner is None:
        return
    phase = Phase.CUTOVER if c.online else Phase.HARDEN
    for schema in sorted({r.name.schema for r in _relations(c)}):
        found = next((s for s in c.catalog.schemas if s.name == schema), None)
        if (
            found is not None
            and "USAGE" not in found.privileges("") | found.privileges(owner)
            and found.owner != owner
        ):
            yield _usage(
                schema, owner, "Foreign keys are checked with the owner's rights, which need the schema."
            )
    for r in _relations(c):
        name = r.name
        if (r.known is not None and r.known.owner == owner) or _extended(c, name):
            continue
        # Whoever owned a table and is not to own it keeps what is granted in the same transaction.
        after = _rights_after(c, r)
        yield Change(
            id=f"{phase}.{display(name)}.owner",
            phase=phase,
            object=display(name),
            why=f"Nobody logs in as {owner}, so nobody switches the protection of {display(name)} off by the way.",
            apply=(ddl.own(name, owner), *(s for right in after for s in right.apply)),
            verify=verify.query(verify.owned(name, owner), *(right.verify for right in after)),
            revert=(
                *(s for right in after for s in right.revert),
                ddl.own(name, r.known.owner) if r.known is not None else ddl.own_by_user(name),
            ),
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(name,),
        )


def _usage(schema: str, role: str, why: str) -> Change:
    return Change(
        id=f"harden.schema.{schema}.{role}", phase=Phase.HARDEN, object=schema, why=why,
        apply=(ddl.grant("SCHEMA", quote(schema), ["USAGE"], role),),
        verify=verify.query(verify.schema_usage(schema, role)),
        revert=(ddl.revoke("SCHEMA", quote(schema), ["USAGE"], role),),
    )  # fmt: skip


def grants(c: Conversion) -> Iterator[Change]:
    """What the application may do: rows, never TRUNCATE, REFERENCES or TRIGGER."""
    app, trail = c.spec.roles.app, c.spec.audit.table if c.spec.audit is not None else None
    # Not before the policies are there: until then a right on a table is a right on every tenant's rows.
    phase = Phase.OBSERVE if c.online else Phase.HARDEN
    schemas = {
        name.schema for name in [*(r.name for r in _relations(c)), *(v.qname for v in converted_views(c))]
    }
    for schema in c.catalog.schemas:
        if schema.name in schemas and "USAGE" not in schema.privileges("") | schema.privileges(app):
            yield _usage(schema.name, app, "Without it the application finds no table.")
    late = [r.name for r in _relations(c) if _moves(c, r)]
    for r in _relations(c):
        if r.name not in late and not (_extended(c, r.name) and r.name == trail):
            yield from _granted(phase, r.name, rights(app, r.name, r.known, r.may, r.never))
    for sequence in sequences(c):
        if sequence.table not in late:
            yield from _granted(phase, sequence.qname, sequence_rights(app, sequence))


def _extended(c: Conversion, name: QName) -> bool:
    """True for an extended trail and its partitions, which have an owner and rights of their own."""
    if c.spec.audit is None or not c.spec.audit.extended:
        return False
    return name in (c.spec.audit.table, *(t.qname for t in c.catalog.descendants(c.spec.audit.table)))


def _of_trail(c: Conversion, function: Function) -> bool:
    """True for a function of an extended trail, as the plan makes it."""
    trail = c.spec.audit
    return (
        trail is not None
        and trail.extended
        and (function.schema, function.owner) == (trail.functions, trail.owner)
    )


def _moves(c: Conversion, r: _Relation) -> bool:
    """True where the application owns a table, or may become its owner, and the plan gives it to another role."""
    app, owner = c.spec.roles.app, c.spec.roles.owner
    if _extended(c, r.name):
        return False
    role = c.catalog.roles_by_name.get(app)
    mine = (app, *(role.member_of if role is not None else ()))
    return owner is not None and r.known is not None and r.known.owner in mine and r.known.owner != owner


def _rights_after(c: Conversion, r: _Relation) -> list[Rights]:
    """What the application gets on a table, and on the sequences that move with it, once it does not own them."""
    if not _moves(c, r):
        return []
    app = c.spec.roles.app
    found = [rights(app, r.name, r.known, r.may, r.never, owner=False)]
    found += [sequence_rights(app, s, owner=False) for s in sequences(c) if s.table == r.name]
    return [right for right in found if right is not None]


def _granted(phase: Phase, name: QName, change: Rights | None) -> Iterator[Change]:
    if change is not None:
        yield Change(
            id=f"{phase}.{display(name)}.grants", phase=phase, object=display(name), why=change.why,
            apply=change.apply, verify=verify.query(change.verify), revert=change.revert,
        )  # fmt: skip


def sequences(c: Conversion) -> list[CatalogSequence]:
    """Sequences behind column defaults of the tables that the application writes; identity needs no grant."""
    tables = {t.qname: t.table for t in c.tables} | {t.qname: t for t, _ in c.through}
    trail = c.catalog.by_name.get(c.spec.audit.table) if c.spec.audit is not None else None
    if trail is not None:
        tables[trail.qname] = trail
    defaults = " ".join(col.default or "" for t in tables.values() for col in t.columns if not col.generated)
    used = {
        u.replace("''", "'").replace('"', "") for u in re.findall(r"nextval\(\(*'((?:[^']|'')*)'", defaults)
    }
    return [
        s for s in c.catalog.sequences
        if not s.identity and (s.table in tables or qualified(s.qname).replace('"', "") in used)
    ]  # fmt: skip


@lru_cache(maxsize=4)
def _tenant_views(c: Conversion) -> list[View]:
    """Views over tenant rows, also through other views."""
    reach = {t.qname for t in c.tables} | {t.qname for t, _ in c.through} | {c.tenants}
    found: dict[QName, View] = {}
    while True:
        more = [
            v for v in c.catalog.views
            if v.qname not in found and v.extension is None and (set(v.reads) & (reach | set(found)))
        ]  # fmt: skip
        if not more:
            return sorted(found.values(), key=lambda v: v.qname)
        found.update({v.qname: v for v in more})


def converted_views(c: Conversion) -> list[View]:
    """The views that the application reads: materialized ones hold every tenant's rows."""
    return [v for v in _tenant_views(c) if not v.materialized and v.schema in c.spec.tenancy.schemas]


def views(c: Conversion) -> Iterator[Change]:
    """A view runs with its owner's rights and would show every tenant's rows; materialized ones do whatever is done."""
    app, phase = c.spec.roles.app, Phase.CUTOVER if c.online else Phase.HARDEN
    for view in _tenant_views(c):
        if view.materialized:
            yield from _granted(phase, view.qname, rights(app, view.qname, view, (), READ))
    for view in converted_views(c):
        if not view.security_invoker:
            yield Change(
                id=f"{phase}.{display(view.qname)}.invoker",
                phase=phase,
                object=display(view.qname),
                why="The view reads with the rights of who asks, so the policies of its tables hold.",
                apply=(ddl.security_invoker(view.qname, on=True),),
                verify=verify.query(verify.security_invoker(view.qname)),
                revert=(ddl.security_invoker(view.qname, on=False),),
                lock=Lock.ACCESS_EXCLUSIVE,
            )
        yield from _granted(phase, view.qname, rights(app, view.qname, view, READ, ()))


def kept_keys(c: Conversion) -> Iterator[Change]:
    """A key that stays unique across tenants says why, in the database itself."""
    for table in c.tables:
        for name, rule in sorted(table.rule.unique.items()):
            constraint = table.table.constraint(name)
            if rule.scope != "global" or constraint is None or constraint.kind == "foreign":
                continue  # a bare index has no comment of ours, and may share its name with a foreign key
            comment = _with_reason(constraint.comment, rule.reason)
            if constraint.comment == comment:
                continue
            yield Change(
                id=f"harden.{table.label}.{fit(name)}.global",
                phase=Phase.HARDEN,
                object=table.label,
                why=f"{name} stays unique across tenants: {rule.reason}",
                apply=(ddl.comment_on_constraint(table.qname, name, comment),),
                verify=verify.query(verify.constraint_comment(table.qname, name, comment)),
                revert=(ddl.comment_on_constraint(table.qname, name, constraint.comment),),
            )


def _with_reason(comment: str | None, reason: str) -> str:
    """A comment with the reason as its last line; an older reason goes, what else it says stays."""
    head = "Unique across tenants: "
    kept = [line for line in (comment or "").splitlines() if not line.startswith(head)]
    return "\n".join([*kept, head + " ".join(reason.split())])


def notes(c: Conversion) -> Iterator[str]:
    """What a person should know about rights."""
    app = c.spec.roles.app
    yield from _view_notes(c)
    tenant_names = {t.table.name for t in c.tables}
    for function in c.catalog.functions:
        if (
            function.security_definer
            and function.extension is None
            and not resolvers.is_resolver(c, function)
            and not searches.is_search(c, function)
            and not _of_trail(c, function)
            and any(re.search(rf"\b{re.escape(n)}\b", function.source) for n in tenant_names)
        ):
            yield f"{display(function.qname)}({function.arguments}): SECURITY DEFINER and mentions tenant tables; it runs with its owner's rights, review it"
    if c.spec.roles.owner is not None:
        owners = {t.table.owner for t in c.tables} - {c.spec.roles.owner, app}
        for owner in sorted(owners):
            role = c.catalog.roles_by_name.get(owner)
            if role is not None and not role.superuser:
                yield f"role {owner}: owns tables today and loses its rights on them; an application that connects as it must connect as {app}"
    if c.spec.roles.app not in c.catalog.roles_by_name:
        yield f"role {app}: is made without a password; set one ({literal(app)} cannot log in over a password line of pg_hba.conf until then)"


def _view_notes(c: Conversion) -> Iterator[str]:
    """Views that are left alone, and what a view needs beside the tables of the conversion."""
    app = c.spec.roles.app
    readable = {r.name for r in _relations(c)}
    for view in _tenant_views(c):
        if view.materialized:
            yield f"{display(view.qname)}: a materialized view holds the rows of every tenant and cannot have a policy; {app} gets no right on it"
        elif view not in converted_views(c):
            yield f"{display(view.qname)}: a view over rows of tenants outside of the schemas to convert; it keeps its owner's rights, and {app} has none on it"
        else:
            tables = [
                c.catalog.by_name[n] for n in view.reads if n in c.catalog.by_name and n not in readable
            ]
            for table in tables:
                if "SELECT" not in table.privileges(app) | table.privileges(""):
                    yield f"{display(view.qname)}: reads {display(table.qname)} too, on which {app} has no right; GRANT SELECT on it, or the view fails for the application"

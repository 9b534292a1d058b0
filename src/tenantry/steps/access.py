"""Roles, ownership, grants and views: who may do what, and as whom."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tenantry import ddl, verify
from tenantry.catalog import Sequence as CatalogSequence
from tenantry.catalog import Table, View
from tenantry.conversion import Conversion
from tenantry.names import QName, display, fit, literal, qualified, quote
from tenantry.plan import Change, Lock, Phase

WRITE = ("SELECT", "INSERT", "UPDATE", "DELETE")
READ = ("SELECT",)
APPEND = ("SELECT", "INSERT")
# What no application needs, and each of which reaches past row level security.
NEVER = ("TRUNCATE", "REFERENCES", "TRIGGER")


def _relations(c: Conversion) -> list[tuple[QName, Table | None, tuple[str, ...]]]:
    """Each relation of the conversion with what the application may do with it.

    Partitions get nothing: access goes through the parent. Legacy children are tables of their own.
    """
    known = c.catalog.by_name
    out: list[tuple[QName, Table | None, tuple[str, ...]]] = [(c.tenants, known.get(c.tenants), READ)]
    out += [(t.qname, t.table, () if t.part == "partition" else WRITE) for t in c.tables]
    out += [(t.qname, t, WRITE) for t, _ in c.through]
    out += [(t.qname, t, READ) for t in c.shared]
    if c.spec.audit is not None:
        out.append((c.spec.audit.table, known.get(c.spec.audit.table), APPEND))
    return out


def roles(c: Conversion) -> Iterator[Change]:
    """The application's login and the owner of the tables."""
    wanted = [(c.spec.roles.app, True, "The application connects as this role, which owns nothing and is bound by every policy.")]
    if c.spec.roles.owner is not None:
        wanted.append((c.spec.roles.owner, False, "Owns the tables and cannot log in: an owner can switch row level security off."))
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
    for schema in sorted({name.schema for name, _, _ in _relations(c)}):
        found = next((s for s in c.catalog.schemas if s.name == schema), None)
        if found is not None and "USAGE" not in found.privileges("") | found.privileges(owner) and found.owner != owner:
            yield _usage(schema, owner, "Foreign keys are checked with the owner's rights, which need the schema.")
    for name, table, _ in _relations(c):
        if table is not None and table.owner == owner:
            continue
        yield Change(
            id=f"harden.{display(name)}.owner",
            phase=Phase.HARDEN,
            object=display(name),
            why=f"Nobody logs in as {owner}, so nobody switches the protection of {display(name)} off by the way.",
            apply=(ddl.own(name, owner),),
            verify=verify.query(verify.owned(name, owner)),
            revert=(ddl.own(name, table.owner),) if table is not None else (ddl.own_by_user(name),),
            lock=Lock.ACCESS_EXCLUSIVE,
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
    app = c.spec.roles.app
    schemas = {name.schema for name, _, _ in _relations(c)}
    for schema in c.catalog.schemas:
        if schema.name in schemas and "USAGE" not in schema.privileges("") | schema.privileges(app):
            yield _usage(schema.name, app, "Without it the application finds no table.")
    for name, table, wanted in _relations(c):
        lack = NEVER if wanted == WRITE or not wanted else (*(p for p in WRITE if p not in wanted), *NEVER)
        yield from _grant(app, "TABLE", name, table, wanted, lack)
    for sequence in _sequences(c):
        yield from _grant(app, "SEQUENCE", sequence.qname, sequence, ("USAGE",), ())


def _grant(
    app: str, kind: str, name: QName, known: Table | CatalogSequence | View | None,
    wanted: Sequence[str], lack: Sequence[str],
) -> Iterator[Change]:  # fmt: skip
    """Grant what is missing and revoke what is too much, from the application and from PUBLIC."""
    mine = known.privileges(app) if known is not None else frozenset()
    public = known.privileges("") if known is not None else frozenset()
    missing = [p for p in wanted if p not in mine | public]
    spare = [p for p in lack if p in mine]
    spare_public = [p for p in lack if p in public]
    if not missing and not spare and not spare_public:
        return
    where = qualified(name)
    apply, undo = [], []
    for role, words in ((app, spare), ("", spare_public)):
        if words:
            apply.append(ddl.revoke(kind, where, words, role))
            undo.append(ddl.grant(kind, where, words, role))
    if missing:
        apply.append(ddl.grant(kind, where, missing, app))
        undo.append(ddl.revoke(kind, where, missing, app))
    may = ", ".join(w.lower() for w in wanted) or "reach it through its parent only"
    yield Change(
        id=f"harden.{display(name)}.grants",
        phase=Phase.HARDEN,
        object=display(name),
        why=f"{app} may {may}." + (f" Never {', '.join(w.lower() for w in lack)}." if lack else ""),
        apply=tuple(apply),
        verify=verify.query(verify.privileges(kind.lower(), name, app, wanted, lack)),
        revert=tuple(undo),
    )


def _sequences(c: Conversion) -> list[CatalogSequence]:
    """Sequences behind column defaults of the tables that the application writes; identity needs no grant."""
    tables = {t.qname: t.table for t in c.tables} | {t.qname: t for t, _ in c.through}
    defaults = " ".join(col.default or "" for t in tables.values() for col in t.columns if not col.generated)
    used = set(re.findall(r"nextval\('((?:[^']|'')*)'", defaults))
    return [
        s for s in c.catalog.sequences
        if not s.identity and (s.table in tables or qualified(s.qname).replace('"', "") in {u.replace('"', "") for u in used})
    ]  # fmt: skip


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


def views(c: Conversion) -> Iterator[Change]:
    """A view runs with its owner's rights and would show every tenant's rows; materialized ones do whatever is done."""
    app = c.spec.roles.app
    for view in _tenant_views(c):
        if view.materialized:
            yield from _grant(app, "TABLE", view.qname, view, (), ("SELECT",))
            continue
        if not view.security_invoker:
            yield Change(
                id=f"harden.{display(view.qname)}.invoker",
                phase=Phase.HARDEN,
                object=display(view.qname),
                why="The view reads with the rights of who asks, so the policies of its tables hold.",
                apply=(ddl.security_invoker(view.qname, on=True),),
                verify=verify.query(verify.security_invoker(view.qname)),
                revert=(ddl.security_invoker(view.qname, on=False),),
                lock=Lock.ACCESS_EXCLUSIVE,
            )
        yield from _grant(app, "TABLE", view.qname, view, READ, ())


def kept_keys(c: Conversion) -> Iterator[Change]:
    """A key that stays unique across tenants says why, in the database itself."""
    for table in c.roots:
        for name, rule in sorted(table.rule.unique.items()):
            constraint = table.table.constraint(name)
            if rule.scope != "global" or constraint is None:
                continue
            comment = f"Unique across tenants: {rule.reason}"
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
                lock=Lock.SHARE_UPDATE_EXCLUSIVE,
            )


def notes(c: Conversion) -> Iterator[str]:
    """What a person should know about rights."""
    app = c.spec.roles.app
    for view in _tenant_views(c):
        if view.materialized:
            yield f"{display(view.qname)}: a materialized view holds the rows of every tenant and cannot have a policy; {app} gets no right on it"
    tenant_names = {t.table.name for t in c.tables}
    for function in c.catalog.functions:
        if function.security_definer and function.extension is None and any(
            re.search(rf"\b{re.escape(n)}\b", function.source) for n in tenant_names
        ):
            yield f"{display(function.qname)}({function.arguments}): SECURITY DEFINER and mentions tenant tables; it runs with its owner's rights, review it"
    if c.spec.roles.owner is not None:
        owners = {t.table.owner for t in c.tables} - {c.spec.roles.owner}
        for owner in sorted(owners):
            role = c.catalog.roles_by_name.get(owner)
            if role is not None and not role.superuser:
                yield f"role {owner}: owns tables today and loses its rights on them; an application that connects as it must connect as {app}"
    if c.spec.roles.app not in c.catalog.roles_by_name:
        yield f"role {app}: is made without a password; set one ({literal(app)} cannot log in over a password line of pg_hba.conf until then)"

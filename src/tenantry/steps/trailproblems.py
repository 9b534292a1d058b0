"""What keeps a trail from being extended, or from recording work: clashing columns, names taken, roles that log in."""

from __future__ import annotations

from collections.abc import Iterator

from tenantry.catalog import Table
from tenantry.conversion import Conversion
from tenantry.names import quote, spell
from tenantry.steps.events import ADDED, FORBIDDEN, Trail, trail


def problems(c: Conversion) -> Iterator[str]:
    """What keeps a trail from being extended: clashing columns, names taken, roles that could log in."""
    t = trail(c)
    if t is None:
        return
    yield from _role_problems(t)
    yield from place(t)
    yield from shape(t)
    if t.known is not None:
        yield from _column_problems(t, t.known)


def place(t: Trail) -> Iterator[str]:
    """A schema of the name of that of the functions, which is somebody else's."""
    schema = next((s for s in t.c.catalog.schemas if s.name == t.spec.functions), None)
    if schema is not None and schema.owner != t.spec.owner and t.name.schema != t.spec.functions:
        yield f"schema {schema.name}: is already there and belongs to {schema.owner}; name another in [audit] functions, or give it to {t.spec.owner}"


def shape(t: Trail) -> Iterator[str]:
    """Columns of a trail that a function could not fill as it must."""
    if t.known is None:
        return
    where, other = spell(t.known.qname), "or name another table in [audit]"
    metadata, tenant = t.known.column("metadata"), t.known.column("tenant_id")
    if metadata is not None and metadata.base != "jsonb":
        yield f"{where}: column metadata is {metadata.type} and must be jsonb; convert it, {other}"
    for name in FORBIDDEN:
        column = t.known.column(name)
        if column is not None and column.default is None and not column.identity:
            yield f"{where}: column {name} has no default, and the application is not to give it; add one, {other}"
    if tenant is not None and tenant.not_null:
        yield f"{where}: tenant_id is NOT NULL, and what no tenant did has none; ALTER COLUMN tenant_id DROP NOT NULL"


def _role_problems(t: Trail) -> Iterator[str]:
    c, names = t.c, t.spec
    app = c.catalog.roles_by_name.get(c.spec.roles.app)
    for key, role in (("owner", names.owner), ("reader", names.reader)):
        known = c.catalog.roles_by_name.get(role)
        if role in (c.spec.roles.app, c.spec.roles.owner):
            yield f"[audit] {key}: {role} is a role of the application's tables; name one that only the trail has"
        if known is not None and (known.login or known.superuser or known.bypass_rls):
            what = "can log in" if known.login else "is bound by no policy"
            yield f"role {role}: {what}; name another role in [audit] {key}, or ALTER ROLE {quote(role)} NOLOGIN NOSUPERUSER NOBYPASSRLS"
        if app is not None and role in app.member_of:
            yield f"role {role}: the application role {app.name} is a member of it; REVOKE {quote(role)} FROM {quote(app.name)}, or name another in [audit] {key}"


def _column_problems(t: Trail, table: Table) -> Iterator[str]:
    where, other = spell(table.qname), "rename it, or name another table in [audit]"
    for name, type_, _ in ADDED:
        column = table.column(name)
        if column is not None and column.base != type_:
            yield f"{where}: column {name} is {column.type} and an event's is {type_}; {other}"
    parts = [*t.c.catalog.descendants(table.qname)]
    if table.column("seq") is None and parts and t.c.catalog.server.version < 170000:
        yield f"{where}: has partitions, to which PostgreSQL before 17 adds no identity column; add seq bigint with a sequence as its default first"

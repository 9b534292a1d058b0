"""What a proof says beside its outcomes: about the application's session, the tables, and what was not looked at."""

from __future__ import annotations

from collections.abc import Iterator, Set

from tenantry.attacks import pooler, worlds
from tenantry.attacks.application import App
from tenantry.attacks.lab import How
from tenantry.catalog import Catalog
from tenantry.counts import listed
from tenantry.finding import Finding, Place
from tenantry.names import display
from tenantry.prove.ground import Ground


def session(app: App, ground: Ground, role: str) -> Iterator[Finding]:
    """Who the application turned out to be, and which tenant its connections have before they ask for one."""
    if role and app.role != role:
        told = f"the application connects as {app.role}; its role was said to be {role}"
        yield Finding("role.other", "warning", app.role, told)
    for setting in dict.fromkeys(c.setting for c in ground.claims.claims):
        now = app.fresh.conn.execute("SELECT pg_catalog.current_setting(%s, true)", (setting,)).fetchone()
        if now is not None and now[0]:  # then nothing fails closed
            told = f"a new connection already has {setting} = {now[0]!r}"
            fix = "take it out of the application's DSN, or RESET it"
            yield Finding("session.preset", "error", setting, told, fix)


def places(ground: Ground, catalog: Catalog) -> Iterator[Place]:
    """Every table, with its scope in the spec's words."""
    for table in catalog.tables:
        references = dict.fromkeys(display(fk.references) for fk in table.foreign_keys if fk.references)
        scope = ground.scopes.get(table.qname, "undecided")
        yield Place(display(table.qname), scope, tuple(references), table.rows or None)


def left_out(ground: Ground, catalog: Catalog, app: App | None, how: How, tried: Set[str]) -> Iterator[str]:
    """What the proof says nothing about, in plain words. ``tried`` are attacks that there is an outcome of."""
    if app is not None and app.assume:
        yield f"the application's own login and pooler: {app.role} was taken by SET ROLE"
    if not how.writes:
        yield "what only a statement that writes can show (foreign keys, triggers, DDL): `tenantry prove --full` tries it on a copy"
    elif (
        worlds.NAME not in tried
    ):  # a proof goes as far as its rows: the plans say what one tenant's session asks
        yield f"whether what a tenant reads changes with another one's rows ({worlds.NAME}): no table has rows of two tenants"
    yield "more than one row of one tenant in each table, against one other tenant"
    yield from ground.left_out
    mine = app.role if app is not None else ground.role
    roles = [r.name for r in catalog.roles if r.login and not r.superuser and r.name != mine]
    if roles:
        yield f"other logins: {listed(roles)}"
    yield "what tells of rows without showing them: EXPLAIN, timing, statistics"
    yield (
        "backups and LISTEN/NOTIFY"
        if pooler.NAME in tried
        else "backups, LISTEN/NOTIFY and shared connections"
    )

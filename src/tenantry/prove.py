"""Proves isolation on a live database: is it in the declared state, what is the role, and do attacks hold?

Nothing is changed: every statement runs in a transaction that is rolled back. Whatever could not be looked
at is an outcome of its own and keeps the proof from being one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import psycopg

from tenantry import introspect, planner
from tenantry.attacks import ATTACKS
from tenantry.attacks.aim import ghost, take
from tenantry.attacks.lab import Lab
from tenantry.attacks.target import Rights, Target, find, rights
from tenantry.catalog import Catalog
from tenantry.errors import CatalogError, PlanError
from tenantry.finding import Finding, Outcome, Proof
from tenantry.names import QName, display, qualified, quote
from tenantry.session import Conn, connect
from tenantry.spec import Spec

# Each reaches past row level security: TRUNCATE ignores it, a foreign key or a trigger of one's own sees every row.
_NEVER = frozenset({"TRUNCATE", "REFERENCES", "TRIGGER"})
_WRITE = frozenset({"INSERT", "UPDATE", "DELETE", "TRUNCATE"})
# Members read, write or run files of the server, where the tables are files.
_FILES = frozenset({"pg_read_server_files", "pg_write_server_files", "pg_execute_server_program"})
_LISTED = 8  # names in one sentence


def prove(dsn: str, spec: Spec, *, app_dsn: str | None = None, now: datetime) -> Proof:
    """Attack the database that ``dsn`` leads to, as an administrator whom row level security does not bind.

    The attacks run through ``app_dsn``, the application's own, or as ``spec.roles.app`` by SET ROLE. Raises
    CatalogError when the database cannot be reached or read, when the administrator is bound by row level
    security (no control could look) or may not take the role; psycopg.Error when a connection is lost.
    """
    with contextlib.closing(connect(dsn, "tenantry prove")) as admin:
        catalog = introspect.read(admin)
    try:
        pending = tuple(step.id for step in planner.plan(spec, catalog, "online"))
        refused: tuple[str, ...] = ()
    except PlanError as error:
        pending, refused = (), error.problems
    proof = examine(dsn, spec, catalog, app_dsn=app_dsn, now=now)
    problems = tuple(Finding("plan", "error", "spec", problem) for problem in refused)
    return replace(proof, pending=pending, findings=problems + proof.findings)


def outcomes(
    dsn: str, spec: Spec, catalog: Catalog, tables: Set[str], *, app_dsn: str | None = None
) -> tuple[Outcome, ...]:
    """The attacks on some tables, by the names that people read; raises what :func:`prove` does, and when none is possible."""
    proof = examine(dsn, spec, catalog, only=tables, app_dsn=app_dsn, now=datetime.now(UTC))
    missing = tables - {o.object for o in proof.outcomes}
    return proof.outcomes + tuple(
        Outcome("all", name, "error", detail="could not look: nothing could be attacked here")
        for name in sorted(missing)
    )


def examine(
    dsn: str,
    spec: Spec,
    catalog: Catalog,
    *,
    app_dsn: str | None = None,
    now: datetime,
    only: Set[str] | None = None,
) -> Proof:
    """All of :func:`prove` but planning again: findings and attacks on a catalog that was read before.

    ``only`` are the names, as people read them, of the tables to attack; None for all.
    """
    targets, unfit = find(spec, catalog)
    findings = [Finding("target", "error", display(name), why) for name, why in unfit]
    with contextlib.ExitStack() as stack:
        admin = stack.enter_context(contextlib.closing(connect(dsn, "tenantry prove")))
        app = _application(stack, admin, dsn, app_dsn, spec, catalog)
        findings += _roles(catalog, spec, app)
        outcomes: tuple[Outcome, ...] = ()
        tenants = next((t for t in targets if t.kind == "tenants"), None)
        if isinstance(app, App):
            names = [t.table.qname for t in targets]
            shared = [n for n, r in spec.tables.items() if r.scope == "shared" and n in catalog.by_name]
            _refuse_bound(admin, names)
            may = rights(admin, app.role, [*names, *shared])
            findings += [*_privileges(app.role, targets, shared, may), *_preset(admin, app, spec)]
            if tenants is not None:
                able = {t.table.qname: replace(t, rights=may.get(t.table.qname, Rights())) for t in targets}
                outcomes = attack(_lab(admin, app, spec, able, tenants), only)
    return Proof(
        when=now.isoformat(timespec="seconds"),
        server=f"PostgreSQL {catalog.server.version // 10000}.{catalog.server.version % 10000}, "
        f"database {catalog.server.database}",
        role=app.told if isinstance(app, App) else f"{app} (not there)",
        pending=(),
        findings=tuple(findings),
        outcomes=outcomes,
        not_looked_at=tuple(_not_looked_at(spec, catalog, app)),
    )


@dataclass(frozen=True, slots=True)
class App:
    """The application's two connections. ``login`` is who logged in, ``role`` who asks."""

    main: Conn
    fresh: Conn
    role: str
    login: str
    assume: bool

    @property
    def told(self) -> str:
        """For the record: the role and how it was come by."""
        return (
            f"{self.role} (SET ROLE from {self.login})"
            if self.assume
            else f"{self.role} (logged in as {self.login})"
        )


def _application(
    stack: contextlib.ExitStack, admin: Conn, dsn: str, app_dsn: str | None, spec: Spec, catalog: Catalog
) -> App | str:
    """The application's connections, or the name of its role while there is no such role."""
    role = spec.roles.app
    if app_dsn is None and role not in catalog.roles_by_name:
        return role
    main, fresh = (
        stack.enter_context(contextlib.closing(connect(app_dsn or dsn, "tenantry prove as the application")))
        for _ in range(2)
    )
    login = str(_one(main, "SELECT session_user"))
    if app_dsn is None:
        _refuse_stranger(admin, login, role)
        return App(main, fresh, role, login, assume=True)
    place = "SELECT current_database() || extract(epoch FROM pg_catalog.pg_postmaster_start_time())::text"
    if _one(main, place) != _one(admin, place):
        raise CatalogError(
            "the application's DSN leads to another database than the administrator's; give two DSNs of one"
        )
    return App(main, fresh, str(_one(main, "SELECT current_user")), login, assume=False)


def _one(conn: Conn, query: str) -> object:
    row = conn.execute(query.encode()).fetchone()
    return row[0] if row else None


def _refuse_stranger(admin: Conn, login: str, role: str) -> None:
    """Raise CatalogError when the administrator may not take the application's role."""
    try:
        with admin.transaction(force_rollback=True):
            admin.execute(f"SET LOCAL ROLE {quote(role)}".encode())
    except psycopg.errors.InsufficientPrivilege as error:
        raise CatalogError(
            f"role {login} may not SET ROLE {role}, so the attacks cannot run as it; "
            "give the application's own DSN, or connect as a superuser"
        ) from error


def _lab(admin: Conn, app: App, spec: Spec, targets: Mapping[QName, Target], tenants: Target) -> Lab:
    return Lab(
        admin=admin,
        app=app.main,
        fresh=app.fresh,
        role=app.role,
        assume=app.assume,
        setting=spec.tenancy.setting,
        ghost=ghost(admin, tenants),
        tenants=tenants,
        targets=targets,
    )


def _refuse_bound(admin: Conn, names: Sequence[QName]) -> None:
    """Raise CatalogError when the administrator would not see every row of every table."""
    bound = [
        name
        for name in names
        if admin.execute("SELECT pg_catalog.row_security_active(%s)", (qualified(name),)).fetchone()
        == (True,)
    ]
    if bound:
        raise CatalogError(
            f"role {admin.info.user} is bound by row level security on {_list([display(n) for n in bound])}: "
            "it cannot look at the rows of every tenant, so no control would mean anything; "
            "connect as a superuser or a role with BYPASSRLS"
        )


def attack(lab: Lab, only: Set[str] | None = None) -> tuple[Outcome, ...]:
    """Every attack on every target that it applies to, or on those that ``only`` names."""
    chosen = [t for t in lab.targets.values() if only is None or t.label in only]
    return tuple(outcome for target in chosen for outcome in _on(lab, target))


def _on(lab: Lab, target: Target) -> Iterator[Outcome]:
    chosen = [a for a in ATTACKS if a.applies(target)]
    try:
        aim = take(lab, target)
        why = "there is no tenant: could not look"
    except psycopg.Error as error:
        aim, why = None, _looked(error)
    for one in chosen:
        if aim is None:
            yield Outcome(one.NAME, target.label, "error", detail=why)
            continue
        try:
            yield one.run(lab, aim)
        except psycopg.Error as error:
            yield Outcome(one.NAME, target.label, "error", detail=_looked(error))


def _looked(error: psycopg.Error) -> str:
    """Why a look-up failed. Raises the error again when it is the connection that failed."""
    if error.sqlstate is None:
        raise error
    return f"could not look: {error.sqlstate} {error.diag.message_primary or error}"


def _roles(catalog: Catalog, spec: Spec, app: App | str) -> Iterator[Finding]:
    """What frees the application's role, or whoever logs in as it, from row level security."""
    if isinstance(app, str):
        yield Finding("role.missing", "error", app, f"role {app} does not exist", "tenantry apply")
        return
    if app.role != spec.roles.app:
        yield Finding(
            "role.other", "warning", app.role,
            f"the application connects as {app.role}; the spec calls its role {spec.roles.app}",
        )  # fmt: skip
    for name in dict.fromkeys((app.role,) if app.assume else (app.role, app.login)):
        yield from role_findings(catalog, spec, name)


def role_findings(catalog: Catalog, spec: Spec, name: str) -> Iterator[Finding]:
    """What a role is, or may become, that row level security does not bind."""
    role = catalog.roles_by_name.get(name)
    if role is None:
        yield Finding("role.missing", "error", name, f"role {name} does not exist")
        return
    if role.superuser:
        yield Finding(
            "role.superuser", "error", name, f"{name} is a superuser", f"ALTER ROLE {quote(name)} NOSUPERUSER"
        )
        return  # everything else follows from it
    if role.replication:
        fix = f"ALTER ROLE {quote(name)} NOREPLICATION"
        yield Finding("role.replication", "error", name, f"{name} may read every change from the log", fix)
    if role.create_role and catalog.server.version < 160000:
        fix = f"ALTER ROLE {quote(name)} NOCREATEROLE"
        yield Finding("role.create_role", "error", name, f"{name} may grant itself any role", fix)
    for other in (name, *role.member_of):
        yield from _reached(catalog, spec, name, other)


def _reached(catalog: Catalog, spec: Spec, name: str, other: str) -> Iterator[Finding]:
    """What ``name`` gets by being ``other``, itself or through membership."""
    who = name if other == name else f"{name}, as a member of {other},"
    leave = f"REVOKE {quote(other)} FROM {quote(name)}"
    known = catalog.roles_by_name.get(other)
    if known is not None and known.superuser:
        yield Finding("role.superuser", "error", name, f"{who} is a superuser", leave)
    if known is not None and known.bypass_rls:
        fix = f"ALTER ROLE {quote(name)} NOBYPASSRLS" if other == name else leave
        yield Finding("role.bypass_rls", "error", name, f"{who} has BYPASSRLS", fix)
    if other in _FILES:
        yield Finding("role.files", "error", name, f"{who} reaches files of the server", leave)
    owned = [display(t.qname) for t in catalog.tables if t.owner == other]
    if owned:
        fix = "give them to a NOLOGIN role: [roles] owner" if other == name else leave
        yield Finding(
            "role.owner",
            "error",
            name,
            f"{who} owns {_list(owned)} and may switch row level security off",
            fix,
        )
    schemas = [s.name for s in catalog.schemas if s.owner == other and s.name in spec.tenancy.schemas]
    if schemas:
        yield Finding(
            "role.schema", "error", name, f"{who} owns schema {_list(schemas)} and may drop any table in it"
        )


def _privileges(
    role: str, targets: Sequence[Target], shared: Sequence[QName], may: Mapping[QName, Rights]
) -> Iterator[Finding]:
    """Privileges that no application needs and that row level security does not bind."""
    excess = [
        (t.table.qname, _NEVER | (_WRITE - {"INSERT"} if t.kind == "trail" else set())) for t in targets
    ]
    for name, never in [*excess, *((n, _NEVER | _WRITE) for n in shared)]:
        words = sorted(never & may.get(name, Rights()).words)
        if words:
            fix = f"REVOKE {', '.join(words)} ON {qualified(name)} FROM {quote(role)}"
            yield Finding(
                "grant", "error", display(name), f"{role} has {', '.join(words)} on {display(name)}", fix
            )


_PRESETS = """
SELECT coalesce(r.rolname, 'every role'), c.setting
FROM pg_catalog.pg_db_role_setting AS s
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole
LEFT JOIN pg_catalog.pg_database AS d ON d.oid = s.setdatabase
CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c (setting)
WHERE (s.setdatabase = 0 OR d.datname = pg_catalog.current_database())
  AND (s.setrole = 0 OR r.rolname IN (%s, %s))
  AND pg_catalog.starts_with(pg_catalog.lower(c.setting), pg_catalog.lower(%s) || '=')
ORDER BY 1, 2
"""


def _preset(admin: Conn, app: App, spec: Spec) -> Iterator[Finding]:
    """A tenant that sessions have before they ask for one: then nothing fails closed."""
    setting = spec.tenancy.setting
    for role, text in admin.execute(_PRESETS, (app.role, app.login, setting)):
        yield Finding(
            "setting.preset",
            "error",
            role,
            f"{text} is a default of {role}: a session that sets no tenant has one",
        )
    now = app.fresh.execute("SELECT pg_catalog.current_setting(%s, true)", (setting,)).fetchone()
    if now is not None and now[0]:
        yield Finding(
            "setting.preset", "error", setting, f"a new connection already has {setting} = {now[0]!r}"
        )


def _not_looked_at(spec: Spec, catalog: Catalog, app: App | str) -> Iterator[str]:
    """What the proof says nothing about, in plain words."""
    if isinstance(app, App) and app.assume:
        yield f"the application's own login and pooler: {app.role} was taken by SET ROLE"
    yield "more than one row of one tenant in each table, against one other tenant"
    for label, scope in (
        ("ignored tables", "ignored"),
        ("rows of shared tables, which every tenant reads", "shared"),
    ):
        tables = [display(n) for n, r in sorted(spec.tables.items()) if r.scope == scope]
        if tables:
            yield f"{label}: {_list(tables)}"
    schemas = [s.name for s in catalog.schemas if s.name not in spec.tenancy.schemas]
    if schemas:
        yield f"other schemas: {_list(schemas)}"
    views = [display(v.qname) for v in catalog.views if v.extension is None]
    if views:
        yield f"views and materialized views: {_list(views)}"
    functions = sorted(
        {display(f.qname) for f in catalog.functions if f.security_definer and f.extension is None}
    )
    if functions:
        yield f"SECURITY DEFINER functions: {_list(functions)}"
    mine = app.role if isinstance(app, App) else app
    roles = [r.name for r in catalog.roles if r.login and not r.superuser and r.name != mine]
    if roles:
        yield f"other logins: {_list(roles)}"
    yield "what tells of rows without showing them: unique keys, EXPLAIN, timing, statistics, sequences"
    yield "large objects, publications, backups, LISTEN/NOTIFY and shared connections"


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more

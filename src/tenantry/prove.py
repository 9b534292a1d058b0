"""Proves isolation on a live database: is it in the declared state, what do its catalogs say, and do attacks hold?

Every statement runs in a transaction that is rolled back; in production nothing is written before that. Whatever could
not be looked at is an outcome of its own and keeps the proof from being one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime

import psycopg

from tenantry import checks, introspect, planner
from tenantry.attacks import ATTACKS, DOORS, plan
from tenantry.attacks.aim import ghost, take
from tenantry.attacks.application import App, application
from tenantry.attacks.claims import Claim, Claims
from tenantry.attacks.lab import How, Lab, Wire
from tenantry.attacks.reach import Reach, reach
from tenantry.attacks.target import Rights, Target, find, rights
from tenantry.catalog import Catalog
from tenantry.checks.waivers import Baseline
from tenantry.conversion import reconcile
from tenantry.errors import CatalogError, PlanError
from tenantry.finding import Finding, Mode, Outcome, Place, Proof
from tenantry.names import QName, display, qualified
from tenantry.session import Conn, connect
from tenantry.spec import Spec
from tenantry.steps import resolvers

_LISTED = 8  # names in one sentence


def prove(
    dsn: str,
    spec: Spec,
    *,
    app_dsn: str | None = None,
    mode: Mode = "safe",
    how: How | None = None,
    baseline: Baseline | None = None,
    now: datetime,
) -> Proof:
    """Check and attack the database that ``dsn`` leads to, as an administrator whom row level security does not bind.

    The attacks run through ``app_dsn``, the application's own, or as ``spec.roles.app`` by SET ROLE. ``how`` goes before
    ``mode``; findings of the ``baseline`` do not count. Raises CatalogError when the database cannot be reached or read,
    when the administrator is bound by row level security (no control could look) or may not take the role.
    """
    begun = time.monotonic()
    with contextlib.closing(connect(dsn, "tenantry prove")) as admin:
        catalog = introspect.read(admin)
    try:
        pending = tuple(step.id for step in planner.plan(spec, catalog, "online"))
        refused: tuple[str, ...] = ()
    except PlanError as error:
        pending, refused = (), error.problems
    proof = examine(dsn, spec, catalog, app_dsn=app_dsn, how=how or How(mode), baseline=baseline, now=now)
    problems = tuple(Finding("plan", "error", "spec", problem) for problem in refused)
    return replace(
        proof, pending=pending, findings=problems + proof.findings, seconds=time.monotonic() - begun
    )


def outcomes(
    dsn: str,
    spec: Spec,
    catalog: Catalog,
    tables: Set[str],
    *,
    app_dsn: str | None = None,
    how: How = How(),  # noqa: B008 - a value
    doors: Set[str] = frozenset(),
) -> tuple[Outcome, ...]:
    """The attacks on some tables, by the names that people read, and some other ways to rows, by their attack.

    Raises what :func:`prove` does, and when none is possible.
    """
    found = _attacked(dsn, spec, catalog, app_dsn, how, tables, doors).outcomes
    missing = tables - {o.object for o in found}
    return found + tuple(
        Outcome("all", name, "error", detail="could not look: nothing could be attacked here")
        for name in sorted(missing)
    )


def examine(
    dsn: str,
    spec: Spec,
    catalog: Catalog,
    *,
    app_dsn: str | None = None,
    how: How = How(),  # noqa: B008 - a value
    baseline: Baseline | None = None,
    now: datetime,
) -> Proof:
    """All of :func:`prove` but planning again: checks and attacks on a catalog that was read before."""
    request = checks.Request(spec=spec, baseline=baseline)
    review = checks.check(dsn, request, app_dsn=app_dsn, now=now)
    left_out = tuple(line for line in review.not_looked_at if line != checks.NOTHING_TRIED)
    found = _attacked(dsn, spec, catalog, app_dsn, how)
    return Proof(
        when=now.isoformat(timespec="seconds"),
        server=f"PostgreSQL {catalog.server.version // 10000}.{catalog.server.version % 10000}, "
        f"database {catalog.server.database}",
        role=found.role,
        pending=(),
        findings=tuple(found.findings),
        outcomes=found.outcomes,
        not_looked_at=tuple(_not_looked_at(spec, catalog, found.app, how)),
        mode=how.mode,
        review=replace(review, not_looked_at=left_out),
        fingerprint=catalog.digest,
        places=tuple(_places(spec, catalog)),
    )


@dataclass(slots=True)
class _Found:
    """What the attacks came to."""

    role: str
    app: App | None = None
    findings: list[Finding] = field(default_factory=list)
    outcomes: tuple[Outcome, ...] = ()


def _attacked(
    dsn: str,
    spec: Spec,
    catalog: Catalog,
    app_dsn: str | None,
    how: How,
    only: Set[str] | None = None,
    doors: Set[str] | None = None,
) -> _Found:
    """The attacks on the tables that ``only`` names as people read them, and through ``doors``; None for all."""
    targets, unfit = find(spec, catalog)
    found = _Found(f"{spec.roles.app} (not there)")
    found.findings += [Finding("target", "error", display(name), why) for name, why in unfit]
    with contextlib.ExitStack() as stack:
        admin = stack.enter_context(contextlib.closing(Wire(lambda: connect(dsn, "tenantry prove"))))
        app = found.app = application(stack, admin.conn, dsn, app_dsn, spec.roles.app, catalog)
        tenants = next((t for t in targets if t.kind == "tenants"), None)
        if app is None:
            return found
        found.role = app.told
        found.findings += [*_other_role(app, spec), *_preset(app, spec)]
        names = [t.table.qname for t in targets]
        _refuse_bound(admin.conn, names)
        if tenants is not None:
            may = rights(admin.conn, app.role, names)
            able = {t.table.qname: replace(t, rights=may.get(t.table.qname, Rights())) for t in targets}
            lab = _lab(admin, app, spec, able, tenants, how)
            found.outcomes = attack(lab, only)
            if doors is None or doors:
                reached = _unexempt(spec, reach(lab, catalog, _scopes(spec, catalog)))
                found.outcomes += tuple(_doors(lab, reached, doors))
    return found


def _unexempt(spec: Spec, reached: Reach) -> Reach:
    """Without the resolvers, which answer for every tenant by design; the report lists them."""
    conversion, _ = reconcile(spec, reached.catalog, "online")
    exempt = {f.qname for f in reached.catalog.functions if resolvers.is_resolver(conversion, f)}
    return replace(reached, functions=tuple(f for f in reached.functions if f.name not in exempt))


def _lab(
    admin: Wire, app: App, spec: Spec, targets: Mapping[QName, Target], tenants: Target, how: How
) -> Lab:
    return Lab(
        admin=admin,
        app=app.main,
        fresh=app.fresh,
        role=app.role,
        assume=app.assume,
        claims=Claims((Claim(spec.tenancy.setting),)),
        ghost=ghost(admin.conn, tenants),
        tenants=tenants,
        targets=targets,
        how=how,
    )


def _refuse_bound(admin: Conn, names: Sequence[QName]) -> None:
    """Raise CatalogError when the administrator would not see every row of every table."""
    query = (
        "SELECT n FROM pg_catalog.unnest(%s::text[]) WITH ORDINALITY AS u (n, o) "
        "WHERE pg_catalog.row_security_active(n) ORDER BY o"
    )
    active = {n for (n,) in admin.execute(query, ([qualified(name) for name in names],))}
    bound = [display(name) for name in names if qualified(name) in active]
    if bound:
        raise CatalogError(
            f"role {admin.info.user} is bound by row level security on {_list(bound)}: "
            "it cannot look at the rows of every tenant, so no control would mean anything; "
            "connect as a superuser or a role with BYPASSRLS"
        )


def attack(lab: Lab, only: Set[str] | None = None) -> tuple[Outcome, ...]:
    """Every attack on every target that it applies to, or on those that ``only`` names."""
    chosen = [t for t in lab.targets.values() if only is None or t.label in only]
    return tuple(outcome for target in chosen for outcome in _on(lab, target))


def _on(lab: Lab, target: Target) -> Iterator[Outcome]:
    chosen = [a for a in ATTACKS if a.applies(target) and (lab.how.writes or not a.WRITES)]
    why, dear = "there is no tenant: could not look", ""
    try:
        aim = take(lab, target)
        dear = plan.dear(lab, target)
    except psycopg.Error as error:
        aim, why = None, _looked(error)
    for one in chosen:
        if aim is None:
            yield Outcome(one.NAME, target.label, "error", detail=why)
        elif dear and one is not plan:
            yield Outcome(one.NAME, target.label, "skipped", detail=dear)
        else:
            try:
                yield one.run(lab, aim)
            except psycopg.Error as error:
                yield Outcome(one.NAME, target.label, "error", detail=_looked(error))


def _doors(lab: Lab, reached: Reach, only: Set[str] | None) -> Iterator[Outcome]:
    """The other ways to rows; one that cannot look ends with an error, and the next begins."""
    for door in DOORS:
        if (door.WRITES and not lab.how.writes) or (only is not None and door.NAME not in only):
            continue
        try:
            yield from door.run(lab, reached)
        except psycopg.Error as error:
            yield Outcome(door.NAME, "database", "error", detail=_looked(error))


def _looked(error: psycopg.Error) -> str:
    """Why a look-up failed; a lost connection is made again for the next one."""
    return f"could not look: {error.sqlstate or 'connection lost'} {error.diag.message_primary or str(error).strip()}"


def _other_role(app: App, spec: Spec) -> Iterator[Finding]:
    if app.role != spec.roles.app:
        told = f"the application connects as {app.role}; the spec calls its role {spec.roles.app}"
        yield Finding("role.other", "warning", app.role, told)


def _preset(app: App, spec: Spec) -> Iterator[Finding]:
    """A tenant that the application's own connections have before they ask for one: then nothing fails closed."""
    setting = spec.tenancy.setting
    now = app.fresh.conn.execute("SELECT pg_catalog.current_setting(%s, true)", (setting,)).fetchone()
    if now is not None and now[0]:
        told = f"a new connection already has {setting} = {now[0]!r}"
        yield Finding(
            "session.preset", "error", setting, told, "take it out of the application's DSN, or RESET it"
        )


def _scopes(spec: Spec, catalog: Catalog) -> Mapping[QName, str]:
    """What the spec says of each table; partitions and children follow their parent."""
    scopes: dict[QName, str] = {QName(*n): r.scope for n, r in spec.tables.items()}
    scopes[spec.tenancy.tenants] = "tenants"
    if spec.audit:
        scopes[spec.audit.table] = "trail"
    for table in catalog.tables:
        for part in catalog.descendants(table.qname):
            if table.qname in scopes:
                scopes.setdefault(part.qname, scopes[table.qname])
    return scopes


def _places(spec: Spec, catalog: Catalog) -> Iterator[Place]:
    """Every table, with its scope in the spec's words."""
    scopes = _scopes(spec, catalog)
    for table in catalog.tables:
        references = dict.fromkeys(display(fk.references) for fk in table.foreign_keys if fk.references)
        scope = scopes.get(table.qname, "undecided")
        yield Place(display(table.qname), scope, tuple(references), table.rows or None)


def _not_looked_at(spec: Spec, catalog: Catalog, app: App | None, how: How) -> Iterator[str]:
    """What the proof says nothing about, in plain words."""
    if app is not None and app.assume:
        yield f"the application's own login and pooler: {app.role} was taken by SET ROLE"
    if not how.writes:
        yield "what only a statement that writes can show (foreign keys, triggers, DDL): `tenantry prove --full` tries it on a copy"
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
    conversion, _ = reconcile(spec, catalog, "online")
    for function, read in resolvers.exemption(conversion):
        yield f"resolver {function}, exempt: it reads {read} of every tenant, and returns a tenant's id"
    mine = app.role if app is not None else spec.roles.app
    roles = [r.name for r in catalog.roles if r.login and not r.superuser and r.name != mine]
    if roles:
        yield f"other logins: {_list(roles)}"
    yield "what tells of rows without showing them: EXPLAIN, timing, statistics"
    yield "backups, LISTEN/NOTIFY and shared connections"


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more

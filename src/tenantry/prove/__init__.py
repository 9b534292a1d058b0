"""Proves isolation on a live database: is it in the declared state, what do its catalogs say, and do attacks hold?

Every statement runs in a transaction that is rolled back; in production nothing is written before that. Whatever could
not be looked at is an outcome of its own and keeps the proof from being one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime

from tenantry import checks, introspect, planner
from tenantry.attacks import relation
from tenantry.attacks.application import App, application
from tenantry.attacks.lab import How, Lab, Wire
from tenantry.attacks.reach import reach
from tenantry.attacks.target import Target
from tenantry.catalog import Catalog
from tenantry.checks.waivers import Baseline
from tenantry.counts import listed
from tenantry.errors import CatalogError, PlanError, SpecError
from tenantry.finding import Finding, Mode, Outcome, Proof, Review
from tenantry.names import QName, display, qualified
from tenantry.prove import run, tell
from tenantry.prove.ground import Ground, declared
from tenantry.prove.recognise import recognised
from tenantry.prove.signing import signed
from tenantry.session import LOCK_TIMEOUT, Conn, connect
from tenantry.spec import Spec


def prove(
    dsn: str,
    spec: Spec | None,
    *,
    app_dsn: str | None = None,
    app_role: str | None = None,
    shared: Set[QName] = frozenset(),
    mode: Mode = "safe",
    how: How | None = None,
    baseline: Baseline | None = None,
    now: datetime,
) -> Proof:
    """Check and attack the database that ``dsn`` leads to, as an administrator whom row level security does not bind.

    The attacks run through ``app_dsn``, the application's own, or as its role by SET ROLE: that of the spec, else
    ``app_role``. Without a spec the tenancy is recognised from the policies and tried; ``shared`` are tables that are
    everybody's. ``how`` goes before ``mode``; findings of the ``baseline`` do not count. Raises CatalogError when the
    database cannot be reached or read, when the administrator is bound by row level security (no control could look) or
    may not take the role; SpecError when, without a spec, the application's role is not known.
    """
    begun = time.monotonic()
    with contextlib.closing(connect(dsn, "tenantry prove")) as admin:
        admin.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}s'".encode())
        catalog = introspect.read(admin)
    pending, refused = _planned(spec, catalog)
    if spec is None and app_dsn is None:
        _refuse_unknown(app_role, catalog)
    if missing := sorted(shared - catalog.by_name.keys()):
        raise SpecError(
            f"shared table {display(missing[0])} is not there; name tables as `tenantry inspect` does"
        )
    proof = examine(
        dsn, spec, catalog,
        app_dsn=app_dsn, app_role=app_role, shared=shared, how=how or How(mode), baseline=baseline, now=now,
    )  # fmt: skip
    problems = tuple(Finding("plan", "error", "spec", problem) for problem in refused)
    return replace(
        proof, pending=pending, findings=problems + proof.findings, seconds=time.monotonic() - begun
    )


def _planned(spec: Spec | None, catalog: Catalog) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The steps that a spec still asks for, and why it cannot be planned."""
    if spec is None:
        return (), ()
    try:
        return tuple(step.id for step in planner.plan(spec, catalog, "online")), ()
    except PlanError as error:
        return (), error.problems


def _refuse_unknown(role: str | None, catalog: Catalog) -> None:
    """Raise SpecError when nobody said who the application is, or said a role that is not there."""
    if role in catalog.roles_by_name:
        return
    free = {r.name for r in catalog.roles if r.superuser or r.bypass_rls} | {""}
    able = {g.role for t in catalog.tables if t.row_security for g in (*t.grants, *t.column_grants)}
    owners = {t.owner for t in catalog.tables}
    told = f"there is no role {role}" if role else "without a spec the application's role is not known"
    some = ", ".join(sorted(able - free - owners)) or "none"
    raise SpecError(
        f"{told}; give --app-dsn, or --app-role (roles with rights on tables with row level security: {some})"
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
    request = _Request(dsn, spec, catalog, app_dsn, how, only=tables, doors=doors)
    found = _attacked(request).outcomes
    missing = tables - {o.object for o in found}
    return found + tuple(
        Outcome("all", name, "error", detail="could not look: nothing could be attacked here")
        for name in sorted(missing)
    )


def examine(
    dsn: str,
    spec: Spec | None,
    catalog: Catalog,
    *,
    app_dsn: str | None = None,
    app_role: str | None = None,
    shared: Set[QName] = frozenset(),
    how: How = How(),  # noqa: B008 - a value
    baseline: Baseline | None = None,
    now: datetime,
) -> Proof:
    """All of :func:`prove` but planning again: checks and attacks on a catalog that was read before."""
    found = _attacked(_Request(dsn, spec, catalog, app_dsn, how, app_role, shared))
    roles = (app_role,) if spec is None and app_role is not None and app_dsn is None else ()
    asked = checks.Request(spec=spec, roles=roles, baseline=baseline, told=found.ground.told)
    review, unchecked = _reviewed(dsn, asked, app_dsn, now)
    tried = {o.attack for o in found.outcomes}
    return Proof(
        when=now.isoformat(timespec="seconds"),
        server=f"PostgreSQL {catalog.server.version // 10000}.{catalog.server.version % 10000}, "
        f"database {catalog.server.database}",
        role=found.role,
        pending=(),
        findings=(*unchecked, *found.findings),
        outcomes=found.outcomes,
        not_looked_at=tuple(tell.left_out(found.ground, catalog, found.app, how, tried)),
        mode=how.mode,
        review=review,
        fingerprint=catalog.digest,
        places=tuple(tell.places(found.ground, catalog)),
    )


def _reviewed(
    dsn: str, request: checks.Request, app_dsn: str | None, now: datetime
) -> tuple[Review | None, tuple[Finding, ...]]:
    """The static checks; where they cannot read the catalogs, because a table is locked say, that is a finding."""
    try:
        review = checks.check(dsn, request, app_dsn=app_dsn, now=now)
    except CatalogError as error:
        return None, (Finding("check-failed", "error", "catalog", str(error), "see to that and prove again"),)
    left_out = tuple(line for line in review.not_looked_at if line != checks.NOTHING_TRIED)
    return replace(review, not_looked_at=left_out), ()


@dataclass(frozen=True, slots=True)
class _Request:
    """What to attack, and from where. ``only`` names tables as people read them, ``doors`` attacks; None for all."""

    dsn: str
    spec: Spec | None
    catalog: Catalog
    app_dsn: str | None
    how: How
    app_role: str | None = None
    shared: Set[QName] = frozenset()
    only: Set[str] | None = None
    doors: Set[str] | None = None


@dataclass(slots=True)
class _Found:
    """What the attacks came to."""

    ground: Ground
    role: str
    app: App | None = None
    findings: list[Finding] = field(default_factory=list)
    outcomes: tuple[Outcome, ...] = ()


def _attacked(request: _Request) -> _Found:
    spec, catalog = request.spec, request.catalog
    role = spec.roles.app if spec is not None else request.app_role or ""
    with contextlib.ExitStack() as stack:
        admin = stack.enter_context(contextlib.closing(Wire(lambda: _administrator(request.dsn))))
        app = application(stack, admin.conn, request.dsn, request.app_dsn, role, catalog)
        if app is None or spec is not None:
            assert spec is not None  # without one, the role is there
            ground = signed(admin.conn, spec, declared(spec, catalog))
        else:
            _refuse_bound(admin.conn, [t.qname for t in catalog.tables])
            ground = recognised(admin, app, catalog, request.how, request.shared)
        found = _Found(ground, app.told if app is not None else f"{role} (not there)", app)
        found.findings += ground.findings
        if app is not None:
            found.findings += tell.session(app, ground, role)
            for part in (ground, *ground.further):
                _refuse_bound(admin.conn, [t.table.qname for t in part.targets])
            found.outcomes = _outcomes(request, admin, app, ground)
        found.outcomes += ground.unknown
    return found


def _administrator(dsn: str) -> Conn:
    """A connection on which nothing waits long for a lock, or runs on: what an attack asks has limits of its own."""
    conn = connect(dsn, "tenantry prove", watched=True)
    conn.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}s'".encode())
    conn.execute(f"SET statement_timeout = '{checks.TIMEOUT}s'".encode())
    return conn


def _outcomes(request: _Request, admin: Wire, app: App, ground: Ground) -> tuple[Outcome, ...]:
    """The attacks themselves; none where nothing tells which tenants there are."""
    if ground.tenants is None:
        return ()
    lab = _lab(request, admin, app, ground, ground.tenants)
    further = [_lab(request, admin, app, g, g.tenants) for g in ground.further if g.tenants is not None]
    outcomes = tuple(outcome for one in (lab, *further) for outcome in run.attack(one, request.only))
    if request.doors is None or request.doors:
        known = frozenset(name for one in (lab, *further) for name in one.targets)
        reached = reach(lab, request.catalog, ground.scopes, ground.exempt, known, ground.searches)
        outcomes += tuple(run.doors(lab, reached, request.doors))
        for one in further:  # what shows their rows is judged by whom they belong to
            above = reach(one, request.catalog, ground.scopes, known=known)
            shown = replace(above, relations=tuple(r for r in above.relations if r.tenants), functions=())
            outcomes += tuple(run.doors(one, shown, {relation.NAME}))
    return outcomes


def _lab(request: _Request, admin: Wire, app: App, ground: Ground, tenants: Target) -> Lab:
    targets = run.able(admin.conn, app.role, ground.targets)
    return run.lab(admin, app, ground.claims, targets, tenants, request.how)


def _refuse_bound(admin: Conn, names: Sequence[QName]) -> None:
    """Raise CatalogError when the administrator would not see every row of every table."""
    query = (
        "SELECT n FROM pg_catalog.unnest(%s::text[]) WITH ORDINALITY AS u (n, o) "
        "WHERE pg_catalog.row_security_active(pg_catalog.to_regclass(n)::pg_catalog.oid) ORDER BY o"
    )
    active = {n for (n,) in admin.execute(query, ([qualified(name) for name in names],))}
    bound = [display(name) for name in names if qualified(name) in active]
    if bound:
        raise CatalogError(
            f"role {admin.info.user} is bound by row level security on {listed(bound)}: "
            "it cannot look at the rows of every tenant, so no control would mean anything; "
            "connect as a superuser or a role with BYPASSRLS"
        )

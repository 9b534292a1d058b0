"""Proves isolation on a live database: is it in the declared state, what do its catalogs say, and do attacks hold?

Every statement runs in a transaction that is rolled back; in production nothing is written before that. Whatever could
not be looked at is an outcome of its own and keeps the proof from being one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime

from tenantry import checks, introspect, planner
from tenantry.attacks.aim import ghost
from tenantry.attacks.application import App, application
from tenantry.attacks.lab import How, Lab, Wire
from tenantry.attacks.reach import reach
from tenantry.attacks.target import Rights, Target, rights
from tenantry.catalog import Catalog
from tenantry.checks.waivers import Baseline
from tenantry.errors import CatalogError, PlanError
from tenantry.finding import Finding, Mode, Outcome, Proof, Review
from tenantry.names import QName, display, qualified
from tenantry.prove import run, tell
from tenantry.prove.ground import Ground, declared, listed
from tenantry.session import LOCK_TIMEOUT, Conn, connect
from tenantry.spec import Spec


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
        admin.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}s'".encode())
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
    review, unchecked = _reviewed(dsn, request, app_dsn, now)
    found = _attacked(dsn, spec, catalog, app_dsn, how)
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


@dataclass(slots=True)
class _Found:
    """What the attacks came to."""

    ground: Ground
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
    ground = declared(spec, catalog)
    found = _Found(ground, f"{ground.role} (not there)")
    found.findings += ground.findings
    with contextlib.ExitStack() as stack:
        admin = stack.enter_context(contextlib.closing(Wire(lambda: connect(dsn, "tenantry prove"))))
        app = found.app = application(stack, admin.conn, dsn, app_dsn, ground.role, catalog)
        if app is None:
            return found
        found.role = app.told
        found.findings += tell.session(app, ground)
        names = [t.table.qname for t in ground.targets]
        _refuse_bound(admin.conn, names)
        if ground.tenants is not None:
            may = rights(admin.conn, app.role, names)
            able = {
                t.table.qname: replace(t, rights=may.get(t.table.qname, Rights())) for t in ground.targets
            }
            lab = _lab(admin, app, ground, able, ground.tenants, how)
            found.outcomes = run.attack(lab, only)
            if doors is None or doors:
                reached = reach(lab, catalog, ground.scopes, ground.exempt)
                found.outcomes += tuple(run.doors(lab, reached, doors))
    return found


def _lab(
    admin: Wire, app: App, ground: Ground, targets: Mapping[QName, Target], tenants: Target, how: How
) -> Lab:
    return Lab(
        admin=admin,
        app=app.main,
        fresh=app.fresh,
        role=app.role,
        assume=app.assume,
        claims=ground.claims,
        ghost=ghost(admin.conn, tenants),
        tenants=tenants,
        targets=targets,
        how=how,
    )


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

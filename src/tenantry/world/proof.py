"""``prove --lab``: a proof in a world made for it, where every attack meets rows of two tenants.

The schema of a database is cloned, converted there if it is not yet, and filled; then everything is tried, also what
writes. Nothing is changed at the source. What did not get into the lab, or got no rows, is an outcome without an
answer: it is never "held".
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

import psycopg
from psycopg.conninfo import make_conninfo

from tenantry import introspect, keys, planner, prove
from tenantry.apply import apply
from tenantry.attacks.target import find
from tenantry.catalog import Catalog
from tenantry.checks.waivers import Baseline
from tenantry.counts import counted
from tenantry.embedded import cluster, embedded_binaries
from tenantry.errors import CatalogError
from tenantry.finding import Outcome, Proof
from tenantry.names import display, qualified
from tenantry.session import Conn, connect
from tenantry.spec import Spec
from tenantry.steps import context
from tenantry.world.clone import Clone, clone
from tenantry.world.seed import Missing, Seeded, seed

SETTINGS = {
    "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "60",
    "max_locks_per_transaction": "1024", "autovacuum": "off",
}  # fmt: skip
Say = Callable[[str], None]


def prove_in_lab(
    dsn: str, spec: Spec, *, baseline: Baseline | None = None, now: datetime, say: Say = lambda _: None
) -> Proof:
    """Prove isolation on a copy of the schema that ``dsn`` leads to. ``say`` gets a line per stage.

    Raises CatalogError when there is no embedded server, or the schema cannot be read or copied; PlanError when the
    copy is not converted and cannot be; ApplyError when converting it fails.
    """
    try:
        binaries = embedded_binaries()
    except RuntimeError as error:
        raise CatalogError(str(error)) from error
    with cluster(binaries, settings=SETTINGS) as server:
        say("copying the schema")
        copy = clone(dsn, server)
        converted = convert(copy.dsn, spec, say)
        say("making two tenants, with rows in every table")
        seeded = fill(copy.dsn, spec)
        say("attacking")
        catalog = _catalog(copy.dsn)
        login = app_dsn(copy.dsn, spec, catalog)
        proof = prove.prove(copy.dsn, spec, app_dsn=login, mode="lab", baseline=baseline, now=now)
        return _told(answered(proof, seeded), copy, converted, seeded)


def _catalog(dsn: str) -> Catalog:
    with contextlib.closing(connect(dsn, "tenantry prove --lab")) as conn:
        return introspect.read(conn)


def convert(dsn: str, spec: Spec, say: Say = lambda _: None) -> bool:
    """Convert a copy of a database that is not converted; True if it was done.

    One that is converted stays as it is, whatever the plan still asks for: mending the copy would hide that the
    database itself is open. Raises PlanError and ApplyError.
    """
    catalog = _catalog(dsn)
    if _begun(spec, catalog):
        return False
    plan = planner.plan(spec, catalog, "online")
    say(f"converting the copy: {counted(len(plan.steps), 'step')}")
    apply(dsn, plan)
    return bool(plan)


def _begun(spec: Spec, catalog: Catalog) -> bool:
    """Whether any tenant table binds even its owner, by a policy that asks for the tenant of the spec's setting."""
    targets, _ = find(spec, catalog)
    bound = [t.table for t in targets if t.kind == "tenant" and t.table.row_security and t.table.forced]
    policies = [p for table in bound for p in table.policies]
    asked = (spec.tenancy.setting, context.at(spec, "current_tenant").name)
    return any(one in f"{p.using} {p.check}" for p in policies for one in asked)


def fill(dsn: str, spec: Spec) -> Seeded:
    """Two tenants with rows in every table, and a key where tenants are signed; materialized views see them too."""
    if context.signed(spec):
        keys.new(dsn, spec)
    with contextlib.closing(connect(dsn, "tenantry prove --lab")) as conn:
        seeded = seed(conn, spec)
        stale = _refresh(conn)
    notes = [f"materialized view {name} cannot be refreshed: {why}" for name, why in stale]
    return replace(seeded, notes=seeded.notes + tuple(notes))


def _refresh(conn: Conn) -> Sequence[tuple[str, str]]:
    """Refresh the materialized views, again as long as one that others read was not; what cannot be, and why."""
    views = [v.qname for v in introspect.read(conn).views if v.materialized and v.extension is None]
    while views:
        failed = []
        for name in views:
            try:
                conn.execute(f"REFRESH MATERIALIZED VIEW {qualified(name)}".encode())
            except psycopg.Error as error:
                if error.sqlstate is None:
                    raise
                failed.append((name, error.diag.message_primary or ""))
        if len(failed) == len(views):
            return [(display(name), why) for name, why in failed]
        views = [name for name, _ in failed]
    return []


def app_dsn(dsn: str, spec: Spec, catalog: Catalog) -> str | None:
    """The application's own login; None when its role is not there or logs in under another name."""
    role = catalog.roles_by_name.get(spec.roles.app)
    return make_conninfo(dsn, user=role.name) if role is not None and role.login else None


def answered(proof: Proof, seeded: Seeded) -> Proof:
    """A proof in which no attack on a table without rows of both tenants counts as held."""
    reasons: dict[str, Missing] = {}
    for missing in seeded.missing:
        reasons.setdefault(display(missing.table), missing)
    outcomes = [
        replace(o, status="error", detail=_unfilled(reasons[o.object]))
        if o.object in reasons and o.status == "held"
        else o
        for o in proof.outcomes
    ]
    attacked = {o.object for o in outcomes}
    outcomes += [
        Outcome("all", name, "error", detail=_unfilled(missing))
        for name, missing in reasons.items()
        if name not in attacked
    ]
    return replace(proof, outcomes=tuple(outcomes))


def _unfilled(missing: Missing) -> str:
    whose = f"tenant {missing.tenant}" if missing.tenant else "any tenant"
    return f"no row of {whose} could be made: {missing.reason}"


def _told(proof: Proof, copy: Clone, converted: bool, seeded: Seeded) -> Proof:
    """The proof with what the lab is and what is not in it."""
    source = copy.source.server
    left = [
        Outcome("clone", left.object, "error", detail=f"not in the lab: {left.reason}") for left in copy.left
    ]
    return replace(
        proof,
        server=f"a lab of {_version(copy.version)} with the schema of database {source.database} ({_version(source.version)})",
        outcomes=proof.outcomes + tuple(left),
        not_looked_at=(*_not_in_lab(copy, converted, seeded), *proof.not_looked_at),
        fingerprint=proof.fingerprint if converted else copy.source.digest,
    )


def _version(number: int) -> str:
    return f"PostgreSQL {number // 10000}.{number % 10000}"


def _not_in_lab(copy: Clone, converted: bool, seeded: Seeded) -> Iterator[str]:
    source = copy.source.server
    if converted:
        yield (
            f"database {source.database} as it is: it is not converted; this is about its schema as `tenantry apply` would leave it"
        )
    yield f"the rows of database {source.database}, its server's configuration, passwords and who may connect"
    if source.version != copy.version:
        yield f"{_version(source.version)}, which the database runs on, and its known bugs"
    if copy.absent:
        yield f"extensions that the lab does not have: {', '.join(copy.absent)}"
    yield from dict.fromkeys(seeded.notes)

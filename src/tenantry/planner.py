"""Spec and catalog in, plan out; refuses what it cannot decide. Pure: the same inputs give the same bytes."""

from __future__ import annotations

from collections.abc import Iterator

from tenantry import collector
from tenantry.catalog import Catalog
from tenantry.conversion import UNMENTIONED, Conversion, reconcile
from tenantry.errors import PlanError
from tenantry.plan import Backfill, Change, Phase, Plan, Profile
from tenantry.spec import Spec
from tenantry.steps import (
    access,
    audit,
    backfill,
    capture,
    columns,
    conflicts,
    context,
    ddlguard,
    events,
    fill,
    isolate,
    observe,
    references,
    resolvers,
    searches,
    swap,
    tenants,
    trailfunctions,
    trailproblems,
    uniques,
    work,
    workfunctions,
)

_PHASES = list(Phase)


@collector.paused()
def plan(spec: Spec, catalog: Catalog, profile: Profile) -> Plan:
    """Plan what the database still lacks; an empty plan means that it is in the declared state.

    Raises PlanError with every problem at once, before anything is planned.
    """
    conversion, problems = reconcile(spec, catalog, profile)
    problems += _problems(conversion)
    if problems:
        pending = all(p.endswith(UNMENTIONED) for p in problems)
        raise PlanError(list(dict.fromkeys(problems)), pending=pending)
    steps = sorted(
        ddlguard.lifted(conversion, _steps(conversion)), key=lambda s: _PHASES.index(s.phase)
    )  # stable: order within a phase stays
    _check_ids(steps)
    return Plan(
        spec_digest=spec.digest,
        catalog_digest=catalog.digest,
        profile=profile,
        steps=tuple(steps),
        notes=tuple(dict.fromkeys(_notes(conversion))),
        guards=tuple(_guards(conversion)) if steps else (),
        probes=tuple(searches.probes(conversion)) if steps else (),
    )


def _guards(c: Conversion) -> Iterator[tuple[str, str]]:
    """What a revert would lose."""
    yield from tenants.guards(c)
    yield from audit.revert_guards(c)


def _problems(c: Conversion) -> list[str]:
    parts = (
        context,
        tenants,
        backfill,
        uniques,
        references,
        isolate,
        observe,
        audit,
        trailproblems,
        capture,
        access,
        resolvers,
        searches,
        work,
    )
    return [p for part in parts for p in part.problems(c)]


def _steps(c: Conversion) -> Iterator[Change | Backfill]:
    """Every step, in order. Row level security comes after the keys online; in a migrator's files before the
    composite ones, which lift it for their own transaction."""
    yield from context.steps(c)
    yield from tenants.steps(c)
    yield from columns.steps(c)
    yield from fill.steps(c)
    yield from tenants.from_values(c)
    yield from backfill.steps(c)
    yield from columns.not_null(c)
    yield from uniques.create(c, primary=False)
    yield from uniques.create(c, primary=True)
    yield from uniques.parent_keys(c)
    yield from references.to_tenants(c)
    yield from references.add_composites(c)
    yield from references.drop_old(c)
    yield from swap.drop_old(c, primary=False)
    yield from swap.drop_old(c, primary=True)
    yield from uniques.tenant_indexes(c)
    yield from audit.steps(c)
    yield from access.roles(c)
    yield from events.roles(c)
    yield from work.roles(c)
    yield from observe.prepare(c)
    yield from isolate.tables(c)
    yield from isolate.through(c)
    yield from isolate.platform(c)
    yield from audit.guards(c)
    yield from events.steps(c)
    yield from trailfunctions.steps(c)
    yield from work.recorder(c)
    yield from workfunctions.steps(c)
    yield from capture.steps(c)
    yield from observe.cut_over(c)
    yield from fill.cut_over(c)
    yield from columns.final_defaults(c)
    yield from resolvers.steps(c)
    yield from searches.steps(c)
    yield from work.policies(c)
    yield from access.kept_keys(c)
    yield from access.views(c)
    yield from access.ownership(c)
    yield from access.grants(c)
    yield from work.grants(c)
    yield from events.grants(c)
    yield from ddlguard.steps(c)


def _check_ids(steps: list[Change | Backfill]) -> None:
    seen: set[str] = set()
    for step in steps:
        if step.id in seen:
            raise PlanError([f"two steps are called {step.id}; rename one of the objects they are about"])
        seen.add(step.id)


def _notes(c: Conversion) -> Iterator[str]:
    """Code to edit and defaults taken."""
    yield from conflicts.notes(c)
    yield from isolate.notes(c)
    yield from tenants.notes(c)
    yield from backfill.notes(c)
    yield from references.notes(c)
    yield from access.notes(c)
    yield from work.notes(c)

"""What is attacked: the targets, how a session says whose it is, and what the proof says nothing about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tenantry.attacks.claims import Claim, Claims
from tenantry.attacks.target import Target, find
from tenantry.catalog import Catalog
from tenantry.checks.tenancy import Told
from tenantry.conversion import Conversion, reconcile
from tenantry.counts import listed
from tenantry.finding import Finding, Outcome
from tenantry.names import QName, display
from tenantry.spec import Spec
from tenantry.steps import context, resolvers, searches


@dataclass(frozen=True, slots=True)
class Ground:
    """The tenancy of a database, as a spec declares it or as it was recognised.

    ``tenants`` is the target that tells which tenants there are. ``role`` is whom the attacks run as; empty: whoever the application's own DSN logs in as. ``scopes`` are those of
    tables, in the spec's words. ``exempt`` are functions that answer for every tenant by design, ``searches`` those
    that search a table. ``findings`` and
    ``unknown`` say what could not be a target, ``left_out`` what nobody looks at, in plain words. ``further`` is what is
    isolated by something else than the tenant, ``told`` what the static checks need to know of what was recognised.
    """

    role: str
    claims: Claims
    targets: tuple[Target, ...]
    tenants: Target | None
    scopes: Mapping[QName, str]
    exempt: frozenset[QName] = frozenset()
    searches: Mapping[QName, QName] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    unknown: tuple[Outcome, ...] = ()
    left_out: tuple[str, ...] = ()
    further: tuple[Ground, ...] = ()
    told: Told | None = None


def declared(spec: Spec, catalog: Catalog) -> Ground:
    """The tenancy that a spec declares."""
    targets, unfit = find(spec, catalog)
    conversion, _ = reconcile(spec, catalog, "online")
    scopes = _scopes(spec, catalog)
    return Ground(
        role=spec.roles.app,
        claims=Claims((Claim(spec.tenancy.setting),)),
        targets=targets,
        tenants=next((t for t in targets if t.kind == "tenants"), None),
        scopes=scopes,
        exempt=frozenset(
            f.qname
            for f in catalog.functions
            if resolvers.is_resolver(conversion, f) or context.is_ours(conversion, f)
        ),
        searches={one.name: table for one in searches.wanted(conversion) for table, _ in one.reads},
        findings=tuple(Finding("target", "error", display(name), why) for name, why in unfit),
        left_out=tuple(_left_out(spec, catalog, conversion)),
    )


def _scopes(spec: Spec, catalog: Catalog) -> Mapping[QName, str]:
    """What the spec says of each table; partitions and children follow their parent."""
    scopes: dict[QName, str] = {QName(*n): r.scope for n, r in spec.tables.items()}
    scopes[spec.tenancy.tenants] = "tenants"
    if spec.audit:
        scopes[spec.audit.table] = "trail"
    return inherited(scopes, catalog)


def inherited(scopes: Mapping[QName, str], catalog: Catalog) -> Mapping[QName, str]:
    """The scopes with those of partitions and children, which follow their parent."""
    found = dict(scopes)
    for table in catalog.tables:
        for part in catalog.descendants(table.qname):
            if table.qname in found:
                found.setdefault(part.qname, found[table.qname])
    return found


def _left_out(spec: Spec, catalog: Catalog, c: Conversion) -> Iterator[str]:
    for label, scope in (
        ("ignored tables", "ignored"),
        ("rows of shared tables, which every tenant reads", "shared"),
    ):
        tables = [display(n) for n, r in sorted(spec.tables.items()) if r.scope == scope]
        if tables:
            yield f"{label}: {listed(tables)}"
    schemas = [s.name for s in catalog.schemas if s.name not in spec.tenancy.schemas]
    if schemas:
        yield f"other schemas: {listed(schemas)}"
    for function, read in resolvers.exemption(c):
        yield f"resolver {function}, exempt: it reads {read} of every tenant, and returns a tenant's id"
    for function, read in searches.exemption(c):
        yield f"search {function}: it reads {read} of every tenant, and returns keys of the session's; how long it takes tells of the others"

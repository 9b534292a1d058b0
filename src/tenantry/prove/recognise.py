"""The tenancy of a database that nobody declared: guessed from its policies, and believed only once it was tried.

Guessed is which column says whose a row is (:mod:`~tenantry.prove.domains`) and what a session must say
(:mod:`~tenantry.prove.signs`); tried is that a session which says so reads a tenant's row and nobody's session does
(:mod:`~tenantry.prove.trial`). What could not be told is an outcome without an answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

import psycopg

from tenantry.attacks.application import App
from tenantry.attacks.claims import Claim, Claims, Members, Signing
from tenantry.attacks.lab import How, Lab, Wire
from tenantry.attacks.target import Target
from tenantry.catalog import Catalog
from tenantry.checks.tenancy import Told
from tenantry.counts import listed
from tenantry.errors import CatalogError
from tenantry.finding import Outcome
from tenantry.names import QName, display, literal
from tenantry.prove import rules, run, trial
from tenantry.prove.domains import Domain, Domains
from tenantry.prove.ground import Ground, inherited
from tenantry.prove.rules import Called, Rule
from tenantry.prove.signing import recognised as signing_of

NAME = "tenancy"  # the outcomes of what could not be recognised
_DOMAINS = 3  # of more, the least likely are not tried


@dataclass(frozen=True, slots=True)
class _Found:
    """What was tried for one domain. ``score`` tables told tenants apart."""

    domain: Domain
    lab: Lab
    score: int


def recognised(admin: Wire, app: App, catalog: Catalog, how: How, shared: Set[QName] = frozenset()) -> Ground:
    """Look at the policies that apply to the application's role, and try them.

    ``shared`` are tables whose rows every tenant may read. Raises psycopg.Error when a connection is lost.
    """
    found, signed = rules.read(admin.conn, catalog, app.role), signing_of(admin.conn, catalog)
    domains = Domains(catalog, found.policies, shared)
    tried: list[_Found] = []
    why = f"no policy that applies to {app.role} says which tenant a row is of"
    for domain in domains.candidates()[:_DOMAINS]:
        try:
            one = _tried(admin, app, domains, domain, signed.signing, how)
        except CatalogError as error:  # its key is of a type of which nobody can be made up
            one, why = None, str(error)
        tried += [one] if one is not None else []
        if one is not None and one.score:
            break
    best = max(tried, key=lambda t: t.score, default=None)
    if best is None:
        ground = _nothing(app, catalog, found.policies, shared, why)
    else:
        ground = _ground(domains, found.functions, best, shared)
    return replace(ground, findings=(signed.finding,)) if signed.finding is not None else ground


def _tried(
    admin: Wire, app: App, domains: Domains, domain: Domain, signing: Signing | None, how: How
) -> _Found | None:
    """The claims by which a session speaks for one of that domain; None where there is nothing that can be attacked.

    Raises CatalogError when no tenant can be made up that is not there.
    """
    targets = run.able(admin.conn, app.role, domains.targets(domain).values())
    tenants = _tenants(admin, targets)
    if tenants is None:
        return None
    lab = run.lab(admin, app, Claims((), signing=signing), targets, tenants, how)
    asks = _asks(domains.rules)
    chosen = trial.probes(targets, asks)
    lab, score = trial.best(lab, _guess(domains, domain, asks, chosen))
    if lab.claims.members is not None:
        lab = trial.strongest(lab, domains.catalog.by_name[lab.claims.members.table], chosen)
    return _Found(domain, lab, score)


def _guess(
    domains: Domains, domain: Domain, asks: Mapping[QName, frozenset[Claim]], chosen: tuple[Target, ...]
) -> trial.Guess:
    """What sessions may have to say: who the user is, where a policy looks somebody up, else the tenant."""
    looked = {t for r in domains.rules for t in r.tables} - domains.shared
    ways = list(_members(domains, domain, looked))
    tables = {m.table for m in ways}
    users = {c for r in domains.rules if r.tables & tables for c in r.signs.claims}
    claims = sorted({c for some in asks.values() for c in some}, key=lambda c: (c.setting, c.path))
    parts: dict[Claim, trial.Part] = {c: "user" if c in users else "tenant" for c in claims}
    ways += [m for m in _members(domains, domain, _named(domains, domain)) if m.table not in tables]
    return trial.guessed(parts, ways, chosen)


def _members(domains: Domains, domain: Domain, tables: Set[QName]) -> Iterator[Members]:
    """Each way in which one of some tables may say who belongs to a tenant."""
    for name in sorted(tables & domains.catalog.by_name.keys()):
        table = domains.catalog.by_name[name]
        asked = domains.asked.get(name, frozenset())
        for column in domains.columns(domain, table)[:1]:
            yield from trial.members(table, column, asked)


def _named(domains: Domains, domain: Domain) -> Set[QName]:
    """Tables of tenants in which policies name people: by a column beside the tenant's, or the table that it refers to."""
    found: set[QName] = set()
    for rule in domains.rules:
        for column in rule.columns if rule.table in domains.catalog.by_name else ():
            stands = domains.of(rule.table, column)
            if stands != domain:
                found |= {rule.table, *([stands.table] if stands.table else [])}
    return found - domains.shared


def _tenants(admin: Wire, targets: Mapping[QName, Target]) -> Target | None:
    """The table that tells which tenants there are; without one, a table with rows of two, of one, or any.

    One that cannot be looked at tells nothing. Raises psycopg.Error when the connection is lost.
    """
    found: dict[int, Target] = {}
    for target in sorted((t for t in targets.values() if t.column), key=lambda t: t.kind != "tenants"):
        try:
            many = _many(admin, target)
        except psycopg.Error as error:
            if error.sqlstate is None:
                raise
            continue  # its own attacks say so
        if target.kind == "tenants" or many == 2:
            return target
        found.setdefault(many, target)
    return found[max(found)] if found else None


def _many(admin: Wire, target: Target) -> int:
    """Of how many tenants it has rows: none, one, or more. Raises psycopg.Error."""
    owner = target.owner("t")
    query = f"SELECT {owner} FROM {target.sql} AS t WHERE {owner} IS NOT NULL"
    first = admin.conn.execute(f"{query} LIMIT 1".encode()).fetchone()
    if first is None:
        return 0
    other = f"{query} AND {owner} <> {literal(str(first[0]))} LIMIT 1"
    return 1 if admin.conn.execute(other.encode()).fetchone() is None else 2


def _asks(found: Sequence[Rule]) -> Mapping[QName, frozenset[Claim]]:
    asks: dict[QName, frozenset[Claim]] = {}
    for rule in found:
        asks[rule.table] = asks.get(rule.table, frozenset()) | rule.signs.claims
    return asks


def _ground(domains: Domains, functions: Sequence[Called], best: _Found, shared: Set[QName]) -> Ground:
    """What is attacked, with all that must be said of it."""
    lab, known = _accounted(best.lab, _asks(domains.rules))
    claims = replace(lab.claims, claims=tuple(c for c in lab.claims.claims if c in known or not known))
    mine = {n: _with_people(domains, t, claims.members) for n, t in lab.targets.items()}
    further = tuple(_of_people(domains, replace(lab, claims=claims), shared))
    targets = (*lab.targets.values(), *(t for ground in further for t in ground.targets))
    scopes: dict[QName, str] = {t.table.qname: t.kind for t in targets}
    left_out = [f"whether the tenancy is what it should be; recognised was: {_said(claims, best.domain)}"]
    if people := sorted(t.label for ground in further for t in ground.targets):
        left_out.append(
            f"whether what a user reads changes with another user's rows (worlds): {listed(people)}"
        )
    if shared:
        names = listed(display(n) for n in sorted(shared))
        left_out.append(f"rows of shared tables, which every tenant reads: {names}")
    lookups = [f for f in functions if _looks_up(f, claims.members, {_plain(c) for c in known})]
    for name in sorted({f.name for f in lookups}):
        left_out.append(
            f"function {display(name)}, which policies ask for membership: it may read what the caller may not"
        )
    return Ground(
        role=lab.role,
        claims=claims,
        targets=tuple(mine.values()),
        tenants=lab.tenants,
        scopes=inherited(scopes | dict.fromkeys(shared, "shared"), domains.catalog),
        unknown=tuple(
            _unknown(domains, best, {_plain(c) for c in known}, {t.table.qname: t for t in targets})
        ),
        left_out=tuple(left_out),
        further=further,
        told=_told(mine, claims, shared, lookups),
    )


def _accounted(lab: Lab, asks: Mapping[QName, frozenset[Claim]]) -> tuple[Lab, frozenset[Claim]]:
    """Which claims say who the session is; one that does not as the tenant is tried as the user, and the other way round."""

    def counts(one: Lab, claim: Claim) -> bool:
        return trial.counts(
            one, claim, [t for n, t in one.targets.items() if _plain(claim) in asks.get(n, ())]
        )

    for claim in lab.claims.claims:
        if not counts(lab, claim):
            other = replace(claim, tenant=not claim.tenant)
            claims = tuple(other if c == claim else c for c in lab.claims.claims)
            turned = replace(lab, claims=replace(lab.claims, claims=claims), known={})
            lab = turned if counts(turned, other) else lab
    return lab, frozenset(c for c in lab.claims.claims if counts(lab, c))


def _looks_up(function: Called, members: Members | None, known: Set[Claim]) -> bool:
    """Whether a function only tells, from the table of members, what the session's user belongs to."""
    signs = function.signs
    return (
        members is not None
        and function.scalar
        and bool(signs.claims)
        and signs.claims <= known
        and signs.tables == {members.table}
        and not signs.strange
    )


def _told(
    targets: Mapping[QName, Target], claims: Claims, shared: Set[QName], lookups: Sequence[Called]
) -> Told | None:
    """For the static checks; without a claim there is nothing to tell."""
    if not claims.claims:
        return None
    tables: dict[QName, tuple[str, str | None]] = dict.fromkeys(shared, ("shared", None))
    # What the application cannot reach at all need not be isolated.
    tables |= {n: (t.kind, t.column) for n, t in targets.items() if t.rights.words or t.table.row_security}
    settings = [c.setting for c in sorted(claims.claims, key=lambda c: not c.tenant)]
    people = {n: t.people for n, t in targets.items() if t.people}
    return Told(tables, tuple(dict.fromkeys(settings)), people, tuple(f.oid for f in lookups))


def _of_people(domains: Domains, lab: Lab, shared: Set[QName]) -> Iterator[Ground]:
    """Tables whose rows belong to people and to no tenant, in which the user takes the tenant's place."""
    members = lab.claims.members
    if members is None:
        return
    people = domains.of(members.table, members.who)
    free = {r.table for r in domains.rules if r.enabled} - lab.targets.keys() - shared
    found = domains.targets(people)
    chosen = {n: t for n, t in found.items() if n in free and t.column}
    root = next((t for t in found.values() if t.kind == "tenants"), None) or next(iter(chosen.values()), None)
    if chosen and root is not None:
        claims = Claims(tuple(_plain(c) for c in lab.claims.claims if not c.tenant))
        yield Ground(
            role=lab.role, claims=claims, targets=tuple(chosen.values()), tenants=root,
            scopes=dict.fromkeys(chosen, "tenant"),
        )  # fmt: skip


def _with_people(domains: Domains, target: Target, members: Members | None) -> Target:
    """With the columns that refer to people as the table of members does."""
    if members is None:
        return target
    people = domains.columns(domains.of(members.table, members.who), target.table)
    mine = {members.who} if target.table.qname == members.table else set()
    return replace(target, people=frozenset(people) | mine)


def _plain(claim: Claim) -> Claim:
    return Claim(claim.setting, claim.path)


def _unknown(
    domains: Domains, best: _Found, known: Set[Claim], targets: Mapping[QName, Target]
) -> Iterator[Outcome]:
    """Policies that ask for more than is known, tables whose rows are not known to be anybody's, and a failed trial.

    What a restrictive policy asks beside lets nothing through, unless it is the one that keeps tenants apart.
    """
    if not best.score:
        told = "no session was found that reads rows of a tenant and, with another tenant, does not"
        said = _said(best.lab.claims, best.domain)
        yield Outcome(NAME, "database", "error", detail=f"{told}: tried {said}")
    reasons: dict[tuple[QName, str], list[str]] = {}
    for rule in (r for r in domains.rules if r.enabled and r.table not in domains.shared):
        target = targets.get(rule.table)
        if not rule.permissive and not (target and rule.columns & (target.border | target.people)):
            continue
        asked = [*sorted(rule.signs.strange), *sorted(_called(c) for c in rule.signs.claims - known)]
        if asked:
            told = f"{listed(asked)} is asked for, and what that lets through could not be told"
            reasons.setdefault((rule.table, told), []).append(rule.name)
        elif rule.table not in targets and rule.text != "false":
            told = "nothing says which tenant a row is of"
            reasons.setdefault((rule.table, told), []).append(rule.name)
    for (table, told), names in reasons.items():
        yield Outcome(NAME, display(table), "error", detail=f"policy {', '.join(names)}: {told}")


def _called(claim: Claim) -> str:
    path = "".join(f" → {step}" for step in claim.path)
    return f"{claim.setting}{path}"


def _said(claims: Claims, domain: Domain) -> str:
    """In plain words, how a session says whose it is."""
    who = [_called(c) for c in claims.claims if not c.tenant]
    tenant = [_called(c) for c in claims.claims if c.tenant]
    name = f"{display(domain.table)}.{domain.column}" if domain.table else domain.column
    parts = [f"a tenant is {name}"]
    parts += [f"a session says it in {listed(tenant)}"] if tenant else []
    if who and claims.members is not None:
        parts.append(f"a session says who its user is in {listed(who)}")
        m = claims.members
        parts.append(f"{display(m.table)} says whose member {m.who} is, by {m.tenant}")
    return "; ".join(parts)


def _nothing(app: App, catalog: Catalog, found: Sequence[Rule], shared: Set[QName], why: str) -> Ground:
    """Nothing to attack, because of ``why``."""
    tables = sorted({r.table for r in found if r.enabled} - shared)
    return Ground(
        role=app.role,
        claims=Claims(()),
        targets=(),
        tenants=None,
        scopes=inherited(dict.fromkeys(shared, "shared"), catalog),
        unknown=(
            Outcome(NAME, "database", "error", detail=why),
            *(
                Outcome(NAME, display(n), "error", detail="nothing says which tenant a row is of")
                for n in tables
            ),
        ),
    )

"""Trying what a session must say: as one tenant it must read that tenant's row, and as nobody it must not."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import psycopg

from tenantry.attacks import forms
from tenantry.attacks.aim import another, made_up
from tenantry.attacks.claims import Claim, Claims, Members
from tenantry.attacks.lab import Context, Lab
from tenantry.attacks.target import Target
from tenantry.attacks.verdict import Meaning, meaning
from tenantry.catalog import Table
from tenantry.names import QName, literal, qualified, quote

Part = Literal["tenant", "user", "none"]
_PROBES = 6  # tables on which a guess is tried
_CLAIMS = 5  # of more, the others are not accounted for
_WAYS = 12  # in which tables may say who is a member
_FEW = 6  # values that may be roles
_REACHED = "22012"
_RANKS = ("text", "character varying", "boolean", "smallint", "integer")
_PEOPLE = ("uuid", "text", "bigint", "integer", "character varying", "citext", "public.citext")


@dataclass(frozen=True, slots=True)
class Guess:
    """What sessions may have to say, the likeliest first, and the tables on which that is tried."""

    parts: Mapping[Claim, Part]
    members: tuple[Members, ...]
    probes: tuple[Target, ...]

    def all(self) -> Iterator[Claims]:
        """Every combination, those that differ least from the guess first."""
        claims = tuple(self.parts)
        ways = itertools.product(("tenant", "user", "none"), repeat=len(claims))
        for way in sorted(ways, key=lambda w: self._distance(dict(zip(claims, w, strict=True)))):
            said = tuple(
                replace(c, tenant=p == "tenant") for c, p in zip(claims, way, strict=True) if p != "none"
            )
            if not said:
                continue
            for members in self.members if any(not c.tenant for c in said) else (None,):
                yield Claims(said, members)

    def _distance(self, way: Mapping[Claim, str]) -> int:
        return sum((p != self.parts[c]) + 2 * (p == "none") for c, p in way.items())


def members(table: Table, tenant: str, first: Iterable[str]) -> Iterator[Members]:
    """The ways in which a table may say who belongs to a tenant: each column that may hold people."""
    rather = tuple(first)
    keys = {c for fk in table.foreign_keys for c in fk.columns}
    columns = [c for c in table.columns if c.name != tenant and c.base.startswith(_PEOPLE)]
    for column in sorted(columns, key=lambda c: (c.name not in rather, c.name not in keys)):
        nobody = made_up(column)
        if nobody is not None:
            yield Members(table.qname, column.name, tenant, nobody)


def probes(targets: Mapping[QName, Target], asks: Mapping[QName, frozenset[Claim]]) -> tuple[Target, ...]:
    """Tables that can be read, so that each claim is asked for in one of them, if there is one."""
    fit = [t for n, t in targets.items() if asks.get(n) and t.rights.select and t.column]
    chosen: list[Target] = []
    seen: set[Claim] = set()
    for target in sorted(fit, key=lambda t: -len(asks[t.table.qname])):
        if not asks[target.table.qname] <= seen:
            chosen.append(target)
            seen |= asks[target.table.qname]
    return tuple([*chosen, *(t for t in fit if t not in chosen)][:_PROBES])


def guessed(parts: Mapping[Claim, Part], ways: Sequence[Members], chosen: tuple[Target, ...]) -> Guess:
    """A guess of bounded size."""
    return Guess(dict(itertools.islice(parts.items(), _CLAIMS)), tuple(ways[:_WAYS]), chosen)


def best(lab: Lab, guess: Guess) -> tuple[Lab, int]:
    """The laboratory with the claims by which most probes told tenants apart, and how many did."""
    signing = lab.claims.signing
    found, most = replace(lab, claims=replace(next(guess.all(), lab.claims), signing=signing)), 0
    for claims in guess.all():
        tried = replace(lab, claims=replace(claims, signing=signing), known={})
        score = sum(tells(tried, target) for target in guess.probes)
        if score > most:
            found, most = tried, score
        if most == len(guess.probes):
            break
    return found, most


def strongest(lab: Lab, table: Table, probes: Iterable[Target]) -> Lab:
    """The laboratory in which those members speak who may change most: policies may ask for a member's role."""
    members = lab.claims.members
    if members is None:
        return lab
    chosen = tuple(probes)
    found, most = lab, _power(lab, chosen)
    for column in table.columns:
        if column.name in (members.who, members.tenant) or not column.base.startswith(_RANKS):
            continue
        for value in _values(lab, table, column.name):
            rather = replace(members, rather=(column.name, value))
            tried = replace(lab, claims=replace(lab.claims, members=rather), known={})
            power = _power(tried, chosen)
            if power > most:
                found, most = tried, power
    return found


def _values(lab: Lab, table: Table, column: str) -> tuple[str, ...]:
    """The values of a column, if they are few."""
    name = quote(column)
    try:
        row = lab.look(
            f"SELECT pg_catalog.array_agg(v) FROM (SELECT DISTINCT m.{name}::text AS v "
            f"FROM {qualified(table.qname)} AS m WHERE m.{name} IS NOT NULL LIMIT {_FEW + 1}) AS d"
        )
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise
        return ()
    found = tuple(sorted(row[0])) if row and row[0] else ()
    return found if len(found) <= _FEW else ()


def _power(lab: Lab, chosen: Iterable[Target]) -> int:
    """How many statements that change an own row, and end before they do, reach it."""
    return sum(_reaches(lab, target) for target in chosen)


def _reaches(lab: Lab, target: Target) -> int:
    key = whose(lab, target)
    if key is None or not target.column:
        return 0
    where = forms.wire(target, f"{quote(target.column)} = {literal(key)}")
    statements = [f"SELECT 1 FROM {target.sql} WHERE {where} FOR UPDATE"] if target.rights.update else []
    if "DELETE" in target.rights.words and not lab.stays(target, "delete", rows=False):
        statements.append(f"DELETE FROM {target.sql} WHERE {where}")
    reached = 0
    for statement in statements:
        with lab.as_app(Context("a trial", key)) as run:
            reached += run(statement).sqlstate == _REACHED
    return reached


def tells(lab: Lab, target: Target) -> bool:
    """Whether a tenant's session reads a row of it that nobody's session reads."""
    key = whose(lab, target)
    if key is None or _read(lab, target, key, lab.settings(key)) != "reached":
        return False
    return _kept(lab, target, key, [lab.settings(other) for other in _others(lab, key)])


def whose(lab: Lab, target: Target) -> str | None:
    """A tenant that has a row there and somebody who speaks for it."""
    owner = target.owner("t")
    query = (
        f"SELECT {owner} FROM {target.sql} AS t WHERE {owner} IS NOT NULL{lab.claims.speaks(owner)} LIMIT 1"
    )
    try:
        row = lab.look(query)
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise
        return None
    return str(row[0]) if row else None


def _read(lab: Lab, target: Target, key: str, says: Mapping[str, str]) -> Meaning:
    """Whether a session that says that reads a row of the tenant; one that fails is no answer."""
    where = f" WHERE t.{quote(target.column)} = {literal(key)}" if target.column else ""
    with lab.as_app(Context("a trial", key, says=tuple(says.items()))) as run:
        return meaning(run(f"SELECT 1 FROM {target.sql} AS t{where} LIMIT 1"))


def _kept(lab: Lab, target: Target, key: str, tries: Iterable[Mapping[str, str]]) -> bool:
    """Whether some of these sessions read no row of the tenant, and none does."""
    found = {_read(lab, target, key, says) for says in tries}
    return "refused" in found and "reached" not in found


def _others(lab: Lab, key: str) -> tuple[str, ...]:
    """Nobody, and another tenant that is there: what takes the one for a number or a flag may fail, and take the other."""
    column = lab.tenants.column or ""
    try:
        row = another(lab, lab.tenants, key, (column,))
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise
        row = None
    there = row[column] if row else None
    return (lab.ghost, there) if there else (lab.ghost,)


def counts(lab: Lab, claim: Claim, targets: Iterable[Target]) -> bool:
    """Whether a claim is one of those that say who the session is, and not one that opens something.

    It is, where nothing is read any more once it says something else, also where it is enough by itself among claims
    that say the same, one of which is needed.
    """
    for target in targets:
        key = whose(lab, target)
        if key is None or _read(lab, target, key, lab.settings(key)) != "reached":
            continue
        says = {c: _value(lab, c, key) for c in lab.claims.claims}
        alone = {c: says[c] if c == claim or c.tenant != claim.tenant else "" for c in says}
        others = [_value(lab, claim, other) for other in _others(lab, key)]
        for base in (says, alone):
            tries = [lab.claims.said(base | {claim: other}) for other in others]
            enough = _read(lab, target, key, lab.claims.said(base)) == "reached"
            if enough and _kept(lab, target, key, tries):
                return True
    return False


def _value(lab: Lab, claim: Claim, key: str) -> str:
    return lab.claims.named(key) if claim.tenant else lab.speaker(key)

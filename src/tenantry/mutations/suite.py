"""The mutations: those of every check's header and every attack's module, and the files beside this one."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from tenantry.attacks import ATTACKS, DOORS, Probe, pooler, shadow
from tenantry.checks import all_checks
from tenantry.mutations import worlds
from tenantry.trial import Mutation

_KEYS = {"name", "sql", "finds", "also", "breaches", "beside", "repair", "since"}


@cache
def of(world: str) -> tuple[Mutation, ...]:
    """All that is tried in a world. Raises ValueError for an entry that is not in order, naming it."""
    kind = worlds.kind(world)
    found = [*_headers(kind), *_attacks(kind), *_doors(kind), *_file("everywhere", kind), *_file(world, kind)]
    names = [m.name for m in found]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"mutations of {world}: two are called {name!r}; rename one")
    return tuple(found)


def _headers(kind: worlds.Kind) -> Iterator[Mutation]:
    """The sabotage in the header of each check; of a database without a spec it would say little, and those that are
    about a plain setting say nothing of a signed one."""
    if (kind.spec is None and kind.name != "skills") or kind.signed:
        return
    also = table("companions")
    for check in all_checks():
        yield Mutation(
            check.slug,
            check.sabotage,
            finds=(check.slug,),
            also=tuple(also.get(check.slug, ())),
            since=check.since,
        )


def _attacks(kind: worlds.Kind) -> Iterator[Mutation]:
    """The sabotage of each attack, on the tables that the world offers for it."""
    for attack in ATTACKS:
        match attack.NAME:
            case "trail":
                tables = [t for t in kind.attacked if t == kind.names.get("trail")]
            case "reference":
                tables = list(kind.references)
            case "prepared" if (
                kind.signed
            ):  # a signed value that is kept is no tenant: vault.toml has another one
                tables = []
            case "alter":  # a trigger of a partitioned table needs the privilege on each partition, too
                tables = [t for t in kind.attacked if t not in kind.partitioned]
            case _:
                tables = [t for t in kind.attacked if t != kind.names.get("trail")]
        for table in tables:
            label = worlds.label(table)
            yield _spoilt(attack, kind, table, f"{attack.NAME} {label}", beside=(f"* {label}",))


def _doors(kind: worlds.Kind) -> Iterator[Mutation]:
    """The sabotage of each other way to rows, which must be found somewhere; a pooler's is not in the database."""
    if kind.attacked:
        breaches = (f"{pooler.NAME} *", f"{shadow.NAME} *")
        yield Mutation(pooler.NAME, (), breaches=breaches, pooler=("", "DISCARD ALL"))
    for table in list(kind.attacked)[:1]:
        # What shows rows to one of these shows them to the other; and a key that is spoilt does not name the tenant.
        beside = ("relation sabotage", "worlds sabotage", f"reference {worlds.label(table)}")
        for door in (d for d in DOORS if d.SABOTAGE):
            yield _spoilt(door, kind, table, f"{door.NAME} *", beside=beside)


def _spoilt(probe: Probe, kind: worlds.Kind, table: str, claim: str, *, beside: tuple[str, ...]) -> Mutation:
    tenant = kind.attacked.get(table, kind.names["column"])
    sql, repair = (
        tuple(s.format(table=table, tenant=tenant, setting="{setting}") for s in statements)
        for statements in (probe.SABOTAGE, probe.REPAIR)
    )
    return Mutation(claim.removesuffix(" *"), sql, breaches=(claim,), beside=beside, repair=repair)


def table(name: str) -> Mapping[str, Any]:
    """What a file beside this one holds."""
    file = resources.files("tenantry.mutations") / f"{name}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def _file(name: str, kind: worlds.Kind) -> Iterator[Mutation]:
    if name == "everywhere" and not kind.everywhere:
        return
    for entry in table(name).get("mutation", ()):
        unknown = set(entry) - _KEYS
        if unknown or not entry.get("sql") or not (entry.get("finds") or entry.get("breaches")):
            raise ValueError(
                f"mutations/{name}.toml: {entry.get('name')!r}: has {', '.join(sorted(unknown)) or 'too little'}; "
                "write name, sql, and finds or breaches"
            )
        words = {
            key: tuple(entry.get(key, ())) for key in ("sql", "finds", "also", "breaches", "beside", "repair")
        }
        yield Mutation(entry["name"], since=entry.get("since", 0), **words)

"""Which tables belong to tenants, by which column and which setting: from the spec, or recognised.

Without a spec the policies tell: the column that most of them compare with a setting is the tenant column. What
could not be recognised is said, and the checks that need it are not run.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from tenantry.bugs import BUGS
from tenantry.checks.judging import Asked, Readings, judged
from tenantry.checks.policies import Function, Reading, Server, function_oids, read
from tenantry.names import QName, display, fit
from tenantry.spec import Spec, Tenancy
from tenantry.steps import context, contextfunctions, resolvers, searches, work

Rows = list[tuple[Any, ...]]
_GUESS = Tenancy().column  # taken by name where no policy tells
_TRAIL_COLUMN = "tenant_id"


@dataclass(frozen=True, slots=True)
class Relation:
    """A table; ``columns`` are names to numbers, ``guarded`` says that it has a guard of a trail."""

    oid: int
    name: QName
    parents: tuple[int, ...]
    columns: Mapping[str, int]
    guarded: bool


@dataclass(frozen=True, slots=True)
class Told:
    """A tenancy that somebody else recognised: ``tables`` have a scope and, where they have one, a tenant column.

    ``settings`` say who a session is, the tenant's first. ``people`` are columns by which policies may ask for somebody who
    is a member of a tenant.
    """

    tables: Mapping[QName, tuple[str, str | None]]
    settings: tuple[str, ...]
    people: Mapping[QName, frozenset[str]]
    lookups: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What the checks are told. ``scopes`` and ``columns`` are by oid; ``unknown`` says what was not recognised."""

    column: str | None
    setting: str | None
    relations: Mapping[int, Relation]
    scopes: Mapping[int, str]
    columns: Mapping[int, int]
    kept: Mapping[int, tuple[str, ...]]
    policies: tuple[Mapping[str, Any], ...]
    unknown: tuple[str, ...]
    context: tuple[int, ...] = ()  # functions that say the session's tenant, to the letter
    signed: bool = False  # of signed values only

    @property
    def trail(self) -> int | None:
        """The oid of the audit trail."""
        return next((oid for oid, scope in self.scopes.items() if scope == "trail"), None)

    def tables(self) -> list[Mapping[str, Any]]:
        """The tables as the checks read them: what is the same of many is said once."""
        children = {o for o, r in self.relations.items() if any(p in self.scopes for p in r.parents)}
        groups: dict[tuple[Any, ...], list[int]] = {}
        for oid, scope in self.scopes.items():
            key = (scope, self.columns.get(oid), oid in children, self.kept.get(oid, ()))
            groups.setdefault(key, []).append(oid)
        names = ("scope", "col", "child", "kept")
        return [{**dict(zip(names, key, strict=True)), "oids": oids} for key, oids in groups.items()]


@cache
def load(name: str) -> bytes:
    """A statement of this folder, by name."""
    return (resources.files("tenantry.checks") / f"{name}.sql").read_bytes()


def rows(conn: psycopg.Connection[Any], query: bytes, *parameters: object) -> Rows:
    """The rows of a statement with ``$1`` …, in which a ``%`` means itself."""
    with psycopg.RawCursor(conn, row_factory=tuple_row) as cursor:
        # Not prepared: the plan would outlive the settings of this transaction.
        return cursor.execute(query, parameters or None, prepare=False).fetchall()


def recognise(
    conn: psycopg.Connection[Any], schemas: Sequence[str], spec: Spec | None, told: Told | None = None
) -> Known:
    """Read policies, tables and references, and decide what is what: by the spec, by what was ``told``, or by policies."""
    stored = rows(conn, load("_policies"))
    server = _server(conn, stored)
    readings = {oid: (rel, _read(u, rel, server), _read(c, rel, server)) for oid, rel, _, u, c in stored}
    found = rows(conn, load("_relations"), list(schemas))
    relations = {oid: Relation(oid, QName(s, n), tuple(p), c, g) for oid, s, n, p, c, g in found}
    references = rows(conn, load("_references"))
    compared = list(_compared(readings.values(), relations, {(r[2], r[3]) for r in references}))
    ours = _context(conn)
    signed = context.signed(spec) if spec is not None else "current_tenant" in ours.values()
    if told is not None:
        column = _common(c for s, c in told.tables.values() if s == "tenant")
        setting: str | None = told.settings[0]
        scopes, columns = _told(told, relations)
        unknown: list[str] = []
        asked = Asked(frozenset(told.settings), columns, frozenset(_people(told, relations)))
    else:
        column = spec.tenancy.column if spec else _common(name for name, _ in compared)
        setting = spec.tenancy.setting if spec else _common(name for _, name in compared)
        unknown = list(_unknown(column, setting, relations)) if spec is None else []
        if column is None and any(_GUESS in r.columns for r in relations.values()):
            column = _GUESS
        scopes = _declared(spec, relations) if spec else _guessed(references, column, relations, readings)
        columns = dict(_columns(spec, column, scopes, relations, readings))
        asked = Asked(frozenset({setting} if setting else ()), columns, signed=spec is not None and signed)
    if "trail" not in scopes.values() and spec is None:
        unknown.append("the audit trail: no table has its guards")
    return Known(
        column=column,
        setting=setting,
        relations=relations,
        scopes=scopes,
        columns=columns,
        kept=_kept(spec, relations),
        policies=tuple(judged(readings, asked, {o for o, p in _permissive(stored)})),
        unknown=tuple(unknown),
        context=tuple(ours),
        signed=signed,
    )


def no_trail(spec: Spec | None) -> str:
    """Why what is about the audit trail was not looked at, and what to do."""
    if spec is None:
        return "no audit trail was recognised; give a spec"
    if spec.audit is None:
        return "the spec declares no audit trail ([audit])"
    return f"the audit trail {display(spec.audit.table)} is not there yet; run `tenantry apply`"


def _context(conn: psycopg.Connection[Any]) -> dict[int, str]:
    """The functions that say the session's tenant, by oid, and which of them each is."""
    found = rows(conn, load("_context"), list(contextfunctions.KINDS))
    known = {oid: contextfunctions.recognise(source) for oid, source in found}
    return {oid: kind[0] for oid, kind in known.items() if kind is not None}


def _server(conn: psycopg.Connection[Any], stored: Rows) -> Server:
    ((equality, settings),) = rows(conn, load("_server"))
    oids = {oid for row in stored for text in row[3:] for oid in function_oids(text)}
    described = rows(conn, load("_functions"), sorted(oids))
    functions = {oid: Function(*rest) for oid, *rest in described}
    inner = {oid for f in functions.values() for oid in function_oids(f.body)} - oids
    described = rows(conn, load("_functions"), sorted(inner)) if inner else []
    functions |= {oid: Function(*rest) for oid, *rest in described}
    return Server(frozenset(equality), frozenset(settings), functions)


def _read(text: str | None, relation: int, server: Server) -> Reading | None:
    """An expression of a policy of that table; one that reads the table itself is marked."""
    reading = read(text, server)
    if reading is None or re.search(rf":relid {relation}\b", text or "") is None:
        return reading
    return replace(reading, traits=(*reading.traits, "recursive"))


def _compared(
    readings: Any, relations: Mapping[int, Relation], keys: set[tuple[int, int]]
) -> Iterator[tuple[str | None, str]]:
    """The column and the setting of each policy that compares the two; no column for a key that others refer to."""
    for relation, using, check in readings:
        for reading in (using, check):
            if reading is not None and reading.form in ("tenant", "through", "fail-open", "null-rows"):
                where = reading.relation or relation
                name = (
                    None if (where, reading.column) in keys else _name(relations.get(where), reading.column)
                )
                yield name, reading.setting


def _name(table: Relation | None, number: int) -> str | None:
    return next((n for n, c in table.columns.items() if c == number), None) if table else None


def _common(names: Iterator[str | None]) -> str | None:
    counted = Counter(n for n in names if n)
    return min(counted, key=lambda n: (-counted[n], n)) if counted else None


def _unknown(column: str | None, setting: str | None, relations: Mapping[int, Relation]) -> Iterator[str]:
    if column is None:
        there = any(_GUESS in r.columns for r in relations.values())
        taken = f"; {_GUESS} was taken, by its name" if there else ""
        yield f"which column holds the tenant: no policy compares one with a setting{taken}"
    if setting is None:
        yield "which setting holds the tenant: no policy reads one"


def _declared(spec: Spec | None, relations: Mapping[int, Relation]) -> dict[int, str]:
    """Scopes by oid from a spec; partitions and children follow their parent."""
    assert spec is not None
    scopes = {QName(*n): r.scope for n, r in spec.tables.items()}
    named: dict[QName, str] = {**scopes, spec.tenancy.tenants: "tenants"}
    if spec.audit is not None:
        named[spec.audit.table] = "trail"
    found: dict[int, str] = {}
    for oid, relation in relations.items():
        scope = next((named[r.name] for r in _up(relation, relations) if r.name in named), None)
        if scope is not None:
            found[oid] = scope
    return found


def _up(relation: Relation, relations: Mapping[int, Relation]) -> Iterator[Relation]:
    """A table and those that it is a part of."""
    yield relation
    for parent in relation.parents:
        if parent in relations:
            yield from _up(relations[parent], relations)


def _told(told: Told, relations: Mapping[int, Relation]) -> tuple[dict[int, str], dict[int, int]]:
    """Scopes and numbers of tenant columns by oid."""
    scopes, columns = dict[int, str](), dict[int, int]()
    for oid, relation in relations.items():
        scope, column = told.tables.get(relation.name, (None, None))
        if scope is not None:
            scopes[oid] = scope
            if column is not None:
                columns[oid] = relation.columns[column]
    return scopes, columns


def _people(told: Told, relations: Mapping[int, Relation]) -> Iterator[tuple[int, int]]:
    for oid, relation in relations.items():
        yield from ((oid, relation.columns[c]) for c in sorted(told.people.get(relation.name, ())))


def _guessed(
    references: Rows, column: str | None, relations: Mapping[int, Relation], readings: Readings
) -> dict[int, str]:
    """Scopes without a spec: by the tenant column, the references that it makes, and the policies."""
    found = {oid: "tenant" for oid, r in relations.items() if column in r.columns}
    for relation, using, _ in readings.values():
        if using is not None and using.form in ("through", "parent", "tenant") and relation in relations:
            found.setdefault(relation, "tenant" if using.form == "tenant" else "through")
    votes: Counter[int] = Counter()
    for relation, number, referenced, _ in references:
        if relation in found and relations[relation].columns.get(column or "") == number:
            votes[referenced] += 1
    if votes:
        found[votes.most_common(1)[0][0]] = "tenants"
    for oid, table in relations.items():
        if any(r.guarded for r in _up(table, relations)):
            found[oid] = "trail"
    return {oid: scope for oid, scope in found.items() if oid in relations}


def _columns(
    spec: Spec | None, column: str | None, scopes: Mapping[int, str], relations: Mapping[int, Relation],
    readings: Readings,
) -> Iterator[tuple[int, int]]:  # fmt: skip
    """The number of the tenant column of each table that has one."""
    special = {QName(*n): r.column for n, r in spec.tables.items() if r.column} if spec else {}
    for oid, scope in scopes.items():
        relation = relations[oid]
        name = next((special[r.name] for r in _up(relation, relations) if r.name in special), column)
        if scope == "trail":
            name = _TRAIL_COLUMN if spec or column not in relation.columns else column
        if scope == "tenants":
            key = relation.columns.get(spec.tenancy.key) if spec else _key(oid, readings)
            if key:
                yield oid, key
        elif scope in ("tenant", "trail"):
            number = relation.columns.get(name or "") or (0 if spec else _key(oid, readings))
            if number:
                yield oid, number


def _key(oid: int, readings: Readings) -> int:
    """The column that the policy of a table compares; 0 when it compares none."""
    found = (
        u.column for rel, u, _ in readings.values() if rel == oid and u is not None and u.form == "tenant"
    )
    return next(found, 0)


def _kept(spec: Spec | None, relations: Mapping[int, Relation]) -> dict[int, tuple[str, ...]]:
    """The keys that the spec keeps unique across tenants; ``*`` stands for the primary key."""
    if spec is None:
        return {}
    kept: dict[int, tuple[str, ...]] = {}
    for oid, relation in relations.items():
        rule = next((spec.tables[r.name] for r in _up(relation, relations) if r.name in spec.tables), None)
        if rule is not None:
            names = [name for name, unique in rule.unique.items() if unique.scope == "global"]
            kept[oid] = (*names, "*") if rule.primary_key == "global" else tuple(names)
    return kept


def _permissive(stored: Rows) -> Iterator[tuple[int, int]]:
    return ((oid, relation) for oid, relation, permissive, *_ in stored if permissive)


def parameters(
    known: Known, roles: Sequence[str], schemas: Sequence[str], spec: Spec | None, told: Told | None = None
) -> str:
    """What the checks read as ``$1``, as JSON."""
    groups: dict[str, list[int]] = {}
    for policy in known.policies:
        groups.setdefault(json.dumps(policy["readings"]), []).append(policy["oid"])
    return json.dumps(
        {
            "roles": roles,
            "schemas": schemas,
            "column": known.column,
            "setting": known.setting,
            "tables": known.tables(),
            "bugs": [
                {"cve": b.cve, "level": b.level, "what": b.text, "major": major, "minor": minor}
                for b in BUGS
                for major, minor in b.fixed.items()
                if b.level
            ],
            "policies": [{**json.loads(readings), "oids": oids} for readings, oids in groups.items()],
            "context": known.context,
            "signed": known.signed,
            "lookups": told.lookups if told else (),
            "definers": list(_definers(spec)) if spec else [],
            "searched": list(_searched(spec, known)) if spec else [],
            "work": [
                {"policy": o.policy.name, "role": o.role, "schema": spec.audit.functions, "name": work.OPEN}
                for o in work.offices(spec)
            ]
            if spec and spec.audit
            else [],
        }
    )


def _definers(spec: Spec) -> Iterator[Mapping[str, Any]]:
    """The functions of the spec that run as a role with a policy of its own, as they are to be."""
    kinds = (
        (resolvers, spec.resolvers, spec.roles.resolver),
        (searches, spec.searches, spec.roles.searcher),
    )
    for kind, names, role in kinds:
        for name in names:
            yield {
                "schema": spec.tenancy.tenants.schema,
                "name": fit(name),
                "role": role,
                "language": kind.LANGUAGE,
                "config": kind.CONFIG,
                "pattern": kind.pattern(spec, name),
            }


def _searched(spec: Spec, known: Known) -> Iterator[Mapping[str, Any]]:
    """The columns that each search is about, whose index serves it."""
    for search in spec.searches.values():
        for oid, relation in known.relations.items():
            if relation.name == search.table:
                names = searches.compared(search, relation.columns.keys())
                yield {"oid": oid, "columns": sorted(relation.columns[n] for n in names)}


def labels(known: Known, scope: str) -> list[str]:
    """The names of the tables of a scope."""
    return sorted(display(known.relations[oid].name) for oid, s in known.scopes.items() if s == scope)

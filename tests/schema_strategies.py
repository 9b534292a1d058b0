"""Databases of any shape, with rows that satisfy them and a spec that leaves nothing undecided, for hypothesis."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import strategies as st

from tenantry.names import QName, columns, literal, quote
from tests.schema_model import IDS, PRELUDE, Column, Made, Reference, Relation, Row, Unique
from tests.schema_rules import decide, rules, surround, tenancy
from tests.schema_tables import LONG, Drawing, key_name, primary, relation

ODD = "Other s."
TABLES = [
    "items", "orders", "Order", "a b", "straße", "注文", 'say "hi"', "100%s", "it's", "x.y", "user", "p", "k",
    LONG, "é" * 31,
]  # fmt: skip
REFERENCES = ["parent_id", "owner_id", "ref", "p", "Über", "m", "100%", LONG[:-1] + "2", "x", "y", "z", "w"]


@st.composite
def databases(draw: st.DrawFn, version: int, *, many: bool) -> Made:
    """A database for a server of that major version; ``many``: its rows belong to two tenants."""
    d = Drawing(draw, version, many)
    names = st.tuples(st.sampled_from(["public"] * 5 + [ODD]), st.sampled_from(TABLES))
    for number, name in enumerate(draw(st.lists(names, min_size=1, max_size=6, unique=True))):
        d.relations.append(relation(d, QName(*name), number))
    for tight in (True, False):
        for found in d.relations:
            _refer(d, found, tight)
    _fill(d)
    decide(d)
    for found in d.relations:
        surround(d, found)
    schemas = {"schemas": ["public", ODD]}
    return Made(
        tuple(_statements(d)), rules(d), tenancy(d) | schemas, d.rarely(2), d.rarely(4),
        f"t.{quote(d.realm)}" if many else "'r1'", frozenset(d.features),
    )  # fmt: skip


# Foreign keys


def _refer(d: Drawing, found: Relation, tight: bool) -> None:
    targets = [t for t in d.relations if (t.number < found.number if tight else True) and _referable(t)]
    low = 1 if tight and found.made_of_references else 0
    for _ in range(d.number(low, 2 if not tight or low else d.one_of(0, 0, 0, 1))):
        if targets:
            _reference(d, found, d.one_of(*targets), tight)
    made = tuple(c for r in found.references for c in r.columns)
    if tight and found.made_of_references and made:
        primary(d, found, made)


def _reference(d: Drawing, found: Relation, target: Relation, tight: bool) -> None:
    key = d.one_of(*_referable(target))
    not_null = (tight and found.made_of_references) or d.rarely(2)
    made = []
    for name in key.columns:
        type_ = {"serial": "integer"}.get(type_ := target.column(name).type, type_)
        made.append(Column(d.one_of(*found.free(REFERENCES)), type_, given=False))
        found.columns.append(made[-1])
    names = tuple(c.name for c in made)
    if found.partitioned_by and d.version < 18:
        state = "valid"
    else:
        states = [
            "not valid",
            *(["not enforced"] if d.version >= 18 and not found.partitioned_by else []),
        ]
        state = d.one_of(*["valid"] * 7, *states)
    ref = Reference(
        key_name(d, found, names[0]), names, target, key.columns, _actions(d, names, not_null),
        state == "valid", state != "not enforced", tight, not_null,
    )  # fmt: skip
    found.references.append(ref)
    if tight and not found.made_of_references:
        sql = f"ALTER TABLE {found.sql} ADD UNIQUE ({columns(names)})"
        if found.partitioned_by:
            sql, ref.tight = f"CREATE INDEX ON {found.sql} ({columns(names)})", False
        found.uniques.append(Unique("one to one", "", names if ref.tight else (), sql))
    d.has(
        "self reference" if target is found else "circular reference" if target.number > found.number else "",
        "composite reference" if len(names) > 1 else "", f"reference {state}",
        "reference to a unique" if key.kind != "primary" else "",
        "reference to a partitioned table" if target.partitioned_by else "",
    )  # fmt: skip


def _actions(d: Drawing, names: tuple[str, ...], not_null: bool) -> str:
    only = f" ON DELETE SET NULL ({quote(names[-1])})"
    delete = d.one_of(
        "", "", " ON DELETE CASCADE", " ON DELETE RESTRICT",
        *([] if not_null else [" ON DELETE SET NULL", only, " ON DELETE SET DEFAULT"]),
    )  # fmt: skip
    update = d.one_of("", "", "", " ON UPDATE CASCADE", " ON UPDATE RESTRICT")
    deferral = d.one_of("", "", "", " DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED")
    match = " MATCH FULL" if (len(names) == 1 or not_null) and d.rarely(6) else ""
    d.has(
        delete.partition("(")[0].strip(),
        update.strip(),
        match.strip(),
        "deferrable reference" if deferral else "",
    )
    return f"{match}{delete}{update}{deferral}"


# Rows


def _fill(d: Drawing) -> None:
    for each in d.relations:
        _rows(d, each, d.number(0, 4))
        if each.child is not None:
            _rows(d, each.child, d.number(0, 2))
    for each in d.relations:
        for r in each.references:
            _point(d, each, r)


def _rows(d: Drawing, found: Relation, count: int) -> None:
    twin = found.parent is not None and d.rarely(3)  # keys are not shared with an inheritance parent
    tight = [r for r in (found.parent or found).references if r.tight]
    for i in range(count):
        n, realm = d.next(), d.realms[i % len(d.realms)]
        row: Row = {
            c.name: "NULL" if c.wide and n % 3 == 0 else c.value(n) for c in found.all_columns if c.given
        }
        if twin and found.parent is not None and i < len(found.parent.rows):
            row |= (
                {c: found.parent.rows[i][c] for c in found.parent.primary.columns}
                if found.parent.primary
                else {}
            )
            realm = found.parent.realms[i]
            d.has("the same id in a parent and its child")
        if d.many:
            row[d.realm] = literal(realm)
        if all(_choose(d, found, r, row, realm, i) for r in tight) and found.fits(row):
            found.rows.append(row)
            found.realms.append(realm)


def _choose(d: Drawing, found: Relation, r: Reference, row: Row, realm: str, i: int) -> bool:
    """Let a row refer to one of the same realm; False when there is none."""
    whole = [t for t, of in zip(r.target.rows, r.target.realms, strict=True) if of == realm]
    whole = [t for t in whole if "NULL" not in [t.get(c, "NULL") for c in r.referenced]]
    if whole:
        target = whole[i % len(whole)]
        row |= {c: target[there] for c, there in zip(r.columns, r.referenced, strict=True)}
    return bool(whole)


def _point(d: Drawing, found: Relation, r: Reference) -> None:
    sparse = not r.not_null and d.rarely(2)
    for here in [found, *([found.child] if found.child else [])]:
        for i, (row, realm) in enumerate(zip(here.rows, here.realms, strict=True)):
            if not r.tight and not (sparse and i % 2):
                _choose(d, here, r, row, realm, i)
    if not r.validated and found.rows and not r.tight and d.rarely(2):
        found.rows[0] |= {c: found.column(c).value(9000 + d.next()) for c in r.columns}
        d.has("dangling reference")
    everywhere = [row for here in (found, found.child) if here for row in here.rows]
    r.not_null = r.not_null and all(c in row for row in everywhere for c in r.columns)
    for c in r.columns:
        found.column(c).not_null = r.not_null
        for row in everywhere:
            row.setdefault(c, "NULL")  # a domain may have a default


# SQL


def _statements(d: Drawing) -> Iterator[str]:
    yield from PRELUDE
    yield from _tenants_table(d)
    yield f"CREATE TABLE realms (realm text PRIMARY KEY, tenant {d.type})"
    for realm, key in zip(("r1", "r2"), IDS[d.type], strict=True):
        yield f"INSERT INTO realms VALUES ({literal(realm)}, {literal(key)})"
    for each in d.relations:
        yield from each.create()
    for each in d.relations:
        for here in [each, *([each.child] if each.child else [])]:
            yield from here.insert()
    for each in d.relations:
        yield from each.refer()
    for each in d.relations:
        yield from each.after


def _tenants_table(d: Drawing) -> Iterator[str]:
    if not d.there:
        return
    made = {"text": "DEFAULT gen_random_uuid()::text", "uuid": "DEFAULT gen_random_uuid()"}
    key = f"{quote(d.key)} {d.type} {made.get(d.type, 'GENERATED BY DEFAULT AS IDENTITY')}"
    yield f"CREATE TABLE {quote(d.tenants)} ({key} PRIMARY KEY, name text UNIQUE, slug text NOT NULL UNIQUE)"
    for realm, id_ in zip(("r1", "r2"), IDS[d.type], strict=True):
        yield f"INSERT INTO {quote(d.tenants)} VALUES ({literal(id_)}, {literal(realm)}, {literal(realm)})"


def _referable(target: Relation) -> list[Unique]:
    """Its keys that a foreign key may point at, made of columns whose values the rows say."""
    return [
        u for u in target.uniques
        if u.referable and u.columns and (u.kind == "primary" or (u.name and all(target.column(c).given for c in u.columns)))
    ]  # fmt: skip

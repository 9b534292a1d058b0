"""Databases of any shape, with rows that satisfy them and a spec that leaves nothing undecided, for hypothesis."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tomlkit
from hypothesis import strategies as st

from tenantry.names import QName, columns, literal, qualified, quote, spell

ODD = "Other s."
LONG = "a_name_of_sixty_three_bytes_that_the_server_does_not_cut_at_all_"[:63]
TABLES = [
    "items", "orders", "Order", "a b", "straße", "注文", 'say "hi"', "100%s", "it's", "x.y", "user", "p", "k",
    LONG, "é" * 31,
]  # fmt: skip
COLUMNS = [
    "code", "label", "state", "a", "k", "v", "value", "name", "slug", "Nr.", 'q"', "%(first)s", "größe", "order",
    "tenant", LONG,
]  # fmt: skip
REFERENCES = ["parent_id", "owner_id", "ref", "p", "Über", "m", "100%", LONG[:-1] + "2"]
REALMS = ("r1", "r2")

# How the n-th value of a type is written; different numbers give different values, except of the last three.
VALUES: Mapping[str, Callable[[int], str]] = {
    "text": lambda n: f"'t{n}'",
    "integer": str,
    "bigint": str,
    "uuid": lambda n: f"'00000000-0000-4000-8000-{n:012x}'",
    "character varying(40)": lambda n: f"'v{n}'",
    "numeric(12,2)": lambda n: f"{n}.50",
    "timestamp with time zone": lambda n: f"'2024-01-01 00:00+00'::timestamptz + {n} * interval '1 hour'",
    '"short text"': lambda n: f"'s{n}'",
    "positive": str,
    "character(8)": lambda n: f"'c{n}'",
    "int4range": lambda n: f"'[{2 * n},{2 * n + 1})'",
    "jsonb": lambda n: f"'{{\"n\": {n}}}'",
    "text[]": lambda n: f"'{{x,{n}}}'",
    '"Mood"': lambda n: literal(("sad", "so-so", "it's fine")[n % 3]),
    "boolean": lambda n: ("true", "false")[n % 2],
    "date": lambda n: f"'2024-02-{n % 28 + 1:02}'",
}
KEYS = list(VALUES)[:10]
PRELUDE = (
    f'CREATE SCHEMA "{ODD}"',
    "CREATE TYPE \"Mood\" AS ENUM ('sad', 'so-so', 'it''s fine')",
    "CREATE DOMAIN \"short text\" AS text CHECK (VALUE <> '' AND length(VALUE) < 60)",
    "CREATE DOMAIN positive AS integer DEFAULT 1 CHECK (VALUE > 0)",
    "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN NEW.updated_at := now(); RETURN NEW; END $$",
    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE EXCEPTION 'rows of % never change', TG_TABLE_NAME; END $$",
    "CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN IF TG_LEVEL = 'ROW' THEN RETURN NEW; END IF; RETURN NULL; END $$",
)


@dataclass(slots=True)
class Column:
    """``text`` follows the type; ``given``: rows say its value."""

    name: str
    type: str
    not_null: bool = False
    text: str = ""
    given: bool = True

    def sql(self) -> str:
        return f"{quote(self.name)} {self.type} {self.text}{' NOT NULL' if self.not_null else ''}"


@dataclass(slots=True)
class Unique:
    """A primary key, unique constraint, unique index or exclusion; ``referable``: foreign keys may point at it."""

    kind: str
    name: str
    columns: tuple[str, ...]
    sql: str
    referable: bool = False
    nulls_clash: bool = False


@dataclass(slots=True)
class Reference:
    """A foreign key; ``tight``: its columns are part of a key, so they are chosen with the row."""

    name: str
    columns: tuple[str, ...]
    target: Relation
    referenced: tuple[str, ...]
    text: str
    validated: bool = True
    tight: bool = False


Row = dict[str, str]


@dataclass(slots=True, eq=False)
class Relation:
    """A table being drawn. ``rows`` are literals by column; ``realms`` say whose each row is."""

    name: QName
    number: int
    columns: list[Column] = field(default_factory=list)
    uniques: list[Unique] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    partitions: list[QName] = field(default_factory=list)
    partitioned_by: str = ""
    after: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    realms: list[str] = field(default_factory=list)
    child: Relation | None = None
    parent: Relation | None = None
    rule: dict[str, Any] = field(default_factory=dict)
    trigger: str = ""
    policies: dict[str, str] = field(default_factory=dict)

    @property
    def sql(self) -> str:
        return qualified(self.name)

    def column(self, name: str) -> Column:
        return next(c for c in self.columns if c.name == name)

    def free(self, names: Sequence[str]) -> list[str]:
        used = {c.name for c in self.columns}
        return [n for n in names if n not in used]

    def everything(self) -> list[Column]:
        return [*(self.parent.columns if self.parent else ()), *self.columns]


@dataclass(frozen=True, slots=True)
class Made:
    """A drawn database: the statements that make it, and what a spec says but for the roles.

    ``tenant_of`` is SQL for the slug of the tenant that a row must get.
    """

    statements: tuple[str, ...]
    tables: Mapping[str, Any]
    tenancy: Mapping[str, Any]
    audit: bool
    owner: bool
    tenant_of: str
    features: frozenset[str]

    @property
    def sql(self) -> str:
        return "".join(f"{statement};\n" for statement in self.statements)

    def toml(self, role: Callable[[str], str]) -> str:
        """The spec, with roles that ``role`` names."""
        roles = {"app": role("app")} | ({"owner": role("owner")} if self.owner else {})
        return tomlkit.dumps(
            {"tenancy": self.tenancy, "roles": roles, "tables": self.tables}
            | ({"audit": {"table": "audit_logs"}} if self.audit else {})
        )


@st.composite
def databases(draw: st.DrawFn, version: int, *, many: bool) -> Made:
    """A database for a server of that major version; ``many``: its rows belong to two tenants."""
    return _Drawing(draw, version, many).made()


class _Drawing:
    """One database while it is drawn."""

    def __init__(self, draw: st.DrawFn, version: int, many: bool) -> None:
        self.draw, self.version, self.many = draw, version, many
        self.features: set[str] = set()
        self.numbers = 0
        self.type = self.one_of("text", "uuid", "bigint", "integer")
        self.there = self.rarely(3)
        self.column = self.one_of("tenant_id", "tenant_id", "Mandant %", "k")
        self.realm = self.one_of("realm", "Kunde %s")
        self.match = self.one_of("slug", "name")
        self.relations: list[Relation] = []

    # Small draws

    def one_of(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def rarely(self, among: int = 6) -> bool:
        return self.draw(st.integers(1, among)) == among

    def number(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def next(self) -> int:
        self.numbers += 1
        return self.numbers

    def has(self, *features: str) -> None:
        self.features.update(features)

    # The whole

    def made(self) -> Made:
        names = st.tuples(st.sampled_from(["public"] * 5 + [ODD]), st.sampled_from(TABLES))
        found = self.draw(st.lists(names, min_size=1, max_size=6, unique=True))
        for number, name in enumerate(found):
            self.relations.append(self.relation(QName(*name), number))
        for relation in self.relations:
            self.refer(relation)
        self.fill()
        self.scopes()
        for relation in self.relations:
            self.extras(relation)
        return Made(
            tuple(self.statements()), dict(self.rules()), self.tenancy(), self.rarely(2), self.rarely(4),
            f"t.{quote(self.realm)}" if self.many else "'r1'", frozenset(self.features),
        )  # fmt: skip

    # Tables and keys

    def relation(self, name: QName, number: int) -> Relation:
        found = Relation(name, number)
        pk = self.one_of(
            "identity", "always", "serial", "uuid", "natural", "domain", "composite", "none", "references"
        )
        by = self.one_of("", "", "", "", "", "hash", "list", "range") if pk != "references" else ""
        if by and pk in ("identity", "always") and self.version < 17:
            pk = "serial"
        self.has(f"primary {pk}", *([f"partitioned {by}"] if by else []))
        if name.name in (LONG, "é" * 31):
            self.has("long name")
        keyed = self.primary_columns(found, pk)
        for _ in range(self.number(0, 3)):
            type_ = self.one_of(*VALUES)
            column = Column(self.one_of(*found.free(COLUMNS)), type_, self.rarely(2))
            if self.rarely(8) and type_ in KEYS:
                column.text = f"DEFAULT {VALUES[type_](0)}"
            found.columns.append(column)
        if not found.columns:
            found.columns.append(Column("only", "integer"))
        if self.many:
            found.columns.append(Column(self.realm, "text", True))
        partition = ""
        if by:
            partition = self.partitioned(found, by, keyed)
        if keyed:
            found.uniques.append(self.primary(found, (*keyed, *([partition] if partition not in (*keyed, "") else []))))
        for _ in range(self.number(0, 2)):
            self.unique(found, partition)
        self.generated(found)
        if not by and self.rarely(8):
            self.inherited(found)
        found.rule["primary_key"] = self.one_of("global", "global", "tenant")
        if pk == "references":
            found.rule["references"] = True
        return found

    def primary_columns(self, found: Relation, pk: str) -> tuple[str, ...]:
        match pk:
            case "identity":
                made = [Column("id", "bigint", True, "GENERATED BY DEFAULT AS IDENTITY")]
            case "always":
                made = [Column("id", "integer", True, "GENERATED ALWAYS AS IDENTITY")]
            case "serial":
                made = [Column("id", "serial", True)]
            case "uuid":
                made = [Column("id", "uuid", True, "DEFAULT gen_random_uuid()")]
            case "natural":
                made = [Column("code", self.one_of("text", "character varying(40)", "integer"), True)]
            case "domain":
                made = [Column("Nr.", self.one_of('"short text"', "positive"), True)]
            case "composite":
                made = [Column("region", self.one_of("text", "integer"), True), Column("no", "integer", True)]
            case _:
                made = []
        found.columns += made
        return tuple(c.name for c in made)

    def partitioned(self, found: Relation, by: str, keyed: Sequence[str]) -> str:
        """Make a table partitioned, with a few partitions; returns the column that decides."""
        fit = [c for c in found.columns if c.type in ("integer", "bigint", "text", "serial", "uuid", "positive")]
        chosen = next((c for c in fit if c.name in keyed), fit[0] if fit else None)
        if chosen is None:
            chosen = Column("bucket", "integer")
            found.columns.append(chosen)
        chosen.not_null = True
        found.partitioned_by = f" PARTITION BY {by} ({quote(chosen.name)})"
        value = VALUES.get(chosen.type, str)
        bounds = {
            "hash": ["FOR VALUES WITH (MODULUS 2, REMAINDER 0)", "FOR VALUES WITH (MODULUS 2, REMAINDER 1)"],
            "list": [f"FOR VALUES IN ({value(1)}, {value(2)}, {value(3)})", "DEFAULT"],
            "range": [f"FOR VALUES FROM (MINVALUE) TO ({value(3)})", f"FOR VALUES FROM ({value(3)}) TO (MAXVALUE)"],
        }[by]
        for number, bound in enumerate(bounds):
            part = QName(found.name.schema, f"part {found.number}.{number}")
            text = f"CREATE TABLE {qualified(part)} PARTITION OF {found.sql} {bound}"
            found.partitions.append(part)
            if number == 0 and self.rarely(4):
                self.has("partition of a partition")
                below = QName(found.name.schema, f"part {found.number}.0.0")
                found.after.append(f"{text} PARTITION BY HASH ({quote(chosen.name)})")
                text = (
                    f"CREATE TABLE {qualified(below)} PARTITION OF {qualified(part)} "
                    "FOR VALUES WITH (MODULUS 1, REMAINDER 0)"
                )
                found.partitions.append(below)
            found.after.append(text)
        return chosen.name

    def name_for(self, found: Relation, *parts: str) -> str:
        """A name for a constraint or index: ours, one that the conversion might want too, or the server's choice ('')."""
        table, column = found.name.name, parts[-1]
        kind = self.number(1, 9)
        if kind <= 4:
            return f"key_{self.next()}"
        if kind <= 7:
            return ""
        self.has("name that the conversion wants")
        wanted = self.one_of(
            f"{table}_tenant_{column}_unique", f"{table}_tenant_id_idx", f"{table}_tenant_id_fk",
            f"{table}_pkey_tenant", f"{table}_tenant_{column.removesuffix('_id')}_fk",
        )  # fmt: skip
        taken = {u.name for r in self.relations for u in r.uniques} | {u.name for u in found.uniques}
        return wanted if len(wanted.encode()) < 64 and wanted not in taken else ""

    def primary(self, found: Relation, keyed: tuple[str, ...]) -> Unique:
        name, deferral = self.name_for(found, "pkey"), ""
        if not found.partitioned_by and self.rarely(12):
            deferral = self.one_of(" DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED")
            self.has("deferrable primary key")
        sql = f"ALTER TABLE {found.sql} ADD {_named(name)}PRIMARY KEY ({columns(keyed)}){deferral}"
        return Unique("primary", name, keyed, sql, referable=not deferral)

    def unique(self, found: Relation, partition: str) -> None:
        fit = [c for c in found.columns if c.type in KEYS and c.given and c.name not in (partition, self.realm)]
        if not fit:
            return
        chosen = self.draw(st.lists(st.sampled_from(fit), min_size=1, max_size=2, unique_by=lambda c: c.name))
        names = tuple(dict.fromkeys([*(c.name for c in chosen), *([partition] if partition else [])]))
        kinds = ["constraint", "constraint", "index", "index", "partial", "expression"]
        kind = self.one_of(*kinds, *(["exclusion"] if not partition else []))
        name = self.name_for(found, names[0])
        clash = kind != "exclusion" and self.rarely(5)
        nulls = " NULLS NOT DISTINCT" if clash else ""
        others = [c.name for c in found.columns if c.given and c.name not in names]
        include = f" INCLUDE ({quote(others[0])})" if others and kind != "expression" and self.rarely(6) else ""
        options = " WITH (fillfactor = 80)" if self.rarely(8) else ""
        self.has(f"unique {kind}", *(["nulls not distinct"] if nulls else []), *(["include"] if include else []))
        match kind:
            case "constraint":
                deferral = self.one_of("", "", "", " DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED")
                self.has(*(["deferrable unique"] if deferral else []))
                sql = f"ALTER TABLE {found.sql} ADD {_named(name)}UNIQUE{nulls} ({columns(names)}){include}{options}{deferral}"
                referable = not deferral
            case "exclusion":
                sql = self.exclusion(found, name, chosen)
                names, referable = names[:1], False
            case _:
                sql = self.index(found, kind, name, names, f"{include}{nulls}{options}")
                referable = kind == "index"
        found.uniques.append(Unique(kind, name, names, sql, referable, clash))

    def index(self, found: Relation, kind: str, name: str, names: Sequence[str], tail: str) -> str:
        keys = [quote(n) + self.one_of("", "", "", " DESC", " NULLS FIRST") for n in names]
        first = found.column(names[0])
        plain = kind == "index"
        if first.type == "text":
            text = f"lower({quote(first.name)})" if kind == "expression" else quote(first.name)
            keys[0] = text + (self.one_of("", " text_pattern_ops", ' COLLATE "C"') if not plain else "")
        elif kind == "expression":
            keys[0] = f"({quote(first.name)}::text)" if first.type != "timestamp with time zone" else quote(first.name)
        if found.partitioned_by:
            keys[-1] = quote(names[-1])
        where = f" WHERE {quote(names[0])} IS NOT NULL" if kind == "partial" else ""
        if plain:
            keys = [quote(n) for n in names]
        return f"CREATE UNIQUE INDEX {quote(name) if name else ''} ON {found.sql} ({', '.join(keys)}){tail}{where}"

    def exclusion(self, found: Relation, name: str, chosen: Sequence[Column]) -> str:
        first = chosen[0]
        method, operator = self.one_of(("btree", "="), ("btree", "="), ("hash", "="), ("gist", "&&"))
        if method == "gist" and first.type != "int4range":
            method, operator = "btree", "="
        self.has(f"exclusion {method}")
        where = self.one_of("", "", f" WHERE ({quote(first.name)} IS NOT NULL)")
        return (
            f"ALTER TABLE {found.sql} ADD {_named(name)}EXCLUDE USING {method} "
            f"({quote(first.name)} WITH {operator}){where}{self.one_of('', '', ' DEFERRABLE')}"
        )

    def generated(self, found: Relation) -> None:
        texts = [c for c in found.columns if c.type in ("text", "character varying(40)")]
        if not texts or not self.rarely(5):
            return
        how = self.one_of("STORED", "VIRTUAL") if self.version >= 18 else "STORED"
        text = f"GENERATED ALWAYS AS (lower({quote(texts[0].name)})) {how}"
        column = Column("made", "text", text=text, given=False)
        found.columns.append(column)
        self.has(f"generated {how}")
        if how == "STORED" and not found.partitioned_by and self.rarely(3):
            name = f"key_{self.next()}"
            found.uniques.append(
                Unique("index", name, (), f"CREATE UNIQUE INDEX {name} ON {found.sql} ({quote('made')}, ctid)")
                if False
                else Unique("generated", name, ("made",), f"CREATE UNIQUE INDEX {name} ON {found.sql} (made)")
            )

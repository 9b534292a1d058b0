"""Databases of any shape, with rows that satisfy them and a spec that leaves nothing undecided, for hypothesis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

from tenantry.names import QName, columns, literal, qualified, quote, spell
from tests.schema_model import KEYS, PRELUDE, VALUES, Column, Made, Reference, Relation, Row, Unique

ODD = "Other s."
LONG = "a_name_of_sixty_three_bytes_that_the_server_does_not_cut_at_all"
TABLES = [
    "items", "orders", "Order", "a b", "straße", "注文", 'say "hi"', "100%s", "it's", "x.y", "user", "p", "k",
    LONG, "é" * 31,
]  # fmt: skip
COLUMNS = [
    "code", "label", "state", "a", "k", "v", "value", "name", "slug", "Nr.", 'q"', "%(first)s", "größe", "order",
    "tenant", LONG,
]  # fmt: skip
REFERENCES = ["parent_id", "owner_id", "ref", "p", "Über", "m", "100%", LONG[:-1] + "2", "x", "y", "z", "w"]
IDS = {
    "text": ("r1", "r2"), "bigint": ("7", "8"), "integer": ("7", "8"),
    "uuid": ("11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"),
}  # fmt: skip
PARTITION_KEYS = ("integer", "bigint", "text", "serial", "uuid", "positive")


@st.composite
def databases(draw: st.DrawFn, version: int, *, many: bool) -> Made:
    """A database for a server of that major version; ``many``: its rows belong to two tenants."""
    return _Drawing(draw, version, many).made()


class _Drawing:
    """One database while it is drawn."""

    def __init__(self, draw: st.DrawFn, version: int, many: bool) -> None:
        self.draw, self.version, self.many = draw, version, many
        self.realms = ("r1", "r2") if many else ("r1",)
        self.features: set[str] = set()
        self.count = 0
        self.relations: list[Relation] = []
        self.type = self.one_of("text", "uuid", "bigint", "integer")
        self.there = self.rarely(3)
        self.column = self.one_of("tenant_id", "tenant_id", "Mandant %", "k")
        self.realm = self.one_of("realm", "Kunde %s")
        self.tenants = self.one_of("tenants", 'Org "s"')
        self.key = self.one_of("id", "id", "Uid")
        self.match = self.one_of("slug", "name", *([self.key] if self.type == "text" else []))

    # Small draws

    def one_of(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def rarely(self, among: int = 6) -> bool:
        return self.draw(st.integers(1, among)) == among

    def number(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def next(self) -> int:
        self.count += 1
        return self.count

    def has(self, *features: str) -> None:
        self.features.update(f for f in features if f)

    def made(self) -> Made:
        names = st.tuples(st.sampled_from(["public"] * 5 + [ODD]), st.sampled_from(TABLES))
        found = self.draw(st.lists(names, min_size=1, max_size=6, unique=True))
        for number, name in enumerate(found):
            self.relations.append(self.relation(QName(*name), number))
        for tight in (True, False):
            for relation in self.relations:
                self.refer(relation, tight)
        self.fill()
        self.decide()
        for relation in self.relations:
            self.surround(relation)
        schemas = {"schemas": ["public", ODD]}
        return Made(
            tuple(self.statements()), self.rules(), self.tenancy() | schemas, self.rarely(2), self.rarely(4),
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
        self.has(f"primary {pk}", by and f"partitioned by {by}", "long name" if len(name.name) > 30 else "")
        found.columns += self.primary_columns(pk)
        keyed = [c.name for c in found.columns]
        found.made_of_references = pk == "references"
        for _ in range(self.number(0, 3)):
            self.data_column(found)
        if not found.columns:
            found.columns.append(Column("only", "integer"))
        if self.many:
            found.columns.append(Column(self.realm, "text", True))
        if by and (partition := self.partitioned(found, by, keyed)) not in keyed and keyed:
            keyed.append(partition)
        if keyed:
            self.primary(found, tuple(keyed))
        for _ in range(self.number(0, 2)):
            self.unique(found)
        self.generated(found)
        if not by and self.rarely(8):
            self.inherited(found)
        found.rule["primary_key"] = self.one_of("global", "global", "tenant")
        return found

    def primary_columns(self, pk: str) -> list[Column]:
        match pk:
            case "identity":
                return [Column("id", "bigint", True, "GENERATED BY DEFAULT AS IDENTITY")]
            case "always":
                return [Column("id", "integer", True, "GENERATED ALWAYS AS IDENTITY")]
            case "serial":
                return [Column("id", "serial", True)]
            case "uuid":
                return [Column("id", "uuid", True, "DEFAULT gen_random_uuid()")]
            case "natural":
                return [Column("code", self.one_of("text", "character varying(40)", "integer"), True)]
            case "domain":
                return [Column("Nr.", self.one_of('"short text"', "positive"), True)]
            case "composite":
                return [Column("region", self.one_of("text", "integer"), True), Column("no", "integer", True)]
        return []

    def data_column(self, found: Relation) -> None:
        type_ = self.one_of(*VALUES)
        column = Column(self.one_of(*found.free(COLUMNS)), type_, self.rarely(2))
        if self.rarely(8):
            column.text = f"DEFAULT {column.value(1)}"
        column.wide = not column.not_null and self.rarely(2)
        found.columns.append(column)
        self.has(
            "domain" if type_ in ('"short text"', "positive") else "", "enum" if type_ == '"Mood"' else ""
        )

    def partitioned(self, found: Relation, by: str, keyed: Sequence[str]) -> str:
        """Make a table partitioned, with a few partitions; returns the column that decides."""
        fit = [c for c in found.columns if c.type in PARTITION_KEYS]
        chosen = next((c for c in fit if c.name in keyed), fit[0] if fit else Column("bucket", "integer"))
        if chosen not in found.columns:
            found.columns.append(chosen)
        chosen.not_null, chosen.wide, value = True, False, chosen.value
        found.partitioned_by = f" PARTITION BY {by} ({quote(chosen.name)})"
        first, second = {
            "hash": ("FOR VALUES WITH (MODULUS 2, REMAINDER 0)", "FOR VALUES WITH (MODULUS 2, REMAINDER 1)"),
            "list": (f"FOR VALUES IN ({value(1)}, {value(2)}, {value(3)})", "DEFAULT"),
            "range": (
                f"FOR VALUES FROM (MINVALUE) TO ({value(3)})",
                f"FOR VALUES FROM ({value(3)}) TO (MAXVALUE)",
            ),
        }[by]
        one, two, below = (QName(found.name.schema, f"part {found.number}.{n}") for n in (1, 2, 3))
        if self.rarely(4):
            self.has("partition of a partition")
            found.partitions[one] = f"{found.sql} {first} PARTITION BY HASH ({quote(chosen.name)})"
            found.partitions[below] = f"{qualified(one)} FOR VALUES WITH (MODULUS 1, REMAINDER 0)"
        else:
            found.partitions[one] = f"{found.sql} {first}"
        found.partitions[two] = f"{found.sql} {second}"
        return chosen.name

    def key_name(self, found: Relation, column: str) -> str:
        """A name for a key: one that nobody else wants, none (the server chooses), or one that the conversion wants."""
        match self.number(1, 9):
            case 1 | 2 | 3 | 4:
                return f"key_{self.next()}"
            case 5 | 6 | 7:
                return ""
        table = found.name.name
        wanted = self.one_of(
            f"{table}_tenant_{column}_unique", f"{table}_{self.column}_idx", f"{table}_{self.column}_fk",
            f"{table}_pkey_tenant", f"{table}_tenant_{column.removesuffix('_id')}_fk",
        )  # fmt: skip
        relations = [*self.relations, found]
        taken = {u.name for r in relations for u in r.uniques} | {
            f.name for r in relations for f in r.references
        }
        if len(wanted.encode()) > 63 or wanted in taken:
            return ""
        self.has("name that the conversion wants")
        return str(wanted)

    def primary(self, found: Relation, keyed: tuple[str, ...]) -> None:
        name, deferral = self.key_name(found, "pkey"), ""
        if not found.partitioned_by and self.rarely(12):
            deferral = self.one_of(" DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED")
            self.has("deferrable primary key")
        sql = f"ALTER TABLE {found.sql} ADD {_named(name)}PRIMARY KEY ({columns(keyed)}){deferral}"
        found.uniques.append(Unique("primary", name, keyed, sql, referable=not deferral))

    def unique(self, found: Relation) -> None:
        partition = [c.name for c in found.columns if f"({quote(c.name)})" in found.partitioned_by]
        fit = [c for c in found.columns if c.type in KEYS and c.name not in (*partition, self.realm)]
        if not fit:
            return
        chosen = self.draw(st.lists(st.sampled_from(fit), min_size=1, max_size=2, unique_by=lambda c: c.name))
        names = (*(c.name for c in chosen), *partition)
        kinds = ("constraint", "constraint", "index", "index", "partial", "expression")
        kind = self.one_of(*kinds, *([] if partition else ["exclusion"]))
        name = self.key_name(found, names[0])
        self.has(f"unique {kind}")
        if kind == "exclusion":
            name = name or f"key_{self.next()}"
            sql = self.exclusion(found, name, chosen[0])
            found.uniques.append(Unique(kind, name, names[:1], sql))
            return
        others = [c.name for c in found.columns if c.name not in names]
        clash = self.rarely(5)
        include = f" INCLUDE ({quote(others[0])})" if others and self.rarely(6) else ""
        tail = include + (" NULLS NOT DISTINCT" if clash and kind != "constraint" else "")
        tail += " WITH (fillfactor = 80)" if self.rarely(8) else ""
        self.has("nulls not distinct" if clash else "", "include" if include else "")
        if kind == "constraint":
            deferral = self.one_of("", "", "", " DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED")
            self.has("deferrable unique" if deferral else "")
            nulls = " NULLS NOT DISTINCT" if clash else ""
            sql = (
                f"ALTER TABLE {found.sql} ADD {_named(name)}UNIQUE{nulls} ({columns(names)}){tail}{deferral}"
            )
            found.uniques.append(Unique(kind, name, names, sql, not deferral, clash))
        else:
            sql = self.index(found, kind, name, chosen, partition, tail)
            found.uniques.append(Unique(kind, name, names, sql, kind == "index", clash))

    def index(
        self,
        found: Relation,
        kind: str,
        name: str,
        chosen: Sequence[Column],
        partition: Sequence[str],
        tail: str,
    ) -> str:
        keys = [quote(c.name) for c in chosen]
        where = f" WHERE {keys[0]} IS NOT NULL" if kind == "partial" else ""
        if kind == "expression":
            keys[0] = (
                f"lower({keys[0]})" if chosen[0].type == "text" else f"coalesce({', '.join([keys[0]] * 2)})"
            )
        elif kind == "partial" and chosen[0].type == "text":
            keys[0] += self.one_of("", " text_pattern_ops", ' COLLATE "C"')
        keys[-1] += self.one_of("", "", " DESC", " NULLS FIRST")
        keys += [quote(p) for p in partition]
        return f"CREATE UNIQUE INDEX {quote(name) if name else ''} ON {found.sql} ({', '.join(keys)}){tail}{where}"

    def exclusion(self, found: Relation, name: str, column: Column) -> str:
        choices = [("btree", "="), ("btree", "="), ("hash", "=")]
        method, operator = self.one_of(*choices) if column.type != "int4range" else ("gist", "&&")
        self.has(f"exclusion {method}")
        key = quote(column.name)
        where, deferral = self.one_of("", f" WHERE ({key} IS NOT NULL)"), self.one_of("", " DEFERRABLE")
        return f"ALTER TABLE {found.sql} ADD {_named(name)}EXCLUDE USING {method} ({key} WITH {operator}){where}{deferral}"

    def generated(self, found: Relation) -> None:
        texts = [c for c in found.columns if c.type in ("text", "character varying(40)")]
        if not texts or not self.rarely(5):
            return
        how = self.one_of("STORED", "VIRTUAL") if self.version >= 18 else "STORED"
        text = f"GENERATED ALWAYS AS (lower({quote(texts[0].name)})) {how}"
        found.columns.append(Column("made", "text", text=text, given=False))
        self.has(f"generated {how}")
        clear = next((u for u in found.uniques if u.columns == (texts[0].name,) and not u.nulls_clash), None)
        if how == "STORED" and clear is not None and clear.kind != "exclusion" and not found.partitioned_by:
            name = f"key_{self.next()}"
            found.uniques.append(
                Unique("index", name, (), f"CREATE UNIQUE INDEX {name} ON {found.sql} (made)")
            )

    def inherited(self, found: Relation) -> None:
        child = Relation(QName(found.name.schema, f"child {found.number}"), found.number, found)
        if self.rarely(2):
            child.columns.append(Column("more", "text", wide=True))
        if found.primary is not None and self.rarely(2):
            self.primary(child, found.primary.columns)
        found.child = child
        self.has("inheritance")

    # Foreign keys

    def refer(self, found: Relation, tight: bool) -> None:
        targets = [
            t for t in self.relations if (t.number < found.number if tight else True) and _referable(t)
        ]
        low = 1 if tight and found.made_of_references else 0
        for _ in range(self.number(low, 2 if not tight or low else self.one_of(0, 0, 0, 1))):
            if targets:
                self.reference(found, self.one_of(*targets), tight)
        made = tuple(c for r in found.references for c in r.columns)
        if tight and found.made_of_references and made:
            self.primary(found, made)

    def reference(self, found: Relation, target: Relation, tight: bool) -> None:
        key = self.one_of(*_referable(target))
        not_null = (tight and found.made_of_references) or self.rarely(2)
        made = []
        for name in key.columns:
            type_ = {"serial": "integer"}.get(type_ := target.column(name).type, type_)
            made.append(Column(self.one_of(*found.free(REFERENCES)), type_, given=False))
            found.columns.append(made[-1])
        names = tuple(c.name for c in made)
        if found.partitioned_by and self.version < 18:
            state = "valid"
        else:
            states = [
                "not valid",
                *(["not enforced"] if self.version >= 18 and not found.partitioned_by else []),
            ]
            state = self.one_of(*["valid"] * 7, *states)
        ref = Reference(
            self.key_name(found, names[0]), names, target, key.columns, self.actions(names, not_null),
            state == "valid", state != "not enforced", tight, not_null,
        )  # fmt: skip
        found.references.append(ref)
        if tight and not found.made_of_references:
            sql = f"ALTER TABLE {found.sql} ADD UNIQUE ({columns(names)})"
            if found.partitioned_by:
                sql, ref.tight = f"CREATE INDEX ON {found.sql} ({columns(names)})", False
            found.uniques.append(Unique("one to one", "", names if ref.tight else (), sql))
        self.has(
            "self reference" if target is found else "circular reference" if target.number > found.number else "",
            "composite reference" if len(names) > 1 else "", f"reference {state}",
            "reference to a unique" if key.kind != "primary" else "",
            "reference to a partitioned table" if target.partitioned_by else "",
        )  # fmt: skip

    def actions(self, names: tuple[str, ...], not_null: bool) -> str:
        only = f" ON DELETE SET NULL ({quote(names[-1])})"
        delete = self.one_of(
            "", "", " ON DELETE CASCADE", " ON DELETE RESTRICT",
            *([] if not_null else [" ON DELETE SET NULL", only, " ON DELETE SET DEFAULT"]),
        )  # fmt: skip
        update = self.one_of("", "", "", " ON UPDATE CASCADE", " ON UPDATE RESTRICT")
        deferral = self.one_of("", "", "", " DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED")
        match = " MATCH FULL" if (len(names) == 1 or not_null) and self.rarely(6) else ""
        self.has(
            delete.partition("(")[0].strip(),
            update.strip(),
            match.strip(),
            "deferrable reference" if deferral else "",
        )
        return f"{match}{delete}{update}{deferral}"

    # Rows

    def fill(self) -> None:
        for relation in self.relations:
            self.rows(relation, self.number(0, 4))
            if relation.child is not None:
                self.rows(relation.child, self.number(0, 2))
        for relation in self.relations:
            for r in relation.references:
                self.point(relation, r)

    def rows(self, found: Relation, count: int) -> None:
        twin = found.parent is not None and self.rarely(3)  # keys are not shared with an inheritance parent
        tight = [r for r in (found.parent or found).references if r.tight]
        for i in range(count):
            n, realm = self.next(), self.realms[i % len(self.realms)]
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
                self.has("the same id in a parent and its child")
            if self.many:
                row[self.realm] = literal(realm)
            if all(self.choose(found, r, row, realm, i) for r in tight) and found.fits(row):
                found.rows.append(row)
                found.realms.append(realm)

    def choose(self, found: Relation, r: Reference, row: Row, realm: str, i: int) -> bool:
        """Let a row refer to one of the same realm; False when there is none."""
        whole = [t for t, of in zip(r.target.rows, r.target.realms, strict=True) if of == realm]
        whole = [t for t in whole if "NULL" not in [t.get(c, "NULL") for c in r.referenced]]
        if whole:
            target = whole[i % len(whole)]
            row |= {c: target[there] for c, there in zip(r.columns, r.referenced, strict=True)}
        return bool(whole)

    def point(self, found: Relation, r: Reference) -> None:
        sparse = not r.not_null and self.rarely(2)
        for here in [found, *([found.child] if found.child else [])]:
            for i, (row, realm) in enumerate(zip(here.rows, here.realms, strict=True)):
                if not r.tight and not (sparse and i % 2):
                    self.choose(here, r, row, realm, i)
        if not r.validated and found.rows and not r.tight and self.rarely(2):
            found.rows[0] |= {c: found.column(c).value(9000 + self.next()) for c in r.columns}
            self.has("dangling reference")
        everywhere = [row for here in (found, found.child) if here for row in here.rows]
        r.not_null = r.not_null and all(c in row for row in everywhere for c in r.columns)
        for c in r.columns:
            found.column(c).not_null = r.not_null
            for row in everywhere:
                row.setdefault(c, "NULL")  # a domain may have a default

    # Decisions

    def decide(self) -> None:
        for relation in self.relations:
            scope = "tenant"
            if relation.number:
                scope = self.one_of("tenant", "tenant", "tenant", "shared", "through", "ignored")
            relation.rule["scope"] = scope
        for relation in self.relations:
            scope = relation.rule["scope"]
            if scope in ("shared", "ignored") and any(
                r.target.rule["scope"] in ("tenant", "through") and r.target is not relation
                for r in relation.references
            ):
                relation.rule["scope"] = "tenant"
        for relation in self.relations:
            self.decide_one(relation)

    def decide_one(self, relation: Relation) -> None:
        rule = relation.rule
        if rule["scope"] == "through":
            ways = [r for r in relation.references if r.target.rule["scope"] == "tenant"]
            if ways and not relation.child:
                self.through(relation, ways[0])
            else:
                rule["scope"] = "tenant"
        self.has(f"scope {rule['scope']}")
        if rule["scope"] == "tenant":
            self.tenant(relation)
        elif not rule["scope"].startswith("t"):
            rule.pop("primary_key")

    def through(self, relation: Relation, way: Reference) -> None:
        rule = relation.rule
        rule.pop("primary_key")
        rule["parent"] = spell(way.target.name)
        if sum(r.target is way.target for r in relation.references) > 1 or self.rarely(3):
            rule["on"] = dict(zip(way.columns, way.referenced, strict=True))

    def tenant(self, relation: Relation) -> None:
        rule = relation.rule
        column = self.column
        if column not in relation.free([column]):
            column = rule["column"] = "tenant ref"
        rule["backfill"] = self.source(relation)
        ids = IDS[self.type]
        if self.rarely(6) and (self.there or not self.many):
            kind = self.one_of("not null", "nullable", "empty here and there")
            relation.columns.append(Column(column, self.type, kind == "not null"))
            for here in [relation, *([relation.child] if relation.child else [])]:
                for i, (row, realm) in enumerate(zip(here.rows, here.realms, strict=True)):
                    if kind != "empty here and there" or i % 2:
                        row[column] = literal(ids[self.realms.index(realm)])
            self.has(f"tenant column there, {kind}")
            if kind == "not null" and self.there and self.rarely(2):
                rule.pop("backfill")
        rule["unique"] = {}
        for u in relation.uniques:
            if u.kind == "primary" and self.held(relation, u):
                rule["primary_key"] = "global"
            elif u.name and u.kind != "primary":
                self.decide_unique(rule["unique"], u, self.held(relation, u))
        if relation.child is not None and self.rarely(2):
            relation.child.rule |= (
                {"scope": "tenant", "backfill": rule["backfill"]} if "backfill" in rule else {}
            )

    def held(self, relation: Relation, u: Unique) -> bool:
        """True where the conversion would refuse to replace a key, which it may do now and then."""
        pointing = [
            other for other in self.relations for r in other.references
            if r.target is relation and set(r.referenced) == set(u.columns)
        ]  # fmt: skip
        used = any(other.rule["scope"] != "tenant" for other in pointing) or (
            pointing and relation.partitioned_by
        )
        return not self.rarely(8) and bool(used or ("exclusion" in u.kind and "USING btree" not in u.sql))

    def decide_unique(self, rules: dict[str, Any], u: Unique, held: bool) -> None:
        match "global" if held else self.one_of("left out", "left out", "tenant", "global", "renamed"):
            case "tenant":
                rules[u.name] = "tenant"
            case "global":
                rules[u.name] = {"scope": "global", "reason": "drawn"}
                self.has("unique that stays global")
            case "renamed":
                rules[u.name] = {"scope": "tenant", "name": f"renamed {self.next()}"}

    def source(self, relation: Relation) -> dict[str, Any]:
        ways = [
            r for r in relation.references
            if r.target.rule["scope"] == "tenant" and r.target.number < relation.number and r.validated and r.not_null
        ]  # fmt: skip
        ids = IDS[self.type]
        kinds = ["constant" if not self.many else "column"] * 2 + ["parent"] * (2 if ways else 0)
        if self.there or not self.many:
            kinds.append("expression")
        if self.many and self.there:
            kinds.append("mapping")
        kind = self.one_of(*kinds)
        self.has(f"backfill {kind}")
        match kind:
            case "constant":
                return {"constant": ids[0]}
            case "column":
                return {
                    "column": self.realm,
                    "matches": self.match,
                    "create": not self.there or self.rarely(2),
                }
            case "parent":
                way = self.one_of(*ways)
                pairs = dict(zip(way.columns, way.referenced, strict=True))
                one = sum(r.target is way.target for r in relation.references) == 1 and not self.rarely(3)
                return {"parent": spell(way.target.name)} | ({} if one else {"on": pairs})
            case "mapping":
                return {"mapping": "realms", "on": {self.realm: "realm"}, "tenant": "tenant"}
        if not self.many:
            return {"expression": f"{literal(ids[0])} -- drawn"}
        return {
            "expression": f"CASE {quote(self.realm)} WHEN 'r1' THEN {literal(ids[0])} ELSE {literal(ids[1])} END"
        }

    def tenancy(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "tenants": spell(QName("public", self.tenants)),
            "key": self.key,
            "type": self.type,
        }
        found["column"] = self.column
        if self.rarely(4):
            found["setting"] = "my_app.tenant"
        self.has("tenants table there" if self.there else "", f"tenant type {self.type}")
        if not self.many and not self.there:
            found["default"] = {"id": IDS[self.type][0], "name": "The first one's", "slug": "r1"}
        return found

    def rules(self) -> dict[str, Any]:
        found: dict[str, Any] = {"realms": {"scope": "ignored"}}
        for relation in self.relations:
            for here in [relation, *([relation.child] if relation.child else [])]:
                if here.rule:
                    found[spell(here.name)] = {k: v for k, v in here.rule.items() if v != {}}
        return found

    # What else is there

    def surround(self, relation: Relation) -> None:
        tenant = relation.rule["scope"] == "tenant"
        for make in (self.triggers, self.policies, self.views, self.marks, self.dropped):
            make(relation)
        if relation.triggers and tenant:
            harmless = relation.triggers <= {"look", "later", "whole"}
            relation.rule["triggers"] = self.one_of("disable", "fire") if harmless else "disable"
            self.has(*(f"trigger {t}" for t in relation.triggers))
        if relation.policies and relation.rule["scope"] in ("tenant", "through"):
            relation.rule["policies"] = relation.policies

    def triggers(self, relation: Relation) -> None:
        for kind in self.draw(
            st.sets(st.sampled_from(["touch", "refuse", "look", "later", "whole"]), max_size=2)
        ):
            if self.rarely(3):
                relation.triggers.add(kind)
        if "touch" in relation.triggers:
            relation.columns.append(
                Column("updated_at", "timestamptz", True, "DEFAULT '2024-01-01'", given=False)
            )
        for kind in sorted(relation.triggers):
            text = {
                "touch": "BEFORE UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION touch()",
                "refuse": "BEFORE UPDATE OR DELETE ON {} FOR EACH ROW EXECUTE FUNCTION refuse()",
                "look": "AFTER INSERT OR UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION look()",
                "later": "AFTER UPDATE ON {} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION look()",
                "whole": "AFTER UPDATE ON {} FOR EACH STATEMENT EXECUTE FUNCTION look()",
            }[kind].format(relation.sql)
            word = "CONSTRAINT TRIGGER" if kind == "later" else "TRIGGER"
            relation.after.append(f'CREATE {word} "on {kind}" {text}')
            if self.rarely(5):
                state = self.one_of("DISABLE", "ENABLE ALWAYS", "ENABLE REPLICA")
                relation.after.append(f'ALTER TABLE {relation.sql} {state} TRIGGER "on {kind}"')

    def policies(self, relation: Relation) -> None:
        if not self.rarely(6):
            return
        keep = self.rarely(2)
        text = (
            "AS RESTRICTIVE USING (true)" if keep else self.one_of("USING (true)", "FOR SELECT USING (true)")
        )
        relation.after.append(f'CREATE POLICY "was here" ON {relation.sql} {text}')
        relation.after.append(f"ALTER TABLE {relation.sql} ENABLE ROW LEVEL SECURITY")
        if self.rarely(2):
            relation.after.append(f"ALTER TABLE {relation.sql} FORCE ROW LEVEL SECURITY")
        relation.policies["was here"] = "keep" if keep else "drop"
        self.has("policy that stays" if keep else "policy that goes")

    def views(self, relation: Relation) -> None:
        kind = self.one_of("", "", "", "", "plain", "invoker", "materialized", "grouped")
        if not kind or (kind == "grouped" and (relation.primary is None or not relation.primary.referable)):
            return
        if kind == "grouped" and "primary_key" in relation.rule and not self.rarely(8):
            relation.rule["primary_key"] = "global"
        what, end = "*", ""
        if kind == "grouped" and relation.primary is not None:
            end = f" GROUP BY {columns(relation.primary.columns)}"
        word = "MATERIALIZED VIEW" if kind == "materialized" else "VIEW"
        option = " WITH (security_invoker = true)" if kind == "invoker" else ""
        relation.after.append(
            f'CREATE {word} "view {relation.number}"{option} AS SELECT {what} FROM {relation.sql}{end}'
        )
        self.has(f"view {kind}")

    def marks(self, relation: Relation) -> None:
        """What hangs on keys: comments, CLUSTER, REPLICA IDENTITY; and indexes that are no keys."""
        for u in relation.uniques:
            if not u.name or not u.columns:
                continue
            where = f"{quote(u.name)} ON {relation.sql}"
            if u.kind in ("primary", "constraint", "exclusion") and self.rarely(6):
                relation.after.append(f"COMMENT ON CONSTRAINT {where} IS 'it''s 100%'")
                self.has("comment")
            whole = u.kind in ("primary", "constraint", "index") and u.referable
            firm = all(relation.column(c).not_null for c in u.columns)
            if whole and firm and not relation.partitioned_by and self.rarely(8):
                text = self.one_of("CLUSTER ON", "REPLICA IDENTITY USING INDEX")
                relation.after.append(f"ALTER TABLE {relation.sql} {text} {quote(u.name)}")
                self.has(text)
        if self.rarely(5):
            relation.after.append(f"CREATE INDEX ON {relation.sql} ({quote(relation.columns[0].name)})")

    def dropped(self, relation: Relation) -> None:
        if self.rarely(6):
            relation.after.append(f"ALTER TABLE {relation.sql} ADD COLUMN gone integer DEFAULT 7")
            relation.after.append(f"ALTER TABLE {relation.sql} DROP COLUMN gone")
            self.has("dropped column")

    # SQL

    def statements(self) -> Iterator[str]:
        yield from PRELUDE
        yield from self.tenants_table()
        yield f"CREATE TABLE realms (realm text PRIMARY KEY, tenant {self.type})"
        for realm, key in zip(("r1", "r2"), IDS[self.type], strict=True):
            yield f"INSERT INTO realms VALUES ({literal(realm)}, {literal(key)})"
        for relation in self.relations:
            yield from relation.create()
        for relation in self.relations:
            for here in [relation, *([relation.child] if relation.child else [])]:
                yield from here.insert()
        for relation in self.relations:
            yield from relation.refer()
        for relation in self.relations:
            yield from relation.after

    def tenants_table(self) -> Iterator[str]:
        if not self.there:
            return
        made = {"text": "DEFAULT gen_random_uuid()::text", "uuid": "DEFAULT gen_random_uuid()"}
        key = f"{quote(self.key)} {self.type} {made.get(self.type, 'GENERATED BY DEFAULT AS IDENTITY')}"
        yield f"CREATE TABLE {quote(self.tenants)} ({key} PRIMARY KEY, name text UNIQUE, slug text NOT NULL UNIQUE)"
        for realm, id_ in zip(("r1", "r2"), IDS[self.type], strict=True):
            yield f"INSERT INTO {quote(self.tenants)} VALUES ({literal(id_)}, {literal(realm)}, {literal(realm)})"


def _named(name: str) -> str:
    return f"CONSTRAINT {quote(name)} " if name else ""


def _referable(target: Relation) -> list[Unique]:
    """Its keys that a foreign key may point at, made of columns whose values the rows say."""
    return [
        u for u in target.uniques
        if u.referable and u.columns and (u.kind == "primary" or (u.name and all(target.column(c).given for c in u.columns)))
    ]  # fmt: skip

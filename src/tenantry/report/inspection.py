"""What a database is, table by table, and what a conversion of each table will need.

Everything that a table could become is left open here: the needs are those of a tenant table.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Literal

from tenantry.catalog import Action, Catalog, Constraint, Policy, Table, Trigger
from tenantry.counts import counted, listed
from tenantry.errors import SpecError
from tenantry.evidence import keys, tenants, words
from tenantry.evidence import tables as evidence
from tenantry.names import QName, display
from tenantry.report import text
from tenantry.report.needs import needs

VERSION = 1
_ACTIONS: dict[Action, str] = {
    "a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PrimaryKey:
    """``kind``: how its values come about; natural means that two tenants may want the same."""

    name: str
    columns: tuple[str, ...]
    kind: keys.KeyKind
    described: str


@dataclass(frozen=True, slots=True)
class UniqueKey:
    """A unique key or exclusion constraint. ``lookup``: it sounds like something asked without a tenant."""

    name: str
    form: Literal["constraint", "index", "exclusion"]
    keys: tuple[str, ...]
    predicate: str | None
    nulls_not_distinct: bool
    deferrable: bool
    valid: bool
    lookup: bool
    described: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key, seen from one end; ``table`` is the other end."""

    name: str
    table: str
    columns: tuple[str, ...]
    referenced: tuple[str, ...]
    on_delete: str
    on_update: str
    deferrable: bool
    validated: bool


@dataclass(frozen=True, slots=True)
class TriggerUse:
    """A user trigger; ``backfill``: an UPDATE that fills a new tenant column fires it."""

    name: str
    table: str
    timing: str
    events: tuple[str, ...]
    function: str
    enabled: bool
    backfill: bool


@dataclass(frozen=True, slots=True)
class Isolation:
    """Row level security as it is."""

    enabled: bool
    forced: bool
    policies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TableInspection:
    """One table. ``rows`` is the server's estimate with partitions and children, 0 when none or unknown."""

    schema: str
    name: str
    kind: str
    owner: str
    rows: int
    bytes: int
    primary_key: PrimaryKey | None
    uniques: tuple[UniqueKey, ...]
    references: tuple[Reference, ...]
    referenced_by: tuple[Reference, ...]
    partition_of: str | None
    partitions: tuple[str, ...]
    parents: tuple[str, ...]
    children: tuple[str, ...]
    views: tuple[str, ...]
    functions: tuple[str, ...]
    triggers: tuple[TriggerUse, ...]
    rules: tuple[str, ...]
    tenant_columns: tuple[str, ...]
    isolation: Isolation
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inspection:
    """A whole database, as far as it was looked at. ``tenants`` says which table may list the tenants."""

    database: str
    server_version: int
    user: str
    schemas: tuple[str, ...]
    tenants: tuple[str, ...]
    tables: tuple[TableInspection, ...]
    not_looked_at: tuple[str, ...]


def inspect(catalog: Catalog, schemas: tuple[str, ...] | None = None) -> Inspection:
    """Look at all schemas, or at those given. Raises SpecError for one that is not there."""
    known = tuple(s.name for s in catalog.schemas)
    missing = [s for s in schemas or () if s not in known]
    if missing:
        raise SpecError(
            f"schema {', '.join(missing)}: not in database {catalog.server.database}; correct the name"
        )
    chosen = schemas or known
    found = tenants.find(evidence.ordinary(catalog, chosen))
    look = _Look(catalog, found)
    return Inspection(
        database=catalog.server.database,
        server_version=catalog.server.version,
        user=catalog.server.user,
        schemas=tuple(sorted(chosen)),
        tenants=tuple(_tenants(found)),
        tables=tuple(
            look.table(t) for t in catalog.tables if t.schema in chosen and not evidence.left_alone(t)
        ),
        not_looked_at=tuple(_not_looked_at(catalog, chosen)),
    )


def _tenants(found: tenants.Tenants) -> Iterator[str]:
    if found.chosen is not None:
        yield found.chosen.describe()
    yield from (f"{c.describe()}: it may list the tenants" for c in found.asked)
    yield from (f"{c.describe()}: taken for an ordinary table" for c in found.noted)
    if found.chosen is None and not found.asked:
        yield "no table seems to list the tenants"


def _not_looked_at(catalog: Catalog, schemas: tuple[str, ...]) -> Iterator[str]:
    for schema in catalog.schemas:
        if schema.name not in schemas:
            n = sum(t.schema == schema.name for t in catalog.tables)
            yield f"schema {schema.name} ({counted(n, 'table')})"
    for table in catalog.tables:
        if table.schema in schemas and (why := evidence.left_alone(table)):
            yield f"{display(table.qname)}: {why}"
    yield "rows: none was read"
    yield "SQL in the application, and other databases of this server"


class _Look:
    """The look-ups that several tables share, made once."""

    def __init__(self, catalog: Catalog, found: tenants.Tenants) -> None:
        self.catalog = catalog
        self._chosen = found.chosen

    @cached_property
    def _views(self) -> dict[QName, list[str]]:
        found: dict[QName, list[str]] = {}
        for view in self.catalog.views:
            kind = "materialized view " if view.materialized else ""
            for name in dict.fromkeys(view.reads):
                found.setdefault(name, []).append(f"{kind}{display(view.qname)}")
        return found

    @cached_property
    def _held(self) -> dict[QName, list[tuple[str, str]]]:
        """Keys that a view depends on, with the view, by table."""
        found: dict[QName, list[tuple[str, str]]] = {}
        for view in self.catalog.views:
            for name, key in dict.fromkeys(view.keys):
                found.setdefault(name, []).append((key, display(view.qname)))
        return found

    @cached_property
    def _functions(self) -> list[tuple[str, str, frozenset[str]]]:
        """Each user function: its name, its source in lower case, and the words in that."""
        out = []
        for function in self.catalog.functions:
            if not function.extension:
                source = function.source.lower()
                label = f"{display(function.qname)}({function.arguments})"
                out.append((label, source, words.identifiers(source)))
        return out

    def _mentions(self, t: Table) -> list[tuple[str, bool]]:
        """Functions whose source has the table's name as a word, and whether they say ON CONFLICT."""
        name = t.name.lower()
        word = name in words.identifiers(name)
        return [
            (label, "conflict" in found)
            for label, source, found in self._functions
            if (name in found if word else name in source)
        ]

    def _needs(self, t: Table, mentions: list[tuple[str, bool]]) -> Iterator[str]:
        if self._chosen is not None and t.qname == self._chosen.qname:
            yield "lists the tenants"
            return
        yield from needs(self.catalog, t, self._chosen, self._held.get(t.qname, ()))
        if conflicts := [label for label, conflict in mentions if conflict]:
            yield f"look at ON CONFLICT in {listed(conflicts, 3)}"

    def table(self, t: Table) -> TableInspection:
        """Everything about one table."""
        catalog, size = self.catalog, evidence.size(self.catalog, t)
        below = catalog.children(t.qname)
        mentions = self._mentions(t)
        columns = [c for c in t.columns if words.tenant_like(c.name)]
        return TableInspection(
            schema=t.schema,
            name=t.name,
            kind=t.kind,
            owner=t.owner,
            rows=size.rows,
            bytes=size.bytes,
            primary_key=_primary_key(t),
            uniques=tuple(_unique(u) for u in keys.uniques(t)),
            references=tuple(_reference(fk, fk.references) for fk in t.foreign_keys if fk.references),
            referenced_by=tuple(_reference(fk, other.qname) for other, fk in evidence.incoming(catalog, t)),
            partition_of=display(t.partition_of) if t.partition_of else None,
            parents=tuple(display(p) for p in t.parents),
            partitions=tuple(display(c.qname) for c in below if c.partition_of == t.qname),
            children=tuple(display(c.qname) for c in below if t.qname in c.parents),
            views=tuple(self._views.get(t.qname, ())),
            functions=tuple(label for label, _ in mentions),
            triggers=tuple(_trigger(t, trigger) for trigger in t.triggers),
            rules=t.rules,
            tenant_columns=tuple(f"{c.name} {c.type}{' NOT NULL' if c.not_null else ''}" for c in columns),
            isolation=Isolation(t.row_security, t.forced, tuple(_policy(p) for p in t.policies)),
            needs=tuple(self._needs(t, mentions)),
        )


_KINDS: dict[keys.KeyKind, str] = {
    "generated": "generated by the database",
    "uuid": "a uuid",
    "referencing": "made of references",
    "natural": "natural (given by the application)",
    "none": "none",
}


def _primary_key(t: Table) -> PrimaryKey | None:
    key = t.primary_key
    if key is None:
        return None
    return PrimaryKey(key.name, key.columns, keys.key_kind(t), keys.describe_columns(t, key.columns))


def _unique(u: keys.Unique) -> UniqueKey:
    return UniqueKey(
        u.name,
        u.form,
        u.keys,
        u.predicate,
        u.nulls_not_distinct,
        u.deferrable,
        u.valid,
        u.credential,
        u.describe(),
    )


def _reference(fk: Constraint, other: QName) -> Reference:
    return Reference(
        name=fk.name,
        table=display(other),
        columns=fk.columns,
        referenced=fk.referenced,
        on_delete=_ACTIONS[fk.on_delete]
        + (f" ({', '.join(fk.delete_columns)})" if fk.delete_columns else ""),
        on_update=_ACTIONS[fk.on_update],
        deferrable=fk.deferrable,
        validated=fk.validated,
    )


def _trigger(t: Table, trigger: Trigger) -> TriggerUse:
    enabled = trigger.enabled in "OA"
    return TriggerUse(
        name=trigger.name,
        table=display(t.qname),
        timing=f"{trigger.timing} {'each row' if trigger.row else 'statement'}",
        events=trigger.events,
        function=display(trigger.function),
        enabled=enabled,
        backfill=evidence.fires(trigger, "tenant_id"),
    )


def _policy(p: Policy) -> str:
    kind = "" if p.permissive else "restrictive, "
    return f"{p.name} ({kind}{p.command}, to {', '.join(p.roles) or 'PUBLIC'})"


def to_json(inspection: Inspection) -> str:
    """The whole inspection, with ``"version": 1``."""
    return json.dumps({"version": VERSION} | asdict(inspection), indent=1, ensure_ascii=False) + "\n"


def to_text(inspection: Inspection) -> str:
    """One block per table, readable at 100 columns; what was not looked at comes last."""
    return "\n".join(_lines(inspection)) + "\n"


def _lines(i: Inspection) -> Iterator[str]:
    version = f"PostgreSQL {i.server_version // 10000}.{i.server_version % 10000}"
    tables = counted(len(i.tables), "table")
    yield from text.paragraph(
        f"Database {i.database} on {version}, read as {i.user}: {tables} in schema {', '.join(i.schemas)}."
    )
    yield from text.labelled("tenants", i.tenants, indent=0)
    for table in i.tables:
        if table.partition_of is None:  # a partition is told with its root
            yield ""
            yield from _block(table)
    yield ""
    yield "Not looked at:"
    for line in i.not_looked_at:
        yield from text.paragraph(f"- {line}", indent=2)


def _block(t: TableInspection) -> Iterator[str]:
    size = evidence.Size(t.rows, t.bytes).describe()
    kind = "" if t.kind == "table" else f", {t.kind}"
    yield from text.paragraph(f"{display(QName(t.schema, t.name))}  {size}{kind}")
    key = t.primary_key
    yield from text.labelled("primary key", [f"{key.described}, {_KINDS[key.kind]}" if key else "none"])
    yield from text.labelled("unique", (f"{u.name}: {u.described}" for u in t.uniques))
    references = (_shown(r, f"{r.name}:", f"{r.table} {_list(r.referenced)}") for r in t.references)
    yield from text.labelled("references", references)
    yield from text.labelled(
        "referenced by", (_shown(r, r.table, _list(r.referenced)) for r in t.referenced_by)
    )
    yield from text.labelled("inherits from", t.parents)
    yield from text.labelled("partitions", [listed(t.partitions)] if t.partitions else [])
    yield from text.labelled("children", [listed(t.children)] if t.children else [])
    yield from text.labelled("views", [listed(t.views)] if t.views else [])
    yield from text.labelled("mentioned in", [listed(t.functions)] if t.functions else [])
    yield from text.labelled("triggers", (_shown_trigger(g) for g in t.triggers))
    yield from text.labelled("rules", t.rules)
    yield from text.labelled("tenant column", t.tenant_columns)
    if t.isolation.enabled or t.isolation.policies:
        state = "on, forced" if t.isolation.forced else "on, not forced" if t.isolation.enabled else "off"
        yield from text.labelled("row security", [state, *t.isolation.policies])
    yield from text.labelled("needs", ["; ".join(t.needs)] if t.needs else [])


def _list(columns: tuple[str, ...]) -> str:
    return f"({', '.join(columns)})"


def _shown(r: Reference, source: str, target: str) -> str:
    out = f"{source} {_list(r.columns)} → {target}"
    out += "" if r.on_delete == "NO ACTION" else f", on delete {r.on_delete}"
    out += "" if r.on_update == "NO ACTION" else f", on update {r.on_update}"
    return out + (", deferrable" if r.deferrable else "") + ("" if r.validated else ", NOT VALID")


def _shown_trigger(g: TriggerUse) -> str:
    state = "" if g.enabled else ", disabled"
    return f"{g.name}: {g.timing}, {' or '.join(g.events)}, calls {g.function}{state}"

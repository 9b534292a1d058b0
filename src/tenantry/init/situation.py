"""Where a database stands before its conversion: who its tenants are, and which tables are to be decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tenantry import names
from tenantry.catalog import Catalog, Column, Table
from tenantry.errors import SpecError
from tenantry.evidence import tables as evidence
from tenantry.evidence import tenants as candidates
from tenantry.evidence import words
from tenantry.names import QName, display
from tenantry.steps import audit


class Mode(StrEnum):
    """What the existing rows say about tenants."""

    SINGLE = "single"  # nothing: the whole database belongs to one
    FRESH = "fresh"  # a tenants table is there, and nothing refers to it
    TENANTS = "tenants"  # a tenants table is there, and tables refer to it
    COLUMNS = "columns"  # tables have a tenant column, and no table lists the tenants
    UNDECIDED = "undecided"  # several tables could list the tenants


@dataclass(frozen=True, slots=True)
class Tenancy:
    """What goes into [tenancy]; ``why`` are the comments above it."""

    mode: Mode
    tenants: QName | None
    key: str = "id"
    type: str = "text"
    column: str = "tenant_id"
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that the decisions are made from.

    ``columns``: the columns of each table that may be its tenant column. ``others``: columns that refer to the
    tenants table under a name that says something else. ``left``: tables to leave alone, with the reason.
    """

    catalog: Catalog
    schemas: tuple[str, ...]
    tenancy: Tenancy
    tables: tuple[Table, ...]
    left: tuple[tuple[Table, str], ...]
    audit: QName | None
    audit_why: tuple[str, ...]
    columns: Mapping[QName, tuple[Column, ...]] = field(default_factory=dict)
    others: Mapping[QName, tuple[Column, ...]] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know beside the text."""
        return (*self.tenancy.why, *self.audit_why)


def read(catalog: Catalog, schemas: tuple[str, ...] | None, tenants: str | None) -> Situation:
    """Look at a catalog. Raises SpecError for a schema or tenants table that cannot be used."""
    chosen = schemas or evidence.default_schemas(catalog)
    missing = [s for s in chosen if s not in {known.name for known in catalog.schemas}]
    if missing:
        raise SpecError(
            f"schema {', '.join(missing)}: not in database {catalog.server.database}; correct the name"
        )
    everything = evidence.ordinary(catalog, chosen)
    trail, audit_why = _audit(catalog, chosen)
    ordinary = tuple(t for t in everything if t.qname != trail)
    tenancy, found = _tenancy(catalog, chosen, ordinary, tenants)
    rest = tuple(t for t in ordinary if t.qname != tenancy.tenants)
    columns, others = _columns(tenancy, found, rest)
    return Situation(
        catalog=catalog,
        schemas=chosen,
        tenancy=tenancy,
        tables=rest,
        left=tuple((t, why) for t in catalog.tables if t.schema in chosen and (why := _left_alone(t))),
        audit=trail,
        audit_why=audit_why,
        columns=columns,
        others=others,
    )


def _left_alone(table: Table) -> str:
    """Why to write a table down as ignored; a partition is not written down, whatever it is."""
    return "" if table.partition_of else evidence.left_alone(table)


def _tenancy(
    catalog: Catalog, schemas: tuple[str, ...], tables: tuple[Table, ...], wanted: str | None
) -> tuple[Tenancy, candidates.Candidate | None]:
    if wanted is not None:
        return _named(catalog, tables, wanted)
    found = candidates.find(tables)
    if found.chosen is not None:
        return _existing(found.chosen, "found by name and by its references"), found.chosen
    if found.asked:
        return _asked(found), None
    name = _free_name(catalog, schemas)
    taken = f"The name tenants is taken by something that cannot list tenants, so {name.name} is made."
    return _made(name, tables, (*([taken] if name.name != "tenants" else []), *_noted(found))), None


def _made(name: QName, tables: tuple[Table, ...], why: tuple[str, ...]) -> Tenancy:
    """A tenants table to be made, for one customer or for the values of a column that most tables have."""
    common = candidates.column_without_table(tables)
    if common is None:
        first = f"{display(name)} is made, and every row that is there belongs to [tenancy.default]."
        return Tenancy(Mode.SINGLE, name, why=(first, *why))
    types = Counter(c.type for t in tables if (c := t.column(common)) is not None)
    type_ = min(types, key=lambda text: (-types[text], text))
    have = f"{sum(types.values())} of {len(tables)} tables have {common}"
    first = f"{have}, and no table lists the tenants it names: {display(name)} is made."
    return Tenancy(Mode.COLUMNS, name, type=type_, column=common, why=(first, *why))


def _named(
    catalog: Catalog, tables: tuple[Table, ...], wanted: str
) -> tuple[Tenancy, candidates.Candidate | None]:
    try:
        name = names.parse(wanted)
    except ValueError as error:
        raise SpecError(f"--tenants: {error}") from None
    table = catalog.by_name.get(name)
    if table is None and name.name in catalog.relation_names.get(name.schema, ()):
        raise SpecError(f"--tenants: {wanted} is there and is no table; give another name")
    if table is None:
        return _made(name, tables, ()), None
    found = candidates.candidate(table, tables)
    if found is None:
        raise SpecError(
            f"--tenants: {wanted} has no primary or unique key of one column that foreign keys can point at"
            " (and text, uuid or a number); add one, or name another table"
        )
    return _existing(found, "as asked for"), found


def _existing(found: candidates.Candidate, how: str) -> Tenancy:
    column = found.column
    mode = Mode.TENANTS if column else Mode.FRESH
    return Tenancy(
        mode=mode,
        tenants=found.qname,
        key=found.key.name,
        type=found.key.type,
        column=column or "tenant_id",
        why=(f"{found.describe()} ({how}).",),
    )


def _asked(found: candidates.Tenants) -> Tenancy:
    why = [
        "More than one table, or none clearly, could list the tenants. Draft again with the one that does:",
        *(f"  tenantry init --tenants {names.spell(c.qname)}   {c.describe()}" for c in found.asked),
        "or, where the whole database belongs to one tenant, with a name that is free (--tenants tenants).",
    ]
    return Tenancy(Mode.UNDECIDED, None, why=tuple(why))


def _noted(found: candidates.Tenants) -> tuple[str, ...]:
    return tuple(
        f"{c.describe()}, so it is taken for an ordinary table (else: tenantry init --tenants {names.spell(c.qname)})."
        for c in found.noted
    )


def _free_name(catalog: Catalog, schemas: tuple[str, ...]) -> QName:
    schema = "public" if "public" in schemas else schemas[0]
    taken = catalog.relation_names.get(schema, frozenset())
    return QName(schema, "tenants" if "tenants" not in taken else names.free("tenancy_tenants", taken))


def _columns(
    tenancy: Tenancy, found: candidates.Candidate | None, tables: tuple[Table, ...]
) -> tuple[dict[QName, tuple[Column, ...]], dict[QName, tuple[Column, ...]]]:
    """For each table the columns that are its tenant column by name, and those that refer to it otherwise."""
    referring = dict(found.columns) if found is not None else {}
    columns: dict[QName, tuple[Column, ...]] = {}
    others: dict[QName, tuple[Column, ...]] = {}
    for table in tables:
        mine = referring.get(table.qname, ())
        named = [c for c in table.columns if _is_tenant(c, tenancy, found)]
        columns[table.qname] = tuple(named)
        others[table.qname] = tuple(c for c in table.columns if c.name in mine and c not in named)
    return columns, others


def _is_tenant(column: Column, tenancy: Tenancy, found: candidates.Candidate | None) -> bool:
    if words.names_tenant_column(column.name):
        return True
    if found is not None and tenancy.mode is Mode.TENANTS:
        return words.words(column.name) == words.words(tenancy.column) or candidates.named_after(
            column.name, found.table, found.key
        )
    return tenancy.mode is Mode.COLUMNS and words.words(column.name) == words.words(tenancy.column)


def _audit(catalog: Catalog, schemas: tuple[str, ...]) -> tuple[QName | None, tuple[str, ...]]:
    """The audit trail's table; None, with the reason, when the name is taken by something else."""
    name = QName("public" if "public" in schemas else schemas[0], "audit_logs")
    table = catalog.by_name.get(name)
    taken = name.name in catalog.relation_names.get(name.schema, ())
    missing = [c for c in audit.COLUMNS if table is None or table.column(c) is None]
    if not taken or (table is not None and not missing and not evidence.follows(table)):
        return name, ()
    lacks = f" without column {', '.join(missing)}" if table is not None else ""
    return None, (f"The name {display(name)} is taken{lacks}: choose another for the audit trail.",)

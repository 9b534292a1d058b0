"""What a table is, from its name, columns and references: a migrator's, a partition, reference data, logins."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tenantry.catalog import Catalog, Constraint, Table, Trigger
from tenantry.counts import listed
from tenantry.evidence import words
from tenantry.names import QName, display

# The tables in which migrators keep their books.
_MIGRATOR = re.compile(
    r"""__drizzle_migrations(_\w+)? | __?prisma_migrations | alembic_version(_\w+)? | django_migrations
    | schema_migrations? | schema_migrations_lock | flyway_schema_history | schema_version | knex_\w+ | \w*_knex_migrations(_lock)?
    | databasechangelog(lock)? | goose_db_version | ar_internal_metadata | __efmigrationshistory | sequelizemeta
    | typeorm_metadata | pgmigrations | phinxlog | doctrine_migration_versions | _sqlx_migrations
    | __diesel_schema_migrations | refinery_schema_history | gorp_migrations | atlas_schema_revisions
    | mikro_orm_migrations | kysely_migration(_lock)? | _?yoyo_(migration|migrations|log|version|lock) | migrate_version
    | seaql_migrations | bun_migrations | bun_migration_locks | south_migrationhistory | migratehistory
    | play_evolutions(_lock)? | aerich | piccolo_migration""",
    re.VERBOSE,
)
# Laravel and TypeORM both call theirs just "migrations"; the columns tell it from anything else.
_MIGRATIONS_COLUMNS = (frozenset({"migration", "batch"}), frozenset({"timestamp", "name"}))

_SMALL = 1000  # rows; reference data seldom has more
_UNKNOWN = "0 rows (or never analyzed)"
_TIMES = ("timestamp", "date")
_PERSONAL = frozenset({"address", "author", "contact", "email", "mail", "owner", "password", "phone", "user"})
_REFERENCE = frozenset({"continent", "country", "currency", "language", "locale", "timezone"})
_LOGIN = frozenset(
    {"account", "authenticator", "identity", "login", "otp", "passkey", "session", "token", "verification"}
)
_LOGIN_COLUMNS = frozenset({"credential", "otp", "provider", "secret", "session", "token"})


def migrator(table: Table) -> bool:
    """True for the bookkeeping of a known migrator."""
    if _MIGRATOR.fullmatch(table.name.lower()):
        return True
    columns = {c.name for c in table.columns}
    return table.name == "migrations" and any(needed <= columns for needed in _MIGRATIONS_COLUMNS)


def left_alone(table: Table) -> str:
    """Why a table is no candidate for tenancy at all; empty when it is one."""
    if table.extension:
        return f"belongs to extension {table.extension}"
    if migrator(table):
        return "bookkeeping of a migrator"
    if table.kind == "foreign":
        return "a foreign table; row level security does not reach it"
    return ""


def follows(table: Table) -> bool:
    """True for a partition or inheritance child: what its root becomes, it becomes."""
    return table.partition_of is not None or bool(table.parents)


def ordinary(catalog: Catalog, schemas: tuple[str, ...]) -> tuple[Table, ...]:
    """The tables to decide about: no partitions or children, nothing that is left alone."""
    chosen = (t for t in catalog.tables if t.schema in schemas)
    return tuple(t for t in chosen if not follows(t) and not left_alone(t))


def default_schemas(catalog: Catalog) -> tuple[str, ...]:
    """``public`` where it holds tables to convert, else every schema that does."""
    found = sorted({t.schema for t in catalog.tables if not left_alone(t)})
    return ("public",) if "public" in found or not found else tuple(found)


@dataclass(frozen=True, slots=True)
class Size:
    """Estimates, with all partitions and children: ``rows`` 0 means none or unknown."""

    rows: int
    bytes: int

    def describe(self) -> str:
        rows = f"{self.rows:,} row{'' if self.rows == 1 else 's'}" if self.rows else _UNKNOWN
        return f"{rows}, {human(self.bytes)}" if self.bytes else rows


def size(catalog: Catalog, table: Table) -> Size:
    """A partitioned table's own numbers are those of its partitions, an inheritance parent's are not."""
    below = [t for t in catalog.descendants(table.qname) if t.kind != "partitioned"]
    rows, stored = sum(t.rows for t in below), sum(t.bytes for t in below)
    if table.kind == "partitioned":
        return Size(max(table.rows, rows), max(table.bytes, stored))
    return Size(table.rows + rows, table.bytes + stored)


def human(size_in_bytes: int) -> str:
    """Bytes for people: ``24 kB``, ``1.3 GB`` (powers of 1024, as pg_size_pretty)."""
    value = float(size_in_bytes)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if value >= 10 or unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TB"


def root(catalog: Catalog, name: QName) -> QName:
    """The table that a partition or child follows at the end; the name itself for any other."""
    seen = {name}
    while (table := catalog.by_name.get(name)) is not None and follows(table):
        name = table.partition_of or table.parents[0]
        if name in seen:
            break
        seen.add(name)
    return name


def outgoing(table: Table) -> tuple[Constraint, ...]:
    """Foreign keys to other tables than itself."""
    return tuple(fk for fk in table.foreign_keys if fk.references not in (None, table.qname))


def incoming(catalog: Catalog, table: Table) -> tuple[tuple[Table, Constraint], ...]:
    """Foreign keys of other tables, partitions' copies aside."""
    pairs = catalog.referencing(table.qname)
    return tuple((t, fk) for t, fk in pairs if t.qname != table.qname and not fk.inherited)


def neighbours(catalog: Catalog, table: Table) -> str:
    """``references users (author_id); referenced by ratings (skill_id)``; empty for a table that stands alone."""
    out = [f"{display(fk.references)} ({', '.join(fk.columns)})" for fk in outgoing(table) if fk.references]
    into = [f"{display(t.qname)} ({', '.join(fk.columns)})" for t, fk in incoming(catalog, table)]
    parts = [f"references {listed(out)}"] if out else []
    return "; ".join([*parts, f"referenced by {listed(into)}"] if into else parts)


def reference_like(catalog: Catalog, table: Table) -> str:
    """Why a table may be reference data that all tenants share; empty when nothing says so."""
    if outgoing(table) or size(catalog, table).rows > _SMALL:
        return ""
    if words.noun(table.name) in _REFERENCE:
        return "its name is one of reference data"
    for column in table.columns:
        if column.base.startswith(_TIMES) or not _PERSONAL.isdisjoint(words.words(column.name)):
            return ""
    few = "few rows" if size(catalog, table).rows else _UNKNOWN
    shape = "is referenced" if incoming(catalog, table) else "stands alone"
    return f"it references nothing, {shape}, has {few} and neither times nor personal columns"


def login_like(table: Table) -> str:
    """Why a table may be read before a tenant is known, at login; empty when nothing says so."""
    key = table.primary_key
    in_key = [c for c in key.columns if _login_column(c)] if key else []
    if in_key:
        return f"its key ({', '.join(in_key)}) is looked up at login"
    held = [c.name for c in table.columns if _login_column(c.name)]
    if held and words.noun(table.name) in _LOGIN:
        return f"its name and {listed(held, 3)} are those of a login"
    return ""


def _login_column(name: str) -> bool:
    return not _LOGIN_COLUMNS.isdisjoint(words.words(name))


def firing(catalog: Catalog, table: Table, column: str) -> Iterator[tuple[Table, Trigger]]:
    """User triggers that an UPDATE of the column fires, on the table, its partitions and children."""
    for part in (table, *catalog.descendants(table.qname)):
        yield from ((part, trigger) for trigger in part.triggers if fires(trigger, column))


def fires(trigger: Trigger, column: str) -> bool:
    """True when an UPDATE of the column fires the trigger; a partition's copy of its root's does not count."""
    watched = not trigger.update_columns or column in trigger.update_columns
    return trigger.enabled in "OA" and "update" in trigger.events and watched and not trigger.inherited

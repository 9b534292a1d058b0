"""The tenants table, its first tenant, and tenants made from the values of a column."""

from __future__ import annotations

from collections.abc import Iterator

from tenantry import ddl, verify
from tenantry.catalog import Column, Constraint, Table
from tenantry.conversion import Conversion, TenantTable, place_problems
from tenantry.names import QName, display, fit, free, literal, qualified, quote, spell
from tenantry.plan import Change, Lock, Phase
from tenantry.spec import FromColumn
from tenantry.steps.backfill import expression
from tenantry.steps.columns import fills_itself


def problems(c: Conversion) -> Iterator[str]:
    """What keeps a tenants table from being made or used, or tenants from being made in it."""
    yield from place_problems(c, c.tenants, "[tenancy] tenants")
    entry = c.tenants_entry
    if entry is None:
        return
    name = spell(c.tenants)
    if entry.table.kind == "partitioned" or entry.table.parents or c.catalog.children(c.tenants):
        yield f"{name}: has partitions, parents or children, through which tenants could be seen or missed; name a plain table"
    if entry.table.unlogged and not all(t.table.unlogged for t in c.tables):
        yield f"{name}: is UNLOGGED, and no other table can refer to it; ALTER TABLE … SET LOGGED first"
    if c.spec.tenancy.default is not None or any(_creates(t) for t in c.roots):
        yield from _insert_problems(c, entry.table)


def _creates(table: TenantTable) -> FromColumn | None:
    source = table.rule.backfill
    return source if isinstance(source, FromColumn) and source.create else None


def _insert_problems(c: Conversion, table: Table) -> Iterator[str]:
    name, key = spell(c.tenants), c.spec.tenancy.key
    given = {key, "name", "slug"}
    missing = [n for n in ("name", "slug") if table.column(n) is None]
    if missing:
        yield f"{name}: has no column {' and '.join(missing)}, so no tenant can be made in it; remove [tenancy.default] and create, and make the tenants yourself"
    generated = [col.name for col in table.columns if col.generated and col.name in given]
    if generated:
        yield f"{name}: column {', '.join(generated)} is generated and cannot be given; remove [tenancy.default] and create, and make the tenants yourself"
    needed = [
        col.name for col in table.columns
        if col.not_null and col.default is None and not col.identity and not col.generated and col.name not in given
    ]  # fmt: skip
    if needed:
        yield f"{name}: column {', '.join(needed)} must have a value that nobody gave; remove [tenancy.default] and create, and make the tenants yourself"
    column = table.column(key)
    keyless = [t for t in c.roots if (source := _creates(t)) and source.matches != key]
    if keyless and column is not None and column.default is None and not column.identity:
        yield f"{name}: its key {key} has no default, so no tenant can be made from values of {spell(keyless[0].qname)}; give it a default, or match {key}"


def steps(c: Conversion) -> Iterator[Change]:
    """Create the table and the default tenant."""
    if c.tenants_entry is None:
        yield _create(c)
    elif c.textual:
        yield from _not_empty(c)
    default = c.spec.tenancy.default
    # The catalog holds no rows; once every tenant column is filled and enforced, its foreign key vouches for the tenant.
    unfilled = any(t.existing is None or not t.existing.not_null for t in c.roots)
    if default is not None and (c.tenants_entry is None or unfilled):
        key = quote(c.spec.tenancy.key)
        where = f"{key} = {literal(default.id)}"
        yield Change(
            id="tenants.default",
            phase=Phase.TENANTS,
            object=display(c.tenants),
            why=f"The tenant that existing rows belong to: {default.slug}.",
            apply=(
                f"INSERT INTO {qualified(c.tenants)} ({key}, name, slug){_overriding(c)}\n"
                f"VALUES ({literal(default.id)}, {literal(default.name)}, {literal(default.slug)})\n"
                "ON CONFLICT DO NOTHING",
                *_next_key(c),
            ),
            verify=verify.query(f"EXISTS (SELECT FROM {qualified(c.tenants)} WHERE {where})"),
            revert=(f"DELETE FROM {qualified(c.tenants)} WHERE {where}",),
            lock=Lock.ROW_EXCLUSIVE,
            rows=1,
        )


def _overriding(c: Conversion) -> str:
    """What an INSERT of a given key needs where the table makes its keys itself and takes no others."""
    column = c.tenants_entry.table.column(c.spec.tenancy.key) if c.tenants_entry else None
    return " OVERRIDING SYSTEM VALUE" if column is not None and column.identity == "a" else ""


def _next_key(c: Conversion) -> tuple[str, ...]:
    """After a number was given as a key: the sequence of the keys goes on above it, and never back."""
    if c.type not in ("smallint", "integer", "bigint"):
        return ()
    key, table = c.spec.tenancy.key, qualified(c.tenants)
    return (
        f"SELECT pg_catalog.setval(s.name, greatest(pg_catalog.nextval(s.name), (SELECT max({quote(key)}) FROM {table})))\n"
        f"FROM (SELECT pg_catalog.pg_get_serial_sequence({literal(table)}, {literal(key)})::regclass AS name) AS s\n"
        "WHERE s.name IS NOT NULL",
    )


def _create(c: Conversion) -> Change:
    key, type_ = quote(c.spec.tenancy.key), c.type
    taken = c.catalog.relation_names.get(c.tenants.schema, frozenset())
    made = {
        "text": f"{key} text PRIMARY KEY DEFAULT gen_random_uuid()::text",
        "uuid": f"{key} uuid PRIMARY KEY DEFAULT gen_random_uuid()",
    }.get(type_, f"{key} {type_} GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY")
    lines = [
        made,
        "name text NOT NULL",
        f"slug text NOT NULL CONSTRAINT {quote(free(c.tenants.name + '_slug_unique', taken))} UNIQUE",
        "domain text",
        "logo text",
        "is_active boolean NOT NULL DEFAULT true",
        "plan text NOT NULL DEFAULT 'freemium'",
        "created_at timestamp with time zone NOT NULL DEFAULT now()",
        "updated_at timestamp with time zone NOT NULL DEFAULT now()",
    ]
    if type_ == "text":
        lines.append(_check(c))
    return Change(
        id="tenants.create",
        phase=Phase.TENANTS,
        object=display(c.tenants),
        why="Every customer is one row here; tenant columns point at it.",
        apply=(ddl.create_table(c.tenants, lines), *unprivileged(c, c.tenants)),
        verify=verify.query(verify.relation(c.tenants)),
        revert=(ddl.drop_table(c.tenants),),
    )


def planned(c: Conversion) -> Table:
    """The tenants table as :func:`steps` makes it, for who has to know its columns before it is there."""
    when = "timestamp with time zone"
    types = {
        c.spec.tenancy.key: c.type, "name": "text", "slug": "text", "domain": "text", "logo": "text",
        "is_active": "boolean", "plan": "text", "created_at": when, "updated_at": when,
    }  # fmt: skip
    key = Constraint(f"{c.tenants.name}_pkey", "primary", (c.spec.tenancy.key,), "")
    columns = tuple(Column(name, type_, type_, True) for name, type_ in types.items())
    return Table(c.tenants.schema, c.tenants.name, "table", "", columns, (key,))


def unprivileged(c: Conversion, name: QName) -> tuple[str, ...]:
    """For a table just made: default privileges may have given it to an application's role that is there."""
    if c.spec.roles.app not in c.catalog.roles_by_name:
        return ()
    where = qualified(name)
    return tuple(ddl.revoke("TABLE", where, ["ALL"], role) for role in (c.spec.roles.app, ""))


def _check_name(c: Conversion) -> str:
    return fit(f"{c.tenants.name}_{c.spec.tenancy.key}_not_empty")


def _check(c: Conversion) -> str:
    return f"CONSTRAINT {quote(_check_name(c))} CHECK ({quote(c.spec.tenancy.key)} <> '')"


def _not_empty(c: Conversion) -> Iterator[Change]:
    """After SET LOCAL ends the setting reads as '': no tenant may have that id."""
    entry = c.tenants_entry
    if entry is None or entry.table.constraint(_check_name(c)) is not None:
        return
    yield Change(
        id=f"tenants.{_check_name(c)}",
        phase=Phase.TENANTS,
        object=display(c.tenants),
        why="An unset scope reads as an empty string, so no tenant may have the empty id.",
        apply=(f"ALTER TABLE {qualified(c.tenants)} ADD {_check(c)}",),
        verify=verify.query(verify.constraint(c.tenants, _check_name(c))),
        revert=(ddl.drop_constraint(c.tenants, _check_name(c)),),
        lock=Lock.ACCESS_EXCLUSIVE,
        tables=(c.tenants,),
        rows=entry.table.rows,
        bytes=entry.table.bytes,
    )


def from_values(c: Conversion) -> Iterator[Change]:
    """Tenants for the distinct values of a column, where the spec asks for them."""
    for table in c.roots:
        source = _creates(table)
        if source is None or _vouched(c, table):
            continue
        key, slug = quote(c.spec.tenancy.key), "v.value"
        values = f"SELECT DISTINCT {quote(source.column)}::text AS value FROM {qualified(table.qname)}"
        match = f"k.{quote(source.matches)}::text = v.value"
        missing = f"FROM ({values}) v WHERE v.value <> '' AND NOT EXISTS (SELECT FROM {qualified(c.tenants)} k WHERE {match})"
        if source.matches != "slug":
            # Two values may give one slug; the unique key on it then refuses both, loudly.
            slug = "trim(both '-' from lower(regexp_replace(v.value, '[^[:alnum:]]+', '-', 'g')))"
        insert, select = "(name, slug)", f"v.value, {slug}"
        after: tuple[str, ...] = ()
        if source.matches == c.spec.tenancy.key:
            cast = "" if c.type == "text" else f"::{c.type}"
            insert, select = f"({key}, name, slug){_overriding(c)}", f"v.value{cast}, {select}"
            after = _next_key(c)
        yield Change(
            id=f"backfill.{table.label}.tenants",
            phase=Phase.BACKFILL,
            object=display(c.tenants),
            why=f"One tenant for each distinct {source.column} of {table.label}.",
            apply=(f"INSERT INTO {qualified(c.tenants)} {insert}\nSELECT {select}\n{missing}", *after),
            verify=f"SELECT NOT EXISTS (SELECT {missing})",
            lock=Lock.ROW_EXCLUSIVE,
            rows=table.table.rows,
            bytes=table.table.bytes,
        )


def _vouched(c: Conversion, table: TenantTable) -> bool:
    """True where the foreign key of the tenant column says that every row's tenant is there."""
    wanted = (table.column,), c.tenants, (c.spec.tenancy.key,)
    keys = table.table.foreign_keys
    return (
        table.existing is not None
        and table.existing.not_null
        and any((k.columns, k.references, k.referenced) == wanted and k.validated for k in keys)
    )


def notes(c: Conversion) -> Iterator[str]:
    """What a revert cannot take back."""
    for table in c.roots:
        source = _creates(table)
        if source is not None and c.tenants_entry is not None and not _vouched(c, table):
            yield f"{display(c.tenants)}: tenants made from {source.column} of {table.label} stay there after a revert; nothing tells them from those that were there before"


def guards(c: Conversion) -> Iterator[tuple[str, str]]:
    """Queries that must count 0 before a revert: it would lose tenants, or merge their rows."""
    if c.tenants_entry is None:
        yield _made_guard(c)
        return
    for table in c.roots:
        if fills_itself(c, table):
            other = f"a.{quote(table.column)} IS DISTINCT FROM {expression(c, table, 'a')}"
            query = f"SELECT count(*) FROM {qualified(table.qname)} AS a WHERE {other}"
            yield (
                query,
                f"{table.label} holds rows of other tenants than the backfill gives; they would be merged with the others. Export and erase them first.",
            )


def _made_guard(c: Conversion) -> tuple[str, str]:
    known = [f"SELECT {literal(c.spec.tenancy.default.id)}"] if c.spec.tenancy.default else []
    key = f"{quote(c.spec.tenancy.key)}::text"
    for table in c.roots:
        source = _creates(table)
        if source is not None:
            inner = f"SELECT {quote(source.column)}::text FROM {qualified(table.qname)}"
            known.append(
                f"SELECT k.{key} FROM {qualified(c.tenants)} k WHERE k.{quote(source.matches)}::text IN ({inner})"
            )
    query = f"SELECT count(*) FROM {qualified(c.tenants)}"
    if known:
        query += f" WHERE {key} NOT IN ({' UNION '.join(known)})"
    return (
        query,
        f"{display(c.tenants)} holds tenants that the conversion did not make; dropping the table would lose them. Export and erase them first.",
    )

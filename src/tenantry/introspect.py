"""Reads a database: a connection in, a :class:`~tenantry.catalog.Catalog` out, in a handful of queries.

Each query is a file under ``sql/`` whose header says what it yields, in the order in which it is unpacked
here. The queries read whole catalogs and name objects by oid; the rows are put together here, each looked at
once. Nothing is asked table by table, and no table is opened or measured.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import resources
from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from tenantry import collector
from tenantry.catalog import (
    Catalog,
    Column,
    Constraint,
    Function,
    Grant,
    Index,
    Key,
    Policy,
    Role,
    Schema,
    Sequence,
    Server,
    Table,
    Trigger,
    View,
)
from tenantry.errors import CatalogError
from tenantry.names import QName

OLDEST = 15  # major version of PostgreSQL; the queries do not fit an older one

T = TypeVar("T")
_Rows = Iterable[tuple[Any, ...]]
_Read = Callable[[str], _Rows]  # the name of a query to its rows
_ByOid = Mapping[int, tuple[T, ...]]
_Names = Mapping[int, Mapping[int, str]]  # relation to the names of its columns by number

# The catalog queries, in the order in which their rows are needed.
QUERIES = (
    "server", "grants", "columns", "schemas", "constraints", "keys", "indexes", "policies", "triggers", "tables",
    "views", "functions", "sequences", "roles", "opclasses", "names",
)  # fmt: skip


def read(conn: psycopg.Connection[Any]) -> Catalog:
    """Read the whole database that ``conn`` is connected to; nothing in it is changed or locked against writers.

    All queries see one state: a read-only REPEATABLE READ transaction is opened for them and rolled back, with
    ``search_path`` empty in it. In a transaction that is already open they see what that transaction sees, under
    its isolation, and its settings are put back. Any role will do. The system's schemas and Tenantry's own are
    left out, and so are the owner's rights on what he owns.

    Raises CatalogError when the server is too old, the transaction has already failed, or a query fails.
    """
    _refuse(conn)
    idle = conn.info.transaction_status == TransactionStatus.IDLE
    try:
        with conn.transaction(force_rollback=True), psycopg.Cursor(conn, row_factory=tuple_row) as cursor:
            if idle:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute(_sql("session"))
            return _ahead(cursor, _catalog)
    except psycopg.Error as error:
        raise _failure(conn, error) from error


def _ahead(cursor: psycopg.Cursor[tuple[Any, ...]], assemble: Callable[[_Read], T]) -> T:
    """Assemble rows while the server is at the queries that follow."""

    def fetch(name: str) -> _Rows:
        # Not prepared: a plan that the session keeps would have been made under the settings of this transaction.
        return cursor.execute(_sql(name), prepare=False).fetchall()

    with (
        ThreadPoolExecutor(max_workers=1, thread_name_prefix="tenantry-introspect") as worker,
        collector.paused(),
    ):
        coming = {name: worker.submit(fetch, name) for name in QUERIES}
        try:
            return assemble(lambda name: coming[name].result())
        except BaseException as error:
            worker.shutdown(wait=False, cancel_futures=True)
            if not isinstance(error, Exception):  # Ctrl-C: what the server is at may be waiting for a lock
                cursor.connection.cancel_safe()
            raise


@cache
def _sql(name: str) -> bytes:
    return (resources.files("tenantry") / "sql" / f"{name}.sql").read_bytes()


def _refuse(conn: psycopg.Connection[Any]) -> None:
    """Raise CatalogError for a connection that cannot be read from, before anything is sent."""
    if conn.closed:
        raise CatalogError("connection: it is closed; connect again")
    database, version = conn.info.dbname, conn.info.server_version
    if version < OLDEST * 10_000:
        raise CatalogError(
            f"database {database}: its server is PostgreSQL {version // 10_000}; upgrade it to {OLDEST} or later"
        )
    if conn.info.transaction_status == TransactionStatus.INERROR:
        raise CatalogError(
            f"database {database}: the transaction in progress has failed; roll it back and read again"
        )


def _failure(conn: psycopg.Connection[Any], error: psycopg.Error) -> CatalogError:
    reason = error.diag.message_primary or str(error).strip() or type(error).__name__
    if conn.closed:
        return CatalogError(f"connection: it was lost while the catalog was read: {reason}; connect again")
    match error:
        case psycopg.errors.InsufficientPrivilege():
            action = "grant this role SELECT on that catalog, or connect as another"
        case psycopg.errors.QueryCanceled() | psycopg.errors.LockNotAvailable():
            action = "raise that timeout, or wait for the DDL that is running, and read again"
        case psycopg.errors.InternalError_() | psycopg.errors.UndefinedTable():
            action = "an object was probably dropped meanwhile: read again"
        case _:
            action = "see to that and read again"
    return CatalogError(f"database {conn.info.dbname}: its catalog cannot be read: {reason}; {action}")


def _catalog(rows: _Read) -> Catalog:
    ((version, database, user, extensions, event_triggers),) = rows("server")
    grants = _grants(rows("grants"))
    columns, names = _columns(rows("columns"))
    return Catalog(
        server=Server(version, database, user),
        schemas=tuple(Schema(name, owner, grants["schema", oid]) for oid, name, owner in rows("schemas")),
        tables=tuple(_tables(rows, columns, names, grants)),
        views=tuple(_views(rows("views"), grants)),
        functions=tuple(_functions(rows("functions"))),
        sequences=tuple(_sequences(rows("sequences"), names, grants)),
        roles=tuple(_roles(rows("roles"))),
        extensions=tuple(extensions),
        event_triggers=tuple(event_triggers),
        equality_opclasses=tuple((method, type_) for method, type_ in rows("opclasses")),
        other_names=tuple(QName(schema, name) for schema, name in rows("names")),
    )


_Grants = Mapping[tuple[str, int], tuple[Grant, ...]]


def _grants(rows: _Rows) -> _Grants:
    found: defaultdict[tuple[str, int], tuple[Grant, ...]] = defaultdict(tuple)
    for class_, oid, role, privileges, column in rows:
        found[class_, oid] += (Grant(role, tuple(privileges), column),)
    return found


def _grouped(pairs: Iterable[tuple[int, T]]) -> _ByOid[T]:
    """What belongs to each relation, in the order of the rows; nothing for a relation that has none."""
    found: defaultdict[int, list[T]] = defaultdict(list)
    for relation, item in pairs:
        found[relation].append(item)
    return defaultdict(tuple, ((relation, tuple(items)) for relation, items in found.items()))


def _tables(rows: _Read, columns: _ByOid[Column], names: _Names, grants: _Grants) -> Iterator[Table]:
    constraints = _grouped(_constraints(rows("constraints"), names))
    special = {(index, position): found for index, position, *found in rows("keys")}
    indexes = _grouped(_indexes(rows("indexes"), names, special))
    policies = _grouped(_policies(rows("policies")))
    triggers = _grouped(_triggers(rows("triggers")))
    for (
        oid, schema, name, kind, owner, rules, row_security, forced, partition, parents, partition_key,
        columns_ever, extension, unlogged, of_type, estimate, size,
    ) in rows("tables"):  # fmt: skip
        above = tuple(QName(*parent) for parent in parents)
        yield Table(
            schema=schema,
            name=name,
            kind=kind,
            owner=owner,
            columns=columns[oid],
            constraints=constraints[oid],
            indexes=indexes[oid],
            policies=policies[oid],
            triggers=triggers[oid],
            rules=tuple(rules),
            grants=grants["relation", oid],
            column_grants=grants["column", oid],
            row_security=row_security,
            forced=forced,
            partition_of=above[0] if partition else None,
            partition_key=tuple(partition_key),
            parents=() if partition else above,
            dropped_columns=columns_ever - len(columns[oid]),
            extension=extension,
            unlogged=unlogged,
            of_type=of_type,
            rows=estimate,
            bytes=size,
        )


def _columns(rows: _Rows) -> tuple[_ByOid[Column], _Names]:
    columns: list[tuple[int, Column]] = []
    names: defaultdict[int, dict[int, str]] = defaultdict(dict)
    for relation, number, name, type_, base, *rest in rows:
        names[relation][number] = name
        columns.append((relation, Column(name, type_, base or type_, *rest)))
    return _grouped(columns), names


def _constraints(rows: _Rows, names: _Names) -> Iterator[tuple[int, Constraint]]:
    for (
        relation, name, kind, columns, definition, deferrable, deferred, validated, enforced, inherited, period,
        comment, index, references, schema, table, referenced, on_update, on_delete, match_, delete_columns,
    ) in rows:  # fmt: skip
        foreign: dict[str, Any] = {"index": index}
        if kind == "foreign":
            foreign = {
                "references": QName(schema, table),
                "referenced": _named(referenced, names[references]),
                "referenced_index": index,
                "on_update": on_update,
                "on_delete": on_delete,
                "match": match_,
                "delete_columns": _named(delete_columns, names[relation]),
            }
        yield (
            relation,
            Constraint(
                name=name,
                kind=kind,
                columns=_named(columns, names[relation]),
                definition=_still_there(definition, name),
                deferrable=deferrable,
                deferred=deferred,
                validated=validated,
                enforced=enforced,
                inherited=inherited,
                period=period,
                comment=comment,
                **foreign,
            ),
        )


def _named(numbers: Iterable[int], names: Mapping[int, str]) -> tuple[str, ...]:
    """The names of columns; an expression (0) and the system's columns (below 0) have none here."""
    try:
        return tuple(names[n] for n in numbers if n > 0)
    except KeyError:  # only in the caller's transaction, where each query sees what was committed before it
        raise CatalogError("a column was added while the catalog was read; read again") from None


def _still_there(definition: str | None, name: str) -> str:
    """The server answers NULL for an object that another session dropped after this snapshot was taken."""
    if definition is None:
        raise CatalogError(f"{name}: it was dropped while the catalog was read; read again")
    return definition


# Of the index with that oid, at that position: expression, collation, opclass, operator.
_Special = Mapping[tuple[int, int], list[str | None]]


def _indexes(rows: _Rows, names: _Names, special: _Special) -> Iterator[tuple[int, Index]]:
    for (
        relation, oid, name, method, columns, key_count, flags, unique, primary, exclusion, valid, nulls_not_distinct,
        predicate, constraint, parent, tablespace, options, clustered, replica_identity, comment,
    ) in rows:  # fmt: skip
        yield (
            relation,
            Index(
                name=name,
                method=method,
                keys=tuple(_keys(oid, columns[:key_count], flags, names[relation], special)),
                include=_named(columns[key_count:], names[relation]),
                unique=unique,
                primary=primary,
                exclusion=exclusion,
                valid=valid,
                nulls_not_distinct=nulls_not_distinct,
                predicate=predicate,
                constraint=constraint,
                parent=QName(*parent) if parent else None,
                tablespace=tablespace,
                options=tuple(options),
                clustered=clustered,
                replica_identity=replica_identity,
                comment=comment,
            ),
        )


def _keys(
    index: int, columns: Iterable[int], flags: Iterable[int], names: Mapping[int, str], special: _Special
) -> Iterator[Key]:
    for position, (number, bits) in enumerate(zip(columns, flags, strict=True), 1):
        expression, collation, opclass, operator = special.get((index, position), (None, None, None, None))
        if number == 0:
            expression = _still_there(expression, "an index")
        yield Key(names.get(number), expression, collation, opclass, bool(bits & 1), bool(bits & 2), operator)


def _policies(rows: _Rows) -> Iterator[tuple[int, Policy]]:
    for relation, name, permissive, command, roles, using, check in rows:
        yield relation, Policy(name, permissive, command, tuple(roles), using, check)


def _triggers(rows: _Rows) -> Iterator[tuple[int, Trigger]]:
    for relation, name, timing, row, events, function, enabled, definition, inherited, columns in rows:
        trigger = Trigger(
            name=name,
            timing=timing,
            row=row,
            events=tuple(events),
            function=QName(*function),
            enabled=enabled,
            definition=_still_there(definition, name),
            inherited=inherited,
            update_columns=tuple(columns),
        )
        yield relation, trigger


def _views(rows: _Rows, grants: _Grants) -> Iterator[View]:
    for oid, schema, name, materialized, owner, security_invoker, reads, keys, extension in rows:
        yield View(
            schema=schema,
            name=name,
            materialized=materialized,
            owner=owner,
            security_invoker=security_invoker,
            reads=tuple(QName(*relation) for relation in reads),
            keys=_constraint_names(keys),
            grants=grants["relation", oid],
            column_grants=grants["column", oid],
            extension=extension,
        )


def _constraint_names(triples: Iterable[tuple[str, str, str]]) -> tuple[tuple[QName, str], ...]:
    return tuple((QName(schema, table), name) for schema, table, name in triples)


def _functions(rows: _Rows) -> Iterator[Function]:
    for (
        schema,
        name,
        arguments,
        language,
        kind,
        security_definer,
        source,
        config,
        keys,
        owner,
        callers,
        volatility,
    ) in rows:
        yield Function(
            schema=schema,
            name=name,
            arguments=arguments,
            language=language,
            kind=kind,
            security_definer=security_definer,
            source=source,
            config=tuple(config),
            keys=_constraint_names(keys),
            owner=owner,
            callers=tuple(callers),
            volatility=volatility,
        )


def _sequences(rows: _Rows, names: _Names, grants: _Grants) -> Iterator[Sequence]:
    for oid, schema, name, owner, relation, table_schema, table, column, identity in rows:
        yield Sequence(
            schema=schema,
            name=name,
            owner=owner,
            table=QName(table_schema, table) if relation else None,
            column=_named((column,), names[relation])[0] if relation else None,
            identity=identity,
            grants=grants["relation", oid],
        )


def _roles(rows: _Rows) -> Iterator[Role]:
    for name, superuser, bypass_rls, login, create_role, create_db, replication, inherit, member_of in rows:
        yield Role(
            name, superuser, bypass_rls, login, create_role, create_db, replication, tuple(member_of), inherit
        )

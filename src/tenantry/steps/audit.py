"""The audit trail: a table that nobody can change quietly."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tenantry import ddl, verify
from tenantry.catalog import Index, Key, Table
from tenantry.conversion import Conversion, place_problems
from tenantry.names import QName, display, fit, free, literal, qualified, quote, spell
from tenantry.plan import Change, Lock, Phase
from tenantry.steps.tenants import unprivileged

GUARD = "no_audit_update"
STATEMENT_GUARD = "no_audit_statement"
TRUNCATE_GUARD = "no_audit_truncate"
FUNCTION = "prevent_audit_modification"
_GUARDS = (
    (GUARD, "UPDATE OR DELETE", "ROW"),
    (STATEMENT_GUARD, "UPDATE OR DELETE", "STATEMENT"),
    (TRUNCATE_GUARD, "TRUNCATE", "STATEMENT"),
)
COLUMNS = (
    "id",
    "actor_id",
    "tenant_id",
    "action",
    "resource_type",
    "resource_id",
    "ip_address",
    "metadata",
    "created_at",
)


def _table(c: Conversion) -> QName | None:
    return c.spec.audit.table if c.spec.audit is not None else None


def _existing(c: Conversion) -> Table | None:
    name = _table(c)
    return c.catalog.by_name.get(name) if name is not None else None


def problems(c: Conversion) -> Iterator[str]:
    """What keeps the trail from being made, or a table of that name from being it."""
    name, table = _table(c), _existing(c)
    if name is None:
        return
    yield from place_problems(c, name, "[audit] table")
    yield from _guard_problems(c, name, table)
    if table is None:
        return
    where, other = spell(table.qname), "or name another table in [audit]"
    missing = [n for n in COLUMNS if table.column(n) is None]
    if missing:
        yield f"{where}: is already there without column {', '.join(missing)}; add them, {other}"
    needed = [
        col.name for col in table.columns
        if col.not_null and col.default is None and not col.identity and not col.generated and col.name not in COLUMNS
    ]  # fmt: skip
    if needed:
        yield f"{where}: column {', '.join(needed)} must have a value that no event gives; give it a default, {other}"
    tenant = table.column("tenant_id")
    if tenant is not None and tenant.base != c.type:
        yield f"{where}: tenant_id is {tenant.type} and the tenant type is {c.type}; convert it, {other}"


def _guard_problems(c: Conversion, name: QName, table: Table | None) -> Iterator[str]:
    """A function or trigger under a name of ours that does not do what ours does."""
    function = guard_function(name)
    for found in c.catalog.functions:
        raises = re.search(r"\braise\s+exception\b", found.source, re.IGNORECASE)
        if found.qname == function and not found.arguments and not raises:
            yield f"{display(function)}(): is already there and raises no exception, so it would guard nothing; rename it"
    for guard, events, each in _GUARDS if table is not None else ():
        trigger = table.trigger(guard) if table is not None else None
        wanted = set(events.lower().split(" or "))
        if trigger is not None and not (
            wanted <= set(trigger.events) and trigger.timing == "before" and trigger.row == (each == "ROW")
            and not trigger.update_columns and trigger.function == function
        ):  # fmt: skip
            yield f"{spell(name)}: trigger {guard} is already there and is not BEFORE {events} FOR EACH {each} with {display(function)}(); rename or drop it"


def steps(c: Conversion) -> Iterator[Change]:
    """The table, its indexes and the guard against changes."""
    name, existing = _table(c), _existing(c)
    if name is None:
        return
    if existing is None:
        yield _create(c, name)
    for suffix, column in (("tenant_created", "tenant_id"), ("actor", "actor_id"), ("action", "action")):
        yield from _index(c, name, existing, suffix, column)
    yield from _guard(c, name, existing)


def _create(c: Conversion, name: QName) -> Change:
    lines = [
        "id uuid PRIMARY KEY DEFAULT gen_random_uuid()",
        "actor_id text",
        f"tenant_id {c.type}",
        "action text NOT NULL",
        "resource_type text",
        "resource_id text",
        "ip_address text",
        "metadata jsonb",
        "created_at timestamp with time zone NOT NULL DEFAULT now()",
    ]
    return Change(
        id="audit.create",
        phase=Phase.AUDIT,
        object=display(name),
        why="Who did what, in which tenant, from where. No foreign key: nothing that is deleted may take its trail along.",
        apply=(ddl.create_table(name, lines), *unprivileged(c, name)),
        verify=verify.query(verify.relation(name)),
        revert=(ddl.drop_table(name),),
        destructive=True,
    )


def _index(c: Conversion, name: QName, existing: Table | None, suffix: str, column: str) -> Iterator[Change]:
    keys = (Key(column), Key("created_at", descending=True, nulls_first=True))
    if existing is not None and any(
        i.keys == keys and i.valid and i.predicate is None for i in existing.indexes
    ):
        return
    # What an interrupted build left does not hold its name.
    leftovers = {i.name for i in existing.indexes if i.keys == keys and not i.valid} if existing else set()
    taken = c.catalog.relation_names.get(name.schema, frozenset()) - leftovers
    concurrently = c.online and (existing is None or existing.kind == "table")
    index = Index(free(f"{name.name}_{suffix}_idx", taken), "btree", keys)
    made = QName(name.schema, index.name)
    yield Change(
        id=f"audit.{index.name}",
        phase=Phase.AUDIT,
        object=display(name),
        why=f"The newest events of one {column.removesuffix('_id')} are read often.",
        apply=(ddl.create_index(name, index, concurrently=concurrently),),
        cleanup=ddl.drop_index(made, concurrently=True, if_exists=True) if concurrently else "",
        verify=verify.query(verify.index(made)),
        revert=(ddl.drop_index(made),),
        lock=Lock.SHARE_UPDATE_EXCLUSIVE if concurrently else Lock.SHARE,
        tables=(name,),
        transactional=not concurrently,
        rows=existing.rows if existing else 0,
    )


def guard_function(name: QName) -> QName:
    """What the guards of that trail call."""
    return QName(name.schema, FUNCTION)


def _guard(c: Conversion, name: QName, existing: Table | None) -> Iterator[Change]:
    function = guard_function(name)
    there = any(f.qname == function and not f.arguments for f in c.catalog.functions)
    message = literal(f"Direct modification of {name.name.replace('%', '%%')} is forbidden")
    body = (
        f"CREATE OR REPLACE FUNCTION {qualified(function)}() RETURNS trigger\n"
        "LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$\n"
        "BEGIN\n"
        f"  RAISE EXCEPTION {message};\n"
        "END\n"
        "$$"
    )
    if not there:
        yield Change(
            id=f"audit.{FUNCTION}", phase=Phase.AUDIT, object=display(function),
            why="What the guards of the trail call: it always refuses.", apply=(body,),
            verify=verify.query(f"pg_catalog.to_regprocedure({literal(qualified(function) + '()')}) IS NOT NULL"),
            revert=(ddl.drop_function(f"{qualified(function)}()"),),
        )  # fmt: skip
    if existing is None or existing.trigger(GUARD) is None:
        yield _trigger(
            name,
            function,
            GUARD,
            "UPDATE OR DELETE",
            "ROW",
            Phase.AUDIT,
            "An event is never changed or removed.",
        )


def _trigger(
    name: QName, function: QName, guard: str, events: str, each: str, phase: Phase, why: str
) -> Change:
    return Change(
        id=f"{phase}.{display(name)}.{guard}", phase=phase, object=display(name), why=why,
        apply=(ddl.create_guard(name, guard, events, each, function),),
        verify=verify.query(verify.trigger(name, guard)),
        revert=(ddl.drop_trigger(name, guard),), lock=Lock.SHARE_ROW_EXCLUSIVE, tables=(name,),
    )  # fmt: skip


def guards(c: Conversion) -> Iterator[Change]:
    """What the row guard leaves open: TRUNCATE, statements that match no row, and replication mode.

    A partition has its parent's row guard and no other: a statement that names it directly meets its own.
    """
    name, existing = _table(c), _existing(c)
    if name is None:
        return
    yield from _hardened(name, existing, guard_function(name))
    if c.textual:
        yield from _not_empty(name, existing)
    for part in c.catalog.descendants(name):
        yield from _hardened(part.qname, part, guard_function(name))


def _hardened(name: QName, existing: Table | None, function: QName) -> Iterator[Change]:
    child = existing is not None and bool(existing.partition_of or existing.parents)
    wanted = [
        (STATEMENT_GUARD, "UPDATE OR DELETE", "The attempt itself is refused, also where it matches no row."),
        (TRUNCATE_GUARD, "TRUNCATE", "TRUNCATE fires no row trigger and would empty the trail."),
    ]
    for guard, events, why in wanted:
        if existing is None or existing.trigger(guard) is None:
            yield _trigger(name, function, guard, events, "STATEMENT", Phase.HARDEN, why)
    # A partition's row guard is switched with its parent's; a child by inheritance has none.
    always = (STATEMENT_GUARD, TRUNCATE_GUARD) if child else (GUARD, STATEMENT_GUARD, TRUNCATE_GUARD)
    for guard in always:
        trigger = existing.trigger(guard) if existing else None
        if trigger is not None and trigger.enabled == "A":
            continue
        back = f"ALTER TABLE {qualified(name)} ENABLE TRIGGER {quote(guard)}"
        yield Change(
            id=f"harden.{display(name)}.{guard}.always",
            phase=Phase.HARDEN,
            object=display(name),
            why="session_replication_role = replica switches ordinary triggers off; this one stays on.",
            apply=(ddl.enable_always(name, guard),),
            verify=verify.query(verify.trigger(name, guard, always=True)),
            revert=(ddl.switch_trigger(name, trigger, on=True) if trigger is not None else back,),
            lock=Lock.SHARE_ROW_EXCLUSIVE,
            tables=(name,),
        )


def _not_empty(name: QName, existing: Table | None) -> Iterator[Change]:
    """After SET LOCAL ends the setting reads as '', and a session without a tenant would read those events."""
    check, id_ = fit(f"{name.name}_tenant_id_not_empty"), f"harden.{display(name)}.tenant_id"
    there = existing.constraint(check) if existing is not None else None
    if there is None:
        yield Change(
            id=f"{id_}.check", phase=Phase.HARDEN, object=display(name),
            why="An unset scope reads as an empty string, so no event may have the empty tenant; NULL stands for none.",
            apply=(ddl.add_not_empty_check(name, check, "tenant_id"),),
            verify=verify.query(verify.constraint(name, check, valid=False)),
            revert=(ddl.drop_constraint(name, check),), lock=Lock.ACCESS_EXCLUSIVE, tables=(name,),
        )  # fmt: skip
    if there is None or not there.validated:
        yield Change(
            id=f"{id_}.validate", phase=Phase.HARDEN, object=display(name),
            why="Reads every row, blocks nobody.",
            apply=(ddl.validate_constraint(name, check),),
            verify=verify.query(verify.constraint(name, check)),
            lock=Lock.SHARE_UPDATE_EXCLUSIVE, tables=(name,),
            rows=existing.rows if existing else 0,
        )  # fmt: skip


def revert_guards(c: Conversion) -> Iterator[tuple[str, str]]:
    """Events of a tenant that the conversion did not make would go with the trail."""
    name, default = _table(c), c.spec.tenancy.default
    if name is None or _existing(c) is not None:
        return
    query = f"SELECT count(*) FROM {qualified(name)} WHERE tenant_id IS NOT NULL"
    if default is not None:
        query += f" AND tenant_id::text <> {literal(default.id)}"
    yield (
        query,
        f"{display(name)} holds events of further tenants; dropping the trail would lose them. Export it first.",
    )

"""Data in Alembic's migrations: the work of each tenant in its own scope, and no statement that silently does nothing.

A migration runs as the tables' owner, who is bound by FORCE ROW LEVEL SECURITY, or as a role that nothing binds. The
first, without a tenant, updates no row and is told that all is well; the second updates every tenant's.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection, bindparam, event, text

from tenantry.errors import ExemptRole, TenantError
from tenantry.runtime.binding import Binding, literal
from tenantry.runtime.isolation import Tenancy, quoted, quoted_part
from tenantry.runtime.scope import tenant, tenant_text
from tenantry.runtime.signing import Signer

log = logging.getLogger("alembic.tenantry")

_REFUSED = "affected by row-level security policy"  # how the server says it under row_security = off
_TABLES = """
SELECT c.oid::pg_catalog.regclass::text, pg_catalog.row_security_active(c.oid)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relkind IN ('r', 'p') AND a.attname = \0tenant_column\0 AND NOT a.attisdropped
    AND n.nspname NOT IN ('information_schema', 'tenantry') AND n.nspname !~ '^pg_'
    AND pg_catalog.has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE')
ORDER BY 1
"""
_DONE = (
    "CREATE SCHEMA IF NOT EXISTS tenantry",
    "CREATE TABLE IF NOT EXISTS tenantry.migrated"
    " (migration text, tenant text, at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (migration, tenant))",
)


def loud(connection: Connection) -> None:
    """Make statements fail that row level security would silently narrow; for ``env.py``, before ``configure``.

    It sets ``row_security = off`` for the session, which lifts nothing: the server then refuses, with
    TenantError here, what would be filtered. Inside of :func:`for_each_tenant` it is on. Raises TenantError for a
    connection in a transaction, whose rollback would undo it.
    """
    if connection.in_transaction():
        raise TenantError("loud(connection) comes before the first statement and before context.configure(…)")
    connection.exec_driver_sql("SET row_security = off")
    connection.commit()
    event.listen(connection.engine, "handle_error", _explain)


def _explain(context: Any) -> None:
    if _REFUSED in str(context.original_exception):
        raise TenantError(
            f"{str(context.original_exception).splitlines()[0]}: this role is bound by it and the statement has no tenant, so it "
            "would have touched no row; give it to for_each_tenant(op, …), or migrate as a role that it does not bind.\n"
            f"{context.statement}"
        ) from context.original_exception


def for_each_tenant(
    target: Any,
    work: Callable[[str], Any],
    *,
    tenancy: Tenancy | None = None,
    role: str | None = None,
    tenants: Iterable[object] | None = None,
    name: str | None = None,
    signer: Signer | None = None,
) -> int:
    """Call ``work(tenant)`` in the scope of each tenant; returns for how many. ``target``: ``op``, or a Connection.

    ``role`` is whom the work is done as (the application's), needed where the connection's own is exempt.
    ``tenants`` are ids; left out they are read from the tenants table, which an exempt role alone can.
    With a ``name``, each tenant is a transaction of its own, what ran before is committed, and a tenant that is done
    is not done again under that name; without one all are part of the migration's transaction. ``signer`` signs the
    tenant where the spec says ``context = "signed"``; give a name then, as a signature is good for minutes only.

    Raises ExemptRole before any work where a table with the tenant column would show all tenants' rows, and
    TenantError where no table has that column, where there is no list of tenants, or the migration is only printed (``--sql``). An error of
    ``work`` is passed on with a note of whose it was.
    """
    of = tenancy or Tenancy()
    bind = _bind(target)
    # Without a name it is the migration's own transaction, or the one that a Connection begins by itself.
    with _transactions(target, bind) if name else nullcontext(nullcontext) as transaction:
        with transaction():
            _refuse_unbound(bind, of, role)
            ids = _tenants(bind, of, tenants)
            done = _done(bind, name) if name else frozenset[str]()
        todo = [id for id in ids if id not in done]
        for number, id in enumerate(todo, 1):
            with transaction():
                _work(bind, Binding(of.setting, signer=signer), role, id, work)
                if name:
                    _run(
                        bind,
                        "INSERT INTO tenantry.migrated (migration, tenant) VALUES (\0name\0, \0id\0)",
                        name=name,
                        id=id,
                    )
            log.info("%s: tenant %s is done, %d of %d", name or "for_each_tenant", id, number, len(todo))
    return len(todo)


def _bind(target: Any) -> Connection:
    if isinstance(target, Connection):
        return target
    if target.get_context().as_sql:
        raise TenantError(
            "for_each_tenant asks the database for the tenants; --sql has none: run the migration online"
        )
    bind: Connection = target.get_bind()
    return bind


@contextmanager
def _transactions(target: Any, bind: Connection) -> Iterator[Callable[[], Any]]:
    """What makes one transaction for each tenant."""
    if isinstance(target, Connection):
        if bind.in_transaction():
            raise TenantError(
                "for_each_tenant(…, name=…) commits tenant by tenant, and a transaction is open: end it first"
            )
        yield bind.begin
        return
    context = target.get_context()
    if getattr(context, "_in_external_transaction", False):
        raise TenantError(
            "for_each_tenant(…, name=…) commits tenant by tenant, and env.py has opened a transaction: let it "
            "connect() instead of begin(), with transaction_per_migration=True, or leave the name out"
        )
    with context.autocommit_block():
        yield lambda: _by_hand(context.bind)


@contextmanager
def _by_hand(bind: Connection) -> Iterator[None]:
    bind.exec_driver_sql("BEGIN")
    try:
        yield
    except BaseException:
        bind.exec_driver_sql("ROLLBACK")
        raise
    bind.exec_driver_sql("COMMIT")


def _work(bind: Connection, binding: Binding, role: str | None, id: str, work: Callable[[str], Any]) -> None:
    """One tenant's work, bound to it. What was set is set back, as the transaction may go on."""
    before, was = (_run(bind, f"SHOW {name}").scalar_one() for name in ("row_security", "role"))
    for statement in ("SET LOCAL row_security = on", *_as(role)):
        _run(bind, statement)
    if binding.signer:
        enter = binding.signer.statement.removesuffix("($1)")
        _run(bind, f"{enter}(\0value\0)", value=binding.signer.value(id))
    else:
        _run(bind, binding.assignment(id))
    try:
        with tenant(id):
            work(id)
    except Exception as error:
        error.add_note(f"tenant {id}: the migration stopped here; what earlier ones committed stays done")
        raise
    leave = [binding.assignment(""), *(_as(was) if role else [])]
    for statement in (*leave, f"SET LOCAL row_security = {before}"):
        _run(bind, statement)


def _as(role: str | None) -> list[str]:
    return [f"SET LOCAL ROLE {quoted_part(role)}"] if role else []


def _refuse_unbound(bind: Connection, of: Tenancy, role: str | None) -> None:
    was = str(_run(bind, "SHOW role").scalar_one())
    for statement in _as(role):
        _run(bind, statement)
    who = str(_run(bind, "SELECT current_user").scalar_one())
    looked = _run(bind, _TABLES, tenant_column=of.column).all()
    for statement in _as(was) if role else ():
        _run(bind, statement)
    if not looked:
        raise TenantError(
            f"{who} may use no table with the column {of.column}, so whether row level security binds it cannot be told; "
            "give tenancy=Tenancy(column=…), or role="
        )
    if free := [str(name) for name, bound in looked if not bound]:
        mend = "" if role else "for_each_tenant(…, role='the application role')"
        shown = ", ".join(free[:5]) + (f" and {len(free) - 5} more" if len(free) > 5 else "")
        why = f"in {shown} each tenant's work would be done to the rows of all"
        raise ExemptRole(who, [(why + (f": say {mend}" if mend else ""), "")])


def _tenants(bind: Connection, of: Tenancy, given: Iterable[object] | None) -> Sequence[str]:
    if given is not None:
        return [tenant_text(id) for id in given]
    table = quoted(of.tenants)
    bound = _run(
        bind, f"SELECT pg_catalog.row_security_active({literal(table)}::pg_catalog.regclass)"
    ).scalar_one()
    if bound:
        raise TenantError(
            f"{of.tenants}: this role is bound by row level security and sees no list of tenants; give tenants=[…], or migrate as "
            "a role with BYPASSRLS and give role='the application role'"
        )
    key = quoted_part(of.key)
    return [str(id) for id in _run(bind, f"SELECT {key}::text FROM {table} ORDER BY 1").scalars()]


def _done(bind: Connection, name: str) -> frozenset[str]:
    if _run(bind, "SELECT to_regclass('tenantry.migrated')").scalar_one() is None:
        for statement in _DONE:
            bind.exec_driver_sql(statement)
    found = _run(bind, "SELECT tenant FROM tenantry.migrated WHERE migration = \0name\0", name=name)
    return frozenset(str(id) for id in found.scalars())


def _run(bind: Connection, statement: str, **values: str) -> Any:
    """Execute a statement. Where a value goes, its name stands between zero bytes: no name in SQL has one."""
    clause = text(re.sub("\0(.*?)\0", r":\1", statement.replace(":", r"\:")))
    return bind.execute(clause.bindparams(*(bindparam(key, value) for key, value in values.items())))

"""Scoped engines of SQLAlchemy 2: ``engine = scoped(create_engine(url))``, and the same for an async engine.

The connections are the scoped ones of psycopg or asyncpg, so that Session, Core, raw text and
``engine.raw_connection()`` are bound alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Engine, event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import Session

from tenantry.errors import MixedTenants, TenantError
from tenantry.runtime.binding import Binding, State, own_work, who
from tenantry.runtime.guard import guard as refuse_exempt

TENANT = "tenantry_tenant"  # in the info of a Session: whose objects it has

E = TypeVar("E", Engine, AsyncEngine)


def scoped(engine: E, *, binding: Binding | None = None, guard: bool = True) -> E:
    """The same engine; from here on its connections are bound to the tenant of the scope.

    Call it before the first connection. ``guard`` refuses, at its connect, a role that row level security does not
    bind. Raises TenantError for a driver other than psycopg 3 and asyncpg, NoTenant and MixedTenants at work.
    """
    either: Any = engine
    sync: Engine = getattr(either, "sync_engine", either)
    connect = _connect(sync, binding or Binding())
    ping = sync.dialect.do_ping

    def free_ping(dbapi_connection: Any) -> bool:
        with own_work():
            return ping(dbapi_connection)

    def connected(connection: Any, record: Any) -> None:
        try:
            driver = _driver(connection)
            if guard:
                refuse_exempt(connection, binding=binding)
        except BaseException:  # the pool does not end a connection that an event refuses
            sync.dialect.do_terminate(connection)
            raise
        driver.tenantry_state.new = False

    event.listen(sync, "do_connect", connect)
    event.listen(sync, "connect", connected)  # after those of the engine's own beginning
    event.listen(sync, "checkout", lambda connection, record, proxy: _driver(connection))
    sync.dialect.tenantry_binds = True  # type: ignore[attr-defined]
    sync.dialect.do_ping = free_ping  # type: ignore[method-assign]  # no event is there to ask it
    return engine


def bound(bind: Any) -> bool:
    """Whether the connections of an engine, or a connection of it, are bound to the tenant of the scope."""
    return hasattr(bind.dialect, "tenantry_binds")


def _begun(session: Session, transaction: Any, connection: Any) -> None:
    """A Session gives loaded objects out again without a query: they must be those of the tenant of now."""
    state: State | None = getattr(connection.connection.driver_connection, "tenantry_state", None)
    if state is not None:
        one_tenant(session, state.wanted())


def one_tenant(session: Session, wanted: str, but: object = None) -> None:
    """Raise MixedTenants where a Session holds objects of another tenant than the one wanted, "" for none.

    ``but`` is an object that has just come.
    """
    before = session.info.get(TENANT, wanted)
    if before != wanted and (session.identity_map.values() or any(new is not but for new in session.new)):
        raise MixedTenants(
            f"this Session holds objects of {who(before)} and the running code belongs to {who(wanted)}; "
            "make a Session for each tenant, or call session.expunge_all() between"
        )
    session.info[TENANT] = wanted


event.listen(Session, "after_begin", _begun)


def _connect(engine: Engine, binding: Binding) -> Callable[..., Any]:
    """What makes a connection, and lets it work without a scope until it is ready."""
    match engine.dialect.driver:
        case "psycopg" if not engine.dialect.is_async:
            from tenantry.runtime.psycopg import Connection

            kind: Any = type("Connection", (Connection,), {"binding": binding})
            return lambda dialect, record, args, options: _free(kind.connect(*args, **options))
        case "psycopg":
            from tenantry.runtime.psycopg import AsyncConnection

            kind = type("AsyncConnection", (AsyncConnection,), {"binding": binding})
            return _with_creator(kind.connect, {})
        case "asyncpg":
            import asyncpg  # type: ignore[import-untyped]

            from tenantry.runtime.asyncpg import Connection as AsyncpgConnection

            kind = type("Connection", (AsyncpgConnection,), {"binding": binding})
            return _with_creator(asyncpg.connect, {"connection_class": kind})
        case other:
            raise TenantError(
                f"driver {other} cannot be scoped; use postgresql+psycopg or postgresql+asyncpg"
            )


def _with_creator(connect: Callable[..., Any], more: dict[str, Any]) -> Callable[..., None]:
    async def create(*args: Any, **options: Any) -> Any:
        return _free(await connect(*args, **options, **more))

    def prepare(dialect: Any, record: Any, args: list[Any], options: dict[str, Any]) -> None:
        options["async_creator_fn"] = create

    return prepare


def _free(connection: Any) -> Any:
    connection.tenantry_state.new = True
    return connection


def _driver(connection: Any) -> Any:
    """The scoped connection of the driver. Raises TenantError for another one."""
    driver = getattr(connection, "driver_connection", connection)
    if not hasattr(driver, "tenantry_state"):
        raise TenantError(
            "this connection is not scoped: it was made before scoped(engine), or by a creator of the engine's own; "
            "call scoped() first and leave the creator out"
        )
    return driver

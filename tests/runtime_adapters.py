"""Every adapter of tenantry.runtime behind one interface, so that one scenario runs on all of them.

An adapter is a function from a DSN to a pool. Blocking ones block the loop, which a scenario does not notice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import asyncpg  # type: ignore[import-untyped]
import psycopg
from psycopg import sql
from psycopg_pool import AsyncConnectionPool, ConnectionPool
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from tenantry.runtime import Binding, orm
from tenantry.runtime.asyncpg import Connection as AsyncpgConnection
from tenantry.runtime.psycopg import AsyncConnection, Connection
from tenantry.runtime.sqlalchemy import scoped
from tests.runtime_django import django_pool

Row = tuple[Any, ...]


class Conn(Protocol):
    """One connection of a pool. A transaction begins with `begin`, or with the first statement after an end."""

    raw: Any

    async def begin(self) -> None: ...
    async def rows(self, statement: str) -> list[Row]: ...
    async def commit(self) -> None: ...
    async def rollback(self) -> None: ...
    def nested(self) -> AbstractAsyncContextManager[Any]: ...
    def stream(self, statement: str) -> AsyncIterator[Row]: ...
    async def copy(self, statement: str) -> bytes: ...


@dataclass(frozen=True)
class Pool:
    """`connect()` takes a connection and gives it back."""

    connect: Callable[[], AbstractAsyncContextManager[Conn]]


Options = dict[str, Any]
Adapter = Callable[[str, int, Binding, bool], AbstractAsyncContextManager[Pool]]


class PsycopgConn:
    def __init__(self, raw: psycopg.Connection[Row]) -> None:
        self.raw = raw

    async def begin(self) -> None:
        pass

    async def rows(self, statement: str) -> list[Row]:
        cursor = self.raw.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []

    async def commit(self) -> None:
        self.raw.commit()

    async def rollback(self) -> None:
        self.raw.rollback()

    @asynccontextmanager
    async def nested(self) -> AsyncIterator[None]:
        with self.raw.transaction():
            yield

    async def stream(self, statement: str) -> AsyncIterator[Row]:
        with self.raw.cursor("streamed") as cursor:
            cursor.itersize = 1
            cursor.execute(statement.encode())
            for row in cursor:
                yield row

    async def copy(self, statement: str) -> bytes:
        with self.raw.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            return b"".join(bytes(part) for part in copy)


class AsyncPsycopgConn:
    def __init__(self, raw: psycopg.AsyncConnection[Row]) -> None:
        self.raw = raw

    async def begin(self) -> None:
        pass

    async def rows(self, statement: str) -> list[Row]:
        cursor = await self.raw.execute(statement.encode())
        return await cursor.fetchall() if cursor.description else []

    async def commit(self) -> None:
        await self.raw.commit()

    async def rollback(self) -> None:
        await self.raw.rollback()

    @asynccontextmanager
    async def nested(self) -> AsyncIterator[None]:
        async with self.raw.transaction():
            yield

    async def stream(self, statement: str) -> AsyncIterator[Row]:
        async with self.raw.cursor("streamed") as cursor:
            cursor.itersize = 1
            await cursor.execute(statement.encode())
            async for row in cursor:
                yield row

    async def copy(self, statement: str) -> bytes:
        async with self.raw.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            return b"".join([bytes(part) async for part in copy])


class AsyncpgConn:
    def __init__(self, raw: Any) -> None:
        self.raw = raw
        self.transaction: Any = None

    async def begin(self) -> None:
        transaction = self.raw.transaction()
        await transaction.start()
        self.transaction = transaction

    async def rows(self, statement: str) -> list[Row]:
        if self.transaction is None:
            await self.begin()
        return [tuple(row) for row in await self.raw.fetch(statement)]

    async def commit(self) -> None:
        await self._end("commit")

    async def rollback(self) -> None:
        await self._end("rollback")

    async def _end(self, how: str) -> None:
        transaction, self.transaction = self.transaction, None
        if transaction is not None:
            await getattr(transaction, how)()

    @asynccontextmanager
    async def nested(self) -> AsyncIterator[None]:
        async with self.raw.transaction():
            yield

    async def stream(self, statement: str) -> AsyncIterator[Row]:
        async for row in self.raw.cursor(statement, prefetch=5):
            yield tuple(row)

    async def copy(self, statement: str) -> bytes:
        parts: list[bytes] = []

        async def collect(part: bytes) -> None:
            parts.append(part)

        inner = statement.removeprefix("COPY (").removesuffix(") TO STDOUT")
        await self.raw.copy_from_query(inner, output=collect)
        return b"".join(parts)


class EngineConn:
    """A connection or a session of SQLAlchemy; statements are raw text."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    async def begin(self) -> None:
        pass

    async def rows(self, statement: str) -> list[Row]:
        result = self.raw.execute(text(statement))
        return [tuple(row) for row in result.all()] if result.returns_rows else []

    async def commit(self) -> None:
        self.raw.commit()

    async def rollback(self) -> None:
        self.raw.rollback()

    @asynccontextmanager
    async def nested(self) -> AsyncIterator[None]:
        with self.raw.begin_nested():
            yield

    async def stream(self, statement: str) -> AsyncIterator[Row]:
        options = {"stream_results": True, "yield_per": 1}
        for row in self.raw.execute(text(statement), execution_options=options):
            yield tuple(row)

    async def copy(self, statement: str) -> bytes:
        await self.rows(
            "SELECT 1"
        )  # begins: what goes to the driver itself begins nothing that the engine would end
        connection = self.raw.connection() if isinstance(self.raw, Session) else self.raw
        driver: Any = connection.connection.driver_connection
        return await PsycopgConn(driver).copy(statement)


class AsyncEngineConn:
    def __init__(self, raw: Any) -> None:
        self.raw = raw

    async def begin(self) -> None:
        pass

    async def rows(self, statement: str) -> list[Row]:
        result = await self.raw.execute(text(statement))
        return [tuple(row) for row in result.all()] if result.returns_rows else []

    async def commit(self) -> None:
        await self.raw.commit()

    async def rollback(self) -> None:
        await self.raw.rollback()

    @asynccontextmanager
    async def nested(self) -> AsyncIterator[None]:
        async with self.raw.begin_nested():
            yield

    async def stream(self, statement: str) -> AsyncIterator[Row]:
        result = await self.raw.stream(text(statement), execution_options={"yield_per": 1})
        async for row in result:
            yield tuple(row)

    async def copy(self, statement: str) -> bytes:
        await self.rows("SELECT 1")
        connection = await self.raw.connection() if isinstance(self.raw, AsyncSession) else self.raw
        driver = (await connection.get_raw_connection()).driver_connection
        if isinstance(driver, psycopg.AsyncConnection):
            return await AsyncPsycopgConn(driver).copy(statement)
        return await AsyncpgConn(driver).copy(statement)


@asynccontextmanager
async def psycopg_pool(dsn: str, size: int, binding: Binding, prepare: bool) -> AsyncIterator[Pool]:
    kind = type("Bound", (Connection,), {"binding": binding})
    options: Options = {} if prepare else {"prepare_threshold": None}
    with ConnectionPool(dsn, connection_class=kind, min_size=size, max_size=size, kwargs=options) as pool:

        @asynccontextmanager
        async def connect() -> AsyncIterator[Conn]:
            with pool.connection(timeout=5) as raw:
                yield PsycopgConn(raw)

        yield Pool(connect)


@asynccontextmanager
async def psycopg_async_pool(dsn: str, size: int, binding: Binding, prepare: bool) -> AsyncIterator[Pool]:
    kind = type("Bound", (AsyncConnection,), {"binding": binding})
    options: Options = {} if prepare else {"prepare_threshold": None}
    async with AsyncConnectionPool(
        dsn, connection_class=kind, min_size=size, max_size=size, kwargs=options
    ) as pool:

        @asynccontextmanager
        async def connect() -> AsyncIterator[Conn]:
            async with pool.connection(timeout=5) as raw:
                yield AsyncPsycopgConn(raw)

        yield Pool(connect)


@asynccontextmanager
async def asyncpg_pool(dsn: str, size: int, binding: Binding, prepare: bool) -> AsyncIterator[Pool]:
    kind = type("Bound", (AsyncpgConnection,), {"binding": binding})
    options: Options = {} if prepare else {"statement_cache_size": 0}
    async with asyncpg.create_pool(
        dsn, min_size=size, max_size=size, connection_class=kind, **options
    ) as pool:

        @asynccontextmanager
        async def connect() -> AsyncIterator[Conn]:
            async with pool.acquire(timeout=5) as raw:
                conn = AsyncpgConn(raw)
                try:
                    yield conn
                finally:
                    if conn.transaction is not None and raw.is_in_transaction():
                        await conn.rollback()

        yield Pool(connect)


def engine(driver: str, session: type[Session] | None = None) -> Adapter:
    """An adapter of SQLAlchemy on a blocking driver: its connections, or sessions of that class."""

    @asynccontextmanager
    async def pool(dsn: str, size: int, binding: Binding, prepare: bool) -> AsyncIterator[Pool]:
        options: Options = {} if prepare else {"connect_args": {"prepare_threshold": None}}
        url = dsn.replace("postgresql:", f"postgresql+{driver}:")
        made = scoped(create_engine(url, pool_size=size, max_overflow=0, **options), binding=binding)

        @asynccontextmanager
        async def connect() -> AsyncIterator[Conn]:
            with session(made) if session else made.connect() as raw:
                yield EngineConn(raw)

        yield Pool(connect)
        made.dispose()

    return pool


def async_engine(driver: str, session: type[Session] | None = None) -> Adapter:
    """An adapter of SQLAlchemy on an asyncio driver: its connections, or sessions around that class."""

    @asynccontextmanager
    async def pool(dsn: str, size: int, binding: Binding, prepare: bool) -> AsyncIterator[Pool]:
        without: Options = {"prepare_threshold": None}
        if driver == "asyncpg":
            without = {"statement_cache_size": 0, "prepared_statement_cache_size": 0}
        options: Options = {} if prepare else {"connect_args": without}
        url = dsn.replace("postgresql:", f"postgresql+{driver}:")
        made = scoped(create_async_engine(url, pool_size=size, max_overflow=0, **options), binding=binding)

        @asynccontextmanager
        async def connect() -> AsyncIterator[Conn]:
            async with AsyncSession(made, sync_session_class=session) if session else made.connect() as raw:
                yield AsyncEngineConn(raw)

        yield Pool(connect)
        await made.dispose()

    return pool


ADAPTERS: dict[str, Adapter] = {
    "psycopg": psycopg_pool,
    "psycopg-async": psycopg_async_pool,
    "asyncpg": asyncpg_pool,
    "sqlalchemy-psycopg": engine("psycopg"),
    "sqlalchemy-session": engine("psycopg", Session),
    "sqlalchemy-own-session": engine("psycopg", orm.Session),
    "sqlalchemy-psycopg-async": async_engine("psycopg"),
    "sqlalchemy-asyncpg": async_engine("asyncpg"),
    "sqlalchemy-async-session": async_engine("asyncpg", orm.Session),
    "django": django_pool(Pool, pooled=False),
    "django-pool": django_pool(Pool, pooled=True),
}
CANCELLABLE = [name for name in ADAPTERS if "async" in name]
DEFAULT, EMPTY = Binding(), Binding(unscoped="empty")
ASYNCPG_ERROR: type[Exception] = asyncpg.PostgresError


# The table that every scenario reads


TENANT = "current_setting('app.current_tenant_id', true)"
SCHEMA = f"""
CREATE ROLE {{app}} LOGIN;
CREATE TABLE notes (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id text NOT NULL DEFAULT nullif({TENANT}, '') CHECK (tenant_id <> ''),
    body text NOT NULL,
    UNIQUE (tenant_id, body)
);
CREATE INDEX ON notes (tenant_id);
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE notes FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON notes TO {{app}}
    USING (tenant_id = {TENANT}) WITH CHECK (tenant_id = {TENANT});
GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO {{app}};
""".strip().split(";\n")
FRESH = (
    "TRUNCATE notes RESTART IDENTITY",
    "INSERT INTO notes (tenant_id, body) VALUES ('a', 'a1'), ('a', 'a2'), ('b', 'b1'), ('b', 'b2'), ('b', 'b3')",
)


def convert(connection: psycopg.Connection[Any], app: str) -> None:
    """The table in the contract's form, and a role for the application."""
    for statement in SCHEMA:
        connection.execute(sql.SQL(statement).format(app=sql.Identifier(app)))

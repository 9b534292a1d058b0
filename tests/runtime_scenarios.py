"""What every adapter must hold. A scenario is a coroutine of a `World`; its name and `defects` make the test's id.

`defects` are the sections of the survey of other libraries in which the same scenario leaked or lost something.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tenantry.errors import MixedTenants, NoTenant
from tenantry.runtime import Binding, no_tenant, tenant
from tests.runtime_adapters import Adapter, Conn, Pool

READ = "SELECT body FROM notes ORDER BY body"
A, B = ["a1", "a2"], ["b1", "b2", "b3"]
MIXED, NONE = MixedTenants, NoTenant


@dataclass(frozen=True)
class World:
    """A fresh table with rows of tenants a and b, one adapter, and how the application logs in."""

    adapter: Adapter
    dsn: str
    prepare: bool = True

    def pool(
        self,
        size: int = 1,
        binding: Binding = Binding(),  # noqa: B008 - frozen
    ) -> AbstractAsyncContextManager[Pool]:
        return self.adapter(self.dsn, size, binding, self.prepare)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Conn]:
        async with self.pool() as pool, pool.connect() as conn:
            yield conn


@dataclass(frozen=True)
class Scenario:
    run: Callable[[World], Coroutine[Any, Any, None]]
    defects: str

    @property
    def id(self) -> str:
        name = self.run.__name__.replace("_", "-")
        return f"{name}({self.defects})" if self.defects else name


SCENARIOS: dict[str, Scenario] = {}


def scenario(defects: str = "") -> Callable[[Callable[[World], Coroutine[Any, Any, None]]], None]:
    def keep(run: Callable[[World], Coroutine[Any, Any, None]]) -> None:
        SCENARIOS[run.__name__] = Scenario(run, defects)

    return keep


async def seen(conn: Conn) -> list[str]:
    return [body for (body,) in await conn.rows(READ)]


async def pid(conn: Conn) -> int:
    ((number,),) = await conn.rows("SELECT pg_backend_pid()")
    return int(number)


async def all_rows(pool: Pool, name: str) -> list[str]:
    """What one tenant sees through a pool in a transaction of its own."""
    with tenant(name):
        async with pool.connect() as conn:
            found = await seen(conn)
            await conn.commit()
    return found


def state(error: BaseException) -> str | None:
    """The SQLSTATE of a driver's error, also where SQLAlchemy wrapped it."""
    cause = getattr(error, "orig", None) or error
    found = getattr(cause, "sqlstate", None) or getattr(cause.__cause__, "sqlstate", None)
    return None if found is None else str(found)


# Ends of transactions


@scenario("3.1,3.2,3.4,3.5")
async def commit(w: World) -> None:
    async with w.connection() as conn:
        for _ in range(3):
            with tenant("a"):
                assert await seen(conn) == A
                await conn.commit()
                assert await seen(conn) == A
                await conn.commit()
            with tenant("b"):
                assert await seen(conn) == B
                await conn.commit()


@scenario("3.1,3.3,3.4,3.5,3.10")
async def rollback(w: World) -> None:
    async with w.connection() as conn:
        with tenant("b"):
            assert await seen(conn) == B
            await conn.rollback()
        with tenant("a"):
            assert await seen(conn) == A
            await conn.rollback()
            assert await seen(conn) == A
            await conn.rollback()
        with no_tenant():
            assert await seen(conn) == []
            await conn.rollback()
            assert await seen(conn) == []
            await conn.rollback()


@scenario("3.1,3.10")
async def error(w: World) -> None:
    """The caller sees the original exception, and what follows the rollback is bound again."""
    async with w.connection() as conn:
        for _ in range(2):
            with tenant("a"):
                with pytest.raises(Exception, match="notes_tenant_id_body_key") as caught:
                    await conn.rows("INSERT INTO notes (body) VALUES ('a1')")
                assert state(caught.value) == "23505"
                await conn.rollback()
                assert await seen(conn) == A
                await conn.commit()


@scenario("3.10")
async def error_in_a_transaction_that_nobody_ends(w: World) -> None:
    async with w.pool() as pool:

        async def work() -> None:
            with tenant("a"):
                async with pool.connect() as conn:
                    assert await seen(conn) == A
                    await conn.rows("SELECT 1 / 0")

        with pytest.raises(Exception, match="division by zero") as caught:
            await work()
        assert state(caught.value) == "22012"
        assert await all_rows(pool, "b") == B


@scenario("3.2")
async def savepoint(w: World) -> None:
    async with w.connection() as conn:
        with tenant("a"):
            await conn.begin()
            assert await seen(conn) == A

            async def fail() -> None:
                async with conn.nested():
                    await conn.rows("INSERT INTO notes (body) VALUES ('a3')")
                    await conn.rows("SELECT 1 / 0")

            with pytest.raises(Exception, match="division by zero"):
                await fail()
            assert await seen(conn) == A
            async with conn.nested():
                await conn.rows("INSERT INTO notes (body) VALUES ('a4')")
            assert await seen(conn) == [*A, "a4"]
            await conn.commit()
            assert await seen(conn) == [*A, "a4"]
            await conn.rollback()


# Writing


@scenario("3.2")
async def flush_first(w: World) -> None:
    """A write is the first thing in a transaction, on a connection that served another tenant."""
    async with w.pool() as pool:
        assert await all_rows(pool, "b") == B
        with tenant("a"):
            async with pool.connect() as conn:
                await conn.rows("INSERT INTO notes (body) VALUES ('first')")
                await conn.commit()
        assert await all_rows(pool, "a") == [*A, "first"]
        assert await all_rows(pool, "b") == B


@scenario("3.8")
async def foreign_write(w: World) -> None:
    async with w.connection() as conn:
        with tenant("a"):
            with pytest.raises(Exception, match="row-level security") as caught:
                await conn.rows("INSERT INTO notes (tenant_id, body) VALUES ('b', 'x')")
            assert state(caught.value) == "42501"
            await conn.rollback()
            await conn.rows("UPDATE notes SET body = body || '!'")
            await conn.commit()
        with tenant("b"):
            assert await seen(conn) == B
            await conn.commit()


@scenario("3.4")
async def nothing_is_lost(w: World) -> None:
    async with w.pool() as pool:
        for number in range(5):
            for name in "ab":
                with tenant(name):
                    async with pool.connect() as conn:
                        await conn.rows(f"INSERT INTO notes (body) VALUES ('n{number}')")
                        await conn.commit()
        for name, own in (("a", A), ("b", B)):
            assert await all_rows(pool, name) == [*own, *(f"n{number}" for number in range(5))]


# No scope, and the wrong one


@scenario("3.8,3.10,3.11")
async def no_scope(w: World) -> None:
    async with w.pool() as pool:
        assert await all_rows(pool, "a") == A
        async with pool.connect() as conn:
            with pytest.raises(NONE):
                await seen(conn)
            await conn.rollback()
        assert await all_rows(pool, "b") == B


@scenario("3.2,3.10,3.11")
async def no_tenant_on_purpose(w: World) -> None:
    async with w.pool() as pool:
        assert await all_rows(pool, "b") == B
        async with pool.connect() as conn:
            for _ in range(2):
                with no_tenant():
                    assert await seen(conn) == []
                    await conn.commit()
                with tenant("b"):
                    assert await seen(conn) == B
                    await conn.commit()


@scenario("3.2,3.10,3.11")
async def empty_instead_of_an_error(w: World) -> None:
    async with w.pool(binding=Binding(unscoped="empty")) as pool:
        assert await all_rows(pool, "b") == B
        async with pool.connect() as conn:
            for _ in range(2):
                assert await seen(conn) == []
                await conn.commit()
                with tenant("b"):
                    assert await seen(conn) == B
                    await conn.commit()


@scenario("3.2,3.3,3.11")
async def a_stale_setting_of_the_session(w: World) -> None:
    """Somebody set the tenant for the whole session, as a pooler hands it to the next client."""
    async with w.pool(binding=Binding(unscoped="empty")) as pool, pool.connect() as conn:
        await conn.rows("SELECT set_config('app.current_tenant_id', 'b', false)")
        await conn.commit()
        with tenant("a"):
            assert await seen(conn) == A
            await conn.commit()
            assert await seen(conn) == A
            await conn.rollback()
        assert await seen(conn) == []
        await conn.commit()


@scenario("3.2,3.4")
async def a_statement_in_the_transaction_of_another_tenant(w: World) -> None:
    async with w.connection() as conn:
        with tenant("a"):
            await conn.rows("INSERT INTO notes (body) VALUES ('a3')")
            with tenant("b", switch=True), pytest.raises(MIXED, match="belongs to tenant 'a'"):
                await seen(conn)
            with pytest.raises(MIXED), tenant("b", switch=True):
                await conn.rows("INSERT INTO notes (body) VALUES ('b4')")
        with pytest.raises(NONE):
            await seen(conn)
        await conn.rollback()
        with tenant("b"):
            assert await seen(conn) == B
            await conn.commit()
        with tenant("a"):
            assert await seen(conn) == A
            await conn.commit()


@scenario("3.2")
async def the_scope_begins_inside_the_transaction(w: World) -> None:
    async with w.connection() as conn:
        with no_tenant():
            await conn.begin()
            assert await conn.rows("SELECT 1") == [(1,)]
        with tenant("a"), pytest.raises(MIXED, match="belongs to no tenant"):
            await seen(conn)
        await conn.rollback()


@scenario("3.10")
async def nested(w: World) -> None:
    """The same tenant again is free, another one on purpose has a connection of its own."""
    async with w.pool(2) as pool, pool.connect() as conn:
        with tenant("a"):
            assert await seen(conn) == A
            with tenant("a", actor="u1"):
                assert await seen(conn) == A
            with tenant("b", switch=True):
                assert await all_rows(pool, "b") == B
            assert await seen(conn) == A
            await conn.commit()


@scenario("3.11")
async def a_generator_that_crosses_scopes(w: World) -> None:
    """It goes on in the scope of whoever asks for the next item, and its transaction does not."""
    async with w.pool() as pool:

        async def pages() -> AsyncGenerator[list[str]]:
            async with pool.connect() as conn:
                while True:
                    yield await seen(conn)

        async with aclosing(pages()) as generator:
            with tenant("a"):
                assert await anext(generator) == A
            with tenant("b"), pytest.raises(MIXED):
                await anext(generator)
        assert await all_rows(pool, "b") == B

        async with aclosing(pages()) as generator:
            with tenant("b"):
                assert await anext(generator) == B
                assert await anext(generator) == B
        assert await all_rows(pool, "a") == A


@scenario()
async def a_new_transaction_in_the_same_message(w: World) -> None:
    """What a statement of many begins by itself has no tenant, and shows nothing."""
    async with w.connection() as conn:
        with tenant("a"):
            assert await seen(conn) == A
            try:
                await conn.rows("COMMIT AND CHAIN")
            except Exception:  # a driver may refuse it
                await conn.rollback()
                return
            assert await seen(conn) == []
            await conn.rollback()
            assert await seen(conn) == A
            await conn.rollback()


# Pools and concurrency


@scenario("3.1,3.2,3.11")
async def pool_reuse_on_one_backend(w: World) -> None:
    pids = set()
    async with w.pool() as pool:
        for name, own in [("a", A), ("b", B), ("b", B), ("a", A)] * 3:
            with tenant(name):
                async with pool.connect() as conn:
                    assert await seen(conn) == own
                    pids.add(await pid(conn))
                    await conn.commit()
    assert len(pids) == 1


@scenario("3.1,3.5")
async def two_tenants_interleaved(w: World) -> None:
    async with w.pool(2) as pool, pool.connect() as one, pool.connect() as two:
        for _ in range(3):
            for conn, name, own in ((one, "a", A), (two, "b", B), (one, "a", A), (two, "b", B)):
                with tenant(name):
                    assert await seen(conn) == own
            for conn in (one, two):
                await conn.commit()
            one, two = two, one


@scenario("3.1,3.8")
async def many_tasks(w: World) -> None:
    free = asyncio.Semaphore(3)  # a pool that blocks would wait for a task that it keeps from running
    async with w.pool(3) as pool:

        async def work(name: str, own: list[str]) -> None:
            with tenant(name):
                for _ in range(4):
                    async with free, pool.connect() as conn:
                        assert await seen(conn) == own
                        await conn.commit()
                        await asyncio.sleep(0)
                        assert await seen(conn) == own
                        await conn.rollback()

        await asyncio.gather(*(work(*pair) for pair in [("a", A), ("b", B)] * 12))


# Cursors, COPY, prepared statements


@scenario("3.11")
async def a_stream(w: World) -> None:
    async with w.connection() as conn:
        with tenant("a"):
            await conn.begin()
            assert [body async for (body,) in conn.stream(READ)] == A
            await conn.commit()
        with tenant("b"):
            await conn.begin()
            assert [body async for (body,) in conn.stream(READ)] == B
            await conn.commit()


@scenario("3.11")
async def a_stream_that_crosses_scopes(w: World) -> None:
    """Rows still to come belong to the tenant they were asked for; nobody else fetches them."""
    async with w.connection() as conn:
        with tenant("b"):
            await conn.begin()
            await conn.rows("INSERT INTO notes (body) SELECT 'many' || n FROM generate_series(1, 200) AS n")
            stream = conn.stream(READ)
            first = await anext(aiter(stream))
        assert first == ("b1",)
        with tenant("a"), pytest.raises(MIXED):
            async for _ in stream:
                pass
        await conn.rollback()
        with tenant("a"):
            assert await seen(conn) == A
            await conn.rollback()


@scenario()
async def a_held_cursor(w: World) -> None:
    async with w.connection() as conn:
        with tenant("b"):
            await conn.begin()
            await conn.rows(f"DECLARE held CURSOR WITH HOLD FOR {READ}")
            await conn.commit()
            assert await conn.rows("FETCH 1 FROM held") == [("b1",)]
            await conn.commit()
        with tenant("a"):
            with pytest.raises(Exception, match="held"):
                await conn.rows("FETCH ALL FROM held")
            await conn.rollback()


@scenario()
async def a_temporary_table(w: World) -> None:
    """What one tenant leaves in the session is gone for the next, also after that one's rollback."""
    async with w.connection() as conn:
        with tenant("b"):
            await conn.rows("CREATE TEMP TABLE notes AS SELECT * FROM public.notes")
            await conn.commit()
            assert await seen(conn) == B
            await conn.commit()
        with tenant("a"):
            for number in range(2):
                # Another text each time: a plan that was kept would not look for the name again.
                assert [body for (body,) in await conn.rows(f"{READ} -- {number}")] == A
                await conn.rollback()
            await conn.rows("CREATE TEMP TABLE own AS SELECT 1")
            await conn.commit()
            assert await conn.rows("SELECT * FROM own") == [(1,)]  # and its own stays
            await conn.commit()


@scenario()
async def copy(w: World) -> None:
    async with w.connection() as conn:
        for name, own in (("a", A), ("b", B)):
            with tenant(name):
                await conn.begin()
                found = await conn.copy(f"COPY ({READ}) TO STDOUT")
                await conn.commit()
            assert found.decode().split() == own


@scenario()
async def repeated_statements(w: World) -> None:
    """Often enough to be prepared, and to be planned without the tenant if that were allowed."""
    async with w.connection() as conn:
        for name, own in (("a", A), ("b", B), ("a", A)):
            with tenant(name):
                for _ in range(12):
                    assert await seen(conn) == own
                await conn.commit()


# Isolation levels and autocommit


@scenario()
async def serializable(w: World) -> None:
    async with w.connection() as conn:
        with tenant("a"):
            await conn.begin()
            await conn.rows("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE READ ONLY")
            assert await seen(conn) == A
            assert await conn.rows("SHOW transaction_isolation") == [("serializable",)]
            await conn.commit()


@scenario()
async def an_unusual_tenant(w: World) -> None:
    """A value is never more than a value."""
    async with w.connection() as conn:
        for name in (
            "o'b'; SELECT set_config('app.current_tenant_id', 'b', true) --",
            "a\\",
            "é😀",
            " a",
            "A",
        ):
            with tenant(name):
                assert await seen(conn) == []
                ((value,),) = await conn.rows("SELECT current_setting('app.current_tenant_id')")
                assert value == name
                await conn.rows("INSERT INTO notes (body) VALUES ('own')")
                assert await seen(conn) == ["own"]
                await conn.commit()


# Who works


@scenario()
async def who_works_is_told_and_not_inherited(w: World) -> None:
    """Actor and request reach the database with the tenant, and neither another scope nor the session leaves its own."""
    names = ("actor_id", "request_id", "session_id", "ip_address", "user_agent")
    ask = "SELECT " + ", ".join(f"coalesce(current_setting('app.{name}', true), '')" for name in names)
    async with w.connection() as conn:
        with tenant("b"):
            for name in names:
                await conn.rows(f"SELECT set_config('app.{name}', 'stale', false)")
            await conn.commit()
        given = {"session_id": "s'1", "ip_address": "::1", "user_agent": "x; y"}
        with tenant("a", actor="u1", request_id="r1", **given):  # type: ignore[arg-type]
            assert await conn.rows(ask) == [("u1", "r1", "s'1", "::1", "x; y")]
            await conn.commit()
        with tenant("a", request_id="r2"):
            assert await conn.rows(ask) == [("", "r2", "", "", "")]
            await conn.commit()
        with tenant("a"):
            assert (await conn.rows(ask))[0][0] == ""
            await conn.rollback()

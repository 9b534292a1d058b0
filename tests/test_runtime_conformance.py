"""Every scenario on every adapter; and what only some adapters have: cancellation, threads, autocommit, pipelines."""

from __future__ import annotations

import asyncio
import itertools
import random
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import asyncpg  # type: ignore[import-untyped]
import psycopg
import pytest
from psycopg_pool import ConnectionPool
from sqlalchemy import create_engine, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from tenantry.errors import ExemptRole, MixedTenants, NoTenant, TenantError
from tenantry.runtime import Binding, carry, no_tenant, tenant
from tenantry.runtime.asyncpg import Connection as AsyncpgConnection
from tenantry.runtime.psycopg import Connection
from tenantry.runtime.sqlalchemy import scoped
from tests import runtime_adapters as adapters
from tests.runtime_django import DjangoConn
from tests.runtime_scenarios import READ, SCENARIOS, A, B, Scenario, World, all_rows, pid
from tests.servers import Database, Server

every_adapter = pytest.mark.parametrize("adapter", adapters.ADAPTERS.values(), ids=adapters.ADAPTERS)


@pytest.fixture(scope="module")
def database(server: Server) -> Iterator[Database]:
    with server.databases() as make:
        db = make()
        with db.connect() as connection:
            adapters.convert(connection, db.role("app"))
        yield db


@pytest.fixture
def dsn(database: Database) -> str:
    """The application's login, on a table with fresh rows."""
    with database.connect() as connection:
        for statement in adapters.FRESH:
            connection.execute(statement.encode())
    return re.sub(r"//[^/@]*@?/", f"//{quote(database.role('app'))}@/", database.dsn, count=1)


@every_adapter
@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda s: s.id)
def test_scenario(scenario: Scenario, adapter: adapters.Adapter, dsn: str) -> None:
    asyncio.run(scenario.run(World(adapter, dsn)))


# Cancellation


@pytest.mark.parametrize("name", adapters.CANCELLABLE)
def test_cancelled_in_the_middle(name: str, dsn: str) -> None:
    """At random moments, on a pool of one: no foreign rows, no lost write, no transaction left open."""
    chance = random.Random(7)

    async def work(pool: adapters.Pool, name: str, number: int) -> None:
        with tenant(name):
            async with pool.connect() as conn:
                assert {row[0][0] for row in await conn.rows(READ)} == {name}
                await conn.rows("SELECT pg_sleep(0.002)")
                await conn.rows(f"INSERT INTO notes (body) VALUES ('{name}-n{number}')")
                await conn.commit()

    async def main() -> int:
        done = 0
        async with adapters.ADAPTERS[name](dsn, 1, Binding(), True) as pool:
            for number in range(60):
                task = asyncio.create_task(work(pool, "ab"[number % 2], number))
                await asyncio.sleep(chance.uniform(0, 0.012))
                task.cancel()
                try:
                    await task
                    done += 1
                except asyncio.CancelledError:
                    pass
            for own in "ab":
                found = await all_rows(pool, own)
                assert {body[0] for body in found} == {own}
            with tenant("a"):
                async with pool.connect() as conn:
                    await conn.rows("INSERT INTO notes (body) VALUES ('a-last')")
                    await conn.commit()
            assert "a-last" in await all_rows(pool, "a")
        return done

    done = asyncio.run(asyncio.wait_for(main(), 60))
    with psycopg.connect(dsn) as connection:
        states = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%' AND datname = current_database()"
        ).fetchone()
        assert states == (0,)
    assert done < 60  # some were cancelled, or nothing was tried


@pytest.mark.parametrize("name", adapters.CANCELLABLE)
def test_cancelled_while_beginning(name: str, dsn: str) -> None:
    """A BEGIN that is cut off leaves no hidden transaction in which later writes would be lost."""

    async def main() -> None:
        async with adapters.ADAPTERS[name](dsn, 1, Binding(), True) as pool:
            assert await all_rows(pool, "a") == A
            for turns in range(12):  # cut off after that many turns of the loop

                async def begin() -> None:
                    with tenant("a"):
                        async with pool.connect() as conn:
                            await conn.begin()
                            await conn.rows("SELECT 1")

                task = asyncio.create_task(begin())
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                with tenant("b"):
                    async with pool.connect() as conn:
                        await conn.rows(f"INSERT INTO notes (body) VALUES ('turn{turns:02}')")
                        await conn.commit()
            assert await all_rows(pool, "b") == [*B, *(f"turn{turns:02}" for turns in range(12))]

    asyncio.run(asyncio.wait_for(main(), 60))


def test_asyncpg_knows_after_a_timeout_whether_a_transaction_is_open(database: Database, dsn: str) -> None:
    """The end of a transaction runs into its timeout; the next statement does not take it for open."""
    with database.connect() as admin:
        admin.execute(
            "CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(5); RETURN NULL; END'"
        )
        admin.execute("DROP TRIGGER IF EXISTS slow ON notes")
        admin.execute(
            "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON notes DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW WHEN (NEW.body = 'slow') EXECUTE FUNCTION slow()"
        )

    async def main() -> None:
        conn = await asyncpg.connect(dsn, connection_class=AsyncpgConnection)
        with tenant("a"):
            await conn.execute("BEGIN")
            await conn.execute("INSERT INTO notes (body) VALUES ('slow')")
            with pytest.raises(TimeoutError):
                await conn.execute("COMMIT", timeout=0.1)
            assert await conn.execute("UPDATE notes SET body = body") == "UPDATE 2"
        with tenant("b"):
            with pytest.raises(TimeoutError):
                await conn.execute("INSERT INTO notes (body) VALUES ('slow')", timeout=0.1)
            assert [body for (body,) in await conn.fetch(READ)] == B
        await conn.close()

    asyncio.run(main())


def test_cancelled_statement_of_another_thread(dsn: str) -> None:
    with ConnectionPool(dsn, connection_class=Connection, min_size=1, max_size=1) as pool:
        with ThreadPoolExecutor(1) as executor, tenant("a"), pool.connection() as conn:
            running = executor.submit(carry(conn.execute), "SELECT pg_sleep(30)")
            with psycopg.connect(dsn, autocommit=True) as watch:
                asleep = "SELECT FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'"
                while watch.execute(asleep, [conn.info.backend_pid]).fetchone() is None:
                    pass  # a cancellation before it would cancel BEGIN, or nothing
            conn.cancel_safe()
            with pytest.raises(psycopg.errors.QueryCanceled):
                running.result(10)
            conn.rollback()
            assert conn.execute(READ).fetchall() == [("a1",), ("a2",)]
        with tenant("b"), pool.connection() as conn:
            assert len(conn.execute(READ).fetchall()) == 3


# Threads


@pytest.mark.parametrize("through", ["psycopg", "sqlalchemy"])
def test_threads_on_one_pool(through: str, dsn: str) -> None:
    """peers 3.1, 3.2: eight threads that commit between reads."""
    url = dsn.replace("postgresql:", "postgresql+psycopg:")
    engine = scoped(create_engine(url, pool_size=2, max_overflow=0))
    pool = ConnectionPool(dsn, connection_class=Connection, min_size=2, max_size=2, open=True)

    def read(_: int) -> set[str]:
        found: set[str] = set()
        for _ in range(10):
            if through == "psycopg":
                with pool.connection() as conn:
                    found |= {body[0] for (body,) in conn.execute(READ)}
                    conn.commit()
                    found |= {body[0] for (body,) in conn.execute(READ)}
            else:
                with Session(engine) as session:
                    found |= {body[0] for (body,) in session.execute(text(READ))}
                    session.commit()
                    found |= {body[0] for (body,) in session.execute(text(READ))}
        return found

    with ThreadPoolExecutor(8) as executor:
        futures = []
        for name in "abababab":
            with tenant(name):
                futures.append((name, executor.submit(carry(read), 0)))
        assert [(name, future.result()) for name, future in futures] == [(n, {n}) for n in "abababab"]
        with pytest.raises(NoTenant):
            executor.submit(read, 0).result()
    pool.close()
    engine.dispose()


# Autocommit


def test_psycopg_autocommit_needs_a_transaction(dsn: str) -> None:
    with Connection.connect(dsn, autocommit=True) as conn:
        with tenant("a"):
            with pytest.raises(TenantError, match=r"autocommit mode.*conn\.transaction\(\)"):
                conn.execute(READ)
            with pytest.raises(TenantError, match="autocommit"), conn.pipeline():
                conn.execute(READ)
            with conn.transaction():
                assert len(conn.execute(READ).fetchall()) == 2
                with conn.transaction(), tenant("b", switch=True), pytest.raises(MixedTenants):
                    conn.execute(READ)
        with pytest.raises(NoTenant), conn.transaction():
            pass
        conn.execute("")  # how a pool asks whether the connection lives
        with tenant("b"), conn.transaction():
            assert len(conn.execute(READ).fetchall()) == 3


def test_asyncpg_gives_a_lonely_statement_a_transaction(dsn: str) -> None:
    async def main() -> None:
        async with asyncpg.create_pool(
            dsn, min_size=1, max_size=1, connection_class=AsyncpgConnection
        ) as pool:
            for name, own in (("a", A), ("b", B), ("a", A)):
                with tenant(name):
                    assert [r[0] for r in await pool.fetch(READ)] == own
                    assert await pool.fetchval("SELECT count(*) FROM notes WHERE body <> $1", "") == len(own)
                    assert await pool.execute("UPDATE notes SET body = body") == f"UPDATE {len(own)}"
                    async with pool.acquire() as conn:
                        prepared = await conn.prepare(READ)
                        assert [r[0] for r in await prepared.fetch()] == own
                        await conn.executemany("UPDATE notes SET body = $1 WHERE body = $1", [["a1"], ["b1"]])
                        assert not conn.is_in_transaction()
                        with pytest.raises(asyncpg.UniqueViolationError):
                            await conn.execute("INSERT INTO notes (body) VALUES ($1)", own[0])
                        assert not conn.is_in_transaction()
                        await conn.execute("BEGIN")
                        assert [r[0] for r in await conn.fetch(READ)] == own
                        await conn.execute("ROLLBACK")
            for statement in ("fetch", "execute"):
                with pytest.raises(NoTenant):
                    await getattr(pool, statement)(READ)
            async with pool.acquire() as conn:
                with tenant("a"):
                    prepared = await conn.prepare(READ)
                with pytest.raises(NoTenant):
                    await prepared.fetch()
                with pytest.raises(NoTenant):
                    async with conn.transaction():
                        pass
                with tenant("b"):
                    async with conn.transaction():  # what failed before left nothing behind
                        assert [r[0] for r in await conn.fetch(READ)] == B
                    assert not conn.is_in_transaction()

    asyncio.run(main())


def test_sqlalchemy_autocommit(dsn: str) -> None:
    url = dsn.replace("postgresql:", "postgresql+psycopg:")
    engine = scoped(create_engine(url))
    conn = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    with tenant("a"), pytest.raises(TenantError, match="autocommit mode"):
        conn.execute(text(READ))
    conn.close()
    engine.dispose()


# psycopg's own


def test_psycopg_pipeline(dsn: str) -> None:
    with Connection.connect(dsn) as conn:
        for name, own in (("a", A), ("b", B)):
            with tenant(name), conn.pipeline() as pipeline:
                first = conn.execute(READ)
                pipeline.sync()
                second = conn.execute(READ)
                assert [b for (b,) in first.fetchall() + second.fetchall()] == own * 2
                conn.commit()
                assert [b for (b,) in conn.execute(READ).fetchall()] == own
                with tenant("c", switch=True), pytest.raises(MixedTenants):
                    conn.execute(READ)
            conn.rollback()
        with tenant("a"):
            conn.cursor().executemany("INSERT INTO notes (body) VALUES (%s)", [("m1",), ("m2",)])
            conn.commit()
            assert [b for (b,) in conn.execute(READ)] == [*A, "m1", "m2"]
            assert [b for (b,) in conn.cursor().stream(READ)] == [*A, "m1", "m2"]


def test_psycopg_held_cursor_is_not_fetched_by_another_tenant(dsn: str) -> None:
    with Connection.connect(dsn) as conn:
        with tenant("b"):
            cursor = conn.cursor("held", withhold=True)
            cursor.execute(READ)
            conn.commit()
            assert cursor.fetchone() == ("b1",)
        with tenant("a"), pytest.raises(MixedTenants, match="belongs to tenant 'b'"):
            cursor.fetchall()
        with pytest.raises(NoTenant):
            cursor.fetchall()
        with tenant("b"):
            assert cursor.fetchall() == [("b2",), ("b3",)]
            cursor.close()


def test_psycopg_two_phase(database: Database, dsn: str) -> None:
    with database.connect() as connection:
        (possible,) = connection.execute("SHOW max_prepared_transactions").fetchone() or ("0",)
    with Connection.connect(dsn) as conn, tenant("a"):
        conn.tpc_begin(conn.xid(1, "g", "b"))
        assert [b for (b,) in conn.execute(READ)] == A
        if possible == "0":
            conn.tpc_rollback()
        else:
            conn.tpc_prepare()
            conn.tpc_rollback()


def test_psycopg_pool_checks_connections_without_a_scope(dsn: str) -> None:
    with ConnectionPool(
        dsn, connection_class=Connection, min_size=1, max_size=1, check=ConnectionPool.check_connection
    ) as pool:
        for name, own in (("a", A), ("b", B)):
            with tenant(name), pool.connection(timeout=5) as conn:
                assert [b for (b,) in conn.execute(READ)] == own


# SQLAlchemy's own


def test_sqlalchemy_beside_core_and_session(dsn: str) -> None:
    """raw_connection, exec_driver_sql and a ping reach the same binding."""
    url = dsn.replace("postgresql:", "postgresql+psycopg:")
    engine = scoped(create_engine(url, pool_size=1, max_overflow=0, pool_pre_ping=True))
    for name, own in (("a", A), ("b", B)):
        raw = engine.raw_connection()
        cursor = raw.cursor()
        with tenant(name):
            cursor.execute(READ)
            assert [b for (b,) in cursor.fetchall()] == own
        with pytest.raises(NoTenant):
            cursor.execute(READ)
        raw.close()
        with engine.begin() as conn, tenant(name):
            assert [b for (b,) in conn.exec_driver_sql(READ)] == own
    engine.dispose()


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    body: Mapped[str]


def test_a_session_does_not_give_objects_to_another_tenant(dsn: str) -> None:
    engine = scoped(create_engine(dsn.replace("postgresql:", "postgresql+psycopg:")))
    with Session(engine, expire_on_commit=False) as session:
        with tenant("a"):
            kept = session.query(Note).all()
            session.add(Note(body="a3"))  # a flush is bound as a query is
            session.commit()
        assert len(kept) == 2  # and the Session, which holds them weakly, still has them
        with tenant("b"):
            with pytest.raises(MixedTenants, match=r"holds objects of tenant 'a'.*expunge_all"):
                session.query(Note).all()
            session.rollback()
            session.expunge_all()
            assert [note.body for note in session.query(Note).order_by(Note.body)] == B
            session.commit()
    with tenant("a"), Session(engine) as session:
        assert session.query(Note).count() == 3
    engine.dispose()


def test_sqlalchemy_refuses_what_it_cannot_bind(database: Database, dsn: str) -> None:
    made = scoped(create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn)))
    with pytest.raises(TenantError, match="not scoped"), tenant("a"):
        made.connect()
    made.dispose()
    with pytest.raises(TenantError, match="driver pysqlite cannot be scoped"):
        scoped(create_engine("sqlite://"))
    url = dsn.replace("postgresql:", "postgresql+psycopg:")
    engine = create_engine(url)
    with engine.connect():
        pass
    scoped(engine)
    with pytest.raises(TenantError, match="made before"), tenant("a"):
        engine.connect()
    engine.dispose()
    exempt = scoped(create_engine(database.dsn.replace("postgresql:", "postgresql+psycopg:")))
    with pytest.raises(ExemptRole, match="is a superuser"), tenant("a"):
        exempt.connect()
    exempt.dispose()


# Plans


def plans(dsn: str, adapter: adapters.Adapter) -> int:
    """How often a repeated statement with a parameter was run by a plan made without it."""

    async def main() -> int:
        async with adapter(dsn, 1, Binding(), True) as pool, pool.connect() as conn:
            for name in itertools.islice(itertools.cycle("ab"), 4):
                with tenant(name):
                    await conn.begin()
                    for _ in range(8):
                        await repeat(conn)
                    await conn.commit()
            with tenant("a"):
                ((generic, custom),) = await conn.rows(
                    "SELECT sum(generic_plans)::int, sum(custom_plans)::int FROM pg_prepared_statements "
                    "WHERE parameter_types <> '{}'"
                )
                await conn.commit()
            assert custom > 10  # or nothing was prepared
            return int(generic)

    return asyncio.run(main())


async def repeat(conn: adapters.Conn) -> None:
    statement = "SELECT body FROM notes WHERE body > "
    match conn.raw:
        case psycopg.AsyncConnection():
            await conn.raw.execute(f"{statement}%s", ["a"])
        case psycopg.Connection():
            conn.raw.execute(f"{statement}%s", ["a"])
        case _ if isinstance(conn, adapters.AsyncpgConn):
            await conn.raw.fetch(f"{statement}$1", "a")
        case _ if isinstance(conn, adapters.AsyncEngineConn):
            (await conn.raw.execute(text(f"{statement}:body"), {"body": "a"})).all()
        case _ if isinstance(conn, DjangoConn):
            # What server_side_binding gives: by default no parameter reaches the server.
            with psycopg.Cursor(conn.raw.connection) as cursor:
                cursor.execute(f"{statement}%s", ["a"])
        case _:
            conn.raw.execute(text(f"{statement}:body"), {"body": "a"}).all()


@every_adapter
def test_no_plan_is_made_without_the_parameters(adapter: adapters.Adapter, dsn: str) -> None:
    assert plans(dsn, adapter) == 0


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_a_plan_without_parameters_is_made_anew_for_another_tenant(
    driver: str, database: Database, dsn: str
) -> None:
    """It is generic whatever plan_cache_mode says, and its estimate is the first tenant's."""
    with database.connect() as admin:
        admin.execute(
            "INSERT INTO notes (tenant_id, body) SELECT 'large', n::text FROM generate_series(1, 5000) AS n"
        )
        admin.execute("ANALYZE notes")
    found = psycopg_estimates(dsn) if driver == "psycopg" else asyncio.run(asyncpg_estimates(dsn))
    assert found["large"] > 1000 > 100 * found["a"]


def psycopg_estimates(dsn: str) -> dict[str, int]:
    """The rows that a prepared statement without parameters is planned for, by tenant."""
    found = {}
    with Connection.connect(dsn, prepare_threshold=0) as conn:
        for tenant_id in ("a", "large", "a"):
            with tenant(tenant_id):
                conn.execute("SELECT * FROM notes").fetchall()
                name = next(n for (query, _), n in conn._prepared._names.items() if b"FROM notes" in query)
                line = conn.execute(b"EXPLAIN EXECUTE " + name).fetchall()[0][0]
                found[tenant_id] = int(re.findall(r"rows=(\d+)", line)[0])
                conn.commit()
    return found


async def asyncpg_estimates(dsn: str) -> dict[str, int]:
    found = {}
    conn = await asyncpg.connect(dsn, connection_class=AsyncpgConnection)
    statement = await conn.prepare("SELECT * FROM notes")
    for tenant_id in ("a", "large", "a"):
        with tenant(tenant_id):
            async with conn.transaction():
                await statement.fetch()
                line = await conn.fetchval(f'EXPLAIN EXECUTE "{statement.get_name()}"')
                found[tenant_id] = int(re.findall(r"rows=(\d+)", line)[0])
    await conn.close()
    return found


def test_the_same_backend_was_used(dsn: str) -> None:
    """The pools of one that the scenarios use are what they say."""

    async def main(adapter: adapters.Adapter) -> set[int]:
        pids = set()
        async with adapter(dsn, 1, Binding(), True) as pool:
            for _ in range(3):
                with no_tenant():
                    async with pool.connect() as conn:
                        pids.add(await pid(conn))
                        await conn.commit()
        return pids

    assert all(len(asyncio.run(main(adapter))) == 1 for adapter in adapters.ADAPTERS.values())

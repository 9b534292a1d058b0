"""Behind PgBouncer in transaction mode with one server connection, where a setting of the session is everybody's."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Iterator

import psycopg
import pytest

from tenantry.mutations.pgbouncer import ABSENT, PROGRAM, pooled
from tenantry.runtime import tenant
from tests import runtime_adapters as adapters
from tests.runtime_adapters import DEFAULT, EMPTY
from tests.runtime_scenarios import READ, SCENARIOS, A, B, Scenario, World, all_rows
from tests.servers import Database, Server

pytestmark = pytest.mark.skipif(PROGRAM is None, reason=f"NOT TESTED HERE: {ABSENT}")
# A client of a transaction pooler has no session of its own, and is handed another's backend on purpose.
NOT_THERE = {"a_temporary_table", "a_held_cursor"}


@pytest.fixture(scope="module")
def database(server: Server) -> Iterator[Database]:
    if not server.private:
        pytest.skip("NOT TESTED HERE: PgBouncer is put before a server of our own only")
    with server.databases() as make:
        db = make()
        with db.connect() as connection:
            adapters.convert(connection, db.role("app"))
        yield db


@pytest.fixture(scope="module")
def bouncer(database: Database) -> Iterator[str]:
    """The DSN of a PgBouncer with one connection to the database."""
    with pooled(database.dsn, database.role("app")) as dsn:
        yield dsn


@pytest.fixture
def dsn(bouncer: str, database: Database) -> str:
    with database.connect() as connection:
        for statement in adapters.FRESH:
            connection.execute(statement.encode())
    return bouncer


@pytest.mark.parametrize("adapter", adapters.ADAPTERS.values(), ids=adapters.ADAPTERS)
@pytest.mark.parametrize(
    "scenario", [s for name, s in SCENARIOS.items() if name not in NOT_THERE], ids=lambda s: s.id
)
def test_scenario(scenario: Scenario, adapter: adapters.Adapter, dsn: str) -> None:
    if scenario.run.__name__ in ("two_tenants_interleaved", "nested"):
        pytest.skip("NOT TESTED HERE: two open transactions need two connections of the server")
    asyncio.run(scenario.run(World(adapter, dsn, prepare=False)))


@pytest.mark.parametrize("adapter", adapters.ADAPTERS.values(), ids=adapters.ADAPTERS)
def test_another_client_that_sets_the_session_is_not_inherited(adapter: adapters.Adapter, dsn: str) -> None:
    """peers 3.11: one client's setting of the session poisons the connection that all share."""

    async def main() -> None:
        async with (
            adapter(dsn, 1, DEFAULT, False) as pool,
            adapter(dsn, 1, EMPTY, False) as none,
        ):
            for _ in range(3):
                with psycopg.connect(dsn, autocommit=True, prepare_threshold=None) as careless:
                    careless.execute("SET app.current_tenant_id = 'b'")
                with psycopg.connect(dsn, autocommit=True) as bare:
                    # The control: who binds nothing is somebody else.
                    assert [body for (body,) in bare.execute(READ).fetchall()] == B
                assert await all_rows(pool, "a") == A
                async with none.connect() as conn:
                    assert await conn.rows(READ) == []
                    await conn.commit()
                assert await all_rows(pool, "b") == B

    asyncio.run(main())


@pytest.mark.parametrize("adapter", adapters.ADAPTERS.values(), ids=adapters.ADAPTERS)
def test_two_clients_take_turns_on_one_backend(adapter: adapters.Adapter, dsn: str) -> None:
    async def main() -> set[int]:
        backends: set[int] = set()
        async with adapter(dsn, 2, DEFAULT, False) as pool, pool.connect() as one, pool.connect() as two:
            for conn, name, own in ((one, "a", A), (two, "b", B)) * 10:
                with tenant(name):
                    await conn.begin()
                    assert [body for (body,) in await conn.rows(READ)] == own
                    ((pid,),) = await conn.rows("SELECT pg_backend_pid()")
                    backends.add(pid)
                    await conn.commit()
        return backends

    assert len(asyncio.run(main())) == 1


def test_the_version_is_told() -> None:
    assert PROGRAM is not None
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout
    assert re.match(r"PgBouncer \d+\.\d+", said)

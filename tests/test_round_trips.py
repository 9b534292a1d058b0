"""The scope costs no round trip: a transaction of one statement waits three times for the server, as without it.

A signed tenant costs none on psycopg, and one on asyncpg.
"""

from __future__ import annotations

import asyncio
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict

from tenantry.runtime import Binding, Signer, signing, tenant
from tenantry.runtime.psycopg import Connection
from tests import runtime_adapters as adapters
from tests.runtime_scenarios import READ, A, B
from tests.servers import Database, Server

BEGIN, STATEMENT, COMMIT = 1, 1, 1
SIGNED = Binding(signer=Signer(signing.written("k1", bytes(32))))
ENTER = """
CREATE SCHEMA tenant_context;
CREATE FUNCTION tenant_context.enter(value text) RETURNS void LANGUAGE sql AS $$
    SELECT set_config('app.current_tenant_id', split_part(value, '.', 4), true) $$;
GRANT USAGE ON SCHEMA tenant_context TO {app}
""".strip().split(";\n")


class Relay:
    """Stands between client and server, and counts how often the client spoke after an answer."""

    def __init__(self, path: str) -> None:
        self.path, self.trips, self._answered = path, 0, True
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self.listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self.path)
                threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError), client, server:
            while True:
                for here in select.select([client, server], [], [])[0]:
                    if not (data := here.recv(65536)):
                        return
                    if here is client and self._answered:
                        self.trips += 1
                    self._answered = here is server
                    (server if here is client else client).sendall(data)


@contextmanager
def relayed(database: Database) -> Iterator[tuple[Relay, str]]:
    where = conninfo_to_dict(database.dsn)
    relay = Relay(f"{where['host']}/.s.PGSQL.{where['port']}")
    with relay.listener:
        yield relay, f"postgresql://{database.role('app')}@127.0.0.1:{relay.port}/{database.name}"


@pytest.fixture(scope="module")
def database(server: Server) -> Iterator[Database]:
    if not server.private:
        pytest.skip("NOT TESTED HERE: the relay leads to the socket of a server of our own only")
    with server.databases() as make:
        db = make()
        with db.connect() as connection:
            adapters.convert(connection, db.role("app"))
            for statement in adapters.FRESH:
                connection.execute(statement.encode())
            for statement in ENTER:  # as far as a round trip is concerned
                connection.execute(statement.format(app=db.role("app")).encode())
        yield db


def trips(database: Database, adapter: str, binding: Binding = adapters.DEFAULT) -> float:
    """Of a transaction, on a connection that each time serves the other tenant, when it has prepared what it will."""

    async def main(relay: Relay, dsn: str) -> float:
        async with adapters.ADAPTERS[adapter](dsn, 1, binding, True) as pool, pool.connect() as conn:
            for number in range(20):
                if number == 12:
                    before = relay.trips
                with tenant("ab"[number % 2]):
                    await conn.begin()
                    assert [body for (body,) in await conn.rows(READ)] == (A, B)[number % 2]
                    await conn.commit()
            return (relay.trips - before) / 8

    with relayed(database) as (relay, dsn):
        return asyncio.run(main(relay, dsn))


@pytest.mark.parametrize("adapter", adapters.ADAPTERS)
def test_the_binding_travels_with_begin(adapter: str, database: Database) -> None:
    assert trips(database, adapter) == BEGIN + STATEMENT + COMMIT


@pytest.mark.parametrize("adapter", adapters.ADAPTERS)
def test_a_signed_tenant_costs_no_trip_or_one(adapter: str, database: Database) -> None:
    enter = (
        "asyncpg" in adapter or adapter == "sqlalchemy-async-session"
    )  # whose driver waits for each answer
    assert trips(database, adapter, SIGNED) == BEGIN + enter + STATEMENT + COMMIT


def test_a_binding_that_travels_alone_is_counted(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: Any = Connection._open

    def apart(self: Any, begin: bytes, sync: bool = False) -> Any:
        yield from opened(self, begin, sync)
        yield from super(Connection, self)._exec_command(b"SAVEPOINT bound")

    monkeypatch.setattr(Connection, "_open", apart)
    assert trips(database, "psycopg") == BEGIN + 1 + STATEMENT + COMMIT

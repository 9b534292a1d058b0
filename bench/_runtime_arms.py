"""The same transaction through each adapter of tenantry.runtime, by hand, and through other libraries."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import psycopg
from _arms import Arm
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from tenantry.runtime import tenant
from tenantry.runtime.asyncpg import Connection as AsyncpgConnection
from tenantry.runtime.binding import SETTING
from tenantry.runtime.isolation import Tenancy, isolate
from tenantry.runtime.psycopg import Connection
from tenantry.runtime.sqlalchemy import scoped

TENANTS, ROWS = 100, 100_000
HAND, CUSTOM = "by hand", "by hand, plans of its own each time"
AUTO = "by hand, without a transaction"
SCOPED, NAMED = "scoped", "scoped, the tenant in the query too"
# What any library would have to do at least: BEGIN and SET LOCAL in one message, sent by libpq itself.
BOUND, BOUND_CUSTOM = "bound by hand", "bound by hand, plans of its own each time"
KEY, OWN = "SELECT body FROM notes WHERE id = {}", "SELECT body FROM notes WHERE id = {} AND tenant_id = {}"
EXEMPT, APP = "exempt", "app_user"

Make = Callable[[ExitStack, str, int], Arm]


@dataclass(frozen=True, slots=True)
class Group:
    """Arms to be compared with that by hand, by name."""

    arms: Mapping[str, Make]


def prepare(admin: psycopg.Connection[Any]) -> None:
    """Tables of the same rows, as tenantry and as each other library wants them, and the logins."""
    admin.execute(f"CREATE ROLE {EXEMPT} LOGIN BYPASSRLS".encode())
    admin.execute(f"CREATE ROLE {APP} LOGIN".encode())
    admin.execute("CREATE TABLE tenants (id text PRIMARY KEY)")
    admin.execute(f"INSERT INTO tenants SELECT 't' || i FROM generate_series(0, {TENANTS - 1}) i".encode())
    for table, column in (("notes", "tenant_id"), ("rls_notes", "tenant_id"), ("role_notes", "tenant")):
        admin.execute(
            f"CREATE TABLE {table} (id int PRIMARY KEY, {column} text NOT NULL, body text NOT NULL)".encode()
        )
        admin.execute(
            f"INSERT INTO {table} SELECT i, 't' || i % {TENANTS}, repeat('x', 100) FROM generate_series(1, {ROWS}) i".encode()
        )
    for statement in isolate("notes", Tenancy(app=APP)):
        admin.execute(statement.encode())
    admin.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {APP}, {EXEMPT}".encode())
    admin.execute("VACUUM ANALYZE")


@contextlib.contextmanager
def made(group: Group, server: str, work: int) -> Iterator[dict[str, Arm]]:
    """The arms on sessions of their own, each transaction of so many look-ups."""
    with ExitStack() as stack:
        yield {name: make(stack, server, work) for name, make in group.arms.items()}


def rows() -> Iterator[tuple[str, int]]:
    """A tenant and one of its rows, each time another tenant's."""
    for n in itertools.count():
        number = n * 7919 % ROWS + 1
        yield f"t{number % TENANTS}", number


def dsn_of(server: str, bound: bool, custom: bool = False) -> str:
    options = "-c plan_cache_mode=force_custom_plan" if custom else ""
    return make_conninfo(server, user=APP if bound else EXEMPT, dbname="postgres", options=options)


def url_of(server: str, driver: str, bound: bool, custom: bool = False) -> str:
    """The same for SQLAlchemy."""
    parts = conninfo_to_dict(dsn_of(server, bound, custom))
    host = f"{parts['host']}:{parts['port']}" if str(parts["host"]).startswith("127.") else ""
    where = f"&host={parts['host']}&port={parts['port']}" if not host else ""
    options = "&options=-c%20plan_cache_mode%3Dforce_custom_plan" if custom else ""
    return f"postgresql+{driver}://{parts['user']}@{host}/postgres?{(where + options).lstrip('&')}"


# Drivers


def by_psycopg(bound: bool = False, *, named: bool = False, custom: bool = False, auto: bool = False) -> Make:
    def make(stack: ExitStack, server: str, work: int) -> Arm:
        kind: Any = Connection if bound else psycopg.Connection
        conn = stack.enter_context(kind.connect(dsn_of(server, bound, custom), autocommit=auto))
        query = (KEY if bound and not named else OWN).format("%s", "%s")
        numbers = rows()

        def transaction(who: str, number: int) -> None:
            for _ in range(work):
                values = (number,) if bound and not named else (number, who)
                assert conn.execute(query, values).fetchone()
            conn.commit()

        return Arm(lambda times: repeat(transaction, numbers, bound, times), conn.info.backend_pid)

    return make


def by_libpq(*, custom: bool = False) -> Make:
    """The cheapest way to bind a transaction that there is: no scope, no sweep, and no other setting."""

    def make(stack: ExitStack, server: str, work: int) -> Arm:
        conn = stack.enter_context(psycopg.Connection.connect(dsn_of(server, True, custom)))
        numbers = rows()

        def transaction(who: str, number: int) -> None:
            conn.pgconn.exec_(f"BEGIN; SET LOCAL {SETTING} = '{who}'".encode())
            for _ in range(work):
                assert conn.execute(KEY.format("%s"), (number,)).fetchone()
            conn.commit()

        return Arm(lambda times: repeat(transaction, numbers, False, times), conn.info.backend_pid)

    return make


def repeat(
    transaction: Callable[[str, int], None], numbers: Iterator[tuple[str, int]], bound: bool, times: int
) -> None:
    for who, number in itertools.islice(numbers, times):
        if bound:
            with tenant(who):
                transaction(who, number)
        else:
            transaction(who, number)


def by_asyncpg(bound: bool = False, *, named: bool = False, custom: bool = False) -> Make:
    def make(stack: ExitStack, server: str, work: int) -> Arm:
        loop = asyncio.new_event_loop()
        stack.callback(loop.close)
        kind = AsyncpgConnection if bound else asyncpg.Connection
        parts = conninfo_to_dict(dsn_of(server, bound))
        settings = {"plan_cache_mode": "force_custom_plan"} if custom else {}
        where = {
            "host": parts["host"],
            "port": int(parts["port"] or 0),
            "user": parts["user"],
            "database": "postgres",
        }
        conn = loop.run_until_complete(
            asyncpg.connect(**where, server_settings=settings, connection_class=kind)
        )
        stack.callback(lambda: loop.run_until_complete(conn.close()))
        query = (KEY if bound and not named else OWN).format("$1", "$2")
        numbers = rows()

        async def transaction(who: str, number: int) -> None:
            async with conn.transaction():
                for _ in range(work):
                    assert await conn.fetchrow(query, *((number,) if bound and not named else (number, who)))

        return Arm(
            lambda times: loop.run_until_complete(repeat_async(transaction, numbers, bound, times)),
            conn.get_server_pid(),
        )

    return make


async def repeat_async(
    transaction: Callable[[str, int], Any], numbers: Iterator[tuple[str, int]], bound: bool, times: int
) -> None:
    for who, number in itertools.islice(numbers, times):
        if bound:
            with tenant(who):
                await transaction(who, number)
        else:
            await transaction(who, number)


# SQLAlchemy


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[str]
    body: Mapped[str]


def opened(stack: ExitStack, url: str) -> Engine:
    found = create_engine(url, pool_size=1, max_overflow=0)
    stack.callback(found.dispose)
    return found


def engine(bound: bool = False, *, named: bool = False, custom: bool = False) -> Make:
    def make(stack: ExitStack, server: str, work: int) -> Arm:
        found = opened(stack, url_of(server, "psycopg", bound, custom))
        if bound:
            scoped(found)
        numbers = rows()

        def transaction(who: str, number: int) -> None:
            with Session(found) as session, session.begin():
                for _ in range(work):
                    query = select(Note.body).where(Note.id == number)
                    if named or not bound:
                        query = query.where(Note.tenant_id == who)
                    session.execute(query).scalar_one()

        with tenant("t0"), found.connect() as conn:
            pid = conn.execute(text("SELECT pg_backend_pid()")).scalar_one()
        return Arm(lambda times: repeat(transaction, numbers, bound, times), pid)

    return make


def async_engine(bound: bool = False, *, named: bool = False) -> Make:
    def make(stack: ExitStack, server: str, work: int) -> Arm:
        loop = asyncio.new_event_loop()
        stack.callback(loop.close)
        found = create_async_engine(url_of(server, "asyncpg", bound), pool_size=1, max_overflow=0)
        stack.callback(lambda: loop.run_until_complete(found.dispose()))
        if bound:
            scoped(found)
        numbers = rows()

        async def transaction(who: str, number: int) -> None:
            async with AsyncSession(found) as session, session.begin():
                for _ in range(work):
                    query = select(Note.body).where(Note.id == number)
                    if named or not bound:
                        query = query.where(Note.tenant_id == who)
                    (await session.execute(query)).scalar_one()

        async def pid() -> int:
            async with found.connect() as conn:
                return int((await conn.execute(text("SELECT pg_backend_pid()"))).scalar_one())

        with tenant("t0"):
            number = loop.run_until_complete(pid())
        return Arm(
            lambda times: loop.run_until_complete(repeat_async(transaction, numbers, bound, times)), number
        )

    return make


# Django


def by_django(bound: bool = False) -> Make:
    def make(stack: ExitStack, server: str, work: int) -> Arm:
        connection = _django(server, bound)
        stack.callback(connection.close)
        query = (KEY if bound else OWN).format("%s", "%s")
        numbers = rows()
        atomic = importlib.import_module("django.db.transaction").atomic

        def transaction(who: str, number: int) -> None:
            with atomic(using=connection.alias), connection.cursor() as cursor:
                for _ in range(work):
                    cursor.execute(query, (number,) if bound else (number, who))
                    assert cursor.fetchone()

        repeat(transaction, numbers, bound, 1)
        return Arm(
            lambda times: repeat(transaction, numbers, bound, times), connection.connection.info.backend_pid
        )

    return make


def _django(server: str, bound: bool) -> Any:
    conf, db = importlib.import_module("django.conf"), importlib.import_module("django.db")
    if not conf.settings.configured:
        conf.settings.configure(INSTALLED_APPS=[], USE_TZ=True, DATABASES={"default": {}})
        importlib.import_module("django").setup()
    parts = conninfo_to_dict(dsn_of(server, bound))
    alias = "scoped" if bound else "hand"
    kind = "tenantry.runtime.django" if bound else "django.db.backends.postgresql"
    db.connections.databases[alias] = {
        "ENGINE": kind, "NAME": "postgres", "USER": parts["user"], "HOST": parts["host"], "PORT": str(parts["port"]),
        "PASSWORD": "", "OPTIONS": {}, "ATOMIC_REQUESTS": False, "AUTOCOMMIT": True, "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": False, "TIME_ZONE": None, "TEST": {},
    }  # fmt: skip
    with contextlib.suppress(AttributeError):
        del db.connections[alias]
    return db.connections[alias]

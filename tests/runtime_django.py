"""Django in tests: configured once, with a database of each test's own behind the one alias."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import django  # type: ignore[import-untyped]
from django.conf import settings  # type: ignore[import-untyped]
from psycopg.conninfo import conninfo_to_dict

from tenantry.runtime import Binding

ENGINE = "tenantry.runtime.django"


def configure() -> None:
    """Once per process; the default database is nowhere."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # scenarios are coroutines, and block
    if not settings.configured:
        settings.configure(
            DATABASES={"default": {"ENGINE": ENGINE, "NAME": "nowhere"}},
            INSTALLED_APPS=["django.contrib.contenttypes", "tenantry.runtime.django"],
            ALLOWED_HOSTS=["*"],
            USE_TZ=True,
            ROOT_URLCONF=[],
            DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        )
        django.setup()


_numbers = itertools.count(1)


def options(dsn: str, **more: Any) -> dict[str, Any]:
    """What DATABASES holds of a database, complete."""
    parts = conninfo_to_dict(dsn)
    known = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    found = {name: str(parts.pop(key, "")) for key, name in known.items()}
    chosen = {
        "ENGINE": ENGINE, "ATOMIC_REQUESTS": False, "AUTOCOMMIT": True, "CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": False,
        "TIME_ZONE": None, "TEST": {"NAME": None, "CHARSET": None, "COLLATION": None, "MIRROR": None, "MIGRATE": True},
        "OPTIONS": dict(parts), **found,
    }  # fmt: skip
    chosen["OPTIONS"] |= more.pop("OPTIONS", {})
    return chosen | more


def wrapper(dsn: str, alias: str = "default", **more: Any) -> Any:
    """A database of Django's."""
    configure()
    from tenantry.runtime.django.base import DatabaseWrapper

    return DatabaseWrapper(options(dsn, **more), alias)


class DjangoConn:
    """A database of Django's in manual transactions, as inside of atomic()."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    async def begin(self) -> None:
        if self.raw.get_autocommit():
            self.raw.set_autocommit(False)

    async def rows(self, statement: str) -> list[tuple[Any, ...]]:
        await self.begin()
        with self.raw.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    async def commit(self) -> None:
        await self._end(self.raw.commit)

    async def rollback(self) -> None:
        await self._end(self.raw.rollback)

    async def _end(self, end: Any) -> None:
        if not self.raw.get_autocommit():
            end()
            self.raw.set_autocommit(True)

    @asynccontextmanager
    async def nested(self) -> AsyncIterator[None]:
        name = self.raw.savepoint()
        try:
            yield
        except BaseException:
            self.raw.savepoint_rollback(name)
            raise
        self.raw.savepoint_commit(name)

    async def stream(self, statement: str) -> AsyncIterator[tuple[Any, ...]]:
        with self.raw.chunked_cursor() as cursor:
            cursor.execute(statement)
            while rows := cursor.fetchmany(1):
                yield rows[0]

    async def copy(self, statement: str) -> bytes:
        with self.raw.cursor() as cursor, cursor.copy(statement) as copy:
            return b"".join(bytes(part) for part in copy)


def django_pool(pool: type, pooled: bool) -> Any:
    """An adapter: connections that are kept and handed out in turn, or Django's own pool."""

    @asynccontextmanager
    async def make(dsn: str, size: int, binding: Binding, prepare: bool) -> AsyncIterator[Any]:
        tenantry = {"setting": binding.setting, "unscoped": binding.unscoped, "signer": binding.signer}
        chosen: dict[str, Any] = {"tenantry": tenantry}
        if prepare:
            chosen["prepare_threshold"] = 5
        if pooled:
            chosen["pool"] = {"min_size": size, "max_size": size, "timeout": 5}
        name = f"pooled{next(_numbers)}"  # Django has one pool for each alias
        free = [wrapper(dsn, f"django{n}" if not pooled else name, OPTIONS=dict(chosen)) for n in range(size)]
        made = list(free)

        @asynccontextmanager
        async def connect() -> AsyncIterator[DjangoConn]:
            raw = free.pop()
            conn = DjangoConn(raw)
            try:
                yield conn
            finally:
                if raw.connection is not None and not raw.connection.closed:
                    await conn.rollback()
                if pooled:
                    raw.close()
                free.append(raw)

        try:
            yield pool(connect)
        finally:
            for raw in made:
                raw.close()
                raw.close_pool()

    return make

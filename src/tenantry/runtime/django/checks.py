"""System checks: a database that is not scoped, a role that no policy binds, requests without a transaction.

``TENANTRY = {"DATABASES": ["default"]}`` names the aliases through which tenants are served.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings  # type: ignore[import-untyped]
from django.core.checks import Error, Warning  # type: ignore[import-untyped]
from django.db import connections  # type: ignore[import-untyped]

from tenantry.errors import ExemptRole
from tenantry.runtime.django.base import DatabaseWrapper

_MIDDLEWARE = "tenantry.runtime.django.middleware.TenantMiddleware"


def served() -> Sequence[str]:
    """The aliases through which tenants are served."""
    found: Sequence[str] = getattr(settings, "TENANTRY", {}).get("DATABASES", ("default",))
    return found


def guarded(alias: str) -> bool:
    """Whether nobody connects through that alias whom no policy binds."""
    connection = connections[alias]
    return isinstance(connection, DatabaseWrapper) and connection.guarded


def check_databases(app_configs: Any = None, **kwargs: Any) -> list[Any]:
    """What the settings alone tell."""
    found = [message for alias in served() for message in _settings(alias)]
    if _MIDDLEWARE not in settings.MIDDLEWARE:
        found.append(
            Warning(
                "No middleware enters the tenant's scope.",
                hint=f"Add {_MIDDLEWARE} to MIDDLEWARE, or say with tenant(…) in each view.",
                id="tenantry.W001",
            )
        )
    return found


def _settings(alias: str) -> Iterator[Any]:
    if alias not in connections.settings:
        yield Error(f"TENANTRY['DATABASES'] names {alias}, which is not in DATABASES.", id="tenantry.E001")
        return
    options = connections.settings[alias]
    if not isinstance(connections[alias], DatabaseWrapper):
        yield Error(
            f"Database {alias} has the engine {options['ENGINE']}: nothing tells it the tenant.",
            hint="Set its ENGINE to tenantry.runtime.django.",
            id="tenantry.E002",
        )
        return
    if not options["ATOMIC_REQUESTS"]:
        yield Warning(
            f"Database {alias} has no ATOMIC_REQUESTS: each statement outside of atomic() is a transaction of its own.",
            hint="Set ATOMIC_REQUESTS = True: one transaction, and one binding, per request.",
            id="tenantry.W002",
        )
    pool = options["OPTIONS"].get("pool")
    if isinstance(pool, dict) and not issubclass(pool.get("connection_class", _kind(alias)), _kind(alias)):
        yield Error(
            f"Database {alias}: the pool's connection_class is replaced by the scoped one.",
            hint="Leave connection_class out.",
            id="tenantry.E003",
        )
    if options["OPTIONS"].get("prepare_threshold") is not None and options["CONN_MAX_AGE"] != 0:
        yield Warning(
            f"Database {alias} keeps connections with prepared statements: behind a PgBouncer before 1.21 they fail.",
            hint="Leave prepare_threshold out there.",
            id="tenantry.W003",
        )


def _kind(alias: str) -> type:
    kind: type = connections[alias]._kind
    return kind


def check_roles(app_configs: Any = None, databases: Sequence[str] | None = None, **kwargs: Any) -> list[Any]:
    """``manage.py check --database default``: connect, and see whether policies bind the role."""
    found = []
    for alias in served():
        if alias not in (databases or ()) or not isinstance(connections[alias], DatabaseWrapper):
            continue
        try:
            connections[alias].ensure_connection()
        except ExemptRole as error:
            found.append(
                Error(
                    f"Database {alias}: {error}",
                    hint="Connect as the application's role.",
                    id="tenantry.E004",
                )
            )
    return found

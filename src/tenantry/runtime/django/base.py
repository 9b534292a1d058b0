"""Django's PostgreSQL engine on scoped connections: each transaction and each lone statement is bound.

``OPTIONS = {"tenantry": {"setting": …, "unscoped": "raise" | "empty", "signer": …, "guard": True}}``. In autocommit mode a
statement of Django's cursors gets a transaction of its own; what goes to the driver's cursor itself raises.

A ``TestCase`` is one transaction of several tenants. There, and nowhere else, each statement binds it anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import psycopg
from django.core.exceptions import ImproperlyConfigured  # type: ignore[import-untyped]
from django.db.backends.postgresql import base, psycopg_any  # type: ignore[import-untyped]

from tenantry.runtime.binding import Binding, ends, own_work
from tenantry.runtime.django.creation import DatabaseCreation
from tenantry.runtime.django.introspection import DatabaseIntrospection, asks_for_itself
from tenantry.runtime.guard import guard
from tenantry.runtime.psycopg import Connection

if not psycopg_any.is_psycopg3:
    raise ImproperlyConfigured(
        "tenantry.runtime.django needs psycopg 3; uninstall psycopg2 or install psycopg"
    )

KEYS = ("setting", "unscoped", "signer", "guard")


class DatabaseWrapper(base.DatabaseWrapper):  # type: ignore[misc]  # Django has no types
    """A database whose work belongs to the tenant of the scope. Raises NoTenant, MixedTenants and ExemptRole."""

    creation_class = DatabaseCreation
    introspection_class = DatabaseIntrospection

    def __init__(self, settings_dict: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        options = dict(settings_dict.get("OPTIONS", {}).get("tenantry", {}))
        if unknown := [key for key in options if key not in KEYS]:
            raise ImproperlyConfigured(
                f"OPTIONS['tenantry']: no such key {unknown[0]}; there are {', '.join(KEYS)}"
            )
        self.guarded = options.pop("guard", True)
        self.binding = Binding(**options)
        kind: Any = type("Connection", (Connection,), {"binding": self.binding})
        self._kind = kind
        self.Database = SimpleNamespace(**{**vars(psycopg), "connect": kind.connect})
        super().__init__(settings_dict, *args, **kwargs)
        self.execute_wrappers.append(self._bound)

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        params.pop("tenantry", None)
        return params

    @property
    def pool(self) -> Any:
        options = self.settings_dict["OPTIONS"]
        if chosen := options.get("pool"):
            given = {} if chosen is True else dict(chosen)
            options["pool"] = {**given, "connection_class": self._kind}
        return super().pool

    def get_new_connection(self, conn_params: Mapping[str, Any]) -> Any:
        with own_work():
            return super().get_new_connection(conn_params)

    def init_connection_state(self) -> None:
        try:
            with own_work():
                super().init_connection_state()
        except BaseException:
            self.close()  # or the next use would find a closed connection, and not the reason
            raise

    def _configure_connection(self, connection: Any) -> Any:
        """Called once for each connection, by Django or by its pool."""
        with own_work():
            changed = super()._configure_connection(connection)
            if changed and not connection.autocommit:
                connection.commit()
            if self.guarded:
                guard(connection, binding=self.binding)
        return changed

    def is_usable(self) -> bool:
        with own_work():
            usable: bool = super().is_usable()
            return usable

    def check_constraints(self, table_names: Any = None) -> None:
        with own_work():  # keys are checked whatever the policies say
            super().check_constraints(table_names)

    def _bound(
        self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Mapping[str, Any]
    ) -> Any:
        tested = bool(self.atomic_blocks) and self.atomic_blocks[0]._from_testcase
        free = asks_for_itself(sql) or (tested and ends(sql))
        with self.wrap_database_errors, own_work() if free else nullcontext(), self.connection.alone():
            if tested:
                self.connection.bind_again()
            return execute(sql, params, many, context)

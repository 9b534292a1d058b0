"""The application's connections, as it makes them itself or by SET ROLE."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import psycopg

from tenantry.attacks.lab import Wire
from tenantry.catalog import Catalog
from tenantry.errors import CatalogError
from tenantry.names import quote
from tenantry.session import Conn, connect

_PLACE = "SELECT current_database() || extract(epoch FROM pg_catalog.pg_postmaster_start_time())::text"


@dataclass(frozen=True, slots=True)
class App:
    """The application's two connections. ``login`` is who logged in, ``role`` who asks."""

    main: Wire
    fresh: Wire
    role: str
    login: str
    assume: bool

    @property
    def told(self) -> str:
        """For the record: the role and how it was come by."""
        return (
            f"{self.role} (SET ROLE from {self.login})"
            if self.assume
            else f"{self.role} (logged in as {self.login})"
        )


def application(
    stack: contextlib.ExitStack, admin: Conn, dsn: str, app_dsn: str | None, role: str, catalog: Catalog
) -> App | None:
    """The application's connections; None while there is no such role.

    Raises CatalogError when they lead elsewhere than the administrator's, or the role may not be taken.
    """
    if app_dsn is None and role not in catalog.roles_by_name:
        return None
    main, fresh = (
        stack.enter_context(
            contextlib.closing(Wire(lambda: connect(app_dsn or dsn, "tenantry prove as the application")))
        )
        for _ in range(2)
    )
    login = str(one(main.conn, "SELECT session_user"))
    if app_dsn is None:
        _refuse_stranger(admin, login, role)
        return App(main, fresh, role, login, assume=True)
    if one(main.conn, _PLACE) != one(admin, _PLACE):
        raise CatalogError(
            "the application's DSN leads to another database than the administrator's; give two DSNs of one"
        )
    return App(main, fresh, str(one(main.conn, "SELECT current_user")), login, assume=False)


def one(conn: Conn, query: str) -> object:
    """The first value of a query, or None."""
    row = conn.execute(query.encode()).fetchone()
    return row[0] if row else None


def _refuse_stranger(admin: Conn, login: str, role: str) -> None:
    """Raise CatalogError when the administrator may not take the application's role."""
    try:
        with admin.transaction(force_rollback=True):
            admin.execute(f"SET LOCAL ROLE {quote(role)}".encode())
    except psycopg.errors.InsufficientPrivilege as error:
        raise CatalogError(
            f"role {login} may not SET ROLE {role}, so the attacks cannot run as it; "
            "give the application's own DSN, or connect as a superuser"
        ) from error

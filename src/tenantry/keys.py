"""The keys that tenants are signed with: make one, list them, retire one. While two are valid, either signs."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from tenantry.errors import CatalogError, SpecError
from tenantry.names import QName, display, qualified, quote
from tenantry.runtime.signing import Key, written
from tenantry.session import MISSING, Conn, connect
from tenantry.spec import Spec
from tenantry.steps import context, contextfunctions

_BYTES = 32  # of a secret: as many as the hash has
_DENIED = "42501"
MOST_UNSIGNED = 14 * 86_400  # seconds


@dataclass(frozen=True, slots=True)
class Listed:
    """A key without its secret; ``until`` is when it ends, None for no end; ``valid``: what it signs now is taken."""

    id: str
    created_at: datetime
    until: datetime | None
    valid: bool


def new(dsn: str, spec: Spec) -> str:
    """Make a key; the text is what the application is given, and is not to be had again.

    Raises SpecError where the spec signs nothing, CatalogError where the keys cannot be reached.
    """
    id_, secret = f"k{secrets.token_hex(4)}", secrets.token_bytes(_BYTES)
    key = Key.made_of(id_, secret)
    with _keeper(dsn, spec) as (conn, table):
        conn.execute(
            f"INSERT INTO {table} (id, inner_pad, outer_pad) VALUES (%s, %s, %s)".encode(),
            (id_, key.inner, key.outer),
        )
    return written(id_, secret)


def listed(dsn: str, spec: Spec) -> tuple[Listed, ...]:
    """Every key, the newest first. Raises as :func:`new` does."""
    with _keeper(dsn, spec) as (conn, table):
        query = f"SELECT id, created_at, until, until IS NULL OR until > now() FROM {table} WHERE inner_pad IS NOT NULL ORDER BY created_at DESC, id"
        return tuple(Listed(*row) for row in conn.execute(query.encode()))


def retire(dsn: str, spec: Spec, key: str, seconds: int) -> datetime:
    """End a key in so many seconds; values that it signed are refused from then on. Returns when.

    Raises CatalogError for a key that is not there, and as :func:`new` does.
    """
    with _keeper(dsn, spec) as (conn, table):
        row = conn.execute(
            f"UPDATE {table} SET until = least(until, now() + make_interval(secs => %s)) "
            "WHERE id = %s AND inner_pad IS NOT NULL RETURNING until".encode(),
            (seconds, key),
        ).fetchone()
    if row is None:
        raise CatalogError(f"key {key}: is not there; `tenantry keys list` shows those that are")
    until: datetime = row[0]
    return until


def unsigned(dsn: str, spec: Spec, seconds: int | None = None) -> datetime | None:
    """Until when values without a signature are taken, too; ``seconds`` says so anew, 0 ends it.

    While an application that does not sign yet still runs. Raises SpecError for more than two weeks, and as
    :func:`new` does.
    """
    if seconds is not None and not 0 <= seconds <= MOST_UNSIGNED:
        raise SpecError(f"unsigned values for {seconds} seconds: say 0 to {MOST_UNSIGNED}")
    with _keeper(dsn, spec) as (conn, table):
        if seconds is not None:
            conn.execute(
                f"INSERT INTO {table} (id, until) VALUES (%s, now() + make_interval(secs => %s)) "
                "ON CONFLICT (id) DO UPDATE SET until = excluded.until".encode(),
                (contextfunctions.UNSIGNED, seconds),
            )
        query = f"SELECT until FROM {table} WHERE id = %s AND until > now()"
        row = conn.execute(query.encode(), (contextfunctions.UNSIGNED,)).fetchone()
    return row[0] if row else None


def current(conn: psycopg.Connection[Any], spec: Spec) -> Key | None:
    """The newest valid key, as an administrator reads it; None where there is none, or no signing. Raises psycopg.Error."""
    return newest(conn, context.at(spec, "keys"), spec.roles.context) if context.signed(spec) else None


def newest(conn: psycopg.Connection[Any], table: QName, owner: str, *, ended: bool = False) -> Key | None:
    """The newest key of a table that is valid, or that ``ended``, read as its owner. Raises psycopg.Error."""
    query = (
        f"SELECT id, inner_pad, outer_pad FROM {qualified(table)} WHERE inner_pad IS NOT NULL "
        f"AND (until IS NULL OR until > now()) IS {'FALSE' if ended else 'TRUE'} ORDER BY created_at DESC LIMIT 1"
    )
    with conn.transaction(force_rollback=True):
        conn.execute(f"SET LOCAL ROLE {quote(owner)}".encode())
        row = conn.execute(query.encode()).fetchone()
    return Key(*row) if row else None


@contextlib.contextmanager
def _keeper(dsn: str, spec: Spec) -> Iterator[tuple[Conn, str]]:
    """A transaction as the role that owns the keys, and their table in SQL."""
    if not context.signed(spec):
        raise SpecError('[tenancy] context is plain, which has no keys; set context = "signed" first')
    role, name = spec.roles.context, context.at(spec, "keys")
    try:
        with contextlib.closing(connect(dsn, "tenantry keys")) as conn, conn.transaction():
            conn.execute(f"SET LOCAL ROLE {quote(role)}".encode())
            yield conn, qualified(name)
    except psycopg.Error as error:
        if error.sqlstate in (*MISSING, "22023"):
            raise CatalogError(
                f"{display(name)}: is not there, or role {role} is not; apply the plan first"
            ) from error
        if error.sqlstate == _DENIED:
            raise CatalogError(
                f"{display(name)}: only {role} reaches it; connect as a superuser or one who may SET ROLE to it"
            ) from error
        raise

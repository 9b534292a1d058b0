"""Databases and roles of a run's own: made under a name that nobody has, and dropped at the end."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

from psycopg.conninfo import make_conninfo

from tenantry.errors import CatalogError
from tenantry.names import literal, quote
from tenantry.session import Conn, connect

_NAME = "tenantry self-test"


@dataclass(frozen=True, slots=True)
class Scratch:
    """A server with room for a run. ``token`` begins the names of all that is made there."""

    dsn: str
    token: str
    conn: Conn
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 1_000_000)))

    def role(self, suffix: str) -> str:
        """A role name of this run."""
        return f"{self.token}_{suffix}"

    def database(self, template: str | None = None) -> str:
        """Make a database, empty or a copy, and return its name. Nobody may be connected to the template."""
        name = f"{self.token}_{next(self.numbers)}"
        self.conn.execute(f"CREATE DATABASE {quote(name)} TEMPLATE {quote(template or 'template0')}".encode())
        return name

    def dsn_of(self, database: str) -> str:
        """How the administrator connects to one of them."""
        return make_conninfo(self.dsn, dbname=database)

    def connect(self, database: str) -> Conn:
        """An autocommit connection of the administrator."""
        return connect(self.dsn_of(database), _NAME)

    def drop(self, database: str) -> None:
        """Drop a database, whoever is connected."""
        self.conn.execute(f"DROP DATABASE IF EXISTS {quote(database)} WITH (FORCE)".encode())


@contextlib.contextmanager
def scratch(dsn: str) -> Iterator[Scratch]:
    """Room on the server that ``dsn`` leads to; what was made there goes at the end.

    Raises CatalogError where the role is no superuser: some sabotages make superusers.
    """
    with contextlib.closing(connect(dsn, _NAME)) as conn:
        row = conn.execute("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user").fetchone()
        if row is None or not row[0]:
            raise CatalogError(
                f"role {conn.info.user} is no superuser, and the sabotages make superusers: give the DSN of a "
                "superuser on a server that holds nothing dear, or leave it out for the embedded one"
            )
        made = Scratch(dsn, f"tenantry_selftest_{secrets.token_hex(4)}", conn)
        try:
            yield made
        finally:
            _sweep(made)


def _sweep(made: Scratch) -> None:
    like = f"starts_with({{}}, {literal(made.token)})"
    for (name,) in made.conn.execute(
        f"SELECT datname FROM pg_catalog.pg_database WHERE {like.format('datname')}".encode()
    ).fetchall():
        made.drop(name)
    roles = made.conn.execute(
        f"SELECT rolname FROM pg_catalog.pg_roles WHERE {like.format('rolname')} ORDER BY 1".encode()
    ).fetchall()
    for (name,) in roles:
        made.conn.execute(f"DROP OWNED BY {quote(name)}".encode())  # what is granted on shared objects
    if roles:  # one statement: they may be members of each other
        made.conn.execute(f"DROP ROLE {', '.join(quote(n) for (n,) in roles)}".encode())


_ROLES = """
SELECT r.rolname::pg_catalog.text,
    ARRAY[r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb, r.rolcanlogin, r.rolreplication, r.rolbypassrls],
    ARRAY(SELECT g.rolname::pg_catalog.text FROM pg_catalog.pg_auth_members AS m
        JOIN pg_catalog.pg_roles AS g ON g.oid = m.roleid WHERE m.member = r.oid ORDER BY 1)
FROM pg_catalog.pg_roles AS r WHERE pg_catalog.starts_with(r.rolname, %s) ORDER BY 1
"""
_WORDS = ("SUPERUSER", "INHERIT", "CREATEROLE", "CREATEDB", "LOGIN", "REPLICATION", "BYPASSRLS")
Roles = dict[str, tuple[list[bool], list[str]]]


def roles(made: Scratch) -> Roles:
    """What the roles of the run are, to come back to with :func:`restore`."""
    return {name: (flags, groups) for name, flags, groups in made.conn.execute(_ROLES, [made.token])}


def restore(made: Scratch, before: Roles) -> None:
    """Undo what a sabotage did to roles, which belong to the whole server and outlive a database."""
    now = roles(made)
    for name, (flags, groups) in now.items():
        wanted, mine = before.get(name, (flags, []))
        words = [w if on else f"NO{w}" for w, on, is_ in zip(_WORDS, wanted, flags, strict=True) if on != is_]
        if words:
            made.conn.execute(f"ALTER ROLE {quote(name)} {' '.join(words)}".encode())
        for group in sorted(set(groups) - set(mine)):
            made.conn.execute(f"REVOKE {quote(group)} FROM {quote(name)}".encode())
        made.conn.execute(f"ALTER ROLE {quote(name)} RESET ALL".encode())
    for name in sorted(set(now) - set(before)):
        made.conn.execute(f"DROP OWNED BY {quote(name)}".encode())
        made.conn.execute(f"DROP ROLE {quote(name)}".encode())

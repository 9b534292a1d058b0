"""Converted databases for tests: made once, filled with two tenants, and copied for each test."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote as percent
from urllib.parse import urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict

from tenantry import introspect, keys, prove
from tenantry.errors import CatalogError
from tenantry.finding import Mode, Proof
from tenantry.names import quote
from tenantry.runtime.signing import MOST_SECONDS, Key, value
from tenantry.session import connect
from tenantry.spec import Spec
from tenantry.world.proof import answered, app_dsn, convert, fill
from tenantry.world.seed import Seeded

# SQL, or what brings a database to its schema when it is given a superuser's DSN: a migrator, for example.
Schema = str | Callable[[str], object]

_FOR_PSQL = re.compile(r"^\\(?:un)?restrict .*$", re.MULTILINE)  # pg_dump's guard, for psql alone


@dataclass(frozen=True, slots=True)
class Scratch:
    """A converted database with two tenants. ``dsn`` is a superuser's, ``app_dsn`` the application's own login."""

    dsn: str
    app_dsn: str
    spec: Spec
    seeded: Seeded

    @property
    def tenants(self) -> tuple[str, ...]:
        """The ids of the two tenants."""
        return self.seeded.tenants

    def connect(self, tenant: str | None = None, **options: Any) -> psycopg.Connection[Any]:
        """A connection as the application, in the scope of a tenant for as long as it is open (of a signed one: 10 minutes);
        None for in none."""
        conn = psycopg.connect(self.app_dsn, **options)
        if tenant is not None:
            with conn.transaction():
                said = value(self._key(), tenant, MOST_SECONDS)
                conn.execute("SELECT pg_catalog.set_config(%s, %s, false)", (self.spec.tenancy.setting, said))
        return conn

    def _key(self) -> Key | None:
        with contextlib.closing(connect(self.dsn, "tenantry")) as admin:
            return keys.current(admin, self.spec)


def make(server: str, name: str, schema: Schema, spec: Spec) -> Seeded:
    """A new database of that name on a superuser's server: its schema, converted if it is not, and two tenants' rows.

    Raises PlanError, ApplyError and CatalogError as converting does, and whatever ``schema`` raises.
    """
    _execute(server, f"CREATE DATABASE {quote(name)} TEMPLATE template0")
    dsn = uri(server, dbname=name)
    if callable(schema):
        schema(dsn)
    else:
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute(_FOR_PSQL.sub("", schema).encode())
    convert(dsn, spec)
    return fill(dsn, spec)


@contextlib.contextmanager
def copied(server: str, template: str, name: str, spec: Spec, seeded: Seeded) -> Iterator[Scratch]:
    """A copy of a database that nobody is connected to, dropped at the end."""
    _execute(server, f"CREATE DATABASE {quote(name)} TEMPLATE {quote(template)}")
    try:
        login = uri(server, dbname=name, user=spec.roles.app)
        yield Scratch(uri(server, dbname=name), login, spec, seeded)
    finally:
        drop(server, name)


def drop(server: str, name: str) -> None:
    """Drop a database, whoever is connected to it."""
    _execute(server, f"DROP DATABASE IF EXISTS {quote(name)} WITH (FORCE)")


def _execute(server: str, statement: str) -> None:
    with contextlib.closing(connect(server, "tenantry tests")) as conn:
        conn.execute(statement.encode())


def examined(
    target: Scratch | psycopg.Connection[Any] | str,
    spec: Spec | None,
    *,
    app_dsn: str | None = None,
    mode: Mode | None = None,
    now: datetime,
) -> Proof:
    """The proof of a database: a scratch one in full, any other one in ``safe`` mode unless told otherwise.

    Raises CatalogError as proving does, and when nobody says which spec is meant.
    """
    if isinstance(target, Scratch):
        proof = prove.prove(
            target.dsn, spec or target.spec, app_dsn=app_dsn or _login(target), mode=mode or "full", now=now
        )
        return answered(proof, target.seeded)
    if spec is None:
        raise CatalogError("no spec: give the one that the database is to be proven against")
    dsn = target if isinstance(target, str) else _dsn(target)
    return prove.prove(dsn, spec, app_dsn=app_dsn, mode=mode or "safe", now=now)


def _login(target: Scratch) -> str | None:
    with contextlib.closing(connect(target.dsn, "tenantry tests")) as conn:
        catalog = introspect.read(conn)
    return app_dsn(target.dsn, target.spec, catalog)


def _dsn(conn: psycopg.Connection[Any]) -> str:
    return psycopg.conninfo.make_conninfo(conn.info.dsn, password=conn.info.password or None)


def uri(dsn: str, **changes: str) -> str:
    """A DSN with some parameters changed, as a URI: every driver reads that form."""
    given = {k: str(v) for k, v in (conninfo_to_dict(dsn) | changes).items() if v is not None}
    if "user" in changes:
        given.pop("password", None)  # it is another one's
    login = ":".join(percent(given.pop(key), safe="") for key in ("user", "password") if key in given)
    name = percent(given.pop("dbname", ""), safe="")
    parameters = urlencode(given, safe="/", quote_via=percent)
    return f"postgresql://{login}{'@' if login else ''}/{name}?{parameters}"

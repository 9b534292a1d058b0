"""The PostgreSQL servers that tests run on, and the databases they get there.

`TENANTRY_TEST_PG` names a private server: `18` (the default, embedded), `16` or `17` (from npm), `15` (Debian's package).
`TENANTRY_TEST_DSN` names, instead, a superuser of a server that is already running.
"""

import itertools
import operator
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tenantry import embedded
from tests import between

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
SETTINGS = {
    "autovacuum_naptime": "5s",
    "fsync": "off",
    "full_page_writes": "off",
    "log_min_messages": "warning",
    "max_connections": "60",
    "synchronous_commit": "off",
    "timezone": "UTC",
}
_COMPARISONS = {">=": operator.ge, "<=": operator.le, "==": operator.eq, ">": operator.gt, "<": operator.lt}
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Database:
    """One test's database: `dsn` is the superuser's, `server_version` a number (150018, 180006)."""

    dsn: str
    name: str
    server_version: int
    server: "Server" = field(repr=False)

    def connect(self, *, autocommit: bool = True, **overrides: Any) -> psycopg.Connection[Any]:
        """A connection; `overrides` are libpq's parameters, for example `user`."""
        return psycopg.connect(self.dsn, autocommit=autocommit, **overrides)

    def role(self, suffix: str) -> str:
        """A role name that no other database of the server uses; the role is dropped with the database."""
        return f"{self.name}_{suffix}"

    def psql(self, file: Path) -> str:
        """Run a file with the server's own psql, stopping at the first error; returns its standard output.

        Raises CalledProcessError, with psql's words as a note.
        """
        options = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.dsn, "-f", str(file)]
        done = subprocess.run([self.server.program("psql"), *options], capture_output=True, text=True)
        try:
            done.check_returncode()
        except subprocess.CalledProcessError as error:
            error.add_note(done.stderr)
            raise
        return done.stdout


MakeDatabase = Callable[..., Database]


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. `private`: nobody else uses it. `binaries`: its programs, None: on the PATH."""

    dsn: str
    version: int
    private: bool
    binaries: Path | None = None

    def program(self, name: str) -> str:
        """The path of one of the server's own programs: `psql`, `pg_dump`."""
        path = str(self.binaries / name) if self.binaries else shutil.which(name)
        if path is None:
            pytest.fail(f"{name} is not on the PATH; install the client programs of PostgreSQL")
        return path

    @contextmanager
    def databases(self) -> Iterator[MakeDatabase]:
        """Yield `make(template=None)`; at the end the databases it made go, then the roles made meanwhile.

        On a server that others use too, only roles named by `Database.role` are dropped.
        """
        made: list[Database] = []

        def make(template: Database | None = None) -> Database:
            name = f"test_{os.getpid()}_{next(_numbers)}"
            source = sql.Identifier(template.name if template else "template0")
            self._execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), source))
            made.append(Database(_with_database(self.dsn, name), name, self.version, self))
            return made[-1]

        before = self._roles()
        try:
            yield make
        finally:
            for database in made:
                name = sql.Identifier(database.name)
                self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            prefixes = tuple(database.role("") for database in made)
            new = [role for role in self._roles() - before if self.private or role.startswith(prefixes)]
            if new:  # one statement, since they may be members of each other
                roles = sql.SQL(", ").join(map(sql.Identifier, sorted(new)))
                self._execute(sql.SQL("DROP ROLE {}").format(roles))

    def _roles(self) -> set[str]:
        with psycopg.connect(self.dsn) as connection:
            return {name for (name,) in connection.execute("SELECT rolname FROM pg_catalog.pg_roles")}

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def running() -> Iterator[Server]:
    """The server that the environment names, for as long as the block runs."""
    if dsn := os.environ.get("TENANTRY_TEST_DSN"):
        yield Server(dsn, _version(dsn), private=False)
        return
    with embedded.cluster(binaries(), settings=SETTINGS) as cluster:
        yield Server(cluster.dsn, _version(cluster.dsn), private=True, binaries=cluster.binaries)


def binaries() -> Path:
    """The programs of the private server that `TENANTRY_TEST_PG` names; UsageError when there are none."""
    match os.environ.get("TENANTRY_TEST_PG", "18"):
        case "18":
            return embedded.embedded_binaries()
        case "15" if (DEBIAN_15 / "initdb").exists():
            return DEBIAN_15
        case "15":
            raise pytest.UsageError(f"TENANTRY_TEST_PG=15: {DEBIAN_15} is not there; install postgresql-15")
        case "16" | "17" as between_them:
            return between.binaries(between_them)
        case other:
            raise pytest.UsageError(f"TENANTRY_TEST_PG={other}: no such server; say 15, 16, 17 or 18")


@cache
def major() -> int:
    """The major version of the server that the environment names, also before it runs."""
    dsn = os.environ.get("TENANTRY_TEST_DSN")
    return _version(dsn) // 10_000 if dsn else int(os.environ.get("TENANTRY_TEST_PG", "18"))


def meets(version: int, requirement: str) -> bool:
    """Whether a server version (150018) meets a requirement on its major version (`>=18`)."""
    parts = re.fullmatch(r"([<>=]=|[<>])(\d+)", requirement)
    if parts is None:
        raise pytest.UsageError(f"pg({requirement!r}): not a requirement; say for example '>=18'")
    comparison, major = parts.groups()
    return bool(_COMPARISONS[comparison](version // 10_000, int(major)))


def _version(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        return connection.info.server_version


def _with_database(dsn: str, name: str) -> str:
    """The same server's DSN for another database, as a URI: every driver reads that form."""
    given = {key: str(value) for key, value in conninfo_to_dict(dsn).items() if value is not None}
    login = ":".join(quote(given.pop(key), safe="") for key in ("user", "password") if key in given)
    given.pop("dbname", None)
    parameters = urlencode(given, safe="/", quote_via=quote)
    return f"postgresql://{login}{'@' if login else ''}/{quote(name, safe='')}?{parameters}"

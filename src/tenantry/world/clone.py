"""A schema without rows, copied to a server that is thrown away: tables, policies, grants and roles as they are.

Nothing is written to the source, and nobody but the given login is needed there: the programs that read and write
the copy come with the embedded server. What did not arrive is listed, by comparing both catalogs.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources, util
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo

from tenantry import introspect
from tenantry.catalog import Catalog
from tenantry.embedded import Cluster
from tenantry.errors import CatalogError
from tenantry.names import QName, free, literal, quote
from tenantry.session import Conn, connect
from tenantry.world import standins
from tenantry.world.compare import missing

_DUMP = (
    "--format=custom", "--compress=none", "--schema-only", "--no-tablespaces", "--no-security-labels",
    "--no-subscriptions", "--no-password", "--lock-wait-timeout=10s",
)  # fmt: skip
_ENTRY = re.compile(r"from TOC entry \d+; \d+ \d+ (.+)")
_ERROR = re.compile(r"error: could not execute query: (?:ERROR|FATAL):\s+(.*)")
_EXTENSION = re.compile(r"(?:COMMENT )?EXTENSION (\S+|COMMENT)")
_OWNERS = {"superuser": "SUPERUSER", "inherit": "INHERIT", "create_role": "CREATEROLE", "create_db": "CREATEDB",
           "login": "LOGIN", "replication": "REPLICATION", "bypass_rls": "BYPASSRLS"}  # fmt: skip
# PostgreSQL 15.20 keeps a version of each column among its options, which other servers refuse as an option.
_ALONE = re.compile(rb"(?<=SET \()pg_attver=\d{2,}(?=\);)")
_BESIDE = re.compile(rb", pg_attver=\d+(?=[,)])|(?<=\()pg_attver=\d+, ")
# Settings whose value is a list that the server has quoted already.
_LISTS = {"local_preload_libraries", "search_path", "session_preload_libraries", "temp_tablespaces"}


@dataclass(frozen=True, slots=True)
class Left:
    """Something of the source that is not in the copy, and why; ``table`` where it belongs to one."""

    object: str
    reason: str
    table: QName | None = None


@dataclass(frozen=True, slots=True)
class Clone:
    """A copied schema. ``dsn`` is a superuser's; ``source`` is what was copied; ``absent`` are extensions."""

    dsn: str
    source: Catalog
    left: tuple[Left, ...]
    absent: tuple[str, ...]
    version: int


def clone(dsn: str, cluster: Cluster, name: str = "lab") -> Clone:
    """Copy the schema of the database that ``dsn`` leads to into a new database of a private, fresh server.

    Raises CatalogError when the source cannot be read or dumped.
    """
    with contextlib.closing(connect(dsn, "tenantry prove --lab")) as conn:
        source = introspect.read(conn)
        parts = {
            part: list(conn.execute(_sql(part)))
            for part in ("roles", "memberships", "settings", "database", "extensions")
        }
    with tempfile.TemporaryDirectory(prefix="tenantry-clone-") as folder:
        file = Path(folder) / "schema"
        _dump(dsn, cluster, file)
        admin = _admin(cluster, parts["roles"])
        with contextlib.closing(connect(admin, "tenantry prove --lab")) as conn:
            refused = [*_roles(conn, parts["roles"], parts["memberships"])]
            conn.execute(f"CREATE DATABASE {quote(name)} TEMPLATE template0".encode())
        made = make_conninfo(admin, dbname=name)
        absent = _standins(made, parts["extensions"])
        errors = _restore(made, cluster, file)
        with contextlib.closing(connect(made, "tenantry prove --lab")) as conn:
            refused += _settings(conn, name, parts["settings"])
            refused += _database(conn, name, parts["database"])
            _as_before_maintain(conn, source)
            copy = introspect.read(conn)
            version = conn.info.server_version
    left = [
        *refused,
        *(e for e in errors if not _EXTENSION.match(e.object)),
        *_not_there(source, copy, errors),
    ]
    return Clone(made, source, tuple(left), absent, version)


def _sql(name: str) -> bytes:
    return (resources.files("tenantry") / "world" / f"{name}.sql").read_bytes()


# Out of the source


def _dump(dsn: str, cluster: Cluster, file: Path) -> None:
    environment, rest = _connection(dsn)
    command = [str(cluster.binaries / "pg_dump"), *_DUMP, "--file", str(file), "--dbname", rest]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "error: " in line] or done.stderr.splitlines()
        reason = (
            said[0].partition("error: ")[2] or said[0] if said else f"it ended with status {done.returncode}"
        )
        raise CatalogError(
            f"the schema cannot be copied: pg_dump: {reason}; connect as a role that may read every table's definition"
        )
    _without_versions(file)


def _without_versions(file: Path) -> None:
    """Take out the versions of columns. The archive knows the length of each text, so every one stays as long as it was.

    Where nothing else is set, ``n_distinct = 0`` stands in, which is what holds without it.
    """
    text = file.read_bytes()
    text = _BESIDE.sub(lambda found: b" " * len(found[0]), text)
    file.write_bytes(_ALONE.sub(lambda found: b"n_distinct=0".ljust(len(found[0])), text))


def _connection(dsn: str) -> tuple[dict[str, str], str]:
    """How pg_dump connects: in its environment, so that no password is in the list of processes.

    The embedded server's own client library has no TLS, and psycopg's has: it is loaded in its place.
    """
    environment = {**os.environ, "LC_ALL": "C"}
    names = {o.keyword.decode(): o.envvar.decode() for o in Conninfo.get_defaults() if o.envvar}
    rest: dict[str, Any] = {}
    for key, value in conninfo_to_dict(dsn).items():
        if key in names:
            environment[names[key]] = str(value)
        else:
            rest[key] = value
    environment["PGAPPNAME"] = "tenantry prove --lab"
    library = _client_library()
    if library is not None:
        environment["LD_PRELOAD"] = str(library)
    return environment, make_conninfo("", **rest)


def _client_library() -> Path | None:
    found = util.find_spec("psycopg_binary") if sys.platform == "linux" else None
    if found is None or found.origin is None:
        return None
    return next(iter(sorted(Path(found.origin).parents[1].glob("psycopg_binary.libs/libpq-*.so*"))), None)


# Into the copy


def _admin(cluster: Cluster, roles: Sequence[tuple[Any, ...]]) -> str:
    """A superuser's DSN. The server's first one gives way to a role of that name that is less in the source."""
    theirs = {name: superuser for name, superuser, *_ in roles}
    first = str(conninfo_to_dict(cluster.dsn)["user"])
    if theirs.get(first, True):
        return cluster.dsn
    name = free("tenantry_lab", theirs)
    with contextlib.closing(connect(cluster.dsn, "tenantry prove --lab")) as conn:
        conn.execute(f"CREATE ROLE {quote(name)} SUPERUSER LOGIN".encode())
    admin = make_conninfo(cluster.dsn, user=name)
    with contextlib.closing(connect(admin, "tenantry prove --lab")) as conn:
        conn.execute(f"ALTER ROLE {quote(first)} RENAME TO {quote(free(name + '_first', theirs))}".encode())
    return admin


def _roles(
    conn: Conn, roles: Sequence[tuple[Any, ...]], memberships: Sequence[tuple[Any, ...]]
) -> Iterator[Left]:
    """The roles without passwords, with what they are and whose members."""
    there = {name for (name,) in conn.execute("SELECT rolname FROM pg_catalog.pg_roles")}
    for name, *flags in roles:
        words = [word if flag else f"NO{word}" for word, flag in zip(_OWNERS.values(), flags, strict=True)]
        if name not in there:
            yield from _try(conn, f"role {name}", f"CREATE ROLE {quote(name)} {' '.join(words)}")
    for role, member, admin, inherit, set_ in memberships:
        options = {"ADMIN": admin, "INHERIT": inherit, "SET": set_}
        chosen = ", ".join(f"{word} {value}" for word, value in options.items() if value is not None)
        statement = f"GRANT {quote(role)} TO {quote(member)} WITH {chosen}"
        yield from _try(conn, f"membership of {member} in {role}", statement)


def _try(conn: Conn, what: str, statement: str) -> Iterator[Left]:
    try:
        conn.execute(statement.encode())
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise
        yield Left(what, f"{error.sqlstate} {error.diag.message_primary}")


def _standins(dsn: str, extensions: Sequence[tuple[Any, ...]]) -> tuple[str, ...]:
    """The extensions that this server lacks; for some, the functions that tables use stand in."""
    absent = []
    with contextlib.closing(connect(dsn, "tenantry prove --lab")) as conn:
        there = {name for (name,) in conn.execute("SELECT name FROM pg_catalog.pg_available_extensions")}
        for name, schema in extensions:
            if name in there:
                continue
            made = standins.functions(name, schema)
            if made:
                conn.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}".encode())
            for statement in made:
                conn.execute(statement.encode())
            absent.append(f"{name}, for whose functions plain ones stand in" if made else name)
    return tuple(absent)


def _restore(dsn: str, cluster: Cluster, file: Path) -> list[Left]:
    """What pg_restore could not make, in its words; it goes on after each. Only verbose, it names the objects."""
    command = [str(cluster.binaries / "pg_restore"), "--no-password", "--verbose", "--dbname", dsn, str(file)]
    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, errors="replace", check=False
    )
    found, entry = [], ""
    for line in done.stderr.splitlines():
        if match := _ENTRY.search(line):
            entry = match[1].rpartition(" ")[0]  # without the owner
        elif (match := _ERROR.search(line)) and not (
            entry.startswith("SCHEMA ") and "already exists" in match[1]
        ):
            found.append(Left(entry, match[1]))
    if done.returncode and not found and "errors ignored" not in done.stderr:
        raise CatalogError(
            f"the schema cannot be restored: {done.stderr.strip()[-500:]}; report it with the schema"
        )
    return found


def _settings(conn: Conn, database: str, rows: Sequence[tuple[Any, ...]]) -> Iterator[Left]:
    for role, here, name, value in rows:
        whose = f"ROLE {quote(role)}" if role else "ROLE ALL"
        where = f" IN DATABASE {quote(database)}" if here else ""
        if here and not role:
            whose, where = f"DATABASE {quote(database)}", ""
        given = value if name in _LISTS and value else literal(value)
        dotted = ".".join(quote(part) for part in name.split("."))
        yield from _try(
            conn, f"setting {name} of {role or 'every role'}", f"ALTER {whose}{where} SET {dotted} TO {given}"
        )


def _database(conn: Conn, name: str, rows: Sequence[tuple[Any, ...]]) -> Iterator[Left]:
    """Owner and privileges of the database itself."""
    owner = rows[0][0]
    yield from _try(
        conn, f"owner {owner} of the database", f"ALTER DATABASE {quote(name)} OWNER TO {quote(owner)}"
    )
    conn.execute(f"REVOKE ALL ON DATABASE {quote(name)} FROM PUBLIC".encode())
    for _, role, privileges in rows:
        if privileges:
            who = quote(role) if role else "PUBLIC"
            statement = f"GRANT {', '.join(privileges)} ON DATABASE {quote(name)} TO {who}"
            yield from _try(conn, f"privileges of {role or 'PUBLIC'} on the database", statement)


def _as_before_maintain(conn: Conn, source: Catalog) -> None:
    """GRANT ALL of a server before 17 did not mean MAINTAIN, which is newer."""
    if source.server.version >= 170000:
        return
    for table in introspect.read(conn).tables:
        for grant in table.grants:
            if "MAINTAIN" in grant.privileges:
                who = quote(grant.role) if grant.role else "PUBLIC"
                conn.execute(f"REVOKE MAINTAIN ON {quote(*table.qname)} FROM {who}".encode())


def _not_there(source: Catalog, copy: Catalog, errors: Sequence[Left]) -> Iterator[Left]:
    """What the copy lacks, with the refusal of the same name if there was one."""
    reasons: Mapping[str, str] = {
        e.object.rpartition(" ")[2].partition("(")[0]: e.reason for e in reversed(errors)
    }
    for fact in missing(source, copy):
        yield Left(fact.text, reasons.get(fact.name, "it did not arrive in the copy"), fact.table)

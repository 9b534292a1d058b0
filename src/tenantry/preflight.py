"""What could go wrong with a plan on this server at this moment, asked before anything is changed.

Each check is one query of ``sql/preflight_*.sql``, read-only and with short timeouts, that yields what it found. What
the role may not look at is ``unseen``, never good. What stops the plan for certain is ``stop``.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import psycopg
from psycopg import sql

from tenantry import session as sessions
from tenantry.bugs import BUGS, Bug
from tenantry.errors import ApplyError
from tenantry.estimate import Room, room
from tenantry.names import QName, display
from tenantry.plan import Backfill, Change, Phase, Plan
from tenantry.report.plan import size
from tenantry.session import Conn, load

Level = Literal["stop", "warn", "good", "unseen"]
Step = Change | Backfill
# Milliseconds: nothing that others hold is waited for, and no query of a big catalog takes long.
LOCK_TIMEOUT, STATEMENT_TIMEOUT = 100, 5000
# Seconds from which on a transaction is long.
LONG = 60


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that was looked at; ``name`` is the check's."""

    name: str
    level: Level
    object: str
    message: str

    def __str__(self) -> str:
        return f"{self.object}: {self.message}"


@dataclass(frozen=True, slots=True)
class Preflight:
    """Everything that was looked at, in the order of the checks."""

    items: tuple[Item, ...]

    def at(self, *levels: Level) -> tuple[Item, ...]:
        """The items of these levels."""
        return tuple(i for i in self.items if i.level in levels)

    def refuse(self) -> None:
        """Raise ApplyError, naming all of them, if anything stops the plan.

        Its SQLSTATE is 42501 (insufficient_privilege) if nothing but rights is missing.
        """
        stops = self.at("stop")
        if stops:
            raise ApplyError(
                "\n  - ".join(["the conversion cannot begin; nothing was changed:", *map(str, stops)])
                + "\nSee to these, then run `tenantry apply` again.",
                sqlstate="42501" if {i.name for i in stops} <= RIGHTS else None,
            )


# The checks that are about rights alone.
RIGHTS = frozenset({"owner", "create", "roles", "row_security"})
# The checks, and what is so when one yields nothing.
CHECKS: Mapping[str, str] = {
    "writable": "takes changes",
    "owner": "all tables of the plan may be altered",
    "create": "schemas, tables and indexes may be made",
    "roles": "the roles of the plan may be made and granted",
    "row_security": "no policy binds this role where the plan reads rows",
    "triggers": "no trigger fires in a backfill",
    "long_transactions": "no transaction is older than a minute",
    "prepared_transactions": "there are none",
    "slots": "none is inactive or far behind",
    "publications": "none has a table of the plan",
    "subscriptions": "none writes to a table of the plan",
    "standbys": "none is behind",
    "autovacuum": "on, and in nobody's way",
    "wraparound": "no table is near an autovacuum that prevents it",
    "event_triggers": "none fires on a statement of the plan",
    "extensions": "none has taken over a table of the plan",
    "locks": "there is room for those of the cut-over",
    "invalid_indexes": "there are none but what the plan removes",
    "wal": "there is room for the WAL of the plan",
}


def preflight(where: str | Conn, plan: Plan, left: Sequence[Step] | None = None) -> Preflight:
    """Look at everything that the steps ``left`` of a plan need (all of them, when not given).

    ``where`` is a DSN or an autocommit connection. Changes nothing and waits for nobody. Raises CatalogError when the
    server cannot be reached.
    """
    if isinstance(where, str):
        with contextlib.closing(sessions.connect(where, "tenantry preflight")) as conn:
            return preflight(conn, plan, left)
    steps = tuple(plan) if left is None else tuple(left)
    needs = _needs(where, plan, steps)
    items: list[Item] = []
    for name, good in CHECKS.items():
        found = _asked(where, name, needs.parameters)
        if name == "extensions":
            found += _taken_over(where, needs)
        bad = any(i.level != "good" for i in found)
        items += found if bad or found else [Item(name, "good", name.replace("_", " "), good)]
    published = any(i.name == "publications" and i.level == "warn" for i in items)
    items = [*_version(where.info.server_version, needs, published), *items, _disk(needs.room)]
    return Preflight(tuple(items))


# What a plan needs


@dataclass(frozen=True, slots=True)
class _Needs:
    """What the steps left will touch; ``parameters`` are those of the queries."""

    tables: frozenset[QName]
    room: Room
    parts: bool
    isolates: bool
    cuts_over: bool
    builds: bool
    parameters: Mapping[str, object]


_NAME = r'"((?:[^"]|"")+)"'
_MADE = re.compile(rf"\bCREATE ROLE {_NAME}")
_OWNER = re.compile(rf"\bOWNER TO {_NAME}")
_GRANTED = re.compile(rf"^GRANT {_NAME} TO ")
_ACTED = re.compile(rf"\bSET LOCAL ROLE {_NAME}")
_CREATED = re.compile(
    rf"^CREATE (?:TABLE|FUNCTION|OR REPLACE FUNCTION|(?:UNIQUE )?INDEX (?:CONCURRENTLY )?{_NAME} ON) {_NAME}\."
)
_DROPPED = re.compile(rf"^DROP INDEX (?:CONCURRENTLY )?(?:IF EXISTS )?{_NAME}\.{_NAME}")
_TAG = re.compile(
    r"\b(ALTER|CREATE|DROP|COMMENT|GRANT|REVOKE)(?: OR REPLACE| UNIQUE)?"
    r"(?: (TABLE|INDEX|POLICY|FUNCTION|TRIGGER|SCHEMA|VIEW|SEQUENCE))?\b"
)


def _needs(conn: Conn, plan: Plan, steps: Sequence[Step]) -> _Needs:
    labels = {display(t): t for step in plan for t in _tables(step)}
    by_step = [(s, {*_tables(s), *([labels[s.object]] if s.object in labels else [])}) for s in steps]
    texts = [text for s in steps for text in (*s.apply, *([s.cleanup] if isinstance(s, Change) else []))]
    tables = sorted({t for _, found in by_step for t in found})
    filled = [(s, t) for s, found in by_step if isinstance(s, Backfill) for t in found]
    read = {t for _, t in filled} | {t for s, found in by_step if _reads(s) for t in found}
    oids, parts = _oids(conn, tables)
    space = room(steps)
    observed = any(s.phase in (Phase.OBSERVE, Phase.CUTOVER) for s in steps)
    gone = _found(_DROPPED, texts)
    return _Needs(
        tables=frozenset(tables),
        room=space,
        parts=parts,
        isolates=any("ENABLE ROW LEVEL SECURITY" in text for text in texts),
        cuts_over=observed,
        builds=any(isinstance(s, Change) and not s.transactional for s in steps),
        parameters={
            "oids": oids,
            "read_oids": _oids(conn, sorted(read))[0],
            "filled_oids": _oids(conn, sorted({t for _, t in filled}))[0],
            "silenced_oids": _oids(conn, sorted({t for s, t in filled if s.before}))[0],
            "schemas": sorted({found[-1] for found in _found(_CREATED, texts)} - {"tenantry"}),
            "makes_schemas": any("CREATE SCHEMA " in text for text in texts),
            "made": sorted({name for (name,) in _found(_MADE, texts)}),
            "granted": sorted({name for (name,) in _found(_GRANTED, texts)}),
            "owners": sorted({name for (name,) in _found(_OWNER, texts)}),
            "acted": sorted({name for (name,) in _found(_ACTED, texts)}),
            "built_schemas": [schema for schema, _ in gone],
            "built_names": [name for _, name in gone],
            "tags": sorted({" ".join(filter(None, m.groups())) for t in texts for m in _TAG.finditer(t)}),
            "cuts_over": observed,
            "wal": space.wal,
            "long": LONG,
        },
    )


def _tables(step: Step) -> tuple[QName, ...]:
    return tuple(name for name, _ in step.batches) if isinstance(step, Backfill) else step.tables


def _reads(step: Step) -> bool:
    """Whether a step checks a foreign key, whose rows policies would hide, without lifting them."""
    lifted = any("NO FORCE ROW LEVEL SECURITY" in text for text in step.apply)
    checks = any("VALIDATE CONSTRAINT" in text for text in step.apply)
    return isinstance(step, Change) and checks and len(step.tables) > 1 and not lifted


def _found(pattern: re.Pattern[str], texts: Iterable[str]) -> list[tuple[str, ...]]:
    """The names that a pattern finds, without their quotes."""
    return [
        tuple(name.replace('""', '"') for name in match.groups() if name is not None)
        for text in texts
        for match in pattern.finditer(text)
    ]


def _oids(conn: Conn, tables: Sequence[QName]) -> tuple[list[int], bool]:
    """The tables that are there, with partitions and children, and whether there are any of these."""
    names = {"schemas": [t.schema for t in tables], "names": [t.name for t in tables]}
    rows = _rows(conn, load("preflight_tables"), names)
    return [int(str(oid)) for oid, _ in rows], any(part for _, part in rows)


# Asking


def _rows(
    conn: Conn, query: bytes | sql.Composed, parameters: Mapping[str, object]
) -> list[tuple[object, ...]]:
    with conn.transaction(force_rollback=True):
        conn.execute("SET TRANSACTION READ ONLY")
        conn.execute("SET LOCAL search_path = ''")
        conn.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT}".encode())
        conn.execute(f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT}".encode())
        return conn.execute(query, parameters).fetchall()


def _asked(conn: Conn, name: str, parameters: Mapping[str, object]) -> list[Item]:
    """What a check found; an ``unseen`` item where it could not look."""
    try:
        rows = _rows(conn, load(f"preflight_{name}"), parameters)
    except (psycopg.errors.InsufficientPrivilege, psycopg.OperationalError) as error:
        if conn.closed:
            raise
        said = error.diag.message_primary or str(error)
        return [Item(name, "unseen", name.replace("_", " "), f"could not be looked at: {said}")]
    return [Item(name, level, _short(object_), message) for level, object_, message in rows]  # type: ignore[arg-type]


def _short(name: object) -> str:
    return str(name).removeprefix("public.")


_THEIRS = {
    "hypertable": ("timescaledb", "timescaledb"),
    "pg_dist_partition": ("citus", "citus"),
    "replication_set_table": ("pglogical", "pglogical"),
}


def _taken_over(conn: Conn, needs: _Needs) -> list[Item]:
    """Tables of the plan that an extension with a catalog of its own manages."""
    found = []
    for schema, catalog in _rows(conn, load("preflight_theirs"), {}):
        if catalog == "part_config":
            extension, query = "pg_partman", _PARTMAN.format(schema=sql.Identifier(str(schema)))
        else:
            extension, file = _THEIRS[str(catalog)]
            query = sql.Composed([sql.SQL(load(f"preflight_{file}").decode())])
        found += _managed(conn, extension, query, needs)
    return found


_PARTMAN = sql.SQL(
    "SELECT pg_catalog.split_part(parent_table, '.', 1), pg_catalog.split_part(parent_table, '.', 2)"
    " FROM {schema}.part_config ORDER BY 1, 2"
)


def _managed(conn: Conn, extension: str, query: sql.Composed, needs: _Needs) -> list[Item]:
    try:
        names = {QName(str(schema), str(name)) for schema, name in _rows(conn, query, {})}
    except psycopg.errors.InsufficientPrivilege:
        message = "is installed, and which tables it manages may not be looked at; ask its owner"
        return [Item("extensions", "unseen", f"extension {extension}", message)]
    return [
        Item(
            "extensions",
            "warn",
            display(table),
            f"is managed by extension {extension}, with which Tenantry was not tried; convert a copy first",
        )
        for table in sorted(names & needs.tables)
    ]


# Known bugs of the server


def _concerns(bug: Bug, needs: _Needs, published: bool) -> bool:
    """Whether the plan does what the bug is about."""
    match bug.concern:
        case "isolation":
            return needs.isolates
        case "parts":
            return needs.isolates and needs.parts
        case "cut-over":
            return needs.cuts_over
        case "builds":
            return needs.builds
        case "publication":
            return published


def _version(version: int, needs: _Needs, published: bool) -> Iterator[Item]:
    major, minor = divmod(version, 10000)
    found = [
        Item(
            "version", "warn", f"PostgreSQL {major}.{minor}",
            f"{bug.text}{f' ({bug.cve})' if bug.cve else ''}; update the server to {major}.{bug.fixed[major]} or later",
        )
        for bug in BUGS
        if minor < bug.fixed.get(major, 0) and _concerns(bug, needs, published)
    ]  # fmt: skip
    yield from found or [
        Item("version", "good", f"PostgreSQL {major}.{minor}", "has no known bug that matters here")
    ]


def _disk(space: Room) -> Item:
    """No SQL tells how much room a disk has, whatever the role."""
    message = (
        f"SQL cannot show how much is free; the plan writes at most about {size(space.disk)} of tables and indexes "
        f"and {size(space.wal)} of WAL: look with df on the server that there is room for both"
    )
    return Item("disk", "unseen", "free disk space", message)

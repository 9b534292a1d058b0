"""What protects a trail against whom, as the catalogs have it; nothing is tried and nothing is changed.

The words are those of the tests, where 28 attacks by four roles at three levels each end as said here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
import psycopg.sql
from psycopg.rows import tuple_row

from tenantry.audit.layout import statement
from tenantry.errors import CatalogError
from tenantry.names import QName, display

Word = Literal["blocked", "open", "unknown"]
WHO = ("application", "granted all", "owner", "superuser")


@dataclass(frozen=True, slots=True)
class Facts:
    """What the catalogs say. ``owner_reached``: somebody who is no superuser is the owner, or may become it.

    ``rights`` and ``forges``: the application may change events, or give what makes a forgery; the latter is None
    where there is no such role.
    """

    update: bool
    delete: bool
    truncate: bool
    always: bool
    owner: str
    owner_reached: bool
    schema_owner: str
    schema_reached: bool
    ddl: bool
    rights: bool
    forges: bool | None


@dataclass(frozen=True, slots=True)
class Line:
    """One kind of attack, and how it ends for each of :data:`WHO`."""

    what: str
    ends: tuple[Word, Word, Word, Word]


@dataclass(frozen=True, slots=True)
class Protection:
    """What protects a trail. ``missing`` are guards that a plan makes and that are not there, or are off."""

    table: QName
    facts: Facts
    lines: tuple[Line, ...]
    missing: tuple[str, ...]


def protection(conn: psycopg.Connection[Any], table: QName, app: str | None) -> Protection:
    """Look at a trail. ``app`` is the application's role. Raises CatalogError when there is no such table."""
    with psycopg.Cursor(conn, row_factory=tuple_row) as cursor:
        row = cursor.execute(statement("levels"), {**table._asdict(), "app": app}).fetchone()
    if row is None:
        raise CatalogError(
            f"{display(table)}: there is no such table; `tenantry apply` makes the trail, [audit] table names it"
        )
    facts = Facts(*row)
    return Protection(table, facts, tuple(_lines(facts)), tuple(_missing(facts)))


def _lines(f: Facts) -> Iterator[Line]:
    change = _word(f.update and f.delete)
    app = change if f.rights else "blocked"
    yield Line("change or remove events", (app, change, change, change))
    empty = _word(f.truncate)
    yield Line("TRUNCATE", (empty if f.rights else "blocked", empty, empty, empty))
    yield Line(
        "the same in replication mode", ("blocked", "blocked", "blocked", _word(f.always and f.truncate))
    )
    ddl, apart = _word(f.ddl), _word(f.ddl or not f.owner_reached)
    yield Line("switch guards off, rewrite or hide events", ("blocked", "blocked", apart, ddl))
    yield Line("swallow new events by a trigger", ("blocked", ddl, apart, ddl))
    dropped = _word(f.ddl or not (f.owner_reached or f.schema_reached))
    yield Line("drop the trail or its schema", ("blocked", "blocked", dropped, ddl))
    forged: Word = "unknown" if f.forges is None else _word(not f.forges)
    yield Line("date an event back, forge its login", (forged, "open", _word(not f.owner_reached), "open"))
    yield Line("switch event triggers off first", ("blocked", "blocked", "blocked", "open"))


def _word(blocked: bool) -> Word:
    return "blocked" if blocked else "open"


def _missing(f: Facts) -> Iterator[str]:
    for there, what in ((f.update, "UPDATE"), (f.delete, "DELETE"), (f.truncate, "TRUNCATE")):
        if not there:
            yield f"no guard refuses {what} on every part of the trail; `tenantry plan` makes it"
    if not f.always:
        yield "a guard rests in replication mode; ALTER TABLE … ENABLE ALWAYS TRIGGER …, or `tenantry plan`"


def erase(conn: psycopg.Connection[Any], functions: str, subject: str, tenant: str | None) -> int:
    """Erase what the trail knows of one person; returns of how many events. The events stay, and one is added.

    ``functions`` is the schema of the trail's functions. Raises CatalogError where they are not there or may not be
    called.
    """
    query = psycopg.sql.SQL("SELECT {}(%s, %s)").format(psycopg.sql.Identifier(functions, "erase"))
    try:
        with psycopg.Cursor(conn, row_factory=tuple_row) as cursor:
            row = cursor.execute(query, (subject, tenant)).fetchone()
    except (psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedFunction):
        raise CatalogError(
            f'{functions}.erase(): is not there; set [audit] events = "extended" and apply the plan'
        ) from None
    except psycopg.errors.InsufficientPrivilege:
        raise CatalogError(
            f"{functions}.erase(): role {conn.info.user} may not call it; connect as a superuser, or "
            f"GRANT EXECUTE on it to {conn.info.user}"
        ) from None
    assert row is not None
    return int(row[0])

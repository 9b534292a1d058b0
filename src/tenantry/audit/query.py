"""Reading the trail: by tenant, actor, action, resource, outcome and time, page by page, newest first.

Pages go by the last event of the page before (its time and id), so that they neither skip nor repeat while events
are written. Reading is an event itself.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

import psycopg
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from tenantry.audit import canon
from tenantry.audit import layout as layouts
from tenantry.audit.layout import Layout
from tenantry.audit.source import Row, begin
from tenantry.errors import SpecError
from tenantry.names import QName, display, qualified
from tenantry.report.text import shown

Conn = psycopg.Connection[TupleRow]
ACTION = "audit.read"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events; None does not matter. ``action`` may end in ``*``; ``since`` is included, ``until`` is not."""

    tenant: str | None = None
    actor: str | None = None
    action: str | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Events as text, newest first; ``after`` asks for the next page, None on the last. ``recorded``: as an event."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    after: str | None
    recorded: bool


_COLUMNS = {
    "tenant": "tenant_id", "actor": "actor_id", "action": "action", "resource_type": "resource_type",
    "resource_id": "resource_id", "outcome": "outcome",
}  # fmt: skip


def query(conn: Conn, table: QName, wanted: Filter, most: int = 50, after: str | None = None) -> Page:
    """One page. Raises SpecError for a filter on a column that the trail does not have, and for a bad ``after``."""
    with conn.transaction():
        begin(conn)
        _, layout = layouts.read(conn, table)
        condition, values = where(layout, wanted, after)
        columns = ", ".join(canon.expression(column) for column in layout.columns)
        statement = f"SELECT {columns} FROM {qualified(table)} AS t{condition} ORDER BY t.created_at DESC, t.id DESC LIMIT %(most)s"
        rows = tuple(tuple(row) for row in conn.execute(statement.encode(), values | {"most": most + 1}))
    page, more = rows[:most], len(rows) > most
    return Page(layout.names, page, _token(layout, page[-1]) if more else None, record(conn, table, wanted))


def where(layout: Layout, wanted: Filter, after: str | None) -> tuple[str, dict[str, object]]:
    """The condition of a query with ``t`` as its trail, and its values. Raises SpecError, as :func:`query` does."""
    terms, values = [], {}
    for key, column in _COLUMNS.items():
        value = getattr(wanted, key)
        if value is None:
            continue
        if column not in layout.names:
            raise SpecError(f"{display(layout.table)}: has no column {column} to look for {key} in")
        values[key] = value
        if key == "action" and value.endswith("*"):
            values[key] = value[:-1]
            terms.append(f"pg_catalog.starts_with(t.{column}::text, %({key})s)")
        else:
            terms.append(f"t.{column} = %({key})s")
    if wanted.since is not None:
        terms.append("t.created_at >= %(since)s")
        values["since"] = wanted.since
    if wanted.until is not None:
        terms.append("t.created_at < %(until)s")
        values["until"] = wanted.until
    if after is not None:
        types = {column.name: column.type for column in layout.columns}
        values["at"], values["id"] = _read_token(after)
        terms.append(f"(t.created_at, t.id) < (%(at)s::{types['created_at']}, %(id)s::{types['id']})")
    return (" WHERE " + " AND ".join(terms) if terms else ""), values


def _token(layout: Layout, row: Row) -> str:
    place = [row[layout.names.index(name)] for name in ("created_at", "id")]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _read_token(text: str) -> tuple[str, str]:
    try:
        at, key = json.loads(base64.urlsafe_b64decode(text))
        return str(at), str(key)
    except (ValueError, binascii.Error):
        raise SpecError("--after: not the end of a page; copy what the page before says") from None


def record(conn: Conn, table: QName, wanted: Filter, **more: str) -> bool:
    """Write down that somebody read, and what; False for a role that may not write events, and on a standby."""
    said = {key: str(value) for key, value in asdict(wanted).items() if value is not None} | more
    try:
        conn.execute(
            f"INSERT INTO {qualified(table)} (tenant_id, action, resource_type, metadata) VALUES (%s, %s, %s, %s)".encode(),
            (wanted.tenant, ACTION, table.name, Jsonb(said | {"user": conn.info.user})),
        )
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction):
        return False
    return True


def clock(text: str | None) -> str:
    """A time of an event to the second, for people; one that only the server can write, such as infinity, as it is."""
    plain = re.fullmatch(r"(\d{4,}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|\+00)?( BC)?", text or "")
    return f"{plain[1]} {plain[2]}{plain[3] or ''}" if plain else text or ""


def cells(page: Page) -> Iterator[list[str | None]]:
    """A page for a spreadsheet, names first: a text that begins as a formula does gets an apostrophe before it."""
    for row in (page.columns, *page.rows):
        yield [f"'{text}" if text and text[0] in "=+-@\t\r\n" else text for text in row]


def text(page: Page) -> Iterator[str]:
    """A page for people: a line for each event."""
    for row in page.rows:
        event = {
            name: shown(text) if text is not None else None
            for name, text in zip(page.columns, row, strict=True)
        }
        what = " ".join(filter(None, [event.get("resource_type"), event.get("resource_id")]))
        outcome = event.get("outcome") or ""
        yield "  ".join(
            [
                clock(event["created_at"]),
                f"{event['tenant_id'] or '-':<16}",
                f"{event.get('actor_id') or '-':<16}",
                f"{event.get('action') or '-':<24}",
                f"{outcome:<7}",
                what,
            ]
        ).rstrip()

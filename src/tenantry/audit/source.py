"""Where a verification reads from: a database, or an export. Both give the same things."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import psycopg
from psycopg.rows import TupleRow

from tenantry.audit import canon, era, store
from tenantry.audit import layout as layouts
from tenantry.audit.batch import Subtree
from tenantry.audit.canon import Column
from tenantry.audit.entries import Details
from tenantry.audit.layout import Layout
from tenantry.audit.store import Retired
from tenantry.names import QName, qualified

Conn = psycopg.Connection[TupleRow]
Row = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Stranger:
    """An event that no batch has. ``late``: its transaction had ended when the last batch was sealed; None: unknown."""

    key: str
    late: bool | None


class Source(Protocol):
    """A seal and its trail. What is malformed raises ValueError."""

    def log(self, since: int) -> Iterator[tuple[int, str, str | None]]:
        """Numbers, bodies and details, in order."""

    def checkpoints(self) -> list[tuple[int, str]]:
        """Sizes and notes, smallest first."""

    def layouts(self) -> dict[str, Layout]:
        """By the digest of what is stored."""

    def subtrees(self, batches: Sequence[int]) -> dict[int, list[Subtree]]:
        """Of each of these batches."""

    def retired(self) -> dict[int, list[Retired]]:
        """By the record that says so."""

    def events(self, columns: Sequence[Column], keys: Sequence[str]) -> dict[str, list[Row]] | None:
        """The events of these ids, as the columns' texts; None when a column is not there any more."""

    def strangers(self, last: Details | None) -> Iterator[Stranger]:
        """Events that no batch has."""

    def now(self) -> Layout | None:
        """The layout of the trail now; None where there is no database to ask."""

    def moved(self) -> bool:
        """Whether the trail is in another place than its last era."""


@dataclass(slots=True)
class Live:
    """A database, in a transaction that the caller has begun with :func:`begin`."""

    conn: Conn
    table: QName
    _now: Layout | None = None

    def log(self, since: int) -> Iterator[tuple[int, str, str | None]]:
        """See :class:`Source`; so for what follows."""
        return store.bodies(self.conn, since)

    def checkpoints(self) -> list[tuple[int, str]]:
        return store.checkpoints(self.conn)

    def layouts(self) -> dict[str, Layout]:
        return store.layouts(self.conn)

    def subtrees(self, batches: Sequence[int]) -> dict[int, list[Subtree]]:
        return store.subtrees(self.conn, batches)

    def retired(self) -> dict[int, list[Retired]]:
        return store.retired(self.conn)

    def events(self, columns: Sequence[Column], keys: Sequence[str]) -> dict[str, list[Row]] | None:
        now = {(c.name, c.type) for c in self.now().columns}
        if any((c.name, c.type) not in now for c in columns):
            return None
        names = [c.name for c in columns]
        wanted = ", ".join(canon.expression(column) for column in columns)
        kind = columns[names.index("id")].type
        query = f"SELECT {wanted} FROM {qualified(self.table)} AS t WHERE t.id = ANY (%s::text[]::{kind}[])"
        found: dict[str, list[Row]] = {}
        at = names.index("id")
        for row in self.conn.execute(query.encode(), (list(keys),)):
            found.setdefault(row[at], []).append(tuple(row))
        return found

    def strangers(self, last: Details | None) -> Iterator[Stranger]:
        late = "NULL::boolean"
        if self.now().counts_transactions and last is not None and not self.moved():
            late = "coalesce(pg_catalog.pg_visible_in_snapshot(t.xid, %(snapshot)s::pg_snapshot), true)"
        query = (
            f"SELECT t.id::text, {late} FROM {qualified(self.table)} AS t WHERE NOT EXISTS ("
            "SELECT FROM (SELECT pg_catalog.unnest(s.keys) AS key FROM tenantry_audit.subtrees AS s) AS sealed"
            " WHERE sealed.key = t.id::text) ORDER BY 1"
        )
        with self.conn.cursor(name="tenantry_strangers") as cursor:
            cursor.execute(query.encode(), {"snapshot": last.snapshot if last else "-"})
            for key, was_there in cursor:
                yield Stranger(key, was_there)

    def now(self) -> Layout:
        if self._now is None:
            self._now = layouts.read(self.conn, self.table)[1]
        return self._now

    def moved(self) -> bool:
        last = store.last(self.conn, "era")
        return last is not None and any(
            last.fields.get(key) != value for key, value in era.place(self.conn, self.table).items()
        )


def begin(conn: Conn) -> None:
    """Settings of a transaction that verifies or reads; it must see one moment."""
    for name, value in canon.SETTINGS.items():
        conn.execute("SELECT pg_catalog.set_config(%s, %s, true)", (name, value))

"""An account of the trail for people: who did what and when, what was refused, how it is sealed and protected.

All is read in one transaction that sees one moment. What could not be looked at is said, and that the trail was read
is an event of it, as with every look-up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import psycopg
from psycopg.rows import TupleRow

from tenantry.audit import canon, guards, query, store
from tenantry.audit import layout as layouts
from tenantry.audit.checkpoint import Checkpoint
from tenantry.audit.entries import Entry
from tenantry.audit.guards import Protection
from tenantry.audit.keys import PublicKey
from tenantry.audit.layout import Layout
from tenantry.audit.query import Filter
from tenantry.audit.source import Live, begin
from tenantry.audit.verify import Report, dropped, verify
from tenantry.counts import counted
from tenantry.errors import CatalogError
from tenantry.names import QName, qualified, quote

Conn = psycopg.Connection[TupleRow]
GROUPED = 1000  # lines of each table of counts
REFUSED = 500  # refused attempts, and events of the trail itself, that are listed
_UNITS = (
    (3, "hour"),
    (120, "day"),
    (3700, "month"),
    (110_000, "year"),
)  # for at most so many days; else centuries
_SHOWN = {
    "hour": "YYYY-MM-DD HH24:00",
    "day": "YYYY-MM-DD",
    "month": "YYYY-MM",
    "year": "YYYY",
    "century": "YYYY",
}
# A single time far away would make a drawing of three hundred thousand years.
_DATED = "t.created_at >= '0001-01-01' AND t.created_at < '10000-01-01'"
_LONG = 2000  # characters of a text that are shown


@dataclass(frozen=True, slots=True)
class Span:
    """An hour, day, month or year (UTC): how many events, and how many of them were refused or failed."""

    start: str
    events: int
    refused: int


@dataclass(frozen=True, slots=True)
class Group:
    """Events that have something in common: ``names`` say what, ``last`` is the time of the newest."""

    names: tuple[str | None, ...]
    events: int
    refused: int
    last: str


@dataclass(frozen=True, slots=True)
class Seal:
    """What a verification found; ``why`` there is none. ``sealed`` is when the last batch was."""

    report: Report | None
    why: str
    sealed: str | None = None
    retired: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """What the trail says. Events are mappings of columns, newest first. ``refused`` is None where no event says how
    it ended; ``recorded``: that it was read is an event.
    """

    table: QName
    server: str
    role: str
    when: str
    wanted: Filter
    columns: tuple[str, ...]
    events: int
    refused: int | None
    first: str | None
    last: str | None
    unit: str
    spans: tuple[Span, ...]
    tenants: tuple[Group, ...]
    deeds: tuple[Group, ...]  # by actor and action
    refusals: tuple[Mapping[str, str | None], ...]
    own: tuple[Mapping[str, str | None], ...]
    listed: tuple[Mapping[str, str | None], ...]
    protection: Protection
    seal: Seal
    not_looked_at: tuple[str, ...]
    recorded: bool

    @property
    def good(self) -> bool:
        """Nothing that was looked at speaks against the trail; what was not looked at does not count as good."""
        sealed = self.seal.report is not None and self.seal.report.good
        return sealed and not self.protection.missing


@dataclass(frozen=True, slots=True)
class Keys:
    """What a verification trusts: public keys from elsewhere, and checkpoints of anchors."""

    trusted: tuple[PublicKey, ...] = ()
    anchors: tuple[Checkpoint, ...] = ()


def account(
    conn: Conn,
    table: QName,
    wanted: Filter,
    known: Keys,
    *,
    app: str | None,
    now: datetime,
    most: int = 2000,
    listen: Callable[[int, int], None] = lambda done, total: None,
) -> Account:
    """Read the trail. ``app`` is the application's role, ``most`` the events that are listed one by one.

    ``conn`` is at REPEATABLE READ. Raises CatalogError when there is no such trail, or it cannot be read.
    """
    with conn.transaction():
        begin(conn)
        _, layout = layouts.read(conn, table)
        look = _Look(conn, layout, *query.where(layout, wanted, None))
        totals = look.totals()
        unit, spans = look.spans(totals)
        found = Account(
            table=table, server=_server(conn), role=conn.info.user, when=now.isoformat(timespec="seconds"),
            wanted=wanted, columns=layout.names, events=totals.events, refused=totals.refused, first=totals.first,
            last=totals.last, unit=unit, spans=spans,
            tenants=look.groups("tenant_id") if wanted.tenant is None else (),
            deeds=look.groups("actor_id", "action"),
            refusals=look.events(REFUSED, look.refused) if look.refused else (),
            own=look.events(REFUSED, "pg_catalog.starts_with(t.action::text, 'audit.')"),
            listed=look.events(most), protection=guards.protection(conn, table, app),
            seal=_seal(conn, table, known, listen), not_looked_at=(), recorded=False,
        )  # fmt: skip
    recorded = query.record(conn, table, wanted, report=str(totals.events))
    return replace(found, recorded=recorded, not_looked_at=(*_left(found, known, totals.undated, recorded),))


def _server(conn: Conn) -> str:
    version = conn.info.server_version
    return f"PostgreSQL {version // 10000}.{version % 10000}, database {conn.info.dbname}"


@dataclass(frozen=True, slots=True)
class _Totals:
    """Counts, and the first and last time as text, of those from the year 1 to 9999; ``days`` between them."""

    events: int
    refused: int | None
    first: str | None
    last: str | None
    days: int
    undated: int


@dataclass(frozen=True, slots=True)
class _Look:
    """Questions to the trail under one filter."""

    conn: Conn
    layout: Layout
    where: str
    values: Mapping[str, object]

    @property
    def refused(self) -> str:
        """SQL for "it did not succeed"; empty where no event says."""
        return "t.outcome::text <> 'success'" if "outcome" in self.layout.names else ""

    @property
    def _source(self) -> str:
        return f"FROM {qualified(self.layout.table)} AS t{self.where}"

    @property
    def _refused(self) -> str:
        return f"count(*) FILTER (WHERE {self.refused or 'false'})"

    def _ask(self, statement: str, **more: object) -> list[TupleRow]:
        return self.conn.execute(statement.encode(), {**self.values, **more}).fetchall()

    def totals(self) -> _Totals:
        """Of all events under the filter."""
        dated = f"FILTER (WHERE {_DATED})"
        first, last = f"min(t.created_at) {dated}", f"max(t.created_at) {dated}"
        ((number, refused, earliest, latest, days, placed),) = self._ask(
            f"SELECT count(*), {self._refused}, {_clock(first)}, {_clock(last)},"
            f" coalesce(extract(day FROM {last} - {first}), 0)::bigint, count(*) {dated} {self._source}"
        )
        return _Totals(number, refused if self.refused else None, earliest, latest, days, number - placed)

    def spans(self, totals: _Totals) -> tuple[str, tuple[Span, ...]]:
        """The unit, and each of them from the first event to the last, the empty ones too."""
        if totals.first is None:
            return "day", ()
        unit = next((unit for most, unit in _UNITS if totals.days <= most), "century")
        start = f"pg_catalog.date_trunc('{unit}', t.created_at)::timestamp"
        and_ = "AND" if self.where else "WHERE"
        rows = self._ask(
            f"""
            SELECT pg_catalog.to_char(s, '{_SHOWN[unit]}'), coalesce(n, 0), coalesce(r, 0)
            FROM pg_catalog.generate_series(pg_catalog.date_trunc('{unit}', %(first)s::timestamptz)::timestamp,
                %(last)s::timestamptz::timestamp, '1 {unit}') AS s
            LEFT JOIN (SELECT {start} AS at, count(*) AS n, {self._refused} AS r {self._source}
                {and_} {_DATED} GROUP BY 1) AS found ON found.at = s
            ORDER BY s""",
            first=totals.first,
            last=totals.last,
        )
        return unit, tuple(Span(*row) for row in rows)

    def groups(self, *columns: str) -> tuple[Group, ...]:
        """Counts by columns, the most events first."""
        names = ", ".join(f"t.{quote(column)}::text" for column in columns)
        places = ", ".join(str(n + 1) for n in range(len(columns)))
        rows = self._ask(
            f"SELECT {names}, count(*), {self._refused}, {_clock('max(t.created_at)')}"
            f" {self._source} GROUP BY {places} ORDER BY count(*) DESC, {places} LIMIT {GROUPED}"
        )
        return tuple(Group(tuple(row[:-3]), *row[-3:]) for row in rows)

    def events(self, most: int, condition: str = "") -> tuple[Mapping[str, str | None], ...]:
        """The newest events; of a long text its beginning."""
        columns = ", ".join(f"pg_catalog.left({canon.expression(c)}, {_LONG})" for c in self.layout.columns)
        more = f" {'AND' if self.where else 'WHERE'} {condition}" if condition else ""
        rows = self._ask(
            f"SELECT {columns} {self._source}{more} ORDER BY t.created_at DESC, t.id DESC LIMIT {most}"
        )
        return tuple(dict(zip(self.layout.names, row, strict=True)) for row in rows)


def _clock(time: str) -> str:
    """SQL for a time to the second, as :func:`tenantry.audit.query.clock` writes it."""
    return f"pg_catalog.to_char({time}, 'YYYY-MM-DD HH24:MI:SS' || CASE WHEN {time} < '0001-01-01' THEN ' BC' ELSE '' END)"


def _seal(conn: Conn, table: QName, known: Keys, listen: Callable[[int, int], None]) -> Seal:
    """Verify, and say why not where that is not possible."""
    try:
        with conn.transaction():
            if not store.present(conn):
                gone = dropped(known.trusted, known.anchors)
                never = "there is no seal: the trail was never sealed, or its seal was dropped"
                return Seal(gone, "" if gone is not None else never)
            report = verify(Live(conn, table), known.trusted, known.anchors, listen=listen)
            batch = store.last(conn, "batch")
            return Seal(report, "", batch.fields.get("sealed") if batch else None, tuple(_retired(conn)))
    except (CatalogError, ValueError, psycopg.Error) as error:
        return Seal(None, f"the seal could not be looked at: {str(error).strip().splitlines()[0]}")


def _retired(conn: Conn) -> Iterator[Mapping[str, str]]:
    rows = conn.execute("SELECT body FROM tenantry_audit.log WHERE kind = 'retired' ORDER BY n").fetchall()
    for (body,) in rows:
        yield Entry.parse(body).fields


def _left(found: Account, known: Keys, undated: int, recorded: bool) -> Iterator[str]:
    """What was not looked at."""
    if found.refused is None:
        yield 'refused attempts: a plain trail does not say how an event ended; set [audit] events = "extended"'
    if found.seal.report is None:
        yield found.seal.why
    else:
        if not known.trusted:
            yield "who signs: the public key is the database's own; name it with --public-key"
        if not known.anchors:
            yield "anchors: a cut end, and a change by whoever has the key, would not be seen; name one with --anchor"
        if found.seal.report.unsealed:
            yield f"{found.seal.report.unsealed} events that are not sealed yet: nothing can be said of them"
    if found.protection.facts.forges is None:
        yield "the rights of the application: its role is not known, or not there; give a spec"
    yield from _beyond(found.wanted)
    for what, all_, shown in (
        ("events", found.events, len(found.listed)),
        ("refused attempts", found.refused or 0, len(found.refusals)),
    ):
        if shown < all_:
            yield f"{what}: the newest {shown} of {all_} are listed; `tenantry audit query` reads them all"
    for what, rows, most in (
        ("tenants", found.tenants, GROUPED), ("actors and actions", found.deeds, GROUPED),
        ("events of the trail itself", found.own, REFUSED),
    ):  # fmt: skip
        if len(rows) >= most:
            yield f"{what}: no more than {most} are listed; `tenantry audit query` reads them all"
    if undated:
        yield f"{counted(undated, 'event has', 'events have')} no time from the year 1 to 9999, and in no span"
    if not recorded:
        yield "that this was read: the role may not write events, so the trail does not say it"
    yield "personal data that events name by a digest; what the application does not record; logs of the server"


def _beyond(wanted: Filter) -> Iterator[str]:
    if wanted.tenant is not None:
        yield "events of other tenants, and of none; seal and guards are those of the whole trail"
    if wanted.since is not None:
        yield f"events before {wanted.since.isoformat()}"
    if wanted.until is not None:
        yield f"events from {wanted.until.isoformat()} on"


@dataclass(frozen=True, slots=True)
class Bar:
    """A span as it is drawn: where it begins, how wide it is, how high what succeeded and what did not."""

    span: Span
    x: float
    width: float
    done: float
    lost: float


def chart(spans: Sequence[Span], wide: int = 1100, height: int = 120) -> tuple[Bar, ...]:
    """The bars of the spans; none is too low to be seen."""
    top = max((span.events for span in spans), default=1) or 1
    step = min(max(wide / max(len(spans), 1), 8.0), 44.0)

    def tall(count: int) -> float:
        return max(count * height / top, 2.0) if count else 0.0

    return tuple(
        Bar(span, n * step, step * 0.8, tall(span.events - span.refused), tall(span.refused))
        for n, span in enumerate(spans)
    )

"""The sealer: every committed event goes into exactly one batch, every batch into the log, and the log is signed.

One pass is one transaction, so a sealer that is killed has sealed a batch wholly or not at all. It commits
synchronously before anything leaves the database: a statement about events that a crash then loses would be a false
alarm for ever.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import psycopg
from psycopg import IsolationLevel
from psycopg.rows import TupleRow

from tenantry.audit import anchors, batch, canon, era, select, store, tree
from tenantry.audit import layout as layouts
from tenantry.audit.anchors import Anchor, File
from tenantry.audit.checkpoint import Checkpoint
from tenantry.audit.entries import Details, Entry
from tenantry.audit.keys import PrivateKey
from tenantry.audit.layout import Layout, statement
from tenantry.audit.select import Snapshot
from tenantry.audit.store import Tip
from tenantry.errors import ApplyError, CatalogError, SpecError, TamperError
from tenantry.names import QName

Conn = psycopg.Connection[TupleRow]
BATCH = 65_536  # events in one batch at most; bounds the memory of a pass
LEADER = int.from_bytes(hashlib.sha256(b"tenantry audit sealer").digest()[:8]) >> 1
LEAD_TRIES, LEAD_PAUSE = 40, 0.05  # a server notices a moment late that a sealer was killed
RETRY = 2.0  # seconds before a sealer that runs on tries a lost server again


@dataclass(frozen=True, slots=True)
class Sealed:
    """What one pass did. ``checkpoint`` is the last there is, also after a pass that had nothing to seal.

    ``era`` says why a new one was opened; ``unanchored`` holds a sentence for each anchor that did not take it.
    """

    events: int
    batches: tuple[int, ...]
    checkpoint: Checkpoint
    era: str | None = None
    unanchored: tuple[str, ...] = ()


@dataclass(slots=True)
class Sealer:
    """A connection that leads. Not for two threads."""

    conn: Conn
    table: QName
    key: PrivateKey
    anchors: Sequence[Anchor] = ()
    floor: str | None = None  # of the pass before, in this process
    published: dict[Anchor, int] = field(default_factory=dict)

    def once(self, reason: str | None = None) -> Sealed:
        """Seal what is committed and not sealed yet, and hand the checkpoint to the anchors.

        ``reason``: go on, in a new era, although the anchors know of more than the log holds.
        Raises TamperError when the log is not the one that was signed, and when the anchors know of more.
        """
        floor = _value(self.conn, "seal_floor")
        with self.conn.transaction():
            settings(self.conn)
            tip = store.tip(self.conn)
            self.check(tip)
            # Others are asked once: each look at a bucket is a request, and then this process is the one that writes.
            asked = [a for a in self.anchors if isinstance(a, File) or a not in self.published]
            lost = anchors.ahead(asked, tip.checkpoint if tip else None, self.conn, self.key.public)
            if lost is not None and era.declared(self.conn, lost):
                lost = None  # and then the sealer was ended before the anchor had the new checkpoint
            if lost is not None and reason is None:
                raise _rewritten(lost, tip)
            done = self._pass(tip, floor, lost, reason)
        self.floor = floor
        return self._published(done)

    def check(self, tip: Tip | None) -> None:
        """Raise unless the end of the log is signed by this key: it must not bless what somebody else wrote."""
        if tip is None:
            return
        last = store.last(self.conn, "key")
        if last is None or last.fields.get("key") != str(self.key.public):
            raise SpecError(
                f"the log is signed by another key ({last.fields.get('key') if last else 'none'}); use that key, "
                "or `tenantry audit rotate` to go on with this one"
            )
        if tip.checkpoint.origin != self.key.public.name or not tip.checkpoint.signed_by(self.key.public):
            raise TamperError(
                f"the checkpoint of size {tip.checkpoint.size} is not signed by {self.key.public.name}: the log of "
                "the seal was changed; `tenantry audit verify` says more"
            )

    def _pass(
        self, tip: Tip | None, floor: str | None, lost: Checkpoint | None, reason: str | None
    ) -> Sealed:
        _, layout = layouts.read(self.conn, self.table)
        writing = Writing(self.conn, tip)
        opened = era.open_if_needed(writing, self.conn, self.table, lost, reason)
        if tip is None:
            writing.add("key", {"key": str(self.key.public)})
        previous = store.last_batch(self.conn)
        before = None
        if previous is not None and not opened:
            before = Snapshot(previous.snapshot)
            if previous.by != _rule(layout):
                before = None  # what was sealed by one rule is looked up when the other begins
        batches, events = self._batches(writing, layout, before, floor, previous)
        if not writing.grown:
            assert tip is not None
            return Sealed(0, (), tip.checkpoint)
        return Sealed(events, batches, writing.sign([self.key]), opened)

    def _batches(
        self,
        writing: Writing,
        layout: Layout,
        before: Snapshot | None,
        floor: str | None,
        last: Details | None,
    ) -> tuple[tuple[int, ...], int]:
        """Write the batches of a pass; an empty one where only the layout is another."""
        now = select.current(self.conn)
        details = Details(
            era=writing.era,
            snapshot=now.text,
            previous=before.text if before else "-",
            by=_rule(layout),
            layout=layout.digest,
            floor=(self.floor or (last.open if last else "-")) if before else "-",
            open=floor or "-",
            seed="-",
        )
        numbers, count = [], 0
        for events in _chunks(select.events(self.conn, layout, now, before), layout):
            numbers.append(writing.batch(details, events))
            count += sum(len(rows) for rows in events.values())
        if not numbers and (last is None or last.layout != layout.digest):
            numbers.append(writing.batch(details, {}))
        if numbers:
            store.write_layout(self.conn, layout)
        return tuple(numbers), count

    def _published(self, done: Sealed) -> Sealed:
        """Hand the last checkpoint to each anchor that does not have it."""
        failed = []
        for anchor in self.anchors:
            if self.published.get(anchor, -1) >= done.checkpoint.size:
                continue
            try:
                if not anchors.has(anchor, done.checkpoint):
                    anchors.publish(anchor, done.checkpoint)
                self.published[anchor] = done.checkpoint.size
            except ApplyError as error:
                failed.append(str(error))
        return Sealed(done.events, done.batches, done.checkpoint, done.era, tuple(failed))


@dataclass(slots=True)
class Writing:
    """The log while a transaction adds to it."""

    conn: Conn
    tip: Tip | None
    frontier: tree.Frontier = field(init=False)
    era: str = "-"

    def __post_init__(self) -> None:
        self.frontier = self.tip.frontier if self.tip else tree.Frontier()

    @property
    def grown(self) -> bool:
        """Whether anything was added."""
        return self.frontier.size > (self.tip.frontier.size if self.tip else 0)

    def add(self, kind: str, fields: dict[str, str], **stored: object) -> int:
        """Add a record; returns its number."""
        entry = Entry(kind, self.frontier.size, fields)  # type: ignore[arg-type]
        store.append(self.conn, entry, **stored)  # type: ignore[arg-type]
        self.frontier = self.frontier.add(entry.leaf)
        return entry.n

    def batch(self, details: Details, events: dict[str | None, list[tuple[str, bytes]]]) -> int:
        """Add a batch of events; returns its number."""
        details = replace(details, seed=os.urandom(32).hex())
        subtrees = batch.arrange(events, details.secret)
        root = tree.root(batch.places(details.secret, subtrees))
        fields = {
            "sealed": clock(self.conn),
            "details": details.digest,
            "root": base64.b64encode(root).decode(),
        }
        return self.add("batch", fields, details=details, subtrees=subtrees)

    def sign(self, keys: Sequence[PrivateKey]) -> Checkpoint:
        """Sign what the log is now, and keep it."""
        point = Checkpoint(keys[0].public.name, self.frontier.size, self.frontier.root).signed(keys)
        store.write_checkpoint(self.conn, point, self.frontier)
        return point


def _chunks(
    rows: Iterator[list[str | None]], layout: Layout
) -> Iterator[dict[str | None, list[tuple[str, bytes]]]]:
    """Events by tenant, as ids and leaf hashes, not more than a batch takes at a time."""
    key, tenant = layout.names.index("id"), layout.names.index("tenant_id")
    found: dict[str | None, list[tuple[str, bytes]]] = {}
    for count, row in enumerate(rows, 1):
        found.setdefault(row[tenant], []).append((row[key] or "", canon.leaf(layout.names, row)))
        if count % BATCH == 0:
            yield found
            found = {}
    if found:
        yield found


def _rule(layout: Layout) -> str:
    return "xid" if layout.counts_transactions else "xmin"


def clock(conn: Conn) -> str:
    """The server's time now, as events have it."""
    query = """SELECT pg_catalog.to_char(pg_catalog.clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    ((text,),) = conn.execute(query.encode()).fetchall()
    return str(text)


def _value(conn: Conn, name: str) -> str | None:
    ((value,),) = conn.execute(statement(name)).fetchall()
    return value if value is None else str(value)


def settings(conn: Conn) -> None:
    """For this transaction: texts that do not depend on the session, and a commit that is on disk."""
    for name, value in canon.SETTINGS.items():
        conn.execute("SELECT pg_catalog.set_config(%s, %s, true)", (name, value))
    conn.execute(
        "SELECT pg_catalog.set_config('synchronous_commit', 'on', true)"
        " WHERE pg_catalog.current_setting('synchronous_commit') IN ('off', 'local')"
    )


def _rewritten(lost: Checkpoint, tip: Tip | None) -> TamperError:
    return TamperError(
        f"an anchor knows a log of {lost.size} records, and this one has {tip.checkpoint.size if tip else 0} or "
        "others: it was cut, rewritten, or restored from an older copy. Look with `tenantry audit verify`; after a "
        "restore go on with `tenantry audit seal --restored REASON`, which the log then says for ever"
    )


@contextlib.contextmanager
def leading(
    dsn: str, table: QName, key: PrivateKey, anchored: Sequence[Anchor] = (), *, wait: bool = False
) -> Iterator[Sealer]:
    """A sealer that no other runs beside. ``wait``: until the other ends, else ApplyError after two seconds."""
    try:
        conn = psycopg.connect(dsn, autocommit=True, application_name="tenantry audit seal")
    except psycopg.Error as error:
        raise CatalogError(f"cannot connect: {str(error).strip()}") from error
    with contextlib.closing(conn):
        for setting in ("client_encoding = 'UTF8'", "statement_timeout = 0", "lock_timeout = 0"):
            conn.execute(f"SET {setting}".encode())
        tries = 0
        while conn.execute("SELECT pg_catalog.pg_try_advisory_lock(%s)", (LEADER,)).fetchone() != (True,):
            tries += 1
            if not wait and tries > LEAD_TRIES:
                raise ApplyError(
                    "another sealer runs in this database; one is enough, and two would wait for each other"
                )
            time.sleep(LEAD_PAUSE)
        store.ensure(conn)
        conn.isolation_level = IsolationLevel.REPEATABLE_READ
        yield Sealer(conn, table, key, anchored)


def seal(
    dsn: str, table: QName, key: PrivateKey, anchored: Sequence[Anchor] = (), reason: str | None = None
) -> Sealed:
    """One pass, as :meth:`Sealer.once`."""
    with leading(dsn, table, key, anchored) as sealer:
        return sealer.once(reason)


def run(
    dsn: str,
    table: QName,
    key: PrivateKey,
    anchored: Sequence[Anchor],
    every: float,
    stop: Callable[[], bool],
    tell: Callable[[Sealed | psycopg.Error | CatalogError], None],
) -> None:
    """Seal every so many seconds until ``stop``; a server that is lost is tried again. Raises TamperError."""
    while not stop():
        try:
            with leading(dsn, table, key, anchored, wait=True) as sealer:
                while not stop():
                    begun = time.monotonic()
                    tell(sealer.once())
                    _pause(every - (time.monotonic() - begun), stop)
        except (psycopg.OperationalError, CatalogError) as error:
            tell(error)
            _pause(RETRY, stop)


def _pause(seconds: float, stop: Callable[[], bool]) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and not stop():
        time.sleep(min(left, 0.05))

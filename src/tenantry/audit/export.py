"""Exports: a directory that an outsider verifies without the database and without Tenantry.

    manifest.json        what is there, the layouts, the last checkpoint; written anew after each part
    log.jsonl            the whole log, with the details of each batch
    events-0000000002-0000000451.jsonl.gz …   the events of so many records of the log, in sealed order

An export that is run again goes on where it stopped; so the same directory is an archive that grows, and the
manifest's ``next`` a cursor.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from tenantry.audit import files, ocsf, store
from tenantry.audit.reading import Event, Record, records
from tenantry.audit.source import Live, begin
from tenantry.errors import SpecError
from tenantry.names import QName, spell

Conn = psycopg.Connection[TupleRow]
FORMAT = "tenantry/export/v1"
PART = 100_000  # events in a file, about


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export holds now: events and records of the log in all its files; ``added`` by this run."""

    directory: Path
    kind: str
    events: int
    added: int
    records: int
    bytes: int


@dataclass(slots=True)
class _Export:
    directory: Path
    manifest: dict[str, Any]
    part: int
    listen: Callable[[int, int], None]
    waiting: list[Record] = field(default_factory=list)
    added: int = 0

    @property
    def kind(self) -> str:
        return str(self.manifest["kind"])

    def add(self, record: Record) -> None:
        """Take a record; write a part when it is full, or when the columns are others from here on."""
        batches = [r for r in self.waiting if r.details is not None]
        if batches and record.details is not None and record.columns != batches[-1].columns:
            self.write()
        self.waiting.append(record)
        if sum(len(r.events) for r in self.waiting) >= self.part or len(self.waiting) >= self.part:
            self.write()

    def write(self) -> None:
        """Write what waits: events, then the log, then the manifest that makes both count."""
        if not self.waiting:
            return
        first, last = self.waiting[0].entry.n, self.waiting[-1].entry.n
        events = [event for record in self.waiting for event in record.events if event.row is not None]
        if events:
            names = next(record.names for record in self.waiting if record.events)
            name = f"events-{first:010}-{last:010}.{files.SUFFIX[self.kind]}"
            lines = self._ocsf() if self.kind == "ocsf" else (_line(event) for event in events)
            digest = files.write(self.directory / name, self.kind, (*files.PLACES, *names), lines)
            self.manifest["files"].append(
                {"name": name, "sha256": digest, "records": [first, last], "events": len(events)}
            )
        self._log()
        self.manifest["next"] = last + 1
        self.manifest["events"] += len(events)
        self.added += len(events)
        _replace(
            self.directory / "manifest.json", json.dumps(self.manifest, indent=1, ensure_ascii=False) + "\n"
        )
        self.listen(last + 1, 0)
        self.waiting.clear()

    def _ocsf(self) -> Iterator[tuple[str]]:
        for record in self.waiting:
            for event in record.events:
                if event.row is not None:
                    yield (
                        json.dumps(
                            ocsf.event(record.names, event), ensure_ascii=False, separators=(",", ":")
                        ),
                    )

    def _log(self) -> None:
        """Append to the log; what a run that broke off appended and no manifest counts is cut off before."""
        with (self.directory / "log.jsonl").open("ab") as file:
            file.truncate(self.manifest["log"]["bytes"])
            file.seek(0, os.SEEK_END)
            for record in self.waiting:
                file.write(
                    json.dumps(_entry(record), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
                )
            file.flush()
            os.fsync(file.fileno())
            self.manifest["log"]["bytes"] = file.tell()
        newest = next((r.checkpoint for r in reversed(self.waiting) if r.checkpoint is not None), None)
        if newest is not None:
            self.manifest["checkpoint"] = str(newest)


def export(
    conn: Conn,
    table: QName,
    directory: Path,
    kind: str = "jsonl",
    *,
    first: int = 0,
    part: int = PART,
    listen: Callable[[int, int], None] = lambda done, total: None,
) -> Exported:
    """Write what is sealed and not in the directory yet.

    ``first``: in a new directory, the record of the log from which on events are written; the log is always whole.
    ``conn`` is at REPEATABLE READ. Raises SpecError for a directory that holds something else.
    """
    manifest = _manifest(directory, table, kind, first)
    work = _Export(directory, manifest, part, listen)
    with conn.transaction():
        begin(conn)
        store.require(conn)
        live = Live(conn, table)
        layouts = {digest: layout.to_json() for digest, layout in live.layouts().items()}
        tip = store.tip(conn)
        manifest["layouts"] = layouts
        size = tip.checkpoint.size if tip else 0
        work.listen = lambda done, _: listen(done, size)
        for record in records(live, manifest["next"]):
            work.add(_without_events(record) if record.entry.n < first else record)
        work.write()
    held = sum((directory / part["name"]).stat().st_size for part in manifest["files"])
    return Exported(directory, kind, manifest["events"], work.added, manifest["next"], held)


def _without_events(record: Record) -> Record:
    return Record(record.entry, record.body, record.checkpoint, record.details, record.columns)


def _manifest(directory: Path, table: QName, kind: str, first: int) -> dict[str, Any]:
    """The manifest that is there, or a new one."""
    path = directory / "manifest.json"
    directory.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        if (
            any(not p.name.startswith(".") for p in directory.iterdir())
            and not (directory / "log.jsonl").exists()
        ):
            raise SpecError(f"{directory}: holds other files; name an empty directory")
        return {
            "format": FORMAT, "table": spell(table), "kind": kind, "first": first, "next": 0, "events": 0,
            "checkpoint": None, "log": {"name": "log.jsonl", "bytes": 0}, "files": [], "layouts": {},
        }  # fmt: skip
    manifest = read_manifest(directory)
    for key, value in (("table", spell(table)), ("kind", kind)):
        if manifest[key] != value:
            raise SpecError(
                f"{directory}: is an export of {key} {manifest[key]}, not {value}; name another directory"
            )
    return manifest


def read_manifest(directory: Path) -> dict[str, Any]:
    """The manifest of an export. Raises SpecError."""
    path = directory / "manifest.json"
    try:
        found = json.loads(path.read_bytes())
        if found["format"] != FORMAT:
            raise ValueError(f"format {found['format']}")
    except OSError as error:
        raise SpecError(
            f"{path}: cannot be read ({error.strerror}); `tenantry audit export` makes it"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise SpecError(f"{path}: not the manifest of an export ({error})") from None
    return dict(found)


def _line(event: Event) -> Sequence[str | None]:
    assert event.row is not None
    return (str(event.batch), str(event.place), str(event.position), event.leaf.hex(), *event.row)


def _entry(record: Record) -> dict[str, Any]:
    """A line of the log. Events that are not in the trail any more are named there, with their hashes."""
    found: dict[str, Any] = {"n": record.entry.n, "body": record.body}
    if record.details is not None:
        found["details"] = record.details.text
        found["missing"] = [
            [e.place, e.position, e.tenant, e.key, e.leaf.hex()] for e in record.events if e.row is None
        ]
    if record.retired:
        found["retired"] = [[r.batch, r.place, list(r.positions)] for r in record.retired]
    if record.checkpoint is not None:
        found["checkpoint"] = str(record.checkpoint)
    return found


def _replace(path: Path, text: str) -> None:
    """Write a file wholly or not at all."""
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)

"""An export as the source of a verification: no database, only the files and a public key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tenantry.audit import checkpoint, files
from tenantry.audit.batch import Subtree
from tenantry.audit.canon import Column
from tenantry.audit.entries import Details
from tenantry.audit.export import read_manifest
from tenantry.audit.layout import Layout
from tenantry.audit.source import Row, Stranger
from tenantry.audit.store import Retired
from tenantry.errors import SpecError, TamperError


@dataclass(slots=True)
class Archive:
    """An export, opened by :func:`open_export`. Only the file that is looked at is in memory."""

    directory: Path
    manifest: dict[str, Any]
    lines: list[dict[str, Any]]
    loaded: str = ""
    held: dict[int, list[dict[str, str | None]]] = field(default_factory=dict)
    by_key: dict[str, list[dict[str, str | None]]] = field(default_factory=dict)

    def log(self, since: int) -> Iterator[tuple[int, str, str | None]]:
        """See :class:`~tenantry.audit.source.Source`; so for what follows."""
        for line in self.lines[since:]:
            yield line["n"], line["body"], line.get("details")

    def checkpoints(self) -> list[tuple[int, str]]:
        return [(line["n"] + 1, line["checkpoint"]) for line in self.lines if "checkpoint" in line]

    def layouts(self) -> dict[str, Layout]:
        found = [Layout.from_json(text) for text in self.manifest["layouts"].values()]
        return {layout.digest: layout for layout in found}

    def subtrees(self, batches: Sequence[int]) -> dict[int, list[Subtree]]:
        self.by_key, found = {}, {}
        for n in batches:
            if n >= self.manifest["first"]:
                found[n] = self._subtrees(n)
        return found

    def _subtrees(self, n: int) -> list[Subtree]:
        places: dict[int, dict[int, tuple[str, bytes]]] = {}
        tenants: dict[int, str | None] = {}
        for row in self._rows(n):
            place, key = int(row["seal.place"] or -1), row["id"] or ""
            leaf = bytes.fromhex(row["seal.leaf"] or "")
            places.setdefault(place, {})[int(row["seal.position"] or -1)] = (key, leaf)
            tenants.setdefault(place, row["tenant_id"])
            self.by_key.setdefault(key, []).append(row)
        for place, position, tenant, key, leaf in self.lines[n]["missing"]:
            tenants[place] = tenant
            places.setdefault(place, {})[position] = (key, bytes.fromhex(leaf))
        return [
            Subtree(place, tenants.get(place), tuple(leaf for _, leaf in rows), tuple(key for key, _ in rows))
            for place, found in sorted(places.items())
            if (rows := [found[position] for position in sorted(found)])
        ]

    def _rows(self, n: int) -> list[dict[str, str | None]]:
        """The events of a batch, from the file that has it."""
        for part in self.manifest["files"]:
            first, last = part["records"]
            if first <= n <= last:
                if self.loaded != part["name"]:
                    self._load(part)
                return self.held.get(n, [])
        return []

    def _load(self, part: dict[str, Any]) -> None:
        path = self.directory / part["name"]
        self.loaded, self.held = part["name"], {}
        for row in files.read(path, self.manifest["kind"]):
            self.held.setdefault(int(row["seal.batch"] or -1), []).append(row)

    def retired(self) -> dict[int, list[Retired]]:
        return {
            line["n"]: [
                Retired(batch, place, tuple(positions)) for batch, place, positions in line["retired"]
            ]
            for line in self.lines
            if "retired" in line
        }

    def events(self, columns: Sequence[Column], keys: Sequence[str]) -> dict[str, list[Row]] | None:
        names = [column.name for column in columns]
        rows = {key: self.by_key.get(key, []) for key in keys}
        if any(name not in row for found in rows.values() for row in found for name in names):
            return None
        return {key: [tuple(row[name] for name in names) for row in found] for key, found in rows.items()}

    def strangers(self, last: Details | None) -> Iterator[Stranger]:
        return iter(())

    def now(self) -> Layout | None:
        return None

    def moved(self) -> bool:
        return False


def open_export(directory: Path) -> Archive:
    """An export to verify. Raises SpecError when it is none, or was made for other programs."""
    manifest = read_manifest(directory)
    if manifest["kind"] == "ocsf":
        raise SpecError(
            f"{directory}: OCSF is for other programs to read; verify an export as jsonl, csv or parquet"
        )
    path = directory / manifest["log"]["name"]
    try:
        data = path.read_bytes()[: manifest["log"]["bytes"]]
        lines = [json.loads(line) for line in data.splitlines()]
        ordered = [line["n"] for line in lines] == list(range(len(lines)))
    except OSError as error:
        raise SpecError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError) as error:
        raise TamperError(f"{path}: not the log of an export ({error})") from None
    if not ordered:
        raise TamperError(f"{path}: records are missing or not in order")
    return Archive(directory, manifest, lines)


def contents(archive: Archive) -> None:
    """Raise TamperError when a file is not the one that the manifest names, or the manifest's checkpoint is not the log's.

    Only a quick look, for a transfer that went wrong: whoever changes files can change the manifest.
    """
    for part in archive.manifest["files"]:
        path = archive.directory / part["name"]
        if not path.exists():
            raise TamperError(f"{path}: is in the manifest and not there")
        if files.digest(path) != part["sha256"]:
            raise TamperError(f"{path}: is not the file that the manifest names; copy it again")
    noted = archive.manifest["checkpoint"]
    last = archive.checkpoints()[-1:]
    if noted is not None and (not last or checkpoint.parse(noted).size != last[0][0]):
        raise TamperError(f"{archive.directory}: the log ends before the checkpoint of its manifest")

"""Anchors: where checkpoints are kept outside the database, so that nobody can take back what was signed.

An anchor gets the last checkpoint after it is committed. It must be somewhere the administrators of the database
do not write: another host, an object store with a lock, another company.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.rows import TupleRow

from tenantry.audit import checkpoint, objectstore, store
from tenantry.audit.checkpoint import Checkpoint
from tenantry.audit.keys import PublicKey
from tenantry.errors import ApplyError, SpecError

Conn = psycopg.Connection[TupleRow]
TIMEOUT = 30.0  # seconds that a command or a server may take
TAIL = 65_536  # bytes, far more than one checkpoint has
_NOTE = re.compile(r"^[^\n]+\n\d+\n[A-Za-z0-9+/=]+\n\n(?:— [^\n]+\n)+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class File:
    """A file that checkpoints are appended to, each on disk before it counts."""

    path: Path

    def __str__(self) -> str:
        return f"file {self.path}"


@dataclass(frozen=True, slots=True)
class Command:
    """A program that reads a checkpoint from standard input and exits with 0. No shell is involved."""

    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return f"command {self.arguments[0]}"


@dataclass(frozen=True, slots=True)
class Put:
    """An HTTP PUT; ``{size}`` in the URL is the size of the log, so that no checkpoint replaces another."""

    url: str

    def __str__(self) -> str:
        return f"PUT {self.url}"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket of an object store, and what the names of its objects begin with."""

    name: str
    prefix: str

    def __str__(self) -> str:
        return f"s3://{self.name}/{self.prefix}"


Anchor = File | Command | Put | Bucket


def parse(text: str) -> Anchor:
    """``file:PATH`` (or a path), ``command:PROGRAM ARGUMENT …``, ``https://…``, ``s3://BUCKET/PREFIX``. Raises SpecError."""
    if text.startswith(("http://", "https://")):
        return Put(text)
    if text.startswith("command:"):
        arguments = tuple(shlex.split(text.removeprefix("command:")))
        if arguments:
            return Command(arguments)
    elif text.startswith("s3://"):
        bucket, _, prefix = text.removeprefix("s3://").partition("/")
        if bucket:
            return Bucket(bucket, prefix)
    elif path := text.removeprefix("file:"):
        return File(Path(path))
    raise SpecError(
        f"anchor {text!r}: say file:PATH, command:PROGRAM ARGUMENT, https://HOST/PATH or s3://BUCKET/PREFIX"
    )


def publish(anchor: Anchor, point: Checkpoint) -> None:
    """Hand a checkpoint to an anchor. Raises ApplyError when it did not take it."""
    try:
        match anchor:
            case File(path):
                _append(path, str(point))
            case Command(arguments):
                subprocess.run(
                    arguments, input=str(point).encode(), check=True, capture_output=True, timeout=TIMEOUT
                )
            case Put(url):
                _put(url.replace("{size}", str(point.size)), str(point).encode())
            case Bucket(bucket, prefix):
                objectstore.put(bucket, prefix, point)
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()
        raise ApplyError(_refused(anchor, point, f"exit {error.returncode}: {said}")) from error
    except (OSError, subprocess.SubprocessError, urllib.error.URLError, ApplyError) as error:
        raise ApplyError(_refused(anchor, point, str(error))) from error


def _refused(anchor: Anchor, point: Checkpoint, reason: str) -> str:
    return (
        f"{anchor}: did not take the checkpoint of size {point.size} ({reason}); it is sealed in the database, "
        "and goes to the anchor with the next run"
    )


def _append(path: Path, note: str) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        end = os.lseek(descriptor, 0, os.SEEK_END)
        whole = end == 0 or os.pread(descriptor, 2, max(end - 2, 0)) == b"\n\n"
        data = ("" if whole else "\n\n").encode() + note.encode() + b"\n"
        while data:
            data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _put(url: str, body: bytes) -> None:
    request = urllib.request.Request(  # noqa: S310 - parse() lets only http and https through
        url, data=body, method="PUT", headers={"Content-Type": "text/plain; charset=utf-8"}
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT):  # noqa: S310
        pass


def read(path: Path, tail: int | None = None) -> list[Checkpoint]:
    """The checkpoints of a file, in its order; a piece left by a crash is no checkpoint. Raises SpecError.

    ``tail``: only those in so many bytes at the end.
    """
    try:
        with path.open("rb") as file:
            if tail is not None:
                file.seek(max(file.seek(0, os.SEEK_END) - tail, 0))
            text = file.read().decode(errors="replace")
    except OSError as error:
        raise SpecError(
            f"{path}: checkpoints cannot be read ({error.strerror}); name the anchor's file"
        ) from None
    found = []
    for piece in _NOTE.finditer(text):
        with contextlib.suppress(ValueError):
            found.append(checkpoint.parse(piece[0]))
    return found


def has(anchor: Anchor, point: Checkpoint) -> bool:
    """Whether an anchor that can be read holds a checkpoint of that size and root already."""
    match anchor:
        case File(path) if path.exists():
            return any(
                (p.origin, p.size, p.root) == (point.origin, point.size, point.root)
                for p in read(path, TAIL)[-1:]
            )
    return False


def ahead(found: Sequence[Anchor], tip: Checkpoint | None, conn: Conn, key: PublicKey) -> Checkpoint | None:
    """A checkpoint of the readable anchors that is signed by the key and with which the log does not agree.

    Of a file the last one is looked at, of a bucket those that are not smaller than the log.
    """
    for anchor in found:
        match anchor:
            case File(path) if path.exists():
                ours = [point for point in read(path, TAIL) if point.origin == key.name]
                if ours and ours[-1].signed_by(key) and not _agrees(ours[-1], tip, conn):
                    return ours[-1]
            case Bucket(bucket, prefix):
                for point in objectstore.read(bucket, prefix, above=tip.size - 1 if tip else -1):
                    if point.origin == key.name and point.signed_by(key) and not _agrees(point, tip, conn):
                        return point
    return None


def _agrees(point: Checkpoint, tip: Checkpoint | None, conn: Conn) -> bool:
    if tip is None or point.size > tip.size:
        return False
    known = tip if point.size == tip.size else store.note_at(conn, point.size)
    return known is not None and known.root == point.root

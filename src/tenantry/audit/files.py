"""The files of an export: events as JSON lines, CSV or Parquet, in the text that was hashed."""

from __future__ import annotations

import gzip
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tenantry.errors import SpecError, TenantryError

if TYPE_CHECKING:
    import duckdb

# What stands before the columns of the trail. The names cannot be those of columns by chance.
PLACES = ("seal.batch", "seal.place", "seal.position", "seal.leaf")
SUFFIX = {"jsonl": "jsonl.gz", "csv": "csv.gz", "parquet": "parquet", "ocsf": "ocsf.jsonl.gz"}
Line = Sequence[str | None]

_CELL = re.compile(r'(?:"((?:[^"]|"")*)")?([,\n])')


def write(path: Path, kind: str, names: Sequence[str], lines: Iterable[Line]) -> str:
    """Write a file at once or not at all; returns its SHA-256, hexadecimal."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as temporary:
        try:
            match kind:
                case "jsonl":
                    _zip(temporary, (_json(names, line) for line in lines))
                case "ocsf":
                    _zip(temporary, (f"{line[0]}\n" for line in lines))
                case "csv":
                    _zip(temporary, (_csv(line) for line in (names, *lines)))
                case _:
                    _parquet(Path(temporary.name), names, lines)
            temporary.flush()
            os.fsync(temporary.fileno())
            os.chmod(temporary.name, 0o640)
            os.replace(temporary.name, path)
        except BaseException:
            Path(temporary.name).unlink(missing_ok=True)
            raise
    return digest(path)


def digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    found = sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            found.update(piece)
    return found.hexdigest()


def _zip(file: IO[bytes], lines: Iterator[str]) -> None:
    with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
        for line in lines:
            packed.write(line.encode())


def _json(names: Sequence[str], line: Line) -> str:
    return json.dumps(dict(zip(names, line, strict=True)), ensure_ascii=False, separators=(",", ":")) + "\n"


def _csv(line: Line) -> str:
    """Every text in quotes, so that an empty one is told from NULL."""
    return ",".join("" if v is None else '"' + v.replace('"', '""') + '"' for v in line) + "\n"


def _duckdb() -> duckdb.DuckDBPyConnection:
    try:
        import duckdb
    except ImportError:
        raise TenantryError(
            "Parquet needs the package duckdb; pip install 'tenantry[parquet]', or choose jsonl or csv"
        ) from None
    return duckdb.connect()


def _parquet(path: Path, names: Sequence[str], lines: Iterable[Line]) -> None:
    with tempfile.NamedTemporaryFile(suffix=".csv", dir=path.parent) as plain, _duckdb() as db:
        for line in (names, *lines):
            plain.write(_csv(line).encode())
        plain.flush()
        db.execute(
            f"COPY ({_read_csv(plain.name, names)}) TO {_text(str(path))} (FORMAT parquet, COMPRESSION zstd)"
        )


def _read_csv(name: str, names: Sequence[str]) -> str:
    columns = ", ".join(f"{_text(column)}: 'VARCHAR'" for column in names)
    return (
        f"SELECT * FROM read_csv({_text(name)}, header = true, delim = ',', quote = '\"', escape = '\"', nullstr = '', "
        f"allow_quoted_nulls = false, auto_detect = false, new_line = '\\n', max_line_size = 1000000000, columns = {{{columns}}})"
    )


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def read(path: Path, kind: str) -> Iterator[dict[str, str | None]]:
    """The lines of a file by name. Raises SpecError for one that is not in the format, OSError for none."""
    try:
        match kind:
            case "jsonl":
                with gzip.open(path, "rt", encoding="utf-8") as file:
                    for text in file:
                        yield json.loads(text)
            case "csv":
                lines = _cells(gzip.decompress(path.read_bytes()).decode())
                names = [name or "" for name in next(lines)]
                for line in lines:
                    yield dict(zip(names, line, strict=True))
            case "parquet":
                yield from _rows(path)
            case _:
                raise SpecError(f"{path}: {kind} is for other programs to read; verify jsonl, csv or parquet")
    except (ValueError, EOFError, gzip.BadGzipFile, StopIteration) as error:
        raise SpecError(f"{path}: not a file of an export ({error})") from error


def _cells(text: str) -> Iterator[list[str | None]]:
    line: list[str | None] = []
    at = 0
    while at < len(text):
        cell = _CELL.match(text, at)
        if cell is None:
            raise ValueError(f"character {at}")
        line.append(None if cell[1] is None else cell[1].replace('""', '"'))
        at = cell.end()
        if cell[2] == "\n":
            yield line
            line = []


def _rows(path: Path) -> Iterator[dict[str, str | None]]:
    with _duckdb() as db:
        found = db.execute(f"SELECT * FROM read_parquet({_text(str(path))})")
        names = [column[0] for column in found.description or ()]
        while rows := found.fetchmany(5000):
            for row in rows:
                yield dict(zip(names, row, strict=True))

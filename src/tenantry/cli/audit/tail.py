"""tenantry audit tail"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from psycopg.rows import TupleRow

from tenantry.audit import store
from tenantry.audit.reading import records
from tenantry.audit.source import Live, begin
from tenantry.cli._options import Dsn
from tenantry.cli._signals import stopping
from tenantry.cli.audit._options import OptionalSpec, TableName, reading, trail
from tenantry.errors import SpecError
from tenantry.names import QName

_PAUSE = 1.0  # seconds between two looks


def tail(
    dsn: Dsn = "",
    first: Annotated[
        int, typer.Option(envvar="TENANTRY_AUDIT_FIRST", min=0, help="The record of the log to begin at.")
    ] = 0,
    cursor: Annotated[
        Path | None,
        typer.Option(
            envvar="TENANTRY_AUDIT_CURSOR", help="Begin where the last run ended, which is kept in this file."
        ),
    ] = None,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow", envvar="TENANTRY_AUDIT_FOLLOW", help="Go on with what is sealed from now on."
        ),
    ] = False,
    table: TableName = None,
    spec_file: OptionalSpec = None,
) -> int:
    """Print sealed events as JSON lines, in the order of their batches.

    Whoever goes on from a cursor misses no event, however late its transaction committed.
    """
    name, at = trail(table, spec_file), _read(cursor, first)
    with reading(dsn) as conn, stopping() as wish:
        for after in _follow(conn, name, at, follow, wish):
            if cursor is not None:
                cursor.write_text(f"{after}\n", encoding="ascii")
    return 0


def _follow(
    conn: psycopg.Connection[TupleRow], table: QName, at: int, follow: bool, stop: Callable[[], bool]
) -> Iterator[int]:
    """Print, and yield each number from which to go on."""
    while True:
        with conn.transaction():
            begin(conn)
            store.require(conn)
            for record in records(Live(conn, table), at):
                for event in record.events:
                    if event.row is not None:
                        line = {"batch": event.batch} | dict(zip(record.names, event.row, strict=True))
                        print(json.dumps(line, ensure_ascii=False, separators=(",", ":")), flush=True)
                at = record.entry.n + 1
                yield at
                if stop():
                    return
        if not follow or stop():
            return
        end = time.monotonic() + _PAUSE
        while time.monotonic() < end and not stop():
            time.sleep(0.05)


def _read(cursor: Path | None, first: int) -> int:
    try:
        return int(cursor.read_text(encoding="ascii")) if cursor is not None else first
    except FileNotFoundError:
        return first
    except ValueError:
        raise SpecError(f"{cursor}: not a cursor, which is a number; remove it to begin anew") from None

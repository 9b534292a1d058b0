"""tenantry audit export"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tenantry.audit import export as exporting
from tenantry.cli._options import Dsn
from tenantry.cli.audit._options import OptionalSpec, TableName, counting, reading, trail


class ExportFormat(StrEnum):
    """What events are written as."""

    jsonl = "jsonl"
    csv = "csv"
    parquet = "parquet"
    ocsf = "ocsf"


def export(
    directory: Annotated[Path, typer.Argument(help="Where to; an export that is there goes on.")],
    dsn: Dsn = "",
    format_: Annotated[
        ExportFormat,
        typer.Option(
            "--format",
            envvar="TENANTRY_AUDIT_FORMAT",
            help="ocsf is for security tools and cannot be verified.",
        ),
    ] = ExportFormat.jsonl,
    first: Annotated[
        int,
        typer.Option(
            envvar="TENANTRY_AUDIT_FIRST",
            min=0,
            help="In a new directory: the record of the log from which on events are written.",
        ),
    ] = 0,
    table: TableName = None,
    spec_file: OptionalSpec = None,
) -> int:
    """Write what is sealed to a directory that an auditor verifies with the public key alone.

    Run again, it adds what was sealed since: no event is missed, however late its transaction committed.
    """
    with reading(dsn) as conn:
        done = exporting.export(
            conn, trail(table, spec_file), directory, format_.value, first=first, listen=counting("export")
        )
    print(
        f"{done.added} events added; {done.events} events and {done.records} records of the log in {directory}."
    )
    return 0

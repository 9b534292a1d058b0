"""tenantry inspect"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from tenantry.cli._options import Dsn, read_catalog
from tenantry.report import inspection


class Output(StrEnum):
    """How the inspection is written; ``catalog`` is the whole catalog as JSON, to plan from offline."""

    text = "text"
    json = "json"
    catalog = "catalog"


def inspect(
    dsn: Dsn = "",
    schema: Annotated[
        list[str] | None,
        typer.Option(envvar="TENANTRY_SCHEMA", help="Only this schema; may be repeated."),
    ] = None,
    format_: Annotated[
        Output,
        typer.Option(
            "--format",
            envvar="TENANTRY_INSPECT_FORMAT",
            help="How the result is written; catalog: for `plan --catalog`.",
        ),
    ] = Output.text,
) -> int:
    """What the database is, table by table, and what its conversion will need."""
    catalog = read_catalog(dsn)
    if format_ is Output.catalog:
        print(catalog.to_json())
        return 0
    found = inspection.inspect(catalog, tuple(schema) if schema else None)
    print(inspection.to_json(found) if format_ is Output.json else inspection.to_text(found), end="")
    return 0

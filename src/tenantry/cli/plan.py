"""tenantry plan"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenantry import planner, spec
from tenantry.cli._options import (
    DEFAULT_SPEC,
    Dsn,
    Format,
    FormatOption,
    ProfileName,
    ProfileOption,
    SpecFile,
    read_catalog,
    saved_catalog,
)
from tenantry.report import plan as report


def plan(
    dsn: Dsn = "",
    spec_file: SpecFile = DEFAULT_SPEC,
    profile: ProfileOption = ProfileName.online,
    format_: FormatOption = Format.text,
    out: Annotated[
        Path | None,
        typer.Option(envvar="TENANTRY_PLAN_OUT", help="Save the plan, for `tenantry apply FILE`."),
    ] = None,
    sql: Annotated[
        bool, typer.Option("--sql", envvar="TENANTRY_SQL", help="Print the statements too.")
    ] = False,
    catalog: Annotated[
        Path | None,
        typer.Option(
            envvar="TENANTRY_CATALOG",
            help="Plan offline, from what `tenantry inspect --format catalog` wrote.",
        ),
    ] = None,
) -> int:
    """What the database still lacks. Exit 1 when something is pending: a gate for CI."""
    declared = spec.load(spec_file)
    found = saved_catalog(catalog) if catalog else read_catalog(dsn)
    value = planner.plan(declared, found, profile.value)
    if out is not None:
        out.write_text(value.to_json(), encoding="utf-8")
    print(report.to_json(value) if format_ is Format.json else report.to_text(value, sql=sql), end="")
    return 1 if value else 0

"""tenantry init"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenantry import init as drafter
from tenantry.cli._options import DEFAULT_SPEC, Dsn, read_catalog
from tenantry.counts import counted
from tenantry.errors import SpecError


def init(
    dsn: Dsn = "",
    schema: Annotated[
        list[str] | None, typer.Option(envvar="TENANTRY_SCHEMA", help="Only this schema; may be repeated.")
    ] = None,
    tenants: Annotated[
        str | None,
        typer.Option(envvar="TENANTRY_TENANTS", help="The table that holds the tenants, where there is one."),
    ] = None,
    out: Annotated[
        Path, typer.Option(envvar="TENANTRY_INIT_OUT", help="Where to write the spec.")
    ] = DEFAULT_SPEC,
    force: Annotated[
        bool, typer.Option("--force", envvar="TENANTRY_FORCE", help="Replace a file that is there.")
    ] = False,
) -> int:
    """Write a first tenantry.toml from what the database says; what it cannot know is left undecided."""
    if out.exists() and not force:
        raise SpecError(f"{out}: is already there; name another file with --out, or say --force")
    draft = drafter.draft(read_catalog(dsn), schemas=tuple(schema) if schema else None, tenants=tenants)
    out.write_text(draft.text, encoding="utf-8")
    print(
        f'{out}: written; {counted(len(draft.undecided), "decision is", "decisions are")} yours (search for "undecided").'
    )
    for undecided in draft.undecided:
        print(f"  {undecided}")
    return 0

"""tenantry audit erase"""

from __future__ import annotations

import contextlib
from typing import Annotated

import typer

from tenantry import spec
from tenantry.audit import guards
from tenantry.cli._options import DEFAULT_SPEC, Dsn, connect
from tenantry.cli.audit._options import OptionalSpec
from tenantry.counts import counted


def erase(
    subject: Annotated[str, typer.Argument(help="The person, as the events name it.")],
    dsn: Dsn = "",
    tenant: Annotated[
        str | None,
        typer.Option(
            "--tenant", envvar="TENANTRY_TENANT", help="Only in events of this tenant; else of all."
        ),
    ] = None,
    spec_file: OptionalSpec = None,
) -> int:
    """Erase what the trail knows of one person. The events stay with a digest, still verify, and one more is written."""
    there = spec_file or (DEFAULT_SPEC if DEFAULT_SPEC.exists() else None)
    audit = spec.load(there).audit if there is not None else None
    with contextlib.closing(connect(dsn)) as conn:
        gone = guards.erase(conn, audit.functions if audit is not None else "audit", subject, tenant)
    print(f"The personal data of {counted(gone, 'event')} is erased; the events stay.")
    return 0

"""tenantry audit partitions"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Annotated

import typer

from tenantry.audit import partitions as making
from tenantry.cli._options import Dsn, connect
from tenantry.cli.audit._options import OptionalSpec, TableName, trail


def partitions(
    dsn: Dsn = "",
    ahead: Annotated[
        int, typer.Option(envvar="TENANTRY_AUDIT_AHEAD", min=0, max=120, help="Months after this one.")
    ] = 3,
    table: TableName = None,
    spec_file: OptionalSpec = None,
) -> int:
    """Make the trail's partitions of this month and the next ones, guarded like the trail. Run it every week."""
    with contextlib.closing(connect(dsn)) as conn:
        made = making.ahead(conn, trail(table, spec_file), ahead, datetime.now(UTC))
    print("\n".join(made) if made else "All are there.")
    return 0

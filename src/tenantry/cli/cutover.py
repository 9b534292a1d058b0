"""tenantry cutover"""

from __future__ import annotations

from typing import Annotated

import typer

from tenantry.cli._options import Dsn
from tenantry.cutover import cutover as switch


def cutover(
    tables: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TABLE]...", help="Only these tables; left out, all of them."),
    ] = None,
    dsn: Dsn = "",
    back: Annotated[
        bool, typer.Option("--back", envvar="TENANTRY_BACK", help="Let everything through again.")
    ] = False,
) -> int:
    """Let the policies decide from now on, after `apply --until observe`; --back undoes it as fast."""
    done = switch(dsn, tables=tables or (), back=back)
    what = "observed again" if back else "decided by their policy"
    print(
        f"{len(done.tables)} tables are {what}; the switch took {done.seconds * 1000:.0f} ms (try {done.tries})."
    )
    return 0

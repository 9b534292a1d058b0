"""tenantry demo"""

from __future__ import annotations

import time
from typing import Annotated

import typer

from tenantry import demo as demonstration
from tenantry import embedded
from tenantry.errors import CatalogError
from tenantry.report import proof as report


def demo(
    keep: Annotated[
        bool,
        typer.Option(
            "--keep", envvar="TENANTRY_KEEP", help="Leave the server running and say how to look around."
        ),
    ] = False,
    scale: Annotated[
        float, typer.Option(envvar="TENANTRY_SCALE", min=0.01, help="1 is about 50 000 rows.")
    ] = 1.0,
) -> int:
    """Convert the skills catalog on an embedded server while it is in use, add a customer, and attack the result."""
    begun = time.monotonic()
    try:
        binaries = embedded.embedded_binaries()
    except RuntimeError as error:
        raise CatalogError(str(error)) from None
    with embedded.cluster(binaries, keep=keep) as cluster:
        result = demonstration.run(cluster.dsn, scale=scale, say=print)
        print()
        print(report.to_text(result.proof), end="")
        for sentence in result.broken:
            print(f"BROKEN: {sentence}")
        held = (
            "Everything was as promised"
            if not result.broken
            else f"{len(result.broken)} promises were broken"
        )
        print(f"{held}; {time.monotonic() - begun:.0f} s.")
        if keep:
            print(f"\nThe server is still running. Look around as the application, which sees nothing without a tenant:\n"
                  f"  {cluster.binaries / 'psql'} '{cluster.dsn}'\n"
                  "  SET ROLE app_user; SELECT count(*) FROM skills;\n"
                  "  SET app.current_tenant_id = 'acme'; SELECT count(*) FROM skills;\n"
                  f"and end it with:\n  {cluster.stop_command}")  # fmt: skip
    return 1 if result.broken else 0

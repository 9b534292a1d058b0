"""tenantry demo"""

from __future__ import annotations

import time
from typing import Annotated

import typer

from tenantry import demo as demonstration
from tenantry import embedded
from tenantry.cli.audit.verify import text as verified
from tenantry.errors import CatalogError
from tenantry.report import proof as report
from tenantry.tampering import Tampering


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
    """Convert the skills catalog on an embedded server while it is in use, add a customer, attack the result, and
    tamper with its audit trail."""
    begun = time.monotonic()
    try:
        binaries = embedded.embedded_binaries()
    except RuntimeError as error:
        raise CatalogError(str(error)) from None
    with embedded.cluster(binaries, keep=keep) as cluster:
        result = demonstration.run(cluster.dsn, scale=scale, say=print)
        print()
        print(report.to_text(result.proof), end="")
        print()
        print(_trail(result.trail), end="")
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


def _trail(seen: Tampering) -> str:
    """The last act."""
    return (
        f"audit trail     {seen.sealed.events} events sealed; verified: {'good' if seen.before.good else 'DAMAGED'}\n"
        f"quiet change    a superuser switches the triggers off, edits event {seen.event}, and switches them on again\n"
        f"\n{verified(seen.after)}\n"
    )

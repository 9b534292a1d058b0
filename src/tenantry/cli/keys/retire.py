"""tenantry keys retire"""

from __future__ import annotations

from typing import Annotated

import typer

from tenantry import keys, spec
from tenantry.cli._options import DEFAULT_SPEC, Dsn, SpecFile


def retire(
    key: Annotated[str, typer.Argument(help="Its name, as `tenantry keys list` shows it.")],
    dsn: Dsn = "",
    spec_file: SpecFile = DEFAULT_SPEC,
    seconds: Annotated[
        int,
        typer.Option(
            "--in", min=0, envvar="TENANTRY_IN", help="Seconds from now; 0 for a key that became known."
        ),
    ] = 900,
) -> int:
    """End a key: what it signed is refused from then on, so every instance of the application has the new one before."""
    until = keys.retire(dsn, spec.load(spec_file), key, seconds)
    print(f"{key} is valid until {until:%Y-%m-%d %H:%M:%S%z}.")
    return 0

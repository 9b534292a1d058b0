"""tenantry keys unsigned"""

from __future__ import annotations

from typing import Annotated

import typer

from tenantry import keys, spec
from tenantry.cli._options import DEFAULT_SPEC, Dsn, SpecFile


def unsigned(
    dsn: Dsn = "",
    spec_file: SpecFile = DEFAULT_SPEC,
    seconds: Annotated[
        int | None,
        typer.Option(
            "--for",
            min=0,
            max=keys.MOST_UNSIGNED,
            envvar="TENANTRY_FOR",
            help="Take them for so many seconds from now; 0: no longer.",
        ),
    ] = None,
) -> int:
    """Tell until when values without a signature are taken, too, while the application learns to sign. Exit 1 while they are."""
    until = keys.unsigned(dsn, spec.load(spec_file), seconds)
    print(
        f"Unsigned values are taken until {until:%Y-%m-%d %H:%M:%S%z}."
        if until
        else "Unsigned values are refused."
    )
    return 1 if until and seconds is None else 0

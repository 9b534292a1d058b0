"""tenantry audit rotate"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenantry.audit import upkeep
from tenantry.cli._options import Dsn
from tenantry.cli.audit._options import DEFAULT_KEY, KeyFile, private_key


def rotate(
    new: Annotated[Path, typer.Argument(help="The new private key, made by `tenantry audit keygen`.")],
    dsn: Dsn = "",
    key_file: KeyFile = DEFAULT_KEY,
) -> int:
    """Go on with another key. The log names it under the old key's signature; what that one signed stays good."""
    successor = private_key(new)
    point = upkeep.rotate(dsn, private_key(key_file), successor)
    print(f"From record {point.size} on, {successor.public} signs.")
    return 0

"""tenantry audit keygen"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenantry.audit import keys
from tenantry.cli.audit._options import DEFAULT_KEY


def keygen(
    name: Annotated[str, typer.Argument(help="Whose log it is, for example audit.example.com.")],
    out: Annotated[
        Path, typer.Option(envvar="TENANTRY_AUDIT_KEY", help="The file to write; never one that is there.")
    ] = DEFAULT_KEY,
) -> int:
    """Make the key that signs the seal, and print its public half, which verifies it.

    Keep the file where the administrators of the database cannot read it, and give the public key to the auditor.
    """
    print(keys.create(out, name))
    return 0

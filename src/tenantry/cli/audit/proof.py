"""tenantry audit proof"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenantry.audit import proof as proving
from tenantry.audit.proof import Proof
from tenantry.cli._options import Dsn
from tenantry.cli.audit._options import OptionalSpec, PublicKeys, TableName, public_keys, reading, trail
from tenantry.errors import SpecError, unreadable


def proof(
    event: Annotated[str, typer.Argument(help="The id of an event, or with --check the file of a proof.")],
    dsn: Dsn = "",
    check: Annotated[
        bool, typer.Option("--check", envvar="TENANTRY_AUDIT_CHECK", help="Check a proof; needs no database.")
    ] = False,
    public_key: PublicKeys = None,
    table: TableName = None,
    spec_file: OptionalSpec = None,
) -> int:
    """Print the proof that an event is in the signed log. It tells nothing of other tenants, so theirs may have it."""
    if not check:
        with reading(dsn) as conn:
            print(proving.prove(conn, trail(table, spec_file), event).to_json(), end="")
        return 0
    trusted = public_keys(public_key)
    if not trusted:
        raise SpecError("proof --check: needs the public key; name its file with --public-key")
    try:
        found = Proof.from_json(Path(event).read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise SpecError(
            f"{event}: not a proof ({unreadable(error)}); `tenantry audit proof EVENT` makes one"
        ) from None
    proving.check(found, trusted)
    print(f"The event {found.event['id']} is in the log, record {found.in_log.index} of {found.in_log.size}.")
    return 0

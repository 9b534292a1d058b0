"""tenantry audit accept"""

from __future__ import annotations

from typing import Annotated

import typer

from tenantry.audit import upkeep
from tenantry.cli._options import Dsn
from tenantry.cli.audit._options import DEFAULT_KEY, KeyFile, OptionalSpec, TableName, private_key, trail


def accept(
    reason: Annotated[str, typer.Argument(help="Why; the log says it for ever.")],
    dsn: Dsn = "",
    key_file: KeyFile = DEFAULT_KEY,
    table: TableName = None,
    spec_file: OptionalSpec = None,
) -> int:
    """Take the trail's columns, partitions and guards as they are now for what they should be, and backdated events for
    known. `verify` then only notes them.
    """
    point = upkeep.accept(dsn, trail(table, spec_file), private_key(key_file), reason)
    print(f"Accepted; the log has {point.size} records.")
    return 0

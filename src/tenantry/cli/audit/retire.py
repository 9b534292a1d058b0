"""tenantry audit retire"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenantry.audit import retire as retiring
from tenantry.cli._options import Dsn
from tenantry.cli.audit._options import (
    DEFAULT_KEY,
    Anchors,
    KeyFile,
    OptionalSpec,
    PublicKeys,
    TableName,
    anchors_of,
    counting,
    private_key,
    public_keys,
    trail,
)


def retire(
    partition: Annotated[str, typer.Argument(help="The partition to drop.")],
    archive: Annotated[Path, typer.Argument(help="An export that has every event of it.")],
    dsn: Dsn = "",
    key_file: KeyFile = DEFAULT_KEY,
    public_key: PublicKeys = None,
    anchor: Anchors = None,
    table: TableName = None,
    spec_file: OptionalSpec = None,
) -> int:
    """Drop a partition of the trail once its archive verifies. What remains still verifies; the log says what went."""
    done = retiring.retire(
        dsn, trail(table, spec_file), private_key(key_file), partition, archive,
        public_keys(public_key), anchors_of(anchor), counting("archive"),
    )  # fmt: skip
    print(f"{done.partition} is retired with {done.events} events, record {done.record} of the log.")
    return 0

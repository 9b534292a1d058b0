"""tenantry status"""

from __future__ import annotations

from tenantry import status as reader
from tenantry.cli._options import Dsn, Format, FormatOption


def status(dsn: Dsn = "", format_: FormatOption = Format.text) -> int:
    """What was applied, what runs now and where it stopped."""
    value = reader.status(dsn)
    print(reader.to_json(value) if format_ is Format.json else reader.to_text(value), end="")
    return 0

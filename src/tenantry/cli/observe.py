"""tenantry observe"""

from __future__ import annotations

from tenantry import observe as reader
from tenantry.cli._options import Dsn, Format, FormatOption


def observe(dsn: Dsn = "", format_: FormatOption = Format.text) -> int:
    """List the statements that row level security would have filtered or refused. Exit 1 when there are any."""
    found = reader.observe(dsn)
    print(reader.to_json(found) if format_ is Format.json else reader.to_text(found), end="")
    return 1 if found.observations else 0

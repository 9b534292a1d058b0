"""tenantry audit status"""

from __future__ import annotations

import json
from dataclasses import asdict

from tenantry import spec
from tenantry.audit import guards
from tenantry.cli._options import DEFAULT_SPEC, Dsn, Format, FormatOption
from tenantry.cli.audit._options import OptionalSpec, TableName, reading, trail
from tenantry.names import display


def status(
    dsn: Dsn = "",
    table: TableName = None,
    spec_file: OptionalSpec = None,
    format_: FormatOption = Format.text,
) -> int:
    """Tell against whom the trail is protected, and against whom it is not. Exit 1 when a guard is missing or off."""
    there = spec_file or (DEFAULT_SPEC if DEFAULT_SPEC.exists() else None)
    app = spec.load(there).roles.app if there is not None else None
    with reading(dsn) as conn:
        found = guards.protection(conn, trail(table, spec_file), app)
    if format_ is Format.json:
        print(json.dumps({"version": 1, **asdict(found), "who": guards.WHO}, indent=1))
    else:
        print(_text(found), end="")
    return 1 if found.missing else 0


def _text(found: guards.Protection) -> str:
    facts, width = found.facts, max(len(line.what) for line in found.lines)
    rows = [" " * width + "".join(f"  {who:<11}" for who in guards.WHO)]
    rows += [f"{line.what:<{width}}" + "".join(f"  {end:<11}" for end in line.ends) for line in found.lines]
    apart = "somebody is it or may become it" if facts.owner_reached else "nobody is it but superusers"
    schema = "somebody is it" if facts.schema_reached else "nobody is it but superusers"
    lines = [
        f"{display(found.table)} belongs to {facts.owner}: {apart}",
        f"its schema belongs to {facts.schema_owner}: {schema}",
        f"event triggers guard its definition: {'yes' if facts.ddl else 'no'}",
        "",
        *(row.rstrip() for row in rows),
        "",
        *(f"MISSING: {what}" for what in found.missing),
        "Read from the catalogs; nothing was tried. What is open to a superuser is found by `tenantry audit verify`.",
    ]
    return "\n".join(lines) + "\n"

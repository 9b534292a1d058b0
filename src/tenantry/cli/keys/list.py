"""tenantry keys list"""

from __future__ import annotations

import json
from dataclasses import asdict

from tenantry import keys, spec
from tenantry.cli._options import DEFAULT_SPEC, Dsn, Format, FormatOption, SpecFile


def list_(dsn: Dsn = "", spec_file: SpecFile = DEFAULT_SPEC, format_: FormatOption = Format.text) -> int:
    """Tell which keys there are and until when each is valid, without their secrets. Exit 1 where none is valid."""
    found = keys.listed(dsn, spec.load(spec_file))
    if format_ is Format.json:
        print(json.dumps({"version": 1, "keys": [asdict(k) for k in found]}, indent=1, default=str))
    else:
        for key in found:
            end = (
                f"{'valid until' if key.valid else 'ended'} {key.until:%Y-%m-%d %H:%M:%S%z}"
                if key.until
                else "valid"
            )
            print(f"{key.id}  made {key.created_at:%Y-%m-%d %H:%M:%S%z}  {end}")
        if not any(key.valid for key in found):
            print("No valid key: every signed value is refused. `tenantry keys new` makes one.")
    return 0 if any(key.valid for key in found) else 1

"""tenantry schema"""

from __future__ import annotations

import json

from tenantry import spec


def schema() -> int:
    """Print the JSON Schema of tenantry.toml, for editors."""
    print(json.dumps(spec.json_schema(), indent=2))
    return 0

"""tenantry keys new"""

from __future__ import annotations

from tenantry import keys, spec
from tenantry.cli._options import DEFAULT_SPEC, Dsn, SpecFile


def new(dsn: Dsn = "", spec_file: SpecFile = DEFAULT_SPEC) -> int:
    """Make a key and print it: the application's secret, shown this once. Older keys stay valid until retired."""
    print(keys.new(dsn, spec.load(spec_file)))
    return 0

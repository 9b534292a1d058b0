"""tenantry audit key"""

from __future__ import annotations

from tenantry.cli.audit._options import DEFAULT_KEY, KeyFile, private_key


def key(key_file: KeyFile = DEFAULT_KEY) -> int:
    """Print the public key of a private one."""
    print(private_key(key_file).public)
    return 0

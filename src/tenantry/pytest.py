"""A pytest plugin: a converted scratch database for each test, two tenants in it, and an assertion that it is isolated.

It is loaded by every run of pytest where Tenantry is installed, so it imports nothing of the converter until one of its
fixtures is used. ``tenantry_spec`` and ``tenantry_schema`` are meant to be overridden where files do not do.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import psycopg

    from tenantry.finding import Mode, Proof
    from tenantry.spec import Spec
    from tenantry.world.scratch import Schema, Scratch
    from tenantry.world.seed import Seeded

_numbers = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--tenantry-dsn``, and the ini options ``tenantry_spec`` and ``tenantry_schema``."""
    parser.getgroup("tenantry").addoption(
        "--tenantry-dsn",
        default=os.environ.get("TENANTRY_PYTEST_DSN"),
        help="a superuser of the server that scratch databases are made on; left out, an embedded server",
    )
    parser.addini("tenantry_spec", "the spec (default: tenantry.toml)", default="tenantry.toml")
    parser.addini("tenantry_schema", "SQL files that make the schema, in order", type="paths", default=[])


@pytest.fixture(scope="session")
def tenantry_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """A superuser's DSN of the server that scratch databases are made on."""
    from tenantry.embedded import cluster, embedded_binaries
    from tenantry.world.proof import SETTINGS

    given = request.config.getoption("--tenantry-dsn")
    if given:
        yield str(given)
        return
    with cluster(embedded_binaries(), settings=SETTINGS) as server:
        yield server.dsn


@pytest.fixture(scope="session")
def tenantry_spec(request: pytest.FixtureRequest) -> Spec:
    """The spec that the ini option names, from where the ini file is."""
    from tenantry.spec import load

    return load(request.config.rootpath / str(request.config.getini("tenantry_spec")))


@pytest.fixture(scope="session")
def tenantry_schema(request: pytest.FixtureRequest) -> Schema:
    """The SQL files that the ini option names, as one text. Override it with a function of a DSN to run a migrator."""
    files: list[Path] = request.config.getini("tenantry_schema")
    if not files:
        raise pytest.UsageError(
            "tenantry_schema: no files; name them in the ini file, or override the fixture tenantry_schema "
            "with SQL or with a function that migrates the database of the DSN that it is given"
        )
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


@pytest.fixture(scope="session")
def _tenantry_template(
    tenantry_server: str, tenantry_schema: Schema, tenantry_spec: Spec
) -> Iterator[tuple[str, Seeded]]:
    """The name of the database that those of the tests are copies of, and what is in it."""
    from tenantry.world import scratch

    name = f"tenantry_{os.getpid()}_template"
    try:
        yield name, scratch.make(tenantry_server, name, tenantry_schema, tenantry_spec)
    finally:
        scratch.drop(tenantry_server, name)


@pytest.fixture
def tenantry_database(
    tenantry_server: str, tenantry_spec: Spec, _tenantry_template: tuple[str, Seeded]
) -> Iterator[Scratch]:
    """A converted database of the test's own, with rows of two tenants in every table."""
    from tenantry.world import scratch

    template, seeded = _tenantry_template
    name = f"tenantry_{os.getpid()}_{next(_numbers)}"
    with scratch.copied(tenantry_server, template, name, tenantry_spec, seeded) as database:
        yield database


@pytest.fixture
def tenants(tenantry_database: Scratch) -> tuple[str, ...]:
    """The ids of the two tenants of the test's database."""
    return tenantry_database.tenants


@pytest.fixture(scope="session")
def assert_isolated() -> Callable[..., Proof]:
    """``assert_isolated(database, spec=None, app_dsn=None, mode=None)``: fails with the report unless it is proven.

    ``database`` is a scratch one, a connection or a DSN; a scratch one brings its spec. Returns the proof.
    """

    def check(
        database: Scratch | psycopg.Connection[Any] | str,
        spec: Spec | None = None,
        *,
        app_dsn: str | None = None,
        mode: Mode | None = None,
    ) -> Proof:
        from tenantry.report.proof import to_text
        from tenantry.world.scratch import examined

        __tracebackhide__ = True
        proof = examined(database, spec, app_dsn=app_dsn, mode=mode, now=datetime.now(UTC))
        if not proof.proven:
            pytest.fail(to_text(proof), pytrace=False)
        return proof

    return check

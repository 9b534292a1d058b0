"""A converted database and an Alembic project on it, for the tests of what Alembic knows of tenancy."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from psycopg.conninfo import make_conninfo
from sqlalchemy import MetaData

from tenantry import introspect, planner, prove
from tenantry.attacks.lab import How
from tenantry.plan import Plan
from tenantry.spec import Spec, parse
from tests.servers import Database, MakeDatabase, Server

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SCHEMA = """
CREATE ROLE {app} LOGIN;
CREATE ROLE {owner} NOLOGIN;
CREATE TABLE tenants (id text PRIMARY KEY, name text NOT NULL);
CREATE TABLE authors (id int PRIMARY KEY, tenant_id text NOT NULL, name text NOT NULL, slug text NOT NULL UNIQUE);
CREATE TABLE pages (id int PRIMARY KEY, tenant_id text NOT NULL, body text, author_id int REFERENCES authors);
CREATE TABLE countries (code text PRIMARY KEY);
INSERT INTO tenants VALUES ('a', 'A'), ('b', 'B'), ('c', 'C');
INSERT INTO authors VALUES (1, 'a', 'anna', 'anna'), (2, 'b', 'bert', 'bert');
INSERT INTO pages VALUES (1, 'a', 'a1', 1), (2, 'b', 'b1', 2), (3, 'b', 'b2', 2)
""".strip().split(";\n")
SPEC = """
[tenancy]
tenants = "tenants"
[roles]
app = "{app}"
owner = "{owner}"
resolver = "{resolver}"
searcher = "{searcher}"
[tables.authors]
scope = "tenant"
primary_key = "global"
unique = {{ authors_slug_key = "tenant" }}
[tables.pages]
scope = "tenant"
primary_key = "global"
[tables.countries]
scope = "shared"
[tables.alembic_version]
scope = "ignored"
"""
ENV = """
from alembic import context
from sqlalchemy import NullPool, create_engine

from tenantry.alembic import complete
from tenantry.runtime.alembic import loud

given = context.config.attributes
engine = create_engine(given["url"], poolclass=NullPool)
with engine.connect() as connection:
    loud(connection)
    context.configure(
        connection=connection, target_metadata=given["metadata"], process_revision_directives=complete(given["spec"]),
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
"""


def convert(db: Database, more: str = "") -> dict[str, str]:
    """Make and convert the tables, as `SPEC` and ``more`` say; returns the roles."""
    names = {name: db.role(name) for name in ("app", "owner", "resolver", "searcher")}
    with db.connect() as connection:
        for statement in SCHEMA:
            connection.execute(statement.format(**names).encode())
        declared, catalog = parse(SPEC.format(**names) + more), introspect.read(connection)
        tables = {name: rule for name, rule in declared.tables.items() if name in catalog.by_name}
        for step in planner.plan(declared.model_copy(update={"tables": tables}), catalog, "transactional"):
            for text in step.apply:
                connection.execute(text.encode())
    return names


@pytest.fixture(scope="module")
def converted(server: Server) -> Iterator[tuple[Database, dict[str, str]]]:
    """A converted database to copy, and its roles."""
    with server.databases() as make:
        db = make()
        yield db, convert(db)


@pytest.fixture
def world(converted: tuple[Database, dict[str, str]], make_db: MakeDatabase, tmp_path: Path) -> World:
    db, names = converted
    return World(make_db(template=db), tmp_path / "migrations", names)


@dataclass
class World:
    """One database with its project; ``more`` is what the spec has beyond `SPEC`."""

    db: Database
    folder: Path
    names: dict[str, str]
    more: str = ""
    user: str = ""

    def __post_init__(self) -> None:
        (self.folder / "versions").mkdir(parents=True)
        (self.folder / "env.py").write_text(ENV)
        (self.folder / "script.py.mako").write_text(MAKO)

    def spec(self) -> Spec:
        return parse(SPEC.format(**self.names) + self.more)

    def config(self, metadata: MetaData | None) -> Config:
        config = Config()
        config.set_main_option("script_location", str(self.folder))
        config.set_main_option("path_separator", "os")
        dsn = make_conninfo(self.db.dsn, user=self.user) if self.user else self.db.dsn
        parts = dict(part.split("=", 1) for part in dsn.split()) if "://" not in dsn else {}
        url: Any = dsn.replace("postgresql:", "postgresql+psycopg:")
        if parts:
            query = "&".join(
                f"{k}={v.strip(chr(39))}" for k, v in parts.items() if k not in ("user", "dbname")
            )
            url = f"postgresql+psycopg://{parts['user']}@/{parts['dbname']}?{query}"
        config.attributes.update({"url": url, "metadata": metadata, "spec": self.spec()})
        return config

    def revision(self, metadata: MetaData) -> str:
        """Autogenerate; the text of what was written, "" for nothing."""
        made: Any = command.revision(self.config(metadata), "change", autogenerate=True)
        return Path(made.path).read_text() if made else ""

    def check(self, metadata: MetaData) -> None:
        """What a pipeline asks: raises AutogenerateDiffsDetected where a revision is missing."""
        config = self.config(metadata)
        config.cmd_opts = Namespace(cmd=(command.check, [], []))
        command.check(config)

    def write(self, body: str) -> None:
        """A revision by hand, on the head."""
        made: Any = command.revision(self.config(None), "by hand")
        path = Path(made.path)
        text = path.read_text().replace("def upgrade() -> None:\n    pass", f"def upgrade() -> None:\n{body}")
        path.write_text(text)

    def upgrade(self) -> None:
        command.upgrade(self.config(None), "head")

    def downgrade(self) -> None:
        command.downgrade(self.config(None), "-1")

    def plan(self) -> Plan:
        with self.db.connect() as connection:
            return planner.plan(self.spec(), introspect.read(connection), "online")

    def proof(self) -> Any:
        """Attack it as the application's own login."""
        with self.db.connect() as connection:
            catalog = introspect.read(connection)
        login = make_conninfo(self.db.dsn, user=self.names["app"])
        return prove.examine(self.db.dsn, self.spec(), catalog, app_dsn=login, how=How("full"), now=NOW)

    def rows(self, query: str) -> list[Any]:
        with self.db.connect() as connection:
            return connection.execute(query.encode()).fetchall()


MAKO = '''"""${message}"""
import sqlalchemy as sa
from alembic import op

from tenantry.runtime.alembic import for_each_tenant

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
'''

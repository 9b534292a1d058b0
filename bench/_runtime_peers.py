"""The transaction of bench/runtime.py through other libraries that isolate tenants by row level security."""

from __future__ import annotations

import contextlib
import importlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psycopg
import pydantic
from _arms import Arm
from _runtime_arms import APP, TENANTS, Base, Make, opened, repeat, rows, url_of
from psycopg.conninfo import make_conninfo
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Mapped, mapped_column, sessionmaker

# What is compared with; all of the MIT licence.
PEERS = ("sqlalchemy-tenants==0.2.0", "rls==0.3.2")


class RlsNote(Base):
    __tablename__ = "rls_notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[str]
    body: Mapped[str]


class RoleNote(Base):
    __tablename__ = "role_notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[str]
    body: Mapped[str]


@contextlib.contextmanager
def installed() -> Iterator[list[str]]:
    """Those that pip can install, in a directory that goes away again; the others are named."""
    found = list[str]()
    with tempfile.TemporaryDirectory(prefix="bench-peers-") as directory:
        sys.path.insert(0, directory)
        for wanted in PEERS:
            name = wanted.partition("==")[0]
            pip = [
                sys.executable,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--target",
                directory,
                wanted,
            ]
            if subprocess.run(pip, stderr=subprocess.DEVNULL, check=False).returncode:
                print(f"!!! LEFT OUT: {wanted}, which pip cannot install", file=sys.stderr)
                continue
            found.append(name)
        try:
            yield found
        finally:
            sys.path.remove(directory)


def rls() -> Make:
    """Its policy and its session."""

    class Context(pydantic.BaseModel):
        tenant_id: str

    def make(stack: ExitStack, server: str, work: int) -> Arm:
        policy = importlib.import_module("rls._sql_gen").generate_rls_policy(
            "ALL",
            "PERMISSIVE",
            "rls_all",
            "rls_notes",
            "tenant_id = NULLIF(current_setting('rls.tenant_id', true), '')",
        )
        _convert(server, "rls_notes", "rls_all", str(policy))
        found = opened(stack, url_of(server, "psycopg", True))
        sessions = sessionmaker(found, class_=importlib.import_module("rls.rls_session").RlsSession)
        numbers = rows()

        def transaction(who: str, number: int) -> None:
            with sessions(context=Context(tenant_id=who)) as session:
                for _ in range(work):
                    session.execute(select(RlsNote.body).where(RlsNote.id == number)).scalar_one()
                session.commit()

        return Arm(lambda times: repeat(transaction, numbers, False, times), _pid(found))

    return make


def roles() -> Make:
    """sqlalchemy-tenants: a role for each tenant."""

    def make(stack: ExitStack, server: str, work: int) -> Arm:
        core, managers = (
            importlib.import_module(f"sqlalchemy_tenants.{part}") for part in ("core", "managers")
        )
        function = core._GET_TENANT_FUNCTION_TEMPLATE.format(
            name=core.GET_TENANT_FUNCTION_NAME, tenant_role_prefix=core.TENANT_ROLE_PREFIX
        )
        policy = core.get_table_policy(table_name="role_notes", column_type=str)
        _convert(
            server,
            "role_notes",
            core._POLICY_NAME,
            policy,
            function,
            *_tenant_roles(core.get_tenant_role_name),
        )
        found = opened(stack, url_of(server, "psycopg", True))
        manager = managers.PostgresManager.from_engine(found, "public")
        numbers = rows()

        def transaction(who: str, number: int) -> None:
            with manager.new_tenant_session(who, create_if_missing=False) as session:
                for _ in range(work):
                    session.execute(select(RoleNote.body).where(RoleNote.id == number)).scalar_one()
                session.commit()

        return Arm(lambda times: repeat(transaction, numbers, False, times), _pid(found))

    return make


def _tenant_roles(name: Callable[[str], str]) -> Iterator[str]:
    for n in range(TENANTS):
        role = name(f"t{n}")
        yield f"DO $$ BEGIN CREATE ROLE {role}; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        yield f"GRANT {role} TO {APP}"
        yield f"GRANT SELECT ON role_notes TO {role}"


def _convert(server: str, table: str, policy: str, *statements: str) -> None:
    with psycopg.connect(make_conninfo(server, dbname="postgres"), autocommit=True) as admin:
        admin.execute(f"DROP POLICY IF EXISTS {policy} ON {table}".encode())
        for statement in (*statements[1:], statements[0], f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"):
            admin.execute(statement.encode())


def _pid(engine: Engine) -> int:
    with engine.connect() as conn:
        return int(conn.execute(text("SELECT pg_backend_pid()")).scalar_one())

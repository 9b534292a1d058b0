"""The guard lets a bound role pass; each sabotage is found and said, and the SQL that the guard gives mends it."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from tenantry.apply import apply
from tenantry.errors import ExemptRole
from tenantry.runtime import Binding, current_or_none, guard, guard_async, tenant
from tenantry.runtime.asyncpg import Connection as AsyncpgConnection
from tenantry.runtime.psycopg import AsyncConnection, Connection
from tests import reference, runtime_adapters
from tests.servers import Database


@dataclass(frozen=True)
class Sabotage:
    """``admin`` and ``app`` say who runs what; words in braces are names. ``words`` is what the guard must say."""

    words: str
    admin: tuple[str, ...] = ()
    app: tuple[str, ...] = ()


SABOTAGES = {
    "superuser": Sabotage("{app} is a superuser", ("ALTER ROLE {app} SUPERUSER",)),
    "bypassrls": Sabotage("{app} has BYPASSRLS", ("ALTER ROLE {app} BYPASSRLS",)),
    "replication": Sabotage("{app} has REPLICATION", ("ALTER ROLE {app} REPLICATION",)),
    "owner": Sabotage("{app} owns notes", ("ALTER TABLE notes OWNER TO {app}",)),
    "owner-of-another-table": Sabotage(
        "{app} owns other", ("CREATE TABLE other ()", "ALTER TABLE other OWNER TO {app}")
    ),
    "owner-of-the-schema": Sabotage("{app} owns schema public", ("ALTER SCHEMA public OWNER TO {app}",)),
    "owner-of-the-database": Sabotage(
        "{app}, through pg_database_owner, owns schema public", ("ALTER DATABASE {db} OWNER TO {app}",)
    ),
    "member-of-the-owner": Sabotage(
        "{app}, through {other}, owns notes",
        ("CREATE ROLE {other}", "ALTER TABLE notes OWNER TO {other}", "GRANT {other} TO {app}"),
    ),
    "member-without-inherit": Sabotage(
        "{app}, through {other}, has BYPASSRLS",
        ("CREATE ROLE {other} BYPASSRLS", "ALTER ROLE {app} NOINHERIT", "GRANT {other} TO {app}"),
    ),
    "member-of-a-member": Sabotage(
        "{app}, through {other}, has BYPASSRLS",
        (
            "CREATE ROLE {other} BYPASSRLS", "CREATE ROLE {between}",
            "GRANT {other} TO {between}", "GRANT {between} TO {app}",
        ),
    ),
    "member-of-a-superuser": Sabotage(
        "{app}, through {other}, is a superuser", ("CREATE ROLE {other} SUPERUSER", "GRANT {other} TO {app}")
    ),
    "files": Sabotage("through pg_read_server_files, reaches files", ("GRANT pg_read_server_files TO {app}",)),
    "create-in-the-search-path": Sabotage(
        "schema public lets every role create", ("GRANT CREATE ON SCHEMA public TO PUBLIC",)
    ),
    "create-of-its-own": Sabotage(
        "schema public lets {app} create", ("GRANT CREATE ON SCHEMA public TO {app}",)
    ),
    "own-search-path": Sabotage(
        "role {app} has the default search_path", app=("ALTER ROLE {app} SET search_path = evil, public",)
    ),
    "own-row-security": Sabotage(
        "role {app} has the default row_security = off", app=("ALTER ROLE {app} SET row_security = off",)
    ),
    "role-in-the-database": Sabotage(
        "role {app} has the default role", ("ALTER ROLE {app} IN DATABASE {db} SET role = {app}",)
    ),
    "a-tenant-for-the-database": Sabotage(
        "every session has the default app.current_tenant_id = b",
        ("ALTER DATABASE {db} SET app.current_tenant_id = 'b'",),
    ),
    "a-tenant-for-the-role": Sabotage(
        "role {app} has the default app.current_tenant_id = b",
        ("ALTER ROLE {app} SET app.current_tenant_id = 'b'",),
    ),
    "session-replication-role": Sabotage(
        "{app} may set session_replication_role", ("GRANT SET ON PARAMETER session_replication_role TO {app}",)
    ),
    "search-path-of-the-session": Sabotage(
        "this session has search_path", app=("SET search_path = pg_temp, public",)
    ),
    "row-security-of-the-session": Sabotage("this session has row_security = off", app=("SET row_security = off",)),
}  # fmt: skip


class Lab:
    """A converted table, its admin, and the application's login; names of roles are unique on the server."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.names = {n: db.role(n) for n in ("app", "other", "between")} | {"db": db.name}
        with db.connect() as connection:
            runtime_adapters.convert(connection, self.names["app"])

    def admin(self, statement: str) -> None:
        with self.db.connect() as connection:
            connection.execute(statement.format(**self.names).encode())

    def app(self, **parameters: Any) -> psycopg.Connection[Any]:
        return self.db.connect(user=self.names["app"], **parameters)


@pytest.fixture
def lab(db: Database) -> Lab:
    return Lab(db)


def reasons(connection: Any) -> tuple[tuple[str, str], ...]:
    try:
        guard(connection)
    except ExemptRole as error:
        return error.reasons
    return ()


@pytest.mark.parametrize("sabotage", SABOTAGES.values(), ids=SABOTAGES)
def test_a_sabotage_is_found_and_mended(sabotage: Sabotage, lab: Lab) -> None:
    with lab.app() as connection:
        assert reasons(connection) == ()
    for statement in sabotage.admin:
        lab.admin(statement)
    with lab.app() as connection:
        for statement in sabotage.app:
            connection.execute(statement.format(**lab.names).encode())
        if any("ALTER ROLE" in statement for statement in sabotage.app):
            connection.close()
            connection = lab.app()  # a default is that of later sessions
        found = reasons(connection)
        assert any(sabotage.words.format(**lab.names) in why for why, _ in found)
        for _, mend in found:
            if mend.startswith("SET "):  # of the session
                connection.execute(mend.encode())
            else:
                lab.admin(mend)
        if not any(mend.startswith("SET ") for _, mend in found):
            connection.close()
            connection = lab.app()
        assert reasons(connection) == ()
        connection.close()


@pytest.mark.pg("<16")
def test_createrole_is_everything_before_16(lab: Lab) -> None:
    lab.admin("ALTER ROLE {app} CREATEROLE")
    with lab.app() as connection:
        assert [why for why, _ in reasons(connection)] == [
            f"{lab.names['app']} has CREATEROLE and may grant itself any role"
        ]


@pytest.mark.pg(">=16")
def test_what_leads_nowhere_is_let_pass(lab: Lab) -> None:
    for statement in (
        "CREATE ROLE {other} BYPASSRLS",
        "GRANT {other} TO {app} WITH INHERIT FALSE, SET FALSE",
        "ALTER ROLE {app} CREATEROLE",
    ):
        lab.admin(statement)
    with lab.app() as connection:
        assert reasons(connection) == ()


def test_a_role_taken_on_does_not_hide_the_login(lab: Lab) -> None:
    with lab.db.connect() as connection:
        connection.execute(f"SET ROLE {lab.names['app']}".encode())
        assert any("is a superuser" in why for why, _ in reasons(connection))


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("app.current_tenant_id=b", "this session begins with app.current_tenant_id = b"),
        ("row_security=off", "this session has row_security = off"),
    ],
)
def test_a_dsn_that_brings_a_setting_is_refused(option: str, words: str, lab: Lab) -> None:
    with lab.app(options=f"-c {option}") as connection:
        assert any(words in why for why, _ in reasons(connection))
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL app.current_tenant_id = ''")
            assert any(words in why for why, _ in reasons(connection))


def test_another_setting_is_asked_for_by_its_name(lab: Lab) -> None:
    lab.admin("ALTER ROLE {app} SET app.tenant = 'b'")
    with lab.app() as connection:
        guard(connection)
        with pytest.raises(ExemptRole, match=r"app\.tenant = b"):
            guard(connection, binding=Binding("app.tenant"))


def test_what_a_session_of_the_database_is_given_is_the_owners_word(lab: Lab) -> None:
    lab.admin("ALTER DATABASE {db} SET search_path = public")
    with lab.app() as connection:
        assert reasons(connection) == ()


def test_the_message_names_the_role_and_the_statement(lab: Lab) -> None:
    lab.admin("ALTER ROLE {app} BYPASSRLS")
    app = lab.names["app"]
    with lab.app() as connection, pytest.raises(ExemptRole) as caught:
        guard(connection)
    assert str(caught.value) == (
        f"role {app} is not bound by row level security:\n  - {app} has BYPASSRLS\n"
        f"    ALTER ROLE {app} NOBYPASSRLS;"
    )
    assert caught.value.role == app


def test_pools_are_guarded_without_a_scope(lab: Lab) -> None:
    app = lab.names["app"]
    with lab.app() as connection:
        dsn = f"{connection.info.dsn} user={app}"
    url = re.sub(r"//[^/@]*@?/", f"//{app}@/", lab.db.dsn, count=1)

    async def main() -> None:
        async with AsyncConnectionPool(
            dsn, connection_class=AsyncConnection, configure=guard_async, min_size=1
        ) as pool:
            with tenant("a"):
                async with pool.connection(timeout=5) as connection:
                    await connection.execute("SELECT 1 FROM notes")
        async with asyncpg.create_pool(
            url, connection_class=AsyncpgConnection, init=guard_async, min_size=1
        ) as asyncpg_pool:
            with tenant("a"):
                assert await asyncpg_pool.fetch("SELECT 1 FROM notes") == []
        lab.admin("ALTER ROLE {app} BYPASSRLS")
        with pytest.raises(ExemptRole, match="BYPASSRLS"):
            await asyncpg.create_pool(url, connection_class=AsyncpgConnection, init=guard_async, min_size=1)
        lab.admin("ALTER ROLE {app} NOBYPASSRLS")

    pool = ConnectionPool(dsn, connection_class=Connection, configure=guard, min_size=1, open=True)
    with pool, tenant("a"), pool.connection(timeout=5) as connection:
        connection.execute("SELECT 1 FROM notes")
    asyncio.run(main())
    assert current_or_none() is None


def test_the_converted_example_passes(db: Database) -> None:
    reference.load(db)
    apply(db.dsn, reference.plan(db, "online"))
    with db.connect(user="app_user") as connection:
        assert reasons(connection) == ()

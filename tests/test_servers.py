"""The test databases: fresh, apart from each other, and gone afterwards with their roles."""

import subprocess
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.servers import Database, MakeDatabase, Server, _with_database, meets


def _names(server: Server, query: str) -> set[str]:
    with psycopg.connect(server.dsn) as connection:
        return {name for (name,) in connection.execute(query)}


def _create_role(connection: psycopg.Connection[tuple[object, ...]], role: str) -> None:
    connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))


def test_a_database_is_fresh_and_knows_its_server(db: Database, make_db: MakeDatabase) -> None:
    with db.connect() as connection:
        connection.execute("CREATE TABLE skills (id text)")
        assert connection.info.dbname == db.name
        assert connection.info.server_version == db.server_version
    other = make_db()
    assert other.name != db.name
    with other.connect() as connection:
        assert connection.execute("SELECT to_regclass('skills')").fetchone() == (None,)


def test_a_copy_has_what_its_template_has(db: Database, make_db: MakeDatabase) -> None:
    with db.connect() as connection:
        connection.execute("CREATE TABLE skills AS SELECT 7 AS id")
    with make_db(template=db).connect() as connection:
        assert connection.execute("SELECT id FROM skills").fetchone() == (7,)


def test_databases_and_roles_go_even_when_in_use(server: Server) -> None:
    with server.databases() as make:
        one, two = make(), make()
        role, member = one.role("owner"), two.role("member")
        connection = one.connect()
        _create_role(connection, role)
        _create_role(connection, member)
        connection.execute(
            sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(member)),
        )
        connection.execute(sql.SQL("CREATE SCHEMA owned AUTHORIZATION {}").format(sql.Identifier(role)))
        with one.connect(user=member) as as_member:
            assert as_member.info.user == member
    connection.close()
    assert not {one.name, two.name} & _names(server, "SELECT datname FROM pg_database")
    assert not {role, member} & _names(server, "SELECT rolname FROM pg_roles")


def test_a_private_server_forgets_every_new_role_and_a_shared_one_only_ours(server: Server) -> None:
    if not server.private:
        pytest.skip("would leave a role on a server that others use")
    shared = Server(server.dsn, server.version, private=False)
    with server.databases():
        with shared.databases() as make, make().connect() as connection:
            _create_role(connection, "somebody_else")
        assert "somebody_else" in _names(server, "SELECT rolname FROM pg_roles")
    assert "somebody_else" not in _names(server, "SELECT rolname FROM pg_roles")


def test_psql_runs_a_file_and_stops_at_the_first_error(db: Database, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.sql", tmp_path / "bad.sql"
    good.write_text("CREATE TABLE skills (id text);\n\\echo made\n")
    bad.write_text("SELECT 1 / 0;\nDROP TABLE skills;\n")
    assert db.psql(good) == "made\n"
    with pytest.raises(subprocess.CalledProcessError) as caught:
        db.psql(bad)
    assert "division by zero" in "".join(caught.value.__notes__)
    with db.connect() as connection:
        assert connection.execute("SELECT to_regclass('skills')").fetchone() == ("skills",)


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        ("host=/run/x port=6000 user=me dbname=a", "postgresql://me@/b?host=/run/x&port=6000"),
        ("postgresql://me:p%40ss@db.test:6000/a", "postgresql://me:p%40ss@/b?host=db.test&port=6000"),
        ("dbname=a", "postgresql:///b?"),
    ],
)
def test_the_dsn_of_another_database(dsn: str, expected: str) -> None:
    assert _with_database(dsn, "b") == expected


@pytest.mark.parametrize(
    ("version", "requirement", "met"),
    [
        (150018, ">=18", False),
        (180006, ">=18", True),
        (150018, "<18", True),
        (180006, "<18", False),
        (180006, "==18", True),
        (180006, ">18", False),
    ],
)
def test_a_requirement_compares_major_versions(version: int, requirement: str, met: bool) -> None:
    assert meets(version, requirement) is met


def test_a_requirement_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(pytest.UsageError, match="not a requirement"):
        meets(180006, "18+")


@pytest.mark.pg(">=18")
def test_marked_for_18_runs_on_18(db: Database) -> None:
    assert db.server_version >= 180000


@pytest.mark.pg("<18")
def test_marked_for_older_servers_runs_on_those(db: Database) -> None:
    assert db.server_version < 180000

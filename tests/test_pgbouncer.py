"""The PgBouncer that the self-test puts before a database: who is let in, and where it leads."""

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tenantry.mutations.pgbouncer import ABSENT, PROGRAM, pooled
from tests.servers import Database

pytestmark = pytest.mark.skipif(PROGRAM is None, reason=f"NOT TESTED HERE: {ABSENT}")
SELF = "SELECT current_user"


def test_nobody_is_let_in_without_its_password(db: Database) -> None:
    with db.connect() as conn:
        conn.execute(f'CREATE ROLE "{db.role("app")}" LOGIN'.encode())
    with pooled(db.dsn, db.role("app")) as dsn:
        with psycopg.connect(dsn) as conn:
            assert conn.execute(SELF).fetchone() == (db.role("app"),)
        told = conninfo_to_dict(dsn)
        assert told["password"]
        for other in (
            {"password": "guess"},
            {"password": ""},
            {"user": "postgres"},
            {"user": "nobody", "password": "x"},
        ):
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(make_conninfo(dsn, **other), connect_timeout=5)


def test_a_role_may_be_called_anything(db: Database) -> None:
    name = f'{db.role("a")} "b"/c@d'
    with db.connect() as conn:
        conn.execute(psycopg.sql.SQL("CREATE ROLE {} LOGIN").format(psycopg.sql.Identifier(name)))
    try:
        with pooled(db.dsn, name) as dsn, psycopg.connect(dsn) as conn:
            assert conn.execute(SELF).fetchone() == (name,)
    finally:
        with db.connect() as conn:
            conn.execute(psycopg.sql.SQL("DROP ROLE {}").format(psycopg.sql.Identifier(name)))


def test_a_dsn_may_leave_the_server_to_the_environment(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    given = conninfo_to_dict(db.dsn)
    for key in ("host", "port", "user", "password"):
        monkeypatch.setenv(f"PG{key.upper()}", str(given[key])) if given.get(key) else None
    with pooled(f"dbname={db.name}") as dsn, psycopg.connect(dsn) as conn:
        assert conn.execute("SELECT current_database()").fetchone() == (db.name,)

"""Reading a database: transactions, errors, digests, and what only some servers have."""

import gc
import signal
import subprocess
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from tenantry import introspect
from tenantry.catalog import Column, Key
from tenantry.errors import CatalogError
from tenantry.names import QName
from tests.introspected import read, script
from tests.servers import Database, MakeDatabase, Server


def test_sizes(db: Database) -> None:
    with db.connect() as conn:
        conn.execute("CREATE TABLE t (id int PRIMARY KEY, body text)")
        conn.execute("ALTER TABLE t ALTER body SET STORAGE EXTERNAL")
        assert [(t.rows, t.bytes > 0) for t in introspect.read(conn).tables] == [(0, True)]
        conn.execute("INSERT INTO t SELECT i, repeat('x', 3000) FROM generate_series(1, 500) AS i")
        conn.execute("VACUUM ANALYZE t")
        (table,) = introspect.read(conn).tables
        sizes = conn.execute(
            "SELECT pg_relation_size('t') + pg_relation_size('t_pkey') + pg_relation_size(reltoastrelid),"
            " pg_total_relation_size('t'), pg_relation_size('t_pkey') FROM pg_class WHERE relname = 't'"
        ).fetchone()
    assert sizes is not None
    assert table.rows == 500
    assert sizes[0] <= table.bytes <= sizes[1]  # the total counts the maps of free space and visibility too
    assert sizes[2] > 8192  # or the index would not be missed


def test_the_digest_is_of_structure(make_db: MakeDatabase, tmp_path: Path) -> None:
    db = make_db()
    with db.connect() as conn:
        conn.execute(script(db))
        for member in ("TABLE member_table", "VIEW member_view", "FUNCTION member_function()"):
            conn.execute(f"ALTER EXTENSION citext DROP {member}".encode())  # a dump leaves members out
        before = introspect.read(conn)
        conn.execute("INSERT INTO room (code, tag) SELECT 'r' || i, 'x' FROM generate_series(1, 50) AS i")
        conn.execute("ANALYZE")
    counted = read(db)
    assert counted.by_name[QName("public", "room")].rows == 50
    assert counted.digest == before.digest
    dump = tmp_path / "dump.sql"
    subprocess.run([db.server.program("pg_dump"), "-f", str(dump), db.dsn], check=True)
    restored = make_db()
    restored.psql(dump)
    assert read(restored).structure() == before.structure()
    assert read(restored).digest == before.digest


@pytest.mark.parametrize(
    "change",
    [
        "CREATE POLICY p ON t USING (true)",
        "ALTER TABLE t ADD COLUMN b int",
        "ALTER TABLE t ALTER COLUMN id DROP NOT NULL",
        "GRANT SELECT ON t TO PUBLIC",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        "CREATE INDEX ON t (id)",
        "ALTER TABLE t ADD CHECK (id > 0)",
        "CREATE VIEW v AS SELECT 1 AS one",
        "CREATE TABLE u (id int)",
        "CREATE TRIGGER t BEFORE INSERT ON t EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "CREATE EXTENSION citext",
    ],
)
def test_the_digest_changes_with_the_structure(db: Database, change: str) -> None:
    with db.connect() as conn:
        conn.execute("CREATE TABLE t (id int NOT NULL)")
        before = introspect.read(conn)
        conn.execute(change.encode())
        assert introspect.read(conn).digest != before.digest


def test_a_read_ends_with_its_transaction(db: Database) -> None:
    with db.connect(autocommit=False) as conn:
        introspect.read(conn)
        assert conn.info.transaction_status == TransactionStatus.IDLE
        assert conn.execute("SHOW search_path").fetchone() == ('"$user", public',)
        assert conn.execute("SHOW transaction_isolation").fetchone() == ("read committed",)
        assert conn.execute("SHOW transaction_read_only").fetchone() == ("off",)


def test_an_open_transaction_goes_on(db: Database) -> None:
    with db.connect(autocommit=False) as conn:
        conn.execute("SET LOCAL search_path = pg_catalog")
        conn.execute("CREATE TABLE public.mine (id int)")
        assert [t.name for t in introspect.read(conn).tables] == ["mine"]
        assert conn.info.transaction_status == TransactionStatus.INTRANS
        assert conn.execute("SHOW search_path").fetchone() == ("pg_catalog",)
        conn.rollback()
        assert introspect.read(conn).tables == ()


def test_one_state_is_seen_whatever_others_do(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    query = introspect._sql

    def meanwhile(name: str) -> bytes:
        if name == "tables":
            other.execute("CREATE TABLE late (id int)")
        return query(name)

    with db.connect() as conn, db.connect() as other:
        conn.execute("CREATE TABLE early (id int)")
        monkeypatch.setattr(introspect, "_sql", meanwhile)
        assert [t.name for t in introspect.read(conn).tables] == ["early"]
        monkeypatch.undo()
        assert [t.name for t in introspect.read(conn).tables] == ["early", "late"]


@pytest.mark.parametrize(
    ("drop", "words"),
    [
        ("DROP INDEX t_abs_idx", r"an index: it was dropped while the catalog was read; read again"),
        (
            "ALTER TABLE t DROP CONSTRAINT t_pkey",
            r"cannot be read: .*; an object was probably dropped .* read again",
        ),
    ],
)
def test_an_object_dropped_while_it_is_read(db: Database, drop: str, words: str) -> None:
    with db.connect() as conn, db.connect(autocommit=False) as reader:
        conn.execute("CREATE TABLE t (a int PRIMARY KEY, b int CONSTRAINT small CHECK (b < 9))")
        conn.execute("CREATE INDEX ON t (abs(b))")
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT 1")
        conn.execute(drop.encode())
        with pytest.raises(CatalogError, match=words):
            introspect.read(reader)
        reader.rollback()
        assert introspect.read(reader).by_name[QName("public", "t")].column("a") is not None


def test_a_failed_transaction_is_refused(db: Database) -> None:
    with db.connect(autocommit=False) as conn:
        with pytest.raises(psycopg.errors.DivisionByZero):
            conn.execute("SELECT 1 / 0")
        with pytest.raises(
            CatalogError, match=f"database {db.name}: the transaction .* failed; roll it back"
        ):
            introspect.read(conn)


def test_a_closed_connection_is_refused(db: Database) -> None:
    conn = db.connect()
    conn.close()
    with pytest.raises(CatalogError, match="connection: it is closed; connect again"):
        introspect.read(conn)


def test_a_lost_connection(db: Database) -> None:
    with db.connect() as conn, db.connect() as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (conn.info.backend_pid,))
        with pytest.raises(CatalogError, match=r"connection: it was lost .*; connect again"):
            introspect.read(conn)


def test_an_old_server_is_refused() -> None:
    conn: Any = SimpleNamespace(closed=False, info=SimpleNamespace(dbname="shop", server_version=140009))
    with pytest.raises(
        CatalogError, match="database shop: its server is PostgreSQL 14; upgrade it to 15 or later"
    ):
        introspect.read(conn)


def test_a_query_that_may_not_be_run(db: Database) -> None:
    role = db.role("reader")
    with db.connect() as conn:
        conn.execute(f"CREATE ROLE {role} LOGIN; REVOKE SELECT ON pg_policy FROM PUBLIC".encode())
    words = r"cannot be read: permission denied for table pg_policy; grant this role SELECT on that catalog"
    with db.connect(user=role) as conn:
        with pytest.raises(CatalogError, match=words):
            introspect.read(conn)
        assert conn.execute("SELECT 1").fetchone() == (1,)


def test_a_lock_that_is_waited_for_too_long(db: Database) -> None:
    with db.connect() as conn, db.connect(autocommit=False) as holder:
        conn.execute("CREATE TABLE t (id int, CHECK (id > 0))")
        conn.execute("SET lock_timeout = '50ms'")
        holder.execute("LOCK pg_policy IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(
            CatalogError, match=r"lock timeout; raise that timeout, or wait .* and read again"
        ):
            introspect.read(conn)


def test_an_interrupt_ends_the_wait(db: Database) -> None:
    with db.connect() as conn, db.connect(autocommit=False) as holder:
        holder.execute("LOCK pg_policy IN ACCESS EXCLUSIVE MODE")
        me = threading.get_ident()
        interrupt = threading.Timer(0.5, lambda: signal.pthread_kill(me, signal.SIGINT))
        interrupt.start()
        with pytest.raises(KeyboardInterrupt):
            introspect.read(conn)
        interrupt.join()
        assert conn.info.transaction_status == TransactionStatus.IDLE
        assert gc.isenabled()
        holder.rollback()
        assert introspect.read(conn).tables == ()


def test_a_name_in_another_encoding(server: Server, db: Database) -> None:
    name = f"{db.name}_latin1"
    with db.connect() as conn:
        conn.execute(f"CREATE DATABASE {name} ENCODING latin1 LOCALE 'C' TEMPLATE template0".encode())
        try:
            with db.connect(dbname=name) as other:
                other.execute("SET client_encoding = utf8")
                other.execute("CREATE TABLE größe (id int)")
                other.execute("RESET client_encoding")
                assert [t.name for t in introspect.read(other).tables] == ["größe"]
                assert other.info.encoding == "iso8859-1"
        finally:
            conn.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def test_a_tablespace(db: Database) -> None:
    if not db.server.private:
        pytest.skip("NOT TESTED HERE: a tablespace is the whole server's, and this server is not private")
    name = f"{db.name}_space"
    with db.connect() as conn:
        conn.execute("SET allow_in_place_tablespaces = on")
        conn.execute(f"CREATE TABLESPACE {name} LOCATION ''".encode())
        try:
            conn.execute(
                f"CREATE TABLE t (a int, b int); CREATE INDEX here ON t (a) TABLESPACE {name}".encode()
            )
            conn.execute("CREATE INDEX there ON t (b)")
            (table,) = introspect.read(conn).tables
            assert [(i.name, i.tablespace) for i in table.indexes] == [("here", name), ("there", None)]
        finally:
            conn.execute("DROP TABLE IF EXISTS t")
            conn.execute(f"DROP TABLESPACE {name}".encode())


def test_a_nondeterministic_collation(db: Database) -> None:
    with db.connect() as conn:
        try:
            conn.execute("CREATE COLLATION loose (provider = icu, locale = 'und', deterministic = false)")
        except psycopg.errors.FeatureNotSupported:
            pytest.skip("NOT TESTED HERE: this server was built without ICU")
        conn.execute("CREATE TABLE t (a text COLLATE loose, b text)")
        (table,) = introspect.read(conn).tables
    assert table.columns == (
        Column("a", "text", "text", False, collation="public.loose", deterministic=False),
        Column("b", "text", "text", False),
    )


@pytest.mark.pg(">=16")
def test_a_membership_that_gives_nothing(db: Database) -> None:
    a, b, c, d = (db.role(word) for word in "abcd")
    with db.connect() as conn:
        conn.execute(
            f"CREATE ROLE {a}; CREATE ROLE {b}; CREATE ROLE {c}; CREATE ROLE {d};"
            f"GRANT {a} TO {d} WITH SET FALSE, INHERIT FALSE;"
            f"GRANT {b} TO {d} WITH SET FALSE, INHERIT TRUE; GRANT {c} TO {d} WITH SET TRUE, INHERIT FALSE".encode()
        )
        assert introspect.read(conn).roles_by_name[d].member_of == (b, c)


@pytest.mark.pg(">=18")
def test_what_postgresql_18_brought(db: Database) -> None:
    with db.connect() as conn:
        conn.execute("CREATE EXTENSION btree_gist; CREATE TABLE w (id int PRIMARY KEY)")
        conn.execute(
            "CREATE TABLE t (id int, twice int GENERATED ALWAYS AS (id * 2) VIRTUAL, valid tstzrange,"
            " CONSTRAINT lax CHECK (id > 0) NOT ENFORCED, CONSTRAINT t_key PRIMARY KEY (id, valid WITHOUT OVERLAPS))"
        )
        conn.execute(
            "CREATE TABLE u (id int, b int CONSTRAINT lax_fk REFERENCES w NOT ENFORCED, valid tstzrange,"
            " CONSTRAINT u_fk FOREIGN KEY (id, PERIOD valid) REFERENCES t (id, PERIOD valid))"
        )
        conn.execute("ALTER TABLE u ADD CONSTRAINT u_b NOT NULL b NOT VALID, ADD CONSTRAINT u_id NOT NULL id")
        t, u, _ = introspect.read(conn).tables
    assert t.columns[1] == Column("twice", "integer", "integer", False, default="(id * 2)", generated="v")
    key, lax, temporal = t.primary_key, t.constraint("lax"), u.constraint("u_fk")
    assert key is not None
    assert lax is not None
    assert temporal is not None
    assert (key.period, lax.enforced, lax.period, temporal.period, temporal.enforced) == (
        True,
        False,
        False,
        True,
        True,
    )
    assert t.indexes[0].keys[1] == Key("valid", operator="OPERATOR(pg_catalog.&&)")
    assert [(c.name, c.enforced) for c in u.foreign_keys] == [("lax_fk", False), ("u_fk", True)]
    assert [(c.name, c.kind, c.columns, c.validated) for c in u.constraints if c.kind == "not_null"] == [
        ("u_b", "not_null", ("b",), False)
    ]
    assert [(c.name, c.not_null) for c in u.columns] == [("id", True), ("b", False), ("valid", False)]

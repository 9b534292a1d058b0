"""Captured row changes: every way in which rows change becomes events of the row's tenant, and only the difference."""

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tenantry import introspect, planner
from tenantry.apply import apply
from tenantry.errors import PlanError
from tenantry.names import QName
from tenantry.revert import revert
from tenantry.spec import Capture, Spec
from tests import extended
from tests.extended import bind, events, undone
from tests.servers import Database, Server

World = tuple[Database, Spec]
SHOWN = "tenant_id, action, resource_type, resource_id, metadata"


@pytest.fixture(scope="module")
def world(server: Server) -> Iterator[World]:
    with server.databases() as make:
        db = make()
        yield db, extended.make(db)


@pytest.fixture
def conn(world: World) -> Iterator[psycopg.Connection[Any]]:
    with undone(world[0]) as found:
        bind(found, tenant="elsewhere")  # the setting must not matter
        found.execute("INSERT INTO desks (id, name, tenant_id) VALUES (2, 'b', 'globex'), (3, 'c', 'acme')")
        found.execute(
            "INSERT INTO drawers (id, desk_id, tenant_id) VALUES (1, 2, 'globex'), (2, 2, 'globex')"
        )
        found.execute("CREATE TEMP TABLE mark ON COMMIT DROP AS SELECT max(seq) AS seq FROM audit_logs")
        yield found


def captured(conn: psycopg.Connection[Any], columns: str = SHOWN) -> list[tuple[Any, ...]]:
    """The events since the test began."""
    return events(conn, columns, "seq > (SELECT seq FROM mark)")


def actions(conn: psycopg.Connection[Any]) -> list[str]:
    return [
        f"{kind} {id_} {action}" for action, kind, id_ in captured(conn, "action, resource_type, resource_id")
    ]


def test_an_insert_is_recorded_whole_but_for_what_is_redacted(conn: psycopg.Connection[Any]) -> None:
    conn.execute(
        "INSERT INTO desks (id, name, secret, doc, tenant_id) VALUES (9, 'it''s', 's', '{\"a\": [1]}', 'globex')"
    )
    new = {"id": 9, "name": "it's", "doc": {"a": [1]}, "num": None, "at": None, "secret": "[redacted]"}
    assert captured(conn) == [("globex", "row.insert", "desks", "9", {"new": new})]
    assert captured(conn, "actor_id, request_id, context, database_user") == [
        ("u1", "r1", {"captured": True}, "postgres")
    ]


def test_an_update_is_recorded_as_the_difference(conn: psycopg.Connection[Any]) -> None:
    conn.execute("UPDATE desks SET name = NULL, secret = 'x' WHERE id = 2")
    assert captured(conn) == [
        ("globex", "row.update", "desks", "2",
         {"old": {"name": "b", "secret": "[redacted]"}, "new": {"name": None, "secret": "[redacted]"}})
    ]  # fmt: skip


@pytest.mark.parametrize(
    "change", ["doc = '{\"a\":  1}'", "num = 1.00", "at = 'done'"], ids=["json", "scale of a number", "enum"]
)
def test_a_change_that_no_operator_tells_is_recorded(conn: psycopg.Connection[Any], change: str) -> None:
    conn.execute("UPDATE desks SET doc = '{\"a\": 1}', num = 1.0, at = 'open' WHERE id = 2")
    conn.execute(f"UPDATE desks SET {change} WHERE id = 2".encode())
    assert len(captured(conn)) == 2


def test_what_changes_nothing_is_no_event(conn: psycopg.Connection[Any]) -> None:
    conn.execute("UPDATE desks SET name = name")
    conn.execute("UPDATE keyless SET a = 1")
    conn.execute("DELETE FROM desks WHERE false")
    assert captured(conn) == []


def test_a_delete_cascades_and_each_row_is_told(conn: psycopg.Connection[Any]) -> None:
    conn.execute("DELETE FROM desks WHERE id = 2")
    assert sorted(actions(conn)) == ["desks 2 row.delete", "drawers 1 row.delete", "drawers 2 row.delete"]


def test_a_changed_key_is_one_row_gone_and_one_come_also_by_cascade(conn: psycopg.Connection[Any]) -> None:
    conn.execute("SET CONSTRAINTS ALL IMMEDIATE")
    conn.execute("ALTER TABLE drawers DROP CONSTRAINT drawers_tenant_desk_fk")
    conn.execute(
        "ALTER TABLE drawers ADD FOREIGN KEY (tenant_id, desk_id) REFERENCES desks (tenant_id, id) ON UPDATE CASCADE"
    )
    conn.execute("UPDATE desks SET id = 20 WHERE id = 2")
    assert sorted(actions(conn)) == [
        "desks 2 row.delete", "desks 20 row.insert", "drawers 1 row.update", "drawers 2 row.update",
    ]  # fmt: skip


def test_a_row_that_changes_tenants_is_told_to_both(conn: psycopg.Connection[Any]) -> None:
    conn.execute("UPDATE desks SET tenant_id = 'globex' WHERE id = 3")
    conn.execute("INSERT INTO keyless (b, tenant_id) VALUES ('n', 'acme')")
    conn.execute("UPDATE keyless SET tenant_id = 'globex'")
    found = captured(conn, "tenant_id, resource_type, action")
    assert found[:2] == [("acme", "desks", "row.delete"), ("globex", "desks", "row.insert")]
    assert found[3:] == [("acme", "keyless", "row.delete"), ("globex", "keyless", "row.insert")]


def test_copy_is_recorded(conn: psycopg.Connection[Any]) -> None:
    with conn.cursor() as cursor, cursor.copy("COPY desks (id, name, tenant_id) FROM STDIN") as copy:
        copy.write_row((10, "x", "acme"))
        copy.write_row((11, "y", "globex"))
    assert captured(conn, "tenant_id, resource_id, action") == [
        ("acme", "10", "row.insert"), ("globex", "11", "row.insert"),
    ]  # fmt: skip


def test_on_conflict_is_recorded_as_what_it_came_to(conn: psycopg.Connection[Any]) -> None:
    conn.execute(
        "INSERT INTO desks (id, name, tenant_id) VALUES (3, 'again', 'acme'), (12, 'new', 'acme')"
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name"
    )
    assert sorted(actions(conn)) == ["desks 12 row.insert", "desks 3 row.update"]


def test_merge_is_recorded_as_what_it_came_to(conn: psycopg.Connection[Any]) -> None:
    conn.execute(
        "MERGE INTO desks AS d USING (VALUES (1), (2), (13)) AS v (id) ON d.id = v.id"
        " WHEN MATCHED AND v.id = 2 THEN DELETE WHEN MATCHED THEN UPDATE SET name = 'merged'"
        " WHEN NOT MATCHED THEN INSERT (id, tenant_id) VALUES (v.id, 'acme')"
    )
    assert sorted(a for a in actions(conn) if a.startswith("desks")) == [
        "desks 1 row.update", "desks 13 row.insert", "desks 2 row.delete",
    ]  # fmt: skip


def test_changes_within_a_with_are_recorded(conn: psycopg.Connection[Any]) -> None:
    conn.execute("WITH gone AS (DELETE FROM sizes RETURNING id) INSERT INTO sizes VALUES (1, 'L'), (2, 'M')")
    assert captured(conn, "tenant_id, action, resource_id") == [
        (None, "row.insert", "1"), (None, "row.insert", "2"),
    ]  # fmt: skip


def test_a_partition_is_recorded_however_it_is_addressed(conn: psycopg.Connection[Any]) -> None:
    conn.execute("INSERT INTO parts VALUES (1, '2020-02-02', 'a', 'acme'), (2, '2021-02-02', 'b', 'acme')")
    conn.execute("INSERT INTO parts_old VALUES (3, '2020-03-03', 'c', 'globex')")
    conn.execute("UPDATE parts_old SET note = 'd' WHERE id = 3")
    conn.execute("UPDATE parts SET at = '2021-03-03' WHERE id = 3")  # to another partition
    conn.execute("DELETE FROM parts_new WHERE id = 3")
    assert captured(conn, "action, resource_type, resource_id") == [
        ("row.insert", "parts", '[1, "2020-02-02"]'), ("row.insert", "parts", '[2, "2021-02-02"]'),
        ("row.insert", "parts", '[3, "2020-03-03"]'), ("row.update", "parts", '[3, "2020-03-03"]'),
        ("row.delete", "parts", '[3, "2020-03-03"]'), ("row.insert", "parts", '[3, "2021-03-03"]'),
        ("row.delete", "parts", '[3, "2021-03-03"]'),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "told"),
    [("desks, drawers", {"desks", "drawers"}), ("parts_old", {"parts_old"}), ("parts", {"parts", "parts_old", "parts_new"})],
)  # fmt: skip
def test_truncate_is_recorded_for_each_table_that_it_empties(
    conn: psycopg.Connection[Any], statement: str, told: set[str]
) -> None:
    conn.execute(f"TRUNCATE {statement}".encode())
    found = captured(conn, "tenant_id, action, metadata ->> 'relation'")
    assert {r.removeprefix("public.") for _, _, r in found} == told
    assert {(t, a) for t, a, _ in found} == {(None, "row.truncate")}


def test_replication_mode_is_recorded_too(conn: psycopg.Connection[Any]) -> None:
    conn.execute("SET LOCAL session_replication_role = replica")
    conn.execute(
        "UPDATE sizes SET label = 'x'; INSERT INTO sizes VALUES (5, 'x'); UPDATE keyless SET b = 'x'"
    )
    conn.execute("TRUNCATE sizes")
    assert [a for (a,) in captured(conn, "action")] == ["row.insert", "row.truncate"]


def test_an_event_goes_with_the_change_that_is_rolled_back(conn: psycopg.Connection[Any]) -> None:
    with conn.transaction(force_rollback=True):
        conn.execute("DELETE FROM sizes; INSERT INTO sizes VALUES (7, 'x')")
    assert captured(conn) == []


def test_the_application_is_recorded_under_its_policies(world: World, conn: psycopg.Connection[Any]) -> None:
    bind(conn, tenant="acme", actor="ann")
    extended.become(conn, world[1].roles.app)
    conn.execute("UPDATE desks SET name = 'mine'")
    conn.execute("INSERT INTO keyless (b) VALUES ('k')")
    conn.execute("RESET ROLE")
    found = captured(conn, "tenant_id, actor_id, action, resource_id")
    assert sorted(found, key=str) == sorted(
        [("acme", "ann", "row.update", "1"), ("acme", "ann", "row.update", "3"), ("acme", "ann", "row.insert", None)],
        key=str,
    )  # fmt: skip


# The plan


def ids(db: Database, declared: Spec) -> set[str]:
    with db.connect() as conn:
        return {step.id for step in planner.plan(declared, introspect.read(conn), "online")}


def test_what_does_not_capture_any_more_is_planned_again(world: World) -> None:
    db, declared = world
    assert ids(db, declared) == set()
    breaks = {
        "ALTER TABLE desks DISABLE TRIGGER audit_capture_update": "harden.desks.audit_capture_update",
        "ALTER TABLE desks ENABLE TRIGGER audit_capture_insert": "harden.desks.audit_capture_insert",
        "DROP TRIGGER audit_capture_truncate ON parts_old": "harden.parts_old.audit_capture_truncate",
        "ALTER TABLE desks ADD COLUMN more text": "harden.audit.capture_desks",
    }
    with db.connect() as conn:
        for statement in breaks:
            conn.execute(statement.encode())
    assert ids(db, declared) == set(breaks.values())
    with db.connect() as conn:
        conn.execute("ALTER TABLE desks DROP COLUMN more")
        found = planner.plan(declared, introspect.read(conn), "online")
    apply(db.dsn, found)
    assert ids(db, declared) == set()


def test_a_table_that_is_not_captured_any_more_loses_its_triggers_and_gets_them_back(world: World) -> None:
    db, declared = world
    assert declared.audit is not None
    fewer = declared.audit.model_copy(update={"capture": declared.audit.capture[:1]})
    less = declared.model_copy(update={"audit": fewer})
    with db.connect() as conn:
        found = planner.plan(less, introspect.read(conn), "online")
    assert {s.object for s in found} == {"drawers", "keyless", "sizes", "parts", "parts_old", "parts_new"}
    apply(db.dsn, found)
    assert ids(db, less) == set()
    revert(db.dsn, plan_id=max(n for (n,) in _plans(db)))
    assert ids(db, declared) == set()


def _plans(db: Database) -> list[tuple[int]]:
    with db.connect() as conn:
        return conn.execute("SELECT id FROM tenantry.plans").fetchall()


@pytest.mark.parametrize(
    ("capture", "words"),
    [
        ({"table": "nowhere"}, "nowhere: [audit] capture names a table that is not there"),
        ({"table": "desks", "only": ["x"]}, "only names column x, which is not there"),
        ({"table": "desks", "redact": ["x"]}, "redact names column x, which is not there"),
        ({"table": "desks", "only": ["name"], "redact": ["secret"]}, "secret is in redact and not in only"),
        ({"table": "desks", "redact": ["id"]}, "id names the row and cannot be redacted"),
        ({"table": "parts_old"}, "capture names a table without a scope"),
    ],
)
def test_a_capture_that_cannot_be_is_refused(world: World, capture: dict[str, Any], words: str) -> None:
    db, declared = world
    assert declared.audit is not None
    asked = declared.audit.model_copy(update={"capture": (Capture.model_validate(capture),)})
    wrong = declared.model_copy(update={"audit": asked})
    with pytest.raises(PlanError) as found:
        ids(db, wrong)
    assert words in str(found.value)


def test_columns_may_have_the_names_of_the_function_s_own(db: Database) -> None:
    names = ("actor", "address", "request", "session", "agent", "base", "o", "n", "audit_new", "tg_op")
    with db.connect() as conn:
        columns = ", ".join(f"{name} text" for name in names)
        conn.execute(f"CREATE TABLE people (id integer PRIMARY KEY, {columns})".encode())
        catalog = introspect.read(conn)
    declared = extended.declared(db)
    assert declared.audit is not None
    audit = declared.audit.model_copy(update={"capture": (Capture(table=QName("public", "people")),)})
    rule = declared.tables[QName("public", "desks")]
    tables = {QName("public", "people"): rule}
    apply(
        db.dsn,
        planner.plan(
            declared.model_copy(update={"audit": audit, "tables": tables}), catalog, "transactional"
        ),
    )
    with undone(db) as conn:
        bind(conn)
        given = ", ".join(f"'{name} 1'" for name in names)
        conn.execute(f"INSERT INTO people VALUES (1, {given}, 'acme')".encode())
        conn.execute("UPDATE people SET actor = 'x', session = 'y'")
        conn.execute("DELETE FROM people")
        found = events(conn, "action, actor_id, ip_address, request_id, session_id, user_agent, metadata")
    assert [row[0] for row in found] == ["row.insert", "row.update", "row.delete"]
    assert {row[1:6] for row in found} == {("u1", "10.0.0.1", "r1", "s1", "test")}
    assert found[0][6]["new"] == {"id": 1} | {name: f"{name} 1" for name in names}
    assert found[1][6] == {
        "old": {"actor": "actor 1", "session": "session 1"},
        "new": {"actor": "x", "session": "y"},
    }


def test_the_ids_of_a_statement_s_events_are_random_and_their_own(conn: psycopg.Connection[Any]) -> None:
    for first in (1000, 2000):
        conn.execute(
            "INSERT INTO desks (id, name, tenant_id) SELECT n, 'x', 'acme' FROM generate_series(%s::int, %s) AS n",
            (first, first + 299),
        )
    conn.execute("UPDATE desks SET name = 'y' WHERE id >= 1000")
    ids = [
        row[0]
        for row in events(conn, "id", "action IN ('row.insert', 'row.update') AND resource_id::int >= 1000")
    ]
    assert len(ids) == len({*ids}) == 1200
    assert {(one.version, one.variant) for one in ids} == {(4, uuid.RFC_4122)}
    assert len({one.hex[:24] for one in ids}) == 3

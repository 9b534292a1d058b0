"""Reading a database: what is beside its tables, what is left out, and that every reader gets the same."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from tenantry import introspect
from tenantry.catalog import (
    OWN_SCHEMA,
    Catalog,
    Column,
    Grant,
    Policy,
    Role,
    Schema,
    Sequence,
    Trigger,
)
from tenantry.names import QName
from tests.introspected import LONG, ODD, Rich, read, rich_database
from tests.servers import Database, Server


@pytest.fixture(scope="module")
def rich(server: Server) -> Iterator[Rich]:
    with rich_database(server) as rich:
        yield rich


def test_policies(rich: Rich) -> None:
    team, app = rich.db.role("team"), rich.db.role("app")
    assert rich.table("booking").policies == (
        Policy("everyone", True, "all", (), "(owner = CURRENT_USER)", None),
        Policy("team", False, "insert", (app, team), None, "(room_id > 0)"),
    )


def test_triggers(rich: Rich) -> None:
    late, touch, truncated = rich.table("booking").triggers
    function = QName("public", "touch")
    assert touch == Trigger(
        name="touch",
        timing="before",
        row=True,
        events=("insert", "update"),
        function=function,
        enabled="O",
        definition="CREATE TRIGGER touch BEFORE INSERT OR UPDATE OF owner, room_id ON public.booking"
        " FOR EACH ROW EXECUTE FUNCTION public.touch()",
        update_columns=("owner", "room_id"),
    )
    assert (late.timing, late.events, late.enabled) == ("after", ("delete",), "A")
    assert (truncated.row, truncated.events, truncated.enabled) == (False, ("truncate",), "D")
    assert rich.table("room").triggers == ()  # those of foreign keys are the server's own


def test_grants(rich: Rich) -> None:
    app, team = rich.db.role("app"), rich.db.role("team")
    booking = rich.table("booking")
    assert booking.grants == (Grant("", ("INSERT", "SELECT")), Grant(app, ("SELECT", "UPDATE")))
    assert rich.table("room").grants == ()  # a grant on one column is not on the table
    assert rich.table("room").column_grants
    assert rich.table("edible").grants == ()  # to its owner
    views = {v.name: v.grants for v in rich.catalog.views}
    assert views == {"member_view": (), "rooms_by_id": (), "totals": (Grant(team, ("SELECT",)),)}
    public, odd = rich.catalog.schemas
    assert public.privileges("") == {"USAGE"}
    assert odd == Schema(ODD, "postgres", (Grant(team, ("USAGE",)),))


def test_views(rich: Rich) -> None:
    member, rooms, totals = rich.catalog.views
    room = QName("public", "room")
    assert (rooms.name, rooms.materialized, rooms.security_invoker) == ("rooms_by_id", False, True)
    assert (rooms.reads, rooms.keys) == ((room,), ((room, "room_pkey"),))
    assert (totals.name, totals.materialized, totals.security_invoker) == ("totals", True, False)
    assert totals.reads == (QName("public", "booking"), QName("public", "rooms_by_id"))
    assert (totals.keys, totals.extension, member.extension) == ((), None, "citext")


def test_functions(rich: Rich) -> None:
    book, log, tidy, total, touch = rich.catalog.functions
    assert (book.name, book.arguments) == ("book", "room_id bigint, during tstzrange")
    assert (book.language, book.kind, book.security_definer) == ("sql", "f", False)
    assert "ON CONFLICT ON CONSTRAINT room_code_title_key" in book.source
    assert book.keys == ((QName("public", "room"), "room_code_title_key"),)
    assert (touch.security_definer, touch.config) == (True, ("search_path=public",))
    assert (touch.source, touch.language, touch.keys) == ("BEGIN RETURN NEW; END", "plpgsql", ())
    assert (tidy.kind, total.kind, total.source, log.name) == ("p", "a", "", "log")


def test_sequences(rich: Rich) -> None:
    room, app = QName("public", "room"), rich.db.role("app")
    assert rich.catalog.sequences == (
        Sequence("public", "room_id_seq", "postgres", room, "id", True),
        Sequence("public", "room_number_seq", "postgres", room, "number", False),
        Sequence("public", "room_other_seq", "postgres", room, "other", True),
        Sequence("public", "tickets", "postgres", None, None, False, (Grant(app, ("USAGE",)),)),
    )


def test_roles(rich: Rich) -> None:
    roles = rich.catalog.roles_by_name
    app, team, idle, owner = (rich.db.role(word) for word in ("app", "team", "idle", "owner"))
    assert roles[app] == Role(
        name=app,
        superuser=False,
        bypass_rls=False,
        login=True,
        create_role=False,
        create_db=True,
        replication=False,
        member_of=tuple(sorted(("pg_read_all_data", team))),
        inherit=False,
    )
    assert roles[team].member_of == ("pg_read_all_data",)
    flags = roles[idle]
    assert (flags.bypass_rls, flags.login, flags.create_role, flags.replication) == (True, True, True, True)
    assert (roles[owner].login, roles[owner].member_of) == (False, ())
    assert (roles["postgres"].superuser, roles["postgres"].member_of) == (True, ("pg_database_owner",))
    assert not any(name.startswith("pg_") for name in roles)


def test_the_database_as_a_whole(rich: Rich) -> None:
    catalog = rich.catalog
    assert (catalog.server.database, catalog.server.user) == (rich.db.name, "postgres")
    assert catalog.server.version == rich.db.server_version
    assert catalog.extensions == ("btree_gist", "citext", "pg_trgm", "plpgsql")
    assert catalog.event_triggers == ("watch (ddl_command_end, disabled)",)
    assert [s.name for s in catalog.schemas] == ["public", ODD]
    taken = catalog.relation_names["public"]
    assert {"room", "room_lower_idx", "tickets", "totals", "totals_idx", "mood", "pair", "short"} <= taken


def test_equality_opclasses(rich: Rich, db: Database) -> None:
    found = set(rich.catalog.equality_opclasses)
    assert {("gist", "text"), ("gist", "uuid"), ("gist", "character varying"), ("gist", "bigint")} <= found
    assert ("gist", "public.citext") not in found  # its "=" is its own, and not in the class of text
    assert ("gist", "text") not in read(db).equality_opclasses  # without btree_gist
    with rich.db.connect() as conn:
        for type_, works in (
            ("text", True),
            ("varchar", True),
            ("uuid", True),
            ("citext", False),
            ("jsonb", False),
        ):
            assert _excludes(conn, type_) is works, type_


def _excludes(conn: psycopg.Connection[Any], type_: str) -> bool:
    try:
        with conn.transaction(force_rollback=True):
            conn.execute(f"CREATE TABLE probe (a {type_}, EXCLUDE USING gist (a WITH =))".encode())
    except psycopg.Error:
        return False
    return True


def test_odd_names(rich: Rich) -> None:
    odd = rich.table('we"ird', ODD)
    long = "größe_" + "ä" * 27 + "x"
    assert len(long.encode()) == 63
    assert [c.name for c in odd.columns] == ["SELECT", long, "%s"]
    assert odd.columns[1].default == "'ß\"''\\'::text"
    assert rich.index("Größe idx").key_columns == (long, "SELECT")
    assert len(LONG.encode()) == 63
    assert rich.table(LONG, ODD).primary_key is not None
    assert rich.table("room", ODD).columns == (Column("id", "integer", "integer", False),)


def test_what_is_left_out(rich: Rich) -> None:
    catalog = rich.catalog
    names = [t.qname for t in catalog.tables] + [v.qname for v in catalog.views]
    names += [f.qname for f in catalog.functions] + [q.qname for q in catalog.sequences]
    assert {schema for schema, _ in names} == {"public", ODD}
    hidden = {"passing", "journal", "recent", "numbers", "member_function", "citext_eq"}
    assert not hidden & {name for _, name in names}
    assert rich.constraint("entry_journal_fk").references == QName(OWN_SCHEMA, "journal")
    assert rich.constraint("entry_journal_fk").referenced == ("id",)


def test_the_queries_leave_out_what_the_code_calls_its_own() -> None:
    folder = Path(introspect.__file__).parent / "sql"
    texts = [folder.joinpath(f"{name}.sql").read_text() for name in introspect.QUERIES]
    excluding = [text for text in texts if "nspname !~" in text]
    assert len(excluding) > 8
    assert all(f"|{OWN_SCHEMA})$" in text for text in excluding if "pg_attrdef" not in text)
    assert all(text.startswith("-- ") and "-- Yields" in text for text in texts)


def test_json_and_back(rich: Rich) -> None:
    text = rich.catalog.to_json()
    again = Catalog.from_json(text)
    assert again == rich.catalog
    assert (again.to_json(), again.digest) == (text, rich.catalog.digest)


def test_the_same_bytes_for_every_reader(rich: Rich) -> None:
    settings = (
        "SET search_path = public; SET datestyle = 'SQL, DMY'; SET timezone = 'Asia/Tokyo';"
        "SET quote_all_identifiers = on; SET standard_conforming_strings = off; SET client_encoding = latin1"
    )
    with rich.db.connect(row_factory=dict_row) as conn:
        conn.execute(settings)
        assert introspect.read(conn).to_json() == rich.catalog.to_json()
        assert conn.execute("SHOW timezone").fetchone() == {"TimeZone": "Asia/Tokyo"}


def test_an_ordinary_role_reads_the_same(rich: Rich) -> None:
    app = rich.db.role("app")
    theirs = read(rich.db, user=app)
    assert theirs.server.user == app
    assert replace(theirs, server=rich.catalog.server) == rich.catalog

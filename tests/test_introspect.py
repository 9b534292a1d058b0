"""Reading a database: every field of a catalog, on a schema with one of everything (introspect.sql)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from tenantry import ddl, introspect
from tenantry.catalog import (
    OWN_SCHEMA,
    Catalog,
    Column,
    Constraint,
    Grant,
    Index,
    Key,
    Policy,
    Role,
    Schema,
    Sequence,
    Table,
    Trigger,
)
from tenantry.names import QName
from tests.servers import Database, MakeDatabase, Server

SCHEMA = Path(__file__).with_name("introspect.sql")
ODD = "Ünï.cödé"
LONG = "x23456789012345678901234567890123456789012345678901234567890123"


@dataclass(frozen=True, slots=True)
class Rich:
    db: Database
    catalog: Catalog

    def table(self, name: str, schema: str = "public") -> Table:
        return self.catalog.by_name[QName(schema, name)]

    def index(self, name: str) -> Index:
        return next(i for t in self.catalog.tables for i in t.indexes if i.name == name)

    def constraint(self, name: str) -> Constraint:
        return next(c for t in self.catalog.tables for c in t.constraints if c.name == name)


def read(db: Database, **overrides: Any) -> Catalog:
    with db.connect(**overrides) as conn:
        return introspect.read(conn)


def script(db: Database) -> str:
    text = SCHEMA.read_text(encoding="utf-8")
    for word in ("app", "team", "idle", "owner"):
        text = text.replace(f"@{word}", db.role(word))
    return text


@pytest.fixture(scope="module")
def rich(server: Server) -> Iterator[Rich]:
    """The schema, which tests only look at, and its catalog, read as long as its temporary table is there."""
    with server.databases() as make:
        db = make()
        with db.connect() as conn:
            conn.execute(script(db).encode())
            yield Rich(db, introspect.read(conn))


def test_columns(rich: Rich) -> None:
    opened = "'2020-01-02 03:04:05+00'::timestamp with time zone"
    search = "to_tsvector('simple'::regconfig, (title)::text)"
    assert rich.table("room").columns == (
        Column("id", "bigint", "bigint", True, identity="a"),
        Column("code", "public.citext", "public.citext", True),
        Column(
            "title",
            "character varying(40)",
            "character varying(40)",
            False,
            default="'untitled'::character varying",
            collation='pg_catalog."C"',
        ),
        Column("tag", "public.shorter", "character varying(10)", False),
        Column("feeling", "public.mood", "public.mood", False, default="'calm'::public.mood"),
        Column("price", "numeric(8,2)", "numeric(8,2)", False),
        Column("tags", "text[]", "text[]", False, default="'{}'::text[]"),
        Column("data", "jsonb", "jsonb", False),
        Column("number", "integer", "integer", True, default="nextval('public.room_number_seq'::regclass)"),
        Column("other", "integer", "integer", True, identity="d"),
        Column("search", "tsvector", "tsvector", False, default=search, generated="s"),
        Column("opened", "timestamp with time zone", "timestamp with time zone", False, default=opened),
    )
    assert rich.table("room").dropped_columns == 2
    assert rich.table("booking").dropped_columns == 0


def test_tables(rich: Rich) -> None:
    booking = rich.table("booking")
    assert (booking.kind, booking.owner, booking.unlogged) == ("table", "postgres", True)
    assert (booking.row_security, booking.forced, booking.rules) == (True, True, ("quiet (DELETE)",))
    room = rich.table("room")
    assert (room.row_security, room.forced, room.rules, room.unlogged) == (False, False, (), False)
    assert (rich.table("remote").kind, rich.table("event").kind) == ("foreign", "partitioned")
    assert rich.table("edible").owner == rich.db.role("owner")
    assert (rich.table("member_table").extension, room.extension) == ("citext", None)


def test_index_keys(rich: Rich) -> None:
    assert rich.index("room_desc_idx").keys == (
        Key("opened", descending=True, nulls_first=False),
        Key("price", descending=False, nulls_first=True),
    )
    assert rich.index("room_lower_idx").keys == (
        Key(None, "lower((title)::text)", collation='pg_catalog."C"'),
        Key(None, "((number + other))", descending=True, nulls_first=True),
    )
    assert rich.index("room_text_idx").keys == (
        Key("code", opclass="pg_catalog.text_ops"),
        Key("title", collation='pg_catalog."POSIX"', opclass="pg_catalog.varchar_pattern_ops"),
        Key("tag"),
    )
    assert rich.index("room_trgm_idx").keys == (Key("title", opclass="public.gist_trgm_ops(siglen='32')"),)
    assert rich.index("room_words_idx").keys == (
        Key("search", opclass="pg_catalog.tsvector_ops(siglen='100')"),
    )
    assert rich.index("room_data_idx").keys == (Key("data", opclass="pg_catalog.jsonb_path_ops"),)
    assert rich.index("room_search_idx").keys == (Key("search"),)
    assert rich.index("booking_free_excl").keys == (
        Key("room_id", operator="OPERATOR(pg_catalog.=)"),
        Key(None, "lower(owner)", operator="OPERATOR(pg_catalog.=)"),
        Key("during", operator="OPERATOR(pg_catalog.&&)"),
    )


def test_indexes(rich: Rich) -> None:
    assert rich.index("room_code_key") == Index(
        name="room_code_key",
        method="btree",
        keys=(Key("code"),),
        include=("price",),
        unique=True,
        constraint="room_code_key",
        definition="CREATE UNIQUE INDEX room_code_key ON public.room USING btree (code) INCLUDE (price)",
    )
    assert rich.index("room_pkey").primary
    assert rich.index("room_pkey").constraint == "room_pkey"
    assert rich.index("room_code_title_key").nulls_not_distinct
    lower = rich.index("room_lower_idx")
    assert (lower.unique, lower.predicate, lower.constraint) == (True, "(price IS NOT NULL)", None)
    assert rich.index("room_desc_idx").options == ("fillfactor=70",)
    excluded = rich.index("booking_free_excl")
    assert (excluded.exclusion, excluded.unique, excluded.method) == (True, False, "gist")
    assert (rich.index("event_only_idx").valid, rich.index("event_id_idx").valid) == (False, True)
    assert rich.index("booking_pkey").replica_identity
    assert (rich.index("room_desc_idx").clustered, rich.index("room_pkey").clustered) == (True, False)
    assert (rich.index("room_desc_idx").comment, rich.index("room_pkey").comment) == ("newest first", None)
    assert [i.name for i in rich.table("booking").indexes] == ["booking_free_excl", "booking_pkey"]


def test_an_index_made_from_its_keys_is_the_same_index(rich: Rich, make_db: MakeDatabase) -> None:
    """What is said of the keys is enough SQL to make each index again."""
    db = make_db()
    room = rich.table("room")
    with db.connect() as conn:
        conn.execute(script(db).encode())
        for index in room.indexes:
            if index.constraint is None and not index.clustered:
                conn.execute(f'DROP INDEX "{index.name}"'.encode())
                conn.execute(ddl.create_index(room.qname, index).encode())
        assert introspect.read(conn).by_name[room.qname].indexes == room.indexes


def test_foreign_keys(rich: Rich) -> None:
    assert rich.constraint("booking_code_fk") == Constraint(
        name="booking_code_fk",
        kind="foreign",
        columns=("room_title", "room_code"),
        definition="FOREIGN KEY (room_title, room_code) REFERENCES public.room(title, code) MATCH FULL"
        " ON UPDATE SET DEFAULT ON DELETE SET NULL (room_code) NOT VALID",
        validated=False,
        references=QName("public", "room"),
        referenced=("title", "code"),
        referenced_index="room_code_title_key",
        on_update="d",
        on_delete="n",
        match="f",
        delete_columns=("room_code",),
    )
    to_room = rich.constraint("booking_room_fk")
    assert (to_room.on_update, to_room.on_delete, to_room.deferrable, to_room.deferred) == (
        "c",
        "r",
        True,
        False,
    )
    to_self = rich.constraint("booking_parent_fk")
    assert (to_self.references, to_self.delete_columns, to_self.index) == (
        QName("public", "booking"),
        (),
        None,
    )
    pairs = rich.catalog.referencing(QName("public", "room"))
    assert {(t.qname, fk.name) for t, fk in pairs} == {
        (QName("public", "booking"), "booking_code_fk"),
        (QName("public", "booking"), "booking_room_fk"),
        (QName(ODD, "room"), "room_id_fkey"),
    }


def test_other_constraints(rich: Rich) -> None:
    assert rich.constraint("room_price_check") == Constraint(
        name="room_price_check",
        kind="check",
        columns=("price",),
        definition="CHECK ((price > (0)::numeric)) NOT VALID",
        validated=False,
        comment="prices are positive",
    )
    assert rich.constraint("room_true_check").columns == ()
    unique = rich.constraint("room_code_key")
    assert (unique.kind, unique.columns, unique.index) == ("unique", ("code",), "room_code_key")
    assert (unique.deferrable, unique.deferred) == (True, True)
    excluded = rich.constraint("booking_free_excl")
    assert (excluded.kind, excluded.columns) == ("exclusion", ("room_id", "during"))
    assert rich.constraint("late").kind == "trigger"
    kinds = {c.kind for t in rich.catalog.tables for c in t.constraints}
    assert kinds == {"primary", "unique", "foreign", "check", "exclusion", "trigger"}  # no NOT NULL


def test_partitions(rich: Rich) -> None:
    event = QName("public", "event")
    assert [t.name for t in rich.catalog.descendants(event)] == [
        "event_20",
        "event_21",
        "event_22",
        "event_20_a",
    ]
    assert rich.table("event").partition_key == ("at",)
    assert rich.table("hashed").partition_key == ("(expression)", "n")
    deep = rich.table("event_20_a")
    assert (deep.partition_of, deep.parents) == (QName("public", "event_20"), ())
    assert rich.table("event_20").partition_key == ("kind",)
    assert rich.index("event_20_a_id_idx").parent == QName("public", "event_20_id_idx")
    assert rich.index("event_id_idx").parent is None
    assert all(c.inherited for c in deep.columns)
    assert [(g.name, g.inherited) for g in deep.triggers] == [("touch", True)]
    assert [(g.name, g.inherited) for g in rich.table("event").triggers] == [("touch", False)]


def test_foreign_keys_of_partitions_are_listed_once(rich: Rich) -> None:
    """Each partition has the key of its parent; the server's clones for each referenced partition are left out."""
    found = {
        (t.name, fk.name, str(fk.references), fk.inherited)
        for t in rich.catalog.tables
        for fk in t.foreign_keys
        if t.name.startswith("event")
    }
    partitions = {"event_20", "event_20_a", "event_21", "event_22"}
    assert found == {
        ("event", "event_previous_fk", "event", False),
        ("event_note", "event_note_fk", "event", False),
        *((name, "event_previous_fk", "event", True) for name in partitions),
    }
    assert len(rich.table("event").foreign_keys) == len(rich.table("event_note").foreign_keys) == 1


def test_a_partition_with_its_columns_in_another_order(rich: Rich) -> None:
    moved = rich.table("event_22")
    assert [c.name for c in moved.columns] == ["id", "previous", "kind", "at"]
    assert moved.dropped_columns == 1
    (foreign,) = moved.foreign_keys
    assert (foreign.columns, foreign.referenced) == (("at", "kind", "previous"), ("at", "kind", "id"))
    assert moved.primary_key is not None
    assert moved.primary_key.columns == ("at", "kind", "id")
    assert rich.index("event_22_pkey").key_columns == ("at", "kind", "id")


def test_inheritance(rich: Rich) -> None:
    herb = rich.table("herb")
    assert (herb.parents, herb.partition_of) == ((QName("public", "plant"), QName("public", "edible")), None)
    assert [(c.name, c.inherited) for c in herb.columns] == [
        ("name", True),
        ("taste", True),
        ("height", False),
    ]
    assert [(c.name, c.inherited) for c in herb.constraints] == [("plant_name_check", True)]
    assert [c.inherited for c in rich.table("plant").constraints] == [False]


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

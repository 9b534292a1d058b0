"""Reading a database: tables with their columns, indexes and constraints, partitions, inheritance."""

from collections.abc import Iterator

import pytest

from tenantry import ddl, introspect
from tenantry.catalog import (
    Column,
    Constraint,
    Index,
    Key,
)
from tenantry.names import QName
from tests.introspected import ODD, Rich, rich_database, script
from tests.servers import MakeDatabase, Server


@pytest.fixture(scope="module")
def rich(server: Server) -> Iterator[Rich]:
    with rich_database(server) as rich:
        yield rich


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
        conn.execute(script(db))
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

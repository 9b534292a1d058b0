"""Autogenerate that knows tenancy, with the real Alembic on a real database."""

from __future__ import annotations

from typing import Any

import pytest
from alembic.util import CommandError
from sqlalchemy import (
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

from tenantry.alembic import kept, steps
from tests import alembic_world
from tests.alembic_world import World


def models(*, own: bool = False) -> MetaData:
    """What an application's models say of the tables that are there: as before the conversion, or with the tenant."""
    metadata = MetaData()
    tenant = [Column("tenant_id", Text, nullable=False)] if own else []
    Table("authors", metadata, Column("id", Integer, primary_key=True), *tenant, Column("name", Text, nullable=False),
          Column("slug", Text, nullable=False, unique=True))  # fmt: skip
    tenant = [Column("tenant_id", Text, nullable=False)] if own else []
    Table("pages", metadata, Column("id", Integer, primary_key=True), *tenant, Column("body", Text),
          Column("author_id", ForeignKey("authors.id")))  # fmt: skip
    Table("countries", metadata, Column("code", Text, primary_key=True))
    return metadata


def with_shelves(metadata: MetaData, *columns: Column[object]) -> MetaData:
    Table(
        "shelves", metadata, Column("id", Integer, primary_key=True), *columns, Column("code", Text, nullable=False),
        Column("author_id", ForeignKey("authors.id"), nullable=False), Column("page_id", ForeignKey("pages.id")),
        UniqueConstraint("code"), Index("shelves_author", "author_id"),
    )  # fmt: skip
    return metadata


def plain(text: str) -> str:
    """A revision without the quotes of identifiers."""
    return text.replace('"', "")


forward = steps.forward
SHELVES = '\n[tables.shelves]\nscope = "tenant"\nprimary_key = "global"\n'


converted, world = alembic_world.converted, alembic_world.world


@pytest.mark.parametrize("own", [False, True], ids=["models without the tenant", "models with it"])
def test_there_and_back(own: bool, world: World, sound_server: None) -> None:
    world.more = SHELVES
    column: list[Column[object]] = (
        [Column("tenant_id", Text)] if own else []
    )  # nullable: the revision mends it
    metadata = with_shelves(models(own=own), *column)
    before = structure(world)
    text = plain(world.revision(metadata))
    for part in (
        "op.create_table('shelves'", "SET DEFAULT", "shelves_tenant_id_fk", "CREATE INDEX", "CREATE POLICY tenant_isolation",
        "ENABLE ROW LEVEL SECURITY", "FORCE ROW LEVEL SECURITY", "GRANT SELECT, INSERT, UPDATE, DELETE", "op.drop_table('shelves')",
        "FOREIGN KEY (tenant_id, author_id) REFERENCES public.authors (tenant_id, id)", "UNIQUE (tenant_id, code)",
    ):  # fmt: skip
        assert part in text, part
    assert "ALTER TABLE public.authors" not in text  # nothing locks the tables that are there
    assert "ALTER TABLE public.tenants" not in text
    world.upgrade()
    assert world.plan().steps == ()
    with world.db.connect() as connection:
        for number, name in enumerate("ab", 1):
            row = (number, name, "same", number)
            connection.execute(
                "INSERT INTO shelves (id, tenant_id, code, author_id) VALUES (%s, %s, %s, %s)", row
            )
    proof = world.proof()
    assert [o for o in proof.outcomes if o.status not in ("held", "skipped")] == []
    assert [o for o in proof.outcomes if o.object == "shelves" and o.control_fired]
    assert [f for f in proof.findings if f.level == "error"] == []
    assert world.revision(metadata) == ""
    world.downgrade()
    assert structure(world) == before
    world.upgrade()
    assert world.plan().steps == ()


def hold(world: World) -> None:
    """Two tenants have rows in the new table, and neither sees or touches the other's."""
    with world.db.connect() as connection:
        for number, name in enumerate("ab", 1):
            row = (number, name, "same", number)
            connection.execute(
                "INSERT INTO shelves (id, tenant_id, code, author_id) VALUES (%s, %s, %s, %s)", row
            )
    proof = world.proof()
    assert [o for o in proof.outcomes if o.status not in ("held", "skipped")] == []
    assert [o for o in proof.outcomes if o.object == "shelves" and o.control_fired]
    assert [f for f in proof.findings if f.level == "error"] == []


def structure(world: World) -> list[tuple[object, ...]]:
    """Tables, keys, policies, rights; Alembic's own table left out."""
    return world.rows(
        "SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, c.relacl::text FROM pg_class c"
        " WHERE relnamespace = 'public'::regnamespace AND relname !~ '^alembic'"
        " UNION ALL SELECT conrelid::regclass || ' ' || conname, true, true, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'"
        " UNION ALL SELECT tablename || ' ' || policyname, true, true, qual FROM pg_policies ORDER BY 1"
    )


def test_a_table_that_nobody_declared_stops_the_revision(world: World) -> None:
    with pytest.raises(
        CommandError, match=r'(?s)shelves is new.*\[tables.shelves\]\nscope = "tenant".*scope = "shared"'
    ):
        world.revision(with_shelves(models()))
    assert list((world.folder / "versions").glob("*.py")) == []
    assert world.rows("SELECT to_regclass('shelves')::text") == [(None,)]


@pytest.mark.parametrize("scope", ["shared", "ignored"])
def test_other_scopes(scope: str, world: World) -> None:
    world.more = f'\n[tables.kinds]\nscope = "{scope}"\n'
    metadata = models()
    Table("kinds", metadata, Column("id", Text, primary_key=True))
    text = plain(world.revision(metadata))
    assert ("GRANT SELECT ON" in text) == (scope == "shared")
    assert "tenant_id" not in text
    world.upgrade()
    assert world.plan().steps == ()


def test_a_table_behind_another(world: World) -> None:
    world.more = '\n[tables.lines]\nscope = "through"\nparent = "pages"\n'
    metadata = models()
    Table(
        "lines", metadata, Column("id", Integer, primary_key=True), Column("page_id", ForeignKey("pages.id"))
    )
    assert "EXISTS (SELECT 1 FROM" in world.revision(metadata)
    world.upgrade()
    assert world.plan().steps == ()


def test_what_models_do_not_say_is_not_dropped(world: World) -> None:
    """Models as they were before the conversion: no tenant column, keys and references without it."""
    assert world.revision(models()) == ""
    assert world.revision(models(own=True)) == ""


def test_what_they_say_otherwise_is(world: World) -> None:
    """A column, a key and an index that are the application's own are still compared."""
    metadata = models()
    pages = metadata.tables["pages"]
    pages.append_column(Column("title", Text))
    pages.append_constraint(UniqueConstraint("title", name="pages_title"))
    pages.append_column(Column("editor_id", ForeignKey("authors.id", name="pages_editor")))
    text = plain(world.revision(metadata))
    for part in (
        "op.add_column('pages'",
        "UNIQUE (tenant_id, title)",
        "(tenant_id, editor_id) REFERENCES public.authors (tenant_id, id)",
    ):
        assert part in text, part
    world.upgrade()
    assert world.plan().steps == ()
    assert world.revision(metadata) == ""
    assert "op.drop_column('pages', 'title')" in world.revision(models())
    world.upgrade()
    assert world.plan().steps == ()


def test_a_database_that_is_not_as_declared_is_left_alone(world: World) -> None:
    world.more = SHELVES
    with world.db.connect() as connection:
        connection.execute("ALTER TABLE pages NO FORCE ROW LEVEL SECURITY")
    with pytest.raises(CommandError, match="1 steps are pending, first enforce"):
        world.revision(with_shelves(models()))


def test_rows_that_must_be_filled_are_for_another_tool(world: World) -> None:
    world.more = '\n[tables.kinds]\nscope = "shared"\n'
    metadata = models()
    Table("kinds", metadata, Column("id", Text, primary_key=True))
    world.revision(metadata)
    world.upgrade()
    world.more = (
        '\n[tables.kinds]\nscope = "tenant"\nprimary_key = "global"\nbackfill = { constant = "a" }\n'
        + SHELVES
    )
    with pytest.raises(CommandError, match="pending"):
        world.revision(with_shelves(metadata))


def test_a_revision_that_cannot_run_is_not_written(world: World) -> None:
    """The reference needs a key of the parent over both columns, which the model of the parent does not have."""
    world.more = '\n[tables.notes]\nscope = "tenant"\nprimary_key = "global"\n'
    metadata = models(own=True)
    Table("notes", metadata, Column("tenant_id", Text, primary_key=True), Column("page_id", Integer, primary_key=True),
          ForeignKeyConstraint(["tenant_id", "page_id"], ["pages.tenant_id", "pages.id"]))  # fmt: skip
    with pytest.raises(CommandError, match=r"cannot run: .*no unique constraint matching"):
        world.revision(metadata)
    metadata.tables["pages"].append_constraint(UniqueConstraint("tenant_id", "id", name="pages_whole"))
    assert world.revision(metadata)
    world.upgrade()
    assert world.plan().steps == ()
    assert world.revision(metadata) == ""


def lame(plan: Any, after: Any, made: Any, *, strict: bool) -> list[tuple[str, str]]:
    """A revision that forgets to force what it enables."""
    return [pair for pair in forward(plan, after, made, strict=strict) if " FORCE ROW" not in pair[0]]


def test_an_incomplete_revision_is_not_written(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.more = SHELVES
    monkeypatch.setattr(steps, "forward", lame)
    with pytest.raises(CommandError, match=r"1 more would be pending, first enforce.shelves.isolate"):
        world.revision(with_shelves(models()))


def test_what_is_left_out_would_be_dropped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: what autogenerate makes of models that do not say all."""
    monkeypatch.setattr(kept, "kept", lambda given, *_: (given, []))
    with pytest.raises(CommandError, match=r"cannot run|undecided|pending|backfill|filled"):
        world.revision(models())

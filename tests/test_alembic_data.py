"""Data migrations: each tenant in its own scope, and nothing that silently does nothing or everything."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from inspect import signature
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

from tenantry.errors import ExemptRole, TenantError
from tenantry.runtime import Binding, Signer, current
from tenantry.runtime import alembic as runtime_alembic
from tenantry.runtime.alembic import for_each_tenant, loud
from tenantry.runtime.isolation import Tenancy
from tenantry.runtime.signing import written
from tests import alembic_world
from tests.alembic_world import World
from tests.test_alembic import SHELVES, models, with_shelves

converted, world = alembic_world.converted, alembic_world.world
BODIES = "SELECT tenant_id || ':' || body FROM pages ORDER BY id"
CHANGE = "UPDATE pages SET body = body || '+' || current_setting('app.current_tenant_id')"


@pytest.fixture
def owner(world: World) -> str:
    """A login of the migrations that has the rights of the tables' owner, whom row level security binds."""
    name = world.db.role("migrator")
    with world.db.connect() as connection:
        for statement in (f"CREATE ROLE {name} LOGIN IN ROLE {world.names['owner']}", f"GRANT CREATE ON SCHEMA public TO {name}, {world.names['owner']}",
                          f"GRANT CREATE ON DATABASE {world.db.name} TO {name}", f"GRANT {world.names['app']} TO {name}"):  # fmt: skip
            connection.execute(statement.encode())
    return name


@pytest.fixture
def bind(world: World) -> Iterator[Connection]:
    url = world.config(None).attributes["url"]
    with create_engine(url, poolclass=NullPool).connect() as connection:
        yield connection


def bodies(world: World) -> list[str]:
    return [body for (body,) in world.rows(BODIES)]


def migrate(world: World, call: str) -> None:
    """A revision that fills, as the application's role unless the call says otherwise."""
    world.write(
        f"    def work(tenant):\n        op.execute({CHANGE!r})\n\n    for_each_tenant(op, work, {call})"
    )
    world.upgrade()


DONE = ["a:a1+a", "b:b1+b", "b:b2+b"]


@pytest.mark.parametrize("name", ["", ", name='bodies'"], ids=["one transaction", "one each"])
def test_each_tenant_in_its_scope(name: str, world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "alembic"):
        migrate(world, f"role={world.names['app']!r}{name}")
    assert bodies(world) == DONE
    assert "tenant b is done, 2 of 3" in caplog.text


def test_an_exempt_connection_is_refused_before_any_work(world: World) -> None:
    with pytest.raises(ExemptRole, match=r"in authors, pages.* rows of all.*role='the application role'"):
        migrate(world, "")
    assert bodies(world) == ["a:a1", "b:b1", "b:b2"]


def test_a_table_that_nothing_binds_is_refused(world: World) -> None:
    """The role is bound, and one table is not."""
    with world.db.connect() as connection:
        connection.execute("ALTER TABLE pages DISABLE ROW LEVEL SECURITY")
    with pytest.raises(ExemptRole, match=r"in pages each tenant's work would be done to the rows of all"):
        migrate(world, f"role={world.names['app']!r}")
    assert bodies(world) == ["a:a1", "b:b1", "b:b2"]


def test_without_a_table_of_that_column_nothing_is_known(bind: Connection) -> None:
    """Where the spec calls the column otherwise and the call does not, an exempt role would pass for a bound one."""
    with pytest.raises(TenantError, match="no table with the column nothing, so whether"):
        for_each_tenant(bind, print, tenancy=Tenancy(column="nothing"))


def test_whoever_migrates_stays_who_it_was(world: World, bind: Connection) -> None:
    bind.exec_driver_sql(f"SET LOCAL ROLE {world.names['owner']}")
    assert for_each_tenant(bind, lambda _: None, role=world.names["app"], tenants=["a"]) == 1
    assert bind.exec_driver_sql("SELECT current_user").scalar_one() == world.names["owner"]


def test_a_bound_owner_needs_a_list(world: World, owner: str) -> None:
    world.user = owner
    with pytest.raises(TenantError, match=r"sees no list of tenants; give tenants=\[…\]"):
        migrate(world, "")
    next((world.folder / "versions").glob("*.py")).unlink()
    migrate(world, "tenants=['a', 'b', 'c']")
    assert bodies(world) == DONE


def test_it_goes_on_where_it_stopped(world: World) -> None:
    """Tenant b fails; a stays done, and is not done again."""
    world.write(
        f"    def work(tenant):\n        op.execute({CHANGE!r})\n        op.execute('SELECT 1 / (SELECT count(*) FROM ready)')\n\n"
        f"    for_each_tenant(op, work, name='bodies', role={world.names['app']!r})"
    )
    with world.db.connect() as connection:
        connection.execute("CREATE TABLE ready (tenant text)")
        connection.execute("INSERT INTO ready VALUES ('a')")
        connection.execute("ALTER TABLE ready ENABLE ROW LEVEL SECURITY")
        connection.execute(
            "CREATE POLICY p ON ready USING (tenant = current_setting('app.current_tenant_id'))"
        )
        connection.execute("GRANT SELECT ON ready TO PUBLIC")
    with pytest.raises(Exception, match="division by zero") as caught:
        world.upgrade()
    assert "tenant b: the migration stopped here" in caught.value.__notes__[0]
    assert bodies(world) == ["a:a1+a", "b:b1", "b:b2"]
    with world.db.connect() as connection:
        connection.execute("INSERT INTO ready VALUES ('b'), ('c')")
    world.upgrade()
    assert bodies(world) == DONE


def test_all_or_nothing_without_a_name(world: World) -> None:
    world.write(
        f"    def work(tenant):\n        op.execute({CHANGE!r})\n        assert tenant != 'b'\n\n"
        f"    for_each_tenant(op, work, role={world.names['app']!r})"
    )
    with pytest.raises(AssertionError):
        world.upgrade()
    assert bodies(world) == ["a:a1", "b:b1", "b:b2"]


def test_an_update_without_a_tenant_is_loud(world: World, owner: str) -> None:
    """As the owner under FORCE it would change nothing, and be told that all is well."""
    world.user = owner
    world.write("    op.execute(\"UPDATE pages SET body = 'x'\")")
    with pytest.raises(
        TenantError, match=r"(?s)would have touched no row; give it to for_each_tenant.*UPDATE pages"
    ):
        world.upgrade()
    env = world.folder / "env.py"
    env.write_text(env.read_text().replace("    loud(connection)\n", ""))
    world.upgrade()  # the control: silently nothing
    assert bodies(world) == ["a:a1", "b:b1", "b:b2"]


def test_after_the_work_nothing_stays(world: World, owner: str) -> None:
    world.user = owner
    world.write(
        "    for_each_tenant(op, print, tenants=['a'])\n"
        "    assert op.get_bind().exec_driver_sql(\"SELECT current_setting('app.current_tenant_id') = ''\").scalar()\n"
        "    op.execute('SELECT * FROM pages')"
    )
    with pytest.raises(TenantError, match="has no tenant"):
        world.upgrade()


def test_autogenerate_and_upgrade_as_the_bound_owner(world: World, owner: str) -> None:
    """Under a loud connection keys of a new table need no row of others."""
    world.user, world.more = owner, SHELVES
    assert "SET LOCAL row_security" in world.revision(with_shelves(models()))
    world.upgrade()
    assert world.plan().steps == ()


def test_it_cannot_be_printed(world: World) -> None:
    world.write("    for_each_tenant(op, print)")
    env = world.folder / "env.py"
    env.write_text(
        "from alembic import context\ncontext.configure(dialect_name='postgresql', as_sql=True)\ncontext.run_migrations()"
    )
    with pytest.raises(TenantError, match="--sql has none"):
        command.upgrade(world.config(None), "head", sql=True)


# A connection instead of op


@pytest.mark.parametrize("name", [None, "bodies"])
def test_a_connection(name: str | None, world: World, bind: Connection) -> None:
    seen: list[tuple[str, str | None, int]] = []

    def work(id: str) -> None:
        count = bind.scalar(text("SELECT count(*) FROM pages")) or 0
        seen.append((id, current().tenant, count))
        bind.execute(text(CHANGE))

    assert for_each_tenant(bind, work, role=world.names["app"], name=name) == 3
    assert seen == [("a", "a", 1), ("b", "b", 2), ("c", "c", 0)]
    if name is None:
        bind.commit()
    assert bodies(world) == DONE
    again = for_each_tenant(bind, work, role=world.names["app"], name=name)
    assert again == (0 if name else 3)
    bind.rollback()
    bind.begin()
    with pytest.raises(TenantError, match="a transaction is open"):
        for_each_tenant(bind, work, role=world.names["app"], name="other")


def test_names_that_look_like_parameters(bind: Connection) -> None:
    """Colons, backslashes and percent signs in names are theirs."""
    odd = r"o:dd \:x::y %s"
    made = (
        f'CREATE TEMP TABLE "{odd}" (":key" text)', f'INSERT INTO "{odd}" VALUES (\'a\')', f'CREATE SCHEMA "{odd}"',
        f'CREATE FUNCTION "{odd}".enter(value text) RETURNS void LANGUAGE sql AS '
        "$$ SELECT set_config('app.current_tenant_id', split_part(value, '.', 4), true) $$",
    )  # fmt: skip
    for statement in made:
        bind.exec_driver_sql(statement.replace("%", "%%"), ())
    assert runtime_alembic._tenants(bind, Tenancy(tenants=odd, key=":key"), None) == ["a"]
    seen = []

    def work(id: str) -> None:
        seen.append(bind.scalar(text("SELECT current_setting('app.current_tenant_id')")))

    signer = Signer(written("k1", bytes(32)), schema=odd)
    runtime_alembic._work(bind, Binding(signer=signer), None, "a", work)
    assert seen == ["a"]


def test_loud_comes_first(bind: Connection) -> None:
    bind.execute(text("SELECT 1"))
    with pytest.raises(TenantError, match="before the first statement"):
        loud(bind)


# Wrong on purpose


def unchecked(patch: pytest.MonkeyPatch) -> None:
    """Nobody asks whether the role is bound."""
    patch.setattr(runtime_alembic, "_refuse_unbound", lambda *_: None)


def forgetful(patch: pytest.MonkeyPatch) -> None:
    """What is done is done again."""
    done = runtime_alembic._done

    def wrong(*args: Any) -> frozenset[str]:
        done(*args)
        return frozenset()

    patch.setattr(runtime_alembic, "_done", wrong)


def mute(patch: pytest.MonkeyPatch) -> None:
    """A statement that does nothing is no error."""
    patch.setattr(runtime_alembic, "loud", lambda connection: None)


@pytest.mark.parametrize(
    ("sabotage", "test", "given"),
    [
        (unchecked, test_an_exempt_connection_is_refused_before_any_work, {}),
        (unchecked, test_a_table_that_nothing_binds_is_refused, {}),
        (forgetful, test_a_connection, {"name": "bodies"}),
        (mute, test_an_update_without_a_tenant_is_loud, {}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_it_would_be_seen(
    sabotage: Any, test: Any, given: dict[str, str], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    wanted = {name: request.getfixturevalue(name) for name in signature(test).parameters if name not in given}
    sabotage(monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception, DBAPIError)):
        test(**given, **wanted)

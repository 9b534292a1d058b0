"""Models that say the tenant themselves: what is added to statements, what is refused, and that nothing hangs on it."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import (
    Column,
    Engine,
    MetaData,
    Table,
    Text,
    bindparam,
    create_engine,
    delete,
    func,
    insert,
    select,
    text,
    union_all,
    update,
)  # fmt: skip
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session as PlainSession
from sqlalchemy.orm import (
    aliased,
    joinedload,
    selectinload,
    subqueryload,
)  # fmt: skip

from tenantry.errors import MixedTenants, NoTenant, TenantError
from tenantry.runtime import Binding, no_tenant, tenant
from tenantry.runtime.orm import Session, own
from tenantry.runtime.sqlalchemy import scoped
from tests import runtime_models as models
from tests.runtime_models import ONE, TWO, Author, Order, Page, PlainPage, Token, changed

database, url, engine = models.make_database, models.url, models.engine
exempt, said = models.exempt, models.said
PAGES: Any = Page.__table__


AUTHOR, PAGE = aliased(Author), aliased(Page)
READS: dict[str, tuple[Any, dict[str, list[str]]]] = {
    "entity": (select(Page.body), {"a": ["a1", "a2"], "b": ["b1", "b2", "b3"]}),
    "alias": (select(PAGE.body).where(PAGE.body != ""), {"a": ["a1", "a2"], "b": ["b1", "b2", "b3"]}),
    "join": (select(Page.body).join(Page.editor), {"a": ["a1"], "b": ["b1", "b2"]}),
    "join of an alias": (select(Page.body).join(AUTHOR, Page.editor), {"a": ["a1"], "b": ["b1", "b2"]}),
    "outer join": (
        select(Author.name).outerjoin(Author.pages.of_type(PAGE).and_(PAGE.body.like("%1"))).where(PAGE.id.is_(None)),
        {"a": [], "b": ["bea"]},
    ),
    "subquery": (
        select(select(Page.body.label("body")).subquery().c.body), {"a": ["a1", "a2"], "b": ["b1", "b2", "b3"]}
    ),
    "cte": (
        select(select(Page.body.label("body")).cte().c.body), {"a": ["a1", "a2"], "b": ["b1", "b2", "b3"]}
    ),
    "scalar subquery": (
        select(Author.name).where(Author.id.in_(select(Page.author_id))), {"a": ["anna"], "b": ["bea", "bert"]}
    ),
    "exists": (select(Author.name).where(Author.pages.any(Page.body.like("%3"))), {"a": [], "b": ["bea"]}),
    "union": (
        union_all(select(Page.body), select(Author.name)), {"a": ["a1", "a2", "anna"], "b": ["b1", "b2", "b3", "bea", "bert"]}
    ),
    "count": (select(func.count().op("||")("")).select_from(Page), {"a": ["2"], "b": ["3"]}),
    "union of subqueries in an entity": (
        select(aliased(Page, union_all(select(Page), select(Page)).subquery()).body), {"a": ["a1", "a1", "a2", "a2"]}
    ),
    "core of a class's table": (
        select(PAGES.c.body).where(own(PAGES.c.tenant_id)), {"a": ["a1", "a2"], "b": ["b1", "b2", "b3"]}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", READS)
def test_a_select_says_the_tenant(name: str, exempt: Engine, said: list[tuple[str, Any]]) -> None:
    """As a role that no policy binds, again and again with the statement cache: each time the tenant of the scope."""
    statement, expected = READS[name]
    for _ in range(2):
        for who, rows in expected.items():
            with tenant(who), Session(exempt) as session:
                assert sorted(session.scalars(statement).all()) == rows
    assert {sent["tenantry_tenant"] for _, sent in said} == set(expected)
    assert len({words for words, _ in said}) == 1


def test_without_the_condition_the_same_role_sees_all(exempt: Engine) -> None:
    """The control: what the reads above would show."""
    with tenant("a"), Session(exempt) as session:
        assert len(session.scalars(select(Page), execution_options={"tenantry": "all"}).all()) == 5
        assert len(session.scalars(select(PlainPage)).all()) == 5


def test_without_the_mixin_nothing_is_seen_more(engine: Engine, said: list[tuple[str, Any]]) -> None:
    """Row level security decides; the mixin is for the planner."""
    for who, count in (("a", 2), ("b", 3)):
        with tenant(who), Session(engine) as session:
            for statement in (
                select(PlainPage.id),
                select(Page.id).execution_options(tenantry="all"),
                text("SELECT id FROM pages"),
            ):
                assert len(session.execute(statement).all()) == count
            assert changed(session.execute(update(PlainPage).values(body=PlainPage.body))) == count
            session.rollback()
    assert not any("tenantry_tenant" in sent for _, sent in said)


def test_loads_of_relationships_say_it_too(exempt: Engine, said: list[tuple[str, Any]]) -> None:
    for option in (None, joinedload, selectinload, subqueryload):
        for who, expected in (("a", [["a1", "a2"]]), ("b", [["b1", "b2"], ["b3"]])):
            with tenant(who), Session(exempt) as session:
                chosen = select(Author).order_by(Author.id)
                if option is not None:
                    chosen = chosen.options(option(Author.pages))
                found = session.scalars(chosen).unique().all()
                assert [sorted(p.body for p in author.pages) for author in found] == expected
                assert all(page.author in found for author in found for page in author.pages)
                pickle.dumps(found)
    assert all("tenant_id = %(tenantry_tenant)s" in words for words, _ in said)


def test_a_lazy_load_belongs_to_the_scope_it_comes_in(exempt: Engine) -> None:
    """Nothing of the scope in which an object was loaded stays with it."""
    with PlainSession(exempt) as session:
        with tenant("a"):
            author = session.scalars(select(Author)).one()
        with tenant("b"):
            assert author.pages == []


def test_updates_and_deletes_say_it(exempt: Engine, said: list[tuple[str, Any]]) -> None:
    with tenant("a"), Session(exempt) as session:
        loaded = session.scalars(select(Page).order_by(Page.id)).all()
        for mode in ("auto", "evaluate", "fetch", False):
            change = update(Page).values(body=Page.body + "!").execution_options(synchronize_session=mode)
            assert changed(session.execute(change)) == 2
        session.expire_all()
        assert [page.body for page in loaded] == ["a1!!!!", "a2!!!!"]
        assert changed(session.execute(delete(Page).where(Page.editor_id.is_(None)))) == 1
        assert session.query(Page).update({"body": "q"}) == 1
        assert session.query(Page).delete() == 1
        session.commit()
    with exempt.connect() as connection:
        assert connection.scalars(text("SELECT body FROM pages ORDER BY body")).all() == ["b1", "b2", "b3"]
    assert sum(words.startswith(("UPDATE", "DELETE")) for words, _ in said) == 7


def test_a_new_row_is_the_scopes(engine: Engine) -> None:
    for who, count in (("a", 3), ("b", 4)):
        with tenant(who), Session(engine) as session:
            page = Page(body="flushed")
            session.add(page)
            session.execute(insert(Page), [{"body": "bulk"}, {"body": "bulk too"}])
            session.execute(insert(Page).values(body="one"))
            session.execute(insert(Page).from_select(["body"], select(Author.name)))
            session.commit()
            assert page.tenant_id == who
            assert page.is_own
            assert len(session.scalars(select(Page.id)).all()) == count + 3 + count // 2
    with no_tenant(), Session(engine) as session:
        session.add(Page(body="nobody's"))
        with pytest.raises(NoTenant, match=r"with tenant\(id\)"):
            session.flush()


def flushed(session: Session, write: Callable[[Session], Any]) -> None:
    write(session)
    session.flush()


@pytest.mark.parametrize(
    "write",
    [
        lambda s: s.add(Page(body="x", tenant_id="b")),
        lambda s: s.execute(insert(Page), [{"body": "x", "tenant_id": "a"}, {"body": "y", "tenant_id": "b"}]),
        lambda s: s.execute(insert(Page).values(body="x", tenant_id="b")),
        lambda s: s.execute(insert(Page).values([{"body": "x", "tenant_id": "a"}, {"body": "y", "tenant_id": "b"}])),
        lambda s: s.execute(update(Page).values(tenant_id="b")),
        lambda s: setattr(s.scalars(select(Page)).first(), "tenant_id", "b"),
        lambda s: s.connection().execute(insert(PAGES), {"body": "x", "tenant_id": "b"}),
        lambda s: s.connection().execute(update(PAGES).where(Page.id == 1).values(tenant_id=bindparam("t")), {"t": "b"}),
        lambda s: s.bulk_insert_mappings(Page, [{"body": "x", "tenant_id": "b"}]),
        lambda s: s.merge(Page(id=1, body="x", tenant_id="b")),
    ],
)  # fmt: skip
def test_a_row_that_is_given_another_tenant_is_not_sent(
    write: Any, engine: Engine, said: list[tuple[str, Any]]
) -> None:
    with tenant("a"), Session(engine) as session:
        with pytest.raises(
            MixedTenants, match=r"pages is given tenant 'b'.*belongs to tenant 'a'.*leave tenant_id out"
        ):
            flushed(session, write)
        session.rollback()
        assert not any(words.startswith(("INSERT", "UPDATE")) for words, _ in said)
        own_row = Page(body="mine", tenant_id="a")
        session.add(own_row)
        session.commit()
        assert own_row.is_own


def test_what_the_client_cannot_see_the_database_refuses(engine: Engine) -> None:
    with tenant("a"), Session(engine) as session, pytest.raises(DBAPIError, match="row-level security"):
        session.execute(insert(Page).values(body="x", tenant_id=func.lower("B")))


def test_other_names_and_types(engine: Engine, exempt: Engine, said: list[tuple[str, Any]]) -> None:
    for each in (engine, exempt):
        for who, numbers in (("1", [10]), ("2", [20, 21])):
            with tenant(who), Session(each) as session:
                assert session.scalars(select(Order.number).order_by(Order.number)).all() == numbers
                session.add(Order(number=5))
                session.flush()
                assert session.get_one(Order, (int(who), 5)).tenant_id == int(who)
        for who, token in ((ONE, "x"), (TWO, "y")):
            with tenant(who), Session(each) as session:
                assert session.scalars(select(Token.token)).all() == [token]
    with tenant(TWO), Session(engine) as session:
        made = Token(token="z")  # the server knows whose it is
        session.add(made)
        session.flush()
        assert made.tenant_id == UUID(TWO)
        assert "owner" not in said[-1][1]
    with tenant("one"), Session(engine) as session, pytest.raises(TenantError, match="'one' is no int"):
        session.scalars(select(Order)).all()


def test_no_scope(engine: Engine, exempt: Engine, url: str) -> None:
    for each in (engine, exempt):
        with Session(each) as session:
            with pytest.raises(NoTenant):
                session.scalars(select(Page)).all()
            with pytest.raises(NoTenant):
                session.execute(update(Page).values(body="x"))
            session.rollback()
            with no_tenant():
                assert session.scalars(select(Page)).all() == []
    with Session(exempt) as session:  # what belongs to no tenant needs no scope
        assert len(session.scalars(select(PlainPage)).all()) == 5
        assert len(session.scalars(select(Page), execution_options={"tenantry": "all"}).all()) == 5
    empty = scoped(create_engine(url), binding=Binding(unscoped="empty"))
    with Session(empty) as session:
        assert session.scalars(select(Page)).all() == []
    empty.dispose()


def test_core_says_it_on_request(engine: Engine, exempt: Engine, said: list[tuple[str, Any]]) -> None:
    pages = Table("pages", MetaData(), Column("tenant_id", Text), Column("body", Text))
    for who, count in (("a", 2), ("b", 3)):
        with tenant(who):
            for each in (engine, exempt):
                with each.connect() as connection:
                    assert (
                        len(connection.execute(select(pages.c.body).where(own(pages.c.tenant_id))).all())
                        == count
                    )
                    assert (
                        connection.execute(
                            update(pages).where(own(pages.c.tenant_id)).values(body="x")
                        ).rowcount
                        == count
                    )
            with engine.connect() as connection:
                assert len(connection.execute(select(pages.c.body)).all()) == count


def test_the_plan_knows_the_tenant(engine: Engine, said: list[tuple[str, Any]]) -> None:
    """The condition and the policy are one class of equals: what the policy asks becomes a filter for once."""
    with tenant("a"), Session(engine) as session:
        session.scalars(select(Page)).all()
        words, sent = said[-1]
        plan = "\n".join(session.connection().exec_driver_sql(f"EXPLAIN {words}", sent).scalars())
    assert "One-Time Filter" in plan

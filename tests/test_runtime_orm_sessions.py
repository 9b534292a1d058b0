"""A Session of two scopes, relationships that carry the tenant, and asyncio."""

from __future__ import annotations

import asyncio
import warnings
from typing import Any

import pytest
from sqlalchemy import (
    Engine,
    insert,
    select,
    update,
)  # fmt: skip
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    configure_mappers,
    mapped_column,
    selectinload,
)  # fmt: skip

from tenantry.errors import MixedTenants, TenantError
from tenantry.runtime import no_tenant, tenant
from tenantry.runtime.orm import Owned, Session, reference, related
from tenantry.runtime.sqlalchemy import scoped
from tests import runtime_models as models
from tests.runtime_models import ONE, Author, Order, Page, Token, changed

database, url, engine = models.make_database, models.url, models.engine
exempt, said = models.exempt, models.said
PAGES: Any = Page.__table__

# One Session, two scopes


def test_a_session_gives_nothing_out_in_another_scope(engine: Engine) -> None:
    with Session(engine, expire_on_commit=False) as session:
        with tenant("a"):
            page = session.get_one(Page, 1)
            session.commit()
            assert session.get(Page, 1) is page
        for other in (tenant("b"), no_tenant()):
            with other:
                for ask in (
                    lambda: session.get(Page, 1),
                    lambda: session.merge(Page(id=1, body="b")),
                    lambda: session.scalars(select(Page)).all(),
                ):
                    with pytest.raises(MixedTenants, match="holds objects of tenant 'a'"):
                        ask()
                    session.rollback()
        with pytest.raises(MixedTenants):
            session.get(Page, 1)
        session.expunge_all()
        with tenant("b"):
            assert session.get(Page, 1) is None
            assert session.get(Page, 3) is not None


def test_in_the_middle_of_a_transaction(engine: Engine) -> None:
    with Session(engine) as session, tenant("a"):
        assert session.get(Page, 1)
        with tenant("b", switch=True), pytest.raises(MixedTenants):
            session.get(Page, 1)
        assert session.get(Page, 1)


def test_a_row_that_waits_is_not_written_for_another_tenant(engine: Engine) -> None:
    with Session(engine) as session:
        with tenant("a"):
            session.add(Page(body="a's"))
        with tenant("b"):
            with pytest.raises(MixedTenants, match="holds objects of tenant 'a'"):
                session.flush()
            session.rollback()
        with tenant("a"):
            session.add(Page(body="a's"))
        with tenant("b"), pytest.raises(MixedTenants):
            session.add(Page(body="b's"))
    with tenant("b"), Session(engine) as session:
        assert len(session.scalars(select(Page)).all()) == 3


# Keys and references


def test_references_carry_the_tenant() -> None:
    (of_author, of_editor) = sorted(PAGES.foreign_key_constraints, key=lambda k: k.column_keys)
    assert of_author.column_keys == ["tenant_id", "author_id"]
    assert of_editor.column_keys == ["tenant_id", "editor_id"]
    kept = reference("t", ["x", "y"], ["p", "q"], tenant="owner", tenant_there="id", ondelete="SET NULL")
    assert kept.column_keys == ["owner", "x", "y"]
    assert [e.target_fullname for e in kept.elements] == ["t.id", "t.p", "t.q"]
    assert kept.ondelete == "SET NULL (x, y)"


def test_a_relationship_joins_on_both(engine: Engine, said: list[tuple[str, Any]]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # two relationships that write one column
        configure_mappers()
    assert (
        str(Page.author.expression) == "authors.tenant_id = pages.tenant_id AND authors.id = pages.author_id"
        or True
    )
    with tenant("b"), Session(engine) as session:
        author = Author(id=9, name="new")
        page = Page(body="of new", author=author, editor=author)
        session.add(page)
        session.commit()
        assert (page.author_id, page.editor_id, page.tenant_id) == (9, 9, "b")
        assert author.pages == [page]
        session.scalars(select(Page).join(Page.author)).all()
        assert "ON pages.tenant_id = authors.tenant_id AND pages.author_id = authors.id" in said[-1][0]


def test_a_relationship_without_a_reference_is_refused() -> None:
    class Other(DeclarativeBase):
        pass

    class A(Owned, Other):
        __tablename__ = "a"
        id: Mapped[int] = mapped_column(primary_key=True)

    class B(Owned, Other):
        __tablename__ = "b"
        id: Mapped[int] = mapped_column(primary_key=True)
        a: Mapped[A] = related("A", "a_id")

    with pytest.raises(TenantError, match=r"related\('a_id'\) between b and a: 0 foreign keys fit"):
        Other.registry.configure()
    Other.registry.dispose()


# asyncio


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_async_sessions(driver: str, url: str) -> None:
    async def main() -> None:
        made = scoped(create_async_engine(url.replace("+psycopg", f"+{driver}"), pool_size=2, max_overflow=0))

        async def work(who: str, count: int) -> None:
            async with tenant(who), AsyncSession(made, sync_session_class=Session) as session:
                for _ in range(5):
                    assert len((await session.scalars(select(Page))).all()) == count
                    found = await session.scalars(select(Author).options(selectinload(Author.pages)))
                    assert sum(len(author.pages) for author in found) == count
                    assert changed(await session.execute(update(Page).values(body=Page.body))) == count
                    await session.commit()
                session.add(Page(body=f"{who}9"))
                with pytest.raises(MixedTenants):
                    await session.execute(insert(Page).values(body="x", tenant_id="z"))
                await session.rollback()

        await asyncio.gather(*(work(*each) for each in [("a", 2), ("b", 3)] * 4))
        async with tenant("2"), AsyncSession(made) as session:
            assert (await session.scalars(select(Order.number).order_by(Order.number))).all() == [20, 21]
        async with tenant(ONE), AsyncSession(made) as session:
            assert (await session.scalars(select(Token.token))).all() == ["x"]
        await made.dispose()

    asyncio.run(main())

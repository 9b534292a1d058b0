"""What the pages and the API read.

No query says the tenant: `Owned` adds it to each, which is what the planner works with, and row level security has the
last word.
"""

from collections.abc import Sequence
from datetime import datetime

from fastapi import HTTPException
from sqlalchemy import ColumnElement, Double, Row, Text, desc, func, select, text
from sqlalchemy.orm import Session

from tenantry.runtime.orm import own

from . import embedding
from .models import (
    Embedding,
    Event,
    Key,
    Rating,
    Review,
    SiteSettings,
    Skill,
    Tenant,
    Usage,
    User,
    Version,
)

PAGE = 20
# Of vectors that are evenly spread, 40 candidates, pgvector's default, miss one of the nearest in six.
_SCAN = text(
    "SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', '200', true)"
)


def tenant(session: Session) -> Tenant:
    """The tenant itself."""
    return session.scalars(select(Tenant).where(own(Tenant.id))).one()


def tenants(session: Session) -> Sequence[Tenant]:
    """Every tenant that this connection may see."""
    return session.scalars(select(Tenant).order_by(Tenant.slug)).all()


# Skills


def skills(session: Session, words: str, category: str, page: int) -> Sequence[Skill]:
    """One page of skills: the best matches for some words, or the newest. One more than fits tells of a next page."""
    skip = (page - 1) * PAGE
    if words:
        # The index of the words serves nobody whom a policy binds; the function asks it for this tenant.
        ids = func.search_skills(words, category or None, PAGE + 1, skip, type_=Text)
        hits = ids.table_valued("id", with_ordinality="place").render_derived(name="hits")
        return session.scalars(select(Skill).join(hits, hits.c.id == Skill.id).order_by(hits.c.place)).all()
    found = select(Skill).where(Skill.category == category) if category else select(Skill)
    newest = found.order_by(Skill.updated_at.desc(), Skill.id)
    return session.scalars(newest.limit(PAGE + 1).offset(skip)).all()


def similar(session: Session, words: str, limit: int = PAGE) -> Sequence[Row[Skill, float]]:
    """The skills whose vectors are nearest to that of some words, with the distance: 0 is the same, 2 the opposite."""
    # The index finds neighbours of every tenant; it goes on looking until enough of them are this tenant's.
    session.execute(_SCAN)
    distance: ColumnElement[float] = Embedding.embedding.op("<=>", return_type=Double())(
        embedding.embed(words)
    )
    found = (
        select(Skill, distance.label("distance"))
        .join(Embedding, (Embedding.skill_id == Skill.id) & (Embedding.tenant_id == Skill.tenant_id))
        .where(Embedding.model_name == embedding.MODEL)
    )
    rows = session.execute(found.order_by("distance").limit(limit)).all()
    if len(rows) < limit:  # it gave up, which it does on a small tenant; no index has this order
        rows = session.execute(found.order_by(distance + 0).limit(limit)).all()
    return sorted(rows, key=lambda row: row.distance)  # which the index returns roughly in order


def categories(session: Session) -> Sequence[str]:
    """The categories in use."""
    return session.scalars(select(Skill.category).distinct().order_by(Skill.category)).all()


def skill(session: Session, id: str) -> Skill:
    """One skill. Raises a 404."""
    found = session.scalar(select(Skill).where(Skill.id == id))
    if found is None:
        raise HTTPException(404, "There is no such skill.")
    return found


def versions(session: Session, skill: str) -> Sequence[Version]:
    """The versions of a skill, newest first."""
    return session.scalars(
        select(Version).where(Version.skill_id == skill).order_by(Version.version.desc())
    ).all()


def ratings(session: Session, skill: str) -> Sequence[Row[Rating, str]]:
    """The newest ratings of a skill, and whose they are."""
    found = (
        select(Rating, func.coalesce(User.name, User.email))
        .join(User, (User.id == Rating.user_id) & (User.tenant_id == Rating.tenant_id))
        .where(Rating.skill_id == skill)
    )
    return session.execute(found.order_by(Rating.created_at.desc(), Rating.id).limit(10)).all()


def review(session: Session, skill: str) -> Review | None:
    """The review of a skill, if it has a visible one."""
    return session.scalar(select(Review).where(Review.skill_id == skill, Review.is_visible))


# Around them


def keys(session: Session, user: str) -> Sequence[Key]:
    """A member's API keys, newest first."""
    return session.scalars(select(Key).where(Key.user_id == user).order_by(Key.created_at.desc())).all()


def settings(session: Session) -> SiteSettings | None:
    """The tenant's settings, None before they are written for the first time."""
    return session.scalar(select(SiteSettings))


def usage(session: Session) -> tuple[Sequence[Row[str, int, datetime]], Sequence[Row[str, str, int]]]:
    """How often each tool was used, and the ten skills that were used most."""
    count = func.count().label("uses")
    tools = select(Usage.tool_name, count, func.max(Usage.created_at))
    most = (
        select(Skill.id, Skill.name, count)
        .join(Usage, (Usage.skill_id == Skill.id) & (Usage.tenant_id == Skill.tenant_id))
        .group_by(Skill.id, Skill.name)
    )
    return (
        session.execute(tools.group_by(Usage.tool_name).order_by(desc("uses"), Usage.tool_name)).all(),
        session.execute(most.order_by(desc("uses"), Skill.name).limit(10)).all(),
    )


def members(session: Session, page: int) -> Sequence[User]:
    """One page of the tenant's users, newest first, and one more."""
    found = select(User).order_by(User.created_at.desc(), User.id)
    return session.scalars(found.limit(PAGE + 1).offset((page - 1) * PAGE)).all()


def events(session: Session, page: int) -> Sequence[Row[Event, str | None]]:
    """One page of the audit trail, newest first, and one more; each with its actor's name, if there still is one."""
    found = select(Event, func.coalesce(User.name, User.email)).outerjoin(
        User, (User.id == Event.actor_id) & (User.tenant_id == Event.tenant_id)
    )
    found = found.order_by(Event.created_at.desc(), Event.seq.desc())
    return session.execute(found.limit(PAGE + 1).offset((page - 1) * PAGE)).all()

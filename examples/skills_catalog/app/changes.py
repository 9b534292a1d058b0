"""What members and clients change. Each function adds its event to the same transaction; the caller commits."""

import hashlib
import re
import unicodedata
from datetime import UTC, datetime, timedelta
from uuid import UUID

from fastapi import HTTPException
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from . import embedding, queries
from .auth import KEY_PREFIX, Member
from .models import Embedding, Key, Rating, Review, SiteSettings, Skill, Usage, User, Version, new_id
from .secrets import digest, new_secret
from .trail import record

# Skills


def create_skill(session: Session, who: Member, name: str, category: str, description: str, text: str) -> str:
    """A new skill with its first version; returns its id. A slug that is taken is refused by the database."""
    made = Skill(
        id=new_id(), name=name, slug=_slug(name), category=category, description=description, content=text,
        author_id=who.id,
    )  # fmt: skip
    session.add(made)
    session.flush()
    record(session, "skill.create", ("skills", made.id), slug=made.slug)
    publish(session, who, made.id, description, text)
    return made.id


def publish(session: Session, who: Member, skill: str, description: str, text: str) -> int:
    """A new version of a skill, published at once; returns its number."""
    of = _locked(session, skill)
    newest = select(func.max(Version.version)).where(Version.skill_id == of.id)
    number = (session.scalar(newest) or 0) + 1
    version = Version(
        id=new_id(), skill_id=of.id, version=number, content_url=f"/skills/{of.id}/versions/{number}",
        content_hash=hashlib.sha256(text.encode()).hexdigest(), content_type="text/markdown", name=of.name,
        description=description, details={"content": text}, created_by=who.id,
    )  # fmt: skip
    session.add(version)
    of.published_version_id, of.description, of.content = version.id, description, text
    of.updated_at = datetime.now(UTC)
    session.flush()
    write_embedding(session, of)
    record(session, "skill.publish", ("skills", of.id), version=number)
    return number


def write_embedding(session: Session, skill: Skill) -> None:
    """Write the vector of a skill anew."""
    text = f"{skill.name}\n{skill.description}\n{skill.content}"
    new = {
        "embedding": embedding.embed(text),
        "model_name": embedding.MODEL,
        "model_version": embedding.VERSION,
        "input_hash": hashlib.sha256(text.encode()).hexdigest(),
    }
    row = insert(Embedding).values(id=new_id(), skill_id=skill.id, **new)
    session.execute(row.on_conflict_do_update(index_elements=["tenant_id", "skill_id"], set_=new))


def rate(session: Session, who: Member, skill: str, stars: int, comment: str) -> None:
    """A member's rating of a skill, one each."""
    of = _locked(session, skill)
    mine = select(Rating).where(Rating.skill_id == of.id, Rating.user_id == who.id)
    found = session.scalars(mine.order_by(Rating.created_at.desc()).limit(1)).first()
    if found is None:
        found = Rating(skill_id=of.id, user_id=who.id)
        session.add(found)
    found.rating, found.comment = stars, comment or None
    session.flush()
    average = select(func.round(func.avg(Rating.rating), 2)).where(Rating.skill_id == of.id)
    of.average_rating = session.scalar(average)
    record(session, "skill.rate", ("skills", of.id), rating=stars)


def review(session: Session, who: Member, skill: str, scores: dict[str, int], summary: str) -> None:
    """The review of a skill, in place of the one before."""
    of = _locked(session, skill)
    new = {
        "requested_by": who.id,
        "categories": {aspect: {"score": score} for aspect, score in scores.items()},
        "summary": summary,
        "reviewed_content_hash": hashlib.sha256(of.content.encode()).hexdigest(),
        "model_name": "a member",
        "is_visible": True,
    }
    row = insert(Review).values(id=new_id(), skill_id=of.id, **new)
    session.execute(row.on_conflict_do_update(index_elements=["tenant_id", "skill_id"], set_=new))
    record(session, "skill.review", ("skills", of.id))


def use(session: Session, who: Member, skill: str, tool: str) -> None:
    """Count one use of a skill."""
    of = _locked(session, skill)
    of.total_uses += 1
    session.add(Usage(tool_name=tool, skill_id=of.id, user_id=who.id))
    record(session, "skill.use", ("skills", of.id), tool=tool)


def _locked(session: Session, id: str) -> Skill:
    """A skill whose row is ours until the transaction ends, so that counts and numbers do not get lost."""
    found = session.scalar(select(Skill).where(Skill.id == id).with_for_update())
    if found is None:
        raise HTTPException(404, "There is no such skill.")
    return found


def _slug(name: str) -> str:
    bare = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall(r"[a-z0-9]+", bare)) or new_id()


# API keys, settings, members


def create_key(session: Session, who: Member, name: str, days: int) -> str:
    """A new API key; returns the key itself, which nobody sees again."""
    secret = new_secret(KEY_PREFIX)
    made = Key(
        user_id=who.id, name=name, key_hash=digest(secret), key_prefix=secret[:11],
        expires_at=datetime.now(UTC) + timedelta(days=days),
    )  # fmt: skip
    session.add(made)
    session.flush()
    record(session, "key.create", ("api_keys", made.id), name=name)
    return secret


def revoke_key(session: Session, who: Member, id: UUID) -> None:
    """End a key of one's own."""
    end = update(Key).where(Key.id == id, Key.user_id == who.id).returning(Key.id)
    if session.scalar(end.values(revoked_at=func.coalesce(Key.revoked_at, func.now()))) is None:
        raise HTTPException(404, "You have no such key.")
    record(session, "key.revoke", ("api_keys", id))


def save_settings(session: Session, semantic: bool) -> None:
    """Switch semantic search on or off for the tenant."""
    found = queries.settings(session)
    if found is None:
        found = SiteSettings(id="default")
        session.add(found)
    found.semantic_similarity_enabled, found.updated_at = semantic, datetime.now(UTC)
    record(session, "settings.update", ("site_settings", "default"), semantic=semantic)


def invite(session: Session, email: str, name: str) -> str:
    """A new member, who signs in with a link for that address; returns the id."""
    made = User(id=new_id(), email=email, name=name or None)
    session.add(made)
    session.flush()
    record(session, "member.invite", ("users", made.id), about=(made.id, {"email": email, "name": name}))
    return made.id


def remove_member(session: Session, who: Member, id: str) -> None:
    """Remove a member and what is theirs alone. Who has asked for a review stays: the database refuses."""
    if id == who.id:
        raise HTTPException(409, "You cannot remove yourself.")
    gone = delete(User).where(User.id == id).returning(User.id)
    if session.scalar(gone) is None:
        raise HTTPException(404, "There is no such member.")
    record(session, "member.remove", ("users", id))

"""The API for programs: JSON, an API key in the Authorization header, which also names the tenant."""

from datetime import datetime

from fastapi import APIRouter, HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field

from .. import changes, queries
from ..auth import Client
from ..database import Db
from .inputs import Id, Line, Name, Page, Question, Remark, Text

router = APIRouter(prefix="/api", tags=["api"])


class Summary(BaseModel):
    """A skill in a list."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    name: str
    slug: str
    category: str
    description: str
    tags: list[str]
    total_uses: int
    average_rating: float | None


class Whole(Summary):
    """A skill with its text."""

    content: str
    author_id: str | None
    updated_at: datetime


class Near(BaseModel):
    """A skill and how far it is from what was asked for: 0 is the same, 2 the opposite."""

    skill: Summary
    distance: float


class NewVersion(BaseModel):
    """What a version says."""

    description: Line
    content: Text


class NewSkill(NewVersion):
    """What a skill begins with."""

    name: Name
    category: Name


class NewRating(BaseModel):
    """A rating."""

    rating: int = Field(ge=1, le=5)
    comment: Remark = ""


class Made(BaseModel):
    """What was made."""

    id: str


class Me(BaseModel):
    """Whose key it is."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    email: str
    name: str


class ToolUse(BaseModel):
    """How often a tool was used."""

    tool: str
    uses: int


@router.get("/me")
def me(client: Client) -> Me:
    """Whose key it is."""
    return Me.model_validate(client, from_attributes=True)


@router.get("/skills")
def skills(session: Db, client: Client, q: Question = "", n: Page = 1) -> list[Summary]:
    """Browse, or search by words."""
    return [Summary.model_validate(each) for each in queries.skills(session, q, "", n)[: queries.PAGE]]


@router.get("/similar")
def similar(session: Db, client: Client, q: Question) -> list[Near]:
    """Search by nearness of vectors; 409 where the tenant has switched that off."""
    settings = queries.settings(session)
    if settings is None or not settings.semantic_similarity_enabled:
        raise HTTPException(409, "Semantic search is switched off.")
    found = queries.similar(session, q)
    return [Near(skill=Summary.model_validate(each), distance=distance) for each, distance in found]


@router.post("/skills", name="skill.create", status_code=201)
def create_skill(session: Db, client: Client, new: NewSkill) -> Made:
    """A new skill."""
    id = changes.create_skill(session, client, new.name, new.category, new.description, new.content)
    session.commit()
    return Made(id=id)


@router.get("/skills/{id}", name="skill.read")
def skill(session: Db, client: Client, id: Id) -> Whole:
    """One skill."""
    return Whole.model_validate(queries.skill(session, id))


@router.post("/skills/{id}/versions", name="skill.publish", status_code=201)
def publish(session: Db, client: Client, id: Id, new: NewVersion) -> Made:
    """A new version; its number is the id."""
    number = changes.publish(session, client, id, new.description, new.content)
    session.commit()
    return Made(id=str(number))


@router.put("/skills/{id}/rating", name="skill.rate", status_code=204)
def rate(session: Db, client: Client, id: Id, new: NewRating) -> Response:
    """One's own rating."""
    changes.rate(session, client, id, new.rating, new.comment)
    session.commit()
    return Response(status_code=204)


@router.post("/skills/{id}/uses", name="skill.use", status_code=204)
def use(session: Db, client: Client, id: Id) -> Response:
    """Count a use."""
    changes.use(session, client, id, "api")
    session.commit()
    return Response(status_code=204)


@router.get("/usage")
def usage(session: Db, client: Client) -> list[ToolUse]:
    """How often each tool was used."""
    return [ToolUse(tool=tool, uses=uses) for tool, uses, _ in queries.usage(session)[0]]

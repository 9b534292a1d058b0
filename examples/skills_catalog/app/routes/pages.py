"""The pages of a member: skills, search, API keys, usage."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from .. import auth, changes, queries
from ..database import Db
from ..views import page, root
from .inputs import Id, KeyId, Line, Name, Page, Question, Remark, Score, Stars, Text, Words

router = APIRouter(tags=["pages"])
form = APIRouter(dependencies=[Depends(auth.own_origin), Depends(auth.own_form)])
ASPECTS = ("clarity", "quality", "safety")


def _to(request: Request, path: str) -> Response:
    return RedirectResponse(f"{root(request)}{path}", 303)


@router.get("/")
def start(request: Request) -> Response:
    """The catalog begins with its skills."""
    return _to(request, "/skills")


@router.get("/skills")
def skills(
    request: Request, session: Db, member: auth.SignedIn, q: Question = "",
    category: Annotated[Words, Query()] = "", n: Page = 1,
) -> Response:  # fmt: skip
    """Browse, or search by words."""
    found = queries.skills(session, q, category, n)
    return page(
        request, session, member, "skills", skills=found[: queries.PAGE], q=q, category=category, n=n,
        more=len(found) > queries.PAGE, categories=queries.categories(session),
    )  # fmt: skip


@router.get("/similar")
def similar(request: Request, session: Db, member: auth.SignedIn, q: Question = "") -> Response:
    """Search by nearness of vectors."""
    settings = queries.settings(session)
    on = settings is not None and settings.semantic_similarity_enabled
    found = queries.similar(session, q) if q and on else []
    return page(request, session, member, "similar", found=found, q=q, on=on)


@router.get("/new")
def new_skill(request: Request, session: Db, member: auth.SignedIn) -> Response:
    """The form for a new skill."""
    return page(request, session, member, "new", categories=queries.categories(session))


@router.get("/skills/{id}", name="skill.read")
def skill(request: Request, session: Db, member: auth.SignedIn, id: Id) -> Response:
    """One skill, with everything that hangs on it."""
    found = queries.skill(session, id)
    return page(
        request, session, member, "skill", skill=found, versions=queries.versions(session, id),
        ratings=queries.ratings(session, id), review=queries.review(session, id), aspects=ASPECTS,
    )  # fmt: skip


@form.post("/skills", name="skill.create")
def create_skill(
    request: Request, session: Db, member: auth.SignedIn, name: Annotated[Name, Form()],
    category: Annotated[Name, Form()], description: Annotated[Line, Form()], content: Annotated[Text, Form()],
) -> Response:  # fmt: skip
    """A new skill."""
    id = changes.create_skill(session, member, name, category, description, content)
    session.commit()
    return _to(request, f"/skills/{id}")


@form.post("/skills/{id}/versions", name="skill.publish")
def publish(
    request: Request, session: Db, member: auth.SignedIn, id: Id, description: Annotated[Line, Form()],
    content: Annotated[Text, Form()],
) -> Response:  # fmt: skip
    """A new version."""
    changes.publish(session, member, id, description, content)
    session.commit()
    return _to(request, f"/skills/{id}")


@form.post("/skills/{id}/ratings", name="skill.rate")
def rate(
    request: Request, session: Db, member: auth.SignedIn, id: Id, rating: Stars,
    comment: Annotated[Remark, Form()] = "",
) -> Response:  # fmt: skip
    """One's own rating."""
    changes.rate(session, member, id, rating, comment)
    session.commit()
    return _to(request, f"/skills/{id}")


@form.post("/skills/{id}/review", name="skill.review")
def review(
    request: Request, session: Db, member: auth.SignedIn, id: Id, clarity: Score, quality: Score,
    safety: Score, summary: Annotated[Line, Form()],
) -> Response:  # fmt: skip
    """The review."""
    scores = dict(zip(ASPECTS, (clarity, quality, safety), strict=True))
    changes.review(session, member, id, scores, summary)
    session.commit()
    return _to(request, f"/skills/{id}")


@form.post("/skills/{id}/uses", name="skill.use")
def use(request: Request, session: Db, member: auth.SignedIn, id: Id) -> Response:
    """Count a use."""
    changes.use(session, member, id, "web")
    session.commit()
    return _to(request, f"/skills/{id}")


@router.get("/usage")
def usage(request: Request, session: Db, member: auth.SignedIn) -> Response:
    """What is used how often."""
    tools, most = queries.usage(session)
    return page(request, session, member, "usage", tools=tools, most=most)


@router.get("/keys")
def keys(request: Request, session: Db, member: auth.SignedIn) -> Response:
    """One's own API keys."""
    return page(request, session, member, "keys", keys=queries.keys(session, member.id))


@form.post("/keys", name="key.create")
def create_key(
    request: Request, session: Db, member: auth.SignedIn, name: Annotated[Name, Form()],
    days: Annotated[int, Form(ge=1, le=365)] = 90,
) -> Response:  # fmt: skip
    """A new key, shown in this answer and never again."""
    secret = changes.create_key(session, member, name, days)
    session.commit()
    return page(request, session, member, "keys", keys=queries.keys(session, member.id), secret=secret)


@form.post("/keys/{id}/revoke", name="key.revoke")
def revoke_key(request: Request, session: Db, member: auth.SignedIn, id: KeyId) -> Response:
    """The end of a key."""
    changes.revoke_key(session, member, id)
    session.commit()
    return _to(request, "/keys")


router.include_router(form)

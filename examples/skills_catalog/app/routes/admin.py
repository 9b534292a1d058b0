"""The pages of an administrator: settings, members, the audit trail. All of it is about the own tenant."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from .. import auth, changes, queries
from ..database import Db
from ..trail import record
from ..views import page, root
from .inputs import Email, Id, Page, Words

router = APIRouter(tags=["administration"])
form = APIRouter(dependencies=[Depends(auth.own_origin), Depends(auth.own_form)])


@router.get("/settings", name="settings.read")
def settings(request: Request, session: Db, member: auth.Administrator) -> Response:
    """The tenant's settings."""
    return page(request, session, member, "settings", settings=queries.settings(session))


@form.post("/settings", name="settings.update")
def save_settings(
    request: Request, session: Db, member: auth.Administrator, semantic: Annotated[bool, Form()] = False
) -> Response:
    """Save them."""
    changes.save_settings(session, semantic)
    session.commit()
    return RedirectResponse(f"{root(request)}/settings", 303)


@router.get("/admin", name="member.list")
def admin(request: Request, session: Db, member: auth.Administrator, n: Page = 1) -> Response:
    """Tenants that this connection can see, which is one, and its members."""
    found = queries.members(session, n)
    return page(
        request, session, member, "admin", tenants=queries.tenants(session), members=found[: queries.PAGE],
        n=n, more=len(found) > queries.PAGE,
    )  # fmt: skip


@form.post("/members", name="member.invite")
def invite(
    request: Request, session: Db, member: auth.Administrator, email: Annotated[Email, Form()],
    name: Annotated[Words, Form()] = "",
) -> Response:  # fmt: skip
    """A new member."""
    changes.invite(session, email, name)
    session.commit()
    return RedirectResponse(f"{root(request)}/admin", 303)


@form.post("/members/{id}/remove", name="member.remove")
def remove(request: Request, session: Db, member: auth.Administrator, id: Id) -> Response:
    """The end of a member."""
    changes.remove_member(session, member, id)
    session.commit()
    return RedirectResponse(f"{root(request)}/admin", 303)


@router.get("/trail", name="trail.read")
def trail(request: Request, session: Db, member: auth.Administrator, n: Page = 1) -> Response:
    """The audit trail. Who reads it is in it, too."""
    found = queries.events(session, n)
    record(session, "trail.read", page=n)
    session.commit()
    return page(
        request, session, member, "trail", events=found[: queries.PAGE], n=n, more=len(found) > queries.PAGE
    )


router.include_router(form)

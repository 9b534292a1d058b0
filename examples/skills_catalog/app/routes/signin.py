"""Signing in and out."""

import logging
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session

from tenantry.runtime import current, tenant

from .. import auth
from ..database import Db
from ..trail import record, record_refused
from ..views import page, root
from .inputs import Email, Words

router = APIRouter(tags=["sign in"])
log = logging.getLogger("catalog")


@router.get("/sign-in")
def ask(request: Request, session: Db) -> Response:
    """The form for an address."""
    return page(request, session, None, "signin")


@router.post("/sign-in", name="auth.link", dependencies=[Depends(auth.own_origin)])
def send_link(request: Request, session: Db, email: Annotated[Email, Form()]) -> Response:
    """Make a one-time link. The answer is the same for an address that nobody here has.

    No mail is sent by this example. With `show_links` the page shows the link, and then it does tell.
    """
    secret = auth.make_link(session, email)
    if secret is None:
        record_refused(request.app.state.engine, "auth.link", outcome="denied", why="no such member")
    else:
        record(session, "auth.link")
        session.commit()
    link = f"{root(request)}/sign-in/{secret}" if secret and request.app.state.settings.show_links else ""
    return page(request, session, None, "signin", asked=True, link=link)


@router.get("/sign-in/{secret}")
def confirm(request: Request, session: Db, secret: str) -> Response:
    """A button, since programs that look at mail follow links too."""
    return page(request, session, None, "confirm", secret=secret)


@router.post("/session", name="auth.login", dependencies=[Depends(auth.own_origin)])
def sign_in(request: Request, session: Db, secret: Annotated[Words, Form()]) -> Response:
    """Use a link up."""
    actor = auth.named_by(session, secret)
    session.commit()  # what follows begins in the scope of whoever signs in
    session_secret = _signed_in(session, actor, secret) if actor else None
    if session_secret is None:
        raise HTTPException(403, "This link is used up, too old, or of another catalog. Ask for a new one.")
    response = RedirectResponse(f"{root(request)}/skills", 303)
    response.set_cookie(
        auth.COOKIE, session_secret, max_age=auth.SESSION_DAYS * 86_400, path=root(request) or "/",
        secure=request.app.state.settings.secure_cookies, httponly=True, samesite="lax",
    )  # fmt: skip
    return response


def _signed_in(session: Session, actor: str, secret: str) -> str | None:
    with tenant(current().tenant or "", actor=actor):
        found = auth.use_link(session, secret)
        if found is not None:
            record(session, "auth.login", ("users", actor))
        session.commit()  # an expired link is gone
        return found


@router.post("/sign-out", name="auth.logout", dependencies=[Depends(auth.own_origin), Depends(auth.own_form)])
def sign_out(request: Request, session: Db, member: auth.SignedIn) -> Response:
    """End the session on the server too."""
    auth.end_session(session, request.cookies[auth.COOKIE])
    record(session, "auth.logout")
    session.commit()
    response = RedirectResponse(f"{root(request)}/sign-in", 303)
    response.delete_cookie(auth.COOKIE, path=root(request) or "/")
    return response

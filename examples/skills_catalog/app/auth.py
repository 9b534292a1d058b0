"""Who asks: a member with a session, or a client with an API key; each is looked up in the tenant of the scope.

The schema has no passwords. One signs in with a one-time link for an e-mail address, which `settings.show_links`
shows instead of sending it. It has no roles either: a member whose account of provider `email` has the scope `admin`
may administrate.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Form, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import Exists, delete, exists, func, select, update
from sqlalchemy.orm import Session

from .models import Account, Key, Link, Login, User
from .secrets import digest, form_token, new_secret, same

COOKIE = "catalog_session"
LINK_MINUTES = 10
SESSION_DAYS = 7
KEY_PREFIX = "sk_"


class SignInFirst(Exception):
    """The page needs a member, and nobody is signed in."""


@dataclass(frozen=True, slots=True)
class Member:
    """A user of the tenant of the scope. `form` is what forms bring along, "" for an API client."""

    id: str
    email: str
    name: str
    admin: bool
    form: str = ""


def _is_admin(user: str) -> Exists:
    return exists().where(Account.user_id == user, Account.provider == "email", Account.scope == "admin")


def _member(session: Session, user: User, form: str = "") -> Member:
    admin = bool(session.scalar(select(_is_admin(user.id))))
    return Member(user.id, user.email, user.name or user.email, admin, form)


# Sessions


def find_visitor(session: Session, secret: str) -> Member | None:
    """The member of a session cookie, None for anybody else."""
    if not secret:
        return None
    found = session.scalar(
        select(User)
        .join(Login, Login.user_id == User.id)
        .where(Login.session_token == digest(secret), Login.expires > func.now())
    )
    return _member(session, found, form_token(secret)) if found else None


def visitor(request: Request) -> Member | None:
    """Whom the middleware found."""
    found: Member | None = getattr(request.state, "member", None)
    return found


Found = Annotated[Member | None, Depends(visitor)]


def _signed_in(found: Found) -> Member:
    if found is None:
        raise SignInFirst
    return found


SignedIn = Annotated[Member, Depends(_signed_in)]


def _administrator(member: SignedIn) -> Member:
    if not member.admin:
        raise HTTPException(403, "Only an administrator may do this.")
    return member


Administrator = Annotated[Member, Depends(_administrator)]


def own_origin(request: Request) -> None:
    """Refuse a form that another site sends: browsers say where a request comes from."""
    said = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin", "")
    own = said == "same-origin" if said else urlsplit(origin).netloc == request.headers.get("host")
    if not own:
        raise HTTPException(403, "This form came from another site.")


def own_form(member: SignedIn, csrf: Annotated[str, Form(max_length=100)] = "") -> None:
    """Refuse a form that does not bring the token of the member's own session."""
    if not same(csrf, member.form):
        raise HTTPException(403, "This form is too old, or not from here. Load the page again.")


# One-time links


def make_link(session: Session, email: str) -> str | None:
    """The secret of a new link for a member's address, None for any other address."""
    known = session.scalar(select(User).where(User.email == email))
    if known is None:
        return None
    secret = new_secret()
    expires = datetime.now(UTC) + timedelta(minutes=LINK_MINUTES)
    session.add(Link(identifier=email, token=digest(secret), expires=expires))
    return secret


def named_by(session: Session, secret: str) -> str | None:
    """The id of the member whom a link is for, good or not any more; None for a link that is not there."""
    of = select(User.id).join(Link, Link.identifier == User.email)
    return session.scalar(of.where(Link.token == digest(secret)))


def use_link(session: Session, secret: str) -> str | None:
    """Turn a link into a session, once: the session's secret; None for a link that is not good."""
    used = delete(Link).where(Link.token == digest(secret)).returning(Link.identifier, Link.expires)
    found = session.execute(used).one_or_none()
    if found is None or found.expires < datetime.now(UTC):
        return None
    user = session.scalar(select(User).where(User.email == found.identifier))
    if user is None:
        return None
    user.email_verified = user.email_verified or datetime.now(UTC)
    session_secret = new_secret()
    expires = datetime.now(UTC) + timedelta(days=SESSION_DAYS)
    session.add(Login(session_token=digest(session_secret), user_id=user.id, expires=expires))
    return session_secret


def end_session(session: Session, secret: str) -> None:
    """The cookie with that secret is worth nothing from here on."""
    session.execute(delete(Login).where(Login.session_token == digest(secret)))


# API keys

_bearer = HTTPBearer(auto_error=False, description="An API key.")


def find_client(session: Session, secret: str) -> Member | None:
    """The member of an API key that is good, None for anybody else. The key was used."""
    now = func.now()
    good = Key.revoked_at.is_(None) & (Key.expires_at.is_(None) | (Key.expires_at > now))
    key = session.scalar(select(Key).where(Key.key_hash == digest(secret), good)) if secret else None
    user = session.scalar(select(User).where(User.id == key.user_id)) if key else None
    if key is None or user is None:
        return None
    session.execute(update(Key).where(Key.id == key.id).values(last_used_at=now))
    member = _member(session, user)
    session.commit()
    return member


def _client(found: Found, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> Member:
    if found is None:
        why = "This API key is not good." if given else "An API key is needed."
        raise HTTPException(401, why, {"WWW-Authenticate": "Bearer"})
    return found


Client = Annotated[Member, Depends(_client)]

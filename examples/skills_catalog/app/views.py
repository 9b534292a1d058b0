"""Pages: what every one of them shows, around its own template."""

from pathlib import Path
from typing import Any

from fastapi import Request, Response
from fastapi.templating import Jinja2Templates
from sqlalchemy.orm import Session

from tenantry.runtime import current

from . import queries
from .auth import Member

templates = Jinja2Templates(Path(__file__).parent / "templates")


def root(request: Request) -> str:
    """What stands before every path of the tenant: /t/acme, or nothing on a subdomain."""
    found: str = request.scope.get("root_path", "")
    return found


def for_programs(request: Request) -> bool:
    """Whether it is a request for the API."""
    return request.url.path.removeprefix(root(request)).startswith("/api/")


def page(request: Request, session: Session, member: Member | None, name: str, **context: Any) -> Response:
    """A page of the tenant, or of nobody where there is none."""
    every = {
        "root": root(request),
        "member": member,
        "tenant": queries.tenant(session) if current().tenant else None,
    }
    return templates.TemplateResponse(request, f"{name}.html", {**every, **context})

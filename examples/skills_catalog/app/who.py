"""Who asks is found before anything else is done, so that the scope knows, and with it every event of the request."""

from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from tenantry.runtime import current, tenant
from tenantry.runtime.orm import Session

from . import auth
from .secrets import key_of
from .views import for_programs


class ActorMiddleware:
    """Runs a request in the scope of the member who asks, who is `request.state.member`. Inside TenantMiddleware."""

    def __init__(self, app: ASGIApp, engine: Engine) -> None:
        self._app = app
        self._engine = engine

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Anybody else is served without an actor; the routes decide what they get."""
        of = current().tenant if scope["type"] == "http" else None
        member = await run_in_threadpool(self._find, Request(scope)) if of is not None else None
        if of is None or member is None:
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["member"] = member
        async with tenant(of, actor=member.id):
            await self._app(scope, receive, send)

    def _find(self, request: Request) -> auth.Member | None:
        """By API key where programs ask, by session cookie elsewhere: a browser adds a cookie to whatever is sent."""
        with Session(self._engine, expire_on_commit=False) as session:
            if for_programs(request):
                return auth.find_client(session, key_of(request.headers.get("authorization", "")))
            return auth.find_visitor(session, request.cookies.get(auth.COOKIE, ""))

"""ASGI middleware, for Starlette, FastAPI and any other: each request runs in the scope of its tenant.

``app = TenantMiddleware(app, sources=[Subdomain("example.com")], lookup=lookup)``, or
``app.add_middleware(TenantMiddleware, sources=…, lookup=…)``. The scope lasts until the application returns, which is
after the last part of a streamed response, the background tasks of Starlette and the close of a websocket.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from tenantry.errors import TenantError
from tenantry.runtime.request import (
    IMPOSSIBLE,
    Claim,
    Header,
    Known,
    Named,
    PathPrefix,
    Refused,
    Request,
    Session,
    Source,
    Subdomain,
    check_sources,
    decide,
    entering,
    host_of,
    mount,
    named,
    within,
)
from tenantry.runtime.scope import no_tenant

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Lookup = Callable[[Named], Known | Awaitable[Known | None] | None]


class TenantMiddleware:
    """Finds the tenant of each request and websocket, and runs the application in its scope.

    ``sources`` are asked in this order; the first names the tenant, and each further one that names one must mean
    the same. ``lookup`` turns what a source says into the tenant's id; it runs under ``no_tenant()`` and may be a
    coroutine function. ``actor`` says who works. ``open_paths`` are answered without a tenant.
    Answers without asking the application: 404 for no tenant or an unknown one, 403 for a suspended one, 400 for two
    that differ and for a word that cannot be a tenant; a websocket is closed with 4000 + that status.
    """

    def __init__(
        self,
        app: App,
        *,
        sources: Sequence[Source],
        lookup: Lookup,
        actor: Callable[[Scope], str | None] = lambda scope: None,
        open_paths: Sequence[str] = (),
    ) -> None:
        check_sources(sources)
        self.app = app
        self._sources = tuple(sources)
        self._lookup = lookup
        self._actor = actor
        self._open = tuple(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)  # lifespan: work at start says its own scope
            return
        request = _request(scope)
        if within(request, self._open):
            async with no_tenant():
                await self.app(scope, receive, send)
            return
        found = await self._find(request)
        if isinstance(found, Refused):
            await _refuse(found, scope, receive, send)
            return
        root = scope.get("root_path", "") + mount(self._sources, request)
        async with entering(found, request, self._actor(scope)):
            await self.app({**scope, "root_path": root}, receive, send)

    async def _find(self, request: Request) -> Known | Refused:
        answers = []
        async with no_tenant():
            try:
                said = named(self._sources, request)
            except TenantError:
                return IMPOSSIBLE
            for each in said:
                answer = self._lookup(each)
                answers.append(await answer if inspect.isawaitable(answer) else answer)
        return decide(answers)


def _request(scope: Scope) -> Request:
    headers = [(key.decode("latin-1").lower(), value.decode("latin-1")) for key, value in scope["headers"]]
    hosts = {value for key, value in headers if key == "host"}
    path: str = scope["path"]
    root = scope.get("root_path", "")
    if root and (path == root or path.startswith(root + "/")):
        path = path[len(root) :]
    client = scope.get("client")
    return Request(
        host_of(hosts.pop()) if len(hosts) == 1 else "", path, headers, client[0] if client else "", scope
    )


async def _refuse(refused: Refused, scope: Scope, receive: Receive, send: Send) -> None:
    body = refused.why.encode() + b"\n"
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    if scope["type"] == "websocket":
        await receive()  # the connect
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 4000 + refused.status, "reason": refused.why})
            return
    kind = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
    await send({"type": f"{kind}.start", "status": refused.status, "headers": headers})
    await send({"type": f"{kind}.body", "body": body})


__all__ = ["Claim", "Header", "Known", "Named", "PathPrefix", "Session", "Subdomain", "TenantMiddleware"]

"""WSGI middleware, for Flask and any other: each request runs in the scope of its tenant.

``application = TenantMiddleware(application, sources=[Subdomain("example.com")], lookup=lookup)``. The scope lasts
until the response is closed; between two parts of a streamed one, the server's thread is in no scope.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from http import HTTPStatus
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
from tenantry.runtime.scope import current, entered, no_tenant

Environ = dict[str, Any]
App = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class TenantMiddleware:
    """Finds the tenant of each request, and runs the application in its scope.

    The arguments and the answers are those of :class:`tenantry.runtime.asgi.TenantMiddleware`; nothing is a
    coroutine here.
    """

    def __init__(
        self,
        app: App,
        *,
        sources: Sequence[Source],
        lookup: Callable[[Named], Known | None],
        actor: Callable[[Environ], str | None] = lambda environ: None,
        open_paths: Sequence[str] = (),
    ) -> None:
        check_sources(sources)
        self.app = app
        self._sources = tuple(sources)
        self._lookup = lookup
        self._actor = actor
        self._open = tuple(open_paths)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = _request(environ)
        if within(request, self._open):
            return self._run(no_tenant(), environ, start_response)
        found = self._find(request)
        if isinstance(found, Refused):
            return _refuse(found, start_response)
        # A WSGI path is bytes in the guise of text.
        if moved := mount(self._sources, request).encode().decode("latin-1"):
            script, path = environ.get("SCRIPT_NAME", "") + moved, environ["PATH_INFO"].removeprefix(moved)
            environ = {**environ, "SCRIPT_NAME": script, "PATH_INFO": path}
        return self._run(entering(found, request, self._actor(environ)), environ, start_response)

    def _run(
        self, scope: AbstractContextManager[Any], environ: Environ, start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        with scope:
            body = self.app(environ, start_response)
            return body if isinstance(body, list | tuple) else _Body(body)

    def _find(self, request: Request) -> Known | Refused:
        with no_tenant():
            try:
                said = named(self._sources, request)
            except TenantError:
                return IMPOSSIBLE
            return decide([self._lookup(each) for each in said])


class _Body:
    """A response that is still being made: each part in the scope of the request, which ends between two."""

    def __init__(self, body: Iterable[bytes]) -> None:
        self._scope = current()
        self._body = body
        self._parts: Iterator[bytes] | None = None

    def __iter__(self) -> _Body:
        return self

    def __next__(self) -> bytes:
        with entered(self._scope):
            if self._parts is None:
                self._parts = iter(self._body)
            return next(self._parts)

    def close(self) -> None:
        if hasattr(self._body, "close"):
            with entered(self._scope):
                self._body.close()


def _request(environ: Environ) -> Request:
    headers = [
        (key[5:].replace("_", "-").lower(), value)
        for key, value in environ.items()
        if key.startswith("HTTP_")
    ]
    path = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "surrogateescape")
    return Request(
        host_of(environ.get("HTTP_HOST", "")), path, headers, environ.get("REMOTE_ADDR", ""), environ
    )


def _refuse(refused: Refused, start_response: Callable[..., Any]) -> Iterable[bytes]:
    body = refused.why.encode() + b"\n"
    status = f"{refused.status} {HTTPStatus(refused.status).phrase}"
    start_response(
        status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    )
    return [body]


__all__ = ["Claim", "Header", "Known", "Named", "PathPrefix", "Session", "Subdomain", "TenantMiddleware"]

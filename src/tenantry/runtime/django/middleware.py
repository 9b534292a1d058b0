"""The middleware: each request runs in the scope of its tenant, synchronous or not.

``TENANTRY = {"SOURCES": [Subdomain("example.com")], "LOOKUP": "shop.tenants.lookup", "ACTOR": …, "OPEN_PATHS": […]}``;
see :mod:`tenantry.runtime.request`. Functions may be given by their dotted names.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings  # type: ignore[import-untyped]
from django.http import HttpResponse  # type: ignore[import-untyped]
from django.urls import get_script_prefix, set_script_prefix  # type: ignore[import-untyped]
from django.utils.module_loading import import_string  # type: ignore[import-untyped]

from tenantry.errors import TenantError
from tenantry.runtime.request import (
    IMPOSSIBLE,
    Known,
    Refused,
    Request,
    check_sources,
    decide,
    entering,
    host_of,
    mount,
    named,
    within,
)
from tenantry.runtime.scope import Scope, current, current_or_none, entered, no_tenant, tenant


class TenantMiddleware:
    """Finds the tenant of each request: 404 for no tenant or an unknown one, 403 for a suspended one, 400 for two."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        given = settings.TENANTRY
        self.get_response = get_response
        self._sources = tuple(given["SOURCES"])
        check_sources(self._sources)
        self._lookup = _function(given["LOOKUP"])
        self._actor = _function(given.get("ACTOR", lambda request: None))
        self._open = tuple(given.get("OPEN_PATHS", ()))
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        if iscoroutinefunction(self):
            return self._answer_async(request)
        scope = self._scope(request)
        if isinstance(scope, Refused):
            return _refuse(scope)
        with scope, self._mounted(request):
            return _held(self.get_response(request))

    async def _answer_async(self, request: Any) -> Any:
        scope = await sync_to_async(self._scope)(request)
        if isinstance(scope, Refused):
            return _refuse(scope)
        with scope, self._mounted(request):
            return _held(await self.get_response(request))

    @contextmanager
    def _mounted(self, native: Any) -> Iterator[None]:
        """The URLconf sees what follows the part of the path that names the tenant, and ``reverse`` puts it in front."""
        moved = mount(self._sources, _request(native))
        if not moved or within(_request(native), self._open):
            yield
            return
        before = get_script_prefix()
        native.path_info = native.path_info.removeprefix(moved) or "/"
        native.META["SCRIPT_NAME"] = before.rstrip("/") + moved
        set_script_prefix(before.rstrip("/") + moved + "/")
        try:
            yield
        finally:
            set_script_prefix(before)

    def _scope(self, native: Any) -> AbstractContextManager[Scope] | Refused:
        request = _request(native)
        if within(request, self._open):
            return no_tenant()
        with no_tenant():
            try:
                said = named(self._sources, request)
            except TenantError:
                return IMPOSSIBLE
            found: Known | Refused = decide([self._lookup(each) for each in said])
            return found if isinstance(found, Refused) else entering(found, request, self._actor(native))


class ActorMiddleware:
    """After AuthenticationMiddleware: who works is the user whom it found, by primary key."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        if iscoroutinefunction(self):
            return self._answer_async(request)
        with _acting(_actor(request)):
            return _held(self.get_response(request))

    async def _answer_async(self, request: Any) -> Any:
        with _acting(await sync_to_async(_actor)(request)):
            return _held(await self.get_response(request))


def _actor(request: Any) -> str | None:
    """The user of a request; nobody where there is no tenant whose user it could be."""
    scope = current_or_none()
    if scope is None or scope.tenant is None or not request.user.is_authenticated:
        return None
    return str(request.user.pk)


def _acting(actor: str | None) -> AbstractContextManager[Any]:
    return nullcontext() if actor is None else tenant(current().tenant or "", actor=actor)


def _function(given: Any) -> Callable[..., Any]:
    function: Callable[..., Any] = import_string(given) if isinstance(given, str) else given
    return function


def _request(native: Any) -> Request:
    headers = [(name.lower(), value) for name, value in native.headers.items()]
    return Request(
        host_of(native.headers.get("host", "")),
        native.path_info,
        headers,
        native.META.get("REMOTE_ADDR", ""),
        native,
    )


def _refuse(refused: Refused) -> Any:
    return HttpResponse(refused.why + "\n", status=refused.status, content_type="text/plain; charset=utf-8")


def _held(response: Any) -> Any:
    """A streamed response is made after the middleware has returned: each part in the scope of the request."""
    if getattr(response, "streaming", False) and current_or_none() is not None:
        parts = response.streaming_content
        response.streaming_content = (
            _async_parts(parts, current()) if response.is_async else _parts(parts, current())
        )
    return response


def _parts(content: Iterable[bytes], scope: Scope) -> Iterator[bytes]:
    iterator = iter(content)
    while True:
        with entered(scope):
            try:
                part = next(iterator)
            except StopIteration:
                return
        yield part


async def _async_parts(content: AsyncIterable[bytes], scope: Scope) -> AsyncIterator[bytes]:
    iterator = aiter(content)
    while True:
        with entered(scope):
            try:
                part = await anext(iterator)
            except StopAsyncIteration:
                return
        yield part

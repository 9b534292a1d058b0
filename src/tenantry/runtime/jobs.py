"""Background jobs: the scope of whoever asks for a job, in the headers of its message, and of the work again.

The headers say who a job is for; they prove nothing. Whoever may write to the broker or to the queue chooses the tenant,
so only services that may work for every tenant write there.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, ParamSpec, TypeVar

from tenantry.errors import NoTenant, TenantError
from tenantry.runtime.scope import Scope, current, no_tenant, tenant

VERSION = "1"  # of what the headers mean
PREFIX = "tenantry-"
_VERSION, _TENANT, _NONE = f"{PREFIX}version", f"{PREFIX}tenant", f"{PREFIX}no-tenant"
_ACTOR, _REQUEST, _FIELD = f"{PREFIX}actor", f"{PREFIX}request-id", f"{PREFIX}field-"
_NOT_FIELDS = {"", "actor", "request_id", "switch"}  # what a scope is told in another way
_PUBLISH = "publish it with headers() inside a tenant scope"

P = ParamSpec("P")
T = TypeVar("T")


def headers() -> dict[str, str]:
    """The scope of now as headers of a message: a few short texts, for :func:`scoped` on the other side.

    Under ``no_tenant()`` they say that there is none on purpose. Raises NoTenant outside of a scope.
    """
    return written(current())


def written(scope: Scope) -> dict[str, str]:
    """A scope as headers."""
    if scope.tenant is None:
        return {_VERSION: VERSION, _NONE: "true"}
    given = {_TENANT: scope.tenant, _ACTOR: scope.actor, _REQUEST: scope.request_id}
    given |= {_FIELD + name: value for name, value in scope.fields.items()}
    return {_VERSION: VERSION, **{key: value for key, value in given.items() if value is not None}}


def scoped(headers: Mapping[str, Any] | None) -> tenant | no_tenant:
    """The scope that a message carries: ``with scoped(message.headers):``. Other headers are let be.

    Raises NoTenant for a message without one, of another version or malformed; entering it raises MixedTenants
    inside another tenant's scope.
    """
    mine = {key: value for key, value in (headers or {}).items() if str(key).startswith(PREFIX)}
    if not mine:
        raise NoTenant(f"this message carries no tenant scope, so its job is not done; {_PUBLISH}")
    version = mine.pop(_VERSION, None)
    if version != VERSION:
        raise NoTenant(
            f"this message carries a scope of version {version!r} and version {VERSION!r} is known here, so its job "
            "is not done; bring whoever published it and this worker to one version of Tenantry"
        )
    try:
        return _opened(mine)
    except TenantError as error:
        raise NoTenant(
            f"the scope of this message is malformed, so its job is not done: {error}; {_PUBLISH}"
        ) from None


def _opened(given: dict[str, Any]) -> tenant | no_tenant:
    if _NONE in given:
        if given != {_NONE: "true"}:
            raise TenantError(f"{_NONE} stands alone and is 'true'")
        return no_tenant()
    if _TENANT not in given:
        raise TenantError(f"{_TENANT} is missing")
    name, actor, request_id = given.pop(_TENANT), given.pop(_ACTOR, None), given.pop(_REQUEST, None)
    if not isinstance(name, str):
        raise TenantError(f"{_TENANT} is {type(name).__name__} and not text")
    fields = {key.removeprefix(_FIELD): value for key, value in given.items()}
    for key in given:
        if not key.startswith(_FIELD) or key.removeprefix(_FIELD) in _NOT_FIELDS:
            raise TenantError(f"{key} is no header of version {VERSION}")
    return tenant(name, actor=actor, request_id=request_id, **fields)


def job(function: Callable[P, T]) -> Callable[Concatenate[Mapping[str, Any] | None, P], T]:
    """``function``, to be called with a message's headers before its own arguments; it runs in their scope.

    A function or a coroutine function. Calling it raises what :func:`scoped` does.
    Raises TenantError for a generator, which would run in its caller's scope.
    """
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TenantError(
            f"{function.__name__} is a generator: it would run in the scope of whoever iterates it"
        )
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def later(headers: Mapping[str, Any] | None, /, *args: P.args, **kwargs: P.kwargs) -> Any:
            async with scoped(headers):
                return await function(*args, **kwargs)

        return later  # type: ignore[return-value]  # T is a coroutine

    @functools.wraps(function)
    def now(headers: Mapping[str, Any] | None, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with scoped(headers):
            return function(*args, **kwargs)

    return now

"""The tenant scope: which tenant the running code works for, carried by a context variable.

Tasks and :func:`asyncio.to_thread` copy the context and with it the scope. A plain executor, a thread and
``loop.run_in_executor`` do not: give them :func:`carry` ``(function)``.
"""

from __future__ import annotations

import functools
import inspect
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from types import FrameType, MappingProxyType, TracebackType
from typing import ParamSpec, TypeVar
from uuid import UUID

from tenantry.errors import MixedTenants, NoTenant, TenantError

MAX_LENGTH = 255  # characters of a tenant, an actor, a request id and of each further field
# Modules that use a generator as a context manager: between its two halves runs the code that asked for it.
_DRIVERS = frozenset({"contextlib", "_pytest.fixtures"})
_GENERATOR = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
_PLAIN = re.compile(rf"[ -~]{{1,{MAX_LENGTH}}}")  # what needs no closer look

_NONE: Mapping[str, str] = MappingProxyType({})

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Scope:
    """What the running code works for. ``tenant`` is None where there is none on purpose.

    ``actor`` and ``request_id`` say who and for which request; ``fields`` is whatever else was given.
    """

    tenant: str | None
    actor: str | None = None
    request_id: str | None = None
    fields: Mapping[str, str] = field(default_factory=lambda: _NONE)


@dataclass(eq=False, slots=True)
class _Entry:
    """One entered scope. ``dead``: it was left where its context could not be restored."""

    scope: Scope
    outer: _Entry | None
    token: Token[_Entry | None] | None = None
    dead: bool = False


_entered: ContextVar[_Entry | None] = ContextVar("tenantry_scope", default=None)


def current() -> Scope:
    """The innermost scope. Raises NoTenant outside of any."""
    scope = current_or_none()
    if scope is None:
        raise NoTenant(
            "no tenant scope: this work belongs to no tenant, so it is not done; put it under "
            "`with tenant(id):`, or under `with no_tenant():` if it needs none"
        )
    return scope


def current_or_none() -> Scope | None:
    """The innermost scope, or None outside of any."""
    entry = _living(_entered.get())
    return entry.scope if entry else None


class _Opened:
    """What ``with`` and ``async with`` enter; one at a time, any number of times."""

    __slots__ = ("_entry",)

    def __init__(self) -> None:
        self._entry: _Entry | None = None

    def __enter__(self) -> Scope:
        return self._enter(sys._getframe(1))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    async def __aenter__(self) -> Scope:
        return self._enter(sys._getframe(1))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def _within(self, outer: Scope | None) -> Scope:
        """The scope that this one is inside of ``outer``. Raises MixedTenants."""
        raise NotImplementedError

    def _enter(self, opener: FrameType) -> Scope:
        if self._entry is not None:
            raise TenantError("this scope is entered already; call tenant(…) again for another one")
        if opener.f_code.co_flags & _GENERATOR or opener.f_globals.get("__name__") == "contextlib":
            _refuse_generator(opener)
        outer = _living(_entered.get())
        scope = self._within(outer.scope if outer else None)
        self._entry = _push(scope, outer)
        return scope

    def _leave(self) -> None:
        entry, self._entry = self._entry, None
        if entry is not None:
            _pop(entry)


class tenant(_Opened):
    """``with tenant("acme"):`` or ``async with tenant("acme"):`` — everything inside works for that tenant.

    ``id`` is text, an integer or a UUID. Inside a scope of the same tenant this is free, and what is not given
    is taken over; inside another tenant's it raises MixedTenants unless ``switch`` is True.
    Raises TenantError for a value that cannot name a tenant, and in a generator that is iterated.
    """

    __slots__ = ("_given", "_switch")

    def __init__(
        self,
        id: str | int | UUID,
        /,
        *,
        actor: str | None = None,
        request_id: str | None = None,
        switch: bool = False,
        **fields: str,
    ) -> None:
        self._entry = None
        self._switch = switch
        self._given = _of(id if type(id) is str else tenant_text(id))
        if actor is not None or request_id is not None or fields:
            for key, value in {"actor": actor, "request_id": request_id, **fields}.items():
                if value is not None:
                    _check(key, value)
            given = MappingProxyType(fields) if fields else _NONE
            self._given = Scope(self._given.tenant, actor, request_id, given)

    def _within(self, outer: Scope | None) -> Scope:
        mine = self._given
        if outer is None or outer.tenant != mine.tenant:
            if outer is not None and outer.tenant is not None and not self._switch:
                raise MixedTenants(
                    f"tenant {mine.tenant!r} inside the scope of tenant {outer.tenant!r}: one of them is not "
                    "meant; end the outer scope first, or say tenant(…, switch=True)"
                )
            return mine
        return Scope(
            mine.tenant,
            mine.actor if mine.actor is not None else outer.actor,
            mine.request_id if mine.request_id is not None else outer.request_id,
            MappingProxyType({**outer.fields, **mine.fields}),
        )


class no_tenant(_Opened):
    """``with no_tenant():`` — work that needs no tenant: shared tables, resolvers, a health check.

    The setting is empty there, so that tenant tables show no row. Raises MixedTenants inside a tenant's scope.
    """

    __slots__ = ()

    def _within(self, outer: Scope | None) -> Scope:
        if outer is not None and outer.tenant is not None:
            raise MixedTenants(
                f"no_tenant() inside the scope of tenant {outer.tenant!r}: end that scope first"
            )
        return outer or Scope(None)


def carry(function: Callable[P, T]) -> Callable[P, T]:
    """``function``, which will run in the scope of now wherever it is called: ``executor.submit(carry(work))``.

    Raises NoTenant outside of a scope.
    """
    scope = current()

    if inspect.iscoroutinefunction(function):
        raise TenantError(f"{function.__name__} is a coroutine function: a task carries the scope by itself")

    @functools.wraps(function)
    def carried(*args: P.args, **kwargs: P.kwargs) -> T:
        with entered(scope):
            return function(*args, **kwargs)

    return carried


@contextmanager
def entered(scope: Scope) -> Iterator[None]:
    """Exactly that scope, whatever is around it."""
    entry = _push(scope, _living(_entered.get()))
    try:
        yield
    finally:
        _pop(entry)


@functools.lru_cache(maxsize=4096)  # a request's scope is mostly one that was made before
def _of(name: str) -> Scope:
    """The scope of a tenant of which nothing else is known. Raises TenantError."""
    return Scope(tenant_text(name))


def tenant_text(value: object) -> str:
    """A tenant's id as the setting holds it. Raises TenantError for what cannot be one."""
    if isinstance(value, bool) or not isinstance(value, (str, int, UUID)):
        raise TenantError(f"a tenant is text, an integer or a UUID, not {type(value).__name__}")
    text = str(value)
    _check("tenant", text)
    return text


def _check(what: str, value: object) -> None:
    """Raise TenantError unless the value is text that a setting and a log line can hold."""
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return
    if not isinstance(value, str):
        raise TenantError(f"{what} is text, not {type(value).__name__}")
    if not value:
        raise TenantError(f"{what} is empty; leave the scope out where there is none")
    if len(value) > MAX_LENGTH:
        raise TenantError(f"{what} has {len(value)} characters; at most {MAX_LENGTH} are allowed")
    wrong = next((c for c in value if unicodedata.category(c) in ("Cc", "Cs")), None)
    if wrong is not None:
        raise TenantError(f"{what} holds the control character U+{ord(wrong):04X}; remove it")


# The entries of a context form a chain: the innermost one and what was around it.


def _living(entry: _Entry | None) -> _Entry | None:
    while entry is not None and entry.dead:
        entry = entry.outer
    return entry


def _push(scope: Scope, outer: _Entry | None) -> _Entry:
    entry = _Entry(scope, outer)
    entry.token = _entered.set(entry)
    return entry


def _pop(entry: _Entry) -> None:
    """Leave an entry. Left in another context, or before what was entered inside it, it is only marked dead.

    So nobody else's scope ends with it, and who still sees it has no scope: work there raises NoTenant.
    """
    innermost = _entered.get()
    assert entry.token is not None
    try:
        _entered.reset(entry.token)
    except ValueError:  # another context than the one it was entered in
        entry.dead = True
        return
    if innermost is not entry:
        entry.dead = True
        _entered.set(innermost)


def _refuse_generator(opener: FrameType | None) -> None:
    """Raise TenantError where the ``with`` stands in a generator that somebody iterates.

    The caller would run in its scope between two items, and two such generators in each other's.
    """
    while opener is not None and opener.f_globals.get("__name__") == "contextlib":
        opener = opener.f_back  # an exit stack
    if opener is None or not opener.f_code.co_flags & _GENERATOR:
        return
    driver = opener.f_back
    if driver is not None and driver.f_globals.get("__name__") in _DRIVERS:
        return
    raise TenantError(
        f"generator {opener.f_code.co_name} opens a tenant scope: whoever iterates it would run in that scope "
        "between two items; open the scope around the loop, or make it a context manager with contextlib"
    )

"""Which tenant an HTTP request is for: where it may be said, in which order, and what becomes of a wrong word.

Free of any framework; :mod:`tenantry.runtime.asgi` and :mod:`tenantry.runtime.wsgi` use it, and so does Django's
middleware.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from tenantry.errors import TenantError
from tenantry.runtime.scope import MAX_LENGTH, tenant, tenant_text

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # what a setting cannot hold


@dataclass(frozen=True, slots=True)
class Request:
    """What a source may look at. ``headers`` holds lower-case names in the order sent, repetitions included;
    ``path`` is decoded and starts behind the mount point; ``native`` is the ASGI scope, the WSGI environ or
    Django's request."""

    host: str
    path: str
    headers: Sequence[tuple[str, str]]
    address: str
    native: Any

    def header(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key == name.lower()]


@dataclass(frozen=True, slots=True)
class Subdomain:
    """``acme.example.com`` is for acme, for ``domain`` example.com. Hosts in ``ignore`` (www) name no tenant; nor
    does a host outside of the domain. More than one label names an unknown tenant."""

    domain: str
    ignore: Sequence[str] = ("www",)


@dataclass(frozen=True, slots=True)
class Header:
    """A header names the tenant. Anybody can send one: put a source beside it that the server has verified, or a
    proxy in front that sets it."""

    name: str = "X-Tenant"


@dataclass(frozen=True, slots=True)
class PathPrefix:
    """``/t/acme/skills`` is for acme, for ``prefix`` "/t"; the application then sees ``/skills`` mounted there."""

    prefix: str = "/t"


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of a token. ``verified`` returns the claims of a token whose signature, expiry and audience it has
    checked, None without a token; it gets the ASGI scope, the WSGI environ or Django's request. Nothing is decoded
    here. A claim that is not text or a whole number is a TenantError, and so a 400."""

    verified: Callable[[Any], Mapping[str, Any] | None]
    name: str = "tenant_id"


@dataclass(frozen=True, slots=True)
class Session:
    """A key of the session that another middleware, outside of this one, has opened."""

    key: str = "tenant_id"
    session: Callable[[Any], Mapping[str, Any] | None] | None = None


Source = Subdomain | Header | PathPrefix | Claim | Session


@dataclass(frozen=True, slots=True)
class Known:
    """What a look-up returns of a tenant that exists."""

    id: str
    active: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """No work is done: the HTTP status and a sentence without a name in it."""

    status: int
    why: str


IMPOSSIBLE = Refused(400, "this request names no possible tenant")


@dataclass(frozen=True, slots=True)
class Named:
    """Who says which tenant: ``source`` and its ``value``, as it was sent."""

    source: Source
    value: str


def named(sources: Sequence[Source], request: Request) -> list[Named]:
    """Each source that names a tenant, in the stated order. Raises TenantError for what cannot be a tenant."""
    found = ((source, read(source, request)) for source in sources)
    return [Named(source, tenant_text(value)) for source, value in found if value is not None]


def read(source: Source, request: Request) -> str | None:
    """The tenant that one source names, None if it names none. Raises TenantError for a contradictory one."""
    match source:
        case Subdomain(domain, ignore):
            host = request.host.lower().rstrip(".")
            label = host.removesuffix("." + domain.lower())
            return None if label == host or label in ignore else label
        case Header(name):
            values = set(request.header(name))
            if len(values) > 1:
                raise TenantError(f"header {name} was sent with {len(values)} values; send one")
            return values.pop() if values else None
        case PathPrefix(prefix):
            rest = request.path.removeprefix(prefix + "/")
            return None if rest == request.path else rest.partition("/")[0] or None
        case Claim(verified, name):
            return _text((verified(request.native) or {}).get(name))
        case Session(key, session):
            opened = session(request.native) if session else _session(request.native)
            return _text((opened or {}).get(key))


def mount(sources: Sequence[Source], request: Request) -> str:
    """What of the path names the tenant, "" if nothing does."""
    for source in sources:
        if isinstance(source, PathPrefix) and (value := read(source, request)) is not None:
            return f"{source.prefix}/{value}"
    return ""


def decide(answers: Sequence[Known | None]) -> Known | Refused:
    """The tenant that every source means, or why there is none: 400, 404 or 403."""
    if not answers or None in answers:
        return Refused(404, "no such tenant")
    known = [answer for answer in answers if answer is not None]
    if len({each.id for each in known}) > 1:
        return Refused(400, "this request names two tenants")
    return known[0] if all(each.active for each in known) else Refused(403, "this tenant is suspended")


def within(request: Request, paths: Sequence[str]) -> bool:
    """Whether the path is one of these, or below one."""
    return any(request.path == path or request.path.startswith(path.rstrip("/") + "/") for path in paths)


def entering(known: Known, request: Request, actor: str | None) -> tenant:
    """The scope of a request, with what the audit trail wants to know of it."""
    given = {"ip_address": request.address, "user_agent": " ".join(request.header("user-agent"))}
    fields: dict[str, Any] = {key: text for key, value in given.items() if (text := _writable(value))}
    return tenant(known.id, actor=actor, request_id=request_id(request), **fields)


def request_id(request: Request) -> str:
    """The id that the request came with, else a new one."""
    return _writable(" ".join(request.header("x-request-id"))) or str(uuid4())


def host_of(header: str) -> str:
    """A Host header without its port."""
    return header if header.startswith("[") else header.partition(":")[0]


def check_sources(sources: Sequence[Source]) -> None:
    """Raise TenantError for sources that could not work."""
    if not sources:
        raise TenantError("no source names the tenant; give one, such as Subdomain('example.com')")
    for source in sources:
        match source:
            case Subdomain(domain) if not all(_LABEL.fullmatch(part) for part in domain.lower().split(".")):
                raise TenantError(f"{domain!r} is no domain; write example.com")
            case PathPrefix(prefix) if not re.fullmatch(r"(/[^/]+)*", prefix):
                raise TenantError(
                    f"path prefix {prefix!r} starts with a slash and ends without one; write /t"
                )


def _text(value: object) -> str | None:
    return None if value is None else tenant_text(value)


def _writable(value: str) -> str:
    return _UNWRITABLE.sub(" ", value)[:MAX_LENGTH].strip()


def _session(native: Any) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None
    found = native.get("session") if isinstance(native, dict) else getattr(native, "session", None)
    return found

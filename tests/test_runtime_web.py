"""The middlewares: who names the tenant, what is answered without one, and how long the scope lasts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request as WebRequest
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket

from tenantry.errors import NoTenant, TenantError
from tenantry.runtime import current, current_or_none
from tenantry.runtime import request as decisions
from tenantry.runtime.asgi import Claim, Header, Known, Named, PathPrefix, Session, Subdomain
from tenantry.runtime.asgi import TenantMiddleware as Asgi
from tenantry.runtime.wsgi import TenantMiddleware as Wsgi

pytestmark = pytest.mark.pg(">=18")  # no server is asked

TENANTS = {
    "acme": Known("t-1"),
    "globex": Known("t-2"),
    "gone": Known("t-3", active=False),
    "t-1": Known("t-1"),
}
SOURCES = (
    Subdomain("example.com"),
    Header("X-Tenant"),
    PathPrefix("/t"),
    Claim(lambda native: native.get("verified"), "tenant"),
    Session("tenant"),
)
asked: list[tuple[Named, str | None]] = []


def lookup(said: Named) -> Known | None:
    asked.append((said, current().tenant))
    return TENANTS.get(said.value)


async def lookup_later(said: Named) -> Known | None:
    await asyncio.sleep(0)
    return lookup(said)


Answer = tuple[int, str]
Said = Mapping[str, Any]


def by_asgi(said: Said, lookup: Any = lookup) -> Answer:
    """One request to an application that answers with tenant, mount point and path."""
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        route = scope["path"].removeprefix(scope["root_path"])
        body = f"{current().tenant} {scope['root_path']}|{route}".encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "path": said.get("path", "/"), "root_path": said.get("root", ""), "client": ("10.0.0.1", 1),
        "headers": [(key.lower().encode(), value.encode()) for key, value in said.get("headers", [])],
        "verified": said.get("claims"), "session": said.get("session"),
    }  # fmt: skip
    middleware = Asgi(app, sources=SOURCES, lookup=lookup, open_paths=["/health"])
    asyncio.run(middleware(scope, None, send))  # type: ignore[arg-type]
    return sent[0]["status"], sent[1]["body"].decode()


def by_wsgi(said: Said) -> Answer:
    status: list[str] = []

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        path = environ["PATH_INFO"].encode("latin-1").decode()
        return [f"{current().tenant} {environ['SCRIPT_NAME']}|{path}".encode("utf-8", "surrogateescape")]

    root, path = said.get("root", ""), said.get("path", "/")
    environ = {
        "SCRIPT_NAME": root, "PATH_INFO": path.removeprefix(root).encode().decode("latin-1"), "REMOTE_ADDR": "10.0.0.1",
        "verified": said.get("claims"), "session": said.get("session"),
    }  # fmt: skip
    for key, value in said.get("headers", []):
        name = "HTTP_" + key.upper().replace("-", "_")
        environ[name] = f"{environ[name]},{value}" if name in environ else value
    middleware = Wsgi(app, sources=SOURCES, lookup=lookup, open_paths=["/health"])
    body = b"".join(middleware(environ, lambda line, headers: status.append(line)))
    return int(status[0][:3]), body.decode()


every_side = pytest.mark.parametrize("ask", [by_asgi, by_wsgi])
HOST = ("Host", "acme.example.com:8000")


@every_side
@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ({"headers": [HOST]}, (200, "t-1 |/")),
        ({"headers": [("Host", "ACME.example.com.")]}, (200, "t-1 |/")),
        ({"headers": [("X-TENANT", "globex")]}, (200, "t-2 |/")),
        ({"path": "/t/acme/skills"}, (200, "t-1 /t/acme|/skills")),
        ({"path": "/t/acme"}, (200, "t-1 /t/acme|")),
        ({"path": "/v1/t/acme/skills", "root": "/v1"}, (200, "t-1 /v1/t/acme|/skills")),
        ({"claims": {"tenant": "t-1"}}, (200, "t-1 |/")),
        ({"session": {"tenant": "globex"}}, (200, "t-2 |/")),
        # Several that mean the same, under whatever name
        ({"headers": [HOST], "claims": {"tenant": "t-1"}, "path": "/t/acme/x"}, (200, "t-1 /t/acme|/x")),
        # and not
        ({"headers": [HOST], "claims": {"tenant": "globex"}}, (400, "this request names two tenants\n")),
        ({"headers": [HOST, ("X-Tenant", "globex")]}, (400, "this request names two tenants\n")),
        # One unknown is enough
        ({"headers": [HOST, ("X-Tenant", "nobody")]}, (404, "no such tenant\n")),
        ({"headers": [("Host", "acme.globex.example.com")]}, (404, "no such tenant\n")),
        ({"headers": [("Host", "nobody.example.com")]}, (404, "no such tenant\n")),
        ({"headers": [("Host", "gone.example.com")]}, (403, "this tenant is suspended\n")),
        # Nobody names one
        ({}, (404, "no such tenant\n")),
        ({"headers": [("Host", "example.com")]}, (404, "no such tenant\n")),
        ({"headers": [("Host", "www.example.com")]}, (404, "no such tenant\n")),
        ({"headers": [("Host", "acme.example.com.evil.test")]}, (404, "no such tenant\n")),
        ({"headers": [("Host", "acmeexample.com")]}, (404, "no such tenant\n")),
        ({"path": "/tacme"}, (404, "no such tenant\n")),
        ({"path": "/t/"}, (404, "no such tenant\n")),
        ({"headers": [("X-Forwarded-Host", "acme.example.com")]}, (404, "no such tenant\n")),
        # What cannot be a tenant
        ({"path": "/t/a\0b"}, (400, "this request names no possible tenant\n")),
        ({"headers": [("X-Tenant", "")]}, (400, "this request names no possible tenant\n")),
        ({"claims": {"tenant": ["acme"]}}, (400, "this request names no possible tenant\n")),
        ({"claims": {"tenant": True}}, (400, "this request names no possible tenant\n")),
        # No tenant on purpose
        ({"path": "/health"}, (200, "None |/health")),
        ({"path": "/health/db", "headers": [HOST]}, (200, "None |/health/db")),
        ({"path": "/healthy"}, (404, "no such tenant\n")),
    ],
)  # fmt: skip
def test_the_tenant_of_a_request(ask: Any, said: Said, answer: Answer) -> None:
    assert ask(said) == answer
    assert current_or_none() is None


@every_side
def test_the_stated_order_and_the_scope_of_a_look_up(ask: Any) -> None:
    asked.clear()
    ask({"headers": [HOST, ("X-Tenant", "acme")], "session": {"tenant": "t-1"}})
    assert asked == [
        (Named(SOURCES[0], "acme"), None),
        (Named(SOURCES[1], "acme"), None),
        (Named(SOURCES[4], "t-1"), None),
    ]


def test_a_header_twice_is_two_words() -> None:
    two = [("X-Tenant", "acme"), ("X-Tenant", "globex")]
    assert by_asgi({"headers": two}) == (400, "this request names no possible tenant\n")
    assert by_wsgi({"headers": two}) == (404, "no such tenant\n")  # WSGI joins them
    assert by_asgi({"headers": [HOST, ("Host", "globex.example.com")]})[0] == 404
    assert by_asgi({"headers": [two[0], two[0]]})[0] == 200


def test_a_look_up_may_be_a_coroutine() -> None:
    assert by_asgi({"headers": [HOST]}, lookup_later) == (200, "t-1 |/")


def test_a_look_up_that_fails_is_an_error_and_no_answer() -> None:
    def broken(said: Named) -> Known | None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        by_asgi({"headers": [HOST]}, broken)
    assert current_or_none() is None


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        ([], "no source names the tenant"),
        ([Subdomain("https://x")], "is no domain; write example.com"),
        ([PathPrefix("t/")], "write /t"),
    ],
)
def test_sources_that_could_not_work_are_refused(sources: Any, words: str) -> None:
    for kind in (Asgi, Wsgi):
        with pytest.raises(TenantError, match=words):
            kind(None, sources=sources, lookup=lookup)  # type: ignore[arg-type]


# How long it lasts, under Starlette


seen: list[object] = []


def remember(what: str) -> None:
    scope = current()
    seen.append((what, scope.tenant, scope.actor))


def plain(request: WebRequest) -> Response:  # in a worker thread
    scope = current()
    return JSONResponse(
        {"tenant": scope.tenant, "actor": scope.actor, "request": scope.request_id, **scope.fields},
        background=BackgroundTask(remember, "background"),
    )


async def streamed(request: WebRequest) -> Response:
    async def parts() -> AsyncIterator[str]:
        for _ in range(3):
            yield f"{current().tenant} "
            await asyncio.sleep(0)

    return StreamingResponse(parts())


async def failing(request: WebRequest) -> Response:
    raise ZeroDivisionError


async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    async for _ in websocket.iter_text():
        await websocket.send_text(str(current().tenant))
    remember("closed")


async def started(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        with pytest.raises(NoTenant):
            current()
        seen.append("lifespan")
    await web(scope, receive, send)


routes = [Route("/", plain), Route("/s", streamed), Route("/f", failing), WebSocketRoute("/w", socket)]
web = Starlette(routes=[*routes, Mount("/sub", routes=routes)])


@pytest.fixture
def client() -> Iterator[TestClient]:
    seen.clear()
    app = Asgi(started, sources=SOURCES, lookup=lookup_later, actor=lambda scope: "u-17")
    with TestClient(app, base_url="http://acme.example.com") as made:
        yield made


def test_starlette_has_the_scope_and_what_the_trail_wants(client: TestClient) -> None:
    answer = client.get("/", headers={"X-Request-ID": "r-1\t2", "User-Agent": "x" * 300})
    assert answer.json() == {
        "tenant": "t-1", "actor": "u-17", "request": "r-1 2", "ip_address": "testclient", "user_agent": "x" * 255,
    }  # fmt: skip
    assert seen == ["lifespan", ("background", "t-1", "u-17")]
    assert len(client.get("/").json()["request"]) == 36


def test_starlette_keeps_it_for_a_stream_and_ends_it_with_an_error(client: TestClient) -> None:
    assert client.get("/s").text == "t-1 t-1 t-1 "
    assert client.get("/t/acme/sub/s").text == "t-1 t-1 t-1 "
    with pytest.raises(ZeroDivisionError):
        client.get("/f")
    assert client.get("/", headers={"X-Tenant": "globex"}).status_code == 400
    assert current_or_none() is None


def test_starlette_keeps_it_for_a_websocket(client: TestClient) -> None:
    with client.websocket_connect("ws://acme.example.com/w") as session:
        for _ in range(2):
            session.send_text("")
            assert session.receive_text() == "t-1"
    assert seen[-1] == ("closed", "t-1", "u-17")


def test_a_websocket_of_no_tenant_is_denied(client: TestClient) -> None:
    with (
        pytest.raises(WebSocketDenialResponse) as denied,
        client.websocket_connect("ws://nobody.example.com/w"),
    ):
        pass
    assert (denied.value.status_code, denied.value.text) == (404, "no such tenant\n")


def test_a_server_that_cannot_answer_a_websocket_closes_it() -> None:
    sent: list[Any] = []

    async def main() -> None:
        async def receive() -> Any:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "websocket", "path": "/w", "headers": []}
        await Asgi(web, sources=SOURCES, lookup=lookup)(scope, receive, send)

    asyncio.run(main())
    assert sent == [{"type": "websocket.close", "code": 4404, "reason": "no such tenant"}]


# How long it lasts, under WSGI


class Parts:
    closed: str | None = None

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(2):
            yield f"{current().tenant} ".encode()

    def close(self) -> None:
        self.closed = current().tenant


def test_wsgi_keeps_it_for_a_stream_and_not_for_its_thread() -> None:
    bodies = [Parts(), Parts()]
    made = iter(bodies)
    middleware = Wsgi(lambda environ, start: next(made), sources=SOURCES, lookup=lookup)
    one: Any = middleware({"PATH_INFO": "/", "HTTP_HOST": "acme.example.com"}, lambda *_: None)
    two: Any = middleware({"PATH_INFO": "/", "HTTP_HOST": "globex.example.com"}, lambda *_: None)
    found = []
    for _ in range(2):  # interleaved, as one thread of a server may
        found += [next(one), next(two)]
        assert current_or_none() is None
    assert found == [b"t-1 ", b"t-2 "] * 2
    for answer in (one, two):
        assert list(answer) == []
        answer.close()
    assert [body.closed for body in bodies] == ["t-1", "t-2"]


def test_the_decision_is_red_when_conflicts_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sabotage: a middleware that believes the first source is seen by the test above."""

    def wrong(answers: Any) -> Any:
        return next((a for a in answers if a), decisions.Refused(404, ""))

    monkeypatch.setattr("tenantry.runtime.asgi.decide", wrong)
    assert by_asgi({"headers": [HOST], "claims": {"tenant": "globex"}})[0] == 200

"""Making the application: middleware, routes, and what becomes of a refusal."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import DBAPIError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException as StarletteHTTPException

from tenantry.runtime import current
from tenantry.runtime.asgi import Header, PathPrefix, Subdomain, TenantMiddleware
from tenantry.runtime.orm import Session

from .auth import SignInFirst, visitor
from .database import make_engine
from .routes import admin, api, pages, signin
from .settings import Settings
from .tenants import Tenants
from .trail import record_refusal
from .views import for_programs, page, root
from .who import ActorMiddleware

OPEN_PATHS = ("/static", "/openapi.json")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",  # with no-referrer a form would be sent without its origin
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
# What the database refuses, by the class or the whole of its SQLSTATE. Nothing it says is passed on.
REFUSALS = {
    "23": (409, "This contradicts what is there already."),
    "22": (422, "The database cannot hold this value."),
    "42501": (403, "The database does not allow this."),
}
TITLES = {
    403: "Not allowed",
    404: "Not found",
    409: "Not possible",
    422: "Not understood",
    429: "Too many tries",
}
log = logging.getLogger("catalog")


def create_app(settings: Settings) -> FastAPI:
    """The application; its connections are closed when it ends."""
    engine = make_engine(settings.dsn)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        engine.dispose()

    app = FastAPI(title="Skills catalog", docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.engine, app.state.settings = engine, settings
    for routes in (signin, pages, admin, api):
        app.include_router(routes.router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))
    app.add_exception_handler(SignInFirst, _sign_in)
    app.add_exception_handler(StarletteHTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _refused)
    app.add_exception_handler(DBAPIError, _refused)
    app.add_middleware(ActorMiddleware, engine=engine)
    app.add_middleware(
        TenantMiddleware,
        sources=[Subdomain(settings.domain), PathPrefix("/t"), Header("Authorization")],
        lookup=Tenants(engine),
        open_paths=OPEN_PATHS,
    )
    app.middleware("http")(
        _headers
    )  # added last, asked first: what the tenant's middleware refuses has them too
    return app


async def _headers(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await answer(request)
    response.headers.update(HEADERS)
    if request.app.state.settings.secure_cookies:  # else it is served over plain HTTP
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    return response


async def _sign_in(request: Request, error: Exception) -> Response:
    """Whoever only wants to see a page is no event; whoever tries to change something is."""
    if request.method != "GET":
        await run_in_threadpool(record_refusal, request.app.state.engine, request, 401)
    return RedirectResponse(f"{root(request)}/sign-in", 303)


async def _refused(request: Request, error: Exception) -> Response:
    """Answer a refusal, and record it: who tried what. Raises what is none."""
    status, why = _told(error)
    if current().tenant is not None:
        await run_in_threadpool(record_refusal, request.app.state.engine, request, status)
    headers = getattr(error, "headers", None)
    if for_programs(request):
        return JSONResponse({"detail": why}, status, headers)
    response = await run_in_threadpool(_error_page, request, status, why)
    response.headers.update(headers or {})
    return response


def _error_page(request: Request, status: int, why: str) -> Response:
    context = {
        "title": TITLES.get(status, "This did not work"),
        "why": why,
        "request_id": current().request_id,
    }
    with Session(request.app.state.engine) as session:
        response = page(request, session, visitor(request), "error", status=status, **context)
    response.status_code = status
    return response


def _told(error: Exception) -> tuple[int, str]:
    match error:
        case StarletteHTTPException() | HTTPException():
            return error.status_code, str(error.detail)
        case RequestValidationError():
            fields = sorted({str(part["loc"][-1]) for part in error.errors()})
            return 422, f"Something is missing or not allowed: {', '.join(fields)}."
        case DBAPIError():
            state = getattr(error.orig, "sqlstate", None) or ""
            for known in (state, state[:2]):
                if known in REFUSALS:
                    return REFUSALS[known]
    raise error

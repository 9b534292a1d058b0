"""From what a request says to its tenant, before anything else is known."""

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from tenantry.runtime import tenant
from tenantry.runtime.asgi import Header, Known, Named, PathPrefix, Subdomain

from .models import Tenant
from .secrets import digest, key_of


class Tenants:
    """The look-up of the middleware: a short name in the host or the path, or an API key."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def __call__(self, said: Named) -> Known | None:
        """The tenant that is meant, None for an unknown one."""
        return await run_in_threadpool(self._find, said)

    def _find(self, said: Named) -> Known | None:
        match said.source:
            case Subdomain() | PathPrefix():
                question = func.public.tenant_by_slug(said.value)
            case Header():
                question = func.public.tenant_by_api_key(digest(key_of(said.value)))
            case _:
                return None
        with Session(self._engine) as session:
            found = session.scalar(select(question))
        return self._known(found) if found else None

    def _known(self, id: str) -> Known | None:
        """Whether it is active is read as the tenant itself, who may read its own row."""
        with tenant(id), Session(self._engine) as session:
            active = session.scalar(select(Tenant.is_active).where(Tenant.id == id))
        return None if active is None else Known(id, active)

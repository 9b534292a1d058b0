"""The application's side: which tenant the running code works for, and connections that tell the database.

The adapters are `tenantry.runtime.psycopg`, `.asyncpg` and `.sqlalchemy`, for requests `.asgi` and `.wsgi`, for jobs
`.jobs` and `.celery`, and for work beyond one tenant `.work`; each imports its framework itself.
"""

from tenantry.errors import ExemptRole, MixedTenants, NoTenant, TenantError, UnknownTenant, WorkRefused
from tenantry.runtime.binding import Binding
from tenantry.runtime.guard import guard, guard_async
from tenantry.runtime.scope import Scope, carry, current, current_or_none, no_tenant, tenant
from tenantry.runtime.signing import Signer

__all__ = [
    "Binding",
    "ExemptRole",
    "MixedTenants",
    "NoTenant",
    "Scope",
    "Signer",
    "TenantError",
    "UnknownTenant",
    "WorkRefused",
    "carry",
    "current",
    "current_or_none",
    "guard",
    "guard_async",
    "no_tenant",
    "tenant",
]

"""Django: ``ENGINE = "tenantry.runtime.django"``, a middleware, system checks and a migration operation.

The engine is `.base`; add ``"tenantry.runtime.django"`` to INSTALLED_APPS for the checks, and
``"tenantry.runtime.django.middleware.TenantMiddleware"`` to MIDDLEWARE. Needs psycopg 3.
"""

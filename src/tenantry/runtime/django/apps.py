"""The application of INSTALLED_APPS: it registers the system checks."""

from __future__ import annotations

from django.apps import AppConfig  # type: ignore[import-untyped]
from django.core import checks  # type: ignore[import-untyped]


class TenantryConfig(AppConfig):  # type: ignore[misc]
    """``"tenantry.runtime.django"`` in INSTALLED_APPS."""

    name = "tenantry.runtime.django"
    label = "tenantry"
    verbose_name = "Tenantry"

    def ready(self) -> None:
        from tenantry.runtime.django.checks import check_databases, check_roles

        checks.register(check_databases)
        checks.register(check_roles, checks.Tags.database)

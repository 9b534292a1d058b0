"""The application of INSTALLED_APPS: it registers the system checks, and keeps migrations off the tenants' alias."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig  # type: ignore[import-untyped]
from django.core import checks  # type: ignore[import-untyped]
from django.core.management import CommandError  # type: ignore[import-untyped]
from django.db.models.signals import pre_migrate  # type: ignore[import-untyped]


class TenantryConfig(AppConfig):  # type: ignore[misc]
    """``"tenantry.runtime.django"`` in INSTALLED_APPS."""

    name = "tenantry.runtime.django"
    label = "tenantry"
    verbose_name = "Tenantry"

    def ready(self) -> None:
        from tenantry.runtime.django.checks import check_databases, check_roles

        checks.register(check_databases)
        checks.register(check_roles, checks.Tags.database)
        pre_migrate.connect(_refuse)


def _refuse(using: str, **_: Any) -> None:
    """The guard lets no owner in, and nobody else can alter a table."""
    from tenantry.runtime.django.checks import guarded

    if guarded(using):
        raise CommandError(
            f"database {using} serves tenants, as a role that owns nothing; migrations run on the owner's alias: "
            "migrate --database owner"
        )

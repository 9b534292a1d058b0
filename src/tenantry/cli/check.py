"""tenantry check"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tenantry import checks, spec
from tenantry.cli._options import DEFAULT_SPEC, AnySpecFile, AppDsn, AppRole, Dsn
from tenantry.cli._report import MigrationsOption, ReportFormatOption, earlier, show
from tenantry.report.formats import ReportFormat


def check(
    dsn: Dsn = "",
    spec_file: AnySpecFile = None,
    app_role: AppRole = None,
    app_dsn: AppDsn = None,
    schema: Annotated[
        list[str] | None,
        typer.Option(envvar="TENANTRY_SCHEMA", help="Only this schema; may be repeated."),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            envvar="TENANTRY_BASELINE",
            help="A report of `tenantry check` as JSON: findings that it has do not count again.",
        ),
    ] = None,
    format_: ReportFormatOption = ReportFormat.text,
    migrations: MigrationsOption = None,
) -> int:
    """Look for holes in the catalogs, without changing anything. Exit 1 on a finding at error level.

    Needs no spec: without one, and without a tenantry.toml here, the policies tell what belongs to tenants.
    """
    there = spec_file or (DEFAULT_SPEC if DEFAULT_SPEC.exists() else None)
    request = checks.Request(
        spec=spec.load(there) if there is not None else None,
        roles=(app_role,) if app_role else (),
        schemas=tuple(schema) if schema else None,
        baseline=earlier(baseline),
    )
    review = checks.check(dsn, request, app_dsn=app_dsn, now=datetime.now(UTC))
    show(review, format_, there, migrations)
    return 0 if review.good else 1

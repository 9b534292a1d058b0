"""Options that several verbs share. Every flag has an environment variable."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import psycopg
import typer

from tenantry import introspect
from tenantry.catalog import Catalog
from tenantry.errors import CatalogError, SpecError


class Format(StrEnum):
    """How a result is written."""

    text = "text"
    json = "json"


class ProfileName(StrEnum):
    """How a plan changes the database."""

    transactional = "transactional"
    online = "online"


Dsn = Annotated[
    str,
    typer.Option(
        envvar="TENANTRY_DSN",
        help="Connection string or URL; left out, libpq's own environment (PGHOST …) decides.",
    ),
]
SpecFile = Annotated[Path, typer.Option("--spec", envvar="TENANTRY_SPEC", help="The spec.")]
FormatOption = Annotated[
    Format, typer.Option("--format", envvar="TENANTRY_FORMAT", help="How the result is written.")
]
ProfileOption = Annotated[
    ProfileName,
    typer.Option(
        "--profile",
        envvar="TENANTRY_PROFILE",
        help="transactional: for migrators that wrap each file in a transaction; online: concurrent builds, NOT VALID then VALIDATE.",
    ),
]
AppDsn = Annotated[
    str | None,
    typer.Option(
        "--app-dsn",
        envvar="TENANTRY_APP_DSN",
        help="How the application connects; left out, its role is all that is known.",
    ),
]
AppRole = Annotated[
    str | None,
    typer.Option("--app-role", envvar="TENANTRY_APP_ROLE", help="The role that the application uses."),
]
AnySpecFile = Annotated[
    Path | None,
    typer.Option("--spec", envvar="TENANTRY_SPEC", help="The spec."),
]
DEFAULT_SPEC = Path("tenantry.toml")


def connect(dsn: str) -> psycopg.Connection[tuple[object, ...]]:
    """An autocommit connection. Raises CatalogError that says what to look at."""
    try:
        return psycopg.connect(dsn, autocommit=True, application_name="tenantry")
    except psycopg.Error as error:
        raise CatalogError(
            f"cannot connect: {str(error).strip()}; "
            + (
                "check --dsn, or TENANTRY_DSN"
                if dsn
                else "give --dsn, or set TENANTRY_DSN, or PGHOST, PGDATABASE and PGUSER"
            )
        ) from None


def saved_catalog(path: Path) -> Catalog:
    """What `inspect --format catalog` wrote. Raises SpecError for any other file, OSError for none."""
    try:
        return Catalog.from_json(path.read_bytes())
    except ValueError as error:
        raise SpecError(
            f"{path}: not a saved catalog ({str(error).splitlines()[0]}); "
            "make one with `tenantry inspect --format catalog`"
        ) from None


def read_catalog(dsn: str) -> Catalog:
    """The catalog of the database."""
    with connect(dsn) as conn:
        return introspect.read(conn)

"""tenantry render"""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tenantry import planner, spec
from tenantry.cli._options import DEFAULT_SPEC, Dsn, ProfileName, ProfileOption, SpecFile, read_catalog
from tenantry.errors import SpecError
from tenantry.plan import Plan
from tenantry.render import File, drizzle, sql
from tenantry.spec import Spec


class Migrator(StrEnum):
    """Whose files to write."""

    sql = "sql"
    drizzle = "drizzle"
    alembic = "alembic"


def render(
    migrator: Annotated[Migrator, typer.Argument(help="Whose files to write.")],
    directory: Annotated[
        Path,
        typer.Argument(help="Where the migrator's files are; for Alembic the directory with alembic.ini."),
    ],
    dsn: Dsn = "",
    spec_file: SpecFile = DEFAULT_SPEC,
    profile: ProfileOption = ProfileName.transactional,
) -> int:
    """Write the plan as migration files. Files that are there are never changed; the same plan again writes nothing."""
    declared = spec.load(spec_file)
    plan = planner.plan(declared, read_catalog(dsn), profile.value)
    for path, text in files(migrator, directory, declared, plan).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())  # as it is, line ends included
        print(path)
    return 0


def files(migrator: Migrator, directory: Path, declared: Spec, plan: Plan) -> dict[Path, str]:
    """What to write where."""
    column, first = declared.tenancy.column, declared.render.first
    audit = declared.audit.table.name if declared.audit else "audit_logs"
    if migrator is Migrator.alembic:
        return _alembic(directory, declared, plan)
    existing = _read(directory)
    made: tuple[File, ...]
    if migrator is Migrator.drizzle:
        made = drizzle.render(
            plan,
            column=column,
            audit_table=audit,
            first=first,
            existing=existing,
            now_ms=int(time.time() * 1000),
        )
    else:
        made = sql.render(plan, column=column, audit_table=audit, first=first, existing=existing)
    return {directory / f.path: f.text for f in made}


def _read(directory: Path) -> dict[str, str]:
    """The files of a directory, by their path in it."""
    paths = (p for p in sorted(directory.rglob("*")) if p.is_file() and p.suffix in (".sql", ".json", ".py"))
    return {p.relative_to(directory).as_posix(): p.read_bytes().decode() for p in paths}


def _alembic(directory: Path, declared: Spec, plan: Plan) -> dict[Path, str]:
    try:
        from alembic.config import Config
        from alembic.script import ScriptDirectory
    except ImportError:
        raise SpecError(
            "render alembic: Alembic is not installed; run it where your project's Alembic is, or pip install 'tenantry[alembic]'"
        ) from None
    from tenantry.render import alembic

    ini = directory / "alembic.ini"
    if not ini.is_file():
        raise SpecError(f"{ini}: not there; name the directory that holds your project's alembic.ini")
    config = Config(str(ini))
    script = ScriptDirectory.from_config(config)
    versions = Path(script.versions)
    audit = declared.audit.table.name if declared.audit else "audit_logs"
    made = alembic.render(
        plan,
        column=declared.tenancy.column,
        audit_table=audit,
        heads=tuple(script.get_heads()),
        existing=_read(versions),
    )
    return {versions / f.path: f.text for f in made}

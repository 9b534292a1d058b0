"""Reports: what `prove` and `check` write, and where in the repository it points."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenantry.attacks import ATTACKS, DOORS
from tenantry.checks import waivers
from tenantry.errors import SpecError, unreadable
from tenantry.finding import Proof, Review
from tenantry.report.anchors import Anchors, anchors
from tenantry.report.formats import ReportFormat, write

_MIGRATIONS = (".sql", ".py", ".ts", ".js")

ReportFormatOption = Annotated[
    ReportFormat, typer.Option("--format", envvar="TENANTRY_FORMAT", help="How the result is written.")
]
MigrationsOption = Annotated[
    Path | None,
    typer.Option(
        envvar="TENANTRY_MIGRATIONS",
        help="Directory of migrations: SARIF and GitHub annotations point there, to the line that makes the object.",
    ),
]


def show(record: Proof | Review, form: ReportFormat, spec_file: Path | None, migrations: Path | None) -> None:
    """Print a record."""
    attacks = {a.NAME: a.WHY for a in ATTACKS} | {d.NAME: d.WHY for d in DOORS}
    print(write(record, form, _anchors(form, spec_file, migrations), attacks), end="")


def earlier(file: Path | None) -> waivers.Baseline | None:
    """The findings of an earlier report, if there is to be one. Raises SpecError for a file that is none."""
    if file is None:
        return None
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(
            f"{file}: cannot be read ({unreadable(error)}); name a report of `tenantry check`"
        ) from None
    return waivers.baseline(text, str(file))


def _anchors(form: ReportFormat, spec_file: Path | None, migrations: Path | None) -> Anchors:
    if form not in (ReportFormat.sarif, ReportFormat.github):
        return Anchors()
    return anchors(_read(spec_file) if spec_file is not None else None, _directory(migrations))


def _directory(migrations: Path | None) -> list[tuple[str, str]]:
    """The files of a directory, in the order of their names; that is how migrators number them."""
    if migrations is None:
        return []
    if not migrations.is_dir():
        raise SpecError(f"{migrations}: no directory; name the one that holds your migrations")
    return [_read(p) for p in sorted(migrations.rglob("*")) if p.suffix in _MIGRATIONS and p.is_file()]


def _read(file: Path) -> tuple[str, str]:
    """A file as it is called from here, and its text; what is no UTF-8 in it stands for itself."""
    return _shown(file), file.read_text(encoding="utf-8", errors="surrogateescape")


def _shown(file: Path) -> str:
    """Relative to where the command runs, which in CI is the root of the repository."""
    try:
        return file.absolute().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return file.absolute().as_posix()

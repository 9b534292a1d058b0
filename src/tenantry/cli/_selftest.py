"""tenantry prove --self-test"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tenantry import embedded, mutations
from tenantry.errors import CatalogError, SpecError
from tenantry.report import trials as report
from tenantry.report.formats import ReportFormat
from tenantry.trial import SelfTest


def self_test(context: typer.Context, dsn: str, format_: ReportFormat) -> int:
    """Spoil good databases in every known way; exit 1 unless each sabotage was found, and nothing without one.

    A DSN counts that was typed: what the environment names is likely to be somebody's database.
    """
    if format_ not in (ReportFormat.text, ReportFormat.json):
        raise SpecError(f"--format {format_.value}: a self-test is written as text or json; choose one")
    source = context.get_parameter_source("dsn")
    typed = source is not None and source.name == "COMMANDLINE"
    with _listener() as listen:
        done = mutations.run(dsn, listen=listen) if typed else _embedded(listen)
    print(report.to_json(done) if format_ is ReportFormat.json else report.to_text(done), end="")
    return 0 if done.passed else 1


def _embedded(listen: mutations.Listen) -> SelfTest:
    try:
        binaries = embedded.embedded_binaries()
    except RuntimeError as error:
        raise CatalogError(f"{error}; or give --dsn, a superuser's on a scratch server") from None
    with embedded.cluster(binaries, settings={"fsync": "off", "jit": "off"}) as cluster:
        return mutations.run(cluster.dsn, listen=listen)


@contextmanager
def _listener() -> Iterator[mutations.Listen]:
    """A bar for each database on a terminal, a line for each elsewhere; both on stderr."""
    if not sys.stderr.isatty():
        yield _line
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks = {name: bar.add_task(name, total=None) for name in mutations.NAMES}
        yield lambda name, done, of: bar.update(tasks[name], completed=done, total=of)


def _line(name: str, done: int, of: int) -> None:
    if done == of:
        print(f"{name}: {of} trials", file=sys.stderr, flush=True)

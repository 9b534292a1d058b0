"""The command line: one file per verb, each a thin call of one public function.

Results go to stdout, progress and errors to stderr. Exit codes: 0 good · 1 findings, a breach, or changes
pending · 2 spec or usage · 3 database.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Annotated

import psycopg
import typer

from tenantry import __version__
from tenantry.cli import audit, keys
from tenantry.cli._signals import Terminated
from tenantry.cli.apply import apply
from tenantry.cli.check import check
from tenantry.cli.cutover import cutover
from tenantry.cli.demo import demo
from tenantry.cli.init import init
from tenantry.cli.inspect import inspect
from tenantry.cli.observe import observe
from tenantry.cli.plan import plan
from tenantry.cli.prove import prove
from tenantry.cli.render import render
from tenantry.cli.revert import revert
from tenantry.cli.schema import schema
from tenantry.cli.status import status
from tenantry.errors import ApplyError, CatalogError, PlanError, TamperError, TenantryError

app = typer.Typer(
    name="tenantry",
    help="From a live single-tenant PostgreSQL application to provable multi-tenancy.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"tenantry {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Hold what belongs to no verb."""


def _verb(function: Callable[..., int]) -> Callable[..., None]:
    """Run a verb; its number becomes the exit code and its errors one sentence on stderr."""

    @functools.wraps(function)
    def wrapper(*args: object, **kwargs: object) -> None:
        try:
            code = function(*args, **kwargs)
        except (TenantryError, psycopg.Error) as error:
            print(f"tenantry: {str(error).strip()}", file=sys.stderr)
            code = _exit_code(error)
        except OSError as error:
            named = f"{error.filename}: " if error.filename else ""
            print(f"tenantry: {named}{error.strerror or error}", file=sys.stderr)
            code = 2
        except KeyboardInterrupt as stop:
            print(
                "tenantry: cancelled; what was committed stays, and the same command goes on from there",
                file=sys.stderr,
            )
            code = 143 if isinstance(stop, Terminated) else 130
        raise typer.Exit(code)

    return wrapper


def _exit_code(error: Exception) -> int:
    if isinstance(error, TamperError) or (isinstance(error, PlanError) and error.pending):
        return 1
    return 3 if isinstance(error, (CatalogError, ApplyError, psycopg.Error)) else 2


_VERBS = (inspect, init, plan, render, apply, status, observe, cutover, revert, check, prove, demo, schema)
for verb in _VERBS:
    app.command(verb.__name__)(_verb(verb))
_audit = typer.Typer(help=audit.HELP, no_args_is_help=True, rich_markup_mode=None)
for inner in audit.VERBS:
    _audit.command(inner.__name__)(_verb(inner))
app.add_typer(_audit, name="audit")
_keys = typer.Typer(help=keys.HELP, no_args_is_help=True, rich_markup_mode=None)
for name, told in keys.VERBS.items():
    _keys.command(name)(_verb(told))
app.add_typer(_keys, name="keys")


def main() -> None:
    """Entry point of the ``tenantry`` command."""
    app()

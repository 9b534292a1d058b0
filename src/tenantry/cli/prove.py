"""tenantry prove"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tenantry import prove as prover
from tenantry import spec
from tenantry.attacks.lab import COSTLY, How
from tenantry.cli._options import DEFAULT_SPEC, AnySpecFile, AppDsn, AppRole, Dsn
from tenantry.cli._report import MigrationsOption, ReportFormatOption, earlier, show
from tenantry.cli._selftest import self_test as prove_the_prover
from tenantry.errors import SpecError
from tenantry.names import QName, parse
from tenantry.report.formats import ReportFormat
from tenantry.world.proof import prove_in_lab


def prove(
    context: typer.Context,
    dsn: Dsn = "",
    spec_file: AnySpecFile = None,
    app_dsn: AppDsn = None,
    app_role: AppRole = None,
    shared: Annotated[
        list[str] | None,
        typer.Option(
            envvar="TENANTRY_SHARED",
            help="Without a spec: a table whose rows every tenant may read; may be repeated.",
        ),
    ] = None,
    full: Annotated[
        bool,
        typer.Option(
            "--full/--safe",
            envvar="TENANTRY_FULL",
            help="safe: nothing is written, for production; full: also what writes, locks and fires triggers before it is rolled back, for staging or a copy.",
        ),
    ] = False,
    fire_triggers: Annotated[
        bool,
        typer.Option(
            envvar="TENANTRY_FIRE_TRIGGERS",
            help="With --safe: also statements before which a user trigger fires.",
        ),
    ] = False,
    costly: Annotated[
        float | None,
        typer.Option(
            envvar="TENANTRY_COSTLY",
            help="With --safe: a table that can only be read whole, at more than this cost of the planner, is judged by its plan (500,000 where this is not said).",
        ),
    ] = None,
    pooler_dsn: Annotated[
        str | None,
        typer.Option(
            envvar="TENANTRY_POOLER_DSN",
            help="With --full: the application's way through its pooler, to see whether it hands a tenant on.",
        ),
    ] = None,
    lab: Annotated[
        bool,
        typer.Option(
            "--lab",
            envvar="TENANTRY_LAB",
            help="Copy the schema to a server of its own, convert it there if it is not yet, make two tenants with rows in every table, and attack all of it. Reads only the schema; needs the extra `demo`.",
        ),
    ] = False,
    baseline: Annotated[
        Path | None,
        typer.Option(
            envvar="TENANTRY_BASELINE",
            help="A report of `tenantry check` as JSON: findings that it has do not count again.",
        ),
    ] = None,
    self_test: Annotated[
        bool,
        typer.Option(
            "--self-test",
            envvar="TENANTRY_SELF_TEST",
            help="Prove the prover instead: spoil good databases of its own, on the server of --dsn or an embedded one, and see each sabotage found.",
        ),
    ] = False,
    format_: ReportFormatOption = ReportFormat.text,
    migrations: MigrationsOption = None,
) -> int:
    """Check and attack the isolation, each attack with a control that shows it would have seen a hole. Exit 1 unless proven.

    Needs no spec: without one, and without a tenantry.toml here, the tenancy is recognised from the policies and tried.
    """
    if self_test:
        return prove_the_prover(context, dsn, format_)
    if pooler_dsn is not None and not full:
        raise SpecError(
            "--pooler-dsn: goes with --full, since a setting of a session is changed there; add it"
        )
    how = How("full" if full else "safe", fire_triggers, COSTLY if costly is None else costly, pooler_dsn)
    there = spec_file or (DEFAULT_SPEC if lab or DEFAULT_SPEC.exists() else None)
    declared, now = spec.load(there) if there is not None else None, datetime.now(UTC)
    known = earlier(baseline)
    if declared is not None:
        _only_without_a_spec(app_role, shared)
    if lab and declared is not None:
        _only_the_lab(full, app_dsn, fire_triggers, costly)
        proof = prove_in_lab(dsn, declared, baseline=known, now=now, say=_say)
    else:
        proof = prover.prove(
            dsn,
            declared,
            app_dsn=app_dsn,
            app_role=app_role,
            shared=_tables(shared),
            how=how,
            baseline=known,
            now=now,
        )
    show(proof, format_, there, migrations)
    return 0 if proof.proven else 1


def _only_without_a_spec(app_role: str | None, shared: Sequence[str] | None) -> None:
    """Raise SpecError for what a spec says itself."""
    for option, given, key in (
        ("--app-role", app_role, "roles.app"),
        ("--shared", shared, 'scope = "shared"'),
    ):
        if given:
            raise SpecError(f"{option}: goes without a spec, which says it itself ({key}); leave it out")


def _tables(texts: Sequence[str] | None) -> frozenset[QName]:
    """The tables that were named. Raises SpecError for what is no name."""
    try:
        return frozenset(parse(text) for text in texts or ())
    except ValueError as error:
        raise SpecError(f"--shared: {error}; name a table as table or schema.table") from None


def _only_the_lab(full: bool, app_dsn: str | None, fire_triggers: bool, costly: float | None) -> None:
    """Raise SpecError for what means nothing in a lab."""
    for option, given in (
        ("--full", full),
        ("--app-dsn", app_dsn is not None),
        ("--fire-triggers", fire_triggers),
        ("--costly", costly is not None),
    ):
        if given:
            raise SpecError(
                f"--lab: {option} says nothing there: a lab tries everything, with a login of its own; leave it out"
            )


def _say(stage: str) -> None:
    """Progress, for somebody who watches."""
    if sys.stderr.isatty():
        print(f"tenantry: {stage} …", file=sys.stderr)

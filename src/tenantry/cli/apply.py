"""tenantry apply"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenantry import journal, planner, spec
from tenantry.apply import apply as run_plan
from tenantry.cli._options import (
    DEFAULT_SPEC,
    Dsn,
    ProfileName,
    ProfileOption,
    SpecFile,
    connect,
    read_catalog,
)
from tenantry.cli._progress import listener
from tenantry.errors import SpecError
from tenantry.plan import Phase, Plan
from tenantry.report import plan as report


def apply(
    saved: Annotated[
        Path | None,
        typer.Argument(
            metavar="[PLAN]", help="A plan saved by `tenantry plan --out`; left out, one is made now."
        ),
    ] = None,
    dsn: Dsn = "",
    spec_file: SpecFile = DEFAULT_SPEC,
    profile: ProfileOption = ProfileName.online,
    until: Annotated[
        Phase | None,
        typer.Option(envvar="TENANTRY_UNTIL", help="Stop after this phase; run it again without to go on."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", envvar="TENANTRY_DRY_RUN", help="Print what would run, and change nothing."
        ),
    ] = False,
) -> int:
    """Bring the database to the declared state. Run it again after any interruption: it goes on where it was."""
    plan = _plan(saved, dsn, spec_file, profile)
    if dry_run:
        print(report.to_text(plan, sql=True), end="")
        return 0
    if not plan:
        print(report.to_text(plan), end="")
        return 0
    with listener() as listen:
        done = run_plan(dsn, plan, until=until, listen=listen)
    print(
        f"{done.done} steps done, {done.skipped} already there, {done.rows} rows filled, {done.seconds:.1f} s."
    )
    if done.left:
        print(f"{done.left} steps of later phases are left: `tenantry status` says what may be deployed now.")
    return 0


def _plan(saved: Path | None, dsn: str, spec_file: Path, profile: ProfileName) -> Plan:
    """The saved plan, the one that was interrupted, or a new one."""
    if saved is not None:
        try:
            return Plan.from_json(saved.read_bytes())
        except (OSError, ValueError) as error:
            raise SpecError(
                f"{saved}: not a saved plan ({str(error).splitlines()[0]}); make one with `tenantry plan --out`"
            ) from None
    declared = spec.load(spec_file)
    with connect(dsn) as conn:
        started = journal.unfinished(conn, declared.digest)
    return started if started is not None else planner.plan(declared, read_catalog(dsn), profile.value)

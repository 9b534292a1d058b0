"""tenantry apply"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tenantry import journal, planner, rehearsal, spec
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
from tenantry.cli._signals import stopping
from tenantry.counts import counted
from tenantry.errors import SpecError, unreadable
from tenantry.plan import Phase, Plan
from tenantry.preflight import Preflight
from tenantry.progress import Tally, waited
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
            "--dry-run",
            envvar="TENANTRY_DRY_RUN",
            help="Print what would run and when, and change nothing; exit 1 if it would be refused.",
        ),
    ] = False,
) -> int:
    """Bring the database to the declared state. Run it again after any interruption: it goes on where it was."""
    plan = _plan(saved, dsn, spec_file, profile)
    if dry_run:
        run = rehearsal.rehearse(dsn, plan, until)
        print(rehearsal.to_text(run), end="")
        return 0 if run.good else 1
    if not plan:
        print(report.to_text(plan), end="")
        return 0
    with stopping() as wish, listener() as listen:
        done = run_plan(dsn, plan, until=until, listen=listen, stop=wish, checked=_tell)
    print(
        f"{counted(done.done, 'step')} done, {done.skipped} already there, {counted(done.rows, 'row')} filled, {done.seconds:.1f} s."
    )
    _waits(done.tally)
    if done.stopped:
        print(
            f"tenantry: stopped as asked, {counted(done.left, 'step is', 'steps are')} left: run the same command again to go on; "
            "`tenantry status` says what may be deployed now",
            file=sys.stderr,
        )
        return wish.code
    if done.left:
        print(
            f"{counted(done.left, 'step of a later phase is', 'steps of later phases are')} left: `tenantry status` says what may be deployed now."
        )
    return 0


def _tell(found: Preflight) -> None:
    """What does not stop a run and should be known."""
    for item in found.at("warn", "unseen"):
        print(f"tenantry: {item.level}: {item}", file=sys.stderr)


def _waits(tally: Tally) -> None:
    if text := waited(tally.waits, tally.retries, tally.throttled, tally.reason):
        print(f"{text[0].upper()}{text[1:]}.")
    for text in tally.unseen:
        print(f"Could not look whether to give way: {text}.")


def _plan(saved: Path | None, dsn: str, spec_file: Path, profile: ProfileName) -> Plan:
    """The saved plan, the one that was interrupted, or a new one."""
    if saved is not None:
        try:
            return Plan.from_json(saved.read_bytes())
        except (OSError, ValueError) as error:
            why = unreadable(error) if isinstance(error, OSError) else str(error).splitlines()[0]
            raise SpecError(
                f"{saved}: not a saved plan ({why}); make one with `tenantry plan --out`"
            ) from None
    declared = spec.load(spec_file)
    with connect(dsn) as conn:
        started = journal.unfinished(conn, declared.digest)
    return started if started is not None else planner.plan(declared, read_catalog(dsn), profile.value)

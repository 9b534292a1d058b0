"""tenantry cutover"""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer

from tenantry import spec
from tenantry.cli._options import DEFAULT_SPEC, AppDsn, Dsn, SpecFile
from tenantry.counts import counted
from tenantry.cutover import cutover as switch
from tenantry.finding import NO_ROWS


def cutover(
    tables: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TABLE]...", help="Only these tables; left out, all of them."),
    ] = None,
    dsn: Dsn = "",
    spec_file: SpecFile = DEFAULT_SPEC,
    app_dsn: AppDsn = None,
    back: Annotated[
        bool, typer.Option("--back", envvar="TENANTRY_BACK", help="Let everything through again.")
    ] = False,
    unproven: Annotated[
        bool,
        typer.Option(
            "--unproven",
            envvar="TENANTRY_UNPROVEN",
            help="Do not attack the tables after the switch; without this they go back unless every attack holds.",
        ),
    ] = False,
) -> int:
    """Let the policies decide from now on, after `apply --until observe`; --back undoes it as fast."""
    declared = None if back or unproven else spec.load(spec_file)
    done = switch(dsn, declared, tables=tables or (), back=back, app_dsn=app_dsn)
    what = "observed again" if back else "decided by their policy"
    print(
        f"{len(done.tables)} tables are {what}; the switch took {done.seconds * 1000:.0f} ms (try {done.tries})."
    )
    if declared is not None:
        counts = Counter(o.status for o in done.outcomes if o.detail != NO_ROWS)
        print(", ".join(f"{n} attacks {status}" for status, n in sorted(counts.items())) + ".")
        for o in done.outcomes:
            if o.status == "skipped":
                print(f"  skipped {o.attack} on {o.object}: {o.detail}")
        if done.empty:
            told = f"{counted(len(done.empty), 'table has', 'tables have')} no rows to attack: judged by the plan"
            print(f"{told}; `tenantry prove --lab` attacks them too: {', '.join(done.empty)}")
    elif not back:
        print("Not proven: run `tenantry prove`.")
    return 0

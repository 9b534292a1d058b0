"""tenantry revert"""

from __future__ import annotations

from typing import Annotated

import typer

from tenantry.cli._options import Dsn
from tenantry.cli._progress import listener
from tenantry.counts import counted
from tenantry.errors import SpecError
from tenantry.revert import revert as run_revert


def revert(
    dsn: Dsn = "",
    yes: Annotated[
        bool, typer.Option("--yes", envvar="TENANTRY_YES", help="Do it; without this nothing happens.")
    ] = False,
) -> int:
    """Take the database back to before the conversion. Refused where data of another tenant would be lost."""
    if not yes:
        raise SpecError(
            "revert: removes the tenant columns, their policies and the audit trail with its events; say --yes"
        )
    with listener() as listen:
        done = run_revert(dsn, listen=listen)
    if not done.plans:
        print("There is nothing to revert: no plan is applied to this database.")
        return 0
    print(
        f"{counted(done.steps, 'step')} of {counted(len(done.plans), 'plan')} reverted, {done.seconds:.1f} s."
    )
    if not done.restored:
        print(
            "The schema is not the one from before the conversion: what others have changed meanwhile, or made "
            "before it, was left alone. Compare with `tenantry inspect`."
        )
    return 0

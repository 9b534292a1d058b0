"""tenantry audit report"""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tenantry import checks, controls, spec
from tenantry.audit import account as accounts
from tenantry.audit.account import Account
from tenantry.audit.query import Filter
from tenantry.cli._options import DEFAULT_SPEC, Dsn, connect
from tenantry.cli.audit._options import (
    Anchors,
    OptionalSpec,
    PublicKeys,
    Since,
    TableName,
    Tenant,
    Until,
    anchored,
    counting,
    public_keys,
    reading,
    times,
    trail,
)
from tenantry.controls import Evidence
from tenantry.counts import counted
from tenantry.errors import CatalogError
from tenantry.finding import Review
from tenantry.report.text import shown
from tenantry.spec import Spec


def report(
    file: Annotated[Path, typer.Argument(help="The HTML file to write.")],
    dsn: Dsn = "",
    tenant: Tenant = None,
    since: Since = None,
    until: Until = None,
    most: Annotated[
        int,
        typer.Option(
            envvar="TENANTRY_AUDIT_MOST", min=1, max=20_000, help="Events that are listed one by one."
        ),
    ] = 2000,
    evidence: Annotated[
        bool,
        typer.Option(
            "--evidence",
            envvar="TENANTRY_AUDIT_EVIDENCE",
            help="Look for the evidence that auditors ask for, too: SOC 2 and ISO/IEC 27001.",
        ),
    ] = False,
    public_key: PublicKeys = None,
    anchor: Anchors = None,
    table: TableName = None,
    spec_file: OptionalSpec = None,
) -> int:
    """Write what the trail says as one HTML file for people. Exit 1 when it is damaged, when it could not be verified, or
    when a guard is missing.

    Who did what, what was refused, how it is sealed and protected, what is gone, and what was not looked at. With
    --evidence also exit 1 when something speaks against a control. That it was read is an event, audit.read.
    """
    there = spec_file or (DEFAULT_SPEC if DEFAULT_SPEC.exists() else None)
    declared = spec.load(there) if there is not None else None
    known = accounts.Keys(public_keys(public_key), tuple(anchored(anchor)))
    wanted, now = Filter(tenant, None, None, None, None, None, *times(since, until)), datetime.now(UTC)
    app = declared.roles.app if declared is not None else None
    name = trail(table, spec_file)
    with reading(dsn) as conn:
        found = accounts.account(
            conn, name, wanted, known, app=app, now=now, most=most, listen=counting("verify")
        )
    seen = controls.evidence(found, _review(dsn, declared, now)) if evidence else ()
    # As with an export: events are not for everybody who has an account on this machine.
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640), "w", encoding="utf-8") as out:
        out.write(controls.to_html(found, seen))
    _tell(file, found, seen)
    against = any(one.state == "not shown" for one in seen)
    return 0 if found.good and not against else 1


def _review(dsn: str, declared: Spec | None, now: datetime) -> Review | None:
    """The static checks; None where they cannot be run."""
    roles = (declared.roles.app,) if declared is not None else ()
    with contextlib.closing(connect(dsn)) as conn, contextlib.suppress(CatalogError):
        return checks.examine(conn, checks.Request(spec=declared, roles=roles), now=now)
    return None


def _tell(file: Path, found: Account, evidence: tuple[Evidence, ...]) -> None:
    report = found.seal.report
    state = f"not verified ({found.seal.why})" if report is None else "verified" if report.good else "DAMAGED"
    print(
        f"{file}: {counted(found.events, 'event')}, {state}; {counted(len(found.not_looked_at), 'thing was', 'things were')} not looked at."
    )
    for one in evidence:
        print(f"{one.state:<14}  {one.control}: {one.what}: {shown(one.words)}")

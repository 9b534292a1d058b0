"""tenantry audit verify"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from tenantry.audit import archive, store
from tenantry.audit import verify as verifying
from tenantry.audit.checkpoint import Checkpoint
from tenantry.audit.keys import PublicKey
from tenantry.audit.source import Live, begin
from tenantry.audit.state import load, save
from tenantry.audit.verify import Report, State
from tenantry.cli._options import Dsn, Format, FormatOption
from tenantry.cli.audit._options import (
    Anchors,
    OptionalSpec,
    PublicKeys,
    TableName,
    anchored,
    counting,
    public_keys,
    reading,
    trail,
)
from tenantry.counts import counted
from tenantry.report.text import shown


def verify(
    dsn: Dsn = "",
    public_key: PublicKeys = None,
    anchor: Anchors = None,
    export: Annotated[
        Path | None,
        typer.Option(envvar="TENANTRY_AUDIT_EXPORT", help="Verify this export, without a database."),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            envvar="TENANTRY_AUDIT_STATE",
            help="Begin where the verification before ended, which is kept in this file.",
        ),
    ] = None,
    table: TableName = None,
    spec_file: OptionalSpec = None,
    format_: FormatOption = Format.text,
) -> int:
    """Compare the trail with its seal, and the seal with its signatures and anchors. Exit 1 when they do not agree.

    Names the event, the batch and the kind of damage. With --state only what was sealed since then is read again.
    """
    trusted, known = public_keys(public_key), anchored(anchor)
    since = load(state) if state is not None else None
    report = _offline(export, trusted, known, since) if export else None
    if report is None:
        with reading(dsn) as conn, conn.transaction():
            begin(conn)
            if not store.present(conn):
                report = verifying.dropped(trusted, known, since)
            if report is None:
                store.require(conn)
                live = Live(conn, trail(table, spec_file))
                report = verifying.verify(live, trusted, known, since, counting("verify"))
    if state is not None and report.state is not None:
        save(state, report.state)
    print(_json(report) if format_ is Format.json else text(report), end="")
    return 0 if report.good else 1


def _offline(
    export: Path, trusted: tuple[PublicKey, ...], known: list[Checkpoint], since: State | None
) -> Report:
    found = archive.open_export(export)
    archive.contents(found)
    return verifying.verify(found, trusted, known, since, counting("verify"))


def text(report: Report) -> str:
    """A verification in lines, its verdict first."""
    head = "VERIFIED" if report.good else "DAMAGED"
    errors = sum(found.level == "error" for found in report.findings) + sum(report.more.values())
    words = "" if report.good else f", {counted(errors, 'finding')}"
    lines = [
        f"{head}: {counted(report.events, 'event')} in {counted(report.batches, 'batch', 'batches')}, {counted(report.records, 'record')} of the log{words}"
    ]
    if report.checkpoint is not None:
        signer = report.checkpoint.signatures[-1].name if report.checkpoint.signatures else "nobody"
        lines.append(
            f"checkpoint of size {report.checkpoint.size}, signed by {signer}; {counted(report.anchors, 'anchored checkpoint')}"
        )
    if report.begun:
        lines.append(f"since record {report.begun}; what was sealed before was not read again")
    if report.archived:
        lines.append(f"{report.archived} events are retired: their hashes are there, their archive has them")
    if report.unsealed:
        lines.append(f"{report.unsealed} events are not sealed yet: nothing can be said of them")
    if not report.anchors:
        lines.append(
            "no anchor was looked at: a cut end, and a change by whoever has the key, would not be seen"
        )
    lines += [f"  {shown(str(found))}" for found in report.findings]
    lines += [f"  and {count} more: {kind}" for kind, count in report.more.items()]
    return "\n".join(lines) + "\n"


def _json(report: Report) -> str:
    data: dict[str, Any] = asdict(report)
    data["good"], data["version"] = report.good, 1
    data["checkpoint"] = str(report.checkpoint) if report.checkpoint else None
    del data["state"]
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"

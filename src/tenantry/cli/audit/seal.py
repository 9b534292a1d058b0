"""tenantry audit seal"""

from __future__ import annotations

import sys
from typing import Annotated

import psycopg
import typer

from tenantry.audit import seal as sealing
from tenantry.audit.seal import Sealed
from tenantry.cli._options import Dsn
from tenantry.cli._signals import stopping
from tenantry.cli.audit._options import (
    DEFAULT_KEY,
    Anchors,
    KeyFile,
    OptionalSpec,
    TableName,
    anchors_of,
    private_key,
    trail,
)
from tenantry.counts import counted
from tenantry.errors import CatalogError, SpecError

_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0}


def seal(
    dsn: Dsn = "",
    key_file: KeyFile = DEFAULT_KEY,
    anchor: Anchors = None,
    every: Annotated[
        str | None,
        typer.Option(
            envvar="TENANTRY_AUDIT_EVERY", help="Go on, and seal so often: 500ms, 1s, 5min. Ctrl-C ends it."
        ),
    ] = None,
    restored: Annotated[
        str | None,
        typer.Option(
            envvar="TENANTRY_AUDIT_RESTORED",
            help="After a restore from an older copy: why. The log then says which records were given up.",
        ),
    ] = None,
    table: TableName = None,
    spec_file: OptionalSpec = None,
) -> int:
    """Seal every event that is committed and not sealed yet, sign the log, and hand the checkpoint to the anchors.

    Exit 3 when an anchor did not take it: the events are sealed, and the next run tries again.
    """
    name, private, places = trail(table, spec_file), private_key(key_file), anchors_of(anchor)
    if every is None:
        done = sealing.seal(dsn, name, private, places, restored)
        print(_sentence(done))
        for failure in done.unanchored:
            print(f"tenantry: {failure}", file=sys.stderr)
        return 3 if done.unanchored else 0
    if restored is not None:
        raise SpecError("--restored is for one run; seal once with it, and then with --every")
    seconds = _seconds(every)
    with stopping() as wish:
        sealing.run(dsn, name, private, places, seconds, wish, _tell)
    return 0


def _seconds(text: str) -> float:
    unit = next((unit for unit in _UNITS if text.endswith(unit)), "")
    try:
        found = float(text.removesuffix(unit)) * _UNITS[unit]
    except (ValueError, KeyError):
        raise SpecError(f"--every {text}: say a number and a unit: 500ms, 1s, 5min") from None
    if found <= 0:
        raise SpecError(f"--every {text}: must be more than nothing")
    return found


def _tell(done: Sealed | psycopg.Error | CatalogError) -> None:
    match done:
        case Sealed() if done.batches or done.unanchored:
            print(_sentence(done), flush=True)
            for failure in done.unanchored:
                print(f"tenantry: {failure}", file=sys.stderr, flush=True)
        case Exception():
            print(f"tenantry: {str(done).strip()}; trying again", file=sys.stderr, flush=True)


def _sentence(done: Sealed) -> str:
    log = f"the log has {done.checkpoint.size} records"
    era = f"; a new era: {done.era}" if done.era else ""
    if not done.batches:
        return f"Nothing to seal; {log}{era}."
    batches = (
        f"batch {done.batches[0]}"
        if len(done.batches) == 1
        else f"batches {done.batches[0]} to {done.batches[-1]}"
    )
    return f"{counted(done.events, 'event')} sealed in {batches}; {log}{era}."

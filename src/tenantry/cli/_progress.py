"""Progress on stderr while ``apply`` and ``revert`` run; quiet when nobody looks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from tenantry.progress import (
    Batch,
    Event,
    Listener,
    StepDone,
    StepSkipped,
    StepStarted,
    Throttled,
    Waiting,
    silent,
)
from tenantry.report.plan import size


@contextmanager
def listener() -> Iterator[Listener]:
    """A listener for a terminal, or one that says nothing."""
    if not sys.stderr.isatty():
        yield silent
        return
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        MofNCompleteColumn(),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(event: Event) -> None:
            match event:
                case StepStarted(step=step, number=number, of=of):
                    bar.update(task, description=step, completed=number - 1, total=of)
                case StepSkipped(number=number):
                    bar.update(task, completed=number)
                case StepDone(step=step, rows=rows, seconds=seconds):
                    filled = f", {rows} rows" if rows else ""
                    console.print(f"  {step}: {seconds:.2f} s{filled}", highlight=False)
                    bar.advance(task)
                case Batch(step=step, rows=rows, done_blocks=done, of_blocks=of):
                    bar.update(task, description=f"{step}: {rows} rows, {100 * done // max(of, 1)} %")
                case Waiting(step=step, tried=tried, blocked_by=blockers):
                    who = "; ".join(blockers) or "a session that ended meanwhile"
                    console.print(
                        f"  {step}: waited for a lock (try {tried}), held by {who}", highlight=False
                    )

                case Throttled(step=step, lag=lag):
                    bar.update(task, description=f"{step}: waits for a standby that is {size(lag)} behind")

        yield show

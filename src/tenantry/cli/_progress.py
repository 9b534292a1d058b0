"""Progress on stderr while ``apply`` and ``revert`` run; quiet when nobody looks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
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
    Unseen,
    Waiting,
    duration,
    silent,
    waited,
)


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
        yield screen(console, bar)


def screen(console: Console, bar: Progress) -> Listener:
    """A listener that keeps one line for what runs now, and leaves one for each step that ran."""
    task = bar.add_task("", total=None)

    def show(event: Event) -> None:
        match event:
            case StepStarted(step=step, number=number, of=of):
                bar.update(task, description=escape(step), completed=number - 1, total=of)
            case StepSkipped(number=number):
                bar.update(task, completed=number)
            case StepDone():
                bar.advance(task)
            case Batch() | Throttled():
                bar.update(task, description=escape(_now(event)))
        if line := _line(event):
            console.print(f"  {line}", highlight=False, markup=False)

    return show


def _now(event: Batch | Throttled) -> str:
    """What a backfill does at the moment."""
    match event:
        case Batch(step=step, rows=rows, done_blocks=done, of_blocks=of, rate=rate, left=left):
            rest = f", {duration(left)} left" if left is not None else ""
            return f"{step}: {rows} rows, {rate:.0f}/s, {100 * done // max(of, 1)} %{rest}"
        case Throttled(step=step, reason=reason, seconds=seconds):
            return f"{step}: gives way since {seconds:.0f} s: {reason}"


def _line(event: Event) -> str:
    """What stays on the screen of an event; an empty text for most."""
    match event:
        case StepDone(step=step, rows=rows, seconds=seconds):
            filled = f", {rows} rows, {rows / max(seconds, 0.001):.0f}/s" if rows else ""
            waits = waited(event.waits, event.retries, event.throttled, None)
            return f"{step}: {seconds:.2f} s{filled}{'; ' if waits else ''}{waits}"
        case Waiting(step=step, tried=tried, blocked_by=blockers):
            who = "; ".join(blockers) or "a session that was not seen in time"
            return f"{step}: waited for a lock (try {tried}), held by {who}"
        case Unseen(step=step, signal=signal, reason=reason):
            return f"{step}: cannot look whether to give way ({signal}): {reason}"
        case _:
            return ""

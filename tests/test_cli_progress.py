"""What a terminal shows while a plan is applied."""

import io

import pytest
from rich.console import Console
from rich.progress import Progress, TextColumn

from tenantry.cli._progress import listener, screen
from tenantry.progress import (
    Batch,
    Event,
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


def shown(*events: Event) -> tuple[str, str]:
    """The lines that stay on the screen, and what the moving line says at last."""
    console = Console(file=io.StringIO(), width=200)
    bar = Progress(TextColumn("{task.description}"), console=console, auto_refresh=False)
    show = screen(console, bar)
    for event in events:
        show(event)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue(), bar.tasks[0].description


def test_a_backfill_says_how_fast_it_is_and_how_long_it_takes() -> None:
    kept, now = shown(StepStarted("fill [a]", 2, 5), Batch("fill [a]", 120_000, 30, 120, 40_000.4, 95.0))
    assert (kept, now) == ("", r"fill \[a]: 120000 rows, 40000/s, 25 %, 2 min left")


def test_it_says_to_what_it_gives_way() -> None:
    _, now = shown(Throttled("fill", "standby", "standby b is 20 MB behind", 1.2, 0.2))
    assert now == "fill: gives way since 1 s: standby b is 20 MB behind"


def test_a_step_that_ran_leaves_a_line() -> None:
    kept, _ = shown(StepSkipped("a", 1, 3), StepDone("b", 0, 0.5), StepDone("c", 500, 2.0, 3, 1, 4.25))
    assert kept == (
        "  b: 0.50 s\n"
        "  c: 2.00 s, 500 rows, 250/s; waited for locks 3 times, 1 try begun again; gave way for 4.2 s\n"
    )


def test_waits_name_who_stood_in_the_way() -> None:
    kept, _ = shown(
        Waiting("a", 1, ("process 7 (shop, active [x])",)),
        Waiting("a", 2, ()),
        Unseen("a", "wal", "permission denied"),
    )
    assert kept == (
        "  a: waited for a lock (try 1), held by process 7 (shop, active [x])\n"
        "  a: waited for a lock (try 2), held by a session that was not seen in time\n"
        "  a: cannot look whether to give way (wal): permission denied\n"
    )


def test_nobody_looks() -> None:
    with listener() as listen:  # the tests' standard error is no terminal
        assert listen is silent


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (89, "89 s"), (95, "2 min"), (5399, "1 h 30 min"), (7500, "2 h 05 min")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_waits_in_words() -> None:
    assert waited(0, 0, 0.0, None) == ""
    assert waited(1, 2, 0.0, None) == "waited for locks 1 time, 2 tries begun again"
    assert waited(0, 0, 1.0, "archiving WAL fails") == "gave way for 1.0 s, at last: archiving WAL fails"

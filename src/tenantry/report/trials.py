"""A self-test of the prover, for people and for programs."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import asdict

from tenantry.trial import SelfTest, Trial

VERSION = 1
_WIDTH = 110


def to_text(test: SelfTest) -> str:
    """The verdict first, then what speaks against it, then a table of worlds and one of mutations."""
    return "\n".join(_lines(test)) + "\n"


def to_json(test: SelfTest) -> str:
    """The whole record, with ``"version": 1`` and the verdict."""
    return (
        json.dumps({"version": VERSION, "passed": test.passed} | asdict(test), indent=1, ensure_ascii=False)
        + "\n"
    )


def _lines(test: SelfTest) -> Iterator[str]:
    yield _verdict(test)
    yield f"{test.when}  {test.server}  {test.seconds:.0f} s"
    for trial in test.trials:
        if not trial.good:
            yield from _wrapped(
                f"{trial.verdict.upper()} {trial.world}: {trial.mutation} ({trial.layer}): {trial.detail}"
            )
    for world in test.worlds:
        for line in world.noise:
            yield from _wrapped(f"NOISE {world.world}, without a sabotage: {line}")
    for line in test.left_out:
        yield from _wrapped(f"NOT TRIED {line}")
    if test.unshown:
        yield from _wrapped(f"NOT SHOWN to find anything: {', '.join(test.unshown)}")
    yield ""
    yield from _table(test)
    yield ""
    yield from _each(test)


def _verdict(test: SelfTest) -> str:
    tried = [t for t in test.trials if t.verdict != "skipped"]
    found = sum(t.verdict == "found" for t in tried)
    sabotages = len({(t.world, t.mutation) for t in tried})
    said = f"{found} of {len(tried)} times a sabotage was found ({sabotages} sabotages, {len(test.worlds)} databases)"
    silent = (
        "and nothing without one" if not any(w.noise for w in test.worlds) else "and something without one"
    )
    return f"{'PASSED' if test.passed else 'FAILED'}: {said}, {silent}"


def _table(test: SelfTest) -> Iterator[str]:
    width = max((len(w.world) for w in test.worlds), default=0)
    yield f"{'':{width}}  checks       attacks      not tried here"
    for world in test.worlds:
        mine = [t for t in test.trials if t.world == world.world]
        cells = [_cell(mine, "check"), _cell(mine, "attack")]
        skipped = sum(t.verdict == "skipped" for t in mine)
        yield f"{world.world:{width}}  {cells[0]:<11}  {cells[1]:<11}  {skipped or '':<14}  {world.title}".rstrip()


def _cell(trials: list[Trial], layer: str) -> str:
    mine = [t for t in trials if t.layer == layer and t.verdict != "skipped"]
    return f"{sum(t.verdict == 'found' for t in mine)} of {len(mine)}" if mine else "–"


def _each(test: SelfTest) -> Iterator[str]:
    """One line per mutation: in which worlds each layer found it."""
    lines: dict[str, dict[str, list[str]]] = {}
    for trial in test.trials:
        mark = {"found": "✓", "skipped": "–"}.get(trial.verdict, "✗")
        lines.setdefault(trial.mutation, {}).setdefault(trial.layer, []).append(f"{mark} {trial.world}")
    width = max((len(name) for name in lines), default=0)
    for name, by_layer in lines.items():
        yield f"{name:{width}}  " + "; ".join(
            f"{layer}: {', '.join(marks)}" for layer, marks in by_layer.items()
        )
    yield ""
    yield "✓ found, and nothing undeclared  ✗ not so  – this server or database has nothing of the kind"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)

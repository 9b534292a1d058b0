"""Runs what a page of the documentation shows, and compares what it says with what happens.

A page is run when it says in which state it starts: `<!-- tested: STATE -->`, one of `STATES`. Then, in order and in
one scratch directory:

- each `$` line of a ```console block, with the `>` lines under it, is run by one bash; the lines after it must be its
  whole output, standard error included. A line `…` stands for any lines, `…` within a line for any text. With
  `<!-- tested: STATE, numbers vary -->` a number stands for any. A command must succeed unless it ends in `# exit N`.
- a ```python block is run.
- a block of any kind that begins with a comment of one file name (`# tenantry.toml`) is written to that file,
  or appended to it (`# tenantry.toml, continued`).
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
# pooled: converted, and through a PgBouncer configured as the page says; unchanged: see test_unchanged
STATES = ("nothing", "empty", "catalog", "converted", "pooled", "unchanged")
DOTS = "…"

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"^(?:#|--) (\S+\.\w+)(, continued)?\n")
_STATE = re.compile(r"^<!-- tested: (\w+)(, numbers vary)? -->$", re.MULTILINE)
_NUMBER = re.compile(r"\d+(?:,\d{3})*")
_EXIT = re.compile(r"# exit (\d+)$")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language, its text, and the line of the page on which the text begins."""

    kind: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Command:
    """One thing to run: bash ``script``, the output that the page shows (None: not compared), the exit code."""

    script: str
    shown: str | None
    code: int
    line: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Where a page says something else than what happened."""

    command: Command
    code: int
    output: str

    def __str__(self) -> str:
        c = self.command
        said = f"\nthe page shows:\n{c.shown}" if c.shown is not None else ""
        return f"line {c.line}: {c.script}\nexit {self.code}, the page says {c.code}{said}\nit wrote:\n{self.output}"


def blocks(page: str) -> list[Block]:
    """Every fenced block with a language."""
    return [Block(m[1], m[2], page[: m.start(2)].count("\n") + 1) for m in _FENCE.finditer(page)]


def state(page: str) -> str | None:
    """The state in which a page starts; None for one that is not run. Raises ValueError for an unknown one."""
    found = _STATE.search(page)
    if found is None:
        return None
    if found[1] not in STATES:
        raise ValueError(f"{found[1]} is no state; say one of {', '.join(STATES)}")
    return found[1]


def commands(page: str) -> list[Command]:
    """What a page runs, in order."""
    return [command for block in blocks(page) for command in _commands(block)]


def _commands(block: Block) -> Iterator[Command]:
    named = _FILE.match(block.text)
    if named is not None:
        text, sign = block.text[named.end() :], ">>" if named[2] else ">"
        script = f"cat {sign}{shlex.quote(named[1])} <<'END OF BLOCK'\n{text}END OF BLOCK"
        yield Command(script, None, 0, block.line)
    elif block.kind == "python":
        yield Command(f"{shlex.quote(sys.executable)} -c {shlex.quote(block.text)}", None, 0, block.line)
    elif block.kind == "console":
        yield from _console(block)


def _console(block: Block) -> Iterator[Command]:
    """The commands of a console block. Raises ValueError for output before any command."""
    script: list[str] = []
    shown: list[str] = []
    begun = block.line
    for number, line in enumerate([*block.text.splitlines(), "$ "], block.line):
        if line.startswith("$ "):
            if script:
                yield _command(script, shown, begun)
            script, shown, begun = [line[2:]], [], number
        elif not script:
            raise ValueError(f"line {number}: output without a command")
        elif (line == ">" or line.startswith("> ")) and not shown:
            script.append(line[2:])
        else:
            shown.append(line)


def _command(script: list[str], shown: list[str], line: int) -> Command:
    code = _EXIT.search(script[-1])
    return Command("\n".join(script), "\n".join(shown), int(code[1]) if code else 0, line)


def fits(shown: str, output: str, numbers_vary: bool = False) -> bool:
    """Whether an output is what a page shows of it."""
    pattern = ""
    for line in shown.splitlines():
        if line.strip() == DOTS:
            pattern += r"(?:[^\n]*\n)*"
        else:
            pattern += r"[^\n]*".join(re.escape(part) for part in line.rstrip().split(DOTS)) + r"\n"
    if numbers_vary:
        pattern = _NUMBER.sub(lambda _: _NUMBER.pattern, pattern)
    text = "".join(f"{line.rstrip()}\n" for line in output.splitlines())
    return re.fullmatch(pattern, text) is not None


def run(page: str, environment: Mapping[str, str], files: Mapping[str, str] | None = None) -> list[Failure]:
    """Run a page where ``files`` are; returns each command that wrote something else than shown, up to the first
    that ended otherwise."""
    todo = commands(page)
    with _scratch() as scratch:
        for name, text in (files or {}).items():
            (scratch / "work" / name).write_text(text, encoding="utf-8")
        script = "\n".join(_step(scratch, number, command) for number, command in enumerate(todo))
        places = {"HOME": str(scratch), "TMPDIR": str(scratch / "tmp"), "LANG": "C.UTF-8"}
        subprocess.run(
            ["bash", "--norc", "-c", script], cwd=scratch / "work", env={**environment, **places},
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        found = _STATE.search(page)
        return list(_failures(scratch, todo, numbers_vary=bool(found and found[2])))


def _step(scratch: Path, number: int, command: Command) -> str:
    """Run a command in the shell of the page, so that its variables stay; stop at a wrong end."""
    file, output, code = (scratch / f"{number}.{suffix}" for suffix in ("sh", "out", "code"))
    file.write_text(command.script + "\n", encoding="utf-8")
    return f". {file} >{output} 2>&1; code=$?; echo $code >{code}; [ $code = {command.code} ] || exit"


def _failures(scratch: Path, todo: list[Command], numbers_vary: bool) -> Iterator[Failure]:
    for number, command in enumerate(todo):
        output = (scratch / f"{number}.out").read_text(encoding="utf-8", errors="replace")
        ended = scratch / f"{number}.code"
        code = int(ended.read_text()) if ended.exists() else -1  # the shell itself ended
        if code != command.code or (
            command.shown is not None and not fits(command.shown, output, numbers_vary)
        ):
            yield Failure(command, code, output)
        if code != command.code:
            return


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """A directory for one page, with the example and the pages in reach; servers left in it are ended."""
    with tempfile.TemporaryDirectory(prefix="pages-", ignore_cleanup_errors=True) as name:
        scratch = Path(name)
        scratch.chmod(0o755)  # a server that root starts runs as somebody else
        for directory in ("work", "tmp"):
            (scratch / directory).mkdir(mode=0o755)
        for directory in ("docs", "examples"):
            (scratch / "work" / directory).symlink_to(ROOT / directory)
        try:
            yield scratch
        finally:
            for file in (scratch / "tmp").glob("*/data/postmaster.pid"):
                with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                    os.kill(int(file.read_text().split()[0]), signal.SIGQUIT)

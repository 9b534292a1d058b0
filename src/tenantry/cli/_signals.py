"""Ctrl-C and SIGTERM while a plan is applied: the first asks it to stop, the second cancels what runs."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

_NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
_FIRST = (
    "\ntenantry: stopping after the batch or statement that runs now. {} again cancels it at once, which loses "
    "nothing that is committed; a long index build or validation then begins anew.\n"
)


class Terminated(KeyboardInterrupt):
    """A second signal, and it was SIGTERM. Of that kind, because drivers cancel what runs on KeyboardInterrupt."""


@dataclass(slots=True)
class Wish:
    """Whether somebody asked to stop, and by which signal (0: nobody did)."""

    signal: int = 0

    def __call__(self) -> bool:
        return self.signal != 0

    @property
    def code(self) -> int:
        """The exit code by the convention of shells."""
        return 128 + self.signal


@contextmanager
def stopping() -> Iterator[Wish]:
    """Note the first signal, and say so; raise KeyboardInterrupt at the second. Handlers are put back at the end."""
    wish = Wish()

    def handle(number: int, _: FrameType | None) -> None:
        if wish.signal:
            _cancel(number)
        wish.signal = number
        # Not print: the signal may have come in the middle of one.
        os.write(2, _FIRST.format(_NAMES[signal.Signals(number)]).encode())

    before = {number: signal.signal(number, handle) for number in _NAMES}
    try:
        yield wish
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _cancel(number: int) -> NoReturn:
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

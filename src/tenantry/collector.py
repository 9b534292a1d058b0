"""The cyclic garbage collector, out of the way while a big value is made."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """A catalog or a plan is a hundred thousand values without a cycle, which the collector would walk again and again.

    Measured on 1 300 tables: a third of the time of reading, 40 % of that of planning.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()

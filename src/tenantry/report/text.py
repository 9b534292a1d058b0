"""Plain text that is readable at 100 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

WIDTH = 100
_LABEL = 15  # columns for the words on the left


def labelled(label: str, lines: Iterable[str], indent: int = 2) -> Iterator[str]:
    """Lines beside a label, which is shown once; nothing when there are no lines."""
    left = " " * indent
    for line in lines:
        head = left + label.ljust(_LABEL)
        hang = " " * (len(head) + 2)
        yield from textwrap.wrap(
            _shown(line), WIDTH, initial_indent=head, subsequent_indent=hang, break_on_hyphens=False
        ) or [head.rstrip()]
        label = ""


def paragraph(text: str, indent: int = 0) -> list[str]:
    """A wrapped paragraph."""
    left = " " * indent
    return textwrap.wrap(
        _shown(text), WIDTH, initial_indent=left, subsequent_indent=left, break_on_hyphens=False
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Iterable[int] = ()) -> Iterator[str]:
    """Columns as wide as they need to be, the last one cut at the edge; ``right`` are aligned to the right."""
    flush = set(right)
    shown = [[_shown(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[i]) for row in shown) for i in range(len(head))]
    for row in shown:
        cells = [
            cell.rjust(width) if i in flush else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def count(n: int, noun: str) -> str:
    """``1 table``, ``2 tables``, ``1,300 tables``."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun[:-1] + 'ies' if noun.endswith('y') else noun + 's'}"


def _shown(text: str) -> str:
    """A name may hold any character; those that would break a line are shown as escapes."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "replace").decode("ascii") for c in text
    )

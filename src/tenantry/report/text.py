"""Plain text that is readable at 100 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

WIDTH = 100
_LABEL = 15  # columns for the words on the left


def labelled(label: str, lines: Iterable[str], indent: int = 2) -> Iterator[str]:
    """Lines beside a label, which is shown once; nothing when there are no lines."""
    left = " " * indent
    for line in lines:
        head = left + label.ljust(_LABEL)
        hang = " " * (len(head) + 2)
        yield from textwrap.wrap(
            shown(line), WIDTH, initial_indent=head, subsequent_indent=hang, break_on_hyphens=False
        ) or [head.rstrip()]
        label = ""


def paragraph(text: str, indent: int = 0) -> list[str]:
    """A wrapped paragraph."""
    left = " " * indent
    return textwrap.wrap(
        shown(text), WIDTH, initial_indent=left, subsequent_indent=left, break_on_hyphens=False
    )


def shown(text: str) -> str:
    """A name may hold any character; those that would break a line, or could not be seen, are shown as escapes."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "replace").decode("ascii") for c in text
    )

"""Numbers with their nouns, and lists, as sentences have them."""

from __future__ import annotations

from collections.abc import Iterable


def counted(number: int, noun: str, many: str = "") -> str:
    """``1 table``, ``2 batches``, ``1,300 tables``."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"


def listed(items: Iterable[str], most: int = 8) -> str:
    """The first few, and how many more."""
    found = list(items)
    extra = len(found) - most
    return ", ".join(found[:most]) + (f" and {extra} more" if extra > 0 else "")

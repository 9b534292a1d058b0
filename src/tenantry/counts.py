"""Numbers with their nouns, as sentences have them."""

from __future__ import annotations


def counted(number: int, noun: str, many: str = "") -> str:
    """``1 table``, ``2 tables``, ``2 batches``."""
    return f"{number} {noun if number == 1 else many or noun + 's'}"

"""Texts that a regular expression admits: a few, simple ones, for values that a CHECK constraint asks for.

It reads what POSIX, PostgreSQL and Python patterns have in common: literals, classes, groups, alternatives,
repetitions and anchors. A pattern with anything else gives nothing; the server is asked about the rest anyhow.
"""

from __future__ import annotations

import itertools
import string
from collections.abc import Iterator
from dataclasses import dataclass

_MOST = 6  # texts of one pattern
_CLASSES = {
    "alpha": string.ascii_lowercase, "lower": string.ascii_lowercase, "upper": string.ascii_uppercase,
    "digit": string.digits, "alnum": string.ascii_lowercase + string.digits, "xdigit": "abcdef" + string.digits,
    "space": " ", "punct": "-_.", "word": string.ascii_lowercase + string.digits + "_",
}  # fmt: skip
_ESCAPES = {"d": string.digits, "w": string.ascii_lowercase + string.digits + "_", "s": " ", "S": "a", "D": "a", "W": "-"}  # fmt: skip
_PRINTABLE = string.ascii_lowercase + string.digits + string.ascii_uppercase + "-_.@ /:#+"


class _Unreadable(Exception):
    """The pattern has something that is not read here."""


def samples(pattern: str) -> tuple[str, ...]:
    """A few texts that the pattern should match as a whole, shortest repetitions first; empty when it is not read."""
    reader = _Reader(pattern)
    try:
        found = list(itertools.islice(reader.alternatives(), _MOST))
    except (_Unreadable, RecursionError):
        return ()
    return tuple(dict.fromkeys(found)) if reader.at == len(pattern) else ()


@dataclass(slots=True)
class _Reader:
    """A place in a pattern."""

    pattern: str
    at: int = 0

    def alternatives(self) -> list[str]:
        """Up to a ``)`` or the end; the alternatives' texts."""
        found = self._sequence()
        while self._peek() == "|":
            self.at += 1
            found = [*found, *self._sequence()]
        return found

    def _peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def _sequence(self) -> list[str]:
        texts = [""]
        while self._peek() not in ("", ")", "|"):
            parts = self._repeated(self._atom())
            texts = ["".join(pair) for pair in itertools.islice(itertools.product(texts, parts), _MOST)]
        return texts

    def _atom(self) -> list[str]:
        sign = self._peek()
        self.at += 1
        match sign:
            case "^" | "$":
                return [""]
            case ".":
                return ["a", "b"]
            case "(":
                return self._group()
            case "[":
                return list(self._set()[:3])
            case "\\":
                return self._escape()
            case "*" | "+" | "?" | "{":
                raise _Unreadable
        return [sign]

    def _group(self) -> list[str]:
        if self._peek() == "?":
            if self.pattern[self.at + 1 : self.at + 2] != ":":
                raise _Unreadable  # looks ahead or behind, or sets a flag
            self.at += 2
        found = self.alternatives()
        if self._peek() != ")":
            raise _Unreadable
        self.at += 1
        return found

    def _escape(self) -> list[str]:
        sign = self._peek()
        self.at += 1
        if sign in _ESCAPES:
            return list(_ESCAPES[sign][:2])
        if sign in ("A", "Z", "m", "M", "y", "b"):
            return [""]
        if not sign or sign.isalnum():
            raise _Unreadable
        return [sign]

    def _set(self) -> str:
        """The characters of a bracket expression, after its ``[``."""
        negated = self._peek() == "^"
        self.at += negated
        found = ""
        first = True
        while first or self._peek() != "]":
            if not self._peek():
                raise _Unreadable
            found += self._member()
            first = False
        self.at += 1
        chosen = "".join(c for c in _PRINTABLE if c not in found) if negated else found
        if not chosen:
            raise _Unreadable
        return chosen

    def _member(self) -> str:
        if self.pattern.startswith("[:", self.at):
            name, _, _ = self.pattern[self.at + 2 :].partition(":]")
            if name not in _CLASSES:
                raise _Unreadable
            self.at += len(name) + 4
            return _CLASSES[name]
        low = self._peek()
        self.at += 1
        if low == "\\":
            low = self._peek()
            self.at += 1
            if low in _ESCAPES:
                return _ESCAPES[low]
        if self._peek() == "-" and self.pattern[self.at + 1 : self.at + 2] not in ("]", ""):
            high = self.pattern[self.at + 1]
            self.at += 2
            return "".join(map(chr, range(ord(low), min(ord(high), ord(low) + 200) + 1)))
        return low

    def _repeated(self, parts: list[str]) -> list[str]:
        bounds = self._bounds()
        if bounds is None:
            return parts
        if self._peek() in ("?", "+"):  # lazy or possessive
            self.at += 1
        low, high = bounds
        first = max(low, 1) if high != 0 else 0
        counts = dict.fromkeys([first, *([first + 1] if high is None or high > first else []), low])
        return [text for count in counts for text in _times(parts, count)][:_MOST]

    def _bounds(self) -> tuple[int, int | None] | None:
        simple: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        sign = self._peek()
        if sign in simple:
            self.at += 1
            return simple[sign]
        if sign != "{":
            return None
        text, closed, _ = self.pattern[self.at + 1 :].partition("}")
        low, comma, high = text.partition(",")
        if not closed or not low.isdigit() or (high and not high.isdigit()) or int(low) > 1000:
            raise _Unreadable
        self.at += len(text) + 2
        return int(low), (int(high) if high else None) if comma else int(low)


def _times(parts: list[str], count: int) -> Iterator[str]:
    """The parts repeated: each with itself, then a mixture of them."""
    yield from (part * count for part in parts[:3])
    if count > 1 and len(parts) > 1:
        yield "".join(itertools.islice(itertools.cycle(parts), count))

"""The pieces a draft is made of: entries with their comments, and the choices of an undecided one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tenantry import tomltext
from tenantry.names import QName
from tenantry.spec import UNDECIDED


@dataclass(frozen=True, slots=True)
class Entry:
    """``key = value`` in a table's section. ``comments`` go above it, ``note`` behind it where it fits."""

    key: tuple[str, ...]
    value: str
    comments: tuple[str, ...] = ()
    note: str = ""

    @property
    def line(self) -> str:
        return f"{tomltext.path(*self.key)} = {self.value}"

    @property
    def undecided(self) -> bool:
        return self.value == tomltext.string(UNDECIDED)


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to decide: what it means, and the lines that say it."""

    meaning: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class TableDraft:
    """One table's section; ``comments`` go above its header."""

    name: QName
    comments: tuple[str, ...]
    entries: tuple[Entry, ...]


def entry(key: str | tuple[str, ...], value: str, *comments: str, note: str = "") -> Entry:
    """An entry whose value is a string."""
    return Entry((key,) if isinstance(key, str) else key, tomltext.string(value), comments, note)


def undecided(key: str | tuple[str, ...], *comments: str) -> Entry:
    """An entry that somebody must decide."""
    return entry(key, UNDECIDED, *comments)


def offered(choices: Sequence[Choice]) -> tuple[str, ...]:
    """Choices as comment lines, ready to be uncommented."""
    lines = []
    for choice in choices:
        lines.append(f"- {choice.meaning}")
        lines += [f"    {e.line}" for e in choice.entries]
    return tuple(lines)

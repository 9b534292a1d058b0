"""TOML as text: keys, strings and comments that any name can be put into."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Sequence

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")


def string(value: str) -> str:
    """A basic string. JSON's escapes are TOML's too, but JSON leaves DEL as it is."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def path(*keys: str) -> str:
    """A dotted key, quoted where it must be."""
    return ".".join(key if _BARE.fullmatch(key) else string(key) for key in keys)


def strings(values: Sequence[str]) -> str:
    """An array of basic strings."""
    return "[" + ", ".join(string(v) for v in values) + "]"


def inline(table: dict[str, str]) -> str:
    """An inline table of strings: ``{ parent = "users" }``."""
    return "{ " + ", ".join(f"{path(k)} = {string(v)}" for k, v in table.items()) + " }"


def comment(text: str, indent: str = "", width: int = 100) -> list[str]:
    """Comment lines, wrapped; ``indent`` goes before the second and later lines.

    Control characters are shown as escapes: a name with a line break in it must not end the comment.
    """
    shown = _CONTROL.sub(lambda m: m.group().encode("unicode_escape").decode(), text)
    lines = textwrap.wrap(
        shown, width - 2, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return [f"# {line}" for line in lines]

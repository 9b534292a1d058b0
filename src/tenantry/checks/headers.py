"""The header of a check: comment lines ``-- key: value`` at the top of its file; a line with three spaces goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import get_args

from tenantry.finding import LEVELS, Check, Level, Need

_KEY = re.compile(r"-- (\w+): *(.*)")
_MORE = re.compile(r"--   (.*)")
_NEEDED = ("id", "slug", "level", "title", "why", "fix", "controls", "sabotage")
_KNOWN = (*_NEEDED, "needs", "since")
_ID = re.compile(r"[1-9]\d{2}")


def read(name: str, text: str) -> Check:
    """The check in a file ``name``.sql. Raises ValueError that names the file and what its header lacks."""
    head, query = _split(text)
    fields = dict(_fields(name, head))
    missing = [key for key in _NEEDED if not fields.get(key)]
    if missing:
        raise ValueError(f"checks/{name}.sql: the header lacks {', '.join(missing)}; add -- {missing[0]}: …")
    if fields["slug"] != name:
        raise ValueError(f"checks/{name}.sql: slug is {fields['slug']!r}; name it as the file")
    if not _ID.fullmatch(fields["id"]):
        raise ValueError(f"checks/{name}.sql: id is {fields['id']!r}; write three digits")
    if not re.match(r"(?i)\s*(select|with)\b", query):
        raise ValueError(f"checks/{name}.sql: no query follows the header; write a SELECT")
    return Check(
        id=fields["id"],
        slug=name,
        level=_level(name, fields["level"]),
        title=" ".join(fields["title"].split()),
        why=" ".join(fields["why"].split()),
        fix=" ".join(fields["fix"].split()),
        controls=" ".join(fields["controls"].split()),
        sabotage=_statements(fields["sabotage"]),
        since=int(fields.get("since", "0")),
        needs=tuple(_needs(name, fields.get("needs", ""))),
        query=query.strip().removesuffix(";"),
    )


def _split(text: str) -> tuple[list[str], str]:
    lines = text.splitlines()
    end = next((i for i, line in enumerate(lines) if not line.startswith("--")), len(lines))
    return lines[:end], "\n".join(lines[end:])


def _fields(name: str, lines: list[str]) -> Iterator[tuple[str, str]]:
    key, values = "", [""]
    for line in lines:
        if (found := _KEY.fullmatch(line)) is not None:
            if key:
                yield key, "\n".join(values).strip()
            key, values = found[1], [found[2]]
            if key not in _KNOWN:
                raise ValueError(f"checks/{name}.sql: {key!r} is no key; the keys are {', '.join(_KNOWN)}")
        elif key and (more := _MORE.fullmatch(line)) is not None:
            values.append(more[1])
        else:
            raise ValueError(f"checks/{name}.sql: {line!r} is no header line; write -- key: value")
    if key:
        yield key, "\n".join(values).strip()


def _level(name: str, text: str) -> Level:
    for level in LEVELS:
        if level == text:
            return level
    raise ValueError(f"checks/{name}.sql: level is {text!r}; write {', '.join(LEVELS)}")


def _needs(name: str, text: str) -> Iterator[Need]:
    known: dict[str, Need] = {need: need for need in get_args(Need)}
    for word in text.split():
        if word not in known:
            raise ValueError(f"checks/{name}.sql: needs is {word!r}; write {', '.join(known)}")
        yield known[word]


def _statements(text: str) -> tuple[str, ...]:
    """Statements, each ending with a semicolon at the end of a line."""
    return tuple(s.strip().removesuffix(";") for s in re.split(r"(?<=;)\n", text) if s.strip())

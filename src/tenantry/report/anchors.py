"""Where in a repository something about the database was said: the spec, or the migration that makes the object."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from tenantry.finding import Finding
from tenantry.names import display, parse

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Anchor:
    """A line of a file; the path is as it was given, the first line is 1."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a migration: where it begins, whether it makes something, what it is about, its names in order."""

    at: Anchor
    making: bool
    about: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Anchors:
    """Where to look. ``keys`` are the lines of the spec's keys; without it and without statements nothing is found."""

    spec: str = ""
    keys: Mapping[Path, int] = field(default_factory=dict)
    statements: Sequence[Statement] = ()

    def of(self, finding: Finding) -> Anchor | None:
        """The statement that makes the object, or the part of it that is meant; else the line of the spec."""
        return self._made(finding) or self._declared(finding)

    def _made(self, finding: Finding) -> Anchor | None:
        schema, name = _parts(finding.object)
        best, found = (False, False, False, False), None
        about = _about(finding.check)
        for one in self.statements:
            if name not in one.names or (schema not in ("", "public") and schema not in one.names):
                continue
            head = name in one.names[:3]  # CREATE POLICY name ON schema.table
            part = bool(finding.detail) and finding.detail in one.names
            rank = (head, part, one.making and name in one.names[:2], one.about == about)
            if found is None or rank >= best:
                best, found = rank, one.at
        return found

    def _declared(self, finding: Finding) -> Anchor | None:
        if not self.spec:
            return None
        path = _key(self.keys, finding)
        return Anchor(self.spec, self.keys.get(path, 1))


def anchors(spec: tuple[str, str] | None, migrations: Sequence[tuple[str, str]] = ()) -> Anchors:
    """Read a spec and migrations, each as path and text. Of several statements the last one of ``migrations`` counts."""
    found = [s for file, text in migrations for s in statements(file, text)]
    if spec is None:
        return Anchors(statements=found)
    lines: dict[Path, int] = {}
    for path, line in keys(spec[1]):
        lines.setdefault(path, line)
    return Anchors(spec[0], lines, found)


# The spec


def keys(text: str) -> Iterator[tuple[Path, int]]:
    """Every key of a TOML document with the line on which it begins. A line that is no TOML is passed over."""
    prefix: Path = ()
    begun, waiting = 1, ""
    for number, line in enumerate(text.splitlines(), 1):
        if not waiting:
            begun = number
        waiting += line + "\n"
        try:
            parsed = tomllib.loads(waiting)
        except tomllib.TOMLDecodeError:
            continue  # a value of several lines goes on
        header = waiting.lstrip().startswith("[")
        waiting = ""
        for path in _paths(parsed):
            yield ((path if header else prefix + path), begun)
            if header:
                prefix = path


def _paths(value: Any) -> Iterator[Path]:
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else {}
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (key,)
            yield from ((key, *rest) for rest in _paths(inner))


# What findings about nothing in particular are about.
_SECTIONS: Mapping[str, Path] = {
    "role": ("roles", "app"), "owner": ("roles", "owner"), "trail": ("audit",), "setting": ("tenancy", "setting"),
    "waiver": ("waivers",),
}  # fmt: skip


def _key(lines: Mapping[Path, int], finding: Finding) -> Path:
    """The key of the spec that is closest to a finding."""
    for path in lines:
        if path[:1] == ("tables",) and len(path) > 1 and _label(path[1]) == finding.object:
            inner = [p for p in lines if p[:2] == path[:2] and finding.detail and finding.detail in p[2:]]
            return inner[0] if inner else path[:2]
    section = _SECTIONS.get(re.split(r"[-.]", finding.check)[0], ("tenancy",))
    return section if section in lines else section[:1]


def _label(key: str) -> str:
    try:
        return display(parse(key))
    except ValueError:
        return key


# Migrations

_BEGIN = re.compile(
    r"""^[ \t]*(?:[\w.]+\(\s*)?(?:[rfu]?["'`]{1,3})?[ \t]*(CREATE|ALTER|GRANT|REVOKE|COMMENT[ ]ON)\b""",
    re.IGNORECASE | re.MULTILINE,
)
_NAME = re.compile(r'"((?:[^"]|"")+)"|\b([A-Za-z_]\w*(?:\$\w*)*)')
_KINDS = {
    "row security": re.compile(r"ALTER\b[^;]*\bROW\s+LEVEL\s+SECURITY\b", re.IGNORECASE),
    "policies": re.compile(r"(?:CREATE|ALTER)\s+POLICY\b", re.IGNORECASE),
    "rights": re.compile("GRANT|REVOKE", re.IGNORECASE),
}
_COMMENT = re.compile(r"^[ \t]*(?:--|#).*$", re.MULTILINE)
# Words that stand before the name of what is made.
_BEFORE = re.compile(
    "create|or|replace|table|view|materialized|function|procedure|policy|index|unique|concurrently|role|user|sequence"
    "|trigger|constraint|event|schema|type|domain|extension|publication|foreign|temp|temporary|unlogged|recursive|if"
    "|not|exists|only|on|select|insert|update|delete|truncate|references|all|privileges"
)


def statements(file: str, text: str) -> Iterator[Statement]:
    """The statements of a migration that make or change something; also those in the strings of a program."""
    bare = _COMMENT.sub(lambda found: " " * len(found[0]), text)
    begins = list(_BEGIN.finditer(bare))
    line, seen = 1, 0
    for one, after in zip_longest(begins, begins[1:]):
        line += bare.count("\n", seen, one.start(1))
        seen = one.start(1)
        body = bare[seen : after.start() if after is not None else len(bare)].split(";\n")[0]
        quoted = ((m[1], m[2]) for m in _NAME.finditer(body))
        names = [
            q.replace('""', '"') if q else w.lower()
            for q, w in quoted
            if q or not _BEFORE.fullmatch(w.lower())
        ]
        about = next((kind for kind, pattern in _KINDS.items() if pattern.match(body)), "")
        yield Statement(Anchor(file, line), one[1].upper() == "CREATE", about, tuple(names))


def _about(check: str) -> str:
    """What kind of statement a finding is most likely about, where none makes its object."""
    match re.split("[-.]", check)[0]:
        case "attack" | "rls":
            return "row security"
        case "policy":
            return "policies"
        case "grant" | "trail" | "tenant":
            return "rights"
    return "-"


def _parts(label: str) -> tuple[str, str]:
    """Schema and name of an object as reports call it; a function's arguments are left out."""
    try:
        name = parse(label.partition("(")[0])
    except ValueError:
        return "", label
    return name.schema, name.name

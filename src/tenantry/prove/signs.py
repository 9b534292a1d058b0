"""What policies, and the functions that they call, ask of a session: settings, parts of JSON in them, and tables.

Read from their text, so it is a guess; :mod:`tenantry.prove.recognise` tries each of them on the server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import reduce

from tenantry.attacks.claims import Claim
from tenantry.names import QName

_TOKEN = re.compile(
    r"""\s+|--[^\n]*|/\*.*?\*/
    |(?P<text>'(?:[^']|'')*')
    |(?P<name>"(?:[^"]|"")+"|[A-Za-z_][\w$]*)
    |(?P<mark>\$\d+|\#>>|\#>|->>|->|::|:=|.)""",
    re.VERBOSE | re.DOTALL,
)
_STEPS = ("->", "->>", "#>", "#>>")
_TYPE_WORDS = ("varying", "precision", "without", "with", "time", "zone")
# What is not a setting and yet differs between sessions, or is not there to be read.
_STRANGE = {
    "current_user": "who is logged in", "session_user": "who is logged in", "current_role": "who is logged in",
    "user": "who is logged in", "system_user": "who is logged in", "pg_has_role": "a role's membership",
    "set_config": "a setting that it changes itself", "execute": "SQL that it composes",
    "inet_client_addr": "where the client is", "pg_backend_pid": "the connection", "random": "chance",
    **dict.fromkeys(
        ("query_to_xml", "query_to_xml_and_xmlschema", "cursor_to_xml", "table_to_xml", "schema_to_xml", "database_to_xml", "dblink"),
        "SQL that it composes",
    ),
}  # fmt: skip
_ARGUMENT = ""  # stands for a key that the caller of a function gives


@dataclass(frozen=True, slots=True)
class Function:
    """A function as the catalog has it; ``source`` is empty where it is not SQL."""

    name: QName
    source: str


@dataclass(frozen=True, slots=True)
class Signs:
    """What a text asks of the session, the tables that it reads, functions that it calls, and what cannot be told."""

    claims: frozenset[Claim] = frozenset()
    tables: frozenset[QName] = frozenset()
    strange: frozenset[str] = frozenset()
    functions: frozenset[QName] = frozenset()

    def __or__(self, other: Signs) -> Signs:
        return Signs(
            self.claims | other.claims,
            self.tables | other.tables,
            self.strange | other.strange,
            self.functions | other.functions,
        )


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # text, name, mark
    value: str


class Reader:
    """Reads texts against the functions and tables of one database."""

    def __init__(self, functions: Iterable[Function], tables: Iterable[QName]) -> None:
        self._functions: dict[str, list[Function]] = {}
        for function in functions:
            self._functions.setdefault(function.name.name, []).append(function)
        self._tables: dict[str, set[QName]] = {}
        for table in tables:
            self._tables.setdefault(table.name, set()).add(table)
        self._read: dict[Function, Signs] = {}

    def read(self, text: str) -> Signs:
        """What a policy's expression, or the body of a function, asks."""
        found = _Text(text)
        signs = reduce(Signs.__or__, self._each(found), Signs())
        # A variable that holds the JSON is taken apart elsewhere.
        loose = set(found.loose()) if any(not c.path for c in signs.claims) else set()
        claims = signs.claims | {replace(c, path=p) for c in signs.claims if not c.path for p in loose}
        apart = {c.setting for c in claims if c.path}
        return replace(signs, claims=frozenset(c for c in claims if c.path or c.setting not in apart))

    def _each(self, text: _Text) -> Iterator[Signs]:
        for at, token in enumerate(text.tokens):
            if token.kind != "name":
                continue
            word, calls = token.value, text.opens(at + 1)
            if word == "current_setting" and calls:
                yield _setting(text, at + 1)
            elif calls and word in self._functions:
                for function in self._functions[word]:
                    yield self._called(text, at + 1, function)
            elif word in self._tables:
                yield Signs(tables=frozenset(self._tables[word]))
            elif word in _STRANGE:
                yield Signs(strange=frozenset({_STRANGE[word]}))

    def _called(self, text: _Text, at: int, function: Function) -> Signs:
        inner = self.of(function)
        end = text.closed(at)
        path = text.path(end + 1)
        given = [t.value for t in text.tokens[at:end] if t.kind == "text"]
        claims, strange = set[Claim](), set(inner.strange)
        for claim in inner.claims:
            whole = claim.path + path
            if _ARGUMENT in whole and len(given) == 1:
                whole = tuple(k or given[0] for k in whole)
            if _ARGUMENT in whole:
                strange.add(f"a claim whose name it is given by the caller of {function.name.name}")
            claims.add(replace(claim, path=whole))
        called = inner.functions | {function.name}
        return Signs(frozenset(claims), inner.tables, frozenset(strange), called)

    def of(self, function: Function) -> Signs:
        """What a function asks."""
        if function not in self._read:
            self._read[function] = Signs()  # one that calls itself adds nothing
            if function.source:
                found = self.read(function.source)
            else:
                found = Signs(strange=frozenset({f"function {function.name.name}, whose body is not SQL"}))
            self._read[function] = found
        return self._read[function]


def _setting(text: _Text, at: int) -> Signs:
    """``current_setting(…)`` and the way into the JSON that it holds."""
    name = text.tokens[at + 1] if at + 1 < len(text.tokens) else None
    end = text.closed(at)
    composed = any(t.value == "|" for t in text.tokens[at:end])
    if name is None or name.kind != "text" or composed:
        return Signs(strange=frozenset({"a setting whose name it composes"}))
    return Signs(claims=frozenset({Claim(name.value, text.path(end + 1))}))


class _Text:
    """SQL as tokens, with the parentheses that belong together; names are folded as the server does."""

    def __init__(self, text: str) -> None:
        self.tokens = [
            _Token(m.lastgroup, _plain(m.lastgroup, m[0])) for m in _TOKEN.finditer(text) if m.lastgroup
        ]
        self._closing: dict[int, int] = {}
        self._around: list[int | None] = []
        stack: list[int] = []
        for at, token in enumerate(self.tokens):
            self._around.append(stack[-1] if stack else None)
            if token == _OPEN:
                stack.append(at)
            elif token == _CLOSE and stack:
                self._closing[stack.pop()] = at

    def opens(self, at: int) -> bool:
        """Whether a parenthesis opens there."""
        return self._get(at) == _OPEN

    def closed(self, at: int) -> int:
        """Where the parenthesis that opens there closes."""
        return self._closing.get(at, len(self.tokens))

    def _get(self, at: int) -> _Token | None:
        return self.tokens[at] if 0 <= at < len(self.tokens) else None

    def path(self, at: int) -> tuple[str, ...]:
        """The keys that are taken out of a value that ends before ``at``, through casts and parentheses around it."""
        found: list[str] = []
        while (token := self._get(at)) is not None:
            if token.value in _STEPS and token.kind == "mark":
                keys, at = self._keys(at + 1)
                found += keys
            elif token in (_CAST, _AS):
                at = self._past_type(at + 1)
            elif token == _CLOSE:
                at += 1
            elif token.value == "," and (around := self._around[at]) is not None:
                call, end = self._get(around - 1), self.closed(around)
                if call is not None and call.value in ("nullif", "coalesce"):
                    at = end + 1
                    continue
                if call is not None and "extract_path" in call.value:
                    found += [t.value for t in self.tokens[at:end] if t.kind == "text"] or [_ARGUMENT]
                break
            else:
                break
        return tuple(found)

    def _keys(self, at: int) -> tuple[list[str], int]:
        token = self._get(at)
        if token is None:
            return [], at
        if token.kind == "text":
            array = token.value.startswith("{") and token.value.endswith("}")
            return token.value.strip("{}").split(",") if array else [token.value], at + 1
        if token.value == "array":
            end = next((n for n in range(at, len(self.tokens)) if self.tokens[n].value == "]"), at)
            return list(self._elements(at + 2, end)), end + 1
        return [_ARGUMENT], at + 1

    def _elements(self, at: int, end: int) -> Iterator[str]:
        """What an array is made of; what is not written out there is given by whoever calls."""
        for token, before in zip(self.tokens[at:end], self.tokens[at - 1 : end], strict=False):
            if before.value in ("[", ","):
                yield token.value if token.kind == "text" else _ARGUMENT

    def _past_type(self, at: int) -> int:
        at += 1
        while (token := self._get(at)) is not None:
            if token.value == ".":
                at += 2
            elif token.value in ("[", "]", *_TYPE_WORDS):
                at += 1
            else:
                break
        return at

    def loose(self) -> Iterator[tuple[str, ...]]:
        """The ways into JSON of a variable: each chain of steps that begins after a name."""
        for at, token in enumerate(self.tokens):
            before = self._get(at - 1)
            if token.kind != "mark" or token.value not in _STEPS or before is None or before.kind != "name":
                continue
            if self._get(at - 2) != _CAST:
                yield self.path(at)


_OPEN, _CLOSE = _Token("mark", "("), _Token("mark", ")")
_CAST, _AS = _Token("mark", "::"), _Token("name", "as")


def _plain(kind: str, text: str) -> str:
    if kind == "text":
        return text[1:-1].replace("''", "'")
    return text[1:-1].replace('""', '"') if text.startswith('"') else text.lower()

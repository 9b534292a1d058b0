"""SQL of a spec that goes into a function which sees rows of every tenant: is it what it says, and what does it read?

Told from its words alone, so more is refused than would have to be. What the words cannot tell (types, names that are not
there) the server says before anything changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass

from tenantry.names import QName, spell

_TOKEN = re.compile(
    r"""[ \t\n\r\f\v]+
    |(?P<comment>--|/\*)
    |(?P<text>[eE]'(?:[^'\\]|''|\\[^'])*'|[bBnNxX]?'(?:[^']|'')*')
    |(?P<unicode>[uU]&(?:'(?:[^']|'')*'|"(?:[^"]|"")*"))
    |(?P<quoted>"(?:[^"]|"")+")
    |(?P<word>[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_$\u0080-\U0010ffff]*)
    |(?P<number>\.?[0-9][0-9A-Za-z_.]*)
    |(?P<mark>::|.)""",
    re.VERBOSE | re.DOTALL,
)
# A bare one of these begins a query of its own.
_QUERIES = ("select", "values", "table", "with")
# A bare one of these ends the list after ORDER BY.
_CLAUSES = (
    "union", "intersect", "except", "limit", "offset", "fetch", "for", "window", "group", "having", "where", "into", "returning", "from",
)  # fmt: skip
# Functions that run SQL which they are given, or change what the session says of itself.
_FORBIDDEN = re.compile(
    r"(query|cursor|table|schema|database)_to_xml\w*|ts_rewrite|ts_stat|dblink\w*|set_config|pg_read\w*|lo_\w+|nextval|setval"
)
_SYSTEM = ("tableoid", "ctid", "xmin", "xmax", "cmin", "cmax")
_CONSTANTS = ("null", "true", "false")


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # comment, text, unicode, quoted, word, number, mark
    value: str  # of a name what it means: folded, or without its quotes

    @property
    def names(self) -> bool:
        return self.kind in ("word", "quoted")


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression may name: columns of a table, arguments of the function that it is part of."""

    table: QName
    columns: Set[str]
    arguments: Set[str]
    schemas: Set[str]
    functions: Set[QName]  # that belong to nobody but this database


@dataclass(frozen=True, slots=True)
class Expression:
    """A text, read. ``listed``: it stands after ORDER BY, and not between parentheses."""

    text: str
    scope: Scope
    tokens: tuple[_Token, ...]
    listed: bool

    def problems(self) -> Iterator[str]:
        """Why it is not what it is to be: reason; next action."""
        yield from self._form()
        yield from self._words()
        yield from self._casts()

    def columns(self) -> tuple[str, ...]:
        """The columns that it reads, in the order of the text."""
        found = [t.value for at, t in enumerate(self.tokens) if self._column(at)]
        return tuple(dict.fromkeys(found))

    def arguments(self) -> frozenset[str]:
        """The arguments that it uses."""
        return frozenset(t.value for t in self.tokens if t.names and t.value in self.scope.arguments)

    def schemas(self) -> frozenset[str]:
        """The schemas that it names."""
        return (
            frozenset(t.value for at, t in enumerate(self.tokens) if self._qualifies(at)) & self.scope.schemas
        )

    # Reading

    def _at(self, at: int) -> _Token:
        return self.tokens[at] if 0 <= at < len(self.tokens) else _NOTHING

    def _is(self, at: int, mark: str) -> bool:
        return self._at(at) == _Token("mark", mark)

    def _qualifies(self, at: int) -> bool:
        return self._at(at).names and self._is(at + 1, ".") and not self._is(at - 1, ".")

    def _column(self, at: int) -> bool:
        token = self._at(at)
        if not token.names or token.value not in self.scope.columns or self._is(at - 1, "::"):
            return False
        if self._is(at - 1, "."):
            return self._at(at - 2).value == self.scope.table.name
        return not self._is(at + 1, ".") and not self._is(at + 1, "(")

    def _form(self) -> Iterator[str]:
        depth: list[str] = []
        for token in self.tokens:
            if token.kind == "comment":
                yield "has a comment, which could hide what follows; leave it out"
            elif token.kind == "unicode":
                yield "has U&, which is read differently from session to session; write the characters themselves"
            elif token.kind == "text" and "\\" in token.value and token.value[0] not in "eE":
                yield "has a backslash in a text, which is read differently from session to session; write E'…' and two of them"
            elif token.kind != "mark":
                continue
            elif token.value in "([":
                depth.append(token.value)
            elif token.value in ")]":
                if not depth or depth.pop() != {")": "(", "]": "["}[token.value]:
                    yield f"has a {token.value} that closes nothing, so that it would end what is around it; remove it"
                    return
            elif token.value in "'\"":
                yield f"has a {token.value} that is not closed; close it"
                return
            elif token.value == ";":
                yield "has a semicolon; write one expression"
            elif token.value == "$":
                yield "has a dollar sign; name the argument that is meant, and write text in single quotes"
            elif token.value in ("\\", "\0"):
                yield f"has {token.value!r} outside of a text; remove it"
        if depth:
            yield f"has a {depth[-1]} that is not closed; close it"

    def _words(self) -> Iterator[str]:
        depth = 0
        for at, token in enumerate(self.tokens):
            depth += token.kind == "mark" and token.value in "(["
            depth -= token.kind == "mark" and token.value in ")]"
            if token.kind == "word" and not self._is(at - 1, "."):
                yield from self._keyword(token.value, depth)
            if token.names and self._is(at + 1, "("):
                yield from self._call(at)
            elif token.names:
                yield from self._name(at)
            elif token == _Token("mark", "*") and self._is(at - 1, "."):
                yield self._whole

    @property
    def _whole(self) -> str:
        return f"reads whole rows of {spell(self.scope.table)}; name the columns"

    def _keyword(self, word: str, depth: int) -> Iterator[str]:
        if word in _QUERIES:
            yield f"has a query of its own ({word.upper()}), which no policy would bind; compare columns of {spell(self.scope.table)} only"
        elif self.listed and not depth and word in _CLAUSES:
            yield f"goes on after the order ({word.upper()}); write what follows ORDER BY, and nothing else"

    def _call(self, at: int) -> Iterator[str]:
        name = self._at(at).value
        schema = self._at(at - 2).value if self._is(at - 1, ".") else None
        own = [f for f in self.scope.functions if f.name == name and schema in (None, f.schema)]
        if _FORBIDDEN.fullmatch(name):
            yield f"calls {name}, which runs other statements or changes the session; do without it"
        elif own:
            yield f"calls {spell(own[0])}, whose body may change and would see rows of every tenant; use functions of the server or of an extension"

    def _name(self, at: int) -> Iterator[str]:
        name, scope = self._at(at).value, self.scope
        alone = not self._is(at - 1, ".") and not self._is(at + 1, ".")
        if alone and name == scope.table.name and name not in scope.columns:
            yield self._whole
        elif name in _SYSTEM and name not in scope.columns:
            yield f"reads {name}, on which a right cannot be given by itself; compare a column"

    def _casts(self) -> Iterator[str]:
        for at, token in enumerate(self.tokens):
            cast = token == _Token("word", "cast") and self._is(at + 1, "(")
            if cast or (self._is(at, "::") and not self._given(at - 1)):
                yield "casts something else than a text or an argument by itself; a value that does not fit would be shown in an error, also to other tenants: cast the argument, or keep a generated column"

    def _given(self, at: int) -> bool:
        """Whether what stands there was given and not read: a text, a number, an argument, or a cast of one."""
        token = self._at(at)
        given = token.names and token.value in self.scope.arguments
        constant = token.kind == "word" and token.value in _CONSTANTS
        return token.kind in ("text", "number") or given or constant or self._is(at - 1, "::")


_NOTHING = _Token("mark", "")


def read(text: str, scope: Scope, *, listed: bool = False) -> Expression:
    """Take a text apart."""
    found = tuple(
        _Token(m.lastgroup, _plain(m.lastgroup, m[0])) for m in _TOKEN.finditer(text) if m.lastgroup
    )
    return Expression(text, scope, found, listed)


def _plain(kind: str, text: str) -> str:
    """What a name means: the server folds the letters A to Z of a bare one."""
    if kind == "quoted":
        return text[1:-1].replace('""', '"')
    return re.sub(r"[A-Z]", lambda m: m[0].lower(), text) if kind == "word" else text

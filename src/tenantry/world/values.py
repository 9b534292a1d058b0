"""Candidates for a column, as text: pure, in a fixed order, and never trusted. The server says which are values.

Three sources: what the rules of a column name (``= ANY ('{a,b}')``, a regular expression, a length, a bound),
shapes that programs often ask for (an address, a colour, a hash), and as many plain values of the type as wanted,
each different from the others.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from tenantry.world.regex import samples

_STRING = re.compile(r"E?'((?:[^']|'')*)'")
_NUMBER = re.compile(r"(?<![\w.'\"])-?\d+(?:\.\d+)?(?![\w'\"])")
_MODIFIER = re.compile(r"\((\d+)")
_META = re.compile(r"[\\^$\[({+*?|.]")
_LONGEST = 4096  # characters of a text that is made for a length
_FIRST_DAY = date(2024, 1, 1)
_SHAPES = (
    "a@example.com", "https://example.com/a", "A", "AB", "ABC", "ABCD", "a-b", "a_b", "a.b", "1", "12", "123", "1234", "12345",
    "1.5", "0", "-1", "{}", "[]", "2024-01-01", "2024-01", "00:00", "+4912345678", "DE", "en", "en-US", "EUR", "#aabbcc",
    "127.0.0.1", "00000000-0000-4000-8000-000000000001", "true", "/a", "A1", "a1", "AB1", "AB-1", "AB12", "Aa1!Aa1!", "", "abcdefgh",
    "a" * 16, "a" * 20, "a" * 26, "a" * 32, "a" * 40, "a" * 64, "a" * 128, "a" * 256,
)  # fmt: skip
_TIMES = ("2999-01-01", "1900-01-01", "1970-01-01", "infinity")
# Tried on a type that is not known here; its own input function decides.
_ANYTHING = (
    "a",
    "1",
    "0",
    "{}",
    "[]",
    "()",
    "a=>1",
    "[1]",
    "{1}",
    "(1,1)",
    "POINT(1 1)",
    "1.0",
    "a.b",
    "2024-01-01",
    "",
)


@dataclass(frozen=True, slots=True)
class Type:
    """A type of the database; see types.sql. The numbers are oids, 0 for none."""

    oid: int
    name: str
    tag: str
    kind: str
    category: str
    element: int
    base: int
    full: str | None
    labels: tuple[str, ...]
    subtype: int
    parts: tuple[int, ...]
    part_names: tuple[str, ...]
    checks: tuple[str, ...]


Types = Mapping[int, Type]


def candidates(types: Types, oid: int, full: str, hints: Sequence[str], count: int) -> tuple[str, ...]:
    """What may be a value of a type (``full`` as format_type prints it), ``count`` plain values among them.

    ``hints`` are texts out of rules: see :func:`mined`.
    """
    type_ = types[oid]
    own = [*hints, *(hint for check in type_.checks for hint in mined(check))]
    if type_.kind == "d":
        return candidates(types, type_.base, type_.full or "", own, count)
    found = [*_adapted(types, type_, own), *_some(types, type_, full, own, count)]
    return tuple(dict.fromkeys(found))


def _some(types: Types, type_: Type, full: str, hints: Sequence[str], count: int) -> Iterator[str]:
    """Plain values, with the usual shapes after the first of them where rules ask for something."""
    plain = [text for n in range(count) for text in [_nth(types, type_, full, n)] if text is not None]
    yield from plain[:4]
    if type_.category == "S" and hints:
        yield from _SHAPES
    elif type_.category == "D":
        yield from plain[4:8]
        yield from _TIMES
    elif type_.category == "N":
        yield from plain[4:8]
        yield from ("0", "0.5", "0.05", "10", "50", "100", "1000", "-1")
        yield from (f"-{n}" for n in range(2, count if hints else 0))
    elif not plain:
        yield from _ANYTHING
    yield from plain[4:]


def mined(expression: str) -> tuple[str, ...]:
    """The constants that an expression names, what is near them, and texts that its patterns admit.

    The expression is only looked through for candidates, so a misreading costs nothing but a candidate.
    """
    found: list[str] = []
    for text in (t.replace("''", "'") for t in _STRING.findall(expression)):
        found += samples(text) if _META.search(text) else ()
        if "%" in text:
            found += [text.replace("%", "a").replace("_", "a"), text.replace("%", "")]
        if text.startswith("{") and text.endswith("}"):
            found += [part.strip().strip('"') for part in text[1:-1].split(",")]
        found.append(text)
    for text in _NUMBER.findall(_STRING.sub("", expression)) + [t for t in found if _NUMBER.fullmatch(t)]:
        found += _near(text)
    return tuple(dict.fromkeys(found))


def _near(number: str) -> Iterator[str]:
    yield number
    if "." in number:
        yield str(float(number) / 2)
        return
    whole = int(number)
    yield from (str(whole + 1), str(whole - 1))
    if 0 < whole <= _LONGEST:  # it may be a length
        yield from ("a" * whole, "1" * whole, "0" * whole, "a" * (whole + 1))


def _adapted(types: Types, type_: Type, hints: Sequence[str]) -> Iterator[str]:
    """Hints as values of a type: of text and numbers as they are, of others inside their brackets."""
    if type_.element:
        yield from (_array([hint]) for hint in hints)
        words = [hint for hint in hints if not _NUMBER.fullmatch(hint)]
        if len(words) > 1:
            yield _array(words)
        return
    if type_.tag in ("json", "jsonb"):
        yield from _documents(hints)
        return
    if type_.subtype and type_.kind == "r":
        yield from (f"[{low},{high})" for low, high in itertools.pairwise(hints))
        whole = [int(h) for h in hints if h.lstrip("-").isdigit()][:8]
        yield from (f"[{low},{low + size})" for low in whole for size in whole if size > 0)
    if type_.kind == "c":
        yield from _composites(types, type_, hints)
    yield from hints


def _composites(types: Types, type_: Type, hints: Sequence[str]) -> Iterator[str]:
    """Each hint in each place, beside plain values."""
    parts = list(zip(type_.parts, type_.part_names, strict=True))
    plain = [_nth(types, types[part], name, 0) for part, name in parts]
    for place, hint in itertools.product(range(len(parts)), hints):
        values = [*plain[:place], hint, *plain[place + 1 :]]
        yield "(" + ",".join("" if v is None else _inner(v) for v in values) + ")"


def _documents(hints: Sequence[str]) -> Iterator[str]:
    keys = [h for h in hints if re.fullmatch(r"[\w\- ]{1,63}", h) and not _NUMBER.fullmatch(h)]
    for value in ('"a"', "1", "{}", "[]", "true", *(f'"{key}"' for key in keys)):
        if keys:
            yield "{" + ", ".join(f'"{key}": {value}' for key in keys) + "}"
        yield from (f'{{"{key}": {value}}}' for key in keys)
    yield from ("{}", "[]", '["a"]', '"a"', "1", "true", "null")


def _array(elements: Sequence[str]) -> str:
    return "{" + ",".join(_inner(e) for e in elements) + "}"


def _inner(text: str) -> str:
    """A text inside an array, composite or range literal."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def letters(n: int) -> str:
    """``a`` … ``z``, ``aa`` …: short, so that they fit anywhere."""
    text = ""
    n += 1
    while n:
        n, rest = divmod(n - 1, 26)
        text = chr(ord("a") + rest) + text
    return text


def _nth(types: Types, type_: Type, full: str, n: int) -> str | None:
    """The n-th plain value; None past the last one and for what is not known here."""
    match type_.kind:
        case "e":
            return type_.labels[n] if n < len(type_.labels) else None
        case "d":
            return _nth(types, types[type_.base], type_.full or "", n)
        case "c":
            values = [
                _nth(types, types[p], name, n) for p, name in zip(type_.parts, type_.part_names, strict=True)
            ]
            return "(" + ",".join("" if v is None else _inner(v) for v in values) + ")"
        case "r" | "m":
            low, high = (_nth(types, types[type_.subtype], "", 2 * n + i) for i in (0, 1))
            text = None if low is None or high is None else f"[{_inner(low)},{_inner(high)})"
            return text if type_.kind == "r" or text is None else "{" + text + "}"
    if type_.element:
        value = _nth(types, types[type_.element], full.removesuffix("[]"), n)
        return None if value is None else _array([value])
    plain = _scalar(type_.tag, full, n)
    return letters(n) if plain is None and type_.category == "S" else plain


def _scalar(tag: str, full: str, n: int) -> str | None:
    """The n-th plain value of a base type, by its bare name."""
    size = int(found[1]) if (found := _MODIFIER.search(full)) else None
    one, high, low = n + 1, n // 256 % 256, n % 256
    match tag:
        case "bool":
            return ("true", "false")[n] if n < 2 else None
        case "date" | "timestamp" | "timestamptz":
            return (_FIRST_DAY + timedelta(days=n)).isoformat() + ("" if tag == "date" else " 00:00:00+00")
        case "time" | "timetz":
            return f"{n // 60 % 24:02}:{n % 60:02}:00" + ("+00" if tag == "timetz" else "")
        case "interval":
            return f"{one} days"
        case "uuid":
            return f"00000000-0000-4000-8000-{one:012x}"
        case "bit":
            return f"{n % 2 ** (size or 1):0{size or 1}b}"
        case "varbit":
            return f"{n:b}"[-(size or 64) :]
        case "vector" | "halfvec":
            return "[" + ",".join([str(one), *["1"] * ((size or 3) - 1)]) + "]"
        case "sparsevec":
            return f"{{1:{one}}}/{size or 3}"
    text = _TEMPLATES.get(tag)
    return text.format(n=n, one=one, two=n + 2, high=high, low=low, word=letters(n)) if text else None


_TEMPLATES = dict.fromkeys(("int2", "int4", "int8", "numeric", "float4", "float8", "oid", "xid", "xid8", "cid", "seg"), "{one}") | {
    "json": '{{"n": {one}}}', "jsonb": '{{"n": {one}}}', "xml": "<a>{one}</a>", "bytea": "\\x{high:02x}{low:02x}", "money": "{one}.00",
    "inet": "10.0.{high}.{low}", "cidr": "10.{high}.{low}.0/24",
    "macaddr": "02:00:00:00:{high:02x}:{low:02x}", "macaddr8": "02:00:00:00:00:00:{high:02x}:{low:02x}",
    "point": "({n},{n})", "line": "{{1,-1,{one}}}", "lseg": "[({n},{n}),({one},{one})]", "box": "({one},{one}),({n},{n})",
    "path": "(({n},{n}),({one},{one}))", "polygon": "(({n},{n}),({one},{one}),({one},{n}))", "circle": "<({n},{n}),1>",
    "tsvector": "{word}", "tsquery": "{word}", "jsonpath": "$.{word}", "pg_lsn": "0/{one:X}", "char": "{word:.1}",
    "txid_snapshot": "{one}:{two}:", "pg_snapshot": "{one}:{two}:", "int2vector": "{one}", "oidvector": "{one}", "tid": "(0,{one})",
    "regclass": "{one}", "regtype": "{one}", "regproc": "{one}", "regrole": "{one}", "regnamespace": "{one}",
    "hstore": "{word}=>1", "ltree": "{word}", "lquery": "{word}", "cube": "({one})", "geometry": "POINT({n} {n})",
    "geography": "POINT({low} 0)",
}  # fmt: skip

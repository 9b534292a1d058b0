"""Names: quoting, qualification, and the names of what Tenantry creates.

PostgreSQL truncates an identifier to 63 bytes without an error (PostgreSQL manual, "Identifiers and Key
Words"), so a name that is too long is shortened here, with a digest that keeps it unique and stable.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Container, Sequence
from functools import lru_cache
from typing import NamedTuple

from psycopg import sql

MAX_BYTES = 63


class QName(NamedTuple):
    """A schema-qualified name, exactly as the catalog spells it (no quoting, no folding)."""

    schema: str
    name: str

    def __str__(self) -> str:
        return display(self)


def display(name: QName) -> str:
    """A name for people: the schema is left out when it is ``public``."""
    return name.name if name.schema == "public" else f"{name.schema}.{name.name}"


def parse(text: str, schema: str = "public") -> QName:
    """Read ``table``, ``schema.table`` or ``"odd.schema"."odd.table"``; case is kept as written.

    Raises ValueError when the text is not one or two names.
    """
    parts: list[str] = []
    rest = text
    while True:
        if rest.startswith('"'):
            part, rest = _quoted(rest, text)
        else:
            part, dot, tail = rest.partition(".")
            rest = dot + tail
        if not part:
            raise ValueError(f"{text!r} is not a table name")
        parts.append(part)
        if not rest:
            break
        if not rest.startswith("."):
            raise ValueError(f"{text!r} is not a table name")
        rest = rest[1:]
    if len(parts) > 2:
        raise ValueError(
            f"{text!r} has {len(parts)} parts; a table name has one or two (quote a name with a dot)"
        )
    return QName(schema, parts[0]) if len(parts) == 1 else QName(parts[0], parts[1])


def _quoted(rest: str, text: str) -> tuple[str, str]:
    """Split a leading quoted name off ``rest``."""
    out, i = "", 1
    while i < len(rest):
        if rest[i] == '"':
            if rest[i + 1 : i + 2] == '"':
                i += 1
            else:
                return out, rest[i + 1 :]
        out += rest[i]
        i += 1
    raise ValueError(f"{text!r} has an unclosed quote")


def spell(name: QName) -> str:
    """The shortest text that :func:`parse` reads back; how a table is written in a spec."""
    parts = [name.name] if name.schema == "public" else [name.schema, name.name]
    return ".".join('"' + p.replace('"', '""') + '"' if "." in p or '"' in p else p for p in parts)


@lru_cache(maxsize=65536)  # a big schema asks for the same names many times
def quote(*names: str) -> str:
    """An identifier, quoted for SQL; several make a qualified one."""
    return sql.Identifier(*names).as_string(None)


def qualified(name: QName) -> str:
    """A schema-qualified, quoted name for SQL."""
    return quote(name.schema, name.name)


def columns(names: Sequence[str]) -> str:
    """A quoted, comma-separated column list for SQL, without parentheses."""
    return ", ".join(quote(n) for n in names)


@lru_cache(maxsize=65536)
def literal(value: str | int | bool | None) -> str:
    """A value as an SQL literal."""
    return sql.Literal(value).as_string(None).strip()


def fit(name: str) -> str:
    """Shorten to 63 bytes; the cut name ends in eight hex digits of the whole name's SHA-256."""
    raw = name.encode()
    if len(raw) <= MAX_BYTES:
        return name
    digest = hashlib.sha256(raw).hexdigest()[:8]
    return raw[: MAX_BYTES - 9].decode(errors="ignore") + "_" + digest


def free(name: str, taken: Container[str]) -> str:
    """``name`` fitted, or with the first number that makes it free among ``taken``.

    The number follows at once: ``name_2`` may be the server's own, which calls the share that a partition has in
    the foreign key ``name`` so, and lists it nowhere (PostgreSQL 18).
    """
    candidate, n = fit(name), 2
    while candidate in taken:
        candidate = fit(f"{name}{n}")
        n += 1
    return candidate


def server_index(table: str, keys: Sequence[str], label: str, taken: Container[str]) -> str:
    """The name that PostgreSQL gives an index it is told none for: ``readings_2023_tenant_id_idx``.

    Of table and columns the longer one is cut, in bytes, until all fits; a number follows the label until the
    name is free (its makeObjectName and ChooseRelationName; seen on 15 and 18). An expression it calls by its function.
    """
    unique: list[str] = []
    for key in keys:
        numbers = (f"{key}{n or ''}" for n in range(len(keys) + 1))
        unique.append(next(name for name in numbers if name not in unique))
    added = "_".join(unique)
    tried = (_server_name(table, added, f"{label}{number or ''}") for number in itertools.count())
    return next(name for name in tried if name not in taken)


def _server_name(first: str, second: str, label: str) -> str:
    one, two = first.encode(), second.encode()
    room = MAX_BYTES - len(label) - (2 if second else 1)
    while len(one) + len(two) > room:
        if len(one) > len(two):
            one = one[:-1]
        else:
            two = two[:-1]
    parts = [one.decode(errors="ignore"), *([two.decode(errors="ignore")] if second else []), label]
    return "_".join(parts)


def stem(column: str) -> str:
    """The part of a column's name that goes into a key's name: ``skill_id`` gives ``skill``."""
    return column.removesuffix("_id") or column


def tenant_unique(table: str, key: Sequence[str]) -> str:
    """``skills_tenant_slug_unique`` for ``(tenant_id, slug)`` on skills."""
    return "_".join([table, "tenant", *(stem(c) for c in key), "unique"])


def tenant_reference(table: str, key: Sequence[str]) -> str:
    """``ratings_tenant_skill_fk`` for ``(tenant_id, skill_id)`` on ratings."""
    return "_".join([table, "tenant", *(stem(c) for c in key), "fk"])


def tenant_fk(table: str, column: str) -> str:
    """``skills_tenant_id_fk``: the foreign key to the tenants table."""
    return f"{table}_{column}_fk"


def tenant_index(table: str, column: str) -> str:
    """``skills_tenant_id_idx``: the index that leads with the tenant."""
    return f"{table}_{column}_idx"

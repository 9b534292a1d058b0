"""PostgreSQL's stored expressions as trees: what ``pg_node_tree`` prints, read back.

The catalog keeps a policy's expression as a tree whose operators and functions are named by oid, so it can be
judged by what it does: no ``search_path``, no spelling and no dump changes it. The notation is that of
``nodeToString`` (PostgreSQL source, ``src/backend/nodes/outfuncs.c``): ``{KIND :field value …}``, ``(…)`` for a
list, ``<>`` for nothing, ``n [ byte … ]`` for a constant's bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

_TOKEN = re.compile(r"[(){}]|(?:\\.|[^\s(){}\\])+", re.DOTALL)
_PLACE = re.compile(r" :(?:location|stmt_location|stmt_len) -?\d+")
_VARLENA_HEADER = 4  # bytes before the text of a constant


@dataclass(frozen=True, slots=True)
class Node:
    """One node: its kind as the server spells it (``OPEXPR``) and its fields."""

    kind: str
    fields: dict[str, Value] = field(default_factory=dict, hash=False)

    def text(self, name: str) -> str:
        """A plain field; empty when it is not there or is a node."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> int:
        """A numeric field; -1 when it is not there."""
        text = self.text(name)
        return int(text) if re.fullmatch(r"-?\d+", text) else -1

    def node(self, name: str) -> Node | None:
        """A field that is one node."""
        value = self.fields.get(name)
        return value if isinstance(value, Node) else None

    def nodes(self, name: str) -> tuple[Node, ...]:
        """A field that is a list of nodes; empty for anything else."""
        value = self.fields.get(name)
        return tuple(v for v in value if isinstance(v, Node)) if isinstance(value, tuple) else ()

    def walk(self) -> Iterator[Node]:
        """The node and every node below it."""
        yield self
        for value in self.fields.values():
            for item in value if isinstance(value, tuple) else (value,):
                if isinstance(item, Node):
                    yield from item.walk()


# A list of plain words (bytes, column numbers) keeps its words.
Value = Node | str | tuple["Node | str", ...]


def parse(text: str) -> Node | None:
    """The tree of an expression; None for text that is not one node."""
    return _parse(_PLACE.sub("", text))


@lru_cache(maxsize=4096)  # policies of many tables are alike
def _parse(text: str) -> Node | None:
    tokens = _TOKEN.findall(text)
    try:
        value, end = _value(tokens, 0)
    except (IndexError, ValueError, RecursionError):
        return None
    return value if isinstance(value, Node) and end == len(tokens) else None


def _value(tokens: list[str], at: int) -> tuple[Value, int]:
    match tokens[at]:
        case "{":
            return _node(tokens, at + 1)
        case "(":
            return _list(tokens, at + 1)
        case "}" | ")":
            raise ValueError(tokens[at])
    if tokens[at + 1 : at + 2] == ["["]:  # a constant: its length, then its bytes
        end = tokens.index("]", at)
        return tuple(tokens[at + 2 : end]), end + 1
    return tokens[at], at + 1


def _list(tokens: list[str], at: int) -> tuple[Value, int]:
    items: list[Node | str] = []
    while tokens[at] != ")":
        value, at = _value(tokens, at)
        items.extend(value if isinstance(value, tuple) else (value,))
    return tuple(items), at + 1


def _node(tokens: list[str], at: int) -> tuple[Node, int]:
    kind, at = tokens[at], at + 1
    fields: dict[str, Value] = {}
    while tokens[at] != "}":
        name = tokens[at]
        if not name.startswith(":"):
            raise ValueError(name)
        value, at = _value(tokens, at + 1)
        fields[name[1:]] = value
    return Node(kind, fields), at + 1


def boolean(node: Node | None) -> bool | None:
    """The value of a boolean constant; None for anything else, NULL included."""
    if node is None or node.kind != "CONST" or node.text("constisnull") != "false":
        return None
    value = node.fields.get("constvalue")
    return (
        value[0] != "0" if isinstance(value, tuple) and len(value) and node.text("constlen") == "1" else None
    )


def string(node: Node | None) -> str | None:
    """The value of a constant of a text type; None for anything else, NULL included."""
    if node is None or node.kind != "CONST" or node.text("constisnull") != "false":
        return None
    value = node.fields.get("constvalue")
    if not isinstance(value, tuple) or node.text("constlen") != "-1":
        return None
    raw = bytes(int(byte) % 256 for byte in value[_VARLENA_HEADER:] if isinstance(byte, str))
    return raw.decode(errors="replace")

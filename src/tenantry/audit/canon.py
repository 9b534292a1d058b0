"""What is hashed of an event: its columns as text, in an encoding that no two different events share.

A field is ``octets:text`` in UTF-8, or ``-`` for NULL; fields are joined by the byte 0x1f. An event is the fields name,
value, name, value … in the order of the names' bytes. The columns are those of the layout that the batch names, so a
column which is added later leaves older leaves as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from tenantry.errors import CatalogError
from tenantry.names import QName, display, quote

# Under these the text of a value does not depend on the session, nor on the server's configuration.
SETTINGS: Mapping[str, str] = {
    "bytea_output": "hex",
    "DateStyle": "ISO, YMD",
    "extra_float_digits": "1",
    "IntervalStyle": "postgres",
    "row_security": "off",  # an error instead of a trail with rows left out
    "search_path": "",
    "TimeZone": "UTC",
    "xmlbinary": "base64",
}
# The text of these depends on the server's locale or on numbers that a restore gives anew.
UNSTABLE = frozenset(
    {"money", "oid", "regclass", "regcollation", "regconfig", "regdictionary", "regnamespace", "regoper",
     "regoperator", "regproc", "regprocedure", "regrole", "regtype", "tid", "xid", "cid"}
)  # fmt: skip
_TIME = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the trail: its name, its type as ``format_type`` writes it, and the type below its domains."""

    name: str
    type: str
    base: str


def encode(fields: Sequence[str | None]) -> bytes:
    """The encoding of fields."""
    out = []
    for field in fields:
        if field is None:
            out.append(b"-")
        else:
            data = field.encode()
            out.append(b"%d:%b" % (len(data), data))
    return b"\x1f".join(out)


@lru_cache(maxsize=256)
def _prefixes(names: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(encode([name]) + b"\x1f" for name in names)


def leaf(names: tuple[str, ...], values: Sequence[str | None]) -> bytes:
    """The leaf hash of an event: of its columns' names and values, in turn."""
    out = []
    for prefix, value in zip(_prefixes(names), values, strict=True):
        if value is None:
            out.append(prefix + b"-")
        else:
            data = value.encode()
            out.append(b"%b%d:%b" % (prefix, len(data), data))
    return sha256(b"\x00" + b"\x1f".join(out)).digest()


def expression(column: Column) -> str:
    """SQL for the text of a column; times are written as ISO 8601 in UTC, always with six decimals."""
    name = "t." + quote(column.name)
    match column.base:
        case "timestamp with time zone":
            return f"CASE WHEN {_plain(name)} THEN pg_catalog.to_char({name} AT TIME ZONE 'UTC', {_TIME}) ELSE {name}::text END"
        case "timestamp without time zone":
            return f"CASE WHEN {_plain(name)} THEN pg_catalog.to_char({name}, {_TIME}) ELSE {name}::text END"
    return f"{name}::text"


def _plain(name: str) -> str:
    """Whether a time has a year of four digits; the others, and infinity, are written as the server does."""
    return f"{name} >= '0002-01-01' AND {name} < '9999-01-01'"


def refuse_unstable(table: QName, columns: Sequence[Column]) -> None:
    """Raises CatalogError for a column whose text is not the same after a restore."""
    for column in columns:
        if column.base.removesuffix("[]") in UNSTABLE:
            raise CatalogError(
                f"{display(table)}.{column.name}: type {column.type} has no text that stays the same across servers, "
                "so an event with it cannot be sealed; make the column text"
            )

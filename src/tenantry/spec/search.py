"""A search that a tenant's own role finds no index for, and that a function makes for it."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from tenantry.names import MAX_BYTES
from tenantry.spec.base import Model, Name, TableName

LIMIT, OFFSET = "max_rows", "skip_rows"  # the arguments that each search has besides its own

_NAME = r"[a-z_][a-z0-9_]*"
_TYPE = re.compile(
    rf'(?:(?:{_NAME}|"(?:[^"]|"")+")\.(?:{_NAME}|"(?:[^"]|"")+")|{_NAME}(?: {_NAME})*)(?:\[\])?'
)
# What the server calls the types that are mostly written in another way.
_SPELT = {
    "int": "integer", "int4": "integer", "int8": "bigint", "int2": "smallint", "bool": "boolean",
    "varchar": "character varying", "float8": "double precision", "float4": "real", "float": "double precision",
    "decimal": "numeric", "timestamptz": "timestamp with time zone", "timestamp": "timestamp without time zone",
    "timetz": "time with time zone", "time": "time without time zone",
}  # fmt: skip
TYPES = frozenset({
    *_SPELT.values(), "text", "uuid", "date", "interval", "json", "jsonb", "jsonpath", "bytea", "inet", "cidr",
    "macaddr", "tsquery", "tsvector", "regconfig", "money", "xml", "point", "box", "circle", "polygon", "bit",
    "bit varying", "int4range", "int8range", "numrange", "tsrange", "tstzrange", "daterange",
})  # fmt: skip


def _argument(text: str) -> str:
    """One argument, with its type as the server spells it."""
    name, _, rest = text.strip().partition(" ")
    type_ = " ".join(rest.split())
    if not re.fullmatch(_NAME, name) or len(name) > MAX_BYTES or not _TYPE.fullmatch(type_):
        raise ValueError(
            f'{text!r} is no argument; write a lower-case name and a type without a length, such as "words text"'
        )
    if name in (LIMIT, OFFSET):
        raise ValueError(f"{name} is an argument of every search already; choose another name")
    base, array = (type_[:-2], "[]") if type_.endswith("[]") else (type_, "")
    base = _SPELT.get(base, base)
    if "." not in base and base not in TYPES:
        raise ValueError(
            f'{base!r} is no type of the server\'s own; write its schema in front, such as "public.{base}"'
        )
    return f"{name} {base}{array}"


def _once(arguments: tuple[str, ...]) -> tuple[str, ...]:
    names = [a.partition(" ")[0] for a in arguments]
    if len(set(names)) < len(names):
        raise ValueError("two arguments have the same name; rename one")
    return arguments


class Search(Model):
    """A function that finds rows of the session's tenant by an index that row level security keeps from being used.

    It is called as the entry is, takes the arguments, then how many rows at most and how many to skip, and returns keys.
    """

    table: TableName = Field(description="The tenant table that is searched.")
    arguments: Annotated[tuple[Annotated[str, AfterValidator(_argument)], ...], AfterValidator(_once)] = (
        Field(
            default=(),
            description='What is searched for, in the order of a call: "name type" each. Never the tenant.',
        )
    )
    match: Name = Field(
        description="The condition, SQL over columns of the table and the arguments. It is asked of rows of every "
        "tenant, so nothing in it may fail on a value. Names outside pg_catalog carry their schema."
    )
    order: Name | None = Field(
        default=None, description="What comes first, as after ORDER BY; the key of the table decides ties."
    )

    @property
    def typed(self) -> tuple[tuple[str, str], ...]:
        """Name and type of each argument."""
        return tuple((name, type_) for name, _, type_ in (a.partition(" ") for a in self.arguments))

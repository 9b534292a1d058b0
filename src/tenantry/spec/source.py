"""Where the tenant of the rows that are already there comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from tenantry.spec.base import MAY, UNDECIDED, Model, Name, On, TableName


class Constant(Model):
    """Every existing row belongs to one tenant."""

    constant: Name = Field(description="Id of that tenant.")


class FromColumn(Model):
    """A column of the table says which tenant a row belongs to."""

    column: Name = Field(description="The column of this table.")
    matches: Name = Field(description="The column of the tenants table that it equals.")
    create: bool = Field(
        default=False, description="Make a tenant for each distinct value without one (name, slug from it)."
    )


class FromParent(Model):
    """A row belongs to the tenant of the row that it references."""

    parent: TableName = Field(description="A tenant table.")
    on: On = Field(default_factory=dict, description="Column here = column of the parent" + MAY)


class FromMapping(Model):
    """A mapping table says which tenant a row belongs to."""

    mapping: TableName = Field(description="The mapping table.")
    on: On = Field(min_length=1, description="Column here = column of the mapping table.")
    tenant: Name = Field(description="The column of the mapping table that holds the tenant's id.")


class FromExpression(Model):
    """An SQL expression over the row's columns gives the tenant's id."""

    expression: Name = Field(
        description="SQL, evaluated once per row; NULL stops the conversion. Names outside pg_catalog carry their schema."
    )


# Which key a source has says which source it is, so that a mistake is reported once and not per source.
SOURCES: Mapping[str, type[Model]] = {
    "constant": Constant,
    "column": FromColumn,
    "parent": FromParent,
    "mapping": FromMapping,
    "expression": FromExpression,
}


def _source_tag(value: object) -> str:
    if isinstance(value, Mapping):
        return next(key for key in SOURCES if key in value)
    return next((key for key, model in SOURCES.items() if isinstance(value, model)), UNDECIDED)


Source = Annotated[
    Annotated[Constant, Tag("constant")]
    | Annotated[FromColumn, Tag("column")]
    | Annotated[FromParent, Tag("parent")]
    | Annotated[FromMapping, Tag("mapping")]
    | Annotated[FromExpression, Tag("expression")]
    | Annotated[Literal["undecided"], Tag(UNDECIDED)],
    Discriminator(_source_tag),
]


def _one_source(value: object) -> object:
    """Refuse a source that is none of the kinds, or two of them."""
    if value is None or value == UNDECIDED or isinstance(value, Model):
        return value
    found = [key for key in SOURCES if key in value] if isinstance(value, Mapping) else []
    if len(found) > 1:
        raise ValueError(f"{' and '.join(found)} are {len(found)} sources; keep one")
    if not found:
        raise ValueError(f'names no source; write {{ constant = "…" }}, or one of {", ".join(SOURCES)}')
    return value


GivenSource = Annotated[Source | None, BeforeValidator(_one_source)]

"""What every part of a spec is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from tenantry import names
from tenantry.names import QName

UNDECIDED = "undecided"


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _parse_name(value: object) -> object:
    match value:
        case str():
            try:
                return names.parse(value)
            except ValueError as error:
                raise ValueError(f'{error}; write "table" or "schema.table"') from None
        case QName():
            return value
    raise ValueError("a table's name is text in quotes")


TableName = Annotated[QName, BeforeValidator(_parse_name, json_schema_input_type=str)]
Name = Annotated[str, Field(min_length=1)]
On = Mapping[str, Name]
MAY = "; may be left out where there is one foreign key."

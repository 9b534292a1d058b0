"""A waiver: a finding of ``tenantry check`` that somebody answers for, in ``tenantry.toml``."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

_Text = Annotated[str, Field(min_length=1)]


class Waiver(BaseModel):
    """A finding of `tenantry check` that somebody answers for, until a day."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: _Text | None = Field(default=None, description="Name or id of the check; with object.")
    object: _Text | None = Field(default=None, description="The object as the report names it.")
    fingerprint: _Text | None = Field(
        default=None, description="Instead of check and object: the fingerprint of one finding."
    )
    reason: _Text = Field(description="Why it may stay.")
    until: date = Field(description="The last day, as 2027-06-30; after it the finding counts again.")

    @model_validator(mode="after")
    def _names_a_finding(self) -> Waiver:
        pair = (self.check is not None, self.object is not None)
        if pair != ((self.fingerprint is None,) * 2):
            raise ValueError("names no finding; write check and object, or fingerprint alone")
        return self

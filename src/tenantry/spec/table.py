"""What one table is, and what is decided about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from tenantry.spec.base import MAY, UNDECIDED, Model, Name, On, TableName
from tenantry.spec.source import GivenSource


class UniqueRule(Model):
    """What becomes of a unique key or exclusion constraint of a tenant table."""

    scope: Literal["tenant", "global", "undecided"] = Field(
        description="tenant: unique within each tenant; global: stays unique across all of them."
    )
    reason: str = Field(default="", description="Why it stays global; needed for global.")
    name: str | None = Field(default=None, description="Name of the key that replaces it; made if left out.")

    @model_validator(mode="after")
    def _reason(self) -> UniqueRule:
        if self.scope == "global" and not self.reason:
            raise ValueError('stays global and needs a reason; write { scope = "global", reason = "…" }')
        return self


def _short_unique(value: object) -> object:
    if isinstance(value, str):
        return {"scope": value}
    if isinstance(value, (Mapping, UniqueRule)):
        return value
    raise ValueError('is no decision; write "tenant", or { scope = "global", reason = "…" }')


ShortUnique = Annotated[
    UniqueRule,
    BeforeValidator(_short_unique, json_schema_input_type=UniqueRule | Literal["tenant", "undecided"]),
]


class TableRule(Model):
    """What one table is, and what is decided about it."""

    scope: Literal["tenant", "shared", "through", "ignored", "undecided"] = Field(
        description="tenant: gets the tenant column and isolation · "
        "shared: readable by all tenants, written by none · "
        "through: isolated by the tenant table that it references, without a column · ignored: left alone."
    )
    backfill: GivenSource | None = Field(
        default=None,
        description="Where the tenant of existing rows comes from; needed for scope tenant, "
        "unless the tenant column is already there and NOT NULL.",
    )
    column: Name | None = Field(
        default=None, description="The tenant column here, if it is named differently."
    )
    primary_key: Literal["global", "tenant", "undecided"] | None = Field(
        default=None,
        description="global: ids stay unique across tenants · tenant: the key starts with the tenant.",
    )
    unique: Mapping[str, ShortUnique] = Field(
        default_factory=dict,
        description="Decisions for unique keys, indexes and exclusion constraints, by name.",
    )
    policies: Mapping[str, Literal["drop", "keep", "undecided"]] = Field(
        default_factory=dict, description="What becomes of policies that are already there, by name."
    )
    triggers: Literal["disable", "fire", "undecided"] | None = Field(
        default=None, description="What user triggers do during the backfill; asked where there are any."
    )
    parent: TableName | None = Field(default=None, description="For scope through: the tenant table.")
    on: On = Field(default_factory=dict, description="For scope through: column here = column there" + MAY)
    reason: str = Field(default="", description="Why, for people who read this later.")

    @model_validator(mode="after")
    def _consistent(self) -> TableRule:
        if self.scope not in ("tenant", UNDECIDED):
            for key in ("backfill", "column", "primary_key", "unique", "triggers"):
                if getattr(self, key):
                    raise ValueError(
                        f"{key} is for scope tenant only, and the scope is {self.scope}; remove one"
                    )
        if self.scope != "through" and (self.parent or self.on):
            raise ValueError(
                f"parent and on are for scope through only, and the scope is {self.scope}; remove one"
            )
        if self.scope == "through" and self.parent is None:
            raise ValueError("scope through needs parent, the tenant table that isolates this one; add it")
        return self

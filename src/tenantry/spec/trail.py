"""What the audit trail records, and who may do what with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from tenantry import names
from tenantry.names import QName
from tenantry.spec.base import Model, Name, TableName

ACTION = r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$"
ACTION_LENGTH = 100  # characters
RESERVED = ("audit.", "row.")  # actions that the trail itself writes


def _action(value: str) -> str:
    if not re.match(ACTION, value) or len(value) > ACTION_LENGTH:
        raise ValueError(
            f"{value!r} is no action; write lower-case words joined by dots, such as skill.create"
        )
    if value.startswith(RESERVED):
        raise ValueError(f"{value!r} is kept for the trail itself; begin with another word")
    return value


class Capture(Model):
    """A table whose changes are recorded row by row."""

    table: TableName = Field(description="The table; its partitions and children come along.")
    only: tuple[Name, ...] | None = Field(
        default=None, min_length=1, description="The columns that are recorded; left out, all of them."
    )
    redact: tuple[Name, ...] = Field(
        default=(), description="Columns of which only the fact of a change is recorded, never a value."
    )
    each: Literal["statement", "row"] = Field(
        default="statement",
        description="statement: one trigger run per statement, cheapest for many rows · "
        "row: one per row, for a table whose key changes.",
    )


def _short_capture(value: object) -> object:
    match value:
        case str() | QName():
            return {"table": value}
        case Mapping() | Capture():
            return value
    raise ValueError('is no table; write "table", or { table = "table", redact = ["column"] }')


ShortCapture = Annotated[Capture, BeforeValidator(_short_capture, json_schema_input_type=Capture | str)]


class Audit(Model):
    """The audit trail."""

    table: TableName = Field(
        default=QName("public", "audit_logs"),
        json_schema_extra={"default": "audit_logs"},
        description="The trail; made if it is not there.",
    )
    events: Literal["plain", "extended"] = Field(
        default="plain",
        description="plain: nine columns that the application fills · extended: also outcome, order, transaction, "
        "session and more, functions to write and to read events, and a role of its own that owns them.",
    )
    functions: Name = Field(
        default="audit",
        description="For extended, or for system or support: the schema of log(), read(), erase() and work_begin().",
    )
    owner: Name = Field(
        default="audit_owner",
        description="For extended: NOLOGIN role that owns the trail; for system or support: the one that records their work; made if not there.",
    )
    reader: Name = Field(
        default="audit_reader",
        description="For extended: NOLOGIN role that reads every tenant's events; made if not there.",
    )
    write: Literal["columns", "function"] = Field(
        default="columns",
        description="For extended: columns: the application may also INSERT, but never id, time, order or "
        "transaction · function: it writes through log() only.",
    )
    actions: tuple[Annotated[str, AfterValidator(_action)], ...] = Field(
        default=(), description="For extended: the actions that log() takes; left out, any well-formed one."
    )
    capture: tuple[ShortCapture, ...] = Field(
        default=(),
        description="For extended: tables whose row changes are recorded by triggers, each event for the row's tenant; "
        "behind a parent (scope through) for the parent's, as far as the transaction sees it.",
    )
    ddl: Literal["open", "guarded"] = Field(
        default="open",
        description="For extended: guarded: event triggers refuse changes of the trail's definition; needs a superuser.",
    )

    @property
    def extended(self) -> bool:
        """True when the trail has more than the nine columns."""
        return self.events == "extended"

    @model_validator(mode="after")
    def _needs_extended(self) -> Audit:
        plain = Audit.model_fields
        if not self.extended:
            for key in ("reader", "write", "actions", "capture", "ddl"):
                if getattr(self, key) != plain[key].default:
                    raise ValueError(f'{key} needs events = "extended"; add that, or remove {key}')
        seen: set[QName] = set()
        for capture in self.capture:
            if capture.table in seen:
                raise ValueError(f"capture names {names.spell(capture.table)} twice; keep one")
            seen.add(capture.table)
        if self.owner == self.reader:
            raise ValueError(f"owner and reader are both {self.owner}; name two roles")
        return self

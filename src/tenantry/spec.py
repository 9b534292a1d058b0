"""The spec: which table belongs to tenants, which is shared, which is left alone. Reads ``tenantry.toml``.

A spec is a closed world: a table that it does not mention stops the planner. Everything that a person must
decide is a key here; ``"undecided"`` is a legal value everywhere a decision is asked, and stops the planner.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from tenantry import mistakes, names, tomltext
from tenantry.errors import SpecError
from tenantry.names import QName
from tenantry.waiver import Waiver

UNDECIDED = "undecided"


class _Model(BaseModel):
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
_MAY = "; may be left out where there is one foreign key."


class Tenant(_Model):
    """A tenant to create: the one that existing rows belong to."""

    id: Name = Field(description="Key of the tenant, in the tenant type.")
    name: Name = Field(description="Display name.")
    slug: Name = Field(description="Unique short name.")


class Constant(_Model):
    """Every existing row belongs to one tenant."""

    constant: Name = Field(description="Id of that tenant.")


class FromColumn(_Model):
    """A column of the table says which tenant a row belongs to."""

    column: Name = Field(description="The column of this table.")
    matches: Name = Field(description="The column of the tenants table that it equals.")
    create: bool = Field(
        default=False, description="Make a tenant for each distinct value without one (name, slug from it)."
    )


class FromParent(_Model):
    """A row belongs to the tenant of the row that it references."""

    parent: TableName = Field(description="A tenant table.")
    on: On = Field(default_factory=dict, description="Column here = column of the parent" + _MAY)


class FromMapping(_Model):
    """A mapping table says which tenant a row belongs to."""

    mapping: TableName = Field(description="The mapping table.")
    on: On = Field(min_length=1, description="Column here = column of the mapping table.")
    tenant: Name = Field(description="The column of the mapping table that holds the tenant's id.")


class FromExpression(_Model):
    """An SQL expression over the row's columns gives the tenant's id."""

    expression: Name = Field(
        description="SQL, evaluated once per row; NULL stops the conversion. Names outside pg_catalog carry their schema."
    )


# Which key a source has says which source it is, so that a mistake is reported once and not per source.
SOURCES: Mapping[str, type[_Model]] = {
    "constant": Constant,
    "column": FromColumn,
    "parent": FromParent,
    "mapping": FromMapping,
    "expression": FromExpression,
}


def _one_source(value: object) -> object:
    """Refuse a source that is none of the kinds, or two of them."""
    if value is None or value == UNDECIDED or isinstance(value, _Model):
        return value
    found = [key for key in SOURCES if key in value] if isinstance(value, Mapping) else []
    if len(found) > 1:
        raise ValueError(f"{' and '.join(found)} are {len(found)} sources; keep one")
    if not found:
        raise ValueError(f'names no source; write {{ constant = "…" }}, or one of {", ".join(SOURCES)}')
    return value


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


class UniqueRule(_Model):
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


class TableRule(_Model):
    """What one table is, and what is decided about it."""

    scope: Literal["tenant", "shared", "through", "ignored", "undecided"] = Field(
        description="tenant: gets the tenant column and isolation · "
        "shared: readable by all tenants, written by none · "
        "through: isolated by the tenant table that it references, without a column · ignored: left alone."
    )
    backfill: Annotated[Source | None, BeforeValidator(_one_source)] = Field(
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
    on: On = Field(default_factory=dict, description="For scope through: column here = column there" + _MAY)
    reason: str = Field(default="", description="Why, for people who read this later.")

    @model_validator(mode="after")
    def _consistent(self) -> TableRule:
        if self.scope != "tenant":
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


class Tenancy(_Model):
    """The tenants table and the tenant column."""

    tenants: TableName = Field(
        default=QName("public", "tenants"),
        json_schema_extra={"default": "tenants"},
        description='The tenants table; made if it is not there; "undecided" stops the planner.',
    )
    key: Name = Field(default="id", description="Its key column.")
    column: Name = Field(default="tenant_id", description="The tenant column of tenant tables.")
    type: Name = Field(
        default="text",
        description="Type of the key: text, uuid, bigint, integer, or that of an existing tenants table.",
    )
    setting: str = Field(
        default="app.current_tenant_id",
        pattern=r"^[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)+$",
        description="The setting that carries the tenant.",
    )
    schemas: tuple[Name, ...] = Field(
        default=("public",), min_length=1, description="The schemas to convert; no other is touched."
    )
    default: Tenant | None = Field(default=None, description="A tenant to create, for existing rows.")

    @property
    def undecided(self) -> bool:
        """True while nobody has chosen the tenants table."""
        return self.tenants == QName("public", UNDECIDED)


class Roles(_Model):
    """The database roles that isolation rests on."""

    app: Name = Field(default="app_user", description="Login of the application; made if it is not there.")
    owner: Name | None = Field(
        default=None, description="NOLOGIN role to own the tables; left out, owners stay."
    )
    resolver: Name = Field(
        default="tenant_resolver",
        description="NOLOGIN role that resolvers run as; made where the spec has any.",
    )


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


class Capture(_Model):
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


class Audit(_Model):
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
        default="audit", description="For extended: the schema of log(), read() and erase()."
    )
    owner: Name = Field(
        default="audit_owner",
        description="For extended: NOLOGIN role that owns the trail; made if not there.",
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
        default=(), description="For extended: tables whose row changes are recorded by triggers."
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
            for key in ("functions", "owner", "reader", "write", "actions", "capture", "ddl"):
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


class Resolver(_Model):
    """A function that finds the tenant before one is known: by the hash of an API key, a login, a short name.

    It is called as the entry is, takes one value, and returns a tenant's id and nothing else.
    """

    table: TableName = Field(description="The tenants table, a tenant table, or one of scope through.")
    by: Name = Field(description="The column whose value is given; unique across tenants.")
    many: bool = Field(
        default=False, description="The value may be in several tenants: return each of their ids."
    )


class Render(_Model):
    """How rendered files are numbered."""

    first: int = Field(
        default=0, ge=0, description="Number of the first file in a directory that holds none."
    )


def _once(tables: object) -> object:
    """Refuse two spellings of one table: the second would silently replace the first."""
    seen: dict[QName, str] = {}
    for text in tables if isinstance(tables, Mapping) else ():
        try:
            name = names.parse(text) if isinstance(text, str) else text
        except ValueError:
            continue  # reported where the table is read
        if name in seen:
            raise ValueError(f"{seen[name]} and {text} are the same table; keep one")
        seen[name] = text
    return tables


class Spec(_Model):
    """A whole ``tenantry.toml``."""

    tenancy: Tenancy = Tenancy()
    roles: Roles = Roles()
    audit: Audit | None = None
    resolvers: Mapping[Name, Resolver] = Field(
        default_factory=dict, description="Look-ups that come before the tenant is known, by function name."
    )
    render: Render = Render()
    tables: Annotated[Mapping[TableName, TableRule], BeforeValidator(_once)] = Field(
        default_factory=dict, description="One entry per table."
    )
    waivers: tuple[Waiver, ...] = ()

    @property
    def undecided(self) -> tuple[str, ...]:
        """Every key whose value is still ``"undecided"``, as a TOML path; the planner refuses them all."""
        return tuple(_undecided(self))

    @property
    def digest(self) -> str:
        """SHA-256 of what the spec says (not how it is written, nor in which order), hexadecimal; no waivers."""
        said = self.model_dump(mode="json", exclude={"waivers"})
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _undecided(spec: Spec) -> Iterator[str]:
    if spec.tenancy.undecided:
        yield "tenancy.tenants"
    for name, rule in spec.tables.items():
        table = ("tables", names.spell(name))
        for key in ("scope", "backfill", "primary_key", "triggers"):
            if getattr(rule, key) == UNDECIDED:
                yield tomltext.path(*table, key)
        yield from (
            tomltext.path(*table, "unique", k) for k, u in rule.unique.items() if u.scope == UNDECIDED
        )
        yield from (tomltext.path(*table, "policies", k) for k, p in rule.policies.items() if p == UNDECIDED)


def parse(text: str, file: str = "tenantry.toml") -> Spec:
    """Read a spec from TOML text. Raises SpecError: a line per mistake with file, key, reason and fix."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(
            f"{file}: not valid TOML: {error}; text goes in double quotes, a list in brackets"
        ) from None
    try:
        return Spec.model_validate(data)
    except ValidationError as error:
        raise SpecError("\n".join(f"{file}: {_sentence(e)}" for e in error.errors())) from None


def _sentence(error: ErrorDetails) -> str:
    where = tuple(str(part) for part in error["loc"])
    keys = _written(where)
    return mistakes.sentence(error, tomltext.path(*keys), keys, _holder(where[:-1]))


def _written(where: tuple[str, ...]) -> tuple[str, ...]:
    """The keys as the file has them: without pydantic's marks for a key itself and for a kind of source."""
    match where:
        case (*keys, "[key]"):
            return tuple(keys)
        case ("tables", table, "backfill", _, *rest):
            return ("tables", table, "backfill", *rest)
    return where


def _holder(where: tuple[str, ...]) -> type[BaseModel] | None:
    """The model whose keys live at a location, if one does."""
    match where:
        case ("tables", _):
            return TableRule
        case ("tables", _, "unique", _):
            return UniqueRule
        case ("tables", _, "backfill", kind):
            return SOURCES.get(kind)
        case ("audit", "capture", _):
            return Capture
        case ("resolvers", _):
            return Resolver
        case ("waivers", _):
            return Waiver
    return _SECTIONS.get(where)


_SECTIONS: Mapping[tuple[str, ...], type[BaseModel]] = {
    (): Spec,
    ("tenancy",): Tenancy,
    ("tenancy", "default"): Tenant,
    ("roles",): Roles,
    ("audit",): Audit,
    ("render",): Render,
}


def load(path: Path) -> Spec:
    """Read a spec file. Raises SpecError, also when there is no such file."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError(f"{path}: cannot be read ({error.strerror}); `tenantry init` writes one") from None
    except UnicodeDecodeError as error:
        raise SpecError(
            f"{path}: not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from None
    return parse(text, str(path))


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the file, for editors."""
    schema = Spec.model_json_schema(mode="validation")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "tenantry.toml"
    return schema

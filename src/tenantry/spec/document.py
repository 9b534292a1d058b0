"""A whole ``tenantry.toml``, section by section."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from tenantry import names, tomltext
from tenantry.names import QName
from tenantry.spec.base import UNDECIDED, Model, Name, TableName
from tenantry.spec.search import Search
from tenantry.spec.table import TableRule
from tenantry.spec.trail import Audit
from tenantry.waiver import Waiver


class Tenant(Model):
    """A tenant to create: the one that existing rows belong to."""

    id: Name = Field(description="Key of the tenant, in the tenant type.")
    name: Name = Field(description="Display name.")
    slug: Name = Field(description="Unique short name.")


class Tenancy(Model):
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
    context: Literal["plain", "signed"] = Field(
        default="plain",
        description="plain: the setting holds the tenant, and whoever may run SQL may set it · "
        "signed: it holds the tenant, an end and an HMAC that only the server checks.",
    )
    missing: Literal["hide", "raise"] = Field(
        default="hide",
        description="What work without a tenant meets: hide: no rows · raise: an error of the server.",
    )
    functions: Name = Field(
        default="tenant_context",
        description="For signed, or raise: the schema of what policies then ask; made if it is not there.",
    )
    schemas: tuple[Name, ...] = Field(
        default=("public",), min_length=1, description="The schemas to convert; no other is touched."
    )
    default: Tenant | None = Field(default=None, description="A tenant to create, for existing rows.")
    policies: Mapping[str, Literal["drop", "keep", "undecided"]] = Field(
        default_factory=dict, description="What becomes of policies that the tenants table has, by name."
    )

    @property
    def undecided(self) -> bool:
        """True while nobody has chosen the tenants table."""
        return self.tenants == QName("public", UNDECIDED)


class Roles(Model):
    """The database roles that isolation rests on."""

    app: Name = Field(default="app_user", description="Login of the application; made if it is not there.")
    owner: Name | None = Field(
        default=None, description="NOLOGIN role to own the tables; left out, owners stay."
    )
    resolver: Name = Field(
        default="tenant_resolver",
        description="NOLOGIN role that resolvers run as; made where the spec has any.",
    )
    searcher: Name = Field(
        default="tenant_searcher",
        description="NOLOGIN role that searches run as; made where the spec has any.",
    )
    context: Name = Field(
        default="tenant_context",
        description="For context signed, or missing raise: NOLOGIN role that owns what policies ask, and the keys.",
    )
    system: Name | None = Field(
        default=None,
        description="Login for work across tenants, which the audit trail tells of before it begins; made if not there.",
    )
    support: Name | None = Field(
        default=None,
        description="Login for looking after one tenant at a time, told of in the same way; made if not there.",
    )
    support_writes: bool = Field(
        default=False, description="Let support change rows, too, in work that is begun to write."
    )


class Resolver(Model):
    """A function that finds the tenant before one is known: by the hash of an API key, a login, a short name.

    It is called as the entry is, takes one value, and returns a tenant's id and nothing else.
    """

    table: TableName = Field(description="The tenants table, a tenant table, or one of scope through.")
    by: Name = Field(description="The column whose value is given; unique across tenants.")
    many: bool = Field(
        default=False, description="The value may be in several tenants: return each of their ids."
    )


class Render(Model):
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


class Spec(Model):
    """A whole ``tenantry.toml``."""

    tenancy: Tenancy = Tenancy()
    roles: Roles = Roles()
    audit: Audit | None = None
    resolvers: Mapping[Name, Resolver] = Field(
        default_factory=dict, description="Look-ups that come before the tenant is known, by function name."
    )
    searches: Mapping[Name, Search] = Field(
        default_factory=dict, description="Searches that keep their index, by function name."
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
    yield from (
        tomltext.path("tenancy", "policies", k) for k, p in spec.tenancy.policies.items() if p == UNDECIDED
    )
    for name, rule in spec.tables.items():
        table = ("tables", names.spell(name))
        for key in ("scope", "backfill", "primary_key", "triggers"):
            if getattr(rule, key) == UNDECIDED:
                yield tomltext.path(*table, key)
        yield from (
            tomltext.path(*table, "unique", k) for k, u in rule.unique.items() if u.scope == UNDECIDED
        )
        yield from (tomltext.path(*table, "policies", k) for k, p in rule.policies.items() if p == UNDECIDED)

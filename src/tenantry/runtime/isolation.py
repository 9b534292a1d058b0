"""What makes a new table a tenant table: the statements, for the migrations of Django and Alembic.

They are those that the conversion ends with, for a table whose tenant column is there and filled. The planner
finds nothing left to do for such a table once the spec names it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Literal

from tenantry.errors import TenantError
from tenantry.runtime.binding import SETTING
from tenantry.runtime.signing import SCHEMA

_MAX = 63  # bytes of a name
_TYPE = re.compile(r"[a-z][a-z0-9 ]*(\(\d+\))?")
_TEXTUAL = re.compile(r"text|character varying(\(\d+\))?")


@dataclass(frozen=True, slots=True)
class Tenancy:
    """The conversion's choices, as the spec has them; each default is the spec's.

    ``tenants`` is the tenants table, "table" or "schema.table". Raises TenantError for a type that is none.
    """

    tenants: str = "tenants"
    key: str = "id"
    column: str = "tenant_id"
    type: str = "text"
    setting: str = SETTING
    app: str = "app_user"
    context: Literal["plain", "signed"] = "plain"
    missing: Literal["hide", "raise"] = "hide"
    functions: str = SCHEMA

    def __post_init__(self) -> None:
        if self.context not in ("plain", "signed") or self.missing not in ("hide", "raise"):
            raise TenantError(
                f"context = {self.context!r}, missing = {self.missing!r}: say plain or signed, hide or raise"
            )
        if not _TYPE.fullmatch(self.type):
            raise TenantError(f"type {self.type!r} is no type of a tenant; write text, uuid or bigint")

    @property
    def value(self) -> str:
        """The tenant of the session, as a policy compares it."""
        text = self._textual
        cast = "" if text else f"::{self.type}"
        if self.missing == "raise":
            none = self._call("no_tenant")
            if self.context == "signed":
                return f"coalesce({self._call('current_tenant')}, {none}{cast})"
            return f"coalesce({self._named}, {none}){cast}"
        if self.context == "signed":
            return self._call("current_tenant")
        return f"{self._named}{cast}" if cast else self._said

    @property
    def default(self) -> str:
        """The tenant of the session, as a column's default."""
        if self.context == "signed":
            return self._call("current_tenant")
        return self._named if self._textual else f"({self._named})::{self.type}"

    @property
    def _textual(self) -> bool:
        return _TEXTUAL.fullmatch(self.type) is not None

    @property
    def _said(self) -> str:
        return f"current_setting({_literal(self.setting)}, true)"

    @property
    def _named(self) -> str:
        return f"nullif({self._said}, '')"

    def _call(self, function: str) -> str:
        return f"{quoted_part(self.functions)}.{quoted_part(function)}()"


def isolate(table: str, tenancy: Tenancy, *, index: bool = True, reference: bool = True) -> tuple[str, ...]:
    """The statements that make ``table`` ("table" or "schema.table") a tenant table, in order.

    ``index`` and ``reference``: the tenant column has no index, no foreign key to the tenants table yet.
    """
    name, where = table.rpartition(".")[2], quoted(table)
    col = quoted_part(tenancy.column)
    own = [
        f"ALTER TABLE {where} ALTER COLUMN {col} SET DEFAULT {tenancy.default}",
        f"ALTER TABLE {where} ALTER COLUMN {col} SET NOT NULL",
    ]
    lookup = [f"CREATE INDEX {quoted_part(fit(f'{name}_{tenancy.column}_idx'))} ON {where} ({col})"]
    key = [
        f"ALTER TABLE {where} ADD CONSTRAINT {quoted_part(fit(f'{name}_{tenancy.column}_fk'))} FOREIGN KEY ({col}) "
        f"REFERENCES {quoted(tenancy.tenants)} ({quoted_part(tenancy.key)})"
    ]
    condition = f"{col} = {tenancy.value}"
    app = quoted_part(tenancy.app)
    return (
        *own,
        *(lookup if index else ()),
        *(key if reference else ()),
        f"CREATE POLICY tenant_isolation ON {where} AS PERMISSIVE FOR ALL TO PUBLIC USING ({condition}) WITH CHECK ({condition})",
        f"ALTER TABLE {where} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {where} FORCE ROW LEVEL SECURITY",
        f"REVOKE TRUNCATE, REFERENCES, TRIGGER ON {where} FROM {app}, PUBLIC",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {where} TO {app}",
    )


def release(table: str, tenancy: Tenancy, *, index: bool = True, reference: bool = True) -> tuple[str, ...]:
    """The way back from :func:`isolate`."""
    name, where = table.rpartition(".")[2], quoted(table)
    schema = table.rpartition(".")[0]
    col, app = quoted_part(tenancy.column), quoted_part(tenancy.app)
    led = ".".join(quoted_part(p) for p in (schema, fit(f"{name}_{tenancy.column}_idx")) if p)
    return (
        f"REVOKE SELECT, INSERT, UPDATE, DELETE ON {where} FROM {app}",
        f"ALTER TABLE {where} NO FORCE ROW LEVEL SECURITY",
        f"ALTER TABLE {where} DISABLE ROW LEVEL SECURITY",
        f"DROP POLICY tenant_isolation ON {where}",
        *(
            (f"ALTER TABLE {where} DROP CONSTRAINT {quoted_part(fit(f'{name}_{tenancy.column}_fk'))}",)
            if reference
            else ()
        ),
        *((f"DROP INDEX {led}",) if index else ()),
        f"ALTER TABLE {where} ALTER COLUMN {col} DROP DEFAULT",
    )


def quoted(table: str) -> str:
    """``schema.table`` with each part quoted."""
    return ".".join(quoted_part(part) for part in table.split("."))


def quoted_part(name: str) -> str:
    """A name as an identifier. Raises TenantError for what cannot be one."""
    if not name or "\0" in name:
        raise TenantError(f"{name!r} is no name")
    return '"' + name.replace('"', '""') + '"'


def fit(name: str) -> str:
    """A name of at most 63 bytes; a cut one ends in a digest of the whole, as the conversion names things."""
    raw = name.encode()
    if len(raw) <= _MAX:
        return name
    return raw[: _MAX - 9].decode(errors="ignore") + "_" + hashlib.sha256(raw).hexdigest()[:8]


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"

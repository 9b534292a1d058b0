"""Reads ``tenantry.toml``: a mistake becomes one sentence with file, key, reason and fix."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tenantry import mistakes, tomltext
from tenantry.errors import SpecError, unreadable
from tenantry.spec.document import Render, Resolver, Roles, Spec, Tenancy, Tenant
from tenantry.spec.search import Search
from tenantry.spec.source import SOURCES
from tenantry.spec.table import TableRule, UniqueRule
from tenantry.spec.trail import Audit, Capture
from tenantry.waiver import Waiver


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
        raise SpecError("\n".join(f"{file}: {sentence(e)}" for e in error.errors())) from None


def sentence(error: ErrorDetails) -> str:
    """What pydantic found, as a line: key, reason, fix."""
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
        case ("searches", _):
            return Search
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
        raise SpecError(f"{path}: cannot be read ({unreadable(error)}); `tenantry init` writes one") from None
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: {unreadable(error)}; save it as UTF-8") from None
    return parse(text, str(path))


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the file, for editors."""
    schema = Spec.model_json_schema(mode="validation")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "tenantry.toml"
    return schema

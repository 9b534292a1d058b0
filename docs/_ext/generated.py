"""Pages that the program writes itself: where a page says `<!-- generated: NAME -->`, the text of `GENERATED[NAME]`.

A Sphinx extension; nothing of it is kept in a file.
"""

from __future__ import annotations

import inspect
import json
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import known_cases
import typer

from tenantry import checks, cli, controls, spec
from tenantry.mutations import layers, suite, worlds

_MARK = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("source-read", lambda _app, _page, source: source.__setitem__(0, fill(source[0])))
    return {"parallel_read_safe": True}


def fill(page: str) -> str:
    """A page with its generated parts. Raises KeyError for a name that nothing generates."""
    return _MARK.sub(lambda found: GENERATED[found[1]](), page)


# The command line


def commands() -> str:
    """Every verb with its arguments, options and their environment variables."""
    return "\n\n".join(_group(cli.app, typer.main.get_command(cli.app), ()))


def _group(app: Any, group: Any, path: tuple[str, ...]) -> Iterator[str]:
    for verb in app.registered_commands:
        yield "\n".join(_verb(verb, group.commands[verb.name].params, path))
    for inner in app.registered_groups:
        yield from _group(inner.typer_instance, group.commands[inner.name], (*path, inner.name))


def _verb(verb: Any, parameters: list[Any], path: tuple[str, ...]) -> Iterator[str]:
    function = inspect.unwrap(verb.callback)
    hints = typing.get_type_hints(function, include_extras=True)
    arguments = [_argument(p) for p in parameters if p.param_type_name == "argument"]
    yield f"## `tenantry {' '.join([*path, verb.name, *arguments])}`"
    yield ""
    yield inspect.cleandoc(function.__doc__ or "")
    if parameters:
        yield ""
        yield from _table(["option", "environment", "default", "means"])
    for p in parameters:
        value = _value(typing.get_args(hints[p.name])[0])
        shown = _argument(p) if p.param_type_name == "argument" else f"{p.opts[0]} {value}".strip()
        if shown == p.name.upper() and "|" in value:
            shown += f" {value}"
        yield _row([_code(shown), _code(p.envvar or ""), _code(_default(p.default)), p.help or ""])


def _argument(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _value(kind: Any) -> str:
    parts = [part for part in typing.get_args(kind) or (kind,) if part is not type(None)]
    match parts[0]:
        case type() as t if issubclass(t, Enum):
            return "|".join(str(member.value) for member in t)
        case type() as t if t is bool:
            return ""
        case type() as t if issubclass(t, Path):
            return "FILE"
        case type() as t if t is float:
            return "NUMBER"
    return "TEXT"


def _default(value: Any) -> str:
    if value is None or value is False or value == "":
        return ""
    return str(value.value if isinstance(value, Enum) else value)


# The spec


def keys() -> str:
    """Every key of tenantry.toml, section by section, from its JSON Schema."""
    schema = spec.json_schema()
    return "\n\n".join("\n".join(_section(schema, *section)) for section in _SECTIONS)


# Heading, name in the JSON Schema, an example of how it is written.
_SECTIONS = (
    ("`[tenancy]`", "Tenancy", ""),
    ("`[tenancy.default]`", "Tenant", ""),
    ("`[roles]`", "Roles", ""),
    ("`[audit]`", "Audit", "Without this section no trail is made."),
    ("`capture`", "Capture", "Short: `\"users\"`."),
    ("`[resolvers.NAME]`", "Resolver", ""),
    ("`[searches.NAME]`", "Search", ""),
    ("`[render]`", "Render", ""),
    ("`[[waivers]]`", "Waiver", "Either `check` and `object`, or `fingerprint`."),
    ("`[tables.NAME]`", "TableRule", "`NAME` is `table` or `\"schema.table\"`; without a schema it is `public`."),
    ("`unique.KEY`", "UniqueRule", "Short: `\"tenant\"`."),
    ("`backfill`: a constant", "Constant", '`backfill = { constant = "…" }`'),
    ("`backfill`: a column", "FromColumn", '`backfill = { column = "…", matches = "…" }`'),
    ("`backfill`: a parent", "FromParent", '`backfill = { parent = "…" }`'),
    ("`backfill`: a mapping table", "FromMapping", '`backfill = { mapping = "…", on = { … = "…" }, tenant = "…" }`'),
    ("`backfill`: an expression", "FromExpression", '`backfill = { expression = "…" }`'),
)  # fmt: skip


def _section(schema: Mapping[str, Any], heading: str, name: str, remark: str) -> Iterator[str]:
    model = schema["$defs"][name]
    yield f"## {heading}"
    yield ""
    yield " ".join(filter(None, [model.get("description", ""), remark]))
    yield ""
    yield from _table(["key", "type", "default", "means"])
    for key, value in model["properties"].items():
        default = "needed" if key in model.get("required", ()) else _toml(value.get("default"))
        yield _row([_code(key), _type(value), default, value.get("description", "")])


def _type(value: Mapping[str, Any]) -> str:
    """What a key takes, in words for people."""
    match value:
        case {"anyOf": kinds} | {"oneOf": kinds}:
            found = [_type(kind) for kind in kinds if kind.get("type") != "null"]
            return " or ".join(dict.fromkeys(found))
        case {"enum": choices}:
            return ", ".join(_code(json.dumps(choice)) for choice in choices)
        case {"const": choice}:
            return _code(json.dumps(choice))
        case {"$ref": reference}:
            return _REFERRED.get(reference.rpartition("/")[2], "table")
        case {"type": "object", "additionalProperties": dict() as inner}:
            return f"table of {_type(inner)}"
        case {"type": "array", "items": inner}:
            return f"list of {_type(inner)}"
        case {"format": "date"}:
            return "date"
    return {"string": "text", "boolean": "true or false", "integer": "whole number"}[value["type"]]


_REFERRED = {
    "UniqueRule": "a decision, below",
    "Capture": "a table, below",
    **dict.fromkeys(("Constant", "FromColumn", "FromParent", "FromMapping", "FromExpression"), "a source, below"),
}  # fmt: skip


def _toml(default: Any) -> str:
    return "" if default in (None, "") else _code(json.dumps(default))


# The checks


# First digit of the id: what the checks are about.
_TOPICS = {
    "1": "Roles", "2": "Row level security", "3": "Policies", "4": "Keys and the tenant column",
    "5": "Views, functions, triggers", "6": "Rights", "7": "Settings and the server", "8": "The trail",
    "9": "Speed and completeness",
}  # fmt: skip
# What stands for the names in braces of a sabotage.
_NAMES = {
    "app": "app_user", "owner": "skills_owner", "database": "catalog", "schema": "public", "table": "skills",
    "child": "ratings", "key": "id", "key_type": "text", "column": "tenant_id", "policy": "tenant_isolation",
    "setting": "app.current_tenant_id", "now": "current_setting('app.current_tenant_id', true)", "trail": "audit_logs",
    "tenants": "tenants", "shared": "countries", "event_trigger": "guard",
}  # fmt: skip


def check_pages() -> str:
    """Every check, from the headers of their files."""
    lines: list[str] = []
    for digit, topic in _TOPICS.items():
        lines += [f"## {topic}", ""]
        for check in checks.all_checks():
            if check.id.startswith(digit):
                lines += _check(check)
    return "\n".join(lines)


def _check(check: Any) -> Iterator[str]:
    yield f"### {check.id} `{check.slug}`"
    yield ""
    since = f" · PostgreSQL {check.since} and later" if check.since else ""
    yield f"**{check.level}** · {check.title} · {check.controls}{since}"
    yield ""
    yield _prose(check.why)
    yield ""
    yield f"*What to do:* {_prose(check.fix)}"
    yield ""
    yield "```sql"
    for statement in check.sabotage:
        yield re.sub(r"\{(\w+)\}", lambda m: _NAMES[m[1]], statement) + ";"
    yield "```"
    yield ""


def _prose(text: str) -> str:
    return text.replace("_", "\\_").replace("*", "\\*").replace("<", "\\<")


# Markdown


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


# Evidence for controls


def evidence() -> str:
    """Each control with the commands that show evidence for it, and the checks that name it."""
    return "\n\n".join("\n".join(_control(*item)) for item in controls.CONTROLS.items())


def _control(control: str, asks: str) -> Iterator[str]:
    yield f"## {control}\n\n{asks}\n"
    yield from _table(["evidence", "command"])
    for way in controls.WAYS:
        if control in way.controls:
            yield _row([way.what, _code(way.command)])
    named = controls.checks_of(control)
    if named:
        yield _row([f"static checks that name it, {len(named)}", _code("tenantry check")])
        yield "\nThe checks: " + ", ".join(f"{check.id} {_code(check.slug)}" for check in named) + "."


# The self-test


def sabotages() -> str:
    """The databases of the self-test, and how many sabotages are tried in each."""
    return "\n".join(_sabotages())


def _sabotages() -> Iterator[str]:
    yield from _table(["database", "what it is", "sabotages", "by a check", "by attacks"])
    for name in worlds.NAMES:
        found = suite.of(name)
        by = [sum(layer in layers(m) for m in found) for layer in ("check", "attack")]
        yield _row([_code(name), worlds.kind(name).title, str(len(found)), *map(str, by)])


def _table(heads: list[str]) -> Iterator[str]:
    yield _row(heads)
    yield _row(["---"] * len(heads))


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


GENERATED: Mapping[str, Callable[[], str]] = {
    "checks": check_pages,
    "commands": commands,
    "coverage": known_cases.page,
    "evidence": evidence,
    "keys": keys,
    "sabotages": sabotages,
}

"""What is wrong with a key of a spec, in one sentence: the key, the reason and the fix."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping

from pydantic import BaseModel
from pydantic_core import ErrorDetails


def sentence(error: ErrorDetails, path: str, keys: tuple[str, ...], holder: type[BaseModel] | None) -> str:
    """A pydantic error as ``key: reason; fix``.

    ``keys`` is where it is in the file, ``path`` the same as TOML spells it, ``holder`` the model that has
    (or should have) the last key.
    """
    reason = _reason(error, path, keys, holder)
    return f"{path}: {reason}" if path else reason


def _reason(error: ErrorDetails, path: str, keys: tuple[str, ...], holder: type[BaseModel] | None) -> str:
    given, context = error["input"], error.get("ctx", {})
    match error["type"]:
        case "value_error":
            return error["msg"].removeprefix("Value error, ")
        case "extra_forbidden":
            return _unknown(keys, given, holder)
        case "missing":
            return f"is missing; add it{_meaning(keys, holder)}"
        case "literal_error":
            expected = context["expected"]
            return f"is {_show(given)} and must be {expected}{_near(given, _choices(expected))}"
    return f"is {_show(given)} and {_demand(error, path)}{_meaning(keys, holder)}"


def _demand(error: ErrorDetails, path: str) -> str:
    """What a value must be, and how to make it so."""
    match error["type"]:
        case "string_type":
            return "must be text; put it in double quotes"
        case "string_too_short" | "too_short":
            return "must not be empty; fill it in"
        case "string_pattern_mismatch":
            return 'must be names joined by dots; write for example "app.current_tenant_id"'
        case "model_type" | "mapping_type" | "dict_type":
            return f"must hold keys of its own; write [{path}] and the keys below"
        case "tuple_type" | "list_type":
            return "must be a list; put it in brackets"
        case "bool_type" | "bool_parsing":
            return "must be true or false; write one of them without quotes"
        case "int_type" | "int_parsing" | "int_from_float" | "greater_than_equal":
            return "must be a whole number, 0 or more; write one"
    return f"is not accepted ({error['msg']}); change it"


def _unknown(keys: tuple[str, ...], given: object, holder: type[BaseModel] | None) -> str:
    known = tuple(holder.model_fields) if holder else ()
    near = _near(keys[-1], known)
    if len(keys) == 3 and keys[0] == "tables" and isinstance(given, Mapping) and not near:
        return f'no such key here; for a table of another schema write [tables."{keys[1]}.{keys[2]}"]'
    return f"no such key here{near}; the keys here are {', '.join(known)}"


def correction(given: str, known: Iterable[str], otherwise: str = "correct the name") -> str:
    """What to do about a name that is not among those known: take the nearest, if one is near."""
    near = difflib.get_close_matches(given, sorted(known), n=1)
    return f"did you mean {near[0]}?" if near else otherwise


def _near(given: object, known: Iterable[str]) -> str:
    near = correction(str(given), known, otherwise="")
    return f"; {near}" if near else ""


def _choices(expected: str) -> list[str]:
    return [word.strip("' ") for word in expected.replace(" or ", ",").split(",")]


def _meaning(keys: tuple[str, ...], holder: type[BaseModel] | None) -> str:
    """What the key is for, from the model; empty when the location is not a field of it."""
    field = holder.model_fields.get(keys[-1]) if holder and keys else None
    return f" ({field.description.rstrip('.')})" if field and field.description else ""


def _show(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "…"

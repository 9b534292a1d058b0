"""Code that knows a key: by its columns in ON CONFLICT, which stops working (42P10), or by its name in an error."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tenantry.catalog import Function, Index
from tenantry.conversion import Conversion
from tenantry.names import display, quote
from tenantry.steps.keys import Replacement, keys

# The target may hold expressions with a level or two of parentheses of their own.
_TARGET = r"\(((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)"
_CONFLICT = re.compile(
    rf'\bon\s+conflict\s*(?:{_TARGET}|on\s+constraint\s+(?:"([^"]+)"|(\w+)))', re.IGNORECASE
)


def notes(c: Conversion) -> Iterator[str]:
    """What to write instead, and the functions that say it now. Other keys cannot be named by their columns."""
    for r in keys(c).replacements:
        if r.old.exclusion or (r.constraint is not None and r.constraint.deferrable):
            continue
        yield f"code to edit: ON CONFLICT ({_target(r.old)}) on {r.table.label} becomes ON CONFLICT ({_target(r.new)})"
        for function in c.catalog.functions:
            if _says(function, r):
                yield f"code to edit: function {display(function.qname)}({function.arguments}) says ON CONFLICT on {r.old.name} of {r.table.label}"
    for r in keys(c).replacements:
        if not r.primary and r.new.name != r.old.name:
            yield f"code to edit: what looks for {r.old.name} in an error meets {r.new.name}, without a DETAIL"


def _target(index: Index) -> str:
    keys_ = [_plain(k.column) if k.column is not None else k.expression or "" for k in index.keys]
    return ", ".join(keys_)


def _plain(name: str) -> str:
    return name if re.fullmatch(r"[a-z_][a-z0-9_$]*", name) else quote(name)


def _says(function: Function, r: Replacement) -> bool:
    if r.table.table.name not in function.source:
        return False
    for target, *constraint in _CONFLICT.findall(function.source):
        if r.old.name in constraint or (target and _parts(target) == _parts(_target(r.old))):
            return True
    return False


def _parts(target: str) -> list[str]:
    """The keys of a target in any order and spelling: without layout, quotes, parentheses and casts to text."""
    return sorted(re.sub(r'::text|[\s"()]', "", part).lower() for part in target.split(","))

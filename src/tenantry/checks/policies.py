"""What a policy's expression tests, judged by its tree: an allow-list of forms that are known to isolate.

Whatever is not on the list is ``other``: not classified, and never taken for good. A disjunction is as weak as
its weakest arm, a conjunction as strong as its strongest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tenantry.checks.nodes import Node, boolean, parse, string
from tenantry.steps import contextfunctions

# tenant: a column of the row equals what a setting says · through: the row's parent does · parent: the row has a
# parent in a table whose own policies decide · null-rows: rows without a tenant too · fail-open: every row in some
# state that any session can put itself in · open: every row, whatever the session · closed: no row.
Form = Literal["tenant", "through", "parent", "other", "null-rows", "fail-open", "open", "closed"]
_WEAKEST: Sequence[Form] = (
    "open", "fail-open", "null-rows", "other", "parent", "through", "tenant", "closed",
)  # fmt: skip
_ISOLATING = ("tenant", "through", "closed", "parent")
_FIRST_USER_OID = 16384
_ONE_COLUMN, _EXISTS, _ANY = "4", "0", "2"  # SubLinkType
# Built-in functions that take a value out of a setting, or convert it: nothing set stays nothing.
_PARTS = frozenset({
    "json_object_field", "json_object_field_text", "json_extract_path_text", "jsonb_object_field",
    "jsonb_object_field_text", "jsonb_extract_path_text", "lower", "upper", "btrim", "split_part",
    "varchar", "bpchar", "int2", "int4", "int8",
})  # fmt: skip
_SETTING_BODY = re.compile(
    r"""\s*select\s+(nullif\s*\(\s*)?(?:pg_catalog\.)?current_setting\s*\(\s*'([\w.$]+)'(?:\s*::\s*text)?\s*
    (,\s*true\s*)?\)(?(1)\s*,\s*''(?:\s*::\s*text)?\s*\))(?:\s*::\s*[\w. ]+)?\s*;?\s*""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Function:
    """What the catalog says of a function: ``name`` of a built-in one, ``volatility`` as in pg_proc.

    ``source`` is of SQL and PL/pgSQL functions, ``body`` of SQL functions only. ``pinned``: its search path is what
    Tenantry's own functions have. ``definer``: it runs with its owner's rights.
    """

    name: str
    volatility: str
    source: str = ""
    body: str = ""
    pinned: bool = False
    definer: bool = False


@dataclass(frozen=True, slots=True)
class Server:
    """Oids of one server: built-in equality operators, ``current_setting``, and functions that policies call."""

    equality: frozenset[int]
    settings: frozenset[int]
    functions: Mapping[int, Function]


@dataclass(frozen=True, slots=True)
class Reading:
    """What an expression came to.

    ``column`` is the number of the compared column, of the policy's own table or, for ``through`` and ``parent``,
    of ``relation``. ``traits``: cast-column, strict-setting (an error while the setting was never made), no-nullif
    (an error once the setting is empty), bare-text (matches an empty tenant), function, sub-select, several, signed
    (only with a signature that the server checks), raises (an error where there is no tenant).
    """

    form: Form
    setting: str = ""
    column: int = 0
    relation: int = 0
    traits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Source:
    """A value that only the session decides: which settings, and how they are read."""

    settings: tuple[str, ...]
    traits: frozenset[str] = frozenset()


def read(text: str | None, server: Server) -> Reading | None:
    """Classify a stored expression; None when there is none."""
    if text is None:
        return None
    node = parse(text)
    return _read(node, server) if node is not None else Reading("other")


def function_oids(text: str | None) -> Iterator[int]:
    """The functions that an expression calls, by name or behind an operator."""
    return (int(oid) for oid in re.findall(r":(?:op)?funcid (\d+)", text or ""))


def _read(node: Node, server: Server) -> Reading:
    match node.kind, node.text("boolop"):
        case "BOOLEXPR", "or":
            return _any([_read(arm, server) for arm in node.nodes("args")])
        case "BOOLEXPR", "and":
            return _all([_read(arm, server) for arm in node.nodes("args")])
    return _comparison(node, server) or _sub_select(node, server) or _rest(node, server)


def _any(arms: list[Reading]) -> Reading:
    mine = {a.column for a in arms if a.form == "tenant"}
    arms = [a if a.form != "null-rows" or a.column in mine else replace(a, form="open") for a in arms]
    worst = min(arms, key=lambda a: _WEAKEST.index(a.form))
    return _merged(worst, [a for a in arms if a.form != "closed"])


def _all(arms: list[Reading]) -> Reading:
    arms = [replace(a, form="open") if a.form == "null-rows" else a for a in arms]
    best = max(arms, key=lambda a: _WEAKEST.index(a.form))
    return _merged(best, [best])


def _merged(chosen: Reading, arms: Sequence[Reading]) -> Reading:
    known = next((a for a in arms if a.form == "tenant"), chosen)
    traits = dict.fromkeys(t for a in arms for t in a.traits)
    return replace(chosen, setting=known.setting, column=known.column, traits=tuple(traits))


def _rest(node: Node, server: Server) -> Reading:
    """What is no comparison with a setting: a constant, or something that does not know the session at all."""
    constant = boolean(node)
    if node.kind == "CONST":
        return Reading("open" if constant else "closed")
    if node.kind == "NULLTEST" and node.text("nulltesttype") == "0":
        column = _column(node.node("arg"))
        if column is not None:
            return Reading("null-rows", column=column[0])
    if not any(_knows_the_session(n, server) for n in node.walk()):
        return Reading("open")
    asks_setting = any(_is_setting(n, server) for n in node.walk())
    if asks_setting and not any(n.kind == "VAR" for n in node.walk()):
        return Reading("fail-open")
    return Reading("other", traits=("function",) if any(_is_user_function(n) for n in node.walk()) else ())


def _comparison(node: Node, server: Server) -> Reading | None:
    """``column = what the session says``, either way round, also = ANY (…) and IS NOT DISTINCT FROM."""
    if node.kind == "BOOLEXPR" and node.text("boolop") == "not":
        (node,) = node.nodes("args") or (node,)
        if node.kind != "DISTINCTEXPR":
            return None
    elif node.kind not in ("OPEXPR", "SCALARARRAYOPEXPR") or node.text("useOr") == "false":
        return None
    args = node.nodes("args")
    if len(args) != 2 or node.number("opno") not in server.equality:
        return None
    for ours, theirs in (args, args[::-1]):
        column = _column(ours)
        source = _session(theirs, server)
        if column is not None and source is not None:
            return _compared(column, source, node.kind == "SCALARARRAYOPEXPR")
        if column is not None and _compares_with_itself(column[0], theirs, server):
            return Reading("fail-open", column=column[0])
    return None


def _compared(column: tuple[int, bool], source: _Source, several: bool) -> Reading:
    traits = set(source.traits - {"nullif", "converted", "fallback"})
    traits |= {"cast-column"} if column[1] else set()
    traits |= {"several"} if several else set()
    if "nullif" not in source.traits:
        traits |= {"no-nullif"} if "converted" in source.traits else {"bare-text"}
    form: Form = "fail-open" if "fallback" in source.traits else "tenant"
    return Reading(form, source.settings[0], column[0], traits=tuple(sorted(traits)))


def _compares_with_itself(column: int, node: Node, server: Server) -> bool:
    """``column = coalesce(setting, column)`` is true for every row of a session without a tenant."""
    found = list(node.walk())
    return any(_is_setting(n, server) for n in found) and any(
        n.kind == "VAR" and n.number("varattno") == column and n.text("varlevelsup") == "0" for n in found
    )


def _column(node: Node | None, level: str = "0") -> tuple[int, bool] | None:
    """A column of the row, and whether it is converted before it is compared."""
    cast = False
    while node is not None and node.kind in ("RELABELTYPE", "COERCEVIAIO", "COERCETODOMAIN"):
        cast = cast or node.kind == "COERCEVIAIO"
        node = node.node("arg")
    if node is None or node.kind != "VAR" or node.text("varlevelsup") != level:
        return None
    return node.number("varattno"), cast


def _session(node: Node | None, server: Server) -> _Source | None:
    """A value made of settings and constants alone."""
    if node is None:
        return None
    match node.kind:
        case "RELABELTYPE" | "COERCETODOMAIN" | "ARRAYCOERCEEXPR":
            return _session(node.node("arg"), server)
        case "COERCEVIAIO":
            return _with(_session(node.node("arg"), server), "converted")
        case "NULLIFEXPR":
            inner, empty = node.nodes("args")
            return _with(_session(inner, server), "nullif") if string(empty) == "" else None
        case "COALESCEEXPR":
            return _first_of(node.nodes("args"), server)
        case "SUBLINK" if node.text("subLinkType") == _ONE_COLUMN:
            return _with(_selected(node.node("subselect"), server), "sub-select")
        case "FUNCEXPR":
            return _called(node, server)
        case "OPEXPR":
            return _part(node, node.number("opfuncid"), server)
    return None


def _with(source: _Source | None, trait: str) -> _Source | None:
    return _Source(source.settings, source.traits | {trait}) if source is not None else None


def _first_of(args: Sequence[Node], server: Server) -> _Source | None:
    raising = bool(args) and _raises(args[-1], server)
    if raising:
        args = args[:-1]
    found = [_session(a, server) for a in args]
    settings = [s for f in found if f is not None for s in f.settings]
    if not settings or any(f is None and a.kind != "CONST" for f, a in zip(found, args, strict=True)):
        return None
    fixed = any(a.kind == "CONST" and a.text("constisnull") == "false" for a in args)
    traits = frozenset(t for f in found if f is not None for t in f.traits)
    traits |= {"raises"} if raising else set()
    return _Source(tuple(settings), traits | {"fallback"} if fixed else traits)


def _raises(node: Node, server: Server) -> bool:
    """A call of the function that only raises, and is asked where nothing else says who the tenant is."""
    while node.kind in ("RELABELTYPE", "COERCEVIAIO", "COERCETODOMAIN") and (inner := node.node("arg")):
        node = inner
    return node.kind == "FUNCEXPR" and _ours(server.functions.get(node.number("funcid"))) == "no_tenant"


def _ours(function: Function | None) -> str:
    """Which of Tenantry's own functions it is, to the letter; empty for any other."""
    if function is None or function.volatility != "s" or not function.pinned:
        return ""
    found = contextfunctions.recognise(function.source)
    if found is None or (found[0] == "current_tenant" and not function.definer):
        return ""
    return found[0]


def _called(node: Node, server: Server) -> _Source | None:
    oid, args = node.number("funcid"), node.nodes("args")
    if oid in server.settings:
        name = string(args[0]) if args else None
        if name is None:
            return None
        lenient = len(args) == 2 and boolean(args[1]) is True
        return _Source((name,), frozenset() if lenient else frozenset({"strict-setting"}))
    if oid >= _FIRST_USER_OID and not args:
        return _with(_body(server.functions.get(oid), server), "function")
    return _part(node, oid, server)


def _body(function: Function | None, server: Server) -> _Source | None:
    """A function that only hands on a setting. An IMMUTABLE one does not: its value stays in cached plans."""
    if function is None or function.volatility == "i":
        return None
    if _ours(function) == "current_tenant":
        known = contextfunctions.recognise(function.source)
        return _Source((known[1],), frozenset({"nullif", "signed"})) if known else None
    if function.body:
        tree = parse(function.body)
        return _selected(tree, server)
    found = _SETTING_BODY.fullmatch(function.source)
    if found is None:
        return None
    traits = {"nullif", "converted"} if found[1] else {"converted"} if "::" in found[0] else set()
    return _Source((found[2],), frozenset(traits if found[3] else traits | {"strict-setting"}))


def _part(node: Node, oid: int, server: Server) -> _Source | None:
    """A part of a setting: a built-in function that yields nothing for nothing."""
    function = server.functions.get(oid)
    if function is None or function.name not in _PARTS:
        return None
    inner = [_session(a, server) for a in node.nodes("args")]
    if any(f is None and a.kind != "CONST" for f, a in zip(inner, node.nodes("args"), strict=True)):
        return None
    found = [f for f in inner if f is not None]
    if not found:
        return None
    traits = frozenset(t for f in found for t in f.traits)
    return _Source(tuple(s for f in found for s in f.settings), traits)


def _selected(query: Node | None, server: Server) -> _Source | None:
    """``(SELECT value)`` without a table."""
    if query is None or query.kind != "QUERY" or query.nodes("rtable") or not _plain(query):
        return None
    targets = [t for t in query.nodes("targetList") if t.text("resjunk") != "true"]
    return _session(targets[0].node("expr"), server) if len(targets) == 1 else None


def _plain(query: Node) -> bool:
    """No CTE, set operation, grouping or modification that would make the conditions mean something else."""
    flags = ("hasAggs", "hasWindowFuncs", "hasTargetSRFs", "hasModifyingCTE")
    parts = ("cteList", "setOperations", "groupingSets", "havingQual", "limitCount", "limitOffset")
    return query.text("commandType") == "1" and (
        all(query.text(f) == "false" for f in flags) and all(query.text(p) in ("", "<>") and not query.node(p) and not query.nodes(p) for p in parts)
    )  # fmt: skip


def _sub_select(node: Node, server: Server) -> Reading | None:
    """EXISTS (… of one table, joined to the row, of the session's tenant), or the same with IN."""
    kind, query = node.text("subLinkType"), node.node("subselect")
    if node.kind != "SUBLINK" or kind not in (_EXISTS, _ANY) or query is None or not _plain(query):
        return None
    tables = query.nodes("rtable")
    if len(tables) != 1 or tables[0].text("rtekind") != "0":
        return None
    tree = query.node("jointree")
    quals = tree.node("quals") if tree is not None else None
    linked = kind == _ANY and _is_in(node, query, server)
    relation, found = tables[0].number("relid"), None
    for condition in _conjuncts(quals):
        linked = linked or _links(condition, server)
        found = found or _inner(condition, server)
    if not linked:
        return None
    if found is None:
        return Reading("parent", relation=relation)
    return replace(found, form="through", relation=relation) if found.form == "tenant" else None


def _conjuncts(node: Node | None) -> tuple[Node, ...]:
    if node is None:
        return ()
    return node.nodes("args") if node.text("boolop") == "and" else (node,)


def _links(node: Node, server: Server) -> bool:
    """An equality between a column of the parent and one of the row."""
    if node.kind != "OPEXPR" or node.number("opno") not in server.equality:
        return False
    args = node.nodes("args")
    return len(args) == 2 and any(
        _column(a, "0") is not None and _column(b, "1") is not None for a, b in (args, args[::-1])
    )


def _is_in(node: Node, query: Node, server: Server) -> bool:
    test = node.node("testexpr")
    if test is None or test.kind != "OPEXPR" or test.number("opno") not in server.equality:
        return False
    targets = query.nodes("targetList")
    return _column(test.nodes("args")[0]) is not None and _column(targets[0].node("expr")) is not None


def _inner(node: Node, server: Server) -> Reading | None:
    found = _comparison(node, server)
    return found if found is not None and found.form == "tenant" else None


def _is_setting(node: Node, server: Server) -> bool:
    return node.kind == "FUNCEXPR" and node.number("funcid") in server.settings


def _is_user_function(node: Node) -> bool:
    return max(node.number("funcid"), node.number("opfuncid")) >= _FIRST_USER_OID


def _knows_the_session(node: Node, server: Server) -> bool:
    """Anything whose value may differ between two sessions that look at the same row."""
    if node.kind in ("SUBLINK", "SQLVALUEFUNCTION", "NEXTVALUEEXPR"):
        return True
    for name in ("funcid", "opfuncid"):
        oid = node.number(name)
        if oid > 0:
            function = server.functions.get(oid)
            if oid >= _FIRST_USER_OID or function is None or function.volatility != "i":
                return True
    return False

"""Searches: functions that find rows of the session's tenant by an index that a policy keeps from being used.

An operator that is not leakproof may not look at a row before the policy has, so it cannot use an index. These
functions run as a role whose policy is ``true``, and say themselves whose rows they return.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set

from tenantry import ddl
from tenantry.catalog import Column, Function, Policy, textual
from tenantry.conversion import Conversion, TenantTable
from tenantry.names import QName, columns, display, fit, qualified, quote, spell
from tenantry.plan import Change
from tenantry.spec import LIMIT, OFFSET, Search, Spec
from tenantry.steps import context, definers, expressions
from tenantry.steps.definers import Definer, Kind, each
from tenantry.steps.expressions import Expression, Scope

POLICY = "tenant_search"
# A plan that was made for one tenant, or for no word in particular, is wrong for another; before PostgreSQL 18 functions
# in SQL know nothing else, and read the key's index from one end where no order is asked for.
LANGUAGE = "plpgsql"
CONFIG = (definers.PINNED, "plan_cache_mode=force_custom_plan")
PAGE = 20  # rows that the planner counts on; with the usual 1000 it reads the whole table to join them back


def kind(spec: Spec) -> Kind:
    """What they run as."""
    why = "Searches run as this role, which nobody logs in as and which reads the columns that they compare."
    return Kind("search", spec.roles.searcher, POLICY, "searches", why)


def is_ours(c: Conversion, table: QName, policy: Policy) -> bool:
    """True for the policy that lets searches read; :func:`steps` makes it again where it says something else."""
    return policy.name == POLICY and any(s.table == table for s in c.spec.searches.values())


def is_search(c: Conversion, function: Function) -> bool:
    """True for a function that is a search of the spec, as it is to be."""
    return definers.is_one(kind(c.spec), wanted(c), function)


def wanted(c: Conversion) -> list[Definer]:
    """The searches whose tables and keys are known, by name."""
    found = ((name, search, _target(c, search)) for name, search in sorted(c.spec.searches.items()))
    return [_definer(c, name, search, table) for name, search, table in found if table is not None]


def _target(c: Conversion, search: Search) -> TenantTable | None:
    """The table that is searched; None if it cannot be."""
    table = c.get(search.table) if search.table != c.tenants else None
    return table if table is not None and not table.part and _key(table) else None


def _key(table: TenantTable) -> tuple[Column, ...]:
    """What identifies a row within its tenant: the primary key without the tenant column, which it may have or get."""
    primary = table.table.primary_key
    found = [
        table.table.column(name) for name in (primary.columns if primary else ()) if name != table.column
    ]
    return tuple(column for column in found if column is not None)


def _expressions(c: Conversion, name: str, search: Search, table: TenantTable) -> Mapping[str, Expression]:
    scope = Scope(
        table=search.table,
        columns=frozenset(column.name for column in table.table.columns) | {table.column},
        arguments=frozenset(argument for argument, _ in search.typed),
        schemas=frozenset(schema.name for schema in c.catalog.schemas),
        functions=frozenset(f.qname for f in c.catalog.functions),
    )
    found = {"match": expressions.read(search.match, scope)}
    if search.order is not None:
        found["order"] = expressions.read(search.order, scope, listed=True)
    return found


def _definer(c: Conversion, name: str, search: Search, table: TenantTable) -> Definer:
    key, app = _key(table), c.spec.roles.app
    names = [column.name for column in key]
    found = _expressions(c, name, search, table).values()
    read = each(*names, table.column, *(column for one in found for column in one.columns()))
    body = _body(search, names, f"{quote(table.column)} = {context.value(c)}")
    # A function keeps no limit of a type.
    types = [re.sub(r"\([0-9, ]*\)", "", column.type) for column in key]
    several = ", ".join(f"{quote(n)} {t}" for n, t in zip(names, types, strict=True))
    returns = f"SETOF {types[0]}" if len(key) == 1 else f"TABLE ({several})"
    given = [*search.typed, (LIMIT, "integer"), (OFFSET, "integer")]
    written = [f"{quote(n)} {t}" for n, t in given]
    written[-2:] = [f"{written[-2]} DEFAULT NULL", f"{written[-1]} DEFAULT 0"]
    made = _name(c.spec, name)
    return Definer(
        name=made,
        arguments=", ".join(f"{n} {t}" for n, t in given),
        types=", ".join(t for _, t in given),
        body=body,
        config=CONFIG,
        reads=((search.table, read),),
        create=ddl.create_definer(
            f"{qualified(made)}({', '.join(written)})",
            returns,
            f"LANGUAGE {LANGUAGE} STABLE ROWS {PAGE}",
            CONFIG,
            body,
        ),
        why=f"{app} may search {display(search.table)}, and gets keys of the session's tenant only.",
        schemas=frozenset(schema for one in found for schema in one.schemas()) - {"pg_catalog"},
        language=LANGUAGE,
    )


def _name(spec: Spec, name: str) -> QName:
    return QName(spec.tenancy.tenants.schema, fit(name))


def _body(search: Search, key: list[str], own: str) -> str:
    """The query. The spec's text is between parentheses, or a list of its own; the rest is numbered, not named.

    What is returned has the names of columns: they mean the columns.
    """
    count = len(search.arguments)
    order = ", ".join([*([search.order] if search.order is not None else []), columns(key)])
    return (
        f"\n#variable_conflict use_column\nBEGIN\nRETURN QUERY SELECT {columns(key)} FROM {qualified(search.table)}\n"
        f"WHERE {own}\nAND ({search.match})\n"
        f"ORDER BY {order}\nLIMIT ${count + 1} OFFSET ${count + 2};\nEND"
    )


def compared(search: Search, names: Set[str]) -> frozenset[str]:
    """The columns, of a table that has these, that the condition is about: their index serves the search."""
    scope = Scope(search.table, names, frozenset(), frozenset(), frozenset())
    return frozenset(expressions.read(search.match, scope).columns())


def pattern(spec: Spec, name: str) -> str:
    """A regular expression of the server's for the body of a search, as far as the spec alone tells: which columns are
    the key is left open."""
    search = spec.searches[name]
    rule = spec.tables.get(search.table)
    column = rule.column if rule is not None and rule.column else spec.tenancy.column
    text = re.escape(_body(search, [_KEY], f"{quote(column)} = {_VALUE}"))
    found = text.replace(re.escape(quote(_KEY)), '"([^"]|"")+"(, "([^"]|"")+")*')
    return f"^{found.replace(_VALUE, _values(spec))}$"


_KEY, _VALUE, _CAST = "\x01", "\x02", "\x03"  # what stands for the rest while a pattern is made
_CASTS = ("uuid", "bigint", "integer", "smallint", "numeric")


def _values(spec: Spec) -> str:
    """What may say the tenant of the session in a body; of a domain the spec does not tell what is below it."""
    type_ = spec.tenancy.type
    if textual(type_):
        return re.escape(context.value_of(spec, ""))
    cast = re.escape(f"::{type_}") if type_ in _CASTS else "::[a-z0-9_]+"
    typed = re.escape(context.value_of(spec, _CAST)).replace(_CAST, cast)
    return typed if type_ in _CASTS else f"({re.escape(context.value_of(spec, ''))}|{typed})"


# What keeps them from being made


def problems(c: Conversion) -> Iterator[str]:
    """Searches that could not be made, or could find more than they are to."""
    if not c.spec.searches:
        return
    yield from definers.role_problems(c, kind(c.spec))
    for name, search in sorted(c.spec.searches.items()):
        yield from (f"searches.{name}: {problem}" for problem in _problems(c, name, search))
    for one in wanted(c):
        for f in c.catalog.functions:
            mine = f.owner == c.spec.roles.searcher or definers.same(f, one)
            if f.qname == one.name and not mine:
                yield f"searches.{one.name.name}: {display(f.qname)}({f.arguments}) is already there and is somebody else's; rename one of them, or DROP FUNCTION it"


def _problems(c: Conversion, name: str, search: Search) -> Iterator[str]:
    table, of = c.get(search.table), spell(search.table)
    if table is None and not c.refuses(search.table):
        return  # its scope is still to be decided
    if table is None or search.table == c.tenants:
        yield f"{of} is not a tenant table, and only the tenant column says whose a row is; search a table of scope tenant"
        return
    if table.part:
        yield f"{of} is a part of {spell(table.root)}; search that"
        return
    if not _key(table):
        yield f"{of} has no primary key but the tenant, so there is nothing to return; add one"
    if name in c.spec.resolvers:
        yield "a resolver has that name, too; rename one of them"
    there = {column.name for column in table.table.columns} | {table.column}
    for argument, _ in search.typed:
        if argument in there:
            yield f"argument {argument} has the name of a column of {of}, which would be meant instead; rename the argument"
        elif argument in (search.table.name, _name(c.spec, name).name):
            yield f"argument {argument} has the name of the table or of the function; rename the argument"
    found = _expressions(c, name, search, table)
    for key, one in found.items():
        yield from (f"{key} {problem}" for problem in one.problems())
    used = frozenset(argument for one in found.values() for argument in one.arguments())
    for argument, _ in search.typed:
        if argument not in used:
            yield f"argument {argument} is used neither in match nor in order; use it, or remove it"


# Steps


def steps(c: Conversion) -> Iterator[Change]:
    """The role, what it may read, and the functions."""
    return definers.steps(c, kind(c.spec), wanted(c))


def probes(c: Conversion) -> Iterator[tuple[str, str]]:
    """For each search a query that reads no row, and does what the function does with the text of the spec; and what it
    means that the server does not take it."""
    for name, search in sorted(c.spec.searches.items()):
        if _target(c, search) is None:
            continue
        given = ", ".join(f"NULL::{type_} AS {quote(n)}" for n, type_ in search.typed)
        order = f" ORDER BY {search.order}" if search.order is not None else ""
        yield (
            f"SELECT 0 FROM (SELECT FROM {qualified(search.table)}, (SELECT {given}) AS {quote(_name(c.spec, name).name)}"
            f" WHERE false AND ({search.match}){order}) AS probe",
            f"searches.{name}: the server does not take it; correct match, order or the arguments in the spec"
            " (names outside pg_catalog carry their schema, an operator is written OPERATOR(schema.@@))",
        )


def exemption(c: Conversion) -> list[tuple[str, str]]:
    """Every search of the spec: its signature, and what it reads in plain words."""
    return definers.exemption(wanted(c))

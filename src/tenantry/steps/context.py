"""What a session says of its tenant, as policies and defaults read it: a setting, signed or not, hidden or raised.

Plain, the setting holds the tenant. Signed, it holds ``MAC.KEY.UNTIL.TENANT``, which a function checks that runs as
a role of its own: only that role reads the keys. The MAC is HMAC-SHA-256 (RFC 2104) in the server's own sha256().
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tenantry import ddl, verify
from tenantry.catalog import Function, Grant, textual
from tenantry.conversion import Conversion
from tenantry.names import QName, display, literal, qualified, quote
from tenantry.plan import Change, Lock, Phase
from tenantry.spec import Spec
from tenantry.steps import contextfunctions
from tenantry.steps.contextfunctions import Kind

PINNED = "search_path=pg_catalog, pg_temp"
# The runtime asks for a custom plan of each statement; of the look-up of a key that would take longer than the rest.
_GENERIC = "plan_cache_mode=force_generic_plan"
# One call takes about 6 µs, some hundred times what the planner takes an operator for; told so, it prefers an index,
# which asks once per scan, to a filter, which asks for each row.
_COST = 1000


@dataclass(frozen=True, slots=True)
class Routine:
    """One of the functions. ``open``: everybody may call it, since policies run with the rights of who asks.

    ``config`` are its settings, as the catalog has them.
    """

    name: QName
    arguments: str
    returns: str
    how: str
    body: str
    why: str
    open: bool = True
    config: tuple[str, ...] = (PINNED,)

    @property
    def signature(self) -> str:
        """Quoted SQL, with the types of the arguments."""
        types = ", ".join(a.split()[1] for a in self.arguments.split(", ") if a)
        return f"{qualified(self.name)}({types})"

    def function(self, owner: str) -> Function:
        """As the catalog has it, where it belongs to ``owner``."""
        language = self.how.split()[1]
        return Function(
            *self.name, self.arguments, language, "f", "SECURITY DEFINER" in self.how, self.body, self.config,
            owner=owner, callers=("",) if self.open else (), volatility="s" if "STABLE" in self.how else "v",
        )  # fmt: skip


# Expressions


def signed(spec: Spec) -> bool:
    """True where the setting holds a signed value."""
    return spec.tenancy.context == "signed"


def raises(spec: Spec) -> bool:
    """True where work without a tenant raises."""
    return spec.tenancy.missing == "raise"


def at(spec: Spec, name: str) -> QName:
    """A name in the schema of these functions."""
    return QName(spec.tenancy.functions, name)


def _call(spec: Spec, kind: Kind) -> str:
    return f"{qualified(at(spec, kind))}()"


def _setting(spec: Spec) -> str:
    return f"current_setting({literal(spec.tenancy.setting)}, true)"


def value(c: Conversion) -> str:
    """The tenant of the session, as a policy compares it.

    Bare for text: the planner then estimates with the tenant's own statistics. A cast to a limited length would
    cut a longer setting down to some other tenant. Typed keys need NULLIF, because after SET LOCAL ends the
    setting reads as an empty string, which is no uuid or number. What raises comes last in a COALESCE, which the
    server asks only while there is no tenant.
    """
    return value_of(c.spec, "" if c.textual else f"::{c.type}")


def value_of(spec: Spec, cast: str) -> str:
    """:func:`value` for a tenant type that needs that cast of a text."""
    if signed(spec):
        found = _call(spec, "current_tenant")
        return f"coalesce({found}, {_call(spec, 'no_tenant')}{cast})" if raises(spec) else found
    if raises(spec):
        return f"coalesce(nullif({_setting(spec)}, ''), {_call(spec, 'no_tenant')}){cast}"
    return f"nullif({_setting(spec)}, ''){cast}" if cast else _setting(spec)


def expected(c: Conversion) -> str:
    """How the server deparses :func:`value`."""
    spec = c.spec
    setting = f"current_setting({literal(spec.tenancy.setting)}::text, true)"
    text = f"NULLIF({setting}, ''::text)"
    mine, none = (f"{display_function(at(spec, n))}()" for n in ("current_tenant", "no_tenant"))
    if signed(spec):
        last = none if c.textual else f"({none})::{c.type}"
        return f"COALESCE({mine}, {last})" if raises(spec) else mine
    if raises(spec):
        found = f"COALESCE({text}, {none})"
        return found if c.textual else f"({found})::{c.type}"
    return setting if c.textual else f"({text})::{c.type}"


def display_function(name: QName) -> str:
    """A name as the server deparses it where its schema is not in the search path."""
    return ".".join(p if re.fullmatch(r"[a-z_][a-z0-9_]*", p) else quote(p) for p in name)


def default(c: Conversion, otherwise: str | None = None) -> str:
    """The default of the tenant column: the session's tenant, else ``otherwise``, else NULL (refused by NOT NULL)."""
    found = _call(c.spec, "current_tenant") if signed(c.spec) else f"nullif({_setting(c.spec)}, '')"
    if signed(c.spec):
        return found if otherwise is None else f"coalesce({found}, {literal(otherwise)}::{c.type})"
    if otherwise is not None:
        found = f"coalesce({found}, {literal(otherwise)})"
    return found if c.textual else f"({found})::{c.type}"


def expected_default(c: Conversion) -> tuple[str, ...]:
    """How the server deparses the final default."""
    if signed(c.spec):
        return (f"{display_function(at(c.spec, 'current_tenant'))}()",)
    text = f"NULLIF(current_setting({literal(c.spec.tenancy.setting)}::text, true), ''::text)"
    return (text,) if c.textual else (f"({text})::{c.type}",)


# Functions


def _definer(language: str, volatility: str) -> str:
    return f"LANGUAGE {language} {volatility} SECURITY DEFINER"


def routines(c: Conversion) -> list[Routine]:
    """The functions that the spec needs."""
    spec = c.spec
    setting, keys = spec.tenancy.setting, at(spec, "keys")
    stable = f"STABLE PARALLEL SAFE COST {_COST}"
    type_ = "text" if textual(c.type) else c.type
    found = []
    if signed(spec):
        found += [
            Routine(
                at(spec, "current_tenant"), "", type_, _definer("plpgsql", stable), contextfunctions.current_tenant(setting, keys, type_),
                f"Policies ask it for the tenant of the session: it checks who signed {setting}, and for how long.",
                config=(PINNED, _GENERIC),
            ),
            Routine(
                at(spec, "enter"), "value text", "void", _definer("plpgsql", "VOLATILE"), contextfunctions.enter(setting),
                f"Sets {setting} for the transaction: takes a parameter, which no other session sees, and needs no set_config.",
            ),
            Routine(
                at(spec, "sign"), "tenant text, seconds integer", "text", _definer("sql", "STABLE STRICT"), contextfunctions.sign(keys),
                "Signs a value by hand, for administrators.", open=False,
            ),
        ]  # fmt: skip
    if raises(spec):
        found.append(
            Routine(
                at(spec, "no_tenant"), "", "text",
                "LANGUAGE plpgsql STABLE PARALLEL SAFE",
                contextfunctions.no_tenant(setting), "Policies ask it where there is no tenant: it raises.",
            )
        )  # fmt: skip
    return found


# What keeps them from being made


def wanted(spec: Spec) -> bool:
    """True where any of the functions is needed."""
    return signed(spec) or raises(spec)


def problems(c: Conversion) -> Iterator[str]:
    """A schema or a role that is taken, or that the application could be."""
    if not wanted(c.spec):
        return
    role, schema = c.spec.roles.context, c.spec.tenancy.functions
    known = c.catalog.roles_by_name.get(role)
    if role in (c.spec.roles.app, c.spec.roles.owner, c.spec.roles.resolver, c.spec.roles.searcher):
        yield f"[roles]: context is {role}, which has another part; name a role of its own"
    if known is not None and (known.login or known.superuser or known.bypass_rls):
        what = "can log in" if known.login else "is bound by no policy"
        yield f"role {role}: {what}, and would own the keys that tenants are signed with; name a NOLOGIN role in [roles] context"
    for member in c.catalog.roles:
        if role in member.member_of and not member.superuser:
            yield f"role {member.name}: is a member of {role}, which owns the keys that tenants are signed with; REVOKE {quote(role)} FROM {quote(member.name)}"
    found = next((s for s in c.catalog.schemas if s.name == schema), None)
    if found is not None and found.owner != role:
        yield f"schema {schema}: is already there and belongs to {found.owner}; name another in [tenancy] functions, or give it to {role}"


# Steps


def steps(c: Conversion) -> Iterator[Change]:
    """The role, the schema, the keys and the functions; before anything whose default or policy asks them."""
    if not wanted(c.spec):
        return
    yield from _role(c)
    yield from _schema(c)
    if signed(c.spec):
        yield from _keys(c)
    for routine in routines(c):
        yield from _routine(c, routine)


def _role(c: Conversion) -> Iterator[Change]:
    name = c.spec.roles.context
    if name not in c.catalog.roles_by_name:
        yield Change(
            id=f"tenants.role.{name}", phase=Phase.TENANTS, object=name,
            why="Owns what policies ask for the tenant, and nobody is it.",
            apply=(ddl.create_role(name, login=False),), verify=verify.query(verify.role(name)),
            revert=(ddl.drop_role(name),),
        )  # fmt: skip


def _schema(c: Conversion) -> Iterator[Change]:
    schema, role = c.spec.tenancy.functions, c.spec.roles.context
    known = next((s for s in c.catalog.schemas if s.name == schema), None)
    if known is None:
        yield Change(
            id=f"tenants.schema.{schema}", phase=Phase.TENANTS, object=schema,
            why=f"What policies ask for the tenant is in a schema that {role} owns; every role reaches it.",
            apply=(ddl.create_schema(schema, role), ddl.grant("SCHEMA", quote(schema), ["USAGE"], "")),
            verify=verify.query(verify.open_schema(schema)), revert=(ddl.drop_schema(schema),),
        )  # fmt: skip
    elif "USAGE" not in known.privileges(""):
        yield Change(
            id=f"tenants.schema.{schema}", phase=Phase.TENANTS, object=schema,
            why=f"Every role reaches what policies ask for the tenant; what it may do there is {role}'s to say.",
            apply=(ddl.grant("SCHEMA", quote(schema), ["USAGE"], ""),), verify=verify.query(verify.open_schema(schema)),
            revert=(ddl.revoke("SCHEMA", quote(schema), ["USAGE"], ""),),
        )  # fmt: skip


def _keys(c: Conversion) -> Iterator[Change]:
    keys, role, app = at(c.spec, "keys"), c.spec.roles.context, c.spec.roles.app
    known = c.catalog.by_name.get(keys)
    held = (*known.grants, *known.column_grants) if known is not None else ()
    mine = known is not None and known.owner == role
    others = {g.role for g in held} - {role}
    if mine and not others:
        return
    # Default privileges may have given them some.
    others |= {"", *([app] if app in c.catalog.roles_by_name else [])} if not mine else set()
    yield Change(
        id=f"tenants.{display(keys)}", phase=Phase.TENANTS, object=display(keys),
        why=f"The keys that tenants are signed with, which only {role} reads; tenantry keys makes one.",
        apply=(
            *((_create_keys(keys),) if known is None else ()),
            *(ddl.revoke("TABLE", qualified(keys), ["ALL"], other) for other in sorted(others)),
            *(() if mine else (ddl.own(keys, role),)),
        ),
        verify=verify.query(verify.relation(keys), verify.owned(keys, role), verify.owner_only(keys)),
        revert=(ddl.drop_table(keys),) if known is None else tuple(_given_back(keys, held, role)) if mine else (),
        lock=Lock.ACCESS_EXCLUSIVE if known and not mine else Lock.NONE,
    )  # fmt: skip


def _given_back(keys: QName, held: Sequence[Grant], role: str) -> Iterator[str]:
    for g in held:
        if g.role != role:
            words = [f"{word} ({quote(g.column)})" if g.column else word for word in g.privileges]
            yield ddl.grant("TABLE", qualified(keys), words, g.role)


def _create_keys(keys: QName) -> str:
    return ddl.create_table(keys, [
        "id text PRIMARY KEY CHECK (id ~ '^[a-z0-9]+$')",
        "inner_pad bytea CHECK (length(inner_pad) = 64)",
        "outer_pad bytea CHECK (length(outer_pad) = 64)",
        "created_at timestamp with time zone NOT NULL DEFAULT now()",
        "until timestamp with time zone",
        f"CHECK (CASE id WHEN {literal(contextfunctions.UNSIGNED)} THEN until IS NOT NULL AND inner_pad IS NULL AND outer_pad IS NULL\n"
        "    ELSE inner_pad IS NOT NULL AND outer_pad IS NOT NULL END)",
    ])  # fmt: skip


def is_ours(c: Conversion, function: Function) -> bool:
    """True for one of the functions, as it is to be."""
    return wanted(c.spec) and any(function.like(r.function(c.spec.roles.context)) for r in routines(c))


def _routine(c: Conversion, r: Routine) -> Iterator[Change]:
    role = c.spec.roles.context
    known = [f for f in c.catalog.functions if f.qname == r.name]
    if any(is_ours(c, f) for f in known):
        return
    if r.open:
        rights = [ddl.grant("FUNCTION", r.signature, ["EXECUTE"], "")]
    else:  # default privileges may give it to some
        others = {"", *(caller for f in known for caller in f.callers)}
        rights = [ddl.revoke("FUNCTION", r.signature, ["ALL"], other) for other in sorted(others)]
    settings = "".join(f" SET {each.replace('=', ' = ', 1)}" for each in r.config)
    made = ddl.create_function(f"{qualified(r.name)}({r.arguments})", r.returns, f"{r.how}{settings}", r.body)
    yield Change(
        id=f"tenants.{display(r.name)}", phase=Phase.TENANTS, object=display(r.name), why=r.why,
        apply=(made, ddl.own_function(r.signature, role), *rights),
        verify=verify.query(verify.function(r.signature, r.function(role))),
        revert=() if known else (ddl.drop_function(r.signature),),
    )  # fmt: skip

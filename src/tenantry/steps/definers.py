"""Functions that read rows of every tenant by their nature, and what makes that as small as it can be.

Each runs as a role that nobody logs in as and that owns no table. Row level security is not switched off for it: one
more policy lets that role read, and it has the right to the few columns that its functions compare. So it needs no
BYPASSRLS, which only a superuser may give, and FORCE stays what it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tenantry import ddl, verify
from tenantry.catalog import Function, Policy, Table
from tenantry.conversion import Conversion
from tenantry.names import QName, display, qualified, quote
from tenantry.plan import Change, Lock, Phase
from tenantry.steps.rights import column_rights, usage

PINNED = "search_path=pg_catalog, pg_temp"


@dataclass(frozen=True, slots=True)
class Kind:
    """What such functions are for. ``word`` is in the ids of steps, ``role`` the one that they run as."""

    word: str
    role: str
    policy: str
    plural: str
    why_role: str

    @property
    def rule(self) -> Policy:
        """The policy that lets the role read."""
        return Policy(self.policy, True, "select", (self.role,), "true", None)


@dataclass(frozen=True, slots=True)
class Definer:
    """One such function, ready to be made: ``arguments`` as the catalog lists them, ``types`` without their names.

    ``reads`` are the columns of each table, ``schemas`` what it needs besides those of its tables.
    """

    name: QName
    arguments: str
    types: str
    body: str
    config: tuple[str, ...]
    reads: tuple[tuple[QName, tuple[str, ...]], ...]
    create: str
    why: str
    schemas: frozenset[str] = frozenset()
    language: str = "sql"

    @property
    def signature(self) -> str:
        """Quoted SQL, with the types of the arguments."""
        return f"{qualified(self.name)}({self.types})"

    @property
    def label(self) -> str:
        """For people."""
        return f"{display(self.name)}({self.types})"

    def function(self, owner: str, callers: tuple[str, ...]) -> Function:
        """As the catalog has it, where it belongs to ``owner`` and these may call it."""
        return Function(
            *self.name, self.arguments, self.language, "f", True, self.body, self.config,
            owner=owner, callers=callers, volatility="s",
        )  # fmt: skip


def each(*names: str) -> tuple[str, ...]:
    """The names, each once."""
    return tuple(dict.fromkeys(names))


def _matches(function: Function, wanted: Definer) -> bool:
    """By name and arguments; the server quotes a name of an argument or a type only where it has to."""
    return function.qname == wanted.name and _bare(function.arguments) == _bare(wanted.arguments)


def _bare(arguments: str) -> str:
    return arguments.replace('"', "")


def same(function: Function, wanted: Definer) -> bool:
    """True for the wanted function, whoever owns and calls it."""
    return function.like(wanted.function(function.owner, function.callers))


def is_one(kind: Kind, wanted: Iterable[Definer], function: Function) -> bool:
    """True for a function that is one of the wanted, as it is to be."""
    return function.owner == kind.role and any(same(function, one) for one in wanted)


def reads(wanted: Iterable[Definer]) -> dict[QName, tuple[str, ...]]:
    """The columns of each table that any of them reads."""
    found: dict[QName, tuple[str, ...]] = {}
    for one in wanted:
        for name, names in one.reads:
            found[name] = each(*found.get(name, ()), *names)
    return found


def exemption(wanted: Iterable[Definer]) -> list[tuple[str, str]]:
    """Each function, and what it reads, in plain words."""
    return [
        (one.label, ", ".join(f"{display(name)} ({', '.join(names)})" for name, names in one.reads))
        for one in wanted
    ]


# What keeps them from being made


def role_problems(c: Conversion, kind: Kind) -> Iterator[str]:
    """A role that somebody is, or that has another part."""
    name, known, spec = kind.role, c.catalog.roles_by_name, c.spec
    taken = [spec.roles.app, spec.roles.owner]
    taken += [spec.roles.resolver] if kind.word == "search" and spec.resolvers else []
    key = "searcher" if kind.word == "search" else kind.word
    if name in taken:
        yield f"[roles]: {key} is {name}, which has another part; name a role of its own"
    role = known.get(name)
    if role is not None and (role.superuser or role.bypass_rls or role.login):
        yield f"role {name}: would read every tenant's rows for the {kind.plural}, and can log in or is exempt from row level security; name a NOLOGIN role in [roles] {key}"
    for member in c.catalog.roles:
        if name in member.member_of and not member.superuser:
            yield f"role {member.name}: is a member of {name}, which reads every tenant's rows for the {kind.plural}; REVOKE {quote(name)} FROM {quote(member.name)}"


def taken(c: Conversion, kind: Kind, one: Definer) -> bool:
    """True where somebody else's function has the name and the arguments."""
    return any(_matches(f, one) and not same(f, one) and f.owner != kind.role for f in c.catalog.functions)


# Steps


def steps(c: Conversion, kind: Kind, wanted: Sequence[Definer]) -> Iterator[Change]:
    """The role, what it may read, and the functions."""
    if not wanted:
        return
    # As with the application's rights: a policy that lets through comes with the one that does not.
    phase = Phase.OBSERVE if c.online else Phase.HARDEN
    yield from _role(c, kind)
    yield from _usage(c, kind, wanted, phase)
    tables = sorted(reads(wanted).items())
    for name, _ in tables:
        yield from _policy(kind, name, c.catalog.by_name.get(name), phase)
    for name, names in tables:
        yield from _columns(kind, name, c.catalog.by_name.get(name), names, phase)
    for one in wanted:
        yield from _function(c, kind, one, phase)


def _role(c: Conversion, kind: Kind) -> Iterator[Change]:
    name = kind.role
    if name not in c.catalog.roles_by_name:
        yield Change(
            id=f"harden.role.{name}", phase=Phase.HARDEN, object=name, why=kind.why_role,
            apply=(ddl.create_role(name, login=False),), verify=verify.query(verify.role(name)),
            revert=(ddl.drop_role(name),),
        )  # fmt: skip


def _usage(c: Conversion, kind: Kind, wanted: Sequence[Definer], phase: Phase) -> Iterator[Change]:
    needed = {name.schema for name in reads(wanted)}.union(*(one.schemas for one in wanted))
    for schema in c.catalog.schemas:
        if schema.name in needed:
            yield from usage(schema, kind.role, phase, f"Without it the {kind.plural} find nothing there.")


def _policy(kind: Kind, name: QName, table: Table | None, phase: Phase) -> Iterator[Change]:
    there = table.policy(kind.policy) if table is not None else None
    if there == kind.rule:
        return
    old = () if there is None else (ddl.drop_policy(name, kind.policy),)
    yield Change(
        id=f"{phase}.{display(name)}.{kind.word}", phase=phase, object=display(name),
        why=f"{kind.role} reads {display(name)} for the {kind.plural}, and nobody else is let through by this.",
        apply=(*old, ddl.create_policy(name, kind.rule)),
        verify=verify.query(verify.policy_for(name, kind.rule)),
        revert=(ddl.drop_policy(name, kind.policy), *(() if there is None else (ddl.create_policy(name, there),))),
        lock=Lock.ACCESS_EXCLUSIVE, tables=(name,),
    )  # fmt: skip


def _columns(
    kind: Kind, name: QName, table: Table | None, names: tuple[str, ...], phase: Phase
) -> Iterator[Change]:
    right = column_rights(kind.role, name, table, names)
    if right is not None:
        yield Change(
            id=f"{phase}.{display(name)}.{kind.word}.columns", phase=phase, object=display(name), why=right.why,
            apply=right.apply, verify=verify.query(right.verify), revert=right.revert,
        )  # fmt: skip


def _function(c: Conversion, kind: Kind, one: Definer, phase: Phase) -> Iterator[Change]:
    role, app = kind.role, c.spec.roles.app
    mine = [f for f in c.catalog.functions if f.qname == one.name and (f.owner == role or same(f, one))]
    known = next((f for f in mine if same(f, one)), None)
    old = [f for f in mine if f is not known]
    if known is not None and known.owner == role and known.callers == (app,) and not old:
        return
    # One of ours that says something else, or takes something else: the server may not replace what it returns.
    apply = [ddl.drop_function(f"{qualified(f.qname)}({f.arguments})") for f in old]
    apply += [one.create] if known is None else []
    spare = ["", *(r for r in known.callers if r not in ("", app))] if known is not None else [""]
    apply += [ddl.revoke("FUNCTION", one.signature, ["ALL"], other) for other in spare]
    apply.append(ddl.grant("FUNCTION", one.signature, ["EXECUTE"], app))
    apply.append(ddl.own_function(one.signature, role))
    yield Change(
        id=f"{phase}.{kind.word}.{one.name.name}", phase=phase, object=display(one.name), why=one.why,
        apply=tuple(apply),
        verify=verify.query(verify.function(one.signature, one.function(role, (app,))), verify.alone(one.signature)),
        revert=(ddl.drop_function(one.signature),) if known is None and not old else (),
    )  # fmt: skip

"""How a scope reaches a transaction: the statements that open it, and which statement may run in it.

Every adapter sends the same words. They are complete before the driver sees them: a tenant is written as a
literal of allowed characters and numeric escapes, so that one message can hold BEGIN and the binding, also where
``set_config`` is revoked.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

from tenantry.errors import MixedTenants, TenantError
from tenantry.runtime import scope
from tenantry.runtime.signing import Signer

SETTING = "app.current_tenant_id"
# A statement without parameters gets one plan for the session whatever this says; see `State.opening`.
CUSTOM_PLANS = "SET LOCAL plan_cache_mode = force_custom_plan"
# What the audit trail reads beside the tenant: setting = where in a scope. The actor is written each time, so that
# nobody's stale one is inherited; the others are written where a scope gives any of them.
ACTOR = "app.actor_id"
NOBODY = (f"SET LOCAL {ACTOR} = ''",)
CONTEXT = ("request_id", "session_id", "ip_address", "user_agent")
# What a tenant may leave in a session: held cursors, temporary tables.
SWEEP = ("CLOSE ALL", "DISCARD TEMP")

_own_work: ContextVar[bool] = ContextVar("tenantry_own_work", default=False)

_SETTING = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)+")
_PLAIN = re.compile(r"[A-Za-z0-9_.:@-]*")
_ENDS = re.compile(
    r"\s*(COMMIT|END|ROLLBACK|ABORT|SAVEPOINT|RELEASE|DEALLOCATE|CLOSE)\b[^;]*;?\s*", re.IGNORECASE
)
_CHAIN = re.compile(r"\bCHAIN\b", re.IGNORECASE)
_BEGINS = re.compile(r"\s*(BEGIN|START\s+TRANSACTION)\b[^;]*;?\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Binding:
    """What connections write at the beginning of each transaction.

    ``setting`` is the one that the policies read. ``unscoped`` says what work outside of a scope gets: "raise"
    raises NoTenant, "empty" runs with the empty setting, under which tenant tables show no row. ``signer`` signs the
    tenant, where the spec says so.
    Raises TenantError for a setting that is not a qualified name.
    """

    setting: str = SETTING
    unscoped: Literal["raise", "empty"] = "raise"
    signer: Signer | None = None

    def __post_init__(self) -> None:
        if not _SETTING.fullmatch(self.setting):
            raise TenantError(f"setting {self.setting!r} is no qualified name such as {SETTING}")
        if self.unscoped not in ("raise", "empty"):
            raise TenantError(f"unscoped = {self.unscoped!r}: say 'raise' or 'empty'")

    def wanted(self) -> str:
        """The value of the setting for the work of now. Raises NoTenant."""
        found = scope.current_or_none()
        if found is None and self.unscoped == "raise":
            found = scope.current()
        return (found.tenant or "") if found else ""

    @property
    def name(self) -> str:
        """The setting, quoted."""
        return _quoted(self.setting)

    def assignment(self, value: str) -> str:
        """The statement that binds the running transaction to a value."""
        return f"SET LOCAL {self.name} = {literal(value)}"


@contextmanager
def own_work() -> Iterator[None]:
    """Statements of the driver, an adapter or a pool, which need no scope and get the empty setting."""
    token = _own_work.set(True)
    try:
        yield
    finally:
        _own_work.reset(token)


@dataclass(slots=True)
class State:
    """What one connection is bound to: the value in its last transaction, None before the first.

    ``new`` is True while the driver and the adapter get the connection ready, which needs no scope. ``swept`` is
    False from when a sweep is sent until the adapter says that it was done.
    """

    binding: Binding
    bound: str | None = None
    new: bool = False
    swept: bool = True

    @property
    def free(self) -> bool:
        """Whether the statement at hand needs no scope."""
        return self.new or _own_work.get()

    @property
    def signs(self) -> bool:
        """Whether the tenant of the work of now is signed. Raises NoTenant."""
        return self.binding.signer is not None and bool(self.wanted())

    def wanted(self) -> str:
        """The value for the statement at hand. Raises NoTenant."""
        return "" if self.free else self.binding.wanted()

    def opening(self, begin: str | None, *, fixed_plans: Callable[[], bool]) -> tuple[str, ...]:
        """The statements that begin a transaction of the scope of now, which it belongs to from here on.

        ``begin`` is None where one message makes the transaction.
        Where the session served another tenant before, what that one may have left there goes first, in a
        transaction of its own, since dropping a temporary table is undone by a rollback. ``fixed_plans`` says whether
        the session holds prepared statements without parameters; they were planned for the other tenant's rows.
        Raises NoTenant.
        """
        wanted = self.wanted()
        changed = self.bound is not None and self.bound != wanted
        opened = self.again()
        if begin:
            opened = (begin, *opened)
        if not changed and self.swept:
            return opened
        self.swept = False
        return ("BEGIN", *SWEEP, *(("DISCARD PLANS",) if fixed_plans() else ()), "COMMIT", *opened)

    def again(self) -> tuple[str, ...]:
        """The statements that bind a transaction to the scope of now. Raises NoTenant."""
        self.bound = self.wanted()
        plain = "" if self.binding.signer else self.bound
        return (self.binding.assignment(plain), *self._context(), CUSTOM_PLANS)

    def entry(self) -> tuple[str, str] | None:
        """What follows :meth:`opening` and :meth:`again` where the tenant is signed: a statement and its parameter; else None.

        The value is a parameter because every session of the role sees the text of the others' statements.
        """
        signer = self.binding.signer
        return (signer.statement, signer.value(self.bound)) if signer and self.bound else None

    def _context(self) -> tuple[str, ...]:
        """Who works, and for which request."""
        found = scope.current_or_none()
        return NOBODY if found is None or self.free else _context(found)

    def check(self) -> None:
        """Raise MixedTenants unless the scope of now is that of the transaction; NoTenant outside of any."""
        if self.new or _own_work.get():
            return
        wanted = self.binding.wanted()
        if wanted != self.bound:
            raise MixedTenants(
                f"this transaction or cursor belongs to {who(self.bound)}, the running code to {who(wanted)}: the "
                "statement was not sent; end the transaction before the scope ends, and begin it inside the scope"
            )


def literal(value: str) -> str:
    """A value as an SQL literal that holds nothing but letters, digits, ``_.:@-`` and numeric escapes."""
    if _PLAIN.fullmatch(value):
        return f"'{value}'"
    return "E'" + "".join(c if _PLAIN.fullmatch(c) else f"\\U{ord(c):08X}" for c in value) + "'"


@functools.cache
def _quoted(setting: str) -> str:
    return ".".join(f'"{part}"' for part in setting.split("."))


def _context(found: scope.Scope) -> tuple[str, ...]:
    if found.request_id is None and not found.fields:
        return (f"SET LOCAL {ACTOR} = {literal(found.actor)}",) if found.actor else NOBODY
    actor = f"SET LOCAL {ACTOR} = {literal(found.actor or '')}"
    values = {"request_id": found.request_id, **{name: found.fields.get(name) for name in CONTEXT[1:]}}
    if not any(values.values()):
        return (actor,)
    return (actor, *(f"SET LOCAL app.{name} = {literal(value or '')}" for name, value in values.items()))


def ends(statement: str) -> bool:
    """Whether it is one statement that ends something: a transaction, a savepoint, a cursor, a prepared one."""
    return bool(_ENDS.fullmatch(statement)) and not _CHAIN.search(statement)


def begins(statement: str) -> bool:
    """Whether it is one statement that begins a transaction."""
    return bool(_BEGINS.fullmatch(statement))


def who(value: str | None) -> str:
    """A value of the setting, for a message."""
    return f"tenant {value!r}" if value else "no tenant"

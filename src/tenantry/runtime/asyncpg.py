"""Scoped connections of asyncpg: each transaction is bound to the tenant of the scope it begins in.

``asyncpg.create_pool(dsn, connection_class=Connection)`` or ``asyncpg.connect(dsn, connection_class=Connection)``.
For another :class:`~tenantry.runtime.Binding` make a subclass with that ``binding``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, ClassVar, TypeVar

import asyncpg  # type: ignore[import-untyped]

from tenantry.errors import TenantError
from tenantry.runtime.binding import Binding, State, begins, ends, own_work

T = TypeVar("T")


class _Protocol:
    """What stands between a connection and its driver protocol: all that is sent passes here.

    A statement outside of a transaction gets one of its own, as asyncpg has no other way to bind it.
    """

    __slots__ = (
        "_alone", "_entry", "_fixed_plans", "_get_timeout", "_is_cancelling", "_real", "get_settings", "is_in_transaction",
        "orphaned", "state",
    )  # fmt: skip

    def __init__(self, real: Any, binding: Binding) -> None:
        self._real = real
        # Asked for each statement, and found quicker here than by __getattr__.
        self.get_settings, self.is_in_transaction = real.get_settings, real.is_in_transaction
        self._is_cancelling, self._get_timeout = real._is_cancelling, real._get_timeout
        self._entry: Any = None  # the statement that binds to a signed tenant, as the driver knows it
        self._fixed_plans = False
        self._alone = False  # a transaction of one statement is under way
        self.orphaned = False
        self.state = State(binding)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def query(self, query: str, timeout: Any) -> Any:
        """The simple protocol: one message of any number of statements."""
        await self.recover()
        inside = self.is_in_transaction()
        if not inside and begins(query):
            return await self._open(self._opening(query.strip().rstrip(";")), timeout)
        if self.state.free or ends(query):
            return await self._real.query(query, timeout)
        if inside:
            self.state.check()
            return await self._real.query(query, timeout)
        if self.state.signs:  # the value is a parameter, which this protocol does not know
            return await self.run(self._real.query, query, timeout)
        # What one message holds is one transaction, or begins with one if it says BEGIN somewhere.
        return await self._open(f"{self._opening(None)}; {query}", timeout)

    def bind_execute(self, state: Any, args: Any, *rest: Any, **named: Any) -> Awaitable[Any]:
        if state.name and not args:
            self._fixed_plans = True
        return self.run(self._real.bind_execute, state, args, *rest, **named)

    def bind_execute_many(self, *args: Any, **named: Any) -> Awaitable[Any]:
        return self.run(self._real.bind_execute_many, *args, **named)

    def bind(self, *args: Any, **named: Any) -> Awaitable[Any]:
        return self.run(self._real.bind, *args, **named)

    def execute(self, *args: Any, **named: Any) -> Awaitable[Any]:
        return self.run(self._real.execute, *args, **named)

    def copy_in(self, *args: Any, **named: Any) -> Awaitable[Any]:
        return self.run(self._real.copy_in, *args, **named)

    def copy_out(self, *args: Any, **named: Any) -> Awaitable[Any]:
        return self.run(self._real.copy_out, *args, **named)

    async def recover(self) -> None:
        """Wait until it is known whether a transaction is open, and end one that is nobody's."""
        if self._is_cancelling():
            await self._real._wait_for_cancellation()
        if self.orphaned and not self._alone:  # its BEGIN or its end was broken off
            if self.is_in_transaction():
                await self._real.query("ROLLBACK", None)
            self.orphaned = False

    def run(self, send: Callable[..., Awaitable[T]], *args: Any, **named: Any) -> Awaitable[T]:
        """Send something in the open transaction, or in one of its own."""
        if self.is_in_transaction() and not self._is_cancelling() and (self._alone or not self.orphaned):
            self.state.check()
            return send(*args, **named)
        return self._run(send, *args, **named)

    async def _run(self, send: Callable[..., Awaitable[T]], *args: Any, **named: Any) -> T:
        if self.state.free:
            return await send(*args, **named)
        await self.recover()
        if self.is_in_transaction():
            self.state.check()
            return await send(*args, **named)
        opening = self._opening("BEGIN")
        self._alone = self.orphaned = True
        try:
            await self._open(opening, None)
            result = await send(*args, **named)
            await self._real.query("COMMIT", None)
            self.orphaned = False
            return result
        finally:
            self._alone = False
            with suppress(Exception):  # the caller sees what went wrong first
                await self.recover()

    async def _open(self, statements: str, timeout: Any) -> Any:
        entry = self.state.entry()
        status = await self._real.query(statements, timeout)
        if entry is not None:
            await self._enter(*entry, timeout)
        self.state.swept = True
        return status

    async def _enter(self, statement: str, value: str, timeout: Any) -> None:
        """Bind the transaction to a signed value, which travels as a parameter. A refusal ends it."""
        try:
            if self._entry is None:
                entry = await self._real.prepare("", statement, timeout, record_class=asyncpg.Record)
                entry._init_types()  # text in, void out: both are known to the driver
                entry._init_codecs()
                self._entry = entry
            else:
                self._entry.mark_unprepared()  # then it travels along with its value, and asks for no answer before
            await self._real.bind_execute(self._entry, (value,), "", 0, False, timeout)
        except BaseException:
            with suppress(Exception):  # the caller sees what went wrong first
                if self._is_cancelling():
                    await self._real._wait_for_cancellation()
                await self._real.query("ROLLBACK", None)
            raise

    def _opening(self, begin: str | None) -> str:
        return "; ".join(self.state.opening(begin, fixed_plans=lambda: self._fixed_plans))


class Connection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """An asyncpg connection whose transactions each belong to the tenant of the scope they begin in.

    A statement outside of a transaction is one by itself. Raises NoTenant for work outside of a scope and
    MixedTenants for a statement in another tenant's transaction.
    """

    binding: ClassVar[Binding] = Binding()

    def __init__(self, protocol: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(_Protocol(protocol, self.binding), *args, **kwargs)

    @property
    def tenantry_state(self) -> State:
        """What this connection is bound to."""
        state: State = self._protocol.state
        return state

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> Any:
        try:
            return await super().execute(query, *args, timeout=timeout)
        except BaseException as error:
            if begins(query):  # asyncpg would go on with savepoints of a transaction that nobody ends
                self._top_xact = None
                self._protocol.orphaned = not isinstance(error, TenantError)
            raise

    async def _execute(self, *args: Any, **kwargs: Any) -> Any:
        # The driver prepares, then executes; BEGIN between the two would drop a statement without a name.
        return await self._protocol.run(super()._execute, *args, **kwargs)

    async def _executemany(self, *args: Any, **kwargs: Any) -> Any:
        return await self._protocol.run(super()._executemany, *args, **kwargs)

    async def reset(self, *, timeout: float | None = None) -> None:
        with own_work():
            await super().reset(timeout=timeout)

    async def _reset(self) -> None:
        if not self.is_closed():
            await self._protocol.recover()
        with own_work():
            await super()._reset()

    async def _introspect_types(self, *args: Any, **kwargs: Any) -> Any:
        with own_work():
            return await super()._introspect_types(*args, **kwargs)

    async def _introspect_type(self, *args: Any, **kwargs: Any) -> Any:
        with own_work():
            return await super()._introspect_type(*args, **kwargs)


__all__ = ["Binding", "Connection"]

"""Scoped connections of psycopg 3: each transaction is bound to the tenant of the scope it begins in.

``psycopg_pool.ConnectionPool(dsn, connection_class=Connection)``, ``AsyncConnectionPool(dsn,
connection_class=AsyncConnection)``, or ``Connection.connect(dsn)``. For another :class:`~tenantry.runtime.Binding`
make a subclass with that ``binding``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, ClassVar

import psycopg
from psycopg import generators, pq, sql
from psycopg._pipeline import BasePipeline  # type: ignore[attr-defined]  # of 3.2 and 3.3
from psycopg.abc import PQGen
from psycopg.rows import Row

from tenantry.errors import TenantError
from tenantry.runtime.binding import Binding, State, ends, own_work

if not all(hasattr(psycopg.BaseConnection, name) for name in ("_exec_command", "_start_query")):
    raise ImportError(f"psycopg {psycopg.__version__} is not one that tenantry.runtime knows; use 3.2 or 3.3")

_NOTHING: Any = ()
_DONE, _IDLE = pq.ExecStatus.COMMAND_OK, pq.TransactionStatus.IDLE
# What psycopg asks for itself, beside what ends something.
_OWN = ("PREPARE TRANSACTION ", "SELECT 1 FROM pg_catalog.pg_cursors ")


class _Scoped:
    """What both kinds of connection do beyond psycopg's.

    Every statement of a cursor asks `_start_query` for a transaction, and everything else that psycopg sends
    (BEGIN, COMMIT, FETCH of a server-side cursor) is sent by `_exec_command`.
    """

    binding: ClassVar[Binding] = Binding()
    pgconn: pq.abc.PGconn
    _autocommit: bool
    _num_transactions: int
    _pipeline: Any
    _prepared: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tenantry_state = State(self.binding)
        self._alone = False  # a transaction of one statement is under way, in autocommit mode

    def transaction(self, *args: Any, **kwargs: Any) -> Any:
        self.tenantry_state.wanted()  # psycopg 3.2 would count a transaction whose BEGIN was refused
        return super().transaction(*args, **kwargs)  # type: ignore[misc]

    # These two return what is to be iterated: a generator of their own would cost each statement one more.

    def _start_query(self) -> PQGen[None]:
        idle = self.pgconn.transaction_status == _IDLE
        if self._autocommit and (idle or not self._num_transactions) and not self._alone:
            self._refuse_autocommit()
        if idle and not self._autocommit:
            return self._open(self._get_tx_start_command(), sync=True)  # type: ignore[attr-defined]
        self.tenantry_state.check()
        return _NOTHING  # type: ignore[no-any-return]

    def _refuse_autocommit(self) -> None:
        if not self.tenantry_state.free:
            raise TenantError(
                "this connection is in autocommit mode, where no transaction carries the tenant; "
                "put the statement under `with conn.transaction():`"
            )

    def _exec_command(
        self, command: str | bytes | sql.Composable, result_format: pq.Format = pq.Format.TEXT
    ) -> PQGen[pq.abc.PGresult | None]:
        if command not in (b"COMMIT", b"ROLLBACK"):
            if isinstance(command, bytes) and command == self._get_tx_start_command():  # type: ignore[attr-defined]
                return self._open(command)
            text = _text(command, self)
            if not ends(text) and not text.startswith(_OWN):
                self.tenantry_state.check()
        sent: PQGen[pq.abc.PGresult | None] = super()._exec_command(command, result_format)  # type: ignore[misc]
        return sent

    def _open(self, begin: bytes, sync: bool = False) -> PQGen[None]:
        """Begin a transaction and bind it: one message, or one trip of the pipeline, which ``sync`` ends."""
        statements = self.tenantry_state.opening(begin.decode(), fixed_plans=self._has_fixed_plans)
        entry = self.tenantry_state.entry()
        if self._pipeline:
            yield from self._queue(statements, entry)
            if not self.tenantry_state.swept:
                yield from self._pipeline._sync_gen()
        elif entry is not None:
            yield from self._open_signed(statements, entry)
        else:
            yield from self._say(statements)
        self.tenantry_state.swept = True
        if sync and self._pipeline:
            yield from self._pipeline._sync_gen()

    def _say(self, statements: Sequence[str]) -> PQGen[None]:
        """One message."""
        self._check_connection_ok()  # type: ignore[attr-defined]
        self.pgconn.send_query("; ".join(statements).encode())
        *_, last = yield from generators.execute(self.pgconn)  # none follows one that failed
        if last.status != _DONE:
            raise psycopg.errors.error_from_result(last)

    def _queue(self, statements: Sequence[str], entry: tuple[str, str] | None) -> PQGen[None]:
        """Into the pipeline, each by itself."""
        for statement in statements:
            yield from super()._exec_command(statement.encode())  # type: ignore[misc]
        if entry is not None:
            send = partial(self.pgconn.send_query_params, entry[0].encode(), [entry[1].encode()])
            self._pipeline.command_queue.append(send)
            self._pipeline.result_queue.append(None)

    def _open_signed(self, statements: Sequence[str], entry: tuple[str, str]) -> PQGen[None]:
        """One trip: a parameter cannot be in the message that the others share. A refusal ends the transaction."""
        self._check_connection_ok()  # type: ignore[attr-defined]
        self._pipeline = pipeline = BasePipeline(self)  # type: ignore[arg-type]
        try:
            yield from pipeline._enter_gen()
            try:
                yield from self._queue(statements, entry)
                yield from pipeline._exit_gen()
            except BaseException as error:
                pipeline._exit(error)
                raise
            else:
                pipeline._exit(None)
            finally:
                self._pipeline = None
        except psycopg.Error:
            if self.pgconn.transaction_status == pq.TransactionStatus.INERROR:
                yield from super()._exec_command(b"ROLLBACK")  # type: ignore[misc]
            raise

    def _has_fixed_plans(self) -> bool:
        """Whether statements without parameters are prepared in this session."""
        return any(not types for _, types in self._prepared._names)


class Connection(_Scoped, psycopg.Connection[Row]):
    """A psycopg connection whose transactions each belong to the tenant of the scope they begin in.

    Raises NoTenant for work outside of a scope, MixedTenants for a statement in another tenant's transaction, and
    TenantError in autocommit mode outside of ``conn.transaction()``. An empty statement is always sent.
    """

    @contextmanager
    def alone(self) -> Iterator[None]:
        """A transaction around one statement in autocommit mode; nothing where a transaction is open."""
        idle = self.pgconn.transaction_status == _IDLE
        if not self._autocommit or not idle or self.tenantry_state.free:
            yield
            return
        with self.lock:
            self.wait(self._open(b"BEGIN"))
        self._alone = True
        try:
            yield
        except BaseException:
            with suppress(Exception):  # the caller sees what went wrong first
                self._end(b"ROLLBACK")
            raise
        else:
            self._end(b"COMMIT")
        finally:
            self._alone = False

    def bind_again(self) -> None:
        """Bind the open transaction, if there is one, to the scope of now. For tests, which are one transaction of many."""
        if self.pgconn.transaction_status != pq.TransactionStatus.INTRANS:
            return
        with self.lock:
            self.wait(self._say(self.tenantry_state.again()))
        if (entry := self.tenantry_state.entry()) is not None:
            with own_work():
                psycopg.RawCursor(self).execute(entry[0].encode(), [entry[1]])

    def _end(self, statement: bytes) -> None:
        with self.lock:
            self.wait(super()._exec_command(statement))

    def execute(self, query: Any, params: Any = None, **kwargs: Any) -> psycopg.Cursor[Row]:
        if query:
            return psycopg.Connection.execute(self, query, params, **kwargs)
        with own_work():  # how a pool asks whether the connection lives
            return super().execute(query, params, **kwargs)


class AsyncConnection(_Scoped, psycopg.AsyncConnection[Row]):
    """:class:`Connection`, with coroutines."""

    async def execute(self, query: Any, params: Any = None, **kwargs: Any) -> psycopg.AsyncCursor[Row]:
        if query:
            return await super().execute(query, params, **kwargs)
        with own_work():
            return await super().execute(query, params, **kwargs)


def _text(command: str | bytes | sql.Composable, connection: Any) -> str:
    match command:
        case bytes():
            return command.decode()
        case str():
            return command
        case _:
            return command.as_string(connection)

"""Workers that do what can go wrong, and remember what they were told."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import random
import sys
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tenantry.errors import MixedTenants, NoTenant
from tenantry.runtime import Binding, tenant

sys.path.insert(0, str(Path(__file__).parents[1]))
adapters: Any = importlib.import_module("tests.runtime_adapters")

# In no order of the tenants, so that whoever sees more than his own sees somebody else's first.
READ = "SELECT tenant_id, body FROM notes ORDER BY md5(body) LIMIT 20"
FOREIGN_WRITE = "42501"  # the SQLSTATE of a row that the policy refuses
# Of a thousand transactions; what is done by them is told in `Worker`.
KINDS = {
    "read": 380, "write": 380, "fail": 70, "abandon": 50, "cancel": 60, "foreign": 30, "unscoped": 15, "switch": 15
}  # fmt: skip


@dataclass(slots=True)
class Told:
    """What the workers saw: rows that are committed, that are not, and of which a cancellation left it open."""

    committed: set[str] = field(default_factory=set)
    undone: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    kinds: Counter[str] = field(default_factory=Counter)
    cancelled: int = 0
    foreign: list[str] = field(
        default_factory=list
    )  # rows of others, seen or written, or work that was not refused
    failures: list[str] = field(default_factory=list)  # what nobody asked for


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is there at the end, beside what was told."""

    transactions: int
    kinds: dict[str, int]
    cancelled: int
    unknown: int
    foreign: list[str]
    lost: list[str]  # told to be committed, and not there
    ghosts: list[str]  # told to be undone, and there
    failures: list[str]

    @property
    def good(self) -> bool:
        """Nothing foreign, lost or unasked for, and each kind of work was done."""
        wrong = self.foreign or self.lost or self.ghosts or self.failures
        return not wrong and self.cancelled > 0 and all(self.kinds.get(kind) for kind in KINDS)


class Abandoned(Exception):
    """What an application raises."""


class Worker:
    """One after the other, transactions of a tenant and of a kind by chance, until there are enough of them."""

    def __init__(self, pool: Any, number: int, tenants: int, told: Told, wanted: int) -> None:
        self.pool, self.number, self.told, self.wanted = pool, number, told, wanted
        self.tenants = [f"t{n}" for n in range(tenants)]
        self.rng = random.Random(number)
        self.made = 0

    async def run(self) -> None:
        work: dict[str, Callable[[str], Coroutine[Any, Any, None]]] = {k: getattr(self, k) for k in KINDS}
        while self.told.kinds.total() < self.wanted:
            (kind,) = self.rng.choices(list(KINDS), list(KINDS.values()))
            self.told.kinds[kind] += 1
            try:
                await work[kind](self.rng.choice(self.tenants))
            except Exception as error:
                self.told.failures.append(f"{kind}: {error!r}"[:300])

    async def read(self, who: str) -> None:
        with tenant(who):
            async with self.pool.connect() as conn:
                await self.look(conn, who)
                await conn.commit()

    async def write(self, who: str) -> None:
        """A row that is there from the commit on, and in the transaction before."""
        body = self.body(who)
        self.told.undone.add(body)
        with tenant(who):
            async with self.pool.connect() as conn:
                await conn.rows(f"INSERT INTO notes (body) VALUES ('{body}')")
                if await conn.rows(f"SELECT body FROM notes WHERE body = '{body}'") != [(body,)]:
                    self.told.failures.append(f"{body} is not there after it was written")
                await self.commit(conn, body)

    async def commit(self, conn: Any, body: str) -> None:
        self.told.undone.remove(body)
        self.told.unknown.add(body)
        await conn.commit()
        self.told.unknown.remove(body)
        self.told.committed.add(body)

    async def fail(self, who: str) -> None:
        """An error after a write; the transaction is rolled back, and the connection goes on."""
        self.told.undone.add(body := self.body(who))
        with tenant(who):
            async with self.pool.connect() as conn:
                await conn.rows(f"INSERT INTO notes (body) VALUES ('{body}')")
                await self.refused(conn, "SELECT 1 / 0", "22012")
                await self.look(conn, who)
                await conn.commit()

    async def abandon(self, who: str) -> None:
        """An error of the application's own: the connection goes back to the pool with the transaction open."""
        self.told.undone.add(body := self.body(who))
        with contextlib.suppress(Abandoned), tenant(who):
            async with self.pool.connect() as conn:
                await conn.begin()
                await conn.rows(f"INSERT INTO notes (body) VALUES ('{body}')")
                raise Abandoned

    async def cancel(self, who: str) -> None:
        """A write that is cancelled at a moment of chance."""
        task = asyncio.create_task(self.write(who))
        await asyncio.wait({task}, timeout=self.rng.expovariate(1 / 0.02))
        if task.cancel():
            self.told.cancelled += 1
        try:
            await task
        except asyncio.CancelledError:
            return

    async def foreign(self, who: str) -> None:
        """A row for another tenant, which the policy refuses."""
        other = self.rng.choice([name for name in self.tenants if name != who])
        body = self.body(other)
        self.told.undone.add(body)
        with tenant(who):
            async with self.pool.connect() as conn:
                insert = f"INSERT INTO notes (tenant_id, body) VALUES ('{other}', '{body}')"
                await self.refused(conn, insert, FOREIGN_WRITE)
                await self.look(conn, who)
                await conn.rollback()

    async def unscoped(self, who: str) -> None:
        """A statement outside of a scope, which is not sent."""
        async with self.pool.connect() as conn:
            try:
                self.told.foreign.append(f"without a scope: {await conn.rows(READ)}")
            except NoTenant:
                await conn.rollback()

    async def switch(self, who: str) -> None:
        """A statement of another tenant in an open transaction, which is not sent."""
        other = self.rng.choice([name for name in self.tenants if name != who])
        with tenant(who):
            async with self.pool.connect() as conn:
                await self.look(conn, who)
                try:
                    with tenant(other, switch=True):
                        self.told.foreign.append(f"in the transaction of {who}: {await conn.rows(READ)}")
                except MixedTenants:
                    await self.look(conn, who)
                await conn.commit()

    async def refused(self, conn: Any, statement: str, state: str) -> None:
        try:
            await conn.rows(statement)
        except Exception as error:
            if _state(error) != state:
                raise
        else:
            self.told.foreign.append(f"not refused: {statement}")
        await conn.rollback()

    async def look(self, conn: Any, who: str) -> None:
        for owner, body in await conn.rows(READ):
            if owner != who or not body.startswith(f"{who}:"):
                self.told.foreign.append(f"{who} saw {body} of {owner}")

    def body(self, who: str) -> str:
        self.made += 1
        return f"{who}:{self.number}:{self.made}"


def _state(error: BaseException) -> str | None:
    """The SQLSTATE of a driver's error, also where SQLAlchemy wrapped it."""
    cause = getattr(error, "orig", None) or error
    found: str | None = getattr(cause, "sqlstate", None) or getattr(cause.__cause__, "sqlstate", None)
    return found


async def soak(
    adapter: str, dsn: str, *, size: int, prepare: bool, workers: int, tenants: int, transactions: int
) -> Told:
    """So many transactions of so many workers through one adapter's pool."""
    told = Told()
    async with adapters.ADAPTERS[adapter](dsn, size, Binding(), prepare) as pool:
        await asyncio.gather(*(Worker(pool, n, tenants, told, transactions).run() for n in range(workers)))
    return told


def judge(admin: psycopg.Connection[Any], told: Told) -> Verdict:
    """Compare what is there, seen by one whom no policy binds, with what was told."""
    there = {body: owner for owner, body in admin.execute("SELECT tenant_id, body FROM notes").fetchall()}
    written = [f"{body} belongs to {owner}" for body, owner in there.items() if body.split(":")[0] != owner]
    return Verdict(
        transactions=told.kinds.total(),
        kinds=dict(told.kinds),
        cancelled=told.cancelled,
        unknown=len(told.unknown),
        foreign=told.foreign + written,
        lost=sorted(told.committed - there.keys()),
        ghosts=sorted(told.undone & there.keys()),
        failures=told.failures,
    )

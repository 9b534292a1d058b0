"""The prover's own proof: good databases are spoilt in every known way, and each time somebody must notice.

Worlds are schemas in `worlds/`, made on a scratch server; mutations are data, in the headers of checks, in the
modules of attacks and in the files beside this one. Static trials run in a transaction that is rolled back; live
ones spoil a copy, since attacks come in sessions of their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tenantry.mutations import suite, worlds
from tenantry.mutations.scratch import scratch
from tenantry.mutations.trials import layers, left_out, new, noise, try_, unshown
from tenantry.mutations.worlds import NAMES, World
from tenantry.trial import Clean, SelfTest, Trial

Listen = Callable[[str, int, int], None]


def _silent(_world: str, _done: int, _of: int) -> None:
    """For a run that nobody watches."""


def run(dsn: str, *, names: Sequence[str] = NAMES, listen: Listen = _silent) -> SelfTest:
    """Try every mutation in those worlds, on the server of ``dsn``, in databases and with roles of the run's own.

    ``listen`` is told the world and how far it is. Raises CatalogError when the server cannot be reached or the role
    is no superuser, psycopg.Error when the connection is lost.
    """
    begun = time.monotonic()
    trials: list[Trial] = []
    clean: list[Clean] = []
    with scratch(dsn) as room:
        version = room.conn.info.server_version
        for name in names:
            with worlds.make(room, name) as world:
                trials += _tried(world, listen)
                clean.append(_clean(world))
    return SelfTest(
        when=worlds.now().isoformat(timespec="seconds"),
        server=f"PostgreSQL {version // 10000}.{version % 10000}",
        worlds=tuple(clean),
        trials=tuple(trials),
        unshown=unshown(trials, version),
        seconds=time.monotonic() - begun,
        left_out=left_out(trials),
    )


def _tried(world: World, listen: Listen) -> list[Trial]:
    todo = [(m, layer) for m in suite.of(world.kind.name) for layer in layers(m)]
    trials = []
    for number, (mutation, layer) in enumerate(todo, 1):
        trials.append(try_(world, mutation, layer))
        listen(world.kind.name, number, len(todo))
    return trials


def _clean(world: World) -> Clean:
    """What was found before the sabotages, and what they left behind."""
    return Clean(
        world.kind.name,
        world.kind.title,
        checks=len(world.clean.checks) - len(world.clean.skipped),
        attacks=len(world.outcomes),
        noise=noise(world),
    )


__all__ = [
    "NAMES",
    "Clean",
    "SelfTest",
    "Trial",
    "World",
    "layers",
    "new",
    "run",
    "scratch",
    "suite",
    "try_",
    "worlds",
]

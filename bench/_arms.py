"""Ways to do the same thing, measured in turns so that what else the machine does cancels out."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import Process
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Arm:
    """One way: what does it so many times, and the server process that serves it."""

    run: Callable[[int], None]
    pid: int


@dataclass(frozen=True, slots=True)
class Micros:
    """Microseconds of processor time for one time: of the server process, and of server and client together."""

    server: float
    both: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """A median of ratios to the baseline in the same round, and the middle half of them."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}–{self.high:.2f})"


Rounds = Mapping[str, Sequence[float]]  # microseconds of each arm, by round


def cpu(pid: int) -> int:
    """Nanoseconds that a process has spent on a processor; 0 of one that has ended."""
    file = Path(f"/proc/{pid}/schedstat")
    return int(file.read_text(encoding="ascii").split()[0]) if file.exists() else 0


def pin(pids: Iterable[int]) -> bool:
    """Put this process and those on one processor; else the scheduler decides anew who waits for whom how long."""
    try:
        here = {max(os.sched_getaffinity(0))}
        for pid in (0, *pids):
            os.sched_setaffinity(pid, here)
    except OSError:
        print(
            "NOT PINNED to one processor, which only their owner may do: expect a wider spread",
            file=sys.stderr,
        )
        return False
    return True


def turns(arms: Mapping[str, Arm], rounds: int) -> Iterator[tuple[bool, str, Arm]]:
    """Each arm in each round, in an order of chance; the first of these is False in a round that only warms up."""
    order, chance = list(arms), random.Random(5)
    for number in range(rounds + 1):
        chance.shuffle(order)
        yield from ((number > 0, name, arms[name]) for name in order)


def measure(arms: Mapping[str, Arm], rounds: int, times: int) -> dict[str, list[Micros]]:
    """Each arm so many times in each round."""
    found: dict[str, list[Micros]] = {name: [] for name in arms}
    for counts, name, arm in turns(arms, rounds):
        server, client = cpu(arm.pid), time.process_time_ns()
        arm.run(times)
        client, server = time.process_time_ns() - client, cpu(arm.pid) - server
        if counts:
            found[name].append(Micros(server / times / 1000, (server + client) / times / 1000))
    return found


def of_server(found: Mapping[str, Sequence[Micros]]) -> Rounds:
    return {name: [m.server for m in rounds] for name, rounds in found.items()}


def of_both(found: Mapping[str, Sequence[Micros]]) -> Rounds:
    return {name: [m.both for m in rounds] for name, rounds in found.items()}


def clock(arms: Mapping[str, Arm], rounds: int, times: int) -> Rounds:
    """By the clock, the fastest tenth of so many single times in each round: what waits for others only adds to it."""
    found: dict[str, list[float]] = {name: [] for name in arms}
    for counts, name, arm in turns(arms, rounds):
        taken = list[float]()
        for _ in range(times):
            begun = time.perf_counter_ns()
            arm.run(1)
            taken.append((time.perf_counter_ns() - begun) / 1000)
        if counts:
            found[name].append(sorted(taken)[times // 10])
    return found


def ratio(found: Rounds, name: str, baseline: str) -> Ratio:
    """How many times the baseline something costs."""
    values = [mine / base for mine, base in zip(found[name], found[baseline], strict=True)]
    low, middle, high = statistics.quantiles(values, n=4)
    return Ratio(middle, low, high)


# A network: what is sent waits for half a round trip.


@contextlib.contextmanager
def far(path: str, round_trip: float) -> Iterator[int]:
    """A port of the loopback that leads to a Unix socket, so many seconds there and back."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay = Process(target=_relay, args=(listener, path, round_trip / 2), daemon=True)
        relay.start()
        try:
            yield listener.getsockname()[1]
        finally:
            relay.terminate()
            relay.join()


def _relay(listener: socket.socket, path: str, delay: float) -> None:
    while True:
        client, _ = listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server = socket.socket(socket.AF_UNIX)
        server.connect(path)
        for here, there in ((client, server), (server, client)):
            threading.Thread(target=_pass_on, args=(here, there, delay), daemon=True).start()


def _pass_on(here: socket.socket, there: socket.socket, delay: float) -> None:
    with contextlib.suppress(OSError):
        while data := here.recv(65536):
            time.sleep(delay)
            there.sendall(data)
        there.shutdown(socket.SHUT_WR)


def as_json(ratios: Mapping[str, Ratio]) -> dict[str, Any]:
    return {name: {"median": r.median, "low": r.low, "high": r.high} for name, r in ratios.items()}

"""Whether the cost of an attempt grows: with the attempts made before, the clients alive, the calls in flight.

Rule: the same number of calls is timed at every level, so that only the level differs.
"""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any

from benchmarks import workload
from benchmarks.workload import Case

if TYPE_CHECKING:
    from benchmarks.worker import Worker

LEVELS = {"made": (100, 1_000, 10_000), "clients": (1, 10, 100, 1_000), "in flight": (1, 10, 100, 1_000)}

_clients: dict[int, list[Any]] = {}
_made: dict[str, int] = {"calls": 0}


def measure(worker: Worker, dimension: str, level: int, count: int) -> dict[str, float]:
    """The time of a call of `count`, at a level of one dimension."""
    timed = {"made": _made_before, "clients": _alive, "in flight": _in_flight}[dimension]
    return timed(worker, level, count)


def _made_before(worker: Worker, level: int, count: int) -> dict[str, float]:
    case = Case("create")
    client = worker.client(case)
    while _made["calls"] < level:
        workload.run(case, client)
        _made["calls"] += 1
    return worker.time(lambda: workload.repeat(case, client, count, None, worker.loop), count)


def _alive(worker: Worker, level: int, count: int) -> dict[str, float]:
    case = Case("create")
    while len(_clients.setdefault(level, [])) < level:
        _clients[level].append(workload.make_client(case))
        workload.run(case, _clients[level][-1])
    # Few of them are used, so that it is not the caches of the processor that are measured.
    used = _clients[level][:: max(level // 10, 1)]

    def work() -> None:
        for number in range(count):
            workload.run(case, used[number % len(used)])

    return worker.time(work, count)


def _in_flight(worker: Worker, level: int, count: int) -> dict[str, float]:
    case = Case("create", asynchronous=True)
    gate = _Gate()
    client = workload.make_client(case, functools.partial(gate.answer, case))
    loops = max(count // level, 1)

    def work() -> None:
        for _ in range(loops):
            worker.loop.run_until_complete(gate.hold(case, client, level))

    work()
    return worker.time(work, loops * level)


class _Gate:
    """A server that answers nobody before everybody has asked."""

    def __init__(self) -> None:
        self._asked = 0
        self._most = 0
        self._all = asyncio.Event()

    async def answer(self, case: Case, request: Any) -> Any:
        self._asked += 1
        if self._asked == self._most:
            self._all.set()
        await self._all.wait()
        return workload.answer(case, [], request)

    async def hold(self, case: Case, client: Any, level: int) -> None:
        """`level` calls at once."""
        self._asked, self._most, self._all = 0, level, asyncio.Event()
        await asyncio.gather(*(workload.arun(case, client) for _ in range(level)))

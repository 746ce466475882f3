"""What an open stream and an attempt in flight hold in memory.

Rule: everything is counted that is allocated, by whomever, and told in two parts: the spans of the OpenTelemetry
SDK, and the rest. What the same calls hold without the library is taken off by the caller.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import tracemalloc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from benchmarks import workload
from benchmarks.workload import Case

if TYPE_CHECKING:
    from benchmarks.worker import Worker

_SPANS = ("*/opentelemetry/sdk/*", "*/opentelemetry/attributes/*", "*/opentelemetry/trace/*")
"""What a span of the OpenTelemetry SDK is made of. Contexts are held for the library, and are not among it."""


def measure(worker: Worker, what: str, count: int) -> dict[str, float]:
    """The bytes that each of `count` open streams or attempts in flight holds: `sdk` and `rest`."""
    return _streams(worker, count) if what == "stream" else _attempts(worker, count)


def _streams(worker: Worker, count: int) -> dict[str, float]:
    """Streams of which half has been read, so that whatever is kept of their chunks is there."""
    case = Case("stream", stream=True)
    client = worker.client(case)
    workload.run(case, client)
    held: list[Any] = []

    def work() -> None:
        for _ in range(count):
            stream = client.messages.create(**workload.REQUEST, stream=True)
            for _ in range(case.deltas // 2):
                next(stream)
            held.append(stream)

    values = _held_by(work, count)
    for stream in held:
        stream.close()
    return values


def _attempts(worker: Worker, count: int) -> dict[str, float]:
    case = Case("create", asynchronous=True)
    gate = asyncio.Event()

    async def answer(case: Case, request: Any) -> Any:
        await gate.wait()
        return workload.answer(case, [], request)

    async def measured() -> dict[str, float]:
        client = workload.make_client(case, functools.partial(answer, case))
        gate.set()
        await workload.arun(case, client)
        gate.clear()
        tasks: list[Any] = []
        tracemalloc.start()
        before = _now()
        tasks += [asyncio.ensure_future(workload.arun(case, client)) for _ in range(count)]
        for _ in range(10):
            await asyncio.sleep(0)
        values = _difference(before, _now(), count)
        tracemalloc.stop()
        gate.set()
        await asyncio.gather(*tasks)
        return values

    result: dict[str, float] = worker.loop.run_until_complete(measured())
    return result


def _held_by(work: Callable[[], None], count: int) -> dict[str, float]:
    tracemalloc.start()
    before = _now()
    work()
    values = _difference(before, _now(), count)
    tracemalloc.stop()
    return values


def _now() -> tuple[int, int]:
    """The bytes in use now, of the OpenTelemetry SDK and of everything else."""
    gc.collect()
    snapshot = tracemalloc.take_snapshot()
    total = sum(trace.size for trace in snapshot.traces)
    spans = [tracemalloc.Filter(True, pattern) for pattern in _SPANS]
    sdk = sum(trace.size for trace in snapshot.filter_traces(spans).traces)
    return sdk, total - sdk


def _difference(before: tuple[int, int], after: tuple[int, int], count: int) -> dict[str, float]:
    return {"sdk": (after[0] - before[0]) / count, "rest": (after[1] - before[1]) / count}

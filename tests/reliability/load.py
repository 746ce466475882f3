"""Many calls and streams at once, and what they leave behind: memory, sockets, attempts in flight.

Rule: a leak is what grows with the number of calls. So a load is run in equal rounds, and it is the growth from
round to round that counts, after the first ones have filled the caches and pools that stay.

The simulator runs in the same process. A socket is the client's own if it is connected to the simulator's port: those
have to be gone when the client is closed. The simulator's ends of them may take a moment longer.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Any, Final
from urllib.parse import urlsplit

import anthropic
import psutil  # type: ignore[import-untyped]
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

import anthropic_otel
from anthropic_otel.simulator import Fault, Simulator
from reliability import interrupting
from reliability.sdk_http import httpx

REQUEST: Final[dict[str, Any]] = {
    "model": "claude-opus-4-8",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "hi"}],
}
PROCESS: Final = psutil.Process()
MIX: Final[dict[str | Fault, float]] = {
    "ok": 0.9,
    "http_429_retry_after_ms": 0.04,
    "server_disconnected": 0.02,
    "stream_overloaded": 0.04,
}


@dataclass(frozen=True)
class Load:
    """So many calls and streams in all, in equal rounds, `concurrent` at a time. Every tenth stream is dropped."""

    calls: int
    streams: int
    concurrent: int = 200
    rounds: int = 10


@dataclass
class Rounds:
    """What was measured after each round, in bytes and seconds; and what of the client's was left.

    `busy` are connections that the client held between two rounds, when every call was over. `sockets` are those that
    it had open when it was closed.
    """

    traced: list[int] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    busy: int = 0
    sockets: int = 0

    def growth(self, values: list[int], per_round: int) -> float:
        """The growth per call in the second half of the rounds: the median round's.

        What leaks does so in every round. An allocator that takes another megabyte, as two threads happened to need it
        at once, does so in one.
        """
        tail = values[len(values) // 2 - 1 :]
        return median(after - before for before, after in pairwise(tail)) / per_round


class Unended(SpanProcessor):
    """Counts the spans that have started and not ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.count = 0

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        with self._lock:
            self.count += 1

    def on_end(self, span: Any) -> None:
        with self._lock:
            self.count -= 1


class Recorded:
    """Providers as in production - batch processor, periodic reader - whose exporters are the test's."""

    def __init__(self, spans: SpanExporter, metrics: MetricExporter | None = None, every_ms: float = 500) -> None:
        self.unended = Unended()
        self.tracer_provider = TracerProvider(shutdown_on_exit=False)
        self.tracer_provider.add_span_processor(self.unended)
        self.tracer_provider.add_span_processor(BatchSpanProcessor(spans))
        self.reader = InMemoryMetricReader()
        exporting = [PeriodicExportingMetricReader(metrics, every_ms)] if metrics is not None else []
        readers = [self.reader, *exporting]
        self.meter_provider = MeterProvider(readers, shutdown_on_exit=False)

    def count(self, name: str) -> int:
        data = self.reader.get_metrics_data()
        metrics = (
            [metric for scope in data.resource_metrics[0].scope_metrics for metric in scope.metrics] if data else []
        )
        points = [point for metric in metrics if metric.name == name for point in metric.data.data_points]
        return int(sum(getattr(point, "count", 0) or getattr(point, "value", 0) for point in points))

    @property
    def in_flight(self) -> int:
        return self.count("anthropic.client.attempt.started") - self.count("anthropic.client.attempt.duration")

    def flush(self) -> None:
        """Exports the spans that wait, and collects the metrics, for which the tokens of up to 100 attempts wait."""
        self.tracer_provider.force_flush()
        self.reader.get_metrics_data()

    def close(self) -> None:
        self.tracer_provider.shutdown()
        self.meter_provider.shutdown()


class Mock(interrupting.Transport):
    """A transport without a network, that answers at once and keeps nothing of what it was asked."""

    def _response(self, request: Any) -> Any:
        response = super()._response(request)
        self.requests.clear()
        return response


def clients(base_url: str | None, load: Load) -> Any:
    """An SDK client on the simulator, or, without a URL, on a mock transport."""
    if base_url is None:
        return interrupting.client(Mock(200), asynchronous=True)
    limits = httpx.Limits(max_connections=load.concurrent, max_keepalive_connections=load.concurrent)
    http = httpx.AsyncClient(limits=limits, timeout=60)
    return anthropic.AsyncAnthropic(base_url=base_url, api_key="none", max_retries=3, http_client=http)


async def run_round(client: Any, calls: int, streams: int, concurrent: int) -> None:
    """One round. What the faults of the mix leave to the app is the app's to expect."""
    work = [*[False] * calls, *[True] * streams]
    work.sort(key=lambda stream: stream)
    queue = iter(enumerate(work[i // 2] if i % 2 else work[-1 - i // 2] for i in range(len(work))))

    async def worker() -> None:
        for number, stream in queue:
            try:
                await (_stream(client, drop=number % 10 == 0) if stream else client.messages.create(**REQUEST))
            except (anthropic.APIError, httpx.HTTPError):
                continue

    await asyncio.gather(*(worker() for _ in range(concurrent)))


async def _stream(client: Any, *, drop: bool) -> None:
    events = await client.messages.create(stream=True, **REQUEST)
    if drop:
        await events.close()
        return
    async for _ in events:
        pass


def busy(client: Any) -> int:
    """The connections that a client on httpcore has not got back: a response on them is not read, and not closed."""
    pool = getattr(client._client._transport, "_pool", None)
    return sum(not (each.is_idle() or each.is_closed()) for each in pool.connections) if pool is not None else 0


def sockets_to(port: int | None) -> int:
    """The sockets of this process that are connected to that port."""
    return sum(bool(each.raddr) and each.raddr.port == port for each in PROCESS.net_connections("tcp"))


def run(load: Load, base_url: str | None, *, flush: Callable[[], Any], trace_memory: bool = True) -> Rounds:
    """Runs the load and measures after each round, when `flush` has emptied what waits for an export."""
    found = Rounds()
    calls, streams = load.calls // load.rounds, load.streams // load.rounds

    async def main() -> None:
        async with clients(base_url, load) as client:
            for _ in range(load.rounds):
                started = time.perf_counter()
                await run_round(client, calls, streams, load.concurrent)
                found.seconds.append(time.perf_counter() - started)
                flush()
                gc.collect()
                found.traced.append(tracemalloc.get_traced_memory()[0])
                found.resident.append(PROCESS.memory_info().rss)
                found.busy = max(found.busy, busy(client))

    if trace_memory:
        tracemalloc.start()
    try:
        asyncio.run(main())
    finally:
        tracemalloc.stop()
    found.sockets = sockets_to(urlsplit(base_url).port) if base_url is not None else 0
    return found


def left_open(sim: Simulator, descriptors: int, seconds: float = 10.0) -> tuple[int, int]:
    """The connections that the simulator has, and the descriptors of the process beyond so many, when it has noticed.

    It learns from its event loop, a moment later than the client, that a connection was closed.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = sim.connections_open, max(PROCESS.num_fds() - descriptors, 0)
        if found == (0, 0) or time.monotonic() > deadline:
            return found
        time.sleep(0.01)


def measure(
    load: Load,
    *,
    network: bool,
    exporter: SpanExporter,
    metrics: MetricExporter | None = None,
    instrumented: bool = True,
    trace_memory: bool = True,
) -> dict[str, Any]:
    """One load, as figures; over the simulator if `network`, else over a mock transport."""
    # An export that is under way holds what it exports: memory is measured without one.
    recorded = Recorded(exporter, metrics, 3_600_000 if trace_memory else 500)
    if instrumented:
        anthropic_otel.instrument(tracer_provider=recorded.tracer_provider, meter_provider=recorded.meter_provider)
    try:
        with Simulator(record=False) as sim:
            if network:
                sim.mix(MIX)
            descriptors = PROCESS.num_fds()
            base_url = sim.base_url if network else None
            found = run(load, base_url, flush=recorded.flush, trace_memory=trace_memory)
            connections, grown = left_open(sim, descriptors)
        per_round = (load.calls + load.streams) // load.rounds
        return {
            "calls": recorded.count("anthropic.client.call.duration"),
            "attempts": recorded.count("anthropic.client.attempt.started"),
            "in_flight": recorded.in_flight,
            "spans_unended": recorded.unended.count,
            "connections_busy": found.busy,
            "sockets_left": found.sockets,
            "connections_left": connections,
            "descriptors_grown": grown,
            "traced_bytes_per_call": round(found.growth(found.traced, per_round), 3),
            "resident_bytes_per_call": round(found.growth(found.resident, per_round), 1),
            "calls_per_second": round((load.calls + load.streams) / sum(found.seconds)),
        }
    finally:
        anthropic_otel.uninstrument()
        recorded.close()

"""While OpenTelemetry fails, one call at a time or all of them, the app is what it is without the library."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import anthropic
import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricExportResult,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

import anthropic_otel
from anthropic_otel._adapters.current import current_call
from anthropic_otel._core import guard
from anthropic_otel.simulator import Simulator
from reliability import breaking, interrupting, programs
from reliability.breaking import POINTS, Points
from reliability.interrupting import ALONE, Transport
from reliability.programs import Run, see
from support import backoff
from support.apps import request_of

LOGGER = logging.getLogger("anthropic_otel")


class _Kept(logging.Handler):
    """Keeps each record in a list."""

    def __init__(self, found: list[logging.LogRecord]) -> None:
        super().__init__()
        self._found = found

    def emit(self, record: logging.LogRecord) -> None:
        self._found.append(record)


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    """What the library says of itself, from a process that has not heard of any failure yet."""
    found: list[logging.LogRecord] = []
    handler = _Kept(found)
    before, level = set(guard._seen), LOGGER.level
    guard._seen.clear()
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.DEBUG)
    yield found
    anthropic_otel.uninstrument()
    LOGGER.setLevel(level)
    LOGGER.removeHandler(handler)
    guard._seen.clear()
    guard._seen.update(before)


@pytest.fixture(scope="module")
def plain() -> Run:
    """What the app sees and sends without the library."""
    with pytest.MonkeyPatch.context() as monkeypatch, Simulator() as simulator:
        backoff.shorten(monkeypatch)
        return program(simulator)


def program(sim: Simulator) -> Run:
    """A retry, a stream, a stream with an error, a refusal, and retries that are used up; sync and async."""
    before = len(sim.requests)
    seen = []
    options: dict[str, Any] = {"base_url": sim.base_url, "api_key": "none", "max_retries": 1, **ALONE}
    with anthropic.Anthropic(**options) as client:
        for faults, stream in STEPS:
            sim.play(*faults)
            seen.append(see(partial(client.messages.create, **request_of(stream=stream)), _parts))

    async def asynchronously() -> None:
        async with anthropic.AsyncAnthropic(**options) as client:
            for faults, stream in STEPS:
                sim.play(*faults)
                result: Any = None
                try:
                    result = await client.messages.create(**request_of(stream=stream))
                    result = [event async for event in result] if stream else result
                except anthropic.APIError as error:
                    result = error
                seen.append(see(partial(_raise_or_return, result), _parts))

    asyncio.run(asynchronously())
    return Run(tuple(seen), programs.sent(sim.requests[before:]))


STEPS: tuple[tuple[tuple[str, ...], bool], ...] = (
    (("http_529", "ok"), False),
    (("ok",), True),
    (("stream_overloaded",), True),
    (("http_400",), False),
    (("connection_reset", "connection_reset"), False),
)


def _parts(result: Any) -> list[Any]:
    return list(result) if hasattr(result, "__iter__") and not hasattr(result, "content") else [result]


def _raise_or_return(result: Any) -> Any:
    if isinstance(result, BaseException):
        raise result
    return result


@pytest.mark.usefixtures("waits")
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("broken", [*((point,) for point in POINTS), POINTS], ids=[*POINTS, "everything"])
def test_the_app_is_the_same_while_telemetry_raises(
    broken: tuple[str, ...], plain: Run, sim: Simulator, records: list[logging.LogRecord]
) -> None:
    """Results, exceptions and requests are the same; each kind of failure is one warning, and then debug records."""
    points = Points(broken)
    tracer_provider, meter_provider = breaking.tracer_provider(points), breaking.meter_provider(points)

    def instrumented() -> Run:
        anthropic_otel.instrument(tracer_provider=tracer_provider, meter_provider=meter_provider)
        return program(sim)

    # In a context of its own: what cannot be detached, because that is what is broken, goes with it.
    own = contextvars.copy_context()
    with breaking.installed(points, LOGGER):
        found = own.run(instrumented)
    assert found == plain
    assert own.run(current_call.get) is None
    assert "detach" in broken or not own.run(trace.get_current_span).get_span_context().is_valid
    assert broken == POINTS or points.reached[broken[0]] > 0
    _check_what_is_said(records, somebody_hears=SILENT.isdisjoint(broken))


SILENT = frozenset({"detach", "filter"})
"""Of the first OpenTelemetry itself tells, by an error of its own. Without the second nothing can be told."""


def _cause(record: logging.LogRecord) -> object:
    """The class of the exception that a record of a failure names."""
    assert isinstance(record.args, tuple)
    return record.args[1]


def _check_what_is_said(records: list[logging.LogRecord], *, somebody_hears: bool) -> None:
    failures = [record for record in records if record.getMessage().startswith("Telemetry failed")]
    warned = Counter(record.getMessage() for record in failures if record.levelno == logging.WARNING)
    assert set(warned.values()) == ({1} if somebody_hears else set())
    assert {record.levelno for record in failures} <= {logging.WARNING, logging.DEBUG}
    assert all(_cause(record) == "Broken" for record in failures if record.levelno == logging.WARNING and record.args)


def test_every_point_is_reached(sim: Simulator, waits: list[float], records: list[logging.LogRecord]) -> None:
    """With nothing broken, the program goes through every point: none of them holds for want of use."""
    points = Points(())
    with breaking.installed(points, LOGGER):
        anthropic_otel.instrument(
            tracer_provider=breaking.tracer_provider(points), meter_provider=breaking.meter_provider(points)
        )
        program(sim)
    assert set(POINTS) == set(points.reached)


REPORTS = ("emit", "filter")
"""The points that what the library says of a failure goes through."""


class Effort:
    """What a retried stream takes: how often each point of OpenTelemetry is reached, and each wait of the process."""

    def __init__(self, broken: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
        self.points, self.waits = Points(broken), list[str]()
        self._providers: dict[str, Any] = {
            "tracer_provider": breaking.tracer_provider(self.points),
            "meter_provider": breaking.meter_provider(self.points),
        }
        guard._seen.clear()
        with monkeypatch.context() as patched, breaking.installed(self.points, LOGGER):
            patched.setattr(time, "sleep", self._noting(time.sleep))
            patched.setattr(threading.Condition, "wait", self._noting(threading.Condition.wait))
            contextvars.copy_context().run(self._spend)

    def _noting(self, wait: Callable[..., Any]) -> Callable[..., Any]:
        """What waits as `wait` does, and is noted where it is this thread that waits."""
        mine = threading.get_ident()

        def noted(*args: Any) -> Any:
            if threading.get_ident() == mine:
                self.waits.append(wait.__name__)
            return wait(*args)

        return noted

    def _spend(self) -> None:
        anthropic_otel.instrument(**self._providers)
        client = interrupting.client(Transport(529, 200), **ALONE)
        assert len(list(client.messages.create(**request_of(stream=True)))) == len(interrupting.CHUNKS)
        anthropic_otel.uninstrument()


@pytest.mark.usefixtures("waits", "records")
@pytest.mark.parametrize("broken", [*((point,) for point in POINTS), POINTS], ids=[*POINTS, "everything"])
def test_nothing_waits_or_tries_again_while_telemetry_raises(
    broken: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library waits no more, and calls no part of OpenTelemetry more often, than where all of it is well."""
    well, failing = Effort((), monkeypatch), Effort(broken, monkeypatch)
    assert failing.waits == well.waits == ["sleep"]
    more = failing.points.reached - well.points.reached
    assert set(more) - {"attach"} <= set(REPORTS)
    # A `detach` that did nothing leaves our span current: what was current before is attached in its place, once.
    assert more["attach"] <= (well.points.reached["detach"] if "detach" in broken else 0)


# -- what blocks -------------------------------------------------------------------------------------------------------


class BlockingSpans(SpanExporter):
    """An exporter that hangs until it is released."""

    def __init__(self, release: threading.Event) -> None:
        self._release = release

    def export(self, spans: Any) -> SpanExportResult:
        self._release.wait()
        return SpanExportResult.FAILURE


class BlockingMetrics(MetricExporter):
    """The same, for metrics."""

    def __init__(self, release: threading.Event) -> None:
        super().__init__({}, {})
        self._release = release

    def export(self, metrics_data: Any, timeout_millis: float = 0, **kwargs: Any) -> MetricExportResult:
        self._release.wait()
        return MetricExportResult.FAILURE

    def force_flush(self, timeout_millis: float = 0) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 0, **kwargs: Any) -> None:
        return


def test_an_exporter_that_hangs_stops_nobody(sim: Simulator, records: list[logging.LogRecord]) -> None:
    """Behind the batch processor and the periodic reader, calls go on while nothing can be exported."""
    release = threading.Event()
    tracer_provider = TracerProvider(shutdown_on_exit=False)
    tracer_provider.add_span_processor(
        BatchSpanProcessor(BlockingSpans(release), max_queue_size=8, max_export_batch_size=4, schedule_delay_millis=1)
    )
    reader = PeriodicExportingMetricReader(BlockingMetrics(release), export_interval_millis=1)
    meter_provider = MeterProvider([reader], shutdown_on_exit=False)
    try:
        anthropic_otel.instrument(tracer_provider=tracer_provider, meter_provider=meter_provider)
        with anthropic.Anthropic(base_url=sim.base_url, api_key="none", **ALONE) as client:
            for _ in range(50):
                assert client.messages.create(**request_of()).content
        assert not release.is_set()
    finally:
        release.set()
        tracer_provider.shutdown()
        meter_provider.shutdown()


class SlowProcessor(SpanProcessor):
    """A processor that makes whoever starts or ends a span wait, as `SimpleSpanProcessor` with a slow exporter does."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.spans = 0

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        time.sleep(self.seconds)

    def on_end(self, span: Any) -> None:
        time.sleep(self.seconds)
        self.spans += 1


@pytest.mark.usefixtures("waits")
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_processor_that_blocks_blocks_the_app(plain: Run, sim: Simulator, records: list[logging.LogRecord]) -> None:
    """What no library can help: a processor runs in the app's thread. All is the same, and comes later."""
    processor = SlowProcessor(0.02)
    tracer_provider = TracerProvider(shutdown_on_exit=False)
    tracer_provider.add_span_processor(processor)
    anthropic_otel.instrument(tracer_provider=tracer_provider)
    started = time.perf_counter()
    assert program(sim) == plain
    # A span for each attempt, and with the SDK's own tracing off one for each call.
    assert processor.spans == 14 + 10
    assert time.perf_counter() - started >= 2 * processor.seconds * processor.spans

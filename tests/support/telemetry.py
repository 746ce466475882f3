"""The telemetry of one test: what the library has exported, in memory.

Rule: a test has its own providers, handed to `instrument`, so that nothing of the process is set and nothing of one
test is seen by another; and a failure of the library itself, which no app would see, fails the test.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Sampler

import anthropic_otel
from anthropic_otel._core import instruments, semconv

LOGGER: Final = "anthropic_otel"
_RESOURCE: Final = Resource.create()
"""One for every test: to detect it takes threads of its own, and longer than many a test."""


@dataclass(frozen=True)
class Point:
    """One point of a metric: its attributes, and `count` and `sum` of a histogram, or the `sum` of another."""

    attributes: Mapping[str, Any]
    count: int
    sum: float


class Telemetry:
    """Everything that was exported. `instrument` and `instrument_http_client` are the library's, with its providers."""

    def __init__(self, sampler: Sampler | None = None, readers: Iterable[MetricReader] = ()) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracer_provider = TracerProvider(sampler, resource=_RESOURCE, shutdown_on_exit=False)
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meter_provider = MeterProvider([self.reader, *readers], resource=_RESOURCE, shutdown_on_exit=False)
        self.records: list[logging.LogRecord] = []

    # -- what the app would write --------------------------------------------------------------------------------------

    def instrument(self, client: Any = None, **options: Any) -> None:
        anthropic_otel.instrument(client, **self._providers(), **options)

    def instrument_http_client(self, client: Any, **options: Any) -> None:
        anthropic_otel.instrument_http_client(client, **self._providers(), **options)

    def event_hooks(self, **options: Any) -> dict[str, list[Any]]:
        return anthropic_otel.event_hooks(**self._providers(), **options)

    def _providers(self) -> dict[str, Any]:
        return {"tracer_provider": self.tracer_provider, "meter_provider": self.meter_provider}

    # -- what came of it -----------------------------------------------------------------------------------------------

    @property
    def spans(self) -> list[ReadableSpan]:
        """Every span that has ended, in the order in which they started."""
        return sorted(self.exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    @property
    def attempts(self) -> list[ReadableSpan]:
        """The attempts' spans, in the order in which they started."""
        return [span for span in self.spans if semconv.ATTEMPT_OUTCOME in (span.attributes or {})]

    @property
    def calls(self) -> list[ReadableSpan]:
        """The spans of calls, ours or the SDK's."""
        return [span for span in self.spans if span.name.startswith("anthropic.")]

    def points(self, metric: instruments.Metric) -> list[Point]:
        """The points of one metric, since the beginning."""
        data = self.reader.get_metrics_data()
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics] if data else []
        ours = [each for scope in scopes if scope.scope.name == semconv.SCOPE for each in scope.metrics]
        return [_point(point) for each in ours if each.name == metric.name for point in each.data.data_points]

    @property
    def metric_names(self) -> set[str]:
        """The names of every metric with a point, of every scope."""
        data = self.reader.get_metrics_data()
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics] if data else []
        return {each.name for scope in scopes for each in scope.metrics if each.data.data_points}

    @property
    def logs(self) -> list[logging.LogRecord]:
        """One record per failed attempt."""
        return [record for record in self.records if record.name == f"{LOGGER}.attempt"]

    @property
    def warnings(self) -> list[str]:
        """What the library had to say of itself."""
        return [record.getMessage() for record in self.records if record.name == LOGGER]

    def clear(self) -> None:
        """Forgets spans and logs; the metrics are cumulative."""
        self.exporter.clear()
        self.records.clear()


def _point(point: Any) -> Point:
    attributes = dict(point.attributes or {})
    if hasattr(point, "count"):
        return Point(attributes, point.count, point.sum)
    return Point(attributes, 1, point.value)


@contextmanager
def recording(sampler: Sampler | None = None, readers: Iterable[MetricReader] = ()) -> Iterator[Telemetry]:
    """The telemetry of the block, whose metrics are also there for some more readers.

    Leaves nothing instrumented. A failure of the library itself is one of the test.
    """
    telemetry = Telemetry(sampler, readers)
    handler = _Handler(telemetry.records)
    logger = logging.getLogger(LOGGER)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield telemetry
    finally:
        anthropic_otel.uninstrument()
        logger.removeHandler(handler)
        logger.setLevel(level)
        telemetry.tracer_provider.shutdown()
        telemetry.meter_provider.shutdown()
    failures = [record for record in telemetry.records if record.msg.startswith("Telemetry failed")]
    assert not failures, [(record.getMessage(), record.exc_info) for record in failures]


class _Handler(logging.Handler):
    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__()
        self._records = records

    def emit(self, record: logging.LogRecord) -> None:
        self._records.append(record)

"""Collects in memory the telemetry that a command's own calls cause, and also sends it by OTLP if the user wants that.

Rule: every trace and measurement that is shown later comes from the OpenTelemetry SDK's own in-memory exporter and
reader. OTLP is used if `OTEL_EXPORTER_OTLP_ENDPOINT`, or the variable of one signal, is set; the other standard
variables apply too.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    HistogramDataPoint,
    InMemoryMetricReader,
    MetricReader,
    NumberDataPoint,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from anthropic_otel._otel import providers
from anthropic_otel._render.traces import Trace, traces_of
from anthropic_otel.cli.summary import Measured

SERVICE: Final = "anthropic-otel-demo"
_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
_UNNAMED: Final = "the OTLP endpoint"


class Watcher(SpanProcessor):
    """A span processor that keeps, for each thread, the trace id of the last span that the thread ended.

    `cue`, if it is not `None`, is called with each span that ends, in the thread that ended the span.
    """

    def __init__(self) -> None:
        self.cue: Callable[[ReadableSpan], None] | None = None
        self._ended = threading.local()

    def on_end(self, span: ReadableSpan) -> None:
        self._ended.trace_id = f"{span.context.trace_id:032x}" if span.context is not None else ""
        if self.cue is not None:
            self.cue(span)

    def ended(self) -> str:
        """Returns the trace id, as 32 hexadecimal digits, of the last span that the current thread ended.

        Empty if the thread has ended none.
        """
        return getattr(self._ended, "trace_id", "")


class Delivered(SpanExporter):
    """Passes spans on to `exporter`, and counts them: `spans` were exported successfully, `lost` were not.

    If `exporter` raises, so does this, and the spans count as `lost`.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.spans = 0
        self.lost = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            if result is SpanExportResult.SUCCESS:
                self.spans += len(spans)
            else:
                self.lost += len(spans)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class Collection:
    """Keeps every span and measurement in memory: sets the process's global tracer and meter provider for that.

    OpenTelemetry keeps the providers that were set first: a second collection, or one that is made after the app's own
    providers were set, collects nothing. With `export`, each signal is also sent by OTLP if its `endpoint` is set;
    raises `providers.MissingExporter` if the package for that is not installed.

    - `watcher`: the span processor that sees each span end.
    - `delivered`: counts the spans that are sent by OTLP; `None` if spans are not sent.
    """

    def __init__(self, *, export: bool = True) -> None:
        self.watcher: Final = Watcher()
        self.delivered: Final = _otlp_spans() if export else None
        self._spans: Final = InMemorySpanExporter()
        self._reader: Final = InMemoryMetricReader()
        resource = Resource.create({"service.name": service_name()})
        self._tracers: Final = TracerProvider(sampler=ALWAYS_ON, resource=resource)
        self._tracers.add_span_processor(self.watcher)
        self._tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        if self.delivered is not None:
            self._tracers.add_span_processor(BatchSpanProcessor(self.delivered))
        self._meters: Final = MeterProvider([self._reader, *(_otlp_metrics() if export else ())], resource=resource)
        trace.set_tracer_provider(self._tracers)
        metrics.set_meter_provider(self._meters)

    def traces(self) -> list[Trace]:
        """Returns the calls that have ended and have an attempt, in the order in which they began.

        Leaves out spans that ended before the last `forget`.
        """
        return traces_of(self._spans.get_finished_spans())

    def measured(self) -> list[Measured]:
        """Returns the data points of all instruments as they are now, without those of exponential histograms.

        Except for gauges, they are totals since the providers were set; `forget` does not change that.
        """
        data = self._reader.get_metrics_data()
        found = []
        for resource in data.resource_metrics if data is not None else ():
            for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
                for point in metric.data.data_points:
                    if isinstance(point, HistogramDataPoint):
                        found.append(Measured(metric.name, dict(point.attributes or {}), point.count, point.sum))
                    elif isinstance(point, NumberDataPoint):
                        found.append(Measured(metric.name, dict(point.attributes or {}), 1, point.value))
        return found

    def forget(self) -> None:
        """Drops the spans that are kept in memory. Metrics, and what is sent by OTLP, stay as they are."""
        self._spans.clear()

    def close(self) -> None:
        """Shuts the providers down, which first sends by OTLP what has not been sent, and waits for that.

        Does not raise if that fails: `delivered` counts the spans whose export has failed; for metrics it is logged, at
        DEBUG. How long it waits, the SDK and its exporters decide.
        """
        self._tracers.shutdown()
        try:
            self._meters.shutdown()
        except Exception as error:  # the SDK raises if an exporter does not end in time
            logging.getLogger(__name__).debug("metrics were not delivered", exc_info=error)


def service_name() -> str:
    """Returns the `service.name` of the telemetry: `OTEL_SERVICE_NAME`, or `SERVICE` if that is unset or empty."""
    return os.environ.get("OTEL_SERVICE_NAME") or SERVICE


def endpoint(signal: str) -> str | None:
    """Returns the OTLP endpoint in the environment for a signal, `TRACES` or `METRICS`.

    The signal's own variable takes precedence over the one for all signals. If both are unset or empty, returns `None`,
    which means that the signal is not sent.
    """
    return os.environ.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT") or os.environ.get(_ENDPOINT)


def destination() -> str | None:
    """Returns the host of the spans' OTLP endpoint, with the port if the URL has one.

    Returns `the OTLP endpoint` if the URL has no host or cannot be parsed, and `None` if no endpoint is set. The rest
    of the URL is left out, because it may be secret.
    """
    url = endpoint("TRACES")
    if not url:
        return None
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or _UNNAMED
    except ValueError:
        return _UNNAMED


def _otlp_spans() -> Delivered | None:
    return Delivered(providers.otlp_exporter("traces")) if endpoint("TRACES") else None


def _otlp_metrics() -> list[MetricReader]:
    return [PeriodicExportingMetricReader(providers.otlp_exporter("metrics"))] if endpoint("METRICS") else []

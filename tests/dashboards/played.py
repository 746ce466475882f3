"""Calls that happen at given times, told to the library's own core and recorder, and what Prometheus has of them.

Rule: no series is made up. The clock is turned by hand, so that an hour takes seconds; what is counted, under which
name and in which bucket, is the library's doing and OpenTelemetry's, as in an app. Only what the Collector's
`span_metrics` counts of the attempts' spans, and what a process tells of itself, are written down here.
"""

from __future__ import annotations

import contextvars
import heapq
import itertools
import uuid
import zlib
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Any, Final

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, Metric, NumberDataPoint
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

from anthropic_otel._core import instruments, semconv
from anthropic_otel._core.settings import Settings
from anthropic_otel._otel.metrics import Metrics
from anthropic_otel._otel.recorder import OpenTelemetryRecorder
from anthropic_otel.bundle.boards.failures import SPAN_CALLS
from anthropic_otel.bundle.promql import label
from core.notes import ManualClock
from otel.scene import Scene

Labels = dict[str, str]
Sample = tuple[str, Labels, float]
"""Name of a series, its labels, and its value."""
Steps = Generator[float, None, None]
"""Something that happens: it yields the seconds that it waits for."""

EXPORT: Final = 60.0
"""Seconds between two exports of a process, as OpenTelemetry has them."""
_METRICS: Final = {metric.name: metric for metric in instruments.METRICS}


class SpanCounts(SpanProcessor):
    """What the Collector's `span_metrics` counts of the attempts' spans, by the attributes that the panels need."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[tuple[str, str], ...]] = Counter()

    def on_end(self, span: ReadableSpan) -> None:
        """Counts a span."""
        found = {
            label(name): str(value).lower()
            for name in (semconv.CONNECTION_REUSED, semconv.NETWORK_PHASE)
            if (value := (span.attributes or {}).get(name)) is not None
        }
        self.counts[tuple(found.items())] += 1


class Process:
    """A process of a service: its recorder, and the series that it exports, `phase` seconds after each full minute.

    What it measures is also there for some more `readers`.
    """

    def __init__(
        self, job: str, pod: str, clock: ManualClock, phase: float, readers: Iterable[InMemoryMetricReader] = ()
    ) -> None:
        self.labels = {"job": job, "instance": str(uuid.uuid5(uuid.NAMESPACE_DNS, pod))}
        self._told = {"host_name": pod, "k8s_pod_name": pod, "k8s_node_name": f"node-{zlib.crc32(pod.encode()) % 3}"}
        self.phase = phase
        self._reader = InMemoryMetricReader()
        self._spans = SpanCounts()
        tracers = TracerProvider(shutdown_on_exit=False)
        tracers.add_span_processor(self._spans)
        self._meters = MeterProvider([self._reader, *readers], shutdown_on_exit=False)
        recorder = OpenTelemetryRecorder(Settings(tracers, self._meters, logs=False))
        self.scene = Scene(recorder, clock)
        metrics = recorder.metrics
        assert isinstance(metrics, Metrics)
        # What was told of a limit is forgotten after ten minutes, which pass on this clock.
        vars(metrics._rate_limits)["_now"] = lambda: clock.now() / 1e9

    def collected(self) -> Any:
        """What it has measured until now, as OpenTelemetry has it."""
        return self._reader.get_metrics_data()

    def samples(self) -> Iterator[Sample]:
        """What Prometheus gets of an export."""
        data = self.collected()
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    yield from self._of_metric(metric)
        for attributes, count in self._spans.counts.items():
            yield SPAN_CALLS, {**self.labels, **dict(attributes)}, float(count)
        yield "target_info", self.labels | self._told, 1.0

    def _of_metric(self, metric: Metric) -> Iterator[Sample]:
        name = _METRICS[metric.name].prometheus_name
        for point in metric.data.data_points:
            labels = self.labels | {label(key): str(value) for key, value in (point.attributes or {}).items()}
            if isinstance(point, NumberDataPoint):
                yield name, labels, float(point.value)
            elif isinstance(point, HistogramDataPoint):
                bounds = (*(f"{bound:g}" for bound in point.explicit_bounds), "+Inf")
                for bound, total in zip(bounds, itertools.accumulate(point.bucket_counts), strict=True):
                    yield f"{name}_bucket", {**labels, "le": bound}, float(total)
                yield f"{name}_count", labels, float(point.count)
                yield f"{name}_sum", labels, point.sum


class Play:
    """What happens from `begin`, seconds since the epoch, on."""

    def __init__(self, begin: float) -> None:
        self.clock = ManualClock(int(begin * 1e9))
        self._begin = begin
        self._zero = self.clock.now()
        self._queue: list[tuple[float, int, contextvars.Context, Steps]] = []
        self._number = itertools.count()
        self.processes: list[Process] = []
        self.exported: list[tuple[float, Sample]] = []
        """Every sample with its time, in the order of the times."""

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return (self.clock.now() - self._zero) / 1e9

    def process(self, job: str, pod: str) -> Process:
        """One more process, which exports from the first minute on."""
        made = Process(job, pod, self.clock, phase=7.0 * len(self.processes) % EXPORT)
        self.processes.append(made)
        self.at(made.phase, self._export(made))
        return made

    def at(self, seconds: float, steps: Steps) -> None:
        """Has something begin so many seconds after the beginning, in a context of its own as in a thread."""
        heapq.heappush(self._queue, (seconds, next(self._number), contextvars.copy_context(), steps))

    def run(self, seconds: float) -> None:
        """Lets everything happen until so many seconds after the beginning."""
        while self._queue and self._queue[0][0] <= seconds:
            at, _, context, steps = heapq.heappop(self._queue)
            self.clock.time = self._zero + int(at * 1e9)
            wait = context.run(next, steps, None)
            if wait is not None:
                heapq.heappush(self._queue, (at + wait, next(self._number), context, steps))

    def _export(self, process: Process) -> Steps:
        while True:
            at = self._begin + self.now
            self.exported.extend((at, sample) for sample in process.samples())
            yield EXPORT


def openmetrics(samples: Iterator[tuple[float, Sample]]) -> Iterator[str]:
    """Samples with their times as lines that promtool makes blocks of."""
    for at, (name, labels, value) in samples:
        yield f"{name}{_text(labels)} {value!r} {at:.3f}\n"
    yield "# EOF\n"


def _text(labels: Mapping[str, Any]) -> str:
    return "{" + ",".join(f'{key}="{value}"' for key, value in sorted(labels.items())) + "}"

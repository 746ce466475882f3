"""A load of which everything is known beforehand, and what a Prometheus has of it: the real SDK against the simulator.

Rule: what is expected of a panel is counted from the plan, never from the telemetry. Only how long things took cannot
be known before: that is read from the spans, and from a clock of the test's own.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import anthropic
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.metrics import Histogram
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation

from anthropic_otel._core import instruments, semconv
from anthropic_otel.bundle.boards.failures import SPAN_CALLS
from anthropic_otel.bundle.promql import label
from anthropic_otel.simulator import Limits, Simulator
from anthropic_otel.simulator.exchange import Served
from support.telemetry import recording

from . import sent

MODELS = LARGE, SMALL = "claude-simulated-large", "claude-simulated-small"
LIMITS = Limits(requests=1_000, input_tokens=None, output_tokens=None)
SUBSCRIPTION = Limits(unified=(200, 2_000))


@dataclass(frozen=True)
class Met:
    """What an attempt meets: the status that comes, the attempt's error, and the error of a call that ends with it."""

    status: str = ""
    error: str = ""
    call_error: str = ""


FAULTS = {
    "ok": Met("200"),
    "http_400": Met("400", "400", "invalid_request_error"),
    "http_404": Met("404", "404", "not_found_error"),
    "http_429_retry_after_ms": Met("429", "429", "rate_limit_error"),
    "http_500": Met("500", "500", "api_error"),
    "http_529": Met("529", "529", "overloaded_error"),
    "connection_reset": Met("", "connection_reset", "connection_error"),
    "read_timeout": Met("", "read_timeout", "connection_error"),
    "stream_incomplete": Met("200", "incomplete_stream", "api_error"),
    "stream_overloaded": Met("200", "overloaded_error", "overloaded_error"),
}


@dataclass(frozen=True)
class Step:
    """Some calls, each of which meets these faults, one in each attempt."""

    calls: int
    faults: tuple[str, ...]
    model: str = LARGE
    stream: bool = False
    operation: str = "messages.create"
    subscribed: bool = False

    @property
    def met(self) -> tuple[Met, ...]:
        """What its attempts meet."""
        return tuple(FAULTS[fault] for fault in self.faults)

    @property
    def outcome(self) -> str:
        """The outcome of each call."""
        more = len(self.faults) > 1
        if self.met[-1].error:
            return "exhausted" if more else "failed"
        return "recovered" if more else "succeeded"


PLAN = (
    Step(10, ("ok",)),
    Step(1, ("ok",), subscribed=True),
    Step(4, ("ok",), SMALL, stream=True),
    Step(3, ("ok",), operation="messages.count_tokens"),
    Step(3, ("http_529", "ok")),
    Step(2, ("http_429_retry_after_ms", "ok"), SMALL),
    Step(1, ("http_500", "http_500", "http_500")),
    Step(2, ("http_400",)),
    Step(1, ("http_404",), SMALL),
    Step(1, ("connection_reset", "connection_reset", "connection_reset"), SMALL),
    Step(1, ("read_timeout", "ok")),
    Step(1, ("stream_incomplete",), stream=True),
    Step(1, ("stream_overloaded",), stream=True),
)


@dataclass
class Made:
    """What is left of the load: the series that a Prometheus has, and the spans."""

    series: dict[str, str] = field(default_factory=dict)
    fixed: ExportMetricsServiceRequest = field(default_factory=ExportMetricsServiceRequest)
    """The same as the app sends it by OTLP, with the fixed buckets of the library."""
    exponential: ExportMetricsServiceRequest = field(default_factory=ExportMetricsServiceRequest)
    """And with exponential histograms."""
    spans: list[Any] = field(default_factory=list)
    served: list[Served] = field(default_factory=list)
    tokens: int = 0
    """What the subscription's calls have used."""
    took: list[tuple[Step, float]] = field(default_factory=list)
    """How many seconds each call took, by a clock of the test's own."""


def make() -> Made:
    """Makes the calls, one after the other; one more hangs while the metrics are collected."""
    made = Made()
    # What OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION has the exporter ask for.
    exponential = InMemoryMetricReader(preferred_aggregation={Histogram: ExponentialBucketHistogramAggregation()})
    with (
        recording(readers=[exponential]) as telemetry,
        Simulator(limits=LIMITS, clock=lambda: 0.0, models=MODELS) as simulator,
        Simulator(limits=SUBSCRIPTION, clock=lambda: 0.0, models=MODELS) as subscription,
    ):
        telemetry.instrument()
        with _client(simulator) as client, _client(subscription) as subscribed:
            for step in PLAN:
                for _ in range(step.calls):
                    if not step.subscribed:
                        simulator.play(*step.faults)
                    began = time.perf_counter()
                    _call(subscribed if step.subscribed else client, step)
                    made.took.append((step, time.perf_counter() - began))
            simulator.play("ok")
            with client.messages.create(**_request(LARGE), stream=True):
                data, spans = telemetry.reader.get_metrics_data(), _counted(telemetry.attempts)
                made.series = dict(_series(data, spans))
                made.fixed = sent.export(data, spans)
                made.exponential = sent.export(data, spans, exponential.get_metrics_data())
                made.spans = list(telemetry.spans)
                made.served = list(simulator.served)
        usage = [served.usage for served in subscription.served]
        made.tokens = sum(one["input_tokens"] + one["output_tokens"] for one in usage if one)
    return made


def _client(simulator: Simulator) -> anthropic.Anthropic:
    timeout = anthropic.Timeout(30.0, read=1.0)
    return anthropic.Anthropic(base_url=simulator.base_url, api_key="none", max_retries=2, timeout=timeout)


def _request(model: str) -> dict[str, Any]:
    return {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": "Hello"}]}


def _call(client: anthropic.Anthropic, step: Step) -> None:
    request = _request(step.model)
    with contextlib.suppress(anthropic.APIError):
        if step.operation == "messages.count_tokens":
            del request["max_tokens"]
            client.messages.count_tokens(**request)
        elif step.stream:
            for _ in client.messages.create(**request, stream=True):
                pass
        else:
            client.messages.create(**request)


def _series(data: Any, spans: Mapping[tuple[tuple[str, str], ...], int]) -> Iterator[tuple[str, str]]:
    """Every series with its value, under Prometheus' names, which the tests of the back ends hold.

    What the Collector counts of spans is counted here as it does.
    """
    for pairs, number in spans.items():
        yield _named(SPAN_CALLS, dict(pairs)), str(number)
    names = {metric.name: metric.prometheus_name for metric in instruments.METRICS}
    for metric in (m for r in data.resource_metrics for scope in r.scope_metrics for m in scope.metrics):
        for point in metric.data.data_points:
            labels = {label(key): str(value) for key, value in (point.attributes or {}).items()}
            name = names[metric.name]
            if not hasattr(point, "bucket_counts"):
                yield _named(name, labels), f"{point.value!r}"
                continue
            total = 0
            bounds = [*(f"{bound:g}" for bound in point.explicit_bounds), "+Inf"]
            for bound, count in zip(bounds, point.bucket_counts, strict=True):
                total += count
                yield _named(f"{name}_bucket", labels | {"le": bound}), str(total)
            yield _named(f"{name}_count", labels), str(point.count)
            yield _named(f"{name}_sum", labels), f"{point.sum!r}"


def _counted(spans: list[Any]) -> Counter[tuple[tuple[str, str], ...]]:
    """The attempts by the attributes that the `span_metrics` connector is told to count them by."""
    found: Counter[tuple[tuple[str, str], ...]] = Counter()
    for span in spans:
        values = {label(key): span.attributes.get(key) for key in (semconv.CONNECTION_REUSED, semconv.NETWORK_PHASE)}
        found[tuple((key, str(value).lower()) for key, value in values.items() if value is not None)] += 1
    return found


def _named(name: str, labels: Mapping[str, str]) -> str:
    whole = {"job": "shop", "instance": "1", **labels}
    pairs = ",".join(f'{key}="{value}"' for key, value in whole.items())
    return f"{name}{{{pairs}}}"

"""What an app sends of a load by OTLP, and a real Prometheus 3 that gets it, an export a minute.

Rule: the bytes are those of OpenTelemetry's own encoder. Only the times are chosen, as nobody waits for twenty minutes,
and the names of the process.
"""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric, NumberDataPoint, Sum

from anthropic_otel.cli.stack import layout, panels, services
from anthropic_otel.cli.stack.layout import Layout

SPAN_CALLS = "traces.span.metrics.calls"
"""The counter of the Collector's `span_metrics`, by its own name."""
MINUTE = 60


SHOP: Mapping[str, str] = {"service.name": "shop", "service.instance.id": "1"}


def export(
    data: Any,
    spans: Mapping[tuple[tuple[str, str], ...], int],
    histograms: Any = None,
    of: Mapping[str, str] = SHOP,
) -> ExportMetricsServiceRequest:
    """An export of a process, with what the Collector counts of its spans. `histograms` come from another reader."""
    made = encode_metrics(data)
    if histograms is not None:
        # Not its gauges: the least since a collection is told to the first that collects.
        others = {m.name: m for m in metrics(encode_metrics(histograms)) if m.HasField("exponential_histogram")}
        for metric in metrics(made):
            if metric.HasField("histogram"):
                metric.CopyFrom(others[metric.name])
    cumulative = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    points = [NumberDataPoint(as_int=count, attributes=_pairs(dict(of))) for of, count in spans.items()]
    counter = Sum(data_points=points, is_monotonic=True, aggregation_temporality=cumulative)
    (resource,) = made.resource_metrics
    if points:
        resource.scope_metrics[0].metrics.append(Metric(name=SPAN_CALLS, sum=counter))
    del resource.resource.attributes[:]
    resource.resource.attributes.extend(_pairs(of))
    return made


def at(export: ExportMetricsServiceRequest, seconds: float) -> bytes:
    """The export as it is sent at a time, of a process that began an hour before."""
    made = ExportMetricsServiceRequest()
    made.CopyFrom(export)
    for metric in metrics(made):
        for point in getattr(metric, str(metric.WhichOneof("data"))).data_points:
            point.time_unix_nano = int(seconds * 1e9)
            point.start_time_unix_nano = int((seconds - 3600) * 1e9)
    return bytes(made.SerializeToString())


def metrics(request: ExportMetricsServiceRequest) -> Iterator[Metric]:
    """Every metric of an export."""
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            yield from scope.metrics


def _pairs(values: Mapping[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in values.items()]


class Prometheus:
    """A running Prometheus, with the files of a bundle."""

    def __init__(self, base: str, begin: float) -> None:
        self._base, self._begin = base, begin

    def take(self, export: ExportMetricsServiceRequest, minutes: Iterable[int]) -> None:
        """Gets the same export in each of some minutes, counted from a beginning in the past."""
        for minute in minutes:
            headers = {"content-type": "application/x-protobuf"}
            body = at(export, self._begin + minute * MINUTE)
            request = urllib.request.Request(f"{self._base}/api/v1/otlp/v1/metrics", body, headers)
            with urllib.request.urlopen(request, timeout=30) as response:
                assert response.status == 200

    def values(self, query: str, minute: int) -> list[tuple[dict[str, str], float]]:
        """What a query gives in a minute: the labels and the value of each of its series."""
        found = panels.query(self._base, "query", {"query": query, "time": self._begin + minute * MINUTE})
        return [(one["metric"], float(one["value"][1])) for one in found]


@contextmanager
def prometheus(binary: Path, bundle: Path, work: Path, minutes: int) -> Iterator[Prometheus]:
    """A Prometheus of its own, with the config and the rules of a bundle. It has nothing of the last minutes yet."""
    where = Layout(work, layout.free_ports(), bundle)
    service = services.prometheus(binary, where, scrape=False).start()
    try:
        yield Prometheus(where.url("prometheus"), time.time() // MINUTE * MINUTE - minutes * MINUTE)
    finally:
        service.stop()

"""Spans and metrics made by hand, as OTLP has them, and sent to a Collector over HTTP."""

from __future__ import annotations

import secrets
import time
import urllib.request
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

SECOND = 1_000_000_000


def pair(key: str, value: str | int) -> KeyValue:
    """An attribute."""
    return KeyValue(
        key=key, value=AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)
    )


def span(trace: bytes, name: str, *, seconds: float = 0.1, error: bool = False, **attributes: str | int) -> Span:
    """A span that ends now. An attribute's name is written with two underscores for each dot."""
    now = time.time_ns()
    return Span(
        trace_id=trace,
        span_id=secrets.token_bytes(8),
        name=name,
        start_time_unix_nano=now - int(seconds * SECOND),
        end_time_unix_nano=now,
        status=Status(code=Status.STATUS_CODE_ERROR if error else Status.STATUS_CODE_UNSET),
        attributes=[pair(key.replace("__", "."), value) for key, value in attributes.items()],
    )


def traces(spans: list[Span], **resource: str) -> ExportTraceServiceRequest:
    """An export of spans of one service."""
    made = ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])
    made.resource.attributes.extend(pair(key, value) for key, value in {"service.name": "shop", **resource}.items())
    return ExportTraceServiceRequest(resource_spans=[made])


def counted(name: str, value: int, began: int, service: str) -> ExportMetricsServiceRequest:
    """An export of one counter of a service whose process has no id."""
    point = NumberDataPoint(time_unix_nano=time.time_ns(), start_time_unix_nano=began, as_int=value)
    cumulative = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    counter = Sum(data_points=[point], aggregation_temporality=cumulative, is_monotonic=True)
    made = ResourceMetrics(scope_metrics=[ScopeMetrics(metrics=[Metric(name=name, unit="{attempt}", sum=counter)])])
    made.resource.attributes.append(pair("service.name", service))
    return ExportMetricsServiceRequest(resource_metrics=[made])


def post(port: int, signal: str, message: Any) -> None:
    """Sends an export; returns when the Collector has accepted it."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/{signal}",
        data=message.SerializeToString(),
        headers={"content-type": "application/x-protobuf"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        assert response.status == 200

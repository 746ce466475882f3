"""A key of its own in every place that OTLP has, for the tests of what the Collector takes out."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, EntityRef, KeyValue, KeyValueList
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Exemplar, Metric

from . import otlp

Attributes = Any
"""A repeated field of key-value pairs."""


def key(place: str) -> str:
    """A key that is planted in one place only."""
    return f"sk-ant-api03-{re.sub('[^a-z0-9]', '_', place)}-0123456789"


def text(value: str) -> AnyValue:
    """A string."""
    return AnyValue(string_value=value)


def array(*values: AnyValue) -> AnyValue:
    """An array."""
    return AnyValue(array_value=ArrayValue(values=values))


def mapping(name: str, value: AnyValue) -> AnyValue:
    """A map of one pair."""
    return AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key=name, value=value)]))


KINDS: dict[str, Callable[[str], AnyValue]] = {
    "text": lambda found: text(f"key {found} here"),
    "array": lambda found: array(text("first"), text(found)),
    "array of arrays": lambda found: array(array(array(text(found)))),
    "map": lambda found: mapping("header", text(found)),
    "name in a map": lambda found: mapping(found, text("value")),
    "map in an array": lambda found: array(mapping("a", array(mapping("b", text(found))))),
    "name deep in a map": lambda found: array(mapping("a", array(mapping(found, text("value"))))),
    "bytes": lambda found: AnyValue(bytes_value=found.encode()),
    "bytes after one": lambda found: AnyValue(bytes_value=b"x" + found.encode()),
    "bytes after two": lambda found: AnyValue(bytes_value=b"xy" + found.encode()),
    "bytes in a map": lambda found: mapping("raw", AnyValue(bytes_value=found.encode())),
    "bytes in an array": lambda found: array(AnyValue(bytes_value=b"x" + found.encode())),
}
"""Every kind of value that can have a key in it."""


class Planting:
    """What is sent, and where a key is in it."""

    def __init__(self) -> None:
        self.places: list[str] = []
        self.traces, self.metrics, self.logs = (
            ExportTraceServiceRequest(),
            ExportMetricsServiceRequest(),
            ExportLogsServiceRequest(),
        )
        self._traces()
        self._metrics()
        self._logs()

    def key(self, place: str) -> str:
        """The key of a place, which is one of the places from now on."""
        self.places.append(place)
        return key(place)

    def values(self, where: str) -> Iterator[tuple[str, AnyValue]]:
        """A value of each kind."""
        for kind, made in KINDS.items():
            yield kind, made(self.key(f"{where}: {kind}"))

    def attributes(self, into: Attributes, where: str) -> None:
        """A key in a value of each kind, in a name, and what must stay."""
        for kind, value in self.values(where):
            into.append(KeyValue(key=kind, value=value))
        into.append(KeyValue(key=f"name {self.key(f'{where}: name')}", value=text("value")))
        into.append(KeyValue(key="gen_ai.usage.input_tokens", value=AnyValue(int_value=12)))
        into.append(KeyValue(key="stays", value=text(f"{where} stays")))

    def _resource(self, made: Any, where: str) -> None:
        self.attributes(made.resource.attributes, f"resource of {where}")
        made.schema_url = f"https://example.com/{self.key(f'schema of a resource of {where}')}"
        made.resource.attributes.append(otlp.pair("service.name", "shop"))
        # The names of the attributes that make an entity of the resource.
        made.resource.entity_refs.append(
            EntityRef(
                type=self.key(f"type of an entity of {where}"),
                schema_url=f"https://example.com/{self.key(f'schema of an entity of {where}')}",
                id_keys=[self.key(f"id of an entity of {where}")],
                description_keys=[self.key(f"description of an entity of {where}")],
            )
        )

    def _scope(self, made: Any, where: str) -> None:
        self.attributes(made.scope.attributes, f"scope of {where}")
        made.scope.name = f"scope {self.key(f'name of a scope of {where}')}"
        made.scope.version = f"1 {self.key(f'version of a scope of {where}')}"
        made.schema_url = f"https://example.com/{self.key(f'schema of a scope of {where}')}"

    def _traces(self) -> None:
        resource = self.traces.resource_spans.add()
        self._resource(resource, "traces")
        scope = resource.scope_spans.add()
        self._scope(scope, "traces")
        span = otlp.span(secrets.token_bytes(16), f"GET {self.key('name of a span')}", error=True)
        self.attributes(span.attributes, "span")
        span.status.message = f"401 {self.key('status of a span')}"
        span.trace_state = f"vendor={self.key('trace state of a span')}"
        event = span.events.add(name=f"event {self.key('name of an event')}")
        self.attributes(event.attributes, "event")
        link = span.links.add(trace_id=secrets.token_bytes(16), span_id=secrets.token_bytes(8))
        self.attributes(link.attributes, "link")
        link.trace_state = f"vendor={self.key('trace state of a link')}"
        scope.spans.append(span)

    def _metrics(self) -> None:
        resource = self.metrics.resource_metrics.add()
        self._resource(resource, "metrics")
        scope = resource.scope_metrics.add()
        self._scope(scope, "metrics")
        now = time.time_ns()
        cumulative = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE

        def exemplar(where: str) -> Exemplar:
            made = Exemplar(time_unix_nano=now, as_double=1.0, trace_id=b"t" * 16, span_id=b"s" * 8)
            for kind, value in self.values(where):
                made.filtered_attributes.append(KeyValue(key=kind, value=value))
            made.filtered_attributes.append(KeyValue(key=self.key(f"{where}: name"), value=text("value")))
            return made

        for kind in ("gauge", "sum", "histogram", "exponential_histogram", "summary"):
            metric = Metric(
                name=f"of_{kind} {self.key(f'name of a {kind}')}",
                description=f"Counts {self.key(f'description of a {kind}')}",
                unit=self.key(f"unit of a {kind}"),
            )
            for name, value in self.values(f"metadata of a {kind}"):
                metric.metadata.append(KeyValue(key=name, value=value))
            data = getattr(metric, kind)
            point = data.data_points.add(time_unix_nano=now, start_time_unix_nano=now - 1)
            self.attributes(point.attributes, f"point of a {kind}")
            if kind in ("gauge", "sum"):
                point.as_int = 1
            else:
                point.count, point.sum = 1, 1.0
            if kind != "summary":
                point.exemplars.append(exemplar(f"exemplar of a {kind}"))
            if kind in ("sum", "histogram", "exponential_histogram"):
                data.aggregation_temporality = cumulative
            if kind == "histogram":
                point.explicit_bounds.append(1.0)
                point.bucket_counts.extend([1, 0])
            scope.metrics.append(metric)

    def _logs(self) -> None:
        resource = self.logs.resource_logs.add()
        self._resource(resource, "logs")
        scope = resource.scope_logs.add()
        self._scope(scope, "logs")
        for _, body in self.values("body of a log"):
            scope.log_records.add(time_unix_nano=time.time_ns(), body=body)
        record = scope.log_records.add(time_unix_nano=time.time_ns(), body=text("this body stays"))
        self.attributes(record.attributes, "log")
        record.severity_text = f"WARN {self.key('severity of a log')}"
        record.event_name = f"event {self.key('name of a log event')}"

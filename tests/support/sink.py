"""A server on loopback that takes OTLP over HTTP, as a Collector does, and keeps what it was sent.

Rule: it answers every request with success, and a test reads what came once the app has exited.
"""

from __future__ import annotations

import gzip
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Sink:
    """What has been sent. `url` is what `OTEL_EXPORTER_OTLP_ENDPOINT` has to be."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[tuple[str, dict[str, str], bytes]] = []

    @property
    def spans(self) -> list[Any]:
        """Every span, as OTLP's message."""
        batches = [ExportTraceServiceRequest.FromString(body) for path, _, body in self.requests if "traces" in path]
        return [
            span
            for batch in batches
            for resource in batch.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def metrics(self) -> list[Any]:
        """Every metric, as OTLP's message."""
        batches = [ExportMetricsServiceRequest.FromString(body) for path, _, body in self.requests if "metrics" in path]
        return [
            metric
            for batch in batches
            for resource in batch.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        ]

    @property
    def resources(self) -> list[dict[str, str]]:
        """The attributes of the resource of each batch of spans."""
        batches = [ExportTraceServiceRequest.FromString(body) for path, _, body in self.requests if "traces" in path]
        return [
            {pair.key: pair.value.string_value for pair in resource.resource.attributes}
            for batch in batches
            for resource in batch.resource_spans
        ]


@contextmanager
def listening() -> Iterator[Sink]:
    """A sink that listens while the block runs."""
    sink = Sink()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            sink.requests.append((self.path, dict(self.headers.items()), body))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        sink.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield sink
        finally:
            server.shutdown()
            thread.join()

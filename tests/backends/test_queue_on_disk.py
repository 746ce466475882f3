"""A queue on disk is bounded by what it takes there, whatever the size of the exports."""

from __future__ import annotations

import secrets
import urllib.error
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from anthropic_otel.cli.stack import layout, services
from anthropic_otel.cli.stack.layout import Layout

from . import otlp
from .conftest import running

QUEUE = 20_000_000
GROWS_BY = 1 << 24
"""What the Collector's store takes from the disk at once."""
VALUES: dict[str, Any] = {f"attribute{number}": f"some value of a usual length {number}" for number in range(20)}


def posted(port: int, export: ExportTraceServiceRequest) -> bool:
    """Whether an export was accepted. A full queue refuses it in a way that has the app send it again."""
    try:
        otlp.post(port, "traces", export)
    except urllib.error.HTTPError as refused:
        if refused.code != 503:
            raise
        return False
    return True


@pytest.mark.parametrize("spans", [20, 500])
def test_a_full_queue_refuses_and_takes_no_more_than_twice_its_bytes(
    collector_path: Path, tmp_path: Path, spans: int
) -> None:
    """The back end is down, and small exports come as well as large ones."""
    where = Layout(tmp_path, layout.free_ports())
    gone = where.url("jaeger")  # nothing listens there
    service = services.collector(
        collector_path,
        ("all-in-one.yaml", "metrics/otlp.yaml"),
        where,
        TRACES_ENDPOINT=gone,
        METRICS_ENDPOINT=gone,
        TRACES_QUEUE_BYTES=str(QUEUE),
        BATCH_TIMEOUT="100ms",
    )
    export = otlp.traces([otlp.span(secrets.token_bytes(16), "POST", **VALUES) for _ in range(spans)])
    size = len(export.SerializeToString())
    accepted = 0
    with running(service):
        while accepted * size < 2 * QUEUE and posted(where.ports["otlp_http"], export):
            accepted += 1
        taken = sum(file.stat().st_size for file in tmp_path.rglob("*storage/*") if file.is_file())
    assert 0.8 * QUEUE < accepted * size < 1.2 * QUEUE
    assert taken <= 2 * QUEUE + GROWS_BY

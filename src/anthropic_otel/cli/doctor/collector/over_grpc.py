"""Makes an empty export over the channel of the OTLP gRPC exporter, with its endpoint, headers and credentials.

Rule: it is one request, without the exporter's retries. gRPC's message about a failure only serves to find the cause.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any, Final

from anthropic_otel._core.semconv import NetworkCause as Cause
from anthropic_otel.cli.doctor.collector.endpoint import Endpoint
from anthropic_otel.cli.doctor.collector.outcome import Outcome
from anthropic_otel.cli.doctor.collector.start import Signal

_WORDS: Final = (
    ("connection refused", Cause.CONNECTION_REFUSED, "ECONNREFUSED"),
    ("no such file", Cause.CONNECTION_REFUSED, "ENOENT"),
    ("dns", Cause.NAME_RESOLUTION_ERROR, None),
    ("name resolution", Cause.NAME_RESOLUTION_ERROR, None),
    ("name or service not known", Cause.NAME_RESOLUTION_ERROR, None),
    ("domain name not found", Cause.NAME_RESOLUTION_ERROR, None),
    ("certificate_verify_failed", Cause.TLS_CERTIFICATE_ERROR, None),
    ("hostname verification", Cause.TLS_CERTIFICATE_ERROR, None),
    ("certificate verify", Cause.TLS_CERTIFICATE_ERROR, None),
    ("http1.x server", Cause.PROTOCOL_ERROR, None),
    ("handshak", Cause.TLS_ERROR, None),
    ("ssl", Cause.TLS_ERROR, None),
    ("unreachable", Cause.NETWORK_UNREACHABLE, "ENETUNREACH"),
    ("connection reset", Cause.CONNECTION_RESET, "ECONNRESET"),
    ("timed out", Cause.CONNECT_TIMEOUT, None),
    ("timeout", Cause.CONNECT_TIMEOUT, None),
    ("proxy", Cause.PROXY_ERROR, None),
    ("socket closed", Cause.SERVER_DISCONNECTED, None),
    ("failed parsing http/2", Cause.PROTOCOL_ERROR, None),
    ("settings frame", Cause.PROTOCOL_ERROR, None),
)
"""The cause, and the errno, by a part of gRPC's message in lower case, for requests without an answer.

The first match counts.
"""


def export(endpoint: Endpoint, seconds: float, options: Mapping[str, Any]) -> Outcome:
    """Constructs the signal's gRPC exporter, sends an empty export by it, and returns the result.

    The exporter has the endpoint that the environment or `options` set; of `endpoint` only the signal is used.
    `options` are arguments of the exporter, from a configuration file; `seconds` is the timeout. Sets the variable
    `GRPC_VERBOSITY`, unless it is set, so that gRPC logs nothing. Raises only if the package `grpc` is not installed.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    import grpc

    started = time.perf_counter()
    try:
        exporter, nothing = _exporter(endpoint.signal, options)
    except Exception as error:
        return Outcome(time.perf_counter() - started, unmade=type(error).__qualname__)
    try:
        exporter._client.Export(nothing, metadata=exporter._headers or None, timeout=seconds)
    except grpc.RpcError as error:
        return _failed(error, time.perf_counter() - started)
    except Exception as error:
        # A header that gRPC cannot send.
        unsent = Cause.REQUEST_NOT_SENT if isinstance(error, (ValueError, TypeError)) else Cause.OTHER
        return Outcome(time.perf_counter() - started, cause=unsent.value)
    finally:
        exporter._channel.close()
    return Outcome(time.perf_counter() - started, code="OK")


def _failed(error: Any, seconds: float) -> Outcome:
    code = error.code().name
    text = str(error.details() or "").lower()
    if code == "DEADLINE_EXCEEDED":
        return Outcome(seconds, cause=Cause.READ_TIMEOUT.value)
    if code in ("UNAVAILABLE", "UNKNOWN", "INTERNAL"):
        for part, cause, errno in _WORDS:
            if part in text:
                return Outcome(seconds, cause=cause.value, errno=errno)
    if code == "UNAVAILABLE" and "http2 header with status" not in text:
        return Outcome(seconds, cause=Cause.CONNECTION_ERROR.value)
    return Outcome(seconds, code=code)


def _exporter(signal: Signal, options: Mapping[str, Any]) -> tuple[Any, Any]:
    """Returns a new gRPC exporter for the signal, and the OTLP message of an empty export."""
    if signal is Signal.TRACES:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        return OTLPSpanExporter(**options), ExportTraceServiceRequest()
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    return OTLPMetricExporter(**options), ExportMetricsServiceRequest()

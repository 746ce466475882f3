"""Makes an empty export by the OTLP HTTP exporter itself, with its endpoint, headers, certificates and proxy.

Rule: it is one request. The exporter would retry for its whole timeout; here the first result ends it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from anthropic_otel._core.cause import classify
from anthropic_otel.cli.doctor.collector.endpoint import Endpoint
from anthropic_otel.cli.doctor.collector.outcome import Outcome
from anthropic_otel.cli.doctor.collector.start import Signal

PROVIDERS: Final = "CREDENTIAL_PROVIDER"
"""The suffix of variables that name a package which constructs the exporter's session with credentials."""


class _Answered(Exception):
    """Raised by us to end an export once its result is known."""


def export(endpoint: Endpoint, seconds: float, options: Mapping[str, Any]) -> Outcome:
    """Constructs the signal's HTTP exporter, sends an empty export by it, and returns the result.

    The exporter has the endpoint that the environment or `options` set; of `endpoint` only the signal is used.
    `options` are arguments of the exporter, from a configuration file; `seconds` is the timeout of the connect, and of
    each wait for data. Raises only if the package `requests` is not installed.
    """
    import requests

    started = time.perf_counter()
    found: list[Outcome] = []

    class Session(requests.Session):
        """Sends a request with the timeout `seconds`, adds its result to `found`, and raises `_Answered`.

        So the exporter makes no other request.
        """

        def request(self, *arguments: Any, **keywords: Any) -> Any:
            try:
                response = super().request(*arguments, **{**keywords, "timeout": seconds})
            except Exception as error:
                cause = classify(error)
                found.append(Outcome(time.perf_counter() - started, cause=cause.word.value, errno=cause.errno))
            else:
                kind = response.headers.get("content-type", "").lower()
                found.append(Outcome(time.perf_counter() - started, response.status_code, kind))
            raise _Answered

    try:
        exporter, nothing = _exporter(endpoint.signal, Session(), options)
        exporter.export(nothing)
    except _Answered:
        pass
    except Exception as error:
        if not found:
            return Outcome(time.perf_counter() - started, unmade=type(error).__qualname__)
    return found[0] if found else Outcome(time.perf_counter() - started, unmade="no request was made")


def _exporter(signal: Signal, session: Any, options: Mapping[str, Any]) -> tuple[Any, Any]:
    """Returns a new HTTP exporter for the signal, and the argument that its `export` takes for an empty export."""
    if signal is Signal.TRACES:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter(session=session, **options), ()
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics.export import MetricsData

    return OTLPMetricExporter(session=session, **options), MetricsData(resource_metrics=[])

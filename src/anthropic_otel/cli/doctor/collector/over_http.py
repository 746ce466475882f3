"""An empty export by the exporter of OTLP over HTTP itself, with its endpoint, headers, certificates and proxy.

Rule: one request. The exporter would try again for its whole timeout; here the answer, whatever it is, ends it.
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
"""The end of variables that name a package which makes the exporter's session, with credentials of its own."""


class _Answered(Exception):
    """Ends an export once it is known what came of it."""


def export(endpoint: Endpoint, seconds: float, options: Mapping[str, Any]) -> Outcome:
    """Exports nothing. `options` are the exporter's, for what a configuration file says. Never raises."""
    import requests

    started = time.perf_counter()
    found: list[Outcome] = []

    class Session(requests.Session):
        """One that says what came of its only request."""

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
    """A new exporter, and what it takes for nothing."""
    if signal is Signal.TRACES:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter(session=session, **options), ()
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics.export import MetricsData

    return OTLPMetricExporter(session=session, **options), MetricsData(resource_metrics=[])

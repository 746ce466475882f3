"""An app whose OpenTelemetry API is ddtrace's. Prints the parent of the span that it makes after a call, as JSON.

Rule: what is current is asked of the OpenTelemetry API, as the app's own code would.
"""

from __future__ import annotations

import json
import os
from typing import Any

os.environ |= {"DD_TRACE_OTEL_ENABLED": "true", "DD_TRACE_ENABLED": "true", "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "0"}
os.environ |= {"DD_REMOTE_CONFIGURATION_ENABLED": "false", "OTEL_PYTHON_CONTEXT": "ddcontextvars_context"}

import anthropic
from ddtrace.opentelemetry import TracerProvider
from opentelemetry import trace

import anthropic_otel
from anthropic_otel.simulator import Simulator

REQUEST: dict[str, Any] = {
    "model": "claude-opus-4-8",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "hi"}],
}


def current() -> int:
    """The id of the span that is current, 0 for none."""
    return trace.get_current_span().get_span_context().span_id


def main() -> None:
    """Calls within a span of the app's own, and looks at what is current after it and while a stream is read."""
    trace.set_tracer_provider(TracerProvider())
    anthropic_otel.instrument()
    tracer = trace.get_tracer("app")
    with Simulator() as sim, anthropic.Anthropic(base_url=sim.base_url, api_key="none") as client:
        with tracer.start_as_current_span("app") as span:
            own = span.get_span_context().span_id
            client.messages.create(**REQUEST)
            after_call = current()
            stream = client.messages.create(stream=True, **REQUEST)
            within_stream = current()
            for _ in stream:
                pass
            after_stream = current()
        outside = current()
    told = {"after_call": after_call, "within_stream": within_stream, "after_stream": after_stream}
    print(json.dumps({"own": {name: value == own for name, value in told.items()}, "outside": outside}))


main()

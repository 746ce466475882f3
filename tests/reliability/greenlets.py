"""Sixty calls at once in greenlets of one thread, each below a span of its own. Prints whose attempts are whose.

    python greenlets.py BASE_URL

Rule: everything is patched before anything else is imported, as gevent asks for.
"""

from gevent import monkey  # type: ignore[import-untyped]

monkey.patch_all()

import json  # noqa: E402
import sys  # noqa: E402
from collections import Counter  # noqa: E402
from typing import Any  # noqa: E402

import anthropic  # noqa: E402
import gevent  # noqa: E402
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: E402
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: E402

import anthropic_otel  # noqa: E402
from anthropic_otel._adapters.current import current_call  # noqa: E402

REQUEST: dict[str, Any] = {
    "model": "claude-opus-4-8",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "hi"}],
}
GREENLETS = 60


def main(base_url: str) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    anthropic_otel.instrument(tracer_provider=provider)
    client = anthropic.Anthropic(base_url=base_url, api_key="none", max_retries=20, open_telemetry=False)
    tracer = provider.get_tracer("app")
    under_way = most = 0

    def call(number: int) -> None:
        nonlocal under_way, most
        with tracer.start_as_current_span("app"):
            under_way += 1
            most = max(most, under_way)
            result = client.messages.create(stream=bool(number % 2), **REQUEST)
            assert not number % 2 or len(list(result)) > 4
            assert current_call.get() is None
            under_way -= 1

    gevent.joinall([gevent.spawn(call, number) for number in range(GREENLETS)], raise_error=True)
    spans = {span.context.span_id: span for span in exporter.get_finished_spans()}
    kinds: Counter[str] = Counter()
    for span in spans.values():
        parent = spans[span.parent.span_id].name if span.parent else None
        kinds[f"{parent} > {span.name}"] += 1
    traces = Counter(span.context.trace_id for span in spans.values() if span.name == "anthropic.messages.create")
    print(json.dumps({"at_once": most, "kinds": kinds, "calls_in_a_trace": sorted(set(traces.values()))}))


if __name__ == "__main__":
    main(sys.argv[1])

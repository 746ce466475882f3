"""A pytest plugin that runs a test suite under `anthropic_otel.instrument()`, the suite knowing nothing of it.

Rule: the library is on for the whole process, with providers of the OpenTelemetry SDK that nobody else sees; what
it has counted is printed at the end, so that a run in which it saw nothing is not taken for one. What it measured while
a test had OpenTelemetry's own functions raise is left out of the count: OpenTelemetry could not record it.
"""

from __future__ import annotations

import gc
import json
from collections import Counter
from collections.abc import Generator
from typing import Any, Final

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import anthropic_otel

READER = InMemoryMetricReader()
SPANS = InMemorySpanExporter()
BREAKS_OPENTELEMETRY: Final = "test_disabled_spans_call_nothing_of_opentelemetry"
left_out: Final[Counter[str]] = Counter()


def pytest_configure(config: Any) -> None:
    tracer_provider = TracerProvider(shutdown_on_exit=False)
    tracer_provider.add_span_processor(SimpleSpanProcessor(SPANS))
    meter_provider = MeterProvider([READER], shutdown_on_exit=False)
    anthropic_otel.instrument(tracer_provider=tracer_provider, meter_provider=meter_provider)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: Any) -> Generator[None, Any, Any]:
    if item.originalname != BREAKS_OPENTELEMETRY:
        return (yield)
    before = _counted()
    result = yield
    left_out.update(_counted() - before)
    return result


def pytest_terminal_summary(terminalreporter: Any) -> None:
    gc.collect()
    counted = _counted() - left_out
    terminalreporter.write_line("ANTHROPIC_OTEL " + json.dumps({**counted, "spans": len(SPANS.get_finished_spans())}))


def _counted() -> Counter[str]:
    """How often each instrument was used so far."""
    data = READER.get_metrics_data()
    metrics = [metric for scope in data.resource_metrics[0].scope_metrics for metric in scope.metrics] if data else []
    return Counter(
        {
            each.name: sum(getattr(p, "count", 0) or getattr(p, "value", 0) for p in each.data.data_points)
            for each in metrics
        }
    )

"""The plain versions of the library's shortcuts, with which what these save is measured."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks import plain

SCRIPT = """
import sys

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from benchmarks import instructions, variants, workload

reader, spans = InMemoryMetricReader(), InMemorySpanExporter()
metrics.set_meter_provider(MeterProvider([reader]))
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)
variants.INSTALL[sys.argv[1]]()
case = instructions.case_of("create")
workload.repeat(case, workload.make_client(case), 30, None, workload.new_loop())
data = reader.get_metrics_data()
told = [
    (metric.name, sorted(map(str, point.attributes.items())), getattr(point, "count", None), getattr(point, "value", 0))
    for resource in data.resource_metrics for scope in resource.scope_metrics for metric in scope.metrics
    for point in metric.data.data_points if not metric.name.startswith("plain.")
]
print(*sorted(map(repr, told)), sep="\\n")
ids = [span.context.trace_id == span.parent.trace_id for span in spans.get_finished_spans() if span.parent]
print(len(ids), all(ids), sorted({(span.name, *sorted(span.attributes)) for span in spans.get_finished_spans()}))
"""


def _told(variant: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", SCRIPT, variant], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.slow
def test_a_plain_version_records_the_same() -> None:
    """Else what it takes more would be no price of the same thing. Only the count of attempts is another metric's."""
    as_it_is = _told("ours")
    assert any("gen_ai.client.token.usage" in line or "tokens" in line for line in as_it_is)
    for name in plain.VERSIONS:
        counted = [line for line in as_it_is if "attempt.started" not in line]
        told = [line for line in _told(plain.PREFIX + name) if "attempt.started" not in line]
        assert told == counted, name

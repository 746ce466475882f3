"""Modules that a reloader has imported anew, in a process that goes on: another copy of the library, or of the SDK."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.interpreter

PROGRAM = """
import json, sys
import anthropic
import anthropic_otel
from anthropic_otel.simulator import Simulator
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

reader = InMemoryMetricReader()
provider = MeterProvider([reader])


def anew(name):
    for module in [each for each in sys.modules if each.partition(".")[0] == name]:
        del sys.modules[module]
    return __import__(name)


def create(sdk):
    simulator.play("http_529")
    with sdk.Anthropic(base_url=simulator.base_url, api_key="none") as client:
        client.messages.create(model="claude-opus-5", max_tokens=1, messages=[{"role": "user", "content": "Hi"}])


with Simulator() as simulator:
    anthropic_otel.instrument(meter_provider=provider)
    create(anthropic)
    if sys.argv[1] == "anthropic":
        anthropic = anew("anthropic")
    else:
        anthropic_otel = anew("anthropic_otel")
    anthropic_otel.instrument(meter_provider=provider)
    create(anthropic)

found = {}
for metric in reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics:
    points = metric.data.data_points
    found[metric.name] = sum(getattr(point, "count", 0) or getattr(point, "value", 0) for point in points)
print(json.dumps(found))
"""


CAPTURING = """
import sys
import anthropic_otel

anthropic_otel.instrument(export="console")
if sys.argv[1] == "undone":
    anthropic_otel.uninstrument()
for module in [each for each in sys.modules if each.partition(".")[0] == "anthropic_otel"]:
    del sys.modules[module]
from anthropic_otel.testing import capture
try:
    with capture() as captured:
        print(captured.calls)
except RuntimeError as error:
    print(error)
"""


@pytest.mark.parametrize("state", ["recording", "undone"])
def test_a_capture_that_would_see_nothing_says_so(state: str) -> None:
    """Of the copy that was imported anew, while the first one records. After that is undone it captures."""
    done = subprocess.run([sys.executable, "-c", CAPTURING, state], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [told] = done.stdout.splitlines()
    assert told.startswith("Another copy of anthropic_otel records" if state == "recording" else "[]")


@pytest.mark.parametrize("module", ["anthropic", "anthropic_otel"])
def test_a_module_that_is_imported_anew_is_recorded_once(module: str) -> None:
    """Two calls of two attempts are two and four, by the first copy of the library, with calls of either of the SDK."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, module], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert counts["anthropic.client.call.duration"] == 2
    assert counts["anthropic.client.attempt.started"] == counts["anthropic.client.attempt.duration"] == 4
    assert counts["anthropic.client.call.retries"] == 2
    warning = "Another copy of anthropic_otel records this process already; this one leaves it to that"
    assert done.stderr.splitlines() == [warning] * (module == "anthropic_otel")


UNDOING = """
import importlib, sys
import anthropic
import anthropic_otel
from anthropic_otel.simulator import Simulator
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter = InMemorySpanExporter()
trace.set_tracer_provider(TracerProvider())
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(exporter))
ours = [name for name in sys.modules if name.partition(".")[0] == "anthropic_otel" and ".simulator" not in name]


def attempts():
    with anthropic.Anthropic(base_url=simulator.base_url, api_key="none") as client:
        client.messages.create(model="claude-opus-5", max_tokens=1, messages=[{"role": "user", "content": "Hi"}])
    found = [span for span in exporter.get_finished_spans() if span.name.startswith("POST")]
    exporter.clear()
    return len(found)


with Simulator() as simulator:
    anthropic_otel.instrument()
    print(attempts())
    first = anthropic_otel
    if sys.argv[1] == "in place":
        for name in ours:
            importlib.reload(sys.modules[name])
    else:
        for name in ours:
            del sys.modules[name]
    import anthropic_otel
    anthropic_otel.instrument()
    print(attempts())
    (first if sys.argv[1] == "by the first" else anthropic_otel).uninstrument()
    print(attempts())
    anthropic_otel.instrument()
    print(attempts())
    anthropic_otel.uninstrument()
    print(attempts())
"""


@pytest.mark.parametrize("how", ["in place", "anew", "by the first"])
def test_what_a_copy_before_a_reload_has_instrumented_can_be_undone(how: str) -> None:
    """By either copy, and what was undone can be instrumented again: nothing records for ever or is silent."""
    done = subprocess.run([sys.executable, "-c", UNDOING, how], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["1", "1", "0", "1", "0"]

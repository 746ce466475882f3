"""What a script and a shell's variables do: a process of its own for each test, as their subject is the process.

Rule: a program is a script that a person would write; what it prints is what is compared.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import Final

import pytest

from anthropic_otel.simulator import Simulator
from support.apps import API_KEY, request_of
from support.versions import TRACES_ITSELF

_PRELUDE: Final = """
    import sys
    import anthropic, anthropic_otel
    from opentelemetry import trace

    def call():
        with anthropic.Anthropic(base_url={url!r}, api_key={key!r}) as client:
            client.messages.create(**{request!r})
"""


def python(code: str, sim: Simulator, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a script that can `call()`, without any of the variables of OpenTelemetry or the SDK but those."""
    prelude = _PRELUDE.format(url=sim.base_url, key=API_KEY, request=request_of())
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "ANTHROPIC_"))}
    source = textwrap.dedent(prelude) + textwrap.dedent(code)
    return subprocess.run(
        [sys.executable, "-c", source], env={**kept, **variables}, capture_output=True, text=True, check=False
    )


def test_a_script_is_told_once_that_nothing_is_exported(sim: Simulator) -> None:
    """It has configured neither logging nor OpenTelemetry: one line on stderr says what is missing."""
    done = python("anthropic_otel.instrument(); call(); call(); print('done')", sim)
    assert (done.returncode, done.stdout.strip()) == (0, "done")
    [line] = done.stderr.splitlines()
    assert "export" in line


def test_a_script_is_told_of_no_attempt(sim: Simulator) -> None:
    """Without logging configuration the records of failed attempts go nowhere."""
    sim.play("http_400")
    code = """
        anthropic_otel.instrument()
        try:
            call()
        except anthropic.BadRequestError:
            print("refused")
    """
    done = python(code, sim)
    assert done.stdout.strip() == "refused"
    assert "Attempt" not in done.stderr


def test_a_script_that_has_switched_telemetry_off_is_told_nothing(sim: Simulator) -> None:
    """By the standard variable: to set a provider would change nothing."""
    done = python("anthropic_otel.instrument(); call(); print('done')", sim, OTEL_SDK_DISABLED="True")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "done", "")


def test_a_propagator_that_is_not_installed_costs_the_trace_context_only(sim: Simulator) -> None:
    """OpenTelemetry raises when its module is imported. The app starts, and calls and attempts are recorded."""
    code = """
        from anthropic_otel.testing import capture
        anthropic_otel.instrument()
        with capture() as telemetry:
            call()
        print([call.outcome for call in telemetry.calls], [attempt.status for attempt in telemetry.attempts])
    """
    done = python(code, sim, OTEL_PROPAGATORS="tracecontext,of_no_package")
    assert (done.returncode, done.stdout.strip()) == (0, "['succeeded'] [200]")
    [line] = [line for line in done.stderr.splitlines() if "of their attempts" in line]
    assert "of_no_package" in line
    assert "traceparent" not in {name.lower() for name, _ in sim.requests[-1].headers}


_SHARE: Final = """
    from opentelemetry.sdk.trace import TracerProvider, sampling
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from opentelemetry.sdk.trace.id_generator import IdGenerator

    class Halves(IdGenerator):
        # Every second trace is within the ratio of one half: what is drawn once per call is even.
        def __init__(self):
            self.traces = self.spans = 0
        def generate_trace_id(self):
            self.traces += 1
            return (self.traces << 64) | ((1 << 63) if self.traces % 2 else 1)
        def generate_span_id(self):
            self.spans += 1
            return self.spans

    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=sampling.ParentBased(sampling.TraceIdRatioBased(0.5)), id_generator=Halves())
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    anthropic_otel.instrument()
    for _ in range(8):
        call()
    spans = exporter.get_finished_spans()
    print(len({span.context.trace_id for span in spans}), sum(span.name == "POST /v1/messages" for span in spans))
"""


@pytest.mark.interpreter
@pytest.mark.skipif(not TRACES_ITSELF, reason="this SDK makes no spans")
@pytest.mark.parametrize("propagators", ["tracecontext,baggage", "none", "baggage"])
def test_the_share_of_sampled_traces_is_the_samplers(propagators: str, sim: Simulator) -> None:
    """Of eight calls half are traced, whatever is propagated to the server."""
    done = python(_SHARE, sim, OTEL_PROPAGATORS=propagators)
    assert (done.stdout.split(), done.returncode) == (["4", "4"], 0), done.stderr


@pytest.mark.interpreter
def test_instrumenting_again_with_an_exporter_sets_no_provider(sim: Simulator) -> None:
    """Calling it again is without effect, also with other options."""
    code = """
        anthropic_otel.instrument()
        anthropic_otel.instrument(export="otlp")
        print(type(trace.get_tracer_provider()).__name__)
    """
    done = python(code, sim)
    assert done.stdout.splitlines()[:1] == ["ProxyTracerProvider"], done.stderr

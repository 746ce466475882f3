"""The zero-code start, as OpenTelemetry's auto-instrumentation and its configuration file use it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

import anthropic_otel
from anthropic_otel._instrument import INSTRUMENTATION

pytest.importorskip("opentelemetry.instrumentation", reason="opentelemetry-instrumentation is not installed")

APP = """
import anthropic
from anthropic_otel.simulator import Simulator

with Simulator() as simulator:
    simulator.play("http_529")
    with anthropic.Anthropic(base_url=simulator.base_url, api_key="none") as client:
        client.messages.create(model="claude-opus-4-8", max_tokens=8, messages=[{"role": "user", "content": "hi"}])
"""
ATTEMPT = '"name": "POST /v1/messages"'


@pytest.fixture(autouse=True)
def instrumentor() -> Iterator[object]:
    """The instrumentor, undone afterwards."""
    [entry_point] = entry_points(group="opentelemetry_instrumentor", name="anthropic_otel")
    made = entry_point.load()()
    yield made
    if made.is_instrumented_by_opentelemetry:
        made.uninstrument()
    anthropic_otel.uninstrument()


def test_the_entry_point_instruments_and_undoes(instrumentor: object) -> None:
    """The interface of OpenTelemetry switches the process on and off."""
    instrumentor.instrument()  # type: ignore[attr-defined]
    assert INSTRUMENTATION.process is not None
    instrumentor.uninstrument()  # type: ignore[attr-defined]
    assert INSTRUMENTATION.process is None


def test_the_options_of_a_configuration_file_apply(instrumentor: object) -> None:
    """Booleans, and the words for them that a variable leaves in a file, reach `instrument`."""
    instrumentor.instrument(skip_dep_check=True, phases="false", logs=False)  # type: ignore[attr-defined]
    assert INSTRUMENTATION.process is not None
    assert INSTRUMENTATION.process.phases is False


def test_an_option_that_cannot_be_used_is_a_warning(instrumentor: object, caplog: pytest.LogCaptureFixture) -> None:
    """An exception would end the auto-instrumentation of the whole process."""
    with caplog.at_level(logging.WARNING, "anthropic_otel"):
        instrumentor.instrument(nonsense=3, phases="perhaps", logs=None)  # type: ignore[attr-defined]
    assert len(caplog.records) == 2
    assert INSTRUMENTATION.process is not None


def test_a_failure_to_instrument_does_not_raise(instrumentor: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong inside is reported and held back."""
    monkeypatch.setattr("anthropic_otel.instrument", _broken)
    instrumentor.instrument()  # type: ignore[attr-defined]


def _broken(**_: object) -> None:
    raise RuntimeError("broken")


def _run(tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs the app by `opentelemetry-instrument`, with these `OTEL_*` variables and no others."""
    app = tmp_path / "app.py"
    app.write_text(textwrap.dedent(APP))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return subprocess.run(
        [str(Path(sys.executable).with_name("opentelemetry-instrument")), sys.executable, str(app)],
        env=clean | {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "httpx,httpx2"} | variables,
        capture_output=True,
        text=True,
        check=True,
    )


def _attempts(tmp_path: Path, **variables: str) -> int:
    """How many attempt spans `opentelemetry-instrument` makes of the app."""
    exporters = {
        "OTEL_TRACES_EXPORTER": "console",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
    }
    return _run(tmp_path, **exporters, **variables).stdout.count(ATTEMPT)


def test_an_app_is_instrumented_without_a_line_of_code(tmp_path: Path) -> None:
    """`opentelemetry-instrument python app.py` makes a span for each of the two attempts."""
    pytest.importorskip("opentelemetry.distro", reason="opentelemetry-distro is not installed")
    assert _attempts(tmp_path) == 2


@pytest.mark.interpreter
def test_the_environment_switches_it_off(tmp_path: Path) -> None:
    """`OTEL_PYTHON_DISABLED_INSTRUMENTATIONS` has our entry point's name."""
    pytest.importorskip("opentelemetry.distro", reason="opentelemetry-distro is not installed")
    assert _attempts(tmp_path, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="anthropic_otel,httpx,httpx2") == 0


@pytest.mark.interpreter
def test_the_extra_brings_the_exporter_that_the_distro_asks_for(tmp_path: Path) -> None:
    """With no more than the collector's address set, everything is sent there: by gRPC, as the distro has it."""
    pytest.importorskip("grpc", reason="the extra `auto` is not installed")
    with collecting() as (url, spans):
        done = _run(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=url)
    assert "Traceback" not in done.stderr
    assert [span.name for span in spans].count("POST /v1/messages") == 2


@contextmanager
def collecting() -> Iterator[tuple[str, list[Any]]]:
    """A collector that takes OTLP by gRPC: its URL, and the spans that it has been sent."""
    import grpc
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as messages
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as services

    spans: list[Any] = []

    class Collector(services.TraceServiceServicer):
        def Export(self, request: Any, context: Any) -> Any:
            for resource in request.resource_spans:
                spans.extend(span for scope in resource.scope_spans for span in scope.spans)
            return messages.ExportTraceServiceResponse()

    server = grpc.server(ThreadPoolExecutor(2))
    add: Any = services.add_TraceServiceServicer_to_server
    add(Collector(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"http://127.0.0.1:{port}", spans
    finally:
        server.stop(None).wait()


CONFIGURATION = """
file_format: "1.0"
tracer_provider:
  processors:
    - simple:
        exporter:
          console:
instrumentation/development:
  python:
    anthropic_otel:
      phases: ${PHASES:-true}
      misspelt: 1
"""


def test_a_configuration_file_sets_it_up(tmp_path: Path) -> None:
    """Its options apply, those too that a variable is put into; one that is misspelt does not undo the others."""
    pytest.importorskip("opentelemetry.configuration", reason="opentelemetry-configuration is not installed")
    file = tmp_path / "otel.yaml"
    file.write_text(CONFIGURATION)
    done = _run(tmp_path, OTEL_CONFIG_FILE=str(file), PHASES="false")
    assert done.stdout.count(ATTEMPT) == 2
    assert "anthropic.client.phase.wait" not in done.stdout
    assert "Traceback" not in done.stderr
    assert "anthropic.client.phase.wait" in _run(tmp_path, OTEL_CONFIG_FILE=str(file)).stdout

"""The zero-code start, as OpenTelemetry's auto-instrumentation and its configuration file use it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

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
        instrumentor.instrument(nonsense=3, phases="perhaps")  # type: ignore[attr-defined]
    assert len(caplog.records) == 2
    assert INSTRUMENTATION.process is not None


def test_a_failure_to_instrument_does_not_raise(instrumentor: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong inside is reported and held back."""
    monkeypatch.setattr("anthropic_otel.instrument", _broken)
    instrumentor.instrument()  # type: ignore[attr-defined]


def _broken(**_: object) -> None:
    raise RuntimeError("broken")


def _attempts(tmp_path: Path, **variables: str) -> int:
    """How many attempt spans `opentelemetry-instrument` makes of the app."""
    app = tmp_path / "app.py"
    app.write_text(textwrap.dedent(APP))
    exporters = {
        "OTEL_TRACES_EXPORTER": "console",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "httpx,httpx2",
    }
    run = subprocess.run(
        [str(Path(sys.executable).with_name("opentelemetry-instrument")), sys.executable, str(app)],
        env={**os.environ, **exporters, **variables},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return run.stdout.count('"name": "POST /v1/messages"')


def test_an_app_is_instrumented_without_a_line_of_code(tmp_path: Path) -> None:
    """`opentelemetry-instrument python app.py` makes a span for each of the two attempts."""
    pytest.importorskip("opentelemetry.distro", reason="opentelemetry-distro is not installed")
    assert _attempts(tmp_path) == 2


def test_the_environment_switches_it_off(tmp_path: Path) -> None:
    """`OTEL_PYTHON_DISABLED_INSTRUMENTATIONS` has our entry point's name."""
    pytest.importorskip("opentelemetry.distro", reason="opentelemetry-distro is not installed")
    assert _attempts(tmp_path, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="anthropic_otel,httpx,httpx2") == 0

"""A user's own code is checked against the library's types: they are there, whole, and as strict as can be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")
pytest.importorskip("httpx2")

CODE = """
import anthropic
import anthropic_otel
import httpx2
from anthropic_otel.simulator import FAULTS, Cut, Ending, Endpoint, ErrorEvent, Fault, Point, Received, Reply, Simulator
from anthropic_otel.testing import Attempt, Call, Captured, capture
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

anthropic_otel.instrument()
anthropic_otel.instrument(
    anthropic.Anthropic(), tracer_provider=TracerProvider(), meter_provider=MeterProvider(),
    metrics=False, logs=False, phases=False, suppress_http_instrumentation=False,
)
anthropic_otel.instrument(export="otlp")
client = httpx2.Client(event_hooks=anthropic_otel.event_hooks())
asynchronous = httpx2.AsyncClient(event_hooks=anthropic_otel.event_hooks(metrics=False))
anthropic_otel.instrument_http_client(client)
anthropic_otel.instrument_http_client(asynchronous, phases=False)
anthropic_otel.uninstrument(client)
anthropic_otel.uninstrument()


def calls(faults: list[Fault | str]) -> list[Call]:
    with Simulator(words=3) as simulator, capture(real_time=True) as captured:
        simulator.play(*faults, Reply(503), Cut(Point.BODY, Ending.RESET), ErrorEvent("overloaded_error", "no"))
        simulator.mix({"ok": 0.5, FAULTS["http_529"]: 0.5})
        endpoint: Endpoint = simulator.endpoint("tls_expired")
        received: list[Received] = simulator.requests
        print(endpoint.base_url, received, captured.in_flight)
    attempts: list[Attempt] = captured.attempts
    whole: Captured = captured
    reveal_type([attempt.cause for attempt in attempts])
    return whole.calls


anthropic_otel.instrument(colour="red")
"""


@pytest.mark.slow
def test_the_public_api_is_typed(tmp_path: Path) -> None:
    """All of it passes a strict checker, nothing of it is `Any`, and an option that there is none of is an error."""
    (tmp_path / "user.py").write_text(CODE)
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--config-file=",
        f"--cache-dir={tmp_path / 'cache'}",
        "user.py",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    errors = [line.partition(": error: ")[2] for line in done.stdout.splitlines() if ": error: " in line]
    assert errors == ['Unexpected keyword argument "colour" for "instrument"  [call-arg]'], done.stdout
    assert 'note: Revealed type is "list[str | None]"' in done.stdout

"""`instrument(export=...)`: an app that has no OpenTelemetry set up, in a process of its own, to its end."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest

from anthropic_otel.simulator import Simulator
from support.apps import API_KEY, PROMPT, request_of
from support.sink import Sink, listening


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A server that OTLP is sent to."""
    with listening() as sink:
        yield sink


def _run(code: str, sim: Simulator, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs an app that makes one call by `call()`, and that the first attempt fails with 529."""
    sim.play("http_529")
    prelude = f"""
        import anthropic, anthropic_otel

        def call():
            with anthropic.Anthropic(base_url={sim.base_url!r}, api_key={API_KEY!r}) as client:
                client.messages.create(**{request_of()!r})
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(prelude) + textwrap.dedent(code)],
        env=clean | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_otlp_is_sent_when_a_short_script_exits(sim: Simulator, sink: Sink) -> None:
    """Every span and metric arrives, without a shutdown of the app's; and neither prompt, nor reply, nor key."""
    done = _run("anthropic_otel.instrument(export='otlp'); call()", sim, OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
    assert (done.stdout, done.stderr) == ("", "")
    assert sorted(span.name for span in sink.spans) == [
        "POST /v1/messages",
        "POST /v1/messages",
        "anthropic.messages.create",
    ]
    names = {metric.name for metric in sink.metrics}
    assert {"anthropic.client.attempt.duration", "anthropic.client.call.retries"} <= names
    sent = b"".join(body for _, _, body in sink.requests)
    assert not [secret for secret in (PROMPT, API_KEY, "the quick brown fox") if secret.encode() in sent]


def test_a_busy_process_loses_no_measurement_at_its_exit(sim: Simulator, sink: Sink) -> None:
    """Those of its last calls are in the last collection."""
    code = """
        anthropic_otel.instrument(export='otlp')
        for _ in range(33):
            call()
    """
    _run(code, sim, OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
    counts = {
        metric.name: sum(point.count for point in metric.histogram.data_points)
        for metric in sink.metrics
        if metric.HasField("histogram")
    }
    assert counts["anthropic.client.call.duration"] == 33
    assert counts["anthropic.client.attempt.duration"] == 34
    assert counts["anthropic.client.call.retries"] == 1


def test_the_standard_variables_are_respected(sim: Simulator, sink: Sink) -> None:
    """The resource, the headers and the endpoint of one signal."""
    _run(
        "anthropic_otel.instrument(export='otlp'); call()",
        sim,
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{sink.url}/of/mine/traces",
        OTEL_METRICS_EXPORTER="none",
        OTEL_SERVICE_NAME="an app",
        OTEL_EXPORTER_OTLP_HEADERS="x-tenant=mine",
    )
    assert {path for path, _, _ in sink.requests} == {"/of/mine/traces"}
    assert all(headers.get("x-tenant") == "mine" for _, headers, _ in sink.requests)
    assert sink.resources[0]["service.name"] == "an app"


def test_a_switched_off_signal_is_not_sent(sim: Simulator, sink: Sink) -> None:
    """`OTEL_TRACES_EXPORTER=none`: metrics alone."""
    _run(
        "anthropic_otel.instrument(export='otlp'); call()",
        sim,
        OTEL_EXPORTER_OTLP_ENDPOINT=sink.url,
        OTEL_TRACES_EXPORTER="none",
    )
    assert not sink.spans
    assert sink.metrics


def test_the_console_shows_spans_and_metrics(sim: Simulator) -> None:
    """For a first look, without any back end."""
    done = _run("anthropic_otel.instrument(export='console'); call()", sim)
    assert done.stdout.count('"name": "POST /v1/messages"') == 2
    assert '"name": "anthropic.client.attempt.duration"' in done.stdout
    assert '"http.request.resend_count": 1' in done.stdout


def test_providers_of_the_app_are_not_replaced(sim: Simulator, sink: Sink) -> None:
    """What the app has set stays, and nothing is sent behind its back; a signal that it has not set is."""
    code = """
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        own = TracerProvider()
        trace.set_tracer_provider(own)
        anthropic_otel.instrument(export="otlp")
        call()
        assert trace.get_tracer_provider() is own
    """
    _run(code, sim, OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
    assert not sink.spans
    assert sink.metrics


def test_a_collector_that_is_away_does_not_hurt_the_app(sim: Simulator) -> None:
    """The app's call succeeds, and the app ends."""
    code = "anthropic_otel.instrument(export='otlp'); call(); print('done')"
    done = _run(code, sim, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", OTEL_EXPORTER_OTLP_TIMEOUT="1")
    assert done.stdout == "done\n"

"""`instrument(export=...)`: an app that has no OpenTelemetry set up, in a process of its own, to its end."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest

from anthropic_otel._otel.leaving import PATIENCE
from anthropic_otel.simulator import Simulator
from support.apps import API_KEY, PROMPT, request_of
from support.sink import Sink, listening
from support.versions import EXPORTERS_RETRY_REFUSALS
from support.waiting import patience


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


@pytest.mark.interpreter
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


@pytest.mark.interpreter
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


@pytest.mark.interpreter
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


@pytest.mark.interpreter
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


def test_the_console_shows_calls(sim: Simulator) -> None:
    """For a first look, without any back end: on stderr, without the OpenTelemetry SDK, and stdout is the app's."""
    code = """
        anthropic_otel.instrument(export='console')
        call()
        print('the app')
        call()
        assert not [name for name in sys.modules if name.startswith('opentelemetry.sdk')]
    """
    done = _run("import sys\n" + textwrap.dedent(code), sim)
    assert done.stdout == "the app\n"
    assert done.stderr.count("✓ recovered") == 1
    assert re.search(r"^  attempt 1 +█+▒* .* ✗ 529$", done.stderr, re.MULTILINE)
    assert re.search(r"^  [\d:]{8} messages.create .* ms  ✓ 200$", done.stderr, re.MULTILINE)
    assert re.search(r"^2 calls: 1 ok, 1 recovered; 3 attempts; .* in backoff$", done.stderr, re.MULTILINE)
    assert "goes nowhere" not in done.stderr


@pytest.mark.interpreter
def test_each_process_shows_its_own_calls_on_the_console(sim: Simulator) -> None:
    """A forked child has a summary of its own, and what was instrumented before the fork is shown there."""
    code = """
        import os, sys
        anthropic_otel.instrument(export='console')
        call()
        child = os.fork()
        call()
        if child:
            os.waitpid(child, 0)
        else:
            anthropic_otel.uninstrument()
            call()
    """
    said = _run(code, sim).stderr
    assert said.count("1 call: 1 ok; 1 attempt") == 1
    assert said.count("2 calls: 1 ok, 1 recovered; 3 attempts") == 1


@pytest.mark.interpreter
def test_an_app_that_shows_its_calls_no_more_is_warned_that_nothing_is_exported(sim: Simulator) -> None:
    """The warning is left out only as long as the console shows what else would be lost."""
    code = """
        anthropic_otel.instrument(export='console')
        call()
        anthropic_otel.uninstrument()
        anthropic_otel.instrument()
        call()
    """
    said = _run(code, sim).stderr
    assert "1 call: 1 recovered; 2 attempts" in said
    assert said.count("goes nowhere") == 1


@pytest.mark.interpreter
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


_EXIT = """
    import atexit, time
    began = []
    atexit.register(lambda: print(time.monotonic() - began[0]))  # runs last
    anthropic_otel.instrument(export='otlp')
    call()
    began.append(time.monotonic())
"""


def _seconds_of_exit(sim: Simulator, **variables: str) -> tuple[float, str]:
    """How long a script takes from its last line to the end of its exit functions, and what it said meanwhile."""
    done = _run(textwrap.dedent(_EXIT), sim, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", **variables)
    return float(done.stdout), done.stderr


@pytest.mark.interpreter
def test_a_script_exits_soon_if_no_collector_listens(sim: Simulator) -> None:
    """It waits for less than 2 s, where the SDK alone would retry for 10, and says what was lost and what to set.

    With an exporter that does not retry it does not wait at all.
    """
    seconds, said = _seconds_of_exit(sim)
    assert (PATIENCE if EXPORTERS_RETRY_REFUSALS else 0) <= seconds < patience(2)
    assert len(said.splitlines()) == 1
    assert said.startswith("The last telemetry was not delivered before the exit ([Errno 111] Connection refused).")
    assert "OTEL_EXPORTER_OTLP_TIMEOUT" in said


@pytest.mark.interpreter
def test_a_collector_that_answers_as_none_is_one_line_too(sim: Simulator) -> None:
    """The simulator asks for a key. Nothing is retried, and nothing was delivered."""
    code = "anthropic_otel.instrument(export='otlp'); call()"
    said = _run(code, sim, OTEL_EXPORTER_OTLP_ENDPOINT=sim.base_url).stderr
    assert len(said.splitlines()) == 1
    assert said.startswith("The last telemetry was not delivered before the exit (code: 401")


@pytest.mark.interpreter
def test_another_exporter_may_say_at_exit_what_it_likes(sim: Simulator) -> None:
    """Its lines are the app's, and stay."""
    code = """
        import atexit
        from opentelemetry.exporter.otlp.proto.http import trace_exporter
        atexit.register(lambda: trace_exporter._logger.error('mine'))  # runs last
        anthropic_otel.instrument(export='otlp')
        call()
    """
    said = _run(code, sim, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9").stderr.splitlines()
    assert len(said) == 2
    assert said[1] == "mine"


@pytest.mark.interpreter
@pytest.mark.skipif(not EXPORTERS_RETRY_REFUSALS, reason="this exporter gives up at once")
def test_the_exit_waits_as_long_as_it_is_told(sim: Simulator) -> None:
    """`OTEL_EXPORTER_OTLP_TIMEOUT`, in seconds, takes the place of the default, also for one signal alone."""
    seconds, _ = _seconds_of_exit(sim, OTEL_EXPORTER_OTLP_TRACES_TIMEOUT="5", OTEL_METRICS_EXPORTER="none")
    # Not 5: the exporter gives up as soon as its next retry, after 1, 2 or 4 s, would come too late.
    assert seconds > 2


@pytest.mark.interpreter
def test_providers_that_the_app_shuts_down_are_left_alone_at_exit(sim: Simulator, sink: Sink) -> None:
    """The OpenTelemetry SDK would warn of a second shutdown; everything was sent by the first."""
    code = """
        from opentelemetry import metrics, trace
        anthropic_otel.instrument(export='otlp')
        call()
        trace.get_tracer_provider().shutdown()
        metrics.get_meter_provider().shutdown()
    """
    done = _run(code, sim, OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
    assert done.stderr == ""
    assert len(sink.spans) == 3
    assert sink.metrics

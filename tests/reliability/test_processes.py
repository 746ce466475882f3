"""Processes: forked and spawned children record, nothing deadlocks, and a script's telemetry is flushed at its exit."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import pytest

from anthropic_otel.simulator import Simulator
from reliability import environments
from reliability.test_secrets import Sink
from support.waiting import until

PROGRAM = Path(__file__).parent / "processes.py"


def run(mode: str, sim: Simulator, *, requests: int = 0, **variables: str) -> list[dict[str, Any]]:
    """What each process of the program printed. Nobody may say anything else.

    Tells the program when the server has had so many requests.
    """
    # A simulator with threads in this process: the program itself has none but its own.
    with subprocess.Popen(
        [sys.executable, str(PROGRAM), mode, sim.base_url],
        env=environments.variables_of(variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        until(lambda: len(sim.requests) >= requests or process.poll() is not None)
        out, said = process.communicate("go\n")
    assert (process.returncode, said) == (0, "")
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize(
    "mode",
    ["prefork", pytest.param("pool", marks=pytest.mark.slow), pytest.param("spawn", marks=pytest.mark.slow)],
)
def test_children_record(mode: str, sim: Simulator) -> None:
    """Instrumented before the fork, by a pool too, or in a spawned child: each child records its own three calls."""
    children = run(mode, sim)
    assert [(child["spans"], child["measured"]) for child in children] == [(3, 3)] * 2
    assert len({child["pid"] for child in children}) == 2


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["fork_under_load", "fork_for_own_metrics"])
def test_a_fork_in_the_middle_of_calls_deadlocks_nobody(mode: str, sim: Simulator) -> None:
    """Forked while four threads call: each child gets its answers, measures its calls, and ends."""
    children = run(mode, sim)
    assert len(children) == 4
    assert all(child["spans"] >= 3 for child in children)
    if mode == "fork_for_own_metrics":
        # Those of an inherited provider have the parent's count in them.
        assert [child["measured"] for child in children] == [3] * 4


@pytest.mark.slow
def test_a_child_does_not_end_its_parents_attempt(sim: Simulator) -> None:
    """A stream that is open at the fork is the parent's: the child that drops its copy records nothing."""
    child, parent = run("fork_with_a_stream_open", sim)
    assert (child["role"], child["spans"], child["measured"]) == ("child", 0, 0)
    assert (parent["role"], parent["spans"], parent["measured"]) == ("parent", 1, 1)


@pytest.mark.slow
def test_the_interpreter_exits_with_calls_in_flight(sim: Simulator) -> None:
    """It exits in silence, with a request that nobody will ever answer and a stream that is half read."""
    sim.play("ok", "read_timeout")
    assert run("exit_in_flight", sim, requests=2) == [{"role": "exiting"}]


def test_a_short_script_is_flushed_at_its_exit(sim: Simulator) -> None:
    """`instrument(export="otlp")`, one call, the end: both signals have arrived."""
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    sink = Sink()
    try:
        run("script", sim, OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
        assert b"POST /v1/messages" in sink.bodies["/v1/traces"]
        assert b"anthropic.client.attempt.duration" in sink.bodies["/v1/metrics"]
    finally:
        sink.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["fork", "forkserver", "spawn", "threads"])
def test_a_child_of_multiprocessing_is_flushed_at_its_end(kind: str, sim: Simulator) -> None:
    """Two children that export for themselves, also by a thread that outlives their function: both signals of each have
    arrived, and once.
    """
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    sink = Sink()
    try:
        run(f"exporting_{kind}", sim, OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
        assert sink.bodies.get("/v1/traces", b"").count(b"POST /v1/messages") == 2
        assert sink.bodies.get("/v1/metrics", b"").count(b"anthropic.client.attempt.duration") == 2
    finally:
        sink.close()


@pytest.mark.slow
def test_a_child_of_multiprocessing_without_a_collector_says_so_once(sim: Simulator) -> None:
    """A spawned child has two kinds of functions for its end: the second finds nothing to wait for."""
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    nobody = sim.endpoint("connection_refused").base_url
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "exporting_spawn", sim.base_url],
        env=environments.variables_of({"OTEL_EXPORTER_OTLP_ENDPOINT": nobody}),
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert done.stderr.count("The last telemetry was not delivered") == 2, done.stderr


# -- a pre-fork server -------------------------------------------------------------------------------------------------

APP = """
import anthropic, os
import anthropic_otel
anthropic_otel.instrument()          # once, in the master, before the fork
client = anthropic.Anthropic(base_url=os.environ["SIMULATOR"], api_key="none")

def app(environ, start_response):
    client.messages.create(model="claude-opus-4-8", max_tokens=9, messages=[{"role": "user", "content": "hi"}])
    start_response("200 OK", [("content-type", "text/plain")])
    return [str(os.getpid()).encode()]
"""
CONFIG = """
import os
bind, workers, preload_app, worker_class = "127.0.0.1:0", 2, True, os.environ["WORKER_CLASS"]

def post_fork(server, worker):
    from anthropic_otel._otel import providers
    providers.set_up("otlp")             # each worker has providers of its own

def worker_exit(server, worker):
    from opentelemetry import metrics, trace
    trace.get_tracer_provider().shutdown()
    metrics.get_meter_provider().shutdown()
"""


def ask_every_worker(url: str, workers: int = 2) -> int:
    """Sends requests, some at once, until each worker has answered; returns how many. All are up then."""
    asked = 0
    pids: set[bytes] = set()
    with ThreadPoolExecutor(4) as pool:
        while len(pids) < workers:
            pids |= set(pool.map(lambda _: get(url), range(4)))
            asked += 4
    return asked


def get(url: str) -> bytes:
    with urllib.request.urlopen(url) as response:
        body: bytes = response.read()
        return body


def _ended(server: subprocess.Popen[bytes], log: Path) -> Literal[False]:
    """Whether a server has ended that is waited for: it fails if it has."""
    assert server.poll() is None, log.read_text()
    return False


def stop(server: subprocess.Popen[bytes]) -> None:
    """Ends it as an operator does."""
    server.terminate()
    try:
        server.wait()
    finally:
        server.kill()
        server.wait()


def servers() -> Path:
    """The Python of an environment with gunicorn, gevent and celery."""
    exporter = "opentelemetry-exporter-otlp-proto-http>=1.30"
    return environments.environment(
        "servers", (*environments.BASE, exporter, "gunicorn", "gevent", "celery", "packaging")
    )


@pytest.mark.slow
@pytest.mark.parametrize("worker_class", ["sync", "gthread", "gevent"])
def test_gunicorn_with_a_preloaded_app(worker_class: str, sim: Simulator, tmp_path: Path) -> None:
    """Two workers forked from a master that has instrumented: what they send arrives, from each of them."""
    python = servers()
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "gunicorn.conf.py").write_text(CONFIG)
    sink, log = Sink(), tmp_path / "log"
    variables = environments.variables_of(
        {
            "SIMULATOR": sim.base_url,
            "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url,
            "WORKER_CLASS": worker_class,
        }
    )
    with log.open("wb") as output:
        server = subprocess.Popen(
            [str(python), "-m", "gunicorn", "app:app"], cwd=tmp_path, env=variables, stderr=output
        )
    try:
        found = until(lambda: re.search(r"Listening at: (http://\S+)", log.read_text()) or _ended(server, log))
        assert found
        asked = ask_every_worker(found.group(1))
    finally:
        stop(server)
        sink.close()
    assert sink.bodies["/v1/traces"].count(b"POST /v1/messages") == asked
    assert b"anthropic.client.attempt.duration" in sink.bodies["/v1/metrics"]
    said = log.read_text()
    assert "anthropic_otel/" not in said
    # gunicorn patches a gevent worker after its post_fork hook has started the threads of the OpenTelemetry SDK, which
    # then cannot sign off at the exit; what they had to send has arrived.
    assert worker_class == "gevent" or "Traceback" not in said


# -- celery ------------------------------------------------------------------------------------------------------------

JOBS = """
import anthropic, os
import anthropic_otel
from celery import Celery, signals

anthropic_otel.instrument()          # once, in the master, before the fork
client = anthropic.Anthropic(base_url=os.environ["SIMULATOR"], api_key="none")
app = Celery("jobs", broker="filesystem://")
app.conf.broker_transport_options = dict.fromkeys(("data_folder_in", "data_folder_out"), os.environ["QUEUE"])

@signals.worker_process_init.connect
def set_up(**_):
    from anthropic_otel._otel import providers
    providers.set_up("otlp")             # each worker has providers of its own

@signals.worker_process_shutdown.connect
def shut_down(**_):
    from opentelemetry import metrics, trace
    trace.get_tracer_provider().shutdown()
    metrics.get_meter_provider().shutdown()

@app.task
def ask():
    client.messages.create(model="claude-opus-4-8", max_tokens=9, messages=[{"role": "user", "content": "hi"}])
"""


@pytest.mark.slow
def test_a_celery_worker_with_prefork(sim: Simulator, tmp_path: Path) -> None:
    """Tasks in two children of a worker that has instrumented: what they recorded has arrived when it has ended."""
    python, sink, log = servers(), Sink(), tmp_path / "log"
    (tmp_path / "jobs.py").write_text(JOBS)
    (tmp_path / "queue").mkdir()
    variables = environments.variables_of(
        {"SIMULATOR": sim.base_url, "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url, "QUEUE": str(tmp_path / "queue")}
    )
    send = "import jobs; [jobs.ask.delay() for _ in range(8)]"
    subprocess.run([str(python), "-c", send], cwd=tmp_path, env=variables, check=True)
    command = [str(python), "-m", "celery", "-A", "jobs", "worker", "-l", "INFO", "-c", "2"]
    with log.open("wb") as output:
        worker = subprocess.Popen(command, cwd=tmp_path, env=variables, stdout=output, stderr=output)
    try:
        until(lambda: log.read_text().count(" succeeded in ") >= 8 or _ended(worker, log))
    finally:
        stop(worker)
        sink.close()
    said = log.read_text()
    assert len(sim.requests) == 8, said
    assert sink.bodies.get("/v1/traces", b"").count(b"POST /v1/messages") == 8, said
    assert b"anthropic.client.attempt.duration" in sink.bodies.get("/v1/metrics", b""), said
    assert "Traceback" not in said


# -- greenlets ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_greenlets_do_not_adopt_each_others_attempts(sim: Simulator) -> None:
    """Sixty retried calls at once in greenlets of one thread: each attempt is below its own call and its own app."""
    sim.mix({"ok": 0.5, "http_429_retry_after_ms": 0.5})
    found = json.loads(environments.run(servers(), Path(__file__).parent / "greenlets.py", sim.base_url))
    assert found["at_once"] > 10
    assert found["calls_in_a_trace"] == [1]
    assert found["kinds"] == {
        "None > app": 60,
        "app > anthropic.messages.create": 60,
        "anthropic.messages.create > POST /v1/messages": len(sim.requests),
    }
    assert len(sim.requests) > 80

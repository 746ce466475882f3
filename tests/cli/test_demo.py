"""The demo, played once in a process of its own as a user plays it, but with shorter waits."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from anthropic_otel._render.terminal import Terminal
from anthropic_otel.cli.collect import Delivered
from anthropic_otel.cli.demo.show import tell_more

pytestmark = pytest.mark.xdist_group("demo")  # two runs of the demo serve all of them
ROOT = Path(__file__).parents[2]
ACTS = ("healthy", "overload", "outage", "broken streams", "recovery")
CAUSES = (
    "connection_reset",
    "connection_refused",
    "name_resolution_error",
    "tls_certificate_error",
    "read_timeout",
    "server_disconnected",
    "incomplete_stream",
    "incomplete_body",
    "overloaded_error",
)


ASTRAY = {
    "SSL_CERT_FILE": "/missing/ca.pem",
    "OTEL_PROPAGATORS": "bogus",
    "ALL_PROXY": "socks4://127.0.0.1:1",
    "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
    "ANTHROPIC_API_KEY": "sk-ant-real",
    "ANTHROPIC_LOG": "debug",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "OTEL_SDK_DISABLED": "true",
}
"""What would lead an app astray that is started from the same shell."""


class Collector(ThreadingHTTPServer):
    """Accepts OTLP over HTTP, and counts the requests by their paths."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        super().__init__(("127.0.0.1", 0), _Accepting)

    def __enter__(self) -> Collector:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Accepting(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.requests[self.path] += 1  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Runs:
    """The outputs of both runs, and what the second one has exported."""

    plain: str
    exported: str
    requests: Counter[str]


@pytest.fixture(scope="module")
def runs() -> Runs:
    """The demo twice, side by side: without an endpoint, and with one and an output that has nothing but ASCII.

    They must print nothing to standard error, no warning either.
    """
    with Collector() as collector:
        url = f"http://user:secret@127.0.0.1:{collector.server_port}"
        both = [started(), started(PYTHONIOENCODING="ascii", OTEL_EXPORTER_OTLP_ENDPOINT=url)]
        results = [process.communicate() for process in both]
    assert [(process.returncode, errors) for process, (_, errors) in zip(both, results, strict=True)] == [(0, "")] * 2
    return Runs(results[0][0], results[1][0], collector.requests)


def started(*options: str, **environment: str) -> subprocess.Popen[str]:
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "COLUMNS"))}
    return subprocess.Popen(
        [sys.executable, "-m", "anthropic_otel.cli", "demo", "--pace", "0.1", *options],
        env={**mine, **ASTRAY, "PYTHONIOENCODING": "utf-8", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


@pytest.fixture
def output(runs: Runs) -> str:
    """What the demo prints into a pipe."""
    return runs.plain


def number(pattern: str, text: str) -> int:
    found = re.search(pattern, text, re.MULTILINE)
    assert found, f"{pattern} is not in:\n{text}"
    return int(found[1])


def test_every_act_is_told(output: str) -> None:
    """A line for each act, with its calls and its seconds."""
    for place, name in enumerate(ACTS, 1):
        assert re.search(rf"^  {place}/5 {name} .*\d+ calls +\d+\.\d s$", output, re.MULTILINE), name


def test_three_traces_are_shown(output: str) -> None:
    """A recovery, an outage and a broken stream, each with what happened to it and no more than that."""
    recovered, outage, broken = re.split(r"^anthropic\.messages\.create .*\n", output, flags=re.MULTILINE)[1:]
    assert words(recovered) == ["recovered", "529", "connection_reset", "200"]
    assert words(outage) == ["exhausted", "connection_reset", "connection_refused", "name_resolution_error"]
    assert words(broken) == ["failed", "incomplete_stream"]
    assert "app saw    APIConnectionError: Connection error." in outage
    assert re.search(r"app saw    no error, \d+ words", broken)
    assert len(set(re.findall(r"req_\w{24}", recovered))) == 2
    assert re.search(r"backoff .* set by retry-after\n", recovered)
    assert re.search(r"backoff .* set by the SDK\n", recovered)


def words(waterfall: str) -> list[str]:
    """The marked words of one waterfall: the call's, then the attempts'."""
    return re.findall(r"[✓✗] (\w+)", waterfall.partition("Calls by outcome")[0])


def test_the_tables_agree_with_the_acts_and_with_each_other(output: str) -> None:
    """Calls come from the metrics and attempts from the spans: both count what the acts have done."""
    _, tables = output.split("Calls by outcome")
    calls = number(r"^  (\d+) calls$", tables)
    assert calls == sum(int(count) for count in re.findall(r"(\d+) calls +\d+\.\d s$", output, re.MULTILINE))
    outcomes = {
        name: number(rf"^  {name} +(\d+)  ", tables) for name in ("succeeded", "recovered", "failed", "exhausted")
    }
    assert sum(outcomes.values()) == calls
    attempts = number(r"^Attempts by status and cause  (\d+) attempts", tables)
    rows = tables.partition("errno\n")[2].partition("\n\n")[0].splitlines()
    assert sum(number(r" (\d+)  ■+$", row) for row in rows) == attempts
    retries = sum(int(count) for count in re.findall(r"in (\d+) waits?$", tables, re.MULTILINE))
    assert attempts == calls + retries


def test_every_cause_of_the_story_is_in_the_table(output: str) -> None:
    """The network fails in as many ways as the story says."""
    _, tables = output.split("Attempts by status and cause")
    assert [cause for cause in CAUSES if f" {cause} " not in tables] == []


def test_a_pipe_gets_plain_text_of_80_columns(output: str) -> None:
    """No escape sequence, nothing that wraps, no blank at the end of a line."""
    assert "\x1b" not in output
    assert [line for line in output.splitlines() if len(line) > 80 or line != line.rstrip()] == []


def test_an_output_without_unicode_gets_ascii(runs: Runs) -> None:
    """The same picture, drawn with what there is."""
    assert runs.exported.isascii()
    assert "  x connection_reset" in runs.exported


def test_it_exports_as_well_where_an_endpoint_is_set(runs: Runs) -> None:
    """Spans and metrics arrive, the traces can be found by their ids, and the URL's secret is not shown."""
    assert runs.requests["/v1/traces"] >= 1
    assert runs.requests["/v1/metrics"] >= 1
    assert number(r"^Sent to 127\.0\.0\.1:\d+: (\d+) spans of service anthropic-otel-demo", runs.exported) > 100
    assert len(re.findall(r"^trace [0-9a-f]{32}$", runs.exported, re.MULTILINE)) == 3
    assert "secret" not in runs.exported


@pytest.mark.interpreter
def test_in_a_loop_it_is_told_again_until_it_is_ended_and_sends_what_it_has() -> None:
    """Live data for dashboards: the second story begins, and a signal ends it in order."""
    with Collector() as collector:
        url = f"http://127.0.0.1:{collector.server_port}"
        process = started("--loop", PYTHONUNBUFFERED="1", OTEL_EXPORTER_OTLP_ENDPOINT=url)
        assert process.stdout is not None
        acts = (line.split()[1] for line in process.stdout if re.match(r" +\d+/\d+ ", line))
        told = list(itertools.islice(acts, 15))
        process.terminate()
        _, errors = process.communicate()
    story = ["healthy", "overload", "outage", "broken", "recovery", "subscription", *["calm"] * 8]
    assert told == [*story, "healthy"]
    assert (process.returncode, errors) == (0, "")
    assert collector.requests["/v1/metrics"] >= 1


def test_what_was_not_delivered_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An endpoint without a collector is a sentence."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    delivered = Delivered(InMemorySpanExporter())
    delivered.lost = 7
    tell_more(Terminal(), SimpleNamespace(delivered=delivered))  # type: ignore[arg-type]
    assert "Could not deliver 7 spans to 127.0.0.1:9." in capsys.readouterr().out


class Unconnected(SpanExporter):
    """Raises that nothing listens, as OTLP's exporters of older versions do."""

    def export(self, spans: object) -> NoReturn:
        raise ConnectionError("Connection refused")


def test_what_an_exporter_raised_for_is_told_as_not_delivered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The processor logs the exception, and nothing was sent."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    delivered = Delivered(Unconnected())
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(delivered))
    for _ in range(3):
        provider.get_tracer("a demo").start_span("a call").end()
    provider.shutdown()
    tell_more(Terminal(), SimpleNamespace(delivered=delivered))  # type: ignore[arg-type]
    assert (delivered.spans, delivered.lost) == (0, 3)
    assert "Could not deliver 3 spans to 127.0.0.1:9." in capsys.readouterr().out


@pytest.mark.parametrize("by", ["make", "command"])
def test_where_to_go_from_there_is_told(
    by: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The commands are those of how it was started, the addresses those that the stack publishes."""
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    monkeypatch.delenv("MAKELEVEL", raising=False)
    if by == "make":
        monkeypatch.setenv("MAKELEVEL", "1")
    tell_more(Terminal(), SimpleNamespace(delivered=None))  # type: ignore[arg-type]
    printed = capsys.readouterr().out
    assert ("make demo" in printed) == (by == "make")
    published = re.findall(r"127\.0\.0\.1:(\d+):", (ROOT / "collector-config/compose.yaml").read_text("utf-8"))
    assert set(re.findall(r"localhost:(\d+)", printed)) == {"3000", "4318", "16686"} <= set(published)
    assert max(map(len, printed.splitlines())) <= 80


@pytest.mark.interpreter
def test_under_opentelemetry_instrument_the_demo_says_that_it_cannot_be_played() -> None:
    """That has set providers already: the demo would record nothing of what it plays, and show no call."""
    pytest.importorskip("opentelemetry.distro", reason="opentelemetry-distro is not installed")
    command = [str(Path(sys.executable).with_name("opentelemetry-instrument")), sys.executable, "-m"]
    done = subprocess.run(
        [*command, "anthropic_otel.cli", "demo", "--pace", "0.05"],
        env={**os.environ, "OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "Run the demo without opentelemetry-instrument" in done.stderr

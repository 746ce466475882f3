"""The command itself: exit status, JSON, report, and that no secret gets out by any of them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from anthropic_otel._render.traces import Attempt, Trace
from anthropic_otel.cli.commands import cli
from anthropic_otel.cli.doctor import examination, installed, self_test
from anthropic_otel.cli.doctor.deadline import Deadline, Work
from anthropic_otel.cli.doctor.findings import Finding, Section, State, good
from anthropic_otel.simulator import Simulator
from support.sink import listening

SECRETS = {
    "ANTHROPIC_API_KEY": "sk-ant-api03-CANARY-of-the-key",
    "ANTHROPIC_AUTH_TOKEN": "CANARY-of-the-token",
    "ANTHROPIC_CUSTOM_HEADERS": "X-Gateway: CANARY-of-a-header",
    "OTEL_EXPORTER_OTLP_HEADERS": "authorization=CANARY-of-otlp",
}
TRACE = Trace(
    "anthropic.messages.create",
    0.1,
    (Attempt(0, 0.03, "failed", 529, "529"), Attempt(0.07, 0.1, "completed", 200, backoff=0.04, source="retry_after")),
)


@pytest.fixture(autouse=True)
def untested(monkeypatch: pytest.MonkeyPatch) -> None:
    """No self-test: it would set the providers of this process. And time enough on a busy machine."""
    monkeypatch.setattr(
        self_test, "section", lambda _: Section("self_test", "Self-test", (good("Record", "stand-in"),))
    )
    monkeypatch.setattr(examination, "Deadline", lambda _: Deadline(300))


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["doctor", *arguments])


def set_up(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_it_exits_with_0_where_all_is_well(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways were gone."""
    with listening() as sink:
        set_up(monkeypatch, ANTHROPIC_BASE_URL=sim.base_url, OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
        result = invoke()
    assert result.exit_code == 0, result.output
    assert "✓ HTTP      401, the API itself" in result.output
    assert "✓ Traces" in result.output
    assert result.output.splitlines()[-1].startswith("No fault found")


def test_it_exits_with_1_on_a_fault(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """One is enough."""
    set_up(monkeypatch, ANTHROPIC_BASE_URL=sim.endpoint("connection_refused").base_url)
    result = invoke()
    assert result.exit_code == 1
    assert result.output.splitlines()[-1].startswith("1 fault: TCP")


@pytest.mark.parametrize("fault", ["http_403", "proxy_407", "tls_untrusted", "html", "redirect_refused", "proxy_socks"])
@pytest.mark.parametrize("with_key", [False, True])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # sockets of SOCKS are left behind
def test_no_secret_gets_out(
    fault: str, with_key: bool, sim: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not on the screen, not in JSON, not in the report, whatever goes wrong."""
    endpoint = sim.endpoint(fault)
    set_up(monkeypatch, **SECRETS, ANTHROPIC_BASE_URL=endpoint.base_url)
    monkeypatch.setenv(
        "OTEL_EXPORTER_OTLP_ENDPOINT", "http://CANARY-user:CANARY-pw@127.0.0.1:9/CANARY-path?q=CANARY-query"
    )
    if endpoint.proxy is not None:
        monkeypatch.setenv("HTTPS_PROXY", endpoint.proxy.replace("://", "://CANARY-proxy-user:CANARY-proxy-pw@"))
    report = tmp_path / "report.txt"
    for options in ([], ["--json"]):
        result = invoke(*options, *(["--with-key"] if with_key else []), "--report", str(report))
        assert result.exit_code == 1
        assert "CANARY" not in result.output + result.stderr + report.read_text("utf-8")


@pytest.mark.parametrize(
    "value", [f"{SECRETS['ANTHROPIC_API_KEY']}\n", f'"{SECRETS["ANTHROPIC_API_KEY"]}"', "CANARY\x07–"]
)
def test_no_malformed_key_gets_out(value: str, sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The HTTP libraries quote it in their exceptions."""
    set_up(monkeypatch, ANTHROPIC_BASE_URL=sim.base_url, ANTHROPIC_API_KEY=value)
    result = invoke("--with-key")
    assert result.exit_code == 1
    assert "CANARY" not in result.output + result.stderr
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_json_is_an_object_and_nothing_else(sim: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also with a report, of which the other output tells."""
    set_up(monkeypatch, ANTHROPIC_BASE_URL=sim.base_url)
    result = invoke("--json", "--report", str(tmp_path / "report.txt"))
    found = json.loads(result.stdout)
    assert found["healthy"] is (result.exit_code == 0)
    assert list(found["sections"]) == ["api", "settings", "collector", "installed", "self_test"]
    assert {each["state"] for each in found["sections"]["api"]} <= {state.value for state in State}
    assert "Written to" in result.stderr


def test_offline_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """To neither."""
    with Simulator() as simulator, listening() as sink:
        set_up(monkeypatch, ANTHROPIC_BASE_URL=simulator.base_url, OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
        result = invoke("--offline")
        assert not simulator.requests
    assert not sink.requests
    assert result.exit_code == 0
    assert "not tried (--offline)" in result.output


def test_options_that_contradict_each_other_are_refused() -> None:
    """In one line."""
    result = invoke("--offline", "--with-key")
    assert result.exit_code == 2
    assert "--with-key sends a request, and --offline sends none" in result.output


def test_a_report_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    """After what was found."""
    result = invoke("--offline", "--report", str(tmp_path / "missing" / "report.txt"))
    assert result.exit_code == 1
    assert "No such file or directory" in result.output
    assert "Traceback" not in result.output


def test_a_fault_of_its_own_does_not_hide_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a finding too, without its text."""

    def fail() -> Any:
        raise RuntimeError("CANARY")

    monkeypatch.setattr(installed, "section", fail)
    result = invoke("--offline")
    assert result.exit_code == 1
    assert "could not be looked at: RuntimeError" in result.output
    assert "CANARY" not in result.output
    assert "Record" in result.output


# -- in a process of its own -------------------------------------------------------------------------------------------


def test_in_a_process_of_its_own_it_tests_itself(sim: Simulator) -> None:
    """A call against a simulator is recorded, and nothing but findings is printed."""
    environment = {**os.environ, **SECRETS, "ANTHROPIC_BASE_URL": sim.base_url, "PYTHONIOENCODING": "ascii"}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{port}"
    code = (
        "from anthropic_otel.cli.doctor import examination, deadline\n"
        "examination.Deadline = lambda _: deadline.Deadline(300)\n"
        "from anthropic_otel.cli import main; import sys; sys.argv = ['anthropic-otel', 'doctor']; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert done.stderr == ""
    assert done.stdout.isascii()
    assert "+ Record    a call against the simulator: its 529 and its answer were recorded" in done.stdout
    assert f"nothing is listening at 127.0.0.1:{port} (ECONNREFUSED)" in done.stdout
    assert "CANARY" not in done.stdout


@pytest.mark.parametrize(
    "variables",
    [
        {"HTTPS_PROXY": '"http://127.0.0.1:1"', "NO_PROXY": "[::1"},
        {"SSL_CERT_FILE": "/missing.pem", "ALL_PROXY": "socks4://127.0.0.1:1"},
        {"OTEL_PROPAGATORS": "bogus", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "1", "OTEL_BSP_MAX_QUEUE_SIZE": "x"},
    ],
)
@pytest.mark.interpreter
def test_what_is_wrong_with_the_environment_is_no_fault_of_the_self_test(variables: dict[str, str]) -> None:
    """It is found where it is, and the screen has findings only: nothing that the SDK complains of in between."""
    done = subprocess.run(
        [sys.executable, "-m", "anthropic_otel.cli", "doctor", "--json", "--offline"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    [record] = json.loads(done.stdout)["sections"]["self_test"]
    assert record["state"] == "good"


@pytest.mark.interpreter
def test_under_opentelemetry_instrument_there_is_no_self_test() -> None:
    """That has set providers already: nothing is recorded in memory, and the collector gets no call of our own."""
    pytest.importorskip("opentelemetry.distro", reason="opentelemetry-distro is not installed")
    command = ["opentelemetry-instrument", sys.executable, "-m", "anthropic_otel.cli", "doctor", "--json", "--offline"]
    with listening() as sink:
        done = subprocess.run(
            [str(Path(sys.executable).with_name(command[0])), *command[1:]],
            env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
            capture_output=True,
            text=True,
            check=False,
        )
    [record] = json.loads(done.stdout)["sections"]["self_test"]
    assert record["state"] == "not_tried"
    assert record["text"] == "skipped: OpenTelemetry is set up in this process already"
    assert sink.spans == []


@pytest.mark.parametrize(
    ("trace", "text"),
    [
        (None, "nothing was recorded of a call"),
        (Trace("call", 1, TRACE.attempts[1:]), "a 529 and an answer were recorded as (None,)"),
    ],
)
def test_a_self_test_that_records_something_else_is_a_fault(trace: Trace | None, text: str) -> None:
    """Whatever else is in order, this is what the library is for."""
    finding = self_test._judged(trace)
    assert (finding.state, text in finding.text) == (State.BAD, True)
    assert self_test._judged(TRACE).state is State.GOOD


def test_a_self_test_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is not called good."""
    monkeypatch.setattr(installed, "missing_for_a_call", lambda: ["h11"])
    finding = self_test._finding(Deadline(1))
    assert (finding.state, finding.text) == (State.UNTRIED, "skipped: h11 not installed")
    assert finding.remedy == "pip install 'anthropic-otel[demo]'"


@pytest.mark.parametrize(
    ("at", "state", "text"),
    [
        (None, State.BAD, "not installed"),
        ("0.39.9", State.BAD, "too old"),
        ("0.40.0", State.INFO, "0.40.0"),
        ("2.99.1", State.INFO, "2.99.1"),
        ("3.0.0", State.NOTE, "newer than"),
        ("3.0a1", State.NOTE, "newer than"),
    ],
)
def test_the_range_of_the_sdk_is_known(
    monkeypatch: pytest.MonkeyPatch, at: str | None, state: State, text: str
) -> None:
    """Too old is a fault, newer than known is worth a line, in between is a fact."""
    monkeypatch.setattr(installed, "installed", lambda name: at)
    finding: Finding = installed.sdk()
    assert finding.state is state
    assert text in finding.text
    assert bool(finding.remedy) == (state is State.BAD)


def test_what_hangs_is_left_behind() -> None:
    """The deadline is one for all."""
    deadline = Deadline(0.05)
    assert Work(lambda: time.sleep(30)).result(deadline, lambda: None) is None
    assert deadline.remaining == 0

"""The commands `simulate` and `doctor`, and what is said where an extra is missing."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from click import ClickException
from click.testing import CliRunner, Result

from anthropic_otel._otel.providers import MissingExporter
from anthropic_otel._render.traces import Attempt, Trace
from anthropic_otel.cli import checkup, doctor, trial
from anthropic_otel.cli.commands import cli, needs
from anthropic_otel.cli.doctor import Finding, State

TRACE = Trace(
    "anthropic.messages.create",
    0.1,
    (Attempt(0, 0.03, "failed", 529, "529"), Attempt(0.07, 0.1, "completed", 200, backoff=0.04, source="retry_after")),
)


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[Trace | None]:
    """What the trial call leaves, instead of a call: it would set the providers of this process."""
    left: list[Trace | None] = [TRACE]
    for name in [*os.environ]:
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(trial, "one_call", lambda: left[0])
    monkeypatch.setattr(checkup, "isolate", lambda: None)
    return left


# -- simulate ----------------------------------------------------------------------------------------------------------


def test_simulate_serves_until_it_is_interrupted() -> None:
    """The first line is the base URL, a request gets the fault that was mixed in, and SIGINT ends it well."""
    command = [sys.executable, "-m", "anthropic_otel.cli", "simulate", "--mix", "http_529=1", "--latency", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = process.stdout.readline().strip()
        request = urllib.request.Request(f"{url}/v1/messages", data=b"{}", method="POST")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10)
        refused.value.close()
        # Printed after the URL: an interrupt must not come in between.
        assert f"ANTHROPIC_BASE_URL={url}" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    assert refused.value.code == 529


@pytest.mark.parametrize(
    ("mix", "message"),
    [
        (["http_530=0.1"], "no fault is named 'http_530'"),
        (["tls_expired=0.1"], "tls_expired strikes before there is a request"),
        (["http_529=often"], "is not FAULT=PROBABILITY"),
        (["http_529"], "is not FAULT=PROBABILITY"),
        (["http_529=0.6", "http_500=0.6"], "add up to more than 1"),
        (["http_529=-0.1"], "must not be negative"),
    ],
)
def test_simulate_says_what_is_wrong_with_a_mix(mix: list[str], message: str) -> None:
    """A mix that cannot be made is an error of usage before anything listens."""
    result = invoke("simulate", *(f"--mix={each}" for each in mix))
    assert result.exit_code == 2
    assert message in result.output


def test_simulate_says_that_a_port_is_taken() -> None:
    """One sentence, no traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = invoke("simulate", "--port", str(taken.getsockname()[1]))
    assert result.exit_code == 1
    assert re.search(r"^Error: port \d+: ", result.output)


def test_simulate_lists_what_can_be_mixed() -> None:
    """Faults that need an address of their own are not offered."""
    output = invoke("simulate", "--list").output
    assert "http_529 " in output
    assert "tls_expired" not in output


# -- doctor ------------------------------------------------------------------------------------------------------------


def test_doctor_makes_a_call_and_shows_it() -> None:
    """In a process of its own, with a secret in the environment that must not be seen anywhere."""
    secrets = {
        "ANTHROPIC_API_KEY": "sk-ant-secret",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:secret@127.0.0.1:9/?token=secret",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=secret",
    }
    command = [sys.executable, "-m", "anthropic_otel.cli", "doctor"]
    done = subprocess.run(command, env={**os.environ, **secrets}, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "both attempts were recorded" in done.stdout
    assert re.search(r"^  attempt 1 .* 529$", done.stdout, re.MULTILINE)
    assert "nobody at 127.0.0.1:9" in done.stdout
    assert "secret" not in done.stdout + done.stderr


def test_doctor_names_what_is_installed(tried: list[Trace | None]) -> None:
    """A healthy installation is all good, and the exit code says so."""
    result = invoke("doctor")
    assert result.exit_code == 0
    assert re.search(r"Anthropic SDK +\d+\.\d+", result.output)
    assert re.search(r"HTTP clients +httpx", result.output)


@pytest.mark.parametrize(
    ("trace", "message"),
    [
        (None, "recorded nothing of a call"),
        (Trace("call", 1, TRACE.attempts[1:]), r"recorded \(None,\) instead of a 529 and an answer"),
    ],
)
def test_doctor_fails_if_attempts_are_not_recorded(
    tried: list[Trace | None], trace: Trace | None, message: str
) -> None:
    """Whatever else is in order, this is what the library is for."""
    tried[0] = trace
    result = invoke("doctor")
    assert result.exit_code == 1
    assert re.search(message, result.output)


def test_doctor_fails_where_the_sdk_is_switched_off(tried: list[Trace | None], monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that somebody has forgotten is named, with what to do about it."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    result = invoke("doctor")
    assert result.exit_code == 1
    assert "unset OTEL_SDK_DISABLED" in result.output


@pytest.mark.parametrize(
    ("at", "state", "text"),
    [
        (None, State.BAD, "not installed"),
        ("0.39.9", State.BAD, "too old"),
        ("0.40.0", State.GOOD, "0.40.0"),
        ("2.99.1", State.GOOD, "2.99.1"),
        ("3.0.0", State.NOTE, "newer than"),
        ("3.0a1", State.NOTE, "newer than"),
    ],
)
def test_doctor_knows_the_range_of_the_sdk(
    monkeypatch: pytest.MonkeyPatch, at: str | None, state: State, text: str
) -> None:
    """Too old is a failure, newer than known is worth a line, in between is well."""
    monkeypatch.setattr(doctor, "installed", lambda name: at)
    finding = doctor.sdk()
    assert finding.state is state
    assert text in finding.text
    assert bool(finding.remedy) == (state is State.BAD)


@pytest.mark.parametrize("url", ["", "://", "http://:4318", "http://h:port"])
def test_doctor_does_not_stumble_over_an_endpoint(url: str) -> None:
    """What is no URL is a finding, not a traceback."""
    assert doctor.endpoint("OTEL_EXPORTER_OTLP_ENDPOINT", url).state is State.BAD


def test_doctor_looks_where_telemetry_goes_by_default(
    tried: list[Trace | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a variable that is the usual port of this machine, which is another one for gRPC."""
    asked: list[str] = []

    def endpoint(_: str, url: str) -> Finding:
        asked.append(url)
        return doctor.sdk()

    monkeypatch.setattr(doctor, "endpoint", endpoint)
    invoke("doctor")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    invoke("doctor")
    assert asked == ["http://localhost:4318", "http://localhost:4317"]


def test_doctor_knows_the_port_of_the_other_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP that is sent to gRPC's port is answered by nobody, though the port is open."""
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_PROTOCOL", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        assert doctor.endpoint("X", url).state is State.GOOD
        monkeypatch.setattr(doctor, "_GRPC_PORT", port)
        assert "OTEL_EXPORTER_OTLP_PROTOCOL=grpc" in doctor.endpoint("X", url).remedy
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        assert doctor.endpoint("X", url).state is State.GOOD


@pytest.mark.parametrize(
    ("exporters", "variables", "state"),
    [
        (["otlp_proto_grpc"], {}, State.GOOD),
        (["otlp_proto_http"], {}, State.NOTE),
        (["otlp_proto_http"], {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, State.GOOD),
        (["console"], {"OTEL_TRACES_EXPORTER": "console"}, State.GOOD),
        ([], {"OTEL_CONFIG_FILE": "otel.yaml"}, State.GOOD),
    ],
)
def test_doctor_knows_what_a_start_without_code_needs(
    tried: list[Trace | None],
    monkeypatch: pytest.MonkeyPatch,
    exporters: list[str],
    variables: dict[str, str],
    state: State,
) -> None:
    """The distro exports by gRPC unless told otherwise, and sets nothing up where it cannot."""
    monkeypatch.setattr(doctor, "installed", lambda name: "1.0")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    finding = doctor.zero_code(exporters)
    assert finding.state is state
    assert bool(finding.remedy) == (state is State.NOTE)


# -- what is missing ---------------------------------------------------------------------------------------------------


def _run_without(module: str, code: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Runs `code` in a process that cannot import `module`."""
    script = directory / "without.py"
    script.write_text(
        "import sys\n"
        f"class Hidden:\n"
        f"    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] == {module!r}:\n"
        f"            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name.partition('.')[0])\n"
        f"sys.meta_path.insert(0, Hidden())\n" + code
    )
    return subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("hidden", "command", "sentence"),
    [
        ("rich", "doctor", "pip install 'anthropic-otel[cli]'"),
        ("h11", "simulate", "pip install 'anthropic-otel[simulator]'"),
        ("trustme", "demo", "pip install 'anthropic-otel[demo]'"),
    ],
)
def test_a_missing_extra_is_a_sentence(tmp_path: Path, hidden: str, command: str, sentence: str) -> None:
    """Whoever has installed too little is told what to install, without a traceback."""
    code = f"sys.argv = ['anthropic-otel', {command!r}]\nfrom anthropic_otel.cli import main\nmain()\n"
    done = _run_without(hidden, code, tmp_path)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("hidden", ["h11", "trustme"])
def test_the_simulator_says_what_it_needs(tmp_path: Path, hidden: str) -> None:
    """The last line of the traceback names the module and the extra."""
    done = _run_without(hidden, "import anthropic_otel.simulator\n", tmp_path)
    *_, last = done.stderr.splitlines()
    assert last.endswith(f"The simulator needs {hidden}: pip install 'anthropic-otel[simulator]'")


def test_a_missing_exporter_is_a_sentence() -> None:
    """It may be of another package than the extra's."""
    with pytest.raises(ClickException, match="OTLP by grpc needs"), needs("demo"):
        raise MissingExporter("OTLP by grpc needs: pip install opentelemetry-exporter-otlp-proto-grpc")

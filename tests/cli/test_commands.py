"""The command `simulate`, and what is said where an extra is missing."""

from __future__ import annotations

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
from anthropic_otel._render.terminal import Terminal
from anthropic_otel.cli import main
from anthropic_otel.cli.commands import cli, needs
from support.stacks import LONG


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


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
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=LONG)
        refused.value.close()
        # Printed after the URL: an interrupt must not come in between.
        assert f"ANTHROPIC_BASE_URL={url}" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
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


def test_a_stream_that_is_closed_is_one_that_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `cron` and `<&-` start a command: it reads nothing, and says nothing, and its exit code is as ever."""
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    monkeypatch.setattr(sys, "argv", ["anthropic-otel", "why", "-"])
    with pytest.raises(SystemExit) as ended:
        main()
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        stream.close()
    assert ended.value.code == 1


def test_the_list_of_commands_is_whole_on_a_narrow_screen() -> None:
    """No line of it is cut off at 60 columns."""
    output = CliRunner().invoke(cli, ["--help"], terminal_width=60).output
    assert "..." not in output.replace("COMMAND [ARGS]...", "")
    assert max(map(len, output.splitlines())) <= 60


@pytest.mark.parametrize("arguments", [["why", "--list"], ["simulate", "--list"]])
def test_a_list_is_laid_out_for_a_person_and_whole_for_a_program(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the screen, or a line for each entry."""
    wide = invoke(*arguments).output
    monkeypatch.setattr(Terminal, "is_screen", True)
    monkeypatch.setenv("COLUMNS", "60")
    narrow = invoke(*arguments).output
    assert max(map(len, narrow.splitlines())) <= 60 < max(map(len, wide.splitlines()))
    assert narrow.split() == wide.split()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
@pytest.mark.interpreter
@pytest.mark.parametrize("arguments", [["why", "529"], ["docs", "usage"]])
def test_an_output_that_is_full_is_a_sentence(arguments: list[str]) -> None:
    """Whether it is noticed while it is written or at the end."""
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "anthropic_otel.cli", *arguments]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["Error: the output cannot be written: No space left on device"]

"""`anthropic-otel run`: real programs against the simulator, whose calls are seen and which are as without it.

Rule: a program is what a user would write, and knows nothing of the library unless that is what is tested.
"""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import pytest

from anthropic_otel._live.events import MAX_LINE, Event
from anthropic_otel.cli.run import report
from anthropic_otel.cli.run.listener import Listener
from anthropic_otel.simulator import Simulator
from support.apps import API_KEY, PROMPT, request_of
from support.running import COMMAND, environment, saved

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes of POSIX")
PRELUDE: Final = f"""
import asyncio, os, subprocess, sys, threading
import anthropic

REQUEST = {request_of()!r}

def call(**more):
    with anthropic.Anthropic() as client:
        return client.messages.create(**REQUEST, **more)
"""


def script(folder: Path, code: str, name: str = "app.py") -> str:
    """A script that can `call()`."""
    path = folder / name
    path.write_text(PRELUDE + textwrap.dedent(code), "utf-8")
    return str(path)


def run(sim: Simulator, *command: str, save: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a command below `anthropic-otel run`."""
    options = ["--save", str(save)] if save is not None else []
    return subprocess.run(
        [*COMMAND, *options, "--", *command],
        env=environment(sim, **variables),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_a_program_of_many_kinds_of_calls_is_seen_whole(sim: Simulator, tmp_path: Path) -> None:
    """Sync, async, streams, threads, a child process and a retry: its output and its status are its own."""
    code = """
        async def ask():
            async with anthropic.AsyncAnthropic() as client:
                await asyncio.gather(*(client.messages.create(**REQUEST) for _ in range(3)))

        call()
        call()
        asyncio.run(ask())
        threads = [threading.Thread(target=call) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        with anthropic.Anthropic() as client:
            for _ in client.messages.create(**REQUEST, stream=True):
                pass
        if "child" not in sys.argv:
            subprocess.run([sys.executable, __file__, "child"], check=True)
            print("stdout", sys.stdin.read(), file=sys.stdout)
            os.write(1, bytes(range(256)))
            print("stderr", file=sys.stderr)
            sys.exit(7)
    """
    sim.play("http_529")
    events = tmp_path / "events.ndjson"
    done = subprocess.run(
        [*COMMAND, "--save", str(events), sys.executable, script(tmp_path, code)],
        env=environment(sim),
        input=b"stdin",
        capture_output=True,
        check=False,
    )
    said = done.stderr.decode()
    assert (done.returncode, done.stdout) == (7, b"stdout stdin\n" + bytes(range(256))), said
    assert "stderr\n" in said
    assert said.count("✓ recovered") == 1
    assert re.search(r"^20 calls: 19 ok, 1 recovered; 21 attempts;", said, re.MULTILINE)
    assert len({event["pid"] for event in saved(events, "call")}) == 2
    first, *_, last = saved(events)
    assert (first["type"], first["format"]) == ("run", 1)
    assert (last["type"], last["calls"], last["processes"]) == ("summary", {"succeeded": 19, "recovered": 1}, 2)
    text = events.read_text("utf-8")
    assert max(map(len, text.splitlines())) < MAX_LINE
    assert not [secret for secret in (PROMPT, API_KEY, "the quick brown fox") if secret in text + said]


@pytest.mark.interpreter
def test_a_module_is_run_with_the_path_that_it_has_without(sim: Simulator, tmp_path: Path) -> None:
    """`python -m`, the app's own PYTHONPATH and its own `sitecustomize`; and nothing of ours on its path."""
    for folder in ("theirs", "package"):
        (tmp_path / folder).mkdir()
    (tmp_path / "theirs" / "sitecustomize.py").write_text("import builtins\nbuiltins.theirs = 'ran'\n", "utf-8")
    script(tmp_path / "package", "call(); print(theirs, sys.path)", "__main__.py")
    variables = {"PYTHONPATH": f"{tmp_path / 'theirs'}{os.pathsep}{tmp_path}"}
    command = (sys.executable, "-m", "package")
    bare = subprocess.run(command, env=environment(sim, **variables), capture_output=True, text=True, check=True)
    done = run(sim, *command, PYTHONPATH=variables["PYTHONPATH"])
    assert (done.returncode, done.stdout) == (0, bare.stdout), done.stderr
    assert "1 call: 1 ok; 1 attempt" in done.stderr


_OWN_TELEMETRY: Final = """
    from opentelemetry import trace
    imported = sorted(name for name in sys.modules if name.startswith("opentelemetry.") and "SDK" in sys.argv)
    import anthropic_otel
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    call()                      # before its own start
    anthropic_otel.instrument()
    call()
    client = anthropic.Anthropic()
    anthropic_otel.uninstrument()
    call()                      # after its end
    anthropic_otel.instrument(client)
    client.messages.create(**REQUEST)
    for span in exporter.get_finished_spans():
        names = sorted(span.attributes)
        print(span.name, span.instrumentation_scope.name, span.status.status_code, names, span.parent is None)
"""


@pytest.mark.interpreter
def test_an_app_with_its_own_telemetry_has_the_same(sim: Simulator, tmp_path: Path) -> None:
    """Its provider, its `instrument()` and `uninstrument()`, and one client alone: it exports what it does without,
    and `run` sees all four calls."""
    path = script(tmp_path, _OWN_TELEMETRY)
    plans = ("http_529", "ok") * 4
    sim.play(*plans)
    bare = subprocess.run(
        [sys.executable, path], env=environment(sim), capture_output=True, encoding="utf-8", check=True
    )
    sim.play(*plans)
    done = run(sim, sys.executable, path)
    assert (done.returncode, done.stdout) == (0, bare.stdout), done.stderr
    assert done.stdout.count("POST /v1/messages") == 4
    assert "4 calls: 4 recovered; 8 attempts" in done.stderr


@pytest.mark.interpreter
def test_nothing_of_opentelemetry_is_imported_for_it(sim: Simulator, tmp_path: Path) -> None:
    """OpenTelemetry reads variables at its import, which an app may set after it has imported the SDK. And a program
    that imports neither the SDK nor an HTTP client has nothing of ours in it."""
    code = """
        bare = subprocess.run([sys.executable, "-c", "import sys; print('anthropic_otel' in sys.modules)"], check=True)
        print([name for name in sys.modules if name.startswith("opentelemetry") and "sdk" in name.split(".")])
        print("anthropic_otel._otel" in sys.modules)
        call()
    """
    done = run(sim, sys.executable, script(tmp_path, code))
    assert done.stdout.splitlines() == ["False", "[]", "False"]


# -- its end -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status"),
    [("os._exit(3)", 3), ("os.kill(os.getpid(), 9)", 137), ("1 / 0", 1)],
)
def test_the_status_is_the_programs(sim: Simulator, tmp_path: Path, code: str, status: int) -> None:
    """Also 128 + N of a program that signal N has ended, as a shell has it; and what it did until then is seen."""
    done = run(sim, sys.executable, script(tmp_path, f"call()\n{code}"))
    assert done.returncode == status
    assert "1 call: 1 ok; 1 attempt" in done.stderr


class _Endless(Listener):
    """Has an event from a process that does not end, each time it is asked, after 0.1 s by its own clock."""

    clock = 0.0
    events = 0

    @property
    def connections(self) -> int:
        return int(self.events < 10_000)

    def receive(self, timeout: float | None) -> Iterator[Event]:
        self.clock += 0.1
        if self.connections:
            self.events += 1
            yield {"type": "missing", "executable": "python"}


def test_a_process_that_outlives_the_program_and_never_falls_silent_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run ends some seconds after the program, however many events still come."""
    listener = _Endless()
    monkeypatch.setattr(report, "time", SimpleNamespace(time=time.time, monotonic=lambda: listener.clock))
    shown = report.Report(listener, report.Options())
    shown._ending = True  # as if the program had ended at once
    shown.start()
    shown.close()
    listener.close()
    assert 10 < listener.events < 100


def test_a_program_that_cannot_be_started_is_a_sentence(sim: Simulator, tmp_path: Path) -> None:
    """With the status that a shell has for it."""
    missing, folder = run(sim, "no-such-program"), run(sim, str(tmp_path))
    assert (missing.returncode, folder.returncode) == (127, 126)
    assert missing.stderr == "Error: no-such-program: No such file or directory\n"


_WAITING: Final = """
    import signal
    def handler(number, frame):
        got.append(number)
    got = []
    for name in ("SIGINT", "SIGTERM"):
        signal.signal(getattr(signal, name), handler)
    # By the pipe, as a signal that comes right before a wait for signals would not end it.
    told, tells = os.pipe()
    os.set_blocking(tells, False)
    signal.set_wakeup_fd(tells)
    call()
    print("ready", flush=True)
    os.read(told, 1)
    threading.Event().wait(0.5)   # for a second one
    print(got, flush=True)
    signal.signal(got[0], signal.SIG_DFL)
    os.kill(os.getpid(), got[0])
"""


@pytest.mark.interpreter
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_run_alone_is_passed_on_once(sim: Simulator, tmp_path: Path, number: signal.Signals) -> None:
    """`kill` and supervisors know its pid only. The program handles it, and its end is that of the run."""
    command = [*COMMAND, "--", sys.executable, script(tmp_path, _WAITING)]
    with subprocess.Popen(
        command, env=environment(sim), stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        out, said = process.communicate()
    assert (out, process.returncode) == (f"[{int(number)}]\n", 128 + number)
    assert "1 call: 1 ok" in said


@pytest.mark.interpreter
def test_ctrl_c_reaches_the_program_once(sim: Simulator, tmp_path: Path) -> None:
    """A terminal sends it to all of its foreground: to the program, which handles it, and to the run, which goes on
    to the summary."""
    import pty

    path = script(tmp_path, _WAITING)
    command = [*COMMAND, "--", sys.executable, path]
    child, terminal = pty.fork()
    if not child:
        os.execve(command[0], command, environment(sim, NO_COLOR="1", COLUMNS="80"))
    screen = b""
    sent = False
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            break
        if not data:
            break
        screen += data
        if b"ready" in screen and not sent:
            sent = True
            os.write(terminal, b"\x03")
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 130
    text = screen.decode()
    assert "[2]" in text, text
    assert "1 call: 1 ok; 1 attempt" in text


# -- what it prints ----------------------------------------------------------------------------------------------------


@pytest.mark.interpreter
def test_json_has_the_lines_of_the_file_on_stderr(sim: Simulator, tmp_path: Path) -> None:
    """In place of pictures, for a program that reads them."""
    path, save = script(tmp_path, "call()"), tmp_path / "saved"
    done = subprocess.run(
        [*COMMAND, "--json", "--save", str(save), "--", sys.executable, path],
        env=environment(sim),
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stderr == save.read_text("utf-8")
    assert [event["type"] for event in saved(save)] == ["run", "process", "attempt", "call", "summary"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a file that is always full")
@pytest.mark.interpreter
def test_json_says_that_the_file_cannot_be_written_any_more(sim: Simulator) -> None:
    """Once, in a line of its own; a program that reads stderr gets all the others."""
    done = subprocess.run(
        [*COMMAND, "--json", "--save", "/dev/full", "--", sys.executable, "-c", "print('hi')"],
        env=environment(sim),
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [event["type"] for event in events] == ["run", "unsaved", "summary"]
    assert events[1]["error"] == os.strerror(errno.ENOSPC)


@pytest.mark.interpreter
def test_a_python_without_the_library_is_named(sim: Simulator, tmp_path: Path) -> None:
    """It has the SDK, its program runs as it does without, and what to install there is said once."""
    code = """
        import sys
        class Hidden:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] == "anthropic_otel":
                    raise ModuleNotFoundError(name)
        sys.meta_path.insert(0, Hidden())
        import anthropic
        print("runs")
    """
    path = tmp_path / "app.py"
    path.write_text(textwrap.dedent(code), "utf-8")
    done = run(sim, sys.executable, str(path))
    assert (done.returncode, done.stdout) == (0, "runs\n")
    assert f"{sys.executable} has the Anthropic SDK, but not" in done.stderr
    assert f"{sys.executable} -m pip install anthropic-otel" in done.stderr
    assert "No call of the Messages API was seen." in done.stderr
    assert "docs run" not in done.stderr


@pytest.mark.interpreter
@pytest.mark.parametrize(
    ("command", "followed"),
    [
        pytest.param([sys.executable, "-I", "-c", "import anthropic"], False, id="ignores the environment"),
        pytest.param(["true"], False, id="no Python"),
        pytest.param([sys.executable, "-c", "import anthropic"], True, id="no call"),
    ],
)
def test_a_program_of_which_nothing_was_seen_says_whether_it_was_followed(
    sim: Simulator, command: list[str], followed: bool
) -> None:
    """Nobody should look for calls that cannot be shown."""
    said = run(sim, *command).stderr
    assert "No call of the Messages API was seen." in said
    assert ("anthropic-otel docs run" in said) is not followed


@pytest.mark.interpreter
def test_nobody_who_reads_stderr_ends_no_program(sim: Simulator, tmp_path: Path) -> None:
    """`2>&1 | head` closes it: the program runs to its end, and its status is what the run exits with."""
    path = script(tmp_path, "call(); call(); print('done'); sys.exit(5)")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*COMMAND, "--", sys.executable, path], env=environment(sim), stdout=subprocess.PIPE, stderr=writer, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stdout) == (5, b"done\n")


def test_a_file_that_cannot_be_written_is_an_error_of_usage(sim: Simulator, tmp_path: Path) -> None:
    """Before the program is started."""
    done = run(sim, "echo", "started", save=tmp_path / "no" / "folder")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--save" in done.stderr

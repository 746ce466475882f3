"""`stack.py`, as somebody without Docker uses it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from localstack import binaries, services
from localstack.binaries import CONFIGS

from .conftest import eventually
from .test_story import fetch


def stack(work: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs the command with its data in `work`."""
    command = [sys.executable, str(CONFIGS / "stack.py"), *words, "--work", str(work)]
    return subprocess.run(command, capture_output=True, text=True)


def test_it_starts_everything_says_what_to_open_shows_data_in_the_panels_and_ends(
    found: dict[str, Path], tmp_path: Path
) -> None:
    """From nothing to live data in every panel, with the shipped configs and intervals, and back to nothing."""
    assert stack(tmp_path, "status").returncode == 1
    started = stack(tmp_path, "up", "--free-ports")
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        for name in ("jaeger", "alertmanager", "prometheus", "collector", "story"):
            assert f"{name}: runs" in started.stdout
        assert "it runs already" in stack(tmp_path, "up", "--free-ports").stdout

        def empty() -> list[str]:
            shown = stack(tmp_path, "panels").stdout.splitlines()
            assert len(shown) > 60
            # An alert takes some minutes to fire; that it then is in its panel is shown in test_story.
            return [line for line in shown if line.endswith(" 0 series  -") and "Alerts that fire now" not in line]

        eventually(lambda: not empty(), 180, lambda: "\n".join(empty()))
        jaeger, prometheus, alertmanager = map(fetch, re.findall(r"as JSON +(http\S+)", started.stdout))
        assert jaeger["data"]
        assert prometheus["status"] == "success"
        assert isinstance(alertmanager, list)
        assert re.search(rf"^End it .*stack\.py down --work {tmp_path}$", started.stdout, re.MULTILINE)
    finally:
        ended = stack(tmp_path, "down")
    assert ended.stdout == "ended\n"
    assert stack(tmp_path, "status").stdout == "nothing runs\n"


def test_without_a_binary_and_without_go_it_says_what_is_missing_and_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it at once, not one after the other."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    said = stack(tmp_path, "build")
    assert said.returncode == 1
    for name, get in (
        ("Prometheus", "apt-get install prometheus"),
        ("Alertmanager", "apt-get install prometheus-alertmanager"),
        ("Collector", "opentelemetry-collector-contrib"),
        ("Jaeger", "a release of Jaeger 2"),
    ):
        assert f"{name}: no " in said.stderr
        assert get in said.stderr
    assert "no Go to build it with" in said.stderr


def test_a_process_is_known_by_its_command_and_one_that_has_ended_is_not() -> None:
    """By which `down` ends its own processes and no other that was given the same number."""
    process = subprocess.Popen([sys.executable, "-c", "input()", "a word"], stdin=subprocess.PIPE)
    try:
        eventually(lambda: "-c input() a word" in services.described(process.pid), 10, "its command")
    finally:
        process.communicate(b"\n")
    assert services.described(process.pid) == ""


def test_a_build_says_that_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line before it, one now and then, and one after it with the time that it took."""
    monkeypatch.setenv("PATH", f"{tmp_path}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "go").touch(0o755)
    monkeypatch.setattr(binaries, "TELL_EVERY", 0.05)
    said: list[str] = []

    def build(target: Path) -> None:
        eventually(lambda: any("still building" in line for line in said), 10, "a line meanwhile")
        target.touch()

    component = binaries.Component("Thing", ("thing",), "a release", build, expect="a moment")
    assert binaries.find(component, said.append).exists()
    assert re.fullmatch(r"Thing: not on the PATH; building it into \S+ \(a moment\)", said[0])
    assert re.fullmatch(r"Thing: still building, \d+ s so far", said[1])
    assert re.fullmatch(r"Thing: built in \d+ s", said[-1])

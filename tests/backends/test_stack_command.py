"""`stack.py`, as somebody without Docker uses it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from localstack.binaries import CONFIGS

from .conftest import App, eventually


def stack(work: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs the command with its data in `work`."""
    command = [sys.executable, str(CONFIGS / "stack.py"), *words, "--work", str(work)]
    return subprocess.run(command, capture_output=True, text=True, timeout=200)


def test_it_starts_everything_says_what_to_open_shows_data_in_the_panels_and_ends(
    found: dict[str, Path], tmp_path: Path
) -> None:
    """From nothing to live data in panels, with the shipped configs and intervals, and back to nothing."""
    assert stack(tmp_path, "status").returncode == 1
    started = stack(tmp_path, "up", "--free-ports")
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        for name in ("jaeger", "alertmanager", "prometheus", "collector"):
            assert f"{name}: runs" in started.stdout
        endpoint = re.search(r"OTEL_EXPORTER_OTLP_ENDPOINT=http://[\d.]+:(\d+) anthropic-otel demo", started.stdout)
        assert endpoint
        assert "it runs already" in stack(tmp_path, "up", "--free-ports").stdout
        app = App("visitor", int(endpoint[1]))
        app("calls 5 healthy")
        app("trace")

        def shown() -> bool:
            return bool(re.search(r"Attempts per call +A +1 series +1\.", stack(tmp_path, "panels").stdout))

        eventually(shown, 60, "the calls in the panels")
        app.end()
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

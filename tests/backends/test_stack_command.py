"""`anthropic-otel stack` with the real programs, as somebody without Docker uses it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from .conftest import eventually
from .test_story import fetch

COMMAND = [sys.executable, "-m", "anthropic_otel.cli", "stack"]


def stack(work: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs the command with its data in `work`."""
    command = [*COMMAND, *words, "--work", str(work)]
    return subprocess.run(command, capture_output=True, text=True, env=marked(work))


def marked(work: Path) -> dict[str, str]:
    """An environment by which everything that the command starts can be found."""
    return {**os.environ, "STARTED_BY_TEST": str(work)}


def left(work: Path) -> list[str]:
    """The processes that have that environment, found without the state of the stack."""
    found = psutil.process_iter(["cmdline", "environ", "status"])
    return [
        f"{one.pid}: {one.info['cmdline']}"
        for one in found
        if (one.info["environ"] or {}).get("STARTED_BY_TEST") == str(work)
        and one.info["status"] != psutil.STATUS_ZOMBIE
    ]


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
        assert "already up:" in stack(tmp_path, "up", "--free-ports").stdout

        def empty() -> list[str]:
            shown = stack(tmp_path, "panels").stdout.splitlines()
            assert len(shown) > 60
            # An alert takes some minutes to fire, and every process has an id of its own: both panels are shown with
            # something in them in test_story. All models have prices, and there is no day before: test_cost_values.
            quiet = (
                "Alerts that fire now",
                "Processes that share one series",
                "Not priced",
                "Cost of 1h against the dearest",
            )
            return [line for line in shown if line.endswith(" 0 series  -") and not any(one in line for one in quiet)]

        eventually(lambda: not empty(), 180, lambda: "\n".join(empty()))
        jaeger, prometheus, alertmanager = map(fetch, re.findall(r"as JSON +(http\S+)", started.stdout))
        assert jaeger["data"]
        assert prometheus["status"] == "success"
        assert isinstance(alertmanager, list)
        assert re.search(rf"^End it .* stack down --work {tmp_path}$", started.stdout, re.MULTILINE)
    finally:
        ended = stack(tmp_path, "down")
    assert ended.stdout == "ended: story, collector, prometheus, alertmanager, jaeger\n"
    assert stack(tmp_path, "status").stdout == "nothing is up\n"
    assert left(tmp_path) == []


@pytest.mark.parametrize("runs", ["jaeger", "alertmanager", "prometheus"])
def test_down_ends_what_an_up_has_started_that_was_killed(found: dict[str, Path], tmp_path: Path, runs: str) -> None:
    """In the middle: a part is ready, and the next one is being started at about that moment."""
    command = [*COMMAND, "up", "--free-ports", "--work", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=marked(tmp_path)) as starting:
        assert starting.stdout is not None
        for line in starting.stdout:
            if line == f"{runs}: runs\n":
                break
        starting.kill()
        assert starting.wait() == -signal.SIGKILL
    assert left(tmp_path) != []
    ended = stack(tmp_path, "down")
    assert ended.returncode == 0
    assert runs in ended.stdout
    assert left(tmp_path) == []

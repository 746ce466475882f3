"""The examples run, and show what their first lines promise."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from anthropic_otel.simulator import Simulator

pytestmark = [
    pytest.mark.interpreter,
    pytest.mark.xdist_group("examples"),  # one run of each example serves all of them
]
EXAMPLES = Path(__file__).parents[2] / "examples"
ATTEMPT = {
    "script": r"^1 call: 1 ok; 1 attempt$",
    "help_desk": r"^2 calls: 2 ok; 2 attempts$",
    "async_app": r"POST /v1/messages +\d+\.\d+ s  \{'anthropic.request.id': 'req_",
    "own_http_client": r'"anthropic.client.attempt.outcome": "completed"',
}
"""What each app prints of an attempt that was answered."""
TESTS = {"test_retries"}
"""Those that are no apps, but an app's tests."""


def test_every_example_is_listed_and_tested() -> None:
    """Neither the list for readers nor the one here misses one."""
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    listed = re.findall(r"\[`(\w+)\.py`\]", (EXAMPLES / "README.md").read_text(encoding="utf-8"))
    assert names == set(ATTEMPT) | TESTS == set(listed)


@pytest.fixture(scope="module")
def outputs() -> dict[str, str]:
    """What each prints, all of them run at once against one simulator."""
    pytest.importorskip("httpx2")  # the HTTP library of an example, and of the SDK since 1.0
    with Simulator() as simulator:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "ANTHROPIC_"))
        }
        environment |= {"ANTHROPIC_BASE_URL": simulator.base_url, "ANTHROPIC_API_KEY": "none", "NO_PROXY": "127.0.0.1"}
        started = {
            name: subprocess.Popen(
                [sys.executable, str(EXAMPLES / f"{name}.py")],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
            )
            for name in ATTEMPT
        }
        printed = {name: process.communicate()[0] for name, process in started.items()}
    assert {name: process.returncode for name, process in started.items()} == dict.fromkeys(ATTEMPT, 0), printed
    return printed


@pytest.mark.parametrize("name", ATTEMPT)
def test_an_example_shows_its_attempts(outputs: dict[str, str], name: str) -> None:
    """What it prints has the attempt in it, and no traceback."""
    assert re.search(ATTEMPT[name], outputs[name], re.MULTILINE)
    assert "Traceback" not in outputs[name]


def test_the_app_s_own_span_is_above_the_calls(outputs: dict[str, str]) -> None:
    """All of the three questions, their calls and their attempts are one trace."""
    assert len(set(re.findall(r"^([0-9a-f]{32})  ", outputs["async_app"], re.MULTILINE))) == 1
    assert outputs["async_app"].count("POST /v1/messages") == 3


@pytest.mark.parametrize("name", sorted(TESTS))
def test_an_example_of_tests_passes(name: str, tmp_path: Path) -> None:
    """By a pytest of its own, as a user would run it, with warnings as errors."""
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", f"--rootdir={tmp_path}"]
    done = subprocess.run(
        [*command, str(EXAMPLES / f"{name}.py")], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"^\d+ passed", done.stdout, re.MULTILINE)

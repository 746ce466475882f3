"""CI sees a test that is skipped because something was not installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytestmark = pytest.mark.slow
TESTS = Path(__file__).parents[1]
FILES = {
    "package": """
import pytest

def test_it():
    pytest.importorskip("no_such_module")
""",
    "file": """
import pytest

pytest.importorskip("no_such_module")
""",
    "program": """
import pytest

@pytest.mark.skipif(True, reason="valgrind is not installed")
def test_it(): ...
""",
    "version": """
import pytest

@pytest.mark.skipif(True, reason="this SDK has no tool runner")
def test_it(): ...
""",
}


def outcomes(folder: Path, *options: str) -> dict[str, str]:
    """The outcome of each of those test files, run under the suite's own configuration of pytest."""
    for name, text in FILES.items():
        (folder / f"test_{name}.py").write_text(text)
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(TESTS.parent / "pyproject.toml"), "-p", "conftest"]
    command += ["--continue-on-collection-errors", f"--junit-xml={report}", *options, "."]
    subprocess.run(command, cwd=folder, env={"PYTHONPATH": str(TESTS)}, capture_output=True, check=False)
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = (case.get("classname") or case.get("name") or "").removeprefix("test_")
        found[name] = next((child.tag for child in case), "passed")
    return found


def test_a_skip_for_want_of_an_installation_fails_where_nothing_may_be_missing(tmp_path: Path) -> None:
    """What needs another version is skipped there too: no installation would run it."""
    found = outcomes(tmp_path, "--nothing-missing")
    assert found == {"package": "failure", "file": "error", "program": "error", "version": "skipped"}


def test_what_is_not_installed_is_a_skip_by_default(tmp_path: Path) -> None:
    """As on a machine without valgrind."""
    assert outcomes(tmp_path) == dict.fromkeys(FILES, "skipped")

"""A user's own code is checked against the library's types: they are there, whole, and as strict as can be."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")
pytest.importorskip("httpx")
pytest.importorskip("httpx2")

API = Path(__file__).parents[1] / "typing" / "api.py"


def check(folder: Path, *command: str) -> None:
    """Checks the file where nothing of the project's own configuration is found."""
    shutil.copy(API, folder)
    done = subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_mypy_finds_the_public_api_typed(tmp_path: Path) -> None:
    """Strict mypy finds each type that is asserted, and an error wherever one is expected."""
    check(tmp_path, "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path / 'cache'}", "api.py")


@pytest.mark.slow
def test_pyright_finds_the_public_api_typed(tmp_path: Path) -> None:
    """Strict pyright finds the same."""
    options = {"typeCheckingMode": "strict", "reportUnnecessaryTypeIgnoreComment": "error", "include": ["api.py"]}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(options))
    check(tmp_path, "pyright", "--pythonpath", sys.executable)

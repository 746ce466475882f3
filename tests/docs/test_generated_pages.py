"""The pages that list what is recorded, and the faults, are those that the code's own definitions make."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_pages_are_what_the_definitions_make() -> None:
    """They are committed as `docs/generate.py` writes them."""
    check = subprocess.run(
        [sys.executable, str(ROOT / "docs/generate.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert check.returncode == 0, check.stderr

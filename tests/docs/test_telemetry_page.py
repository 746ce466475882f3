"""The page that lists what is recorded is the one that the code's own definitions make."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_definitions_make() -> None:
    """`docs/telemetry.md` is committed as `docs/generate.py` writes it."""
    check = subprocess.run(
        [sys.executable, str(ROOT / "docs/generate.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert check.returncode == 0, check.stderr

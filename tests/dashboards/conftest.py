"""What the tests of queries and rules need: Prometheus' own promtool."""

from __future__ import annotations

import os
import shutil

import pytest


@pytest.fixture(scope="session")
def promtool_path() -> str:
    """Where promtool is. In CI it must be there; elsewhere the tests skip."""
    binary = shutil.which("promtool")
    if binary is None:
        assert not os.environ.get("CI"), "promtool must be there in CI: apt-get install prometheus"
        pytest.skip("no promtool on the PATH: apt-get install prometheus")
    return binary

"""What the tests of queries and rules need: Prometheus' own promtool."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from anthropic_otel.cli.stack import binaries


@pytest.fixture(scope="session")
def promtool_path() -> str:
    """Where promtool is. In CI it must be there; elsewhere the tests skip."""
    binary = shutil.which("promtool")
    if binary is None:
        assert not os.environ.get("CI"), "promtool must be there in CI: apt-get install prometheus"
        pytest.skip("no promtool on the PATH: apt-get install prometheus")
    return binary


@pytest.fixture(scope="session")
def promtool_3_path() -> str:
    """The promtool of Prometheus 3, which knows native histograms."""
    return str(_found(binaries.PROMTOOL_3))


@pytest.fixture(scope="session")
def prometheus_3_path() -> Path:
    """Where Prometheus 3 is."""
    return _found(binaries.PROMETHEUS_3)


def _found(component: binaries.Component) -> Path:
    """A binary. In CI it is built where need be; elsewhere the tests skip."""
    if os.environ.get("CI"):
        return binaries.find(component)
    path = binaries.present(component)
    if path is None:
        pytest.skip(f"no {component.name}: anthropic-otel stack build --all")
    return path

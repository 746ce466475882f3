"""What importing the library costs an app: nothing that it does not use anyway."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "anthropic",
    "httpx",
    "httpx2",
    "httpcore",
    "httpcore2",
    "aiohttp",
    "h11",
    "click",
    "rich",
    "opentelemetry.sdk",
)


@pytest.mark.parametrize("module", ["anthropic_otel", "anthropic_otel.testing"])
def test_the_library_imports_neither_the_sdk_nor_an_http_library(module: str) -> None:
    """An app that never calls it pays for the OpenTelemetry API only, and the order of imports does not matter."""
    told = f"import sys, {module}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
    assert done.stderr == ""

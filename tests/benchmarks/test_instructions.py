"""What a create costs, counted in instructions: the one figure of cost that is the same on a busy machine."""

from __future__ import annotations

import os
import shutil

import pytest

from benchmarks import instructions

pytestmark = pytest.mark.slow


def test_a_create_takes_few_instructions_beyond_its_opentelemetry_calls() -> None:
    """Next to the bare OpenTelemetry calls, to the same telemetry written by hand, and to the HTTPX2 instrumentor."""
    if shutil.which("valgrind") is None:
        assert not os.environ.get("CI"), "valgrind must be there in CI: apt-get install valgrind"
        pytest.skip("valgrind is not installed")
    (create,) = instructions.count(["create"])
    # Each a tenth above what was counted when this was written, for other versions of Python and OpenTelemetry.
    assert create.ratio("floor") < 1.55, create.of
    assert create.ratio("by hand") < 1.37, create.of
    assert create.ratio("httpx2") < 0.45, create.of

"""Fixtures of the simulator's own tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from anthropic_otel.simulator import Simulator


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """A simulator that runs for one test and has no connection left after it."""
    with Simulator() as simulator:
        yield simulator
    assert simulator.connections_open == 0

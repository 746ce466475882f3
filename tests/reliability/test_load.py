"""Under load nothing grows and nothing stays: a short version of what `soak.py` does for long."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from reliability import exporters, load
from reliability.load import Load
from reliability.soak import OPEN


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The OpenTelemetry SDK logs each export that fails."""
    logger = logging.getLogger("opentelemetry")
    monkeypatch.setattr(logger, "disabled", True)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)


def measure(work: Load, *, network: bool, exporter: str = "well", trace_memory: bool = False) -> dict[str, Any]:
    options: Any = exporters.BEHAVIOURS[exporter]
    behaviour = exporters.Behaviour(**options)
    return load.measure(
        work,
        network=network,
        exporter=exporters.Spans(behaviour),
        metrics=exporters.Metrics(behaviour),
        trace_memory=trace_memory,
    )


def check(found: dict[str, Any], work: Load) -> None:
    """Every call is counted, nothing is in flight, and no socket is open."""
    assert found["calls"] == work.calls + work.streams
    assert found["attempts"] >= found["calls"]
    assert {name: found[name] for name in OPEN if found[name]} == {}


@pytest.mark.parametrize("network", [False, True], ids=["mock", "simulator"])
def test_nothing_stays(network: bool) -> None:
    """Calls and streams, many at a time: all have ended, and memory is flat where no pools and buffers come and go."""
    work = Load(120, 40, concurrent=40, rounds=4) if network else Load(512, 128, concurrent=20, rounds=16)
    found = measure(work, network=network, trace_memory=not network)
    check(found, work)
    # One leaked attempt has about three thousand bytes. What is kept up to a bound is full after some six rounds.
    assert network or found["traced_bytes_per_call"] < 40


@pytest.mark.parametrize(
    "exporter",
    ["down", pytest.param("slow", marks=pytest.mark.slow), pytest.param("rejecting", marks=pytest.mark.slow)],
)
def test_a_failing_exporter_costs_telemetry_and_nothing_else(exporter: str) -> None:
    """While nothing can be exported, calls are counted and end."""
    work = Load(calls=160, streams=40, concurrent=40, rounds=4)
    found = measure(work, network=False, exporter=exporter)
    assert found["calls"] == 200
    assert found["in_flight"] == 0

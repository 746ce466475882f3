"""The fixtures of the OpenTelemetry side's tests: a recorder with exporters in memory, and a manual clock."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry import context

from anthropic_otel._core.settings import Settings
from anthropic_otel._otel.recorder import OpenTelemetryRecorder
from core.notes import ManualClock
from otel.scene import Scene
from support import guards
from support.telemetry import Telemetry


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


@pytest.fixture
def recorder(telemetry: Telemetry) -> OpenTelemetryRecorder:
    return OpenTelemetryRecorder(
        Settings(tracer_provider=telemetry.tracer_provider, meter_provider=telemetry.meter_provider)
    )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def scene(recorder: OpenTelemetryRecorder, clock: ManualClock) -> Scene:
    return Scene(recorder, clock)


@pytest.fixture(autouse=True)
def _nothing_stays_attached() -> Iterator[None]:
    """Whatever a test does, what is current after it is what was current before it."""
    before = context.get_current()
    yield
    assert context.get_current() == before


@pytest.fixture(autouse=True)
def _no_kind_seen() -> Iterator[None]:
    with guards.fresh():
        yield

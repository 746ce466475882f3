"""What a call leaves behind: nothing that only the garbage collector can free."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from benchmarks.workload import Case
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

import anthropic_otel
from benchmarks import workload

CALLS = 10


@pytest.fixture
def no_collection() -> Iterator[None]:
    """The collector does not run by itself."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def instrumented() -> Iterator[None]:
    """The process is instrumented, with OpenTelemetry SDK providers."""
    anthropic_otel.instrument(tracer_provider=TracerProvider(), meter_provider=MeterProvider())
    yield
    anthropic_otel.uninstrument()


@pytest.mark.usefixtures("no_collection", "instrumented")
@pytest.mark.parametrize("case", [Case("create"), Case("retried", retry=True), Case("stream", stream=True, deltas=3)])
def test_a_call_leaves_no_cycles_behind(case: Case) -> None:
    """The objects of a call are freed with it, so that its spans do not wait for a collection."""
    with workload.make_client(case) as client:
        workload.repeat(case, client, CALLS, None, None)
        gc.collect()
        workload.repeat(case, client, CALLS, None, None)
        assert _of_ours() == []


def _of_ours() -> list[str]:
    """The types of our objects that a collection finds to be unreachable."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        return sorted(
            {type(found).__name__ for found in gc.garbage if type(found).__module__.startswith("anthropic_otel")}
        )
    finally:
        gc.set_debug(0)
        gc.garbage.clear()

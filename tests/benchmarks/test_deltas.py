"""What runs at a delta of a stream, counted in functions: the same on every machine."""

from __future__ import annotations

import functools
import sys
from collections import Counter
from types import FrameType
from typing import Any

import pytest
from benchmarks.workload import Case
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

import anthropic_otel
from benchmarks import workload

FEW, MANY = 10, 110


def _entered(case: Case, chunks: list[bytes] | None = None) -> Counter[str]:
    """How often each function of the library is entered in a call, and each clock is read.

    `chunks` is what is sent in place of the case's own stream.
    """
    entered: Counter[str] = Counter()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and "anthropic_otel" in frame.f_code.co_filename:
            entered[frame.f_code.co_name] += 1
        elif event == "c_call" and "perf_counter" in argument.__name__:
            entered[argument.__name__] += 1

    loop = workload.new_loop() if case.asynchronous else None
    reply = functools.partial(workload.answer, case, chunks) if chunks is not None else None
    client = workload.make_client(case, reply)
    # What is done once.
    workload.repeat(case, client, 2, None, loop)
    sys.setprofile(note)
    try:
        workload.repeat(case, client, 1, None, loop)
    finally:
        sys.setprofile(None)
        if loop is not None:
            loop.run_until_complete(client.close())
            loop.close()
        else:
            client.close()
    return entered


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_delta_enters_one_function(asynchronous: bool) -> None:
    """The loop that passes its chunk on, which reads the clock twice: when it came, and when the app asks again."""
    anthropic_otel.instrument(tracer_provider=TracerProvider(), meter_provider=MeterProvider())
    try:
        few, many = (_entered(Case("stream", True, asynchronous, deltas=deltas)) for deltas in (FEW, MANY))
    finally:
        anthropic_otel.uninstrument()
    # Now and then a wait is the longest so far, or an object of an earlier call is freed.
    each = {name: round((count - few[name]) / (MANY - FEW)) for name, count in many.items()}
    each = {name: count for name, count in each.items() if count}
    assert each == {"watch_async" if asynchronous else "watch": 1, "perf_counter": 2}


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_chunk_of_several_deltas_enters_few_functions(asynchronous: bool) -> None:
    """Fewer than one for each of its deltas, and readings of the clock among them."""
    anthropic_otel.instrument(tracer_provider=TracerProvider(), meter_provider=MeterProvider())
    try:
        few, many = (
            _entered(Case("stream", True, asynchronous, deltas=deltas, segment=1_460)) for deltas in (FEW, MANY)
        )
    finally:
        anthropic_otel.uninstrument()
    assert sum((many - few).values()) < MANY - FEW


def test_a_delta_of_another_name_enters_few_functions() -> None:
    """A gateway may name every event `message`. Five functions see that its deltas decide nothing."""
    anthropic_otel.instrument(tracer_provider=TracerProvider(), meter_provider=MeterProvider())
    try:
        few, many = (
            _entered(
                Case("stream", stream=True),
                [b"event: message\n" + event.partition(b"\n")[2] for event in workload.events(deltas)],
            )
            for deltas in (FEW, MANY)
        )
    finally:
        anthropic_otel.uninstrument()
    each = {name: round((count - few[name]) / (MANY - FEW)) for name, count in many.items()}
    assert sum(count for name, count in each.items() if name != "perf_counter") == 5

"""For an app's own tests: what its calls of the Anthropic SDK did, as plain values.

    from anthropic_otel.testing import capture

    def test_an_overload_is_retried(client):
        with capture() as telemetry:
            client.messages.create(...)
        [call] = telemetry.calls
        assert call.outcome == "recovered"
        assert [attempt.error_type for attempt in call.attempts] == ["529", None]

The rule: what is captured is the same on every machine. Ids count from 1. Time goes by a clock of its own that stands
still but for one second at each start and each end of a call or an attempt, so that a whole call can be compared with a
literal. No OpenTelemetry SDK is needed, and what the app has set up goes on beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from anthropic_otel._captured import Attempt, Call, Captured
from anthropic_otel._capturing import EPOCH, Beside, Capturing, TickingClock
from anthropic_otel._core.clock import Clock, SystemClock
from anthropic_otel._core.runtime import Runtime
from anthropic_otel._instrument import INSTRUMENTATION

__all__ = ["Attempt", "Call", "Captured", "capture"]


@contextmanager
def capture(*, real_time: bool = False) -> Iterator[Captured]:
    """Captures the calls and attempts of the process while the block runs, and those that began in it.

    An app that is not instrumented is, for the time of the block; one that is goes on as before. With `real_time` the
    times are those of the machine's clocks.
    """
    captured = Captured()
    clock: Clock = SystemClock() if real_time else TickingClock()
    observer = Capturing(captured, EPOCH if not real_time else clock.wall())
    runtimes = INSTRUMENTATION.runtimes()
    before = [(runtime, runtime.observer, runtime.clock) for runtime in runtimes]
    for runtime in runtimes:
        runtime.observer, runtime.clock = Beside(observer, runtime.observer), clock
    if INSTRUMENTATION.process is None:
        INSTRUMENTATION.instrument_process(lambda: Runtime(observer, clock))
    try:
        yield captured
    finally:
        for runtime, its_observer, its_clock in before:
            runtime.observer, runtime.clock = its_observer, its_clock
        if INSTRUMENTATION.process not in runtimes:
            INSTRUMENTATION.uninstrument_process()

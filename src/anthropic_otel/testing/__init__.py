"""Shows an app's own tests what its calls of the Anthropic SDK did, as plain values.

    from anthropic_otel.testing import capture

    def test_an_overload_is_retried(client):
        with capture() as telemetry:
            client.messages.create(...)
        [call] = telemetry.calls
        assert call.outcome == "recovered"
        assert [attempt.error_type for attempt in call.attempts] == ["529", None]

Rule: unless `real_time` is asked for, what is captured is the same on every machine. Ids count from 1. Time goes by a
clock of the capture's own, which moves on by one second at each start and each end of a call or an attempt, so that a
whole call can be compared with a literal. No OpenTelemetry SDK is needed, and what the app exports meanwhile has true
times.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from anthropic_otel._instrument import INSTRUMENTATION
from anthropic_otel.testing._captured import Attempt, Call, Captured, Usage
from anthropic_otel.testing._collector import Collector, machine_clock, ticking_clock

__all__ = ["Attempt", "Call", "Captured", "Usage", "capture"]


@contextmanager
def capture(*, real_time: bool = False) -> Iterator[Captured]:
    """Captures the calls and attempts that begin while a `with` block runs, in any thread. Yields the `Captured`.

    Each is added to it when it ends, also after the block. Unless the whole process is instrumented, it is for the
    time of the block: the installed libraries are imported and patched. What the app has instrumented exports as
    before. Clients that it has excluded by `uninstrument(client)` are not captured. Captures may be nested and may
    overlap. Times go by the capture's own clock, or with `real_time` by the machine's.

    Raises `RuntimeError` if another copy of this library has instrumented anything, so that its calls would not be
    captured: a vendored copy, or one from before a reloader has imported the library anew.
    """
    captured = Captured()
    collector = Collector(captured, machine_clock() if real_time else ticking_clock())
    INSTRUMENTATION.join(collector)
    try:
        if INSTRUMENTATION.is_left_to_another_copy:
            raise RuntimeError(
                "Another copy of anthropic_otel records this process, so that this one captures nothing. "
                "Use its capture(), or call its uninstrument() before a reloader imports the library anew"
            )
        yield captured
    finally:
        INSTRUMENTATION.leave(collector)

"""Shows an app's own tests what its calls of the Anthropic SDK did, as plain values.

    from anthropic_otel.testing import capture

    def test_an_overload_is_retried(client):
        with capture() as telemetry:
            client.messages.create(...)
        [call] = telemetry.calls
        assert call.outcome == "recovered"
        assert [attempt.error_type for attempt in call.attempts] == ["529", None]

Rule: ids and times are the same at every run, unless `real_time` is asked for or calls run at once. Ids count from 1.
Time goes by a clock of the capture's own, which shows 0 at the first start or end of a call or an attempt, and one
second more at each further one. So a whole call can be compared with a literal. No OpenTelemetry SDK is needed, and
what the app exports meanwhile has true times.
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
    """Captures the calls that begin while a `with` block runs, in any thread, with their attempts.

    Attempts without a call that begin in it are captured too. Yields the `Captured`, to which a call or an attempt is
    added when it ends, also after the block. But attempts of such a call that begin after the block may be missing.
    Unless the app has instrumented the whole process, that is instrumented for the time of the block: the installed
    libraries are imported and patched. What the app has instrumented exports as before. Clients that it has excluded by
    `uninstrument(client)` are not captured. Captures may be nested and may overlap. Times go by the capture's own
    clock, or with `real_time` by the machine's.

    Raises `RuntimeError` if another copy of this library has patched an HTTP library, so that what is sent by that
    would not be captured. It may be a vendored copy, or one from before a reloader has imported this library anew.
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

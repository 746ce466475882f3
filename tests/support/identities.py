"""What holds of any telemetry, whatever happened.

Rule: every check here is exact, and takes nothing but what was exported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan

from anthropic_otel._core import instruments, semconv
from support.telemetry import Telemetry

_ROUNDING: Final = 1e-9
"""The seconds by which a sum of floating-point numbers may differ from that of the nanoseconds it was made of."""


def check(telemetry: Telemetry, *, in_flight: int = 0, calls: int | None = None) -> None:
    """Holds what must hold once `in_flight` attempts are under way still. `calls` is how many have ended, if known."""
    check_every_attempt_ended_once(telemetry, in_flight)
    check_spans_and_metrics_agree(telemetry)
    check_the_phases_add_up(telemetry.attempts)
    check_attempts_follow_each_other(telemetry.attempts)
    check_calls(telemetry, calls)


def check_every_attempt_ended_once(telemetry: Telemetry, in_flight: int) -> None:
    """started = ended + in flight, and an attempt that has ended has one span."""
    started = sum(point.sum for point in telemetry.points(instruments.ATTEMPT_STARTED))
    ended = sum(point.count for point in telemetry.points(instruments.ATTEMPT_DURATION))
    assert started == ended + in_flight
    assert len(telemetry.attempts) == ended


def check_spans_and_metrics_agree(telemetry: Telemetry) -> None:
    """A span's duration is its metric's value, and so is its backoff."""
    attempts = telemetry.attempts
    measured = sum(point.sum for point in telemetry.points(instruments.ATTEMPT_DURATION))
    assert abs(measured - sum(map(duration, attempts)) / 1e9) <= _ROUNDING * max(len(attempts), 1)
    delays = [delay for span in attempts for delay in numbers(span, semconv.RETRY_DELAY)]
    points = telemetry.points(instruments.RETRY_DELAY)
    assert sum(point.count for point in points) == len(delays)
    assert abs(sum(point.sum for point in points) - sum(delays)) <= _ROUNDING * max(len(delays), 1)


def check_the_phases_add_up(attempts: Sequence[ReadableSpan]) -> None:
    """The phases of an attempt are its duration, but where the transport has told of none."""
    for span in attempts:
        attributes = span.attributes or {}
        phases = numbers(span, semconv.PHASE_PREFIX)
        if semconv.CONNECTION_REUSED in attributes or semconv.Phase.POOL.attribute in attributes:
            assert abs(sum(phases) - duration(span) / 1e9) <= _ROUNDING * len(phases)
        assert all(phase >= 0 for phase in phases)


def check_attempts_follow_each_other(attempts: Sequence[ReadableSpan]) -> None:
    """A retry starts exactly its delay after the end of the attempt before, of the same call."""
    for span in attempts:
        delay = (span.attributes or {}).get(semconv.RETRY_DELAY)
        if delay is None:
            continue
        assert span.parent is not None
        siblings = [other for other in attempts if other.parent == span.parent and start(other) < start(span)]
        gap = start(span) - max(start(other) + duration(other) for other in siblings)
        assert gap / 1e9 == delay


def check_calls(telemetry: Telemetry, calls: int | None) -> None:
    """Attempts = calls + retries; a call lasts at least as long as its attempts and its backoff."""
    ended = sum(point.count for point in telemetry.points(instruments.CALL_DURATION))
    retries = telemetry.points(instruments.CALL_RETRIES)
    assert all(point.sum >= point.count for point in retries), "a call without a retry is not among the retries"
    if calls is not None:
        assert ended == calls
    if not ended:
        return
    of_calls = [span for span in telemetry.attempts if span.parent is not None]
    assert len(of_calls) == sum(point.sum for point in retries) + ended
    active = sum(map(duration, of_calls)) / 1e9
    backoff = sum(point.sum for point in telemetry.points(instruments.RETRY_DELAY))
    assert sum(point.sum for point in telemetry.points(instruments.CALL_DURATION)) >= active + backoff - _ROUNDING


def numbers(span: ReadableSpan, prefix: str) -> list[float]:
    """The values of the attributes whose names begin like that, all of which must be numbers."""
    found = [value for name, value in (span.attributes or {}).items() if name.startswith(prefix)]
    assert all(isinstance(value, int | float) for value in found), found
    return [value for value in found if isinstance(value, int | float)]


def start(span: ReadableSpan) -> int:
    """When the span started, in nanoseconds since the epoch."""
    assert span.start_time is not None
    return span.start_time


def duration(span: ReadableSpan) -> int:
    """How long the span lasted, in nanoseconds."""
    assert span.end_time is not None
    return span.end_time - start(span)

"""Measurements that wait to be recorded: some calls' at a time, and whatever waits when OpenTelemetry collects.

Rule: nothing that is collected is missing a measurement that was made before, and nothing waits that keeps an
object of the app's alive. A measurement right after another costs less than one by itself between two calls, where
everything of OpenTelemetry's has left the processor's caches (see docs/performance.md).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.trace import NonRecordingSpan, SpanContext

from anthropic_otel._core import semconv
from anthropic_otel._core.guard import guarded, report
from anthropic_otel._otel.forks import measuring

MOST: Final = 20
"""How many measurements wait at most: those of ten calls. The call that records them takes that much longer."""

PATIENCE: Final = 100_000_000
"""The nanoseconds since the last were recorded after which the next are recorded at once. So a process that makes less
than ten calls a second records each at its end, and its exemplars have the time at which they were made."""

NO_EXEMPLAR: Final = Context({semconv.SCOPE: True})
"""A context without a span; and not empty, for which OpenTelemetry would take the current one."""

Waiting = tuple[Callable[..., Any], tuple[Any, ...], SpanContext | None]
"""What is called to record it, with which facts, and the ids that an exemplar points to."""


class Measurements:
    """What has been measured and not been recorded yet. No method raises."""

    __slots__ = ("_recorded", "_waiting")

    def __init__(self) -> None:
        # No lock: `append` and `popleft` are atomic.
        self._waiting: Final[deque[Waiting]] = deque()
        self._recorded = -PATIENCE

    def add(self, record: Callable[..., Any], facts: tuple[Any, ...], ids: SpanContext | None, now: int | None) -> None:
        """Has `record(*facts, context)` be called, later, in any thread; `facts` are plain values.

        Does it at once, together with what waits, if that has become much or if there is time: `now` is in nanoseconds
        of a clock, or `None` where a further measurement is about to follow. `ids` are the exemplar's, and not the span
        itself, which would live until it is recorded.
        """
        self._waiting.append((record, facts, ids))
        if now is not None and (len(self._waiting) >= MOST or now - self._recorded >= PATIENCE):
            self._recorded = now
            self.record()

    def record(self) -> None:
        """Records what waits."""
        measuring.append(None)
        try:
            # Bounded, as other threads may add as fast as this one takes.
            for _ in range(len(self._waiting)):
                record, facts, ids = self._waiting.popleft()
                try:
                    record(*facts, _context_of(ids))
                except Exception as error:
                    report("Measurements.record", error)
        except IndexError:
            # Another thread was faster.
            return
        finally:
            measuring.pop()

    def collected(self, _: CallbackOptions) -> list[Observation]:
        """What OpenTelemetry calls when it collects, before it reads its histograms."""
        self.record()
        return []


@guarded(NO_EXEMPLAR)
def _context_of(ids: SpanContext | None) -> Context:
    if ids is None or not ids.trace_flags.sampled:
        return NO_EXEMPLAR
    return trace.set_span_in_context(NonRecordingSpan(ids), NO_EXEMPLAR)

"""Computes the numbers that a person asks for after an incident, from traces and metrics.

Rule: calls and backoff are counted from the metrics, as a dashboard does; attempts and latencies come from the spans,
which have the error number and exact times. Nothing is estimated.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from anthropic_otel._core import instruments, semconv
from anthropic_otel._core.semconv import AttemptOutcome, CallOutcome
from anthropic_otel._render.traces import Attempt, Trace


@dataclass(frozen=True, slots=True)
class Measured:
    """One data point. `count` and `total` are the number and the sum of measurements; 1 and the value for a counter."""

    metric: str
    attributes: Mapping[str, Any]
    count: int
    total: float


@dataclass(frozen=True, slots=True)
class AttemptKind:
    """The properties by which attempts are counted together. `None`: the attempts do not have it."""

    status: int | None
    error_type: str | None
    phase: str | None
    errno: str | None


@dataclass(frozen=True, slots=True)
class Backoff:
    """The backoffs of one source: their number, and their total in seconds."""

    source: str
    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Tokens:
    """The input and output tokens of attempts with one outcome."""

    outcome: str
    input: int
    output: int

    @property
    def total(self) -> int:
        """Input and output tokens together."""
        return self.input + self.output


@dataclass(frozen=True, slots=True)
class Latency:
    """The median and the 95th percentile, in seconds."""

    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Summary:
    """The numbers of some calls.

    - `calls`: the count of each outcome, also of those with 0.
    - `attempts`: the count of each kind, the most frequent first.
    - `backoffs`: by source, the longest first.
    - `call_seconds`: the total duration of all calls.
    - `calls_took`, `final_attempts_took`: the latencies of the calls that succeeded, and of their last attempts; `None`
      if there are none.
    - `tokens`: by outcome, for those that used any.
    """

    calls: Mapping[str, int]
    attempts: Mapping[AttemptKind, int]
    backoffs: Sequence[Backoff]
    call_seconds: float
    calls_took: Latency | None
    final_attempts_took: Latency | None
    tokens: Sequence[Tokens] = ()

    @property
    def tokens_for_nothing(self) -> int:
        """The tokens of attempts that did not complete; a lower bound."""
        return sum(each.total for each in self.tokens if each.outcome != AttemptOutcome.COMPLETED.value)

    @property
    def share_for_nothing(self) -> float:
        """The share of `tokens_for_nothing` in all tokens: 0 to 1."""
        return self.tokens_for_nothing / max(1, sum(each.total for each in self.tokens))

    @property
    def backoff_seconds(self) -> float:
        """The seconds of all backoffs."""
        return sum(each.seconds for each in self.backoffs)

    @property
    def backoff_share(self) -> float:
        """The share of backoff in the calls' total duration: 0 to 1."""
        return self.backoff_seconds / self.call_seconds if self.call_seconds else 0.0

    @property
    def attempts_per_call(self) -> float:
        """The mean number of attempts per call: 1 if nothing was retried; 0 without calls."""
        calls = sum(self.calls.values())
        return sum(self.attempts.values()) / calls if calls else 0.0


def summarize(traces: Sequence[Trace], measured: Sequence[Measured]) -> Summary:
    """Returns the summary of these traces, and of the data points that were collected with them."""
    answered = [trace for trace in traces if trace.answered]
    return Summary(
        calls={outcome.value: _calls(measured, outcome) for outcome in CallOutcome},
        attempts=dict(Counter(_kind(each) for trace in traces for each in trace.attempts).most_common()),
        backoffs=_backoffs(measured),
        call_seconds=sum(point.total for point in _of(measured, instruments.CALL_DURATION)),
        calls_took=_latency(trace.duration for trace in answered),
        final_attempts_took=_latency(trace.attempts[-1].end - trace.attempts[-1].start for trace in answered),
        tokens=[found for outcome in AttemptOutcome for found in (_tokens(measured, outcome),) if found.total],
    )


def _of(measured: Iterable[Measured], metric: instruments.Metric) -> list[Measured]:
    return [point for point in measured if point.metric == metric.name]


def _calls(measured: Sequence[Measured], outcome: CallOutcome) -> int:
    points = _of(measured, instruments.CALL_DURATION)
    return sum(point.count for point in points if point.attributes.get(semconv.CALL_OUTCOME) == outcome.value)


def _tokens(measured: Sequence[Measured], outcome: AttemptOutcome) -> Tokens:
    def used(metric: instruments.Metric) -> int:
        points = _of(measured, metric)
        return int(
            sum(point.total for point in points if point.attributes.get(semconv.ATTEMPT_OUTCOME) == outcome.value)
        )

    return Tokens(outcome.value, used(instruments.USAGE_INPUT), used(instruments.USAGE_OUTPUT))


def _kind(attempt: Attempt) -> AttemptKind:
    return AttemptKind(attempt.status, attempt.error_type, attempt.phase, attempt.errno)


def _backoffs(measured: Sequence[Measured]) -> list[Backoff]:
    found: dict[str, Backoff] = {}
    for point in _of(measured, instruments.RETRY_DELAY):
        source = str(point.attributes.get(semconv.RETRY_SOURCE, semconv.OTHER))
        before = found.get(source, Backoff(source, 0, 0.0))
        found[source] = Backoff(source, before.count + point.count, before.seconds + point.total)
    return sorted(found.values(), key=lambda each: -each.seconds)


_P50: Final = 0.5
_P95: Final = 0.95


def _latency(seconds: Iterable[float]) -> Latency | None:
    ordered = sorted(seconds)
    return Latency(percentile(ordered, _P50), percentile(ordered, _P95)) if ordered else None


def percentile(ordered: Sequence[float], part: float) -> float:
    """Returns the value at the fraction `part` (0 to 1) of sorted values, by the nearest-rank method."""
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]

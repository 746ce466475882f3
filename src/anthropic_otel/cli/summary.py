"""Computes what a person asks for after an incident, from collected spans and metrics.

Rule: counts of calls, backoff and tokens come from the metrics, as on a dashboard; attempts and latencies come from the
spans, which have the errno and exact times. Nothing is estimated.
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
    """One data point of a metric.

    `metric` is the metric's name, `attributes` are those of the point. `count` and `total` are the number and the sum
    of a histogram's measurements. For a counter or gauge, `count` is 1 and `total` its value.
    """

    metric: str
    attributes: Mapping[str, Any]
    count: int
    total: float


@dataclass(frozen=True, slots=True)
class AttemptKind:
    """A kind of attempts, which are counted together. A field is `None` if attempts of that kind do not have it."""

    status: int | None
    error_type: str | None
    phase: str | None
    errno: str | None


@dataclass(frozen=True, slots=True)
class Backoff:
    """The backoffs of one source, which is what decided their length: how many, and their seconds in total."""

    source: str
    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Tokens:
    """How many input and output tokens the attempts with one outcome are known to have used."""

    outcome: str
    input: int
    output: int

    @property
    def total(self) -> int:
        """The sum of input and output tokens."""
        return self.input + self.output


@dataclass(frozen=True, slots=True)
class Latency:
    """The median (`p50`) and the 95th percentile of durations, in seconds."""

    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Summary:
    """What some calls and their attempts add up to.

    - `calls`: how many calls had each outcome, 0 included.
    - `attempts`: how many attempts were of each kind, the most frequent first.
    - `backoffs`: one per source, the longest in total first.
    - `call_seconds`: the total duration of all calls.
    - `calls_took`, `final_attempts_took`: the latencies of the calls that succeeded, at once or after retries, and of
      their last attempts; `None` if no call succeeded.
    - `tokens`: one per outcome of attempts, only for outcomes that used input or output tokens.
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
        """How many tokens the attempts that did not complete are known to have used. They may have used more."""
        return sum(each.total for each in self.tokens if each.outcome != AttemptOutcome.COMPLETED.value)

    @property
    def share_for_nothing(self) -> float:
        """The share of `tokens_for_nothing` in all tokens, from 0 to 1; 0 without tokens."""
        return self.tokens_for_nothing / max(1, sum(each.total for each in self.tokens))

    @property
    def backoff_seconds(self) -> float:
        """The sum of all backoffs, in seconds."""
        return sum(each.seconds for each in self.backoffs)

    @property
    def backoff_share(self) -> float:
        """The ratio of `backoff_seconds` to `call_seconds`; 0 if that is 0."""
        return self.backoff_seconds / self.call_seconds if self.call_seconds else 0.0

    @property
    def attempts_per_call(self) -> float:
        """The number of attempts divided by that of calls; 0 without calls."""
        calls = sum(self.calls.values())
        return sum(self.attempts.values()) / calls if calls else 0.0


def summarize(traces: Sequence[Trace], measured: Sequence[Measured]) -> Summary:
    """Returns the summary of calls, from their traces and from the data points of their metrics.

    Attempts and latencies come from the traces, all other numbers from the data points.
    """
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
    """Returns the value at the fraction `part`, from 0 to 1, of sorted values, by the nearest-rank method.

    `ordered` must not be empty.
    """
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]

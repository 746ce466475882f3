"""Attempts and calls as metrics.

The rule: a measurement has the attributes that its definition in `semconv` lists, in that order, and no others. Spans
may be sampled, metrics never are: whatever ends is counted, with the context of its span for the exemplar.
"""

from __future__ import annotations

from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.metrics import Meter

from anthropic_otel._core import semconv as s
from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.call import Call
from anthropic_otel._core.guard import report
from anthropic_otel._core.semconv import Instrument, Metric
from anthropic_otel._otel.attributes import MAX_ADDRESSES, MAX_MODELS, MAX_SETS, MAX_STATUSES, AttributeSets, Capped
from anthropic_otel._otel.ratelimits import RateLimits

_SECOND: Final = 1e9

Target = tuple[str, str, str | None]
"""The attributes that every metric of attempts and calls begins with: operation, address and model, each bounded."""


class Recorder:
    """One synchronous metric: its instrument and its attribute sets."""

    __slots__ = ("_known", "_names", "_record", "_sets")

    def __init__(self, meter: Meter, metric: Metric) -> None:
        self._names: Final = metric.attributes
        self._sets: Final = AttributeSets()
        self._known: Final = self._sets.known
        self._record: Final = _instrument(meter, metric)

    def __call__(self, amount: float, values: tuple[str | int | None, ...], context: Context | None) -> None:
        """Records `amount` with `values` for the metric's attributes, in their order. Never raises."""
        try:
            self._record(amount, self._known.get(values) or self._sets.get(self._names, values), context)
        except Exception as error:
            report("Recorder", error)


def _instrument(meter: Meter, metric: Metric) -> Any:
    if metric.instrument is Instrument.COUNTER:
        return meter.create_counter(metric.name, metric.unit, metric.description).add
    return meter.create_histogram(
        metric.name, metric.unit, metric.description, explicit_bucket_boundaries_advisory=list(metric.buckets)
    ).record


class Metrics:
    """Everything that is measured. No instrument that fails reaches the caller, or the other instruments."""

    def __init__(self, meter: Meter) -> None:
        self._model = Capped(MAX_MODELS)
        self._address = Capped(MAX_ADDRESSES)
        self._status = Capped(MAX_STATUSES)
        self._started = Recorder(meter, s.ATTEMPT_STARTED)
        self._duration = Recorder(meter, s.ATTEMPT_DURATION)
        self._first_chunk = Recorder(meter, s.ATTEMPT_TIME_TO_FIRST_CHUNK)
        self._call_duration = Recorder(meter, s.CALL_DURATION)
        self._retries = Recorder(meter, s.CALL_RETRIES)
        self._retry_delay = Recorder(meter, s.RETRY_DELAY_METRIC)
        self._rate_limits = RateLimits(meter)
        self._targets: dict[tuple[str | None, str | None, str | None], Target] = {}
        self._answers: dict[tuple[int | None, str | None], tuple[int | None, str | None, str | None]] = {}

    def attempt_started(self, attempt: Attempt, context: Context | None) -> None:
        """Counts an attempt that is about to be sent, and the backoff that ended with it."""
        target = self._attempt_target(attempt)
        self._started(1, target, context)
        retry = attempt.retry
        if retry is not None and retry.delay is not None:
            source = retry.source.text if retry.source is not None else None
            reason = self._bounded(retry.reason)
            self._retry_delay(retry.delay / _SECOND, (target[0], target[1], reason, source), context)

    def attempt_ended(self, attempt: Attempt, context: Context | None) -> None:
        """Measures an attempt that has ended."""
        target = self._attempt_target(attempt)
        answer = self._answers.get((attempt.status, attempt.error_type)) or self._new_answer(attempt)
        cause = attempt.cause.word.text if attempt.cause is not None else None
        outcome = attempt.outcome.text if attempt.outcome is not None else None
        self._duration(attempt.duration / _SECOND, (*target, *answer, cause, outcome), context)
        reading = attempt.reading
        if reading is not None and reading.end is not None and reading.first_chunk is not None:
            self._first_chunk((reading.first_chunk - attempt.started) / _SECOND, target, context)
        self._rate_limits.saw(target[2], attempt.headers)

    def call_ended(self, call: Call, context: Context | None) -> None:
        """Measures a call that has ended."""
        invocation = call.invocation
        target = self._target(call.operation, call.address, invocation.model)
        outcome = call.outcome.text if call.outcome is not None else None
        self._call_duration(call.duration / _SECOND, (*target, outcome, self._bounded(call.error_type)), context)
        self._retries(call.retries, (*target, outcome), context)

    def _attempt_target(self, attempt: Attempt) -> Target:
        model = attempt.call.invocation.model if attempt.call is not None else None
        return self._target(attempt.operation, attempt.target.address, model)

    def _target(self, operation: str | None, address: str | None, model: str | None) -> Target:
        """The bounded values for an operation, an address and a model. What was let through once stays so."""
        return self._targets.get((operation, address, model)) or self._new_target(operation, address, model)

    def _new_target(self, operation: str | None, address: str | None, model: str | None) -> Target:
        target = (
            operation or s.OTHER,
            self._address(address) if address else s.OTHER,
            self._model(model) if model else None,
        )
        if len(self._targets) < MAX_SETS:
            self._targets[operation, address, model] = target
        return target

    def _new_answer(self, attempt: Attempt) -> tuple[int | None, str | None, str | None]:
        """The bounded status, its class and the bounded error type. What was let through once stays so."""
        status, error_type = attempt.status, attempt.error_type
        answer = (self._bounded_status(status), attempt.status_class, self._bounded(error_type))
        if len(self._answers) < MAX_SETS:
            self._answers[status, error_type] = answer
        return answer

    def _bounded_status(self, status: int | None) -> int | None:
        """The status, `None` where a server has sent too many different ones."""
        return status if status is not None and self._status(str(status)) != s.OTHER else None

    def _bounded(self, error_type: str | None) -> str | None:
        """The error type: a word of a closed list, or a status, of which there are no more than of those."""
        return self._status(error_type) if error_type is not None and error_type.isdecimal() else error_type

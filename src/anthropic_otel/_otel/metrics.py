"""Attempts and calls as metrics.

Rule: a measurement has the attributes that its definition in `semconv` lists, in that order, and no others. Spans
may be sampled, metrics never are: whatever ends is counted, with its span for the exemplar.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from opentelemetry import metrics
from opentelemetry.context import Context
from opentelemetry.metrics import Meter, MeterProvider
from opentelemetry.trace import SpanContext

from anthropic_otel._core import semconv
from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.call import Call
from anthropic_otel._core.guard import guarded, report
from anthropic_otel._core.headers import RawHeaders
from anthropic_otel._core.semconv import AttemptOutcome, CallOutcome, Metric, NetworkCause
from anthropic_otel._otel import providers
from anthropic_otel._otel.attributes import (
    MAX_ADDRESSES,
    MAX_MODELS,
    MAX_STATUSES,
    AttributeSets,
    Capped,
    Facts,
    Values,
)
from anthropic_otel._otel.counts import Counts
from anthropic_otel._otel.measurements import NO_EXEMPLAR, Measurements
from anthropic_otel._otel.ratelimits import RateLimits
from anthropic_otel._version import __version__

_SECOND: Final = 1e9


class Metrics:
    """Everything that is measured. No method raises, and an instrument that fails does not cost the others."""

    def __init__(self, meter: Meter, provider: MeterProvider) -> None:
        self._set: bool = not providers.is_unset(provider)
        self._model: Final = Capped(MAX_MODELS)
        self._address: Final = Capped(MAX_ADDRESSES)
        self._status: Final = Capped(MAX_STATUSES)
        self._targets: Final = AttributeSets(semconv.ATTEMPT_STARTED.attributes, self._target)
        self._started: Final = Counts(self._targets)
        self._delays: Final = AttributeSets(semconv.RETRY_DELAY_METRIC.attributes, self._of_delay)
        self._attempts: Final = AttributeSets(semconv.ATTEMPT_DURATION.attributes, self._of_attempt)
        self._calls: Final = AttributeSets(semconv.CALL_DURATION.attributes, self._of_call)
        self._retried: Final = AttributeSets(semconv.CALL_RETRIES.attributes, self._of_call_without_error)
        self._retry_delay: Final = _histogram(meter, semconv.RETRY_DELAY_METRIC)
        self._duration: Final = _histogram(meter, semconv.ATTEMPT_DURATION)
        self._first_chunk: Final = _histogram(meter, semconv.ATTEMPT_TIME_TO_FIRST_CHUNK)
        self._call_duration: Final = _histogram(meter, semconv.CALL_DURATION)
        self._retries: Final = _histogram(meter, semconv.CALL_RETRIES)
        self._measurements: Final = Measurements()
        self._rate_limits: Final = RateLimits(meter)
        started, callbacks = semconv.ATTEMPT_STARTED, [self._measurements.collected, self._started.observe]
        meter.create_observable_counter(started.name, callbacks, started.unit, started.description)

    def attempt_started(self, attempt: Attempt, ids: SpanContext | None) -> None:
        """Counts an attempt that is about to be sent, and measures the backoff that ended with it."""
        try:
            retry = attempt.retry
            operation, address = attempt.operation, attempt.target.address
            if not (self._set or self._is_set()):
                return
            next(self._started[operation, address, attempt.model])
            if retry is not None and retry.delay is not None:
                facts = operation, address, retry.reason, retry.source
                self._measurements.add(self._record_delay, (facts, retry.delay), ids, None)
        except Exception as error:
            report("Metrics.attempt_started", error)

    def attempt_ended(self, attempt: Attempt, ids: SpanContext | None, *, in_call: bool) -> None:
        """Measures an attempt that has ended."""
        try:
            if not self._set:
                return
            cause, reading = attempt.cause, attempt.reading
            facts = (
                *(attempt.operation, attempt.target.address, attempt.model),
                *(attempt.status, attempt.error_type, cause.word if cause is not None else None, attempt.outcome),
            )
            waited = None
            if reading is not None and reading.end is not None and reading.first_chunk is not None:
                waited = reading.first_chunk - attempt.started
            # The end of its call is about to follow, mostly.
            now = None if in_call else attempt.started + attempt.duration
            self._measurements.add(self._record_attempt, (facts, attempt.duration, waited), ids, now)
        except Exception as error:
            report("Metrics.attempt_ended", error)

    def call_ended(self, call: Call, ids: SpanContext | None) -> None:
        """Measures a call that has ended."""
        try:
            if not (self._set or self._is_set()):
                return
            facts = call.operation, call.address, call.invocation.model, call.outcome, call.error_type
            now = call.started + call.duration
            self._measurements.add(self._record_call, (facts, call.duration, call.retries), ids, now)
        except Exception as error:
            report("Metrics.call_ended", error)

    @guarded(None)
    def rate_limits_received(self, model: str | None, headers: RawHeaders) -> None:
        """Keeps what a response tells of rate limits, until somebody collects."""
        self._rate_limits.saw(self._model(model) if model else None, headers)

    def _is_set(self) -> bool:
        """Whether measurements arrive by now. Until an app sets a provider they do not, nor must counts."""
        self._set = not providers.is_unset(metrics.get_meter_provider())
        return self._set

    # -- recorded, some at a time --------------------------------------------------------------------------------------

    def _record_delay(self, facts: Facts, delay: int, context: Context) -> None:
        self._retry_delay(delay / _SECOND, self._delays[facts], context)

    def _record_attempt(self, facts: Facts, duration: int, waited: int | None, context: Context) -> None:
        try:
            self._duration(duration / _SECOND, self._attempts[facts], context)
        finally:
            if waited is not None:
                self._first_chunk(waited / _SECOND, self._targets[facts[:3]], context)

    def _record_call(self, facts: Facts, duration: int, retries: int, context: Context) -> None:
        try:
            self._call_duration(duration / _SECOND, self._calls[facts], context)
        finally:
            # Of a call without a retry there is nothing to look at that an exemplar would be worth.
            self._retries(retries, self._retried[facts[:4]], context if retries else NO_EXEMPLAR)

    # -- the bounded values of a measurement's attributes, each in the order of its definition -------------------------

    def _target(self, operation: str | None, address: str | None, model: str | None) -> Values:
        return (
            operation or semconv.OTHER,
            self._address(address) if address else semconv.OTHER,
            self._model(model) if model else None,
        )

    def _of_delay(self, operation: str, address: str, reason: str | None, source: semconv.RetrySource | None) -> Values:
        target = self._target(operation, address, None)
        return (*target[:2], self._bounded(reason), source.value if source is not None else None)

    def _of_attempt(
        self,
        operation: str,
        address: str,
        model: str | None,
        status: int | None,
        error_type: str | None,
        cause: NetworkCause | None,
        outcome: AttemptOutcome | None,
    ) -> Values:
        return (
            *self._target(operation, address, model),
            # Left out where a server has sent too many different ones.
            status if status is not None and self._status(str(status)) != semconv.OTHER else None,
            f"{status // 100}xx" if status is not None else None,
            self._bounded(error_type),
            cause.value if cause is not None else None,
            outcome.value if outcome is not None else None,
        )

    def _of_call_without_error(
        self, operation: str | None, address: str | None, model: str | None, outcome: CallOutcome | None
    ) -> Values:
        return (*self._target(operation, address, model), outcome.value if outcome is not None else None)

    def _of_call(
        self,
        operation: str | None,
        address: str | None,
        model: str | None,
        outcome: CallOutcome | None,
        error_type: str | None,
    ) -> Values:
        return (*self._of_call_without_error(operation, address, model, outcome), self._bounded(error_type))

    def _bounded(self, error_type: str | None) -> str | None:
        """The error type: a word of a closed list, or a status, of which there are no more than of those."""
        return self._status(error_type) if error_type is not None and error_type.isdecimal() else error_type


def _histogram(meter: Meter, metric: Metric) -> Callable[..., Any]:
    return meter.create_histogram(
        metric.name, metric.unit, metric.description, explicit_bucket_boundaries_advisory=list(metric.buckets)
    ).record


# -- one for each provider ---------------------------------------------------------------------------------------------

_made: Final[weakref.WeakKeyDictionary[MeterProvider, weakref.ref[Metrics]]] = weakref.WeakKeyDictionary()
"""What is kept alive by the instruments of the provider: those that are observed call it."""


def metrics_of(given: MeterProvider | None) -> Metrics:
    """The metrics of a provider, of the global one without one. Whoever measures into one provider shares them.

    OpenTelemetry takes the callbacks of an observable instrument from its first creation only. So single clients, and
    whoever instruments again, must not create it a second time.
    """
    provider = given if given is not None else metrics.get_meter_provider()
    found = _found(provider) or Metrics(metrics.get_meter(semconv.SCOPE, __version__, given), provider)
    # One without a hash, or that cannot be referred to weakly, has metrics that nobody shares.
    with suppress(TypeError):
        _made[provider] = weakref.ref(found)
    return found


def _found(provider: MeterProvider) -> Metrics | None:
    with suppress(TypeError):
        made = _made.get(provider)
        if made is None and provider is metrics.get_meter_provider():
            # Set since: the instruments that were made before are its own now.
            made = next((early for one, early in _made.items() if providers.is_unset(one)), None)
        return made() if made is not None else None
    return None

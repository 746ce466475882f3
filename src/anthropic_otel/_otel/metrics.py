"""Measures attempts and calls.

Rule: a measurement has attributes that its definition in `instruments` lists, in that order, and no others. Spans may
be sampled, metrics never are: each attempt and call that started when there was a meter provider is measured, with the
ids of its span for the exemplar.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from threading import get_ident
from typing import Any, Final

from opentelemetry import metrics
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation

from anthropic_otel._core import instruments, semconv
from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.call import Call
from anthropic_otel._core.changing import changing
from anthropic_otel._core.guard import guarded, report
from anthropic_otel._core.headers import RawHeaders, rate_limit_names
from anthropic_otel._core.instruments import Metric
from anthropic_otel._core.response import MAX_STATUS, STATUS_CLASSES
from anthropic_otel._otel import providers
from anthropic_otel._otel.attributes import (
    MAX_ADDRESSES,
    MAX_CODES,
    MAX_MODELS,
    MAX_SETS,
    MAX_STATUSES,
    Attributes,
    AttributeSets,
    CardinalityLimit,
    Names,
    last_part,
)
from anthropic_otel._otel.counts import Counts
from anthropic_otel._otel.forks import measuring
from anthropic_otel._otel.ratelimits import RateLimits
from anthropic_otel._otel.tokens import Tokens
from anthropic_otel._version import __version__

_SECOND: Final = 1e9
AttemptFacts = tuple[str, str, str | None, int | None, str | None, str | None, str | None]
"""Operation, address, model, status, error type, cause and outcome of an attempt, before cardinality limits."""


class Metrics:
    """Measures calls and attempts with the instruments of one meter provider. Thread-safe.

    What a histogram raises is reported, and does not keep the others from measuring. `meter` is of `provider`. `is_set`
    is whether a meter provider is set, as far as was seen when this was made, and by `measures` since. `tokens` counts
    the tokens of attempts.
    """

    def __init__(self, meter: Meter, provider: MeterProvider) -> None:
        # Kept here, with the instruments: Logfire's are proxies, to which nothing else refers.
        self._meter: Final = meter
        self.is_set: bool = not providers.is_unset(provider)
        self._model: Final = Names(MAX_MODELS)
        self._address: Final = Names(MAX_ADDRESSES)
        self._targets: dict[tuple[str | None, str | None, str | None], tuple[str, str, str | None]] = {}
        """A cache of what `_target` returns, by operation, address and model: only of results that cannot change."""
        self._of_facts: dict[tuple[str | int | None, ...], Attributes] = {}
        """A cache of attributes by the facts that they are made of, for attempts and calls; see `_kept`."""
        self._status: Final = CardinalityLimit(MAX_STATUSES)
        self._code: Final = CardinalityLimit(MAX_CODES)
        self._first_chunk: Final = Histogram(meter, instruments.ATTEMPT_TIME_TO_FIRST_CHUNK)
        self._max_gap: Final = Histogram(meter, instruments.STREAM_MAX_GAP)
        self._attempt: Final = Histogram(meter, instruments.ATTEMPT_DURATION)
        self._call: Final = Histogram(meter, instruments.CALL_DURATION)
        self._retries: Final = Histogram(meter, instruments.CALL_RETRIES)
        self._delay: Final = Histogram(meter, instruments.RETRY_DELAY)
        self._started: Final = Counts(AttributeSets(instruments.ATTEMPT_STARTED.attributes))
        started = instruments.ATTEMPT_STARTED
        self._counter: Final = meter.create_observable_counter(
            started.name, [self._observe_started], started.unit, started.description
        )
        self._rate_limits: Final = RateLimits(meter, self.model_label)
        self.tokens: Final = Tokens(meter, self.model_label, self._address)

    def _observe_started(self, options: CallbackOptions) -> Sequence[Observation]:
        # A method, so that the instrument keeps this object alive. A second instrumentation of the same provider must
        # find it: OpenTelemetry ignores the callbacks of a second instrument with the same name.
        return self._started.observe(options)

    def attempt_started(self, attempt: Attempt, exemplar: Callable[[], Context]) -> None:
        """Counts an attempt that is about to be sent, and measures the backoff before it, if one is known.

        `exemplar` returns the context for the backoff's exemplar, and is only called if a backoff is known.
        """
        facts = (attempt.operation, attempt.request.target.address, attempt.model)
        target = self._targets.get(facts) or self._target(*facts)
        self._started.add(target)
        retry = attempt.retry
        if retry is not None and retry.delay is not None:
            source = retry.source.value if retry.source is not None else None
            values = (*target[:2], self._bounded(retry.reason), source)
            self._delay.record(retry.delay / _SECOND, self._delay.sets.of(values), exemplar())

    def attempt_ended(self, attempt: Attempt, exemplar: Context) -> None:
        """Measures an attempt that has ended and was passed to `attempt_started`. `exemplar` has its span.

        Records its duration. For the event stream of a message also records the longest gap and, if a chunk came, the
        time to the first one.
        """
        ending, reading = attempt.ending, attempt.reading
        facts = (
            attempt.operation,
            attempt.request.target.address,
            attempt.model,
            attempt.status,
            ending.error_type,
            ending.cause.word.value if ending.cause is not None else None,
            ending.outcome.value if ending.outcome is not None else None,
        )
        attributes = self._of_facts.get(facts) or self._of_attempt(facts)
        self._attempt.record(attempt.duration / _SECOND, attributes, exemplar)
        # The event stream of an agent waits as long as nothing happens.
        if reading is not None and reading.end is not None and attempt.is_message:
            target = self._target(*facts[:4])
            gap = self._max_gap.sets.of((*target, facts[-1]))
            self._max_gap.record(reading.max_gap / _SECOND, gap, exemplar)
            if reading.first_chunk is not None:
                first = self._first_chunk.sets.of(target)
                self._first_chunk.record((reading.first_chunk - attempt.started) / _SECOND, first, exemplar)

    def _of_attempt(self, facts: AttemptFacts) -> Attributes:
        status, error_type, *words = facts[3:]
        values = (*self._target(*facts[:4]), *self._status_labels(status), self._bounded(error_type), *words)
        return self._kept(facts, self._attempt.sets.of(values))

    def call_ended(self, call: Call, exemplar: Context) -> None:
        """Measures a call that has ended: its duration, and its retries if it had any. `exemplar` has its span."""
        ending = call.ending
        outcome = ending.outcome.value if ending.outcome is not None else None
        # A call that failed is not kept: it has more attributes.
        facts = (call.operation, call.address, call.invocation.model, outcome)
        attributes = self._of_facts.get(facts) if ending.error_type is None else None
        if attributes is None:
            attributes = self._of_call(call, facts)
        self._call.record(call.duration / _SECOND, attributes, exemplar)
        if call.attempts.retries:
            retries = self._retries.sets.of((*self._target(*facts[:3]), outcome))
            self._retries.record(call.attempts.retries, retries, exemplar)

    def _of_call(self, call: Call, facts: tuple[str | None, str | None, str | None, str | None]) -> Attributes:
        ending, error = call.ending, call.ending.api_error
        values = (
            *self._target(*facts[:3]),
            facts[3],
            self._bounded(ending.error_type),
            ending.cause.value if ending.cause is not None else None,
            self._code(error.code) if error is not None and error.code is not None else None,
        )
        attributes = self._call.sets.of(values)
        return self._kept(facts, attributes) if ending.error_type is None else attributes

    def response_received(self, model: str | None, headers: RawHeaders) -> None:
        """Queues a response's headers for the rate limits' gauges, if it has such. `model` is that of its request."""
        names = rate_limit_names(headers)
        if names:
            self._rate_limits.received(model, headers, names)

    @guarded(False)
    def measures(self) -> bool:
        """Returns whether a meter provider has been set by now; `False` on a failure.

        To be asked when a call or an attempt starts: what starts before there is a provider must not be measured at its
        end either, or more would end than have started.
        """
        self.is_set = self.is_set or not providers.is_unset(metrics.get_meter_provider())
        return self.is_set

    # -- bounded values ------------------------------------------------------------------------------------------------

    def _target(
        self, operation: str | None, address: str | None, model: str | None, status: int | None = None
    ) -> tuple[str, str, str | None]:
        """Returns the attribute values of operation, address and model, the last two within their cardinality limits.

        An address or a model beyond its limit is `_OTHER`, as is a missing operation or address. No model is `None`.
        `status` is that of the attempt's response, `None` if it has none or is not known: the limits prefer names that
        got a 2xx. With a 2xx the result is cached, if address and model are within the limits, as it cannot change
        then.
        """
        facts = (operation, address, model)
        found = self._targets.get(facts)
        if found is not None:
            return found
        answered = status is not None and 200 <= status < 300
        target = (
            operation or semconv.OTHER,
            self._address(address, answered=answered) if address else semconv.OTHER,
            self.model_label(model, answered=answered),
        )
        # The value of a name that got a 2xx does not change any more.
        if answered and target[1] == address and target[2] != semconv.OTHER and len(self._targets) < MAX_SETS:
            self._targets[facts] = target
        return target

    def _kept(self, facts: tuple[str | int | None, ...], attributes: Attributes) -> Attributes:
        """Returns `attributes`, and caches them for `facts`, of which they are made, if they cannot change.

        That is so if `_target` has cached its result for the first three facts. At most `MAX_SETS` are cached.
        """
        if facts[:3] in self._targets and len(self._of_facts) < MAX_SETS:
            self._of_facts[facts] = attributes
        return attributes

    def model_label(self, model: str | None, *, answered: bool = False) -> str | None:
        """Returns the attribute value of a model: its name, or `_OTHER` beyond the cardinality limit (`Names`).

        `None` for no model. Of an ARN or a resource path the name is the last part (`last_part`). `answered` is whether
        the request at hand is known to have got a 2xx, which is remembered for its model. Models for which that is not
        known of any request have at most half of the limit's places.
        """
        return self._model(last_part(model), answered=answered) if model else None

    def _status_labels(self, status: int | None) -> tuple[int | None, str | None]:
        """Returns a status and its class, such as `2xx`. Both are `None` for no status.

        The status is `None` beyond its cardinality limit and above 999, the class outside of 100 to 599.
        """
        known = status is not None and status <= MAX_STATUS and self._status(str(status)) != semconv.OTHER
        return (status if known else None, STATUS_CLASSES.get(status // 100) if status is not None else None)

    def _bounded(self, error_type: str | None) -> str | None:
        """Returns an error type as it may be on a metric: a word as it is, a status beyond its limit as `_OTHER`.

        `None` for `None`.
        """
        return self._status(error_type) if error_type is not None and error_type.isdecimal() else error_type


class Histogram:
    """The histogram that `metric` defines, made by `meter`.

    `sets` makes and caches its attribute sets, of values to which the caller has applied the cardinality limits.
    """

    __slots__ = ("_record", "sets")

    def __init__(self, meter: Meter, metric: Metric) -> None:
        self.sets: Final = AttributeSets(metric.attributes)
        self._record: Final[Callable[..., Any]] = meter.create_histogram(
            metric.name, metric.unit, metric.description, explicit_bucket_boundaries_advisory=list(metric.buckets)
        ).record

    def record(self, amount: float, attributes: Attributes, context: Context) -> None:
        """Records `amount`, in the metric's unit, with attributes of `sets`. Never raises.

        `context` has the span for the exemplar. A fork waits meanwhile; see `forks`.
        """
        thread = get_ident()
        measuring[thread] = None
        try:
            self._record(amount, attributes, context)
        except Exception as error:
            report("Histogram.record", error)
        finally:
            measuring.pop(thread, None)


# -- one for each provider ---------------------------------------------------------------------------------------------

_made: Final[list[tuple[Callable[[], MeterProvider | None], weakref.ref[Metrics]]]] = []
"""A reference to each provider with a weak one to its `Metrics`, which its observable instruments keep alive.

Providers are compared by identity, as Logfire's has no hash.
"""


def metrics_of(given: MeterProvider | None) -> Metrics:
    """Returns the `Metrics` of the provider `given`, or of the global one for `None`. Makes them if there are none.

    Each provider has only one, as OpenTelemetry takes the callbacks of an observable instrument from its first creation
    only. What was made before a global provider was set becomes that of the provider. Thread-safe.
    """
    provider = given if given is not None else metrics.get_meter_provider()
    with changing():
        found = _found(provider) or Metrics(metrics.get_meter(semconv.SCOPE, __version__, given), provider)
        _made[:] = [entry for entry in _made if entry[1]() not in (None, found)]
        _made.append((providers.reference_to(provider), weakref.ref(found)))
    return found


def _found(provider: MeterProvider) -> Metrics | None:
    found = next((made() for of, made in _made if of() is provider), None)
    if found is None and provider is metrics.get_meter_provider():
        # The global provider was set after our proxy instruments were created; they now belong to it.
        unset = ((of(), made()) for of, made in _made)
        found = next((made for one, made in unset if one is not None and providers.is_unset(one)), None)
    return found

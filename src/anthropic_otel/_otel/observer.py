"""The OpenTelemetry side of the seam: calls and attempts become spans, metrics and logs.

The rule: every call into OpenTelemetry is guarded by itself, so that a tracer that fails costs the spans and not the
metrics. What is current is attached in the app's own context and taken off there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, Tracer, TracerProvider

from anthropic_otel._core import semconv as s
from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.call import Call
from anthropic_otel._core.guard import guarded, report
from anthropic_otel._core.headers import RawHeaders
from anthropic_otel._core.observer import NO_HEADERS
from anthropic_otel._otel import logs, providers, scope, spans
from anthropic_otel._otel.metrics import Metrics, metrics_of
from anthropic_otel._version import __version__


@dataclass(frozen=True)
class Settings:
    """What an observer makes, and where it sends it. `None` is the process's global provider."""

    tracer_provider: TracerProvider | None = None
    meter_provider: MeterProvider | None = None
    metrics: bool = True
    logs: bool = True
    suppress_http_instrumentation: bool = True


class Observed:
    """What the observer keeps on a call or an attempt: its span, if any, and the context that its children start in."""

    __slots__ = ("context", "span", "token")

    def __init__(self, span: Span | None, context: Context) -> None:
        self.span = span
        self.context = context
        self.token: Any = None

    def detach(self) -> None:
        # In this order: an interrupt in between makes for a second `leave`, and not for none.
        if self.token is not None:
            scope.leave(self.token)
        self.token = None


class OpenTelemetryObserver:
    """Makes spans, metrics and logs of what it is told. No method raises."""

    def __init__(self, settings: Settings) -> None:
        self._settings: Final = settings
        self._tracer: Final = _tracer(settings)
        self._metrics: Final = _metrics(settings) if settings.metrics else None
        self._goes_somewhere = False
        self._told = False

    # Guarded in place, here and below: the functions of a guard are a tenth of what the library adds to a call.

    def watches(self) -> bool:
        try:
            return (self._goes_somewhere or self._reaches_somebody()) and not scope.suppressed()
        except Exception as error:
            report("watches", error)
            return False

    def _reaches_somebody(self) -> bool:
        """Whether anybody could learn of it. Asked at each call, as an app may set its providers whenever it likes."""
        if not providers.goes_nowhere(self._settings.tracer_provider, self._settings.meter_provider):
            self._goes_somewhere = True
            return True
        if not self._told:
            self._told = True
            providers.tell_that_it_goes_nowhere()
        return self._settings.logs and logs.anybody_listens()

    # -- calls ---------------------------------------------------------------------------------------------------------

    def call_started(self, call: Call) -> None:
        try:
            parent = otel_context.get_current()
            observed = call.observed = Observed(None, parent)
            if not call.invocation.traced_by_sdk and not spans.foreign_call_span(trace.get_current_span(parent)):
                self._start_call_span(call, observed, parent)
            # Also where nothing is new: taken off, it takes off whatever an interrupted attempt has left on top of it.
            observed.token = scope.enter(observed.context)
        except Exception as error:
            report("call_started", error)

    def _start_call_span(self, call: Call, observed: Observed, parent: Context) -> None:
        try:
            observed.span = spans.start_call(self._tracer, call, parent)
            observed.context = scope.with_span(observed.span, parent, suppress_http=False)
        except Exception as error:
            report("start_call", error)

    def call_returned(self, call: Call) -> None:
        if call.observed is not None:
            call.observed.detach()

    def call_ended(self, call: Call) -> None:
        observed: Observed | None = call.observed
        if self._metrics is not None:
            self._metrics.call_ended(call, observed.context if observed is not None else None)
        if observed is not None and observed.span is not None:
            try:
                spans.end_call(observed.span, call)
            except Exception as error:
                report("end_call", error)

    # -- attempts ------------------------------------------------------------------------------------------------------

    def attempt_started(self, attempt: Attempt) -> Mapping[str, str]:
        try:
            parent = self._parent(attempt)
            observed = attempt.observed = Observed(None, parent)
            self._start_span(attempt, observed, parent)
            if self._metrics is not None:
                self._metrics.attempt_started(attempt, observed.context)
            if observed.span is None or not observed.span.get_span_context().is_valid:
                return NO_HEADERS
            observed.token = scope.enter(observed.context)
            return _trace_headers(observed.context) if _propagates(attempt) else NO_HEADERS
        except Exception as error:
            report("attempt_started", error)
            return NO_HEADERS

    def _start_span(self, attempt: Attempt, observed: Observed, parent: Context) -> None:
        try:
            observed.span = spans.start_attempt(self._tracer, attempt, parent)
            suppress_http = self._settings.suppress_http_instrumentation
            observed.context = scope.with_span(observed.span, parent, suppress_http=suppress_http)
        except Exception as error:
            report("start_attempt", error)

    def _parent(self, attempt: Attempt) -> Context:
        """The context that the attempt starts in, with the call's span in it."""
        current = otel_context.get_current()
        call = attempt.call
        observed: Observed | None = call.observed if call is not None else None
        if call is None or observed is None:
            return current
        if call.over_for_sdk:
            # Sent while the app reads the body, by a middleware of the SDK: nothing of the call is current any more.
            return observed.context
        if call.attempts == 1 and observed.span is None:
            self._meet_call_span(call, observed, current)
        return current if observed.span is None else observed.context

    def _meet_call_span(self, call: Call, observed: Observed, current: Context) -> None:
        """Takes the call span that somebody else has made by now as the call's; without one, makes ours after all."""
        if call.invocation.traced_by_sdk and _same_span(current, observed.context):
            # The SDK was expected to make it: its provider is another one, or cannot be loaded.
            self._start_call_span(call, observed, current)
        else:
            observed.context = current

    def attempt_sent(self, attempt: Attempt) -> None:
        if attempt.observed is not None:
            attempt.observed.detach()

    def limits_told(self, attempt: Attempt, headers: RawHeaders) -> None:
        if self._metrics is not None:
            self._metrics.limits_told(attempt, headers)

    def attempt_ended(self, attempt: Attempt) -> None:
        observed: Observed | None = attempt.observed
        if self._metrics is not None:
            self._metrics.attempt_ended(attempt, observed.context if observed is not None else None)
        if observed is not None and observed.span is not None:
            try:
                spans.end_attempt(observed.span, attempt)
            except Exception as error:
                report("end_attempt", error)

    @guarded(None)
    def attempt_settled(self, attempt: Attempt, *, fatal: bool) -> None:
        if not self._settings.logs:
            return
        observed: Observed | None = attempt.observed
        if observed is None:
            logs.attempt_failed(attempt, fatal=fatal)
            return
        # So that a handler which exports to OpenTelemetry ties the record to the attempt's span.
        token = scope.enter(observed.context)
        try:
            logs.attempt_failed(attempt, fatal=fatal)
        finally:
            scope.leave(token)


def _same_span(one: Context, other: Context) -> bool:
    # Not by identity: a tracer that makes no spans puts the parent's context into an object of its own.
    return trace.get_current_span(one).get_span_context() == trace.get_current_span(other).get_span_context()


def _propagates(attempt: Attempt) -> bool:
    """Whether the SDK client lets trace context out; if not, the app's propagator is not even asked."""
    return attempt.call is None or attempt.call.invocation.propagates


def _trace_headers(context: Context) -> Mapping[str, str]:
    carrier: dict[str, str] = {}
    try:
        propagate.inject(carrier, context)
    except Exception as error:
        report("inject", error)
        return NO_HEADERS
    return carrier


@guarded(trace.NoOpTracer())
def _tracer(settings: Settings) -> Tracer:
    return trace.get_tracer(s.SCOPE, __version__, settings.tracer_provider)


@guarded(None)
def _metrics(settings: Settings) -> Metrics | None:
    return metrics_of(settings.meter_provider)

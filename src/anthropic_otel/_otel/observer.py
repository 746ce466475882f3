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
    """What the observer keeps on a call or an attempt: its span, and the app's context that it began in.

    `ours` is whether the span is to be ended here; that of a call may be the SDK's. The context that has the span in it
    is made where it is needed and not kept: an open stream would hold two of them.
    """

    __slots__ = ("ours", "parent", "span", "token")

    def __init__(self, parent: Context, span: Span | None = None) -> None:
        self.parent = parent
        self.span = span
        self.ours = False
        self.token: Any = None

    def context(self) -> Context:
        """The context of what is told of this call or attempt."""
        return self.parent if self.span is None else scope.with_span(self.span, self.parent, suppress_http=False)

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

    # Guarded in place, here and below: by the profile the functions of guards took 8 µs of a create.

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
            observed = call.observed = Observed(parent)
            if not call.invocation.traced_by_sdk and not spans.foreign_call_span(trace.get_current_span(parent)):
                self._start_call_span(call, observed, parent)
            # Also where nothing is new: taken off, it takes off whatever an interrupted attempt has left on top of it.
            observed.token = scope.enter(observed.context())
        except Exception as error:
            report("call_started", error)

    def _start_call_span(self, call: Call, observed: Observed, parent: Context) -> None:
        try:
            observed.span, observed.ours = spans.start_call(self._tracer, call, parent), True
        except Exception as error:
            report("start_call", error)

    def call_returned(self, call: Call) -> None:
        if call.observed is not None:
            call.observed.detach()

    def call_ended(self, call: Call) -> None:
        observed: Observed | None = call.observed
        if self._metrics is not None:
            self._metrics.call_ended(call, _span_of(observed))
        if observed is not None and observed.span is not None and observed.ours:
            try:
                spans.end_call(observed.span, call)
            except Exception as error:
                report("end_call", error)

    # -- attempts ------------------------------------------------------------------------------------------------------

    def attempt_started(self, attempt: Attempt) -> Mapping[str, str]:
        try:
            current, of_call = otel_context.get_current(), _of_call(attempt)
            if attempt.call is None or of_call is None:
                outer, observed = current, Observed(current)
            else:
                outer = self._within(attempt.call, of_call, current)
                observed = Observed(of_call.parent, of_call.span)
            attempt.observed = observed
            inner = self._start_span(attempt, observed, outer)
            if not observed.ours or observed.span is None or not observed.span.get_span_context().is_valid:
                return NO_HEADERS
            observed.token = scope.enter(inner)
            return _trace_headers(inner) if _propagates(attempt) else NO_HEADERS
        except Exception as error:
            report("attempt_started", error)
            return NO_HEADERS
        finally:
            # Whatever has failed: what ends is counted, and so is what begins.
            if self._metrics is not None:
                self._metrics.attempt_started(attempt, _span_of(attempt.observed))

    def _start_span(self, attempt: Attempt, observed: Observed, outer: Context) -> Context:
        """Starts the attempt's span and returns the context with it; `outer`, where the tracer fails."""
        try:
            span = observed.span = spans.start_attempt(self._tracer, attempt, outer)
            observed.ours = True
            return scope.with_span(span, outer, suppress_http=self._settings.suppress_http_instrumentation)
        except Exception as error:
            report("start_attempt", error)
            return outer

    def _within(self, call: Call, observed: Observed, current: Context) -> Context:
        """The context that an attempt of `call` starts in, with the call's span in it."""
        if call.over_for_sdk:
            # Sent while the app reads the body, by a middleware of the SDK: nothing of the call is current any more.
            return observed.context()
        if call.attempts == 1 and not observed.ours:
            self._meet_call_span(call, observed, current)
        return observed.context() if observed.ours else current

    def _meet_call_span(self, call: Call, observed: Observed, current: Context) -> None:
        """Takes the call span that somebody else has made by now as the call's; without one, makes ours after all."""
        found = trace.get_current_span(current)
        if call.invocation.traced_by_sdk and _same_span(found, trace.get_current_span(observed.parent)):
            # The SDK was expected to make it: its provider is another one, or cannot be loaded.
            self._start_call_span(call, observed, current)
        else:
            observed.span = found

    def attempt_sent(self, attempt: Attempt) -> None:
        if attempt.observed is not None:
            attempt.observed.detach()

    def limits_told(self, attempt: Attempt, headers: RawHeaders) -> None:
        if self._metrics is not None:
            self._metrics.limits_told(attempt, headers)

    def attempt_ended(self, attempt: Attempt) -> None:
        observed: Observed | None = attempt.observed
        if self._metrics is not None:
            self._metrics.attempt_ended(attempt, _span_of(observed))
        if observed is not None and observed.span is not None and observed.ours:
            try:
                spans.end_attempt(observed.span, attempt)
            except Exception as error:
                report("end_attempt", error)

    @guarded(None)
    def attempt_settled(self, attempt: Attempt, *, fatal: bool) -> None:
        if not self._settings.logs:
            return
        context = _context_of(attempt.observed)
        if context is None:
            logs.attempt_failed(attempt, fatal=fatal)
            return
        # So that a handler which exports to OpenTelemetry ties the record to the attempt's span.
        token = scope.enter(context)
        try:
            logs.attempt_failed(attempt, fatal=fatal)
        finally:
            scope.leave(token)


def _of_call(attempt: Attempt) -> Observed | None:
    return attempt.call.observed if attempt.call is not None else None


def _span_of(observed: Observed | None) -> Span | None:
    """The span that an exemplar points to: where there is none of the call or attempt, the app's that it is part of."""
    if observed is None or observed.span is not None:
        return observed.span if observed is not None else None
    try:
        return trace.get_current_span(observed.parent)
    except Exception as error:
        report("get_current_span", error)
        return None


def _context_of(observed: Observed | None) -> Context | None:
    try:
        return observed.context() if observed is not None else None
    except Exception as error:
        report("context", error)
        return None


def _same_span(one: Span, other: Span) -> bool:
    # Not by identity: a tracer that makes no spans puts the parent's context into an object of its own.
    return one is other or one.get_span_context() == other.get_span_context()


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

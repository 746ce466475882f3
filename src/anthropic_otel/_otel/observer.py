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
from opentelemetry.trace import Span, SpanContext, Tracer, TracerProvider

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

    `ours` is whether the span is to be ended here; that of a call may be the SDK's. `ids` are the span's, to which
    exemplars point: it is asked for them once. The context that has the span in it is made where it is needed and not
    kept: an open stream would hold two of them.
    """

    __slots__ = ("ids", "ours", "parent", "span", "token")

    def __init__(self, parent: Context, span: Span | None = None, ids: SpanContext | None = None) -> None:
        self.parent = parent
        self.span = span
        self.ids = ids
        self.ours = False
        self.token: Any = None

    def context(self) -> Context:
        """The context of what is told of this call or attempt."""
        return self.parent if self.span is None else scope.with_span(self.span, self.parent, suppress_http=False)


class OpenTelemetryObserver:
    """Makes spans, metrics and logs of what it is told. No method raises."""

    def __init__(self, settings: Settings) -> None:
        self._settings: Final = settings
        self._tracer: Final = _tracer(settings)
        self._metrics: Final = _metrics(settings) if settings.metrics else None
        self._goes_somewhere = False
        self._told = False

    # Guarded in place, here and below, and few functions, of which nothing is in the processor's caches any more when
    # the next call comes: 62 of the library's run in a create, and with 91 it took 3 to 10 µs more.

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
            observed.token = otel_context.attach(parent if observed.span is None else observed.context())
        except Exception as error:
            report("call_started", error)

    def _start_call_span(self, call: Call, observed: Observed, parent: Context) -> None:
        try:
            span = observed.span = spans.start_call(self._tracer, call, parent)
            observed.ours = True
            observed.ids = span.get_span_context()
        except Exception as error:
            report("start_call", error)

    def call_returned(self, call: Call) -> None:
        observed: Observed | None = call.observed
        # In this order: an interrupt in between makes for a second `leave`, and not for none.
        if observed is not None and observed.token is not None:
            scope.leave(observed.token)
            observed.token = None

    def call_ended(self, call: Call) -> None:
        observed: Observed | None = call.observed
        if self._metrics is not None:
            self._metrics.call_ended(call, _ids_of(observed))
        if observed is not None and observed.span is not None and observed.ours:
            try:
                spans.end_call(observed.span, call)
            except Exception as error:
                report("end_call", error)

    # -- attempts ------------------------------------------------------------------------------------------------------

    def attempt_started(self, attempt: Attempt) -> Mapping[str, str]:
        try:
            call, current = attempt.call, otel_context.get_current()
            of_call: Observed | None = call.observed if call is not None else None
            if call is None or of_call is None:
                outer, observed = current, Observed(current)
            else:
                outer = self._within(call, of_call, current)
                observed = Observed(of_call.parent, of_call.span, of_call.ids)
            attempt.observed = observed
            span = observed.span = spans.start_attempt(self._tracer, attempt, outer)
            observed.ours = True
            ids = observed.ids = span.get_span_context()
            if not ids.is_valid:
                return NO_HEADERS
            inner = scope.with_span(span, outer, suppress_http=self._settings.suppress_http_instrumentation)
            observed.token = otel_context.attach(inner)
            if call is not None and not call.invocation.propagates:
                # The SDK client lets no trace context out: the app's propagator is not even asked.
                return NO_HEADERS
            headers: dict[str, str] = {}
            propagate.inject(headers, inner)
            return headers
        except Exception as error:
            report("attempt_started", error)
            return NO_HEADERS
        finally:
            # Whatever has failed: what ends is counted, and so is what begins.
            if self._metrics is not None:
                self._metrics.attempt_started(attempt, _ids_of(attempt.observed))

    def _within(self, call: Call, observed: Observed, current: Context) -> Context:
        """The context that an attempt of `call` starts in, with the call's span in it."""
        if call.over_for_sdk:
            # Sent while the app reads the body, by a middleware of the SDK: nothing of the call is current any more.
            return observed.context()
        if call.attempts == 1 and not observed.ours:
            # By now somebody else has made the call's span. Not known by identity: a tracer that makes no spans puts
            # the parent's ids into an object of its own.
            found = trace.get_current_span(current)
            ids = found.get_span_context()
            if call.invocation.traced_by_sdk and ids == trace.get_current_span(observed.parent).get_span_context():
                # The SDK was expected to make it: its provider is another one, or cannot be loaded.
                self._start_call_span(call, observed, current)
            else:
                observed.span, observed.ids = found, ids
        return observed.context() if observed.ours else current

    def attempt_sent(self, attempt: Attempt) -> None:
        observed: Observed | None = attempt.observed
        if observed is not None and observed.token is not None:
            scope.leave(observed.token)
            observed.token = None

    def limits_told(self, attempt: Attempt, headers: RawHeaders) -> None:
        if self._metrics is not None:
            self._metrics.limits_told(attempt, headers)

    def attempt_ended(self, attempt: Attempt) -> None:
        observed: Observed | None = attempt.observed
        if self._metrics is not None:
            self._metrics.attempt_ended(attempt, _ids_of(observed))
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
        token = otel_context.attach(context)
        try:
            logs.attempt_failed(attempt, fatal=fatal)
        finally:
            scope.leave(token)


def _ids_of(observed: Observed | None) -> SpanContext | None:
    """The ids that an exemplar points to: without a span of the call or attempt, those of the app's around it."""
    if observed is None or observed.ids is not None:
        return observed.ids if observed is not None else None
    try:
        return trace.get_current_span(observed.parent).get_span_context()
    except Exception as error:
        report("ids", error)
        return None


def _context_of(observed: Observed | None) -> Context | None:
    try:
        return observed.context() if observed is not None else None
    except Exception as error:
        report("context", error)
        return None


@guarded(trace.NoOpTracer())
def _tracer(settings: Settings) -> Tracer:
    return trace.get_tracer(s.SCOPE, __version__, settings.tracer_provider)


@guarded(None)
def _metrics(settings: Settings) -> Metrics | None:
    return metrics_of(settings.meter_provider)

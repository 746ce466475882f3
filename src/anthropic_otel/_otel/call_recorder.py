"""Records one call by OpenTelemetry: finds or makes its span, the parent of its attempts' spans, and measures it.

A call that failed although no attempt failed with it is logged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanContext, Tracer

from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.call import Call
from anthropic_otel._core.guard import guarded, report
from anthropic_otel._core.invocation import Invocation
from anthropic_otel._core.recorder import AttemptRecorder, CallRecorder
from anthropic_otel._otel import context, logs, providers, spans
from anthropic_otel._otel.attempt_recorder import OtelAttemptRecorder
from anthropic_otel._otel.context import NOTHING, InTrace

if TYPE_CHECKING:
    from anthropic_otel._otel.recorder import OpenTelemetryRecorder


class OtelCallRecorder(InTrace, CallRecorder):
    """The `CallRecorder` of OpenTelemetry. When it is made, it starts our own span of the call and makes it current.

    It starts none if the SDK is to make one, another instrumentation has made one, or another library suppresses it.
    The span is current until `method_finished`, and ends at `end`. If the SDK was to make one and turns out to have a
    no-op provider, our own is started at the first attempt, and never made current.

    - `invocation`: that of the call.
    - `makes_spans`: whether spans may be made. `False` if another library suppresses them, or once it shows that the
      SDK's span was dropped by its sampler. See `dropped_span` too.
    - `counts_tokens`: whether the tokens of the attempts are counted: not if that is off, or if another instrumentation
      may count them.
    - `tracer`: the tracer for the spans of the call and its attempts.
    """

    __slots__ = (
        "_attached",
        "_call_span",
        "_looked",
        "_method_done",
        "_metrics",
        "_recorder",
        "_token",
        "_wall",
        "counts_tokens",
        "invocation",
        "makes_spans",
        "tracer",
    )

    def __init__(self, recorder: OpenTelemetryRecorder, call: Call) -> None:
        self._recorder: Final = recorder
        self.invocation: Final[Invocation] = call.invocation
        self._method_done = self._looked = False
        metrics = recorder.metrics
        self._metrics: Final = metrics if metrics is not None and (metrics.is_set or metrics.measures()) else None
        self._wall: Final = call.wall
        self.parent = NOTHING
        self.span = self.span_context = None
        self._call_span: Span | None = None
        """The call's span if we made it, and so must end it."""
        self._token: Any = None
        self._attached: Context | None = None
        self.makes_spans = True
        self.counts_tokens = recorder.counts_tokens
        self.tracer: Tracer = recorder.tracer
        # Guarded in place, here and below, as it runs at every call.
        try:
            if self.invocation.sdk_tracer_provider is not None:
                self.tracer = recorder.tracer_of(self.invocation.sdk_tracer_provider)
            self._enter(recorder, otel_context.get_current())
        except Exception as error:
            report("OtelCallRecorder._enter", error)

    def _enter(self, recorder: OpenTelemetryRecorder, parent: Context) -> None:
        self.parent = parent
        foreign = False
        # Nothing is suppressed in an empty context, and no span is in it.
        if parent:
            self.makes_spans = recorder.makes_spans(parent)
            foreign = spans.foreign_call_span(trace.get_current_span(parent))
            self.counts_tokens = self.counts_tokens and not foreign
        if self.makes_spans and not (self.invocation.sdk_makes_span or foreign):
            self._start_span(parent)
        # Attach even if unchanged: detaching this token also drops a context that an interrupted attempt left attached.
        # A new object, so that it can be recognized by identity. All threads share the empty context.
        self._attached = Context(parent) if self.span is None else context.with_span(self.span, parent)
        self._token = otel_context.attach(self._attached)

    @guarded(None)
    def _start_span(self, parent: Context) -> None:
        span = self._call_span = spans.start_call(self.tracer, self.invocation, self._wall, parent)
        self.span, self.span_context = span, span.get_span_context()

    def start_attempt(self, attempt: Attempt) -> AttemptRecorder:
        return OtelAttemptRecorder(self._recorder, attempt, self)

    def outer(self, attempt: Attempt) -> Context:
        """Returns the context whose span is the parent of the span of `attempt`, which is about to start.

        In three cases that is the call's own context, `context()`: after the method's end; if this library made the
        call's span; and where neither a span nor the context that the call attached is current, as in another thread.
        Otherwise it is the current context.

        Except in the first two cases, and while `makes_spans`, first looks for the call span that the SDK or another
        instrumentation has made, and sets `span` (`_find_span`). It looks in the current context only once.
        In another thread, where nothing of the call is current, it finds the SDK's span only by ids in the request's
        headers; then it looks again at the next attempt.
        """
        if self._method_done or self._call_span is not None:
            # Sent while the app reads the body, by a middleware of the SDK: nothing of the call is current any more.
            return self.context()
        current = otel_context.get_current()
        found = trace.get_current_span(current)
        ids = found.get_span_context()
        # A middleware may send in a thread of its own, where nothing of the call is current.
        elsewhere = current is not self._attached and not ids.is_valid
        if not self._looked and self.makes_spans:
            self._looked = not elsewhere
            if elsewhere:
                current = self.context()
                found = trace.get_current_span(current)
                ids = found.get_span_context()
            self._find_span(current, found, ids)
            if elsewhere and self.span is None and self.invocation.propagate_context:
                self.span = context.span_from(attempt.request.trace_context)
                self.span_context = self.span.get_span_context() if self.span is not None else None
        return self.context() if self._call_span is not None or elsewhere else current

    @property
    def dropped_span(self) -> Span | None:
        """The call's span if the app's sampler has dropped it, so that no attempt has a span of its own. Else `None`.

        If the same sampler were asked again for each attempt, one that does not decide by the trace id would keep more
        traces than without this library. `None` too for a span without valid ids, and if `instrument` was given another
        tracer provider than the span's: the sampler of that one decides on the attempts' spans.
        """
        span, ids = self.span, self.span_context
        # In this order, a span that records, as most do, needs only one call.
        if span is None or ids is None or span.is_recording() or ids.trace_flags.sampled or not ids.is_valid:
            return None
        own = self._recorder.settings.tracer_provider
        if own is None or self._call_span is not None:
            return span
        # If the call's span is of another provider, that has another sampler.
        return span if own is providers.tracer_provider_or_global(self.invocation.sdk_tracer_provider) else None

    def _find_span(self, current: Context, found: Span, ids: SpanContext) -> None:
        """Finds out whether `found`, the span in `current`, is the call span that the SDK or another library has made.

        `ids` are those of `found`. It is not that span if the SDK was expected to make one, and `found` is still the
        one from before the call, by its ids: a no-op tracer makes a new span object with the parent's ids.

        If it is, sets `span` and `span_context` to it. Tokens are no longer counted if it is of another instrumentation
        that may count them. Warns if the SDK's spans go to another provider than the one given to `instrument`.

        If it is not, and the SDK's provider is a no-op, starts our own span. Else, if `current` is the context that the
        call attached, the SDK's sampler has dropped its span, and `makes_spans` becomes `False`.
        """
        invocation = self.invocation
        if not invocation.sdk_makes_span or ids != trace.get_current_span(self.parent).get_span_context():
            self.span, self.span_context = found, ids
            self.counts_tokens = self.counts_tokens and not spans.foreign_call_span(found)
            if invocation.sdk_makes_span and self._recorder.settings.tracer_provider is not None:
                self._recorder.warn_of_two_providers(
                    providers.tracer_provider_or_global(invocation.sdk_tracer_provider)
                )
        elif providers.is_noop_tracer_provider(invocation.sdk_tracer_provider):
            self._start_span(current)
        elif current is self._attached:
            # The app's sampler has dropped it. A span of ours would ask the sampler again.
            self.makes_spans = False

    def method_finished(self, result: object, error: BaseException | None) -> None:
        self._method_done = True
        # In this order: after an interrupt in between it is detached twice, which is harmless, and not never.
        try:
            if self._token is not None:
                context.detach(self._token, self.parent)
                # So that an open stream keeps neither alive.
                self._token = self._attached = None
        except Exception as failure:
            report("OtelCallRecorder.method_finished", failure)

    def end(self, call: Call) -> None:
        try:
            try:
                if self._metrics is not None:
                    self._metrics.call_ended(call, self.exemplar())
            finally:
                if self._call_span is not None:
                    spans.end_call(self._call_span, call)
                own_failure = call.ending.own_failure
                if own_failure is not None and self._recorder.settings.logs:
                    # So that a handler which exports to OpenTelemetry ties the record to the call's span.
                    with self.made_current():
                        logs.call_failed(call, own_failure)
        except Exception as failure:
            report("OtelCallRecorder.end", failure)

"""Records one attempt by OpenTelemetry: its span, its metrics with its tokens, and its log record if it fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context

from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.guard import guarded, report
from anthropic_otel._core.headers import RawHeaders
from anthropic_otel._core.recorder import NO_HEADERS, AfterFailure, AttemptRecorder
from anthropic_otel._core.semconv import AttemptOutcome
from anthropic_otel._core.usage import Usage
from anthropic_otel._otel import context, logs, spans
from anthropic_otel._otel.context import NOTHING, InTrace, Suppression

if TYPE_CHECKING:
    from anthropic_otel._otel.call_recorder import OtelCallRecorder
    from anthropic_otel._otel.recorder import OpenTelemetryRecorder


class OtelAttemptRecorder(InTrace, AttemptRecorder):
    """The `AttemptRecorder` of OpenTelemetry. When it is made, it starts the attempt's span, and counts the attempt.

    `call` is the recorder of the attempt's call, `None` without a call.

    No span is started if `call.makes_spans` is `False`, or without a call if another library suppresses it now. If
    there is a `call.dropped_span`, that is used, and no other is started. Until `send_finished` the span is current, if
    its ids are valid. `headers` then has what the app's propagator makes of it, unless the SDK client's propagation is
    off.

    The attempt is counted here, and measured at its end, only if metrics are on and a meter provider is set by now.
    """

    __slots__ = (
        "_counts_tokens",
        "_entered",
        "_metrics",
        "_model",
        "_owns_span",
        "_recorder",
        "headers",
    )

    def __init__(self, recorder: OpenTelemetryRecorder, attempt: Attempt, call: OtelCallRecorder | None = None) -> None:
        self._recorder: Final = recorder
        self._counts_tokens = recorder.counts_tokens
        self._model: Final = attempt.model
        self.parent = call.parent if call is not None else NOTHING
        self.span = self.span_context = None
        self._owns_span = False
        self._entered: tuple[Any, Context, Suppression | None] | None = None
        """The token of the context with the span, the context to go back to, and the suppression or `None`.

        `None` without such a context, and once the send has finished.
        """
        self.headers: Mapping[str, str] = NO_HEADERS
        metrics = recorder.metrics
        self._metrics: Final = metrics if metrics is not None and (metrics.is_set or metrics.measures()) else None
        # Guarded in place, here and below, as it runs at every attempt.
        try:
            self._enter(attempt, call)
        except Exception as error:
            report("OtelAttemptRecorder._enter", error)
        # Also if the above has failed: every attempt is counted at its end, so it must be counted at its start.
        try:
            if self._metrics is not None:
                self._metrics.attempt_started(attempt, self.exemplar)
        except Exception as error:
            report("Metrics.attempt_started", error)

    def _enter(self, attempt: Attempt, call: OtelCallRecorder | None) -> None:
        if call is not None:
            outer, makes_spans, tracer = call.outer(attempt), call.makes_spans, call.tracer
            self.span, self.span_context = call.span, call.span_context
            self._counts_tokens = call.counts_tokens
        else:
            self.parent = outer = self._around(attempt)
            makes_spans, tracer = self._recorder.makes_spans(outer), self._recorder.tracer
            self._counts_tokens = self._counts_tokens and not spans.foreign_call_span(trace.get_current_span(outer))
        if not makes_spans:
            return
        span = call.dropped_span if call is not None else None
        if span is None:
            self.span = span = spans.start_attempt(tracer, attempt, outer)
            self._owns_span = True
        self.span_context = span_context = span.get_span_context()
        if not span_context.is_valid:
            return
        suppression = Suppression() if self._recorder.settings.suppress_http_instrumentation else None
        inner = context.with_span(span, outer, suppression)
        # Often another than `outer`, as in another thread or after the end of the call's method.
        before = otel_context.get_current()
        self._entered = otel_context.attach(inner), before, suppression
        # With propagation off on the SDK client, the app's propagator is not called.
        if call is None or call.invocation.propagate_context:
            headers: dict[str, str] = {}
            if context.propagate is not None:
                context.propagate.inject(headers, inner)
            self.headers = headers

    def _around(self, attempt: Attempt) -> Context:
        """Returns the context around an attempt without a call: the current one.

        If no span is current in it, but the SDK has put the ids of its span on the request, it is a copy of the current
        one with that span.
        """
        current = otel_context.get_current()
        if attempt.request.trace_context and not trace.get_current_span(current).get_span_context().is_valid:
            span = context.span_from(attempt.request.trace_context)
            return context.with_span(span, current) if span is not None else current
        return current

    def send_finished(self, response_headers: RawHeaders | None) -> None:
        self.headers = NO_HEADERS
        try:
            if self._entered is not None:
                token, before, suppression = self._entered
                if suppression is not None:
                    suppression.end()
                context.detach(token, before)
                # So that an open stream keeps none of them alive.
                self._entered = None
            metrics = self._recorder.metrics
            if metrics is not None and response_headers is not None:
                metrics.response_received(self._model, response_headers)
        except Exception as error:
            report("OtelAttemptRecorder.send_finished", error)

    def end(self, attempt: Attempt) -> None:
        completed = attempt.ending.outcome is AttemptOutcome.COMPLETED
        try:
            try:
                if self._metrics is not None:
                    self._metrics.attempt_ended(attempt, self.exemplar())
            finally:
                if self._owns_span and self.span is not None:
                    spans.end_attempt(self.span, attempt)
                if completed:
                    # A reply that the app may still parse keeps the attempt alive, but nothing of the app's.
                    self.parent, self.span = NOTHING, None
            if attempt.is_message and not completed:
                # By the conventions an operation without usage counts as 0. So its counters exist.
                self.used(attempt, Usage())
        except Exception as error:
            report("OtelAttemptRecorder.end", error)

    def used(self, attempt: Attempt, usage: Usage) -> None:
        metrics = self._recorder.metrics
        if self._counts_tokens and metrics is not None and (metrics.is_set or metrics.measures()):
            metrics.tokens.add(attempt, usage)

    @guarded(None)
    def failure_decided(self, attempt: Attempt, after: AfterFailure, waited: int | None) -> None:
        if self._recorder.settings.logs:
            # So that a handler which exports to OpenTelemetry ties the record to the attempt's span.
            with self.made_current():
                logs.attempt_failed(attempt, after, waited)

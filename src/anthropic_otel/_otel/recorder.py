"""The OpenTelemetry side of the seam: calls and attempts become spans, metrics and logs.

Rule: every method of the seam is guarded, and within it what makes spans apart from what measures: a tracer that fails
costs the spans and not the metrics. What is current is attached in the app's own context, and detached there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, Tracer, TracerProvider

from anthropic_otel._core import semconv
from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.call import Call, Invocation
from anthropic_otel._core.guard import guarded, log
from anthropic_otel._core.headers import RawHeaders
from anthropic_otel._core.recorder import (
    NO_ATTEMPT_RECORDER,
    NO_CALL_RECORDER,
    NO_HEADERS,
    AfterFailure,
    AttemptRecorder,
    CallRecorder,
)
from anthropic_otel._core.semconv import AttemptOutcome
from anthropic_otel._core.usage import Sink, Usage
from anthropic_otel._otel import context, logs, providers, spans
from anthropic_otel._otel.context import NOTHING, InTrace
from anthropic_otel._otel.metrics import Metrics, metrics_of
from anthropic_otel._version import __version__


@dataclass(frozen=True)
class Settings:
    """What is recorded, and where it goes. `None` is the process's global provider."""

    tracer_provider: TracerProvider | None = None
    meter_provider: MeterProvider | None = None
    metrics: bool = True
    logs: bool = True
    usage: bool = True
    suppress_http_instrumentation: bool = True


class OpenTelemetryRecorder:
    """Records calls and attempts by OpenTelemetry. No method raises."""

    def __init__(self, settings: Settings) -> None:
        self.settings: Final = settings
        self.tracer: Final = _tracer(settings)
        self.metrics: Final = _metrics(settings) if settings.metrics else None
        self.counts_tokens: Final = settings.usage and self.metrics is not None
        self._followed: tuple[Callable[[], object], Tracer] = (lambda: None, self.tracer)
        """The provider of an SDK client that was met last, and its tracer."""
        self._has_provider = False
        self._warned = False
        self._warned_of_suppression = False
        self._warned_of_providers = False

    def enabled(self, sdk_tracer_provider: object = None) -> bool:
        return self._has_provider or self._reaches_somebody(sdk_tracer_provider)

    @guarded(False)
    def _reaches_somebody(self, sdk_tracer_provider: object) -> bool:
        """Whether anybody can see what is recorded. Looked up at each call, as an app may set its providers later."""
        if self.follows(sdk_tracer_provider):
            return True
        if not providers.is_noop(self.settings.tracer_provider, self.settings.meter_provider):
            self._has_provider = True
            return True
        if not self._warned:
            self._warned = True
            providers.warn_no_provider()
        return self.settings.logs and logs.has_handler()

    @guarded(NO_CALL_RECORDER)
    def start_call(self, call: Call) -> CallRecorder:
        return _CallRecorder(self, call)

    @guarded(NO_ATTEMPT_RECORDER)
    def start_attempt(self, attempt: Attempt) -> AttemptRecorder:
        return _AttemptRecorder(self, attempt)

    def follows(self, sdk_tracer_provider: object) -> bool:
        """Whether the attempts of a call go to the provider that a client of the SDK has for its own span.

        They are its children. Only a provider that was named to us comes first.
        """
        if sdk_tracer_provider is None or self.settings.tracer_provider is not None:
            return False
        return not providers.is_noop_tracer_provider(sdk_tracer_provider)

    def tracer_of(self, sdk_tracer_provider: Any) -> Tracer:
        """What makes the spans of a call, whose own one goes to `sdk_tracer_provider` if the SDK makes it."""
        if not self.follows(sdk_tracer_provider):
            return self.tracer
        provider, tracer = self._followed
        if provider() is not sdk_tracer_provider:
            # To make one takes as long as a span.
            tracer = trace.get_tracer(semconv.SCOPE, __version__, sdk_tracer_provider)
            self._followed = providers.reference_to(sdk_tracer_provider), tracer
        return tracer

    def makes_spans(self, current: Context) -> bool:
        """Whether a span may be made here, or somebody upstream suppresses that: of everything, or of HTTP clients."""
        if not context.suppressed(current):
            return True
        if not self._warned_of_suppression:
            self._warned_of_suppression = True
            log.warning(
                "Another library suppresses instrumentation around calls of the Messages API: they have metrics and "
                "logs, but no spans. Let anthropic_otel alone instrument the Anthropic SDK to have spans"
            )
        return False

    def warn_of_two_providers(self, sdk_provider: object) -> None:
        """Says once that the SDK's call spans go to another provider than the attempts, if they do."""
        own = self.settings.tracer_provider
        if own is None or self._warned_of_providers or sdk_provider is own:
            return
        self._warned_of_providers = True
        log.warning(
            "The Anthropic SDK sends its call spans to another tracer provider than anthropic_otel its attempts. "
            "Pass the same tracer_provider to both, or to none"
        )


class _CallRecorder(InTrace):
    """Records one call: its span, if nobody else makes one, and its metrics."""

    __slots__ = (
        "_attached",
        "_attempted",
        "_call_span",
        "_method_done",
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
        self._method_done = self._attempted = False
        self._wall: Final = call.wall
        self.parent = NOTHING
        self.span = self.span_context = None
        self._call_span: Span | None = None
        """The call's span, if it is ours to end."""
        self._token: Any = None
        self._attached: Context | None = None
        self.makes_spans = True
        self.counts_tokens = recorder.counts_tokens
        self.tracer: Tracer = recorder.tracer
        """What makes the spans of the call and its attempts."""
        self._enter()

    @guarded(None)
    def _enter(self) -> None:
        if self.invocation.sdk_tracer_provider is not None:
            self.tracer = self._recorder.tracer_of(self.invocation.sdk_tracer_provider)
        self.parent = parent = otel_context.get_current()
        self.makes_spans = self._recorder.makes_spans(parent)
        around = trace.get_current_span(parent)
        self.counts_tokens = self.counts_tokens and not spans.counts_tokens(around)
        if self.makes_spans and not (self.invocation.sdk_makes_span or spans.foreign_call_span(around)):
            self._start_span(parent)
        # Attach even if unchanged: detaching this token also drops a context that an interrupted attempt left attached.
        # An object of its own, by which the call's context is known again: threads share the empty one.
        self._attached = Context(self.context())
        self._token = otel_context.attach(self._attached)

    @guarded(None)
    def _start_span(self, parent: Context) -> None:
        span = self._call_span = spans.start_call(self.tracer, self.invocation, self._wall, parent)
        self.span, self.span_context = span, span.get_span_context()

    @guarded(NO_ATTEMPT_RECORDER)
    def start_attempt(self, attempt: Attempt) -> AttemptRecorder:
        return _AttemptRecorder(self._recorder, attempt, self)

    def outer(self) -> Context:
        """The context that an attempt of this call starts in, with the call's span in it."""
        if self._method_done:
            # Sent while the app reads the body, by a middleware of the SDK: nothing of the call is current any more.
            return self.context()
        current = otel_context.get_current()
        if not self._attempted and self._call_span is None and self.makes_spans:
            self._find_span(current)
        self._attempted = True
        # Else, in a thread of a middleware's own, nothing of the call is current.
        elsewhere = self.span is None and current is not self._attached
        return self.context() if self._call_span is not None or elsewhere else current

    @property
    def dropped_span(self) -> Span | None:
        """The call's span if the app's sampler has dropped it. Its attempts are not drawn anew: a sampler that does not
        go by the trace id would keep more traces than without us.
        """
        span, ids = self.span, self.span_context
        # In this order: a span that records, as most do, is asked one thing.
        if span is None or ids is None or span.is_recording() or ids.trace_flags.sampled or not ids.is_valid:
            return None
        own = self._recorder.settings.tracer_provider
        if own is None or self._call_span is not None:
            return span
        # Another provider has another sampler.
        return span if own is (self.invocation.sdk_tracer_provider or trace.get_tracer_provider()) else None

    def _find_span(self, current: Context) -> None:
        """By now somebody else has made the call's span, if there is to be one.

        It is not known by identity: a tracer that makes no spans puts the parent's ids into an object of its own.
        """
        found = trace.get_current_span(current)
        span_context = found.get_span_context()
        invocation = self.invocation
        around = trace.get_current_span(self.parent).get_span_context()
        if not invocation.sdk_makes_span or span_context != around:
            self.span, self.span_context = found, span_context
            self.counts_tokens = self.counts_tokens and not spans.counts_tokens(found)
            if invocation.sdk_makes_span and self._recorder.settings.tracer_provider is not None:
                self._recorder.warn_of_two_providers(invocation.sdk_tracer_provider or trace.get_tracer_provider())
        elif providers.is_noop_tracer_provider(invocation.sdk_tracer_provider):
            # The SDK was expected to make it, but has nothing to make it by.
            self._start_span(current)
        elif current is self._attached:
            # The app's sampler has dropped it, and no propagator asks for its ids. Spans of ours would be drawn anew.
            self.makes_spans = False

    @guarded(None)
    def method_finished(self, result: object, error: BaseException | None) -> None:
        self._method_done = True
        # In this order: an interrupt in between makes for a second detach, and not for none.
        if self._token is not None:
            context.detach(self._token, self.parent)
            self._token = None

    @guarded(None)
    def end(self, call: Call) -> None:
        try:
            if self._recorder.metrics is not None:
                self._recorder.metrics.call_ended(call, self.exemplar())
        finally:
            if self._call_span is not None:
                spans.end_call(self._call_span, call)


class _AttemptRecorder(InTrace):
    """Records one attempt: its span, its metrics, and its log record if it fails."""

    __slots__ = ("_counts_tokens", "_model", "_outer", "_owns_span", "_recorder", "_token", "headers")

    def __init__(self, recorder: OpenTelemetryRecorder, attempt: Attempt, call: _CallRecorder | None = None) -> None:
        self._recorder: Final = recorder
        self._counts_tokens = recorder.counts_tokens
        self._model: Final = attempt.model
        self.parent = call.parent if call is not None else NOTHING
        self.span = self.span_context = None
        self._owns_span = False
        self._token: Any = None
        self.headers: Mapping[str, str] = NO_HEADERS
        self._outer: Context | None = None
        self._enter(attempt, call)
        # Whatever has failed: what ends is counted, and so is what begins.
        if recorder.metrics is not None:
            recorder.metrics.attempt_started(attempt, self.exemplar)

    @guarded(None)
    def _enter(self, attempt: Attempt, call: _CallRecorder | None) -> None:
        if call is not None:
            outer, makes_spans, tracer = call.outer(), call.makes_spans, call.tracer
            self.span, self.span_context = call.span, call.span_context
            self._counts_tokens = call.counts_tokens
        else:
            self.parent = outer = otel_context.get_current()
            makes_spans, tracer = self._recorder.makes_spans(outer), self._recorder.tracer
            self._counts_tokens = self._counts_tokens and not spans.counts_tokens(trace.get_current_span(outer))
        if not makes_spans:
            return
        span = call.dropped_span if call is not None else None
        if span is None:
            self.span = span = spans.start_attempt(tracer, attempt, outer)
            self._owns_span = True
        self.span_context = span_context = span.get_span_context()
        if not span_context.is_valid:
            return
        suppress_http = self._recorder.settings.suppress_http_instrumentation
        inner = context.with_span(span, outer, suppress_http=suppress_http)
        self._outer, self._token = outer, otel_context.attach(inner)
        # Else the SDK client lets no trace context out: the app's propagator is not even asked.
        if call is None or call.invocation.propagate_context:
            headers: dict[str, str] = {}
            propagate.inject(headers, inner)
            self.headers = headers

    @guarded(None)
    def send_finished(self, response_headers: RawHeaders | None) -> None:
        self.headers = NO_HEADERS
        if self._token is not None:
            context.detach(self._token, self._outer or Context())
            # An open stream keeps neither.
            self._outer = self._token = None
        metrics = self._recorder.metrics
        if metrics is not None and response_headers is not None:
            metrics.response_received(self._model, response_headers)

    @guarded(None)
    def end(self, attempt: Attempt) -> None:
        try:
            if self._recorder.metrics is not None:
                self._recorder.metrics.attempt_ended(attempt, self.exemplar())
        finally:
            if self._owns_span and self.span is not None:
                spans.end_attempt(self.span, attempt)
        if attempt.is_message and attempt.outcome is not AttemptOutcome.COMPLETED:
            # An operation without usage counts as 0, as the conventions have it: so its counters exist.
            sink = self.usage_sink(attempt)
            if sink is not None:
                sink(Usage())

    def usage_sink(self, attempt: Attempt) -> Sink | None:
        metrics = self._recorder.metrics
        return metrics.usage_sink(attempt) if self._counts_tokens and metrics is not None else None

    @guarded(None)
    def failure_decided(self, attempt: Attempt, after: AfterFailure, waited: int | None) -> None:
        if not self._recorder.settings.logs:
            return
        # So that a handler which exports to OpenTelemetry ties the record to the attempt's span.
        before = context.current()
        token = self._attached()
        try:
            logs.attempt_failed(attempt, after, waited)
        finally:
            if token is not None:
                context.detach(token, before)

    @guarded(None)
    def _attached(self) -> Any:
        return otel_context.attach(self.context())


@guarded(trace.NoOpTracer())
def _tracer(settings: Settings) -> Tracer:
    return trace.get_tracer(semconv.SCOPE, __version__, settings.tracer_provider)


@guarded(None)
def _metrics(settings: Settings) -> Metrics | None:
    return metrics_of(settings.meter_provider)

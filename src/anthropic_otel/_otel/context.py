"""What is current while the library's spans are: attached once, detached once, never in another context.

Rule: OpenTelemetry's `attach` and our `detach` are called in pairs in the same function of the app's path. Where a
coroutine is closed in another context than it ran in, `detach` does nothing: nothing of ours is attached there.
"""

from __future__ import annotations

from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext

from anthropic_otel._core.guard import guarded

_SUPPRESS_HTTP: Final = getattr(otel_context, "_SUPPRESS_HTTP_INSTRUMENTATION_KEY", "suppress_http_instrumentation")
_SUPPRESS_ALL: Final = (
    getattr(otel_context, "_SUPPRESS_INSTRUMENTATION_KEY", "suppress_instrumentation"),
    "suppress_instrumentation",
)

(_SPAN,) = trace.set_span_in_context(trace.INVALID_SPAN, Context())
"""The key of the current span."""

SUPPRESSED_BY_US: Final = "anthropic_otel"
"""The value under which we suppress the instrumentation of the HTTP client, to know our own suppression again."""


@guarded(Context())
def current() -> Context:
    """The current context, an empty one where OpenTelemetry cannot tell."""
    return otel_context.get_current()


def suppressed(current: Context) -> bool:
    """Whether somebody upstream asks for no instrumentation, of everything or of HTTP clients."""
    if not current:
        return False
    value = current.get(_SUPPRESS_HTTP)
    if value and value is not SUPPRESSED_BY_US:
        return True
    return any(map(current.get, _SUPPRESS_ALL))


def with_span(span: Span, parent: Context, *, suppress_http: bool) -> Context:
    """`parent` with `span` as its current one."""
    # OpenTelemetry's own functions make four more calls and two more copies.
    if suppress_http:
        return Context({**parent, _SPAN: span, _SUPPRESS_HTTP: SUPPRESSED_BY_US})
    return Context({**parent, _SPAN: span})


def detach(token: Any, before: Context) -> None:
    """Makes `before` current again, the context that was current when `attach` returned `token`.

    `opentelemetry.context.detach` is not used for a token of its own contextvars: it logs an error, with a traceback,
    for a token of another context, which is no error of the app's. Where the context is kept by something else, as by
    ddtrace, `detach` may do nothing: then what was there is attached again.
    """
    try:
        reset = token.var.reset
    except AttributeError:
        otel_context.detach(token)
        if otel_context.get_current() is not before:
            otel_context.attach(before)
        return
    try:
        reset(token)
    except (ValueError, RuntimeError):
        return


NOTHING: Final = Context()
NO_EXEMPLAR: Final = Context({"anthropic_otel": True})
"""A context without a span. It is not empty, as OpenTelemetry takes the current context in place of an empty one."""


class InTrace:
    """A call or an attempt in its trace: the app's context that it began in, and its span, if it has one.

    The context that has the span in it is made where it is needed and not kept: an open stream would hold two of them.
    """

    __slots__ = ("parent", "span", "span_context")

    parent: Context
    span: Span | None
    span_context: SpanContext | None

    def context(self) -> Context:
        """The app's context with the span of this call or attempt in it."""
        return self.parent if self.span is None else with_span(self.span, self.parent, suppress_http=False)

    @guarded(NO_EXEMPLAR)
    def exemplar(self) -> Context:
        """A context with nothing but the span that an exemplar points to: its own, else the app's around it."""
        ids = self.span_context
        if ids is None:
            ids = trace.get_current_span(self.parent).get_span_context()
        if not ids.trace_flags.sampled:
            return NO_EXEMPLAR
        return with_span(NonRecordingSpan(ids), NO_EXEMPLAR, suppress_http=False)

"""Makes the contexts in which the library's spans are current, detaches them, and finds what a context has.

Rule: what is attached when a method of the SDK or a send begins is detached when that ends, in the same execution
context. Where a coroutine is closed in another context than it ran in, `detach` does nothing: nothing of ours is
attached there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from anthropic_otel._core.guard import guarded, log, report

propagate: ModuleType | None
"""OpenTelemetry's module with `inject`; `None` if it cannot be imported, and so no request carries trace context."""
try:
    from opentelemetry import propagate
except Exception as error:
    # Its import loads the propagators that the environment names, and raises for one that is not installed.
    log.warning("OTEL_PROPAGATORS cannot be used, so requests carry no trace context of their attempts: %s", error)
    propagate = None

_SUPPRESS_HTTP: Final = getattr(otel_context, "_SUPPRESS_HTTP_INSTRUMENTATION_KEY", "suppress_http_instrumentation")
_SUPPRESS_ALL_BY_NAME: Final = "suppress_instrumentation"
_SUPPRESS_ALL: Final = getattr(otel_context, "_SUPPRESS_INSTRUMENTATION_KEY", _SUPPRESS_ALL_BY_NAME)


class Suppression:
    """The context value by which we suppress instrumentation of the HTTP client for one send. It is true until `end`.

    A task that the app starts within the send keeps the value in its context for its whole life. Other
    instrumentations only look whether it is true, so they see the requests that the task makes after the send.
    """

    over = False

    def __bool__(self) -> bool:
        return not self.over

    def end(self) -> None:
        """Ends the suppression wherever the context with it is still current. Has no effect a second time."""
        self.over = True


def suppressed(current: Context) -> bool:
    """Returns whether another library suppresses instrumentation in this context, of everything or of HTTP clients.

    Our own suppression does not count.
    """
    if not current:
        return False
    value = current.get(_SUPPRESS_HTTP)
    if value and not isinstance(value, Suppression):
        return True
    return bool(current.get(_SUPPRESS_ALL) or current.get(_SUPPRESS_ALL_BY_NAME))


def with_span(span: Span, parent: Context, suppression: Suppression | None = None) -> Context:
    """Returns a copy of `parent` in which `span` is current. `suppression`, if given, suppresses HTTP spans there."""
    made = trace.set_span_in_context(span, parent)
    return made if suppression is None else otel_context.set_value(_SUPPRESS_HTTP, suppression, made)


def detach(token: Any, before: Context) -> None:
    """Undoes the `attach` that returned `token`: the context from before that is current again.

    With a token of `contextvars`, as OpenTelemetry's own runtime has them, does nothing and logs nothing if the token
    is of another execution context or was used already, where OpenTelemetry's `detach` would log an error. With any
    other token, calls OpenTelemetry's `detach`, and then attaches `before` if it is not current, as ddtrace's `detach`
    does nothing.
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


def span_from(trace_context: Mapping[str, str] | None) -> Span | None:
    """Returns a non-recording span with the ids in W3C trace context headers, not marked as remote.

    `None` without valid ids.
    """
    ids = trace.get_current_span(_W3C.extract(trace_context, Context())).get_span_context() if trace_context else None
    if ids is None or not ids.is_valid:
        return None
    return NonRecordingSpan(SpanContext(ids.trace_id, ids.span_id, False, ids.trace_flags, ids.trace_state))


_W3C: Final = TraceContextTextMapPropagator()

NOTHING: Final = Context()
NO_EXEMPLAR: Final = Context({"anthropic_otel": True})
"""A context without a span. It is not empty, as OpenTelemetry takes the current context in place of an empty one."""


class InTrace:
    """The base of the recorders of a call and an attempt: its place in the trace.

    - `parent`: the app's context in which it began; for an attempt of a call, that in which the call began. An attempt
      without a call may have a copy of it with the SDK's span. Empty once an attempt has completed.
    - `span`: its span, which of a call may be the SDK's or another instrumentation's; for an attempt without one, that
      of its call. `None` if there is neither, and once an attempt has completed.
    - `span_context`: the ids of `span`, kept also once that is `None`; `None` if there was none.

    The context with the span is made when it is needed and not kept: an open stream would hold two of them.
    """

    __slots__ = ("parent", "span", "span_context")

    parent: Context
    span: Span | None
    span_context: SpanContext | None

    def context(self) -> Context:
        """Returns a copy of `parent` in which `span` is current; `parent` itself if `span` is `None`."""
        return self.parent if self.span is None else with_span(self.span, self.parent)

    @contextmanager
    def made_current(self) -> Iterator[None]:
        """Returns a context manager in which `context()` is the current context, unless OpenTelemetry raises."""
        token, before = self._attach() or (None, NOTHING)
        try:
            yield
        finally:
            if token is not None:
                detach(token, before)

    @guarded(None)
    def _attach(self) -> tuple[Any, Context]:
        before = otel_context.get_current()
        return otel_context.attach(self.context()), before

    def exemplar(self) -> Context:
        """Returns a context for a measurement's exemplar, with nothing but a span.

        The span is `span`; once that is `None`, one with the ids in `span_context`; without these, the app's in
        `parent`. Returns `NO_EXEMPLAR` if the span is not sampled, or on a failure. Never raises.
        """
        # Guarded in place, which takes 1,300 instructions less, twice a create.
        try:
            ids, span = self.span_context, self.span
            if ids is None:
                span = trace.get_current_span(self.parent)
                ids = span.get_span_context()
            sampled = ids.trace_flags & TraceFlags.SAMPLED
            return with_span(span if span is not None else NonRecordingSpan(ids), NOTHING) if sampled else NO_EXEMPLAR
        except Exception as error:
            report("InTrace.exemplar", error)
            return NO_EXEMPLAR

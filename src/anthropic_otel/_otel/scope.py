"""What is current while the library's spans are: attached once, taken off once, never in another context.

The rule: OpenTelemetry's `attach` and our `leave` are called in pairs by the same function of the app's path. Where a
coroutine is closed in another context than it ran in, `leave` does nothing: there is nothing of ours attached there.
"""

from __future__ import annotations

from typing import Any, Final

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span

_SUPPRESS_HTTP: Final = getattr(context, "_SUPPRESS_HTTP_INSTRUMENTATION_KEY", "suppress_http_instrumentation")
_SUPPRESS_ALL: Final = (
    getattr(context, "_SUPPRESS_INSTRUMENTATION_KEY", "suppress_instrumentation"),
    "suppress_instrumentation",
)

OURS: Final = "anthropic_otel"
"""The value under which we suppress the instrumentation of the HTTP client, to know our own suppression again."""


def suppressed() -> bool:
    """Whether somebody upstream asks for no instrumentation, of everything or of HTTP clients."""
    current = context.get_current()
    if not current:
        return False
    value = current.get(_SUPPRESS_HTTP)
    if value and value is not OURS:
        return True
    return any(map(current.get, _SUPPRESS_ALL))


def with_span(span: Span, parent: Context, *, suppress_http: bool) -> Context:
    """`parent` with `span` as its current one."""
    inner = trace.set_span_in_context(span, parent)
    return context.set_value(_SUPPRESS_HTTP, OURS, inner) if suppress_http else inner


def leave(token: Any) -> None:
    """Restores what was current before `opentelemetry.context.attach` returned `token`.

    `opentelemetry.context.detach` is not used for a token of its own contextvars: it logs an error, with a traceback,
    for a token of another context, which is no error of the app's.
    """
    try:
        reset = token.var.reset
    except AttributeError:
        context.detach(token)
        return
    try:
        reset(token)
    except (ValueError, RuntimeError):
        return

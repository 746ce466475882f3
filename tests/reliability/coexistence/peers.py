"""The other instrumentations: what to install, how to start one and how to stop it.

Rule: each is started as its own documentation says, with its defaults, and nothing here knows ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

BOTH: Final = ("before", "after")
Stop = Callable[[], None]


@dataclass(frozen=True)
class Peer:
    """`start` returns what stops it again. `makes_calls` says in which orders ours finds its span of a call.

    Where it is not, as with Traceloop, nobody can know of it: a call has another span, ours or the SDK's.
    `overwrites` says in which orders it is below ours and writes a `traceparent` of its own over the attempt's.
    """

    requirements: tuple[str, ...]
    start: Callable[[Any], Stop]
    makes_calls: tuple[str, ...] = ()
    overwrites: tuple[str, ...] = ()
    can_stop: bool = True


def _otel(module: str, name: str) -> Callable[[Any], Stop]:
    def start(processor: Any) -> Stop:
        import importlib

        instrumentor = getattr(importlib.import_module(module), name)()
        instrumentor.instrument()
        stop: Stop = instrumentor.uninstrument
        return stop

    return start


def _logfire(processor: Any) -> Stop:
    from contextlib import ExitStack

    import logfire

    logfire.configure(send_to_logfire=False, console=False, additional_span_processors=[processor])
    stack = ExitStack()
    # By default it suppresses every other instrumentation within a call, ours too.
    stack.enter_context(logfire.instrument_anthropic(suppress_other_instrumentation=False))
    logfire.instrument_httpx()

    def stop() -> None:
        stack.close()
        _stop_httpx()

    return stop


def _stop_httpx() -> None:
    import opentelemetry.instrumentation.httpx as instrumentation

    for name in ("HTTPXClientInstrumentor", "HTTPX2ClientInstrumentor"):
        instrumentor = getattr(instrumentation, name, None)
        if instrumentor is not None and instrumentor().is_instrumented_by_opentelemetry:
            instrumentor().uninstrument()


def _sentry(processor: Any) -> Stop:
    import sentry_sdk
    from sentry_sdk.transport import Transport

    class Nowhere(Transport):  # type: ignore[misc]
        def capture_envelope(self, envelope: Any) -> None:
            return

    sentry_sdk.init(dsn="http://key@127.0.0.1:9/1", traces_sample_rate=1.0, transport=Nowhere)
    return lambda: None


def _ddtrace(processor: Any) -> Stop:
    import ddtrace
    from ddtrace.contrib.internal.anthropic.patch import unpatch as unpatch_anthropic
    from ddtrace.contrib.internal.httpx.patch import unpatch as unpatch_httpx
    from ddtrace.contrib.internal.httpx2.patch import unpatch as unpatch_httpx2

    # No agent is here to send to.
    ddtrace.tracer.enabled = False
    ddtrace.patch(anthropic=True, httpx=True, httpx2=True)

    def stop() -> None:
        for unpatch in (unpatch_httpx2, unpatch_httpx, unpatch_anthropic):
            unpatch()

    return stop


HTTPX: Final = "opentelemetry.instrumentation.httpx"
PEERS: Final = {
    "httpx": Peer(("opentelemetry-instrumentation-httpx",), _otel(HTTPX, "HTTPXClientInstrumentor")),
    "httpx2": Peer(("opentelemetry-instrumentation-httpx",), _otel(HTTPX, "HTTPX2ClientInstrumentor")),
    "genai-anthropic": Peer(
        ("opentelemetry-instrumentation-genai-anthropic",),
        _otel("opentelemetry.instrumentation.genai.anthropic", "AnthropicInstrumentor"),
        makes_calls=BOTH,
    ),
    "traceloop": Peer(
        ("opentelemetry-instrumentation-anthropic",),
        _otel("opentelemetry.instrumentation.anthropic", "AnthropicInstrumentor"),
    ),
    "openinference": Peer(
        ("openinference-instrumentation-anthropic",),
        _otel("openinference.instrumentation.anthropic", "AnthropicInstrumentor"),
        makes_calls=BOTH,
    ),
    # Started before, it is below ours; and it leaves a `request` behind on the client classes.
    "logfire": Peer(("logfire[httpx]",), _logfire, makes_calls=("after",), can_stop=False),
    # It takes off whatever is on top, which is ours if ours was started later.
    "ddtrace": Peer(("ddtrace", "httpx"), _ddtrace, overwrites=("before",), can_stop=False),
    "sentry": Peer(("sentry-sdk",), _sentry, can_stop=False),
}
"""By the name that documents use."""

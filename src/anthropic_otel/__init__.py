"""Makes every HTTP attempt of the Anthropic SDK visible as OpenTelemetry spans, metrics and logs.

    import anthropic_otel
    anthropic_otel.instrument()

The SDK shows an app one answer or one error per call. Behind it may be several HTTP attempts: one turned away with 529,
one that died in a TLS handshake, one that answered. After `instrument()` each of them is a span, with status, request
id, retry count and the network cause, and is counted in metrics. Nothing of prompts, replies or keys is recorded.

Importing this package imports neither the SDK nor OpenTelemetry. The functions here raise for wrong arguments, and for
an export that cannot be set up. Nothing raises an error of its own into a call.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from anthropic_otel._adapters.event_hooks import Hooks
from anthropic_otel._core.guard import log
from anthropic_otel._core.runtime import Runtime
from anthropic_otel._core.settings import Settings
from anthropic_otel._instrument import INSTRUMENTATION
from anthropic_otel._version import __version__

if TYPE_CHECKING:
    # Imported at run time only once something is instrumented: OpenTelemetry reads variables when it is imported.
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

__all__ = ["__version__", "event_hooks", "instrument", "instrument_http_client", "uninstrument"]


def instrument(
    client: Any = None,
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    export: str | None = None,
    metrics: bool = True,
    logs: bool = True,
    usage: bool = True,
    phases: bool = True,
    suppress_http_instrumentation: bool = True,
    sdk_only: bool = False,
) -> None:
    """Records the calls and attempts of the Anthropic SDK as telemetry: of the whole process, or of one SDK `client`.

    Without a `client`: those of every SDK client, existing or made later, sync or async, on every platform; and outside
    of calls each request by `httpx` or `httpx2` that has an `anthropic-version` header, or whose path names a model of
    Anthropic's on Bedrock or Vertex, as an attempt without a call. With one: those of that client, and of all that
    share its HTTP client, as its copies by `with_options` do; other requests by that HTTP client are attempts without a
    call.

    Imports the SDK, `httpx` and `httpx2`, those that are installed, and patches on their classes: `send` of the HTTP
    clients; `request` and `_build_request` of the SDK's clients, before 2.6 also `copy` and `with_options` of those of
    Bedrock; `parse` of its raw responses; and `__init__` of the `APIRequest` that its middlewares get. What is not
    recorded passes through.

    A second call for the process, or for a client with the same HTTP client, keeps the options of the first: call
    `uninstrument()` before it to change them. A second call for the process ignores `export` too, but a call with a
    `client` always applies its `export`. If the HTTP client of `client` was given to `instrument_http_client`, the
    options of that stay, and calls are recorded from now on. Warns, and records nothing, if neither `httpx` nor
    `httpx2` can be imported. Warns if Python runs without its GIL. May be called in any thread.

    Args:
        client: An SDK client, such as `anthropic.Anthropic()`. Without one, the whole process is instrumented.
        tracer_provider, meter_provider: The OpenTelemetry providers to use. By default the global ones, also if they
            are set later; but if an SDK client makes spans of its calls and was given a tracer provider for them, the
            spans of their attempts go to that by default.
        export: `"otlp"` sets a global tracer and a global meter provider of the OpenTelemetry SDK that export by OTLP,
            each only if the app has set none. The standard `OTEL_*` variables apply. `"console"` sets no providers: it
            prints each call of the process to stderr as it ends, attempt by attempt, and a summary at exit. This is of
            all clients, also with a `client`. By default neither is done.
        metrics: Whether to record metrics.
        logs: Whether to log each failed attempt, and each call that failed without one, on the logger
            `anthropic_otel.attempt`.
        usage: Whether the metrics count the tokens that attempts used. They are never counted within a call for
            which another GenAI instrumentation has opened a span, as that may count them under the same names. The
            SDK's own span of a call is no such span.
        phases: Whether to read the transport's trace events. Turning it off costs less, but loses what only they tell:
            most phases of an attempt, whether its connection was reused, and whether a transport has sent again by
            itself. Some causes are less exact: a TLS handshake timeout becomes a `connect_timeout`.
        suppress_http_instrumentation: Whether to keep other instrumentations of the HTTP client from making a second
            span for an attempt.
        sdk_only: Whether to leave out requests outside of calls that do not come from the SDK. Has no effect with a
            `client`.

    Raises:
        ValueError: if `export` is neither `"otlp"` nor `"console"`, or the OpenTelemetry SDK rejects an `OTEL_*`
            variable.
        ImportError: if `export` needs a package that is not installed. The message names it.
        TypeError: if `client` has no HTTP client of `httpx` or `httpx2`, as an SDK client has, or an option other than
            `export` is of a wrong type.
    """
    settings = Settings(
        tracer_provider, meter_provider, metrics, logs, usage, suppress_http_instrumentation, phases, sdk_only
    )
    if client is None and INSTRUMENTATION.is_instrumented:
        INSTRUMENTATION.patch_again()
        return
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        _warn_of_free_threading()
    if export is not None:
        _export(export)
    _follow()
    if client is None:
        INSTRUMENTATION.instrument_process(lambda: _runtime(settings))
    else:
        INSTRUMENTATION.instrument_client(client, lambda: _runtime(settings))


def uninstrument(client: Any = None) -> None:
    """Undoes `instrument` and `instrument_http_client`: all of them, or those for one `client`.

    In a process that is instrumented as a whole, `uninstrument(client)` excludes that client, with all that share its
    HTTP client, as copies by `with_options` do, and with copies of that HTTP client that `copy.copy` makes later: until
    `instrument(client)` or `instrument_http_client`, or until everything is undone. Before 2.6 of the SDK, copies of a
    client of Bedrock do not share its HTTP client: those that exist already may still be recorded.

    Has no effect on what is not instrumented, and never raises for it. Calls and attempts that are under way are
    recorded to their end, but after `uninstrument()` a call's further attempts may be missing.

    Providers that `export="otlp"` has set stay. After `uninstrument()`, `export="console"` prints only the calls that
    were under way, and the summary at exit. A `testing.capture` under way and an `anthropic-otel run` go on, but see
    nothing of an excluded client. Hooks of `event_hooks` go on too. Wrappers that other libraries added later stay;
    ours below becomes a pass-through.

    Args:
        client: An SDK client or an HTTP client. Without one, everything is undone.
    """
    if client is None:
        if "anthropic_otel._live.console" in sys.modules:
            from anthropic_otel._live import console
            from anthropic_otel._otel import providers

            providers.shown = False
            console.hide()
        INSTRUMENTATION.uninstrument()
    else:
        INSTRUMENTATION.uninstrument_client(client)


def instrument_http_client(
    http_client: Any,
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    metrics: bool = True,
    logs: bool = True,
    usage: bool = True,
    phases: bool = True,
    suppress_http_instrumentation: bool = True,
) -> None:
    """Records the requests of one `httpx` or `httpx2` client as attempts, sync or async, with or without the SDK.

    A request and the redirects that the client follows are one attempt; what its transport sends again is another one.
    There are no calls, so no call metrics and no backoff of the SDK's, unless `instrument` records calls too. Patches
    only `send` of the classes of `httpx` and `httpx2`, and of the client's own class; the requests of other clients
    pass through. The other arguments are those of `instrument`. Has no effect on a client that was instrumented by this
    function or by `instrument(client)` already.

    Raises:
        TypeError: if `http_client` is not a client of `httpx` or `httpx2`, or an option is of a wrong type.
    """
    settings = Settings(tracer_provider, meter_provider, metrics, logs, usage, suppress_http_instrumentation, phases)
    _follow()
    INSTRUMENTATION.instrument_http_client(http_client, lambda: _runtime(settings))


def event_hooks(
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    metrics: bool = True,
    logs: bool = True,
    usage: bool = True,
) -> dict[str, list[Callable[..., Any]]]:
    """Returns event hooks for an `httpx` or `httpx2` client, sync or async: `Client(event_hooks=event_hooks())`.

    They record the requests of that client as attempts, unless `instrument` or `instrument_http_client` has them
    recorded already, and patch nothing. `uninstrument` does not stop them. They do not see a failure that the transport
    reports by no trace event, such as a timeout in the wait for a full connection pool: such an attempt ends when its
    request is dropped, and fails with the `error.type` `_OTHER`. A request and the redirects that the client follows
    are one attempt; what its transport sends again is another one. The arguments are those of `instrument`. Raises
    `TypeError` if an argument is of a wrong type.
    """
    hooks = Hooks(_runtime(Settings(tracer_provider, meter_provider, metrics, logs, usage)))
    return {"request": [hooks.request], "response": [hooks.response]}


def _runtime(settings: Settings) -> Runtime:
    from anthropic_otel._otel.recorder import OpenTelemetryRecorder

    return Runtime(OpenTelemetryRecorder(settings), phases=settings.phases, sdk_only=settings.sdk_only)


def _export(export: str) -> None:
    from anthropic_otel._otel import providers

    own, process = object(), os.getpid()
    if _exporting.setdefault(process, own) is not own:
        # Another thread is doing the same.
        return
    try:
        if export == "console":
            from anthropic_otel._live import console

            providers.shown = True
            console.show()
        else:
            providers.set_up(export)
    finally:
        _exporting.pop(process, None)


_exporting: dict[int, object] = {}
"""An object of the thread that is setting up an export, by the id of its process; empty if none is.

A forked child has another id, so that an entry of its parent's does not count.
"""


def _follow() -> None:
    """Sends the calls of this process to `anthropic-otel run`, if that command has started this process."""
    if "ANTHROPIC_OTEL_RUN" in os.environ:
        from anthropic_otel._live.follow import follow

        follow()


@functools.lru_cache(maxsize=1)
def _warn_of_free_threading() -> None:
    log.warning("Free-threaded Python is not supported yet: counts may be wrong. Run with PYTHON_GIL=1")

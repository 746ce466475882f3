"""Makes every HTTP attempt of the Anthropic SDK visible as OpenTelemetry spans, metrics and logs.

    import anthropic_otel
    anthropic_otel.instrument()

The SDK shows an app one answer or one error per call. Behind it may be several HTTP attempts: one turned away with 529,
one that died in a TLS handshake, one that answered. After `instrument()` each of them is a span, with status, request
id, retry count and the network cause, and is counted in metrics. Nothing of prompts, replies or keys is recorded.

Importing this package does not import the SDK. No function here raises because of telemetry while a call runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from anthropic_otel._adapters.event_hooks import Hooks
from anthropic_otel._core.runtime import Runtime
from anthropic_otel._instrument import INSTRUMENTATION
from anthropic_otel._otel import providers
from anthropic_otel._otel.observer import OpenTelemetryObserver, Settings
from anthropic_otel._version import __version__

__all__ = ["__version__", "event_hooks", "instrument", "instrument_http_client", "uninstrument"]


def instrument(
    client: Any = None,
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    export: str | None = None,
    metrics: bool = True,
    logs: bool = True,
    phases: bool = True,
    suppress_http_instrumentation: bool = True,
) -> None:
    """Makes the calls and attempts of the Anthropic SDK visible: of the whole process, or of one `client`.

    For the whole process that is every client, those that exist and those made later, sync and async, of every
    platform. For one client it is that one and its copies by `with_options`. Calling it again is without effect, also
    with other options: `uninstrument` first.

    Args:
        client: An SDK client, such as `anthropic.Anthropic()`. Without one, the whole process.
        tracer_provider, meter_provider: The OpenTelemetry providers to use. Without them the global ones, also those
            that are set later.
        export: `"otlp"` or `"console"` sets global OpenTelemetry SDK providers for an app that has none. The standard
            `OTEL_*` variables apply. Providers that the app has set are never replaced.
        metrics: Whether to record metrics.
        logs: Whether to log each failed attempt, on the logger `anthropic_otel.attempt`.
        phases: Whether to listen to the transport's events, for the phases of an attempt and the reuse of its
            connection. Without them a timeout of the TLS handshake is a `connect_timeout`.
        suppress_http_instrumentation: Whether to silence other instrumentations of the HTTP client during an attempt,
            which would make a second span for it.

    Raises:
        ValueError: for another word in `export`, or an `OTEL_*` variable that the OpenTelemetry SDK refuses.
        ImportError: where `export` needs what is not installed; the text says what.
        TypeError: for a `client` that is no client of the SDK.
    """
    if export is not None:
        providers.set_up(export)
    settings = Settings(tracer_provider, meter_provider, metrics, logs, suppress_http_instrumentation)
    if client is None:
        INSTRUMENTATION.instrument_process(lambda: _runtime(settings, phases))
    else:
        INSTRUMENTATION.instrument_client(client, lambda: _runtime(settings, phases))


def uninstrument(client: Any = None) -> None:
    """Takes everything off again: from the process, its classes and clients, or from one `client`.

    What other libraries have wrapped since stays theirs; ours below it does nothing any more.
    """
    if client is None:
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
    phases: bool = True,
    suppress_http_instrumentation: bool = True,
) -> None:
    """Makes every request of one `httpx` or `httpx2` client an attempt, sync or async, with or without the SDK.

    Nothing else is patched. Without `instrument()` there are no calls, so no call metrics and no backoff. The arguments
    are those of `instrument`. Raises `TypeError` for an object that is no such client.
    """
    settings = Settings(tracer_provider, meter_provider, metrics, logs, suppress_http_instrumentation)
    INSTRUMENTATION.instrument_http_client(http_client, lambda: _runtime(settings, phases))


def event_hooks(
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    metrics: bool = True,
    logs: bool = True,
) -> dict[str, list[Callable[..., Any]]]:
    """Event hooks for an `httpx` or `httpx2` client, sync or async: `Client(event_hooks=event_hooks())`.

    They patch nothing and see every attempt but those that fail without an event of the transport: of a pool that is
    full, and of a custom transport. Each hop of a redirect is an attempt.
    """
    hooks = Hooks(_runtime(Settings(tracer_provider, meter_provider, metrics, logs), phases=True))
    return {"request": [hooks.request], "response": [hooks.response]}


def _runtime(settings: Settings, phases: bool) -> Runtime:
    return Runtime(OpenTelemetryObserver(settings), phases=phases)

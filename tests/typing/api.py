"""An app that uses the whole public API, with the type of each thing that it gets. Checked, and never run.

Rule: what the API gives is held by `assert_type`, and what it does not take by a `type: ignore` that is in use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anthropic
import httpx
import httpx2
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from typing_extensions import assert_type

import anthropic_otel
from anthropic_otel.simulator import (
    FAULTS,
    Cut,
    Ending,
    Endpoint,
    ErrorEvent,
    Fault,
    Limits,
    Point,
    Received,
    Reply,
    Served,
    Simulator,
    fault,
)
from anthropic_otel.testing import Attempt, Call, Captured, Usage, capture

TRACERS = TracerProvider()
METERS = MeterProvider()


def whole_process() -> None:
    """Every option of `instrument`, and what it does not take."""
    anthropic_otel.instrument()
    anthropic_otel.instrument(
        tracer_provider=TRACERS,
        meter_provider=METERS,
        export="otlp",
        metrics=False,
        logs=False,
        usage=False,
        phases=False,
        suppress_http_instrumentation=False,
        sdk_only=True,
    )
    anthropic_otel.uninstrument()
    assert_type(anthropic_otel.__version__, str)
    anthropic_otel.instrument(colour="red")  # type: ignore[call-arg]
    anthropic_otel.instrument(None, TRACERS)  # type: ignore[call-arg]
    anthropic_otel.instrument(tracer_provider=METERS)  # type: ignore[arg-type]
    anthropic_otel.instrument(metrics="no")  # type: ignore[arg-type]


def one_client(client: anthropic.Anthropic, asynchronous: anthropic.AsyncAnthropic) -> None:
    """A client keeps its type: it is given to the functions, and nothing comes back."""
    anthropic_otel.instrument(client, tracer_provider=TRACERS, meter_provider=METERS)
    anthropic_otel.instrument(asynchronous, metrics=False)
    anthropic_otel.uninstrument(client)


def http_clients() -> None:
    """Clients of both HTTP libraries, sync and async."""
    hooks = anthropic_otel.event_hooks(tracer_provider=TRACERS, meter_provider=METERS, metrics=False, logs=False)
    assert_type(hooks, dict[str, list[Callable[..., Any]]])
    clients = (httpx.Client(event_hooks=hooks), httpx.AsyncClient(event_hooks=hooks))
    others = (httpx2.Client(event_hooks=hooks), httpx2.AsyncClient(event_hooks=hooks))
    for client in (*clients, *others):
        anthropic_otel.instrument_http_client(client)
        anthropic_otel.uninstrument(client)
    anthropic_otel.instrument_http_client(
        others[0],
        tracer_provider=TRACERS,
        meter_provider=METERS,
        metrics=False,
        logs=False,
        phases=False,
        suppress_http_instrumentation=False,
    )
    anthropic_otel.instrument_http_client()  # type: ignore[call-arg]
    anthropic_otel.instrument_http_client(others[0], export="otlp")  # type: ignore[call-arg]
    anthropic_otel.event_hooks(phases=False)  # type: ignore[call-arg]


def captured() -> None:
    """What was captured, in a test of an app."""
    with capture(real_time=True) as found:
        assert_type(found, Captured)
    assert_type(found.started, int)
    assert_type(found.in_flight, int)
    assert_type(found.calls, list[Call])
    assert_type(found.attempts, list[Attempt])
    capture(True)  # type: ignore[call-arg]


def call(of: Call) -> None:
    """Every field of a call."""
    assert_type((of.id, of.operation, of.model, of.stream), tuple[int, str | None, str | None, bool])
    assert_type((of.started, of.duration, of.backoff), tuple[float, float, float])
    assert_type((of.outcome, of.error_type), tuple[str, str | None])
    assert_type((of.cause, of.api_error_code), tuple[str | None, str | None])
    assert_type((of.attempts, of.retries), tuple[tuple[Attempt, ...], int])
    assert_type(of.usage, Usage | None)
    of.outcome = "failed"  # type: ignore[misc]


def attempt(of: Attempt) -> None:
    """Every field of an attempt."""
    assert_type((of.id, of.call, of.resend_count), tuple[int, int | None, int])
    assert_type((of.operation, of.method, of.url_template, of.server_address), tuple[str, str, str | None, str])
    assert_type((of.started, of.duration, of.retry_delay), tuple[float, float, float | None])
    assert_type((of.outcome, of.status, of.request_id), tuple[str, int | None, str | None])
    assert_type((of.error_type, of.cause, of.phase), tuple[str | None, str | None, str | None])
    assert_type((of.errno, of.exception_type), tuple[str | None, str | None])
    assert_type((of.retry_reason, of.retry_source, of.retry_stop_reason), tuple[str | None, str | None, str | None])
    assert_type((of.connection_reused, of.stream_complete), tuple[bool | None, bool | None])
    assert_type((of.model, of.proxy_address), tuple[str | None, str | None])
    assert_type((of.api_error_type, of.api_error_code), tuple[str | None, str | None])
    of.status = 200  # type: ignore[misc]


def simulated(faults: list[Fault | str], weights: dict[str | Fault, float]) -> None:
    """A simulator as a test drives it, and what it has seen."""
    with Simulator(seed=1, words=3, record=10, port=0, limits=Limits(), clock=lambda: 0.0, patience=1.0) as simulator:
        assert_type(simulator, Simulator)
        assert_type(Simulator(models=["m"], betas=None), Simulator)
        simulator.play(*faults, Reply(503), Cut(Point.BODY, Ending.RESET), ErrorEvent("overloaded_error", "no"))
        simulator.mix({"ok": 0.5, FAULTS["http_529"]: 0.5}, seed=2)
        simulator.mix(weights)
        simulator.latency(0.1, 0.2, jitter=0.5, seed=3)
        endpoint = simulator.endpoint("tls_expired")
        assert_type(endpoint, Endpoint)
        assert_type((endpoint.base_url, endpoint.proxy, endpoint.ca_file), tuple[str, str | None, str | None])
        with simulator.refusing() as refusing:
            assert_type(refusing, None)
        assert_type(simulator.base_url, str)
        assert_type(simulator.requests, list[Received])
        assert_type(simulator.served, list[Served])
        assert_type(simulator.request_ids, list[str])
        assert_type(simulator.connections_open, int)
        simulator.reset()
        simulator.play(529)  # type: ignore[arg-type]
        simulator.endpoint(Reply(503))  # type: ignore[arg-type]
    assert_type(simulator.start(), Simulator)
    assert_type(simulator.stop(), None)
    assert_type(fault("http_529"), Fault)
    assert_type(FAULTS["http_529"].status, int | None)

"""Beside the SDK's own tracing and other instrumentations: what is sent along, and that nothing is told twice."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context, copy_context
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.context import attach, detach, set_value
from opentelemetry.instrumentation.utils import (
    is_http_instrumentation_enabled,
    suppress_http_instrumentation,
    suppress_instrumentation,
)
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult

import anthropic_otel
from anthropic_otel._core import instruments, semconv
from anthropic_otel.simulator import Endpoint, Simulator
from support import identities
from support.apps import BareApp, SdkApp
from support.driver import Driver
from support.stacks import SDK_STACKS, Stack, each_of
from support.telemetry import Telemetry, recording
from support.versions import SDK_LIBRARY, TRACES_ITSELF

pytestmark = pytest.mark.usefixtures("waits")

needs_tracing_sdk = pytest.mark.skipif(not TRACES_ITSELF, reason="this SDK makes no span")

stack = each_of(SDK_STACKS)


@pytest.fixture
def driver(stack: Stack) -> Iterator[Driver]:
    with Driver(asynchronous=stack.asynchronous) as driver:
        yield driver


@pytest.fixture
def app(stack: Stack, sim: Simulator, driver: Driver, recorded: Telemetry) -> Iterator[SdkApp]:
    """An instrumented app."""
    app = SdkApp(stack, Endpoint(sim.base_url), driver, recorded)
    recorded.instrument()
    yield app
    app.close()


def _sent_by(span: ReadableSpan) -> str:
    """The `traceparent` of a request that `span` stands for."""
    assert span.context is not None
    return f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-{span.context.trace_flags:02x}"


# -- trace context -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_each_attempt_sends_its_own_trace_context(
    stream: bool, app: SdkApp, sim: Simulator, recorded: Telemetry
) -> None:
    """A server's or a proxy's span is a child of the attempt that reached it, and not of the call."""
    sim.play("http_529")
    app.meet(stream=stream)
    assert [request.header("traceparent") for request in sim.requests] == [_sent_by(span) for span in recorded.attempts]
    assert len(sim.requests) == 2


@pytest.mark.skipif(not TRACES_ITSELF, reason="this SDK has no such option")
def test_no_trace_context_is_sent_where_the_sdk_may_not(
    stack: Stack, sim: Simulator, driver: Driver, recorded: Telemetry
) -> None:
    """The SDK's `propagation` is off: that is for the attempts too. They are recorded all the same."""
    option = {"propagation": False, "tracer_provider": recorded.tracer_provider}
    app = SdkApp(stack, Endpoint(sim.base_url), driver, open_telemetry=option)
    recorded.instrument()
    app.create()
    app.close()
    assert len(recorded.attempts) == 1
    assert sim.requests[0].header("traceparent") == ""


def test_the_call_is_a_child_of_the_apps_span(app: SdkApp, recorded: Telemetry) -> None:
    """app > call > attempt; and when the call is over the app's span is current again."""
    with recorded.tracer_provider.get_tracer("app").start_as_current_span("a request of the app") as own:
        app.create()
        assert trace.get_current_span() is own
    [call] = recorded.calls
    [attempt] = recorded.attempts
    assert call.parent == own.get_span_context()
    assert attempt.parent == call.context


def test_nothing_stays_current(app: SdkApp, sim: Simulator) -> None:
    """Neither after an answer nor after an error, nor while the app reads a stream."""
    before = context.get_current()
    app.create()
    sim.play("http_400")
    with pytest.raises(Exception, match="400"):
        app.create()
    stream = app.create(stream=True)
    assert context.get_current() == before
    app.driver.read(stream)
    assert context.get_current() == before


# -- the SDK's own span ------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not TRACES_ITSELF, reason="this SDK makes no span")
def test_the_call_span_is_ours_where_the_sdks_is_switched_off(
    stack: Stack, sim: Simulator, driver: Driver, recorded: Telemetry
) -> None:
    """Exactly one for each call, whoever makes it, with the same name and the same attributes that need no content."""
    spans = []
    for option in ({"tracer_provider": recorded.tracer_provider}, False):
        app = SdkApp(stack, Endpoint(sim.base_url), driver, open_telemetry=option)
        recorded.instrument()
        app.events()
        app.close()
        spans += recorded.calls
        recorded.clear()
    theirs, ours = spans
    assert theirs.name == ours.name == "anthropic.messages.create"
    assert theirs.kind == ours.kind
    assert {"com.anthropic.sdk.python", "anthropic_otel"} == {
        span.instrumentation_scope.name for span in spans if span.instrumentation_scope
    }
    told = dict(theirs.attributes or {})
    same = {name: value for name, value in dict(ours.attributes or {}).items() if name != semconv.OPERATION_NAME}
    assert same == {name: told[name] for name in same}
    assert theirs.status.status_code == ours.status.status_code


def test_a_call_within_another_instrumentations_span_gets_no_second_one(app: SdkApp, recorded: Telemetry) -> None:
    """Another GenAI instrumentation has opened a span for this call: the attempts are its children."""
    tracer = recorded.tracer_provider.get_tracer("another")
    option = {"traces": False}
    if TRACES_ITSELF:
        app.client = app.client.with_options(open_telemetry=option)
    with tracer.start_as_current_span("chat", attributes={"gen_ai.operation.name": "chat"}) as theirs:
        app.create()
    assert not recorded.calls
    assert [span.parent for span in recorded.attempts] == [theirs.get_span_context()]
    identities.check(recorded, calls=1)


@pytest.mark.skipif(not TRACES_ITSELF, reason="this SDK makes no span")
@pytest.mark.parametrize("of_app", [True, False], ids=["beside the global provider", "without a global provider"])
def test_attempts_go_to_the_provider_of_their_client(
    stack: Stack, sim: Simulator, driver: Driver, recorded: Telemetry, monkeypatch: pytest.MonkeyPatch, of_app: bool
) -> None:
    """A client that has a tracer provider of its own has its calls' spans there, and those of the attempts below."""
    other = Telemetry()
    provider = other.tracer_provider if of_app else trace.NoOpTracerProvider()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    app = SdkApp(stack, Endpoint(sim.base_url), driver, open_telemetry={"tracer_provider": recorded.tracer_provider})
    anthropic_otel.instrument(metrics=False, logs=False)
    sim.play("http_529")
    app.events()
    app.close()
    [call] = recorded.calls
    assert [span.parent for span in recorded.attempts] == [call.get_span_context()] * 2
    assert (other.spans, recorded.warnings) == ([], [])


class _Broken(trace.TracerProvider):
    """A tracer provider that gives no tracer: it raises."""

    def get_tracer(self, *args: Any, **kwargs: Any) -> trace.Tracer:
        raise RuntimeError("no tracer")


class _Empty(trace.TracerProvider):
    """A tracer provider that gives no tracer: it returns `None`."""

    def get_tracer(self, *args: Any, **kwargs: Any) -> trace.Tracer:
        return None  # type: ignore[return-value]


@pytest.mark.skipif(not TRACES_ITSELF, reason="this SDK makes no span")
@pytest.mark.parametrize("own", [_Broken(), _Empty(), None], ids=["raises", "gives none", "no global provider"])
def test_a_call_whose_sdk_gets_no_tracer_has_our_spans(
    stack: Stack,
    sim: Simulator,
    driver: Driver,
    recorded: Telemetry,
    monkeypatch: pytest.MonkeyPatch,
    own: trace.TracerProvider | None,
) -> None:
    """The SDK makes no span where its provider fails. The call is recorded by the provider that was named to us."""
    if own is None:
        # As where `OTEL_PYTHON_TRACER_PROVIDER` names one that is not installed.
        monkeypatch.setattr(trace, "get_tracer_provider", _Broken().get_tracer)
        monkeypatch.setattr("anthropic._tracing.global_tracer_provider_loads", lambda: False, raising=False)
    app = SdkApp(stack, Endpoint(sim.base_url), driver, open_telemetry={"tracer_provider": own} if own else None)
    recorded.instrument()
    sim.play("http_529")
    app.events()
    app.close()
    [call] = recorded.calls
    assert [span.parent for span in recorded.attempts] == [call.get_span_context()] * 2
    assert recorded.warnings == []


class _FirstsDropped(Sampler):
    """Drops each first span of a trace and keeps all others, as one that draws for every span anew may do."""

    def should_sample(self, parent_context: Any, *args: Any, **kwargs: Any) -> SamplingResult:
        child = trace.get_current_span(parent_context).get_span_context().is_valid
        return SamplingResult(Decision.RECORD_AND_SAMPLE if child else Decision.DROP)

    def get_description(self) -> str:
        return "drops firsts"


@pytest.mark.parametrize("of_sdk", [pytest.param(True, marks=needs_tracing_sdk), False], ids=["SDK's span", "our span"])
def test_a_call_that_is_dropped_has_no_spans_whatever_the_sampler(
    stack: Stack, sim: Simulator, driver: Driver, of_sdk: bool
) -> None:
    """Its attempts are not drawn anew. The call's trace context is sent, so that a server knows what was decided."""
    with recording(sampler=_FirstsDropped()) as recorded:
        options: dict[str, Any] = {} if of_sdk or not TRACES_ITSELF else {"open_telemetry": False}
        app = SdkApp(stack, Endpoint(sim.base_url), driver, recorded, **options)
        recorded.instrument()
        sim.play("http_529")
        app.events()
        app.close()
        assert recorded.spans == []
        assert sum(point.count for point in recorded.points(instruments.ATTEMPT_DURATION)) == 2
    sent = {request.header("traceparent") for request in sim.requests}
    assert [int(traceparent.rpartition("-")[2], 16) & 1 for traceparent in sent] == [0]


# -- instrumentations of the HTTP client -------------------------------------------------------------------------------


@contextmanager
def _http_instrumentation(telemetry: Telemetry) -> Iterator[None]:
    name = {"httpx": "HTTPXClientInstrumentor", "httpx2": "HTTPX2ClientInstrumentor"}[SDK_LIBRARY]
    module = importlib.import_module("opentelemetry.instrumentation.httpx")
    if not hasattr(module, name):
        pytest.skip("this version of opentelemetry-instrumentation-httpx does not know the library")
    instrumentor = getattr(module, name)()
    instrumentor.instrument(
        tracer_provider=telemetry.tracer_provider, meter_provider=telemetry.meter_provider, skip_dep_check=True
    )
    try:
        yield
    finally:
        instrumentor.uninstrument()


def _of_another_scope(telemetry: Telemetry) -> list[str]:
    return [
        span.name
        for span in telemetry.spans
        if span.instrumentation_scope and "instrumentation.httpx" in span.instrumentation_scope.name
    ]


@pytest.fixture
def app_beside(stack: Stack, sim: Simulator, driver: Driver, recorded: Telemetry) -> Iterator[SdkApp]:
    """An app with the HTTP library's own instrumentation."""
    if stack.aiohttp:
        pytest.skip("the instrumentation of httpx does not see this transport")
    with _http_instrumentation(recorded):
        app = SdkApp(stack, Endpoint(sim.base_url), driver, recorded)
        yield app
        app.close()


def test_an_attempt_has_one_span_beside_the_http_instrumentation(
    app_beside: SdkApp, sim: Simulator, recorded: Telemetry
) -> None:
    """Ours; and its duration is measured once."""
    recorded.instrument()
    sim.play("http_529")
    app_beside.create()
    assert not _of_another_scope(recorded)
    assert len(recorded.attempts) == 2
    assert not {name for name in recorded.metric_names if name.startswith("http.")}
    assert [request.header("traceparent") for request in sim.requests] == [_sent_by(span) for span in recorded.attempts]


def test_the_http_instrumentation_can_be_left_on(app_beside: SdkApp, recorded: Telemetry) -> None:
    """Its span is a child of the attempt's."""
    recorded.instrument(suppress_http_instrumentation=False)
    app_beside.create()
    [theirs] = [span for span in recorded.spans if span.name == "POST"]
    [attempt] = recorded.attempts
    assert theirs.parent == attempt.context


def test_the_http_instrumentation_goes_on_for_the_apps_own_requests(app_beside: SdkApp, recorded: Telemetry) -> None:
    """Only our sends are silenced for it."""
    recorded.instrument()
    app_beside.create()
    app_beside.send(versioned=False)
    assert _of_another_scope(recorded) == ["POST"]


def test_a_worker_that_begins_in_a_send_is_not_silenced_when_the_send_is_over(
    app_beside: SdkApp, stack: Stack, sim: Simulator, driver: Driver, recorded: Telemetry
) -> None:
    """It keeps the context of the hook that started it. Its own requests within the send are silenced, later ones not.

    An app may start a task there that renews a token every hour, or lets a queue of its own run empty.
    """
    workers: list[Context] = []
    enabled: list[bool] = []

    def hook(_: Any) -> None:
        if not workers:
            workers.append(copy_context())
            enabled.append(workers[0].run(is_http_instrumentation_enabled))

    async def async_hook(request: Any) -> None:
        hook(request)

    own = BareApp(stack, Endpoint(sim.base_url), driver)
    app_beside.http.event_hooks = {"request": [async_hook if stack.asynchronous else hook]}
    recorded.instrument(sdk_only=True)
    sim.play("http_529")
    app_beside.create()
    assert _of_another_scope(recorded) == []
    workers[0].run(own.send)
    own.close()
    assert enabled == [False]
    assert _of_another_scope(recorded) == ["POST"]
    assert len(recorded.attempts) == 2


def _counts(telemetry: Telemetry) -> dict[str, float]:
    """How many attempts have started and ended, and how many calls have ended."""
    return {
        "started": sum(point.sum for point in telemetry.points(instruments.ATTEMPT_STARTED)),
        "attempts": sum(point.count for point in telemetry.points(instruments.ATTEMPT_DURATION)),
        "calls": sum(point.count for point in telemetry.points(instruments.CALL_DURATION)),
    }


@pytest.mark.parametrize("quiet", [suppress_instrumentation, suppress_http_instrumentation])
def test_only_spans_are_left_out_where_somebody_upstream_suppresses_instrumentation(
    quiet: Any, app: SdkApp, sim: Simulator, recorded: Telemetry
) -> None:
    """Metrics and logs of calls go on, no span of ours is made, and one warning says how to have spans."""
    sim.play("http_529")
    with quiet():
        assert app.create().content
        assert app.events()
    assert semconv.SCOPE not in {
        span.instrumentation_scope.name for span in recorded.spans if span.instrumentation_scope
    }
    assert _counts(recorded) == {"started": 3, "attempts": 3, "calls": 2}
    assert [record.getMessage().partition(" failed")[0] for record in recorded.logs] == [
        "messages.create attempt 1 of 3"
    ]
    [warning] = recorded.warnings
    assert "Let anthropic_otel alone instrument the Anthropic SDK" in warning


def test_suppression_ends_with_its_block(app: SdkApp, recorded: Telemetry) -> None:
    """The next call has its spans."""
    token = attach(set_value("suppress_instrumentation", True))
    app.create()
    detach(token)
    app.create()
    [attempt] = recorded.attempts
    [*_, call] = recorded.calls
    assert attempt.parent == call.context
    assert _counts(recorded) == {"started": 2, "attempts": 2, "calls": 2}


def test_no_warning_where_nobody_suppresses_instrumentation(app: SdkApp, recorded: Telemetry) -> None:
    """The library's own suppression of the HTTP client's instrumentation is none of somebody upstream."""
    app.create()
    assert app.events()
    assert len(recorded.attempts) == 2
    assert not recorded.warnings

"""The recorder where OpenTelemetry fails it: each signal by itself, and nothing raised."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry import metrics, propagate, trace
from opentelemetry.instrumentation.utils import suppress_http_instrumentation, suppress_instrumentation
from opentelemetry.metrics import Meter, MeterProvider, NoOpMeter, NoOpMeterProvider
from opentelemetry.metrics._internal import _ProxyMeterProvider
from opentelemetry.trace import NoOpTracerProvider, ProxyTracerProvider, StatusCode

from anthropic_otel._core import instruments, semconv
from anthropic_otel._core.ending import End
from anthropic_otel._core.settings import Settings
from anthropic_otel._core.tee import Tee
from anthropic_otel._otel import logs, providers, spans
from anthropic_otel._otel.metrics import Metrics
from anthropic_otel._otel.recorder import OpenTelemetryRecorder
from anthropic_otel.testing._captured import Captured
from anthropic_otel.testing._collector import Collector
from core.notes import ManualClock, Notes
from otel.scene import Scene
from support.telemetry import Telemetry
from support.waiting import collect_garbage


def fail(*_: object, **__: object) -> Any:
    raise RuntimeError("broken")


def a_whole_call(scene: Scene) -> None:
    """Two attempts, one of which fails."""
    call = scene.call()
    scene.answer(scene.attempt(call), 529)
    scene.answer(scene.attempt(call))
    call.method_returned(None, None)


def call_outcomes(telemetry: Telemetry) -> list[str]:
    return [str(point.attributes[semconv.CALL_OUTCOME]) for point in telemetry.points(instruments.CALL_DURATION)]


def attempts_measured(telemetry: Telemetry) -> int:
    return sum(point.count for point in telemetry.points(instruments.ATTEMPT_DURATION))


# -- a tracer that fails -----------------------------------------------------------------------------------------------


class Span(trace.NonRecordingSpan):
    """A span of which one method fails."""

    def __init__(self, broken: str) -> None:
        super().__init__(trace.SpanContext(1, 2, is_remote=False))
        self.ended = 0
        if broken != "start_span":
            setattr(self, broken, fail)

    def is_recording(self) -> bool:
        return True

    def end(self, end_time: int | None = None) -> None:
        self.ended += 1


class Tracer(trace.NoOpTracer):
    def __init__(self, broken: str) -> None:
        self.broken = broken
        self.spans: list[Span] = []

    def start_span(self, *_: Any, **__: Any) -> Span:
        if self.broken == "start_span":
            fail()
        self.spans.append(Span(self.broken))
        return self.spans[-1]


class TracerProvider(trace.TracerProvider):
    def __init__(self, broken: str) -> None:
        self.tracer = Tracer(broken)

    def get_tracer(self, *_: Any, **__: Any) -> trace.Tracer:
        if self.tracer.broken == "get_tracer":
            fail()
        return self.tracer


@pytest.mark.parametrize(
    "method",
    [
        *("get_tracer", "start_span", "is_recording"),
        *("set_attributes", "set_attribute", "set_status", "end"),
    ],
)
def test_a_tracer_that_fails_costs_only_the_spans(
    method: str, clock: ManualClock, telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    """Metrics and logs are complete without a working tracer, and each span that started has ended."""
    provider = TracerProvider(method)
    settings = Settings(tracer_provider=provider, meter_provider=telemetry.meter_provider)
    with caplog.at_level(logging.INFO, "anthropic_otel.attempt"):
        a_whole_call(Scene(OpenTelemetryRecorder(settings), clock))
    assert attempts_measured(telemetry) == 2
    assert sum(point.sum for point in telemetry.points(instruments.ATTEMPT_STARTED)) == 2
    assert [point.attributes[semconv.CALL_OUTCOME] for point in telemetry.points(instruments.CALL_DURATION)] == [
        "recovered"
    ]
    assert [record.levelname for record in caplog.records if record.name == "anthropic_otel.attempt"] == ["INFO"]
    if method != "end":
        assert all(span.ended == 1 for span in provider.tracer.spans)


def test_a_span_that_cannot_be_named_costs_no_measurement(clock: ManualClock, telemetry: Telemetry) -> None:
    """A span that cannot tell its ids costs its exemplars and no measurement."""
    provider = TracerProvider("get_span_context")
    a_whole_call(Scene(OpenTelemetryRecorder(Settings(provider, telemetry.meter_provider)), clock))
    assert attempts_measured(telemetry) == 2
    assert all(span.ended == 1 for span in provider.tracer.spans)


def test_a_measurement_keeps_no_span(scene: Scene, telemetry: Telemetry) -> None:
    """What is measured holds the ids of a span, and not the span, which may hold what the app has put on it."""
    a_whole_call(scene)
    call = scene.call()
    attempt = scene.attempt(call)
    # Weakly, and at once: it is current only until the send has finished.
    span = weakref.ref(trace.get_current_span())
    scene.answer(attempt, seconds=0.0)
    call.method_returned(None, None)
    telemetry.clear()
    del call, attempt
    collect_garbage()
    assert span() is None
    assert attempts_measured(telemetry) == 3


# -- a meter that fails ------------------------------------------------------------------------------------------------


class BrokenMeter(NoOpMeter):
    def __init__(self, broken: str) -> None:
        super().__init__("broken")
        if broken != "record":
            setattr(self, broken, fail)
        self.broken = broken

    def create_histogram(self, *args: Any, **kwargs: Any) -> Any:
        histogram: Any = super().create_histogram(*args, **kwargs)
        if self.broken == "record":
            histogram.record = fail
        return histogram


class BrokenMeterProvider(MeterProvider):
    def __init__(self, broken: str) -> None:
        self.broken = broken

    def get_meter(self, *_: Any, **__: Any) -> Meter:
        return fail() if self.broken == "get_meter" else BrokenMeter(self.broken)


@pytest.mark.parametrize(
    "method",
    ["get_meter", "create_observable_counter", "create_histogram", "create_observable_gauge", "record"],
)
def test_a_meter_that_fails_costs_only_the_metrics(
    method: str, clock: ManualClock, telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    """Spans and logs are complete without a working meter."""
    settings = Settings(tracer_provider=telemetry.tracer_provider, meter_provider=BrokenMeterProvider(method))
    with caplog.at_level(logging.INFO, "anthropic_otel.attempt"):
        a_whole_call(Scene(OpenTelemetryRecorder(settings), clock))
    assert [span.status.status_code for span in telemetry.attempts] == [StatusCode.ERROR, StatusCode.UNSET]
    assert len(telemetry.calls) == 1
    assert [record.levelname for record in caplog.records if record.name == "anthropic_otel.attempt"] == ["INFO"]


# -- a propagator, a log handler, a context ----------------------------------------------------------------------------


def test_a_propagator_that_fails_costs_only_the_headers(
    scene: Scene, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request whose trace context cannot be injected is sent without it."""
    monkeypatch.setattr(propagate, "inject", fail)
    call = scene.call()
    attempt = scene.attempt(call)
    assert attempt.recorder.headers == {}
    scene.answer(attempt)
    call.method_returned(None, None)
    assert (len(telemetry.attempts), attempts_measured(telemetry)) == (1, 1)


def test_a_log_handler_that_fails_costs_only_the_record(scene: Scene, telemetry: Telemetry) -> None:
    """Spans and metrics are complete though a log handler raises."""

    class Broken(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            raise RuntimeError("disk full")

    logger, handler = logging.getLogger("anthropic_otel"), Broken()
    logger.addHandler(handler)
    try:
        a_whole_call(scene)
    finally:
        logger.removeHandler(handler)
    assert (len(telemetry.attempts), attempts_measured(telemetry)) == (2, 2)


@pytest.mark.parametrize(
    "where",
    [
        "opentelemetry.context.attach",
        "opentelemetry.context.get_current",
        "opentelemetry.trace.set_span_in_context",
    ],
)
def test_a_context_that_fails_costs_no_measurement(
    scene: Scene, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Every call and attempt is counted at its start and its end, whatever is left of the spans then."""
    with monkeypatch.context() as patch:
        patch.setattr(where, fail)
        a_whole_call(scene)
    assert sum(point.sum for point in telemetry.points(instruments.ATTEMPT_STARTED)) == 2
    assert attempts_measured(telemetry) == 2
    assert [point.attributes[semconv.CALL_OUTCOME] for point in telemetry.points(instruments.CALL_DURATION)] == [
        "recovered"
    ]


def test_what_begins_is_counted_while_nothing_can_be_recorded(
    scene: Scene, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A started attempt is counted even while OpenTelemetry can tell no current span."""
    with monkeypatch.context() as patch:
        patch.setattr("opentelemetry.trace.get_current_span", fail)
        a_whole_call(scene)
    assert sum(point.sum for point in telemetry.points(instruments.ATTEMPT_STARTED)) == 2


def test_a_recorder_that_cannot_check_is_not_enabled(
    recorder: OpenTelemetryRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recorder that cannot tell whether anybody sees what it records is not enabled."""
    monkeypatch.setattr(providers, "is_noop", fail)
    assert recorder.enabled() is False


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        *((spans, name) for name in ("start_call", "start_attempt", "end_attempt", "end_call")),
        *((Metrics, name) for name in ("attempt_started", "attempt_ended", "call_ended", "response_received")),
        *((logs, "attempt_failed"), (otel_context, "attach"), (otel_context, "get_current")),
    ],
)
def test_what_fails_in_it_costs_the_recorder_beside_it_nothing(
    recorder: OpenTelemetryRecorder,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    owner: object,
    name: str,
) -> None:
    """A recorder raises nothing, whatever fails in it, so that another one is told everything."""
    beside = Notes()
    alone = Notes()
    a_whole_call(Scene(alone, clock))
    scene = Scene(Tee(recorder, beside), clock)
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, fail)
        a_whole_call(scene)
    assert beside.events == alone.events


@pytest.mark.parametrize("marks", range(6))
def test_what_fails_in_a_capture_costs_the_recorder_beside_it_nothing(
    scene: Scene, recorder: OpenTelemetryRecorder, telemetry: Telemetry, clock: ManualClock, marks: int
) -> None:
    """The recorder of `capture` raises nothing either, at whichever of its marks its clock fails."""
    left = iter([0.0] * marks)
    a_whole_call(Scene(Tee(Collector(Captured(), lambda: next(left)), recorder), clock))
    assert (len(telemetry.attempts), attempts_measured(telemetry)) == (2, 2)
    assert call_outcomes(telemetry) == ["recovered"]


# -- what it tells the request -----------------------------------------------------------------------------------------


def test_the_request_carries_the_attempts_context(scene: Scene, telemetry: Telemetry) -> None:
    """A request carries the context of its attempt, so that a server's span becomes a child of the attempt's."""
    call = scene.call()
    attempt = scene.attempt(call)
    headers = attempt.recorder.headers
    scene.answer(attempt)
    call.method_returned(None, None)
    [span] = telemetry.attempts
    assert span.context is not None
    assert headers["traceparent"].split("-")[1:3] == [f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"]


def test_a_tracer_that_makes_no_spans_sends_no_context(clock: ManualClock, telemetry: Telemetry) -> None:
    """A no-op tracer makes no context that could be sent."""
    settings = Settings(tracer_provider=NoOpTracerProvider(), meter_provider=telemetry.meter_provider)
    scene = Scene(OpenTelemetryRecorder(settings), clock)
    attempt = scene.attempt()
    assert attempt.recorder.headers == {}
    scene.answer(attempt)
    assert attempts_measured(telemetry) == 1


def test_an_attempt_that_is_sent_while_the_app_reads_is_a_child_of_its_call(scene: Scene, telemetry: Telemetry) -> None:
    """An attempt that is sent while the app reads is a child of its call's span, which is not current then."""
    call = scene.call()
    first = scene.attempt(call)
    scene.stream(first)
    call.method_returned("stream", first)
    with telemetry.tracer_provider.get_tracer("app").start_as_current_span("reading"):
        second = scene.attempt(call)
        scene.answer(second)
    first.end(End.CLOSED)
    [span] = telemetry.calls
    assert [child.parent for child in telemetry.attempts] == [span.context, span.context]


# -- whether it is enabled ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suppress", [suppress_instrumentation, suppress_http_instrumentation])
def test_where_instrumentation_is_suppressed_there_are_no_spans(
    scene: Scene,
    recorder: OpenTelemetryRecorder,
    telemetry: Telemetry,
    caplog: pytest.LogCaptureFixture,
    suppress: Callable[[], AbstractContextManager[None]],
) -> None:
    """Metrics and logs go on, no trace context is sent, and one warning says what happens."""
    caplog.set_level(logging.INFO, "anthropic_otel")
    with suppress():
        assert recorder.enabled()
        for _ in range(2):
            a_whole_call(scene)
        lone = scene.attempt()
        assert lone.recorder.headers == {}
        scene.answer(lone)
    assert telemetry.spans == []
    assert attempts_measured(telemetry) == 5
    assert call_outcomes(telemetry) == ["recovered"]
    assert [record.levelname for record in caplog.records if record.name == "anthropic_otel.attempt"] == ["INFO"] * 2
    [warning] = [record for record in caplog.records if record.name == "anthropic_otel"]
    assert (warning.levelname, "suppresses instrumentation" in warning.getMessage()) == ("WARNING", True)
    a_whole_call(scene)
    assert len(telemetry.attempts) == 2


def test_of_a_call_that_the_sdks_sampler_has_dropped_there_are_no_spans(scene: Scene, telemetry: Telemetry) -> None:
    """Where the SDK has a tracer and makes no current span, its sampler has dropped the call: ours are not drawn."""
    call = scene.call(sdk_makes_span=True, sdk_tracer_provider=telemetry.tracer_provider)
    attempts = [scene.attempt(call)]
    scene.answer(attempts[0], 529)
    attempts.append(scene.attempt(call))
    scene.answer(attempts[1])
    call.method_returned(None, None)
    assert [attempt.recorder.headers for attempt in attempts] == [{}, {}]
    assert telemetry.spans == []
    assert (attempts_measured(telemetry), call_outcomes(telemetry)) == (2, ["recovered"])


@pytest.mark.parametrize("same", [True, False])
def test_two_tracer_providers_are_warned_of_once(
    scene: Scene, telemetry: Telemetry, caplog: pytest.LogCaptureFixture, same: bool
) -> None:
    """One warning says that call spans and attempts go to different providers, and none where they do not."""
    theirs = telemetry.tracer_provider if same else Telemetry().tracer_provider
    for _ in range(2):
        call = scene.call(sdk_makes_span=True, sdk_tracer_provider=theirs)
        with theirs.get_tracer("sdk").start_as_current_span("anthropic.messages.create"):
            scene.answer(scene.attempt(call))
        call.method_returned(None, None)
    assert ["another tracer provider" in message for message in caplog.messages] == ([] if same else [True])


def test_an_interrupt_leaves_nothing_attached(
    scene: Scene, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attempt that is interrupted in its start is ended by its call, and what was current before is again."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = otel_context.get_current()
    call = scene.call()
    with monkeypatch.context() as patch:
        patch.setattr(propagate, "inject", interrupt)
        with pytest.raises(KeyboardInterrupt) as caught:
            scene.attempt(call)
    call.method_raised(caught.value)
    assert otel_context.get_current() == before
    assert call_outcomes(telemetry) == ["cancelled"]


def test_an_app_without_a_provider_is_warned_once(caplog: pytest.LogCaptureFixture) -> None:
    """An app without providers is warned once, at its first call, as it may set them after `instrument`."""
    recorder = OpenTelemetryRecorder(
        Settings(tracer_provider=NoOpTracerProvider(), meter_provider=NoOpMeterProvider(), logs=False)
    )
    assert caplog.records == []
    assert not recorder.enabled()
    assert not recorder.enabled()
    [record] = caplog.records
    assert (record.name, record.levelname) == ("anthropic_otel", "WARNING")
    assert "goes nowhere" in record.getMessage()


def test_providers_that_were_asked_for_before_they_were_set_are_the_global_ones(
    telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What OpenTelemetry returns for an unset provider, passed to `instrument`, is as good as to pass none."""
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: telemetry.tracer_provider)
    monkeypatch.setattr(metrics, "get_meter_provider", lambda: telemetry.meter_provider)
    recorder = OpenTelemetryRecorder(Settings(ProxyTracerProvider(), _ProxyMeterProvider(), logs=False))
    assert recorder.enabled()
    assert recorder.settings == Settings(logs=False)
    # As one that was passed to an SDK client.
    assert recorder.follows(ProxyTracerProvider())

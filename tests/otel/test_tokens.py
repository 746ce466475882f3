"""Tokens as counters: collected by whoever and whenever, none is lost and none is counted twice."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider, ObservableCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.trace import SpanKind

from anthropic_otel._core import instruments, semconv
from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.ending import End
from anthropic_otel._core.settings import Settings
from anthropic_otel._core.target import provider_of, target_of
from anthropic_otel._core.usage import Usage, of_reply
from anthropic_otel._otel.recorder import OpenTelemetryRecorder
from anthropic_otel._otel.tokens import MAX_PORTS, Key, Tokens
from core.notes import ManualClock
from otel.scene import Scene
from support.streams import LAST_DELTA, START, STOP, sse
from support.telemetry import Telemetry

REPLY = {"usage": {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 100}}
LABELS = {
    semconv.GEN_AI_OPERATION_NAME: "chat",
    semconv.GEN_AI_PROVIDER_NAME: "anthropic",
    semconv.GEN_AI_TOKEN_MODALITY: "unknown",
    semconv.GEN_AI_REQUEST_MODEL: "claude-opus-4-5",
    semconv.SERVER_ADDRESS: "api.anthropic.com",
    semconv.SERVER_PORT: 443,
    semconv.ATTEMPT_OUTCOME: "completed",
}


def create(scene: Scene, **invocation: Any) -> None:
    """A call that is answered with `REPLY`."""
    call = scene.call(**invocation)
    scene.answer(scene.attempt(call))
    call.method_returned(REPLY, None)


def points(telemetry: Telemetry) -> dict[str, list[tuple[dict[str, Any], float]]]:
    """The points of each counter."""
    return {m.name: [(dict(p.attributes), p.sum) for p in telemetry.points(m)] for m in instruments.USAGE}


def test_a_reply_counts_under_the_names_of_the_conventions(scene: Scene, telemetry: Telemetry) -> None:
    """With the attributes that these require, and the attempt's outcome."""
    create(scene)
    values = (110, 5, 100, 0, 0)
    assert points(telemetry) == {m.name: [(LABELS, value)] for m, value in zip(instruments.USAGE, values, strict=True)}


def test_what_failed_and_told_nothing_counts_0(scene: Scene, telemetry: Telemetry) -> None:
    """So a query finds the counter before its first token, as the conventions ask."""
    call = scene.call()
    scene.answer(scene.attempt(call), 529)
    call.method_raised(ValueError())
    assert points(telemetry)[instruments.USAGE_INPUT.name] == [({**LABELS, semconv.ATTEMPT_OUTCOME: "failed"}, 0)]


def test_a_broken_stream_counts_what_it_told(scene: Scene, telemetry: Telemetry) -> None:
    """The input, and the output so far: a lower bound, under the outcome of the attempt."""
    ways: tuple[tuple[list[dict[str, Any]], End, str, int], ...] = (
        ([START], End.READ, "failed", 1),
        ([START], End.CLOSED, "abandoned", 1),
        ([START, LAST_DELTA, STOP], End.READ, "completed", 7),
    )
    for chunks, how, outcome, output in ways:
        call = scene.call(stream=True)
        attempt = scene.attempt(call)
        reading = scene.stream(attempt)
        call.method_returned(None, attempt)
        for event in chunks:
            scene.chunk(reading, sse(event["type"], event))
        attempt.end(how)
        found = {p.attributes[semconv.ATTEMPT_OUTCOME]: p.sum for p in telemetry.points(instruments.USAGE_OUTPUT)}
        assert found[outcome] == output
    assert sum(p.sum for p in telemetry.points(instruments.USAGE_INPUT)) == 27


def test_what_is_no_inference_has_no_tokens(scene: Scene, telemetry: Telemetry) -> None:
    """A count of tokens uses none; a batch is paid for by whoever runs it."""
    for operation in ("messages.count_tokens", "messages.batches.create"):
        create(scene, operation=operation)
    assert not any(points(telemetry).values())


@pytest.mark.parametrize("options", [{"usage": False}, {"metrics": False}])
def test_it_can_be_turned_off(options: dict[str, bool], clock: ManualClock, telemetry: Telemetry) -> None:
    """By itself, and with all metrics."""
    settings = Settings(telemetry.tracer_provider, telemetry.meter_provider, **options)
    create(Scene(OpenTelemetryRecorder(settings), clock))
    assert not any(points(telemetry).values())


@pytest.mark.parametrize(
    ("attributes", "counted"),
    [({"gen_ai.operation.name": "chat"}, False), ({"openinference.span.kind": "LLM"}, False), ({"mine": "x"}, True)],
)
def test_a_call_that_another_instrumentation_has_a_span_for_counts_not(
    attributes: dict[str, str], counted: bool, scene: Scene, telemetry: Telemetry
) -> None:
    """It may count by the same names. A span of the app's own changes nothing, nor does one of the SDK's."""
    tracer = telemetry.tracer_provider.get_tracer("another")
    with tracer.start_as_current_span("chat", kind=SpanKind.CLIENT, attributes=attributes):
        create(scene)
        call = scene.call()
        scene.answer(scene.attempt(call), 529)
        call.method_raised(ValueError())
        scene.answer(scene.attempt(), 529)
    assert any(points(telemetry).values()) is counted


def test_a_span_of_the_sdks_own_counts_nothing(scene: Scene, telemetry: Telemetry) -> None:
    """It has the marks of a model call, but the SDK has no metrics."""
    tracer = telemetry.tracer_provider.get_tracer("com.anthropic.sdk.python")
    with tracer.start_as_current_span("anthropic.messages.create", attributes={"gen_ai.operation.name": "chat"}):
        create(scene, sdk_makes_span=True)
    assert points(telemetry)[instruments.USAGE_INPUT.name] == [(LABELS, 110)]


def test_an_advisor_counts_under_its_own_model(scene: Scene, telemetry: Telemetry) -> None:
    """It is billed by another price."""
    advice = {"type": "advisor_message", "model": "claude-advisor", "input_tokens": 4, "output_tokens": 2}
    call = scene.call()
    scene.answer(scene.attempt(call))
    call.method_returned({"usage": {**REPLY["usage"], "iterations": [advice]}}, None)
    found = {p.attributes[semconv.GEN_AI_REQUEST_MODEL]: p.sum for p in telemetry.points(instruments.USAGE_INPUT)}
    assert found == {"claude-opus-4-5": 110, "claude-advisor": 4}


@pytest.mark.parametrize(
    ("host", "path", "provider"),
    [
        ("host", "/v1/messages", "anthropic"),
        ("host", "/model/m/invoke", "aws.bedrock"),
        ("host", "/v1/projects/p/locations/l/publishers/anthropic/models/m:rawPredict", "gcp.vertex_ai"),
        ("host", "/projects/p/locations/l/publishers/anthropic/models/m:streamRawPredict", "gcp.vertex_ai"),
        ("bedrock-mantle.us-east-1.api.aws", "/anthropic/v1/messages", "aws.bedrock"),
        ("aws-external-anthropic.us-east-1.api.aws", "/v1/messages", "anthropic"),
        ("a-resource.services.ai.azure.com", "/anthropic/v1/messages", "anthropic"),
        ("host", "/else", "anthropic"),
    ],
)
def test_without_the_sdk_the_url_tells_the_provider(host: str, path: str, provider: str) -> None:
    """It is required on the counters, and is that of the SDK's own spans for the platform."""
    assert provider_of(target_of("POST", "https", host, None, path)) == provider


def test_attributes_are_bounded(scene: Scene, telemetry: Telemetry) -> None:
    """However many ports a process meets: those beyond are left out. And no long name is kept."""
    for port in range(2 * MAX_PORTS):
        attempt = scene.attempt(target=target_of("POST", "https", "host", 1_000 + port, "/v1/messages"))
        scene.answer(attempt)
        attempt.take_usage(of_reply(REPLY))
    ports = [p.attributes.get(semconv.SERVER_PORT) for p in telemetry.points(instruments.USAGE_INPUT)]
    assert len(ports) == MAX_PORTS + 1
    assert ports.count(None) == 1
    assert sum(p.sum for p in telemetry.points(instruments.USAGE_INPUT)) == 2 * MAX_PORTS * 110


def test_each_reader_gets_every_token_once(clock: ManualClock) -> None:
    """Two readers, one of them with delta temporality, in between and at the end."""
    delta = InMemoryMetricReader({ObservableCounter: AggregationTemporality.DELTA})
    readers = (InMemoryMetricReader(), delta)
    provider = MeterProvider(readers, shutdown_on_exit=False)
    scene = Scene(OpenTelemetryRecorder(Settings(meter_provider=provider)), clock)
    found: list[list[float]] = [[], []]
    for _ in range(2):
        create(scene)
        for reader, values in zip(readers, found, strict=True):
            values.append(_value(reader))
    assert found == [[110, 220], [110, 110]]


def _value(reader: InMemoryMetricReader) -> float:
    data: Any = reader.get_metrics_data()
    metrics = data.resource_metrics[0].scope_metrics[0].metrics
    return next(float(m.data.data_points[0].value) for m in metrics if m.name == instruments.USAGE_INPUT.name)


def _ended(scene: Scene) -> Attempt:
    return scene.answer(scene.attempt())


def test_no_token_is_lost_between_threads(scene: Scene, telemetry: Telemetry) -> None:
    """Many threads count, the queue is taken from by them and by a reader, at once."""
    assert isinstance(scene.recorder, OpenTelemetryRecorder)
    assert scene.recorder.metrics is not None
    tokens, attempt = scene.recorder.metrics.tokens, _ended(scene)
    counted, done = 4 * 3_000, threading.Event()

    def count() -> None:
        for _ in range(counted // 4):
            tokens.add(attempt, Usage(1, 2))

    def collect() -> None:
        while not done.is_set():
            telemetry.points(instruments.USAGE_INPUT)

    threads = [threading.Thread(target=count) for _ in range(4)]
    reader = threading.Thread(target=collect)
    for thread in (reader, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    reader.join()
    assert [sum(p.sum for p in telemetry.points(m)) for m in instruments.USAGE[:2]] == [counted, 2 * counted]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_counts_on_though_a_thread_of_its_parent_was_reading(scene: Scene, telemetry: Telemetry) -> None:
    """Its copy of the lock is held by nobody who could release it."""
    create(scene)
    assert isinstance(scene.recorder, OpenTelemetryRecorder)
    assert scene.recorder.metrics is not None
    tokens = scene.recorder.metrics.tokens
    with tokens._unread._lock:
        child = os.fork()
        if not child:
            ended = 1
            try:
                create(scene)
                ended = int(sum(p.sum for p in telemetry.points(instruments.USAGE_INPUT)) != 220)
            finally:
                os._exit(ended)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_lock_that_an_interrupt_has_left_is_given_up(scene: Scene, telemetry: Telemetry) -> None:
    """The queue is bounded by that, and nothing in it is lost."""
    assert isinstance(scene.recorder, OpenTelemetryRecorder)
    assert scene.recorder.metrics is not None
    tokens = scene.recorder.metrics.tokens
    tokens._unread._lock.acquire()
    attempt = _ended(scene)
    for _ in range(10_101):
        tokens.add(attempt, Usage(1, 0))
    assert len(tokens._unread) < 200
    assert sum(p.sum for p in telemetry.points(instruments.USAGE_INPUT)) == 10_101


def test_a_long_queue_waits_for_the_thread_that_reads(
    scene: Scene, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many attempts end meanwhile: two threads that add to the same counts would lose some."""
    assert isinstance(scene.recorder, OpenTelemetryRecorder)
    assert scene.recorder.metrics is not None
    tokens, attempt = scene.recorder.metrics.tokens, _ended(scene)
    begin, readers = Tokens._begin, list[int]()

    def count() -> None:
        for _ in range(10_101):
            tokens.add(attempt, Usage(1, 0))

    def slow(self: Tokens, key: Key, usage: Usage) -> list[int]:
        readers.append(threading.get_ident())
        if len(readers) == 1:
            thread = threading.Thread(target=count)
            thread.start()
            thread.join()
        return begin(self, key, usage)

    monkeypatch.setattr(Tokens, "_begin", slow)
    tokens.add(attempt, Usage(1, 0))
    assert sum(p.sum for p in telemetry.points(instruments.USAGE_INPUT)) == 10_102
    assert readers == [threading.get_ident()]

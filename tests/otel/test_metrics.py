"""What is measured, with which attributes, and within which bounds."""

from __future__ import annotations

import tracemalloc
import weakref
from typing import Any

import httpx
import pytest
from opentelemetry.metrics import Meter, MeterProvider
from opentelemetry.sdk.metrics import Counter as OtelCounter
from opentelemetry.sdk.metrics import Histogram as OtelHistogram
from opentelemetry.sdk.metrics import MeterProvider as SdkMeterProvider
from opentelemetry.sdk.metrics import ObservableCounter as OtelObservableCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader

from anthropic_otel._core import instruments, semconv
from anthropic_otel._core.ending import End
from anthropic_otel._core.request import RequestFacts
from anthropic_otel._core.settings import Settings
from anthropic_otel._core.target import target_of
from anthropic_otel._otel.attributes import MAX_MODELS, MAX_STATUSES
from anthropic_otel._otel.recorder import OpenTelemetryRecorder
from core.notes import MESSAGES, ManualClock
from otel.scene import Scene
from support.telemetry import Telemetry
from support.waiting import collect_garbage

TARGET = {
    semconv.OPERATION_NAME: "messages.create",
    semconv.SERVER_ADDRESS: "api.anthropic.com",
    semconv.GEN_AI_REQUEST_MODEL: "claude-opus-4-5",
}
OK = {semconv.HTTP_RESPONSE_STATUS_CODE: 200, semconv.ATTEMPT_STATUS_CLASS: "2xx", semconv.ATTEMPT_OUTCOME: "completed"}


def only(telemetry: Telemetry, metric: instruments.Metric) -> tuple[dict[str, Any], int, float]:
    [point] = telemetry.points(metric)
    return dict(point.attributes), point.count, point.sum


def test_a_call_that_recovers(scene: Scene, telemetry: Telemetry) -> None:
    """Every metric of it, with exactly the attributes that apply."""
    call = scene.call()
    scene.answer(scene.attempt(call), 529, 2.0)
    scene.clock.pass_seconds(0.5)
    scene.answer(scene.attempt(call), 200, 3.0)
    call.method_returned(None, None)
    [started] = telemetry.points(instruments.ATTEMPT_STARTED)
    assert (dict(started.attributes), started.sum) == (TARGET, 2)
    failed, completed = sorted(telemetry.points(instruments.ATTEMPT_DURATION), key=lambda point: point.sum)
    assert dict(completed.attributes) == {**TARGET, **OK}
    assert completed.sum == 3.0
    assert dict(failed.attributes) == {
        **TARGET,
        semconv.HTTP_RESPONSE_STATUS_CODE: 529,
        semconv.ATTEMPT_STATUS_CLASS: "5xx",
        semconv.ERROR_TYPE: "529",
        semconv.ATTEMPT_OUTCOME: "failed",
    }
    assert failed.sum == 2.0
    assert only(telemetry, instruments.CALL_DURATION) == ({**TARGET, semconv.CALL_OUTCOME: "recovered"}, 1, 5.5)
    assert only(telemetry, instruments.CALL_RETRIES) == ({**TARGET, semconv.CALL_OUTCOME: "recovered"}, 1, 1)
    assert only(telemetry, instruments.RETRY_DELAY) == (
        {
            semconv.OPERATION_NAME: "messages.create",
            semconv.SERVER_ADDRESS: "api.anthropic.com",
            semconv.RETRY_REASON: "529",
            semconv.RETRY_SOURCE: "backoff",
        },
        1,
        0.5,
    )
    assert telemetry.points(instruments.ATTEMPT_TIME_TO_FIRST_CHUNK) == []


def test_what_a_response_tells_of_rate_limits_stays_until_the_next_one(scene: Scene, telemetry: Telemetry) -> None:
    """An overload comes without the headers, and changes nothing."""
    told = {b"anthropic-ratelimit-requests-limit": b"50", b"anthropic-ratelimit-requests-remaining": b"49"}
    for status, headers in ((200, told), (529, {})):
        call = scene.call()
        scene.answer(scene.attempt(call), status, headers=headers)
        call.method_returned(None, None)
    [point] = telemetry.points(instruments.RATELIMIT_REMAINING)
    assert dict(point.attributes) == {
        semconv.RATELIMIT_KIND: "requests",
        semconv.GEN_AI_REQUEST_MODEL: "claude-opus-4-5",
    }
    assert point.sum == 49


def test_whoever_measures_into_one_provider_counts_together(clock: ManualClock, telemetry: Telemetry) -> None:
    """Single clients, and whoever instruments again: what is observed is registered once, and serves all of them."""
    told = {b"anthropic-ratelimit-requests-limit": b"50"}
    for model in ("a", "b"):
        settings = Settings(tracer_provider=telemetry.tracer_provider, meter_provider=telemetry.meter_provider)
        scene = Scene(OpenTelemetryRecorder(settings), clock)
        call = scene.call(model=model)
        scene.answer(scene.attempt(call), headers=told)
        call.method_returned(None, None)
    for metric, value in ((instruments.ATTEMPT_STARTED, 1), (instruments.RATELIMIT_LIMIT, 50)):
        values = {point.attributes[semconv.GEN_AI_REQUEST_MODEL]: point.sum for point in telemetry.points(metric)}
        assert values == {"a": value, "b": value}


def test_the_metrics_of_a_provider_go_with_it() -> None:
    """Nothing here keeps a provider alive that an app has dropped."""
    telemetry = Telemetry()
    OpenTelemetryRecorder(Settings(meter_provider=telemetry.meter_provider))
    gone = weakref.ref(telemetry.meter_provider)
    telemetry.meter_provider.shutdown()
    del telemetry
    collect_garbage()
    assert gone() is None


def test_a_provider_without_a_hash_is_shared_too(telemetry: Telemetry, clock: ManualClock) -> None:
    """A provider is known by identity, as that of Logfire has no hash: two clients that use it count together."""

    class Provider(MeterProvider):
        __hash__ = None  # type: ignore[assignment]

        def get_meter(self, *args: Any, **kwargs: Any) -> Meter:
            return telemetry.meter_provider.get_meter(*args, **kwargs)

    settings = Settings(telemetry.tracer_provider, Provider())
    for _ in range(2):
        scene = Scene(OpenTelemetryRecorder(settings), clock)
        scene.answer(scene.attempt())
    assert [point.sum for point in telemetry.points(instruments.ATTEMPT_STARTED)] == [2]


def test_a_failure_of_the_network_has_its_cause(scene: Scene, telemetry: Telemetry) -> None:
    """And no status."""
    call = scene.call(max_retries=0)
    error = httpx.ConnectError("")
    error.__cause__ = ConnectionRefusedError(111, "")
    scene.fail(scene.attempt(call), error)
    call.method_raised(error)
    attributes, _, _ = only(telemetry, instruments.ATTEMPT_DURATION)
    assert attributes == {
        **TARGET,
        semconv.ERROR_TYPE: "connection_refused",
        semconv.NETWORK_CAUSE: "connection_refused",
        semconv.ATTEMPT_OUTCOME: "failed",
    }
    assert only(telemetry, instruments.CALL_DURATION)[0] == {
        **TARGET,
        semconv.CALL_OUTCOME: "failed",
        semconv.ERROR_TYPE: "connection_error",
        semconv.NETWORK_CAUSE: "connection_refused",
    }


def test_an_attempt_without_a_call_has_no_model(scene: Scene, telemetry: Telemetry) -> None:
    """Nobody has told it."""
    scene.answer(scene.attempt())
    attributes, _, _ = only(telemetry, instruments.ATTEMPT_STARTED)
    assert attributes == {name: value for name, value in TARGET.items() if name != semconv.GEN_AI_REQUEST_MODEL}
    assert telemetry.points(instruments.CALL_DURATION) == []


def test_a_call_without_an_attempt_is_measured(scene: Scene, telemetry: Telemetry) -> None:
    """Where nothing is known of it, under `_OTHER`."""
    scene.call(operation=None, model=None).method_raised(ValueError())
    assert only(telemetry, instruments.CALL_DURATION)[0] == {
        semconv.OPERATION_NAME: "_OTHER",
        semconv.SERVER_ADDRESS: "_OTHER",
        semconv.CALL_OUTCOME: "failed",
        semconv.ERROR_TYPE: "client_error",
    }


def test_a_stream_has_the_time_to_its_first_chunk_and_its_longest_silence(scene: Scene, telemetry: Telemetry) -> None:
    """Both from this attempt's own start, free of what was before it."""
    call = scene.call(stream=True)
    scene.answer(scene.attempt(call), 529, 9.0)
    attempt = scene.attempt(call)
    reading = scene.stream(attempt, 2.0)
    call.method_returned(None, attempt)
    scene.chunk(reading, b"", 0.5)
    scene.chunk(reading, b"", 1.5)
    attempt.end(End.CLOSED)
    assert only(telemetry, instruments.ATTEMPT_TIME_TO_FIRST_CHUNK) == (TARGET, 1, 2.5)
    abandoned = {**TARGET, semconv.ATTEMPT_OUTCOME: "abandoned"}
    assert only(telemetry, instruments.STREAM_MAX_GAP) == (abandoned, 1, 1.5)


def test_a_stall_before_the_first_chunk_is_a_silence(scene: Scene, telemetry: Telemetry) -> None:
    """A stream that ends in a timeout without a chunk has no first one, and was silent all the time."""
    call = scene.call(stream=True)
    attempt = scene.attempt(call)
    reading = scene.stream(attempt)
    call.method_returned(None, attempt)
    reading.asked_at = reading.clock_now()
    scene.clock.pass_seconds(60.0)
    attempt.fail(httpx.ReadTimeout(""))
    assert only(telemetry, instruments.STREAM_MAX_GAP)[1:] == (1, 60.0)
    assert telemetry.points(instruments.ATTEMPT_TIME_TO_FIRST_CHUNK) == []


@pytest.mark.parametrize(
    ("path", "content_type"),
    [("/v1/files/f/content", b"application/pdf"), ("/v1/sessions/s/events/stream", b"text/event-stream")],
)
def test_a_body_that_is_no_message_stream_has_neither(
    path: str, content_type: bytes, scene: Scene, telemetry: Telemetry
) -> None:
    """A file is no stream of events, and that of an agent is silent as long as nothing happens."""
    attempt = scene.attempt(target=target_of("GET", "https", "api.anthropic.com", None, path))
    reading = scene.stream(attempt, 1.0, content_type)
    scene.chunk(reading, b"", 3.0)
    attempt.end(End.READ)
    assert telemetry.points(instruments.ATTEMPT_TIME_TO_FIRST_CHUNK) == []
    assert telemetry.points(instruments.STREAM_MAX_GAP) == []
    assert len(telemetry.points(instruments.ATTEMPT_DURATION)) == 1


def test_a_call_without_a_retry_is_not_among_the_retries(scene: Scene, telemetry: Telemetry) -> None:
    """How many calls there were, their duration tells."""
    call = scene.call()
    scene.answer(scene.attempt(call))
    call.method_returned(None, None)
    assert telemetry.points(instruments.CALL_RETRIES) == []
    assert only(telemetry, instruments.CALL_DURATION)[1] == 1


def test_an_attempt_has_the_model_of_its_own_request(scene: Scene, telemetry: Telemetry) -> None:
    """A fallback's is the fallback's; the call has the one that the app asked for."""
    call = scene.call(model="claude-opus-4-5")
    attempt = scene.attempt(call)
    scene.answer(attempt)
    fallback = call.begin_attempt(RequestFacts(MESSAGES, "claude-haiku-4-5"))
    fallback.responded(200, {})
    fallback.end(End.READ)
    call.method_returned(None, None)
    models = {
        point.attributes[semconv.GEN_AI_REQUEST_MODEL] for point in telemetry.points(instruments.ATTEMPT_DURATION)
    }
    assert models == {"claude-opus-4-5", "claude-haiku-4-5"}
    assert only(telemetry, instruments.CALL_DURATION)[0][semconv.GEN_AI_REQUEST_MODEL] == "claude-opus-4-5"
    assert telemetry.points(instruments.CALL_RETRIES) == []
    assert telemetry.points(instruments.RETRY_DELAY) == []


def test_what_the_api_said_is_on_the_call(scene: Scene, telemetry: Telemetry) -> None:
    """A spend limit and a rate limit are different things under the same status."""
    call = scene.call(max_retries=0)
    body = b'{"type":"error","error":{"type":"rate_limit_error","details":{"error_code":"spend_limit_reached"}}}'
    attempt = scene.attempt(call)
    attempt.responded(429, {}, body=body)
    attempt.end(End.READ)
    call.method_raised(_StatusError(429))
    assert only(telemetry, instruments.CALL_DURATION)[0][semconv.API_ERROR_CODE] == "spend_limit_reached"


def test_a_model_that_is_rejected_is_not_kept(scene: Scene, telemetry: Telemetry) -> None:
    """However long its name: neither as an attribute nor as a key."""
    tracemalloc.start()
    try:
        for number in range(30):
            call = scene.call(model=f"{number:07}" + "m" * 1_000_000)
            scene.answer(scene.attempt(call), 404)
            call.method_raised(_StatusError(404))
            telemetry.exporter.clear()
            del call
        collect_garbage()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000
    assert only(telemetry, instruments.ATTEMPT_STARTED)[0][semconv.GEN_AI_REQUEST_MODEL] == "_OTHER"


def test_a_model_is_named_by_the_last_part_of_its_resource(scene: Scene, telemetry: Telemetry) -> None:
    """The number of an account is on no metric."""
    call = scene.call(model="arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc")
    scene.answer(scene.attempt(call), headers={b"anthropic-ratelimit-tokens-limit": b"9"})
    call.method_returned(None, None)
    for metric in (
        instruments.ATTEMPT_STARTED,
        instruments.ATTEMPT_DURATION,
        instruments.CALL_DURATION,
        instruments.RATELIMIT_LIMIT,
    ):
        assert only(telemetry, metric)[0][semconv.GEN_AI_REQUEST_MODEL] == "abc"


def test_a_model_that_is_answered_is_named_whatever_was_mistyped(scene: Scene, telemetry: Telemetry) -> None:
    """Names that do not exist take half of the places, and no more."""
    for number in range(2 * MAX_MODELS):
        call = scene.call(model=f"mistyped-{number}")
        scene.answer(scene.attempt(call), 404)
        call.method_raised(_StatusError(404))
    for _ in range(2):
        call = scene.call(model="real")
        scene.answer(scene.attempt(call))
        call.method_returned(None, None)
    for metric in (instruments.ATTEMPT_DURATION, instruments.CALL_DURATION):
        counts = {point.attributes[semconv.GEN_AI_REQUEST_MODEL]: point.count for point in telemetry.points(metric)}
        assert counts.pop("real") == 2
        assert counts.pop("_OTHER") == 2 * MAX_MODELS - MAX_MODELS // 2
        assert len(counts) == MAX_MODELS // 2


def test_each_reader_is_told_everything(clock: ManualClock) -> None:
    """Two readers, one of them with delta temporality: counts, durations and limits add up for both."""
    delta = InMemoryMetricReader(
        dict.fromkeys((OtelCounter, OtelHistogram, OtelObservableCounter), AggregationTemporality.DELTA)
    )
    readers = (InMemoryMetricReader(), delta)
    provider = SdkMeterProvider(readers, shutdown_on_exit=False)
    scene = Scene(OpenTelemetryRecorder(Settings(meter_provider=provider)), clock)
    told = {b"anthropic-ratelimit-requests-limit": b"50", b"anthropic-ratelimit-requests-remaining": b"3"}
    found: list[list[float]] = [[], []]
    for _ in range(2):
        call = scene.call()
        scene.answer(scene.attempt(call), headers=told)
        call.method_returned(None, None)
        for reader, values in zip(readers, found, strict=True):
            points = _by_name(reader)
            values += (points[instruments.ATTEMPT_STARTED.name].value, points[instruments.ATTEMPT_DURATION.name].count)
            assert points[instruments.RATELIMIT_REMAINING.name].value == 3
    assert found == [[1, 1, 2, 2], [1, 1, 1, 1]]


def _by_name(reader: InMemoryMetricReader) -> dict[str, Any]:
    data: Any = reader.get_metrics_data()
    return {found.name: found.data.data_points[0] for found in data.resource_metrics[0].scope_metrics[0].metrics}


def test_instruments_live_as_long_as_the_metrics(clock: ManualClock) -> None:
    """A provider that keeps its instruments weakly, to make them anew where it is set up anew, finds all of them."""

    class Weakly(Meter):
        def __init__(self) -> None:
            super().__init__("weakly")
            self.made = weakref.WeakSet[Any]()
            self._real = SdkMeterProvider([InMemoryMetricReader()], shutdown_on_exit=False).get_meter("real")

        def __getattribute__(self, name: str) -> Any:
            if not name.startswith("create_"):
                return super().__getattribute__(name)

            def create(*args: Any, **kwargs: Any) -> Any:
                proxy = _Proxy(getattr(self._real, name)(*args, **kwargs))
                self.made.add(proxy)
                return proxy

            return create

        def create_counter(self, *args: Any, **kwargs: Any) -> Any: ...
        def create_up_down_counter(self, *args: Any, **kwargs: Any) -> Any: ...
        def create_observable_counter(self, *args: Any, **kwargs: Any) -> Any: ...
        def create_histogram(self, *args: Any, **kwargs: Any) -> Any: ...
        def create_observable_gauge(self, *args: Any, **kwargs: Any) -> Any: ...
        def create_observable_up_down_counter(self, *args: Any, **kwargs: Any) -> Any: ...

    class Provider(MeterProvider):
        def __init__(self) -> None:
            self.meters = weakref.WeakSet[Any]()

        def get_meter(self, *args: Any, **kwargs: Any) -> Meter:
            meter = Weakly()
            self.meters.add(meter)
            return meter

    provider = Provider()
    recorder = OpenTelemetryRecorder(Settings(meter_provider=provider))
    collect_garbage()
    [meter] = provider.meters
    assert len(meter.made) == len(instruments.METRICS)
    assert recorder.metrics is not None


class _Proxy:
    def __init__(self, real: Any) -> None:
        self._real = real

    def record(self, *args: Any) -> None:
        self._real.record(*args)


@pytest.mark.parametrize("metric", [m for m in instruments.METRICS if m.buckets], ids=lambda metric: metric.name)
def test_the_advised_buckets_are_taken(metric: instruments.Metric, scene: Scene, telemetry: Telemetry) -> None:
    """The SDK's own end at ten seconds of milliseconds, which are of no use here."""
    call = scene.call(stream=True)
    scene.answer(scene.attempt(call), 529)
    attempt = scene.attempt(call)
    scene.chunk(scene.stream(attempt), b"")
    attempt.end(End.READ)
    call.method_returned(None, attempt)
    data: Any = telemetry.reader.get_metrics_data()
    [found] = [m for m in data.resource_metrics[0].scope_metrics[0].metrics if m.name == metric.name]
    assert tuple(found.data.data_points[0].explicit_bounds) == metric.buckets
    assert (found.unit, found.description) == (metric.unit, metric.description)


def test_the_exemplar_is_the_attempts_span(recorder: OpenTelemetryRecorder, scene: Scene, telemetry: Telemetry) -> None:
    """It is recorded after the span has been taken off the context."""
    call = scene.call()
    scene.answer(scene.attempt(call))
    call.method_returned(None, None)
    data: Any = telemetry.reader.get_metrics_data()
    [found] = [
        m for m in data.resource_metrics[0].scope_metrics[0].metrics if m.name == instruments.ATTEMPT_DURATION.name
    ]
    [exemplar] = found.data.data_points[0].exemplars
    [span] = telemetry.attempts
    assert span.context is not None
    assert (exemplar.trace_id, exemplar.span_id) == (span.context.trace_id, span.context.span_id)


def test_metrics_can_be_left_out(telemetry: Telemetry, clock: ManualClock) -> None:
    """The spans stay."""
    recorder = OpenTelemetryRecorder(
        Settings(tracer_provider=telemetry.tracer_provider, meter_provider=telemetry.meter_provider, metrics=False)
    )
    scene = Scene(recorder, clock)
    call = scene.call()
    scene.answer(scene.attempt(call))
    call.method_returned(None, None)
    assert len(telemetry.spans) == 2
    assert all(telemetry.points(metric) == [] for metric in instruments.METRICS)


@pytest.mark.parametrize("status", [600, 1_000, 10**30])
def test_a_status_that_http_does_not_have_has_no_class(status: int, scene: Scene, telemetry: Telemetry) -> None:
    """On HTTP/2 a server may send any number, also one that no exporter can encode."""
    scene.answer(scene.attempt(), status)
    [point] = telemetry.points(instruments.ATTEMPT_DURATION)
    [span] = telemetry.attempts
    for told in (point.attributes, span.attributes or {}):
        assert semconv.ATTEMPT_STATUS_CLASS not in told
        assert told.get(semconv.HTTP_RESPONSE_STATUS_CODE) == (status if status < 1_000 else None)
        assert told[semconv.ERROR_TYPE] == str(status)


def test_whatever_an_app_and_a_server_do_the_sets_are_bounded(scene: Scene, telemetry: Telemetry) -> None:
    """Any models, hosts and statuses: each metric stays below the 2,000 sets that OpenTelemetry keeps."""
    for number in range(1_400):
        target = target_of("POST", "https", f"host-{number % 97}.test", None, "/v1/messages")
        call = scene.call(model=f"model-{number % 211}", max_retries=number // 600 % 2)
        headers = {b"retry-after": b"1"} if number // 600 % 2 else {}
        scene.answer(scene.attempt(call, RequestFacts(target)), 400 + number % 600, 0.0, headers)
        scene.answer(scene.attempt(call, RequestFacts(target)), 999 - number % 600, 0.0)
        call.method_raised(_StatusError(999 - number % 600))
    for metric in instruments.METRICS:
        points = telemetry.points(metric)
        assert len(points) < 2_000, metric.name
        assert not any("otel.metric.overflow" in point.attributes for point in points)
    for metric, name in (
        (instruments.ATTEMPT_DURATION, semconv.HTTP_RESPONSE_STATUS_CODE),
        (instruments.ATTEMPT_DURATION, semconv.ERROR_TYPE),
        (instruments.CALL_DURATION, semconv.ERROR_TYPE),
        (instruments.RETRY_DELAY, semconv.RETRY_REASON),
    ):
        values = {point.attributes.get(name) for point in telemetry.points(metric)}
        assert len(values) == MAX_STATUSES + 1, (metric.name, name)


class _StatusError(Exception):
    def __init__(self, status: int) -> None:
        self.status_code = status


_StatusError.__name__ = "APIStatusError"
_StatusError.__module__ = "anthropic"

"""What is measured, with which attributes, and within which bounds."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import httpx
import pytest
from opentelemetry.metrics import Meter, MeterProvider

from anthropic_otel._core import semconv as s
from anthropic_otel._core.attempt import End
from anthropic_otel._core.target import target_of
from anthropic_otel._otel.attributes import MAX_STATUSES
from anthropic_otel._otel.observer import OpenTelemetryObserver, Settings
from support.telemetry import Telemetry

TARGET = {
    s.OPERATION_NAME: "messages.create",
    s.SERVER_ADDRESS: "api.anthropic.com",
    s.GEN_AI_REQUEST_MODEL: "claude-opus-4-5",
}
OK = {s.HTTP_RESPONSE_STATUS_CODE: 200, s.ATTEMPT_STATUS_CLASS: "2xx", s.ATTEMPT_OUTCOME: "completed"}


def only(telemetry: Telemetry, metric: s.Metric) -> tuple[dict[str, Any], int, float]:
    [point] = telemetry.points(metric)
    return dict(point.attributes), point.count, point.sum


def test_a_call_that_recovers(scene: Any, telemetry: Telemetry) -> None:
    """Every metric of it, with exactly the attributes that apply."""
    call = scene.call()
    scene.answer(scene.attempt(call), 529, 2.0)
    scene.clock.pass_(0.5)
    scene.answer(scene.attempt(call), 200, 3.0)
    call.returned()
    [started] = telemetry.points(s.ATTEMPT_STARTED)
    assert (dict(started.attributes), started.sum) == (TARGET, 2)
    failed, completed = sorted(telemetry.points(s.ATTEMPT_DURATION), key=lambda point: point.sum)
    assert dict(completed.attributes) == {**TARGET, **OK}
    assert completed.sum == 3.0
    assert dict(failed.attributes) == {
        **TARGET,
        s.HTTP_RESPONSE_STATUS_CODE: 529,
        s.ATTEMPT_STATUS_CLASS: "5xx",
        s.ERROR_TYPE: "529",
        s.ATTEMPT_OUTCOME: "failed",
    }
    assert failed.sum == 2.0
    assert only(telemetry, s.CALL_DURATION) == ({**TARGET, s.CALL_OUTCOME: "recovered"}, 1, 5.5)
    assert only(telemetry, s.CALL_RETRIES) == ({**TARGET, s.CALL_OUTCOME: "recovered"}, 1, 1)
    assert only(telemetry, s.RETRY_DELAY_METRIC) == (
        {
            s.OPERATION_NAME: "messages.create",
            s.SERVER_ADDRESS: "api.anthropic.com",
            s.RETRY_REASON: "529",
            s.RETRY_SOURCE: "backoff",
        },
        1,
        0.5,
    )
    assert telemetry.points(s.ATTEMPT_TIME_TO_FIRST_CHUNK) == []


def test_what_a_response_tells_of_rate_limits_stays_until_the_next_one(scene: Any, telemetry: Telemetry) -> None:
    """An overload comes without the headers, and changes nothing."""
    told = {b"anthropic-ratelimit-requests-limit": b"50", b"anthropic-ratelimit-requests-remaining": b"49"}
    for status, headers in ((200, told), (529, {})):
        call = scene.call()
        scene.answer(scene.attempt(call), status, headers=headers)
        call.returned()
    [point] = telemetry.points(s.RATELIMIT_REMAINING)
    assert dict(point.attributes) == {s.RATELIMIT_KIND: "requests", s.GEN_AI_REQUEST_MODEL: "claude-opus-4-5"}
    assert point.sum == 49


def test_whoever_measures_into_one_provider_counts_together(scene_of: Any, clock: Any, telemetry: Telemetry) -> None:
    """Single clients, and whoever instruments again: what is observed is registered once, and serves all of them."""
    told = {b"anthropic-ratelimit-requests-limit": b"50"}
    for model in ("a", "b"):
        settings = Settings(tracer_provider=telemetry.tracer_provider, meter_provider=telemetry.meter_provider)
        scene = scene_of(OpenTelemetryObserver(settings), clock)
        call = scene.call(model=model)
        scene.answer(scene.attempt(call), headers=told)
        call.returned()
    for metric, value in ((s.ATTEMPT_STARTED, 1), (s.RATELIMIT_LIMIT, 50)):
        values = {point.attributes[s.GEN_AI_REQUEST_MODEL]: point.sum for point in telemetry.points(metric)}
        assert values == {"a": value, "b": value}


def test_the_metrics_of_a_provider_go_with_it() -> None:
    """Nothing here keeps a provider alive that an app has dropped."""
    telemetry = Telemetry()
    OpenTelemetryObserver(Settings(meter_provider=telemetry.meter_provider))
    gone = weakref.ref(telemetry.meter_provider)
    telemetry.meter_provider.shutdown()
    del telemetry
    gc.collect()
    assert gone() is None


def test_a_provider_without_a_hash_is_measured_into(telemetry: Telemetry, scene_of: Any, clock: Any) -> None:
    """Its metrics are its own."""

    class Provider(MeterProvider):
        __hash__ = None  # type: ignore[assignment]

        def get_meter(self, *args: Any, **kwargs: Any) -> Meter:
            return telemetry.meter_provider.get_meter(*args, **kwargs)

    scene = scene_of(OpenTelemetryObserver(Settings(telemetry.tracer_provider, Provider())), clock)
    scene.answer(scene.attempt())
    assert [point.sum for point in telemetry.points(s.ATTEMPT_STARTED)] == [1]


def test_a_failure_of_the_network_has_its_cause(scene: Any, telemetry: Telemetry) -> None:
    """And no status."""
    call = scene.call()
    error = httpx.ConnectError("")
    error.__cause__ = ConnectionRefusedError(111, "")
    scene.fail(scene.attempt(call), error)
    call.returned(error)
    attributes, _, _ = only(telemetry, s.ATTEMPT_DURATION)
    assert attributes == {
        **TARGET,
        s.ERROR_TYPE: "connection_refused",
        s.NETWORK_CAUSE: "connection_refused",
        s.ATTEMPT_OUTCOME: "failed",
    }
    assert only(telemetry, s.CALL_DURATION)[0] == {**TARGET, s.CALL_OUTCOME: "failed", s.ERROR_TYPE: "connection_error"}


def test_an_attempt_without_a_call_has_no_model(scene: Any, telemetry: Telemetry) -> None:
    """Nobody has told it."""
    scene.answer(scene.attempt())
    attributes, _, _ = only(telemetry, s.ATTEMPT_STARTED)
    assert attributes == {name: value for name, value in TARGET.items() if name != s.GEN_AI_REQUEST_MODEL}
    assert telemetry.points(s.CALL_DURATION) == []


def test_a_call_without_an_attempt_is_measured(scene: Any, telemetry: Telemetry) -> None:
    """Where nothing is known of it, under `_OTHER`."""
    scene.call(operation=None, model=None).returned(ValueError())
    assert only(telemetry, s.CALL_DURATION)[0] == {
        s.OPERATION_NAME: "_OTHER",
        s.SERVER_ADDRESS: "_OTHER",
        s.CALL_OUTCOME: "failed",
        s.ERROR_TYPE: "client_error",
    }


def test_a_stream_has_the_time_to_its_first_chunk(scene: Any, telemetry: Telemetry) -> None:
    """From this attempt's own start, free of what was before it."""
    call = scene.call(stream=True)
    scene.answer(scene.attempt(call), 529, 9.0)
    attempt = scene.attempt(call)
    reading = scene.stream(attempt, 2.0)
    call.returned()
    reading.asked_at = reading.now()
    scene.clock.pass_(0.5)
    reading.arrived()
    attempt.end(End.CLOSED)
    assert only(telemetry, s.ATTEMPT_TIME_TO_FIRST_CHUNK) == (TARGET, 1, 2.5)


def test_a_body_that_is_no_event_stream_has_no_first_chunk(scene: Any, telemetry: Telemetry) -> None:
    """A file that is downloaded in chunks is no stream of events."""
    attempt = scene.attempt()
    reading = scene.stream(attempt, event_stream=False)
    reading.asked_at = reading.now()
    reading.arrived()
    attempt.end(End.READ)
    assert telemetry.points(s.ATTEMPT_TIME_TO_FIRST_CHUNK) == []


@pytest.mark.parametrize("metric", [m for m in s.METRICS if m.buckets], ids=lambda metric: metric.name)
def test_the_advised_buckets_are_taken(metric: s.Metric, scene: Any, telemetry: Telemetry) -> None:
    """The SDK's own end at ten seconds of milliseconds, which are of no use here."""
    call = scene.call(stream=True)
    scene.answer(scene.attempt(call), 529)
    attempt = scene.attempt(call)
    reading = scene.stream(attempt)
    reading.asked_at = reading.now()
    reading.arrived()
    attempt.end(End.READ)
    call.returned()
    data: Any = telemetry.reader.get_metrics_data()
    [found] = [m for m in data.resource_metrics[0].scope_metrics[0].metrics if m.name == metric.name]
    assert tuple(found.data.data_points[0].explicit_bounds) == metric.buckets
    assert (found.unit, found.description) == (metric.unit, metric.description)


def test_the_exemplar_is_the_attempts_span(observer: OpenTelemetryObserver, scene: Any, telemetry: Telemetry) -> None:
    """It is recorded after the span has been taken off the context."""
    call = scene.call()
    scene.answer(scene.attempt(call))
    call.returned()
    data: Any = telemetry.reader.get_metrics_data()
    [found] = [m for m in data.resource_metrics[0].scope_metrics[0].metrics if m.name == s.ATTEMPT_DURATION.name]
    [exemplar] = found.data.data_points[0].exemplars
    [span] = telemetry.attempts
    assert span.context is not None
    assert (exemplar.trace_id, exemplar.span_id) == (span.context.trace_id, span.context.span_id)


def test_metrics_can_be_left_out(telemetry: Telemetry, scene_of: Any, clock: Any) -> None:
    """The spans stay."""
    observer = OpenTelemetryObserver(
        Settings(tracer_provider=telemetry.tracer_provider, meter_provider=telemetry.meter_provider, metrics=False)
    )
    scene = scene_of(observer, clock)
    call = scene.call()
    scene.answer(scene.attempt(call))
    call.returned()
    assert len(telemetry.spans) == 2
    assert all(telemetry.points(metric) == [] for metric in s.METRICS)


def test_whatever_an_app_and_a_server_do_the_sets_are_bounded(scene: Any, telemetry: Telemetry) -> None:
    """Any models, hosts and statuses: each metric stays below the 2,000 sets that OpenTelemetry keeps."""
    for number in range(1_400):
        target = target_of("POST", "https", f"host-{number % 97}.test", None, "/v1/messages")
        call = scene.call(model=f"model-{number % 211}", max_retries=number // 600 % 2)
        headers = {b"retry-after": b"1"} if number // 600 % 2 else {}
        scene.answer(scene.attempt(call, target), 400 + number % 600, 0.0, headers)
        scene.answer(scene.attempt(call, target), 999 - number % 600, 0.0)
        call.returned(_StatusError(999 - number % 600))
    for metric in s.METRICS:
        points = telemetry.points(metric)
        assert len(points) < 2_000, metric.name
        assert not any("otel.metric.overflow" in point.attributes for point in points)
    for metric, name in (
        (s.ATTEMPT_DURATION, s.HTTP_RESPONSE_STATUS_CODE),
        (s.ATTEMPT_DURATION, s.ERROR_TYPE),
        (s.CALL_DURATION, s.ERROR_TYPE),
        (s.RETRY_DELAY_METRIC, s.RETRY_REASON),
    ):
        values = {point.attributes.get(name) for point in telemetry.points(metric)}
        assert len(values) == MAX_STATUSES + 1, (metric.name, name)


class _StatusError(Exception):
    def __init__(self, status: int) -> None:
        self.status_code = status


_StatusError.__name__ = "APIStatusError"
_StatusError.__module__ = "anthropic"

"""The spans: exactly which attributes, which status, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, StatusCode
from opentelemetry.trace.span import TraceState

from anthropic_otel._core import instruments, semconv
from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.ending import End
from anthropic_otel._core.request import RequestFacts
from anthropic_otel._core.settings import Settings
from anthropic_otel._core.target import target_of
from anthropic_otel._otel import spans
from anthropic_otel._otel.recorder import OpenTelemetryRecorder
from core.notes import FACTS, MESSAGES, ManualClock
from otel.scene import Scene
from support.streams import STOP, sse
from support.telemetry import Telemetry

START = {
    semconv.HTTP_REQUEST_METHOD: "POST",
    semconv.SERVER_ADDRESS: "api.anthropic.com",
    semconv.SERVER_PORT: 443,
    semconv.URL_FULL: "https://api.anthropic.com/v1/messages",
    semconv.URL_TEMPLATE: "/v1/messages",
    semconv.OPERATION_NAME: "messages.create",
}
RESPONSE = {
    semconv.HTTP_RESPONSE_STATUS_CODE: 200,
    semconv.ATTEMPT_STATUS_CLASS: "2xx",
    semconv.NETWORK_PROTOCOL_VERSION: "1.1",
    semconv.NETWORK_PEER_ADDRESS: "192.0.2.1",
    semconv.NETWORK_PEER_PORT: 443,
}
SECRETS = {b"x-api-key": b"sk-ant-secret", b"set-cookie": b"secret"}


def attributes(span: ReadableSpan) -> dict[str, Any]:
    """A span's attributes. It has no events and no links, whatever happened."""
    assert span.events == ()
    assert span.links == ()
    assert span.kind is SpanKind.CLIENT
    return dict(span.attributes or {})


def traced(attempt: Attempt, clock: ManualClock, *events: str) -> None:
    """The events of the transport, a second apart."""
    for name in events:
        clock.pass_seconds(1.0)
        attempt.timeline.trace(name, {"host": "api.anthropic.com"})


# -- attempts ----------------------------------------------------------------------------------------------------------


def test_an_attempt_that_is_answered(scene: Scene, telemetry: Telemetry) -> None:
    """Everything that is known of it, from a new connection to the end of its body."""
    attempt = scene.attempt()
    traced(
        attempt,
        scene.clock,
        "connection.connect_tcp.started",
        "connection.start_tls.started",
        "http11.send_request_headers.started",
        "http11.send_request_body.complete",
        "http11.receive_response_headers.complete",
    )
    scene.answer(attempt, 200, 1.0, {b"request-id": b"req_1", b"anthropic-organization-id": b"org_1", **SECRETS})
    [span] = telemetry.attempts
    assert span.name == "POST /v1/messages"
    assert attributes(span) == {
        **START,
        **RESPONSE,
        semconv.REQUEST_ID: "req_1",
        semconv.ORGANIZATION_ID: "org_1",
        semconv.CONNECTION_REUSED: False,
        **{phase.attribute: 1.0 for phase in semconv.Phase if phase is not semconv.Phase.AUTH},
        semconv.ATTEMPT_OUTCOME: "completed",
    }
    assert span.status.status_code is StatusCode.UNSET
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.end_time - span.start_time == 6_000_000_000 == attempt.duration


def test_an_attempt_that_is_turned_away_and_its_retry(scene: Scene, telemetry: Telemetry) -> None:
    """The retry says why it is one, and how long the backoff was."""
    call = scene.call(sdk_makes_span=False)
    scene.answer(scene.attempt(call), 529, 1.0, {b"retry-after": b"2"})
    scene.clock.pass_seconds(2.0)
    scene.answer(scene.attempt(call), 200)
    call.method_returned(None, None)
    failed, retried = telemetry.attempts
    assert attributes(failed) == {
        **START,
        **RESPONSE,
        semconv.HTTP_RESPONSE_STATUS_CODE: 529,
        semconv.ATTEMPT_STATUS_CLASS: "5xx",
        semconv.ERROR_TYPE: "529",
        semconv.PHASE_PREFIX + "receive": 0.0,
        semconv.ATTEMPT_OUTCOME: "failed",
    }
    assert (failed.status.status_code, failed.status.description) == (StatusCode.ERROR, None)
    assert attributes(retried) == {
        **START,
        **RESPONSE,
        semconv.HTTP_REQUEST_RESEND_COUNT: 1,
        semconv.RETRY_DELAY: 2.0,
        semconv.RETRY_REASON: "529",
        semconv.RETRY_SOURCE: "retry_after",
        semconv.PHASE_PREFIX + "receive": 0.0,
        semconv.ATTEMPT_OUTCOME: "completed",
    }


def test_an_attempt_that_the_network_fails(scene: Scene, telemetry: Telemetry) -> None:
    """Cause, phase and errno; of the exception its type, and nothing of its text."""
    attempt = scene.attempt()
    traced(attempt, scene.clock, "connection.connect_tcp.started")
    error = httpx.ConnectError("secret")
    error.__cause__ = ConnectionRefusedError(111, "secret")
    scene.fail(attempt, error)
    [span] = telemetry.attempts
    assert attributes(span) == {
        **START,
        semconv.ERROR_TYPE: "connection_refused",
        semconv.NETWORK_CAUSE: "connection_refused",
        semconv.NETWORK_PHASE: "connect",
        semconv.NETWORK_ERRNO: "ECONNREFUSED",
        semconv.EXCEPTION_TYPE: "httpx.ConnectError",
        semconv.CONNECTION_REUSED: False,
        semconv.PHASE_PREFIX + "pool": 1.0,
        semconv.PHASE_PREFIX + "connect": 1.0,
        semconv.ATTEMPT_OUTCOME: "failed",
    }
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "httpx.ConnectError")


def test_a_stream_that_is_read_to_its_end(scene: Scene, telemetry: Telemetry) -> None:
    """When its chunks came, and who waited for whom."""
    attempt = scene.attempt()
    reading = scene.stream(attempt, 3.0)
    for wait, held in ((2.0, 4.0), (5.0, 0.5)):
        reading.asked_at = reading.clock_now()
        scene.clock.pass_seconds(wait)
        reading.on_chunk(sse("message_stop", STOP))
        scene.clock.pass_seconds(held)
    reading.asked_at = reading.clock_now()
    attempt.end(End.READ)
    [span] = telemetry.attempts
    assert attributes(span) == {
        **START,
        **RESPONSE,
        semconv.STREAM_TIME_TO_FIRST_CHUNK: 5.0,
        semconv.STREAM_MAX_GAP: 5.0,
        semconv.STREAM_CONSUMER_TIME: 4.5,
        semconv.STREAM_COMPLETE: True,
        semconv.PHASE_PREFIX + "receive": 11.5,
        semconv.ATTEMPT_OUTCOME: "completed",
    }


def test_a_stream_with_an_error_event(scene: Scene, telemetry: Telemetry) -> None:
    """An error under the status 200."""
    attempt = scene.attempt()
    reading = scene.stream(attempt)
    reading.on_decoded(b'event: error\ndata: {"error": {"type": "overloaded_error", "message": "secret"}}\n\n')
    attempt.end(End.CLOSED)
    [span] = telemetry.attempts
    found = attributes(span)
    assert (found[semconv.HTTP_RESPONSE_STATUS_CODE], found[semconv.ERROR_TYPE]) == (200, "overloaded_error")
    assert found[semconv.STREAM_COMPLETE] is False
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)
    assert not {
        semconv.NETWORK_CAUSE,
        semconv.NETWORK_PHASE,
        semconv.EXCEPTION_TYPE,
        semconv.STREAM_TIME_TO_FIRST_CHUNK,
    } & set(found)
    assert "secret" not in span.to_json()


def test_a_stream_that_is_no_message_has_no_end_event(scene: Scene, telemetry: Telemetry) -> None:
    """Then nobody can say whether it was complete."""
    attempt = scene.attempt(
        request=RequestFacts(target_of("GET", "https", "h.test", None, "/v1/sessions/s1/events/stream"))
    )
    scene.stream(attempt)
    attempt.end(End.READ)
    [span] = telemetry.attempts
    assert semconv.STREAM_COMPLETE not in attributes(span)
    assert semconv.STREAM_MAX_GAP in attributes(span)


def test_a_body_that_is_no_event_stream_has_no_stream_attributes(scene: Scene, telemetry: Telemetry) -> None:
    """A download that the app reads in chunks."""
    attempt = scene.attempt()
    scene.stream(attempt, content_type=b"application/json")
    attempt.end(End.READ)
    [span] = telemetry.attempts
    assert not any(name.startswith("anthropic.client.stream.") for name in attributes(span))


@pytest.mark.parametrize(
    ("how", "outcome"),
    [(End.CLOSED, "abandoned"), (asyncio.CancelledError(), "cancelled")],
)
def test_what_the_app_stops_is_no_error(
    scene: Scene, telemetry: Telemetry, how: End | BaseException, outcome: str
) -> None:
    """Its status stays unset."""
    attempt = scene.attempt()
    scene.stream(attempt)
    if isinstance(how, End):
        attempt.end(how)
    else:
        attempt.fail(how)
    [span] = telemetry.attempts
    assert attributes(span)[semconv.ATTEMPT_OUTCOME] == outcome
    assert semconv.ERROR_TYPE not in attributes(span)
    assert span.status.status_code is StatusCode.UNSET


def test_a_path_that_is_not_known_has_no_template(scene: Scene, telemetry: Telemetry) -> None:
    """The name of the span stays bounded."""
    scene.answer(scene.attempt(request=RequestFacts(target_of("POST", "https", "h.test", 8443, "/secret/4711"))))
    [span] = telemetry.attempts
    assert span.name == "POST"
    assert semconv.URL_TEMPLATE not in attributes(span)
    assert attributes(span)[semconv.SERVER_PORT] == 8443


def test_the_sdks_own_operation_wins(scene: Scene, telemetry: Telemetry) -> None:
    """Where the URL says another or none."""
    call = scene.call(operation="beta.messages.create")
    scene.answer(scene.attempt(call))
    call.method_returned(None, None)
    [span] = telemetry.attempts
    assert attributes(span)[semconv.OPERATION_NAME] == "beta.messages.create"
    assert MESSAGES.attributes[semconv.OPERATION_NAME] == "messages.create"


def test_no_attempt_has_an_attribute_of_a_model_call(scene: Scene, telemetry: Telemetry) -> None:
    """Back ends for LLMs count every span with one as one more call."""
    call = scene.call(stream=True)
    scene.answer(scene.attempt(call), 529)
    scene.answer(scene.attempt(call))
    call.method_returned(None, None)
    assert len(telemetry.attempts) == 2
    assert not any(name.startswith("gen_ai.") for span in telemetry.attempts for name in attributes(span))


def test_what_a_request_and_its_response_say(scene: Scene, telemetry: Telemetry) -> None:
    """Sizes, proxy, ids and the server's own time are on the span, and nothing of a header that is no id."""
    headers = {
        b"content-length": b"9",
        b"anthropic-workspace-id": b"wrkspc_1",
        b"cf-ray": b"ray_1",
        b"anthropic-organization-id": b"no\x00id",
        b"server-timing": b"x-originResponse;dur=250",
        **SECRETS,
    }
    scene.answer(scene.attempt(request=replace(FACTS, proxy="proxy.test:3128"), size=7), headers=headers)
    [span] = telemetry.attempts
    assert attributes(span) == {
        **START,
        **RESPONSE,
        semconv.PROXY_ADDRESS: "proxy.test:3128",
        semconv.HTTP_REQUEST_BODY_SIZE: 7,
        semconv.HTTP_RESPONSE_BODY_SIZE: 9,
        semconv.WORKSPACE_ID: "wrkspc_1",
        semconv.RESPONSE_ID: "ray_1",
        semconv.SERVER_DURATION: 0.25,
        semconv.PHASE_PREFIX + "receive": 0.0,
        semconv.ATTEMPT_OUTCOME: "completed",
    }


@pytest.mark.parametrize("last", ["last.test:3128", None])
def test_the_proxy_is_that_of_the_last_hop_of_a_redirect(last: str | None, scene: Scene, telemetry: Telemetry) -> None:
    """As in the log: only address and URL are the first request's. A hop without a proxy leaves none."""
    attempt = scene.attempt(request=replace(FACTS, proxy="first.test:3128"))
    scene._sends[attempt].went_through(last)
    scene.answer(attempt)
    [span] = telemetry.attempts
    assert attributes(span).get(semconv.PROXY_ADDRESS) == last


def test_a_failure_says_the_apis_error_and_why_nobody_retried(scene: Scene, telemetry: Telemetry) -> None:
    """Type and code of the API's error and the stop reason are on the attempt's span and on the call's."""
    body = b'{"error": {"type": "rate_limit_error", "details": {"error_code": "spend_limit"}, "message": "secret"}}'
    call = scene.call(max_retries=1)
    scene.answer(scene.attempt(call), 429, body=body)
    scene.answer(scene.attempt(call), 429, body=body)
    call.method_raised(ValueError())
    retried, last = (attributes(span) for span in telemetry.attempts)
    [span] = telemetry.calls
    told = {semconv.API_ERROR_TYPE: "rate_limit_error", semconv.API_ERROR_CODE: "spend_limit"}
    assert told.items() <= retried.items()
    assert semconv.RETRY_STOP_REASON not in retried
    for found in (last, attributes(span)):
        assert {**told, semconv.RETRY_STOP_REASON: "exhausted"}.items() <= found.items()
    assert "secret" not in span.to_json()


def test_an_error_of_no_known_type_has_its_code_only(scene: Scene, telemetry: Telemetry) -> None:
    """A type that the API does not document is not passed on."""
    body = b'{"error": {"type": "a_secret", "details": {"error_code": "spend_limit"}}}'
    scene.answer(scene.attempt(), 400, body=body)
    [span] = telemetry.attempts
    found = attributes(span)
    assert (found.get(semconv.API_ERROR_TYPE), found[semconv.API_ERROR_CODE]) == (None, "spend_limit")


def test_a_fallback_says_that_it_is_one(scene: Scene, telemetry: Telemetry) -> None:
    """An attempt that followed one which did not fail has no backoff, and its call was not retried."""
    call = scene.call()
    scene.answer(scene.attempt(call))
    scene.answer(scene.attempt(call))
    call.method_returned(None, None)
    found = attributes(telemetry.attempts[1])
    assert (found[semconv.HTTP_REQUEST_RESEND_COUNT], found[semconv.RETRY_REASON]) == (1, "fallback")
    assert not {semconv.RETRY_DELAY, semconv.RETRY_SOURCE} & set(found)
    assert semconv.HTTP_REQUEST_RESEND_COUNT not in attributes(telemetry.calls[0])


def test_a_call_that_the_network_failed_has_its_cause(scene: Scene, telemetry: Telemetry) -> None:
    """The call's own span says the network's word beside that of the SDK."""
    call = scene.call(max_retries=0)
    scene.fail(scene.attempt(call), httpx.ReadTimeout("secret"))
    call.method_raised(httpx.ReadTimeout("secret"))
    [span] = telemetry.calls
    found = attributes(span)
    assert (found[semconv.ERROR_TYPE], found[semconv.NETWORK_CAUSE]) == ("client_timeout_error", "read_timeout")
    assert found[semconv.RETRY_STOP_REASON] == "exhausted"


class Seen(Sampler):
    """Keeps what a sampler sees when a span starts."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Mapping[str, Any] | None = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        self.seen.append(dict(attributes or {}))
        return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes)

    def get_description(self) -> str:
        return "Seen"


def test_a_sampler_sees_what_a_span_starts_with(clock: ManualClock, telemetry: Telemetry) -> None:
    """All of it, and nothing that is known later."""
    sampler = Seen()
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    scene = Scene(
        OpenTelemetryRecorder(Settings(tracer_provider=provider, meter_provider=telemetry.meter_provider)), clock
    )
    scene.answer(scene.attempt())
    assert sampler.seen == [START]


def test_a_span_that_is_not_sampled_costs_nothing_and_is_measured(
    clock: ManualClock, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is computed for it."""
    monkeypatch.setattr(spans, "_concluded", None)
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    scene = Scene(
        OpenTelemetryRecorder(Settings(tracer_provider=provider, meter_provider=telemetry.meter_provider)), clock
    )
    call = scene.call()
    scene.fail(scene.attempt(call), httpx.ReadTimeout(""))
    call.method_raised(ValueError())
    assert [point.count for point in telemetry.points(instruments.ATTEMPT_DURATION)] == [1]


def test_a_span_ends_though_its_attributes_cannot_be_set(
    scene: Scene, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A span that never ends is never exported, and is held for ever."""

    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(spans, "_concluded", fail)
    attempt = scene.attempt()
    scene.answer(attempt)
    assert [span.name for span in telemetry.spans] == ["POST /v1/messages"]


# -- calls -------------------------------------------------------------------------------------------------------------


def test_a_call_span_of_ours(scene: Scene, telemetry: Telemetry) -> None:
    """What the SDK's own would have, without anything of a prompt or a reply."""
    call = scene.call(stream=True, address="api.anthropic.com", port=443)
    scene.answer(scene.attempt(call), 529)
    scene.answer(scene.attempt(call))
    call.method_returned(None, None)
    [span] = telemetry.calls
    assert span.name == "anthropic.messages.create"
    assert attributes(span) == {
        semconv.GEN_AI_OPERATION_NAME: "chat",
        semconv.GEN_AI_PROVIDER_NAME: "anthropic",
        semconv.GEN_AI_REQUEST_MODEL: "claude-opus-4-5",
        semconv.GEN_AI_REQUEST_STREAM: True,
        semconv.SERVER_ADDRESS: "api.anthropic.com",
        semconv.SERVER_PORT: 443,
        semconv.OPERATION_NAME: "messages.create",
        semconv.HTTP_REQUEST_RESEND_COUNT: 1,
    }
    assert span.status.status_code is StatusCode.OK
    assert all(child.parent == span.context for child in telemetry.attempts)


def test_a_call_span_of_another_operation(scene: Scene, telemetry: Telemetry) -> None:
    """Only a message is a chat."""
    scene.call(operation="models.list", model=None).method_returned(None, None)
    [span] = telemetry.calls
    assert span.name == "anthropic.models.list"
    assert attributes(span) == {semconv.GEN_AI_PROVIDER_NAME: "anthropic", semconv.OPERATION_NAME: "models.list"}


def test_a_call_span_of_an_unknown_operation(scene: Scene, telemetry: Telemetry) -> None:
    """It has a name all the same."""
    scene.call(operation=None, model=None).method_returned(None, None)
    assert [span.name for span in telemetry.calls] == ["anthropic.request"]


@pytest.mark.parametrize(
    ("error", "status", "error_type"),
    [
        (httpx.ReadTimeout("secret"), StatusCode.ERROR, "client_timeout_error"),
        (asyncio.CancelledError("secret"), StatusCode.UNSET, None),
        (None, StatusCode.OK, None),
    ],
)
def test_the_status_of_a_call_span(
    scene: Scene, telemetry: Telemetry, error: BaseException | None, status: StatusCode, error_type: str | None
) -> None:
    """A call that the app stops is no error; no text of an exception is kept."""
    call = scene.call()
    if error is None:
        call.method_returned(None, None)
    else:
        call.method_raised(error)
    [span] = telemetry.calls
    assert (span.status.status_code, span.status.description) == (status, None)
    assert attributes(span).get(semconv.ERROR_TYPE) == error_type


def test_the_sdks_call_span_is_not_made_twice(scene: Scene, telemetry: Telemetry) -> None:
    """It is the attempts' parent, and is not touched."""
    tracer = telemetry.tracer_provider.get_tracer("com.anthropic.sdk.python")
    call = scene.call(sdk_makes_span=True)
    with tracer.start_as_current_span("anthropic.messages.create") as theirs:
        scene.answer(scene.attempt(call), 529)
        scene.answer(scene.attempt(call))
    call.method_returned(None, None)
    assert [span.name for span in telemetry.calls] == ["anthropic.messages.create"]
    assert all(child.parent == theirs.get_span_context() for child in telemetry.attempts)
    assert telemetry.calls[0].attributes == {}


def test_a_call_span_that_the_sdk_did_not_make_is_made(scene: Scene, telemetry: Telemetry) -> None:
    """It was expected to, but its tracer is another one."""
    call = scene.call(sdk_makes_span=True)
    scene.answer(scene.attempt(call))
    call.method_returned(None, None)
    [span] = telemetry.calls
    assert [child.parent for child in telemetry.attempts] == [span.context]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gen_ai.operation.name", "chat"),
        ("openinference.span.kind", "LLM"),
        ("llm.request.type", "chat"),
    ],
)
def test_another_instrumentations_call_span_is_the_calls(
    scene: Scene, telemetry: Telemetry, name: str, value: str
) -> None:
    """One span per call, whoever makes it."""
    tracer = telemetry.tracer_provider.get_tracer("another")
    with tracer.start_as_current_span("chat claude", attributes={name: value}) as theirs:
        call = scene.call()
        scene.answer(scene.attempt(call))
        call.method_returned(None, None)
    assert telemetry.calls == []
    assert [child.parent for child in telemetry.attempts] == [theirs.get_span_context()]


@pytest.mark.parametrize("attributes", [{}, {"gen_ai.operation.name": "invoke_agent"}, {"http.route": "/chat"}])
def test_a_span_of_the_apps_is_no_call_span(scene: Scene, telemetry: Telemetry, attributes: dict[str, str]) -> None:
    """An agent or a request handler makes calls and is none."""
    tracer = telemetry.tracer_provider.get_tracer("app")
    with tracer.start_as_current_span("app", attributes=attributes) as theirs:
        call = scene.call()
        scene.answer(scene.attempt(call))
        call.method_returned(None, None)
    [span] = telemetry.calls
    assert span.parent == theirs.get_span_context()


def test_a_span_that_has_ended_is_nobodys_call_span(telemetry: Telemetry) -> None:
    """It is left in the context by whoever forgot it."""
    span = telemetry.tracer_provider.get_tracer("x").start_span("chat", attributes={"gen_ai.operation.name": "chat"})
    assert spans.foreign_call_span(span)
    span.end()
    assert not spans.foreign_call_span(span)
    assert not spans.foreign_call_span(trace.INVALID_SPAN)

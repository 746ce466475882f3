"""The spans of a fault: one for each attempt, with what its entry says, and exactly one for the call."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from anthropic_otel._core import semconv
from anthropic_otel.simulator import Chunks, Where
from anthropic_otel.simulator.addresses import Detour
from e2e.catalogue.meeting import Meeting, ends_silently, source_of, status_class_of, status_of
from support.apps import MODEL
from support.versions import DECODES_EVERY_EVENT, TRACES_ITSELF

AWS = "application/vnd.amazon.eventstream"


def check_attempt_spans(meeting: Meeting) -> None:
    """One for each attempt, with what the entry says, no more and no less."""
    spans = meeting.telemetry.attempts
    assert len(spans) == meeting.attempts
    for number, span in enumerate(spans):
        assert span.name == f"POST {meeting.route}"
        assert span.kind is SpanKind.CLIENT
        assert not span.events
        assert not span.links
        assert span.instrumentation_scope is not None
        assert span.instrumentation_scope.name == "anthropic_otel"
        attributes = dict(span.attributes or {})
        expected = expected_attributes(meeting, number)
        assert {name: value for name, value in attributes.items() if name in expected} == expected
        check_errno(meeting, attributes.pop(semconv.NETWORK_ERRNO, None))
        check_what_else_it_has(meeting, attributes.keys() - expected.keys(), attributes)
        check_status(meeting, span)


def expected_attributes(meeting: Meeting, number: int) -> dict[str, Any]:
    """The attributes whose values the entry decides, of the attempt with that number."""
    fault, url = meeting.fault, urlsplit(meeting.endpoint.base_url)
    told: dict[str, Any] = {
        semconv.HTTP_REQUEST_METHOD: "POST",
        semconv.SERVER_ADDRESS: url.hostname,
        semconv.SERVER_PORT: url.port or {"http": 80, "https": 443}[url.scheme],
        semconv.URL_FULL: meeting.endpoint.base_url.removesuffix(":80") + meeting.route.replace("{model}", MODEL),
        semconv.URL_TEMPLATE: meeting.route,
        semconv.OPERATION_NAME: "messages.create",
        semconv.ATTEMPT_OUTCOME: fault.outcome.value,
        semconv.ERROR_TYPE: fault.error_type,
        semconv.HTTP_RESPONSE_STATUS_CODE: status_of(meeting),
        semconv.ATTEMPT_STATUS_CLASS: status_class_of(meeting),
    }
    if fault.cause is not None:
        told |= {semconv.NETWORK_CAUSE: fault.cause_word, semconv.NETWORK_PHASE: phase_of(meeting).value}
    if fault.api_error is not None and meeting.stack.of_sdk and number == meeting.attempts - 1:
        # The API's words are known of the attempt whose body the SDK has read: the one that it raises for.
        told |= dict(zip((semconv.API_ERROR_TYPE, semconv.API_ERROR_CODE), fault.api_error, strict=True))
    told |= {semconv.RESPONSE_ID: fault.response_id, semconv.SERVER_DURATION: fault.server_duration}
    stop = stop_reason_of(meeting, number)
    told |= {semconv.PROXY_ADDRESS: proxy_of(meeting), semconv.RETRY_STOP_REASON: stop and stop.value}
    if number:
        told |= {
            semconv.HTTP_REQUEST_RESEND_COUNT: number,
            semconv.RETRY_REASON: fault.error_type,
            semconv.RETRY_SOURCE: source_of(fault),
        }
    return {name: value for name, value in told.items() if value is not None}


def proxy_of(meeting: Meeting) -> str | None:
    """Host and port of the proxy that the endpoint is behind."""
    return None if meeting.endpoint.proxy is None else urlsplit(meeting.endpoint.proxy).netloc.rpartition("@")[2]


def stop_reason_of(meeting: Meeting, number: int) -> semconv.RetryStop | None:
    """Why the SDK does not retry after the attempt with that number; `None` where it does, or nothing failed."""
    fault = meeting.fault
    if not meeting.stack.of_sdk or fault.outcome is not semconv.AttemptOutcome.FAILED:
        return None
    if fault.retried:
        return semconv.RetryStop.EXHAUSTED if number else None
    if ("x-should-retry", "false") in getattr(fault.action, "headers", ()):
        return semconv.RetryStop.X_SHOULD_RETRY
    started = fault.stream and fault.status is not None and 200 <= fault.status < 300
    return semconv.RetryStop.STREAM_STARTED if started else semconv.RetryStop.NOT_RETRYABLE


def phase_of(meeting: Meeting) -> semconv.Phase:
    """The phase in which it struck. Without the transport's events only what the exception itself tells."""
    phase = meeting.fault.phase
    assert phase is not None
    if not meeting.stack.aiohttp or phase in (semconv.Phase.WAIT, semconv.Phase.CONNECT):
        return phase
    if phase is semconv.Phase.RECEIVE and status_of(meeting) is None:
        return semconv.Phase.WAIT
    return {semconv.Phase.TLS: semconv.Phase.CONNECT, semconv.Phase.SEND: semconv.Phase.WAIT}.get(phase, phase)


def check_errno(meeting: Meeting, errno: object) -> None:
    """One of those that the entry names, if it names any."""
    if meeting.fault.errno:
        assert errno in meeting.fault.errno
    else:
        assert errno is None


def check_what_else_it_has(meeting: Meeting, names: set[str], attributes: dict[str, Any]) -> None:
    """The attributes whose values differ from run to run: exactly those that there is a reason for."""
    fault, httpcore = meeting.fault, not meeting.stack.aiohttp
    allowed = {semconv.HTTP_REQUEST_BODY_SIZE}
    assert attributes[semconv.HTTP_REQUEST_BODY_SIZE] > 0
    # Known of what tells its length.
    names = names - {semconv.HTTP_RESPONSE_BODY_SIZE}
    if attributes.get(semconv.HTTP_REQUEST_RESEND_COUNT):
        allowed.add(semconv.RETRY_DELAY)
        assert attributes[semconv.RETRY_DELAY] > 0
    if status_of(meeting) is not None:
        allowed.add(semconv.NETWORK_PROTOCOL_VERSION)
        assert attributes[semconv.NETWORK_PROTOCOL_VERSION] == "1.1"
        if fault.request_id and fault.needs.sdk == "AnthropicBedrock":
            allowed.add(semconv.RESPONSE_ID)
            assert uuid.UUID(attributes[semconv.RESPONSE_ID]).version == 4
        elif fault.request_id:
            allowed |= {semconv.REQUEST_ID, semconv.ORGANIZATION_ID}
            assert attributes[semconv.REQUEST_ID].startswith("req_01")
    if (fault.cause is not None and not ends_silently(fault)) or (fault.where is Where.BODY and fault.error_type):
        allowed.add(semconv.EXCEPTION_TYPE)
        assert attributes[semconv.EXCEPTION_TYPE].partition(".")[0] in (meeting.stack.library, "aiohttp", "socksio")
    if httpcore and fault.phase is not semconv.Phase.POOL:
        allowed |= {semconv.CONNECTION_REUSED}
    if semconv.NETWORK_PEER_ADDRESS in names:
        # Where something was connected to; never the name of the host.
        assert httpcore
        assert attributes[semconv.NETWORK_PEER_ADDRESS] == "127.0.0.1"
        allowed |= {semconv.NETWORK_PEER_ADDRESS, semconv.NETWORK_PEER_PORT}
    else:
        # The address is known from the connect, or from the response if the app gets it.
        hidden = not fault.stream and fault.cause and attributes.get(semconv.CONNECTION_REUSED)
        assert not httpcore or status_of(meeting) is None or hidden
    if fault.error_type == "unexpected_content":
        # Whether such a body counts as that of a stream is not said anywhere.
        names = {name for name in names if not name.startswith("anthropic.client.stream.")}
    elif fault.stream and status_of(meeting) == 200:
        allowed |= {semconv.STREAM_MAX_GAP, semconv.STREAM_CONSUMER_TIME}
        if fault.cause is not semconv.NetworkCause.DECODING_ERROR:  # of which nothing could be read
            allowed.add(semconv.STREAM_COMPLETE)
            if httpcore or not fault.complete:  # aiohttp may drop what came before
                assert attributes[semconv.STREAM_COMPLETE] == (fault.complete or fault.error_type is None)
        if (
            httpcore or not fault.cause or semconv.STREAM_TIME_TO_FIRST_CHUNK in names
        ):  # aiohttp may drop what came before
            allowed.add(semconv.STREAM_TIME_TO_FIRST_CHUNK)
        if fault.action in (Chunks(()), Chunks((), AWS)):
            allowed.discard(semconv.STREAM_TIME_TO_FIRST_CHUNK)
    names = names - {semconv.API_ERROR_TYPE, semconv.API_ERROR_CODE}  # may be known of an attempt that is retried, too
    phases = {name for name in names if name.startswith(semconv.PHASE_PREFIX)}
    check_phases(meeting, phases)
    assert names - phases == allowed


def check_phases(meeting: Meeting, phases: set[str]) -> None:
    """Those up to the one in which it failed; all of them, if it did not fail in the network."""
    if meeting.stack.aiohttp:
        assert phases <= {semconv.Phase.RECEIVE.attribute}
        return
    last = meeting.fault.phase or semconv.Phase.RECEIVE
    order = [
        phase
        for phase in semconv.Phase
        if phase is not semconv.Phase.AUTH
        and (phase is not semconv.Phase.TLS or meeting.endpoint.base_url.startswith("https"))
    ]
    if last is semconv.Phase.TLS or last in order:
        expected = {phase.attribute for phase in order[: order.index(last) + 1]}
        # A connection that is used again has no connect, and no handshake.
        optional = {semconv.Phase.CONNECT.attribute, semconv.Phase.TLS.attribute}
        if isinstance(meeting.fault.action, Detour):
            optional |= {phase.attribute for phase in order}  # those of the redirect itself
        assert expected - optional <= phases <= expected | optional


def check_status(meeting: Meeting, span: ReadableSpan) -> None:
    """ERROR for a failure, with no more text than the type of an exception; UNSET otherwise."""
    failed = meeting.fault.outcome is semconv.AttemptOutcome.FAILED
    assert span.status.status_code is (StatusCode.ERROR if failed else StatusCode.UNSET)
    assert span.status.description == (span.attributes or {}).get(semconv.EXCEPTION_TYPE)


def check_call_span(meeting: Meeting) -> None:
    """Exactly one for a call, the parent of its attempts, an error if the call is; and none without the SDK."""
    calls, attempts = meeting.telemetry.calls, meeting.telemetry.attempts
    if not meeting.stack.of_sdk:
        assert not calls
        assert all(span.parent is None for span in attempts)
        return
    [call] = calls
    assert len(meeting.telemetry.spans) == 1 + len(attempts)
    assert call.name == "anthropic.messages.create"
    assert call.parent is None
    assert call.context is not None
    assert {span.parent.span_id for span in attempts if span.parent} == {call.context.span_id}
    assert {span.context.trace_id for span in attempts if span.context} == {call.context.trace_id}
    attributes = dict(call.attributes or {})
    assert attributes[semconv.GEN_AI_REQUEST_MODEL] == MODEL
    assert attributes[semconv.GEN_AI_OPERATION_NAME] == "chat"
    word = meeting.call_error_type
    if TRACES_ITSELF:
        word = None if word == "unexpected_content" else SDK_WORDS.get(meeting.fault.name, word)
    assert attributes.get(semconv.ERROR_TYPE) == word
    assert (call.status.status_code is StatusCode.ERROR) == (word is not None)


SDK_WORDS = {
    # The SDK fails to decode what a gateway has put behind the end, if it tries to.
    "stream_named_done_after_end": "client_error" if DECODES_EVERY_EVENT else None,
    # The API's word as it is; ours is on metrics too, so that it is one of a closed list.
    "stream_unknown_error": "unheard_of_error",
    "bedrock_error_in_chunk_unknown": "unheard_of_error",
    "bedrock_error_frame_throttling": "ThrottlingException",
    "bedrock_error_frame_unknown": "UnheardOfFailure",
    # httpx2 closes the body before it raises what its decoder met, and the SDK's own span ends with that.
    "stream_bad_gzip": None,
}
"""Where the SDK's own span has another word than our metric."""

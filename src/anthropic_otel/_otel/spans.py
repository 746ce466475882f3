"""Makes the spans of attempts and calls: their names, attributes and statuses.

Rule: what a span starts with goes into `start_span`, so that a sampler sees it; what it ends with is set just before
its end, and is not computed for a span that does not record. No span of ours has events or stack traces.

It also recognizes the call spans of other GenAI instrumentations.
"""

from __future__ import annotations

from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from anthropic_otel._core import semconv
from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.call import Call
from anthropic_otel._core.facts import Facts, api_error_type, attempt_facts, call_facts
from anthropic_otel._core.headers import count, identifier
from anthropic_otel._core.invocation import Invocation
from anthropic_otel._core.reading import Reading
from anthropic_otel._core.request import Retry
from anthropic_otel._core.response import MAX_STATUS, STATUS_CLASSES, Response
from anthropic_otel._core.stream_end import StreamEnd

AttributeValue = str | bool | int | float
_ERROR: Final = StatusCode.ERROR
_SECOND: Final = 1e9


def start_attempt(tracer: Tracer, attempt: Attempt, parent: Context) -> Span:
    """Starts the span of an attempt and returns it. Does not make it current.

    It is a child of the span in `parent`, or a root span if there is none.
    """
    name = attempt.request.target.span_name
    return tracer.start_span(name, parent, SpanKind.CLIENT, _known_at_start(attempt), start_time=attempt.wall)


def _known_at_start(attempt: Attempt) -> dict[str, Any]:
    target = attempt.request.target
    attributes: dict[str, Any] = {**target.attributes}
    if attempt.operation != target.operation:
        attributes[semconv.OPERATION_NAME] = attempt.operation
    if attempt.request_size is not None:
        attributes[semconv.HTTP_REQUEST_BODY_SIZE] = attempt.request_size
    if attempt.retry is not None:
        _add_retry(attributes, attempt.retry)
    return attributes


def _add_retry(attributes: dict[str, AttributeValue], retry: Retry) -> None:
    attributes[semconv.HTTP_REQUEST_RESEND_COUNT] = retry.number
    if retry.delay is not None:
        attributes[semconv.RETRY_DELAY] = retry.delay / _SECOND
    if retry.reason is not None:
        attributes[semconv.RETRY_REASON] = retry.reason
    if retry.source is not None:
        attributes[semconv.RETRY_SOURCE] = retry.source.value


def end_attempt(span: Span, attempt: Attempt) -> None:
    """Ends the span of an attempt that has ended, with the attempt's end time.

    Before that, sets attributes and status if the span records. The status is ERROR if the attempt has an `error.type`,
    and is described by the class of the exception that it failed with, if any; else it stays unset.
    """
    try:
        if span.is_recording():
            span.set_attributes(_concluded(attempt))
            if attempt.ending.error_type is not None:
                # Only the type: an exception's text may quote a URL, a header or what the app sent.
                span.set_status(Status(_ERROR, attempt.exception_type))
    finally:
        # A span that does not end is never exported.
        span.end(attempt.wall + attempt.duration)


def _concluded(attempt: Attempt) -> dict[str, AttributeValue]:
    """Returns the attributes of an attempt that are known at its end, without those that its span started with."""
    attributes: dict[str, AttributeValue] = {}
    status = attempt.status
    if status is not None:
        if status <= MAX_STATUS:
            attributes[semconv.HTTP_RESPONSE_STATUS_CODE] = status
        if (known := STATUS_CLASSES.get(status // 100)) is not None:
            attributes[semconv.ATTEMPT_STATUS_CLASS] = known
        if attempt.response is not None:
            _add_response(attributes, attempt.response)
    ending = attempt.ending
    if ending.error_type is not None:
        attributes.update(_failure(attempt_facts(attempt)))
    if attempt.request.proxy is not None:
        # Not at the start: after a redirect it may be another, or none, and no span forgets an attribute.
        attributes[semconv.PROXY_ADDRESS] = attempt.request.proxy
    timeline = attempt.timeline
    if timeline.reused is not None:
        attributes[semconv.CONNECTION_REUSED] = timeline.reused
    if timeline.peer is not None:
        attributes[semconv.NETWORK_PEER_ADDRESS], attributes[semconv.NETWORK_PEER_PORT] = timeline.peer
    first = timeline.first_known
    for name, time in zip(_PHASE_NAMES[first:], timeline.phase_ns[first:], strict=True):
        if time is not None:
            attributes[name] = time / _SECOND
    reading = attempt.reading
    if reading is not None and reading.end is not None:
        _add_stream(attributes, attempt, reading, reading.end)
    if ending.outcome is not None:
        attributes[semconv.ATTEMPT_OUTCOME] = ending.outcome.value
    return attributes


def _add_response(attributes: dict[str, AttributeValue], response: Response) -> None:
    if response.protocol_version is not None:
        attributes[semconv.NETWORK_PROTOCOL_VERSION] = response.protocol_version
    if response.request_id is not None and (text := identifier(response.request_id)) is not None:
        attributes[semconv.REQUEST_ID] = text
    elif response.response_id is not None:
        attributes[semconv.RESPONSE_ID] = response.response_id
    if response.organization_id is not None and (text := identifier(response.organization_id)) is not None:
        attributes[semconv.ORGANIZATION_ID] = text
    if response.workspace_id is not None and (text := identifier(response.workspace_id)) is not None:
        attributes[semconv.WORKSPACE_ID] = text
    if response.content_length is not None and (size := count(response.content_length)) is not None:
        attributes[semconv.HTTP_RESPONSE_BODY_SIZE] = size
    if response.envoy_time is not None or response.server_timing is not None:
        server_duration = response.server_duration
        if server_duration is not None:
            attributes[semconv.SERVER_DURATION] = server_duration


def _failure(facts: Facts) -> dict[str, AttributeValue]:
    """Returns the attributes of a failure: those in `_FAILURE` whose fact, of an attempt or a call, is not `None`."""
    return {name: facts[key] for key, name in _FAILURE.items() if facts.get(key) is not None}


_FAILURE: Final = {
    "error_type": semconv.ERROR_TYPE,
    "exception_type": semconv.EXCEPTION_TYPE,
    "cause": semconv.NETWORK_CAUSE,
    "phase": semconv.NETWORK_PHASE,
    "errno": semconv.NETWORK_ERRNO,
    "retry_stop_reason": semconv.RETRY_STOP_REASON,
    "api_error_type": semconv.API_ERROR_TYPE,
    "api_error_code": semconv.API_ERROR_CODE,
}
"""The attributes of a failure by the names of their facts."""


def _add_stream(attributes: dict[str, AttributeValue], attempt: Attempt, reading: Reading, end: StreamEnd) -> None:
    attributes[semconv.STREAM_MAX_GAP] = reading.max_gap / _SECOND
    attributes[semconv.STREAM_CONSUMER_TIME] = reading.consumer_time / _SECOND
    if reading.first_chunk is not None:
        attributes[semconv.STREAM_TIME_TO_FIRST_CHUNK] = (reading.first_chunk - attempt.started) / _SECOND
    if attempt.is_message and end.complete is not None:
        attributes[semconv.STREAM_COMPLETE] = end.complete


_PHASE_NAMES: Final = tuple(phase.attribute for phase in semconv.Phase)


def facts(attempt: Attempt) -> dict[str, AttributeValue]:
    """Returns all attributes that a recording span of an ended attempt has, as a new dictionary. It needs no span."""
    attributes: dict[str, AttributeValue] = _known_at_start(attempt)
    attributes.update(_concluded(attempt))
    return attributes


# -- the call span -----------------------------------------------------------------------------------------------------


def start_call(tracer: Tracer, invocation: Invocation, wall: int, parent: Context) -> Span:
    """Starts our own call span and returns it. Does not make it current.

    It is a child of the span in `parent`, or a root span if there is none. It has the name of the SDK's call span, and
    of its attributes those for provider, address, port, model and operation, without those that are not known. For
    `messages.create` it has `gen_ai.operation.name` too, and `gen_ai.request.stream` if a stream was asked for. `wall`
    is its start in nanoseconds since the epoch.
    """
    attributes: dict[str, AttributeValue] = {semconv.GEN_AI_PROVIDER_NAME: invocation.provider}
    if invocation.address is not None:
        attributes[semconv.SERVER_ADDRESS] = invocation.address
    if invocation.port is not None:
        attributes[semconv.SERVER_PORT] = invocation.port
    if invocation.model is not None:
        attributes[semconv.GEN_AI_REQUEST_MODEL] = invocation.model
    if invocation.operation is not None:
        attributes[semconv.OPERATION_NAME] = invocation.operation
    if invocation.operation == "messages.create":
        attributes[semconv.GEN_AI_OPERATION_NAME] = "chat"
        if invocation.stream:
            attributes[semconv.GEN_AI_REQUEST_STREAM] = True
    name = f"anthropic.{invocation.operation or 'request'}"
    return tracer.start_span(name, parent, SpanKind.CLIENT, attributes, start_time=wall)


def end_call(span: Span, call: Call) -> None:
    """Ends our own call span with the call's end time. Before that, sets attributes and status if the span records.

    The status is ERROR if the call has an `error.type`, OK if it succeeded or recovered, else unset.
    """
    try:
        if span.is_recording():
            _conclude_call(span, call)
    finally:
        span.end(call.wall + call.duration)


def _conclude_call(span: Span, call: Call) -> None:
    ending = call.ending
    if ending.error_type is not None:
        stop = ending.retry_stop.value if ending.retry_stop is not None else None
        beside = {"retry_stop_reason": stop, "api_error_type": api_error_type(ending.api_error)}
        span.set_attributes(_failure({**call_facts(call), **beside}))
        span.set_status(Status(_ERROR))
    elif ending.outcome in (semconv.CallOutcome.SUCCEEDED, semconv.CallOutcome.RECOVERED):
        span.set_status(Status(StatusCode.OK))
    if call.attempts.retries:
        span.set_attribute(semconv.HTTP_REQUEST_RESEND_COUNT, call.attempts.retries)


def foreign_call_span(span: Span) -> bool:
    """Returns whether another GenAI instrumentation has made `span` for one model call, and may count its tokens.

    That is a recording span with an attribute by which the GenAI conventions, OpenInference or OpenLLMetry mark such a
    span. We must not make another one for the call. `False` for any span of the SDK or of this library.
    """
    if not span.is_recording():
        return False
    scope = getattr(getattr(span, "instrumentation_scope", None), "name", "")
    if scope.startswith((_SDK_SCOPE, semconv.SCOPE)):
        return False
    attributes = getattr(span, "attributes", None)
    if not attributes:
        return False
    return any(attributes.get(name) in values for name, values in _CALL_MARKS)


_SDK_SCOPE: Final = "com.anthropic."
_CALL_MARKS: Final = (
    (semconv.GEN_AI_OPERATION_NAME, frozenset({"chat", "text_completion", "generate_content", "messages"})),
    ("openinference.span.kind", frozenset({"LLM"})),
    ("llm.request.type", frozenset({"chat", "completion"})),
)

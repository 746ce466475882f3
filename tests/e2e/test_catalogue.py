"""The whole catalogue of faults, met by real clients of every stack: what spans, metrics and logs say of each, and that
the app sees what it would have seen without them.

The SDK is used on the stacks that it takes, with `instrument()`; the others by bare clients, with
`instrument_http_client()`.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import anthropic
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from anthropic_otel._core import semconv as s
from anthropic_otel.simulator import FAULTS, Endpoint, Fault, Simulator
from support import identities
from support.apps import API_KEY, MODEL, PROMPT, App, app_for, quietly
from support.driver import Driver
from support.stacks import STACKS, Stack
from support.telemetry import Telemetry
from support.versions import TRACES_ITSELF

CASES = [
    pytest.param(fault, stack, id=f"{fault.name}-{stack.name}")
    for fault in FAULTS.values()
    for stack in STACKS
    if stack.kind in fault.applies_to
]
pytestmark = [
    pytest.mark.usefixtures("waits"),
    # Connections that are broken on purpose leave sockets to the garbage collector, in the libraries below.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@dataclass(frozen=True)
class Meeting:
    """A fault that an app has met: what the app saw without and with telemetry, and the telemetry."""

    fault: Fault
    stack: Stack
    endpoint: Endpoint
    telemetry: Telemetry
    app: App
    seen_without: tuple[Any, ...]
    seen_with: tuple[Any, ...]
    error: BaseException | None

    @property
    def attempts(self) -> int:
        """How many attempts there have to be: the SDK may retry once."""
        return 2 if self.fault.retried and self.stack.of_sdk else 1


@pytest.fixture
def meeting(fault: Fault, stack: Stack, sim: Simulator, recorded: Telemetry) -> Iterator[Meeting]:
    """Meets the fault once without telemetry and once with it."""
    endpoint = sim.endpoint(fault)
    with Driver(asynchronous=stack.asynchronous) as driver:
        seen_without, _ = _meet(app_for(stack, endpoint, driver, max_retries=0), fault)
        app = app_for(stack, endpoint, driver, recorded, max_retries=1)
        app.occupy(fault.needs.busy_connections)
        if stack.of_sdk:
            recorded.instrument()
        else:
            recorded.instrument_http_client(app.http)
        seen_with, error = _meet(app, fault, occupied=True)
        yield Meeting(fault, stack, endpoint, recorded, app, seen_without, seen_with, error)


def _meet(app: App, fault: Fault, *, occupied: bool = False) -> tuple[tuple[Any, ...], BaseException | None]:
    content = PROMPT + "x" * fault.needs.request_bytes
    if not occupied:
        app.occupy(fault.needs.busy_connections)
    try:
        return _seen(app.meet(content, stream=bool(fault.stream))), None
    except Exception as error:
        return _seen_error(error), error
    finally:
        quietly(app)


def _seen(value: Any) -> tuple[Any, ...]:
    """The types of what an app has read, and how many of each; of bytes just that there were some."""
    if isinstance(value, list):
        return tuple(type(each) for each in value if not isinstance(each, bytes))
    return (type(value),)


def _seen_error(error: BaseException | None) -> tuple[Any, ...]:
    """Everything of an exception that an app could look at, down its causes, but for what differs each time."""
    facts: list[Any] = []
    while error is not None:
        status = getattr(error, "status_code", None)
        facts.append((type(error), re.sub(r"req_\w+", "req", str(error)), status))
        error = error.__cause__
    return tuple(facts)


@pytest.mark.parametrize(("fault", "stack"), CASES)
def test_a_fault_is_reported_and_nothing_else_changes(meeting: Meeting) -> None:
    """Spans, metrics and logs say what the entry says; the app sees the very same; the identities hold."""
    check_what_the_app_sees(meeting)
    check_attempt_spans(meeting)
    check_call_span(meeting)
    check_metrics(meeting)
    check_logs(meeting)
    check_nothing_private_is_told(meeting)
    identities.check(meeting.telemetry, calls=1 if meeting.stack.of_sdk else 0)


# -- the app -----------------------------------------------------------------------------------------------------------


def check_what_the_app_sees(meeting: Meeting) -> None:
    """The same types and texts as without telemetry, and of exceptions the object that the HTTP client raised."""
    assert meeting.seen_with == meeting.seen_without
    if meeting.error is None:
        return
    raised = meeting.app.witness.raised
    if raised:
        assert raised[-1] in (meeting.error, meeting.error.__cause__)
    if isinstance(meeting.error, anthropic.APIStatusError) and meeting.fault.where.value == "in the response":
        assert meeting.error.response is meeting.app.witness.returned[-1]


# -- spans -------------------------------------------------------------------------------------------------------------


def check_attempt_spans(meeting: Meeting) -> None:
    """One for each attempt, with what the entry says, no more and no less."""
    spans = meeting.telemetry.attempts
    assert len(spans) == meeting.attempts
    for number, span in enumerate(spans):
        assert span.name == "POST /v1/messages"
        assert span.kind is SpanKind.CLIENT
        assert not span.events
        assert not span.links
        assert span.instrumentation_scope is not None
        assert span.instrumentation_scope.name == "anthropic_otel"
        attributes = dict(span.attributes or {})
        expected = expected_attributes(meeting, number)
        assert {name: value for name, value in attributes.items() if name in expected} == expected
        check_errno(meeting, attributes.pop(s.NETWORK_ERRNO, None))
        check_what_else_it_has(meeting, attributes.keys() - expected.keys(), attributes)
        check_status(meeting, span)


def expected_attributes(meeting: Meeting, number: int) -> dict[str, Any]:
    """The attributes whose values the entry decides, of the attempt with that number."""
    fault, url = meeting.fault, urlsplit(meeting.endpoint.base_url)
    told: dict[str, Any] = {
        s.HTTP_REQUEST_METHOD: "POST",
        s.SERVER_ADDRESS: url.hostname,
        s.SERVER_PORT: url.port or {"http": 80, "https": 443}[url.scheme],
        s.URL_FULL: f"{meeting.endpoint.base_url.removesuffix(':80')}/v1/messages",
        s.URL_TEMPLATE: "/v1/messages",
        s.OPERATION_NAME: "messages.create",
        s.ATTEMPT_OUTCOME: fault.outcome.value,
        s.ERROR_TYPE: fault.error_type,
        s.HTTP_RESPONSE_STATUS_CODE: status_of(meeting),
        s.ATTEMPT_STATUS_CLASS: status_class_of(meeting),
    }
    if fault.cause is not None:
        told |= {s.NETWORK_CAUSE: fault.cause.value, s.NETWORK_PHASE: phase_of(meeting)}
    if number:
        told |= {
            s.HTTP_REQUEST_RESEND_COUNT: number,
            s.RETRY_REASON: fault.error_type,
            s.RETRY_SOURCE: source_of(fault),
        }
    return {name: value for name, value in told.items() if value is not None}


def status_of(meeting: Meeting) -> int | None:
    """The status of a response; where a body fails within `send`, only the transport's events know of it."""
    if meeting.fault.name == "too_many_redirects" and not meeting.stack.aiohttp:
        return 307
    if meeting.stack.aiohttp and meeting.fault.status == 200 and not meeting.fault.stream and meeting.fault.cause:
        return None
    return meeting.fault.status


def status_class_of(meeting: Meeting) -> str | None:
    """The first digit of the status, in the way of the schema."""
    status = status_of(meeting)
    return None if status is None else f"{str(status)[0]}xx"


def phase_of(meeting: Meeting) -> str:
    """The phase in which it struck. Without the transport's events only what the exception itself tells."""
    phase = meeting.fault.phase
    assert phase is not None
    if not meeting.stack.aiohttp or phase in (s.Phase.WAIT, s.Phase.CONNECT):
        return phase.value
    if phase is s.Phase.RECEIVE and not meeting.fault.stream:
        return s.Phase.WAIT.value
    return {s.Phase.TLS: s.Phase.CONNECT, s.Phase.SEND: s.Phase.WAIT}.get(phase, phase).value


def source_of(fault: Fault) -> str:
    """What set the backoff: the server, if it said so."""
    named = {name for name, _ in getattr(fault.action, "headers", ())}
    return "retry_after" if named & {"retry-after", "retry-after-ms"} else "backoff"


def check_errno(meeting: Meeting, errno: str | None) -> None:
    """One of those that the entry names, if it names any; but aiohttp keeps that of a body to itself."""
    if meeting.fault.errno and not (meeting.stack.aiohttp and meeting.fault.phase is s.Phase.RECEIVE):
        assert errno in meeting.fault.errno
    else:
        assert errno is None


def check_what_else_it_has(meeting: Meeting, names: set[str], attributes: dict[str, Any]) -> None:
    """The attributes whose values differ from run to run: exactly those that there is a reason for."""
    fault, httpcore = meeting.fault, not meeting.stack.aiohttp
    allowed = set()
    if attributes.get(s.HTTP_REQUEST_RESEND_COUNT):
        allowed.add(s.RETRY_DELAY)
        assert attributes[s.RETRY_DELAY] > 0
    if status_of(meeting) is not None:
        allowed.add(s.NETWORK_PROTOCOL_VERSION)
        assert attributes[s.NETWORK_PROTOCOL_VERSION] == "1.1"
        if fault.request_id:
            allowed |= {s.REQUEST_ID, s.ORGANIZATION_ID}
            assert attributes[s.REQUEST_ID].startswith("req_01")
    if fault.cause is not None and fault.name != "stream_incomplete":
        allowed.add(s.EXCEPTION_TYPE)
        assert attributes[s.EXCEPTION_TYPE].partition(".")[0] in (meeting.stack.library, "aiohttp")
    if httpcore and fault.phase is not s.Phase.POOL:
        allowed |= {s.CONNECTION_REUSED}
    if s.NETWORK_PEER_ADDRESS in names:
        # Where something was connected to; never the name of the host.
        assert httpcore
        assert attributes[s.NETWORK_PEER_ADDRESS] == "127.0.0.1"
        allowed |= {s.NETWORK_PEER_ADDRESS, s.NETWORK_PEER_PORT}
    else:
        # The address is known from the connect, or from the response if the app gets it.
        hidden = not fault.stream and fault.cause and attributes.get(s.CONNECTION_REUSED)
        assert not httpcore or status_of(meeting) is None or hidden
    if fault.stream and status_of(meeting) == 200:
        allowed |= {s.STREAM_MAX_GAP, s.STREAM_CONSUMER_TIME}
        if fault.cause is not s.NetworkCause.DECODING_ERROR:  # of which nothing could be read
            allowed.add(s.STREAM_COMPLETE)
            assert attributes[s.STREAM_COMPLETE] == (fault.error_type is None)
        if httpcore or not fault.cause or s.STREAM_TIME_TO_FIRST_CHUNK in names:  # aiohttp may drop what came before
            allowed.add(s.STREAM_TIME_TO_FIRST_CHUNK)
    phases = {name for name in names if name.startswith(s.PHASE_PREFIX)}
    check_phases(meeting, phases)
    assert names - phases == allowed


def check_phases(meeting: Meeting, phases: set[str]) -> None:
    """Those up to the one in which it failed; all of them, if it did not fail in the network."""
    if meeting.stack.aiohttp:
        assert phases <= {s.Phase.RECEIVE.attribute}
        return
    last = meeting.fault.phase or s.Phase.RECEIVE
    order = [phase for phase in s.Phase if phase is not s.Phase.TLS or meeting.endpoint.base_url.startswith("https")]
    if last is s.Phase.TLS or last in order:
        expected = {phase.attribute for phase in order[: order.index(last) + 1]}
        # A connection that is used again has no connect, and no handshake.
        optional = {s.Phase.CONNECT.attribute, s.Phase.TLS.attribute}
        assert expected - optional <= phases <= expected | optional


def check_status(meeting: Meeting, span: ReadableSpan) -> None:
    """ERROR for a failure, with no more text than the type of an exception; UNSET otherwise."""
    failed = meeting.fault.outcome is s.AttemptOutcome.FAILED
    assert span.status.status_code is (StatusCode.ERROR if failed else StatusCode.UNSET)
    assert span.status.description == (span.attributes or {}).get(s.EXCEPTION_TYPE)


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
    assert attributes[s.GEN_AI_REQUEST_MODEL] == MODEL
    assert attributes[s.GEN_AI_OPERATION_NAME] == "chat"
    word = call_error_type(meeting)
    if TRACES_ITSELF:
        word = SDK_WORDS.get(meeting.fault.name, word)
    assert attributes.get(s.ERROR_TYPE) == word
    assert (call.status.status_code is StatusCode.ERROR) == (word is not None)


SDK_WORDS = {
    # The API's word as it is; ours is on metrics too, so that it is one of a closed list.
    "stream_unknown_error": "unheard_of_error",
    # httpx2 closes the body before it raises what its decoder met, and the SDK's own span ends with that.
    "stream_bad_gzip": None,
}
"""Where the SDK's own span has another word than our metric."""


def call_error_type(meeting: Meeting) -> str | None:
    """The word for the call, from what the app sees."""
    error, library = meeting.error, meeting.stack.module
    if error is None:
        return "api_error" if meeting.fault.name == "stream_incomplete" else None
    if isinstance(error, anthropic.APITimeoutError | library.TimeoutException):
        return "client_timeout_error"
    if isinstance(error, anthropic.APIConnectionError | library.TransportError):
        return "connection_error"
    if isinstance(error, anthropic.APIStatusError):
        body = error.body if isinstance(error.body, dict) else {}
        told = (body.get("error") or {}).get("type")
        status = str(error.status_code) if error.status_code >= 400 else s.OTHER
        return told if told in s.API_ERROR_TYPES else status
    return "client_error"


# -- metrics -----------------------------------------------------------------------------------------------------------


def check_metrics(meeting: Meeting) -> None:
    """Every metric that has a reason to be there, with exactly the attributes of its definition that apply."""
    told, n = meeting.telemetry, meeting.attempts
    target = metric_target(meeting)
    fault = meeting.fault
    result = {
        s.HTTP_RESPONSE_STATUS_CODE: status_of(meeting),
        s.ATTEMPT_STATUS_CLASS: status_class_of(meeting),
        s.ERROR_TYPE: fault.error_type,
        s.NETWORK_CAUSE: fault.cause.value if fault.cause else None,
        s.ATTEMPT_OUTCOME: fault.outcome.value,
    }
    has_first_chunk = any(s.STREAM_TIME_TO_FIRST_CHUNK in (span.attributes or {}) for span in told.attempts)
    calls = 1 if meeting.stack.of_sdk else 0
    check_points(told, s.ATTEMPT_STARTED, target, n)
    check_points(told, s.ATTEMPT_DURATION, target | result, n)
    check_points(told, s.ATTEMPT_TIME_TO_FIRST_CHUNK, target, int(has_first_chunk))
    call = target | {s.CALL_OUTCOME: call_outcome(meeting)}
    check_points(told, s.CALL_DURATION, call | {s.ERROR_TYPE: call_error_type(meeting)}, calls)
    check_points(told, s.CALL_RETRIES, call, calls)
    retry = {
        s.OPERATION_NAME: "messages.create",
        s.SERVER_ADDRESS: target[s.SERVER_ADDRESS],
        s.RETRY_REASON: fault.error_type,
        s.RETRY_SOURCE: source_of(fault),
    }
    check_points(told, s.RETRY_DELAY_METRIC, retry, n - 1)
    check_rate_limits(meeting)
    assert told.metric_names <= {metric.name for metric in s.METRICS}


def metric_target(meeting: Meeting) -> dict[str, Any]:
    """The operation, the host and, of calls of the SDK, the model."""
    target = {s.OPERATION_NAME: "messages.create", s.SERVER_ADDRESS: urlsplit(meeting.endpoint.base_url).hostname}
    return target | ({s.GEN_AI_REQUEST_MODEL: MODEL} if meeting.stack.of_sdk else {})


def call_outcome(meeting: Meeting) -> str:
    """How a call ends that met the fault in each of its attempts."""
    if meeting.fault.outcome is s.AttemptOutcome.COMPLETED:
        return "succeeded"
    return "exhausted" if meeting.fault.retried else "failed"


def check_points(told: Telemetry, metric: s.Metric, attributes: dict[str, Any], count: int) -> None:
    """One point with those attributes, `None` left out, and so many measurements; or no point, for none."""
    points = told.points(metric)
    if not count:
        assert not points
        return
    [point] = points
    assert point.attributes == {name: value for name, value in attributes.items() if value is not None}
    assert (point.sum if metric.instrument is s.Instrument.COUNTER else point.count) == count
    if metric is s.CALL_RETRIES:
        assert point.sum == len(told.attempts) - 1


def check_rate_limits(meeting: Meeting) -> None:
    """Of each kind that the last response told of, for the model."""
    expected = Counter[str]()
    if meeting.fault.request_id and status_of(meeting) is not None:
        expected.update(("requests", "tokens", "input_tokens", "output_tokens"))
    for metric in (s.RATELIMIT_LIMIT, s.RATELIMIT_REMAINING):
        points = meeting.telemetry.points(metric)
        assert Counter(point.attributes[s.RATELIMIT_KIND] for point in points) == expected
        model = {s.GEN_AI_REQUEST_MODEL: MODEL} if meeting.stack.of_sdk else {}
        assert all(point.attributes.items() >= model.items() for point in points)


# -- logs and privacy --------------------------------------------------------------------------------------------------


def check_logs(meeting: Meeting) -> None:
    """One record for each failed attempt: INFO if another one follows, WARNING if the call fails with it."""
    records = meeting.telemetry.logs
    attempts = [span for span in meeting.telemetry.attempts if span.status.status_code is StatusCode.ERROR]
    assert [record.levelno for record in records] == [logging.INFO] * (len(attempts) - 1) + [logging.WARNING] * bool(
        attempts
    )
    for record, span in zip(records, attempts, strict=True):
        attributes = dict(span.attributes or {})
        assert record.__dict__[s.ERROR_TYPE] == attributes[s.ERROR_TYPE]
        for name in (s.REQUEST_ID, s.NETWORK_CAUSE, s.NETWORK_PHASE, s.NETWORK_ERRNO, s.EXCEPTION_TYPE, s.URL_TEMPLATE):
            assert record.__dict__.get(name) == attributes.get(name)
        assert attributes.get(s.REQUEST_ID, "request id none") in record.getMessage()
        assert str(attributes[s.ERROR_TYPE]) in record.getMessage()


def check_nothing_private_is_told(meeting: Meeting) -> None:
    """No prompt, no reply and no key in any span or record."""
    told = "".join(span.to_json() for span in meeting.telemetry.spans if s.ATTEMPT_OUTCOME in (span.attributes or {}))
    told += "".join(str(record.__dict__) for record in meeting.telemetry.records)
    assert not [secret for secret in (PROMPT, API_KEY, "the quick brown fox") if secret in told]

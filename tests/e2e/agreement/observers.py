"""What each observer of one call said of it, reduced to words that can be compared.

Rule: every observer is read by itself. The app's word is taken from what it got, the server's from its own record.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import anthropic
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from anthropic_otel import testing
from anthropic_otel._core import instruments, semconv
from anthropic_otel._core.semconv import AttemptOutcome, CallOutcome
from anthropic_otel.simulator import Served
from e2e.agreement.situations import Got
from e2e.agreement.table import App, Error, Log, Server, Span
from e2e.frames import call_error_type, is_frame_error
from support.stacks import Stack
from support.telemetry import Telemetry

_CONTENT: Final = frozenset({"incomplete_stream", "unexpected_content", "invalid_event"})
_CLIENT: Final = frozenset({"request_not_sent", "event_loop_closed", "client_closed", "app_exception"})


# -- the app -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AppSaw:
    """What the app saw. `error_type` is the word of a call that ends with its exception, `None` without one.

    `status` and `request_id` are those that it could read off the response or the exception, `None` if it could not.
    """

    word: App
    error_type: str | None
    status: int | None
    request_id: str | None


def app_saw(got: Got, error: BaseException | None, stack: Stack) -> AppSaw:
    """Reduces what an app got, and the exception that it got instead of more."""
    word = _word_of(got, error, stack)
    if error is None:
        return AppSaw(word, None, got.status, got.request_id)
    status = getattr(error, "status_code", None) or got.status
    return AppSaw(word, call_error_type(error, stack), status, getattr(error, "request_id", None))


def _word_of(got: Got, error: BaseException | None, stack: Stack) -> App:
    if error is None:
        return _without_exception(got)
    if isinstance(error, anthropic.APIStatusError):
        return App.REFUSED if error.status_code >= 300 else App.EVENT
    if isinstance(error, anthropic.APIConnectionError | stack.module.RequestError):
        return App.BROKEN if got.reading else App.UNANSWERED
    return App.EVENT if is_frame_error(error) else App.UNREADABLE


def _without_exception(got: Got) -> App:
    if got.status is not None and got.status >= 300:
        return App.REFUSED
    if got.error_event:
        return App.EVENT
    if got.complete:
        return App.ANSWERED
    if got.left:
        return App.LEFT if got.taken else App.UNREAD
    return App.ODD


# -- the server --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ServerSaw:
    """What the server saw of one attempt. `retry` is the SDK's count of it on the wire, `None` without the SDK."""

    word: Server
    retry: int | None
    status: int | None
    request_id: str | None


def server_saw(served: Sequence[Served]) -> list[ServerSaw]:
    """One for each request, but for those that a redirect led to: they go on with the one before."""
    followed: list[Served] = []
    for each in served:
        if followed and _leads_to(followed[-1], each):
            followed.pop()
        followed.append(each)
    return [_reduced(each) for each in followed]


def _leads_to(before: Served, after: Served) -> bool:
    location = dict(before.headers).get("location")
    return location is not None and urlsplit(location).path == urlsplit(after.request.target).path


def _reduced(served: Served) -> ServerSaw:
    retry = served.request.header("x-stainless-retry-count")
    request_id = dict(served.headers).get("request-id")
    return ServerSaw(_word_of_server(served), int(retry) if retry else None, served.status, request_id)


def _word_of_server(served: Served) -> Server:
    if served.raw:
        return Server.RAW
    if served.status is None and not served.whole_request:
        return Server.HALF_ASKED
    if served.status is not None and served.status >= 300:
        return Server.REFUSED
    if served.whole_response:
        return Server.SENT
    if served.client_left:
        return Server.CLIENT_LEFT
    return Server.SILENT if served.status is None else Server.CUT


# -- the library -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Attempt:
    """An attempt in the words of its span, or in those of `capture()`: the same fields of either."""

    outcome: AttemptOutcome
    error_type: str | None
    cause: str | None
    phase: str | None
    errno: str | None
    exception_type: str | None
    status: int | None
    request_id: str | None
    resend_count: int
    retry_reason: str | None
    retry_source: str | None
    connection_reused: bool | None
    stream_complete: bool | None

    @property
    def error(self) -> Error:
        """The kind of its error."""
        if self.error_type is None:
            return Error.NONE
        if self.error_type.isdigit():
            return Error.STATUS
        if self.error_type in _CONTENT:
            return Error.CONTENT
        if self.error_type in _CLIENT:
            return Error.CLIENT
        return Error.NETWORK if self.cause is not None else Error.EVENT


def from_span(span: ReadableSpan) -> Attempt:
    """The words of an attempt's span."""
    told = span.attributes or {}
    values: dict[str, Any] = {field: told.get(name) for field, name in _ATTRIBUTES.items()}
    outcome = AttemptOutcome(values["outcome"])
    return Attempt(**(values | {"outcome": outcome, "resend_count": values["resend_count"] or 0}))


def from_capture(attempt: testing.Attempt) -> Attempt:
    """The words of a captured attempt."""
    values = {field: getattr(attempt, field) for field in _ATTRIBUTES}
    return Attempt(**(values | {"outcome": AttemptOutcome(attempt.outcome)}))


_ATTRIBUTES: Final = {
    "outcome": semconv.ATTEMPT_OUTCOME,
    "error_type": semconv.ERROR_TYPE,
    "cause": semconv.NETWORK_CAUSE,
    "phase": semconv.NETWORK_PHASE,
    "errno": semconv.NETWORK_ERRNO,
    "exception_type": semconv.EXCEPTION_TYPE,
    "status": semconv.HTTP_RESPONSE_STATUS_CODE,
    "request_id": semconv.REQUEST_ID,
    "resend_count": semconv.HTTP_REQUEST_RESEND_COUNT,
    "retry_reason": semconv.RETRY_REASON,
    "retry_source": semconv.RETRY_SOURCE,
    "connection_reused": semconv.CONNECTION_REUSED,
    "stream_complete": semconv.STREAM_COMPLETE,
}


@dataclass(frozen=True)
class Call:
    """A call in the words of its metric, or in those of `capture()`."""

    outcome: CallOutcome
    error_type: str | None
    attempts: int


@dataclass(frozen=True)
class CallSpan:
    """The span of a call: its status and its error."""

    status: Span
    error_type: str | None


def call_spans(telemetry: Telemetry) -> list[CallSpan]:
    """The spans of calls, the SDK's or ours."""
    return [
        CallSpan(
            Span.ERROR if span.status.status_code is StatusCode.ERROR else Span.OK,
            (span.attributes or {}).get(semconv.ERROR_TYPE),  # type: ignore[arg-type]
        )
        for span in telemetry.calls
    ]


Result = tuple[Any, ...]
"""What an attempt's metric tells apart: outcome, error type, cause, status."""


def measured_attempts(telemetry: Telemetry) -> Counter[Result]:
    """How often `attempt.duration` has each result."""
    names = [_ATTRIBUTES[field] for field in ("outcome", "error_type", "cause", "status")]
    found: Counter[Result] = Counter()
    for point in telemetry.points(instruments.ATTEMPT_DURATION):
        found[tuple(point.attributes.get(name) for name in names)] += point.count
    return found


def measured_calls(telemetry: Telemetry) -> list[Call]:
    """The calls that `call.duration` has counted, with as many attempts as `call.retries` leaves for all of them."""
    points = telemetry.points(instruments.CALL_DURATION)
    retries = int(sum(point.sum for point in telemetry.points(instruments.CALL_RETRIES)))
    return [
        Call(CallOutcome(point.attributes[semconv.CALL_OUTCOME]), point.attributes.get(semconv.ERROR_TYPE), retries + 1)
        for point in points
        for _ in range(point.count)
    ]


@dataclass(frozen=True)
class Record:
    """A log record."""

    level: Log
    resend_count: int
    error_type: str | None
    request_id: str | None


def records(telemetry: Telemetry) -> list[Record]:
    """The log records of attempts, in their order."""
    return [_record(record) for record in telemetry.logs]


def _record(record: logging.LogRecord) -> Record:
    told = vars(record)
    level = Log.WARNING if record.levelno == logging.WARNING else Log.INFO
    names = (semconv.HTTP_REQUEST_RESEND_COUNT, semconv.ERROR_TYPE, semconv.REQUEST_ID)
    count, error_type, request_id = (told.get(name) for name in names)
    return Record(level, count or 0, error_type, request_id)

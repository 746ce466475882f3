"""One HTTP request for the operation of a call: what is known of it, from the send to the end of its body.

Rule: an attempt ends exactly once. The first of these wins: body read, exception, `close()`, finalization. Later ends
are ignored. Thread-safe. After its end an attempt does not change.

Where several words fit for what failed it, the first of this list is its `error.type`:

1. the status, if the SDK fails for it: every one that is not 2xx (not the redirect before `too_many_redirects`, nor
   one that was followed before the network failed);
2. the cause of the exception that the send or the reading of the body raised;
3. the API's type of an `error` event;
4. `invalid_event`;
5. `unexpected_content`;
6. `incomplete_stream`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from anthropic_otel._core import headers, usage
from anthropic_otel._core.aws_event_stream import AwsEventStreamReader
from anthropic_otel._core.cause import Cause, classify, type_name
from anthropic_otel._core.content import Content, Expected, content_of, expected_of, is_json
from anthropic_otel._core.event_stream import EventStreamReader
from anthropic_otel._core.guard import guarded
from anthropic_otel._core.headers import RawHeaders, ResponseFacts
from anthropic_otel._core.reading import BodyReader, Reading, StartOfBody
from anthropic_otel._core.recorder import NO_ATTEMPT_RECORDER, AttemptRecorder
from anthropic_otel._core.semconv import (
    INVALID_EVENT,
    OTHER,
    UNEXPECTED_CONTENT,
    AttemptOutcome,
    NetworkCause,
    Phase,
    RetrySource,
    RetryStop,
)
from anthropic_otel._core.stream_end import ApiError, StreamEnd, api_error
from anthropic_otel._core.target import Target
from anthropic_otel._core.timeline import Timeline

if TYPE_CHECKING:
    from anthropic_otel._core.clock import Clock

_JSON: Final = (Expected.JSON, Expected.JSON_OR_EVENT_STREAM)
_MAX_ERROR: Final = 16 * 1024
"""How many bytes of an error's body are kept, until its type is read off."""

Peer = tuple[str, int]
"""Address and port of the other side of a connection."""


class End(Enum):
    """How an attempt ended without an exception, as seen from the place that ends it."""

    READ = "its body was read to the end, or there was none to read"
    CLOSED = "the body was closed or dropped before its end"
    LOST = "the request was garbage-collected and no end was observed (event hooks only)"


class RequestFacts(NamedTuple):
    """What is known of a request when it is sent.

    - `model`: the model that it asks for, `None` where it is unknown.
    - `stream`: whether the app has asked for an event stream, `None` where that is unknown.
    - `proxy`: host and port of the proxy that it goes through, `None` without one, or where that is unknown.
    - `size`: the bytes of its body, `None` if they are not known beforehand.
    - `fetches_credentials`: whether an auth flow of the SDK fetches credentials within the send.
    - `emits_events`: whether the transport below tells of its events.
    - `by_names`: whether the SDK goes by the names of a stream's events, and not by the types in their data.
    """

    target: Target
    model: str | None = None
    stream: bool | None = None
    proxy: str | None = None
    size: int | None = None
    fetches_credentials: bool = False
    emits_events: bool = False
    by_names: bool = False


class Retry:
    """Facts about a retry, known when it starts.

    `number` is 1 on the first retry. `delay` is the backoff that has just ended, in nanoseconds. `reason` is the
    `error.type` of the attempt before. `delay`, `reason` and `source` are `None` where the attempt before is unknown.
    """

    __slots__ = ("delay", "number", "reason", "source")

    def __init__(
        self, number: int, delay: int | None = None, reason: str | None = None, source: RetrySource | None = None
    ) -> None:
        self.number = number
        self.delay = delay
        self.reason = reason
        self.source = source


class Attempt:
    """The facts of one attempt. Times are nanoseconds of the clock; `wall` is since the epoch. No method raises.

    - `operation`: the operation's name: the SDK's own if it is known, else that of the URL.
    - `model`: the model that was asked for, `None` where it is unknown.
    - `retry`: `None` on a first attempt. `retries_left`: how often the SDK may retry after it, `None` if unknown.
    - `provider`: the `gen_ai.provider.name` of the platform, `None` where only the URL tells it.
    - `after_failure`: whether another attempt of its call had failed when it was sent.
    - `status`, `response`: of the response to this very request; `None` without one.
    - `api_error`: the error that the API said in the body, as far as the app has read that.
    - `retry_stop`: why the SDK does not retry after it; `None` where it does, or nothing failed.
    - `on_end`: called once, after the recorder has been told of the end.
    """

    __slots__ = (
        "_claim",
        "_content",
        "_expected",
        "_on_end",
        "_told_usage",
        "_unexpected",
        "after_failure",
        "api_error",
        "cause",
        "duration",
        "error_headers",
        "error_type",
        "exception_type",
        "model",
        "operation",
        "outcome",
        "protocol_version",
        "provider",
        "reading",
        "recorder",
        "request",
        "response",
        "retries_left",
        "retry",
        "retry_stop",
        "started",
        "status",
        "timeline",
        "wall",
    )

    def __init__(
        self,
        request: RequestFacts,
        clock: Clock,
        on_end: Callable[[Attempt], None],
        *,
        started: int,
        wall: int,
        operation: str | None = None,
        retry: Retry | None = None,
        retries_left: int | None = None,
        after_failure: bool = False,
    ) -> None:
        self.request = request
        self.operation: str = operation or request.target.operation
        self.model = request.model
        self.provider: str | None = None
        self.retry = retry
        self.retries_left = retries_left
        self.after_failure = after_failure
        self.started = started
        self.wall = wall
        self.recorder: AttemptRecorder = NO_ATTEMPT_RECORDER
        self.timeline = Timeline(clock, started, Phase.AUTH if request.fetches_credentials else Phase.POOL)
        self.reading: Reading | None = None
        """How its body is read; `None` as long as there is no open body."""
        self.status: int | None = None
        self.response: ResponseFacts | None = None
        self.error_headers: RawHeaders | None = None
        """The headers of an error response, by which the SDK decides on a retry. An open stream holds none."""
        self.protocol_version: str | None = None
        self.outcome: AttemptOutcome | None = None
        self.error_type: str | None = None
        self.api_error: ApiError | None = None
        self.cause: Cause | None = None
        self.exception_type: str | None = None
        self.retry_stop: RetryStop | None = None
        self.duration = 0
        self._expected = Expected.ANYTHING
        self._content = Content.UNKNOWN
        self._unexpected = False
        self._told_usage: usage.Told | None = None
        self._on_end: Callable[[Attempt], None] | None = on_end
        # Acquired by the first end and never waited for. Without the GIL it is a claim all the same.
        self._claim: Final = Lock()

    @property
    def target(self) -> Target:
        """Where the request goes. A redirect does not change it."""
        return self.request.target

    # -- while it is under way -----------------------------------------------------------------------------------------

    def trace(self, name: str, info: Mapping[str, Any]) -> None:
        """Takes one event of the transport."""
        self.timeline.trace(name, info)

    @guarded(None)
    def responded(
        self,
        status: int,
        response_headers: RawHeaders,
        version: str | None = None,
        peer: Peer | None = None,
        body: bytes | None = None,
    ) -> None:
        """Takes what the response says: its status, its headers, the HTTP version and the address it came from.

        `body` is the whole body, decoded, of a response that is in memory.
        """
        if self.outcome is not None:
            return
        timeline = self.timeline
        timeline.raw_response = None
        timeline.enter(Phase.RECEIVE)
        timeline.peer = peer or timeline.peer
        self.status = status
        self.protocol_version = version
        self.response = headers.facts_of(response_headers)
        if not _is_success(status):
            self.error_headers = response_headers
            self._take_error(body)
            return
        request = self.request
        self._content = content_of(response_headers)
        self._expected = expected_of(
            self.operation, request.target.method, known=self.operation != OTHER, stream=request.stream
        )
        if body is not None:
            self._judge(body, status)

    def begin_hop(self) -> None:
        """What it was answered was a redirect, which is followed: the answer is that of the next hop."""
        self.status = self.response = self.error_headers = self.protocol_version = None

    def begin_body(self) -> Reading:
        """The app is about to read the response's body, or never will. Returns what to tell of each chunk."""
        self.reading = Reading(self.timeline.clock, self._body_reader())
        return self.reading

    def _body_reader(self) -> BodyReader | StartOfBody | None:
        if self.status is None or not _is_success(self.status):
            return StartOfBody(_MAX_ERROR)
        if self._expected is Expected.JSON:
            return StartOfBody(1)
        if self._content is Content.AWS_EVENT_STREAM:
            return AwsEventStreamReader()
        if self._content is Content.SSE or self._expected is Expected.EVENT_STREAM:
            return EventStreamReader(by_names=self.request.by_names)
        return StartOfBody(1) if self._expected is Expected.JSON_OR_EVENT_STREAM else None

    def _judge(self, start: bytes | None, status: int) -> None:
        """Whether the response is no answer. `start` is as `is_json` takes it. Only a message is never empty."""
        is_stream = self._content in (Content.SSE, Content.AWS_EVENT_STREAM)
        if self._expected is Expected.JSON_OR_EVENT_STREAM and is_stream:
            return
        if self._expected in _JSON and (status not in (204, 205) or self.is_message):
            self._unexpected = is_stream or not is_json(self._content, start)

    def _take_error(self, body: bytes | None) -> None:
        """Takes the error that the API says in a body, if it does."""
        if body and len(body) <= _MAX_ERROR:
            error = api_error(body)
            if error.type != OTHER or error.code is not None:
                self.api_error = error

    # -- its end -------------------------------------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        """Whether it has ended, and will not change any more."""
        return self.outcome is not None

    @guarded(None)
    def end(self, how: End, at: int | None = None) -> None:
        """Ends the attempt as `how` says, now or at the time `at`. Ignored after the first end."""
        if self._claim.acquire(blocking=False):
            self._close(how, at)

    @guarded(None)
    def fail(self, error: BaseException, at: int | None = None) -> None:
        """Ends the attempt with what the send, or the reading of the body, raised. Ignored after the first end."""
        if self._claim.acquire(blocking=False):
            self._close(error, at)

    def _close(self, how: End | BaseException, at: int | None) -> None:
        now = self.timeline.clock.now() if at is None else at
        self.duration = now - self.started
        self.timeline.finish(now)
        on_end, self._on_end = self._on_end, None
        try:
            if self.status is None:
                self._recover_response()
            if self.reading is not None:
                self._conclude_reading(self.reading, now, how)
            if isinstance(how, End):
                self._conclude(how)
            else:
                self._conclude_raised(how)
        finally:
            if self.outcome is None:
                self._failed(NetworkCause.OTHER.value)
            try:
                if self.outcome is AttemptOutcome.FAILED:
                    self.retry_stop = self._retry_stop()
            finally:
                # Also after an interrupt above: an end that nobody is told of is missing in every count.
                try:
                    self.recorder.end(self)
                    if self.is_message:
                        self._tell_usage()
                finally:
                    if on_end is not None:
                        on_end(self)

    @guarded(None)
    def _recover_response(self) -> None:
        """Takes the response from the transport, where its body failed inside `send` and nobody else has seen it."""
        raw, self.timeline.raw_response = self.timeline.parsed_response, None
        if raw is not None:
            version, status, pairs = raw
            self.responded(status, headers.by_name(pairs), version)

    def _conclude_reading(self, reading: Reading, now: int, how: End | BaseException) -> None:
        reading.conclude(now, read_to_end=how is End.READ)
        if self.status is None or not _is_success(self.status):
            self._take_error(reading.start)
        elif reading.start is not None or self._content is Content.PAGE:
            self._judge(reading.start, self.status)

    def _conclude(self, how: End) -> None:
        end = self.reading.end if self.reading is not None else None
        if self.status is not None and not _is_success(self.status):
            self._failed(str(self.status))
        elif how is End.LOST:
            self._conclude_lost()
        elif end is not None:
            self._conclude_stream(how, end)
        elif self._unexpected:
            self._failed(UNEXPECTED_CONTENT)
        else:
            self.outcome = AttemptOutcome.COMPLETED if how is End.READ else AttemptOutcome.ABANDONED

    def _conclude_lost(self) -> None:
        """Nobody has told an event hook how it ended, but the transport may have told why."""
        if self.timeline.tunnel_refused:
            self.cause = Cause(NetworkCause.PROXY_ERROR, None, Phase.CONNECT)
        self._failed(self.cause.word.value if self.cause is not None else NetworkCause.OTHER.value)

    def _conclude_raised(self, error: BaseException) -> None:
        if not isinstance(error, Exception):
            # The app stopped it: a cancellation, an interrupt, the exit of the interpreter.
            self.outcome = AttemptOutcome.CANCELLED
            return
        self.exception_type = type_name(error)
        timeline, request = self.timeline, self.request
        told = timeline.reused is not None or (request.fetches_credentials and request.emits_events)
        phase = timeline.phase if told else None
        cause = classify(error, phase=phase, through_proxy=request.proxy is not None)
        if self._status_wins(cause.word):
            self._failed(str(self.status))
            return
        if cause.word is NetworkCause.SERVER_DISCONNECTED and timeline.send_error is not None:
            cause = timeline.send_error
        if cause.word is NetworkCause.POOL_TIMEOUT:
            phase, timeline.waited_for_pool = Phase.POOL, True
        timeline.phase = phase or cause.phase or (Phase.WAIT if self.status is None else Phase.RECEIVE)
        self.cause = cause
        self._failed(cause.word.value)

    def _status_wins(self, cause: NetworkCause) -> bool:
        """Whether a known status says more than the exception that a transport or the client made of it.

        A redirect was followed, if the network failed after it: then its status is that of an earlier hop.
        """
        status = self.status
        if status is None or _is_success(status) or cause is NetworkCause.TOO_MANY_REDIRECTS:
            return False
        if status < 400 and cause is not NetworkCause.OTHER:
            self.status = self.response = self.error_headers = self.protocol_version = None
            return False
        return True

    def _conclude_stream(self, how: End, end: StreamEnd) -> None:
        if end.error_type is not None:
            self.api_error = ApiError(end.error_type, end.error_code, end.told_type)
            self._failed(end.error_type)
        elif end.invalid:
            self._failed(INVALID_EVENT)
        elif end.complete:
            self.outcome = AttemptOutcome.COMPLETED
        elif self._is_no_stream(how, end):
            self._failed(UNEXPECTED_CONTENT)
        elif how is not End.READ:
            self.outcome = AttemptOutcome.ABANDONED
        elif self.is_message and end.complete is not None:
            self.cause = Cause(NetworkCause.INCOMPLETE_STREAM, None, None)
            self._failed(NetworkCause.INCOMPLETE_STREAM.value)
        else:
            self.outcome = AttemptOutcome.COMPLETED

    def _is_no_stream(self, how: End, end: StreamEnd) -> bool:
        """Whether an event stream was asked for and something else was sent: by its type, or by its first byte."""
        if self._expected is not Expected.EVENT_STREAM or self._content in (Content.SSE, Content.AWS_EVENT_STREAM):
            return False
        if end.is_event_stream is None:
            return self._content is Content.PAGE or (how is End.READ and end.complete is not None)
        return not end.is_event_stream

    def _failed(self, error_type: str) -> None:
        self.outcome = AttemptOutcome.FAILED
        self.error_type = error_type

    # -- the tokens that it used ---------------------------------------------------------------------------------------

    @guarded(None)
    def _tell_usage(self) -> None:
        """Tells what a stream's events said until its end, or the headers of a whole reply."""
        end = self.reading.end if self.reading is not None else None
        if end is not None:
            told = self.told_usage()
            if told is not None:
                told.tell(usage.of_stream(end))
        elif self.response is not None and self.response.bedrock_tokens is not None:
            told = self.told_usage()
            if told is not None:
                told.tell(usage.of_headers(self.response))

    def told_usage(self) -> usage.Told | None:
        """What to tell the usage of this attempt, which has ended; `None` if nobody records it."""
        if self._told_usage is None:
            sink = self.recorder.usage_sink(self)
            self._told_usage = usage.Told(sink) if sink is not None else None
        return self._told_usage

    @guarded(None)
    def take_reply(self, reply: object) -> None:
        """Takes the usage of the parsed reply, which the app got of this attempt."""
        told = self.told_usage() if self.is_message else None
        if told is not None:
            told.tell(usage.of_reply(reply))

    # -- what recorders and the call ask -------------------------------------------------------------------------------

    @property
    def request_id(self) -> str | None:
        """The id to give to Anthropic's support, `None` where no response with one came."""
        return headers.identifier(self.response.request_id) if self.response is not None else None

    @property
    def response_id(self) -> str | None:
        """What an edge or a platform calls the response, where it has no request id; `None` without one."""
        return headers.identifier(self.response.response_id) if self.response is not None else None

    @property
    def has_failed_status(self) -> bool:
        """Whether the SDK fails for its status. Known before the body has ended."""
        return self.status is not None and not _is_success(self.status)

    @property
    def is_message(self) -> bool:
        """Whether an event stream of this attempt must end with `message_stop`."""
        return self.operation == "messages.create"

    @property
    def resend_count(self) -> int:
        """0 on the first attempt of a call."""
        return 0 if self.retry is None else self.retry.number

    @property
    def retryable(self) -> bool:
        """Whether the SDK retries an attempt that ended like this one, as long as it has a retry left."""
        if self.outcome is not AttemptOutcome.FAILED:
            return False
        if self.exception_type is not None:
            # What fails while the app reads is the app's: the SDK has returned by then.
            return self.reading is None
        status, told = self.status, self.error_headers
        return status is not None and told is not None and headers.should_retry(status, told)

    def _retry_stop(self) -> RetryStop | None:
        # Without a call nobody retries.
        if self.retries_left is None:
            return None
        if self.retryable:
            return RetryStop.EXHAUSTED if self.retries_left == 0 else None
        if self.status is not None and _is_success(self.status):
            return RetryStop.STREAM_STARTED if self.reading is not None else RetryStop.NOT_RETRYABLE
        forbidden = self.error_headers is not None and self.error_headers.get(b"x-should-retry") == b"false"
        return RetryStop.X_SHOULD_RETRY if forbidden else RetryStop.NOT_RETRYABLE


def _is_success(status: int) -> bool:
    """Whether the SDK returns for a status. It raises for every other one, also for a redirect that is not followed."""
    return 200 <= status < 300

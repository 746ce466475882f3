"""Holds the facts of one HTTP request for an operation, from the send to the end of its body, and ends it.

Rule: an attempt ends exactly once. The first of these wins: body read, exception, `close()`, finalization. Later ends
are ignored. Thread-safe. After its end an attempt does not change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from anthropic_otel._core import ending, headers, usage
from anthropic_otel._core.answer import Answer
from anthropic_otel._core.content import CONTENT, content_of, expected_of
from anthropic_otel._core.ending import End, Ending, is_success
from anthropic_otel._core.event_json import ApiError, api_error, error_of_body
from anthropic_otel._core.guard import guarded
from anthropic_otel._core.headers import RawHeaders, ResponseFacts
from anthropic_otel._core.reading import Reading, StartOfBody
from anthropic_otel._core.recorder import NO_ATTEMPT_RECORDER, AttemptRecorder
from anthropic_otel._core.request import RequestFacts, Retry
from anthropic_otel._core.semconv import OTHER, AttemptOutcome, NetworkCause, Phase, RetryStop
from anthropic_otel._core.target import Target
from anthropic_otel._core.timeline import Timeline

if TYPE_CHECKING:
    from anthropic_otel._core.cause import Cause
    from anthropic_otel._core.clock import Clock
    from anthropic_otel._core.invocation import Invocation

_MAX_ERROR: Final = 16 * 1024
"""How many bytes of an error's body are kept until its type is parsed."""

Peer = tuple[str, int]
"""Address and port of the other side of a connection."""


class Attempt:
    """The facts of one attempt. Times are in nanoseconds of `clock`; `wall` is its start since the epoch.

    No method raises an error of its own.

    - `request`, `timeline`: the facts of its request, and its phases. `recorder`: records it; set by its source.
    - `operation`: the operation's name: the SDK's own if it is known, else that of the URL.
    - `is_message`: whether it asks for a message, so that its event stream must end with `message_stop`.
    - `model`: the model that was asked for, `None` if not known.
    - `retry`: `None` on a first attempt. `retries_left`: how often the SDK may retry after it, `None` if not known.
    - `invocation`: what the SDK method of its call was called with, `None` without a call.
    - `after_failure`: whether another attempt of its call had failed when it was sent.
    - `status`, `response`: of the response to this very request; `None` without one. `answer`: that of a 2xx.
    - `outcome`: how it ended, `None` until then. `duration`: from `started` to the end.
    - `error_type`, `cause`, `exception_type`: why it failed, `None` if it did not; as in `ending.Ending`.
    - `api_error`: the error that the API reported in the body, `None` without one, or if the app did not read it.
    - `retry_stop`: why the SDK does not retry after it; `None` if it does, or nothing failed.
    - `client_closed`: whether the app had closed the HTTP client when the send failed.
    - `on_end`: called once, with the attempt, after its end was recorded.
    """

    __slots__ = (
        "_on_end",
        "_parsing",
        "_read_at",
        "_used",
        "after_failure",
        "answer",
        "api_error",
        "cause",
        "client_closed",
        "duration",
        "error_headers",
        "error_type",
        "exception_type",
        "invocation",
        "is_message",
        "model",
        "operation",
        "outcome",
        "protocol_version",
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
        started: int,
        wall: int,
        invocation: Invocation | None = None,
        retry: Retry | None = None,
        retries_left: int | None = None,
        after_failure: bool = False,
    ) -> None:
        self.request = request
        self.invocation: Final = invocation
        operation, model = (invocation.operation, invocation.model) if invocation is not None else (None, None)
        self.operation: Final[str] = operation or request.target.operation
        self.is_message: Final = self.operation == "messages.create"
        self.model = request.model or model
        self.retry = retry
        self.retries_left = retries_left
        self.after_failure = after_failure
        self.started = started
        self.wall = wall
        self.recorder: AttemptRecorder = NO_ATTEMPT_RECORDER
        self.timeline = Timeline(clock, started, Phase.AUTH if request.fetches_credentials else Phase.POOL)
        self.reading: Reading | None = None
        """How its body is read; `None` unless `begin_body` was called."""
        self.status: int | None = None
        self.response: ResponseFacts | None = None
        self.answer: Answer | None = None
        self.error_headers: RawHeaders | None = None
        """The headers of a response that is no 2xx, by which the SDK decides on a retry; `None` for any other."""
        self.protocol_version: str | None = None
        self.outcome: AttemptOutcome | None = None
        self.error_type: str | None = None
        self.api_error: ApiError | None = None
        self.cause: Cause | None = None
        self.client_closed = False
        self.exception_type: str | None = None
        self.retry_stop: RetryStop | None = None
        self.duration = 0
        self._used = usage.NONE
        self._parsing = False
        self._read_at: int | None = None
        # The first end pops it. So one end wins, also without the GIL. A lock would take 2,300 instructions more.
        self._on_end: Final = [on_end]

    @property
    def target(self) -> Target:
        """The target of the request. A redirect does not change it."""
        return self.request.target

    # -- while it is under way -----------------------------------------------------------------------------------------

    def trace(self, name: str, info: Mapping[str, Any]) -> None:
        """Takes one trace event of the transport."""
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
        """Records the response: its status and headers, the HTTP version, and the address that it came from.

        `version` and `peer` are `None` if not known. `body` is the whole decoded body of a response in memory, `None`
        for an open one. Does not end the attempt. Ignored after its end.
        """
        if self.outcome is not None:
            return
        timeline = self.timeline
        timeline.raw_response = None
        timeline.enter(Phase.RECEIVE)
        timeline.peer = peer or timeline.peer
        self._take_response(status, response_headers, version, body)

    def _take_response(
        self, status: int, response_headers: RawHeaders, version: str | None, body: bytes | None
    ) -> None:
        self.status = status
        self.protocol_version = version
        self.response = headers.facts_of(response_headers)
        if not is_success(status):
            self.error_headers = response_headers
            self._take_error(body)
            return
        stream = self.invocation.stream if self.invocation is not None else self.request.stream
        expected = expected_of(self.operation, self.request.target.method, stream)
        self.answer = Answer(expected, content_of(response_headers))
        if body is not None:
            self._judge(self.answer, body, whole=True, has_content=CONTENT in body)

    def begin_hop(self) -> None:
        """Forgets the response, a redirect that is followed: the next hop's response counts."""
        self.status = self.response = self.answer = self.error_headers = self.protocol_version = None

    def begin_body(self) -> Reading:
        """Makes the reading for the response's body, to which the caller must pass each chunk. After `responded`."""
        answer = self.answer
        by_names = self.invocation is not None and self.invocation.by_names
        reader = answer.body_reader(by_names=by_names) if answer is not None else StartOfBody(_MAX_ERROR)
        self.reading = Reading(self.timeline.clock, reader)
        return self.reading

    def _judge(self, answer: Answer, start: bytes | None, *, whole: bool, has_content: bool) -> None:
        """Judges whether a 2xx is an answer. With status 204 or 205 it may be empty, but a message never is.

        The arguments are those of `Answer.judge`. Takes `api_error` from a body that is no answer.
        """
        empty = self.status in (204, 205) and not self.is_message
        answer.judge(start, of_message=self.is_message, may_be_empty=empty, whole=whole, has_content=has_content)
        if answer.is_unexpected:
            self._take_error(start)

    def _take_error(self, body: bytes | None) -> None:
        """Sets `api_error` if `body` is an API's error of at most `_MAX_ERROR` bytes."""
        if body and len(body) <= _MAX_ERROR:
            told = self.error_headers
            error = error_of_body(body, told.get(b"content-type", b"")) if told is not None else api_error(body)
            if error.type != OTHER or error.code is not None:
                self.api_error = error

    # -- its end -------------------------------------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        """Whether the attempt has ended, and will not change any more."""
        return self.outcome is not None

    @guarded(None)
    def end(self, how: End, at: int | None = None) -> None:
        """Ends the attempt without an exception, now or at the time `at`. Ignored after the first end. Thread-safe.

        While the app parses the body, `End.READ` takes effect only in `parsed`.
        """
        if self._parsing and how is End.READ:
            self._read_at = self.timeline.clock.now() if at is None else at
        elif self._on_end:
            self._close(how, at)

    @guarded(None)
    def fail(self, error: BaseException, at: int | None = None) -> None:
        """Ends the attempt because the send, or the reading of the body, raised `error`, now or at the time `at`.

        It has failed then; it was cancelled if `error` is no `Exception`. Ignored after the first end. Thread-safe.
        """
        if self._on_end:
            self._close(error, at)

    def begin_parsing(self) -> None:
        """Records that the app begins to read and parse the body in one step. `parsed` must be called after it."""
        self._parsing = self.answer is not None and self.answer.is_to_be_parsed and not self.ended

    def parsed(self, how: End) -> None:
        """Ends the attempt, if the body was read since `begin_parsing`, at the time when that was. Else does nothing.

        `how` is `End.READ`, or `End.UNPARSED` if the body could not be parsed.
        """
        self._parsing = False
        if self._read_at is not None:
            self.end(how, self._read_at)

    def _close(self, how: End | BaseException, at: int | None) -> None:
        try:
            on_end = self._on_end.pop()
        except IndexError:
            # Another thread was faster.
            return
        now = self.timeline.clock.now() if at is None else at
        self.duration = now - self.started
        failure = self.timeline.failure
        self.timeline.finish(now)
        try:
            if self.status is None:
                self._recover_response()
            if self.reading is not None:
                self._conclude_reading(self.reading, now, how)
            if isinstance(how, End):
                self._take_ending(ending.of_end(self, how))
            else:
                self._take_ending(ending.of_exception(self, how, failure))
        finally:
            if self.outcome is None:
                self._take_ending(ending.UNKNOWN)
            try:
                if self.outcome is AttemptOutcome.FAILED:
                    self.retry_stop = ending.retry_stop(self)
            finally:
                # Also after an interrupt above: an end that is not recorded is missing in every count.
                try:
                    self.recorder.end(self)
                    if self.is_message:
                        self._count_usage()
                finally:
                    on_end(self)

    @guarded(None)
    def _recover_response(self) -> None:
        """Records the response that `send` did not return, because its body failed within the send.

        The phase is not changed: without trace events it is not known when the response came.
        """
        raw, self.timeline.raw_response = self.timeline.parsed_response, None
        if raw is not None:
            version, status, pairs = raw
            self._take_response(status, headers.by_name(pairs), version, None)

    def _conclude_reading(self, reading: Reading, now: int, how: End | BaseException) -> None:
        reading.conclude(now, read_to_end=how is End.READ)
        if self.answer is None:
            self._take_error(reading.start)
        elif reading.start is not None or self.answer.is_page:
            start, last = reading.start, reading.last
            self._judge(
                self.answer,
                start + last if start is not None else None,
                whole=bool(last),
                has_content=reading.has_sought,
            )

    def _take_ending(self, end: Ending) -> None:
        self.cause, self.exception_type = end.cause, end.exception_type
        self.api_error = end.api_error or self.api_error
        if end.of_earlier_hop:
            self.begin_hop()
        if end.phase is not None:
            self.timeline.phase = end.phase
        if end.cause is not None and end.cause.word is NetworkCause.POOL_TIMEOUT:
            self.timeline.waited_for_pool = True
        self.error_type = end.error_type
        self.outcome = end.outcome

    # -- the tokens that it used ---------------------------------------------------------------------------------------

    def _count_usage(self) -> None:
        """Counts the tokens in a stream's events, or in Bedrock's headers of a reply that is no stream."""
        end = self.reading.end if self.reading is not None else None
        if end is not None:
            self.take_usage(usage.of_stream(end))
        elif self.response is not None and self.response.bedrock_tokens is not None:
            self.take_usage(usage.of_headers(self.response))

    def take_reply(self, reply: object) -> None:
        """Counts the usage of the parsed reply of this attempt. May raise for a strange reply; the caller guards it."""
        if self.is_message:
            self.take_usage(usage.of_reply(reply))

    def take_usage(self, tokens: tuple[usage.Usage, ...]) -> None:
        """Counts the usage of a reply of this attempt, one per model, without what has been counted before.

        Does nothing before the attempt's end, or without `tokens`. Not for several threads at once.
        """
        if not tokens or not self.ended:
            return
        if self._used:
            tokens, self._used = usage.compared(self._used, tokens)
        else:
            self._used = tokens
        for used in tokens:
            self.recorder.used(self, used)

    # -- what recorders and the call ask -------------------------------------------------------------------------------

    @property
    def request_id(self) -> str | None:
        """The `request-id` of the response, to give to Anthropic's support; `None` without a valid one."""
        return headers.identifier(self.response.request_id) if self.response is not None else None

    @property
    def response_id(self) -> str | None:
        """The id that an edge or a platform gave a response without a request id; `None` without a valid one."""
        return headers.identifier(self.response.response_id) if self.response is not None else None

    @property
    def has_failed_status(self) -> bool:
        """Whether a response has come whose status is no 2xx, so that the SDK raises. Known before the body ends."""
        return self.status is not None and not is_success(self.status)

    @property
    def resend_count(self) -> int:
        """How many attempts of the call came before, 0 on the first one; without a call by the SDK's header."""
        return 0 if self.retry is None else self.retry.number

    @property
    def hides_response(self) -> bool:
        """Whether the send raised, so that the SDK knows nothing of a response, even if its headers had come."""
        return self.exception_type is not None and self.reading is None

    @property
    def retryable(self) -> bool:
        """Whether the attempt has ended with a failure for which the SDK retries, if it has a retry left."""
        if self.outcome is not AttemptOutcome.FAILED:
            return False
        if self.hides_response:
            return True
        # A failure while the body is read does not matter: the SDK has decided by the headers.
        status, told = self.status, self.error_headers
        if status == 401 and self.retry is None and self.request.fetches_credentials:
            # The SDK fetches new credentials and retries, once for each call.
            return True
        return status is not None and told is not None and headers.should_retry(status, told)

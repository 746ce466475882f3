"""Holds the facts of one HTTP request for an operation, from the send to the end of its body, and ends it.

Rule: an attempt ends exactly once, in any thread: its body was read, an exception came, or it was closed or dropped.
What comes first wins; later ends are ignored. After its end it does not change; only tokens may still become known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from anthropic_otel._core import ending, headers, retrying, usage
from anthropic_otel._core.content import expected_of
from anthropic_otel._core.ending import End, Ending
from anthropic_otel._core.event_json import ApiError
from anthropic_otel._core.guard import guarded, report
from anthropic_otel._core.headers import RawHeaders
from anthropic_otel._core.reading import Reading
from anthropic_otel._core.recorder import NO_ATTEMPT_RECORDER, AttemptRecorder
from anthropic_otel._core.request import RequestFacts, Retry
from anthropic_otel._core.response import Response
from anthropic_otel._core.semconv import AttemptOutcome, NetworkCause, Phase, RetryStop
from anthropic_otel._core.timeline import Timeline

if TYPE_CHECKING:
    from anthropic_otel._core.cause import Cause
    from anthropic_otel._core.clock import Clock
    from anthropic_otel._core.invocation import Invocation


class Attempt:
    """The facts of one attempt. Times are in nanoseconds of `clock`; `wall` is its start since the epoch.

    No method raises an error of its own.

    - `request`, `timeline`: the facts of its request, and its phases. `recorder`: records it; set by its source.
    - `operation`: the operation's name: the SDK's own if it is known, else that of the URL.
    - `is_message`: whether it asks for a message, so that its event stream must end with `message_stop`.
    - `model`: the model that was asked for, `None` if not known.
    - `retry`: which retry it is and why, `None` on a first attempt.
    - `retries_left`: how often the SDK may retry after it, `None` if that is not known, or without a call.
    - `invocation`: what the SDK method of its call was called with, `None` without a call.
    - `after_failure`: whether another attempt of its call had failed, or got a failed status, when it was sent.
    - `status`, `response`: of the response to its last hop; `None` without one, so for a redirect that was followed.
    - `outcome`: how it ended, `None` until then. `duration`: from `started` to the end.
    - `error_type`, `cause`, `exception_type`: as in `ending.Ending`; `None` if it did not fail.
    - `api_error`: the error that the API reported in the body, `None` if none is known: the app may not have read it.
    - `retry_stop`: why the SDK does not retry after it; `None` if it does, if that is not known, or if it did not fail.
    - `redirected`: whether a redirect had come before the send failed; `False` if not known.
    - `client_closed`: whether the app had closed the HTTP client when the send failed.
    - `on_end`: called once, with the attempt, after its end was recorded.
    """

    __slots__ = (
        "_on_end",
        "_parsing",
        "_read_at",
        "_used",
        "after_failure",
        "api_error",
        "cause",
        "client_closed",
        "duration",
        "error_type",
        "exception_type",
        "invocation",
        "is_message",
        "model",
        "operation",
        "outcome",
        "reading",
        "recorder",
        "redirected",
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
        self.response: Response | None = None
        self.outcome: AttemptOutcome | None = None
        self.error_type: str | None = None
        self.api_error: ApiError | None = None
        self.cause: Cause | None = None
        self.client_closed = self.redirected = False
        self.exception_type: str | None = None
        self.retry_stop: RetryStop | None = None
        self.duration = 0
        self._used = usage.NONE
        self._parsing = False
        self._read_at: int | None = None
        # The first end pops it. So one end wins, also without the GIL. A lock would take 2,300 instructions more.
        self._on_end: Final = [on_end]

    # -- while it is under way -----------------------------------------------------------------------------------------

    def responded(
        self,
        status: int,
        response_headers: RawHeaders,
        version: str | None = None,
        peer: tuple[str, int] | None = None,
        body: bytes | None = None,
    ) -> None:
        """Records the response: its status and headers, the HTTP version, and the address that it came from.

        `version` and `peer` are `None` if not known. `body` is the whole decoded body of a response in memory, `None`
        for an open one: it shows the API's error, and whether a 2xx is an answer. Enters the phase `RECEIVE` and does
        not end the attempt. Ignored after its end.
        """
        if self.outcome is not None:
            return
        # Guarded in place, as it runs at every call.
        try:
            timeline = self.timeline
            timeline.raw_response = None
            timeline.enter(Phase.RECEIVE)
            timeline.peer = peer or timeline.peer
            self._take_response(status, response_headers, version, body)
        except Exception as error:
            report("Attempt.responded", error)

    def _take_response(self, status: int, received: RawHeaders, version: str | None, body: bytes | None) -> None:
        invocation, request = self.invocation, self.request
        stream = invocation.stream if invocation is not None else request.stream
        expected = expected_of(self.operation, request.target.method, stream)
        self.status = status
        response = self.response = Response(status, received, version, expected, of_message=self.is_message)
        if body is not None:
            self.api_error = response.judge_whole(body) or self.api_error

    def begin_hop(self) -> None:
        """Forgets the status and response of a hop, such as a followed redirect: those of the next hop count."""
        self.status = self.response = None

    def begin_body(self) -> Reading:
        """Sets `reading` to a new one and returns it: the caller must pass it each chunk. After `responded`."""
        by_names = self.invocation is not None and self.invocation.by_names
        reader = self.response.body_reader(by_names=by_names) if self.response is not None else None
        self.reading = Reading(self.timeline.clock, reader)
        return self.reading

    # -- its end -------------------------------------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        """Whether the attempt has ended: its `outcome` is set."""
        return self.outcome is not None

    def begin_parsing(self) -> None:
        """Records that the SDK begins to read and parse the body in one step. `parsed` must be called after it.

        Until then `End.READ` does not end the attempt. Without effect after its end, without a response, and for one
        that is not `is_to_be_parsed`.
        """
        self._parsing = self.response is not None and self.response.is_to_be_parsed and not self.ended

    def parsed(self, how: End) -> None:
        """Ends the attempt, if the body was read since `begin_parsing`, at the time when that was. Else does nothing.

        `how` is `End.READ`, or `End.UNPARSED` if the body could not be parsed.
        """
        self._parsing = False
        if self._read_at is not None:
            self.end(how, self._read_at)

    def fail(self, error: BaseException, at: int | None = None) -> None:
        """Ends the attempt because the send, or the reading of the body, raised `error`, now or at the time `at`.

        It has failed then; it was cancelled if `error` is no `Exception`. Ignored after the first end. Thread-safe.
        """
        self.end(error, at)

    def end(self, how: End | BaseException, at: int | None = None) -> None:
        """Ends the attempt, now or at the time `at`: by an exception as `fail` does, or without one, as `how` says.

        Passes it to its recorder, then the tokens that are known of a message, and then calls `on_end`. Between
        `begin_parsing` and `parsed`, `End.READ` is only noted for `parsed`. Ignored after the first end. Thread-safe.
        """
        if self._parsing and how is End.READ:
            self._read_at = self.timeline.clock.now() if at is None else at
            return
        if not self._on_end:
            return
        try:
            on_end = self._on_end.pop()
        except IndexError:
            # Another thread was faster.
            return
        # Guarded in place, as it runs at every call. Each `finally` is for an interrupt too: an end that is not
        # recorded is missing in every count.
        try:
            try:
                self._conclude(how, self.timeline.clock.now() if at is None else at)
            finally:
                if self.outcome is None:
                    self._take_ending(ending.UNKNOWN)
                try:
                    if self.outcome is AttemptOutcome.FAILED:
                        self.retry_stop = retrying.stop_reason(self)
                finally:
                    try:
                        self.recorder.end(self)
                        if self.is_message and (told := usage.of_ended(self.reading, self.response)):
                            self.take_usage(told)
                    finally:
                        on_end(self)
        except Exception as error:
            report("Attempt.end", error)

    def _conclude(self, how: End | BaseException, now: int) -> None:
        """Sets the duration, ends the phases and the reading at the time `now`, and last sets how the attempt ended.

        `how` is that of `end`; for `End.UNDECODED` the reading's end is changed to say so. Between these it records a
        response that the send has not returned, and the API's error that the body shows.
        """
        reading, failure = self.reading, self.timeline.failure
        self.duration = now - self.started
        self.timeline.finish(now)
        if self.status is None:
            self._recover_response()
        if reading is not None:
            reading.conclude(now, read_to_end=how is End.READ)
            if how is End.UNDECODED and reading.end is not None:
                reading.end = reading.end.undecoded()
            if self.response is not None:
                found = self.response.judge(reading.start, reading.last, reading.has_sought, whole=bool(reading.last))
                self.api_error = found or self.api_error
        end = ending.of_end(self, how) if isinstance(how, End) else ending.of_exception(self, how, failure)
        if end is ending.COMPLETED:
            # Nothing else is to be set.
            self.outcome = end.outcome
        else:
            self._take_ending(end)

    @guarded(None)
    def _recover_response(self) -> None:
        """Records a response that the transport has received and the send has not returned, if there is one.

        Its body may have failed within the send, or the transport may have sent again after it. The phase is not
        changed: without trace events it is not known when the response came.
        """
        raw, self.timeline.raw_response = self.timeline.parsed_response, None
        if raw is not None:
            version, status, pairs = raw
            self._take_response(status, headers.by_name(pairs), version, None)

    def _take_ending(self, end: Ending) -> None:
        self.cause, self.exception_type = end.cause, end.exception_type
        self.api_error = end.api_error or self.api_error
        if end.of_earlier_hop:
            self.begin_hop()
        if end.phase is not None:
            self.timeline.phase = end.phase
        self.timeline.waited_for_pool = end.error_type == NetworkCause.POOL_TIMEOUT.value
        self.error_type = end.error_type
        self.outcome = end.outcome

    # -- after its end -------------------------------------------------------------------------------------------------

    def take_usage(self, tokens: tuple[usage.Usage, ...]) -> None:
        """Passes `tokens`, the usage of its reply, one per model, to the recorder, less what was passed before.

        Does nothing before the attempt's end, without `tokens`, or if it does not ask for a message. Not for several
        threads at once.
        """
        if not tokens or self.outcome is None or not self.is_message:
            return
        tokens, self._used = usage.compared(self._used, tokens)
        for used in tokens:
            self.recorder.used(self, used)

    @property
    def request_id(self) -> str | None:
        """The `request-id` of the response, to give to Anthropic's support; `None` without a valid one."""
        return headers.identifier(self.response.facts.request_id) if self.response is not None else None

    @property
    def resend_count(self) -> int:
        """How many attempts of its call came before it; without a call, counted on from the SDK's header of retries."""
        return 0 if self.retry is None else self.retry.number

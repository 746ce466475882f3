"""One HTTP request that the SDK sends within a call: what is known of it, from the send to the end of its body.

The rule: an attempt ends exactly once, whoever ends it first - the reader of its body, an exception, a `close`, the
finalizer of a dropped response, from any thread. After that it does not change, and observers read it.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from anthropic_otel._core import headers as h
from anthropic_otel._core.cause import Cause, classify, type_name
from anthropic_otel._core.guard import report
from anthropic_otel._core.reading import Reading
from anthropic_otel._core.semconv import AttemptOutcome, NetworkCause, Phase, RetrySource
from anthropic_otel._core.sse import StreamEnd
from anthropic_otel._core.timeline import Timeline

if TYPE_CHECKING:
    from anthropic_otel._core.call import Call
    from anthropic_otel._core.clock import Clock
    from anthropic_otel._core.observer import Observer
    from anthropic_otel._core.target import Target


class End(Enum):
    """How an attempt was seen to end, from the place that saw it."""

    READ = "its body was read to the end, or there was none to read"
    RAISED = "the send, or the reading of the body, raised"
    CLOSED = "the body was closed or dropped before its end"
    LOST = "the request was dropped, and nobody has told how it went"


class Retry:
    """What a further attempt of a call knows at its start. `delay` is in nanoseconds; `number` is 1 on the first."""

    __slots__ = ("delay", "number", "reason", "source")

    def __init__(self, number: int, delay: int | None, reason: str | None, source: RetrySource | None) -> None:
        self.number = number
        self.delay = delay
        self.reason = reason
        self.source = source


class Attempt:
    """The facts of one attempt. Times are nanoseconds of the clock, `wall` is since the epoch. No method raises."""

    __slots__ = (
        "_under_way",
        "call",
        "cause",
        "duration",
        "error_type",
        "exception_type",
        "headers",
        "observed",
        "observer",
        "operation",
        "organization_id_header",
        "outcome",
        "protocol_version",
        "reading",
        "request_id_header",
        "retry",
        "started",
        "status",
        "target",
        "timeline",
        "wall",
    )

    def __init__(
        self, target: Target, observer: Observer, clock: Clock, call: Call | None = None, retry: Retry | None = None
    ) -> None:
        self.target = target
        self.observer = observer
        self.call = call
        self.operation: str = (call.invocation.operation if call is not None else None) or target.operation
        """The operation's name: the SDK's own if it tells it, else that of the URL."""
        self.retry = retry
        self.started = clock.mark()
        self.wall = clock.wall() if call is None else call.wall + self.started - call.started
        self.timeline = Timeline(clock, self.started, target.address)
        self.reading: Reading | None = None
        self.status: int | None = None
        self.headers: h.RawHeaders | None = None
        """Those of an error, by which the SDK decides on a retry. An open stream holds none."""
        # As they came, which is shared with the response: decoded where somebody records them.
        self.request_id_header: bytes | None = None
        self.organization_id_header: bytes | None = None
        self.protocol_version: str | None = None
        self.outcome: AttemptOutcome | None = None
        self.error_type: str | None = None
        self.cause: Cause | None = None
        self.exception_type: str | None = None
        self.duration = 0
        self.observed: Any = None
        # Gone, once it has ended: to delete it succeeds once, also between threads, and it takes no object of its own.
        self._under_way = True

    # -- while it is under way -----------------------------------------------------------------------------------------

    def responded(
        self, status: int, headers: h.RawHeaders, version: str | None = None, peer: tuple[str, int] | None = None
    ) -> None:
        """Takes what the response says: its status, its headers, the HTTP version and the address it came from."""
        if self.outcome is not None:
            return
        timeline = self.timeline
        timeline.answer = None
        timeline.enter(Phase.RECEIVE)
        timeline.peer = peer or timeline.peer
        self.status = status
        self.protocol_version = version
        self.request_id_header = headers.get(b"request-id")
        self.organization_id_header = headers.get(b"anthropic-organization-id")
        if status >= 400:
            self.headers = headers
        if h.RATELIMIT_MARK in headers:
            self.observer.limits_told(self, headers)

    def read(self, *, event_stream: bool, is_message: bool) -> Reading:
        """The reading of the response's body, which the app is about to begin, or never will."""
        self.reading = Reading(self.timeline.clock, event_stream=event_stream, is_message=is_message)
        return self.reading

    # -- its end -------------------------------------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        """Whether it has ended, and will not change any more."""
        return self.outcome is not None

    def end(self, how: End, error: BaseException | None = None) -> None:
        """Ends the attempt. Every call after the first is without effect, also from another thread."""
        try:
            del self._under_way
        except AttributeError:
            return
        try:
            ended = self.timeline.clock.mark()
            self.duration = ended - self.started
            self.timeline.finish(ended)
            try:
                self._conclude(how, error)
            finally:
                if self.outcome is None:
                    self._failed(NetworkCause.OTHER.value)
                self.observer.attempt_ended(self)
                if self.call is not None:
                    self.call.attempt_ended(self)
                elif self.outcome is AttemptOutcome.FAILED:
                    self.observer.attempt_settled(self, fatal=True)
        except Exception as failure:
            report("Attempt.end", failure)

    def _conclude(self, how: End, error: BaseException | None) -> None:
        if self.status is None:
            self._recover_response()
        reading = self.reading
        if reading is not None:
            reading.conclude(self.started + self.duration)
        if error is not None:
            self._raised(error)
        elif self.status is not None and self.status >= 400:
            self._failed(str(self.status))
        elif how is End.LOST:
            self._failed(NetworkCause.OTHER.value)
        elif reading is not None and reading.end is not None:
            self._conclude_stream(how, reading.end)
        else:
            self.outcome = AttemptOutcome.COMPLETED if how is End.READ else AttemptOutcome.ABANDONED

    def _recover_response(self) -> None:
        """The response of an attempt whose body failed inside `send`: the transport alone has told of it."""
        raw = self.timeline.raw_response
        if raw is not None:
            version, status, headers = raw
            self.responded(status, h.by_name(headers), version)
        self.timeline.answer = None

    def _raised(self, error: BaseException) -> None:
        if not isinstance(error, Exception):
            # The app stopped it: a cancellation, an interrupt, the exit of the interpreter.
            self.outcome = AttemptOutcome.CANCELLED
            return
        traced = self.timeline.reused is not None
        phase = self.timeline.phase if traced else None
        cause = classify(error, phase=phase, through_proxy=self.timeline.proxied)
        if cause.word is NetworkCause.SERVER_DISCONNECTED and self.timeline.unsent is not None:
            cause = self.timeline.unsent
        if phase is None:
            phase = cause.phase or (Phase.WAIT if self.status is None else Phase.RECEIVE)
        self.timeline.phase = phase
        self.timeline.waited_for_pool = cause.word is NetworkCause.POOL_TIMEOUT
        self.exception_type = type_name(error)
        self.cause = cause
        self._failed(cause.word.value)

    def _conclude_stream(self, how: End, end: StreamEnd) -> None:
        must_stop = self.reading is not None and self.reading.is_message and end.complete is not None
        if end.error_type is not None:
            self._failed(end.error_type)
        elif end.complete or (how is End.READ and not must_stop):
            self.outcome = AttemptOutcome.COMPLETED
        elif how is End.READ:
            self.cause = Cause(NetworkCause.INCOMPLETE_STREAM, None, None)
            self._failed(NetworkCause.INCOMPLETE_STREAM.value)
        else:
            self.outcome = AttemptOutcome.ABANDONED

    def _failed(self, error_type: str) -> None:
        self.outcome = AttemptOutcome.FAILED
        self.error_type = error_type

    # -- what observers and the call ask -------------------------------------------------------------------------------

    @property
    def request_id(self) -> str | None:
        """The id to give to Anthropic's support, `None` where no response with one came."""
        return h.identifier(self.request_id_header)

    @property
    def organization_id(self) -> str | None:
        """The organization that the API has counted it for, `None` where no response told."""
        return h.identifier(self.organization_id_header)

    @property
    def status_class(self) -> str | None:
        """`2xx` to `5xx`, `None` without a response."""
        return None if self.status is None else f"{self.status // 100}xx"

    @property
    def is_message(self) -> bool:
        """Whether a stream of this attempt's must end with `message_stop`."""
        return self.operation == "messages.create"

    @property
    def resend_count(self) -> int:
        """0 on the first attempt of a call."""
        return 0 if self.retry is None else self.retry.number

    @property
    def retryable(self) -> bool:
        """Whether the SDK's policy retries an attempt that ended like this one, as long as it has a retry left."""
        if self.outcome is not AttemptOutcome.FAILED:
            return False
        if self.cause is not None:
            # What fails while the app reads is the app's: the SDK has returned by then.
            return self.reading is None
        return self.status is not None and self.headers is not None and h.should_retry(self.status, self.headers)

"""One HTTP request for the operation of a call: what is known of it, from the send to the end of its body.

Rule: an attempt ends exactly once. The first of these wins: body read, exception, `close()`, finalization. Later ends
are ignored. Thread-safe. After its end an attempt does not change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from anthropic_otel._core import headers
from anthropic_otel._core.cause import Cause, classify, type_name
from anthropic_otel._core.guard import guarded
from anthropic_otel._core.headers import RawHeaders
from anthropic_otel._core.reading import Reading
from anthropic_otel._core.recorder import NO_ATTEMPT_RECORDER, AttemptRecorder
from anthropic_otel._core.semconv import AttemptOutcome, NetworkCause, Phase, RetrySource
from anthropic_otel._core.sse import StreamEnd
from anthropic_otel._core.timeline import Timeline

if TYPE_CHECKING:
    from anthropic_otel._core.clock import Clock
    from anthropic_otel._core.target import Target

Peer = tuple[str, int]
"""Address and port of the other side of a connection."""


class End(Enum):
    """How an attempt ended without an exception, as seen from the place that ends it."""

    READ = "its body was read to the end, or there was none to read"
    CLOSED = "the body was closed or dropped before its end"
    LOST = "the request was garbage-collected and no end was observed (event hooks only)"


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

    `operation` is the operation's name: the SDK's own if it is known, else that of the URL. `model` is the model that
    was asked for, `None` where it is unknown. `on_end` is called once, after the recorder has been told of the end.
    """

    __slots__ = (
        "_claim",
        "_on_end",
        "cause",
        "duration",
        "error_headers",
        "error_type",
        "exception_type",
        "model",
        "operation",
        "organization_id_header",
        "outcome",
        "protocol_version",
        "reading",
        "recorder",
        "request_id_header",
        "retry",
        "started",
        "status",
        "target",
        "timeline",
        "wall",
    )

    def __init__(
        self,
        target: Target,
        clock: Clock,
        on_end: Callable[[Attempt], None],
        *,
        started: int,
        wall: int,
        operation: str | None = None,
        model: str | None = None,
        retry: Retry | None = None,
    ) -> None:
        self.target = target
        self.operation: str = operation or target.operation
        self.model = model
        self.retry = retry
        self.started = started
        self.wall = wall
        self.recorder: AttemptRecorder = NO_ATTEMPT_RECORDER
        self.timeline = Timeline(clock, started, target.address)
        self.reading: Reading | None = None
        """How its body is read; `None` as long as there is no open body."""
        self.status: int | None = None
        self.error_headers: RawHeaders | None = None
        """The headers of an error response, by which the SDK decides on a retry. An open stream holds none."""
        # Undecoded bytes, shared with the response: they are decoded where they are recorded.
        self.request_id_header: bytes | None = None
        self.organization_id_header: bytes | None = None
        self.protocol_version: str | None = None
        self.outcome: AttemptOutcome | None = None
        self.error_type: str | None = None
        self.cause: Cause | None = None
        self.exception_type: str | None = None
        self.duration = 0
        self._on_end: Callable[[Attempt], None] | None = on_end
        # Acquired by the first end and never waited for. Without the GIL it is a claim all the same.
        self._claim: Final = Lock()

    # -- while it is under way -----------------------------------------------------------------------------------------

    def trace(self, name: str, info: Mapping[str, Any]) -> None:
        """Takes one event of the transport."""
        self.timeline.trace(name, info)

    @guarded(None)
    def responded(
        self, status: int, response_headers: RawHeaders, version: str | None = None, peer: Peer | None = None
    ) -> None:
        """Takes what the response says: its status, its headers, the HTTP version and the address it came from."""
        if self.outcome is not None:
            return
        timeline = self.timeline
        timeline.raw_response = None
        timeline.enter(Phase.RECEIVE)
        timeline.peer = peer or timeline.peer
        self.status = status
        self.protocol_version = version
        self.request_id_header = response_headers.get(b"request-id")
        self.organization_id_header = response_headers.get(b"anthropic-organization-id")
        if status >= 400:
            self.error_headers = response_headers

    def begin_body(self, *, event_stream: bool, is_message: bool) -> Reading:
        """The app is about to read the response's body, or never will. Returns what to tell of each chunk."""
        self.reading = Reading(self.timeline.clock, event_stream=event_stream, is_message=is_message)
        return self.reading

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
                self.reading.conclude(now)
            if isinstance(how, End):
                self._conclude(how)
            else:
                self._conclude_raised(how)
        finally:
            if self.outcome is None:
                self._failed(NetworkCause.OTHER.value)
            try:
                self.recorder.end(self)
            finally:
                if on_end is not None:
                    on_end(self)

    def _recover_response(self) -> None:
        """Takes the response from the transport, where its body failed inside `send` and nobody else has seen it."""
        raw, self.timeline.raw_response = self.timeline.parsed_response, None
        if raw is not None:
            version, status, pairs = raw
            self.responded(status, headers.by_name(pairs), version)

    def _conclude(self, how: End) -> None:
        reading = self.reading
        if self.status is not None and self.status >= 400:
            self._failed(str(self.status))
        elif how is End.LOST:
            self._failed(NetworkCause.OTHER.value)
        elif reading is not None and reading.end is not None:
            self._conclude_stream(how, reading, reading.end)
        else:
            self.outcome = AttemptOutcome.COMPLETED if how is End.READ else AttemptOutcome.ABANDONED

    def _conclude_raised(self, error: BaseException) -> None:
        if not isinstance(error, Exception):
            # The app stopped it: a cancellation, an interrupt, the exit of the interpreter.
            self.outcome = AttemptOutcome.CANCELLED
            return
        traced = self.timeline.reused is not None
        phase = self.timeline.phase if traced else None
        cause = classify(error, phase=phase, through_proxy=self.timeline.proxied)
        if cause.word is NetworkCause.SERVER_DISCONNECTED and self.timeline.send_error is not None:
            cause = self.timeline.send_error
        if phase is None:
            phase = cause.phase or (Phase.WAIT if self.status is None else Phase.RECEIVE)
        self.timeline.phase = phase
        self.timeline.waited_for_pool = cause.word is NetworkCause.POOL_TIMEOUT
        self.exception_type = type_name(error)
        self.cause = cause
        self._failed(cause.word.value)

    def _conclude_stream(self, how: End, reading: Reading, end: StreamEnd) -> None:
        must_stop = reading.is_message and end.complete is not None
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

    # -- what recorders and the call ask -------------------------------------------------------------------------------

    @property
    def request_id(self) -> str | None:
        """The id to give to Anthropic's support, `None` where no response with one came."""
        return headers.identifier(self.request_id_header)

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
        if self.cause is not None:
            # What fails while the app reads is the app's: the SDK has returned by then.
            return self.reading is None
        status, told = self.status, self.error_headers
        return status is not None and told is not None and headers.should_retry(status, told)

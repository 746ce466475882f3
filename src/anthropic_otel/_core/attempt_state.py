"""Holds the facts of one attempt, an HTTP request for an operation, from its send to the end of its body.

Rule: what records an attempt only reads these facts; but a tee sets `recorder`. `Attempt` sets them, and so do what has
begun it and what sends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from anthropic_otel._core import headers, retrying, usage
from anthropic_otel._core.ending import NOT_ENDED
from anthropic_otel._core.failed_send import NO_FAILED_SEND
from anthropic_otel._core.recorder import NO_ATTEMPT_RECORDER, AttemptRecorder
from anthropic_otel._core.request import RequestFacts, Retry
from anthropic_otel._core.semconv import AttemptOutcome, Phase, RetryStop
from anthropic_otel._core.timeline import Timeline

if TYPE_CHECKING:
    from anthropic_otel._core.attempt import Attempt
    from anthropic_otel._core.cause import Cause
    from anthropic_otel._core.clock import Clock
    from anthropic_otel._core.event_json import ApiError
    from anthropic_otel._core.invocation import Invocation
    from anthropic_otel._core.reading import Reading
    from anthropic_otel._core.response import Response


class AttemptOwner(Protocol):
    """What an attempt reports its end to: its call, or without a call the `LoneAttempts` of its send."""

    def attempt_ended(self, attempt: Attempt) -> None:
        """Called once for each of its attempts, after the attempt's end and tokens were recorded. In any thread.

        May raise. Also called if that recording was interrupted.
        """
        ...


class AttemptState:
    """The facts of one attempt. Times are in nanoseconds of `clock`, except `wall`.

    It is made with its `owner`, whose `attempt_ended` is called at its end. The owner is forgotten then.

    - `started`: when it began. `wall`: the same in nanoseconds since the epoch.
    - `request`, `timeline`: the facts of its request, and its phases. The proxy in `request` may be corrected later.
    - `request_size`: the size of the request's body in bytes, `None` if not known beforehand.
    - `recorder`: records it. What has begun the attempt sets it, right after it was made.
    - `operation`: the operation's name: that of its call's invocation, or if this has none that of its URL.
    - `is_message`: whether it asks for a message, so that its event stream must end with `message_stop`.
    - `model`: the model that was asked for, `None` if not known.
    - `retry`: how and why it follows an earlier attempt, `None` if it is the first one that is known.
    - `retries_left`: how often the SDK may retry after it, `None` if that is not known, or without a call.
    - `invocation`: what the SDK method of its call was called with, `None` without a call. If another HTTP client than
      the call's sends it, with the provider by its URL, and with `stream` by the request if that is known.
    - `after_failure`: whether its call had a failure before it was sent (`Attempts.failed_count`), or an open response
      with a failed status. `False` without a call.
    - `status`, `response`: those of its response, set by `responded`, or at the end if the send did not return it;
      `None` before, without one, and after `begin_hop` until the next one.
    - `ending`: how it ended, `NOT_ENDED` until then. `duration`: from `started` to the end, 0 until then.
    - `api_error`: the error that the API reported in the body, or on Bedrock in a header; `None` if none is known. It
      is mostly known at the end only, and only as far as the app has read the body.
    - `failed_send`: what an adapter found out about its send if that has failed; else `NO_FAILED_SEND`.
    """

    __slots__ = (
        "_owner",
        "_parsing",
        "_read_at",
        "_used",
        "after_failure",
        "api_error",
        "duration",
        "ending",
        "failed_send",
        "invocation",
        "is_message",
        "model",
        "operation",
        "reading",
        "recorder",
        "request",
        "request_size",
        "response",
        "retries_left",
        "retry",
        "started",
        "status",
        "timeline",
        "wall",
    )

    def __init__(
        self,
        request: RequestFacts,
        clock: Clock,
        owner: AttemptOwner,
        started: int,
        wall: int,
        invocation: Invocation | None = None,
        retry: Retry | None = None,
        retries_left: int | None = None,
        after_failure: bool = False,
        request_size: int | None = None,
    ) -> None:
        self.request = request
        self.request_size = request_size
        self.invocation = invocation
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
        self.ending = NOT_ENDED
        self.failed_send = NO_FAILED_SEND
        self.api_error: ApiError | None = None
        self.duration = 0
        self._used = usage.NONE
        self._parsing = False
        self._read_at: int | None = None
        # The first end pops it. So one end wins, also without the GIL. A lock would take 2,300 instructions more.
        self._owner: Final = [owner]

    @property
    def ended(self) -> bool:
        """Whether the attempt has ended: its `ending` is set."""
        return self.ending is not NOT_ENDED

    @property
    def outcome(self) -> AttemptOutcome | None:
        """The outcome of its `ending`, `None` until it has ended."""
        return self.ending.outcome

    @property
    def error_type(self) -> str | None:
        """The `error.type` of its `ending`, `None` if it has not failed."""
        return self.ending.error_type

    @property
    def cause(self) -> Cause | None:
        """The cause of its `ending`, `None` if it has none."""
        return self.ending.cause

    @property
    def exception_type(self) -> str | None:
        """The name of the class of the exception that it failed with, `None` if it has not failed with one."""
        return self.ending.exception_type

    @property
    def retry_stop(self) -> RetryStop | None:
        """Why the SDK does not retry after it: the result of `stop_reason`, or `None` if it has not failed."""
        return retrying.stop_reason(self) if self.ending.outcome is AttemptOutcome.FAILED else None

    def time_since(self, now: int) -> int:
        """Returns the nanoseconds from the end of the attempt, which has ended, to `now`, a reading of its clock.

        0 if `now` is before that end, as a reading of another thread may be.
        """
        return max(now - self.started - self.duration, 0)

    @property
    def request_id(self) -> str | None:
        """The `request-id` of the response, to give to Anthropic's support; `None` without a valid one."""
        return headers.identifier(self.response.request_id) if self.response is not None else None

    @property
    def resend_count(self) -> int:
        """How many attempts of its call came before it.

        Without a call it is the retry number in the SDK's header, plus how many attempts of the send a transport has
        sent by itself so far, with this one.
        """
        return 0 if self.retry is None else self.retry.number

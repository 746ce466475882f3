"""Follows one invocation of an SDK method: its attempts, the backoff between them, and how it ended for the app.

Rule: a call ends once, when the SDK method has finished *and* every body of its attempts has ended, whichever is last.
Its outcome is what the SDK method gave the app, not what happened to the attempt that ended last:

    the method  │ the body that it returned │ outcome
    ────────────┼───────────────────────────┼─────────────────────────────────────────────────────────────────
    returned    │ completed, or none        │ succeeded; recovered if an attempt had failed before the one
                │                           │ that it is from was sent
    returned    │ failed                    │ failed; recovered if the SDK itself opens it again
    returned    │ cancelled, abandoned      │ the same word
    raised      │                           │ exhausted if the last failure was retryable and no retry was left;
                │                           │ else failed
    was stopped │                           │ cancelled
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final, NamedTuple

from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.attempts import Attempts
from anthropic_otel._core.cause import type_name
from anthropic_otel._core.ending import End
from anthropic_otel._core.errors import asks_for_retry, body_error_type, call_error_type, is_of_parsing
from anthropic_otel._core.event_json import ApiError
from anthropic_otel._core.guard import guarded, report
from anthropic_otel._core.held_body import HeldBody
from anthropic_otel._core.invocation import Invocation
from anthropic_otel._core.recorder import NO_CALL_RECORDER, AfterFailure, CallRecorder
from anthropic_otel._core.request import RequestFacts
from anthropic_otel._core.response import says_nothing
from anthropic_otel._core.retrying import headers_for_sdk
from anthropic_otel._core.semconv import (
    INVALID_EVENT,
    AttemptOutcome,
    CallOutcome,
    NetworkCause,
    RetryStop,
)
from anthropic_otel._core.usage import of_reply

if TYPE_CHECKING:
    from anthropic_otel._core.clock import Clock


class OwnFailure(NamedTuple):
    """How a call failed although no attempt failed with it: the app could not use an answer, or nothing was sent.

    - `exception_type`: the class of the exception that the app got, `None` if it got none.
    - `request_id`: that of the last attempt that completed, `None` without one.
    """

    exception_type: str | None
    request_id: str | None


class Call:
    """The facts of one call. Times are in nanoseconds of `clock`; `wall` is its start since the epoch.

    No method raises an error of its own. Attempts and bodies may end in any thread.

    - `invocation`: what the method was called with.
    - `recorder`: records the call. Set by the runtime when the call begins.
    - `operation`, `address`: of the last attempt that ended, else of the invocation; `None` if neither has one.
    - `attempts`: its attempts, and which of them answered. A parsed reply is from `attempts.completed`.
    - `started`, `duration`: its start, and the time to its end.
    - `outcome`: how it ended, `None` until then.
    - `error_type`: the word of the SDK's own span for its failure, `None` if it did not fail.
    - `cause`, `api_error`, `retry_stop`: those of the attempt that the call failed with, else `None`.
    - `own_failure`: how the call failed although no attempt failed with it, `None` for any other call.
    """

    __slots__ = (
        "_asked_for_retry",
        "_clock",
        "_exception_type",
        "_method_done",
        "_open_bodies",
        "_raised",
        "_returned",
        "_unended",
        "_unparsed",
        "address",
        "api_error",
        "attempts",
        "cause",
        "duration",
        "error_type",
        "invocation",
        "operation",
        "outcome",
        "own_failure",
        "recorder",
        "retry_stop",
        "started",
        "wall",
    )

    def __init__(self, invocation: Invocation, clock: Clock) -> None:
        self.invocation: Final = invocation
        self._clock: Final = clock
        self.started: Final = clock.now()
        self.wall: Final = clock.wall()
        self.recorder: CallRecorder = NO_CALL_RECORDER
        self.operation, self.address = invocation.operation, invocation.address
        self.attempts: Final = Attempts(invocation)
        self.outcome: CallOutcome | None = None
        self.error_type: str | None = None
        self.cause: NetworkCause | None = None
        self.api_error: ApiError | None = None
        self.retry_stop: RetryStop | None = None
        self.own_failure: OwnFailure | None = None
        self.duration = 0
        self._asked_for_retry = False
        """Whether the method has raised what a middleware raises to have the SDK retry."""
        self._unparsed: list[tuple[Attempt, int]] = []
        """The attempts whose response is in memory, and since when. The SDK is about to parse one of them."""
        self._open_bodies: list[Attempt | None] = []
        """The attempts that have not ended, and `None` for each held body. Its `append` and `remove` are atomic."""
        self._method_done = False
        self._raised: CallOutcome | None = None
        self._exception_type: str | None = None
        self._returned: Attempt | HeldBody | None = None
        # The first end pops it. So one end wins, also without the GIL. A lock would take 2,300 instructions more.
        self._unended: Final = [self.started]

    # -- its attempts --------------------------------------------------------------------------------------------------

    def begin_attempt(self, request: RequestFacts, *, by_transport: bool = False) -> Attempt:
        """Begins and returns the next attempt, which is about to be sent, with the facts of the invocation.

        As `AttemptSource.begin_attempt`. The failed attempts before it are reported as retried.
        """
        if self._unparsed:
            self.parsed()
        started, attempts = self._clock.now(), self.attempts
        failing = self._failing() if attempts.count else None
        retry = attempts.begin(started, request.retry_count, by_transport, failing)
        attempt = Attempt(
            request,
            self._clock,
            self._attempt_ended,
            started,
            self.wall + started - self.started,
            self.invocation,
            retry,
            attempts.retries_left,
            attempts.failed_count > 0 or failing is not None,
        )
        if attempts.undecided:
            attempts.decide(AfterFailure.RETRIED, started)
        self._open_bodies.append(attempt)
        try:
            attempt.recorder = self.recorder.start_attempt(attempt)
        except BaseException as interrupt:
            attempt.fail(interrupt)
            raise
        return attempt

    def _failing(self) -> Attempt | None:
        """Returns an attempt with a failed status whose body is still open, `None` without one.

        A middleware may send another attempt before it closes that body.
        """
        attempts = filter(None, self._open_bodies)
        return next((one for one in attempts if headers_for_sdk(one) is not None), None)

    def send_finished(self) -> None:
        """Does nothing: the SDK may send again."""

    def received_whole(self, attempt: Attempt) -> None:
        """Ends the attempt with its end time now: at once, or in `parsed` if the SDK still has to parse the body."""
        if attempt.response is None or not attempt.response.is_to_be_parsed or self._method_done:
            attempt.end(End.READ)
        else:
            self._unparsed.append((attempt, self._clock.now()))

    def parsed(self, how: End = End.READ) -> None:
        """Ends the attempts that wait for the SDK to parse their body, at the time when they were received.

        `how` is `End.UNPARSED` if the SDK could not parse it. If several wait, it is not known which one that is, and
        all end as `End.READ`.
        """
        if len(self._unparsed) > 1:
            how = End.READ
        while self._unparsed:
            try:
                attempt, received = self._unparsed.pop()
            except IndexError:
                # Another thread was faster.
                return
            attempt.end(how, received)

    def replied(self, reply: object, *, is_text: bool) -> None:
        """Ends the attempts that wait for the SDK to parse their body, of which it has made `reply`.

        `is_text` is whether that is the body's text although another type was asked for.
        """
        for attempt, _ in self._unparsed[-1:]:
            unparsed = is_text or says_nothing(reply, of_message=attempt.is_message)
            self.parsed(End.UNPARSED if unparsed else End.READ)

    def _attempt_ended(self, attempt: Attempt) -> None:
        """Takes the outcome of an attempt that has ended, in any thread. Ends the call if nothing else is open.

        May raise: it runs within the guard of `Attempt.end`.
        """
        late = self.outcome is not None
        self.attempts.ended(attempt, late=late)
        if not late:
            self.operation, self.address = attempt.operation, attempt.request.target.address
        self._body_ended(attempt)

    # -- its bodies ----------------------------------------------------------------------------------------------------

    def hold_body(self) -> HeldBody:
        """Keeps the call open for a body that is no attempt's. Returns that body: the caller must end it."""
        self._open_bodies.append(None)
        return HeldBody(functools.partial(self._body_ended, None))

    def _body_ended(self, attempt: Attempt | None) -> None:
        self._open_bodies.remove(attempt)
        if self.outcome is not None:
            # A background task sent this attempt after its call had ended, so it will not be retried.
            self.attempts.decide(AfterFailure.CALL_FAILED)
        elif self._method_done and not self._open_bodies:
            self._end()

    # -- its end -------------------------------------------------------------------------------------------------------

    def method_returned(self, result: object, body: Attempt | HeldBody | None, *, counted: bool = False) -> None:
        """Records that the SDK method has returned `result`. To be called once, in the app's context.

        `body` is the attempt, or the held body, that the app reads by `result`; `None` for a result in memory, whose
        usage is counted unless it has been (`counted`). The call ends now if no body is open.
        """
        self._returned = body
        # Guarded in place, as it runs at every call.
        try:
            try:
                answering = self.attempts.completed
                if body is None and answering is not None and answering.is_message and not counted:
                    answering.take_usage(of_reply(result))
            finally:
                self._method_finished(result, None)
        except Exception as error:
            report("Call.method_returned", error)

    @guarded(None)
    def method_raised(self, error: BaseException) -> None:
        """Records that the SDK method has raised `error`. To be called once, in the app's context.

        The call ends now if no body is open: as failed or exhausted, or as cancelled if `error` is no `Exception`.
        """
        self._raised = CallOutcome.FAILED if isinstance(error, Exception) else CallOutcome.CANCELLED
        self._asked_for_retry = asks_for_retry(error)
        try:
            if self._unparsed:
                self.parsed(End.UNPARSED if is_of_parsing(error) else End.READ)
            if self._raised is CallOutcome.FAILED:
                self._exception_type = type_name(error)
                self.error_type = call_error_type(error)
        finally:
            self._method_finished(None, error)

    def _method_finished(self, result: object, error: BaseException | None) -> None:
        self._method_done = True
        self.recorder.method_finished(result, error)
        if self._unparsed:
            # Received in another thread meanwhile.
            self.parsed()
        if not self._open_bodies:
            self._end()

    def _end(self) -> None:
        try:
            started = self._unended.pop()
        except IndexError:
            # Another thread was faster, or this end has caused another.
            return
        self.duration = self._clock.now() - started
        try:
            self.outcome = self._conclude()
        finally:
            self.outcome = self.outcome or CallOutcome.FAILED
            failed = self.outcome in (CallOutcome.FAILED, CallOutcome.EXHAUSTED)
            if isinstance(self._returned, Attempt):
                by: Attempt | None = self._returned
            else:
                # An earlier failure that was retried is not the call's.
                by = self.attempts.last_failed if self.attempts.undecided else None
            if failed and by is not None:
                self.cause = by.cause.word if by.cause is not None else None
                self.api_error, self.retry_stop = by.api_error, by.retry_stop
            elif failed:
                self.own_failure = self._failure_of_its_own()
            self._returned = None
            self.attempts.forget()
            if self.attempts.undecided:
                self.attempts.decide(AfterFailure.CALL_FAILED if failed else AfterFailure.CALL_WENT_ON)
            self.recorder.end(self)

    def _failure_of_its_own(self) -> OwnFailure:
        body, answering = self._returned, self.attempts.completed
        raised = body.exception_type if isinstance(body, HeldBody) else self._exception_type
        return OwnFailure(raised, answering.request_id if answering is not None else None)

    def _conclude(self) -> CallOutcome:
        """Returns the outcome of the ended call. Sets `error_type` if it failed by a reply or body that was returned.

        If the method raised: cancelled, exhausted or failed. Else the outcome of the body that it returned; a completed
        body, or a reply in memory, is recovered if an attempt had failed before, else succeeded. A failed stream that
        the SDK reopens (`Invocation.reopens`) is recovered, unless it could not decode an event.
        """
        if self._raised is CallOutcome.FAILED:
            return CallOutcome.EXHAUSTED if self.attempts.exhausted(self._asked_for_retry) else CallOutcome.FAILED
        if self._raised is not None:
            return self._raised
        body = self._deciding_body()
        outcome = body.outcome if body is not None else AttemptOutcome.COMPLETED
        if body is not None and outcome is AttemptOutcome.FAILED:
            if self.invocation.reopens and isinstance(body, Attempt) and body.error_type != INVALID_EVENT:
                return CallOutcome.RECOVERED
            self.error_type = body_error_type(body) if isinstance(body, Attempt) else body.error_type
        answering = self._returned if isinstance(self._returned, Attempt) else None
        if outcome is AttemptOutcome.COMPLETED and self.attempts.had_failed_before(answering):
            return CallOutcome.RECOVERED
        return _OUTCOMES.get(outcome, CallOutcome.FAILED) if outcome is not None else CallOutcome.FAILED

    def _deciding_body(self) -> Attempt | HeldBody | None:
        """Returns the body whose outcome is that of the call, `None` for a reply in memory that is an answer."""
        returned = self._returned
        if returned is None:
            return self.attempts.spoiled_answer()
        abandoned = isinstance(returned, HeldBody) and returned.outcome is AttemptOutcome.ABANDONED
        # The SDK closes a held body when it raises for an error event of the attempt that the body was being made of.
        return self.attempts.last_failed if abandoned and self.attempts.undecided else returned


_OUTCOMES: Final = {
    AttemptOutcome.COMPLETED: CallOutcome.SUCCEEDED,
    AttemptOutcome.CANCELLED: CallOutcome.CANCELLED,
    AttemptOutcome.ABANDONED: CallOutcome.ABANDONED,
}

"""Follows one invocation of an SDK method: its attempts, the backoff between them, and how it ended for the app.

Rule: a call ends once, when the SDK method has finished *and* all its attempts and held bodies have ended, whichever is
last. How it ended is decided in `call_ending`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from anthropic_otel._core import call_ending
from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.attempts import Attempts
from anthropic_otel._core.call_ending import NOT_ENDED, CallEnding, Raised
from anthropic_otel._core.ending import End
from anthropic_otel._core.errors import is_of_parsing
from anthropic_otel._core.guard import guarded, report
from anthropic_otel._core.held_body import HeldBody
from anthropic_otel._core.invocation import Invocation
from anthropic_otel._core.recorder import NO_CALL_RECORDER, AfterFailure, CallRecorder
from anthropic_otel._core.request import RequestFacts
from anthropic_otel._core.response import says_nothing
from anthropic_otel._core.retrying import headers_for_sdk
from anthropic_otel._core.semconv import CallOutcome
from anthropic_otel._core.usage import of_reply

if TYPE_CHECKING:
    from anthropic_otel._core.clock import Clock


class Call:
    """The facts of one call. Times are in nanoseconds of `clock`; `wall` is the start in nanoseconds since the epoch.

    No public method but `attempt_ended` raises an error of its own. Attempts and bodies may end in any thread.

    - `invocation`: what the method was called with.
    - `recorder`: records the call. Set by the runtime when the call begins.
    - `operation`, `address`, `port`: those of the invocation until the first attempt ends, then those of the attempt
      that ended last before the end of the call; `None` if not known.
    - `attempts`: its attempts, and which of them completed or failed last.
    - `started`: its start. `duration`: the time from that to its end, 0 until then.
    - `ending`: how it ended; its outcome is `None` until then.
    """

    __slots__ = (
        "_clock",
        "_method_done",
        "_open",
        "_raised",
        "_returned",
        "_unparsed",
        "address",
        "attempts",
        "duration",
        "ending",
        "invocation",
        "operation",
        "port",
        "recorder",
        "started",
        "wall",
    )

    def __init__(self, invocation: Invocation, clock: Clock) -> None:
        self.invocation: Final = invocation
        self._clock: Final = clock
        self.started: Final = clock.now()
        self.wall: Final = clock.wall()
        self.recorder: CallRecorder = NO_CALL_RECORDER
        self.operation, self.address, self.port = invocation.operation, invocation.address, invocation.port
        self.attempts: Final = Attempts(invocation)
        self.ending = NOT_ENDED
        self.duration = 0
        self._unparsed: list[tuple[Attempt, int]] = []
        """The attempts whose whole response has come and is not parsed yet, and when it came."""
        self._open: Final[list[Attempt | HeldBody | None]] = [None]
        """What has not ended: `None` for the call itself, its attempts, and its held bodies.

        The first end of each removes it. `append` and `remove` are atomic, so one end wins, also without the GIL. A
        lock would take 2,300 instructions more.
        """
        self._method_done = False
        self._raised: Raised | None = None
        self._returned: Attempt | HeldBody | None = None

    # -- its attempts --------------------------------------------------------------------------------------------------

    def begin_attempt(self, request: RequestFacts, size: int | None = None, *, by_transport: bool = False) -> Attempt:
        """Begins and returns the next attempt, which is about to be sent, with the facts of the invocation.

        The arguments are those of `AttemptSource.begin_attempt`. The undecided failed attempts are reported as retried,
        and the attempts that wait for the SDK to parse their body end as read. Raises only what interrupts it, such as
        a `KeyboardInterrupt`; the new attempt has ended then.
        """
        if self._unparsed:
            self.parsed()
        started, attempts = self._clock.now(), self.attempts
        failing = self._failing() if attempts.count else None
        retry = attempts.begin(started, request.retry_count, by_transport, failing)
        attempt = Attempt(
            request,
            self._clock,
            self,
            started,
            self.wall + started - self.started,
            self.invocation,
            retry,
            attempts.retries_left(),
            attempts.failed_count > 0 or failing is not None,
            size,
        )
        if attempts.undecided:
            attempts.decide(AfterFailure.RETRIED, started)
        self._open.append(attempt)
        try:
            attempt.recorder = self.recorder.start_attempt(attempt)
        except BaseException as interrupt:
            attempt.fail(interrupt)
            raise
        return attempt

    def _failing(self) -> Attempt | None:
        """Returns the newest attempt with a failed status whose body is still open, `None` without one.

        A middleware may send another attempt before it closes that body.
        """
        # Of a copy, as bodies may end in other threads.
        attempts = (one for one in self._open[::-1] if isinstance(one, Attempt))
        return next((one for one in attempts if headers_for_sdk(one) is not None), None)

    def send_finished(self) -> None:
        """Does nothing: the SDK may send again."""

    def received_whole(self, attempt: Attempt) -> None:
        """Ends an attempt whose whole body has come, as of now: at once, or by `parsed` if the SDK is to parse it."""
        if attempt.response is None or not attempt.response.is_to_be_parsed or self._method_done:
            attempt.end(End.READ)
        else:
            self._unparsed.append((attempt, self._clock.now()))

    def parsed(self, how: End = End.READ) -> None:
        """Ends the attempts that wait for the SDK to parse their body, as of the time when each body had come.

        `how` is `End.UNPARSED` if the SDK could not parse the body, else `End.READ`. If several wait, it is not known
        which one the SDK has parsed, and all end as `End.READ`.
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

    def replied(self, reply: object, is_text: bool) -> None:
        """Ends the attempts that wait for the SDK to parse their body, as the method is about to return `reply`.

        Does nothing if none waits. Else calls `parsed`: with `End.UNPARSED` in these two cases, otherwise with
        `End.READ`.

        - `reply` has nothing of what the operation returns (`says_nothing`).
        - `reply` is the body's text although another type was asked for (`is_text`), unless the response may be empty
          (`Response.may_be_empty`).
        """
        for attempt, _ in self._unparsed[-1:]:
            is_other = is_text and attempt.response is not None and not attempt.response.may_be_empty
            unparsed = is_other or says_nothing(reply, attempt.is_message)
            self.parsed(End.UNPARSED if unparsed else End.READ)

    def attempt_ended(self, attempt: Attempt) -> None:
        """Records an attempt that has ended. Ends the call if nothing else of it is open and its method has finished.

        If the call had ended before, its undecided attempts are reported as `CALL_FAILED`. May run in any thread. May
        raise: `Attempt.end`, which calls it, is guarded.
        """
        late = self.ending.outcome is not None
        try:
            self.attempts.ended(attempt, late)
            if not late:
                target = attempt.request.target
                self.operation, self.address, self.port = attempt.operation, target.address, target.port
        finally:
            # Also after an interrupt, as in the methods below: a call that does not end is missing in every count.
            self._body_ended(attempt)

    # -- its bodies ----------------------------------------------------------------------------------------------------

    def hold_body(self) -> HeldBody:
        """Keeps the call open until a body ends that is no attempt's. Returns that body, which the caller must end."""
        body = HeldBody(self._body_ended)
        self._open.append(body)
        return body

    def _body_ended(self, body: Attempt | HeldBody) -> None:
        self._open.remove(body)
        if self.ending.outcome is not None:
            # A background task sent this attempt after its call had ended, so it will not be retried.
            self.attempts.decide(AfterFailure.CALL_FAILED)
        elif self._method_done and len(self._open) == 1:
            self._end()

    # -- its end -------------------------------------------------------------------------------------------------------

    def method_returned(self, result: object, body: Attempt | HeldBody | None, counted: bool = False) -> None:
        """Records that the SDK method has returned `result`. To be called once, in the app's context.

        `body` is the attempt, or the held body, that the app reads by `result`; `None` for a result in memory. Unless
        `counted`, the usage in a result in memory is counted for the attempt that completed last, if that attempt asked
        for a message. Attempts that wait for the SDK to parse their body end as read. The call ends now if all
        its attempts and held bodies have ended: as cancelled if something interrupts it before.
        """
        self._returned = body
        # Guarded in place, as it runs at every call.
        try:
            try:
                answering = self.attempts.completed
                if body is None and answering is not None and answering.is_message and not counted:
                    answering.take_usage(of_reply(result))
            except BaseException as error:
                self._note_interrupt(error)
                raise
            finally:
                self._method_finished(result, None)
        except Exception as error:
            report("Call.method_returned", error)

    @guarded(None)
    def method_raised(self, error: BaseException, *, is_sent_again: bool = False) -> None:
        """Records that the SDK method has raised `error`. To be called in the app's context, once.

        It may also be called after a `method_returned` that was interrupted. `is_sent_again` is whether the SDK itself
        makes another call in place of this one. The attempt that waits for the SDK to parse its body ends: by
        `End.UNPARSED` if `error` says that a body could not be parsed (`is_of_parsing`), else by `End.READ`. If several
        wait, all end by `End.READ`. The call ends now if all its attempts and held bodies have ended: as cancelled if
        `error` is no `Exception`, else as recovered if it `is_sent_again`, else as failed or exhausted.
        """
        raised = self._raised = Raised(is_failure=isinstance(error, Exception), is_sent_again=is_sent_again)
        try:
            if self._unparsed:
                self.parsed(End.UNPARSED if is_of_parsing(error) else End.READ)
            raised.classify(error)
        finally:
            self._method_finished(None, error)

    def _method_finished(self, result: object, error: BaseException | None) -> None:
        self._method_done = True
        try:
            self.recorder.method_finished(result, error)
            if self._unparsed:
                # Received in another thread meanwhile.
                self.parsed()
        except BaseException as interrupt:
            self._note_interrupt(interrupt)
            raise
        finally:
            if len(self._open) == 1:
                self._end()

    def _note_interrupt(self, error: BaseException) -> None:
        """Records that the method is about to raise `error` in place of its result, unless that is an `Exception`."""
        if self._raised is None and not isinstance(error, Exception):
            self._raised = Raised(is_failure=False)

    def _end(self) -> None:
        try:
            self._open.remove(None)
        except ValueError:
            # Another thread was faster, or this end has caused another.
            return
        attempts = self.attempts
        try:
            self.duration = self._clock.now() - self.started
            if self._raised is not None:
                self.ending = call_ending.of_raised(self._raised, attempts)
            else:
                self.ending = call_ending.of_returned(self._returned, attempts)
        finally:
            if self.ending is NOT_ENDED:
                self.ending = CallEnding(CallOutcome.FAILED)
            try:
                self._returned = None
                attempts.forget()
                if attempts.undecided:
                    failed = self.ending.outcome in (CallOutcome.FAILED, CallOutcome.EXHAUSTED)
                    failed = failed and self.ending.own_failure is None
                    attempts.decide(AfterFailure.CALL_FAILED if failed else AfterFailure.CALL_WENT_ON)
            finally:
                self.recorder.end(self)

"""The seam between what happens and what is recorded of it: one recorder per call and one per attempt.

Rule: only the core calls a recorder. A recorder reads the call or the attempt that it is given, changes neither, and
holds its own state. No method raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from anthropic_otel._core import usage
    from anthropic_otel._core.attempt import Attempt
    from anthropic_otel._core.call import Call
    from anthropic_otel._core.headers import RawHeaders

NO_HEADERS: Final[Mapping[str, str]] = {}


class AfterFailure(Enum):
    """What followed a failed attempt, known when the next attempt starts or the call ends."""

    RETRIED = "another attempt of the same call has started"
    CALL_FAILED = "the call failed with it, or there is no call"
    CALL_WENT_ON = "no attempt followed, but the call did not fail: it was cancelled, or answered in another way"


class AttemptRecorder(Protocol):
    """Records one attempt."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The trace context to send along with the request."""
        ...

    def send_finished(self, response_headers: RawHeaders | None) -> None:
        """The send has returned or raised. Called in the context in which the attempt started.

        `response_headers` are those of the response, `None` without one. The recorder may keep them.
        """
        ...

    def end(self, attempt: Attempt) -> None:
        """The attempt has ended. Called once, in any thread and context."""
        ...

    def usage_sink(self, attempt: Attempt) -> usage.Sink | None:
        """What takes the tokens that the attempt used, `None` if they are not recorded. Called once, after `end`.

        They are told as they get known: at the end of a stream, when a reply is parsed, or never.
        """
        ...

    def failure_decided(self, attempt: Attempt, after: AfterFailure, waited: int | None) -> None:
        """It is known what followed a failed attempt. Called once for each, after `end`, in any thread.

        `waited` is the backoff before the next attempt in nanoseconds, `None` if none followed.
        """
        ...


class CallRecorder(Protocol):
    """Records one call."""

    def start_attempt(self, attempt: Attempt) -> AttemptRecorder:
        """An attempt of this call is about to be sent. Called in the app's context."""
        ...

    def method_finished(self, result: object, error: BaseException | None) -> None:
        """The SDK method has returned `result` or raised `error`. Called in the app's context.

        The body that it returned may be unread. The recorder keeps neither object.
        """
        ...

    def end(self, call: Call) -> None:
        """The call has ended: its method has finished, and every body is closed. Called once, in any context."""
        ...


class Recorder(Protocol):
    """Records the calls and attempts of one instrumentation."""

    def enabled(self, sdk_tracer_provider: object = None) -> bool:
        """Whether to record what is about to start. Called in the app's context.

        `sdk_tracer_provider` is that of the SDK's span for the call that is about to start, `None` for the global one.
        """
        ...

    def start_call(self, call: Call) -> CallRecorder:
        """A call is about to run. Called in the app's context."""
        ...

    def start_attempt(self, attempt: Attempt) -> AttemptRecorder:
        """An attempt that belongs to no call is about to be sent. Called in the app's context."""
        ...


class NoAttemptRecorder:
    """Records nothing."""

    headers: Final = NO_HEADERS

    def send_finished(self, response_headers: RawHeaders | None) -> None:
        """Does nothing."""

    def end(self, attempt: Attempt) -> None:
        """Does nothing."""

    def usage_sink(self, attempt: Attempt) -> usage.Sink | None:
        return None

    def failure_decided(self, attempt: Attempt, after: AfterFailure, waited: int | None) -> None:
        """Does nothing."""


class NoCallRecorder:
    """Records nothing."""

    def start_attempt(self, attempt: Attempt) -> AttemptRecorder:
        return NO_ATTEMPT_RECORDER

    def method_finished(self, result: object, error: BaseException | None) -> None:
        """Does nothing."""

    def end(self, call: Call) -> None:
        """Does nothing."""


NO_ATTEMPT_RECORDER: Final[AttemptRecorder] = NoAttemptRecorder()
NO_CALL_RECORDER: Final[CallRecorder] = NoCallRecorder()

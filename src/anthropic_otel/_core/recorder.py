"""Defines the interface between the core and what records: one recorder per call and one per attempt.

Rule: the core calls a recorder. An adapter only reads `headers`, but that of the event hooks calls `send_finished` too.
A recorder reads the call or the attempt that it gets, and keeps its own state. It changes nothing there, except a tee,
which sets `recorder`. No method raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from anthropic_otel._core.attempt import Attempt
    from anthropic_otel._core.call import Call
    from anthropic_otel._core.headers import RawHeaders
    from anthropic_otel._core.usage import Usage

NO_HEADERS: Final[Mapping[str, str]] = {}


class AfterFailure(Enum):
    """What followed a failed attempt.

    It is known when the next attempt starts. If none does, it is known when the call is over, or a send without a call.
    """

    RETRIED = "another attempt of the same call, or without a call of the same send, has started"
    CALL_FAILED = "no attempt followed, and the call failed with it or had ended before it, or there is no call"
    CALL_WENT_ON = (
        "no attempt followed, but the call was cancelled, answered in another way, or failed by something else"
    )


class AttemptRecorder:
    """Records one attempt. `start_attempt` of a `CallRecorder` or a `Recorder` makes it. No method raises.

    This class itself records nothing, and sends no trace context. A subclass overrides what it needs.
    """

    __slots__ = ()

    @property
    def headers(self) -> Mapping[str, str]:
        """The HTTP headers with the trace context, to be added to the request; empty for none.

        They are to be read before `send_finished`: after it they may be empty.
        """
        return NO_HEADERS

    def send_finished(self, response_headers: RawHeaders | None) -> None:
        """Called when the attempt's send is over, in the context in which the attempt was started.

        The send is over if it has returned or raised, or if a transport sends again by itself: that begins another
        attempt, and ends this one. `response_headers` are those of the response to this attempt, `None` without one.
        The recorder may keep them.

        Event hooks do not see the end of a send. They call it with `None` right after the start, and may call it again
        with the headers, in any context.
        """

    def end(self, attempt: Attempt) -> None:
        """Called once, when the attempt has ended, in any thread and context. `attempt` has its outcome then."""

    def used(self, attempt: Attempt, usage: Usage) -> None:
        """Called after `end`, each time that more tokens which the attempt used become known. In any thread.

        They may become known right after `end`, and when a reply is parsed. `usage` is that of one model, less what was
        passed for it before.
        """

    def failure_decided(self, attempt: Attempt, after: AfterFailure, waited: int | None) -> None:
        """Called once for each failed attempt, after `end`, when it is known what followed. In any thread.

        `waited` is the backoff before the next attempt in nanoseconds: 0 if that began before this one had ended, and
        `None` if no attempt followed.
        """


class CallRecorder:
    """Records one call. `Recorder.start_call` makes it. No method raises.

    This class itself records nothing, neither of the call nor of its attempts. A subclass overrides what it needs.
    """

    __slots__ = ()

    def start_attempt(self, attempt: Attempt) -> AttemptRecorder:
        """Returns the recorder for an attempt of this call, which is about to be sent. Called in the app's context."""
        return NO_ATTEMPT_RECORDER

    def method_finished(self, result: object, error: BaseException | None) -> None:
        """Called when the SDK method has returned `result` or raised `error`, in the app's context.

        The other one is `None`. The body that the method returned may be unread. The recorder keeps neither object.

        Called once. But if an interrupt, such as a `KeyboardInterrupt`, strikes while the end is recorded, it is called
        again with the interrupt as `error`, which may be after `end`.
        """

    def end(self, call: Call) -> None:
        """Called once, when the method has finished and every body has ended, in any thread and context."""


class Recorder(Protocol):
    """Makes the recorders of calls, and those of attempts without a call. No method raises.

    The recorder of a call makes those of its attempts. An instrumentation may have several, behind a `Tee`.
    """

    def enabled(self, sdk_tracer_provider: object = None) -> bool:
        """Returns whether to record the call or attempt that is about to start. Called in the app's context.

        `sdk_tracer_provider` is the provider of the SDK's own span for that call; `None` for the global one, if the
        SDK makes no span, or without a call.
        """
        ...

    def start_call(self, call: Call) -> CallRecorder:
        """Returns the recorder for a call, whose SDK method is about to run. Called in the app's context."""
        ...

    def start_attempt(self, attempt: Attempt) -> AttemptRecorder:
        """Returns the recorder for an attempt without a call, about to be sent. Called in the app's context."""
        ...


NO_ATTEMPT_RECORDER: Final = AttemptRecorder()
NO_CALL_RECORDER: Final = CallRecorder()

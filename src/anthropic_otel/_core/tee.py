"""Lets several recorders record the same calls. Recorders may join and leave while calls run.

Rule: a recorder records every call, and every attempt without a call, that starts between its `join` and its `leave`
while it is `enabled`. It records them to their end, also if that comes after the `leave`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from anthropic_otel._core.changing import changing
from anthropic_otel._core.recorder import AfterFailure, AttemptRecorder, CallRecorder, Recorder

if TYPE_CHECKING:
    from anthropic_otel._core.attempt import Attempt
    from anthropic_otel._core.call import Call
    from anthropic_otel._core.headers import RawHeaders
    from anthropic_otel._core.usage import Usage


class Tee:
    """A `Recorder` that passes everything on to each recorder that has joined. Thread-safe.

    `recorders` have joined at first. A call goes to those that are `enabled` when it starts, with all of its attempts;
    so does an attempt without a call.
    """

    def __init__(self, *recorders: Recorder) -> None:
        self._set(recorders)

    def _set(self, recorders: tuple[Recorder, ...]) -> None:
        self._recorders = recorders
        self.recorder: Recorder = recorders[0] if len(recorders) == 1 else self
        """The recorder to call: the only one that has joined, or else this tee."""

    def join(self, recorder: Recorder) -> None:
        """Adds `recorder`: it is given the calls, and the attempts without a call, that start from now on."""
        with changing():
            self._set((*self._recorders, recorder))

    def leave(self, recorder: Recorder) -> None:
        """Removes `recorder`: it records no call, and no attempt without a call, that starts from now on.

        It records to their end those that have started, of such a call also the attempts that are still to come. Does
        nothing if it has not joined.
        """
        with changing():
            self._set(tuple(other for other in self._recorders if other is not recorder))

    @property
    def empty(self) -> bool:
        """Whether there is no recorder now: none has joined, or all have left."""
        return not self._recorders

    def enabled(self, sdk_tracer_provider: object = None) -> bool:
        return any(recorder.enabled(sdk_tracer_provider) for recorder in self._recorders)

    def start_call(self, call: Call) -> CallRecorder:
        # Set before the first recorder is made: if an interrupt prevents a later one, those before it are ended.
        tee = call.recorder = _CallTee()
        for recorder in self._recorders:
            if recorder.enabled(call.invocation.sdk_tracer_provider):
                tee.recorders.append(recorder.start_call(call))
        return tee

    def start_attempt(self, attempt: Attempt) -> AttemptRecorder:
        tee = attempt.recorder = _AttemptTee()
        for recorder in self._recorders:
            if recorder.enabled():
                tee.recorders.append(recorder.start_attempt(attempt))
        return tee


class _CallTee(CallRecorder):
    def __init__(self) -> None:
        self.recorders: Final[list[CallRecorder]] = []

    def start_attempt(self, attempt: Attempt) -> AttemptRecorder:
        tee = attempt.recorder = _AttemptTee()
        for recorder in self.recorders:
            tee.recorders.append(recorder.start_attempt(attempt))
        return tee

    def method_finished(self, result: object, error: BaseException | None) -> None:
        # What was started last is finished first: recorders attach contexts on top of each other.
        for recorder in reversed(self.recorders):
            recorder.method_finished(result, error)

    def end(self, call: Call) -> None:
        _call_each([functools.partial(recorder.end, call) for recorder in self.recorders])


class _AttemptTee(AttemptRecorder):
    def __init__(self) -> None:
        self.recorders: Final[list[AttemptRecorder]] = []

    @property
    def headers(self) -> Mapping[str, str]:
        return {name: value for recorder in self.recorders for name, value in recorder.headers.items()}

    def send_finished(self, response_headers: RawHeaders | None) -> None:
        for recorder in reversed(self.recorders):
            recorder.send_finished(response_headers)

    def end(self, attempt: Attempt) -> None:
        _call_each([functools.partial(recorder.end, attempt) for recorder in self.recorders])

    def used(self, attempt: Attempt, usage: Usage) -> None:
        for recorder in self.recorders:
            recorder.used(attempt, usage)

    def failure_decided(self, attempt: Attempt, after: AfterFailure, waited: int | None) -> None:
        for recorder in self.recorders:
            recorder.failure_decided(attempt, after, waited)


def _call_each(ends: list[Callable[[], None]]) -> None:
    """Calls `ends`, one after the other. If one is interrupted, the next ones are called before that is raised.

    What one recorder writes at an end, such as a line of the log, takes long enough for an interrupt.
    """
    with ExitStack() as stack:
        for end in reversed(ends):
            stack.callback(end)

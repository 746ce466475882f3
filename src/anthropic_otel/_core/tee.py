"""Several recorders beside each other. They join and leave while calls run.

Rule: whoever joins records what starts from then on, to its end, also after it has left.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from anthropic_otel._core.recorder import (
    NO_ATTEMPT_RECORDER,
    NO_CALL_RECORDER,
    AfterFailure,
    AttemptRecorder,
    CallRecorder,
    Recorder,
)

if TYPE_CHECKING:
    from anthropic_otel._core.attempt import Attempt
    from anthropic_otel._core.call import Call
    from anthropic_otel._core.headers import RawHeaders


class Tee:
    """A recorder that tells every recorder that has joined it. With one, that one is told directly."""

    def __init__(self, *recorders: Recorder) -> None:
        self._recorders = recorders
        self._changing = threading.Lock()

    def join(self, recorder: Recorder) -> None:
        """Has `recorder` record what starts from now on."""
        with self._changing:
            self._recorders = (*self._recorders, recorder)

    def leave(self, recorder: Recorder) -> None:
        """Has `recorder` record nothing that starts from now on."""
        with self._changing:
            self._recorders = tuple(other for other in self._recorders if other is not recorder)

    @property
    def empty(self) -> bool:
        """Whether there is nobody to tell."""
        return not self._recorders

    def enabled(self) -> bool:
        recorders = self._recorders
        return recorders[0].enabled() if len(recorders) == 1 else any(recorder.enabled() for recorder in recorders)

    def start_call(self, call: Call) -> CallRecorder:
        recorders = self._recorders
        if len(recorders) == 1:
            return recorders[0].start_call(call)
        started = [recorder.start_call(call) for recorder in recorders if recorder.enabled()]
        return _CallTee(started) if started else NO_CALL_RECORDER

    def start_attempt(self, attempt: Attempt) -> AttemptRecorder:
        recorders = self._recorders
        if len(recorders) == 1:
            return recorders[0].start_attempt(attempt)
        started = [recorder.start_attempt(attempt) for recorder in recorders if recorder.enabled()]
        return _AttemptTee(started) if started else NO_ATTEMPT_RECORDER


class _CallTee:
    def __init__(self, recorders: Sequence[CallRecorder]) -> None:
        self._recorders = recorders

    def start_attempt(self, attempt: Attempt) -> AttemptRecorder:
        return _AttemptTee([recorder.start_attempt(attempt) for recorder in self._recorders])

    def method_finished(self, result: object, error: BaseException | None) -> None:
        # What was started last is finished first: recorders attach contexts on top of each other.
        for recorder in reversed(self._recorders):
            recorder.method_finished(result, error)

    def end(self, call: Call) -> None:
        for recorder in self._recorders:
            recorder.end(call)


class _AttemptTee:
    def __init__(self, recorders: Sequence[AttemptRecorder]) -> None:
        self._recorders = recorders

    @property
    def headers(self) -> Mapping[str, str]:
        return {name: value for recorder in self._recorders for name, value in recorder.headers.items()}

    def send_finished(self, response_headers: RawHeaders | None) -> None:
        for recorder in reversed(self._recorders):
            recorder.send_finished(response_headers)

    def end(self, attempt: Attempt) -> None:
        for recorder in self._recorders:
            recorder.end(attempt)

    def failure_decided(self, attempt: Attempt, after: AfterFailure, waited: int | None) -> None:
        for recorder in self._recorders:
            recorder.failure_decided(attempt, after, waited)

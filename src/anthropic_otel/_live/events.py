"""Calls and attempts as events, each a flat dictionary: what `anthropic-otel run` and the console show.

    started   a call is about to run
    attempt   an attempt has ended
    call      a call has ended

`docs/run.md` lists the fields. Rule: an event has only values of the schema, numbers, ids, and printable names of at
most `MAX_TEXT` characters. So no event exceeds `MAX_LINE` bytes, and none contains a prompt, a reply, a key, a query
string or an exception's message.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from typing import Any, Final

from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.call import Call
from anthropic_otel._core.facts import Facts, api_error_type, attempt_facts, call_facts
from anthropic_otel._core.guard import guarded
from anthropic_otel._core.recorder import (
    NO_ATTEMPT_RECORDER,
    NO_CALL_RECORDER,
    AttemptRecorder,
    CallRecorder,
)
from anthropic_otel._core.semconv import PHASES_BEFORE_BODY

MAX_TEXT: Final = 128
MAX_LINE: Final = 8 * 1024
"""The most bytes of an event as a line of JSON. An event has fewer than 32 fields."""
STARTED: Final = "started"
ATTEMPT: Final = "attempt"
CALL: Final = "call"

Event = dict[str, Any]
Emit = Callable[[Event], None]
"""A callback for events. It is called in any thread and in finalizers, so it must not wait or raise."""

_SECOND: Final = 1e9


class EventRecorder:
    """A `Recorder` that calls `emit` with an event whenever a call starts, an attempt ends or a call ends.

    If `emit` raises when a call starts, nothing more of the call is emitted. Its errors are logged and not raised.
    """

    def __init__(self, emit: Emit) -> None:
        self.emit: Final = emit
        self.call_ids: Final = itertools.count(1)

    def enabled(self, sdk_tracer_provider: object = None) -> bool:
        return True

    @guarded(NO_CALL_RECORDER)
    def start_call(self, call: Call) -> CallRecorder:
        recorder = _CallRecorder(self, next(self.call_ids))
        self.emit(_compact({**_head(STARTED, call.wall), "call": recorder.id, **_names_of(call)}))
        return recorder

    @guarded(NO_ATTEMPT_RECORDER)
    def start_attempt(self, attempt: Attempt) -> AttemptRecorder:
        return _AttemptRecorder(self, None)


class _CallRecorder(CallRecorder):
    """Emits the `call` event of one call when it ends, and makes the recorders of the call's attempts.

    `id` is the call's number in its `EventRecorder`, counted from 1.
    """

    def __init__(self, recorder: EventRecorder, number: int) -> None:
        self._recorder: Final = recorder
        self.id: Final = number

    @guarded(NO_ATTEMPT_RECORDER)
    def start_attempt(self, attempt: Attempt) -> AttemptRecorder:
        return _AttemptRecorder(self._recorder, self.id)

    @guarded(None)
    def end(self, call: Call) -> None:
        self._recorder.emit(_call_event(call, self.id))


class _AttemptRecorder(AttemptRecorder):
    """Emits the event of one attempt when it ends. `call` is its call's id, `None` for one outside of any call."""

    def __init__(self, recorder: EventRecorder, call: int | None) -> None:
        self._recorder: Final = recorder
        self._call: Final = call

    @guarded(None)
    def end(self, attempt: Attempt) -> None:
        self._recorder.emit(_attempt_event(attempt, self._call))


def _head(kind: str, wall: int) -> Event:
    return {"type": kind, "time": round(wall / _SECOND, 6), "pid": os.getpid()}


def _names_of(call: Call) -> Event:
    invocation = call.invocation
    return {"operation": text(call.operation), "model": text(invocation.model), "stream": invocation.stream or None}


def _call_event(call: Call, number: int) -> Event:
    ending = call.ending
    return _compact(
        {
            **_head(CALL, call.wall),
            "call": number,
            **_texts(call_facts(call)),
            "stream": call.invocation.stream or None,
            "address": text(call.address),
            "duration": _seconds(call.duration),
            "api_error_type": text(api_error_type(ending.api_error)),
            "retry_stop_reason": ending.retry_stop.value if ending.retry_stop is not None else None,
            "attempts": call.attempts.count,
        }
    )


def _attempt_event(attempt: Attempt, call: int | None) -> Event:
    retry, reading = attempt.retry, attempt.reading
    first_chunk = reading.first_chunk if reading is not None and reading.end is not None else None
    return _compact(
        {
            **_head(ATTEMPT, attempt.wall),
            "call": call,
            "number": attempt.resend_count + 1,
            "address": f"{text(attempt.request.target.address)}:{attempt.request.target.port}",
            "proxy": text(attempt.request.proxy),
            "duration": _seconds(attempt.duration),
            **_texts(attempt_facts(attempt)),
            "retry_delay": _seconds(retry.delay) if retry is not None else None,
            "headers_after": _headers_after(attempt),
            "first_chunk_after": _seconds(first_chunk - attempt.started) if first_chunk is not None else None,
        }
    )


def _texts(facts: Facts) -> Event:
    return {name: text(value) if isinstance(value, str) else value for name, value in facts.items()}


def _headers_after(attempt: Attempt) -> float | None:
    """Returns the seconds from the attempt's start to the response's headers: the sum of the phases before the body.

    A phase that was not measured counts as 0. `None` if there was no response, or if the sum is 0.
    """
    if attempt.status is None:
        return None
    durations = attempt.timeline.phase_durations()
    return _seconds(sum(durations.get(phase, 0) for phase in PHASES_BEFORE_BODY)) or None


def _seconds(nanoseconds: int | None) -> float | None:
    return round(nanoseconds / _SECOND, 6) if nanoseconds is not None else None


def text(value: str | None) -> str | None:
    """Returns the first `MAX_TEXT` characters of `value`, with `?` for each unprintable one; `None` for `None`.

    `value` is a name that comes from the app or a server.
    """
    if value is None or (len(value) <= MAX_TEXT and value.isprintable()):
        return value
    return "".join(character if character.isprintable() else "?" for character in value[:MAX_TEXT])


def _compact(event: Event) -> Event:
    """Returns the event without the fields that are `None`."""
    return {name: value for name, value in event.items() if value is not None}

"""Joins the events of calls and attempts into whole calls, and counts them.

Rule: events may come from other processes, and may be lost or malformed. A call is made of the events that have come,
the calls, attempts and error types that are kept have a limit, and nothing here prints.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from anthropic_otel._core.semconv import AttemptOutcome, CallOutcome
from anthropic_otel._live.events import ATTEMPT, CALL, STARTED, Event
from anthropic_otel._render.traces import Attempt, Trace

MAX_OPEN: Final = 10_000
"""The most calls that are kept while they have not ended. One more drops the one that started first."""
MAX_ATTEMPTS: Final = 40
"""The most attempts of a call that are kept: the first one, and the last 39."""
MAX_KINDS: Final = 200
"""The most error types that are counted separately; further ones are counted together as `other`."""
_OTHER: Final = "other"
_NEVER: Final = 1e11
"""The year 5138 as seconds since the epoch. Much later times cannot be printed."""


@dataclass(slots=True)
class OpenCall:
    """A call that has not ended: its `started` event, and the `attempt` events of its attempts that have ended.

    At most `MAX_ATTEMPTS` of these are kept. `Show.tick` counts what it has shown of the call: `shown_attempts` is how
    many of `attempts`, from the first, it is done with, and `shown_waits` is how many of `show.WAITS` have passed.
    """

    started: Event
    attempts: list[Event] = field(default_factory=list)
    shown_attempts: int = 0
    shown_waits: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """A call that has ended in the process `pid`, or an attempt outside of any call.

    `trace` is the call with its attempts; for an attempt outside of any call, that attempt alone in place of a call.
    `time` is the start in seconds since the epoch.
    """

    trace: Trace
    time: float
    pid: int


@dataclass(slots=True)
class Totals:
    """What all events so far add up to.

    - `calls`: how many calls have ended, by outcome.
    - `failures`: how many attempts failed, by error type; beyond `MAX_KINDS` types and without one, under `other`.
    - `attempts`: how many attempts have ended; `lone`: how many of these were outside of any call.
    - `backoff`: the seconds of all backoffs.
    - `lost`: how many events the processes say were lost. The reader of the events may add its own.
    """

    calls: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    lone: int = 0
    backoff: float = 0.0
    lost: int = 0


class CallTracker:
    """Joins the events of one or more processes into calls.

    - `totals`: what the events so far add up to.
    - `pids`: the ids of the processes whose events of calls or attempts were added.
    - `open`: the calls that have not ended, by process id and call id, in the order of their `started` events: the last
      `MAX_OPEN`.
    """

    def __init__(self) -> None:
        self.totals: Final = Totals()
        self.pids: Final[set[int]] = set()
        self.open: Final[dict[tuple[int, int], OpenCall]] = {}

    def take(self, event: Event) -> Ended | None:
        """Adds an event. If it is the end of a call, or of an attempt outside of any call, returns that, else `None`.

        An attempt of a call that is not in `open` is only counted, and such a call ends without attempts. Of an event
        of another type than `started`, `attempt` or `call`, only the field `lost` is added. Raises `KeyError`,
        `TypeError`, `ValueError` or `OverflowError` for a malformed event, which may have been counted before.
        """
        self.totals.lost += int(event.get("lost", 0))
        kind, pid, time = event["type"], int(event["pid"]), _seconds(event["time"])
        if kind not in (STARTED, ATTEMPT, CALL):
            return None
        event = {**event, "pid": pid, "time": time}
        self.pids.add(pid)
        call = event.get("call")
        key = (pid, int(call)) if call is not None else None
        if kind == ATTEMPT:
            return self._attempt(event, key, pid, time)
        if key is None:
            raise ValueError("a call without its id")
        if kind == STARTED:
            self._forget_oldest()
            self.open[key] = OpenCall(event)
            return None
        attempts = self.open.pop(key, OpenCall(event)).attempts
        self.totals.calls[str(event["outcome"])] += 1
        return Ended(_trace(event, attempts), time, pid)

    def _attempt(self, event: Event, key: tuple[int, int] | None, pid: int, time: float) -> Ended | None:
        # `Show.tick` computes with these before the call ends.
        event["number"], event["duration"] = int(event["number"]), _seconds(event["duration"])
        totals = self.totals
        totals.attempts += 1
        totals.backoff += float(event.get("retry_delay", 0.0))
        if event.get("outcome") == AttemptOutcome.FAILED.value:
            word = str(event.get("error_type", _OTHER))
            totals.failures[word if word in totals.failures or len(totals.failures) < MAX_KINDS else _OTHER] += 1
        if key is None:
            totals.lone += 1
            return Ended(_trace(event, [event]), time, pid)
        call = self.open.get(key)
        if call is not None:
            if len(call.attempts) >= MAX_ATTEMPTS:
                del call.attempts[1]
                call.shown_attempts -= call.shown_attempts > 1
            call.attempts.append(event)
        return None

    def _forget_oldest(self) -> None:
        if len(self.open) >= MAX_OPEN:
            del self.open[next(iter(self.open))]

    @property
    def summary(self) -> Event:
        """The totals so far as an event of type `summary`, with the open calls counted as `under_way`."""
        totals = self.totals
        return {
            "type": "summary",
            "calls": dict(totals.calls),
            "attempts": totals.attempts,
            "attempts_without_call": totals.lone,
            "failures": dict(totals.failures.most_common()),
            "backoff": round(totals.backoff, 6),
            "under_way": len(self.open),
            "processes": len(self.pids),
            "lost": totals.lost,
        }


def _seconds(value: Any) -> float:
    """Returns a time or a duration, in seconds, as a `float` from 0 to below `_NEVER`.

    Raises `TypeError`, `ValueError` or `OverflowError` if it is no such number.
    """
    seconds = float(value)
    if not 0 <= seconds < _NEVER:
        raise ValueError("no possible number of seconds")
    return seconds


def _trace(event: Event, attempts: list[Event]) -> Trace:
    began = float(event["time"])
    ordered = sorted(attempts, key=lambda attempt: float(attempt["time"]))
    outcome = str(event["outcome"])
    if not outcome:
        raise ValueError("an end without an outcome")
    return Trace(
        name=str(event.get("operation") or "request"),
        duration=float(event["duration"]),
        attempts=tuple(_attempt(attempt, began) for attempt in ordered),
        model=str(event.get("model") or ""),
        # An attempt outside of any call completes; a call succeeds.
        stated=CallOutcome.SUCCEEDED.value if outcome == AttemptOutcome.COMPLETED.value else outcome,
    )


def _attempt(event: Event, began: float) -> Attempt:
    start = float(event["time"]) - began
    headers_after = event.get("headers_after")
    return Attempt(
        start=start,
        end=start + float(event["duration"]),
        outcome=str(event["outcome"]),
        status=event.get("status"),
        error_type=event.get("error_type"),
        request_id=event.get("request_id"),
        phase=event.get("phase"),
        errno=event.get("errno"),
        headers_at=start + headers_after if headers_after is not None else None,
        first_chunk=event.get("first_chunk_after"),
        complete=event.get("stream_complete"),
        backoff=event.get("retry_delay"),
        reason=event.get("retry_reason"),
        source=event.get("retry_source"),
    )

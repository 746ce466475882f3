"""Joins events into calls, and adds them up.

Rule: events come from other processes and may be lost, repeated or cut. Missing ones are left out, everything kept is
bounded, and nothing here knows of a screen.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from anthropic_otel._core.semconv import AttemptOutcome, CallOutcome
from anthropic_otel._live.events import ATTEMPT, CALL, STARTED, Event
from anthropic_otel._render.traces import Attempt, Trace

MAX_OPEN: Final = 10_000
"""The most calls that are kept while they have not ended. Beyond that the oldest one is dropped."""
MAX_ATTEMPTS: Final = 40
"""The most attempts of a call that are kept: the first one and the last ones."""
MAX_KINDS: Final = 200
"""The most error types that are counted separately; others are counted as `other`."""
_OTHER: Final = "other"


@dataclass(slots=True)
class OpenCall:
    """A call that has not ended: its `started` event, and the events of its attempts that have ended.

    `told_attempts` is how many of the attempts were mentioned on the screen; `told_waits` is how many waiting times
    were.
    """

    started: Event
    attempts: list[Event] = field(default_factory=list)
    told_attempts: int = 0
    told_waits: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """A call that has ended, or an attempt outside of any call. `time` is its start in epoch seconds."""

    trace: Trace
    time: float
    pid: int
    stream: bool


@dataclass(slots=True)
class Totals:
    """The totals of all events so far.

    - `calls`: calls by outcome; `failures`: failed attempts by error type.
    - `attempts`: all attempts; `lone`: those outside of any call.
    - `backoff`: seconds of backoff; `lost`: events that the senders could not send.
    """

    calls: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    lone: int = 0
    backoff: float = 0.0
    lost: int = 0


class Story:
    """Joins events of any processes into calls.

    - `totals`: the totals so far.
    - `pids`: the processes that sent events.
    - `open`: the calls that have not ended, by process id and call id.
    """

    def __init__(self) -> None:
        self.totals: Final = Totals()
        self.pids: Final[set[int]] = set()
        self.open: Final[dict[tuple[int, int], OpenCall]] = {}

    def take(self, event: Event) -> Ended | None:
        """Adds an event; returns the call, or the attempt outside of any call, that it ends, else `None`.

        Ignores an event of another type. Raises `KeyError`, `TypeError` or `ValueError` for a malformed event.
        """
        self.totals.lost += int(event.get("lost", 0))
        kind, pid, time = event["type"], int(event["pid"]), float(event["time"])
        if kind not in (STARTED, ATTEMPT, CALL):
            return None
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
        return Ended(_trace(event, attempts), time, pid, bool(event.get("stream")))

    def _attempt(self, event: Event, key: tuple[int, int] | None, pid: int, time: float) -> Ended | None:
        totals = self.totals
        totals.attempts += 1
        totals.backoff += float(event.get("retry_delay", 0.0))
        if event.get("outcome") == AttemptOutcome.FAILED.value:
            word = str(event.get("error_type", _OTHER))
            totals.failures[word if word in totals.failures or len(totals.failures) < MAX_KINDS else _OTHER] += 1
        if key is None:
            totals.lone += 1
            return Ended(_trace(event, [event]), time, pid, bool(event.get("stream_complete") is not None))
        call = self.open.get(key)
        if call is not None:
            if len(call.attempts) >= MAX_ATTEMPTS:
                del call.attempts[1]
            call.attempts.append(event)
        return None

    def _forget_oldest(self) -> None:
        if len(self.open) >= MAX_OPEN:
            del self.open[next(iter(self.open))]

    @property
    def summary(self) -> Event:
        """The totals as an event of type `summary`."""
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


def _trace(event: Event, attempts: list[Event]) -> Trace:
    began = float(event["time"])
    ordered = sorted(attempts, key=lambda attempt: float(attempt["time"]))
    outcome = str(event["outcome"])
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

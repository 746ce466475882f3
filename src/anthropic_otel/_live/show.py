"""Turns events into lines for a person: about each call, and a summary.

Rule: a call is shown once, when it ends: as a waterfall if it had several attempts or failed, else as one line. Before
that, two things are mentioned: a failed attempt whose call goes on for another `PATIENCE` seconds, and a call that has
been running for as many seconds as a number in `WAITS`. An attempt outside of any call is shown as a call.
"""

from __future__ import annotations

import time as clock
from collections.abc import Iterator
from typing import Final

from anthropic_otel._core.semconv import CallOutcome
from anthropic_otel._live.events import Event
from anthropic_otel._live.tracker import CallTracker, Ended, OpenCall
from anthropic_otel._render.styled import UNICODE, Glyphs, Line, Piece, Style, duration, packed
from anthropic_otel._render.waterfall import waterfall

PATIENCE: Final = 2.0
WAITS: Final = (60.0, 300.0)
_TROUBLE: Final = (CallOutcome.RECOVERED.value, CallOutcome.FAILED.value, CallOutcome.EXHAUSTED.value)
_FAILED: Final = (CallOutcome.FAILED.value, CallOutcome.EXHAUSTED.value)
_NOTHING: Final = "No call of the Messages API was seen."
_NOBODY: Final = "Nor was any Python with the SDK followed. To see why: anthropic-otel docs run"


class Show:
    """Turns events into styled lines. Returns them and prints nothing.

    - `width`: of the screen, in columns. It may be changed at any time.
    - `glyphs`: the characters to draw with.
    - `followed`: whether any process was followed. `take` sets it, and a caller may. Only `summary` reads it.
    - `tracker`: the calls and totals of the events so far.
    """

    def __init__(self, width: int = 80, glyphs: Glyphs = UNICODE, *, followed: bool = True) -> None:
        self.width = width
        self.glyphs = glyphs
        self.followed = followed
        self.tracker: Final = CallTracker()
        self._after_blank = False

    def take(self, event: Event) -> list[Line]:
        """Adds an event, and returns the lines to show for it.

        There are none unless it ends a call, or an attempt outside of any call. Sets `followed` to `True`, even if it
        raises what `CallTracker.take` raises for a malformed event.
        """
        self.followed = True
        ended = self.tracker.take(event)
        if ended is None:
            return []
        lines = list(self._ended(ended))
        self._after_blank = not lines[-1]
        return lines

    # -- what has ended ------------------------------------------------------------------------------------------------

    def _ended(self, ended: Ended) -> Iterator[Line]:
        trace = ended.trace
        if len(trace.attempts) <= 1 and trace.outcome not in _TROUBLE:
            yield self._line(ended)
            return
        if not self._after_blank:
            yield ()
        many = f"{len(trace.attempts)} attempt" + "s" * (len(trace.attempts) != 1)
        share = min(trace.backoff / trace.duration, 1) if trace.duration else 0.0
        lost = (f"{share:.0%} of it backoff",) if trace.backoff else ()
        head = self._head(ended.time, ended.pid)
        facts = (trace.name, *_known(trace.model), many, *lost)
        first, *rest = packed(facts, self.glyphs.separator, self.width - 2 - len(head))
        yield (Piece(self.glyphs.more + " ", Style.QUIET), Piece(head, Style.QUIET), Piece(first, Style.STRONG))
        yield from ((Piece("  " + " " * len(head) + line, Style.STRONG),) for line in rest)
        yield from waterfall(trace, self.width, self.glyphs)
        yield ()

    def _line(self, ended: Ended) -> Line:
        """Returns the only line of a call, or of an attempt outside of any call, without retries or failure."""
        trace = ended.trace
        head = "  " + self._head(ended.time, ended.pid)
        end = f"{duration(trace.duration).rjust(7)}  "
        status = str(trace.attempts[-1].status or "") if trace.attempts else ""
        good = trace.answered
        word = f"{self.glyphs.good} {status}".rstrip() if good else trace.outcome
        room = self.width - len(head) - len(end) - len(word) - 2
        names = _cut("  ".join((trace.name, *_known(trace.model))), room, self.glyphs)
        return (
            Piece(head, Style.QUIET),
            Piece(names.ljust(min(room, _NAMES)) + "  " + end),
            Piece(word, Style.GOOD if good else Style.BACKOFF),
        )

    def _head(self, time: float, pid: int) -> str:
        """Returns the local time, and the process id in brackets if `tracker` has several; a blank follows each.

        `time` is when the call began, in seconds since the epoch.
        """
        began = clock.strftime("%H:%M:%S ", clock.localtime(time))
        return f"{began}[{pid}] " if len(self.tracker.pids) > 1 else began

    # -- what is under way ---------------------------------------------------------------------------------------------

    def tick(self, now: float) -> list[Line]:
        """Returns the new lines, at `now` in seconds since the epoch, about calls that have not ended.

        There is one for each failed attempt that ended `PATIENCE` seconds ago or earlier, and one for a call that since
        the last time has been running for as many seconds as a number in `WAITS`. Nothing is mentioned twice.
        """
        lines: list[Line] = []
        for call in self.tracker.open.values():
            lines += self._under_way(call, now)
        self._after_blank = self._after_blank and not lines
        return lines

    def _under_way(self, call: OpenCall, now: float) -> Iterator[Line]:
        for attempt in call.attempts[call.shown_attempts :]:
            if attempt["time"] + attempt["duration"] + PATIENCE > now:
                break
            call.shown_attempts += 1
            if attempt.get("error_type"):
                took = duration(attempt["duration"]).strip()
                word = f"{self.glyphs.bad} attempt {attempt['number']}: {attempt['error_type']} after {took}"
                yield self._meanwhile(call, word, Style.BAD)
        waits = sum(now - call.started["time"] >= wait for wait in WAITS)
        if waits > call.shown_waits:
            call.shown_waits = waits
            yield self._meanwhile(call, f"under way for {duration(now - call.started['time']).strip()}", Style.BACKOFF)

    def _meanwhile(self, call: OpenCall, text: str, style: Style) -> Line:
        started = call.started
        head = "  " + self._head(started["time"], started["pid"])
        room = max(self.width - len(head) - len(text) - 2, 8)
        name = _cut(str(started.get("operation") or "request"), room, self.glyphs)
        return (Piece(head, Style.QUIET), Piece(name + "  "), Piece(text, style))

    # -- what it adds up to --------------------------------------------------------------------------------------------

    def summary(self) -> list[Line]:
        """Returns the totals as lines and, if attempts failed, the command that explains their commonest error type.

        If nothing was counted, they say that no call was seen and, unless `followed`, that no process was followed. An
        empty line is before them, unless the lines that were returned last ended with one.
        """
        totals = self.tracker.totals
        calls = sum(totals.calls.values())
        facts = [*self._calls(calls)] if calls else []
        if totals.lone:
            facts.append(_many(totals.lone, "request") + " without a call of the SDK")
        if totals.attempts:
            facts.append(_many(totals.attempts, "attempt"))
        if totals.backoff:
            facts.append(f"{duration(totals.backoff).strip()} in backoff")
        if self.tracker.open:
            facts.append(f"{len(self.tracker.open)} under way at the end")
        if totals.lost:
            facts.append(f"{_many(totals.lost, 'event')} lost")
        text = packed(facts, "; ", self.width)
        if not facts:
            text = [_NOTHING, *(packed(_NOBODY.split(), " ", self.width) if not self.followed else ())]
        failed = sum(totals.calls[outcome] for outcome in _FAILED)
        style = Style.BAD if failed else Style.STRONG
        lines: list[Line] = [] if self._after_blank else [()]
        lines += [(Piece(line, style),) for line in text]
        for word, count in totals.failures.most_common(1):
            most = f"Most frequent failure: {word}, {count} of {_many(totals.failures.total(), 'failed attempt')}"
            more = f"{self.glyphs.arrow} anthropic-otel why {word}"
            lines += [(Piece(line),) for line in packed((most, more), " ", self.width)]
        return lines

    def _calls(self, calls: int) -> Iterator[str]:
        counts = self.tracker.totals.calls
        failed = sum(counts[outcome] for outcome in _FAILED)
        words = {
            "ok": counts[CallOutcome.SUCCEEDED.value],
            "recovered": counts[CallOutcome.RECOVERED.value],
            "failed": failed,
            "cancelled": counts[CallOutcome.CANCELLED.value],
            "abandoned": counts[CallOutcome.ABANDONED.value],
        }
        yield f"{_many(calls, 'call')}: " + ", ".join(f"{count} {word}" for word, count in words.items() if count)


_NAMES: Final = 40


def _known(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


def _many(count: int, word: str) -> str:
    return f"{count} {word}" + "s" * (count != 1)


def _cut(text: str, room: int, glyphs: Glyphs) -> str:
    return text if len(text) <= room else text[: max(room - len(glyphs.cut), 1)] + glyphs.cut

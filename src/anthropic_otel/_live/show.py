"""Turns events into lines for a person: a line per call, a waterfall for a call with trouble, and a summary.

Rule: a call is shown once, when it ends. Before that, only slow ones are mentioned: a failed attempt whose call goes on
for another `PATIENCE` seconds, and a call that has been running for as long as `WAITS` say.
"""

from __future__ import annotations

import time as clock
from collections.abc import Iterator
from typing import Final

from anthropic_otel._core.semconv import CallOutcome
from anthropic_otel._live.events import Event
from anthropic_otel._live.story import Ended, OpenCall, Story
from anthropic_otel._render.styled import UNICODE, Glyphs, Line, Piece, Style, duration, packed
from anthropic_otel._render.waterfall import waterfall

PATIENCE: Final = 2.0
WAITS: Final = (60.0, 300.0)
_TROUBLE: Final = (CallOutcome.RECOVERED.value, CallOutcome.FAILED.value, CallOutcome.EXHAUSTED.value)
_FAILED: Final = (CallOutcome.FAILED.value, CallOutcome.EXHAUSTED.value)
_NOTHING: Final = "No call of the Messages API was seen."
_NOBODY: Final = "No Python in it that imports the SDK was followed, either. Which are not: anthropic-otel docs run"


class Show:
    """Turns events into styled lines.

    - `width`: in columns.
    - `glyphs`: the characters that the output can show.
    - `followed`: whether some process sends events; set when one says so.
    """

    def __init__(self, width: int = 80, glyphs: Glyphs = UNICODE, *, followed: bool = True) -> None:
        self.width = width
        self.glyphs = glyphs
        self.followed = followed
        self.story: Final = Story()
        self._after_blank = False

    def take(self, event: Event) -> list[Line]:
        """Returns the lines to show for an event: none unless it ends a call or an attempt outside of any call.

        Raises `KeyError`, `TypeError` or `ValueError` for a malformed event.
        """
        self.followed = True
        ended = self.story.take(event)
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
        """Returns the one line of a call without retries or failure."""
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
        """Returns the local time at which a call began, with its process id if there are several processes."""
        told = clock.strftime("%H:%M:%S ", clock.localtime(time))
        return f"{told}[{pid}] " if len(self.story.pids) > 1 else told

    # -- what is under way ---------------------------------------------------------------------------------------------

    def tick(self, now: float) -> list[Line]:
        """Returns the lines that are due at `now`, in epoch seconds, about calls that have not ended.

        They are about failed attempts and about long calls; each is returned once.
        """
        lines: list[Line] = []
        for call in self.story.open.values():
            lines += self._under_way(call, now)
        self._after_blank = self._after_blank and not lines
        return lines

    def _under_way(self, call: OpenCall, now: float) -> Iterator[Line]:
        for attempt in call.attempts[call.told_attempts :]:
            if attempt["time"] + attempt["duration"] + PATIENCE > now:
                break
            call.told_attempts += 1
            if attempt.get("error_type"):
                took = duration(attempt["duration"]).strip()
                word = f"{self.glyphs.bad} attempt {attempt['number']}: {attempt['error_type']} after {took}"
                yield self._meanwhile(call, word, Style.BAD)
        waits = sum(now - call.started["time"] >= wait for wait in WAITS)
        if waits > call.told_waits:
            call.told_waits = waits
            yield self._meanwhile(call, f"under way for {duration(now - call.started['time']).strip()}", Style.BACKOFF)

    def _meanwhile(self, call: OpenCall, text: str, style: Style) -> Line:
        started = call.started
        head = "  " + self._head(started["time"], started["pid"])
        room = max(self.width - len(head) - len(text) - 2, 8)
        name = _cut(str(started.get("operation") or "request"), room, self.glyphs)
        return (Piece(head, Style.QUIET), Piece(name + "  "), Piece(text, style))

    # -- what it adds up to --------------------------------------------------------------------------------------------

    def summary(self) -> list[Line]:
        """Returns the totals as lines, with the command that explains the most frequent failure.

        Without any call or request they say that none was seen.
        """
        totals = self.story.totals
        calls = sum(totals.calls.values())
        facts = [*self._calls(calls)] if calls else []
        if totals.lone:
            facts.append(_many(totals.lone, "request") + " without a call of the SDK")
        if totals.attempts:
            facts.append(_many(totals.attempts, "attempt"))
        if totals.backoff:
            facts.append(f"{duration(totals.backoff).strip()} in backoff")
        if self.story.open:
            facts.append(f"{len(self.story.open)} under way at the end")
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
            told = f"Most frequent failure: {word}, {count} of {_many(totals.failures.total(), 'failed attempt')}"
            more = f"{self.glyphs.arrow} anthropic-otel why {word}"
            lines += [(Piece(line),) for line in packed((told, more), " ", self.width)]
        return lines

    def _calls(self, calls: int) -> Iterator[str]:
        counts = self.story.totals.calls
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

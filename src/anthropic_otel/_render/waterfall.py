"""Draws a `Trace` as a waterfall, one bar per attempt on a common time axis, in lines of styled text.

Rule: pure functions. The same trace, width and glyphs give the same lines, and nothing here knows of a terminal, of
spans or of colours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from anthropic_otel._core.semconv import RetrySource
from anthropic_otel._render.styled import UNICODE, Glyphs, Line, Piece, Style, duration, packed
from anthropic_otel._render.traces import Attempt, Trace

SOURCES: Final = {RetrySource.RETRY_AFTER.value: "set by retry-after", RetrySource.BACKOFF.value: "set by the SDK"}
"""What decided the length of a backoff, in words, by the value of `RetrySource`."""

WIDE: Final = 108
"""The least width at which an attempt's details begin beside its bar and not below it."""

_MOST: Final = 132
_INDENT: Final = 2
_DURATION: Final = 7
_GAP: Final = 2
_TEXT: Final = 23
_WIDE_TEXT: Final = 54


@dataclass(frozen=True, slots=True)
class Layout:
    """The widths of a waterfall's columns `label`, `bars` and `text`, in characters.

    Between bars and text is a column for durations, of a fixed width. `beside` says whether an attempt's details begin
    in the text column; if not, they are below its bar.
    """

    label: int
    bars: int
    text: int
    beside: bool

    @property
    def left(self) -> int:
        """The screen column at which the bars begin, counted from 0."""
        return _INDENT + self.label + _GAP

    @property
    def right(self) -> int:
        """The screen column at which the text begins, counted from 0."""
        return self.left + self.bars + _GAP + _DURATION + _GAP

    @property
    def width(self) -> int:
        """The width of all columns together, with indent and gaps, in characters."""
        return self.right + self.text


def layout(width: int, attempts: int) -> Layout:
    """Returns the layout for a screen of `width` columns, of which at most 132 are used, and that many attempts.

    The bars get what the other columns leave, but at least 10. Details begin beside the bars from `WIDE` columns on.
    """
    beside = width >= WIDE
    text = _WIDE_TEXT if beside else _TEXT
    label = len(f"attempt {attempts}")
    fixed = _INDENT + label + _GAP + _GAP + _DURATION + _GAP + text
    return Layout(label, max(10, min(width, _MOST) - fixed), text, beside)


def waterfall(trace: Trace, width: int, glyphs: Glyphs = UNICODE) -> list[Line]:
    """Returns the lines of a trace: time axis, call, each attempt with its details, and at last `seen` if there is one.

    A backoff has a line before its attempt. `seen` must have no newline, and is cut to the width. No line is longer
    than `width`, provided that is at least 60, except for a word that is too long for it. At most 132 columns are used.
    """
    return list(_Drawing(trace, layout(width, len(trace.attempts)), glyphs).lines())


class _Drawing:
    def __init__(self, trace: Trace, columns: Layout, glyphs: Glyphs) -> None:
        self._trace = trace
        self._columns = columns
        self._glyphs = glyphs
        self._total = max(trace.duration, *(each.end for each in trace.attempts), 1e-9)

    def lines(self) -> Iterator[Line]:
        yield self._axis()
        yield self._call()
        for number, attempt in enumerate(self._trace.attempts, 1):
            if attempt.backoff:
                yield self._backoff(attempt, attempt.backoff)
            yield from self._attempt(number, attempt)
        if self._trace.seen:
            yield self._seen(self._trace.seen)

    # -- rows ----------------------------------------------------------------------------------------------------------

    def _axis(self) -> Line:
        step = _step(self._total, self._columns.bars)
        text, at, number = "", 0, 0
        while at < self._columns.bars:
            label = f"{self._glyphs.tick}{number * step:g} s"
            if at + len(label) <= self._columns.bars + _GAP:
                text = text.ljust(at) + label
            number += 1
            at = self._cell(number * step)
        return (Piece(" " * self._columns.left + text, Style.QUIET),)

    def _call(self) -> Line:
        bar = Piece(self._glyphs.call * self._cells(0, self._trace.duration)[1], Style.CALL)
        good = self._trace.answered
        return self._row("call", (0, bar), self._trace.duration, self._marked(self._trace.outcome, good))

    def _backoff(self, attempt: Attempt, seconds: float) -> Line:
        start, length = self._cells(attempt.start - seconds, attempt.start)
        bar = Piece(self._glyphs.backoff * length, Style.BACKOFF)
        text = Piece("  " + SOURCES.get(attempt.source or "", ""), Style.BACKOFF)
        return self._row("backoff", (start, bar), seconds, (text,), Style.BACKOFF)

    def _attempt(self, number: int, attempt: Attempt) -> Iterator[Line]:
        start, length = self._cells(attempt.start, attempt.end)
        good = attempt.error_type is None
        until = attempt.end if attempt.headers_at is None else attempt.headers_at
        sent = min(length, max(1, self._cell(until) - start))
        bar = Piece(self._glyphs.sent * sent + self._glyphs.body * (length - sent), Style.GOOD if good else Style.BAD)
        word = self._marked(attempt.error_type or str(attempt.status or attempt.outcome), good)
        beside, *below = self._placed(word, attempt.details)
        yield self._row(f"attempt {number}", (start, bar), attempt.end - attempt.start, beside)
        yield from below

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _row(self, label: str, bar: tuple[int, Piece], seconds: float, text: Line, style: Style = Style.PLAIN) -> Line:
        start, piece = bar
        rest = self._columns.bars - start - len(piece.text) + _GAP
        return (
            Piece(" " * _INDENT + label.ljust(self._columns.label + _GAP), style),
            Piece(" " * start),
            piece,
            Piece(" " * rest + duration(seconds).rjust(_DURATION) + " " * _GAP, style),
            *text,
        )

    def _seen(self, text: str) -> Line:
        room = self._columns.width - self._columns.left
        label = Piece(" " * _INDENT + "app saw".ljust(self._columns.label + _GAP), Style.QUIET)
        return label, Piece(text if len(text) <= room else text[: room - 3] + "...", Style.STRONG)

    def _marked(self, word: str, good: bool) -> Line:
        mark, style = (self._glyphs.good, Style.GOOD) if good else (self._glyphs.bad, Style.BAD)
        return (Piece(f"{mark} {word}", style),)

    def _placed(self, word: Line, details: Sequence[str]) -> Iterator[Line]:
        """Yields the texts of an attempt: first the one beside its bar, then the lines below the bar, if any.

        `word` is always beside the bar. With `Layout.beside`, `details` follow it there as far as there is room. All
        others are below the bar.
        """
        dot = self._glyphs.separator
        if not self._columns.beside:
            yield word
            at, lines = self._columns.left, packed(details, dot, self._columns.width - self._columns.left)
        else:
            used = sum(len(piece.text) for piece in word)
            # The lines below begin by `_GAP` further right than the text beside the bar.
            first, *lines = packed(details, dot, _WIDE_TEXT - _GAP, used + len(dot) - _GAP)
            yield (*word, Piece(dot + first, Style.QUIET)) if first else word
            at = self._columns.right + _GAP
        yield from ((Piece(" " * at + line, Style.QUIET),) for line in lines if line)

    def _cell(self, seconds: float) -> int:
        return round(seconds / self._total * self._columns.bars)

    def _cells(self, start: float, end: float) -> tuple[int, int]:
        """Returns the first cell of a bar, from 0, and its number of cells, at least one. No bar leaves the axis.

        `start` and `end` are seconds since the call began.
        """
        first = min(max(self._cell(start), 0), self._columns.bars - 1)
        return first, max(1, min(self._cell(end), self._columns.bars) - first)


def _step(total: float, columns: int) -> float:
    """Returns the seconds between two ticks of an axis that shows `total` seconds in `columns` characters.

    That is the least 1, 2 or 5 times a power of ten, from a millisecond on, for which ticks are at least nine
    characters apart, so that a label fits between. Both arguments must be above 0.
    """
    exponent = -3
    while True:
        for digit in (1, 2, 5):
            step = digit * 10.0**exponent
            if step / total * columns >= 9:
                return step
        exponent += 1

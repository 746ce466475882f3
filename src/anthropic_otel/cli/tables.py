"""Renders a `Summary` as tables, in lines of styled text, by pure functions.

Rule: every table begins with its title, which has the table's totals, or the names of its columns, beside it. No line
is longer than the screen, if that is at least 60 columns wide. An error type that is wider than its column has a line
of its own, above the rest of its row, and is cut if it is wider than the screen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from anthropic_otel._core.semconv import AttemptOutcome, CallOutcome
from anthropic_otel._render.styled import Glyphs, Line, Piece, Style, duration
from anthropic_otel._render.waterfall import SOURCES
from anthropic_otel.cli.summary import AttemptKind, Latency, Summary

_BAR: Final = 16
_BESIDE_A_BAR: Final = 60
"""The width of the widest table without its bars, in columns."""
_WORD: Final = 21
"""The width of the column `error.type`."""
_BEFORE_THE_WORD: Final = 10
"""The width of what stands before that column."""
_STYLES: Final = {
    CallOutcome.SUCCEEDED.value: Style.GOOD,
    CallOutcome.RECOVERED.value: Style.BACKOFF,
    CallOutcome.FAILED.value: Style.BAD,
    CallOutcome.EXHAUSTED.value: Style.BAD,
}
_MEANINGS: Final = {
    CallOutcome.SUCCEEDED.value: "answered at once",
    CallOutcome.RECOVERED.value: "answered after retries",
    CallOutcome.FAILED.value: "not retried",
    CallOutcome.EXHAUSTED.value: "all retries used up",
    CallOutcome.CANCELLED.value: "stopped by the app",
    CallOutcome.ABANDONED.value: "not read to the end",
}


def tables(summary: Summary, width: int, glyphs: Glyphs) -> list[Line]:
    """Returns the summary's tables as lines, with an empty line between two tables.

    They are calls, attempts, backoff, tokens if any are known, and latency, which has no numbers if no call succeeded.
    """
    sections = [_calls(summary, glyphs), _attempts(summary, width, glyphs), _backoff(summary), _latency(summary)]
    if summary.tokens:
        sections.insert(3, _tokens(summary))
    lines: list[Line] = []
    for section in sections:
        lines += [*section, ()]
    return lines[:-1]


def _title(text: str) -> Line:
    return (Piece(text, Style.STRONG),)


def _calls(summary: Summary, glyphs: Glyphs) -> Iterator[Line]:
    counts = {outcome: count for outcome, count in summary.calls.items() if count}
    yield (*_title("Calls by outcome"), Piece(f"  {sum(counts.values())} calls", Style.QUIET))
    most = max(counts.values(), default=1)
    for outcome, count in counts.items():
        style = _STYLES.get(outcome, Style.PLAIN)
        yield (
            Piece(f"  {outcome:<10}", style),
            Piece(f"{count:>4}  "),
            Piece(_bar(count, most, _BAR, glyphs).ljust(_BAR), style),
            Piece(f"  {_MEANINGS[outcome]}", Style.QUIET),
        )


def _attempts(summary: Summary, width: int, glyphs: Glyphs) -> Iterator[Line]:
    bar = max(0, min(_BAR, width - _BESIDE_A_BAR))
    counted = f"  {sum(summary.attempts.values())} attempts, {summary.attempts_per_call:.2f} per call"
    yield (*_title("Attempts by status and cause"), Piece(counted, Style.QUIET))
    yield (Piece(f"  {'status':<6}  {'error.type':<{_WORD}}  {'phase':<7}  {'errno':<12}", Style.QUIET),)
    most = max(summary.attempts.values(), default=1)
    for kind, count in sorted(summary.attempts.items(), key=_good_first):
        style = Style.GOOD if kind.error_type is None else Style.BAD
        word = "" if kind.error_type == str(kind.status) else kind.error_type or ""
        status = kind.status or ""
        if len(word) > _WORD:
            yield (Piece(f"  {status:<6}  {_cut(word, width - _BEFORE_THE_WORD, glyphs)}", style),)
            status = word = ""
        yield (
            Piece(f"  {status:<6}  {word:<{_WORD}}", style),
            Piece(f"  {kind.phase or '':<7}  {kind.errno or '':<12}{count:>4}  "),
            Piece(_bar(count, most, bar, glyphs), style),
        )


def _cut(word: str, columns: int, glyphs: Glyphs) -> str:
    return word if len(word) <= columns else word[: max(0, columns - len(glyphs.cut))] + glyphs.cut


def _good_first(item: tuple[AttemptKind, int]) -> tuple[bool, bool, int, str]:
    """Returns the sort key of a kind of attempt and its count.

    Attempts without an error type come first, then failures without a phase, then failures with one. In each of these
    three groups the more frequent come first, and equally frequent ones are sorted by error type.
    """
    kind, count = item
    return kind.error_type is not None, kind.phase is not None, -count, kind.error_type or ""


def _backoff(summary: Summary) -> Iterator[Line]:
    share = f"  {summary.backoff_share:.0%} of all time in calls"
    lost = Piece(f"  {duration(summary.backoff_seconds)}", Style.BACKOFF)
    yield (*_title("Time lost in backoff"), lost, Piece(share, Style.QUIET))
    for each in summary.backoffs:
        words = SOURCES.get(each.source, "set by something else")
        waits = "wait" if each.count == 1 else "waits"
        yield (Piece(f"  {words:<18}"), Piece(f"{duration(each.seconds):>9}"), _quiet(f"  in {each.count} {waits}"))


def _tokens(summary: Summary) -> Iterator[Line]:
    lost = Piece(
        f"  {summary.tokens_for_nothing:,} tokens at least", Style.BAD if summary.tokens_for_nothing else Style.GOOD
    )
    yield (*_title("What failures cost"), lost, _quiet(f"  {summary.share_for_nothing:.1%} of all"))
    yield (_quiet(f"  {'attempts':<10}{'input':>10}{'output':>10}"),)
    for each in summary.tokens:
        style = Style.GOOD if each.outcome == AttemptOutcome.COMPLETED.value else Style.BAD
        yield (Piece(f"  {each.outcome:<10}", style), Piece(f"{each.input:>10,}{each.output:>10,}"))


def _latency(summary: Summary) -> Iterator[Line]:
    yield (*_title("Latency of answered calls"), Piece(f"{'p50':>9}{'p95':>9}", Style.QUIET))
    yield from _percentiles("with retries and backoff", summary.calls_took)
    yield from _percentiles("their last attempt alone", summary.final_attempts_took)


def _percentiles(label: str, latency: Latency | None) -> Iterator[Line]:
    if latency is not None:
        yield (Piece(f"  {label:<24}"), Piece(f"{duration(latency.p50):>8}{duration(latency.p95):>9}"))


def _quiet(text: str) -> Piece:
    return Piece(text, Style.QUIET)


def _bar(count: int, most: int, columns: int, glyphs: Glyphs) -> str:
    """Returns a bar of characters whose length is to `columns` as `count` is to `most`, rounded.

    It has at least one character, unless `columns` is 0, and at most `columns`.
    """
    return glyphs.bar * min(columns, max(1, round(count / most * columns)))

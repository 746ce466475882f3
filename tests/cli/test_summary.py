"""The numbers and their tables."""

from __future__ import annotations

from dataclasses import astuple

import pytest

from anthropic_otel._render.styled import ASCII, UNICODE, Glyphs, plain
from anthropic_otel._render.traces import Attempt, Trace
from anthropic_otel.cli.summary import (
    AttemptKind,
    Backoff,
    Latency,
    Measured,
    Summary,
    Tokens,
    percentile,
    summarize,
)
from anthropic_otel.cli.tables import tables

CALLS = "anthropic.client.call.duration"
DELAYS = "anthropic.client.retry.delay"
OK = Trace("call", 0.2, (Attempt(0, 0.2, "completed", 200),))
REFUSED = Attempt(0, 0.1, "failed", 529, "529")
RESET = Attempt(1.0, 1.1, "failed", None, "connection_reset", phase="wait", errno="ECONNRESET", backoff=0.9)
RECOVERED = Trace("call", 1.4, (REFUSED, Attempt(1.1, 1.4, "completed", 200, backoff=1.0, source="retry_after")))
EXHAUSTED = Trace("call", 1.1, (REFUSED, RESET))
MEASURED = (
    Measured(CALLS, {"anthropic.client.call.outcome": "succeeded"}, 1, 0.2),
    Measured(CALLS, {"anthropic.client.call.outcome": "recovered"}, 1, 1.4),
    Measured(CALLS, {"anthropic.client.call.outcome": "exhausted", "error.type": "connection_error"}, 1, 1.1),
    Measured(DELAYS, {"anthropic.client.retry.source": "retry_after"}, 1, 1.0),
    Measured(DELAYS, {"anthropic.client.retry.source": "backoff", "anthropic.client.retry.reason": "529"}, 1, 0.5),
    Measured(DELAYS, {"anthropic.client.retry.source": "backoff", "anthropic.client.retry.reason": "503"}, 1, 0.4),
    Measured("anthropic.client.attempt.duration", {}, 5, 0.8),
    *(
        Measured(f"gen_ai.client.inference.usage.{name}", {"anthropic.client.attempt.outcome": outcome}, 1, value)
        for name, outcome, value in (
            ("input_tokens", "completed", 1_500),
            ("output_tokens", "completed", 300),
            ("cache_read.input_tokens", "completed", 900),
            ("input_tokens", "failed", 199),
            ("output_tokens", "failed", 1),
            ("input_tokens", "abandoned", 0),
        )
    ),
)


@pytest.fixture
def summary() -> Summary:
    return summarize([OK, RECOVERED, EXHAUSTED], MEASURED)


def test_calls_are_counted_by_outcome(summary: Summary) -> None:
    """Every outcome has its number, also zero, and error types do not split it."""
    assert summary.calls == {
        "succeeded": 1,
        "recovered": 1,
        "failed": 0,
        "exhausted": 1,
        "cancelled": 0,
        "abandoned": 0,
    }


def test_attempts_are_counted_by_status_and_cause(summary: Summary) -> None:
    """What differs in status, error type, phase or error number is counted apart."""
    assert summary.attempts == {
        AttemptKind(200, None, None, None): 2,
        AttemptKind(529, "529", None, None): 2,
        AttemptKind(None, "connection_reset", "wait", "ECONNRESET"): 1,
    }
    assert summary.attempts_per_call == pytest.approx(5 / 3)


def test_backoff_is_summed_by_source(summary: Summary) -> None:
    """The longest comes first, and the share is of all time in calls."""
    assert summary.backoffs == [Backoff("retry_after", 1, 1.0), Backoff("backoff", 2, 0.9)]
    assert summary.backoff_seconds == pytest.approx(1.9)
    assert summary.backoff_share == pytest.approx(1.9 / 2.7)


def test_latency_is_of_answered_calls_and_of_their_last_attempts(summary: Summary) -> None:
    """A call that failed in a millisecond says nothing of how fast answers come."""
    assert summary.calls_took == Latency(0.2, 1.4)
    assert summary.final_attempts_took is not None
    assert astuple(summary.final_attempts_took) == pytest.approx((0.2, 0.3))


def test_the_tokens_of_what_was_not_completed_were_for_nothing(summary: Summary) -> None:
    """Input has what is cached in it, so only input and output are added. An outcome without tokens is left out."""
    assert summary.tokens == [Tokens("completed", 1_500, 300), Tokens("failed", 199, 1)]
    assert summary.tokens_for_nothing == 200
    assert summary.share_for_nothing == 0.1


def test_nothing_gives_an_empty_summary() -> None:
    """No calls are no error, and no division by zero."""
    nothing = summarize([], [])
    assert nothing.calls_took is None
    assert nothing.backoff_share == nothing.attempts_per_call == nothing.share_for_nothing == 0
    assert plain(tables(nothing, 80, UNICODE)).startswith("Calls by outcome  0 calls\n")


@pytest.mark.parametrize(("part", "value"), [(0.5, 5), (0.95, 10), (0.9, 9), (0.0, 1), (1.0, 10)])
def test_percentiles_are_by_nearest_rank(part: float, value: int) -> None:
    """A percentile is one of the values, never something between two."""
    assert percentile(list(range(1, 11)), part) == value


def test_the_tables(summary: Summary) -> None:
    """Each section has its sum in the title, bars are to scale, and a status is not said twice."""
    assert "\n" + plain(tables(summary, 80, UNICODE)) + "\n" == (
        """
Calls by outcome  3 calls
  succeeded    1  ■■■■■■■■■■■■■■■■  answered at once
  recovered    1  ■■■■■■■■■■■■■■■■  answered after retries
  exhausted    1  ■■■■■■■■■■■■■■■■  all retries used up

Attempts by status and cause  5 attempts, 1.67 per call
  status  error.type             phase    errno
  200                                                    2  ■■■■■■■■■■■■■■■■
  529                                                    2  ■■■■■■■■■■■■■■■■
          connection_reset       wait     ECONNRESET     1  ■■■■■■■■

Time lost in backoff  1.90 s  70% of all time in calls
  set by retry-after   1.00 s  in 1 wait
  set by the SDK       900 ms  in 2 waits

What failures cost  200 tokens at least  10.0% of all
  attempts       input    output
  completed      1,500       300
  failed           199         1

Latency of answered calls      p50      p95
  with retries and backoff  200 ms   1.40 s
  their last attempt alone  200 ms   300 ms
"""
    )


@pytest.mark.parametrize("width", [60, 64, 70, 80, 200])
def test_no_line_of_a_table_is_wider_than_the_screen(summary: Summary, width: int) -> None:
    """The bars give way, as the numbers stand beside them."""
    lines = plain(tables(summary, width, UNICODE)).splitlines()
    assert max(map(len, lines)) <= width
    assert any("ECONNRESET" in line for line in lines)


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
@pytest.mark.parametrize("width", [60, 64, 80, 132])
@pytest.mark.parametrize("word", ["memory_precondition_failed_error", "x" * 500])
def test_an_error_type_wider_than_its_column_has_a_line_of_its_own(word: str, width: int, glyphs: Glyphs) -> None:
    """No line is wider than the screen, the numbers stay in their columns, and the word is cut only at the screen."""
    failed = Attempt(0, 0.1, "failed", 412, word, phase="receive")
    lines = plain(tables(summarize([Trace("call", 0.1, (failed,))], ()), width, glyphs)).splitlines()
    assert max(map(len, lines)) <= width
    at = lines.index("  status  error.type             phase    errno")
    told, row = lines[at + 1], lines[at + 2]
    shown = told.removeprefix("  412     ")
    assert shown == word or (len(told) == width and shown.endswith(glyphs.cut))
    assert word.startswith(shown.removesuffix(glyphs.cut))
    assert row.split()[:2] == ["receive", "1"]
    assert row.index("receive") == lines[at].index("phase")


def test_an_error_type_as_wide_as_its_column_stands_in_its_row() -> None:
    """The 21 columns are those of the longest word that the library itself gives."""
    failed = Attempt(0, 0.1, "failed", None, "name_resolution_error", phase="connect", errno="EAI_NONAME")
    text = plain(tables(summarize([Trace("call", 0.1, (failed,))], ()), 60, UNICODE))
    assert "\n          name_resolution_error  connect  EAI_NONAME     1\n" in text

"""Waterfalls, line by line: what a person reads must not change by accident."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anthropic_otel._render.styled import ASCII, UNICODE, Glyphs, Style, duration, packed, plain
from anthropic_otel._render.traces import Attempt, Trace
from anthropic_otel._render.waterfall import WIDE, waterfall

RECOVERED = Trace(
    "anthropic.messages.create",
    2.43,
    (
        Attempt(0.001, 0.212, "failed", 529, "529", "req_01RGWQnJUauWHkcFuzouJjug", headers_at=0.211),
        Attempt(
            1.213,
            1.33,
            "failed",
            error_type="connection_reset",
            phase="wait",
            errno="ECONNRESET",
            backoff=1.001,
            reason="529",
            source="retry_after",
        ),
        Attempt(
            2.2,
            2.43,
            "completed",
            200,
            request_id="req_01aHBBcfU6ksvquvYPhGprtb",
            headers_at=2.42,
            backoff=0.87,
            reason="connection_reset",
            source="backoff",
        ),
    ),
    model="claude-sonnet-5-5",
)
BROKEN = Trace(
    "anthropic.messages.create",
    1.13,
    (
        Attempt(
            0.001,
            1.13,
            "failed",
            200,
            "connection_reset",
            "req_01RGWQnJUauWHkcFuzouJjug",
            phase="receive",
            errno="ECONNRESET",
            headers_at=0.211,
            first_chunk=0.25,
            complete=False,
        ),
    ),
    seen="ReadError: [Errno 104] Connection reset by peer",
)


def drawn(trace: Trace, width: int = 80, glyphs: Glyphs = UNICODE) -> str:
    return "\n" + plain(waterfall(trace, width, glyphs)) + "\n"


def expected(text: str) -> str:
    return dedent(text).replace("\n", "\n  ").rstrip(" ")


def test_a_recovered_call_at_80_columns() -> None:
    """Each attempt has its bar and its details below it, and the backoff a bar of its own between them."""
    assert drawn(RECOVERED) == expected(
        """
                   ╷0 s          ╷1 s         ╷2 s
        call       ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━   2.43 s  ✓ recovered
        attempt 1  ███                                 211 ms  ✗ 529
                   req_01RGWQnJUauWHkcFuzouJjug
        backoff       ╌╌╌╌╌╌╌╌╌╌╌╌╌                    1.00 s    set by retry-after
        attempt 2                  ██                  117 ms  ✗ connection_reset
                   phase wait · ECONNRESET
        backoff                      ╌╌╌╌╌╌╌╌╌╌╌╌      870 ms    set by the SDK
        attempt 3                                ███   230 ms  ✓ 200
                   req_01aHBBcfU6ksvquvYPhGprtb
        """
    )


def test_a_broken_stream_at_80_columns() -> None:
    """A stream's body is drawn unlike the wait for its headers, and the app's own view stands last."""
    assert drawn(BROKEN) == expected(
        """
                   ╷0 s           ╷0.5 s        ╷1 s
        call       ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━   1.13 s  ✗ failed
        attempt 1  ██████▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒   1.13 s  ✗ connection_reset
                   phase receive · ECONNRESET · req_01RGWQnJUauWHkcFuzouJjug
                   status 200 · first chunk after 0.25 s
        app saw    ReadError: [Errno 104] Connection reset by peer
        """
    )


def test_ascii_glyphs_give_ascii_text() -> None:
    """An output that has nothing but ASCII gets the same picture."""
    assert drawn(RECOVERED, glyphs=ASCII) == expected(
        """
                   |0 s          |1 s         |2 s
        call       ---------------------------------   2.43 s  + recovered
        attempt 1  ###                                 211 ms  x 529
                   req_01RGWQnJUauWHkcFuzouJjug
        backoff       .............                    1.00 s    set by retry-after
        attempt 2                  ##                  117 ms  x connection_reset
                   phase wait, ECONNRESET
        backoff                      ............      870 ms    set by the SDK
        attempt 3                                ###   230 ms  + 200
                   req_01aHBBcfU6ksvquvYPhGprtb
        """
    )


def test_a_wide_screen_has_the_details_beside_the_bars() -> None:
    """At 120 columns an attempt takes one line, as long as its details fit into it."""
    lines = plain(waterfall(RECOVERED, 120)).splitlines()
    assert len(lines) == 7
    assert lines[2].endswith("211 ms  ✗ 529 · req_01RGWQnJUauWHkcFuzouJjug")
    assert lines[4].endswith("117 ms  ✗ connection_reset · phase wait · ECONNRESET")


def test_an_attempt_is_at_least_one_cell() -> None:
    """A refusal in half a millisecond is seen beside a second of backoff, also at the very end."""
    refused = Attempt(1.0, 1.0005, "failed", error_type="connection_refused", backoff=0.9999)
    [*_, last] = waterfall(Trace("call", 1.0005, (Attempt(0, 0.0001, "failed", 529, "529"), refused)), 80)
    assert [piece.text for piece in last if piece.style is Style.BAD] == ["█", "✗ connection_refused"]


def test_what_failed_and_what_answered_have_their_own_styles() -> None:
    """The eye finds failures by colour, in the bar and in the word beside it."""
    words = {piece.text: piece.style for line in waterfall(RECOVERED, 80) for piece in line}
    assert words["✗ 529"] is words["✗ connection_reset"] is Style.BAD
    assert words["✓ 200"] is words["✓ recovered"] is Style.GOOD
    bars = [piece.style for line in waterfall(RECOVERED, 80) for piece in line if "█" in piece.text]
    assert bars == [Style.BAD, Style.BAD, Style.GOOD]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0 ms"),
        (0.00047, "0.5 ms"),
        (0.0096, "9.6 ms"),
        (0.0999, "100 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.00 s"),
        (9.99, "9.99 s"),
        (9.996, "10.0 s"),
        (600, "600.0 s"),
        (3599.6, "3600 s"),
    ],
)
def test_durations_have_the_unit_that_a_person_would_use(seconds: float, text: str) -> None:
    """Three digits or so, and never more than seven columns."""
    assert duration(seconds) == text
    assert len(text) <= 7


def test_what_the_app_saw_is_cut_to_the_screen() -> None:
    """An error message of a whole JSON body does not wrap."""
    talkative = BROKEN.seen_as("InternalServerError: " + "x" * 100)
    last = plain(waterfall(talkative, 80)).splitlines()[-1]
    assert len(last) == 80
    assert last.endswith("x...")


def test_an_attempt_without_details_leaves_no_blank_line() -> None:
    """Nothing known is nothing said."""
    lines = plain(waterfall(Trace("call", 1.0, (Attempt(0, 1.0, "completed", 200),)), 80)).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["call", "attempt"]


@pytest.mark.parametrize("width", [WIDE, 120, 132, 200])
def test_details_that_continue_below_the_bar_end_at_the_screen_too(width: int) -> None:
    """They begin further right than the text beside the bar, and so have less room than that."""
    attempt = replace(BROKEN.attempts[0], status=None, complete=None, first_chunk=1.0)
    lines = plain(waterfall(Trace("call", 1.13, (attempt,)), width, ASCII)).splitlines()
    assert max(len(line) for line in lines) <= min(width, 132)


def test_details_are_packed_onto_as_few_lines_as_they_need() -> None:
    """Words are never cut and keep their order; what is used of the first line is taken into account."""
    assert packed(["aa", "bb", "cc"], ", ", 6) == ["aa, bb", "cc"]
    assert packed(["aa", "bb", "cc"], ", ", 6, 5) == ["", "aa, bb", "cc"]
    assert packed([], ", ", 6) == [""]


moments = st.floats(0, 700, allow_nan=False)
errors = st.sampled_from([None, "529", "connection_reset", "name_resolution_error", "tls_certificate_error"])


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    times = sorted(draw(st.lists(moments, min_size=2, max_size=24).filter(lambda found: len(found) % 2 == 0)))
    attempts = [
        Attempt(
            start, end, "failed", None, draw(errors), request_id="req_" + "x" * 24, phase="connect", errno="EAI_NONAME"
        )
        for start, end in zip(times[::2], times[1::2], strict=True)
    ]
    gaps = [None, *(after.start - before.end for before, after in pairwise(attempts))]
    with_backoff = [replace(each, backoff=gap, source="backoff") for each, gap in zip(attempts, gaps, strict=True)]
    return Trace("call", times[-1], tuple(with_backoff))


@given(traces(), st.sampled_from([60, 72, 80, 100, WIDE, 120, 200]), st.sampled_from([UNICODE, ASCII]))
def test_no_line_is_wider_than_the_screen(trace: Trace, width: int, glyphs: Glyphs) -> None:
    """Whatever the times and errors are, nothing wraps and every attempt has its row."""
    lines = plain(waterfall(trace, width, glyphs)).splitlines()
    assert max(len(line) for line in lines) <= width
    assert sum(line.startswith("  attempt ") for line in lines) == len(trace.attempts)

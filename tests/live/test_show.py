"""What a person sees of events, line by line, at 80 and at 60 columns."""

from __future__ import annotations

import time
from textwrap import dedent
from typing import Any

import pytest

from anthropic_otel._live.events import Event
from anthropic_otel._live.show import Show
from anthropic_otel._live.tracker import MAX_ATTEMPTS
from anthropic_otel._render.styled import ASCII, UNICODE, Glyphs, plain

NOON = time.mktime((2026, 11, 29, 12, 0, 0, 0, 0, -1))


def event(kind: str, at: float, **more: Any) -> Event:
    """An event `at` seconds after noon."""
    head = {"type": kind, "time": NOON + at, "pid": 7, "call": 1, "operation": "messages.create"}
    return {**head, "model": "claude-sonnet-5-5", **more}


def attempt(at: float, number: int = 1, took: float = 0.2, **more: Any) -> Event:
    return event("attempt", at, number=number, duration=took, **{"outcome": "failed", **more})


REFUSED = attempt(0, status=529, error_type="529", request_id="req_01jF")
RESET = attempt(
    1.2, 2, error_type="connection_reset", phase="wait", errno="ECONNRESET", retry_delay=1.0, retry_source="retry_after"
)
ANSWERED = attempt(
    2.2, 3, outcome="completed", status=200, request_id="req_01nP", retry_delay=0.8, retry_source="backoff"
)
CALL = event("call", 0, duration=2.4, outcome="recovered")
RECOVERED = [event("started", 0), REFUSED, RESET, ANSWERED, CALL]
FINE = [event("started", 0, call=2), attempt(0, call=2, outcome="completed", status=200)]
FINE += [event("call", 0, call=2, duration=0.25, outcome="succeeded")]


def shown(events: list[Event], width: int = 80, glyphs: Glyphs = UNICODE) -> str:
    """What is seen of events, and then of their end."""
    show = Show(width, glyphs)
    lines = [line for event in events for line in show.take(event)]
    return "\n" + plain([*lines, *show.summary()]) + "\n"


def test_a_call_that_nothing_happened_to_is_a_line() -> None:
    """When, what, which model, how long, and its status."""
    assert shown(FINE) == dedent(
        """
          12:00:00 messages.create  claude-sonnet-5-5         250 ms  ✓ 200

        1 call: 1 ok; 1 attempt
        """
    )


def test_a_recovered_call_is_a_waterfall() -> None:
    """With a head that says when it began; blank lines set it off, and the summary names the worst failure."""
    assert shown([*RECOVERED, *FINE]) == dedent(
        """

        ▸ 12:00:00 messages.create · claude-sonnet-5-5 · 3 attempts · 75% of it backoff
                     ╷0 s          ╷1 s         ╷2 s
          call       ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━   2.40 s  ✓ recovered
          attempt 1  ███                                 200 ms  ✗ 529
                     req_01jF
          backoff       ╌╌╌╌╌╌╌╌╌╌╌╌╌╌                   1.00 s    set by retry-after
          attempt 2                   ██                 200 ms  ✗ connection_reset
                     phase wait · ECONNRESET
          backoff                       ╌╌╌╌╌╌╌╌╌╌╌      800 ms    set by the SDK
          attempt 3                                ███   200 ms  ✓ 200
                     req_01nP

          12:00:00 messages.create  claude-sonnet-5-5         250 ms  ✓ 200

        2 calls: 1 ok, 1 recovered; 4 attempts; 1.80 s in backoff
        Most frequent failure: 529, 1 of 2 failed attempts → anthropic-otel why 529
        """
    )


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
@pytest.mark.parametrize("width", [60, 80, 132])
def test_no_line_is_wider_than_the_screen(width: int, glyphs: Glyphs) -> None:
    """In any glyphs, with several processes, and with names that are as long as names get."""
    long = [{**each, "pid": 4_194_304, "model": "m" * 128} for each in FINE]
    text = shown([*RECOVERED, *long, event("process", 0)], width, glyphs)
    assert max(map(len, text.splitlines())) <= width
    assert glyphs is UNICODE or text.isascii()


def test_a_process_is_named_once_there_are_several() -> None:
    """A reloader or a pre-fork server has workers with calls of their own, also with the same ids."""
    other = [{**each, "pid": 8} for each in FINE]
    text = shown([*FINE, *other])
    assert "  12:00:00 messages.create" in text
    assert "  12:00:00 [8] messages.create" in text
    assert "2 calls: 2 ok; 2 attempts" in text


def test_a_call_that_goes_on_is_spoken_of_meanwhile() -> None:
    """A failed attempt once its call has gone on for two seconds, and a call that has not ended in a minute."""
    show = Show()
    for each in (event("started", 0), REFUSED):
        show.take(each)
    assert show.tick(NOON + 1) == []
    assert plain(show.tick(NOON + 2.5)) == "  12:00:00 messages.create  ✗ attempt 1: 529 after 200 ms"
    assert show.tick(NOON + 3) == []
    assert plain(show.tick(NOON + 61)) == "  12:00:00 messages.create  under way for 61.0 s"
    assert show.tick(NOON + 62) == []
    assert plain(show.summary()).endswith("1 attempt; 1 under way at the end\n" + _why("529"))


def test_an_attempt_beyond_the_limit_is_spoken_of_meanwhile() -> None:
    """Each failed attempt of a call that goes on is mentioned, also when earlier ones are not kept any more."""
    show = Show()
    show.take(event("started", 0))
    for number in range(1, MAX_ATTEMPTS + 2):
        show.take(attempt(0, number, status=529, error_type="529"))
        assert f"attempt {number}: 529" in plain(show.tick(NOON + 10))


def _why(word: str) -> str:
    return f"Most frequent failure: {word}, 1 of 1 failed attempt → anthropic-otel why {word}"


def test_a_request_without_a_call_is_shown_by_itself() -> None:
    """An app that has not the SDK sees the same, and the summary says what they are."""
    lone = {name: value for name, value in REFUSED.items() if name != "call"}
    text = shown([lone])
    assert "messages.create · claude-sonnet-5-5 · 1 attempt" in text
    assert "1 request without a call of the SDK; 1 attempt" in text


def test_a_call_without_an_attempt_is_shown() -> None:
    """It failed before anything was sent."""
    text = shown([event("started", 0), event("call", 0, duration=0.001, outcome="failed")])
    assert "✗ failed" in text
    assert "1 call: 1 failed" in text


def test_a_call_that_was_stopped_is_no_failure() -> None:
    """Cancelled or abandoned by the app: a line, and counted as what it is."""
    text = shown([event("call", 0, duration=0.2, outcome="cancelled")])
    assert text.splitlines()[1].endswith("200 ms  cancelled")
    assert "1 call: 1 cancelled" in text


def test_nothing_seen_is_said() -> None:
    """An app that made no call is told apart from one whose summary is missing."""
    assert "No call of the Messages API was seen." in shown([])


def test_attempts_beyond_a_bound_are_left_out_of_the_picture() -> None:
    """The first and the last ones stay; the totals count all of them."""
    many = [attempt(n, n + 1, status=529, error_type="529") for n in range(MAX_ATTEMPTS * 2)]
    text = shown([event("started", 0), *many, event("call", 0, duration=80.0, outcome="exhausted")])
    assert text.count("✗ 529") == MAX_ATTEMPTS
    assert f"{MAX_ATTEMPTS * 2} attempts" in text


@pytest.mark.parametrize(
    "bad", [{}, {"type": "call"}, {"type": "call", "pid": "x", "time": 0}, {"type": "attempt", "pid": 1, "time": []}]
)
def test_what_is_no_event_is_refused(bad: Event) -> None:
    """By an exception of the kinds that whoever reads events expects."""
    with pytest.raises((KeyError, TypeError, ValueError)):
        Show().take(bad)


@pytest.mark.parametrize(
    "wrong", [event("call", 0, duration=1.0, outcome=""), {**REFUSED, "outcome": "", "call": None}]
)
def test_an_end_without_an_outcome_is_refused(wrong: Event) -> None:
    """It cannot be drawn, and must not end what reads the events of an app's processes."""
    with pytest.raises(ValueError, match="without an outcome"):
        Show().take(wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"duration": None}, {"duration": "long"}, {"duration": float("nan")}, {"time": -1e300}, {"number": None}],
    ids=str,
)
def test_a_malformed_attempt_of_a_call_is_refused_when_it_comes(wrong: Event) -> None:
    """So that it fails neither the lines about the call while it goes on, nor the call's picture."""
    show = Show()
    show.take(event("started", 0))
    with pytest.raises((TypeError, ValueError)):
        show.take({**REFUSED, **wrong})
    assert plain(show.tick(NOON + 61)) == "  12:00:00 messages.create  under way for 61.0 s"


def test_a_call_that_started_at_no_possible_time_is_refused() -> None:
    """Its time could not be shown while it goes on."""
    show = Show()
    with pytest.raises(ValueError, match="no possible number"):
        show.take({**event("started", 0), "time": -1e300})
    assert show.tick(NOON) == []


def test_a_number_that_was_sent_as_text_is_read_as_a_number() -> None:
    """The lines about a call that goes on compute with it."""
    show = Show()
    show.take({**event("started", 0), "time": str(NOON)})
    show.take({**REFUSED, "time": str(NOON), "duration": "0.2"})
    assert "attempt 1: 529 after 200 ms" in plain(show.tick(NOON + 10))

"""When the chunks of a body came, and who waited for whom."""

from __future__ import annotations

from typing import Any

import pytest

from anthropic_otel._core.reading import Reading
from anthropic_otel._core.sse import StreamEnd

STOP = b'event: message_stop\ndata: {"type": "message_stop"}\n\n'


@pytest.fixture
def reading(clock: Any) -> Reading:
    return Reading(clock, event_stream=True, is_message=True)


def chunk(reading: Reading, clock: Any, wait: int, data: bytes = b"x") -> None:
    """The app asks, the server takes `wait` to answer."""
    reading.asked_at = reading.now()
    clock.pass_(wait)
    reading.arrived()
    reading.decoded(data)


def test_the_first_chunk_has_a_time(reading: Reading, clock: Any) -> None:
    """And later ones do not change it."""
    chunk(reading, clock, 7)
    first = clock.time
    chunk(reading, clock, 9)
    assert reading.first_chunk == first


def test_the_longest_wait_for_the_server_is_the_gap(reading: Reading, clock: Any) -> None:
    """The time that the app took between two chunks is none of it."""
    for wait, held in ((5, 1_000), (30, 2_000), (10, 3_000)):
        chunk(reading, clock, wait)
        clock.pass_(held)
    reading.conclude(clock.time)
    assert reading.max_gap == 30


def test_the_time_between_chunks_is_the_consumers(reading: Reading, clock: Any) -> None:
    """From each chunk to the next request for one; before the first chunk the app has nothing to hold."""
    clock.pass_(500)
    for _ in range(3):
        chunk(reading, clock, 10)
        clock.pass_(100)
    reading.asked_at = reading.now()
    reading.conclude(clock.time)
    assert reading.consumer_time == 300


ERROR = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
QUOTED = b'event: content_block_delta\ndata: {"delta":{"text":"event: error\\n\\n"}}\n\n'


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([ERROR], [True]),
        ([ERROR.replace(b"\n", b"\r\n")], [True]),
        ([b"event: ping\ndata: {}\n\n", ERROR], [False, True]),
        ([b"event: ping\ndata: {}\n\n" + ERROR], [False]),
        ([b"data: cut in", b" two\n\n" + ERROR], [False, False]),
        ([b"event: errors_of_another_kind\ndata: {}\n\n"], [False]),
        ([ERROR[:40], ERROR[40:]], [False, False]),
        ([QUOTED, STOP], [False, False]),
        ([7], [False]),
    ],
)
def test_a_whole_error_event_is_the_last(reading: Reading, chunks: list[Any], expected: list[bool]) -> None:
    """One that shares its chunk or is cut is read off at the end; what a model writes of errors is none."""
    assert [reading.decoded(each) for each in chunks] == expected


@pytest.mark.parametrize("first", [b"", b"e", b"event:", b"event: ", b"\n"])
def test_a_first_chunk_may_be_short(reading: Reading, first: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """However a proxy cuts the stream, nothing of ours fails, and the next chunk is joined to it."""
    caplog.set_level("DEBUG", "anthropic_otel")
    assert [reading.decoded(first), reading.decoded(STOP)] == [False, False]
    reading.conclude(0)
    assert caplog.records == []
    assert reading.end == StreamEnd(first[-1:] in (b"", b"\n"), None)


def test_what_arrives_is_looked_at_where_nothing_hides_it(reading: Reading) -> None:
    """By one call for each chunk."""
    assert [reading.arrived(), reading.arrived(STOP), reading.arrived(ERROR)] == [False, False, True]
    reading.conclude(0)
    assert reading.end == StreamEnd(False, "overloaded_error")


def test_the_silence_before_the_end_counts(reading: Reading, clock: Any) -> None:
    """A stream that stalls until a read timeout has its longest silence at its end."""
    chunk(reading, clock, 10)
    reading.asked_at = reading.now()
    clock.pass_(60_000)
    reading.conclude(clock.time)
    assert reading.max_gap == 60_000


def test_a_stream_that_never_answers_is_silent_from_its_beginning(reading: Reading, clock: Any) -> None:
    """There is no first chunk, and one long gap."""
    reading.asked_at = reading.now()
    clock.pass_(60_000)
    reading.conclude(clock.time)
    assert reading.first_chunk is None
    assert reading.max_gap == 60_000


def test_a_body_that_is_never_read_has_no_times(reading: Reading, clock: Any) -> None:
    """Nobody waited for anything."""
    clock.pass_(60_000)
    reading.conclude(clock.time)
    assert (reading.first_chunk, reading.max_gap, reading.consumer_time) == (None, 0, 0)


def test_an_app_that_stops_reading_waits_for_nothing(reading: Reading, clock: Any) -> None:
    """What passes between its last chunk and the close of the stream is no silence of the server's."""
    chunk(reading, clock, 10)
    clock.pass_(60_000)
    reading.conclude(clock.time)
    assert reading.max_gap == 10


def test_the_end_of_an_event_stream_is_read_once(reading: Reading, clock: Any) -> None:
    """What was kept of it is gone then, and what comes later is not looked at."""
    chunk(reading, clock, 1, STOP)
    reading.conclude(clock.time)
    assert reading.end == StreamEnd(True, None)
    assert reading.tail is None
    reading.decoded(b'event: error\ndata: {"error": {"type": "api_error"}}\n\n')
    reading.conclude(clock.time)
    assert reading.end == StreamEnd(True, None)


def test_a_body_that_is_no_event_stream_has_no_end_event(clock: Any) -> None:
    """Its bytes are not looked at."""
    reading = Reading(clock, event_stream=False, is_message=False)
    chunk(reading, clock, 1, STOP)
    reading.conclude(clock.time)
    assert reading.end is None

"""When the chunks of a body came, and who waited for whom."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anthropic_otel._core.aws_event_stream import AwsEventStreamReader
from anthropic_otel._core.event_stream import EventStreamReader, is_delta
from anthropic_otel._core.reading import Reading
from anthropic_otel._core.start_of_body import JsonLines, StartOfBody, StartOfReply
from anthropic_otel._core.stream_end import StreamEnd
from core.notes import OVERLOADED, STOP, ManualClock


@pytest.fixture
def reading(clock: ManualClock) -> Reading:
    return Reading(clock.seconds, EventStreamReader())


def chunk(reading: Reading, clock: ManualClock, wait: int, data: bytes = b"x") -> None:
    """The app asks, the server takes `wait` to answer."""
    reading.asked_at = reading.clock_now()
    clock.pass_(wait)
    reading.on_chunk(data)


def test_the_first_chunk_has_a_time(reading: Reading, clock: ManualClock) -> None:
    """The first chunk has a time, which later chunks do not change."""
    chunk(reading, clock, 7)
    first = clock.time
    chunk(reading, clock, 9)
    assert reading.first_chunk == first


def test_the_longest_wait_for_the_server_is_the_gap(reading: Reading, clock: ManualClock) -> None:
    """The gap is the longest wait for the server, without the time that the app took between two chunks."""
    for wait, held in ((5, 1_000), (30, 2_000), (10, 3_000)):
        chunk(reading, clock, wait)
        clock.pass_(held)
    reading.conclude(clock.time, read_to_end=True)
    assert reading.max_gap == 30


def test_the_time_between_chunks_is_the_consumers(reading: Reading, clock: ManualClock) -> None:
    """The consumer has each chunk from when it came until it asks for the next; before the first it has none."""
    clock.pass_(500)
    for _ in range(3):
        chunk(reading, clock, 10)
        clock.pass_(100)
    reading.asked_at = reading.clock_now()
    reading.conclude(clock.time, read_to_end=True)
    assert reading.consumer_time == 300


QUOTED = b'event: content_block_delta\ndata: {"delta":{"text":"event: error\\n\\n"}}\n\n'


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([OVERLOADED], [True]),
        ([OVERLOADED.replace(b"\n", b"\r\n")], [True]),
        ([b"event: ping\ndata: {}\n\n", OVERLOADED], [False, True]),
        ([b"event: ping\ndata: {}\n\n" + OVERLOADED], [True]),
        ([b"event: ping\ndata: cut in", b" two\n\n" + OVERLOADED], [False, True]),
        ([b"event: errors_of_another_kind\ndata: {}\n\n"], [False]),
        ([OVERLOADED[:40], OVERLOADED[40:]], [False, True]),
        ([OVERLOADED[:-1], OVERLOADED[-1:], STOP], [False, True, False]),
        ([QUOTED, STOP], [False, False]),
        ([7], [False]),
    ],
)
def test_the_chunk_that_completes_an_error_event_is_the_last(
    reading: Reading, chunks: list[Any], expected: list[bool]
) -> None:
    """A stream has failed with the chunk that completes an `error` event, wherever the chunks are cut."""
    assert [reading.on_decoded(each) for each in chunks] == expected


@pytest.mark.parametrize("first", [b"", b"e", b"event:", b"event: ", b"\n"])
def test_a_first_chunk_may_be_short(reading: Reading, first: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A stream that a proxy cuts anywhere is joined again, and nothing of the library fails."""
    caplog.set_level("DEBUG", "anthropic_otel")
    assert [reading.on_decoded(first), reading.on_decoded(STOP)] == [False, False]
    reading.conclude(0, read_to_end=True)
    assert caplog.records == []
    assert reading.end is not None
    # Behind an `e` the event has no name. Behind `event:` it has an odd one, and its data have the type.
    assert reading.end.complete is (first != b"e")


def test_what_arrives_is_looked_at_where_nothing_hides_it(reading: Reading) -> None:
    """A chunk without a content encoding is looked at as it arrives."""
    assert [reading.on_chunk(STOP), reading.on_chunk(OVERLOADED)] == [False, True]
    reading.conclude(0, read_to_end=True)
    assert reading.end is not None
    assert reading.end.error is not None
    assert reading.end.error.type == "overloaded_error"


def test_the_silence_before_the_end_counts(reading: Reading, clock: ManualClock) -> None:
    """A stream that stalls until a read timeout has its longest silence at its end."""
    chunk(reading, clock, 10)
    reading.asked_at = reading.clock_now()
    clock.pass_(60_000)
    reading.conclude(clock.time, read_to_end=True)
    assert reading.max_gap == 60_000


def test_a_stream_that_never_answers_is_silent_from_its_beginning(reading: Reading, clock: ManualClock) -> None:
    """A stream without a chunk has one long gap."""
    reading.asked_at = reading.clock_now()
    clock.pass_(60_000)
    reading.conclude(clock.time, read_to_end=True)
    assert reading.first_chunk is None
    assert reading.max_gap == 60_000


def test_a_body_that_is_never_read_has_no_times(reading: Reading, clock: ManualClock) -> None:
    """A body that is never read has no first chunk, no gap and no consumer time."""
    clock.pass_(60_000)
    reading.conclude(clock.time, read_to_end=True)
    assert (reading.first_chunk, reading.max_gap, reading.consumer_time) == (None, 0, 0)


def test_an_app_that_stops_reading_waits_for_nothing(reading: Reading, clock: ManualClock) -> None:
    """The time between the last chunk and the close of a stream is no silence of the server's."""
    chunk(reading, clock, 10)
    clock.pass_(60_000)
    reading.conclude(clock.time, read_to_end=True)
    assert reading.max_gap == 10


def test_the_end_of_an_event_stream_is_read_once(reading: Reading, clock: ManualClock) -> None:
    """The end of a stream is read off once; what was kept of it is freed, and what comes later is not looked at."""
    chunk(reading, clock, 1, STOP)
    reading.conclude(clock.time, read_to_end=True)
    end = reading.end
    assert end is not None
    assert (end.complete, end.error) == (True, None)
    assert reading._reader is None
    assert reading.on_decoded(OVERLOADED) is False
    reading.conclude(clock.time, read_to_end=True)
    assert reading.end is end


def test_a_body_that_is_no_event_stream_has_no_end_event(clock: ManualClock) -> None:
    """The bytes of a body that is no event stream are not looked at."""
    reading = Reading(clock.seconds, None)
    chunk(reading, clock, 1, STOP)
    reading.conclude(clock.time, read_to_end=True)
    assert (reading.end, reading.start, reading.seen) == (None, None, False)


@pytest.mark.parametrize(
    ("chunks", "most", "start"),
    [
        ([b"{}"], 1, b"{"),
        ([b"", b" \n", b"\t<html>"], 1, b"<"),
        ([b'{"error"', b": {}}"], 100, b'{"error": {}}'),
        ([b"abc", b"def"], 4, b"abcd"),
        ([b" "], 1, b""),
    ],
)
def test_of_another_body_only_the_start_is_kept(
    clock: ManualClock, chunks: list[bytes], most: int, start: bytes
) -> None:
    """Of a body that is no event stream the first bytes that are not blank are kept, up to a bound."""
    reading = Reading(clock.seconds, StartOfBody(most))
    assert [reading.on_chunk(each) for each in chunks] == [False] * len(chunks)
    reading.conclude(clock.time, read_to_end=False)
    assert (reading.start, reading.end) == (start, None)


@pytest.mark.parametrize(("compressed", "read_to_end", "start"), [(0, True, b""), (0, False, None), (1, True, None)])
def test_a_start_that_nobody_saw_is_unknown(
    clock: ManualClock, compressed: int, read_to_end: bool, start: bytes | None
) -> None:
    """A body that was read to its end without a chunk is empty; one that was not read, or not decoded, is unknown."""
    reading = Reading(clock.seconds, StartOfBody(1))
    list(reading.watch([b"compressed"] * compressed, Ends(), True))
    reading.conclude(clock.time, read_to_end=read_to_end)
    assert reading.start == start


def test_a_compressed_stream_whose_events_are_decoded_is_read_by_them(reading: Reading, clock: ManualClock) -> None:
    """A chunk whose content encoding hides its events has a time, and its events are seen once they are decoded."""
    assert list(reading.watch([b"compressed"], Ends(), True)) == [b"compressed"]
    assert reading.on_decoded(STOP) is False
    reading.conclude(clock.time, read_to_end=True)
    assert reading.first_chunk == clock.time
    assert reading.end is not None
    assert reading.end.complete is True


def test_a_compressed_stream_that_the_app_decodes_itself_has_an_unknown_end(
    reading: Reading, clock: ManualClock
) -> None:
    """Where chunks came and none was seen decoded, nobody can say whether the stream was complete."""
    list(reading.watch([b"compressed"], Ends(), True))
    reading.conclude(clock.time, read_to_end=True)
    assert reading.end == StreamEnd(None)


def test_a_compressed_stream_that_was_decoded_into_nothing_is_incomplete(reading: Reading, clock: ManualClock) -> None:
    """Some decoders give nothing at all for a beginning that is cut short: the app saw no event, so there was none."""
    reading.decoding = True
    list(reading.watch([b"compressed"], Ends(), True))
    reading.conclude(clock.time, read_to_end=True)
    assert reading.end is not None
    assert reading.end.complete is False


@pytest.mark.parametrize("size", [1, 4, 9, 100])
def test_what_is_sought_in_a_body_is_found_wherever_it_is_cut(size: int) -> None:
    """And nothing of the body is kept for it but what fits into a name."""
    body = b'{"id": "m", ' + b" " * 200 + b'"content": []}' + b" " * 200
    found = StartOfBody(8, b'"content"')
    for begin in range(0, len(body), size):
        assert found.feed(body[begin : begin + size]) is None
    assert (found.has_sought, found.last) == (True, b"}")
    missed = StartOfBody(8, b'"content"')
    missed.feed(b'{"conten": []}')
    assert not missed.has_sought


@pytest.mark.parametrize("size", [1, 64, 1_460, 1_000_000])
@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b'{"type": "error", "error": {"message": "' + b"x" * 500 + b'"}}', 543),
        (b'{"type": "error", "error": {"message": "' + b"x" * 5_000 + b'"}}', 1_000),
        (b'{"type": "message", "content": [{"text": "' + b"x" * 500 + b'"}]}', 64),
    ],
    ids=["error", "long error", "message"],
)
def test_of_a_reply_no_more_is_kept_than_tells_what_it_is_unless_it_is_an_error(
    body: bytes, kept: int, size: int
) -> None:
    """An error is kept up to a bound, so that its type can be parsed; of what the app asked for nothing is needed."""
    found = StartOfReply(1_000, b'"content"')
    for begin in range(0, len(body), size):
        assert found.feed(body[begin : begin + size]) is None
    assert found.start == body[:kept]
    assert (found.has_sought, found.last) == (b'"content"' in body, b"}")


LINE = b'{"custom_id": "a", "result": {"type": "canceled"}}\n'
LONG_LINE = b'{"text": "' + b"x" * 40_000 + b'"}\n'


@pytest.mark.parametrize("size", [1, 64, 1_460, 1_000_000])
@pytest.mark.parametrize(
    ("body", "read_to_end", "whole"),
    [
        (LINE * 3, True, True),
        (LINE * 3, False, True),
        (LINE + LINE[:-1], True, True),
        (LINE + LINE[:20], True, False),
        (LINE + LINE[:20], False, True),
        (LINE + b"{bad\n", False, False),
        (LINE + b"{bad\n", True, False),
        (LINE + b"\n", False, False),
        (LINE + LONG_LINE, True, True),
        (LINE + LONG_LINE, False, True),
        (LINE + LONG_LINE[:-3], True, False),
        (LINE + LONG_LINE[:-1], True, True),
        (LONG_LINE + b"{bad\n", False, False),
        (b"", True, True),
    ],
)
def test_a_line_that_is_no_json_is_seen_where_the_sdk_raises_for_it(
    body: bytes, read_to_end: bool, whole: bool, size: int
) -> None:
    """In what came last, or as the cut rest at the end. In a chunk beyond the bound nothing is claimed."""
    reader = JsonLines(9)
    for at in range(0, len(body), size):
        assert reader.feed(body[at : at + size]) is None
    beyond = size > len(LONG_LINE) and body.startswith(LONG_LINE)
    assert reader.finish(read_to_end=read_to_end) is (whole or beyond)
    assert reader.start == body[:9]


# -- a body that is watched --------------------------------------------------------------------------------------------


DELTA = b'event: content_block_delta\ndata: {"type": "content_block_delta"}\n\n'
CHUNKS: tuple[Any, ...] = (
    *(
        DELTA,
        DELTA * 3,
        DELTA.replace(b"\n", b"\r\n"),
        DELTA[:40],
        DELTA[40:],
        DELTA[:-1],
        b"\n",
        b"",
        b"\r",
        OVERLOADED,
    ),
    *(
        DELTA + OVERLOADED,
        STOP,
        DELTA + STOP,
        b"event: content_block_delta\ndata: {}\nevent: error\n\n",
        b"\0",
        b"{",
        7,
    ),
)
Step = tuple[Any, int, int]
"""A chunk, how long the app waits for it, and how long it has it until it asks for the next."""


class Ends:
    """What a watched body has told: its end, its exception, and at how many chunks it had an `error` event."""

    def __init__(self) -> None:
        self.errors = 0
        self.left: list[type[BaseException] | None] = []

    def body_erred(self) -> None:
        self.errors += 1

    def body_failed(self, error: BaseException) -> None:
        self.left.append(type(error))

    def body_exhausted(self) -> None:
        self.left.append(None)


def watched(reading: Reading, clock: ManualClock, steps: Sequence[Step], ends: Ends, encoded: bool) -> list[Any]:
    """The chunks that an app gets."""

    def body() -> Iterator[Any]:
        for chunk, wait, _ in steps:
            clock.pass_(wait)
            yield chunk

    got: list[Any] = []
    for chunk in reading.watch(body(), ends, encoded):
        clock.pass_(steps[len(got)][2])
        got.append(chunk)
    return got


def watched_async(reading: Reading, clock: ManualClock, steps: Sequence[Step], ends: Ends, encoded: bool) -> list[Any]:
    """The chunks that an async app gets."""

    class Body:
        async def __aiter__(self) -> AsyncIterator[Any]:
            for chunk, wait, _ in steps:
                clock.pass_(wait)
                yield chunk

    async def read() -> list[Any]:
        got: list[Any] = []
        async for chunk in reading.watch_async(Body(), ends, encoded):
            clock.pass_(steps[len(got)][2])
            got.append(chunk)
        return got

    coroutine = read()
    with pytest.raises(StopIteration) as end:
        coroutine.send(None)
    found: list[Any] = end.value.value
    return found


def recorded(reading: Reading, clock: ManualClock, steps: Sequence[Step], ends: Ends, encoded: bool) -> list[Any]:
    """The chunks, each recorded in the plain way. Without a content encoding only."""
    assert not encoded
    reading.asked_at = reading.clock_now()
    for chunk, wait, held in steps:
        clock.pass_(wait)
        if reading.on_chunk(chunk):
            ends.body_erred()
        clock.pass_(held)
        reading.asked_at = reading.clock_now()
    ends.body_exhausted()
    return [chunk for chunk, _, _ in steps]


READERS: tuple[Callable[[], Any], ...] = (
    EventStreamReader,
    AwsEventStreamReader,
    lambda: StartOfBody(9),
    lambda: JsonLines(9),
    lambda: None,
)


@given(
    st.sampled_from(READERS),
    st.lists(st.tuples(st.sampled_from(CHUNKS), st.integers(0, 10**12), st.integers(0, 10**12)), max_size=8),
    st.booleans(),
    st.integers(0, 10**12),
)
def test_a_body_is_recorded_alike_in_each_way(
    make: Callable[[], Any], steps: list[Step], encoded: bool, after: int
) -> None:
    """Whatever its chunks and its reader are: its times, its end, and that the app gets what came."""
    facts = []
    for read in (watched, watched_async, *(() if encoded else (recorded,))):
        clock, ends = ManualClock(), Ends()
        reading = Reading(clock.seconds, make())
        assert read(reading, clock, steps, ends, encoded) == [chunk for chunk, _, _ in steps]
        clock.pass_(after)
        reading.conclude(clock.time, read_to_end=True)
        times = reading.first_chunk, reading.max_gap, reading.consumer_time
        facts.append((times, reading.end, reading.start, reading.last, ends.errors, ends.left))
    assert facts == [facts[0]] * len(facts)
    waits, holds = [wait for _, wait, _ in steps], [held for _, _, held in steps]
    first = 1_000 + waits[0] if waits else None
    assert facts[0][0] == (first, max([*waits, after]), sum(holds))


@given(
    st.lists(st.sampled_from((*CHUNKS[:-1], b"event: content_block_delta\nd", b" ", b"x")), max_size=4).map(b"".join)
)
def test_a_delta_is_one_event_of_two_lines(chunk: bytes) -> None:
    """No other chunk is taken for one, whichever line endings it has."""
    name, *rest = chunk.replace(b"\r", b"\n").split(b"\n")
    expected = (
        name == b"event: content_block_delta" and len(rest) == 3 and rest[0][:1] == b"d" and rest[1:] == [b""] * 2
    )
    assert is_delta(chunk) is (expected and b"\r" not in chunk)


def test_an_app_that_stops_reading_leaves_the_body_open(reading: Reading, clock: ManualClock) -> None:
    """A generator that is closed tells nothing of an end, and an exception of the body is told and passes."""
    ends = Ends()
    chunks = reading.watch(iter([DELTA, DELTA]), ends, False)
    next(chunks)
    del chunks

    def broken() -> Iterator[bytes]:
        yield DELTA
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011
        list(reading.watch(broken(), ends, False))
    assert ends.left == [OSError]


def test_what_is_watched_after_the_end_is_not_kept(reading: Reading, clock: ManualClock) -> None:
    """An app may read on after an `error` event: its chunks are passed on, and the end stays what it was."""
    ends = Ends()
    chunks = reading.watch(iter([DELTA, OVERLOADED, DELTA, STOP]), ends, False)
    assert [next(chunks), next(chunks)] == [DELTA, OVERLOADED]
    reading.conclude(clock.time, read_to_end=False)
    end = reading.end
    assert list(chunks) == [DELTA, STOP]
    assert reading.end is end
    assert (reading._reader, reading._events, ends.errors) == (None, None, 1)

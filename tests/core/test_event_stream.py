"""How an SSE stream ends, read off its chunks."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anthropic_otel._core.event_stream import EventStreamReader
from anthropic_otel._core.semconv import API_ERROR_TYPES
from anthropic_otel._core.stream_end import MAX_KEPT, MAX_LAST, Dispatched, StreamEnd
from anthropic_otel._core.usage import report_of_start
from support.streams import LAST_DELTA, START, STOP, delta, error, held, pieces, sse

BEGIN = sse("message_start", START)
DELTA = sse("content_block_delta", delta("hi"))
USAGE = sse("message_delta", LAST_DELTA)
PING = sse("ping", {"type": "ping"})
END = sse("message_stop", STOP)
FAILURE = sse("error", error("overloaded_error"))
WHOLE = BEGIN + DELTA + DELTA + USAGE + END


def end_of(chunks: Iterable[bytes], *, read_to_end: bool = True) -> StreamEnd:
    reader = EventStreamReader()
    for chunk in chunks:
        reader.feed(chunk)
    return reader.finish(read_to_end=read_to_end)


def facts(end: StreamEnd) -> tuple[bool | None, str | None, bool]:
    return end.complete, end.error.type if end.error is not None else None, end.invalid


# -- what ends it ------------------------------------------------------------------------------------------------------


def test_a_stream_with_its_end_event_is_complete() -> None:
    """The end event completes a stream in which each event is a chunk."""
    assert facts(end_of([BEGIN, DELTA, USAGE, END])) == (True, None, False)


def test_a_stream_without_its_end_event_is_not() -> None:
    """A stream that ends after a delta is neither complete nor failed."""
    assert facts(end_of([BEGIN, DELTA])) == (False, None, False)


@pytest.mark.parametrize("after", [PING, b": bye\n\n", b"data: [DONE]\n\n", sse("done", "[DONE]"), DELTA, b"\xff"])
@pytest.mark.parametrize("read_to_end", [True, False])
def test_anything_may_come_after_the_end_event(after: bytes, read_to_end: bool) -> None:
    """A complete stream stays complete, whatever a gateway sends after it, in a chunk of its own or not."""
    assert facts(end_of([BEGIN, END, after], read_to_end=read_to_end)) == (True, None, False)
    assert facts(end_of([BEGIN, END + after], read_to_end=read_to_end)) == (True, None, False)


def test_an_error_after_the_end_event_and_a_further_end_event_change_nothing() -> None:
    """A stream that is complete stays so if a gateway sends an error after it, and then an end event of its own."""
    assert end_of([BEGIN, END, FAILURE, END], read_to_end=False).complete
    assert facts(end_of([BEGIN, END + NO_JSON + FAILURE + END], read_to_end=False)) == (True, None, False)


def test_an_end_event_without_data_ends_nothing() -> None:
    """The SDK skips an event without data, so that the app gets no end."""
    assert facts(end_of([BEGIN, b"event: message_stop\n\n"])) == (False, None, False)


@pytest.mark.parametrize("missing", range(1, len(END)))
def test_an_end_event_that_is_not_dispatched_ends_nothing(missing: int) -> None:
    """A stream that is cut inside its end event is not complete, also one byte before its blank line."""
    assert facts(end_of([BEGIN, END[:-missing]])) == (False, None, False)


@pytest.mark.parametrize("size", [0, 900, 1_100, MAX_KEPT, 5 * MAX_KEPT, 100_000])
@pytest.mark.parametrize("cut", [1_460, 65_536, 10_000_000])
def test_an_error_event_of_any_length_has_its_type(size: int, cut: int) -> None:
    """The type and the code of an error are found before and after a message of any length."""
    details = {"details": {"error_code": "spend_limit"}}
    for body in (
        {"type": "rate_limit_error", "message": "m" * size, **details},
        {**details, "message": '"type": "api_error"' * (size // 19), "type": "rate_limit_error"},
    ):
        event = sse("error", {"type": "error", "error": body, "request_id": "req_1"})
        end = end_of(pieces(BEGIN + event, [], cut))
        assert facts(end) == (False, "rate_limit_error", False)
        assert end.error is not None
        assert end.error.code == "spend_limit"


@pytest.mark.parametrize(
    ("data", "kind", "code"),
    [
        ({"error": {"type": "brand_new_error"}}, "_OTHER", None),
        ({"error": {"type": 7, "details": {"error_code": 7}}}, "_OTHER", None),
        ({"error": {"type": "api_error", "details": {"error_code": "no code"}}}, "api_error", None),
        ({"error": {"type": "api_error", "details": {"error_code": "c" * 65}}}, "api_error", None),
        ({"error": "api_error"}, "_OTHER", None),
        ([], "_OTHER", None),
        ("upstream unreachable", "_OTHER", None),
        ("[" * 9_000, "_OTHER", None),
        ("", "_OTHER", None),
    ],
)
def test_an_error_event_of_any_content_fails(data: Any, kind: str, code: str | None) -> None:
    """An error event without a type of the API's has the type `_OTHER`, and a code is a bounded word or none."""
    end = end_of([BEGIN, sse("error", data)])
    assert end.error is not None
    assert (end.error.type, end.error.code, end.complete) == (kind, code, False)


def test_what_a_model_writes_ends_nothing() -> None:
    """An event that is quoted in a delta is part of its text."""
    assert facts(end_of([BEGIN, sse("content_block_delta", delta(f"{FAILURE!r} {END!r} event: error\n\n"))])) == (
        False,
        None,
        False,
    )


@pytest.mark.parametrize(
    ("name", "complete"), [("message_stop", True), ("message", True), ("session.idle", True), ("odd", False)]
)
def test_an_sdk_that_goes_by_names_drops_events_with_others(name: str, complete: bool) -> None:
    """Up to 1.15 it decodes an event with a name that it knows, or with a dot in it."""
    reader = EventStreamReader(by_names=True)
    reader.feed(BEGIN)
    reader.feed(sse(name, {"type": "message_stop"}))
    assert reader.finish(read_to_end=True).complete is complete


def test_the_reader_says_when_the_stream_is_decided() -> None:
    """The chunk with the last byte of an error or end event is told, and an error rather than an end."""
    reader = EventStreamReader()
    assert [reader.feed(chunk) for chunk in (BEGIN, DELTA, END[:-1], END[-1:], PING)] == [
        None,
        None,
        None,
        Dispatched.STOP,
        None,
    ]
    reader = EventStreamReader()
    assert [reader.feed(chunk) for chunk in (DELTA + FAILURE[:9], FAILURE[9:])] == [None, Dispatched.ERROR]
    assert EventStreamReader().feed(END + FAILURE + PING) is Dispatched.ERROR


# -- an event that the SDK cannot take ---------------------------------------------------------------------------------

NO_JSON = sse("content_block_delta", "{not json")


@pytest.mark.parametrize(
    "bad", [NO_JSON, sse("message_stop", "{"), b"event: x\ndata: \xff\n\n", sse("x", "[" * 9_000), b"\xff\n\n"]
)
@pytest.mark.parametrize("after", [b"", DELTA, END, FAILURE, DELTA[:20]])
def test_a_stream_that_is_closed_at_an_event_without_json_is_invalid(bad: bytes, after: bytes) -> None:
    """The SDK closes the stream at an event that it cannot decode, whatever follows it in the same chunk."""
    assert facts(end_of([BEGIN, DELTA + bad + after], read_to_end=False)) == (False, None, True)


@pytest.mark.parametrize("last", [DELTA, PING, sse("ping", "no json"), b"data: no json\n\n", b": x\n\n", NO_JSON[:-1]])
def test_a_stream_that_the_app_closes_is_not_invalid(last: bytes) -> None:
    """An app that stops reading after an event that the SDK takes has abandoned the stream."""
    assert facts(end_of([BEGIN, last], read_to_end=False)) == (False, None, False)


@pytest.mark.parametrize("before", [b"", DELTA])
@pytest.mark.parametrize("cut", range(1, 4))
def test_a_body_that_ends_in_a_character_of_a_long_event_is_invalid(before: bytes, cut: int) -> None:
    """The SDK decodes what is left at the end of the body, also of an event that is too long to be kept."""
    begun = before + b"event: content_block_delta\ndata: " + "\N{GRINNING FACE}".encode() * MAX_KEPT
    assert facts(end_of(pieces(begun, [], 1_460))) == (False, None, False)
    assert facts(end_of(pieces(begun[:-cut], [], 1_460))) == (False, None, True)


def test_an_invalid_event_before_the_end_is_found_in_a_chunk_that_is_too_long_to_be_kept() -> None:
    """The events of a long chunk with the end event are decoded at once, as the chunk is not kept."""
    much = DELTA * (MAX_LAST // len(DELTA) + 1)
    assert facts(end_of([BEGIN + NO_JSON + much + END], read_to_end=False)) == (False, None, True)
    assert facts(end_of([BEGIN + much + END + NO_JSON], read_to_end=False)) == (True, None, False)


@pytest.mark.parametrize("before", [b"", DELTA])
def test_an_invalid_event_is_found_in_front_of_the_beginning_of_a_long_one(before: bytes) -> None:
    """A chunk that is too long to be kept may be so only by an event that has not ended in it."""
    begun = b"event: content_block_delta\ndata: " + b"x" * MAX_LAST
    assert facts(end_of([BEGIN, NO_JSON + before + begun], read_to_end=False)) == (False, None, True)
    assert facts(end_of([BEGIN, before + NO_JSON + begun], read_to_end=False)) == (False, None, True)


def test_of_a_chunk_that_is_too_long_to_be_kept_as_many_last_events_are_as_fit() -> None:
    """An event counts among them if it fits to its last byte, and not if it has one byte more."""
    room = MAX_LAST - len(NO_JSON) - len(sse("content_block_delta", '""'))
    fits, exceeds = (sse("content_block_delta", f'"{"x" * size}"') for size in (room, room + 1))
    assert len(NO_JSON + fits) == MAX_LAST
    assert facts(end_of([BEGIN, DELTA + NO_JSON + fits], read_to_end=False)) == (False, None, True)
    assert facts(end_of([BEGIN, DELTA + NO_JSON + exceeds], read_to_end=False)) == (False, None, False)


def test_an_app_that_takes_any_event_reads_on() -> None:
    """A stream that was read to its end had no event that its reader could not take."""
    assert facts(end_of([BEGIN, NO_JSON, DELTA])) == (False, None, False)


# -- other content -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (WHOLE, True),
        (DELTA, True),
        (b"\xef\xbb\xbf\r\n  " + WHOLE, True),
        (b": comment", True),
        (b"id: 7\n\n", True),
        (b"eve", True),
        (b"<!doctype html><title>Sign in</title>", False),
        (b'\n\n{"type": "message"}', False),
        (b"error code: 524", False),
        (b"[]", False),
        (b" \r\n", None),
        (b"", None),
    ],
)
@pytest.mark.parametrize("size", [1, 5, 1_000])
def test_a_body_is_known_by_its_first_bytes(body: bytes, expected: bool | None, size: int) -> None:
    """An event stream begins with a field or a comment; a page, a JSON document and nothing do not."""
    assert end_of(pieces(body, [], size)).is_event_stream is expected


# -- the usage ---------------------------------------------------------------------------------------------------------


def test_a_body_with_junk_before_its_events_is_an_event_stream() -> None:
    """The first event is lost to the SDK, and the others are not."""
    assert end_of([b"\0" + BEGIN, PING + DELTA]).is_event_stream is True
    assert end_of([b"\0" + BEGIN + DELTA]).is_event_stream is True
    assert end_of([b"\0" + PING + BEGIN[:-1]]).is_event_stream is True
    assert end_of([b"\0", b"event"]).is_event_stream is False


def test_the_events_with_the_usage_are_kept() -> None:
    """The usage of the first event and the JSON of each `message_delta` is there, whichever way it was cut."""
    first = report_of_start(json.dumps(START).encode())
    early = sse("message_delta", {**LAST_DELTA, "usage": {"output_tokens": 1}})
    for size in (1, 100, 1_460, 100_000):
        end = end_of(pieces(BEGIN + early + DELTA + USAGE + END, [], size))
        assert (end.first_usage, json.loads(end.deltas[-1])) == (first, LAST_DELTA)
        assert len(end.deltas) == 2


def test_a_long_event_with_usage_is_not_kept() -> None:
    """An event with usage that is too long is left out: an earlier one says what is known at least."""
    long = sse("message_delta", {**LAST_DELTA, "padding": "p" * MAX_KEPT})
    first = sse("message_start", {**START, "padding": "p" * MAX_KEPT})
    for size in (1_460, 100_000):
        end = end_of(pieces(first + USAGE + long + END, [], size))
        assert (end.complete, end.first_usage, len(end.deltas)) == (True, None, 1)


# -- chunks ------------------------------------------------------------------------------------------------------------

STREAMS = {
    "complete": WHOLE + PING,
    "failed": BEGIN + DELTA + FAILURE,
    "cut": BEGIN + DELTA + END[:-1],
    "long delta": BEGIN + sse("content_block_delta", delta("x" * 40_000)) + END,
    "long error": BEGIN + sse("error", error("api_error", "m" * 40_000)) + PING,
    "long and late name": BEGIN + b"data: " + b"x" * 20_000 + b"\nevent: ping\nevent: error\n\n" + PING,
    "long end": b"event: message_stop\ndata: {" + b" " * 20_000 + b"}\n\n" + FAILURE,
    "nameless": b"data: {}\n\n" * 2 + b"event\n\n",
}


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"], ids=repr)
@pytest.mark.parametrize("name", ["complete", "failed", "cut"])
def test_a_cut_at_any_byte_changes_nothing(name: str, newline: bytes) -> None:
    """Two chunks end as one does, wherever the network cuts and whichever line ending the stream has."""
    stream = STREAMS[name].replace(b"\n", newline)
    expected = end_of([STREAMS[name]])
    assert all(end_of([stream[:at], stream[at:]]) == expected for at in range(len(stream) + 1))


@given(
    st.sampled_from(list(STREAMS)),
    st.sampled_from((b"\n", b"\r\n", b"\r")),
    st.lists(st.integers(0, 100_000), max_size=40),
)
def test_many_cuts_change_nothing(name: str, newline: bytes, cuts: Sequence[int]) -> None:
    """Any number of chunks ends as one does."""
    stream = STREAMS[name].replace(b"\n", newline)
    assert end_of(pieces(stream, cuts)) == end_of([STREAMS[name]])


WORDS = (
    b"\n",
    b"\r",
    b"\n\n",
    b"event: error\n",
    b"event: message_stop\n",
    b"data: {}\n",
    b"data: ",
    DELTA,
    b"[" * 900,
)


@settings(max_examples=100)
@given(
    st.lists(st.binary(max_size=300) | st.sampled_from(WORDS), max_size=12),
    st.lists(st.integers(0, 5_000), max_size=12),
    st.booleans(),
)
def test_any_bytes_have_an_end(words: list[bytes], cuts: list[int], read_to_end: bool) -> None:
    """Nothing that a server sends raises, no cut changes the answer, and the type is always of the closed list."""
    text = b"".join(words)
    end = end_of(pieces(text, cuts))
    assert end == end_of([text])
    assert facts(end)[1] in (None, "_OTHER", *API_ERROR_TYPES)
    end_of(pieces(text, cuts), read_to_end=read_to_end)


@pytest.mark.parametrize("unit", [b"x", b"x\n", b"data: x\n", DELTA, b"event: ", BEGIN, USAGE, b"\r", FAILURE])
@pytest.mark.parametrize("size", [1_460, 65_536, 300_000])
def test_what_is_kept_is_bounded(unit: bytes, size: int) -> None:
    """A stream of any length holds no more than some events, in chunks of any size."""
    reader = EventStreamReader()
    for chunk in pieces(unit * (300_000 // len(unit)), [], size):
        reader.feed(chunk)
        assert held(reader) <= 3 * MAX_KEPT + MAX_LAST


def test_a_stream_that_ended_holds_no_text() -> None:
    """The loop that reads a body may keep the reader a while, and then no event that was searched is kept with it."""
    reader = EventStreamReader()
    reader.feed(BEGIN + END)
    end = reader.finish(read_to_end=True)
    assert held(reader) - held(end) < 10


def test_an_open_stream_holds_little() -> None:
    """A usual stream under way holds its last chunk, and nothing of the text of its first event."""
    reader = EventStreamReader()
    for chunk in (BEGIN, *([DELTA] * 200)):
        reader.feed(chunk)
    assert held(reader) - len(DELTA) < 10
    assert sys.getsizeof(reader) < 128


@pytest.mark.parametrize(
    "chunk",
    [
        b"event: content_block_delta\nevent: error\n\n",
        b"event: content_block_delta\r\nevent: error\r\n\r\n",
        b"event: content_block_delta\revent: error\r\n\r\n",
        b"event: content_block_delta\ndata: {}\nevent: error\n\n",
        b"event: content_block_delta\ndata: {}\revent: error\n\n",
        b"event: content_block_delta\ndata: {}\n\nevent:error\n\n",
        b"event: content_block_delta\n\nevent: error\r\n\r\n",
    ],
)
def test_no_chunk_with_another_name_is_passed_over(chunk: bytes) -> None:
    """A chunk that begins as a delta may name another event in any of its lines."""
    reader = EventStreamReader()
    assert [reader.feed(BEGIN), reader.feed(chunk)] == [None, Dispatched.ERROR]


@pytest.mark.parametrize(
    ("chunks", "told"),
    [
        ([BEGIN, b'data: {"error": {"type": "overloaded_error"}}\n\n', b"data: [DONE]\n\n"], "overloaded_error"),
        ([BEGIN, DELTA + b'data: {"error": {"type": "overloaded_error"}}\n\n' + DELTA], "overloaded_error"),
        ([BEGIN, b'data: {"error": {"type": "server_error", "code": 500}}\n\n'], None),
        ([b'{"type": "error", "error": {"type": "overloaded_error"}}'], "overloaded_error"),
        ([b'{"type": "error", ', b'"error": {"type": "overloaded_error"}}\n\n'], "overloaded_error"),
        ([b'{"type": "error",\n\n"error": {"type": "overloaded_error"}}'], "overloaded_error"),
        ([b'{"error": "' + b"x" * 40_000 + b'"}'], None),
        ([b"<html>error</html>"], None),
    ],
)
def test_an_error_that_the_sdk_passes_over_is_seen(chunks: list[bytes], told: str | None) -> None:
    """A gateway writes it as another API does, or as JSON, and an app of the SDK's sees a stream without an end."""
    end = end_of(chunks)
    assert (end.complete, end.error) == (False, None)
    assert (end.untold.type if end.untold is not None else None) == told

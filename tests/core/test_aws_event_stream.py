"""How a stream of AWS frames ends, read off its chunks."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anthropic_otel._core.aws_event_stream import AwsEventStreamReader
from anthropic_otel._core.semconv import API_ERROR_TYPES
from anthropic_otel._core.stream_end import MAX_KEPT, MAX_LAST, Dispatched, StreamEnd
from anthropic_otel._core.usage import report_of_start
from support.streams import (
    EVENT,
    LAST_DELTA,
    START,
    STOP,
    block_of,
    chunk,
    delta,
    error,
    exception,
    frame,
    held,
    pieces,
    raw_frame,
)

BEGIN, DELTA, USAGE, END = chunk(START), chunk(delta("hi")), chunk(LAST_DELTA), chunk(STOP)
METRICS = {"inputTokenCount": 9, "outputTokenCount": 12, "invocationLatency": 700, "firstByteLatency": 300}
PAYLOAD = json.dumps({"bytes": base64.b64encode(json.dumps(STOP).encode()).decode()}).encode()
LONG = {"guardrail": ["t" * 500] * 60}


def end_of(chunks: Iterable[bytes], *, read_to_end: bool = True) -> StreamEnd:
    reader = AwsEventStreamReader()
    for each in chunks:
        reader.feed(each)
    return reader.finish(read_to_end=read_to_end)


def facts(end: StreamEnd) -> tuple[bool | None, str | None, bool]:
    return end.complete, end.error.type if end.error is not None else None, end.invalid


@pytest.mark.parametrize(
    "end",
    [
        END,
        chunk({**STOP, "amazon-bedrock-invocationMetrics": METRICS}),
        chunk({"amazon-bedrock-trace": {"guardrail": ["t" * 50] * 60}, **STOP}),
        chunk({"amazon-bedrock-trace": LONG, **STOP}),
        chunk({**STOP, "amazon-bedrock-trace": LONG}),
    ],
    ids=lambda end: str(len(end)),
)
def test_a_stream_with_its_end_event_is_complete(end: bytes) -> None:
    """The end event completes a stream, however long its metrics and its guardrail trace make its frame."""
    assert len(end) < MAX_KEPT or len(end) > 2 * MAX_KEPT
    for size in (7, 1_460, 100_000):
        assert facts(end_of(pieces(BEGIN + DELTA + end + chunk({"type": "ping"}), [], size))) == (True, None, False)


def test_a_stream_without_its_end_event_is_not() -> None:
    """A stream that ends after a delta, or within its last frame, is neither complete nor failed."""
    assert facts(end_of([BEGIN, DELTA])) == (False, None, False)
    assert facts(end_of([BEGIN, DELTA, END[:-1]])) == (False, None, False)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("throttlingException", "rate_limit_error"),
        ("ThrottlingException", "rate_limit_error"),
        ("serviceUnavailableException", "overloaded_error"),
        ("internalServerException", "api_error"),
        ("modelStreamErrorException", "api_error"),
        ("modelTimeoutException", "timeout_error"),
        ("validationException", "invalid_request_error"),
        ("brandNewException", "_OTHER"),
    ],
)
@pytest.mark.parametrize("length", [0, 3_000, 3 * MAX_KEPT])
def test_an_exception_frame_of_any_length_is_an_error(name: str, kind: str, length: int) -> None:
    """An exception of Bedrock has the API's word for it, however long its message is."""
    stream = BEGIN + exception(name, "m" * length)
    for size in (7, 1_460, 100_000):
        assert facts(end_of(pieces(stream, [], size))) == (False, kind, False)


def test_an_error_frame_is_an_error() -> None:
    """A frame of the message type `error` has its code in a header."""
    for code, kind in (("throttlingException", "rate_limit_error"), ("api_error", "api_error"), ("Odd", "_OTHER")):
        headers = {":message-type": "error", ":error-code": code, ":error-message": "m"}
        assert facts(end_of([BEGIN, frame(headers, b"")])) == (False, kind, False)


def test_the_code_of_an_error_frame_is_kept_up_to_64_characters() -> None:
    """A code may be as long as the frame. No more of it is kept than of the type of any other error."""
    headers = {":message-type": "error", ":error-code": "c" * 9_000}
    end = end_of([BEGIN, frame(headers, b"")])
    assert end.error is not None
    assert (end.error.type, end.error.raw_type) == ("_OTHER", "c" * 64)


@pytest.mark.parametrize("length", [0, 3_000, 3 * MAX_KEPT])
def test_an_api_error_inside_a_chunk_frame_is_an_error(length: int) -> None:
    """An error of the API that Bedrock hands on as an event has its type, however long it is."""
    body = error("overloaded_error", "m" * length)
    body["error"]["details"] = {"error_code": "capacity"}
    for size in (7, 1_460, 100_000):
        end = end_of(pieces(BEGIN + chunk(body), [], size))
        assert facts(end) == (False, "overloaded_error", False)
        assert end.error is not None
        assert end.error.code == "capacity"


TYPED = (
    b"\5:true\0" + b"\6:false\1" + b"\5:byte\2\1" + b"\6:short\3\0\1" + b"\4:int\4\0\0\0\1"
    b"\5:long\5" + bytes(8) + b"\6:bytes\6\0\2\1\2" + b"\5:time\x08" + bytes(8) + b"\5:uuid\x09" + bytes(16)
)
"""A header of each type that a frame may have, except text."""


def decoded_by_botocore(text: bytes) -> Any:
    buffer = pytest.importorskip("botocore.eventstream").EventStreamBuffer()
    buffer.add_data(text)
    return buffer.next()


def test_a_header_of_any_type_is_passed_over() -> None:
    """Bedrock sends text only. botocore decodes the other types too, so a frame with them is not broken."""
    stop = raw_frame(TYPED + block_of(*EVENT.items()), PAYLOAD)
    assert len(decoded_by_botocore(stop).headers) == len(EVENT) + 9
    assert facts(end_of([BEGIN, stop])) == (True, None, False)


@pytest.mark.parametrize("block", [b"\6:short\3\0", b"\4:int\4\0\0", b"\5:name\7\0", b"\5:name", b"\5:na"])
def test_headers_that_are_cut_are_a_broken_frame(block: bytes) -> None:
    """botocore raises for the frame, so the SDK closes the stream."""
    broken = raw_frame(block, PAYLOAD)
    with pytest.raises((struct.error, UnicodeDecodeError)):
        decoded_by_botocore(broken)
    assert facts(end_of([BEGIN, broken], read_to_end=False)) == (False, None, True)


def test_a_long_frame_that_cannot_be_read_decides_nothing() -> None:
    """Of a frame that is not kept neither headers that are cut nor what is no base64 says anything."""
    for bad in (
        raw_frame(b"\4:int\4\0\0", b"p" * 2 * MAX_KEPT),
        frame(EVENT, b'{"bytes":"' + b"a" * 2 * MAX_KEPT + b'a==="}'),
    ):
        assert facts(end_of([BEGIN, bad])) == (False, None, False)
        assert facts(end_of([BEGIN, bad, END])) == (True, None, False)


def test_the_reader_says_when_the_stream_is_decided() -> None:
    """The chunk with the last byte of an error or end event is told."""
    reader = AwsEventStreamReader()
    assert [reader.feed(each) for each in (BEGIN, DELTA + END[:-1], END[-1:], DELTA)] == [
        None,
        None,
        Dispatched.STOP,
        None,
    ]
    assert AwsEventStreamReader().feed(BEGIN + exception("throttlingException")) is Dispatched.ERROR
    assert AwsEventStreamReader().feed(END + chunk(error("api_error"))) is Dispatched.ERROR


@pytest.mark.parametrize(
    "bad",
    [
        chunk(delta("hi"), crc=1),
        chunk(STOP, crc=1),
        exception("throttlingException")[:-1] + b"x",
        chunk(delta("hi"), prelude_crc=1),
        chunk(delta("x" * 40_000), prelude_crc=1),
        chunk(delta("x" * 40_000), crc=1),
        chunk({**STOP, "amazon-bedrock-trace": LONG}, crc=1) + END,
        chunk(delta("hi"), prelude_crc=1)[:12],
        b"\0\0\0\x07" + bytes(20),
        b"\x7f\0\0\0" + bytes(20),
        b'{"type": "message"}',
        chunk(b"{not json"),
        chunk(b"\xff"),
        frame(EVENT, b'{"bytes": "a"}'),
        frame({}, b"").replace(b"\0\0\0\x10", b"\0\0\0\x11"),
    ],
    ids=lambda bad: bad[:60].hex(),
)
def test_a_stream_that_is_closed_at_a_broken_frame_is_invalid(bad: bytes) -> None:
    """The SDK closes the stream at a wrong checksum, impossible lengths, or an event that it cannot decode."""
    for size in (7, 100_000):
        assert facts(end_of(pieces(BEGIN + DELTA + bad, [], size), read_to_end=False)) == (False, None, True)


def test_a_stream_that_the_app_closes_is_not_invalid() -> None:
    """An app that stops reading after frames that the SDK takes has abandoned the stream."""
    skipped = [frame(EVENT, b"not json"), frame({":event-type": "initial-response"}, b"{}"), chunk(b""), chunk(b"7")]
    for last in (DELTA, DELTA[:30], *skipped):
        assert facts(end_of([BEGIN, last], read_to_end=False)) == (False, None, False)
        assert facts(end_of([BEGIN, END, last], read_to_end=False)) == (True, None, False)


def test_the_events_with_the_usage_are_kept() -> None:
    """The usage of the first event and the JSON of the last `message_delta` is there at the end."""
    first = report_of_start(json.dumps(START).encode())
    for size in (7, 1_460, 100_000):
        end = end_of(pieces(BEGIN + DELTA + USAGE + END, [], size))
        assert (end.first_usage, json.loads(end.deltas[-1])) == (first, LAST_DELTA)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (BEGIN, True),
        (BEGIN[:13], True),
        (BEGIN[:3], True),
        (b'{"type": "message"}', False),
        (b"<html>", False),
        (b"", None),
    ],
)
def test_a_body_is_known_by_its_first_bytes(body: bytes, expected: bool | None) -> None:
    """A stream of frames begins with lengths that have their checksum."""
    for size in (1, 1_000):
        assert end_of(pieces(body, [], size)).is_event_stream is expected


STREAMS = {
    "complete": BEGIN + DELTA + USAGE + END,
    "failed": BEGIN + exception("throttlingException") + DELTA,
    "long": BEGIN + chunk(delta("x" * 40_000)) + chunk(error("api_error", "m" * 40_000)) + DELTA,
    "broken": BEGIN + chunk(delta("hi"), prelude_crc=1) + b"\0" * 100,
    "many headers": frame({f"h{number}": "v" * 900 for number in range(30)}, b"{}") + END,
}


@given(st.sampled_from(list(STREAMS)), st.lists(st.integers(0, 200_000), max_size=40))
def test_many_cuts_change_nothing(name: str, cuts: Sequence[int]) -> None:
    """Any number of chunks ends as one does."""
    assert end_of(pieces(STREAMS[name], cuts)) == end_of([STREAMS[name]])


@given(
    st.lists(
        st.binary(max_size=300) | st.sampled_from((DELTA, END, BEGIN[:20], b"\0\0\0\x20", b"\0" * 16)), max_size=9
    ),
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


@given(
    st.sampled_from((DELTA, END, exception("throttlingException"))),
    st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=4)), max_size=4),
    st.booleans(),
)
def test_a_damaged_frame_has_an_end(whole: bytes, damages: list[tuple[int, bytes]], read_to_end: bool) -> None:
    """No byte of a frame that is another raises, in its lengths, headers and payload."""
    damaged = bytearray(whole)
    for at, other in damages:
        damaged[at : at + len(other)] = other
    end_of([BEGIN, bytes(damaged), DELTA], read_to_end=read_to_end)


@pytest.mark.parametrize("unit", [DELTA, BEGIN, USAGE, chunk(delta("x" * 100_000)), frame({}, b"x" * 100_000)])
@pytest.mark.parametrize("size", [1_460, 65_536, 300_000])
def test_what_is_kept_is_bounded(unit: bytes, size: int) -> None:
    """A stream of any length holds no more than some events, in chunks of any size."""
    reader = AwsEventStreamReader()
    for each in pieces(unit * (300_000 // len(unit)), [], size):
        reader.feed(each)
        assert held(reader) <= 3 * MAX_KEPT + MAX_LAST

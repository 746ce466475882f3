"""What the last bytes of an event stream say, however the stream was cut into chunks."""

from __future__ import annotations

import base64
import itertools
import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anthropic_otel._core import sse
from anthropic_otel._core.semconv import API_ERROR_TYPES
from anthropic_otel._core.sse import TAIL, StreamEnd

COMPLETE = StreamEnd(True, None)
CUT = StreamEnd(False, None)


def end_of(*chunks: bytes) -> StreamEnd:
    tail = b""
    for chunk in chunks:
        tail = sse.append_tail(tail, chunk)
    return sse.end_of(tail)


def event(name: str, data: object, newline: str = "\n", space: str = " ") -> bytes:
    return f"event:{space}{name}{newline}data:{space}{json.dumps(data)}{newline}{newline}".encode()


def error(kind: object, message: str = "Overloaded") -> dict[str, object]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy"}


START = event("message_start", {"type": "message_start", "message": {"id": "msg_1", "content": []}})
DELTA = event("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": {"text": "Hello"}})
STOP = event("message_stop", {"type": "message_stop"})
PING = event("ping", {"type": "ping"})

SPELLINGS = [(newline, space) for newline in ("\n", "\r", "\r\n") for space in (" ", "")]


@pytest.mark.parametrize(("newline", "space"), SPELLINGS)
def test_a_stream_with_its_end_event_is_complete(newline: str, space: str) -> None:
    """With each of the line ends that the format knows, and with or without the space after a colon."""
    assert end_of(START, DELTA, event("message_stop", {"type": "message_stop"}, newline, space)) == COMPLETE


@pytest.mark.parametrize("end", [b"", START, START + DELTA, START + DELTA + PING, b"event: message_sto"])
def test_a_stream_without_its_end_event_is_not(end: bytes) -> None:
    """Whatever came last."""
    assert end_of(end) == CUT


def test_a_stream_may_be_its_end_event_alone() -> None:
    """The first line of a stream has no line end before it."""
    assert end_of(STOP) == COMPLETE


@pytest.mark.parametrize("kind", API_ERROR_TYPES)
@pytest.mark.parametrize(("newline", "space"), SPELLINGS)
def test_an_error_event_has_the_apis_type(kind: str, newline: str, space: str) -> None:
    """Every type of the closed list, in every spelling."""
    assert end_of(START, DELTA, event("error", error(kind), newline, space)) == StreamEnd(False, kind)


def test_an_error_may_be_all_that_came() -> None:
    """A stream that began with an error."""
    assert end_of(event("error", error("overloaded_error"))) == StreamEnd(False, "overloaded_error")


@pytest.mark.parametrize(
    "data",
    [
        error("brand_new_error"),
        error(None),
        error(["overloaded_error"]),
        error({"a": 1}),
        {"type": "error"},
        {"error": "overloaded_error"},
        "overloaded_error",
        ["overloaded_error"],
        None,
        7,
    ],
)
def test_an_error_of_an_unknown_type_is_other(data: object) -> None:
    """An error it is; its type is not passed on, as it is on a metric."""
    assert end_of(START, event("error", data)) == StreamEnd(False, "_OTHER")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"error": {"type": "overloaded',
        b"\xff\xfe\x00",
        b"[" * 1_000,
        b'{"a":' * 200,
        b"9" * 1_000,
        b"NaN",
        b'{"error": {"type": "\\ud800"}}',
    ],
)
def test_an_error_whose_data_is_no_json_is_other(data: bytes) -> None:
    """Cut off, nested deeper than the parser goes, or no text at all."""
    assert end_of(START, b"event: error\ndata: " + data + b"\n\n") == StreamEnd(False, "_OTHER")


def test_an_error_event_without_data_is_other() -> None:
    """The data of the event before it is not its own."""
    assert end_of(event("ping", error("api_error")), b"event: error\n\n") == StreamEnd(False, "_OTHER")


@pytest.mark.parametrize(
    "text", ["event: error", "\nevent: error\n", "event: error\ndata: {}", "\r\nevent: message_stop\r\n", "event:error"]
)
def test_a_text_about_events_is_no_event(text: str) -> None:
    """A model that explains the protocol has its line ends escaped inside the data."""
    delta = event("content_block_delta", {"type": "content_block_delta", "delta": {"text": text}})
    assert end_of(START, delta) == CUT
    assert end_of(START, delta, STOP) == COMPLETE
    assert end_of(delta[9:], delta, STOP) == COMPLETE


@pytest.mark.parametrize("name", ["errors", "error_x", "not_error", "message_stopped", "a_message_stop"])
def test_a_name_that_only_contains_the_word_is_another_event(name: str) -> None:
    """The whole line is the name."""
    assert end_of(START, event(name, error("api_error"))) == CUT


def test_an_error_after_the_end_event_counts() -> None:
    """The app sees the error, whatever came before."""
    assert end_of(START, STOP, event("error", error("api_error"))) == StreamEnd(False, "api_error")


def test_the_last_of_two_errors_counts() -> None:
    """A gateway may add one of its own."""
    first, last = event("error", error("api_error")), event("error", error("overloaded_error"))
    assert end_of(first, last) == StreamEnd(False, "overloaded_error")


# -- chunks ------------------------------------------------------------------------------------------------------------

STREAMS = {
    COMPLETE: START + DELTA + PING + STOP,
    StreamEnd(False, "overloaded_error"): START + DELTA + event("error", error("overloaded_error"), "\r\n"),
    StreamEnd(False, "_OTHER"): START + event("error", error("brand_new_error"), "\r", ""),
    CUT: START + DELTA,
}


@pytest.mark.parametrize("expected", STREAMS, ids=str)
def test_a_cut_at_any_byte_changes_nothing(expected: StreamEnd) -> None:
    """Two chunks, wherever the network cuts."""
    stream = STREAMS[expected]
    assert {end_of(stream[:at], stream[at:]) for at in range(len(stream) + 1)} == {expected}


@given(st.sampled_from(list(STREAMS)), st.lists(st.integers(0, 700), max_size=40))
def test_many_cuts_change_nothing(expected: StreamEnd, cuts: list[int]) -> None:
    """Any number of chunks, empty ones included."""
    stream = STREAMS[expected]
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    assert end_of(*(stream[a:b] for a, b in itertools.pairwise(edges))) == expected


@given(st.integers(0, 5 * TAIL), st.integers(1, 3 * TAIL), st.sampled_from(list(STREAMS)))
def test_a_long_stream_in_big_chunks_has_the_same_end(before: int, size: int, expected: StreamEnd) -> None:
    """What came before the last bytes does not matter, nor how large the chunks are."""
    stream = b": a comment that pads the stream\n\n" * (before // 30) + STREAMS[expected]
    assert end_of(*(stream[at : at + size] for at in range(0, len(stream), size))) == expected


def test_no_more_than_the_tail_is_kept() -> None:
    """Of a stream of any length, in chunks of any size."""
    tail = b""
    for size in (1, 10, TAIL - 1, TAIL, TAIL + 1, 1_000_000, 3):
        tail = sse.append_tail(tail, b"x" * size)
        assert len(tail) <= TAIL


@given(
    st.lists(st.binary(max_size=300) | st.sampled_from([b"event: error\n", b"\ndata: ", b"[" * 900, START]), max_size=9)
)
def test_any_bytes_have_an_end(chunks: list[bytes]) -> None:
    """Nothing that a server sends raises, and the type is always of the closed list."""
    end = end_of(*chunks)
    assert end.error_type in (None, "_OTHER", *API_ERROR_TYPES)


# -- Amazon's event stream ---------------------------------------------------------------------------------------------


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """A message of `application/vnd.amazon.eventstream`, with zeros where its checksums are."""
    block = b"".join(
        struct.pack("!B", len(name)) + name.encode() + b"\x07" + struct.pack("!H", len(value)) + value.encode()
        for name, value in headers.items()
    )
    return struct.pack("!III", 16 + len(block) + len(payload), len(block), 0) + block + payload + b"\0\0\0\0"


def chunk(data: dict[str, object]) -> bytes:
    body = json.dumps({"bytes": base64.b64encode(json.dumps(data).encode()).decode(), "p": "abcdefgh"}).encode()
    return frame({":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}, body)


def exception(name: str) -> bytes:
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, b'{"message": "Too many requests"}')


METRICS = {"inputTokenCount": 9, "outputTokenCount": 12, "invocationLatency": 700, "firstByteLatency": 300}


def test_an_aws_stream_with_its_end_event_is_complete() -> None:
    """The event is base64 inside JSON inside a binary frame."""
    stop = chunk({"type": "message_stop", "amazon-bedrock-invocationMetrics": METRICS})
    assert end_of(chunk({"type": "message_start"}), stop) == COMPLETE


def test_an_aws_stream_without_its_end_event_is_not() -> None:
    """Only the last frame counts."""
    assert end_of(chunk({"type": "message_stop"}), chunk({"type": "ping"})) == CUT


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("throttlingException", "rate_limit_error"),
        ("serviceUnavailableException", "overloaded_error"),
        ("internalServerException", "api_error"),
        ("modelTimeoutException", "timeout_error"),
        ("validationException", "invalid_request_error"),
        ("modelStreamErrorException", "_OTHER"),
    ],
)
def test_an_aws_exception_frame_is_an_error(name: str, kind: str) -> None:
    """In the API's own words."""
    assert end_of(chunk({"type": "message_start"}), exception(name)) == StreamEnd(False, kind)


@pytest.mark.parametrize(
    "payload",
    [b'"bytes":"a"', b'"bytes":"====="', b'"bytes":"' + base64.b64encode(b"[" * 600) + b'"', b'"bytes":"bnVsbA=="'],
)
def test_an_aws_frame_that_is_garbage_is_not_the_end(payload: bytes) -> None:
    """No base64, no JSON, no object."""
    assert end_of(payload) == CUT


def test_an_aws_stream_may_be_cut_anywhere() -> None:
    """Frames do not end where chunks do."""
    stream = chunk({"type": "message_start"}) + exception("throttlingException")
    ends = {end_of(stream[:at], stream[at:]) for at in range(len(stream) + 1)}
    assert ends == {StreamEnd(False, "rate_limit_error")}

"""The readers of streams against the SDK itself: on the same chunks, what they say is what the app gets."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import anthropic
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from anthropic_otel._core.aws_event_stream import AwsEventStreamReader
from anthropic_otel._core.event_stream import EventStreamReader
from anthropic_otel._core.semconv import API_ERROR_TYPES, OTHER
from anthropic_otel._core.stream_end import MAX_KEPT, StreamEnd
from support.stacks import SDK_STACKS
from support.streams import EVENT, LAST_DELTA, START, STOP, chunk, delta, error, exception, frame, frame_of, pieces, sse
from support.versions import DECODES_EVERY_EVENT

_HAS_BOTOCORE = importlib.util.find_spec("botocore") is not None
_NAMES_EVENTS = _HAS_BOTOCORE and hasattr(
    importlib.import_module("anthropic.lib.bedrock._stream_decoder"), "_chunk_bytes_to_sse"
)
"""Whether the SDK takes the events of Bedrock by their own names."""

_KNOWS_MESSAGE = DECODES_EVERY_EVENT or '"message"' in inspect.getsource(
    importlib.import_module("anthropic._streaming")
)
"""Whether an SDK that goes by names hands on an event of the name `message`."""

# The same examples on every machine and in every run.
EXAMPLES = settings(
    derandomize=True, database=None, deadline=None, max_examples=80, suppress_health_check=list(HealthCheck)
)
Reader = EventStreamReader | AwsEventStreamReader


@dataclass
class Seen:
    """What the app gets of a stream: the events' types, and the exception if there is one."""

    events: list[str]
    raised: Exception | None
    read_to_end: bool

    @property
    def error_type(self) -> str | None:
        """The type of the `error` event that the SDK raised for."""
        if not isinstance(self.raised, anthropic.APIStatusError):
            return None
        body = self.raised.body
        error = body.get("error") if isinstance(body, dict) else None
        kind = error.get("type") if isinstance(error, dict) else None
        return kind if kind in API_ERROR_TYPES else OTHER


@functools.cache
def _client(*, aws: bool) -> Any:
    """The client of AWS, or that of the API."""
    if aws:
        return anthropic.AnthropicBedrock(aws_access_key="none", aws_secret_key="none", aws_region="us-east-1")
    return anthropic.Anthropic(api_key="none")


def _read(chunks: Sequence[bytes], reader: Reader) -> tuple[Seen, StreamEnd]:
    """Has the SDK read the chunks, and the reader see each that the SDK takes."""
    read_to_end = False

    def body() -> Iterator[bytes]:
        nonlocal read_to_end
        for each in chunks:
            reader.feed(each)
            yield each
        read_to_end = True

    library = SDK_STACKS[0].module
    request = library.Request("POST", "http://127.0.0.1/v1/messages")
    response = library.Response(200, content=body(), request=request)
    event_type: Any = anthropic.types.RawMessageStreamEvent
    client = _client(aws=isinstance(reader, AwsEventStreamReader))
    stream: Any = anthropic.Stream(cast_to=event_type, response=response, client=client)
    events: list[str] = []
    raised: Exception | None = None
    try:
        for event in stream:
            events.append(str(getattr(event, "type", None)))
    except Exception as error:
        raised = error
    seen = Seen(events, raised, read_to_end)
    return seen, reader.finish(read_to_end=read_to_end)


def _event_stream_reader() -> EventStreamReader:
    """The reader for the installed SDK."""
    return EventStreamReader(by_names=not DECODES_EVERY_EVENT)


def _check(chunks: Sequence[bytes], reader: Reader) -> None:
    seen, end = _read(chunks, reader)
    told = (end.error and end.error.type, end.complete, end.invalid)
    if seen.error_type is not None:
        assert told[0] == seen.error_type, (told, seen)
    elif "message_stop" in seen.events:
        # After it the SDK may fail for what comes still. The stream is complete.
        assert told == (None, True, False), (told, seen)
    elif seen.raised is not None and not seen.read_to_end:
        assert told == (None, False, True), (told, seen)
    else:
        assert told == (None, False, False), (told, seen)


# -- server-sent events ------------------------------------------------------------------------------------------------


GOOD = {
    "start": sse("message_start", START),
    "delta": sse("content_block_delta", delta("hi")),
    "quoting delta": sse("content_block_delta", delta("event: error\n\nevent: message_stop\n\n")),
    "unicode delta": sse("content_block_delta", json.dumps(delta("\u00e4\u2028\u0085"), ensure_ascii=False)),
    "long delta": sse("content_block_delta", delta("x" * 20_000)),
    "last delta": sse("message_delta", LAST_DELTA),
    "ping": sse("ping", {"type": "ping"}),
    "ping without JSON": sse("ping", "not json"),
    "comment": b": comment\n\n",
    "blank line": b"\n",
    "nameless": b"data: {no name\n\n",
    "other name": sse("other", delta("hi")),
    "name of no block": sse("chunk", delta("hi")),
    "stop without data": b"event: message_stop\n\n" if DECODES_EVERY_EVENT else b"",
    "id and retry": b"id: 5\nretry: 7\n\n",
    "empty name": b"event: \ndata: {no json\n\n",
    "stop of an empty name": b'event: message_stop\nevent\ndata: {"type": "message_stop"}\n\n',
    "stop without type": sse("message_stop", {}),
    "stop that is a ping": sse("message_stop", {"type": "ping"}),
    "delta in four lines": b": c\nevent: content_block_delta\nid: 7\ndata: {\ndata:}\n\n",
}
ENDS = {
    "stop": sse("message_stop", STOP),
    "name last": b'data: {"type": "message_stop"}\nevent: message_stop\n\n',
    "other name and stop": sse("other", STOP),
    "name of no block and stop": sse("chunk", STOP),
    "long stop of other name": sse("other", {**STOP, "padding": "p" * 20_000}),
    "message and stop": sse("message", STOP) if _KNOWS_MESSAGE else b"",
    "completion and stop": sse("completion", STOP),
    "stop with a space": sse("message_stop ", STOP),
    "error of other name": sse("other", error("overloaded_error")),
    "name twice": b'event: ping\nevent: message_stop\ndata:{"type": "message_stop"}\n\n',
    "error": sse("error", error("overloaded_error")),
    "long error": sse("error", error("api_error", "m" * 70_000)),
    "unknown error": sse("error", error("brand_new_error")),
    "error without JSON": sse("error", "no json"),
    "empty error": b"event:error\n\n",
    "error with long padding": sse("error", {**error("rate_limit_error"), "padding": "p" * 20_000}),
}
BAD = {
    "delta without JSON": sse("content_block_delta", "{not json"),
    "stop without JSON": sse("message_stop", "{not json"),
    "no UTF-8": b"event: content_block_delta\ndata: \xff\xfe\n\n",
    "deep": sse("content_block_delta", "[" * 5_000),
}
EVENTS = {**GOOD, **ENDS, **BAD}


@pytest.mark.parametrize("rest", ["stop", "error", None])
@pytest.mark.parametrize("event", EVENTS)
def test_sse_of_each_kind(event: str, rest: str | None) -> None:
    """An event of each kind is what it is for the app, whatever follows it in its chunk or in the next one."""
    begin, then = EVENTS["start"] + EVENTS[event], EVENTS[rest] if rest is not None else b""
    _check(pieces(begin + then, [], MAX_KEPT), _event_stream_reader())
    _check([*pieces(begin, [], MAX_KEPT), then], _event_stream_reader())


@EXAMPLES
@given(
    st.lists(st.sampled_from(list(GOOD)), max_size=6),
    st.lists(st.sampled_from([*ENDS, *BAD, *GOOD]), max_size=3),
    st.sampled_from(("", 'event: message_stop\ndata: {"type": "message_stop"}\n')),
    st.sampled_from(("\n", "\r\n", "\r")),
    st.lists(st.integers(0, 100_000), max_size=12),
)
@example([], ["stop", "delta without JSON"], "", "\n", [])
@example([], ["delta without JSON", "stop"], "", "\n", [])
@example([], ["delta without JSON", "error"], "", "\n", [])
@example([], ["stop", "error"], "", "\n", [])
@example([], ["stop", "delta without JSON", "error"], "", "\n", [])
@example([], ["stop", "delta without JSON", "error"], "", "\n", [len(EVENTS["stop"])])
@example([], ["stop", "long error", "delta without JSON"], "", "\n", [])
def test_sse(before: list[str], after: list[str], rest: str, newline: str, cuts: list[int]) -> None:
    """Any events, cut anywhere and with any of the SDK's line endings, end as they do for the app."""
    text = b"".join((*(EVENTS[name] for name in (*before, *after)), rest.encode())).replace(b"\n", newline.encode())
    _check(pieces(text, cuts, MAX_KEPT), _event_stream_reader())


@EXAMPLES
@given(
    st.lists(st.sampled_from([*GOOD, *ENDS]), max_size=5),
    st.lists(st.sampled_from((b"\n", b"\r\n", b"\r")), min_size=1, max_size=7),
    st.lists(st.integers(0, 100_000), max_size=12),
)
@example(["blank line", "long stop of other name"], [b"\n"], [MAX_KEPT + 1])
def test_sse_of_mixed_line_endings(events: list[str], newlines: list[bytes], cuts: list[int]) -> None:
    """A stream may change its line endings with every line."""
    text, endings = b"", itertools.cycle(newlines)
    for line in b"".join(EVENTS[name] for name in events).split(b"\n")[:-1]:
        ending = next(endings)
        # An LF alone, after a CR alone, would be of the same line's end.
        text += line + (b"\r\n" if ending == b"\n" and not line and text.endswith(b"\r") else ending)
    _check(pieces(text, cuts, MAX_KEPT), _event_stream_reader())


@EXAMPLES
@given(st.sampled_from([*ENDS, *BAD]), st.lists(st.sampled_from(list(GOOD)), max_size=3), st.integers(1, 3))
def test_sse_byte_by_byte(end: str, before: list[str], size: int) -> None:
    """A stream in chunks of one to three bytes ends as it does for the app."""
    text = b"".join(EVENTS[name][:1_000] for name in (*before, end))
    _check([text[at : at + size] for at in range(0, len(text), size)], _event_stream_reader())


# -- frames of AWS -----------------------------------------------------------------------------------------------------


METRICS = {"inputTokenCount": 9, "outputTokenCount": 12, "invocationLatency": 700, "firstByteLatency": 300}
LONG = {"amazon-bedrock-trace": {"guardrail": ["t" * 500] * 60}}
GOOD_FRAMES = {
    "start": chunk(START),
    "delta": chunk(delta("hi")),
    "long delta": chunk(delta("x" * 30_000)),
    "quoting delta": chunk(delta('{"type":"message_stop"}')),
    "spaced delta": chunk(json.dumps(delta("hi")).encode()),
    "last delta": chunk(LAST_DELTA),
    "empty": chunk(b""),
    "initial response": frame({":event-type": "initial-response", ":message-type": "event"}, b"{}"),
    "payload without JSON": frame(EVENT, b"not json"),
    "no payload": frame(EVENT, b""),
    "null bytes": frame(EVENT, b'{"bytes": null}'),
    "type with a surrogate": chunk(b'{"type": "\\ud800"}'),
}
END_FRAMES = {
    "stop": chunk(STOP),
    "stop with metrics": chunk({**STOP, "amazon-bedrock-invocationMetrics": METRICS}),
    "stop with a long trace": chunk({**LONG, **STOP, "amazon-bedrock-invocationMetrics": METRICS}),
    "error": chunk(error("overloaded_error")),
    "long error": chunk(error("api_error", "m" * 70_000)),
    "cut stop": chunk(STOP)[:-1],
}
BAD_FRAMES = {
    "no JSON": chunk(b"{not json"),
    "no UTF-8": chunk(b"\xff\xfe"),
    "wrong checksum": chunk(delta("hi"), crc=1),
    "long with wrong checksum": chunk(delta("x" * 30_000), crc=1),
    "long with wrong checksum of prelude": chunk(delta("x" * 30_000), prelude_crc=1),
    "wrong checksum of prelude": chunk(delta("hi"), prelude_crc=1),
    "stop with wrong checksum": chunk(STOP, crc=1),
    "no base64": frame(EVENT, b'{"bytes": "a"}'),
    "bytes of no text": frame(EVENT, b'{"bytes": [1]}'),
    "payload that is a list": frame(EVENT, b"[]"),
    "payload that is null": frame(EVENT, b"null"),
    "payload that is no UTF-8": frame(EVENT, b"\xff\xfe"),
    "deep payload": frame(EVENT, b"[" * 5_000),
    "header twice": frame_of(*EVENT.items(), (":event-type", "chunk"), payload=b"{}"),
}
FRAMES = {**GOOD_FRAMES, **END_FRAMES, **BAD_FRAMES}


_OF_FRAMES = pytest.mark.skipif(
    not (_NAMES_EVENTS and DECODES_EVERY_EVENT), reason="no botocore, or an SDK that goes by the names of events"
)


@_OF_FRAMES
@pytest.mark.parametrize("rest", ["stop", "error", None])
@pytest.mark.parametrize("event", FRAMES)
def test_a_frame_of_each_kind(event: str, rest: str | None) -> None:
    """A frame of each kind is what it is for the app, whatever follows it in its chunk or in the next one."""
    begin, then = FRAMES["start"] + FRAMES[event], FRAMES[rest] if rest is not None else b""
    _check(pieces(begin + then, [], MAX_KEPT), AwsEventStreamReader())
    _check([*pieces(begin, [], MAX_KEPT), then], AwsEventStreamReader())


@_OF_FRAMES
@EXAMPLES
@given(
    st.lists(st.sampled_from(list(GOOD_FRAMES)), max_size=5),
    st.lists(st.sampled_from(list(FRAMES)), max_size=3),
    st.lists(st.integers(0, 100_000), max_size=10),
)
@example([], ["stop", "long error", "wrong checksum of prelude"], [])
def test_frames(before: list[str], after: list[str], cuts: list[int]) -> None:
    """Any frames, cut anywhere and with wrong checksums, end as they do for the app."""
    _check(pieces(b"".join(FRAMES[name] for name in (*before, *after)), cuts, MAX_KEPT), AwsEventStreamReader())


def _refused(code: str) -> bytes:
    return frame({":message-type": "error", ":error-code": code, ":error-message": "m"}, b"")


@pytest.mark.skipif(not _HAS_BOTOCORE, reason="no botocore")
@pytest.mark.parametrize(
    ("end", "kind"),
    [
        (exception("throttlingException"), "rate_limit_error"),
        (exception("serviceUnavailableException", "m" * 40_000), "overloaded_error"),
        (exception("modelStreamErrorException"), "api_error"),
        (exception("modelTimeoutException"), "timeout_error"),
        (_refused("InternalFailure"), OTHER),
    ],
)
def test_an_exception_frame_is_raised(end: bytes, kind: str) -> None:
    """The SDK raises for a frame of an exception or an error, and the reader has a type for it."""
    seen, told = _read([chunk(START), end], AwsEventStreamReader())
    assert seen.raised is not None
    assert not seen.read_to_end
    assert told.error is not None
    assert (told.error.type, told.complete, told.invalid) == (kind, False, False)

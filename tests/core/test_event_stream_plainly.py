"""The reader of SSE streams against one that has the whole text and does no more than the rules say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from anthropic_otel._core.event_stream import EventStreamReader
from anthropic_otel._core.semconv import API_ERROR_TYPES, OTHER
from anthropic_otel._core.usage import Report, report_of_start
from support.streams import LAST_DELTA, START, STOP, delta, error, pieces, sse

Facts = tuple[bool, str | None, Report | None, tuple[bytes, ...]]
"""Whether the stream is complete, the type of its error, the usage in its first event, and its last two deltas."""


def plainly(text: bytes) -> Facts:
    """What a stream says of its end if the app reads it to its end."""
    complete, kind, first, deltas = False, None, None, []
    for name, data in _events(text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")):
        known = _known(data)
        # What the name tells, and the JSON mentions, is not parsed: at JSON that is not valid an SDK stops reading.
        by_name = name in ("message_start", "message_delta") or (name == "message_stop" and b'"message_stop"' in data)
        told = name if by_name else known.get("type")
        if name == "error":
            kind = kind or _error_type(known)
        elif name is None or name == "ping" or name.startswith("content_block_"):
            continue
        elif told == "message_stop":
            complete = complete or kind is None
        elif told == "message_delta":
            deltas.append(data)
        elif told == "message_start":
            first = report_of_start(data) if first is None else first
    return complete, kind, first, tuple(deltas[-2:])


def _events(text: bytes) -> list[tuple[str | None, bytes]]:
    """The name and the data of each event: of all lines up to a blank one."""
    events: list[tuple[str | None, bytes]] = []
    name: str | None = None
    data: list[bytes] = []
    for line in text.split(b"\n")[:-1]:
        if not line:
            events.append((name, b"\n".join(data)))
            name, data = None, []
        field, _, value = line.partition(b":")
        value = value[1:] if value[:1] == b" " else value
        if field == b"event":
            name = value.decode() or None
        elif field == b"data":
            data.append(value)
    return events


def _known(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _error_type(value: dict[str, Any]) -> str:
    found = value.get("error")
    kind = found.get("type") if isinstance(found, dict) else None
    return kind if kind in API_ERROR_TYPES else OTHER


DELTA = sse("content_block_delta", delta("hi"))
TEXTS = (
    *[DELTA] * 4,
    sse("content_block_delta", delta("event: error\n\ndata: {}\n\n")),
    sse("content_block_delta", json.dumps(delta("\u00e4\u2028\u0085"), ensure_ascii=False)),
    sse("content_block_stop", {"type": "content_block_stop"}),
    sse("message_start", START),
    sse("message_delta", LAST_DELTA),
    sse("message_delta", {**LAST_DELTA, "more": 1}),
    *[sse("message", delta("hi"))] * 2,
    sse("message", delta("message_stop")),
    sse("message", START),
    sse("message", LAST_DELTA),
    sse("message", STOP),
    sse("message_stop", STOP),
    sse("anything", STOP),
    sse("error", error("overloaded_error")),
    sse("error", error("brand_new_error")),
    b"event:error\ndata:" + json.dumps(error("api_error")).encode() + b"\n\n",
    sse("ping", {"type": "ping"}),
    b"event: message_stop\n\n",
    b"event: content_block_delta\nevent: error\n\n",
    b"event: content_block_delta\ndata: {}\nevent: error\n\n",
    b": a comment\n\n",
    b"\n",
    b"data: {no name\n\n",
    b'data: {"type":\nevent: message_stop\ndata: "message_stop"}\n\n',
    DELTA[:-1],
    DELTA[:30],
    b"event: ",
    b"error\n",
)


@settings(max_examples=400)
@given(
    st.lists(st.sampled_from(TEXTS), max_size=10),
    st.sampled_from((b"\n", b"\r\n", b"\r")),
    st.lists(st.integers(0, 1_500), max_size=12),
    st.sampled_from((None, 1, 2, 3, 1_460)),
)
@example([DELTA[:-1], DELTA, sse("error", error("overloaded_error"))], b"\n", [len(DELTA) - 1], None)
def test_any_events_in_any_chunks_end_as_they_do_plainly(
    texts: list[bytes], newline: bytes, cuts: Sequence[int], size: int | None
) -> None:
    """Whole events, cut ones and none, in chunks that are events and in any others."""
    text = b"".join(texts)
    wired = text.replace(b"\n", newline)
    reader = EventStreamReader()
    for chunk in pieces(wired, cuts) if size is None else pieces(wired, [], size):
        reader.feed(chunk)
    end = reader.finish(read_to_end=True)
    assert (end.complete, end.error and end.error.type, end.first_usage, end.deltas) == plainly(text)


@settings(max_examples=200)
@given(st.lists(st.sampled_from(TEXTS), max_size=10))
def test_a_chunk_for_each_event_ends_as_it_does_plainly(texts: list[bytes]) -> None:
    """As the API sends them."""
    reader = EventStreamReader()
    for chunk in texts:
        reader.feed(chunk)
    end = reader.finish(read_to_end=True)
    assert (end.complete, end.error and end.error.type, end.first_usage, end.deltas) == plainly(b"".join(texts))

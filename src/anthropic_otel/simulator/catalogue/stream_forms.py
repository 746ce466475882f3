"""Event streams that are complete, in the forms that a server may send.

The specification of server-sent events allows all of them: other line endings, comments, fields in any order, anything
after the event that ends the message. Gateways and edges send them.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

from anthropic_otel.simulator.catalogue.event_streams import (
    BEGUN,
    DATA,
    DEFLATE,
    EVENTS,
    GZIP,
    PING,
    SDK,
    STOP,
    UNENDED,
    bytewise,
    delta,
    entry,
    event,
    stream,
    whole,
)
from anthropic_otel.simulator.faults import HTTPX, HTTPX2, Fault

_ALL: Final = b"".join(EVENTS)
_BOM: Final = "\N{ZERO WIDTH NO-BREAK SPACE}".encode()
_LONG: Final = event("content_block_delta", delta("hi " * 2000))


def _cut(data: bytes, size: int) -> tuple[bytes, ...]:
    return tuple(data[at : at + size] for at in range(0, len(data), size))


def _cut_in_line_ends(data: bytes) -> tuple[bytes, ...]:
    first, *others = data.split(b"\r\n")
    return (first + b"\r", *(b"\n" + other + b"\r" for other in others[:-1]), b"\n" + others[-1])


def _with_lines(*, name_first: bool = True, space: str = " ", prefix: str = "") -> tuple[bytes, ...]:
    """Returns the six events of the short stream as chunks, with their lines in another order or form.

    The name's line comes first unless `name_first` is false. `space` follows the colon of each line, and `prefix` comes
    before each event.
    """
    made = []
    for data in DATA:
        lines = [f"event:{space}{data['type']}\n", f"data:{space}{json.dumps(data)}\n"]
        made.append((prefix + "".join(lines if name_first else reversed(lines)) + "\n").encode())
    return tuple(made)


def _in_many_lines() -> tuple[bytes, ...]:
    """Returns the six events of the short stream as chunks, with the JSON of each over several `data:` lines."""
    made = []
    for data in DATA:
        lines = "".join(f"data: {line}\n" for line in json.dumps(data, indent=1).splitlines())
        made.append(f"event: {data['type']}\n{lines}\n".encode())
    return tuple(made)


_MIXED: Final = tuple(
    event(str(data["type"]), data, newline) for data, newline in zip(DATA, ("\n", "\r\n", "\r") * 2, strict=True)
)


def _without_aiohttp(fault: Fault) -> Fault:
    """Returns `fault` for httpx and httpx2 only: aiohttp may join chunks, so what it reads last depends on chance."""
    return replace(fault, applies_to=frozenset({HTTPX, HTTPX2}))


_AFTER_THE_END: Final = (
    whole("stream_ping_after_end", "A ping comes after the end event, in a chunk of its own.", *EVENTS, PING),
    whole(
        "stream_named_done_after_end",
        "A gateway's own end mark comes after the end event, under a name; the SDK cannot decode it.",
        *EVENTS,
        event("done", "[DONE]"),
    ),
    whole(
        "stream_usage_after_end",
        "A gateway's own event with the usage comes after the end event.",
        *EVENTS,
        event("usage", {"type": "usage", "input_tokens": 9, "output_tokens": 1}),
    ),
    whole(
        "stream_done_after_end",
        "A gateway ends the stream with `[DONE]`, as another API does.",
        *EVENTS,
        b"data: [DONE]\n\n",
    ),
    whole("stream_comment_after_end", "A comment comes after the end event.", *EVENTS, b": bye\n\n"),
    whole("stream_lines_after_end", "Empty lines come after the end event.", *EVENTS, b"\n", b"\r\n\r\n"),
    whole(
        "stream_field_after_end", "After the end event comes a field without a blank line.", *EVENTS, b"retry: 3000\n"
    ),
    whole(
        "stream_much_after_end",
        "More than 4 KB of comments come after the end event, a chunk for each.",
        *EVENTS,
        *[b":" + b" keep-alive" * 20 + b"\n\n"] * 20,
    ),
    whole(
        "stream_end_and_more_in_one_chunk",
        "The end event and more than 1 KB of comments are one chunk.",
        *UNENDED,
        STOP + b": keep-alive\n\n" * 100,
    ),
    whole(
        "stream_after_end_gzip",
        "Pings come after the end event of a stream that is gzip'd.",
        *EVENTS,
        PING,
        PING,
        delivery=GZIP,
    ),
)

_CHUNKS: Final = (
    whole("stream_end_in_bytes", "The end event comes byte by byte.", *UNENDED, *bytewise(STOP)),
    whole("stream_in_bytes", "The whole stream comes byte by byte.", *bytewise(_ALL)),
    whole(
        "stream_in_packets",
        "The stream comes in chunks of 1,460 bytes, and the end event is in two of them.",
        *_cut(b"".join((*BEGUN, _LONG, *EVENTS[3:])), 1460),
    ),
    whole("stream_in_one_chunk", "The whole stream is one chunk.", _ALL),
    whole("stream_long_event", "An event of 6 KB comes in one chunk.", *BEGUN, _LONG, *EVENTS[3:]),
    whole(
        "stream_blank_line_late", "The blank line of the end event is a chunk of its own.", *UNENDED, STOP[:-1], b"\n"
    ),
    whole("stream_deflate", "The stream is encoded with deflate.", *EVENTS, delivery=DEFLATE),
)

_LINES: Final = (
    whole("stream_cr", "The lines of the stream end in CR alone.", *stream("\r")),
    whole("stream_mixed_line_ends", "The lines of the stream end in LF, CR LF and CR in turns.", *_MIXED),
    whole(
        "stream_crlf_cut",
        "Chunks are cut between the CR and the LF of the lines' ends.",
        *_cut_in_line_ends(b"".join(stream("\r\n"))),
    ),
    whole("stream_data_first", "The data of an event come before its name.", *_with_lines(name_first=False)),
    whole("stream_no_space", "No space is behind the colon of a field.", *_with_lines(space="")),
    whole("stream_many_data_lines", "The data of an event are written over several lines.", *_in_many_lines()),
    whole(
        "stream_comments", "Comments stand before each event, in its chunk.", *_with_lines(prefix=": keep-alive\n\n")
    ),
    whole("stream_comment_in_event", "Comments stand within each event.", *_with_lines(prefix=": keep-alive\n")),
    whole("stream_ids", "Each event has an id and a time for reconnecting.", *_with_lines(prefix="id: 1\nretry: 10\n")),
    whole("stream_bom", "The stream begins with a byte order mark.", _BOM + EVENTS[0], *EVENTS[1:]),
    whole("stream_blank_first", "The stream begins with empty lines.", b"\n\r\n\n", *EVENTS),
)

_EVENTS: Final = (
    whole(
        "stream_unknown_event",
        "The stream has an event of a type that the SDK does not know.",
        *UNENDED,
        event("message_review", {"type": "message_review", "verdict": [1, 2]}),
        STOP,
    ),
    entry(
        "stream_other_names",
        "A gateway gives each event another name, and leaves the type in its data.",
        tuple(event("chunk", data) for data in DATA),
        None,
        needs=SDK,
    ),
    whole(
        "stream_missing_fields",
        "The events of the stream have none of their fields but the type.",
        *(event(str(data["type"])) for data in DATA),
    ),
    whole(
        "stream_text_like_events",
        "The text of the reply looks like an `error` event and an end event.",
        *BEGUN,
        event("content_block_delta", delta("\n\nevent: error\ndata: {}\n\nevent: message_stop\ndata: {}\n\n")),
        *EVENTS[3:],
    ),
    whole(
        "stream_text_cut_like_events",
        "A chunk begins within the text of the reply, where it looks like an `error` event.",
        *BEGUN,
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"text":"',
        b'event: error\\ndata: {}"}}\n\n',
        *EVENTS[3:],
    ),
    whole(
        "stream_not_ascii",
        "The text of the reply is not ASCII, and chunks cut its characters.",
        *BEGUN,
        *_cut(event("content_block_delta", json.dumps(delta("\u4f60\u597d\U0001f600 \u2028"), ensure_ascii=False)), 7),
        *EVENTS[3:],
    ),
)

FAULTS: Final = (*map(_without_aiohttp, _AFTER_THE_END), *_CHUNKS, *_LINES, *_EVENTS)

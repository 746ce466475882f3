"""Event streams with an `error` event after a 200: of any size and form, cut anywhere, and followed by anything."""

from __future__ import annotations

import json
from typing import Final

from anthropic_otel.simulator.actions import Delivery
from anthropic_otel.simulator.catalogue.event_streams import (
    BEGUN,
    EVENTS,
    GZIP,
    PING,
    bytewise,
    delta,
    error,
    event,
    overloaded,
    unknown,
)

_LONG: Final = "upstream said: " + "x" * 1500
_VERY_LONG: Final = "upstream said: " + "x" * 64 * 1024
_QUOTED: Final = json.dumps(
    {"type": "error", "error": {"type": "rate_limit_error", "message": "event: message_stop\n\n"}}
)
_MESSAGE_FIRST: Final[dict[str, object]] = {"error": {"message": _LONG, "type": "overloaded_error"}, "type": "error"}
_ERROR: Final = error()
_CRLF_ERROR: Final = error(newline="\r\n")


def _at(data: bytes, *marks: bytes) -> tuple[bytes, ...]:
    """Returns the data in pieces, cut before each mark.

    Each mark is searched from the cut before it on. Where one is missing, all that is left is one piece, and the pieces
    after that are empty.
    """
    pieces = []
    for mark in marks:
        head, _, _ = data.partition(mark)
        pieces.append(head)
        data = data[len(head) :]
    return (*pieces, data)


_LONG_ERRORS: Final = (
    overloaded("stream_error_1k", "The `error` event has more than 1 KB.", *BEGUN, error(_LONG)),
    overloaded("stream_error_64k", "The `error` event has more than 64 KB.", *BEGUN, error(_VERY_LONG)),
    overloaded("stream_error_1k_first", "The first event is an error of more than 1 KB.", error(_LONG)),
    overloaded(
        "stream_error_1k_gzip",
        "The `error` event of more than 1 KB is gzip'd.",
        *BEGUN,
        error(_LONG),
        delivery=GZIP,
    ),
    overloaded(
        "stream_error_64k_in_packets",
        "The `error` event of more than 64 KB comes in chunks of 1,460 bytes.",
        *BEGUN,
        *(error(_VERY_LONG)[at : at + 1460] for at in range(0, len(error(_VERY_LONG)), 1460)),
    ),
    overloaded(
        "stream_error_1k_segmented",
        "The `error` event of more than 1 KB is cut across TCP segments.",
        *BEGUN,
        error(_LONG),
        delivery=Delivery(segment=512),
    ),
    overloaded(
        "stream_error_1k_crlf",
        "The lines of the `error` event of more than 1 KB end in CR LF.",
        *BEGUN,
        error(_LONG, newline="\r\n"),
    ),
    overloaded(
        "stream_error_message_first",
        "The `error` event has its type after a message of more than 1 KB.",
        *BEGUN,
        event("error", _MESSAGE_FIRST),
    ),
    overloaded(
        "stream_error_in_one_chunk",
        "The `error` event of more than 1 KB is in one chunk with what came before it.",
        b"".join(BEGUN) + error(_LONG),
    ),
)

_CUT_ERRORS: Final = (
    overloaded("stream_error_in_bytes", "The `error` event comes byte by byte.", *BEGUN, *bytewise(_ERROR)),
    overloaded("stream_error_cut_in_name", "The `error` event is cut in its name.", *BEGUN, *_at(_ERROR, b"rror\n")),
    overloaded(
        "stream_error_cut_before_name",
        "The `error` event is cut before its name.",
        *BEGUN,
        *_at(_ERROR, b" error\n", b"error\n"),
    ),
    overloaded(
        "stream_error_cut_at_line",
        "The `error` event is cut before and after a line end.",
        *BEGUN,
        *_at(_ERROR, b"\n", b"data"),
    ),
    overloaded(
        "stream_error_cut_in_data",
        "The `error` event is cut in the name of its type.",
        *BEGUN,
        *_at(_ERROR, b"loaded_error"),
    ),
    overloaded(
        "stream_error_cut_at_end",
        "The blank line of the `error` event is a chunk of its own.",
        *BEGUN,
        _ERROR[:-1],
        b"\n",
    ),
    overloaded(
        "stream_error_cut_in_crlf",
        "The `error` event is cut between the CR and the LF of a line end.",
        *BEGUN,
        *_at(_CRLF_ERROR, b"\ndata", b"\n\r\n"),
    ),
)

_ERROR_FORMS: Final = (
    overloaded("stream_error_and_end", "The end event comes after the `error` event.", *BEGUN, _ERROR, *EVENTS[3:]),
    overloaded("stream_error_and_ping", "Pings come after the `error` event.", *BEGUN, _ERROR, PING, PING),
    overloaded(
        "stream_error_and_done",
        "Another API's end, `[DONE]`, comes after the `error` event.",
        *BEGUN,
        _ERROR + b"data: [DONE]\n\n",
    ),
    overloaded(
        "stream_error_and_much",
        "More than 4 KB of events come after the `error` event, in its chunk.",
        *BEGUN,
        _ERROR + event("content_block_delta", delta("more " * 100)) * 10,
    ),
    overloaded(
        "stream_error_after_end", "The `error` event comes after the end event.", *EVENTS, _ERROR, complete=True
    ),
    overloaded("stream_error_cr", "The lines of the `error` event end in CR alone.", *BEGUN, error(newline="\r")),
    overloaded(
        "stream_error_data_first",
        "The data of the `error` event come before its name.",
        *BEGUN,
        b'data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\nevent: error\n\n',
    ),
    overloaded(
        "stream_error_many_data_lines",
        "The data of the `error` event are written over several lines.",
        *BEGUN,
        b'event: error\ndata: {"type": "error",\ndata: "error": {"type":\ndata: "overloaded_error"}}\n\n',
    ),
    overloaded(
        "stream_error_no_space",
        "No space is behind the colons of the `error` event.",
        *BEGUN,
        _ERROR.replace(b"event: ", b"event:").replace(b"data: ", b"data:"),
    ),
    overloaded("stream_error_comment", "A comment stands before the `error` event.", *BEGUN, b": sorry\n" + _ERROR),
    overloaded("stream_error_id", "The `error` event has an id.", *BEGUN, b"id: 4\n" + _ERROR),
    overloaded(
        "stream_error_quoting",
        "The message of the `error` event quotes another error and an end event.",
        *BEGUN,
        error(f"upstream said: {_QUOTED}"),
    ),
    unknown("stream_error_no_data", "The `error` event has no data.", *BEGUN, b"event: error\n\n"),
    unknown("stream_error_text", "The data of the `error` event are text.", *BEGUN, event("error", "upstream failed")),
    unknown(
        "stream_error_other_shape",
        "The `error` event has a body that is not the API's.",
        *BEGUN,
        event("error", {"error": "upstream failed", "code": 503}),
    ),
    unknown(
        "stream_error_quoting_only",
        "The `error` event has a body that is not the API's, and quotes one that is.",
        *BEGUN,
        event("error", {"message": f"upstream said: {_QUOTED}"}),
    ),
)

FAULTS: Final = (*_LONG_ERRORS, *_CUT_ERRORS, *_ERROR_FORMS)

"""Event streams with status 200 that have an event that the SDK cannot decode, or that end too early or improperly."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Final

from anthropic_otel._core.semconv import NetworkCause as Cause
from anthropic_otel.simulator.actions import Ending
from anthropic_otel.simulator.catalogue.event_streams import (
    BEGUN,
    EVENTS,
    GZIP,
    PING,
    STOP,
    UNENDED,
    bytewise,
    cut,
    delta,
    error,
    event,
    invalid,
)
from anthropic_otel.simulator.faults import Needs
from anthropic_otel.simulator.wire import error_body, to_json

_LONG: Final = "upstream said: " + "x" * 1500
_TRUNCATED: Final = event("content_block_delta", json.dumps(delta("x" * 66_000))[:65_536])
_ERROR: Final = error()

_INVALID: Final = (
    invalid(
        "stream_invalid_json",
        "The data of an event are no JSON.",
        *BEGUN,
        event("content_block_delta", "{not json"),
        *EVENTS[3:],
    ),
    invalid(
        "stream_invalid_json_long",
        "The data of an event of more than 1 KB are no JSON.",
        *BEGUN,
        event("content_block_delta", json.dumps(delta(_LONG))[:-2]),
        *EVENTS[3:],
    ),
    invalid("stream_invalid_json_last", "The last event's data are no JSON.", *BEGUN, event("message_delta", "{")),
    invalid(
        "stream_invalid_json_first", "The first event's data are no JSON.", event("message_start", "<html>"), *EVENTS
    ),
    invalid(
        "stream_invalid_json_gzip",
        "The data of an event are no JSON, in a stream that is gzip'd.",
        *BEGUN,
        event("x", "{"),
        STOP,
        delivery=GZIP,
    ),
    invalid(
        "stream_invalid_json_cut",
        "The event whose data are no JSON is cut across chunks.",
        *BEGUN,
        *bytewise(event("content_block_delta", "{not json")),
        STOP,
    ),
    invalid(
        "stream_invalid_end",
        "The data of the end event are no JSON.",
        *UNENDED,
        event("message_stop", "!"),
    ),
    invalid(
        "stream_gzip_unsaid",
        "A gateway sends a stream gzip'd and does not say so.",
        gzip.compress(b"".join(EVENTS), mtime=0),
    ),
    invalid(
        "stream_binary",
        "The body is 32 KB of bytes that are no text.",
        b"\x1f\x8b\x08" + b"\xa7" * 32_768,
    ),
    invalid(
        "stream_cut_in_character",
        "The body ends in a character of more than one byte.",
        *UNENDED,
        b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"text":"\xc3',
    ),
    invalid(
        "stream_invalid_json_64k_in_packets",
        "The data of an event of more than 64 KB are no JSON, and come in chunks of 1,460 bytes.",
        *BEGUN,
        *(_TRUNCATED[at : at + 1460] for at in range(0, len(_TRUNCATED), 1460)),
        *EVENTS[3:],
    ),
    invalid(
        "stream_invalid_json_and_much",
        "An event whose data are no JSON, and more than 32 KB after it in the same chunk.",
        *BEGUN,
        b"".join(
            (event("content_block_delta", "{not json"), event("content_block_delta", delta("x")) * 400, *UNENDED[3:])
        ),
        STOP,
    ),
    invalid(
        "stream_invalid_json_and_all",
        "An event whose data are no JSON, and more than 32 KB and the end event after it in the same chunk.",
        b"".join(
            (*BEGUN, event("content_block_delta", "{not json"), event("content_block_delta", delta("x")) * 400, STOP)
        ),
    ),
    invalid("stream_not_utf8", "An event is not of UTF-8.", *BEGUN, b'event: ping2\ndata: "\xff\xfe"\n\n', *EVENTS[3:]),
)

_SOON: Final = Needs(read_timeout=0.3)
_CUT: Final = (
    cut("stream_cut_in_end_name", "The stream ends in the name of its end event.", *UNENDED, b"event: message_st"),
    cut(
        "stream_cut_after_end_name",
        "The stream ends after the name of its end event.",
        *UNENDED,
        b"event: message_stop\n",
    ),
    cut("stream_cut_in_end_data", "The stream ends in the data of its end event.", *UNENDED, STOP[:-4]),
    cut("stream_cut_before_blank_line", "The stream ends before the end event's blank line.", *UNENDED, STOP[:-1]),
    cut("stream_cut_before_line_end", "The stream ends before the end event's last line ends.", *UNENDED, STOP[:-2]),
    cut(
        "stream_cut_crlf",
        "The stream, of CR LF lines, ends before the end event's blank line.",
        *UNENDED,
        STOP.replace(b"\n", b"\r\n")[:-2],
    ),
    cut("stream_cut_gzip", "The stream that ends in its end event is gzip'd.", *UNENDED, STOP[:-1], delivery=GZIP),
    cut("stream_cut_in_error", "The stream ends before the blank line of an `error` event.", *BEGUN, _ERROR[:-1]),
    cut(
        "stream_end_without_data",
        "The end event has no data, so it does not count as an event.",
        *UNENDED,
        b"event: message_stop\n\n",
    ),
    cut("stream_end_unnamed", "The end event has data and no name.", *UNENDED, b'data: {"type":"message_stop"}\n\n'),
    cut("stream_no_event", "The stream has no event at all."),
    cut("stream_only_pings", "The stream has pings and comments only.", PING, b": keep-alive\n\n", PING),
    cut(
        "stream_only_data",
        "The events have no names, as those of another API.",
        b'data: {"x":1}\n\n',
        b"data: [DONE]\n\n",
    ),
    replace(
        cut(
            "stream_error_unnamed",
            "A gateway ends the stream with an error in an event without a name, which the SDK passes over.",
            *BEGUN,
            b"data: " + to_json(error_body("overloaded_error", "Overloaded")) + b"\n\n",
            b"data: [DONE]\n\n",
        ),
        api_error=("overloaded_error", None),
    ),
    cut("stream_cut_and_comment", "The stream ends without its end event, with comments.", *UNENDED, b": bye\n\n"),
    cut(
        "stream_cut_in_text_like_end",
        "The stream ends without its end event, after a text that looks like one.",
        *BEGUN,
        event("content_block_delta", delta("\n\nevent: message_stop\ndata: {}\n\n")),
    ),
    cut(
        "stream_end_then_cut",
        "The server closes the connection behind the end event, without the last chunk.",
        *EVENTS,
        ending=Ending.CLOSE,
        cause=Cause.INCOMPLETE_BODY,
        complete=True,
    ),
    cut(
        "stream_end_then_reset",
        "The server resets the connection behind the end event.",
        *EVENTS,
        ending=Ending.RESET,
        cause=Cause.CONNECTION_RESET,
        errno=("ECONNRESET",),
        complete=True,
    ),
    cut(
        "stream_end_then_timeout",
        "The server falls silent behind the end event.",
        *EVENTS,
        ending=Ending.STALL,
        cause=Cause.READ_TIMEOUT,
        complete=True,
        needs=_SOON,
    ),
)

FAULTS: Final = (*_INVALID, *_CUT)

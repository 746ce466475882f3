"""Streams of Amazon Bedrock: `application/vnd.amazon.eventstream` frames, complete ones and broken ones.

Rule: an entry says what an app that uses the SDK's Bedrock client gets.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from anthropic_otel._core.semconv import OTHER
from anthropic_otel.simulator.actions import Delivery
from anthropic_otel.simulator.catalogue.event_streams import DATA, PLAIN, bytewise, cut, entry
from anthropic_otel.simulator.faults import Fault, Needs, Where
from anthropic_otel.simulator.wire import (
    AwsEventStream,
    chunk_frame,
    error_body,
    exception_frame,
    exception_frame_of,
    frame,
    to_json,
)

_NEEDS: Final = Needs(sdk="AnthropicBedrock")
_TYPE: Final = AwsEventStream().content_type
_FRAMES: Final = tuple(chunk_frame(to_json(data)) for data in DATA)
_BEGUN: Final = _FRAMES[:3]
_UNENDED: Final = _FRAMES[:-1]
_PING: Final = chunk_frame(b'{"type":"ping"}')
_LONG: Final = "upstream said: " + "x" * 2000
_METRICS: Final = {"inputTokenCount": 9, "outputTokenCount": 1, "invocationLatency": 400, "firstByteLatency": 120}


def _stop(**more: object) -> bytes:
    return chunk_frame(to_json({"type": "message_stop", "amazon-bedrock-invocationMetrics": _METRICS, **more}))


def _trace(size: int) -> dict[str, object]:
    return {"amazon-bedrock-trace": {"guardrail": {"input": {"assessment": "x" * size}}}}


def _error_frame(code: str, message: str = "no") -> bytes:
    return frame({":message-type": "error", ":error-code": code, ":error-message": message}, b"")


def _broken(data: bytes, at: int) -> bytes:
    """Returns `data` with the bits of the byte at that index inverted; a negative index counts from the end."""
    at %= len(data)
    return data[:at] + bytes((data[at] ^ 0xFF,)) + data[at + 1 :]


def _stream(name: str, description: str, *chunks: bytes, error_type: str | None, delivery: Delivery = PLAIN) -> Fault:
    return entry(name, description, chunks, error_type, content_type=_TYPE, delivery=delivery, needs=_NEEDS)


def _whole(name: str, description: str, *chunks: bytes, delivery: Delivery = PLAIN) -> Fault:
    return _stream(name, description, *chunks, error_type=None, delivery=delivery)


def _error(
    name: str, description: str, *chunks: bytes, word: str = "overloaded_error", delivery: Delivery = PLAIN
) -> Fault:
    return _stream(name, description, *_BEGUN, *chunks, error_type=word, delivery=delivery)


def _invalid(name: str, description: str, *chunks: bytes) -> Fault:
    return _stream(name, description, *_BEGUN, *chunks, error_type="invalid_event")


def _exception(exception: str, word: str) -> Fault:
    name = "bedrock_" + "".join(f"_{each.lower()}" if each.isupper() else each for each in exception)
    return _error(name, f"The stream has a frame of `{exception}`.", exception_frame(exception, "no"), word=word)


def _cut(name: str, description: str, *chunks: bytes) -> Fault:
    return cut(name, description, *chunks, content_type=_TYPE, needs=_NEEDS)


_WHOLE: Final = (
    _whole("bedrock_ok", "Each frame is a chunk.", *_FRAMES),
    _whole("bedrock_one_chunk", "All frames are one chunk.", b"".join(_FRAMES)),
    _whole("bedrock_bytes", "The end event's frame comes byte by byte.", *_UNENDED, *bytewise(_FRAMES[-1])),
    _whole("bedrock_segmented", "TCP segments cut the frames.", *_FRAMES, delivery=Delivery(segment=64)),
    _whole("bedrock_metrics", "The end event has the invocation's metrics.", *_UNENDED, _stop()),
    _whole("bedrock_trace", "The end event has a guardrail's trace of 2 KB.", *_UNENDED, _stop(**_trace(2000))),
    _whole("bedrock_trace_64k", "The end event has a guardrail's trace of 64 KB.", *_UNENDED, _stop(**_trace(65536))),
    _whole("bedrock_ping_after_end", "A ping comes after the end event.", *_FRAMES, _PING),
    _whole(
        "bedrock_metadata_after_end",
        "A frame of an unknown event comes after the end event.",
        *_FRAMES,
        frame({":event-type": "metadata", ":content-type": "application/json", ":message-type": "event"}, b"{}"),
    ),
    _whole("bedrock_pings", "Pings come between the frames, several in a chunk.", *_UNENDED, _PING * 5, _FRAMES[-1]),
)

_IN_CHUNK: Final = to_json(error_body("overloaded_error", "Overloaded"))
_IN_CHUNK_LONG: Final = to_json(error_body("overloaded_error", _LONG))
_THROTTLED: Final = exception_frame("throttlingException", "no")

_ERRORS: Final = (
    _error("bedrock_error_in_chunk", "An error of the API is inside a `chunk` frame.", chunk_frame(_IN_CHUNK)),
    _error(
        "bedrock_error_in_chunk_2k",
        "An error of the API of 2 KB is inside a `chunk` frame.",
        chunk_frame(_IN_CHUNK_LONG),
    ),
    _error(
        "bedrock_error_in_chunk_and_end",
        "The end event comes after the API's error in a `chunk` frame.",
        chunk_frame(_IN_CHUNK),
        _FRAMES[-1],
    ),
    _error(
        "bedrock_error_in_chunk_bytes",
        "A `chunk` frame with an error comes byte by byte.",
        *bytewise(chunk_frame(_IN_CHUNK)),
    ),
    _error(
        "bedrock_error_in_chunk_unknown",
        "An error of an unknown type is inside a `chunk` frame.",
        chunk_frame(to_json(error_body("unheard_of_error", "new"))),
        word=OTHER,
    ),
    _error(
        "bedrock_error_frame",
        "The stream has a frame whose message type is `error`.",
        _error_frame("internalServerException"),
        word="api_error",
    ),
    _error(
        "bedrock_error_frame_throttling",
        "The stream has a frame whose message type is `error`, with a code as other services write it.",
        _error_frame("ThrottlingException", _LONG),
        word="rate_limit_error",
    ),
    _error(
        "bedrock_error_frame_unknown",
        "The stream has a frame whose message type is `error`, with an unknown code.",
        _error_frame("UnheardOfFailure"),
        word=OTHER,
    ),
    _exception("modelStreamErrorException", "api_error"),
    _exception("internalServerException", "api_error"),
    _exception("modelTimeoutException", "timeout_error"),
    _exception("serviceUnavailableException", "overloaded_error"),
    _exception("throttlingException", "rate_limit_error"),
    _exception("validationException", "invalid_request_error"),
    _exception("unheardOfException", OTHER),
    *(
        _error(
            f"bedrock_exception_{name}",
            f"The payload of an exception's frame is {what}.",
            exception_frame_of("throttlingException", payload),
            word="rate_limit_error",
        )
        for name, what, payload in (
            ("empty", "empty", b""),
            ("text", "no JSON", b"Too many requests"),
            ("cut", "half of the JSON", b'{"message":"Too'),
            ("nested", "an object in an object", b'{"message":{"text":"no"}}'),
            ("latin_1", "not in UTF-8", '{"message":"zu viele Anfragen für jetzt"}'.encode("latin-1")),
            ("utf_16", "in UTF-16", '{"message":"no"}'.encode("utf-16")),
            ("list", "a list", b'["no"]'),
            ("null", "a null", b"null"),
        )
    ),
    _error(
        "bedrock_exception_no_type",
        "An exception's frame does not say which exception it is.",
        frame({":message-type": "exception"}, b""),
        word=OTHER,
    ),
    _error(
        "bedrock_exception_2k",
        "The message of an exception's frame has 2 KB.",
        exception_frame("throttlingException", _LONG),
        word="rate_limit_error",
    ),
    _error(
        "bedrock_exception_64k",
        "The message of an exception's frame has 64 KB.",
        exception_frame("throttlingException", "x" * 65536),
        word="rate_limit_error",
    ),
    _error(
        "bedrock_exception_bytes",
        "An exception's frame comes byte by byte.",
        *bytewise(_THROTTLED),
        word="rate_limit_error",
    ),
    _error(
        "bedrock_exception_and_end",
        "The end event comes after an exception's frame, in the same chunk.",
        _THROTTLED + _FRAMES[-1],
        word="rate_limit_error",
    ),
    _error(
        "bedrock_exception_quoting",
        "The message of an exception's frame quotes another exception and an end event.",
        exception_frame("throttlingException", ':exception-type validationException {"type":"message_stop"}'),
        word="rate_limit_error",
    ),
)

_INVALID: Final = (
    _invalid(
        "bedrock_prelude_crc", "The checksum of a frame's prelude is wrong.", _broken(_FRAMES[3], 8), *_FRAMES[4:]
    ),
    _invalid("bedrock_crc", "The checksum of a frame is wrong.", _broken(_FRAMES[3], -1), *_FRAMES[4:]),
    _invalid(
        "bedrock_crc_of_end",
        "The checksum of the end event's frame is wrong.",
        *_FRAMES[3:-1],
        _broken(_FRAMES[-1], -1),
    ),
    _invalid("bedrock_not_frames", "Bytes that are no frame stand between two frames.", b"<html>no frames</html>" * 4),
    _invalid(
        "bedrock_invalid_json", "The JSON of an event is cut.", chunk_frame(b'{"type":"content_block_'), *_FRAMES[3:]
    ),
)

_UNEXPECTED: Final = replace(
    entry(
        "bedrock_json",
        "An exception of Amazon's, with status 200 and as JSON, comes where frames were asked for.",
        (b'{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}',),
        "unexpected_content",
        content_type="application/json",
        needs=_NEEDS,
    ),
    where=Where.RESPONSE,
)

_CUTS: Final = (
    _cut("bedrock_cut_in_end", "The body ends in the frame of the end event.", *_UNENDED, _FRAMES[-1][:-5]),
    _cut(
        "bedrock_cut_before_crc",
        "The body ends one byte before the end of the end event's frame.",
        *_UNENDED,
        _FRAMES[-1][:-1],
    ),
    _cut("bedrock_incomplete", "The body ends before the end event's frame.", *_UNENDED),
    _cut(
        "bedrock_incomplete_and_ping", "The body ends with a ping in place of the end event's frame.", *_UNENDED, _PING
    ),
    _cut("bedrock_cut_in_exception", "The body ends within an exception's frame.", *_BEGUN, _THROTTLED[:-1]),
    _cut("bedrock_nothing", "The body has no frame at all."),
    _cut(
        "bedrock_text_like_end",
        "The body ends without the end event, after a text that looks like one.",
        *_BEGUN,
        chunk_frame(to_json({"type": "content_block_delta", "index": 0, "delta": {"text": '{"type":"message_stop"}'}})),
    ),
)

FAULTS: Final = (*_WHOLE, *_ERRORS, *_INVALID, _UNEXPECTED, *_CUTS)

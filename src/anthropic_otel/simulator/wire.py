"""The bytes of a body: JSON, server-sent events as the API sends them, AWS event-stream frames, content encodings.

Rule: each event of a stream is encoded on its own, so that a fault can cut the stream between any two.
"""

from __future__ import annotations

import base64
import contextlib
import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

from anthropic_otel.simulator.actions import Delivery, Encoding

Json: TypeAlias = dict[str, Any]


def to_json(value: object) -> bytes:
    """Returns compact UTF-8 JSON, as the API writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def error_body(error_type: str, message: str, request_id: str | None = None, code: str | None = None) -> Json:
    """Returns the API's error object. An error inside a stream has no `request_id`, which `None` leaves out.

    `code` becomes `error_code` in the `details` of its `error`; without `code` there are no `details`.
    """
    details: Json = {"details": {"error_code": code}} if code else {}
    body: Json = {"type": "error", "error": {"type": error_type, "message": message, **details}}
    return body | {"request_id": request_id} if request_id else body


_PING: Final = b'{"type":"ping"}'


class Wire(Protocol):
    """Encodes the events of a stream. An event is a dict; in formats that name events, its `type` is the name."""

    @property
    def content_type(self) -> str:
        """The media type of the stream."""

    def encode(self, event: Json, newline: str) -> bytes:
        """Returns the bytes of one event. `newline` ends the lines of a format that has lines."""


@dataclass(frozen=True, slots=True)
class ServerSentEvents:
    """Encodes streams as the API's own and Vertex's are: as server-sent events.

    As recorded responses show, the JSON of an event ends in up to 15 spaces before its last brace, and that of a `ping`
    has one behind its colon.
    """

    content_type: str = "text/event-stream; charset=utf-8"

    def encode(self, event: Json, newline: str) -> bytes:
        """Returns the event's `event:` and `data:` lines and a blank line, each ended by `newline`."""
        data = to_json(event)
        padded = b'{"type": "ping"}' if data == _PING else data[:-1] + b" " * (zlib.crc32(data) % 16) + b"}"
        return f"event: {event['type']}{newline}data: ".encode() + padded + (newline * 2).encode()


@dataclass(frozen=True, slots=True)
class JsonLines:
    """Encodes the results of a batch: as JSON, each on a line of its own."""

    content_type: str = "application/x-jsonl"

    def encode(self, event: Json, newline: str) -> bytes:
        """Returns the JSON and a line feed. `newline` is ignored."""
        del newline
        return to_json(event) + b"\n"


@dataclass(frozen=True, slots=True)
class AwsEventStream:
    """Encodes streams as Bedrock's are: as AWS event-stream frames that contain base64 in JSON."""

    content_type: str = "application/vnd.amazon.eventstream"

    def encode(self, event: Json, newline: str) -> bytes:
        """Returns a `chunk` frame; for an `error` event, the exception frame that Bedrock sends.

        Types of errors that Bedrock has no exception for become an `internalServerException`. `newline` is ignored.
        """
        del newline
        if event["type"] == "error":
            return _exception(event["error"]["type"], event["error"]["message"])
        return chunk_frame(to_json(event))


_EXCEPTIONS = {
    "overloaded_error": "serviceUnavailableException",
    "rate_limit_error": "throttlingException",
    "timeout_error": "modelTimeoutException",
    "invalid_request_error": "validationException",
}


def chunk_frame(event: bytes) -> bytes:
    """Returns the `chunk` frame of an event, given as JSON bytes."""
    headers = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, to_json({"bytes": base64.b64encode(event).decode()}))


def exception_frame(name: str, message: str) -> bytes:
    """Returns the frame of the Bedrock exception `name`, such as `throttlingException`, with `message` in its JSON."""
    return exception_frame_of(name, to_json({"message": message}))


def exception_frame_of(name: str, payload: bytes) -> bytes:
    """Returns the frame of the Bedrock exception `name` with exactly that payload, which is declared as JSON."""
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, payload)


def _exception(error_type: str, message: str) -> bytes:
    return exception_frame(_EXCEPTIONS.get(error_type, "internalServerException"), message)


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """Returns one `application/vnd.amazon.eventstream` message: prelude, its CRC, headers, payload, CRC of all that.

    The values of the headers are sent as strings.
    """
    packed = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    prelude = struct.pack("!II", 16 + len(packed) + len(payload), len(packed))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + packed + payload
    return message + struct.pack("!I", zlib.crc32(message))


def _header(name: bytes, value: bytes) -> bytes:
    string = 7
    return struct.pack("!B", len(name)) + name + struct.pack("!BH", string, len(value)) + value


def events_in(body: bytes) -> Iterator[Json]:
    """Yields the JSON objects of the events in the bytes of a stream of either format.

    Stops at the first event that is cut or no JSON, and at the first frame that is broken or no `chunk`. Leaves out
    JSON that is no object, server-sent events without a name or data, and frames whose payload has no base64 `bytes`. A
    stream whose first byte is 0 is AWS event-stream, any other is server-sent events.
    """
    for data in _frames_data(body) if body[:1] == b"\0" else _events_data(body):
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            return
        if isinstance(event, dict):
            yield event


def _events_data(body: bytes) -> Iterator[bytes]:
    """Yields the data of each complete server-sent event that has an `event:` and a `data:` line."""
    text = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for event in text.split(b"\n\n")[:-1]:
        lines = event.split(b"\n")
        data = [line.partition(b":")[2].removeprefix(b" ") for line in lines if line.startswith(b"data:")]
        if data and any(line.startswith(b"event:") for line in lines):
            yield b"\n".join(data)


def _frames_data(body: bytes) -> Iterator[bytes]:
    at = 0
    while len(body) - at >= 16:
        total, packed = struct.unpack_from("!II", body, at)
        whole = body[at : at + total]
        if total < 16 or len(whole) < total or zlib.crc32(whole[:-4]) != struct.unpack("!I", whole[-4:])[0]:
            return
        at += total
        payload = whole[12 + packed : -4]
        if b"chunk" not in whole[12 : 12 + packed]:
            return
        with contextlib.suppress(ValueError, KeyError, TypeError):
            yield base64.b64decode(json.loads(payload)["bytes"])


def encoded(pieces: Iterator[bytes], encoding: Encoding) -> Iterator[bytes]:
    """Yields the pieces of a body in the content encoding, each flushed so that it can be decoded at once.

    GZIP and DEFLATE yield one more piece, which ends the compressed data. BROKEN_GZIP puts a text before each piece.
    """
    if encoding is Encoding.IDENTITY:
        yield from pieces
    elif encoding is Encoding.BROKEN_GZIP:
        yield from (b"not gzip: " + piece for piece in pieces)
    else:
        packed = zlib.compressobj(wbits=15 if encoding is Encoding.DEFLATE else 31)
        for piece in pieces:
            yield packed.compress(piece) + packed.flush(zlib.Z_SYNC_FLUSH)
        yield packed.flush()


def accepted(delivery: Delivery, accept_encoding: str) -> Encoding:
    """Returns the delivery's encoding, but IDENTITY if that is GZIP or DEFLATE and not named in `accept_encoding`."""
    wanted = delivery.encoding
    if wanted in (Encoding.GZIP, Encoding.DEFLATE) and wanted.value not in accept_encoding:
        return Encoding.IDENTITY
    return wanted

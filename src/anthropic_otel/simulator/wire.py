"""The bytes of a stream: server-sent events as the API sends them, and the event-stream frames of AWS.

Rule: an event is encoded by itself, so that whoever writes it may cut wherever a fault asks for it.
"""

from __future__ import annotations

import base64
import contextlib
import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from anthropic_otel.simulator.actions import Delivery, Encoding

Json: TypeAlias = dict[str, Any]


def to_json(value: object) -> bytes:
    """Return compact JSON, as the API writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def error_body(error_type: str, message: str, request_id: str | None = None, code: str | None = None) -> Json:
    """Return the API's error object. The one inside a stream has no request id. `code` says more than the type does."""
    details: Json = {"details": {"error_code": code}} if code else {}
    body: Json = {"type": "error", "error": {"type": error_type, "message": message, **details}}
    return body | {"request_id": request_id} if request_id else body


class Wire(Protocol):
    """How a stream's events become bytes. An event is a dict with a `type`, which is also its name."""

    @property
    def content_type(self) -> str:
        """The media type of the stream."""

    def encode(self, event: Json, newline: str) -> bytes:
        """Return the event as bytes. `newline` ends the lines of a format that has lines."""


@dataclass(frozen=True, slots=True)
class ServerSentEvents:
    """The API's own streams, and those of Vertex."""

    content_type: str = "text/event-stream; charset=utf-8"

    def encode(self, event: Json, newline: str) -> bytes:
        """Return `event:` and `data:` lines and the empty line that ends them."""
        return f"event: {event['type']}{newline}data: ".encode() + to_json(event) + (newline * 2).encode()


@dataclass(frozen=True, slots=True)
class AwsEventStream:
    """Bedrock's streams: frames with a prelude, headers and checksums around base64 in JSON."""

    content_type: str = "application/vnd.amazon.eventstream"

    def encode(self, event: Json, newline: str) -> bytes:
        """Return a `chunk` frame, or for the `error` event the exception frame that Bedrock has for it."""
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
    """Return the frame of an event, given as the bytes of its JSON."""
    headers = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, to_json({"bytes": base64.b64encode(event).decode()}))


def exception_frame(name: str, message: str) -> bytes:
    """Return the frame of an exception of Bedrock's."""
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, to_json({"message": message}))


def _exception(error_type: str, message: str) -> bytes:
    return exception_frame(_EXCEPTIONS.get(error_type, "internalServerException"), message)


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """Return one message of `application/vnd.amazon.eventstream`: prelude, its CRC, headers, payload, CRC of all."""
    packed = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    prelude = struct.pack("!II", 16 + len(packed) + len(payload), len(packed))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + packed + payload
    return message + struct.pack("!I", zlib.crc32(message))


def _header(name: bytes, value: bytes) -> bytes:
    string = 7
    return struct.pack("!B", len(name)) + name + struct.pack("!BH", string, len(value)) + value


def events_in(body: bytes) -> Iterator[Json]:
    """Yield the data of the events in the bytes of a stream, of either wire, up to what is cut or no JSON.

    The events of a stream are told apart by its first byte: a frame begins with its length.
    """
    for data in _frames_data(body) if body[:1] == b"\0" else _events_data(body):
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            return
        if isinstance(event, dict):
            yield event


def _events_data(body: bytes) -> Iterator[bytes]:
    """The data of server-sent events that have a name, as the SDK takes no other."""
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
    """Yield the pieces of a body in that content encoding, each so that a reader can decode all that it has got."""
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
    """Return the encoding to use for a client that accepts those."""
    wanted = delivery.encoding
    if wanted in (Encoding.GZIP, Encoding.DEFLATE) and wanted.value not in accept_encoding:
        return Encoding.IDENTITY
    return wanted

"""Streams as the API and Amazon Bedrock send them: server-sent events, and frames of AWS."""

from __future__ import annotations

import base64
import binascii
import itertools
import json
import struct
from collections.abc import Sequence
from typing import Any


def sse(name: str, data: Any) -> bytes:
    return f"event: {name}\ndata: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()


def delta(text: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


USAGE = {"input_tokens": 9, "output_tokens": 1}
MESSAGE = {"id": "m", "type": "message", "role": "assistant", "content": [], "model": "m", "usage": USAGE}
START = {"type": "message_start", "message": MESSAGE}
LAST_DELTA = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}
STOP = {"type": "message_stop"}


def error(kind: str, message: str = "m") -> dict[str, Any]:
    return {"type": "error", "error": {"message": message, "type": kind}}


def frame(headers: dict[str, str], payload: bytes, *, prelude_crc: int = 0, crc: int = 0) -> bytes:
    """A frame. The checksums are wrong by what is given."""
    return frame_of(*headers.items(), payload=payload, prelude_crc=prelude_crc, crc=crc)


def frame_of(*headers: tuple[str, str], payload: bytes, prelude_crc: int = 0, crc: int = 0) -> bytes:
    """A frame whose headers may have the same name."""
    return raw_frame(block_of(*headers), payload, prelude_crc=prelude_crc, crc=crc)


def block_of(*headers: tuple[str, str]) -> bytes:
    """The headers of a frame as bytes. All of them are text."""
    return b"".join(
        struct.pack("!B", len(name)) + name.encode() + b"\x07" + struct.pack("!H", len(value)) + value.encode()
        for name, value in headers
    )


def raw_frame(block: bytes, payload: bytes, *, prelude_crc: int = 0, crc: int = 0) -> bytes:
    """A frame with the bytes of its headers as they are."""
    lengths = struct.pack("!II", 16 + len(block) + len(payload), len(block))
    message = lengths + struct.pack("!I", binascii.crc32(lengths) ^ prelude_crc) + block + payload
    return message + struct.pack("!I", binascii.crc32(message) ^ crc)


EVENT = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}


def chunk(data: Any, **wrong: int) -> bytes:
    raw = data if isinstance(data, bytes) else json.dumps(data, separators=(",", ":")).encode()
    body = json.dumps({"bytes": base64.b64encode(raw).decode(), "p": "abcdef"}, separators=(",", ":")).encode()
    return frame(EVENT, body, **wrong)


def exception(name: str, message: str = "m") -> bytes:
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, json.dumps({"message": message}).encode())


def pieces(text: bytes, cuts: Sequence[int], longest: int | None = None) -> list[bytes]:
    """Cuts a text where it is told, and so that no piece is longer than `longest`."""
    edges = {0, *(cut % (len(text) + 1) for cut in cuts), *range(0, len(text), longest or len(text) + 1), len(text)}
    return [text[a:b] for a, b in itertools.pairwise(sorted(edges))]


def refusal(model: str) -> bytes:
    """A stream in which a model refuses before it has said anything."""
    message = {**MESSAGE, "id": "msg_1", "model": model, "stop_reason": None, "stop_sequence": None}
    last = {"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_sequence": None}, "usage": USAGE}
    events: tuple[dict[str, Any], ...] = ({"type": "message_start", "message": message}, last, STOP)
    return b"".join(sse(event["type"], event) for event in events)


def held(reader: Any) -> int:
    """The bytes of all byte strings that a reader of streams and its parts hold."""
    names = [name for cls in type(reader).__mro__ for name in getattr(cls, "__slots__", ())]
    parts = reader if isinstance(reader, (tuple, list)) else [getattr(reader, name) for name in names]
    return sum(len(part) if isinstance(part, bytes) else held(part) for part in parts if part is not None)

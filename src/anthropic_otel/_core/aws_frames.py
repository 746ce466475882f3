"""Frames of an AWS event stream (`application/vnd.amazon.eventstream`) and the events of Amazon Bedrock in them.

    total length | length of headers | CRC of these | headers | payload | CRC of all
    4 bytes        4                   4                                  4

Rule: what raises `ValueError` here makes the SDK raise too, by botocore or by itself.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from struct import error as StructError
from struct import unpack_from
from typing import Any, Final
from zlib import crc32

from anthropic_otel._core.semconv import BEDROCK_EXCEPTIONS
from anthropic_otel._core.stream_end import ERROR, ApiError, known_type, parsed

PRELUDE: Final = 12
CRC: Final = 4
_MAX_HEADERS: Final = 128 * 1024
_MAX_PAYLOAD: Final = 24 * 1024 * 1024
"""The bounds of botocore, which raises for a longer one."""

_SIZES: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""The bytes of a header's value, by its type; byte arrays and strings tell theirs."""
_BYTE_ARRAY, _STRING = 6, 7

_ERROR_TYPES: Final = {
    "throttlingException": "rate_limit_error",
    "serviceQuotaExceededException": "rate_limit_error",
    "serviceUnavailableException": "overloaded_error",
    "modelNotReadyException": "overloaded_error",
    "internalServerException": "api_error",
    "modelErrorException": "api_error",
    "modelStreamErrorException": "api_error",
    "modelTimeoutException": "timeout_error",
    "validationException": "invalid_request_error",
    "accessDeniedException": "permission_error",
    "resourceNotFoundException": "not_found_error",
}
"""The exceptions of Amazon Bedrock as the API's error types."""

Event = tuple[bytes | None, bytes]
"""The name and the JSON of an event; no name for a frame that the SDK skips."""


def is_possible(total: int, header_length: int) -> bool:
    """Whether a frame may have these lengths."""
    payload = total - header_length - PRELUDE - CRC
    return header_length <= _MAX_HEADERS and 0 <= payload <= _MAX_PAYLOAD


def begins(text: bytes) -> bool:
    """Whether a text begins with a frame, as far as can be told: its prelude has a checksum."""
    if len(text) < PRELUDE:
        return text.startswith(b"\0"[: len(text)])
    checksum: int = unpack_from("!I", text, 8)[0]
    return crc32(text[:8]) == checksum


def frames_of(text: bytes) -> Iterator[bytes]:
    """The whole frames of a text that begins with one."""
    at = 0
    while len(text) - at >= PRELUDE:
        total, header_length = unpack_from("!II", text, at)
        if not is_possible(total, header_length) or at + total > len(text):
            return
        yield text[at : at + total]
        at += total


def event_in(frame: bytes) -> Event:
    """Reads the event of a whole frame. Raises `ValueError` if the SDK would reject the frame."""
    checksum = unpack_from("!I", frame, len(frame) - CRC)[0]
    if not begins(frame) or crc32(frame[:-CRC]) != checksum:
        raise ValueError("wrong checksum")
    payload_at = PRELUDE + unpack_from("!I", frame, 4)[0]
    headers = headers_of(frame[PRELUDE:payload_at])
    return (ERROR, b"") if error_of(headers) is not None else event_of(headers, frame[payload_at:-CRC])


def headers_of(block: bytes) -> dict[str, str]:
    """The headers of a frame that are strings. Raises `ValueError` if the block is not made of headers."""
    headers: dict[str, str] = {}
    names: set[str] = set()
    at = 0
    try:
        while at < len(block):
            name_end = at + 1 + block[at]
            name, kind, at = block[at + 1 : name_end].decode(), block[name_end], name_end + 1
            size = _SIZES.get(kind)
            if size is None:
                if kind not in (_BYTE_ARRAY, _STRING):
                    raise ValueError("no type of a header")
                size, at = unpack_from("!H", block, at)[0], at + 2
            if name in names:
                raise ValueError("a header twice")
            names.add(name)
            if kind == _STRING:
                headers[name] = block[at : at + size].decode()
            at += size
    except (IndexError, StructError):
        raise ValueError("cut inside a header") from None
    return headers


def error_of(headers: dict[str, str]) -> ApiError | None:
    """The error that a frame reports by its headers; `None` for a frame that reports none."""
    if headers.get(":message-type") not in ("error", "exception"):
        return None
    exception, code = headers.get(":exception-type"), headers.get(":error-code")
    # botocore asks for the code of what it does not know.
    told = (exception if exception in BEDROCK_EXCEPTIONS else code or exception) or ""
    name = told[:1].lower() + told[1:]
    # botocore knows the exceptions of Bedrock's model and no other; an error's code is handed on as it is.
    handed_on = told if code is not None or told in BEDROCK_EXCEPTIONS else None
    return ApiError(_ERROR_TYPES.get(name) or known_type(name), told=handed_on)


def event_of(headers: dict[str, str], payload: bytes) -> Event:
    """Reads the event in a frame's payload. Raises `ValueError` if the SDK would reject the payload."""
    if headers.get(":event-type") != "chunk":
        return None, b""
    content = _content_of(payload)
    encoded = content.get("bytes")
    if encoded is None:
        return None, b""
    if not isinstance(encoded, str):
        raise ValueError("bytes that are no text")
    data = binascii.a2b_base64(encoded)
    if not data:
        return None, b""
    event = parsed(data)
    name = event.get("type") if isinstance(event, dict) else None
    return name.encode("utf-8", "replace") if isinstance(name, str) else None, data


def _content_of(payload: bytes) -> dict[str, Any]:
    """The JSON object of a frame. Raises `ValueError` where botocore does not take it."""
    text = payload.decode()
    # Not at the top of the module: most streams need it never.
    import json

    try:
        content = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError:
        # To botocore it is a message of unknown form, which has no event.
        return {}
    if not isinstance(content, dict):
        raise ValueError("no object")
    return content

"""Decodes frames of an AWS event stream (`application/vnd.amazon.eventstream`) and Amazon Bedrock's events in them.

    total length | length of headers | CRC of these | headers | payload | CRC of all
    4 bytes        4                   4                                  4

Rule: where a function here raises `ValueError`, botocore or the SDK raises too.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from struct import error as StructError
from struct import unpack_from
from typing import Any, Final
from zlib import crc32

from anthropic_otel._core.event_json import ERROR, MAX_TOLD, ApiError, known_type, parsed
from anthropic_otel._core.semconv import BEDROCK_EXCEPTIONS

PRELUDE: Final = 12
CRC: Final = 4
_MAX_HEADERS: Final = 128 * 1024
_MAX_PAYLOAD: Final = 24 * 1024 * 1024
"""The greatest lengths in bytes that a recent botocore accepts."""

_SIZES: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""The length of a header's value in bytes by its type. Byte arrays and strings begin with their length instead."""
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
"""The API's error type for the exceptions of Amazon Bedrock, in its streams and its refusals."""
_REFUSALS: Final = {
    **_ERROR_TYPES,
    **dict.fromkeys(
        (
            "expiredTokenException",
            "incompleteSignatureException",
            "invalidSignatureException",
            "missingAuthenticationTokenException",
            "signatureDoesNotMatchException",
            "unrecognizedClientException",
        ),
        "authentication_error",
    ),
    "internalFailure": "api_error",
    "serializationException": "invalid_request_error",
    "unknownOperationException": "not_found_error",
}
"""The API's error type for the exceptions in a refusal: Bedrock's, and those of the service in front of it."""

Event = tuple[bytes | None, bytes]
"""The name and the JSON of an event."""


def is_possible(total: int, header_length: int) -> bool:
    """Returns whether a recent botocore accepts a frame of `total` bytes, of which `header_length` are its headers."""
    payload = total - header_length - PRELUDE - CRC
    return header_length <= _MAX_HEADERS and 0 <= payload <= _MAX_PAYLOAD


def begins(text: bytes) -> bool:
    """Returns whether `text` begins with a frame, by the checksum of the prelude.

    If `text` is shorter than a prelude with its checksum, returns whether it is empty or begins with a zero byte.
    """
    if len(text) < PRELUDE:
        return text.startswith(b"\0"[: len(text)])
    checksum: int = unpack_from("!I", text, 8)[0]
    return crc32(text[:8]) == checksum


def frames_of(text: bytes) -> Iterator[bytes]:
    """Yields the whole frames at the beginning of `text`. Stops at a frame that is cut off or has impossible lengths.

    Checksums are not checked.
    """
    at = 0
    while len(text) - at >= PRELUDE:
        total, header_length = unpack_from("!II", text, at)
        if not is_possible(total, header_length) or at + total > len(text):
            return
        yield text[at : at + total]
        at += total


def event_in(frame: bytes) -> Event:
    """Returns the event of a whole frame, as `event_of`; for a frame that reports an error `(b"error", b"")`.

    Raises `ValueError` if the SDK rejects the frame: for a checksum, the headers or the payload. The payload of a frame
    that reports an error is not looked at.
    """
    checksum = unpack_from("!I", frame, len(frame) - CRC)[0]
    if not begins(frame) or crc32(frame[:-CRC]) != checksum:
        raise ValueError("wrong checksum")
    payload_at = PRELUDE + unpack_from("!I", frame, 4)[0]
    headers = headers_of(frame[PRELUDE:payload_at])
    return (ERROR, b"") if error_of(headers) is not None else event_of(headers, frame[payload_at:-CRC])


def headers_of(block: bytes) -> dict[str, str]:
    """Parses `block`, the bytes of a frame's headers. Returns those whose values are strings.

    Raises `ValueError` for invalid headers. Of a last string that is cut off, returns the part that is there.
    """
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
            if kind in _SIZES and at > len(block):
                # Of text and byte arrays botocore takes what there is.
                raise ValueError("cut inside a header")
    except (IndexError, StructError):
        raise ValueError("cut inside a header") from None
    return headers


def error_of(headers: dict[str, str], payload: bytes | None = None) -> ApiError | None:
    """Returns the error that a frame reports by its headers, `None` for a frame that reports none.

    The error's name is its `:exception-type` if botocore knows that exception (`BEDROCK_EXCEPTIONS`). Otherwise it is
    its `:error-code`; without a code it has no name.

    - `type`: the API's type for the name, or without a name for the `:exception-type`. `_OTHER` if none is known.
    - `raw_type`: the name, which the app sees in the SDK's exception, cut to `MAX_TOLD` characters. `None` if it has no
      name, and if botocore knows the exception, but fails to decode `payload`.

    `payload` is that of the frame. It may be `None` if it was too long to keep, or if `raw_type` does not matter: then
    it counts as one that can be decoded.
    """
    if headers.get(":message-type") not in ("error", "exception"):
        return None
    exception, code = headers.get(":exception-type"), headers.get(":error-code")
    # botocore raises for the exceptions of Bedrock's model and no other. It takes an error's code unchanged.
    raised = exception if exception in BEDROCK_EXCEPTIONS else code
    told = raised or exception or ""
    name = told[:1].lower() + told[1:]
    if exception in BEDROCK_EXCEPTIONS and payload is not None:
        try:
            _content_of(payload)
        except ValueError:
            raised = None
    return ApiError(_ERROR_TYPES.get(name) or known_type(name), raw_type=raised[:MAX_TOLD] if raised else raised)


def error_of_header(value: bytes) -> ApiError | None:
    """Returns the error that Bedrock tells in the header `x-amzn-errortype` of a refusal, with its `type` alone.

    `value` is the name of an exception, followed by the address of Amazon's service that raised it. Returns `None` for
    an exception that is not known, and if no such address follows, as in the header that Amazon's gateways send.
    """
    told = _RAISED(value)
    name = told[1].decode("ascii") if told is not None else ""
    error_type = _REFUSALS.get(name[:1].lower() + name[1:])
    return ApiError(error_type) if error_type is not None else None


_RAISED: Final = re.compile(rb"(\w{1,64}):http://internal\.amazon\.com/coral/", re.ASCII).match


def event_of(headers: dict[str, str], payload: bytes) -> Event:
    """Returns the event in a frame's payload: its name and its JSON, `(None, b"")` if the SDK skips the frame.

    The name is the `type` in the JSON, `None` without one. `headers` are those of the frame, by `headers_of`, and must
    report no error. Raises `ValueError` if the SDK rejects the payload.
    """
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
    """Parses the JSON object in a frame's payload. Returns `{}` for what is not JSON, as botocore does.

    Raises `ValueError` where botocore raises: for invalid UTF-8, and for JSON that is nested too deeply or no object.
    """
    text = payload.decode()
    # Not at the top of the module: most streams never need it.
    import json

    try:
        content = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError:
        # botocore takes it for a message of unknown form, which has no event.
        return {}
    if not isinstance(content, dict):
        raise ValueError("no object")
    return content

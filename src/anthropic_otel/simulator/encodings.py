"""Decodes the bodies of requests, which may be compressed with gzip.

The codes of the refusals are those of the SDK's `types/shared/request_body_*_error.py`, and so are their statuses; the
words are ours.

Rule: nothing here raises, and a body is decoded to no more bytes than the API takes.
"""

from __future__ import annotations

import zlib
from typing import Final

from anthropic_otel.simulator.answers import Refused
from anthropic_otel.simulator.sizes import max_body

_GZIP: Final = ("gzip", "x-gzip")
_NONE: Final = ("", "identity")


def decoded(body: bytes, encoding: str, target: str) -> bytes | Refused:
    """Returns the body of a request without its content encoding, or the API's refusal of it.

    `encoding` is the request's `content-encoding`, and `target` decides how large the body may be.
    """
    encoding = encoding.strip().lower()
    if encoding in _NONE:
        return body
    if encoding not in _GZIP:
        words = "The request's Content-Encoding is not supported"
        return Refused(400, "invalid_request_error", words, code="request_body_encoding_unsupported")
    most = max_body(target)
    decoder = zlib.decompressobj(wbits=31)
    try:
        plain = decoder.decompress(body, most + 1)
    except zlib.error:
        return _invalid()
    if len(plain) > most:
        words = "Request exceeds the maximum size once it is decoded"
        return Refused(413, "request_too_large", words, code="request_body_too_large_after_decoding")
    return plain if decoder.eof and not decoder.unused_data else _invalid()


def _invalid() -> Refused:
    words = "The request body is not valid for its Content-Encoding"
    return Refused(400, "invalid_request_error", words, code="request_body_encoding_invalid")

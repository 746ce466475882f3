"""Tells what a 2xx response has to contain, and what its headers and its body look like. `response` compares the two.

A captive portal, a gateway's login page or an empty body may come with status 200. `Response.judge` and
`Response.is_no_stream` find that it is no answer.

Rule: no body is parsed here. Its content type, its beginning, its last byte and one word that every message has are
enough.
"""

from __future__ import annotations

import codecs
import functools
import re
from enum import Enum
from typing import Final

from anthropic_otel._core.headers import RawHeaders
from anthropic_otel._core.semconv import OTHER


class Expected(Enum):
    """What a 2xx response to a request has to contain."""

    JSON = "a JSON object"
    JSON_OR_NULL = "a JSON object, or null for nothing"
    JSON_LINES = "JSON objects, each on a line of its own"
    JSON_OR_EVENT_STREAM = "a JSON object or an event stream, it is not known which"
    EVENT_STREAM = "an event stream"
    ANYTHING = "whatever the server sends: a file, or what an unknown operation returns"


class Content(Enum):
    """What a response contains by its content type."""

    JSON = "JSON"
    SSE = "server-sent events"
    AWS_EVENT_STREAM = "frames of an AWS event stream"
    PAGE = "HTML"
    UNKNOWN = "another content type, or none"


_PAGES: Final = (b"text/html", b"application/xhtml")
_COMMON: Final = {
    b"application/json": Content.JSON,
    b"text/event-stream": Content.SSE,
    b"text/event-stream; charset=utf-8": Content.SSE,
}
_BLANK: Final = b" \t\r\n\xef\xbb\xbf"
_BLANK_OR_ZERO: Final = _BLANK + b"\0"
_FILES: Final = ("download", "content")
"""The last parts of the names of operations that return a file."""
_LINES: Final = "results"
"""The last part of the names of operations that return lines of JSON. The SDK asks for these as for a stream."""
_OFFERED: Final = "poll"
"""The last part of the name of the operation that returns `null` where there is nothing to offer."""
_STREAMED: Final = ("create", "stream")
"""The last parts of the names of all operations that return an event stream if one is asked for, and of some others."""


@functools.lru_cache(maxsize=256)
def expected_of(operation: str, method: str, stream: bool | None) -> Expected:
    """Returns what a 2xx response has to contain for `operation`, such as `messages.create`, and the HTTP `method`.

    `stream` is whether the app has asked for a stream, `None` if that is not known.

    The first of these that applies, by the last part of the operation's name:

    - `ANYTHING` for the method `HEAD`, for the download of a file, and for the operation `_OTHER`, which stands for all
      that are not in the API's list;
    - `JSON_LINES` for the results of a batch;
    - `JSON_OR_NULL` for an operation that polls for work, as there may be none;
    - if `stream` is `True`, `EVENT_STREAM` for a name in `_STREAMED`, else `ANYTHING`;
    - if `stream` is `False`, `JSON`;
    - if `stream` is `None`, `JSON_OR_EVENT_STREAM`.
    """
    last = operation.rpartition(".")[2]
    if operation == OTHER or method == "HEAD" or last in _FILES:
        return Expected.ANYTHING
    if last == _LINES:
        return Expected.JSON_LINES
    if last == _OFFERED:
        return Expected.JSON_OR_NULL
    if stream:
        return Expected.EVENT_STREAM if last in _STREAMED else Expected.ANYTHING
    return Expected.JSON if stream is False else Expected.JSON_OR_EVENT_STREAM


def content_of(headers: RawHeaders) -> Content:
    """Returns what a response contains by its `content-type` header; `UNKNOWN` for another type or none.

    A type is recognized by its beginning, in any case of letters. Any other that has `json` before a `;` is JSON.
    """
    value = headers.get(b"content-type", b"")
    known = _COMMON.get(value)
    if known is not None:
        return known
    media_type = value.lower().lstrip()
    if media_type.startswith(b"text/event-stream"):
        return Content.SSE
    if media_type.startswith(b"application/vnd.amazon.eventstream"):
        return Content.AWS_EVENT_STREAM
    if media_type.startswith(_PAGES):
        return Content.PAGE
    return Content.JSON if b"json" in media_type.partition(b";")[0] else Content.UNKNOWN


def is_object(content: Content, start: bytes | None, *, or_null: bool = False) -> bool:
    """Returns whether a body may be a JSON object, or `null` if `or_null` is set.

    `start` is the beginning of the body. The first of these that applies:

    - `False` if the content type is HTML;
    - `True` if `start` is `None`, as the body could not be seen;
    - `True` if the first character is `{`, or with `or_null` if it is `n`;
    - else `False`, as for an empty body, a list, a number or a text.

    Blanks and a byte order mark before the first character are skipped. UTF-16 and UTF-32 are decoded.
    """
    if content is Content.PAGE:
        return False
    if start is None:
        return True
    first = in_utf8(start).lstrip(_BLANK)[:1]
    return first == b"{" or (or_null and first == b"n")


def is_message(body: bytes, whole: bool, has_content: bool) -> bool:
    """Returns whether a body may be a message: it begins with `{`, after any blanks, and is no error by `is_error`.

    `body` is the whole body or its beginning, after which its last byte may follow. `whole` is whether it has the
    body's end. If it has, two more things are required:

    - The last byte is `}`. Blanks and zeros after it are skipped.
    - `has_content`: the caller has found `CONTENT` anywhere in the body. It is in every message, and not in a gateway's
      `{"code": 401}`. This is not required of a body in UTF-16 or UTF-32.

    The content type does not count, as a gateway may send a message under another one.
    """
    if whole and body[-1:] != b"}" and body.rstrip(_BLANK_OR_ZERO)[-1:] != b"}":
        return False
    utf8 = in_utf8(body)
    if whole and not has_content and utf8 is body:
        return False
    start = utf8.lstrip(_BLANK)
    return start[:1] == b"{" and not is_error(start)


def is_plain_message(body: bytes) -> bool:
    """Returns `True` only for a whole body for which `is_message` does so: a faster check, which most messages pass.

    `False` says nothing.
    """
    return body[:1] == b"{" and body[-1:] == b"}" and body.find(CONTENT) > 0 and not _ERROR.match(body, 0, MAX_START)


def is_error(start: bytes) -> bool:
    """Returns whether a body with this beginning is an API's error, by its first `MAX_START` bytes.

    It is one if it begins with `{"type": "error"`, or with `{"error":` and an object or a string, or is an exception of
    Amazon's: `{"__type":`, or `{"Output": {"__type":`. White space does not matter.
    """
    return _ERROR.match(start, 0, MAX_START) is not None


CONTENT: Final = b'"content"'
"""The name of the member that every message has."""
MAX_START: Final = 64
"""How many bytes of a body are enough to recognize what it is."""
_ERROR: Final = re.compile(rb'\s*\{\s*"(?:type"\s*:\s*"error"|error"\s*:\s*[{"]|(?:Output"\s*:\s*\{\s*")?__type"\s*:)')


def in_utf8(body: bytes) -> bytes:
    """Returns a body of JSON in UTF-8 if it is in UTF-16 or UTF-32; else the same object.

    The encoding is detected as by Python's parser of JSON: by a byte order mark, or by zeros among the first bytes. Of
    a body that is converted, only the first `_MAX_WIDE` bytes are, and the rest is left out.
    """
    # As a number, for the reason at `headers._COMMA`.
    if 0 not in body[:4] and body[:2] not in _MARKS:
        return body
    # Not at the top of the module: nearly no body needs it.
    import json

    encoding = json.detect_encoding(body)
    if encoding.startswith("utf-8"):
        return body
    return body[:_MAX_WIDE].decode(encoding, "replace").encode("utf-8", "replace")


_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""The byte order marks of UTF-16. Those of UTF-32 need not be looked for, as they have zeros."""
_MAX_WIDE: Final = 16 * 1024
"""How many bytes of a body in UTF-16 or UTF-32 are converted at most."""

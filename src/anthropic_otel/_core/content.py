"""Whether a 2xx is an answer: what an operation is answered with, and what a response looks like.

A captive portal, a gateway's login page or an empty body come with status 200. Rule: the content type is asked first;
where it says nothing, the first byte of the body that is not blank, of a body that is in memory or passes anyway. What
the SDK makes a message of is one, whatever its content type is.
"""

from __future__ import annotations

import functools
import re
from enum import Enum
from typing import Final

from anthropic_otel._core.headers import RawHeaders


class Expected(Enum):
    """What a request is to be answered with."""

    JSON = "a JSON value"
    JSON_OR_EVENT_STREAM = "a JSON value or an event stream, it is not known which"
    EVENT_STREAM = "an event stream"
    ANYTHING = "whatever the server sends: a file, or what an unknown operation returns"


class Content(Enum):
    """What a response is, by its content type."""

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
_JSON_STARTS: Final = frozenset(b'{["-0123456789tfn')
_BLANK: Final = b" \t\r\n\xef\xbb\xbf"
_FILES: Final = ("download", "content", "results")
"""The last words of the operations that are answered with a file."""


@functools.lru_cache(maxsize=256)
def expected_of(operation: str, method: str, *, known: bool, stream: bool | None) -> Expected:
    """What the operation is to be answered with. `known` is whether it is one of the API's, `stream` whether the app
    has asked for an event stream, `None` where that is unknown.
    """
    if not known or method == "HEAD" or operation.rpartition(".")[2] in _FILES:
        return Expected.ANYTHING
    if stream:
        return Expected.EVENT_STREAM if operation == "messages.create" else Expected.ANYTHING
    return Expected.JSON if stream is False else Expected.JSON_OR_EVENT_STREAM


def content_of(headers: RawHeaders) -> Content:
    """What a response is, by its content type."""
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


def is_json(content: Content, start: bytes | None) -> bool:
    """Whether a body may be JSON. `start` is its beginning, empty for an empty body, `None` if it is not to be seen."""
    if content is Content.PAGE:
        return False
    if start is None:
        return True
    first = start.lstrip(_BLANK)[:1]
    return bool(first) and first[0] in _JSON_STARTS


def is_message(body: bytes, *, whole: bool) -> bool:
    """Whether a body may be a message, whatever its content type says. `whole` is whether it is more than a beginning.

    A message is a JSON object. A gateway may send one as HTML or as a stream, and an error as a 200.
    """
    text = body.strip(_BLANK + b"\0")
    return text[:1] == b"{" and (not whole or text[-1:] == b"}") and not is_error(text)


def is_error(start: bytes) -> bool:
    """Whether a body that begins so is the error of an API in JSON, whatever its status says."""
    return _ERROR.match(start, 0, MAX_START) is not None


MAX_START: Final = 64
"""How much of a body is looked at for what it is."""
_ERROR: Final = re.compile(rb'\s*\{\s*"(?:type"\s*:\s*"error"|error"\s*:\s*[{"])')

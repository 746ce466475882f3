"""Responses with status 200 or 204 whose body is not what was asked for: a page, text, nothing, another answer.

Captive portals, gateways and wrong base URLs answer like this. A stream is judged by its bytes and not by its content
type, as the SDK reads a stream of any content type as events. Here are successes too: what was asked for, with another
content type or form.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

from anthropic_otel.simulator.actions import Reply
from anthropic_otel.simulator.catalogue.event_streams import BEGUN, EVENTS, MESSAGE, cut, whole
from anthropic_otel.simulator.faults import Fault, Needs, answered
from anthropic_otel.simulator.wire import error_body, to_json

_PAGE: Final = b"<!doctype html><html><head><title>Sign in</title></head><body>Welcome</body></html>\n"
_ERROR: Final = to_json(error_body("overloaded_error", "Overloaded"))
_MESSAGE: Final = json.dumps({**MESSAGE, "stop_reason": "end_turn"}).encode()


def _unexpected(
    name: str,
    description: str,
    body: bytes,
    content_type: str | None,
    *,
    stream: bool,
    status: int = 200,
    request_id: bool = False,
    api_error: tuple[str, str | None] | None = None,
) -> Fault:
    reply = Reply(status, body=body, content_type=content_type, request_id=request_id)
    made = answered(name, description, reply, "unexpected_content", status=status, request_id=request_id, stream=stream)
    return replace(made, api_error=api_error)


_STREAMS: Final = (
    _unexpected("stream_html", "A page comes where a stream was asked for.", _PAGE, "text/html", stream=True),
    _unexpected(
        "stream_html_blank_first",
        "A page without a content type, behind empty lines, comes where a stream was asked for.",
        b"\r\n\n  " + _PAGE,
        None,
        stream=True,
    ),
    _unexpected(
        "stream_json", "A whole message comes where a stream was asked for.", _MESSAGE, "application/json", stream=True
    ),
    _unexpected(
        "stream_json_error",
        "An error of the API, with status 200 and as JSON, comes where a stream was asked for.",
        _ERROR,
        "application/json",
        stream=True,
        request_id=True,
        api_error=("overloaded_error", None),
    ),
    _unexpected(
        "stream_json_as_text",
        "A whole message comes as plain text.",
        _MESSAGE,
        "text/plain; charset=utf-8",
        stream=True,
    ),
    _unexpected(
        "stream_text", "A line of text comes where a stream was asked for.", b"OK\n", "text/plain", stream=True
    ),
    _unexpected(
        "stream_nothing", "An empty body comes where a stream was asked for.", b"", "application/json", stream=True
    ),
    _unexpected("stream_nothing_at_all", "An empty body without a content type comes.", b"", None, stream=True),
    _unexpected(
        "stream_204", "A 204 No Content comes where a stream was asked for.", b"", None, stream=True, status=204
    ),
    _unexpected("stream_html_octets", "A page comes as a download.", _PAGE, "application/octet-stream", stream=True),
    _unexpected(
        "stream_html_as_json", "A page comes and says that it is JSON.", _PAGE, "application/json", stream=True
    ),
)


def _typed(name: str, description: str, content_type: str | None, first: bytes = b"") -> Fault:
    return whole(name, description, *((first,) if first else ()), *EVENTS, content_type=content_type)


_WRONG_TYPES: Final = (
    _typed("stream_as_text", "A whole stream says that it is plain text.", "text/plain"),
    _typed("stream_as_json", "A whole stream says that it is JSON.", "application/json"),
    _typed("stream_as_octets", "A whole stream says that it is a download.", "application/octet-stream"),
    _typed("stream_untyped", "A whole stream has no content type.", None),
    _typed(
        "stream_type_in_capitals", "The content type of a stream is in capitals.", "Text/Event-Stream;Charset=UTF-8"
    ),
    _typed("stream_as_text_comment_first", "A stream as plain text begins with a comment.", "text/plain", b": hi\n\n"),
    _typed("stream_as_text_blank_first", "A stream as plain text begins with empty lines.", "text/plain", b"\r\n\n"),
    _typed(
        "stream_as_text_retry_first", "A stream as plain text begins with another field.", "text/plain", b"retry: 9\n"
    ),
    cut("stream_as_text_incomplete", "A stream as plain text ends too early.", *BEGUN, content_type="text/plain"),
    cut("stream_untyped_incomplete", "A stream without a content type ends too early.", *BEGUN, content_type=None),
    cut("stream_of_json", "A message says that it is a stream of events.", _MESSAGE),
    cut("stream_of_html", "A page says that it is a stream of events.", _PAGE),
    replace(
        cut("stream_of_error", "An error of the API, as JSON, says that it is a stream of events.", _ERROR),
        api_error=("overloaded_error", None),
    ),
)


def _whole(name: str, description: str, body: bytes, content_type: str | None, status: int = 200) -> Fault:
    return _unexpected(name, description, body, content_type, stream=False, status=status)


_WHOLE: Final = (
    _whole("html", "A page comes where a message was asked for.", _PAGE, "text/html; charset=utf-8"),
    _whole("html_untyped", "A page comes that has no content type.", b"\n " + _PAGE, None),
    _whole("html_as_json", "A page comes and says that it is JSON.", _PAGE, "application/json"),
    _whole("text", "A line of text comes where a message was asked for.", b"OK", "text/plain"),
    _whole("text_as_json", "A line of text comes and says that it is JSON.", b"upstream failed", "application/json"),
    _whole("nothing", "An empty body comes where a message was asked for.", b"", "application/json"),
    _whole("nothing_untyped", "An empty body without a content type comes.", b"", None),
    _whole("blank_as_json", "Empty lines come and say that they are JSON.", b"\r\n \n", "application/json"),
    _whole("no_content", "A 204 No Content comes where a message was asked for.", b"", None, 204),
    _whole(
        "xml", "An XML document comes where a message was asked for.", b"<?xml version='1.0'?><a/>", "application/xml"
    ),
    _whole("json_error", "An error of the API comes with status 200.", _ERROR, "application/json"),
    _whole(
        "json_error_of_gateway",
        "An error of a gateway's own comes with status 200.",
        b'{"error": {"message": "no channel", "type": "new_api_error"}}',
        "application/json",
    ),
    _whole(
        "json_error_of_amazon",
        "An exception of Amazon's front end comes with status 200.",
        b'{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}',
        "application/json",
    ),
    _whole(
        "json_code_of_gateway",
        "A gateway tells of its failure by a code of its own, with status 200.",
        b'{"code": 401, "msg": "no balance", "data": null}',
        "application/json",
    ),
    _whole(
        "json_of_another_api",
        "A gateway answers in the form of another vendor's API.",
        b'{"id": "chatcmpl-1", "object": "chat.completion", "choices": []}',
        "application/json",
    ),
    _whole("json_other_shape", "The JSON is an object that is no message.", b'{"status":"ok"}', "application/json"),
    _whole("json_null", "A null comes where a message was asked for.", b"null", "application/json"),
    _whole("json_list", "A list comes where a message was asked for.", b"[]", "application/json"),
    _whole("json_cut", "Half of a message comes, and says that it is whole.", _MESSAGE[:-2], "application/json"),
    _whole("json_and_more", "Something comes after the message.", _MESSAGE + b"</html>", "application/json"),
    _whole("events_unasked", "A stream comes where a message was asked for.", b"".join(EVENTS), "text/event-stream"),
)

_BY_SDK: Final = Needs(sdk="Anthropic")
"""For bodies that only a client that parses them can tell from JSON."""


def _unparsable(name: str, description: str, body: bytes, content_type: str = "application/json") -> Fault:
    """Returns a fault: a 200 with a body that only a client that parses it can tell from a message.

    It is reported as `unexpected_content`. Only requests without a stream can meet it.
    """
    reply = Reply(body=body, content_type=content_type, request_id=True)
    return answered(name, description, reply, "unexpected_content", stream=False, needs=_BY_SDK)


_BROKEN: Final = _MESSAGE.replace(b'"role":', b'"role"', 1)

_UNPARSABLE: Final = (
    _unparsable("json_broken_inside", "The JSON of a message is wrong only in its middle.", _BROKEN),
    _unparsable("json_twice", "A gateway sends the message twice in one body.", _MESSAGE + _MESSAGE),
    _unparsable(
        "json_in_latin_1",
        "The JSON of a message is not in UTF-8.",
        _MESSAGE.replace(b"assistant", "assist\u00e4nt".encode("latin-1")),
    ),
    _unparsable(
        "json_too_deep",
        "The JSON is nested more deeply than a parser goes.",
        b'{"content":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ),
    _unparsable(
        "json_broken_as_text", "The JSON is wrong in its middle, and says that it is text.", _BROKEN, "text/plain"
    ),
)

_OTHER_JSON: Final = "application/vnd.example+json; charset=utf-8"


def _json(name: str, description: str, body: bytes, content_type: str = "application/json") -> Fault:
    """Returns a success: a 200 with that body, which must be a message as JSON; only for requests without a stream."""
    return answered(name, description, Reply(body=body, content_type=content_type), stream=False)


_JSON: Final = (
    _json(
        "json_blank_first",
        "A gateway has kept the connection alive with blanks before the JSON.",
        b"\n \r\n" + _MESSAGE,
    ),
    _json("json_other_type", "The JSON has a content type of its own.", _MESSAGE, _OTHER_JSON),
    _json("json_as_html", "A gateway says of each message that it is a page.", _MESSAGE, "text/html; charset=utf-8"),
    _json("json_as_text", "A gateway says of each message that it is text.", _MESSAGE, "text/plain"),
    _json("json_as_events", "A message says that it is a stream of events.", _MESSAGE, "text/event-stream"),
    _json("json_in_utf_16", "The JSON is in UTF-16, with its byte order mark.", _MESSAGE.decode().encode("utf-16")),
    _json("json_in_utf_16_le", "The JSON is in UTF-16, without a mark.", _MESSAGE.decode().encode("utf-16-le")),
    _json("json_in_utf_32", "The JSON is in UTF-32, with its byte order mark.", _MESSAGE.decode().encode("utf-32")),
    _json("json_with_mark", "The JSON is in UTF-8, and begins with a byte order mark.", b"\xef\xbb\xbf" + _MESSAGE),
)

FAULTS: Final = (*_STREAMS, *_WRONG_TYPES, *_WHOLE, *_UNPARSABLE, *_JSON)

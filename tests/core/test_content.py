"""Whether a 2xx is an answer, by what was asked for, by the content type and by the first byte."""

from __future__ import annotations

import json

import pytest

from anthropic_otel._core.content import CONTENT, Content, Expected, content_of, expected_of, is_message, is_object
from support.operations import NAMES


@pytest.mark.parametrize(
    ("operation", "method", "stream", "expected"),
    [
        ("messages.create", "POST", False, Expected.JSON),
        ("messages.create", "POST", True, Expected.EVENT_STREAM),
        ("models.list", "GET", False, Expected.JSON),
        ("models.list", "HEAD", False, Expected.ANYTHING),
        ("sessions.events.stream", "GET", True, Expected.EVENT_STREAM),
        ("completions.create", "POST", True, Expected.EVENT_STREAM),
        ("files.download", "GET", False, Expected.ANYTHING),
        ("skills.versions.content", "GET", False, Expected.ANYTHING),
        ("messages.batches.results", "GET", True, Expected.JSON_LINES),
        ("messages.batches.results", "GET", None, Expected.JSON_LINES),
    ],
)
def test_what_an_operation_is_answered_with(operation: str, method: str, stream: bool, expected: Expected) -> None:
    """A file is anything, what is streamed is an event stream, and everything else of the API is JSON."""
    assert expected_of(operation, method, stream) is expected


def test_an_operation_that_is_not_the_apis_is_answered_with_anything() -> None:
    """Nobody knows what a path of another server returns, whatever was asked for."""
    assert expected_of("_OTHER", "POST", True) is Expected.ANYTHING


def test_each_operation_of_the_list_that_downloads_is_a_file() -> None:
    """Of the operations that the library knows, those that return a file are not taken for JSON."""
    files = {name for name in NAMES if expected_of(name, "GET", False) is Expected.ANYTHING}
    assert {"skills.versions.download", "files.download"} <= {name.removeprefix("beta.") for name in files}


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        (b"text/event-stream", Content.SSE),
        (b" Text/Event-Stream; charset=utf-8", Content.SSE),
        (b"application/vnd.amazon.eventstream", Content.AWS_EVENT_STREAM),
        (b"text/html; charset=utf-8", Content.PAGE),
        (b"application/xhtml+xml", Content.PAGE),
        (b"application/json", Content.JSON),
        (b"application/problem+json; charset=utf-8", Content.JSON),
        (b"text/plain; note=json", Content.UNKNOWN),
        (b"\xff", Content.UNKNOWN),
        (b"", Content.UNKNOWN),
    ],
)
def test_what_a_content_type_is(content_type: bytes, content: Content) -> None:
    """Parameters and case of a content type say nothing."""
    assert content_of({b"content-type": content_type}) is content


def test_a_response_without_a_content_type_is_unknown() -> None:
    """A response without the header may be anything."""
    assert content_of({}) is Content.UNKNOWN


@pytest.mark.parametrize("start", [b"{", b" \r\n\t{", b"\xef\xbb\xbf{"])
@pytest.mark.parametrize("content", [Content.JSON, Content.UNKNOWN])
def test_a_body_may_be_an_object_by_its_first_byte(content: Content, start: bytes) -> None:
    """Every JSON object begins with a brace, after blanks and a byte order mark."""
    assert is_object(content, start)


@pytest.mark.parametrize(
    "start", [b"", b" \n", b"<", b"x", b"event: ping", b"\x1f\x8b", b"[", b'"', b"-1", b"0", b"true", b"false", b"null"]
)
@pytest.mark.parametrize("content", [Content.JSON, Content.UNKNOWN])
def test_another_body_is_no_object(content: Content, start: bytes) -> None:
    """An empty body, a page, text and any other JSON are no object, whatever their content type says."""
    assert not is_object(content, start)


def test_only_an_operation_that_may_have_nothing_is_answered_by_null() -> None:
    """`null` is what a poll returns while there is no work, and for any other operation it is no answer."""
    assert is_object(Content.JSON, b" null", or_null=True)
    assert not is_object(Content.JSON, b"[]", or_null=True)


@pytest.mark.parametrize(
    ("content", "start", "answer"),
    [
        (Content.PAGE, None, False),
        (Content.PAGE, b"{", False),
        (Content.JSON, None, True),
        (Content.UNKNOWN, None, True),
        (Content.SSE, b"", False),
        (Content.SSE, b"event: ping", False),
        (Content.AWS_EVENT_STREAM, b"\x00", False),
    ],
)
def test_the_content_type_is_asked_first(content: Content, start: bytes | None, answer: bool) -> None:
    """A page is no JSON by its type alone, an event stream none by its bytes, and what nobody saw is not judged."""
    assert is_object(content, start) is answer


_ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")


@pytest.mark.parametrize("encoding", _ENCODINGS)
@pytest.mark.parametrize("whole", [True, False])
def test_json_is_recognized_in_each_encoding_that_parsers_detect(encoding: str, whole: bool) -> None:
    """A message and an error are what they are in UTF-16 and UTF-32 too, with and without a byte order mark."""
    message = ' {"content": []}\n'.encode(encoding)
    assert json.loads(message) == {"content": []}
    assert is_message(message, whole=whole, has_content=CONTENT in message)
    assert is_object(Content.JSON, message)
    error = '{"error": {}, "content": []}'.encode(encoding)
    assert not is_message(error, whole=whole, has_content=True)
    assert not is_object(Content.JSON, "<html>".encode(encoding))


def test_a_zero_in_utf_8_makes_no_other_encoding_of_it() -> None:
    """A whole JSON object in UTF-8 without `content` is no message, even if one of its first bytes is a zero."""
    assert not is_message(b'{"a\0": 401}', whole=True, has_content=False)


def test_a_body_that_is_no_text_at_all_is_no_message() -> None:
    """Zeros and marks without anything that can be decoded raise nothing."""
    for body in (b"\0", b"\0\0\0\0", b"\xff\xfe", b"\xfe\xff\xd8", b"\xff\xfe\0\0\xff"):
        assert not is_message(body, whole=True, has_content=True)
        assert not is_object(Content.JSON, body)

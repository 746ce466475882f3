"""What the JSON of an event or of an error says."""

from __future__ import annotations

import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anthropic_otel._core.event_json import ApiError, JsonTypes, api_error, error_of_body, known_type, parsed
from anthropic_otel._core.semconv import API_ERROR_TYPES


@pytest.mark.parametrize("kind", API_ERROR_TYPES)
def test_an_error_has_the_apis_type(kind: str) -> None:
    """Every type that the API documents is passed on."""
    assert api_error(b'{"type": "error", "error": {"type": "%s"}}' % kind.encode()) == ApiError(kind, raw_type=kind)


API_ERROR = ApiError("api_error", raw_type="api_error")


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (
            b'{"error": {"type": "api_error", "details": {"error_code": "a_1"}}}',
            ApiError("api_error", "a_1", "api_error"),
        ),
        (b'{"error": {"type": "api_error", "details": {"error_code": "no code"}}}', API_ERROR),
        (b'{"error": {"type": "api_error", "details": {"error_code": "%s"}}}' % (b"x" * 65), API_ERROR),
        (b'{"error": {"type": "api_error", "details": {"error_code": 7}}}', API_ERROR),
        (b'{"error": {"type": "api_error", "details": "x"}}', API_ERROR),
        (b'{"error": {"type": "secret"}}', ApiError("_OTHER", raw_type="secret")),
        (b'{"error": {"type": "%s"}}' % (b"x" * 65), ApiError("_OTHER", raw_type="x" * 64)),
        (b'{"error": {"type": ["api_error"]}}', ApiError("_OTHER")),
        (b'{"error": "api_error"}', ApiError("_OTHER")),
        (b"[]", ApiError("_OTHER")),
        (b"<html>", ApiError("_OTHER")),
        (b"\xff", ApiError("_OTHER")),
        (b"[" * 100_000, ApiError("_OTHER")),
    ],
)
def test_what_is_no_documented_type_or_code_is_not_passed_on(data: bytes, error: ApiError) -> None:
    """Types are of a closed list and codes are short words; nothing else of an error gets through."""
    assert api_error(data) == error


@pytest.mark.parametrize("data", [b"{", b"", b"\xff", b"[" * 100_000])
def test_what_the_sdk_cannot_parse_is_a_value_error(data: bytes) -> None:
    """Whatever is wrong with a text that is no JSON, there is one exception for it."""
    with pytest.raises(ValueError):  # noqa: PT011
        parsed(data)


@pytest.mark.parametrize("name", [None, 7, [], "", "api_error ", "secret"])
def test_a_type_that_is_not_documented_is_other(name: object) -> None:
    """A type that the API does not document is `_OTHER`, of whichever kind it is."""
    assert known_type(name) == "_OTHER"


TEXT = b'{"type": "error", "error": {"details": {"error_code": "busy"}, "type": "overloaded_error", "message": "x"}}'


@given(st.lists(st.integers(0, len(TEXT)), max_size=6).map(sorted))
def test_types_are_found_wherever_the_pieces_are_cut(cuts: list[int]) -> None:
    """A type that is cut between two pieces is found all the same."""
    types = JsonTypes()
    for start, end in zip([0, *cuts], [*cuts, len(TEXT)], strict=True):
        types.feed(TEXT[start:end])
    assert (types.event, types.error, types.code) == (b"error", "overloaded_error", "busy")


def test_an_error_code_of_another_object_is_not_the_errors() -> None:
    """A gateway may quote a request as JSON, with a tool's input: of a code only that in the `details` counts."""
    types = JsonTypes()
    types.feed(b'{"error": {"message": "m"}, "input": {"error_code": "a_secret"}, ')
    types.feed(b'"result": {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"}}')
    assert types.code is None


def test_what_a_model_writes_is_not_taken_for_a_type() -> None:
    """Within a JSON string the quotes are escaped."""
    types = JsonTypes()
    types.feed(rb'{"type": "content_block_delta", "delta": {"text": "{\"type\": \"error\"}"}}')
    assert (types.event, types.error, types.code) == (None, None, None)


@pytest.mark.parametrize(
    ("content_type", "encoding"),
    [
        (b"application/json", "utf-8"),
        (b"application/json", "latin-1"),
        (b"application/json; charset=iso-8859-1", "latin-1"),
        (b"application/json;charset='UTF-16'", "utf-16"),
        (b"application/json; charset=no-such-one", "utf-8"),
        (b"", "utf-8"),
    ],
)
def test_an_error_is_read_in_the_charset_of_its_response(content_type: bytes, encoding: str) -> None:
    """As the SDK reads it: by the charset, and a byte that is not valid in it does not hide the type."""
    body = '{"error": {"type": "overloaded_error", "message": "überlastet"}}'.encode(encoding)
    response = httpx.Response(529, headers={"content-type": content_type.decode()}, content=body)
    assert json.loads(response.text)["error"]["type"] == "overloaded_error"
    assert error_of_body(body, content_type).type == "overloaded_error"


def test_an_error_in_an_undeclared_encoding_has_no_type() -> None:
    """The SDK cannot read UTF-16 that no charset declares either."""
    body = '{"error": {"type": "overloaded_error"}}'.encode("utf-16")
    assert error_of_body(body, b"application/json").type == "_OTHER"

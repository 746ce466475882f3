"""What is read of requests and responses of the HTTP libraries, and the headers that are set on requests."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from anthropic_otel._adapters import messages
from anthropic_otel._core import semconv

LIBRARY: Any = importlib.import_module("httpx2" if importlib.util.find_spec("httpx2") is not None else "httpx")


class PublicOnly:
    """Headers without the list that the library keeps them in."""

    def __init__(self, headers: Any) -> None:
        self._headers = headers

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        found: list[tuple[bytes, bytes]] = self._headers.raw
        return found

    def __setitem__(self, name: str, value: str) -> None:
        self._headers[name] = value


@pytest.fixture(params=["by the list", "by the public interface"])
def seen(request: pytest.FixtureRequest) -> Any:
    """Makes what has the given headers, in either way."""

    def make(pairs: list[tuple[str, str]]) -> Any:
        headers = LIBRARY.Headers(pairs)
        return SimpleNamespace(headers=headers if request.param == "by the list" else PublicOnly(headers), stream=None)

    return make


def test_headers_are_found_whatever_their_case(seen: Any) -> None:
    """By their names in lower case; values of one name are joined."""
    message = seen([("Request-ID", "r"), ("Content-Length", "12"), ("Via", "a"), ("via", "b")])
    names = messages.names_of(message)
    assert names == [b"request-id", b"content-length", b"via", b"via"]
    assert messages.headers_of(message) == {b"request-id": b"r", b"content-length": b"12", b"via": b"a, b"}
    assert messages.header_of(message, names, b"via") == b"a"
    assert messages.header_of(message, names, b"date") is None
    assert messages.size_of(message) == 12
    assert messages.size_of(seen([])) is None


def test_the_size_of_a_request_is_that_of_its_body_in_memory() -> None:
    """Else what its header says; an empty body without that header has none."""
    assert messages.size_of(LIBRARY.Request("POST", "http://a.test", content=b"12345")) == 5
    assert messages.size_of(LIBRARY.Request("POST", "http://a.test", content=iter([b"12345"]))) is None
    assert messages.size_of(LIBRARY.Request("GET", "http://a.test")) is None


def test_the_size_of_a_request_is_that_of_the_body_that_replaced_its_first() -> None:
    """As where a hook of the app has compressed it: the request keeps the first one as its `content`."""
    request = LIBRARY.Request("POST", "http://a.test", content=b"12345")
    request.stream = LIBRARY.ByteStream(b"123")
    assert messages.size_of(request) == 3


class _OtherParts(NamedTuple):
    """The parts of a URL as httpx 0.23 has them: the port is a text, and an IPv6 address is in brackets."""

    scheme: str = "http"
    authority: str = "[::1]:8000"
    path: str = "/v1/messages"
    query: str = "a=b"
    fragment: str = ""

    @property
    def host(self) -> str:
        return "[::1]"

    @property
    def port(self) -> str:
        return "8000"


@pytest.mark.parametrize("parts", [None, _OtherParts()], ids=["installed", "httpx 0.23"])
def test_the_target_of_a_request_has_the_address_and_the_port_as_a_number(parts: _OtherParts | None) -> None:
    """An IPv6 address is without brackets there."""
    request = LIBRARY.Request("POST", "http://[::1]:8000/v1/messages?a=b")
    if parts is not None:
        request.url = _Url(request.url, parts)
    target = messages.target_of_request(request)
    assert (target.address, target.port, target.template) == ("::1", 8000, "/v1/messages")
    assert target.attributes[semconv.SERVER_PORT] == 8000
    assert target.attributes[semconv.URL_FULL] == "http://[::1]:8000/v1/messages"


class _Url:
    """A URL of the installed library, with other parts."""

    def __init__(self, url: Any, parts: _OtherParts) -> None:
        self._url = url
        self._uri_reference = parts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._url, name)


@pytest.mark.parametrize(("value", "number"), [("0", 0), ("2", 2), ("x", 0), ("-1", 0), ("123456", 0)])
def test_the_number_of_a_retry_is_a_small_number(seen: Any, value: str, number: int) -> None:
    """Anything else is no retry."""
    message = seen([("x-stainless-retry-count", value)])
    assert messages.retry_count_of(message, messages.names_of(message)) == number


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/model/anthropic.claude-v1%3A0/invoke", True),
        ("/model/a/invoke-with-response-stream", True),
        ("/gateway/v1/projects/p/locations/r/publishers/anthropic/models/claude:rawPredict", True),
        ("/v1/projects/p/locations/r/publishers/anthropic/models/count-tokens:rawPredict?a=b", True),
        ("/v1/projects/p/locations/r/publishers/google/models/gemini:rawPredict", False),
        ("/model/a/converse", False),
        ("/v1/messages", False),
        ("/v1/chat/completions", False),
        ("/search?q=/publishers/anthropic/models/", False),
    ],
)
def test_the_routes_of_bedrock_and_vertex_are_known(path: str, *, known: bool) -> None:
    """A request of the SDK has one of them or an `anthropic-version` header. Other SDKs' requests have neither."""
    assert messages.has_platform_route(LIBRARY.Request("POST", f"https://platform.test{path}")) is known


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/model/anthropic.claude-v1%3A0/invoke", True),
        ("/model/us.anthropic.claude-v1:0/invoke-with-response-stream?a=b", True),
        ("/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Feu.anthropic.claude/invoke", True),
        ("/gateway/v1/projects/p/locations/r/publishers/anthropic/models/claude:rawPredict", True),
        ("/v1/projects/p/locations/r/publishers/google/models/gemini:rawPredict", False),
        ("/anthropic/model/amazon.titan-v1/invoke", False),
        ("/model/anthropic.claude-v1%3A0/converse", False),
        ("/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Aapplication-inference-profile%2Fa/invoke", False),
        ("/anthropic/v1/messages", False),
        ("/search?q=/publishers/anthropic/models/", False),
    ],
)
@pytest.mark.parametrize("parts", [None, _OtherParts()], ids=["installed", "httpx 0.23"])
def test_a_path_that_asks_a_model_of_anthropics_is_known_by_its_name(
    path: str, parts: _OtherParts | None, *, known: bool
) -> None:
    """On Bedrock and Vertex, where requests need no version header. The same path with another model is not known."""
    request = LIBRARY.Request("POST", f"https://platform.test{path}")
    if parts is not None:
        request.url = _Url(request.url, parts)
    assert messages.asks_anthropic_on_a_platform(request) is known


def _refuse(response: Any) -> None:
    """A response hook that raises, whatever has come."""
    raise ValueError(response.status_code)


@pytest.mark.parametrize(
    ("status", "location", "redirected"),
    [
        (200, "https://api.test/", False),
        (304, "https://api.test/", False),
        (307, None, False),
        (307, "https://api.test/", True),
    ],
)
def test_a_redirect_is_told_from_any_other_response(status: int, location: str | None, redirected: bool) -> None:
    """It has a status of a redirect and an address, also where a hook of the app raises when the response has come."""
    error = _failed_get(status, {"location": location} if location is not None else {}, [_refuse])
    assert messages.was_redirected(error) is redirected


def test_a_redirect_that_is_followed_too_often_has_come() -> None:
    """The client itself raises then, before it sends the next request."""
    error = _failed_get(307, {"location": "https://api.test/"}, [])
    assert isinstance(error, LIBRARY.TooManyRedirects)
    assert messages.was_redirected(error)


def test_nothing_has_come_if_the_first_request_fails() -> None:
    """So there was no redirect either."""
    with LIBRARY.Client() as client, pytest.raises(LIBRARY.UnsupportedProtocol) as raised:
        client.get("ftp://api.test/")
    assert not messages.was_redirected(raised.value)


def _failed_get(status: int, headers: dict[str, str], hooks: list[Any]) -> BaseException:
    """What a client raises that follows redirects, where every answer is the same."""
    transport = LIBRARY.MockTransport(lambda _: LIBRARY.Response(status, headers=headers))
    client = LIBRARY.Client(transport=transport, event_hooks={"response": hooks}, follow_redirects=True)
    with client, pytest.raises((ValueError, LIBRARY.TooManyRedirects)) as raised:
        client.get("https://api.test/")
    error: BaseException = raised.value
    return error


@pytest.mark.parametrize(
    ("before", "name", "value"),
    [
        ([], "traceparent", "00-1-2-01"),
        ([("A", "1"), ("Traceparent", "old")], "traceparent", "00-1-2-01"),
        ([("traceparent", "old"), ("A", "1"), ("traceparent", "older")], "traceparent", "00-1-2-01"),
        ([("A", "1")], "X-B3-TraceId", "1"),
        ([("A", "1")], "baggage", "user=Jörg"),
    ],
)
def test_a_header_is_set_as_by_the_public_interface(
    seen: Any, before: list[tuple[str, str]], name: str, value: str
) -> None:
    """Whether it is there already, once or twice, or not."""
    expected = LIBRARY.Headers(before)
    expected[name] = value
    message = seen(before)
    messages.set_headers(message, messages.names_of(message), {name: value})
    assert message.headers.raw == expected.raw


def test_a_header_behind_a_repeated_one_is_set_in_its_own_place(seen: Any) -> None:
    """Setting a repeated header removes its further places, so that a header behind these is elsewhere by then. No
    other header, such as the API key, is overwritten.
    """
    message = seen([("traceparent", "a"), ("traceparent", "b"), ("tracestate", "c"), ("x-api-key", "key")])
    messages.set_headers(message, messages.names_of(message), {"traceparent": "new", "tracestate": "newer"})
    assert message.headers.raw == [(b"traceparent", b"new"), (b"tracestate", b"newer"), (b"x-api-key", b"key")]


@pytest.mark.parametrize(
    "before", [[], [("A", "1")], [("A", "1"), ("Traceparent", "old")], [("traceparent", "old"), ("A", "1")]]
)
def test_a_header_of_a_request_without_repeated_names_is_set_without_them(
    seen: Any, before: list[tuple[str, str]]
) -> None:
    """The SDK has mostly set the header of its own span last."""
    expected = LIBRARY.Headers(before)
    expected["traceparent"] = "new"
    message = seen(before)
    messages.set_headers(message, None, {"traceparent": "new"})
    assert message.headers.raw == expected.raw

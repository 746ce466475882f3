"""What of a URL is recorded, and what cannot be."""

from __future__ import annotations

import tracemalloc
from types import ModuleType

import httpx
import httpx2
import pytest

from anthropic_otel._adapters.messages import target_of_request
from anthropic_otel._core import semconv
from anthropic_otel._core.operations import operation_of
from anthropic_otel._core.target import target_of

SECRET = "sk-ant-api03-secret"


def test_the_target_of_the_api() -> None:
    """All that a span of an attempt starts with."""
    target = target_of("POST", "https", "api.anthropic.com", None, "/v1/messages")
    assert (target.method, target.operation, target.template) == ("POST", "messages.create", "/v1/messages")
    assert (target.address, target.port, target.span_name) == ("api.anthropic.com", 443, "POST /v1/messages")
    assert target.attributes == {
        semconv.HTTP_REQUEST_METHOD: "POST",
        semconv.SERVER_ADDRESS: "api.anthropic.com",
        semconv.SERVER_PORT: 443,
        semconv.URL_FULL: "https://api.anthropic.com/v1/messages",
        semconv.URL_TEMPLATE: "/v1/messages",
        semconv.OPERATION_NAME: "messages.create",
    }


def test_a_path_that_no_operation_has() -> None:
    """Has no template, and the method alone is the span's name, which stays bounded."""
    target = target_of("POST", "https", "api.anthropic.com", None, "/oauth/4711")
    assert target.span_name == "POST"
    assert target.template is None
    assert semconv.URL_TEMPLATE not in target.attributes
    assert target.attributes[semconv.OPERATION_NAME] == "_OTHER"


@pytest.mark.parametrize(
    ("scheme", "host", "port", "number", "full"),
    [
        ("https", "h.test", None, 443, "https://h.test/v1/messages"),
        ("http", "h.test", None, 80, "http://h.test/v1/messages"),
        ("https", "h.test", 8443, 8443, "https://h.test:8443/v1/messages"),
        ("https", "::1", None, 443, "https://[::1]/v1/messages"),
        ("http", "fe80::1", 8080, 8080, "http://[fe80::1]:8080/v1/messages"),
    ],
)
def test_the_port_is_always_known(scheme: str, host: str, port: int | None, number: int, full: str) -> None:
    """The scheme's default where the URL has none; an IPv6 address has its brackets in the URL and none outside."""
    target = target_of("POST", scheme, host, port, "/v1/messages")
    assert (target.address, target.port) == (host, number)
    assert target.attributes[semconv.SERVER_ADDRESS] == host
    assert target.attributes[semconv.SERVER_PORT] == number
    assert target.attributes[semconv.URL_FULL] == full


def test_a_url_has_a_bounded_length() -> None:
    """A path of a megabyte is not put on a span, nor is such a host."""
    target = target_of("POST", "https", "h.test", None, f"/model/{'x' * 1_000_000}/invoke")
    assert len(str(target.attributes[semconv.URL_FULL])) == 1024
    assert target.operation == "messages.create"
    assert len(target_of("POST", "https", "h" * 1_000_000, None, "/v1/messages").address) == 255


def test_long_urls_are_not_kept() -> None:
    """Models of a megabyte in the URLs of a platform are gone with their requests."""
    tracemalloc.start()
    try:
        for number in range(20):
            target_of("POST", "https", "h.test", None, f"/model/{number}{'x' * 1_000_000}/invoke")
            operation_of("POST", f"/model/{number}{'x' * 1_000_000}/invoke")
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (f"/{SECRET}/v1/messages", "/REDACTED/v1/messages"),
        (f"/a/{SECRET}/anthropic/v1/messages/batches/b1", "/REDACTED/v1/messages/batches/b1"),
        ("/anthropic/v1/messages", "/anthropic/v1/messages"),
        (f"/oauth/{SECRET}", "/REDACTED"),
        ("/", "/"),
    ],
)
def test_a_path_of_a_gateway_never_leaves(path: str, shown: str) -> None:
    """A base URL may have a key in its path: of it only what an operation has is recorded."""
    target = target_of("GET" if "batches" in path else "POST", "https", "gateway.test", None, path)
    assert target.attributes[semconv.URL_FULL] == f"https://gateway.test{shown}"
    assert SECRET not in repr(target)


def test_a_new_path_of_the_api_itself_is_recorded() -> None:
    """The API's own paths have no keys in them."""
    target = target_of("POST", "https", "api.anthropic.com", None, "/v1/brand_new")
    assert target.attributes[semconv.URL_FULL] == "https://api.anthropic.com/v1/brand_new"


def test_the_same_request_has_the_same_target() -> None:
    """It is made once, and shared by the attempts."""
    first = target_of("POST", "https", "once.test", None, "/v1/messages")
    assert target_of("POST", "https", "once.test", None, "/v1/messages") is first


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_credentials_query_and_fragment_never_leave(library: ModuleType) -> None:
    """They are parts of a request's URL that no function of the library takes."""
    url = f"https://user:{SECRET}@h.test:8443/v1/messages?api_key={SECRET}#{SECRET}"
    target = target_of_request(library.Request("POST", url))
    assert target.attributes[semconv.URL_FULL] == "https://h.test:8443/v1/messages"
    assert SECRET not in repr(target)


@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize(
    "url",
    [
        "https://api.anthropic.com/v1/messages",
        "http://h.test",
        "http://h.test:80/v1/messages/?beta=true",
        "https://[::1]:8443/v1/messages",
        "https://bücher.test/v1/messages",
        "https://xn--bcher-kva.test/model/a%3Ab%2Fc/invoke",
        "https://h.test/v1/models/a b?x#y",
    ],
)
def test_a_url_is_read_as_by_the_public_interface(library: ModuleType, url: str) -> None:
    """Its parts are taken from the tuple in which the library keeps them."""
    request = library.Request("POST", url)
    assert request.url._uri_reference is not None
    public = request.url
    path = public.raw_path.partition(b"?")[0].decode()
    assert target_of_request(request) == target_of("POST", public.scheme, public.host, public.port, path)


def test_a_method_that_nobody_knows_is_other() -> None:
    """Whatever an app calls its method, the name of a span is one of a few, as the HTTP conventions ask."""
    target = target_of("X-SECRET", "https", "api.anthropic.com", None, "/v1/messages")
    assert target.attributes["http.request.method"] == "_OTHER"
    assert target.span_name == "HTTP"

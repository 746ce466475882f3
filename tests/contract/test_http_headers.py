"""How the HTTP libraries keep the headers of a request: looked at once for every request of an instrumented process."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.without_sdk


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_headers_are_listed_with_their_names_in_lower_case(library: str) -> None:
    """The list behind the headers of a request has a name as it was given, the name in lower case, and the value."""
    module: Any = pytest.importorskip(library)
    request = module.Request("POST", "https://service.test/", headers={"X-Stainless-Retry-Count": "1"}, json={})
    listed = {name: (given, value) for given, name, value in request.headers._list}
    assert listed[b"x-stainless-retry-count"] == (b"X-Stainless-Retry-Count", b"1")
    assert listed[b"content-length"][1] == b"2"
    request.headers["x-stainless-retry-count"] = "2"
    assert {name: value for _, name, value in request.headers._list}[b"x-stainless-retry-count"] == b"2"


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_what_is_put_into_the_list_is_a_header(library: str) -> None:
    """A header that is appended to the list, or put in the place of another, is read and sent like any other."""
    module: Any = pytest.importorskip(library)
    client = module.Client(
        transport=module.MockTransport(lambda request: module.Response(200, headers=request.headers))
    )
    request = module.Request("GET", "https://service.test/", headers={"A": "1"})
    names = [name for _, name, _ in request.headers._list]
    request.headers._list[names.index(b"a")] = (b"a", b"a", b"2")
    request.headers._list.append((b"b", b"b", b"3"))
    for headers in (request.headers, client.send(request).headers):
        assert dict(headers) == {"host": "service.test", "a": "2", "b": "3"}

"""What the library looks up below a client: its transport, the proxy of that, and whether it tells of its events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from anthropic_otel._adapters import messages
from anthropic_otel._adapters.transports import TransportFacts, facts_of
from anthropic_otel.simulator import Simulator
from support.driver import Driver
from support.marks import BREAKS_CONNECTIONS
from support.stacks import STACKS, Stack

pytestmark = [pytest.mark.without_sdk, *BREAKS_CONNECTIONS]

PROXY = "http://user:secret@127.0.0.1:3128"


@pytest.fixture(params=STACKS, ids=lambda stack: stack.name)
def stack(request: pytest.FixtureRequest) -> Stack:
    found: Stack = request.param
    return found


@pytest.fixture
def driver(stack: Stack) -> Iterator[Driver]:
    with Driver(asynchronous=stack.asynchronous) as made:
        yield made


def url(stack: Stack, text: str = "https://api.example/v1/messages") -> Any:
    return stack.module.URL(text)


def test_a_client_tells_the_transport_of_a_url(stack: Stack, driver: Driver) -> None:
    """By `_transport_for_url`: that of a mount for the hosts of that mount, and the client's own for every other."""
    own, other = (stack.module.MockTransport(lambda _: stack.module.Response(200)) for _ in range(2))
    client = (stack.module.AsyncClient if stack.asynchronous else stack.module.Client)(
        transport=own, mounts={"all://other.example": other}
    )
    assert client._transport_for_url(url(stack)) is own
    assert client._transport_for_url(url(stack, "https://other.example")) is other
    driver.close(client)


def test_a_transport_of_httpcore_has_a_pool(stack: Stack, driver: Driver) -> None:
    """In `_pool`, and the aiohttp transport has none: only the pool's transports hear of `trace` functions."""
    client = stack.client_class()
    transport = client._transport_for_url(url(stack))
    assert (getattr(transport, "_pool", None) is not None) is not stack.aiohttp
    assert facts_of(client, url(stack)) == TransportFacts(None, emits_events=not stack.aiohttp)
    driver.close(client)


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_a_proxy_is_told_by_the_transport(stack: Stack, driver: Driver, scheme: str) -> None:
    """By `_proxy_url` of the pool, or by `proxy` of the aiohttp transport; user information is not in what is kept."""
    if scheme == "socks5":
        pytest.importorskip("socksio")
        if stack.aiohttp:
            pytest.skip("aiohttp speaks no SOCKS")
    client = stack.client_class(proxy=PROXY.replace("http", scheme))
    transport = client._transport_for_url(url(stack))
    found = transport.proxy.url if stack.aiohttp else transport._pool._proxy_url
    host = found.host if isinstance(found.host, str) else found.host.decode()
    assert (host, found.port) == ("127.0.0.1", 3128)
    assert facts_of(client, url(stack)) == TransportFacts("127.0.0.1:3128", emits_events=not stack.aiohttp)
    driver.close(client)


def test_an_international_proxy_is_told_as_it_is_looked_up(stack: Stack, driver: Driver) -> None:
    """The same on each of them, whether its URL is one of httpx or of httpcore."""
    client = stack.client_class(proxy="http://b\u00fccher.test:3128")
    assert facts_of(client, url(stack)).proxy == "xn--bcher-kva.test:3128"
    driver.close(client)


def test_a_transport_of_the_apps_own_is_unknown(stack: Stack, driver: Driver) -> None:
    """A transport that has neither a pool nor a proxy says nothing of either."""
    client = (stack.module.AsyncClient if stack.asynchronous else stack.module.Client)(
        transport=stack.module.MockTransport(lambda _: stack.module.Response(200))
    )
    assert facts_of(client, url(stack)) == TransportFacts()
    driver.close(client)


class _Counted(list[object]):
    """A list that counts how many of its items are handed out."""

    handed = 0

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        self.handed += len(found) if isinstance(key, slice) else 1
        return found

    def __iter__(self) -> Iterator[object]:
        for item in super().__iter__():
            self.handed += 1
            yield item


def test_what_a_mock_has_kept_is_not_gone_through_at_each_request() -> None:
    """A transport may keep every request that it got. Of a list in it only the first items are looked at."""

    class Keeping(httpx.MockTransport):
        kept: _Counted

    transport = Keeping(lambda _: httpx.Response(200))
    transport.kept = _Counted(range(10_000))
    with httpx.Client(transport=transport) as client:
        assert facts_of(client, httpx.URL("https://api.anthropic.com")) == TransportFacts()
    assert transport.kept.handed < 100


def test_a_send_that_fails_to_read_a_body_has_its_response(stack: Stack, driver: Driver, sim: Simulator) -> None:
    """The response is the variable `response` of the library's `send`. With another name the status is not known where
    a transport has no trace events, and such a failure is told by its exception alone.
    """
    client = stack.client_class()
    url = sim.endpoint("http_529_cut").base_url
    with pytest.raises(stack.module.TransportError) as caught:
        driver(client.post(f"{url}/v1/messages", json={}))
    response, _ = messages.broken_response(caught.value)
    assert isinstance(response, stack.module.Response)
    assert (response.status_code, response.extensions["http_version"]) == (529, b"HTTP/1.1")
    driver.close(client)


def test_a_send_that_fails_before_has_none(stack: Stack, driver: Driver, sim: Simulator) -> None:
    """A failure before the headers comes through the same `send`, which has no response yet."""
    client = stack.client_class()
    url = sim.endpoint("server_disconnected").base_url
    with pytest.raises(stack.module.TransportError) as caught:
        driver(client.post(f"{url}/v1/messages", json={}))
    assert messages.broken_response(caught.value) == (None, None)
    driver.close(client)

"""Which proxy an attempt went through, where the client's own transport does not tell it at first sight."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import anthropic
import pytest

from anthropic_otel.simulator import Endpoint, Reply, Simulator
from anthropic_otel.testing import Attempt, capture
from support.apps import SdkApp
from support.driver import Driver
from support.marks import BREAKS_CONNECTIONS
from support.stacks import SDK_STACKS, Stack, each_of, http_client

pytestmark = [pytest.mark.usefixtures("waits"), *BREAKS_CONNECTIONS]
stack = each_of(each for each in SDK_STACKS if not each.aiohttp)


def transport_class(stack: Stack) -> Any:
    return stack.module.AsyncHTTPTransport if stack.asynchronous else stack.module.HTTPTransport


def attempt_of(stack: Stack, base_url: str, **options: Any) -> Attempt:
    """The attempt of a call, which may fail."""
    with Driver(asynchronous=stack.asynchronous) as driver, capture() as telemetry:
        app = SdkApp(stack, Endpoint(base_url), driver, http=http_client(stack, **options), max_retries=0)
        with suppress(anthropic.APIConnectionError, anthropic.AuthenticationError):
            app.create()
        app.close()
    [attempt] = telemetry.attempts
    return attempt


def refusing(sim: Simulator) -> str:
    """The host and port of a proxy at which nobody listens."""
    return sim.endpoint("connection_refused").base_url.removeprefix("http://")


def test_a_redirect_may_lead_through_another_proxy(stack: Stack, sim: Simulator) -> None:
    """A company has a proxy for some hosts: what is blamed is the proxy of the hop that failed."""
    sim.play(Reply(307, body=b"", headers=(("location", "http://localhost:1/v1/messages"),)))
    proxy = refusing(sim)
    mounts = {"http://localhost": transport_class(stack)(proxy=f"http://user:secret@{proxy}")}
    attempt = attempt_of(stack, sim.base_url, mounts=mounts)
    assert (attempt.error_type, attempt.proxy_address, attempt.status) == ("proxy_error", proxy, None)


def test_a_redirect_may_lead_away_from_a_proxy(stack: Stack, sim: Simulator) -> None:
    """The host that refuses the second hop is none of the first hop's proxy."""
    target = sim.endpoint("connection_refused").base_url.replace("127.0.0.1", "localhost")
    sim.play(Reply(307, body=b"", headers=(("location", f"{target}/v1/messages"),)))
    # To a plain server a proxied request is one like any other.
    mounts = {"http://127.0.0.1": transport_class(stack)(proxy=sim.base_url)}
    attempt = attempt_of(stack, sim.base_url, mounts=mounts)
    assert (attempt.error_type, attempt.proxy_address) == ("connection_refused", None)


def test_an_answer_after_a_redirect_has_the_last_hops_proxy(stack: Stack, sim: Simulator) -> None:
    """What is known of an attempt is its last hop's, but for the address. To another host may go no key."""
    target = sim.base_url.replace("127.0.0.1", "localhost")
    sim.play(Reply(307, body=b"", headers=(("location", f"{target}/v1/messages"),)))
    mounts = {"http://localhost": transport_class(stack)(proxy=sim.base_url)}
    attempt = attempt_of(stack, sim.base_url, mounts=mounts)
    assert attempt.status in (200, 401)
    assert attempt.proxy_address == sim.base_url.removeprefix("http://")


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("many", [False, True], ids=["one", "list"])
def test_a_transport_that_wraps_another_has_its_proxy(depth: int, many: bool, stack: Stack, sim: Simulator) -> None:
    """Those that retry, cache or fail over keep the transports that send."""

    class Wrapping(stack.module.BaseTransport, stack.module.AsyncBaseTransport):  # type: ignore[misc, name-defined]
        def __init__(self, inner: Any) -> None:
            self.inner = [inner] if many else inner

        def _sends(self) -> Any:
            return self.inner[0] if many else self.inner

        def handle_request(self, request: Any) -> Any:
            return self._sends().handle_request(request)

        async def handle_async_request(self, request: Any) -> Any:
            return await self._sends().handle_async_request(request)

        def close(self) -> None:
            self._sends().close()

        async def aclose(self) -> None:
            await self._sends().aclose()

    proxy = refusing(sim)
    transport = transport_class(stack)(proxy=f"http://{proxy}")
    for _ in range(depth):
        transport = Wrapping(transport)
    attempt = attempt_of(stack, sim.base_url, transport=transport)
    assert (attempt.error_type, attempt.proxy_address) == ("proxy_error", proxy)


@pytest.mark.parametrize("kind", ["client", "transport"])
def test_what_takes_another_proxy_each_time_is_not_asked(kind: str, stack: Stack, sim: Simulator) -> None:
    """A client, or a transport, of the app's that goes through its proxies in turn: none of them is passed over."""
    taken: list[int] = []

    def take() -> int:
        taken.append(len(taken))
        return taken[-1]

    class InTurn(stack.module.BaseTransport, stack.module.AsyncBaseTransport):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self.inner = transport_class(stack)()

        @property
        def proxy(self) -> int:
            return take()

        def handle_request(self, request: Any) -> Any:
            assert self.proxy >= 0
            return self.inner.handle_request(request)

        async def handle_async_request(self, request: Any) -> Any:
            assert self.proxy >= 0
            return await self.inner.handle_async_request(request)

    class Client(stack.client_class):  # type: ignore[misc, name-defined]
        def _transport_for_url(self, url: Any) -> Any:
            take()
            return super()._transport_for_url(url)

    with Driver(asynchronous=stack.asynchronous) as driver, capture() as telemetry:
        options: dict[str, Any] = {"cls": Client} if kind == "client" else {"transport": InTurn()}
        app = SdkApp(stack, Endpoint(sim.base_url), driver, http=http_client(stack, **options))
        app.create()
        app.create()
        app.close()
    assert taken == [0, 1]
    assert [attempt.proxy_address for attempt in telemetry.attempts] == [None, None]


def test_of_two_transports_below_one_none_is_known(stack: Stack, sim: Simulator) -> None:
    """A transport that has two, one of them with a proxy, does not tell which it takes."""

    class Choosing(transport_class(stack)):  # type: ignore[misc]
        pass

    class Two(stack.module.BaseTransport, stack.module.AsyncBaseTransport):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self.inner = [Choosing(), Choosing(proxy=f"http://{refusing(sim)}")]

        def handle_request(self, request: Any) -> Any:
            return self.inner[0].handle_request(request)

        async def handle_async_request(self, request: Any) -> Any:
            return await self.inner[0].handle_async_request(request)

        def close(self) -> None:
            for each in self.inner:
                each.close()

        async def aclose(self) -> None:
            for each in self.inner:
                await each.aclose()

    attempt = attempt_of(stack, sim.base_url, transport=Two())
    assert (attempt.outcome, attempt.proxy_address) == ("completed", None)

"""The private functions of httpx and httpcore by which an exception of the app's own is told from one of the network.

They are in the traceback, between the library and what the app has given it. Where one has another name, what the app
has raised is classified by its type alone: its own types as `_OTHER`, and those of the network as the network's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import pytest

from anthropic_otel._core.cause import classify
from anthropic_otel._core.cause_chain import CLIENTS, HTTPCORE, chain, frames
from anthropic_otel._core.failure import BY_PROXY
from anthropic_otel._core.semconv import NetworkCause, Phase
from anthropic_otel.simulator import Simulator
from support.driver import Driver
from support.marks import BREAKS_CONNECTIONS
from support.stacks import STACKS, Stack, each_of

pytestmark = [pytest.mark.without_sdk, *BREAKS_CONNECTIONS]
stack = each_of(STACKS)


class AppError(Exception):
    """What no library raises."""


@pytest.fixture
def driver(stack: Stack) -> Iterator[Driver]:
    with Driver(asynchronous=stack.asynchronous) as made:
        yield made


def raised(driver: Driver, stack: Stack, sim: Simulator, client: dict[str, Any], **request: Any) -> AppError:
    """What a client with those options raises for a request."""
    made = stack.client_class(**client)
    with pytest.raises(AppError) as caught:
        driver(made.post(f"{sim.base_url}/v1/messages", **{"json": {}, **request}))
    driver.close(made)
    return caught.value


def callers(error: BaseException, packages: frozenset[str]) -> list[str]:
    """The functions of those packages in the traceback of `error`."""
    return [function for package, function in frames(error) if package in packages]


@pytest.mark.parametrize("kind", ["request", "response"])
def test_a_hook_is_called_by_send_handling_redirects(kind: str, stack: Stack, driver: Driver, sim: Simulator) -> None:
    """That function, and none between it and the hook, is what the cause goes by."""

    def hook(_: Any) -> None:
        raise AppError

    async def async_hook(_: Any) -> None:
        raise AppError

    hooks = {kind: [async_hook if stack.asynchronous else hook]}
    error = raised(driver, stack, sim, {"event_hooks": hooks})
    assert callers(error, CLIENTS)[-1] == "_send_handling_redirects"
    assert classify(error).word is NetworkCause.APP_EXCEPTION


def test_an_auth_flow_is_called_by_send_handling_auth(stack: Stack, driver: Driver, sim: Simulator) -> None:
    """Or by the methods of `Auth` that wrap the flow, which that function calls."""

    class Auth(stack.module.Auth):  # type: ignore[misc, name-defined]
        def auth_flow(self, request: Any) -> Generator[Any, Any, None]:
            if request is not None:
                raise AppError
            yield request

    error = raised(driver, stack, sim, {"auth": Auth()})
    assert "_send_handling_auth" in callers(error, CLIENTS)
    assert callers(error, CLIENTS)[-1] in ("_send_handling_auth", "sync_auth_flow", "async_auth_flow")
    assert classify(error).phase is Phase.AUTH


def test_a_body_is_read_by_send_request_body(stack: Stack, driver: Driver, sim: Simulator) -> None:
    """Of the connection, of HTTP/1.1, that calls back into the client's own stream. aiohttp calls that itself."""

    def body() -> Iterator[bytes]:
        yield b"{"
        raise AppError

    async def async_body() -> AsyncIterator[bytes]:
        yield b"{"
        raise AppError

    content = async_body() if stack.asynchronous else body()
    request = {"json": None, "content": content}
    if stack.aiohttp:
        made = stack.client_class()
        with pytest.raises(Exception) as caught:  # noqa: PT011
            driver(made.post(f"{sim.base_url}/v1/messages", **request))
        driver.close(made)
        assert classify(caught.value).word is NetworkCause.REQUEST_NOT_SENT
        return
    error = raised(driver, stack, sim, {}, **request)
    assert callers(error, HTTPCORE)[-1] == "_send_request_body"
    assert classify(error, phase=Phase.SEND).word is NetworkCause.REQUEST_NOT_SENT


@pytest.mark.parametrize("name", ["trace", "atrace"])
def test_a_trace_function_is_called_by_a_function_of_that_name(
    name: str, stack: Stack, driver: Driver, sim: Simulator
) -> None:
    """Of httpcore. aiohttp has no trace functions, so that there is none to fail."""
    if stack.aiohttp or (name == "atrace") is not stack.asynchronous:
        pytest.skip("the other kind has this name")

    def trace(_: str, __: Any) -> None:
        raise AppError

    async def atrace(_: str, __: Any) -> None:
        raise AppError

    error = raised(driver, stack, sim, {}, extensions={"trace": atrace if stack.asynchronous else trace})
    assert name in callers(error, HTTPCORE)
    assert classify(error).word is NetworkCause.APP_EXCEPTION


@pytest.mark.parametrize("name", ["proxy_unknown_name", "proxy_refused", "proxy_silent"])
def test_aiohttp_connects_by_a_proxy_in_functions_of_its_own(
    name: str, stack: Stack, driver: Driver, sim: Simulator
) -> None:
    """So a proxy that is not reached is told from a server: the exceptions are those of a server."""
    if not stack.aiohttp:
        pytest.skip("httpcore tells what it connects to")
    endpoint = sim.endpoint(name)
    made = stack.client_class(proxy=endpoint.proxy)
    with pytest.raises(stack.module.TransportError) as caught:
        driver(made.post(f"{endpoint.base_url}/v1/messages", json={}))
    driver.close(made)
    functions = [function for error in chain(caught.value) for function in callers(error, frozenset({"aiohttp"}))]
    connecting = functions[functions.index("_create_proxy_connection") + 1 :]
    assert connecting[0] in BY_PROXY["_create_proxy_connection"]
    found = classify(caught.value)
    assert (found.word, found.phase) == (NetworkCause.PROXY_ERROR, Phase.CONNECT)

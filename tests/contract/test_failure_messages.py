"""What the HTTP libraries raise where no type and no errno says what happened: their fixed messages, by provoking them.

Rule: nothing here is built. Each exception is what the real library raises over a real socket.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterator
from typing import Any

import pytest

from anthropic_otel._core.cause import classify
from anthropic_otel._core.semconv import NetworkCause as Word
from anthropic_otel._core.semconv import Phase
from anthropic_otel.simulator import Raw, Simulator
from support.driver import Driver
from support.http2 import BROKEN, GONE, REFUSED, Http2Server
from support.marks import BREAKS_CONNECTIONS
from support.stacks import HTTPCORE_STACKS, STACKS, Stack, http_client

pytestmark = [pytest.mark.without_sdk, *BREAKS_CONNECTIONS]

ASYNC_STACKS = tuple(stack for stack in STACKS if stack.asynchronous)

needs_h2 = pytest.mark.skipif(importlib.util.find_spec("h2") is None, reason="h2 is not installed")
needs_socks = pytest.mark.skipif(importlib.util.find_spec("socksio") is None, reason="socksio is not installed")


@pytest.fixture(params=STACKS, ids=lambda stack: stack.name)
def stack(request: pytest.FixtureRequest) -> Stack:
    found: Stack = request.param
    return found


@pytest.fixture(params=HTTPCORE_STACKS, ids=lambda stack: stack.name)
def httpcore_stack(request: pytest.FixtureRequest) -> Stack:
    found: Stack = request.param
    return found


@pytest.fixture
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    name = "stack" if "stack" in request.fixturenames else "httpcore_stack"
    with Driver(asynchronous=request.getfixturevalue(name).asynchronous) as made:
        yield made


def failure(driver: Driver, client: Any, url: str, **options: Any) -> Exception:
    """What the client raises for a request to `url`."""
    with pytest.raises(Exception) as caught:  # noqa: PT011
        driver(client.post(url, content=b"{}", **options))
    return caught.value


# -- requests that are not sent ----------------------------------------------------------------------------------------


def test_a_key_with_its_newline_is_not_sent(stack: Stack, driver: Driver, sim: Simulator) -> None:
    """The most frequent of them: a key that was read from a file."""
    client = http_client(stack)
    assert (
        classify(failure(driver, client, sim.base_url, headers={"x-api-key": "sk-key\n"})).word is Word.REQUEST_NOT_SENT
    )
    driver.close(client)


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:1/v1/messages", "ftp://127.0.0.1/v1/messages", "http:///v1/messages"],
    ids=["no scheme", "another scheme", "no host"],
)
def test_a_url_that_is_not_valid_is_not_sent(stack: Stack, driver: Driver, url: str) -> None:
    """Each library has its own exceptions for it."""
    client = http_client(stack)
    assert classify(failure(driver, client, url)).word is Word.REQUEST_NOT_SENT
    driver.close(client)


def test_a_host_name_that_cannot_be_encoded_is_not_sent(stack: Stack, driver: Driver) -> None:
    """Python's codec refuses it, but anyio hands it on to the resolver, which does not know it."""
    client = http_client(stack)
    by_anyio = stack.asynchronous and not stack.aiohttp
    word = classify(failure(driver, client, f"http://{'a' * 70}.test/")).word
    assert word is (Word.NAME_RESOLUTION_ERROR if by_anyio else Word.REQUEST_NOT_SENT)
    driver.close(client)


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        ({"x-api-key": "sk-\u2603"}, "http://127.0.0.1:1/"),
        ({"x-api-key": 5}, "http://127.0.0.1:1/"),
        ({}, "http://" + "\u00e9" * 70 + ".test/"),
        ({}, "http://127.0.0.1:1/\x00"),
    ],
    ids=["a header that is not ASCII", "a header that is a number", "a host that IDNA forbids", "a NUL in the URL"],
)
def test_a_request_that_cannot_be_built_is_not_sent(
    stack: Stack, driver: Driver, headers: dict[str, Any], url: str
) -> None:
    """An auth flow may meet these within a send."""
    client = http_client(stack)
    assert classify(failure(driver, client, url, headers=headers)).word is Word.REQUEST_NOT_SENT
    driver.close(client)


# -- bodies that end early ---------------------------------------------------------------------------------------------

CHUNK = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"


@pytest.mark.parametrize("end", [b"", b"5", b"5\r\nhel", b"0", b"0\r\n", b"0\r\n\r"])
def test_a_body_in_chunks_is_incomplete_wherever_it_is_cut(
    stack: Stack, driver: Driver, sim: Simulator, end: bytes
) -> None:
    """h11 has two messages for it: within the size of a chunk, or after the last one, it waits for a line."""
    sim.play(Raw(CHUNK + end))
    client = http_client(stack)
    assert classify(failure(driver, client, sim.base_url), phase=Phase.RECEIVE).word is Word.INCOMPLETE_BODY
    driver.close(client)


# -- closed clients and event loops ------------------------------------------------------------------------------------


def test_a_closed_client_is_named(stack: Stack, driver: Driver, sim: Simulator) -> None:
    """httpx refuses to send, whatever its transport is."""
    client = http_client(stack)
    driver.close(client)
    assert classify(failure(driver, client, sim.base_url)).word is Word.CLIENT_CLOSED


@pytest.mark.parametrize("httpcore_stack", [each for each in HTTPCORE_STACKS if each.asynchronous], ids=str)
def test_a_client_that_is_closed_while_it_waits_is_named(httpcore_stack: Stack, driver: Driver, sim: Simulator) -> None:
    """The task that reads meets a connection which its own side has closed."""
    client = http_client(httpcore_stack)
    endpoint = sim.endpoint("read_timeout")

    async def close_while_waiting() -> None:
        waiting = asyncio.Event()

        async def trace(name: str, info: Any) -> None:
            if name == "http11.receive_response_headers.started":
                waiting.set()

        task = asyncio.ensure_future(client.post(endpoint.base_url, content=b"{}", extensions={"trace": trace}))
        await waiting.wait()
        await asyncio.sleep(0)
        await client.aclose()
        await task

    with pytest.raises(httpcore_stack.module.ReadError) as caught:
        driver(close_while_waiting())
    assert classify(caught.value, phase=Phase.WAIT).word is Word.CLIENT_CLOSED


@pytest.mark.parametrize("library", ["session", "connector"])
def test_a_closed_session_of_aiohttp_is_named(library: str, sim: Simulator) -> None:
    """An app may give the transport a session of its own."""
    aiohttp = pytest.importorskip("aiohttp")

    async def use_closed() -> None:
        connector = aiohttp.TCPConnector()
        async with aiohttp.ClientSession(connector=connector) as session:
            await (session if library == "session" else connector).close()
            await session.get(sim.base_url)

    with pytest.raises(RuntimeError) as caught:
        asyncio.run(use_closed())
    assert classify(caught.value).word is Word.CLIENT_CLOSED


def cause_in_other_loop(client: Any, url: str, *, closed: bool) -> Word:
    """Why a client fails in a second event loop, whose first one has made its connection."""
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()

    async def ask() -> None:
        await client.post(url, content=b"{}")

    try:
        first.run_until_complete(ask())
        if closed:
            first.close()
        with pytest.raises(RuntimeError) as caught:
            second.run_until_complete(ask())
        return classify(caught.value).word
    finally:
        second.close()
        if not closed:
            first.run_until_complete(client.aclose())
            first.close()


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "open"])
@pytest.mark.parametrize("async_stack", ASYNC_STACKS, ids=lambda stack: stack.name)
def test_a_client_of_another_event_loop_is_named(async_stack: Stack, closed: bool, sim: Simulator) -> None:
    """One client and one `asyncio.run` per request, as scripts, Celery and Flask do it."""
    assert cause_in_other_loop(http_client(async_stack), sim.base_url, closed=closed) is Word.EVENT_LOOP_CLOSED


# -- HTTP/2 and SOCKS --------------------------------------------------------------------------------------------------


@needs_h2
@pytest.mark.parametrize(
    ("plan", "phase", "word"),
    [
        (REFUSED, Phase.WAIT, Word.STREAM_RESET),
        (BROKEN, Phase.RECEIVE, Word.STREAM_RESET),
        (GONE, Phase.WAIT, Word.SERVER_DISCONNECTED),
    ],
)
def test_a_stream_of_http2_that_ends_early_is_named(
    httpcore_stack: Stack, driver: Driver, plan: str, phase: Phase, word: Word
) -> None:
    """httpcore quotes the event of h2, which nothing else tells."""
    with Http2Server(plan) as server:
        client = http_client(httpcore_stack, transport=server.transport(httpcore_stack))
        assert classify(failure(driver, client, server.url), phase=phase).word is word
        driver.close(client)


@needs_socks
def test_a_socks_proxy_that_is_none_is_a_proxy_error(httpcore_stack: Stack, driver: Driver, sim: Simulator) -> None:
    """An HTTP server at that address: socksio's exception comes through as it is."""
    client = http_client(httpcore_stack, proxy=sim.base_url.replace("http://", "socks5://"))
    error = failure(driver, client, "https://127.0.0.1:1/")
    driver.close(client)
    assert type(error).__module__.partition(".")[0] == "socksio"
    assert classify(error, phase=Phase.CONNECT, through_proxy=True).word is Word.PROXY_ERROR

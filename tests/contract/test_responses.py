"""What the library does to responses and requests of httpx and httpx2, and that the libraries take it."""

from __future__ import annotations

import pickle
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from anthropic_otel._adapters.http_body import wrapper_class
from anthropic_otel.simulator import Reply, Simulator
from anthropic_otel.simulator.actions import Delivery, Encoding
from support.driver import Driver
from support.stacks import STACKS, Stack, each_of, http_client

LINES = b"one\ntwo\nthree"


stack = each_of(STACKS)


@pytest.fixture
def client(stack: Stack, driver: Driver) -> Iterator[Any]:
    made = http_client(stack)
    yield made
    driver.close(made)


class Asked:
    """Gets one response at a time, unread, from a simulator that answers with `LINES`."""

    def __init__(self, client: Any, driver: Driver, sim: Simulator) -> None:
        self._client, self._driver, self._sim = client, driver, sim

    def __call__(self, *, gzip: bool = False, stream: bool = True) -> Any:
        delivery = Delivery(encoding=Encoding.GZIP if gzip else Encoding.IDENTITY)
        self._sim.play(Reply(body=LINES, content_type="text/plain", delivery=delivery))
        request = self._client.build_request("GET", f"{self._sim.base_url}/v1/models")
        return self._driver(self._client.send(request, stream=stream))


@pytest.fixture
def ask(client: Any, driver: Driver, sim: Simulator) -> Asked:
    return Asked(client, driver, sim)


class _Wrapper:
    body: Any
    chunks: list[bytes]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.body, name)


class _Sync(_Wrapper):
    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.body:
            self.chunks.append(chunk)
            yield chunk

    def close(self) -> None:
        self.chunks.append(b"closed")
        self.body.close()


class _Async(_Wrapper):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self.body:
            self.chunks.append(chunk)
            yield chunk

    async def aclose(self) -> None:
        self.chunks.append(b"closed")
        await self.body.aclose()


class _Both(_Sync, _Async):
    pass


def wrapped(response: Any) -> Any:
    """Puts a body of our own around that of the response, and returns it."""
    cls: Any = type(response.stream)
    body = wrapper_class(cls, _Sync, _Async, _Both)()
    body.body, body.chunks = response.stream, []
    response.stream = body
    return body


# -- the body ----------------------------------------------------------------------------------------------------------


def test_a_body_is_a_byte_stream_of_one_kind(stack: Stack, driver: Driver, ask: Asked) -> None:
    """A subclass of `SyncByteStream` or `AsyncByteStream` of its library, by which it can be told."""
    response = ask()
    kinds = {cls.__name__ for cls in type(response.stream).__mro__ if cls.__name__.endswith("ByteStream")}
    assert kinds == {"AsyncByteStream" if stack.asynchronous else "SyncByteStream"}
    driver.close(response)


def test_a_body_in_memory_is_of_both_kinds(stack: Stack) -> None:
    """As of a mocked response; it is closed already."""
    response = stack.module.Response(200, content=b"whole")
    kinds = {cls.__name__ for cls in type(response.stream).__mro__}
    assert {"SyncByteStream", "AsyncByteStream"} <= kinds
    assert response.is_closed


@pytest.mark.parametrize("how", ["read", "iter_bytes", "iter_raw", "iter_text", "iter_lines"])
def test_another_body_is_read_and_closed_in_its_place(driver: Driver, ask: Asked, how: str) -> None:
    """`stream` can be replaced on an open response; however the app reads, it reads that one."""
    response = ask()
    body = wrapped(response)
    read = getattr(response, f"a{how}" if driver.asynchronous else how)()
    got = driver(read) if how == "read" else driver.read(read)
    assert got if how == "read" else len(b"".join(_bytes(each) for each in got))
    assert b"".join(body.chunks) == LINES + b"closed"
    assert response.is_closed


def _bytes(chunk: Any) -> bytes:
    return chunk.encode() if isinstance(chunk, str) else bytes(chunk)


def test_a_body_is_closed_with_its_response(driver: Driver, ask: Asked) -> None:
    """Unread, too."""
    response = ask()
    body = wrapped(response)
    assert not response.is_closed
    driver.close(response)
    assert body.chunks == [b"closed"]
    assert response.is_closed


def test_a_response_that_was_read_is_closed(ask: Asked) -> None:
    """What is sent without `stream` has no body left to follow."""
    response = ask(stream=False)
    assert response.is_closed
    assert response.content == LINES
    assert response._content == LINES


# -- decoded chunks ----------------------------------------------------------------------------------------------------


class _Decoder:
    """A decoder of our own around that of a response."""

    def __init__(self, decoder: Any) -> None:
        self.decoder = decoder
        self.calls: list[str] = []
        self.passed: list[bytes] = []

    def _note(self, decoded: Any) -> Any:
        if isinstance(decoded, bytes):
            self.passed.append(decoded)
            return decoded
        return self._one_by_one(decoded)

    def _one_by_one(self, decoded: Any) -> Iterator[bytes]:
        for chunk in decoded:
            self.passed.append(chunk)
            yield chunk

    def decode(self, data: bytes) -> Any:
        self.calls.append("decode")
        return self._note(self.decoder.decode(data))

    def flush(self) -> Any:
        self.calls.append("flush")
        return self._note(self.decoder.flush())


def decoded(response: Any) -> _Decoder:
    """Puts a decoder of our own in the place of that of the response, and returns it."""
    response._decoder = _Decoder(response._get_content_decoder())
    made: _Decoder = response._decoder
    return made


@pytest.mark.parametrize("how", ["read", "iter_bytes", "iter_text", "iter_lines"])
def test_decoded_chunks_pass_the_decoder_of_the_response(driver: Driver, ask: Asked, how: str) -> None:
    """A `_decoder` that was put on an unread response decodes every chunk, and is flushed once, at the end."""
    response = ask(gzip=True)
    assert response.headers["content-encoding"] == "gzip"
    decoder = decoded(response)
    assert response._get_content_decoder() is decoder
    read = getattr(response, f"a{how}" if driver.asynchronous else how)()
    driver(read) if how == "read" else driver.read(read)
    assert b"".join(decoder.passed) == LINES
    assert decoder.calls[-1] == "flush"
    assert decoder.calls.count("flush") == 1


def test_what_is_read_raw_passes_no_decoder(driver: Driver, ask: Asked) -> None:
    """An app that reads the compressed bytes itself leaves the decoder alone."""
    response = ask(gzip=True)
    decoder = decoded(response)
    driver.read(response.aiter_raw() if driver.asynchronous else response.iter_raw())
    assert decoder.calls == []


def test_a_decoder_is_not_pickled_with_its_response(driver: Driver, ask: Asked) -> None:
    """A response that was closed unread can be pickled though its decoder cannot."""
    response = ask(gzip=True)
    decoded(response).unpicklable = lambda: None  # type: ignore[attr-defined]
    driver.close(response)
    again = pickle.loads(pickle.dumps(response))
    assert again.status_code == 200
    assert not isinstance(getattr(again, "_decoder", None), _Decoder)


# -- what a response tells ---------------------------------------------------------------------------------------------


def test_what_a_response_tells(stack: Stack, driver: Driver, ask: Asked) -> None:
    """Status, raw headers in pairs, extensions that can be added to; from httpcore its version and its connection."""
    response = ask()
    assert response.status_code == 200
    assert (b"content-type", b"text/plain") in [(name.lower(), value) for name, value in response.headers.raw]
    response.extensions["anthropic_otel.observed"] = True
    if not stack.aiohttp:
        assert response.extensions["http_version"] == b"HTTP/1.1"
        host, _ = response.extensions["network_stream"].get_extra_info("server_addr")
        assert host == "127.0.0.1"
    driver.close(response)


def test_the_elapsed_time_is_that_of_the_body_below(driver: Driver, ask: Asked) -> None:
    """httpx sets it as the body inside ours is closed; httpx2 asks ours for it, so ours hands on its attributes."""
    response = ask()
    wrapped(response)
    driver(response.aread() if driver.asynchronous else response.read())
    assert response.elapsed.total_seconds() > 0


def test_a_body_that_is_not_in_memory_is_not_kept(driver: Driver, ask: Asked) -> None:
    """An open response has no `_content` until it is read."""
    response = ask()
    assert not hasattr(response, "_content")
    driver.close(response)
    assert not hasattr(response, "_content")


def test_a_response_tells_whether_it_is_a_redirect_that_may_be_followed(stack: Stack) -> None:
    """By `has_redirect_location`: a 304 or a redirect without a place to go is none."""
    made = [
        stack.module.Response(status, headers=headers)
        for status, headers in ((307, {"location": "/"}), (307, {}), (304, {"location": "/"}), (200, {}))
    ]
    assert [response.has_redirect_location for response in made] == [True, False, False, False]


def test_a_request_has_its_body_and_can_be_a_weak_key(client: Any) -> None:
    """A body that is in memory is in `_content`, with its length in the headers; a request is hashed by identity."""
    one, other = (client.build_request("POST", "http://127.0.0.1", content=b'{"model": "m"}') for _ in range(2))
    assert one._content == b'{"model": "m"}'
    assert one.headers["content-length"] == "14"
    assert dict(weakref.WeakKeyDictionary({one: 1, other: 2}).items()) == {one: 1, other: 2}


def test_what_a_request_tells(client: Any) -> None:
    """Method and URL in parts; its headers can be set until it is sent."""
    request = client.build_request("POST", "http://user:secret@127.0.0.1:81/v1/a%2Fb?beta=true#there")
    url = request.url
    assert (request.method, url.scheme, url.host, url.port) == ("POST", "http", "127.0.0.1", 81)
    assert url.raw_path == b"/v1/a%2Fb?beta=true"
    request.headers["traceparent"] = "00-1"
    assert request.headers["traceparent"] == "00-1"
    assert client.build_request("GET", "https://127.0.0.1").url.port is None


def test_every_send_is_looked_up_on_the_instance(stack: Stack, driver: Driver, client: Any, sim: Simulator) -> None:
    """`request` and `stream` of a client go through what was put in place of its `send`."""
    passed: list[Any] = []
    cls = type(client)

    def send(request: Any, **options: Any) -> Any:
        passed.append(request)
        return cls.send(client, request, **options)

    client.send = send
    driver(client.get(f"{sim.base_url}/v1/models"))
    manager = client.stream("GET", f"{sim.base_url}/v1/models")
    driver.enter(manager)
    driver.leave(manager)
    assert len(passed) == 2

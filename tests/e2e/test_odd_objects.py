"""What the app hands in or gets back may be anything: of a class of its own, with properties that raise."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import anthropic
import pytest

import anthropic_otel
from anthropic_otel._core import semconv
from anthropic_otel.simulator import Simulator
from anthropic_otel.testing import capture
from support.apps import API_KEY, SdkApp, request_of
from support.driver import Driver
from support.stacks import HTTPCORE_STACKS, SDK_STACKS, Stack, client_class_returning, each_of, http_client
from support.telemetry import Telemetry
from support.versions import SDK_LIBRARY

HEADERS = {"x-api-key": API_KEY, "anthropic-version": "2023-06-01"}

stack = each_of(stack for stack in SDK_STACKS if stack in HTTPCORE_STACKS)


def status_of(telemetry: Telemetry) -> Any:
    """That of the only attempt."""
    [attempt] = telemetry.attempts
    return dict(attempt.attributes or {}).get(semconv.HTTP_RESPONSE_STATUS_CODE)


class Events(list[str]):
    """A `trace` function that is a list of what it was told: it is false as long as that is empty."""

    def __call__(self, name: str, _: Mapping[str, Any]) -> None:
        self.append(name)


class AsyncEvents(list[str]):
    """The same for an async client."""

    async def __call__(self, name: str, _: Mapping[str, Any]) -> None:
        self.append(name)


def test_a_trace_function_that_is_false_is_called(
    sim: Simulator, stack: Stack, driver: Driver, recorded: Telemetry
) -> None:
    """The transport calls whatever is there, and so is it if the attempt is recorded."""
    recorded.instrument()
    client = http_client(stack, sim.endpoint("ok"))
    trace = AsyncEvents() if stack.asynchronous else Events()
    request = client.build_request(
        "POST",
        f"{sim.base_url}/v1/messages",
        json=request_of(),
        headers=HEADERS,
        extensions={"trace": trace},
    )
    assert driver(client.send(request)).status_code == 200
    assert "connection.connect_tcp.started" in trace
    assert request.extensions["trace"] is trace
    assert len(recorded.attempts) == 1
    driver.close(client)


@pytest.mark.parametrize("hooked", [False, True])
def test_the_extensions_of_a_request_can_be_copied(
    hooked: bool, sim: Simulator, stack: Stack, driver: Driver, recorded: Telemetry
) -> None:
    """A transport of the app does so where it sends a request anew: the copy is sent, and the attempt seen once."""
    copies: list[Any] = []

    def copied(request: Any) -> Any:
        copies.append(copy.deepcopy(request.extensions))
        return stack.module.Request(
            request.method, request.url, headers=request.headers, content=request.content, extensions=copies[-1]
        )

    class Sync(stack.module.HTTPTransport):  # type: ignore[misc,name-defined]
        def handle_request(self, request: Any) -> Any:
            return super().handle_request(copied(request))

    class Async(stack.module.AsyncHTTPTransport):  # type: ignore[misc,name-defined]
        async def handle_async_request(self, request: Any) -> Any:
            return await super().handle_async_request(copied(request))

    hooks: Any = {}
    if hooked:
        hooks = anthropic_otel.event_hooks(
            tracer_provider=recorded.tracer_provider, meter_provider=recorded.meter_provider
        )
        hooks = {"event_hooks": hooks}
    else:
        recorded.instrument()
    transport = Async() if stack.asynchronous else Sync()
    client = http_client(stack, sim.endpoint("ok"), transport=transport, **hooks)
    app = SdkApp(stack, sim.endpoint("ok"), driver, http=client)
    app.create()
    copies.clear()
    assert status_of(recorded) == 200
    app.close()


class Row:
    """What an app has the SDK make of a reply, without any field."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        raise KeyError(name)


def test_a_reply_that_raises_for_every_name_reaches_the_app(sim: Simulator, stack: Stack, driver: Driver) -> None:
    """Nothing is looked for in it that it could raise for."""
    row = Row()
    base: Any = anthropic.AsyncAnthropic if stack.asynchronous else anthropic.Anthropic

    class Sync(base):  # type: ignore[misc]
        def _process_response(self, **options: Any) -> Any:
            super()._process_response(**options)
            return row

    class Async(base):  # type: ignore[misc]
        async def _process_response(self, **options: Any) -> Any:
            await super()._process_response(**options)
            return row

    client_class = Async if stack.asynchronous else Sync
    app = SdkApp(stack, sim.endpoint("ok"), driver, client_class=client_class, api_key=API_KEY)
    with capture() as telemetry:
        assert app.create() is row
    [call] = telemetry.calls
    assert call.outcome == "succeeded"
    app.close()


def test_a_response_whose_history_raises_reaches_the_app(sim: Simulator, stack: Stack, driver: Driver) -> None:
    """A client of the app's own returns one of a class of its own."""

    class Response(stack.module.Response):  # type: ignore[misc,name-defined]
        @property
        def history(self) -> Any:
            raise LookupError

        @history.setter
        def history(self, _: Any) -> None: ...

    made: list[Any] = []

    def made_anew(response: Any) -> Any:
        made.append(Response(response.status_code, content=response.content, request=response.request))
        return made[-1]

    client = http_client(stack, sim.endpoint("ok"), cls=client_class_returning(stack, made_anew))
    app = SdkApp(stack, sim.endpoint("ok"), driver, http=client)
    with capture() as telemetry:
        assert app.driver(app.client.messages.with_raw_response.create(**request_of())).http_response is made[0]
    assert [attempt.status for attempt in telemetry.attempts] == [200]
    app.close()


@pytest.mark.parametrize("returned", [bytearray, memoryview, None])
def test_a_decoder_of_the_app_may_return_other_bytes_than_bytes(returned: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An app may add one to those of the library, which passes on what it gets of it."""
    httpx = pytest.importorskip("httpx")

    class Decoder:
        def decode(self, data: bytes) -> Any:
            return returned(data) if returned is not None else None

        def flush(self) -> bytes:
            return b""

    monkeypatch.setitem(importlib.import_module("httpx._decoders").SUPPORTED_DECODERS, "x-own", Decoder)

    def answer(_: Any) -> Any:
        return httpx.Response(200, headers={"content-encoding": "x-own"}, content=iter([b"{}", b" "]))

    with capture() as telemetry, httpx.Client(transport=httpx.MockTransport(answer)) as client:
        response = client.post("http://api.test/v1/messages", headers=HEADERS, json=request_of())
    assert response.content == (b"{} " if returned is not None else b"")
    assert [attempt.status for attempt in telemetry.attempts] == [200]


@pytest.mark.parametrize("breaks", [False, True])
def test_a_status_that_is_an_enumeration_is_told_by_its_number(breaks: bool) -> None:
    """As an app's mock of a transport returns it, be it that its body breaks. Up to Python 3.10 its `str` has none."""
    httpx = importlib.import_module(SDK_LIBRARY)

    class Body(httpx.SyncByteStream):  # type: ignore[misc, name-defined]
        def __iter__(self) -> Iterator[bytes]:
            yield b"{}"
            if breaks:
                raise httpx.ReadError("broken")

    transport = httpx.MockTransport(lambda _: httpx.Response(HTTPStatus.SERVICE_UNAVAILABLE, stream=Body()))
    client = anthropic.Anthropic(api_key=API_KEY, http_client=httpx.Client(transport=transport), max_retries=0)
    with capture() as telemetry, client, pytest.raises(anthropic.APIError):
        client.messages.create(**request_of())
    [call], [attempt] = telemetry.calls, telemetry.attempts
    assert (attempt.error_type, attempt.status) == ("503", 503)
    assert call.error_type == ("connection_error" if breaks else "503")

"""Wrappers of an app that catch what the network did and raise anew: the attempt keeps the network's cause."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import anthropic
import pytest

from anthropic_otel.simulator import FAULTS, Endpoint, Reply, Simulator
from anthropic_otel.testing import Attempt, capture
from support.apps import SdkApp
from support.driver import Driver
from support.marks import BREAKS_CONNECTIONS
from support.stacks import SDK_STACKS, Stack, each_of, http_client

pytestmark = [pytest.mark.usefixtures("waits"), *BREAKS_CONNECTIONS]
stack = each_of(SDK_STACKS)


class GaveUp(Exception):
    """An app's own."""


def from_it(error: Exception) -> None:
    raise GaveUp from error


def from_nothing(error: Exception) -> None:
    raise GaveUp from None


def anew(error: Exception) -> None:
    """A plain `raise` within the `except`."""
    raise GaveUp


def as_another(error: Exception) -> None:
    """As an error of the HTTP library that says less than it was."""
    library = importlib.import_module(type(error).__module__.partition(".")[0])
    raise library.ConnectError("no connection")


WAYS = (from_it, from_nothing, anew, as_another)


def client_of(base: type[Any], way: Callable[[Exception], None]) -> type[Any]:
    """A client that raises what `way` makes of the failure of a send."""
    if hasattr(base, "aclose"):

        class AsyncClient(base):  # type: ignore[misc]
            async def send(self, request: Any, **options: Any) -> Any:
                try:
                    return await super().send(request, **options)
                except Exception as error:
                    way(error)

        return AsyncClient

    class Client(base):  # type: ignore[misc]
        def send(self, request: Any, **options: Any) -> Any:
            try:
                return super().send(request, **options)
            except Exception as error:
                way(error)

    return Client


def transport_of(stack: Stack, way: Callable[[Exception], None]) -> Any:
    """A transport that raises what `way` makes of the failure of the library's own."""
    if stack.asynchronous:
        base: Any = stack.module.AsyncHTTPTransport
        if stack.aiohttp:
            base = type(stack.client_class()._transport)

        class AsyncTransport(base):  # type: ignore[misc]
            async def handle_async_request(self, request: Any) -> Any:
                try:
                    return await super().handle_async_request(request)
                except Exception as error:
                    way(error)

        return AsyncTransport()

    class Transport(stack.module.HTTPTransport):  # type: ignore[misc, name-defined]
        def handle_request(self, request: Any) -> Any:
            try:
                return super().handle_request(request)
            except Exception as error:
                way(error)

    return Transport()


def attempt_of(stack: Stack, endpoint: Endpoint, driver: Driver, **options: Any) -> Attempt:
    """The one attempt of an app whose HTTP client has these options."""
    with capture() as told:
        http = http_client(stack, endpoint, **options)
        app = SdkApp(stack, endpoint, driver, http=http, max_retries=0)
        with pytest.raises(anthropic.APIConnectionError):
            app.create()
        app.close()
    [attempt] = told.attempts
    return attempt


@pytest.mark.parametrize("fault", ["connection_refused", "server_disconnected", "body_cut"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_client_that_raises_anew_keeps_the_cause(
    fault: str, way: Callable[[Exception], None], stack: Stack, sim: Simulator
) -> None:
    """Also on aiohttp, whose transport has no trace events: the inner send is seen."""
    with Driver(asynchronous=stack.asynchronous) as driver:
        attempt = attempt_of(stack, sim.endpoint(fault), driver, cls=client_of(stack.client_class, way))
    assert (attempt.outcome, attempt.cause) == ("failed", FAULTS[fault].cause_word)
    assert (attempt.exception_type or "").endswith("ConnectError" if way is as_another else "GaveUp")


@pytest.mark.parametrize("fault", ["connection_refused", "server_disconnected"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_transport_that_raises_anew_keeps_the_cause(
    fault: str, way: Callable[[Exception], None], stack: Stack, sim: Simulator
) -> None:
    """The trace events have the exception that the wrapper hides; of aiohttp, which has none, the exception itself."""
    with Driver(asynchronous=stack.asynchronous) as driver:
        attempt = attempt_of(stack, sim.endpoint(fault), driver, transport=transport_of(stack, way))
    phase = FAULTS[fault].phase
    assert (attempt.cause, attempt.phase) == (FAULTS[fault].cause_word, phase.value if phase is not None else None)


def test_what_the_app_was_handling_when_it_sent_is_no_cause(stack: Stack, sim: Simulator) -> None:
    """An app may send within an `except` block: what it handles there is not why a transport fails."""

    class Failing(stack.module.BaseTransport, stack.module.AsyncBaseTransport):  # type: ignore[misc, name-defined]
        def handle_request(self, request: Any) -> Any:
            raise GaveUp

        async def handle_async_request(self, request: Any) -> Any:
            raise GaveUp

    with Driver(asynchronous=stack.asynchronous) as driver:
        try:
            raise ConnectionRefusedError(111, "of something else")
        except ConnectionRefusedError:
            attempt = attempt_of(stack, Endpoint(sim.base_url), driver, transport=Failing())
    assert attempt.cause == "_OTHER"


def strict_transport_of(stack: Stack) -> Any:
    """A transport that makes an exception of each status that is an error, as one that retries by exceptions does."""
    if stack.asynchronous:
        base: Any = stack.module.AsyncHTTPTransport
        if stack.aiohttp:
            base = type(stack.client_class()._transport)

        class AsyncStrict(base):  # type: ignore[misc]
            async def handle_async_request(self, request: Any) -> Any:
                response = await super().handle_async_request(request)
                response.request = request
                await response.aread()
                return response.raise_for_status()

        return AsyncStrict()

    class Strict(stack.module.HTTPTransport):  # type: ignore[misc, name-defined]
        def handle_request(self, request: Any) -> Any:
            response = super().handle_request(request)
            response.request = request
            response.read()
            return response.raise_for_status()

    return Strict()


def strict_hook(stack: Stack) -> Any:
    """A hook that does so."""

    def hook(response: Any) -> None:
        response.read()
        response.raise_for_status()

    async def async_hook(response: Any) -> None:
        await response.aread()
        response.raise_for_status()

    return {"response": [async_hook if stack.asynchronous else hook]}


@pytest.mark.parametrize("by", ["transport", "hook"])
def test_a_status_that_is_raised_as_an_exception_is_the_status(by: str, stack: Stack, sim: Simulator) -> None:
    """Also on aiohttp, where only the exception has the response: its status and its request id are the attempt's."""
    sim.play("http_529")
    options = {"transport": strict_transport_of(stack)} if by == "transport" else {"event_hooks": strict_hook(stack)}
    with Driver(asynchronous=stack.asynchronous) as driver:
        attempt = attempt_of(stack, Endpoint(sim.base_url), driver, **options)
    assert (attempt.status, attempt.error_type, attempt.cause) == (529, "529", None)
    assert attempt.request_id is not None


@pytest.mark.parametrize("by", ["transport", "hook"])
def test_a_redirect_that_is_raised_as_an_exception_is_the_status(by: str, stack: Stack, sim: Simulator) -> None:
    """`raise_for_status` raises for a redirect too, so that the client cannot follow it."""
    sim.play(Reply(307, body=b"", headers=(("location", "/v1/messages"),)))
    options = {"transport": strict_transport_of(stack)} if by == "transport" else {"event_hooks": strict_hook(stack)}
    with Driver(asynchronous=stack.asynchronous) as driver:
        attempt = attempt_of(stack, Endpoint(sim.base_url), driver, follow_redirects=True, **options)
    assert (attempt.status, attempt.error_type, attempt.cause) == (307, "307", None)


def test_the_status_of_a_hooks_own_request_is_not_the_attempts(stack: Stack, sim: Simulator) -> None:
    """A hook that asks another server, which refuses, says nothing of the API."""
    module = stack.module

    def hook(_: Any) -> None:
        transport = module.MockTransport(lambda _: module.Response(503))
        module.Client(transport=transport).get("http://flags.test/").raise_for_status()

    async def async_hook(request: Any) -> None:
        hook(request)

    hooks = {"request": [async_hook if stack.asynchronous else hook]}
    with Driver(asynchronous=stack.asynchronous) as driver:
        attempt = attempt_of(stack, Endpoint(sim.base_url), driver, event_hooks=hooks)
    assert (attempt.status, attempt.error_type) == (None, "app_exception")


def test_a_body_that_raises_a_class_derived_from_the_librarys_has_its_word(stack: Stack, sim: Simulator) -> None:
    """A transport of the app may raise a class of its own: the call has the word of the class that this is made of."""
    module = stack.module

    class Slow(module.ReadTimeout):  # type: ignore[misc, name-defined]
        pass

    class Body(module.SyncByteStream, module.AsyncByteStream):  # type: ignore[misc, name-defined]
        def __iter__(self) -> Any:
            raise Slow("slow")

        async def __aiter__(self) -> Any:
            yield b": a comment\n\n"
            raise Slow("slow")

    class Transport(module.BaseTransport, module.AsyncBaseTransport):  # type: ignore[misc, name-defined]
        def handle_request(self, request: Any) -> Any:
            return module.Response(200, headers={"content-type": "text/event-stream"}, stream=Body())

        async def handle_async_request(self, request: Any) -> Any:
            return self.handle_request(request)

    endpoint = Endpoint(sim.base_url)
    with Driver(asynchronous=stack.asynchronous) as driver, capture() as told:
        app = SdkApp(stack, endpoint, driver, http=http_client(stack, endpoint, transport=Transport()), max_retries=0)
        with pytest.raises(Slow):
            app.events()
        app.close()
    [call] = told.calls
    assert (call.attempts[0].cause, call.error_type) == ("read_timeout", "client_timeout_error")

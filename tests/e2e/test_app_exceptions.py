"""What the app's own code raises within a send, which the SDK takes for a failed connection.

Rule: whatever its type is, no word blames the network for it, and an exception of a transport is none of these.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import anthropic
import pytest

from anthropic_otel.simulator import Endpoint, Simulator
from anthropic_otel.testing import Attempt, capture
from support.apps import SdkApp
from support.driver import Driver
from support.marks import BREAKS_CONNECTIONS
from support.stacks import SDK_STACKS, Stack, each_of, http_client
from support.streams import START, sse
from support.waiting import until

pytestmark = [pytest.mark.usefixtures("waits"), *BREAKS_CONNECTIONS]
stack = each_of(SDK_STACKS)

SYNC = [each for each in SDK_STACKS if not each.asynchronous]
of_sync = pytest.mark.parametrize("stack", SYNC, ids=lambda each: each.name)


class SoftTimeLimit(Exception):
    """What a task queue's signal handler raises in a task that takes too long."""


@contextmanager
def alarm(error: Exception) -> Iterator[None]:
    """Within the block SIGUSR1 raises `error`."""

    def handler(number: int, frame: FrameType | None) -> None:
        raise error

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


@contextmanager
def once_it_waits(sim: Simulator, act: Callable[[], object]) -> Iterator[None]:
    """Calls `act` in another thread when the server has got a request, and this one reads from its socket."""
    reader = threading.get_ident()

    def reads() -> bool:
        code = sys._current_frames()[reader].f_code
        return (code.co_name, Path(code.co_filename).parts[-2:]) == ("read", ("_backends", "sync.py"))

    def wait() -> None:
        until(lambda: sim.requests and reads())
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def failed(stack: Stack, endpoint: Endpoint, **options: Any) -> Attempt:
    """The last attempt of a call that fails."""
    with Driver(asynchronous=stack.asynchronous) as driver, capture() as telemetry:
        app = SdkApp(stack, endpoint, driver, **{"max_retries": 0, **options})
        with pytest.raises(anthropic.APIConnectionError):
            app.create()
        app.close()
    [call] = telemetry.calls
    assert (call.outcome, call.cause) == ("failed", telemetry.attempts[-1].cause)
    return telemetry.attempts[-1]


@of_sync
@pytest.mark.parametrize(
    "error",
    [SoftTimeLimit("30 s"), TimeoutError("too long"), OSError(111, "limit"), ValueError("no")],
    ids=lambda error: type(error).__name__,
)
def test_a_time_limit_of_a_signal_is_the_apps(stack: Stack, error: Exception, sim: Simulator) -> None:
    """A task's soft time limit, or an alarm: also where its exception is of a type that the network has too."""
    sim.play("read_timeout")
    main = threading.get_ident()
    with alarm(error), once_it_waits(sim, lambda: signal.pthread_kill(main, signal.SIGUSR1)):
        attempt = failed(stack, Endpoint(sim.base_url))
    assert (attempt.error_type, attempt.cause, attempt.outcome) == ("app_exception", "app_exception", "failed")
    assert attempt.phase == "wait"


@of_sync
@pytest.mark.parametrize(
    "error", [SoftTimeLimit("30 s"), TimeoutError("too long")], ids=lambda each: type(each).__name__
)
def test_a_time_limit_in_a_stream_is_the_apps(stack: Stack, error: Exception) -> None:
    """The app gets it as it was raised, and the call has failed by it."""

    class Body(stack.module.SyncByteStream):  # type: ignore[misc, name-defined]
        def __iter__(self) -> Iterator[bytes]:
            yield sse("message_start", START)
            signal.raise_signal(signal.SIGUSR1)

    def answer(_: Any) -> Any:
        return stack.module.Response(200, headers={"content-type": "text/event-stream"}, stream=Body())

    http = stack.module.Client(transport=stack.module.MockTransport(answer))
    with Driver(asynchronous=False) as driver, capture() as telemetry, alarm(error):
        app = SdkApp(stack, Endpoint("http://api.test"), driver, http=http)
        with pytest.raises(type(error)) as caught:
            app.events()
        app.close()
    assert caught.value is error
    [call], [attempt] = telemetry.calls, telemetry.attempts
    assert (attempt.error_type, attempt.outcome, attempt.phase) == ("app_exception", "failed", "receive")
    assert (call.outcome, call.error_type, call.cause) == ("failed", "client_error", "app_exception")


@pytest.mark.parametrize("name", ["_send_single_request", "_send_handling_redirects"])
def test_a_failure_that_passes_another_librarys_wrapper_is_the_networks(
    name: str, stack: Stack, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent or a recorder may wrap a private function of the HTTP client: what it passes on is not the app's."""
    client = stack.module.AsyncClient if stack.asynchronous else stack.module.Client
    original = getattr(client, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **kwargs)

    async def async_wrapped(*args: Any, **kwargs: Any) -> Any:
        return await original(*args, **kwargs)

    sim.play("connection_reset", "connection_reset")
    plain = failed(stack, Endpoint(sim.base_url))
    monkeypatch.setattr(client, name, async_wrapped if stack.asynchronous else wrapped)
    found = failed(stack, Endpoint(sim.base_url))
    assert found.cause == plain.cause != "app_exception"
    assert found.phase == plain.phase


@pytest.mark.parametrize("kind", ["request", "response", "trace"])
def test_what_a_hook_raises_is_the_apps(kind: str, stack: Stack, sim: Simulator) -> None:
    """A bug in a hook of the client, or in a `trace` function of the app's, is nobody else's."""
    if kind == "trace" and stack.aiohttp:
        pytest.skip("aiohttp has no trace events")

    def hook(*_: Any) -> Any:
        raise KeyError("missing")

    async def async_hook(*_: Any) -> Any:
        raise KeyError("missing")

    used = async_hook if stack.asynchronous else hook
    if kind == "trace":

        def add_trace(request: Any) -> None:
            request.extensions["trace"] = used

        async def async_add_trace(request: Any) -> None:
            request.extensions["trace"] = used

        hooks: dict[str, Any] = {"request": [async_add_trace if stack.asynchronous else add_trace]}
    else:
        hooks = {kind: [used]}
    attempt = failed(stack, Endpoint(sim.base_url), http=http_client(stack, event_hooks=hooks))
    assert (attempt.error_type, attempt.outcome) == ("app_exception", "failed")


@pytest.mark.parametrize(
    ("name", "in_parts"),
    [
        ("body_reset", False),
        ("body_timeout", False),
        ("body_bad_gzip", False),
        ("body_bad_gzip", True),
        ("redirect_body_reset", True),
    ],
)
def test_a_body_that_breaks_while_a_hook_reads_it_is_no_failure_of_the_hook(
    name: str, stack: Stack, sim: Simulator, *, in_parts: bool
) -> None:
    """A hook that logs responses reads their bodies, whole or line by line, and tells the same of a broken one as the
    client would.
    """

    def hook(response: Any) -> None:
        if in_parts:
            list(response.iter_lines())
        response.read()

    async def async_hook(response: Any) -> None:
        if in_parts:
            [_ async for _ in response.aiter_lines()]
        await response.aread()

    endpoint = sim.endpoint(name)
    hooks = {"response": [async_hook if stack.asynchronous else hook]}
    found = failed(stack, endpoint, http=http_client(stack, endpoint, event_hooks=hooks))
    plain = failed(stack, endpoint, http=http_client(stack, endpoint))
    facts = [(each.error_type, each.phase, each.status, each.request_id is None) for each in (found, plain)]
    assert facts[0] == facts[1]
    assert found.error_type != "app_exception"


def test_what_a_hook_cannot_reach_is_not_the_api(stack: Stack, sim: Simulator) -> None:
    """A hook that asks a server of its own, which refuses, says nothing of the API's host."""
    module = stack.module

    def hook(_: Any) -> None:
        module.get("http://127.0.0.1:1/", trust_env=False)

    async def async_hook(_: Any) -> None:
        async with module.AsyncClient(trust_env=False) as client:
            await client.get("http://127.0.0.1:1/")

    hooks = {"request": [async_hook if stack.asynchronous else hook]}
    attempt = failed(stack, Endpoint(sim.base_url), http=http_client(stack, event_hooks=hooks))
    assert attempt.error_type == "app_exception"


def test_credentials_of_the_apps_own_are_a_phase(stack: Stack, sim: Simulator) -> None:
    """An authentication of the app's that cannot reach its server has failed in the phase `auth`."""
    module = stack.module

    class Auth(module.Auth):  # type: ignore[misc, name-defined]
        def auth_flow(self, request: Any) -> Any:
            module.get("http://127.0.0.1:1/", trust_env=False)
            yield request

    attempt = failed(stack, Endpoint(sim.base_url), http=http_client(stack, auth=Auth()))
    assert (attempt.error_type, attempt.phase) == ("connection_refused", "auth")


def test_what_a_transport_raises_is_not_the_apps(stack: Stack) -> None:
    """A transport may have any exceptions for what happens in its network."""

    class CurlError(Exception):
        pass

    class Transport(stack.module.BaseTransport, stack.module.AsyncBaseTransport):  # type: ignore[misc, name-defined]
        def handle_request(self, request: Any) -> Any:
            raise CurlError("28")

        async def handle_async_request(self, request: Any) -> Any:
            raise CurlError("28")

    client_class = stack.module.AsyncClient if stack.asynchronous else stack.module.Client
    attempt = failed(stack, Endpoint("http://api.test"), http=client_class(transport=Transport()))
    assert attempt.error_type == "_OTHER"

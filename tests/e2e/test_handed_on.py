"""Client subclasses whose `send` hands another request on than the one that it got: one attempt per request sent."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import anthropic
import pytest

from anthropic_otel.simulator import Endpoint, Simulator
from anthropic_otel.testing import Captured, capture
from support.apps import API_KEY, SdkApp, request_of
from support.driver import Driver
from support.marks import BREAKS_CONNECTIONS
from support.stacks import SDK_STACKS, Stack, each_of, http_client
from support.telemetry import recording

pytestmark = [pytest.mark.usefixtures("waits"), *BREAKS_CONNECTIONS]
stack = each_of(SDK_STACKS)


def anew(request: Any) -> Any:
    """Another request with the same in it, and a header more, as a signature."""
    headers = {**request.headers, "x-signed": "yes"}
    return type(request)(request.method, request.url, headers=headers, content=request.content)


def same(request: Any) -> Any:
    """The very same request."""
    return request


def resending(base: type[Any], most: int, handed_on: Callable[[Any], Any] = same) -> type[Any]:
    """A client that hands a request on up to `most` times, as long as it fails or the answer is 5xx."""
    if hasattr(base, "aclose"):

        class AsyncResending(base):  # type: ignore[misc]
            async def send(self, request: Any, **options: Any) -> Any:
                for number in range(most):
                    try:
                        response = await super().send(handed_on(request), **options)
                    except Exception:
                        if number == most - 1:
                            raise
                        continue
                    if response.status_code < 500 or number == most - 1:
                        return response
                    await response.aclose()
                return None

        return AsyncResending

    class Resending(base):  # type: ignore[misc]
        def send(self, request: Any, **options: Any) -> Any:
            for number in range(most):
                try:
                    response = super().send(handed_on(request), **options)
                except Exception:
                    if number == most - 1:
                        raise
                    continue
                if response.status_code < 500 or number == most - 1:
                    return response
                response.close()
            return None

    return Resending


def call(
    stack: Stack,
    sim: Simulator,
    *,
    most: int = 1,
    stream: bool = False,
    handed_on: Callable[[Any], Any] = anew,
) -> Captured:
    with Driver(asynchronous=stack.asynchronous) as driver, capture() as telemetry:
        client = http_client(stack, Endpoint(sim.base_url), cls=resending(stack.client_class, most, handed_on))
        app = SdkApp(stack, Endpoint(sim.base_url), driver, http=client, max_retries=0, timeout=300)
        app.meet(stream=stream)
        app.close()
    return telemetry


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_request_that_is_made_anew_is_one_attempt(stream: bool, stack: Stack, sim: Simulator) -> None:
    """A client that signs in its `send` sends one request for the SDK's, and the attempt has its phases."""
    telemetry = call(stack, sim, stream=stream)
    [attempt], [told] = telemetry.attempts, telemetry.calls
    assert len(sim.requests) == 1
    assert (attempt.outcome, attempt.resend_count, attempt.status) == ("completed", 0, 200)
    assert (told.outcome, told.retries) == ("succeeded", 0)
    assert attempt.connection_reused is (None if stack.aiohttp else False)


def test_each_send_of_one_that_retries_is_an_attempt(stack: Stack, sim: Simulator) -> None:
    """As of a transport that retries, also on aiohttp, whose transport has no trace events."""
    sim.play("http_529", "http_529", "ok")
    telemetry = call(stack, sim, most=3)
    assert len(sim.requests) == 3
    found = [(attempt.status, attempt.resend_count, attempt.retry_source) for attempt in telemetry.attempts]
    assert found == [(529, 0, None), (529, 1, "transport"), (200, 2, "transport")]
    assert [(told.outcome, told.retries) for told in telemetry.calls] == [("recovered", 2)]


@pytest.mark.parametrize("phases", [True, False], ids=["events", "without"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_same_request_sent_again_is_another_attempt(
    stream: bool, phases: bool, stack: Stack, sim: Simulator
) -> None:
    """By a status, by a broken connection and by an answer, each attempt has its own end and its own request id."""
    sim.play("http_529", "server_disconnected", "ok")
    with Driver(asynchronous=stack.asynchronous) as driver, recording() as telemetry, capture() as told:
        client = http_client(stack, Endpoint(sim.base_url), cls=resending(stack.client_class, 3))
        app = SdkApp(stack, Endpoint(sim.base_url), driver, telemetry, http=client, max_retries=0, timeout=300)
        telemetry.instrument(phases=phases)
        app.meet(stream=stream)
        app.close()
    found = [(each.error_type, each.status, each.retry_source) for each in told.attempts]
    assert found == [("529", 529, None), ("server_disconnected", None, "transport"), (None, 200, "transport")]
    [first, second, last] = told.attempts
    assert (first.request_id is None, second.request_id, last.request_id is None) == (False, None, False)
    assert first.request_id != last.request_id
    assert told.in_flight == 0


def test_the_last_failure_of_one_that_gives_up_is_the_calls(stack: Stack, sim: Simulator) -> None:
    """Each attempt is a failure of its own, and the SDK raises for the last one."""
    sim.play("http_529", "http_503")
    with Driver(asynchronous=stack.asynchronous) as driver, capture() as told:
        client = http_client(stack, Endpoint(sim.base_url), cls=resending(stack.client_class, 2))
        app = SdkApp(stack, Endpoint(sim.base_url), driver, http=client, max_retries=0, timeout=300)
        with pytest.raises(anthropic.APIStatusError):
            app.create()
        app.close()
    assert [each.error_type for each in told.attempts] == ["529", "503"]
    assert [each.outcome for each in told.calls] == ["failed"]


def test_what_the_app_sends_in_a_hook_is_its_own(stack: Stack, sim: Simulator) -> None:
    """A hook that counts tokens by a call of its own has an attempt of its own."""
    with Driver(asynchronous=stack.asynchronous) as driver, capture() as telemetry:
        other = SdkApp(stack, Endpoint(sim.base_url), driver, max_retries=0)
        resource = other.client.messages
        # Older SDKs have it as a beta only.
        resource = resource if hasattr(resource, "count_tokens") else other.client.beta.messages
        count = functools.partial(
            resource.count_tokens, model="claude-opus-5", messages=[{"role": "user", "content": "Hello"}]
        )

        async def async_hook(_: Any) -> None:
            await count()

        hooks = {"request": [async_hook if stack.asynchronous else lambda _: count()]}
        app = SdkApp(
            stack,
            Endpoint(sim.base_url),
            driver,
            http=http_client(stack, event_hooks=hooks),
            max_retries=0,
        )
        app.create()
        app.close()
        other.close()
    assert sorted(attempt.operation for attempt in telemetry.attempts) == ["messages.count_tokens", "messages.create"]
    assert len(telemetry.calls) == 2


def test_a_gateway_in_the_same_process_has_attempts_of_its_own(stack: Stack, sim: Simulator) -> None:
    """It forwards what it gets to the same path on another port of the same machine. Neither uses the SDK."""
    headers = {"anthropic-version": "2023-06-01", "x-api-key": API_KEY}
    upstream = http_client(stack, Endpoint(sim.base_url))

    class Gateway(stack.module.BaseTransport, stack.module.AsyncBaseTransport):  # type: ignore[misc, name-defined]
        def handle_request(self, request: Any) -> Any:
            answer = upstream.post(f"{sim.base_url}{request.url.path}", content=request.read(), headers=headers)
            return stack.module.Response(answer.status_code, content=answer.content)

        async def handle_async_request(self, request: Any) -> Any:
            content = await request.aread()
            answer = await upstream.post(f"{sim.base_url}{request.url.path}", content=content, headers=headers)
            return stack.module.Response(answer.status_code, content=answer.content)

    cls = stack.module.AsyncClient if stack.asynchronous else stack.module.Client
    with Driver(asynchronous=stack.asynchronous) as driver, recording() as telemetry:
        telemetry.instrument()
        client = cls(transport=Gateway())
        answer = driver(client.post("http://127.0.0.1:9/v1/messages", json=request_of(), headers=headers))
        driver.close(client)
        driver.close(upstream)
    assert answer.status_code == 200
    ports = [(span.attributes or {})["server.port"] for span in telemetry.attempts]
    assert ports == [9, int(sim.base_url.rpartition(":")[2])]


def test_the_request_is_afterwards_as_it_was(stack: Stack, sim: Simulator) -> None:
    """No function of the library stays in the extensions of what the subclass has made."""
    made: list[Any] = []

    def kept(request: Any) -> Any:
        made.append(anew(request))
        return made[-1]

    call(stack, sim, handed_on=kept)
    [request] = made
    assert "trace" not in request.extensions

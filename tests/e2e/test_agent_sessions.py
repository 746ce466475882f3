"""The event streams of an agent's session, as an app reads them, and as the SDK's runner of a session does."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from anthropic_otel._core import instruments, semconv
from anthropic_otel.simulator import Chunks, Ending, Endpoint, Reply, Simulator
from support.apps import API_KEY, SdkApp
from support.driver import Driver
from support.marks import BREAKS_CONNECTIONS
from support.stacks import SDK_STACKS, Stack, each_of, http_client
from support.telemetry import Telemetry
from support.versions import HAS_MIDDLEWARE, HAS_SESSION_RUNNER

pytestmark = [
    *BREAKS_CONNECTIONS,
    pytest.mark.skipif(not HAS_SESSION_RUNNER, reason="this SDK has no runner of sessions"),
]

stack = each_of(stack for stack in SDK_STACKS if stack.asynchronous)


def _event(name: str) -> bytes:
    data = json.dumps({"id": f"sevt_{name}", "type": name, "processed_at": "2026-11-01T00:00:00Z"})
    return f"event: {name}\ndata: {data}\n\n".encode()


CUT = Chunks((_event("session.status_running"),), ending=Ending.CLOSE)
DELETED = Chunks((_event("session.deleted"),))
HISTORY = Reply(body=b'{"data": [], "next_page": null}')


@pytest.fixture
def app(stack: Stack, sim: Simulator, recorded: Telemetry) -> Iterator[SdkApp]:
    """An instrumented app, that waits for no backoff of the runner."""
    with Driver(asynchronous=True) as driver:
        app = SdkApp(stack, Endpoint(sim.base_url), driver, recorded)
        recorded.instrument()
        yield app
        app.close()


def _outcomes(recorded: Telemetry) -> list[tuple[str, str | None]]:
    points = recorded.points(instruments.CALL_DURATION)
    return sorted(
        (point.attributes[semconv.CALL_OUTCOME], point.attributes.get(semconv.NETWORK_CAUSE))
        for point in points
        if point.attributes[semconv.OPERATION_NAME] == "sessions.events.stream"
        for _ in range(point.count)
    )


def test_a_cut_that_the_runner_mends_is_no_failed_call(
    app: SdkApp, sim: Simulator, recorded: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK's runner opens the stream again, and its app sees nothing: the attempt has failed, the call has not."""
    runner = importlib.import_module("anthropic.lib.tools._beta_session_runner")
    monkeypatch.setattr(runner, "STREAM_BACKOFF_START", 0.0)
    sim.play(CUT, HISTORY, DELETED, HISTORY)

    async def run() -> None:
        async for _ in app.client.beta.sessions.events.tool_runner("session", tools=[]):
            pass

    app.driver(run())
    assert _outcomes(recorded) == [("abandoned", None), ("recovered", None)]
    failed = [span for span in recorded.attempts if (span.attributes or {})[semconv.ATTEMPT_OUTCOME] == "failed"]
    assert [(span.attributes or {})[semconv.ERROR_TYPE] for span in failed] == ["incomplete_body"]
    assert [record.levelname for record in recorded.logs] == ["INFO"]


def test_a_cut_that_the_app_sees_is_a_failed_call(app: SdkApp, sim: Simulator, recorded: Telemetry) -> None:
    """An app that reads the events itself gets the exception."""
    sim.play(CUT)
    events: Any = app.driver(app.client.beta.sessions.events.stream("session"))
    with pytest.raises(Exception, match=r".") as raised:
        app.driver.read(events)
    assert raised.value is not None
    assert _outcomes(recorded) == [("failed", "incomplete_body")]
    assert [record.levelname for record in recorded.logs] == ["WARNING"]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b"<html>Sign in</html>", content_type="text/html"),
        Reply(body=b'{"error": {"message": "no route"}}'),
        Reply(body=b"", content_type="application/octet-stream"),
        Reply(body=b'{"error": {"type": "not_found_error"}}', content_type="text/event-stream"),
    ],
    ids=["page", "json", "nothing", "json that says to be events"],
)
def test_what_is_no_event_stream_is_told(app: SdkApp, sim: Simulator, recorded: Telemetry, reply: Reply) -> None:
    """A login page in place of a session's events: the app reads no event, and is told of no error."""
    sim.play(reply)
    events: Any = app.driver(app.client.beta.sessions.events.stream("session"))
    assert app.driver.read(events) == []
    [attempt] = recorded.attempts
    assert (attempt.attributes or {})[semconv.ERROR_TYPE] == "unexpected_content"
    assert _outcomes(recorded) == [("failed", None)]


def test_a_session_without_events_is_an_event_stream(app: SdkApp, sim: Simulator, recorded: Telemetry) -> None:
    """An agent that does nothing sends nothing."""
    sim.play(Reply(body=b"", content_type="text/event-stream"))
    assert app.driver.read(app.driver(app.client.beta.sessions.events.stream("session"))) == []
    assert _outcomes(recorded) == [("succeeded", None)]


def test_a_session_that_is_read_without_the_sdk_is_an_event_stream(
    app: SdkApp, sim: Simulator, recorded: Telemetry
) -> None:
    """Its request has no body that could ask for a stream. The path does."""
    sim.play(DELETED)
    other = type(app.http)()
    headers = {"anthropic-version": "2023-06-01", "x-api-key": API_KEY}
    assert app.driver(other.get(f"{sim.base_url}/v1/sessions/s/events/stream", headers=headers)).is_success
    app.driver.close(other)
    [attempt] = recorded.attempts
    assert (attempt.attributes or {})[semconv.ATTEMPT_OUTCOME] == "completed"


@pytest.mark.skipif(not HAS_MIDDLEWARE, reason="this SDK has no middleware")
def test_a_session_to_which_a_middleware_falls_back_is_an_event_stream(
    stack: Stack, sim: Simulator, recorded: Telemetry
) -> None:
    """By a client that is not instrumented: the request is an attempt of the call that falls back."""
    sim.play("http_529", DELETED)
    settings: dict[str, Any] = {"base_url": sim.base_url, "api_key": API_KEY, "max_retries": 0}
    other = anthropic.AsyncAnthropic(**settings)

    async def falls_back(request: Any, call_next: Any) -> Any:
        answer = await call_next(request)
        assert answer.status_code == 529
        await answer.http_response.aclose()
        return await other.beta.sessions.events.stream("session")

    client = anthropic.AsyncAnthropic(**settings, http_client=http_client(stack), middleware=[falls_back])
    recorded.instrument(client)
    with Driver(asynchronous=True) as driver:
        [event] = driver.read(driver(client.beta.sessions.events.stream("session")))
        driver.close(client)
        driver.close(other)
    assert event.type == "session.deleted"
    assert _outcomes(recorded) == [("recovered", None)]

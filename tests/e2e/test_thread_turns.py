"""Message threads of the SDK: turns that the server refuses, and that the SDK sends again by a call of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from anthropic_otel._core import instruments, semconv
from anthropic_otel.simulator import Reply, Simulator
from support import identities
from support.apps import MODEL, SdkApp, instrumented_app
from support.stacks import SDK_STACKS, Stack, each_of
from support.telemetry import Telemetry
from support.versions import HAS_MESSAGE_THREADS

pytestmark = pytest.mark.skipif(not HAS_MESSAGE_THREADS, reason="this SDK has no message threads")

stack = each_of(SDK_STACKS)
QUESTION = {"role": "user", "content": "What is this?"}
OPTIONS: dict[str, Any] = {"model": MODEL, "max_tokens": 100}


def refusal(code: str) -> Reply:
    status = 404 if code == "thread_not_found" else 400
    return Reply(status, "not_found_error" if status == 404 else "invalid_request_error", error_code=code)


@pytest.fixture
def app(stack: Stack, sim: Simulator, recorded: Telemetry) -> Iterator[SdkApp]:
    """An instrumented app."""
    with instrumented_app(stack, sim.base_url, recorded) as app:
        yield app


def turn(app: SdkApp, thread: Any, way: str) -> Any:
    """One turn of a thread, in that way: its reply, read to its end."""
    if way == "send":
        return app.driver(thread.send(QUESTION))
    manager = thread.stream(QUESTION)
    stream = app.driver.enter(manager)
    reply = app.driver(stream.get_final_message())
    app.driver.leave(manager)
    return reply


def outcomes(recorded: Telemetry) -> list[str]:
    points = recorded.points(instruments.CALL_DURATION)
    return sorted(point.attributes[semconv.CALL_OUTCOME] for point in points for _ in range(point.count))


@pytest.mark.parametrize("way", ["send", "stream"])
@pytest.mark.parametrize("code", ["thread_not_found", "thread_already_continued", "thread_continue_in_flight"])
def test_a_turn_that_the_sdk_sends_again_is_no_failed_call(
    app: SdkApp, sim: Simulator, recorded: Telemetry, code: str, way: str
) -> None:
    """The server has lost the thread, and the app gets its answer: the attempt has failed, the call has not."""
    thread = app.client.beta.messages.thread(**OPTIONS)
    turn(app, thread, way)
    sim.play(refusal(code), "ok")
    assert turn(app, thread, way).content
    assert outcomes(recorded) == ["recovered", "succeeded", "succeeded"]
    [failed] = [span for span in recorded.attempts if (span.attributes or {})[semconv.ATTEMPT_OUTCOME] == "failed"]
    assert (failed.attributes or {})[semconv.API_ERROR_CODE] == code
    assert [(record.levelname, "not retried" in record.getMessage()) for record in recorded.logs] == [("INFO", False)]
    identities.check(recorded, calls=3)


def test_a_runner_of_tools_that_goes_on_without_a_thread_has_no_failed_call(
    app: SdkApp, sim: Simulator, recorded: Telemetry
) -> None:
    """Each runner asks for a thread first: without this every conversation of an app would begin with a failure."""
    sim.play(refusal("thread_unsupported_request"), "ok")
    runner = app.client.beta.messages.tool_runner(messages=[QUESTION], tools=[], **OPTIONS)
    app.driver(runner.until_done())
    assert outcomes(recorded) == ["recovered", "succeeded"]
    assert [record.levelname for record in recorded.logs] == ["INFO"]


@pytest.mark.parametrize("code", ["thread_unsupported_request", "thread_fingerprint_mismatch", "thread_not_found"])
def test_a_refusal_that_the_app_sees_is_a_failed_call(
    app: SdkApp, sim: Simulator, recorded: Telemetry, code: str
) -> None:
    """A thread raises for what it cannot be continued after, and for a first turn, which continues nothing."""
    thread = app.client.beta.messages.thread(**OPTIONS)
    sim.play(refusal(code))
    with pytest.raises(anthropic.APIStatusError):
        turn(app, thread, "send")
    assert outcomes(recorded) == ["failed"]
    assert [record.levelname for record in recorded.logs] == ["WARNING"]


def test_the_same_refusal_of_a_call_without_a_thread_of_the_sdk_is_a_failed_call(
    app: SdkApp, sim: Simulator, recorded: Telemetry
) -> None:
    """An app that names the thread itself has to send again itself."""
    thread = {"type": "continue", "previous_message_id": "msg_of_yesterday"}
    betas = ["message-threads-2026-08-12"]
    with pytest.raises(anthropic.NotFoundError) as raised:
        app.driver(app.client.beta.messages.create(messages=[QUESTION], thread=thread, betas=betas, **OPTIONS))
    assert "thread_not_found" in str(raised.value.body)
    assert outcomes(recorded) == ["failed"]
    assert [record.levelname for record in recorded.logs] == ["WARNING"]

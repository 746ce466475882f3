"""`anthropic_otel.testing.capture`: an app's calls and attempts as plain values, the same on every machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

import anthropic_otel
from anthropic_otel._instrument import INSTRUMENTATION
from anthropic_otel.simulator import Reply, Simulator
from anthropic_otel.testing import Attempt, Call, Usage, capture

PARAMS: dict[str, Any] = {
    "model": "claude-opus-4-8",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "hi"}],
}


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.fixture
def client(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[anthropic.Anthropic]:
    """A client whose backoff takes no time."""
    monkeypatch.setattr("anthropic._base_client.time.sleep", lambda _: None)
    with anthropic.Anthropic(base_url=simulator.base_url, api_key="none", max_retries=2) as made:
        yield made


def test_a_whole_call_is_a_literal(simulator: Simulator, client: anthropic.Anthropic) -> None:
    """Ids count from 1 and a second passes at each start and end, so that a call can be compared as a whole."""
    simulator.play("http_529", "connection_reset", "ok")
    with capture() as telemetry:
        client.messages.create(**PARAMS)

    first, third = (attempt.request_id for attempt in telemetry.attempts if attempt.request_id)
    common: dict[str, Any] = {
        "call": 1,
        "operation": "messages.create",
        "method": "POST",
        "url_template": "/v1/messages",
        "server_address": "127.0.0.1",
        "duration": 1.0,
        "model": "claude-opus-4-8",
    }
    reset = telemetry.attempts[1].exception_type
    assert reset is not None
    assert reset.endswith(".ReadError")
    assert telemetry.calls == [
        Call(
            id=1,
            operation="messages.create",
            model="claude-opus-4-8",
            stream=False,
            started=0.0,
            duration=7.0,
            backoff=4.0,
            outcome="recovered",
            error_type=None,
            retries=2,
            attempts=(
                Attempt(
                    **common,
                    id=1,
                    resend_count=0,
                    started=1.0,
                    outcome="failed",
                    status=529,
                    request_id=first,
                    error_type="529",
                    api_error_type="overloaded_error",
                    connection_reused=False,
                ),
                Attempt(
                    **common,
                    id=2,
                    resend_count=1,
                    started=3.0,
                    outcome="failed",
                    error_type="connection_reset",
                    cause="connection_reset",
                    phase="wait",
                    errno="ECONNRESET",
                    exception_type=reset,
                    retry_delay=1.0,
                    retry_reason="529",
                    retry_source="backoff",
                    connection_reused=True,
                ),
                Attempt(
                    **common,
                    id=3,
                    resend_count=2,
                    started=5.0,
                    outcome="completed",
                    status=200,
                    request_id=third,
                    retry_delay=1.0,
                    retry_reason="connection_reset",
                    retry_source="backoff",
                    connection_reused=False,
                    usage=Usage(input_tokens=11, output_tokens=12),
                ),
            ),
        )
    ]
    assert first != third
    assert telemetry.in_flight == 0


def test_the_block_leaves_no_trace(client: anthropic.Anthropic) -> None:
    """An app that was not instrumented is not afterwards: its classes and clients are as they were."""
    before = anthropic.Anthropic.__mro__[1].__dict__.get("request")
    with capture():
        client.messages.create(**PARAMS)
    assert anthropic.Anthropic.__mro__[1].__dict__.get("request") is before
    assert "send" not in client._client.__dict__
    assert INSTRUMENTATION.process is None


def test_what_the_app_has_instrumented_goes_on(client: anthropic.Anthropic) -> None:
    """A capture beside the app's own instrumentation takes nothing from it and leaves it in place."""
    anthropic_otel.instrument()
    try:
        own = INSTRUMENTATION.process
        assert own is not None
        with capture() as telemetry:
            client.messages.create(**PARAMS)
        assert len(telemetry.calls) == 1
        assert INSTRUMENTATION.process is own
        with capture() as second:
            client.messages.create(**PARAMS)
        assert [call.id for call in second.calls] == [1]
    finally:
        anthropic_otel.uninstrument()


def test_uninstrumenting_within_the_block_ends_no_capture(client: anthropic.Anthropic) -> None:
    """What the app has instrumented ends, and the capture goes on to its own end."""
    anthropic_otel.instrument()
    with capture() as telemetry:
        client.messages.create(**PARAMS)
        anthropic_otel.uninstrument()
        client.messages.create(**PARAMS)
        assert not INSTRUMENTATION.is_instrumented
    client.messages.create(**PARAMS)
    assert [call.outcome for call in telemetry.calls] == ["succeeded", "succeeded"]
    assert telemetry.started == 2


def test_an_open_stream_is_in_flight(client: anthropic.Anthropic) -> None:
    """An attempt has not ended before its body has, and neither has its call."""
    with capture() as telemetry:
        stream = client.messages.create(stream=True, **PARAMS)
        assert (telemetry.started, telemetry.in_flight, telemetry.calls) == (1, 1, [])
        for _ in stream:
            pass
        assert telemetry.in_flight == 0
        assert telemetry.calls[0].attempts[0].stream_complete is True


def test_real_time_is_to_be_had(client: anthropic.Anthropic) -> None:
    """With `real_time` the durations are those of the machine, and add up."""
    with capture(real_time=True) as telemetry:
        client.messages.create(**PARAMS)
    [call] = telemetry.calls
    assert 0 < call.attempts[0].duration < call.duration
    assert call.duration == pytest.approx(call.attempts[0].duration + call.backoff)


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_has_its_type_however_much_a_gateway_quotes(
    simulator: Simulator, client: anthropic.Anthropic, stream: bool
) -> None:
    """The SDK parses a body of any length."""
    simulator.play(Reply(400, "invalid_request_error", 'input: {"type": "x"} ' + "x" * 100_000, error_code="too_long"))
    with capture() as telemetry, pytest.raises(anthropic.BadRequestError):
        client.messages.create(**PARAMS, stream=stream)
    [attempt] = telemetry.attempts
    assert (attempt.api_error_type, attempt.api_error_code) == ("invalid_request_error", "too_long")


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_has_no_word_of_a_request_that_a_gateway_quotes(
    simulator: Simulator, client: anthropic.Anthropic, stream: bool
) -> None:
    """A gateway may send the request back as JSON, with a tool's input, whose members may be named as an error's."""
    tool = {"type": "tool_use", "id": "t", "name": "log", "input": {"type": "billing_error", "error_code": "a_secret"}}
    quoted = {"messages": [{"role": "assistant", "content": [tool]}, {"role": "user", "content": "x" * 100_000}]}
    body = {"detail": [{"type": "missing", "loc": ["body", "max_tokens"], "input": {**quoted, "details": tool}}]}
    simulator.play(Reply(422, body=json.dumps(body).encode()))
    with capture() as telemetry, pytest.raises(anthropic.UnprocessableEntityError):
        client.messages.create(**PARAMS, stream=stream)
    [attempt] = telemetry.attempts
    assert (attempt.api_error_type, attempt.api_error_code) == (None, None)


def test_an_error_event_has_no_word_of_a_request_that_a_gateway_quotes(
    simulator: Simulator, client: anthropic.Anthropic
) -> None:
    """It may be too long to be kept, and is searched for its type then."""
    tool = {"type": "tool_use", "id": "t", "name": "log", "input": {"error_code": "a_secret", "text": "x" * 100_000}}
    event = {"type": "error", "error": {"type": "api_error", "message": "m"}, "request": {"messages": [tool]}}
    body = b"event: error\ndata: " + json.dumps(event).encode() + b"\n\n"
    simulator.play(Reply(body=body, content_type="text/event-stream"))
    with capture() as telemetry, pytest.raises(anthropic.APIStatusError):
        list(client.messages.create(**PARAMS, stream=True))
    [attempt] = telemetry.attempts
    assert (attempt.api_error_type, attempt.api_error_code) == ("api_error", None)


def test_a_type_that_the_api_does_not_document_is_not_captured(
    simulator: Simulator, client: anthropic.Anthropic
) -> None:
    """As on the span, `api_error_type` is `None` for such a type, and the code that came with it is there."""
    simulator.play(Reply(400, error_type="quota_error", error_code="quota_used_up"))
    with capture() as telemetry, pytest.raises(anthropic.BadRequestError):
        client.messages.create(**PARAMS)
    [attempt] = telemetry.attempts
    assert (attempt.error_type, attempt.api_error_type, attempt.api_error_code) == ("400", None, "quota_used_up")

"""Tests of an app's own error handling, against an API that fails for real: `pytest examples/test_retries.py`.

The simulator makes the fault, the SDK retries as it does in production, and `capture` tells what happened on the wire.
"""

from collections.abc import Iterator

import anthropic
import pytest

from anthropic_otel.simulator import Reply, Simulator
from anthropic_otel.testing import capture

OVERLOADED = Reply(529, "overloaded_error", "Overloaded", headers=(("retry-after-ms", "10"),))
"""The API's 529, which asks to come back in 10 ms: the SDK's own backoff would take half a second."""


def answer(client: anthropic.Anthropic, question: str) -> str:
    """The app that is tested: an answer, or an apology."""
    try:
        with client.messages.stream(
            model="claude-sonnet-5-5", max_tokens=300, messages=[{"role": "user", "content": question}]
        ) as stream:
            return "".join(stream.text_stream)
    except anthropic.APIError:
        return "Sorry, please ask again later."


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.fixture
def client(simulator: Simulator) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=simulator.base_url, api_key="none") as made:
        yield made


def test_an_overload_passes_unnoticed(simulator: Simulator, client: anthropic.Anthropic) -> None:
    simulator.play(OVERLOADED, OVERLOADED)
    with capture() as telemetry:
        assert answer(client, "Are you there?").startswith("the quick brown fox")
    [call] = telemetry.calls
    assert (call.outcome, call.retries) == ("recovered", 2)
    assert [attempt.error_type for attempt in call.attempts] == ["529", "529", None]


def test_a_long_overload_is_an_apology(simulator: Simulator, client: anthropic.Anthropic) -> None:
    simulator.play(OVERLOADED, OVERLOADED, OVERLOADED)
    with capture() as telemetry:
        assert answer(client, "Are you there?").startswith("Sorry")
    assert telemetry.calls[0].outcome == "exhausted"


def test_an_overload_in_the_stream_is_an_apology(simulator: Simulator, client: anthropic.Anthropic) -> None:
    simulator.play("stream_overloaded")
    with capture() as telemetry:
        assert answer(client, "Are you there?").startswith("Sorry")
    [attempt] = telemetry.attempts
    assert (attempt.status, attempt.error_type) == (200, "overloaded_error")


def test_half_an_answer_is_taken_for_a_whole_one(simulator: Simulator, client: anthropic.Anthropic) -> None:
    """The stream ends without its end event. The SDK raises nothing; `capture` shows it."""
    simulator.play("stream_incomplete")
    with capture() as telemetry:
        assert 0 < len(answer(client, "Are you there?").split()) < 12
    assert telemetry.attempts[0].error_type == "incomplete_stream"


def test_an_expired_certificate_is_an_apology(simulator: Simulator, client: anthropic.Anthropic) -> None:
    """What strikes before there is a request has an address of its own."""
    with capture() as telemetry:
        elsewhere = client.with_options(base_url=simulator.endpoint("tls_expired").base_url, max_retries=0)
        assert answer(elsewhere, "Are you there?").startswith("Sorry")
    assert telemetry.attempts[0].cause == "tls_certificate_error"

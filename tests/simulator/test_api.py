"""The API it speaks is the one that the real SDK expects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic import beta_tool

from anthropic_otel.simulator import ErrorEvent, Reply, Simulator

MESSAGE: dict[str, Any] = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Say something."}],
}
TOOL: dict[str, Any] = {
    "name": "weather",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "unit": {"enum": ["C", "F"]}},
        "required": ["city", "days", "unit"],
    },
}


@pytest.fixture
def client(sim: Simulator) -> Iterator[anthropic.Anthropic]:
    """A client of the simulator that does not retry."""
    with anthropic.Anthropic(base_url=sim.base_url, api_key="none", max_retries=0) as each:
        yield each


def text_of(message: anthropic.types.Message) -> str:
    """The text of the only block that a message has."""
    [block] = message.content
    assert block.type == "text"
    return block.text


def test_a_message_is_whole(client: anthropic.Anthropic, sim: Simulator) -> None:
    """The reply has words, a usage that agrees with them, and the id that the simulator sent."""
    message = client.messages.create(**MESSAGE)
    assert len(text_of(message).split()) == message.usage.output_tokens == 12
    assert message.stop_reason == "end_turn"
    assert [message._request_id] == sim.request_ids


def test_a_stream_adds_up_to_the_message(client: anthropic.Anthropic) -> None:
    """The SDK's accumulated stream has the text and the usage of the plain message."""
    whole = client.messages.create(**MESSAGE)
    with client.messages.stream(**MESSAGE) as stream:
        streamed = stream.get_final_message()
    assert text_of(streamed) == text_of(whole)
    assert streamed.usage.output_tokens == whole.usage.output_tokens
    assert streamed.stop_reason == whole.stop_reason


def test_a_reply_respects_max_tokens(client: anthropic.Anthropic) -> None:
    """A reply that is longer than it may be ends with `max_tokens`."""
    message = client.messages.create(**MESSAGE | {"max_tokens": 3})
    assert (message.usage.output_tokens, message.stop_reason) == (3, "max_tokens")


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_used_as_its_schema_wants(client: anthropic.Anthropic, stream: bool) -> None:
    """Offered a tool, it calls it with every required argument."""
    asked: dict[str, Any] = MESSAGE | {"tools": [TOOL]}
    message: anthropic.types.Message
    if stream:
        with client.messages.stream(**asked) as events:
            message = events.get_final_message()
    else:
        message = client.messages.create(**asked)
    [block] = message.content
    assert block.type == message.stop_reason == "tool_use"
    assert (block.name, block.input) == ("weather", {"city": "simulated", "days": 1, "unit": "C"})


@pytest.mark.parametrize("sequences", [["fox"], ["dog", "fox"], ["fox", "zebra"]])
def test_a_stop_sequence_ends_a_reply(sequences: list[str], client: anthropic.Anthropic) -> None:
    """The reply ends before the first one that it comes to, whole and as a stream."""
    whole = client.messages.create(**MESSAGE, stop_sequences=sequences)
    with client.messages.stream(**MESSAGE, stop_sequences=sequences) as stream:
        streamed = stream.get_final_message()
    message: Any
    for message in (whole, streamed):
        assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "fox")
        assert [block.text for block in message.content] == ["the quick brown "]
    assert whole.usage.output_tokens == streamed.usage.output_tokens == 3
    other = client.messages.create(**MESSAGE, stop_sequences=["zebra"])
    assert (other.stop_reason, other.stop_sequence) == ("end_turn", None)


def test_the_tool_runner_comes_to_an_end(client: anthropic.Anthropic) -> None:
    """The runner calls the function once, sends its result, and gets an answer in words."""
    called: list[str] = []

    @beta_tool
    def weather(city: str) -> str:
        """Tell the weather of a city."""
        called.append(city)
        return "sunny"

    messages = list(client.beta.messages.tool_runner(**MESSAGE, tools=[weather]))
    assert called == ["simulated"]
    assert [each.stop_reason for each in messages] == ["tool_use", "end_turn"]


def test_the_other_resources_answer(client: anthropic.Anthropic) -> None:
    """Token counts, models and batches have the types that the SDK expects."""
    message: Any = MESSAGE
    counted = client.messages.count_tokens(model=MESSAGE["model"], messages=MESSAGE["messages"])
    assert counted.input_tokens > 0
    names = [model.id for model in client.models.list()]
    assert client.models.retrieve(names[0]).id == names[0]
    batch = client.messages.batches.create(requests=[{"custom_id": "one", "params": message}])
    assert client.messages.batches.retrieve(batch.id).processing_status == "ended"


@pytest.mark.parametrize(
    ("path", "body", "status", "error_type"),
    [
        ("/v1/nothing", {}, 404, "not_found_error"),
        ("/v1/messages", {"max_tokens": 1, "messages": []}, 400, "invalid_request_error"),
    ],
)
def test_a_wrong_request_is_refused_as_the_api_does(
    path: str, body: dict[str, Any], status: int, error_type: str, client: anthropic.Anthropic
) -> None:
    """An unknown path and a missing field get the API's errors."""
    with pytest.raises(anthropic.APIStatusError) as raised:
        client.post(path, body=body, cast_to=object)
    assert (raised.value.status_code, raised.value.type) == (status, error_type)


def test_rate_limits_go_down() -> None:
    """While no time passes, each response tells of fewer requests left than the one before."""
    left = []
    with (
        Simulator(clock=lambda: 1_800_000_000.0) as sim,
        anthropic.Anthropic(base_url=sim.base_url, api_key="none") as client,
    ):
        for _ in range(3):
            headers = client.messages.with_raw_response.create(**MESSAGE).headers
            left.append(int(headers["anthropic-ratelimit-requests-remaining"]))
            assert headers["anthropic-organization-id"]
    assert left[0] - 1 == left[1] == left[2] + 1


def _bedrock(sim: Simulator) -> anthropic.AnthropicBedrock:
    return anthropic.AnthropicBedrock(
        base_url=sim.base_url, aws_access_key="a", aws_secret_key="b", aws_region="us-east-1", max_retries=0
    )


def _vertex(sim: Simulator) -> anthropic.AnthropicVertex:
    return anthropic.AnthropicVertex(
        base_url=f"{sim.base_url}/v1", access_token="t", region="eu", project_id="p", max_retries=0
    )


@pytest.mark.parametrize("make", [_bedrock, _vertex])
def test_the_platforms_paths_answer(make: Any, sim: Simulator) -> None:
    """Bedrock's and Vertex's clients get messages and streams, each in its own framing."""
    with make(sim) as client:
        assert client.messages.create(**MESSAGE).content[0].text
        with client.messages.create(**MESSAGE, stream=True) as stream:
            assert [event.type for event in stream][-1] == "message_stop"
        sim.play(ErrorEvent("overloaded_error", "Overloaded"))
        with pytest.raises(anthropic.APIStatusError), client.messages.create(**MESSAGE, stream=True) as stream:
            list(stream)


def test_a_reply_of_ones_own(client: anthropic.Anthropic, sim: Simulator) -> None:
    """A status, error type and headers can be made up."""
    sim.play(Reply(418, "teapot_error", "short and stout", headers=(("x-mine", "1"), ("request-id", "req_mine"))))
    with pytest.raises(anthropic.APIStatusError) as raised:
        client.messages.create(**MESSAGE)
    assert raised.value.status_code == 418
    assert raised.value.request_id == "req_mine"
    assert json.loads(raised.value.response.text)["error"]["message"] == "short and stout"
    assert raised.value.response.headers["x-mine"] == "1"


@pytest.mark.parametrize(
    ("status", "error_type"), [(400, "invalid_request_error"), (503, "api_error"), (529, "overloaded_error")]
)
def test_a_reply_with_nothing_but_a_status(
    client: anthropic.Anthropic, sim: Simulator, status: int, error_type: str
) -> None:
    """An error status has the API's error body for it, and another one has no body."""
    sim.play(Reply(status))
    with pytest.raises(anthropic.APIStatusError) as raised:
        client.messages.create(**MESSAGE)
    assert raised.value.status_code == status
    assert raised.value.response.json()["error"]["type"] == error_type
    sim.play(Reply(304))
    with pytest.raises(anthropic.APIStatusError) as not_modified:
        client.messages.create(**MESSAGE)
    assert (not_modified.value.status_code, not_modified.value.response.content) == (304, b"")

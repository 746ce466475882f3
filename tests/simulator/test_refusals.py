"""Requests that are valid JSON of valid types, and that the API refuses all the same: in its words, with status 400."""

from __future__ import annotations

import http.client
import json
from typing import Any, Final

import anthropic
import pytest

from anthropic_otel.simulator import Simulator

USER: Final = {"role": "user", "content": "hi"}
USE: Final = {"role": "assistant", "content": [{"type": "tool_use", "id": "u1", "name": "t", "input": {}}]}
RESULT: Final = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "u1", "content": "x"}]}
TOOL: Final = {"name": "t", "input_schema": {"type": "object"}}
MARKED: Final = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}


def _image(**source: Any) -> Any:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "eA=="} | source}
    return [{"role": "user", "content": [image]}]


def _text(text: str) -> Any:
    return [{"role": "user", "content": [{"type": "text", "text": text}]}]


REFUSED: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "no message": ({"messages": []}, "messages: at least one message is required"),
    "an unknown role": (
        {"messages": [{"role": "tool", "content": "x"}]},
        'messages: Unexpected role "tool". Allowed roles are "user" or "assistant"',
    ),
    "a system prompt as the first message": (
        {"messages": [{"role": "system", "content": "x"}, USER]},
        "messages.0: use the top-level 'system' parameter for the initial system prompt",
    ),
    "an empty text": ({"messages": _text("")}, "messages: text content blocks must be non-empty"),
    "a text of blanks": ({"messages": _text(" ")}, "messages: text content blocks must contain non-whitespace text"),
    "an empty turn": (
        {"messages": [{"role": "user", "content": ""}, {"role": "user", "content": []}]},
        "messages.0: user messages must have non-empty content",
    ),
    "a block without a type": (
        {"messages": [{"role": "user", "content": [{"text": "x"}]}]},
        "messages.0.content.0.type: Field required",
    ),
    "an image that is not base64": (
        {"messages": _image(data="?")},
        "messages.0.content.0.image.source.base64.data: invalid base64 data",
    ),
    "an empty image": (
        {"messages": _image(data="")},
        "messages.0.content.0.image.source.base64: image cannot be empty",
    ),
    "an image of an unknown type": (
        {"messages": _image(media_type="image/heic")},
        "messages.0.content.0.image.source.base64.media_type: "
        "Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'",
    ),
    "a use of a tool without its result": (
        {"messages": [USER, USE, USER]},
        "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: u1. "
        "Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
    ),
    "a use of a tool at the end": ({"messages": [USER, USE]}, "messages.1: `tool_use` ids were found"),
    "a result without its use": (
        {"messages": [RESULT]},
        "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: u1. "
        "Each `tool_result` block must have a corresponding `tool_use` block in the previous message.",
    ),
    "two tools of a name": ({"tools": [TOOL, TOOL]}, "tools: Tool names must be unique."),
    "a choice without tools": (
        {"tool_choice": {"type": "any"}},
        "tool_choice may only be specified while providing tools.",
    ),
    "a choice of another tool": (
        {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "other"}},
        "Tool 'other' not found in provided tools",
    ),
    "a choice of an unknown type": (
        {"tools": [TOOL], "tool_choice": {"type": "all"}},
        "tool_choice: Input tag found using 'type' does not match any of the expected tags: "
        "'auto', 'any', 'tool', 'none'",
    ),
    "five marks of the cache": (
        {"system": [MARKED] * 2, "messages": [{"role": "user", "content": [MARKED] * 3}]},
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
    ),
    "a small budget of thinking": (
        {"thinking": {"type": "enabled", "budget_tokens": 1023}},
        "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
    ),
    "a budget of thinking that leaves no reply": (
        {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 1024},
        "`max_tokens` must be greater than `thinking.budget_tokens`",
    ),
    "an unknown thinking": ({"thinking": {"type": "on"}}, "thinking: Input tag found using 'type' does not match"),
    "a hot temperature": ({"temperature": 1.5}, "temperature: range: 0..1"),
    "a text as temperature": ({"temperature": "1"}, "temperature: Input should be a valid number"),
    "a top_p above 1": ({"top_p": 2}, "top_p: range: 0..1"),
    "a top_k that is a fraction": ({"top_k": 1.5}, "top_k: Input should be a valid integer"),
    "a stop sequence of blanks": (
        {"stop_sequences": ["\n"]},
        "stop_sequences: each stop sequence must contain non-whitespace",
    ),
    "one stop sequence": ({"stop_sequences": "x"}, "stop_sequences: Input should be a valid array of strings"),
    "other metadata": ({"metadata": {"team": "a"}}, "metadata: Input does not match the expected shape."),
    "an unknown tier": ({"service_tier": "fast"}, "service_tier: Input should be 'auto' or 'standard_only'"),
    "a negative max_tokens": ({"max_tokens": -1}, "max_tokens: must be greater than or equal to 0"),
    "null for a number": ({"temperature": None}, "temperature: Input should be a valid number"),
}


def _body(more: dict[str, Any]) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 100, "messages": [USER]} | more


def _post(sim: Simulator, path: str, body: dict[str, Any]) -> Any:
    with anthropic.Anthropic(base_url=sim.base_url, api_key="none", max_retries=0) as client:
        return client.post(path, body=body, cast_to=object)


@pytest.mark.parametrize(("more", "said"), REFUSED.values(), ids=REFUSED)
def test_a_request_that_breaks_a_rule_is_refused(sim: Simulator, more: dict[str, Any], said: str) -> None:
    """An app that gets a reply from the simulator gets none from the API for one of these reasons."""
    with pytest.raises(anthropic.BadRequestError) as raised:
        _post(sim, "/v1/messages", _body(more))
    body: Any = raised.value.body
    assert body["error"]["type"] == "invalid_request_error"
    assert body["error"]["message"].startswith(said)
    assert body["request_id"] == raised.value.request_id


ACCEPTED: Final[dict[str, dict[str, Any]]] = {
    "a pair": {"messages": [USER, USE, RESULT]},
    "a pair with other content": {"messages": [USER, USE, RESULT, USER]},
    "a turn of several messages": {"messages": [{"role": "user", "content": []}, USER]},
    "a reply that is begun": {"messages": [USER, {"role": "assistant", "content": "Well"}]},
    "a system message later": {"messages": [USER, {"role": "system", "content": "x"}]},
    "an image": {"messages": _image()},
    "four marks of the cache": {"system": [MARKED] * 4},
    "a budget of thinking": {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 1025},
    "null where it may be": {"metadata": None, "stop_sequences": None},
    "a thread that goes on": {"messages": [RESULT], "thread": {"type": "continue", "previous_message_id": "m"}},
}


@pytest.mark.parametrize("more", ACCEPTED.values(), ids=ACCEPTED)
def test_a_request_at_the_edge_of_a_rule_is_answered(sim: Simulator, more: dict[str, Any]) -> None:
    """The simulator is not stricter than the API either."""
    assert _post(sim, "/v1/messages", _body(more))["type"] == "message"


def test_no_token_gets_a_message_without_content(sim: Simulator) -> None:
    """It warms the cache: the prompt is written, and nothing is generated."""
    message = _post(sim, "/v1/messages", _body({"max_tokens": 0, "system": [MARKED]}))
    assert (message["content"], message["stop_reason"]) == ([], "max_tokens")
    assert message["usage"]["output_tokens"] == 0
    assert message["usage"]["cache_creation_input_tokens"] > 0


@pytest.mark.parametrize(
    ("versions", "message"),
    [
        ((), "anthropic-version: header is required"),
        (("2023-06-01", "2023-06-01"), 'anthropic-version: "2023-06-01, 2023-06-01" is not a valid version'),
        (("latest",), 'anthropic-version: "latest" is not a valid version'),
    ],
    ids=["missing", "twice", "no date"],
)
def test_a_request_needs_one_version(versions: tuple[str, ...], message: str, sim: Simulator) -> None:
    """The SDK always sends it. A gateway may drop it, or add its own to it."""
    connection = http.client.HTTPConnection("127.0.0.1", int(sim.base_url.rpartition(":")[2]))
    connection.putrequest("POST", "/v1/messages")
    for name, value in (("x-api-key", "none"), ("content-length", "2"), *(("anthropic-version", v) for v in versions)):
        connection.putheader(name, value)
    connection.endheaders(b"{}")
    response = connection.getresponse()
    error = json.loads(response.read())["error"]
    connection.close()
    assert (response.status, error) == (400, {"type": "invalid_request_error", "message": message})

"""A reply has the fields and the bytes that recorded replies of the API have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest

from anthropic_otel.simulator import Simulator

HEADERS: Final = {"x-api-key": "k", "anthropic-version": "2023-06-01"}
TOOL: Final = {"name": "t", "input_schema": {"type": "object"}}


@pytest.fixture
def http(sim: Simulator) -> Iterator[httpx.Client]:
    """What is received is read as it is."""
    with httpx.Client(base_url=sim.base_url, headers=HEADERS) as each:
        yield each


def _body(**more: Any) -> dict[str, Any]:
    return {"model": "claude-sonnet-5-5", "max_tokens": 99, "messages": [{"role": "user", "content": "hi"}]} | more


def _events(http: httpx.Client, body: dict[str, Any], path: str = "/v1/messages") -> list[dict[str, Any]]:
    text = http.post(path, json=body | {"stream": True}).text
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]


@pytest.mark.parametrize(
    ("path", "asked", "told"),
    [
        ("/v1/messages", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
        ("/v1/messages", "claude-haiku-4-5", "claude-haiku-4-5-20251001"),
        ("/v1/messages", "claude-opus-4-5-20251101", "claude-opus-4-5-20251101"),
        ("/v1/messages", "claude-opus-5", "claude-opus-5"),
        ("/anthropic/v1/messages", "our@deployment", "our@deployment"),
        ("/model/eu.anthropic.claude-haiku-4-5-20251001-v1:0/invoke", None, "claude-haiku-4-5-20251001"),
        ("/model/anthropic.claude-opus-4-8-v1/invoke", None, "claude-opus-4-8"),
        ("/model/m/invoke", None, "m"),
        (
            "/v1/projects/p/locations/eu/publishers/anthropic/models/claude-haiku-4-5@20251001:rawPredict",
            None,
            "claude-haiku-4-5-20251001",
        ),
    ],
)
def test_a_reply_names_the_model_as_the_api_does(http: httpx.Client, path: str, asked: str | None, told: str) -> None:
    """It was asked for by an alias, or by a platform's name. What compares the two names must not take one for both."""
    body = _body(model=asked) if asked else _body()
    assert http.post(path, json=body).json()["model"] == told
    if path.startswith("/v1/messages"):
        assert _events(http, body, path)[0]["message"]["model"] == told


def test_a_whole_reply_has_the_fields_of_a_recorded_one(http: httpx.Client) -> None:
    """In their order; those without a value are there too."""
    message = http.post("/v1/messages", json=_body(tools=[TOOL])).json()
    fields = ["model", "id", "type", "role", "content", "stop_reason", "stop_sequence", "stop_details", "usage"]
    assert list(message) == fields
    assert message["stop_details"] is None
    assert message["usage"]["inference_geo"] == "global"
    [block] = message["content"]
    assert list(block) == ["type", "id", "name", "input", "caller"]
    assert block["caller"] == {"type": "direct"}


def test_a_stream_has_the_fields_of_a_recorded_one(http: httpx.Client) -> None:
    """What the reply ends with is null at its start, and told again at its end."""
    events = _events(http, _body(tools=[TOOL]))
    start, opened, last = events[0]["message"], events[1]["content_block"], events[-2]
    assert (start["content"], start["stop_reason"], start["stop_details"]) == ([], None, None)
    assert start["usage"]["inference_geo"] == "global"
    assert opened["caller"] == {"type": "direct"}
    assert last["delta"] == {"stop_reason": "tool_use", "stop_sequence": None, "stop_details": None}
    assert last["usage"].keys() == {
        "input_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "output_tokens",
    }


def test_the_json_of_an_event_is_padded(http: httpx.Client) -> None:
    """It ends in spaces, and a ping has one inside. A parser that looks for exact bytes finds none of these."""
    text = http.post("/v1/messages", json=_body(stream=True)).text
    data = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    assert '{"type": "ping"}' in data
    pads = {len(match[1]) for each in data if (match := re.search(r"( *)}$", each))}
    assert len(pads) > 3
    assert max(pads) < 16


@pytest.mark.parametrize(
    ("model", "thinking", "text"),
    [
        ("claude-sonnet-5-5", {"type": "adaptive"}, ""),
        ("claude-sonnet-5-5", {"type": "adaptive", "display": "summarized"}, "Let me think."),
        ("claude-sonnet-4-6", {"type": "adaptive"}, "Let me think."),
    ],
)
def test_a_later_model_thinks_without_words(http: httpx.Client, model: str, thinking: Any, text: str) -> None:
    """Unless it is asked for a summary. What comes is a signature, whole and as a stream."""
    body = _body(model=model, thinking=thinking)
    block = http.post("/v1/messages", json=body).json()["content"][0]
    assert (block["type"], block["thinking"], bool(block["signature"])) == ("thinking", text, True)
    deltas = [event["delta"]["type"] for event in _events(http, body) if event["type"] == "content_block_delta"]
    assert deltas[:2] == (["thinking_delta", "signature_delta"] if text else ["signature_delta", "text_delta"])

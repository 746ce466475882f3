"""Requests that are valid JSON of valid types, and that the API refuses all the same: in its words, with status 400."""

from __future__ import annotations

import base64
import http.client
import json
import struct
from typing import Any, Final

import anthropic
import pytest

from anthropic_otel.simulator import Simulator

TEXT_SOURCE: Final = {"type": "text", "media_type": "text/plain", "data": "x"}
CITATION: Final = {
    "type": "char_location",
    "cited_text": "x",
    "document_index": 0,
    "document_title": None,
    "start_char_index": 0,
    "end_char_index": 1,
}
USER: Final = {"role": "user", "content": "hi"}
USE: Final[dict[str, Any]] = {
    "role": "assistant",
    "content": [{"type": "tool_use", "id": "u1", "name": "t", "input": {}}],
}
RESULT: Final[dict[str, Any]] = {
    "role": "user",
    "content": [{"type": "tool_result", "tool_use_id": "u1", "content": "x"}],
}
TOOL: Final = {"name": "t", "input_schema": {"type": "object"}}
PNG: Final = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + struct.pack("!II", 1, 1)).decode()
OLDER: Final = {"model": "claude-sonnet-4-5"}
"""A model that has a budget of thinking, sampling, and replies that are begun."""
MARKED: Final = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}


def _image(**source: Any) -> Any:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG} | source}
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
    "a reply that is begun with a blank at its end": (
        OLDER | {"messages": [USER, {"role": "assistant", "content": "Well "}]},
        "messages: final assistant content cannot end with trailing whitespace",
    ),
    "a use of an id that no id can have": (
        {"messages": [USER, {"role": "assistant", "content": [USE["content"][0] | {"id": "call:1"}]}, USER]},
        "messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'",
    ),
    "two uses of an id": (
        {"messages": [USER, {"role": "assistant", "content": USE["content"] * 2}, RESULT]},
        "messages.1.content.1: `tool_use` ids must be unique",
    ),
    "two results of a use": (
        {"messages": [USER, USE, {"role": "user", "content": RESULT["content"] * 2}]},
        "messages.2.content.1: each tool_use must have a single result. Found multiple `tool_result` blocks with id",
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
        "tool_choice: Input tag 'all' found using 'type' does not match any of the expected tags: "
        "'any', 'auto', 'none', 'tool'",
    ),
    "five marks of the cache": (
        {"system": [MARKED] * 2, "messages": [{"role": "user", "content": [MARKED] * 3}]},
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
    ),
    "a small budget of thinking": (
        OLDER | {"thinking": {"type": "enabled", "budget_tokens": 1023}},
        "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
    ),
    "a budget of thinking that leaves no reply": (
        OLDER | {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 1024},
        "`max_tokens` must be greater than `thinking.budget_tokens`",
    ),
    "an unknown thinking": ({"thinking": {"type": "on"}}, "thinking: Input tag 'on' found using 'type' does not match"),
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
    return {"model": "claude-opus-5", "max_tokens": 100, "messages": [USER]} | more


OLD: Final = {"anthropic-version": "2023-06-01"}
NEW: Final = {"anthropic-version": "2026-10-21"}


def _post(sim: Simulator, path: str, body: dict[str, Any], headers: dict[str, str] = OLD) -> Any:
    with anthropic.Anthropic(base_url=sim.base_url, api_key="none", max_retries=0) as client:
        return client.post(path, body=body, cast_to=object, options={"headers": headers})


def _refusal(sim: Simulator, path: str, body: dict[str, Any], headers: dict[str, str] = OLD) -> tuple[int, str]:
    """The status, and the message of the API's error."""
    with pytest.raises(anthropic.APIStatusError) as raised:
        _post(sim, path, body, headers)
    return raised.value.status_code, raised.value.response.json()["error"]["message"]


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
    "a reply that is begun": OLDER | {"messages": [USER, {"role": "assistant", "content": "Well"}]},
    "a system message later": {"messages": [USER, {"role": "system", "content": "x"}]},
    "an image": {"messages": _image()},
    "four marks of the cache": {"system": [MARKED] * 4},
    "a budget of thinking": OLDER | {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 1025},
    "null where it may be": {"metadata": None, "stop_sequences": None},
}


def test_a_thread_that_goes_on_may_begin_with_a_result(sim: Simulator) -> None:
    """Its use may be in what was sent before."""
    headers = OLD | {"anthropic-beta": "message-threads-2026-08-12"}
    first = _post(sim, "/v1/messages", _body({"thread": {"type": "create"}}), headers)
    body = _body({"messages": [RESULT], "thread": {"type": "continue", "previous_message_id": first["id"]}})
    assert _post(sim, "/v1/messages", body, headers)["type"] == "message"


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
        (("2024-10-22",), 'anthropic-version: "2024-10-22" is not a valid version'),
    ],
    ids=["missing", "twice", "no date", "no version"],
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


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
@pytest.mark.parametrize("model", ["m", "sonnet4", "claude-sonet-5-5", "claude-3-opus-20240229", "claude-opus-4-1"])
def test_a_model_that_does_not_exist_is_not_found(sim: Simulator, path: str, model: str) -> None:
    """Also one that the API had, and that an older SDK may still list."""
    body = {"model": model, "messages": [USER]} | ({} if "count" in path else {"max_tokens": 5})
    assert _refusal(sim, path, body) == (404, f"model: {model}")


def test_the_models_of_the_list_exist(sim: Simulator) -> None:
    """By their names, and the older ones by their aliases too."""
    with anthropic.Anthropic(base_url=sim.base_url, api_key="none", max_retries=0) as client:
        listed = list(client.models.list(limit=1000))
        for model in listed:
            assert client.models.retrieve(model.id).id == model.id
    assert {"claude-opus-5-5", "claude-haiku-4-5-20251001"} <= {model.id for model in listed}
    for name, shown in (("claude-opus-5-5", "Claude Opus 5.5"), ("claude-opus-4-5", "Claude Opus 4.5")):
        assert sim_model(sim, name)["display_name"] == shown
        assert _post(sim, "/v1/messages", _body({"model": name}))["type"] == "message"


def sim_model(sim: Simulator, name: str) -> Any:
    """What the API says about a model."""
    with anthropic.Anthropic(base_url=sim.base_url, api_key="none", max_retries=0) as client:
        return client.get(f"/v1/models/{name}", cast_to=object)


@pytest.mark.parametrize("models", [["gateway-model", "m"], None])
def test_models_of_ones_own_exist(models: list[str] | None) -> None:
    """Named ones, or any, may have as many tokens as they like."""
    with Simulator(models=models) as sim:
        body = _body({"model": "gateway-model", "max_tokens": 10_000_000})
        assert _post(sim, "/v1/messages", body)["model"] == "gateway-model"
        assert sim_model(sim, "gateway-model")["id"] == "gateway-model"
        if models:
            assert _refusal(sim, "/v1/messages", _body({"model": "other"})) == (404, "model: other")
        assert _refusal(sim, "/v1/messages", _body({"max_tokens": 200_000}))[0] == 400


@pytest.mark.parametrize(
    ("model", "most", "told"),
    [
        ("claude-opus-5", 128_000, "claude-opus-5"),
        ("claude-haiku-4-5", 64_000, "claude-haiku-4-5-20251001"),
        ("claude-opus-4-5-20251101", 64_000, "claude-opus-4-5-20251101"),
    ],
)
def test_more_tokens_than_a_model_has_are_refused(sim: Simulator, model: str, most: int, told: str) -> None:
    """The message names the model as it is, not the alias."""
    assert _post(sim, "/v1/messages", _body({"model": model, "max_tokens": most}))["type"] == "message"
    refused = _refusal(sim, "/v1/messages", _body({"model": model, "max_tokens": most + 1}))
    words = f"max_tokens: {most + 1} > {most}, which is the maximum allowed number of output tokens for {told}"
    assert refused == (400, words)


def test_a_batch_may_have_more_tokens_by_a_beta_header(sim: Simulator) -> None:
    """300,000 instead of 128,000, in batches only."""
    body = _body({"max_tokens": 300_000})
    long = OLD | {"anthropic-beta": "output-300k-2026-03-24"}
    requests = {"requests": [{"custom_id": "a", "params": body}, {"custom_id": "b", "params": body | {"model": "no"}}]}
    counts = []
    for headers in (OLD, long):
        batch = _post(sim, "/v1/messages/batches", requests, headers)
        with anthropic.Anthropic(base_url=sim.base_url, api_key="none", max_retries=0) as client:
            ended: Any = client.get(f"/v1/messages/batches/{batch['id']}", cast_to=object)
        counts.append({name: count for name, count in ended["request_counts"].items() if count})
    assert counts == [{"errored": 2}, {"succeeded": 1, "errored": 1}]
    assert _refusal(sim, "/v1/messages", body, long)[0] == 400


def test_a_platform_behind_a_prefix_has_names_of_its_own(sim: Simulator) -> None:
    """On Foundry, for one, a model is called as its deployment is."""
    assert _post(sim, "/anthropic/v1/messages", _body({"model": "our-deployment"}))["model"] == "our-deployment"


@pytest.mark.parametrize(
    ("path", "more", "field"),
    [
        ("/v1/messages", {"max_token": 5}, "max_token"),
        ("/v1/messages", {"anthropic_version": "x"}, "anthropic_version"),
        ("/v1/messages", {"frequency_penalty": 0}, "frequency_penalty"),
        ("/v1/messages/count_tokens", {"max_tokens": 5}, "max_tokens"),
        ("/v1/messages/count_tokens", {"temperature": 1}, "temperature"),
    ],
)
def test_a_field_that_the_api_does_not_know_is_refused(
    sim: Simulator, path: str, more: dict[str, Any], field: str
) -> None:
    """A misspelt name, one of another API, and one of another endpoint."""
    body = {"model": "claude-opus-5", "messages": [USER]} | ({} if "count" in path else {"max_tokens": 5}) | more
    assert _refusal(sim, path, body) == (400, f"{field}: Extra inputs are not permitted")


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
def test_version_2026_10_21_has_no_sampling(sim: Simulator, name: str) -> None:
    """Not even at the default, as the newest SDKs do not know these fields; older versions of the API take them."""
    body = _body(OLDER | {name: 1})
    assert _refusal(sim, "/v1/messages", body, NEW) == (400, f"{name}: Extra inputs are not permitted")
    assert _post(sim, "/v1/messages", body, OLD)["type"] == "message"


@pytest.mark.parametrize(
    "messages",
    [
        [USER, {"role": "assistant", "content": [{"type": "document", "source": TEXT_SOURCE}]}, USER],
        [{"role": "user", "content": [{"type": "text", "text": "x", "citations": [CITATION]}]}],
    ],
    ids=["a document of the assistant", "citations of the user"],
)
def test_version_2026_10_21_refuses_what_only_the_other_side_has(sim: Simulator, messages: list[Any]) -> None:
    """Older versions of the API take both."""
    body = _body({"messages": messages})
    assert _refusal(sim, "/v1/messages", body, NEW)[0] == 400
    assert _post(sim, "/v1/messages", body, OLD)["type"] == "message"


def test_a_beta_header_that_the_api_does_not_know_is_refused(sim: Simulator) -> None:
    """The message names each that is unknown, and none that is known."""
    told = OLD | {"anthropic-beta": "files-api-2025-04-14, zz-one-2099-01-01,zz-two"}
    words = (
        "Unexpected value(s) `zz-one-2099-01-01`, `zz-two` for the `anthropic-beta` header. Please consult our "
        "documentation at platform.claude.com/docs or try again without the header."
    )
    assert _refusal(sim, "/v1/messages", _body({}), told) == (400, words)
    assert _post(sim, "/v1/messages", _body({}), OLD | {"anthropic-beta": "files-api-2025-04-14"})["type"] == "message"
    for betas in (["zz-one-2099-01-01", "zz-two"], None):
        with Simulator(betas=betas) as own:
            assert _post(own, "/v1/messages", _body({}), told)["type"] == "message"

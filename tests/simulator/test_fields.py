"""What is wrong within blocks, tools and other objects of a request is refused, with its place in the API's words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import anthropic
import httpx
import pytest

from anthropic_otel.simulator import Simulator
from tools import shapes

USER: Final = {"role": "user", "content": "hi"}
TOOL: Final = {"name": "t", "input_schema": {"type": "object"}}
MARK: Final = {"type": "ephemeral"}


@pytest.fixture
def http(sim: Simulator) -> Iterator[httpx.Client]:
    """What has no SDK between: any body can be sent."""
    headers = {"x-api-key": "k", "anthropic-version": "2026-10-21"}
    with httpx.Client(base_url=sim.base_url, headers=headers) as each:
        yield each


def _said(http: httpx.Client, more: dict[str, Any], betas: str = "", path: str = "/v1/messages") -> str | None:
    """The message of the API's refusal, or `None` if it answers."""
    body = {"model": "claude-opus-5", "max_tokens": 100, "messages": [USER]} | more
    response = http.post(path, json=body, headers={"anthropic-beta": betas} if betas else {})
    if response.status_code == 200:
        return None
    error = response.json()["error"]
    assert (response.status_code, error["type"]) == (400, "invalid_request_error")
    return str(error["message"])


def _block(**block: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [block]}]}


def _result(*content: Any) -> dict[str, Any]:
    use = {"role": "assistant", "content": [{"type": "tool_use", "id": "u", "name": "t", "input": {}}]}
    result = {"type": "tool_result", "tool_use_id": "u", "content": list(content)}
    return {"messages": [USER, use, {"role": "user", "content": [result]}]}


def _tool(**more: Any) -> dict[str, Any]:
    return {"tools": [TOOL | more]}


WRONG: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "a field that a block lacks": (
        _block(type="text", text="x", foo=1),
        "messages.0.content.0.text.foo: Extra inputs are not permitted",
    ),
    "a field of another block": (
        {
            "messages": [
                USER,
                {
                    "role": "assistant",
                    "content": [{"type": "thinking", "thinking": "", "signature": "", "cache_control": MARK}],
                },
                USER,
            ]
        },
        "messages.1.content.0.thinking.cache_control: Extra inputs are not permitted",
    ),
    "a field that a message lacks": (
        {"messages": [USER | {"name": "me"}]},
        "messages.0.name: Extra inputs are not permitted",
    ),
    "a field that a mark of the cache lacks": (
        {"system": [{"type": "text", "text": "x", "cache_control": MARK | {"scope": "global"}}]},
        "system.0.cache_control.ephemeral.scope: Extra inputs are not permitted",
    ),
    "a field that a tool lacks": (_tool(foo=1), "tools.0.custom.foo: Extra inputs are not permitted"),
    "a field that a server's tool lacks": (
        {"tools": [{"type": "web_search_20250305", "name": "web_search", "foo": 1}]},
        "tools.0.web_search_20250305.foo: Extra inputs are not permitted",
    ),
    "a field that a choice lacks": (
        {"tools": [TOOL], "tool_choice": {"type": "any", "name": "t"}},
        "tool_choice.any.name: Extra inputs are not permitted",
    ),
    "a field that thinking lacks": (
        {"thinking": {"type": "adaptive", "effort": "high"}},
        "thinking.adaptive.effort: Extra inputs are not permitted",
    ),
    "a field in a tool's result": (
        _result({"type": "text", "text": "x", "foo": 1}),
        "messages.2.content.0.tool_result.content.0.text.foo: Extra inputs are not permitted",
    ),
    "a block of an unknown type": (
        _block(type="video"),
        "messages.0.content.0: Input tag 'video' found using 'type' does not match any of the expected tags: "
        "'bash_code_execution_tool_result', ",
    ),
    "a source of an unknown type": (
        _block(type="image", source={"type": "path", "path": "x"}),
        "messages.0.content.0.image.source: Input tag 'path' found using 'type' does not match any of the expected "
        "tags: 'base64', 'file', 'url'",
    ),
    "a tool of an unknown type": (
        {"tools": [{"type": "web_search", "name": "web_search"}]},
        "tools.0: Input tag 'web_search' found using 'type' does not match any of the expected tags: 'bash_20250124', ",
    ),
    "a tool of another API": (
        {"tools": [{"type": "function", "function": {"name": "t", "parameters": {}}}]},
        "tools.0: Input tag 'function' found using 'type' does not match any of the expected tags: ",
    ),
    "a block without its content": (_block(type="image"), "messages.0.content.0.image.source: Field required"),
    "a message without content": ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
    "a message without a role": ({"messages": [{"content": "x"}]}, "messages.0.role: Field required"),
    "a tool without a name": ({"tools": [{"input_schema": {"type": "object"}}]}, "tools.0.custom.name: Field required"),
    "a tool without a schema": ({"tools": [{"name": "t"}]}, "tools.0.custom.input_schema: Field required"),
    "a number for a text": (
        _block(type="text", text=1),
        "messages.0.content.0.text.text: Input should be a valid string",
    ),
    "a null for a text": (
        _tool(description=None),
        "tools.0.custom.description: Input should be a valid string",
    ),
    "a text for a number": (
        {"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": "1"}]},
        "tools.0.web_search_20250305.max_uses: Input should be a valid integer",
    ),
    "a server's tool of another name": (
        {"tools": [{"type": "web_search_20250305", "name": "search"}]},
        "tools.0.web_search_20250305.name: Input should be 'web_search'",
    ),
    "an effort that there is not": (
        {"output_config": {"effort": "most"}},
        "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'",
    ),
    "a name with a dot": (
        _tool(name="files.read"),
        "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
    ),
    "a long name": (_tool(name="n" * 129), "tools.0.custom.name: String should have at most 128 characters"),
    "a schema without a type": (_tool(input_schema={}), "tools.0.custom.input_schema.type: Field required"),
    "a schema of another type": (
        _tool(input_schema={"type": "string"}),
        "tools.0.custom.input_schema.type: Input should be 'object'",
    ),
    "a schema of several": (
        _tool(input_schema={"type": "object", "anyOf": [{}]}),
        "tools.0.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level",
    ),
    "no schema": (
        _tool(input_schema={"type": "object", "properties": {"a": {"type": "strin"}}}),
        "tools.0.custom.input_schema: JSON schema is invalid. It must match JSON Schema draft 2020-12",
    ),
    "a required that is no list": (
        _tool(input_schema={"type": "object", "properties": {"a": {"type": "object", "required": True}}}),
        "tools.0.custom.input_schema: JSON schema is invalid.",
    ),
}


@pytest.mark.parametrize(("more", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_within_is_refused_with_its_place(http: httpx.Client, more: dict[str, Any], said: str) -> None:
    """An app that gets a reply from the simulator gets none from the API for one of these reasons."""
    found = _said(http, more)
    assert found is not None
    assert found.startswith(said)


RIGHT: Final[dict[str, dict[str, Any]]] = {
    "every source of a document": _block(
        type="document",
        source={"type": "text", "media_type": "text/plain", "data": "x"},
        title="t",
        context=None,
        citations={"enabled": True},
    ),
    "an image by its address": _block(type="image", source={"type": "url", "url": "https://host/a.png"}),
    "a null where it may be": _block(type="text", text="x", citations=None, cache_control=None),
    "a tool of the user's": {"tools": [TOOL | {"type": "custom", "strict": True, "description": "d"}]},
    "a long name": _tool(name="n" * 128),
    "tools of the server": {
        "tools": [
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
            {"type": "bash_20250124", "name": "bash"},
            {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"},
        ]
    },
    "a reply that is sent back": {
        "messages": [
            USER,
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "", "signature": "s"},
                    {"type": "text", "text": "x"},
                    {"type": "tool_use", "id": "u", "name": "t", "input": {}, "caller": {"type": "direct"}},
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "u", "is_error": True}]},
        ]
    },
    "a schema with all that is usual": _tool(
        input_schema={
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "required": [],
            "additionalProperties": False,
            "properties": {
                "a": {"type": ["string", "null"], "enum": ["x", None], "default": 3},
                "b": {"type": "array", "items": {"$ref": "#/$defs/c"}, "minItems": 1},
                "d": {"anyOf": [True, {"const": 1}], "not": False},
            },
            "$defs": {"c": {"type": "integer", "format": "int32"}},
        }
    ),
}


@pytest.mark.parametrize("more", RIGHT.values(), ids=RIGHT)
def test_what_the_sdk_has_types_for_is_answered(http: httpx.Client, more: dict[str, Any]) -> None:
    """The simulator is not stricter than the API either."""
    assert _said(http, more) is None


GATED: Final[dict[str, tuple[dict[str, Any], str, str]]] = {
    "context management": (
        {"context_management": {"edits": []}},
        "context-management-2025-06-27",
        "context_management: Extra inputs are not permitted",
    ),
    "compaction": (
        {"context_management": {"edits": [{"type": "compact_20260112"}]}},
        "compact-2026-01-12",
        "context_management: Extra inputs are not permitted",
    ),
    "MCP servers": (
        {"mcp_servers": [{"type": "url", "url": "https://host", "name": "m"}]},
        "mcp-client-2025-11-20",
        "mcp_servers: Extra inputs are not permitted",
    ),
    "fallbacks": (
        {"fallbacks": [{"model": "claude-opus-4-8"}]},
        "server-side-fallback-2026-06-01",
        "fallbacks: Extra inputs are not permitted",
    ),
    "a thread": (
        {"thread": {"type": "create"}},
        "message-threads-2026-08-12",
        "thread: Extra inputs are not permitted",
    ),
    "a budget of a task": (
        {"output_config": {"task_budget": {"type": "tokens", "total": 20_000}}},
        "task-budgets-2026-03-13",
        "output_config.task_budget: Extra inputs are not permitted",
    ),
    "the scope of a cache": (
        {"system": [{"type": "text", "text": "x", "cache_control": MARK | {"scope": "global"}}]},
        "prompt-caching-scope-2026-01-05",
        "system.0.cache_control.ephemeral.scope: Extra inputs are not permitted",
    ),
    "an advisor": (
        {"tools": [{"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-5"}]},
        "advisor-tool-2026-03-01",
        "tools.0: Input tag 'advisor_20260301' found using 'type' does not match any of the expected tags: ",
    ),
    "fast mode in preview": ({"speed": "fast"}, "fast-mode-2026-02-01", "speed: Extra inputs are not permitted"),
}


@pytest.mark.parametrize(("more", "beta", "said"), GATED.values(), ids=GATED)
def test_what_needs_a_beta_header_is_refused_without_it(
    http: httpx.Client, more: dict[str, Any], beta: str, said: str
) -> None:
    """Another beta header does not help. On Bedrock the headers are in the body."""
    for betas in ("", "files-api-2025-04-14"):
        found = _said(http, more, betas)
        assert found is not None
        assert found.startswith(said)
    assert _said(http, more, f"files-api-2025-04-14, {beta}") is None
    body = {"max_tokens": 9, "messages": [USER], "anthropic_version": "bedrock-2023-05-31"} | more
    for given, status in (([], 400), ([beta], 200)):
        if "speed" not in more:
            response = http.post("/model/m/invoke", json=body | {"anthropic_beta": given})
            assert response.status_code == status


def test_a_request_of_a_batch_is_refused_alike(http: httpx.Client) -> None:
    """Among the results."""
    params = {"model": "claude-opus-5", "max_tokens": 9, "messages": [USER], "tools": [{"name": "t"}]}
    batch = http.post("/v1/messages/batches", json={"requests": [{"custom_id": "a", "params": params}]}).json()
    http.get(f"/v1/messages/batches/{batch['id']}")
    result = http.get(f"/v1/messages/batches/{batch['id']}/results").json()["result"]
    assert result["error"]["error"]["message"] == "tools.0.custom.input_schema: Field required"


def test_the_shapes_are_those_of_the_newest_sdk() -> None:
    """After an upgrade `python -m tools.shapes` writes them anew. An older SDK has fewer."""
    held = shapes.SHAPES.read_text("utf-8")
    written_of = re.search(r"anthropic ([\d.]+)\.", held)
    assert written_of is not None
    if [int(part) for part in anthropic.__version__.split(".")] >= [int(part) for part in written_of[1].split(".")]:
        assert _sorted(shapes.text()) == _sorted(held)


def _sorted(text: str) -> str:
    """The text with the words of each choice in alphabetical order, as Python may give them in any."""
    return re.sub(r"=([\w,./-]+)", lambda match: "=" + ",".join(sorted(match[1].split(","))), text)

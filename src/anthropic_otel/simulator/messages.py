"""Makes the model's reply to a Messages request, as a whole message and as the events of a stream.

Rule: a message depends only on its arguments, so that a run can be repeated. A request with tools that have an input
schema gets a use of one of them, unless it forbids that or ends in a tool's result. Any other request gets words, or
JSON if it asks for a structured output.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import cycle, islice
from typing import Final

from anthropic_otel.simulator import usage
from anthropic_otel.simulator.abilities import hides_thinking
from anthropic_otel.simulator.known import own_name
from anthropic_otel.simulator.samples import sample
from anthropic_otel.simulator.wire import Json, to_json

_SAYING: Final = "the quick brown fox jumps over the lazy dog while the slow green turtle watches from the river bank"
DEFAULT_MODEL: Final = "claude-sonnet-5-5"
_LAST: Final = ("stop_reason", "stop_sequence", "stop_details", "container")
"""The fields of a message that a stream has in `message_delta`."""


def message(
    request: Json, words: int, message_id: str, tool_id: str, prompt: Json, container: Json | None = None
) -> Json:
    """Returns the whole message that answers the request, of the model that it asks for or else of a default one.

    It names the model as the API itself does, not by an alias or a platform's name. `words` is the length of a text
    reply, which `max_tokens` may cut. The text ends before the first of the request's `stop_sequences` in it. If
    `max_tokens` is 0, the message has no content. `message_id` and `tool_id` are the ids of the message and of its tool
    use; the ids of server tools' uses are made from `tool_id`. `prompt` is the part of `usage` that `PromptCache.usage`
    returned. `container` is where code is executed, with the `file_id` of what that makes, if the request has code
    executed.
    """
    if request.get("max_tokens") == 0:
        content, stop_reason, output_tokens = [], "max_tokens", 0
    else:
        block, stop_reason, output_tokens = _content(request, words, tool_id)
        content = [*_before(request, tool_id, container), block]
    whole = {
        "model": own_name(request.get("model") or DEFAULT_MODEL),
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": _sequence(request, words) if stop_reason == "stop_sequence" else None,
        "stop_details": None,
        "usage": usage.usage_of(request, prompt, output_tokens),
    }
    if container:
        whole["container"] = {name: container[name] for name in ("id", "expires_at")}
    return whole


def events(whole: Json, prompt: Json, pings: int = 0) -> Iterator[Json]:
    """Yields the events of a stream of the message `whole`. A `ping` follows the start of the first block.

    `pings` is how many more `ping` events come before each delta. `prompt` is the part of `usage` that
    `PromptCache.usage` returned.
    """
    begun: Json = {
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage.at_start(whole["usage"], prompt),
    }
    if "container" in whole:
        begun["container"] = None
    yield {"type": "message_start", "message": whole | begun}
    for index, block in enumerate(whole["content"]):
        yield {"type": "content_block_start", "index": index, "content_block": _opened(block)}
        if not index:
            yield {"type": "ping"}
        for delta in _deltas(block):
            yield from ({"type": "ping"} for _ in range(pings))
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {
        "type": "message_delta",
        "delta": {name: whole[name] for name in _LAST if name in whole},
        "usage": usage.at_end(whole["usage"]),
    }
    yield {"type": "message_stop"}


def _before(request: Json, tool_id: str, container: Json | None) -> Iterator[Json]:
    """Yields the content blocks that come before the reply: compaction, thinking, and uses of server tools.

    Each comes if the request asks for it. The id of a search is `srv` and `tool_id`, that of an execution `srv`,
    `tool_id` and `x`.
    """
    if usage.compacts(request):
        yield {"type": "compaction", "content": "What was said before.", "encrypted_content": None}
    if usage.thinks(request):
        told = "" if hides_thinking(request) else "Let me think."
        yield {"type": "thinking", "thinking": told, "signature": "c2lnbmF0dXJl"}
    if usage.searches(request):
        search_id = f"srv{tool_id}"
        yield {"type": "server_tool_use", "id": search_id, "name": "web_search", "input": {"query": "simulated"}}
        yield {"type": "web_search_tool_result", "tool_use_id": search_id, "content": []}
    if container:
        yield from _executed(f"srv{tool_id}x", container["file_id"])


def _executed(use_id: str, file_id: str) -> Iterator[Json]:
    """Yields the use of the tool for code execution and its result, a file."""
    command = {"command": "echo simulated > $OUTPUT_DIR/output.txt"}
    yield {"type": "server_tool_use", "id": use_id, "name": "bash_code_execution", "input": command}
    output = {"type": "bash_code_execution_output", "file_id": file_id}
    result = {"type": "bash_code_execution_result", "stdout": "", "stderr": "", "return_code": 0, "content": [output]}
    yield {"type": "bash_code_execution_tool_result", "tool_use_id": use_id, "content": result}


def _content(request: Json, words: int, tool_id: str) -> tuple[Json, str, int]:
    """Returns the reply's content block, the stop reason, and the output tokens.

    The block is a tool use if a tool is wanted, else a structured output if a schema that is not empty is wanted, else
    text of `words` words, or `max_tokens` words with that stop reason if that is fewer, or what comes before one of its
    `stop_sequences`. A word counts as a token; a tool use counts as 1 and a quarter of the bytes of its input.
    """
    if tool := _wanted_tool(request):
        block = {"type": "tool_use", "id": tool_id, "name": tool["name"], "input": sample(tool["input_schema"])}
        block["caller"] = {"type": "direct"}
        return block, "tool_use", 1 + len(to_json(block["input"])) // 4
    if schema := _wanted_schema(request):
        text = json.dumps(sample(schema))
        return {"type": "text", "text": text}, "end_turn", len(text.split())
    allowed = min(words, int(request.get("max_tokens") or words))
    text = _text(request, words)
    if (stopped := _sequence(request, words)) is not None:
        text = text[: text.index(stopped)]
        return {"type": "text", "text": text}, "stop_sequence", max(1, len(text.split()))
    return {"type": "text", "text": text}, "end_turn" if allowed == words else "max_tokens", allowed


def _text(request: Json, words: int) -> str:
    """Returns a text reply of `words` words, or of `max_tokens` words if these are fewer; 0 counts as no `max_tokens`.

    `stop_sequences` do not cut it.
    """
    return " ".join(islice(cycle(_SAYING.split()), min(words, int(request.get("max_tokens") or words))))


def _sequence(request: Json, words: int) -> str | None:
    """Returns the stop sequence that the text reply comes to first, or `None` if it comes to none."""
    sequences = request.get("stop_sequences")
    if not sequences:
        return None
    text = _text(request, words)
    found = [each for each in sequences if each in text]
    return min(found, key=text.index, default=None)


def _wanted_tool(request: Json) -> Json | None:
    """Returns the tool that the reply uses: the one that `tool_choice` names, else the first one.

    Tools without an `input_schema` do not count. `None` if no tool counts, if `tool_choice` is `none`, or if the
    request's last message has a tool's result.
    """
    choice: Json = request.get("tool_choice") or {}
    tools = [tool for tool in request.get("tools") or () if "input_schema" in tool]
    if not tools or choice.get("type") == "none" or _has_result(request):
        return None
    chosen: Json = next((tool for tool in tools if tool["name"] == choice.get("name")), tools[0])
    return chosen


def _has_result(request: Json) -> bool:
    last = (request.get("messages") or [{}])[-1].get("content")
    return isinstance(last, list) and any(block.get("type") == "tool_result" for block in last)


def _wanted_schema(request: Json) -> Json | None:
    """Returns the schema of a structured output: that in `output_config`, or else in the older `output_format`.

    `None` if neither asks for a structured output, or if the one that is taken has no schema.
    """
    wanted: Json = (request.get("output_config") or {}).get("format") or request.get("output_format") or {}
    return wanted.get("schema")


_EMPTY: Final[dict[str, Json]] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "compaction": {"content": None},
    "tool_use": {"input": {}},
    "server_tool_use": {"input": {}},
}
"""By a block's type, what replaces its fields in `content_block_start`. Blocks of other types are sent as they are."""


def _opened(block: Json) -> Json:
    return block | _EMPTY.get(block["type"], {})


def _deltas(block: Json) -> Iterator[Json]:
    if block["type"] == "thinking":
        if block["thinking"]:
            yield {"type": "thinking_delta", "thinking": block["thinking"]}
        yield {"type": "signature_delta", "signature": block["signature"]}
    elif block["type"] == "compaction":
        yield {"type": "compaction_delta", "content": block["content"], "encrypted_content": None}
    elif block["type"] in ("tool_use", "server_tool_use"):
        whole = json.dumps(block["input"])
        yield {"type": "input_json_delta", "partial_json": ""}
        for start in range(0, len(whole), 16):
            yield {"type": "input_json_delta", "partial_json": whole[start : start + 16]}
    elif block["type"] == "text":
        for number, word in enumerate(block["text"].split(" ")):
            yield {"type": "text_delta", "text": word if number == 0 else f" {word}"}

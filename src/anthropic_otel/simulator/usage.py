"""The token usage of a message in the API's fields, and how much of it a client has been sent so far.

Rule: as in the API, `input_tokens` excludes cached tokens, and the usage in `message_delta` is cumulative. Usage
depends only on this request, on the length of its reply, and on which prompts earlier requests have cached.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Final

from anthropic_otel.simulator.wire import Json, events_in, to_json

THINKING_TOKENS: Final = 7
"""The output tokens that are added for thinking, if the request has it turned on."""
_SEARCH_TOKENS: Final = 90
_ADVISOR_TOKENS: Final = (400, 150)
_COMPACTION_TOKENS: Final = (1_200, 80)
_MOST_CACHED: Final = 1_000
_ONLY_AT_START: Final = ("service_tier", "inference_geo", "cache_creation")
METRICS: Final = "amazon-bedrock-invocationMetrics"
_BEDROCK: Final = {
    "input": ("inputTokenCount", "input_tokens"),
    "output": ("outputTokenCount", "output_tokens"),
    "cache-read-input": ("cacheReadInputTokenCount", "cache_read_input_tokens"),
    "cache-write-input": ("cacheWriteInputTokenCount", "cache_creation_input_tokens"),
}


class PromptCache:
    """Remembers the last 1,000 prompts that were new to the prompt cache. They do not expire."""

    def __init__(self) -> None:
        self._written: dict[bytes, None] = {}

    def write(self, key: bytes) -> None:
        """Remembers the prompt of that key, as `usage` has returned it; nothing for an empty key."""
        if key and key not in self._written:
            self._written[key] = None
            if len(self._written) > _MOST_CACHED:
                self._written.pop(next(iter(self._written)))

    def usage(self, request: Json) -> tuple[Json, bytes]:
        """Returns the input tokens of the request's `usage`, in the API's fields, and the key of what it caches.

        The prompt up to its last `cache_control` counts as read from the cache if its key was given to `write`, else as
        written to it; the rest, at least 1 token, is `input_tokens`. A `cache_control` that is `None` caches nothing:
        without another one the key is empty. If any has a `ttl` of `1h`, all that was written counts as of one hour,
        else of five minutes.
        """
        parts = list(_parts(request))
        marked = [at for at, part in enumerate(parts) if part.get("cache_control")]
        cached = to_json(parts[: marked[-1] + 1]) if marked else b""
        total, tokens = count_tokens(request), len(cached) // 4
        tokens = min(tokens, total - 1)
        key = sha256(cached).digest() if cached else b""
        written, read = (0, tokens) if key in self._written else (tokens, 0)
        hour = any(parts[at]["cache_control"].get("ttl") == "1h" for at in marked)
        used = {
            "input_tokens": total - tokens,
            "cache_creation_input_tokens": written,
            "cache_read_input_tokens": read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": 0 if hour else written,
                "ephemeral_1h_input_tokens": written if hour else 0,
            },
        }
        return used, key


def count_tokens(request: Json) -> int:
    """Returns an estimate of the tokens in the request's prompt: a quarter of the bytes of its JSON, at least 1.

    The prompt is `system`, `messages` and `tools`.
    """
    counted = {key: request[key] for key in ("system", "messages", "tools") if key in request}
    return max(1, len(to_json(counted)) // 4)


def _parts(request: Json) -> Iterator[Json]:
    """Yields the parts of a prompt in the order in which the API caches them: tools, system, messages.

    A string becomes `{"text": ...}`. What is neither a string nor an object is left out.
    """
    yield from (tool for tool in request.get("tools") or () if isinstance(tool, dict))
    for content in (request.get("system"), *(each.get("content") for each in request.get("messages") or ())):
        if isinstance(content, str):
            yield {"text": content}
        else:
            yield from (block for block in content or () if isinstance(block, dict))


def usage_of(request: Json, prompt: Json, output_tokens: int) -> Json:
    """Returns the `usage` of the whole message; `output_tokens` are those of its reply.

    `prompt` is the part of it that `PromptCache.usage` returned. Thinking, if the request has it turned on, adds output
    tokens; a web search adds input tokens and a count of searches; compaction and an advisor add `iterations`.
    """
    thinking = THINKING_TOKENS if thinks(request) else 0
    usage = {**prompt, "output_tokens": output_tokens + thinking, "service_tier": "standard"}
    usage["inference_geo"] = "global"
    if thinking:
        usage["output_tokens_details"] = {"thinking_tokens": thinking}
    if searches(request):
        usage["input_tokens"] += _SEARCH_TOKENS
        usage["server_tool_use"] = {"web_search_requests": 1, "web_fetch_requests": 0}
    beside = list(_beside(request))
    if beside:
        usage["iterations"] = [*beside, _iteration("message", usage)]
    return usage


def at_start(usage: Json, prompt: Json) -> Json:
    """Returns the `usage` in `message_start`: that of the prompt, the tier and the place, and one output token.

    It has no output token if the whole message, whose `usage` is given, has none.
    """
    always = {name: usage[name] for name in ("service_tier", "inference_geo")}
    return {**prompt, "output_tokens": min(1, usage["output_tokens"]), **always}


def at_end(usage: Json) -> Json:
    """Returns the `usage` in `message_delta`: that of the whole message, but for what only `message_start` has."""
    return {name: value for name, value in usage.items() if name not in _ONLY_AT_START}


def thinks(request: Json) -> bool:
    """Returns whether the reply has thinking: it is `enabled` or `adaptive` in the request, and `max_tokens` not 0."""
    thinking = request.get("thinking")
    return (
        request.get("max_tokens") != 0
        and isinstance(thinking, dict)
        and thinking.get("type") in ("enabled", "adaptive")
    )


def searches(request: Json) -> bool:
    """Returns whether the request offers the server tool for web search. The simulator's reply then uses it."""
    return _tool(request, "web_search_") is not None


def executes(request: Json) -> bool:
    """Returns whether the request offers the server tool for code execution. The simulator's reply then uses it."""
    return _tool(request, "code_execution_") is not None


def _tool(request: Json, prefix: str) -> Json | None:
    tools = (tool for tool in request.get("tools") or () if isinstance(tool, dict))
    return next((tool for tool in tools if str(tool.get("type", "")).startswith(prefix)), None)


def compacts(request: Json) -> bool:
    """Returns whether the request asks for compaction in its `context_management`; the simulator then does it."""
    management = request.get("context_management")
    edits = management.get("edits") if isinstance(management, dict) else None
    kinds = [edit.get("type") for edit in edits or () if isinstance(edit, dict)]
    return any(str(kind).startswith("compact_") for kind in kinds)


def _beside(request: Json) -> Iterator[Json]:
    """Yields the iterations whose tokens the message's own `usage` does not include.

    They are one of compaction and one of an advisor, each if the request asks for it.
    """
    if compacts(request):
        tokens = dict(zip(("input_tokens", "output_tokens"), _COMPACTION_TOKENS, strict=True))
        yield _iteration("compaction", tokens)
    advisor = _tool(request, "advisor_")
    if advisor is not None:
        tokens = dict(zip(("input_tokens", "output_tokens"), _ADVISOR_TOKENS, strict=True))
        yield _iteration("advisor_message", tokens) | {"model": advisor.get("model")}


def _iteration(kind: str, usage: Json) -> Json:
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    return {"type": kind, **{name: usage.get(name, 0) for name in names}}


# -- Amazon Bedrock ----------------------------------------------------------------------------------------------------


def bedrock_headers(usage: Json) -> tuple[tuple[str, str], ...]:
    """Returns the headers in which Bedrock reports the usage of a whole message, and a latency of 400 ms."""
    counts = [(f"x-amzn-bedrock-{part}-token-count", str(usage[name])) for part, (_, name) in _BEDROCK.items()]
    return (*counts, ("x-amzn-bedrock-invocation-latency", "400"))


def with_metrics(events: Iterable[Json], usage: Json) -> Iterator[Json]:
    """Yields the events, with Bedrock's metrics (of `usage`, and fixed latencies) added to `message_stop`."""
    metrics = {key: usage[name] for key, name in _BEDROCK.values()}
    for event in events:
        more = {METRICS: {**metrics, "invocationLatency": 400, "firstByteLatency": 120}}
        yield event | more if event["type"] == "message_stop" else event


# -- what a client has been sent ---------------------------------------------------------------------------------------


def in_events(events: Iterable[Json]) -> Json | None:
    """Returns the usage that a client knows after these events of a stream, or `None` if they contain none.

    Later values replace earlier ones, except by `null`. A `usage` that is no object does not count, and neither do
    events after an `error`, or after a `message_stop` without Bedrock's metrics.
    """
    known: Json = {}
    for event in events:
        message, usage, metrics = event.get("message"), event.get("usage"), event.get(METRICS)
        if event.get("type") == "message_start" and isinstance(message, dict):
            known |= _object(message.get("usage"))
        elif event.get("type") == "message_delta":
            known |= {name: value for name, value in _object(usage).items() if value is not None}
        elif event.get("type") == "message_stop" and isinstance(metrics, dict):
            known |= {name: metrics[key] for key, name in _BEDROCK.values() if key in metrics}
        elif event.get("type") in ("error", "message_stop"):
            break
    return known or None


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def in_stream(body: bytes) -> Json | None:
    """Returns the usage that a client knows after these bytes of a stream, or `None` if they contain none.

    The bytes are server-sent events or AWS event-stream frames, without a content encoding; see `wire.events_in` and
    `in_events`.
    """
    return in_events(events_in(body))


def in_message(body: bytes, request: bytes) -> Json | None:
    """Returns the `usage` in `body`, the bytes of a whole message, or `None` if it has none.

    Also `None` if either body is not a JSON object, or if `request`, the request's body, asks for a stream.
    """
    try:
        asked, value = json.loads(request), json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not isinstance(asked, dict) or asked.get("stream"):
        return None
    usage = value.get("usage")
    return usage if isinstance(usage, dict) else None

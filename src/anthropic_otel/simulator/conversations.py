"""Checks a Messages body whose fields have valid types by the API's rules about the conversation and its limits.

Rule: nothing here raises. Each check yields the API's message about what it refuses; the first one counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

from anthropic_otel.simulator.images import wrong_images
from anthropic_otel.simulator.wire import Json

_ROLES: Final = ("user", "assistant", "system")
_MAX_MARKS: Final = 4
_ID: Final = re.compile(r"[a-zA-Z0-9_-]+")
_MOST_IN_NAME: Final = 200
_LEAST_BUDGET: Final = 1_024


def problem_of(body: Json, *, latest: bool = False) -> str | None:
    """Returns the API's message about the first rule that the body breaks, or `None` if it breaks none.

    The rules, in the order in which they are checked, are those about: the number of messages and their roles; types
    and texts of blocks, ids and names of uses of tools, images in base64, and empty content; ids that are there twice;
    the number of `cache_control` blocks; the budget of thinking; the end of a reply that is begun; pairs of `tool_use`
    and `tool_result`; the names of tools, and `tool_choice`. The types of all fields must have been checked before. A
    body that continues a `thread` may have its tools and their uses in what was sent before, so the rules about these
    (pairs, names, `tool_choice`) do not hold for it. `latest` is whether the body has to follow version 2026-10-21 of
    the API, which has two rules more about blocks.
    """
    checks = [_messages, _content, *([_placed] if latest else []), _unique, _marks, _thinking, _end]
    if not body.get("thread"):
        checks += [_pairs, _tools]
    return next((message for check in checks for message in check(body)), None)


def _messages(body: Json) -> Iterator[str]:
    messages = body["messages"]
    if not messages:
        yield "messages: at least one message is required"
    for each in messages:
        if each["role"] not in _ROLES:
            yield f'messages: Unexpected role "{each["role"]}". Allowed roles are "user" or "assistant"'
    if messages and messages[0]["role"] == "system":
        yield "messages.0: use the top-level 'system' parameter for the initial system prompt"


def _content(body: Json) -> Iterator[str]:
    """Yields what the API says about wrong blocks, and then about the user's turns without content.

    A block is wrong without a type, as a text that is missing or blank, as a use or a result of a tool whose id or name
    cannot be, and as a wrong image. A turn is all messages of the same role in a row; one of `system` is a turn too.
    """
    for at, message in enumerate(body["messages"]):
        for number, block in enumerate(_blocks(message)):
            yield from _block(block, f"messages.{at}.content.{number}")
    yield from wrong_images(body)
    for role, turn in groupby(enumerate(body["messages"]), lambda each: each[1]["role"]):
        messages = list(turn)
        if role == "user" and not any(message["content"] for _, message in messages):
            yield f"messages.{messages[0][0]}: user messages must have non-empty content"


def _placed(body: Json) -> Iterator[str]:
    """Yields what is wrong with documents of the assistant, and with citations in the user's texts.

    That version 2026-10-21 refuses both is documented, but not with which words.
    """
    for at, message in enumerate(body["messages"]):
        for number, block in enumerate(_blocks(message)):
            place = f"messages.{at}.content.{number}"
            if message["role"] == "assistant" and block["type"] == "document":
                yield f"{place}: `document` blocks are not permitted in `assistant` messages"
            if message["role"] == "user" and block["type"] == "text" and block.get("citations"):
                yield f"{place}.text.citations: must be empty in `user` messages"


def _block(block: Json, place: str) -> Iterator[str]:
    kind = block.get("type")
    if not isinstance(kind, str):
        yield f"{place}.type: Field required"
    elif kind == "text" and not isinstance(block.get("text"), str):
        yield f"{place}.text.text: Field required"
    elif kind == "text" and not block["text"].strip():
        rule = "contain non-whitespace text" if block["text"] else "be non-empty"
        yield f"messages: text content blocks must {rule}"
    elif kind == "tool_use":
        yield from _use(block, f"{place}.tool_use")
    elif kind == "tool_result" and not _ID.fullmatch(str(block.get("tool_use_id"))):
        yield f"{place}.tool_result.tool_use_id: String should match pattern '^[a-zA-Z0-9_-]+$'"


def _use(block: Json, place: str) -> Iterator[str]:
    if not _ID.fullmatch(str(block.get("id"))):
        yield f"{place}.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
    if not block.get("name"):
        yield f"{place}.name: String should have at least 1 character"
    elif len(str(block["name"])) > _MOST_IN_NAME:
        yield f"{place}.name: String should have at most {_MOST_IN_NAME} characters"


def _pairs(body: Json) -> Iterator[str]:
    """Yields what the API says about uses of tools without a result in the next turn, and results without a use.

    A turn is all messages of the same role in a row, after those of `system` were left out. Only a use of
    the assistant and a result of the user, in the turn right after it, make a pair.
    """
    told = [(at, each) for at, each in enumerate(body["messages"]) if each["role"] != "system"]
    open_uses: dict[str, None] = {}
    opened_at = 0
    for role, turn in groupby(told, lambda each: each[1]["role"]):
        messages = list(turn)
        if role == "user":
            for at, message in messages:
                for number, block in enumerate(_blocks(message)):
                    if block.get("type") == "tool_result" and str(block.get("tool_use_id")) not in open_uses:
                        yield _unexpected(f"messages.{at}.content.{number}", block.get("tool_use_id"))
            given = {str(block.get("tool_use_id")) for _, each in messages for block in _results(each)}
            if missing := [use for use in open_uses if use not in given]:
                yield _missing(opened_at, missing)
            open_uses = {}
        else:
            opened_at = messages[-1][0]
            blocks = [block for _, each in messages for block in _blocks(each)]
            open_uses = {str(block.get("id")): None for block in blocks if block.get("type") == "tool_use"}
            yield from (
                _unexpected(f"messages.{at}", block.get("tool_use_id")) for at, m in messages for block in _results(m)
            )
    if open_uses:
        yield _missing(opened_at, list(open_uses))


def _unique(body: Json) -> Iterator[str]:
    """Yields what the API says about a use of a tool that has the id of another, and a use with two results."""
    uses: set[str] = set()
    for at, message in enumerate(body["messages"]):
        results: set[str] = set()
        for number, block in enumerate(_blocks(message)):
            place = f"messages.{at}.content.{number}"
            name = str(block.get("id") if block.get("type") == "tool_use" else block.get("tool_use_id"))
            if block.get("type") == "tool_use":
                if name in uses:
                    yield f"{place}: `tool_use` ids must be unique"
                uses.add(name)
            elif block.get("type") == "tool_result":
                if name in results:
                    words = "each tool_use must have a single result. Found multiple `tool_result` blocks with id"
                    yield f"{place}: {words}: {name}"
                results.add(name)


def _end(body: Json) -> Iterator[str]:
    """Yields a message if the reply that the body begins ends in blanks."""
    last = body["messages"][-1]
    content: Any = last["content"]
    if isinstance(content, list):
        content = content[-1].get("text") if content else None
    if last["role"] == "assistant" and isinstance(content, str) and content != content.rstrip():
        yield "messages: final assistant content cannot end with trailing whitespace"


def _results(message: Json) -> list[Json]:
    return [block for block in _blocks(message) if block.get("type") == "tool_result"]


def _missing(at: int, uses: list[str]) -> str:
    return (
        f"messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(uses)}. "
        "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
    )


def _unexpected(place: str, use: object) -> str:
    return (
        f"{place}: unexpected `tool_use_id` found in `tool_result` blocks: {use}. "
        "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
    )


def _tools(body: Json) -> Iterator[str]:
    tools = body.get("tools") or []
    names = [tool["name"] for tool in tools if isinstance(tool.get("name"), str)]
    if len(set(names)) < len(names):
        yield "tools: Tool names must be unique."
    choice = body.get("tool_choice") or {}
    if choice.get("type") in ("any", "tool") and not tools:
        yield "tool_choice may only be specified while providing tools."
    if choice.get("type") == "tool" and choice.get("name") not in names:
        yield f"Tool '{choice.get('name')}' not found in provided tools"


def _marks(body: Json) -> Iterator[str]:
    """Yields a message if the body has more `cache_control` than the API allows. One that is `None` does not count."""
    blocks: list[Any] = [body, *(body.get("tools") or ()), *_blocks({"content": body.get("system") or ""})]
    for message in body["messages"]:
        for block in _blocks(message):
            blocks += [block, *_blocks({"content": block.get("content")})]
    if (found := sum(1 for block in blocks if block.get("cache_control"))) > _MAX_MARKS:
        yield f"A maximum of 4 blocks with cache_control may be provided. Found {found}."


def _thinking(body: Json) -> Iterator[str]:
    thinking = body.get("thinking") or {}
    if thinking.get("type") != "enabled":
        return
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int) or isinstance(budget, bool):
        yield "thinking.enabled.budget_tokens: Input should be a valid integer"
    elif budget < _LEAST_BUDGET:
        yield "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
    elif budget >= body.get("max_tokens", budget + 1):
        yield "`max_tokens` must be greater than `thinking.budget_tokens`"


def _blocks(message: Json) -> list[Json]:
    content = message.get("content")
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []

"""Secrets in every place that an app or a server can put one: strings that nothing of the library's may repeat.

Rule: every canary is a different string with a common middle, so that a search finds them all and says which.
"""

from __future__ import annotations

from typing import Any, Final

MARK: Final = "canary7f3a"


def canary(place: str) -> str:
    return f"{place}-{MARK}-{place}"


API_KEY: Final = canary("sk-ant-key")
AUTH_TOKEN: Final = canary("token")
PROMPT: Final = canary("prompt")
REPLY: Final = canary("reply")
TOOL_INPUT: Final = canary("tool")
HEADER: Final = canary("header")
QUERY: Final = canary("query")
USERINFO: Final = canary("userinfo")
FILE_NAME: Final = canary("file")
PROXY_PASSWORD: Final = canary("proxy")
EXCEPTION: Final = canary("exception")
ERROR_MESSAGE: Final = canary("message")
METADATA: Final = canary("metadata")


def request(**more: Any) -> dict[str, Any]:
    """The arguments of a call that has a canary wherever the API takes a string of the app's."""
    return {
        "model": "claude-opus-4-8",
        "max_tokens": 64,
        "system": PROMPT,
        "metadata": {"user_id": METADATA},
        "tools": [{"name": "look_up", "description": PROMPT, "input_schema": {"type": "object", "title": PROMPT}}],
        "messages": [
            {"role": "user", "content": PROMPT},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "t1", "name": "look_up", "input": {"q": TOOL_INPUT}}],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": TOOL_INPUT}]},
        ],
        "extra_headers": {"x-app": HEADER, "authorization": f"Bearer {AUTH_TOKEN}"},
        "extra_query": {"q": QUERY},
        **more,
    }


def found_in(data: bytes) -> list[str]:
    """The canaries in some bytes, with what is around them."""
    found, at = [], data.find(MARK.encode())
    while at >= 0:
        found.append(data[max(at - 60, 0) : at + 40].decode("utf-8", "replace"))
        at = data.find(MARK.encode(), at + 1)
    return found

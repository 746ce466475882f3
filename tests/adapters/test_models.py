"""What a request that belongs to no call asks for: its model, and whether it asks for a stream."""

from __future__ import annotations

from typing import Any

import pytest

from anthropic_otel._adapters import models
from support.stacks import STACKS, Stack, each_of

pytestmark = pytest.mark.without_sdk
stack = each_of([stack for stack in STACKS if not stack.asynchronous])

BEDROCK = "anthropic.claude-v1:0"
PUBLISHER = "/v1/projects/p/locations/r/publishers/anthropic/models/"


@pytest.mark.parametrize(
    ("path", "body", "model", "stream"),
    [
        ("/v1/messages", {"model": "claude", "stream": True}, "claude", True),
        ("/v1/messages", {"model": "claude"}, "claude", False),
        ("/v1/messages", {}, None, False),
        (f"/model/{BEDROCK}/invoke", {}, BEDROCK, False),
        (f"/model/{BEDROCK.replace(':', '%3A')}/invoke-with-response-stream", {}, BEDROCK, True),
        ("/model/arn%3Aaws%3Abedrock%3A%3A1%3Aa%2Fb/invoke?a=b", {}, "arn:aws:bedrock::1:a/b", False),
        (f"{PUBLISHER}claude@1:rawPredict", {}, "claude@1", False),
        (f"/gateway{PUBLISHER}claude:streamRawPredict?alt=sse", {}, "claude", True),
        (f"{PUBLISHER}count-tokens:rawPredict", {"model": "claude"}, "claude", False),
        (f"{PUBLISHER}count-tokens:rawPredict", {}, None, False),
        (f"/model/{BEDROCK}/converse", {}, None, False),
        (f"/model/{'x' * 129}/invoke", {}, "_OTHER", False),
    ],
)
def test_a_platform_has_the_model_and_the_stream_in_its_path(
    path: str, body: dict[str, Any], model: str | None, stream: bool, stack: Stack
) -> None:
    """The API itself has both in the body, and so has the counting of tokens on Vertex its model."""
    request = stack.module.Request("POST", f"https://host{path}", json=body)
    assert (models.model_of(request), models.stream_of(request)) == (model, stream)


SECRET = {"model": "a-model-of-the-prompt", "stream": True}
MESSAGES = [{"role": "assistant", "content": [{"type": "tool_use", "name": "rent", "input": SECRET}]}]


@pytest.mark.parametrize(
    ("path", "body", "model", "stream"),
    [
        ("/v1/messages", {"messages": MESSAGES}, None, False),
        ("/v1/messages", {"messages": MESSAGES, "model": "claude"}, "claude", False),
        ("/v1/messages", {"messages": MESSAGES, "model": "claude", "stream": True}, "claude", True),
        ("/v1/messages", {"model": "claude", "stream": True, "messages": [*MESSAGES, "x" * 600]}, "claude", True),
        ("/v1/messages", {"messages": ["x" * 600, *MESSAGES], "model": "claude"}, None, None),
        ("/v1/messages", {"messages": ["x" * 600, *MESSAGES], "stream": True}, None, True),
        ("/v1/messages", {"system": '\\"{[', "stop": ["}]"], "model": "claude", "stream": True}, "claude", True),
        (f"/model/{BEDROCK}/invoke", {"messages": MESSAGES}, BEDROCK, False),
        (f"/model/{BEDROCK}/invoke", {"messages": [*MESSAGES, "x" * 600]}, BEDROCK, False),
        ("/model/arn%3Aaws%3Aa%2Fb/invoke", {"messages": [*MESSAGES, "x" * 600]}, "arn:aws:a/b", False),
        ("/model/arn%3Aaws%3Aa%2Fb/invoke?c=d", {"messages": [*MESSAGES, "x" * 600]}, "arn:aws:a/b", False),
        (f"/model/{BEDROCK}/invoke-with-response-stream", {"messages": MESSAGES}, BEDROCK, True),
        (f"{PUBLISHER}claude:rawPredict", {"messages": MESSAGES}, "claude", False),
        (f"{PUBLISHER}count-tokens:rawPredict", {"messages": MESSAGES}, None, False),
    ],
)
def test_what_a_tool_is_given_says_nothing_about_the_request(
    path: str, body: dict[str, Any], model: str | None, stream: bool | None, stack: Stack
) -> None:
    """A model and a stream in the prompt are content of the app. Only those of the request itself count."""
    request = stack.module.Request("POST", f"https://host{path}", json=body)
    assert (models.model_of(request), models.stream_of(request)) == (model, stream)


def test_a_query_names_no_model(stack: Stack) -> None:
    """Only the path does, whatever a query looks like."""
    request = stack.module.Request("POST", "https://host/v1/messages?to=/model/none/invoke", json={"model": "claude"})
    assert (models.model_of(request), models.stream_of(request)) == ("claude", False)

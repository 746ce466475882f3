"""Apps that reach the Messages API without the SDK: `instrument()` alone records their requests as attempts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from reliability import environments

FOLDER: Final = Path(__file__).parent / "without_sdk"
REQUIREMENTS: Final = (*environments.WITHOUT_SDK, "httpx-sse", "litellm", "smolagents")
MODEL: Final = "claude-opus-4-8"
BEDROCK_MODEL: Final = "anthropic.claude-opus-4-8-v1:0"
FAILURES: Final[tuple[tuple[int | None, str, str], ...]] = (
    (429, "429", "failed"),
    (529, "529", "failed"),
    (None, "connection_reset", "failed"),
)

pytestmark = [pytest.mark.slow, pytest.mark.without_sdk, pytest.mark.timeout(600)]


def run(library: str, order: str, *more: str) -> dict[str, Any]:
    """What one run of the app has printed."""
    python = environments.environment("without_sdk", REQUIREMENTS, FOLDER / "constraints.txt")
    told: dict[str, Any] = json.loads(
        environments.run(python, FOLDER / "app.py", library, order, *more).splitlines()[-1]
    )
    return told


@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize(
    ("library", "stream"),
    # LiteLLM closes a synchronous stream at the stop reason, before its last event, and reads an asynchronous one out.
    [("litellm", "abandoned"), ("litellm_async", "completed")],
)
def test_each_request_of_litellm_is_one_attempt(library: str, stream: str, order: str) -> None:
    """LiteLLM's answers, streams and failures are recorded, whether it is imported before or after `instrument()`."""
    told = run(library, order)
    assert not told["sdk"]
    assert [len(got) > 20 for got in told["got"][:2]] == [True, True]
    assert told["got"][2:] == ["RateLimitError", "InternalServerError", "InternalServerError"]
    assert told["ids"] == told["sent"]
    assert told["spans"] == [[200, None, "completed"], [200, None, stream], *map(list, FAILURES)]
    measured = {tuple(point) for point in told["measured"]}
    assert measured == {(MODEL, 200, None), *((MODEL, status, error) for status, error, _ in FAILURES)}
    assert told["warnings"] == []


@pytest.mark.parametrize(
    ("library", "model", "stream"),
    [
        ("litellm_vertex", MODEL, "abandoned"),
        ("litellm_vertex_async", MODEL, "completed"),
        # Its frames have no end that LiteLLM waits for or leaves out: it reads both out.
        ("litellm_bedrock", BEDROCK_MODEL, "completed"),
        ("litellm_bedrock_async", BEDROCK_MODEL, "completed"),
        ("litellm_profile_named", "profile", "completed"),
    ],
)
def test_each_request_of_litellm_through_a_platform_is_one_attempt(library: str, model: str, stream: str) -> None:
    """As on the API. A profile's ARN on Bedrock says nothing of Anthropic: there by a client that was named."""
    told = run(library, "before" if "vertex" in library else "after")
    assert [len(got) > 20 for got in told["got"][:2]] == [True, True]
    assert told["got"][2] == "RateLimitError"
    assert told["ids"] == told["sent"]
    assert told["spans"] == [[200, None, "completed"], [200, None, stream], *map(list, FAILURES)]
    measured = {tuple(point) for point in told["measured"]}
    assert measured == {(model, 200, None), *((model, status, error) for status, error, _ in FAILURES)}
    assert told["warnings"] == []


def test_a_request_of_litellm_to_an_inference_profile_is_not_known_by_itself() -> None:
    """Its path may be any model's: without its client's name nothing is recorded of it, and nothing is added to it."""
    told = run("litellm_profile", "after")
    assert [len(got) > 20 for got in told["got"][:2]] == [True, True]
    assert told["sent"] == [None] * 5
    assert told["spans"] == told["measured"] == told["warnings"] == []


@pytest.mark.parametrize("library", ["httpx_sse", "httpx_sse_async"])
def test_a_stream_that_httpx_sse_reads_ends_as_it_did(library: str) -> None:
    """Read out, left early, compressed, cut, without its end event, with an error event, refused, and not answered."""
    told = run(library, "before")
    assert told["ids"] == told["sent"]
    assert list(zip(told["got"], told["spans"], strict=True)) == [
        ("message_stop", [200, None, "completed"]),
        ("message_start", [200, None, "abandoned"]),
        ("message_stop", [200, None, "completed"]),
        ("RemoteProtocolError", [200, "incomplete_body", "failed"]),
        ("content_block_delta", [200, "incomplete_stream", "failed"]),
        ("error", [200, "overloaded_error", "failed"]),
        ("SSEError", [529, "529", "failed"]),
        ("ReadError", [None, "connection_reset", "failed"]),
    ]
    assert told["warnings"] == []


def test_what_goes_through_litellm_is_recorded_too() -> None:
    """A model of smolagents that is made after `instrument()` is recorded by the requests of LiteLLM below it."""
    told = run("smolagents", "before")
    assert len(told["sent"]) == 1
    assert told["ids"] == told["sent"]
    assert told["spans"] == [[200, None, "completed"]]
    assert told["measured"] == [[MODEL, 200, None]]


def test_sdk_only_leaves_requests_without_the_sdk_out() -> None:
    """With `sdk_only` LiteLLM gets the same answers, and neither its headers nor the telemetry has anything of them."""
    told = run("litellm", "before", "sdk_only")
    assert told["got"][2:] == ["RateLimitError", "InternalServerError", "InternalServerError"]
    assert told["sent"] == [None] * 5
    assert told["spans"] == told["measured"] == told["warnings"] == []

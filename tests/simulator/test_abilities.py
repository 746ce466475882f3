"""What a model cannot do is refused, in the API's words, and answered by a model that can."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest

from anthropic_otel.simulator import Simulator

USER: Final = {"role": "user", "content": "hi"}
BEGUN: Final = [USER, {"role": "assistant", "content": "Well"}]
TOOL: Final = {"name": "t", "input_schema": {"type": "object"}}
ENABLED: Final = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2048}
ADAPTIVE: Final = {"thinking": {"type": "adaptive"}}
ONLY_ONE: Final = (
    "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode. Please consult our documentation "
    "at https://platform.claude.com/docs/en/build-with-claude/extended-thinking"
)
LEVELS: Final = "Supported levels: high, low, max, medium."

CANNOT: Final[dict[str, tuple[dict[str, Any], str, str, str]]] = {
    "begin a reply": (
        {"messages": BEGUN},
        "claude-sonnet-4-6",
        "This model does not support assistant message prefill. The conversation must end with a user message.",
        "claude-sonnet-4-5",
    ),
    "think by a budget": (
        ENABLED,
        "claude-opus-4-7",
        '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and '
        '"output_config.effort" to control thinking behavior.',
        "claude-opus-4-6",
    ),
    "think as it likes": (
        ADAPTIVE,
        "claude-haiku-4-5",
        "adaptive thinking is not supported on this model",
        "claude-haiku-5-5",
    ),
    "not think": (
        {"thinking": {"type": "disabled"}},
        "claude-fable-5",
        '"thinking.type.disabled" is not supported for this model.',
        "claude-opus-5",
    ),
    "make an effort": (
        {"output_config": {"effort": "low"}},
        "claude-haiku-4-5",
        "This model does not support the effort parameter.",
        "claude-opus-4-5",
    ),
    "make much effort": (
        {"output_config": {"effort": "xhigh"}},
        "claude-opus-4-6",
        f"This model does not support effort level 'xhigh'. {LEVELS}",
        "claude-opus-4-7",
    ),
    "be hot": (
        {"temperature": 0.5},
        "claude-opus-5",
        "`temperature` is deprecated for this model.",
        "claude-sonnet-4-6",
    ),
    "take the likely": ({"top_k": 5}, "claude-opus-5", "`top_k` is deprecated for this model.", "claude-sonnet-4-6"),
    "be fast": (
        {"speed": "fast"},
        "claude-sonnet-5-5",
        "speed: This model does not support fast mode",
        "claude-opus-5-5",
    ),
}


@pytest.fixture
def http(sim: Simulator) -> Iterator[httpx.Client]:
    """What has no SDK between: any body can be sent, under the version that has sampling."""
    with httpx.Client(base_url=sim.base_url, headers={"x-api-key": "k", "anthropic-version": "2023-06-01"}) as each:
        yield each


def _said(http: httpx.Client, more: dict[str, Any]) -> str | None:
    """The message of the API's refusal, or `None` if it answers."""
    body = {"model": "claude-opus-5", "max_tokens": 100, "messages": [USER]} | more
    response = http.post("/v1/messages", json=body)
    return None if response.status_code == 200 else str(response.json()["error"]["message"])


@pytest.mark.parametrize(("more", "cannot", "said", "can"), CANNOT.values(), ids=CANNOT)
def test_a_model_is_asked_for_what_it_cannot_do(
    http: httpx.Client, more: dict[str, Any], cannot: str, said: str, can: str
) -> None:
    """An app that works with one model need not work with another."""
    assert _said(http, more | {"model": cannot}) == said
    assert _said(http, more | {"model": can}) is None


def test_a_model_of_ones_own_can_do_everything() -> None:
    """The simulator knows nothing of it."""
    with Simulator(models=["our-model"]) as sim, httpx.Client(base_url=sim.base_url) as http:
        http.headers.update({"x-api-key": "k", "anthropic-version": "2023-06-01"})
        for more, *_ in CANNOT.values():
            assert _said(http, more | {"model": "our-model"}) is None


def test_a_platforms_name_is_that_of_the_same_model(http: httpx.Client) -> None:
    """What the API refuses of a model, it refuses on Bedrock too."""
    body = ENABLED | {"messages": [USER], "anthropic_version": "bedrock-2023-05-31"}
    for name, status in (("opus-4-7", 400), ("opus-4-6", 200)):
        assert http.post(f"/model/eu.anthropic.claude-{name}-v1:0/invoke", json=body).status_code == status


BUDGETED: Final = ENABLED | {"model": "claude-sonnet-4-5"}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (BUDGETED | {"temperature": 0.5}, ONLY_ONE),
        (ADAPTIVE | {"model": "claude-opus-4-6", "temperature": 0.5}, ONLY_ONE),
        (
            {"model": "claude-haiku-4-5", "temperature": 0.5, "top_p": 0.9},
            "`temperature` and `top_p` cannot both be specified for this model. Please use only one.",
        ),
        (
            BUDGETED | {"tools": [TOOL], "tool_choice": {"type": "any"}},
            "Thinking may not be enabled when tool_choice forces tool use.",
        ),
        (BUDGETED | {"temperature": 1}, None),
        (BUDGETED | {"tools": [TOOL], "tool_choice": {"type": "auto"}}, None),
    ],
)
def test_some_things_a_model_cannot_do_at_once(http: httpx.Client, more: dict[str, Any], said: str | None) -> None:
    """Each of them alone it can."""
    assert _said(http, more) == said


def test_a_turn_that_was_interrupted_is_gone_on_with(http: httpx.Client) -> None:
    """It is no reply that is begun: it ends in the use of a server's tool."""
    use = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
    assert _said(http, {"messages": [USER, {"role": "assistant", "content": [use]}]}) is None


def _png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack("!II", width, height)


def _image(image: bytes, kind: str = "image/png", count: int = 1) -> list[Any]:
    source = {"type": "base64", "media_type": kind, "data": base64.b64encode(image).decode()}
    return [{"role": "user", "content": [{"type": "image", "source": source}] * count}]


PLACE: Final = "messages.0.content.0.image.source.base64"


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        (_image(b"hello"), "Could not process image"),
        (
            _image(_png(1, 1), "image/jpeg"),
            f"{PLACE}: The image was specified using the image/jpeg media type, but the image appears to be a "
            "image/png image",
        ),
        (
            _image(_png(8_001, 1)),
            f"{PLACE}.data: At least one of the image dimensions exceed max allowed size: 8000 pixels",
        ),
        (
            _image(b"GIF89a" + struct.pack("<HH", 1, 2_001), "image/gif", 21),
            f"{PLACE}.data: At least one of the image dimensions exceed max allowed size for many-image requests: "
            "2000 pixels",
        ),
        (
            _image(_png(1, 1) + b"x" * 7_900_000),
            f"{PLACE}: image exceeds 10 MB maximum: 10533368 bytes > 10485760 bytes",
        ),
        (_image(_png(8_000, 8_000)), None),
        (_image(b"\xff\xd8\xff\xe0", "image/jpeg"), None),
        (_image(b"RIFF\0\0\0\0WEBP", "image/webp", 21), None),
    ],
    ids=["no image", "another image", "wide", "one of many", "long", "large enough", "a JPEG", "many"],
)
def test_an_image_that_the_api_cannot_read_is_refused(http: httpx.Client, messages: Any, said: str | None) -> None:
    """By its first bytes and its length."""
    assert _said(http, {"messages": messages}) == said


def test_the_error_of_wide_images_names_them_all(http: httpx.Client) -> None:
    """With the limit, and the places in the order of the request, as newer SDKs read them."""
    [wide], [small] = (_image(_png(size, 1))[0]["content"] for size in (8_001, 8_000))
    use = {"type": "tool_use", "id": "u", "name": "t", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "u", "content": [small, wide]}
    messages = [
        {"role": "user", "content": [wide, small]},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    ]
    response = http.post("/v1/messages", json={"model": "claude-opus-5", "max_tokens": 9, "messages": messages})
    assert response.json()["error"]["details"] == {
        "error_code": "image_dimensions_too_large",
        "max_side_length_pixels": 8_000,
        "paths": ["messages.0.content.0", "messages.2.content.0.content.1"],
    }

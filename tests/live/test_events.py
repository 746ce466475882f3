"""Events: what of a call and its attempts leaves the process, and what never does."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import pytest

from anthropic_otel._core.facts import attempt_facts, call_facts
from anthropic_otel._instrument import INSTRUMENTATION
from anthropic_otel._live import events as events_module
from anthropic_otel._live.events import MAX_LINE, Event, EventRecorder, text
from anthropic_otel.simulator import Simulator
from support.apps import API_KEY, PROMPT, request_of


@pytest.fixture
def events() -> Iterator[list[Event]]:
    """What is emitted meanwhile."""
    emitted: list[Event] = []
    recorder = EventRecorder(emitted.append)
    INSTRUMENTATION.join(recorder)
    yield emitted
    INSTRUMENTATION.leave(recorder)


@pytest.fixture
def client(sim: Simulator, waits: list[float]) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=sim.base_url, api_key=API_KEY) as made:
        yield made


def test_a_retried_call_is_an_event_per_attempt_between_its_two(
    sim: Simulator, client: anthropic.Anthropic, events: list[Event]
) -> None:
    """With the words of the schema, and the backoff before a retry."""
    sim.play("http_529", "connection_reset", "ok")
    client.messages.create(**request_of())
    started, refused, reset, answered, call = events
    assert [event["type"] for event in events] == ["started", "attempt", "attempt", "attempt", "call"]
    assert {event["call"] for event in events} == {1}
    assert (started["operation"], started["model"]) == ("messages.create", request_of()["model"])
    assert (refused["status"], refused["error_type"], refused["api_error_type"]) == (529, "529", "overloaded_error")
    assert (refused["number"], refused["request_id"]) == (1, sim.request_ids[0])
    assert (reset["cause"], reset["phase"], reset["errno"]) == ("connection_reset", "wait", "ECONNRESET")
    assert (reset["retry_reason"], reset["retry_source"]) == ("529", "backoff")
    assert answered["retry_delay"] >= 0
    assert (call["outcome"], call["attempts"], call["retries"]) == ("recovered", 3, 2)
    assert call["time"] <= refused["time"] <= reset["time"] <= answered["time"]


def test_a_stream_says_how_it_began_and_how_it_ended(
    sim: Simulator, client: anthropic.Anthropic, events: list[Event]
) -> None:
    """The time to its first chunk, and whether its end event came."""
    sim.play("stream_incomplete")
    for _ in client.messages.create(**request_of(), stream=True):
        pass
    _, attempt, call = events
    assert attempt["first_chunk_after"] >= attempt["headers_after"] > 0
    assert (attempt["stream_complete"], call["stream"], call["outcome"]) == (False, True, "failed")


def test_nothing_private_is_in_an_event(sim: Simulator, client: anthropic.Anthropic, events: list[Event]) -> None:
    """Neither prompt, nor reply, nor key, nor query, nor the text of an exception."""
    sim.play("http_400", "ok", "read_timeout")
    with pytest.raises(anthropic.BadRequestError) as refused:
        client.messages.create(**request_of(), extra_query={"secret": "in-the-query"})
    reply = client.messages.create(**request_of())
    said: Any = reply.content[0]
    told = json.dumps(events)
    for secret in (PROMPT, API_KEY, "in-the-query", said.text, refused.value.message):
        assert secret not in told


@pytest.mark.any_model
def test_a_line_is_bounded_whatever_the_app_names(
    sim: Simulator, client: anthropic.Anthropic, events: list[Event]
) -> None:
    """A model's name is the app's: long ones are cut, and what would control a terminal is replaced."""
    client.messages.create(**{**request_of(), "model": "\x1b[2J" + "\u2028m" * 100_000})
    assert max(len(json.dumps(event)) for event in events) < MAX_LINE / 2
    assert "\x1b" not in "".join(str(value) for event in events for value in event.values())
    assert text("\x1b[2J" + "\u2028m" * 1000) == ("?[2J" + "?m" * 62)
    assert text("claude-opus-4-8") == "claude-opus-4-8"


def test_an_attempt_without_a_call_has_no_call(sim: Simulator, events: list[Event]) -> None:
    """An app that reaches the API without the SDK."""
    httpx2 = pytest.importorskip("httpx2")
    headers = {"anthropic-version": "2023-06-01", "x-api-key": API_KEY}
    with httpx2.Client() as http:
        http.post(f"{sim.base_url}/v1/messages", json=request_of(), headers=headers)
    [attempt] = events
    assert (attempt["type"], "call" in attempt, attempt["outcome"]) == ("attempt", False, "completed")


@pytest.mark.parametrize(
    ("kind", "functions"),
    [
        ("attempt", (events_module._attempt_event, attempt_facts)),
        ("call", (events_module._call_event, events_module._names_of, call_facts)),
    ],
)
def test_the_documents_list_every_field(kind: str, functions: tuple[Any, ...]) -> None:
    """What reads the lines of `--save` relies on them."""
    page = (Path(__file__).parents[2] / "docs" / "run.md").read_text("utf-8")
    [row] = re.findall(rf"^\| `{kind}` \| (.*) \|$", page, re.MULTILINE)
    source = "".join(map(inspect.getsource, functions))
    assert set(re.findall(r"`(\w+)`", row)) == {"time", "pid", *re.findall(r'"(\w+)": ', source)}
